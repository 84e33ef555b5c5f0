"""Declared relays: their words, what two of them may not share, their names and their JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import Command
from test_desired_declarations import parse, wrong

from netalias.desired.relays import MOST, Relay, name, read
from netalias.errors import AlreadyExists
from netalias.model import AF_INET, AF_INET6

OUTER = "to passive carriage udp:7777"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("relay 198.51.100.7 on eth0 carriage udp", f"relay 198.51.100.7 on eth0 {OUTER}"),
        ("relay 198.51.100.7/32 on eth0 to passive carriage udp:7777 # moved",
         f"relay 198.51.100.7 on eth0 {OUTER}"),
        ("relay\t198.51.100.16/28,2001:DB8:7::/64,2001:db8:8::0 on br-lan carriage ipip94"
         " to 203.0.113.9",
         "relay 198.51.100.16/28,2001:db8:7::/64,2001:db8:8:: on br-lan to 203.0.113.9 carriage"
         " ipip94"),
        ("relay 64:ff9b::/96 on eth0 mtu 1280 carriage wireguard key /k",
         "relay 64:ff9b::/96 on eth0 to passive carriage wireguard:51820 mtu 1280 key /k"),
        ("relay 10.0.0.0/8 on eth0 mtu 576 carriage ipip to 2001:db8::9",
         "relay 10.0.0.0/8 on eth0 to 2001:db8::9 carriage ipip mtu 576"),
    ],
)  # fmt: skip
def test_a_line_says_the_same_as_its_whole_text(line: str, text: str) -> None:
    """A relay that names no peer is passive; prefixes have one spelling."""
    found = parse(f"eth0:0 10.7.0.1\n{line}\neth0:1 10.7.0.2")
    assert not found.errors
    (task,) = found.tasks
    assert isinstance(task, Relay)
    assert (task.text, task.place, task.main) == (text, "f:2", text.split()[3])
    (again,) = parse(text).tasks
    assert again.fields() == task.fields()
    assert again.text == text


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("relay", "f:1:1: relay: a prefix is missing (relay 198.51.100.7 on eth0 to passive"
         " carriage udp)"),
        ("relay 198.51.100 on eth0 carriage udp",
         "f:1:7: relay 198.51.100: 198.51.100: not an IPv4 address"),
        ("relay 198.51.100.7, on eth0 carriage udp", "f:1:7: relay 198.51.100.7,: a prefix is"
         " missing (relay 198.51.100.7 on eth0 to passive carriage udp)"),
        ("relay 198.51.100.7/24 on eth0 carriage udp",
         "f:1:7: relay 198.51.100.7/24: 198.51.100.7/24: not the first address of its network"
         " (198.51.100.0/24, or 198.51.100.7 for one address)"),
        ("relay 0.0.0.0/0 on eth0 carriage udp", "f:1:7: relay 0.0.0.0/0: 0.0.0.0/0: a prefix of"
         " at least 8 bits is needed"),
        ("relay 2000::/3 on eth0 carriage udp",
         "f:1:7: relay 2000::/3: 2000::/3: a prefix of at least 8 bits is needed"),
        ("relay 127.0.0.0/8 on eth0 carriage udp",
         "f:1:7: relay 127.0.0.0/8: 127.0.0.0/8: this is not routed to another link"),
        ("relay 169.254.0.0/16 on eth0 carriage udp",
         "f:1:7: relay 169.254.0.0/16: 169.254.0.0/16: this is not routed to another link"),
        ("relay ::1 on eth0 carriage udp", "f:1:7: relay ::1: ::1: this is not routed to another"
         " link"),
        ("relay fe80::5 on eth0 carriage udp",
         "f:1:7: relay fe80::5: fe80::5: this is not routed to another link"),
        ("relay 255.255.255.255 on eth0 carriage udp", "f:1:7: relay 255.255.255.255:"
         " 255.255.255.255: this is not routed to another link"),
        ("relay 10.0.0.1,10.0.0.0/30 on eth0 carriage udp",
         "f:1:7: relay 10.0.0.1,10.0.0.0/30: 10.0.0.0/30 is given twice"),
        ("relay 10.0.0.1", "f:1:7: relay 10.0.0.1: on DEVICE is missing (relay 198.51.100.7 on"
         " eth0 to passive carriage udp)"),
        ("relay 10.0.0.1 dev eth0", "f:1:16: relay 10.0.0.1: on DEVICE is missing (relay"
         " 198.51.100.7 on eth0 to passive carriage udp)"),
        ("relay 10.0.0.1 on e/0 carriage udp",
         "f:1:19: relay 10.0.0.1: e/0: 'e/0' cannot be the name of a device"),
        ("relay 10.0.0.1 on eth0",
         "f:1:19: relay 10.0.0.1: carriage is missing (one of: ipip94 ipip udp wireguard)"),
        ("relay 10.0.0.1 on eth0 carriage gre", "f:1:33: relay 10.0.0.1: carriage: gre: unknown"
         " (one of: ipip94 ipip udp wireguard)"),
        ("relay 10.0.0.1 on eth0 via vif0", "f:1:24: relay 10.0.0.1: via: not a word of this line"
         " (one of: to carriage mtu key)"),
        ("relay 10.0.0.0/28 on eth0 to 10.0.0.9 carriage udp",
         "f:1:1: relay 10.0.0.0/28: the peer 10.0.0.9 is one of them itself"),
        ("relay 10.0.0.1,2001:db8::1 on eth0 carriage udp mtu 1279",
         "f:1:1: relay 10.0.0.1,2001:db8::1: mtu 1279: IPv6 needs at least 1280 bytes"),
        ("relai 10.0.0.1 on eth0 carriage udp",
         "f:1:1: relai: not an alias name (did you mean relay?)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_word(line: str, error: str) -> None:
    """Each error names the line and the column of the word."""
    assert wrong(line) == [error]


def test_a_line_has_a_limit() -> None:
    """Each prefix is a route, so a line does not make any number of them."""
    some = [f"10.0.{number >> 8}.{number & 255}" for number in range(MOST + 1)]
    assert not parse(f"relay {','.join(some[:MOST])} on eth0 carriage udp").errors
    (error,) = wrong(f"relay {','.join(some)} on eth0 carriage udp")
    assert error == "f:1:7: relay: 256 prefixes at most in one line"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("relay 198.51.100.0/24 on eth1 carriage udp:1",
         "g:1:1: relay 198.51.100.0/24: 198.51.100.0/24 is in relay 198.51.100.7 too (f:1)"),
        ("relay 198.51.100.7 on eth1 carriage udp:1",
         "g:1:1: relay 198.51.100.7 is already declared at f:1"),
        ("relay 10.0.0.1 on eth1 carriage udp", "g:1:1: relay 10.0.0.1: to passive carriage"
         " udp:7777: relay 198.51.100.7 receives this already (f:1) (another port tells two tunnels"
         " apart)"),
        ("vif0 10.0.0.1 to 203.0.113.9 carriage udp", "g:1:1: vif0: to 203.0.113.9 carriage"
         " udp:7777: relay 198.51.100.7 receives this already (f:1) (another port tells two tunnels"
         " apart)"),
        ("vif0 198.51.100.7 to 203.0.113.9 carriage ipip",
         "g:1:1: vif0: 198.51.100.7 is that of relay 198.51.100.7 (f:1)"),
        ("eth0:0 198.51.100.7",
         "f:1:1: relay 198.51.100.7: 198.51.100.7 is declared at g:1 (eth0:0)"),
    ],
)  # fmt: skip
def test_two_that_contradict_each_other(line: str, said: str) -> None:
    """An address is relayed once, and is not that of this host."""
    assert wrong("relay 198.51.100.7 on eth0 carriage udp", line) == [said]


def test_one_that_was_made_by_hand_has_no_place() -> None:
    """It is named without the line of a file."""
    one, other = (read(["relay", prefix, *f"on eth0 {OUTER}".split()])
                  for prefix in ("198.51.100.7", "198.51.100.0/24"))  # fmt: skip
    with pytest.raises(AlreadyExists) as error:
        other.apart_from([one])
    assert str(error.value) == (
        "relay 198.51.100.0/24: 198.51.100.0/24 is in relay 198.51.100.7 too"
    )


def test_a_host_may_keep_an_address_of_a_relayed_network() -> None:
    """The network is relayed but for what the host itself has in it."""
    found = parse("relay 198.51.100.0/24 on eth0 carriage udp\neth0:0 198.51.100.1/24")
    assert not found.errors


def test_prefixes() -> None:
    """What is in them, of which family, and whether it is one address."""
    (relay,) = parse("relay 10.0.0.0/30,2001:db8::1 on eth0 carriage udp").tasks
    assert isinstance(relay, Relay)
    network, single = relay.prefixes
    assert (network.family, network.single, network.text) == (AF_INET, False, "10.0.0.0/30")
    assert (single.family, single.single, single.text) == (AF_INET6, True, "2001:db8::1")
    inside = [last for last in range(256) if bytes((10, 0, 0, last)) in relay]
    assert inside == [0, 1, 2, 3]
    assert single.network in relay
    assert bytes(16) not in relay


def relays(*addresses: str) -> list[Relay]:
    """A relay of each address."""
    lines = [f"relay {one} on eth0 carriage udp:{port}" for port, one in enumerate(addresses, 1)]
    return [one for one in parse("\n".join(lines)).tasks if isinstance(one, Relay)]


def test_names_stay() -> None:
    """A relay keeps its name as long as it is declared; another one gets the first that is free."""
    first = relays("10.0.0.1", "10.0.0.2", "10.0.0.3")
    name(first, [])
    assert [one.name for one in first] == ["relay0", "relay1", "relay2"]
    then = relays("10.0.0.9", "10.0.0.3", "10.0.0.1", "10.0.0.8")
    name(then, first)
    assert [one.name for one in then] == ["relay1", "relay2", "relay0", "relay3"]


def test_names_of_other_processes_are_theirs() -> None:
    """What another process carries has its name; one of the same prefixes is called the same."""
    others = relays("10.0.0.7", "10.0.0.2")
    name(others, [])
    given = relays("10.0.0.1", "10.0.0.2", "10.0.0.3")
    name(given, [], others)
    assert [one.name for one in given] == ["relay2", "relay1", "relay3"]


def test_it_waits_for_a_watcher(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """As any line of its kind: check ends with 3, reconcile with 2; one sentence says why."""
    run, file = Command(capsys), tmp_path / "f"
    file.write_text("relay 198.51.100.7,2001:db8::/64 on eth0 carriage udp mtu 1400 key /k\n")
    title = "relay 198.51.100.7,2001:db8::/64"
    said = f"netalias: {title} ({file}:1) waits for a watcher (netalias watch)\n"
    assert run.run(["check", str(file)], 3)[1] == said
    assert run.run(["reconcile", str(file)], 2)[1] == said
    fields = {
        "tunnel": "relay", "ifname": "eth0", "prefixes": ["198.51.100.7", "2001:db8::/64"],
        "to": "passive", "carriage": "udp", "port": 7777, "mtu": 1400, "key": "/k",
        "place": f"{file}:1",
    }  # fmt: skip
    out, _ = run.run(["-j", "check", str(file)], 3)
    assert json.loads(out) == [{"change": "unwatched", **fields}]
    (task,) = json.loads(run("-j", "check", "--syntax", str(file)))
    assert task == fields
