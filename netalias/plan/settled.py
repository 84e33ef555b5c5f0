"""Declared labels that are as they are declared: known by their bytes, before any alias is found.

Of a bare label (model/bare.py) no other alias depends on anything: it is a host address, so it has
no network, no secondary addresses and no route. So the comparison may leave it out on both sides.
One of each main device stays: the presence of aliases says that the main device is still the one
whose sysctls were changed (plan/sysctls.py).
"""

from __future__ import annotations

from netalias import kinds
from netalias.desired.declarations import Declarations
from netalias.model import AF_INET
from netalias.observed.remnants import is_marked
from netalias.plan.unchanged import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.desired.blocks import Block, Run
    from netalias.model.bare import Labels, Left
    from netalias.observed import Observed

MANY = 64
"""Labels from which on it is worth while."""
LEAST = 8
"""Labels of one line or run, from which on it is."""
LABEL = "label"


def wanted(declared: Declarations) -> Labels:
    """The labels that may be left out, if they are as declared; none if they are few."""
    found: dict[str, dict[bytes, bytes]] = {}
    for item in declared.items:
        if len(item.slots) < LEAST or not _may_be_bare(item.wish):
            continue
        main = item.wish.name.main
        form = f"{main.replace('%', '%%')}:%d".encode("utf-8", "surrogateescape")
        labels = zip(item.addresses, map(form.__mod__, item.slots), strict=True)
        if main not in found:
            next(labels)
        found.setdefault(main, {}).update(labels)
    return found if sum(map(len, found.values())) >= MANY else {}


def _may_be_bare(wish: Wish) -> bool:
    """Whether a bare label can be all that a line asks for."""
    return (
        is_plain(wish)
        and wish.type.family == AF_INET  # type: ignore[union-attr]
        and wish.kind in ("", kinds.AUTO, LABEL)
        and not (wish.mac or wish.lease or (wish.mtu and not wish.lenient))
    )


def is_sure(declared: Declarations, observed: Observed, labels: Labels, left: Left) -> bool:
    """Whether leaving out *left* of *labels* leaves all else as it is: every name of a main device
    is its primary one, none of them is an alias, and no other alias has a name that is left out."""
    snapshot = observed.snapshot
    mains = {wish.name.main: snapshot.device(wish.name.main) for wish in declared.wishes}
    if any(device is not None and device.name != name for name, device in mains.items()):
        return False
    if any(is_marked(snapshot.device(name).group, observed.group) for name in left):  # type: ignore[union-attr]
        return False
    named = {alias.name.main for alias in observed.aliases}.intersection(left)
    names = set().union(*(map(labels[name].get, left[name]) for name in named))
    return names.isdisjoint(
        alias.name.encode("utf-8", "surrogateescape") for alias in observed.aliases
    )


def rest(declared: Declarations, left: Left) -> Declarations:
    """The declarations without those of the addresses in *left*, by name of the main device."""
    found: list[Block | Run] = []
    for item in declared.items:
        gone = left.get(item.wish.name.main, ())
        if not gone or not _may_be_bare(item.wish) or gone.isdisjoint(item.addresses):
            found.append(item)
        elif not gone.issuperset(item.addresses):
            kept = (at for at, address in enumerate(item.addresses) if address not in gone)
            found += map(item.block, kept)
    return Declarations(found, [])
