"""netalias while others change the kernel.

    commands    24 commands at 6000 aliases and 2000 changes of addresses a second
    freed       the aliases of a fallen main device, while addresses change as fast as they can
    crowd       one of 4000 macvlans is lost: until it is back, and until neighbours are told
    beside      others are put right, and a command runs, while one alias is probed for (acd rfc)

Each job has a private namespace of its own. Every figure has its target beside it, and the same
without the changes where that tells something: the machine may have other work.
"""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from installs import Installs
from page import UNMEASURED, table, verdict
from processes import ENVIRONMENT, Failed, captured
from residents import RUN, watcher
from stage import IP, Run, Stage, idle
from witness import come_and_gone

from netalias.kernel.netlink.monitor import Monitor
from netalias.model.events import ADDRESS, DEPARTURE
from netalias.packets.parse import parse

PACKED = 128
"""Addresses that come and go in one send."""
FAST = 60_000
"""Changes a second that nobody reaches."""
ROUNDS = 6
PATIENCE = 30.0


def declared(main: str, count: int, second: int, words: str = "") -> str:
    """Declarations of *count* macvlans on a device, 250 for each line."""
    return "".join(
        f"{main}:{first}-{min(first + 249, count - 1)} 10.{second + first // 250}.0.1/32+"
        f" kind macvlan{words}\n"
        for first in range(0, count, 250)
    )


@contextmanager
def changing(device: str, rate: int) -> Iterator[Callable[[], float]]:
    """Another process changes addresses of *device*; how many a second since the beginning."""
    index = socket.if_nametoindex(device)
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            _change(index, rate, writing)
        finally:
            os._exit(1)
    os.close(writing)
    begin = time.perf_counter()
    count = 0

    def reached() -> float:
        nonlocal count
        while select.select([reading], [], [], 0)[0] and (data := os.read(reading, 65536)):
            count += len(data)
        return count * 2 * PACKED / (time.perf_counter() - begin)

    try:
        yield reached
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reading)


