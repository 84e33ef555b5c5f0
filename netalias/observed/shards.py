"""Shards: aliases whose addresses are on hidden devices (model/hidden.py)."""

from __future__ import annotations

from netalias.model import AF_INET, PROTOCOL, Alias, names
from netalias.model.hidden import device_of, group_of, owner
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.model import Address, Device, Snapshot

KIND = "shard"


def shards(
    device: Device, entries: Iterable[Address], snapshot: Snapshot, mark: int
) -> list[Alias] | None:
    """The shards that *entries* are, the addresses of a device that may be hidden; None if it is
    none of ours. Addresses without our mark or a label of ours are those of others, and no aliases.
    """
    text = owner(device, mark)
    if not text:
        return None
    main = snapshot.device(text)
    called = main.name if main is not None else text
    whole = device.group == group_of(mark)
    found = []
    for entry in entries:
        if entry.protocol != PROTOCOL or entry.family != AF_INET:
            continue
        label = names.split(entry.label)
        if label is None:
            continue
        name = label if label.main == called else AliasName(called, label.slot)
        alias = Alias(
            name,
            KIND,
            family=AF_INET,
            address=entry.local,
            prefixlen=entry.prefixlen,
            main=main,
            entry=entry,
            lease=entry.lease,
            hidden=device,
        )
        alias.whole = whole and entry.label == name and device_of(name) == device.name
        found.append(alias)
    return found


def hidden_devices(snapshot: Snapshot, mark: int) -> Iterator[Device]:
    """The hidden devices of ours, with and without addresses."""
    for device in snapshot.devices.values():
        if owner(device, mark):
            yield device
