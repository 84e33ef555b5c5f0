"""check and reconcile on the real kernel: every rule, with the command as users start it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import (
    SECONDS,
    Command,
    command,
    devices,
    environment,
    ip_json,
    lock_file,
    one_line,
    wait_for_linkwatch,
    wait_for_state,
)
from declaring import settled
from shortened import quarter
from support import PATIENCE, SLOW, Namespace

DONE, USAGE, REFUSED, DRIFT, DENIED, UNVERIFIED, BUSY, INTERRUPTED = 0, 1, 2, 3, 4, 5, 75, 130

Declare = Callable[..., str]

SET = "= eth9 arp_announce 0 -> 2, arp_ignore 0 -> 1"
BACK = "= eth9 arp_announce 2 -> 0, arp_ignore 1 -> 0"
"""What the first macvlan sets on its main device, and the last one gives back."""

MIXED = (
    "eth9:0 200.1.1.1/24 kind macvlan",
    "eth9:1-3 10.0.0.1-3/32 kind label",
    "eth9:100-101 2001:db8::100/64+ kind macvlan mtu 1400",
    "lo:0 192.0.2.1",
)


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write a file of these lines; its path."""

    def write(*lines: str, name: str = "declared") -> str:
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    return write


def indexes(cli: Command) -> dict[str, int]:
    """Alias device: ifindex."""
    with cli.namespace:
        names = {name: index for index, name in socket.if_nameindex()}
    return {name: index for name, index in names.items() if "_" in name}


def addresses(cli: Command) -> dict[str, str]:
    """Alias: address and length."""
    return {one["altname"]: f"{one['local']}/{one['prefixlen']}" for one in cli.json()}


def checks(cli: Command, file: str, *lines: str, option: str = "--quiet") -> None:
    """check prints exactly these lines, and changes nothing."""
    before = settled(cli.namespace)
    done = cli.run("check", option, file)
    assert (done.stdout.splitlines(), done.returncode, done.stderr) == (
        list(lines), DRIFT if lines else DONE, "",
    )  # fmt: skip
    assert settled(cli.namespace) == before


def reconciles(cli: Command, file: str, *lines: str) -> None:
    """check and --dry-run say these lines, reconcile does them and says them, once."""
    said = "".join(f"{line}\n" for line in lines)
    checks(cli, file, *lines)
    dry = cli.run("reconcile", "--dry-run", file)
    assert (dry.stdout, dry.returncode) == (said, DRIFT if lines else DONE)
    done = cli.run("reconcile", file)
    assert (done.returncode, done.stdout, done.stderr) == (DONE, said, "")
    in_sync(cli, file)


def in_sync(cli: Command, file: str) -> None:
    """A second run is silent and changes nothing, and check has nothing to say."""
    before = settled(cli.namespace)
    cli.silent("reconcile", file)
    cli.silent("check", file)
    assert settled(cli.namespace) == before


# What is said


def test_additions(cli: Command, declare: Declare) -> None:
    """One + line for each alias, in the order of the file, and then silence."""
    reconciles(
        cli,
        declare("# what is served", *MIXED[:2], "", *MIXED[2:]),
        "+ eth9:0 200.1.1.1/24 macvlan",
        "+ eth9:1 10.0.0.1/32 label",
        "+ eth9:2 10.0.0.2/32 label",
        "+ eth9:3 10.0.0.3/32 label",
        "+ eth9:100 2001:db8::100/64 macvlan",
        "+ eth9:101 2001:db8::101/64 macvlan",
        "+ lo:0 192.0.2.1/32 label",
        SET,
    )
    assert [device["mtu"] for device in cli.json("eth9:100", "eth9:101")] == [1400, 1400]


def test_changes_and_removals(cli: Command, declare: Declare) -> None:
    """Removals come first; a ~ line names what was and what is."""
    cli("reconcile", declare(*MIXED))
    cli("eth9:0", "hw", "ether", "02:00:00:00:00:01")
    reconciles(
        cli,
        declare(
            "eth9:0 200.1.1.2/24 mtu 1300 hw ether 02:00:00:00:00:02",
            "eth9:1 10.0.0.1/32 kind macvlan",
            "eth9:2 10.0.0.22/32",
            "eth9:100 2001:db8::100/64 mtu 1400 down",
            "lo:0 192.0.2.1",
            "lo:1 192.0.2.2",
        ),
        "- eth9:101 2001:db8::101/64 macvlan",
        "- eth9:3 10.0.0.3/32 label",
        "~ eth9:0 200.1.1.1/24 -> 200.1.1.2/24, mtu 1500 -> 1300,"
        " mac 02:00:00:00:00:01 -> 02:00:00:00:00:02",
        "~ eth9:1 10.0.0.1/32 kind label -> macvlan",
        "~ eth9:2 10.0.0.2/32 -> 10.0.0.22/32",
        "~ eth9:100 2001:db8::100/64 state up -> down",
        "+ lo:1 192.0.2.2/32 label",
    )


@pytest.mark.parametrize(
    ("declared", "foreign", "line"),
    [
        ("", "link del eth9_0", "+ eth9:0 200.1.1.1/24 macvlan"),
        ("", "addr flush dev eth9_0", "~ eth9:0 none -> 200.1.1.1/24"),
        ("", "link set eth9_0 down", "~ eth9:0 200.1.1.1/24 state down -> up"),
        ("mtu 1400", "link set eth9_0 mtu 1300", "~ eth9:0 200.1.1.1/24 mtu 1300 -> 1400"),
        (
            "hw ether 02:00:00:00:00:01",
            "link set eth9_0 address 02:00:00:00:00:02",
            "~ eth9:0 200.1.1.1/24 mac 02:00:00:00:00:02 -> 02:00:00:00:00:01",
        ),
        (
            "",
            "link property del dev eth9_0 altname eth9:0",
            "~ eth9:0 200.1.1.1/24 name half-made -> eth9:0",
        ),
        ("", "link set eth9_0 alias mine", "~ eth9:0 200.1.1.1/24 ifalias mine -> netalias eth9:0"),
    ],
)
def test_drift_is_named_and_healed(
    cli: Command, declare: Declare, declared: str, foreign: str, line: str
) -> None:
    """What others do to an alias is said in the words of what changed, and undone."""
    file = declare(f"eth9:0 200.1.1.1/24 kind macvlan {declared}")
    cli("reconcile", file)
    wait_for_linkwatch(cli.namespace)
    before = cli.one("eth9:0")
    cli.namespace.ip(foreign)
    reconciles(cli, file, line)
    wait_for_linkwatch(cli.namespace)
    after = cli.one("eth9:0")
    for key in ("local", "prefixlen", "operstate", "mtu", "altname", "state"):
        assert after.get(key) == before.get(key)


