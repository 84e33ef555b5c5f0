"""Kind ``dummy``: a device that stands alone (drivers/net/dummy.c); the main device answers for it.

The kernel does not tie a dummy to its main device, so its names do.
"""

from __future__ import annotations

from netalias.kinds import DeviceKind, Goal
from netalias.steps import CreateLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot
    from netalias.names import AliasName


class Dummy(DeviceKind):
    """For mains that carry nothing, and for addresses that are only routed to."""

    name = "dummy"

    def create(self, device: str, goal: Goal) -> CreateLink:
        """``ip link add DEVICE type dummy``."""
        return CreateLink(device, self.name, group=goal.group, mac=goal.mac, mtu=goal.mtu)

    def main_of(self, device: Device, snapshot: Snapshot, noted: AliasName | None) -> Device | None:
        """The device of the noted name."""
        return snapshot.device(noted.main) if noted is not None else None
