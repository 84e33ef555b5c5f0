"""Tunnels over UDP beside kernel vxlan, a plain relay of the bench's own, and OpenVPN.

Two network namespaces with one cable between them, which hands superpackets on whole, or is a
wire: it cuts them, and the other end puts them together again (GRO). A bridge in the middle can
lose one datagram of a hundred. All tunnels stand side by side over it; one flow runs at a time, and
those who carry it take turns. Two processors do everything: the flow, the kernel and both ends.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from installs import REPO
from page import table, verdict
from processes import ENVIRONMENT, Failed, Place, captured
from stage import IP, Run, idle
from successor import gap

from netalias.runtime import translated
from netalias.tunnels import frames, plane, tun
from netalias.tunnels.carriage import Carriage, open_carriage
from netalias.tunnels.counters import Counters

FLOW = Path(__file__).with_name("flow.py")
PLAIN = Path(__file__).with_name("plain_relay.py")
OUTER = ("10.9.0.1", "10.9.0.2")
OUTER6 = ("fd09::1", "fd09::2")
ROUNDS, QUICK = 5, 2
SECONDS, SHORT = 1.5, 0.7
LOSS = 10
"""Of a thousand datagrams."""
CHANCE = 3
"""Times the rounds, where chance decides: a lost retransmission costs a flow 0.2 s."""
PINGS = 200
MTU = 1500 - 28 - frames.ROOM
"""Inside a tunnel of ours: its slices fill datagrams of 1500 bytes."""
PATIENCE = 30.0
SIOCETHTOOL, ETHTOOL_STSO, ETHTOOL_SGRO = 0x8946, 0x1F, 0x2C
NETS = {
    "vxlan": 20, "plain": 21, "netalias": 22, "to a plain peer": 23, "openvpn": 24, "ipip94": 25,
    "ipip": 26, "translated": 27,
}  # fmt: skip
"""Name of a tunnel: the second number of its addresses."""
MEMORY = 40.0
"""MB of each end."""
IDLE, LOADED = 150.0, 3.0
"""Microseconds over the bare cable; times vxlan."""
TRANSLATED = 0.9
"""A flow whose source is translated, over one whose source is not."""
OPENVPN = 5.0
GAP = 200.0
"""Milliseconds after kill -9 of a data plane."""

RULES = f"""\
table netdev lossy {{
  chain c {{
    type filter hook ingress device m0 priority 0
    ip protocol udp numgen random mod 1000 < {LOSS} drop
  }}
}}
"""


class Target:
    """A flow, the cable, and by how much of others netalias has to beat them."""

    def __init__(
        self, title: str, cable: str, way: str, plain: float, vxlan: float = 0.0,
        own: str = "netalias",
    ) -> None:  # fmt: skip
        self.title, self.cable, self.way, self.own = title, cable, way, own
        self.plain, self.vxlan = plain, vxlan


TARGETS = (
    Target("one flow of TCP", "whole", "tcp4", 7.0, 0.35),
    Target("IPv6 inside", "whole", "tcp6", 4.0),
    Target("UDP inside", "whole", "udp4", 4.0),
    Target("a wire", "wire", "tcp4", 4.5, 0.7),
    Target("1 % loss", "loss", "tcp4", 1.2, 0.6),
    Target("the peer is a plain relay", "whole", "tcp4", 1.2, own="to a plain peer"),
    Target("carriage ipip94", "whole", "tcp4", 1.2, own="ipip94"),
    Target("carriage ipip, and a card with GRO", "wire", "tcp4", 1.2, own="ipip"),
)


class Cable:
    """Two namespaces joined by *kind*: ``whole``, ``wire``, or ``loss``, which is a wire too."""

    def __init__(self, kind: str) -> None:
        self.ends = [Place(), Place()]
        self._middle = Place()
        names = ("eth9", "p9")
        places = [f"/proc/{os.getpid()}/fd/{one.file}" for one in self.ends]
        if kind == "loss":
            self._bridge(names, places)
        else:
            captured([IP, "link", "add", names[0], "netns", places[0], "type", "veth", "peer",
                      "name", names[1], "netns", places[1]])  # fmt: skip
        for number, name in enumerate(names):
            self.ends[number].enter()
            captured([IP, "link", "set", "lo", "up"])
            captured([IP, "addr", "add", f"{OUTER[number]}/24", "dev", name])
            cut = ["gso_max_segs", "1"] if kind != "whole" else []
            captured([IP, "link", "set", name, *cut, "up"])
            captured([IP, "addr", "add", f"{OUTER6[number]}/64", "dev", name, "nodad"])
            if cut:
                set_offload(name, ETHTOOL_STSO, False)
                set_offload(name, ETHTOOL_SGRO, True)

    def _bridge(self, names: Sequence[str], places: Sequence[str]) -> None:
        """Two cables and a bridge between them, which loses datagrams of the first."""
        captured([IP, "link", "add", "br9", "type", "bridge"])
        for number, (name, place) in enumerate(zip(names, places, strict=True)):
            port = f"m{number}"
            captured(
                [IP, "link", "add", port, "type", "veth", "peer", "name", name, "netns", place]
            )
            captured([IP, "link", "set", port, "master", "br9", "up"])
            set_offload(port, ETHTOOL_STSO, False)
        captured([IP, "link", "set", "br9", "up"])
        captured(["nft", RULES])

    def close(self) -> None:
        """Let the namespaces go."""
        for place in (*self.ends, self._middle):
            os.close(place.file)


def set_offload(name: str, command: int, on: bool) -> None:
    """Switch an offload of a device. A veth without TSO is one whose peer does GRO."""
    value = array.array("B", struct.pack("II", command, on))
    request = struct.pack("16sQ16x", name.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)


class Tunnel:
    """One way from the first end of a cable to the second."""

    def __init__(self, cable: Cable, name: str) -> None:
        self.cable = cable
        self.name = name
        self.net = NETS[name]
        self.pids: list[int] = []
        self.lines: list[list[str]] = []
        """The words of its data planes."""
        self.lifelines: list[int] = []
        self.held: list[tun.Tun | Carriage | Counters | socket.socket] = []
        for number, place in enumerate(cable.ends):
            place.enter()
            self.lay(number)

    def lay(self, number: int) -> None:
        """Make one end, in its namespace."""
        raise NotImplementedError

    def raise_device(self, number: int, device: str, *words: str) -> None:
        """Bring a device up, with its addresses."""
        path = Path(f"/proc/sys/net/ipv6/conf/{device}/addr_gen_mode")
        path.write_text("1", encoding="ascii")
        captured([IP, "link", "set", device, *words, "up"])
        captured([IP, "addr", "add", f"10.{self.net}.0.{number + 1}/24", "dev", device])
        address = f"fd{self.net}::{number + 1}/64"
        captured([IP, "addr", "add", address, "dev", device, "nodad"])

    def start(self, words: Sequence[str], held: Sequence[int] = ()) -> None:
        """Start a process of it."""
        process = subprocess.Popen(
            list(words), env=ENVIRONMENT, pass_fds=held, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.pids.append(process.pid)

    def address(self, version: str) -> str:
        """That of the second end."""
        return f"fd{self.net}::2" if version == "6" else f"10.{self.net}.0.2"

    def memory(self) -> float:
        """The largest resident set of its processes, in MB."""
        texts = [Path(f"/proc/{pid}/status").read_text("ascii") for pid in self.pids]
        return max(int(text.split("VmHWM:")[1].split()[0]) for text in texts) / 1024

    def close(self) -> None:
        """End its processes."""
        for pid in self.pids:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        for one in self.held:
            one.close()
        for fileno in self.lifelines:
            os.close(fileno)


class Vxlan(Tunnel):
    """That of the kernel, without a checksum of the outer UDP, as is usual."""

    def lay(self, number: int) -> None:
        local, peer = OUTER[number], OUTER[1 - number]
        captured([IP, "link", "add", "vx0", "type", "vxlan", "id", "7", "local", local,
                  "remote", peer, "dstport", "4789", "dev", ("eth9", "p9")[number]])  # fmt: skip
        self.raise_device(number, "vx0")


class Ours(Tunnel):
    """netalias at the ends that *plain* does not name, and at those a plain relay."""

    plain: tuple[int, ...] = ()
    device = "vif0"
    mtu = MTU

    def carriage(self) -> str:
        """The words of the carriage."""
        return f"udp:{7000 + self.net}"

    def words(self, number: int) -> list[str]:
        """Further words for the process of an end."""
        return []

    def lay(self, number: int) -> None:
        device = tun.create(self.device)
        carriage = open_carriage(self.carriage(), OUTER[1 - number], OUTER[number])
        count = Counters.create()
        self.held += [device, carriage, count]
        size = str(frames.gso_max_size(MTU))
        self.raise_device(number, self.device, "mtu", str(self.mtu), "gso_max_size", size)
        if number in self.plain:
            device.set_offload(0)
            held = [device.fileno(), carriage.fileno()]
            self.start([sys.executable, str(PLAIN), *map(str, held)], held)
        else:
            words = ["carriage", self.carriage(), "mtu", str(self.mtu)]
            words += ["address", f"10.{self.net}.0.{number + 1}/24", *self.words(number)]
            self.lines.append(words)
            self.pids.append(plane.spawn(device, carriage, count, words))

    def wait(self) -> None:
        """Until both ends know what the other can."""
        end = time.monotonic() + PATIENCE
        counts = [one for one in self.held if isinstance(one, Counters)]
        while not all(one.by_name()["agreed"] for one in counts):
            if time.monotonic() > end:
                raise Failed("the ends of the tunnel did not agree")
            time.sleep(0.05)


class Plain(Ours):
    """The relay of the bench's own at both ends."""

    plain = (0, 1)
    device = "plain0"