def test_what_is_not_declared(cli: Command, declare: Declare) -> None:
    """Without a word in the file the MTU is that of the main device; a MAC stays as it is."""
    file = declare("eth9:0 200.1.1.1/24 kind macvlan")
    cli("reconcile", file)
    cli.namespace.ip("link set eth9_0 mtu 1300 address 02:00:00:00:00:07")
    reconciles(cli, file, "~ eth9:0 200.1.1.1/24 mtu 1300 -> 1500")
    assert cli.one("eth9:0")["address"] == "02:00:00:00:00:07"


def test_json(cli: Command, declare: Declare) -> None:
    """-j says the same as objects, each with its place; an empty list when nothing differs."""
    first, second = declare(*MIXED), declare("eth9:0 200.1.1.2/24", "no9:0-6 10.9.0.0+", name="b")
    cli("reconcile", first)
    assert json.loads(cli("-j", "check", first)) == []
    assert json.loads(cli("-j", "reconcile", first)) == []
    done = cli.run("-j", "check", second)
    found = json.loads(done.stdout)
    assert done.returncode == DRIFT
    assert [one["change"] for one in found] == ["remove"] * 6 + ["change", "skip"]
    assert found[0] == {
        "change": "remove", "altname": "eth9:100", "family": "inet6", "local": "2001:db8::100",
        "prefixlen": 64, "kind": "macvlan",
    }  # fmt: skip
    assert found[6] == {
        "change": "change", "altname": "eth9:0", "place": f"{second}:1",
        "before": {"family": "inet", "local": "200.1.1.1", "prefixlen": 24},
        "after": {"family": "inet", "local": "200.1.1.2", "prefixlen": 24},
    }  # fmt: skip
    assert found[7] == {
        "change": "skip", "altname": "no9:0", "count": 7, "place": f"{second}:2",
        "error": "no9:0: there is no device no9",
    }  # fmt: skip
    made = cli.run("-j", "reconcile", second)
    assert (made.returncode, json.loads(made.stdout)) == (REFUSED, found)


def test_verbose_prints_steps_that_ip_would_take(cli: Command, declare: Declare) -> None:
    """-v: below each line the commands that do the same."""
    file = declare("eth9:0 200.1.1.1/24 kind label", "eth9:1 10.0.0.1/32 kind label")
    said = cli.run("-v", "check", file).stdout.splitlines()
    assert [line[:4] == "    " for line in said] == [False, True] * 3
    for line in said:
        if line.startswith("    sysctl "):
            cli.namespace.run(line.split())
        if line.startswith("    ip "):
            # This ip(8) may be too old to set the mark.
            cli.namespace.ip(re.sub(r" proto \d+$", "", line).strip().removeprefix("ip "))
    cli("adopt", "eth9:0-1")
    in_sync(cli, file)


def test_standard_input(cli: Command) -> None:
    """- reads the declarations from standard input."""
    done = cli.run("reconcile", "-", input="lo:0 192.0.2.1\n")
    assert (done.returncode, done.stdout) == (DONE, "+ lo:0 192.0.2.1/32 label\n")
    assert cli.run("check", "-", input="lo:0 192.0.2.2\n").stdout == (
        "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32\n"
    )


def test_several_files_are_one_wish(cli: Command, declare: Declare) -> None:
    """What is in none of the files goes; each file has defaults of its own."""
    first = declare("defaults mtu 1400 kind macvlan", "eth9:0 10.0.0.1", name="1")
    second = declare("eth9:1 10.0.0.2 kind macvlan", name="2")
    cli("reconcile", first, second)
    assert [(one["altname"], one["mtu"]) for one in cli.json()] == [
        ("eth9:0", 1400), ("eth9:1", 1500),
    ]  # fmt: skip
    cli.silent("check", first, second)
    assert cli.run("check", first).stdout == "- eth9:1 10.0.0.2/32 macvlan\n"


# What is wrong in files


def test_all_errors_with_their_places_and_nothing_is_applied(
    cli: Command, declare: Declare
) -> None:
    """Every error of every file, in order, file:line:column; status 1, no change at all."""
    cli("reconcile", declare("lo:7 192.0.2.7"))
    first = declare(
        "eth9:0 200.1.1.1/24",
        "eth9:0 200.1.1.2/24",
        "  eth9:1   200.1.1.1",
        "eth9:x 10.0.0.1",
        "eth9:5-9 10.0.0.1-3",
        name="first",
    )
    second = declare("eth9:2 10.0.0.300", "eth9:3 10.0.0.3 kinds label", name="second")
    before = settled(cli.namespace)
    for verb in ("check", "reconcile"):
        done = cli.run(verb, first, second)
        assert (done.returncode, done.stdout) == (USAGE, "")
        *places, last = done.stderr.splitlines()
        assert [place.partition(": ")[0] for place in places] == [
            f"{first}:2:1", f"{first}:3:12", f"{first}:4:1", f"{first}:5:10",
            f"{second}:1:8", f"{second}:2:17",
        ]  # fmt: skip
        assert f"at {first}:1" in places[0]
        assert f"at {first}:1 (eth9:0)" in places[1]
        assert last == "netalias: 6 errors" + "; nothing was changed" * (verb == "reconcile")
    assert settled(cli.namespace) == before


def test_a_file_that_cannot_be_read_is_an_error(cli: Command, declare: Declare) -> None:
    """The file beside it is not applied, and nothing is removed."""
    file = declare("lo:0 192.0.2.1")
    cli("reconcile", declare("lo:7 192.0.2.7", name="other"))
    before = settled(cli.namespace)
    line = cli.fails(REFUSED, "reconcile", file, f"{file}.no")
    assert line == f"netalias: {file}.no: No such file or directory"
    assert settled(cli.namespace) == before


@pytest.mark.parametrize("mode", [0o666, 0o646])
def test_a_file_that_others_can_write_is_refused(cli: Command, declare: Declare, mode: int) -> None:
    """As root nobody's file but the administrator's is an order."""
    if os.geteuid():
        pytest.skip("only root refuses")
    file = declare("lo:0 192.0.2.1")
    os.chmod(file, mode)
    for verb in ("check", "reconcile"):
        line = cli.fails(REFUSED, verb, file)
        assert line == (
            f"netalias: {file}: writable by others, so it is not trusted (chmod go-w {file})"
        )
    assert cli.names() == []


# Guard rails


@pytest.mark.parametrize("text", ["", "# nothing\n", "defaults mtu 1400\n"])
def test_empty_is_not_an_order(cli: Command, declare: Declare, text: str) -> None:
    """No wishes at all: refused, even for one alias; --allow-shrink is not the word for it."""
    cli("reconcile", declare("lo:0 192.0.2.1"))
    empty = declare(text)
    before = devices(cli.namespace)
    for options in ((), ("--allow-shrink",), ("--force",)):
        line = cli.fails(REFUSED, *options, "reconcile", empty)
        assert line == (
            "netalias: nothing is declared, and 1 alias would be removed"
            " (--allow-empty, if that is meant)"
        )
    assert devices(cli.namespace) == before
    told = cli.run("check", empty)
    assert (told.stdout, told.returncode) == ("- lo:0 192.0.2.1/32 label\n", DRIFT)
    assert told.stderr == f"{line}\n"
    checks(cli, empty, "- lo:0 192.0.2.1/32 label", option="--allow-empty")
    assert cli("reconcile", "--allow-empty", empty) == "- lo:0 192.0.2.1/32 label\n"
    assert cli.names() == []


