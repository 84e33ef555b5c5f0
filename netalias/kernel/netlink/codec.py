"""Encoder and decoder of the rtnetlink messages of every command. No socket, no state.

What all netlink families share of an answer (headers, acknowledgements) is read in the face of the
package, beside the socket.

Layouts are those of linux/netlink.h, linux/rtnetlink.h, linux/if_link.h and linux/if_addr.h, in
host byte order; spec.py declares the same as constructs, and the tests hold the two together.
Malformed data raises WireError, never another error.

Rules:
- every message begins with struct nlmsghdr: length, type, flags, sequence, port id;
- an attribute is struct nlattr (length, type) and a payload, padded to 4 bytes;
- the upper two bits of an attribute's type are flags (NLA_F_NESTED, NLA_F_NET_BYTEORDER).
"""

from __future__ import annotations

# The C module behind struct: one file less to load in a command of some milliseconds.
from _struct import Struct, error, pack  # type: ignore[attr-defined]

from netalias.errors import WireError
from netalias.model import (
    AF_INET,
    AF_INET6,
    AF_UNSPEC,
    FOREVER,
    IFF_UP,
    PROTOCOL,
    Address,
    Device,
    Stats,
)
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
    from collections.abc import Callable, Container, Iterator
    from typing import Any

    from netalias.model.steps import Step

# Message types: linux/netlink.h, linux/rtnetlink.h.
NLMSG_ERROR = 2
NLMSG_DONE = 3
RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_SETLINK = 19
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26
RTM_NEWNEIGH = 28
RTM_GETNEIGH = 30
RTM_NEWRULE = 32
RTM_GETRULE = 34
RTM_NEWLINKPROP = 108
RTM_DELLINKPROP = 109

# Multicast groups: enum rtnetlink_groups of linux/rtnetlink.h.
RTNLGRP_LINK = 1
RTNLGRP_IPV4_IFADDR = 5
RTNLGRP_IPV4_ROUTE = 7
RTNLGRP_IPV6_IFADDR = 9
RTNLGRP_IPV6_ROUTE = 11
RTNLGRP_NSID = 28

# Flags of a message: linux/netlink.h.
NLM_F_REQUEST = 0x01
NLM_F_MULTI = 0x02
NLM_F_ACK = 0x04
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

# Attributes: linux/netlink.h.
NLA_TYPE_MASK = 0x3FFF
NLA_F_NESTED = 0x8000

NLMSGERR_ATTR_MSG = 1

# Attributes of a device: linux/if_link.h.
IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_STATS = 7
IFLA_MASTER = 10
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_IFALIAS = 20
IFLA_STATS64 = 23
IFLA_AF_SPEC = 26
IFLA_GROUP = 27
IFLA_EXT_MASK = 29
IFLA_NUM_TX_QUEUES = 31
IFLA_LINK_NETNSID = 37
IFLA_PROP_LIST = 52
IFLA_ALT_IFNAME = 53
LINK_ATTRIBUTES = frozenset(
    {
        IFLA_ADDRESS,
        IFLA_IFNAME,
        IFLA_MTU,
        IFLA_LINK,
        IFLA_MASTER,
        IFLA_OPERSTATE,
        IFLA_LINKINFO,
        IFLA_IFALIAS,
        IFLA_STATS64,
        IFLA_AF_SPEC,
        IFLA_GROUP,
        IFLA_LINK_NETNSID,
        IFLA_PROP_LIST,
    }
)
"""The attributes that are decoded, of some fifty that the kernel sends with a device."""

# Nested attributes of a device: linux/if_link.h, linux/ip.h.
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_MACVLAN_MODE = 1
IFLA_IPVLAN_MODE = 1
IFLA_INET_CONF = 1
IFLA_INET6_ADDR_GEN_MODE = 8
RTEXT_FILTER_SKIP_STATS = 8

