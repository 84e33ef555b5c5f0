"""Leases: the word, the plans, what a comparison renews, and the verb, over a kernel in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from test_desired_export import Ddp
from test_plan_compare import Declared

from netalias import cli, desired, errors
from netalias.desired import declarations, export
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Rules, reconcile
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.kernel.netlink import jiffies
from netalias.model import FOREVER, GROUP, PROTOCOL, Address, Alias, commands, leases
from netalias.model.leases import RenewAddress
from netalias.model.steps import AddAddress, DelAddress, DelLink, SetLink
from netalias.plan import Plan
from netalias.views import state


class Leased(Declared):
    """A stage on which time passes."""

    def __call__(self, *texts: str, force: bool = False) -> Plan:  # type: ignore[override]
        """Do these commands; the plan of the last."""
        *first, last = texts
        for text in first:
            super().__call__(text, force=force)
        return super().__call__(last, force=force)

    def left(self, name: str) -> tuple[int, int]:
        """The lease of an alias, and what is left of it; FOREVER without one."""
        alias = self.engine.get(name)
        assert alias.entry is not None
        return alias.lease, alias.entry.valid

    def note(self, name: str) -> str:
        device = self.engine.get(name).device
        assert device is not None
        return device.ifalias

    def steps(self, text: str) -> list[str]:
        return [commands.command(step) for step in self.engine.plan(self.wish(text)).steps]

    def state(self, name: str) -> str:
        return state(self.engine.get(name))


@pytest.fixture
def stage() -> Leased:
    return Leased(Memory(kinds=("macvlan", "dummy")))


KINDS = ("macvlan", "label")
ADDRESSES = ("10.0.0.1", "10.0.0.1/24", "fd00::1/64", "fd00::1")


# The word -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lease"),
    [("", None), ("lease 1", 1), ("lease 30", 30), ("lease 4294967294", 0xFFFFFFFE),
     ("lease off", 0), ("lease 030", 30)],
)  # fmt: skip
def test_the_word(text: str, lease: int | None) -> None:
    """Seconds, or off; nothing said is something else than off."""
    assert desired.parse(f"eth0:0 10.0.0.1 {text}".split(), lazy()).lease == lease


@pytest.mark.parametrize(
    "text", ["0", "-1", "+5", "1.5", "30s", "4294967295", "99999999999", "every", "٣", "forever"]
)
def test_what_is_no_lease(text: str) -> None:
    """For ever is said by saying nothing."""
    with pytest.raises(errors.UsageError, match=r"eth0:0: lease .*: off, or seconds from 1 to"):
        desired.parse(["eth0:0", "10.0.0.1", "lease", text], lazy())


def test_the_word_needs_a_number() -> None:
    """As every word with an argument does."""
    with pytest.raises(errors.UsageError, match="lease needs a number of seconds, or off"):
        desired.parse(["eth0:0", "10.0.0.1", "lease"], lazy())


def test_a_default_counts_until_a_line_says_otherwise() -> None:
    """lease off takes it away for one line."""
    text = (
        "defaults lease 30\neth0:0 10.0.0.1\neth0:1 10.0.0.2 lease off\n"
        "eth0:2-3 10.0.0.3-4 lease 9\n"
        "eth0:4 fd00::1\neth0:7 10.0.0.9\ndefaults\neth0:5 10.0.0.5\neth0:6 10.0.0.6\n"
    )
    found = declarations.parse([("f", text)], lazy())
    assert found.errors == []
    said = {str(wish.name): wish.lease for wish, _ in found}
    assert said == {
        "eth0:0": 30, "eth0:1": 0, "eth0:2": 9, "eth0:3": 9, "eth0:4": 30, "eth0:7": 30,
        "eth0:5": None, "eth0:6": None,
    }  # fmt: skip


# Plans ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_it_is_made_with_its_lease(stage: Leased, kind: str, address: str) -> None:
    """One message adds the address with both lifetimes; no other step is there for it."""
    without = stage.steps(f"eth0:0 {address} kind {kind}")
    steps = stage.steps(f"eth0:0 {address} kind {kind} lease 30")
    assert len(steps) == len(without)
    (added,) = [step for step in steps if step.startswith("ip addr")]
    assert " valid_lft 30 preferred_lft 30 " in added
    stage(f"eth0:0 {address} kind {kind} lease 30")
    assert stage.left("eth0:0") == (30, 30)
    entry = stage.engine.get("eth0:0").entry
    assert entry is not None
    assert entry.preferred == 30


def test_the_device_says_so(stage: Leased) -> None:
    """At the end of its text, behind what is recorded of an IPv6 address."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30", "eth0:1 fd00::1/64 kind macvlan lease 30")
    assert stage.note("eth0:0") == "netalias eth0:0 lease 30"
    assert stage.note("eth0:1") == "netalias eth0:1 ipv6 fd00::1/64 lease 30"


