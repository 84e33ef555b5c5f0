"""A kernel that is played, behind a socket: what goes wrong there goes wrong on purpose.

The player stands in for the socket. It queues answers when a request is sent, as the kernel does,
and takes reading from an empty queue for what it would be: waiting for ever.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from errno import EADDRINUSE, EAGAIN, ENOBUFS, ENODEV, ENOPROTOOPT, EPERM
from socket import MSG_DONTWAIT, MSG_TRUNC
from typing import Any

from wire_cases import address_message, done_message, error_message, link_message

from netalias.kernel.netlink import numbers, spec
from netalias.model import AF_INET, Address, Device

LO = Device(1, "lo", 0x49, 772, mtu=65536)
ETH0 = Device(2, "eth0", 0x1043, 1, mac=b"\x02\0\0\0\0\1")
HOME = Address(1, AF_INET, b"\x7f\0\0\1", 8, 0x80, 254)


class Hang(AssertionError):
    """The real socket would wait for ever."""


class Player:
    """A socket, and the kernel behind it.

    ``answer`` is called with each request as spec parses it and gives the datagrams that come of
    it. ``room`` is how many fit: as in net/netlink/af_netlink.c the first that does not fit sets
    ENOBUFS, which the next reading reports, and until the queue was read empty all others are
    dropped without a word (netlink_overrun, netlink_rcv_wake). ``taken`` are port ids that others
    have; ``port`` is the one that was asked for, 0 for any.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.sends: list[list[Any]] = []
        self.queue: deque[tuple[bytes, int]] = deque()
        self.room = 1 << 20
        self.congested = False
        self.overrun = False
        self.refused: set[int] = set()
        self.closed = False
        self.sizes: list[int] = []
        self.timeout: float | None = None
        self.answer: Callable[[Any], Iterator[bytes]] = acknowledge
        self.port = -1
        self.taken: set[int] = set()

    # What a socket has

    def bind(self, address: tuple[int, int]) -> None:
        if address[0] in self.taken:
            raise OSError(EADDRINUSE, "Address already in use")
        self.port = address[0]

    def getsockname(self) -> tuple[int, int]:
        return self.port or 1, 0

    def getsockopt(self, level: int, option: int, size: int) -> bytes:
        """No option can be read: the kernel is an old one."""
        raise OSError(ENOPROTOOPT, "Protocol not available")

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if option in self.refused:
            raise OSError(EPERM, "not this option")

    def settimeout(self, timeout: float | None) -> None:
        self.timeout = timeout

    def setblocking(self, blocking: bool) -> None:
        self.timeout = None if blocking else 0.0

    def close(self) -> None:
        self.closed = True

    def send(self, data: bytes) -> int:
        messages = spec.parse(data)
        self.sends.append(messages)
        for request in messages:
            self.requests.append(request)
            for datagram in self.answer(request):
                self.deliver(datagram)
        return len(data)

    def recvfrom_into(
        self, buffer: bytearray, size: int = 0, flags: int = 0
    ) -> tuple[int, tuple[int, int]]:
        if self.overrun:
            self.overrun = False
            self._wake()
            raise OSError(ENOBUFS, "No buffer space available")
        if not self.queue:
            if flags & MSG_DONTWAIT or self.timeout is not None:
                raise BlockingIOError(EAGAIN, "nothing there")
            raise Hang
        data, source = self.queue.popleft()
        self._wake()
        room = size or len(buffer)
        self.sizes.append(room)
        buffer[: min(len(data), room)] = data[:room]
        return (len(data) if flags & MSG_TRUNC else min(len(data), room)), (source, 0)

    # What a kernel does

    def deliver(self, data: bytes, source: int = 0) -> None:
        """Queue one datagram, or drop it."""
        if self.congested or len(self.queue) >= self.room:
            self.overrun = self.overrun or not self.congested
            self.congested = True
        else:
            self.queue.append((data, source))

    def _wake(self) -> None:
        if not self.queue:
            self.congested = False

    def count(self, type: str) -> int:
        """How many requests of a type there were."""
        return sum(request.type == type for request in self.requests)


def is_dump(request: Any) -> bool:
    return bool(request.flags & numbers.NLM_F["RTM_GETLINK"]["NLM_F_ROOT"])


def wants_ack(request: Any) -> bool:
    return bool(request.flags & numbers.NLM_F["RTM_NEWLINK"]["NLM_F_ACK"])


def acknowledge(request: Any) -> Iterator[bytes]:
    """Everything succeeds, and there is one device with one address."""
    if request.type == "RTM_GETLINK" and is_dump(request):
        yield spec.build(link_message(LO, request.sequence))
        yield spec.build(done_message(0, request.sequence))
    elif request.type == "RTM_GETADDR":
        yield spec.build(address_message(HOME, request.sequence))
        yield spec.build(done_message(0, request.sequence))
    elif request.type == "RTM_GETROUTE" and is_dump(request):
        yield spec.build(done_message(0, request.sequence))
    elif request.type == "RTM_GETLINK":
        name = spec.find(request.body, "IFLA_IFNAME")
        yield spec.build(link_message(Device(41, name, 0), request.sequence))
    elif is_probe(request):
        yield spec.build(error_message(ENODEV, request.sequence))
    elif wants_ack(request):
        yield spec.build(error_message(0, request.sequence))


def is_probe(request: Any) -> bool:
    """RTM_DELADDR on a device that cannot be (codec.PERMISSION)."""
    return request.type == "RTM_DELADDR" and request.body.ifa_index == 0x7FFFFFFF


def failing(code: int, text: str = "") -> Callable[[Any], Iterator[bytes]]:
    """A kernel that refuses every change."""

    def answer(request: Any) -> Iterator[bytes]:
        if is_probe(request) or request.type.startswith("RTM_GET"):
            yield from acknowledge(request)
        else:
            yield spec.build(error_message(code, request.sequence, text))

    return answer
