"""Declared lines of tunnels: their words, what two of them may not share, and their JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import Command
from test_desired_declarations import parse, wrong

from netalias.desired.tunnels import UNITS, Vif, unit_of
from netalias.runtime import instance
from netalias.runtime import tasks as record

OUTER = "to 203.0.113.9 carriage udp:7777"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("vif0 198.51.100.7 to 203.0.113.9 carriage udp", f"vif0 198.51.100.7/32 {OUTER}"),
        ("vif0 198.51.100.7/24 carriage udp:7777 to 203.0.113.9",
         f"vif0 198.51.100.7/24 {OUTER}"),
        ("vif255\t2001:DB8::7 mtu 1400 to passive carriage ipip94 # moved here",
         "vif255 2001:db8::7/128 to passive carriage ipip94 mtu 1400"),
        ("vif1 198.51.100.7 to 2001:db8:0::9 carriage wireguard key /etc/netalias/k",
         "vif1 198.51.100.7/32 to 2001:db8::9 carriage wireguard:51820 key /etc/netalias/k"),
        ("vif2 198.51.100.7 to 203.0.113.9 carriage ipip mtu 576",
         "vif2 198.51.100.7/32 to 203.0.113.9 carriage ipip mtu 576"),
    ],
)  # fmt: skip
def test_a_line_says_the_same_as_its_whole_text(line: str, text: str) -> None:
    """The words come in any order, and what is left open is filled."""
    found = parse(f"eth0:0 10.0.0.1\n{line}\neth0:1 10.0.0.2")
    assert not found.errors
    (task,) = found.tasks
    assert isinstance(task, Vif)
    assert (task.text, task.place, task.main) == (text, "f:2", text.split()[0])
    (again,) = parse(text).tasks
    assert again.fields() == task.fields()
    assert again.text == text


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("vif256 198.51.100.7 " + OUTER,
         "f:1:1: vif256: not the name of a tunnel (vif0 to vif255)"),
        ("vif00 198.51.100.7 " + OUTER, "f:1:1: vif00: not the name of a tunnel (vif0 to vif255)"),
        ("vif0", "f:1:1: vif0: the address is missing (vif0 198.51.100.7 to 203.0.113.9 carriage"
         " udp)"),
        ("vif0 198.51.100.7",
         "f:1:6: vif0: to PEER is missing (vif0 198.51.100.7 to 203.0.113.9 carriage udp)"),
        ("vif0 198.51.100 " + OUTER, "f:1:6: vif0: 198.51.100: not an IPv4 address"),
        ("vif0 127.0.0.1 " + OUTER, "f:1:6: vif0: 127.0.0.1: a loopback address"),
        ("vif0 0.0.0.0 " + OUTER, "f:1:6: vif0: 0.0.0.0: not the address of one host"),
        ("vif0 255.255.255.255 " + OUTER,
         "f:1:6: vif0: 255.255.255.255: not the address of one host"),
        ("vif0 198.51.100.7 to",
         "f:1:19: vif0: to: the address of the peer, or passive, is needed"),
        ("vif0 198.51.100.7 to relay.example carriage udp",
         "f:1:22: vif0: to: relay.example: not an IPv4 address"),
        ("vif0 198.51.100.7 to 203.0.113.9/24 carriage udp",
         "f:1:22: vif0: to: 203.0.113.9/24: an address without a prefix length is needed"),
        ("vif0 198.51.100.7 to 198.51.100.7 carriage udp",
         "f:1:1: vif0: the peer 198.51.100.7 cannot be its own address"),
        ("vif0 198.51.100.7 to 203.0.113.9",
         "f:1:22: vif0: carriage is missing (one of: ipip94 ipip udp wireguard)"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage gre",
         "f:1:43: vif0: carriage: gre: unknown (one of: ipip94 ipip udp wireguard)"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage ipip:4",
         "f:1:43: vif0: carriage: ipip:4: ipip has no ports"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage udp:0",
         "f:1:43: vif0: carriage: udp:0: a port from 1 to 65535 is needed"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage udp:65536",
         "f:1:43: vif0: carriage: udp:65536: a port from 1 to 65535 is needed"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage udp mtu 575",
         "f:1:51: vif0: mtu: 575: bytes from 576 to 65535 needed"),
        ("vif0 2001:db8::7 to 203.0.113.9 carriage udp mtu 1279",
         "f:1:1: vif0: mtu 1279: IPv6 needs at least 1280 bytes"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage ipip key /k",
         "f:1:52: vif0: key: carriage ipip cannot have one (one of: udp wireguard)"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage wireguard",
         "f:1:43: vif0: carriage wireguard: key FILE is needed (a file as wg setconf reads it)"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage udp key k",
         "f:1:51: vif0: key: k: the absolute path of a file is needed"),
        ("vif0 198.51.100.7 to 203.0.113.9 to 203.0.113.9",
         "f:1:34: vif0: to: said twice (one of: to carriage mtu key)"),
        ("vif0 198.51.100.7 via 203.0.113.9",
         "f:1:19: vif0: via: not a word of this line (one of: to carriage mtu key)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_word(line: str, error: str) -> None:
    """Each error names the line and the column of the word."""
    assert wrong(line) == [error]


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        ("vif0 198.51.100.8 to 203.0.113.8 carriage ipip", "",
         "g:1:1: vif0 is already declared at f:1"),
        ("vif1 198.51.100.7 to 203.0.113.8 carriage ipip", "",
         "g:1:1: vif1: 198.51.100.7 is that of vif0 (f:1)"),
        ("vif1 198.51.100.8 to 203.0.113.9 carriage udp", "",
         "g:1:1: vif1: to 203.0.113.9 carriage udp:7777: vif0 receives this already (f:1)"
         " (another port tells two tunnels apart)"),
        ("vif1 198.51.100.8 to passive carriage ipip", "vif2 198.51.100.9 to 203.0.113.9 carriage"
         " ipip", "g:2:1: vif2: to 203.0.113.9 carriage ipip: vif1 receives this already (g:1)"),
        ("eth0:0 198.51.100.7", "", "f:1:1: vif0: 198.51.100.7 is declared at g:1 (eth0:0)"),
    ],
)  # fmt: skip
def test_two_that_cannot_be_told_apart(one: str, other: str, said: str) -> None:
    """A name, an address, and the way by which packets come in belong to one line."""
    assert wrong(f"vif0 198.51.100.7 {OUTER}", f"{one}\n{other}") == [said]


def test_many_that_can_be_told_apart() -> None:
    """By the carriage, by its port, or by the peer."""
    lines = [
        "vif0 198.51.100.1 to passive carriage udp:1",
        "vif1 198.51.100.2 to passive carriage udp:2",
        "vif2 198.51.100.3 to passive carriage ipip94",
        "vif3 198.51.100.4 to 203.0.113.1 carriage ipip",
        "vif4 198.51.100.5 to 203.0.113.2 carriage ipip",
        "vif5 198.51.100.6 to 203.0.113.1 carriage udp:3",
        "vif6 198.51.100.7 to 203.0.113.2 carriage udp:3",
    ]
    found = parse("\n".join(lines))
    assert not found.errors
    assert len(found.tasks) == len(lines)


@pytest.mark.parametrize(
    ("name", "unit"),
    [("vif0", 0), ("vif255", UNITS - 1), ("vif256", -1), ("vif", -1), ("vif-1", -1), ("vif01", -1),
     ("eth0", -1), ("vif1.0", -1), ("0", -1)],
)  # fmt: skip
def test_names(name: str, unit: int) -> None:
    """C-6: up to 256, each number with one spelling; the vif1.0 of Xen is a device of others."""
    assert unit_of(name) == unit


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a kernel in memory."""
    return Command(capsys)