# Attributes of an address: linux/if_addr.h.
IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_LABEL = 3
IFA_BROADCAST = 4
IFA_CACHEINFO = 6
IFA_FLAGS = 8
IFA_RT_PRIORITY = 9
IFA_PROTO = 11

# Attributes of a route: linux/rtnetlink.h.
RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PRIORITY = 6
RTA_PREFSRC = 7
RTA_MULTIPATH = 9
RTA_TABLE = 15
RTA_VIA = 18

# Attribute of a rule: linux/fib_rules.h.
FRA_PROTOCOL = 21

DEVCONF = {
    "rp_filter": 8,
    "arp_filter": 13,
    "medium_id": 14,
    "arp_announce": 18,
    "arp_ignore": 19,
    "promote_secondaries": 20,
}
"""IPV4_DEVCONF_* of linux/ip.h by sysctl name."""

# struct nlmsghdr, ifinfomsg, ifaddrmsg, rtmsg, nlattr, ifa_cacheinfo.
HEADER = Struct("=IHHII")
IFINFO = Struct("=BxHiII")
IFADDR = Struct("=BBBBI")
RTMSG = Struct("=BBBBBBBBI")
ATTR = Struct("=HH")
CACHEINFO = Struct("=IIII")
CONF = Struct("=iii")
"""arp_announce, arp_ignore, promote_secondaries in struct devconf."""
CONF_AT = (DEVCONF["arp_announce"] - 1) * 4
"""Offset of CONF: struct devconf is an array of 32-bit values, numbered from 1."""
_U32 = Struct("=I")
_STATS64 = Struct("=QQQQ")

_MODE_KINDS = ("macvlan", "macvtap", "ipvlan", "ipvtap")
_SIZES = {AF_INET: 4, AF_INET6: 16}


