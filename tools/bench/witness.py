"""One alias goes and comes back: what a process that only listens hears of it."""

from __future__ import annotations

import select
import subprocess
import time

from processes import ENVIRONMENT, Failed
from stage import IP

from netalias.kernel.netlink.monitor import Monitor
from netalias.model import Address
from netalias.model.events import ADDRESS, DEPARTURE, LINK, Event

MACVLAN, LABEL = "macvlan", "label"
COUNT = 1000
PATIENCE = 20.0
"""Seconds that an alias is waited for."""


def address(number: int) -> str:
    """10.0.0.1 is the first."""
    return f"10.0.{(number + 1) >> 8}.{(number + 1) & 255}"


def declared(kind: str, count: int) -> str:
    """A file of so many."""
    return f"eth9:0-{count - 1} {address(0)}/32+ kind {kind} announce off\n"


def undone(kind: str, number: int) -> list[str]:
    """What ip(8) is told to take an alias away, as anybody would."""
    if kind == MACVLAN:
        return ["link", "del", f"eth9_{number}"]
    return ["addr", "del", f"{address(number)}/32", "dev", "eth9"]


class Witness:
    """Hears everything that happens in the namespace, and notes when."""

    def __init__(self) -> None:
        self._stream = Monitor(media=False)
        for _ in self._stream.start():
            pass

    def close(self) -> None:
        """Hear no more."""
        self._stream.close()

    def drain(self) -> None:
        """Forget what has happened up to now."""
        for _ in self._stream.read():
            pass

    def next(self, end: float) -> tuple[float, list[Event]]:
        """What happens next, and when it was heard. Raises Failed at *end*."""
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
    """Milliseconds of each round, and the others that something was heard of."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.others: set[str] = set()


def healed(witness: Witness, kind: str, number: int) -> Healing:
    """One alias goes and comes back. Raises Failed."""
    witness.drain()
    # Not waited for: what is heard is heard at once.
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
    """So many aliases in turn, none so often that it looks like a quarrel. Raises Failed."""
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
    """The kernel's own clearing away, and the writing of texts, are not what is measured."""
    time.sleep(0.25)


def settled(witness: Witness, found: Healing, number: int) -> None:
    """What else happens until nothing has happened for two seconds."""
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
    """Wait until nothing has happened for two seconds: the kernel follows carriers later."""
    witness = Witness()
    try:
        while True:
            witness.next(time.monotonic() + 2)
    except Failed:
        pass
    finally:
        witness.close()