def test_nothing_said_is_no_lease(stage: Leased) -> None:
    """An address lasts for ever, and the text of the device is the old one."""
    stage("eth0:0 10.0.0.1 kind macvlan")
    assert stage.left("eth0:0") == (0, FOREVER)
    assert stage.note("eth0:0") == "netalias eth0:0"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_the_same_command_renews(stage: Leased, kind: str, address: str) -> None:
    """In place; one step, which undoing leaves alone."""
    command = f"eth0:0 {address} kind {kind} lease 30"
    stage(command)
    stage.kernel.pass_time(20)
    (step,) = stage.engine.plan(stage.wish(command)).steps
    assert isinstance(step, RenewAddress)
    assert step.inverse() is None
    assert commands.command(step).startswith("ip addr change ")
    stage(command)
    assert stage.left("eth0:0") == (30, 30)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_lease_comes_and_goes_in_place(stage: Leased, kind: str, address: str) -> None:
    """The address is neither deleted nor added, and the text of the device follows."""
    stage(f"eth0:0 {address} kind {kind}")
    for words, lease, note in (("lease 30", 30, " lease 30"), ("lease 60", 60, " lease 60"),
                               ("lease off", 0, ""), (f"{address} lease 5", 5, " lease 5"),
                               (address, 0, "")):  # fmt: skip
        steps = stage.engine.plan(stage.wish(f"eth0:0 {words}")).steps
        assert not any(isinstance(step, (AddAddress, DelAddress)) for step in steps)
        stage(f"eth0:0 {words}")
        assert stage.left("eth0:0") == (lease, lease or FOREVER)
        if kind == "macvlan":
            assert stage.note("eth0:0").endswith(note)
            assert ("lease" in stage.note("eth0:0")) == bool(note)


def test_a_change_that_is_refused_leaves_the_lease(stage: Leased) -> None:
    """S20: the former lifetime and text come back."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30")
    steps = stage.engine.plan(stage.wish("eth0:0 lease 60")).steps
    (failure,) = stage.kernel.apply([*steps, DelLink("nosuch", 99, GROUP)])
    assert failure.left == []
    assert stage.left("eth0:0") == (30, 30)
    assert stage.note("eth0:0") == "netalias eth0:0 lease 30"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_change_of_something_else_keeps_it(stage: Leased, kind: str, address: str) -> None:
    """Neither the lease nor what is left of it is touched."""
    stage(f"eth0:0 {address} kind {kind} lease 30")
    stage.kernel.pass_time(10)
    stage("eth0:0 up")
    assert stage.left("eth0:0") == (30, 20)
    if kind == "macvlan":
        stage("eth0:0 mtu 1400")
        assert stage.left("eth0:0") == (30, 20)
        assert stage.note("eth0:0").endswith(" lease 30")


def test_another_prefix_length_keeps_it(stage: Leased) -> None:
    """The address is another one, for the whole lease."""
    stage("eth0:0 10.0.0.1/24 kind macvlan lease 30")
    stage.kernel.pass_time(10)
    stage("eth0:0 prefixlen 28")
    assert stage.left("eth0:0") == (30, 30)


def test_another_address_has_the_lease_that_is_said(stage: Leased) -> None:
    """Like a metric, the lease belongs to the address."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30", "eth0:0 10.0.0.2 lease 40")
    assert stage.left("eth0:0") == (40, 40)
    stage("eth0:0 10.0.0.3")
    assert stage.left("eth0:0") == (0, FOREVER)
    assert stage.note("eth0:0") == "netalias eth0:0"


