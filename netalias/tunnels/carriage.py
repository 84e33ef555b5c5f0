"""The way of packets to the other end of a tunnel: what every carriage is able to do.

Carriages stand in one table by the word of the line, and are loaded on use.
"""

from __future__ import annotations

from mmap import mmap

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Datagrams = bytes | bytearray | memoryview
    Packets = Sequence[Datagrams]
    Source = tuple[str, int]
    """Address and port of the outer packet; the port is 0 where the protocol has none."""

CARRIAGES = {
    "udp": ("udp", "Udp"),
    "ipip94": ("raw", "Ipip94"),
    "ipip": ("raw", "Ipip"),
}
"""Word: the module in this package, and its class."""

NOBODY = ("", 0)
"""The peer that is not known yet."""
AT_ONCE = 64
"""Packets of one reading."""
FULL = 56_000
"""Bytes of a train to which no more is added: with fewer, nothing more was there."""
LARGEST = 65536
"""Bytes of a buffer for any packet."""
STAGGER = 1600
"""Bytes between two buffers: a usual packet in each would be in the same few lines of the cache."""


class Carriage:
    """A socket that carries whole IP packets to one peer.

    ``peer`` is None until it is known: ``passive`` ends learn it from the first packet that comes.
    ``overhead`` is the number of bytes that the carriage adds to an inner packet, the outer IP
    header included.
    """

    word = ""
    overhead = 0
    trains = False
    """Whether it has send_train() and receive_train()."""
    merges = False
    """Whether the kernel joins packets inside it before they are received (merged.py)."""
    sized = False
    """Whether receive_train() is to tell sizes, of datagrams that do not tell their own."""
    ends: Sequence[int] = ()
    """Places in the buffer of the last receive_train() at which a datagram surely ends."""
    marks: Sequence[tuple[int, int]] = ()
    """Places in it up to which datagrams had one mark of congestion (congestion.py), with that;
    empty where none is told."""
    peer: Source | None = None
    local = ""
    """The own outer address, once the peer is known."""
    refused: Callable[[bytes | bytearray | memoryview, int], object] | None = None
    """Called with each packet that could not be sent, and the errno of that; the parts of trains
    are no packets."""
    errno = 0
    """The errno of the last send that failed."""
    dropped: Callable[[int], object] | None = None
    """Called with the index of a counter for each packet that came and is not given out."""

    @classmethod
    def open(cls, argument: str, peer: str = "", local: str = "") -> Carriage:
        """A new socket; *argument* is what follows the word and ``:``, addresses are numbers.

        Without *peer* it is passive. Raises UsageError, NotPermitted, KernelError.
        """
        raise NotImplementedError

    @classmethod
    def adopt(cls, fd: int, argument: str) -> Carriage:
        """The same about a descriptor that another process opened. Raises StateError."""
        raise NotImplementedError

    def fileno(self) -> int:
        """The descriptor to wait for and to hand over; readable when packets have come."""
        raise NotImplementedError

    def filenos(self) -> list[int]:
        """All descriptors to wait for."""
        return [self.fileno()]

    def connect(self, peer: Source) -> None:
        """Pin the peer: nobody else is heard from now on. Raises KernelError."""
        raise NotImplementedError

    def send(self, packets: Packets, tos: int = 0, df: bool = False) -> int:
        """Send whole IP packets with this TOS (or traffic class); the number of those sent.

        With *df* none is fragmented on its way. What could not be sent is told by failures().
        """
        raise NotImplementedError

    def prepare(self, version: int, tos: int, df: bool) -> Callable[[Datagrams], object] | None:
        """The call of the kernel that sends one packet of this version with these marks, until
        something else is sent. None where there is no such call."""
        return None

    def receive(self) -> list[tuple[memoryview, Source]]:
        """Packets that have come, valid until the next call; none when nothing is there now."""
        raise NotImplementedError

    def room(self) -> int:
        """Bytes of the largest packet that is not fragmented on its way, as is known now, or 0."""
        raise NotImplementedError

    def send_train(self, train: Datagrams, size: int, tos: int = 0, df: bool | int = False) -> bool:
        """Send datagrams of *size* bytes each, the last as long as the rest; whether it was done.

        frames.SEGMENTS and frames.LONGEST bytes at most.
        """
        raise NotImplementedError

    def receive_train(self) -> tuple[memoryview, int, int, Source] | None:
        """Datagrams of one size that have come together: a buffer, its length in use, the size.

        The buffer is always the same one, a view of a whole bytearray; the size is 0 where it is
        not told (``sized``). None when nothing is there.
        """
        raise NotImplementedError

    def tell_marks(self) -> bool:
        """Tell the mark of each datagram of a train from now on; False where that is not known."""
        return False

    def send_marks(self, heeded: bool) -> None:
        """Send datagrams with the marks of their packets from now on; or capable of none."""

    def failures(self) -> list[str]:
        """The words of the network about packets sent, as sentences, each once."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the socket."""
        raise NotImplementedError


def slots(count: int) -> list[memoryview]:
    """Buffers for so many packets of any length; memory is used where it is written only."""
    stride = LARGEST + STAGGER
    memory = memoryview(mmap(-1, count * stride))
    return [memory[one : one + LARGEST] for one in range(0, len(memory), stride)]


def open_carriage(text: str, peer: str = "", local: str = "") -> Carriage:
    """The carriage of a line: ``udp:7777``, ``ipip``. Raises as Carriage.open() does."""
    word, _, argument = text.partition(":")
    return _find(word).open(argument, peer, local)


def adopt_carriage(text: str, fd: int) -> Carriage:
    """The same about a descriptor that is inherited. Raises UsageError, StateError."""
    word, _, argument = text.partition(":")
    return _find(word).adopt(fd, argument)


def _find(word: str) -> type[Carriage]:
    if word not in CARRIAGES:
        raise errors.UsageError(f"{word!r} is no carriage: {', '.join(CARRIAGES)}")
    module, name = CARRIAGES[word]
    package = __import__(f"netalias.tunnels.{module}", fromlist=[name])
    found: type[Carriage] = getattr(package, name)
    return found
