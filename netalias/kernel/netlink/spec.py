"""The wire formats of rtnetlink as an executable specification.

Every layout that codec.py and neighbours.py encode or decode stands here once more, as declarations
of the library construct: by names in place of offsets and ``struct``. It is slow, so only tests and
tools that decode traces import it.

Sources: linux/netlink.h (struct nlmsghdr, nlattr, nlmsgerr), linux/rtnetlink.h (RTM_*, struct
ifinfomsg), linux/if_link.h (IFLA_*, struct rtnl_link_stats64), linux/if_addr.h (IFA_*, struct
ifaddrmsg, ifa_cacheinfo), linux/if.h (IFF_*), linux/ip.h (IPV4_DEVCONF_*), linux/neighbour.h
(struct ndmsg, ndtmsg), linux/netconf.h (struct netconfmsg). All numbers are in the byte order of
the host; link-layer and network addresses are bytes in the order of the network.

A message is a Container::

    type="RTM_NEWLINK" flags=NLM_F_REQUEST|NLM_F_CREATE sequence=1 port=0
    body=Container(ifi_family=0, ..., attributes=[Container(type="IFLA_MTU", value=1500, ...)])

Types are strings, or numbers where the tables below know no name; flags are numbers that print as
names and may be given as lists of names; payloads of attributes without a name stay bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from construct import (  # type: ignore[import-untyped]
    Adapter,
    Aligned,
    Bytes,
    Computed,
    Container,
    Default,
    ExprAdapter,
    FocusedSeq,
    GreedyBytes,
    GreedyRange,
    If,
    IfThenElse,
    Int8un,
    Int16un,
    Int32sn,
    Int32un,
    Int64un,
    Padding,
    Pass,
    Prefixed,
    Rebuild,
    Struct,
    Switch,
    Terminated,
    this,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Numbers and their names ----------------------------------------------------------------------

NLA_F_NESTED = 0x8000
NLA_F_NET_BYTEORDER = 0x4000
NLA_TYPE_MASK = 0x3FFF

TYPES = {
    "NLMSG_NOOP": 1,
    "NLMSG_ERROR": 2,
    "NLMSG_DONE": 3,
    "NLMSG_OVERRUN": 4,
    "RTM_NEWLINK": 16,
    "RTM_DELLINK": 17,
    "RTM_GETLINK": 18,
    "RTM_SETLINK": 19,
    "RTM_NEWADDR": 20,
    "RTM_DELADDR": 21,
    "RTM_GETADDR": 22,
    "RTM_NEWROUTE": 24,
    "RTM_DELROUTE": 25,
    "RTM_GETROUTE": 26,
    "RTM_NEWNEIGH": 28,
    "RTM_DELNEIGH": 29,
    "RTM_GETNEIGH": 30,
    "RTM_NEWRULE": 32,
    "RTM_DELRULE": 33,
    "RTM_GETRULE": 34,
    "RTM_NEWNEIGHTBL": 64,
    "RTM_GETNEIGHTBL": 66,
    "RTM_NEWNETCONF": 80,
    "RTM_GETNETCONF": 82,
    "RTM_NEWLINKPROP": 108,
    "RTM_DELLINKPROP": 109,
}
"""nlmsg_type: linux/netlink.h NLMSG_*, linux/rtnetlink.h RTM_*."""

_ALL = {
    "NLM_F_REQUEST": 0x01,
    "NLM_F_MULTI": 0x02,
    "NLM_F_ACK": 0x04,
    "NLM_F_ECHO": 0x08,
    "NLM_F_DUMP_INTR": 0x10,
    "NLM_F_DUMP_FILTERED": 0x20,
}
_GET = {**_ALL, "NLM_F_ROOT": 0x100, "NLM_F_MATCH": 0x200, "NLM_F_ATOMIC": 0x400}
_NEW = {
    **_ALL,
    "NLM_F_REPLACE": 0x100,
    "NLM_F_EXCL": 0x200,
    "NLM_F_CREATE": 0x400,
    "NLM_F_APPEND": 0x800,
}
_DELETE = {**_ALL, "NLM_F_NONREC": 0x100, "NLM_F_BULK": 0x200}
_ACK = {**_ALL, "NLM_F_CAPPED": 0x100, "NLM_F_ACK_TLVS": 0x200}

NLM_F = {
    "NLMSG_ERROR": _ACK,
    "NLMSG_DONE": _ACK,
    "RTM_NEWLINK": _NEW,
    "RTM_DELLINK": _DELETE,
    "RTM_GETLINK": _GET,
    "RTM_SETLINK": _NEW,
    "RTM_NEWADDR": _NEW,
    "RTM_DELADDR": _DELETE,
    "RTM_GETADDR": _GET,
    "RTM_NEWROUTE": _NEW,
    "RTM_DELROUTE": _DELETE,
    "RTM_GETROUTE": _GET,
    "RTM_NEWNEIGH": _NEW,
    "RTM_DELNEIGH": _DELETE,
    "RTM_GETNEIGH": _GET,
    "RTM_NEWRULE": _NEW,
    "RTM_DELRULE": _DELETE,
    "RTM_GETRULE": _GET,
    "RTM_NEWNEIGHTBL": _NEW,
    "RTM_GETNEIGHTBL": _GET,
    "RTM_NEWNETCONF": _NEW,
    "RTM_GETNETCONF": _GET,
    "RTM_NEWLINKPROP": _NEW,
    "RTM_DELLINKPROP": _DELETE,
}
"""nlmsg_flags by type: the bits from 0x100 on mean something else in each group."""

IFF = {
    "IFF_UP": 0x1,
    "IFF_BROADCAST": 0x2,
    "IFF_DEBUG": 0x4,
    "IFF_LOOPBACK": 0x8,
    "IFF_POINTOPOINT": 0x10,
    "IFF_NOTRAILERS": 0x20,
    "IFF_RUNNING": 0x40,
    "IFF_NOARP": 0x80,
    "IFF_PROMISC": 0x100,
    "IFF_ALLMULTI": 0x200,
    "IFF_MASTER": 0x400,
    "IFF_SLAVE": 0x800,
    "IFF_MULTICAST": 0x1000,
    "IFF_PORTSEL": 0x2000,
    "IFF_AUTOMEDIA": 0x4000,
    "IFF_DYNAMIC": 0x8000,
    "IFF_LOWER_UP": 0x10000,
    "IFF_DORMANT": 0x20000,
    "IFF_ECHO": 0x40000,
}
"""ifi_flags and ifi_change: linux/if.h net_device_flags."""

IFA_F = {
    "IFA_F_SECONDARY": 0x01,
    "IFA_F_NODAD": 0x02,
    "IFA_F_OPTIMISTIC": 0x04,
    "IFA_F_DADFAILED": 0x08,
    "IFA_F_HOMEADDRESS": 0x10,
    "IFA_F_DEPRECATED": 0x20,
    "IFA_F_TENTATIVE": 0x40,
    "IFA_F_PERMANENT": 0x80,
    "IFA_F_MANAGETEMPADDR": 0x100,
    "IFA_F_NOPREFIXROUTE": 0x200,
    "IFA_F_MCAUTOJOIN": 0x400,
    "IFA_F_STABLE_PRIVACY": 0x800,
}
"""ifa_flags (the low eight) and IFA_FLAGS: linux/if_addr.h."""

NTF = {
    "NTF_USE": 0x01,
    "NTF_SELF": 0x02,
    "NTF_MASTER": 0x04,
    "NTF_PROXY": 0x08,
    "NTF_EXT_LEARNED": 0x10,
    "NTF_OFFLOADED": 0x20,
    "NTF_STICKY": 0x40,
    "NTF_ROUTER": 0x80,
}
"""ndm_flags: linux/neighbour.h."""

NUD = {
    "NUD_INCOMPLETE": 0x01,
    "NUD_REACHABLE": 0x02,
    "NUD_STALE": 0x04,
    "NUD_DELAY": 0x08,
    "NUD_PROBE": 0x10,
    "NUD_FAILED": 0x20,
    "NUD_NOARP": 0x40,
    "NUD_PERMANENT": 0x80,
}
"""ndm_state: linux/neighbour.h."""


def _number(names: str) -> dict[str, int]:
    """An enum of a header: names in the order of their numbers, from 0."""
    return {name: number for number, name in enumerate(names.split())}


IFLA = _number(
    """
    IFLA_UNSPEC IFLA_ADDRESS IFLA_BROADCAST IFLA_IFNAME IFLA_MTU IFLA_LINK IFLA_QDISC IFLA_STATS
    IFLA_COST IFLA_PRIORITY IFLA_MASTER IFLA_WIRELESS IFLA_PROTINFO IFLA_TXQLEN IFLA_MAP
    IFLA_WEIGHT IFLA_OPERSTATE IFLA_LINKMODE IFLA_LINKINFO IFLA_NET_NS_PID IFLA_IFALIAS
    IFLA_NUM_VF IFLA_VFINFO_LIST IFLA_STATS64 IFLA_VF_PORTS IFLA_PORT_SELF IFLA_AF_SPEC IFLA_GROUP
    IFLA_NET_NS_FD IFLA_EXT_MASK IFLA_PROMISCUITY IFLA_NUM_TX_QUEUES IFLA_NUM_RX_QUEUES
    IFLA_CARRIER IFLA_PHYS_PORT_ID IFLA_CARRIER_CHANGES IFLA_PHYS_SWITCH_ID IFLA_LINK_NETNSID
    IFLA_PHYS_PORT_NAME IFLA_PROTO_DOWN IFLA_GSO_MAX_SEGS IFLA_GSO_MAX_SIZE IFLA_PAD IFLA_XDP
    IFLA_EVENT IFLA_NEW_NETNSID IFLA_TARGET_NETNSID IFLA_CARRIER_UP_COUNT IFLA_CARRIER_DOWN_COUNT
    IFLA_NEW_IFINDEX IFLA_MIN_MTU IFLA_MAX_MTU IFLA_PROP_LIST IFLA_ALT_IFNAME IFLA_PERM_ADDRESS
    IFLA_PROTO_DOWN_REASON IFLA_PARENT_DEV_NAME IFLA_PARENT_DEV_BUS_NAME IFLA_GRO_MAX_SIZE
    IFLA_TSO_MAX_SIZE IFLA_TSO_MAX_SEGS IFLA_ALLMULTI
    """
)
IFLA_INFO = _number(
    """
    IFLA_INFO_UNSPEC IFLA_INFO_KIND IFLA_INFO_DATA IFLA_INFO_XSTATS IFLA_INFO_SLAVE_KIND
    IFLA_INFO_SLAVE_DATA
    """
)
IFLA_MACVLAN = _number("IFLA_MACVLAN_UNSPEC IFLA_MACVLAN_MODE IFLA_MACVLAN_FLAGS")
IFLA_IPVLAN = _number("IFLA_IPVLAN_UNSPEC IFLA_IPVLAN_MODE IFLA_IPVLAN_FLAGS")
IFLA_INET = _number("IFLA_INET_UNSPEC IFLA_INET_CONF")
IFLA_INET6 = _number(
    """
    IFLA_INET6_UNSPEC IFLA_INET6_FLAGS IFLA_INET6_CONF IFLA_INET6_STATS IFLA_INET6_MCAST
    IFLA_INET6_CACHEINFO IFLA_INET6_ICMP6STATS IFLA_INET6_TOKEN IFLA_INET6_ADDR_GEN_MODE
    """
)
AF = {"AF_INET": 2, "AF_BRIDGE": 7, "AF_INET6": 10, "AF_MPLS": 28, "AF_MCTP": 45}
IPV4_DEVCONF = _number(
    """
    unspec forwarding mc_forwarding proxy_arp accept_redirects secure_redirects send_redirects
    shared_media rp_filter accept_source_route bootp_relay log_martians tag arp_filter medium_id
    disable_xfrm disable_policy force_igmp_version arp_announce arp_ignore promote_secondaries
    arp_accept arp_notify accept_local src_valid_mark proxy_arp_pvlan route_localnet
    igmpv2_unsolicited_report_interval igmpv3_unsolicited_report_interval
    ignore_routes_with_linkdown drop_unicast_in_l2_multicast drop_gratuitous_arp bc_forwarding
    arp_evict_nocarrier
    """
)
"""IPV4_DEVCONF_* of linux/ip.h, by the names of net.ipv4.conf."""
IFA = _number(
    """
    IFA_UNSPEC IFA_ADDRESS IFA_LOCAL IFA_LABEL IFA_BROADCAST IFA_ANYCAST IFA_CACHEINFO
    IFA_MULTICAST IFA_FLAGS IFA_RT_PRIORITY IFA_TARGET_NETNSID IFA_PROTO
    """
)
NDA = _number(
    """
    NDA_UNSPEC NDA_DST NDA_LLADDR NDA_CACHEINFO NDA_PROBES NDA_VLAN NDA_PORT NDA_VNI NDA_IFINDEX
    NDA_MASTER NDA_LINK_NETNSID NDA_SRC_VNI NDA_PROTOCOL NDA_NH_ID NDA_FDB_EXT_ATTRS NDA_FLAGS_EXT
    """
)
NDTA = _number(
    """
    NDTA_UNSPEC NDTA_NAME NDTA_THRESH1 NDTA_THRESH2 NDTA_THRESH3 NDTA_CONFIG NDTA_PARMS NDTA_STATS
    NDTA_GC_INTERVAL NDTA_PAD
    """
)
NDTPA = _number(
    """
    NDTPA_UNSPEC NDTPA_IFINDEX NDTPA_REFCNT NDTPA_REACHABLE_TIME NDTPA_BASE_REACHABLE_TIME
    NDTPA_RETRANS_TIME NDTPA_GC_STALETIME NDTPA_DELAY_PROBE_TIME NDTPA_QUEUE_LEN NDTPA_APP_PROBES
    NDTPA_UCAST_PROBES NDTPA_MCAST_PROBES NDTPA_ANYCAST_DELAY NDTPA_PROXY_DELAY NDTPA_PROXY_QLEN
    NDTPA_LOCKTIME NDTPA_QUEUE_LENBYTES NDTPA_MCAST_REPROBES NDTPA_PAD
    """
)
NETCONFA = _number(
    """
    NETCONFA_UNSPEC NETCONFA_IFINDEX NETCONFA_FORWARDING NETCONFA_RP_FILTER NETCONFA_MC_FORWARDING
    NETCONFA_PROXY_NEIGH NETCONFA_IGNORE_ROUTES_WITH_LINKDOWN NETCONFA_INPUT NETCONFA_BC_FORWARDING
    """
)
FRA = _number(
    """
    FRA_UNSPEC FRA_DST FRA_SRC FRA_IIFNAME FRA_GOTO FRA_UNUSED2 FRA_PRIORITY FRA_UNUSED3 FRA_UNUSED4
    FRA_UNUSED5 FRA_FWMARK FRA_FLOW FRA_TUN_ID FRA_SUPPRESS_IFGROUP FRA_SUPPRESS_PREFIXLEN FRA_TABLE
    FRA_FWMASK FRA_OIFNAME FRA_PAD FRA_L3MDEV FRA_UID_RANGE FRA_PROTOCOL FRA_IP_PROTO
    FRA_SPORT_RANGE FRA_DPORT_RANGE FRA_DSCP FRA_FLOWLABEL FRA_FLOWLABEL_MASK
    """
)
FR_ACT = _number(
    """
    FR_ACT_UNSPEC FR_ACT_TO_TBL FR_ACT_GOTO FR_ACT_NOP FR_ACT_RES3 FR_ACT_RES4 FR_ACT_BLACKHOLE
    FR_ACT_UNREACHABLE FR_ACT_PROHIBIT
    """
)
"""Attributes and actions of a rule: linux/fib_rules.h."""
RTA = _number(
    """
    RTA_UNSPEC RTA_DST RTA_SRC RTA_IIF RTA_OIF RTA_GATEWAY RTA_PRIORITY RTA_PREFSRC RTA_METRICS
    RTA_MULTIPATH RTA_PROTOINFO RTA_FLOW RTA_CACHEINFO RTA_SESSION RTA_MP_ALGO RTA_TABLE
    """
)
RTN = _number(
    """
    RTN_UNSPEC RTN_UNICAST RTN_LOCAL RTN_BROADCAST RTN_ANYCAST RTN_MULTICAST RTN_BLACKHOLE
    RTN_UNREACHABLE RTN_PROHIBIT RTN_THROW RTN_NAT RTN_XRESOLVE
    """
)
NLMSGERR_ATTR = _number(
    """
    NLMSGERR_ATTR_UNUSED NLMSGERR_ATTR_MSG NLMSGERR_ATTR_OFFS NLMSGERR_ATTR_COOKIE
    NLMSGERR_ATTR_POLICY NLMSGERR_ATTR_MISS_TYPE NLMSGERR_ATTR_MISS_NEST
    """
)

# Building blocks ------------------------------------------------------------------------------


class Flags(int):
    """A number that prints as the names of its bits."""

    table: dict[str, int]

    def __new__(cls, value: int, table: dict[str, int]) -> Flags:
        flags = super().__new__(cls, value)
        flags.table = table
        return flags

    def names(self) -> Iterator[str]:
        """The names of the bits that are set; bits without a name as one number."""
        rest = int(self)
        for name, bit in self.table.items():
            if self & bit:
                rest &= ~bit
                yield name
        if rest:
            yield hex(rest)

    def __repr__(self) -> str:
        return "|".join(self.names()) or "0"


def _bits(value: int | Iterable[str], table: dict[str, int]) -> int:
    return value if isinstance(value, int) else sum(table[name] for name in set(value))


def _flags(width: Any, table: dict[str, int]) -> Any:
    return ExprAdapter(
        width,
        lambda value, _: Flags(value, table),
        lambda value, _: _bits(value, table),
    )


def _message_flags(width: Any) -> Any:
    """The field nlmsg_flags, whose names depend on the type before it."""
    return ExprAdapter(
        width,
        lambda value, context: Flags(value, NLM_F.get(context.type, _ALL)),
        lambda value, context: _bits(value, NLM_F.get(context.type, _ALL)),
    )


def _named(width: Any, table: dict[str, int]) -> Any:
    """A number with a name, or the number itself."""
    names = {number: name for name, number in table.items()}
    return ExprAdapter(
        width,
        lambda value, _: names.get(value, value),
        lambda value, _: table.get(value, value),
    )


def _whole(content: Any) -> Any:
    """A construct that must take the whole payload."""
    return FocusedSeq("content", "content" / content, Terminated)


TEXT = ExprAdapter(
    GreedyBytes,
    lambda payload, _: payload.partition(b"\0")[0].decode("utf-8", "surrogateescape"),
    lambda text, _: text.encode("utf-8", "surrogateescape") + b"\0",
)
"""NLA_NUL_STRING; a file system name in Python's sense, since the kernel takes any bytes."""

