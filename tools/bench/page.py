"""docs/performance.md: its head, its sections, and the Markdown that they are made of."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from installs import REPO
from processes import Failed, captured

PAGE = REPO / "docs" / "performance.md"
PICTURE = PAGE.with_suffix(".svg")

LAUNCHER = str(Path(sys.executable).with_name("netalias"))
"""The installed command beside this interpreter."""
KERNEL = ".".join(platform.release().split(".")[:2])
REACHED, MISSED, UNMEASURED = "reached", "missed", "not measured"
MARK = re.compile(rf"(?:\||:) ({REACHED}|{MISSED}|{UNMEASURED})\b")

INTRODUCTION = """\
# Performance

Written by `make bench`; `make bench BENCH="--only PART"` replaces one section. Below its heading
each section names what it was measured with, and the load of the machine before and after. The
ratios carry over to other machines, absolute times do not. What takes turns in every round is
disturbed alike by other work.
"""


def verdict(value: float, limit: float, reason: str = "") -> str:
    """Whether a figure is within its limit, in one word; the *reason* stands behind a missed
    one."""
    if value <= limit:
        return REACHED
    return f"{MISSED} ({reason})" if reason else MISSED


def duration(milliseconds: float) -> str:
    """A duration as text: ``93.6 ms``, ``976 ms``, ``11.6 s``."""
    if milliseconds >= 10_000:
        return f"{milliseconds / 1000:.1f} s"
    return f"{milliseconds:.0f} ms" if milliseconds >= 100 else f"{milliseconds:.1f} ms"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, aligned for reading as plain text."""
    body = [list(head), *map(list, rows)]
    widths = [max(len(row[place]) for row in body) for place in range(len(head))]
    body.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in body
    )


def load() -> float:
    """The load of the last minute."""
    return os.getloadavg()[0]


def facts(before: float) -> str:
    """The version, kernel and load of a section; *before* is the load at its beginning."""
    version = captured([LAUNCHER, "-V"]).split()[-1]
    return (
        f"{time.strftime('%Y-%m-%d')}, netalias {version}, Linux {KERNEL}, Python"
        f" {platform.python_version()}, {os.cpu_count()} processors ({processor()}); load"
        f" {before:.1f} before, {load():.1f} after."
    )


def processor() -> str:
    """The name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, "of unknown make")


def keep(headings: Sequence[str], sections: Mapping[str, str]) -> None:
    """Write the page: the given sections by heading, the others as they stand, in the order of
    *headings*. Raises OSError."""
    standing = split(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    found = {**standing, **sections}
    parts = [found[heading].strip() for heading in headings if heading in found]
    PAGE.write_text("\n\n".join([INTRODUCTION + "\n" + tally(parts), *parts]) + "\n", "utf-8")


def split(text: str) -> dict[str, str]:
    """The sections of a page by their headings."""
    found = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0].removeprefix("## "): section for section in found}


def tally(parts: Sequence[str]) -> str:
    """The number of targets, reached and missed, of all sections."""
    words = [word for part in parts for word in MARK.findall(part)]
    counts = ", ".join(f"{words.count(word)} {word}" for word in (REACHED, MISSED, UNMEASURED))
    return f"Targets: {counts}."


def draw(points: str, python: Path) -> None:
    """Draw the picture from points in JSON, by a Python with matplotlib. Raises Failed."""
    program = str(Path(__file__).with_name("chart.py"))
    done = subprocess.run([python, program, PICTURE], input=points, text=True, check=False)
    if done.returncode:
        raise Failed("the picture was not drawn")
