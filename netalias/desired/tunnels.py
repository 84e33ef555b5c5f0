"""The line ``vif0``: a device of its own, whose address a machine elsewhere has routed to it.

::

    line    = "vif" NUMBER ADDRESS [ "/" LENGTH ] outer
    outer   = ( "to" PEER | "to" "passive" | "carriage" CARRIAGE [ ":" PORT ] | "mtu" BYTES
              | "key" FILE )*

    vif0 198.51.100.7 to 203.0.113.9 carriage udp:7777
    vif1 2001:db8::7/64 to passive carriage ipip94 mtu 1400

What is sent from the address to anywhere else is carried to PEER, between the two hosts. With
``passive`` the peer is whoever is heard first. The words of *outer* are those of any tunnel. Pure.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task
from netalias.families import lazy
from netalias.model import names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.families import AliasType

KEYWORD = "vif"
"""The beginning of the name of such a device."""
UNITS = 256
"""Number of devices: vif0 to vif255 (VIF 1.11 knew of no more)."""
PASSIVE = "passive"
UDP, WIREGUARD = "udp", "wireguard"
PORTS = {UDP: 7777, WIREGUARD: 51820}
"""Carriages that have a port: the one of a line that names none."""
CARRIAGES = ("ipip94", "ipip", *PORTS)
LEAST, MOST = 576, 65535
"""Bytes of an MTU: what every host of IPv4 takes (RFC 791), and the largest packet."""
LEAST_IPV6 = 1280
"""Bytes that every link of IPv6 carries (RFC 8200)."""
PATH_MAX = 4095
"""Bytes of a path (limits.h, without the NUL)."""


class Outer:
    """The outside of a tunnel: the peer's address (empty for whoever is heard first), the carriage,
    its port (0 for none), the MTU of the device (0 for the usual one), and a file with the key."""

    def __init__(self) -> None:
        self.peer = self.carriage = self.key = ""
        self.port = self.mtu = 0

    def words(self) -> list[str]:
        """``to 203.0.113.9 carriage udp:7777``."""
        port = f":{self.port}" if self.port else ""
        found = ["to", self.peer or PASSIVE, "carriage", f"{self.carriage}{port}"]
        found += ["mtu", str(self.mtu)] if self.mtu else []
        return found + (["key", self.key] if self.key else [])

    def fields(self) -> dict[str, object]:
        """Its part of a JSON object."""
        found: dict[str, object] = {"to": self.peer or PASSIVE, "carriage": self.carriage}
        found |= {"port": self.port} if self.port else {}
        found |= {"mtu": self.mtu} if self.mtu else {}
        return found | ({"key": self.key} if self.key else {})

    def meets(self, other: Outer) -> bool:
        """Whether the packets of two tunnels cannot be told apart when they come in."""
        if (self.carriage, self.port) != (other.carriage, other.port):
            return False
        if self.key or other.key:
            return True  # whoever has a key hears everybody, since its peer may be anywhere
        return not (self.peer and other.peer) or self.peer == other.peer


class Tunnel(Task):
    """A task that is a tunnel: ``name`` is that of its device, ``outer`` its outside."""

    def __init__(self, name: str, outer: Outer, main: str = "") -> None:
        super().__init__(name, main or name)
        self.outer = outer

    @property
    def name(self) -> str:
        """``vif0``."""
        return self.subject

    def has(self, name: str) -> bool:
        """Whether *name* is that of its device, from now on if it has none yet."""
        return name == self.name

    @property
    def restoring(self) -> str:
        """The end of the one by hand."""
        return f"netalias {self.name}-"

    def inner(self) -> list[str]:
        """Pairs of word and value that tell the data plane which packets belong inside."""
        return []

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other tunnel has the same peer and carriage. Raises AlreadyExists."""
        for other in others:
            if isinstance(other, Tunnel) and other is not self and self.outer.meets(other.outer):
                how = " ".join(self.outer.words()[:4])
                raise errors.AlreadyExists(
                    f"{self.title}: {how}: {other.title} receives this already{at(other)}",
                    "another port tells two tunnels apart" if self.outer.port else "",
                )