U8 = _whole(Int8un)
U16 = _whole(Int16un)
U32 = _whole(Int32un)
S32 = _whole(Int32sn)


def nlattr(table: dict[str, int], payloads: dict[str, Any]) -> Any:
    """struct nlattr: nla_len without the padding, nla_type with its two flags, payload, padding.

    ``nested`` (NLA_F_NESTED) may be left out: then it is set for a list of attributes.
    """
    names = {number: name for name, number in table.items()}

    def pack(context: Any) -> int:
        number = int(table.get(context.type, context.type))
        nested = context.get("nested")
        if nested is None:
            nested = isinstance(context.value, list)
        swapped = context.get("net_byteorder", False)
        return number | (NLA_F_NESTED if nested else 0) | (NLA_F_NET_BYTEORDER if swapped else 0)

    def name(context: Any) -> str | int:
        number = int(context.nla_type) & NLA_TYPE_MASK
        return names.get(number, number)

    return Aligned(
        4,
        Prefixed(
            Int16un,
            Struct(
                "nla_type" / Rebuild(Int16un, pack),
                "type" / Computed(name),
                "nested" / Computed(lambda context: bool(context.nla_type & NLA_F_NESTED)),
                "net_byteorder"
                / Computed(lambda context: bool(context.nla_type & NLA_F_NET_BYTEORDER)),
                "value" / Switch(this.type, payloads, default=GreedyBytes),
            ),
            includelength=True,
        ),
    )


