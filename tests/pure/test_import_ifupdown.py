"""interfaces(5) as lines of the file grammar: the aliases that ifup(8) would make."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.desired.declarations import parse as declared
from netalias.families import lazy
from netalias.importers import Imported, ifupdown
from netalias.importers.slots import rows
from netalias.model.names import printable

ROOT = Path(ifupdown.__file__).parents[3]


def found(text: str) -> Imported:
    addresses, notes = ifupdown.convert(ifupdown.parse(text, "f"))
    return Imported(rows(addresses, notes), notes)


def stanza(*options: str, head: str = "eth0:0 inet static") -> str:
    """An alias that is brought up at boot."""
    return "\n".join(["auto eth0:0", f"iface {head}", *(f"    {line}" for line in options)])


def line(*options: str, head: str = "eth0:0 inet static") -> str:
    """The words of the only line; nothing must have been noted."""
    result = found(stanza(*options, head=head))
    assert result.notes == []
    (only,) = result.lines
    words, _, place = only.partition("   # ")
    assert place == "f:2"
    return " ".join(words.split())


def notes(*options: str, head: str = "eth0:0 inet static") -> list[str]:
    return found(stanza(*options, head=head)).notes


def tree(root: Path, **files: str) -> None:
    """Files by path below /etc/network, ``__`` for a slash, and the first one is the main one."""
    for name, text in files.items():
        path = root / "etc/network" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def alias(slot: int) -> str:
    return f"auto lo:{slot}\niface lo:{slot} inet static\n address 192.0.2.{slot}/32\n"


def slots(result: Imported) -> list[str]:
    return [text.split()[0] for text in result.lines]


# One stanza ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["address 200.1.1.1/24"], "200.1.1.1/24 kind label"),
        (["address 200.1.1.1", "netmask 255.255.0.0"], "200.1.1.1/16 kind label"),
        (["address 200.1.1.1", "netmask 27"], "200.1.1.1/27 kind label"),
        (["netmask 16", "address 200.1.1.1/24"], "200.1.1.1/16 kind label"),
        (["address 200.1.1.1/255.255.255.0"], "200.1.1.1/24 kind label"),
        (["address 10.0.0.1"], "10.0.0.1/8 kind label"),
        (["address 127.9.9.9"], "127.9.9.9/8 kind label"),
        (["address 128.0.0.1"], "128.0.0.1/16 kind label"),
        (["address 192.0.2.1"], "192.0.2.1/24 kind label"),
        (["address 240.0.0.1"], "240.0.0.1/32 kind label broadcast 240.0.0.1"),
        (["address 10.0.0.1/24   # here"], "10.0.0.1/24 kind label"),
        (["address 10.0.0.1/024"], "10.0.0.1/24 kind label"),
        (["address 10.0.0.1/24", "network 10.0.0.0"], "10.0.0.1/24 kind label"),
        (["address 10.0.0.1/24", "broadcast +"], "10.0.0.1/24 kind label"),
        (["address 10.0.0.1/24", "broadcast -"], "10.0.0.1/24 kind label broadcast 10.0.0.0"),
        (["address 10.0.0.1/24", "broadcast 0.0.0.0"], "10.0.0.1/24 kind label -broadcast"),
        (["address 10.0.0.1/30"], "10.0.0.1/30 kind label"),
        (["address 10.0.0.1/31"], "10.0.0.1/31 kind label broadcast 255.255.255.255"),
        (["address 10.0.0.1/31", "broadcast -"], "10.0.0.1/31 kind label"),
        (["address 10.0.0.1/32"], "10.0.0.1/32 kind label broadcast 10.0.0.1"),
        (["address 10.0.0.1", "netmask 31"], "10.0.0.1/31 kind label"),
        (["address 10.0.0.1", "netmask 32"], "10.0.0.1/32 kind label"),
        (["address 10.0.0.1", "netmask 24", "broadcast -"],
         "10.0.0.1/24 kind label broadcast 10.0.0.0"),
        (["address 10.0.0.1/24", "broadcast 10.0.0.9"],
         "10.0.0.1/24 kind label broadcast 10.0.0.9"),
        (["address 10.0.0.1", "pointopoint 10.0.0.2"],
         "10.0.0.1/32 kind label pointopoint 10.0.0.2 broadcast 10.255.255.255"),
        (["address 10.0.0.1/24", "pointopoint 10.0.0.2/30"],
         "10.0.0.1/30 kind label pointopoint 10.0.0.2 broadcast 10.0.0.255"),
        (["address 10.0.0.1", "netmask 24", "pointopoint 10.0.0.2/30"],
         "10.0.0.1/30 kind label pointopoint 10.0.0.2 broadcast 10.0.0.3"),
        (["address 10.0.0.1", "netmask 24", "pointopoint 10.0.0.2"],
         "10.0.0.1/32 kind label pointopoint 10.0.0.2"),
    ],
)  # fmt: skip
def test_inet(options: list[str], words: str) -> None:
    """As ifup 0.8.41 calls ip(8): netmask before /LEN before the class; a peer has the length.
    The broadcast address is that of ifup, or of ip(8) beside a number as netmask."""
    assert line(*options) == f"eth0:0 {words}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["address 2001:db8::1/64"], "2001:db8::1/64"),
        (["address 2001:db8::1"], "2001:db8::1/128"),
        (["address 2001:db8::1/48", "netmask 64"], "2001:db8::1/64"),
    ],
)
def test_inet6(options: list[str], words: str) -> None:
    """IPv6 has no classes: without a length it is one address. ifup gives every IPv6 address of an
    alias the preferred lifetime 0."""
    assert line(*options, head="eth0:0 inet6 static") == (f"eth0:0 {words} kind label deprecated")


@pytest.mark.parametrize(
    ("head", "option", "why"),
    [
        ("inet", "address 10.0.0.256/24", "not an IPv4 address"),
        ("inet", "address 010.0.0.1/24", "not an IPv4 address"),
        ("inet", "address 2001:db8::1/64", "not an IPv4 address"),
        ("inet", "address host.example", "not an IPv4 address"),
        ("inet", "address 224.0.0.1/24", "a multicast address cannot be an alias"),
        ("inet", "address 0.0.0.0/24", "cannot be the address of an alias"),
        ("inet", "address 10.0.0.1/33", "a prefix length is a number from 0 to 32"),
        ("inet", "address 10.0.0.1   # here", "not an IPv4 address"),
        ("inet", "address 10.0.0.1 /24", "not an IPv4 address"),
        ("inet", "address 10.0.0.1/255.0.0.0   # here", "nothing may follow a dotted mask"),
        ("inet6", "address 2001:db8::1/64   # here", "a prefix length is a number from 0 to 128"),
        ("inet6", "address 2001:db8::1/064", "an octal number"),
        ("inet", "address 10.0.0.1/255.0.255.0", "not a netmask"),
        ("inet", "netmask 24", "there is no address"),
        ("inet6", "address 10.0.0.1/24", "not an IPv6 address"),
        ("inet6", "address 2001:db8::1/129", "a prefix length is a number from 0 to 128"),
        ("inet6", "address 2001:db8::1/255.0.0.0", "a prefix length is a number from 0 to 128"),
    ],
)
def test_bad_address(head: str, option: str, why: str) -> None:
    """A wrong address becomes a note with place and name, and no line."""
    result = found(stanza(option, head=f"eth0:0 {head} static"))
    (note,) = result.notes
    assert result.lines == []
    assert note.startswith("f:2: eth0:0: ")
    assert why in note


def test_bad_broadcast_and_peer() -> None:
    """The other addresses are checked as those of a command are."""
    assert "broadcast x: not an IPv4 address" in notes("address 10.0.0.1/24", "broadcast x")[0]
    assert "not an IPv4 address" in notes("address 10.0.0.1/24", "pointopoint x")[0]


@pytest.mark.parametrize(
    "option",
    ["gateway 10.0.0.254", "metric 5", "mtu 1400", "hwaddress ether 02:00:00:00:00:01",
     "up ip route add default via 10.0.0.254", "post-up /bin/a",
     "pre-up ip route flush all", "down ip route del default", "pre-down /bin/a",
     "post-down /bin/a", "dns-nameservers 192.0.2.53", "description web", "allow- eth0:0"],
)  # fmt: skip
def test_not_carried_over(option: str) -> None:
    """One note for each option that an alias cannot have, at its own line; the alias stays."""
    result = found(stanza("address 10.0.0.1/24", option, option))
    word = option.split()[0]
    assert [note.partition(": it")[0].split(" is not")[0] for note in result.notes] == [
        f"f:4: eth0:0: {word}",
        f"f:5: eth0:0: {word}",
    ]
    assert slots(result) == ["eth0:0"]


def test_second_address() -> None:
    """The first address counts, as it does to ifup."""
    result = found(stanza("address 10.0.0.1/24", "address 10.0.0.2/24"))
    assert "10.0.0.1/24" in result.lines[0]
    assert result.notes == [
        "f:4: eth0:0: a second address, 10.0.0.2/24, is not carried over: it has 10.0.0.1/24"
    ]


@pytest.mark.parametrize("method", ["manual", "dhcp", "loopback", "tunnel", "ppp"])
def test_other_methods(method: str) -> None:
    """Only static has an address that is known beforehand."""
    result = found(stanza("address 10.0.0.1/24", head=f"eth0:0 inet {method}"))
    assert result.lines == []
    assert result.notes == [
        f"f:2: eth0:0: inet {method} is not carried over (an alias has a fixed address)"
    ]


@pytest.mark.parametrize("family", ["ipx", "can"])
def test_other_families(family: str) -> None:
    """inet and inet6 only."""
    assert f"{family} static is not carried over" in notes(head=f"eth0:0 {family} static")[0]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("iface", "f:1: iface: a name, an address family and a method are needed"),
        ("iface eth0:0", "f:1: eth0:0: an address family and a method are needed"),
        ("iface eth0:0 inet", "f:1: eth0:0: an address family and a method are needed"),
        ("iface eth0 static", "f:1: eth0: unknown address family static"),
        ("iface eth0 inet a b", "f:1: eth0: unknown method a of inet"),
        ("iface eth0 inherits", "f:1: eth0: inherits: of what?"),
        ("iface eth0 inherits eth1",
         "f:1: eth0: inherits: there is no eth1 before it to inherit from"),
        ("iface eth0 inet manual\n address", "f:2: address: it needs a value"),
        ("address 10.0.0.1", "f:1: address: an option outside of a stanza"),
    ],
)  # fmt: skip
def test_faults(text: str, note: str) -> None:
    """ifup refuses the whole file; here it is a note that says so, and the rest is read."""
    result = found(f"{text}\n{stanza('address 10.0.0.1/24')}")
    assert result.notes == [f"{note}: ifup refuses the file"]
    assert slots(result) == ["eth0:0"]


def test_a_fault_of_a_mapping() -> None:
    """A mapping has two options."""
    text = "mapping eth0\n script a\n map b\n c d\n"
    assert found(text).notes[1:] == ["f:4: c: not an option of a mapping: ifup refuses the file"]


def named(slot: str) -> str:
    return f"auto eth0:{slot}\niface eth0:{slot} inet static\n address 10.0.0.1/24\n"


@pytest.mark.parametrize("slot", ["web", "0-", "1a", "-1", "007", "65536", "0:1"])
def test_a_label_that_is_no_name(slot: str) -> None:
    """To ifup and the kernel a label is any text; its address gets the lowest slot that is free
    once all numbers are known, and a note says which."""
    text = named(slot) + alias(0).replace("lo", "eth0")
    result = found(text)
    assert [" ".join(text.split()) for text in result.lines] == [
        f"eth0:1 10.0.0.1/24 kind label # f:2: eth0:{slot}",
        "eth0:0 192.0.2.0/32 kind label broadcast 192.0.2.0 # f:5",
    ]
    assert result.notes == [
        f"f:2: eth0:{slot}: 10.0.0.1/24 becomes eth0:1, since a slot is a number"
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("enx001122334455:0", "an address label has 15 bytes at most"),
        ("enx00112233445566:0", "a device name has 15 at most"),
        (":0", "the name of the main device is missing"),
    ],
)
def test_bad_names(name: str, why: str) -> None:
    """A name that no label of the kernel can have is a note."""
    result = found(f"auto {name}\niface {name} inet static\n address 10.0.0.1/24\n")
    assert result.lines == []
    (note,) = result.notes
    assert why in note


@pytest.mark.parametrize(
    ("template", "own", "words"),
    [
        ("netmask 255.255.0.0", "address 10.0.0.1/24", "10.0.0.1/16 kind label"),
        ("address 10.0.0.1/24", "netmask 16", "10.0.0.1/16 kind label"),
        ("address 10.0.0.1/24", "broadcast -", "10.0.0.1/24 kind label broadcast 10.0.0.0"),
    ],
)
@pytest.mark.parametrize("head", ["inet static inherits t", "inet inherits t", "inherits t"])
def test_inherits(template: str, own: str, words: str, head: str) -> None:
    """Options, family and method of an earlier stanza; its netmask beats the length of our own
    address, since nothing is overridden."""
    text = f"iface t inet static\n {template}\nauto eth0:0\niface eth0:0 {head}\n {own}\n"
    result = found(text)
    (only,) = result.lines
    assert " ".join(only.split()) == f"eth0:0 {words} # f:4"
    assert result.notes == []


def test_inherits_the_first_of_a_family() -> None:
    """Of several templates of one name the first that has the family."""
    text = "iface t inet6 static\n address 2001:db8::1/64\niface t inet static\n netmask 16\n"
    result = found(text + stanza("address 10.0.0.1", head="eth0:0 inet static inherits t"))
    assert result.lines == ["eth0:0  10.0.0.1/16  kind label   # f:6"]


def test_what_is_inherited_and_said_again() -> None:
    """ifup joins both, and ip(8) refuses it: a note."""
    text = "iface t inet static\n netmask 16\n"
    result = found(
        text + stanza("address 10.0.0.1", "netmask 24", head="eth0:0 inet static inherits t")
    )
    assert result.lines == []
    assert result.notes == ["f:4: eth0:0: netmask is given twice, which ip(8) refuses"]


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_a_scope_said_twice(family: str) -> None:
    """It is not carried over, but ifup joins both before it hands them to ip(8), which refuses."""
    text = f"iface t {family} static\n scope link\n"
    address = {"inet": "10.0.0.1/24", "inet6": "2001:db8::1/64"}[family]
    result = found(
        text + stanza(f"address {address}", "scope link", head=f"eth0:0 {family} static inherits t")
    )
    assert result.lines == []
    (note,) = notes(f"address {address}", "scope link", head=f"eth0:0 {family} static")
    assert note.startswith("f:4: eth0:0: scope is not carried over: ")
    assert "f:4: eth0:0: scope is given twice, which ip(8) refuses" in result.notes


@pytest.mark.parametrize("after", ["# text", "text inherits web", "# inherits web"])
def test_words_after_the_method(after: str) -> None:
    """ifup warns and ignores them."""
    assert line("address 10.0.0.1/24", head=f"eth0:0 inet static {after}") == (
        "eth0:0 10.0.0.1/24 kind label"
    )


@pytest.mark.parametrize("word", ["auto", "allow-hotplug", "no-scripts", "no-auto-down"])
def test_a_bare_keyword(word: str) -> None:
    """It means the stanza that it stands in, which goes on."""
    result = found(f"iface eth0:0 inet static\n {word}\n address 10.0.0.1/24\n")
    awake = word in ("auto", "allow-hotplug")
    assert (slots(result), result.notes) == (["eth0:0"] if awake else ["#"], [])
    ended = found(f"iface eth0:0 inet static\n {word} eth1\n address 10.0.0.1/24\n")
    assert ended.notes[-1].startswith("f:3: address: an option outside of a stanza")


# Several stanzas ----------------------------------------------------------------------------


def test_main_devices_are_passed_over() -> None:
    """Many addresses of a main device are no aliases; nothing is said about them."""
    text = """\
