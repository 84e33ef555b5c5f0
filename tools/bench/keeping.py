"""The time until a bound flow goes on after its device has got another address.

A UDP socket is bound to the oldest address of a device. At each change the device gets a new
address, and the one that was in use last is deleted; somebody puts it back as one of scope host,
and has what is sent from old addresses translated to the new one. The time ends when a server sees
a packet of the socket with it. Those who do it: ``netalias watch``, which hears of the change; its
back end alone, in a process that runs already; the process of a link of netalias, whose watcher
hears of it (``user``); and a script of ip, nft and conntrack, as a DHCP client calls it. They take
turns in every round, each between two network namespaces.

Beside them ip_dynaddr of the kernel, which does it for a connection that is being made, and is not
bound: the time ends when that is made.
"""

from __future__ import annotations

import os
import select
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from page import LAUNCHER, duration, table, verdict
from processes import Failed, Place, captured, command
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
USER = 3.0
"""The same where a process of ours translates."""
SCRIPT, SCRIPT_USER = 2.0, 7.0
"""The script over netalias."""
DYNADDR = 20.0
"""ip_dynaddr over netalias."""
FEW = 5
"""Rounds of what takes a second."""
SERVER = "192.0.2.1"
OUTER = ("172.31.0.1", "172.31.0.2")
"""Addresses of the cable below a link."""
PORT = 4009
RT_SCOPE_HOST = 254
WAIT = 5.0
"""Seconds for one packet."""
REST = 0.03
"""Seconds before each change, in which those before it come to their end."""
BEAT = 0.0002
"""Seconds between two packets of the socket."""


def fresh(number: int) -> str:
    """One address after another that the device gets."""
    return f"10.{1 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


class Scene:
    """A device with one bound socket of ours, and *count* old addresses, the first of which it has.

    The other old ones stand in the table alone: the device does not have them.
    """

    device, peer = "eth9", "peth9"

    def __init__(self, count: int) -> None:
        RUN.mkdir(exist_ok=True)
        self.server = Place()
        captured([IP, "link", "set", "lo", "up"])
        captured([IP, "addr", "add", f"{SERVER}/32", "dev", "lo"])
        self.listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.listening.bind((SERVER, PORT))
        self.listening.settimeout(WAIT)
        self.stage = Stage()
        there = f"/proc/{os.getpid()}/fd/{self.server.file}"
        captured([IP, "link", "set", "peth9", "netns", there])
        self.server.enter()
        captured([IP, "link", "set", "peth9", "up"])
        self.lay()
        self.server.enter()
        captured([IP, "route", "add", "10.0.0.0/8", "dev", self.peer])
        self.stage.enter()
        captured([IP, "addr", "add", f"{fresh(0)}/32", "dev", self.device])
        captured([IP, "route", "add", SERVER, "dev", self.device])
        self.newest = fresh(0)
        self.number = count
        self.old = [fresh(number) for number in range(1, count)]
        self.index = socket.if_nametoindex(self.device)
        self.kernel = Netlink()
        self.bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bound.bind((fresh(0), 0))
        self.bound.connect((SERVER, PORT))

    def lay(self) -> None:
        """Make the device, where that is another one."""

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
        self.replace(former)
        self.kept(former)
        self._wait(begin + WAIT)
        return (time.perf_counter() - begin) * 1000

    def replace(self, former: str) -> None:
        """The device gets its newest address, and loses the *former* one."""
        self.send([AddAddress(self.device, self.index, self.entry(self.newest, 0))])
        self.send([DelAddress(self.device, self.index, self.entry(former, 0))])

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

    mode = "kernel"

    def __init__(self, count: int) -> None:
        super().__init__(1)
        file, log = RUN / f"keeping-{self.mode}.conf", RUN / "log"
        line = f"{self.device} iface-alias {self.mode} max {MAX}\n"
        file.write_text(line, encoding="ascii")
        self.watch = Resident([LAUNCHER, "watch", str(file)], lambda: "watching" in log.read_text())
        for _ in range(1, count):
            self.changed()

    def close(self) -> None:
        self.watch.close()
        super().close()

    def kept(self, former: str) -> None:
        pass  # it hears of it


class User(Watch):
    """The same over a link of netalias, whose process translates."""

    device = peer = "link0"
    mode = "user"

    def lay(self) -> None:
        self.links = []
        ends = ((self.stage, "eth9", OUTER[0], f"{OUTER[1]}:7777/udp"),
                (self.server, "peth9", OUTER[1], "*:7777/udp"))  # fmt: skip
        for place, device, address, to in ends:
            place.enter()
            captured([IP, "addr", "add", f"{address}/24", "dev", device])
            words = [LAUNCHER, "-q", "link", "run", self.device, to]
            self.links.append(Resident(words, self._is_up))

    def _is_up(self) -> bool:
        return f": {self.device}: " in captured([IP, "-o", "link", "show", "up"])

    def close(self) -> None:
        for one in self.links:
            one.close()
        super().close()


