"""A parcel of descriptors and state that goes from one process to another, after user-ppp.

::

    sender                                    receiver
      version, descriptors, end of a channel ->   over a rendezvous, or a socket that was sent
                     <- pid                       its number by the word of the kernel
      (lock files get that pid)
      !, state                               ->
                     <- +                         or -, and why not
      (descriptors are closed)

Both have the descriptors for a while, and one of them uses them: the sender stops before it offers,
the receiver begins when it has acknowledged. If one dies, or does not answer in time, the parcel is
where it was: the sender has closed nothing, and goes on. The two never disagree, since the kernel
decides: a sender that gives up shuts down its side of the channel first, and looks then whether an
acknowledgement is there already. After that the receiver cannot send one (EPIPE), and closes all.

The version is that of the layouts (spec.py); the release stands beside it for people.
"""

from __future__ import annotations

import os
from _socket import MSG_NOSIGNAL, SHUT_RD, SO_PEERCRED, SOL_SOCKET
from select import POLLIN, poll
from sys import byteorder
from time import monotonic, sleep

from netalias import errors
from netalias.links import spec
from netalias.system import descriptors
from netalias.system.process import is_stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Collection, Iterable, Sequence
    from typing import Any

    from netalias.system.descriptors import Message

PATIENCE = 10.0
"""Seconds that each side waits for the other's next word."""
DRAIN = 5.0
"""Seconds that the sender waits for its own output to be written."""
POLL = 0.005
"""Seconds between two looks at its output."""
SLICE = 1.0
"""Seconds after which somebody who waits does what else is due."""
WORD_MAX = 1024
"""Bytes of an acknowledgement, or of the reason against it."""
VERSION_MAX = 64
"""Characters of a version that are told."""
STATE_MAX = 16 << 20
"""Bytes of a state; a longer one is refused, not read."""
GO, YES, NO, ASK, NONE = b"!", b"+", b"-", b"give ", b"no "
LENGTH = 4
"""Bytes of the length before a state."""


class Kept(errors.StateError):
    """The parcel is still the sender's."""


class Refused(errors.StateError):
    """Nothing was taken; all that came is closed."""


class Parcel:
    """The contents of a hand-over: descriptors with their roles, and a state of *kind* (spec.HEAD).

    ``descriptors[0]`` is the link itself. *locks* are the roles of files that hold the pid of their
    owner. ``drained`` says whether all output of the sender is written.
    """

    def __init__(
        self,
        kind: str,
        roles: Sequence[str],
        filenos: Sequence[int],
        body: bytes,
        *,
        locks: Collection[str] = (),
        drained: Callable[[], bool] = lambda: True,
    ) -> None:
        self.kind = kind
        self.roles = [*roles]
        self.descriptors = [*filenos]
        self.body = body
        self.drained = drained
        self._locks = [
            one for role, one in zip(self.roles, self.descriptors, strict=True) if role in locks
        ]

    def belongs_to(self, pid: int) -> None:
        """Write the pid of the owner into the lock files. The lock itself is that of the open file
        (flock(2)), and goes with the descriptor. Raises OSError."""
        for one in self._locks:
            os.ftruncate(one, os.pwrite(one, b"%10d\n" % pid, 0))

    def packed(self) -> bytes:
        """The go-ahead with the state behind it."""
        content = {"kind": self.kind, "roles": self.roles, "body": self.body}
        state: bytes = spec.HEAD.build(content)
        return GO + len(state).to_bytes(LENGTH, "big") + state


def version(release: str, layouts: dict[str, Any] | None = None) -> bytes:
    """The version of a program of this release: ``netalias RELEASE LAYOUT``."""
    known = spec.LAYOUTS if layouts is None else layouts
    return f"netalias {release} {spec.fingerprint(known)}".encode()


def differs(mine: bytes, other: bytes) -> str:
    """The reason why nothing can change hands between these versions; empty if it can."""
    if mine.split()[-1:] == other.split()[-1:] and other.startswith(b"netalias "):
        return ""
    words = [one.decode("ascii", "backslashreplace")[:VERSION_MAX] for one in (mine, other)]
    return f"this is {words[0]}, the other one is {words[1] or 'nothing that is known'}"


# The sender


