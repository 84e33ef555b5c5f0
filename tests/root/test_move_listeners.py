"""Programs that choose packets by the device: move tells of them before it begins."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command
from support import Namespace

LISTENERS = """\
import socket, sys
tcp = socket.socket()
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth9")
tcp.bind(("0.0.0.0", 80))
tcp.listen()
one = socket.socket()
one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth9")
one.setsockopt(socket.IPPROTO_IP, 15, 1)
one.bind(("10.7.0.2", 81))
one.listen()
free = socket.socket()
free.bind(("0.0.0.0", 82))
free.listen()
ip = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
ip.bind(("eth9", 0x0800))
everything = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
everything.bind(("eth9", 0x0003))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def listeners(cli: Command) -> Iterator[subprocess.Popen[str]]:
    """A program with sockets on eth9, which was given the name of an alias."""
    words = [sys.executable, "-c", LISTENERS, "eth9:1"]
    process = cli.namespace.start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().strip() in ("ready", b"ready")
    yield process
    process.communicate()


def test_they_are_told_before_the_move(
    cli: Command, listeners: subprocess.Popen[str], tmp_path: Path
) -> None:
    """With what they will miss, which they do then; not a free socket, nor one for all protocols.
    Without -q, in a dry run as well."""
    file = tmp_path / "netalias.conf"
    file.write_text("eth9:0-1 10.7.0.1-2/24 kind label\n")
    cli("reconcile", str(file))
    who = f"{Path('/proc', str(listeners.pid), 'comm').read_text().strip()} (pid {listeners.pid})"
    lines = [
        "the socket tcp 0.0.0.0:80 is bound to eth9, and will miss packets to eth9:0 and eth9:1",
        "the socket tcp 10.7.0.2:81 is bound to eth9, and will miss packets to eth9:1",
        f"{who} listens on eth9 for protocol 0x0800, and will miss packets to eth9:0 and eth9:1",
        f"{who} was given eth9:1: it may need eth9_1",
    ]
    wanted = "".join(f"netalias: warning: {line}\n" for line in lines)
    move = ("move", "--kind", "macvlan", str(file))
    assert cli.run("--dry-run", *move).stderr == wanted
    assert cli.run("-q", "--dry-run", *move).stderr == ""
    peer = cli.namespace.peer
    assert peer is not None
    peer.ip("addr add 10.7.0.250/24 dev p9")
    assert (answers(peer, 80), answers(peer, 82)) == (True, True)
    assert cli.run(*move).stderr == wanted
    assert (answers(peer, 80), answers(peer, 82)) == (False, True)


def answers(peer: Namespace, port: int) -> bool:
    """Whether somebody accepts a call of the first alias; the kernel refuses it otherwise."""
    script = f"import socket; socket.create_connection(('10.7.0.1', {port}), 5)"
    done = peer.run([sys.executable, "-c", script], check=False)
    assert not done.returncode or "refused" in done.stderr
    return not done.returncode


def test_the_way_back(cli: Command, tmp_path: Path) -> None:
    """A socket on the device of the alias is told."""
    file = tmp_path / "netalias.conf"
    file.write_text("eth9:0 10.7.0.1/32 kind macvlan\n")
    cli("reconcile", str(file))
    script = LISTENERS.replace("eth9", "eth9_0").replace("10.7.0.2", "10.7.0.9")
    words = [sys.executable, "-c", script]
    process = cli.namespace.start(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        said = cli.run("--dry-run", "move", "--kind", "label", str(file)).stderr
    finally:
        process.communicate()
    assert "the socket tcp 0.0.0.0:80 is bound to eth9_0, and will miss packets to eth9:0" in said
    assert "10.7.0.9" not in said
    assert said.count("listens on eth9_0 for protocol 0x") == 2