class ToPlain(Ours):
    """netalias here, the plain relay there."""

    plain = (1,)
    device = "half0"


class Translating(Ours):
    """netalias, whose first end has another address than its flows leave with."""

    device = "trans0"

    def words(self, number: int) -> list[str]:
        if number:
            return []
        old, new = (socket.inet_aton(f"10.{self.net}.0.{last}") for last in (1, 5))
        wish = translated.Translated()
        wish.families[socket.AF_INET] = new, frozenset([old])
        folder, cookie = "/run", 27
        translated.Record(folder, cookie).write({self.device: wish})
        captured([IP, "addr", "add", f"{socket.inet_ntoa(new)}/32", "dev", self.device])
        return ["folder", folder, "cookie", str(cookie)]


class Raw(Ours):
    """The carriage of that name, which carries one packet after another."""

    mtu = 1480

    def carriage(self) -> str:
        return self.name

    def lay(self, number: int) -> None:
        self.device = f"{self.name}0"
        super().lay(number)


class OpenVpn(Tunnel):
    """OpenVPN without encryption."""

    def lay(self, number: int) -> None:
        program, folder = openvpn()
        words = [
            "env", f"LD_LIBRARY_PATH={folder}", program, "--dev", "ovpn0", "--dev-type", "tun",
            "--proto", "udp", "--port", "1194", "--local", OUTER[number], "--remote",
            OUTER[1 - number], "--cipher", "none", "--auth", "none", "--tun-mtu", "1472",
            "--disable-dco", "--sndbuf", "1000000", "--rcvbuf", "1000000",
        ]  # fmt: skip
        self.start(words)
        end = time.monotonic() + PATIENCE
        while not Path("/proc/sys/net/ipv6/conf/ovpn0").exists():
            if time.monotonic() > end:
                raise Failed("OpenVPN made no device")
            time.sleep(0.05)
        self.raise_device(number, "ovpn0")


