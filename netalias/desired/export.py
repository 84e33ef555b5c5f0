"""Export: the kernel's aliases as lines of netalias.conf(5), with ranges where slots run on. Pure.

The inverse of declarations.py: a file written here plans nothing when it is read back, as far as
the grammar can express an alias::

    eth0:1-50     10.0.0.1-50/32     kind label
    eth0:60-69    10.0.0.250/32+     kind label
    eth0:70       2001:db8::1/64     kind macvlan mtu 1400
    eth0:71       ddp 1000.12        kind macvlan
    # eth0:72: half-made, without an address
    # eth0:73: 10.0.0.1 is the address of eth0:1
"""

from __future__ import annotations

from netalias.desired.lines import COMMENT
from netalias.families import FAMILIES
from netalias.families.fields import address_fields
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFF_BROADCAST,
    MTU_INET6,
    address_text,
    mac_text,
    prefix,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Protocol

    from netalias.families import Registry
    from netalias.model import Address, Alias, Device
    from netalias.model.names import AliasName

    class Entry(Protocol):
        """One alias of a run: an Alias has all of this, and so have imported ones."""

        @property
        def name(self) -> AliasName: ...
        @property
        def kind(self) -> str: ...
        @property
        def family(self) -> int: ...
        @property
        def address(self) -> bytes: ...
        @property
        def asked(self) -> int: ...
        @property
        def expired(self) -> bool: ...
        @property
        def whole(self) -> bool: ...

    Words = list[str] | str | None


LABEL = "label"
OWN_MAC = ("macvlan", "dummy")
"""Kinds with a MAC of their own; an ipvlan has the MAC of its main device."""

WORDS = {
    "address_peer": "pointopoint",
    "broadcast": "broadcast",
    "metric": "metric",
    "mtu": "mtu",
    "address": "hw ether",
    "lease": "lease",
    "source": "source",
    "gateway": "gateway",
    "linklocal": "linklocal",
}
"""Field of ``save -j``: the words before its value in a line."""
SWITCHES: dict[tuple[str, object], str] = {
    ("broadcast", None): "-broadcast",
    ("up", False): "down",
    ("deprecated", True): "deprecated",
}
"""Field of ``save -j`` and its value: the word for them."""


def words(alias: Alias, registry: Registry, *, mac: bool = False) -> list[str] | None:
    """The words after ADDRESS/LEN; None for an alias without an address.

    An expired alias counts as one without: another host may have its address by now. The MAC is
    written when *mac* is true or when it is universally administered: neither the kernel nor
    netalias chooses such a MAC, so it was given.
    """
    if not alias.family or alias.expired:
        return None
    found = ["kind", alias.kind]
    for field, value in _settings(alias, registry, mac).items():
        switch = SWITCHES.get((field, value))
        found += [switch] if switch else [*WORDS[field].split(), str(value)]
    return found


def lines(aliases: Iterable[Alias], registry: Registry, *, mac: bool = False) -> list[str]:
    """Aligned lines of the file grammar for those of *aliases* that are ours, in their order."""
    ours = [alias for alias in aliases if alias.ours]
    said = (
        (alias, reason or words(alias, registry, mac=mac))
        for alias, reason in zip(ours, repeated(ours, registry), strict=True)
    )
    return aligned([run.row(registry) for run in runs(said)])


def repeated(aliases: Sequence[Alias], registry: Registry) -> list[str]:
    """For each of *aliases* why it cannot be declared beside those before it, or nothing: a label
    and devices may have the same address in the kernel, or the same name, and a device may be
    called as a comment begins."""
    owners: dict[tuple[int, bytes], Alias] = {}
    known: set[AliasName] = set()
    found = [""] * len(aliases)
    for place, alias in enumerate(aliases):
        if not alias.family or alias.expired:
            continue
        owner = owners.setdefault((alias.family, alias.address), alias)
        if alias.name.startswith(COMMENT):
            found[place] = f"a line that begins with {COMMENT} is a comment"
        elif alias.name in known:
            found[place] = "another alias has this name"
        elif owner is not alias:
            text = registry.get(alias.family).format(alias.address)
            found[place] = f"{text} is the address of {owner.name}"
        known.add(alias.name)
    return found


