"""The cost of lending addresses: one, and thousands in a batch.

Whole processes run interleaved with the creation of an alias; before each batch the record of loans
is removed, so that the pool is empty.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from page import LAUNCHER, duration, table, verdict
from processes import interleaved, silent, used
from stage import Run, Stage

COUNT = 2000
ROUNDS, QUICK = 20, 5
LIMIT, WHOLE = 1.15, 200.0
"""One take over one creation; milliseconds of COUNT takes in one batch."""
FILE = """\
pool lab 10.8.0.0/21 each
pool dev 10.9.0.0/24 each dev eth9 kind macvlan
"""


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rounds = QUICK if run.quick else ROUNDS
    file, lines = Path("/run/pools.conf"), Path("/run/takes")
    file.write_text(FILE, encoding="ascii")
    lines.write_text("pool lab take\n" * COUNT, encoding="ascii")
    stage = Stage()
    pools = [LAUNCHER, "--from", str(file)]

    def timed(
        words: list[str], before: Callable[[], object] = list, way: Callable[..., float] = silent
    ) -> Callable[[int], float]:
        def once(_: int) -> float:
            before()
            return way(words)

        return once

    batch = [*pools, "batch", str(lines)]
    found = interleaved(
        (
            ("bare", timed([sys.executable, "-c", "pass"])),
            ("create", timed([LAUNCHER, "eth9:70", "192.0.2.70", "kind", "macvlan"])),
            ("delete", timed([LAUNCHER, "eth9:70-"])),
            ("take", timed([*pools, "pool", "lab", "take"], _empty)),
            ("take with dev", timed([*pools, "pool", "dev", "take", "--for", "a"])),
            ("release", timed([*pools, "pool", "dev", "release", "--for", "a"])),
            ("batch", timed(batch, _empty)),
            ("batch, processor", timed(batch, _empty, used)),
        ),
        rounds,
        rounds,
    )
    stage.close()
    return f"{textwrap.fill(_text(found, rounds), 100)}\n\n{_table(found)}"


def _empty() -> None:
    """Nothing is lent any more."""
    for record in Path("/run/netalias").glob("*/pool-*.loans"):
        record.unlink()


def _text(found: dict[str, float], rounds: int) -> str:
    return (
        f"Medians of {rounds} interleaved runs of whole processes; a bare Python takes"
        f" {duration(found['bare'])}, the creation of an alias {duration(found['create'])}. The"
        f" batch takes {COUNT} addresses of a /21 without a device; of its time the processor works"
        f" {duration(found['batch, processor'])}."
    )


def _table(found: dict[str, float]) -> str:
    rows = []
    for name in ("take", "take with dev", "release"):
        ratio = found[name] / found["create"]
        limit = [f"<= {LIMIT:.2f} x", verdict(ratio, LIMIT)] if name == "take" else ["", ""]
        rows.append([f"pool {name}", duration(found[name]), f"{ratio:.2f} x", *limit])
    many = found["batch"]
    rows.append(
        [
            f"batch of {COUNT}",
            duration(many),
            f"{many / found['create']:.1f} x",
            f"<= {WHOLE:.0f} ms",
            verdict(many, WHOLE),
        ]
    )
    return table(("", "netalias", "ratio to a creation", "limit", ""), rows)
