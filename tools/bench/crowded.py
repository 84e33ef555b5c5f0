"""One command among thousands of aliases.

The commands run in turns as whole processes, in one private namespace for each number of standing
aliases; their time is that of the processor (user and system), so that other work on the machine
matters less, and the ratio is to a bare Python of the same rounds. What the kernel itself takes for
the device of a macvlan is in it, and is shown by ``ip link`` doing the same.
"""

from __future__ import annotations

import statistics
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from tempfile import NamedTemporaryFile

from page import LAUNCHER, table, verdict
from peers import LABEL, MACVLAN
from processes import captured, used
from stage import IP, Run, Stage

CROWDS = (0, 1000, 4000, 16_000)
QUICK = (0, 1000)
ROUNDS = 9
ANY = float("inf")
TARGETS = {
    "create": (1.5, 1.6, 1.9, 3.0),
    "create, `-IS`": (1.3, ANY, ANY, ANY),
    "re-address": (1.5, 1.6, 1.9, 3.0),
    "down": (1.5, 1.6, 1.9, 3.0),
    "up": (1.5, 1.6, 1.9, 3.0),
    "show NAME": (1.25, 1.35, 1.6, 2.5),
    "lookup": (1.25, 1.35, 1.6, 2.5),
    "delete": (1.3, 1.5, 1.8, 3.0),
}
"""Multiples of a bare Python, for each of CROWDS."""
KERNEL = {"create": "ip link add", "create, `-IS`": "ip link add", "delete": "ip link del"}
"""Commands for macvlans, and those of ip(8) for the same device: the kernel's own part."""
ALONE = "eth9:65000"
INTRODUCTION = """\
Medians of the processor time of whole processes that took turns, as multiples of a bare Python
(`python -c pass`). The kernel's own time for the device of a macvlan is taken off: that of
`ip link` without the start of `ip`. With `-IS` Python starts without its site module, as in
Debian's package.
"""
ISOLATED = (
    f"import sys; sys.path.append({sysconfig.get_path('purelib')!r});"
    " from netalias.cli import main; sys.exit(main(sys.argv[1:]))"
)


def netalias(line: str) -> list[str]:
    """The command and its arguments, as a shell would split *line*."""
    return [LAUNCHER, *line.split()]


def commands(kind: str) -> dict[str, list[str]]:
    """The commands of one round, in their order, by name."""
    made = f"{ALONE} 10.250.0.1 kind {kind}"
    device = ["link", "add", "x9", "link", "eth9", "type", "macvlan", "mode", "bridge"]
    return {
        "bare": [sys.executable, "-c", "pass"],
        "create": netalias(made),
        "re-address": netalias(f"{ALONE} 10.250.0.2"),
        "show NAME": netalias(f"show {ALONE}"),
        "lookup": netalias("lookup 10.250.0.2"),
        **(
            {word: netalias(f"{ALONE} {word}") for word in ("down", "up")}
            if kind == MACVLAN
            else {}
        ),
        "delete": netalias(f"{ALONE}-"),
        "create, `-IS`": [sys.executable, "-IS", "-c", ISOLATED, *made.split()],
        "delete again": netalias(f"{ALONE}-"),
        "ip link add": [IP, *device],
        "ip link del": [IP, "link", "del", "x9"],
        "ip -V": [IP, "-V"],
    }


def measured(kind: str, count: int) -> dict[str, float]:
    """The medians in a namespace with *count* aliases of a kind, by the name of the command."""
    stage = Stage()
    try:
        return _rounds(kind, count)
    finally:
        stage.close()


def _rounds(kind: str, count: int) -> dict[str, float]:
    if count:
        with NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(f"eth9:0-{count - 1} 10.1.0.0/32+ kind {kind}\n")
            file.flush()
            captured(netalias(f"reconcile {file.name}"))
    times: dict[str, list[float]] = {}
    for turn in range(ROUNDS + 1):
        for name, words in commands(kind).items():
            taken = used(words)
            if turn:  # the first round warms the caches
                times.setdefault(name, []).append(taken)
    return {name: statistics.median(values) for name, values in times.items()}


def section(run: Run) -> str:
    """The figures as Markdown, by kind. Raises Failed."""
    parts = [INTRODUCTION]
    crowds = QUICK if run.quick else CROWDS
    for kind in (MACVLAN, LABEL):
        found = [measured(kind, count) for count in crowds]
        head = (f"among {kind}s", *map(str, crowds))
        parts.append(table(head, [*_ratios(kind, found), *_durations(found)]))
    return "\n\n".join(part.strip() for part in parts)


def _ratios(kind: str, found: Sequence[dict[str, float]]) -> Iterator[list[str]]:
    for name, targets in TARGETS.items():
        if name in found[0]:
            pairs = zip(found, targets, strict=False)
            yield [name, *(_ratio(kind, name, one, limit) for one, limit in pairs)]


def _ratio(kind: str, name: str, found: dict[str, float], limit: float) -> str:
    taken = found[name]
    if kind == MACVLAN and name in KERNEL:
        taken -= max(0.0, found[KERNEL[name]] - found["ip -V"])
    ratio = taken / found["bare"]
    target = "" if limit == ANY else f" (<= {limit:g}: {verdict(ratio, limit)})"
    return f"{ratio:.2f} x{target}"


def _durations(found: Sequence[dict[str, float]]) -> Iterator[list[str]]:
    for name in ("bare", "ip link add", "ip link del", "ip -V"):
        yield [name, *(f"{one[name]:.1f} ms" for one in found)]
