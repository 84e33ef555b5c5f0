"""Lines that follow the addresses of a device: routes, and peers that another device answers for.

::

    route = DEVICE "route" TO { OPTION }
    TO = "default" | PREFIX | PEER
    option = "via" ( PEER | ADDRESS ) | "src" OWN | "metric" NUMBER | "table" NUMBER
    proxy = DEVICE ( "proxy" | "proxyall" ) "on" DEVICE

    ppp0 route default via HISADDR src MYADDR
    ppp0 proxyall on eth0

OWN is MYADDR, the address that others have given to the device, and PEER is HISADDR, that of the
other end; those of IPv6 are MYADDR6 and HISADDR6. The words are user-ppp's. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task
from netalias.families import lazy
from netalias.model import AF_INET, AF_INET6, RT_TABLE_MAIN, address_text, names, prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ROUTE, PROXY, PROXYALL = "route", "proxy", "proxyall"
KEYWORDS = (ROUTE, PROXY, PROXYALL)
DEFAULT, ON = "default", "on"
VIA, SRC, METRIC, TABLE = "via", "src", "metric", "table"
DEFAULTS = {DEFAULT: 0, "0.0.0.0/0": AF_INET, "::/0": AF_INET6}
"""Spelling of the default route: its family, 0 where the other words tell it."""
OWN = {"MYADDR": AF_INET, "MYADDR6": AF_INET6}
PEER = {"HISADDR": AF_INET, "HISADDR6": AF_INET6}
"""Word: its family."""
RT_TABLE_LOCAL = 255
LIMITS = {METRIC: (1, 2**32 - 1), TABLE: (1, 2**30 - 1)}
"""Word: the least and the largest number behind it; tables from there on are those of aliases and
tunnels."""
EXAMPLE = f"ppp0 {ROUTE} {DEFAULT} {VIA} HISADDR"


class Route(Task):
    """A declared route. ``to``, ``via`` and ``src`` are words, the last two empty for none;
    ``metric`` is 0 for that of the kernel."""

    keyword = ROUTE

    def __init__(
        self, device: str, family: int, to: str, options: dict[str, str], table: int, metric: int
    ) -> None:
        super().__init__(device, device)
        self.family = family
        self.to = to
        self.via = options.get(VIA, "")
        self.src = options.get(SRC, "")
        self.table = table
        self.metric = metric

    @property
    def key(self) -> tuple[str, str]:
        """Device, family and destination; metric and table tell two of them apart."""
        return ROUTE, f"{self.subject} {self.family} {self.to} {self.metric} {self.table}"

    @property
    def title(self) -> str:
        """``ppp0 route default``."""
        return f"{self.subject} {ROUTE} {self.to}"

    def words(self) -> list[str]:
        """``ppp0 route default via HISADDR src MYADDR metric 10 table 100``."""
        found = [self.subject, ROUTE, self.to]
        for word, value in ((VIA, self.via), (SRC, self.src)):
            found += [word, value] if value else []
        found += [METRIC, str(self.metric)] if self.metric else []
        return found + ([TABLE, str(self.table)] if self.table != RT_TABLE_MAIN else [])

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        found: dict[str, object] = {"ifname": self.subject, ROUTE: self.to}
        found |= {word: value for word, value in ((VIA, self.via), (SRC, self.src)) if value}
        return found | ({METRIC: self.metric} if self.metric else {}) | {TABLE: self.table}


class Proxies(Task):
    """A declared publication: the device ``on`` answers for the peer of the own address of
    ``main``, with ``every`` for the peers of all its addresses."""

    def __init__(self, device: str, keyword: str, on: str) -> None:
        super().__init__(device, device)
        self.keyword = keyword
        self.on = on

    @property
    def key(self) -> tuple[str, str]:
        """Both devices, whichever of the two words it is."""
        return PROXY, f"{self.subject} {self.on}"

    @property
    def every(self) -> bool:
        """Whether it is about all peers."""
        return self.keyword == PROXYALL

    def words(self) -> list[str]:
        """``ppp0 proxyall on eth0``."""
        return [self.subject, self.keyword, ON, self.on]

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        return {"ifname": self.subject, self.keyword: self.on}


def read(words: list[str]) -> Route | Proxies:
    """The task of a line. Raises UsageError, FamilyError."""
    names.check_device(words[0], limit=names.ALTNAME_MAX)
    title = f"{words[0]} {words[1]}"
    if words[1] == ROUTE:
        return _route(words, title)
    example = f"{title} {ON} eth0"
    if words[2:3] != [ON] or not words[3:]:
        at = min(2, len(words) - 1)
        raise at_word(at, errors.UsageError(f"{title}: {ON} DEVICE is needed", example))
    if words[4:]:
        raise at_word(4, errors.UsageError(f"{title}: {words[4]}: one word too many", example))
    try:
        names.check_device(words[3], limit=names.ALTNAME_MAX)
    except errors.UsageError as error:
        raise at_word(3, type(error)(f"{title}: {error}", error.hint)) from None
    if words[3] == words[0]:
        raise at_word(3, errors.UsageError(f"{title} {ON} {words[3]}: another device answers"))
    return Proxies(words[0], words[1], words[3])


def _route(words: list[str], title: str) -> Route:
    """The task of a route. Raises UsageError, FamilyError."""
    if words[0].startswith("relay") and words[0][5:].isdigit():
        raise errors.UsageError(f"{title}: the routes of a relay are its prefixes")
    to = "".join(words[2:3])
    if not to:
        raise at_word(1, errors.UsageError(f"{title}: a destination is missing", EXAMPLE))
    to, family = _destination(to, title)
    families = {2: family} if family else {}
    options: dict[str, str] = {}
    numbers = {METRIC: 0, TABLE: RT_TABLE_MAIN}
    for at in range(3, len(words), 2):
        word, value = words[at], "".join(words[at + 1 : at + 2])
        if word in options or word not in (VIA, SRC, METRIC, TABLE):
            text = "said twice" if word in options else "not a word of this line"
            hint = ", ".join((VIA, SRC, METRIC, TABLE))
            raise at_word(at, errors.UsageError(f"{title} {to}: {word}: {text}", hint))
        options[word] = value
        if word in LIMITS:
            numbers[word] = _number(f"{title} {to}", word, value, at)
        else:
            families[at + 1] = _end(f"{title} {to}", word, value, at)
    _check_follows([to, *options.values()], f"{title} {to}")
    family = next(iter(families.values()))
    for at, other in families.items():
        if other != family:
            text = f"{title} {to}: {words[at]}: not of the family of the words before it"
            raise at_word(at, errors.UsageError(text))
    return Route(words[0], family, to, options, numbers[TABLE], numbers[METRIC])


def _destination(text: str, title: str) -> tuple[str, int]:
    """A destination in its usual spelling, and its family, 0 where the other words tell it. Raises
    UsageError, FamilyError."""
    if text in PEER:
        return text, PEER[text]
    if text in DEFAULTS:
        return DEFAULT, DEFAULTS[text]
    try:
        packed, length = _parsed(text)
    except errors.UsageError as error:
        raise at_word(2, type(error)(f"{title}: {error}", error.hint)) from None
    family = AF_INET if len(packed) == 4 else AF_INET6
    length = 8 * len(packed) if length is None else length
    if not length or prefix.network(packed, length) != packed:
        text = f"{title}: {text}: not the first address of its network"
        raise at_word(2, errors.BadAddress(text))
    return f"{address_text(family, packed)}/{length}", family


def _end(title: str, word: str, value: str, at: int) -> int:
    """The family of what follows via or src. Raises UsageError, FamilyError."""
    if value in (OWN if word == SRC else PEER):
        return (OWN | PEER)[value]
    if word == SRC or value in OWN or not value:
        needed = " or ".join(OWN if word == SRC else PEER)
        text = f"{title}: {f'{word} {value}'.rstrip()}: {needed} is needed"
        raise at_word(min(at + 1, at + bool(value)), errors.UsageError(text, EXAMPLE))
    try:
        packed, length = _parsed(value)
    except errors.UsageError as error:
        raise at_word(at + 1, type(error)(f"{title}: {error}", error.hint)) from None
    if length is not None:
        raise at_word(at + 1, errors.BadAddress(f"{title}: {value}: a router has no /BITS"))
    return AF_INET if len(packed) == 4 else AF_INET6


def _parsed(text: str) -> tuple[bytes, int | None]:
    return lazy().get("ipv6" if ":" in text else "ip").parse(text)


def _check_follows(said: Sequence[str], title: str) -> None:
    """Check that a word of the route is one that follows the device. Raises UsageError."""
    if not any(one in OWN or one in PEER for one in said):
        text = f"{title}: neither MYADDR nor HISADDR is in it, so it follows nothing"
        raise errors.UsageError(text, "whoever sets up the device sets its other routes")


def _number(title: str, word: str, text: str, at: int) -> int:
    least, most = LIMITS[word]
    found = names.number(text)
    if not least <= found <= most or (word == TABLE and found == RT_TABLE_LOCAL):
        wrong = f"{word} {text}".rstrip()
        needed = f"a number from {least} to {most}" + f" but {RT_TABLE_LOCAL}" * (word == TABLE)
        error = errors.UsageError(f"{title}: {wrong}: {needed} is needed")
        raise at_word(at + bool(text), error)
    return found
