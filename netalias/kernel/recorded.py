"""A reading of the kernel that can be recognised again: nothing is compared where nothing changed.

A dump is bytes; of a kernel that did not change they are the same bytes, if the requests are the
same too. So the socket has a fixed port id and the dumps have fixed sequence numbers, and what
changes by itself is left out: the counters of the devices and IFLA_AF_SPEC, in which the kernel
draws the ND reachable time anew every few minutes (neigh_rand_reach_time).

Rules:
- the digest is made of the very bytes that are parsed, so it stands for what was compared; what is
  sent afterwards makes it empty;
- whatever is unusual (the port id is taken, a dump was repeated) makes the digest empty, and an
  empty digest is equal to nothing.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT
from errno import EADDRINUSE

from netalias.kernel import wire
from netalias.kernel.netlink import Netlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias import errors
    from netalias.model import Snapshot
    from netalias.steps import Step

PORT = 0x6E6100
"""Port id of the socket: above every process id (PID_MAX_LIMIT), below what the kernel draws."""
LEFT_OUT = frozenset({wire.IFLA_STATS, wire.IFLA_STATS64, wire.IFLA_AF_SPEC})


class Recorded(Netlink):
    """A Netlink that keeps the bytes of its last reading."""

    def __init__(self) -> None:
        self._fixed = True
        self._heard: list[bytes] = []
        self._ahead: list[bytes] = []
        self._recording = False
        super().__init__()

    def _bind(self) -> None:
        try:
            self._socket.bind((PORT, 0))
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
            self._fixed = False
            super()._bind()

    def listen(self) -> None:
        """Read and do not look: what was read is given to digest(), and to the next snapshot()."""
        self._heard, self._ahead = [], []
        if not self._fixed:
            return
        for request in (wire.get_links(1), wire.get_addresses(2, 0)):
            super()._send("reading", request)
            while data := super()._receive("reading", MSG_DONTWAIT):
                self._heard.append(data)
            if data is None or not _whole(self._heard):
                self._drain("reading")
                self._heard = []
                return
        # What was read first is taken first, off the end.
        self._ahead = self._heard[::-1]

    def snapshot(self, family: int = 0) -> Snapshot:
        """Two dumps, or what listen() has read."""
        ahead, before, usual = bool(self._ahead), self._sequence, False
        self._sequence, self._recording = 0, True
        if not ahead:
            self._heard = []
        try:
            found = super().snapshot(family)
            usual = self._sequence == 2 and not family
        finally:
            self._ahead, self._recording = [], False
            self._sequence = max(before, self._sequence)
            if not usual:
                self._heard = []
        return found if usual or not ahead else self.snapshot(family)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """What was read is no longer what is there."""
        self._heard, self._ahead = [], []
        return super().send(steps)

    def digest(self, salt: bytes) -> bytes:
        """32 bytes for *salt* and the last reading; empty when it cannot be recognised again."""
        if not self._heard or not self._fixed:
            return b""
        from _blake2 import blake2b

        found = blake2b(salt, digest_size=32)
        shapes: dict[int, _Shape] = {}
        for data in self._heard:
            for part in _lasting(data, shapes):
                found.update(part)
        return found.digest()

    def _send(self, operation: str, data: bytes) -> None:
        if not (self._recording and self._ahead):
            super()._send(operation, data)

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        if self._recording and self._ahead:
            return self._ahead.pop()
        data = super()._receive(operation, flags)
        if self._recording and data:
            self._heard.append(data)
        return data


def _whole(heard: list[bytes]) -> bool:
    """Whether a dump came to its end, and nothing changed meanwhile."""
    if not heard or any(map(_interrupted, heard)):
        return False
    data = heard[-1]
    *_, (kind, flags, _, start, end) = wire.messages(data)
    interrupted = flags & wire.NLM_F_DUMP_INTR
    return kind == wire.NLMSG_DONE and not interrupted and not wire.read_done(data, start, end)


def _interrupted(data: bytes) -> bool:
    """The kernel says so in the first message of a datagram (nl_dump_check_consistent)."""
    _, flags, _, _, _ = next(wire.messages(data))
    return bool(flags & wire.NLM_F_DUMP_INTR)


def _lasting(data: bytes, shapes: dict[int, _Shape]) -> Iterable[bytes]:
    """The parts of a datagram that change only when something is changed.

    *shapes* has one for each length of a link message: of thousands of devices it is the same.
    """
    if wire.HEADER.unpack_from(data)[1] != wire.RTM_NEWLINK:
        return (data,)
    return [
        _kept(data[start - 16 : end], shapes) if kind == wire.RTM_NEWLINK else data[start - 16 : end]
        for kind, _, _, start, end in wire.messages(data)
    ]


def _kept(message: bytes, shapes: dict[int, _Shape]) -> bytes:
    """A link message with zeros in place of what is LEFT_OUT."""
    size = len(message)
    number = int.from_bytes(message, "little")
    shape = shapes.get(size)
    if shape is None or number & shape.headers != shape.expected:
        shape = shapes[size] = _Shape(message)
    return (number & shape.lasting).to_bytes(size, "little")


class _Shape:
    """Which bytes of a link message last; every field is a little-endian number.

    A message is of this shape when its bytes under ``headers`` are ``expected``: else the values
    of one device would be taken for the counters of another.
    """

    __slots__ = ("expected", "headers", "lasting")

    def __init__(self, message: bytes) -> None:
        size = len(message)
        headers, lasting = bytearray(size), bytearray(b"\xff" * size)
        at = 32  # behind struct nlmsghdr and struct ifinfomsg
        while size - at >= 4:
            length, kind = wire.ATTR.unpack_from(message, at)
            headers[at : at + 4] = b"\xff" * 4
            end = min(at + max(length, 4), size)
            if kind & wire.NLA_TYPE_MASK in LEFT_OUT:
                lasting[at + 4 : end] = bytes(end - at - 4)
            at += (max(length, 4) + 3) & ~3
        self.headers = int.from_bytes(headers, "little")
        self.lasting = int.from_bytes(lasting, "little")
        self.expected = int.from_bytes(message, "little") & self.headers
