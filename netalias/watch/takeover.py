"""The rendezvous of a running watcher: a new one asks there to take over.

What is done then is in handing.py, which is loaded when somebody asks.
"""

from __future__ import annotations

import os
import stat
from select import POLLIN
from time import monotonic, time

from netalias import errors
from netalias.runtime import opened_folder, remove_file
from netalias.system import descriptors
from netalias.system.sdnotify import Service, stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.system.journal import Journal
    from netalias.system.signals import Signals
    from netalias.watch.announcer import Announcer
    from netalias.watch.texts import TextService

SOCKET = "takeover"
"""The name of the rendezvous in the runtime directory."""
DRAIN = 1.0
"""Seconds in which those who have asked for texts get them before the hand-over."""
LINGER = 5.0
"""Seconds in which a watcher that was taken over announces the rest of what it has begun."""
POLL = 0.01
"""Seconds between two looks whether they have."""
PAUSE = 1.0
"""Seconds without a look at the rendezvous after a message that could not be read."""


class Beginning:
    """The things that a watcher begins with: those that the service manager has kept.

    ``since`` is when it began, in seconds of the epoch, ``healed`` the number of repairs so far;
    ``leases`` and ``announced`` are the times of the last of each, by CLOCK_MONOTONIC; ``tunnels``
    are those that were carried before (spec.WATCHER).
    ``accepted``: no other watcher has these things still.
    """

    accepted = True
    healed = 0
    tunnels: Sequence[Any] = ()

    def __init__(self) -> None:
        self.since = time()
        self.leases = self.announced = monotonic()
        self.service = Service()
        self._kept = stored()
        if self._kept:
            from netalias.watch.stored import states

            self.tunnels = states(self._kept)

    def __enter__(self) -> Beginning:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take(self, role: str) -> int:
        """The descriptor with a role, which is the caller's from now on; -1 for none. Of what the
        service manager has kept only parts of tunnels count (passing.py): it also hands over
        sockets, under any names."""
        return self._kept.pop(role, -1) if " " in role else -1

    def accept(self) -> None:
        """Go on in the place of the other watcher. Raises StateError if that goes on itself."""
        for name in self._kept:
            self.service.forget(name)
        self.close()

    def close(self) -> None:
        """Close the descriptors that nobody has taken."""
        descriptors.close([*self._kept.values()])
        self._kept = {}


class Remaining:
    """A part of the loop of a watcher that was taken over: the announcements that it has begun, for
    LINGER seconds at most, or until a signal; then it calls *end*."""

    def __init__(self, announcer: Announcer, signals: Signals, end: Callable[[], object]) -> None:
        self._announcer = announcer
        self._signals = signals
        self._finish = end
        self._end = monotonic() + LINGER

    def wanted(self, now: float) -> dict[int, int]:
        """The descriptor of signals."""
        return {self._signals.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """A signal: that is enough."""
        self._end = now

    def due(self, now: float) -> float:
        """Seconds until tick()."""
        due = self._announcer.due(now)
        return 0.0 if due is None else max(0.0, min(due, self._end - now))

    def tick(self, now: float) -> None:
        """Announce, or end."""
        if now >= self._end or self._announcer.due(now) is None:
            self._finish()
        else:
            self._announcer.tick(now)


class Takeover:
    """A part of the loop: the rendezvous in the runtime directory *folder*, whose lock is held.

    When somebody asks, the texts accept no further clients; *give* is called once those of before
    have their answers, with the socket through which to give. *release* is that of this program.
    restore() makes the rendezvous; without it the watcher cannot be taken over, which is logged.
    """

    def __init__(
        self,
        folder: str,
        release: str,
        journal: Journal,
        texts: TextService,
        give: Callable[[socket], object],
    ) -> None:
        self._folder = folder
        self._release = release
        self._journal = journal
        self._texts = texts
        self._give = give
        self._channel: socket | None = None
        self._reply: socket | None = None
        self._end = self._pause = 0.0

    def restore(self) -> None:
        """Make the rendezvous, again where the directory was removed."""
        if self._channel is not None:
            self._channel.close()
        try:
            self._channel = _bound(self._folder)
        except OSError as error:
            self._channel = None
            self._journal.warning(f"{self._folder}/{SOCKET}: {error.strerror}: no --takeover")

    def close(self, *, leave: bool = False) -> None:
        """Remove the rendezvous; *leave* that of another watcher in its place."""
        if self._reply is not None:
            self._reply.close()
        if self._channel is None:
            return
        if not leave:
            try:
                remove_file(f"{self._folder}/{SOCKET}")
            except OSError:
                pass  # somebody has removed it
        self._channel.close()

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """The rendezvous, while nobody is being served."""
        if self._channel is None or self._reply is not None or now < self._pause:
            return {}
        return {self._channel.fileno(): POLLIN}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Somebody asks."""
        from netalias.links import handover

        assert self._channel is not None
        try:
            message = descriptors.receive(self._channel)
        except BlockingIOError:
            return
        except (OSError, errors.StateError):
            self._pause = now + PAUSE  # no descriptor is left, for one
            return
        self._reply = handover.asked(message, handover.version(self._release))
        if self._reply is not None:
            self._texts.pause()
            self._end = now + DRAIN

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None while nobody asks."""
        if self._reply is None:
            return max(0.0, self._pause - now) if now < self._pause else None
        return 0.0 if self._texts.idle or now >= self._end else POLL

    def tick(self, now: float) -> None:
        """Hand over."""
        reply, self._reply = self._reply, None
        if reply is not None:
            try:
                self._give(reply)
            finally:
                reply.close()
                self._texts.pause(False)


def _bound(folder: str) -> socket:
    """The rendezvous; what a watcher that was killed has left is replaced. Raises OSError."""
    home = opened_folder(folder)
    try:
        try:
            if stat.S_ISSOCK(os.stat(SOCKET, dir_fd=home, follow_symlinks=False).st_mode):
                os.unlink(SOCKET, dir_fd=home)
        except FileNotFoundError:
            pass
        # A path in struct sockaddr_un has 107 bytes at most: this one is always short.
        return descriptors.rendezvous(f"/proc/self/fd/{home}/{SOCKET}")
    finally:
        os.close(home)


def connected(folder: str) -> socket | None:
    """A socket that asks the watcher of a runtime directory; None if there is none to ask."""
    try:
        home = opened_folder(folder)
    except OSError:
        return None
    try:
        return descriptors.connected(f"/proc/self/fd/{home}/{SOCKET}")
    except OSError:
        return None
    finally:
        os.close(home)
