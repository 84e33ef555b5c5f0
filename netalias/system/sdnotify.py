"""What a service tells its manager: the protocol of sd_notify(3) and sd_watchdog_enabled(3).

Datagrams of lines ``NAME=VALUE`` to the socket in NOTIFY_SOCKET. Without it nothing is said, and
what is not heard is no error: a service does its work for nobody's applause.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, socket
from time import CLOCK_MONOTONIC, clock_gettime_ns

from netalias.model.names import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping

SOCKET, WATCHDOG, WATCHDOG_PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
SECONDS = 1.0
"""How long a manager is waited for that does not read."""
STATUS_MAX = 1024
"""Bytes of a status; a datagram over 4096 is dropped (NOTIFY_BUFFER_MAX of systemd)."""


class Service:
    """This process to its manager; takes the variables out of *environ*, so no child has them.

    ``watchdog``: seconds between two signs of life, half of what the manager waits; None where it
    waits for none.
    """

    __slots__ = ("_address", "watchdog")

    def __init__(self, environ: MutableMapping[str, str] | None = None) -> None:
        found = os.environ if environ is None else environ
        words = {name: found.pop(name, "") for name in (SOCKET, WATCHDOG, WATCHDOG_PID)}
        self._address = _address(words[SOCKET])
        self.watchdog = _half(words[WATCHDOG], words[WATCHDOG_PID])

    def ready(self, status: str = "") -> None:
        """The service is up, or has read its configuration again."""
        self._tell("READY=1", *_status(status))

    def status(self, text: str) -> None:
        """What it does, for people."""
        self._tell(*_status(text))

    def reloading(self) -> None:
        """The configuration is being read again; ready() is the end of it."""
        now = clock_gettime_ns(CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self) -> None:
        """The end has begun."""
        self._tell("STOPPING=1")

    def alive(self) -> None:
        """The sign of life; due every ``watchdog`` seconds."""
        self._tell("WATCHDOG=1")

    def _tell(self, *lines: str) -> None:
        """A socket each time: the manager may be another one by then."""
        if not (self._address and lines):
            return
        content = "\n".join(lines).encode("utf-8", "surrogateescape")
        try:
            channel = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
        except OSError:
            return  # no descriptor is left: that ends no service
        try:
            channel.settimeout(SECONDS)
            channel.connect(self._address)
            channel.send(content)
        except OSError:
            pass  # a manager that has gone wants to know nothing
        finally:
            channel.close()


def _address(text: str) -> bytes:
    """A path, or with @ a name that is in no file system (unix(7)); empty for anything else."""
    if text[:1] not in ("/", "@") or len(text) < 2:
        return b""
    name = os.fsencode(text)
    return b"\0" + name[1:] if text[0] == "@" else name


def _half(microseconds: str, pid: str) -> float | None:
    if pid and pid != str(os.getpid()):
        return None
    interval = number(microseconds, 20)
    return interval / 2e6 if interval > 0 else None


def _status(text: str) -> list[str]:
    """One line that fits; what is left out is marked."""
    line = " ".join(text.split())
    content = line.encode("utf-8", "surrogateescape")
    if len(content) > STATUS_MAX:
        line = content[: STATUS_MAX - 3].decode("utf-8", "ignore") + "..."
    return [f"STATUS={line}"] if line else []
