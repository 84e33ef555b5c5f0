"""A kernel in memory with the rules of Linux 6.x: for dry runs, tests, and without CAP_NET_ADMIN.

Its answers were read off a 6.18 kernel, errno by errno; the contract suite holds both together. The
rules of addresses are in addresses.py, those of devices in links.py and devices.py:

- a name is taken when any device has it as primary or alternative name;
- macvlan and ipvlan need an Ethernet device, never both on one device, never on the port of a
  bridge; one on another of its kind gets the lower device of that one;
- two macvlans of one device cannot be up with one MAC, nor with that of the device;
- they are removed with their lower device; their carrier is its carrier, their MTU at most its MTU;
- a change of several attributes has a fixed order, and those before a refusal stay changed.
"""

from __future__ import annotations

from errno import EINVAL, ENODEV, ENOENT, ENXIO, EOPNOTSUPP, EPERM, ERANGE

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.memory import addresses as inet
from netalias.kernel.memory import devices, local_routes, routes, rules
from netalias.kernel.memory.addresses import POLICY, Refusal
from netalias.kernel.memory.devices import Node, plain
from netalias.kernel.memory.links import LinkTable
from netalias.kernel.refusing import refused
from netalias.model import (
    AF_INET,
    AF_INET6,
    ARPHRD_ETHER,
    FOREVER,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    Address,
    Device,
    Snapshot,
    names,
)
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.neighbours import AddProxy, DelProxy
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.routes import AddRoute, DelRoute
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any

    from netalias.model.gateways import Routing
    from netalias.model.neighbours import Proxy, Surroundings
    from netalias.model.routes import Connected
    from netalias.model.steps import Step

KINDS = ("macvlan", "ipvlan", "dummy", "ifb", "veth", "bridge")

ALTNAMES_MAX = 496
"""Altnames that fit the property list, whose size has 16 bits (rtnl_alt_ifname)."""
IFALIAS_MAX = 254
GONE = {AF_INET: "ipv4: Device not found", AF_INET6: "ipv6: Unable to find the interface"}


