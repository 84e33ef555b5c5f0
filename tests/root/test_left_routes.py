"""Routes that IPv6 labels left behind, on the real kernel."""

from __future__ import annotations

from pathlib import Path

from command import Command


def test_the_route_of_a_label_that_others_deleted(cli: Command, tmp_path: Path) -> None:
    """It is found and deleted; those of labels that are there, networks and hosts, are none."""
    file = tmp_path / "netalias.conf"
    file.write_text(
        "eth9:1 2001:db8::5/64 kind label\n"
        "eth9:2 2001:db8:2::5/64 kind label\n"
        "eth9:3 2001:db8:3::5 kind label\n"
        "lo:4 2001:db8:4::5 kind label\n"
    )
    cli("reconcile", str(file))
    cli.silent("check", str(file))
    here = cli.namespace
    here.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    here.ip("addr del 2001:db8::5/64 dev eth9")
    routes = "-6 route show 2001:db8::/64 dev eth9"
    assert here.ip(routes).count("\n") == 2
    assert cli("reconcile", str(file)) == (
        "+ eth9:1 2001:db8::5/64 label\n- eth9:1 - route 2001:db8::/64\n"
    )
    assert here.ip(routes).count("\n") == 1
    cli.silent("check", str(file))
