"""Values of a reading of the kernel: devices, addresses, aliases. No behaviour beyond lookups.

::

    names.py        the grammar of eth0:0, primary names, limits
    hidden.py       hidden devices, which hold the addresses of shards
    prefix.py       network arithmetic on packed addresses
    steps.py        the effects of a plan as values
    commands.py     a step in the words of ip(8) and sysctl(8)
    shell.py        words and sysctls of such a command, as a shell takes them
    events.py       the state by the kernel's announcements, and its changes
    neighbours.py   proxy neighbour entries, the conditions of their use, their steps
    listing.py      the first of many errors, and their number
    local_routes.py local routes of whole networks, and their steps
    leases.py       limited lifetimes of addresses, and their renewal

Addresses are packed bytes in network order (4 for IPv4, 6 for a MAC, 16 for IPv6); lifetimes are
seconds; numbers are those of linux/if.h, linux/if_addr.h, linux/if_link.h and linux/rtnetlink.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from netalias.model.names import AliasName

# Address families: linux/socket.h.
AF_UNSPEC = 0
AF_INET = 2
AF_INET6 = 10

# Flags of a device: linux/if.h.
IFF_UP = 0x1
IFF_BROADCAST = 0x2
IFF_LOOPBACK = 0x8
IFF_POINTOPOINT = 0x10
IFF_RUNNING = 0x40
IFF_NOARP = 0x80
IFF_MULTICAST = 0x1000
IFF_LOWER_UP = 0x10000

# Hardware types: linux/if_arp.h.
ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772

# Flags of an address: linux/if_addr.h.
IFA_F_SECONDARY = 0x01
IFA_F_NODAD = 0x02
IFA_F_OPTIMISTIC = 0x04
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_NOPREFIXROUTE = 0x200
IFA_F_MCAUTOJOIN = 0x400

MODES = {
    "macvlan": {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"},
    "ipvlan": {0: "l2", 1: "l3", 2: "l3s"},
}
"""Kind: its modes by number (enum macvlan_mode, IPVLAN_MODE_* of linux/if_link.h)."""

# Scopes of an address: enum rt_scope_t of linux/rtnetlink.h.
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_HOST = 254

# Values of struct rtmsg: linux/rtnetlink.h.
RT_TABLE_MAIN = 254
RT_TABLE_LOCAL = 255
RTN_UNICAST = 1
RTN_LOCAL = 2

FOREVER = 0xFFFFFFFF
"""Infinite lifetime (INFINITY_LIFE_TIME of net/addrconf.h)."""

RANDOM_MAC = bytes(6)
"""Stands for a MAC of chance in a wish; no device can have it (is_valid_ether_addr)."""

GROUP = 28257
"""Mark of netalias on devices (IFLA_GROUP): the letters "na"."""
HIDDEN = 1
"""Bit by which the group of hidden devices differs from the mark (hidden.py)."""
MTU_INET6 = 1280
"""Least MTU of IPv6 (IPV6_MIN_MTU of linux/ipv6.h): below it a device loses its addresses."""
SCRATCH = 0x10000
"""Bit in the group of devices that are being deleted together. The bits above it are drawn for each
deletion, so that nobody else has that group; those below are the mark (is_scratch)."""
PROTOCOL = 97
"""Mark of netalias on addresses (IFA_PROTO, one byte): the low byte of GROUP."""
NOTED = 0x6E800000
"""The upper 9 bits of the metric of a label inside a known network, which notes the prefix length
that was asked for in the next 7 bits and its slot in the others (kinds/label.py)."""


def is_scratch(group: int, mark: int) -> bool:
    """Whether devices of *group* are being deleted together, and had *mark* before."""
    return group & (SCRATCH | SCRATCH - 1) == mark | SCRATCH


class Value:
    """Base of values: equality, hash and text by the slots of the class."""

    __slots__: tuple[str, ...] = ()

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        words = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({words})"


class Stats(Value):
    """Counters of a device (struct rtnl_link_stats64): packets and bytes."""

    __slots__ = ("rx_bytes", "rx_packets", "tx_bytes", "tx_packets")

    def __init__(
        self, rx_packets: int = 0, tx_packets: int = 0, rx_bytes: int = 0, tx_bytes: int = 0
    ) -> None:
        self.rx_packets = rx_packets
        self.tx_packets = tx_packets
        self.rx_bytes = rx_bytes
        self.tx_bytes = tx_bytes


class Device(Value):
    """A network device.

    ``link`` is the index of the lower device (IFLA_LINK) or 0, ``remote`` tells that the lower
    device is in another namespace (IFLA_LINK_NETNSID), ``kind`` is IFLA_INFO_KIND or empty,
    ``mode`` IFLA_MACVLAN_MODE or IFLA_IPVLAN_MODE or -1, ``inet6`` whether IPv6 is enabled on the
    device; ``arp_announce``, ``arp_ignore`` and ``promote`` (promote_secondaries) are its own IPv4
    sysctls, whatever net.ipv4.conf.all has.
    """

    __slots__ = (
        "altnames", "arp_announce", "arp_ignore", "flags", "group", "ifalias", "index", "inet6",
        "kind", "link", "mac", "master", "mode", "mtu", "name", "operstate", "promote", "remote",
        "stats", "type",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        name: str,
        flags: int = 0,
        type: int = ARPHRD_ETHER,
        *,
        altnames: Sequence[str] = (),
        mtu: int = 1500,
        mac: bytes = b"",
        kind: str = "",
        mode: int = -1,
        link: int = 0,
        remote: bool = False,
        master: int = 0,
        group: int = 0,
        ifalias: str = "",
        operstate: int = 0,
        inet6: bool = True,
        arp_announce: int = 0,
        arp_ignore: int = 0,
        promote: bool = False,
        stats: Stats | None = None,
    ) -> None:
        self.index = index
        self.name = name
        self.flags = flags
        self.type = type
        self.altnames = tuple(altnames)
        self.mtu = mtu
        self.mac = mac
        self.kind = kind
        self.mode = mode
        self.link = link
        self.remote = remote
        self.master = master
        self.group = group
        self.ifalias = ifalias
        self.operstate = operstate
        self.inet6 = inet6
        self.arp_announce = arp_announce
        self.arp_ignore = arp_ignore
        self.promote = promote
        self.stats = stats

    @property
    def promote_secondaries(self) -> int:
        """``promote`` as the number that the sysctl has."""
        return int(self.promote)

    @property
    def up(self) -> bool:
        """Whether it is administratively up (IFF_UP)."""
        return bool(self.flags & IFF_UP)


class Address(Value):
    """An address on a device.

    ``local`` is the address itself (IFA_LOCAL); ``peer`` the other end of a point-to-point pair, or
    empty; ``broadcast`` and ``label`` may be empty; ``metric`` is IFA_RT_PRIORITY, ``protocol``
    IFA_PROTO; ``valid`` and ``preferred`` are the remaining lifetimes in seconds, or FOREVER.
    ``age`` is the time from their setting to the reading in hundredths of a second; it takes no
    part in comparisons.
    """

    __slots__ = (
        "age", "broadcast", "family", "flags", "index", "label", "local", "metric", "peer",
        "preferred", "prefixlen", "protocol", "scope", "valid",
    )  # fmt: skip

    def __init__(
        self,
        index: int,
        family: int,
        local: bytes,
        prefixlen: int,
        flags: int = IFA_F_PERMANENT,
        scope: int = RT_SCOPE_UNIVERSE,
        *,
        peer: bytes = b"",
        broadcast: bytes = b"",
        label: str = "",
        protocol: int = 0,
        metric: int = 0,
        valid: int = FOREVER,
        preferred: int = FOREVER,
        age: int = 0,
    ) -> None:
        self.index = index
        self.family = family
        self.local = local
        self.prefixlen = prefixlen
        self.flags = flags
        self.scope = scope
        self.peer = peer
        self.broadcast = broadcast
        self.label = label
        self.protocol = protocol
        self.metric = metric
        self.valid = valid
        self.preferred = preferred
        self.age = age

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__ if name != "age")

    @property
    def lease(self) -> int:
        """The lifetime in seconds that was set, 0 for infinite.

        It is one second too long when the reading came right after a full second.
        """
        return 0 if self.valid == FOREVER else self.valid + self.age // 100

    @property
    def failed(self) -> bool:
        """Whether the kernel found that another host has it (RFC 4862), and does not use it."""
        return self.family == AF_INET6 and bool(self.flags & IFA_F_DADFAILED)

    @property
    def own_metric(self) -> int:
        """The metric that was asked for, 0 for none; a label may have others for itself
        (kinds/label.py)."""
        return 0 if self.noted or self.metric >> 16 == GROUP else self.metric

    @property
    def networked(self) -> bool:
        """Whether it has a network, and so a connected route."""
        return self.prefixlen < len(self.local) * 8 and not self.peer

    @property
    def secondary(self) -> bool:
        """Whether it is a secondary IPv4 address, which brings no connected route."""
        return self.family == AF_INET and bool(self.flags & IFA_F_SECONDARY)

    @property
    def deprecated(self) -> bool:
        """Whether no source is chosen from it while there is another address (RFC 4862); for IPv4
        the kernel ignores that."""
        return not self.preferred

    @property
    def noted(self) -> int:
        """The prefix length that was asked for, of a label that is a host inside a known network;
        0 for any other address."""
        return self.metric >> 16 & 0x7F if self.metric >> 23 == NOTED >> 23 else 0

    @property
    def routed(self) -> bool:
        """Whether its network has a connected route by it.

        A secondary of others counts: its primary is theirs too, or a label of ours, which leaves
        the network to it (plan/routes.py).
        """
        if self.flags & IFA_F_NOPREFIXROUTE or not self.networked:
            return False
        return not self.secondary or self.protocol != PROTOCOL

    def copy(self, **changes: int) -> Address:
        """The same address with *changes* of its fields."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return Address(**{**values, **changes})

    def like(self, local: bytes, label: str, metric: int) -> Address:
        """An address of no device yet, packed in *local*, with the same length, flags, mark and
        lifetimes."""
        return Address(
            0, self.family, local, self.prefixlen, self.flags, self.scope, label=label,
            protocol=self.protocol, metric=metric, valid=self.valid, preferred=self.preferred,
        )  # fmt: skip

    def lasting(self, seconds: int) -> Address:
        """The same address with a lifetime of *seconds*, 0 for infinite; deprecated if it is."""
        lifetime = seconds or FOREVER
        return self.copy(valid=lifetime, preferred=lifetime * (not self.deprecated), age=0)

    def renewed(self) -> Address:
        """The same address with its whole lifetime again; itself where that is infinite."""
        return self.lasting(self.lease) if self.lease else self


