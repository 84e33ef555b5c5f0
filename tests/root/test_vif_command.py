"""``netalias vif0``: by hand, with a watcher and without, and what is shown of it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import pytest
from command import COMMAND, Command
from support import PATIENCE, SLOW, until
from tunnelled import OUTER, cable
from watcher import watching

LINE = f"vif0 198.51.100.7/24 to {OUTER[1]} carriage udp:7777"
WORDS = LINE.split()
SILENT = f"netalias: vif0: {OUTER[1]} has nothing that listens there for UDP"
"""The line about a peer without a tunnel."""


@pytest.fixture
def host(cli: Command) -> Iterator[Command]:
    """A host on a cable; tunnels that are left behind are ended."""
    assert cli.namespace.peer is not None
    cable(cli.namespace, cli.namespace.peer)
    yield cli
    cli.run("vif0-", "--absent-ok")


def rules(host: Command) -> str:
    """The rules of tunnels."""
    return host.namespace.ip("rule show pref 32700")


def up(host: Command) -> bool:
    """Whether the tunnel is recorded as one that is carried."""
    found = json.loads(host("-j", "show", "tunnels"))
    return bool(found) and found[0]["state"] == "up"


def test_in_the_foreground_until_it_is_ended(host: Command) -> None:
    """By a signal or by vif0-; nothing is left, and a second one of the name is refused."""
    for way in ("signal", "command"):
        running = host.namespace.start([*COMMAND, *WORDS], stdout=PIPE, stderr=PIPE)
        until(lambda: up(host))
        assert "from 198.51.100.7" in rules(host)
        said = host.fails(2, *WORDS)
        assert said == f"netalias: vif0: pid {running.pid} carries it (netalias vif0- ends that)"
        if way == "signal":
            running.send_signal(signal.SIGINT)
        else:
            host.silent("vif0-")
        out, err = running.communicate(timeout=PATIENCE * SLOW)
        assert (out, set(err.splitlines()) - {SILENT}) == ("", set())
        assert running.returncode == 0
        assert rules(host) == ""
        assert "vif0" not in host.namespace.names()
    assert host.fails(2, "vif0-") == "netalias: vif0: no such tunnel (netalias show tunnels)"
    host.silent("vif0-", "--absent-ok")


def test_detached_it_stays_behind(host: Command) -> None:
    """The command returns when it stands; a fault is that of the command."""
    host.silent(*WORDS, "--detach")
    (found,) = json.loads(host("-j", "vif"))
    assert (found["state"], found["mtu"], found["to"]) == ("up", 1464, OUTER[1])
    assert found["counters"]["sent_packets"] == 0
    assert os.readlink(f"/proc/{found['pid']}/cwd") == "/"
    assert host("save") == f"{LINE}\n"
    assert host.run("vif1", *WORDS[1:], "--detach").returncode == 2
    os.kill(found["pid"], signal.SIGKILL)
    until(lambda: "vif0" not in host.namespace.names())
    assert "from 198.51.100.7" in rules(host)
    host.silent("vif0-", "--absent-ok")
    assert rules(host) == ""


def test_what_is_shown(host: Command) -> None:
    """A table of all, and one in detail: C-2, the flags of VIF beside those that it has."""
    assert host("show", "tunnels") == host("vif") == ""
    host.silent(*WORDS, "--detach")
    head, row = host("show", "tunnels").splitlines()
    assert head.split() == [
        "DEVICE", "ADDRESS", "TO", "CARRIAGE", "MTU", "STATE", "SENT", "RECEIVED", "DROPPED"
    ]  # fmt: skip
    assert row.split()[:6] == ["vif0", "198.51.100.7/24", OUTER[1], "udp:7777", "1464", "up"]
    for words in (["show", "vif0"], ["vif0"], ["vif", "vif0"]):
        lines = host(*words).splitlines()
        assert lines[0] == f"vif0: {LINE}"
        (flags,) = (line.split() for line in lines if "flags" in line)
        assert flags[1:] == [
            "<UP,POINTOPOINT,NOARP,MULTICAST,LOWER_UP>,", "of", "VIF", "<LOOPBACK,NOARP,UP>"
        ]  # fmt: skip
    assert host.fails(2, "vif7") == "netalias: vif7: no such tunnel (netalias show tunnels)"


def test_a_running_watcher_does_it(host: Command, tmp_path: Path) -> None:
    """The command returns when the tunnel stands; save has the line, and vif0- ends it. What the
    watcher cannot make is an error of the command, and asked for no longer."""
    with watching(host.namespace, tmp_path / "net", "/dev/null"):
        host.silent(*WORDS)
        assert up(host)
        assert host("save") == f"{LINE}\n"
        (found,) = json.loads(host("-j", "show", "vif0"))
        assert found["plane"] != found["pid"]
        host.silent("vif0-")
        assert "vif0" not in host.namespace.names()
        assert host("save") == ""
        host.namespace.ip("tuntap add dev vif0 mode tun")
        said = "netalias: vif0: there is a device of this name (ip link del vif0)"
        assert host.fails(2, *WORDS) == said
        assert host("save") == ""


def test_many_tunnels_over_one_port(host: Command, tmp_path: Path) -> None:
    """To different peers they may, since each socket hears its own; what cannot be told apart is
    refused by name, and a tunnel that cannot be changed stays as it was."""
    with watching(host.namespace, tmp_path / "net", "/dev/null"):
        host.silent(*WORDS)
        peers = [OUTER[1], "10.9.0.3"]
        host.silent("vif1", "198.51.100.8", "to", peers[1], "carriage", "udp:7777")
        assert [one["state"] for one in json.loads(host("-j", "vif"))] == ["up", "up"]
        assert host.fails(2, "vif2", "198.51.100.9", *WORDS[2:]) == (
            f"netalias: vif2: to {OUTER[1]} carriage udp:7777: vif0 receives this already"
            " (another port tells two tunnels apart)"
        )
        said = host.fails(2, "vif1", "198.51.100.7", "to", "10.9.0.4", "carriage", "udp:7777")
        assert said == "netalias: vif1: 198.51.100.7 is that of vif0"
        with host.namespace:
            taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with taken:
            taken.bind(("", 7779))
            said = host.fails(2, "vif1", "198.51.100.8", "to", "10.9.0.4", "carriage", "udp:7779")
        assert said == (
            "netalias: vif1: udp port 7779: Address already in use"
            " (who has it: ss -lunp 'sport = :7779')"
        )
        until(lambda: [one["to"] for one in json.loads(host("-j", "vif"))] == peers)
        assert host("save").count("\n") == 2


def test_that_of_a_file_is_not_ended_by_hand(host: Command, tmp_path: Path) -> None:
    """Another line by hand goes before it, until that is ended."""
    file = tmp_path / "f"
    file.write_text(f"{LINE}\n")
    with watching(host.namespace, tmp_path / "net", str(file)):
        assert host.fails(2, "vif0-") == (
            "netalias: vif0: a file declares it (take its line out, and watch ends it)"
        )
        other = [*WORDS[:-1], "udp:7778"]
        host.silent(*other)
        assert json.loads(host("-j", "vif"))[0]["port"] == 7778
        done = host.run("check", str(file))
        assert done.returncode == 3
        assert "gives way to what was asked for by hand (netalias vif0-)" in done.stderr
        host.silent("vif0-")
        until(lambda: json.loads(host("-j", "vif"))[0]["port"] == 7777)
        assert "by hand" not in host.run("check", str(file)).stderr


def test_a_dry_run_changes_nothing(host: Command) -> None:
    """It prints the line; as JSON the change."""
    assert host("--dry-run", *WORDS) == f"{LINE}\n"
    (found,) = json.loads(host("-j", "--dry-run", *WORDS))
    assert (found["change"], found["local"]) == ("carry", "198.51.100.7")
    assert "vif0" not in host.namespace.names()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["vif0", "198.51.100.7"], "vif0: to PEER is missing (vif0 198.51.100.7 to 203.0.113.9"
         " carriage udp)"),
        (["vif300", "198.51.100.7"], "vif300: not the name of a tunnel (vif0 to vif255)"),
        (["vif300-"], "vif300-: a name such as vif0- ends one tunnel"),
        (["vif", "eth0", "198.51.100.7"], "eth0: not the name of a tunnel (vif0 to vif255)"),
    ],
)  # fmt: skip
def test_wrong_words(host: Command, words: list[str], said: str) -> None:
    """Exit status 1, before anything is asked for."""
    assert host.fails(1, *words) == f"netalias: {said}"


def test_it_has_no_place_in_a_batch(host: Command) -> None:
    """Which holds the lock."""
    done = host.namespace.run([*COMMAND, "batch", "-"], input=f"vif {LINE}\n", check=False)
    assert done.returncode != 0
    assert "vif has no place in a batch" in done.stderr
