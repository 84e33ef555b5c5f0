"""``netalias watch`` and gateways: what others delete comes back, what is left goes."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from support import until
from watcher import watching

from netalias.kernel.netlink.monitor import Monitor
from netalias.model.events import ROUTE


def test_what_is_deleted_comes_back_and_goes_with_the_main_device(
    cli: Command, tmp_path: Path
) -> None:
    """A rule and a route that somebody deletes are put back by event; rules go with the main
    device, though the kernel keeps them."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(
        "eth9:0 10.0.0.1/32 kind macvlan gateway 10.0.0.254\n"
        "eth9:1 2001:db8::1/64 kind macvlan gateway fe80::1\n"
    )
    here = cli.namespace

    def rules() -> str:
        return here.ip("rule show pref 32768") + here.ip("-6 rule show pref 32768")

    def routes() -> str:
        words = "route show table all proto 97"
        return here.ip(words) + here.ip(f"-6 {words}")

    with watching(here, tmp_path / "net", str(conf)):
        whole = until(lambda: (rules(), routes()) if "default via fe80::1" in routes() else None)
        for words in (
            "rule del oif eth9_0",
            "-6 rule del oif eth9_1",
            "route flush table all proto 97",
            "-6 route flush table all proto 97",
        ):
            here.ip(words)
            until(lambda: (rules(), routes()) == whole)
        here.ip("link del eth9")
        until(lambda: rules() == "")


def test_the_default_route_is_followed_by_event(cli: Command, tmp_path: Path) -> None:
    """One that comes, one in its place, and the one that is left when the better one goes; neither
    other routes nor default routes of other tables wake the watcher."""
    conf = tmp_path / "netalias.conf"
    conf.write_text(
        "eth9:0 10.0.0.1/24 kind macvlan gateway auto\n"
        "eth9:1 2001:db8::1/64 kind macvlan gateway auto\n"
    )
    here = cli.namespace
    here.ip("addr add 10.0.0.9/24 dev eth9")

    def routers() -> list[str]:
        words = "route show table all proto 97"
        found = here.ip(f"-4 {words}") + here.ip(f"-6 {words}")
        return [line.split()[2] for line in found.splitlines() if line.startswith("default")]

    with watching(here, tmp_path / "net", str(conf)):
        until(lambda: len(cli.names()) == 2)
        here.ip("route add default via 10.0.0.251 dev eth9 metric 50")
        here.ip("-6 route add default via fe80::51 dev eth9 metric 50")
        until(lambda: routers() == ["10.0.0.251", "fe80::51"])
        here.ip("route add default via 10.0.0.250 dev eth9 metric 20")
        here.ip("-6 route add default via fe80::50 dev eth9 metric 20")
        until(lambda: routers() == ["10.0.0.250", "fe80::50"])
        here.ip("route replace default via 10.0.0.252 dev eth9 metric 20")
        until(lambda: routers() == ["10.0.0.252", "fe80::50"])
        here.ip("route del default via 10.0.0.252 dev eth9 metric 20")
        here.ip("-6 route del default via fe80::50 dev eth9 metric 20")
        until(lambda: routers() == ["10.0.0.251", "fe80::51"])


@pytest.mark.parametrize("family", ["", "-6 "])
def test_other_routes_are_not_heard(cli: Command, family: str) -> None:
    """A host may have a million routes, and announce all: of those of others the kernel hands over
    the default ones of the table main."""
    here = cli.namespace
    network, via = ("2001:db8:{:x}::/48", "fe80::9") if family else ("10.{}.0.0/16", "10.0.0.254")
    here.ip("addr add 10.0.0.9/24 dev eth9")
    with here:
        monitor = Monitor(media=False, connected=True)
    try:
        list(monitor.start())
        for number in range(1, 50):
            here.ip(f"{family}route add {network.format(number)} via {via} dev eth9")
        here.ip(f"{family}route add default via {via} dev eth9 table 77")
        assert list(monitor.read()) == []
        for verb in ("add", "del"):
            here.ip(f"{family}route {verb} default via {via} dev eth9")
            (event,) = monitor.read()
            assert (event.what, event.subject.prefixlen) == (ROUTE, 0)
    finally:
        monitor.close()
