"""Former addresses of a ppp device, with the real pppd at both ends: suite ``ppp`` of
tools/kernels, since few kernels have it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command
from keeping import PORT, SERVER, Bound, Echo, Link, address
from support import until
from watcher import watching

pytestmark = [
    pytest.mark.programs,
    pytest.mark.root,
    pytest.mark.skipif(not shutil.which("pppd"), reason="pppd is not installed"),
    pytest.mark.skipif(not Path("/dev/ppp").exists(), reason="this kernel has no ppp"),
]

LINE = "ppp0 iface-alias kernel keep 600 max 4\n"
USUAL = "nodetach noauth noipv6 nodeflate nobsdcomp novj noccp"
"""Options of both ends: nobody proves who he is, and nothing is compressed."""
CLIENT = f"{USUAL} persist holdoff 1 maxfail 0 ipcp-accept-local ipcp-accept-remote"


class Line(Link):
    """A line over a pair of pipes: the server gives the client the address of ``file``."""

    def __init__(self, cli: Command, folder: Path, *words: str) -> None:
        assert cli.namespace.peer is not None
        self.here, self.there = cli.namespace, cli.namespace.peer
        self.version, self.last = 4, 0
        self.there.raise_lo()
        self.there.ip(f"addr add {SERVER[4]}/32 dev lo")
        self.file = folder / "address"
        self.file.write_text(address(4, 1))
        self.pid = folder / "server.pid"
        script = folder / "server"
        script.write_text(
            f"#!/bin/sh\necho $$ >{self.pid}\n"
            f"exec nsenter --net={self.there.path} pppd notty {USUAL}"
            f" {SERVER[4]}:$(cat {self.file})\n"
        )
        script.chmod(0o755)
        self.log = folder / "pppd.log"
        with self.here, self.log.open("wb") as log:
            self.client = subprocess.Popen(
                ["pppd", *CLIENT.split(), "pty", str(script), *words], stdout=log, stderr=log
            )

    def up(self, last: int) -> None:
        """The line is up, and the client has the address with this last number."""
        self.last = last
        wanted = f"{address(4, last)} peer {SERVER[4]}"
        try:
            until(lambda: wanted in self.here.ip("-o -4 addr show", check=False))
        except AssertionError:
            raise AssertionError(f"no {wanted}: {self.log.read_text()}") from None

    def renew(self, last: int) -> None:
        """The server hangs up, and gives another address when it is called again."""
        self.file.write_text(address(4, last))
        subprocess.run(["kill", "-HUP", self.pid.read_text().strip()], check=True)
        self.up(last)

    def close(self) -> None:
        """Hang up."""
        self.client.send_signal(signal.SIGTERM)
        self.client.wait(60)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file with the line of ppp0."""
    file = tmp_path / "netalias.conf"
    file.write_text(LINE)
    return file


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[list[Line]]:
    """The lines of a test, which are closed after it."""
    found: list[Line] = []
    yield found
    for line in found:
        line.close()


def test_a_bound_udp_socket_lives_through_three_calls(
    cli: Command, conf: Path, tmp_path: Path, lines: list[Line]
) -> None:
    """pppd takes the device away with the address, and makes another one of its name."""
    line = Line(cli, tmp_path)
    lines.append(line)
    line.up(1)
    with Echo(line.there) as echo, watching(line.here, tmp_path / "net", str(conf)):
        program = Bound(line, 1)
        program.asks(b"first")
        for last, old in ((2, [1]), (3, [1, 2]), (1, [2, 3])):
            line.renew(last)
            line.translates(*old)
            echo.sources.clear()
            program.asks(b"again")
            assert set(echo.sources) == {address(4, last)}
        assert program.socket.getsockname()[0] == address(4, 1)
        program.close()


def test_a_connection_that_triggers_the_call(
    cli: Command, conf: Path, tmp_path: Path, lines: list[Line]
) -> None:
    """The device is there on demand, with an address that the call replaces: a connection that is
    bound to it completes; its peer sees the new address, and it has the old one."""
    line = Line(cli, tmp_path, "demand", f"{address(4, 9)}:{SERVER[4]}")
    lines.append(line)
    line.up(9)
    with Echo(line.there) as echo, watching(line.here, tmp_path / "net", str(conf)):
        line.file.write_text(address(4, 2))
        program = Bound(line, 9, stream=True)
        program.socket.connect((SERVER[4], PORT))
        program.socket.sendall(b"here")
        assert program.socket.recv(100) == b"here"
        assert set(echo.sources) == {address(4, 2)}
        assert program.socket.getsockname()[0] == address(4, 9)
        program.close()
