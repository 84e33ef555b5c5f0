"""The comparison of declared aliases with the world, and the guard rails of a reconciliation."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from declared_machine import DeclaredAliases, entry_of, seen
from hypothesis import given, settings
from hypothesis import strategies as st
from refusing import Refusing
from test_plan import Stage
from test_reconcile_machine import OverMemory

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Outcome, Rules, check_rails, look, reconcile
from netalias.kernel.memory import Memory
from netalias.model import GROUP, SCRATCH
from netalias.model.commands import command
from netalias.model.steps import RETIRE, DelAddress, DelLink
from netalias.plan import compare as comparison
from netalias.plan.compare import compare
from netalias.plan.diff import Diff
from netalias.views.diff import line

randoms = st.randoms(use_true_random=True)


class Declared(Stage):
    """A stage with files; lo, eth0 and eth1 are up, eth2 is down."""

    def parsed(self, text: str) -> declarations.Declarations:
        found = declarations.parse([("t.conf", text)], self.engine.registry)
        assert found.errors == []
        return found

    def check(self, text: str, rules: Rules | None = None) -> Diff:
        return look(self.engine, self.parsed(text), rules or Rules(allow_empty=True))

    def reconcile(self, text: str, rules: Rules | None = None) -> Outcome:
        rules = rules or Rules(allow_empty=True)
        outcome = reconcile(self.engine, self.parsed(text), rules)
        assert outcome.wrong == []
        return outcome

    def lines(self, text: str, rules: Rules | None = None) -> list[str]:
        found = self.check(text, rules)
        return [line(item, self.engine.registry) for item in found.items]

    def skipped(self, text: str, rules: Rules | None = None) -> list[str]:
        return [one.line() for one in self.check(text, rules).skipped]


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan", "dummy")))


# What differs ---------------------------------------------------------------------------------


def test_signs_and_order(stage: Declared) -> None:
    """Removals come first, then what is declared in the order of the file."""
    stage("eth0:9 10.0.0.9")
    stage("eth0:1 10.0.0.1")
    assert stage.lines("eth0:2 10.0.0.2\neth0:1 10.0.0.3\neth1:0 10.5.0.1/24 kind label\n") == [
        "- eth0:9 10.0.0.9/32 macvlan",
        "+ eth0:2 10.0.0.2/32 macvlan",
        "~ eth0:1 10.0.0.1/32 -> 10.0.0.3/32",
        "+ eth1:0 10.5.0.1/24 label",
        "= eth1 promote_secondaries 0 -> 1",
    ]


def test_counts(stage: Declared) -> None:
    """How many there are, how many are declared, how many go: what the guard rails ask."""
    stage("eth0:1 10.0.0.1")
    stage("eth0:2 10.0.0.2")
    stage("eth1:3 10.0.0.3")
    found = stage.check("eth0:2-9 10.0.0.2-9\n")
    assert (found.present, found.wished, found.removed) == (3, 8, 2)
    found = stage.check("eth0:2-9 10.0.0.2-9\n", Rules(only="eth0"))
    assert (found.present, found.wished, found.removed) == (2, 8, 1)


def test_nothing_of_others_counts(stage: Declared) -> None:
    """A label and a device of somebody are no aliases to be removed."""
    stage.kernel.add_address("eth0", "10.0.0.1/24", label="eth0:7")
    stage.kernel.add_device("eth0_8", "macvlan", link="eth0", altnames=["eth0:8"])
    found = stage.check("")
    assert found.same
    assert (found.present, found.removed) == (0, 0)


def test_skipped_of_one_main_are_told_once(stage: Declared) -> None:
    """A main device that is missing, or down, is one line, however many aliases it has."""
    text = "eth7:0-49 10.7.0.0+\neth2:0-3 10.2.0.1+\neth0:0 10.0.0.1\n"
    assert stage.skipped(text) == [
        "t.conf:1: eth7:0: there is no device eth7 (50 aliases)",
        "t.conf:2: eth2:0: main device eth2 is down (4 aliases; ip link set eth2 up, or --force)",
    ]
    outcome = stage.reconcile(text)
    assert outcome.status == errors.STATUS_KERNEL
    assert stage.names() == ["eth0:0"]


def test_renamed_main_keeps_its_aliases(stage: Declared) -> None:
    """S44: a file with the old name deletes nothing, one with the new name gives new altnames."""
    old = "eth0:0 10.0.0.1\neth0:1 10.0.0.2/24 kind label\neth0:2 10.1.0.2 kind label\n"
    stage.reconcile(old)
    stage.kernel.set_device("eth0", name="wan0")
    assert stage.lines(old) == []
    assert stage.skipped(old) == ["t.conf:1: eth0:0: there is no device eth0 (3 aliases)"]
    stage.reconcile(old.replace("eth0", "wan0"))
    assert stage.device("wan0:0").altnames == ("wan0:0",)
    assert sorted(stage.names()) == ["wan0:0", "wan0:1", "wan0:2"]


@pytest.mark.parametrize("words", ["", "/64", " kind label", "/64 kind label"])
def test_an_address_that_another_host_has(stage: Declared, words: str) -> None:
    """Duplicate address detection has failed: it is a difference, and is tried again."""
    text = f"eth0:0 2001:db8::7{words}\n"
    stage.reconcile(text)
    device = stage.engine.get("eth0:0").carrier
    assert device is not None
    stage.kernel.fail_address(device.name, "2001:db8::7/128")
    shown = "2001:db8::7/64" if "/64" in words else "2001:db8::7/128"
    assert stage.lines(text) == [f"~ eth0:0 {shown} entry dadfailed -> present"]
    assert stage.reconcile(text).status == 0
    assert stage.lines(text) == []
    stage.kernel.fail_address(device.name, "2001:db8::7/128")
    assert stage(text.strip()).steps
    assert stage.lines(text) == []


@pytest.fixture
def container() -> Declared:
    """c0 is a macvlan on a device of another namespace."""
    stage = Declared(Memory(kinds=("macvlan", "dummy")))
    stage.kernel.add_device("c0", "macvlan", link=7, remote=True, up=True)
    return stage


def test_a_main_device_whose_link_is_elsewhere(container: Declared) -> None:
    """As in a container: it is a main device like others, its aliases are shown and its settings
    stay; renamed, it is known as the only sibling that is no alias."""
    text = "c0:0-1 10.0.0.1-2/24\n"
    assert container.reconcile(text).status == 0
    assert container.lines(text) == []
    assert container.kernel.device("c0").arp_ignore == 1
    found = container.engine.show("c0")
    assert [(str(one.name), one.device.remote) for one in found if one.device] == [
        ("c0:0", True), ("c0:1", True),
    ]  # fmt: skip
    assert [one.line() for one in container.check("", Rules(only="c0")).skipped] == []
    container.kernel.set_device("c0", name="wan0")
    assert container.names() == ["wan0:0", "wan0:1"]
    assert container.reconcile(text.replace("c0", "wan0")).status == 0
    assert container.device("wan0:1").name == "c0_1"
    container.reconcile("")
    assert container.kernel.device("wan0").arp_ignore == 0


def test_an_alias_given_to_this_namespace(stage: Declared) -> None:
    """Its main device is elsewhere, so it is no alias of this namespace: nothing removes it."""
    words = {"link": 7, "remote": True, "group": GROUP, "altnames": ["eth5:5"]}
    stage.kernel.add_device("eth5_5", "macvlan", ifalias="netalias eth5:5", **words)
    stage.kernel.add_device("ct0", "macvlan", link=8, remote=True, group=GROUP)
    assert stage.names() == []
    assert stage.lines("eth0:0 10.0.0.1\n")[0] == "+ eth0:0 10.0.0.1/32 macvlan"
    stage.reconcile("eth0:0 10.0.0.1\n")
    assert stage.has("eth5_5")
    assert stage.has("ct0")


@pytest.mark.parametrize("order", [1, -1])
def test_a_renamed_main_gives_way(stage: Declared, order: int) -> None:
    """Its alias has both names that an alias of the next eth0 needs: it gets new ones, in one run,
    in either order of the file; and by a command and a batch too."""
    stage.reconcile("eth0:0 10.0.0.1/24 kind macvlan\n")
    first = stage.device("eth0:0").index
    stage.kernel.set_device("eth0", name="lan0")
    stage.kernel.add_device("eth0", up=True)
    lines = ["lan0:0 10.0.0.1/24", "eth0:0 10.3.0.1/24 kind macvlan"][::order]
    text = "\n".join(lines) + "\n"
    assert stage.reconcile(text).status == 0
    assert stage.lines(text) == []
    old, new = stage.device("lan0:0"), stage.device("eth0:0")
    assert (old.index, old.name, old.altnames) == (first, "lan0_0", ("lan0:0",))
    assert (new.name, new.altnames) == ("eth0_0", ("eth0:0",))


def test_a_command_makes_a_renamed_main_give_way(stage: Declared) -> None:
    """The steps are shown, and are undone where the new alias is refused."""
    stage("eth0:0 10.0.0.1 kind macvlan")
    stage.kernel.set_device("eth0", name="lan0")
    stage.kernel.add_device("eth0", up=True)
    found = stage.plan("eth0:0 10.3.0.1 kind macvlan")
    lines = [command(step) for step in found.steps]
    assert lines[:2] == [
        "ip link property del dev eth0_0 altname eth0:0",
        "ip link set dev eth0_0 name lan0_0",
    ]
    assert "ip link property add dev lan0_0 altname lan0:0" in lines
    with pytest.raises(errors.KernelError):
        stage("eth0:0 10.3.0.1 kind macvlan mtu 60")
    assert stage.device("eth0:0").name == "eth0_0"
    stage("eth0:0 10.3.0.1 kind macvlan")
    assert sorted(stage.names()) == ["eth0:0", "lan0:0"]
    assert stage.device("lan0:0").name == "lan0_0"


def test_what_gave_way_has_its_names_again() -> None:
    """However late the new alias is refused."""
    stage = Declared(Refusing())
    stage("eth0:0 10.0.0.1 kind macvlan")
    stage.kernel.set_device("eth0", name="lan0")
    stage.kernel.add_device("eth0", up=True)
    before = stage.device("eth0_0")
    with pytest.raises(errors.KernelError):
        stage(f"eth0:0 {Refusing.bad} kind macvlan")
    after = stage.device("eth0_0")
    assert (after.index, after.altnames) == (before.index, before.altnames)


def test_label_that_lost_its_slot(stage: Declared) -> None:
    """The kernel drops the slot of the first label of a device that is renamed; the file has it."""
    stage.reconcile("eth0:5 10.0.0.1 kind label\n")
    stage.kernel.set_device("eth0", name="wan0")
    assert stage.on("wan0") == ["10.0.0.1/32"]
    assert stage.lines("wan0:5 10.0.0.1\n") == ["~ wan0:5 10.0.0.1/32 name wan0 -> wan0:5"]
    assert not [one for one in stage.lines("wan0:6 10.0.0.2\n") if one.startswith("-")]
    stage.reconcile("wan0:5 10.0.0.1\n")
    assert stage.on("wan0") == ["10.0.0.1/32 label=wan0:5"]


def test_remnants_go(stage: Declared) -> None:
    """What was about to be deleted together is deleted, and made anew where it is declared."""
    text = "eth0:0 10.0.0.1\neth0:1 10.0.0.2\n"
    stage.reconcile(text)
    for name in ("eth0_0", "eth0_1"):
        stage.kernel.set_device(name, group=GROUP | SCRATCH)
    stage.reconcile("eth0:0 10.0.0.1\n")
    assert stage.names() == ["eth0:0"]
    assert not stage.has("eth0_1")


def test_interrupted_replacement_of_an_address(stage: Declared) -> None:
    """Where the old address and the new one stand on a device, only the declared one is left."""
    for left in ("10.0.0.1", "10.0.0.2"):
        stage.reconcile("eth0:0 10.0.0.1\n")
        entry = entry_of("10.0.0.2/32").copy(protocol=97)
        stage.kernel.add_address("eth0_0", entry)
        stage.reconcile(f"eth0:0 {left}\n")
        assert stage.on("eth0_0") == [f"{left}/32"]


def test_unnamed_device(stage: Declared) -> None:
    """A run that was killed before it named its device leaves nothing."""
    stage.kernel.add_device("eth0_3", "macvlan", link="eth0", group=GROUP)
    stage.reconcile("eth1:0 10.0.0.1\n")
    assert not stage.has("eth0_3")


# Whose it is ----------------------------------------------------------------------------------

FOREIGN: tuple[dict[str, Any], ...] = (
    {"name": "web_1"},
    {"name": "eth00"},
    {"name": "eth0_1", "altnames": ["eth0:2"]},
    {"name": "eth0_1", "altnames": ["uplink"]},
    {"name": "eth0_1", "ifalias": "uplink of a customer"},
    {"name": "eth0_1", "ifalias": "netalias eth0:2 ip 10.0.0.9"},
    {"name": "eth0_1", "altnames": ["eth0:1"], "ifalias": "netalias eth0:2 ip 10.0.0.9"},
)
"""Devices with our group whose names say that they are no aliases."""


@pytest.mark.parametrize("fields", FOREIGN, ids=str)
@pytest.mark.parametrize("group", [GROUP, GROUP | SCRATCH])
def test_the_group_alone_is_no_mark(stage: Declared, fields: dict[str, Any], group: int) -> None:
    """Group, primary name, altname and ifalias must agree before anything is removed."""
    stage.kernel.add_device(kind="macvlan", link="eth0", group=group, **fields)
    assert not [one for one in stage.lines("eth1:0 10.0.0.1\n") if one.startswith("-")]
    stage.reconcile("eth1:0 10.0.0.1\n")
    assert stage.has(fields["name"])


def test_a_dummy_without_its_main_is_nobodys(stage: Declared) -> None:
    """Without altname and record only the main device could tell whose it is."""
    stage.kernel.add_device("web_1", "dummy", group=GROUP)
    stage.reconcile("eth1:0 10.0.0.1\n")
    assert stage.has("web_1")


@pytest.mark.parametrize(
    ("device", "text"),
    [("lo", "127.1.0.1/32"), ("eth0", "10.7.0.1/24"), ("eth0", "2001:db8::7/64")],
)
def test_the_protocol_alone_is_no_mark(stage: Declared, device: str, text: str) -> None:
    """Another program may use the same number: its address has no slot of ours."""
    stage.kernel.add_address(device, entry_of(text).copy(protocol=97))
    before = stage.on(device)
    stage.reconcile("eth1:0 10.0.0.1\n")
    assert stage.on(device) == before


# Who makes room for whom ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_swap(stage: Declared, kind: str) -> None:
    """Two aliases change their addresses in one run."""
    stage.reconcile(f"eth0:0 10.0.0.1 kind {kind}\neth0:1 10.0.0.2 kind {kind}\n")
    outcome = stage.reconcile("eth0:0 10.0.0.2\neth0:1 10.0.0.1\n")
    assert outcome.status == 0
    assert {str(one.name): one.address[-1] for one in stage.engine.show()} == {
        "eth0:0": 2,
        "eth0:1": 1,
    }


def test_label_into_the_network_of_one_that_leaves(stage: Declared) -> None:
    """It is its secondary for a moment, and does not go with it: the kernel promotes it."""
    stage.reconcile("eth0:0 10.0.0.1/24 kind label\n")
    text = "eth0:0 10.9.0.1/24\neth0:1 10.0.0.2/24 kind label\n"
    steps = [step for item in stage.check(text).items for step in item.plan.steps]
    assert [step.phase for step in steps if isinstance(step, DelAddress)] == [RETIRE]
    assert stage.reconcile(text).status == 0
    assert sorted(stage.on("eth0")) == ["10.0.0.2/24 label=eth0:1", "10.9.0.1/24 label=eth0:0"]


def test_label_that_leaves_a_network_of_others(stage: Declared) -> None:
    """What others have in it stays, and brings it to the labels that come."""
    stage.reconcile("eth0:0 10.0.0.1/24 kind label\n")
    stage.kernel.add_address("eth0", "10.0.0.7/24")
    stage.reconcile("eth0:0 10.9.0.1/24\neth0:1 10.0.0.2/24 kind label\n")
    assert sorted(stage.on("eth0")) == [
        "10.0.0.2/32 label=eth0:1", "10.0.0.7/24", "10.9.0.1/24 label=eth0:0",
    ]  # fmt: skip


def test_who_was_to_leave_and_stays(stage: Declared) -> None:
    """Nobody takes over the route of an alias whose change is refused."""
    stage.reconcile("eth0:0 10.0.0.1/24 kind label\n")
    outcome = stage.reconcile("eth0:0 10.9.0.1/24 down\neth0:1 10.0.0.2/24 kind label\n")
    assert [one.name.slot for one in outcome.diff.skipped] == [0]
    assert stage.on("eth0") == ["10.0.0.1/24 label=eth0:0", "10.0.0.2/32 label=eth0:1"]


def test_labels_of_two_mains_have_one_route(stage: Declared) -> None:
    """A network has one connected route, also where its aliases stand on two main devices."""
    stage.reconcile("eth0:0 10.0.0.1/24 kind label\neth1:0 10.0.0.2/24\neth1:1 10.0.0.3/24\n")
    assert stage.on("eth1_0") == ["10.0.0.2/24 noprefixroute"]
    assert stage.on("eth1_1") == ["10.0.0.3/24 noprefixroute"]


def test_route_of_one_that_stays(stage: Declared) -> None:
    """Who was looked at before the route of its network went brings it all the same."""
    stage.reconcile("eth0:0 10.0.0.1/24\neth0:1 10.0.0.2/24\n")
    stage.reconcile("eth0:1 10.0.0.2/24\neth0:0 10.0.0.1/24 pointopoint 10.0.0.99\n")
    assert stage.on("eth0_1") == ["10.0.0.2/24"]


@pytest.mark.parametrize(
    "line", ["10.0.0.1/24 pointopoint 10.0.0.1", "2001:db8::1 pointopoint 2001:db8::1"]
)
@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_a_peer_that_is_the_address_itself(stage: Declared, line: str, kind: str) -> None:
    """It is none, as to the kernel: nothing remains different, and the network is as without it."""
    text = f"eth0:0 {line} kind {kind}\n"
    assert stage.reconcile(text).failed == []
    (alias,) = stage.engine.show()
    entry = alias.entry
    assert entry is not None
    assert entry.peer == b""
    assert bool(entry.broadcast) == (entry.prefixlen == 24)
    assert stage.check(text).items == []


@pytest.mark.parametrize("kinds", [("macvlan", "ipvlan"), ("ipvlan", "macvlan")])
def test_rivals_of_one_main(kinds: tuple[str, str]) -> None:
    """macvlan and ipvlan cannot share a main device: the second is told so, not tried."""
    stage = Declared(Memory(kinds=("macvlan", "ipvlan")))
    stage.reconcile(f"eth0:0 10.1.1.1 kind {kinds[1]}\n")
    text = f"eth0:0 10.1.0.5 kind {kinds[0]}\neth0:2 10.1.0.3/24 kind {kinds[1]}\n"
    outcome = stage.reconcile(text)
    assert outcome.failed == []
    assert len(outcome.diff.skipped) == 1


# The session ----------------------------------------------------------------------------------


@pytest.mark.parametrize("wish", ["", "eth0:0 10.0.0.9", "eth0:0 10.0.0.1 kind label"])
def test_session_keeps_its_address(stage: Declared, wish: str) -> None:
    """Neither removed, nor re-addressed, nor replaced; the rest is done."""
    stage.reconcile("eth0:0 10.0.0.1\neth0:1 10.0.0.2\n")
    index = stage.device("eth0_0").index
    rules = Rules(allow_empty=True, protected=b"\x0a\0\0\1")
    outcome = stage.reconcile(f"{wish}\neth0:3 10.0.0.3\n", rules)
    assert [str(one.error) for one in outcome.diff.skipped] == [
        "eth0:0: this SSH session comes in over its address"
    ]
    assert stage.device("eth0_0").index == index
    assert stage.on("eth0_0") == ["10.0.0.1/32"]
    assert stage.names() == ["eth0:0", "eth0:3"]


def test_session_over_what_an_interrupted_run_left(stage: Declared) -> None:
    """An address that is to be cleaned away stays as long as the session comes in over it."""
    stage.reconcile("eth0:0 10.0.0.2\n")
    stage.kernel.add_address("eth0_0", entry_of("10.0.0.1/32").copy(protocol=97))
    outcome = stage.reconcile("eth0:0 10.0.0.2\n", Rules(protected=b"\x0a\0\0\1"))
    assert outcome.status == errors.STATUS_KERNEL
    assert sorted(stage.on("eth0_0")) == ["10.0.0.1/32", "10.0.0.2/32"]


# The guard rails ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "wished", "removed", "words", "message"),
    [
        (3, 0, 3, {}, "nothing is declared, and 3 aliases would be removed"),
        (1, 0, 1, {"allow_shrink": True}, "nothing is declared, and 1 alias would be removed"),
        (3, 0, 3, {"allow_empty": True}, ""),
        (0, 0, 0, {}, ""),
        (9, 1, 8, {}, ""),
        (10, 5, 5, {}, ""),
        (10, 4, 6, {}, "6 of 10 aliases would be removed"),
        (10, 4, 6, {"allow_shrink": True}, ""),
        (10, 4, 6, {"allow_empty": True}, ""),
        (10, 4, 6, {"only": "eth0"}, "6 of 10 aliases on eth0 would be removed"),
        (10, 40, 10, {}, "10 of 10 aliases would be removed"),
    ],
)
def test_guard_rails(
    present: int, wished: int, removed: int, words: dict[str, bool], message: str
) -> None:
    """An empty answer is not an order, nor is one that halves ten aliases or more."""
    found = Diff(Stage().engine.observe())
    found.present, found.wished, found.removed = present, wished, removed
    rules = Rules(**words)  # type: ignore[arg-type]
    if not message:
        check_rails(found, rules)
        return
    with pytest.raises(errors.StateError) as caught:
        check_rails(found, rules)
    assert str(caught.value) == message
    assert caught.value.hint.startswith("--allow-")


def test_refused_before_anything_is_done(stage: Declared) -> None:
    """Where a guard rail refuses nothing has changed, additions neither."""
    stage.reconcile("eth0:0-9 10.0.0.1+\n")
    with pytest.raises(errors.StateError):
        stage.reconcile("eth0:20 10.0.0.20\n", Rules())
    assert stage.names() == [f"eth0:{slot}" for slot in range(10)]


# Properties -----------------------------------------------------------------------------------


def full_world(random: Random) -> DeclaredAliases:
    """Aliases that were declared once, and what others and new lines have made of them."""
    machine = OverMemory()
    machine.begin(random.randrange(10_000))
    machine.disturb(random, 3)
    machine.write(random, 3)
    return machine


@settings(max_examples=200)
@given(randoms)
def test_the_quick_answer_is_that_of_the_plan(random: Random) -> None:
    """Like says yes only where the planner would have nothing to do."""
    machine = full_world(random)
    declared = machine.declared()

    def compared() -> tuple[list[str], list[str]]:
        engine = Engine(Setup(machine.ground.kernel(), machine.registry))
        found = compare(declared.blocks, engine.observe())
        lines = [line(item, machine.registry) for item in found.items]
        return lines, [one.line() for one in found.skipped]

    quick = compared()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(comparison.Unchanged, "holds", lambda *_: False)
        assert compared() == quick


@settings(max_examples=200)
@given(randoms)
def test_many_at_once_are_as_one_after_the_other(random: Random) -> None:
    """Planned together, or realised command by command, the wide networks first: the same world."""
    machine = OverMemory()
    machine.ground = machine.make_ground()
    machine.registry, machine.lines, machine.names = Stage().engine.registry, {}, {}
    for name in ("eth1", "eth2", "eth3"):
        machine.ground.add_main(name)
        machine.names[name] = name
    for _ in range(2):
        machine._address(random)
    machine.write(random, 8)
    declared = machine.declared()
    single = Engine(Setup(machine.ground.copy(machine.snapshot()), machine.registry))
    together = Engine(Setup(machine.ground.kernel(), machine.registry))
    outcome = reconcile(together, declared, Rules())
    for block in sorted(declared.blocks, key=lambda block: comparison._width(block.wish)):
        for wish in block.wishes():
            try:
                single.realise(wish)
            except errors.NetaliasError:
                continue
    assert not outcome.wrong
    assert seen(single.snapshot()) == seen(together.snapshot())


def test_a_removal_is_one_message(stage: Declared) -> None:
    """So that a kernel can delete sets at once."""
    stage.reconcile("eth0:0-3 10.0.0.1+\n")
    items = [item for item in stage.check("").items if item.sysctl_change is None]
    assert [type(step) for item in items for step in item.plan.steps] == [DelLink] * 4
