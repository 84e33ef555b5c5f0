"""interfaces(5) of ifupdown: its aliases as lines of netalias.conf(5).

::

    files.py        a file and those that it includes
    syntax.py       text -> stanzas
    definitions.py  stanzas -> definitions, with what they inherit; the faults of a file
    targets.py      stanzas -> the interfaces that are brought up
    static.py       the options of a definition -> the address that ifup(8) sets
    commands.py     its commands, split by shell.py -> the addresses that they set
    options.py      what the programs that read such files have in common

The model is ifup(8) 0.8: its aliases are addresses with a label, so all lines are of kind label, in
the order in which ``ifup -a`` would bring them up. What netalias cannot express becomes a note::

    auto eth0:0                        eth0:0  200.1.1.1/24  kind label   # FILE:LINE
    iface eth0:0 inet static
        address 200.1.1.1/24
        gateway 200.1.1.254            FILE:LINE: eth0:0: gateway is not carried over: ...
"""

from __future__ import annotations

from netalias import desired, errors, families
from netalias.desired.declarations import MOST
from netalias.importers import Importer
from netalias.importers.ifupdown.definitions import COMMANDS, EARLY, RAISING, define
from netalias.importers.ifupdown.options import WITHOUT_EFFECT, check_label, labels, reason
from netalias.importers.ifupdown.static import OPTIONS, SCOPE, static
from netalias.importers.ifupdown.syntax import IFACE, MAPPING, parse
from netalias.importers.ifupdown.targets import Targets
from netalias.importers.notes import Lesser
from netalias.importers.slots import Found
from netalias.model import names
from netalias.trust import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from netalias.importers.files import Opener
    from netalias.importers.ifupdown.definitions import Definition
    from netalias.importers.ifupdown.syntax import Stanza

__all__ = ["Interfaces", "convert", "parse", "read"]

STATIC = "static"
REASONS = {"preferred-lifetime": "ifup deprecates every IPv6 address of an alias"}
ASLEEP = "not brought up automatically (neither auto nor allow-hotplug)"


class Interfaces(Importer):
    """The importer of interfaces(5)."""

    marked = False

    def read(self, paths: Sequence[str]) -> tuple[list[Found], list[str]]:
        """The aliases in some files and in all that they include; see read()."""
        return read(*paths, opener=self.opener)


def read(*paths: str, root: str = "", opener: Opener = regular) -> tuple[list[Found], list[str]]:
    """The aliases in some files and in all that they include, and notes.

    *root* is put before every path that is opened, and is not shown; *opener* is that of open().
    Raises StateError when one of the files cannot be read; an included file that cannot be read is
    a note.
    """
    from netalias.importers.ifupdown.files import gather_all

    notes: list[str] = []
    stanzas = gather_all(paths, root, notes, opener)
    found, more = convert(stanzas)
    return found, notes + more


def convert(stanzas: Iterable[Stanza]) -> tuple[list[Found], list[str]]:
    """The aliases in the stanzas of all files, and notes; the addresses of main devices are found
    too, since no alias can have them. Raises LimitError for more than MOST."""
    stanzas = list(stanzas)
    conversion = _Conversion(stanzas)
    found: list[Found] = []
    for one in conversion.run(stanzas):
        found.append(one)
        if len(found) > MOST:
            raise errors.LimitError(f"{one.place}: more than {MOST} addresses")
    return found, conversion.sorted_notes(stanzas)


