"""What aliases need of their main devices: set with the first, given back with the last."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EADDRINUSE
from pathlib import Path

import pytest
from refusing import Refusing
from test_plan import Stage

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Outcome, Rules, reconcile
from netalias.engine.settling import due
from netalias.kernel.memory import Memory
from netalias.model import Device, mac_text
from netalias.model.steps import SetLink, Step
from netalias.plan.sysctls import NEEDED
from netalias.runtime.private import PrivateDirectory
from netalias.runtime.sysctls import SavedSysctls

FULL = NEEDED["macvlan"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Main devices with a network each; old settings are kept in a folder."""
    found = Stage(Refusing())
    found.engine = Engine(Setup(found.kernel, runtime=PrivateDirectory(str(tmp_path))))
    found.kernel.add_address("eth0", "10.0.0.1/24")
    return found


def settings(stage: Stage, name: str = "eth0") -> tuple[int, int]:
    """arp_announce and arp_ignore."""
    device = stage.device(name)
    return device.arp_announce, device.arp_ignore


def put(stage: Stage, name: str, **conf: int) -> None:
    """Somebody sets it."""
    assert stage.kernel.send([SetLink(name, stage.device(name).index, conf=conf)]) == [None]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("10.0.0.5 kind macvlan", (2, 1)),
        ("10.0.0.5 kind ipvlan", (2, 0)),
        ("10.9.9.1/24 kind macvlan", (2, 1)),
        ("10.0.0.5 kind label", (0, 0)),
        ("10.0.0.5 kind dummy", (0, 0)),
        ("2001:db8::5 kind macvlan", (0, 0)),
        ("2001:db8::5 kind ipvlan", (0, 0)),
    ],
)
def test_the_least_that_a_kind_needs(stage: Stage, words: str, expected: tuple[int, int]) -> None:
    """A macvlan answers for itself, an ipvlan gets the answers; nothing else is touched."""
    plan = stage(f"eth0:0 {words}")
    assert settings(stage) == expected
    assert settings(stage, "eth1") == (0, 0)
    assert plan.notes == []
    stage("eth0:0-")
    assert settings(stage) == (0, 0)


def test_the_last_one_gives_back(stage: Stage) -> None:
    """Not before; and the record goes with it."""
    folder = Path(stage.engine.runtime.path)
    stage("eth0:0 10.0.0.5 kind macvlan")
    stage("eth0:1 10.0.0.6 kind macvlan")
    mac = stage.device("eth0").mac.hex()
    assert sorted((folder / "settings").read_text().split("\n")) == [
        "", f"2 arp_announce 0 eth0 {mac} -", f"2 arp_ignore 0 eth0 {mac} -", "namespace 0",
    ]  # fmt: skip
    stage("eth0:0-")
    assert settings(stage) == (2, 1)
    stage("eth0:1-")
    assert settings(stage) == (0, 0)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("change", ["kind label", "2001:db8::5"])
def test_an_alias_that_needs_it_no_more_gives_back(stage: Stage, change: str) -> None:
    """Another kind, or another family."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    stage(f"eth0:0 {change}")
    assert settings(stage) == (0, 0)


def test_from_macvlan_to_ipvlan(stage: Stage) -> None:
    """What the new kind needs stays, the rest goes back; all of it goes back in the end."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    stage("eth0:0 kind ipvlan")
    assert settings(stage) == (2, 0)
    stage("eth0:0-")
    assert settings(stage) == (0, 0)


def test_larger_values_stay(stage: Stage) -> None:
    """A setting is raised, never lowered; what was enough is not ours to give back."""
    put(stage, "eth0", arp_announce=1, arp_ignore=2)
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert settings(stage) == (2, 2)
    stage("eth0:0-")
    assert settings(stage) == (1, 2)


def test_who_changed_it_in_between_is_left_alone(stage: Stage) -> None:
    """Only a value that is still ours goes back."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    put(stage, "eth0", arp_ignore=8)
    stage("eth0:0-")
    assert settings(stage) == (0, 8)


def test_a_value_that_was_taken_away_is_set_again(stage: Stage) -> None:
    """By the next command that concerns it, and the old value is still the first one."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    put(stage, "eth0", arp_announce=0, arp_ignore=0)
    stage("eth0:0 10.0.0.5")
    assert settings(stage) == (2, 1)
    stage("eth0:0-")
    assert settings(stage) == (0, 0)


