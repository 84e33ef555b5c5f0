"""The numbers of rtnetlink by their names, for the specification in spec.py, and flags that print
as the names of their bits.

Sources: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/if.h,
linux/ip.h, linux/neighbour.h, linux/netconf.h, linux/fib_rules.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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

ALL_FLAGS = {
    "NLM_F_REQUEST": 0x01,
    "NLM_F_MULTI": 0x02,
    "NLM_F_ACK": 0x04,
    "NLM_F_ECHO": 0x08,
    "NLM_F_DUMP_INTR": 0x10,
    "NLM_F_DUMP_FILTERED": 0x20,
}
_GET = {**ALL_FLAGS, "NLM_F_ROOT": 0x100, "NLM_F_MATCH": 0x200, "NLM_F_ATOMIC": 0x400}
_NEW = {
    **ALL_FLAGS,
    "NLM_F_REPLACE": 0x100,
    "NLM_F_EXCL": 0x200,
    "NLM_F_CREATE": 0x400,
    "NLM_F_APPEND": 0x800,
}
_DELETE = {**ALL_FLAGS, "NLM_F_NONREC": 0x100, "NLM_F_BULK": 0x200}
ACK_FLAGS = {**ALL_FLAGS, "NLM_F_CAPPED": 0x100, "NLM_F_ACK_TLVS": 0x200}

NLM_F = {
    "NLMSG_ERROR": ACK_FLAGS,
    "NLMSG_DONE": ACK_FLAGS,
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


def bits(value: int | Iterable[str], table: dict[str, int]) -> int:
    """The number of flags that are given as such or by their names. Raises KeyError."""
    return value if isinstance(value, int) else sum(table[name] for name in set(value))
