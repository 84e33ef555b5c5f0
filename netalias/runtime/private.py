"""A runtime directory that nobody else uses: there is nothing to wait for."""

from __future__ import annotations


class PrivateDirectory:
    """In place of a RuntimeDirectory. *path* may be that of a directory whose lock is held already,
    or empty: then nothing is kept."""

    namespace = 0

    def __init__(self, path: str = "") -> None:
        self.path = path

    def acquire(self) -> None:
        """Do nothing."""

    def release(self) -> None:
        """Do nothing."""
