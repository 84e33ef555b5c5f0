"""Former addresses of a device, kept for the sockets that are bound to them. Pure.

The copy of an address that a device has lost is a host address: sockets bound to it live on, and
the kernel chooses it for no new one. One of IPv4 is on the device, with scope host, since the
kernel ignores there that an address is deprecated, and with a peer, so that its owner can add it
again whatever its prefix length. One of IPv6 is deprecated, and on lo: a device has an address once
only, whatever its prefix length, so its owner could not add it again beside a copy. A copy carries
our mark and no slot, and its lifetime ends with the time for which it is kept: the kernel removes
it when nobody else does.
"""

from __future__ import annotations

from itertools import islice

from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    PROTOCOL,
    RT_SCOPE_HOST,
    RT_SCOPE_LINK,
    Address,
    Value,
)
from netalias.model.iface import MANUAL
from netalias.model.names import NAME_MAX
from netalias.observed.labels import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence, Sized
    from typing import Protocol

    from netalias.model import Device
    from netalias.model.events import Entry

    Key = tuple[int, bytes]
    """Family and packed address."""

    class Sight(Protocol):
        """The addresses of now, seen from a device: its ``entries`` are those that are no copies.
        copy() is that of a former address, and elsewhere() tells whether another device has an
        address, not as a copy."""

        entries: Sequence[Entry]

        def copy(self, key: Key) -> Entry | None: ...

        def elsewhere(self, key: Key) -> bool: ...


IFA_F_TEMPORARY = 0x01
NONE: frozenset[bytes] = frozenset()
SUFFIX = ":kept"
"""Behind the name of the device in the label of a copy."""
SLACK = 1
"""Seconds before its end from which on an address is not added again: the kernel counts whole ones,
and may have removed it."""


class Former(Value):
    """A former address: since when and until when it is kept, in seconds of one clock."""

    __slots__ = ("family", "local", "since", "until")

    def __init__(self, family: int, local: bytes, since: float, until: float) -> None:
        self.family = family
        self.local = local
        self.since = since
        self.until = until

    @property
    def key(self) -> Key:
        """Family and packed address."""
        return self.family, self.local


class Limits(Value):
    """For how many seconds an address is kept, and how many of a family are, at most."""

    __slots__ = ("keep", "most")

    def __init__(self, keep: int, most: int) -> None:
        self.keep = keep
        self.most = most


class Decision:
    """The work to do on one device.

    ``kept`` are the former addresses from now on, the oldest first, and ``old`` the same by family;
    ``own`` are the addresses that the device has by others, ``usable`` those of them to which
    others could be translated; ``new`` maps a family to the address with which the former ones
    leave. ``add`` and ``remove`` are copies to add and to remove, ``renew`` copies with the
    lifetime that they should have. ``lost`` and ``returned`` say what has changed; ``changed`` are
    the addresses that are kept since now, or are no more, None where others may have other times,
    or another place.
    """

    def __init__(self) -> None:
        self.kept: dict[Key, Former] = {}
        self.old: dict[int, frozenset[bytes]] = {}
        self.own: set[Key] = set()
        self.usable: set[Key] = set()
        self.new: dict[int, bytes] = {}
        self.add: list[Address] = []
        self.remove: list[Address] = []
        self.renew: list[Address] = []
        self.lost: list[Key] = []
        self.returned: list[Key] = []
        self.changed: list[Key] | None = []


def copy_of(family: int, local: bytes, index: int, seconds: int, name: str) -> Address:
    """The copy of a former address of the device *name* that lasts for so many seconds, on the
    device with this *index*.

    Its label is not the name: ifconfig(8) and its like set the address of that label, which keeps
    the mark and the lifetime of the one that they replace (SIOCSIFADDR of net/ipv4/devinet.c).
    """
    label = _label(name) if family == AF_INET else ""
    flags = IFA_F_NOPREFIXROUTE | (IFA_F_NODAD if family == AF_INET6 else 0)
    scope = RT_SCOPE_HOST if family == AF_INET else 0
    return Address(
        index, family, local, len(local) * 8, flags, scope,
        peer=_peer(local) if family == AF_INET else b"",
        label=label, protocol=PROTOCOL, valid=seconds, preferred=0,
    )  # fmt: skip


def _peer(local: bytes) -> bytes:
    """An address of 0.0.0.0/8, which is no host's.

    A device has two addresses of IPv4 with the same length and value if their peers differ. So the
    owner of a /32 can add it again beside its copy (__inet_insert_ifa of net/ipv4/devinet.c).
    """
    return b"\0" + (local[1:] if any(local[1:]) else b"\0\0\1")


