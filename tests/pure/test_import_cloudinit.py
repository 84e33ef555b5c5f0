"""Network configuration of cloud-init: the addresses that it has set, as lines of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from imports import Import

HEAD = "network:\n  version: 1\n  config:\n"
FILE = f"""\
{HEAD}\
  - type: physical
    name: eth0
    subnets:
      - {{type: dhcp4}}
      - {{type: static, address: 10.0.0.1/24, gateway: 10.0.0.254}}
      - {{type: static, address: 10.0.0.2, netmask: 255.255.255.0}}
      - {{type: static, address: 10.0.0.3}}
      - {{type: static6, address: "2001:db8::1"}}
      - {{type: static6, address: "2001:db8::2"}}
      - {{type: static, address: 10.0.0.300}}
  - type: physical
    name: eth0:7
    subnets: [{{type: static, address: 10.0.0.7/32}}]
  - {{type: nameserver, address: 10.0.0.9}}
"""


def one(folder: Path, text: str, *, every: bool = True) -> Import:
    return Import(folder, "cloud-init", {"50-net.cfg": text}, every=every)


def eth0(*subnets: str) -> str:
    body = "".join(f"    - {{type: static, {one}}}\n" for one in subnets)
    return f"{HEAD}  - type: physical\n    name: eth0\n    subnets:\n{body}"


def test_names_are_aliases(tmp_path: Path) -> None:
    """An entry called like an alias is one; the first subnet of each family is the own address."""
    found = one(tmp_path, FILE, every=False)
    assert found.lines == ["# 50-net.cfg", "eth0:7 10.0.0.7/32 kind label"]
    assert found.notes[0].startswith("50-net.cfg:13: eth0: 10.0.0.300 is not carried over")
    assert found.notes[1:] == [
        "50-net.cfg:9: 3 further addresses of eth0 have no name (--all imports them too)"
    ]


def test_all_addresses(tmp_path: Path) -> None:
    """Lengths are 24 and 64 where none is given."""
    assert one(tmp_path, FILE).aliases == [
        "eth0:0-1 10.0.0.2-3/24 kind label",
        "eth0:2 2001:db8::2/64 kind label",
        "eth0:7 10.0.0.7/32 kind label",
    ]


@pytest.mark.parametrize(
    ("subnet", "line"),
    [
        ("address: 10.0.0.2, prefix: 25", "eth0:0 10.0.0.2/25 kind label"),
        ("address: 10.0.0.2/30, netmask: 255.255.0.0", "eth0:0 10.0.0.2/30 kind label"),
        ("ip_address: 10.0.0.2", "eth0:0 10.0.0.2/24 kind label"),
        (
            "address: 10.0.0.2, control: manual",
            "# eth0:0 10.0.0.2/24 kind label # not brought up automatically (control: manual)",
        ),
    ],
)
def test_values(tmp_path: Path, subnet: str, line: str) -> None:
    assert one(tmp_path, eth0("address: 10.0.0.1/24", subnet)).aliases == [line]


def test_of_equal_names_the_last_counts(tmp_path: Path) -> None:
    text = eth0("address: 10.0.0.1/24", "address: 10.0.0.2/24")
    text += "  - {type: physical, name: eth0, subnets: [{type: static, address: 10.0.0.9/24}]}\n"
    assert one(tmp_path, text).lines == []


V2 = """\
network:
  version: 2
  ethernets:
    eth0:
      match: {macaddress: 'a:b'}
      addresses: [10.0.0.1/24, 10.0.0.2, "2001:db8::1", "2001:db8::2", 10.0.0.3/24: {label: web}]
"""


def test_version_2(tmp_path: Path) -> None:
    """It is netplan's, but lengths are 24 and 64, and the ID is the name."""
    assert one(tmp_path, V2).aliases == [
        "eth0:0 10.0.0.2/24 kind label",
        "eth0:1 2001:db8::2/64 kind label",
        "eth0:2 10.0.0.3/24 kind label # eth0:web",
    ]


def test_files_are_merged(tmp_path: Path) -> None:
    """The highest name comes first, lists included; a data source stands for itself."""
    files = {
        "50.cfg": V2,
        "90.cfg": "network: {version: 2, ethernets: {eth0: {addresses: [10.9.0.1/24, 10.9.0.2/24]}}"
        "}\n",
        "network-config": "version: 1\nconfig: [{type: physical, name: eth1:3, subnets: "
        "[{type: static, address: 10.3.0.1/24}]}]\n",
        "05_logging.cfg": "output: {all: x}\n",
    }
    found = Import(tmp_path, "cloud-init", files, every=True)
    assert found.lines == [
        "# network-config",
        "eth1:3 10.3.0.1/24 kind label",
        "# 90.cfg",
        "eth0:0 10.9.0.2/24 kind label",
    ]
    assert found.notes == []


@pytest.mark.parametrize(
    "text", ["network: {config: disabled}", "network:", "users: [x]", "", "network: {version: 1}"]
)
def test_nothing_in_it(tmp_path: Path, text: str) -> None:
    found = one(tmp_path, text)
    assert found.lines == found.notes == []


def test_an_unknown_version(tmp_path: Path) -> None:
    assert one(tmp_path, "network: {version: 3}").notes == [
        "50-net.cfg: version 3: only 1 and 2 are known"
    ]


def test_exponential_aliases(tmp_path: Path) -> None:
    """They are counted, and then given up, with a note."""
    subnets = ", ".join(["*s"] * 400)
    entries = "".join(f"  - {{type: bond, name: b{n}, subnets: *all}}\n" for n in range(400))
    head = f"s: &s {{type: static, address: 10.0.0.1/24}}\nall: &all [{subnets}]\n"
    assert one(tmp_path, head + HEAD + entries).notes[0] == (
        "50-net.cfg: aliases make more than 100000 values of it"
    )
