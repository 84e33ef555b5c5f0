"""The command line: words -> verb -> exit status. Tables decide; nothing here knows the kernel."""

from __future__ import annotations

import sys

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import NoReturn

    from netalias.engine import Engine


class Options:
    """What stood before the verb, and the way to an engine."""

    __slots__ = (
        "brief", "color", "dry_run", "family", "force", "group", "help", "json", "netns",
        "oneline", "opener", "pretty", "quiet", "tree", "verbose", "version", "wait",
    )  # fmt: skip

    def __init__(self, opener: Callable[[Options], Engine]) -> None:
        self.opener = opener
        self.brief = self.dry_run = self.force = self.help = self.json = False
        self.oneline = self.pretty = self.quiet = self.tree = self.verbose = self.version = False
        self.color = "auto"
        self.family = 0
        self.group = ""
        self.netns = ""
        self.wait = ""

    def engine(self) -> Engine:
        """An engine as the options wish it. Raises UsageError, NoSuchDevice."""
        return self.opener(self)


FLAGS: dict[str, tuple[str, object]] = {
    "-4": ("family", 2),
    "-6": ("family", 10),
    "-br": ("brief", True),
    "--brief": ("brief", True),
    "-h": ("help", True),
    "--help": ("help", True),
    "-j": ("json", True),
    "--json": ("json", True),
    "-o": ("oneline", True),
    "--oneline": ("oneline", True),
    "-p": ("pretty", True),
    "--pretty": ("pretty", True),
    "-q": ("quiet", True),
    "--quiet": ("quiet", True),
    "-v": ("verbose", True),
    "--verbose": ("verbose", True),
    "-V": ("version", True),
    "--version": ("version", True),
    "--dry-run": ("dry_run", True),
    "--force": ("force", True),
    "--tree": ("tree", True),
}
"""Option: the attribute that it sets, and the value."""

TAKING: dict[str, str] = {
    "-n": "netns",
    "--netns": "netns",
    "--group": "group",
    "--wait": "wait",
    "--color": "color",
}
"""Option with an argument, ``--netns NAME`` or ``--netns=NAME``: the attribute that it sets."""

COLORS = ("auto", "always", "never")


def parse_options(words: Sequence[str], options: Options) -> list[str]:
    """Set *options* from the words and give back the verb and its words. Raises UsageError.

    Options stand before the verb; the long flags are understood behind it too.
    """
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        _option(word, rest, options)
    verb, behind = rest[:1], rest[1:]
    for word in behind:
        if word in FLAGS and (word.startswith("--") or word == "-h"):
            setattr(options, *FLAGS[word])
        else:
            verb.append(word)
    return verb


def _option(word: str, rest: list[str], options: Options) -> None:
    name, equals, value = word.partition("=")
    if word in FLAGS:
        setattr(options, *FLAGS[word])
    elif name in ("-c", "--color"):
        # As in ip: bare -c means always.
        options.color = value if equals else "always"
        if options.color not in COLORS:
            raise errors.UsageError(f"{word}: one of {', '.join(COLORS)} is needed")
    elif name in TAKING:
        if not equals:
            if not rest:
                raise errors.UsageError(f"{word} needs an argument")
            value = rest.pop(0)
        setattr(options, TAKING[name], value)
    else:
        from netalias.wishes import nearest

        near = nearest(word, [*FLAGS, *TAKING])
        raise errors.UsageError(
            f"{word}: there is no such option", f"did you mean {near}?" if near else "see --help"
        )


def _alias(options: Options, words: list[str]) -> int:
    """``NAME``, ``NAME WORD...``, ``NAME-``."""
    from netalias import wishes

    with options.engine() as engine:
        wish = wishes.parse(words, engine.registry)
        if wish.empty:
            from netalias.verbs import detail

            return detail(options, engine, words[0])
        work = engine.plan if options.dry_run else engine.realise
        done = work(wish, force=options.force)
    if not options.quiet:
        for note in done.notes:
            complain(note, "warning: ")
    if options.dry_run or options.verbose:
        write("".join(f"{step.describe()}\n" for step in done.steps))
    return errors.STATUS_OK


