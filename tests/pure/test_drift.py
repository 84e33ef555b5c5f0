"""What the declared aliases differ in when their main device has changed."""

from __future__ import annotations

from test_plan import Stage

from netalias import declarations
from netalias.reconcile import Outcome, Rules, check, reconcile
from netalias.views.difference import line


def declared(stage: Stage, text: str) -> declarations.Declarations:
    """The declarations of a file without errors."""
    found = declarations.parse([("f", text)], stage.engine.registry)
    assert found.errors == []
    return found


def done(stage: Stage, text: str) -> Outcome:
    """A reconciliation."""
    return reconcile(stage.engine, declared(stage, text), Rules())


def drift(stage: Stage, text: str) -> list[str]:
    """The lines of a check."""
    agenda = check(stage.engine, declared(stage, text), Rules())
    return [line(item, stage.engine.registry) for item in agenda.items]


def test_the_mtu_of_the_main_device() -> None:
    """S43: where no MTU is declared an alias has that of its main device, or differs."""
    stage = Stage()
    text = "eth0:0-1 10.0.0.1+ kind macvlan\neth0:2 10.0.0.9 kind macvlan mtu 1400"
    stage.kernel.set_device("eth0", mtu=1450)
    done(stage, text)
    stage.kernel.set_device("eth0", mtu=1500)
    assert drift(stage, text) == [
        "~ eth0:0 10.0.0.1/32 mtu 1450 -> 1500",
        "~ eth0:1 10.0.0.2/32 mtu 1450 -> 1500",
    ]
    done(stage, text)
    assert drift(stage, text) == []
    assert stage.kernel.device("eth0:2").mtu == 1400


def test_a_lowered_mtu() -> None:
    """The kernel lowers the MTU of the aliases with it: that is no difference."""
    stage = Stage()
    text = "eth0:0 10.0.0.1 kind macvlan\neth0:1 10.0.0.2 kind label\neth0:2 10.0.0.3 kind dummy"
    done(stage, text)
    stage.kernel.set_device("eth0", mtu=1300)
    assert drift(stage, text) == []


def test_the_mtu_of_the_defaults() -> None:
    """It is for whatever has one: a label passes it over."""
    stage = Stage()
    text = "defaults mtu 1400\neth0:0 10.0.0.1 kind macvlan\nlo:0 192.0.2.1\n"
    assert done(stage, text).status == 0
    assert stage.kernel.device("eth0:0").mtu == 1400
    assert drift(stage, text) == []
