"""Device rules of the kernel in memory: names, lower and upper devices, carrier, MTU, MAC.

After net/core/dev.c, net/core/rtnetlink.c, drivers/net/macvlan.c and drivers/net/ipvlan (6.x).
"""

from __future__ import annotations

from errno import EADDRINUSE, EBUSY, EEXIST, EINVAL, ENODEV, EOPNOTSUPP

from netalias.kernel.memory import addresses as inet
from netalias.kernel.memory import devices, local_routes, routes, rules
from netalias.kernel.memory.addresses import Refusal
from netalias.kernel.memory.devices import (
    STACKED,
    Node,
    check_ethernet,
    check_name,
    initial_flags,
    mode_of,
    operstate,
)
from netalias.model import (
    AF_INET6,
    ARPHRD_ETHER,
    ARPHRD_LOOPBACK,
    IFF_LOWER_UP,
    IFF_RUNNING,
    IFF_UP,
    MTU_INET6,
    RT_SCOPE_LINK,
    Device,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Snapshot

PORT_MASTERS = ("bridge", "bond", "team")
MTU_MIN = 68
MTU_MAX = 65535
MTU_DEFAULT = 1500
MTU_LOOPBACK = 65536

ADDRGEN_NONE = 1

MAC_PREFIX = b"\x02\x6e\x61"
"""First bytes of generated MACs: locally administered, and "na"; a counter follows."""


class LinkTable:
    """All devices of one kernel, by index in the order of their creation."""

    def __init__(self) -> None:
        self.nodes: dict[int, Node] = {}
        self._names: dict[str, Node] = {}
        self._uppers: dict[int, dict[int, Node]] = {}
        self._busy: dict[tuple[int, bytes], int] = {}
        self._next = 1
        self._macs = 0
        lo = Node(0, "lo", type=ARPHRD_LOOPBACK, mtu=MTU_LOOPBACK)
        lo.mac = bytes(6)
        self.create(lo)

    def load(self, snapshot: Snapshot) -> None:
        """Take over the state of *snapshot*."""
        self.nodes.clear()
        self._names.clear()
        self._uppers.clear()
        self._busy.clear()
        for device in snapshot.devices.values():
            node = Node(device.index, device.name)
            for name in Device.__slots__:
                setattr(node, name, getattr(device, name))
            node.carrier = node.running or not node.up
            node.conf = {
                "arp_announce": node.arp_announce,
                "arp_ignore": node.arp_ignore,
                "promote_secondaries": int(node.promote),
            }
            node.entries = [inet.copy(entry) for entry in snapshot.on(node.index)]
            node.entries.sort(key=lambda entry: entry.family)
            node.locals = [one for one in snapshot.local_routes if one.index == node.index]
            if node.running and all(entry.scope != RT_SCOPE_LINK for entry in node.entries):
                node.addrgen = ADDRGEN_NONE
            self._place(node)
            if node.up and node.kind == "macvlan":
                self._busy[node.link, node.mac] = node.index
            if node.mac.startswith(MAC_PREFIX):
                self._macs = max(self._macs, int.from_bytes(node.mac[3:], "big"))

    # Names

    def named(self, name: str) -> Node | None:
        """The device with this primary or alternative name."""
        return self._names.get(name)

    def check_free(self, name: str) -> None:
        """Check that no device has this primary or alternative name. Raises Refusal (EEXIST)."""
        if name in self._names:
            raise Refusal(EEXIST)

    def learn(self, node: Node) -> None:
        """Add the names of *node* to the table."""
        for name in (node.name, *node.altnames):
            self._names[name] = node

    def forget(self, node: Node) -> None:
        """Remove the names of *node* from the table."""
        for name in (node.name, *node.altnames):
            self._names.pop(name, None)

    def rename(self, node: Node, name: str) -> None:
        """Rename *node*: altnames stay, labels of IPv4 addresses follow (dev_change_name)."""
        if name == node.name:
            return
        check_name(name)
        self.check_free(name)
        self.forget(node)
        node.name = name
        self.learn(node)
        inet.relabel(node.entries, name)

    # Making and removing

    def create(self, node: Node, index: int = 0) -> int:
        """Add *node*, with the flags, MTU and MAC of its kind; its index, which is *index* if that
        is free. Raises Refusal."""
        self._check_mac(node)
        node.mode = mode_of(node)
        self.check_free(node.name)
        self._check_range(node.mtu or MTU_DEFAULT, node)
        if node.kind in STACKED:
            self._stack(node)
        check_name(node.name)
        node.mtu = node.mtu or MTU_DEFAULT
        node.flags = initial_flags(node)
        if not node.mac and node.type == ARPHRD_ETHER:
            node.mac = self._new_mac()
        node.inet6 = node.mtu >= MTU_INET6
        node.index = index if index and index not in self.nodes else self._next
        self._place(node)
        self.settle(node)
        return node.index

    def _place(self, node: Node) -> None:
        self.nodes[node.index] = node
        self._next = max(self._next, node.index + 1)
        self.learn(node)
        if node.kind in STACKED and not node.remote:
            self._uppers.setdefault(node.link, {})[node.index] = node

    def _stack(self, node: Node) -> None:
        """Put a macvlan or ipvlan on its lower device (macvlan_common_newlink, ipvlan_link_new)."""
        if not node.link:
            raise Refusal(EINVAL)
        if node.remote:
            return
        below = self.nodes.get(node.link)
        if below is None:
            raise Refusal(ENODEV)
        if below.kind == node.kind and below.remote:
            # It stands on the same device of another namespace, whose MTU is not known here.
            node.link, node.remote, node.mtu = below.link, True, node.mtu or below.mtu
            return
        if below.kind == node.kind:
            below = self.nodes[below.link]
            node.link = below.index
        node.mtu = node.mtu or below.mtu
        if node.kind == "macvlan" and node.mtu > below.mtu:
            raise Refusal(EINVAL)
        _REFUSE[node.kind](below.loopback or below.type != ARPHRD_ETHER, self._handler(below, node))
        if node.kind == "ipvlan":
            node.mac = below.mac

    def _handler(self, below: Node, node: Node) -> bool:
        """Whether *below* has a receive handler of another kind (netdev_rx_handler_register)."""
        master = self.nodes.get(below.master)
        if master is not None and master.kind in PORT_MASTERS:
            return True
        return any(upper.kind != node.kind for upper in self._first_upper(below))

    def _first_upper(self, below: Node) -> list[Node]:
        uppers = self._uppers.get(below.index)
        return [next(iter(uppers.values()))] if uppers else []

    def _new_mac(self) -> bytes:
        self._macs += 1
        return MAC_PREFIX + self._macs.to_bytes(3, "big")

    def remove(self, node: Node) -> None:
        """Remove a device, its upper devices, and the other end of a veth."""
        if node.name == "lo":
            raise Refusal(EOPNOTSUPP)
        for upper in list(self._uppers.get(node.index, {}).values()):
            self.remove(upper)
        self._unhash(node)
        del self.nodes[node.index]
        self.forget(node)
        self._uppers.pop(node.index, None)
        self._uppers.get(node.link, {}).pop(node.index, None)
        for other in list(self.nodes.values()) if node.kind not in STACKED else ():
            if other.master == node.index:
                other.master = 0
            if other.kind == "veth" and other.link == node.index and not other.remote:
                self.remove(other)
        self._settle_master(node)

    def enslave(self, node: Node, master: int) -> None:
        """Make *node* a port of *master*; 0 frees it."""
        found = self.nodes.get(master)
        if found is not None and found.kind in PORT_MASTERS and self._first_upper(node):
            raise Refusal(EBUSY)
        before = self.nodes.get(node.master)
        node.master = master
        for bridge in (before, found):
            if bridge is not None:
                self.settle(bridge)

    # Settings

    def _check_mac(self, node: Node) -> None:
        if node.mac and node.type == ARPHRD_ETHER:
            if len(node.mac) != 6:
                raise Refusal(EINVAL)
            check_ethernet(node.mac)

    def set_mac(self, node: Node, mac: bytes) -> None:
        """Set the MAC, unless a sibling of a macvlan has it (macvlan_set_mac_address)."""
        if node.type == ARPHRD_ETHER:
            check_ethernet(mac)
        if node.kind == "macvlan" and mac != node.mac:
            self._check_busy(node, mac)
        self._unhash(node)
        node.mac = mac
        if node.kind == "macvlan" and node.up:
            self._busy[node.link, mac] = node.index
        for upper in self._uppers.get(node.index, {}).values():
            if upper.kind == "ipvlan":
                upper.mac = mac

    def _check_busy(self, node: Node, mac: bytes) -> None:
        below = self.nodes.get(node.link)
        if below is not None and not node.remote and below.mac == mac:
            raise Refusal(EADDRINUSE)
        if self._busy.get((node.link, mac), node.index) != node.index:
            raise Refusal(EADDRINUSE)

    def _unhash(self, node: Node) -> None:
        if self._busy.get((node.link, node.mac)) == node.index:
            del self._busy[node.link, node.mac]

    def _check_range(self, mtu: int, node: Node) -> None:
        if node.type != ARPHRD_ETHER:
            return
        if mtu < MTU_MIN:
            raise Refusal(EINVAL, "mtu less than device minimum")
        if mtu > MTU_MAX:
            raise Refusal(EINVAL, "mtu greater than device maximum")

    def set_mtu(self, node: Node, mtu: int) -> None:
        """Set the MTU (dev_set_mtu): that of upper devices is lowered with it, and never raised."""
        self._check_range(mtu, node)
        below = self.nodes.get(node.link)
        if node.kind == "macvlan" and below is not None and mtu > below.mtu and not node.remote:
            raise Refusal(EINVAL)
        node.mtu = mtu
        for upper in self._uppers.get(node.index, {}).values():
            if upper.mtu > mtu or upper.kind == "ipvlan":
                self.set_mtu(upper, mtu)
        self._follow_mtu(node)

    def _follow_mtu(self, node: Node) -> None:
        if node.mtu < MTU_INET6:
            node.inet6 = node.loopback
            inet.flush6(node.entries)
            devices.forget(node, AF_INET6)
            rules.forget(node, AF_INET6)
        elif not node.inet6:
            node.inet6 = True
            if node.up:
                self._addresses_up(node)

    def set_up(self, node: Node, up: bool) -> None:
        """Set IFF_UP (__dev_change_flags), with the effects on addresses and upper devices."""
        if up == node.up:
            return
        if up and node.kind == "macvlan":
            self._check_busy(node, node.mac)
            self._busy[node.link, node.mac] = node.index
        if up:
            node.flags |= IFF_UP
            node.inet6 = node.inet6 or node.mtu >= MTU_INET6
        else:
            node.flags &= ~IFF_UP
            self._unhash(node)
            inet.flush6(node.entries)
            node.proxies.clear()
            routes.down(node)
            rules.forget(node)
            local_routes.forget(node, AF_INET6)
        if up and node.loopback:
            inet.loopback_up(node.entries, node.index, node.name, node.mtu >= MTU_INET6)
        self.settle(node)

    # Carrier

    def settle(self, node: Node) -> None:
        """Update carrier and operational state of *node* and of all devices that depend on it."""
        before = (node.flags, node.operstate)
        carrier = self._carrier(node)
        running = node.up and carrier
        node.flags &= ~(IFF_RUNNING | IFF_LOWER_UP)
        if running:
            node.flags |= IFF_RUNNING | IFF_LOWER_UP
        node.operstate = operstate(node, running)
        if running and not before[0] & IFF_LOWER_UP:
            self._addresses_up(node)
        if (node.flags, node.operstate) == before:
            return
        for upper in self._uppers.get(node.index, {}).values():
            self.settle(upper)
        peer = self.nodes.get(node.link) if node.kind == "veth" and not node.remote else None
        if peer is not None:
            self.settle(peer)
        self._settle_master(node)

    def _settle_master(self, node: Node) -> None:
        master = self.nodes.get(node.master)
        if master is not None:
            self.settle(master)

    def _carrier(self, node: Node) -> bool:
        below = None if node.remote else self.nodes.get(node.link)
        if not node.carrier:
            return False
        if node.kind in STACKED and below is not None:
            return below.running
        if node.kind == "veth" and below is not None:
            return below.up
        if node.kind == "bridge":
            return any(port.running for port in self.nodes.values() if port.master == node.index)
        return True

    def _addresses_up(self, node: Node) -> None:
        """Add a link-local address to a device with a MAC (addrconf_dev_config)."""
        if node.addrgen == ADDRGEN_NONE or not node.inet6 or not node.running:
            return
        if node.type == ARPHRD_ETHER and len(node.mac) == 6 and not self._is_port(node):
            number = node.index & 0xFFFF if node.kind == "ipvlan" else 0
            inet.link_local(node.entries, node.index, inet.eui64(node.mac, number))

    def _is_port(self, node: Node) -> bool:
        master = self.nodes.get(node.master)
        return master is not None and master.kind in PORT_MASTERS


def _refuse_macvlan(unfit: bool, busy: bool) -> None:
    if unfit:
        raise Refusal(EINVAL)
    if busy:
        raise Refusal(EBUSY)


def _refuse_ipvlan(unfit: bool, busy: bool) -> None:
    if unfit:
        raise Refusal(EINVAL, "Master is either lo or non-ether device")
    if busy:
        raise Refusal(EBUSY, "Device is already in use.")


_REFUSE = {"macvlan": _refuse_macvlan, "ipvlan": _refuse_ipvlan}
