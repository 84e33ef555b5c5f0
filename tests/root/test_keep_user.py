"""``iface-alias user``: former addresses of a link of ours, translated by who carries it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import COMMAND, Command
from support import PATIENCE, SLOW, Namespace, Process, stopped, until
from tunnelled import OUTER, cable
from watcher import Watch, watching

from netalias.nat.nftables import Nftables
from netalias.runtime import RuntimeDirectory

FAMILIES = {4: ("10.8.0.{}", 24), 6: ("fd08::{}", 64)}


class Dialled:
    """link0 of ``here``, whose address changes; ``there`` has an echo, and tells the source.
    *process* carries the packets of ``here``."""

    def __init__(self, here: Namespace, there: Namespace, version: int, process: Process) -> None:
        self.here, self.there, self.process = here, there, process
        self.text, self.length = FAMILIES[version]
        self.family = socket.AF_INET if version == 4 else socket.AF_INET6
        there.ip(f"addr add {self.address(100)}/{self.length} dev link0 nodad")
        self.server = self._socket(there, 100)

    def address(self, number: int) -> str:
        """The address with this number."""
        return self.text.format(number)

    def _socket(self, namespace: Namespace, number: int) -> socket.socket:
        with namespace:
            made = socket.socket(self.family, socket.SOCK_DGRAM)
        made.settimeout(0.5 * SLOW)
        made.bind((self.address(number), 0))
        return made

    def negotiate(self, new: int, old: int = 0) -> None:
        """The link gets an address, and loses one, as a dialler does it."""
        device = f"/{self.length} dev link0 nodad"
        self.here.ip(f"addr add {self.address(new)}{device}")
        if old:
            self.here.ip(f"addr del {self.address(old)}/{self.length} dev link0")

    def bound(self, number: int) -> socket.socket:
        """A program that is bound to an address."""
        return self._socket(self.here, number)

    def seen(self, program: socket.socket) -> str:
        """The source that the server sees, if its answer comes back; empty for a loss."""
        question = os.urandom(8)
        try:
            program.sendto(question, self.server.getsockname())
            got, peer = b"", ("", 0)
            while got != question:
                got, peer = self.server.recvfrom(100)
            self.server.sendto(question, peer)
            while program.recv(100) != question:
                pass
        except OSError:
            return ""
        return str(peer[0])


@pytest.fixture(params=[4, 6])
def dialled(cli: Command, peer: Namespace, request: pytest.FixtureRequest) -> Iterator[Dialled]:
    """Both ends of a link run."""
    cable(cli.namespace, peer)
    with ExitStack() as stack:
        processes = []
        for namespace, device in ((cli.namespace, f"{OUTER[1]}:7777/udp"), (peer, "*:7777/udp")):
            process = namespace.start([*COMMAND, "-q", "link", "run", "link0", device])
            processes.append(process)
            stack.callback(process.wait)
            stack.callback(process.kill)
        for namespace in (cli.namespace, peer):
            until(lambda one=namespace: "link0" in one.ip("link show"))
        found = Dialled(cli.namespace, peer, request.param, processes[0])
        stack.callback(found.server.close)
        yield found


@pytest.fixture
def watch(cli: Command, tmp_path: Path) -> Iterator[Watch]:
    """A watcher that keeps the former addresses of link0."""
    file = tmp_path / "netalias.conf"
    file.write_text("link0 iface-alias user keep 600 max 4\n")
    with watching(cli.namespace, tmp_path / "net", str(file)) as found:
        yield found


def test_a_bound_socket_lives_through_three_changes(
    dialled: Dialled, watch: Watch, cli: Command
) -> None:
    """Back to the first address, too; no table of the kernel is needed for it."""
    dialled.negotiate(1)
    with dialled.bound(1) as program:
        until(lambda: dialled.seen(program) == dialled.address(1))
        for new, old in ((2, 1), (3, 2), (1, 3)):
            dialled.negotiate(new, old)
            until(lambda new=new: dialled.seen(program) == dialled.address(new))
        assert program.getsockname()[0] == dialled.address(1)
    with cli.namespace:
        tables = Nftables()
    assert not tables.read()
    tables.close()


def test_another_command_has_the_lock(dialled: Dialled, watch: Watch, cli: Command) -> None:
    """The translation does not wait for it; the copy of the address that went does."""
    dialled.negotiate(1)
    with dialled.bound(1) as program:
        until(lambda: dialled.seen(program) == dialled.address(1))
        dialled.negotiate(2, 1)
        until(lambda: dialled.seen(program) == dialled.address(2))
        watch.says(f"1 former address leaves as {dialled.address(2)}")
        lock = RuntimeDirectory(cli.namespace.inode, PATIENCE * SLOW)
        lock.acquire()
        try:
            dialled.negotiate(3, 2)
            until(lambda: dialled.seen(program) == dialled.address(3))
            assert f"{dialled.address(2)}/" not in cli.namespace.ip("addr show")
        finally:
            lock.release()
        until(lambda: f" {dialled.address(2)}" in cli.namespace.ip("addr show"))


def test_a_connection_that_waits_in_the_device(dialled: Dialled, watch: Watch) -> None:
    """A-12: its first packet was sent before the address changed, and is translated: the peer sees
    the new address, the program has the old one."""
    dialled.negotiate(1)
    with dialled.there:
        server = socket.create_server((dialled.address(100), 0), family=dialled.family)
    server.settimeout(PATIENCE * SLOW)
    with dialled.here:
        client = socket.socket(dialled.family, socket.SOCK_STREAM)
    with server, client:
        client.bind((dialled.address(1), 0))
        client.setblocking(False)
        with stopped(dialled.process.pid):
            client.connect_ex(server.getsockname())
            dialled.negotiate(2, 1)
            watch.says(f"1 former address leaves as {dialled.address(2)}")
        taken, seen = server.accept()
        taken.close()
        assert (seen[0], client.getsockname()[0]) == (dialled.address(2), dialled.address(1))


def test_without_a_link_of_ours_it_is_said(cli: Command, tmp_path: Path) -> None:
    """By the command at once, by the watcher in its log."""
    file = tmp_path / "netalias.conf"
    file.write_text("")
    with watching(cli.namespace, tmp_path / "net", str(file)):
        error = cli.fails(2, "iface", "eth9", "keep", "user")
    assert "eth9 iface-alias user: no tunnel and no link of ours carries its packets" in error
