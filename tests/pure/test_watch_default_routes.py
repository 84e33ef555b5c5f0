"""``gateway auto`` under watch: it follows the default route of the main device by event."""

from __future__ import annotations

import pytest
from watched import Watched

from netalias.kernel.memory.rules import Rules
from netalias.model import AF_INET, AF_INET6
from netalias.system.backoff import SHORTEST

AUTO = "eth0:0 10.0.0.1/24 kind macvlan gateway auto\n"


def gateways(watched: Watched) -> list[str]:
    """The default routes in the tables of aliases."""
    return [way.text for way in watched.kernel.routing().read().ways if not way.network]


@pytest.fixture
def led() -> Watched:
    """A watcher of an alias that has the router of eth0, and of one without."""
    watched = Watched(AUTO + "eth0:1 10.0.0.2/24 kind macvlan\n")
    assert gateways(watched) == []
    return watched


def test_another_default_route_is_followed_at_once(led: Watched) -> None:
    """One that comes, and one that is in its place; it is no repair of what somebody has undone."""
    for router in ("10.0.0.254", "10.0.0.253"):
        led.said()
        led.kernel.add_default("eth0", router)
        led.quiet()
        led.pass_time(SHORTEST)
        led.quiet()
        assert gateways(led) == [f"default via {router}"]
        assert led.said() == [f"netalias: eth0:0: gateway {router}, as the default route has"]
    assert led.controller.wake is None


def test_a_default_route_that_has_gone_stays_the_way_out(led: Watched) -> None:
    """As for check and reconcile: the last known gateway stays, and nothing is done."""
    led.kernel.add_default("eth0", "10.0.0.254")
    led.quiet()
    led.said()
    led.kernel.add_default("eth0", "")
    led.pass_time(SHORTEST)
    led.quiet()
    assert gateways(led) == ["default via 10.0.0.254"]
    assert led.said() == []


def test_of_many_changes_the_first_and_the_last_count(
    led: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All routes may be read for each: once in SHORTEST seconds, however many there are; the repair
    of something else does not wait for that."""
    asked: list[int] = []
    read = Rules.read
    monkeypatch.setattr(Rules, "read", lambda self: asked.append(1) or read(self))
    for number in range(100):
        led.kernel.add_default("eth0", f"10.0.0.{100 + number}")
        led.quiet()
        if number == 50:
            led.kernel.remove_device("eth0:1")
            led.quiet()
            assert "eth0:1" in led.names()
    first = len(asked)
    led.pass_time(SHORTEST)
    led.quiet()
    assert gateways(led) == ["default via 10.0.0.199"]
    assert first < 50
    assert led.controller.wake is None


def test_what_follows_no_default_route_is_not_compared() -> None:
    """An alias with a gateway of its own, with none, of the other family, and one that is not
    healed."""
    watched = Watched(
        "eth0:0 10.0.0.1/24 kind macvlan gateway 10.0.0.254\n"
        "eth0:1 10.0.0.2/24 kind macvlan\n"
        "eth0:2 2001:db8::2/64 kind macvlan gateway auto\n"
        "eth0:3 10.0.0.3/24 kind macvlan gateway auto heal off\n"
    )
    watched.kernel.add_default("eth0", "10.0.0.7")
    watched.quiet()
    assert gateways(watched) == ["default via 10.0.0.254"]


def test_after_lost_announcements_it_is_compared(led: Watched) -> None:
    """The default route may have changed with them."""
    led.kernel.add_default("eth0", "10.0.0.254")
    led.monitor.defaults[led.kernel.device("eth0").index, AF_INET] = b"\x0a\0\0\xfe"
    led.monitor.missed = True
    led.controller.read_events()
    led.quiet()
    assert gateways(led) == ["default via 10.0.0.254"]
    assert led.controller.wake is None


def test_ipv6_too() -> None:
    """The router of eth0, whose address is link-local."""
    watched = Watched("eth0:0 2001:db8::2/64 kind macvlan gateway auto\n")
    watched.kernel.add_default("eth0", "fe80::1")
    watched.quiet()
    assert gateways(watched) == ["default via fe80::1"]
    assert {way.family for way in watched.kernel.routing().read().ways} == {AF_INET6}