def test_down_and_up_of_inet6(stage: Leased) -> None:
    """The kernel forgets the address, the text of the device does not forget the lease."""
    stage("eth0:0 fd00::1/64 kind macvlan lease 30", "eth0:0 down")
    alias = stage.engine.get("eth0:0")
    assert (alias.entry, alias.lease, alias.expired) == (None, 30, False)
    assert stage.state("eth0:0") == "down"
    stage.kernel.pass_time(100)
    stage("eth0:0 up")
    assert stage.left("eth0:0") == (30, 30)


def test_a_lease_while_it_is_down(stage: Leased) -> None:
    """Of IPv6 the text changes, of IPv4 the address too; both are there when it is raised."""
    for name, address in (("eth0:0", "10.0.0.1"), ("eth0:1", "fd00::1")):
        stage(f"{name} {address} kind macvlan", f"{name} down", f"{name} lease 30", f"{name} up")
        assert stage.left(name) == (30, 30)


@pytest.mark.parametrize(("old", "new"), [("macvlan", "label"), ("label", "macvlan"),
                                          ("macvlan", "dummy")])  # fmt: skip
def test_another_kind_keeps_it(stage: Leased, old: str, new: str) -> None:
    """The new object has the whole lease."""
    stage(f"eth0:0 10.0.0.1 kind {old} lease 30")
    stage.kernel.pass_time(10)
    stage(f"eth0:0 kind {new}")
    assert stage.left("eth0:0") == (30, 30)


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_comes_back_has_its_lease(stage: Leased, address: str) -> None:
    """Where the replacement is refused: the whole lease, and the text of the device."""
    stage(f"eth0:0 {address} kind macvlan lease 30")
    stage.kernel.pass_time(10)
    result = stage.engine.plan(stage.wish("eth0:0 kind label"))
    stage.kernel.remove_device("eth0_0")
    assert stage.kernel.apply(result.fallback) == []
    assert stage.left("eth0:0") == (30, 30)
    assert stage.note("eth0:0").endswith(" lease 30")


def test_who_inherits_a_route_keeps_its_lease(stage: Leased) -> None:
    """An address that is made anew to bring the route of its network has the whole lease."""
    stage("eth0:0 10.0.0.1/24 kind macvlan", "eth0:1 10.0.0.2/24 kind macvlan lease 30")
    stage.kernel.pass_time(10)
    stage("eth0:0-")
    assert stage.left("eth0:1") == (30, 30)


def test_a_family_without_addresses_has_no_lease(stage: Leased) -> None:
    """The kernel cannot drop what it does not keep."""
    stage.engine.registry.register(Ddp())
    with pytest.raises(errors.KindError, match="no broadcast, pointopoint, metric or lease"):
        stage("eth0:0 ddp 1000.12 kind macvlan lease 30")


# What is left ---------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_device_whose_lease_has_run_out(stage: Leased, address: str) -> None:
    """It is known for what it is, and is neither saved nor renewed."""
    stage(f"eth0:0 {address} kind macvlan lease 30")
    stage.kernel.pass_time(30)
    alias = stage.engine.get("eth0:0")
    assert (alias.entry, alias.lease, alias.expired) == (None, 30, True)
    assert stage.state("eth0:0") == "up,expired"
    assert leases.leftovers([alias]) == [alias]
    assert leases.renewals([alias]) == []
    lines = export.lines([alias], stage.engine.registry)
    assert lines == ["# eth0:0: expired, without an address"]
    (saved,) = export.objects([alias], stage.engine.registry)
    assert "local" not in saved
    assert "lease" not in saved


def test_of_a_label_nothing_is_left(stage: Leased) -> None:
    """An address is all that it is."""
    stage("eth0:0 10.0.0.1 kind label lease 30")
    stage.kernel.pass_time(30)
    assert stage.engine.show() == []


def test_an_address_that_others_took_is_no_expired_one(stage: Leased) -> None:
    """Without a lease in the text of the device somebody else was it."""
    stage("eth0:0 10.0.0.1 kind macvlan")
    stage.kernel.remove_address("eth0_0", "10.0.0.1/32")
    assert stage.state("eth0:0") == "up,no-address"
    assert leases.leftovers(stage.engine.show()) == []


