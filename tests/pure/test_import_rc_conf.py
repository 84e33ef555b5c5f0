"""rc.conf of FreeBSD: the addresses that network.subr gives to ifconfig(8)."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

from netalias.importers import read

FILE = """\
hostname="old"
ifconfig_em0="inet 10.0.0.1 netmask 255.255.255.0 up"
ifconfig_em0_ipv6="inet6 2001:db8::1 prefixlen 64"
ifconfig_em0_alias0="inet 10.0.0.2 netmask 0xffffffff broadcast 10.0.0.99"
ifconfig_em0_alias10="10.0.0.4/32"
ifconfig_em0_alias2="inet6 2001:db8::7 prefixlen 128"
ifconfig_em0_alias3="inet 10.0.0.3/32"
ifconfig_em0_aliases="\\
	inet 10.0.0.20/32 \\
	inet6 2001:db8::20/64"
ipv4_addrs_em0="10.0.0.30/32 10.0.0.31-32"
ipv6_ifconfig_em0_alias0="2001:db8::30"
ifconfig_em0_alias4="inet 10.0.0.5"
ifconfig_em0_alias5="inet vhid 1 pass secret alias 10.0.0.6/32"
ifconfig_em0_alias6="inet $OTHER"
ipv6_prefix_em0="2001:db8:9"
"""


def one(folder: Path, text: str, *, mapped: bool = True) -> Import:
    mapping = {"em0": "eth0"} if mapped else {}
    return Import(folder, "rc.conf", {"rc.conf": text}, mapping=mapping)


def addresses(folder: Path, text: str) -> list[str]:
    """The addresses of all aliases, in order."""
    found = read([str(_written(folder, text))], "rc.conf", mapping={"em0": "eth0"})
    return [row.found.words[0] for row in found.rows]


def _written(folder: Path, text: str) -> Path:
    path = folder / "rc.conf"
    path.write_text(text)
    return path


def test_aliases(tmp_path: Path) -> None:
    """IPv4 comes first: _aliases, _aliasN by number, ipv4_addrs_. They have no names."""
    found = one(tmp_path, FILE)
    assert found.aliases == [
        "eth0:0 10.0.0.20/32 kind label",
        "eth0:1 10.0.0.2/32 kind label broadcast 10.0.0.99",
        "eth0:2-3 10.0.0.3-4/32 kind label",
        "eth0:4-6 10.0.0.30-32/32 kind label",
        "eth0:7 2001:db8::20/64 kind label",
        "eth0:8 2001:db8::7/128 kind label",
        "eth0:9 2001:db8::30/64 kind label",
    ]
    assert found.notes == [
        "rc.conf:15: ifconfig_em0_alias6: only a shell knows its value",
        "rc.conf:13: em0: 10.0.0.5 is not carried over: a prefix length is needed",
        "rc.conf:14: em0: 10.0.0.6/32 is not carried over: an address of CARP is not always on"
        " this host",
    ]


def test_devices_of_another_system(tmp_path: Path) -> None:
    """Their names say nothing here, so that the lines are comments without --map."""
    text = 'ifconfig_em0="inet 10.0.0.1/24"\nifconfig_em0_alias0="inet 10.0.0.2/32"\n'
    assert one(tmp_path, text, mapped=False).aliases == [
        "# em0:0 10.0.0.2/32 kind label # a device name of another system: --map em0=DEVICE"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "inet 10.0.0.5-7/24 inet6 2001:db8:1::5-7",
            "10.0.0.5/24 10.0.0.6/32 10.0.0.7/32"
            " 2001:db8:1::5/64 2001:db8:1::6/64 2001:db8:1::7/64",
        ),
        ("inet 10.0.0.5-6", "10.0.0.5/32 10.0.0.6/32"),
        ("inet 10.0.0.5-6/24 netmask 255.255.255.128", "10.0.0.5/25 10.0.0.6/25"),
        ("inet 10.0.1-2.5/24", "10.0.1.5/24 10.0.2.5/32"),
        ("inet 10.0.0.5-5/24", "10.0.0.5/24"),
        ("inet 10.0.0.254-300", "10.0.0.254/32 10.0.0.255/32"),
        ("inet6 2001:db8:9-b::1/48", "2001:db8:9::1/48 2001:db8:a::1/48 2001:db8:b::1/48"),
        ("inet6 2001:db8::9-a prefixlen 128", "2001:db8::9/128 2001:db8::a/128"),
        ("inet6 2001:db8::9-a/64 prefixlen 128", "2001:db8::9/128 2001:db8::a/128"),
    ],
)
def test_ranges(tmp_path: Path, text: str, expected: str) -> None:
    """Of IPv4 only the first address has the length; of IPv6 all, and numbers are hexadecimal."""
    assert addresses(tmp_path, f'ifconfig_em0_aliases="{text}"\n') == expected.split()


def test_ranges_of_the_old_list(tmp_path: Path) -> None:
    assert addresses(tmp_path, 'ipv4_addrs_em0="10.0.0.1-3/24"\n') == [
        "10.0.0.1/24",
        "10.0.0.2/32",
        "10.0.0.3/32",
    ]


@pytest.mark.parametrize(
    "text", ["10.0.0.5--7/24", "10.0.0-1.5-7", "10.0.0.7-5", "10.0.0.5-x", "10.0.0.a-b"]
)
def test_what_is_no_range(tmp_path: Path, text: str) -> None:
    """Nothing is set."""
    found = one(tmp_path, f'ifconfig_em0_aliases="inet {text}"\n')
    assert found.lines == []
    assert found.notes == [
        f"rc.conf:1: em0: inet {text} is not carried over: no range of numbers in one component"
    ]


def test_a_range_of_mapped_addresses(tmp_path: Path) -> None:
    found = one(tmp_path, 'ifconfig_em0_aliases="inet6 ::ffff:10.0.0.5-7/120"\n')
    assert found.lines == []
    assert len(found.notes) == 1


def test_a_range_that_is_too_long(tmp_path: Path) -> None:
    """Two more than the limit are set."""
    text = 'netif_ipexpand_max="2"\nifconfig_em0_aliases="inet 10.0.0.1-9"\n'
    found = one(tmp_path, text)
    assert found.aliases == ["eth0:0-3 10.0.0.1-4/32 kind label"]
    assert found.notes == [
        "rc.conf:2: em0: 10.0.0.1-9 is cut off at 10.0.0.4/32 (netif_ipexpand_max is 2)"
    ]


def test_gaps(tmp_path: Path) -> None:
    """A number may be missing, but one that is empty ends the list."""
    text = "".join(f'ifconfig_em0_alias{n}="inet 10.0.0.{n}/32"\n' for n in (1, 3, 9))
    assert len(addresses(tmp_path, text)) == 3
    assert len(addresses(tmp_path, f'{text}ifconfig_em0_alias4=""\n')) == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("10.0.0.2/32", "10.0.0.2/32 is not carried over: it is passed over without inet or inet6"),
        (
            "link 00:11:22:33:44:55",
            "link 00:11:22:33:44:55 is not carried over: it is no IP address",
        ),
        ("inet 2001:db8::5", "2001:db8::5 is not carried over: it is none of inet"),
        ("inet 10.0.0.2 netmask 24", "10.0.0.2 is not carried over: netmask 24: not a netmask"),
        (
            "inet netmask 255.255.255.255",
            "netmask 255.255.255.255 is not carried over: there is no",
        ),
        (
            "inet6 2001:db8:: eui64",
            "2001:db8:: is not carried over: only the device knows its last",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, what: str) -> None:
    found = one(tmp_path, f'ifconfig_em0_aliases="{text}"\n')
    assert found.lines == []
    assert found.notes[0].startswith(f"rc.conf:1: em0: {what}")


def test_other_words(tmp_path: Path) -> None:
    """They are told, but for those that say what is so here anyway."""
    text = 'ifconfig_em0_aliases="inet 10.0.0.2/32 up fib 3 inet6 2001:db8::2 pltime 0 vltime 9"\n'
    found = one(tmp_path, text)
    assert found.aliases == [
        "eth0:0 10.0.0.2/32 kind label",
        "eth0:1 2001:db8::2/64 kind label deprecated",
    ]
    assert found.notes == ["rc.conf:1: em0: fib 3, behind 10.0.0.2/32, is not carried over"]


def test_own_addresses(tmp_path: Path) -> None:
    """What is the own address of a device is no alias of another one."""
    text = 'ifconfig_em0="10.0.0.1/24"\nifconfig_em0_alias0="inet 10.0.0.1/32"\n'
    assert one(tmp_path, text).lines == []


def test_the_local_file(tmp_path: Path) -> None:
    """It goes on from the other one, and its values count."""
    line = 'ifconfig_em0_alias%d="inet 10.0.0.%d/32"\n'
    files = {
        "rc.conf": line % (0, 2) + line % (1, 3),
        "rc.conf.local": line % (0, 4),
        "other": line % (0, 5),
    }
    found = Import(tmp_path, "rc.conf", files, mapping={"em0": "eth0"})
    assert [line.split()[1] for line in found.aliases] == [
        "10.0.0.4/32",
        "10.0.0.3/32",
        "10.0.0.5/32",
    ]


def test_a_file_of_netbsd(tmp_path: Path) -> None:
    found = one(tmp_path, 'ifaliases_re0="10.0.0.2 255.255.255.255"\n')
    assert found.notes == ["rc.conf:1: ifaliases_re0: a variable of NetBSD (--from ifconfig.if)"]


def test_only_when_it_is_named() -> None:
    """Such files are none of this host."""
    from netalias.importers import FORMATS

    assert not FORMATS["rc.conf"].automatic
