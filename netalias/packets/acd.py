"""IPv4 address conflict detection (RFC 5227, 2.1.1) as a state machine: no socket, no clock.

Rules:
- each address has a schedule of its own: a random wait, probes, and a time to listen after the
  last one; the schedules run in parallel;
- an address is in use when any ARP message, request or reply, has it as sender address, or when
  another host probes for it; messages from MACs of this host are ignored;
- a message counts until all addresses are done, even after the schedule of its own address;
- probes count as sent when ``due`` is called again, so that a slow device does not shorten the time
  to listen;
- where frames were lost, addresses that were being listened for are probed again; they are given up
  when that happens again and again, since silence was no answer.

The caller reads the clock first, then all frames that are there, then calls ``due`` with that time:
an address is clear only when all frames of its time were read.
"""

from __future__ import annotations

from _heapq import heappop, heappush

from netalias import packets
from netalias.model import Value
from netalias.packets import ARPOP_REQUEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from netalias.packets.parse import Message

# RFC 5227, 1.1: seconds, and a number of probes.
PROBE_WAIT = 1.0
PROBE_NUM = 3
PROBE_MIN = 1.0
PROBE_MAX = 2.0
ANNOUNCE_WAIT = 2.0

BATCH = 64
"""Probes of one call of due(), which are sent before the clock is read again."""
AGAIN = 4
"""Times that an address is probed again after a loss of frames."""
_ANY = b"\0\0\0\0"


class Timing(Value):
    """Times of RFC 5227 in seconds; ``rate`` limits the first probes a second, 0 for no limit."""

    __slots__ = ("announce_wait", "probe_max", "probe_min", "probe_num", "probe_wait", "rate")

    def __init__(
        self,
        probe_wait: float,
        probe_num: int,
        probe_min: float,
        probe_max: float,
        announce_wait: float,
        rate: float = 0.0,
    ) -> None:
        self.probe_wait = probe_wait
        self.probe_num = probe_num
        self.probe_min = probe_min
        self.probe_max = probe_max
        self.announce_wait = announce_wait
        self.rate = rate


RFC = Timing(PROBE_WAIT, PROBE_NUM, PROBE_MIN, PROBE_MAX, ANNOUNCE_WAIT)
"""4 to 7 seconds for any number of addresses."""
FAST = Timing(0.0, 1, 0.0, 0.0, 0.2, rate=20_000.0)
"""One probe, then 200 ms to listen: 0.4 s for 4000 addresses. A single loss goes unnoticed."""


class Prober:
    """The schedules of the addresses *asked* on one device.

    *mac* sends the probes, *ours* are the MACs of this host, ``random()`` gives numbers from 0 to
    1, times are seconds of any clock. ``conflicts`` has the addresses in use with the MAC of their
    owner, ``clear`` the free ones, ``undecided`` those given up.
    """

    __slots__ = (
        "_again", "_handed", "_left", "_mac", "_ours", "_queue", "_random", "_timing", "clear",
        "conflicts", "undecided",
    )  # fmt: skip

    def __init__(
        self,
        mac: bytes,
        asked: Iterable[bytes],
        ours: Collection[bytes],
        timing: Timing,
        now: float,
        random: Callable[[], float],
    ) -> None:
        self._mac = mac
        self._ours = ours
        self._timing = timing
        self._random = random
        self._left = dict.fromkeys(asked, timing.probe_num)
        self._queue: list[tuple[float, bytes]] = []
        self._handed: list[bytes] = []
        self._again: dict[bytes, int] = {}
        self.undecided: set[bytes] = set()
        self.conflicts: dict[bytes, bytes] = {}
        self.clear: set[bytes] = set()
        apart = 1 / timing.rate if timing.rate else 0.0
        for number, address in enumerate(self._left):
            at = now + number * apart + timing.probe_wait * random()
            heappush(self._queue, (at, address))

    def due(self, now: float) -> list[bytes]:
        """The probes to send now, BATCH at most; to be called again once they are sent."""
        self._count(now)
        while self._queue and self._queue[0][0] <= now and len(self._handed) < BATCH:
            _, address = heappop(self._queue)
            left = self._left.get(address)
            if left:
                self._handed.append(address)
            elif left == 0:
                del self._left[address]
                self.clear.add(address)
        return packets.arp_probes(self._mac, self._handed)

    def _count(self, now: float) -> None:
        for address in self._handed:
            self._sent(address, now)
        self._handed = []

    def _sent(self, address: bytes, now: float) -> None:
        if address not in self._left:
            return
        self._left[address] -= 1
        timing = self._timing
        if self._left[address]:
            wait = timing.probe_min + (timing.probe_max - timing.probe_min) * self._random()
        else:
            wait = timing.announce_wait
        heappush(self._queue, (now + wait, address))

    def next(self, now: float) -> float | None:
        """Seconds until the next call of ``due``; None when all addresses are done."""
        if not self._left:
            return None
        if self._handed:
            return 0.0
        return max(0.0, self._queue[0][0] - now)

    def lost(self, now: float) -> None:
        """Note a loss of frames, which may have been answers to the probes sent until *now*."""
        self._count(now)
        for address in [address for address, left in self._left.items() if not left]:
            times = self._again.get(address, 0)
            if times < AGAIN:
                self._again[address] = times + 1
                self._left[address] = 1
            else:
                del self._left[address]
                self.undecided.add(address)

    @property
    def open(self) -> set[bytes]:
        """The addresses that may still turn out to be in use."""
        return {*self._left, *self.clear, *self.undecided}

    def receive(self, message: Message) -> None:
        """Note an ARP message that the device has received."""
        address = message.sender
        if address == _ANY and message.operation == ARPOP_REQUEST:
            address = message.target
        known = address in self._left or address in self.clear or address in self.undecided
        if message.mac in self._ours or not known:
            return
        self._left.pop(address, None)
        self.clear.discard(address)
        self.undecided.discard(address)
        self.conflicts[address] = message.mac
