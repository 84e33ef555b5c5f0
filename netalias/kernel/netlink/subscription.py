"""One netlink socket for those who listen: groups joined, everything that is there read at once."""

from __future__ import annotations

from _socket import (
    AF_NETLINK,
    MSG_DONTWAIT,
    SO_RCVBUF,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    socket,
)
from errno import EAGAIN, EINTR, ENOBUFS
from os import dup

from netalias import errors
from netalias.kernel.netlink import codec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NETLINK_ROUTE = 0
NETLINK_GENERIC = 16
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP = 1
NETLINK_GET_STRICT_CHK = 12
SO_RCVBUFFORCE = 33
"""linux/netlink.h and asm-generic/socket.h."""

RECEIVE_BUFFER = 16 << 20
CHUNK = 65536
"""No datagram of a dump or of an event is larger (netlink_dump, rtnl_fill_ifinfo)."""
ROOM = 1 << 16
"""More datagrams than a receive buffer holds: the kernel takes twice what is asked for, and counts
some 768 bytes for each at least (SKB_TRUESIZE)."""
DUMP_TRIES = 10

OPERATION = "announcements of the kernel"

Message = tuple[int, int, int, bytes, int, int]
"""Type, flags, sequence (0: nobody asked), datagram, start and end of the body in it."""


class Channel:
    """A socket of this *protocol*. *buffer* is its receive buffer in bytes, 0 for a large one.

    The namespace is that of the calling thread. Raises KernelError.
    """

    def __init__(self, protocol: int, buffer: int = 0) -> None:
        try:
            self._socket = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)
            self._socket.bind((0, 0))
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None
        self.sequence = 0
        if buffer:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, buffer)
            return
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:
            pass  # without CAP_NET_ADMIN it overflows sooner, and all is read again

    def join(self, group: int) -> None:
        """Hear what is announced to this group. Raises KernelError."""
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
        except OSError as error:
            raise errors.kernel_error(OPERATION, error.errno or 0) from None

    def strict(self) -> None:
        """Have the kernel look at the headers of requests: a dump can be of one family."""
        try:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        except OSError:
            pass  # an older kernel

    def fileno(self) -> int:
        """That of the socket."""
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

    def read(self, flags: int = MSG_DONTWAIT, most: int = ROOM) -> Iterator[Message | None]:
        """All that is there, None where something was lost; one datagram with *flags* 0.

        No more than *most* datagrams: who announces may be faster than who reads. Raises WireError,
        KernelError.
        """
        for _ in range(most):
            try:
                data, source = self._socket.recvfrom(CHUNK, flags)
            except OSError as error:
                if error.errno == ENOBUFS:
                    yield None
                    continue
                if error.errno in (EAGAIN, EINTR):
                    return
                raise errors.kernel_error(OPERATION, error.errno or 0) from None
            if source[0]:
                continue  # not from the kernel
            for kind, own, sequence, start, end in codec.messages(data):
                yield kind, own, sequence, data, start, end
            if not flags:
                return

    def drain(self) -> None:
        """Drop all that is there. Only when nothing is left the kernel queues again."""
        for _ in self.read():
            pass

    def answers(self, kind: int, body: bytes) -> Iterator[Message]:
        """The answers to a dump as they come, and what was announced meanwhile.

        Raises KernelError where it was refused, or broken off.
        """
        wanted = self.send(kind, codec.NLM_F_DUMP, body)
        while True:
            for message in self.read(0):
                if message is None:
                    continue  # an announcement was lost; answers wait until there is room
                answer, flags, sequence, data, start, end = message
                if sequence == wanted and answer == codec.NLMSG_ERROR:
                    code, text = codec.read_error(data, flags, start, end)
                    raise errors.kernel_error(OPERATION, code, text)
                if sequence == wanted and answer == codec.NLMSG_DONE:
                    code = codec.read_done(data, start, end)
                    if code:
                        raise errors.kernel_error(OPERATION, code)
                    return
                yield message

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """All answers to a dump, as a picture of one moment. Raises KernelError."""
        for _ in range(DUMP_TRIES):
            found = list(self.answers(kind, body))
            if not any(flags & codec.NLM_F_DUMP_INTR for _, flags, *_ in found):
                return found
        raise errors.kernel_error(OPERATION, EINTR)


def port_of(fileno: int) -> int:
    """The netlink port of a socket of ours; 0 for none."""
    if fileno < 0:
        return 0
    copy = socket(AF_NETLINK, SOCK_RAW, 0, dup(fileno))
    try:
        return int(copy.getsockname()[0])
    finally:
        copy.close()
