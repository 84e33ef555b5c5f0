"""The socket of a running watcher while one user floods it: others are served, and it works on."""

from __future__ import annotations

import math
import os
import socket
import struct
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from command import Command, command
from support import SLOW, another_user, until

FLOOD, HONEST = 65533, 65534
"""Two ordinary users."""
FLOODERS = 3
CONNECTIONS = 200
READS = 20
PATIENCE = 1.0 * SLOW
"""Seconds for half of the reads: others may take the processors away."""
STARVED = 20.0 * SLOW
"""Seconds for any of them."""

pytestmark = pytest.mark.skipif(not another_user(), reason="no process may become another user")


def connected(path: str) -> socket.socket:
    """A client that waits for no longer than STARVED, whatever it does: in connect(2) too, which
    a socket that does not block leaves at once where the queue is full."""
    client = socket.socket(socket.AF_UNIX)
    for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
        client.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", math.ceil(STARVED), 0))
    client.connect(path)
    return client


def asking_and_hanging_up(path: str) -> None:
    """Connections that ask and are closed at once, without an end."""
    while True:
        with socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            try:
                client.connect(path)
                client.send(b"json\n")
            except OSError:
                pass  # the queue of the socket is full


def coming_back(path: str) -> None:
    """CONNECTIONS that say nothing; one that is dropped comes back at once."""
    clients: list[socket.socket] = []
    while True:
        clients = [one for one in clients if not _ended(one)]
        try:
            client = connected(path)
            client.setblocking(False)
            clients.append(client)
        except OSError:
            pass
        if len(clients) > CONNECTIONS:
            clients.pop(0).close()


def _ended(client: socket.socket) -> bool:
    try:
        ended = not client.recv(1 << 12)
    except BlockingIOError:
        return False
    except OSError:
        ended = True
    if ended:
        client.close()
    return ended


@pytest.fixture
def path(cli: Command) -> Iterator[str]:
    """The socket of a watcher with one alias, in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "conf").write_text("eth9:0 10.0.0.5 kind macvlan\n")
        process = cli.namespace.start(
            command("-q", "watch", "--texts", f"{name}/net", f"{name}/conf")
        )
        try:
            until(lambda: ready(f"{name}/net.sock"))
            yield f"{name}/net.sock"
        finally:
            process.terminate()
            process.wait()


def ready(path: str) -> bool:
    """Whether a watcher listens there, and has made its alias."""
    try:
        return b"eth9:0" in asked(path)
    except (FileNotFoundError, ConnectionRefusedError):
        return False


def asked(path: str) -> bytes:
    """The whole text of ``json``."""
    with connected(path) as client:
        client.sendall(b"json\n")
        found = b""
        while data := client.recv(1 << 16):
            found += data
        return found


def child(uid: int, work: Callable[[], object]) -> int:
    """A process of another user that does *work*; its id. Its exit status is 0 if all went well."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def honest(path: str) -> None:
    """READS texts, each whole and in time."""
    took = []
    for _ in range(READS):
        begun = time.monotonic()
        assert b"10.0.0.5" in asked(path)
        took.append(time.monotonic() - begun)
    assert median(took) < PATIENCE, took
    assert max(took) < STARVED, took


@pytest.mark.long
@pytest.mark.parametrize("flood", [asking_and_hanging_up, coming_back])
def test_one_user_floods(path: str, cli: Command, flood: Callable[[str], None]) -> None:
    """Another user and root are served within a second; an alias is put right meanwhile."""
    flooders = [child(FLOOD, lambda: flood(path)) for _ in range(FLOODERS)]
    try:
        time.sleep(0.5)  # so that the flood is at its height, as far as can be; no verdict needs it
        for uid in (HONEST, 0):
            _, status = os.waitpid(child(uid, lambda: honest(path)), 0)
            assert os.waitstatus_to_exitcode(status) == 0
        cli.namespace.ip("link del eth9_0")
        until(lambda: "eth9:0" in cli.names())
    finally:
        for one in flooders:
            os.kill(one, 9)
            os.waitpid(one, 0)
