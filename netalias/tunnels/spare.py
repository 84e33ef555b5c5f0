"""A process that waits with everything loaded, to be the next data plane at once.

    netalias.tunnels.spare CHANNEL ALIVE [keyed]

A data plane that begins from nothing takes a tenth of a second of its processor, most of it for
Python and the modules: much longer where others want the processor too, and the queues of a tunnel
are short. All that the spare one needs are the descriptors and the words, which it gets as one
message. It ends when nobody has the other end of either descriptor any more.
"""

from __future__ import annotations

import os
import signal
from _socket import SOCK_SEQPACKET
from select import POLLIN, poll

from netalias import errors
from netalias.system import descriptors, interpreter
from netalias.system.process import tell
from netalias.tunnels import plane

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.tunnels.counters import Counters
    from netalias.tunnels.plane import Descriptor

NAME = "netalias.tunnels.spare"
LATE = ("netalias.tunnels.translating",)
KEYED = "keyed"
LATE_KEYED = ("netalias.tunnels.keyed", "netalias.tunnels.noise", "netalias.tunnels.sessions")
"""Modules that a data plane loads while it begins, and those of one with a key."""


class Spare:
    """A process that waits; *alive* is as plane.spawn() takes it, and *keyed* whether it is to be
    one for a tunnel with a key, too. Raises OSError."""

    def __init__(self, alive: int, *, keyed: bool) -> None:
        self.keyed = keyed
        self._channel, its = descriptors.pair(SOCK_SEQPACKET)
        try:
            words = [KEYED] if keyed else []
            self._pid = interpreter.start(NAME, [its.fileno(), alive], words)
            self._pidfd = os.pidfd_open(self._pid)
        except OSError:
            self._channel.close()
            raise
        finally:
            its.close()

    def take(
        self, device: Descriptor, carriage: Descriptor, count: Counters, words: Sequence[str]
    ) -> int:
        """Make it the data plane, even if somebody has stopped it (SIGSTOP); its process id. Raises
        OSError if it has ended."""
        held = [one.fileno() for one in (device, carriage, count)]
        try:
            descriptors.send(self._channel, os.fsencode("\0".join(words)), held)
            tell(self._pidfd, signal.SIGCONT)
        finally:
            self.close()
        return self._pid

    def close(self) -> None:
        """End it, unless it is the data plane."""
        self._channel.close()
        os.close(self._pidfd)


def main(arguments: Sequence[str]) -> int:
    """The process that waits; the exit status of the data plane."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who is at the terminal ends all of them
    channel, alive = descriptors.adopted(int(arguments[0])), int(arguments[1])
    _load(keyed=KEYED in arguments)
    waiting = poll()
    for fileno in (channel.fileno(), alive):
        waiting.register(fileno, POLLIN)
    waiting.poll()
    channel.setblocking(False)
    try:
        message = descriptors.receive(channel)
    except (BlockingIOError, errors.StateError):
        return 0  # the watcher has ended
    finally:
        channel.close()
    if len(message.descriptors) != 3:
        return 0  # it needs none any more
    held = map(str, message.take())
    words = os.fsdecode(message.content).split("\0")
    return plane.main([*held, str(alive), *words])


def _load(*, keyed: bool) -> None:
    for name in (*LATE, *(LATE_KEYED if keyed else ())):
        try:
            __import__(name)
        except ImportError:
            pass  # it is told when it is needed
