"""The time until a bound flow goes on after its device has got another address.

A UDP socket is bound to the oldest address of a device. At each change the device gets a new
address, and the one that was in use last is deleted; somebody puts it back as one of scope host,
and has what is sent from old addresses translated to the new one. The time ends when a server sees
a packet of the socket with it. Those who do it: ``netalias watch``, which hears of the change; its
back end alone, in a process that runs already; and a script of ip, nft and conntrack, as a DHCP
client calls it. They take turns in every round, each between two network namespaces.
"""

from __future__ import annotations

import os
import select
import shutil
import socket
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from page import LAUNCHER, duration, table, verdict
from processes import Failed, Place, captured
from residents import RUN, Resident
from stage import IP, Run, Stage, idle, limited

from netalias.kernel.netlink import Netlink
from netalias.model import AF_INET, Address
from netalias.model.steps import AddAddress, DelAddress
from netalias.nat import Translation
from netalias.nat.kernel import KernelNat

COUNTS = (1, 10, 1000, 10_000)
ROUNDS, QUICK = 30, 5
KEPT = 1000
"""The most old addresses that `watch` is measured with; they come one after another."""
MAX = KEPT + 2 * ROUNDS
LIMIT = 10.0
"""Milliseconds until the first translated packet."""
GROWTH = 1.5
"""That with ten thousand old addresses over that with ten."""
SCRIPT = 2.0
"""The script over netalias."""
SERVER = "192.0.2.1"
PORT = 4009
RT_SCOPE_HOST = 254
WAIT = 5.0
"""Seconds for one packet."""
BEAT = 0.0005
"""Seconds between two packets of the socket."""


def fresh(number: int) -> str:
    """One address after another that the device gets."""
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class Scene:
    """A device with one bound socket of ours, and *count* old addresses, the first of which it has.

    The other old ones stand in the table alone: the device does not have them.
    """

    def __init__(self, count: int) -> None:
        self.server = Place()
        captured([IP, "link", "set", "lo", "up"])
        captured([IP, "addr", "add", f"{SERVER}/32", "dev", "lo"])
        self.listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listening.bind((SERVER, PORT))
        self.listening.settimeout(WAIT)
        self.stage = Stage()
        there = f"/proc/{os.getpid()}/fd/{self.server.file}"
        captured([IP, "link", "set", "peth9", "netns", there])
        captured([IP, "addr", "add", f"{fresh(0)}/32", "dev", "eth9"])
        captured([IP, "route", "add", SERVER, "dev", "eth9"])
        self.server.enter()
        captured([IP, "link", "set", "peth9", "up"])
        captured([IP, "route", "add", "10.0.0.0/8", "dev", "peth9"])
        self.stage.enter()
        self.newest = fresh(0)
        self.number = count
        self.old = [fresh(number) for number in range(1, count)]
        self.index = socket.if_nametoindex("eth9")
        self.kernel = Netlink()
        self.bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bound.bind((fresh(0), 0))
        self.bound.connect((SERVER, PORT))

    def close(self) -> None:
        """Let the namespaces go."""
        self.kernel.close()
        self.bound.close()
        self.listening.close()
        self.stage.close()
        os.close(self.server.file)

    def changed(self) -> float:
        """One change of address; the milliseconds until its first packet. Raises Failed."""
        self.stage.enter()
        former, self.newest = self.newest, fresh(self.number)
        self.number += 1
        begin = time.perf_counter()
        self.send([AddAddress("eth9", self.index, self.entry(self.newest, 0))])
        self.send([DelAddress("eth9", self.index, self.entry(former, 0))])
        self.kept(former)
        self._wait(begin + WAIT)
        return (time.perf_counter() - begin) * 1000

    def _wait(self, end: float) -> None:
        """Until the server has a packet of the socket with the newest address."""
        while True:
            try:
                self.bound.send(b"on")
            except OSError:
                pass  # its address is not there at the moment
            while select.select([self.listening], [], [], BEAT)[0]:
                if self.listening.recvfrom(100)[1][0] == self.newest:
                    return
            if time.perf_counter() > end:
                raise Failed(f"no packet came from {self.newest} in {WAIT:.0f} s")

    def entry(self, text: str, scope: int) -> Address:
        """An address of the device."""
        return Address(self.index, AF_INET, socket.inet_aton(text), 32, 0x80, scope)

    def send(self, steps: Sequence[AddAddress | DelAddress]) -> None:
        """Change addresses. Raises Failed."""
        for error in self.kernel.send(steps):
            if error:
                raise Failed(str(error))

    def kept(self, former: str) -> None:
        """The address *former* is one of the old ones from now on."""
        raise NotImplementedError


