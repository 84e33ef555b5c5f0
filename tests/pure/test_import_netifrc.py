"""/etc/conf.d/net of Gentoo: the addresses that netifrc sets with iproute2."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
# The own address, two aliases, one without length, IPv6, and what cannot be said.
config_eth0="10.0.0.1/24
10.0.0.2/24 label eth0:1
10.0.0.3 netmask 255.255.0.0 brd 10.0.0.99 label eth0:web scope link
10.0.0.4 l eth0:4
2001:db8::1/64
2001:db8::7 preferred_lft 0
10.0.0.300/24 label eth0:5
dhcp"
config_eth1=$(ip_of eth1)
routes_eth0="default via $GATEWAY"
postup() {
    ip addr add 10.0.0.9/24 dev eth0 label eth0:9
}
"""


def one(folder: Path, value: str, *, main: str = "eth0", every: bool = True) -> Import:
    return Import(folder, "netifrc", {"net": f'config_{main}="{value}"\n'}, every=every)


def test_labels_are_aliases(tmp_path: Path) -> None:
    """What has a label is one, in the order of the lines."""
    found = Import(tmp_path, "netifrc", {"net": FILE})
    assert found.lines == [
        "# net",
        "eth0:1 10.0.0.2/24 kind label",
        "eth0:0 10.0.0.3/16 kind label broadcast 10.0.0.99 # eth0:web",
        "eth0:4 10.0.0.4/32 kind label",
    ]
    assert found.notes == [
        "net:10: config_eth1: only a shell knows its value",
        "net:12: postup() {: only a shell knows what it does; it is not read",
        "net:2: eth0:5: 10.0.0.300/24 is not carried over: 10.0.0.300: not an IPv4 address",
        "net:2: 1 further address of eth0 has no name (--all imports them too)",
        "net:2: eth0:web: scope link is not carried over: the kind decides it",
        "net:2: eth0:web: 10.0.0.3/16 becomes eth0:0, since a slot is a number",
    ]
    found = Import(tmp_path, "netifrc", {"net": FILE}, every=True)
    assert "eth0:2 2001:db8::7/128 kind label deprecated" in found.lines


@pytest.mark.parametrize(
    ("value", "lines"),
    [
        ("10.0.0.1/24 10.0.0.2/24 10.0.0.3/24", ["eth0:0-1 10.0.0.2-3/24 kind label"]),
        ("10.0.0.1/24 2001:db8::1/64 2001:db8::2/64", ["eth0:0 2001:db8::2/64 kind label"]),
        ("10.0.0.1/24 10.0.0.2/24\n10.0.0.3/24", ["eth0:0 10.0.0.3/24 kind label"]),
        ("10.0.0.1/24 brd +\n10.0.0.2/24", ["eth0:0 10.0.0.2/24 kind label"]),
        ("10.0.0.1/24\n\n10.0.0.2/24\n", ["eth0:0 10.0.0.2/24 kind label"]),
        ("dhcp\n10.0.0.1/24\n10.0.0.2/24", ["eth0:0 10.0.0.2/24 kind label"]),
    ],
)
def test_lines_and_words(tmp_path: Path, value: str, lines: list[str]) -> None:
    """Words of a line are addresses only where it is the only line."""
    assert one(tmp_path, value).aliases == lines


def test_words_among_addresses(tmp_path: Path) -> None:
    """The word is a command to netifrc, and what should be its argument is an address."""
    found = one(tmp_path, "10.0.0.1/24 10.0.0.2/24 brd 10.0.0.255")
    assert found.aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 10.0.0.255/32 kind label",
    ]
    assert found.notes == ["net:1: eth0: to netifrc brd is a command; it is not read"]


