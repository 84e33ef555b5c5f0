"""IPv4 address conflict detection (RFC 5227, 2.1.1) as a state machine: no socket, no clock.

Rules:
- each address has a schedule of its own: a random wait, probes, and a time to listen after the
  last one; all run beside each other;
- an address is in use when any ARP message, request or reply, has it as sender address, or when
  another host probes for it; what comes from MACs of this host is not looked at;
- whoever is heard before all addresses are done counts, even after the time of the address itself;
- probes that were handed out count as sent when ``due`` is called again: a slow device does not
  shorten the time to listen;
- where frames were lost, who is being listened for is asked for again, and given up when they are
  lost again and again: silence was no answer.

Whoever drives it reads the time first, then all frames that are there, then calls ``due`` with
that time: an address is clear only when everything of its time was heard.
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

PROBE_WAIT = 1.0
PROBE_NUM = 3
PROBE_MIN = 1.0
PROBE_MAX = 2.0
ANNOUNCE_WAIT = 2.0
"""RFC 5227, 1.1: seconds, and a number."""

BATCH = 64
"""So many probes are handed out at once: they are sent before the clock is looked at again."""
AGAIN = 4
"""So often an address is asked for again, since frames were lost."""
_ANY = b"\0\0\0\0"


class Timing(Value):
    """``probe_wait`` .. ``announce_wait`` as in RFC 5227; ``rate``: first probes a second, or 0."""

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
    """The addresses of one device; *ours* are the MACs of this host, *mac* the one that asks.

    ``random()`` gives numbers from 0 to 1, times are seconds of any clock. ``conflicts`` are the
    addresses in use with the MAC of their owner, ``clear`` those that nobody has, ``unheard`` those
    given up.
    """

    __slots__ = (
        "_again", "_handed", "_left", "_mac", "_ours", "_queue", "_random", "_timing", "clear",
        "conflicts", "unheard",
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
        self.unheard: set[bytes] = set()
        self.conflicts: dict[bytes, bytes] = {}
        self.clear: set[bytes] = set()
        apart = 1 / timing.rate if timing.rate else 0.0
        for number, address in enumerate(self._left):
            at = now + number * apart + timing.probe_wait * random()
            heappush(self._queue, (at, address))

    def due(self, now: float) -> list[bytes]:
        """The probes to send now, at most BATCH; call again once they are sent."""
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
        """Seconds until ``due`` has to be called; None when all addresses are done."""
        if not self._left:
            return None
        if self._handed:
            return 0.0
        return max(0.0, self._queue[0][0] - now)

    def lost(self, now: float) -> None:
        """Frames were lost: there may have been answers to what was sent by now."""
        self._count(now)
        for address in [address for address, left in self._left.items() if not left]:
            times = self._again.get(address, 0)
            if times < AGAIN:
                self._again[address] = times + 1
                self._left[address] = 1
            else:
                del self._left[address]
                self.unheard.add(address)

    @property
    def open(self) -> set[bytes]:
        """The addresses that may still turn out to be in use."""
        return {*self._left, *self.clear, *self.unheard}

    def heard(self, message: Message) -> None:
        """An ARP message came in on the device."""
        address = message.sender
        if address == _ANY and message.operation == ARPOP_REQUEST:
            address = message.target
        known = address in self._left or address in self.clear or address in self.unheard
        if message.mac in self._ours or not known:
            return
        self._left.pop(address, None)
        self.clear.discard(address)
        self.unheard.discard(address)
        self.conflicts[address] = message.mac
