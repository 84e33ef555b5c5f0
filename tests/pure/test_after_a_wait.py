"""What was planned is still true when it is done: whatever somebody does while an address is probed
for, or between any two messages, his objects stay as he has left them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EEXIST, ENOBUFS
from typing import Any

import pytest
from declared_machine import entry_of
from test_plan_compare import Declared

from netalias import errors
from netalias.claim import Policy
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Outcome, mend
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model import GROUP, PROTOCOL
from netalias.model.steps import AddAddress, CreateLink, DelAddress, SetLink, Step
from netalias.plan.compare import compare
from netalias.plan.diff import Diff

OTHER = "eth1:7 10.9.0.9 kind label acd rfc"
"""An alias whose address is probed for, for seconds."""

Action = Callable[[Memory], object]


class Waiting(Declared):
    """A stage where others act while an address is probed for."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        super().__init__(Memory(kinds=("macvlan", "dummy", "veth")))
        self.engine = self.engine.derived(claims=True)
        self.actions: list[Action] = []
        self.waited = 0

        def conflicts(*_: object) -> list[Any]:
            self.waited += 1
            for action in self.actions:
                action(self.kernel)
            self.actions = []
            return []

        patch.setattr("netalias.claim.check.conflicts", conflicts)
        patch.setattr("netalias.claim.session.announce", lambda *_: [])

    def meanwhile(self, action: Action) -> None:
        """What somebody does during the next probe."""
        self.actions.append(action)

    # The four ways to change something, each with an address that is probed for

    def by_command(self, text: str) -> None:
        self(f"{text} acd rfc")

    def by_reconcile(self, text: str) -> Outcome:
        return self.reconcile(f"{text}\n{OTHER}\n")

    def by_batch(self, text: str) -> None:
        with self.engine.transaction():
            parsed = parse_commands(f"{text} acd rfc", self.engine.registry)
            Batch(self.engine, lambda _: 0, lambda _: None, force=True).run(parsed)

    def by_watch(self, text: str) -> None:
        wanted = self.parsed(f"{text}\n{OTHER}\n")

        def look() -> Diff:
            return compare(wanted.blocks, self.engine.observe(), removing=False)

        with self.engine.transaction():
            mend(self.engine, look(), look)


WAYS = (Waiting.by_command, Waiting.by_reconcile, Waiting.by_batch, Waiting.by_watch)


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Waiting:
    return Waiting(monkeypatch)


@pytest.fixture(params=WAYS, ids=["command", "reconcile", "batch", "watch"])
def way(request: pytest.FixtureRequest) -> Any:
    return request.param


def replaced(kernel: Memory, name: str, **fields: Any) -> None:
    """Somebody deletes a device; one of his gets its index."""
    index = kernel.device(name).index
    kernel.remove_device(name)
    step = CreateLink(
        fields.pop("new", "his0"), "dummy", group=fields.pop("group", 0), former=index
    )
    assert Memory.send(kernel, [step]) == [None]


# (a) secondaries


@pytest.mark.parametrize("promote", [0, 1])
def test_a_secondary_that_came_meanwhile(stage: Waiting, way: Any, promote: int) -> None:
    """The label leaves its network; who has joined it meanwhile stays, whatever the sysctl says."""
    stage("eth0:0 10.60.0.5/24 kind label")
    index = stage.device("eth0").index
    stage.kernel.send([SetLink("eth0", index, conf={"promote_secondaries": promote})])
    stage.meanwhile(lambda kernel: kernel.add_address("eth0", "10.60.0.9/24"))
    way(stage, "eth0:0 10.61.0.5/24 kind label")
    assert stage.waited
    assert sorted(stage.on("eth0")) == ["10.60.0.9/24", "10.61.0.5/24 label=eth0:0"]