def attributes(table: dict[str, int], payloads: dict[str, Any]) -> Any:
    """Attributes up to the end of the enclosing payload."""
    return _whole(GreedyRange(nlattr(table, payloads)))


class _ByKind(Adapter):  # type: ignore[misc]
    """IFLA_LINKINFO, whose IFLA_INFO_DATA depends on its IFLA_INFO_KIND."""

    def _decode(self, found: Any, context: Any, path: str) -> Any:
        data = self._data(found)
        for item in found:
            if data is not None and item.type == "IFLA_INFO_DATA":
                item.value = data.parse(item.value)
        return found

    def _encode(self, given: Any, context: Any, path: str) -> Any:
        data = self._data(given)
        if data is None:
            return given
        return [
            attribute("IFLA_INFO_DATA", data.build(item["value"]), item.get("nested") is not False)
            if item["type"] == "IFLA_INFO_DATA"
            else item
            for item in given
        ]

    @staticmethod
    def _data(items: Any) -> Any:
        kinds = [item["value"] for item in items if item["type"] == "IFLA_INFO_KIND"]
        return INFO_DATA.get(kinds[-1]) if kinds else None


class _Devconf(Adapter):  # type: ignore[misc]
    """struct ipv4_devconf as the kernel sends it: 32-bit numbers, the first one has number 1."""

    def _decode(self, numbers: Any, context: Any, path: str) -> Any:
        names = [*IPV4_DEVCONF][1:]
        names += [str(number) for number in range(len(names) + 1, len(numbers) + 1)]
        return Container(zip(names, numbers, strict=False))

    def _encode(self, values: Any, context: Any, path: str) -> Any:
        numbers = {IPV4_DEVCONF.get(name) or int(name): value for name, value in values.items()}
        return [numbers.get(place, 0) for place in range(1, max(numbers, default=0) + 1)]


