"""Many agents in one process on a real etcd, in short; the long form is ``make cluster-scale``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from unpacked import program

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "cluster"))

import scale
from members import Members
from segment import Segment

HOSTS, COUNT, TTL, SLOW = 8, 320, 10, 2


def test_a_swarm_on_etcd() -> None:
    """All addresses are spread evenly; when a host leaves, its share is, and nothing else moves."""
    words = program("etcd")
    segment = Segment(0)
    try:
        members = Members(segment, words, 1)
        with members.hosts[0].namespace:
            swarm = scale.swarm(members.endpoints, HOSTS, COUNT, TTL, SLOW)
            swarm.run(scale.LONGEST, lambda: swarm.even(COUNT))
            before = {key: one.name for one in swarm.members for key in one.held}
            first = swarm.members[0]
            first.agent.stop(swarm.now())
            swarm.run(scale.LONGEST, lambda: first.agent.ended)
            first.alive = False
            swarm.run(scale.LONGEST, lambda: swarm.even(COUNT))
            after = {key: one.name for one in swarm.members for key in one.held}
            moved = {key for key, node in before.items() if after[key] != node}
            assert moved == {key for key, node in before.items() if node == first.name}
    finally:
        segment.close()
        shutil.rmtree(segment.folder)