def test_a_secondary_that_came_before_the_send(stage: Waiting) -> None:
    """The reading before a send finds one that no plan knew of, and the switch is used."""
    stage("eth0:0 10.60.0.5/24 kind label")
    index = stage.device("eth0").index
    stage.kernel.send([SetLink("eth0", index, conf={"promote_secondaries": 0})])
    seen = stage.kernel.snapshot()
    (entry,) = [one for one in seen.on(index) if one.label == "eth0:0"]
    stage.kernel.add_address("eth0", "10.60.0.9/24")
    assert stage.kernel.apply([DelAddress("eth0", index, entry)], seen=seen) == []
    assert stage.on("eth0") == ["10.60.0.9/24"]
    assert stage.kernel.setting("eth0", "promote_secondaries") == 0


# (b) a label that is his now


def test_a_label_that_is_anothers_now(stage: Waiting, way: Any) -> None:
    """Our label was deleted, and added again without our mark: that one stays."""
    stage("eth0:0 10.60.0.5/24 kind label")

    def usurp(kernel: Memory) -> None:
        kernel.remove_address("eth0", "10.60.0.5/24")
        kernel.add_address("eth0", "10.60.0.5/24", label="eth0:0")

    stage.meanwhile(usurp)
    way(stage, "eth0:0 10.61.0.5/24 kind label")
    assert stage.waited
    assert "10.60.0.5/24 label=eth0:0" in stage.on("eth0")


# (c) an index that is his now


@pytest.mark.parametrize("new", ["his0", "eth0_0"])
def test_an_index_that_is_anothers_now(stage: Waiting, way: Any, new: str) -> None:
    """Our device is gone, and one of others has its index, perhaps even its name."""
    stage("eth0:0 10.60.0.5/24 kind dummy")
    stage.meanwhile(lambda kernel: replaced(kernel, "eth0_0", new=new))
    try:
        way(stage, "eth0:0 10.61.0.5/24 kind macvlan")
    except errors.StateError:
        assert new == "eth0_0"  # his name stands in the way of ours
    assert stage.waited
    assert stage.device(new).kind == "dummy"
    assert (stage.device(new).group, stage.device(new).ifalias) == (0, "")


# (d) a mark that was taken off


def test_a_mark_that_was_taken_off(stage: Waiting) -> None:
    """Whoever sets the group of a device to something else has taken it over."""
    stage("eth0:0 10.60.0.5/24 kind macvlan")
    stage.meanwhile(lambda kernel: kernel.set_device("eth0_0", group=0))
    stage.reconcile(f"{OTHER}\n")
    assert stage.waited
    assert stage.has("eth0_0")


def test_a_record_that_says_something_else(stage: Waiting) -> None:
    """An ifalias text of others on a device that has no altname of ours any more."""
    stage("eth0:0 10.60.0.5/24 kind macvlan")
    device = stage.device("eth0_0")

    def rename(kernel: Memory) -> None:
        node = kernel._links.nodes[device.index]
        node.altnames, node.ifalias = (), "uplink of a customer"

    stage.meanwhile(rename)
    stage.reconcile(f"{OTHER}\n")
    assert stage.device("eth0_0").ifalias == "uplink of a customer"


# (e) a sysctl that he has set


def test_a_sysctl_that_was_set_meanwhile(stage: Waiting, way: Any) -> None:
    """It is not lowered to what an alias needs, and not restored to what it was before."""

    def strict(kernel: Memory) -> None:
        index = kernel.device("eth0").index
        Memory.send(kernel, [SetLink("eth0", index, conf={"arp_ignore": 2})])

    stage.meanwhile(strict)
    way(stage, "eth0:0 10.60.0.5/24 kind macvlan")
    assert stage.waited
    assert stage.device("eth0").arp_ignore == 2
    assert stage.has("eth0_0")
    stage.reconcile("")
    assert stage.device("eth0").arp_ignore == 2


# Who never comes to an end


