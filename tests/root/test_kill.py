"""Runs that are killed at any instant: the next one finishes what they left, or takes it away."""

from __future__ import annotations

import random
import re
import signal
import time
from pathlib import Path

import pytest
from command import COMMAND, Command

from netalias.model import GROUP, SCRATCH, is_scratch

KILLS = 50
SEEDS = (86, 87, 88, 89)
"""Parts of one test, that can run side by side: two hundred kills."""
FEW = 6
"""Kills in make test."""
ALIASES = 240
"""More messages than one send holds (PACK of kernel.netlink): instants lie between sends, too."""

MANY = "eth9:0-119 10.0.0.0/32+ kind macvlan\neth9:300-419 10.1.0.0/32+ kind label\n"
OTHERS = "eth9:0-9 10.2.0.0/32+ kind macvlan\neth9:10-19 10.3.0.0/32+ kind label\n"
"""Against MANY: most are removed, ten change their address, ten their kind and their address."""


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The two that are reconciled in turn."""
    found = []
    for name, text in (("many", MANY), ("others", OTHERS)):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        found.append(path)
    return found


def words(file: Path) -> list[str]:
    """A reconciliation as a process without a parent in between."""
    return [*COMMAND, "reconcile", "--allow-empty", str(file)]


def killed(cli: Command, file: Path, delay: float) -> bool:
    """Start it, kill it after *delay* seconds; whether it was still at work."""
    process = cli.namespace.start(words(file), stdout=-3, stderr=-3)
    time.sleep(delay)  # the instant is what is varied, nothing is waited for
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def seconds(cli: Command, file: Path) -> float:
    """How long one takes."""
    begun = time.monotonic()
    assert cli.namespace.run(words(file)).returncode == 0
    return time.monotonic() - begun


def in_order(cli: Command, file: Path, count: int) -> None:
    """The next run ends well, and nothing is half-made or on its way out."""
    done = cli.run("--allow-empty", "reconcile", str(file))
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[:500]
    assert cli.run("check", str(file)).returncode == 0
    shown = cli.json()
    assert len(shown) == count
    assert {alias["state"] for alias in shown} <= {"up", "up,tentative"}
    links = cli.namespace.ip("-o link show").splitlines()
    groups = [int(found) for line in links for found in re.findall(r" group (\d+) ", line)]
    assert not [group for group in groups if is_scratch(group, GROUP)]


@pytest.mark.early
@pytest.mark.parametrize(
    ("seed", "kills"),
    [(SEEDS[0], FEW), *(pytest.param(seed, KILLS, marks=pytest.mark.long) for seed in SEEDS)],
)
def test_killed_at_any_instant(cli: Command, files: list[Path], seed: int, kills: int) -> None:
    """While hundreds are created, changed, and removed as a set (S86)."""
    dice = random.Random(seed)
    counts = [ALIASES, 20]
    lasts = [seconds(cli, file) for file in (*files, *files)][2:]
    hits = [0, 0]
    for number in range(kills):
        at = number % 2
        delay = dice.uniform(0, lasts[at])
        if killed(cli, files[at], delay):
            hits[at] += 1
        else:  # it is faster than it was measured to be
            lasts[at] = delay
        in_order(cli, files[at], counts[at])
    assert all(hits), "the instants were all behind the end"


def test_a_remnant_is_cleaned_and_stands_in_nobodys_way(cli: Command) -> None:
    """S86: a device that was on its way out when the run was killed."""
    cli("eth9:0", "10.0.0.1", "kind", "macvlan")
    cli("eth9:1", "10.0.0.2", "kind", "macvlan")
    for name in ("eth9_0", "eth9_1"):
        cli.namespace.ip(f"link set {name} group {GROUP | SCRATCH}")
    assert [one["state"] for one in cli.json()] == ["up,half-made"] * 2
    cli("eth9:0", "10.0.0.3", "kind", "macvlan")
    assert [one["state"] for one in cli.json()] == ["up", "up,half-made"]
    done = cli.run("reconcile", "-", input="eth9:0 10.0.0.3 kind macvlan\n")
    assert (done.returncode, done.stdout) == (0, "- eth9:1 10.0.0.2/32 macvlan\n")
    assert "eth9_1" not in cli.namespace.names()