class Memory(Kernel):
    """A Kernel that holds nothing but ``lo`` (index 1, down) at first.

    ``kinds`` are the device kinds that it can make; without ``privileged`` it refuses every change;
    without ``has_protocol`` it drops IFA_PROTO, as kernels before 5.18 do; without
    ``changes_protocol`` an IPv4 address keeps it for life, as before 6.12. ``shared`` holds the
    sysctls of net.ipv4.conf.all. Of routes it has those with our mark, and default routes:
    ``around`` is the answer of surroundings() for every address, None for no answer.

    The methods under "The stage" do as ip(8) does: they need no privilege, and raise KernelError
    where the kernel refuses. They take devices by primary or alternative name.
    """

    def __init__(
        self,
        kinds: Sequence[str] = KINDS,
        *,
        privileged: bool = True,
        has_protocol: bool = True,
        changes_protocol: bool = True,
    ) -> None:
        self.kinds = tuple(kinds)
        self.privileged = privileged
        self.has_protocol = has_protocol
        self.changes_protocol = changes_protocol
        self.shared: dict[str, int] = {}
        self.around: Surroundings | None = None
        self._links = LinkTable()
        self._rules = rules.Rules(self._links.nodes)
        self._made: dict[str, int] = {}

    @classmethod
    def holding(
        cls,
        snapshot: Snapshot,
        kinds: Sequence[str] = KINDS,
        proxies: Iterable[Proxy] = (),
        beside: Kernel | None = None,
    ) -> Memory:
        """A kernel in the state of *snapshot*, for a trial of a plan; the rules, routes and default
        gateways are those of *beside*."""
        made = cls(kinds)
        made._links.load(snapshot)
        if beside is not None:
            made._rules.beside(beside.routing)
        for proxy in proxies:
            if proxy.index in made._links.nodes:
                devices.put(made._links.nodes[proxy.index], proxy)
        return made

    # Kernel

    def snapshot(self, family: int = 0) -> Snapshot:
        """Copies of the devices and addresses: later changes do not show in them."""
        return Snapshot(
            [plain(node) for node in self._links.nodes.values()],
            [
                self._shown(entry)
                for node in self._links.nodes.values()
                for entry in node.entries
                if family in (0, entry.family)
            ],
            local_routes.shown(self._links.nodes.values()),
        )

    def reread(self, names: Collection[str], *, addresses: bool) -> Snapshot:
        """Copies of these devices and their addresses."""
        found = {node.index: node for name in names if (node := self._links.named(name))}
        return Snapshot(
            [plain(node) for node in found.values()],
            [self._shown(entry) for node in found.values() for entry in node.entries],
        )

    def _shown(self, entry: Address) -> Address:
        copy = inet.copy(entry)
        if not self.has_protocol:
            copy.protocol = 0
        return copy

    def made(self, name: str) -> int:
        """The ifindex that a step has given it."""
        return self._made.get(name, 0)

    def able(self, kind: str) -> bool:
        """Whether *kind* is one of ``kinds``."""
        self.permitted()
        return kind in self.kinds

    def permitted(self) -> None:
        """Check ``privileged``. Raises NotPermitted."""
        if not self.privileged:
            raise errors.kernel_error("changing addresses", EPERM)

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        """Execute each step by its rule in RULES."""
        answers = []
        for step in steps:
            answers.append(self._answer(step))
            if self.progress is not None:
                self.progress(1)
        return answers

    def _answer(self, step: Step) -> errors.NetaliasError | None:
        try:
            if not self.privileged:
                raise Refusal(EPERM)
            RULES[type(step)](self, step)
        except Refusal as no:
            if no.errno in getattr(step, "tolerate", ()):
                return None
            return refused(step, no.errno, no.text)
        return None

    def close(self) -> None:
        """Do nothing: there are no resources."""

    def proxies(self) -> list[Proxy]:
        """The entries themselves, which never change."""
        return [one for node in self._links.nodes.values() for one in node.proxies.values()]

    def connected(self) -> list[Connected]:
        """The routes of all devices."""
        return [route for node in self._links.nodes.values() for route in routes.routes(node)]

    def routing(self) -> Routing:
        """The answers by the rules of this kernel, and the default routes of add_default()."""
        return self._rules

    def surroundings(
        self, index: int, family: int, addresses: Sequence[bytes]
    ) -> list[Surroundings]:
        """The value ``around`` for each address."""
        return [] if self.around is None else [self.around] * len(addresses)

    # The stage

    def device(self, name: str) -> Device:
        """A copy of the device with this name. Raises KernelError (ENODEV)."""
        return plain(self._named(name, "device"))

    def common(self, setting: str) -> int:
        """The sysctl of net.ipv4.conf.all in ``shared``, or 0."""
        return self.shared.get(setting, 0)

    def setting(self, name: str, key: str) -> int:
        """The IPv4 sysctl *key* of a device; 0 until it is set."""
        return self._named(name, "setting").conf.get(key, 0)

    def add_device(
        self,
        name: str,
        kind: str = "",
        *,
        type: int = ARPHRD_ETHER,
        up: bool = False,
        mac: bytes | None = None,
        mtu: int = 0,
        mode: int = -1,
        link: str | int = 0,
        remote: bool = False,
        master: str | int = 0,
        group: int = 0,
        ifalias: str = "",
        altnames: Sequence[str] = (),
    ) -> Device:
        """``ip link add``, then ``ip link set`` and ``ip link property add``.

        *link* and *master* are names or indexes; with *remote*, *link* is an index in another
        namespace; *mac* is generated for Ethernet unless given; *mtu* 0 is the default.
        """
        node = Node(0, name, type=type, kind=kind, mode=mode, group=group, mtu=mtu)
        node.link = link if isinstance(link, int) else self._named(link, f"add {name}").index
        node.remote, node.ifalias, node.altnames = remote, ifalias, tuple(altnames)
        node.mac = mac if mac is not None else b""
        with inet.Stage(f"add {name}"):
            for altname in altnames:
                self._links.check_free(altname)
            self._links.create(node)
        self.set_device(name, up=up or None, master=master or None)
        return plain(node)

    def remove_device(self, name: str) -> None:
        """``ip link del``, of any device."""
        node = self._named(name, f"del {name}")
        with inet.Stage(f"del {name}"):
            self._links.remove(node)

    def set_device(
        self,
        device: str,
        /,
        *,
        up: bool | None = None,
        carrier: bool | None = None,
        addrgen: int | None = None,
        master: str | int | None = None,
        name: str | None = None,
        group: int | None = None,
        mac: bytes | None = None,
        mtu: int | None = None,
    ) -> None:
        """``ip link set``; *carrier* plugs or pulls the cable, *master* 0 frees a port."""
        node = self._named(device, f"set {device}")
        with inet.Stage(f"set {device}"):
            if name is not None:
                self._links.rename(node, name)
            if master is not None:
                found = self._named(master, f"set {device}").index if master else 0
                self._links.enslave(node, found)
            if group is not None:
                node.group = group
            if addrgen is not None:
                devices.check_addrgen(node, addrgen)
                node.addrgen = addrgen
            if carrier is not None:
                node.carrier = carrier
                self._links.settle(node)
            self._change(node, mac=mac, mtu=mtu, up=up)

    def add_address(self, device: str, address: Address | str, **fields: object) -> Address:
        """``ip addr add``: an Address, or ``10.0.0.1/24`` and the *fields* of an Address."""
        node = self._named(device, f"addr add dev {device}")
        entry = inet.copy(address) if isinstance(address, Address) else inet.parse(address)
        for key, value in fields.items():
            setattr(entry, key, value)
        with inet.Stage(f"addr add dev {device}"):
            self._add_address(node, entry)
        return entry

    def add_proxy(self, device: str, proxy: Proxy) -> None:
        """``ip neigh add proxy``; ``proxy.index`` is ignored."""
        node = self._named(device, f"neigh add proxy dev {device}")
        with inet.Stage(f"neigh add proxy dev {device}"):
            devices.put(node, proxy)

    def add_default(self, device: str, gateway: str) -> None:
        """``ip route replace default via`` the gateway; empty: ``ip route del default``."""
        from _socket import inet_pton

        node = self._named(device, f"route add dev {device}")
        family = AF_INET6 if ":" in gateway else AF_INET
        if gateway:
            self._rules.defaults[node.index, family] = inet_pton(family, gateway)
            return
        for key in [key for key in self._rules.defaults if key[0] == node.index]:
            del self._rules.defaults[key]

    def remove_address(self, device: str, address: Address | str) -> None:
        """``ip addr del``."""
        node = self._named(device, f"addr del dev {device}")
        entry = address if isinstance(address, Address) else inet.parse(address)
        with inet.Stage(f"addr del dev {device}"):
            self._delete_address(node, entry)

    def check_address(self, device: str, address: str) -> None:
        """Duplicate address detection of an IPv6 address is under way."""
        wanted = inet.parse(address)
        for entry in self._named(device, f"addr show dev {device}").entries:
            if entry.local == wanted.local:
                entry.flags |= IFA_F_TENTATIVE

    def fail_address(self, device: str, address: str) -> None:
        """Another host has an IPv6 address: duplicate address detection has failed. One with a
        lifetime goes (addrconf_dad_stop)."""
        node, wanted = self._named(device, f"addr show dev {device}"), inet.parse(address)
        for entry in [one for one in node.entries if one.local == wanted.local]:
            entry.flags |= IFA_F_DADFAILED
            if entry.valid != FOREVER:
                self._delete_address(node, entry)

    def _named(self, name: str | int, operation: str) -> Node:
        node = self._links.nodes.get(name) if isinstance(name, int) else self._links.named(name)
        if node is None:
            raise errors.kernel_error(f"{operation}: {name}", ENODEV)
        return node

    def pass_time(self, seconds: int) -> None:
        """Let finite lifetimes run down; an address is removed at the end of its last second."""
        for node in self._links.nodes.values():
            for entry in inet.grow_old(node.entries, seconds):
                if any(other is entry for other in node.entries):  # not removed with its primary
                    self._delete_address(node, entry)

    # The steps

    def _node(self, step: Step, text: str = "") -> Node:
        """The device of a step, by index or by the name of a device made here. Raises Refusal."""
        node = self._links.nodes.get(step.index or self._made.get(step.device, 0))
        if node is None:
            raise Refusal(ENODEV, text)
        return node

    def _create(self, step: CreateLink) -> None:
        if len(_bytes(step.device)) > names.NAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if step.kind not in self.kinds:
            self._links.check_free(step.device)
            raise Refusal(EOPNOTSUPP, "Unknown device type")
        node = Node(0, step.device, kind=step.kind, mode=step.mode, link=step.link)
        node.group, node.mac, node.mtu = step.group, step.mac, step.mtu
        if step.master and step.master not in self._links.nodes:
            raise Refusal(EINVAL)
        self._made[step.device] = self._links.create(node, step.former)
        if step.master:
            self._links.enslave(node, step.master)

    def _delete(self, step: DelLink) -> None:
        self._links.remove(self._node(step))

    def _add_altname(self, step: AddAltname) -> None:
        node = self._node(step)
        if len(_bytes(step.altname)) > names.ALTNAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if len(node.altnames) >= ALTNAMES_MAX:
            raise Refusal(EINVAL, "effective property list too long")
        self._links.check_free(step.altname)
        node.altnames += (step.altname,)
        self._links.learn(node)

    def _del_altname(self, step: DelAltname) -> None:
        node = self._node(step)
        if len(_bytes(step.altname)) > names.ALTNAME_MAX:
            raise Refusal(ERANGE, POLICY)
        if self._links.named(step.altname) is None:
            raise Refusal(ENOENT)
        if step.altname not in node.altnames:
            raise Refusal(EINVAL)
        self._links.forget(node)
        node.altnames = tuple(name for name in node.altnames if name != step.altname)
        self._links.learn(node)

    def _set(self, step: SetLink) -> None:
        node = self._node(step)
        if step.ifalias is not None and len(_bytes(step.ifalias)) > IFALIAS_MAX:
            raise Refusal(ERANGE, POLICY)
        if step.mac is not None and len(step.mac) != len(node.mac):
            raise Refusal(EINVAL)
        if step.addrgen is not None:
            devices.check_addrgen(node, step.addrgen)
        self._change(node, mac=step.mac, mtu=step.mtu, ifalias=step.ifalias, up=step.up)
        # The families come last, after the device went up (do_setlink in net/core/rtnetlink.c).
        node.configure(step.conf or {})
        if step.addrgen is not None:
            node.addrgen = step.addrgen

    def _change(
        self,
        node: Node,
        *,
        mac: bytes | None = None,
        mtu: int | None = None,
        ifalias: str | None = None,
        up: bool | None = None,
    ) -> None:
        """Change attributes in the order of do_setlink; None leaves one as it is."""
        if mac is not None:
            self._links.set_mac(node, mac)
        if mtu is not None:
            self._links.set_mtu(node, mtu)
        if ifalias is not None:
            node.ifalias = ifalias
        if up is not None:
            self._links.set_up(node, up)

    def _new_address(self, step: AddAddress) -> None:
        self._add_address(self._node(step, GONE.get(step.address.family, "")), step.address)

    def _mark_address(self, step: MarkAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        keeps = step.address.family == AF_INET and not self.changes_protocol
        self._add_address(node, step.address, inet.replace_but_mark if keeps else inet.replace)

    def _renew_address(self, step: RenewAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        self._add_address(node, step.address, inet.renew)

    def _add_address(
        self,
        node: Node,
        wanted: Address,
        put: Callable[[list[Address], Address, bool], None] = inet.insert,
    ) -> None:
        if wanted.family not in GONE:
            raise Refusal(EOPNOTSUPP)
        if wanted.family == AF_INET6 and not node.inet6:
            raise Refusal(EINVAL)
        entry = inet.copy(wanted)
        entry.index = node.index
        entry.label = entry.label or node.name
        put(node.entries, entry, node.loopback)
        if put is inet.insert:
            routes.come(node, entry)

    def _del_address(self, step: DelAddress) -> None:
        node = self._node(step, GONE.get(step.address.family, ""))
        if step.address.family not in GONE:
            raise Refusal(EOPNOTSUPP)
        if step.address.family == AF_INET6 and not node.inet6:
            raise Refusal(ENXIO, "ipv6: IPv6 is disabled on this device")
        self._delete_address(node, step.address)

    def _delete_address(self, node: Node, address: Address) -> None:
        before = list(node.entries)
        inet.delete(node.entries, address, node.promote)
        left = set(map(id, node.entries))
        for gone in before:
            if id(gone) not in left:
                routes.go(node, gone)
        if address.family == AF_INET and all(one.family != AF_INET for one in node.entries):
            local_routes.without_addresses(node)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


RULES: dict[type[Step], Callable[[Memory, Any], None]] = {
    CreateLink: Memory._create,
    DelLink: Memory._delete,
    AddAltname: Memory._add_altname,
    DelAltname: Memory._del_altname,
    SetLink: Memory._set,
    AddAddress: Memory._new_address,
    MarkAddress: Memory._mark_address,
    RenewAddress: Memory._renew_address,
    RenameLink: lambda kernel, step: kernel._links.rename(kernel._node(step), step.name),
    SetGroup: lambda kernel, step: setattr(kernel._node(step), "group", step.group),
    DelAddress: Memory._del_address,
    AddProxy: lambda kernel, step: devices.put(kernel._node(step), step.proxy),
    DelProxy: lambda kernel, step: devices.remove(kernel._node(step), step.proxy),
    AddRoute: lambda kernel, step: routes.add(kernel._node(step), step.route),
    DelRoute: lambda kernel, step: routes.remove(kernel._node(step), step.route),
    **rules.RULES,
    **local_routes.RULES,
}
