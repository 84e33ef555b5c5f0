"""The rules of the older iptables (ip_tables, ip6_tables), as the kernel has them: read only.

A table is asked for only where the kernel lists it already: the question alone would make one, with
hooks for every packet. Python cannot hand getsockopt(2) a buffer that has something in it.

Source: linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h.
"""

from __future__ import annotations

import ctypes
from _socket import AF_INET, IPPROTO_IP, IPPROTO_IPV6, SOCK_CLOEXEC, SOCK_DGRAM, socket
from _struct import Struct, calcsize
from errno import EPERM

from netalias import errors
from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.errors import KernelError

LISTS = {
    AF_INET: "/proc/thread-self/net/ip_tables_names",
    AF_INET6: "/proc/thread-self/net/ip6_tables_names",
}
LEVELS = {AF_INET: IPPROTO_IP, AF_INET6: IPPROTO_IPV6}
SO_GET_INFO, SO_GET_ENTRIES = 64, 65
"""IPT_SO_GET_INFO and IPT_SO_GET_ENTRIES; those of ip6_tables have the same numbers."""
FORWARD = 2
"""NF_INET_FORWARD."""
_INFO = Struct("@32sI5I5III")
"""struct ipt_getinfo: name, valid hooks, first rules, policies, number of rules, their bytes."""
_ENTRIES = Struct("@32sI")
_BEGIN = calcsize("@32sI0Q")
"""struct ipt_get_entries: name and size; the place of the rules behind them."""


class Table:
    """The ``rules`` of a table, one struct ipt_entry or ip6t_entry behind the other, and the place
    in them of the ``policy`` of the chain FORWARD; -1 where it has no such chain."""

    __slots__ = ("policy", "rules")

    def __init__(self, rules: bytes, policy: int) -> None:
        self.rules = rules
        self.policy = policy


def read(family: int, name: str = "filter") -> Table | None:
    """A table of AF_INET or AF_INET6 in the namespace of the calling thread; None where there is
    none. Raises KernelError."""
    raw = name.encode()
    try:
        with open(LISTS[family], "rb") as file:
            if raw not in file.read().split():
                return None
    except FileNotFoundError:
        return None  # a kernel without it
    except OSError as error:
        raise _failed(error.errno or EPERM) from None
    sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    try:
        info = _INFO.unpack(_ask(sock, family, SO_GET_INFO, raw.ljust(_INFO.size, b"\0")))
        hooks, policies, size = info[1], info[7:12], info[13]
        asked = _ENTRIES.pack(raw, size).ljust(_BEGIN + size, b"\0")
        rules = _ask(sock, family, SO_GET_ENTRIES, asked)[_BEGIN:]
    finally:
        sock.close()
    return Table(rules, policies[FORWARD] if hooks >> FORWARD & 1 else -1)


def _ask(sock: socket, family: int, option: int, asked: bytes) -> bytes:
    """The answer, as long as the question. Raises KernelError: EAGAIN where the table has changed
    between two questions."""
    buffer = ctypes.create_string_buffer(asked, len(asked))
    length = ctypes.c_uint32(len(asked))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.getsockopt(sock.fileno(), LEVELS[family], option, buffer, ctypes.byref(length)) < 0:
        raise _failed(ctypes.get_errno())
    return buffer.raw


def _failed(errno: int) -> KernelError:
    return errors.kernel_error("rules of iptables-legacy", errno)