class _Conversion:
    """A conversion: the definitions by name, what is brought up, and the notes so far."""

    __slots__ = ("definitions", "notes", "registry", "targets", "templates")

    def __init__(self, stanzas: list[Stanza]) -> None:
        self.notes: list[tuple[str, str, type[str]]] = []
        self.registry = families.lazy()
        found, self.templates = define(stanzas, self._note)
        self.definitions: dict[str, list[Definition]] = {}
        for one in found:
            self.definitions.setdefault(one.name, []).append(one)
        self.targets = Targets(stanzas, self.definitions)

    def _note(self, place: str, text: str, note: type[str] = str) -> None:
        self.notes.append((place, names.printable(text), note))

    def sorted_notes(self, stanzas: list[Stanza]) -> list[str]:
        """The notes in the order of the lines that they are about."""
        order: dict[str, int] = {}
        for stanza in stanzas:
            for place in (stanza.place, *(option.place for option in stanza.options)):
                order.setdefault(place, len(order))
        ordered = sorted(self.notes, key=lambda note: order[note[0]])
        return [note(f"{place}: {text}") for place, text, note in ordered]

    def run(self, stanzas: list[Stanza]) -> Iterator[Found]:
        """The addresses in the order in which ifup brings them up, then those of other aliases."""
        mapped = any(stanza.word == MAPPING for stanza in stanzas)
        known = {word for one in stanzas if one.word == IFACE for word in one.words[:1]}
        awake = set()
        stops: dict[str, str] = {}
        for target in self.targets:
            name, defined = target.name, target.defined
            awake.add(defined)
            if ":" in name and defined not in known and not mapped:
                self._note(target.place, f"{name}: there is no iface {defined}")
            stop = stops.get(target.below, "")
            for one in self.definitions.get(defined, ()):
                if not stop and one.method == STATIC and "address" not in one.values:
                    stop = f"not brought up (ifup stops at {one.place}, which has no address)"
                yield from self._found(one, name, stop)
            stops[name] = stop
        for name, found in self.definitions.items():
            if name not in awake and (":" in name or name not in self.templates):
                for one in found:
                    yield from self._found(one, name, ASLEEP)

    def _found(self, one: Definition, name: str, asleep: str) -> Iterator[Found]:
        """The addresses that ifup sets for a definition under *name*."""
        alias = ":" in name
        fixed = one.method == STATIC and one.family in OPTIONS
        found = list(self._commands(one, name, asleep, EARLY))
        found += self._static(one, name, asleep) if fixed else []
        found += self._commands(one, name, asleep, COMMANDS[len(EARLY) :])
        yield from found or [Found(name, b"", [], one.place)]
        if alias and found:
            self._lost(one, name)
        elif alias and not fixed:
            what = f"{one.family} {one.method} is not carried over"
            self._note(one.place, f"{name}: {what} (an alias has a fixed address)")

    def _static(self, one: Definition, name: str, asleep: str) -> list[Found]:
        """The address of the method static; none, with a note, where ip(8) would refuse it. That of
        a main device counts only where it is brought up."""
        alias = ":" in name
        try:
            main = check_label(name) if alias else name
            found = static(one.values, self.registry.get(one.family))
            found.deprecated = alias and one.family == "inet6"  # whatever lifetime it says
            words = found.words(main)
            if alias:
                desired.parse([f"{main}:0", *words], self.registry)
        except errors.NetaliasError as error:
            commanded = (*OPTIONS[one.family], SCOPE)
            twice = [word for word in commanded if "\n" in one.values.get(word, "")]
            if alias and twice:
                self._note(one.place, f"{name}: {twice[0]} is given twice, which ip(8) refuses")
            elif alias:
                self._note(one.place, _named(name, error))
            return []
        return [Found(name, found.local, words, one.place, asleep)] if alias or not asleep else []

    def _lost(self, one: Definition, name: str) -> None:
        """Note the options of an alias that have no word in a line."""
        known = OPTIONS.get(one.family, ()) if one.method == STATIC else ()
        said: dict[str, str] = {}
        for option in one.options:
            word = option.word
            if word in COMMANDS or word in WITHOUT_EFFECT:
                continue
            if word not in known:
                why = REASONS.get(word) or reason(word)
                self._note(option.place, f"{name}: {word} is not carried over: {why}", Lesser)
            elif word in said:
                what = f"a second {word}, {option.value}, is not carried over"
                self._note(option.place, f"{name}: {what}: it has {said[word]}")
            said.setdefault(word, option.value)

    def _commands(
        self, one: Definition, name: str, asleep: str, words: tuple[str, ...]
    ) -> Iterator[Found]:
        """The labels that those commands of a definition set that are options called *words*."""
        for option in one.options:
            if option.word in words and (option.word in RAISING or ":" in name):
                found, raised = labels(option, name, asleep, self.registry, self._note)
                if not asleep:
                    self.targets.bring_up(raised, option.place)
                yield from found


def _named(name: str, error: errors.NetaliasError) -> str:
    """The line of *error*, which begins with *name*."""
    text = error.line()
    return text if text.startswith(f"{name}:") else f"{name}: {text}"
