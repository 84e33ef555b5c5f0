"""A state machine for declared aliases: files that change, a world that others change, kills.

What must hold whatever came before is looked at from outside: a reading of the kernel is compared
with the file by ``faults``, which shares no code with the comparison of the product. The kernel is
given by a Ground; the same rules run over the one in memory and over the real one.
"""

from __future__ import annotations

import functools
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from ipaddress import ip_interface
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from support import ONE_IN

from netalias.desired import declarations
from netalias.engine import Engine, Setup
from netalias.engine.reconcile import Outcome, Rules, look, reconcile
from netalias.families import installed, lazy
from netalias.kernel import Kernel
from netalias.model import (
    AF_INET,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    IFA_F_SECONDARY,
    IFA_F_TENTATIVE,
    IFF_LOWER_UP,
    IFF_RUNNING,
    PROTOCOL,
    RT_SCOPE_LINK,
    SCRATCH,
    Address,
    Device,
    Snapshot,
    is_scratch,
)
from netalias.model.commands import command
from netalias.model.names import main_name
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)
from netalias.observed import Observed
from netalias.plan import Difference
from netalias.plan.diff import Diff
from netalias.runtime.private import PrivateDirectory
from netalias.views.diff import line

MAINS = ("eth1", "eth2", "eth3")
OTHER_NAMES = ("lan1", "lan2", "lan3")
SLOTS = 3
BRIDGE = 4
"""MACVLAN_MODE_BRIDGE."""
ADDRGEN_NONE = 1

ADDRESSES = (
    *(f"10.1.0.{last}" for last in range(1, 6)),
    *(f"10.1.1.{last}" for last in range(1, 4)),
    "10.9.0.1",
    *(f"2001:db8::{last}" for last in range(1, 4)),
    "2001:db8:0:1::1",
)
"""Few, so that they meet: in one network, in networks within networks, and on other aliases."""
LENGTHS = {4: (None, 32, 24, 24, 16), 6: (None, 128, 64, 64, 48)}
"""By the version of the address; None: nothing is said."""
STRANGERS = ("10.1.0.9/24", "10.1.0.1/32", "10.1.1.9/16", "172.16.0.1/12", "2001:db8::9/64")
WORDS = {
    4: ("", "", "", "", "mtu 1400", "mtu 1300", "down", "metric 9", "-broadcast"),
    6: ("", "", "", "mtu 1400", "down"),
}
MISCHIEF = ("delete", "address", "unmark", "altname", "record", "down", "mtu", "scratch")

devices = st.sampled_from(MAINS)
pick = st.integers(0, 10_000)
randoms = st.randoms(use_true_random=True)
"""Uniform dice: most of what happens needs a world that is full already."""


