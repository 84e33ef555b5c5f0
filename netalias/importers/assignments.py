"""Files of sh(1) that assign texts to variables: what can be told without running them. Pure.

::

    IPADDR='10.0.0.1'            IPADDR: 10.0.0.1
    IPADDRS[0]="10.0.0.1 \\
      10.0.0.2"                  IPADDRS[0]: 10.0.0.1   10.0.0.2
    Address=('10.0.0.1' "A B")   Address: an array of 10.0.0.1 and A B
    IPADDR=$(hostname -i)        a note: only a shell knows it

A function, ``if`` and its like are one note, and so is a command; what stands inside is not read.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Sequence

QUOTED = r"""'[^']*'|"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`|\\."""
TOKEN = (
    r"""(?s)(?P<ignored>(?:[^\S\n]|\\\n)+|(?<!\))\#[^\n]*)"""
    rf"""|(?P<operator>\n|;;|&&|\|\||<<|[;&|()<>])"""
    rf"""|(?P<word>(?:{QUOTED}|[^\s'"`\\;&|()<>])+)"""
)
PIECE = rf"(?s){QUOTED}|."
ASSIGNED = r"(?a)([A-Za-z_]\w*)(?:\[(\w*)\])?(\+?)="
ESCAPED = r'\\([$`"\\\n])'
OPENING = ("if", "for", "while", "until", "case", "select", "{")
CLOSING = ("fi", "done", "esac", "}")
LEADING = ("then", "do", "else", "elif", "!", "time", *OPENING)
FUNCTION = "function"
"""Words after which a command begins."""
ENDS = ("\n", ";", ";;")
QUIET = (":", "true")
EXPORT = "export"
BROKEN = {
    "<<": "a here document",
    "'": "a quote that is not closed",
    "=(": "an array that is not closed",
    ";": "a ; without a command",
    ";;": "a ;; outside case",
}
"""The last token of a statement after which nothing is read: what it is."""
EXPANDED = "*?[{~"
"""Characters that a shell expands in an array, and not in the text of a variable."""
SHOWN = 40
"""Characters of a command that a note shows."""


class Variable:
    """A variable. ``items`` are its elements if it is an ``array``, else its one text."""

    __slots__ = ("array", "items", "place")

    def __init__(self, items: list[str], place: str, *, array: bool = False) -> None:
        self.items = items
        self.place = place
        self.array = array

    @property
    def text(self) -> str:
        """Its text, or its first element."""
        return self.items[0] if self.items else ""


class Operator(str):
    """A token that is no word."""

    __slots__ = ()


class _Array:
    """``NAME=(WORD...)``; ``words`` is None if it holds more than words."""

    __slots__ = ("head", "words")

    def __init__(self, head: str) -> None:
        self.head = head
        self.words: list[str] | None = []

    def __str__(self) -> str:
        return f"{self.head}("


def variables(
    text: str, path: str, note: Callable[[str, str], None], about: Callable[[str], object]
) -> dict[str, Variable]:
    """The variables of the file at *path* in the order in which they first stand there, those that
    are indexed as ``NAME[INDEX]``; only those whose name *about* accepts.

    What only a shell knows is told to *note*, with its place: ``file:line``.
    """
    found: dict[str, Variable] = {}
    nesting = _Nesting()
    for line, statement in _statements(text):
        place = f"{path}:{line}"
        inside = nesting.depth
        nesting.take(statement)
        if inside:
            continue
        if isinstance(statement[-1], Operator) and statement[-1] in BROKEN and not nesting.depth:
            note(place, f"{BROKEN[statement[-1]]}: nothing below is read")
            return found
        words = statement
        if statement[0] == EXPORT:
            words = [word for word in statement[1:] if _assigns(word)]
        heads = [_head(word) for word in words]
        if nesting.depth or not all(heads):
            _note_command(found, statement, heads[0], place, note, about)
            continue
        for head, word in zip(heads, words, strict=True):
            if head is not None and about(head[1]):
                _assign(found, head, word, place, note)
    return found


def _assigns(word: object) -> bool:
    """Whether a word behind export is more than a name."""
    return isinstance(word, Operator) or "=" in str(word)


def _note_command(
    found: dict[str, Variable],
    statement: Sequence[object],
    head: re.Match[str] | None,
    place: str,
    note: Callable[[str, str], None],
    about: Callable[[str], object],
) -> None:
    """Note a statement that is more than assignments. *head* is that of its first word, which may
    go on with a substitution."""
    if head is not None and "$" in str(statement[0]):
        if about(head[1]):
            _forget(found, head, place, note)
        return
    if statement[0] in QUIET and not any(isinstance(word, Operator) for word in statement):
        return
    shown = " ".join(str(word) for word in statement).replace(" ( )", "()")
    if "\n" in shown or len(shown) > SHOWN:
        shown = f"{shown.split(chr(10))[0][:SHOWN]}..."
    note(place, f"{shown}: only a shell knows what it does; it is not read")