def test_two_mains(stage: Stage) -> None:
    """Each has its own count of aliases."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    stage("eth1:0 10.1.0.5 kind macvlan")
    stage("eth0:0-")
    assert (settings(stage), settings(stage, "eth1")) == ((0, 0), (2, 1))


def test_a_main_that_is_a_macvlan(stage: Stage) -> None:
    """Its aliases stand on what is below it, so both answer."""
    stage.kernel.add_device("mv0", "macvlan", link="eth0", up=True)
    stage("mv0:0 10.0.0.5 kind macvlan")
    assert settings(stage) == settings(stage, "mv0") == (2, 1)
    stage("mv0:0-")
    assert settings(stage) == settings(stage, "mv0") == (0, 0)


def test_hands_off(stage: Stage) -> None:
    """Nothing of the main device is touched, neither way, and the alias says what that means."""
    stage.engine = stage.engine.derived(hands_off=True)
    assert stage("eth0:0 10.0.0.5 kind macvlan").notes == [
        "eth0:0: eth0 answers ARP for 10.0.0.5 too: its arp_ignore is 0",
        "eth0:0: eth0 asks ARP with 10.0.0.5: its arp_announce is 0",
    ]
    assert settings(stage) == (0, 0)
    stage.engine = stage.engine.derived(hands_off=False)
    stage("eth0:1 10.0.0.6 kind macvlan")
    stage.engine = stage.engine.derived(hands_off=True)
    stage("eth0:1-")
    stage("eth0:0-")
    assert settings(stage) == (2, 1)


def test_all_devices_count_too(stage: Stage) -> None:
    """With the settings of all there is nothing to say, even with hands off."""
    stage.kernel.shared.update(arp_announce=2, arp_ignore=1)
    stage.engine = stage.engine.derived(hands_off=True)
    assert stage("eth0:0 10.0.0.5 kind macvlan").notes == []


@pytest.mark.parametrize("name", ["lo", "dum0"])
def test_an_address_that_only_the_main_answers_for(stage: Stage, name: str) -> None:
    """It would be lost, so arp_ignore is withheld, and the alias says so."""
    if name == "dum0":
        stage.kernel.add_device("dum0", "dummy", up=True)
    stage.kernel.add_address(name, "10.0.0.50/32")
    assert stage("eth0:0 10.0.0.5 kind macvlan").notes == [
        f"eth0:0: eth0 answers ARP for 10.0.0.5 too: 10.0.0.50 of {name} needs arp_ignore 0 on eth0"
    ]
    assert settings(stage) == (2, 0)


def test_an_address_of_another_network_needs_nobody(stage: Stage) -> None:
    """A router's address on lo is not asked for on this wire; neither is 127.0.0.1."""
    stage.kernel.add_address("lo", "192.0.2.1/32")
    assert stage("eth0:0 10.0.0.5 kind macvlan").notes == []
    assert settings(stage) == (2, 1)


def test_a_dummy_comes_and_goes_beside_a_macvlan(stage: Stage) -> None:
    """While it is there the main device answers again."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert stage("eth0:1 10.0.0.6 kind dummy").notes == []
    assert settings(stage) == (2, 0)
    stage("eth0:1-")
    assert settings(stage) == (2, 1)
    assert stage("lo:0 10.0.0.7").notes == []
    assert settings(stage) == (2, 0)
    stage("lo:0-")
    assert settings(stage) == (2, 1)


def test_arp_filter_of_all(stage: Stage) -> None:
    """Then the alias itself does not answer: somebody must."""
    stage.kernel.shared["arp_filter"] = 1
    assert stage("eth0:0 10.0.0.5 kind macvlan").notes == [
        "eth0:0: eth0 answers ARP for 10.0.0.5, not the alias: arp_filter of all is 1"
    ]
    assert settings(stage) == (2, 0)


def test_dummies_say_what_they_lack(stage: Stage) -> None:
    """No answer, no route, no NDP."""
    put(stage, "eth0", arp_ignore=1)
    assert stage("eth0:0 10.9.9.1/24 kind dummy").notes == [
        "eth0:0: nobody answers ARP for 10.9.9.1: arp_ignore of eth0 is 1",
        "eth0:0: no route leads to 10.9.9.0/24: a dummy brings none"
        " (ip route add 10.9.9.0/24 dev eth0 src 10.9.9.1)",
    ]
    stage.kernel.add_address("eth0", "2001:db8::1/64")
    assert stage("eth0:1 2001:db8::5 kind dummy").notes == [
        "eth0:1: nobody answers NDP for 2001:db8::5: a dummy is reached only by routes"
    ]
    assert stage("lo:0 10.0.0.7").notes == [
        "lo:0: nobody answers ARP for 10.0.0.7: arp_ignore of eth0 is 1"
    ]


@pytest.mark.parametrize("address", ["10.8.8.1", "2001:db8:8::1"])
def test_a_dummy_that_is_routed_to_lacks_nothing(stage: Stage, address: str) -> None:
    """Nobody asks ARP or NDP for a host address outside every network of the main device."""
    put(stage, "eth0", arp_ignore=1)
    assert stage(f"eth0:0 {address} kind dummy").notes == []


def test_what_somebody_put_back_hides_nothing(stage: Stage) -> None:
    """The other setting is given back all the same."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    put(stage, "eth0", arp_announce=0)
    stage("eth0:0-")
    assert settings(stage) == (0, 0)


