"""interfaces(5) of ifupdown: its aliases as lines of netalias.conf(5).

parse() knows the syntax and convert() the meaning, both pure; read() follows ``source``. The model
is ifup(8) 0.8: its aliases are addresses with a label, so all lines are of kind label. Options that
netalias cannot express become notes::

    iface eth0:0 inet static         eth0:0  200.1.1.1/24  kind label   # FILE:LINE
        address 200.1.1.1/24
        gateway 200.1.1.254          FILE:LINE: eth0:0: gateway is not carried over: ...
"""

from __future__ import annotations

from errno import EFBIG
from os import strerror

from netalias import desired, errors, families
from netalias.desired.export import aligned
from netalias.families.inet import netmask, prefix_length
from netalias.importers import Imported, Importer
from netalias.model import AF_INET, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.families import AliasType

DEFAULT = "/etc/network/interfaces"
SIZE_MAX = 16 << 20
"""Longest file in characters."""
BLANK = " \t\v\f\r"
"""White space of isspace(3) in the C locale, without the newline."""
WILD = "*?["
SHELL = "$`~'\"\\(){}<>|&;\0"
"""Characters that wordexp(3) expands or refuses, apart from wildcards."""

CLASSES = ((128, 8), (192, 16), (224, 24))
"""Limit of the first byte, and prefix length: the classes of IPv4, for want of a mask."""

IFACE = "iface"
AUTO = "auto"
ALLOW = "allow-"
MAPPING = "mapping"
SOURCE = "source"
SOURCE_DIRECTORY = "source-dir"
"""ifup takes every word with this beginning for source-directory."""
WITHOUT_MEANING = ("rename", "no-auto-down", "no-scripts")
OPEN = (IFACE, MAPPING)
"""Keywords whose stanzas have options."""
OPTIONS = {
    "inet": ("address", "netmask", "broadcast", "pointopoint"),
    "inet6": ("address", "netmask"),
}
"""Family: options of its method ``static`` that describe the address."""
REASONS = {
    "mtu": "a label has no MTU of its own (kind macvlan has)",
    "hwaddress": "a label has no MAC of its own (kind macvlan has)",
    "gateway": "an alias brings no default route",
    "metric": "it is that of the default route",
    "scope": "the kind decides it",
}
OTHER_REASON = "netalias has nothing like it"


class Option:
    """One line of a stanza; ``value`` is the rest of it, and ``place`` is ``file:line``."""

    __slots__ = ("place", "value", "word")

    def __init__(self, word: str, value: str, place: str) -> None:
        self.word = word
        self.value = value
        self.place = place


class Stanza:
    """A stanza: a keyword, the words after it, and its options. ``place`` is ``file:line``."""

    __slots__ = ("options", "place", "word", "words")

    def __init__(self, word: str, words: list[str], place: str) -> None:
        self.word = word
        self.words = words
        self.place = place
        self.options: list[Option] = []


class Interfaces(Importer):
    """The importer of interfaces(5)."""

    usual = DEFAULT

    def read(self, path: str) -> Imported:
        """The aliases in a file and in all that it includes; see read()."""
        return read(path)


def read(path: str = DEFAULT, root: str = "") -> Imported:
    """The aliases in a file and in all that it includes.

    *root* is put before every path that is opened, and is not shown. Raises StateError when the
    file itself cannot be read; an included file that cannot be read is a note.
    """
    notes: list[str] = []
    try:
        stanzas = list(_gather(path, root, notes, ()))
    except OSError as error:
        raise errors.StateError(f"{names.printable(path)}: {error.strerror}") from None
    found = convert(stanzas)
    return Imported(found.lines, notes + found.notes)


def parse(text: str, name: str) -> list[Stanza]:
    """The stanzas of the file *name*. Never raises.

    A misplaced option is a stanza of its own.
    """
    stanzas: list[Stanza] = []
    current: Stanza | None = None
    for number, line in _logical_lines(text):
        place = f"{names.printable(name)}:{number}"
        words = line.split()
        if not _is_keyword(words[0]) and current is not None:
            value = line[len(words[0]) :].strip()
            current.options.append(Option(words[0], value, place))
            continue
        stanzas.append(Stanza(words[0], words[1:], place))
        current = stanzas[-1] if words[0] in OPEN else None
    return stanzas


