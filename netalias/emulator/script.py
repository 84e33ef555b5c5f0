"""``netalias emulate``: a script of one command per line, executed on the emulator.

Commands::

    device NAME [[TYPE] ADDRESS[/LEN]] [WORD...]     a main device, made when first named
    device NAME remove
    NAME:SLOT [TYPE] ADDRESS[/LEN] [WORD...]
    NAME:SLOT WORD...
    NAME:SLOT                                        one alias
    NAME:SLOT- [WORD...]                             delete it
    show [MAIN|NAME...]    chain    types    counters    cat aliases|alias_types
    lookup ADDRESS         hash ADDRESS              rx [MAIN] SRC|- DST   tx NAME
    rx32 [MAIN] SRC|- DST                            max [N]
    route NETWORK/LEN DEVICE                         trace
    type add|remove NAME|FAMILY                      type add NAME FAMILY

A WORD is ``netmask MASK``, ``prefixlen LEN``, ``metric N``, ``mtu N``, ``up``, ``down``, or
``flags`` with a number such as 0x81 or names such as UP,NOARP: all flags in one request, or, for a
main device that is being made, those that its driver sets. ``rx32`` is the selection that IP and
ARP used, by 32-bit numbers. ``type add NAME FAMILY`` makes a type of four bytes without hooks of
its own. ``trace`` prints which hooks were called, and which devices went up and down or were freed,
since the last one; the first begins it.

A word that begins with "#" starts a comment. A line ``> text`` after a command holds the next line
that it prints, ``! ENODEV`` the error that it ends with: ``--check`` compares them, blanks at the
end of a line do not count.
"""

from __future__ import annotations

from errno import EOPNOTSUPP, errorcode
from os import fstat

from netalias import errors
from netalias.disclosure import shown, withheld
from netalias.emulator.commands import COMMANDS, alias_command
from netalias.emulator.engine import Emulator
from netalias.emulator.variants import VARIANTS
from netalias.model.listing import FIRST, rest
from netalias.model.names import printable
from netalias.sources import FileName
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import TextIO

USAGE = "netalias emulate [--variant 0.43|0.50] [--unprivileged] [--no-sel] [--check] [FILE|-]"


SIZE_MAX = 16 << 20
"""Longest script in characters."""


class Options:
    """The words after ``emulate``."""

    __slots__ = ("check", "file", "no_sel", "privileged", "variant")

    def __init__(self, words: Sequence[str]) -> None:
        """Raises UsageError."""
        self.variant = "0.43"
        self.privileged = True
        self.no_sel = False
        self.check = False
        self.file = "-"
        files = 0
        rest = list(words)
        while rest:
            word = rest.pop(0)
            if word in _SWITCHES:
                name, value = _SWITCHES[word]
                setattr(self, name, value)
            elif word == "--variant" or word.startswith("--variant="):
                self.variant = _variant(word, rest)
            elif word == "-" or not word.startswith("-"):
                self.file = word
                files += 1
            else:
                raise errors.UsageError(f"emulate: unknown option {word}", USAGE)
        if files > 1:
            raise errors.UsageError("emulate: one file at most", USAGE)


_SWITCHES = {
    "--unprivileged": ("privileged", False),
    "--no-sel": ("no_sel", True),
    "--check": ("check", True),
}


def _variant(word: str, rest: list[str]) -> str:
    _, equals, value = word.partition("=")
    if not equals:
        value = rest.pop(0) if rest else ""
    if value not in VARIANTS:
        raise errors.UsageError(f"emulate: --variant is one of {' '.join(VARIANTS)}", USAGE)
    return value


