"""``netalias watch`` at work, beside keepalived: ``python tools/bench/watching.py [OPTION...]``.

    --quick     few rounds, without the large numbers
    --write     put the figures into docs/performance.md

Started with the Python of an environment in which netalias is installed (``make bench``). Every job
has a private namespace of its own with one veth device. What is measured is what a third process
hears from the kernel: from the announcement that an alias has gone to the one that it is back.
Nothing here decides anything: the exit status is 0.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import processor
from installs import REPO, Installs
from processes import ENVIRONMENT, Failed, captured
from report import WATCHING, duration, keep, table
from stage import IP, Stage, idle

from netalias.changes import ADDRESS, DEPARTURE, LINK, Event
from netalias.kernel import wire
from netalias.kernel.events import Stream
from netalias.model import AF_INET, GROUP, Address

HERE = "/proc/self/ns/net"
RUN = Path("/run/watching")
MACVLAN, LABEL = "macvlan", "label"
COUNT = 1000
LARGE = 4000
ROUNDS = 40
FEW = 8
PATIENCE = 20.0
"""Seconds that an alias is waited for."""
IDLE = 5.0
"""Seconds in which nothing happens."""
CHANGES = 10_000
RATE = 10_000
"""A second."""
LASTS = 3.0
"""Seconds of the storm."""
TICK = os.sysconf("SC_CLK_TCK")

LIMIT_HEALED = 10.0
LIMIT_STORM = 1000.0
LIMIT_MEMORY = 80.0
"""Milliseconds, milliseconds, megabytes."""


def address(number: int) -> str:
    """10.0.0.1 is the first."""
    return f"10.0.{(number + 1) >> 8}.{(number + 1) & 255}"


class Witness:
    """Hears everything that happens in the namespace, and notes when."""

    def __init__(self) -> None:
        self._stream = Stream(media=False)
        for _ in self._stream.start():
            pass

    def close(self) -> None:
        """Hear no more."""
        self._stream.close()

    def drain(self) -> None:
        """Forget what has happened up to now."""
        for _ in self._stream.read():
            pass

    def next(self, end: float) -> tuple[float, list[Event]]:
        """What happens next, and when it was heard. Raises Failed at *end*."""
        if not select.select(self._stream.filenos(), [], [], max(0.0, end - time.monotonic()))[0]:
            raise Failed(f"not back after {PATIENCE:.0f} s")
        return time.perf_counter(), list(self._stream.read())

    def stands(self, name: str, local: bytes) -> bool:
        """Whether the alias of this primary name is up, with its altname and its address."""
        for device in self._stream.state.devices():
            if device.name == name:
                found = self._stream.state.of(device.index, ADDRESS)
                has = any(entry.address.local == local for _, entry in found)
                return device.up and bool(device.altnames) and has
        return False


class Healing:
    """Milliseconds of each round, and the others that something was heard of."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.others: set[str] = set()


def healed(witness: Witness, kind: str, number: int) -> Healing:
    """One alias goes and comes back. Raises Failed."""
    witness.drain()
    # Not waited for: what is heard is heard at once.
    undoing = subprocess.Popen([IP, *undone(kind, number)], env=ENVIRONMENT)
    try:
        return _healed(witness, kind, number)
    finally:
        undoing.wait()


def _healed(witness: Witness, kind: str, number: int) -> Healing:
    found, begin = Healing(), 0.0
    local, name = bytes(map(int, address(number).split("."))), f"eth9_{number}"
    end = time.monotonic() + PATIENCE
    while not found.times:
        now, events = witness.next(end)
        for event in events:
            mine = _concerns(event, kind, name, local)
            if not mine and not (
                event.key[0] == LINK and event.device and event.device.name == "eth9"
            ):
                found.others.add(str(event.key))
            if mine and _gone(event) and not begin:
                begin = now
            if mine and begin and kind == LABEL and event.what == ADDRESS and event.new is not None:
                found.times.append((now - begin) * 1000)
        if kind == MACVLAN and begin and witness.stands(name, local):
            found.times.append((now - begin) * 1000)
    return found


def _concerns(event: Event, kind: str, name: str, local: bytes) -> bool:
    if event.what == ADDRESS:
        subject: Address = event.subject.address
        return subject.local == local or (kind == MACVLAN and _called(event) == name)
    return kind == MACVLAN and _called(event) == name


def _called(event: Event) -> str:
    return event.device.name if event.device is not None else ""


def _gone(event: Event) -> bool:
    return event.what == DEPARTURE or (event.what == ADDRESS and event.new is None)


