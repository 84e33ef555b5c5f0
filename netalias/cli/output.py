"""Standard output, and standard error with one line for each error or warning."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.model.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from netalias.model.steps import Step

    Options = Any
    """The Options of netalias.cli, which imports this module."""


_later: list[list[tuple[Callable[[str], object], str]]] = []
"""For each held() around this the texts that it writes at its end, each with its function."""


class held:
    """``with held(), engine.transaction():``, after which everything is written that the block
    writes.

    Nobody has to read that: a pager waits for a key, and the terminal of a lost connection for
    ever. Whoever wrote under the lock would keep it from all others meanwhile: from commands, from
    a watcher, from the guard that restores the connection.
    """

    def __enter__(self) -> None:
        _later.append([])

    def __exit__(self, *_: object) -> None:
        _emit(_later.pop())


def failed(error: BaseException) -> int:
    """Report an error on standard error; the exit status. Raises a BaseException that is no error
    of the command."""
    if isinstance(error, errors.NetaliasError):
        explain(error)
        return error.status
    if isinstance(error, KeyboardInterrupt):
        complain(f"interrupted{getattr(error, 'rest', '')}")
        return interrupted(error)
    if isinstance(error, BrokenPipeError):
        abandon()
        return errors.STATUS_OK  # the reader has closed the pipe
    if isinstance(error, OSError):  # a file; the kernel's refusals are a KernelError
        complain(f"{error.filename or 'standard output'}: {error.strerror}")
        abandon()
        return errors.STATUS_KERNEL
    if isinstance(error, ImportError) and (library := _library(error)):
        hint = f"apt-get install python3-{library}, or pip install {library}"
        complain(f"{library} is needed for this, or a newer one: {error} ({hint})")
        return errors.STATUS_KERNEL
    if isinstance(error, Exception):
        return _bug(error)
    raise error


def _library(error: ImportError) -> str:
    """The library of others that could not be loaded; empty for a module of ours or of Python."""
    name = (error.name or "").partition(".")[0]
    return name if name in ("construct", "pyroute2", "rich", "zeroconf") else ""


def interrupted(error: KeyboardInterrupt) -> int:
    """The exit status of a command that a signal has ended, SIGINT unless *error* names another."""
    return errors.SIGNALLED + error.args[0] if error.args else errors.STATUS_INTERRUPTED


def end(number: int) -> None:
    """End by this signal: the caller is to see what ended the command."""
    from signal import SIG_DFL, raise_signal, signal

    signal(number, SIG_DFL)
    raise_signal(number)


def explain(error: errors.NetaliasError, place: str = "") -> None:
    """Write the details of an error, and the error with the prefix *place*, as lines to standard
    error."""
    for detail in error.details:
        _say(detail)
    complain(f"{place}{error.line()}")


def abandon() -> None:
    """Drop unwritten output, which Python would try to write again at exit."""
    from os import O_WRONLY, dup2, open

    if sys.stdout is not None:
        dup2(open("/dev/null", O_WRONLY), sys.stdout.fileno())


def _bug(error: Exception) -> int:
    """Report a bug of netalias with its place; the exit status."""
    from os import environ

    if environ.get("NETALIAS_DEBUG"):
        raise error
    try:
        from netalias.system.bug import report

        text = report(error)
    except Exception:  # without memory or descriptors nothing can be loaded
        text = f"{type(error).__name__}: {error}"
    complain(f"{text} (NETALIAS_DEBUG=1 shows more)")
    return errors.STATUS_BUG


def complain(text: str, kind: str = "", *, at_once: bool = False) -> None:
    """Write one line to standard error, with *kind* (``warning: ``) before the text; *at_once* also
    under a lock, and what was said before it (held)."""
    _say(f"netalias: {kind}{text}")
    if at_once:
        levels = [*_later]
        _later.clear()
        for kept in levels:
            _emit(kept)
            kept.clear()
        _later.extend(levels)


def _emit(kept: Sequence[tuple[Callable[[str], object], str]]) -> None:
    for emit, text in kept:
        emit(text)


def _say(line: str) -> None:
    if _later:
        _later[-1].append((_say, line))
    else:
        _put(line)


def _put(line: str) -> None:
    if sys.stderr is None:
        return
    try:
        text = f"{printable(line)}\n"
        if text.isascii():
            sys.stderr.write(text)
        else:
            from netalias.system.streams import put

            put(sys.stderr, text)
        sys.stderr.flush()
    except OSError:
        pass  # the exit status is left


def tell(options: Options, steps: Iterable[Step]) -> None:
    """With --verbose or --dry-run, print the commands that do the same as *steps*, unless the
    changes are printed as JSON."""
    if (options.dry_run or options.verbose) and options.changes is None:
        from netalias.model.commands import command

        write("".join(f"{command(step)}\n" for step in steps))


def write(text: str) -> None:
    """Write *text* to standard output, names that are not UTF-8 as their bytes. Raises StateError
    if it is closed, OSError."""
    out = sys.stdout
    if out is None:
        raise errors.StateError("standard output is closed")
    if _later:
        _later[-1].append((write, text))
        return
    try:
        out.write(text)
    except BrokenPipeError:
        abandon()  # the command goes on for its exit status
    except UnicodeEncodeError:
        from netalias.system.streams import put

        put(out, text)


def narrow(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    where: str,
    dropped: Sequence[tuple[str, ...]] | None = None,
) -> None:
    """Print a plain table: on a terminal without the columns *dropped* for which there is no room,
    and with a line that names them and the command *where* they are told."""
    rows = harmless(rows)
    if sys.stdout is not None and sys.stdout.isatty():
        from netalias.views import columns

        some = columns.DROPPED if dropped is None else dropped
        write(columns.fitted(headings, rows, width(), some, where=where))
    else:
        from netalias.views import aligned

        write(aligned(headings, rows))


def harmless(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    """The rows without what would be an order to a terminal."""
    if all(text.isprintable() for row in rows for text in row):
        return rows
    return [tuple(map(printable, row)) for row in rows]


def width() -> int:
    """The columns of the terminal, or those that COLUMNS says; 0 where there is neither."""
    from os import environ, get_terminal_size

    said = environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit():
        return int(said)
    try:
        return get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        return 0
