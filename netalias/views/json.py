"""JSON with the field names of iproute2: one array, one object an alias; one object a line."""

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render(objects: Sequence[dict[str, object]], *, pretty: bool) -> str:
    """The array as text with a newline at its end."""
    return json.dumps(objects, indent=4 if pretty else None) + "\n"


def line(fields: dict[str, object]) -> str:
    """One object as one line."""
    return json.dumps(fields) + "\n"