def openvpn() -> tuple[str, str]:
    """The program and the folder of its libraries. Raises Failed where it is not there."""
    root = REPO / ".venvs" / "openvpn" / "root"
    program = shutil.which("openvpn") or str(root / "usr" / "sbin" / "openvpn")
    if not Path(program).exists():
        raise Failed("openvpn: its Debian package was not fetched")
    return program, ":".join(map(str, sorted(root.glob("**/*-linux-gnu"))))


MAKERS: dict[str, Callable[[Cable, str], Tunnel]] = {
    "vxlan": Vxlan, "plain": Plain, "netalias": Ours, "to a plain peer": ToPlain,
    "openvpn": OpenVpn, "ipip94": Raw, "ipip": Raw, "translated": Translating,
}  # fmt: skip


class Bench:
    """All tunnels over a cable, and flows through them."""

    def __init__(self, kind: str, names: Sequence[str]) -> None:
        self.cable = Cable(kind)
        self.tunnels = {name: MAKERS[name](self.cable, name) for name in names}
        for one in self.tunnels.values():
            if isinstance(one, Ours) and type(one) in (Ours, Translating):
                one.wait()
        self._port = 20_000

    def close(self) -> None:
        """End everything."""
        for one in self.tunnels.values():
            one.close()
        self.cable.close()

    def flow(self, name: str, way: str, seconds: float) -> float:
        """Gbit/s of one flow through a tunnel, or of the bare cable where *name* is empty."""
        self._port += 1
        version = way[-1]
        kind = "-udp" if way.startswith("udp") else ""
        bare = OUTER6 if version == "6" else OUTER
        address = self.tunnels[name].address(version) if name else bare[1]
        self.cable.ends[1].enter()
        words = [sys.executable, str(FLOW), f"take{kind}", version, str(self._port)]
        with subprocess.Popen(words, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as taker:
            assert taker.stdout is not None
            taker.stdout.readline()
            self.cable.ends[0].enter()
            self._run(f"give{kind}", address, str(self._port), str(seconds))
            return float(taker.stdout.read()) * 8 / 1e9

    def ping(self, name: str) -> float:
        """The median round trip in microseconds."""
        self.cable.ends[0].enter()
        address = self.tunnels[name].address("4") if name else OUTER[1]
        return float(self._run("ping", address, str(PINGS)))

    def pinged_under_load(self, name: str, seconds: float) -> float:
        """The same while a flow of TCP fills the tunnel."""
        self._port += 1
        port, address = str(self._port), self.tunnels[name].address("4")
        self.cable.ends[1].enter()
        taking = [sys.executable, str(FLOW), "take", "4", port]
        with subprocess.Popen(taking, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as taker:
            assert taker.stdout is not None
            taker.stdout.readline()
            self.cable.ends[0].enter()
            giving = [sys.executable, str(FLOW), "give", address, port, str(seconds)]
            with subprocess.Popen(giving, env=ENVIRONMENT, stdout=subprocess.DEVNULL):
                time.sleep(0.5)
                found = self._run("ping", address, str(int(seconds * 30)))
            taker.stdout.read()
        return float(found)

    def _run(self, *words: str) -> str:
        return captured([sys.executable, str(FLOW), *words])


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rounds, seconds = (QUICK, SHORT) if run.quick else (ROUNDS, SECONDS)
    rows, facts = [], []
    for kind in ("whole", "wire", "loss"):
        targets = [one for one in TARGETS if one.cable == kind]
        names = ["vxlan", "plain", *dict.fromkeys(one.own for one in targets)]
        names += ["translated"] if kind == "whole" else []
        bench = Bench(kind, names)
        try:
            for way in dict.fromkeys(one.way for one in targets):
                idle()
                own = [one.own for one in targets if one.way == way]
                turns = rounds * (CHANCE if kind == "loss" else 1)
                rates = _rates(bench, ["", "vxlan", "plain", *own], way, turns, seconds)
                rows += [_row(one, rates) for one in targets if one.way == way]
            if kind == "whole":
                facts = _facts(bench, rounds, seconds)
        finally:
            bench.close()
    facts += _fastest_peer(rounds, seconds)
    head = ("", "bare", "vxlan", "plain relay", "netalias", "to the plain relay", "to vxlan")
    return f"{INTRODUCTION}\n{table(head, rows)}\n\n{table(('', 'measured', 'limit', ''), facts)}\n"


def _rates(
    bench: Bench, names: Sequence[str], way: str, rounds: int, seconds: float
) -> dict[str, float]:
    """Medians of those who take turns, by name, in Gbit/s."""
    found: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        turn = number % len(names)
        for name in (*names[turn:], *names[:turn]):
            found[name].append(bench.flow(name, way, seconds))
    return {name: statistics.median(rates) for name, rates in found.items()}


def _row(target: Target, rates: dict[str, float]) -> list[str]:
    own = rates[target.own]
    cells = [target.title]
    cells += [f"{one:.2f}" for one in (rates[""], rates["vxlan"], rates["plain"], own)]
    for name, least in (("plain", target.plain), ("vxlan", target.vxlan)):
        ratio = own / rates[name]
        wanted = f" (>= {least:.2f}: {verdict(least, ratio)})" if least else ""
        cells.append(f"{ratio:.2f} x{wanted}")
    return cells


def _facts(bench: Bench, rounds: int, seconds: float) -> list[list[str]]:
    """Round trips and memory."""
    bare, own = bench.ping(""), bench.ping("netalias")
    loaded = {
        name: statistics.median(bench.pinged_under_load(name, seconds) for _ in range(rounds))
        for name in ("vxlan", "netalias")
    }
    times = loaded["netalias"] / loaded["vxlan"]
    rates = _rates(bench, ["netalias", "translated"], "tcp4", rounds, seconds)
    share = rates["translated"] / rates["netalias"]
    tunnel = bench.tunnels["netalias"]
    assert isinstance(tunnel, Ours)
    memory = tunnel.memory()
    without = gap(tunnel, bench.cable.ends[0], rounds)
    return [
        ["ping, idle, over the bare cable", f"{bare:.0f} + {own - bare:.0f} us",
         f"<= {IDLE:.0f} us", verdict(own - bare, IDLE)],
        ["ping beside a flow, to that through vxlan", f"{times:.1f} x", f"<= {LOADED:.0f} x",
         verdict(times, LOADED)],
        ["a flow that is translated, to one that is not", f"{share:.2f} x",
         f">= {TRANSLATED:.1f} x", verdict(TRANSLATED, share)],
        ["without a data plane after kill -9", f"{without:.0f} ms", f"<= {GAP:.0f} ms",
         verdict(without, GAP)],
        ["memory of an end, at most", f"{memory:.1f} MB", f"<= {MEMORY:.0f} MB",
         verdict(memory, MEMORY)],
    ]  # fmt: skip


def _fastest_peer(rounds: int, seconds: float) -> list[list[str]]:
    """OpenVPN without encryption, where it can be had."""
    title = "one flow of TCP, to OpenVPN without encryption"
    try:
        version = captured([openvpn()[0], "--version"]) if shutil.which("openvpn") else ""
        bench = Bench("whole", ["netalias", "openvpn"])
    except Failed as problem:
        return [[title, str(problem), f">= {OPENVPN:.0f} x", ""]]
    try:
        rates = _rates(bench, ["netalias", "openvpn"], "tcp4", rounds, seconds)
    finally:
        bench.close()
    found = re.search(r"OpenVPN ([\d.]+)", version)
    ratio = rates["netalias"] / rates["openvpn"]
    told = f"{title.replace('OpenVPN', f'OpenVPN {found[1]}')}" if found else title
    return [[told, f"{ratio:.1f} x", f">= {OPENVPN:.0f} x", verdict(OPENVPN, ratio)]]


INTRODUCTION = f"""\
Gbit/s of one flow between two namespaces, {SECONDS} s after its first half second; medians
of {ROUNDS} rounds in which all took turns. The flow, the kernel and both ends of a tunnel share the
two processors. The plain relay is a Python program of the bench that carries packet by packet. "A
wire" has no offload: the device cuts superpackets into packets, and the other end puts them
together. With loss, every hundredth datagram is dropped by chance: then a flow is as fast as its
round trip is short, since its window is some twelve segments. On a busy machine that row shows how
long each of the processes on the way waits.
"""
