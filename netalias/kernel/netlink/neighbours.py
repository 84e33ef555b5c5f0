"""Messages about proxy neighbour entries, and requests for the conditions under which they work.

Layouts are those of linux/neighbour.h (struct ndmsg, ndtmsg), linux/netconf.h (struct netconfmsg)
and linux/rtnetlink.h (struct rtmsg); spec.py declares them once more. Loaded only with an entry.
"""

from __future__ import annotations

from _struct import Struct, error  # type: ignore[attr-defined]
from errno import ENOBUFS

from netalias.errors import WireError, kernel_error
from netalias.kernel.netlink.codec import (
    NLM_F_CREATE,
    NLM_F_DUMP,
    NLM_F_EXCL,
    RTA_DST,
    RTA_OIF,
    RTM_GETROUTE,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    RTMSG,
    attr,
    attributes,
    attributes_behind,
    message,
)
from netalias.model import RTN_LOCAL, RTN_UNICAST
from netalias.model.neighbours import AddProxy, DelProxy, Proxy, Surroundings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from netalias.model.steps import Step

RTM_DELNEIGH = 29
RTM_NEWNEIGHTBL = 64
RTM_GETNEIGHTBL = 66
RTM_NEWNETCONF = 80
RTM_GETNETCONF = 82

NTF_PROXY = 0x08
NUD_PERMANENT = 0x80
"""So a proxy entry outlasts a loss of carrier, since Linux 6.17 (commit c7d78566bbd3)."""

NDA_DST = 1
NDA_PROTOCOL = 12
NDTA_PARMS = 6
NDTPA_IFINDEX = 1
NDTPA_PROXY_DELAY = 13
NETCONFA_IFINDEX = 1
NETCONFA_FORWARDING = 2
NETCONFA_PROXY_NEIGH = 5
NETCONFA_IFINDEX_ALL = -1

Way = tuple[int, bool]
"""Index of the device that a route leads through, and whether it ends at this host."""
NOWHERE: Way = (0, False)
OFF = (False, False)

NDMSG = Struct("=BxHiHBB")
NDTMSG = Struct("=B3x")
NETCONFMSG = Struct("=B3x")
_I32 = Struct("=i")
_U64 = Struct("=Q")


# Writing --------------------------------------------------------------------------------------


def add_proxy(sequence: int, index: int, proxy: Proxy) -> bytes:
    """RTM_NEWNEIGH of an entry; ``proxy.index`` is not looked at."""
    body = _entry(index, proxy, NUD_PERMANENT, proxy.flags)
    if proxy.protocol:
        body += attr(NDA_PROTOCOL, bytes([proxy.protocol]))
    return message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, sequence, body)


def del_proxy(sequence: int, index: int, proxy: Proxy) -> bytes:
    """RTM_DELNEIGH of an entry, which device and address identify."""
    return message(RTM_DELNEIGH, 0, sequence, _entry(index, proxy, 0, 0))


def _entry(index: int, proxy: Proxy, state: int, flags: int) -> bytes:
    header = NDMSG.pack(proxy.family, 0, index, state, flags | NTF_PROXY, 0)
    return bytes(header) + attr(NDA_DST, proxy.local)


def get_tables(sequence: int, family: int) -> bytes:
    """RTM_GETNEIGHTBL: request for the neighbour tables of a family, with their settings."""
    return message(RTM_GETNEIGHTBL, NLM_F_DUMP, sequence, NDTMSG.pack(family))


def get_settings(sequence: int, family: int) -> bytes:
    """RTM_GETNETCONF: request for some sysctls of every device, of all and of default."""
    return message(RTM_GETNETCONF, NLM_F_DUMP, sequence, NETCONFMSG.pack(family))


def get_route(sequence: int, family: int, local: bytes) -> bytes:
    """RTM_GETROUTE: request for the route of a packet from this host to *local*."""
    header = RTMSG.pack(family, len(local) * 8, 0, 0, 0, 0, 0, 0, 0)
    return message(RTM_GETROUTE, 0, sequence, bytes(header) + attr(RTA_DST, local))


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    AddProxy: lambda sequence, index, step: add_proxy(sequence, index, step.proxy),
    DelProxy: lambda sequence, index, step: del_proxy(sequence, index, step.proxy),
}
"""Class of step: its encoder, (sequence, ifindex, step) -> message."""


