"""The IPv6 addresses to be deprecated, so that the host does not choose them as sources. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.model import Address, Alias, Device
    from netalias.observed import Observed


def deprecates(
    wish: Wish, kind: str, entry: Address, main: Device, observed: Observed, alias: Alias | None
) -> bool:
    """Whether the IPv6 address *entry* is to be deprecated: said, or else a label in a network that
    its main device has itself. A change of something else leaves what was said; what was usual
    becomes what is usual for *kind* and the new prefix length, as in a file."""
    if wish.deprecated or wish.source == "on":
        return wish.deprecated
    old = alias.entry if alias is not None and not (wish.address or wish.source) else None
    if alias is not None and old is not None and old.deprecated != alias.sheltered:
        return old.deprecated
    return kind == "label" and observed.shelters(main, entry)