def test_an_address_as_an_argument(tmp_path: Path) -> None:
    """In a value of two lines it is lost."""
    found = one(tmp_path, "10.0.0.1/24 10.0.0.2/24\n10.0.0.3/24")
    assert found.notes == ["net:1: eth0: netifrc ignores 10.0.0.2/24 behind 10.0.0.1/24"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("/24 broadcast 10.0.0.99", "10.0.0.2/24 kind label broadcast 10.0.0.99"),
        ("/24 br -", "10.0.0.2/24 kind label broadcast 10.0.0.0"),
        (" netmask 255.255.255.0", "10.0.0.2/24 kind label"),
        (" ne 0xffffff00", "10.0.0.2/24 kind label"),
        ("/32 pointopoint 10.9.0.1", "10.0.0.2/32 kind label pointopoint 10.9.0.1"),
        ("/32 po 10.9.0.1", "10.0.0.2/32 kind label pointopoint 10.9.0.1"),
        ("/32 peer 10.9.0.1", "10.0.0.2/32 kind label pointopoint 10.9.0.1"),
        ("/24 foo", "10.0.0.2/24 kind label"),
    ],
)
def test_words(tmp_path: Path, words: str, line: str) -> None:
    """Some letters are enough."""
    found = one(tmp_path, f"10.0.0.1/24\n10.0.0.2{words} label eth0:1")
    assert found.aliases == [f"eth0:1 {line}"]


def test_a_label_of_ipv6(tmp_path: Path) -> None:
    """No such address has one: the first is the own one of the device, and that is told."""
    found = one(tmp_path, "2001:db8::2/64 label eth0:5")
    assert (found.lines, found.notes) == (
        [],
        ["net:1: eth0: the kernel ignores label eth0:5: the address has no name"],
    )
    assert one(tmp_path, "2001:db8::2/64 label eth0").notes == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.0.0.2/24 netmask 255.255.255.0", "netifrc refuses a second netmask or length"),
        ("10.0.0.2 ne 255.0.0.0 ne 255.0.0.0", "netifrc refuses a second netmask or length"),
        ("10.0.0.2 netmask 24", "netmask 24: not a netmask (such as 255.255.255.0)"),
        ("2001:db8::2/64 brd +", "netifrc refuses a broadcast address of IPv6"),
        ("10.0.0.2/24 label web", "ip(8) refuses the label web, which is not one of eth0"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, what: str) -> None:
    """The address is not set."""
    found = one(tmp_path, f"10.0.0.1/24\n{text}")
    assert found.lines == []
    assert found.notes[0].endswith(f"is not carried over: {what}")


def test_loopback(tmp_path: Path) -> None:
    """127.0.0.1 comes first, unless there shall be nothing."""
    assert one(tmp_path, "10.0.0.1/32", main="lo").aliases == ["lo:0 10.0.0.1/32 kind label"]
    assert one(tmp_path, "127.0.0.1/8\n10.0.0.1/32", main="lo").aliases == [
        "lo:0 10.0.0.1/32 kind label"
    ]
    assert one(tmp_path, "null", main="lo").lines == []


def test_arrays(tmp_path: Path) -> None:
    """Their elements are lines."""
    text = 'config_eth0=( "10.0.0.1/24 brd +" "10.0.0.2/24" )\n'
    assert Import(tmp_path, "netifrc", {"net": text}, every=True).aliases == [
        "eth0:0 10.0.0.2/24 kind label"
    ]


def test_names_of_devices(tmp_path: Path) -> None:
    """A variable does not tell eth0.5 from eth0_5, and one by its MAC is none."""
    text = 'config_eth0_5="10.0.0.1/24\n10.0.0.2/24 label eth0_5:1"\n'
    found = Import(tmp_path, "netifrc", {"net": text}, mapping={"eth0_5": "eth0.5"})
    assert found.aliases == ["eth0.5:1 10.0.0.2/24 kind label"]
    assert found.notes == [
        "net:1: eth0_5: its name may have another character for _ (--map eth0_5=DEVICE)"
    ]
    found = one(tmp_path, "10.0.0.1/24", main="001122334455")
    assert found.notes == ["net:1: 001122334455: only a device by its name is carried over"]
