"""reconcile --confirm: the former state comes back, unless somebody confirms in time."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Command, command, devices, ip_json, lock_file, rename
from declaring import figures
from support import until

from netalias import sources
from netalias.system.process import started

REFUSED, USAGE, DRIFT = 2, 1, 3
LONG = "600"
"""Seconds: no test lasts so long, so only a confirmation, or the fixture, ends such a guard."""

Declare = Callable[..., str]


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write a file of these lines; its path."""

    def write(*lines: str, name: str = "declared") -> str:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


@pytest.fixture
def guarded(cli: Command) -> Iterator[Command]:
    """The command; what still waits when the test ends is ended by its pid."""
    yield cli
    words = state(cli, "pending")
    if words:
        with contextlib.suppress(ProcessLookupError):  # it was killed by the test
            os.kill(int(words["pid"]), signal.SIGKILL)


def state(cli: Command, name: str) -> dict[str, str]:
    """Words and values of ``pending`` or ``rejected``; empty when it is not there."""
    try:
        path = lock_file(cli.namespace).parent / name
        text = path.read_text()
    except (FileNotFoundError, StopIteration):
        return {}
    return {word: value for word, _, value in (line.partition(" ") for line in text.splitlines())}


def rejected(cli: Command) -> dict[str, str]:
    """What became of a change that was not confirmed, once the guard has told it."""
    return until(lambda: state(cli, "rejected") if "at" in state(cli, "rejected") else {})


def tries(cli: Command, seconds: str, file: str, *options: str) -> str:
    """reconcile --confirm: what it prints; standard error says what happens now."""
    done = cli.run("--confirm", seconds, *options, "reconcile", file)
    assert done.returncode == 0, done
    assert done.stderr == (
        f"netalias: the former state is restored in {seconds} s, unless the change is confirmed"
        " (netalias confirm)\n"
    )
    return done.stdout


BEFORE = (
    "eth9:0 10.1.0.1/24 kind macvlan mtu 1400",
    "eth9:1 10.1.0.2/24 kind macvlan",
    "eth9:2 2001:db8::1/64 kind macvlan hw ether 02:00:00:00:00:05",
    "eth9:3 10.2.0.1/32 kind label",
    "eth9:4 10.3.0.1/32 kind macvlan down",
    "lo:0 192.0.2.1",
)
AFTER = (
    "eth9:0 10.9.0.1/24 kind macvlan mtu 1300 hw ether 02:00:00:00:00:06",
    "eth9:2 2001:db8::1/64 kind macvlan",
    "eth9:3 10.2.0.1/32 kind macvlan",
    "eth9:4 10.3.0.1/32 kind macvlan up",
    "eth9:9 10.9.0.9/32 kind label",
)


def test_without_a_confirmation_everything_comes_back(guarded: Command, declare: Declare) -> None:
    """Addresses, lengths, kinds, MTUs, states and MACs, those that the kernel had chosen too."""
    cli = guarded
    cli("reconcile", declare(*BEFORE))
    before = figures(cli, "address")
    routes = ip_json(cli.namespace, "route show proto kernel")
    assert tries(cli, "1", declare(*AFTER)).count("\n") == 6
    assert sorted(figures(cli, "address")) == ["eth9:0", "eth9:2", "eth9:3", "eth9:4", "eth9:9"]
    assert rejected(cli)["verdict"].endswith("taken back, and verified by a second reading")
    assert figures(cli, "address") == before
    after = ip_json(cli.namespace, "route show proto kernel")
    assert sorted(route["dst"] for route in after) == sorted(route["dst"] for route in routes)
    assert state(cli, "pending") == {}


def test_a_main_device_is_renamed_meanwhile(guarded: Command, declare: Declare) -> None:
    """Main devices are known by their index: the former aliases come back under the new name."""
    cli = guarded
    cli("reconcile", declare("eth9:0 10.1.0.1/24", "lo:0 192.0.2.1"))
    tries(cli, LONG, declare("eth9:0 10.9.0.1/24"))
    rename(cli.namespace, "eth9", "wan0")
    assert cli("rollback").endswith("changes taken back, and verified by a second reading\n")
    assert cli("-br", "show").split() == [
        "lo:0", "up", "192.0.2.1/32", "wan0:0", "up", "10.1.0.1/24",
    ]  # fmt: skip