class Alias(Value):
    """One alias as the kernel has it.

    ``family`` is 0 and ``address`` empty while it has none. ``device`` is its own device, None for
    a label; ``main`` is None when the main device is gone; ``entry`` is the address of the kernel,
    None when only the record in the ifalias text has it (an IPv6 alias that is down). ``ours``
    tells whether it has the mark of netalias; ``whole`` is False when an interrupted run left it
    half-made. ``lease`` is the lifetime of its address in seconds, 0 for infinite. ``sheltered``:
    it is an IPv6 label that is deprecated unless it is said, or an IPv4 label that comes before the
    own addresses of its main device (observed/labels.py). ``gateway`` is that of
    its device, packed, or empty; ``linklocal``: its device is to have a link-local address.
    ``hidden`` is the device that has the address of a shard (hidden.py).
    """

    __slots__ = (
        "address", "device", "entry", "family", "gateway", "hidden", "kind", "lease", "linklocal",
        "main", "name", "ours", "prefixlen", "sheltered", "whole",
    )  # fmt: skip

    def __init__(
        self,
        name: AliasName,
        kind: str,
        *,
        family: int = AF_UNSPEC,
        address: bytes = b"",
        prefixlen: int = 0,
        main: Device | None = None,
        device: Device | None = None,
        entry: Address | None = None,
        ours: bool = True,
        whole: bool = True,
        lease: int = 0,
        sheltered: bool = False,
        gateway: bytes = b"",
        linklocal: bool = False,
        hidden: Device | None = None,
    ) -> None:
        self.name = name
        self.kind = kind
        self.family = family
        self.address = address
        self.prefixlen = prefixlen
        self.main = main
        self.device = device
        self.entry = entry
        self.ours = ours
        self.whole = whole
        self.lease = lease
        self.sheltered = sheltered
        self.gateway = gateway
        self.linklocal = linklocal
        self.hidden = hidden

    @property
    def asked(self) -> int:
        """The prefix length that was asked for."""
        return (self.entry.noted if self.entry is not None else 0) or self.prefixlen

    @property
    def carrier(self) -> Device | None:
        """The device that has the address: its own, a hidden one, or for a label the main
        device."""
        return self.device or self.hidden or self.main

    @property
    def up(self) -> bool:
        """Whether the device that carries the address is up; for a shard the main device, too."""
        if self.hidden is not None and (self.main is None or not self.main.up):
            return False
        return self.carrier is not None and self.carrier.up

    @property
    def expired(self) -> bool:
        """Whether its lease has run out: the address is gone and the device is left.

        An IPv6 alias that is down has no address in any case, so it is not expired.
        """
        return bool(self.lease) and self.entry is None and (self.up or not self.family)