def runs(count: int) -> int:
    """The number of runs of a machine in one test: one of ONE_IN, with changing dice a tenth.

    They come again with the next seed, and none shall begin shortly before the end that takes long.
    """
    return max(1, count // (ONE_IN if settings().derandomize else 10))


def met(tally: Counter[str], wanted: Sequence[str]) -> bool:
    """Whether all of *wanted* has happened; with changing dice (make explore) that is not asked."""
    return not settings().derandomize or min(tally[what] for what in wanted) > 0


class Killed(BaseException):
    """The process is gone: no further step is executed, undoing ones neither."""


class Ground:
    """One world to stand on: a kernel, and what only ip(8) does.

    ``kinds`` are the words for ``kind`` that it can serve.
    """

    kinds: tuple[str, ...] = ()

    def kernel(self, fuse: int = -1) -> Kernel:
        """The kernel; with *fuse* it executes so many steps, and then raises Killed."""
        raise NotImplementedError

    def add_main(self, name: str) -> None:
        """An Ethernet device with carrier that is up and has no address."""
        raise NotImplementedError

    def rename(self, name: str, new: str) -> None:
        """``ip link set NAME name NEW``."""
        raise NotImplementedError

    def regroup(self, name: str, group: int) -> None:
        """``ip link set NAME group GROUP``."""
        raise NotImplementedError

    def copy(self, snapshot: Snapshot) -> Kernel:
        """A kernel in memory in the same state, to try a plan on."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of it."""


class DeclaredAliases(RuleBasedStateMachine):
    """Rules that change a file, or the world, and those that reconcile both.

    ``lines`` is the file: by (main, slot) the words behind the name. ``names`` is what the mains
    are called now, None while one is away.
    """

    ground: Ground
    tally: Counter[str] = Counter()
    """What happened, over all runs: a machine that never meets anything proves nothing."""

    def make_ground(self) -> Ground:
        """What the machine runs over."""
        raise NotImplementedError

    @initialize(number=pick)
    def begin(self, number: int) -> None:
        self.ground = self.make_ground()
        self.registry = installed()
        self.lines: dict[tuple[str, int], str] = {}
        self.names: dict[str, str] = {}
        for name in MAINS:
            self.ground.add_main(name)
            self.names[name] = name
        self.write(Random(number), 9)
        self._reconciled()

    def teardown(self) -> None:
        """Once nobody is in the way any more, all that can be made is made."""
        if not hasattr(self, "names"):
            return
        try:
            self._peace()
            self._reconciled()
            self._nothing()
        finally:
            self.ground.close()

    # The file

    @rule(random=randoms, count=st.integers(1, 6))
    def write(self, random: Random, count: int) -> None:
        """Lines are written, changed, taken out, and change places."""
        for _ in range(count):
            random.choice((self._declare, self._declare, self._declare, self._erase))(random)

    def _declare(self, random: Random) -> None:
        main, slot = random.choice(MAINS), random.randrange(SLOTS)
        address = random.choice(ADDRESSES)
        taken = {words.split()[0].partition("/")[0]: key for key, words in self.lines.items()}
        if taken.get(address, (main, slot)) != (main, slot):
            self._trade(taken[address], (main, slot))  # an address stands once in a file
            return
        version = ip_interface(address).version
        length = random.choice(LENGTHS[version])
        kind = random.choice(("", "", *self.ground.kinds))
        word = random.choice(WORDS[version])
        text = address if length is None else f"{address}/{length}"
        if kind == "label" and random.random() < 0.8:
            word = ""  # most of them are refused
        words = [text, f"kind {kind}" if kind else "", word]
        self.lines[main, slot] = " ".join(filter(None, words))

    def _trade(self, one: tuple[str, int], other: tuple[str, int]) -> None:
        """Two aliases change places, or one moves."""
        lines = self.lines
        mine, theirs = lines.pop(one), lines.pop(other, None)
        lines[other] = mine
        if theirs is not None:
            lines[one] = theirs

    def _erase(self, random: Random) -> None:
        if self.lines:
            main, slot = random.choice(sorted(self.lines))
            all_of_it = random.random() >= 0.8
            gone = [(main, one) for one in range(SLOTS)] if all_of_it else [(main, slot)]
            for key in gone:
                self.lines.pop(key, None)

    def declared(
        self, lines: dict[tuple[str, int], str] | None = None
    ) -> declarations.Declarations:
        """The file as it is parsed."""
        found = self.lines if lines is None else lines
        text = "".join(f"{main}:{slot} {words}\n" for (main, slot), words in found.items())
        parsed = declarations.parse([("t.conf", text)], self.registry)
        assert parsed.errors == []
        return parsed

    # The world, changed by others

    @rule(random=randoms, count=st.integers(1, 4))
    def disturb(self, random: Random, count: int) -> None:
        """Others come, go, and meddle with what is ours."""
        others = (self._address, self._device, self._leave)
        for _ in range(count):
            random.choice((*others, self._meddle, self._meddle, self._meddle_with_label))(random)

    def _address(self, random: Random) -> None:
        """Somebody puts an address on a main device, under a label that looks like ours or none."""
        device = self._main(random.choice(MAINS))
        if device is not None:
            entry = entry_of(random.choice(STRANGERS))
            if entry.family == AF_INET and random.random() < 0.5:
                entry.label = f"{device.name}:{random.randrange(SLOTS)}"
            self._try(AddAddress(device.name, device.index, entry))

    def _device(self, random: Random) -> None:
        """Somebody makes a macvlan, or has a device that is called as an alias would be."""
        device, slot = self._main(random.choice(MAINS)), random.randrange(SLOTS)
        if device is None:
            return
        name = random.choice(("theirs", f"{device.name}_{slot}", f"other{slot}"))
        self._try(CreateLink(name, "macvlan", group=0, mode=BRIDGE, link=device.index))
        made = self.snapshot().device(name)
        if made is not None and made.group == 0:
            self._try(SetLink(name, made.index, addrgen=ADDRGEN_NONE))
            if name.startswith("other"):
                self._try(AddAltname(name, made.index, f"{device.name}:{slot}"))

    def _leave(self, random: Random) -> None:
        """Somebody takes back what is his."""
        entries = [entry for entry in self._strange() if entry.scope != RT_SCOPE_LINK]
        found = [device for device in self.snapshot().devices.values() if is_strange_upper(device)]
        if entries and (not found or random.random() < 0.5):
            entry = random.choice(entries)
            self._try(DelAddress("", entry.index, entry))
        elif found:
            device = random.choice(found)
            self._try(DelLink(device.name, device.index, device.group))

    def _meddle(self, random: Random) -> None:
        """Somebody spoils an alias of ours, or an interrupted run has left it in its last group."""
        snapshot = self.snapshot()
        mine = [device for device in snapshot.devices.values() if device.group == GROUP]
        if not mine:
            return
        device, what = random.choice(mine), random.choice(MISCHIEF)
        place = device.name, device.index
        entries = [one for one in snapshot.on(device.index) if one.scope != RT_SCOPE_LINK]
        if what == "delete":
            self._try(DelLink(*place, GROUP))
        elif what == "altname" and device.altnames:
            self._try(DelAltname(*place, device.altnames[0]))
        elif what == "record":
            self._try(SetLink(*place, ifalias=""))
        elif what == "down":
            self._try(SetLink(*place, up=False))
        elif what == "mtu":
            self._try(SetLink(*place, mtu=1290))
        elif what == "scratch":
            self.ground.regroup(device.name, GROUP | SCRATCH)
        elif what in ("address", "unmark") and len(entries) == 1:
            self._try(DelAddress(*place, entries[0]))
            if what == "unmark":
                self._try(AddAddress(*place, entries[0].copy(protocol=0)))

    def _meddle_with_label(self, random: Random) -> None:
        """Somebody deletes a label of ours."""
        snapshot = self.snapshot()
        found = [
            (device, entry)
            for device in snapshot.devices.values()
            for entry in snapshot.on(device.index)
            if entry.protocol == PROTOCOL and device.group != GROUP
        ]
        if found:
            device, entry = random.choice(found)
            self._try(DelAddress(device.name, device.index, entry))

    @rule(random=randoms)
    def accident(self, random: Random) -> None:
        """Something happens to a main device."""
        random.choice((self._rename, self._rename, self._switch, self._switch, self._away))(random)

    def _rename(self, random: Random) -> None:
        """It gets another name, or its own one back."""
        main = random.choice(MAINS)
        name = self.names.get(main)
        if name is not None:
            new = main if name != main else random.choice(OTHER_NAMES)
            if self.snapshot().device(new) is None:
                self.ground.rename(name, new)
                self.names[main] = new

    def _switch(self, random: Random) -> None:
        """It goes down, or up."""
        device = self._main(random.choice(MAINS))
        if device is not None:
            self._try(SetLink(device.name, device.index, up=not device.up))

    def _away(self, random: Random) -> None:
        """It goes away with all that stands on it, or comes back."""
        main = random.choice(MAINS)
        device = self._main(main)
        if device is not None:
            self._try(DelLink(device.name, device.index, device.group))
            del self.names[main]
        else:
            self.ground.add_main(main)
            self.names[main] = main

    # Both

    @rule()
    def reconcile(self) -> None:
        self._reconciled()

    @precondition(lambda self: self.lines)
    @rule(main=devices)
    def reconcile_one(self, main: str) -> None:
        """--only: the others are not touched, but for what was to be deleted already."""
        if self.snapshot().device(main) is None:
            return  # that is an error
        before = aliases_of(self.snapshot(), whole=True)
        self._run(Rules(allow_empty=True, only=main))
        after = aliases_of(self.snapshot(), whole=True)
        mine = {main, self.names.get(main, main)}
        for found in (before, after):
            for name in [name for name in found if name.partition(":")[0] in mine]:
                del found[name]
        assert routeless(before) == routeless(after)

    @precondition(lambda self: self.lines)
    @rule(number=pick)
    def reconcile_over_ssh(self, number: int) -> None:
        """The address that a session comes in over stays where it is."""
        held = aliases_of(self.snapshot(), whole=True).values()
        found = [one for ones in held for one in ones if one.local]
        if found:
            local = found[number % len(found)].local
            self._run(Rules(allow_empty=True, protected=local))
            held = aliases_of(self.snapshot()).values()
            assert any(one.local == local for ones in held for one in ones)

    @rule(random=randoms)
    def kill(self, random: Random) -> None:
        """SIGKILL after some steps, and then nothing is undone."""
        self.write(random, 4)
        before, fuse = self.snapshot(), random.randrange(20)
        kernel = self.ground.kernel(fuse)
        try:
            reconcile(self._engine(kernel), self.declared(), Rules(allow_empty=True))
        except Killed:
            self.tally["killed"] += 1
        finally:
            kernel.close()
        self._spared(before, self.snapshot())

    def _reconciled(self) -> None:
        """What is asked of every reconciliation, and of the world after it."""
        outcome = self._run(Rules(allow_empty=True))
        snapshot = self.snapshot()
        skipped = {one.name.main for one in outcome.diff.skipped}
        skipped |= {self.names.get(main, main) for main in skipped}
        failed = {str(item.name) for item in outcome.failed}
        wrong = [
            fault
            for name, fault in faults(snapshot, self._wanted())
            if name.partition(":")[0] not in skipped
            and name not in failed
            and name not in nobodys(snapshot)
            and not self._waits(name, snapshot)
        ]
        assert wrong == [] or failed or skipped, wrong
        if not failed:
            mains = {*self.names.values()} - skipped
            off = list(unsettled(snapshot, mains))
            assert off == [], off
            assert [text for text in wrong if "route" not in text] == []
            left = [one for one in snapshot.devices.values() if is_scratch(one.group, GROUP)]
            assert all(one.name.replace("_", ":") in nobodys(snapshot) for one in left)

    def _waits(self, name: str, snapshot: Snapshot) -> bool:
        """Whether a label may be that of a main device that is not there: it may have been renamed.

        The kernel changes the label, or drops the slot; what stays is the address.
        """
        missing = [
            (str(slot), words)
            for (main, slot), words in self.lines.items()
            if snapshot.device(main) is None
        ]
        _, _, number = name.partition(":")
        return any(
            held.local == ip_interface(words.split()[0]).ip.packed and number in (slot, "")
            for slot, words in missing
            for held in aliases_of(snapshot).get(name, [])
        )

    def _run(self, rules: Rules) -> Outcome:
        """Reconcile, with all that must hold whatever the rules are."""
        planned = self._check(rules)
        before = self.snapshot()
        note(f"the file is {self.lines}, the mains {self.names}")
        note(f"found {seen(before)}")
        note(f"planned {self._lines(planned)} {[one.line() for one in planned.skipped]}")
        note("".join(f"{command(step)}\n" for item in planned.items for step in item.plan.steps))
        if planned.same and not rules.only and not rules.protected:
            assert faults(before, self._wanted()) == []
        foretold = self._foretold(rules, before)
        kernel = self.ground.kernel()
        try:
            outcome = reconcile(self._engine(kernel), self.declared(), rules)
        finally:
            kernel.close()
        mains = {item.name.main for item in outcome.failed}
        assert self._due(outcome.diff, mains) == self._due(planned, mains)
        wrong = self._lines(outcome.wrong)
        assert wrong == [], wrong
        after = self.snapshot()
        self._count(outcome)
        self._spared(before, after)
        if not outcome.failed:
            assert seen(after) == foretold
        for item in outcome.failed:
            if item.plan.alias is not None and item.plan.alias.whole:
                assert str(item.name) in seen(after), "what could not be changed is gone"
        again = self._check(rules)
        failed = {item.name for item in outcome.failed}
        failed |= {main_name(name.main) for name in failed}
        note(f"failed {[(str(item.name), str(item.error)) for item in outcome.failed]}")
        note(f"then {self._lines(again)} {[one.line() for one in again.skipped]}")
        assert [text for text, item in self._told(again) if item.name not in failed] == []
        # What is spared for a session may have another reason to be skipped once the rest is done.
        if not rules.protected:
            lines = [one.line() for one in outcome.diff.skipped]
            assert [one.line() for one in again.skipped] == lines
        return outcome

    def _count(self, outcome: Outcome) -> None:
        self.tally[f"status {outcome.status}"] += 1
        self.tally.update(item.sign for item in outcome.diff.items)
        self.tally.update(type(one.error).__name__ for one in outcome.diff.skipped)
        self.tally["refused"] += len(outcome.failed)
        for item in outcome.diff.items:
            alias, kind = item.plan.alias, item.plan.kind
            self.tally["replaced"] += alias is not None and kind not in ("", alias.kind)

    def _spared(self, before: Snapshot, after: Snapshot) -> None:
        """What others have made is there, to the bit."""
        was, now = foreign(before), foreign(after)
        for name in {*was, *now}:
            if was.get(name) != now.get(name):
                note(f"{name} was {was.get(name)}, and is {now.get(name)}")
        assert was == now

    @functools.cached_property
    def _place(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory()

    @property
    def _folder(self) -> str:
        """Where old settings are kept; it goes with the machine."""
        return self._place.name

    def _engine(self, kernel: Kernel) -> Engine:
        return Engine(Setup(kernel, self.registry, runtime=PrivateDirectory(str(self._folder))))

    def _check(self, rules: Rules) -> Diff:
        kernel = self.ground.kernel()
        try:
            return look(self._engine(kernel), self.declared(), rules)
        finally:
            kernel.close()

    def _foretold(self, rules: Rules, before: Snapshot) -> object:
        """What a dry run promises: its steps, executed on a copy in memory."""
        copy = self.ground.copy(before)
        with TemporaryDirectory() as folder:
            shutil.copytree(self._folder, folder, dirs_exist_ok=True)
            engine = Engine(Setup(copy, self.registry, runtime=PrivateDirectory(str(folder))))
            outcome = reconcile(engine, self.declared(), rules)
        wrong = self._lines(outcome.wrong)
        assert wrong == [], wrong
        return seen(copy.snapshot())

    def _lines(self, diff: Diff | Sequence[object]) -> list[str]:
        items = diff.items if isinstance(diff, Diff) else diff
        return [line(item, self.registry) for item in items]  # type: ignore[arg-type]

    def _due(self, diff: Diff, mains: Set[str]) -> list[str]:
        """The lines without the sysctls of *mains*, which have refused aliases."""
        return [
            text
            for text, item in self._told(diff)
            if item.sysctl_change is None or item.name.main not in mains
        ]

    def _told(self, diff: Diff) -> list[tuple[str, Difference]]:
        return list(zip(self._lines(diff), diff.items, strict=True))

    def _wanted(self) -> dict[str, str]:
        """The file, by the names of the day; what stands on a main of no name is left out."""
        present = self.snapshot()
        found = {}
        for (main, slot), words in self.lines.items():
            device = present.device(main)
            if device is not None:
                found[f"{device.name}:{slot}"] = words
        return found

    # At the end

    def _peace(self) -> None:
        """Others take away all that is theirs, and the main devices are as they were."""
        for device in list(self.snapshot().devices.values()):
            if is_strange_upper(device):
                self._try(DelLink(device.name, device.index, device.group))
        for entry in list(self._strange()):
            self._try(DelAddress("", entry.index, entry))
        for main in MAINS:
            if main not in self.names:
                self.ground.add_main(main)
                self.names[main] = main
        for main, name in self.names.items():
            if name != main:
                self.ground.rename(name, main)
            device = self.snapshot().device(main)
            assert device is not None
            self.names[main] = main
            self._try(SetLink(main, device.index, up=True))

    def _nothing(self) -> None:
        """Without a single line nothing of ours is left."""
        self.lines = {}
        self._reconciled()
        snapshot = self.snapshot()
        assert {*aliases_of(snapshot)} <= nobodys(snapshot)

    # Looking

    def snapshot(self) -> Snapshot:
        kernel = self.ground.kernel()
        try:
            return kernel.snapshot()
        finally:
            kernel.close()

    def _main(self, main: str) -> Device | None:
        name = self.names.get(main)
        return self.snapshot().device(name) if name is not None else None

    def _strange(self) -> Iterator[Address]:
        snapshot = self.snapshot()
        for device in snapshot.devices.values():
            if device.name != "lo" and not device.group & GROUP:
                for entry in snapshot.on(device.index):
                    if entry.protocol != PROTOCOL:
                        yield entry

    def _try(self, step: Step) -> None:
        """What the kernel refuses has not happened."""
        kernel = self.ground.kernel()
        try:
            kernel.send([step])
        finally:
            kernel.close()


class Held:
    """An alias as it is seen from outside."""

    def __init__(self, device: Device | None, main: Device | None, entry: Address | None) -> None:
        self.device = device
        self.main = main
        self.entry = entry
        self.local = entry.local if entry is not None else b""


def aliases_of(snapshot: Snapshot, *, whole: bool = False) -> dict[str, list[Held]]:
    """What carries our mark, by the name that it has in the kernel; *whole*: and will keep it."""
    found: dict[str, list[Held]] = {}
    for device in snapshot.devices.values():
        nameless = device.group == GROUP and not (device.ifalias or device.altnames)
        if whole and (nameless or is_scratch(device.group, GROUP)):
            continue
        entries = [entry for entry in snapshot.on(device.index) if entry.protocol == PROTOCOL]
        if device.group & (SCRATCH - 1) == GROUP:
            entries = entries or _unmarked(snapshot, device)
            names = [name for name in device.altnames if ":" in name]
            names = names or [device.name.replace("_", ":")]
            main = snapshot.devices.get(device.link) or snapshot.device(names[0].partition(":")[0])
            for entry in entries or [None]:
                found.setdefault(names[0], []).append(Held(device, main, entry))
            continue
        for entry in entries:
            name = entry.label
            if entry.family != AF_INET:
                name = f"{device.name}:{entry.metric & 0xFFFF}"
            found.setdefault(name, []).append(Held(None, device, entry))
    return found


def nobodys(snapshot: Snapshot) -> set[str]:
    """The names of what has lost all but one byte of its marks, so that it is left alone: a label
    without a slot, and a device without altname and record whose main device was renamed."""
    found = {
        entry.label
        for device in snapshot.devices.values()
        for entry in snapshot.on(device.index)
        if entry.label == device.name and entry.protocol == PROTOCOL and not entry.noted
    }
    for device in snapshot.devices.values():
        own = device.name.rpartition("_")[0]
        main = snapshot.devices.get(device.link) if device.link else snapshot.device(own)
        if not (device.ifalias or device.altnames) and (main is None or own != main.name):
            found.add(device.name.replace("_", ":"))
    return found


def _unmarked(snapshot: Snapshot, device: Device) -> list[Address]:
    """Where no address has a mark, as on kernels before 5.18, the first one counts."""
    entries = [entry for entry in snapshot.on(device.index) if entry.scope != RT_SCOPE_LINK]
    return [] if any(entry.protocol for entry in entries) else entries[:1]


def routeless(found: dict[str, list[Held]]) -> dict[str, list[tuple[object, ...]]]:
    """Names, devices and addresses; who brings the route of a network is not looked at."""
    return {
        name: [
            (
                one.device.index if one.device is not None else 0,
                one.local,
                one.entry.prefixlen if one.entry is not None else 0,
            )
            for one in held
        ]
        for name, held in found.items()
    }


def seen(snapshot: Snapshot) -> dict[str, list[tuple[object, ...]]]:
    """Names, addresses, and who brings the route: what two worlds that are alike share."""
    return {
        name: sorted(
            (
                one.device.kind if one.device is not None else "label",
                one.device is None or one.device.up,
                one.device.mtu if one.device is not None else 0,
                one.local,
                one.entry.prefixlen if one.entry is not None else 0,
                one.entry is not None and bool(one.entry.flags & IFA_F_NOPREFIXROUTE),
            )
            for one in held
        )
        for name, held in aliases_of(snapshot).items()
    }


def faults(snapshot: Snapshot, wanted: dict[str, str]) -> list[tuple[str, str]]:
    """(name, what is not as the file has it)."""
    present = aliases_of(snapshot)
    left = nobodys(snapshot)
    found = [
        (name, f"{name}: not in the file")
        for name in present
        if name not in wanted and name not in left
    ]
    for name, words in wanted.items():
        held = present.get(name, [])
        if len(held) != 1:
            found.append((name, f"{name}: there are {len(held)} of it"))
            continue
        found += [(name, f"{name}: {text}") for text in _wrong(snapshot, held[0], words.split())]
    return found


def _wrong(snapshot: Snapshot, held: Held, words: list[str]) -> Iterator[str]:
    wish, entry, device = ip_interface(words[0]), held.entry, held.device
    down = "down" in words
    if device is not None and not any(":" in name for name in device.altnames):
        yield "no altname"
    if device is not None and device.up is down:
        yield "up" if device.up else "down"
    if device is not None and "mtu" in words and device.mtu != int(words[words.index("mtu") + 1]):
        yield f"mtu {device.mtu}"
    kind = device.kind if device is not None else "label"
    if "kind" in words and words[words.index("kind") + 1] not in ("auto", kind):
        yield f"kind {kind}"
    if entry is None:
        if not down or wish.version == 4:
            yield "no address"
        return
    if entry.local != wish.ip.packed:
        yield f"address {entry.local.hex()}"
    length = wish.network.prefixlen
    full = wish.ip.max_prefixlen
    if entry.prefixlen != length and (device is not None or entry.prefixlen != full):
        yield f"/{entry.prefixlen}"
    if length == full or held.main is None or (device is not None and not device.up):
        return
    others = [other for other in around(snapshot, held.main) if other is not entry]
    serving = [other for other in others if covers(other, entry)]
    if entry.prefixlen < full and not entry.flags & IFA_F_NOPREFIXROUTE:
        # What brings its route goes on when a wider network comes: it is another route.
        if any(other.prefixlen == length for other in serving):
            yield "a second route"
    elif kind != "dummy" and not serving:
        yield "no route"


def unsettled(snapshot: Snapshot, wanted: Set[str]) -> Iterator[str]:
    """Main devices that are not set as their IPv4 aliases need it, or still set without any.

    Nobody has changed them before, so 0 is what they were. *wanted*: those to look at.
    """
    kinds: dict[str, set[str]] = {}
    primary: set[str] = set()
    left = nobodys(snapshot)
    for alias in Observed(snapshot, lazy()).aliases:
        if alias.ours and alias.family == AF_INET:
            kinds.setdefault(alias.name.main, set()).add(alias.kind)
            if alias.kind == "label" and alias.entry is not None and alias.entry.networked:
                primary.add(alias.name.main)
    for device in snapshot.devices.values():
        if device.group & (SCRATCH - 1) == GROUP or device.name not in wanted:
            continue
        here = kinds.get(device.name, set())
        announce, ignore = device.arp_announce, device.arp_ignore
        asked = bool(here & {"macvlan", "ipvlan"})
        silent = "macvlan" in here and not leans(snapshot, device)
        if (announce, ignore) != (2 * asked, 1 * silent):
            yield f"{device.name}: {sorted(here)}, arp_announce {announce}, arp_ignore {ignore}"
        # A label that has lost its slot may bring its network still.
        if device.name not in left and device.promote != (device.name in primary):
            yield f"{device.name}: {sorted(here)}, promote_secondaries {device.promote:d}"


def leans(snapshot: Snapshot, main: Device) -> bool:
    """Whether an address of a dummy or of lo lies in a network of *main*, which answers for it."""
    networks = [
        ip_interface((entry.local, entry.prefixlen)).network
        for device in snapshot.devices.values()
        if device is main or (device.link == main.index and device.kind in ("macvlan", "ipvlan"))
        for entry in snapshot.on(device.index)
        if entry.family == AF_INET and entry.networked
    ]
    return any(
        ip_interface(entry.local).ip in network
        for device in snapshot.devices.values()
        if device.kind == "dummy" or device.name == "lo"
        for entry in snapshot.on(device.index)
        if entry.family == AF_INET and entry.scope == 0
        for network in networks
    )


def around(snapshot: Snapshot, main: Device) -> Iterator[Address]:
    """The addresses of a main device, and of all aliases that are up."""
    for index, entries in snapshot.addresses.items():
        device = snapshot.devices[index]
        if device is main or (device.group == GROUP and device.up):
            yield from entries
        elif device.group != GROUP:
            yield from (entry for entry in entries if entry.protocol == PROTOCOL)


def covers(other: Address, entry: Address) -> bool:
    """Whether *other* brings a route for the network of *entry*."""
    full = len(other.local) * 8
    if other.family != entry.family or other.flags & IFA_F_NOPREFIXROUTE or other.peer:
        return False
    if other.prefixlen == full or other.prefixlen > entry.prefixlen:
        return False
    if other.family == AF_INET and other.flags & IFA_F_SECONDARY:
        return False  # the first address of the network on its device brings it
    one, two = (int.from_bytes(packed, "big") for packed in (other.local, entry.local))
    return one >> (full - other.prefixlen) == two >> (full - other.prefixlen)


def foreign(snapshot: Snapshot) -> dict[str, object]:
    """All that is not ours, to the bit.

    Left out: counters; which address of a network is the secondary one, since the kernel promotes
    others when ours goes; what the kernel finds out by and by: of a new IPv6 address, and of a
    cable; the settings that aliases need of their main device.
    """
    hidden = ["stats", "operstate", "flags", "arp_announce", "arp_ignore", "promote"]
    found: dict[str, object] = {}
    for device in snapshot.devices.values():
        if device.group & (SCRATCH - 1) == GROUP:
            continue
        values = {key: getattr(device, key) for key in Device.__slots__ if key not in hidden}
        values["flags"] = device.flags & ~(IFF_RUNNING | IFF_LOWER_UP)
        entries = [
            [getattr(entry, key) for key in Address.__slots__ if key != "flags"]
            + [entry.flags & ~(IFA_F_SECONDARY | IFA_F_TENTATIVE)]
            for entry in snapshot.on(device.index)
            if entry.protocol != PROTOCOL
        ]
        found[device.name] = values, sorted(entries, key=repr)
    return found


def is_strange_upper(device: Device) -> bool:
    """A macvlan that others have made."""
    return device.kind == "macvlan" and device.group & (SCRATCH - 1) != GROUP


def entry_of(text: str) -> Address:
    """``10.0.0.1/24`` as somebody's address."""
    found = ip_interface(text)
    family = AF_INET if found.version == 4 else 10
    return Address(0, family, found.ip.packed, found.network.prefixlen)


class Fuse:
    """Counts steps, and tells how many may still be executed."""

    def __init__(self, fuse: int) -> None:
        self.left = fuse

    def take(self, count: int) -> int:
        """How many of *count* steps may be executed."""
        if self.left < 0:
            return count
        allowed = min(count, self.left)
        self.left -= allowed
        return allowed