def test_a_rollback_tells_its_changes(guarded: Command, declare: Declare) -> None:
    """-j: what the guard has taken back, and no sentence; a confirmation changes nothing."""
    cli = guarded
    cli("reconcile", declare("eth9:0 10.1.0.1/24 kind macvlan"))
    tries(cli, LONG, declare("eth9:0 10.9.0.1/16 kind macvlan"))
    assert json.loads(cli("-j", "rollback")) == [
        {
            "change": "change", "altname": "eth9:0", "place": "the former state:1",
            "before": {"family": "inet", "local": "10.9.0.1", "prefixlen": 16},
            "after": {"family": "inet", "local": "10.1.0.1", "prefixlen": 24},
        }
    ]  # fmt: skip
    tries(cli, LONG, declare("eth9:0 10.9.0.2/16 kind macvlan"))
    assert json.loads(cli("-j", "confirm")) == []
    done = cli.run("-j", "rollback")
    assert (done.returncode, done.stdout) == (REFUSED, "[]\n")


def test_a_rollback_waits_for_nothing(guarded: Command, declare: Declare) -> None:
    """The former state is back when the command ends, and it says so; a second one has nothing."""
    cli = guarded
    cli("reconcile", declare(*BEFORE))
    before = figures(cli, "address")
    tries(cli, LONG, declare(*AFTER))
    assert figures(cli, "address") != before
    assert cli("rollback") == (
        "the former state is restored: 6 changes taken back, and verified by a second reading\n"
    )
    assert figures(cli, "address") == before
    for verb in ("rollback", "confirm"):
        assert cli.fails(REFUSED, verb).startswith(
            "netalias: the change was rolled back already: the former state was restored at "
        )


def test_a_confirmation_keeps_it(guarded: Command, declare: Declare) -> None:
    """confirm is silent, the guard leaves, and a second confirmation has nothing to confirm."""
    cli = guarded
    cli("reconcile", declare(*BEFORE))
    tries(cli, LONG, declare(*AFTER))
    there = devices(cli.namespace)
    guard = int(state(cli, "pending")["pid"])
    cli.silent("confirm")
    until(lambda: not Path(f"/proc/{guard}").exists())
    assert devices(cli.namespace) == there
    assert state(cli, "rejected") == {}
    line = cli.fails(REFUSED, "confirm")
    assert line == "netalias: nothing waits for a confirmation"


def test_a_confirmation_that_comes_too_late_is_told_so(guarded: Command, declare: Declare) -> None:
    """What became of the change, and when, instead of a success."""
    cli = guarded
    tries(cli, "1", declare("lo:0 192.0.2.1"))
    at = rejected(cli)["at"]
    assert cli.names() == []
    line = cli.fails(REFUSED, "confirm")
    assert line.startswith(
        f"netalias: not confirmed in time: the former state was restored at {at}; "
    )


def test_nothing_to_do_is_not_guarded(guarded: Command, declare: Declare) -> None:
    """In sync: silent, and nothing waits."""
    cli = guarded
    file = declare("lo:0 192.0.2.1")
    cli("reconcile", file)
    cli.silent("--confirm", LONG, "reconcile", file)
    Path(file).write_text("lo:0 192.0.2.1 # the same\n")
    cli.silent("--confirm", LONG, "reconcile", file)
    cli.fails(REFUSED, "confirm")


def test_what_is_refused_is_not_guarded(guarded: Command, declare: Declare) -> None:
    """A guard rail, or errors in the file: nothing was changed, so nothing waits."""
    cli = guarded
    cli("reconcile", declare("lo:0 192.0.2.1"))
    cli.fails(REFUSED, "--confirm", LONG, "reconcile", declare())
    assert cli.run("--confirm", LONG, "reconcile", declare("lo:x 1.2.3.4")).returncode == USAGE
    assert state(cli, "pending") == {}


@pytest.mark.parametrize("seconds", ["0", "x", "-1", "1.5", "9999999999"])
def test_a_time_that_is_none(guarded: Command, declare: Declare, seconds: str) -> None:
    """A usage error, whether there is something to do or not."""
    cli = guarded
    file = declare("lo:0 192.0.2.1")
    for _ in range(2):
        line = cli.fails(USAGE, "--confirm", seconds, "reconcile", file)
        assert line == f"netalias: --confirm {seconds}: a number from 1 to 999999999 is needed"
        assert state(cli, "pending") == {}
        cli("reconcile", file)


