"""The lock of the file of a service record: one command at a time keeps it.

It is a flock(2) of a file beside it, since the file itself is another one after each change. Nobody
else may open that, and so nobody else can hold it.
"""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, flock

from netalias import errors

FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
OWN = 0o600


class Lock:
    """The lock of the file at *path*, until close() or the end of the process. Raises StateError if
    another process has it."""

    def __init__(self, path: str) -> None:
        folder, name = os.path.split(path)
        self._path = f"{folder}/.{name}.lock"
        try:
            self._file = self._taken()
        except BlockingIOError:
            raise errors.StateError(f"{path}: another netalias keeps this file") from None
        except OSError as error:
            raise errors.StateError(f"{self._path}: {error.strerror}") from None

    def close(self) -> None:
        """Remove the lock. Whoever has opened it meanwhile finds that out."""
        try:
            os.unlink(self._path)
        except OSError:
            pass  # it is not ours to remove any more, and of no use to others
        os.close(self._file)

    def _taken(self) -> int:
        """The descriptor of the lock. Raises BlockingIOError if another process has it, OSError."""
        while True:
            file = os.open(self._path, FLAGS, OWN)
            try:
                flock(file, LOCK_EX | LOCK_NB)
                if os.path.samestat(os.fstat(file), os.lstat(self._path)):
                    return file
            except FileNotFoundError:
                pass
            except BaseException:  # a signal too: nobody else would close it
                os.close(file)
                raise
            os.close(file)  # the one who had it has removed it
