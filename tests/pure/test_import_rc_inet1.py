"""rc.inet1.conf of Slackware: the addresses that rc.inet1 sets."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

FILE = """\
# Config information for eth0:
IPADDRS[0]="10.0.0.1/24 10.0.0.9"
USE_DHCP[0]=""
IP6ADDRS[0]="2001:db8::1/64"
IPALIASES[0]="10.0.0.2 10.0.0.3/255.255.255.255"
IFNAME[1]="wlan0"
IPADDR[1]="10.1.0.1"
NETMASK[1]="255.255.255.0"
IPALIASES[1]="10.1.0.2/32"
IPALIASES[2]="$MORE"
GATEWAY="10.0.0.254"
"""


def one(folder: Path, text: str, *, every: bool = False) -> Import:
    return Import(folder, "rc.inet1", {"rc.inet1.conf": text}, every=every)


def test_aliases(tmp_path: Path) -> None:
    """They are numbered from 0; without a length it is 24."""
    found = one(tmp_path, FILE)
    assert found.lines == [
        "# rc.inet1.conf",
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 10.0.0.3/32 kind label",
        "wlan0:0 10.1.0.2/32 kind label",
    ]
    assert found.notes == [
        "rc.inet1.conf:10: IPALIASES[2]: only a shell knows its value",
        "rc.inet1.conf:2: 1 further address of eth0 has no name (--all imports them too)",
    ]


def test_further_addresses(tmp_path: Path) -> None:
    """They have no label, and get the slots that are free; the old pair comes last."""
    text = (
        'IPADDR[0]="10.0.0.8"\nIPADDRS[0]="10.0.0.1/24 10.0.0.9/"\nIPALIASES[0]="10.0.0.2"\n'
        'IP6ADDRS[0]="2001:db8::1 2001:db8::2"\n'
    )
    assert one(tmp_path, text, every=True).aliases == [
        "eth0:1 2001:db8::2/64 kind label",
        "eth0:2 10.0.0.9/24 kind label",
        "eth0:3 10.0.0.8/24 kind label",
        "eth0:0 10.0.0.2/24 kind label",
    ]


@pytest.mark.parametrize("refused", ["10.0.0.300", "2001:db8::2", "x", "10.0.0.1/24"])
def test_refused_aliases(tmp_path: Path, refused: str) -> None:
    """They use up no slot."""
    text = f'IPADDRS[0]="10.0.0.1/24"\nIPALIASES[0]="{refused} 10.0.0.6"\n'
    found = one(tmp_path, text)
    assert found.aliases == ["eth0:0 10.0.0.6/24 kind label"]
    (note,) = found.notes
    assert note.startswith(f"rc.inet1.conf:2: eth0:0: {refused} is not carried over: ")


@pytest.mark.parametrize("variable", ["IP6ADDRS", "IPADDRS", "USE_DHCP", "USE_SLAAC", "none"])
def test_another_address_is_needed(tmp_path: Path, variable: str) -> None:
    """A device without one gets no aliases."""
    value = {"IP6ADDRS": "2001:db8::1", "IPADDRS": "10.0.0.1"}.get(variable, "yes")
    found = one(tmp_path, f'{variable}[0]="{value}"\nIPALIASES[0]="10.0.0.6"\n')
    line = "eth0:0 10.0.0.6/24 kind label"
    if variable == "none":
        line = f"# {line} # not brought up (eth0 has no other address)"
    assert found.aliases == [line]


def test_addresses_beside_dhcp(tmp_path: Path) -> None:
    """The old pair does not count there."""
    text = 'USE_DHCP[0]="yes"\nIPADDR[0]="10.0.0.1"\nIPADDRS[0]="10.0.0.2 10.0.0.3"\n'
    assert one(tmp_path, text, every=True).aliases == ["eth0:0 10.0.0.3/24 kind label"]


def test_the_number_of_devices(tmp_path: Path) -> None:
    """It is 6, unless MAXNICS says another one."""
    text = 'IPADDRS[6]="10.0.0.1"\nIPALIASES[6]="10.0.0.2"\n'
    assert one(tmp_path, text).aliases == [
        "# eth6:0 10.0.0.2/24 kind label # not brought up (there are 6 devices; MAXNICS says it)"
    ]
    assert one(tmp_path, f"{text}MAXNICS=7\n").aliases == ["eth6:0 10.0.0.2/24 kind label"]


def test_an_alias_as_a_device(tmp_path: Path) -> None:
    """Older files name one in IFNAME."""
    text = 'IFNAME[1]="eth0:5"\nIPADDR[1]="10.0.0.5"\nNETMASK[1]="255.255.255.255"\n'
    assert one(tmp_path, text).aliases == ["eth0:5 10.0.0.5/32 kind label"]


def test_whole_arrays(tmp_path: Path) -> None:
    """Their elements have the numbers of their places."""
    text = 'IPADDRS=("10.0.0.1" "10.1.0.1")\nIPALIASES=("" "10.1.0.2")\n'
    assert one(tmp_path, text).aliases == ["eth1:0 10.1.0.2/24 kind label"]
