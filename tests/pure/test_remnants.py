"""Aliases that a killed run was about to delete are shown, and every command works on them."""

from __future__ import annotations

from errno import ENODEV

import pytest
from test_plan import Stage, everything

from netalias import errors
from netalias.model import GROUP, SCRATCH
from netalias.views import state

DRAWN = GROUP | SCRATCH | 5 << 17
TEXTS = (
    "eth0:0 200.1.1.1/24 kind macvlan",
    "eth0:1 200.1.1.2/24 kind macvlan",
    "eth0:2 2001:db8::1/64 kind macvlan",
)


@pytest.fixture
def left() -> Stage:
    """Three aliases in a group that was drawn."""
    stage = Stage()
    for text in TEXTS:
        stage(text)
    for slot in range(len(TEXTS)):
        stage.kernel.set_device(f"eth0_{slot}", group=DRAWN)
    return stage


def whole(stage: Stage) -> bool:
    """Whether all devices of the stage are as a run to the end would have left them."""
    groups = {stage.device(one.name).group for one in stage.engine.show()}
    return groups <= {GROUP} and all(state(one) in ("up", "down") for one in stage.engine.show())


def test_they_are_shown(left: Stage) -> None:
    """As half-made, and found by their addresses."""
    shown = left.engine.show()
    assert [str(one.name) for one in shown] == ["eth0:0", "eth0:1", "eth0:2"]
    assert {state(one) for one in shown} == {"up,half-made"}
    found = left.engine.lookup("200.1.1.1")
    assert found is not None
    assert str(found.name) == "eth0:0"


def test_they_are_deleted(left: Stage) -> None:
    """One by one, by name; what is gone then is gone."""
    for slot in range(3):
        left(f"eth0:{slot}-")
        assert not left.kernel.snapshot().device(f"eth0_{slot}")
    with pytest.raises(errors.NoSuchDevice) as caught:
        left("eth0:0-")
    assert caught.value.errno == ENODEV


@pytest.mark.parametrize(
    "words", ["up", "down", "mtu 1400", "200.1.1.9/24", "10.0.0.1", "2001:db8::9/64"]
)
@pytest.mark.parametrize("slot", [0, 1, 2])
def test_they_are_changed(left: Stage, slot: int, words: str) -> None:
    """They have their mark again, their index stays, and others are left as they are."""
    index = left.device(f"eth0_{slot}").index
    left(f"eth0:{slot} {words}")
    device = left.device(f"eth0_{slot}")
    assert (device.group, device.index) == (GROUP, index)
    others = {left.device(f"eth0_{other}").group for other in range(3) if other != slot}
    assert others == {DRAWN}
    (alias,) = left.engine.show(f"eth0:{slot}")
    assert state(alias) == ("down" if words == "down" else "up")


def test_the_same_command_completes_them(left: Stage) -> None:
    """As for any half-made alias; afterwards nothing is left to do."""
    for text in TEXTS:
        left(text)
        assert not left.plan(text).steps
    fresh = Stage()
    for text in TEXTS:
        fresh(text)
    assert everything(left.kernel) == everything(fresh.kernel)
    assert whole(left)


@pytest.mark.parametrize("kind", ["label", "dummy"])
def test_they_change_their_kind(left: Stage, kind: str) -> None:
    """The device goes, whatever its group is."""
    left(f"eth0:0 200.1.1.1/24 kind {kind}")
    (alias,) = left.engine.show("eth0:0")
    assert (alias.kind, alias.whole) == (kind, True)


def test_a_device_of_others_in_that_group_is_theirs(left: Stage) -> None:
    """Primary name, altname and ifalias must agree there, too."""
    left.kernel.add_device("web_1", "macvlan", link="eth0", group=DRAWN)
    assert "web_1" not in {one.device.name for one in left.engine.show() if one.device}
