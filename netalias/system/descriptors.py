"""Open descriptors that go from one process to another over AF_UNIX sockets (unix(7)).

A message is its bytes, up to MOST descriptors (SCM_RIGHTS), and who has sent it, by the word of the
kernel (SCM_CREDENTIALS): a pid in the bytes could be any. What arrives incomplete is an error, and
nothing of it stays open: a descriptor that nobody knows of holds its lock, device or port for ever.
"""

from __future__ import annotations

import os
from _socket import (
    AF_UNIX,
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    MSG_CTRUNC,
    MSG_NOSIGNAL,
    MSG_TRUNC,
    SCM_CREDENTIALS,
    SCM_RIGHTS,
    SO_PASSCRED,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
    socket,
    socketpair,
)
from array import array
from sys import byteorder

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 253
"""Descriptors in one message: SCM_MAX_FD of net/scm.h. The kernel answers EINVAL to more."""
DATAGRAM = 65536
"""Bytes of a message without a stream behind it."""
UCRED = 12
"""Bytes of struct ucred: pid, uid and gid (linux/socket.h)."""
UMASK = 0o177
"""While a rendezvous is made: only this user may send to it, since connect(2) takes the right to
write."""
SO_SNDBUFFORCE = 32
"""Numbers of asm-generic/socket.h."""
FD = 4
"""Bytes of an int in SCM_RIGHTS."""


class Message:
    """A message with its descriptors, all close-on-exec; those that were not taken are closed when
    its ``with`` block ends.

    ``pid`` is that of the sender as this process sees it, 0 where it does not; ``uid`` is -1 if the
    kernel did not tell.
    """

    __slots__ = ("content", "descriptors", "pid", "uid")

    def __init__(self, content: bytes, descriptors: list[int], pid: int = 0, uid: int = -1) -> None:
        self.content = content
        self.descriptors = descriptors
        self.pid = pid
        self.uid = uid

    def __enter__(self) -> Message:
        return self

    def __exit__(self, *_: object) -> None:
        close(self.take())

    def take(self) -> list[int]:
        """The descriptors, which are the caller's from now on."""
        found, self.descriptors = self.descriptors, []
        return found

    @property
    def trusted(self) -> bool:
        """Whether it is from root or from this user."""
        return self.uid in (0, os.geteuid()) and self.pid > 0


def close(descriptors: Sequence[int]) -> None:
    """Close descriptors, each once, whatever becomes of the others."""
    for one in descriptors:
        try:
            os.close(one)
        except OSError:
            pass  # EIO of a device that is gone: the descriptor is closed all the same


def pair(kind: int = SOCK_STREAM) -> tuple[socket, socket]:
    """Two connected sockets, whose messages tell who has sent them. Raises OSError."""
    ends = socketpair(AF_UNIX, kind | SOCK_CLOEXEC)
    for one in ends:
        one.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    return ends


def packets() -> tuple[socket, socket]:
    """The same, and each message stays one (SOCK_SEQPACKET). Raises OSError."""
    return pair(SOCK_SEQPACKET)


def enlarge(channel: socket, size: int) -> None:
    """Let *size* bytes of messages wait for the other end; without CAP_NET_ADMIN as many as usual.
    The kernel counts some 800 for each besides its content."""
    try:
        channel.setsockopt(SOL_SOCKET, SO_SNDBUFFORCE, size)
    except PermissionError:
        pass


def adopted(descriptor: int) -> socket:
    """The socket behind a descriptor, which it closes. Raises OSError for what is no socket of
    AF_UNIX; the descriptor is closed then."""
    try:
        found = socket(fileno=descriptor)
    except OSError:
        close([descriptor])
        raise
    if found.family != AF_UNIX:
        found.close()
        raise OSError("not a socket of AF_UNIX")
    found.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    return found


def rendezvous(path: str) -> socket:
    """A socket at *path*, where this user and root can send datagrams. Raises OSError, EADDRINUSE
    if there is a file.

    Datagrams, since a stream socket refuses who comes between bind(2) and listen(2).
    """
    found = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
    try:
        found.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
        before = os.umask(UMASK)
        try:
            found.bind(path)
        finally:
            os.umask(before)
    except BaseException:
        found.close()
        raise
    return found


def connected(path: str) -> socket:
    """A socket that sends to the rendezvous at *path*. Raises OSError: ENOENT without one,
    ECONNREFUSED for one that was left behind."""
    found = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC)
    try:
        found.connect(path)
    except BaseException:
        found.close()
        raise
    return found


def send(channel: socket, content: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a message; descriptors need at least one byte. The caller's stay open.

    Waits as long as the socket's timeout says: a rendezvous takes some ten messages (sysctl
    net.unix.max_dgram_qlen). Raises OSError; LimitError for more than MOST descriptors.
    """
    if len(descriptors) > MOST:
        raise errors.LimitError(f"{len(descriptors)} descriptors: a message has {MOST} at most")
    rights = [(SOL_SOCKET, SCM_RIGHTS, array("i", descriptors))] if descriptors else []
    channel.sendmsg([content], rights, MSG_NOSIGNAL)


def receive(channel: socket, size: int = DATAGRAM) -> Message:
    """The next message, up to *size* bytes; an empty one at the end of a stream.

    Raises OSError; StateError if something of it was cut off, by a lack of room or since this
    process may have no more descriptors (EMFILE). All that came is closed then.
    """
    room = CMSG_SPACE(MOST * FD) + CMSG_SPACE(UCRED)
    content, parts, flags, _ = channel.recvmsg(size, room, MSG_CMSG_CLOEXEC)
    message = _read(content, parts)
    if flags & (MSG_CTRUNC | MSG_TRUNC):
        close(message.take())
        what = "descriptors" if flags & MSG_CTRUNC else "bytes"
        raise errors.StateError(f"a message has lost {what}: nothing of it is taken")
    return message


def _read(content: bytes, parts: Sequence[tuple[int, int, bytes]]) -> Message:
    """The message of these bytes and this control data."""
    found = Message(content, [])
    for level, kind, data in parts:
        if level == SOL_SOCKET and kind == SCM_RIGHTS:
            whole = array("i")
            whole.frombytes(data[: len(data) - len(data) % FD])
            found.descriptors += whole
        elif level == SOL_SOCKET and kind == SCM_CREDENTIALS and len(data) >= UCRED:
            words = [int.from_bytes(data[at : at + FD], byteorder, signed=True) for at in (0, 4)]
            found.pid, found.uid = words
    return found
