"""Signals that end the monitor, and its scripts with it."""

from __future__ import annotations

import os
from signal import (
    SIG_BLOCK,
    SIG_DFL,
    SIG_IGN,
    SIG_SETMASK,
    SIGHUP,
    SIGINT,
    SIGTERM,
    getsignal,
    pthread_sigmask,
    raise_signal,
    set_wakeup_fd,
    signal,
)

ENDING = (SIGTERM, SIGINT, SIGHUP)


class Ending:
    """Until close(), SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does.

    Afterwards those that came have their usual effect. An ignored signal stays ignored: nohup(1)
    has SIGHUP ignored. fileno() is readable after a signal: poll(2) would miss one that comes just
    before it.
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._mask = pthread_sigmask(SIG_BLOCK, ())
        self._end, self._begin = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup = set_wakeup_fd(self._begin, warn_on_full_buffer=False)
        self._before = {
            number: signal(number, self._note) for number in ENDING if getsignal(number) != SIG_IGN
        }

    def fileno(self) -> int:
        """Readable after a signal."""
        return self._end

    def hold(self) -> None:
        """Let no signal interrupt what follows, until close()."""
        pthread_sigmask(SIG_BLOCK, ENDING)

    def close(self) -> None:
        """Restore the handlers of before; SIGTERM and SIGHUP that came end the process."""
        for number, handler in self._before.items():
            # None: Python cannot set a handler that was not set by it.
            signal(number, SIG_DFL if handler is None else handler)
        set_wakeup_fd(self._wakeup)
        os.close(self._end)
        os.close(self._begin)
        pthread_sigmask(SIG_SETMASK, self._mask)
        for came in self._came:
            if came != SIGINT:
                raise_signal(came)

    def _note(self, number: int, _: object) -> None:
        self._came.append(number)
        raise KeyboardInterrupt