def convert(stanzas: Iterable[Stanza]) -> Imported:
    """The aliases in the stanzas of all files; stanzas of other devices are ignored."""
    stanzas = list(stanzas)
    return _Conversion(stanzas).run(stanzas)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Number and stripped text of each logical line, without comments and blank lines.

    A backslash at the end of a line joins the next one, even if that looks like a comment.
    """
    physical = iter(enumerate(text.split("\n"), 1))
    for number, line in physical:
        line = line.lstrip(BLANK)
        if line.startswith("#"):
            continue
        while line.endswith("\\"):
            line = line[:-1] + next(physical, (0, ""))[1]
        if line.split():
            yield number, line.strip()


def _is_keyword(word: str) -> bool:
    return (
        word in (*OPEN, AUTO, SOURCE, *WITHOUT_MEANING)
        or word.startswith(SOURCE_DIRECTORY)
        or _selects(word)
    )


def _selects(word: str) -> bool:
    """Whether this keyword lists interfaces to be brought up."""
    return word == AUTO or (word.startswith(ALLOW) and word != ALLOW)


class _Conversion:
    """A conversion: its rows and notes so far, and the names and addresses already used."""

    __slots__ = ("addresses", "automatic", "notes", "registry", "rows", "taken")

    def __init__(self, stanzas: Iterable[Stanza]) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self.notes: list[str] = []
        self.registry = families.lazy()
        self.automatic = {word for one in stanzas if _selects(one.word) for word in one.words}
        self.taken: dict[names.AliasName, tuple[str, str]] = {}
        self.addresses: dict[bytes, str] = {}

    def run(self, stanzas: Iterable[Stanza]) -> Imported:
        for stanza in stanzas:
            if stanza.word == IFACE:
                self._iface(stanza)
            elif stanza.word == MAPPING:
                what = " ".join(["mapping", *stanza.words])
                self._note(stanza.place, f"{what}: logical interfaces are not carried over")
            elif _selects(stanza.word):
                self._selection(stanza)
            elif not _is_keyword(stanza.word):
                self._note(stanza.place, f"{stanza.word}: an option outside of a stanza")
        return Imported(aligned(self.rows), self.notes)

    def _note(self, place: str, text: str) -> None:
        self.notes.append(f"{place}: {names.printable(text)}")

    def _selection(self, stanza: Stanza) -> None:
        for word in stanza.words:
            if ":" in word and "=" in word:
                self._note(stanza.place, f"{word}: logical interfaces are not carried over")

    def _iface(self, stanza: Stanza) -> None:
        """Convert one stanza; those of devices, whose names have no colon, are ignored."""
        if not stanza.words or ":" not in stanza.words[0]:
            return
        text = stanza.words[0]
        try:
            self._alias(stanza, _name(text), *_head(stanza, text))
        except errors.NetaliasError as error:
            message = error.line()
            named = message.startswith(f"{text}:")
            self._note(stanza.place, message if named else f"{text}: {message}")

    def _alias(
        self, stanza: Stanza, name: names.AliasName, family: str, method: str, parent: str
    ) -> None:
        if parent:
            self._note(
                stanza.place, f"{name}: options inherited from {parent} are not carried over"
            )
        if family not in OPTIONS or method != "static":
            raise errors.UsageError(
                f"{name}: {family} {method} is not carried over", "an alias has a fixed address"
            )
        values = self._values(stanza, name, OPTIONS[family])
        if "address" not in values:
            raise errors.UsageError(f"{name}: there is no address")
        address = _address(values, self.registry.get(family))
        words = [address, "kind", "label", *_rest(values)]
        wish = desired.parse([str(name), *words], self.registry)
        if not self._is_taken(stanza, name, address, wish.address):
            self._write(stanza, name, words, wish.address)

    def _values(
        self, stanza: Stanza, name: names.AliasName, known: tuple[str, ...]
    ) -> dict[str, str]:
        """The values of the options in *known*; each other option becomes a note."""
        values: dict[str, str] = {}
        for option in stanza.options:
            if option.word not in known:
                reason = REASONS.get(option.word, OTHER_REASON)
                self._note(option.place, f"{name}: {option.word} is not carried over: {reason}")
            elif option.word in values:
                first = values[option.word]
                self._note(
                    option.place,
                    f"{name}: a second {option.word}, {option.value}, is not carried over:"
                    f" it has {first}",
                )
            else:
                values[option.word] = option.value
        return values

    def _is_taken(self, stanza: Stanza, name: names.AliasName, address: str, packed: bytes) -> bool:
        """Whether an earlier stanza has the slot or the address; then there is a note."""
        if name in self.taken:
            first, place = self.taken[name]
            if first != address:
                self._note(
                    stanza.place,
                    f"{name}: {address} is not carried over: one alias has one address,"
                    f" and {place} gives it {first}",
                )
            return True
        # An alias that is written as a comment does not take the address.
        owner = self.addresses.get(packed) if stanza.words[0] in self.automatic else None
        if owner is not None:
            self._note(stanza.place, f"{name}: {address} is not carried over: {owner} has it")
        return owner is not None

    def _write(
        self, stanza: Stanza, name: names.AliasName, words: list[str], packed: bytes
    ) -> None:
        self.taken[name] = words[0], stanza.place
        text = f"{' '.join(words[1:])}   # {stanza.place}"
        if stanza.words[0] in self.automatic:
            self.addresses[packed] = f"{name} at {stanza.place}"
            self.rows.append((str(name), words[0], text))
            return
        text += ": not brought up automatically (neither auto nor allow-hotplug)"
        self.rows.append((f"# {name}", words[0], text))


def _name(text: str) -> names.AliasName:
    """The alias name in *text*, which must also fit a label. Raises BadName, LimitError."""
    _, _, slot = text.partition(":")
    if ":" not in slot and names.number(slot, len(slot)) < 0:
        raise errors.BadName(f"{text}: slots are numbers", "give it a number of its own")
    name, _ = names.parse(text)
    names.label(name)
    return name


def _head(stanza: Stanza, text: str) -> tuple[str, str, str]:
    """Family, method and template of ``iface NAME FAMILY METHOD [inherits TEMPLATE]``."""
    words = stanza.words[1:]
    parent = ""
    if "inherits" in words:
        at = words.index("inherits")
        parent = " ".join(words[at + 1 :])
        words = words[:at]
    if len(words) != 2:
        what = f", and {parent} is not asked" if parent else ""
        raise errors.UsageError(f"{text}: an address family and a method are needed{what}")
    return words[0], words[1], parent


def _address(values: dict[str, str], found: AliasType) -> str:
    """``ADDRESS/LEN``. Raises BadAddress."""
    text, _, length = values["address"].partition("/")
    packed, _ = found.parse(text)
    if "pointopoint" in values:
        # ip-address(8) uses the prefix length of the peer only.
        length = values["pointopoint"].partition("/")[2] or str(found.bits)
    elif "netmask" in values:
        length = values["netmask"]
    return f"{text}/{_length(length, found) if length else _usual_length(packed)}"


def _length(mask: str, found: AliasType) -> int:
    """The prefix length from a number or, for IPv4, a dotted mask. Raises BadAddress."""
    if "." in mask and found.family == AF_INET:
        return netmask(mask)
    return prefix_length(mask, f"netmask {mask}", found.bits)


def _usual_length(packed: bytes) -> int:
    """The prefix length that ifup(8) uses for an address without a mask."""
    if len(packed) > 4:
        return 128
    return next((length for limit, length in CLASSES if packed[0] < limit), 32)


def _rest(values: dict[str, str]) -> list[str]:
    """The words for broadcast and pointopoint."""
    words: list[str] = []
    if "pointopoint" in values:
        words += ["pointopoint", values["pointopoint"].partition("/")[0]]
    broadcast = values.get("broadcast", "+")
    if broadcast == "-":
        words.append("-broadcast")
    elif broadcast != "+":
        words += ["broadcast", broadcast]
    return words


def _gather(path: str, root: str, notes: list[str], above: tuple[str, ...]) -> Iterator[Stanza]:
    """The stanzas of a file, with those of included files in place. Raises OSError."""
    with open(root + path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        text = file.read(SIZE_MAX + 1)
        if len(text) > SIZE_MAX:
            raise OSError(EFBIG, strerror(EFBIG))
    chain = (*above, path)
    for stanza in parse(text, path):
        if stanza.word != SOURCE and not stanza.word.startswith(SOURCE_DIRECTORY):
            yield stanza
            continue
        for included in _included(stanza, path, root, notes):
            if included in chain:
                notes.append(f"{stanza.place}: {names.printable(included)} includes itself")
                continue
            try:
                yield from _gather(included, root, notes, chain)
            except OSError as error:
                what = f"{names.printable(included)}: {error.strerror}"
                notes.append(f"{stanza.place}: {what}")


def _included(stanza: Stanza, path: str, root: str, notes: list[str]) -> Iterator[str]:
    """The paths that ``source`` or ``source-directory`` includes, in order."""
    from os.path import basename, dirname, join, normpath

    for word in stanza.words:
        if any(letter in SHELL for letter in word):
            what = names.printable(word)
            notes.append(f"{stanza.place}: {what}: not read, since only a shell can expand it")
            continue
        pattern = normpath(join(dirname(path), word))
        found = _expanded(pattern, root)
        if stanza.word == SOURCE:
            yield from found
            continue
        for folder in found:
            inside = _expanded(join(folder, "*"), root)
            yield from (name for name in inside if _is_plain(basename(name)))


def _expanded(pattern: str, root: str) -> list[str]:
    """The existing paths that match; a pattern without wildcards is itself, even if missing."""
    from glob import escape, glob

    if not any(letter in WILD for letter in pattern):
        return [pattern]
    return sorted(name[len(root) :] for name in glob(escape(root) + pattern))


def _is_plain(name: str) -> bool:
    """Whether source-directory reads a file of this name: ``^[a-zA-Z0-9_-]+$``."""
    return name.isascii() and name.replace("_", "a").replace("-", "a").isalnum()