@pytest.mark.parametrize("number", ["x", "0", "4294967295", "-3", ""])
def test_a_spoilt_note_is_none(stage: Leased, number: str) -> None:
    """What others have written is neither a lease nor an address of a family called lease."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30")
    stage.kernel.pass_time(30)
    node = stage.engine.get("eth0:0").device
    assert node is not None
    stage.kernel.send([SetLink("eth0_0", node.index, ifalias=f"netalias eth0:0 lease {number}")])
    alias = stage.engine.get("eth0:0")
    assert (alias.lease, alias.family, alias.expired) == (0, 0, False)


def test_saved_and_read_back(stage: Leased) -> None:
    """save writes the lease; what it wrote plans nothing."""
    stage("eth0:0 10.0.0.1 kind label lease 30", "eth0:1 fd00::1/64 kind macvlan lease 40",
          "eth0:2 10.0.0.2 kind label lease 30", "eth0:3 10.0.0.3 kind label")  # fmt: skip
    stage.kernel.pass_time(10)
    text = "\n".join(export.lines(stage.engine.show(), stage.engine.registry))
    assert text.count("lease") == 3
    assert "lease 40" in text
    assert stage.lines(text) == []


# The comparison -------------------------------------------------------------------------------


TWO = "eth0:0 10.0.0.1 kind macvlan lease 30\neth0:1 fd00::1/64 kind label lease 40\n"


def test_a_renewal_is_no_difference(stage: Leased) -> None:
    """check has nothing to say; reconcile renews all of them, and has nothing to say either."""
    assert len(stage.reconcile(TWO).done) == 3
    stage.kernel.pass_time(20)
    assert stage.check(TWO).same
    outcome = stage.reconcile(TWO)
    assert (outcome.diff.items, outcome.prepared.renewed) == ([], 2)
    assert stage.left("eth0:0") == (30, 30)
    assert stage.left("eth0:1") == (40, 40)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [("", " lease 30", "lease none -> 30"), (" lease 30", "", "lease 30 -> none"),
     (" lease 30", " lease 32", "lease 30 -> 32")],
)  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ["10.0.0.1/32", "10.0.0.1/24", "fd00::1/64", "fd00::1/128"])
def test_another_lease_is_one(
    stage: Leased, kind: str, address: str, before: str, after: str, said: str
) -> None:
    """A lease that is not wished, one that is missing, and one of another length."""
    stage.reconcile(f"eth0:0 {address} kind {kind}{before}")
    text = f"eth0:0 {address} kind {kind}{after}"
    assert stage.lines(text) == [f"~ eth0:0 {address} {said}"]
    stage.reconcile(text)
    assert stage.lines(text) == []


def test_a_second_more_counts_where_it_is_written(stage: Leased) -> None:
    """A device has its lease in its text; that of a label is read, and may be one second off."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30", "eth0:1 10.0.0.2 kind label lease 30")
    text = "eth0:0 10.0.0.1 lease 31\neth0:1 10.0.0.2 lease 31"
    assert stage.lines(text) == ["~ eth0:0 10.0.0.1/32 lease 30 -> 31"]
    stage.reconcile(text)
    assert stage.left("eth0:0") == stage.left("eth0:1") == (31, 31)


def test_an_expired_device_gets_its_address_again(stage: Leased) -> None:
    """Where it is declared; with the address that was, if that is recorded."""
    text = TWO.replace("label", "macvlan")
    stage.reconcile(text)
    stage.kernel.pass_time(40)
    assert stage.lines(text) == [
        "~ eth0:0 none -> 10.0.0.1/32", "~ eth0:1 fd00::1/64 entry missing -> present",
    ]  # fmt: skip
    stage.reconcile(text)
    assert stage.left("eth0:0") == (30, 30)


