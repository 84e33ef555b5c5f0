"""Kind ``macvlan``: a device with a MAC of its own on the main device (drivers/net/macvlan.c)."""

from __future__ import annotations

from netalias.kinds import SIBLINGS, Goal
from netalias.kinds.device import DeviceKind, vlan_refusal
from netalias.model.steps import CreateLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Device, Snapshot

MACVLAN_MODE_BRIDGE = 4


class Macvlan(DeviceKind):
    """A macvlan in bridge mode: aliases of one main device reach each other."""

    name = "macvlan"

    def refuse(self, main: Device, snapshot: Snapshot) -> str:
        """Reasons: no Ethernet, a port of a bridge, an ipvlan on it."""
        if main.kind in SIBLINGS["ipvlan"]:
            return f"{main.name} is an {main.kind} device"
        return vlan_refusal(main, snapshot, "ipvlan")

    def create(self, device: str, goal: Goal) -> CreateLink:
        """``ip link add DEVICE link MAIN type macvlan mode bridge``."""
        return CreateLink(
            device,
            self.name,
            group=goal.group,
            mode=MACVLAN_MODE_BRIDGE,
            link=goal.main.index,
            below=goal.main.name,
            mac=goal.mac,
            mtu=goal.mtu,
        )
