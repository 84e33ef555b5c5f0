"""Random inputs for everything that reads some: ``make explore EXPLORE="--inputs 1000000"``.

    --inputs N   how many, by default 1000000: texts (tests/pure/inputs.py), and as many datagrams
                 (tests/wire/datagrams.py) as texts
    --seed N     seed of all of them; by default a random one, which is printed
    --only SORT  inputs of one sort

Each input is drawn from the seed, its sort and its number. Those that are not answered as they have
to be are printed, to be stored in the EXAMPLES of the tests; the exit status is 1 then.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "pure"), str(TESTS / "wire")]

from datagrams import check, drawn_datagram  # noqa: E402  (the path comes first)
from inputs import SORTS, private  # noqa: E402

ENDLESS = 60
"""Seconds after which an input counts as one that is never answered."""
FINDINGS = 20
"""So many are printed, then it ends."""
TOLD = 60.0
"""Seconds between lines that tell how far it is."""

Drawn = Callable[[random.Random], Any]
TABLE: dict[str, tuple[Drawn, Callable[[Any], None]]] = {
    **SORTS,
    "datagram": (drawn_datagram, check),
}
TEXTS = len(SORTS)


def main(words: list[str] | None = None) -> int:
    """Draw and check; the exit status."""
    options = _options(words)
    print(f"seed {options.seed}, {options.inputs} inputs", flush=True)
    signal.signal(signal.SIGALRM, _endless)
    sorts = [options.only] if options.only else [*SORTS, *["datagram"] * TEXTS]
    counts: Counter[str] = Counter()
    findings = 0
    told = time.monotonic()
    with private():
        for number in range(options.inputs):
            sort = sorts[number % len(sorts)]
            findings += not _held(sort, f"{options.seed} {sort} {number}")
            counts[sort] += 1
            if findings == FINDINGS:
                break
            if time.monotonic() > told + TOLD:
                told = time.monotonic()
                print(f"{number + 1}, {findings} findings", flush=True)
    each = ", ".join(f"{count} of {sort}" for sort, count in sorted(counts.items()))
    print(f"{sum(counts.values())} inputs ({each}): {findings} findings")
    return 1 if findings else 0


def _held(sort: str, seed: str) -> bool:
    """Whether the input of *sort* that *seed* draws is answered as it has to be."""
    draw, check = TABLE[sort]
    drawn = draw(random.Random(seed))
    signal.alarm(ENDLESS)
    try:
        check(drawn)
    except Exception:
        lines = traceback.format_exc(limit=-3).splitlines()
        print(f"\n{sort} of seed {seed!r}:\n  {drawn!r}", *lines, sep="\n  ", flush=True)
        return False
    finally:
        signal.alarm(0)
    return True


def _endless(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"not answered within {ENDLESS} s")


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Random inputs.")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", choices=list(TABLE), default="")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
