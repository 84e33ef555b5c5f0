"""JSON output: an array with one object for each alias, or one object a line."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render(objects: Sequence[dict[str, object]], *, pretty: bool) -> str:
    """The objects as a JSON array, with a newline at the end."""
    return json.dumps(objects, indent=4 if pretty else None) + "\n"


def parsed(text: str) -> list[dict[str, object]]:
    """The objects of a JSON array, the inverse of render()."""
    found: list[dict[str, object]] = json.loads(text)
    return found


def read(text: bytes) -> dict[str, object]:
    """The object of a line, the inverse of line(). Raises ValueError."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError("an object is needed")
    return found


def line(fields: dict[str, object]) -> str:
    """One JSON object as a line."""
    return json.dumps(fields) + "\n"
