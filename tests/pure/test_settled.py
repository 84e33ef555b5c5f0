"""What is as declared is left out before the comparison, which finds the same without it."""

from __future__ import annotations

from random import Random

import pytest
from test_plan_compare import Declared

from netalias.engine.reconcile import Rules, reconcile
from netalias.errors import NetaliasError
from netalias.kernel.memory import Memory
from netalias.model import PROTOCOL
from netalias.model.steps import CreateLink
from netalias.plan import settled
from netalias.plan.diff import Diff
from netalias.views.diff import line

MAINS = ("eth0", "eth1")
COUNT = 12
WORLDS = 60


def written(chance: Random) -> str:
    """A file: runs of labels or macvlans, host and other, some lines taken out or changed."""
    lines = []
    for number, main in enumerate(MAINS):
        usual = " kind " + chance.choice(["label", "macvlan"])
        for slot in range(COUNT):
            dice = chance.random()
            address, tail = f"10.{number}.0.{slot + 1}", usual
            if dice < 0.04:
                continue
            if dice < 0.08:
                address = f"10.{number}.1.{slot + 1}"
            elif dice < 0.16:
                tail = chance.choice(
                    [f"/24{usual}", " kind macvlan", "", f" metric 7{usual}", " kind shard"]
                )
            elif dice < 0.18:
                tail = f"{usual} lease 600"
            lines.append(f"{main}:{slot} {address}{tail}")
        kind = chance.choice(["label", "label", "macvlan", "shard"])
        lines.append(f"{main}:100-119 10.{number}.2.1-20 kind {kind}")
        if chance.random() < 0.3:
            lines.append(f"{main}:{COUNT + 1} 10.{number}.8.0/24 kind prefix")
    if chance.random() < 0.3:
        lines.append(f"eth2:0 10.7.0.{chance.randint(1, 9)} kind label")
    if chance.random() < 0.2:
        lines.append("wan:200 10.7.1.1 kind label")  # perhaps an altname of eth0
    if chance.random() < 0.2:
        chance.shuffle(lines)
    return "\n".join(lines) + "\n"


def mischief(chance: Random, kernel: Memory) -> None:
    """What others do meanwhile, as far as the kernel takes it."""
    main, number = chance.choice([*enumerate(MAINS)])[::-1]
    slot = chance.randint(0, COUNT - 1)
    host, label = f"10.{number}.0.{slot + 1}/32", f"{main}:{slot}"
    device = f"{main}_{slot}"
    deeds = (
        lambda: kernel.remove_address(main, host),
        lambda: kernel.add_address(main, f"10.{number}.9.9/32", label=label, protocol=PROTOCOL),
        lambda: kernel.add_address(main, f"10.{number}.9.8/32", label=label),
        lambda: kernel.add_address(main, f"10.{number}.9.7/24"),
        lambda: kernel.add_address(main, f"10.{number}.0.{slot + 1}/24"),
        lambda: kernel.add_address(main, f"10.{number}.9.6/32", label=main, protocol=PROTOCOL),
        lambda: kernel.add_address("eth2", host),
        lambda: kernel.set_device(main, up=False),
        lambda: kernel.set_device(main, name=f"lan{number}"),
        lambda: kernel.set_device(main, group=28257),
        lambda: kernel.set_device(main, mtu=1400),
        lambda: kernel.remove_device(device),
        lambda: kernel.set_device(device, up=False),
        lambda: kernel.set_device(device, mtu=1300),
        lambda: kernel.set_device(device, name=f"{main}_x"),
        lambda: kernel.set_device(device, name=f"{main}_{slot + 40}"),
        lambda: kernel.set_device(device, group=0),
        lambda: kernel.remove_address(device, host),
        lambda: kernel.add_address(device, f"10.{number}.9.5/32"),
        lambda: kernel.add_device("foreign", "macvlan", link=main),
        lambda: kernel.add_address(main, f"10.{number}.9.4/32", label=label, protocol=PROTOCOL),
    )
    try:
        chance.choice(deeds)()
    except NetaliasError:
        return  # as the real kernel refuses it