def _forget(
    found: dict[str, Variable],
    head: re.Match[str],
    place: str,
    note: Callable[[str, str], None],
) -> None:
    found.pop(_key(head), None)
    note(place, f"{_key(head)}: only a shell knows its value")


def _key(head: re.Match[str]) -> str:
    return f"{head[1]}[{head[2]}]" if head[2] is not None else head[1]


def _assign(
    found: dict[str, Variable],
    head: re.Match[str],
    word: object,
    place: str,
    note: Callable[[str, str], None],
) -> None:
    """Take an assignment, or note why not."""
    key = _key(head)
    if head[3]:
        note(place, f"{key}: += is not read: only a shell knows what it adds to")
        return
    items: list[str | None]
    if isinstance(word, _Array):
        items = [None] if word.words is None else [literal(one, array=True) for one in word.words]
    else:
        items = [literal(str(word)[head.end() :])]
    known = [item for item in items if item is not None]
    if len(known) < len(items):
        _forget(found, head, place, note)
        return
    found[key] = Variable(known, place, array=isinstance(word, _Array))


def literal(word: str, *, array: bool = False) -> str | None:
    """The text of a word without its quotes; None where only a shell knows it."""
    import re

    found = []
    for match in re.finditer(PIECE, word):
        piece = match[0]
        if piece[0] == "'" and len(piece) > 1:
            found.append(piece[1:-1])
            continue
        quoted = piece[0] == '"' and len(piece) > 1
        if quoted:
            plain = re.sub(r"\\.", "", piece[1:-1], flags=re.DOTALL)
            piece = re.sub(ESCAPED, _escaped, piece[1:-1])
        elif piece[0] == "\\":
            found.append("" if piece == "\\\n" else piece[1:])
            continue
        else:
            plain = piece
        if "$" in plain or "`" in plain:
            return None
        if not quoted and plain in EXPANDED and (array or (plain == "~" and not any(found))):
            return None
        found.append(piece)
    return "".join(found)


def _escaped(match: re.Match[str]) -> str:
    return "" if match[1] == "\n" else match[1]


class _Nesting:
    """The numbers of open functions, ``if`` and their like, and of open parentheses."""

    __slots__ = ("parentheses", "words")

    def __init__(self) -> None:
        self.words = 0
        self.parentheses = 0

    @property
    def depth(self) -> int:
        return self.words + self.parentheses

    def take(self, statement: Sequence[object]) -> None:
        """Go through a statement."""
        begins = True
        before: object = ""
        for word in statement:
            if isinstance(word, Operator):
                # That behind a pattern of case has no partner.
                self.parentheses = max(0, self.parentheses + (word == "(") - (word == ")"))
                begins = True
                continue
            if begins:
                self.words = max(0, self.words + (word in OPENING) - (word in CLOSING))
            begins = (begins and word in LEADING) or before == FUNCTION
            before = word


def _statements(text: str) -> Iterator[tuple[int, list[object]]]:
    """The line and tokens of each statement; an array is one token."""
    begin = 0
    statement: list[object] = []
    array: _Array | None = None
    for line, token in _tokens(text):
        if array is not None:
            if token == ")" and isinstance(token, Operator):
                array = None
            elif not isinstance(token, Operator):
                if array.words is not None:
                    array.words.append(token)
            elif token != "\n":
                array.words = None
            continue
        if token == "(" and statement and _is_array(statement[-1]):
            array = _Array(str(statement.pop()))
            statement.append(array)
        elif isinstance(token, Operator) and token in ENDS:
            if token == ";;" or (token == ";" and not statement):
                begin = begin if statement else line
                statement.append(token)
            if statement:
                yield begin, statement
            statement = []
        else:
            begin = begin if statement else line
            statement.append(token)
    if array is not None:
        statement.append(Operator("=("))
    if statement:
        yield begin, statement


def _is_array(word: object) -> bool:
    """Whether an array follows: ``NAME=``."""
    head = None if isinstance(word, Operator) else _head(word)
    return head is not None and head.end() == len(str(word))


def _head(word: object) -> re.Match[str] | None:
    """The beginning of an assignment, up to its equals sign."""
    from re import match

    return match(ASSIGNED, str(word))


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    """The line and text of each token. A here document, or a quote that is not closed, is the last
    one. Between a parenthesis and a word behind it, without a blank, is an empty operator."""
    from re import finditer

    line = 1
    end = 0
    before = ""
    for match in finditer(TOKEN, text):
        if match.start() != end:
            break
        end = match.end()
        if match["operator"]:
            yield line, Operator(match[0])
        elif match["word"]:
            if before == ")":
                yield line, Operator("")
            yield line, match[0]
        if match[0] != "\\\n":
            before = match[0]
        if match[0] == "<<":
            return
        line += match[0].count("\n")
    if end != len(text):
        yield line, Operator("'")