def foreign(aliases: Iterable[Alias], registry: Registry) -> list[str]:
    """Aligned lines for those of *aliases* that are not ours, one alias a line."""
    others = [alias for alias in aliases if not alias.ours]
    return aligned([Run(alias, words(alias, registry)).row(registry) for alias in others])


def objects(
    aliases: Iterable[Alias], registry: Registry, *, mac: bool = False
) -> list[dict[str, object]]:
    """JSON objects for those of *aliases* that are ours, with the field names of views.

    They hold what is needed to make the alias again. Defaults are left out; ``broadcast`` is null
    where the usual one is missing; a half-made alias has no ``local``.
    """
    return [_object(alias, registry, mac) for alias in aliases if alias.ours]


def fields(words: Iterable[str]) -> dict[str, object]:
    """The fields of ``save -j`` for the words after ADDRESS/LEN, the inverse of words()."""
    switches = {word: field for field, word in SWITCHES.items()}
    named = {word: field for field, word in WORDS.items()} | {"kind": "kind"}
    found: dict[str, object] = {}
    rest = iter(words)
    for word in rest:
        if word in switches:
            field, value = switches[word]
            found[field] = value
            continue
        if word == "hw":
            word += f" {next(rest)}"
        text = next(rest)
        found[named[word]] = int(text) if text.isdecimal() else text
    return found


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns from rows of (name, address, rest).

    A row of one text is a line as it is.
    """
    whole = [row for row in rows if len(row) > 1]
    if not whole:
        return [row[0] for row in rows]
    form = "%%-%ds  %%-%ds  %%s" % tuple(max(len(row[at]) for row in whole) for at in (0, 1))
    return [form % tuple(row) if len(row) > 1 else row[0] for row in rows]


class Run:
    """The aliases of one line: slots and addresses count up from ``first``, or down. ``words`` is a
    text for an alias that cannot be declared: the reason."""

    __slots__ = ("first", "last", "step", "words")

    def __init__(self, alias: Entry, words: Words) -> None:
        self.first = alias
        self.last = alias
        self.step = 0
        self.words = words

    def take(self, alias: Entry, words: Words) -> bool:
        """Whether *alias* continues the run; it is then added."""
        step = _step(self.last, alias)
        if not step or self.step not in (0, step) or words != self.words:
            return False
        self.step = step
        self.last = alias
        return True

    def row(self, registry: Registry) -> tuple[str, ...]:
        """The row for aligned(): name, address and words, or a comment."""
        low, high = (self.last, self.first) if self.step < 0 else (self.first, self.last)
        if isinstance(self.words, str):
            return (f"# {low.name}: {self.words}",)
        if self.words is None:
            state = "expired, " if low.expired else "" if low.whole else "half-made, "
            return (f"# {low.name}: {state}without an address",)
        name = str(low.name) if low is high else f"{low.name}-{high.name.slot}"
        return name, _address(low, high, registry), " ".join(self.words)


def runs(said: Iterable[tuple[Entry, Words]]) -> Iterator[Run]:
    """The runs of aliases, each of which comes with its words. Two without words are no run."""
    run = None
    for alias, words in said:
        if run is None or not isinstance(words, list) or not run.take(alias, words):
            if run is not None:
                yield run
            run = Run(alias, words)
    if run is not None:
        yield run


def _step(last: Entry, alias: Entry) -> int:
    """The step, 1 or -1, from slot and address of *last* to those of *alias*; 0 for no run.

    Only labels run downwards: the kernel lists the IPv6 addresses of a device newest first
    (ipv6_link_dev_addr). Devices stand in chain order, which a file keeps.
    """
    step = alias.name.slot - last.name.slot
    if step != 1 and (step != -1 or alias.kind != LABEL):
        return 0
    if (
        alias.family not in FAMILIES
        or alias.family != last.family
        or alias.asked != last.asked
        or alias.name.main != last.name.main
    ):
        return 0
    distance = int.from_bytes(alias.address, "big") - int.from_bytes(last.address, "big")
    return step if distance == step else 0


def _address(low: Entry, high: Entry, registry: Registry) -> str:
    """The address word: ``10.0.0.1-50/24``, ``2001:db8::1/64+``, ``ddp 1000.12``."""
    if low.family not in FAMILIES:
        return _typed(low, registry)
    text = address_text(low.family, low.address)
    if low is high:
        return f"{text}/{low.asked}"
    if low.family == AF_INET and low.address[:3] == high.address[:3]:
        return f"{text}-{high.address[3]}/{low.asked}"
    return f"{text}/{low.asked}+"


def _typed(alias: Entry, registry: Registry) -> str:
    found = registry.get(alias.family)
    text = f"{found.name} {found.format(alias.address)}"
    return text if alias.asked == found.bits else f"{text}/{alias.asked}"


def _object(alias: Alias, registry: Registry, mac: bool) -> dict[str, object]:
    result: dict[str, object] = {"altname": str(alias.name), "kind": alias.kind}
    if alias.family and not alias.expired:
        result |= address_fields(alias.family, alias.address, alias.asked, registry)
    return result | _settings(alias, registry, mac)


def _settings(alias: Alias, registry: Registry, mac: bool) -> dict[str, object]:
    """Fields that differ from the defaults of netalias; see WORDS and SWITCHES."""
    found: dict[str, object] = {}
    entry, device = alias.entry, alias.device
    if entry is not None:
        if entry.peer:
            found["address_peer"] = registry.get(entry.family).format(entry.peer)
        usual = b"" if entry.noted else _usual_broadcast(entry, alias.main)
        if entry.family == AF_INET and entry.broadcast != usual:
            found["broadcast"] = address_text(AF_INET, entry.broadcast) if entry.broadcast else None
        if entry.own_metric:
            found["metric"] = entry.own_metric
    if device is not None:
        if _own_mtu(alias, device):
            found["mtu"] = device.mtu
        if alias.kind in OWN_MAC and _writes_mac(device.mac, mac):
            found["address"] = mac_text(device.mac)
        if not device.up:
            found["up"] = False
        if alias.gateway:
            found["gateway"] = address_text(alias.family, alias.gateway)
        if alias.linklocal:
            found["linklocal"] = "on"
    if alias.ours and alias.lease and not alias.expired:
        found["lease"] = alias.lease
    if entry is not None and entry.family == AF_INET6 and entry.deprecated != alias.sheltered:
        found |= {"deprecated": True} if entry.deprecated else {"source": "on"}
    elif entry is not None and entry.family == AF_INET and alias.sheltered:
        found["source"] = "on"
    return found


def _usual_broadcast(entry: Address, main: Device | None) -> bytes | None:
    """The broadcast address that a wish without one gets (plan/__init__.py), packed.

    None, which equals no address, without a main device.
    """
    if main is None:
        return None
    if entry.peer or not main.flags & IFF_BROADCAST:
        return b""
    return prefix.broadcast(entry.local, entry.prefixlen)


def _own_mtu(alias: Alias, device: Device) -> bool:
    if alias.main is not None and device.mtu == alias.main.mtu:
        return False
    return alias.family != AF_INET6 or device.mtu >= MTU_INET6


def _writes_mac(mac: bytes, every: bool) -> bool:
    """Whether the MAC is written: it must be of one station, and *every* or given."""
    if len(mac) != 6 or mac[0] & 1 or not any(mac):
        return False
    return every or not mac[0] & 2
