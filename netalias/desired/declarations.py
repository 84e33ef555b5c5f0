"""Declared aliases: the text of files becomes wishes, and errors with their places.

Grammar: a line is the words after ``netalias``, with ranges (ranges.py)::

    line     = [ alias | defaults | task ] [ comment ]
    alias    = slots word*                  the words of desired/__init__.py, an address among them
    defaults = "defaults" word*             for the lines below it in this file
    task     = word*                        no alias, see tasks.py: eth0 iface-alias kernel
    comment  = "#" anything                 where a word could begin

    eth0:0        200.1.1.1/24
    eth0:1-50     10.0.0.1-50/32     kind label
    eth0:100-199  2001:db8::100/64+             # the first address, then counting up
    defaults      kind macvlan mtu 1400

All errors of all files are found. Nothing here reads a file or changes anything.
"""

from __future__ import annotations

from _socket import inet_pton
from sys import intern

from netalias import desired, errors
from netalias.desired import ranges
from netalias.desired.blocks import LEAST, MULTICAST, Block, Run, alike, columns
from netalias.desired.lines import DEFAULTS, at_word, column, pieces, words_of
from netalias.families import BUILTIN_WORDS
from netalias.model import RANDOM_MAC, names
from netalias.model.names import SLOT_MAX, AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeVar

    from netalias.desired import Wish
    from netalias.desired.tasks import Task
    from netalias.families import AliasType, Registry

    Key = TypeVar("Key")
    Item = Block | Run
    Withheld = Callable[[str], str]
    """The reason not to show the text of the file with this name; empty if it may be shown."""

EACH = "each"
SHOWN = 400
"""Longest error text in characters: a line may have a megabyte."""
MOST = 200_000
"""Aliases of all files together, unless the caller permits more: a line of a few words may have
thousands, and some hundred lines all memory."""


class Declarations:
    """The aliases that files declare; ``errors`` are texts, each with ``file:line:column``: the
    first of ``wrong`` ones (model/listing.py). ``items`` are blocks, and runs of lines that are
    alike; ``wishes`` has one of each, from which the others of it differ in slot and address only.
    ``large``: an item has many aliases. ``tasks`` are the lines that are no aliases: neither the
    length nor the iteration knows them."""

    __slots__ = ("_blocks", "errors", "items", "large", "tasks", "wishes", "wrong")

    def __init__(
        self,
        items: Sequence[Item],
        errors: list[str],
        wrong: int = 0,
        tasks: Sequence[Task] = (),
    ) -> None:
        self.items = items
        self.tasks = tasks
        self.errors = errors
        self.wrong = wrong
        self.wishes = [item.wish for item in items]
        self.large = any(len(item.slots) >= LEAST for item in items)
        self._blocks: list[Block] | None = None

    @property
    def blocks(self) -> list[Block]:
        """The declarations line by line; those of a run are made by the first call."""
        if self._blocks is None:
            found: list[Block] = []
            for item in self.items:
                found += [item] if isinstance(item, Block) else item.blocks()
            self._blocks = found
        return self._blocks

    def __len__(self) -> int:
        return sum(map(len, self.items))

    def __iter__(self) -> Iterator[tuple[Wish, str]]:
        """Each wish and its place."""
        for block in self.blocks:
            place = block.place
            for wish in block.wishes():
                yield wish, place

    def only(self, main: str) -> Declarations:
        """The declarations for one main device, with all errors."""
        mine = [item for item in self.items if item.wish.name.main == main]
        tasks = [one for one in self.tasks if one.main == main]
        return Declarations(mine, self.errors, self.wrong, tasks)


def parse(
    sources: Iterable[tuple[str, str]],
    registry: Registry,
    withheld: Withheld | None = None,
    *,
    most: int = MOST,
) -> Declarations:
    """The declarations of files, given as pairs of name and text.

    Errors in a text are collected, not raised. Those of a file whose text is *withheld* have its
    name, the line and their kind only; without *withheld* all texts may be shown. More than *most*
    aliases are an error, after which nothing more is read.
    """
    reader = _Reader(registry, withheld, most)
    for name, text in sources:
        reader.read(name, text)
    if reader.tasks:
        reader.check_tasks()
    return Declarations(reader.items, reader.errors, reader.wrong, [*reader.tasks.values()])


class DeclarationError(errors.UsageError):
    """Errors in files; ``details`` has a line with ``file:line:column`` for each of the first."""

    def __init__(self, details: list[str], count: int, *, changing: bool = True) -> None:
        from netalias.model.listing import rest

        super().__init__(counted(count, "error") + "; nothing was changed" * changing)
        self.details = [*details, *rest(count)]