# Writing --------------------------------------------------------------------------------------


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A message; *body* is the family header and the padded attributes."""
    return HEADER.pack(16 + len(body), kind, flags | NLM_F_REQUEST, sequence, 0) + body


def attr(kind: int, payload: bytes) -> bytes:
    """One attribute with its padding."""
    size = len(payload)
    return ATTR.pack(size + 4, kind) + payload + b"\0\0\0"[: -size % 4]


def attr_u32(kind: int, value: int) -> bytes:
    """One attribute with a 32-bit number."""
    return pack("=HHI", 8, kind, value)


def attr_text(kind: int, text: str) -> bytes:
    """One attribute with a NUL-terminated text."""
    return attr(kind, text.encode("utf-8", "surrogateescape") + b"\0")


def nest(kind: int, *attributes: bytes) -> bytes:
    """An attribute that holds other attributes."""
    return attr(kind | NLA_F_NESTED, b"".join(attributes))


def ifinfo(index: int = 0, flags: int = 0, change: int = 0, family: int = AF_UNSPEC) -> bytes:
    """struct ifinfomsg."""
    return IFINFO.pack(family, 0, index, flags, change)


def get_links(sequence: int) -> bytes:
    """RTM_GETLINK for all devices, without the long ICMPv6 statistics in IFLA_AF_SPEC."""
    return message(RTM_GETLINK, NLM_F_DUMP, sequence, ifinfo() + BRIEF)


def get_link(sequence: int, name: str) -> bytes:
    """RTM_GETLINK for the device with this primary name."""
    return message(RTM_GETLINK, 0, sequence, ifinfo() + BRIEF + attr_text(IFLA_IFNAME, name))


def get_addresses(sequence: int, family: int, index: int = 0) -> bytes:
    """RTM_GETADDR for one family, or for all with AF_UNSPEC; of one device, or of all with 0."""
    return message(RTM_GETADDR, NLM_F_DUMP, sequence, IFADDR.pack(family, 0, 0, 0, index))


BRIEF = attr_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
SURVEY = message(RTM_GETLINK, NLM_F_DUMP, 0, ifinfo())
"""Request for the beginning of the list of devices. It does without IFLA_EXT_MASK, with which the
kernel looks at all devices before it sends the first one (rtnl_calcit of net/core/rtnetlink.c)."""
ALL_LINKS = get_links(0)
ALL_ADDRESSES = get_addresses(0, AF_UNSPEC)
"""The two requests of every reading; like ALL_RULES they still need a sequence number."""
ALL_RULES = message(RTM_GETRULE, NLM_F_DUMP, 0, bytes(12))
"""Request for the rules of every family: struct fib_rule_hdr of zeros (linux/fib_rules.h)."""
_NOWHERE = IFADDR.pack(AF_INET, 32, 0, 0, 0x7FFFFFFF) + attr(IFA_LOCAL, bytes(4))
PERMISSION = message(RTM_DELADDR, NLM_F_ACK, 0, _NOWHERE)
"""Deletion of an address on a device that cannot exist: EPERM comes before any other answer."""
MARKED_RULE = pack("=HHB", 5, FRA_PROTOCOL, PROTOCOL)
"""The attribute of a rule with our mark, as it stands in a message."""


def get_proxies(sequence: int) -> bytes:
    """RTM_GETNEIGH for the proxy entries of every family: struct ndmsg with NTF_PROXY."""
    return message(RTM_GETNEIGH, NLM_F_DUMP, sequence, b"\0\0\0\0\0\0\0\0\0\0\x08\0")


def probe_kind(sequence: int, kind: str) -> bytes:
    """RTM_NEWLINK that cannot succeed but tells whether the kernel has *kind*.

    The kernel checks the number of queues after it has found the kind (and loaded its module) and
    before it makes a device (rtnl_create_link in net/core/rtnetlink.c): EOPNOTSUPP means that there
    is no such kind, EINVAL that there is.
    """
    body = (
        ifinfo()
        + nest(IFLA_LINKINFO, attr_text(IFLA_INFO_KIND, kind))
        + attr_u32(IFLA_NUM_TX_QUEUES, 0xFFFF)
    )
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, sequence, body)


def create_link(sequence: int, index: int, step: CreateLink) -> bytes:
    """RTM_NEWLINK of a new device, which is down. The kernel ignores altname and ifalias here."""
    body = [ifinfo(step.former), attr_text(IFLA_IFNAME, step.device)]
    body.append(attr_u32(IFLA_GROUP, step.group))
    if step.link:
        body.append(attr_u32(IFLA_LINK, step.link))
    if step.mac:
        body.append(attr(IFLA_ADDRESS, step.mac))
    if step.mtu:
        body.append(attr_u32(IFLA_MTU, step.mtu))
    if step.master:
        body.append(attr_u32(IFLA_MASTER, step.master))
    kind = attr_text(IFLA_INFO_KIND, step.kind)
    body.append(nest(IFLA_LINKINFO, kind, _mode(step.kind, step.mode)))
    return message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sequence, b"".join(body))


def _mode(kind: str, mode: int) -> bytes:
    if mode < 0:
        return b""
    if kind in ("ipvlan", "ipvtap"):
        return nest(IFLA_INFO_DATA, attr(IFLA_IPVLAN_MODE, pack("=H", mode)))
    return nest(IFLA_INFO_DATA, attr_u32(IFLA_MACVLAN_MODE, mode))


def del_link(sequence: int, index: int, step: DelLink) -> bytes:
    """RTM_DELLINK of one device."""
    return message(RTM_DELLINK, 0, sequence, ifinfo(index))


def add_altname(sequence: int, index: int, step: AddAltname) -> bytes:
    """RTM_NEWLINKPROP with one alternative name."""
    flags = NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND
    return message(RTM_NEWLINKPROP, flags, sequence, _altname(index, step.altname))


def del_altname(sequence: int, index: int, step: DelAltname) -> bytes:
    """RTM_DELLINKPROP with one alternative name."""
    return message(RTM_DELLINKPROP, 0, sequence, _altname(index, step.altname))


def _altname(index: int, altname: str) -> bytes:
    return ifinfo(index) + nest(IFLA_PROP_LIST, attr_text(IFLA_ALT_IFNAME, altname))


def set_link(sequence: int, index: int, step: SetLink) -> bytes:
    """RTM_SETLINK of the settings that are not None."""
    up, conf = step.up, step.conf
    body = [ifinfo(index, IFF_UP if up else 0, 0 if up is None else IFF_UP)]
    if step.mac is not None:
        body.append(attr(IFLA_ADDRESS, step.mac))
    if step.mtu is not None:
        body.append(attr_u32(IFLA_MTU, step.mtu))
    if step.ifalias is not None:
        body.append(attr_text(IFLA_IFALIAS, step.ifalias))
    if conf or step.addrgen is not None:
        key = tuple(conf.items()) if conf else (), step.addrgen
        families = _families.get(key)
        if families is None:
            families = _families[key] = _family_settings(*key)
        body.append(families)
    return message(RTM_SETLINK, 0, sequence, b"".join(body))


_families: dict[tuple[tuple[tuple[str, int], ...], int | None], bytes] = {}
"""Encoded IFLA_AF_SPEC by its settings, which thousands of aliases share."""


def _family_settings(conf: tuple[tuple[str, int], ...], addrgen: int | None) -> bytes:
    families = []
    if conf:
        values = [attr_u32(DEVCONF[key], value & 0xFFFFFFFF) for key, value in conf]
        families.append(nest(AF_INET, nest(IFLA_INET_CONF, *values)))
    if addrgen is not None:
        families.append(nest(AF_INET6, attr(IFLA_INET6_ADDR_GEN_MODE, bytes([addrgen]))))
    return nest(IFLA_AF_SPEC, *families)


def add_address(sequence: int, index: int, step: AddAddress) -> bytes:
    """RTM_NEWADDR of a new address; the index in it is ignored."""
    return new_address(NLM_F_CREATE | NLM_F_EXCL, sequence, index, step.address)


def new_address(flags: int, sequence: int, index: int, entry: Address) -> bytes:
    """RTM_NEWADDR with all that is known of an address."""
    return message(RTM_NEWADDR, flags, sequence, _address(index, entry, full=True))


def del_address(sequence: int, index: int, step: DelAddress) -> bytes:
    """RTM_DELADDR with local address, peer and label, so that no other address matches."""
    return message(RTM_DELADDR, 0, sequence, _address(index, step.address, full=False))


def _address(index: int, entry: Address, *, full: bool) -> bytes:
    local, other = entry.local, entry.peer or entry.local
    body = IFADDR.pack(entry.family, entry.prefixlen, 0, entry.scope, index)
    if entry.family == AF_INET:
        body += pack("=HH4sHH4s", 8, IFA_LOCAL, local, 8, IFA_ADDRESS, other)
    else:
        body += attr(IFA_LOCAL, local) + attr(IFA_ADDRESS, other)
    body += attr_text(IFA_LABEL, entry.label) if entry.label else b""
    if not full:
        return body
    body += attr(IFA_BROADCAST, entry.broadcast) if entry.broadcast else b""
    body += attr_u32(IFA_RT_PRIORITY, entry.metric) if entry.metric else b""
    key = entry.flags, entry.protocol, entry.preferred, entry.valid
    if key not in _shared:
        rest = attr_u32(IFA_FLAGS, entry.flags) if entry.flags else b""
        rest += attr(IFA_PROTO, bytes([entry.protocol])) if entry.protocol else b""
        if (entry.valid & entry.preferred) != FOREVER:
            rest += attr(IFA_CACHEINFO, CACHEINFO.pack(entry.preferred, entry.valid, 0, 0))
        _shared[key] = rest
    return body + _shared[key]


_shared: dict[tuple[int, ...], bytes] = {}
"""Encoded attributes that thousands of addresses share, by their values."""

ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    CreateLink: create_link,
    SetLink: set_link,
    DelLink: del_link,
    AddAltname: add_altname,
    DelAltname: del_altname,
    AddAddress: add_address,
    DelAddress: del_address,
}
"""Class of step: its encoder, (sequence, ifindex, step) -> message. Rare steps: group_delete.py."""


# Reading --------------------------------------------------------------------------------------


def length_at(data: bytes, at: int) -> int:
    """The length of the message that begins there. Raises WireError."""
    size = len(data) - at
    length: int = HEADER.unpack_from(data, at)[0] if size >= HEADER.size else 0
    if not HEADER.size <= length <= size:
        raise WireError(f"a message claims {length} of {size} bytes")
    return length


def attributes(
    data: bytes, start: int, end: int, wanted: Container[int] = range(NLA_TYPE_MASK + 1)
) -> dict[int, bytes]:
    """The payloads of the *wanted* attributes between two offsets, by type; the last of a type."""
    found: dict[int, bytes] = {}
    unpack = ATTR.unpack_from
    while end - start >= 4:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:
            raise WireError(f"an attribute claims {length} of {end - start} bytes")
        kind &= NLA_TYPE_MASK
        if kind in wanted:
            found[kind] = data[start + 4 : start + length]
        start += (length + 3) & ~3
    return found


def spans(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Type, start and end of the payload of each attribute between two offsets. Raises WireError,
    since one that claims no length would be read for ever."""
    while end - start >= 4:
        length, kind = ATTR.unpack_from(data, start)
        if length < 4 or start + length > end:
            raise WireError(f"an attribute claims {length} of {end - start} bytes")
        yield kind & NLA_TYPE_MASK, start + 4, start + length
        start += (length + 3) & ~3


