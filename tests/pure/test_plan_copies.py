"""An address of an alias that another program adds to its device once more."""

from __future__ import annotations

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.kernel.memory import Memory


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan",)))


@pytest.mark.parametrize("length", [24, 8])
def test_the_address_of_an_alias_twice_on_its_device(stage: Declared, length: int) -> None:
    """ifup adds the address of eth0:0 to its device: the copy is a difference, and goes alone."""
    text = "eth0:0 10.0.0.5 kind macvlan\n"
    stage.reconcile(text)
    stage.kernel.add_address("eth0_0", f"10.0.0.5/{length}", label="eth0:0")
    stage.kernel.add_address("eth0_0", "10.0.0.6/24")
    assert stage.lines(text) == [f"~ eth0:0 10.0.0.5/32 surplus 10.0.0.5/{length} -> none"]
    assert stage.reconcile(text).status == errors.STATUS_OK
    assert stage.on("eth0_0") == ["10.0.0.5/32", "10.0.0.6/24"]
    assert stage.check(text).same
