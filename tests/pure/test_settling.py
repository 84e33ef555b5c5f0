"""Sysctls of main devices after a run that was killed at any instant: the next run gives back what
nothing needs, and takes nothing from anybody."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.reconcile import Rules, reconcile
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Device
from netalias.model.steps import CreateLink, SetLink, Step
from netalias.plan.sysctls import RAISED
from netalias.runtime.private import PrivateDirectory
from netalias.runtime.sysctls import SavedSysctls

FOREIGN = {
    "eth0": {"arp_announce": 1, "arp_ignore": 0, "promote_secondaries": 0},
    "eth1": {"arp_announce": 0, "arp_ignore": 0, "promote_secondaries": 0},
}
"""The values before the first alias."""
UNRELATED = "eth2:9 2001:db8::9 kind macvlan"
"""A command that needs no sysctl."""


class Killed(BaseException):
    """The process is killed by SIGKILL: nothing of it runs any more."""


class Mortal(Memory):
    """A kernel in memory whose caller is killed before its act number ``left``, counted from 0:
    a step, or a change of a file; None for never."""

    left: int | None = None

    def act(self) -> None:
        if self.left is not None:
            if not self.left:
                raise Killed
            self.left -= 1

    def _answer(self, step: Step) -> errors.NetaliasError | None:
        self.act()
        return super()._answer(step)


class Stage(Declared):
    """eth0 with a network and eth1, both with values of somebody; the runtime directory is there
    for all engines."""

    kernel: Mortal

    def __init__(self, folder: Path) -> None:
        super().__init__(Mortal())
        self.folder = folder
        for name, conf in FOREIGN.items():
            self.put(name, **conf)
        self.kernel.set_device("eth2", up=True)
        self.kernel.add_address("eth0", "10.0.0.1/24")
        self.begin()

    def begin(self) -> None:
        """A new process."""
        self.kernel.left = None
        self.kernel._undoing = self.kernel.stopping = False
        self.engine = Engine(Setup(self.kernel, runtime=PrivateDirectory(str(self.folder))))

    def put(self, name: str, **conf: int) -> None:
        """Somebody sets it."""
        found = self.kernel.device(name)
        self.kernel._set(SetLink(name, found.index, conf=conf))

    def values(self, name: str) -> dict[str, int]:
        device = self.device(name)
        return {key: getattr(device, key) for key in RAISED}

    def needed(self, name: str) -> dict[str, int]:
        """The values that the aliases on a device need, beside what was there."""
        found = dict(FOREIGN[name])
        for alias in self.engine.show():
            if alias.name.main != name or alias.family != AF_INET:
                continue
            if alias.kind in ("macvlan", "ipvlan"):
                found["arp_announce"] = 2
            if alias.kind == "macvlan":
                found["arp_ignore"] = 1
            if alias.kind == "label" and alias.entry is not None and alias.entry.networked:
                found["promote_secondaries"] = 1
        return found

    def run(self, work: Work) -> None:
        """One command, as the program does it."""
        if callable(work):
            with self.engine.transaction():
                work(self)
        else:
            self(work)

    def settled(self) -> bool:
        """Whether all values are those that the aliases need, and the record says so."""
        right = all(self.values(name) == self.needed(name) for name in FOREIGN)
        return right and not (self.folder / "settings.begun").exists()

    def clear(self) -> None:
        """Delete all aliases, one by one."""
        for name in self.names():
            self(f"{name}-")


Work = str | Callable[[Stage], object]


def batch(*lines: str) -> Callable[[Stage], object]:
    """A batch of these lines."""

    def work(stage: Stage) -> None:
        found = Batch(stage.engine, lambda words: 0, lambda text: None, force=True)
        found.run(parse_commands("\n".join(lines), stage.engine.registry, force=True))
        for _, error in found.failed:
            raise error

    return work


def declared(*lines: str) -> Callable[[Stage], object]:
    """A reconciliation with these lines."""

    def work(stage: Stage) -> None:
        text = "".join(f"{line}\n" for line in lines)
        outcome = reconcile(stage.engine, stage.parsed(text), Rules(allow_empty=True))
        assert outcome.failed == outcome.wrong == []

    return work


MACVLAN = "eth0:0 10.0.0.5 kind macvlan"
NETWORK = ("eth0:0 10.5.0.1/24 kind label", "eth0:1 10.5.0.2/24 kind label")
SCENES: dict[str, tuple[tuple[str, ...], Work]] = {
    "create": ((), MACVLAN),
    "create a label": ((), NETWORK[0]),
    "delete": ((MACVLAN,), "eth0:0-"),
    "delete a label": ((NETWORK[0],), "eth0:0-"),
    "to a label": ((MACVLAN,), "eth0:0 10.5.0.1/24 kind label"),
    "to a macvlan": (("eth0:0 10.0.0.5 kind label",), MACVLAN),
    "to an ipvlan": ((MACVLAN,), "eth0:0 10.0.0.5 kind ipvlan"),
    "to IPv6": ((MACVLAN,), "eth0:0 2001:db8::5"),
    "reconcile": ((MACVLAN,), declared("eth1:0 10.1.0.5 kind macvlan", *NETWORK)),
    "reconcile nothing": ((MACVLAN, "eth1:0 10.1.0.5 kind ipvlan"), declared()),
    "batch": ((), batch(MACVLAN, "eth1:0 10.1.0.5 kind macvlan", "eth0:1 10.6.0.1/24 kind label")),
    "batch of deletions": ((MACVLAN, "eth1:0 10.1.0.5 kind macvlan"), batch("eth0:0-", "eth1:0-")),
}
"""What is there before, and the command that is killed."""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Stage]:
    """A function that makes a stage with a folder of its own, whose files count as acts."""
    stages: list[Stage] = []

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def call(path: Any, *rest: Any, **more: Any) -> Any:
            if stages and str(path).startswith(str(stages[-1].folder)):
                stages[-1].kernel.act()
            return real(path, *rest, **more)

        monkeypatch.setattr(os, name, call)

    def made() -> Stage:
        folder = tmp_path / str(len(stages))
        folder.mkdir()
        stages.append(Stage(folder))
        return stages[-1]

    for name in ("open", "replace", "unlink"):
        wrap(name)
    return made


def killed(make: Callable[[], Stage], name: str) -> Iterator[tuple[Stage, bool]]:
    """A stage for each act of a command, at which it was killed; at last one where it was not,
    which is told."""
    before, work = SCENES[name]
    number, over = 0, False
    while not over:
        stage = make()
        for line in before:
            stage(line)
        stage.begin()
        stage.kernel.left = number
        try:
            stage.run(work)
            over = True
        except Killed:
            number += 1
        stage.begin()
        yield stage, over
    assert number > 2


@pytest.mark.parametrize("name", SCENES)
def test_the_next_command_gives_back(make: Callable[[], Stage], name: str) -> None:
    """Whatever it is about; the same command then does what it would have done."""
    ends = []
    for stage, _ in killed(make, name):
        stage(UNRELATED)
        assert stage.settled(), stage.names()
        stage.begin()
        try:
            stage.run(SCENES[name][1])
        except errors.NoSuchDevice:
            pass  # it was deleted by then
        assert stage.settled()
        ends.append([{*stage.names()}, *map(stage.values, FOREIGN)])
        stage.begin()
        stage.clear()
        assert [stage.values(one) for one in FOREIGN] == [*FOREIGN.values()]
        assert not [path for path in stage.folder.iterdir() if path.name.startswith("settings")]
    assert ends == [ends[-1]] * len(ends)


@pytest.mark.parametrize("name", SCENES)
def test_the_beginning_of_a_transaction_gives_back(make: Callable[[], Stage], name: str) -> None:
    """So each verb that takes one does, and the start of a watcher; what goes back is told."""
    told = 0
    for stage, _ in killed(make, name):
        before = [stage.values(one) for one in FOREIGN]
        with stage.engine.transaction() as transaction:
            assert stage.settled()
            changed = before != [stage.values(one) for one in FOREIGN]
            assert bool(transaction.restored) == changed
        told += changed
    assert told or "create" in name or name in ("to a macvlan", "batch")


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("chosen", [(0, 2), (2, 1), (8, 0)])
def test_what_somebody_chose_meanwhile_stays(
    make: Callable[[], Stage], name: str, chosen: tuple[int, int]
) -> None:
    """Unless an alias needs more, and then it comes back: it is what was there before."""
    for stage, _ in killed(make, name):
        conf = dict(zip(("arp_ignore", "arp_announce"), chosen, strict=True))
        ours = {key for key, value in conf.items() if value == RAISED[key]}
        stage.begin()
        stage.put("eth0", **conf)
        stage(UNRELATED)
        stage.clear()
        now = stage.values("eth0")
        assert all(now[key] == value for key, value in conf.items() if key not in ours)


def test_a_reading_gives_nothing_back(make: Callable[[], Stage]) -> None:
    """Looking changes nothing, and tells what the next run will do."""
    found: set[tuple[str, ...]] = set()
    for stage, over in killed(make, "reconcile nothing"):
        before = stage.kernel.snapshot()
        files = {path.name: path.read_text() for path in stage.folder.iterdir()}
        found.add(tuple(line for line in stage.lines("") if line.startswith("=")))
        assert stage.kernel.snapshot().devices == before.devices
        assert {path.name: path.read_text() for path in stage.folder.iterdir()} == files
        assert not over or not stage.lines("")
    assert ("= eth0 arp_announce 2 -> 1, arp_ignore 1 -> 0", "= eth1 arp_announce 2 -> 0") in found


def test_a_dry_transaction_gives_nothing_back(make: Callable[[], Stage]) -> None:
    """A rehearsal of a batch takes the lock, and touches nothing."""
    for stage, _ in killed(make, "delete"):
        before, files = stage.values("eth0"), sorted(stage.folder.iterdir())
        with stage.engine.transaction(dry=True) as transaction:
            stage.engine.rehearsal(Memory.holding(stage.kernel.snapshot()))
            assert transaction.restored == []
        assert stage.values("eth0") == before
        assert sorted(stage.folder.iterdir()) == files


def test_hands_off_gives_nothing_back(make: Callable[[], Stage]) -> None:
    """It leaves that to the next run without it."""
    for stage, _ in killed(make, "delete"):
        before = stage.values("eth0")
        stage.engine = stage.engine.derived(hands_off=True)
        stage(UNRELATED)
        assert stage.values("eth0") == before
        stage.begin()
        stage(UNRELATED)
        assert stage.settled()


def test_without_the_right_to_restore(make: Callable[[], Stage]) -> None:
    """It is refused, and nothing is forgotten: the next run that may does it."""
    refused = 0
    for stage, _ in killed(make, "delete"):
        before, names = stage.values("eth0"), stage.names()
        stage.kernel.privileged = False
        with pytest.raises(errors.NotPermitted):
            stage(UNRELATED)
        assert stage.values("eth0") == before
        refused += not names and before != FOREIGN["eth0"]
        stage.kernel.privileged = True
        stage.begin()
        stage(UNRELATED)
        assert stage.settled()
    assert refused


def test_a_main_device_that_was_renamed_meanwhile(make: Callable[[], Stage]) -> None:
    """It is the same device."""
    for stage, _ in killed(make, "delete"):
        stage.kernel.set_device("eth0", name="eth7")
        stage(UNRELATED)
        if not [one for one in stage.names() if one.startswith("eth7:")]:
            assert stage.values("eth7") == FOREIGN["eth0"]


OURS = {"arp_announce": 2, "arp_ignore": 1, "promote_secondaries": 1}


@pytest.mark.parametrize("name", ["delete", "delete a label", "reconcile nothing"])
@pytest.mark.parametrize("again", ["eth0", "other"])
def test_a_device_that_got_the_index_keeps_its_values(
    make: Callable[[], Stage], name: str, again: str
) -> None:
    """The main device was deleted, and another one has its index and, by somebody, our values."""
    for stage, _ in killed(make, name):
        replace(stage, again)
        stage(UNRELATED)
        assert stage.values(again) == OURS
        stage.begin()
        stage(f"{again}:0 10.0.0.5 kind macvlan")
        stage(f"{again}:0-")
        assert stage.values(again) == OURS


def replace(stage: Stage, name: str) -> None:
    """Delete eth0, and make a device of another MAC with its index, and with our values."""
    index = stage.device("eth0").index
    stage.kernel.remove_device("eth0")
    step = CreateLink(name, "veth", group=0, former=index, mac=b"\x02\0\0\0\0\x99")
    assert stage.kernel.send([step]) == [None]
    assert stage.device(name).index == index
    stage.kernel.set_device(name, up=True)
    stage.put(name, **OURS)


@pytest.mark.parametrize("words", ["10.0.0.5 kind macvlan", "10.5.0.1/24 kind label"])
def test_a_main_device_made_again_without_a_run_in_between(
    make: Callable[[], Stage], words: str
) -> None:
    """The first alias on it needs nothing, but the record of the former device has to go."""
    stage = make()
    stage(f"eth0:0 {words}")
    replace(stage, "eth0")
    stage.begin()
    stage(f"eth0:0 {words}")
    stage("eth0:0-")
    assert stage.values("eth0") == OURS


@pytest.mark.parametrize("line", [MACVLAN, NETWORK[0]])
def test_a_record_does_not_outlive_its_aliases(make: Callable[[], Stage], line: str) -> None:
    """Somebody took our values away; what he sets after the last alias has gone is his."""
    stage = make()
    stage(line)
    stage.put("eth0", **FOREIGN["eth0"])
    stage("eth0:0-")
    stage.put("eth0", **OURS)
    stage("eth0:1 10.0.0.6 kind macvlan")
    stage("eth0:1-")
    assert stage.values("eth0") == OURS


def test_what_changes_during_a_long_removal_is_not_overwritten(make: Callable[[], Stage]) -> None:
    """Somebody sets a value after the reading, before the values go back."""
    stage = make()
    stage(MACVLAN)
    diff = stage.check("")
    real = stage.kernel.send

    def send(steps: Any) -> Any:
        answers = real(steps)
        stage.kernel.send = real  # type: ignore[method-assign]
        stage.put("eth0", arp_ignore=8)
        return answers

    stage.kernel.send = send  # type: ignore[method-assign]
    from netalias.engine.reconcile import Prepared, carry_out

    with stage.engine.transaction():
        outcome = carry_out(stage.engine, Prepared(diff))
    assert stage.values("eth0") == {**FOREIGN["eth0"], "arp_ignore": 8}
    assert [str(one.name) for one in outcome.done] == ["eth0:0", "eth0"]
    assert not (stage.folder / "settings").exists()


def test_secondaries_that_stay(make: Callable[[], Stage]) -> None:
    """promote_secondaries is 1 during a deletion only, and that is in the record too."""
    before = (NETWORK[0], "eth1:0 10.1.0.5 kind macvlan")
    points = 0
    number = 0
    while True:
        stage = make()
        for line in before:
            stage(line)
        stage.kernel.add_address("eth0", "10.5.0.9/24")  # of somebody, a secondary
        stage.put("eth0", promote_secondaries=0)  # he also took it away
        stage.begin()
        stage.kernel.left = number
        number += 1
        try:
            stage("eth0:0-")
            break
        except Killed:
            points += stage.values("eth0")["promote_secondaries"]
            stage.begin()
        assert "10.5.0.9/24" in " ".join(stage.on("eth0"))
        stage(UNRELATED)
        if "eth0:0" not in stage.names():
            assert stage.settled()
    assert points
    assert stage.values("eth0") == FOREIGN["eth0"]


def test_an_interruption_gives_back_at_once(make: Callable[[], Stage]) -> None:
    """A second process is not needed, and the values that somebody sets afterwards are his."""
    for number in range(1, 12):
        stage = make()
        stage(MACVLAN)
        count = 0

        def answer(step: Step, stage: Stage = stage, number: int = number) -> Any:
            nonlocal count
            count += 1
            if count == number:
                raise KeyboardInterrupt
            return Mortal._answer(stage.kernel, step)

        stage.kernel._answer = answer  # type: ignore[method-assign]
        try:
            stage("eth0:0 10.5.0.1/24 kind label")
        except KeyboardInterrupt:
            assert stage.settled()


class TestIdentity:
    """Which device a record is about."""

    MAC = bytes(5) + b"\7"

    @pytest.fixture
    def record(self, tmp_path: Path) -> Callable[..., dict[int, dict[str, int]]]:
        def read(before: Device, after: Device, proven: tuple[int, ...] = ()) -> Any:
            SavedSysctls(RAISED, str(tmp_path)).begin([(before, {"arp_ignore": 0})])
            found = SavedSysctls(RAISED, str(tmp_path))
            after.arp_ignore = 1
            found.prune({after.index: after}, proven)
            return found.values

        return read

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (("eth0", MAC, ""), ("eth0", MAC, "")),
            (("eth0", MAC, ""), ("eth7", MAC, "")),
            (("br0", MAC, "bridge"), ("br0", bytes(6), "bridge")),
            (("tun0", b"", "tun"), ("tun0", b"", "tun")),
            (("lo", bytes(6), ""), ("lo", bytes(6), "")),
            (("e\udcff\u2003", b"", "tun"), ("e\udcff\u2003", b"", "tun")),
        ],
    )
    def test_the_same(self, record: Any, before: Any, after: Any) -> None:
        """A device may have been renamed; the MAC of a bridge follows its ports."""
        assert record(device(*before), device(*after)) == {2: {"arp_ignore": 0}}

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            (("eth0", MAC, ""), ("eth0", b"\2" + MAC[1:], "")),
            (("eth0", MAC, ""), ("eth0", MAC, "veth")),
            (("tun0", b"", "tun"), ("tun1", b"", "tun")),
            (("br0", MAC, "bridge"), ("br1", b"\2" + MAC[1:], "bridge")),
        ],
    )
    def test_another_one(self, record: Any, before: Any, after: Any) -> None:
        """Its values are nobody's to restore, unless aliases prove that it was there before."""
        assert record(device(*before), device(*after)) == {}
        assert record(device(*before), device(*after), (2,)) == {2: {"arp_ignore": 0}}


def device(name: str, mac: bytes, kind: str) -> Device:
    return Device(2, name, mac=mac, kind=kind)


@pytest.mark.parametrize("head", ["", "namespace 0\n"])
def test_a_record_of_version_0_4(make: Callable[[], Stage], head: str) -> None:
    """It does not say what the device was; the next change says it."""
    stage = make()
    stage(MACVLAN)
    record = stage.folder / "settings"
    index, mac = stage.device("eth0").index, stage.device("eth0").mac.hex()
    record.write_text(f"{head}{index} arp_announce 1\n{index} arp_ignore 0\n")
    stage.begin()
    stage("eth0:1 10.5.0.1/24 kind label")
    before = {"arp_announce": 1, "arp_ignore": 0, "promote_secondaries": 0}
    lines = [f"{index} {key} {value} eth0 {mac} -\n" for key, value in before.items()]
    assert record.read_text() == "".join(["namespace 0\n", *lines])
    stage.clear()
    assert stage.values("eth0") == FOREIGN["eth0"]
    assert not [*stage.folder.iterdir()]
