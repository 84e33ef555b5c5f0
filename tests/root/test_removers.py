"""Programs that remove addresses which their files do not have, and what doctor says before."""

from __future__ import annotations

import json
from pathlib import Path

from command import Command, command
from test_import_real_programs import IFUP2, as_ifupdown2, once
from unpacked import unpacked

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
