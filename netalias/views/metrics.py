"""Metrics of a ``reconcile`` run or of a watcher, as a file for the collector of Prometheus.

Text exposition format 0.0.4: ``# HELP``, ``# TYPE``, and one sample a line; UTF-8. Those of a run
are gauges: it is a process of its own, with no earlier count to go on from.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from netalias.errors import StateError
from netalias.families import FAMILIES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model import Alias

    Floats = tuple[Mapping[str, tuple[int, int]], float]
    """By pool the numbers of addresses that are declared and held; seconds of the shortest
    lifetime."""

SUCCESS = "netalias_last_success_timestamp_seconds"
CHANGES = ("add", "remove", "change", "set")
COUNTERS = (
    ("receive_bytes", "Bytes that the device of the alias has received", "rx_bytes"),
    ("transmit_bytes", "Bytes that it has sent", "tx_bytes"),
    ("receive_packets", "Packets that it has received", "rx_packets"),
    ("transmit_packets", "Packets that it has sent", "tx_packets"),
)
"""Name, description, and attribute of Stats."""
HEAD = 65536
"""Bytes that previous_success() reads: its sample stands first in the file."""
MODE = 0o644
"""The collector runs as another user."""
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
"""O_NONBLOCK, since a pipe in place of the file must not stop the run; O_NOFOLLOW, since the owner
of the folder could have root open a device, and some do something then."""


def render(
    aliases_by: Mapping[tuple[str, str, str], int],
    drift: Mapping[str, int],
    errors: int,
    skipped: int,
    started: float,
    duration: float,
    success: bool,
    last_success: float,
) -> str:
    """The text of the file.

    *aliases_by* maps (main device, kind, family) to the number of aliases after the run, *drift*
    the words of CHANGES to numbers of differences. *started* and *last_success* are in seconds
    since the epoch, *duration* in seconds. *last_success* is 0, and left out, until a run succeeds.
    """
    succeeded = {"": repr(last_success)} if last_success else {}
    changes = {f'{{change="{change}"}}': str(drift.get(change, 0)) for change in CHANGES}
    aliases = {_labels(*key): str(count) for key, count in sorted(aliases_by.items())}
    metrics = (
        (SUCCESS, "Start of the last run that succeeded", succeeded),
        ("netalias_last_run_timestamp_seconds", "Start of the last run", {"": repr(started)}),
        ("netalias_last_run_duration_seconds", "Length of the last run", {"": repr(duration)}),
        ("netalias_last_run_success", "1 if the last run succeeded, else 0", {"": f"{success:d}"}),
        ("netalias_errors", "Failures in the last run", {"": str(errors)}),
        ("netalias_skipped", "What the last run left out", {"": str(skipped)}),
        ("netalias_drift", "Differences that the last run found", changes),
        ("netalias_aliases", "Aliases after the last run", aliases),
    )
    return "".join(_metric(*metric) for metric in metrics)


def watching(
    state: Mapping[str, object],
    aliases_by: Mapping[tuple[str, str, str], int],
    now: float,
    *,
    up: bool,
) -> str:
    """The text of the file of a watcher: *state* is that of watch.health.Health, *now* in seconds
    since the epoch; *up* is false at its end."""
    aliases = {_labels(*key): str(count) for key, count in sorted(aliases_by.items())}
    found = [
        _metric("netalias_watch_up", "1 while the watcher runs", {"": f"{up:d}"}),
        _metric("netalias_watch_timestamp_seconds", "Time of these metrics", {"": repr(now)}),
        _metric(
            "netalias_watch_start_time_seconds", "Start of the watcher", {"": f"{state['since']}"}
        ),
        _metric(
            "netalias_watch_paused",
            "1 while nothing is put right, as a change is not confirmed",
            {"": f"{bool(state['reason']):d}"},
        ),
        _metric("netalias_watch_declared", "Declared aliases", {"": f"{state['declared']}"}),
        _metric(
            "netalias_watch_present", "Declared aliases that are there", {"": f"{state['present']}"}
        ),
        _metric("netalias_watch_repairs_total", "Repairs", {"": f"{state['healed']}"}, "counter"),
        _metric("netalias_aliases", "Aliases that are there", aliases),
    ]
    return "".join(found)


def floats(pools: Mapping[str, tuple[int, int]], left: float) -> str:
    """The pools that float, by name; *left* are the seconds until the first address of this
    host has to be gone. Nothing without pools."""
    names = {name: f'{{pool="{_escaped(name)}"}}' for name in sorted(pools)}
    declared = {label: str(pools[name][0]) for name, label in names.items()}
    held = {label: str(pools[name][1]) for name, label in names.items()}
    seconds = {"": repr(round(left, 3))} if pools else {}
    return (
        _metric("netalias_floats_declared", "Addresses of a pool that floats", declared)
        + _metric("netalias_floats_held", "Those that this host holds", held)
        + _metric("netalias_floats_left_seconds", "Until they are gone without a proof", seconds)
    )


def counts(aliases: Iterable[Alias]) -> dict[tuple[str, str, str], int]:
    """The numbers of our aliases by main device, kind and family."""
    found: dict[tuple[str, str, str], int] = {}
    for alias in aliases:
        if alias.ours:
            family = FAMILIES.get(alias.family, str(alias.family))
            key = alias.name.main, alias.kind, family
            found[key] = found.get(key, 0) + 1
    return found


def alias_counters(aliases: Iterable[Alias], most: int) -> str:
    """The counters of the first *most* aliases that have any, and the number of those left out."""
    counted = [one for one in aliases if one.device is not None and one.device.stats is not None]
    found = []
    for name, words, counter in COUNTERS:
        samples = {
            f'{{alias="{_escaped(str(one.name))}",device="{_escaped(one.device.name)}"}}': str(
                getattr(one.device.stats, counter)
            )
            for one in counted[:most]
            if one.device is not None
        }
        found.append(_metric(f"netalias_alias_{name}_total", words, samples, "counter"))
    left = {"": str(max(len(counted) - most, 0))}
    found.append(_metric("netalias_alias_counters_omitted", "Aliases without counters here", left))
    return "".join(found)


def _labels(main: str, kind: str, family: str) -> str:
    return f'{{main="{_escaped(main)}",kind="{_escaped(kind)}",family="{_escaped(family)}"}}'


def _escaped(value: str) -> str:
    """A label value, escaped for its quotes; bytes that are not UTF-8 become hexadecimal."""
    text = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _metric(name: str, help: str, samples: Mapping[str, str], kind: str = "gauge") -> str:
    """The lines of one metric; none without samples. *samples* maps labels to values."""
    if not samples:
        return ""
    lines = "".join(f"{name}{labels} {value}\n" for labels, value in samples.items())
    return f"# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}"


def write(path: str, text: str) -> None:
    """Replace the file at *path* in one step: a reader finds the old file or the new one.

    Raises StateError, also when there is something other than a regular file.
    """
    try:
        if _is_irregular(path):
            raise StateError(f"{path}: not a regular file", "it would be replaced, not written to")
        _replace(path, text.encode("utf-8"))
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}") from None


def _is_irregular(path: str) -> bool:
    """Whether *path* exists and is not a regular file."""
    try:
        return not S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False


def _replace(path: str, content: bytes) -> None:
    folder, base = os.path.split(path)
    # By descriptor: the draft and the file are in one folder, whatever becomes of its path.
    home = os.open(folder or ".", os.O_DIRECTORY | os.O_CLOEXEC)
    # The collector reads every *.prom of the folder, so a draft needs another name.
    draft = f".{base}.{os.getpid()}.tmp"
    try:
        _discard(draft, home)  # left by a killed process with the same pid
        with open(os.open(draft, CREATE, MODE, dir_fd=home), "wb") as file:
            os.fchmod(file.fileno(), MODE)  # whatever the umask is
            file.write(content)
        os.replace(draft, base, src_dir_fd=home, dst_dir_fd=home)
    except BaseException:
        _discard(draft, home)
        raise
    finally:
        os.close(home)


def _discard(name: str, home: int) -> None:
    try:
        os.unlink(name, dir_fd=home)
    except FileNotFoundError:
        pass  # the usual case


def previous_success(path: str) -> float:
    """The time of the last success in an earlier file, seconds since the epoch; 0.0 without one."""
    try:
        head = _head(path)
    except OSError:
        return 0.0
    for line in head.splitlines():
        name, _, value = line.partition(b" ")
        if name == SUCCESS.encode():
            return _seconds(value)
    return 0.0


def _head(path: str) -> bytes:
    file = os.open(path, READ)
    try:
        return os.read(file, HEAD)
    finally:
        os.close(file)


def _seconds(value: bytes) -> float:
    """A time after the epoch in seconds; 0.0 for anything else."""
    try:
        seconds = float(value)
    except ValueError:
        return 0.0
    return seconds if 0.0 < seconds < float("inf") else 0.0
