"""Base of the kinds whose alias is a device of its own."""

from __future__ import annotations

from errno import EAFNOSUPPORT

from netalias.kinds import (
    PORT_MASTERS,
    SIBLINGS,
    UNLINKED,
    VRF,
    Goal,
    Kind,
    clashes,
    differs,
    in_place,
    surplus,
)
from netalias.model import AF_INET6, ARPHRD_ETHER, MTU_INET6, Alias, names
from netalias.model.steps import (
    QUIET,
    RAISE,
    REMOVE,
    RETIRE,
    SET,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Address, Device, Snapshot
    from netalias.model.steps import Step

CONF = {
    "rp_filter": 2,
    "arp_filter": 0,
    "medium_id": -1,
    "arp_announce": 2,
    "arp_ignore": 1,
    "promote_secondaries": 1,
}
"""IPv4 sysctls of an alias device (Documentation/networking/ip-sysctl.rst): loose reverse path
filter, since answers may leave by the main device; ARP only for the addresses of the device itself,
whatever the route to the sender, and no proxy ARP (medium_id -1)."""

# IFLA_INET6_ADDR_GEN_MODE and IFLA_MACVLAN_MODE: linux/if_link.h.
ADDRGEN_EUI64 = 0
ADDRGEN_NONE = 1
"""It prevents a link-local address, DAD and MLD reports. It is set in a message of its own: in one
message the kernel would raise the device first (do_setlink)."""
NO_INET6 = (EAFNOSUPPORT,)
"""The errno of a kernel without IPv6, which needs no such message."""
MACVLAN_MODE_PASSTHRU = 8


class DeviceKind(Kind):
    """A kind whose alias is a device."""

    mode = -1
    """The mode of its devices, as in CreateLink."""
    exclusive = False
    """Whether the devices of one main may have an address only once, whatever its length."""

    def make(self, goal: Goal) -> list[Step]:
        """Create, keep IPv6 quiet, name, set, raise, address; their phases say in which order.

        The message that raises the device sets nothing else: the kernel would announce the device
        once more for it, which with thousands of siblings takes longer than raising it.
        """
        device, record = goal.device, goal.record()
        entry = goal.entry
        attached = goal.type.attach(device, 0, entry) if entry is not None else ()
        linked = self.name not in UNLINKED
        created = CreateLink(
            device,
            self.name,
            group=goal.group,
            mode=self.mode,
            link=goal.main.index if linked else 0,
            below=goal.main.name if linked else "",
            mac=goal.mac,
            mtu=goal.mtu,
            former=goal.former,
        )
        if goal.vrf is not None:
            created.master, created.inside = goal.vrf.index, goal.vrf.name
        steps: list[Step] = [created]
        if goal.linklocal:
            steps.append(SetLink(device, 0, QUIET, addrgen=ADDRGEN_EUI64, tolerate=NO_INET6))
        elif goal.type.family != AF_INET6 and goal.main.inet6:
            steps.append(SetLink(device, 0, QUIET, addrgen=ADDRGEN_NONE, tolerate=NO_INET6))
        steps.append(AddAltname(device, 0, goal.name))
        steps.append(SetLink(device, 0, SET, ifalias=record, conf=CONF))
        if goal.up:
            steps.append(SetLink(device, 0, RAISE, up=True))
        return [*steps, *attached]

    def change(self, alias: Alias, goal: Goal, snapshot: Snapshot) -> list[Step]:
        """Complete a half-made alias, set the attributes that differ, and replace the address."""
        device = alias.device
        assert device is not None
        steps = _names(device, goal)
        if device.group != goal.group:
            from netalias.model.renames import SetGroup

            steps.append(SetGroup(device.name, device.index, goal.group))
        if not alias.whole:
            extra = surplus(alias.entry, snapshot.on(device.index))
            steps += [DelAddress(device.name, device.index, entry, REMOVE) for entry in extra]
        swap = differs(alias.entry, goal.entry)
        steps += self._settings(alias, device, goal, swap)
        if goal.entry is not None and swap and (goal.up or not goal.type.recorded):
            steps += goal.type.attach(device.name, device.index, goal.entry)
        if alias.entry is not None and swap:
            steps.append(self._retire(device, alias.entry, goal))
        if not swap:
            steps += in_place(alias, goal)
        return steps

    def _settings(self, alias: Alias, device: Device, goal: Goal, swap: bool) -> list[Step]:
        steps: list[Step] = []
        inet6 = goal.type.family == AF_INET6 or goal.linklocal
        had_inet6 = alias.family == AF_INET6 or alias.linklocal
        crossing = alias.family not in (0, goal.type.family) and inet6 != had_inet6
        grows = device.mtu < MTU_INET6 <= goal.mtu
        quieten = grows and not crossing and not inet6
        if quieten and device.up:
            steps.append(_lower(device))
        if grows:
            steps.append(_grow(device, goal.mtu))
        if crossing:
            steps += _cross(device, inet6)
        elif quieten or (not alias.whole and not inet6 and device.inet6 and not device.up):
            quiet = SetLink(
                device.name, device.index, QUIET, addrgen=ADDRGEN_NONE, tolerate=NO_INET6
            )
            steps.append(quiet)
        changed: dict[str, object] = {}
        before: dict[str, object] = {}
        for key, wanted, present in (
            ("mtu", goal.mtu, device.mtu),
            ("mac", goal.mac, device.mac),
            ("ifalias", goal.record(), device.ifalias),
        ):
            if wanted and wanted != present and not (key == "mtu" and grows):
                changed[key] = wanted
                before[key] = present
        if goal.up != device.up or ((crossing or quieten) and goal.up):
            changed["up"] = goal.up
            before["up"] = device.up and not (crossing or quieten)  # it was taken down
        if not alias.whole:
            changed["conf"] = CONF
        if changed:
            old = SetLink(device.name, device.index, SET, **before) if before else None  # type: ignore[arg-type]
            steps.append(SetLink(device.name, device.index, RAISE, before=old, **changed))  # type: ignore[arg-type]
        return steps

    def _retire(self, device: Device, present: Address, goal: Goal) -> Step:
        """Delete the old address.

        An IPv6 address that the device would lose on its way down goes first, so that it is there
        to be deleted, and comes back when something is refused.
        """
        wanted = goal.entry
        lowered = device.up and (not goal.up or goal.type.family != AF_INET6)
        same = self.exclusive and wanted is not None and present.local == wanted.local
        clashing = same or clashes(present, wanted, promote=device.promote)
        first = clashing or (lowered and present.family == AF_INET6)
        return DelAddress(device.name, device.index, present, REMOVE if first else RETIRE)

    def unmake(self, alias: Alias, snapshot: Snapshot) -> list[Step]:
        """One step: the kernel removes routes, neighbours and addresses with the device."""
        assert alias.device is not None
        return [DelLink(alias.device.name, alias.device.index, alias.device.group)]


def _cross(device: Device, to_inet6: bool) -> list[Step]:
    """Switch IPv6 on or off under an alias that changes its family.

    The kernel looks at the mode only when the device goes up, and going down takes all IPv6
    addresses away. Two messages, so that undoing sets the mode before it raises the device.
    """
    modes = (ADDRGEN_NONE, ADDRGEN_EUI64)
    place = (device.name, device.index, QUIET)
    steps: list[Step] = []
    if device.up:
        steps.append(_lower(device))
    back = SetLink(*place, addrgen=modes[not to_inet6], tolerate=NO_INET6)
    steps.append(SetLink(*place, addrgen=modes[to_inet6], before=back, tolerate=NO_INET6))
    return steps


def _lower(device: Device) -> SetLink:
    place = (device.name, device.index, QUIET)
    return SetLink(*place, up=False, before=SetLink(*place, up=True))


def _grow(device: Device, mtu: int) -> SetLink:
    """The step that enlarges the MTU before an IPv6 address: below MTU_INET6 there is no IPv6.

    With IPv6 a device that is up gets a link-local address (addrconf_notify, NETDEV_CHANGEMTU).
    """
    place = (device.name, device.index, QUIET)
    return SetLink(*place, mtu=mtu, before=SetLink(*place, mtu=device.mtu))


def _names(device: Device, goal: Goal) -> list[Step]:
    """Steps for the altname of the alias, in place of one after a former name of its main."""
    if goal.name in device.altnames:
        return []
    steps: list[Step] = [
        DelAltname(device.name, device.index, altname)
        for altname in device.altnames
        if names.split(altname) is not None
    ]
    return [*steps, AddAltname(device.name, device.index, goal.name)]


def vlan_refusal(main: Device, snapshot: Snapshot, rival: str) -> str:
    """The reason why *main* can have neither macvlan nor ipvlan, or no kind beside its *rival*."""
    if main.type != ARPHRD_ETHER:
        return f"{main.name} is not an Ethernet device"
    if main.kind in VRF:
        return f"{main.name} is a vrf"
    master = snapshot.master(main, PORT_MASTERS)
    if master is not None:
        return f"{main.name} is a port of {master.name}"
    for upper in snapshot.uppers(main.index):
        if upper.kind in SIBLINGS["macvlan"] and upper.mode == MACVLAN_MODE_PASSTHRU:
            return f"{main.name} belongs to {upper.name} alone (passthru)"
    if snapshot.carries(main, SIBLINGS[rival]):
        return f"{main.name} carries {rival} devices, and the kernel has only one of the two"
    return ""