VERBS = {
    "show": "show",
    "lookup": "lookup",
    "cat": "cat",
    "types": "types",
    "emulate": "emulate",
    "help": "usage",
}
"""Verb: the function in netalias.verbs."""


def find_verb(word: str) -> str:
    """The verb that *word* is, or begins uniquely. Raises UsageError."""
    if word in VERBS:
        return word
    begun = [verb for verb in VERBS if word and verb.startswith(word)]
    if len(begun) == 1:
        return begun[0]
    if begun:
        raise errors.UsageError(f"{word}: this could be {' or '.join(begun)}")
    from netalias.wishes import nearest

    near = nearest(word, list(VERBS))
    hint = f"an alias is called MAIN:SLOT: {word}:0; netalias show {word} shows those of a device"
    if near:
        hint = f"did you mean {near}?"
    raise errors.UsageError(f"{word}: neither a verb nor the name of an alias", hint)


def run(words: Sequence[str], options: Options) -> int:
    """Execute one command. Raises NetaliasError."""
    rest = parse_options(words, options)
    if options.version:
        from netalias import __version__

        write(f"netalias {__version__}\n")
        return errors.STATUS_OK
    first = rest[0] if rest else "show"
    verb = "" if ":" in first else find_verb(first)
    if options.help:
        verb, rest = "help", ["help", verb or "alias"] if rest else []
    if not verb:
        return _alias(options, rest)
    from netalias import verbs

    return int(getattr(verbs, VERBS[verb])(options, rest[1:]))


def main(
    argv: Sequence[str] | None = None, opener: Callable[[Options], Engine] | None = None
) -> int:
    """The command with these words (default: those of the process) -> exit status.

    *opener* makes the engine; the default is the real kernel.
    """
    words = sys.argv[1:] if argv is None else argv
    try:
        return run(words, Options(opener or _open))
    except errors.NetaliasError as error:
        complain(error.line())
        return error.status
    except BrokenPipeError:
        return errors.STATUS_OK  # who read us has seen enough
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except Exception as error:  # a bug of ours: it is called one, and never a traceback
        return _bug(error)


def program() -> NoReturn:
    """The command, and the end of the process.

    Nothing is finalised: there is no thread, no child, and no file that is not flushed.
    """
    from os import _exit

    status = main()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        pass  # who reads us has gone
    _exit(status)


def _open(options: Options) -> Engine:
    from netalias import open

    group = _number("--group", options.group, 0, 1)
    return open(options.netns, group=group, wait=_number("--wait", options.wait, 10, 0))


def _number(option: str, text: str, default: int, least: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) < least:
        raise errors.UsageError(f"{option} {text}: a number of at least {least} is needed")
    return int(text)


def _bug(error: Exception) -> int:
    from os import environ

    if environ.get("NETALIAS_DEBUG"):
        raise error
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    where = f" in {code.co_name}, line {trace.tb_lineno}" if code and trace else ""
    complain(
        f"this is a bug in netalias: {type(error).__name__}: {error}{where}"
        " (NETALIAS_DEBUG=1 shows more)"
    )
    return errors.STATUS_BUG


def complain(text: str, kind: str = "") -> None:
    """One line on standard error."""
    from netalias.views.plain import printable

    sys.stderr.write(f"netalias: {kind}{printable(text)}\n")


def write(text: str) -> None:
    """Text to standard output, with the bytes of names that are not UTF-8."""
    out = sys.stdout
    try:
        out.write(text)
    except UnicodeEncodeError:
        out.flush()
        encoding = out.encoding or "utf-8"
        raw = text.encode(
            encoding, "backslashreplace" if encoding != "utf-8" else "surrogateescape"
        )
        out.buffer.write(raw)