def attributes_behind(data: bytes, start: int, end: int, header: Struct) -> dict[int, bytes]:
    """The attributes behind the header of a family. Raises WireError if that is not complete."""
    if end - start < header.size:
        raise WireError(f"{end - start} bytes where a header has {header.size}")
    return attributes(data, start + header.size, end)


def read_link(data: bytes, start: int, end: int) -> Device:
    """The Device of an RTM_NEWLINK."""
    if end - start < 16:
        raise WireError(f"a link message of {end - start} bytes")
    return _device(data, start, attributes(data, start + 16, end, LINK_ATTRIBUTES))


def _device(data: bytes, start: int, found: dict[int, bytes]) -> Device:
    # Filled slot by slot: a call with twenty keywords would take as long as the decoding.
    device = Device.__new__(Device)
    try:
        _, device.type, device.index, device.flags, _ = IFINFO.unpack_from(data, start)
        device.name = text_of(found[IFLA_IFNAME])
        device.altnames = _altnames(found.get(IFLA_PROP_LIST))
        device.mtu = _number(found, IFLA_MTU)
        device.mac = found.get(IFLA_ADDRESS, b"")
        device.kind, device.mode = _info(found.get(IFLA_LINKINFO))
        device.link = _number(found, IFLA_LINK)
        device.remote = IFLA_LINK_NETNSID in found
        device.master = _number(found, IFLA_MASTER)
        device.group = _number(found, IFLA_GROUP)
        device.ifalias = text_of(found.get(IFLA_IFALIAS, b""))
        device.operstate = found.get(IFLA_OPERSTATE, b"\0")[0]
        device.inet6, (device.arp_announce, device.arp_ignore, promote) = _af_spec(
            found.get(IFLA_AF_SPEC)
        )
        device.promote = bool(promote)
        device.stats = _stats(found.get(IFLA_STATS64))
    except (error, IndexError, KeyError) as problem:
        raise WireError(f"a link message lacks what it must have: {problem}") from None
    return device


