"""The file for Prometheus: its content, and replacement in one step."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.model import Alias, Device, Stats
from netalias.model.names import AliasName
from netalias.views import metrics

ALIASES = {
    ("eth0", "macvlan", "inet"): 3,
    ("eth0", "label", "inet6"): 1,
    ("lo", "label", "inet"): 7,
}
DRIFT = {"add": 2, "remove": 0, "change": 1, "set": 3}
STARTED = 1717171717.25
Key = tuple[str, frozenset[tuple[str, str]]]

LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,|$)', re.ASCII)
SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)", re.ASCII)


def rendered(
    aliases_by: dict[tuple[str, str, str], int] = ALIASES,
    *,
    drift: dict[str, int] = DRIFT,
    success: bool = True,
    last_success: float = STARTED,
) -> str:
    """The text of a run."""
    return metrics.render(aliases_by, drift, 4, 5, STARTED, 0.0625, success, last_success)


def parsed(text: str) -> dict[Key, float]:
    """The samples that a strict reader of format 0.0.4 finds: (name, labels) -> value.

    It holds each metric to one HELP and one TYPE in front of all its samples.
    """
    assert text.endswith("\n")
    found: dict[Key, float] = {}
    helped: list[str] = []
    typed: list[str] = []
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, _, words = line.removeprefix("# HELP ").partition(" ")
            assert words
            assert name not in helped
            helped.append(name)
        elif line.startswith("# TYPE "):
            name, kind = line.removeprefix("# TYPE ").split(" ")
            assert kind == ("counter" if name.endswith("_total") else "gauge")
            assert name == helped[-1]
            typed.append(name)
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == typed[-1] == helped[-1]
            key = (match[1], frozenset(labels(match[2] or "").items()))
            assert key not in found, f"twice: {line}"
            found[key] = float(match[3])
    return found


def labels(text: str) -> dict[str, str]:
    """``a="b",c="d"`` as a table, the escapes taken away."""
    found = {}
    at = 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, text[at:]
        assert match[1] not in found
        found[match[1]] = re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), match[2])
        at = match.end()
    return found


def key(name: str, **labels: str) -> Key:
    """The key of one sample."""
    return name, frozenset(labels.items())


def test_every_figure_of_a_run_can_be_read_back() -> None:
    """All samples are read back, and each name has its subject and unit."""
    assert parsed(rendered()) == {
        key("netalias_aliases", main="eth0", kind="macvlan", family="inet"): 3,
        key("netalias_aliases", main="eth0", kind="label", family="inet6"): 1,
        key("netalias_aliases", main="lo", kind="label", family="inet"): 7,
        key("netalias_drift", change="add"): 2,
        key("netalias_drift", change="remove"): 0,
        key("netalias_drift", change="change"): 1,
        key("netalias_drift", change="set"): 3,
        key("netalias_errors"): 4,
        key("netalias_skipped"): 5,
        key("netalias_last_run_timestamp_seconds"): STARTED,
        key("netalias_last_run_duration_seconds"): 0.0625,
        key("netalias_last_run_success"): 1,
        key("netalias_last_success_timestamp_seconds"): STARTED,
    }


def alias(slot: int, stats: Stats | None) -> Alias:
    """A macvlan, without *stats* a label."""
    device = None if stats is None else Device(slot, f"eth0_{slot}", stats=stats)
    return Alias(AliasName("eth0", slot), "macvlan" if device else "label", device=device)


def test_the_counters_of_aliases() -> None:
    """One sample for each device and counter; a label has none."""
    found = parsed(metrics.alias_counters([alias(1, Stats(1, 2, 30, 40)), alias(2, None)], 5))
    of = {"alias": "eth0:1", "device": "eth0_1"}
    assert found == {
        key("netalias_alias_receive_packets_total", **of): 1,
        key("netalias_alias_transmit_packets_total", **of): 2,
        key("netalias_alias_receive_bytes_total", **of): 30,
        key("netalias_alias_transmit_bytes_total", **of): 40,
        key("netalias_alias_counters_omitted"): 0,
    }


def test_the_counters_are_bounded() -> None:
    """The first ones are told, and how many are not."""
    found = parsed(metrics.alias_counters([alias(slot, Stats()) for slot in range(9)], 2))
    assert len(found) == 2 * 4 + 1
    assert found[key("netalias_alias_counters_omitted")] == 7
    empty = parsed(metrics.alias_counters([], 2))
    assert empty == {key("netalias_alias_counters_omitted"): 0}


STATE = {"since": 7.5, "reason": "", "declared": 4, "present": 3, "healed": 2}


def test_the_figures_of_a_watcher() -> None:
    """All can be read back; at its end it is down."""
    found = parsed(metrics.watching(STATE, ALIASES, 99.25, up=True))
    assert found == {
        key("netalias_watch_up"): 1,
        key("netalias_watch_timestamp_seconds"): 99.25,
        key("netalias_watch_start_time_seconds"): 7.5,
        key("netalias_watch_paused"): 0,
        key("netalias_watch_declared"): 4,
        key("netalias_watch_present"): 3,
        key("netalias_watch_repairs_total"): 2,
        key("netalias_aliases", main="eth0", kind="macvlan", family="inet"): 3,
        key("netalias_aliases", main="eth0", kind="label", family="inet6"): 1,
        key("netalias_aliases", main="lo", kind="label", family="inet"): 7,
    }
    state = STATE | {"reason": "waits"}
    ended = parsed(metrics.watching(state, {}, 99.25, up=False))
    assert (ended[key("netalias_watch_up")], ended[key("netalias_watch_paused")]) == (0, 1)


def test_a_run_that_failed_keeps_the_time_of_the_last_success() -> None:
    """An alarm on its age needs no history."""
    found = parsed(rendered(success=False, last_success=12.5))
    assert found[key("netalias_last_run_success")] == 0
    assert found[key("netalias_last_success_timestamp_seconds")] == 12.5


def test_a_success_that_never_was_has_no_time() -> None:
    """1970 would be a lie."""
    assert metrics.SUCCESS not in rendered(success=False, last_success=0.0)


def test_a_change_that_was_not_found_is_nought() -> None:
    """A sample that comes and goes cannot be compared; the four are always there."""
    found = parsed(rendered(drift={}))
    assert [found[key("netalias_drift", change=change)] for change in DRIFT] == [0, 0, 0, 0]


def test_without_an_alias_there_is_no_line_of_aliases() -> None:
    """A TYPE without a sample is of no use to anybody."""
    assert "netalias_aliases" not in rendered({})


def test_the_order_of_the_lines_does_not_follow_the_order_of_the_table() -> None:
    """The same run writes the same bytes."""
    assert rendered(dict(reversed(ALIASES.items()))) == rendered()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ('a"b', r'{main="a\"b",'),
        ("a\\b", r'{main="a\\b",'),
        ("a\\nb", r'{main="a\\nb",'),
        ("a\nb", r'{main="a\nb",'),
        ("größe", '{main="größe",'),
        ("a\udcff", r'{main="a\\udcff",'),
    ],
)
def test_an_odd_name_is_escaped(name: str, line: str) -> None:
    """Backslash, quote and newline are escaped; bytes that are not UTF-8 appear as in ``show``."""
    assert line in rendered({(name, "label", "inet"): 1})


@given(name=st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
def test_any_name_can_be_read_back(name: str) -> None:
    """A reader gets the very name, and no name begins a line or a label of its own."""
    found = parsed(rendered({(name, "label", "inet"): 9}))
    assert found[key("netalias_aliases", main=name, kind="label", family="inet")] == 9
    assert len(found) == 11


@given(name=st.binary(max_size=15))
def test_a_name_of_any_bytes_leaves_a_file_of_utf_8(name: bytes) -> None:
    """One undecodable byte would make the collector drop all metrics of the file."""
    text = rendered({(name.decode("utf-8", "surrogateescape"), "label", "inet"): 9})
    assert len(parsed(text.encode("utf-8").decode("utf-8"))) == 11


def test_a_file_can_be_read_by_everybody_whatever_the_umask(tmp_path: Path) -> None:
    """The collector is another user than root."""
    path = tmp_path / "netalias.prom"
    mask = os.umask(0o077)
    try:
        metrics.write(str(path), rendered())
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o7777 == 0o644
    assert path.read_text(encoding="utf-8") == rendered()
    assert os.listdir(tmp_path) == ["netalias.prom"]


def test_a_path_without_a_folder_is_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--metrics netalias.prom`` is a name like others."""
    monkeypatch.chdir(tmp_path)
    metrics.write("netalias.prom", "text\n")
    assert (tmp_path / "netalias.prom").read_text(encoding="utf-8") == "text\n"


