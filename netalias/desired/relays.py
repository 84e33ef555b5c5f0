"""The line ``relay``: this host answers for prefixes that another host has, and sends them to it.

::

    line = "relay" PREFIX ( "," PREFIX )* "on" DEVICE outer

    relay 198.51.100.7 on eth0 carriage udp:7777 key /etc/netalias/moved.key
    relay 198.51.100.16/28,2001:db8:7::/64 on eth0 to 203.0.113.9 carriage ipip94

The words of *outer* are those of tunnels.py; without ``to`` the peer is whoever is heard first. The
device of the tunnel is called relay0, relay1 and so on. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tunnels import LEAST_IPV6, PASSIVE, Tunnel, at, read_outer
from netalias.families import lazy
from netalias.model import AF_INET, AF_INET6, Value, names, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.desired.tasks import Task
    from netalias.desired.tunnels import Outer

KEYWORD = "relay"
ON, TO = "on", "to"
MOST = 256
"""Prefixes of one line: each is a route, and each single address a proxy neighbour entry."""
SHORTEST = 8
"""Bits of the shortest prefix: what is shorter would draw the packets of half the Internet."""
EXAMPLE = f"{KEYWORD} 198.51.100.7 {ON} eth0 {TO} {PASSIVE} carriage udp"
LOCAL = {4: (b"\0", b"\x7f", b"\xa9\xfe", b"\xff"), 16: (b"\0\0", b"\xfe\x80", b"\xff")}
"""Beginnings of addresses that never leave the host or its link, by their size (RFC 6890; RFC 4291,
2.4)."""


class Prefix(Value):
    """A network of addresses: ``network`` is packed, its host bits are zero."""

    __slots__ = ("network", "prefixlen")

    def __init__(self, network: bytes, prefixlen: int) -> None:
        self.network = network
        self.prefixlen = prefixlen

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return AF_INET if len(self.network) == 4 else AF_INET6

    @property
    def single(self) -> bool:
        """Whether it is one address."""
        return self.prefixlen == len(self.network) * 8

    @property
    def text(self) -> str:
        """``198.51.100.7``, ``198.51.100.0/28``."""
        address = lazy().get(self.family).format(self.network)
        return address if self.single else f"{address}/{self.prefixlen}"

    def __contains__(self, packed: bytes) -> bool:
        return prefix.contains(self.network, self.prefixlen, packed)

    def meets(self, other: Prefix) -> bool:
        """Whether two have an address in common."""
        return other.network in self or self.network in other


class Relay(Tunnel):
    """A declared relay: its ``prefixes``, and ``main``, the name of the device that answers.

    ``unit`` is the number of its tunnel's device, -1 until name() has given it one.
    """

    keyword = KEYWORD

    def __init__(self, prefixes: Sequence[Prefix], main: str, outer: Outer) -> None:
        super().__init__(",".join(one.text for one in prefixes), outer, main)
        self.prefixes = tuple(prefixes)
        self.on = main
        self.unit = -1

    @property
    def name(self) -> str:
        """``relay0``."""
        return f"{KEYWORD}{self.unit}"

    def has(self, name: str) -> bool:
        """Whether *name* is that of its device, from now on if it has none yet."""
        if self.unit < 0:
            self.unit = names.number(name.removeprefix(KEYWORD))
        return super().has(name)

    def __contains__(self, packed: bytes) -> bool:
        return any(packed in one for one in self.prefixes)

    def lends(self, address: bytes) -> bool:
        """Whether a packed address is one of its single ones, which no alias may have then. One of
        a network may be that of an alias: this host keeps it for itself."""
        return any(one.single and address == one.network for one in self.prefixes)

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other relay has an address of this one, nor its packets. Raises
        AlreadyExists."""
        others = [*others]
        for other in others:
            if isinstance(other, Relay) and other is not self:
                twice = _common(self.prefixes, other.prefixes)
                if twice is not None:
                    raise errors.AlreadyExists(
                        f"{self.title}: {twice.text} is in {other.title} too{at(other)}"
                    )
        super().apart_from(others)

    def inner(self) -> list[str]:
        """``sources 198.51.100.7``: those that packets of the peer may have."""
        return ["sources", self.subject]

    def words(self) -> list[str]:
        """``relay 198.51.100.7 on eth0 to passive carriage udp:7777``."""
        return [KEYWORD, self.subject, ON, self.main, *self.outer.words()]

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        found: dict[str, object] = {"tunnel": KEYWORD, "ifname": self.main}
        return found | {"prefixes": [one.text for one in self.prefixes]} | self.outer.fields()


