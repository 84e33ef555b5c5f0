"""Kind ``macvlan``: a device with a MAC of its own on the main device (drivers/net/macvlan.c)."""

from __future__ import annotations

from errno import EINVAL

from netalias import errors
from netalias.kinds import SIBLINGS, Goal
from netalias.kinds.device import DeviceKind, vlan_refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot

MACVLAN_MODE_BRIDGE = 4


class Macvlan(DeviceKind):
    """A macvlan in bridge mode: aliases of one main device reach each other."""

    name = "macvlan"
    own_mac = True
    mode = MACVLAN_MODE_BRIDGE

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Reasons: no Ethernet, a port of a bridge, an ipvlan on it."""
        if main.kind in SIBLINGS["ipvlan"]:
            return f"{main.name} is an {main.kind} device"
        return vlan_refusal(main, snapshot, "ipvlan")

    def fit(self, goal: Goal) -> Goal:
        """The same goal. Raises LimitError for an MTU over that of the device below
        (macvlan_change_mtu), which is the main device unless that is a macvlan too."""
        main = goal.main
        if goal.mtu > main.mtu and main.kind not in SIBLINGS["macvlan"]:
            raise errors.LimitError(
                f"{goal.name}: mtu {goal.mtu}: a macvlan has at most that of its main device,"
                f" {main.mtu}",
                f"ip link set {main.name} mtu {goal.mtu}",
                EINVAL,
            )
        return goal
