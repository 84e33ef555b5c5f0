"""Election of the one process that serves a name, after the multilink server of user-ppp.

The rendezvous is a datagram socket in the runtime directory. Whoever binds it is the server;
whoever finds it bound is a client, and can send the server what it has. A file without a process
behind it is replaced.

All of that happens under flock(2) of a file beside it, for two reasons: two processes that both
unlink a file that was left behind, and bind, would both be the server; and bind(2) makes the file a
moment before the socket can be found by it (unix_bind_bsd of net/unix/af_unix.c), which looks like
such a file.
"""

from __future__ import annotations

import os
from _blake2 import blake2b
from errno import EADDRINUSE, ECONNREFUSED, ENOENT
from time import monotonic, sleep

from netalias import errors
from netalias.runtime import opened_folder
from netalias.runtime.instance import locked, opened_lock
from netalias.system import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Sequence

    from netalias.system.descriptors import Message

PATIENCE = 5.0
"""Seconds that an election waits for those of others, which take a millisecond each."""
POLL = 0.005
"""Seconds between two tries."""
BURST = 64
"""Messages that are read of a rendezvous at its end; its queue holds some ten."""
NAME_MAX = 200
"""Bytes of a file name, which has 255 at most (NAME_MAX), with room for suffixes."""
PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")
"""Characters of names that stand in the file name as they are."""
CLASSES = {
    "null": (0, 0, 0),
    "label": (1, 1, 20),
    "ip": (2, 4, 4),
    "mac": (3, 6, 6),
    "magic": (4, 4, 20),
    "psn": (5, 1, 15),
}
"""Classes of endpoint discriminators: number, least and most bytes (RFC 1990, 5.1.3). Each of them
identifies the machine at the other end of a bundle."""


def rendezvous(name: str, kind: str = "null", discriminator: bytes = b"") -> str:
    """The file name of the rendezvous of a bundle, by its name and the endpoint discriminator of
    the peer. Names that do not fit into a file name are hashed, never cut: two peers that share a
    beginning share no bundle. Raises UsageError.
    """
    if kind not in CLASSES:
        raise errors.UsageError(f"{kind}: one of {', '.join(CLASSES)} is needed")
    number, least, most = CLASSES[kind]
    if not least <= len(discriminator) <= most:
        length = f"{least} to {most}" if least < most else f"{least}"
        raise errors.UsageError(
            f"a discriminator of class {kind} has {length} bytes, not {len(discriminator)}"
        )
    rest = f"{number:02x}-{discriminator.hex()}"
    found = f"link-{name}-{rest}"
    if len(found) <= NAME_MAX and PLAIN.issuperset(name) and name:
        return found
    digest = blake2b(os.fsencode(name), digest_size=20).hexdigest()
    return f"link+{digest}-{rest}"


class Server:
    """The server of a name: holds its rendezvous, which is to be polled, until close()."""

    def __init__(self, channel: socket, folder: str, name: str) -> None:
        self._channel = channel
        self._path = f"{folder}/{name}"
        try:
            self._file = os.lstat(self._path)
        except OSError:
            channel.close()
            raise

    def fileno(self) -> int:
        """Readable when somebody has sent something."""
        return self._channel.fileno()

    def receive(self) -> Message | None:
        """The next message; None for now. Raises StateError for one that was cut."""
        try:
            return descriptors.receive(self._channel)
        except BlockingIOError:
            return None

    def close(self) -> Sequence[Message]:
        """Unlink the rendezvous, then close it; the messages that were sent meanwhile, which the
        caller answers or closes. From the first moment on a new starter becomes the server, and
        nobody finds a file without a process."""
        if self._channel.fileno() < 0:
            return []
        try:
            if os.path.samestat(os.lstat(self._path), self._file):
                os.unlink(self._path)
        except OSError:
            pass  # somebody has removed it
        found = []
        for _ in range(BURST):
            try:
                message = self.receive()
            except errors.StateError:
                continue
            if message is None:
                break
            found.append(message)
        self._channel.close()
        return found


class Client:
    """One that came later: sends to the server until close()."""

    def __init__(self, channel: socket) -> None:
        self.channel = channel

    def close(self) -> None:
        """Close the connection."""
        self.channel.close()


def elect(folder: str, name: str, patience: float = PATIENCE) -> Server | Client:
    """The part of this process for a name: it serves, or it sends to the one that does.

    *folder* is the runtime directory, *name* a file name in it (rendezvous()). Raises StateError
    when neither is possible: the link of the caller is refused then.
    """
    path = f"{folder}/{name}"
    try:
        lock = opened_lock(folder, f"{name}.lock")
        try:
            _await(lock, f"{path}.lock", patience)
            return _elected(folder, name)
        finally:
            os.close(lock)
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None


def _await(lock: int, path: str, patience: float) -> None:
    end = monotonic() + patience
    while not locked(lock, path):
        if monotonic() >= end:
            raise errors.StateError(f"{path}: another start does not end", f"fuser {path}")
        sleep(POLL)


def _elected(folder: str, name: str) -> Server | Client:
    """The same, under the lock. Raises OSError."""
    home = opened_folder(folder)
    # A path in struct sockaddr_un has 107 bytes at most: this one is always short.
    path = f"/proc/self/fd/{home}/{name}"
    try:
        while True:
            try:
                return Server(descriptors.rendezvous(path), folder, name)
            except OSError as error:
                if error.errno != EADDRINUSE:
                    raise
            try:
                return Client(descriptors.connected(path))
            except OSError as error:
                if error.errno == ECONNREFUSED:
                    os.unlink(path)  # its server has died
                elif error.errno != ENOENT:  # its server has ended just now
                    raise
    finally:
        os.close(home)
