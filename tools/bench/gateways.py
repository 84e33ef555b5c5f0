"""What gateways of aliases cost: ``python tools/bench/gateways.py [OPTION...]``.

    --count N   N macvlans in place of 4000
    --rounds N  N rounds in place of three
    --write     put the figures into docs/performance.md

Started with the Python of an environment in which netalias is installed. The same aliases with and
without the word ``gateway`` take turns in every round, each in a fresh network namespace with one
veth device. The exit status is always 0.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

from installs import REPO
from peers import forget
from processes import captured
from report import duration, keep, table
from stage import IP, Stage, idle, limited

COUNT = 4000
ROUNDS = 3
HERE = "/proc/self/ns/net"
HEADING = "## Gateways"
CASES = {"without": "", "with": " gateway 10.0.255.254"}
NETALIAS = [str(Path(sys.executable).with_name("netalias"))]


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
        limited([*NETALIAS, *words])
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


def section(found: dict[tuple[str, str], list[float]], count: int) -> str:
    """The figures as Markdown."""
    rows = []
    for operation in dict.fromkeys(operation for operation, _ in found):
        bare, led = (statistics.median(found[operation, case]) for case in CASES)
        rows.append([operation, duration(bare), duration(led), f"{led / bare:.2f} x"])
    head = ("", "without", "with a gateway", "ratio")
    kernel = ".".join(platform.release().split(".")[:2])
    text = (
        f"Written by `python tools/bench/gateways.py --write` on Linux {kernel}, netalias"
        f" {captured([*NETALIAS, '-V']).split()[-1]}.\n{count} macvlans in a network of their main"
        " device, with and without `gateway`, not announced;\nmedians of the processor time"
        " of whole processes that took turns. With gateways every run compares,\nsince the"
        " fingerprint of the last one knows no rules."
    )
    return f"{HEADING}\n\n{text}\n\n{table(head, rows)}\n"


def main() -> int:
    """Enter a namespace, measure, print, and write with --write; the exit status."""
    options = _options()
    if not options.outside:
        inode = str(os.stat(HERE).st_ino)
        helper = str(REPO / "tools" / "in-namespace")
        words = [sys.executable, __file__, *sys.argv[1:], "--outside", inode]
        os.execv(helper, [helper, *words])
    if str(os.stat(HERE).st_ino) == options.outside:
        print("no gateways: no private namespace can be made here")
        return 0
    text = section(measure(options.count, options.rounds), options.count)
    print(text)
    if options.write:
        keep(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Aliases with and without a gateway.")
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--outside", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
