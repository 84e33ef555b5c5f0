"""The control loop over the kernel in memory: its acts, and their times."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import pytest
from watched import Watched

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL, address_text
from netalias.model.gateways import AddRule, Rule, table_of
from netalias.model.steps import AddAltname, CreateLink, Step
from netalias.observed import Observed
from netalias.system.backoff import BURST, LONGEST, SHORTEST
from netalias.watch.controller import BUSY

TWO = "eth0:0 10.0.0.1\neth0:1 10.0.0.2 kind label\n"


def undo(watched: Watched, name: str = "eth0:0") -> None:
    """Somebody deletes the device of an alias."""
    watched.kernel.remove_device(name)


def named(watched: Watched) -> None:
    """Somebody gives eth0 another name besides."""
    index = watched.kernel.device("eth0").index
    assert watched.kernel.apply([AddAltname("eth0", index, "lan")]) == []


# The beginning


def test_what_is_declared_is_made() -> None:
    watched = Watched(TWO)
    assert watched.names() == ["eth0:0", "eth0:1"]
    assert watched.controller.wake is None
    assert watched.said() == ["netalias: 2 aliases made (eth0:0, eth0:1), 1 setting changed (eth0)"]


def test_a_main_device_that_never_comes_is_logged_once() -> None:
    """However much happens to others; nothing is tried by time."""
    watched = Watched("eth0:0 10.0.0.1\neth7:0 10.0.0.7\n")
    assert any("there is no device eth7" in line for line in watched.said())
    for mtu in (1400, 1300, 1200):
        watched.kernel.set_device("eth0", mtu=mtu)
        watched.quiet()
    assert watched.controller.wake is None
    assert watched.said() == []


def devices(watched: Watched) -> dict[str, tuple[int, bytes]]:
    """Index and MAC of the devices of the aliases."""
    found = (alias.device for alias in watched.engine.show())
    return {device.name: (device.index, device.mac) for device in found if device is not None}


# Healing


def test_what_was_deleted_comes_back() -> None:
    watched = Watched(TWO)
    watched.said()
    undo(watched)
    watched.quiet()
    assert watched.names() == ["eth0:0", "eth0:1"]
    assert watched.said() == ["netalias: eth0:0 was removed: put right"]
    assert watched.controller.wake is None


def test_what_is_undone_again_and_again() -> None:
    """BURST times at once, then after one second, two, four, up to a minute; with a warning."""
    watched = Watched(TWO)
    for _ in range(BURST):
        undo(watched)
        watched.quiet()
        assert watched.names() == ["eth0:0", "eth0:1"]
    watched.said()
    waited = []
    for _ in range(9):
        undo(watched)
        watched.quiet()
        assert watched.names() == ["eth0:1"]
        waited.append(watched.wait())
        assert watched.names() == ["eth0:0", "eth0:1"]
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert waited[0] == SHORTEST
    assert waited[-1] == LONGEST
    said = [line for line in watched.said() if "keeps undoing" in line]
    assert said[:2] == [
        "netalias: warning: eth0:0: somebody keeps undoing it: next try in 1 s",
        "netalias: warning: eth0:0: somebody keeps undoing it: next try in 2 s",
    ]
    assert len(said) == 9


@pytest.mark.parametrize("length", [64, 128])
def test_an_address_that_another_host_has(length: int) -> None:
    """It is told so, tried again after one second, two, four, and used once it is free; nobody is
    said to have undone it."""
    text = f"2001:db8::7/{length}"
    watched = Watched(f"eth0:0 {text} kind macvlan\n")
    watched.said()
    waited = []
    for _ in range(8):
        watched.kernel.fail_address("eth0_0", text)
        watched.quiet()
        assert watched.engine.observe().aliases[0].entry.failed  # type: ignore[union-attr]
        waited.append(watched.wait())
        assert not watched.engine.observe().aliases[0].entry.failed  # type: ignore[union-attr]
    assert waited == [1, 2, 4, 8, 16, 32, 60, 60]
    assert watched.said()[:2] == [
        "netalias: warning: eth0:0: another host has its address (dadfailed): next try in 1 s",
        "netalias: eth0:0: its address is tried again",
    ]
    assert watched.controller.wake is None


@pytest.mark.parametrize("kind", ["macvlan", "label"])
@pytest.mark.parametrize("verdict", [True, False])
def test_an_address_with_a_lease_that_another_host_has(kind: str, verdict: bool) -> None:
    """The kernel removes it as soon as it knows: no lease has run out, and nobody has removed it.
    What went after the kernel had found it unique had run out."""
    watched = Watched(f"eth0:0 2001:db8::7 kind {kind} lease 60\n")
    watched.said()
    device = "eth0_0" if kind == "macvlan" else "eth0"
    for turn in (1, 2):
        if verdict:
            watched.kernel.check_address(device, "2001:db8::7")
            watched.quiet()
        watched.kernel.fail_address(device, "2001:db8::7")
        watched.quiet()
        if verdict:
            assert watched.wait() == turn
    said = " ".join(watched.said())
    assert ("another host has its address (dadfailed): next try in 1 s" in said) == verdict
    assert ("its address is tried again" in said) == verdict
    assert ("had run out" in said or "was removed" in said) != verdict


def test_an_alias_of_a_network_that_is_undone_again_and_again() -> None:
    """It gives way as well, and says so, though everything is compared for it."""
    watched = Watched("eth0:0 10.1.0.1/24\neth0:1 10.1.0.2/24\n")
    for _ in range(BURST):
        undo(watched)
        watched.quiet()
        assert watched.names() == ["eth0:0", "eth0:1"]
    watched.said()
    waited = []
    for _ in range(3):
        undo(watched)
        watched.quiet()
        assert watched.names() == ["eth0:1"]
        waited.append(watched.wait())
        assert sorted(watched.names()) == ["eth0:0", "eth0:1"]
    assert waited == [1, 2, 4]
    assert sum("keeps undoing it" in line for line in watched.said()) == 3


def test_back_off_concerns_nobody_else() -> None:
    """Events of main devices do not end it early, and other aliases are repaired meanwhile."""
    watched = Watched(TWO)
    for _ in range(BURST + 1):
        undo(watched)
        watched.quiet()
    assert watched.names() == ["eth0:1"]
    watched.kernel.remove_address("eth0", "10.0.0.2/32")
    watched.kernel.set_device("eth0", mtu=1400)
    watched.quiet()
    assert watched.names() == ["eth0:1"]
    watched.wait()
    assert watched.names() == ["eth0:0", "eth0:1"]


def test_calm_ends_the_back_off() -> None:
    watched = Watched(TWO)
    for _ in range(BURST + 1):
        undo(watched)
        watched.quiet()
    watched.wait()
    watched.now += 100
    for _ in range(BURST):
        undo(watched)
        watched.quiet()
        assert watched.names() == ["eth0:0", "eth0:1"]


def test_a_main_device_that_flaps_causes_no_back_off() -> None:
    """Aliases that go with it were undone by nobody."""
    watched = Watched(TWO)
    watched.said()
    for _ in range(3 * BURST):
        watched.kernel.set_device("eth0", up=False)
        watched.quiet()
        assert watched.names() == []
        watched.kernel.set_device("eth0", up=True)
        watched.quiet()
        assert watched.names() == ["eth0:0", "eth0:1"]
    assert watched.controller.healed == 0
    assert not any("was removed" in line or "keeps" in line for line in watched.said())


def test_a_main_device_that_is_made_again_and_again_causes_no_back_off() -> None:
    """Nor when its going and its coming are read together."""
    watched = Watched(TWO)
    watched.said()
    for _ in range(3 * BURST):
        watched.kernel.remove_device("eth0")
        watched.kernel.add_device("eth0", up=True)
        watched.quiet()
        assert watched.names() == ["eth0:0", "eth0:1"]
    assert not any("was removed" in line or "keeps" in line for line in watched.said())


def test_heal_off() -> None:
    """It stays as others leave it, whatever is compared meanwhile, until its main device comes up
    again, or the files are read."""
    text = "eth0:0 10.0.0.1 heal off\neth0:1 10.1.0.2/24\n"
    watched = Watched(text)
    undo(watched)
    watched.quiet()
    watched.kernel.set_device("eth0", mtu=1400)
    watched.quiet()
    undo(watched, "eth0:1")
    watched.quiet()
    assert watched.names() == ["eth0:1"]
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    assert sorted(watched.names()) == ["eth0:0", "eth0:1"]
    undo(watched)
    watched.quiet()
    assert watched.names() == ["eth0:1"]
    watched.load(text)
    assert sorted(watched.names()) == ["eth0:0", "eth0:1"]


def test_heal_off_of_a_network_costs_nothing() -> None:
    """Nothing is read for an alias that is not put right."""
    watched = Watched("eth0:0 10.1.0.1/24 heal off\n")
    reads = count_reads(watched)
    undo(watched)
    watched.quiet()
    assert reads == []
    assert watched.names() == []


def test_one_of_thousands_reads_nothing() -> None:
    """An alias with a host address comes back by the events alone."""
    watched = Watched("eth0:0-999 10.0.0.0+ kind label\n")
    reads = count_reads(watched)
    watched.kernel.remove_address("eth0", "10.0.0.7/32")
    watched.quiet()
    assert len(watched.names()) == 1000
    del reads[-1]  # ours, of names()
    assert reads == []


def count_reads(watched: Watched) -> list[int]:
    """Grows by one whenever the kernel is read, but by the stream."""
    reads: list[int] = []
    plain = watched.engine.kernel.snapshot

    class Counting(Memory):
        """The same kernel, for the engine."""

    def counted(family: int = 0) -> object:
        reads.append(family)
        return plain(family)

    kernel = Counting.__new__(Counting)
    kernel.__dict__ = dict(watched.kernel.__dict__)
    kernel.snapshot = counted  # type: ignore[method-assign, assignment]
    watched.engine.kernel = kernel
    return reads


def test_the_first_of_its_kind_brings_the_settings() -> None:
    """The command that deleted the last one restored the settings of the main device."""
    watched = Watched("eth0:0 10.0.0.1 kind macvlan\n")
    watched.engine.delete("eth0:0")
    assert watched.kernel.device("eth0").arp_announce == 0
    watched.quiet()
    assert watched.names() == ["eth0:0"]
    assert watched.kernel.device("eth0").arp_announce == 2
    assert watched.controller.healed == 1


def test_an_altname_of_the_main_device() -> None:
    """A wish may call it by that; every kind is repaired, with back-off."""
    watched = Watched("")
    kernel = watched.kernel
    named(watched)
    watched.load(
        "lan:0 10.0.0.1 kind dummy\nlan:1 10.0.0.2 kind label\nlan:2 10.0.0.3 kind macvlan\n"
    )
    assert watched.names() == ["eth0:0", "eth0:2", "eth0:1"]
    for _ in range(BURST):
        undo(watched)
        undo(watched, "eth0:2")
        kernel.remove_address("eth0", "10.0.0.2/32")
        watched.quiet()
        assert sorted(watched.names()) == ["eth0:0", "eth0:1", "eth0:2"]
    undo(watched)
    watched.quiet()
    assert sorted(watched.names()) == ["eth0:1", "eth0:2"]


# Main devices


def test_down_frees_what_is_wished_and_what_is_not() -> None:
    """In one line, without a word of what cannot be made meanwhile."""
    watched = Watched(TWO)
    watched.engine.create("eth0:7", "10.0.0.7")
    watched.quiet()
    watched.said()
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    assert watched.names() == []
    assert watched.said() == ["netalias: eth0 is down: 3 aliases freed"]
    assert watched.controller.wake is None


def test_rules_that_are_deleted_are_no_aliases() -> None:
    """They are not counted, whether their main device is gone or they were left earlier."""
    kind = "kind macvlan gateway 10.0.0.254"
    watched = Watched(f"eth0:0-1 10.0.0.1+ {kind}\n")
    watched.said()
    watched.kernel.send([AddRule(Rule("eth1_0", AF_INET, table_of(99, 0)))])
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    assert watched.said() == ["netalias: eth0 is down: 2 aliases freed"]
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    assert len(watched.said()) == 1
    watched.kernel.remove_device("eth0")
    watched.quiet()
    assert watched.said()[0] == "netalias: eth0 is gone, and its aliases with it"
    assert watched.kernel.routing().read().rules == []


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize("loss", ["main device down", "alias deleted"])
def test_a_device_that_is_made_again_gets_its_index_and_mac(loss: str, taken: bool) -> None:
    """As far as they are free: programs hold the one, neighbours the other."""
    watched = Watched("eth0:0-2 10.0.0.1-3 kind macvlan\n")
    before = devices(watched)
    if loss == "main device down":
        watched.kernel.set_device("eth0", up=False)
        watched.quiet()
        assert watched.names() == []
    else:
        watched.kernel.remove_device("eth0_1")
    if taken:
        index, mac = before["eth0_1"]
        thief = CreateLink("thief", "dummy", group=0, former=index, mac=mac)
        assert watched.kernel.send([thief]) == [None]
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    after = devices(watched)
    if taken:
        assert all(map(operator.ne, before.pop("eth0_1"), after.pop("eth0_1")))
    assert after == before


def test_on_down_in_a_range() -> None:
    """Each alias as its line says, by any name of the main device; the option holds for the
    others."""
    watched = Watched(
        "eth0:0-3 10.0.0.0+ on-down keep\neth0:4-5 10.0.0.4+\nlan:6 10.0.0.6 on-down free\n",
        on_down="keep",
    )
    named(watched)
    watched.quiet()
    assert len(watched.names()) == 7
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    assert watched.names() == [f"eth0:{slot}" for slot in range(6)]


def test_what_the_kernel_drops_on_down_is_back_on_up() -> None:
    """IPv6 addresses of a device go when it goes down, though they are to be kept."""
    watched = Watched("eth0:0 2001:db8::1 kind label on-down keep\n")
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    assert watched.names() == ["eth0:0"]


def test_lo_down() -> None:
    """It is a main device like any other."""
    watched = Watched("lo:0 10.0.0.1\n")
    watched.kernel.set_device("lo", up=False)
    watched.quiet()
    assert watched.names() == []
    watched.kernel.set_device("lo", up=True)
    watched.quiet()
    assert watched.names() == ["lo:0"]


def test_a_dummy_goes_with_its_main_device() -> None:
    """The kernel leaves it standing; also when the next device of the name is there, and down."""
    watched = Watched("")
    for again in (False, True):
        watched.engine.create("eth0:0", "10.0.0.1", "kind", "dummy")
        watched.quiet()
        watched.kernel.remove_device("eth0")
        if again:
            watched.kernel.add_device("eth0")
        watched.quiet()
        assert not watched.kernel.snapshot().device("eth0_0")
        if not again:
            watched.kernel.add_device("eth0", up=True)
            watched.quiet()


def test_what_cannot_be_freed_is_tried_again() -> None:
    """Later, and by nothing but time."""
    watched = Watched(TWO)
    watched.kernel.set_device("eth0", up=False)
    watched.kernel.privileged = False
    watched.quiet()
    assert watched.names() == ["eth0:0", "eth0:1"]
    watched.kernel.privileged = True
    assert watched.wait() >= SHORTEST
    assert watched.names() == []
    assert watched.controller.wake is None


class Falling(Memory):
    """A kernel whose eth0 goes down just before something is done, once it is ``loose``."""

    loose = False

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        if self.loose:
            self.loose = False
            self.set_device("eth0", up=False)
        return super().send(steps)


def test_down_before_the_first_alias_is_there() -> None:
    """An alias made meanwhile goes as well: the kernel makes it on a device that is down."""
    kernel = Falling()
    watched = Watched("", kernel)
    kernel.loose = True
    watched.load(TWO)
    assert not kernel.device("eth0").up
    assert watched.names() == []
    kernel.set_device("eth0", up=True)
    watched.quiet()
    assert watched.names() == ["eth0:0", "eth0:1"]


def test_what_an_alias_left_behind() -> None:
    """The route of a label that somebody deletes goes. What is left of an undeclared alias is told
    as no alias."""
    watched = Watched("eth0:0 2001:db8::5/64 kind label\neth0:1 10.0.0.5 kind macvlan\n")
    watched.kernel.add_address("eth0", "2001:db8::1/64")
    watched.kernel.remove_address("eth0", "2001:db8::5/64")
    watched.said()
    watched.quiet()
    metrics = {one.metric for one in watched.kernel.connected() if one.network[:1] == b"\x20"}
    assert metrics == {256}
    assert watched.said() == [
        "netalias: eth0:0 was removed: put right",
        "netalias: eth0:0: stale route removed",
    ]
    watched.kernel.send([AddRule(Rule("eth0_7", AF_INET, table_of(99, 0)))])
    watched.load("eth0:0 2001:db8::5/64 kind label\neth0:1 10.0.0.5 kind macvlan\n")
    assert watched.said() == ["netalias: what was left of eth0:7 deleted"]


def marked(watched: Watched) -> list[str]:
    """The addresses with our mark: main or alias device, and address."""
    snapshot = watched.engine.observe().snapshot
    return sorted(
        f"{snapshot.devices[index].name} {address_text(entry.family, entry.local)}"
        for index, entries in snapshot.addresses.items()
        for entry in entries
        if entry.protocol == PROTOCOL
    )


def test_another_device_gets_the_name_of_a_main_device() -> None:
    """Its aliases are made on it, and no address is on both: those of the renamed device stay until
    then, and go. What is declared for that one by its new name, or by nobody, stays."""
    watched = Watched(
        "eth0:0 10.0.0.5/24 kind macvlan\neth0:1-2 10.0.0.6/24+ kind label\n"
        "eth0:3 2001:db8::5/64 kind label\nlan0:2 10.0.9.2 kind label\n"
    )
    watched.engine.create("eth0:8", "10.0.0.8", "kind", "macvlan")
    watched.quiet()
    watched.kernel.set_device("eth0", name="lan0")
    watched.quiet()
    before = ["10.0.0.6", "10.0.9.2", "2001:db8::5"]
    assert [one for one in marked(watched) if "lan0 " in one] == [f"lan0 {one}" for one in before]
    watched.kernel.add_device("eth0")
    watched.quiet()
    assert len(marked(watched)) == 5  # nothing can be made on a device that is down
    watched.said()
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    assert marked(watched) == [
        "eth0 10.0.0.6", "eth0 10.0.0.7", "eth0 2001:db8::5", "eth0_0 10.0.0.5", "eth0_8 10.0.0.8",
        "lan0 10.0.9.2",
    ]  # fmt: skip
    assert watched.said()[0] == (
        "netalias: eth0 is another device now: 3 aliases declared for it removed from lan0"
    )


@pytest.mark.parametrize("times", [1, 2])
def test_two_devices_swap_their_names(times: int) -> None:
    """In one go: the aliases change places, and no address is on both."""
    watched = Watched("eth0:0 10.0.0.5 kind macvlan\neth0:1-2 10.0.0.6/24+ kind label\n")
    index = watched.kernel.device("eth0").index
    for _ in range(times):
        watched.kernel.set_device("eth0", name="tmp0")
        watched.kernel.set_device("eth1", name="eth0")
        watched.kernel.set_device("tmp0", name="eth1")
        watched.quiet()
        assert marked(watched) == ["eth0 10.0.0.6", "eth0 10.0.0.7", "eth0_0 10.0.0.5"]
    assert (watched.kernel.device("eth0").index == index) is (times == 2)


def test_a_new_name() -> None:
    """Aliases that nobody has declared follow; of a range, those that are not declared."""
    watched = Watched("")
    for slot in range(4):
        watched.engine.create(f"eth0:{slot}", f"10.0.0.{slot + 1}", "kind", "macvlan")
    watched.quiet()
    watched.load("wan0:0 10.0.9.1 kind macvlan\n")
    for slot in range(4):
        if f"eth0:{slot}" not in watched.names():
            watched.engine.create(f"eth0:{slot}", f"10.0.0.{slot + 1}", "kind", "macvlan")
    watched.quiet()
    watched.said()
    watched.kernel.set_device("eth0", name="wan0")
    watched.quiet()
    found = {str(one.name): one for one in watched.engine.show()}
    assert sorted(found) == ["wan0:0", "wan0:1", "wan0:2", "wan0:3"]
    assert found["wan0:0"].address == bytes((10, 0, 9, 1))
    assert all(one.whole for one in found.values())


# Trouble


def test_busy() -> None:
    """Nothing is lost while another run holds the lock; nobody waits inside."""
    watched = Watched(TWO)
    watched.lock.held = True
    undo(watched)
    watched.quiet()
    for _ in range(3):
        assert watched.controller.wake == watched.now + BUSY
        watched.wait()
    assert watched.names() == ["eth0:1"]
    watched.lock.held = False
    watched.wait()
    assert watched.names() == ["eth0:0", "eth0:1"]
    assert watched.controller.wake is None


def test_a_lock_is_not_asked_for_in_a_ring() -> None:
    """A try in vain wakes those that wait for the lock; that alone is no reason for another try."""
    watched = Watched(TWO)
    watched.lock.held = True
    undo(watched)
    watched.quiet()
    asked = watched.lock.asked
    for _ in range(5):
        watched.controller.read_events()
        watched.act()
    assert watched.lock.asked == asked
    assert watched.controller.wake == watched.now + BUSY
    watched.wait()
    assert watched.lock.asked > asked


def test_an_error_is_tried_again_later_and_later() -> None:
    """Events do not change that; when it is over nothing was forgotten, and the next error is
    tried again soon."""
    watched = Watched("eth0:0 10.1.0.1/24\n")
    watched.said()
    for _ in range(2):
        undo(watched)
        watched.kernel.privileged = False
        watched.quiet()
        waited = []
        for _ in range(5):
            watched.kernel.set_device("eth1", mtu=1400)
            watched.kernel.set_device("eth1", mtu=1500)
            watched.quiet()
            waited.append(watched.wait())
        assert waited == [1, 2, 4, 8, 16]
        assert len([one for one in watched.said() if "error" in one or "permitted" in one]) <= 6
        watched.kernel.privileged = True
        watched.wait()
        assert watched.names() == ["eth0:0"]
        assert watched.controller.wake is None


def test_what_could_not_be_read_is_read_later() -> None:
    """Announcements were lost and reading everything failed: nobody announces that it would work
    now."""
    watched = Watched(TWO)
    undo(watched)
    watched.monitor.fails = 2
    with pytest.raises(Exception, match="announcements of the kernel"):
        watched.controller.read_events()
    assert watched.due
    watched.act()
    assert watched.names() == ["eth0:1"]
    watched.now += SHORTEST
    assert watched.due
    watched.act()
    assert watched.names() == ["eth0:0", "eth0:1"]


def test_events_read_for_a_text_are_acted_on() -> None:
    """A reader of the texts takes in announcements; there may be no further event."""
    watched = Watched(TWO)
    undo(watched)
    watched.controller.read_events()
    assert watched.due
    watched.kernel.add_address("eth1", "10.0.0.9/32", label="eth1:9")
    watched.quiet()
    watched.kernel.remove_address("eth1", "10.0.0.9/32")
    watched.controller.read_events()
    assert watched.controller.touched
    assert watched.due


def test_paused() -> None:
    """Nothing is done, and nothing is due: the end of the reason is an event. It is logged once."""
    watched = Watched(TWO)
    watched.said()
    watched.reason = "a change waits"
    undo(watched)
    watched.quiet()
    assert watched.controller.wake is None
    watched.kernel.set_device("eth0", mtu=1400)
    watched.quiet()
    assert watched.controller.wake is None
    assert watched.said() == ["netalias: warning: a change waits"]
    assert watched.names() == ["eth0:1"]
    watched.reason = ""
    watched.act()
    watched.quiet()
    assert watched.names() == ["eth0:0", "eth0:1"]
    watched.reason = "a change waits"
    undo(watched)
    watched.quiet()
    assert "netalias: warning: a change waits" in watched.said()


@pytest.mark.parametrize("name", ["eth0:0", "eth0:2"])
def test_paused_just_before_the_lock_was_free(name: str) -> None:
    """Another run has begun a checkpoint, changed aliases, and released the lock in between."""
    watched = Watched(TWO + "eth0:2 10.1.0.1/24\n")
    undo(watched, name)
    watched.lock.before = lambda: setattr(watched, "reason", "a change waits")
    watched.quiet()
    assert name not in watched.names()
    watched.reason, watched.lock.before = "", lambda: None
    watched.act()
    watched.quiet()
    assert name in watched.names()


def test_a_refused_alias_is_logged_once_and_tried_again() -> None:
    """The others are made, and the cause of the warning lasts."""
    kernel = Memory(kinds=("macvlan",))
    kernel.add_device("eth5", up=True, mac=bytes.fromhex("020000000077"))
    watched = Watched("eth5:0 10.0.0.1\neth5:1 10.0.0.2 hw ether 02:00:00:00:00:77\n", kernel)
    assert len(watched.names()) == 1
    assert len(watched.said()) == 2
    assert [watched.wait() for _ in range(4)] == [1, 2, 4, 8][0:4]
    assert watched.said() == []


def test_fewer_than_half() -> None:
    """A guard rail refuses it once; nothing goes, and the missing ones come."""
    watched = Watched("eth0:0-19 10.0.0.0+ kind label\n")
    watched.said()
    watched.load("eth0:20 10.0.0.20 kind label\n")
    assert len(watched.names()) == 20
    assert any("would be removed" in line for line in watched.said())
    watched.wait()
    assert len(watched.names()) == 21
    assert watched.controller.wake is None


def test_an_error_of_the_kernel_is_no_guard_rail() -> None:
    """Aliases that are not declared any more go when they can."""
    watched = Watched(TWO)
    watched.kernel.privileged = False
    watched.load("eth0:0 10.0.0.1\n")
    assert watched.names() == ["eth0:0", "eth0:1"]
    watched.kernel.privileged = True
    watched.wait()
    assert watched.names() == ["eth0:0"]


def test_wishes_that_are_gone_are_not_missed() -> None:
    """The events of an alias that is not declared any more are forgotten."""
    watched = Watched(TWO)
    undo(watched)
    watched.controller.read_events()
    watched.load("eth0:1 10.0.0.2 kind label\n")
    assert watched.names() == ["eth0:1"]


def test_one_that_has_gone_keeps_no_other_address_that_others_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its device goes after the reading by which IPv6 addresses are given up."""
    watched = Watched("".join(f"eth0:{one} 2001:db8::{one} kind macvlan\n" for one in range(1, 4)))
    observe = watched.engine.observe

    def read() -> Observed:
        found = observe()
        undo(watched, "eth0_1")
        return found

    watched.controller.give_up(observe().aliases)
    with monkeypatch.context() as patched:
        patched.setattr(watched.engine, "observe", read)
        watched.controller._lifecycle.give_up(watched.controller._impact.affected)
    assert [alias.entry for alias in observe().aliases] == [None, None]