def _label(name: str) -> str:
    """``eth0:kept``; a long name is cut, as the kernel does when a device is renamed."""
    raw = name.encode("utf-8", "surrogateescape")[: NAME_MAX - len(SUFFIX)]
    return raw.decode("utf-8", "ignore") + SUFFIX


def is_copy(entry: Address, device: Device) -> bool:
    """Whether an address is our copy of a former one."""
    if entry.family == AF_INET:
        at_home = entry.scope == RT_SCOPE_HOST
    else:
        at_home = bool(device.flags & IFF_LOOPBACK) and entry.deprecated and not entry.noted
    return (
        at_home
        and entry.protocol == PROTOCOL
        and entry.prefixlen == len(entry.local) * 8
        and entry.valid != FOREVER
        and label_of(entry, device) is None
    )


def is_own(entry: Address, device: Device, known: Collection[Key] = ()) -> bool:
    """Whether an address is one that others gave to a device, and that is kept when it goes. One of
    `iface` is not: whoever adds it by hand takes it away by hand, and no other leaves as it.

    When a device is renamed, the kernel makes ``eth1:2`` of the label of its second address, as if
    that were an alias (inetdev_changename of net/ipv4/devinet.c): one that is *known* stays own.
    """
    return (
        entry.family in (AF_INET, AF_INET6)
        and entry.protocol not in (PROTOCOL, MANUAL)
        and entry.scope < RT_SCOPE_LINK
        and not entry.failed
        and (label_of(entry, device) is None or _key(entry) in known)
    )


def decide(
    device: Device,
    loopback: int,
    sight: Sight,
    before: Decision,
    asked: Collection[Key],
    seen: Collection[Key],
    limits: Limits,
    now: float,
    *,
    anew: bool,
) -> Decision:
    """The work to do on *device*, after the decision *before*; copies of IPv6 are on the device
    with the index *loopback*.

    *seen* are addresses of its own that it had and may have no more. Of the former ones those are
    looked at that are *asked* for, as something about them has changed since, and that end: there
    may be thousands. With *anew* all that may concern the device are asked for, and other *limits*
    count.
    """
    found = Decision()
    found.own = {_key(one.address) for one in sight.entries if is_own(one.address, device, seen)}
    taken = {_key(one.address) for one in sight.entries}
    looked = sorted(asked)
    former = dict(before.kept)
    rerated: dict[Key, Former] = {}
    if anew:
        rerated = {k: rated(one, limits) for k, one in former.items() if not is_rated(one, limits)}
        former.update(rerated)
    unknown = _unknown([key for key in looked if key not in former], sight, limits, now)
    former.update(unknown)
    # One that lasts longer than the limits of now would have begun later than now.
    last = next(reversed(former.values()), None)
    mixed = bool(unknown) or (last is not None and last.since > now)
    for key in sorted({*seen} - taken):
        # On lo itself a copy of IPv6 would stand in the way of its owner.
        fits = key[0] == AF_INET or device.index != loopback
        if fits and not (key in former or sight.elsewhere(key)):
            former[key] = Former(*key, now, now + limits.keep)
            found.lost.append(key)
    there = [key for key in looked if key in former and sight.elsewhere(key)]
    found.returned = sorted((former.keys() & taken).union(there))
    for key in found.returned:
        del former[key]
    found.kept = in_order(former) if mixed else former
    come = [*unknown, *found.lost]
    found.old = _sets({} if anew else before.old, found.kept if anew else come, found.returned)
    ends = ended(found.kept, limits, now, found.old)
    for key in ends:
        del found.kept[key]
    found.old = _sets(found.old, (), ends)
    gone = [*found.returned, *ends]
    found.changed = None if mixed or rerated else [*come, *gone]
    _copy(found, device, loopback, sight, dict.fromkeys([*looked, *come, *gone]), now)
    for key in rerated:
        if key in found.kept and (copy := sight.copy(key)) is not None:
            found.renew.append(copy.address.copy(valid=_left(rerated[key], now)))
    chosen, found.usable = choose(sight.entries, device, (before.new, before.usable), seen)
    found.new = {family: one.local for family, one in chosen.items()}
    return found


def _unknown(keys: Iterable[Key], sight: Sight, limits: Limits, now: float) -> dict[Key, Former]:
    """Those that have a copy all the same: nothing is known of them but when that ends."""
    found = {}
    for key in keys:
        copy = sight.copy(key)
        if copy is not None:
            end = end_of(copy, now)
            found[key] = Former(*key, end - limits.keep, end)
    return found


