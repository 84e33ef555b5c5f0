"""The connected routes of aliases, read only where an alias brings one."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.kernel import Kernel
    from netalias.model import Alias
    from netalias.observed import Observed


def examine(kernel: Kernel, observed: Observed, aliases: Iterable[Alias]) -> None:
    """Note in *observed* which of *aliases* have lost their connected route. Raises KernelError."""
    bringing = [one for one in aliases if one.ours and one.entry and one.entry.routed]
    if bringing:
        from netalias.plan.connected import lost

        observed.lost = lost(observed, bringing, kernel.connected())