def _common(some: Iterable[Prefix], others: Sequence[Prefix]) -> Prefix | None:
    """The first of the prefixes *some* that has an address in common with one of the *others*."""
    return next((one for one in some if any(map(one.meets, others))), None)


def name(relays: Iterable[Relay], before: Iterable[Relay], others: Iterable[Relay] = ()) -> None:
    """Number the *relays*: those of the same prefixes as one *before*, or as one of the *others*,
    which other processes carry, are called the same, and so is one that has other prefixes for the
    same peer; each other one gets the first number that is free."""
    given, before = [*relays], [*before]
    subjects = {one.subject for one in given}
    theirs = {one.subject: one.unit for one in others}
    units = theirs | {one.subject: one.unit for one in before if one.subject in subjects}
    gone = [one for one in before if one.subject not in subjects]
    for one in given:
        heirs = [former for former in gone if former.outer.meets(one.outer)]
        if one.subject not in units and heirs:
            units[one.subject] = heirs[0].unit
            gone.remove(heirs[0])
    for one in given:
        if one.subject not in units:
            taken = {*units.values(), *theirs.values()}
            units[one.subject] = next(unit for unit in range(len(taken) + 1) if unit not in taken)
        one.unit = units[one.subject]


def read(words: list[str]) -> Relay:
    """The task of a line. Raises UsageError, FamilyError."""
    if len(words) < 2:
        raise errors.UsageError(f"{KEYWORD}: a prefix is missing", EXAMPLE)
    prefixes = _prefixes(words[1])
    title = f"{KEYWORD} {words[1]}"
    if words[2:3] != [ON] or not words[3:4]:
        raise at_word(
            min(2, len(words) - 1), errors.UsageError(f"{title}: on DEVICE is missing", EXAMPLE)
        )
    try:
        names.check_device(words[3], limit=names.ALTNAME_MAX)
    except errors.UsageError as error:
        raise at_word(3, type(error)(f"{title}: {error}", error.hint)) from None
    outer = _outer(words, title)
    peer = outer.peer and lazy().get("ipv6" if ":" in outer.peer else "ip").parse(outer.peer)[0]
    found = Relay(prefixes, words[3], outer)
    if peer and peer in found:
        raise errors.UsageError(f"{title}: the peer {outer.peer} is one of them itself")
    if outer.mtu and outer.mtu < LEAST_IPV6 and any(one.family == AF_INET6 for one in prefixes):
        raise errors.UsageError(f"{title}: mtu {outer.mtu}: IPv6 needs at least {LEAST_IPV6} bytes")
    return found


def _outer(words: list[str], title: str) -> Outer:
    """The outside of a relay, which is passive if nothing else is said. Raises UsageError."""
    passive = [] if TO in words[4::2] else [TO, PASSIVE]
    try:
        outer = read_outer([*words[:4], *passive, *words[4:]], 4, title)
    except errors.UsageError as error:
        raise at_word(max(error.word - len(passive), 3), error) from None
    assert outer is not None
    return outer


def _is_local(network: bytes) -> bool:
    return network.startswith(LOCAL[len(network)])


def _prefixes(text: str) -> list[Prefix]:
    """The prefixes of ``198.51.100.7,2001:db8::/64``. Raises UsageError."""
    found: list[Prefix] = []
    for word in text.split(","):
        try:
            one = _prefix(word)
            twice = _common([one], found)
        except errors.BadAddress as error:
            raise at_word(1, errors.BadAddress(f"{KEYWORD} {text}: {error}", error.hint)) from None
        if twice is not None:
            raise at_word(1, errors.UsageError(f"{KEYWORD} {text}: {word} is given twice"))
        found.append(one)
    if len(found) > MOST:
        raise at_word(1, errors.UsageError(f"{KEYWORD}: {MOST} prefixes at most in one line"))
    return found


def _prefix(word: str) -> Prefix:
    """The prefix of one word. Raises BadAddress."""
    if not word:
        raise errors.BadAddress("a prefix is missing", EXAMPLE)
    alias_type = lazy().get("ipv6" if ":" in word else "ip")
    packed, length = alias_type.parse(word)
    length = alias_type.bits if length is None else length
    network = prefix.network(packed, length)
    if network != packed:
        address = alias_type.format(packed)
        hint = f"{alias_type.format(network)}/{length}, or {address} for one address"
        raise errors.BadAddress(f"{word}: not the first address of its network", hint)
    if length < SHORTEST:
        raise errors.BadAddress(f"{word}: a prefix of at least {SHORTEST} bits is needed")
    if _is_local(network):
        raise errors.BadAddress(f"{word}: this is not routed to another link")
    return Prefix(network, length)
