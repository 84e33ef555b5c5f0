"""Messages to the service manager: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

Datagrams of lines ``NAME=VALUE`` to the socket in NOTIFY_SOCKET. Without the variable nothing is
sent; a message that cannot be delivered is no error. The manager keeps descriptors that it is sent
(FileDescriptorStoreMax= of systemd.service(5)), and gives them to the next process of the service.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SCM_RIGHTS, SOCK_CLOEXEC, SOCK_DGRAM, SOL_SOCKET, socket
from select import poll
from sys import byteorder
from time import CLOCK_MONOTONIC, clock_gettime_ns

from netalias.model.names import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping
    from typing import Any

# Environment variables.
SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
LISTEN, LISTEN_PID, LISTEN_NAMES = "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"

FIRST = 3
"""The first descriptor that is passed (SD_LISTEN_FDS_START)."""

SECONDS = 1.0
"""Time limit of a message to a manager that does not read, for the first one of several."""
MAIN = 20.0
"""The same for the one that must arrive: else the service seems to have ended."""
BARRIER = 5.0
"""Seconds that barrier() waits at most, as systemd-notify(1) does."""
STATUS_MAX = 1024
"""Bytes of a status. systemd drops a datagram of more than 4096 (NOTIFY_BUFFER_MAX)."""


class Service:
    """This process as a service. Its variables are taken out of *environ*, so no child has them.

    ``watchdog``: seconds between two calls of alive(), half the timeout of the manager; None
    without a timeout.
    """

    __slots__ = ("_address", "_deaf", "_socket", "watchdog")

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        found = os.environ if environ is None else environ
        words = {name: found.pop(name, "") for name in (SOCKET, WATCHDOG, WATCHDOG_PID)}
        self._socket = words[SOCKET]
        self._address = _address(words[SOCKET])
        self._deaf = False
        self.watchdog = _half(words[WATCHDOG], words[WATCHDOG_PID])

    @property
    def told(self) -> bool:
        """Whether there is a service manager to be told."""
        return bool(self._address)

    @property
    def variables(self) -> dict[str, str]:
        """The variables, for a process that takes over."""
        found = {SOCKET: self._socket}
        if self.watchdog is not None:
            found[WATCHDOG] = str(int(self.watchdog * 2e6))
        return found

    def packed(self) -> list[dict[str, bytes]]:
        """The same as links.spec.SERVICE has them."""
        found = self.variables.items()
        return [{"name": os.fsencode(name), "value": os.fsencode(value)} for name, value in found]

    def main(self, pid: int) -> None:
        """Report that another process is the service from now on; its messages count after this
        one."""
        self._send(f"MAINPID={pid}", seconds=MAIN)

    def barrier(self, seconds: float = BARRIER) -> bool:
        """Wait until the manager has taken in all messages before this one; whether it has.

        It gets a descriptor, and closes it then (sd_notify_barrier(3)). Without this a message is
        lost where the process that has sent it ends before the manager has found out whose it is.
        """
        end, begin = os.pipe2(os.O_CLOEXEC)
        try:
            sent = self._send("BARRIER=1", seconds=seconds, given=begin)
            os.close(begin)
            begin = -1
            waiting = poll()
            waiting.register(end, 0)  # POLLHUP
            return sent and bool(waiting.poll(seconds * 1000))
        finally:
            os.close(end)
            if begin >= 0:
                os.close(begin)

    def ready(self, status: str = "") -> None:
        """Report that start-up, or a reload, is finished."""
        self._send("READY=1", *_status(status), seconds=SECONDS)

    def status(self, text: str) -> None:
        """Report a status for people."""
        self._send(*_status(text))

    def reloading(self) -> None:
        """Report that a reload has begun; ready() ends it."""
        now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}", seconds=SECONDS)

    def store(self, name: str, descriptor: int) -> bool:
        """Have the manager keep a copy of a descriptor under *name*, beside others of that name;
        whether it was told.

        It does not look at it (FDPOLL=0): it would drop a socket at the first error of its queue.
        """
        return self._send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", given=descriptor)

    def forget(self, name: str) -> bool:
        """Have the manager close the descriptors that it keeps under *name*; whether it was
        told."""
        return self._send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def stopping(self) -> None:
        """Report that shutdown has begun."""
        self._send("STOPPING=1")

    def alive(self) -> None:
        """Reset the watchdog; due every ``watchdog`` seconds."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str, seconds: float = 0.0, given: int = -1) -> bool:
        """Send *lines* as one datagram, with the descriptor *given*, over a new socket: the manager
        may have been replaced. Whether that was possible.

        A manager that has let a message wait in vain gets others as soon as it reads again: no
        watcher stands still at each. *seconds* are waited for one that must arrive.
        """
        if not (self._address and lines):
            return False
        rights = [(SOL_SOCKET, SCM_RIGHTS, given.to_bytes(4, byteorder))] if given >= 0 else []
        content = "\n".join(lines).encode("utf-8", "surrogateescape")
        try:
            channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        except OSError:
            return False  # no descriptor is left: no reason for a service to fail
        try:
            channel.settimeout(seconds or (0.0 if self._deaf else SECONDS))
            channel.connect(self._address)
            channel.sendmsg([content], rights)
            self._deaf = False
        except OSError:
            self._deaf = True  # the manager has gone, or does not read
        finally:
            channel.close()
        return not self._deaf


def taken_over(own: Service, variables: Iterable[Any]) -> Service:
    """The service that this process is: *own*, if a manager has started it as one, else the one
    that another process was before, whose *variables* are as packed() gave them."""
    if own.told:
        return own
    return Service({os.fsdecode(one.name): os.fsdecode(one.value) for one in variables})


def stored(environ: MutableMapping[str, str] | None = None) -> dict[str, int]:
    """The descriptors that the manager has kept for this process, by their names; all close-on-exec
    and the caller's from now on. Of several with one name the last is given, the others are closed.
    The variables are taken out of *environ*."""
    found = os.environ if environ is None else environ
    words = {name: found.pop(name, "") for name in (LISTEN, LISTEN_PID, LISTEN_NAMES)}
    if words[LISTEN_PID] != str(os.getpid()):
        return {}
    passed: dict[str, int] = {}
    names = words[LISTEN_NAMES].split(":")
    for place in range(max(0, number(words[LISTEN], 6))):
        descriptor, name = FIRST + place, names[place] if place < len(names) else ""
        try:
            os.set_inheritable(descriptor, False)
        except OSError:
            continue  # the variables are not true
        before = passed.pop(name, -1)
        if before >= 0:
            os.close(before)
        passed[name] = descriptor
    return passed


def _address(text: str) -> bytes:
    """The address for a path, or for @ and an abstract name (unix(7)); empty for anything else."""
    if text[:1] not in ("/", "@") or len(text) < 2:
        return b""
    name = os.fsencode(text)
    return b"\0" + name[1:] if text[0] == "@" else name


def _half(microseconds: str, pid: str) -> float | None:
    """Half the timeout in seconds; None without one, or where it is meant for another process."""
    if pid and pid != str(os.getpid()):
        return None
    interval = number(microseconds, 20)
    return interval / 2e6 if interval > 0 else None


def _status(text: str) -> list[str]:
    """The status in one line of at most STATUS_MAX bytes, with an ellipsis where it is cut."""
    line = " ".join(text.split())
    content = line.encode("utf-8", "surrogateescape")
    if len(content) > STATUS_MAX:
        line = content[: STATUS_MAX - 3].decode("utf-8", "ignore") + "..."
    return [f"STATUS={line}"] if line else []