# Formats --------------------------------------------------------------------------------------

INFO_DATA = {
    "macvlan": attributes(IFLA_MACVLAN, {"IFLA_MACVLAN_MODE": U32, "IFLA_MACVLAN_FLAGS": U16}),
    "ipvlan": attributes(IFLA_IPVLAN, {"IFLA_IPVLAN_MODE": U16, "IFLA_IPVLAN_FLAGS": U16}),
}
"""IFLA_INFO_DATA by kind; other kinds keep bytes."""
INFO_DATA["macvtap"] = INFO_DATA["macvlan"]
INFO_DATA["ipvtap"] = INFO_DATA["ipvlan"]

LINKINFO = _ByKind(
    attributes(IFLA_INFO, {"IFLA_INFO_KIND": TEXT, "IFLA_INFO_SLAVE_KIND": TEXT}),
)
"""linux/if_link.h IFLA_LINKINFO."""

INET_CONF = IfThenElse(
    this.nested,
    attributes(IPV4_DEVCONF, dict.fromkeys(IPV4_DEVCONF, U32)),
    _Devconf(_whole(GreedyRange(Int32sn))),
)
"""IFLA_INET_CONF: attributes (NLA_F_NESTED) towards the kernel, an array from it."""

AF_SPEC = attributes(
    AF,
    {
        "AF_INET": attributes(IFLA_INET, {"IFLA_INET_CONF": INET_CONF}),
        "AF_INET6": attributes(
            IFLA_INET6, {"IFLA_INET6_FLAGS": U32, "IFLA_INET6_ADDR_GEN_MODE": U8}
        ),
    },
)
"""linux/if_link.h IFLA_AF_SPEC: one attribute a family; the number of the family is its type."""