def test_empty_where_there_is_nothing_is_silent(cli: Command, declare: Declare) -> None:
    """There is nothing to refuse."""
    reconciles(cli, declare())


@pytest.mark.parametrize(
    ("there", "left", "refused"), [(9, 1, False), (10, 5, False), (10, 4, True), (11, 5, True)]
)
def test_shrinking_by_more_than_half(
    cli: Command, declare: Declare, there: int, left: int, refused: bool
) -> None:
    """More than half of at least ten is refused without --allow-shrink or --allow-empty."""
    cli("reconcile", declare(f"eth9:0-{there - 1} 10.0.0.0/32+ kind label"))
    file = declare(f"eth9:0-{left - 1} 10.0.0.0/32+ kind label")
    if not refused:
        assert cli("reconcile", file).count("\n") == there - left
        return
    line = cli.fails(REFUSED, "reconcile", file)
    assert line == (
        f"netalias: {there - left} of {there} aliases would be removed"
        " (--allow-shrink, if that is meant)"
    )
    assert len(cli.names()) == there
    allow = "--allow-shrink" if left == 4 else "--allow-empty"
    assert cli(allow, "reconcile", file).count("\n") == there - left
    assert len(cli.names()) == left


def test_renumbering_is_no_shrinking(cli: Command, declare: Declare) -> None:
    """Aliases that others follow in the same slots are changed, not removed."""
    cli("reconcile", declare("eth9:0-11 10.0.0.0/32+ kind label"))
    assert cli("reconcile", declare("eth9:0-11 10.0.1.0/32+ kind label")).count("~") == 12


def test_what_others_made_survives(cli: Command, declare: Declare) -> None:
    """Labels, addresses and devices without our mark stay, whatever is declared; they do not count
    as aliases either."""
    namespace = cli.namespace
    namespace.ip("addr add 10.7.0.1/32 dev eth9 label eth9:7")
    namespace.ip("addr add 10.7.0.2/24 dev eth9")
    namespace.ip("-6 addr add 2001:db8:7::1/128 dev eth9 nodad")
    namespace.ip("link add eth9_5 link eth9 type macvlan mode bridge")
    namespace.ip("link add mine link eth9 type macvlan mode bridge")
    namespace.ip("link property add dev mine altname eth9:6")
    namespace.ip("addr add 10.7.0.3/32 dev eth9_5")
    before = settled(namespace)
    cli("reconcile", declare("eth9:0 10.0.0.1 kind macvlan", "eth9:1 10.0.0.2 kind label"))
    cli("--allow-empty", "reconcile", declare())
    assert settled(namespace) == before


def test_a_name_that_others_have_is_reported_and_the_rest_is_made(
    cli: Command, declare: Declare
) -> None:
    """A foreign device of the name: said with its place, status 2, untouched."""
    cli.namespace.ip("link add eth9_5 link eth9 type macvlan mode bridge")
    file = declare("eth9:4-6 10.0.0.4/32+ kind macvlan")
    for verb, status in (("check", DRIFT), ("reconcile", REFUSED), ("reconcile", REFUSED)):
        done = cli.run(verb, file)
        assert done.returncode == status
        assert one_line(done.stderr, "netalias: ") == (
            f"netalias: {file}:1: eth9:5: eth9_5 names the device eth9_5,"
            " which netalias did not make"
        )
    assert done.stdout == ""
    assert cli.names() == ["eth9:4", "eth9:6"]


# Main devices


def test_a_missing_main_stops_nobody_else(cli: Command, declare: Declare) -> None:
    """It is told once, with the line and how many; the others are served; status 2."""
    file = declare("no9:0-6 10.1.0.0/32+", "lo:0 192.0.2.1")
    said = f"netalias: {file}:1: no9:0: there is no device no9 (7 aliases)\n"
    checked = cli.run("check", file)
    assert (checked.returncode, checked.stdout, checked.stderr) == (
        DRIFT, "+ lo:0 192.0.2.1/32 label\n", said,
    )  # fmt: skip
    for out in (checked.stdout, ""):
        done = cli.run("reconcile", file)
        assert (done.returncode, done.stdout, done.stderr) == (REFUSED, out, said)


def test_a_main_that_is_down_stops_nobody_else(cli: Command, declare: Declare) -> None:
    """Told once and skipped, the others are served; --force, or raising it, makes the rest."""
    cli.namespace.ip("link set eth9 down")
    file = declare("eth9:0-2 10.0.0.0/32+ kind label", "lo:0 192.0.2.1")
    said = (
        f"netalias: {file}:1: eth9:0: main device eth9 is down"
        " (3 aliases; ip link set eth9 up, or --force)\n"
    )
    for out in ("+ lo:0 192.0.2.1/32 label\n", ""):
        done = cli.run("reconcile", file)
        assert (done.returncode, done.stdout, done.stderr) == (REFUSED, out, said)
    assert cli("--force", "reconcile", file).count("+") == 3
    in_sync(cli, file)


def test_what_is_as_declared_stays_so_while_its_main_is_down(
    cli: Command, declare: Declare
) -> None:
    """A cable that was pulled, or a main set down, is no drift of labels."""
    file = declare("eth9:0-2 10.0.0.0/32+ kind label", "lo:0 192.0.2.1")
    cli("reconcile", file)
    cli.namespace.ip("link set eth9 down")
    in_sync(cli, file)


def test_only_one_main(cli: Command, declare: Declare) -> None:
    """--only: the wishes and the aliases of other mains are not looked at."""
    cli("reconcile", declare("eth9:0 10.0.0.1 kind label", "lo:0 192.0.2.1"))
    file = declare("eth9:1 10.0.0.2 kind label", "lo:1 192.0.2.2", "no9:0 10.1.1.1")
    lines = "- lo:0 192.0.2.1/32 label\n+ lo:1 192.0.2.2/32 label\n"
    checked = cli.run("check", "--only", "lo", file)
    assert (checked.returncode, checked.stdout, checked.stderr) == (DRIFT, lines, "")
    assert cli("--only=lo", "reconcile", file) == lines
    cli.silent("--only", "lo", "reconcile", file)
    assert addresses(cli) == {"lo:1": "192.0.2.2/32", "eth9:0": "10.0.0.1/32"}
    line = cli.fails(REFUSED, "reconcile", "--only", "eth9", declare("lo:1 192.0.2.2"))
    assert line == (
        "netalias: nothing is declared on eth9, and 1 alias would be removed"
        " (--allow-empty, if that is meant)"
    )


