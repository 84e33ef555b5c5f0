"""hostname.if(5) of OpenBSD: the addresses that netstart gives to ifconfig(8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
# The own addresses.
inet 10.0.0.1 255.255.255.0 10.0.0.255 media 100baseTX description Uplink
inet6 2001:db8::1 64
inet alias 10.0.0.2 255.255.255.255 10.0.0.2
inet alias 10.0.0.3 255.255.255.255 NONE
inet alias 10.0.0.4 0xffffff00 10.0.0.99 # text
inet alias 10.0.0.5/25
inet alias 10.0.0.6
inet6 alias 2001:db8::2 128
inet6 alias 2001:db8:: 64 anycast
inet6 alias 2001:db8::3
inet6 alias 2001:db8::4/48 # text
!route add 10.1/16 10.0.0.254
!ifconfig $if inet alias 10.0.0.9
inet alias www.example.org 255.255.255.255
up
"""


def one(folder: Path, text: str, name: str = "hostname.em0") -> Import:
    return Import(folder, "hostname.if", {name: text}, mapping={"em0": "eth0"})


def test_aliases(tmp_path: Path) -> None:
    """In the order of the lines; without a mask it is that of the class, and 64."""
    found = one(tmp_path, FILE)
    assert found.aliases == [
        "eth0:0-1 10.0.0.2-3/32 kind label",
        "eth0:2 10.0.0.4/24 kind label broadcast 10.0.0.99",
        "eth0:3 10.0.0.5/25 kind label",
        "eth0:4 10.0.0.6/8 kind label",
        "eth0:5 2001:db8::2/128 kind label",
        "eth0:6 2001:db8::/64 kind label",
        "eth0:7 2001:db8::3/64 kind label",
    ]
    assert found.notes == [
        "hostname.em0:12: em0: 2001:db8::4/48 is not carried over: # stands in the place of the"
        " prefixlen, and is no comment there",
        "hostname.em0:14: !ifconfig $if inet alias 10.0.0.9: a command is not carried over",
        "hostname.em0:10: em0: anycast, behind 2001:db8::, is not carried over",
        "hostname.em0:15: em0: www.example.org netmask 255.255.255.255 is not carried over: there"
        " is no address",
    ]


def test_devices_of_another_system(tmp_path: Path) -> None:
    found = one(tmp_path, "inet alias 10.0.0.2 255.255.255.255\n", "hostname.re0")
    assert found.aliases == [
        "# re0:0 10.0.0.2/32 kind label # a device name of another system: --map re0=DEVICE"
    ]


def test_a_peer(tmp_path: Path) -> None:
    """It stands in the next line."""
    text = "inet alias 10.0.0.2 255.255.255.255\ndest 10.9.0.1\n"
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.2/32 kind label pointopoint 10.9.0.1"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (
            "inet alias 10.0.0.2 255.255.255.255 # text",
            "10.0.0.2 is not carried over: # stands in the place of the broadcast, and is no",
        ),
        (
            "inet alias 10.0.0.2/32 # text",
            "10.0.0.2/32 is not carried over: # stands in the place of the netmask, and is no",
        ),
        (
            "inet alias 10.0.0.2 netmask 255.255.255.255",
            "10.0.0.2 is not carried over: netmask netmask: not a netmask",
        ),
        ("inet alias 2001:db8::2", "2001:db8::2 is not carried over: it is none of inet"),
        ("inet alias 10.0.0.300/32", "10.0.0.300/32 is not carried over: 10.0.0.300: not an"),
        ("inet alias 10.0.0.2 255.255.255.255 NONE vhid 1", "10.0.0.2 is not carried over: an"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, what: str) -> None:
    """Each value has its position."""
    found = one(tmp_path, f"{line}\n")
    assert found.lines == []
    (note,) = found.notes
    assert note.startswith(f"hostname.em0:1: em0: {what}")


def test_a_mask_beats_a_length(tmp_path: Path) -> None:
    """A value in the second place is a mask, whatever stands before it."""
    found = one(tmp_path, "inet alias 10.0.0.2/24 255.255.255.255\n")
    assert found.aliases == ["eth0:0 10.0.0.2/32 kind label"]


def test_words_for_ifconfig(tmp_path: Path) -> None:
    """A line that begins with another word goes to it as it is, and one is continued."""
    text = "alias 10.0.0.2 netmask \\\n 255.255.255.255\n-inet6\ninet -alias 10.0.0.3\n"
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.2/32 kind label"]


def test_what_only_a_shell_knows(tmp_path: Path) -> None:
    """Lines are evaluated by one."""
    found = one(tmp_path, "inet alias $addr 255.255.255.255\n")
    assert found.notes == [
        "hostname.em0:1: inet alias $addr 255.255.255.255: only a shell knows what it says"
    ]


@pytest.mark.parametrize("name", ["em0", "hostname.em0.old", "hostname.00:00:5e:00:53:af"])
def test_other_files(tmp_path: Path, name: str) -> None:
    """The device is that of the name of the file."""
    found = one(tmp_path, "inet alias 10.0.0.2 255.255.255.255\n", name)
    assert found.lines == []
    assert found.notes[0].endswith("which ends with a number: it is not read")
