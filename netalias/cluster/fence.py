"""The fence: the arithmetic by which no address stands on two hosts. Pure.

A host that holds addresses proves again and again that it is in the cluster, by a transaction that
the store does only while the key of the host is there. Its addresses stand in the kernel with a
lifetime that ends at the latest a *lifetime* after that proof was **sent**. Who reads that the key
has gone knows that every proof was sent before; so he waits for a lifetime, and for whatever the
two clocks and the timer of the kernel may be apart, and may take the addresses then.
docs/cluster.md has the whole reasoning.

Times are seconds of CLOCK_BOOTTIME, each of the clock of one host: they are never compared with
those of another one.
"""

from __future__ import annotations

RATE = 0.01
"""The most by which any clock may be too fast or too slow: a part of the time that passes."""
LATE = 1.3
"""Seconds by which the kernel removes an address late at most: it looks after lifetimes once a
second (ADDRCONF_TIMER_FUZZ_MAX), and may round up by a quarter (ADDRCONF_TIMER_FUZZ)."""
SETTING = 1.0
"""Seconds that one batch of lifetimes may take, from the reading of the clock until the kernel has
it. The process that sets them is ended if it takes longer (system/deadline.py)."""
PROOFS = 3
"""A proof is sent when the first of so many parts of a lifetime is over."""


def end(sent: float, lifetime: float) -> float:
    """The time at which an address has to be gone, by a proof that was *sent* at a time."""
    return sent + lifetime


def seconds(until: float, now: float) -> int:
    """The whole seconds of life that the kernel is told *now* for an address that has to be gone at
    a time; 0 if it is too late to set it."""
    return max(0, int(until - now - SETTING))


def wait(lifetime: float, rate: float = RATE) -> float:
    """Seconds to wait from the moment at which the key of a holder was read to be gone.

    The clock of the holder may be slow, that of the one who waits fast.
    """
    return (lifetime + LATE) * (1 + rate) / (1 - rate)


def every(lifetime: float) -> float:
    """Seconds between two proofs."""
    return lifetime / PROOFS
