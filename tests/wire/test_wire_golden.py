"""The bytes themselves, field by field, for a reader who wants to see them (little-endian)."""

from __future__ import annotations

import sys

import pytest

from netalias.kernel import netlink
from netalias.kernel.netlink import codec, group_delete
from netalias.model import AF_INET, AF_INET6, Address, Device
from netalias.model.leases import MarkAddress
from netalias.model.steps import AddAddress, AddAltname, CreateLink, DelLink, SetLink

pytestmark = pytest.mark.skipif(
    sys.byteorder != "little", reason="the bytes are written down as a little-endian host has them"
)


def golden(text: str) -> bytes:
    """Bytes out of lines of hexadecimal numbers; what follows a ``#`` is for the reader."""
    return bytes.fromhex(" ".join(line.partition("#")[0] for line in text.splitlines()))


CREATE = golden(
    """
    58 00 00 00             # nlmsg_len    88
    10 00                   # nlmsg_type   RTM_NEWLINK
    01 06                   # nlmsg_flags  NLM_F_REQUEST|NLM_F_EXCL|NLM_F_CREATE
    01 00 00 00             # nlmsg_seq    1
    00 00 00 00             # nlmsg_pid    0: to the kernel
    00                      # ifi_family   AF_UNSPEC
    00                      #   unused
    00 00                   # ifi_type     0
    00 00 00 00             # ifi_index    0: the kernel chooses
    00 00 00 00             # ifi_flags    0: born down
    00 00 00 00             # ifi_change   0
    0b 00 03 00             # nla_len 11, IFLA_IFNAME
    65 74 68 30 5f 30 00    #   "eth0_0\\0"
    00                      #   padding
    08 00 1b 00             # nla_len 8, IFLA_GROUP
    61 6e 00 00             #   28257
    08 00 05 00             # nla_len 8, IFLA_LINK
    02 00 00 00             #   2
    1c 00 12 80             # nla_len 28, NLA_F_NESTED|IFLA_LINKINFO
    0c 00 01 00             #   nla_len 12, IFLA_INFO_KIND
    6d 61 63 76 6c 61 6e 00 #     "macvlan\\0"
    0c 00 02 80             #   nla_len 12, NLA_F_NESTED|IFLA_INFO_DATA
    08 00 01 00             #     nla_len 8, IFLA_MACVLAN_MODE
    04 00 00 00             #       MACVLAN_MODE_BRIDGE
    """
)

ALTNAME = golden(
    """
    30 00 00 00             # nlmsg_len    48
    6c 00                   # nlmsg_type   RTM_NEWLINKPROP
    01 0e                   # nlmsg_flags  NLM_F_REQUEST|NLM_F_EXCL|NLM_F_CREATE|NLM_F_APPEND
    02 00 00 00             # nlmsg_seq    2
    00 00 00 00             # nlmsg_pid    0
    00 00 00 00             # ifi_family, unused, ifi_type
    07 00 00 00             # ifi_index    7
    00 00 00 00             # ifi_flags    0
    00 00 00 00             # ifi_change   0
    10 00 34 80             # nla_len 16, NLA_F_NESTED|IFLA_PROP_LIST
    0b 00 35 00             #   nla_len 11, IFLA_ALT_IFNAME
    65 74 68 30 3a 30 00    #     "eth0:0\\0"
    00                      #     padding
    """
)

