"""The restoration of one alias, as a process that only listens to the kernel observes it."""

from __future__ import annotations

import select
import subprocess
import time

from processes import ENVIRONMENT, Failed
from stage import IP

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import AF_INET, Address
from netalias.model.events import ADDRESS, DEPARTURE, LINK, Event
from netalias.model.steps import AddAddress, DelAddress

MACVLAN, LABEL = "macvlan", "label"
COUNT = 1000
PATIENCE = 20.0
"""Seconds to wait for an alias."""


def address(number: int) -> str:
    """The address with this number; the first is 10.0.0.1."""
    return f"10.0.{(number + 1) >> 8}.{(number + 1) & 255}"


def declared(kind: str, count: int) -> str:
    """Declarations of *count* aliases."""
    return f"eth9:0-{count - 1} {address(0)}/32+ kind {kind} announce off\n"


def undone(kind: str, number: int) -> list[str]:
    """The words of ip(8) that delete an alias."""
    if kind == MACVLAN:
        return ["link", "del", f"eth9_{number}"]
    return ["addr", "del", f"{address(number)}/32", "dev", "eth9"]


def come_and_gone(index: int, number: int, count: int) -> bytes:
    """Messages that add *count* addresses to a device and delete them again, one by one."""
    found = []
    for one in range(count):
        entry = Address(index, AF_INET, bytes((10, 200, number & 255, one)), 32)
        found += [
            codec.add_address(0, index, AddAddress("", index, entry)),
            codec.del_address(0, index, DelAddress("", index, entry)),
        ]
    return b"".join(found)


class Witness:
    """A listener to all events in the namespace, with their times."""

    def __init__(self) -> None:
        self._stream = Monitor(media=False)
        for _ in self._stream.start():
            pass

    def close(self) -> None:
        """Stop listening."""
        self._stream.close()

    def drain(self) -> None:
        """Discard events up to now."""
        for _ in self._stream.read():
            pass

    def next(self, end: float) -> tuple[float, list[Event]]:
        """The next event, and its time. Raises Failed at *end*."""
        if not select.select(self._stream.filenos(), [], [], max(0.0, end - time.monotonic()))[0]:
            raise Failed(f"not back after {PATIENCE:.0f} s")
        return time.perf_counter(), list(self._stream.read())

    def stands(self, name: str, local: bytes) -> bool:
        """Whether the alias of this primary name is up, with its altname and its address."""
        for device in self._stream.state.devices():
            if device.name == name:
                found = self._stream.state.of(device.index, ADDRESS)
                has = any(entry.address.local == local for _, entry in found)
                return device.up and bool(device.altnames) and has
        return False


class Healing:
    """Milliseconds of each round, and the other devices and addresses with events."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.others: set[str] = set()


def healed(witness: Witness, kind: str, number: int) -> Healing:
    """The figures of deleting one alias and waiting until it is back. Raises Failed."""
    witness.drain()
    # Do not wait for the command, since events arrive at once.
    undoing = subprocess.Popen([IP, *undone(kind, number)], env=ENVIRONMENT)
    try:
        return _healed(witness, kind, number)
    finally:
        undoing.wait()


def _healed(witness: Witness, kind: str, number: int) -> Healing:
    found, begin = Healing(), 0.0
    local, name = bytes(map(int, address(number).split("."))), f"eth9_{number}"
    end = time.monotonic() + PATIENCE
    while not found.times:
        now, events = witness.next(end)
        for event in events:
            mine = _concerns(event, kind, name, local)
            if not mine and not (
                event.key[0] == LINK and event.device and event.device.name == "eth9"
            ):
                found.others.add(str(event.key))
            if mine and gone(event) and not begin:
                begin = now
            if mine and begin and kind == LABEL and event.what == ADDRESS and event.new is not None:
                found.times.append((now - begin) * 1000)
        if kind == MACVLAN and begin and witness.stands(name, local):
            found.times.append((now - begin) * 1000)
    return found


def _concerns(event: Event, kind: str, name: str, local: bytes) -> bool:
    if event.what == ADDRESS:
        subject: Address = event.subject.address
        return subject.local == local or (kind == MACVLAN and _called(event) == name)
    return kind == MACVLAN and _called(event) == name


def _called(event: Event) -> str:
    return event.device.name if event.device is not None else ""


def gone(event: Event) -> bool:
    return event.what == DEPARTURE or (event.what == ADDRESS and event.new is None)


def rounds(kind: str, count: int) -> Healing:
    """The figures of many aliases in turn, each deleted rarely enough not to be taken for a dispute
    with another program. Raises Failed."""
    found, witness = Healing(), Witness()
    try:
        for number in range(count):
            idle_a_while()
            one = healed(witness, kind, number * 17 % COUNT)
            found.times += one.times
            found.others |= one.others
    finally:
        witness.close()
    return found


def idle_a_while() -> None:
    """Wait for the kernel's cleanup and the writing of texts, which are not measured."""
    time.sleep(0.25)


def settled(witness: Witness, found: Healing, number: int) -> None:
    """Add other addresses with events to *found* until there were none for two seconds."""
    local = bytes(map(int, address(number).split(".")))
    while True:
        try:
            _, events = witness.next(time.monotonic() + 2)
        except Failed:
            return
        for event in events:
            if event.what == ADDRESS and event.subject.address.local != local:
                found.others.add(str(event.key))


def calm() -> None:
    """Wait until there were no events for two seconds, since the kernel reports carriers late."""
    witness = Witness()
    try:
        while True:
            witness.next(time.monotonic() + 2)
    except Failed:
        pass
    finally:
        witness.close()
