"""The output of a guest: its suites, each with all that ``pytest -v`` says."""

from __future__ import annotations

import re

SUITE = re.compile(r"^## suite (\S+)\n(.*?)^## status (-?\d+)$", re.MULTILINE | re.DOTALL)
"""guest.py has written these lines around each suite that came to its end."""

FAILURE = re.compile(r"^(tests/.+) (?:FAILED|ERROR) +\[ *\d+%\]$", re.MULTILINE)
"""The line in which pytest tells of a test that fails, as soon as it does."""


def results(text: str) -> dict[str, tuple[int, str]]:
    """Suite -> exit status of pytest, and all that it said; only suites that came to an end."""
    return {name: (int(status), said) for name, said, status in SUITE.findall(text)}


def failures(text: str) -> list[str]:
    """The tests that have failed, also those of a suite that is not at its end."""
    return FAILURE.findall(text)


def last(text: str) -> str:
    """The sentence with the last line of a guest."""
    lines = text.splitlines()
    return f"last heard: {lines[-1].strip()}" if lines else "nothing was heard of its tests"


def summary(text: str) -> str:
    """The end of pytest's output: failures and errors in full, else the short summary."""
    for title in ("ERRORS", "FAILURES", "short test summary info"):
        found = re.search(rf"^=+ {title} =+$", text, re.MULTILINE)
        if found is not None:
            return text[found.start() :]
    return "".join(text.splitlines(keepends=True)[-1:])
