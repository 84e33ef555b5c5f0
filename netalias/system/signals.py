"""Signals as a readable descriptor, for a process that waits in poll(2).

signal.set_wakeup_fd() over a pipe: signalfd(2) needs the signals blocked, and a blocked signal
stays blocked in every program that is started. The pipe only wakes; handlers note the signals, so a
flood of one does not hide another.
"""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

CHUNK = 4096
DEFAULT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """Handlers that make fileno() readable on signals with these *numbers*, until close().

    An ignored SIGINT stays ignored: the shell sets that for programs in the background. A child
    made by fork(2) has the handlers of before. For the main thread only, as signal.signal() is.
    """

    def __init__(self, numbers: Iterable[int] = DEFAULT) -> None:
        self._came: set[int] = set()
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
        """Readable after a signal."""
        return self._end

    def read(self) -> set[int]:
        """The signals since the last call, each once."""
        try:
            while os.read(self._end, CHUNK):
                pass
        except BlockingIOError:
            pass  # empty; the next signal makes it readable again
        came, self._came = self._came, set()
        return came

    def close(self) -> None:
        """Restore the handlers of before."""
        if self._end < 0:
            return
        for number, handler in self._before.items():
            # None: Python cannot set a handler that was not set by it.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._end)
        os.close(self._begin)
        self._end = self._begin = -1

    def _note(self, number: int, _: object) -> None:
        self._came.add(number)