RAISE = golden(
    """
    40 00 00 00             # nlmsg_len    64
    13 00                   # nlmsg_type   RTM_SETLINK
    01 00                   # nlmsg_flags  NLM_F_REQUEST
    03 00 00 00             # nlmsg_seq    3
    00 00 00 00             # nlmsg_pid    0
    00 00 00 00             # ifi_family, unused, ifi_type
    07 00 00 00             # ifi_index    7
    01 00 00 00             # ifi_flags    IFF_UP
    01 00 00 00             # ifi_change   IFF_UP
    20 00 1a 80             # nla_len 32, NLA_F_NESTED|IFLA_AF_SPEC
    10 00 02 80             #   nla_len 16, NLA_F_NESTED|AF_INET
    0c 00 01 80             #     nla_len 12, NLA_F_NESTED|IFLA_INET_CONF
    08 00 08 00             #       nla_len 8, IPV4_DEVCONF_RP_FILTER
    02 00 00 00             #         2: loose
    0c 00 0a 80             #   nla_len 12, NLA_F_NESTED|AF_INET6
    05 00 08 00             #     nla_len 5, IFLA_INET6_ADDR_GEN_MODE
    01                      #       IN6_ADDR_GEN_MODE_NONE
    00 00 00                #       padding
    """
)

INET = golden(
    """
    44 00 00 00             # nlmsg_len    68
    14 00                   # nlmsg_type   RTM_NEWADDR
    01 06                   # nlmsg_flags  NLM_F_REQUEST|NLM_F_EXCL|NLM_F_CREATE
    04 00 00 00             # nlmsg_seq    4
    00 00 00 00             # nlmsg_pid    0
    02                      # ifa_family   AF_INET
    18                      # ifa_prefixlen 24
    00                      # ifa_flags    0
    00                      # ifa_scope    RT_SCOPE_UNIVERSE
    07 00 00 00             # ifa_index    7
    08 00 02 00             # nla_len 8, IFA_LOCAL
    c8 01 01 01             #   200.1.1.1
    08 00 01 00             # nla_len 8, IFA_ADDRESS
    c8 01 01 01             #   200.1.1.1: no peer
    0b 00 03 00             # nla_len 11, IFA_LABEL
    65 74 68 30 3a 30 00    #   "eth0:0\\0"
    00                      #   padding
    08 00 04 00             # nla_len 8, IFA_BROADCAST
    c8 01 01 ff             #   200.1.1.255
    05 00 0b 00             # nla_len 5, IFA_PROTO
    61                      #   97
    00 00 00                #   padding
    """
)

MOVED = golden(
    """
    28 00 00 00             # nlmsg_len    40
    13 00                   # nlmsg_type   RTM_SETLINK
    01 00                   # nlmsg_flags  NLM_F_REQUEST
    07 00 00 00             # nlmsg_seq    7
    00 00 00 00             # nlmsg_pid    0
    00 00 00 00             # ifi_family, unused, ifi_type
    07 00 00 00             # ifi_index    7
    00 00 00 00             # ifi_flags    0
    00 00 00 00             # ifi_change   0: no flag
    08 00 1b 00             # nla_len 8, IFLA_GROUP
    61 6e 01 00             #   93793: 28257 and the bit of what is being deleted
    """
)

CLEARED = golden(
    """
    28 00 00 00             # nlmsg_len    40
    11 00                   # nlmsg_type   RTM_DELLINK
    01 00                   # nlmsg_flags  NLM_F_REQUEST
    08 00 00 00             # nlmsg_seq    8
    00 00 00 00             # nlmsg_pid    0
    00 00 00 00             # ifi_family, unused, ifi_type
    00 00 00 00             # ifi_index    0: all of the group
    00 00 00 00             # ifi_flags    0
    00 00 00 00             # ifi_change   0
    08 00 1b 00             # nla_len 8, IFLA_GROUP
    61 6e 01 00             #   93793
    """
)

INET6 = golden(
    """
    40 00 00 00             # nlmsg_len    64
    14 00                   # nlmsg_type   RTM_NEWADDR
    02 00                   # nlmsg_flags  NLM_F_MULTI: part of a dump
    05 00 00 00             # nlmsg_seq    5
    ea 1c 00 00             # nlmsg_pid    7402: who asked
    0a                      # ifa_family   AF_INET6
    80                      # ifa_prefixlen 128
    80                      # ifa_flags    the low eight bits of IFA_FLAGS
    fe                      # ifa_scope    RT_SCOPE_HOST
    01 00 00 00             # ifa_index    1
    14 00 01 00             # nla_len 20, IFA_ADDRESS
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 01 # ::1
    14 00 06 00             # nla_len 20, IFA_CACHEINFO
    1e 00 00 00             #   ifa_prefered 30 seconds
    3c 00 00 00             #   ifa_valid    60 seconds
    00 00 00 00             #   cstamp
    00 00 00 00             #   tstamp
    """
)