def test_an_expired_device_that_is_not_declared_goes(stage: Leased) -> None:
    """As everything of ours that is not declared."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30")
    stage.kernel.pass_time(30)
    stage.reconcile("eth0:1 10.0.0.2")
    assert [str(alias.name) for alias in stage.engine.show()] == ["eth0:1"]


def test_what_a_guard_rail_refuses_is_renewed(stage: Leased) -> None:
    """A broken file shall not cost those that are in it."""
    text = "".join(f"eth0:{slot} 10.0.0.{slot + 1} lease 30\n" for slot in range(12))
    stage.reconcile(text)
    stage.kernel.pass_time(20)
    few = "".join(text.splitlines(keepends=True)[:2])
    with pytest.raises(errors.StateError, match="10 of 12 aliases would be removed"):
        stage.reconcile(few, Rules())
    assert stage.left("eth0:0") == (30, 30)
    assert stage.left("eth0:5") == (30, 10)


def test_what_is_left_alone_is_renewed(stage: Leased) -> None:
    """An alias that is kept though its wish cannot be carried out: by its own length."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30", "eth0:1 10.0.0.2 kind macvlan lease 30")
    stage.kernel.pass_time(20)
    stage.kernel.set_device("eth0", name="lan")
    outcome = stage.reconcile("eth0:0 10.0.0.1 lease 30\neth0:1 10.0.0.2 lease 30")
    assert len(outcome.diff.skipped) == 1
    assert outcome.prepared.renewed == 2
    assert stage.left("lan:0") == (30, 30)


def test_the_session_is_renewed(stage: Leased) -> None:
    """The address that this SSH session comes in over stays, and so it is renewed."""
    stage("eth0:0 10.0.0.1 kind macvlan lease 30", "eth0:1 10.0.0.2 kind macvlan lease 30")
    stage.kernel.pass_time(20)
    rules = Rules(allow_empty=True, protected=bytes([10, 0, 0, 1]))
    stage.reconcile("", rules)
    assert stage.left("eth0:0") == (30, 30)


def test_other_main_devices_are_not_looked_at(stage: Leased) -> None:
    """--only MAIN."""
    text = "eth0:0 10.0.0.1 lease 30\neth1:0 10.0.0.2 lease 30"
    stage.reconcile(text)
    stage.kernel.pass_time(20)
    assert stage.reconcile(text, Rules(only="eth1")).prepared.renewed == 1
    assert stage.left("eth0:0") == (30, 10)
    assert stage.left("eth1:0") == (30, 30)


def test_what_is_removed_is_not_renewed(stage: Leased) -> None:
    """Nor what is replaced."""
    stage.reconcile(TWO)
    found = stage.check("eth0:0 10.0.0.1 kind label lease 30")
    assert found.renewals == []


class Late(Memory):
    """Between the reading and the renewal, time passes once."""

    late = 0

    def send(self, steps):  # type: ignore[no-untyped-def]
        if self.late and any(isinstance(step, RenewAddress) for step in steps):
            self.pass_time(self.late)
            self.late = 0
        return super().send(steps)


def test_what_runs_out_in_the_last_moment_is_compared_anew() -> None:
    """The renewal adds nothing; that it is gone is a difference then, and is put right as one."""
    kernel = Late(kinds=("macvlan",))
    stage = Leased(kernel)
    stage.reconcile(TWO)
    kernel.late = 30
    outcome = stage.reconcile(TWO)
    assert [str(item.name) for item in outcome.done] == ["eth0:0"]
    assert outcome.prepared.renewed == 1
    assert stage.left("eth0:0") == (30, 30)
    assert stage.left("eth0:1") == (40, 40)


def test_who_may_not_renew_is_told_so(stage: Leased) -> None:
    """A renewal needs the right to change addresses, though nothing differs."""
    stage.reconcile(TWO)
    stage.kernel.privileged = False
    with pytest.raises(errors.NotPermitted):
        reconcile(stage.engine, stage.parsed(TWO), Rules())


# What the watcher asks for --------------------------------------------------------------------


def aliases(stage: Leased) -> list[Alias]:
    return stage.engine.show()


def test_when_a_renewal_is_due(stage: Leased) -> None:
    """When a third of the shortest lease is over; late ones at once; without a lease never."""
    stage("eth0:0 10.0.0.1 kind macvlan")
    assert leases.due(aliases(stage)) is None
    stage("eth0:1 10.0.0.2 kind label lease 30", "eth0:2 10.0.0.3 kind macvlan lease 300")
    assert leases.due(aliases(stage)) == pytest.approx(10)
    stage.kernel.pass_time(4)
    assert leases.due(aliases(stage)) == pytest.approx(6)
    stage.kernel.pass_time(20)
    assert leases.due(aliases(stage)) == 0
    stage.kernel.pass_time(30)
    assert leases.due(aliases(stage)) == pytest.approx(46)


