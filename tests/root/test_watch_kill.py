"""Watchers that are killed at any instant, and watchers that start at once."""

from __future__ import annotations

import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from command import COMMAND, Command
from support import until
from watcher import Watch, watching

from netalias.model import GROUP, is_scratch

KILLS = 8
"""Kills of each sort; one in make test."""
PAIRS = 80
PROCESSES = 20
"""Pairs that are processes of their own; five in make test."""

MANY = "eth9:0-99 10.0.0.0/32+ kind macvlan\neth9:300-399 10.1.0.0/32+ kind label\n"
OTHERS = "eth9:0-99 10.2.0.0/32+ kind macvlan\neth9:350-449 10.1.0.50/32+ kind label\n"
"""Against MANY: a hundred have another address, fifty go and fifty come."""

FORKS = f"""
import os, signal, sys
from netalias import cli
from netalias.watch import watcher
texts, conf = sys.argv[1:]
for number in range({PAIRS}):
    reader, writer = os.pipe()
    err = [os.memfd_create("err") for _ in range(2)]
    pids = []
    for one in range(2):
        pids.append(os.fork())
        if not pids[one]:
            signal.alarm(60)
            os.close(writer)
            os.dup2(err[one], 2)
            os.read(reader, 1)
            os._exit(cli.main(["watch", "--texts", texts, conf]))
    os.close(reader)
    os.close(writer)
    loser, status = os.wait()
    winner = pids[1 - pids.index(loser)]
    alive = os.waitpid(winner, os.WNOHANG) == (0, 0)
    os.kill(winner, signal.SIGKILL)
    os.waitpid(winner, 0)
    said = os.pread(err[pids.index(loser)], 65536, 0).decode()
    for file in err:
        os.close(file)
    print(os.waitstatus_to_exitcode(status), alive, winner, said.strip(), flush=True)
"""


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """Two hundred aliases."""
    file = tmp_path / "netalias.conf"
    file.write_text(MANY)
    file.chmod(0o644)
    return file


def in_order(cli: Command, conf: Path, watch: Watch, count: int) -> None:
    """Everything is as it is declared, and nothing is half-made or on its way out."""
    until(lambda: cli.run("check", str(conf)).returncode == 0)
    until(lambda: len(watch.aliases()) == count)
    shown = cli.json()
    assert len({alias["altname"] for alias in shown}) == len(shown) == count
    links = cli.namespace.ip("-o link show").splitlines()
    groups = [int(found) for line in links for found in re.findall(r" group (\d+) ", line)]
    assert not [group for group in groups if is_scratch(group, GROUP)]


def begin(cli: Command, conf: Path, watch: Watch) -> None:
    """It is killed while it makes the declared aliases."""


def heal(cli: Command, conf: Path, watch: Watch) -> None:
    """It is killed while it repairs aliases."""
    watch.says("watching: ")
    lines = [f"link del eth9_{slot}" for slot in range(0, 100, 10)]
    lines += [f"addr del 10.1.0.{one}/32 dev eth9" for one in range(50, 100, 2)]
    cli.namespace.run(["ip", "-force", "-batch", "-"], check=False, input="\n".join(lines))


def read_again(cli: Command, conf: Path, watch: Watch) -> None:
    """It is killed while it makes what another file declares."""
    watch.says("watching: ")
    conf.write_text(OTHERS if conf.read_text() == MANY else MANY)


@pytest.mark.early
@pytest.mark.parametrize("kills", [1, pytest.param(KILLS, marks=pytest.mark.long)])
@pytest.mark.parametrize("work", [begin, heal, read_again])
def test_killed_at_any_instant(
    cli: Command,
    conf: Path,
    tmp_path: Path,
    work: Callable[[Command, Path, Watch], None],
    kills: int,
) -> None:
    """The next one finds the world, and puts it right."""
    dice = random.Random(5)
    longest = 0.6 if work is begin else 0.2
    for _ in range(kills):
        if work is begin:
            cli.namespace.ip(f"link del group {GROUP}", check=False)
            cli.namespace.ip("addr flush dev eth9")
        watch = Watch(cli.namespace, tmp_path / "net", str(conf))
        try:
            work(cli, conf, watch)
            time.sleep(dice.uniform(0, longest))  # the instant varies
        finally:
            assert watch.end(signal.SIGKILL) == -signal.SIGKILL
            watch.process.communicate()
        with watching(cli.namespace, tmp_path / "net", str(conf)) as after:
            in_order(cli, conf, after, 200)
            assert after.end() == 0


@pytest.mark.early
@pytest.mark.long
def test_of_two_at_once_there_is_one(cli: Command, conf: Path, tmp_path: Path) -> None:
    """Always exactly one, and the other one names its pid."""
    conf.write_text("eth9:0 10.0.0.1\n")
    words = [sys.executable, "-c", FORKS, str(tmp_path / "net"), str(conf)]
    lines = cli.namespace.run(words).stdout.splitlines()
    assert len(lines) == PAIRS
    for line in lines:
        status, alive, winner, said = line.split(" ", 3)
        assert (status, alive) == ("2", "True")
        assert f"netalias watch runs already in this network namespace: pid {winner}, " in said


@pytest.mark.parametrize("pairs", [5, pytest.param(PROCESSES, marks=pytest.mark.long)])
def test_of_two_processes_at_once_there_is_one(
    cli: Command, conf: Path, tmp_path: Path, pairs: int
) -> None:
    """The same from the first instruction on."""
    conf.write_text("eth9:0 10.0.0.1\n")
    words = [*COMMAND, "watch", "--texts", str(tmp_path / "net"), str(conf)]
    for _ in range(pairs):
        pair = [cli.namespace.start(words, stderr=subprocess.PIPE) for _ in range(2)]
        try:
            until(lambda: any(one.poll() is not None for one in pair))  # noqa: B023
            (loser,) = [one for one in pair if one.poll() is not None]
            (winner,) = [one for one in pair if one is not loser]
            assert loser.stderr is not None
            assert loser.returncode == 2
            assert f"namespace: pid {winner.pid}, since" in loser.stderr.read()
        finally:
            for one in pair:
                one.kill()
                one.communicate()
