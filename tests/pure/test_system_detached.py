"""Work that outlives the command by which it was started."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netalias import errors
from netalias.system.detached import SIGNALLED

SCRIPT = """
import os, signal, sys
from netalias import errors
from netalias.system.detached import detached

caller = os.getpid()


def work(ready):
    above = os.getppid()
    if above != caller and os.getsid(0) == os.getpid():
        print("alone", file=sys.stderr)
    {body}
    return 3


try:
    status = detached(work)
except errors.NetaliasError as error:
    status = error.status
sys.exit(status)
"""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("ready(); ready()", 0),
        ("pass", 3),
        ("raise errors.LockBusy('busy')", errors.LockBusy.status),
        ("raise ValueError", errors.STATUS_BUG),
        ("os.kill(os.getpid(), signal.SIGKILL)", SIGNALLED),
    ],
)
def test_the_command_has_the_status(body: str, status: int) -> None:
    """0 once the work has begun, else the status of its end. It is no child of the command, neither
    when it begins: the service manager has it from the beginning."""
    words = [sys.executable, "-c", SCRIPT.replace("{body}", body)]
    # The process itself may go on when the command has ended, but not beyond its work.
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("alone\n")


LACK = """
import os, sys
from netalias.system.detached import detached

fork, forks = os.fork, []


def forked():
    forks.append(1)
    if len(forks) == 2:
        raise OSError(11, "Resource temporarily unavailable")
    return fork()


os.fork = forked
try:
    detached(lambda ready: 0)
except OSError as error:
    print(error)
"""


def test_a_process_that_cannot_be_made() -> None:
    """The command says why, as where the first one cannot be made."""
    words = [sys.executable, "-c", LACK]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "[Errno 11] Resource temporarily unavailable\n", done.stderr
