"""A second manager beside netalias, on a kernel in memory: he acts between any two messages.

Everything that he does is his, and must be as he left it when netalias is done. Only between a
reading and the send right behind it he holds still: that is the window which no proof can close
(docs/reliability.md), and netalias is caught where it sends something that touches what is there
without such a reading.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from errno import EIO
from random import Random
from typing import Any

from declared_machine import entry_of

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model import GROUP, PROTOCOL, SCRATCH, Device, Snapshot
from netalias.model.steps import AddAltname, CreateLink, DelAltname, SetLink, Step

MAINS = ("eth0", "eth1")
NETWORKS = ("10.60.0", "10.61.0")
SLOTS = 4

Fact = tuple[Any, ...]


class Shared(Memory):
    """A kernel that *manager* uses too: before every reading, and before a send unless a reading
    came right before it.

    ``moody`` is the chance that it refuses a step; ``sends`` the number of the send at which the
    run is interrupted, 0 for none, ``late``: behind it.
    """

    def __init__(self, manager: Manager) -> None:
        super().__init__(kinds=("macvlan", "dummy", "veth"))
        self.manager = manager
        self.read = False
        self.quiet = False
        self.points = 0
        self.moody = 0.0
        self.sends = 0
        self.late = False

    def meet(self, *, reading: bool) -> None:
        """A point between two messages."""
        if self.quiet:
            return
        if reading or not self.read:
            self.points += 1
            self.quiet = True
            self.manager.turn(self)
            self.quiet = False
        self.read = reading

    def snapshot(self, family: int = 0) -> Snapshot:
        self.meet(reading=True)
        return super().snapshot(family)

    def reread(
        self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ()
    ) -> Snapshot:
        self.meet(reading=True)
        return super().reread(names, addresses=addresses, only=only)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self.meet(reading=False)
        self.sends -= 1
        if self.sends == 0 and not self.late:
            raise KeyboardInterrupt
        answers = [
            refused(step, EIO) if self.is_bad(step) else super(Shared, self).send([step])[0]
            for step in steps
        ]
        # The real kernel is asked for the indexes of new devices at once, by name and group.
        self.read = any(isinstance(step, CreateLink) for step in steps)
        if self.sends == 0:
            raise KeyboardInterrupt
        return answers

    def is_bad(self, step: Step) -> bool:
        """Whether the kernel has no memory for a step, or something like it."""
        return self.moody > 0 and self.manager.dice.random() < self.moody


class Manager:
    """Who acts by dice, with *chance* at each point; ``facts`` are what he has made or set, by what
    it is about, each with a reading of it."""

    def __init__(self, dice: Random, chance: float) -> None:
        self.dice = dice
        self.chance = chance
        self.facts: dict[Fact, object] = {}
        self.journal: list[str] = []
        self.number = 0

    def turn(self, kernel: Shared) -> None:
        """Do something, or not."""
        while self.dice.random() < self.chance:
            action = self.dice.choice(ACTIONS)
            with suppress(errors.NetaliasError):
                action(self, kernel)

    def note(self, about: Fact, kernel: Memory, text: str) -> None:
        """Remember something of his as it is now."""
        self.facts[about] = look(kernel, about)
        self.journal.append(f"{text}: {self.facts[about]}")

    def lost(self, kernel: Memory) -> list[str]:
        """What of his is not as he left it."""
        return [
            f"{about}: {known} -> {now}"
            for about, known in self.facts.items()
            if (now := look(kernel, about)) != known
        ]

    # What he does

    def _ours(self, kernel: Shared) -> list[Device]:
        """The alias devices that he has not made himself."""
        devices = kernel.snapshot().devices.values()
        return [
            one for one in devices if one.group == GROUP and ("device", one.name) not in self.facts
        ]

    def _main(self, kernel: Shared) -> str:
        return self.dice.choice(MAINS)

    def add_address(self, kernel: Shared) -> None:
        """An address of his in a network where aliases are, perhaps one of theirs."""
        name = self._main(kernel)
        length = self.dice.choice((24, 32))
        text = f"{self.dice.choice(NETWORKS)}.{self.dice.randrange(1, 9)}/{length}"
        if self.dice.random() < 0.3:
            text = f"2001:db8::{self.dice.randrange(1, 6)}/{self.dice.choice((64, 128))}"
        label = f"{name}:{self.dice.randrange(SLOTS)}" if self.dice.random() < 0.3 else name
        fields = {} if ":" in text else {"label": label}
        kernel.add_address(name, text, **fields)
        entry = entry_of(text)
        self.note(("address", name, entry.local, entry.prefixlen), kernel, f"adds {text} to {name}")

    def usurp_address(self, kernel: Shared) -> None:
        """One of ours is removed, and added again as his."""
        found = [
            (device.name, entry)
            for device in kernel.snapshot().devices.values()
            for entry in kernel.snapshot().on(device.index)
            if entry.protocol == PROTOCOL and device.name in MAINS
        ]
        if not found:
            return
        name, entry = self.dice.choice(found)
        if any(one.secondary for one in kernel.snapshot().on(entry.index)):
            return  # he would take others along himself
        kernel.remove_address(name, entry)
        mine = entry.copy(protocol=0, metric=0)
        kernel.add_address(name, mine)
        self.note(("address", name, entry.local, entry.prefixlen), kernel, f"usurps on {name}")

    def usurp_device(self, kernel: Shared) -> None:
        """One of our devices is removed; a device of his has its index, perhaps its name too."""
        ours = self._ours(kernel)
        if not ours:
            return
        device = self.dice.choice(ours)
        self._remove(kernel, device.name)
        self.number += 1
        name = self.dice.choice((device.name, f"his{self.number}"))
        step = CreateLink(name, "dummy", group=0, former=device.index)
        if Memory.send(kernel, [step]) == [None]:
            self.note(("device", name), kernel, f"takes index {device.index}")

    def unmark(self, kernel: Shared) -> None:
        """Our mark is taken off a device."""
        ours = self._ours(kernel)
        if ours:
            device = self.dice.choice(ours)
            kernel.set_device(device.name, group=0)
            self.note(("there", device.name), kernel, f"unmarks {device.name}")

    def contradict(self, kernel: Shared) -> None:
        """A device of ours gets a record or an altname that says something else."""
        ours = self._ours(kernel)
        if not ours:
            return
        device = self.dice.choice(ours)
        steps: list[Step] = [DelAltname("", device.index, one) for one in device.altnames]
        steps.append(SetLink("", device.index, ifalias="uplink of a customer"))
        if self.dice.random() < 0.5:
            self.number += 1
            steps.append(AddAltname("", device.index, f"eth0:{99 + self.number}"))
        Memory.send(kernel, steps)
        self.note(("there", device.name), kernel, f"renames {device.name}")

    def join(self, kernel: Shared) -> None:
        """A device of his enters a group of ours."""
        self.number += 1
        name = self.dice.choice((f"web_{self.number}", f"join{self.number}"))
        group = GROUP | self.dice.choice((0, SCRATCH))
        kernel.add_device(name, "macvlan", link="eth0", group=group)
        self.note(("device", name), kernel, f"joins with {name}")

    def set_sysctl(self, kernel: Shared) -> None:
        """A sysctl of a main device gets a value that is nobody's but his."""
        name, key, value = self._main(kernel), "arp_ignore", self.dice.choice((3, 8))
        Memory.send(kernel, [SetLink(name, kernel.device(name).index, conf={key: value})])
        self.note(("sysctl", name, key), kernel, f"sets {key} of {name}")

    def remove(self, kernel: Shared) -> None:
        """Something of ours goes."""
        ours = self._ours(kernel)
        if ours:
            self._remove(kernel, self.dice.choice(ours).name)

    def _remove(self, kernel: Shared, name: str) -> None:
        kernel.remove_device(name)
        self.journal.append(f"removes {name}")
        for about in [one for one in self.facts if one[1] == name]:
            del self.facts[about]


ACTIONS: tuple[Callable[[Manager, Shared], None], ...] = (
    Manager.add_address,
    Manager.add_address,
    Manager.usurp_address,
    Manager.usurp_device,
    Manager.unmark,
    Manager.contradict,
    Manager.join,
    Manager.set_sysctl,
    Manager.remove,
)


def look(kernel: Memory, about: Fact) -> object:
    """What is there now, None where it is gone."""
    snapshot = Memory.snapshot(kernel)
    what, name = about[:2]
    device = snapshot.device(name)
    if device is None or device.name != name:
        return None
    if what == "sysctl":
        return getattr(device, about[2])
    if what == "address":
        found = [
            one for one in snapshot.on(device.index) if (one.local, one.prefixlen) == about[2:]
        ]
        return [(one.label, one.protocol, one.metric, one.valid) for one in found] or None
    names = (device.index, device.kind, device.group, device.altnames, device.ifalias)
    return names if what == "device" else names[:3]
