"""Records of which each has a file of its own in the runtime directory: NAME and a suffix."""

from __future__ import annotations

import os

from netalias import errors
from netalias.runtime import remove_file


def names(folder: str, suffix: str) -> list[str]:
    """The names of the records in *folder*, sorted; none in an empty name or a missing folder."""
    try:
        files = sorted(os.listdir(folder)) if folder else []
    except OSError:
        return []
    return [file.removesuffix(suffix) for file in files if file.endswith(suffix)]


def remove(path: str) -> None:
    """Remove a record, if there is one. Raises StateError."""
    try:
        remove_file(path)
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None
