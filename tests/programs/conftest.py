"""One stage for all: the tests of other programs look at it, and change what they make good."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import Namespace, veth_pair

sys.path.insert(0, str(Path(__file__).parents[1] / "root"))

from command import Command, forget, wait_for_state, without_dad

NAMES = ("eth9:0 10.0.0.5 kind macvlan", "eth9:1 10.0.0.6 kind label")


@pytest.fixture(scope="module")
def stage() -> Iterator[Command]:
    """eth9 with 10.0.0.1/24, eth9:0 as a device and eth9:1 as a label; the peer has 10.0.0.2."""
    yield from _stage()


@pytest.fixture
def spare() -> Iterator[Command]:
    """The same for one test, which leaves it as it likes."""
    yield from _stage()


def _stage() -> Iterator[Command]:
    here, there = Namespace(), Namespace()
    veth_pair(here, there)
    without_dad(here)
    here.peer = there
    for namespace in (here, there):
        namespace.raise_lo()
    wait_for_state(here, "eth9", "UP")
    here.ip("addr add 10.0.0.1/24 dev eth9")
    there.ip("addr add 10.0.0.2/24 dev p9")
    cli = Command(here)
    for line in NAMES:
        cli.silent(*line.split())
    yield cli
    forget(here)
    here.close()
    there.close()


@pytest.fixture
def cli(veth: Namespace) -> Iterator[Command]:
    """eth9 without an address, for another program to configure; the peer has some."""
    forget(veth)  # the inode may have been that of another one
    veth.raise_lo()
    without_dad(veth, "eth9")
    assert veth.peer is not None
    for address in ("10.20.0.2/24", "2001:db8:20::2/64 nodad"):
        veth.peer.ip(f"addr add {address} dev p9")
    wait_for_state(veth, "eth9", "UP")
    yield Command(veth)
    forget(veth)
