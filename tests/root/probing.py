"""Moves of aliases between kinds, and a peer that asks every address all the time (prober.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from command import Command, set_sysctl
from prober import Probed
from support import Namespace

PROBER = Path(__file__).with_name("prober.py")


ENOUGH = 5
"""Requests running without an answer that a move may cost: 50 ms where the peer is in time."""


class Probing:
    """The program in the namespace of the peer."""

    def __init__(self, namespace: Namespace, addresses: Sequence[str]) -> None:
        self._process = namespace.start(
            [sys.executable, str(PROBER), *addresses], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.found = Probed()

    def __enter__(self) -> Probing:
        """Once every address has answered."""
        assert self._process.line() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        """The change is over: ``found`` is what the peer has found."""
        said, _ = self._process.communicate()
        self.found = Probed(**json.loads(said))


# The moves ---------------------------------------------------------------------------------------

NETWORKS = ("198.51.100.{}", "198.51.101.{}", "2001:db8:51::{}")
LENGTHS = (25, 24, 64)
PEER = ("198.51.100.126/25", "198.51.101.254/24", "2001:db8:51::fe/64 nodad")
"""The addresses of the peer."""


def places(count: int) -> list[tuple[str, int]]:
    """*count* addresses of three networks, each with its length; each network has a primary address
    and secondaries."""
    return [
        (NETWORKS[number % 3].format(number // 3 + 1), LENGTHS[number % 3])
        for number in range(count)
    ]


def lines(count: int, kinds: Sequence[str], *, backwards: bool = False) -> str:
    """Declarations of so many aliases of eth9, of these kinds in turn by their slots."""
    found = [
        f"eth9:{slot} {address}/{length} kind {kinds[slot // 3 % len(kinds)]}\n"
        for slot, (address, length) in enumerate(places(count))
    ]
    return "".join(reversed(found) if backwards else found)


MOVES: dict[str, tuple[tuple[str, ...], bool]] = {
    "labels become devices": (("macvlan",), False),
    "devices become labels": (("label",), False),
    "every second label becomes a device, the primaries first": (("macvlan", "label"), False),
    "the others become devices, these become labels": (("label", "macvlan"), True),
    "all become labels": (("label",), True),
    "secondaries become devices": (("label", "macvlan", "macvlan"), True),
}
"""What becomes of labels, one after the other: the kinds in turn, and whether the file is written
backwards."""


def stand(cli: Command, count: int, promote: int) -> None:
    """The labels stand: those of IPv4 were made by others, and adopted. The peer believes what it
    is told, and never asks again who has an address."""
    here, peer = cli.namespace, cli.namespace.peer
    assert peer is not None
    for address in PEER:
        peer.ip(f"addr add {address} dev p9")
    for family in ("ipv4", "ipv6"):
        set_sysctl(peer, f"{family}/neigh/p9/base_reachable_time_ms", 10**8)
    set_sysctl(here, "ipv4/conf/eth9/promote_secondaries", promote)
    made = "".join(
        f"addr add {address}/{length} brd + dev eth9 label eth9:{slot}\n"
        for slot, (address, length) in enumerate(places(count))
        if ":" not in address
    )
    here.run(["ip", "-batch", "-"], input=made)
    cli.silent("adopt", "all")
    move(cli, lines(count, ("label",)))


def move(cli: Command, text: str) -> None:
    """One run of reconcile, which ends well."""
    done = cli.run("reconcile", "-", input=text)
    assert done.returncode == 0, done.stderr
    done = cli.run("check", "-", input=text)
    assert done.returncode == 0, done.stdout


def moved(cli: Command, count: int, name: str) -> Probed:
    """What the peer finds while one of MOVES is made."""
    assert cli.namespace.peer is not None
    kinds, backwards = MOVES[name]
    with Probing(cli.namespace.peer, [address for address, _ in places(count)]) as probing:
        move(cli, lines(count, kinds, backwards=backwards))
    return probing.found