LINK = golden(
    """
    4c 00 00 00             # nlmsg_len    76
    10 00                   # nlmsg_type   RTM_NEWLINK
    02 00                   # nlmsg_flags  NLM_F_MULTI
    06 00 00 00             # nlmsg_seq    6
    ea 1c 00 00             # nlmsg_pid    7402
    00                      # ifi_family   AF_UNSPEC
    00                      #   unused
    04 03                   # ifi_type     ARPHRD_LOOPBACK (772)
    01 00 00 00             # ifi_index    1
    49 00 01 00             # ifi_flags    IFF_UP|IFF_LOOPBACK|IFF_RUNNING|IFF_LOWER_UP
    00 00 00 00             # ifi_change   0
    07 00 03 00             # nla_len 7, IFLA_IFNAME
    6c 6f 00                #   "lo\\0"
    00                      #   padding
    05 00 10 00             # nla_len 5, IFLA_OPERSTATE
    06                      #   IF_OPER_UP
    00 00 00                #   padding
    08 00 04 00             # nla_len 8, IFLA_MTU
    00 00 01 00             #   65536
    0a 00 01 00             # nla_len 10, IFLA_ADDRESS
    00 00 00 00 00 00       #   00:00:00:00:00:00
    00 00                   #   padding
    08 00 43 00             # nla_len 8, an attribute of a later day
    01 00 00 00
    """
)

REFUSED = golden(
    """
    40 00 00 00             # nlmsg_len    64
    02 00                   # nlmsg_type   NLMSG_ERROR
    00 03                   # nlmsg_flags  NLM_F_CAPPED|NLM_F_ACK_TLVS
    02 00 00 00             # nlmsg_seq    2
    ea 1c 00 00             # nlmsg_pid    7402
    ed ff ff ff             # error        -ENODEV (19)
    20 00 00 00             #   nlmsg_len   32: of the request, of which only the header is echoed
    15 00                   #   nlmsg_type  RTM_DELADDR
    05 00                   #   nlmsg_flags NLM_F_REQUEST|NLM_F_ACK
    02 00 00 00             #   nlmsg_seq   2
    00 00 00 00             #   nlmsg_pid   0
    1b 00 01 00             # nla_len 27, NLMSGERR_ATTR_MSG
    69 70 76 34 3a 20 44 65 76 69 63 65 # "ipv4: Device
    20 6e 6f 74 20 66 6f 75 6e 64 00    #  not found\\0"
    00                      #   padding
    """
)

DONE = golden(
    """
    38 00 00 00             # nlmsg_len    56
    03 00                   # nlmsg_type   NLMSG_DONE
    02 02                   # nlmsg_flags  NLM_F_MULTI|NLM_F_ACK_TLVS
    05 00 00 00             # nlmsg_seq    5
    ea 1c 00 00             # nlmsg_pid    7402
    ea ff ff ff             # error        -EINVAL (22), and no echo behind it
    1b 00 01 00             # nla_len 27, NLMSGERR_ATTR_MSG
    55 6e 6b 6e 6f 77 6e 20 61 74 74 72 # "Unknown attr
    69 62 75 74 65 20 74 79 70 65 00    #  ibute type\\0"
    00                      #   padding
    08 00 02 00             # nla_len 8, NLMSGERR_ATTR_OFFS
    20 00 00 00             #   32: where in the request
    """
)

LABELLED = Address(
    0,
    AF_INET,
    b"\xc8\1\1\1",
    24,
    0,
    broadcast=b"\xc8\1\1\xff",
    label="eth0:0",
    protocol=97,
)


