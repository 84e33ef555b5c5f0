"""netalias on each host: declared floating addresses and their cluster, kept by ``watch``."""

from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from segment import SEGMENT, Host, Segment, families
from unpacked import PROGRAMS

from netalias.cluster import fence

COMMAND = Path(sys.executable).parent / "netalias"
TTL = 5
"""Seconds, the least that a declaration may say: for those who have little time."""
LABEL = "label"
"""The kind of the aliases: with thousands of questions a second to everybody, macvlans would cost
all the time of the processors, since the kernel hands each question to each of them."""
PRIVATE = 'mount --bind "$0" /run; exec "$@"'
"""Each host has a /run of its own, which outlives its watcher."""
FAKETIME = glob.glob(f"{PROGRAMS}/libfaketime/usr/lib/*/faketime/libfaketime.so.1")
POOLS = {False: ("web", 0, 24, ""), True: ("six", 300, 64, " optimistic")}
"""By whether it is IPv6: the pool, its first slot, the length of the prefix, and further words."""
ENDS = 30.0
"""Seconds that a watcher has to give its addresses up."""


def lines(host: Host, endpoints: str, addresses: Sequence[str], ttl: int, kind: str) -> str:
    """The declarations of a host."""
    text = f"cluster etcd {endpoints} node {host.name} ttl {ttl}\n"
    for some in families(addresses):
        inet6 = ":" in some[0]
        pool, slot, length, words = POOLS[inet6]
        last = some[-1].rpartition(":" if inet6 else ".")[2]
        slots = f"{SEGMENT}:{slot}-{slot + len(some) - 1}"
        text += f"float {pool} {slots} {some[0]}-{last}/{length} kind {kind}{words}\n"
    return text


class Netalias:
    """One watcher on each host, with the process of its agent."""

    def __init__(
        self,
        segment: Segment,
        endpoints: str,
        addresses: Sequence[str],
        ttl: int = TTL,
        kind: str = LABEL,
    ) -> None:
        self._segment = segment
        self._endpoints = endpoints
        self.ttl = float(ttl)
        self._kind = kind
        self._running: dict[str, subprocess.Popen[str]] = {}
        self.lifetime = ttl + fence.wait(ttl)
        for host in segment.hosts:
            self.declare(host, addresses)
            self.step(host, 0)
            self.start(host)

    def declare(self, host: Host, addresses: Sequence[str]) -> None:
        """Write the file of a host; a watcher reads it again by itself."""
        text = lines(host, self._endpoints, addresses, int(self.ttl), self._kind)
        draft = self._file(host).with_suffix(".new")
        draft.write_text(text, encoding="ascii")
        draft.rename(self._file(host))

    def start(self, host: Host) -> None:
        """Start the watcher of a host."""
        run = self._file(host).with_suffix(".run")
        run.mkdir(exist_ok=True)
        words = ["unshare", "-m", "sh", "-c", PRIVATE, str(run), *self._faked(host), str(COMMAND)]
        words += ["watch", "--release", str(self._file(host))]
        process = host.serve(words, self._segment.log(host))
        self._running[host.name] = process

    def step(self, host: Host, seconds: int) -> None:
        """Let the clock of a host, the last one, be ahead by so many seconds."""
        self._clock(host).write_text(f"{seconds:+d}\n", encoding="ascii")

    def _clock(self, host: Host) -> Path:
        return self._segment.folder / f"{host.name}.clock"

    def _faked(self, host: Host) -> list[str]:
        """The words by which the last host gets a clock of its own: namespaces share the kernel's.

        Nothing but CLOCK_REALTIME is another one there (libfaketime).
        """
        if host is not self._segment.hosts[-1] or not FAKETIME:
            return []
        said = {
            "LD_PRELOAD": FAKETIME[0],
            "FAKETIME_TIMESTAMP_FILE": self._clock(host),
            "FAKETIME_NO_CACHE": 1,
            "FAKETIME_DONT_FAKE_MONOTONIC": 1,
            "PYTHONPATH": Path(__file__).parent / "stepped",
        }
        return ["env", *(f"{name}={value}" for name, value in said.items())]

    def kill(self, host: Host) -> None:
        """kill -9 of the watcher and its agent."""
        for process in self._processes(host):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._running[host.name].wait()

    def freeze(self, host: Host, *, watcher: bool = True, agent: bool = True) -> None:
        """SIGSTOP of both, or of one of them."""
        first, *others = self._processes(host)
        for process in [first] * watcher + others * agent:
            os.kill(process, signal.SIGSTOP)

    def thaw(self, host: Host) -> None:
        """SIGCONT of both."""
        for process in self._processes(host):
            os.kill(process, signal.SIGCONT)

    def stop(self, host: Host) -> None:
        """SIGTERM of the watcher: it gives its addresses up."""
        self._running[host.name].terminate()
        self._running[host.name].wait(ENDS)

    def kill_agent(self, host: Host) -> None:
        """kill -9 of the process that the watcher has started."""
        for process in self._processes(host)[1:]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def command(self, host: Host, *words: str) -> str:
        """``netalias`` on a host, in the mounts of its watcher; its output."""
        process = self._running[host.name].pid
        inside = ["nsenter", "-t", str(process), "-m", str(COMMAND), "--from"]
        return host.namespace.run([*inside, str(self._file(host)), *words]).stdout

    def _file(self, host: Host) -> Path:
        return self._segment.folder / f"{host.name}.conf"

    def _processes(self, host: Host) -> list[int]:
        """The watcher, and all processes below it."""
        found = [self._running[host.name].pid]
        for process in found:
            children = Path(f"/proc/{process}/task/{process}/children")
            with suppress(OSError):
                found += map(int, children.read_text().split())
        return found
