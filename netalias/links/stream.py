"""Links over a stream of bytes: tcp, tty, exec, and descriptors of other kinds."""

from __future__ import annotations

import os
from select import POLLIN, POLLOUT

from netalias.links import framing
from netalias.links.devices import TTY
from netalias.links.link import PASSING, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.links.state import LinkState

    Buffer = bytes | bytearray | memoryview

CHUNK = 1 << 16
"""Bytes of one reading."""
QUEUE = 1 << 17
"""Bytes that wait to be written, at most; no packet is cut: the last one may exceed it."""


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
    def full(self) -> bool:
        """Whether the queue is full."""
        return len(self._queue) >= QUEUE

    def send(self, packets: Iterable[Buffer]) -> int:
        """Queue the frames of *packets*, and write what the device takes."""
        taken, size = [], len(self._queue)
        dropped = 0
        for packet in packets:
            if size >= QUEUE or not packet:
                dropped += 1
                continue
            taken.append(packet)
            size += len(packet)
        self.state.counters["out_dropped"] += dropped
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
        while self._queue and not self.ended:
            try:
                done = os.write(self._fd, self._queue)
            except OSError as error:
                if error.errno not in PASSING:
                    self._end(f"writing: {error.strerror}")
                return
            if self.trace is not None:
                self.trace("write", self._queue[:done])
            del self._queue[:done]

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
