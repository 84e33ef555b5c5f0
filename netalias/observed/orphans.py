"""Addresses with our mark that no alias owns: labels whose slot the kernel has dropped.

When a device is renamed, the first of its IPv4 labels becomes the bare name of the device
(inetdev_changename of net/ipv4/devinet.c), and nothing tells the slot any more. The declarations
may: whose address it is.
"""

from __future__ import annotations

from netalias.model import PROTOCOL, SCRATCH, Alias
from netalias.model.names import AliasName
from netalias.observed import recognise_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.observed import Observed

KIND = "label"


class Nameless(AliasName):
    """``eth0:?``."""

    __slots__ = ()

    def __init__(self, main: str) -> None:
        super().__init__(main, -1)

    def __str__(self) -> str:
        return f"{self.main}:?"


def orphans(observed: Observed) -> dict[tuple[int, bytes], Alias]:
    """By index of the device and address: each stray as an alias without a slot."""
    owned = {id(alias.entry) for alias in observed.aliases}
    ours = (observed.group, observed.group | SCRATCH)
    found: dict[tuple[int, bytes], Alias] = {}
    for index, entries in observed.snapshot.addresses.items():
        main = observed.snapshot.devices.get(index)
        if main is None or main.group in ours:
            continue
        for entry in entries:
            if entry.protocol == PROTOCOL and id(entry) not in owned:
                if recognise_one(main, observed.snapshot, observed.registry):
                    break  # an alias device that carries another mark, or has lost ours
                found[index, entry.local] = Alias(
                    Nameless(main.name),
                    KIND,
                    family=entry.family,
                    address=entry.local,
                    prefixlen=entry.prefixlen,
                    main=main,
                    entry=entry,
                    whole=False,
                    lease=entry.lease,
                )
    return found
