"""Kind ``dummy``: a device that stands alone (drivers/net/dummy.c); the main device answers for it.

The kernel does not tie a dummy to its main device, so its names do.
"""

from __future__ import annotations

from netalias import names
from netalias.kinds import Goal
from netalias.kinds.device import DeviceKind
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.steps import CreateLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot
    from netalias.names import AliasName


class Dummy(DeviceKind):
    """For mains that carry nothing, and for addresses that are only routed to."""

    name = "dummy"
    routed = False

    def fit(self, goal: Goal) -> Goal:
        """Nobody is behind a dummy: a route for its network would lead nowhere."""
        if goal.entry is not None and goal.entry.prefixlen < goal.type.bits:
            goal.entry.flags |= IFA_F_NOPREFIXROUTE
        return goal

    def create(self, device: str, goal: Goal) -> CreateLink:
        """``ip link add DEVICE type dummy``."""
        return CreateLink(device, self.name, group=goal.group, mac=goal.mac, mtu=goal.mtu)

    def main_of(self, device: Device, snapshot: Snapshot, noted: AliasName | None) -> Device | None:
        """The device of the noted name; of a half-made one that whose alias it can be."""
        if noted is not None:
            return snapshot.device(noted.main)
        found = names.split_primary(device.name)
        if found is None:
            return None
        for main in snapshot.devices.values():
            if names.primary(names.AliasName(main.name, found.slot)) == device.name:
                return main
        return None
