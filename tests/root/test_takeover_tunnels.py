"""Tunnels change hands with their watcher, and nothing that they carry is lost."""

from __future__ import annotations

import os
import signal
import socket
import threading
from contextlib import ExitStack
from pathlib import Path

from command import Command
from support import PATIENCE, until
from test_vif import FAR, Vif, words_of
from watcher import Watch, successor

from netalias.runtime import tunnels as record

DATAGRAMS = int(os.environ.get("NETALIAS_DATAGRAMS", "2000"))
"""The datagrams that are sent at least; a hundred thousand before a release."""
WINDOW = 64
"""Datagrams under way: the queue of a TUN takes 500, and each socket that many, so only a fault
loses any."""


class Flow:
    """Datagrams from the address of a tunnel to the host behind it, as many as the window allows,
    until end(); ``received`` are their numbers as they came."""

    def __init__(self, vif: Vif) -> None:
        with vif.there:
            self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.bind((FAR[4], 0))
        self._far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._far.settimeout(0.05)
        with vif.here:
            self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind((vif.own, 0))
        self._near.connect(self._far.getsockname())
        self.sent = 0
        self.received: list[int] = []
        self._full = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            while self.sent - len(self.received) < WINDOW and not self._full.is_set():
                self._near.send(b"%d" % self.sent)
                self.sent += 1
            try:
                self.received.append(int(self._far.recv(100)))
            except TimeoutError:
                pass

    def more(self, number: int) -> None:
        """Wait until so many more have arrived; one that was lost would stop them in the end."""
        before = len(self.received)
        until(lambda: len(self.received) >= before + number)

    def end(self) -> None:
        """Send no more: all arrive, each once."""
        until(lambda: self.sent >= DATAGRAMS, PATIENCE + DATAGRAMS / 500)
        self._full.set()
        try:
            until(lambda: len(self.received) >= self.sent)
        except AssertionError:
            lost = {*range(self.sent)} - {*self.received}
            raise AssertionError(f"of {self.sent} datagrams {sorted(lost)} are lost") from None
        assert sorted(self.received) == [*range(self.sent)]

    def close(self) -> None:
        """Send and receive no more."""
        self._over.set()
        self._thread.join()
        self._near.close()
        self._far.close()


def carried(watch: Watch) -> record.Carried:
    """The record of the tunnel, once it is that of this watcher."""
    folder = f"/run/netalias/{watch.namespace.inode}"

    def found() -> record.Carried | None:
        one = record.read(folder, "vif0")
        return one if one is not None and one.pid == watch.process.pid and one.plane else None

    return until(found)


def test_no_datagram_is_lost(cli: Command, tmp_path: Path) -> None:
    """Under load, through two takeovers at one end and one at the other: device, port and counters
    go along, the process that relays goes on. The new watcher starts another one when that dies,
    and leaves nothing at its end."""
    vif = Vif(cli, tmp_path)
    here, there = (str(file) for file in vif.lines)
    with ExitStack() as stack:
        first, far = vif.watch(stack)
        before = carried(first)
        flow = Flow(vif)
        stack.callback(flow.close)
        flow.more(WINDOW)
        second = stack.enter_context(successor(first, here))
        flow.more(WINDOW)
        third = stack.enter_context(successor(second, here))
        flow.more(WINDOW)
        stack.enter_context(successor(far, there))
        flow.more(WINDOW)
        flow.end()
        after = carried(third)
        assert (after.line, after.mtu) == (before.line, before.mtu)
        shown = vif.here.run(["cat", f"/proc/{after.pid}/fd/{after.counters}"], check=False)
        assert shown.returncode == 0
        os.kill(after.plane, signal.SIGKILL)
        third.says("vif0: the data plane has ended")
        plane = until(lambda: (new := carried(third).plane) != after.plane and new)
        assert third.end() == 0
        until(lambda: "vif0" not in vif.here.names())
        until(lambda: not words_of(plane))
        assert not vif.here.ip("rule show pref 32700")


def test_a_line_that_has_gone_meanwhile(cli: Command, tmp_path: Path) -> None:
    """The new watcher reads the file as it is now: the tunnel ends with the old watcher, not
    before."""
    vif = Vif(cli, tmp_path)
    with ExitStack() as stack:
        first, _ = vif.watch(stack)
        plane = carried(first).plane
        other = vif.file("other", "eth9:1 10.0.0.1/32 kind label announce off")
        with successor(first, str(other)) as second:
            until(lambda: "vif0" not in vif.here.names())
            until(lambda: not words_of(plane))
            until(lambda: not vif.here.ip("rule show pref 32700"))
            assert second.end() == 0
