"""Names with leading zeros: ``eth0:01`` is ``eth0:1``, but others may have given a label that name.

A slot is a number, so such a label is no alias, and a command that spells its name would change or
delete another one.
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.engine.batch import Command


def padded(word: str) -> str:
    """The name in *word*, ``eth0:01-`` or ``eth0:01-03``, as it is spelled, if its slot has a
    leading zero; else empty."""
    main, _, slots = word.rpartition(":")
    digits = slots.partition("-")[0]
    leading = len(digits) > 1 and digits[0] == "0" and digits.isascii() and digits.isdigit()
    return f"{main}:{digits}" if main and leading else ""


def check(options: Options, words: Sequence[str]) -> None:
    """Raises StateError if a word of a command spells the name of a label of others."""
    names = [name for word in words if (name := padded(word))]
    if not names:
        return
    with options.engine() as engine:
        labels = _labels(engine)
    for name in names:
        if name in labels:
            raise _error(name)


def refuse(engine: Engine, commands: Iterable[Command]) -> None:
    """Give each command that spells such a name its error."""
    found = [(one, name) for one in commands if one.wish and (name := padded(one.words[0]))]
    labels = _labels(engine) if found else frozenset()
    for one, name in found:
        if name in labels:
            one.error = _error(name)


def _labels(engine: Engine) -> frozenset[str]:
    entries = engine.kernel.snapshot().addresses.values()
    return frozenset(entry.label for some in entries for entry in some)


def _error(name: str) -> errors.StateError:
    main, _, slot = name.rpartition(":")
    return errors.StateError(
        f"{name}: a label of others has this name, and a slot is a number",
        f"the alias is {main}:{int(slot)}; ip addr del removes the label",
    )