STATS64 = Struct(
    "rx_packets" / Int64un,
    "tx_packets" / Int64un,
    "rx_bytes" / Int64un,
    "tx_bytes" / Int64un,
    "rest" / Default(GreedyBytes, b""),
)
"""struct rtnl_link_stats64: the first counters; it grows from release to release."""

LINK = attributes(
    IFLA,
    {
        "IFLA_IFNAME": TEXT,
        "IFLA_MTU": U32,
        "IFLA_LINK": U32,
        "IFLA_QDISC": TEXT,
        "IFLA_MASTER": U32,
        "IFLA_TXQLEN": U32,
        "IFLA_OPERSTATE": U8,
        "IFLA_LINKMODE": U8,
        "IFLA_LINKINFO": LINKINFO,
        "IFLA_NET_NS_PID": U32,
        "IFLA_IFALIAS": TEXT,
        "IFLA_STATS64": STATS64,
        "IFLA_AF_SPEC": AF_SPEC,
        "IFLA_GROUP": U32,
        "IFLA_NET_NS_FD": U32,
        "IFLA_EXT_MASK": U32,
        "IFLA_PROMISCUITY": U32,
        "IFLA_NUM_TX_QUEUES": U32,
        "IFLA_NUM_RX_QUEUES": U32,
        "IFLA_CARRIER": U8,
        "IFLA_LINK_NETNSID": S32,
        "IFLA_MIN_MTU": U32,
        "IFLA_MAX_MTU": U32,
        "IFLA_PROP_LIST": attributes(IFLA, {"IFLA_ALT_IFNAME": TEXT}),
        "IFLA_ALT_IFNAME": TEXT,
    },
)
"""linux/if_link.h IFLA_*."""

