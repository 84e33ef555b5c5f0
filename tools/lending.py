"""Addresses of pools under stress: ``make soak SOAK="--lending 300"``.

    --lending N  64 processes first take 2000 addresses of a /21 at once; then N takes and releases
                 of a pool with a device follow, of which half are killed at random instants
    --seed N     seed of both; by default a random one, which is printed

No address may be lent twice or stand twice, and when the last loan has ended nothing is left. It
stops where that is not so, and exits with status 1.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

PROCESSES, TAKES = 64, 2000
LEASE = 5
LATEST = 0.4
"""Seconds after its start at which a command is killed, at most."""
FILE = """\
pool lab 10.8.0.0/21 each
pool dev 10.9.0.0/27 each dev eth9 kind macvlan
"""
TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "root")]

from command import COMMAND, Command, Json, wait_for_state, without_dad  # noqa: E402
from support import Namespace, until, veth_pair, why_no_namespace  # noqa: E402


def main() -> int:
    """Lend and report; the exit status."""
    parser = argparse.ArgumentParser(description="Addresses of pools under stress.")
    parser.add_argument("--lending", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    why = why_no_namespace()
    if why or not os.environ.get("NETALIAS_NAMESPACE"):
        print(why or "tools/in-namespace has to start it: make soak", file=sys.stderr)
        return 1
    print(f"seed {options.seed}, {options.lending} commands", flush=True)
    namespace = Namespace()
    namespace.peer = Namespace()
    veth_pair(namespace, namespace.peer)
    namespace.ip("link set lo up")
    without_dad(namespace)
    wait_for_state(namespace, "eth9", "UP")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pools"
        file.write_text(FILE, encoding="utf-8")
        cli = Command(namespace)
        try:
            _at_once(cli, file)
            killed = _killed(cli, file, options.lending, random.Random(options.seed))
        except AssertionError as problem:
            print(problem)
            return 1
    print(f"{TAKES} addresses at once, all different; {killed} kills, nothing was left")
    return 0


def _at_once(cli: Command, file: Path) -> None:
    """TAKES addresses by PROCESSES, each of which executes a batch."""
    share, more = divmod(TAKES, PROCESSES)
    started = []
    for number in range(PROCESSES):
        lines = file.with_name(f"lines{number}")
        lines.write_text("pool lab take\n" * (share + (number < more)), encoding="utf-8")
        words = [*COMMAND, "--wait", "600", "--from", str(file), "batch", str(lines)]
        started.append(cli.namespace.start(words, stdout=subprocess.PIPE))
    found = [line for process in started for line in process.communicate()[0].split()]
    assert len(found) == len(set(found)) == TAKES, (len(found), len(set(found)))


def _killed(cli: Command, file: Path, count: int, drawn: random.Random) -> int:
    """Takes and releases, half of them killed; the number of kills."""
    killed = 0
    pool = [*COMMAND, "--from", str(file), "pool", "dev"]
    for _ in range(count):
        words = [*pool, "take", "--lease", str(LEASE)]
        if drawn.random() < 0.3:
            words = [*pool, "release", "--absent-ok", f"10.9.0.{drawn.randrange(1, 31)}"]
        process = cli.namespace.start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if drawn.random() < 0.5:
            time.sleep(drawn.random() * LATEST)
            process.kill()
            killed += 1
        err = process.communicate()[1]
        assert not err or "no address is free" in err, err
        _check(cli, file)
    until(lambda: not _loans(cli, file))
    address = cli("--from", str(file), "pool", "dev", "take").strip()
    left = [(one["altname"], one.get("local")) for one in cli.json()]
    assert left == [("eth9:0", address)], left
    return killed


def _check(cli: Command, file: Path) -> None:
    """No address stands twice, none is lent twice, and no alias stands for two loans."""
    standing = Counter(one["local"] for one in cli.json() if one.get("local"))
    assert max(standing.values(), default=1) == 1, standing
    loans = _loans(cli, file)
    for key in ("local", "altname"):
        assert len({one[key] for one in loans}) == len(loans), loans


def _loans(cli: Command, file: Path) -> list[Json]:
    from netalias.views.json import parsed

    return parsed(cli("-j", "--from", str(file), "pool", "dev", "show"))


if __name__ == "__main__":
    sys.exit(main())
