"""Steps and messages that no short command needs: deleting as a set, taking over an address."""

from __future__ import annotations

from netalias.kernel import wire
from netalias.marking import MarkAddress
from netalias.model import SCRATCH
from netalias.steps import DelLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.steps import Step


class Move(DelLink):
    """First half of deleting a set: RTM_SETLINK of the scratch mark."""

    __slots__ = ()


class DelGroup(DelLink):
    """Second half: RTM_DELLINK of all that carry the scratch mark; the index is not looked at."""

    __slots__ = ()

    def __init__(self, group: int) -> None:
        super().__init__(f"the devices of group {group | SCRATCH}", -1, group)


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    Move: lambda sequence, index, step: wire.set_group(sequence, index, step.group | SCRATCH),
    DelGroup: lambda sequence, index, step: wire.del_group(sequence, step.group | SCRATCH),
    MarkAddress: lambda sequence, index, step: wire.change_address(sequence, index, step.address),
}
"""Step: (sequence, ifindex, step) -> message."""
