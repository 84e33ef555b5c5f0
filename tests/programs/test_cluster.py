"""Floating addresses for real, in short: an engine, hosts on a segment, and the judge of frames.

The long form, with every fault and with times, is ``make cluster-test``.
"""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from unpacked import program

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

from floating import Netalias
from members import Members
from scene import Scene
from segment import Segment, floats

ADDRESSES = floats(30, 6)
"""Six of them are of IPv6."""
HOSTS = 3


@pytest.fixture
def scene() -> Iterator[Scene]:
    """An engine, and hosts of which each has its share."""
    words = program("etcd")
    segment = Segment(HOSTS)
    try:
        members = Members(segment, words, 1)
        holders = Netalias(segment, members.endpoints, ADDRESSES)
        made = Scene(segment, holders, ADDRESSES, members, connected=3)
        made.until(made.even, "all hosts have their shares")
        yield made
    finally:
        segment.close()
        shutil.rmtree(segment.folder)


@pytest.mark.early
def test_never_two_holders(scene: Scene) -> None:
    """A host is killed and comes back, another one is drained: every address is somewhere in the
    end, evenly, and no address ever had two holders."""
    first, second, _ = scene.hosts
    observed = scene.observed()
    scene.holders.kill(first)
    scene.until(lambda: scene.whole(scene.hosts[1:]), "the others have all addresses")
    scene.holders.start(first)
    scene.until(scene.even, "it has its share again")
    holders = scene.holders
    assert isinstance(holders, Netalias)
    holders.command(second, "cluster", "drain")
    scene.until(lambda: not scene.held(second) and scene.whole(), "the second one is drained")
    holders.command(second, "cluster", "undrain")
    scene.until(scene.even, "it has its share again")
    frames, connections = observed.end()
    assert not frames.doubles, frames.doubles[:3]  # frames that were not captured make none
    assert (frames.silent, connections.silent) == ([], [])
    owners = Counter(scene.segment.holder(mac) for mac in frames.owners().values())
    assert owners == {host.name: len(ADDRESSES) // HOSTS for host in scene.hosts}