auto lo eth0
iface lo inet loopback
iface eth0 inet static
    address 10.0.0.1/24
    address 10.0.0.2/24
    gateway 10.0.0.254
    up echo hello
iface eth0 inet static
    address 10.0.0.3/24
iface eth0 inet6 auto
iface web inet static inherits eth0
rename a=b
no-auto-down eth0
no-scripts eth0
"""
    result = found(text)
    assert (result.lines, result.notes) == ([], [])


@pytest.mark.parametrize("word", ["auto", "allow-auto", "allow-hotplug", "allow-mine"])
@pytest.mark.parametrize("before", [True, False])
def test_brought_up(word: str, before: bool) -> None:
    """The words that bring an alias up may stand anywhere, and several names after one."""
    parts = ["iface eth0:0 inet static\n address 10.0.0.1/24", f"{word} lo eth0:0"]
    result = found("\n".join(reversed(parts) if before else parts))
    assert slots(result) == ["eth0:0"]


@pytest.mark.parametrize("word", ["auto eth0", "auto /eth*", "no-auto-down eth0:0", ""])
def test_not_brought_up(word: str) -> None:
    """Nobody brings it up: a comment that says so. A pattern means devices that are there."""
    result = found(f"{word}\niface eth0:0 inet static\n address 10.0.0.1/24\n")
    assert result.lines == [
        "# eth0:0  10.0.0.1/24  kind label   # f:2: not brought up automatically"
        " (neither auto nor allow-hotplug)"
    ]
    assert result.notes == []


def test_logical_interfaces() -> None:
    """Mappings, and logical names of aliases, are notes."""
    text = "mapping eth0 eth1\n script /bin/x\n map a b\nauto eth0=home eth0:0=web\n"
    assert found(text).notes == [
        "f:1: mapping eth0 eth1: logical interfaces are not carried over",
    ]


def test_a_stanza_under_another_name() -> None:
    """``auto NAME=DEFINED``: the stanza of one name for several interfaces."""
    text = "auto eth0:0=web eth1:3=web\niface web inet static\n address 10.0.0.1/24\n"
    result = found(text)
    assert result.lines == ["eth0:0  10.0.0.1/24  kind label   # f:2"]
    assert result.notes == ["f:2: eth1:3: 10.0.0.1/24 is not carried over: eth0:0 at f:2 has it"]


def test_nothing_of_that_name() -> None:
    """An alias that is to be brought up and that nothing defines."""
    assert found("auto eth0 eth0:0 eth0:1=web\n").notes == [
        "f:1: eth0:0: there is no iface eth0:0",
        "f:1: eth0:1: there is no iface web",
    ]


def test_order() -> None:
    """ifup brings up what is auto in that order, then the others; a VLAN after what it is on."""
    text = "allow-hotplug eth0:3\nauto eth0.5:2 eth0:1\n"
    text += "".join(
        f"iface {name} inet static\n address 192.0.2.{number}/24\n"
        for number, name in enumerate(("eth0:3", "eth0:1", "eth0.5:2", "eth0:4"))
    )
    text += "iface eth0 inet manual\n up ip addr add 192.0.2.9/24 brd + dev eth0 label eth0:9\n"
    assert [one.split()[0] for one in found(text).lines] == [
        "eth0:9", "eth0.5:2", "eth0:1", "eth0:3", "#",
    ]  # fmt: skip


def test_where_ifup_stops() -> None:
    """At a stanza without an address, for all that follows of that name, and for a VLAN on it."""
    text = "auto eth0:0 eth0.5:0\niface eth0:0 inet static\niface eth0 inet static\n"
    text += "iface eth0:0 inet static\n address 10.0.0.1/24\n"
    text += "iface eth0.5:0 inet static\n address 10.0.0.2/24\n"
    result = found(text)
    assert [" ".join(line.split()) for line in result.lines] == [
        "# eth0:0 10.0.0.1/24 kind label # f:4:"
        " not brought up (ifup stops at f:2, which has no address)",
        "# eth0.5:0 10.0.0.2/24 kind label # f:6:"
        " not brought up (ifup stops at f:3, which has no address)",
    ]
    assert result.notes == ["f:2: eth0:0: there is no address"]
    again = found(f"{text}allow-hotplug eth0.5:0\n")
    assert slots(again) == ["eth0.5:0", "#"]  # by its class nothing is asked of eth0


def test_second_stanza() -> None:
    """A second address of an alias becomes one of its own; the same address again does not."""
    text = stanza("address 10.0.0.1/24")
    again = found(text + "\n" + text)
    assert (slots(again), again.notes) == (["eth0:0"], [])
    other = found(f"{text}\niface eth0:0 inet6 static\n address 2001:db8::1/64\n")
    assert other.lines == [
        "eth0:0  10.0.0.1/24     kind label   # f:2",
        "eth0:1  2001:db8::1/64  kind label deprecated   # f:4: eth0:0",
    ]
    assert other.notes == [
        "f:4: eth0:0: 2001:db8::1/64 becomes eth0:1, since 10.0.0.1/24 at f:2 has that name"
    ]


def test_an_address_of_the_main_device() -> None:
    """The main device has it already, so that ifup cannot add it."""
    text = "auto eth0\niface eth0 inet static\n address 10.0.0.1/24\n"
    result = found(text + stanza("address 10.0.0.1/24"))
    assert result.lines == []
    assert result.notes == ["f:5: eth0:0: 10.0.0.1/24 is not carried over: eth0 at f:2 has it"]


def test_one_address_twice() -> None:
    """A file declares an address once; an alias that is not brought up does not take it."""
    text = "iface lo:{0} inet static\n address 10.0.0.1/{1}\n"
    both = found("auto lo:0 lo:1\n" + text.format(0, 24) + text.format(1, 32))
    assert slots(both) == ["lo:0"]
    assert both.notes == ["f:4: lo:1: 10.0.0.1/32 is not carried over: lo:0 at f:2 has it"]
    for number, order in ((1, ["lo:1", "#"]), (0, ["lo:0", "#"])):
        one = found(f"auto lo:{number}\n" + text.format(0, 24) + text.format(1, 32))
        assert (slots(one), one.notes) == (order, [])


def test_lines_are_aligned() -> None:
    """Names and addresses stand in columns."""
    result = found(alias(1) + alias(100))
    assert result.lines == [
        "lo:1    192.0.2.1/32    kind label broadcast 192.0.2.1   # f:2",
        "lo:100  192.0.2.100/32  kind label broadcast 192.0.2.100   # f:5",
    ]


# Lines --------------------------------------------------------------------------------------


def test_comments_and_continuation() -> None:
    """A comment is a line of its own, and ends at its end; a backslash at the very end joins."""
    text = """\