def give(
    through: socket,
    parcel: Parcel,
    mine: bytes,
    *,
    patience: float = PATIENCE,
    meanwhile: Callable[[], object] = lambda: None,
    unless: Iterable[int] = (),
) -> tuple[int, socket]:
    """Offer a parcel through a socket: the pid of the process that has it now, and the channel,
    whose end tells that process that the sender has finished.

    The caller's descriptors stay open: it closes them. *meanwhile* is called every second, and the
    offer is withdrawn if one of the descriptors *unless* becomes readable, or if somebody has
    stopped the receiver (SIGSTOP). Raises Kept.
    """
    _drain(parcel, meanwhile)
    near, far = descriptors.pair()
    try:
        first, *others = parcel.descriptors
        try:
            through.settimeout(patience)
            descriptors.send(through, mine + b"\0", [first, far.fileno(), *others])
        finally:
            far.close()  # so the death of the receiver is the end of the channel
        wait = _Wait(near, patience, meanwhile, unless)
        wait.pid = _peer(through)
        wait.pid = pid = _named(wait.message(WORD_MAX))
        parcel.belongs_to(pid)
        wait.sent(parcel.packed())
        _told(wait.message(WORD_MAX))
        return pid, near
    except (OSError, errors.StateError) as error:
        last = _last_word(near)
        if last.startswith(YES):
            return pid, near
        near.close()
        parcel.belongs_to(os.getpid())
        why = _reason(last) if last.startswith(NO) else _text(error)
        raise Kept(f"not handed over: {why}") from None
    except BaseException:
        near.close()
        raise


def _drain(parcel: Parcel, meanwhile: Callable[[], object]) -> None:
    """Wait for the sender's own output. Raises Kept."""
    end = monotonic() + DRAIN
    while not parcel.drained():
        if monotonic() >= end:
            raise Kept("not handed over: its output is not written")
        meanwhile()
        sleep(POLL)


class _Wait:
    """Words of the other side, each within *patience* seconds; ``pid`` is its process, 0 if that is
    unknown."""

    def __init__(
        self,
        channel: socket,
        patience: float,
        meanwhile: Callable[[], object] = lambda: None,
        unless: Iterable[int] = (),
    ) -> None:
        self.pid = 0
        self._channel = channel
        self._patience = patience
        self._meanwhile = meanwhile
        self._poll = poll()
        self._poll.register(channel, POLLIN)
        self._unless = set(unless)
        for one in self._unless:
            self._poll.register(one, POLLIN)

    def message(self, size: int) -> Message:
        """The next one. Raises Kept at the end of the channel, OSError."""
        end = monotonic() + self._patience
        while True:
            left = end - monotonic()
            ready = {one for one, _ in self._poll.poll(max(0.0, min(left, SLICE)) * 1000)}
            if ready & self._unless:
                raise Kept("there is something else to do")
            if ready:
                found = descriptors.receive(self._channel, size)
                if not found.content:
                    raise Kept("the other process has ended")
                return found
            if left <= 0:
                raise Kept(f"no answer within {self._patience:g} s")
            if self.pid > 0 and is_stopped(self.pid):
                raise Kept(f"somebody has stopped the other process (pid {self.pid})")
            self._meanwhile()

    def sent(self, content: bytes) -> None:
        """Send all of it. Raises OSError."""
        self._channel.settimeout(self._patience)
        self._channel.sendall(content, MSG_NOSIGNAL)


def _peer(through: socket) -> int:
    """The process that has made the other end of a socket, 0 if it is unknown (SO_PEERCRED)."""
    ucred = through.getsockopt(SOL_SOCKET, SO_PEERCRED, descriptors.UCRED)
    return int.from_bytes(ucred[:4], byteorder, signed=True)


def _named(message: Message) -> int:
    """The pid of the receiver. Raises Kept where it is another user's, or refuses."""
    with message:
        if message.content.startswith(NO):
            raise Kept(_reason(message.content))
        if not message.trusted:
            raise Kept(f"the receiver is pid {message.pid} of user {message.uid}")
        return message.pid


def _told(message: Message) -> None:
    """Look at the acknowledgement. Raises Kept for anything else."""
    with message:
        if not message.content.startswith(YES):
            raise Kept(_reason(message.content))


def _reason(content: bytes) -> str:
    return content[1:].decode("utf-8", "backslashreplace") or "refused"


def _last_word(near: socket) -> bytes:
    """The last word of the receiver before the sender gave up; afterwards it can say nothing."""
    try:
        near.shutdown(SHUT_RD)
        near.setblocking(False)
        with descriptors.receive(near, WORD_MAX) as message:
            return message.content
    except (OSError, errors.StateError):
        return b""


def _text(error: OSError | errors.StateError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)


# The receiver


class Taken:
    """A parcel that has come, until accept() still the sender's; closed when its ``with`` block
    ends, but for the descriptors that were taken."""

    def __init__(self, head: Any, filenos: list[int], channel: socket, pid: int) -> None:
        self.kind = str(head.kind)
        self.body: bytes = head.body
        self.pid = pid
        self._roles = [str(one) for one in head.roles]
        self._filenos = filenos
        self._channel = channel

    def __enter__(self) -> Taken:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what nobody has taken, and the channel: unless it was accepted, the sender keeps
        the parcel."""
        left, self._filenos, self._roles = self._filenos, [], []
        descriptors.close(left)
        self._channel.close()

    def fileno(self, role: str) -> int:
        """The descriptor with a role, which stays that of the parcel; -1 for none."""
        return self._filenos[self._roles.index(role)] if role in self._roles else -1

    def take(self, role: str) -> int:
        """The descriptor with a role, which is the caller's from now on; -1 for none."""
        if role not in self._roles:
            return -1
        place = self._roles.index(role)
        del self._roles[place]
        return self._filenos.pop(place)

    @property
    def roles(self) -> list[str]:
        """Those of the descriptors that nobody has taken yet."""
        return [*self._roles]

    def accept(self) -> None:
        """Acknowledge: from now on the parcel is the receiver's. Raises Refused if the sender has
        taken it back."""
        try:
            self._channel.send(YES, MSG_NOSIGNAL)
        except OSError:
            raise Refused("the process that has offered it goes on with it, or has ended") from None

    def refuse(self, reason: str) -> None:
        """Tell why not, and close all."""
        _refuse(self._channel, reason)
        self.close()

    def finished(self, patience: float = PATIENCE) -> None:
        """Wait until the sender has finished: the channel ends then."""
        try:
            _Wait(self._channel, patience).message(WORD_MAX)
        except (OSError, errors.StateError):
            pass


