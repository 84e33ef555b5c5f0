"""Settings of main devices when a command is killed at each of its changes, on the real kernel: the
next command gives back what nothing needs, and so does the start of a watcher."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Command, set_sysctl, sysctl
from killing import BEFORE, KEYS, KILLED, STATUS
from watcher import watching

MACVLAN = "eth9:0 10.0.0.5 kind macvlan"
LABEL = "eth9:0 10.5.0.1/24 kind label"

Kill = Callable[..., Iterator[None]]


def values(cli: Command) -> tuple[int, ...]:
    """The settings of the main device."""
    return tuple(int(sysctl(cli.namespace, f"ipv4/conf/eth9/{key}")) for key in KEYS)


def put(cli: Command, *found: int) -> None:
    """Somebody sets them."""
    for key, value in zip(KEYS, found, strict=True):
        set_sysctl(cli.namespace, f"ipv4/conf/eth9/{key}", value)


def needed(cli: Command) -> tuple[int, ...]:
    """The settings that the IPv4 aliases of eth9 need."""
    found = {(one["kind"], one.get("prefixlen")) for one in cli.json("eth9") if "local" in one}
    promote = int(("label", 24) in found)
    if any(kind == "macvlan" for kind, _ in found):
        return (2, 1, promote)
    return (1, 0, promote)


@pytest.fixture
def main(cli: Command) -> Command:
    """eth9 with an address and settings of somebody."""
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    put(cli, *BEFORE)
    for key in ("arp_announce", "arp_ignore", "arp_filter", "promote_secondaries"):
        set_sysctl(cli.namespace, f"ipv4/conf/all/{key}", 0)
    return cli


@pytest.fixture
def nothing(tmp_path: Path) -> str:
    """A file that declares nothing."""
    path = tmp_path / "nothing"
    path.write_text("# nothing\n")
    return str(path)


@pytest.fixture
def kill(main: Command, tmp_path: Path) -> Kill:
    """Prepares, and kills a command at each of its changes, until it is not killed any more."""
    script = tmp_path / "killed.py"
    script.write_text(KILLED)

    def work(before: Callable[[], object], *words: str) -> Iterator[None]:
        number, status = 0, STATUS
        while status == STATUS:
            before()
            done = main.namespace.run(
                [sys.executable, str(script), str(number), *words], check=False
            )
            status = done.returncode
            number += 1
            yield
        assert number > 2, done
        assert status == 0, done

    return work


def cleared(main: Command, nothing: str, line: str = "") -> Callable[[], object]:
    """A function that leaves no alias but that of *line*."""

    def work() -> None:
        done = main.run("reconcile", "--allow-empty", nothing)
        assert done.returncode == 0, done
        assert values(main) == BEFORE
        if line:
            main.silent(*line.split())

    return work


@pytest.mark.parametrize(
    ("before", "words"),
    [
        ("", MACVLAN),
        (MACVLAN, "eth9:0-"),
        (MACVLAN, LABEL),
        (LABEL, "reconcile --allow-empty NOTHING"),
        (MACVLAN, "reconcile --allow-empty NOTHING"),
    ],
)
def test_the_next_command_gives_back(
    main: Command, kill: Kill, nothing: str, before: str, words: str
) -> None:
    """Whatever it is about."""
    for _ in kill(cleared(main, nothing, before), *words.replace("NOTHING", nothing).split()):
        main.silent("lo:7", "2001:db8::77")
        assert values(main) == needed(main)
    cleared(main, nothing)()


def test_a_configuration_that_was_known_before(
    main: Command, kill: Kill, nothing: str, tmp_path: Path
) -> None:
    """The state after the kill looks like that of the fingerprint, but for the settings."""
    file = tmp_path / "leased"
    file.write_text(f"{MACVLAN} lease 3600\n")

    def leased() -> None:
        cleared(main, nothing)()
        main.silent("reconcile", nothing)  # it leaves a fingerprint, and finds it
        main.silent("check", nothing)
        main("reconcile", str(file))

    told = 0
    for _ in kill(leased, "reconcile", "--allow-empty", nothing):
        wrong = not main.names() and values(main) != BEFORE
        checked = main.run("check", nothing)
        if wrong:
            assert checked.returncode == 3, checked
            text = main("reconcile", "--allow-empty", nothing)
            assert text == "= eth9 arp_announce 2 -> 1, arp_ignore 1 -> 0\n"
            told += 1
        else:
            main("reconcile", "--allow-empty", nothing)
        assert values(main) == BEFORE
    assert told


def test_a_rule_of_a_gateway_is_not_taken_for_nothing(
    main: Command, kill: Kill, nothing: str, tmp_path: Path
) -> None:
    """No fingerprint covers rules, so none may outlive the beginning of a change."""
    file = tmp_path / "led"
    file.write_text("eth9:0 10.0.0.5/24 kind macvlan gateway 10.0.0.254\n")

    def led() -> None:
        cleared(main, nothing)()
        main.silent("reconcile", nothing)
        main("reconcile", str(file))

    for _ in kill(led, "reconcile", "--allow-empty", nothing):
        main("reconcile", "--allow-empty", nothing)
        assert "eth9_0" not in main.namespace.ip("rule show")


def test_the_start_of_a_watcher_gives_back(
    main: Command, kill: Kill, nothing: str, tmp_path: Path
) -> None:
    """And the journal tells it."""
    wrong = 0
    for _ in kill(cleared(main, nothing, MACVLAN), "eth9:0-"):
        if not main.names() and values(main) != BEFORE:
            wrong += 1
            with watching(main.namespace, tmp_path / f"net{wrong}", nothing) as watch:
                assert "1 setting restored after a killed run (eth9)" in "\n".join(watch.said)
                assert values(main) == BEFORE
    assert wrong


def test_what_somebody_chose_after_the_kill_stays(main: Command, kill: Kill, nothing: str) -> None:
    """He may have chosen other values than those before."""
    for _ in kill(cleared(main, nothing, MACVLAN), "eth9:0-"):
        gone = not main.names()
        put(main, 0, 8, 0)
        main.silent("lo:7", "2001:db8::77")
        if gone:
            assert values(main) == (0, 8, 0)
        put(main, *BEFORE)
