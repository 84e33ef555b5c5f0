"""``netalias watch`` at work, beside keepalived.

Every job has a private namespace of its own with one veth device. A third process listens to the
kernel's events; a time runs from the event that an alias has gone to the one that it is back.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Callable

from installs import Installs
from page import MISSED, REACHED, duration, table, verdict
from processes import Failed, captured, used
from residents import RUN, Floor, Resident, keepalived, version, watcher
from stage import IP, Run, Stage, idle
from witness import (
    COUNT,
    LABEL,
    MACVLAN,
    PATIENCE,
    Healing,
    Witness,
    calm,
    come_and_gone,
    declared,
    healed,
    rounds,
    settled,
    undone,
)

LARGE = 4000
ROUNDS = 40
FEW = 8
IDLE = 5.0
"""Seconds without events."""
CHANGES = 10_000
RATE = 10_000
"""Changes per second."""
LASTS = 3.0
"""Seconds of the storm."""
TICK = os.sysconf("SC_CLK_TCK")

# Milliseconds, milliseconds, megabytes by the number of aliases.
LIMIT_HEALED = 10.0
LIMIT_STORM = 1000.0
LIMIT_MEMORY = {COUNT: 25.0, LARGE: 30.0}
LIMIT_START = 3.0
"""Multiples of the bare readings."""

READINGS = """\
import socket, struct
kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
for kind, body in ((18, 16), (22, 8), (26, 12)):  # RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE
    kernel.send(struct.pack("=IHHII", 16 + body, kind, 0x301, 1, 0) + bytes(body))
    while struct.unpack_from("=IH", kernel.recv(65536)[-20:]) != (20, 3):  # NLMSG_DONE
        pass
