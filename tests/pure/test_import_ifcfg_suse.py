"""ifcfg files of SUSE: the addresses that wicked 0.6 sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

from netalias.importers import read

HEAD = "STARTMODE=auto\nBOOTPROTO=static\nIPADDR=10.0.0.1/24\n"


def one(folder: Path, text: str, *, main: str = "eth0", every: bool = False) -> Import:
    return Import(folder, "ifcfg-suse", {f"ifcfg-{main}": text}, every=every)


def test_labels(tmp_path: Path) -> None:
    """Variables of one address have one end, which may be any text."""
    text = HEAD + (
        "IPADDR_web='10.0.0.2'\nPREFIXLEN_web=24\nLABEL_web=web\n"
        "LABEL_2='eth0:2'\nIPADDR_2='10.0.0.3'\nNETMASK_2=255.255.0.0\nBROADCAST_2=10.0.0.99\n"
        "IPADDRx=10.0.0.4\nLABELx=7\nSCOPEx=link\n"
        "IPADDR_6=2001:db8::6/64\nLABEL_6=6\n"
        "IPADDR_9=2001:db8::9\n"
        "IPADDR_8=$(hostname -i)\n"
    )
    found = one(tmp_path, text)
    assert found.lines == [
        "# ifcfg-eth0",
        "eth0:0 10.0.0.2/24 kind label # eth0:web",
        "eth0:2 10.0.0.3/16 kind label broadcast 10.0.0.99",
        "eth0:7 10.0.0.4/32 kind label",
    ]
    assert found.notes == [
        "ifcfg-eth0:17: IPADDR_8: only a shell knows its value",
        "ifcfg-eth0:16: 1 further address of eth0 has no name (--all imports them too)",
        "ifcfg-eth0:11: eth0:7: SCOPEx=link is not carried over: the kind decides it",
        "ifcfg-eth0:15: eth0: wicked ignores LABEL_6=6: the address has no name",
        "ifcfg-eth0:4: eth0:web: 10.0.0.2/24 becomes eth0:0, since a slot is a number",
    ]
    assert "eth0:1 2001:db8::9/128 kind label" in one(tmp_path, text, every=True).lines


@pytest.mark.parametrize(
    ("variables", "length"),
    [
        ("IPADDR_1=10.0.0.2/25 PREFIXLEN_1=26 NETMASK_1=255.255.0.0", 25),
        ("IPADDR_1=10.0.0.2 PREFIXLEN_1=26 NETMASK_1=255.255.0.0", 26),
        ("IPADDR_1=10.0.0.2 NETMASK_1=255.255.0.0", 16),
        ("IPADDR_1=10.0.0.2/0 NETMASK_1=255.255.0.0", 16),
        ("IPADDR_1=10.0.0.2 NETMASK=255.255.0.0", 32),
    ],
)
def test_lengths(tmp_path: Path, variables: str, length: int) -> None:
    """The length in the address beats PREFIXLEN, which beats NETMASK; 0 is none."""
    found = one(tmp_path, f"{HEAD}{variables} LABEL_1=1\n")
    assert found.aliases == [f"eth0:1 10.0.0.2/{length} kind label"]


def test_lengths_of_ipv6(tmp_path: Path) -> None:
    """NETMASK is that of IPv4 only."""
    text = f"{HEAD}IPADDR_0=2001:db8::1/64\nIPADDR_1=2001:db8::2\nNETMASK_1=255.255.0.0\n"
    assert one(tmp_path, text, every=True).aliases == ["eth0:0 2001:db8::2/128 kind label"]


@pytest.mark.parametrize("label", ["elevenbytes", "a/b", "eth0:elevenbytes"])
def test_labels_that_are_ignored(tmp_path: Path, label: str) -> None:
    """The address stays, without a name."""
    text = f"{HEAD}IPADDR_1=10.0.0.2/24\nLABEL_1={label}\n"
    found = one(tmp_path, text)
    assert found.lines == []
    assert found.notes == [
        "ifcfg-eth0:4: 1 further address of eth0 has no name (--all imports them too)",
        f"ifcfg-eth0:5: eth0: wicked ignores LABEL_1={label}: the address has no name",
    ]
    assert one(tmp_path, text, every=True).aliases == ["eth0:0 10.0.0.2/24 kind label"]


def test_a_label_of_ipv6(tmp_path: Path) -> None:
    """wicked ignores it: the first address is the own one of the device, and that is told."""
    text = f"{HEAD}IPADDR_1=2001:db8::2/64\nLABEL_1=5\n"
    found = one(tmp_path, text)
    assert (found.lines, found.notes) == (
        [],
        ["ifcfg-eth0:5: eth0: wicked ignores LABEL_1=5: the address has no name"],
    )


def test_a_label_that_begins_like_the_device(tmp_path: Path) -> None:
    """It is the whole label, without a colon."""
    text = f"{HEAD}IPADDR_1=10.0.0.2/24\nLABEL_1=eth0elevenbytes\n"
    assert one(tmp_path, text).aliases == ["eth0:0 10.0.0.2/24 kind label # eth0:elevenbytes"]


def test_peers(tmp_path: Path) -> None:
    """Only a host has one."""
    text = HEAD + "".join(
        f"IPADDR_{n}=10.0.0.{n}/{length}\nLABEL_{n}={n}\nREMOTE_IPADDR_{n}=10.9.0.1\n"
        for n, length in ((2, 32), (3, 24))
    )
    assert one(tmp_path, text).aliases == [
        "eth0:2 10.0.0.2/32 kind label pointopoint 10.9.0.1",
        "eth0:3 10.0.0.3/24 kind label",
    ]


def test_broadcast(tmp_path: Path) -> None:
    """One that equals the address is none, and one that is no address is ignored."""
    text = HEAD + "".join(
        f"IPADDR_{n}=10.0.0.{n}/24\nLABEL_{n}={n}\nBROADCAST_{n}={broadcast}\n"
        for n, broadcast in ((2, "10.0.0.2"), (3, "+"))
    )
    assert one(tmp_path, text).aliases == [
        "eth0:2 10.0.0.2/24 kind label -broadcast",
        "eth0:3 10.0.0.3/24 kind label",
    ]


def test_what_is_no_address(tmp_path: Path) -> None:
    """An installer writes 0.0.0.0."""
    text = f"{HEAD}IPADDR_1=0.0.0.0\nLABEL_1=1\nIPADDR_2=10.0.0.300\nLABEL_2=2\nIPADDR_3=\n"
    found = one(tmp_path, text)
    assert found.lines == []
    (note,) = found.notes
    assert note.startswith("ifcfg-eth0:6: eth0:2: 10.0.0.300 is not carried over: ")


def test_deprecated(tmp_path: Path) -> None:
    """A preferred lifetime of 0."""
    text = (
        f"{HEAD}IPADDR_0=2001:db8::1/64\nIPADDR_1=2001:db8::2/64\nIP_OPTIONS_1='preferred_lft 0'\n"
    )
    assert one(tmp_path, text, every=True).aliases == [
        "eth0:0 2001:db8::2/64 kind label deprecated"
    ]


def test_options_of_ip(tmp_path: Path) -> None:
    """What wicked gives to ip(8) besides is lost, but for a lifetime, which IPv4 has no use for."""
    text = f"{HEAD}IPADDR_1=10.0.0.2/24\nLABEL_1=1\nIP_OPTIONS_1="
    assert one(tmp_path, f"{text}'preferred_lft 0'\n").notes == []
    assert one(tmp_path, f"{text}noprefixroute\n").notes == [
        "ifcfg-eth0:4: eth0:1: IP_OPTIONS_1=noprefixroute is not carried over: netalias runs no ip"
        " command"
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not brought up automatically (STARTMODE=manual)"),
        ("STARTMODE='o\nff'\n", "not brought up automatically (STARTMODE=o\\nff)"),
        ("STARTMODE=off\n", "not brought up automatically (STARTMODE=off)"),
        ("STARTMODE=auto\nBOOTPROTO=none\n", "not brought up (BOOTPROTO=none)"),
    ],
)
def test_not_brought_up(tmp_path: Path, text: str, what: str) -> None:
    """STARTMODE is manual where it is missing."""
    found = one(tmp_path, f"{text}IPADDR_1=10.0.0.2/24\nLABEL_1=1\n")
    assert found.aliases == [f"# eth0:1 10.0.0.2/24 kind label # {what}"]


def test_loopback(tmp_path: Path) -> None:
    """It has 127.0.0.1 and ::1, and is always brought up."""
    text = "IPADDR=127.0.0.1/8\nIPADDR_1=10.0.0.2/32\nIPADDR_2=2001:db8::2/128\n"
    assert one(tmp_path, text, main="lo", every=True).aliases == [
        "lo:0 10.0.0.2/32 kind label",
        "lo:1 2001:db8::2/128 kind label",
    ]


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (HEAD, "ifcfg-suse"),
        ("IPADDR_0=10.0.0.1\n", "ifcfg-suse"),
        ("IPADDR_START=10.0.0.1\nIPADDR_END=10.0.0.1\n", "ifcfg-rh"),
        ("BOOTPROTO=static\nONBOOT=yes\n", "ifcfg-rh"),
        ("IPADDR=10.0.0.1\n", "ifcfg-rh"),
    ],
)
def test_whose_ifcfg_file_it_is(tmp_path: Path, text: str, format: str) -> None:
    """The path tells it, else what stands in it."""
    path = tmp_path / "ifcfg-eth0"
    path.write_text(text)
    assert read([str(path)]).formats == [format]
    for folder, other in (("network", "ifcfg-suse"), ("network-scripts", "ifcfg-rh")):
        path = tmp_path / "etc/sysconfig" / folder / "ifcfg-eth0"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        assert read([str(path)]).formats == [other]
