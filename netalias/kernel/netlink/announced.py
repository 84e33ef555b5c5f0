"""The announcements of routes that watch hears, sifted by the kernel: a host may have a million
routes, and announce each of them."""

from __future__ import annotations

from _struct import Struct

from netalias.kernel.netlink import codec
from netalias.model import PROTOCOL, RT_TABLE_MAIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model.events import Route

RTPROT_KERNEL = 2
LOAD_HALF, LOAD_BYTE, EQUAL, RETURN = 0x28, 0x30, 0x15, 0x06
"""BPF_LD | BPF_H | BPF_ABS, with BPF_B, BPF_JMP | BPF_JEQ, BPF_RET of linux/bpf_common.h."""

# Offsets of a message about a route: in struct nlmsghdr, and in struct rtmsg behind it.
TYPE, PREFIXLEN, TABLE, ORIGIN = 4, 16 + 1, 16 + 4, 16 + 5


def _as_loaded(kind: int) -> int:
    """A type of message as BPF loads it: in network order."""
    return int.from_bytes(Struct("=H").pack(kind), "big")


FILTER = b"".join(
    Struct("=HBBI").pack(*instruction)
    for instruction in (
        (LOAD_HALF, 0, 0, TYPE),
        (EQUAL, 0, 2, _as_loaded(codec.RTM_DELROUTE)),
        (LOAD_BYTE, 0, 0, ORIGIN),
        (EQUAL, 7, 2, RTPROT_KERNEL),
        (EQUAL, 0, 6, _as_loaded(codec.RTM_NEWROUTE)),
        (LOAD_BYTE, 0, 0, ORIGIN),
        (EQUAL, 4, 0, PROTOCOL),
        (LOAD_BYTE, 0, 0, PREFIXLEN),
        (EQUAL, 0, 3, 0),
        (LOAD_BYTE, 0, 0, TABLE),
        (EQUAL, 0, 1, RT_TABLE_MAIN),
        (RETURN, 0, 0, 0xFFFFFFFF),
        (RETURN, 0, 0, 0),
    )
)
"""Program of BPF: of routes only ours, the deletion of those of the kernel itself, and the default
routes of the table main; and everything else."""


def is_default(route: Route) -> bool:
    """Whether a route is a default route of the table main, which others have added."""
    return not route.prefixlen and route.table == RT_TABLE_MAIN and route.protocol != PROTOCOL
