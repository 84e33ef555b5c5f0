"""The lock by which the guard of ``reconcile --confirm`` proves itself (engine/checkpoint.py).

Who owns the runtime directory can write the pid of any process into ``pending``. So a guard holds
flock(2) on ``guard.lock`` as long as it lives: a file behind which nobody holds that is a forgery,
or its guard was killed. The lock file is never removed and never written to.
"""

from __future__ import annotations

import os
from errno import EAGAIN
from fcntl import LOCK_NB, LOCK_SH, flock

from netalias.runtime import check_regular, opened_file

LOCK = "guard.lock"
WAIT = 1.0
"""Seconds for a reader, or a dying guard, to release the lock."""
OPTION = b"--confirm"
"""The option in the command line of a guard, which is that of its command."""


def hold(folder: str) -> None:
    """Hold the lock until this process ends, or closes all files. Waits up to WAIT seconds for
    readers, who hold it for a moment. Raises StateError."""
    from time import monotonic, sleep

    from netalias import errors
    from netalias.runtime.instance import POLL, give, locked, opened_lock

    path = f"{folder}/{LOCK}"
    try:
        file = opened_lock(folder, LOCK)
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None
    give(file, folder, path)
    end = monotonic() + WAIT
    while not locked(file, path):
        if monotonic() >= end:
            raise errors.StateError(f"{path}: another process holds it")
        sleep(POLL)


def is_guard(folder: str, pid: int) -> bool:
    """Whether the process *pid* is a guard of the runtime directory *folder*: it, or another one
    that belongs there, holds the lock. One that version 0.4 has started has no lock, but the words
    of its command."""
    return _is_held(folder) or _of_former_version(pid)


def _is_held(folder: str) -> bool:
    """Whether somebody holds the lock; True where this user may not look."""
    try:
        file = opened_file(folder, LOCK)
    except PermissionError:
        return True
    except OSError:
        return False  # none, or something else in its place
    try:
        check_regular(file, LOCK)
        flock(file, LOCK_SH | LOCK_NB)  # readers do not take each other for a guard
    except OSError as error:
        return error.errno == EAGAIN
    finally:
        os.close(file)
    return False


def _of_former_version(pid: int) -> bool:
    """Whether a process has the words of ``reconcile --confirm`` (proc_pid_cmdline(5))."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return any(word.partition(b"=")[0] == OPTION for word in words)