def check(declarations: Declarations, *, changing: bool = True) -> None:
    """Check that there are no errors. Raises DeclarationError, which with *changing* says that
    nothing was changed."""
    if declarations.errors:
        raise DeclarationError(declarations.errors, declarations.wrong, changing=changing)


class _Reader:
    """The declarations that were read so far.

    ``slots`` maps main device and slot to their block, ``owners`` family and address to theirs.
    ``tasks`` maps the key of a task to it.
    ``templates`` maps the shape of plain lines (see _shape()) to the wish of the first such line.
    ``wrong`` counts the errors, ``left`` the aliases that may still come of *most*. In the lines up
    to ``tried`` a run was looked for.
    """

    __slots__ = (
        "defaults", "errors", "items", "left", "most", "owners", "registry", "slots", "source",
        "tasks", "templates", "tried", "withheld", "wrong",
    )  # fmt: skip

    def __init__(self, registry: Registry, withheld: Withheld | None, most: int) -> None:
        self.registry = registry
        self.withheld = withheld
        self.most = self.left = most
        self.wrong = 0
        self.items: list[Item] = []
        self.errors: list[str] = []
        self.slots: dict[str, dict[int, Item]] = {}
        self.owners: dict[int, dict[bytes, Item]] = {}
        self.tasks: dict[tuple[str, str], Task] = {}
        self.templates: dict[object, Wish] = {}
        self.source = ""
        self.tried = 0
        self.defaults: Wish | None = None

    def read(self, source: str, text: str) -> None:
        """Read one file."""
        self.source = source
        self.tried = 0
        self._use(None)
        for number, lines in pieces(text):
            at = 0
            while at < len(lines):
                if self.left < 0:
                    return
                line = lines[at]
                if line and not line.isspace():
                    at += self._read(lines, at, number + at) - 1
                at += 1

    def _read(self, lines: Sequence[str], at: int, number: int) -> int:
        """Read the line with the index *at*, and those after it that are like it; their number."""
        line = lines[at]
        words = line.split(None, 2)
        if not self._repeated(words, number):
            self._line(line, number)
            return 1
        shape, ahead = _shape(words), lines[at + LEAST : at + LEAST + 1]
        if number < self.tried or not ahead or _shape(ahead[0].split(None, 2)) != shape:
            return 1
        head, tail, chunk = alike(lines, at)
        self.tried = number + len(chunk)
        return 1 + self._run(chunk, head, tail, self.templates[shape], number + 1)

    def _run(self, chunk: list[str], head: str, tail: str, like: Wish, number: int) -> int:
        """Declare the aliases of lines that are alike; their number, 0 if they are to be read one
        by one."""
        family, known = like.type.family, self.slots.get(head[:-1])  # type: ignore[union-attr]
        found = columns(chunk, head, tail, family) if LEAST <= len(chunk) <= self.left else None
        if found is None or known is None:
            return 0
        slots, addresses = found
        wish = like.copy(AliasName(intern(head[:-1]), slots[0]), addresses[0])
        run = Run(wish, slots, addresses, self.source, number)
        owners = self.owners[family]
        new, mine = dict.fromkeys(slots, run), dict.fromkeys(addresses, run)
        # Of two sets of keys the smaller one is looked up in the other.
        free = known.keys().isdisjoint(new.keys()) and owners.keys().isdisjoint(mine.keys())
        if not (free and len(new) == len(mine) == len(run)):
            return 0
        known.update(new)
        owners.update(mine)
        self.items.append(run)
        self.left -= len(run)
        return len(run)

    def _repeated(self, words: Sequence[str], number: int) -> bool:
        """Whether the line has the shape of an earlier one; its alias is then declared.

        This is the fast path for long files. *words* are slot, address and all the rest. Any doubt
        is left to _line().
        """
        wish = self.templates.get(_shape(words))
        if wish is None or len(words) < 2 or not self.left:
            return False
        main, _, digits = words[0].partition(":")
        known = self.slots.get(main)
        slot = names.number(digits, 5)
        if known is None or slot < 0:
            return False
        family = wish.type.family  # type: ignore[union-attr]
        owners = self.owners[family]
        try:
            packed = inet_pton(family, words[1].partition("/")[0])
        except (OSError, ValueError):
            return False
        if slot > SLOT_MAX or slot in known or packed in owners or not 0 < packed[0] < MULTICAST:
            return False
        block = Block(
            wish.copy(AliasName(intern(main), slot), packed), range(slot, slot + 1), (packed,),
            self.source, number, wish,
        )  # fmt: skip
        known[slot] = owners[packed] = block
        self.items.append(block)
        self.left -= 1
        return True

    def _line(self, line: str, number: int) -> None:
        """Read any line."""
        words = words_of(line)
        # A line may differ from an earlier one in its comment or its blanks only.
        if not words or self._repeated([*words[:2], " ".join(words[2:])], number):
            return
        try:
            if words[0] == DEFAULTS:
                from netalias.desired.defaults import read

                self._use(read(words, self.registry))
            elif ":" in words[0]:
                self._alias(words, line, number)
            else:
                self._task(words, number)
        except errors.NetaliasError as error:
            word = error.word if isinstance(error, errors.UsageError) else 0
            self._report(line, number, word, error)

    def _use(self, defaults: Wish | None) -> None:
        self.defaults = defaults
        self.templates.clear()

    def _alias(self, words: list[str], line: str, number: int) -> None:
        """Read a line that declares aliases. Raises UsageError, FamilyError."""
        main, slots = ranges.slots(words[0])
        first = str(AliasName(main, slots[0]))
        self._spend(len(slots))
        at, type_word = address_at(words)
        each = words[at + 1 : at + 2] == [EACH]
        many: Sequence[bytes] = ()
        if type_word in BUILTIN_WORDS and (each or ranges.is_range(words[at])):
            alias_type = self.registry.get(type_word)
            many, text = _many(words, at, each, alias_type, len(slots))
            self._spend(len(many) - len(slots))
            wish = self._wish([first, *words[1:at], text, *words[at + 1 + each :]], at, each)
        else:
            wish = self._wish([first, *words[1:]], at, False)
        if wish.mac not in (b"", RANDOM_MAC) and len(slots) > 1:
            raise errors.UsageError(f"{words[0]}: hw ether: a MAC belongs to one alias")
        addresses = many or (wish.address,)
        if len(addresses) != len(slots):
            raise at_word(
                at,
                errors.UsageError(
                    f"{words[0]}: {counted(len(slots), 'slot')} and"
                    f" {counted(len(addresses), 'address')} do not pair up",
                    "" if many else "a range such as 10.0.0.1-50, or 10.0.0.1+ to count up",
                ),
            )
        self._add(Block(wish, slots, addresses, self.source, number), line, at)
        if not many and at == 1:
            self.templates[_shape(line.split(None, 2))] = wish
            self.templates[_shape([*words[:2], " ".join(words[2:])])] = wish

    def _task(self, words: list[str], number: int) -> None:
        """Read a line that is no alias. Raises UsageError, AlreadyExists."""
        from netalias.desired import tasks

        task = tasks.read(words)
        task.source, task.line = self.source, number
        owner = self.tasks.setdefault(task.key, task)
        if owner is not task:
            raise errors.AlreadyExists(f"{task.title} is already declared at {owner.place}")
        task.apart_from(self.tasks.values())

    def check_tasks(self) -> None:
        """Report the tasks that have what an alias, or another task, is declared to have."""
        for task in self.tasks.values():
            self.source = task.source
            for owners in self.owners.values():
                twice = next((packed for packed in owners if task.lends(packed)), None)
                if twice is not None:
                    text, where = _declared(twice, owners[twice])
                    error = errors.AlreadyExists(f"{task.title}: {text} is {where}")
                    self._report(task.text, task.line, 0, error)
            try:
                task.settle(self.tasks.values(), self.slots)
            except errors.StateError as error:
                self._report(task.text, task.line, 0, error)

    def _spend(self, count: int) -> None:
        """Note that a line, be it right or wrong, has *count* aliases. Raises LimitError."""
        self.left -= max(count, 0)
        if self.left < 0:
            raise too_many(self.most)

    def _wish(self, words: list[str], at: int, each: bool) -> Wish:
        """The complete wish of a line without ranges. Raises UsageError, FamilyError.

        *each*: the word ``each`` was left out after the word with the index *at*.
        """
        try:
            wish = desired.parse(words, self.registry)
        except errors.UsageError as error:
            error.word += each and error.word > at
            raise
        if wish.type is None:
            raise errors.UsageError(f"{wish.name}: an address is needed")
        if self.defaults is not None:
            from netalias.desired.defaults import fill

            fill(wish, self.defaults)
            wish.check(wish.type)
        return wish

    def _add(self, block: Block, line: str, at: int) -> None:
        """Keep a block; a slot or address that is declared twice is an error."""
        assert block.wish.type is not None
        slots = self.slots.setdefault(block.wish.name.main, {})
        owners = self.owners.setdefault(block.wish.type.family, {})
        found = self.wrong
        if not _register(slots, block.slots, block):
            slot = next(slot for slot in block.slots if slots[slot] is not block)
            name, owner = AliasName(block.wish.name.main, slot), slots[slot]
            there = owner.place_of(owner.slots.index(slot))
            text = f"{name} is already declared at {there}"
            self._report(line, block.line, 0, errors.AlreadyExists(text))
        if not _register(owners, block.addresses, block):
            twice = errors.AlreadyExists(_duplicate(block, owners))
            self._report(line, block.line, at, twice)
        if self.wrong == found:
            self.items.append(block)

    def _report(self, line: str, number: int, word: int, error: errors.NetaliasError) -> None:
        """Note an error in the word with the index *word*."""
        from netalias.model.listing import FIRST

        self.wrong += 1
        if self.wrong > FIRST:
            return
        reason = self.withheld(self.source) if self.withheld is not None else ""
        if reason:
            self.errors.append(f"{self.source}:{number}: {error.kind()} ({reason})")
            return
        text = error.line()
        if len(text) > SHOWN:
            text = f"{text[: SHOWN // 2]}...{text[-SHOWN // 2 :]}"
        self.errors.append(f"{self.source}:{number}:{column(line, word)}: {text}")