def rename(namespace: Namespace, old: str, new: str, *, keep: bool = False) -> None:
    """Rename a main device; *keep*: its former name stays as altname."""
    namespace.ip(f"link set {old} down")
    namespace.ip(f"link set {old} name {new}")
    if keep:
        namespace.ip(f"link property add dev {new} altname {old}")
    namespace.ip(f"link set {new} up")
    wait_for_state(namespace, new, "UP")


def test_aliases_follow_a_main_that_was_renamed(cli: Command, declare: Declare) -> None:
    """The file with the new name renames them in place; devices and addresses are the same."""
    cli("reconcile", declare("eth9:0-1 10.0.0.0/32+ kind macvlan", "eth9:2 10.0.0.9 kind label"))
    before = indexes(cli)
    rename(cli.namespace, "eth9", "wan0")
    file = declare("wan0:0-1 10.0.0.0/32+ kind macvlan", "wan0:2 10.0.0.9 kind label")
    cli("reconcile", file)
    in_sync(cli, file)
    assert addresses(cli) == {
        "wan0:0": "10.0.0.0/32", "wan0:1": "10.0.0.1/32", "wan0:2": "10.0.0.9/32",
    }  # fmt: skip
    assert sorted(indexes(cli).values()) == sorted(before.values())
    altnames = [one["altnames"] for one in ip_json(cli.namespace, "link show type macvlan")]
    assert altnames == [["wan0:0"], ["wan0:1"]]


def test_the_former_name_deletes_nothing(cli: Command, declare: Declare) -> None:
    """With the old name in the file the aliases stay, and the missing main is reported."""
    file = declare("eth9:0-1 10.0.0.0/32+ kind macvlan", "eth9:2 10.0.0.9 kind label")
    cli("reconcile", file)
    rename(cli.namespace, "eth9", "wan0")
    before = devices(cli.namespace)
    for options in ((), ("--allow-empty",), ("--force",)):
        done = cli.run(*options, "reconcile", file)
        assert (done.returncode, done.stdout) == (REFUSED, "")
        assert "eth9:0: there is no device eth9 (3 aliases)" in done.stderr
    assert devices(cli.namespace) == before


def test_a_former_name_that_is_an_altname_serves(cli: Command, declare: Declare) -> None:
    """The main is found by its altname, and its aliases are called by its primary name."""
    file = declare("eth9:0 10.0.0.1 kind macvlan", "eth9:1 10.0.0.2 kind label")
    cli("reconcile", file)
    before = indexes(cli)
    rename(cli.namespace, "eth9", "wan0", keep=True)
    cli("reconcile", file)
    in_sync(cli, file)
    assert cli.names() == ["wan0:0", "wan0:1"]
    assert sorted(indexes(cli).values()) == sorted(before.values())


# What a change is


def test_a_new_address_keeps_the_device(cli: Command, declare: Declare) -> None:
    """Re-addressing, also to the other family, is done in place: the ifindex and MAC stay."""
    cli("reconcile", declare("eth9:0 200.1.1.1/24 kind macvlan"))
    before = indexes(cli), cli.one("eth9:0")["address"]
    for address in ("200.1.1.2/24", "200.1.2.1/16", "2001:db8::1/64", "10.0.0.1/32"):
        file = declare(f"eth9:0 {address}")
        assert cli("reconcile", file).startswith("~ eth9:0 ")
        in_sync(cli, file)
        assert addresses(cli) == {"eth9:0": address}
        assert (indexes(cli), cli.one("eth9:0")["address"]) == before


def test_a_changed_kind_is_a_replacement(cli: Command, declare: Declare) -> None:
    """Under the same name, with the address, in one run; there and back."""
    cli("reconcile", declare("eth9:0 10.0.0.1/32 kind macvlan"))
    assert indexes(cli)
    reconciles(
        cli,
        declare("eth9:0 10.0.0.1/32 kind label"),
        "~ eth9:0 10.0.0.1/32 kind macvlan -> label",
        BACK,
    )
    assert indexes(cli) == {}
    assert cli.one("eth9:0")["kind"] == "label"
    reconciles(
        cli, declare("eth9:0 10.0.0.1/32 kind macvlan"),
        "~ eth9:0 10.0.0.1/32 kind label -> macvlan", SET,
    )  # fmt: skip


KINDS_OF_TWO = [("label", "label"), ("macvlan", "macvlan"), ("label", "macvlan")]


@pytest.mark.parametrize(("one", "other"), [*KINDS_OF_TWO, ("macvlan", "label")])
@pytest.mark.parametrize("address", quarter(["10.0.0.1/32", "10.0.0.1/24", "2001:db8::1/128"]))
def test_an_address_moves_to_another_alias(
    cli: Command, declare: Declare, one: str, other: str, address: str
) -> None:
    """In one run it leaves the first and comes to the second, be it new or there already."""
    host = "2001:db8::9/128" if ":" in address else "10.1.0.9/32"
    cli("reconcile", declare(f"eth9:0 {address} kind {one}"))
    file = declare(f"eth9:1 {address} kind {other}")
    cli("reconcile", file)
    in_sync(cli, file)
    assert addresses(cli) == {"eth9:1": address}
    file = declare(f"eth9:0 {address} kind {one}", f"eth9:1 {host} kind {other}")
    cli("reconcile", file)
    in_sync(cli, file)
    assert addresses(cli) == {"eth9:0": address, "eth9:1": host}
    file = declare(f"eth9:0 {host} kind {one}", f"eth9:1 {address} kind {other}")
    cli("reconcile", file)
    in_sync(cli, file)
    assert addresses(cli) == {"eth9:0": host, "eth9:1": address}


@pytest.mark.parametrize(("one", "other"), KINDS_OF_TWO)
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("10.0.0.1/32", "10.0.0.2/32"),
        ("10.1.0.1/24", "10.2.0.1/24"),
        ("2001:db8::1/128", "2001:db8::2/128"),
    ],
)
def test_two_aliases_swap_their_addresses(
    cli: Command, declare: Declare, one: str, other: str, first: str, second: str
) -> None:
    """One run, two lines, both addresses there at the end."""
    cli("reconcile", declare(f"eth9:0 {first} kind {one}", f"eth9:1 {second} kind {other}"))
    reconciles(
        cli,
        declare(f"eth9:0 {second} kind {one}", f"eth9:1 {first} kind {other}"),
        f"~ eth9:0 {first} -> {second}",
        f"~ eth9:1 {second} -> {first}",
    )
    assert addresses(cli) == {"eth9:0": second, "eth9:1": first}


@pytest.mark.parametrize("kind", ["label", "macvlan"])
def test_slots_shift_by_one(cli: Command, declare: Declare, kind: str) -> None:
    """A whole range in which every address has another slot than before."""
    cli("reconcile", declare(f"eth9:0-19 10.0.0.0/32+ kind {kind}"))
    file = declare(f"eth9:0-19 10.0.0.1/32+ kind {kind}")
    assert cli("reconcile", file).count("~") == 20
    in_sync(cli, file)