def test_each_renewal_stands_for_itself(stage: Leased) -> None:
    """An owner for each, so that one that is refused hinders no other; nothing is undone."""
    for slot in range(3):
        stage(f"eth0:{slot} 10.0.0.{slot + 1} kind label lease 30")
    steps = leases.renewals(aliases(stage))
    assert [step.owner for step in steps] == [0, 1, 2]
    assert all(step.inverse() is None for step in steps)


def test_a_reading_that_is_a_second_off_does_not_last(stage: Leased) -> None:
    """What is wished counts where the reading may mean it, and only there."""
    stage("eth0:0 10.0.0.1 kind label lease 30")
    (alias,) = aliases(stage)
    for wished, seconds in ((29, 29), (31, 31), (30, 30), (32, 30), (0, 30)):
        (step,) = leases.renewals([alias], {alias.name: wished})
        assert step.address.valid == step.address.preferred == seconds


def test_foreign_lifetimes_are_nobody_s_lease(stage: Leased) -> None:
    """A label of others with a lifetime, such as that of a DHCP client."""
    stage.kernel.add_address("eth0", "10.0.0.9/24", label="eth0:9", valid=600, preferred=600)
    (alias,) = aliases(stage)
    assert (alias.ours, alias.lease) == (False, 0)
    assert leases.renewals([alias]) == []
    assert export.foreign([alias], stage.engine.registry) == [
        "eth0:9  10.0.0.9/24  kind label -broadcast"
    ]


# The verb -------------------------------------------------------------------------------------


class Command:
    """netalias over the kernel of a stage."""

    def __init__(self, stage: Leased, capsys: pytest.CaptureFixture[str]) -> None:
        self.stage = stage
        self.capsys = capsys

    def __call__(self, text: str, status: int = 0) -> tuple[str, str]:
        found = cli.main(
            text.split(), lambda options: Engine(Setup(self.stage.kernel, options.registry))
        )
        out, err = self.capsys.readouterr()
        assert found == status, err
        return out, err


