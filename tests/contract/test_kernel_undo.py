"""What every Kernel undoes: a change that was refused half-way, and a run that was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from errno import ESTALE

import pytest
from declared_machine import entry_of
from stage import MAC, OTHER_MAC, address_values, alias, done, index, inet, macvlan, refused, state

from netalias import errors
from netalias.kernel import Kernel
from netalias.model import GROUP, PROTOCOL
from netalias.model.steps import (
    RAISE,
    SET,
    AddAddress,
    AddAltname,
    DelAddress,
    DelLink,
    SetLink,
    Step,
)


def twins(kernel: Kernel) -> tuple[int, SetLink]:
    """Two macvlans with one MAC, a is up; the index of b, and a step that must be refused."""
    done(kernel, macvlan(kernel, "a", mac=MAC))
    done(kernel, macvlan(kernel, "b", mac=MAC))
    done(kernel, SetLink("a", index(kernel, "a"), up=True))
    number = index(kernel, "b")
    before = SetLink("b", number, SET, mtu=1500, ifalias="", up=False)
    return number, SetLink("b", number, RAISE, mtu=1300, ifalias="new", up=True, before=before)


def test_refused_half_way(kernel: Kernel) -> None:
    """S87: of a SetLink that is refused at its last part, the parts before it are undone."""
    _, step = twins(kernel)
    before = state(kernel)
    (failure,) = kernel.apply([step])
    assert failure.step is step
    assert failure.left == []
    assert "MAC" in failure.error.hint
    assert state(kernel) == before


def test_what_the_kernel_leaves(kernel: Kernel) -> None:
    """Without undoing, the kernel keeps what it did before it came to the refusal."""
    number, step = twins(kernel)
    before = state(kernel)
    refused(kernel, step)
    left = kernel.snapshot().devices[number]
    assert (left.mtu, left.ifalias, left.up) == (1300, "new", False)
    done(kernel, step.before)  # type: ignore[arg-type]
    assert state(kernel) == before


def test_what_stood_before_a_refusal(kernel: Kernel) -> None:
    """S20: addresses, altnames and settings of the same owner are taken back, in reverse."""
    number, step = twins(kernel)
    done(kernel, AddAddress("b", number, inet("10.9.0.9/32")))
    before = state(kernel)
    (failure,) = kernel.apply([
        AddAltname("b", number, "eth9:1"),
        DelAddress("b", number, inet("10.9.0.9/32"), 0),
        AddAddress("b", number, inet("10.9.0.1/24")),
        step,
        DelAddress("b", number, inet("10.9.0.1/24")),
    ])  # fmt: skip
    assert failure.step is step
    assert failure.left == []
    assert state(kernel) == before


def test_other_owners_stay(kernel: Kernel) -> None:
    """Only the owner of the refused step is undone."""
    number, step = twins(kernel)
    step.owner = 1
    mine = [AddAltname("b", number, "eth9:1"), step]
    mine[0].owner = 1
    before = state(kernel)
    (failure,) = kernel.apply([*mine, *alias(kernel, 0, "10.9.0.1/24", owner=2)])
    assert failure.step.owner == 1
    after = state(kernel)
    assert {name: values for name, values in after.items() if name != "eth9_0"} == before
    assert "eth9_0" in after


class Interrupted:
    """The send of a Kernel that is interrupted, once, at a send or behind it."""

    def __init__(self, kernel: Kernel, at: int, *, behind: bool) -> None:
        self.wrapped = kernel.send
        self.left = at
        self.behind = behind

    def __call__(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.left -= 1
        if self.left:
            return self.wrapped(steps)
        if self.behind:
            self.wrapped(steps)
        raise KeyboardInterrupt


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_creation(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, at: int, behind: bool
) -> None:
    """S86: an interruption at any send leaves no half-made device, and goes on upwards."""
    before = state(kernel)
    steps = alias(kernel, 0, "10.9.0.1/24")
    monkeypatch.setattr(kernel, "send", Interrupted(kernel, at, behind=behind))
    with pytest.raises(KeyboardInterrupt):
        kernel.apply(steps)
    monkeypatch.undo()
    assert state(kernel) == before
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("at", [1, 2])
def test_interrupted_change(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, at: int, behind: bool
) -> None:
    """S20: a change in two sends, interrupted at either: everything is as it was."""
    done(kernel, macvlan(kernel, "a", mac=MAC))
    number = index(kernel, "a")
    done(kernel, AddAddress("a", number, inet("10.9.0.1/24")))
    before = state(kernel)
    back = SetLink("a", number, SET, mtu=1500, mac=MAC, ifalias="", up=False)
    change = SetLink("a", number, mtu=1300, mac=OTHER_MAC, ifalias="n", up=True, before=back)
    steps = [
        AddAddress("a", number, inet("10.9.1.1/24")),
        change,
        DelAddress("a", number, inet("10.9.0.1/24")),
    ]
    monkeypatch.setattr(kernel, "send", Interrupted(kernel, at, behind=behind))
    with pytest.raises(KeyboardInterrupt):
        kernel.apply(steps)
    monkeypatch.undo()
    assert state(kernel) == before
    assert kernel.snapshot().devices[number].mac == MAC
    assert kernel.apply(steps) == []


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("text", ["2001:db8::5/128", "2001:db8::5/64", "10.9.0.5/24"])
def test_interrupted_at_an_address_of_others(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, text: str, behind: bool
) -> None:
    """The kernel has refused it (EEXIST), so it is not undone: it has no mark of ours."""
    number = index(kernel, "eth9")
    done(kernel, AddAddress("eth9", number, entry_of(text)))
    before = address_values(kernel.snapshot(), "eth9")
    wanted = entry_of(text)
    wanted.protocol, wanted.metric = PROTOCOL, 0 if ":" not in text else 0x6E610000
    monkeypatch.setattr(kernel, "send", Interrupted(kernel, 1, behind=behind))
    with pytest.raises(KeyboardInterrupt):
        kernel.apply([AddAddress("eth9", number, wanted)])
    monkeypatch.undo()
    assert address_values(kernel.snapshot(), "eth9") == before


def test_a_device_that_has_another_mark_by_now(kernel: Kernel) -> None:
    """A plan names a device by its index; by now it is none of ours."""
    done(kernel, macvlan(kernel, "a_0", mac=MAC))
    seen = kernel.snapshot()
    number = index(kernel, "a_0")
    other = DelLink("a_0", number, 5)
    (failure,) = kernel.apply([other], seen=seen)
    assert failure.error.errno == ESTALE
    assert "a_0" in state(kernel)
    assert kernel.apply([DelLink("a_0", number, GROUP)], seen=seen) == []