def test_a_second_change_has_to_wait(guarded: Command, declare: Declare) -> None:
    """While one waits, another --confirm and another configuration are refused; what waits may be
    looked after."""
    cli = guarded
    first, second = declare("lo:0 192.0.2.1"), declare("lo:0 192.0.2.2", name="second")
    tries(cli, LONG, first)
    since = state(cli, "pending")["since"]
    said = f"netalias: a change waits for its confirmation since {since} (netalias confirm)"
    assert cli.fails(REFUSED, "--confirm", LONG, "reconcile", first) != ""
    assert cli.fails(REFUSED, "--confirm", LONG, "reconcile", second) == said
    assert cli.fails(REFUSED, "reconcile", second) == said
    assert cli.run("check", second).stdout == "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32\n"
    cli.namespace.ip("addr del 192.0.2.1/32 dev lo")
    assert cli("reconcile", first) == "+ lo:0 192.0.2.1/32 label\n"
    assert state(cli, "pending")["since"] == since
    cli.silent("confirm")
    assert cli("reconcile", second) == "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32\n"


def test_cron_does_not_repeat_what_was_rejected(guarded: Command, declare: Declare) -> None:
    """A plain reconcile of it is refused, however it is named; another configuration is not."""
    cli = guarded
    cli("reconcile", declare("lo:0 192.0.2.1", name="good"))
    bad = declare("lo:0 192.0.2.66", name="bad")
    tries(cli, "1", bad)
    rejected(cli)
    said = (
        "netalias: this configuration was not confirmed when it was tried"
        " (--confirm SECONDS tries it again, --force takes it as it is)"
    )
    copy = declare("lo:0 192.0.2.66", name="copy")
    for words in ((bad,), (copy,), ("--only", "lo", bad)):
        assert cli.fails(REFUSED, "reconcile", *words) == said
    assert cli.run("check", bad).stdout == "~ lo:0 192.0.2.1/32 -> 192.0.2.66/32\n"
    assert cli.one("lo:0")["local"] == "192.0.2.1"
    cli.silent("reconcile", declare("lo:0 192.0.2.1", name="good"))
    assert cli.fails(REFUSED, "reconcile", bad) == said


def test_what_was_rejected_can_be_tried_again_and_confirmed(
    guarded: Command, declare: Declare
) -> None:
    """Then it is a configuration like any other."""
    cli = guarded
    file = declare("lo:0 192.0.2.66")
    tries(cli, "1", file)
    rejected(cli)
    tries(cli, LONG, file)
    for _ in range(2):  # while it is tried, too
        cli.namespace.ip("addr del 192.0.2.66/32 dev lo")
        assert cli("reconcile", file) == "+ lo:0 192.0.2.66/32 label\n"
    cli.silent("confirm")
    cli.namespace.ip("addr del 192.0.2.66/32 dev lo")
    assert cli("reconcile", file) == "+ lo:0 192.0.2.66/32 label\n"


def test_force_takes_what_was_rejected(guarded: Command, declare: Declare) -> None:
    """Once it is there it is in sync."""
    cli = guarded
    file = declare("lo:0 192.0.2.66")
    tries(cli, "1", file)
    rejected(cli)
    assert cli("--force", "reconcile", file) == "+ lo:0 192.0.2.66/32 label\n"
    cli.silent("check", file)
    cli.silent("reconcile", file)
    cli.namespace.ip("addr del 192.0.2.66/32 dev lo")
    assert cli("reconcile", file) == "+ lo:0 192.0.2.66/32 label\n"


