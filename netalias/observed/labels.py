"""Labels: aliases that are addresses of a main device, without a device of their own."""

from __future__ import annotations

from netalias.kinds import MAGIC
from netalias.model import AF_INET, AF_INET6, PROTOCOL, Alias, names

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
    if entry.family == AF_INET:
        name = names.split(entry.label)
    elif entry.family == AF_INET6 and entry.metric & ~0xFFFF == MAGIC:
        name = names.AliasName(main.name, entry.metric & 0xFFFF)
    else:
        return None
    if name is None or (name.main != main.name and not ours):
        return None
    return Alias(
        names.AliasName(main.name, name.slot),
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


def label_of(address: Address, device: Device) -> names.AliasName | None:
    """The alias name of an address of a main device, if it is a label (kinds/label.py)."""
    if address.family == AF_INET6:
        ours = address.protocol == PROTOCOL and address.metric & ~0xFFFF == MAGIC
        return names.AliasName(device.name, address.metric & 0xFFFF) if ours else None
    name = names.split(address.label)
    return names.AliasName(device.name, name.slot) if name is not None else None
