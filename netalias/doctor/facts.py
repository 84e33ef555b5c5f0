"""Facts: everything that decides whether an alias works, read once, as a plain value.

The checks are pure functions of the facts. Facts that the caller may not read are missing, and
``unseen`` names them.
"""

from __future__ import annotations

from netalias.kinds import PORT_MASTERS
from netalias.model import (
    AF_INET,
    AF_INET6,
    PROTOCOL,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTN_UNICAST,
    address_text,
    prefix,
)
from netalias.model.gateways import Gateways
from netalias.observed.labels import label_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from netalias.desired import Wish
    from netalias.desired.tasks import Task
    from netalias.doctor.foreign import Manager
    from netalias.doctor.programs import Mention
    from netalias.doctor.rules import Rule
    from netalias.doctor.stanzas import Stanza
    from netalias.kernel.pyroute.survey import DetachedRule, Way
    from netalias.model import Address, Alias, Device
    from netalias.model.events import Route
    from netalias.model.names import AliasName
    from netalias.observed import Observed
    from netalias.observed.tunnels import Fault
    from netalias.runtime.condition import Condition

ALL = "all"
"""Pseudo device whose sysctls hold for all devices."""
SYSCTLS = {
    AF_INET: ("arp_announce", "arp_filter", "arp_ignore", "promote_secondaries", "rp_filter"),
    AF_INET6: ("disable_ipv6",),
}
"""Sysctls of a device that are read, by family (Documentation/networking/ip-sysctl.rst)."""
FOLDERS = {AF_INET: "ipv4", AF_INET6: "ipv6"}
"""Folders of /proc/sys/net."""
FAR = {
    AF_INET: bytes((198, 51, 100, 1)),
    AF_INET6: b"\x20\x01\x0d\xb8" + bytes(11) + b"\1",
}
"""Addresses for documentation (RFC 5737, RFC 3849): the routes to them are those to most hosts."""
TABLES = {AF_INET: "arp_cache", AF_INET6: "ndisc_cache"}
"""Files of /proc/net/stat with the number of neighbours."""


