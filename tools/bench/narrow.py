"""IPv4 over a narrow link that is full of IPv6 which nobody at its other end wants.

Two network namespaces with a cable between them, shaped to RATE by tbf at both ends, and a link of
Ethernet frames over it. The near end sends NOISE of IPv6, and a TCP connection over IPv4; the far
end has an IPv4 address alone. With filters it says so. Both ways take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Callable

import page
from page import table, verdict
from processes import ENVIRONMENT, Failed, Place, captured
from stage import IP, Run, idle

RATE, NOISE = 1.0, 2.0
"""Mbit/s of the cable and of the noise."""
SHAPE = f"root tbf rate {RATE:g}mbit burst 4kb latency 100ms"
TC = shutil.which("tc") or "/sbin/tc"
ROUNDS, QUICK = 5, 1
SECONDS, SHORT = 10.0, 4.0
LEAST = 0.9
SIZE = 1432
"""Octets of a datagram of the noise: its frames are as long as those of the transfer, so that
either finds as much room in the queue of tbf, which is one of bytes."""
FAR6 = "2001:db8::2"
PATIENCE = 30.0
WARM, STEP = 1.0, 0.2
"""Seconds that do not count, and between two looks at the clock."""

INTRODUCTION = f"""\
A TCP connection over IPv4 through `netalias link run --tap`, over a cable of {RATE:g} Mbit/s (tbf),
while its sender also sends {NOISE:g} Mbit/s of IPv6 that the other end has no address for. Payload
in Mbit/s, the median of rounds in turn.
"""


class Link:
    """Both ends of a link; with *filtered* the far one tells what it wants."""

    def __init__(self, ends: list[Place], *, filtered: bool) -> None:
        self.ends = ends
        self.processes = []
        words: tuple[list[str], list[str]] = (["--filter"] if filtered else [], [])
        for place, name, device, more in zip(
            reversed(ends), ("far0", "near0"), ("link:p9", "link:eth9"), words, strict=True
        ):
            place.enter()
            self.processes.append(subprocess.Popen(
                [page.LAUNCHER, "link", "run", "--tap", *more, name, device],
                env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            ))  # fmt: skip
        for process in self.processes:
            self._says(process, "lcp -> open")
        self._address(filtered)

    def _says(self, process: subprocess.Popen[str], part: str) -> None:
        assert process.stderr is not None
        line = ""
        for line in process.stderr:
            if part in line:
                return
        raise Failed(f"the link ended before it said {part!r}: {line.strip()}")

    def _address(self, filtered: bool) -> None:
        """Addresses; the near end can send IPv6 to a neighbour that it does not ask for."""
        near, far = self.ends
        far.enter()
        captured([IP, "addr", "add", "10.8.0.2/24", "dev", "far0"])
        mac = json.loads(captured([IP, "-j", "link", "show", "far0"]))[0]["address"]
        near.enter()
        captured([IP, "addr", "add", "10.8.0.1/24", "dev", "near0"])
        captured([IP, "addr", "add", "2001:db8::1/64", "dev", "near0", "nodad"])
        captured([IP, "neigh", "add", FAR6, "lladdr", mac, "dev", "near0", "nud", "permanent"])
        end = time.monotonic() + PATIENCE
        while filtered and not self.filter():
            if time.monotonic() > end:
                raise Failed("the filter did not come")
            time.sleep(0.1)

    def filter(self) -> list[object]:
        """The types of Ethernet that the near end has been told."""
        (found,) = json.loads(captured([page.LAUNCHER, "-j", "filter", "near0"]))
        types: list[object] = found["filter"]["types"]
        return types

    def flow(self, seconds: float) -> float:
        """Mbit/s of payload at the far end, while there is noise."""
        near, far = self.ends
        far.enter()
        with socket.create_server(("10.8.0.2", 0)) as server:
            server.settimeout(PATIENCE)
            near.enter()
            others = [_child(_noise), _child(lambda: _give(server.getsockname()[1]))]
            try:
                return _taken(server, seconds)
            finally:
                for pid in others:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)

    def close(self) -> None:
        """End it."""
        for process in self.processes:
            process.kill()
            process.communicate()


def _child(work: Callable[[], object]) -> int:
    """Do *work* in a child; its pid."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(1)
    return pid


def _give(port: int) -> None:
    """Write into a connection, until this process is killed."""
    with socket.create_connection(("10.8.0.2", port)) as peer:
        while True:
            peer.sendall(bytes(10_000))


def _taken(server: socket.socket, seconds: float) -> float:
    """Mbit/s of one connection, without its first moments."""
    peer, _ = server.accept()
    peer.settimeout(STEP)
    begin = time.monotonic() + WARM
    total, now = 0, 0.0
    while now < begin + seconds:
        try:
            size = len(peer.recv(1 << 20))
        except TimeoutError:
            size = 0
        now = time.monotonic()
        total += size if now > begin else 0
    peer.close()
    return total * 8 / 1e6 / (now - begin)


def _noise() -> None:
    """Send datagrams at the rate NOISE, until this process is killed."""
    between = SIZE * 8 / (NOISE * 1e6)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sending:
        due = time.monotonic()
        while True:
            sending.sendto(bytes(SIZE), (FAR6, 9))
            due += between
            time.sleep(max(0.0, due - time.monotonic()))


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    rounds, seconds = (QUICK, SHORT) if run.quick else (ROUNDS, SECONDS)
    rates: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for filtered in (False, True):
            ends = _cable()
            link = Link(ends, filtered=filtered)
            try:
                idle()
                rates[filtered].append(link.flow(seconds))
            finally:
                link.close()
                for place in ends:
                    os.close(place.file)
    without, with_filters = (statistics.median(rates[filtered]) for filtered in (False, True))
    rows = [
        ["without filters", f"{without:.3f}", "", ""],
        ["with `--filter` at the far end", f"{with_filters:.3f}", f">= {LEAST}",
         verdict(LEAST, with_filters)],
    ]  # fmt: skip
    return f"{INTRODUCTION}\n{table(('', 'Mbit/s', 'target', ''), rows)}\n"


def _cable() -> list[Place]:
    """Two namespaces, joined by a cable of RATE."""
    ends = [Place(), Place()]
    places = [f"/proc/{os.getpid()}/fd/{one.file}" for one in ends]
    captured([IP, "link", "add", "eth9", "netns", places[0], "type", "veth", "peer",
              "name", "p9", "netns", places[1]])  # fmt: skip
    for place, device in zip(ends, ("eth9", "p9"), strict=True):
        place.enter()
        captured([IP, "link", "set", "lo", "up"])
        captured([IP, "link", "set", device, "addrgenmode", "none", "up"])
        captured([TC, "qdisc", "add", "dev", device, *SHAPE.split()])
    return ends
