"""The addresses of a host by its name, without waiting for them: a resolver may take half a minute,
and other links are to be served meanwhile.
"""

from __future__ import annotations

import os
import socket
from _thread import start_new_thread
from errno import EINVAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Address = tuple[int, Any]
    """Family, and address as connect() takes it."""


class Lookup:
    """The addresses of *host* and *port* for sockets of the type *sort*; a host of None is any.

    Addresses as texts are there at once. Else result() may be called when fileno() is readable: a
    thread asks the resolver, and ends by itself if nobody waits any more.
    """

    def __init__(self, host: str | None, port: str, sort: int) -> None:
        self._host = host
        self._port = port
        self._sort = sort
        self._found: list[Address] | OSError | None = None
        self._event = -1
        self._ask(socket.AI_NUMERICHOST if host is not None else socket.AI_PASSIVE)
        if isinstance(self._found, OSError) and self._found.errno == socket.EAI_NONAME:
            self._found = None
            self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            start_new_thread(self._wait, (os.dup(self._event),))

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self._found is not None

    def fileno(self) -> int:
        """Readable when the result is there."""
        return self._event

    def result(self) -> list[Address]:
        """The addresses, the best first; of any host IPv6 first, whose socket serves IPv4 too.
        Raises OSError."""
        found = self._found
        assert found is not None
        if isinstance(found, OSError):
            raise found
        if self._host is None:
            found.sort(key=lambda one: one[0] != socket.AF_INET6)
        return found

    def close(self) -> None:
        """Wait no more."""
        if self._event >= 0:
            os.close(self._event)
            self._event = -1

    def _wait(self, event: int) -> None:
        self._ask(0)
        os.eventfd_write(event, 1)
        os.close(event)

    def _ask(self, flags: int) -> None:
        try:
            answer = socket.getaddrinfo(self._host, self._port, type=self._sort, flags=flags)
        except OSError as error:
            self._found = error
        except UnicodeError:
            self._found = OSError(EINVAL, "not the name of a host")
        else:
            self._found = [(family, address) for family, _, _, _, address in answer]
