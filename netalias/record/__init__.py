"""The service record of a network device: protocols, subnets, media, rate and availability, as they
are now. Pure.

::

    txt.py     as the data of a DNS-SD service
    spec.py    as a service record of Bluetooth, in its binary form
    dnssd.py   announced to the network, by the library zeroconf

After the daemon btpand(8) of NetBSD, whose record was fixed at its start.
"""

from __future__ import annotations

from netalias.model import (
    AF_INET,
    AF_INET6,
    ARPHRD_ETHER,
    IFA_F_DADFAILED,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    IFF_NOARP,
    RT_SCOPE_LINK,
    Value,
    address_text,
)
from netalias.model.prefix import network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model import Address, Device

# linux/if_ether.h
ETH_P_IP = 0x0800
ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD

LIMIT = 7
"""Clients of a network access point of Bluetooth: the members of a piconet but its master."""
FULL = 255
"""ServiceAvailability of a service that nobody uses yet."""
ETHERNET, FAST_ETHERNET, OTHER = 4, 5, 0xFFFE
"""NetAccessType of the PAN profile: Ethernet of 10 and 100 Mbit/s, and anything that has no number
there."""
NET_TYPES = {10: ETHERNET, 100: FAST_ETHERNET}
"""Mbit/s: the type, for a device whose port is one of PORTS."""
PORTS = range(6)
"""The ports of Ethernet: PORT_TP to PORT_DA of linux/ethtool.h."""
SPEED_UNKNOWN = 0xFFFFFFFF
OCTETS = 1_000_000 // 8
"""Octets in a megabit."""
UNVERIFIED = IFA_F_TENTATIVE | IFA_F_DADFAILED


class Record(Value):
    """The offer of a device.

    ``flags`` are IFF_* of linux/if.h, ``type`` is its ARPHRD_*, ``protocols`` are Ethernet types,
    ``ipv4`` and ``ipv6`` the texts of its subnets in the order of the addresses. ``speed`` is in
    Mbit/s, ``port`` a PORT_* of linux/ethtool.h; both are -1 where they are not known. ``clients``
    use the device, of ``limit`` that could. ``index`` and ``addresses``, packed, are for those who
    announce it.
    """

    __slots__ = (
        "addresses", "clients", "flags", "index", "ipv4", "ipv6", "limit", "mac", "name", "port",
        "protocols", "speed", "type",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        mac: bytes,
        flags: int,
        type: int,
        *,
        protocols: tuple[int, ...] = (),
        ipv4: tuple[str, ...] = (),
        ipv6: tuple[str, ...] = (),
        speed: int = -1,
        port: int = -1,
        clients: int = 0,
        limit: int = LIMIT,
        index: int = 0,
        addresses: tuple[bytes, ...] = (),
    ) -> None:
        self.index = index
        self.addresses = addresses
        self.name = name
        self.mac = mac
        self.flags = flags
        self.type = type
        self.protocols = protocols
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.speed = speed
        self.port = port
        self.clients = clients
        self.limit = limit

    @property
    def net_type(self) -> int:
        """NetAccessType of the PAN profile, by speed and port."""
        if self.type != ARPHRD_ETHER or self.port not in PORTS:
            return OTHER
        return NET_TYPES.get(self.speed, OTHER)

    @property
    def rate(self) -> int:
        """Octets per second, 0 where the speed is not known."""
        return max(self.speed, 0) * OCTETS

    @property
    def availability(self) -> int:
        """255 while there are no clients, 0 when there are as many as can be."""
        return FULL - min(self.clients, self.limit) * FULL // self.limit


def record_of(
    device: Device,
    addresses: Iterable[Address],
    media: Mapping[str, int],
    clients: int = 0,
    limit: int = LIMIT,
) -> Record:
    """The record of a device with its *addresses*, in the kernel's order, and the *media* of
    model.events. An address that is still being checked, or has been found in use, counts for
    nothing; the link-local network of IPv6 is no subnet, since every link has it."""
    usable = [one for one in addresses if not _is_unverified(one)]
    families = {one.family for one in usable}
    protocols = []
    if AF_INET in families:
        protocols += [ETH_P_IP] if device.flags & IFF_NOARP else [ETH_P_IP, ETH_P_ARP]
    if AF_INET6 in families:
        protocols.append(ETH_P_IPV6)
    speed = media.get("speed", SPEED_UNKNOWN)
    return Record(
        device.name,
        device.mac,
        device.flags,
        device.type,
        protocols=tuple(protocols),
        ipv4=_subnets(usable, AF_INET),
        ipv6=_subnets([one for one in usable if one.scope != RT_SCOPE_LINK], AF_INET6),
        speed=-1 if speed == SPEED_UNKNOWN else speed,
        port=media.get("port", -1),
        clients=clients,
        limit=limit,
        index=device.index,
        addresses=tuple(one.local for one in usable if one.family in (AF_INET, AF_INET6)),
    )


def _is_unverified(address: Address) -> bool:
    return bool(address.flags & UNVERIFIED) and not address.flags & IFA_F_OPTIMISTIC


def _subnets(addresses: Iterable[Address], family: int) -> tuple[str, ...]:
    found = dict.fromkeys(
        f"{address_text(family, network(one.peer or one.local, one.prefixlen))}/{one.prefixlen}"
        for one in addresses
        if one.family == family
    )
    return tuple(found)


def clients_in(text: str) -> int:
    """The number of clients in the text of a file: the number that it consists of, or else its
    lines, without those that are blank or begin with ``#``."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    one = lines[0].strip() if len(lines) == 1 else ""
    return int(one) if one.isascii() and one.isdigit() and len(one) < 10 else len(lines)
