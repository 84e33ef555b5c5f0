"""A netlink socket that joins multicast groups: announcements, and the answers to its requests.

An object that was there before the socket is asked for with ``ask_links`` or ``ask_addresses``;
answers and announcements arrive in one order, so the last message about an object is the truth.
Where announcements were lost (ENOBUFS) ``read`` says so, and everything has to be asked for again.
"""

from __future__ import annotations

from _socket import AF_NETLINK, MSG_DONTWAIT, SO_RCVBUF, SOCK_RAW, SOL_SOCKET, socket
from _struct import pack
from array import array
from errno import EINTR
from itertools import islice
from os import dup
from sys import byteorder
from time import sleep

from netalias import errors
from netalias.kernel.netlink import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    SO_NETNS_COOKIE,
    SO_RCVBUFFORCE,
    SOL_NETLINK,
    codec,
    messages,
    opened,
    read_done,
    read_error,
    received,
    taken,
)
from netalias.kernel.netlink.interrupted import PAUSES
from netalias.model import AF_INET6, IFA_F_SECONDARY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RECEIVE_BUFFER = 16 << 20
CHUNK = 65536
"""No datagram of a dump or of an event is larger (netlink_dump, rtnl_fill_ifinfo)."""
ROOM = 1 << 16
"""More datagrams than a receive buffer holds: the kernel takes twice what is asked for, and counts
some 768 bytes for each at least (SKB_TRUESIZE)."""

CHUNKED = 2048
"""Datagrams that are looked at together, some hundred bytes each."""
ATTEMPTS = 2
"""Interrupted attempts at a dump."""
ADDRESS_KINDS = tuple(
    kind.to_bytes(2, byteorder) for kind in (codec.RTM_NEWADDR, codec.RTM_DELADDR)
)
DELETION = ADDRESS_KINDS[1]
ADDRESS_LEAST = 44
"""Bytes of a message about an address that tell it from others: struct nlmsghdr, struct ifaddrmsg,
and 20 of attributes, which are IFA_ADDRESS and IFA_LOCAL of IPv4 or the address of IPv6."""

SO_ATTACH_FILTER = 26
INSTRUCTION = 8
"""Bytes of struct sock_filter (linux/filter.h)."""

OPERATION = "announcements of the kernel"

Message = tuple[int, int, int, bytes, int, int]
"""Type, flags, sequence (0: nobody asked), datagram, start and end of the body in it."""


class Subscription:
    """A socket of this *protocol* that has joined *groups* (RTNLGRP_*).

    *buffer* is its receive buffer in bytes, 0 for a large one. The namespace is that of the calling
    thread, or that of the socket whose descriptor is *adopted*, with what it has not read yet.
    ``behind``: the last latest() ended before everything was read. Raises KernelError.
    """

    def __init__(
        self,
        protocol: int = NETLINK_ROUTE,
        groups: Iterable[int] = (),
        buffer: int = 0,
        adopted: int = -1,
    ) -> None:
        self._socket = (
            opened(OPERATION, protocol)
            if adopted < 0
            else socket(AF_NETLINK, SOCK_RAW, protocol, adopted)
        )
        self._buffer = bytearray(CHUNK)
        self.behind = False
        self.sequence = 0
        for group in groups:
            self.join(group)
        if buffer:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, buffer)
            return
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:
            pass  # without CAP_NET_ADMIN it overflows sooner, and all is read again

    def join(self, group: int) -> None:
        """Receive the announcements to this group. Raises KernelError."""
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None

    def filter(self, program: bytes) -> None:
        """Receive only the messages that a program of classic BPF lets through. Raises
        KernelError."""
        code = array("B", program)
        packed = pack("@HP", len(program) // INSTRUCTION, code.buffer_info()[0])
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, packed)
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None

    def strict(self) -> None:
        """Have the kernel look at the headers of requests: a dump can be of one family."""
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            pass  # an older kernel

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, kind: int, flags: int, body: bytes) -> int:
        """Send a request; its sequence number. Raises KernelError."""
        self.sequence += 1
        try:
            self._socket.send(codec.message(kind, flags, self.sequence, body))
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None
        return self.sequence

    def ask_links(self, indexes: Iterable[int]) -> None:
        """Request the state of these devices; NLMSG_ERROR answers for one that is not there."""
        skip = codec.attr_u32(codec.IFLA_EXT_MASK, codec.RTEXT_FILTER_SKIP_STATS)
        for index in indexes:
            self.send(codec.RTM_GETLINK, 0, codec.ifinfo(index) + skip)

    def ask_addresses(self, family: int = AF_INET6) -> int:
        """Request all addresses of a family, or of all (0); NLMSG_DONE with the returned sequence
        ends them."""
        return self.send(codec.RTM_GETADDR, codec.NLM_F_DUMP, codec.IFADDR.pack(family, 0, 0, 0, 0))

    def latest(self, most: int, own: int) -> Iterator[Message | None]:
        """The result of read() without the messages about an address that a later one in the same
        chunk makes obsolete (superseded): most of a flood is addresses that come and go again.

        What the socket with the netlink port ID *own* has caused is given all the same: whoever
        waits for its own change has to see it, and that it was undone.
        """
        left, self.behind = most, True
        while left > 0:
            found = list(islice(iter(self._receive, b""), min(CHUNKED, left)))
            for data in superseded(found, own):
                if data is None:
                    yield None
                    continue
                for kind, own, sequence, start, end in messages(data):
                    yield kind, own, sequence, data, start, end
            if len(found) < CHUNKED:
                self.behind = False
                return
            left -= len(found)

    def read(self, flags: int = MSG_DONTWAIT, most: int = ROOM) -> Iterator[Message | None]:
        """All messages that are there, None where some were lost; one datagram with *flags* 0.

        No more than *most* datagrams, since the kernel may announce faster than they are read.
        Raises WireError, KernelError.
        """
        for _ in range(most):
            data = self._receive(flags)
            if data is None:
                yield None
                continue
            if not data:
                return
            for kind, own, sequence, start, end in messages(data):
                yield kind, own, sequence, data, start, end
            if not flags:
                return

    def drain(self) -> None:
        """Drop all messages that are there. The kernel queues again only when none is left."""
        for _ in range(ROOM):
            if self._receive(MSG_DONTWAIT) == b"":
                return

    def answers(self, kind: int, body: bytes) -> Iterator[Message]:
        """The answers to a dump as they come, and the announcements between them.

        Raises KernelError where the dump was refused, or broken off.
        """
        wanted = self.send(kind, codec.NLM_F_DUMP, body)
        while True:
            for message in self.read(0):
                if message is None:
                    continue  # an announcement was lost; answers wait until there is room
                answer, flags, sequence, data, start, end = message
                if sequence == wanted and answer == codec.NLMSG_ERROR:
                    code, text = read_error(data, flags, start, end)
                    raise errors.kernel_error(OPERATION, code, text)
                if sequence == wanted and answer == codec.NLMSG_DONE:
                    code = read_done(data, start, end)
                    if code:
                        raise errors.kernel_error(OPERATION, code)
                    return
                yield message

    def dump(self, kind: int, body: bytes) -> list[list[Message]]:
        """The answers to a dump, on a socket without groups. Of one that is interrupted twice those
        of both attempts, the later one last (interrupted.py): whoever has joined the groups gets
        the rest from the announcements. Raises KernelError."""
        found: list[list[Message]] = []
        for pause in (0.0, *PAUSES, *PAUSES):
            if len(found) == ATTEMPTS:
                break
            if pause:
                sleep(pause)
            wanted = self.send(kind, codec.NLM_F_DUMP, body)
            datagrams, lost = taken(self._receive, wanted)
            answers = [message for data in datagrams for message in _answers(data, wanted)]
            if lost or not answers or answers[-1][0] != codec.NLMSG_DONE:
                continue
            if not any(flags & codec.NLM_F_DUMP_INTR for _, flags, *_ in answers):
                return [answers]
            found.append(answers)
        if not found:
            raise errors.kernel_error(OPERATION, EINTR)
        return found

    def _receive(self, flags: int = MSG_DONTWAIT) -> bytes | None:
        return received(OPERATION, self._socket, self._buffer, flags)


