"""Files of sections, ``[Section]`` and ``Key=Value``, of systemd and of NetworkManager. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

COMMENTS = ("#", ";")


class Section:
    """A section; ``values`` are its keys and values in order, each with its ``file:line``."""

    __slots__ = ("name", "place", "values")

    def __init__(self, name: str, place: str) -> None:
        self.name = name
        self.place = place
        self.values: list[tuple[str, str, str]] = []

    def all(self, key: str) -> list[tuple[str, str]]:
        """Value and place of each line of *key*."""
        return [(value, place) for one, value, place in self.values if one == key]

    def last(self, key: str, default: str = "") -> str:
        """The value that counts where a key has one."""
        return next((value for one, value, _ in reversed(self.values) if one == key), default)


def sections(text: str, path: str, *, continued: bool = False) -> list[Section]:
    """The sections of a file in order; other lines are passed over.

    With *continued*, a backslash at the end of a line joins the next one (systemd.syntax(7)).
    """
    found: list[Section] = []
    for number, line in _lines(text, continued):
        place = f"{path}:{number}"
        if line.startswith("[") and line.endswith("]"):
            found.append(Section(line[1:-1], place))
            continue
        key, equals, value = line.partition("=")
        if equals and found:
            found[-1].values.append((key.strip(), value.strip(), place))
    return found


def _lines(text: str, continued: bool) -> Iterator[tuple[int, str]]:
    """Number and stripped text of each line that is neither blank nor a comment."""
    parts: list[str] = []
    begin = 0
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if line.startswith(COMMENTS):
            continue
        begin = begin if parts else number
        if continued and line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole = " ".join([*parts, line]).strip()
        parts = []
        if whole:
            yield begin, whole
