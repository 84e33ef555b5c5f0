"""The receiving end of a bundle: fragments of several links back in their order. Pure.

The rule for losses is that of RFC 1990, section 4: a link delivers in order, so a fragment is lost
when every link has delivered a higher number. What follows waits until then, no longer.

- A link that may change the order (udp over a wide network) shows it by a fragment that comes after
  it was counted as lost. From then on lost ones are waited for that much longer (``slack``), SLACK
  at most; after CALM seconds without such a one no more.
- Links that are dead take no part. Where none is left, or a link is alive but slower than HOLD, a
  missing fragment is given up after HOLD seconds.
- Memory is bounded: ``frames`` and ``octets`` at most wait; beyond, the oldest missing ones are
  given up.
- A packet is delivered once and in order, or not at all.

Sequence numbers are unwrapped integers that do not go round. Times are seconds of any clock.
"""

from __future__ import annotations

from netalias.links.bundle.wire import BEGIN, END, WHOLE, unwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Sequence
    from typing import Any

    from netalias.links.bundle.wire import Buffer
else:
    from _collections import deque

FRAMES = 8192
OCTETS = 8 << 20
"""Fragments and octets that wait at most: 0.3 s of 200 Mbit/s."""
HOLD = 1.0
SLACK = 0.05
CALM = 60.0
APART = 0.001
"""Seconds between two times of passing that are told apart; so there are few of them."""
REMEMBERED = 1024
"""Numbers given up that are remembered, to tell late fragments from duplicates."""
COUNTERS = ("delivered", "lost", "late", "duplicate", "incomplete", "overflowed")
LARGEST = 65_535 + 18
"""Octets of a packet that is put together from fragments: an IP packet, or a frame with one."""