def test_a_new_macvlan() -> None:
    """``ip link add eth0_0 link eth0 group 28257 type macvlan mode bridge``."""
    assert (
        codec.create_link(1, 0, CreateLink("eth0_0", "macvlan", group=28257, mode=4, link=2))
        == CREATE
    )


def test_an_altname() -> None:
    """``ip link property add dev eth0_0 altname eth0:0``."""
    assert codec.add_altname(2, 7, AddAltname("eth0_0", 7, "eth0:0")) == ALTNAME


def test_raising_a_device() -> None:
    """``ip link set eth0_0 up addrgenmode none`` and one sysctl in one message."""
    step = SetLink("eth0_0", 7, up=True, conf={"rp_filter": 2}, addrgen=1)
    assert codec.set_link(3, 7, step) == RAISE


def test_a_new_address() -> None:
    """``ip addr add 200.1.1.1/24 broadcast 200.1.1.255 label eth0:0 proto 97 dev eth0_0``."""
    assert codec.add_address(4, 7, AddAddress("eth0_0", 7, LABELLED)) == INET


def test_a_mark_on_an_address() -> None:
    """``ip addr change`` of the same: nothing but the flags of the message is another."""
    replace = (codec.NLM_F_REQUEST | codec.NLM_F_REPLACE).to_bytes(2, "little")
    assert (
        group_delete.mark_address(4, 7, MarkAddress("eth0_0", 7, LABELLED))
        == INET[:6] + replace + INET[8:]
    )
    assert replace == b"\1\1"


def test_moving_a_device_to_a_group() -> None:
    """``ip link set eth0_0 group 93793``."""
    step = group_delete.Move(DelLink("eth0_0", 7, 28257), 93793)
    assert group_delete.set_group(7, 7, step) == MOVED


def test_deleting_a_group() -> None:
    """``ip link del group 93793``."""
    assert group_delete.del_group(8, 0, group_delete.DelGroup(28257, 93793)) == CLEARED


def only(data: bytes, kind: int, flags: int, sequence: int) -> tuple[int, int]:
    """Begin and end of the only message."""
    assert list(netlink.messages(data)) == [(kind, flags, sequence, 16, len(data))]
    return 16, len(data)


def test_an_address_of_a_dump() -> None:
    """An IPv6 address with lifetimes; a header's flags count when there is no IFA_FLAGS."""
    entry = Address(1, AF_INET6, bytes(15) + b"\1", 128, 0x80, 254, valid=60, preferred=30)
    bounds = only(INET6, codec.RTM_NEWADDR, codec.NLM_F_MULTI, 5)
    assert codec.read_address(INET6, *bounds) == entry


def test_a_link_of_a_dump() -> None:
    """The loopback device; an attribute that is not known is passed over."""
    device = Device(1, "lo", 0x10049, 772, mtu=65536, mac=bytes(6), operstate=6, inet6=False)
    assert codec.read_link(LINK, *only(LINK, codec.RTM_NEWLINK, codec.NLM_F_MULTI, 6)) == device


def test_a_refusal() -> None:
    """The kernel's own words stand behind the echoed header."""
    flags = codec.NLM_F_CAPPED | codec.NLM_F_ACK_TLVS
    bounds = only(REFUSED, codec.NLMSG_ERROR, flags, 2)
    assert netlink.read_error(REFUSED, flags, *bounds) == (19, "ipv4: Device not found")


def test_the_end_of_a_refused_dump() -> None:
    """At the end of a dump they stand behind the errno."""
    flags = codec.NLM_F_MULTI | codec.NLM_F_ACK_TLVS
    start, end = only(DONE, codec.NLMSG_DONE, flags, 5)
    assert netlink.read_done(DONE, start, end) == 22
    assert netlink.read_text(DONE, flags, start + 4, end) == "Unknown attribute type"
