"""What a program calls, in a namespace."""

from __future__ import annotations

import json

from command import Command

import netalias


def test_a_program(cli: Command) -> None:
    """It sees what the command sees, and the doctor examines the same namespace."""
    with netalias.open(cli.namespace.path) as engine:
        alias = engine.create("eth9:0", "10.9.0.1/24", kind="macvlan", mtu=1400)
        assert str(alias.interface) == "10.9.0.1/24"
        assert cli.one("eth9:0")["mtu"] == 1400
        cli.namespace.ip("link set eth9_0 down")
        said = json.loads(cli.run("-j", "doctor").stdout)
        found = [finding.to_dict() for finding in engine.doctor()]
        assert "down" in [one["check"] for one in found]
        assert [one["check"] for one in found] == [one["check"] for one in said]
        assert engine.doctor("eth9:0")
        engine.delete("eth9:0")
        assert engine.show() == []
