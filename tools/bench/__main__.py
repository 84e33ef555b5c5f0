"""Figures of netalias, as ratios measured in one run: ``make bench BENCH="OPTION..."``.

    --only PART   measure this part only; may be repeated
    --all         the slow peers at every size
    --quick       small sizes and few rounds
    --no-write    print only; otherwise docs/performance.md is written, with its picture

Started with the Python of an environment in which netalias is installed. All parts run in private
user, network and mount namespaces. Every figure has its target beside it where one is set. The exit
status is 1 if a part could not be measured; a missed target changes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
from pathlib import Path

import page
from installs import REPO, Installs
from processes import Failed
from stage import Run

HERE = "/proc/self/ns/net"

PARTS = {
    "oneshot": "One command",
    "crowded": "One command among many aliases",
    "unchanged": "Nothing to do",
    "many": "Many aliases at once",
    "spread": "Shards and prefixes",
    "gateways": "Gateways",
    "keeping": "Old addresses that are kept",
    "pools": "Pools",
    "packets": "Conflict check and announcement",
    "watching": "Watching",
    "moving": "While everything changes",
    "tunnels": "Tunnels",
    "bundles": "Bundles",
    "cluster": "Floating addresses",
    "narrow": "A narrow link with filters",
}
"""The modules, in the order of the page, and the headings of their sections."""


def main() -> int:
    """Fetch missing peers, enter the namespaces, measure, print and write; the exit status."""
    choices = _choices()
    installs = Installs()
    if not Path(page.LAUNCHER).is_file():
        print("netalias is not installed beside this Python: make bench", file=sys.stderr)
        return 1
    if not choices.outside:
        installs.fetch(chart=not choices.no_write, peers="many" in _parts(choices),
                       tunnels="tunnels" in _parts(choices))  # fmt: skip
        helper = str(REPO / "tools" / "in-namespace")
        inode = str(os.stat(HERE).st_ino)
        folder = str(Path(__file__).parent)
        os.execv(helper, [helper, sys.executable, folder, *sys.argv[1:], "--outside", inode])
    if str(os.stat(HERE).st_ino) == choices.outside:
        print("nothing is measured: no private namespace can be made here", file=sys.stderr)
        return 1
    os.chmod("/run", 0o755)
    run = Run(installs, quick=choices.quick, whole=choices.all, writes=not choices.no_write)
    begin = time.monotonic()
    found = {PARTS[name]: text for name in _parts(choices) if (text := measured(name, run))}
    if not choices.no_write:
        page.keep(list(PARTS.values()), found)
    print(f"bench: {len(found)} of {len(_parts(choices))} parts in"
          f" {(time.monotonic() - begin) / 60:.1f} minutes")  # fmt: skip
    return 0 if len(found) == len(_parts(choices)) else 1


def _parts(choices: argparse.Namespace) -> list[str]:
    return [name for name in PARTS if name in (choices.only or PARTS)]


def measured(name: str, run: Run) -> str:
    """The section of a part; empty where it could not be measured, which is told."""
    part = importlib.import_module(name)
    before = page.load()
    try:
        body = part.section(run)
    except (Failed, OSError) as problem:
        print(f"{name}: {problem}", file=sys.stderr)
        return ""
    text = f"## {PARTS[name]}\n\n{page.facts(before)}\n\n{body.strip()}\n"
    print(text, flush=True)
    return text


def _choices() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description="Figures of netalias, as ratios.")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART",
                        help=f"one of {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--all", action="store_true", help="the slow peers at every size")
    parser.add_argument("--quick", action="store_true", help="small sizes and few rounds")
    parser.add_argument("--no-write", action="store_true", help="leave the documents alone")
    parser.add_argument("--outside", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
