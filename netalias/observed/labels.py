"""Labels: aliases that are addresses of a main device, without a device of their own."""

from __future__ import annotations

from netalias.kinds import MAGIC
from netalias.model import (
    AF_INET,
    AF_INET6,
    HIDDEN,
    IFA_F_DADFAILED,
    PROTOCOL,
    SCRATCH,
    Alias,
    is_scratch,
    names,
    prefix,
)
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.model import Address, Device, Snapshot


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
        own = own_networks(entries)
        for entry in entries:
            alias = _alias(entry, main)
            if alias is not None:
                found.append(alias)
                alias.sheltered = shelters(own, alias.family, alias.address, alias.asked)
    return found


def own_networks(entries: Iterable[Address]) -> list[Address]:
    """The IPv6 addresses among those of a main device that others gave it."""
    return [
        entry
        for entry in entries
        if entry.family == AF_INET6
        and entry.protocol != PROTOCOL
        and not (entry.flags & IFA_F_DADFAILED or _has_slot(entry))
    ]


def shelters(own: Iterable[Address], family: int, address: bytes, prefixlen: int) -> bool:
    """Whether a main device has itself the network of an IPv6 address with this prefix length.

    *own* are its own_networks(). One without a network, as by DHCPv6, is in that of the address.
    """
    return family == AF_INET6 and any(
        prefix.contains(
            one.local, one.prefixlen if one.networked else min(prefixlen, one.prefixlen), address
        )
        for one in own
    )


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
