"""Values: what a reading of the kernel holds. No behaviour beyond looking up and comparing.

Addresses are packed bytes in network order (4 for IPv4, 6 for a MAC, 16 for IPv6); lifetimes are
seconds; numbers are those of the kernel's headers (linux/if.h, linux/if_addr.h, linux/if_link.h).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model.names import AliasName

AF_UNSPEC = 0
AF_INET = 2
AF_INET6 = 10

IFF_UP = 0x1
IFF_BROADCAST = 0x2
IFF_LOOPBACK = 0x8
IFF_POINTOPOINT = 0x10
IFF_RUNNING = 0x40
IFF_NOARP = 0x80
IFF_MULTICAST = 0x1000
IFF_LOWER_UP = 0x10000

ARPHRD_ETHER = 1
ARPHRD_LOOPBACK = 772

IFA_F_SECONDARY = 0x01
IFA_F_NODAD = 0x02
IFA_F_OPTIMISTIC = 0x04
IFA_F_DADFAILED = 0x08
IFA_F_DEPRECATED = 0x20
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_NOPREFIXROUTE = 0x200

MODES = {
    "macvlan": {1: "private", 2: "vepa", 4: "bridge", 8: "passthru", 16: "source"},
    "ipvlan": {0: "l2", 1: "l3", 2: "l3s"},
}
"""enum macvlan_mode and enum ipvlan_mode of linux/if_link.h."""

RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RT_SCOPE_HOST = 254

FOREVER = 0xFFFFFFFF
"""INFINITY_LIFE_TIME of net/addrconf.h."""

GROUP = 28257
"""Our mark on devices (IFLA_GROUP): the letters "na"."""
MTU_INET6 = 1280
"""IPV6_MIN_MTU of linux/ipv6.h: below it a device has no IPv6, and forgets its addresses."""
SCRATCH = 0x10000
"""The bit in the mark of devices that are being deleted together (see kernel/netlink.py)."""
PROTOCOL = 97
"""Our mark on addresses (IFA_PROTO, one byte): the low byte of GROUP."""


class Value:
    """Equality and text by the slots of the class."""

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

    ``link`` is the index of the device below (IFLA_LINK) or 0, ``remote`` tells that this device
    below lives in another namespace (IFLA_LINK_NETNSID), ``kind`` is IFLA_INFO_KIND or empty,
    ``mode`` IFLA_MACVLAN_MODE or IFLA_IPVLAN_MODE or -1, ``inet6`` whether IPv6 stands on the
    device; ``arp_announce``, ``arp_ignore`` and ``promote`` (promote_secondaries) are its own IPv4
    settings, whatever is set for all devices.
    """

    __slots__ = (
        "altnames",
        "arp_announce",
        "arp_ignore",
        "flags",
        "group",
        "ifalias",
        "index",
        "inet6",
        "kind",
        "link",
        "mac",
        "master",
        "mode",
        "mtu",
        "name",
        "operstate",
        "promote",
        "remote",
        "stats",
        "type",
    )

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
    def up(self) -> bool:
        """Administratively up (IFF_UP)."""
        return bool(self.flags & IFF_UP)


