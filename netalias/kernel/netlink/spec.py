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

Types are strings, or numbers where numbers.py has no name for them; flags are numbers that print as
names and may be given as lists of names; payloads of attributes without a name stay bytes.
"""

from __future__ import annotations

from typing import Any

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

from netalias.kernel.netlink import numbers
from netalias.kernel.netlink.numbers import Flags, bits

# Building blocks ------------------------------------------------------------------------------


def _flags(width: Any, table: dict[str, int]) -> Any:
    return ExprAdapter(
        width,
        lambda value, _: Flags(value, table),
        lambda value, _: bits(value, table),
    )


def _message_flags(width: Any) -> Any:
    """The field nlmsg_flags, whose names depend on the type before it."""
    return ExprAdapter(
        width,
        lambda value, context: Flags(value, numbers.NLM_F.get(context.type, numbers.ALL_FLAGS)),
        lambda value, context: bits(value, numbers.NLM_F.get(context.type, numbers.ALL_FLAGS)),
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
        flags = numbers.NLA_F_NESTED * bool(nested)
        return number | flags | numbers.NLA_F_NET_BYTEORDER * bool(swapped)

    def name(context: Any) -> str | int:
        number = int(context.nla_type) & numbers.NLA_TYPE_MASK
        return names.get(number, number)

    return Aligned(
        4,
        Prefixed(
            Int16un,
            Struct(
                "nla_type" / Rebuild(Int16un, pack),
                "type" / Computed(name),
                "nested" / Computed(lambda context: bool(context.nla_type & numbers.NLA_F_NESTED)),
                "net_byteorder"
                / Computed(lambda context: bool(context.nla_type & numbers.NLA_F_NET_BYTEORDER)),
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

    def _decode(self, array: Any, context: Any, path: str) -> Any:
        names = [*numbers.IPV4_DEVCONF][1:]
        names += [str(number) for number in range(len(names) + 1, len(array) + 1)]
        return Container(zip(names, array, strict=False))

    def _encode(self, values: Any, context: Any, path: str) -> Any:
        table = numbers.IPV4_DEVCONF
        known = {table.get(name) or int(name): value for name, value in values.items()}
        return [known.get(place, 0) for place in range(1, max(known, default=0) + 1)]


# Formats --------------------------------------------------------------------------------------

INFO_DATA = {
    "macvlan": attributes(
        numbers.IFLA_MACVLAN, {"IFLA_MACVLAN_MODE": U32, "IFLA_MACVLAN_FLAGS": U16}
    ),
    "ipvlan": attributes(numbers.IFLA_IPVLAN, {"IFLA_IPVLAN_MODE": U16, "IFLA_IPVLAN_FLAGS": U16}),
}
"""IFLA_INFO_DATA by kind; other kinds keep bytes."""
INFO_DATA["macvtap"] = INFO_DATA["macvlan"]
INFO_DATA["ipvtap"] = INFO_DATA["ipvlan"]

LINKINFO = _ByKind(
    attributes(numbers.IFLA_INFO, {"IFLA_INFO_KIND": TEXT, "IFLA_INFO_SLAVE_KIND": TEXT}),
)
"""linux/if_link.h IFLA_LINKINFO."""

INET_CONF = IfThenElse(
    this.nested,
    attributes(numbers.IPV4_DEVCONF, dict.fromkeys(numbers.IPV4_DEVCONF, U32)),
    _Devconf(_whole(GreedyRange(Int32sn))),
)
"""IFLA_INET_CONF: attributes (NLA_F_NESTED) towards the kernel, an array from it."""

AF_SPEC = attributes(
    numbers.AF,
    {
        "AF_INET": attributes(numbers.IFLA_INET, {"IFLA_INET_CONF": INET_CONF}),
        "AF_INET6": attributes(
            numbers.IFLA_INET6, {"IFLA_INET6_FLAGS": U32, "IFLA_INET6_ADDR_GEN_MODE": U8}
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
    numbers.IFLA,
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
        "IFLA_PROP_LIST": attributes(numbers.IFLA, {"IFLA_ALT_IFNAME": TEXT}),
        "IFLA_ALT_IFNAME": TEXT,
    },
)
"""linux/if_link.h IFLA_*."""

IFINFOMSG = Struct(
    "ifi_family" / Default(Int8un, 0),
    Padding(1),
    "ifi_type" / Default(Int16un, 0),
    "ifi_index" / Default(Int32sn, 0),
    "ifi_flags" / Default(_flags(Int32un, numbers.IFF), 0),
    "ifi_change" / Default(_flags(Int32un, numbers.IFF), 0),
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
    "ifa_flags" / Default(_flags(Int8un, numbers.IFA_F), 0),
    "ifa_scope" / Default(Int8un, 0),
    "ifa_index" / Default(Int32un, 0),
    "attributes"
    / Default(
        attributes(
            numbers.IFA,
            {
                "IFA_LABEL": TEXT,
                "IFA_CACHEINFO": CACHEINFO,
                "IFA_FLAGS": _whole(_flags(Int32un, numbers.IFA_F)),
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
    "ndm_state" / Default(_flags(Int16un, numbers.NUD), 0),
    "ndm_flags" / Default(_flags(Int8un, numbers.NTF), 0),
    "ndm_type" / Default(_named(Int8un, numbers.RTN), 0),
    "attributes" / Default(attributes(numbers.NDA, {"NDA_PROTOCOL": U8, "NDA_IFINDEX": U32}), []),
)
"""linux/neighbour.h struct ndmsg, and the attributes behind it."""

NDTMSG = Struct(
    "ndtm_family" / Default(Int8un, 0),
    Padding(3),
    "attributes"
    / Default(
        attributes(
            numbers.NDTA,
            {
                "NDTA_NAME": TEXT,
                "NDTA_PARMS": attributes(
                    numbers.NDTPA, {"NDTPA_IFINDEX": U32, "NDTPA_PROXY_DELAY": _whole(Int64un)}
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
    "attributes" / Default(attributes(numbers.NETCONFA, dict.fromkeys(numbers.NETCONFA, S32)), []),
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
    "rtm_type" / Default(_named(Int8un, numbers.RTN), 0),
    "rtm_flags" / Default(Int32un, 0),
    "attributes"
    / Default(
        attributes(numbers.RTA, dict.fromkeys(("RTA_OIF", "RTA_TABLE", "RTA_PRIORITY"), U32)), []
    ),
)
"""linux/rtnetlink.h struct rtmsg, and the attributes behind it."""

FIB_RULE_HDR = Struct(
    "family" / Default(Int8un, 0),
    "dst_len" / Default(Int8un, 0),
    "src_len" / Default(Int8un, 0),
    "tos" / Default(Int8un, 0),
    "table" / Default(Int8un, 0),
    Padding(2),
    "action" / Default(_named(Int8un, numbers.FR_ACT), 0),
    "flags" / Default(Int32un, 0),
    "attributes"
    / Default(
        attributes(
            numbers.FRA,
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
    "type" / _named(Int16un, numbers.TYPES),
    "flags" / _message_flags(Int16un),
    "sequence" / Default(Int32un, 0),
    "port" / Default(Int32un, 0),
)
"""linux/netlink.h struct nlmsghdr on its own, as it is echoed in struct nlmsgerr."""

ACK_TLVS = attributes(numbers.NLMSGERR_ATTR, {"NLMSGERR_ATTR_MSG": TEXT, "NLMSGERR_ATTR_OFFS": U32})
"""linux/netlink.h NLMSGERR_ATTR_*: the extended acknowledgement."""

ECHO = Bytes((this.msg.length + 3) // 4 * 4 - 16)
"""The payload of the request, padded."""


def _with(name: str) -> Any:
    """Whether the header above has this flag."""
    return lambda context: bits(context._.flags, numbers.ACK_FLAGS) & numbers.ACK_FLAGS[name]


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
            "type" / _named(Int16un, numbers.TYPES),
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
