"""A reading of files: the addresses that are found, each as the words of a line, and the notes."""

from __future__ import annotations

from netalias import desired, errors, families
from netalias.importers.addresses import Assignment
from netalias.importers.addresses import mask as length_of
from netalias.importers.files import Files
from netalias.importers.notes import Lesser
from netalias.importers.slots import Found
from netalias.model import AF_INET, AF_INET6, names
from netalias.model.prefix import class_length
from netalias.trust import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.importers.files import Opener

CLASSFUL = -1
"""A usual length: that of the class of an IPv4 address."""
NONE = -2
"""A usual length: an address needs one."""


class Lengths:
    """The prefix lengths of addresses that are given without one: numbers, CLASSFUL or NONE."""

    __slots__ = ("inet", "inet6")

    def __init__(self, inet: int, inet6: int) -> None:
        self.inet = inet
        self.inet6 = inet6

    def of(self, packed: bytes) -> int:
        """The length for this address. Raises BadAddress where it needs one."""
        length = self.inet if len(packed) == 4 else self.inet6
        if length == NONE:
            raise errors.BadAddress("a prefix length is needed")
        return class_length(packed) if length == CLASSFUL else length


HOSTS = Lengths(32, 128)
"""The lengths of ip(8)."""


class Reading:
    """The addresses and notes of all files of one format, in order.

    ``lengths`` are the usual ones; ``marked`` and *opener* are those of the Importer.
    """

    __slots__ = ("files", "found", "lengths", "marked", "notes", "registry")

    def __init__(
        self, lengths: Lengths = HOSTS, *, marked: bool = True, opener: Opener = regular
    ) -> None:
        self.marked = marked
        self.found: list[Found] = []
        self.notes: list[str] = []
        self.lengths = lengths
        self.files = Files(opener)
        self.registry = families.lazy()

    def note(self, place: str, text: str) -> None:
        """Add a note about ``file:line``."""
        self.notes.append(f"{place}: {names.printable(text)}")

    def nameless(self, place: str, main: str, what: str, who: str) -> None:
        """Note the name *what* of an address of *main*, which *who* does not give it."""
        self._less(place, f"{main}: {who} ignores {what}: the address has no name")

    def text(self, path: str, place: str = "") -> str:
        """The text of the file at *path*. If it cannot be read, that is a note about *place*, where
        the file is asked for; without one StateError is raised."""
        try:
            return self.files.text(path)
        except (OSError, ValueError) as error:
            what = f"{names.printable(path)}: {getattr(error, 'strerror', None) or error}"
            if not place:
                raise errors.StateError(what) from None
            self.note(place, what)
            return ""

    def add(
        self,
        label: str,
        address: str,
        place: str,
        *,
        mask: str = "",
        asleep: str = "",
        change: Callable[[Assignment], object] | None = None,
    ) -> Found | None:
        """Add ``ADDRESS[/LEN]`` under *label*: ``eth0`` is the main device itself, ``eth0:`` an
        alias without a name. What cannot be an alias, and may be one, becomes a note, and None is
        returned.

        *mask*, a number or dotted, counts where there is no LEN. *change* completes the
        address, and may raise UsageError.
        """
        main, colon, slot = label.partition(":")
        try:
            one = self.assignment(address, mask)
            if change is not None:
                change(one)
            return self.take(label, one, place, asleep=asleep)
        except errors.NetaliasError as error:
            if colon or not self.marked:
                said = label if slot else main
                self.note(place, f"{said}: {address} is not carried over: {error.line()}")
            return None

    def take(self, label: str, one: Assignment, place: str, *, asleep: str = "") -> Found:
        """Add an address under *label*, as add() does. Raises UsageError for what cannot be an
        alias."""
        main, colon, slot = label.partition(":")
        names.check_device(main, label if slot else main)
        words = one.words(main)
        if colon:
            desired.parse([f"{main}:0", *words], self.registry)
        found = Found(label, one.local, words, place, names.printable(asleep))
        self.found.append(found)
        return found

    def assignment(self, address: str, mask: str = "") -> Assignment:
        """The address of ``ADDRESS[/LEN]`` with the usual broadcast address. Raises BadAddress."""
        text, slash, length = address.partition("/")
        alias_type = self.registry.get(AF_INET6 if ":" in text else AF_INET)
        packed, _ = alias_type.parse(text)
        if slash:
            size = length_of(length, alias_type)
        elif mask:
            size = length_of(mask, alias_type)
        else:
            size = self.lengths.of(packed)
        found = Assignment(alias_type, packed, size)
        if alias_type.family == AF_INET:
            found.take_broadcast("+")
        return found

    def lost(self, place: str, label: str, what: str, why: str) -> None:
        """Note an option of an alias that has no word in a line."""
        self._less(place, f"{label}: {what} is not carried over: {why}")

    def _less(self, place: str, text: str) -> None:
        self.notes.append(Lesser(f"{place}: {names.printable(text)}"))
