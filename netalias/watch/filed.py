"""A service record in a file."""

from __future__ import annotations

from netalias.record.file import RecordFile
from netalias.views import json
from netalias.views.record import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.record import Record


def as_json(record: Record) -> bytes:
    """The record as a line of JSON."""
    return json.line(fields(record)).encode()


class Filed:
    """The output of records.py that is the file at *path*; there is none while the device is away.
    *rendered* gives its content."""

    def __init__(self, path: str, rendered: Callable[[Record], bytes] = as_json) -> None:
        self._file = RecordFile(path)
        self._rendered = rendered

    def stands(self) -> bool:
        """Whether the file is as it was written. Raises StateError."""
        return self._file.stands()

    def put(self, record: Record | None) -> None:
        """Replace the file, or remove it. Raises StateError."""
        if record is None:
            self._file.withdraw()
        else:
            self._file.put(self._rendered(record))

    def files(self) -> list[str]:
        """The path."""
        return [self._file.path]
