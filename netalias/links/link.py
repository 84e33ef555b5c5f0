"""An open device: whole frames go in and come out, whatever carries them.

Nothing here waits: a descriptor is read and written when poll(2) says so. All that is known of the
link is in ``state``, and what is in ``state`` is all that the descriptor does not know.
"""

from __future__ import annotations

from errno import EAGAIN, EINTR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.links.state import LinkState

    Buffer = bytes | bytearray | memoryview

PASSING = (EAGAIN, EINTR)
"""Errors of reading and writing that mean later."""
ROOM = 1 << 18
"""Bytes that a device without a queue of ours is given with one call."""
SENTENCES = 16
"""Different failures that are remembered until they are asked for."""


class Link:
    """The interface that every user of a device has: LinkRunner, a bundle, a hand-over.

    ``ended`` says why the link can be used no longer, and is empty while it can. ``greets`` tells
    whether a frame is one with which a peer may begin: a passive link takes the source of the first
    such frame for its only peer.

    None of the methods raises for what a peer or the network does.
    """

    def __init__(
        self,
        state: LinkState,
        *,
        carrier: Callable[[], bool | None] = lambda: None,
        greets: Callable[[bytes], bool] = bool,
    ) -> None:
        self.state = state
        self.ended = ""
        self.refused = False
        """Whether the host of the peer has said that nobody listens; who looks clears it."""
        self._carrier = carrier
        self._greets = greets
        self.trace: Callable[[str, Buffer], object] | None = None
        """Called with ``read`` or ``write`` and the bytes as they are on the descriptor."""
        self._failures: dict[str, None] = {}

    def fileno(self) -> int:
        """The descriptor to wait for."""
        raise NotImplementedError

    def events(self) -> int:
        """The events of poll(2) to wait for, or 0."""
        raise NotImplementedError

    @property
    def room(self) -> int:
        """Bytes that are taken now; what is sent with one call may exceed them. With 0 packets are
        dropped: better to wait for POLLOUT."""
        return ROOM

    @property
    def full(self) -> bool:
        """Whether there is no room."""
        return self.room <= 0

    def send(self, packets: Iterable[Buffer], *, urgent: bool = False) -> int:
        """Send *packets*, each as a frame; the number that the device or the queue has taken. The
        others are dropped and counted. *urgent*: a full queue takes them all the same."""
        raise NotImplementedError

    def flush(self) -> None:
        """Go on sending, when the descriptor is writable."""

    def receive(self) -> list[bytes]:
        """The packets of the frames that have come in, when the descriptor is readable."""
        raise NotImplementedError

    def carrier(self) -> bool | None:
        """Whether the device has a carrier now; None for one that has no such line."""
        return self._carrier()

    def failures(self) -> list[str]:
        """The failures since the last call, each sentence once."""
        found, self._failures = list(self._failures), {}
        return found

    def idle(self) -> bool:
        """Whether nothing waits to be sent, by us or by the kernel."""
        return True

    def pack(self) -> LinkState:
        """The state as it is now, with what was read and written in part."""
        return self.state

    def release(self) -> None:
        """Forget the descriptor without closing what is behind it: another process has it."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the descriptor, and end a program that was started for it."""
        raise NotImplementedError

    def _fail(self, text: str) -> None:
        if len(self._failures) < SENTENCES:
            self._failures[text] = None

    def _end(self, reason: str) -> None:
        if not self.ended:
            self.ended = reason
            self._fail(reason)

    def _count(self, direction: str, packets: int, size: int) -> None:
        counters = self.state.counters
        counters[f"{direction}_packets"] += packets
        counters[f"{direction}_bytes"] += size