# auto eth0:9 \\
auto eth0:0 \\
   eth0:1

  # iface eth0:0 inet static
iface eth0:0 \\
 inet static
 addr\\
ess 192.0.2.1/24
\t# in a stanza
iface eth0:1 inet static\t
\taddress  192.0.2.2/24 \r
"""
    result = found(text)
    assert [text.split() for text in result.lines] == [
        ["eth0:0", "192.0.2.1/24", "kind", "label", "#", "f:6"],
        ["eth0:1", "192.0.2.2/24", "kind", "label", "#", "f:11"],
    ]
    assert result.notes == []


def test_no_comment_in_a_continued_line() -> None:
    """A line after a backslash is part of the value, whatever it looks like."""
    assert "broadcast # no: not" in notes("address 10.0.0.1/24", "broadcast \\", "# no")[0]


def test_backslash_at_the_end_of_the_file() -> None:
    """A backslash at the end of the file joins nothing."""
    assert line("address 10.0.0.1/24\\") == "eth0:0 10.0.0.1/24 kind label"


def test_misplaced() -> None:
    """An option outside of a stanza is a note; ``auto`` ends a stanza."""
    assert found("address 10.0.0.1\n").notes == [
        "f:1: address: an option outside of a stanza: ifup refuses the file"
    ]
    text = stanza() + "\nauto eth1\n address 10.0.0.1/24\n"
    assert found(text).notes[0] == "f:2: eth0:0: there is no address"
    assert "outside of a stanza" in found(text).notes[1]


# Files --------------------------------------------------------------------------------------


def read(root: Path) -> Imported:
    addresses, notes = ifupdown.read("/etc/network/interfaces", root=str(root))
    return Imported(rows(addresses, notes), notes)


def test_source(tmp_path: Path) -> None:
    """Relative to the file that says it, or absolute; several words; globs in order."""
    tree(
        tmp_path,
        interfaces="source d/*.cfg /etc/network/one\n" + alias(9),
        d__b_cfg="never",
        one=alias(3),
    )
    tree(
        tmp_path,
        **{"d__b.cfg": alias(2), "d__a.cfg": "source ../e/x\n" + alias(1), "e__x": alias(0)},
    )
    result = read(tmp_path.rename(tmp_path.with_name("[root]")))
    assert slots(result) == ["lo:0", "lo:1", "lo:2", "lo:3", "lo:9"]
    assert result.notes == []
    places = [text.rpartition("# ")[2] for text in result.lines]
    assert places == [
        "/etc/network/e/x:2",
        "/etc/network/d/a.cfg:3",
        "/etc/network/d/b.cfg:2",
        "/etc/network/one:2",
        "/etc/network/interfaces:3",
    ]


@pytest.mark.parametrize("word", ["source-directory", "source-dir"])
def test_source_directory(tmp_path: Path, word: str) -> None:
    """Only plain names: letters, digits, underscores and hyphens; the folder may be a glob."""
    tree(tmp_path, interfaces=f"{word} */inc\n")
    plain = {"x__inc__b-1": alias(2), "x__inc__A_0": alias(1), "y__inc__z": alias(3)}
    tree(tmp_path, **plain)
    tree(tmp_path, **{"x__inc__c.cfg": alias(4), "x__inc__c~": alias(5), "x__inc__é": alias(6)})
    result = read(tmp_path)
    assert (slots(result), result.notes) == (["lo:1", "lo:2", "lo:3"], [])


def test_auto_in_another_file(tmp_path: Path) -> None:
    """All files are one configuration."""
    tree(tmp_path, interfaces="iface lo:1 inet static\n address 192.0.2.1/32\nsource up\n")
    tree(tmp_path, up="auto lo:1\n")
    assert slots(read(tmp_path)) == ["lo:1"]


def test_a_stanza_ends_with_its_file(tmp_path: Path) -> None:
    """Options after ``source`` belong to nothing."""
    tree(tmp_path, interfaces=f"source a\n address 192.0.2.9/32\n{alias(1)}", a=alias(2))
    result = read(tmp_path)
    assert slots(result) == ["lo:2", "lo:1"]
    assert result.notes == [
        "/etc/network/interfaces:2: address: an option outside of a stanza: ifup refuses the file"
    ]


def test_loops(tmp_path: Path) -> None:
    """A file that includes itself, straight or by another, is read once, with a note."""
    tree(
        tmp_path,
        interfaces=f"source a ./interfaces\n{alias(1)}",
        a=f"source ../network/i*\n{alias(2)}",
    )
    result = read(tmp_path)
    assert slots(result) == ["lo:2", "lo:1"]
    assert result.notes == [
        "/etc/network/a:1: /etc/network/interfaces includes itself",
        "/etc/network/interfaces:1: /etc/network/interfaces includes itself",
    ]


def test_a_file_is_read_once(tmp_path: Path) -> None:
    """However often it is included; nothing is said of that."""
    tree(tmp_path, interfaces="source d/*\nsource d/a\n", d__a="iface eth0 inet dhcp\n" + alias(1))
    result = read(tmp_path)
    assert (slots(result), result.notes) == (["lo:1"], [])


def test_unreadable(tmp_path: Path) -> None:
    """Of an included file a note, of the file itself an error; no match of a glob is nothing."""
    tree(tmp_path, interfaces="source none d none*\nsource-directory nod\n")
    (tmp_path / "etc/network/d").mkdir()
    assert read(tmp_path).notes == [
        "/etc/network/interfaces:1: /etc/network/none: No such file or directory",
        "/etc/network/interfaces:1: /etc/network/d: Is a directory",
    ]
    with pytest.raises(errors.StateError, match=r"^/nowhere: No such file or directory$"):
        ifupdown.read("/nowhere", root=str(tmp_path))


@pytest.mark.parametrize("word", ["$HOME/x", "~/x", "`date`", "{a,b}", "'a'", "a\0"])
def test_shell_words(tmp_path: Path, word: str) -> None:
    """wordexp(3) would expand it; here it is a note."""
    tree(tmp_path, interfaces=f"source {word}\n")
    (note,) = read(tmp_path).notes
    assert note.endswith("not read, since only a shell can expand it")


def test_hostile_names(tmp_path: Path) -> None:
    """A file name cannot smuggle a line into the result, nor move the cursor of a terminal."""
    folder = tmp_path / "etc/network/d"
    folder.mkdir(parents=True)
    (folder / "a\nlo:7 192.0.2.7 #").write_text(alias(1) + "iface lo:\x1b[2J inet static\n")
    (folder / os.fsdecode(b"\xff")).write_bytes(alias(2).encode() + b"iface lo:\xff inet static\n")
    (folder / "gone\x1b[2J").symlink_to("nowhere")
    tree(tmp_path, interfaces="source d/*\n")
    result = read(tmp_path)
    assert slots(result) == ["lo:1", "lo:2"]
    assert len(result.notes) == 3
    assert all(printable(text) == text for text in result.lines + result.notes)


# Any text -----------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["auto", "iface", "lo:0", "eth0:1", "eth0", "inet", "inet6", "static", "manual", "\n", "\n ",
     "address", "netmask", "10.0.0.1/24", "10.0.0.2", "2001:db8::1/64", "255.0.0.0", "64",
     "broadcast", "+", "-", "pointopoint", "inherits", "mapping", "source", "#", "\\\n", "mtu",
     "up", "ip addr add", "ifconfig", "$IFACE:2", "dev", "label", "brd", "'", '"', ";", "&&",
     "ifup"]
)  # fmt: skip


@given(st.lists(WORDS | st.text(max_size=4), max_size=60).map(" ".join) | st.text())
def test_any_text(text: str) -> None:
    """Nothing raises, and every line that comes out is one that a file may have."""
    result = found(text)
    assert declared([("f", "\n".join(result.lines))], lazy()).errors == []
    for comment in result.lines:
        bare = comment.removeprefix("# ")
        assert declared([("f", bare)], lazy()).errors == []
    assert not any("\n" in text for text in result.lines + result.notes)


def test_loads_no_regular_expressions() -> None:
    """Reading a file without wildcards loads neither re nor glob."""
    program = "import sys; sys.path.insert(0, sys.argv[2]); from netalias.importers"
    program += " import ifupdown; ifupdown.read(sys.argv[1]);"
    program += "print(sorted({'re', 'glob', 'typing'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, os.devnull, str(ROOT)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == "[]\n"
