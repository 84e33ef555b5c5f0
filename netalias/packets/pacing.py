"""Sending of many frames at a rate, without a loss in the queue of a device.

When its queue is full, send(2) gives EAGAIN (the send buffer is used up) or ENOBUFS (the queue has
dropped the frame): then the same frame is sent again once the socket is writable.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT
from errno import EAGAIN, EINTR, ENOBUFS
from select import POLLOUT, poll
from time import monotonic, sleep

from netalias import errors
from netalias.packets import ETH_P_ALL, bind, opened, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Send = Callable[[bytes, int], object]

STALL = 5.0
"""Seconds without a sent frame after which a device is given up."""
PAUSE = 0.001
"""Seconds between two attempts after ENOBUFS, which poll(2) does not report."""
BURST = 128
"""Frames that may be sent at once after a pause: the announcements of 64 IPv4 addresses."""
CLUMP = 32
"""Frames for which wait() waits, so that they are not sent one by one."""


class Bucket:
    """A token bucket: *rate* frames a second, 0 for no limit, and BURST after a pause."""

    __slots__ = ("_clock", "_full", "_rate", "_since")

    def __init__(self, rate: float, clock: Callable[[], float] = monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._since = clock()
        self._full = float(BURST)

    def take(self, wanted: int) -> int:
        """The number of frames, of *wanted*, that may be sent now."""
        if not self._rate:
            return wanted
        now = self._clock()
        self._full = min(BURST, self._full + (now - self._since) * self._rate)
        self._since = now
        taken = min(wanted, int(self._full + 1e-9))  # 1e-9 makes up for rounding
        self._full -= taken
        return taken

    def wait(self, wanted: int) -> float:
        """Seconds until CLUMP of *wanted* frames may be sent."""
        return max(0.0, (min(wanted, CLUMP) - self._full) / self._rate) if self._rate else 0.0


def push(name: str, file: int, send: Send, frames: Iterable[bytes]) -> None:
    """Send each frame over the device *name* with *send*; *file* is the descriptor to poll.

    Raises StateError after STALL seconds without a sent frame, and the errors of packets.refused().
    """
    for frame in frames:
        try:
            send(frame, MSG_DONTWAIT)
        except OSError as error:
            _again(name, file, send, frame, error)


class Attempt:
    """Frames for one device, sent by a program that must not wait: as many as it takes now."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._left: list[bytes] = []
        self._since = 0.0

    @property
    def pending(self) -> bool:
        """Whether frames are left."""
        return bool(self._left)

    def add(self, frames: Iterable[bytes]) -> None:
        """Add frames behind those that are left."""
        if not self._left:
            self._since = self._clock()
        self._left += frames

    def push(self, name: str, send: Send) -> None:
        """Send what the device *name* takes. Raises StateError after STALL seconds without a sent
        frame, and the errors of packets.refused(); what was left is dropped then."""
        at = 0
        try:
            for frame in self._left:
                send(frame, MSG_DONTWAIT)
                at += 1
        except OSError as error:
            now = self._clock()
            self._since = now if at else self._since
            stalled = now - self._since > STALL
            if error.errno not in (EAGAIN, ENOBUFS, EINTR) or stalled:
                self._left = []
                raise (_stalled(name) if stalled else refused(name, error)) from None
        del self._left[:at]


def _stalled(name: str) -> errors.StateError:
    return errors.StateError(f"{name} has accepted no frame for {STALL:.0f} s")


def _again(name: str, file: int, send: Send, frame: bytes, problem: OSError) -> None:
    end = monotonic() + STALL
    while problem.errno in (EAGAIN, ENOBUFS, EINTR):
        if monotonic() > end:
            raise _stalled(name)
        if problem.errno == ENOBUFS:
            sleep(PAUSE)
        ready = poll()
        ready.register(file, POLLOUT)
        ready.poll(STALL * 1000)
        try:
            send(frame, MSG_DONTWAIT)
            return
        except OSError as error:
            problem = error
    raise refused(name, problem)


class Sender:
    """One sending socket for all devices.

    Raises NotPermitted, KernelError.
    """

    def __init__(self) -> None:
        try:
            self._socket = opened()
        except OSError as error:
            raise refused("any device", error) from None

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket, in 12 ms unless a child holds it too (``packets.leave``)."""
        self._socket.close()

    def send(self, name: str, frames: Iterable[bytes]) -> None:
        """Send *frames* over the device with this primary name. Raises as ``push``."""
        push(name, self._socket.fileno(), self._over(name), frames)

    def push(self, name: str, frames: Attempt) -> None:
        """Send of *frames* what the device takes now. Raises as Attempt.push()."""
        frames.push(name, self._over(name))

    def _over(self, name: str) -> Send:
        """A function that sends over the device with this primary name."""
        if not name.isascii():
            try:
                bind(self._socket, name, 0)
            except OSError as error:
                raise refused(name, error) from None
            return self._socket.send
        sendto = self._socket.sendto
        to = name, ETH_P_ALL  # the kernel looks for the protocol in the frame
        return lambda frame, flags: sendto(frame, flags, to)