def connected(cli: Command) -> list[str]:
    """The connected routes of networks, IPv4 and IPv6, without link-local ones."""
    routes = [
        route["dst"]
        for family in ("-4", "-6")
        for route in ip_json(cli.namespace, f"{family} route show proto kernel")
    ]
    return sorted(dst for dst in routes if "/" in dst and not dst.startswith("fe80:"))


NETWORKS = [
    (("eth9:0-3 10.0.0.1/24+ kind macvlan",), ["10.0.0.0/24"]),
    (("eth9:2-3 10.0.0.3/24+ kind macvlan",), ["10.0.0.0/24"]),
    (("eth9:1-3 10.0.0.2/24+ kind macvlan",), ["10.0.0.0/24"]),
    (("eth9:1 10.0.0.2/24 down", "eth9:2-3 10.0.0.3/24+ kind macvlan"), ["10.0.0.0/24"]),
    (("eth9:1 10.0.0.2/24", "eth9:2 10.0.0.3/16", "eth9:3 10.0.0.4/24"), ["10.0.0.0/16"]),
    (
        ("eth9:1 10.0.0.2/24", "eth9:3 10.0.0.4/24", "eth9:4 10.0.1.1/24 kind macvlan"),
        ["10.0.0.0/24", "10.0.1.0/24"],
    ),
    (("eth9:1 10.0.0.2/24 kind label", "eth9:3 10.0.0.4/24"), ["10.0.0.0/24"]),
    (("eth9:3 10.0.0.4/24", "eth9:5 2001:db8::5/64 kind macvlan"), ["10.0.0.0/24"]),
    (("eth9:3 10.9.0.4/24", "eth9:6 10.0.0.6/24 kind label"), ["10.0.0.0/24", "10.9.0.0/24"]),
]


def test_always_one_route_a_network(cli: Command, declare: Declare) -> None:
    """Whoever comes, goes, widens, or is set down: one connected route for each network."""
    for lines, networks in NETWORKS:
        file = declare(*lines)
        cli("reconcile", file)
        found = connected(cli)
        assert [dst for dst in found if ":" not in dst] == networks, lines
        assert len([dst for dst in found if ":" in dst]) == any("2001:" in line for line in lines)
        in_sync(cli, file)


def test_the_route_of_a_main_is_never_doubled(cli: Command, declare: Declare) -> None:
    """Aliases in the network of the main device bring none; when it loses it, one of them does."""
    cli.namespace.ip("addr add 10.0.0.254/24 dev eth9")
    file = declare("eth9:0-2 10.0.0.1/24+ kind macvlan")
    cli("reconcile", file)
    routes = ip_json(cli.namespace, "route show proto kernel")
    assert [(route["dst"], route["dev"]) for route in routes] == [("10.0.0.0/24", "eth9")]
    cli.namespace.ip("addr del 10.0.0.254/24 dev eth9")
    cli("reconcile", file)
    in_sync(cli, file)
    assert connected(cli) == ["10.0.0.0/24"]


# The session of the administrator


