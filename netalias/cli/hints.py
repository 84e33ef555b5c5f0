"""Hints at the command that somebody may have meant."""

from __future__ import annotations

from netalias import errors
from netalias.model.names import split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.observed import Observed


def no_address(word: str, observed: Observed) -> errors.BadAddress:
    """The error for a word that is no address of a type that is told by its form."""
    named = observed.snapshot.device(word) or split(word) in observed.by_name
    hint = f"netalias show {word}" if named else ""
    return errors.BadAddress(f"{word}: neither an IPv4 nor an IPv6 address", hint)