def at(task: Task) -> str:
    """The place of a task in brackets; empty for one that was made by hand."""
    return f" ({task.place})" if task.source else ""


class Vif(Tunnel):
    """A declared device: ``local`` is its packed address, of ``type``, ``prefixlen`` its length."""

    keyword = KEYWORD

    def __init__(
        self, name: str, local: bytes, prefixlen: int, alias_type: AliasType, outer: Outer
    ) -> None:
        super().__init__(name, outer)
        self.local = local
        self.prefixlen = prefixlen
        self.type = alias_type

    @property
    def title(self) -> str:
        """``vif0``."""
        return self.subject

    @property
    def address(self) -> str:
        """``198.51.100.7/32``."""
        return f"{self.type.format(self.local)}/{self.prefixlen}"

    def lends(self, address: bytes) -> bool:
        """Whether a packed address is its own."""
        return address == self.local

    def apart_from(self, others: Iterable[Task]) -> None:
        """Check that no other line has its address, nor its packets. Raises AlreadyExists."""
        others = [*others]
        for other in others:
            if other is not self and other.lends(self.local):
                text = self.type.format(self.local)
                raise errors.AlreadyExists(
                    f"{self.title}: {text} is that of {other.title}{at(other)}"
                )
        super().apart_from(others)

    def inner(self) -> list[str]:
        """``address 198.51.100.7/32``."""
        return ["address", self.address]

    def words(self) -> list[str]:
        """``vif0 198.51.100.7/32 to 203.0.113.9 carriage udp:7777``."""
        return [self.subject, self.address, *self.outer.words()]

    def fields(self) -> dict[str, object]:
        """Its JSON object, without the place."""
        found: dict[str, object] = {"ifname": self.subject, "tunnel": KEYWORD}
        found |= {"family": "inet6" if ":" in self.address else "inet"}
        found |= {"local": self.type.format(self.local), "prefixlen": self.prefixlen}
        return found | self.outer.fields()


def unit_of(name: str) -> int:
    """The number of ``vifN``; -1 for any other name."""
    digits = name.removeprefix(KEYWORD)
    unit = names.number(digits, 3) if digits != name else -1
    return unit if f"{KEYWORD}{unit}" == name and unit < UNITS else -1


def tunnel_of(line: str, name: str = "") -> Tunnel | None:
    """The tunnel of a line, which has the device *name* if one is given; None for a line that is
    malformed or of another version, and for a device that it cannot have."""
    from netalias.desired.tasks import read as read_task

    words = line.split()
    try:
        task = read_task(words) if words else None
    except errors.NetaliasError:
        return None
    return task if isinstance(task, Tunnel) and (not name or task.has(name)) else None


def read(words: list[str]) -> Vif:
    """The task of a line. Raises UsageError."""
    name = words[0]
    if unit_of(name) < 0:
        raise errors.BadName(f"{name}: not the name of a tunnel", f"vif0 to vif{UNITS - 1}")
    if len(words) < 2:
        raise errors.UsageError(f"{name}: the address is missing", f"{name} {EXAMPLE}")
    try:
        alias_type = lazy().get("ipv6" if ":" in words[1] else "ip")
        local, length = alias_type.parse(words[1])
        _check_host(local, words[1])
    except errors.BadAddress as error:
        raise at_word(1, errors.BadAddress(f"{name}: {error}", error.hint)) from None
    outer = read_outer(words, 2, name)
    if outer is None:
        raise at_word(1, errors.UsageError(f"{name}: to PEER is missing", f"{name} {EXAMPLE}"))
    found = Vif(name, local, alias_type.bits if length is None else length, alias_type, outer)
    _check_inner(found)
    return found


EXAMPLE = "198.51.100.7 to 203.0.113.9 carriage udp"


def _check_inner(found: Vif) -> None:
    """Check that a device can have both its address and its outside. Raises UsageError."""
    outer = found.outer
    if outer.peer == found.type.format(found.local):
        raise errors.UsageError(f"{found.name}: the peer {outer.peer} cannot be its own address")
    if outer.mtu and outer.mtu < LEAST_IPV6 and len(found.local) > 4:
        raise errors.UsageError(
            f"{found.name}: mtu {outer.mtu}: IPv6 needs at least {LEAST_IPV6} bytes"
        )


