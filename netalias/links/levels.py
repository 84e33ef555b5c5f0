"""Levels of the log, after ``set log`` of user-ppp: each is on or off by itself. Pure.

Warnings and errors are no levels: they cannot be turned off.
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PHYSICAL, SYNC, DEBUG, PHASE = "physical", "sync", "debug", "phase"
LEVELS = {
    PHYSICAL: "the bytes that are read and written at the descriptor",
    SYNC: "the packets of the device, without what marks them in a stream",
    DEBUG: "protocols as they are put on and taken off, and the messages of links",
    PHASE: "the phases of a link",
}
USUAL = frozenset({PHASE})
UNMASKED = ("warning", "error", "alert")
COLUMNS = 16
"""Bytes in a line of hex."""


def parse(words: str, before: frozenset[str] = USUAL) -> frozenset[str]:
    """The levels after ``[+|-]LEVEL...``, parted by blanks or commas: a word without a sign begins
    with none. Raises UsageError."""
    found = words.replace(",", " ").split()
    levels = set(before) if all(word[0] in "+-" for word in found) else set()
    for word in found:
        name = word.lstrip("+-").lower()
        if name not in LEVELS:
            raise _unknown(word, name)
        (levels.discard if word[0] == "-" else levels.add)(name)
    return frozenset(levels)


def _unknown(word: str, name: str) -> errors.UsageError:
    if name in UNMASKED:
        return errors.UsageError(f"--log {word}: it cannot be turned off, or on")
    return errors.UsageError(f"--log {word}: there is no such level", f"of {', '.join(LEVELS)}")


class Log:
    """Lines of one link, with ``name`` in front; *say* takes the level and the line. The name of a
    link of a bundle ends with its device, which is not named twice."""

    __slots__ = ("_device", "_say", "levels", "name")

    def __init__(
        self, say: Callable[[str, str], object], name: str, levels: frozenset[str] = USUAL
    ) -> None:
        self._say = say
        self.name = name
        self._device = f"{name.partition(': ')[2]}: "
        self.levels = levels

    def note(self, level: str, text: str) -> None:
        """A line of a level, if it is on."""
        if level in self.levels:
            self._say(level, f"{self.name}: {text}")

    def warning(self, text: str) -> None:
        """A line that cannot be turned off."""
        self._say("warning", f"{self.name}: {text.removeprefix(self._device)}")

    def dump(self, level: str, text: str, data: bytes | bytearray | memoryview) -> None:
        """*text* and then *data* in hex, if the level is on."""
        if level not in self.levels:
            return
        self._say(level, f"{self.name}: {text}, {len(data)} bytes")
        for begin in range(0, len(data), COLUMNS):
            self._say(level, f"{self.name}:  {bytes(data[begin : begin + COLUMNS]).hex(' ')}")
