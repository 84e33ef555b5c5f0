"""The three walks of docs/design.md, as the number of times that a command changes the file.

Counted are successive calls (sys.setprofile) in different files below netalias/; an import counts
as a call. A reader who follows the command turns the page as often. The counts do not depend on
time, but on the kernel by a few: it is asked once more for what it lacks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support import Namespace

HOOK = """\
import sys
import netalias

home = netalias.__path__[0] + "/"
last, count = "", 0

def hook(frame, event, arg):
    global last, count
    name = frame.f_code.co_filename
    if event == "call" and name.startswith(home) and name != last:
        count += bool(last)
        last = name

sys.setprofile(hook)
from netalias.cli import main
status = main(sys.argv[1:])
sys.setprofile(None)
sys.stdout.flush()
print("\\nchanges", status, count)
"""

THREE = "".join(f"eth9:{slot} 192.0.2.1{slot}/32 kind macvlan\n" for slot in (5, 6, 7))

CREATE_FIRST, CREATE, DELETE = 105, 90, 69
"""Changes of file at most: a first alias, which sets sysctls of the main device, a second one, and
the deletion of the first."""
RECONCILE = 400
"""The same for a reconciliation that makes three aliases."""


@pytest.fixture
def walk(veth: Namespace, tmp_path: Path) -> Walk:
    """Runs a command in a namespace with eth9, and counts its changes of file."""
    program = tmp_path / "walk.py"
    program.write_text(HOOK, encoding="utf-8")
    return Walk(veth, program)


class Walk:
    """The program that counts, in its namespace."""

    def __init__(self, namespace: Namespace, program: Path) -> None:
        self.namespace = namespace
        self.program = program

    def __call__(self, line: str) -> int:
        with self.namespace:
            done = subprocess.run(
                [sys.executable, str(self.program), *line.split()],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        word, status, count = done.stdout.split()[-3:]
        if status == "2":
            pytest.skip(f"no macvlan can be made here: {done.stderr.strip()}")
        assert (word, status) == ("changes", "0"), done.stderr
        return int(count)


@pytest.mark.root
def test_one_command_is_a_short_walk(walk: Walk) -> None:
    """A first alias, a second one, and the deletion of the first."""
    assert walk("eth9:0 200.1.1.1 kind macvlan") <= CREATE_FIRST
    assert walk("eth9:1 200.1.1.2 kind macvlan") <= CREATE
    assert walk("eth9:0-") <= DELETE


@pytest.mark.root
def test_a_reconciliation_is_a_short_walk(walk: Walk, tmp_path: Path) -> None:
    """Three new aliases out of a file, in a namespace without any."""
    path = tmp_path / "netalias.conf"
    path.write_text(THREE, encoding="utf-8")
    assert walk(f"reconcile {path}") <= RECONCILE