class Resident:
    """A process that watches, and what it costs. Ended by close()."""

    def __init__(self, words: Sequence[str], ready: Callable[[], bool]) -> None:
        self.log = RUN / "log"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                list(words), env=ENVIRONMENT, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self._place = Path("/proc", str(self._process.pid))
        end = time.monotonic() + 6 * PATIENCE
        while not ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise Failed(f"{words[0]}: {self.log.read_text()[-300:]}")
            time.sleep(0.02)

    def close(self) -> None:
        """End it, as kindly as it lets."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()

    def ticks(self) -> int:
        """utime and stime of it (proc(5))."""
        words = (self._place / "stat").read_text().rpartition(")")[2].split()
        return int(words[11]) + int(words[12])

    def memory(self, field: str = "VmRSS") -> float:
        """Megabytes of its resident set; VmHWM: at most."""
        lines = (self._place / "status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def watcher(installs: Installs, text: str, count: int) -> Resident:
    """``netalias watch`` over *text*, once everything stands."""
    conf = RUN / "watching.conf"
    conf.write_text(text, encoding="ascii")
    words = [str(installs.launcher), "watch", "--texts", str(RUN / "net"), str(conf)]
    log = RUN / "log"
    found = Resident(words, lambda: "watching: " in log.read_text())
    there = len((RUN / "net" / "aliases").read_text().splitlines()) - 1
    if there != count:
        found.close()
        raise Failed(f"{there} aliases where {count} were wished")
    return found


def declared(kind: str, count: int) -> str:
    """A file of so many."""
    return f"eth9:0-{count - 1} {address(0)}/32+ kind {kind} announce off\n"


def undone(kind: str, number: int) -> list[str]:
    """What ip(8) is told to take an alias away, as anybody would."""
    if kind == MACVLAN:
        return ["link", "del", f"eth9_{number}"]
    return ["addr", "del", f"{address(number)}/32", "dev", "eth9"]


def rounds(kind: str, count: int) -> Healing:
    """So many aliases in turn, none so often that it looks like a quarrel. Raises Failed."""
    found, witness = Healing(), Witness()
    try:
        for number in range(count):
            idle_a_while()
            one = healed(witness, kind, number * 17 % COUNT)
            found.times += one.times
            found.others |= one.others
    finally:
        witness.close()
    return found


def idle_a_while() -> None:
    """The kernel's own clearing away, and the writing of texts, are not what is measured."""
    time.sleep(0.25)


