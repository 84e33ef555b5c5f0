"""Labels: aliases that are addresses of a main device, without a device of their own."""

from __future__ import annotations

from netalias.kinds import MAGIC
from netalias.model import AF_INET, AF_INET6, PROTOCOL, Alias, names
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Address, Device, Snapshot


def labels(snapshot: Snapshot, group: int) -> list[Alias]:
    """The labels in *snapshot*, ours and foreign ones; *group* is the mark of alias devices."""
    found = []
    for index, entries in snapshot.addresses.items():
        main = snapshot.devices.get(index)
        if main is None or main.group == group:
            continue
        for entry in entries:
            alias = _alias(entry, main)
            if alias is not None:
                found.append(alias)
    return found


def _alias(entry: Address, main: Device) -> Alias | None:
    """The label that an address of *main* is, or None."""
    ours = entry.protocol == PROTOCOL
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
    """The alias name of an address of a main device, if it is a label (kinds/label.py); an IPv6
    address only if it is ours."""
    name = _named(address, device)
    if name is None or (address.family == AF_INET6 and address.protocol != PROTOCOL):
        return None
    return AliasName(device.name, name.slot)


def _named(address: Address, device: Device) -> AliasName | None:
    """The name in the label of an IPv4 address, whose main device may be called otherwise since,
    or by the metric of an IPv6 address."""
    if address.family == AF_INET:
        return names.split(address.label)
    if address.family == AF_INET6 and (address.metric & ~0xFFFF == MAGIC or address.noted):
        return AliasName(device.name, address.metric & 0xFFFF)
    return None
