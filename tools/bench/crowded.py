"""One command among thousands of aliases: ``python tools/bench/crowded.py [--quick] [--write]``.

Started with the Python of an environment in which netalias is installed. The commands run in turns
as whole processes, in one private namespace for each number of standing aliases; their time is that
of the processor (user and system), so that other work on the machine matters less, and the ratio is
to a bare Python of the same rounds. What the kernel itself takes for the device of a macvlan is in
it, and is shown by ``ip link`` doing the same. Every figure has its target beside it, and --write
puts them into docs/performance.md; the exit status is always 0.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Iterator, Sequence
from tempfile import NamedTemporaryFile

from bench import HERE, IP, REPO, netalias
from processes import ENVIRONMENT, Failed, Place, captured
from report import keep, table

CROWDS = (0, 1000, 4000, 16_000)
QUICK = (0, 1000)
ROUNDS = 9
TARGETS = {
    "create": (1.5, 1.6, 1.9, 3.0),
    "re-address": (1.5, 1.6, 1.9, 3.0),
    "down": (1.5, 1.6, 1.9, 3.0),
    "up": (1.5, 1.6, 1.9, 3.0),
    "show NAME": (1.25, 1.35, 1.6, 2.5),
    "lookup": (1.25, 1.35, 1.6, 2.5),
    "delete": (1.3, 1.5, 1.8, 3.0),
}
"""Multiples of a bare Python, for each of CROWDS."""
ALONE = "eth9:65000"
KERNEL = ".".join(platform.release().split(".")[:2])
HEADING = "## One command among many aliases"
INTRODUCTION = """\
Written by `python tools/bench/crowded.py --write` on Linux {kernel}, netalias {version}. Medians of
the processor time of whole processes that took turns, as multiples of a bare Python
(`python -c pass`). What the kernel takes for the device of a macvlan is in it: see `ip link`."""


def commands(kind: str) -> dict[str, list[str]]:
    """The commands of one round, in their order, by name."""
    ups = {"down": netalias(f"{ALONE} down"), "up": netalias(f"{ALONE} up")}
    return {
        "bare": [sys.executable, "-c", "pass"],
        "create": netalias(f"{ALONE} 10.250.0.1 kind {kind}"),
        "re-address": netalias(f"{ALONE} 10.250.0.2"),
        "show NAME": netalias(f"show {ALONE}"),
        "lookup": netalias("lookup 10.250.0.2"),
        **(ups if kind == "macvlan" else {}),
        "delete": netalias(f"{ALONE}-"),
        "ip link add": [
            IP,
            *["link", "add", "x9", "link", "eth9", "type", "macvlan", "mode", "bridge"],
        ],
        "ip link del": [IP, *["link", "del", "x9"]],
    }


def used(words: Sequence[str]) -> float:
    """Run a command; the milliseconds of the processor that it took. Raises Failed."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    child = os.posix_spawn(words[0], words, ENVIRONMENT, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise Failed(f"{' '.join(words)}: {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def measured(kind: str, count: int) -> dict[str, float]:
    """The medians in a namespace with *count* aliases of a kind, by the name of the command."""
    Place()
    for line in ("link add eth9 type veth peer name p9", "link set lo up"):
        captured([IP, *line.split()])
    for name in ("eth9", "p9"):
        captured([IP, "link", "set", name, "addrgenmode", "none", "up"])
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


def section(kinds: Sequence[str], crowds: Sequence[int]) -> str:
    """The figures as Markdown, by kind."""
    parts = [HEADING, "", INTRODUCTION.format(kernel=KERNEL, version=_version())]
    for kind in kinds:
        found = [measured(kind, count) for count in crowds]
        head = (f"among {kind}s", *map(str, crowds))
        parts += ["", table(head, [*_ratios(found), *_durations(found)])]
    return "\n".join(parts)


def _ratios(found: Sequence[dict[str, float]]) -> Iterator[list[str]]:
    for name, targets in TARGETS.items():
        pairs = [
            (one[name] / one["bare"], limit)
            for one, limit in zip(found, targets, strict=False)
            if name in one
        ]
        if pairs:
            cells = [f"{ratio:.2f} x ({_verdict(ratio, limit)})" for ratio, limit in pairs]
            yield [name, *cells]


def _verdict(ratio: float, limit: float) -> str:
    return f"<= {limit:g}: {'reached' if ratio <= limit else 'missed'}"


def _durations(found: Sequence[dict[str, float]]) -> Iterator[list[str]]:
    for name in ("bare", "ip link add", "ip link del"):
        yield [name, *(f"{one[name]:.1f} ms" for one in found)]


def _version() -> str:
    return captured(netalias("-V")).split()[-1]


def main() -> int:
    """Measure both kinds, print, and write with --write; the exit status."""
    parser = argparse.ArgumentParser(description="One command among thousands of aliases.")
    parser.add_argument("--quick", action="store_true", help="up to 1000 aliases only")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    parser.add_argument("--outside", default="", help=argparse.SUPPRESS)
    choices = parser.parse_args()
    if not choices.outside:
        inode = str(os.stat(HERE).st_ino)
        helper = str(REPO / "tools" / "in-namespace")
        os.execv(helper, [helper, sys.executable, *sys.argv, "--outside", inode])
    if str(os.stat(HERE).st_ino) == choices.outside:
        print("no commands among others: no private namespace can be made here")
        return 0
    text = section(("macvlan", "label"), QUICK if choices.quick else CROWDS)
    print(text)
    if choices.write:
        keep(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
