"""The fields of an address in JSON: ``family``, ``local`` and ``prefixlen``, as in ``ip -json``."""

from __future__ import annotations

from netalias.families import FAMILIES
from netalias.model import address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import Registry

NO_ADDRESS: dict[str, object] = {"family": None, "local": None, "prefixlen": None}
"""The fields where there is no address, and it matters that there is none."""


def address_fields(
    family: int, local: bytes, prefixlen: int, registry: Registry | None = None, peer: bytes = b""
) -> dict[str, object]:
    """The fields of the packed address *local*, and ``address_peer`` if there is a *peer*.

    The names and texts of families that the kernel lacks are those of their type in *registry*.
    """
    if family in FAMILIES or registry is None:
        name, text = FAMILIES.get(family, str(family)), address_text(family, local)
    else:
        kind = registry.get(family)
        name, text = kind.name, kind.format(local)
    found: dict[str, object] = {"family": name, "local": text, "prefixlen": prefixlen}
    if peer:
        found["address_peer"] = address_text(family, peer)
    return found
