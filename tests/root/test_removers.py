"""Programs that remove addresses which their files do not have, and what doctor says before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import Command, command
from test_import_real_programs import IFCFG, IFUP2, as_ifupdown2, as_network_scripts, once
from unpacked import unpacked

pytestmark = pytest.mark.programs

INTERFACES = "auto eth9\niface eth9 inet static\n    address 10.20.0.1/24\n"


def test_ifupdown2_removes_ipv6_labels(cli: Command, tmp_path: Path) -> None:
    """Those that doctor has named, and nothing else: labels of IPv4 and alias devices stay."""
    unpacked("ifupdown2", "usr/share/ifupdown2/ifupdown2")
    file, said = tmp_path / "interfaces", tmp_path / "said"
    file.write_text(INTERFACES)
    cli("eth9:0", "10.21.0.1", "kind", "label")
    cli("eth9:1", "2001:db8:21::1/64", "kind", "label")
    cli("eth9:2", "2001:db8:22::1/64", "kind", "macvlan")
    doctor = " ".join(command("-j", "doctor"))
    once(
        cli.namespace,
        f"{as_ifupdown2(tmp_path)}; cp {file} /etc/network/interfaces;"
        f" {doctor} >{said} || [ $? -eq 3 ]; {IFUP2} -a",
    )
    assert sorted(one["altname"] for one in cli.json()) == ["eth9:0", "eth9:2"]
    (found,) = [one for one in json.loads(said.read_text()) if one["check"] == "remover"]
    assert found["text"] == "eth9: ifreload -a may remove eth9:1"
    assert found["command"] == "netalias move eth9"


def test_network_scripts_remove_labels(cli: Command, tmp_path: Path) -> None:
    """Those of IPv4, when they raise a main device of theirs; devices and IPv6 labels stay."""
    said = tmp_path / "said"
    script = as_network_scripts(tmp_path, {"ifcfg-eth9": IFCFG["ifcfg-eth9"]})
    cli.namespace.ip("addr add 10.20.0.1/24 brd + dev eth9")
    cli("eth9:0", "10.21.0.1", "kind", "label")
    cli("eth9:1", "2001:db8:21::1/64", "kind", "label")
    cli("eth9:2", "10.22.0.1/24", "kind", "macvlan")
    doctor = " ".join(command("-j", "doctor"))
    once(
        cli.namespace,
        f"{script}; {doctor} >{said} || [ $? -eq 3 ]; cd /;"
        " /etc/sysconfig/network-scripts/ifup-aliases eth9",
    )
    assert sorted(one["altname"] for one in cli.json()) == ["eth9:1", "eth9:2"]
    (found,) = [one for one in json.loads(said.read_text()) if one["check"] == "remover"]
    assert found["text"] == "eth9: ifup may remove eth9:0"
    assert found["command"] == "netalias move eth9"
