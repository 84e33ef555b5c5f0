"""netalias while others change the kernel: ``python tools/bench/moving.py [--quick] [JOB...]``.

    commands    24 commands at 6000 aliases and 2000 changes of addresses a second
    freed       the aliases of a fallen main device, while addresses change as fast as they can
    crowd       one of 4000 macvlans is lost: until it is back, and until neighbours are told
    beside      others are put right, and a command runs, while one alias is probed for (acd rfc)

Started with the Python of an environment in which netalias is installed. Each job has a private
namespace of its own. Every figure has its target beside it, and the same without the changes where
that tells something: the machine may have other work. The exit status is always 0.
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from installs import REPO, Installs
from processes import ENVIRONMENT, Failed, captured
from residents import RUN, watcher
from stage import IP, Stage, idle

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import AF_INET, Address
from netalias.model.events import ADDRESS
from netalias.model.steps import AddAddress, DelAddress
from netalias.packets.parse import parse

HERE = "/proc/self/ns/net"
PACKED = 128
"""Addresses that come and go in one send."""
FAST = 60_000
"""Changes a second that nobody reaches."""
CHANGES = ((codec.add_address, AddAddress), (codec.del_address, DelAddress))
ROUNDS = 6
PATIENCE = 30.0
TICK = os.sysconf("SC_CLK_TCK")


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


def _entries(index: int, number: int, count: int) -> Iterator[Address]:
    for one in range(count):
        yield Address(index, AF_INET, bytes((10, 200, number & 255, one)), 32)


def _change(index: int, rate: int, told: int) -> None:
    out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    begin, number = time.perf_counter(), 0
    few = PACKED if rate >= FAST else 1  # evenly spread
    while True:
        for _ in range(PACKED // few):
            packed = b"".join(
                make(0, index, step("", index, entry))
                for entry in _entries(index, number, few)
                for make, step in CHANGES
            )
            number += 1
            out.send(packed)
            time.sleep(max(0.0, begin + number * 2 * few / rate - time.perf_counter()))
        os.write(told, b".")


class Bench:
    """The jobs; each prints its figures."""

    def __init__(self, installs: Installs, *, quick: bool) -> None:
        self._installs = installs
        self._launcher = str(installs.launcher)
        self._quick = quick

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
        print(f"commands: {count} aliases, {rate:.0f} changes a second")
        print(f"  succeeded: {good} of {total} (target: all)")
        for name in found:
            (worst, spent), (usual, _) = (
                (max(taken for _, taken, _ in some[name]), max(cpu for *_, cpu in some[name]))
                for some in (found, calm)
            )
            told = f"{worst:.2f} s (target: 1), of them {spent:.2f} s of processor time"
            print(f"  {name}: at most {told}; {worst / usual:.1f} times that without changes")

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
            print(f"freed: 55 aliases of a fallen device, {others} of another one")
            self._free(resident.ticks, "without changes")
            with changing("peth9", FAST) as reached:
                time.sleep(1.0)
                for _ in range(3):
                    self._free(resident.ticks, f"{reached():.0f} changes a second")
        finally:
            resident.close()

    def _free(self, ticks: Callable[[], int], how: str) -> None:
        before, begin = ticks(), time.perf_counter()
        captured([IP, "link", "set", "eth9", "down"])
        self._until(lambda: not _aliases())
        taken, spent = time.perf_counter() - begin, (ticks() - before) / TICK
        captured([IP, "link", "set", "eth9", "up"])
        self._until(lambda: _aliases() == 55)
        print(f"  {how}: {taken:.2f} s (target: 2), {spent:.2f} s of processor time")

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
        print(f"crowd: one of {count} macvlans")
        for what, some in (("back", back), ("announced", told)):
            print(f"  {what}: median {some[ROUNDS // 2]:.0f} ms, at most {some[-1]:.0f} ms"
                  " (target: 30)")  # fmt: skip

    @staticmethod
    def _lost(number: int, hears: socket.socket) -> tuple[float, float]:
        """Seconds until the alias is up with its address, and until a neighbour is told."""
        events = Monitor(media=False)
        for _ in events.start():
            pass
        while select.select([hears], [], [], 0)[0]:
            hears.recv(2048)
        local = bytes((10, 10, 0, number + 1))
        begin = time.perf_counter()
        captured([IP, "link", "del", f"eth9_{number}"])
        begin, back, told = time.perf_counter(), 0.0, 0.0
        while not (back and told):
            ready = select.select([hears, *events.filenos()], [], [], PATIENCE)[0]
            if not ready:
                raise Failed("it is not back, or nobody was told")
            for event in events.read() if ready != [hears] else ():
                if event.what == ADDRESS and event.new and event.subject.address.local == local:
                    back = time.perf_counter() - begin
            if hears in ready and parse(hears.recv(2048)).sender == local:
                told = time.perf_counter() - begin
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
        print(f"beside: one alias with acd rfc, which takes {whole:.1f} s")
        print(f"  others: at most {1000 * max(healed):.0f} ms (target: 100)")
        print(f"  a command that changes nothing, with its start: {1000 * max(ran):.0f} ms")


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


def main() -> int:
    """Enter a namespace, measure, and print; the exit status."""
    options = _options()
    if not options.outside:
        inode = str(os.stat(HERE).st_ino)
        helper = str(REPO / "tools" / "in-namespace")
        os.execv(helper, [helper, sys.executable, __file__, *sys.argv[1:], "--outside", inode])
    if str(os.stat(HERE).st_ino) == options.outside:
        print("nothing is measured: no private namespace can be made here")
        return 0
    os.chmod("/run", 0o755)
    bench = Bench(Installs(), quick=options.quick)
    for job in options.jobs or JOBS:
        stage = staged()
        try:
            getattr(bench, job)()
        except (Failed, OSError) as problem:
            print(f"{job}: {str(problem).strip()}")
        finally:
            stage.close()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="netalias while others change the kernel.")
    parser.add_argument("jobs", nargs="*", choices=[*JOBS, []], metavar="JOB")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--outside", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
