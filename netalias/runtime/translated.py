"""The translations that data planes of ours make: written by the watcher, read by each of them.

The first line of the file is ``namespace COOKIE``, since the directory may have belonged to a
former namespace; each other is the wish for one device and family, NEW is ``-`` where there is no
address to leave with, and ``deny`` that nothing comes in unasked::

    translate DEVICE NEW OLD...
    deny DEVICE
"""

from __future__ import annotations

from socket import inet_pton

from netalias import errors
from netalias.model import AF_INET, AF_INET6, address_text
from netalias.runtime import first_line, read_file, remove_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

FILE = "/translated"
SPARE = 64
"""Addresses that a reader knows, beside as many as there are, before it forgets them."""
_NOTHING = "-"


class Translated:
    """The wish for a device: by family the new address, None for none, and the old ones."""

    def __init__(self) -> None:
        self.families: dict[int, tuple[bytes | None, frozenset[bytes]]] = {}
        self.deny = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Translated) and vars(self) == vars(other)

    __hash__ = None  # type: ignore[assignment]


class Packed:
    """The addresses of the last reading, by their texts: a reading again packs new ones only."""

    def __init__(self) -> None:
        self._known: dict[int, dict[str, bytes]] = {}

    def of(self, family: int, texts: Sequence[str]) -> frozenset[bytes]:
        """The packed addresses. Raises OSError."""
        known = self._known.setdefault(family, {})
        for text in [one for one in texts if one not in known]:
            known[text] = inet_pton(family, text)
        found = frozenset(map(known.__getitem__, texts))
        if len(known) > 2 * len(found) + SPARE:
            known.clear()
        return found


def read(directory: str, cookie: int, packed: Packed | None = None) -> dict[str, Translated]:
    """The wishes by device; none without a readable record of this namespace. A malformed line is
    ignored. *packed* is what a reader has from one reading to the next."""
    packed = packed or Packed()
    try:
        text = read_file(directory + FILE).decode("utf-8", "surrogateescape") if directory else ""
    except OSError:
        return {}
    head, *lines = text.split("\n")
    found: dict[str, Translated] = {}
    if head != first_line(cookie):
        return found
    for line in lines:
        verb, *words = line.split(" ")
        if verb == "deny" and len(words) == 1:
            found.setdefault(words[0], Translated()).deny = True
        elif verb == "translate" and len(words) > 2:
            _take(found.setdefault(words[0], Translated()), words[1], words[2:], packed)
    return found


def _take(one: Translated, new: str, old: Sequence[str], packed: Packed) -> None:
    family = AF_INET6 if ":" in old[0] else AF_INET
    try:
        leaves = None if new == _NOTHING else inet_pton(family, new)
        one.families[family] = leaves, packed.of(family, old)
    except (OSError, ValueError):
        pass


class Texts:
    """The texts of the addresses that were written last: another record makes new ones only."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], dict[bytes, str]] = {}

    def of(self, device: str, family: int, addresses: frozenset[bytes]) -> str:
        """The addresses of a device, with blanks in between."""
        known = self._known.setdefault((device, family), {})
        come = addresses.difference(known)
        if len(known) + len(come) > len(addresses):
            for one in [one for one in known if one not in addresses]:
                del known[one]
        known.update((one, address_text(family, one)) for one in sorted(come))
        return " ".join(known.values())


def write(
    directory: str, cookie: int, devices: dict[str, Translated], texts: Texts | None = None
) -> None:
    """Replace the record, which goes where there are no devices. *texts* is what a writer has from
    one record to the next. Raises StateError if it cannot be written."""
    texts = texts or Texts()
    lines = [first_line(cookie)]
    for device, one in devices.items():
        lines += [f"deny {device}"] * one.deny
        for family, (new, old) in one.families.items():
            text = _NOTHING if new is None else address_text(family, new)
            lines.append(f"translate {device} {text} {texts.of(device, family, old)}")
    path = directory + FILE
    try:
        if devices:
            replace_file(path, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
        else:
            remove_file(path)
    except OSError as error:
        raise errors.StateError(f"cannot save what {path} says: {error.strerror}") from None
