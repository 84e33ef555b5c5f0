"""Commands that are killed, and the next one finishes or takes away what they left:
``make soak SOAK="--kills 500"``.

    --kills N   how many, by default 500: first before each change of each scene of
                tests/root/killing.py, then by SIGKILL at random instants
    --random    at random instants only
    --seed N    seed of the instants; by default a random one, which is printed

It stops where something is left behind, tells after what, and exits with status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

TOLD = 20
"""Kills between two lines that tell how many there were."""
TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from command import Command, wait_for_state, without_dad  # noqa: E402  (the path comes first)
from killing import SCENES, Kills  # noqa: E402
from support import Namespace, veth_pair, why_no_namespace  # noqa: E402


def main() -> int:
    """Kill and report; the exit status."""
    options = _options()
    why = why_no_namespace()
    if why or not os.environ.get("NETALIAS_NAMESPACE"):
        print(why or "tools/in-namespace has to start it: make soak", file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {options.kills} kills", flush=True)
    namespace, other = Namespace(), Namespace()
    namespace.peer = other
    veth_pair(namespace, other)
    namespace.ip("link set lo up")
    without_dad(namespace)
    wait_for_state(namespace, "eth9", "UP")
    with tempfile.TemporaryDirectory() as folder:
        kills = Kills(Command(namespace), Path(folder), options.seed)
        try:
            _killed(kills, options.kills, () if options.random else SCENES)
        except AssertionError as problem:
            print(f"after {kills.killed} kills: {problem}")
            return 1
    print(f"{kills.points} before a change, {kills.instants} at random instants; nothing was left")
    return 0


def _killed(kills: Kills, most: int, scenes: Sequence[tuple[str, str]]) -> None:
    for before, words in scenes:
        if kills.killed < most:
            kills.scene(before, words, most - kills.killed)
            print(f"{kills.killed}: {words}", flush=True)
    told = kills.killed
    while kills.killed < most:
        kills.instant()
        if kills.killed >= told + TOLD:
            told = kills.killed
            print(told, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Commands that are killed.")
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