def test_another_mark_needs_it_too(stage: Stage) -> None:
    """Aliases of another group are not ours to count, but nothing is taken from under them."""
    other = Engine(Setup(stage.kernel, group=77, runtime=stage.engine.runtime))
    stage("eth0:0 10.0.0.5 kind macvlan")
    other.create("eth0:1", "10.0.0.6", "kind", "macvlan")
    stage("eth0:0-")
    assert settings(stage) == (2, 1)
    other.delete("eth0:1")
    assert settings(stage) == (0, 0)


def test_refused_changes_no_setting(stage: Stage) -> None:
    """What was set for an alias that could not be made goes back at once."""
    mac = mac_text(stage.device("eth0").mac)
    words = f"eth0:0 10.0.0.5 kind macvlan hw ether {mac}"
    stage.refused(words, errors.KernelError, EADDRINUSE)
    assert settings(stage) == (0, 0)


def reconciled(stage: Stage, text: str) -> list[str]:
    """What was refused when the file was made so."""
    parsed = declarations.parse([("t.conf", text)], stage.engine.registry)
    outcome = reconcile(stage.engine, parsed, Rules())
    return [str(item.name) for item in outcome.failed]


def test_what_is_refused_keeps_no_setting_that_it_does_not_need(stage: Stage) -> None:
    """In one reconciliation the last macvlan goes and a label is refused: the settings go back."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert reconciled(stage, f"eth0:1 {Refusing.bad} kind label\n") == ["eth0:1"]
    assert settings(stage) == (0, 0)


def test_what_comes_back_keeps_its_settings(stage: Stage) -> None:
    """A macvlan that could not become a label in a reconciliation has what it needs of its main."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert reconciled(stage, f"eth0:0 {Refusing.bad} kind label\n") == ["eth0:0"]
    assert stage.device("eth0_0").kind == "macvlan"
    assert settings(stage) == (2, 1)


def test_unreadable_records_restore_nothing(tmp_path: Path) -> None:
    """A setting is not put back on a guess."""
    (tmp_path / "settings").write_bytes(
        b"2 arp_ignore\n\xff\n2 arp_announce x\n2 arp_ignore 99999999999\n2 mtu 0\n3 arp_ignore 0\n"
    )
    assert SavedSysctls(FULL, str(tmp_path)).values == {3: {"arp_ignore": 0}}


def test_devices_that_come_and_go_leave_nothing(tmp_path: Path) -> None:
    """A watcher has one record for months: it holds no more than the file says."""
    kept = SavedSysctls(FULL, str(tmp_path))
    for index in range(2, 100):
        device = Device(index, "eth0", arp_ignore=1)
        kept.begin([(device, {"arp_ignore": 0})])
        if index % 2:
            kept.end([(index, ["arp_ignore"])])
        else:
            kept.prune({index: device})
            kept.prune({index + 1: Device(index + 1, "eth0")})
    assert (kept.values, kept._devices) == ({}, {})


def test_the_oldest_value_is_kept(tmp_path: Path) -> None:
    """Whatever is set later; and devices that have gone are forgotten."""
    kept = SavedSysctls(FULL, str(tmp_path))
    kept.begin([(Device(2, "eth0"), {"arp_ignore": 0})])
    kept.begin([(Device(2, "eth0"), {"arp_ignore": 1})])
    assert SavedSysctls(FULL, str(tmp_path)).values == {2: {"arp_ignore": 0}}
    kept.prune({3: Device(3, "eth1")})
    kept.begin([(Device(3, "eth1"), {"arp_announce": 1})])
    assert SavedSysctls(FULL, str(tmp_path)).values == {3: {"arp_announce": 1}}


def test_the_network_of_a_dummy_is_nowhere(stage: Stage) -> None:
    """Its own address in it is no reason to answer for anybody: the same before and after."""
    first = stage("eth0:1 10.9.0.1/24 kind dummy")
    assert first.notes
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert settings(stage) == (2, 1)
    stage("eth0:1-")
    stage("eth0:1 10.9.0.1/24 kind dummy")
    assert settings(stage) == (2, 1)


