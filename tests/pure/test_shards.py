"""Shards over a kernel in memory: which devices hold their addresses, and when they come and go."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EEXIST, EINVAL, ENODEV, EOPNOTSUPP

import pytest
from test_plan import Stage, everything
from test_plan_compare import Declared

from netalias import desired, errors
from netalias.desired.export import lines
from netalias.engine.batch import Batch, parse_command
from netalias.engine.reconcile import Outcome, Rules, carry_out, check_rails, prepare
from netalias.kernel import stopped
from netalias.kernel.memory import Memory
from netalias.model import GROUP, PROTOCOL, SCRATCH, Address, hidden
from netalias.model.commands import command
from netalias.model.renames import SetGroup
from netalias.model.steps import AddAddress, CreateLink, DelAddress, DelLink, SetLink, Step
from netalias.plan.compare import compare
from netalias.views import COLUMNS, tree
from netalias.views import state as state_of
from netalias.views.changes import fields
from netalias.views.folded import folded
from netalias.watch.healing import Comparison

HIDDEN = hidden.group_of(GROUP)
POOL = "eth0:0-449 10.10.0.0/16+ kind shard\n"
"""Three hidden devices: 200, 200 and 50 addresses."""


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan", "ifb")))


def kinds_of(steps: Sequence[Step]) -> dict[type[Step], int]:
    return {kind: sum(type(step) is kind for step in steps) for kind in set(map(type, steps))}


class Sent(Memory):
    """A kernel that notes what it is sent, and may refuse or interrupt it."""

    refuses = ""
    interrupts = 0

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.sent = [*getattr(self, "sent", ()), *steps]
        answers: list[errors.NetaliasError | None] = []
        for step in steps:
            text = command(step)
            if self.interrupts and isinstance(step, AddAddress):
                self.interrupts -= 1
                if not self.interrupts:
                    raise KeyboardInterrupt
            if self.refuses and self.refuses in text and isinstance(step, AddAddress):
                answers.append(errors.kernel_error(text, EINVAL))
            else:
                answers += super().send([step])
        return answers


# One alias ------------------------------------------------------------------------------------


def test_made_changed_and_deleted(stage: Declared) -> None:
    """The hidden device comes with the first address and goes with the last."""
    before = everything(stage.kernel)
    stage("eth0:5 10.10.0.5/16 kind shard")
    device = stage.device("eth0_s0")
    assert (device.kind, device.group, device.up) == ("ifb", HIDDEN, True)
    assert device.ifalias == "netalias eth0 shard"
    stage("eth0:199 10.10.0.6 kind shard")
    stage("eth0:200 10.10.0.7 kind shard")
    assert stage.on("eth0_s0") == ["10.10.0.5/32 label=eth0:5", "10.10.0.6/32 label=eth0:199"]
    assert stage.on("eth0_s1") == ["10.10.0.7/32 label=eth0:200"]
    assert stage.names() == ["eth0:5", "eth0:199", "eth0:200"]
    stage("eth0:5 10.10.0.9")
    assert stage.on("eth0_s0") == ["10.10.0.6/32 label=eth0:199", "10.10.0.9/32 label=eth0:5"]
    stage("eth0:200-")
    assert not stage.has("eth0_s1")
    stage("eth0:5-")
    stage("eth0:199-")
    assert everything(stage.kernel) == before


def test_long_names(stage: Declared) -> None:
    """A hidden device has an abbreviated name where its main device has a long one; a label is
    never cut."""
    stage.kernel.add_device("enp0s31f6dev1", up=True)
    stage("enp0s31f6dev1:5 10.10.0.5 kind shard")
    (alias,) = stage.engine.observe().aliases
    assert (alias.name, alias.whole, alias.main) == (
        "enp0s31f6dev1:5", True, stage.device("enp0s31f6dev1"),
    )  # fmt: skip
    assert alias.hidden is not None
    assert (len(alias.hidden.name), alias.hidden.name[-3:]) == (12, "_s0")
    with pytest.raises(errors.LimitError):
        stage("enp0s31f6dev1:55 10.10.0.6 kind shard")
    stage("enp0s31f6dev1:5-")
    assert not stage.has(alias.hidden.name)


def test_no_route_and_its_length_is_kept(stage: Declared) -> None:
    """A network would be routed into the hidden device; what was asked for is noted."""
    stage("eth0:5 10.10.0.5/16 kind shard")
    index = stage.device("eth0_s0").index
    assert [one for one in stage.kernel.connected() if one.index == index] == []
    (alias,) = stage.engine.observe().aliases
    assert (alias.asked, alias.prefixlen) == (16, 32)
    assert stage.plan("eth0:5 10.10.0.5/16").steps == []
    assert stage.plan("eth0:5 10.10.0.5/24").steps != []


@pytest.mark.parametrize(
    ("kernel", "carrier"),
    [(("dummy", "ifb"), "dummy"), (("ifb",), "ifb"), (("macvlan", "dummy"), "dummy")],
)
def test_what_the_kernel_has_carries(kernel: tuple[str, ...], carrier: str) -> None:
    """A dummy where there are dummies, else an ifb: never a device with a MAC on the wire."""
    stage = Stage(Memory(kinds=kernel))
    stage("eth0:5 10.10.0.5 kind shard")
    assert stage.device("eth0_s0").kind == carrier


def test_a_kernel_with_neither() -> None:
    """It is said which devices are missing."""
    stage = Stage(Memory(kinds=("macvlan",)))
    said = stage.refused("eth0:5 10.10.0.5 kind shard", errors.KindError, EOPNOTSUPP)
    assert said == (
        "eth0:5: kind shard cannot serve: this kernel has neither dummy nor ifb devices"
    )


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("eth0:5 2001:db8::5 kind shard", "a shard is an IPv4 address"),
        ("eth0:5 10.10.0.5 kind shard mtu 1400", "a shard has no MTU or MAC of its own"),
        ("eth0:5 10.10.0.5 kind shard down", "a shard cannot be down"),
        ("eth0:5 10.10.0.5 kind shard pointopoint 10.9.0.1", "a shard has no peer"),
        ("eth0:5 10.10.0.5 kind shard gateway 10.9.0.1", "a shard has no device"),
        ("eth0:5 10.10.0.5 kind shard linklocal on", "a shard has no device of its own"),
        ("eth3:5 10.10.0.5 kind shard", "eth3 is a port of br0"),
        ("eth4:5 10.10.0.5 kind shard", "its arp_ignore is 1"),
    ],
)
def test_refused(stage: Declared, text: str, part: str) -> None:
    """What a shard cannot have, and main devices that could not answer for it."""
    stage.kernel.add_device("br0", "bridge", up=True)
    stage.kernel.add_device("eth3", up=True)
    stage.kernel.set_device("eth3", master=stage.device("br0").index)
    stage.kernel.add_device("eth4", up=True)
    stage.kernel.apply([SetLink("eth4", stage.device("eth4").index, conf={"arp_ignore": 1})])
    before = everything(stage.kernel)
    with pytest.raises(errors.NetaliasError) as caught:
        stage(text)
    assert part in str(caught.value)
    assert everything(stage.kernel) == before


def test_a_macvlan_beside_shards(stage: Declared) -> None:
    """The main device goes on answering for the shards, and that is told of the macvlan."""
    stage("eth0:5 10.10.0.5 kind shard")
    told = stage("eth0:1000 10.0.0.9 kind macvlan").notes
    assert stage.device("eth0").arp_ignore == 0
    assert told == [
        "eth0:1000: eth0 answers ARP for 10.0.0.9 too: the shard eth0:5 needs arp_ignore 0 on eth0"
    ]


def test_a_name_of_others(stage: Declared) -> None:
    """A device of others that is called like a hidden one is left alone, in whatever group."""
    stage.kernel.add_device("eth0_s0", "ifb", up=True)
    said = stage.refused("eth0:5 10.10.0.5 kind shard", errors.AlreadyExists, EEXIST)
    assert said.endswith("eth0_s0 names the device eth0_s0, which netalias did not make")


def test_without_its_group(stage: Declared) -> None:
    """Somebody has taken the mark of a hidden device away: it is his, and how to give it back is
    said."""
    stage("eth0:5 10.10.0.5 kind shard")
    stage.kernel.apply([SetGroup("eth0_s0", stage.device("eth0_s0").index, 0)])
    with pytest.raises(errors.NotOurs) as caught:
        stage("eth0:6 10.10.0.6 kind shard")
    assert caught.value.hint == "ip link set eth0_s0 group 28256"


def test_a_hidden_device_has_no_aliases(stage: Declared) -> None:
    """It is no main device."""
    stage("eth0:5 10.10.0.5 kind shard")
    stage.refused("eth0_s0:1 10.10.0.6", errors.BadName, ENODEV)


def test_the_same_address_twice(stage: Declared) -> None:
    """Two shards of one main device cannot have it, on whatever hidden devices."""
    stage("eth0:5 10.10.0.5 kind shard")
    said = stage.refused("eth0:700 10.10.0.5 kind shard", errors.AlreadyExists, EEXIST)
    assert said == "eth0:700: 10.10.0.5 belongs to eth0:5 already"


@pytest.mark.parametrize("other", ["label", "macvlan"])
def test_from_and_to_other_kinds(stage: Declared, other: str) -> None:
    """The alias keeps its address, and no hidden device stays behind."""
    stage(f"eth0:5 10.10.0.5 kind {other}")
    stage.kernel.apply([SetLink("eth0", stage.device("eth0").index, conf={"arp_ignore": 0})])
    stage("eth0:5 kind shard")
    assert stage.on("eth0_s0") == ["10.10.0.5/32 label=eth0:5"]
    stage(f"eth0:5 kind {other}")
    assert not stage.has("eth0_s0")
    (alias,) = stage.engine.observe().aliases
    assert (alias.kind, alias.name, alias.prefixlen) == (other, "eth0:5", 32)


def test_a_hidden_device_that_is_down_is_raised(stage: Declared) -> None:
    """Its addresses are no local ones while it is down."""
    stage("eth0:5 10.10.0.5 kind shard")
    stage.kernel.set_device("eth0_s0", up=False)
    (alias,) = stage.engine.observe().aliases
    assert (alias.up, state_of(alias)) == (False, "down")
    assert stage.lines("eth0:5 10.10.0.5 kind shard\n") == [
        "~ eth0:5 10.10.0.5/32 state down -> up"
    ]
    stage.reconcile("eth0:5 10.10.0.5 kind shard\n")
    assert stage.device("eth0_s0").up


def test_an_interrupted_deletion_is_taken_back(stage: Declared) -> None:
    """A killed run has left a device in the group that was about to go."""
    text = "eth0:5 10.10.0.5 kind shard\n"
    stage.reconcile(text)
    scratch = HIDDEN | SCRATCH | 5 << 17
    stage.kernel.apply([SetGroup("eth0_s0", stage.device("eth0_s0").index, scratch)])
    (alias,) = stage.engine.observe().aliases
    assert (alias.kind, state_of(alias)) == ("shard", "up,half-made")
    assert stage.lines(text) == ["~ eth0:5 10.10.0.5/32 name half-made -> eth0:5"]
    stage.reconcile(text)
    assert stage.device("eth0_s0").group == HIDDEN
    stage.kernel.apply([SetGroup("eth0_s0", stage.device("eth0_s0").index, scratch)])
    stage.reconcile("")
    assert not stage.has("eth0_s0")


# Thousands ------------------------------------------------------------------------------------


def test_declared_and_removed() -> None:
    """One message an address and three a device to make them; one a device to remove them."""
    stage = Declared(Sent(kinds=("dummy",)))
    before = everything(stage.kernel)
    stage.reconcile(POOL)
    assert kinds_of(stage.kernel.sent) == {AddAddress: 450, CreateLink: 3, SetLink: 6}
    assert [len(stage.on(f"eth0_s{number}")) for number in range(3)] == [200, 200, 50]
    assert stage.lines(POOL) == []
    assert lines(stage.engine.show(), stage.engine.registry) == [
        "eth0:0-449  10.10.0.0/16+  kind shard"
    ]
    stage.kernel.sent = []
    stage.reconcile("")
    assert kinds_of(stage.kernel.sent) == {DelLink: 3}
    assert everything(stage.kernel) == before


def test_what_is_added_and_removed_later(stage: Declared) -> None:
    """No standing address moves; only empty devices go."""
    stage.reconcile(POOL)
    there = {device.name: device.index for device in stage.kernel.snapshot().devices.values()}
    stage.reconcile(
        "eth0:0-100 10.10.0.0/16+ kind shard\neth0:440-449 10.10.1.184/16+ kind shard\n"
    )
    after = {device.name: device.index for device in stage.kernel.snapshot().devices.values()}
    assert set(there) - set(after) == {"eth0_s1"}
    assert after.items() <= there.items()
    stage.reconcile(POOL)
    assert [len(stage.on(f"eth0_s{number}")) for number in range(3)] == [200, 200, 50]


def test_rails_count_aliases(stage: Declared) -> None:
    """That half of them would go is refused, by whatever few messages."""
    stage.reconcile(POOL)
    found = stage.check("eth0:0-100 10.10.0.0/16+ kind shard\n", Rules())
    with pytest.raises(errors.StateError, match="349 of 450 aliases would be removed"):
        check_rails(found, Rules())


@pytest.mark.parametrize("slot", [0, 7, 199])
def test_one_that_is_refused_leaves_the_others(slot: int) -> None:
    """The device that it was to make, or shares, has the others all the same."""
    stage = Declared(Sent(kinds=("dummy",)))
    stage.kernel.refuses = f"label eth0:{slot} "
    outcome = stage.reconcile("eth0:0-199 10.10.0.0/16+ kind shard\n")
    assert [str(one.name) for one in outcome.failed] == [f"eth0:{slot}"]
    assert len(stage.on("eth0_s0")) == 199
    stage.kernel.refuses = ""
    stage.reconcile("eth0:0-199 10.10.0.0/16+ kind shard\n")
    assert len(stage.on("eth0_s0")) == 200


def test_all_refused_leave_no_device() -> None:
    """Nobody needs it, so it is undone with the last of them."""
    stage = Declared(Sent(kinds=("dummy",)))
    before = everything(stage.kernel)
    stage.kernel.refuses = "label"
    outcome = stage.reconcile("eth0:0-9 10.10.0.0/16+ kind shard\n")
    assert len(outcome.failed) == 10
    assert everything(stage.kernel) == before


def test_an_interrupted_run_undoes_all() -> None:
    """No address and no device is left of it."""
    stage = Declared(Sent(kinds=("dummy",)))
    before = everything(stage.kernel)
    stage.kernel.interrupts = 150
    with pytest.raises(KeyboardInterrupt):
        stage.reconcile("eth0:0-399 10.10.0.0/16+ kind shard\n")
    assert everything(stage.kernel) == before


class Stopping(Sent):
    """A kernel that is asked to stop after so many addresses, as by SIGINT."""

    last = 0

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers: list[errors.NetaliasError | None] = []
        for step in steps:
            if self.last and isinstance(step, AddAddress):
                self.last -= 1
                self.stopping = self.stopping or not self.last
            answers += [stopped(step)] if self.stop_requested else super().send([step])
        return answers


def test_a_stopped_run_leaves_none_half_done() -> None:
    """What it says to be done is up, and the next run has the rest to do only."""
    stage = Declared(Stopping(kinds=("dummy",)))
    stage.kernel.last = 151
    outcome = carry_out(stage.engine, prepare(stage.engine, stage.parsed(POOL), Rules()))
    assert (outcome.stopped, len(outcome.done)) == (True, 150)
    stage.kernel.stopping = False
    aliases = stage.engine.observe().aliases
    assert {state_of(one) for one in aliases} == {"up"}
    assert sorted(one.name for one in aliases) == sorted(one.name for one in outcome.done)
    assert stage.device("eth0_s0").up
    assert {text[0] for text in stage.lines(POOL)} == {"+"}
    stage.reconcile(POOL)
    assert len(stage.names()) == 450


def test_a_stopped_run_that_adds_to_a_device_that_is_down() -> None:
    """It is raised before the first address comes."""
    stage = Declared(Stopping(kinds=("dummy",)))
    stage.kernel.apply([CreateLink("eth0_s0", "dummy", group=HIDDEN, shared=True)])
    stage.kernel.last = 5
    outcome = carry_out(stage.engine, prepare(stage.engine, stage.parsed(POOL), Rules()))
    stage.kernel.stopping = False
    assert len(outcome.done) == 4
    assert [state_of(one) for one in stage.engine.observe().aliases] == ["up"] * 4


def test_unfinished_devices_are_finished(stage: Declared) -> None:
    """A killed run leaves one without a record, and down."""
    stage.kernel.apply([CreateLink("eth0_s0", "ifb", group=HIDDEN, shared=True)])
    stage.reconcile("eth0:0-9 10.10.0.0/16+ kind shard\n")
    device = stage.device("eth0_s0")
    assert (device.up, device.ifalias) == (True, "netalias eth0 shard")
    assert len(stage.on("eth0_s0")) == 10


# Others ---------------------------------------------------------------------------------------


def foreign(stage: Stage, text: str, label: str, protocol: int = 0) -> None:
    """An address that somebody puts on eth0_s0."""
    local = bytes(map(int, text.split(".")))
    index = stage.device("eth0_s0").index
    entry = Address(index, 2, local, 32, label=label, protocol=protocol)
    assert stage.kernel.apply([AddAddress("eth0_s0", index, entry)]) == []


@pytest.mark.parametrize("label", ["eth0_s0", "eth0:9"])
def test_an_address_of_others_keeps_its_device(stage: Declared, label: str) -> None:
    """It is no alias, and it does not go with the last of ours."""
    stage.reconcile("eth0:0-4 10.10.0.0/16+ kind shard\n")
    foreign(stage, "10.9.9.9", label)
    assert stage.names() == [f"eth0:{slot}" for slot in range(5)]
    stage.reconcile("")
    assert [text.split()[0] for text in stage.on("eth0_s0")] == ["10.9.9.9/32"]
    assert stage.lines("") == []


def test_one_that_comes_after_the_reading() -> None:
    """The deletion of a device is proven right before: an address of others stops it."""

    class Late(Sent):
        late = False

        def reread(self, names, *, addresses, only=()):  # type: ignore[no-untyped-def]
            if self.late and addresses:
                self.late = False
                foreign(stage, "10.9.9.9", "eth0_s0")
            return super().reread(names, addresses=addresses)

    stage = Declared(Late(kinds=("dummy",)))
    stage.reconcile("eth0:0-4 10.10.0.0/16+ kind shard\neth0:900 10.10.9.0 kind label\n")
    stage.kernel.late = True
    prepared = prepare(stage.engine, stage.parsed(""), Rules(allow_empty=True))
    outcome = carry_out(stage.engine, prepared)
    assert [str(one.error) for one in outcome.failed] == [
        "eth0:4: cannot delete eth0_s0: another program has changed it meanwhile"
    ]
    assert len(stage.on("eth0_s0")) == 6


def test_a_device_in_the_group_is_not_ours_by_that(stage: Declared) -> None:
    """Somebody may have that group, too: name and record decide, and the set never takes it."""
    stage.reconcile("eth0:0-399 10.10.0.0/16+ kind shard\n")
    made = CreateLink("web0", "ifb", group=HIDDEN)
    stage.kernel.apply([made])
    stage.kernel.add_address("web0", "10.9.9.9/32", label="web0:1")
    assert [str(one.name) for one in stage.engine.observe().aliases if not one.ours] == ["web0:1"]
    stage.reconcile("")
    assert stage.on("web0") == ["10.9.9.9/32 label=web0:1"]
    assert not stage.has("eth0_s0")


def test_deleted_devices_come_back(stage: Declared) -> None:
    """Others have deleted one of three."""
    stage.reconcile(POOL)
    stage.kernel.apply([DelLink("eth0_s1", stage.device("eth0_s1").index, HIDDEN)])
    assert len(stage.lines(POOL)) == 200
    stage.reconcile(POOL)
    assert [len(stage.on(f"eth0_s{number}")) for number in range(3)] == [200, 200, 50]


def test_the_main_device_has_gone(stage: Declared) -> None:
    """Its shards stay until a run: nothing tells the kernel that they are of it."""
    stage.reconcile(POOL)
    stage.kernel.apply([DelLink("eth0", stage.device("eth0").index, 0)])
    aliases = stage.engine.observe().aliases
    assert {(one.main, state_of(one)) for one in aliases} == {(None, "down")}
    stage.reconcile("")
    assert not [name for name in stage.names() if name]
    assert not stage.has("eth0_s0")


def batch(stage: Stage, *texts: str) -> Batch:
    """A batch of commands that was run."""
    run = Batch(stage.engine, lambda words: 0, lambda text: None)
    run.run(one for text in texts for one in parse_command(text.split(), stage.engine.registry))
    return run


def test_an_empty_hidden_device_is_told(stage: Declared) -> None:
    """Somebody has deleted the last shard: the device is named as what it is, and goes."""
    stage.reconcile("eth0:3 10.10.1.3 kind shard")
    (entry,) = stage.kernel.snapshot().on(stage.kernel.snapshot().device("eth0_s0").index)
    stage.kernel.send([DelAddress("eth0_s0", entry.index, entry)])
    assert stage.lines("") == ["- eth0_s0 an empty device of shards"]
    (item,) = stage.check("").items
    assert fields(item, stage.engine.registry) == {
        "change": "remove", "ifname": "eth0_s0", "kind": "shard",
    }  # fmt: skip
    stage.reconcile("")
    assert stage.kernel.snapshot().device("eth0_s0") is None


def test_batches(stage: Declared) -> None:
    """They make and remove devices as reconciliations do; ranges are batches too."""
    before = everything(stage.kernel)
    texts = [f"eth0:{slot} 10.10.1.{slot} kind shard" for slot in range(4)]
    assert batch(stage, *texts).failed == []
    assert stage.names() == [f"eth0:{slot}" for slot in range(4)]
    assert batch(stage, *(f"eth0:{slot}-" for slot in range(3))).failed == []
    assert stage.on("eth0_s0") == ["10.10.1.3/32 label=eth0:3"]
    assert batch(stage, "eth0:3-").failed == []
    assert everything(stage.kernel) == before


def test_a_range_that_spans_hidden_devices() -> None:
    """Of three devices the one goes whose last address goes: it is one message."""
    stage = Declared(Sent(kinds=("dummy",)))
    batch(stage, "eth0:198-401 10.10.0.0/32+ kind shard")
    stage.kernel.sent = []
    batch(stage, "eth0:199-400-")
    assert kinds_of(stage.kernel.sent) == {DelAddress: 2, DelLink: 1}
    assert [stage.has(f"eth0_s{number}") for number in range(3)] == [True, False, True]
    assert stage.names() == ["eth0:198", "eth0:401"]


@pytest.mark.parametrize("other", ["label", "macvlan"])
def test_a_range_of_another_kind(stage: Declared, other: str) -> None:
    """The commands run one after the other; the last one takes the device along."""
    batch(stage, "eth0:0-2 10.10.0.0/32+ kind shard")
    assert batch(stage, f"eth0:0-2 kind {other}").failed == []
    assert not stage.has("eth0_s0")
    assert {one.kind for one in stage.engine.observe().aliases} == {other}
    assert len(stage.names()) == 3


def test_a_forced_batch_with_errors(stage: Declared) -> None:
    """Aliases that are missing fail by themselves, and the device goes all the same."""
    batch(stage, "eth0:0-2 10.10.0.0/32+ kind shard")
    run = Batch(stage.engine, lambda words: 0, lambda text: None, force=True)
    texts = ("eth0:0-", "eth0:7-", "eth0:1-", "eth0:1-", "eth0:2-")
    run.run(one for text in texts for one in parse_command([text], stage.engine.registry))
    assert len(run.failed) == 2
    assert not stage.has("eth0_s0")


def test_a_batch_of_which_one_is_refused() -> None:
    """All after the first refused command are undone, those before it stay."""
    stage = Declared(Sent(kinds=("dummy",)))
    stage.kernel.refuses = "label eth0:2 "
    texts = [f"eth0:{slot} 10.10.1.{slot} kind shard" for slot in range(4)]
    assert len(batch(stage, *texts).failed) == 1
    assert stage.names() == ["eth0:0", "eth0:1"]


def test_marks_need_no_help(stage: Declared) -> None:
    """An address with our mark and a label of another slot moves to the device of that slot."""
    stage.reconcile("eth0:0-4 10.10.0.0/16+ kind shard\n")
    foreign(stage, "10.10.7.7", "eth0:1999", PROTOCOL)
    stage.reconcile("eth0:0-4 10.10.0.0/16+ kind shard\neth0:1999 10.10.7.7 kind shard\n")
    assert stage.on("eth0_s9") == ["10.10.7.7/32 label=eth0:1999"]
    assert len(stage.on("eth0_s0")) == 5


# Rows -----------------------------------------------------------------------------------------


def test_rows_are_folded(stage: Declared) -> None:
    """Runs of slots and addresses; what differs in a column that is shown has a row of its own."""
    stage.reconcile(
        "eth0:0-9 10.10.0.0/16+ kind shard\n"
        "eth0:10-12 10.10.9.0/16+ kind shard\n"
        "eth0:14-500 10.10.10.0/16+ kind shard\n"
        "eth0:600 10.0.0.1 kind label\n"
    )
    stage.kernel.set_device("eth0_s1", up=False)
    shown = folded(stage.engine.show(), stage.engine.registry, COLUMNS[:5])
    assert shown == [
        ("eth0:600", "eth0", "label", "10.0.0.1/32", "up"),
        ("eth0:0-9", "eth0_s0", "shard", "10.10.0.0-10.10.0.9/32", "up"),
        ("eth0:10-12", "eth0_s0", "shard", "10.10.9.0-10.10.9.2/32", "up"),
        ("eth0:14-199", "eth0_s0", "shard", "10.10.10.0-10.10.10.185/32", "up"),
        ("eth0:200-399", "eth0_s1", "shard", "10.10.10.186-10.10.11.129/32", "down"),
        ("eth0:400-500", "eth0_s2", "shard", "10.10.11.130-10.10.11.230/32", "up"),
    ]


def test_a_tree_is_folded(stage: Declared) -> None:
    """A run is one branch, beside the aliases of other kinds."""
    stage.reconcile("eth0:0-399 10.10.0.0+ kind shard\neth0:600 10.0.0.1 kind label\n")
    observed = stage.engine.observe()
    drawn = tree.render(observed.aliases, observed.snapshot, observed.registry, unicode=False)
    assert [line[:-1] for line in drawn if line[0] in "|`"] == [
        "|- eth0:600 10.0.0.1/32 label up",
        "`- eth0:0-399 10.10.0.0-10.10.1.143/32 shard up",
    ]


# Beside macvlans ------------------------------------------------------------------------------

MIXED = "eth0:0-2 10.10.0.0/16+ kind shard\neth0:1000 10.0.0.9 kind macvlan\n"
BESIDE = "eth0:1000: eth0 answers ARP for 10.0.0.9 too: the shard eth0:0 needs arp_ignore 0 on eth0"


def notes_of(outcome: Outcome) -> list[str]:
    return [note for item in outcome.diff.items for note in item.plan.notes if "ARP" in note]


@pytest.mark.parametrize("how", ["commands", "reconcile"])
def test_one_file_has_one_result(stage: Declared, how: str) -> None:
    """An arp_ignore that netalias has raised for macvlans goes back when shards come again."""
    assert notes_of(stage.reconcile(MIXED)) == [BESIDE]
    before = everything(stage.kernel)
    if how == "commands":
        batch(stage, "eth0:0-2-")
    else:
        stage.reconcile("eth0:1000 10.0.0.9 kind macvlan\n")
    assert stage.device("eth0").arp_ignore == 1
    assert notes_of(stage.reconcile(MIXED)) == [BESIDE]
    assert stage.device("eth0").arp_ignore == 0
    assert stage.lines(MIXED) == []
    assert everything(stage.kernel).keys() == before.keys()
    stage.reconcile("")
    assert stage.device("eth0").arp_ignore == 0


@pytest.mark.parametrize("way", ["command", "batch"])
def test_a_shard_comes_beside_a_macvlan(stage: Declared, way: str) -> None:
    """The order of commands makes no difference either."""
    stage("eth0:1000 10.0.0.9 kind macvlan")
    assert stage.device("eth0").arp_ignore == 1
    if way == "command":
        assert BESIDE.replace("eth0:0 ", "eth0:5 ") in stage("eth0:5 10.10.0.5 kind shard").notes
    else:
        assert batch(stage, "eth0:5-6 10.10.0.5/32+ kind shard").failed == []
    assert stage.device("eth0").arp_ignore == 0
    stage("eth0:5-")
    if way == "batch":
        stage("eth0:6-")
    assert stage.device("eth0").arp_ignore == 1
    stage("eth0:1000-")
    assert stage.device("eth0").arp_ignore == 0


@pytest.mark.parametrize("value", [1, 2])
def test_an_arp_ignore_of_others_refuses(stage: Declared, value: int) -> None:
    """It is the administrator's, with and without macvlans that want it too."""
    if value == 2:
        stage.reconcile("eth0:1000 10.0.0.9 kind macvlan\n")
    stage.kernel.apply([SetLink("eth0", stage.device("eth0").index, conf={"arp_ignore": value})])
    assert stage.skipped(MIXED) == [
        "t.conf:1: eth0:0: kind shard cannot serve: eth0 has to answer ARP for it,"
        f" and its arp_ignore is {value} (3 aliases)"
    ]
    stage.refused("eth0:5 10.10.0.5 kind shard", errors.KindError, EOPNOTSUPP)


