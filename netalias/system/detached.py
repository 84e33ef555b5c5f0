"""Work in a process that outlives the one that has started it."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SIGNALLED = 128
"""The sum that shells add to the number of the signal that ended a command."""


def detached(work: Callable[[Callable[[], None]], int]) -> int:
    """Call *work* in a child with a session of its own; an exit status.

    The parent returns 0 as soon as the child has called the argument of *work*, or the child's
    status if it ends before. In the child the status is that of the work. Standard input and output
    of the child are /dev/null, its errors go where those of the parent go. Raises OSError.
    """
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        os.close(end)
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(null, stream)
        os.close(null)
        return work(lambda: _tell(begin))
    os.close(begin)
    try:
        if os.read(end, 1):
            return 0
    finally:
        os.close(end)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else SIGNALLED - code


def _tell(begin: int) -> None:
    try:
        os.write(begin, b"+")
    except OSError:
        pass  # the parent has been killed
    os.close(begin)