class Watch(Scene):
    """netalias watch, with a file of one line; old addresses come by changes, one after another."""

    def __init__(self, count: int) -> None:
        super().__init__(1)
        RUN.mkdir(exist_ok=True)
        file, log = RUN / "keeping.conf", RUN / "log"
        file.write_text(f"eth9 iface-alias kernel max {MAX}\n", encoding="ascii")
        self.watch = Resident([LAUNCHER, "watch", str(file)], lambda: "watching" in log.read_text())
        for _ in range(1, count):
            self.changed()

    def close(self) -> None:
        self.watch.close()
        super().close()

    def kept(self, former: str) -> None:
        pass  # it hears of it


class BackEnd(Scene):
    """Its back end: an address, one transaction, and the entries of connection tracking."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.nat = KernelNat()
        self.packed = frozenset(map(socket.inet_aton, self.old))
        if count > 1:
            self.nat.apply([self._wanted()])

    def close(self) -> None:
        self.nat.close()
        super().close()

    def kept(self, former: str) -> None:
        self.send([AddAddress("eth9", self.index, self.entry(former, RT_SCOPE_HOST))])
        self.packed |= {socket.inet_aton(former)}
        self.nat.apply([self._wanted()])

    def _wanted(self) -> Translation:
        return Translation("eth9", AF_INET, socket.inet_aton(self.newest), self.packed)


class Script(Scene):
    """A script as it is called by a DHCP client: ip, nft and conntrack, one after the other."""

    FILE = Path("/run/keeping.sh")
    TABLE = """\
table ip keeping {{
  set old {{ type ipv4_addr; elements = {{ 10.255.255.255{old} }}; }}
  chain postrouting {{ type nat hook postrouting priority srcnat; }}
}}
"""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        rules = Path("/run/keeping.nft")
        rules.write_text(self.TABLE.format(old="".join(f", {one}" for one in self.old)))
        captured(["nft", "-f", str(rules)])

    def kept(self, former: str) -> None:
        self.FILE.write_text(
            f"{IP} addr replace {former}/32 dev eth9 scope host\n"
            "nft -f - <<E\n"
            "flush chain ip keeping postrouting\n"
            f"add element ip keeping old {{ {former} }}\n"
            f"add rule ip keeping postrouting oifname eth9 ip saddr @old snat to {self.newest}\n"
            "E\n"
            f"conntrack -D -q {former} || :\n",
            encoding="ascii",
        )
        limited(["/bin/sh", str(self.FILE)])


def measure(count: int, rounds: int) -> dict[str, float]:
    """The median of the milliseconds of a change, by who made it. Raises Failed."""
    scenes: dict[str, Scene] = {"back end": BackEnd(count)}
    if count <= KEPT:
        scenes["watch"] = Watch(count)
    if shutil.which("nft") and shutil.which("conntrack"):
        scenes["script"] = Script(count)
    found: dict[str, list[float]] = {name: [] for name in scenes}
    idle()
    for number in range(rounds + 1):
        for name, scene in scenes.items():
            taken = scene.changed()
            if number:  # the first one makes the table
                found[name].append(taken)
    for scene in scenes.values():
        scene.close()
    return {name: statistics.median(times) for name, times in found.items()}


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rows, ends = [], {}
    for count in COUNTS:
        found = measure(count, QUICK if run.quick else ROUNDS)
        ends[count] = found["back end"]
        cells = [f"{count} old", _timed(found.get("watch")), _timed(found["back end"])]
        script = found.get("script", 0.0)
        cells.append(duration(script) if script else "-")
        first = found.get("watch", found["back end"])
        least = f"(>= {SCRIPT:.0f}: {verdict(SCRIPT, script / first)})"
        cells.append(f"{script / first:.1f} x {least}" if script else "-")
        rows.append(cells)
    growth = ends[10_000] / ends[10]
    told = f"{growth:.2f} x (<= {GROWTH}: {verdict(growth, GROWTH)})"
    head = ("", "watch", "its back end", "script", "ratio")
    return f"{INTRODUCTION}\n{table(head, rows)}\n\nTen thousand old ones over ten: {told}.\n"


def _timed(taken: float | None) -> str:
    if taken is None:
        return "-"
    return f"{duration(taken)} (<= {LIMIT:.0f} ms: {verdict(taken, LIMIT)})"


INTRODUCTION = f"""\
From a new address until a server sees a packet of a UDP socket that is bound to the
oldest one, translated to the new one; medians of changes that took turns. `watch` hears of the
change; its back end alone, and a script of ip, nft and conntrack, are told of it. The socket
sends every {BEAT * 1000:.1f} ms.
"""