"""


class Figures:
    """The results: rows of tables by their headings, and failures."""

    def __init__(self) -> None:
        self.healing: list[list[str]] = []
        self.costs: list[list[str]] = []

    def add(self, who: str, what: str, found: Healing | str) -> None:
        """Add a row of the table of restorations."""
        if isinstance(found, str):
            self.healing.append([who, what, "-", "-", "-", found])
            return
        median = statistics.median(found.times)
        word = ""
        if who == "netalias watch":
            word = f"<= {LIMIT_HEALED:.0f} ms: {verdict(median, LIMIT_HEALED)}"
        cells = [duration(median), duration(max(found.times)), str(len(found.others))]
        self.healing.append([who, what, *cells, word])

    def cost(self, what: str, value: str, limit: str, reached: bool) -> None:
        """Add a figure with its limit."""
        self.costs.append([what, value, limit, REACHED if reached else MISSED])


class Bench:
    """The jobs, run one after another."""

    def __init__(self, installs: Installs, *, quick: bool) -> None:
        self._installs = installs
        self._rounds = FEW if quick else ROUNDS
        self._counts = (COUNT,) if quick else (COUNT, LARGE)
        self.figures = Figures()

    def measure(self) -> Figures:
        """Run all jobs."""
        for kind in (LABEL, MACVLAN):
            what = f"one of {COUNT} {kind}s"
            self._job("netalias watch", what, lambda: self._watched(kind))  # noqa: B023
            self._job("the floor (Python)", what, lambda: self._floor(kind))  # noqa: B023
        self._job("keepalived", f"one of {COUNT} addresses", self._keepalived)
        for count in self._counts:
            for kind in (LABEL, MACVLAN):
                self._sized(kind, count)
        return self.figures

    def _job(self, who: str, what: str, work: Callable[[], Healing]) -> None:
        stage = _stage()
        try:
            self.figures.add(who, what, work())
        except (Failed, OSError) as problem:
            self.figures.add(who, what, str(problem).strip())
        finally:
            stage.close()

    def _watched(self, kind: str) -> Healing:
        resident = watcher(self._installs, declared(kind, COUNT), COUNT)
        try:
            return rounds(kind, self._rounds)
        finally:
            resident.close()

    def _floor(self, kind: str) -> Healing:
        _made(self._installs, kind)
        floor = Floor(kind)
        try:
            return rounds(kind, self._rounds)
        finally:
            floor.close()

    def _keepalived(self) -> Healing:
        resident = keepalived()
        found, witness = Healing(), Witness()
        try:
            for number in range(FEW // 2):
                idle()
                local = number * 17
                one = healed(witness, LABEL, local)
                found.times += one.times
                settled(witness, one, local)
                found.others |= one.others
        finally:
            witness.close()
            resident.close()
        return found

    def _sized(self, kind: str, count: int) -> None:
        """Measure the costs of many aliases, without events and in a storm of them."""
        stage = _stage()
        try:
            resident = watcher(self._installs, declared(kind, count), count)
            try:
                self._costs(resident, kind, count)
            finally:
                resident.close()
            self._start(kind, count)
        except (Failed, OSError) as problem:
            self.figures.cost(f"{count} {kind}s", str(problem).strip(), "", False)
        finally:
            stage.close()

    def _costs(self, resident: Resident, kind: str, count: int) -> None:
        add = self.figures.cost
        calm()
        memory, most = resident.memory(), LIMIT_MEMORY[count]
        limit = f"<= {most:.0f} MB"
        add(f"memory, {count} {kind}s", f"{memory:.1f} MB", limit, memory <= most)
        if count != COUNT:
            return
        before = resident.ticks()
        time.sleep(IDLE)
        spent = resident.ticks() - before
        text = f"{spent} ticks of {1000 // TICK} ms in {IDLE:.0f} s"
        add(f"idle, {count} {kind}s", text, "0", not spent)
        for rate, changes in ((0, CHANGES), (RATE, int(RATE * LASTS))):
            taken, reached = stormed(kind, rate, changes)
            how = f"{rate} a second" if rate else f"{reached:.0f} a second, at once"
            what = f"after {changes} changes of addresses, {how}; {count} {kind}s"
            add(what, duration(taken), f"<= {LIMIT_STORM:.0f} ms", taken <= LIMIT_STORM)
        peak = resident.memory("VmHWM")
        add(f"memory at most, {count} {kind}s", f"{peak:.1f} MB", limit, peak <= most)

    def _start(self, kind: str, count: int) -> None:
        """Measure the start of a watcher that finds everything as declared."""
        resident = watcher(self._installs, declared(kind, count), count)
        taken = resident.used()
        resident.close()
        bare = used([sys.executable, "-c", READINGS])
        ratio = taken / bare
        text = f"{taken:.0f} ms, {ratio:.1f} x the bare readings"
        limit = f"<= {LIMIT_START:g} x"
        self.figures.cost(f"start, {count} {kind}s standing", text, limit, ratio <= LIMIT_START)


def stormed(kind: str, rate: int, changes: int) -> tuple[float, float]:
    """The recovery from a storm of changes: milliseconds from the last change until an alias that
    was deleted during the storm is back and in the text; and the changes per second. With *rate* 0
    changes come as fast as the kernel accepts them."""
    import socket

    out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    lo = socket.if_nametoindex("lo")
    begin = time.perf_counter()
    for number in range(changes // 100):
        if rate:
            time.sleep(max(0.0, begin + number * 100 / rate - time.perf_counter()))
        packed = come_and_gone(lo, number, 50)
        if number == changes // 100 - 1:
            captured([IP, *undone(kind, 500)])
        out.send(packed)
    last = time.perf_counter()
    out.close()
    text = RUN / "net" / "aliases"
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        found = captured([IP, "-4", "-o", "addr", "show"]).count(" inet 10.0.")
        if found == COUNT == len(text.read_text().splitlines()) - 1:
            return (time.perf_counter() - last) * 1000, changes / (last - begin)
    raise Failed(f"not right {PATIENCE:.0f} s after the storm")


def _made(installs: Installs, kind: str) -> None:
    """Create the aliases, without a watcher."""
    conf = RUN / "made.conf"
    conf.write_text(declared(kind, COUNT), encoding="ascii")
    captured([str(installs.launcher), "reconcile", "-q", str(conf)])


def _stage() -> Stage:
    """A new stage, after the removal of files of the previous one."""
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree("/run/netalias", ignore_errors=True)
    RUN.mkdir(mode=0o755)
    idle()
    return Stage()


def section(run: Run) -> str:
    """The figures as Markdown."""
    figures = Bench(run.installs, quick=run.quick).measure()
    head = ("", "undone", "median", "at most", "others touched", "")
    parts = [INTRODUCTION.format(version=version()), table(head, figures.healing)]
    parts += [table(("", "measured", "limit", ""), figures.costs)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


INTRODUCTION = """\
A third process listens to the announcements of the kernel. It counts the time from the announcement
that an alias has gone to the announcement that it is back, an alias device up, with both names and
its address. "Others touched" is the number of other devices and addresses that were announced
meanwhile, with keepalived for two seconds more. The floor is a Python program that has its messages
ready. keepalived{version} has the same addresses in one instance, and nobody else on its network.
After a storm both the kernel and the text of aliases have to be right. The start is the processor
time of a watcher whose aliases stand already, until it is ready; the bare readings are a Python
that asks for the links, addresses and routes and throws the answers away.
"""
