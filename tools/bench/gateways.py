"""The cost of gateways of aliases.

The same aliases with and without the word ``gateway`` take turns in every round, each in a fresh
network namespace with one veth device.
"""

from __future__ import annotations

import resource
import statistics
from collections.abc import Callable
from pathlib import Path

from page import LAUNCHER, duration, table
from peers import forget
from processes import captured
from stage import IP, Run, Stage, idle, limited

COUNT, QUICK = 4000, 500
ROUNDS = 3
CASES = {"without": "", "with": " gateway 10.0.255.254"}


def measure(count: int, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Milliseconds of processor time of each round by operation and case. Raises Failed."""
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for case, words in CASES.items():
            idle()
            stage = Stage()
            captured([IP, "addr", "add", "10.0.255.1/16", "dev", "eth9"])
            for operation, taken in _operations(count, words):
                found.setdefault((operation, case), []).append(taken)
            stage.close()
    return found


def _operations(count: int, words: str) -> list[tuple[str, float]]:
    """Each operation with its milliseconds, one after the other in the present namespace."""
    file = Path("/run/gateways.conf")
    line = f"eth9:0-{{last}} 10.0.0.1/32+ kind macvlan{words}\n"

    def reconcile(last: int) -> float:
        file.write_text(line.format(last=last) if last >= 0 else "", encoding="ascii")
        before = _used()
        words = ["reconcile", "-q", "--allow-empty", "--announce", "off", str(file)]
        limited([LAUNCHER, *words])
        return _used() - before

    def compared() -> float:
        forget()
        return reconcile(count - 1)

    def unchanged() -> float:
        reconcile(count - 1)  # the state that the run before has remembered was not yet at rest
        return reconcile(count - 1)

    steps: list[tuple[str, Callable[[], float]]] = [
        ("create all", lambda: reconcile(count - 1)),
        ("no-op", unchanged),
        ("no-op, compared", compared),
        ("one added", lambda: reconcile(count)),
        ("all removed", lambda: reconcile(-1)),
    ]
    return [(name, step()) for name, step in steps]


def _used() -> float:
    """Milliseconds of processor time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1000


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    count = QUICK if run.quick else COUNT
    found = measure(count, 1 if run.quick else ROUNDS)
    rows = []
    for operation in dict.fromkeys(operation for operation, _ in found):
        bare, led = (statistics.median(found[operation, case]) for case in CASES)
        rows.append([operation, duration(bare), duration(led), f"{led / bare:.2f} x"])
    head = ("", "without", "with a gateway", "ratio")
    return f"{INTRODUCTION.format(count=count)}\n{table(head, rows)}\n"


INTRODUCTION = """\
{count} macvlans in a network of their main device, with and without `gateway`, not announced;
medians of the processor time of whole processes that took turns. With gateways every run compares,
since the fingerprint of the last one knows no rules.
"""