def take(message: Message, mine: bytes, *, patience: float = PATIENCE) -> Taken:
    """The parcel that a message offers, with the state. Raises Refused, and then everything that
    came with the message is closed."""
    with message:
        if not message.trusted:
            raise Refused(f"an offer of pid {message.pid}, user {message.uid}: not taken")
        filenos = message.descriptors
        if len(filenos) < 2:
            raise Refused(f"an offer with {len(filenos)} descriptors: there are at least two")
        try:
            channel = descriptors.adopted(filenos.pop(1))
        except OSError:
            raise Refused("an offer whose channel is no socket") from None
        try:
            why = differs(mine, message.content.partition(b"\0")[0])
            if why:
                raise Refused(why)
            head = _state(channel, patience)
            if len(head.roles) != len(filenos):
                raise Refused(f"{len(filenos)} descriptors for {len(head.roles)} roles")
        except (OSError, errors.StateError) as error:
            why = _text(error)
            _refuse(channel, why)
            channel.close()
            raise Refused(f"nothing is taken over: {why}") from None
        except BaseException:
            channel.close()
            raise
        return Taken(head, message.take(), channel, message.pid)


def _state(channel: socket, patience: float) -> Any:
    """Tell the pid, and read the state behind the go-ahead. Raises StateError, OSError."""
    descriptors.send(channel, b"%d\n" % os.getpid())
    wait, content, size = _Wait(channel, patience), b"", len(GO) + LENGTH
    while len(content) < size:
        with wait.message(min(size - len(content), descriptors.DATAGRAM)) as part:
            content += part.content
        if not content.startswith(GO):
            raise Refused("the sender says something else than the go-ahead")
        if size == len(content) == len(GO) + LENGTH:
            size += int.from_bytes(content[len(GO) :], "big")
            if size > STATE_MAX:
                raise Refused(f"a state of {size} bytes")
    try:
        return spec.HEAD.parse(content[len(GO) + LENGTH :])
    except (spec.FailedLayout, UnicodeError) as error:
        raise Refused(f"the state is malformed: {str(error).splitlines()[0]}") from None


def _refuse(channel: socket, reason: str) -> None:
    try:
        channel.setblocking(False)
        channel.send(NO + reason.encode("utf-8", "backslashreplace")[: WORD_MAX - 1], MSG_NOSIGNAL)
    except OSError:
        pass  # the other side has ended, or has given up


# A receiver that asks


def ask(through: socket, mine: bytes, *, patience: float = PATIENCE) -> Message:
    """Ask the process behind a rendezvous for its parcel; its offer, for take().

    Raises Refused if it declines, or does not answer.
    """
    near, far = descriptors.packets()
    try:
        try:
            through.settimeout(patience)
            descriptors.send(through, ASK + mine + b"\0", [far.fileno()])
        finally:
            far.close()
        found = _Wait(near, patience).message(descriptors.DATAGRAM)
    except (OSError, errors.StateError) as error:
        raise Refused(f"nothing is taken over: {_text(error)}") from None
    finally:
        near.close()
    if found.content.startswith(NONE):
        with found:
            raise Refused(found.content[len(NONE) :].decode("utf-8", "backslashreplace"))
    return found


def asked(message: Message, mine: bytes) -> socket | None:
    """The socket through which to give() what a message asks for; None if it asks for nothing, or
    may not. The message is closed."""
    with message:
        if not (message.content.startswith(ASK) and message.trusted and message.descriptors):
            return None
        try:
            reply = descriptors.adopted(message.descriptors.pop(0))
        except OSError:
            return None
        why = differs(mine, message.content[len(ASK) :].partition(b"\0")[0])
        if why:
            decline(reply, why)
            return None
        return reply


def decline(reply: socket, reason: str) -> None:
    """Tell one who has asked why there is no parcel; the socket is closed."""
    try:
        reply.setblocking(False)
        descriptors.send(reply, NONE + reason.encode("utf-8", "backslashreplace")[:WORD_MAX])
    except OSError:
        pass  # it has ended
    reply.close()
