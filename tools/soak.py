"""Random changes around a running ``netalias watch``, with checks of its invariants: ``make soak``.

    --seconds N  duration, by default 300
    --seed N     seed of the changes; by default a random one, which is printed
    --folder P   an existing folder for the files of the run, which stay; by default a temporary one
    --kills N    instead, N commands that are killed: see kills.py
    --lending N  instead, N takes and releases of pools: see lending.py
    --tunnel N   instead, N seconds of a tunnel over a bad network: see tunnelling.py
    --burst N    in every tenth round, N changes of others in a row; by default none

After every few changes it waits until nothing more happens, and then compares everything
(tests/root/soaking.py). If an invariant is violated, it prints the changes so far, and the exit
status is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from pathlib import Path

OTHERS = {"--kills": "kills.py", "--lending": "lending.py", "--tunnel": "tunnelling.py"}
"""Option: the program beside this one that has it."""
ROUNDS = 10
"""One of so many rounds is a burst."""
TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from command import wait_for_state, without_dad  # noqa: E402  (the path comes first)
from soaking import Broken, Soak  # noqa: E402
from support import Namespace, veth_pair, why_no_namespace  # noqa: E402


def main() -> int:
    """Soak and report; the exit status."""
    for option, name in OTHERS.items():
        if option in sys.argv:
            program = str(Path(__file__).with_name(name))
            os.execv(sys.executable, [sys.executable, program, *sys.argv[1:]])
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
    with contextlib.ExitStack() as stack:
        folder = options.folder or stack.enter_context(tempfile.TemporaryDirectory())
        soak = Soak(namespace, Path(folder), options.seed)
        try:
            return _soaked(soak, options.seconds, options.burst)
        finally:
            soak.close()


def _soaked(soak: Soak, seconds: float, burst: int) -> int:
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            soak.round(0 if (soak.moments + 1) % ROUNDS else burst)
    except Broken as problem:
        print(problem)
        print(soak.summary(held=False))
        return 1
    print(soak.summary())
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Random changes around a watcher.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--folder", default="")
    parser.add_argument("--burst", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
