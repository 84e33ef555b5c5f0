"""Manual addresses: those that `netalias iface` has added to a device.

They have no name and no slot, so they are no aliases: to everything else they are addresses that
others gave the device, and only `iface` removes them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Address

    Form = tuple[int, bytes, int, bytes]

MANUAL = 98
"""Mark of manual addresses (IFA_PROTO, one byte), next to PROTOCOL, the mark of aliases."""


def form(entry: Address) -> Form:
    """The key of an address on its device: family, local address, prefix length, peer."""
    return entry.family, entry.local, entry.prefixlen, entry.peer
