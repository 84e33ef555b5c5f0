"""The filters of both ends of one link: what this end wants is sent until it is answered, and what
the peer wants is applied and answered. Pure.

There is one message of each kind under way at a time, as BNEP has it: so a storm of changes sends
no more than the link answers. A response has no number; one that belongs to an earlier message may
come late, and the message that it seems to answer may be lost. So what is wanted is sent again
every AGAIN seconds.
"""

from __future__ import annotations

from netalias.filters import Filters, bnep, spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.filters import Range

RETRY = 1.0
"""Seconds for a response; BNEP allows 1 to 30. They double with each try."""
AGAIN = 60.0
"""Seconds between two tries at most, and until what was answered is sent again."""
MESSAGES = 4
"""Messages of one packet that are taken."""
PACKETS, PACKET_RATE = 32.0, 16.0
"""Packets of the peer that are looked at, at once and in each second: what exceeds that costs no
work, and is lost like any packet."""
BURST, RATE = 8.0, 4.0
"""Changes by the peer that are applied at once, and in each second: each takes the lock of the
kernel for all its devices (RTNL). What exceeds that is not answered, so the peer sends it again."""
WAITING = -1
"""In place of a result: there is none yet."""


class _Asked:
    """One list that this end sends by *command*; *told*: the peer may have one already."""

    def __init__(self, command: int, *, told: bool) -> None:
        self.command = command
        self.wanted: tuple[Range, ...] = ()
        self.result = WAITING
        self._sent: tuple[Range, ...] | None = None if told else ()
        """The list that the peer was told last, None for one that is not known. At the beginning of
        a link it lets everything pass."""
        self._waits = False
        self._tries = 0
        self._next: float | None = None

    @property
    def told(self) -> bool:
        """Whether the peer may have another list than an empty one."""
        return self._waits or self._sent != ()

    def want(self, wanted: tuple[Range, ...], now: float) -> None:
        """Send this list, now or after the response to an earlier one."""
        self.wanted = wanted
        if not self._waits and wanted != self._sent:
            self.result, self._tries, self._next = WAITING, 0, now

    def due(self, now: float) -> float | None:
        """Seconds until tick()."""
        return None if self._next is None else max(0.0, self._next - now)

    def tick(self, now: float) -> bytes:
        """The message."""
        if self.wanted != self._sent:
            self.result = WAITING
        self._sent, self._waits = self.wanted, True
        self._next = now + min(RETRY * 2**self._tries, AGAIN)
        self._tries = min(self._tries + 1, 10)
        return bnep.filter_message(self.command, self.wanted)

    def answered(self, result: int, now: float) -> None:
        """The peer has answered."""
        if not self._waits:
            return
        self.result, self._waits, self._tries = result, False, 0
        if self.wanted != self._sent:
            self._next = now
        else:
            self._next = now + AGAIN if self.wanted else None


class _Allowance:
    """A limit: *most* things at once, and *rate* of them in each second after that."""

    def __init__(self, most: float, rate: float) -> None:
        self._most = self._left = most
        self._rate = rate
        self._since = 0.0

    def takes(self, now: float) -> bool:
        """Whether there is room for one more, which counts then."""
        self._left = min(self._most, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class Exchange:
    """One link. *apply* lets the filters of the peer decide about what is sent to it, and gives the
    result, one of bnep.RESULTS. ``theirs`` are those in force. *told*: another process has told the
    peer filters of this end."""

    def __init__(
        self, apply: Callable[[Filters], int], theirs: Filters | None = None, *, told: bool = False
    ) -> None:
        self.theirs = theirs or Filters()
        self._apply = apply
        self._asked = {command: _Asked(command, told=told) for command in bnep.SETS}
        self._packets = _Allowance(PACKETS, PACKET_RATE)
        self._changes = _Allowance(BURST, RATE)

    @property
    def told(self) -> bool:
        """Whether the peer may have filters of this end."""
        return any(one.told for one in self._asked.values())

    @property
    def results(self) -> list[str]:
        """The answers of the peer to types and groups; empty ones for none yet."""
        return [bnep.RESULTS.get(one.result, "") for one in self._asked.values()]

    def want(self, filters: Filters, now: float) -> None:
        """Tell the peer what this end wants from now on."""
        for command, wanted in zip(self._asked, (filters.types, filters.groups), strict=True):
            self._asked[command].want(wanted, now)

    def due(self, now: float) -> float | None:
        """Seconds until tick(); None for never."""
        found = [wait for one in self._asked.values() if (wait := one.due(now)) is not None]
        return min(found, default=None)

    def tick(self, now: float) -> list[bytes]:
        """The messages that are due."""
        return [one.tick(now) for one in self._asked.values() if one.due(now) == 0]

    def receive(self, packet: bytes, now: float) -> list[bytes]:
        """Take a packet of the peer, any bytes at all; the packets that answer it."""
        if not self._packets.takes(now):
            return []
        answers = []
        for command, content in bnep.messages(packet)[:MESSAGES]:
            answer = self._take(command, content, now)
            if answer:
                answers.append(answer)
        return answers

    def _take(self, command: int, content: int | bytes, now: float) -> bytes:
        if isinstance(content, bytes) and command in bnep.SETS:
            result = self._set(command, content, now)
            return b"" if result == WAITING else bnep.control(bnep.SETS[command][1], result)
        if isinstance(content, bytes):
            return bnep.control(spec.NOT_UNDERSTOOD, command)
        if command in bnep.RESPONSES:
            self._asked[bnep.RESPONSES[command]].answered(content, now)
        elif content in self._asked:
            self._asked[content].answered(spec.UNSUPPORTED, now)
        return b""

    def _set(self, command: int, content: bytes, now: float) -> int:
        """The result of a filter that the peer has set; without SUCCESS all stays as it was.
        WAITING for one that comes too soon after others."""
        try:
            found = bnep.ranges(command, content)
        except bnep.Refused as refused:
            return refused.result
        types, groups = self.theirs.types, self.theirs.groups
        wanted = Filters(*((found, groups) if command == spec.SET_TYPES else (types, found)))
        if wanted == self.theirs:
            return spec.SUCCESS
        if not self._changes.takes(now):
            return WAITING
        result = self._apply(wanted)
        if result == spec.SUCCESS:
            self.theirs = wanted
        return result