def _check_host(packed: bytes, text: str) -> None:
    """Check that a packed address can be that of a host elsewhere. Raises BadAddress."""
    size = len(packed)
    loopback = packed[0] == 127 if size == 4 else packed == bytes(15) + b"\1"
    if loopback:
        raise errors.BadAddress(f"{text}: a loopback address")
    if not any(packed) or (size == 4 and packed[0] in (0, *range(224, 256))):
        raise errors.BadAddress(f"{text}: not the address of one host")


def read_outer(words: Sequence[str], at: int, title: str) -> Outer | None:
    """The outside that the words from *at* on tell; None without ``to``, where the caller demands
    it. Raises UsageError."""
    outer = Outer()
    said = set()
    for index in range(at, len(words), 2):
        word, text = words[index], "".join(words[index + 1 : index + 2])
        if word not in VALUES or word in said:
            again = "said twice" if word in said else "not a word of this line"
            raise at_word(
                index, errors.UsageError(f"{title}: {word}: {again}", f"one of: {' '.join(VALUES)}")
            )
        said.add(word)
        try:
            VALUES[word](outer, text)
        except errors.UsageError as error:
            text = f"{title}: {word}: {error}"
            place = min(index + 1, len(words) - 1)
            raise at_word(place, type(error)(text, error.hint)) from None
    if "to" not in said:
        return None
    if not outer.carriage:
        raise at_word(
            len(words) - 1,
            errors.UsageError(f"{title}: carriage is missing", f"one of: {' '.join(CARRIAGES)}"),
        )
    fault = _key_fault(outer)
    if fault is not None:
        raise at_word(len(words) - 1, errors.UsageError(f"{title}: {fault[0]}", fault[1]))
    return outer


def _key_fault(outer: Outer) -> tuple[str, str] | None:
    """A key where none can be, or none where one must be: the fault and its remedy."""
    if outer.carriage == WIREGUARD and not outer.key:
        return f"carriage {WIREGUARD}: key FILE is needed", "a file as wg setconf reads it"
    if outer.key and outer.carriage not in PORTS:
        return f"key: carriage {outer.carriage} cannot have one", f"one of: {' '.join(PORTS)}"
    return None


def _to(outer: Outer, text: str) -> None:
    if text == PASSIVE:
        return
    if not text:
        raise errors.UsageError("the address of the peer, or passive, is needed")
    alias_type = lazy().get("ipv6" if ":" in text else "ip")
    packed, length = alias_type.parse(text)
    if length is not None:
        raise errors.BadAddress(f"{text}: an address without a prefix length is needed")
    _check_host(packed, text)
    outer.peer = alias_type.format(packed)


def _carriage(outer: Outer, text: str) -> None:
    carriage, colon, port = text.partition(":")
    if carriage not in CARRIAGES:
        hint = f"one of: {' '.join(CARRIAGES)}"
        raise errors.UsageError(f"{text}: unknown" if text else "a carriage is needed", hint)
    if colon and carriage not in PORTS:
        raise errors.UsageError(f"{text}: {carriage} has no ports")
    outer.carriage = carriage
    outer.port = names.number(port, 5) if colon else PORTS.get(carriage, 0)
    if carriage in PORTS and not 0 < outer.port < 65536:
        raise errors.UsageError(f"{text}: a port from 1 to 65535 is needed")


def _mtu(outer: Outer, text: str) -> None:
    outer.mtu = names.number(text, 5)
    if not LEAST <= outer.mtu <= MOST:
        said = f"{text}: " if text else ""
        raise errors.UsageError(f"{said}bytes from {LEAST} to {MOST} needed")


def _key(outer: Outer, text: str) -> None:
    if not text.startswith("/") or len(text.encode("utf-8", "surrogateescape")) > PATH_MAX:
        said = f"{text}: " if text else ""
        raise errors.UsageError(f"{said}the absolute path of a file is needed")
    outer.key = text


VALUES: dict[str, Callable[[Outer, str], None]] = {
    "to": _to, "carriage": _carriage, "mtu": _mtu, "key": _key,
}  # fmt: skip
"""Word: sets its value from the word behind it. Raises UsageError."""