IFINFOMSG = Struct(
    "ifi_family" / Default(Int8un, 0),
    Padding(1),
    "ifi_type" / Default(Int16un, 0),
    "ifi_index" / Default(Int32sn, 0),
    "ifi_flags" / Default(_flags(Int32un, IFF), 0),
    "ifi_change" / Default(_flags(Int32un, IFF), 0),
    "attributes" / Default(LINK, []),
)
"""linux/rtnetlink.h struct ifinfomsg, and the attributes behind it."""

CACHEINFO = _whole(
    Struct(
        "ifa_prefered" / Int32un,
        "ifa_valid" / Int32un,
        "cstamp" / Default(Int32un, 0),
        "tstamp" / Default(Int32un, 0),
    )
)
"""linux/if_addr.h struct ifa_cacheinfo, spelled as there."""

IFADDRMSG = Struct(
    "ifa_family" / Int8un,
    "ifa_prefixlen" / Default(Int8un, 0),
    "ifa_flags" / Default(_flags(Int8un, IFA_F), 0),
    "ifa_scope" / Default(Int8un, 0),
    "ifa_index" / Default(Int32un, 0),
    "attributes"
    / Default(
        attributes(
            IFA,
            {
                "IFA_LABEL": TEXT,
                "IFA_CACHEINFO": CACHEINFO,
                "IFA_FLAGS": _whole(_flags(Int32un, IFA_F)),
                "IFA_RT_PRIORITY": U32,
                "IFA_TARGET_NETNSID": S32,
                "IFA_PROTO": U8,
            },
        ),
        [],
    ),
)
"""linux/if_addr.h struct ifaddrmsg, and the attributes behind it."""

