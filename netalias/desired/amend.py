"""Files of declarations with the aliases of a command written into them. Pure.

An alias stands in the line that declares it, a range being split around it; else behind the last
line of its main device; else at the end of the main configuration file::

    eth0:1-9   10.0.0.1-9/32  mtu 1400         # web

and the command ``eth0:4 down`` make::

    eth0:1-3   10.0.0.1-3/32  mtu 1400         # web
    eth0:4     10.0.0.4/32    mtu 1400 down    # web
    eth0:5-9   10.0.0.5-9/32  mtu 1400         # web

Comments and ``defaults`` lines stay. Where defaults would make something else of the line than the
command has made, the line says so in words of its own.
"""

from __future__ import annotations

from netalias import desired, errors
from netalias.desired import declarations
from netalias.desired.lines import DEFAULTS, numbered, words_of
from netalias.desired.resets import OF_DEVICE, attributes, resets, subject
from netalias.desired.spelling import Entry, Line, spelled
from netalias.model import address_text, prefix
from netalias.model.names import AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from netalias.desired import Wish
    from netalias.desired.blocks import Block
    from netalias.desired.spelling import Item
    from netalias.families import Registry

USUAL: set[Item] = {
    ("up",), ("lease", "off"), ("source", "auto"), ("gateway", "none"), ("linklocal", "auto"),
}  # fmt: skip
"""Words that need not be said where no defaults say otherwise."""
AGAINST: dict[str, Item] = {
    "metric": ("metric", "0"), "up": ("up",), "kind": ("kind", "auto"), "lease": ("lease", "off"),
    "deprecated": ("source", "auto"), "source": ("source", "auto"), "gateway": ("gateway", "none"),
    "linklocal": ("linklocal", "auto"),
}  # fmt: skip
"""Attribute of a Wish that defaults have set: the word against them."""
STATE = (*AGAINST, "broadcast", "mtu", "prefixlen")
"""Attributes that the kernel shows. The others tell how to make and watch an alias, and are left to
the defaults."""


class Present:
    """The state before the command: ``main`` gives the device that a name of a main device
    stands for, ``alias`` an Entry of the alias with the words to make it again, None without one,
    ``mtu`` the MTU of an alias that is made without the word, 0 where it is not known."""

    def __init__(
        self,
        main: Callable[[str], str],
        alias: Callable[[AliasName], Entry | None],
        mtu: Callable[[AliasName], int],
    ) -> None:
        self.main = main
        self.alias = alias
        self.mtu = mtu


