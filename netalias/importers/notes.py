"""Notes on what the lines do not say, and their order. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Lesser(str):
    """A note on what an alias that is imported loses: an option, or its name. All others are about
    addresses that are left out, files that are not read, and commands that nobody runs any more."""

    __slots__ = ()


def worst_first(notes: Iterable[str]) -> list[str]:
    """The notes with the lesser ones last; otherwise in their order."""
    return sorted(notes, key=lambda note: isinstance(note, Lesser))