NDMSG = Struct(
    "ndm_family" / Default(Int8un, 0),
    Padding(3),
    "ndm_ifindex" / Default(Int32sn, 0),
    "ndm_state" / Default(_flags(Int16un, NUD), 0),
    "ndm_flags" / Default(_flags(Int8un, NTF), 0),
    "ndm_type" / Default(_named(Int8un, RTN), 0),
    "attributes" / Default(attributes(NDA, {"NDA_PROTOCOL": U8, "NDA_IFINDEX": U32}), []),
)
"""linux/neighbour.h struct ndmsg, and the attributes behind it."""

NDTMSG = Struct(
    "ndtm_family" / Default(Int8un, 0),
    Padding(3),
    "attributes"
    / Default(
        attributes(
            NDTA,
            {
                "NDTA_NAME": TEXT,
                "NDTA_PARMS": attributes(
                    NDTPA, {"NDTPA_IFINDEX": U32, "NDTPA_PROXY_DELAY": _whole(Int64un)}
                ),
            },
        ),
        [],
    ),
)
"""linux/neighbour.h struct ndtmsg, and the attributes behind it; times are in milliseconds."""

NETCONFMSG = Struct(
    "ncm_family" / Default(Int8un, 0),
    Padding(3),
    "attributes" / Default(attributes(NETCONFA, dict.fromkeys(NETCONFA, S32)), []),
)
"""linux/netconf.h struct netconfmsg, and the attributes behind it."""

RTMSG = Struct(
    "rtm_family" / Default(Int8un, 0),
    "rtm_dst_len" / Default(Int8un, 0),
    "rtm_src_len" / Default(Int8un, 0),
    "rtm_tos" / Default(Int8un, 0),
    "rtm_table" / Default(Int8un, 0),
    "rtm_protocol" / Default(Int8un, 0),
    "rtm_scope" / Default(Int8un, 0),
    "rtm_type" / Default(_named(Int8un, RTN), 0),
    "rtm_flags" / Default(Int32un, 0),
    "attributes"
    / Default(attributes(RTA, dict.fromkeys(("RTA_OIF", "RTA_TABLE", "RTA_PRIORITY"), U32)), []),
)
"""linux/rtnetlink.h struct rtmsg, and the attributes behind it."""

FIB_RULE_HDR = Struct(
    "family" / Default(Int8un, 0),
    "dst_len" / Default(Int8un, 0),
    "src_len" / Default(Int8un, 0),
    "tos" / Default(Int8un, 0),
    "table" / Default(Int8un, 0),
    Padding(2),
    "action" / Default(_named(Int8un, FR_ACT), 0),
    "flags" / Default(Int32un, 0),
    "attributes"
    / Default(
        attributes(
            FRA,
            {
                "FRA_IIFNAME": TEXT,
                "FRA_OIFNAME": TEXT,
                "FRA_PRIORITY": U32,
                "FRA_TABLE": U32,
                "FRA_PROTOCOL": U8,
            },
        ),
        [],
    ),
)
"""linux/fib_rules.h struct fib_rule_hdr, and the attributes behind it."""

NLMSGHDR = Struct(
    "length" / Int32un,
    "type" / _named(Int16un, TYPES),
    "flags" / _message_flags(Int16un),
    "sequence" / Default(Int32un, 0),
    "port" / Default(Int32un, 0),
)
"""linux/netlink.h struct nlmsghdr on its own, as it is echoed in struct nlmsgerr."""

