"""Devices and addresses as the kernel announces them: one rtnetlink socket that has joined groups.

What was announced before the socket was opened is asked for by ``ask_*``; answers and events come
in one order, so the last word on an object is the truth. Where announcements were lost (ENOBUFS)
``read`` says so, and everything has to be asked for again.
"""

from __future__ import annotations

from _socket import AF_NETLINK, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_RAW, SOL_SOCKET, socket
from errno import EAGAIN, EINTR, ENOBUFS
from select import POLLIN, poll

from netalias import errors
from netalias.kernel.netlink import codec
from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

NETLINK_ROUTE = 0
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
SO_RCVBUFFORCE = 33
RTNLGRP_LINK = 1
RTNLGRP_IPV6_IFADDR = 9
"""linux/netlink.h and linux/rtnetlink.h."""

RECEIVE_BUFFER = 16 << 20
CHUNK = 65536
"""No datagram of a dump or of an event is larger (netlink_dump, rtnl_fill_ifinfo)."""

OPERATION = "announcements of the kernel"

Event = tuple[int, int, int, bytes, int, int]
"""Type, flags, sequence (0: nobody asked), datagram, start and end of the body in it."""


class Events:
    """A socket that has joined *groups* (RTNLGRP_*). Raises KernelError."""

    def __init__(self, *groups: int) -> None:
        try:
            self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
            self._socket.bind((0, 0))
            for group in groups:
                self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:
            pass  # without CAP_NET_ADMIN it is lost sooner, and asked for again
        self._sequence = 0

    def fileno(self) -> int:
        """That of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def ask_links(self, indexes: Iterable[int]) -> None:
        """Have the state of these devices announced; NLMSG_ERROR for one that is not there."""
        skip = codec.attr_u32(codec.IFLA_EXT_MASK, codec.RTEXT_FILTER_SKIP_STATS)
        for index in indexes:
            self._sequence += 1
            body = codec.ifinfo(index) + skip
            self._send(codec.message(codec.RTM_GETLINK, 0, self._sequence, body))

    def ask_addresses(self, family: int = AF_INET6) -> int:
        """Have all addresses of a family announced, or of all (0); NLMSG_DONE with the returned
        sequence ends them."""
        self._sequence += 1
        self._send(codec.get_addresses(self._sequence, family))
        return self._sequence

    def _send(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None

    def read(self) -> Iterator[Event | None]:
        """All that is there; None where something was lost. Raises WireError, KernelError."""
        while True:
            try:
                data, source = self._socket.recvfrom(CHUNK, MSG_DONTWAIT)
            except OSError as error:
                if error.errno == ENOBUFS:
                    yield None
                    continue
                if error.errno in (EAGAIN, EINTR):
                    return
                raise errors.kernel_error(OPERATION, error.errno or 0) from None
            if source[0]:
                continue  # not from the kernel
            for kind, flags, sequence, start, end in codec.messages(data):
                yield kind, flags, sequence, data, start, end


def standing() -> set[bytes]:
    """The packed addresses that stand on any device of the namespace. Raises KernelError."""
    events = Events()
    try:
        asked = events.ask_addresses(0)
        ready = poll()
        ready.register(events.fileno(), POLLIN)
        found: set[bytes] = set()
        while True:
            ready.poll()
            for event in events.read():
                if event is None:
                    raise errors.kernel_error("list of addresses", ENOBUFS)
                kind, flags, sequence, data, start, end = event
                if kind == codec.RTM_NEWADDR:
                    found.add(codec.read_address(data, start, end).local)
                elif kind == codec.NLMSG_ERROR:
                    code, text = codec.read_error(data, flags, start, end)
                    raise errors.kernel_error("list of addresses", code, text)
                elif kind == codec.NLMSG_DONE and sequence == asked:
                    return found
    finally:
        events.close()
