"""Scripts run on events, with the arguments of ifwatchd(8) of NetBSD.

They run one at a time, and the reader of events never waits for them: further runs wait in a
queue, and the end of a script is an event of its descriptor (pidfd_open(2)). A script ends with the
monitor at the latest.
"""

from __future__ import annotations

import os
from select import POLLIN, poll
from signal import SIG_BLOCK, SIG_SETMASK, SIGKILL, SIGPIPE, SIGTERM, pthread_sigmask
from stat import S_ISREG
from time import monotonic, sleep

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
from netalias.monitor.ending import ENDING
from netalias.trust import absolute, careful, check_file, resolved

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

QUEUE = 1000
"""Occasions that wait at most."""
GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL."""
POLL = 0.02
"""Seconds between two looks whether a process group has members."""

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


def check(scripts: Mapping[str, str]) -> dict[str, str]:
    """The absolute path of each of *scripts*, a path by occasion, that is given. Raises StateError
    for one that cannot be started or trusted."""
    found = {}
    for occasion, script in scripts.items():
        if script:
            try:
                check_script(script)
            except errors.StateError as error:
                raise errors.StateError(f"--on-{occasion} {error}", error.hint) from None
            found[occasion] = absolute(script)
    return found


def check_script(script: str) -> None:
    """Check that a script can be started, and trusted like a file of declarations. Raises
    StateError."""
    try:
        way = resolved(script) if careful() else script
        status = os.stat(way)
    except OSError as error:
        raise errors.StateError(f"{script}: {os.strerror(error.errno or 0)}") from None
    if not (S_ISREG(status.st_mode) and os.access(way, os.X_OK)):
        raise errors.StateError(f"{script}: this is no executable file")
    if careful():
        check_file(script, status, way)


class Hooks:
    """A queue of runs, and the one script that is running.

    *scripts* has an absolute path by occasion. *spawn* starts a process as start() does, in the
    monitored namespace. *warn* is called with a sentence when that fails, and when runs are dropped
    because QUEUE of them wait.
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
        self._dropped = 0
        self._pid = 0
        self.pidfd = -1
        """Readable when the running script has ended; -1 while none runs."""

    def add(self, run: Run) -> None:
        """Queue *run*, if there is a script for its occasion."""
        occasion, *words = run
        script = self._scripts.get(occasion, "")
        if not script:
            return
        if len(self._queue) >= QUEUE:
            if not self._dropped:
                self._warn(f"{QUEUE} occasions wait for their scripts; further ones are dropped")
            self._dropped += 1
            return
        name, address, destination = words
        self._queue.append([script, name, TTY, SPEED, address, destination])
        self._next()

    def ended(self) -> None:
        """Reap the script that has ended, and start the next one."""
        pidfd, self.pidfd = self.pidfd, -1
        os.close(pidfd)
        os.waitpid(self._pid, 0)
        self._next()

    def close(self) -> None:
        """Drop what waits, and end the running script with all processes of its group: by SIGTERM,
        and after GRACE seconds by SIGKILL."""
        self._queue.clear()
        self._tell_dropped()
        if self.pidfd >= 0:
            terminate(self._pid, self.pidfd)
            os.close(self.pidfd)
            self.pidfd = -1

    def _next(self) -> None:
        while self.pidfd < 0 and self._queue:
            words = self._queue.pop(0)
            mask = pthread_sigmask(SIG_BLOCK, ENDING)  # what is started has to be known
            try:
                check_script(words[0])
                self._pid = self._spawn(words)
                self.pidfd = _opened(self._pid)
            except errors.StateError as error:
                self._warn(error.line())
            except OSError as error:
                self._warn(f"{words[0]}: {error.strerror}")
            finally:
                pthread_sigmask(SIG_SETMASK, mask)
        if not self._queue:
            self._tell_dropped()

    def _tell_dropped(self) -> None:
        if self._dropped:
            self._warn(f"occasions dropped, since the scripts took too long: {self._dropped}")
            self._dropped = 0


def _opened(pid: int) -> int:
    """The descriptor of a child. Raises OSError, and kills the child then."""
    try:
        return os.pidfd_open(pid)
    except OSError:
        _send(pid, SIGKILL)
        os.waitpid(pid, 0)
        raise


def terminate(pid: int, pidfd: int, grace: float = GRACE) -> None:
    """End the process group of a child, which is reaped.

    Its members get SIGTERM, and after *grace* seconds SIGKILL. The number of a group is not used
    again as long as it has members, so a signal meets nobody else.
    """
    end = monotonic() + grace
    _send(pid, SIGTERM)
    waiting = poll()
    waiting.register(pidfd, POLLIN)
    if not waiting.poll(grace * 1000):
        _send(pid, SIGKILL)
    os.waitpid(pid, 0)
    while _send(pid, 0):
        if monotonic() >= end:
            _send(pid, SIGKILL)
            return
        sleep(POLL)


def _send(group: int, number: int) -> bool:
    """Send a signal, 0 for none; whether the process group has any members."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def start(words: list[str]) -> int:
    """Start a script with the standard descriptors only, in a process group of its own; its pid.
    Raises OSError.

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
        setpgroup=0,
        setsigdef=[SIGPIPE],
        setsigmask=(),
    )
