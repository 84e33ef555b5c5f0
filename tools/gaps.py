"""Gaps while aliases move between kinds: how long which address does not answer a peer.

Run in a namespace of its own: ``tools/in-namespace .venv/bin/python tools/gaps.py [COUNT ...]``.
For each COUNT, of them two thirds IPv4, so many aliases move from labels to devices and back by one
reconciliation each (tests/root/probing.py), while the peer asks every address every 10 ms; without
and with duplicate address detection. Printed are, in milliseconds, how long an address did not
answer, the median of the addresses and the longest; the median and the longest time from one
request to the next; and the number of addresses that do not answer in the end.
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from command import Command, forget, ip_json, wait_for_state, without_dad  # noqa: E402  (the path comes first)
from probing import MOVES, Probed, moved, stand  # noqa: E402
from support import Namespace, until, veth_pair  # noqa: E402

COUNTS = ("40", "281")


def line(name: str, found: Probed) -> str:
    """The figures of one move."""
    words = [f"{name:56}"]
    for six in (False, True):
        gaps = [gap for address, gap in found.gaps.items() if (":" in address) == six]
        words.append(f"{median(gaps):7.0f} {max(gaps):8.0f}")
    return " ".join((*words, f"{found.round:7.0f} {found.slowest:7.0f} {len(found.silent):6}"))


def main(words: list[str]) -> int:
    """Measure and print; 1 if an address was lost."""
    lost = 0
    cases = [(int(word), checked) for word in words or COUNTS for checked in (False, True)]
    for count, checked in cases:
        here = Namespace()
        here.peer = Namespace()
        veth_pair(here, here.peer)
        here.ip("link set lo up")
        if not checked:
            without_dad(here, "eth9")
        wait_for_state(here, "eth9", "UP")
        cli = Command(here)
        stand(cli, count, promote=0)
        until(lambda here=here: not ip_json(here, "addr show tentative"))
        title = f"{count} aliases, {'with' if checked else 'without'} detection"
        print(f"{title:56} IPv4 med longest IPv6 med longest  round slowest   lost")
        for name in MOVES:
            found = moved(cli, count, name)
            lost += len(found.silent)
            print(line(name, found), flush=True)
        forget(here)
        here.close()
        here.peer.close()
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
