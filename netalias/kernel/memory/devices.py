"""Devices of the kernel in memory: their state, and the rules that need no other device."""

from __future__ import annotations

from errno import EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ENOBUFS, ENOENT

from netalias import errors
from netalias.kernel.memory.addresses import Refusal
from netalias.model import (
    AF_INET6,
    ARPHRD_ETHER,
    ARPHRD_LOOPBACK,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_LOWER_UP,
    IFF_MULTICAST,
    IFF_NOARP,
    IFF_POINTOPOINT,
    MODES,
    Device,
    Stats,
    names,
)
from netalias.model.neighbours import Proxy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from netalias.model import Address
    from netalias.model.gateways import Way
    from netalias.model.local_routes import LocalRoute
    from netalias.model.neighbours import Proxy
    from netalias.model.routes import Connected

STACKED = ("macvlan", "ipvlan")
"""Kinds on a lower device, which receive by its handler."""
DEFAULT_MODE = {"macvlan": 2, "ipvlan": 1}
"""Modes of ``ip link add`` without a mode: MACVLAN_MODE_VEPA and IPVLAN_MODE_L3."""

ADDRGEN_MAX = 3
ADDRGEN_STABLE = 2
"""Mode stable_secret, refused while no secret is set."""
IF_OPER_UNKNOWN = 0
IF_OPER_DOWN = 2
IF_OPER_LOWERLAYERDOWN = 3
IF_OPER_UP = 6

_INITIAL_FLAGS = {
    "dummy": IFF_BROADCAST | IFF_NOARP,
    "ifb": IFF_BROADCAST | IFF_NOARP,
    "tun": IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST,
}
_UNKNOWN_STATE = ("dummy", "ifb", "lo")


class Node(Device):
    """A Device with the further state that the kernel keeps.

    ``addrgen`` is IN6_ADDR_GEN_MODE_*, ``carrier`` whether a cable is plugged, ``conf`` the IPv4
    settings by sysctl name, ``entries`` the addresses, IPv4 first. ``routes`` are connected routes
    without an address, ``lost`` those of addresses that somebody has deleted (routes.py), ``ways``
    those of our tables (rules.py), ``locals`` our local routes (local_routes.py).
    """

    __slots__ = (
        "addrgen",
        "carrier",
        "conf",
        "entries",
        "locals",
        "lost",
        "proxies",
        "routes",
        "ways",
    )

    def __init__(
        self,
        index: int,
        name: str,
        *,
        type: int = ARPHRD_ETHER,
        kind: str = "",
        mode: int = -1,
        link: int = 0,
        group: int = 0,
        mtu: int = 0,
    ) -> None:
        super().__init__(index, name, type=type, kind=kind, mode=mode, link=link, group=group)
        self.mtu = mtu
        self.stats = Stats()
        self.addrgen = 0
        self.carrier = True
        self.conf: dict[str, int] = {}
        self.entries: list[Address] = []
        self.proxies: dict[tuple[int, bytes], Proxy] = {}
        self.routes: set[Connected] = set()
        self.lost: set[Connected] = set()
        self.ways: list[Way] = []
        self.locals: list[LocalRoute] = []

    def configure(self, conf: Mapping[str, int]) -> None:
        """Change IPv4 sysctls, by name."""
        self.conf.update(conf)
        self.arp_announce = self.conf.get("arp_announce", 0)
        self.arp_ignore = self.conf.get("arp_ignore", 0)
        self.promote = bool(self.conf.get("promote_secondaries", 0))

    @property
    def loopback(self) -> bool:
        """Whether it is the loopback device (IFF_LOOPBACK)."""
        return bool(self.flags & IFF_LOOPBACK)

    @property
    def running(self) -> bool:
        """Whether it is up and has a carrier (IFF_LOWER_UP)."""
        return bool(self.flags & IFF_LOWER_UP)


def plain(node: Node) -> Device:
    """A Device of the model with the same values."""
    device = Device.__new__(Device)
    for name in Device.__slots__:
        setattr(device, name, getattr(node, name))
    return device


def initial_flags(node: Node) -> int:
    """The flags of a new device."""
    if node.type == ARPHRD_LOOPBACK:
        return IFF_LOOPBACK
    return _INITIAL_FLAGS.get(node.kind, IFF_BROADCAST | IFF_MULTICAST)


def check_name(name: str) -> None:
    """Check a device name (dev_valid_name). Raises Refusal (EINVAL)."""
    try:
        names.check_device(name)
    except errors.BadName:
        raise Refusal(EINVAL) from None
    if ":" in name:
        raise Refusal(EINVAL)


def check_ethernet(mac: bytes) -> None:
    """Check a MAC (is_valid_ether_addr). Raises Refusal (EADDRNOTAVAIL) for multicast and zero."""
    if mac[0] & 1 or not any(mac):
        raise Refusal(EADDRNOTAVAIL)


def mode_of(node: Node) -> int:
    """The mode of *node*, or the default of its kind. Raises Refusal (EINVAL) for another one."""
    if node.kind not in MODES:
        return -1
    if node.mode < 0:
        return DEFAULT_MODE[node.kind]
    if node.mode not in MODES[node.kind]:
        raise Refusal(EINVAL)
    return node.mode


def operstate(node: Node, running: bool) -> int:
    """The operational state (IF_OPER_*, RFC 2863) of a device that is *running* or not."""
    if running:
        unknown = node.loopback or node.kind in _UNKNOWN_STATE
        return IF_OPER_UNKNOWN if unknown else IF_OPER_UP
    if node.up and node.kind in (*STACKED, "veth"):
        return IF_OPER_LOWERLAYERDOWN
    return IF_OPER_DOWN


def put(node: Node, wanted: Proxy) -> None:
    """Add or overwrite an entry of *node*. Raises Refusal."""
    key = wanted.family, wanted.local
    if wanted.family == AF_INET6 and not node.inet6:
        raise Refusal(ENOBUFS)
    before = node.proxies.get(key)
    protocol = wanted.protocol or (before.protocol if before is not None else 0)
    node.proxies[key] = Proxy(node.index, *key, protocol, wanted.flags)


def remove(node: Node, wanted: Proxy) -> None:
    """Remove an entry. Raises Refusal."""
    if node.proxies.pop((wanted.family, wanted.local), None) is None:
        raise Refusal(ENOENT)


def forget(node: Node, family: int) -> None:
    """Remove all entries of a family."""
    for key in [key for key in node.proxies if key[0] == family]:
        del node.proxies[key]


def check_addrgen(node: Node, mode: int) -> None:
    """Check an ADDR_GEN_MODE before any change (inet6_validate_link_af). Raises Refusal."""
    if not node.inet6:
        raise Refusal(EAFNOSUPPORT)
    if mode > ADDRGEN_MAX or mode == ADDRGEN_STABLE:
        raise Refusal(EINVAL)