def over_ssh(cli: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a session that came in over *address*."""
    return cli.namespace.run(
        ["env", f"SSH_CONNECTION=198.51.100.7 50022 {address} 22", *command(*words)], check=False
    )


def below_ssh(cli: Command, address: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The same where sudo(8) has taken the variable away: a process above has it."""
    without = ["env", "-u", "SSH_CONNECTION", *command(*words)]
    return cli.namespace.run(
        [
            "env", f"SSH_CONNECTION=198.51.100.7 50022 {address} 22",
            "sh", "-c", '"$@"; exit $?', "sh", *without,
        ],
        check=False,
    )  # fmt: skip


SESSION_CHANGES = [
    "lo:5 192.0.2.5",
    "eth9:0 10.0.0.2/32",
    "eth9:0 10.0.0.1/32 kind label",
    "eth9:0 10.0.0.1/32 down",
    "eth9:1 10.0.0.1/32 kind macvlan",
]


@pytest.mark.parametrize("way", [over_ssh, below_ssh])
@pytest.mark.parametrize("line", SESSION_CHANGES)
def test_the_address_of_the_session_stays(
    cli: Command,
    declare: Declare,
    way: Callable[..., subprocess.CompletedProcess[str]],
    line: str,
) -> None:
    """Neither removed, re-addressed, replaced nor set down; the rest is done; --force does it."""
    cli("reconcile", declare("eth9:0 10.0.0.1/32 kind macvlan", "lo:0 192.0.2.1"))
    wait_for_linkwatch(cli.namespace)
    before = ip_json(cli.namespace, "addr show dev eth9_0")
    file = declare(line, "lo:0 192.0.2.2")
    for options in (("check",), ("reconcile",), ("reconcile",)):
        done = way(cli, "10.0.0.1", *options, file)
        assert done.returncode == (DRIFT if options == ("check",) else REFUSED)
        said = one_line(done.stderr, "netalias: ")
        assert "eth9:0: this SSH session comes in over its address" in said
        assert said.endswith("(--force changes it all the same)")
    assert ip_json(cli.namespace, "addr show dev eth9_0") == before
    assert "lo:0" in cli.names()
    assert addresses(cli)["lo:0"] == "192.0.2.2/32"
    done = way(cli, "10.0.0.1", "--force", "reconcile", file)
    assert (done.returncode, done.stderr) == (DONE, "")
    in_sync(cli, file)


@pytest.mark.parametrize(
    ("declared", "session"),
    [
        ("10.0.0.1/32", "::ffff:10.0.0.1"),
        ("2001:db8::1/64", "2001:db8::1"),
        ("2001:db8::1/64", "2001:0db8:0:0::1"),
    ],
)
def test_every_way_to_write_the_address_of_the_session(
    cli: Command, declare: Declare, declared: str, session: str
) -> None:
    """IPv6, and IPv4 as an IPv6 socket has it."""
    cli("reconcile", declare(f"eth9:0 {declared} kind macvlan", "lo:0 192.0.2.1"))
    done = over_ssh(cli, session, "reconcile", declare("lo:0 192.0.2.1"))
    assert done.returncode == REFUSED
    assert "eth9:0" in cli.names()


def test_a_session_over_another_address_protects_nothing(cli: Command, declare: Declare) -> None:
    """Nor does a value that is none."""
    cli("reconcile", declare("eth9:0-1 10.0.0.1/32+ kind macvlan", "lo:0 192.0.2.1"))
    file = declare("eth9:1 10.0.0.2/32", "lo:0 192.0.2.1")
    assert over_ssh(cli, "10.0.0.3", "reconcile", file).returncode == DONE
    assert over_ssh(cli, "nonsense", "reconcile", declare("lo:0 192.0.2.1")).returncode == DONE
    assert cli.names() == ["lo:0"]


# Who may, who waits, who is interrupted


WEAK = {
    "another user": ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    "without capabilities": ("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
}


@pytest.fixture(params=WEAK)
def weak(request: pytest.FixtureRequest, cli: Command) -> Iterator[list[str]]:
    """The words before a command that take its privileges away."""
    with tempfile.TemporaryDirectory() as folder:  # in tmp_path nobody else may look
        os.chmod(folder, 0o777)
        words = ["env", f"XDG_RUNTIME_DIR={folder}", *WEAK[request.param]]
        done = cli.namespace.run([*words, *command("--version")], check=False)
        if done.returncode:
            pytest.skip(f"not possible here: {done.stderr.strip()[:80]}")
        yield words


def test_without_privilege(cli: Command, weak: list[str]) -> None:
    """check works; reconcile is silent when in sync, and has status 4 when it is not."""

    def run(verb: str, text: str) -> tuple[int, str, str]:
        done = cli.namespace.run([*weak, *command(verb, "-")], check=False, input=text)
        return done.returncode, done.stdout, done.stderr

    assert run("check", "lo:0 192.0.2.1\n") == (DRIFT, "+ lo:0 192.0.2.1/32 label\n", "")
    status, out, error = run("reconcile", "lo:0 192.0.2.1\n")
    assert (status, out) == (DENIED, "")
    assert "CAP_NET_ADMIN is needed" in one_line(error, "netalias: ")
    assert cli.names() == []
    cli("lo:0", "192.0.2.1")
    for verb in ("check", "reconcile", "check", "reconcile"):
        assert run(verb, "lo:0 192.0.2.1\n") == (DONE, "", "")
    assert run("reconcile", "")[0] == DENIED


def test_a_second_run_waits_or_gives_up(cli: Command, declare: Declare) -> None:
    """--wait 0: status 75 at once, naming the lock; nothing is done. check needs no lock."""
    cli("lo:0", "192.0.2.1")
    file = declare("lo:0 192.0.2.2")
    path = lock_file(cli.namespace)
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        line = cli.fails(BUSY, "--wait", "0", "reconcile", file)
        assert line == f"netalias: another netalias is at work (waited 0 s for {path})"
        checks(cli, file, "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32")
        waiting = cli.namespace.start(command("reconcile", file), stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)  # it must not end; how long it lives is not measured
    out, _ = waiting.communicate(timeout=SECONDS)
    assert (waiting.returncode, out) == (DONE, "~ lo:0 192.0.2.1/32 -> 192.0.2.2/32\n")


def test_what_is_known_needs_no_lock(cli: Command, declare: Declare) -> None:
    """Nothing changed: no run waits for another one. What has changed meanwhile waits."""
    file = declare("lo:0 192.0.2.1/32 kind label")
    cli("reconcile", file)
    cli.silent("reconcile", file)  # the first run verifies what it has made, this one all
    path = lock_file(cli.namespace)
    with path.open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        cli.silent("--wait", "0", "reconcile", file)
        cli.fails(BUSY, "--wait", "0", "--group", "7", "reconcile", file)
        cli.namespace.ip("addr del 192.0.2.1/32 dev lo")
        cli.fails(BUSY, "--wait", "0", "reconcile", file)
    reconciles(cli, file, "+ lo:0 192.0.2.1/32 label")


@pytest.mark.parametrize("options", ["--wait x", "--acd x", "--rate x", "--netns nosuch"])
def test_what_is_known_does_not_hide_a_wrong_option(
    cli: Command, declare: Declare, options: str
) -> None:
    """The options of the engine are checked whether there is one or not."""
    file = declare("lo:0 192.0.2.1/32 kind label")
    cli("reconcile", file)
    cli.silent("reconcile", file)
    for verb in ("reconcile", "check"):
        assert cli.run(*options.split(), verb, file).returncode in (USAGE, REFUSED)


SO_RCVBUFFORCE = 33
"""asm-generic/socket.h."""


class Announcements:
    """The kernel's messages on addresses, or on devices, one read at a time."""

    def __init__(self, namespace: Namespace, group: int) -> None:
        with namespace:
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.bind((0, group))
        self.socket.settimeout(PATIENCE * SLOW)
        # In a user namespace nobody may have more than rmem_max: then some are lost, never all.
        with contextlib.suppress(PermissionError):
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)

    def wait(self, kind: int) -> None:
        """Until a message of this type has come."""
        while True:
            try:
                data = self.socket.recv(65536)
            except OSError as lost:
                if lost.errno != errno.ENOBUFS:
                    raise
                continue
            if struct.unpack_from("=IH", data)[1] == kind:
                return


RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTM_NEWLINK, RTM_NEWADDR = 1, 0x10, 16, 20


ATTEMPTS = 10
"""So often a run may end before the signal reaches it, where others have the processors."""


def interrupted(
    cli: Command,
    file: str,
    begin: Callable[[], object],
    kind: int = RTM_NEWLINK,
    number: int = signal.SIGINT,
) -> tuple[list[str], int, int]:
    """reconcile with a signal on the first announcement: lines, changes done, of how many.

    *begin* is called before each attempt.
    """
    for _ in range(ATTEMPTS):
        begin()
        heard = Announcements(cli.namespace, RTMGRP_LINK | RTMGRP_IPV4_IFADDR)
        with cli.namespace:
            process = subprocess.Popen(
                command("reconcile", file),
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        with heard.socket:
            heard.wait(kind)
            process.send_signal(number)  # timeout(1) hands it on
        out, error = process.communicate(timeout=SECONDS)
        if (process.returncode, error) != (DONE, ""):
            break
    status = INTERRUPTED if number == signal.SIGINT else -number
    assert process.returncode == status, (out, error)
    found = re.fullmatch(
        r"netalias: interrupted: (\d+) of (\d+) changes are done, the others undone\n", error
    )
    assert found, error
    return out.splitlines(), int(found[1]), int(found[2])


def test_an_interruption_says_how_far_it_came(cli: Command, declare: Declare) -> None:
    """SIGINT: status 130; what is printed is what is there, nothing is half-made; the next run
    goes on from there."""
    file = declare("eth9:0-999 10.0.0.0/32+ kind macvlan", "lo:0-9 192.0.2.0+")
    lines, done, count = interrupted(
        cli, file, lambda: cli("reconcile", "--allow-empty", "/dev/null")
    )
    assert (len(lines), count) == (done, 1011)  # and the settings of eth9
    lines = [line for line in lines if not line.startswith("=")]
    assert done < count
    there = cli.json()
    assert sorted(line.split()[1] for line in lines) == sorted(one["altname"] for one in there)
    assert not [one for one in there if "half-made" in one["state"]]
    assert len(indexes(cli)) == len([one for one in there if one["kind"] == "macvlan"])
    assert cli("reconcile", file).count("\n") == count - done
    in_sync(cli, file)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_replacement_loses_no_alias(
    cli: Command, declare: Declare, number: int
) -> None:
    """A signal while labels come, before the devices go: each alias is there, of one kind or the
    other."""
    file = declare("eth9:0-299 10.0.0.0/32+ kind label")
    devices = "eth9:0-299 10.0.0.0/32+ kind macvlan\n"
    lines, done, count = interrupted(
        cli, file, lambda: cli.run("reconcile", "-", input=devices), RTM_NEWADDR, number
    )
    assert (len(lines), count) == (done, 300)
    there = cli.json()
    assert len(there) == count
    assert len([one for one in there if one["kind"] == "label"]) == done
    assert {one["state"] for one in there if one["kind"] == "macvlan"} <= {"up"}
    cli("reconcile", file)
    in_sync(cli, file)


def test_what_does_not_verify(cli: Command, declare: Declare) -> None:
    """Somebody takes an address away as soon as it comes: status 5, and the line says which."""
    file = declare("eth9:0-1999 10.0.0.0/32+ kind label")
    heard = Announcements(cli.namespace, RTMGRP_IPV4_IFADDR)
    with cli.namespace:
        process = subprocess.Popen(
            command("reconcile", file), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    with heard.socket:
        heard.wait(RTM_NEWADDR)
        cli.namespace.ip("addr del 10.0.0.0/32 dev eth9")
    out, error = process.communicate(timeout=SECONDS)
    assert (process.returncode, error) == (
        UNVERIFIED, "netalias: still different: + eth9:0 10.0.0.0/32 label\n",
    )  # fmt: skip
    assert out.count("+") == 2000
    reconciles(cli, file, "+ eth9:0 10.0.0.0/32 label")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_has_gone(cli: Command, declare: Declare, unbuffered: str) -> None:
    """Nobody reads the lines: the work is done all the same, and verified; status 0, silence."""
    end, pipe = os.pipe()
    os.close(end)
    with cli.namespace, open(pipe, "wb") as out:
        done = subprocess.run(
            command("reconcile", declare("eth9:0-99 10.0.0.0/32+ kind label")), stdout=out,
            stderr=subprocess.PIPE, check=False, text=True,
            env=environment(PYTHONUNBUFFERED=unbuffered),
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (DONE, "")
    assert len(cli.names()) == 100


def test_what_the_kernel_refuses_stops_nobody_else(cli: Command, declare: Declare) -> None:
    """The line, the alias and the kernel's words; status 2; the next run tries it again."""
    cli.namespace.ip("link set eth9 mtu 1400")
    file = declare("eth9:0-1 10.0.0.0/32+ kind macvlan", "eth9:2 10.0.0.2 kind macvlan mtu 1500")
    for lines in (2, 0):
        done = cli.run("reconcile", file)
        assert (done.returncode, done.stdout.count("+")) == (REFUSED, lines)
        said = one_line(done.stderr, "netalias: ")
        assert said.startswith(f"netalias: {file}:2: eth9:2: ")
    assert cli.names() == ["eth9:0", "eth9:1"]
    assert len(indexes(cli)) == 2
    cli.namespace.ip("link set eth9 mtu 1500")
    reconciles(
        cli,
        file,
        "~ eth9:0 10.0.0.0/32 mtu 1400 -> 1500",
        "~ eth9:1 10.0.0.1/32 mtu 1400 -> 1500",
        "+ eth9:2 10.0.0.2/32 macvlan",
    )


# Figures


def test_metrics(cli: Command, declare: Declare, tmp_path: Path) -> None:
    """A file for Prometheus, after work, after nothing to do, and after a failure."""
    target = tmp_path / "netalias.prom"
    file = declare("eth9:0-2 10.0.0.0/32+ kind label", "eth9:3 10.0.0.3 kind macvlan")

    def figures() -> dict[str, float]:
        lines = target.read_text().splitlines()
        assert target.stat().st_mode & 0o777 == 0o644
        return {
            name: float(value)
            for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")
        }

    def standing(found: dict[str, float]) -> dict[str, float]:
        return {name: value for name, value in found.items() if 'main="' in name}

    said = cli("--metrics", str(target), "reconcile", file)
    assert (said.count("+"), said.count("=")) == (4, 1)
    first = figures()
    assert sorted(standing(first).values()) == [1, 3]
    drift = [f'netalias_drift{{change="{one}"}}' for one in ("add", "remove", "change", "set")]
    assert [first[name] for name in drift] == [4, 0, 0, 1]
    cli.silent("--metrics", str(target), "reconcile", file)
    second = figures()
    assert standing(second) == standing(first)
    assert not any(second[name] for name in drift)
    done = cli.run("--metrics", str(target), "reconcile", declare(name="empty"))
    assert done.returncode == REFUSED
    third = figures()
    assert standing(third) == standing(first)
    assert [name for name in second if second[name] != third.get(name) and "success" in name]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "declared", "empty", "netalias.prom",
    ]  # fmt: skip


# What is not done when nothing has changed


def loaded(cli: Command, *words: str) -> set[str]:
    """The modules of netalias that a silent command loads."""
    done = cli.namespace.run(["env", "PYTHONPROFILEIMPORTTIME=1", *command(*words)])
    assert done.stdout == ""
    assert all(line.startswith("import time:") for line in done.stderr.splitlines())
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    return {name for name in names if name.startswith("netalias")}


COMPARING = {
    "netalias.desired.declarations",
    "netalias.plan.compare",
    "netalias.engine.reconcile",
    "netalias.plan",
}


def test_in_sync_nothing_is_parsed_and_nothing_compared(cli: Command, declare: Declare) -> None:
    """What was found as declared before is recognised by its fingerprint."""
    file = declare("eth9:0-9 10.0.0.0/32+ kind label", "eth9:20 10.1.0.1/24 kind macvlan")
    cli("reconcile", file)
    wait_for_state(cli.namespace, "eth9_20", "UP")
    cli("reconcile", file)
    for verb in ("reconcile", "check"):
        assert not COMPARING & loaded(cli, verb, file)
    Path(file).write_text(Path(file).read_text() + "# a comment\n")
    assert loaded(cli, "reconcile", file) > COMPARING - {"netalias.plan"}
    assert not COMPARING & loaded(cli, "reconcile", file)


def test_the_same_drift_is_noticed_again_and_again(cli: Command, declare: Declare) -> None:
    """What is remembered is the kernel after the work, never the one before it."""
    file = declare("eth9:0-9 10.0.0.0/32+ kind label", "eth9:20 10.1.0.1/24 kind macvlan")
    cli("reconcile", file)
    for _ in range(3):
        for words in ("addr del 10.0.0.3/32 dev eth9", "link del eth9_20"):
            cli.namespace.ip(words)
            assert cli("reconcile", file).startswith("+ eth9:")
        assert len(cli.names()) == 11


def test_traffic_is_no_change(cli: Command, declare: Declare, peer: Namespace) -> None:
    """Counters and neighbours do not make a run look closer."""
    file = declare("eth9:0 10.1.0.1/24 kind label")
    cli("reconcile", file)
    peer.ip("addr add 10.1.0.9/24 dev p9")
    with cli.namespace:
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with caller:
            caller.sendto(b"x", ("10.1.0.9", 9))
    assert not COMPARING & loaded(cli, "reconcile", file)


FOREIGN = {
    "an address is taken": ("addr del 10.0.0.1/32 dev eth9", "+ eth9:1 10.0.0.1/32 label"),
    "a device is deleted": ("link del eth9_20", "+ eth9:20 10.1.0.1/24 macvlan"),
    "a device is down": ("link set eth9_20 down", "~ eth9:20 10.1.0.1/24 state down -> up"),
    "another MTU": ("link set eth9_20 mtu 1300", "~ eth9:20 10.1.0.1/24 mtu 1300 -> 1400"),
    "another MAC": (
        "link set eth9_20 address 02:00:00:00:00:02",
        "~ eth9:20 10.1.0.1/24 mac 02:00:00:00:00:02 -> 02:00:00:00:00:01",
    ),
    "no altname": (
        "link property del dev eth9_20 altname eth9:20",
        "~ eth9:20 10.1.0.1/24 name half-made -> eth9:20",
    ),
    "another metric": (
        "addr change 10.1.0.1/24 dev eth9_20 metric 7",
        "~ eth9:20 10.1.0.1/24 metric 7 -> 0",
    ),
    "the mark is gone": ("link set eth9_20 group 0", None),
    "the main is in the network": ("addr add 10.1.0.254/24 dev eth9", None),
}


@pytest.mark.parametrize("change", FOREIGN)
def test_every_change_of_the_kernel_is_noticed(cli: Command, declare: Declare, change: str) -> None:
    """However in sync it was before."""
    command_line, line = FOREIGN[change]
    file = declare(
        "eth9:0-9 10.0.0.0/32+ kind label",
        "eth9:20 10.1.0.1/24 kind macvlan mtu 1400 hw ether 02:00:00:00:00:01",
    )
    cli("reconcile", file)
    in_sync(cli, file)
    cli.namespace.ip(command_line)
    if line is None:
        assert cli.run("check", file).returncode == DRIFT
    else:
        reconciles(cli, file, line)


TEXTS = {
    "an alias more": ("lo:0 192.0.2.1\nlo:1 192.0.2.2\n", "+ lo:1 192.0.2.2/32 label\n"),
    "another digit": ("lo:0 192.0.2.7\n", "~ lo:0 192.0.2.1/32 -> 192.0.2.7/32\n"),
    "another slot": ("lo:1 192.0.2.1\n", "- lo:0 192.0.2.1/32 label\n+ lo:1 192.0.2.1/32 label\n"),
    "commented out": ("#lo:0 192.0.2.1\n", "- lo:0 192.0.2.1/32 label\n"),
}


@pytest.mark.parametrize("change", TEXTS)
def test_every_change_of_a_file_is_noticed(cli: Command, declare: Declare, change: str) -> None:
    """Also one that leaves its size and its time as they were."""
    text, said = TEXTS[change]
    file = Path(declare("lo:0 192.0.2.1"))
    cli("reconcile", str(file))
    times = file.stat().st_atime_ns, file.stat().st_mtime_ns
    file.write_text(text)
    os.utime(file, ns=times)
    assert cli.run("check", str(file)).stdout == said
    assert cli("--allow-empty", "reconcile", str(file)) == said


def test_a_change_of_the_question_is_noticed(cli: Command, declare: Declare) -> None:
    """What was true of one main, or of another mark, is not taken for an answer on all."""
    file = declare("lo:0 192.0.2.1", "eth9:0 10.0.0.1 kind macvlan")
    cli("--only", "lo", "reconcile", file)
    cli.silent("--only", "lo", "reconcile", file)
    checks(cli, file, "+ eth9:0 10.0.0.1/32 macvlan", SET)
    cli("reconcile", file)
    in_sync(cli, file)
    done = cli.run("--group", "77", "check", file)
    assert (done.returncode, done.stdout) == (DRIFT, "")
    assert "eth9_0, which netalias did not make" in one_line(done.stderr, "netalias: ")


def with_run(cli: Command, where: str, verb: str, file: str) -> tuple[int, str, str]:
    """The status and the output of *verb* with another /run, mounted by *where*."""
    words = ["unshare", "-m", "sh", "-c", f'{where} && exec "$@"', "sh", *command(verb, file)]
    done = cli.namespace.run(words, check=False)
    return done.returncode, done.stdout, done.stderr


def test_where_nothing_is_remembered(cli: Command, declare: Declare) -> None:
    """With /run emptied between two runs it works all the same."""
    file = declare("lo:0 192.0.2.1")

    def run(verb: str) -> tuple[int, str, str]:
        return with_run(cli, "mount -t tmpfs tmpfs /run", verb, file)

    assert run("reconcile") == (DONE, "+ lo:0 192.0.2.1/32 label\n", "")
    for verb in ("reconcile", "check", "reconcile"):
        assert run(verb) == (DONE, "", "")
    cli.namespace.ip("addr del 192.0.2.1/32 dev lo")
    assert run("check") == (DRIFT, "+ lo:0 192.0.2.1/32 label\n", "")
    assert run("reconcile") == (DONE, "+ lo:0 192.0.2.1/32 label\n", "")


def test_where_nothing_can_be_locked(cli: Command, declare: Declare, tmp_path: Path) -> None:
    """With /run read-only nothing is changed, unless another place is named."""
    file = declare("lo:0 192.0.2.1")
    read_only = "mount -t tmpfs -o ro tmpfs /run"
    status, out, err = with_run(cli, read_only, "reconcile", file)
    assert (status, out) == (REFUSED, "")
    assert "Read-only file system (NETALIAS_RUNTIME=FOLDER names another place)" in err
    assert cli.names() == []
    named = f"{read_only} && export NETALIAS_RUNTIME={tmp_path}"
    added = "+ lo:0 192.0.2.1/32 label\n"
    assert with_run(cli, named, "reconcile", file) == (DONE, added, "")


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 64, bytes(range(256)) * 9])
def test_a_spoilt_fingerprint_is_no_answer(cli: Command, declare: Declare, content: bytes) -> None:
    """Whatever stands in the file, it is compared, and written anew."""
    file = declare("lo:0 192.0.2.1")
    cli("reconcile", file)
    cli("reconcile", file)
    kept = lock_file(cli.namespace).parent / "fingerprint"
    good = kept.read_bytes()
    kept.write_bytes(content)
    cli.namespace.ip("addr del 192.0.2.1/32 dev lo")
    reconciles(cli, file, "+ lo:0 192.0.2.1/32 label")
    assert kept.read_bytes() != content
    assert good