class Floor:
    """A process that does nothing but give back what goes, with messages prepared."""

    def __init__(self, kind: str) -> None:
        self._pid = os.fork()
        if not self._pid:
            try:
                self._serve(kind)
            finally:
                os._exit(1)

    def close(self) -> None:
        """End it."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    @staticmethod
    def _serve(kind: str) -> None:
        import socket

        stream = Stream(media=False)
        for _ in stream.start():
            pass
        out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        main = socket.if_nametoindex("eth9")
        while True:
            select.select(stream.filenos(), [], [])
            for event in list(stream.read()):
                if kind == LABEL and _gone(event) and event.what == ADDRESS:
                    out.send(wire.add_address(0, main, event.old.address))
                if kind == MACVLAN and event.what == DEPARTURE and event.device is not None:
                    _remake(out, socket.if_nametoindex, event.device.name, main)


def _remake(out: object, index_of: Callable[[str], int], name: str, main: int) -> None:
    send = out.send  # type: ignore[attr-defined]
    number = int(name.partition("_")[2])
    send(wire.create_link(0, name, MACVLAN, GROUP, mode=4, link=main))
    index = index_of(name)
    entry = Address(index, AF_INET, bytes(map(int, address(number).split("."))), 32)
    parts = (
        wire.alt_name(0, index, name.replace("_", ":")),
        wire.add_address(0, index, entry),
        wire.set_link(0, index, up=True),
    )
    send(b"".join(parts))


KEEPALIVED = """\
global_defs {{
  router_id bench
  vrrp_skip_check_adv_addr
}}
vrrp_instance bench {{
  state MASTER
  interface eth9
  virtual_router_id 51
  priority 255
  advert_int 1
  virtual_ipaddress {{
    {first} dev eth9
  }}
  virtual_ipaddress_excluded {{
{others}
  }}
}}
"""


def keepalived() -> Resident:
    """The same addresses, held by keepalived. Raises Failed."""
    program = shutil.which("keepalived") or "/usr/sbin/keepalived"
    if not os.path.exists(program):
        raise Failed("keepalived is not installed")
    conf = RUN / "keepalived.conf"
    others = "\n".join(f"    {address(number)}/32 dev eth9" for number in range(1, COUNT))
    conf.write_text(KEEPALIVED.format(first=f"{address(0)}/32", others=others), encoding="ascii")
    words = [program, "--vrrp", "--dont-fork", "--log-console", f"--use-file={conf}"]
    words += [f"--pid={RUN}/keepalived.pid", f"--vrrp_pid={RUN}/vrrp.pid"]
    captured([IP, "addr", "add", "192.0.2.1/24", "dev", "eth9"])

    def ready() -> bool:
        return captured([IP, "-4", "-o", "addr", "show", "dev", "eth9"]).count(" inet 10.") == COUNT

    return Resident(words, ready)


class Figures:
    """What was measured: rows of a table by its heading, and what could not be."""

    def __init__(self) -> None:
        self.healing: list[list[str]] = []
        self.costs: list[list[str]] = []

    def add(self, who: str, what: str, found: Healing | str) -> None:
        """One way of putting right."""
        if isinstance(found, str):
            self.healing.append([who, what, "-", "-", "-", found])
            return
        median = statistics.median(found.times)
        word = ""
        if who == "netalias watch":
            word = "reached" if median <= LIMIT_HEALED else f"missed: <= {LIMIT_HEALED:.0f} ms"
        cells = [duration(median), duration(max(found.times)), str(len(found.others))]
        self.healing.append([who, what, *cells, word])

    def cost(self, what: str, value: str, limit: str, reached: bool) -> None:
        """One more figure, held against its limit."""
        self.costs.append([what, value, limit, "reached" if reached else "missed"])


class Bench:
    """All jobs, one after another."""

    def __init__(self, installs: Installs, *, quick: bool) -> None:
        self._installs = installs
        self._rounds = FEW if quick else ROUNDS
        self._counts = (COUNT,) if quick else (COUNT, LARGE)
        self.figures = Figures()

    def measure(self) -> Figures:
        """Everything."""
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
                _settle(witness, one, local)
                found.others |= one.others
        finally:
            witness.close()
            resident.close()
        return found

    def _sized(self, kind: str, count: int) -> None:
        """What it costs to hold so many, when nothing happens and when much does."""
        stage = _stage()
        try:
            resident = watcher(self._installs, declared(kind, count), count)
            try:
                self._costs(resident, kind, count)
            finally:
                resident.close()
        except (Failed, OSError) as problem:
            self.figures.cost(f"{count} {kind}s", str(problem).strip(), "", False)
        finally:
            stage.close()

    def _costs(self, resident: Resident, kind: str, count: int) -> None:
        add = self.figures.cost
        time.sleep(1)
        memory = resident.memory()
        limit = f"<= {LIMIT_MEMORY:.0f} MB"
        add(f"memory, {count} {kind}s", f"{memory:.1f} MB", limit, memory <= LIMIT_MEMORY)
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
        add(f"memory at most, {count} {kind}s", f"{peak:.1f} MB", limit, peak <= LIMIT_MEMORY)


def stormed(kind: str, rate: int, changes: int) -> tuple[float, float]:
    """Milliseconds from the last change until an alias that went during the storm is back, and is
    in the text; and how many changes a second there were. *rate* 0: as fast as the kernel takes
    them."""
    import socket

    out = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    lo = socket.if_nametoindex("lo")
    begin = time.perf_counter()
    for number in range(changes // 100):
        if rate:
            time.sleep(max(0.0, begin + number * 100 / rate - time.perf_counter()))
        packed = b"".join(
            make(0, lo, Address(lo, AF_INET, bytes((10, 200, number & 255, one)), 32))
            for one in range(50)
            for make in (wire.add_address, wire.del_address)
        )
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


def _settle(witness: Witness, found: Healing, number: int) -> None:
    """What else happens until nothing has happened for two seconds."""
    local = bytes(map(int, address(number).split(".")))
    while True:
        try:
            _, events = witness.next(time.monotonic() + 2)
        except Failed:
            return
        for event in events:
            if event.what == ADDRESS and event.subject.address.local != local:
                found.others.add(str(event.key))


def _made(installs: Installs, kind: str) -> None:
    """The aliases, and nobody who watches them."""
    conf = RUN / "made.conf"
    conf.write_text(declared(kind, COUNT), encoding="ascii")
    captured([str(installs.launcher), "reconcile", "-q", str(conf)])


def _stage() -> Stage:
    """Nothing is left of the one before."""
    shutil.rmtree(RUN, ignore_errors=True)
    shutil.rmtree("/run/netalias", ignore_errors=True)
    RUN.mkdir(mode=0o755)
    idle()
    return Stage()


def section(figures: Figures) -> str:
    """The heading and the tables of docs/performance.md."""
    head = ("", "what is undone", "median", "at most", "others touched", "")
    parts = [WATCHING, INTRODUCTION, table(head, figures.healing)]
    parts += [table(("", "measured", "limit", ""), figures.costs)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


INTRODUCTION = f"""\
Written by `python tools/bench/watching.py --write` on {time.strftime("%Y-%m-%d")}, Linux
{os.uname().release}, {os.cpu_count()} processors ({processor()}), other work on them. A third
process hears what the kernel announces: from the word that an alias has gone to the word that it is
back, an alias device up, with both names and its address. "Others touched" counts the devices and
addresses, besides, of which anything was announced meanwhile. The kernel itself holds everybody off
for some 20 ms when it takes a macvlan away (synchronize_net); the floor is a program that knows
beforehand what to do and sends three messages. keepalived has the same addresses in one instance,
and nobody else on its network.
"""


def main() -> int:
    """Go into a namespace, measure, print, and write if asked to."""
    options = _options()
    if not options.outside:
        inode = str(os.stat(HERE).st_ino)
        helper = str(REPO / "tools" / "in-namespace")
        words = [sys.executable, __file__, *sys.argv[1:], "--outside", inode]
        os.execv(helper, [helper, *words])
    if str(os.stat(HERE).st_ino) == options.outside:
        print("no watching: no private namespace can be made here")
        return 0
    os.chmod("/run", 0o755)
    text = section(Bench(Installs(), quick=options.quick).measure())
    print(text)
    if options.write:
        keep(text)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A watcher at work, and keepalived.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--outside", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
