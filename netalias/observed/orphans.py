"""Orphans: IPv4 addresses with our mark that no alias owns: the kernel has dropped their slot.

If a device is renamed, the kernel sets its first IPv4 label to the bare name of the device
(inetdev_changename of net/ipv4/devinet.c), and the slot is lost. Only declarations tell which
alias has the address: the protocol alone may be that of another program, and removes nothing.
"""

from __future__ import annotations

from netalias.model import AF_INET, PROTOCOL, Alias
from netalias.model.names import AliasName
from netalias.observed import recognise_one
from netalias.observed.remnants import is_marked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.observed import Observed

KIND = "label"


class Nameless(AliasName):
    """The name of an alias without a slot: ``eth0:?``."""

    __slots__ = ()

    def __new__(cls, main: str) -> Nameless:
        made = str.__new__(cls, f"{main}:?")
        made.main, made.slot = main, -1
        return made

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]
        return (self.main,)


def orphans(observed: Observed) -> dict[tuple[int, bytes], Alias]:
    """The orphans as aliases without a slot, by ifindex and packed address."""
    owned = {id(alias.entry) for alias in observed.aliases}
    found: dict[tuple[int, bytes], Alias] = {}
    for index, entries in observed.snapshot.addresses.items():
        main = observed.snapshot.devices.get(index)
        if main is None:
            continue
        for entry in entries:
            if entry.family != AF_INET or entry.label != main.name:
                continue
            if entry.protocol == PROTOCOL and id(entry) not in owned:
                if is_marked(main.group, observed.group) or recognise_one(
                    main, observed.snapshot, observed.registry
                ):
                    break  # an alias device, be it with another mark or without one
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
