"""How soon a bound flow goes on after its device has got another address.

A UDP socket is bound to the oldest address of a device. At each change the address that was in use
last is put back as one of scope host, and what is sent from old addresses is translated to the new
one; the time ends when a server sees a packet of the socket with it. Here that is done by the back
end of netalias in a process that runs already, as ``watch`` does, and by a script of ip, nft and
conntrack. Both take turns in every round, each between two network namespaces.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import time
from pathlib import Path

from page import duration, table, verdict
from processes import Failed, Place, captured
from stage import IP, Run, Stage, idle, limited

from netalias.kernel.netlink import Netlink
from netalias.model import AF_INET, PROTOCOL, Address
from netalias.model.steps import AddAddress
from netalias.nat import Translation
from netalias.nat.kernel import KernelNat

COUNTS = (1, 10, 1000, 10_000)
ROUNDS, QUICK = 30, 5
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
        self.bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bound.bind((fresh(0), 0))
        self.bound.connect((SERVER, PORT))

    def close(self) -> None:
        """Let the namespaces go."""
        self.bound.close()
        self.listening.close()
        self.stage.close()
        os.close(self.server.file)

    def changed(self) -> float:
        """One change of address; the milliseconds until its first packet. Raises Failed."""
        self.stage.enter()
        former, self.newest = self.newest, fresh(self.number)
        self.number += 1
        captured([IP, "addr", "add", f"{self.newest}/32", "dev", "eth9"])
        self.bound.send(b"before")
        self.listening.recv(100)
        # The oldest address stays where it is, since its socket needs it at any moment.
        if former != fresh(0):
            captured([IP, "addr", "del", f"{former}/32", "dev", "eth9"])
        begin = time.perf_counter()
        self.kept(former)
        self.bound.send(b"after")
        _, (source, _) = self.listening.recvfrom(100)
        taken = (time.perf_counter() - begin) * 1000
        if source != self.newest:
            raise Failed(f"a packet came from {source} where {self.newest} is the address")
        return taken

    def kept(self, former: str) -> None:
        """The address *former* is one of the old ones from now on."""
        raise NotImplementedError


class Ours(Scene):
    """netalias: two sends, and the entries of connection tracking."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.kernel = Netlink()
        self.nat = KernelNat()
        self.packed = frozenset(map(socket.inet_aton, self.old))
        if count > 1:
            self.nat.apply([self._wanted()])

    def close(self) -> None:
        self.kernel.close()
        self.nat.close()
        super().close()

    def kept(self, former: str) -> None:
        local = socket.inet_aton(former)
        if former != fresh(0):
            entry = Address(self.index, AF_INET, local, 32, 0x80, RT_SCOPE_HOST, protocol=PROTOCOL)
            (error,) = self.kernel.send([AddAddress("eth9", self.index, entry)])
            if error:
                raise Failed(str(error))
        self.packed |= {local}
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


def measure(count: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each change by who made it. Raises Failed."""
    scenes: dict[str, Scene] = {"netalias": Ours(count)}
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
    return found


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    figures: dict[int, float] = {}
    rows = []
    for count in COUNTS:
        found = measure(count, QUICK if run.quick else ROUNDS)
        figures[count] = statistics.median(found["netalias"])
        theirs = statistics.median(found["script"]) if "script" in found else 0.0
        ratio = theirs / figures[count]
        rows.append(
            [
                f"{count} old",
                f"{duration(figures[count])} (<= {LIMIT:.0f} ms: {verdict(figures[count], LIMIT)})",
                duration(theirs) if theirs else "-",
                f"{ratio:.1f} x (>= {SCRIPT:.0f}: {verdict(SCRIPT, ratio)})" if theirs else "-",
            ]
        )
    growth = figures[10_000] / figures[10]
    told = f"{growth:.2f} x (<= {GROWTH}: {verdict(growth, GROWTH)})"
    head = ("", "netalias", "script", "ratio")
    return f"{INTRODUCTION}\n{table(head, rows)}\n\nTen thousand old ones over ten: {told}.\n"


INTRODUCTION = """\
From a change of address until a server sees the next packet of a UDP socket that is bound to the
oldest one, translated to the new one; medians of changes that took turns. netalias is its back end
in a process that runs, as it does in `watch`; the script calls ip, nft and conntrack.
"""