class Address(Value):
    """An address on a device.

    ``local`` is ours; ``peer`` the other end of a point-to-point pair, or empty; ``broadcast`` and
    ``label`` may be empty; ``metric`` is IFA_RT_PRIORITY; ``protocol`` IFA_PROTO; ``valid`` and
    ``preferred`` are lifetimes in seconds or FOREVER, as much as is left of them. ``age`` tells how
    long before the reading they were set, in hundredths of a second; it makes no difference.
    """

    __slots__ = (
        "age",
        "broadcast",
        "family",
        "flags",
        "index",
        "label",
        "local",
        "metric",
        "peer",
        "preferred",
        "prefixlen",
        "protocol",
        "scope",
        "valid",
    )

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
        """For how many seconds it was set, 0 for ever.

        One too many when the reading came right after a full second.
        """
        return 0 if self.valid == FOREVER else self.valid + self.age // 100

    @property
    def networked(self) -> bool:
        """Whether a network, and so a connected route, belongs to it."""
        return self.prefixlen < len(self.local) * 8 and not self.peer

    @property
    def secondary(self) -> bool:
        """Whether it hangs on another address of its network, and so brings no route. IPv4 only."""
        return self.family == AF_INET and bool(self.flags & IFA_F_SECONDARY)

    def copy(self, **changes: int) -> Address:
        """The same address with other flags, or another protocol."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return Address(**{**values, **changes})

    def lasting(self, seconds: int) -> Address:
        """The same address as it is set for so many seconds, 0 for ever."""
        lifetime = seconds or FOREVER
        return self.copy(valid=lifetime, preferred=lifetime, age=0)

    def renewed(self) -> Address:
        """The same address for as long as it was set; itself where that is for ever."""
        return self.lasting(self.lease) if self.lease else self


class Alias(Value):
    """One alias as it stands in the kernel.

    ``family`` is 0 and ``address`` empty while it has none. ``device`` is its own device, None for
    a label; ``main`` is None when the main device is gone; ``entry`` is the address as the kernel
    has it, None when only the record in the ifalias text knows it (an IPv6 alias that is down).
    ``ours`` tells our mark; ``whole`` is False for what an interrupted run left half-made.
    ``lease`` is for how many seconds its address is, or was, unless it is renewed; 0 for ever.
    """

    __slots__ = (
        "address",
        "device",
        "entry",
        "family",
        "kind",
        "lease",
        "main",
        "name",
        "ours",
        "prefixlen",
        "whole",
    )

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

    @property
    def carrier(self) -> Device | None:
        """The device the address stands on: its own, or for a label the main device."""
        return self.device or self.main

    @property
    def up(self) -> bool:
        """Whether the device that carries the address is up."""
        return self.carrier is not None and self.carrier.up

    @property
    def expired(self) -> bool:
        """Whether its lease has run out: the address is gone, its device is left.

        An IPv6 alias that is down has lost its address in any case.
        """
        return bool(self.lease) and self.entry is None and (self.up or not self.family)


class Snapshot:
    """One consistent reading: devices by index in the order of the index, addresses by device."""

    __slots__ = ("_names", "_uppers", "addresses", "devices")

    def __init__(self, devices: Iterable[Device] = (), addresses: Iterable[Address] = ()) -> None:
        self.devices: dict[int, Device] = {}
        self.addresses: dict[int, list[Address]] = {}
        self._names: dict[str, Device] = {}
        self._uppers: dict[int, list[Device]] | None = None
        # Linux 6.1 lists devices by a hash of the index.
        for device in sorted(devices, key=lambda device: device.index):
            self.devices[device.index] = device
            self._names[device.name] = device
            for altname in device.altnames:
                self._names[altname] = device
        for address in addresses:
            self.addresses.setdefault(address.index, []).append(address)

    def device(self, name: str) -> Device | None:
        """The device with this primary or alternative name."""
        return self._names.get(name)

    def on(self, index: int) -> list[Address]:
        """The addresses of the device with this index."""
        return self.addresses.get(index, [])

    def uppers(self, index: int) -> list[Device]:
        """The devices that stand directly on the one with this index, or are enslaved to it."""
        if self._uppers is None:
            self._uppers = {}
            for device in self.devices.values():
                below = 0 if device.remote else device.link
                for lower in {below, device.master} - {0}:
                    self._uppers.setdefault(lower, []).append(device)
        return self._uppers.get(index, [])

    def stack(self, device: Device) -> None:
        """Let uppers() tell of a device that is only planned."""
        self.uppers(device.link)
        assert self._uppers is not None
        self._uppers.setdefault(device.link, []).append(device)


def mac_text(mac: bytes) -> str:
    """``02:00:00:00:00:01``."""
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
