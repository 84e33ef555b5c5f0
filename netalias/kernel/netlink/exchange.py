"""A netlink socket of any protocol for requests and their answers: dumps, and changes in one send.

The socket of rtnetlink, which every command has, is in the face of the package; this one is for
the other protocols: netfilter and sock_diag.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, SO_SNDBUF, SOL_SOCKET
from errno import EBUSY, EINTR, ENOBUFS
from time import sleep

from netalias import errors
from netalias.kernel.netlink import (
    CHUNK,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    RECEIVE_BUFFER,
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
from netalias.kernel.netlink.interrupted import INCOMPLETE, PAUSES, REST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.kernel.netlink.interrupted import Body

    Request = tuple[int, int, bytes]
    """The type of a message, its flags, its body."""
    Failure = tuple[int, int, str]
    """The place of a request among those sent, its errno, the kernel's text."""

SO_SNDBUFFORCE = 32
"""asm-generic/socket.h."""
SEND_BUFFER = 65536
"""Bytes of a send that every send buffer takes; for more it is made larger."""


class Exchange:
    """A socket of this netlink *protocol*, in the namespace of the calling thread.

    *name* names it in errors. Raises KernelError.
    """

    def __init__(self, name: str, protocol: int) -> None:
        self.name = name
        self.sequence = 0
        self._socket = opened(f"{name} socket", protocol)
        self._buffer = bytearray(CHUNK)
        for level, option, value in (
            (SOL_NETLINK, NETLINK_EXT_ACK, 1),
            (SOL_NETLINK, NETLINK_CAP_ACK, 1),
            (SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER),
        ):
            try:
                self._socket.setsockopt(level, option, value)
            except OSError:
                continue  # an older kernel, or no CAP_NET_ADMIN: it works without

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def dump(self, operation: str, kind: int, body: bytes, wanted: int) -> list[Body]:
        """The bodies of the *wanted* messages of a dump that was neither interrupted nor lost in
        part; one that was is repeated. Raises KernelError."""
        for pause in (0.0, *PAUSES, *REST):
            if pause:
                sleep(pause)
            found = self._attempt(operation, kind, body, wanted)
            if found is not None:
                return found
        raise errors.KernelError(
            operation, EINTR, f"it changed during each of {INCOMPLETE} readings"
        )

    def _attempt(self, operation: str, kind: int, body: bytes, wanted: int) -> list[Body] | None:
        sequence = self._post(operation, [(kind, codec.NLM_F_DUMP, body)])
        datagrams, lost = taken(lambda flags: self._receive(operation, flags), sequence)
        found, whole = [], False
        for data in datagrams:
            for answer, flags, number, start, end in messages(data):
                if number != sequence:
                    continue
                if answer == codec.NLMSG_ERROR:
                    code, text = read_error(data, flags, start, end)
                    if code == EBUSY:
                        return None  # the last dump was not read to its end; now it is
                    raise errors.kernel_error(operation, code, text, sequence)
                if answer == codec.NLMSG_DONE:
                    whole = True
                    if code := read_done(data, start, end):
                        raise errors.kernel_error(operation, code, "", sequence)
                lost = lost or bool(flags & codec.NLM_F_DUMP_INTR)
                if answer == wanted:
                    found.append((data, start, end))
        return found if whole and not lost else None

    def one(self, operation: str, kind: int, body: bytes) -> Body:
        """The body of the answer to a request that is no dump. Raises KernelError."""
        sequence = self._post(operation, [(kind, 0, body)])
        while True:
            data = self._receive(operation)
            if data is None:
                raise errors.kernel_error(operation, ENOBUFS, "its answer was lost", sequence)
            for answer, flags, number, start, end in messages(data):
                if number != sequence:
                    continue
                if answer == codec.NLMSG_ERROR:
                    code, text = read_error(data, flags, start, end)
                    raise errors.kernel_error(operation, code, text, sequence)
                return data, start, end

    def change(self, operation: str, requests: Sequence[Request], acked: int = -1) -> list[Failure]:
        """Send the requests at once; those that were refused, in the order of the answers.

        The one at the place *acked* asks for an acknowledgement. Raises KernelError, with ENOBUFS
        where the answers were lost: then any of them may be done or not.
        """
        last = len(requests) - 1 if acked < 0 else acked
        kind, flags, body = requests[last]
        asked = [*requests]
        asked[last] = kind, flags | codec.NLM_F_ACK, body
        first = self._post(operation, asked) - len(requests) + 1
        failures: list[Failure] = []
        answered = lost = False
        # The kernel has worked through all of it, and answered, when send(2) returns.
        while (data := self._receive(operation, MSG_DONTWAIT)) != b"":
            if data is None:
                lost = True
                continue
            for answer, flags, number, start, end in messages(data):
                if answer != codec.NLMSG_ERROR or number < first:
                    continue
                code, text = read_error(data, flags, start, end)
                answered = True
                if code:
                    failures.append((number - first, code, text))
        if lost or not answered:
            raise errors.kernel_error(operation, ENOBUFS, "its answers were lost", first)
        return failures

    def _post(self, operation: str, requests: Sequence[Request]) -> int:
        """Send them; the sequence number of the last one."""
        packed = []
        for kind, flags, body in requests:
            self.sequence += 1
            packed.append(codec.message(kind, flags, self.sequence, body))
        data = b"".join(packed)
        try:
            if len(data) > SEND_BUFFER:
                self._enlarge(len(data))
            self._socket.send(data)
        except OSError as error:
            raise errors.kernel_error(operation, error.errno or 0) from None
        return self.sequence

    def _enlarge(self, size: int) -> None:
        """Make room for a send of so many bytes; root of a user namespace has no more than twice
        net.core.wmem_max."""
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_SNDBUFFORCE, size * 2)
        except PermissionError:
            self._socket.setsockopt(SOL_SOCKET, SO_SNDBUF, size)

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        return received(operation, self._socket, self._buffer, flags)
