"""The syntax of keepalived.conf(5): blocks of statements, from a file and all that it includes.

The model is lib/parser.c of keepalived 2.2::

    vrrp_instance web {          Block(["vrrp_instance", "web"])
        interface eth0             its Statement(["interface", "eth0"])
        virtual_ipaddress {        its Block(["virtual_ipaddress"])
            10.0.0.1 dev eth0        its Statement(["10.0.0.1", "dev", "eth0"])
        }
    }

``$NAME=TEXT`` is put in place of ``$NAME`` and ``${NAME}``. Definitions of several lines, ``~SEQ``
and ``~LST`` are notes, and so are conditional lines (``@ID``) that concern an address: which of
them count, keepalived is told on its command line.
"""

from __future__ import annotations

from os.path import dirname, join, normpath

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.importers.reading import Reading

ADDRESSES = ("static_ipaddress", "virtual_ipaddress", "virtual_ipaddress_excluded")
"""Blocks whose statements are addresses."""
CONCERNING = (
    *ADDRESSES, "vrrp_instance", "interface", "default_interface", "use_vmac", "include"
)  # fmt: skip
"""First words of conditional lines that make a difference to addresses."""
DEFINITION = r"(?as)\$([A-Za-z_]\w*)=[ \t]*(.*)"
USE = r"(?a)\$(?:\{(\w+)\}|(\w+)(?=\s|$))"
INCLUDE = r"include[rmwba]?[ \t]+(.*)"
PIECE = r'[{}]|(?:"[^"]*"?|[^{}"])+'
WORD = r'"([^"]*)"?|([^\s"]+)'
COMMENT = r'(?s)((?:"[^"]*"?|\\.|[^"!#\\]|\\$)*)'
LINE_MAX = 4096
"""Longest line after definitions were put in place."""
ROUNDS = 16
"""Definitions inside definitions."""
INCLUDED_MAX = 1000
"""Files that include each other are read in every order."""


class Statement:
    """The words of a line; ``place`` is ``file:line``."""

    __slots__ = ("place", "words")

    def __init__(self, words: list[str], place: str) -> None:
        self.words = words
        self.place = place


class Block(Statement):
    """A statement with others in braces behind it, in order."""

    __slots__ = ("inner",)

    def __init__(self, words: list[str], place: str) -> None:
        super().__init__(words, place)
        self.inner: list[Statement] = []

    def blocks(self, *names: str) -> Iterator[Block]:
        """The blocks inside that have one of these names, in order."""
        for one in self.inner:
            if isinstance(one, Block) and one.words[0] in names:
                yield one

    def last(self, name: str) -> Statement | None:
        """The last statement inside that begins with *name*."""
        return next((one for one in reversed(self.inner) if one.words[0] == name), None)


def parse(reading: Reading, path: str) -> Block:
    """The blocks of a file and of all that it includes. Raises StateError."""
    return _Parser(reading).parse(path)


class _Parser:
    """The blocks that are open, the definitions so far, and how many files were included."""

    __slots__ = ("definitions", "included", "open", "reading")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.included = 0
        self.definitions: dict[str, str] = {}
        self.open = [Block([""], "")]

    def parse(self, path: str) -> Block:
        root = self.open[0]
        self._file(self.reading.text(path), path, (normpath(path),))
        return root

    def _file(self, text: str, path: str, chain: tuple[str, ...]) -> None:
        from re import fullmatch

        lines = iter(enumerate(text.split("\n"), 1))
        for number, raw in lines:
            place = f"{path}:{number}"
            line = _decomment(raw)
            definition = fullmatch(DEFINITION, line)
            if definition:
                self._define(definition[1], definition[2], place)
                while line.endswith("\\"):
                    line = _decomment(next(lines, (0, ""))[1])
                continue
            line = self._filled(line)
            include = fullmatch(INCLUDE, line)
            if line.startswith("~"):
                self.reading.note(place, f"{line[:4]}: only keepalived makes lines of it")
            elif line.startswith("@"):
                self._conditional(line, place)
            elif include:
                self._include(include[1], path, place, chain)
            else:
                self._line(line, place)

    def _define(self, name: str, text: str, place: str) -> None:
        """Note that ``$name`` is *text*; one of several lines is not put in place."""
        if text.endswith("\\"):
            self.definitions.pop(name, None)
            self.reading.note(place, f"${name}: a definition of several lines is not carried over")
        else:
            self.definitions[name] = text

    def _filled(self, line: str) -> str:
        """The line with definitions in place; those that are unknown stay."""
        from re import sub

        for _ in range(ROUNDS):
            filled = sub(USE, lambda one: self.definitions.get(one[1] or one[2], one[0]), line)
            if filled == line or len(filled) > LINE_MAX:
                break
            line = filled
        return line.strip()

    def _conditional(self, line: str, place: str) -> None:
        words = line.split()
        rest = words[1] if len(words) > 1 else ""
        if self.open[-1].words[0] in ADDRESSES or rest.startswith((*CONCERNING, "$")):
            what = "whether this line counts, keepalived is told on its command line"
            self.reading.note(place, f"{words[0]}: {what}")

    def _include(self, pattern: str, path: str, place: str, chain: tuple[str, ...]) -> None:
        from glob import glob

        found = sorted(map(normpath, glob(join(dirname(path), pattern))))
        if not found:
            self.reading.note(place, f"{pattern}: there is no such file")
        for file in found:
            if file in chain or self.included == INCLUDED_MAX:
                what = "includes itself" if file in chain else "is one included file too many"
                self.reading.note(place, f"{file} {what}")
                continue
            self.included += 1
            self._file(self.reading.text(file, place), file, (*chain, file))

    def _line(self, line: str, place: str) -> None:
        """Take in the statements, braces among them, of one line."""
        from re import findall, finditer

        for piece in findall(PIECE, line):
            within = self.open[-1]
            words = [one[1] or one[2] or "" for one in finditer(WORD, piece)]
            if piece == "{":
                before = within.inner.pop() if within.inner else Statement([""], place)
                self.open.append(Block(before.words, before.place))
                within.inner.append(self.open[-1])
            elif piece == "}":
                if len(self.open) > 1:
                    self.open.pop()
            elif words:
                within.inner.append(Statement(words, place))


def _decomment(line: str) -> str:
    """The line without what stands behind ``#`` or ``!`` outside of quotes, and without blanks at
    its ends."""
    from re import match

    found = match(COMMENT, line)
    return found[1].strip() if found else ""
