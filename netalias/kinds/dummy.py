"""Kind ``dummy``: a device that stands alone (drivers/net/dummy.c); the main device answers for it.

The kernel does not tie a dummy to its main device, so its names do.
"""

from __future__ import annotations

from netalias.kinds import Goal
from netalias.kinds.device import DeviceKind
from netalias.model import IFA_F_NOPREFIXROUTE
from netalias.model.steps import CreateLink


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
