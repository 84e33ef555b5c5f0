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

from errno import ENODEV

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.memory import addresses as inet
from netalias.kernel.memory import devices, local_routes, routes
from netalias.kernel.memory.devices import Node, plain
from netalias.kernel.memory.steps import StepMemory
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
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from netalias.model.gateways import Routing
    from netalias.model.neighbours import Proxy, Surroundings
    from netalias.model.routes import Connected

KINDS = ("macvlan", "ipvlan", "dummy", "ifb", "veth", "bridge")


class Memory(StepMemory):
    """A Kernel that holds nothing but ``lo`` (index 1, down) at first.

    ``kinds`` are the device kinds that it can make; without ``privileged`` it refuses every change;
    without ``has_protocol`` it drops IFA_PROTO, as kernels before 5.18 do; without
    ``changes_protocol`` an IPv4 address keeps it for life, as before 6.12. ``shared`` holds the
    sysctls of net.ipv4.conf.all; ``without_inet6`` tells for the name of a device, ``default`` for
    one that a step has made, whether its disable_ipv6 is set. Of routes it has those with our mark,
    and default routes: ``around`` is the answer of surroundings() for every address, None for no
    answer.

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
        super().__init__(kinds, privileged=privileged, changes_protocol=changes_protocol)
        self.has_protocol = has_protocol
        self.shared: dict[str, int] = {}
        self.around: Surroundings | None = None

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

    def reread(
        self, names: Collection[str], *, addresses: bool, only: Collection[bytes] = ()
    ) -> Snapshot:
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

    def disables_inet6(self, name: str) -> bool:
        """The answer of ``without_inet6``."""
        return self.without_inet6(name)

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