def read_address(data: bytes, start: int, end: int) -> Address:
    """The Address of an RTM_NEWADDR."""
    if end - start < 8:
        raise WireError(f"an address message of {end - start} bytes")
    family, prefixlen, flags, scope, index = IFADDR.unpack_from(data, start)
    found = attributes(data, start + 8, end)
    outer = found.get(IFA_ADDRESS, b"")
    local = found.get(IFA_LOCAL, outer)
    broadcast = found.get(IFA_BROADCAST, b"")
    size = _SIZES.get(family)
    if size and not (len(local) == size and {len(outer), len(broadcast)} <= {0, size}):
        raise WireError(f"an address of family {family} that does not have {size} bytes")
    entry = Address.__new__(Address)
    entry.index, entry.family, entry.prefixlen, entry.scope = index, family, prefixlen, scope
    entry.local, entry.peer, entry.broadcast = local, outer if outer != local else b"", broadcast
    entry.valid = entry.preferred = FOREVER
    entry.age = 0
    try:
        entry.flags = _number(found, IFA_FLAGS) if IFA_FLAGS in found else flags
        entry.label = text_of(found.get(IFA_LABEL, b""))
        entry.protocol = found.get(IFA_PROTO, b"\0")[0]
        entry.metric = _number(found, IFA_RT_PRIORITY)
        if IFA_CACHEINFO in found:
            entry.preferred, entry.valid, _, stamp = CACHEINFO.unpack(found[IFA_CACHEINFO])
            if entry.valid != FOREVER:
                entry.age = since(stamp)
    except (error, IndexError) as problem:
        raise WireError(f"an address message is malformed: {problem}") from None
    return entry