class Facts:
    """The facts about some aliases and main devices.

    - ``aliases``, ``mains``: the aliases and main devices to be examined
    - ``sysctls``: numbers by family, device or ALL, and key
    - ``routes``: all routes; ``ways``: the route to the network of an alias, by peer() of it, and
      those to the destinations() of main devices
    - ``gateways``: the rules and routes of aliases
    - ``firewall``: family, table and name of each device that a rule names
    - ``rules``: the rules that compare the device by which a packet comes in
    - ``stanzas``: declared aliases that stand in a file of another program too
    - ``removers``: main devices, and programs that remove addresses there
    - ``owned``: family and table of those that iptables-nft has made
    - ``held``: texts of what holds a device by its index, with that; ``detached``: rules of the
      policy that wait for a device
    - ``mentions``: lines of configuration files that give a program the name of an alias
    - ``managers``: other network managers of a device, by its index
    - ``neighbours``: number and limit of entries in the neighbour table, by family
    - ``unanswered``: an address that a device asked for without an answer, by index of the device
    - ``ifconfig``, ``declared``, ``identified``: whether that program, a file of declarations, or a
      machine ID is there
    - ``store``: what is wrong with the store of a cluster, None for nothing
    - ``tasks``: the declared lines that are no aliases
    - ``tunnels``: the faults of the tunnels that are carried, by their names
    - ``wishes``: the declared aliases by name; ``declares``: the file, or empty, that declares the
      value of an IPv4 sysctl of a device or ALL
    - ``watched``: whether a watcher runs, which answers for prefixes
    - ``root``: a path put before those of other managers
    - ``unseen``: texts that name each fact which could not be read
    """

    __slots__ = (
        "_here",
        "_with_aliases",
        "aliases",
        "declared",
        "declares",
        "detached",
        "firewall",
        "gateways",
        "held",
        "identified",
        "ifconfig",
        "mains",
        "managers",
        "mentions",
        "neighbours",
        "observed",
        "owned",
        "removers",
        "root",
        "routes",
        "rules",
        "stanzas",
        "store",
        "sysctls",
        "tasks",
        "tunnels",
        "unanswered",
        "unseen",
        "watched",
        "ways",
        "wishes",
    )

    def __init__(
        self,
        observed: Observed,
        aliases: Sequence[Alias] | None = None,
        mains: Sequence[Device] = (),
        *,
        root: str = "",
    ) -> None:
        self.observed = observed
        self.aliases = list(observed.aliases if aliases is None else aliases)
        self.mains = unique([*mains, *(one.main for one in self.aliases if one.main is not None)])
        self.root = root
        self.sysctls: dict[tuple[int, str, str], int] = {}
        self.routes: list[Route] = []
        self.ways: dict[bytes, Way] = {}
        self.gateways = Gateways()
        self.firewall: set[tuple[str, str, str]] = set()
        self.rules: list[Rule] = []
        self.stanzas: list[Stanza] = []
        self.removers: set[tuple[str, str]] = set()
        self.owned: set[tuple[str, str]] = set()
        self.held: set[tuple[str, int]] = set()
        self.detached: list[DetachedRule] = []
        self.managers: dict[int, Manager] = {}
        self.mentions: list[Mention] = []
        self.neighbours: dict[int, tuple[int, int]] = {}
        self.ifconfig = self.watched = False
        self.identified = True
        self.declared = False
        self.wishes: dict[AliasName, Wish] = {}
        self.store: Condition | None = None
        self.tasks: list[Task] = []
        self.tunnels: dict[str, list[Fault]] = {}
        self.declares: Callable[[str, str, int], str] = lambda device, key, value: ""
        self.unanswered: dict[int, str] = {}
        self.unseen: list[str] = []
        entries = observed.snapshot.addresses.values()
        self._with_aliases: dict[int, set[int]] = {}
        self._here = {entry.local for some in entries for entry in some}

    @property
    def everywhere(self) -> bool:
        """Whether all aliases are examined, and so main devices without any are meant too."""
        return len(self.aliases) == len(self.observed.aliases)

    def own(self, device: str, key: str, family: int = AF_INET) -> int:
        """The sysctl of a device or ALL itself; 0 when it could not be read."""
        return self.sysctls.get((family, device, key), 0)

    def effective(self, device: Device, key: str) -> int:
        """The IPv4 sysctl in force: the larger value of the device and of ALL.

        Source: IN_DEV_MAXCONF and IN_DEV_ORCONF of linux/inetdevice.h.
        """
        return max(self.own(ALL, key), self.own(device.name, key))

    def sysctl_text(self, device: Device, key: str) -> str:
        """The IPv4 sysctl in force and its origin: ``rp_filter of eth0_0 is 1``."""
        whole, own = self.own(ALL, key), self.own(device.name, key)
        text = f"{key} of {device.name if own >= whole else 'all devices'} is {max(own, whole)}"
        file = self.intended(device, key)
        return f"{text} (declared in {file})" if file else text

    def intended(self, device: Device, key: str) -> str:
        """The file that declares the value in force of an IPv4 sysctl; empty for none."""
        whole, own = self.own(ALL, key), self.own(device.name, key)
        return self.declares(device.name if own >= whole else ALL, key, max(own, whole))

    def on(self, main: Device) -> list[Alias]:
        """The aliases of *main* that are examined."""
        return [alias for alias in self.aliases if alias.main is main]

    def known(self, device: Device, key: str) -> bool:
        """Whether the IPv4 sysctl of a device could be read."""
        return (AF_INET, device.name, key) in self.sysctls

    def with_aliases(self, main: Device) -> set[int]:
        """The indexes of a main device and of all its alias devices."""
        if main.index not in self._with_aliases:
            own = [one.device for one in self.observed.aliases if one.main is main]
            self._with_aliases[main.index] = {
                main.index,
                *(one.index for one in own if one is not None),
            }
        return self._with_aliases[main.index]

    def receiver(self, alias: Alias) -> Device | None:
        """The device at which packets for the alias arrive; None without a main device."""
        if alias.device is not None and alias.kind != "dummy":
            return alias.device
        if alias.main is None:
            return None
        return self.observed.snapshot.master(alias.main, PORT_MASTERS) or alias.main

    def unicast(self, family: int) -> Iterator[Route]:
        """The unicast routes of the main table."""
        for route in self.routes:
            if (route.table, route.type, route.family) == (RT_TABLE_MAIN, RTN_UNICAST, family):
                yield route

    def own_addresses(self, main: Device, family: int) -> list[Address]:
        """The addresses that others gave to *main*, and that packets can be sent from."""
        return [
            entry
            for entry in self.observed.snapshot.on(main.index)
            if entry.family == family
            and entry.protocol != PROTOCOL
            and entry.scope == RT_SCOPE_UNIVERSE
            and not entry.deprecated
            and label_of(entry, main) is None
        ]

    def destinations(self, own: Address) -> Iterator[tuple[str, bytes]]:
        """The networks, as texts, for which an address of a main device should be the source: its
        own, and all others; each with an address in it, packed."""
        peer = self.host(own)
        if peer:
            first = prefix.network(own.local, own.prefixlen)
            yield network_text(own.family, first, own.prefixlen), peer
        yield "other networks", FAR[own.family]

    def peer(self, alias: Alias) -> bytes:
        """An address in the network of the alias that another host may have, packed, or empty."""
        return self.host(alias.entry) if alias.entry is not None else b""

    def host(self, entry: Address) -> bytes:
        """An address in the network of *entry* that another host may have, packed, or empty."""
        if not entry.networked or entry.family not in FOLDERS:
            return b""
        size = len(entry.local)
        first = int.from_bytes(prefix.network(entry.local, entry.prefixlen), "big")
        hosts = 1 << (size * 8 - entry.prefixlen)
        # In a network of two both addresses belong to hosts (RFC 3021, RFC 6164).
        numbers = range(2) if hosts == 2 else range(1, hosts - 1)
        found = ((first + number).to_bytes(size, "big") for number in numbers)
        return next((one for one in found if one not in self._here), b"")

    def name(self, index: int) -> str:
        """The primary name of the device with this index, or ``device INDEX``."""
        device = self.observed.snapshot.devices.get(index)
        return device.name if device is not None else f"device {index}"


def unique(devices: Iterable[Device]) -> list[Device]:
    """The devices in their order, each index once."""
    return list({device.index: device for device in devices}.values())


def network_text(family: int, first: bytes, prefixlen: int) -> str:
    """A network as text: ``10.0.0.0/24``."""
    return f"{address_text(family, first)}/{prefixlen}"


def text_of(alias: Alias) -> str:
    """The address of an alias without its prefix length."""
    return address_text(alias.family, alias.address)
