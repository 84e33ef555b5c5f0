"""A runtime directory without a lock, for an engine that has no competitor."""

from __future__ import annotations


class PrivateDirectory:
    """A substitute for RuntimeDirectory. *path* is a directory whose lock is held already, or empty
    to save nothing."""

    namespace = 0
    unsettled = False
    cookie = 0

    def __init__(self, path: str = "") -> None:
        self.path = path

    def acquire(self, cookie: int = 0) -> None:
        """Look for a record that is not settled."""
        if self.path:
            from netalias.runtime import unsettled

            self.unsettled = unsettled(self.path)

    def forget(self) -> None:
        """Forget the fingerprint."""
        if self.path:
            from netalias.runtime import FINGERPRINT, remove_file

            remove_file(self.path + FINGERPRINT)

    def release(self) -> None:
        """Do nothing."""
