"""The line ``alias``: whether any former address is translated.

::

    line = "alias" ( "enable" | "disable" )

Translation is enabled unless a line disables it. No address is kept without it: where it is
disabled a line that keeps addresses is refused, and those that were kept are no longer translated;
they stay until their time ends. The words are user-ppp's, where nothing was kept without NAT.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.lines import at_word
from netalias.desired.tasks import Task

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

KEYWORD = "alias"
ENABLE, DISABLE = "enable", "disable"
MODES = (ENABLE, DISABLE)


class Switch(Task):
    """The line, of which all files have one at most."""

    keyword = KEYWORD
    watched = False

    def __init__(self, mode: str) -> None:
        super().__init__("")
        self.mode = mode

    @property
    def title(self) -> str:
        """``alias``."""
        return KEYWORD

    def words(self) -> list[str]:
        """``alias disable``."""
        return [KEYWORD, self.mode]

    def fields(self) -> dict[str, object]:
        """The JSON object, without the place."""
        return {KEYWORD: self.mode}


def disabling(tasks: Iterable[Task]) -> Switch | None:
    """The line that disables translation, None without one."""
    found = (one for one in tasks if isinstance(one, Switch) and one.mode == DISABLE)
    return next(found, None)


def refusal(title: str, place: str = "") -> errors.StateError:
    """The error for a line *title* that keeps addresses where nothing is translated."""
    where = f" ({place})" if place else ""
    return errors.StateError(
        f"{title}: no address is kept without translation: {KEYWORD} {DISABLE}{where}",
        f"{KEYWORD} {ENABLE}, or no such line",
    )


def read(words: list[str]) -> Switch:
    """The task of a line. Raises UsageError."""
    if len(words) != 2 or words[1] not in MODES:
        at = min(len(words) - 1, 2 if words[1:2] and words[1] in MODES else 1)
        text = f"{' '.join(words)}: either {ENABLE} or {DISABLE} is needed"
        raise at_word(at, errors.UsageError(text, f"{KEYWORD} {DISABLE}"))
    return Switch(words[1])
