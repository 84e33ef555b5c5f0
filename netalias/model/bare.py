"""Bare labels: IPv4 host addresses with our mark and a label, and nothing else to them.

Of thousands that are as they are declared, nobody needs an object: a kernel leaves them out of its
reading (Kernel.snapshot_without).
"""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    FOREVER,
    IFA_F_PERMANENT,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    Snapshot,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.model import Address

    Labels = Mapping[str, Mapping[bytes, bytes]]
    """Name of a device -> packed IPv4 address -> label."""
    Left = dict[str, set[bytes]]
    """Name of a device -> the packed addresses that were left out."""

BITS = 32


def is_bare(entry: Address) -> bool:
    """Whether an address has nothing but its label, at most."""
    return (
        entry.family == AF_INET
        and entry.prefixlen == BITS
        and entry.flags == IFA_F_PERMANENT
        and entry.scope == RT_SCOPE_UNIVERSE
        and entry.protocol == PROTOCOL
        and entry.valid == entry.preferred == FOREVER
        and not (entry.peer or entry.broadcast or entry.metric)
    )


def without(snapshot: Snapshot, labels: Labels) -> tuple[Snapshot, Left]:
    """The same snapshot without the bare labels among *labels*, and these."""
    left: Left = {}
    for name, wanted in labels.items():
        device = snapshot.device(name)
        if device is None or device.name != name:
            continue
        gone = left.setdefault(name, set())
        kept = []
        for entry in snapshot.on(device.index):
            label = entry.label.encode("utf-8", "surrogateescape")
            if is_bare(entry) and wanted.get(entry.local) == label:
                gone.add(entry.local)
            else:
                kept.append(entry)
        snapshot.addresses[device.index] = kept
    return snapshot, left