def test_it_waits_for_a_watcher(run: Command, tmp_path: Path) -> None:
    """As any line of its kind: check ends with 3, reconcile with 2; one sentence says why."""
    file = tmp_path / "f"
    file.write_text(f"eth0:0 10.0.0.1/24\nvif0 198.51.100.7 {OUTER}\n")
    said = f"netalias: vif0 ({file}:2) waits for a watcher (netalias watch)\n"
    assert run.run(["check", str(file)], 3)[1] == said
    assert run.run(["reconcile", str(file)], 2)[1] == said
    fields = {
        "ifname": "vif0", "tunnel": "vif", "family": "inet", "local": "198.51.100.7",
        "prefixlen": 32, "to": "203.0.113.9", "carriage": "udp", "port": 7777,
        "place": f"{file}:2",
    }  # fmt: skip
    out, _ = run.run(["-j", "check", str(file)], 3)
    assert json.loads(out) == [{"change": "unwatched", **fields}]
    _, task = json.loads(run("-j", "check", "--syntax", str(file)))
    assert task == fields


def test_the_record_of_tunnels_stands_beside_the_others(tmp_path: Path) -> None:
    """Each part of a watcher writes its own lines."""
    folder = str(tmp_path)
    keeping, tunnel = "eth0 iface-alias kernel keep 1 max 1", f"vif0 198.51.100.7/32 {OUTER}"
    with instance.Instance(folder):
        record.write(folder, [keeping])
        record.write(folder, [tunnel], record.TUNNELS)
        assert record.carried_out(folder) == [keeping, tunnel]
        record.write(folder, [])
        assert record.carried_out(folder) == [tunnel]
