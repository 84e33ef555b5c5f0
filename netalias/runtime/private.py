"""A runtime directory without a lock, for an engine that has no competitor."""

from __future__ import annotations


class PrivateDirectory:
    """A substitute for RuntimeDirectory. *path* is a directory whose lock is held already, or empty
    to save nothing."""

    namespace = 0

    def __init__(self, path: str = "") -> None:
        self.path = path

    def acquire(self, cookie: int = 0) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""
