"""Kind ``dummy``: a device of its own (drivers/net/dummy.c); the main device answers ARP for it.

The kernel does not link a dummy to its main device, so its names do.
"""

from __future__ import annotations

from netalias.kinds import Goal
from netalias.kinds.device import DeviceKind
from netalias.model import IFA_F_NOPREFIXROUTE


class Dummy(DeviceKind):
    """For main devices that can carry no other kind, and for addresses reached only by routes."""

    name = "dummy"
    own_mac = True
    routed = False

    def fit(self, goal: Goal) -> Goal:
        """Set IFA_F_NOPREFIXROUTE: a connected route through a dummy would lead nowhere."""
        if goal.entry is not None and goal.entry.prefixlen < goal.type.bits:
            goal.entry.flags |= IFA_F_NOPREFIXROUTE
        return goal
