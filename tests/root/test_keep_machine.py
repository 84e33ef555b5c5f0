"""Random sequences around a watcher that keeps addresses, over the real kernel: copies, table,
connection tracking and record agree after each step, and nothing of others is touched."""

from __future__ import annotations

import random
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Command, without_dad
from keeping import PORT, SERVER, Bound, Link, address, copies
from shortened import quarter
from support import until
from watcher import Watch, watching

from netalias import runtime
from netalias.kernel.netlink import Netlink
from netalias.nat.conntrack import Conntrack
from netalias.nat.kernel import KernelNat
from netalias.runtime.kept import read

MOST = 3
LINE = f"eth9 iface-alias kernel keep 600 max {MOST}\n"
STEPS = 25
FOREIGN = ("10.77.0.1/24", "10.77.0.2/24")
"""Addresses of another device."""


class Ground:
    """The client, its watcher, and the model: ``own`` is the negotiated address, ``former`` are
    those that went while they were watched, the oldest first; ``manual`` are those of `iface`."""

    def __init__(self, cli: Command, folder: Path, stack: ExitStack, seed: int) -> None:
        self.cli, self.folder, self.stack = cli, folder, stack
        self.dice = random.Random(seed)
        self.link = Link(cli.namespace)
        self.here = cli.namespace
        self.own = 0
        self.former: list[int] = []
        self.manual: set[int] = set()
        self.programs: list[Bound] = []
        self.conf = folder / "netalias.conf"
        self.conf.write_text(LINE)
        with self.here:
            with Netlink() as kernel:
                self.cookie = kernel.cookie()
            self.nat = KernelNat()
            self.tracked = Conntrack()
        stack.callback(self.nat.close)
        stack.callback(self.tracked.close)
        self.here.ip("link add eth7 type veth peer name p7")
        for one in FOREIGN:
            self.here.ip(f"addr add {one} dev eth7")
        self.negotiate()
        self.begin()

    # Steps

    def begin(self) -> None:
        """A watcher, which must be known in the folder of the namespace."""
        self.running = ExitStack()
        texts = self.folder / "net"
        self.watch: Watch = self.running.enter_context(watching(self.here, texts, str(self.conf)))

    def kill(self) -> None:
        """The watcher is killed, and another one goes on; what changes meanwhile is seen."""
        self.watch.end(signal.SIGKILL)
        self.running.close()
        if self.dice.random() < 0.5:
            self.negotiate()
        self.begin()

    def negotiate(self) -> None:
        """Another address, or an older one, as from a DHCP client or a dialler."""
        free = [one for one in range(1, 9) if one != self.own and one not in self.manual]
        self.link.last = self.own
        old, self.own = self.own, self.dice.choice(free)
        # One that returns comes first: else the oldest may have to make room for the one that goes.
        self.link.negotiate(self.own, first=self.own in self.former or self.dice.random() < 0.5)
        if old:
            self.former.append(old)
        self.former = [one for one in self.former if one != self.own][-MOST:]

    def add(self) -> None:
        """`iface` adds one, maybe one that is kept."""
        free = [one for one in range(1, 12) if one != self.own and one not in self.manual]
        last = self.dice.choice(free)
        word = "add!" if last in self.former else "add"
        self.cli("iface", "eth9", word, f"{address(4, last)}/32")
        self.manual.add(last)
        self.former = [one for one in self.former if one != last]

    def delete(self) -> None:
        """`iface` deletes one that it has added, or one that is kept."""
        there = sorted(self.manual | {*self.former})
        if there:
            last = self.dice.choice(there)
            self.cli("iface", "eth9", "delete", address(4, last))
            self.manual.discard(last)
            self.former = [one for one in self.former if one != last]

    def clear(self) -> None:
        """All but the negotiated one go."""
        self.cli("iface", "eth9", "clear")
        self.manual, self.former = set(), []

    def flow(self) -> None:
        """A program is bound to one of the addresses, and sends from now on."""
        self.programs.append(Bound(self.link, self.dice.choice([self.own, *self.former])))

    def flap(self) -> None:
        """The device goes down, and comes up."""
        self.here.ip("link set eth9 down")
        self.here.ip("link set eth9 up")

    # Proof

    def agrees(self) -> bool:
        """Whether addresses, table and record are those of the model."""
        kept = {address(4, one) for one in self.former}
        tables = self.nat.read()
        wanted = {f"eth9: {' '.join(sorted(kept))} -> {address(4, self.own)}"} if kept else set()
        there = {str(one) for table in tables.values() for one in table.translations()}
        found = next(
            (
                devices["eth9"]
                for base in runtime._bases()
                if (devices := read(f"{base}/{self.here.inode}", self.cookie))
            ),
            None,
        )
        recorded = {socket.inet_ntop(*key) for key in found.former} if found else set()
        return ({*copies(self.here)}, there, recorded) == (kept, wanted, kept)

    def flows_agree(self) -> bool:
        """Whether all that goes on sending leaves as it should, new flows and old ones."""
        for program in self.programs:
            try:
                program.socket.sendto(b"on", (SERVER[4], PORT))
            except OSError:
                continue  # its address was deleted
        old = {socket.inet_aton(address(4, one)) for one in self.former}
        new = socket.inet_aton(address(4, self.own))
        entries = self.tracked.entries(socket.AF_INET, lambda source: source in old | {new})
        return all(one.leaves == new for one in entries)

    def prove(self) -> None:
        """All of it agrees, and a second run plans nothing."""
        until(self.agrees)
        until(self.flows_agree)
        self.cli.silent("check", str(self.conf))
        self.cli.silent("reconcile", str(self.conf))
        assert self.agrees()
        foreign = self.here.ip("-4 -o addr show dev eth7")
        assert [line.split()[3] for line in foreign.splitlines()] == [*FOREIGN]


STEP: list[Callable[[Ground], None]] = [
    Ground.negotiate, Ground.negotiate, Ground.add, Ground.delete, Ground.clear, Ground.flow,
    Ground.flow, Ground.flap, Ground.kill,
]  # fmt: skip


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closed after the test."""
    with ExitStack() as found:
        yield found


@pytest.mark.parametrize("seed", quarter(range(3)))
def test_all_records_agree(cli: Command, tmp_path: Path, stack: ExitStack, seed: int) -> None:
    """A-11, A-18: whatever negotiations, additions, clears and kills come one after another."""
    without_dad(cli.namespace)
    ground = Ground(cli, tmp_path, stack, seed)
    try:
        for number in range(STEPS):
            step = ground.dice.choice(STEP)
            step(ground)
            try:
                ground.prove()
            except AssertionError as error:
                raise AssertionError(f"step {number}, {step.__name__}: {error}") from error
    finally:
        ground.running.close()
    for program in ground.programs:
        program.close()