def _shape(words: Sequence[str]) -> tuple[object, ...]:
    """The shape of a plain line: all of it but slot and address.

    Family, prefix length and the other words.
    """
    address, slash, length = words[1].partition("/") if len(words) > 1 else ("", "", "")
    return ":" in address, slash, length, words[2] if len(words) > 2 else ""


def too_many(most: int) -> errors.LimitError:
    """The error for more than *most* aliases."""
    return errors.LimitError(f"more than {most} aliases", "--max-aliases NUMBER permits more")


def address_at(words: Sequence[str]) -> tuple[int, str]:
    """The index of the address and the word for its type; (0, "") without an address."""
    index = 1
    while index < len(words):
        word = words[index]
        if word in desired.WORDS:
            index += 1 + desired.arguments(word, "".join(words[index + 1 : index + 2]))
            continue
        guessed = desired.guess_type(word)
        if guessed:
            return index, guessed
        if index + 1 == len(words) or words[index + 1] in desired.WORDS:
            break
        return index + 1, word
    return 0, ""


def _many(
    words: Sequence[str], at: int, each: bool, alias_type: AliasType, count: int
) -> tuple[Sequence[bytes], str]:
    """The packed addresses of a range, and the text of the first. Raises BadAddress."""
    try:
        if each:
            many, length = ranges.hosts(words[at], alias_type), None
        else:
            many, length = ranges.addresses(words[at], alias_type, count)
    except errors.BadAddress as error:
        raise at_word(at, errors.BadAddress(f"{words[0]}: {error}", error.hint)) from None
    text = alias_type.format(many[0])
    return many, text if length is None else f"{text}/{length}"


