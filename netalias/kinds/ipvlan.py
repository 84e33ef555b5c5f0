"""Kind ``ipvlan``: a device with the MAC of its main device (drivers/net/ipvlan), in mode L2."""

from __future__ import annotations

from netalias import errors
from netalias.kinds import SIBLINGS, Goal
from netalias.kinds.device import DeviceKind, vlan_refusal
from netalias.model import MODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot

IPVLAN_MODE_L2 = 0


class Ipvlan(DeviceKind):
    """An ipvlan puts no new MAC on the wire, so it passes switches and hypervisors with filters."""

    name = "ipvlan"
    mode = IPVLAN_MODE_L2
    exclusive = True

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Reasons: no Ethernet, a port of a bridge, a macvlan on it, another mode than L2."""
        reason = vlan_refusal(main, snapshot, "macvlan")
        if reason:
            return reason
        # All ipvlans of a device have one mode: the newest sets it (ipvlan_set_port_mode).
        family = SIBLINGS["ipvlan"]
        base = main.link if main.kind in family and not main.remote else main.index
        for other in [main, *snapshot.uppers(base)]:
            if other.kind in family and other.mode not in (-1, IPVLAN_MODE_L2):
                mode = MODES["ipvlan"][other.mode]
                return f"{other.name} has put all ipvlan devices beside it into mode {mode}"
        return ""

    def fit(self, goal: Goal) -> Goal:
        """Refuse a MAC, which an ipvlan cannot have of its own. Raises KindError."""
        if goal.mac:
            raise errors.KindError(
                f"{goal.name}: an ipvlan shares the MAC of its main device", "hw needs kind macvlan"
            )
        return goal
