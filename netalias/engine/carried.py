"""Declared lines that are carried out: the tunnels that processes carry now, with their counters
and devices, the end of one, and the lines that lack a device."""

from __future__ import annotations

import os
import signal
from errno import EPERM
from time import monotonic, sleep

from netalias import errors
from netalias.observed.tunnels import faults
from netalias.runtime import owned
from netalias.runtime import tunnels as record
from netalias.views.tunnels import Standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.desired.tasks import Task
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.model import Snapshot
    from netalias.runtime.tunnels import Carried

POLL = 0.01
"""Seconds between two looks."""


def standing(engine: Engine) -> list[Standing]:
    """The tunnels of the namespace, by name. Raises KernelError."""
    folder = owned(engine.runtime.path, engine.setup.cookie or engine.kernel.cookie())
    records = record.carried(folder)
    if not records:
        return []
    from netalias.tunnels.status import read

    snapshot = engine.snapshot()
    found = [(task_of(one), one, read(one.pid, one.counters)) for one in records]
    return [
        Standing(task, one, snapshot.device(one.name), status, faults(task, one, status))
        for task, one, status in found
        if task is not None
    ]


def task_of(found: Carried) -> Tunnel | None:
    """The task of a record; None for one of another version."""
    from netalias.desired.tunnels import tunnel_of

    return tunnel_of(found.line, found.name)


def failing(engine: Engine, tasks: Sequence[Task], only: str = "") -> list[tuple[Task, str]]:
    """The declared tunnels among *tasks* whose packets do not arrive, each with a sentence on the
    fault; with *only*, those that concern this device. Raises KernelError."""
    found = {one.task.text: one.faults for one in standing(engine)} if tasks else {}
    return [
        (task, fault.line)
        for task in tasks
        if only in ("", task.main)
        for fault in found.get(task.text, ())
    ]


def lacking(snapshot: Snapshot, tasks: Iterable[Task], only: str = "") -> list[tuple[Task, str]]:
    """The declared *tasks* that wait for a device to answer, each with a sentence on that; with
    *only*, those that concern this device."""
    return [
        (task, f"{task.title}: there is no device {task.on}")
        for task in tasks
        if task.on and only in ("", task.main, task.on) and snapshot.device(task.on) is None
    ]


def end(found: Carried, folder: str, seconds: float) -> None:
    """End the process that carries a tunnel, and wait until it has gone. Raises StateError, also if
    it takes more than *seconds*; NotPermitted."""
    try:
        process = os.pidfd_open(found.pid)
        try:
            if found.alive:  # else the pid is that of another process by now
                signal.pidfd_send_signal(process, signal.SIGTERM)
        finally:
            os.close(process)
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