def _register(known: dict[Key, Item], keys: Sequence[Key], block: Block) -> bool:
    """Note *block* for each key that is free; whether all were free and no key came twice."""
    new = dict.fromkeys(keys, block)
    if len(new) == len(keys) and known.keys().isdisjoint(new):
        known.update(new)
        return True
    for key in new:
        known.setdefault(key, block)
    return False


def _duplicate(block: Block, owners: Mapping[bytes, Item]) -> str:
    """The error text for the first address of a block that is declared elsewhere, or twice."""
    seen: set[bytes] = set()
    for packed in block.addresses:
        if owners[packed] is not block or packed in seen:
            break
        seen.add(packed)
    owner = owners[packed]
    text, where = _declared(packed, owner)
    if owner is block:
        at = owner.addresses.index(packed)
        return f"{text} is given twice ({AliasName(owner.wish.name.main, owner.slots[at])})"
    return f"{text} is already {where}"


def _declared(packed: bytes, owner: Item) -> tuple[str, str]:
    """The text of an address, and where it is declared: ``declared at FILE:LINE (eth0:0)``."""
    at = owner.addresses.index(packed)
    assert owner.wish.type is not None
    name = AliasName(owner.wish.name.main, owner.slots[at])
    return owner.wish.type.format(packed), f"declared at {owner.place_of(at)} ({name})"


def counted(number: int, what: str) -> str:
    """``1 slot``, ``2 slots``, ``3 aliases``."""
    plural = "es" if what.endswith("s") else "s"
    return f"{number} {what}{'' if number == 1 else plural}"