class Reorder:
    """Fragments of several links, in order. ``ready``: packets to be taken by the caller.

    Counters: ``delivered`` packets, ``lost`` fragments, ``late`` and ``duplicate`` ones (dropped),
    ``incomplete`` packets (a part was lost), ``overflowed``: missing fragments that were given up
    for want of room.
    """

    __slots__ = (
        "_passes", "_since", "_size", "_slack_until", "_whole", "delivered", "duplicate",
        "expected", "given_up", "held", "incomplete", "late", "lost", "octets", "overflowed",
        "parts", "passed", "ready", "slack",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ready: list[Buffer] = []
        self.delivered = self.lost = self.late = self.duplicate = 0
        self.incomplete = self.overflowed = 0
        self.passed: dict[int, int] = {}
        """Live link: every fragment to come on it has a higher number than this."""
        self.slack = 0.0
        self._slack_until = 0.0
        self._whole = True
        self.restart(0)

    def restart(self, expected: int) -> None:
        """Begin a session in which *expected* is the first number; what waited is dropped."""
        self.expected = expected
        self.held: dict[int, tuple[int, bytes, float]] = {}
        self.octets = 0
        self.parts: list[bytes] = []
        self._size = 0
        self.given_up: dict[int, float] = {}
        self._since: float | None = None
        self._passes: deque[tuple[int, float]] = deque()
        self.passed.clear()

    def plain(self) -> dict[str, Any]:
        """The state as links.spec.RECEIVED has it, without the numbers that were given up: one that
        comes late is counted as a duplicate then."""
        return {
            **{name: getattr(self, name) for name in COUNTERS},
            "expected": self.expected,
            "passed": self.passed.items(),
            "slack": self.slack,
            "slack_until": self._slack_until,
            "whole": self._whole,
            "held": [(number, *one) for number, one in self.held.items()],
            "parts": self.parts,
        }

    def resume(self, plain: Any, places: Sequence[int | None]) -> None:
        """Go on with the state that plain() gave in another process; *places* has the number that
        each of its links has here, None for one that is no more."""
        for name in COUNTERS:
            setattr(self, name, plain[name])
        self.restart(plain.expected)
        passed = ((places[link], number) for link, number in plain.passed)
        self.passed = {link: number for link, number in passed if link is not None}
        self.slack, self._slack_until, self._whole = plain.slack, plain.slack_until, plain.whole
        self.held = {number: (flags, payload, at) for number, flags, payload, at in plain.held}
        self.octets = sum(len(payload) for _, payload, _ in self.held.values())
        self.parts = [*plain.parts]
        self._size = sum(len(part) or 1 for part in self.parts)

    def mark(self, link: int, following: int, now: float) -> None:
        """Link *link* is alive, and what comes on it has *following* or a higher number."""
        number = unwrap(following, self.expected) - 1
        if number > self.passed.get(link, -1) or link not in self.passed:
            self.passed[link] = number
        self._settle(now)

    def leave(self, link: int, now: float) -> None:
        """Link *link* is dead: nobody waits for it."""
        if self.passed.pop(link, None) is not None:
            self._settle(now)

    def receive(self, link: int, sequence: int, flags: int, payload: Buffer, now: float) -> int:
        """Take the fragment of this number, modulo 2**32; its number without modulus."""
        expected = self.expected
        number = unwrap(sequence, expected)
        if number > self.passed.get(link, -1):
            self.passed[link] = number
        if number == expected and not self.held:
            self.expected = number + 1
            self._deliver(flags, payload)
            return number
        if number < expected:
            self._too_late(number, now)
        elif number in self.held:
            self.duplicate += 1
        else:
            # What a link hands over lies in a buffer that is used again.
            kept = bytes(payload)
            self.held[number] = flags, kept, now
            self.octets += len(kept)
        self._settle(now)
        return number

    def due(self, now: float) -> float | None:
        """Seconds until expire() gives something up; None while nothing waits."""
        if self._since is None:
            return None
        until = self._since + HOLD
        if self._passes:
            until = min(until, self._passes[0][1] + self.slack)
        return max(0.0, until - now)

    def expire(self, now: float) -> None:
        """Give up what has been missing for too long."""
        self._settle(now)

    def _too_late(self, number: int, now: float) -> None:
        """Count one that nobody waits for; a late one shows how much longer to wait."""
        since = self.given_up.pop(number, None)
        if since is None:
            self.duplicate += 1
            return
        self.late += 1
        self.slack = min(SLACK, max(self.slack, self.slack + 1.5 * (now - since)))
        self._slack_until = now + CALM

    def _settle(self, now: float) -> None:
        """Deliver all that is in order, and give up what is lost."""
        while True:
            self._deliver_held()
            passed = min(self.passed.values(), default=self.expected - 1)
            if passed < self.expected and not self.held:
                return
            if self._passed_for(passed, now) >= self.slack:
                self._give_up(now, passed)
            elif self._missing_for(now) >= HOLD:
                self._give_up(now, passed, whole_gap=True)
            elif len(self.held) > FRAMES or self.octets > OCTETS:
                self.overflowed += 1
                self._give_up(now, passed, whole_gap=True)
            else:
                return

    def _deliver_held(self) -> None:
        """Deliver from the expected number on, up to the next one that is missing."""
        held, expected = self.held, self.expected
        if expected not in held:
            return
        while True:
            one = held.pop(expected, None)
            if one is None:
                break
            expected += 1
            flags, payload, _ = one
            self.octets -= len(payload)
            self._deliver(flags, payload)
        self.expected = expected
        self._since = None

    def _passed_for(self, passed: int, now: float) -> float:
        """Seconds since all links have passed the expected number; -1 before."""
        passes = self._passes
        while passes and passes[0][0] < self.expected:
            passes.popleft()
        if passed < self.expected:
            return -1.0
        if not passes or passed > passes[-1][0]:
            if self.slack and now > self._slack_until:
                self.slack = 0.0
            if passes and now - passes[-1][1] < APART:
                now_or_before = passes.pop()[1]
                passes.append((passed, now_or_before))
            else:
                passes.append((passed, now))
        return now - passes[0][1]

    def _missing_for(self, now: float) -> float:
        """Seconds since a number above the expected one has come."""
        if self._since is None:
            self._since = self.held[min(self.held)][2] if self.held else now
        return now - self._since

    def _give_up(self, now: float, passed: int, whole_gap: bool = False) -> None:
        """Count the missing numbers as lost: those passed, or all before the next one held."""
        end = passed
        if self.held:
            after = min(self.held) - 1
            end = after if whole_gap else min(passed, after)
        for number in range(max(self.expected, end - REMEMBERED + 1), end + 1):
            self.given_up[number] = now
        while len(self.given_up) > REMEMBERED:
            del self.given_up[next(iter(self.given_up))]
        self.lost += end + 1 - self.expected
        self.expected = end + 1
        self._since = None
        self._drop_parts()
        self._whole = False

    def _deliver(self, flags: int, payload: Buffer) -> None:
        """Append the packet that this fragment ends, if all of it is there."""
        if flags & WHOLE == WHOLE:
            if self.parts:
                self._drop_parts()
            self._whole = True
            self.ready.append(payload)
            self.delivered += 1
            return
        if flags & BEGIN:
            self._drop_parts()
            self._whole = True
        if not self._whole:
            return
        self.parts.append(bytes(payload))
        self._size += len(payload) or 1  # an empty part takes room as well
        if self._size > LARGEST:
            self._drop_parts()
            self._whole = False
        elif flags & END:
            self.ready.append(b"".join(self.parts))
            self.delivered += 1
            self.parts, self._size = [], 0
            # A part without its beginning is none.
            self._whole = False

    def _drop_parts(self) -> None:
        """A packet of which a part is missing is dropped."""
        if self.parts:
            self.incomplete += 1
            self.parts, self._size = [], 0