def test_other_addresses_each_time(stage: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that needs other probes after each probe is given up."""
    from netalias.engine import probing

    policy = Policy()
    policy.acd = "rfc"
    stage.engine = stage.engine.derived(policy=policy)
    with stage.engine.transaction():
        observed = stage.engine.observe()
        numbers = iter(range(1, 100))

        def plan() -> Any:
            text = f"eth0:0 10.0.0.{next(numbers)}\n"
            diff = compare(stage.parsed(text).blocks, observed)
            return diff.observed, diff.items

        with pytest.raises(errors.StateError, match="change the network all the time"):
            probing.Probes().settle(stage.engine.claiming, plan(), plan)
    assert stage.waited == probing.TRIES


# Undoing


def labelled(text: str, slot: int = 0, protocol: int = PROTOCOL) -> AddAddress:
    """The step that adds a label to eth0."""
    entry = entry_of(text).copy(protocol=protocol)
    if ":" in text:
        entry.metric = 0x6E610000 | slot
    else:
        entry.label = f"eth0:{slot}"
    return AddAddress("eth0", 2, entry)


class Stopped(Memory):
    """A kernel whose answers an interruption, or a full buffer, takes away."""

    def __init__(self, *, lost: bool) -> None:
        super().__init__()
        self.lost = lost
        self.armed = True
        self.add_device("eth0", up=True)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = super().send(steps)
        if not self.armed:
            return answers
        self.armed = False
        if self.lost:
            return [refused(step, ENOBUFS, "its answer was lost") for step in steps]
        raise KeyboardInterrupt


@pytest.mark.parametrize("lost", [False, True], ids=["interrupted", "lost"])
@pytest.mark.parametrize("text", ["2001:db8::5/128", "2001:db8::5/64", "10.60.0.5/32"])
def test_an_address_of_others_is_not_undone(lost: bool, text: str) -> None:
    """What the kernel refused with EEXIST is not ours, also where nobody has seen the refusal."""
    kernel = Stopped(lost=lost)
    kernel.add_address("eth0", text)
    before = kernel.snapshot().on(2)
    steps = [labelled(text), labelled("2001:db8::6/64", 1)]
    for owner, step in enumerate(steps):
        step.owner = owner
    if lost:
        assert [one.error.errno for one in kernel.apply(steps)] == [ENOBUFS, ENOBUFS]
    else:
        with pytest.raises(KeyboardInterrupt):
            kernel.apply(steps)
    assert kernel.snapshot().on(2) == before


def test_what_is_undone_may_be_anothers_by_then() -> None:
    """Between the send and its undoing our address was replaced by one of others."""
    kernel = Stopped(lost=False)
    taken = []

    def send(steps: Sequence[Step]) -> Any:
        answers = Memory.send(kernel, steps)
        if not taken:
            taken.append(1)
            kernel.remove_address("eth0", "2001:db8::5/64")
            kernel.add_address("eth0", "2001:db8::5/64")
            return [answers[0], refused(steps[1], EEXIST)]
        return answers

    kernel.send = send  # type: ignore[method-assign]
    (failure,) = kernel.apply([labelled("2001:db8::5/64"), labelled("10.0.0.1/32", 1)])
    assert failure.left == []
    assert [one.protocol for one in kernel.snapshot().on(2) if one.local[:2] == b"\x20\x01"] == [0]


def test_a_primary_that_is_undone_leaves_its_secondaries() -> None:
    """Somebody has joined the network of an address that has to go again."""
    kernel = Stopped(lost=False)
    kernel.armed = False
    send = kernel.send

    def joined(steps: Sequence[Step]) -> Any:
        if not isinstance(steps[0], AddAddress):
            return send(steps)
        assert send(steps[:1]) == [None]
        kernel.add_address("eth0", "10.60.0.9/24")
        return [None, refused(steps[1], EEXIST)]

    kernel.send = joined  # type: ignore[method-assign]
    assert len(kernel.apply([labelled("10.60.0.5/24"), labelled("10.7.0.1/32", 1)])) == 1
    left = [one.local for one in kernel.snapshot().on(2) if len(one.local) == 4]
    assert left == [bytes((10, 60, 0, 9))]


def test_a_device_of_others_is_not_undone() -> None:
    """A device of ours was there before, so an interrupted creation was refused."""
    kernel = Stopped(lost=False)
    kernel.add_device("eth0_0", "dummy", group=GROUP, altnames=["eth0:0"])
    seen = kernel.snapshot()
    with pytest.raises(KeyboardInterrupt):
        kernel.apply([CreateLink("eth0_0", "dummy", group=GROUP)], seen=seen)
    assert kernel.snapshot().device("eth0_0") is not None