def test_a_watcher_repairs_all(stage: Declared) -> None:
    """Where arp_ignore has to go back for a shard, a repair of this one alone does not do."""
    stage("eth0:1000 10.0.0.9 kind macvlan")
    wanted = stage.parsed("eth0:0-2 10.10.0.0/16+ kind shard\n")
    found = Comparison(compare(wanted.blocks, stage.engine.observe(), removing=False))
    assert (len(found.diff.items), found.needs_sysctls) == (3, True)
    stage.reconcile(MIXED)
    stage("eth0:1-")
    found = Comparison(compare(wanted.blocks, stage.engine.observe(), removing=False))
    assert (len(found.diff.items), found.needs_sysctls) == (1, False)


def test_hands_off(stage: Declared) -> None:
    """What netalias may not set back refuses shards."""
    stage("eth0:1000 10.0.0.9 kind macvlan")
    other = stage.engine.derived(hands_off=True)
    wish = desired.parse(["eth0:5", "10.10.0.5", "kind", "shard"], other.registry)
    with pytest.raises(errors.KindError):
        other.realise(wish)


def test_all_shards_refused_keep_arp_ignore() -> None:
    """It stays as the macvlan needs it."""
    stage = Declared(Sent(kinds=("macvlan", "dummy")))
    stage("eth0:1000 10.0.0.9 kind macvlan")
    stage.kernel.refuses = "label eth0:"
    outcome = stage.reconcile(MIXED)
    assert len(outcome.failed) == 3
    assert stage.device("eth0").arp_ignore == 1


def test_a_part_of_the_addresses(stage: Declared) -> None:
    """A repair knows a part of them: it removes no hidden device."""
    stage.reconcile("eth0:0-4 10.10.0.0/16+ kind shard\n")
    snapshot = stage.kernel.snapshot()
    index = stage.device("eth0_s0").index
    snapshot.addresses[index] = snapshot.addresses[index][:1]
    wanted = stage.parsed("eth0:0 10.10.0.0 kind label\n")
    items = compare(wanted.blocks, stage.engine.recognise(snapshot), removing=False).items
    assert kinds_of([step for item in items for step in item.plan.steps]) == {
        AddAddress: 1,
        DelAddress: 1,
    }
