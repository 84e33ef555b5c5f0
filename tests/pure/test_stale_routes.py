"""Routes that an IPv6 label left behind, since others deleted its address: found and deleted."""

from __future__ import annotations

import pytest
from test_drift import declared, done, drift
from test_plan import Stage

from netalias.engine.reconcile import Rules, look

TEXT = "eth0:1 2001:db8::5/64 kind label\n"


@pytest.fixture
def stage() -> Stage:
    """The label brought the network; eth0 got an address of it, and then the label was deleted."""
    made = Stage()
    done(made, TEXT)
    made.kernel.add_address("eth0", "2001:db8::1/64")
    made.kernel.remove_address("eth0", "2001:db8::5/64")
    return made


def routes(stage: Stage) -> list[int]:
    """The metrics of the connected IPv6 routes of the network."""
    found = stage.kernel.connected()
    return sorted(one.metric for one in found if one.network.startswith(b"\x20\x01\x0d\xb8"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (TEXT, "+ eth0:1 2001:db8::5/64 label"),
        ("eth0:2 2001:db8::7/64 kind label\n", "+ eth0:2 2001:db8::7/64 label"),
    ],
)
def test_it_is_a_difference(stage: Stage, text: str, line: str) -> None:
    """Declared or not any more: the route goes, the label comes as it is now."""
    assert 256 in routes(stage)
    assert len(routes(stage)) == 2
    assert drift(stage, text) == [line, "- eth0:1 - route 2001:db8::/64"]
    assert done(stage, text).status == 0
    assert routes(stage) == [256]
    assert drift(stage, text) == []


def test_with_other_main_devices_only(stage: Stage) -> None:
    """--only of another main device leaves it."""
    text = TEXT + "eth1:0 2001:db8:1::1/64 kind label\n"
    for only, count in (("eth1", 1), ("eth0", 2)):
        assert len(look(stage.engine, declared(stage, text), Rules(only=only)).items) == count


def test_the_route_of_a_label_that_comes(stage: Stage) -> None:
    """The label that is the first in its network again brings the route that is there."""
    stage.kernel.remove_address("eth0", "2001:db8::1/64")
    before = routes(stage)
    assert len(before) == 1
    assert drift(stage, TEXT) == ["+ eth0:1 2001:db8::5/64 label"]
    assert done(stage, TEXT).status == 0
    assert routes(stage) == before


def test_of_nobody(stage: Stage) -> None:
    """A route with another metric, or of an address that is there, is not touched."""
    done(stage, TEXT)
    stage.kernel.add_address("eth0", "2001:db8::9/64", metric=77)
    stage.kernel.add_address("eth0", "2001:db8::8/64", metric=78)
    stage.kernel.remove_address("eth0", "2001:db8::8/64")
    assert routes(stage) == [77, 78, 256]
    assert drift(stage, TEXT) == []
