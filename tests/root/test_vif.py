"""Tunnels by ``netalias watch``: real devices, real data planes, a relay at the other end."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from command import Command
from support import PATIENCE, SLOW, until
from tunnelled import OUTER, cable
from watcher import Watch, watching

OWN = {4: "198.51.100.7", 6: "2001:db8:7::7"}
FAR = {4: "192.0.2.1", 6: "2001:db8:1::1"}
MTU_DISCOVER = 10
"""linux/in.h: IP_MTU_DISCOVER."""
DATA = random.Random(16).randbytes(1 << 20)


class Vif:
    """vif0 of ``here``, whose relay is the namespace ``there``; FAR are hosts behind it."""

    def __init__(
        self, cli: Command, folder: Path, version: int = 4, carriage: str = "udp:7777"
    ) -> None:
        assert cli.namespace.peer is not None
        self.here, self.there = cli.namespace, cli.namespace.peer
        self.version = version
        self.folder = folder
        cable(self.here, self.there)
        self.there.ip(f"addr add {FAR[version]} dev lo")
        self.own = OWN[version]
        self.lines = [
            self.file("here", f"vif0 {self.own} to {OUTER[1]} carriage {carriage}"),
            self.file("there", f"vif0 {self.other} to passive carriage {carriage}"),
        ]

    @property
    def other(self) -> str:
        """The address of the other end's device."""
        return self.own[:-1] + "9"

    def file(self, name: str, text: str) -> Path:
        """A file of declarations."""
        path = self.folder / name
        path.write_text(f"{text}\n")
        return path

    def watch(self, stack: ExitStack) -> tuple[Watch, Watch]:
        """A watcher at each end."""
        ends = []
        for place, file in zip((self.here, self.there), self.lines, strict=True):
            texts = self.folder / f"{file.name}.net"
            ends.append(stack.enter_context(watching(place, texts, str(file))))
        self.routed()
        return ends[0], ends[1]

    def routed(self) -> None:
        """The relay owns the address: it sends to it through the tunnel."""
        words = f"-{self.version} route replace {self.own} dev vif0 src {FAR[self.version]}"
        until(lambda: not self.there.run(["ip", *words.split()], check=False).returncode)

    def indexes(self) -> list[str]:
        """The index of vif0 at both ends, empty where it is not there."""
        ends = self.here, self.there
        return [one.ip("-o link show vif0", check=False).partition(":")[0] for one in ends]

    def reached(self) -> tuple[socket.socket, socket.socket] | None:
        """The same once the far host is reached, None before."""
        try:
            return self.connected()
        except OSError:
            return None

    def connected(self) -> tuple[socket.socket, socket.socket]:
        """A TCP connection from the address to the far host."""
        family = socket.AF_INET if self.version == 4 else socket.AF_INET6
        with self.there:
            server = socket.create_server((FAR[self.version], 0), family=family)
        with self.here:
            client = socket.socket(family)
        with server:
            client.bind((self.own, 0))
            client.settimeout(PATIENCE * SLOW)
            try:
                client.connect(server.getsockname())
            except OSError:
                client.close()
                raise
            far, _ = server.accept()
            far.settimeout(PATIENCE * SLOW)
        return client, far


