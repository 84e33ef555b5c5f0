"""Addresses of host names. getaddrinfo(3) may wait for seconds, so a thread of its own calls it."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, SOCK_STREAM, getaddrinfo, inet_pton
from os import O_CLOEXEC, O_NONBLOCK, close, pipe2, read, write
from select import POLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FRESH = 30.0
"""Seconds for which addresses are used before the name is looked up again."""


class Names:
    """The addresses of names, as texts. *look* gives those of one, and may raise OSError."""

    def __init__(self, look: Callable[[str], list[str]] | None = None) -> None:
        self._look = look or _look
        self._found: dict[str, list[str]] = {}
        self._until: dict[str, float] = {}
        self._asked: set[str] = set()
        self._pipe: tuple[int, int] | None = None
        self._ready: list[tuple[str, list[str]]] = []

    def addresses(self, host: str, now: float) -> list[str] | None:
        """The addresses of a host, the last known ones for a name that is being looked up; None
        while there are none yet, and an empty list for a name without any."""
        if _numeric(host):
            return [host]
        if now >= self._until.get(host, 0.0) and host not in self._asked:
            self._until[host] = now + FRESH
            self._ask(host)
        return self._found.get(host)

    def wanted(self) -> dict[int, int]:
        """The descriptor of answers."""
        return {self._pipe[0]: POLLIN} if self._pipe and self._asked else {}

    def ready(self, fileno: int) -> bool:
        """Take answers; whether that was their descriptor."""
        if self._pipe is None or fileno != self._pipe[0]:
            return False
        try:
            read(fileno, 1 << 12)
        except BlockingIOError:
            pass
        while self._ready:
            host, found = self._ready.pop(0)
            self._asked.discard(host)
            if found or host not in self._found:
                self._found[host] = found
            if not found:
                self._until[host] = 0.0  # the next one who needs it asks again
        return True

    def close(self) -> None:
        """Take no further answers. The pipe of a thread that still looks stays open for it."""
        if self._pipe is not None:
            close(self._pipe[0])
            if not self._asked:
                close(self._pipe[1])
            self._pipe = None

    def _ask(self, host: str) -> None:
        from _thread import start_new_thread

        if self._pipe is None:
            self._pipe = pipe2(O_CLOEXEC | O_NONBLOCK)
        self._asked.add(host)
        start_new_thread(self._work, (host, self._pipe[1]))

    def _work(self, host: str, fileno: int) -> None:
        """In the thread: the answer, and a byte that wakes the loop."""
        try:
            found = self._look(host)
        except OSError:
            found = []
        self._ready.append((host, found))
        try:
            write(fileno, b"\0")
        except OSError:
            pass  # closed meanwhile, or full of bytes that will wake it as well


def _look(host: str) -> list[str]:
    found = getaddrinfo(host, None, 0, SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def _numeric(host: str) -> bool:
    try:
        inet_pton(AF_INET6 if ":" in host else AF_INET, host)
    except (OSError, ValueError):
        return False
    return True
