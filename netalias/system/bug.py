"""The report of an exception that nobody expected."""

from __future__ import annotations


def report(error: Exception) -> str:
    """The line for an exception that is no NetaliasError, with its place in the code."""
    if isinstance(error, MemoryError):
        return "there is not enough memory"
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code if trace is not None else None
    where = f" in {code.co_name}, line {trace.tb_lineno}" if code and trace else ""
    return f"this is a bug in netalias: {type(error).__name__}: {error}{where}"
