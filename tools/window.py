"""The window of a deletion: the time from the reading that proves it to the end of its send.

Run in a namespace of its own: ``tools/in-namespace .venv/bin/python tools/window.py [COUNT ...]``.
For each COUNT so many aliases are removed by one reconciliation, ROUNDS times. The window begins
when the last datagram of the reading has come, and ends when the send is answered: in it another
program could put its own object in the place of one of ours, and would lose it. Milliseconds, the
median and the longest. docs/reliability.md tells what follows from it.
"""

from __future__ import annotations

import subprocess
import sys
from statistics import median
from time import perf_counter

import netalias
from netalias.desired import declarations
from netalias.engine.reconcile import Rules, reconcile
from netalias.kernel.netlink import Netlink
from netalias.model.steps import DelAddress, DelLink

ROUNDS = 5
COUNTS = (1, 10, 100, 1000)
MAIN = "window0"


class Watched(Netlink):
    """A Kernel that notes the windows of its sends with deletions."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = perf_counter()
        self.windows: list[float] = []

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        found = super()._receive(operation, flags)
        if operation != "changes":
            self.heard = perf_counter()
        return found

    def _send_packs(self, steps, *, whole=False):  # type: ignore[no-untyped-def]
        began = self.heard
        answers = super()._send_packs(steps, whole=whole)
        if any(isinstance(step, (DelAddress, DelLink)) for step in steps):
            self.windows.append(perf_counter() - began)
        return answers


def measured(kind: str, count: int) -> list[float]:
    """The windows of ROUNDS removals of *count* aliases of a kind, in seconds."""
    found: list[float] = []
    for _ in range(ROUNDS):
        with netalias.open(kernel=Watched()) as engine:
            text = f"{MAIN}:0-{count - 1} 10.0.0.1+ kind {kind}\n"
            for lines in (text, ""):
                declared = declarations.parse([("window", lines)], engine.registry)
                engine.kernel.windows.clear()
                with engine.transaction():
                    outcome = reconcile(engine, declared, Rules(allow_empty=True))
                assert outcome.status == 0, [str(one.error) for one in outcome.failed]
            found += engine.kernel.windows
    return found


def main(words: list[str]) -> int:
    """Measure and print; the exit status."""
    for line in (f"add {MAIN} type veth peer name window1", "set window1 up", f"set {MAIN} up"):
        subprocess.run(["ip", "link", *line.split()], check=True)
    print("kind     aliases  sends  median  longest (ms)")
    for kind in ("label", "macvlan"):
        for count in map(int, words or COUNTS):
            found = [1000 * one for one in measured(kind, count)]
            numbers = f"{median(found):7.2f} {max(found):8.2f}"
            print(f"{kind:8} {count:7}  {len(found):5} {numbers}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
