"""What lending an address costs, in instructions and modules; the ways of counting are those of
test_startup.py."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import test_startup
from support import Namespace
from test_startup import CORE, INET, KERNEL, LABEL, NAMES, OPTIONS, OUTPUT, Launched, held

launched, loader = test_startup.launched, test_startup.loader

FILE = """\
pool lab 10.8.0.0/21 each
pool dev 10.9.0.0/24 each dev eth9 kind label
"""
POOL = (
    f"{CORE} {OPTIONS} {OUTPUT} {NAMES} {KERNEL} {INET} netalias.runtime netalias.engine"
    " netalias.cli.pool netalias.desired netalias.kinds netalias.desired.lines"
    " netalias.desired.pools netalias.desired.ranges"
    " netalias.desired.tasks netalias.engine.loans netalias.model.loans netalias.runtime.loans"
    " netalias.sources netalias.trust netalias.model.steps"
)
"""A pool without a device: no alias is read, and nothing is planned."""
TAKE = 1.15
"""Instructions of ``pool take`` over those of a command that makes an alias."""
COUNT = 2000
EACH = 0.0044
"""Instructions of each further take of a batch over those of a bare Python: 0.0036 with Python
3.11.7, 0.0043 with 3.11.2 as Debian builds it."""


@pytest.fixture
def pools(tmp_path: Path) -> str:
    """A file with two pools."""
    file = tmp_path / "pools"
    file.write_text(FILE, encoding="utf-8")
    return str(file)


@pytest.mark.root
def test_a_take_loads_what_is_stated(veth: Namespace, loader: Path, pools: str) -> None:
    """Without a device neither plans nor kinds."""
    words = ["--from", pools, "pool", "lab", "take"]
    done = veth.run([sys.executable, str(loader), *words])
    held(loader, done.stdout, 0, POOL)
    assert LABEL not in done.stdout


@pytest.mark.root
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_a_take_takes_few_instructions(launched: Launched, pools: str) -> None:
    """Over a command that makes an alias."""
    made = launched.instructions(launched.words("eth9:1 192.0.2.11 kind macvlan"))
    one = launched.instructions(launched.words(f"--from {pools} pool lab take"))
    assert one / made <= TAKE


@pytest.mark.long
@pytest.mark.root
@pytest.mark.skipif(not shutil.which("valgrind"), reason="valgrind is not installed")
def test_each_take_of_thousands_takes_few_instructions(
    launched: Launched, tmp_path: Path, pools: str
) -> None:
    """In a batch."""
    bare = launched.instructions([sys.executable, "-c", "pass"])
    one = launched.instructions(launched.words(f"--from {pools} pool lab take"))
    lines = tmp_path / "lines"
    lines.write_text("pool lab take\n" * COUNT, encoding="utf-8")
    many = launched.instructions(launched.words(f"--from {pools} batch {lines}"))
    assert (many - one) / bare / COUNT <= EACH