# Reading --------------------------------------------------------------------------------------


def read_proxy(data: bytes, start: int, end: int) -> Proxy:
    """The Proxy of an RTM_NEWNEIGH."""
    found = attributes_behind(data, start, end, NDMSG)
    family, _, index, _, flags, _ = NDMSG.unpack_from(data, start)
    local = found.get(NDA_DST, b"")
    if len(local) != {2: 4, 10: 16}.get(family, len(local)) or not local:
        raise WireError(f"a neighbour of family {family} with an address of {len(local)} bytes")
    protocol = found.get(NDA_PROTOCOL, b"\0")
    return Proxy(index, family, local, protocol[0] if protocol else 0, flags & ~NTF_PROXY)


def read_delay(data: bytes, start: int, end: int) -> tuple[int, int]:
    """Index and proxy_delay in milliseconds of an RTM_NEWNEIGHTBL; index 0 is the default."""
    found = attributes_behind(data, start, end, NDTMSG)
    inside = found.get(NDTA_PARMS, b"")
    parms = attributes(inside, 0, len(inside))
    try:
        (delay,) = _U64.unpack(parms.get(NDTPA_PROXY_DELAY, bytes(8)))
    except error:
        raise WireError("a neighbour table with a delay of other than 8 bytes") from None
    return _number(parms, NDTPA_IFINDEX), delay


def read_settings(data: bytes, start: int, end: int) -> tuple[int, tuple[bool, bool]]:
    """Index, forwarding and proxy_arp or proxy_ndp of an RTM_NEWNETCONF."""
    found = attributes_behind(data, start, end, NETCONFMSG)
    values = (NETCONFA_FORWARDING, NETCONFA_PROXY_NEIGH)
    forwarding, answering = (_number(found, kind) != 0 for kind in values)
    return _number(found, NETCONFA_IFINDEX), (forwarding, answering)


def read_route(data: bytes, start: int, end: int) -> Way:
    """Index of the device of an RTM_NEWROUTE, and whether the route ends at this host."""
    found = attributes_behind(data, start, end, RTMSG)
    kind = RTMSG.unpack_from(data, start)[7]
    if kind not in (RTN_UNICAST, RTN_LOCAL):
        return NOWHERE
    return _number(found, RTA_OIF), kind == RTN_LOCAL


def _number(found: dict[int, bytes], kind: int) -> int:
    try:
        return int(_I32.unpack(found.get(kind, bytes(4)))[0])
    except error:
        raise WireError(f"attribute {kind} does not have 4 bytes") from None


# Asking ---------------------------------------------------------------------------------------


def surroundings(
    dump: Callable[..., list[Any]],
    one: Callable[..., tuple[int, bytes, int, int] | None],
    index: int,
    family: int,
    addresses: Sequence[bytes],
) -> list[Surroundings]:
    """The Surroundings of each address on a device; *dump* and *one* are those of Netlink."""
    settings: dict[int, tuple[bool, bool]] = dict(
        dump(
            "settings of devices",
            get_settings(0, family),
            RTM_NEWNETCONF,
            read_settings,
        )
    )
    delays: dict[int, int] = dict(
        dump(
            "neighbour table",
            get_tables(0, family),
            RTM_NEWNEIGHTBL,
            read_delay,
        )
    )
    forwarding, answering = settings.get(index, OFF)
    everywhere, answering_all = settings.get(NETCONFA_IFINDEX_ALL, OFF)
    found = []
    for local in addresses:
        out, ends = _way(one, family, local)
        found.append(
            Surroundings(
                forwarding=forwarding,
                everywhere=everywhere,
                answering=answering or answering_all,
                delay=delays.get(index, 0),
                out=out,
                back=settings.get(out, OFF)[0],
                local=ends,
            )
        )
    return found


def _way(one: Callable[..., tuple[int, bytes, int, int] | None], family: int, local: bytes) -> Way:
    answer = one("route", get_route(0, family, local))
    if answer is None:
        raise kernel_error("route", ENOBUFS)
    if answer[0] != RTM_NEWROUTE:
        return NOWHERE  # refused: there is none
    return read_route(*answer[1:])
