"""Links over a stream of bytes: tcp, tty, exec, and descriptors of other kinds."""

from __future__ import annotations

import os
import socket
from fcntl import ioctl
from select import POLLIN, POLLOUT
from sys import byteorder

from netalias.links import framing
from netalias.links.devices import TCP, TTY
from netalias.links.link import PASSING, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.links.state import LinkState

    Buffer = bytes | bytearray | memoryview

CHUNK = 1 << 16
"""Bytes of one reading."""
QUEUE = 1 << 16
"""Bytes that wait to be written, at most; what is sent with one call is taken as a whole."""
URGENT = 8 * QUEUE
"""The same for what keeps the link up."""
UNSENT = 1 << 16
"""Bytes of TCP that wait in the kernel for their first transmission: its send buffer grows to
megabytes, in which packets would wait for half a minute on a slow line."""
TCP_NOTSENT_LOWAT = 25
"""linux/tcp.h: a socket with so many bytes is not writable to poll(2)."""
SIOCOUTQNSD = 0x894B
"""linux/sockios.h: the bytes that were not yet sent."""


def prepare_tcp(stream: socket.socket) -> None:
    """Send at once, and hold no more than UNSENT back. Raises OSError."""
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT)


class StreamLink(Link):
    """A link over the descriptor *fd*, which does not wait (O_NONBLOCK)."""

    def __init__(
        self,
        fd: int,
        state: LinkState,
        *,
        carrier: Callable[[], bool | None] = lambda: None,
        ending: Callable[[int, LinkState], None] | None = None,
    ) -> None:
        super().__init__(state, carrier=carrier)
        self._fd = fd
        self._ending = ending
        controls = state.kind == TTY
        self._controls = controls
        self._tcp = state.kind == TCP
        state.framed = True
        self._decoder = framing.Decoder(state.unread, controls=controls)
        self._queue = bytearray(state.unsent)
        self._damaged = 0

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._fd

    def events(self) -> int:
        """POLLIN, and POLLOUT while something waits to be written."""
        return POLLIN | POLLOUT if self._queue else POLLIN

    @property
    def room(self) -> int:
        """Bytes until the queue is full."""
        return max(0, QUEUE - len(self._queue))

    def send(self, packets: Iterable[Buffer], *, urgent: bool = False) -> int:
        """Queue the frames of *packets*, and write what the device takes."""
        given = list(packets)
        most = URGENT if urgent else QUEUE
        taken = [packet for packet in given if packet] if len(self._queue) < most else []
        self.state.counters["out_dropped"] += len(given) - len(taken)
        if not taken:
            return 0
        if not self._queue:
            self._queue += framing.FLAG  # noise may have come before it
        self._queue += framing.encode(taken, controls=self._controls)
        self._count("out", len(taken), sum(map(len, taken)))
        self.flush()
        return len(taken)

    def flush(self) -> None:
        """Write of the queue what the device takes."""
        while self._queue and not self.ended and not self._held():
            try:
                done = os.write(self._fd, self._queue)
            except OSError as error:
                if error.errno not in PASSING:
                    self._end(f"writing: {error.strerror}")
                return
            if self.trace is not None:
                self.trace("write", self._queue[:done])
            del self._queue[:done]

    def _held(self) -> bool:
        """Whether the kernel has enough to send for now."""
        if not self._tcp:
            return False
        try:
            unsent = ioctl(self._fd, SIOCOUTQNSD, bytes(4))
        except OSError:
            return False
        return int.from_bytes(unsent, byteorder) >= UNSENT

    def receive(self) -> list[bytes]:
        """The packets that are complete with the next CHUNK of bytes."""
        try:
            data = os.read(self._fd, CHUNK)
        except OSError as error:
            if error.errno not in PASSING:
                self._end(f"reading: {error.strerror}")
            return []
        if not data:
            self._end("closed by the other side")
            return []
        if self.trace is not None:
            self.trace("read", data)
        packets = self._decoder.feed(data)
        self._count("in", len(packets), sum(map(len, packets)))
        self.state.counters["in_damaged"] += self._decoder.damaged - self._damaged
        self._damaged = self._decoder.damaged
        return packets

    def idle(self) -> bool:
        """Whether the queue is empty."""
        return not self._queue

    def pack(self) -> LinkState:
        """The state with the frames that came in, or went out, in part."""
        self.state.unread, self.state.unsent = self._decoder.rest, bytes(self._queue)
        return self.state

    def release(self) -> None:
        """Close our copy of the descriptor, and nothing else."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def close(self) -> None:
        """Close the device."""
        if self._fd >= 0 and self._ending is not None:
            self._ending(self._fd, self.state)
        self.release()
