"""Cables between network namespaces, asked of the kernel without a process of ip(8)."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support import Namespace

# linux/rtnetlink.h, linux/netlink.h
RTM_NEWLINK = 16
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NLMSG_ERROR = 2
# linux/if_link.h, linux/veth.h
IFLA_IFNAME, IFLA_LINKINFO, IFLA_AF_SPEC, IFLA_NET_NS_FD = 3, 18, 26, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
VETH_INFO_PEER = 1
IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE = 8, 1
IFF_UP = 1

INFO = struct.Struct("=BxHiII")
"""struct ifinfomsg: family, type, index, flags, mask of the flags that change."""


def attribute(kind: int, value: bytes) -> bytes:
    """A struct rtattr with its value, filled up to four bytes."""
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def cable(here: Namespace, there: Namespace, name: str, peer: str) -> None:
    """A veth pair, *name* here and *peer* there: both are up, and give themselves no address.

    Raises OSError with what the kernel answered.
    """
    far = INFO.pack(0, 0, 0, 0, 0) + named(peer)
    far += attribute(IFLA_NET_NS_FD, struct.pack("=I", there.fd))
    data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, far))
    info = attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"veth") + data)
    with here:
        asked(INFO.pack(0, 0, 0, 0, 0) + named(name) + info, NLM_F_CREATE | NLM_F_EXCL)
        without_address(name)
        raised(name)
    with there:
        without_address(peer)
        raised(peer)


def named(name: str) -> bytes:
    """The attribute with the name of a device."""
    return attribute(IFLA_IFNAME, name.encode() + b"\0")


def without_address(name: str) -> None:
    """A device gives itself no link-local address: ``ip link set NAME addrgenmode none``."""
    mode = attribute(IFLA_INET6_ADDR_GEN_MODE, bytes([IN6_ADDR_GEN_MODE_NONE]))
    families = attribute(IFLA_AF_SPEC, attribute(socket.AF_INET6, mode))
    asked(INFO.pack(0, 0, 0, 0, 0) + named(name) + families)


def raised(name: str) -> None:
    """``ip link set NAME up`` in the namespace of the thread."""
    asked(INFO.pack(0, 0, 0, IFF_UP, IFF_UP) + named(name))


def asked(body: bytes, flags: int = 0) -> None:
    """Send an RTM_NEWLINK with this body. Raises OSError with what the kernel answered."""
    flags |= NLM_F_REQUEST | NLM_F_ACK
    header = struct.pack("=IHHII", 16 + len(body), RTM_NEWLINK, flags, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.send(header + body)
        length, kind, _, _, _, code = struct.unpack_from("=IHHIIi", kernel.recv(65536))
    assert kind == NLMSG_ERROR, (length, kind)
    if code:
        raise OSError(-code, os.strerror(-code))