def _change(index: int, rate: int, told: int) -> None:
    out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    begin, number = time.perf_counter(), 0
    few = PACKED if rate >= FAST else 1  # evenly spread
    while True:
        for _ in range(PACKED // few):
            packed = come_and_gone(index, number, few)
            number += 1
            out.send(packed)
            time.sleep(max(0.0, begin + number * 2 * few / rate - time.perf_counter()))
        os.write(told, b".")


class Bench:
    """The jobs; each adds its rows: what, measured, limit, verdict."""

    def __init__(self, installs: Installs, *, quick: bool) -> None:
        self._installs = installs
        self._launcher = str(installs.launcher)
        self._quick = quick
        self.rows: list[list[str]] = []

    def _row(self, what: str, value: float, limit: float, unit: str, told: str = "") -> None:
        number = f"{value:.0f}" if unit == "ms" else f"{value:.2f}"
        cells = [f"{number} {unit}{told}", f"<= {limit:g} {unit}", verdict(value, limit)]
        self.rows.append([what, *cells])

    def commands(self) -> None:
        """Show, reconcile, one-shot create and delete, without changes and with them."""
        count = 1000 if self._quick else 6000
        conf = RUN / "moving.conf"
        conf.write_text(declared("eth9", count, 10), encoding="ascii")
        captured([self._launcher, "reconcile", "-q", str(conf)])
        calm = self._commands(conf, count)
        with changing("peth9", 2000) as reached:
            found = self._commands(conf, count)
            rate = reached()
        good = sum(ok for times in found.values() for ok, *_ in times)
        total = sum(map(len, found.values()))
        where = f"{count} aliases, {rate:.0f} changes a second"
        told = verdict(total - good, 0)
        self.rows.append([f"commands done; {where}", f"{good} of {total}", f"{total}", told])
        for name, times in found.items():
            worst, spent = (max(one[place] for one in times) for place in (1, 2))
            usual = max(taken for _, taken, _ in calm[name])
            told = f", {worst / usual:.1f} x that without changes, {spent:.2f} s of processor time"
            self._row(f"{name}, at most", worst, 1, "s", told)

    def _commands(self, conf: Path, count: int) -> dict[str, list[tuple[bool, float, float]]]:
        found: dict[str, list[tuple[bool, float, float]]] = {}
        for number in range(ROUNDS):
            for name, words in (
                ("show", ["show", "-br"]),
                ("reconcile", ["reconcile", "-q", str(conf)]),
                ("create", ["eth9:9000", "10.199.0.1/32"]),
                ("delete", ["eth9:9000-"]),
            ):
                if name == "reconcile":
                    captured([IP, "link", "del", f"eth9_{number}"])
                begin, before = time.perf_counter(), _spent()
                done = subprocess.run(
                    [self._launcher, *words], env=ENVIRONMENT, capture_output=True, text=True
                )
                taken = time.perf_counter() - begin
                ok = not done.returncode and (name != "show" or done.stdout.count("\n") >= count)
                if not ok:
                    print(f"  {name}: {done.returncode}, {done.stderr.strip()[-200:]}")
                found.setdefault(name, []).append((ok, taken, _spent() - before))
        return found

    def freed(self) -> None:
        """A main device falls; its aliases go."""
        others = 200 if self._quick else 2000
        text = f"eth9:0-54 10.10.0.1/32+ kind macvlan\n{declared('eth8', others, 60)}"
        resident = watcher(self._installs, text, 55 + others)
        try:
            self._free(resident.used, f"{others} of another one, without changes")
            with changing("peth9", FAST) as reached:
                time.sleep(1.0)
                for _ in range(3):
                    self._free(resident.used, f"{reached():.0f} changes a second")
        finally:
            resident.close()

    def _free(self, used: Callable[[], float], how: str) -> None:
        before, begin = used(), time.perf_counter()
        captured([IP, "link", "set", "eth9", "down"])
        self._until(lambda: not _aliases())
        taken, spent = time.perf_counter() - begin, (used() - before) / 1000
        captured([IP, "link", "set", "eth9", "up"])
        self._until(lambda: _aliases() == 55)
        told = f", {spent:.2f} s of processor time"
        self._row(f"55 aliases of a fallen device freed; {how}", taken, 2, "s", told)

    @staticmethod
    def _until(right: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not right():
            if time.monotonic() > end:
                raise Failed(f"not right after {PATIENCE:.0f} s")
            time.sleep(0.01)

    def crowd(self) -> None:
        """One of many macvlans is lost, healed and announced; then the next one."""
        count = 1000 if self._quick else 4000
        resident = watcher(self._installs, declared("eth9", count, 10), count)
        hears = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        hears.bind(("peth9", 0x0806))
        try:
            time.sleep(2 * count / 2000 + 1)  # the announcements of the start
            times = [self._lost(number, hears) for number in range(ROUNDS)]
        finally:
            hears.close()
            resident.close()
        back, told = (sorted(1000 * one for one in some) for some in zip(*times, strict=True))
        for what, some in (("back", back), ("announced", told)):
            most = f", at most {some[-1]:.0f} ms"
            self._row(f"one lost of {count} macvlans {what}", some[ROUNDS // 2], 30, "ms", most)

    @staticmethod
    def _lost(number: int, hears: socket.socket) -> tuple[float, float]:
        """Seconds until the alias is up with its address, and until a neighbour is told."""
        events = Monitor(media=False)
        for _ in events.start():
            pass
        while select.select([hears], [], [], 0)[0]:
            hears.recv(2048)
        local = bytes((10, 10, 0, number + 1))
        begin, back, told = time.perf_counter(), 0.0, 0.0
        # Do not wait for the command, since events arrive at once.
        undoing = subprocess.Popen([IP, "link", "del", f"eth9_{number}"], env=ENVIRONMENT)
        while not (back and told):
            ready = select.select([hears.fileno(), *events.filenos()], [], [], PATIENCE)[0]
            if not ready:
                undoing.wait()
                raise Failed("it is not back, or nobody was told")
            for event in events.read() if ready != [hears.fileno()] else ():
                if event.what == DEPARTURE:
                    begin = time.perf_counter()
                if event.what == ADDRESS and event.new and event.subject.address.local == local:
                    back = time.perf_counter() - begin
            if hears.fileno() in ready and parse(hears.recv(2048)).sender == local:
                told = time.perf_counter() - begin
        undoing.wait()
        events.close()
        return back, told

    def beside(self) -> None:
        """One alias is probed for, others are lost meanwhile."""
        text = "eth9:0-9 10.10.0.1/32+ kind macvlan\neth9:20 10.10.1.1 kind macvlan acd rfc\n"
        resident = watcher(self._installs, text, 10)
        try:
            self._until(lambda: _aliases() == 11)
            captured([IP, "link", "del", "eth9_20"])
            begin, healed, ran = time.perf_counter(), [], []
            for number in range(ROUNDS):
                before = time.perf_counter()
                captured([IP, "link", "del", f"eth9_{number}"])
                self._until(lambda: _aliases() == 10)
                healed.append(time.perf_counter() - before)
                before = time.perf_counter()
                captured([self._launcher, "eth9:9", "10.10.0.10"])
                ran.append(time.perf_counter() - before)
            self._until(lambda: _aliases() == 11)
            whole = time.perf_counter() - begin
        finally:
            resident.close()
        where = f"beside acd rfc, which takes {whole:.1f} s"
        self._row(f"another alias back {where}", 1000 * max(healed), 100, "ms")
        told = f"{1000 * max(ran):.0f} ms"
        self.rows.append([f"a command that changes nothing {where}", told, "", ""])


def _spent() -> float:
    """Seconds of processor time of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _aliases() -> int:
    """The number of addresses of eth9's aliases that are there."""
    found = captured([IP, "-4", "-o", "addr", "show", "to", "10.10.0.0/16"])
    return found.count(" inet 10.10.")


def staged() -> Stage:
    """A new namespace with eth9 and eth8, after the removal of files of the previous one."""
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree("/run/netalias", ignore_errors=True)
    RUN.mkdir(mode=0o755)
    idle()
    return Stage(mains=("eth9", "eth8"))


JOBS = ("commands", "freed", "crowd", "beside")


def section(run: Run) -> str:
    """The figures as Markdown; a job that failed has a row that says so."""
    bench = Bench(run.installs, quick=run.quick)
    for job in JOBS:
        stage = staged()
        try:
            getattr(bench, job)()
        except (Failed, OSError) as problem:
            bench.rows.append([job, str(problem).strip(), "", UNMEASURED])
        finally:
            stage.close()
    return table(("", "measured", "limit", ""), bench.rows)
