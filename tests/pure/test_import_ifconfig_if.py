"""ifconfig.if(5) and ifaliases(5) of NetBSD: the addresses that ifconfig(8) is given at boot."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
# IPv4, with aliases
up
inet 10.0.0.1 netmask 255.255.255.0 media 100baseTX
inet 10.0.0.2 netmask 0xffffffff alias
inet alias 10.0.0.3 netmask 255.255.255.0 broadcast 10.0.0.99
inet 10.0.0.4/25 alias
inet 10.0.0.5 \\
 alias
inet6 2001:db8::1 prefixlen 64
inet6 2001:db8::2 prefixlen 128 alias
inet6 2001:db8:: alias anycast
inet 10.0.0.6 netmask 255.255.255.254 alias # text
alias 10.0.0.7 netmask 255.255.255.255
inet 10.0.0.8 -alias
!ifconfig $int inet 10.0.0.9 alias
!route add default 10.0.0.254
inet $addr alias
inet www.example.org alias
"""


def some(folder: Path, **files: str) -> Import:
    found = {name.replace("_", "."): text for name, text in files.items()}
    return Import(folder, "ifconfig.if", found, mapping={"re0": "eth0", "re1": "eth1"})


def test_aliases(tmp_path: Path) -> None:
    """The word may stand anywhere; without a mask it is that of the class, and 64."""
    found = some(tmp_path, ifconfig_re0=FILE)
    assert found.aliases == [
        "eth0:0 10.0.0.2/32 kind label",
        "eth0:1 10.0.0.3/24 kind label broadcast 10.0.0.99",
        "eth0:2 10.0.0.4/25 kind label",
        "eth0:3 10.0.0.5/8 kind label",
        "eth0:4 2001:db8::2/128 kind label",
        "eth0:5 2001:db8::/64 kind label",
        "eth0:6 10.0.0.6/31 kind label",
        "eth0:7 10.0.0.7/32 kind label",
    ]
    assert found.notes == [
        "ifconfig.re0:11: re0: anycast, behind 2001:db8::, is not carried over",
        "ifconfig.re0:12: re0: # text, behind 10.0.0.6, is not carried over",
        "ifconfig.re0:15: !ifconfig $int inet 10.0.0.9 alias: a command is not carried over",
        "ifconfig.re0:17: inet $addr alias: only a shell knows what it says",
        "ifconfig.re0:18: re0: www.example.org alias is not carried over: there is no address",
    ]


def test_devices_of_another_system(tmp_path: Path) -> None:
    found = some(tmp_path, ifconfig_wm0="inet 10.0.0.2/32 alias\n")
    assert found.aliases == [
        "# wm0:0 10.0.0.2/32 kind label # a device name of another system: --map wm0=DEVICE"
    ]


def test_ifaliases(tmp_path: Path) -> None:
    """Address, device, mask; it is the last one to be read."""
    text = "# text\n10.0.0.4 re0 255.255.255.255\n192.168.0.5 re1\n10.0.0.6\nx re0 255.0.0.0\n"
    found = some(tmp_path, ifaliases=text, ifconfig_re0="inet 10.0.0.2/32 alias\n")
    assert found.aliases == [
        "eth0:0 10.0.0.2/32 kind label",
        "eth0:1 10.0.0.4/32 kind label",
        "eth1:0 192.168.0.5/24 kind label",
    ]
    assert found.notes == [
        "ifaliases:4: 10.0.0.6 is not carried over: there is no device",
        "ifaliases:5: re0: x netmask 255.0.0.0 is not carried over: there is no address",
    ]


def test_variables(tmp_path: Path) -> None:
    """Lines are parted by semicolons; pairs of address and mask come behind all lines."""
    text = (
        'ifaliases_re0="10.0.0.3 255.255.255.255 10.0.0.4 - 10.0.0.5"\n'
        'ifconfig_re0="inet 10.0.0.1/24; inet 10.0.0.2/32 alias"\n'
        'ifconfig_re1="`cat /etc/re1`"\n'
    )
    found = some(tmp_path, rc_conf=text)
    assert found.aliases == [
        "eth0:0-1 10.0.0.2-3/32 kind label",
        "eth0:2 10.0.0.4/8 kind label",
    ]
    assert found.notes == [
        "rc.conf:3: ifconfig_re1: only a shell knows its value",
        "rc.conf:1: re0: 10.0.0.5 is not carried over: a mask must follow it",
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("inet 10.0.0.300/32 alias", "10.0.0.300/32 is not carried over: 10.0.0.300: not an"),
        ("inet6 10.0.0.2 alias", "10.0.0.2 is not carried over: it is none of inet6"),
        ("inet 10.0.0.2 netmask 24 alias", "10.0.0.2 is not carried over: netmask 24: not a"),
        ("inet 10.0.0.2/32 alias vhid 3", "10.0.0.2/32 is not carried over: an address of CARP"),
    ],
)
def test_what_is_refused(tmp_path: Path, line: str, what: str) -> None:
    found = some(tmp_path, ifconfig_re0=f"{line}\n")
    assert found.lines == []
    (note,) = found.notes
    assert note.startswith(f"ifconfig.re0:1: re0: {what}")


def test_a_peer(tmp_path: Path) -> None:
    """The second address is one."""
    found = some(tmp_path, ifconfig_re0="inet 10.0.0.2 10.9.0.1 alias\n")
    assert found.aliases == ["eth0:0 10.0.0.2/32 kind label pointopoint 10.9.0.1"]


def test_two_commands_in_a_line(tmp_path: Path) -> None:
    """Only in a variable of rc.conf a semicolon ends one; a line of a file is for a shell then."""
    line = "inet 10.0.0.2/24; inet 10.0.0.3/32 alias"
    found = some(tmp_path, ifconfig_re0=f"{line}\n")
    assert (found.aliases, found.notes) == (
        [],
        [f"ifconfig.re0:1: {line}: only a shell knows what it says"],
    )
