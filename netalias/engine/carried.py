"""The tunnels that processes carry now, with their counters and devices; and the end of one."""

from __future__ import annotations

import os
import signal
from errno import EPERM
from time import monotonic, sleep

from netalias import errors
from netalias.runtime import owned
from netalias.runtime import tunnels as record
from netalias.views.tunnels import Standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.runtime.tunnels import Carried

AGREED = "agreed"
"""The one among the counters that counts nothing."""
POLL = 0.01
"""Seconds between two looks."""


def standing(engine: Engine) -> list[Standing]:
    """The tunnels of the namespace, by name. Raises KernelError."""
    folder = owned(engine.runtime.path, engine.setup.cookie or engine.kernel.cookie())
    records = record.carried(folder)
    if not records:
        return []
    snapshot = engine.snapshot()
    found = [(one, task_of(one)) for one in records]
    return [
        Standing(task, one, snapshot.device(one.name), counted(one))
        for one, task in found
        if task is not None
    ]


def task_of(found: Carried) -> Tunnel | None:
    """The task of a record; None for one of another version."""
    from netalias.desired.tasks import read
    from netalias.desired.tunnels import Tunnel

    try:
        task = read(found.line.split())
    except errors.NetaliasError:
        return None
    return task if isinstance(task, Tunnel) else None


def counted(found: Carried) -> dict[str, int] | None:
    """The counters of a record by name; None where they cannot be read."""
    from netalias.tunnels.counters import NAMES

    if found.counters < 0:
        return None
    try:
        file = os.open(f"/proc/{found.pid}/fd/{found.counters}", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        data = os.pread(file, 8 * len(NAMES), 0)
    except OSError:  # no regular file
        return None
    finally:
        os.close(file)
    values = memoryview(data[: len(data) // 8 * 8]).cast("Q")
    return {name: value for name, value in zip(NAMES, values, strict=False) if name != AGREED}


def end(found: Carried, folder: str, seconds: float) -> None:
    """End the process that carries a tunnel, and wait until it has gone. Raises StateError, also if
    it takes more than *seconds*; NotPermitted."""
    try:
        os.kill(found.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        operation = f"{found.name}: end pid {found.pid}"
        raise errors.kernel_error(operation, EPERM) from None
    if not wait(lambda: record.read(folder, found.name) is None, seconds):
        raise errors.StateError(f"{found.name}: pid {found.pid} has not ended in {seconds:g} s")


def wait(true: Callable[[], object], seconds: float) -> bool:
    """Wait until something comes *true*; False after *seconds*."""
    until = monotonic() + seconds
    while not true():
        if monotonic() >= until:
            return False
        sleep(POLL)
    return True
