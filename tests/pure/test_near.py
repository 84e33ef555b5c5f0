"""The plan from what one alias depends on is that from everything: in thousands of worlds."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from support import ONE_IN
from test_plan import Stage

from netalias import errors
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, GROUP, Snapshot, names
from netalias.model.commands import command
from netalias.model.hidden import device_of, group_of
from netalias.model.names import AliasName
from netalias.model.steps import SetLink

MAINS = ("eth0", "eth0", "eth1")
ADDRESSES = (
    *(f"10.1.0.{last}" for last in range(1, 7)),
    *(f"10.1.0.{last}/32" for last in (2, 4)),
    "10.1.0.3/24",
    "10.1.0.255",
    "127.0.0.9",
    "2001:db8::1",
    "2001:db8::2/128",
    "2001:db8::3/64",
    "10.3.0.0/24",
    "10.4.0.0/16",
)
NETWORKS = ("10.3.0.0/24", "10.4.0.0/16", "2001:db8:3::/64")
OTHERS = ("10.1.0.2/24", "10.1.0.4/32", "2001:db8:4::4/128", "fd00::4/64")
WORDS = (
    "",
    "",
    "",
    "",
    "kind label",
    "kind macvlan",
    "kind ipvlan",
    "kind dummy",
    "kind shard",
    "kind shard",
    "kind prefix",
    "mtu 1400",
    "metric 7",
    "hw ether 02:00:00:00:00:07",
    "lease 60",
    "pointopoint 10.1.0.77",
    "acd fast",
    "gateway auto",
    "linklocal on",
)


class Nearby(Memory):
    """A kernel in memory that answers near() by its docstring, from everything it has.

    ``crowd``: what there is too much of.
    """

    crowd = "devices"

    def near(self, name: AliasName, group: int, local: bytes) -> tuple[Snapshot, bool] | None:
        """Among the devices with an address, the one that is found last is given."""
        world = self.snapshot()
        main = world.device(name.main)
        if main is None or main.name != name.main:
            return None
        if self.crowd == "addresses":
            return without_others(world, main.index, name, local), True
        wanted = (name.main, name, names.primary(name), device_of(name))
        named = (world.device(one) for one in wanted)
        chosen = {device.index: device for device in named if device is not None}
        beside = [
            device
            for device in world.devices.values()
            if (device.link, device.group, device.remote) == (main.index, group, False)
            and device.index not in chosen
        ]
        beside.sort(key=lambda device: any(e.family == AF_INET for e in world.on(device.index)))
        shards = [one for one in chosen.values() if one.group == group_of(group)]
        if not beside and not any(world.on(one.index) for one in shards):
            return None
        if beside:
            chosen[beside[-1].index] = beside[-1]
        for device in world.devices.values():
            owned = (entry for entry in world.on(device.index) if entry.local == local)
            if any(device.up or entry.family != AF_INET for entry in owned):
                holder = device
                chosen[holder.index] = holder
                break
        found = [one for index in chosen for one in world.on(index)]
        return Snapshot(chosen.values(), found, world.local_routes), False


def without_others(world: Snapshot, index: int, name: AliasName, local: bytes) -> Snapshot:
    """The snapshot without the hosts on the main device that are labels of other aliases."""
    found = [
        entry
        for entries in world.addresses.values()
        for entry in entries
        if entry.index != index
        or entry.local == local
        or entry.prefixlen < len(entry.local) * 8
        or entry.peer
        or not (":" in entry.label or entry.noted or entry.metric >> 16 == GROUP)
        or entry.label.endswith(f":{name.slot}")
        or entry.metric & 0xFFFF == name.slot
    ]
    return Snapshot(world.devices.values(), found, world.local_routes)


class Crowd(Stage):
    """A stage on which near() is answered."""

    kernel: Nearby

    def __init__(self, kinds: tuple[str, ...] = ("macvlan", "dummy", "ipvlan")) -> None:
        super().__init__(Nearby(kinds=kinds))
        self.kernel.add_device("eth3", up=True)
        self.kernel.add_address("eth0", "10.1.0.1/24")
        self.kernel.add_address("eth1", "10.5.0.1/32")

    def both(self, text: str) -> tuple[bool, list[object], list[object]]:
        """Whether the plan for *text* came from near by, that plan, and the one from everything."""
        try:
            wish = self.wish(text)
        except errors.UsageError:  # an IPv4 peer of an IPv6 address
            return False, [], []
        found: list[list[object]] = []
        partial = False
        for near in (True, False):
            try:
                observed, result = self.engine._read_and_plan(
                    wish, False, self.kernel.able, near=near
                )
            except errors.NetaliasError as error:
                found.append([error.line()])
                continue
            partial |= observed.partial
            steps = [command(step) for step in result.all_steps]
            notes = [self.without_holder(note, wish.address) for note in result.notes]
            found.append([result.kind, steps, [note for note in notes if note]])
        return partial, found[0], found[1]

    def without_holder(self, note: str, local: bytes) -> str:
        """A note without the name of the device that has the address too, since it may be any; no
        note at all where one of these is down, since that is not always seen."""
        world = self.kernel.snapshot()
        holders = (
            world.devices[index].up
            for index, entries in world.addresses.items()
            for entry in entries
            if entry.local == local
        )
        if note.endswith(" too") and not all(holders):
            return ""
        return re.sub(r" of \S+ too$", " of X too", note)


def declared(random: Random) -> str:
    """Address and words of an alias."""
    if random.random() < 0.1:
        return f"{random.choice(NETWORKS)} kind prefix"
    return f"{random.choice(ADDRESSES)} {random.choice(WORDS)}"


def happening(random: Random, stage: Crowd) -> None:
    """Something that somebody does: a command of ours, or what others do."""
    kernel, main = stage.kernel, random.choice(MAINS)
    name = AliasName(main, random.randrange(4))
    dice = random.random()
    device = kernel.snapshot().device(name)
    try:
        if dice < 0.7:
            stage(f"{name} {declared(random)}", force=random.random() < 0.1)
        elif dice < 0.76:
            stage(f"{name} down")
        elif dice < 0.8:
            stage(f"{name}-")
        elif dice < 0.84:
            label = random.choice(["", str(name)])
            kernel.add_address(main, random.choice(OTHERS), label=label)
        elif dice < 0.88:
            kernel.add_device(
                names.primary(name), "macvlan", link=main, group=random.choice([0, GROUP])
            )
        elif device is None or device.group != GROUP:
            kernel.add_address("eth2", "10.1.0.5/32")
        elif dice < 0.92:
            kernel.set_device(device.name, name=f"moved{name.slot}")
        elif dice < 0.96:
            kernel.set_device(device.name, group=GROUP | 0x10000)
        else:
            kernel.send([SetLink(device.name, device.index, ifalias="of somebody")])
    except errors.NetaliasError:
        pass


def wishes(random: Random) -> str:
    """A command about an alias that may be there or not."""
    name = f"{random.choice(MAINS)}:{random.randrange(5)}"
    ways = [f"{name} {declared(random)}", f"{name}-"]
    return random.choice(
        [*ways, ways[0], ways[0], f"{name} down", f"{name} up", f"{name} mtu 1300"]
    )


tally: Counter[bool] = Counter()


@given(st.randoms(use_true_random=True), st.sampled_from([("macvlan",), ("macvlan", "ipvlan")]))
@settings(max_examples=50)
def test_the_same_plan(random: Random, kinds: tuple[str, ...]) -> None:
    """Steps, notes and refusals do not depend on how much was read."""
    stage = Crowd((*kinds, "dummy"))
    for _ in range(random.randrange(8, 30)):
        happening(random, stage)
    for turn in range(40):
        stage.kernel.crowd = ("devices", "addresses")[turn % 2]
        text = wishes(random)
        partial, near, whole = stage.both(text)
        tally[partial] += 1
        assert near == whole, text


def test_some_were_planned_from_near_by() -> None:
    """Else the test before has shown nothing."""
    if settings().derandomize:
        least = 100 // ONE_IN
        assert min(tally[True], tally[False]) > least, tally


def test_the_kinds_below_are_those_of_kinds() -> None:
    """The kernel's side stands below kinds, which alone says what a main device has only one of."""
    from netalias.kernel.netlink import near as read
    from netalias.kinds import SIBLINGS

    assert tuple(SIBLINGS) == read.KINDS