def since(stamp: int) -> int:
    """The age of a lifetime (jiffies.py, loaded here: few addresses have a finite one)."""
    from netalias.kernel.netlink.jiffies import age

    return age(stamp)


def text_of(payload: bytes) -> str:
    """The text of an attribute, with or without its NUL."""
    return payload.rstrip(b"\0").decode("utf-8", "surrogateescape")


def _number(found: dict[int, bytes], kind: int) -> int:
    payload = found.get(kind)
    return int(_U32.unpack(payload)[0]) if payload is not None else 0


def _info(payload: bytes | None) -> tuple[str, int]:
    if payload is None:
        return "", -1
    found = attributes(payload, 0, len(payload))
    kind = text_of(found.get(IFLA_INFO_KIND, b""))
    data = found.get(IFLA_INFO_DATA)
    if data is None or kind not in _MODE_KINDS:
        return kind, -1
    mode = attributes(data, 0, len(data)).get(IFLA_MACVLAN_MODE)
    # u32 for macvlan, u16 for ipvlan.
    return kind, int.from_bytes(mode, "little" if pack("=H", 1)[0] else "big") if mode else -1


def _af_spec(payload: bytes | None) -> tuple[bool, tuple[int, int, int]]:
    """Whether IPv6 is enabled, and the three IPv4 sysctls of CONF."""
    if payload is None:
        return False, (0, 0, 0)
    families = attributes(payload, 0, len(payload))
    inet = families.get(AF_INET)
    conf = attributes(inet, 0, len(inet)).get(IFLA_INET_CONF, b"") if inet is not None else b""
    if len(conf) < CONF_AT + CONF.size:
        return AF_INET6 in families, (0, 0, 0)
    return AF_INET6 in families, CONF.unpack_from(conf, CONF_AT)


def _altnames(payload: bytes | None) -> tuple[str, ...]:
    if payload is None:
        return ()
    found = spans(payload, 0, len(payload))
    names = [text_of(payload[low:high]) for kind, low, high in found if kind == IFLA_ALT_IFNAME]
    return tuple(names)


def _stats(payload: bytes | None) -> Stats | None:
    if payload is None:
        return None
    stats = Stats.__new__(Stats)
    values = _STATS64.unpack_from(payload)
    stats.rx_packets, stats.tx_packets, stats.rx_bytes, stats.tx_bytes = values
    return stats
