"""A reconciliation that finds nothing to do, among thousands of aliases.

The commands run in turns as whole processes, in one private namespace for each kind and number;
their time is that of the processor (user and system), so that other work on the machine matters
less, and the ratio is to a bare Python of the same rounds. The floor is a bare Python and the dumps
of netalias, read and thrown away by floor.c.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from page import LAUNCHER, table, verdict
from peers import LABEL, MACVLAN, address, forget
from processes import captured, used
from stage import Run, Stage

SIZES = ((LABEL, 1000), (LABEL, 10_000), (MACVLAN, 100), (MACVLAN, 4000))
QUICK = ((LABEL, 100), (MACVLAN, 100))
ROUNDS = 9
FLOOR, NOTHING, COMPARE = "floor", "no-op", "no-op, compared"
LIMITS = {
    (LABEL, 1000): {NOTHING: 1.25},
    (LABEL, 10_000): {NOTHING: 1.5, COMPARE: 4.0},
    (MACVLAN, 4000): {NOTHING: 2.5, COMPARE: 5.0},
}
"""Multiples of a bare Python, at most."""
INTRODUCTION = """\
Medians of the processor time of whole processes that took turns, as multiples of a bare Python
(`python -c pass`). The floor is the time of that and of the dumps of a no-op, read and thrown away
by a program in C: nobody can tell without them that nothing was changed. The kernel has no counter
of changes that a process could ask for, announces no change of sysctls, and sends no device
without the attributes that nobody wants.
"""


def measured(kind: str, count: int, player: str) -> dict[str, float]:
    """The medians in milliseconds, by the name of the command. Raises Failed."""
    stage = Stage()
    try:
        with TemporaryDirectory() as folder:
            return _rounds(Path(folder), kind, count, player)
    finally:
        stage.close()


def _rounds(folder: Path, kind: str, count: int, player: str) -> dict[str, float]:
    file, recording = folder / "declared", str(folder / "recording")
    lines = (f"eth9:{slot} {address(slot)} kind {kind}\n" for slot in range(count))
    file.write_text("".join(lines), encoding="ascii")
    words = [LAUNCHER, "reconcile", "-q", str(file)]
    captured(words)
    forget()
    program = str(Path(__file__).with_name("floor.py"))
    captured([sys.executable, program, "record", recording, *words[1:]])
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        captured(words)  # it leaves a fingerprint
        taken = {"bare": used([sys.executable, "-c", "pass"]), NOTHING: used(words)}
        taken[FLOOR] = taken["bare"] + used([player, recording])
        forget()
        taken[COMPARE] = used(words)
        for name, one in taken.items():
            times.setdefault(name, []).append(one)
    return {name: statistics.median(some) for name, some in times.items()}


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    player, rows = str(run.installs.player()), []
    for kind, count in QUICK if run.quick else SIZES:
        found = measured(kind, count, player)
        limits = LIMITS.get((kind, count), {})
        cells = [_ratio(found, name, limits.get(name)) for name in (FLOOR, NOTHING, COMPARE)]
        rows.append([f"{count} {kind}s", f"{found['bare']:.1f} ms", *cells])
    head = ("", "bare", FLOOR, NOTHING, COMPARE)
    return f"{INTRODUCTION}\n{table(head, rows)}"


def _ratio(found: dict[str, float], name: str, limit: float | None) -> str:
    """The cell of a figure; where its target is missed, with the floor as the reason."""
    ratio, text = found[name] / found["bare"], f"{found[name] / found['bare']:.2f} x"
    if not limit:
        return text
    reason = f"the floor alone {found[FLOOR] / found['bare']:.2f}"
    return f"{text} (<= {limit:g}: {verdict(ratio, limit, reason)})"
