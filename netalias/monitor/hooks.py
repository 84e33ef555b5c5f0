"""Scripts run on events, with the arguments of ifwatchd(8) of NetBSD.

They run one at a time, and the reader of events never waits for them: further runs wait in a
queue, and the end of a script is an event of its descriptor (pidfd_open(2)).
"""

from __future__ import annotations

import os
from errno import ENOENT
from signal import SIGPIPE

from netalias import errors
from netalias.model import (
    AF_INET6,
    IFF_LOWER_UP,
    IFF_POINTOPOINT,
    IFF_UP,
    RT_SCOPE_LINK,
    address_text,
)
from netalias.model.events import ADDRESS, ARRIVAL, CARRIER, DEPARTURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netalias.model import Address, Device
    from netalias.model.events import Event, Key

    Run = tuple[str, str, str, str]
    """Occasion, name of the device, address, destination."""

# Arguments of ifwatchd(8) in the place of a terminal and its speed, which scripts of pppd expect.
TTY = "/dev/null"
SPEED = "9600"

OCCASIONS = ("arrival", "departure", "up", "down", "carrier", "no-carrier")


class Occasions:
    """Events -> the runs that they cause. Pure.

    An address of a point-to-point device counts as up only once the device is connected.
    """

    def __init__(self) -> None:
        self._unconnected: dict[Key, Address] = {}

    def of(self, event: Event, *, initial: bool = False) -> Iterator[Run]:
        """The runs for *event*; *initial*: its object existed before the first event."""
        device = event.device
        if device is None:
            return
        if event.what == ARRIVAL:
            yield "arrival", device.name, "", ""
            if _connected(device):
                yield "carrier", device.name, "", ""
        elif event.what == DEPARTURE:
            yield "departure", device.name, "", ""
        elif event.what == CARRIER:
            yield "carrier" if event.new else "no-carrier", device.name, "", ""
            yield from self._late(event, device)
        elif event.what == ADDRESS and not event.field and (device.up or not initial):
            yield from self._address(event, device)

    def _address(self, event: Event, device: Device) -> Iterator[Run]:
        address = event.subject.address
        if address.family == AF_INET6 and address.scope == RT_SCOPE_LINK:
            return
        if event.new is None:
            self._unconnected.pop(event.key, None)
            yield _run("down", device, address)
        elif device.flags & IFF_POINTOPOINT and device.up and not device.flags & IFF_LOWER_UP:
            self._unconnected[event.key] = address
        else:
            yield _run("up", device, address)

    def _late(self, event: Event, device: Device) -> Iterator[Run]:
        for key in [key for key in self._unconnected if event.new and key[1] == device.index]:
            yield _run("up", device, self._unconnected.pop(key))


def _connected(device: Device) -> bool:
    return device.flags & (IFF_UP | IFF_LOWER_UP) == IFF_UP | IFF_LOWER_UP


def _run(occasion: str, device: Device, address: Address) -> Run:
    other = address.peer or address.broadcast
    return (
        occasion,
        device.name,
        address_text(address.family, address.local),
        address_text(address.family, other) if other else "",
    )


def check(scripts: Mapping[str, str]) -> None:
    """Check that each of *scripts*, a path by occasion, can be started. Raises StateError."""
    for occasion, script in scripts.items():
        if script and not (os.path.isfile(script) and os.access(script, os.X_OK)):
            there = os.path.exists(script)
            why = "this is no executable file" if there else os.strerror(ENOENT)
            raise errors.StateError(f"--on-{occasion} {script}: {why}")


class Hooks:
    """A queue of runs, and the one script that is running.

    *scripts* has a path by occasion. *spawn* starts a process in the monitored namespace and gives
    its pid; *warn* is called with a sentence when that fails.
    """

    def __init__(
        self,
        scripts: Mapping[str, str],
        warn: Callable[[str], None],
        spawn: Callable[[list[str]], int] | None = None,
    ) -> None:
        self._scripts = scripts
        self._warn = warn
        self._spawn = spawn or start
        self._queue: list[list[str]] = []
        self._pid = 0
        self.pidfd = -1
        """Readable when the running script has ended; -1 while none runs."""

    def add(self, run: Run) -> None:
        """Queue *run*, if there is a script for its occasion."""
        occasion, *words = run
        script = self._scripts.get(occasion, "")
        if script:
            name, address, destination = words
            self._queue.append([script, name, TTY, SPEED, address, destination])
            self._next()

    def ended(self) -> None:
        """Reap the script that has ended, and start the next one."""
        os.close(self.pidfd)
        os.waitpid(self._pid, 0)
        self.pidfd = -1
        self._next()

    def _next(self) -> None:
        while self.pidfd < 0 and self._queue:
            words = self._queue.pop(0)
            try:
                self._pid = self._spawn(words)
            except OSError as error:
                self._warn(f"{words[0]}: {error.strerror}")
                continue
            self.pidfd = os.pidfd_open(self._pid)


def start(words: list[str]) -> int:
    """Start a script with the standard descriptors only; its pid. Raises OSError.

    Input is /dev/null, output goes to standard error: standard output carries the events.
    """
    return os.posix_spawn(
        words[0],
        words,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, 2, 1),
        ],
        setsigdef=[SIGPIPE],
    )
