"""Words that select several aliases: ranges of slots, and patterns of the shell::

eth0:0-9    those of these slots that are there
eth0:1*     those whose names match
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.model.names import AliasName

WILD = "*?["


def pattern(word: str) -> Callable[[AliasName], bool] | None:
    """Whether a name is one of those that *word* stands for; None for a word that names one."""
    from netalias.model.names import SLOT_MAX, number

    if any(letter in WILD for letter in word):
        from fnmatch import fnmatchcase

        return lambda name: fnmatchcase(name, word)
    main, _, slots = word.partition(":")
    first, dash, last = slots.partition("-")
    low, high = number(first, 5), number(last, 5)
    if not dash or low < 0 or not low <= high <= SLOT_MAX:
        return None
    return lambda name: name.main == main and low <= name.slot <= high
