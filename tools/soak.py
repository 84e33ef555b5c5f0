"""Random changes around a running ``netalias watch``, and what has to hold: ``make soak``.

    --seconds N  so long, 300 by default
    --seed N     these changes; else a seed is drawn, and printed

Every few changes it is waited until nothing more happens, and then everything is compared
(tests/root/soaking.py). The exit status is 1 where something does not hold; what had happened up to
then is printed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from command import wait_for_state, without_dad  # noqa: E402  (the path comes first)
from soaking import Broken, Soak  # noqa: E402
from support import Namespace, veth_pair, why_no_namespace  # noqa: E402


def main() -> int:
    """Soak, and say how it was."""
    options = _options()
    why = why_no_namespace()
    if why or not os.environ.get("NETALIAS_NAMESPACE"):
        print(why or "tools/in-namespace has to start it: make soak", file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {options.seconds} s", flush=True)
    namespace = Namespace()
    namespace.peer = Namespace()
    veth_pair(namespace, namespace.peer)
    namespace.ip("link set lo up")
    without_dad(namespace)
    wait_for_state(namespace, "eth9", "UP")
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(namespace, Path(folder), options.seed)
        try:
            return _soaked(soak, options.seconds)
        finally:
            soak.close()


def _soaked(soak: Soak, seconds: float) -> int:
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            soak.round()
    except Broken as problem:
        print(problem)
        return 1
    print(soak.summary())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Random changes around a watcher.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