@pytest.fixture
def run(stage: Leased, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(stage, capsys)


STAGED = (
    "eth0:0 10.0.0.1 kind macvlan lease 30",
    "eth0:1 fd00::1/64 kind label lease 40",
    "eth1:0 10.0.0.2 kind macvlan lease 50",
    "eth1:1 10.0.0.3 kind macvlan",
)


@pytest.mark.parametrize(
    ("words", "renewed"),
    [("", "eth0:0 eth0:1 eth1:0"), ("all", "eth0:0 eth0:1 eth1:0"), ("eth0", "eth0:0 eth0:1"),
     ("eth1", "eth1:0"), ("eth0:1", "eth0:1"), ("eth0:0 eth1:0", "eth0:0 eth1:0"), ("lo", "")],
)  # fmt: skip
def test_renew_renews(stage: Leased, run: Command, words: str, renewed: str) -> None:
    """What is named, each by its own length, and without a word."""
    stage(*STAGED)
    stage.kernel.pass_time(20)
    assert run(f"renew {words}") == ("", "")
    for name, lease in (("eth0:0", 30), ("eth0:1", 40), ("eth1:0", 50)):
        assert stage.left(name) == (lease, lease if name in renewed.split() else lease - 20)
    assert stage.left("eth1:1") == (0, FOREVER)


def test_a_rehearsal_prints_the_steps(stage: Leased, run: Command) -> None:
    """--dry-run does nothing, -v prints what is done: the same."""
    stage(*STAGED)
    stage.kernel.pass_time(30)
    out, _ = run("renew --dry-run")
    assert out.splitlines() == [
        "ip addr change fd00::1/64 dev eth0 metric 1851850753 valid_lft 40 preferred_lft 40"
        " proto 97",
        "ip addr change 10.0.0.2/32 dev eth1_0 valid_lft 50 preferred_lft 50 proto 97",
        "ip link del eth0_0",
    ]
    assert stage.left("eth0:1") == (40, 10)
    assert run("-v renew")[0] == out
    assert stage.left("eth0:1") == (40, 40)


@pytest.mark.parametrize("words", ["", "all", "eth0"])
def test_what_is_left_goes(stage: Leased, run: Command, words: str) -> None:
    """An expired device, and only that; it is nothing to complain of."""
    stage(*STAGED)
    stage.kernel.pass_time(30)
    assert run(f"renew {words}") == ("", "")
    names = [str(alias.name) for alias in stage.engine.show()]
    assert names == ["eth0:1", "eth1:0", "eth1:1"]


def test_a_name_whose_lease_has_expired(stage: Leased, run: Command) -> None:
    """The device goes, the others are renewed, and the status tells."""
    stage(*STAGED)
    stage.kernel.pass_time(30)
    out, err = run("renew eth0:0 eth1:0", status=2)
    assert (out, err) == (
        "", "netalias: eth0:0: its lease has expired (an address creates it anew)\n",
    )  # fmt: skip
    assert [str(alias.name) for alias in stage.engine.show("eth0")] == ["eth0:1"]
    assert stage.left("eth1:0") == (50, 50)


@pytest.mark.parametrize(
    ("words", "error"),
    [("eth1:1", "eth1:1: it has no lease (netalias eth1:1 lease SECONDS gives it one)"),
     ("eth0:9", "eth0:9: there is no such alias (an address creates it)"),
     ("nosuch", "nosuch: there is no such device"),
     ("eth0:7", "eth0:7: a label that netalias did not make")],
)  # fmt: skip
def test_what_cannot_be_renewed(stage: Leased, run: Command, words: str, error: str) -> None:
    """It is told before anything is done."""
    stage(*STAGED)
    stage.kernel.add_address("eth0", "10.0.0.9/24", label="eth0:7", valid=600, preferred=600)
    stage.kernel.pass_time(20)
    assert run(f"renew eth0:0 {words}", status=2) == ("", f"netalias: {error}\n")
    assert stage.left("eth0:0") == (30, 10)


def test_renew_never_adds(capsys: pytest.CaptureFixture[str]) -> None:
    """What runs out between the reading and the renewal is not made again: its device goes."""
    stage = Leased(Late(kinds=("macvlan",)))
    stage(*STAGED)
    stage.kernel.late = 40  # type: ignore[attr-defined]
    _, err = Command(stage, capsys)("renew eth0:0 eth0:1", status=2)
    assert err.splitlines() == [
        "netalias: eth0:0: its lease has expired (an address creates it anew)",
        "netalias: eth0:1: its lease has expired (an address creates it anew)",
    ]
    assert [str(alias.name) for alias in stage.engine.show()] == ["eth1:0", "eth1:1"]


def test_renew_needs_the_right(stage: Leased, run: Command) -> None:
    """S15."""
    stage(*STAGED)
    stage.kernel.privileged = False
    _, err = run("renew", status=4)
    assert err.startswith("netalias: changing addresses: Operation not permitted")


def test_the_lease_of_a_label_does_not_grow(
    stage: Leased, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reading right after a full second may be one too long; then there is another one."""
    stage("eth0:0 10.0.0.1 kind label lease 30")
    plain = stage.kernel.snapshot
    readings: list[int] = []

    def snapshot(family: int = 0):  # type: ignore[no-untyped-def]
        found = plain(family)
        for entries in found.addresses.values():
            for entry in entries:
                if entry.valid != FOREVER and not readings:
                    entry.age += 103
        readings.append(1)
        return found

    monkeypatch.setattr(stage.kernel, "snapshot", snapshot)
    run("renew")
    assert len(readings) > 1
    monkeypatch.undo()
    assert stage.left("eth0:0") == (30, 30)


def test_show(stage: Leased, run: Command) -> None:
    """The lease and what is left of it, in detail and for programs."""
    stage(*STAGED)
    stage.kernel.pass_time(20)
    assert "\n    lease 30 remaining 10\n" in run("eth0:0")[0]
    assert "\n    lease 30 remaining 10\n" in run("-d show")[0]
    (found,) = json.loads(run("-j show eth0:1")[0])
    assert (found["lease"], found["remaining"]) == (40, 20)
    (other,) = json.loads(run("-j show eth1:1")[0])
    assert "lease" not in other
    stage.kernel.pass_time(10)
    assert "\n    no address\n    lease 30 expired\n" in run("eth0:0")[0]
    (gone,) = json.loads(run("-j show eth0:0")[0])
    assert (gone["lease"], gone["remaining"], gone["state"]) == (30, 0, "up,expired")
    assert " up,expired " in run("show")[0]


def test_detail_of_inet6(stage: Leased, run: Command) -> None:
    """The address that is recorded is told with the reason why it is not there."""
    stage("eth0:0 fd00::1/64 kind macvlan lease 30", "eth0:1 fd00::2/64 kind macvlan lease 30")
    stage("eth0:1 down")
    stage.kernel.pass_time(30)
    assert "ipv6 fd00::1/64 (its lease has expired)\n    lease 30 expired\n" in run("eth0:0")[0]
    down = (
        "(not in force while the alias is down)\n    lease 30 not running while the alias is down\n"
    )
    assert down in run("eth0:1")[0]


# The clock ------------------------------------------------------------------------------------


def test_the_rates_are_told_apart() -> None:
    """What the count begins with differs by weeks from rate to rate."""
    firsts = sorted(map(jiffies._first, jiffies.RATES))
    gaps = [high - low for low, high in pairwise(firsts)]
    assert min(gaps) > 20 * jiffies.APART


@pytest.mark.parametrize("rate", jiffies.RATES)
def test_the_beginning_is_found(monkeypatch: pytest.MonkeyPatch, rate: int) -> None:
    """By CLOCK_MONOTONIC, which is some hundredths ahead."""
    monkeypatch.setattr(jiffies, "_ticks", lambda: jiffies._first(rate) + 500_000)
    monkeypatch.setattr(jiffies, "_monotonic", lambda: 500_009)
    assert jiffies._beginning() == jiffies._first(rate)


def test_another_clock_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where times(2) tells something else CLOCK_MONOTONIC has to do."""
    monkeypatch.setattr(jiffies, "_ticks", lambda: 12345)
    monkeypatch.setattr(jiffies, "_monotonic", lambda: 500_000)
    assert jiffies._beginning() == 0
    monkeypatch.setattr(jiffies, "_BEGINNING", 0)
    assert jiffies.age(499_900) == 100


@pytest.mark.parametrize(("now", "stamp", "age"), [(100, 100, 0), (150, 100, 50), (100, 150, 0),
                                                   (5, 0xFFFFFFFF, 6)])  # fmt: skip
def test_the_age(monkeypatch: pytest.MonkeyPatch, now: int, stamp: int, age: int) -> None:
    """32 bits overflow after 497 days; what was set later than now was set now."""
    monkeypatch.setattr(jiffies, "_BEGINNING", 0)
    monkeypatch.setattr(jiffies, "_monotonic", lambda: now)
    assert jiffies.age(stamp) == age


def test_age_makes_no_difference() -> None:
    """Two readings of one address are equal."""
    make: Callable[[int], Address] = lambda age: Address(  # noqa: E731
        1, 2, b"\n\0\0\1", 32, protocol=PROTOCOL, valid=30, preferred=30, age=age
    )
    assert make(0) == make(50)
    assert make(250).lease == 32


def test_thousands_of_stamps_read_the_clock_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """times(2) is a system call; its count is in hundredths of a second."""
    read = 0

    class Times:
        elapsed = 50.0

    def times() -> Times:
        nonlocal read
        read += 1
        return Times()

    now = 1000.0
    monkeypatch.setattr(jiffies, "times", times)
    monkeypatch.setattr(jiffies, "clock_gettime", lambda clock: now)
    monkeypatch.setattr(jiffies, "_read", [float("-inf"), 0.0])
    monkeypatch.setattr(jiffies, "_BEGINNING", 1000)
    assert {jiffies.age(3900) for _ in range(1000)} == {100}
    assert read == 1
    now += jiffies.FRESH + 0.001
    Times.elapsed = 50.25
    assert jiffies.age(3900) == 125