class Dynaddr(Scene):
    """The kernel: a connection whose first packet is lost, as the server has no route to the former
    address."""

    def lay(self) -> None:
        self.accepting = socket.create_server((SERVER, PORT))
        self.stage.enter()
        Path("/proc/sys/net/ipv4/ip_dynaddr").write_text("1", encoding="ascii")

    def close(self) -> None:
        self.accepting.close()
        super().close()

    def changed(self) -> float:
        """One change of address; the milliseconds until the connection is made. Raises Failed."""
        self._route("del")
        self.stage.enter()
        former, self.newest = self.newest, fresh(self.number)
        self.number += 1
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connecting:
            connecting.setblocking(False)
            connecting.connect_ex((SERVER, PORT))
            begin = time.perf_counter()
            self.replace(former)
            self._route("add")
            if not select.select([], [connecting], [], WAIT)[1]:
                raise Failed(f"ip_dynaddr: no connection was made in {WAIT:.0f} s")
            taken = (time.perf_counter() - begin) * 1000
            connecting.getpeername()
        self.accepting.accept()[0].close()
        return taken

    def _route(self, verb: str) -> None:
        self.server.enter()
        captured([IP, "route", verb, "10.0.0.0/8", "dev", self.peer])


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
        self.nft, self.conntrack = command("nft"), command("conntrack")
        super().__init__(count)
        rules = Path("/run/keeping.nft")
        rules.write_text(self.TABLE.format(old="".join(f", {one}" for one in self.old)))
        captured(["/bin/sh", "-c", f"{self.nft} -f {rules}"])

    def kept(self, former: str) -> None:
        self.FILE.write_text(
            f"{IP} addr replace {former}/32 dev eth9 scope host\n"
            f"{self.nft} -f - <<E\n"
            "flush chain ip keeping postrouting\n"
            f"add element ip keeping old {{ {former} }}\n"
            f"add rule ip keeping postrouting oifname eth9 ip saddr @old snat to {self.newest}\n"
            "E\n"
            f"{self.conntrack} -D -q {former} || :\n",
            encoding="ascii",
        )
        limited(["/bin/sh", str(self.FILE)])


def measure(count: int, rounds: int) -> dict[str, float]:
    """The median of the milliseconds of a change, by who made it. Raises Failed."""
    scenes: dict[str, Scene] = {"back end": BackEnd(count)}
    if count <= KEPT:
        scenes["watch"] = Watch(count)
        scenes["user"] = User(count)
    try:
        scenes["script"] = Script(count)
    except Failed as error:
        print(f"bench: the script is not measured: {error}", file=sys.stderr)
    found: dict[str, list[float]] = {name: [] for name in scenes}
    idle()
    for number in range(rounds + 1):
        for name, scene in scenes.items():
            time.sleep(REST)
            taken = scene.changed()
            if number:  # the first one makes the table
                found[name].append(taken)
    for scene in scenes.values():
        scene.close()
    return {name: statistics.median(times) for name, times in found.items()}


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rows, ends, slowest = [], {}, 0.0
    for count in COUNTS:
        found = measure(count, QUICK if run.quick else ROUNDS)
        ends[count] = found["back end"]
        first = found.get("watch", found["back end"])
        user = found.get("user")
        cells = [f"{count} old", _timed(found.get("watch")), _timed(found["back end"])]
        cells.append(_timed(user, USER))
        script = found.get("script", 0.0)
        cells.append(duration(script) if script else "-")
        cells.append(_times(script, first, SCRIPT))
        cells.append(_times(script, user, SCRIPT_USER))
        rows.append(cells)
        slowest = max(first, user or 0.0, slowest)
    growth = ends[10_000] / ends[10]
    told = f"{growth:.2f} x (<= {GROWTH}: {verdict(growth, GROWTH)})"
    kernel = dynaddr(FEW if run.quick else 2 * FEW)
    head = ("", "watch", "its back end", "user", "script", "script / watch", "script / user")
    return (
        f"{INTRODUCTION}\n{table(head, rows)}\n\nTen thousand old ones over ten: {told}."
        f" `ip_dynaddr` takes {duration(kernel)} for a connection that is being made and is not"
        f" bound, {_times(kernel, slowest, DYNADDR)} the longest of these times.\n"
    )


def dynaddr(rounds: int) -> float:
    """The median of the milliseconds in which the kernel itself does it. Raises Failed."""
    scene = Dynaddr(1)
    try:
        return statistics.median(scene.changed() for _ in range(rounds))
    finally:
        scene.close()


def _timed(taken: float | None, limit: float = LIMIT) -> str:
    if taken is None:
        return "-"
    return f"{duration(taken)} (<= {limit:.0f} ms: {verdict(taken, limit)})"


def _times(other: float, own: float | None, least: float) -> str:
    """By how much another one is slower, beside the target."""
    if not (other and own):
        return "-"
    return f"{other / own:.1f} x (>= {least:.0f}: {verdict(least, other / own)})"


INTRODUCTION = f"""\
From a new address until a server sees a packet of a UDP socket that is bound to the
oldest one, translated to the new one; medians of changes that took turns. `watch` hears of the
change; its back end alone, and a script of ip, nft and conntrack, are told of it; with `user` the
process of a link of netalias translates, as its watcher tells it to. The socket sends every
{BEAT * 1000:.1f} ms.
"""
