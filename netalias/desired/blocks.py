"""Declared aliases of one line of a file, and of many lines that are alike.

A file of thousands of lines such as ``eth0:17 10.0.0.17 kind label`` is read as few runs: columns
of slots and addresses, which the primitives of Python fill and compare. Blocks, one for each line,
are made only where somebody asks for them.
"""

from __future__ import annotations

from _operator import methodcaller
from _socket import inet_pton
from itertools import islice, repeat, takewhile

from netalias.model.names import SLOT_MAX, AliasName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.desired import Wish

LEAST = 8
"""Number of lines from which on a run is worth its columns."""
DIGITS = 5
"""Most digits of a slot."""
WORDS = b"0123456789abcdefABCDEF.:"
"""The characters of slots and addresses."""
MULTICAST = 224
"""First multicast byte of IPv4. From 1 to below it a first byte is legal in both families."""


class Block:
    """The aliases of one line.

    ``wish`` is the complete wish of the first alias; the others differ in slot and address only.
    ``addresses`` are packed, one for each of ``slots``. ``model`` is the wish of an earlier block
    of which this is a part, or like one: it differs in slot and address only, too.
    """

    __slots__ = ("addresses", "line", "model", "slots", "source", "wish")

    def __init__(
        self,
        wish: Wish,
        slots: range,
        addresses: Sequence[bytes],
        source: str,
        line: int,
        model: Wish | None = None,
    ) -> None:
        self.wish = wish
        self.model = model or wish
        self.slots = slots
        self.addresses = addresses
        self.source = source
        self.line = line

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.source}:{self.line}"

    def __len__(self) -> int:
        return len(self.slots)

    def place_of(self, at: int) -> str:
        """``file:line`` of the alias with this index."""
        return self.place

    def block(self, at: int) -> Block:
        """The same with one of the aliases only, by its index."""
        slots, addresses = self.slots[at : at + 1], self.addresses[at : at + 1]
        wish = self.wish.copy(AliasName(self.wish.name.main, slots[0]), addresses[0])
        return Block(wish, slots, addresses, self.source, self.line, self.model)

    def wishes(self) -> Iterator[Wish]:
        """The wish of each alias."""
        copy, main = self.wish.copy, self.wish.name.main
        for slot, address in zip(self.slots, self.addresses, strict=True):
            yield copy(AliasName(main, slot), address)


def single(wish: Wish, name: AliasName, place: str) -> Block:
    """A block of one alias; *place* is ``file:line``."""
    source, _, line = place.rpartition(":")
    return Block(wish, range(name.slot, name.slot + 1), [wish.address], source, int(line))


class Run:
    """The aliases of many lines, one each, that differ in slot and address only.

    ``wish`` is that of an earlier line of the same shape. The lines follow one another from
    ``line`` on. ``addresses`` are packed.
    """

    __slots__ = ("addresses", "line", "slots", "source", "wish")

    def __init__(
        self, wish: Wish, slots: list[int], addresses: list[bytes], source: str, line: int
    ) -> None:
        self.wish = wish
        self.slots = slots
        self.addresses = addresses
        self.source = source
        self.line = line

    @property
    def model(self) -> Wish:
        """The wish that all others are like, as in a block."""
        return self.wish

    def __len__(self) -> int:
        return len(self.slots)

    def place_of(self, at: int) -> str:
        """``file:line`` of the alias with this index."""
        return f"{self.source}:{self.line + at}"

    def block(self, at: int) -> Block:
        """The block of one of the lines, by its index."""
        slot, address = self.slots[at], self.addresses[at]
        wish = self.wish.copy(AliasName(self.wish.name.main, slot), address)
        place = self.source, self.line + at
        return Block(wish, range(slot, slot + 1), (address,), *place, self.wish)

    def blocks(self) -> Iterator[Block]:
        """The block of each line."""
        return map(self.block, range(len(self)))


def alike(lines: Sequence[str], at: int) -> tuple[str, str, list[str]]:
    """The lines after ``lines[at]`` that begin with the same main device and end as that does
    behind its address: ``eth0:``, that end, and the lines; none if it has other blanks between."""
    slot, address, *_ = lines[at].split(None, 2)
    begin = f"{slot} {address.partition('/')[0]}"
    if not lines[at].startswith(begin):
        return "", "", []
    head, tail = slot[: slot.find(":") + 1], lines[at][len(begin) :]
    if at < LEAST:
        # Most often all are alike, which counting tells in a tenth of the time; asked once for a
        # piece of text, or pieces of many short runs would take the square of it.
        rest = [*lines[at + 1 :]]
        while rest and not rest[-1]:
            rest.pop()
        text = "\n".join(["", *rest, ""])
        ends = text.count(f"{tail}\n") if tail else len(rest)
        if text.count(f"\n{head}") == ends == len(rest):
            return head, tail, rest
    more: Iterator[str] = takewhile(methodcaller("startswith", head), islice(lines, at + 1, None))
    return head, tail, [*takewhile(methodcaller("endswith", tail), more)]


def columns(
    chunk: Sequence[str], head: str, tail: str, family: int
) -> tuple[list[int], list[bytes]] | None:
    """The slots and the packed addresses of lines that are alike(); None if any of them has to be
    read by itself."""
    # Of each line two words remain, with one blank between them; what else there is tells another.
    text = "\n".join(chunk)
    text = text[len(head) : len(text) - len(tail)].replace(f"{tail}\n{head}", " ")
    between = text.encode().translate(None, WORDS) if text.isascii() else b""
    words = text.split()
    if between != b" " * (2 * len(chunk) - 1) or len(words) != 2 * len(chunk):
        return None
    digits, texts = words[::2], words[1::2]
    if max(map(len, digits)) > DIGITS:
        return None
    try:
        slots = [*map(int, digits)]
        packed = [*map(inet_pton, repeat(family), texts)]
    except (OSError, ValueError):
        return None
    if max(slots) > SLOT_MAX or not 0 < min(packed)[0] <= max(packed)[0] < MULTICAST:
        return None
    return slots, packed
