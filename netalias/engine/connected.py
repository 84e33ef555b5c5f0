"""The connected routes of aliases, read only where an alias brings one, or may have left one."""

from __future__ import annotations

from netalias.kinds import AUTO
from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.desired import Wish
    from netalias.desired.declarations import Declarations
    from netalias.kernel import Kernel
    from netalias.model import Alias
    from netalias.model.routes import Connected
    from netalias.observed import Observed
    from netalias.plan import Difference


def examine(kernel: Kernel, observed: Observed, aliases: Iterable[Alias]) -> list[Connected] | None:
    """Note in *observed* which of *aliases* have lost their connected route; all connected routes,
    or None where they were not read. Raises KernelError."""
    bringing = [one for one in aliases if one.ours and one.entry and one.entry.routed]
    if not bringing:
        return None
    from netalias.plan.connected import lost

    routes = kernel.connected()
    observed.lost = lost(observed, bringing, routes)
    return routes


def left_behind(
    kernel: Kernel,
    declared: Declarations,
    observed: Observed,
    items: Sequence[Difference],
    routes: list[Connected] | None,
) -> list[Difference]:
    """The removals of routes that IPv6 labels have left behind, where one with a network is
    declared. *routes* are those of examine(), None if they were not read. Raises KernelError."""
    # Not where routes happen to be known: the verifying reading would find what the first did not.
    if not any(map(_may_be_label, declared.wishes)):
        return []
    if routes is None:
        routes = kernel.connected()
    from netalias.plan.stale import stale

    return list(stale(observed, items, routes))


def _may_be_label(wish: Wish) -> bool:
    assert wish.type is not None
    inet6 = wish.type.family == AF_INET6 and wish.prefixlen not in (None, wish.type.bits)
    return inet6 and wish.kind in ("", AUTO, "label")
