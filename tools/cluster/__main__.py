"""Floating addresses on a stage of network namespaces, judged by what is seen on the segment.

    python tools/cluster demo         five hosts, one of which is killed
    python tools/cluster test         all faults, as a table: several minutes
    python tools/cluster peers   those that can be done to keepalived too
    python tools/cluster scale   many hosts in one process, on one member of etcd

    --count N      addresses, by default 200, for scale 10 000
    --hosts N      hosts of scale, by default 50
    --slow N       seconds of etcd in one of these hosts, by default 10
    --ipv6 N       so many of them of IPv6, by default a fifth
    --ttl S        seconds that an address stands without a proof, by default 10
    --kind KIND    of the aliases, by default label
    --changes N    joins and leaves in a row, by default 100
    --only WORDS   faults with these words in their names
    --write        their rows go into the table of docs/cluster-faults.md
    --keep         the logs stay, and their folder is printed

The exit status is 1 where an address had two holders, or was silent for longer than stated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "tests")]

import rival  # noqa: E402  (the path comes first)
import table  # noqa: E402
from engine_faults import ENGINE, changes  # noqa: E402
from faults import HOLDERS, Fault, carry_out  # noqa: E402
from floating import LABEL, Netalias  # noqa: E402
from members import Members  # noqa: E402
from scale import scale  # noqa: E402
from scene import Outcome, Scene  # noqa: E402
from segment import Segment, floats  # noqa: E402
from support import why_no_namespace  # noqa: E402
from tour import tour  # noqa: E402
from unpacked import found  # noqa: E402

HOSTS = 5
COUNTS = {"scale": 10_000}
"""Addresses, where they are not 200."""
SHARE = 5
"""One address in so many is of IPv6."""
TTL = 10
"""The usual value of a declaration."""


def main() -> int:
    """Do what was asked for; the exit status."""
    options = _options()
    why = why_no_namespace()
    if why or not os.environ.get("NETALIAS_NAMESPACE"):
        print(why or "tools/in-namespace has to start it: make cluster-demo", file=sys.stderr)
        return 1
    program = "keepalived" if options.what == "peers" else "etcd"
    words, why = found(program)
    if why:
        print(why, file=sys.stderr)
        return 1
    # What is on the stage goes with it, whoever ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack:
        segment = Segment(0 if options.what == "scale" else HOSTS)
        if not options.keep:
            stack.callback(shutil.rmtree, segment.folder, ignore_errors=True)
        stack.callback(segment.close)
        print(f"logs: {segment.folder}" if options.keep else "", end="\n" * options.keep)
        if options.what == "scale":
            return _scale(Members(segment, words, 1), options)
        if options.what == "peers":
            addresses = floats(options.count)
            scene = Scene(segment, rival.Keepalived(segment, words, addresses), addresses)
            return _faults(scene, HOLDERS, options)
        inet6 = options.count // SHARE if options.ipv6 is None else options.ipv6
        addresses = floats(options.count, inet6)
        members = Members(segment, words)
        holders = Netalias(segment, members.endpoints, addresses, options.ttl, options.kind)
        scene = Scene(segment, holders, addresses, members)
        if options.what == "demo":
            return tour(scene)
        return _faults(scene, [*HOLDERS, *ENGINE, changes(options.changes)], options)


def _faults(scene: Scene, faults: Sequence[Fault], options: argparse.Namespace) -> int:
    """One fault after the other; each is printed when it is over."""
    scene.until(scene.even, "all hosts have their shares")
    print(table.row(table.HEAD), table.row(["---"] * len(table.HEAD)), sep="\n", flush=True)
    outcomes: list[Outcome] = []
    for fault in faults:
        if options.only in fault.title:
            outcomes.append(carry_out(scene, fault))
            print(table.row(table.cells(outcomes[-1])), flush=True)
            for line in table.evidence(scene, outcomes[-1]):
                print(line, file=sys.stderr)
            if options.write:
                table.write(options.what, [one.title for one in faults], outcomes)
    return 0 if all(one.good for one in outcomes) else 1


def _scale(members: Members, options: argparse.Namespace) -> int:
    """Figures of many hosts, each line when it is known."""
    with members.hosts[0].namespace:
        for name, figure in scale(
            members.endpoints, options.hosts, options.count, options.ttl, options.slow
        ):
            print(table.row([name, figure]), flush=True)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Floating addresses, and faults.")
    parser.add_argument("what", choices=["demo", "test", "peers", "scale"])
    parser.add_argument("--count", type=int)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--slow", type=int, default=10)
    parser.add_argument("--ipv6", type=int)
    parser.add_argument("--ttl", type=int, default=TTL)
    parser.add_argument("--kind", default=LABEL)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    options.count = options.count or COUNTS.get(options.what, 200)
    return options


if __name__ == "__main__":
    sys.exit(main())
