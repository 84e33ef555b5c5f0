"""An address that is to be added, and that this namespace has already. Pure."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import DEVICELESS
from netalias.model import PROTOCOL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.kinds import Goal
    from netalias.model import Address
    from netalias.observed import Observed


SHARD = "shard"


def check(copies: Sequence[Address], goal: Goal, kind: str, observed: Observed) -> list[str]:
    """A note that another device has the address of *goal* too; *copies* are those addresses.

    Raises NotAdopted if one is a label of others with the name of the goal, AlreadyExists if it is
    a label of others on the main device with another name, ``eth0:web``, or if the goal is a label
    and others have given the address to its main device.
    """
    for other in observed.by_name.get(goal.name, ()):
        if not other.ours and other.address == goal.address:
            raise errors.NotAdopted(
                f"{goal.name}: others have made this label", f"netalias adopt {goal.name}"
            )
    text = goal.type.format(goal.address)
    for other in observed.aliases if kind in DEVICELESS else ():
        entry = other.entry
        if entry is None or other.device is not None or not other.ours or entry not in copies:
            continue
        if other.kind == kind == SHARD and other.main is not goal.main:
            continue
        beside = other.kind == kind == SHARD or entry.index == goal.main.index
        if beside and entry.prefixlen == goal.prefixlen:
            raise errors.AlreadyExists(f"{goal.name}: {text} belongs to {other.name} already")
    for entry in copies:
        if entry.index != goal.main.index or entry.protocol == PROTOCOL:
            continue
        if ":" in entry.label:
            raise errors.AlreadyExists(
                f"{goal.name}: {text} is there as the label {entry.label} of others",
                f"netalias adopt {goal.name} {text}",
            )
        if kind == "label":
            raise errors.AlreadyExists(
                f"{goal.name}: {text} is an address of {goal.main.name} already",
                f"netalias adopt {goal.name} {text}" if ":" in text else "",
            )
    return [f"{goal.name}: {text} is an address of {observed.holder(copies[0])} too"]
