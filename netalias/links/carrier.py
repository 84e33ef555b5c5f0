"""Waiting for the carrier of a device, and losing it, after ``set cd`` of user-ppp. Pure.

Times are seconds of any clock that does not go back. The device is looked at once a second.
"""

from __future__ import annotations

from netalias import errors
from netalias.links.devices import EXEC, GENERIC, LINK, TCP, TTY, UDP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

POLL = 1.0
"""Seconds between two looks."""
SECONDS_MAX = 86400

WAITING: Final = "waiting"
ON: Final = "on"
UNCHECKED: Final = "unchecked"
MISSING: Final = "missing"
LOST: Final = "lost"
"""The five states of a Carrier: it is waited for; there; not looked at any more; it did not come
although it was required; it went."""
GOOD = (ON, UNCHECKED)


class Wish:
    """A carrier is awaited for so many ``seconds``, 0 for not at all; ``required``: the link is
    given up without one."""

    __slots__ = ("required", "seconds")

    def __init__(self, seconds: int, *, required: bool) -> None:
        self.seconds = seconds
        self.required = required

    def __str__(self) -> str:
        return f"{self.seconds}{'!' if self.required else ''}" if self.seconds else "off"


OFF = Wish(0, required=False)
DEFAULTS = {
    TCP: OFF, UDP: OFF, EXEC: OFF, GENERIC: OFF,
    TTY: Wish(1, required=False), LINK: Wish(6, required=True),
}  # fmt: skip
"""Kind of device: what is awaited unless something else is asked for."""
WITHOUT = (TCP, UDP)
"""Kinds for which nothing can be asked for."""


def parse(word: str) -> Wish | None:
    """The wish that ``off``, ``SECS`` or ``SECS!`` means; None for an empty word: the default of
    the device. Raises UsageError."""
    if not word:
        return None
    if word == "off":
        return OFF
    digits = word.removesuffix("!")
    if not (digits.isascii() and digits.isdecimal() and 0 < int(digits[:6]) <= SECONDS_MAX):
        raise errors.UsageError(
            f"--cd {word}: off, or seconds from 1 to {SECONDS_MAX}, with '!' if it is required"
        )
    return Wish(int(digits[:6]), required=word.endswith("!"))


def granted(kind: str, asked: Wish | None) -> tuple[Wish, str]:
    """The wish that a device of *kind* grants, and a warning, empty for none."""
    usual = DEFAULTS[kind]
    if asked is None:
        return usual, ""
    if kind in WITHOUT:
        return OFF, "Carrier settings ignored"
    if kind == LINK and not asked.seconds:
        return usual, f"Carrier must be set, using --cd {usual}"
    if kind == LINK:
        return Wish(asked.seconds, required=True), ""
    return asked, ""


class Carrier:
    """The carrier of one device from *now* on, with the *wish* for it.

    ``asked``: the wish is that of the user, and not the default of the device.
    """

    __slots__ = ("asked", "began", "checked", "level", "state", "wish")

    def __init__(self, wish: Wish, now: float, *, asked: bool = False) -> None:
        self.wish = wish
        self.asked = asked
        self.began = now
        self.checked = now
        """The time of the next look."""
        self.level: bool | None = None
        """The last one that was seen."""
        self.state = WAITING if wish.seconds else UNCHECKED

    @property
    def good(self) -> bool:
        """Whether the link may go on."""
        return self.state in GOOD

    def due(self, now: float) -> float | None:
        """Seconds until the next look; None for never."""
        return max(0.0, self.checked - now) if self.state in (WAITING, ON) else None

    def look(self, now: float, level: bool | None) -> str:
        """Note the *level* of the carrier, None for a device that has no such line; a sentence
        about it, empty for none."""
        self.checked = now + POLL
        before, self.level = self.level, level
        if self.state not in (WAITING, ON):
            return ""
        if level is None:
            self.state = UNCHECKED
            return "the device has no carrier to look at" if self.asked else ""
        if level:
            self.state = ON
            return "" if before else "Carrier detected"
        if self.state == ON:
            self.state = LOST
            return "Carrier lost"
        if now < self.began + self.wish.seconds:
            return ""
        self.state = MISSING if self.wish.required else UNCHECKED
        return "Required CD not detected" if self.wish.required else "doesn't support CD"
