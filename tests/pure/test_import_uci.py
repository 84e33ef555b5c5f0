"""/etc/config/network of OpenWrt: the addresses that netifd sets, as lines of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
package network

config interface 'lan'
\toption type 'bridge'   # netifd makes br-lan
\toption ifname 'eth0'
\toption proto 'static'
\tlist ipaddr '10.0.0.1/24'
\tlist ipaddr '10.0.0.2/24'
\tlist ipaddr '10.0.0.3'
\tlist ip6addr '2001:db8::1/64'
\tlist ip6addr '2001:db8::2'

config alias
\toption interface lan
\toption proto static
\toption ipaddr 10.1.0.1
\toption netmask 255.255.255.0

config interface more
\toption device '@lan'
\toption proto static
\toption ip6addr 2001:db8::7/128
\toption ip6deprecated 1

config interface 'wan'
\toption device 'eth1'
\toption proto 'dhcp'
\toption ipaddr '10.9.0.1/24'
"""


def one(folder: Path, text: str, *, every: bool = False) -> Import:
    return Import(folder, "uci", {"network": text}, every=every)


def eth0(*lines: str) -> str:
    return "config interface a\noption device eth0\noption proto static\n" + "\n".join(lines)


def test_aliases(tmp_path: Path) -> None:
    """Sections alias, and interfaces on the device of others; the own length of an address beats
    the netmask of its section, and that of another section means nothing."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# network",
        "br-lan:0 2001:db8::7/128 kind label deprecated",
        "br-lan:1 10.1.0.1/24 kind label -broadcast",
    ]
    assert found.notes == [
        "network:8: 3 further addresses of br-lan have no name (--all imports them too)"
    ]


def test_all_addresses(tmp_path: Path) -> None:
    """The first one of each family stays the own one of the device."""
    found = one(tmp_path, FILE, every=True)
    assert found.aliases == [
        "br-lan:0 10.0.0.2/24 kind label -broadcast",
        "br-lan:1 10.0.0.3/32 kind label",
        "br-lan:2 2001:db8::2/128 kind label",
        "br-lan:3 2001:db8::7/128 kind label deprecated",
        "br-lan:4 10.1.0.1/24 kind label -broadcast",
    ]
    assert found.notes == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("option ipaddr '10.0.0.1/24 10.0.0.2/24'",), ["10.0.0.2/24 kind label -broadcast"]),
        (
            ("list ipaddr 10.0.0.1", "list ipaddr 10.0.0.2/32", "option netmask 255.255.0.0"),
            ["10.0.0.2/32 kind label"],
        ),
        (
            ("list ipaddr 10.0.0.1", "list ipaddr 10.0.0.2", "option netmask 24"),
            ["10.0.0.2/24 kind label -broadcast"],
        ),
        (
            ("option ipaddr '10.0.0.1/24 10.0.0.2/24'", "option broadcast 10.0.0.255"),
            ["10.0.0.2/24 kind label"],
        ),
        (
            ("option ipaddr '10.0.0.1/32 10.0.0.2/24'", "option ptpaddr 10.0.0.9"),
            ["10.0.0.2/24 kind label pointopoint 10.0.0.9"],
        ),
        # What is said again counts, and the mask is not that of IPv6.
        (("list ipaddr 10.0.0.1", "option ipaddr 10.0.0.2"), []),
        (("option ip6addr 'fc00::1 fc00::2'", "option netmask 24"), ["fc00::2/128 kind label"]),
        (("option ipaddr '10.0.0.1 10.0.0.2'", "option disabled 1"), []),
    ],
)
def test_values(tmp_path: Path, lines: tuple[str, ...], expected: list[str]) -> None:
    found = one(tmp_path, eth0(*lines), every=True)
    assert found.aliases == [f"eth0:{slot} {line}" for slot, line in enumerate(expected)]
    assert found.notes == []


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("list ipaddr 10.0.0.300", "10.0.0.300 is not carried over"),
        ("list ipaddr 10.0.0.2/33", "10.0.0.2/33 is not carried over"),
        ("list ipaddr '10.0.0.2 10.0.0.3'", "is not carried over"),
        ("option ipaddr", ""),
        ("list ipaddr 'x", "a quote without an end: netifd refuses the file"),
        ("list ipaddr 10.0.0.1 10.0.0.2", "list: netifd refuses the file"),
        ("nonsense", "nonsense: netifd refuses the file"),
        ("config alias b; option proto static; option ipaddr 10.0.0.1", "it has no device"),
        ("config interface b; option proto static; option ipaddr 10.0.0.1", "it has no device"),
        (
            "config interface b; option device @c; option proto static; option ipaddr 10.0.0.1",
            "there is no interface c",
        ),
    ],
)
def test_what_is_lost(tmp_path: Path, line: str, note: str) -> None:
    """It is told with its place."""
    found = one(tmp_path, eth0(line), every=True)
    assert found.aliases == []
    assert [one.startswith("network:4: ") and note in one for one in found.notes] == (
        [True] if note else []
    )


def test_syntax(tmp_path: Path) -> None:
    """Quotes of both kinds, several lines, escapes, comments, and several commands in a line."""
    text = 'config interface a; option proto "sta""tic" # text\noption device \\\n eth0\n'
    text += "list 'ipaddr' 10.0.0.\\1/24;list ipaddr\t\"10.0.0.2/24\"\noption x 'two\nlines'\n"
    text += "list ipaddr 10.0.0.300\n"
    found = one(tmp_path, text, every=True)
    assert found.aliases == ["eth0:0 10.0.0.2/24 kind label -broadcast"]
    assert found.notes[0].startswith("network:7: ")


def test_a_section_goes_on(tmp_path: Path) -> None:
    """One that is said again is the same."""
    text = eth0("list ipaddr 10.0.0.1/24\nconfig interface a\nlist ipaddr 10.0.0.2/24")
    assert one(tmp_path, text, every=True).aliases == ["eth0:0 10.0.0.2/24 kind label -broadcast"]


def test_not_brought_up(tmp_path: Path) -> None:
    text = eth0("option ipaddr '10.0.0.1/32 10.0.0.2/32'", "option auto 0")
    assert one(tmp_path, text, every=True).aliases == [
        "# eth0:0 10.0.0.2/32 kind label # not brought up automatically (auto 0)"
    ]


def test_devices_that_name_each_other(tmp_path: Path) -> None:
    text = "config interface a; option device @b; option proto static; option ipaddr 10.0.0.1\n"
    text += "config interface b; option device @a"
    assert "there is no interface b" in one(tmp_path, text).notes[0]