class Snapshot:
    """One consistent reading: devices by index, in ascending order, addresses by device, and the
    LocalRoutes (local_routes.py). ``device`` is called with a primary or alternative name: the
    device, or None. ``absent`` are the macvlans that were left out (bare.py), by the index of their
    lower device.
    """

    __slots__ = ("_uppers", "absent", "addresses", "device", "devices", "local_routes")

    def __init__(
        self,
        devices: Iterable[Device] = (),
        addresses: Iterable[Address] = (),
        local_routes: Sequence[Any] = (),
    ) -> None:
        self.local_routes = local_routes
        self.absent: Mapping[int, Sequence[tuple[str, int, bytes]]] = {}
        self.devices: dict[int, Device] = {}
        self.addresses: dict[int, list[Address]] = {}
        names: dict[str, Device] = {}
        self.device = names.get
        self._uppers: dict[int, list[Device]] | None = None
        # Linux 6.1 lists devices by a hash of the index.
        for device in sorted(devices, key=lambda device: device.index):
            self.devices[device.index] = device
            names[device.name] = device
            for altname in device.altnames:
                names[altname] = device
        for address in addresses:
            self.addresses.setdefault(address.index, []).append(address)

    def on(self, index: int) -> list[Address]:
        """The addresses of the device with this index."""
        return self.addresses.get(index, [])

    def uppers(self, index: int) -> list[Device]:
        """The upper devices of the one with this index: stacked on it, or enslaved to it."""
        if self._uppers is None:
            self._uppers = {}
            for device in self.devices.values():
                below = 0 if device.remote else device.link
                for lower in {below, device.master} - {0}:
                    self._uppers.setdefault(lower, []).append(device)
        return self._uppers.get(index, [])

    def count(self, index: int, kind: str) -> int:
        """The number of devices of this *kind* that are stacked on the one with this index."""
        absent = self.absent.get(index, ()) if kind == "macvlan" else ()
        return sum(upper.kind == kind for upper in self.uppers(index)) + len(absent)

    def carries(self, device: Device, kinds: Collection[str]) -> bool:
        """Whether a device of one of these kinds, alias or not, is stacked on *device*."""
        uppers = self.uppers(device.index)
        return any(upper.kind in kinds and upper.link == device.index for upper in uppers)

    def master(self, device: Device, kinds: Collection[str]) -> Device | None:
        """The master of *device*, if it is of one of these kinds."""
        found = self.devices.get(device.master)
        return found if found is not None and found.kind in kinds else None

    def stack(self, device: Device) -> None:
        """Add a device that is only planned to the answers of uppers()."""
        self.uppers(device.link)
        assert self._uppers is not None
        self._uppers.setdefault(device.link, []).append(device)


def mac_text(mac: bytes) -> str:
    """The text of a MAC: ``02:00:00:00:00:01``."""
    return mac.hex(":")


def address_text(family: int, packed: bytes) -> str:
    """The text of an IPv4 or IPv6 address; hexadecimal for any other family."""
    if family == AF_INET:
        return "%d.%d.%d.%d" % (*packed,)
    if family == AF_INET6:
        from _socket import AF_INET6 as v6
        from _socket import inet_ntop

        return inet_ntop(v6, packed)
    return packed.hex()
