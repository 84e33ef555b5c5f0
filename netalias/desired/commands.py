"""Commands for many aliases: ranges of slots, and several names to delete::

eth0:10-13 10.30.0.1-4/32       one wish for each slot, as in a line of a file
eth0:10-13 down
eth0:10-13-                     deletions
eth0:1- eth0:4- eth1:2-5-
"""

from __future__ import annotations

from netalias import desired, errors
from netalias.desired import declarations, ranges
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.desired import Wish
    from netalias.families import Registry


def is_many(words: Sequence[str]) -> bool:
    """Whether a command is for a range of slots, or deletes what further words name."""
    slot = words[0].partition(":")[2]
    return "-" in slot[:-1] or (slot[-1:] == "-" and len(words) > 1)


def _deletes(word: str) -> bool:
    """Whether *word* has the form ``NAME-``."""
    return ":" in word and word.endswith("-")


def parse(words: Sequence[str], registry: Registry) -> list[Wish]:
    """The wishes of the words of a command. Raises UsageError, FamilyError."""
    if _deletes(words[0]):
        mains = {word.partition(":")[0] for word in words if _deletes(word)}
        ignored = [word for word in words if not _deletes(word)]
        for word in ignored:
            if ":" in word and word.partition(":")[0] in mains:
                raise errors.UsageError(f"{word}: not a deletion", f"{words[0]} is one")
        mentioned = (word[:-1] for word in words if _deletes(word))
        names = dict.fromkeys(name for word in mentioned for name in _named(word))
        return [desired.parse([f"{name}-", *ignored], registry) for name in names]
    if declarations.address_at(words)[0]:
        return _with_addresses(words, registry)
    return [desired.parse([name, *words[1:]], registry) for name in _named(words[0])]


def _named(word: str) -> list[AliasName]:
    """The names that ``eth0:10`` or ``eth0:10-13`` stands for. Raises BadName."""
    main, slots = ranges.slots(word)
    return [AliasName(main, slot) for slot in slots]


def _with_addresses(words: Sequence[str], registry: Registry) -> list[Wish]:
    """The wishes of a line of a file with these words."""
    found = declarations.parse([("", " ".join(words))], registry)
    if found.errors:
        raise errors.UsageError(found.errors[0].partition(": ")[2])
    return [wish for wish, _ in found]
