"""A tunnel under stress: ``make soak SOAK="--tunnel 300"``.

    --tunnel N   for N seconds: flows of TCP of both families and both ways over a network that
                 loses, doubles and delays datagrams, beside killed data planes, other MTUs,
                 and datagrams of any bytes
    --seed N     seed of the changes; by default a random one, which is printed

Every flow has to arrive as it was sent, and no data plane may grow. It stops where that is not so,
and exits with status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS)]

from support import Namespace, veth_pair, why_no_namespace  # noqa: E402
from tunnelled import INNER, INNER6, End, Middle, cable, transfer  # noqa: E402

MOST = 40.0
"""MB of a data plane."""
GROWTH = 2.0
"""MB by which one may grow after its first ROUNDS rounds: buffers are made when they are needed."""
ROUNDS = 10
ODDS = 0.003
"""The share of datagrams that are lost; so many again are doubled, and delayed."""
LONGEST = 4 << 20


class Broken(Exception):
    """Something does not hold."""


class Tunnel:
    """Two ends, and what is done to them."""

    def __init__(self, stack: ExitStack, dice: random.Random) -> None:
        here = Namespace()
        there = here.peer = Namespace()
        veth_pair(here, there)
        cable(here, there)
        self.dice = dice
        self.middle = Middle(there, random.Random(dice.random()), ODDS)
        stack.callback(self.middle.close)
        self.ends = End(here, 0), End(there, 1, outer=(Middle.THERE, Middle.HERE))
        for one in self.ends:
            stack.callback(one.close)
            one.start()
        self.flows = self.kills = 0
        self._ages = [0, 0]
        self._sizes = [0.0, 0.0]

    def round(self) -> None:
        """One change, one flow, one look. Raises Broken."""
        self.dice.choice((self._kill, self._mtu, self._nonsense, self._nothing))()
        way = self.dice.randrange(2)
        family = self.dice.choice((INNER, INNER6))
        data = self.dice.randbytes(self.dice.randrange(1, LONGEST))
        source, target = (self.ends[one].namespace for one in (way, 1 - way))
        if not transfer(source, target, family[1 - way], data):
            raise Broken(f"{len(data)} bytes to {family[1 - way]} did not arrive")
        self.flows += 1
        self._weigh()

    def _kill(self) -> None:
        number = self.dice.randrange(2)
        self.ends[number].stop(signal.SIGKILL)
        self.ends[number].start()
        self._ages[number] = 0
        self.kills += 1

    def _mtu(self) -> None:
        end = self.dice.choice(self.ends)
        end.namespace.ip(f"link set vif0 mtu {self.dice.choice((1280, 1400, 1464, 1536, 9000))}")

    def _nonsense(self) -> None:
        sender = self.dice.choice(self.ends).carriage
        firsts = [0x45, 0x60, 0x81, 0x82, 0x83, 0x91, 0x92, self.dice.randrange(256)]
        for _ in range(self.dice.randrange(1, 200)):
            rest = self.dice.randbytes(self.dice.randrange(1400))
            sender.send([bytes([self.dice.choice(firsts)]) + rest])

    def _nothing(self) -> None:
        """Nothing happens to it."""

    def _weigh(self) -> None:
        for number, end in enumerate(self.ends):
            size = memory(end.pid)
            self._ages[number] += 1
            if self._ages[number] <= ROUNDS:
                self._sizes[number] = max(size, self._sizes[number])
            elif size > self._sizes[number] + GROWTH:
                raise Broken(f"a data plane grew from {self._sizes[number]:.1f} to {size:.1f} MB")
            if size > MOST:
                raise Broken(f"a data plane has {size:.1f} MB")

    def summary(self) -> str:
        """The run in a line."""
        sizes = " and ".join(f"{memory(end.pid):.1f}" for end in self.ends)
        return (
            f"{self.flows} flows arrived, {self.middle.harmed} datagrams were harmed, {self.kills}"
            f" data planes killed; they have {sizes} MB"
        )


def memory(pid: int) -> float:
    """The resident set of a process in MB."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def main() -> int:
    """Carry and report; the exit status."""
    parser = argparse.ArgumentParser(description="A tunnel under stress.")
    parser.add_argument("--tunnel", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    why = why_no_namespace()
    if why or not os.environ.get("NETALIAS_NAMESPACE"):
        print(why or "tools/in-namespace has to start it: make soak", file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {options.tunnel:.0f} s", flush=True)
    with ExitStack() as stack:
        tunnel = Tunnel(stack, random.Random(options.seed))
        end = time.monotonic() + options.tunnel
        try:
            while time.monotonic() < end:
                tunnel.round()
        except Broken as problem:
            print(problem)
            return 1
        print(tunnel.summary())
    return 0


if __name__ == "__main__":
    sys.exit(main())
