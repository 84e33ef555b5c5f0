"""The judge of a trace: who answered for each address, whether ever two did, and how long nobody.

Pure: it is fed with what was seen on the segment, in the order of time, and tells a Verdict. All
times are seconds of one clock, and all instants are those of the capture.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

TURNAROUND = 0.1
"""Seconds that a holder which let go and took again was away at least: whoever is heard before and
after another one, with less between, had the address all the time."""
LAST = 1.0
"""Seconds at the end of which each address has to answer a question."""


class Answer(NamedTuple):
    """A reply: the holder of *mac* had the *address* at an instant between the question of this
    round and *seen*."""

    seen: float
    address: str
    mac: str
    round: int


class Claim(NamedTuple):
    """A frame that nobody asked for and that names *mac* as the holder: an announcement, or a
    question that is asked from the address."""

    seen: float
    address: str
    mac: str


class Double(NamedTuple):
    """Two holders of one address: from the first to the last frame that shows them."""

    address: str
    begin: float
    end: float
    macs: tuple[str, ...]


class Gap(NamedTuple):
    """No answer: from the first question without one to the next with one, which *after* gave.

    *before* answered last. An open one, at the end of the trace, has no *after*.
    """

    address: str
    begin: float
    end: float
    before: str
    after: str

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.end - self.begin


class Tenure(NamedTuple):
    """One holder's time: from its first frame to its last before another one's."""

    address: str
    mac: str
    begin: float
    end: float


@dataclass
class Verdict:
    """``silent`` are addresses that nobody answers for in the end; ``moves`` changes of the holder;
    ``claims`` the announcements, ``storm`` the most of them in one second, ``shouted`` the most for
    one address in one second. ``lost`` frames were not captured: the trace proves nothing then."""

    doubles: list[Double] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    tenures: list[Tenure] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    answers: int = 0
    claims: int = 0
    storm: int = 0
    shouted: int = 0
    lost: int = 0
    seconds: float = 0.0

    @property
    def moves(self) -> int:
        """The number of times that an address got another holder."""
        return len(self.tenures) - len({one.address for one in self.tenures})

    @property
    def longest(self) -> Gap | None:
        """The longest time without an answer."""
        return max(self.gaps, key=attrgetter("seconds"), default=None)

    def owners(self) -> Mapping[str, str]:
        """Address -> the MAC that answered last."""
        return {one.address: one.mac for one in sorted(self.tenures, key=attrgetter("end"))}

    def spread(self) -> Counter[str]:
        """MAC -> the number of addresses that it has in the end."""
        return Counter(self.owners().values())

    def between(self, begin: float, end: float) -> Gap | None:
        """The longest gap that ends after *begin* and begins before *end*."""
        found = (one for one in self.gaps if one.end > begin and one.begin < end)
        return max(found, key=attrgetter("seconds"), default=None)

    def behind(self, moment: float, macs: Collection[str]) -> float | None:
        """Seconds from a moment until each address that was silent then, and that one of these MACs
        had, was answered; None where none was silent."""
        gaps = (gap for gap in self.gaps if gap.begin <= moment < gap.end and gap.before in macs)
        return max((gap.end - moment for gap in gaps), default=None)

    @property
    def proven(self) -> bool:
        """Whether no frame is missing, and no address ever had two holders."""
        return not self.lost and not self.doubles


def judge(
    addresses: Iterable[str],
    rounds: Sequence[float],
    answers: Iterable[Answer],
    claims: Iterable[Claim] = (),
    lost: int = 0,
) -> Verdict:
    """The verdict on a trace in which every round asked for all *addresses* once.

    *rounds* are the times of the questions, rising; *answers* and *claims* may stand in any order.
    """
    replied: dict[str, list[Answer]] = {one: [] for one in addresses}
    claimed: dict[str, list[Claim]] = defaultdict(list)
    for answer in answers:
        replied.setdefault(answer.address, []).append(answer)
    for claim in claims:
        claimed[claim.address].append(claim)
    found = Verdict(lost=lost, seconds=rounds[-1] - rounds[0] if rounds else 0.0)
    for address in sorted({*replied, *claimed}):
        heard = sorted(replied.get(address, ()))
        said = sorted(claimed[address])
        found.answers += len(heard)
        found.claims += len(said)
        found.shouted = max(found.shouted, _most([one.seen for one in said]))
        found.doubles += [*_to_one_question(address, rounds, heard)] or [*_in_turn(heard, said)]
        found.tenures += _tenures(heard, said)
        if address in replied:
            found.gaps += _gaps(address, rounds, heard)
            if not heard or rounds[heard[-1].round] < rounds[-1] - LAST:
                found.silent.append(address)
    found.storm = _most(sorted(one.seen for some in claimed.values() for one in some))
    return found


def _to_one_question(
    address: str, rounds: Sequence[float], heard: Sequence[Answer]
) -> Iterable[Double]:
    """Two who answered one question; rounds that follow one another are one double."""
    asked: dict[int, dict[str, float]] = defaultdict(dict)
    for one in heard:
        asked[one.round][one.mac] = one.seen
    open_: Double | None = None
    last = -2
    for number in sorted(asked):
        if len(asked[number]) < 2:
            continue
        begin, end = rounds[number], max(asked[number].values())
        macs = tuple(sorted(asked[number]))
        if open_ is not None and number == last + 1 and open_.macs == macs:
            open_ = open_._replace(end=end)
        else:
            if open_ is not None:
                yield open_
            open_ = Double(address, begin, end, macs)
        last = number
    if open_ is not None:
        yield open_


def _in_turn(heard: Sequence[Answer], said: Sequence[Claim]) -> Iterable[Double]:
    """One who was heard before and after another one, and was not away for TURNAROUND."""
    seen: dict[str, float] = {}
    previous = ""
    for time, mac in _in_order(heard, said):
        if mac != previous and mac in seen and time - seen[mac] < TURNAROUND:
            yield Double(said[0].address if said else heard[0].address, seen[mac], time,
                         tuple(sorted((mac, previous))))  # fmt: skip
        seen[mac] = time
        previous = mac


def _tenures(heard: Sequence[Answer], said: Sequence[Claim]) -> list[Tenure]:
    found: list[Tenure] = []
    address = (said or heard)[0].address if (said or heard) else ""
    for time, mac in _in_order(heard, said):
        if found and found[-1].mac == mac:
            found[-1] = found[-1]._replace(end=time)
        else:
            found.append(Tenure(address, mac, time, time))
    return found


def _in_order(heard: Sequence[Answer], said: Sequence[Claim]) -> list[tuple[float, str]]:
    return sorted([(one.seen, one.mac) for one in heard] + [(one.seen, one.mac) for one in said])


def _gaps(address: str, rounds: Sequence[float], heard: Sequence[Answer]) -> Iterable[Gap]:
    """Rounds without an answer, one after the other."""
    last, mac = -1, ""
    for one in sorted(heard, key=attrgetter("round")):
        if one.round > last + 1:
            yield Gap(address, rounds[last + 1], rounds[one.round], mac, one.mac)
        last, mac = max(last, one.round), one.mac
    if last + 1 < len(rounds):
        yield Gap(address, rounds[last + 1], rounds[-1], mac, "")


def _most(times: Sequence[float]) -> int:
    """The most of these rising times that lie within one second."""
    return max((at + 1 - bisect_right(times, one - 1.0) for at, one in enumerate(times)), default=0)