ACK_TLVS = attributes(NLMSGERR_ATTR, {"NLMSGERR_ATTR_MSG": TEXT, "NLMSGERR_ATTR_OFFS": U32})
"""linux/netlink.h NLMSGERR_ATTR_*: the extended acknowledgement."""

ECHO = Bytes((this.msg.length + 3) // 4 * 4 - 16)
"""The payload of the request, padded."""


def _with(name: str) -> Any:
    """Whether the header above has this flag."""
    return lambda context: _bits(context._.flags, _ACK) & _ACK[name]


NLMSGERR = Struct(
    "error" / Int32sn,
    "msg" / NLMSGHDR,
    "payload" / Default(IfThenElse(_with("NLM_F_CAPPED"), Pass, ECHO), b""),
    "attributes" / Default(If(_with("NLM_F_ACK_TLVS"), ACK_TLVS), []),
)
"""linux/netlink.h struct nlmsgerr: minus the errno, or 0, and the header of the request; with its
payload unless NLM_F_CAPPED, and the extended acknowledgement if NLM_F_ACK_TLVS."""

DONE = Struct(
    "error" / Int32sn,
    "attributes" / Default(If(_with("NLM_F_ACK_TLVS"), ACK_TLVS), []),
)
"""NLMSG_DONE of a dump: the extended acknowledgement follows at once (netlink_dump_done)."""

BODIES = {
    "NLMSG_ERROR": NLMSGERR,
    "NLMSG_DONE": DONE,
    "RTM_NEWLINK": IFINFOMSG,
    "RTM_DELLINK": IFINFOMSG,
    "RTM_GETLINK": IFINFOMSG,
    "RTM_SETLINK": IFINFOMSG,
    "RTM_NEWLINKPROP": IFINFOMSG,
    "RTM_DELLINKPROP": IFINFOMSG,
    "RTM_NEWADDR": IFADDRMSG,
    "RTM_DELADDR": IFADDRMSG,
    "RTM_GETADDR": IFADDRMSG,
    "RTM_NEWROUTE": RTMSG,
    "RTM_DELROUTE": RTMSG,
    "RTM_GETROUTE": RTMSG,
    "RTM_NEWRULE": FIB_RULE_HDR,
    "RTM_DELRULE": FIB_RULE_HDR,
    "RTM_GETRULE": FIB_RULE_HDR,
    "RTM_NEWNEIGH": NDMSG,
    "RTM_DELNEIGH": NDMSG,
    "RTM_GETNEIGH": NDMSG,
    "RTM_NEWNEIGHTBL": NDTMSG,
    "RTM_GETNEIGHTBL": NDTMSG,
    "RTM_NEWNETCONF": NETCONFMSG,
    "RTM_GETNETCONF": NETCONFMSG,
}

MESSAGE = Aligned(
    4,
    Prefixed(
        Int32un,
        Struct(
            "type" / _named(Int16un, TYPES),
            "flags" / Default(_message_flags(Int16un), 0),
            "sequence" / Default(Int32un, 0),
            "port" / Default(Int32un, 0),
            "body" / Switch(this.type, BODIES, default=GreedyBytes),
            Terminated,
        ),
        includelength=True,
    ),
)
"""linux/netlink.h struct nlmsghdr (nlmsg_len counts itself) and what it heads."""

DATAGRAM = _whole(GreedyRange(MESSAGE))

# Using them -----------------------------------------------------------------------------------


def parse(data: bytes) -> list[Container]:
    """The messages of one datagram. Raises construct.ConstructError for malformed ones."""
    return list(DATAGRAM.parse(data))


def build(*messages: dict[str, Any]) -> bytes:
    """One datagram of *messages*, in the form that parse() gives."""
    return bytes(DATAGRAM.build(messages))


def attribute(type: str | int, value: Any, nested: bool | None = None) -> dict[str, Any]:
    """An attribute for build()."""
    return {"type": type, "value": value, "nested": nested}


def find(body: Any, *path: str | int) -> Any:
    """The value at the end of a path of attribute types, or None; the last of a repeated type."""
    level = body["attributes"]
    for place, type in enumerate(path):
        values = [item["value"] for item in level if item["type"] == type]
        if not values:
            return None
        level = values[-1]
        if place == len(path) - 1:
            return level
    return level