def words_of(pid: int) -> list[bytes]:
    """The command line of a process."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def planes_of(watch: Watch) -> list[int]:
    """The data planes of a watcher."""
    found = Command(watch.namespace).json("tunnels")
    return [one["plane"] for one in found if one["plane"] and words_of(one["plane"])]


def spares_of(watch: Watch) -> list[int]:
    """The processes of a watcher that wait to be a data plane."""
    path = Path(f"/proc/{watch.process.pid}/task/{watch.process.pid}/children")
    found = {*map(int, path.read_text().split())} - {*planes_of(watch)}
    return [pid for pid in found if b"netalias.tunnels.spare" in words_of(pid)]


@pytest.fixture(params=[4, 6])
def vif(cli: Command, tmp_path: Path, request: pytest.FixtureRequest) -> Vif:
    """An address of each family, over IPv4."""
    return Vif(cli, tmp_path, request.param)


@pytest.fixture
def vif4(cli: Command, tmp_path: Path) -> Vif:
    """The same for IPv4 only."""
    return Vif(cli, tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as found:
        yield found


def echo(far: socket.socket) -> None:
    """Send back what comes."""
    with far:
        while data := far.recv(1 << 16):
            far.sendall(data)


def taken(peer: socket.socket, count: int) -> bytearray:
    """The next *count* bytes, or those up to the end of the connection."""
    found = bytearray()
    while len(found) < count and (data := peer.recv(1 << 16)):
        found += data
    return found


def test_a_connection_from_the_address(vif: Vif, stack: ExitStack) -> None:
    """Both ways through the tunnel; the far host sees the address itself. C-4: main has no route
    that leads into the tunnel."""
    vif.watch(stack)
    client, far = vif.connected()
    assert far.getpeername()[0] == vif.own
    Thread(target=echo, args=[far], daemon=True).start()
    with client:
        Thread(target=client.sendall, args=[DATA], daemon=True).start()
        assert taken(client, len(DATA)) == DATA
    assert "vif0" not in vif.here.ip(f"-{vif.version} route show table main")


def test_the_end_leaves_nothing(vif: Vif, stack: ExitStack) -> None:
    """Neither device nor rule, nor a process."""
    watch, _ = vif.watch(stack)
    (pid,) = planes_of(watch)
    assert "from" in vif.here.ip(f"-{vif.version} rule show pref 32700")
    assert watch.end() == 0
    until(lambda: "vif0" not in vif.here.names())
    until(lambda: not words_of(pid))
    assert vif.here.ip(f"-{vif.version} rule show pref 32700") == ""


def test_flows_go_on_after_kill_of_the_data_plane(vif4: Vif, stack: ExitStack) -> None:
    """At either end; the device stays, and so does the port."""
    ends = vif4.watch(stack)
    client, far = vif4.connected()
    Thread(target=echo, args=[far], daemon=True).start()
    with client:
        for number in range(4):
            watch = ends[number % 2]
            (pid,) = planes_of(watch)
            os.kill(pid, signal.SIGKILL)
            watch.says("the data plane has ended; another one goes on")
            client.sendall(DATA[: 1 << 16])
            assert taken(client, 1 << 16) == DATA[: 1 << 16]
            (again,) = planes_of(watch)
            assert again != pid


def test_the_next_data_plane_waits_already(vif4: Vif, stack: ExitStack) -> None:
    """With everything loaded: it becomes the data plane, and another one waits. Nothing that was in
    the queue of the device meanwhile is lost, nor comes twice or in another order."""
    watch, _ = vif4.watch(stack)
    with vif4.here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        client = stack.enter_context(socket.socket(fileno=made.detach()))
    with vif4.there:
        far = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    far.bind((FAR[4], 0))
    far.settimeout(PATIENCE * SLOW)
    client.bind((vif4.own, 0))
    client.connect(far.getsockname())
    client.send(b"before")
    assert far.recv(16) == b"before"
    (pid,) = planes_of(watch)
    (spare,) = until(lambda: spares_of(watch))
    watch.process.send_signal(signal.SIGSTOP)  # so that nobody follows yet
    os.kill(pid, signal.SIGKILL)
    until(lambda: not words_of(pid))
    sent = [b"%d" % number for number in range(100)]  # a socket holds some 270
    for one in sent:
        client.send(one)
    watch.process.send_signal(signal.SIGCONT)
    assert [far.recv(16) for _ in sent] == sent
    assert planes_of(watch) == [spare]
    assert until(lambda: spares_of(watch)) != [spare]


def test_a_spare_that_was_killed_is_no_loss(vif4: Vif, stack: ExitStack) -> None:
    """The data plane begins from nothing then. None waits where no tunnel is left."""
    watch, _ = vif4.watch(stack)
    (pid,) = planes_of(watch)
    (spare,) = until(lambda: spares_of(watch))
    os.kill(spare, signal.SIGKILL)
    until(lambda: not words_of(spare))
    os.kill(pid, signal.SIGKILL)
    until(lambda: planes_of(watch) not in ([], [pid], [spare]))
    client, far = vif4.connected()
    with client, far:
        client.sendall(b"up")
        assert far.recv(2) == b"up"
    (spare,) = until(lambda: spares_of(watch))
    vif4.lines[0].write_text("")
    until(lambda: not words_of(spare))


def test_a_killed_watcher_takes_the_data_plane_with_it(vif4: Vif, stack: ExitStack) -> None:
    """So that the next one finds neither its device nor its port in use; its rule is still good."""
    watch, _ = vif4.watch(stack)
    (pid,) = planes_of(watch)
    watch.process.kill()
    watch.process.wait()
    until(lambda: not words_of(pid))
    until(lambda: "vif0" not in vif4.here.names())
    stack.enter_context(watching(vif4.here, vif4.folder / "again.net", str(vif4.lines[0])))
    client, far = vif4.connected()
    with client, far:
        client.sendall(b"up")
        assert far.recv(2) == b"up"
    assert vif4.here.ip("rule show pref 32700").count("from") == 1


def test_a_line_that_changes(vif4: Vif, stack: ExitStack) -> None:
    """Another port, at both ends, with the same devices; then no line at all."""
    ends = vif4.watch(stack)
    before = vif4.indexes()
    for watch, file in zip(ends, vif4.lines, strict=True):
        file.write_text(file.read_text().replace("7777", "7778"))
        watch.says("vif0: carriage changed: the device stays")
    assert vif4.indexes() == before
    client, far = until(vif4.reached)  # the first end was refused by the other for a moment
    with client, far:
        client.sendall(b"up")
        assert far.recv(2) == b"up"
    for watch, file in zip(ends, vif4.lines, strict=True):
        file.write_text("")
        watch.says("read again")
    for place in (vif4.here, vif4.there):
        until(lambda place=place: "vif0" not in place.names())  # type: ignore[misc]


@pytest.mark.parametrize("carriage", ["ipip94", "ipip"])
def test_the_carriage_of_history(
    cli: Command, tmp_path: Path, stack: ExitStack, carriage: str
) -> None:
    """C-2, C-3: protocol 94, or 4; a packet of the whole MTU of 1536 bytes passes over a cable of
    1500, both ways, since the kernel fragments the outer one."""
    vif = Vif(cli, tmp_path, carriage=carriage)
    vif.watch(stack)
    assert "mtu 1536 " in vif.here.ip("link show vif0")
    with vif.here:
        here = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    with vif.there:
        there = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    for one, address in ((here, vif.own), (there, FAR[4])):
        one.setsockopt(socket.IPPROTO_IP, MTU_DISCOVER, 0)  # without DF
        one.bind((address, 0))
        one.settimeout(PATIENCE * SLOW)
    whole = DATA[: 1536 - 28]
    here.sendto(whole, there.getsockname())
    assert there.recvfrom(2048) == (whole, here.getsockname())
    there.sendto(whole, here.getsockname())
    assert here.recvfrom(2048) == (whole, there.getsockname())
