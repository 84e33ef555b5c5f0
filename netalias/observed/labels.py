"""Labels: aliases that are addresses of a main device, without a device of their own."""

from __future__ import annotations

from netalias.kinds import MAGIC
from netalias.model import (
    AF_INET,
    AF_INET6,
    HIDDEN,
    IFA_F_DADFAILED,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    SCRATCH,
    Alias,
    is_scratch,
    names,
    prefix,
)
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model import Address, Device, Snapshot

LINK_LOCAL = b"\xfe\x80" + bytes(14), 10
REALMS = (
    (b"\xfc" + bytes(15), 7),
    (b"\x20\x02" + bytes(14), 16),
    (b"\x3f\xfe" + bytes(14), 16),
    (b"\x20\x01" + bytes(14), 32),
)
"""Networks from which not all hosts of the Internet are reached, or are by a relay: those with a
label of their own in the policy table of RFC 6724, section 2.1."""


def labels(snapshot: Snapshot, group: int) -> list[Alias]:
    """The labels in *snapshot*, ours and foreign ones, and the shards; *group* is the mark of alias
    devices."""
    found = []
    beside = group ^ HIDDEN
    for index, entries in snapshot.addresses.items():
        main = snapshot.devices.get(index)
        if main is None or main.group == group or is_scratch(main.group, group):
            continue
        if main.group & SCRATCH - 1 == beside:
            from netalias.observed.shards import shards

            own_shards = shards(main, entries, snapshot, group)
            if own_shards is not None:
                found += own_shards
                continue
        own = Own(entries)
        first = own.first
        for entry in entries:
            if entry is first:
                first = None
            alias = _alias(entry, main)
            if alias is not None:
                found.append(alias)
                alias.sheltered = own.shelters(entry, alias.asked) or (
                    entry.family == AF_INET
                    and not entry.secondary
                    and (first is not None or bool(own.heirs))
                )
    return found


class Own:
    """The addresses among the *entries* of a main device that others gave it, in place of which the
    host is not to send from a label.

    ``first`` is the first primary one of IPv4, or None: where a router is in no network of theirs,
    or a route has none, the first address of the device is the source (inet_select_addr of
    net/ipv4/devinet.c). ``heirs`` are those of IPv4 that are secondary to a label of ours.
    """

    __slots__ = ("_entries", "_realms", "first", "heirs")

    def __init__(self, entries: Sequence[Address]) -> None:
        others = [entry for entry in entries if entry.protocol != PROTOCOL]
        senders = [entry for entry in others if _sends(entry)]
        self.first = next((entry for entry in senders if not entry.secondary), None)
        secondaries = [entry for entry in senders if entry.secondary]
        self.heirs = _heirs(secondaries, entries) if secondaries else []
        self._entries = [
            entry
            for entry in others
            if entry.family == AF_INET6 and not (entry.flags & IFA_F_DADFAILED or _has_slot(entry))
        ]
        self._realms = {
            _realm(entry.local)
            for entry in self._entries
            if entry.scope == RT_SCOPE_UNIVERSE and not entry.deprecated
        }

    def shelters(self, label: Address, prefixlen: int) -> bool:
        """Whether *label*, an IPv6 address for which this prefix length was asked, is to be
        deprecated unless it is said: the main device has that network itself, or the label has no
        network, and the main device an address to send from in its place.

        An own address without a network, as by DHCPv6, is in that of the label.
        """
        if label.family != AF_INET6:
            return False
        host = prefixlen == len(label.local) * 8 and not label.peer
        return (host and self.speaks_for(label.local)) or any(
            prefix.contains(
                one.local,
                one.prefixlen if one.networked else min(prefixlen, one.prefixlen),
                label.local,
            )
            for one in self._entries
        )

    def speaks_for(self, address: bytes) -> bool:
        """Whether the host can send from one of its own wherever it could from *address*, packed:
        no rule of RFC 6724, section 5, before that of the longest prefix (2, 3 and 6) tells it not
        to."""
        if not self._realms or prefix.contains(*LINK_LOCAL, address):
            return False
        return None in self._realms or _realm(address) in self._realms


def _sends(entry: Address) -> bool:
    """Whether an IPv4 address is no label, and may be the source towards other hosts if it is
    primary."""
    usable = entry.scope == RT_SCOPE_UNIVERSE and ":" not in entry.label
    return entry.family == AF_INET and usable


def _heirs(secondaries: list[Address], entries: Iterable[Address]) -> list[Address]:
    """Those of the *secondaries* whose primary address among *entries* is ours."""
    from netalias.observed.heirs import network_of

    leading = (one for one in entries if one.family == AF_INET and not one.secondary)
    ours = {network_of(one) for one in leading if one.protocol == PROTOCOL}
    return [one for one in secondaries if network_of(one) in ours]


def _realm(address: bytes) -> tuple[bytes, int] | None:
    """The network of REALMS that a packed IPv6 address is in, or None."""
    return next((realm for realm in REALMS if prefix.contains(*realm, address)), None)


def _alias(entry: Address, main: Device) -> Alias | None:
    """The label that an address of *main* is, or None.

    An IPv6 label that somebody changes in place loses its mark; its slot tells that it is ours.
    """
    ours = entry.protocol == PROTOCOL or (not entry.protocol and _has_slot(entry))
    name = _named(entry, main)
    if name is None or (name.main != main.name and not ours):
        return None
    return Alias(
        AliasName(main.name, name.slot),
        "label",
        family=entry.family,
        address=entry.local,
        prefixlen=entry.prefixlen,
        main=main,
        entry=entry,
        ours=ours,
        whole=name.main == main.name,
        lease=entry.lease if ours else 0,
    )


def label_of(address: Address, device: Device) -> AliasName | None:
    """The alias name of an address of a main device, if it is a label (kinds/label.py); of a hidden
    device, if it is a shard."""
    name = _named(address, device)
    if name is None:
        return None
    from netalias.model.hidden import main_of

    return AliasName(main_of(device.name, device.ifalias) or device.name, name.slot)


def _named(address: Address, device: Device) -> AliasName | None:
    """The name in the label of an IPv4 address, whose main device may be called otherwise since,
    or by the metric of an IPv6 address."""
    if address.family == AF_INET:
        return names.split(address.label)
    return AliasName(device.name, address.metric & 0xFFFF) if _has_slot(address) else None


def _has_slot(address: Address) -> bool:
    """Whether the metric of an address is that of an IPv6 label."""
    return address.family == AF_INET6 and bool(address.metric & ~0xFFFF == MAGIC or address.noted)
