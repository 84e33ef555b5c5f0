"""The stage: hosts as network namespaces on one bridge, and on a second one for management.

Both bridges are in a namespace of their own, the switch. Host N has eth0 on the segment with
10.0.0.N/24 and fd00::N/64, and mgmt0 with 10.1.0.N/24; a member N of the engine has mgmt0 with
10.1.0.(100 + N). Two observers ask on the segment: one by ARP and neighbour discovery (asker.py),
one by TCP (connector.py).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

import asker  # noqa: E402  (the path comes first)
import connector  # noqa: E402
from judge import Verdict, judge  # noqa: E402
from support import Namespace, Process, until  # noqa: E402

SEGMENT, MANAGEMENT = "eth0", "mgmt0"
BRIDGES = {SEGMENT: "br0", MANAGEMENT: "br1"}
"""The device of a host, and the bridge that it is on."""
NETWORKS = {SEGMENT: "10.0.0", MANAGEMENT: "10.1.0"}
NETWORK_INET6 = "fd00::"
"""The network of the segment in IPv6."""
ASKER, CONNECTOR = 222, 223
"""The last bytes of the addresses of the observers."""
FIRST, FIRST_INET6 = 20, 0x1000
"""The last part of the first floating address of each family."""
OPTIMISTIC = "/proc/sys/net/ipv6/conf/all/optimistic_dad"
"""A host that takes an IPv6 address over answers while its kernel asks whether it is unique."""
BLOCKED, FORWARDING = 0, 3  # linux/if_bridge.h


def floats(count: int, inet6: int = 0) -> list[str]:
    """The floating addresses, of which so many, the last ones, are of IPv6."""
    found = [f"{NETWORKS[SEGMENT]}.{FIRST + number}" for number in range(count - inet6)]
    return found + [f"{NETWORK_INET6}{FIRST_INET6 + number:x}" for number in range(inet6)]


def families(addresses: Iterable[str]) -> list[list[str]]:
    """The addresses of IPv4 and those of IPv6, without a family that has none."""
    found: list[list[str]] = [[], []]
    for one in addresses:
        found[":" in one].append(one)
    return [some for some in found if some]


class Host:
    """A network namespace on the bridges, and the processes that were started in it."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.namespace = Namespace()
        self.namespace.ip("link set lo up")
        self.processes: list[Process] = []

    def port(self, device: str) -> str:
        """The name of the switch's end of the cable of a device."""
        return f"{self.name}.{device}"[:15]

    def address(self, device: str) -> str:
        """Its own one there."""
        return f"{NETWORKS[device]}.{self.number}"

    @property
    def inet6(self) -> str:
        """The one of IPv6 on the segment."""
        return f"{NETWORK_INET6}{self.number}"

    def start(self, words: Sequence[str], **options: object) -> Process:
        """A process in it, which close() ends."""
        self.processes.append(self.namespace.start(words, **options))
        return self.processes[-1]

    def serve(self, words: Sequence[str], log: Path) -> Process:
        """The same for a daemon, whose words go into a file."""
        with log.open("a") as file:
            return self.start(words, stdout=file, stderr=file, stdin=subprocess.DEVNULL)

    def close(self) -> None:
        """End its processes and the namespace."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()
        self.namespace.close()


class Segment:
    """The switch and what is on it."""

    def __init__(self, hosts: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cluster."))
        self.switch = Namespace()
        for bridge in BRIDGES.values():
            self.switch.ip(f"link add {bridge} type bridge mcast_snooping 0")
            self.switch.ip(f"link set {bridge} up")
        self.hosts = [Host(f"h{number}", number) for number in range(1, hosts + 1)]
        self.others: list[Host] = []
        self._responders: set[str] = set()
        self.ports: dict[str, set[str]] = defaultdict(set)
        """MAC -> the ports of the segment that it was seen on."""
        for host in self.hosts:
            self.plug(host, SEGMENT)
            self.plug(host, MANAGEMENT)

    def plug(self, host: Host, device: str) -> None:
        """A cable between a host and the bridge of this device."""
        port = host.port(device)
        self.switch.ip(f"link add {port} type veth peer name {device} netns {host.namespace.path}")
        self.switch.ip(f"link set {port} master {BRIDGES[device]} addrgenmode none up")
        host.namespace.ip(f"link set {device} addrgenmode none up")
        host.namespace.ip(f"addr add {host.address(device)}/24 dev {device}")
        if device == SEGMENT:
            host.namespace.run(["sh", "-c", f"echo 1 >{OPTIMISTIC}"])
            host.namespace.ip(f"addr add {host.inet6}/64 dev {device} nodad")
        until(lambda: "state UP" in host.namespace.ip(f"link show {device}"))

    def another(self, name: str, number: int, device: str = SEGMENT) -> Host:
        """One more host: an observer, or a member of the engine."""
        host = Host(name, number)
        self.others.append(host)
        self.plug(host, device)
        return host

    def observer(self, number: int) -> Host:
        """The host with this last byte of its address, which holds nothing."""
        found = [host for host in self.others if host.number == number]
        return found[0] if found else self.another(f"o{number}", number)

    def respond(self) -> None:
        """Let every host tell its name to those who connect."""
        for host in self.hosts:
            if host.name not in self._responders:
                words = [sys.executable, str(HERE / "connector.py"), "serve", host.name]
                process = host.start(words, stdout=subprocess.PIPE)
                assert process.line() == "ready\n"
                self._responders.add(host.name)

    def log(self, host: Host) -> Path:
        """The file in which the processes of a host write."""
        return self.folder / f"{host.name}.log"

    def cut(self, host: Host, device: str, *, joined: bool = False) -> None:
        """The switch drops all frames of a host, both ways; the host keeps its carrier."""
        self.learn()
        state = FORWARDING if joined else BLOCKED
        self.switch.run(["bridge", "link", "set", "dev", host.port(device), "state", str(state)])

    def join(self, host: Host, device: str) -> None:
        """The end of cut()."""
        self.cut(host, device, joined=True)

    def learn(self) -> None:
        """Remember on which port the switch has seen which MAC."""
        text = self.switch.run(["bridge", "-j", "fdb", "show", "br", BRIDGES[SEGMENT]]).stdout
        for entry in json.loads(text or "[]"):
            if "permanent" not in (entry.get("state"), *entry.get("flags", ())):
                self.ports[entry["mac"]].add(entry["ifname"].partition(".")[0])

    def holder(self, mac: str) -> str:
        """The name of the host that has this MAC, or the MAC."""
        return "/".join(sorted(self.ports.get(mac, ()))) or mac

    def close(self) -> None:
        """End everything."""
        for host in [*self.hosts, *self.others]:
            host.close()
        self.switch.close()


class Recording:
    """An observer of the segment, which asks for *addresses* until the end of its input."""

    def __init__(
        self, segment: Segment, host: Host, addresses: Sequence[str], words: Sequence[str]
    ) -> None:
        self._segment = segment
        self._host = host
        self.addresses = list(addresses)
        self._sent = self._packets()
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = host.start([sys.executable, *words, *addresses], **pipes)
        if self._process.line() != "ready\n":
            raise RuntimeError(f"{words[0]} did not begin")

    def rounds(self, count: int) -> None:
        """Wait until at least so many more rounds were asked."""
        before = self._packets()
        until(lambda: self._packets() >= before + (count + 1) * len(self.addresses))

    def _packets(self) -> int:
        """The frames that the observer has sent."""
        (device,) = json.loads(self._host.namespace.ip(f"-j -s link show dev {SEGMENT}"))
        return int(device["stats64"]["tx"]["packets"])

    def end(self) -> None:
        """End it; its file is written then."""
        self._segment.learn()
        self._process.communicate()
        if self._process.returncode:
            raise RuntimeError(f"an observer ended with {self._process.returncode}")


class Observed:
    """A recording of the segment by both observers: begun at once, judged when it is ended.

    All addresses are asked for by frames, *connected* ones of them by TCP too. So are the hosts'
    own addresses, by which the stage itself is judged: ``noise`` is the longest time, in seconds,
    for which every one of them was silent at some time, to frames or to TCP.
    """

    def __init__(
        self,
        segment: Segment,
        addresses: Sequence[str],
        connected: int = 0,
        period: float = 0.01,
    ) -> None:
        self._segment = segment
        self._files = segment.folder / "frames", segment.folder / "tcp"
        observer = segment.observer(ASKER)
        asker = [str(HERE / "asker.py"), str(self._files[0]), SEGMENT, str(period)]
        asker.append(f"{observer.address(SEGMENT)},{observer.inet6}")
        self._own = [host.address(SEGMENT) for host in segment.hosts]
        self.noise = 0.0
        self._floats = list(addresses)
        every = [*addresses, *self._own]
        self._frames = Recording(segment, observer, every, asker)
        self._tcp: Recording | None = None
        if connected:
            segment.respond()
            words = [str(HERE / "connector.py"), "ask", str(self._files[1]), str(period)]
            some = addresses[:: max(1, len(addresses) // connected)][:connected]
            self._connected = list(some)
            some = [*some, *self._own]
            self._tcp = Recording(segment, segment.observer(CONNECTOR), some, words)
        self.rounds = self._frames.rounds
        self.marks: dict[str, float] = {}

    def mark(self, what: str) -> float:
        """Remember when something is done; that time."""
        self.marks[what] = time.time()
        return self.marks[what]

    def end(self) -> tuple[Verdict, Verdict]:
        """End the recording: the verdicts on the frames, and on the connections."""
        tcp = Verdict()
        if self._tcp is not None:
            self._tcp.end()
            trace = connector.read(self._files[1])
            tcp = _judged(self._connected, _of(trace, self._connected))
            self.noise = self._silence(trace)
        self._frames.end()
        trace = asker.read(self._files[0].read_bytes())
        self.noise = max(self.noise, self._silence(trace))
        return _judged(self._floats, _of(trace, self._floats)), tcp

    def _silence(self, trace: asker.Trace) -> float:
        """The longest time for which the hosts' own addresses were silent, of the one that was
        silent least: others may have been cut off."""
        own = _judged(self._own, _of(trace, self._own))
        return min(
            max((gap.seconds for gap in own.gaps if gap.address == one), default=0.0)
            for one in self._own
        )

    def verdict(self) -> Verdict:
        """The verdict on the frames."""
        return self.end()[0]


def _of(trace: asker.Trace, addresses: Sequence[str]) -> asker.Trace:
    """The part of a trace that is about these addresses."""
    wanted = set(addresses)
    return trace._replace(
        answers=[one for one in trace.answers if one.address in wanted],
        claims=[one for one in trace.claims if one.address in wanted],
    )


def _judged(addresses: Sequence[str], trace: asker.Trace) -> Verdict:
    return judge(addresses, trace.rounds, trace.answers, trace.claims, trace.lost)