def contents(diff: Diff, stage: Declared) -> object:
    """All that a comparison says."""
    items = [
        (line(item, stage.engine.registry), [*map(repr, item.plan.steps)], item.plan.notes)
        for item in diff.items
    ]
    skipped = [(one.line(), one.count) for one in diff.skipped]
    return items, skipped, diff.present, diff.wished, diff.removed, repr(diff.renewals)


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Few labels are enough here."""
    monkeypatch.setattr(settled, "MANY", 1)
    return monkeypatch


def test_a_comparison_finds_the_same_without_what_is_settled(switch: pytest.MonkeyPatch) -> None:
    """Differences, their steps, counts and what is skipped are equal, whatever was done before."""
    left = apart = 0
    for seed in range(WORLDS):
        chance = Random(seed)
        stage = Declared(Memory(kinds=("macvlan", "dummy")))
        first = written(chance)
        reconcile(stage.engine, stage.parsed(first), Rules(allow_empty=True))
        for _ in range(chance.choice([0, 1, 2, 4])):
            mischief(chance, stage.kernel)
        text = first if chance.random() < 0.4 else written(chance)
        rules = Rules(allow_empty=True, force=chance.random() < 0.2)
        quick = stage.check(text, rules)
        left += quick.settled
        apart += len(quick.devices)
        with switch.context() as patched:
            patched.setattr(settled, "MANY", 10**9)
            slow = stage.check(text, rules)
        assert not slow.settled
        assert contents(quick, stage) == contents(slow, stage), (seed, text)
    assert left > WORLDS * COUNT // 2
    assert apart > WORLDS // 2


def test_two_labels_of_one_name_are_compared(switch: pytest.MonkeyPatch) -> None:
    """The one that is as declared is not left out where another one has its name."""
    stage = Declared(Memory(kinds=("macvlan",)))
    text = "eth0:0-19 10.0.0.1-20 kind label\n"
    stage.reconcile(text)
    assert stage.check(text).settled == 19
    stage.kernel.add_address("eth0", "10.9.0.1/32", label="eth0:5", protocol=PROTOCOL)
    assert not stage.check(text).settled


def test_one_changed_among_many_is_verified(switch: pytest.MonkeyPatch) -> None:
    """A reconciliation that leaves out what is settled does, and verifies, the rest."""
    stage = Declared(Memory(kinds=("macvlan",)))
    stage.reconcile("eth0:0-49 10.0.0.1-50 kind label\n")
    outcome = stage.reconcile("eth0:0-48 10.0.0.1-49 kind label\neth0:60 10.0.0.60 kind label\n")
    assert outcome.diff.settled == 48
    assert [line(item, stage.engine.registry) for item in outcome.done] == [
        "- eth0:49 10.0.0.50/32 label",
        "+ eth0:60 10.0.0.60/32 label",
    ]


def test_devices_are_left_out_where_nothing_differs(switch: pytest.MonkeyPatch) -> None:
    """All but one of a main device."""
    stage = Declared(Memory(kinds=("macvlan",)))
    text = "eth0:0-19 10.0.0.1-20 kind macvlan\n"
    stage.reconcile(text)
    quick = stage.check(text)
    assert (quick.settled, quick.present, quick.wished) == (19, 20, 20)
    assert len(quick.observed.snapshot.devices) == 5


def test_devices_that_are_left_out_are_noted(switch: pytest.MonkeyPatch) -> None:
    """One that is lost later comes back with its index and its MAC."""
    stage = Declared(Memory(kinds=("macvlan",)))
    text = "eth0:0-19 10.0.0.1-20 kind macvlan\n"
    stage.reconcile(text)
    stage.kernel.set_device("eth0_7", mac=b"\x02\0\0\0\0\7")
    before = stage.kernel.device("eth0_7")
    assert stage.reconcile(text).diff.settled == 19
    stage.kernel.remove_device("eth0_7")
    stage.reconcile(text)
    after = stage.kernel.device("eth0_7")
    assert (after.index, after.mac) == (before.index, before.mac)


def test_a_label_and_a_device_of_one_name_are_compared(switch: pytest.MonkeyPatch) -> None:
    """A line that does not say which of them it means has one too many."""
    stage = Declared(Memory(kinds=("macvlan",)))
    stage.reconcile("eth0:0-19 10.0.0.1-20 kind macvlan\n")
    stage.kernel.add_address("eth0", "10.0.0.6/32", label="eth0:5", protocol=PROTOCOL)
    found = stage.check("eth0:0-19 10.0.0.1-20\n")
    assert not found.settled
    assert len(found.items) == 1


def both(stage: Declared, text: str, switch: pytest.MonkeyPatch) -> Diff:
    """The comparison, which is the same as without leaving out anything."""
    quick = stage.check(text)
    with switch.context() as patched:
        patched.setattr(settled, "MANY", 10**9)
        assert contents(stage.check(text), stage) == contents(quick, stage)
    return quick


def test_macvlans_that_go_are_removed_without_a_look_at_those_that_stay(
    switch: pytest.MonkeyPatch,
) -> None:
    """Macvlans are left out while one stays on each main device, which keeps its sysctls."""
    stage = Declared(Memory(kinds=("macvlan",)))
    stage.reconcile("eth0:0-29 10.0.0.1-30 kind macvlan\neth1:0-29 10.1.0.1-30 kind macvlan\n")
    rest = "eth0:5-29 10.0.0.6-30 kind macvlan\neth1:0-29 10.1.0.1-30 kind macvlan\n"
    found = both(stage, rest, switch)
    assert (found.removed, found.settled, len(found.devices)) == (5, 53, 53)
    outcome = stage.reconcile(rest)
    assert (len(outcome.done), outcome.wrong, outcome.status) == (5, [], 0)
    assert stage.kernel.device("eth0").arp_ignore == 1
    assert stage.check(rest).same


def test_macvlans_that_go_are_compared_with_all_where_none_of_the_others_stays(
    switch: pytest.MonkeyPatch,
) -> None:
    """Everything is compared where the macvlan that is to stay is lost."""
    stage = Declared(Memory(kinds=("macvlan",)))
    stage.reconcile("eth0:0-29 10.0.0.1-30 kind macvlan\n")
    stage.kernel.remove_device("eth0_5")
    assert not both(stage, "eth0:5-29 10.0.0.6-30 kind macvlan\n", switch).devices


def test_macvlans_that_come_are_made_without_a_look_at_those_that_stay(
    switch: pytest.MonkeyPatch,
) -> None:
    """One of each main device says what its siblings are; others may go at the same time."""
    stage = Declared(Memory(kinds=("macvlan",)))
    stage.reconcile("eth0:0-29 10.0.0.1-30 kind macvlan\neth1:0-29 10.1.0.1-30 kind macvlan\n")
    text = "eth0:5-29 10.0.0.6-30 kind macvlan\neth1:0-29 10.1.0.1-30 kind macvlan\n"
    more = f"{text}eth0:40-42 10.0.0.41-43 kind macvlan\neth1:40 10.1.0.42\n"
    found = both(stage, more, switch)
    assert (len(found.items), found.removed, len(found.devices)) == (9, 5, 53)
    outcome = stage.reconcile(more)
    assert (len(outcome.done), outcome.wrong, outcome.status) == (9, [], 0)
    assert stage.check(more).same


def test_a_new_macvlan_gets_neither_the_mac_nor_the_index_of_one_that_is_left_out(
    switch: pytest.MonkeyPatch,
) -> None:
    """A former one does not get them back, either."""
    stage = Declared(Memory(kinds=("macvlan",)))
    text = "eth0:0-19 10.0.0.1-20 kind macvlan\n"
    stage.reconcile(text)
    former = stage.kernel.device("eth0_7")
    stage.kernel.remove_device("eth0_8")
    stage.kernel.set_device("eth0_7", name="eth0_8")
    node = stage.kernel._links.nodes[former.index]
    node.altnames, node.ifalias = ("eth0:8",), "netalias eth0:8"
    stage.kernel.remove_address("eth0_8", "10.0.0.8/32")
    stage.kernel.add_address("eth0_8", "10.0.0.9/32", label="eth0_8", protocol=PROTOCOL)
    found = both(stage, text, switch)
    assert len(found.devices) == 18
    (item,) = found.items
    create = next(step for step in item.plan.steps if isinstance(step, CreateLink))
    assert create.former != former.index
    assert create.mac != former.mac


@pytest.mark.parametrize(
    "more",
    [
        "eth0:40 10.0.0.41/24 kind macvlan",
        "eth0:40 10.0.0.41 kind macvlan gateway 10.0.0.200",
        "eth0:40 2001:db8::41 kind macvlan",
        "eth0:40 10.0.0.41 kind label",
        "eth0:40 10.0.0.255 kind macvlan\neth0:41 10.0.0.41/24 kind macvlan",
    ],
)
def test_what_may_depend_on_others_is_compared_with_all(
    switch: pytest.MonkeyPatch, more: str
) -> None:
    """The plan, its notes and the reasons are those by all devices."""
    stage = Declared(Memory(kinds=("macvlan",)))
    text = "eth0:0-29 10.0.0.1-30 kind macvlan\neth0:100-129 10.0.0.131-160 kind label\n"
    stage.reconcile(text)
    assert stage.check(text).devices
    assert not both(stage, f"{text}{more}\n", switch).devices
