"""Conflict check and announcement of many addresses, beside arping.

Two namespaces with a cable between them; the far end has one of the addresses. arping (iputils)
runs once for each of a few addresses, and its time is scaled. Both take turns in every round.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Sequence

from page import duration, table, verdict
from processes import Failed, Place, captured, silent
from stage import IP, Run

COUNT = 4000
FEW = 10
"""Number of addresses for arping, which waits a second for each."""
ROUNDS = 3

PROGRAM = (
    """\
import sys, time
from _socket import if_nametoindex
from netalias.packets import acd, announce, probe
main = if_nametoindex("eth9")
asked = [(10 << 24 | number).to_bytes(4, "big") for number in range(1, %d + 1)]
begin = time.perf_counter()
if sys.argv[1] == "check":
    found = probe.check([(main, one) for one in asked], set(), acd.FAST, 5.0, aside=True)
    assert [conflict.address for conflict in found] == [bytes([10, 0, 7, 7])], found
else:
    mac = bytes([2, 0, 0, 0, 0, 1])
    items = [announce.Announcement(main, main, mac, one) for one in asked]
    assert announce.announce(items, float(sys.argv[2]), aside=True) == []
print((time.perf_counter() - begin) * 1000)
"""
    % COUNT
)

LIMITS = {"check": 500.0, "announce": 200.0}
"""Milliseconds of the call, for COUNT addresses."""


def cable() -> None:
    """Enter a namespace with eth9; the far end is in another one, and has 10.0.7.7."""
    far = Place()
    captured([IP, "link", "set", "lo", "up"])
    near = Place()
    words = ["link", "add", "eth9", "type", "veth", "peer", "name", "p9", "netns"]
    captured([IP, *words, f"/proc/{os.getpid()}/fd/{far.file}"])
    captured([IP, "link", "set", "eth9", "addrgenmode", "none", "up"])
    far.enter()
    captured([IP, "link", "set", "p9", "addrgenmode", "none", "up"])
    captured([IP, "addr", "add", "10.0.7.7/32", "dev", "p9"])
    near.enter()
    captured([IP, "addr", "add", "10.0.0.1/32", "dev", "eth9"])


def ours(words: Sequence[str]) -> tuple[float, float]:
    """Milliseconds of the whole process and of the call in it. Raises Failed."""
    begin = time.perf_counter()
    output = captured([sys.executable, "-I", "-c", PROGRAM, *words])
    return (time.perf_counter() - begin) * 1000, float(output)


def arping(words: Sequence[str], addresses: Sequence[str]) -> float:
    """Milliseconds of a loop over *addresses*, scaled to COUNT. Raises Failed."""
    program = shutil.which("arping")
    if program is None:
        raise Failed("arping (iputils-arping) is not installed")
    taken = sum(silent([program, *words, "-I", "eth9", one]) for one in addresses)
    return taken * COUNT / len(addresses)


def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round by measurement; without arping if it is not installed."""
    cable()
    found: dict[str, list[float]] = {}
    free = [f"10.0.1.{number + 1}" for number in range(FEW)]
    jobs = [
        ("check", ["check"], ["-D", "-q", "-c1", "-w1"], free),
        ("announce", ["announce", "0"], ["-A", "-q", "-c1"], ["10.0.0.1"] * FEW),
    ]
    for _ in range(rounds):
        for name, words, theirs, addresses in jobs:
            whole, call = ours(words)
            found.setdefault(f"{name} process", []).append(whole)
            found.setdefault(f"{name} call", []).append(call)
            try:
                taken = arping(theirs, addresses)
            except Failed as problem:
                print(problem, file=sys.stderr)
                continue
            found.setdefault(f"{name} arping", []).append(taken)
    return found


TITLES = {
    "check": "check, one probe and 200 ms, a conflict planted and found",
    "announce": "announce as request and as reply, no rate limit",
}
INTRODUCTION = f"""\
{COUNT} IPv4 addresses over one veth device, the far end in another namespace; medians. arping runs
once for each of {FEW} addresses (`-D -c1 -w1`, `-A -c1`), which is multiplied by {COUNT // FEW};
the ratio is that of whole processes.
"""


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    found = measure(1 if run.quick else ROUNDS)
    rows = []
    for name, limit in LIMITS.items():
        call = statistics.median(found[f"{name} call"])
        process = statistics.median(found[f"{name} process"])
        theirs = found.get(f"{name} arping")
        other = statistics.median(theirs) if theirs else 0.0
        rows.append(
            [
                TITLES[name],
                duration(call),
                f"<= {limit:.0f} ms",
                verdict(call, limit),
                duration(process),
                duration(other) if other else "-",
                f"{other / process:.0f} x" if other else "-",
            ]
        )
    head = ("", "the call", "limit", "", "whole process", "arping, scaled", "ratio")
    return f"{INTRODUCTION}\n{table(head, rows)}\n"