def _sets(
    before: Mapping[int, frozenset[bytes]], come: Iterable[Key], gone: Iterable[Key]
) -> dict[int, frozenset[bytes]]:
    """The addresses of each family after some have come, and then some have gone; the same object
    where none has."""
    found = dict(before)
    for family in (AF_INET, AF_INET6):
        more = {local for of, local in come if of == family}
        less = {local for of, local in gone if of == family}
        if more or less:
            found[family] = found.get(family, NONE).union(more) - less
    return found


def _copy(
    found: Decision,
    device: Device,
    loopback: int,
    sight: Sight,
    looked: Collection[Key],
    now: float,
) -> None:
    """Have those that are *looked* at a copy exactly if they are kept."""
    missing = {key for key in looked if key in found.kept and sight.copy(key) is None}
    for key in sorted(missing, key=lambda key: (found.kept[key].since, key)):
        home = device.index if key[0] == AF_INET else loopback
        found.add.append(copy_of(*key, home, _left(found.kept[key], now), device.name))
    for key in looked:
        copy = None if key in found.kept else sight.copy(key)
        if copy is not None:
            found.remove.append(copy.address)


def _left(one: Former, now: float) -> int:
    """Seconds until the end of a former address."""
    return max(int(one.until - now), 1)


def choose(
    entries: Iterable[Entry],
    device: Device,
    before: tuple[Mapping[int, bytes], Collection[Key]],
    seen: Collection[Key] = (),
) -> tuple[dict[int, Address], set[Key]]:
    """The address of each family with which former ones leave, and all that could be it. *before*
    are the packed ones of the last time, and those that could be it then; those *seen* are own ones
    whatever their label is by now."""
    new, known = before
    usable = {_key(one.address): one for one in entries if is_usable(one.address, device, seen)}
    found = {}
    for family in (AF_INET, AF_INET6):
        mine = [one for (of, _), one in usable.items() if of == family]
        if mine:
            current = family, new.get(family, b"")
            found[family] = max(mine, key=lambda one: _rank(one, known, current)).address
    return found, {*usable}


def end_of(entry: Entry, now: float) -> float:
    """The end of the lifetime of an address, by the clock of *now* (CLOCK_MONOTONIC). The kernel
    tells when it was set; its messages are not repeated as it runs down."""
    address = entry.address
    return entry.stamp / 100 + address.lease if entry.stamp else now + address.valid


def _key(entry: Address) -> Key:
    return entry.family, entry.local


def is_rated(one: Former, limits: Limits) -> bool:
    """Whether a former address has the end that the limits of now give it."""
    return one.until == one.since + limits.keep


def rated(one: Former, limits: Limits) -> Former:
    """A former address with the end that the limits of now give it, itself if it has that."""
    if is_rated(one, limits):
        return one
    return Former(one.family, one.local, one.since, one.since + limits.keep)


def in_order(former: Mapping[Key, Former]) -> dict[Key, Former]:
    """Former addresses, the oldest first; those of one second, as after a restart, stay in their
    order."""
    return dict(sorted(former.items(), key=lambda pair: pair[1].since))


def ended(
    former: Mapping[Key, Former],
    limits: Limits,
    now: float,
    sets: Mapping[int, Sized] | None = None,
) -> list[Key]:
    """The former addresses that are kept no further: those whose time is over, and the oldest of
    each family. They are rated() and in_order(); *sets* are those of each family, if known."""
    found = []
    for key, one in former.items():
        if one.until > now + SLACK:
            break
        found.append(key)
    for family, some in (_sets({}, former, ()) if sets is None else sets).items():
        over = len(some) - sum(of == family for of, _ in found) - limits.most
        if over > 0:
            left = (key for key in islice(former, len(found), None) if key[0] == family)
            found += [*islice(left, over)]
    return found


def is_usable(entry: Address, device: Device, seen: Collection[Key] = ()) -> bool:
    """Whether former addresses can leave as this one."""
    fleeting = IFA_F_TENTATIVE | IFA_F_TEMPORARY if entry.family == AF_INET6 else 0
    return is_own(entry, device, seen) and bool(entry.preferred) and not entry.flags & fleeting


def _rank(one: Entry, known: Collection[Key], current: Key) -> tuple[bool, bool, bool, int]:
    """The order of preference: one that reaches beyond the site, one that has just come, that of
    before, the one that was set last."""
    key = _key(one.address)
    unique_local = key[0] == AF_INET6 and key[1][0] & 0xFE == 0xFC  # RFC 4193
    return not unique_local, key not in known, key == current, one.stamp