def test_a_value_that_is_not_ours_any_more_is_not_put_back(tmp_path: Path) -> None:
    """Nobody knows what was there before somebody else set another one."""
    kept = SavedSysctls(FULL, str(tmp_path))
    kept.begin([(Device(2, "eth0"), {"arp_ignore": 0})])
    kept.prune({2: Device(2, "eth0", arp_ignore=1)})
    assert kept.values == {2: {"arp_ignore": 0}}
    kept.prune({2: Device(2, "eth0", arp_ignore=2)})
    assert kept.values == {}


def test_records_that_somebody_took_away_are_forgotten_without_a_word(tmp_path: Path) -> None:
    """What was restored stays restored."""
    kept = SavedSysctls(FULL, str(tmp_path))
    kept.begin([(Device(2, "eth0"), {"arp_ignore": 0})])
    (tmp_path / "settings.begun").unlink()
    kept.end([(2, ["arp_ignore"])])
    assert kept.values == {}
    assert list(tmp_path.iterdir()) == []


def test_what_another_namespace_had_is_not_put_back(tmp_path: Path) -> None:
    """The kernel gives the inode of one that has gone, and so the folder, to the next one."""
    kept = SavedSysctls(FULL, str(tmp_path), 7)
    kept.begin([(Device(2, "eth0"), {"arp_ignore": 0})])
    assert SavedSysctls(FULL, str(tmp_path), 8).values == {}
    assert SavedSysctls(FULL, str(tmp_path), 7).values == {2: {"arp_ignore": 0}}


def interrupted(stage: Stage, text: str, stop_after: int) -> Outcome:
    """Reconcile these lines; a request to stop comes when *stop_after* steps were answered."""
    kernel = stage.kernel
    answered = 0

    def progress(count: int) -> None:
        nonlocal answered
        answered += count
        kernel.stopping = answered >= stop_after

    declared = declarations.parse([("t.conf", text)], stage.engine.registry)
    kernel.progress = progress
    outcome = reconcile(stage.engine, declared, Rules(allow_empty=True))
    kernel.progress, kernel.stopping = None, False
    return outcome


class Telling(Memory):
    """A kernel in memory that tells its progress as the real one does."""

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = super().send(steps)
        if self.progress is not None:
            self.progress(len(steps))
        return answers


@pytest.fixture
def telling(tmp_path: Path) -> Stage:
    """A stage with a folder, whose kernel tells its progress."""
    found = Stage(Telling())
    found.engine = Engine(Setup(found.kernel, runtime=PrivateDirectory(str(tmp_path))))
    return found


def test_an_interruption_leaves_no_record_of_undone_sysctls(telling: Stage, tmp_path: Path) -> None:
    """Else a later run would take them for its own, and restore values that others have set."""
    outcome = interrupted(telling, "eth0:0-9 10.0.0.1-10/32 kind macvlan\n", 1)
    assert outcome.stopped
    assert telling.names() == []
    assert settings(telling) == (0, 0)
    assert list(tmp_path.iterdir()) == []
    put(telling, "eth0", arp_announce=2, arp_ignore=1)
    telling("lo:0 192.0.2.1")
    assert settings(telling) == (2, 1)


def test_an_interrupted_removal_restores_the_sysctls(telling: Stage, tmp_path: Path) -> None:
    """With the last alias they are of no use, and restoring them is one step."""
    telling("eth0:0 10.0.0.1 kind macvlan")
    assert settings(telling) == (2, 1)
    interrupted(telling, "", 1)
    assert telling.names() == []
    assert settings(telling) == (0, 0)
    assert not (tmp_path / "settings").exists()


def test_older_records_survive_an_interruption(telling: Stage, tmp_path: Path) -> None:
    """An alias that stays needs its sysctls, and the record of the former values."""
    telling("eth0:0 10.0.0.1 kind macvlan")
    before = (tmp_path / "settings").read_text()
    interrupted(telling, "eth0:0 10.0.0.1\neth1:0-9 10.1.0.1-10/32 kind macvlan\n", 1)
    assert (tmp_path / "settings").read_text() == before


def test_what_somebody_has_changed_meanwhile_is_dropped_as_it_was_planned(stage: Stage) -> None:
    """A rehearsal drops it, and tells of a change that has its values."""
    stage.engine.create("eth0:0", "10.0.0.5", kind="macvlan")
    stage.kernel.remove_device("eth0_0")
    with stage.engine.transaction():
        observed = stage.engine.observe()
        (item,) = stage.engine.sysctls(observed, [])
        assert item.sysctl_change is not None
        planned = item.sysctl_change.before, item.sysctl_change.after
        put(stage, "eth0", arp_ignore=3, arp_announce=1)
        items = [item]
        assert due(stage.engine, items, [item])[0] == items == []
    assert (item.sysctl_change.before, item.sysctl_change.after) == planned
    assert planned[1]