def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path) -> None:
    """However often it looks: an old file or a new one, each of them whole."""
    path = tmp_path / "netalias.prom"
    texts = [f"{letter * 300_000}\n" for letter in "abcd"]
    metrics.write(str(path), texts[0])
    done = threading.Event()
    seen: set[str] = set()

    def look() -> None:
        while not done.is_set():
            seen.add(path.read_text(encoding="utf-8"))

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(200):
            metrics.write(str(path), texts[number % len(texts)])
    finally:
        done.set()
        reader.join()
    assert seen <= set(texts)


def test_what_is_being_written_is_no_file_of_the_collector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the moment before the change of names the new text is whole, and not called ``*.prom``."""
    path = tmp_path / "netalias.prom"
    path.write_text("old\n", encoding="utf-8")
    replace, seen = os.replace, []

    def spy(source: str, target: str, **folders: int) -> None:
        draft = tmp_path / source
        seen.append((draft.read_text(encoding="utf-8"), path.read_text(encoding="utf-8")))
        assert list(tmp_path.glob("*.prom")) == [path]
        replace(source, target, **folders)

    monkeypatch.setattr(os, "replace", spy)
    metrics.write(str(path), "new\n")
    assert seen == [("new\n", "old\n")]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of the system are kept."""
    path = tmp_path / "netalias.prom"
    metrics.write(str(path), "old\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fchmod", full)
    with pytest.raises(errors.StateError, match=r"netalias\.prom: No space left on device$"):
        metrics.write(str(path), "new\n")
    assert path.read_text(encoding="utf-8") == "old\n"
    assert os.listdir(tmp_path) == ["netalias.prom"]