def test_the_guard_outlives_its_command(guarded: Command, declare: Declare) -> None:
    """SIGKILL of the command and its whole process group in the middle of its work: what it had
    done is taken back in time."""
    cli = guarded
    cli("reconcile", declare("lo:0 192.0.2.1", name="good"))
    before = figures(cli, "address")
    file = declare("eth9:0-1999 10.0.0.0/32+ kind macvlan")
    with cli.namespace:
        process = subprocess.Popen(
            command("--allow-empty", "--confirm", "1", "reconcile", file),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    until(lambda: "eth9_0" in cli.namespace.names())
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() != 0
    assert len(cli.namespace.names()) > 2
    rejected(cli)
    assert figures(cli, "address") == before
    assert [name for name in cli.namespace.names() if name.startswith("eth9_")] == []


def test_a_guard_that_is_killed_restores_nothing(guarded: Command, declare: Declare) -> None:
    """What was changed stays, confirm says so, and the next change is not held up."""
    cli = guarded
    tries(cli, LONG, declare("lo:0 192.0.2.1"))
    guard = int(state(cli, "pending")["pid"])
    os.kill(guard, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{guard}").exists())
    line = cli.fails(REFUSED, "confirm")
    assert line == f"netalias: nothing waits for a confirmation ({unguarded(cli)})"
    assert cli.fails(REFUSED, "confirm") == "netalias: nothing waits for a confirmation"
    assert cli.names() == ["lo:0"]
    tries(cli, LONG, declare("lo:0 192.0.2.2"))
    cli.silent("confirm")


def unguarded(cli: Command) -> str:
    """The sentence on a file that no guard is behind."""
    path = lock_file(cli.namespace).parent / "pending"
    return f"{path}: no guard is behind it: what is there stays"


@pytest.fixture
def bystander() -> Iterator[int]:
    """The pid of a process that is no guard."""
    with subprocess.Popen(["sleep", "1000"]) as process:
        yield process.pid
        process.kill()


@pytest.mark.parametrize("options", [(), ("--confirm", LONG)])
def test_a_forged_file_holds_nothing_up(
    guarded: Command, declare: Declare, bystander: int, options: tuple[str, ...]
) -> None:
    """It names a process that is no guard: that is told once, with the path."""
    cli, file, other = guarded, declare("lo:0 192.0.2.1"), declare("lo:0 192.0.2.2", name="other")
    cli("reconcile", file)
    forged = lock_file(cli.namespace).parent / "pending"
    forged.write_text(
        f"pid {bystander}\nstart {started(bystander)}\ndeadline 1e9\ndigest beef\nsince noon\n"
    )
    assert cli.run("--dry-run", "reconcile", other).returncode == DRIFT
    assert forged.exists()
    done = cli.run(*options, "reconcile", other)
    assert (done.returncode, done.stdout) == (0, "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32\n")
    assert done.stderr.splitlines()[0] == f"netalias: warning: {unguarded(cli)}"
    assert bool(state(cli, "pending")) is bool(options)
    if options:
        cli.silent("confirm")
    assert cli("reconcile", file) == "~ lo:0 192.0.2.2/32 -> 192.0.2.1/32\n"


def test_what_others_changed_meanwhile_is_theirs(guarded: Command, declare: Declare) -> None:
    """The restoration touches nothing without our mark."""
    cli = guarded
    tries(cli, "1", declare("eth9:0 10.0.0.1 kind macvlan"))
    cli.namespace.ip("addr add 10.7.0.1/24 dev eth9 label eth9:7")
    cli.namespace.ip("link add mine link eth9 type macvlan mode bridge")
    rejected(cli)
    assert cli.names() == ["eth9:7"]
    assert "mine" in cli.namespace.names()


def test_part_of_a_change_is_guarded_too(guarded: Command, declare: Declare) -> None:
    """One main is missing: status 2, the rest is done, and taken back when nobody confirms."""
    cli = guarded
    file = declare("no9:0 10.0.0.1", "lo:0 192.0.2.1")
    done = cli.run("--confirm", "1", "reconcile", file)
    assert (done.returncode, done.stdout) == (REFUSED, "+ lo:0 192.0.2.1/32 label\n")
    rejected(cli)
    assert cli.names() == []


def test_confirm_takes_no_words(guarded: Command) -> None:
    """Not even a good one."""
    assert guarded.fails(USAGE, "confirm", "yes") == "netalias: confirm takes no words: yes"


def test_a_refusal_in_a_former_namespace(cli: Command, declare: Declare) -> None:
    """An inode comes again: what was not confirmed in a namespace that is gone says nothing, also
    to a dry run, which removes no file."""
    file = declare("eth9:0 192.0.2.1/32 kind label")
    cli.silent("eth9:7", "192.0.2.7", "kind", "label")
    folder = lock_file(cli.namespace).parent
    digest = sources.configuration(sources.read([file]))
    (folder / "rejected").write_text(f"pid 1\ndigest {digest}\n")
    cli.fails(REFUSED, "reconcile", "--dry-run", "--allow-empty", file)
    mine = (folder / "namespace").read_text()
    (folder / "namespace").write_text("1\n")
    done = cli.run("reconcile", "--dry-run", file)
    assert (done.returncode, done.stderr) == (DRIFT, "")
    assert "+ eth9:0" in done.stdout
    assert (folder / "rejected").exists()
    (folder / "namespace").write_text(mine)