class Amended:
    """``texts`` are the new texts of files by their names, ``lines`` what is said of them:
    ``+ LINE`` and ``- LINE`` with the file, ``declared`` the aliases that were declared, each with
    what is declared of it now; None for none."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.lines: list[tuple[str, str]] = []
        self.declared: dict[AliasName, Wish | None] = {}


def amend(
    files: Sequence[tuple[str, str]],
    registry: Registry,
    wishes: Sequence[Wish],
    words: Sequence[str],
    present: Present,
    *,
    target: str,
    check: Callable[[str], object],
    withheld: declarations.Withheld | None = None,
) -> Amended:
    """amend_all() for one command: *words*, which stand for *wishes*."""
    return amend_all(
        files,
        registry,
        [(wishes, words)],
        present,
        target=target,
        check=check,
        withheld=withheld,
    )


def amend_all(
    files: Sequence[tuple[str, str]],
    registry: Registry,
    commands: Iterable[tuple[Sequence[Wish], Sequence[str]]],
    present: Present,
    *,
    target: str,
    check: Callable[[str], object],
    withheld: declarations.Withheld | None = None,
) -> Amended:
    """The files, given by name and text, after *commands*, each of which stands for wishes; no two
    of them name one alias.

    *target* is the main configuration file, which need not be among them; *check* raises for a file
    that is not to be changed. *withheld* is that of declarations.parse(). Raises DeclarationError
    for errors in the files, old and new.
    """
    parsed = declarations.parse(files, registry, withheld)
    declarations.check(parsed)
    work = _Work(dict(files), registry, commands, present)
    for block in parsed.blocks:
        main = present.main(block.wish.name.main)
        if work.touches(main, block.slots):
            check(block.source)
            work.rewrite(main, block)
    work.add(parsed.blocks, target, check)
    found = work.amended()
    new = [(name, found.texts.get(name, text)) for name, text in files]
    if target in found.texts and target not in work.texts:
        new.insert(0, (target, found.texts[target]))
    parsed = declarations.parse(new, registry, withheld)
    declarations.check(parsed)
    for block in parsed.blocks:
        main = present.main(block.wish.name.main)
        if work.declares(main, block.slots):
            named = ((AliasName(main, wish.name.slot), wish) for wish in block.wishes())
            found.declared.update((name, wish) for name, wish in named if name in found.declared)
    return found


def declare(
    files: Sequence[tuple[str, str]],
    registry: Registry,
    found: Iterable[AliasName],
    present: Present,
    *,
    target: str,
    check: Callable[[str], object],
    withheld: declarations.Withheld | None = None,
) -> Amended:
    """The files with lines for those of the aliases *found* that no line declares. The parameters
    are those of amend(). Raises DeclarationError."""
    parsed = declarations.parse(files, registry, withheld)
    declarations.check(parsed)
    known: dict[str, set[int]] = {}
    for block in parsed.blocks:
        known.setdefault(present.main(block.wish.name.main), set()).update(block.slots)
    wishes = [desired.Wish(name) for name in found if name.slot not in known.get(name.main, ())]
    if not wishes:
        return Amended()
    words = [str(wishes[0].name)]
    return amend(
        files, registry, wishes, words, present, target=target, check=check, withheld=withheld
    )


class _Edit:
    """The edit of one file: lines in the place of a line, behind it, and at the end."""

    def __init__(self) -> None:
        self.instead: dict[int, list[str]] = {}
        self.behind: dict[int, list[str]] = {}
        self.end: list[str] = []


class _Asked:
    """A wish, and the words that it comes from: ``length`` is the text behind the slash."""

    __slots__ = ("items", "length", "subjects", "wish")

    def __init__(self, wish: Wish, line: Line | None) -> None:
        self.wish = wish
        self.items = line.items if line is not None else []
        self.length = line.length if line is not None else ""
        self.subjects = set(map(subject, self.items))


class _Work:
    """The edits of all files, for the wishes of commands."""

    def __init__(
        self,
        texts: dict[str, str],
        registry: Registry,
        commands: Iterable[tuple[Sequence[Wish], Sequence[str]]],
        present: Present,
    ) -> None:
        self.texts = texts
        self.registry = registry
        self.present = present
        self.edits: dict[str, _Edit] = {}
        self.left: dict[str, dict[int, _Asked]] = {}
        for wishes, words in commands:
            deleting = any(wish.delete for wish in wishes)
            line = None if deleting else Line(" ".join(words))
            for wish in wishes:
                mine = self.left.setdefault(present.main(wish.name.main), {})
                mine[wish.name.slot] = _Asked(wish, line)
        self._lines: dict[str, list[str]] = {}
        self._usual: dict[str, list[tuple[int, str]]] = {}
        self._declared: dict[str, set[int]] = {}

    def touches(self, main: str, slots: range) -> bool:
        """Whether the command is for one of these aliases."""
        mine = self.left.get(main, {})
        return any(slot in mine for slot in slots)

    def declares(self, main: str, slots: range) -> bool:
        """Whether a line declared one of these aliases of the command."""
        mine = self._declared.get(main, ())
        return any(slot in mine for slot in slots)

    # The lines that are there

    def rewrite(self, main: str, block: Block) -> None:
        """Write the aliases of the command into the line that declares them."""
        text = self._line(block.source, block.line)
        line = Line(text)
        spelled_main = block.wish.name.main
        found: list[str] = []
        for touched, part in _parts(self._entries(main, block, line)):
            if not touched:
                found.append(line.same(spelled_main, part))
                continue
            found += [line.other(spelled_main, some) for some in _groups(part)]
        end = "\r" if text.endswith("\r") else ""
        edit = self.edits.setdefault(block.source, _Edit())
        edit.instead[block.line] = [one + end for one in found]

    def _line(self, source: str, number: int) -> str:
        if source not in self._lines:
            self._lines[source] = self.texts[source].split("\n")
        return self._lines[source][number - 1]

    def _entries(self, main: str, block: Block, line: Line) -> Iterator[tuple[bool, Entry | None]]:
        """Each alias of a line as it will be, None for none, and whether the command is for it."""
        alias_type = block.wish.type
        assert alias_type is not None
        mine = self.left.get(main, {})
        usual = self._defaults(block.source, block.line)
        said = line.items
        for slot, address in zip(block.slots, block.addresses, strict=True):
            entry = Entry(slot, alias_type, address, line.length, said)
            asked = mine.pop(slot, None)
            if asked is None:
                yield False, entry
                continue
            wish = asked.wish
            name = AliasName(main, slot)
            self._declared.setdefault(main, set()).add(slot)
            if wish.delete:
                yield True, None
                continue
            there = None
            if wish.kind or wish.prefixlen is not None:
                there = self.present.alias(name) or entry
            gone = asked.subjects | resets(wish, entry, there)
            merged = self._merged(entry, asked, gone)
            yield True, self._held(merged, name, usual, attributes(gone))

    def _merged(self, old: Entry | None, asked: _Asked, gone: Collection[str]) -> Entry:
        """The entry *old*, None for none, with the words of the command and without those for the
        subjects *gone*."""
        wish = asked.wish
        gone = {*gone, *OF_DEVICE.get(wish.kind, ())}
        assert old is not None or wish.type is not None
        alias_type = wish.type or old.type  # type: ignore[union-attr]
        address = wish.address or old.address  # type: ignore[union-attr]
        length = asked.length if wish.address else "" if old is None else old.length
        if "prefixlen" in asked.subjects:
            length = ""
        new = {subject(item): item for item in asked.items if item not in USUAL}
        found: list[Item] = []
        for item in old.items if old is not None else ():
            about = subject(item)
            if about in new:
                found.append(new.pop(about))
            elif about not in gone:
                found.append(item)
        return Entry(wish.name.slot, alias_type, address, length, [*found, *new.values()])

    # Against defaults

    def _defaults(self, source: str, before: int = 0) -> str:
        """The ``defaults`` line that holds at a line of a file, by default at its end."""
        if source not in self._usual:
            lines = numbered(self.texts.get(source, ""))
            words = ((number, words_of(line)) for number, line in lines)
            self._usual[source] = [
                (number, " ".join(some)) for number, some in words if some[:1] == [DEFAULTS]
            ]
        found = ""
        for number, line in self._usual[source]:
            if before and number >= before:
                break
            found = line
        return found if found != DEFAULTS else ""

    def _held(self, entry: Entry, name: AliasName, usual: str, held: Collection[str]) -> Entry:
        """The entry with words against what the defaults *usual* make of the attributes *held*."""
        if usual:
            plain = self._wish(entry, name)
            for attribute in [one for one in STATE if one in held]:
                # A word against one default may let another one in: kind auto has an MTU.
                filled = self._wish(entry, name, usual)
                if getattr(plain, attribute) != getattr(filled, attribute):
                    self._against(entry, name, attribute, plain)
        return entry

    def _wish(self, entry: Entry, name: AliasName, usual: str = "") -> Wish:
        """The wish of a line for *entry* alone, below the defaults *usual*."""
        line = spelled(name.main, [entry])
        parsed = declarations.parse([("", f"{usual}\n{line}")], self.registry)
        declarations.check(parsed)
        return parsed.blocks[0].wish

    def _against(self, entry: Entry, name: AliasName, attribute: str, plain: Wish) -> None:
        if attribute == "prefixlen":
            entry.length = str(plain.type.bits if plain.type is not None else "")
            return
        item = AGAINST.get(attribute)
        if attribute == "mtu":
            mtu = self.present.mtu(name)
            item = ("mtu", str(mtu)) if mtu else None
        elif attribute == "broadcast":
            length = len(entry.address) * 8 if plain.prefixlen is None else plain.prefixlen
            packed = b"" if plain.peer else prefix.broadcast(entry.address, length)
            text = address_text(2, packed) if packed else ""
            item = ("broadcast", text) if text else ("-broadcast",)
        if item is not None and item not in entry.items:
            entry.items += (item,)

    # New lines

    def add(self, blocks: Sequence[Block], target: str, check: Callable[[str], object]) -> None:
        """Add lines for the aliases that no line declares."""
        for main, mine in self.left.items():
            mine = {slot: asked for slot, asked in mine.items() if not asked.wish.delete}
            if not mine:
                continue
            source, line = self._last(main, blocks, check) or (target, 0)
            if not line:
                check(target)
            usual = self._defaults(source, line + 1 if line else 0)
            entries = []
            for slot in sorted(mine):
                name = AliasName(main, slot)
                old = self.present.alias(name)
                wish = mine[slot].wish
                if old is not None or wish.address:  # else the command will fail
                    gone = mine[slot].subjects | resets(wish, old, old)
                    entry = self._merged(old, mine[slot], gone)
                    entries.append(self._held(entry, name, usual, STATE))
            self._put(main, _groups(entries, counting=True), source, line)

    def _last(
        self, main: str, blocks: Sequence[Block], check: Callable[[str], object]
    ) -> tuple[str, int] | None:
        """File and number of the last line for a main device that may be changed."""
        for block in reversed(blocks):
            if self.present.main(block.wish.name.main) == main:
                try:
                    check(block.source)
                except errors.StateError:
                    continue
                return block.source, block.line
        return None

    def _put(self, main: str, groups: Iterable[Sequence[Entry]], source: str, line: int) -> None:
        edit = self.edits.setdefault(source, _Edit())
        if not line:
            edit.end += [spelled(main, some, 13) for some in groups]
            return
        before = self._line(source, line)
        end = "\r" if before.endswith("\r") else ""
        like = Line(before)
        wanted = [like.like(like.words[0].partition(":")[0], some) + end for some in groups]
        edit.behind.setdefault(line, []).extend(wanted)

    # The outcome

    def amended(self) -> Amended:
        """The new texts of the files that differ."""
        found = Amended()
        for main, slots in self._declared.items():
            found.declared.update((AliasName(main, slot), None) for slot in slots)
        for name, edit in self.edits.items():
            before = self.texts.get(name, "")
            found.texts[name], said = _edited(before, edit)
            found.lines += [(name, line) for line in said]
            if found.texts[name] == before:
                del found.texts[name]
        return found


def _parts(
    entries: Iterable[tuple[bool, Entry | None]],
) -> Iterator[tuple[bool, list[Entry]]]:
    """The entries in rows: of those that are touched, or are not."""
    row: list[Entry] = []
    state = False
    for touched, entry in entries:
        if row and (touched != state or entry is None):
            yield state, row
            row = []
        if entry is not None:
            row.append(entry)
            state = touched
    if row:
        yield state, row


def _groups(entries: Sequence[Entry], *, counting: bool = False) -> Iterator[list[Entry]]:
    """The entries in rows that can share a line; *counting*: only addresses that count up do."""
    row: list[Entry] = []
    for entry in entries:
        if row and not _joins(row[-1], entry, counting):
            yield row
            row = []
        row.append(entry)
    if row:
        yield row


def _joins(last: Entry, entry: Entry, counting: bool) -> bool:
    if last.alone or entry.slot != last.slot + 1 or entry.type is not last.type:
        return False
    if (entry.length, entry.items) != (last.length, last.items):
        return False
    step = int.from_bytes(entry.address, "big") - int.from_bytes(last.address, "big")
    return step == 1 or not counting


def _edited(text: str, edit: _Edit) -> tuple[str, list[str]]:
    """The new text, and the lines that went and came."""
    lines = text.split("\n")
    found: list[str] = []
    said: list[str] = []
    for number, line in enumerate(lines, 1):
        instead = edit.instead.get(number, [line])
        if instead != [line]:
            said += [f"- {line.rstrip()}", *(f"+ {new.rstrip()}" for new in instead)]
        behind = edit.behind.get(number, [])
        said += [f"+ {new.rstrip()}" for new in behind]
        found += [*instead, *behind]
    if edit.end:
        if found[-1:] == [""]:
            found.pop()
        found += [*edit.end, ""]
        said += [f"+ {new}" for new in edit.end]
    return "\n".join(found), said
