"""One TCP flow through a bundle of two links, beside a bundle of one.

Two network namespaces with two cables between them, each shaped to RATE by tbf at both ends. Both
bundles stand side by side, the one over both cables, the other over the first; one flow runs at a
time, and they take turns. To see when a dead link is noticed, the peer's end of a cable is taken
down while a flow runs, and the journal of the other end is read.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from select import select

import page
from page import table, verdict
from processes import ENVIRONMENT, Failed, Place, captured
from stage import IP, Run, idle
from tunnels import FLOW

CABLES = (("eth9", "p9"), ("eth8", "p8"))
RATE = 100
SHAPE = f"root tbf rate {RATE}mbit burst 32kb latency 50ms"
TC = shutil.which("tc") or "/sbin/tc"
ROUNDS, QUICK = 5, 2
SECONDS, SHORT = 4.0, 1.5
PATIENCE = 30.0
"""Seconds for a bundle to say something."""
TIMES = 1.85
NOTICE = 1.0
"""Seconds until a link that carries nothing any more is left out."""

INTRODUCTION = f"""\
One TCP flow between two network namespaces over `netalias link run --bundle`, with udp links over
cables of {RATE} Mbit/s (tbf): over two of them, and over one. Median of rounds in turn, in Mbit/s.
Two processors do everything: the flow, the kernel and both ends.
"""


class Bundle:
    """Both ends of a bundle over the first *count* cables."""

    def __init__(self, ends: list[Place], count: int) -> None:
        self.ends = ends
        self.count = count
        self.name = f"bundle{count}"
        ports = [7000 + 10 * count + number for number in range(count)]
        passive = [f"*:{port}/udp" for port in ports]
        active = [f"10.9.{number}.2:{port}/udp" for number, port in enumerate(ports)]
        self.processes = []
        self._read = b""
        for place, words in ((ends[1], passive), (ends[0], active)):
            place.enter()
            self.processes.append(subprocess.Popen(
                [page.LAUNCHER, "link", "run", self.name, "--bundle", *words],
                env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            ))  # fmt: skip
        self.says(*(f"{one}: up" for one in active))
        for number, place in enumerate(ends):
            place.enter()
            captured([IP, "addr", "add", f"10.{count}.0.{number + 1}/24", "dev", self.name])

    def says(self, *parts: str) -> None:
        """Wait until the first end has said all of this, in any order. Raises Failed."""
        missing, end = {*parts}, time.monotonic() + PATIENCE
        while missing:
            line = self._line(end)
            missing = {part for part in missing if part not in line}

    def _line(self, end: float) -> str:
        """The next line of the first end, which is to come before *end*. Raises Failed."""
        stream = self.processes[1].stderr
        assert stream is not None
        while b"\n" not in self._read:
            came = select([stream], [], [], max(0.0, end - time.monotonic()))[0]
            data = os.read(stream.fileno(), 65536) if came else b""
            if not data:
                raise Failed(f"the bundle {'has ended' if came else 'says nothing'}")
            self._read += data
        line, _, self._read = self._read.partition(b"\n")
        return line.decode(errors="replace")

    def flow(self, port: int, seconds: float, cut: bool = False) -> tuple[float, float]:
        """Mbit/s of one flow; with *cut* the first cable is taken away, and the seconds until that
        was noticed are given too."""
        self.ends[1].enter()
        words = [sys.executable, str(FLOW), "take", "4", str(port)]
        with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as taker:
            assert taker.stdout is not None
            taker.stdout.readline()
            self.ends[0].enter()
            giving = [sys.executable, str(FLOW), "give", f"10.{self.count}.0.2", str(port)]
            noticed = 0.0
            with subprocess.Popen(
                [*giving, str(seconds)], env=ENVIRONMENT, stdout=subprocess.DEVNULL
            ):
                if cut:
                    time.sleep(seconds / 2)
                    noticed = self._cut()
            return float(taker.stdout.read()) * 8 / 1e6, noticed

    def _cut(self) -> float:
        self.ends[1].enter()
        begin = time.monotonic()
        captured([IP, "link", "set", CABLES[0][1], "down"])
        self.says(": dead")
        noticed = time.monotonic() - begin
        captured([IP, "link", "set", CABLES[0][1], "up"])
        self.says(": up")
        return noticed

    def close(self) -> None:
        """End it."""
        for process in self.processes:
            process.kill()
            process.communicate()


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rounds, seconds = (QUICK, SHORT) if run.quick else (ROUNDS, SECONDS)
    ends = _cables()
    bundles = [Bundle(ends, count) for count in (2, 1)]
    two, _ = bundles
    try:
        idle()
        rates: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for one in bundles[:: 1 if number % 2 else -1]:
                rates[one.count].append(one.flow(20_000 + 10 * number + one.count, seconds)[0])
        cut = [two.flow(21_000 + number, 2 * seconds, cut=True) for number in range(rounds)]
    finally:
        for one in bundles:
            one.close()
        for place in ends:
            os.close(place.file)
    single, both = (statistics.median(rates[count]) for count in (1, 2))
    noticed = statistics.median(time for _, time in cut)
    rows = [
        ["over one link", f"{single:.1f}", "", ""],
        ["over two links", f"{both:.1f} = {both / single:.2f} x", f">= {TIMES} x",
         verdict(TIMES, both / single)],
        ["one of the two is cut: left out after", f"{noticed:.2f} s", f"<= {NOTICE:.0f} s",
         verdict(noticed, NOTICE)],
    ]  # fmt: skip
    return f"{INTRODUCTION}\n{table(('', 'measured', 'limit', ''), rows)}\n"


def _cables() -> list[Place]:
    """Two namespaces, joined by all cables."""
    ends = [Place(), Place()]
    places = [f"/proc/{os.getpid()}/fd/{one.file}" for one in ends]
    for number, names in enumerate(CABLES):
        captured([IP, "link", "add", names[0], "netns", places[0], "type", "veth", "peer",
                  "name", names[1], "netns", places[1]])  # fmt: skip
        for host, place in enumerate(ends):
            place.enter()
            captured([IP, "link", "set", "lo", "up"])
            address = f"10.9.{number}.{host + 1}/24"
            captured([IP, "addr", "add", address, "dev", names[host]])
            captured([IP, "link", "set", names[host], "up"])
            captured([TC, "qdisc", "add", "dev", names[host], *SHAPE.split()])
    return ends
