"""Property tests with new examples: ``make explore``.

    --seconds N     start no test after N seconds, by default 300
    --seed N        the first seed, others follow it; by default a random one
    --seeds N ...   these seeds only
    --only WORDS    the property tests with such names only (pytest -k)
    --jobs N        number of parallel tests
    --inputs N      instead, N random inputs for all that reads some: see inputs.py

``make test`` draws the same examples in every run; here they and the order of the tests depend on
seeds, which are printed. It stops at the first failure, prints the shrunk example and the command
that reproduces it, and exits with status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

REPO = Path(__file__).parents[1]
PYTEST = Path(sys.executable).parent / "pytest"
INPUTS = Path(__file__).with_name("inputs.py")
PASSED, NOTHING = 0, 5
"""Exit statuses of pytest."""
LAST = re.compile(r"^(?:FAILED|ERROR) \S+::(\w+)\[.*?seed (\d+)\b", re.MULTILINE)
"""A line of the short summary, with the name of the test and its seed."""
ROUNDS = 20
"""Number of seeds for one pytest process, since loading the tests takes as long as many seeds."""


def main() -> int:
    """Explore and report; the exit status."""
    if "--inputs" in sys.argv:
        os.execv(sys.executable, [sys.executable, str(INPUTS), *sys.argv[1:]])
    options = _options()
    end = time.monotonic() + options.seconds
    for seeds in _portions(options):
        if time.monotonic() >= end:
            break
        shown = _text(seeds) if options.seeds else f"{seeds[0]} to {seeds[-1]}"
        print(f"seeds {shown}: ", end="", flush=True)
        done = _run(options, seeds, end)
        if done.returncode == NOTHING:
            print("no property test has such a name")
            return 2
        if done.returncode != PASSED:
            print(f"\n\n{done.stdout}{done.stderr}")
            for name, seed in dict.fromkeys(LAST.findall(done.stdout)):
                words = f"--seeds {seed} --only {name}"
                print(f"Again: make explore EXPLORE={shlex.quote(words)}")
            return 1
        print(f"nothing found; {done.stdout.strip().rpartition(chr(10))[2].strip('= ')}")
    return 0


def _text(seeds: list[int]) -> str:
    return " ".join(map(str, seeds))


def _portions(options: argparse.Namespace) -> Iterator[list[int]]:
    """The seeds, in portions for one pytest process each."""
    if options.seeds:
        yield options.seeds
        return
    first = options.seed
    while True:
        yield list(range(first, first + ROUNDS))
        first += ROUNDS


def _run(
    options: argparse.Namespace, seeds: list[int], end: float
) -> subprocess.CompletedProcess[str]:
    """Run all property tests with *seeds*; those that have not started at *end* are skipped."""
    words = [str(PYTEST), "-q", "-r", "fE", "-x", "-m", "dice"]
    if options.jobs > 1:
        words += ["-n", str(options.jobs), "--maxschedchunk", "2"]
    if options.only:
        words += ["-k", options.only]
    environment = {
        **os.environ,
        "NETALIAS_SEEDS": _text(seeds),
        "NETALIAS_UNTIL": str(end),
        "PYTHONHASHSEED": "0",
    }
    return subprocess.run(
        [*words, *_files(options.only)],
        cwd=REPO, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _files(only: str) -> list[str]:
    """The files that may have such tests: searching files is faster than importing all of them."""
    words = re.findall(r"\w+", only)
    some = not words or "not" in words
    found = []
    for path in sorted((REPO / "tests").glob("*/test_*.py")):
        text = path.read_text(encoding="utf-8")
        named = some or any(word in text or word in path.name for word in words)
        if named and "hypothesis" in text:
            found.append(str(path))
    return found or [str(REPO / "tests" / "pure")]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Property tests with other examples.")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--seeds", type=int, nargs="+", default=[])
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
