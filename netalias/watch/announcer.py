"""Announcements of a watcher: sent from its loop at the rate of the policy, and never waited for.

What is announced is looked at right before, in the state after the events: an address that is gone
is left out, since another host may have it by now, and one that the kernel still checks is waited
for (RFC 4862, section 5.4).
"""

from __future__ import annotations

from netalias import errors
from netalias.claim import patience
from netalias.model import IFA_F_DADFAILED, IFA_F_TENTATIVE
from netalias.model.events import ADDRESS
from netalias.packets import NEAR, announcements
from netalias.packets.announce import INTERVAL, RATE
from netalias.packets.pacing import PAUSE, Attempt, Bucket, Sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.claim import Claim
    from netalias.engine import Engine
    from netalias.model import Device
    from netalias.model.events import State
    from netalias.system.journal import Journal

TURN = 64
"""Addresses of one turn of the loop."""
FRAMES = 2
"""Frames of an address: one for IPv6."""
LOOK = 0.2
"""Seconds between two looks at an address that the kernel checks, or that is not seen yet."""
RETRY = 10 * PAUSE
"""Seconds between two attempts on a device that takes no frame now."""


class _Round:
    """An address to be announced at the time ``due``, ``left`` times; ``until`` then it may be
    tentative, or not ``seen`` yet: the event of its arrival may stand behind many others."""

    __slots__ = ("claim", "due", "left", "seen", "until")

    def __init__(self, claim: Claim, now: float, until: float) -> None:
        self.claim = claim
        self.left = claim.rounds
        self.due = now + PAUSE  # what was added is known by its event, which is read first
        self.seen = False
        self.until = until


class Announcer:
    """A part of the loop. *state* is what is known of the kernel, *sender* makes the socket."""

    def __init__(
        self,
        engine: Engine,
        state: State,
        journal: Journal,
        clock: Callable[[], float],
        sender: Callable[[], Sender] = Sender,
    ) -> None:
        self._engine = engine
        self._state = state
        self._journal = journal
        self._clock = clock
        self._make = sender
        self._sender: Sender | None = None
        rate = engine.policy.rate if engine.policy is not None else None
        self._bucket = Bucket(RATE if rate is None else rate, clock)
        self._allowed = 0
        self._now: list[_Round] = []
        self._later: list[_Round] = []
        self._attempts: dict[str, Attempt] = {}
        self._allowed_at = self._retry_at = 0.0

    def add(self, claims: Iterable[Claim]) -> None:
        """Announce each of *claims* as often as it has rounds."""
        now, claims = self._clock(), [*claims]
        until = now + patience(len(claims))
        self._later += [_Round(one, now, until) for one in claims if one.rounds]

    def close(self) -> None:
        """Close the socket."""
        if self._sender is not None:
            self._sender.close()

    # A part of the loop

    def wanted(self, now: float) -> dict[int, int]:
        """Nothing."""
        return {}

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Nothing."""

    def due(self, now: float) -> float | None:
        """Seconds until the next frames are sent; None without any."""
        times = [one.due for one in self._later]
        if self._now:
            times.append(self._allowed_at)
        if self._attempts:
            times.append(self._retry_at)
        return max(0.0, min(times) - now) if times else None

    def tick(self, now: float) -> None:
        """Send what is due, and what the devices take."""
        self._now.extend(one for one in self._later if one.due <= now)
        self._later = [one for one in self._later if one.due > now]
        if self._now and self._allowed_at <= now:
            self._frame(now)
        self._push(now)

    def _frame(self, now: float) -> None:
        """Make the frames of as many addresses as may be sent now."""
        links = _Links(self._state)
        some, count = self._now[:TURN], 0
        self._allowed += self._bucket.take(FRAMES * len(some) - self._allowed)
        while count < len(some) and self._allowed >= FRAMES:
            self._allowed -= self._one(some[count], links, now)
            count += 1
        del self._now[:count]
        if self._now:
            self._allowed_at = now + max(PAUSE, self._bucket.wait(FRAMES * len(self._now)))

    def _one(self, one: _Round, links: _Links, now: float) -> int:
        """Make the frames of one address; their number."""
        claim = one.claim
        carrier, main = links.device(claim.device), self._state.device(claim.main.index)
        flags = links.flags(carrier, claim.address)
        waits = not one.seen if flags is None else flags & IFA_F_TENTATIVE
        one.seen = one.seen or flags is not None
        if waits and now < one.until:
            one.due = now + LOOK
            self._later.append(one)
        if waits or carrier is None or main is None or flags is None or flags & IFA_F_DADFAILED:
            return 0  # not yet; or it is gone, or another host has it
        source = carrier if claim.own else main
        near = claim.own and links.crowd(main.index) <= NEAR
        over = carrier.name if near else main.name
        frames = announcements(source.mac, claim.address) if source.mac else ()
        self._attempts.setdefault(over, Attempt(self._clock)).add(frames)
        one.left -= 1
        if one.left:
            one.due = now + INTERVAL
            self._later.append(one)
        return len(frames)

    def _push(self, now: float) -> None:
        """Send the frames that the devices take now."""
        for name, attempt in [*self._attempts.items()]:
            try:
                if self._sender is None:
                    self._sender = self._engine.within(self._make)
                self._sender.push(name, attempt)
            except errors.NoSuchDevice:
                pass  # it vanished, and its address with it
            except errors.NetaliasError as error:
                self._journal.warning(f"not announced: {error.line()}")
                if self._sender is None:
                    self._attempts.clear()
                    return
            if not attempt.pending:
                del self._attempts[name]
        if self._attempts:
            self._retry_at = now + RETRY


class _Links:
    """The devices by name, and the numbers of macvlans on them."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._crowds: dict[int, int] = {}
        self._flags: dict[int, dict[bytes, int]] = {}

    def device(self, name: str) -> Device | None:
        """The device with this name."""
        return self._state.lookup.called(name)

    def crowd(self, index: int) -> int:
        """The number of macvlans on a device."""
        if index not in self._crowds:
            self._crowds[index] = sum(
                len(members)
                for (_, kind, link, remote), members in self._state.lookup.places.items()
                if (kind, link, remote) == ("macvlan", index, False)
            )
        return self._crowds[index]

    def flags(self, device: Device | None, address: bytes) -> int | None:
        """The flags (IFA_F_*) of an address of a device; None without it."""
        if device is None:
            return None
        if device.index not in self._flags:
            entries = (entry.address for _, entry in self._state.of(device.index, ADDRESS))
            self._flags[device.index] = {one.local: one.flags for one in entries}
        return self._flags[device.index].get(address)