def _read(lines: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """The line number, the mark ("", ">" or "!") and the text of every line but empty ones and
    comments."""
    for number, text in enumerate(lines, 1):
        if text[:1] in (">", "!"):
            yield number, text[0], text[1:].strip("\r\n").removeprefix(" ").rstrip()
        elif text.split("#", 1)[0].strip():
            yield number, "", text


def _words(text: str) -> list[str]:
    words: list[str] = []
    for word in text.split():
        if word.startswith("#"):
            break
        words.append(word)
    return words


class Command:
    """One command of a script, with its expected output and error."""

    __slots__ = ("error", "line", "lines", "text")

    def __init__(self, line: int, text: str) -> None:
        self.line = line
        self.text = text
        self.lines: list[str] = []
        self.error = ""


def commands(lines: Iterable[str]) -> list[Command]:
    """The commands of a script, each with its expected answer. Raises UsageError for an answer
    before the first command."""
    found: list[Command] = []
    for number, mark, text in _read(lines):
        if not mark:
            found.append(Command(number, text))
        elif not found:
            raise errors.UsageError(f"line {number}: an answer before the first command")
        elif mark == ">":
            found[-1].lines.append(text)
        else:
            found[-1].error = text
    return found


def execute(emulator: Emulator, text: str) -> Iterator[str]:
    """The lines that one command prints. Raises NetaliasError, also during the iteration."""
    first, *rest = _words(text)
    if ":" in first:
        return alias_command(emulator, first, rest)
    if first not in COMMANDS:
        raise errors.UsageError(f"{first}: there is no such command")
    usage, least, most, function = COMMANDS[first]
    if not least <= len(rest) <= most:
        raise errors.UsageError(f"usage: {first} {usage}".rstrip())
    return function(emulator, *rest)


def play(emulator: Emulator, lines: Iterable[str], name: str, out: TextIO, err: TextIO) -> int:
    """Execute a script and report errors without stopping; the status of the last error."""
    status, count = errors.STATUS_OK, 0
    for number, mark, text in _read(lines):
        if mark:
            continue
        try:
            for line in execute(emulator, text):
                out.write(f"{printable(line)}\n")
        except errors.NetaliasError as error:
            status, count = error.status, count + 1
            if count <= FIRST:
                said = printable(shown(name, error))
                err.write(f"{name}:{number}: {said} [{_code(error)}]\n")
    err.writelines(f"{name}: {line}\n" for line in rest(count))
    return status


def check(emulator: Emulator, lines: Iterable[str], name: str, err: TextIO) -> int:
    """Execute a script and report differences from its ``>`` and ``!`` lines; 1 for any, else 0."""
    status, count = errors.STATUS_OK, 0
    for command in commands(lines):
        got: list[str] = []
        code = message = ""
        try:
            got.extend(line.rstrip() for line in execute(emulator, command.text))
        except errors.NetaliasError as error:
            code, message = _code(error), f" ({error})"
        differences = _differences(command, got, code, message)
        if withheld(name):
            differences = (f"another answer ({withheld(name)})" for _ in [*differences][:1])
        for difference in differences:
            status, count = 1, count + 1
            if count <= FIRST:
                err.write(f"{name}:{command.line}: {printable(difference)}\n")
    err.writelines(f"{name}: {line}\n" for line in rest(count, "difference"))
    return status


def _differences(command: Command, got: list[str], code: str, message: str) -> Iterator[str]:
    if code != command.error:
        yield f"expected {command.error or 'success'}, got {code or 'success'}{message}"
    for place in range(max(len(got), len(command.lines))):
        wanted = _quoted(command.lines, place)
        found = _quoted(got, place)
        if wanted != found:
            yield f"output line {place + 1}: expected {wanted}, got {found}"


def _code(error: errors.NetaliasError) -> str:
    # errorcode has ENOTSUP for this number.
    if error.errno == EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errorcode.get(error.errno, str(error.errno))


def _quoted(lines: list[str], place: int) -> str:
    return repr(lines[place]) if place < len(lines) else "nothing"


def main(argv: Sequence[str], stdin: TextIO, stdout: TextIO, stderr: TextIO) -> int:
    """``netalias emulate``; *argv* are the words after it. Returns the exit status."""
    try:
        options = Options(argv)
        with _opened(options.file, stdin) as lines:
            return _run(options, lines, _name(options.file, lines), stdout, stderr)
    except errors.UsageError as error:
        stderr.write(f"netalias: {printable(error.line())}\n")
        return error.status


def _opened(path: str, stdin: TextIO) -> AbstractContextManager[TextIO]:
    """The script; standard input stays open afterwards. Raises UsageError."""
    from contextlib import nullcontext

    if path == "-":
        return nullcontext(stdin)
    try:
        return open(path, encoding="utf-8", errors="surrogateescape", opener=readable)
    except OSError as error:
        raise errors.UsageError(f"{path}: {error.strerror}") from None


def _name(path: str, lines: TextIO) -> str:
    """The name of the script in messages."""
    return "<stdin>" if path == "-" else FileName(path, fstat(lines.fileno()))


def _run(options: Options, lines: TextIO, name: str, stdout: TextIO, stderr: TextIO) -> int:
    emulator = Emulator(options.variant, no_sel=options.no_sel, privileged=options.privileged)
    bounded = _bounded(lines, name)
    if options.check:
        return check(emulator, bounded, name, stderr)
    return play(emulator, bounded, name, stdout, stderr)


def _bounded(script: TextIO, name: str) -> Iterator[str]:
    """The lines of a script. Raises UsageError after SIZE_MAX characters: one of nothing but
    zeros has a line without an end."""
    left = SIZE_MAX
    while line := script.readline(left + 1):
        left -= len(line)
        if left < 0:
            raise errors.UsageError(f"{name}: longer than {SIZE_MAX >> 20} MiB")
        yield line
