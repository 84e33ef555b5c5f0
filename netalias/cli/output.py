"""Standard output and standard error: text as it is, errors and warnings as one line each."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.model.names import printable


def failed(error: BaseException) -> int:
    """Say what went wrong; the exit status for it. Raises what is no matter of ours."""
    if isinstance(error, errors.NetaliasError):
        explain(error)
        return error.status
    if isinstance(error, KeyboardInterrupt):
        complain("interrupted")
        return errors.STATUS_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        abandon()
        return errors.STATUS_OK  # who read us has seen enough
    if isinstance(error, OSError):  # what the kernel refuses has errors of its own
        complain(f"{error.filename or 'standard output'}: {error.strerror}")
        abandon()
        return errors.STATUS_KERNEL
    if isinstance(error, Exception):
        return _bug(error)
    raise error


def explain(error: errors.NetaliasError, place: str = "") -> None:
    """Its details and itself, which is of *place*, as lines on standard error."""
    for detail in error.details:
        _say(detail)
    complain(f"{place}{error.line()}")


def abandon() -> None:
    """Drop what standard output did not take, or the end of the process would try it again."""
    from os import O_WRONLY, dup2, open

    if sys.stdout is not None:
        dup2(open("/dev/null", O_WRONLY), sys.stdout.fileno())


def _bug(error: Exception) -> int:
    """Say that an error is a bug of ours, and where; the exit status for it."""
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
    _say(f"netalias: {kind}{text}")


def _say(line: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(f"{printable(line)}\n")
        sys.stderr.flush()
    except OSError:
        pass  # the exit status says it too


def write(text: str) -> None:
    """Text to standard output, with the bytes of names that are not UTF-8."""
    out = sys.stdout
    if out is None:
        raise errors.StateError("standard output is closed")
    try:
        out.write(text)
    except BrokenPipeError:
        abandon()  # the command goes on, and its exit status is told
    except UnicodeEncodeError:
        out.flush()
        encoding = out.encoding or "utf-8"
        raw = text.encode(
            encoding, "backslashreplace" if encoding != "utf-8" else "surrogateescape"
        )
        out.buffer.write(raw)