def test_a_draft_of_a_killed_run_is_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container every run may have the same process number."""
    path = tmp_path / "netalias.prom"
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *_, **__: None)  # killed just here
        metrics.write(str(path), "lost\n")
    assert len(os.listdir(tmp_path)) == 1
    metrics.write(str(path), "new\n")
    assert os.listdir(tmp_path) == ["netalias.prom"]


def test_a_folder_that_is_not_there_is_an_error_of_the_state(tmp_path: Path) -> None:
    """The error names the path and the reason."""
    with pytest.raises(errors.StateError, match=r"/none/a\.prom: No such file or directory$"):
        metrics.write(str(tmp_path / "none" / "a.prom"), "text\n")


@pytest.mark.parametrize("what", ["folder", "link", "fifo", "link to a device"])
def test_what_is_no_regular_file_is_left_alone(tmp_path: Path, what: str) -> None:
    """``--metrics /dev/null`` as root must not put a file in its place."""
    path = tmp_path / "netalias.prom"
    make = {
        "folder": path.mkdir,
        "link": lambda: path.symlink_to("elsewhere"),
        "fifo": lambda: os.mkfifo(path),
        "link to a device": lambda: path.symlink_to("/dev/null"),
    }
    make[what]()
    before = os.lstat(path)
    with pytest.raises(errors.StateError, match="not a regular file"):
        metrics.write(str(path), "text\n")
    assert os.lstat(path) == before
    assert os.listdir(tmp_path) == ["netalias.prom"]


def test_the_last_success_is_found_in_what_was_written(tmp_path: Path) -> None:
    """A failed run carries it on, from file to file, to the last digit."""
    path = str(tmp_path / "netalias.prom")
    aliases = {(f"eth{number}", "label", "inet"): 1 for number in range(5000)}
    metrics.write(path, rendered(aliases, last_success=1717171717.1234567))
    metrics.write(
        path, rendered(aliases, success=False, last_success=metrics.previous_success(path))
    )
    assert metrics.previous_success(path) == 1717171717.1234567


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"# HELP netalias_last_success_timestamp_seconds 17\n",
        b"netalias_last_success_timestamp_seconds\n",
        b"netalias_last_success_timestamp_seconds soon\n",
        b"netalias_last_success_timestamp_seconds nan\n",
        b"netalias_last_success_timestamp_seconds inf\n",
        b"netalias_last_success_timestamp_seconds -1\n",
        b"netalias_last_success_timestamp_seconds_total 17\n",
        rendered(success=False, last_success=0.0).encode(),
    ],
)
def test_what_says_nothing_of_a_success_is_none(tmp_path: Path, content: bytes) -> None:
    """Garbage is no time, and no error either: the next write replaces it."""
    path = tmp_path / "netalias.prom"
    path.write_bytes(content)
    assert metrics.previous_success(str(path)) == 0.0


def test_a_link_is_no_success(tmp_path: Path) -> None:
    """The owner of the folder could have root open a device by it."""
    path = tmp_path / "netalias.prom"
    metrics.write(str(tmp_path / "other"), rendered(last_success=17.0))
    path.symlink_to("other")
    assert metrics.previous_success(str(path)) == 0.0


def test_a_folder_that_somebody_swaps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a write is in the folder that the path led to at its beginning."""
    folder, other, real = tmp_path / "folder", tmp_path / "other", os.fchmod
    folder.mkdir()
    other.mkdir()

    def swap(file: int, mode: int) -> None:
        folder.rename(tmp_path / "former")
        folder.symlink_to(other)
        real(file, mode)

    monkeypatch.setattr(os, "fchmod", swap)
    metrics.write(str(folder / "a.prom"), "text\n")
    assert os.listdir(other) == []
    assert os.listdir(tmp_path / "former") == ["a.prom"]


def test_no_file_no_success(tmp_path: Path) -> None:
    """The first run of all; and a folder or a pipe does not stop a run."""
    assert metrics.previous_success(str(tmp_path / "netalias.prom")) == 0.0
    assert metrics.previous_success(str(tmp_path)) == 0.0
    os.mkfifo(tmp_path / "pipe")
    assert metrics.previous_success(str(tmp_path / "pipe")) == 0.0
