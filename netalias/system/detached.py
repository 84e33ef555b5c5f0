"""Work in a process that outlives the one that has started it."""

from __future__ import annotations

import os

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALLED = 128
"""The least status of a command that a signal has ended, as shells have it."""
READY = 0
"""The status of a child that has begun."""


def detached(work: Callable[[Callable[[], None]], int]) -> int:
    """Call *work* in a process with a session of its own; an exit status.

    This process returns 0 as soon as the other one has called the argument of *work*, or its status
    if it ends before. There the status is that of the work. Its standard input and output are
    /dev/null, its errors go where those of this process go. Raises OSError.

    It is a child of init, or of the service manager, before it begins: systemd does not wait for
    the end of a main process that is no child of its own, but sends SIGKILL right after SIGTERM.
    """
    end, begin = os.pipe()
    held, go = os.pipe()
    middle = os.fork()
    if not middle:
        _leave_child()
        os.close(end)
        os.close(go)
        os.read(held, 1)  # the end of the file: the process in the middle has been waited for
        os.close(held)
        return _work(work, begin)
    os.close(begin)
    os.close(held)
    try:
        _, status = os.waitpid(middle, 0)
        os.close(go)
        told = os.read(end, 1)
    finally:
        os.close(end)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        number = os.WEXITSTATUS(status)
        raise OSError(number, os.strerror(number))
    return told[0] if told else SIGNALLED


def _leave_child() -> None:
    """Go on in a child, whose parent ends at once; its status is the errno if there is none."""
    try:
        child = os.fork()
    except OSError as error:
        os._exit(error.errno or errors.STATUS_BUG)
    if child:
        os._exit(0)


def _work(work: Callable[[Callable[[], None]], int], begin: int) -> int:
    """Call *work*; its status, which is told before if it has not begun."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1):
        os.dup2(null, stream)
    os.close(null)
    told: list[int] = []

    def tell(status: int) -> None:
        if told:
            return
        told.append(status)
        try:
            os.write(begin, bytes([status]))
        except OSError:
            pass  # the parent has been killed
        os.close(begin)

    try:
        status = work(lambda: tell(READY))
    except errors.NetaliasError as error:
        tell(error.status)
        raise
    except BaseException:  # a bug, which the caller reports
        tell(errors.STATUS_BUG)
        raise
    tell(status)
    return status


def redirect(keep: set[int]) -> None:
    """Redirect every descriptor not in *keep* to /dev/null. Raises OSError.

    The number of a closed one would be reused, and an object from before the fork(2) that is
    finalised late would close another file.
    """
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    inherited = {int(number) for number in os.listdir("/proc/self/fd")}
    for number in (inherited | {0, 1, 2}) - keep - {null}:
        os.dup2(null, number)
