"""Signals as a readable descriptor, for a process that waits in poll(2).

signal.set_wakeup_fd() over a pipe: signalfd(2) would need the signals blocked, and a blocked signal
stays blocked in every program that is started. The pipe only wakes; what came is noted by the
handlers, so no flood of one signal hides another one.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

CHUNK = 4096
ENDING = (signal.SIGTERM, signal.SIGINT)
DEFAULT = (*ENDING, signal.SIGHUP)


class Signals:
    """From now on *numbers* do nothing but make fileno() readable, until close().

    A SIGINT that is ignored stays so: the shell has it ignored for what runs in the background.
    In a child made by fork all is as it was before, and nothing of the child gets here. Of the
    main thread only, as signal.signal() is.
    """

    def __init__(self, numbers: Iterable[int] = DEFAULT) -> None:
        self._came: set[int] = set()
        self._waiting = False
        self._end, self._begin = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = signal.set_wakeup_fd(self._begin, warn_on_full_buffer=False)
        self._before = {
            number: signal.signal(number, self._note)
            for number in numbers
            if not (number == signal.SIGINT and signal.getsignal(number) == signal.SIG_IGN)
        }
        os.register_at_fork(after_in_child=self.close)

    def __enter__(self) -> Signals:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fileno(self) -> int:
        """Readable when a signal came."""
        return self._end

    def read(self) -> set[int]:
        """The signals since the last call, each once."""
        try:
            while os.read(self._end, CHUNK):
                pass
        except BlockingIOError:
            pass  # all was read; what comes now makes it readable again
        came, self._came = self._came, set()
        return came

    def interruptible(self, work: Callable[[], T]) -> T:
        """Call *work*, which may wait long. Raises KeyboardInterrupt when a signal that ends the
        process came, or comes meanwhile; read() tells of it all the same."""
        self._waiting = True
        try:
            if not self._came.isdisjoint(ENDING):
                raise KeyboardInterrupt
            return work()
        finally:
            self._waiting = False

    def close(self) -> None:
        """The handlers that were there before."""
        if self._end < 0:
            return
        for number, handler in self._before.items():
            # What was not set by Python cannot be set by it: the default then.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._end)
        os.close(self._begin)
        self._end = self._begin = -1

    def _note(self, number: int, _: object) -> None:
        self._came.add(number)
        if self._waiting and number in ENDING:
            raise KeyboardInterrupt
