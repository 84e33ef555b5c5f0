"""Differences of declared aliases after a change of their main device."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from test_plan import Stage

from netalias import errors
from netalias.desired import declarations
from netalias.engine.reconcile import Outcome, Rules, look, reconcile
from netalias.model.names import AliasName
from netalias.model.steps import DelAltname, SetLink
from netalias.observed.planned import Planned
from netalias.plan import plan
from netalias.plan.unchanged import Unchanged
from netalias.views.diff import line


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
    diff = look(stage.engine, declared(stage, text), Rules())
    return [line(item, stage.engine.registry) for item in diff.items]


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
    """A default MTU holds for devices; a label ignores it."""
    stage = Stage()
    text = "defaults mtu 1400\neth0:0 10.0.0.1 kind macvlan\nlo:0 192.0.2.1\n"
    assert done(stage, text).status == 0
    assert stage.kernel.device("eth0:0").mtu == 1400
    assert drift(stage, text) == []


TAILS = st.sampled_from(
    ["", "/32", "/24", " kind macvlan", " kind label", " kind dummy", " mtu 1400", " down", " up",
     " metric 5", " -broadcast", " broadcast 10.0.0.255", " hw ether 02:00:00:00:00:09",
     " kind ipvlan mtu 1400", " pointopoint 10.0.0.9"]
)  # fmt: skip
ADDRESSES = st.sampled_from(["10.0.0.1", "10.0.0.2", "127.0.0.9", "2001:db8::1"])
CHANGES = st.sampled_from(
    ["", "mtu eth0", "mtu alias", "down alias", "main down", "altname", "address", "ifalias"]
)


def disturb(stage: Stage, change: str) -> None:
    """Change eth0:0 as another program might, if the kernel allows it."""
    memory = stage.kernel
    with contextlib.suppress(errors.KernelError):
        if change.startswith("mtu"):
            memory.set_device("eth0" if change == "mtu eth0" else "eth0:0", mtu=1350)
        elif change.endswith("down") or change == "down alias":
            memory.set_device("eth0" if change == "main down" else "eth0:0", up=False)
        elif change == "altname":
            index = memory.device("eth0:0").index
            memory.send([DelAltname("eth0_0", index, "eth0:0")])
        elif change == "ifalias":
            memory.send([SetLink("eth0_0", memory.device("eth0:0").index, ifalias="mine")])
        elif change == "address":
            memory.remove_address("eth0:0", "10.0.0.1/32")


@settings(max_examples=400)
@given(st.tuples(ADDRESSES, TAILS), st.tuples(ADDRESSES, TAILS), CHANGES)
def test_the_quick_answer_is_that_of_the_plan(
    made: tuple[str, str], wished: tuple[str, str], change: str
) -> None:
    """An alias that counts as unchanged has a plan without steps."""
    stage = Stage()
    with contextlib.suppress(errors.NetaliasError):
        stage("eth0:0 " + "".join(made))
    disturb(stage, change)
    found = declarations.parse([("f", "eth0:0 " + "".join(wished))], stage.engine.registry)
    observed = stage.engine.observe()
    alias = observed.find(AliasName("eth0", 0))
    if found.errors or alias is None:
        return
    (block,) = found.blocks
    if Unchanged(block.wish, stage.kernel.device("eth0")).holds(alias, 0, block.addresses[0]):
        result = plan(block.wish, Planned(observed), force=True)
        assert result.steps == []