def superseded(found: list[bytes | None], own: int) -> Iterator[bytes | None]:
    """The datagrams in their order, without those about an address that a later one makes obsolete.

    Of those about one address up to three are left: the last deletion, which has effects beyond the
    address itself; the first one after it, since that is the place of the address in its list; and
    the last one. All that the socket with the netlink port ID *own* has caused are left.

    Those are about one address whose family, prefix length, device, first attributes and bit
    IFA_F_SECONDARY are the same: of two forms in which one address is announced both are left, so
    the last one about an address is always the last one.
    """
    marks: dict[bytes, list[int]] = {}  # places of: the last deletion, the first after it, the last
    keys, ours = [], own.to_bytes(4, byteorder)
    for place, data in enumerate(found):
        key = b""
        if data is not None and data[4:6] in ADDRESS_KINDS and data[12:16] != ours and _alone(data):
            key = data[16:18] + data[20:ADDRESS_LEAST]
            if data[18] & IFA_F_SECONDARY:
                key += b"s"
            if data[4:6] == DELETION:
                marks[key] = [place, -1, place]
            else:
                known = marks.setdefault(key, [-1, -1, place])
                known[2] = place
                if known[1] < 0:
                    known[1] = place
        keys.append(key)
    for place, (key, data) in enumerate(zip(keys, found, strict=True)):
        if not key or place in marks[key]:
            yield data


def _alone(data: bytes) -> bool:
    """Whether a datagram is one message, and one that is long enough to have an address."""
    return ADDRESS_LEAST <= len(data) < int.from_bytes(data[:4], byteorder) + 4


def _answers(data: bytes, wanted: int) -> Iterator[Message]:
    """The messages of a datagram with this sequence. Raises the error that one tells of."""
    for kind, flags, sequence, start, end in messages(data):
        if sequence != wanted:
            continue
        code, text = 0, ""
        if kind == codec.NLMSG_ERROR:
            code, text = read_error(data, flags, start, end)
        elif kind == codec.NLMSG_DONE:
            code = read_done(data, start, end)
        if code:
            raise errors.kernel_error(OPERATION, code, text)
        yield kind, flags, sequence, data, start, end


def cookie_of(fileno: int) -> int:
    """The cookie of the network namespace of a socket of this process (SO_NETNS_COOKIE, Linux
    5.14); 0 where it has none, and for what is no socket."""
    try:
        copy = socket(AF_NETLINK, SOCK_RAW, 0, dup(fileno))
    except OSError:
        return 0
    try:
        return int.from_bytes(copy.getsockopt(SOL_SOCKET, SO_NETNS_COOKIE, 8), byteorder)
    except OSError:
        return 0
    finally:
        copy.close()


def port_id_of(fileno: int) -> int:
    """The netlink port id of a socket of this process, 0 for descriptor -1."""
    if fileno < 0:
        return 0
    copy = socket(AF_NETLINK, SOCK_RAW, 0, dup(fileno))
    try:
        return int(copy.getsockname()[0])
    finally:
        copy.close()
