"""Counters of a tunnel: numbers in memory without a name, which outlive the process that counts.

The descriptor goes to the next data plane and to whoever shows them. One process writes, any number
read. NAMES only grows at its end: a new release reads what an old one counts.
"""

from __future__ import annotations

import os
from mmap import mmap

from netalias import errors

NAMES = (
    "sent_packets",
    "sent_bytes",
    "sent_trains",
    "received_packets",
    "received_bytes",
    "received_trains",
    "dropped_unsent",
    "dropped_malformed",
    "dropped_stranger",
    "dropped_refused",
    "agreed",
    "dropped_loop",
    "dropped_source",
    "dropped_expired",
    "dropped_congested",
    "mss_clamped",
    "told_too_big",
    "told_unreachable",
    "dropped_unasked",
    "dropped_untracked",
    "held_fragments",
    "slowed_flows",
    "dropped_forged",
    "dropped_replayed",
    "dropped_keyless",
)
"""Bytes are those of inner packets. ``agreed`` is no counter: what both ends are able to do now
(hello.py).

``unsent``: the network took it not; ``stranger``: from another than the peer, or under keys that
are no more; ``refused``: the device took it not; ``loop``: of the tunnel's own ends; ``source``:
the peer has no right to its source; ``expired``: its TTL is 0; ``congested``: it met congestion and
cannot tell of it; ``unasked``: nobody has asked for it, and it was to be denied; ``untracked``:
there was no room for another translated flow; ``held_fragments`` have waited for the first one of
their packet. ``slowed_flows`` have lost a segment, because the queue of the device stood
(standing.py). ``mss_clamped`` are connections, ``told_*`` errors of ICMP to senders of packets.

With a key: ``forged``: not of a holder of it; ``replayed``: received before, or too late;
``keyless``: to be sent before there were keys.
"""
(
    SENT_PACKETS, SENT_BYTES, SENT_TRAINS, RECEIVED_PACKETS, RECEIVED_BYTES, RECEIVED_TRAINS,
    UNSENT, MALFORMED, STRANGER, REFUSED, AGREED, LOOP, SOURCE, EXPIRED, CONGESTED, CLAMPED,
    TOLD_TOO_BIG, TOLD_UNREACHABLE, UNASKED, UNTRACKED, HELD, SLOWED, FORGED, REPLAYED, KEYLESS,
) = range(25)  # fmt: skip

SIZE = 4096
"""Bytes of the memory: room for 256 counters, and for what status.py has behind them."""


class Counters:
    """The numbers, each by its index: ``counters.values[SENT_PACKETS] += 1``."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._memory = mmap(fd, SIZE)
        self.values = memoryview(self._memory).cast("Q")

    @classmethod
    def create(cls) -> Counters:
        """New ones, all 0."""
        fd = os.memfd_create("netalias-counters", os.MFD_CLOEXEC)
        os.ftruncate(fd, SIZE)
        return cls(fd)

    @classmethod
    def adopt(cls, fd: int) -> Counters:
        """Those behind a descriptor. Raises StateError where it is none of counters."""
        if os.fstat(fd).st_size != SIZE:
            raise errors.StateError(f"descriptor {fd} holds no counters")
        return cls(fd)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def write(self, place: int, data: bytes) -> None:
        """Write bytes into the memory behind the numbers (status.py)."""
        self._memory[place : place + len(data)] = data

    def by_name(self) -> dict[str, int]:
        """All of them, zeros too."""
        return dict(zip(NAMES, self.values, strict=False))

    def close(self) -> None:
        """Close the descriptor and leave the memory."""
        self.values.release()
        self._memory.close()
        os.close(self._fd)
