"""Former addresses of the device of a tunnel, translated by its data plane."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Thread

import pytest
from support import PATIENCE, SLOW, Namespace, stopped, until
from tunnelled import INNER, INNER6, End, cable

from netalias.runtime import translated
from netalias.runtime.translated import Translated

DATA = random.Random(15).randbytes(1 << 20)
COOKIE = 42
NEW, NEW6 = "10.8.0.5", "fd08::5"
FAMILIES = [(INNER[0], NEW, INNER[1]), (INNER6[0], NEW6, INNER6[1])]


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def packed(address: str) -> bytes:
    return socket.inet_pton(family_of(address), address)


class Stage:
    """A tunnel whose first end has further addresses."""

    def __init__(self, ends: tuple[End, End], folder: Path) -> None:
        self.here, self.there = ends
        self.record = translated.Record(str(folder), COOKIE)

    def translate(self, *pairs: tuple[str, str], deny: bool = False) -> None:
        """Have the first end send from the second address of each pair instead of the first."""
        found = Translated()
        found.deny = deny
        for old, new in pairs:
            found.families[family_of(old)] = packed(new), frozenset([packed(old)])
        devices = {"vif0": found} if pairs or deny else {}
        self.record.write(devices)

    def socket(self, end: End, address: str, kind: int = socket.SOCK_DGRAM) -> socket.socket:
        with end.namespace:
            made = socket.socket(family_of(address), kind)
        made.settimeout(PATIENCE * SLOW)
        made.bind((address, 0))
        return made


@pytest.fixture
def stage(veth: Namespace, tmp_path: Path) -> Iterator[Stage]:
    """The tunnel is up; nothing is translated yet."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    words = ["folder", str(tmp_path), "cookie", str(COOKIE)]
    with ExitStack() as stack:
        ends = End(veth, 0, words=words), End(veth.peer, 1)
        for one in ends:
            stack.callback(one.close)
            one.start()
        for one in ends:
            one.wait()
        veth.ip(f"addr add {NEW}/32 dev vif0")
        veth.ip(f"addr add {NEW6}/128 dev vif0 nodad")
        yield Stage(ends, tmp_path)


def source_of(server: socket.socket, client: socket.socket) -> str:
    """The source of a datagram as the server sees it; the answer comes back to the client.

    Empty if one of them is lost, as they may be while the wish changes.
    """
    question = os.urandom(8)
    for sock in (server, client):
        sock.settimeout(0.5 * SLOW)
    try:
        client.sendto(question, server.getsockname())
        got, peer = b"", ("", 0)
        while got != question:
            got, peer = server.recvfrom(100)
        server.sendto(question, peer)
        while client.recv(100) != question:
            pass
    except TimeoutError:
        return ""
    return str(peer[0])


@pytest.mark.parametrize(("old", "new", "peer"), FAMILIES)
def test_a_bound_socket_goes_on(stage: Stage, old: str, new: str, peer: str) -> None:
    """While the wish comes, changes and goes; the socket has the same address all the time."""
    third = new[:-1] + "6"
    stage.here.namespace.ip(f"addr add {third}/{128 if ':' in third else 32} dev vif0")
    with stage.socket(stage.there, peer) as server, stage.socket(stage.here, old) as client:
        until(lambda: source_of(server, client) == old)
        for wish, seen in (([(old, new)], new), ([(old, third)], third), ([], old)):
            stage.translate(*wish)
            until(lambda seen=seen: source_of(server, client) == seen)
        assert client.getsockname()[0] == old


@pytest.mark.parametrize(("old", "new", "peer"), FAMILIES)
def test_superpackets_are_translated(stage: Stage, old: str, new: str, peer: str) -> None:
    """A connection from a former address, both ways, byte for byte."""
    stage.translate((old, new))
    server = stage.socket(stage.there, peer, socket.SOCK_STREAM)
    client = stage.socket(stage.here, old, socket.SOCK_STREAM)
    probe = stage.socket(stage.there, peer)
    with server, client, probe, stage.socket(stage.here, old) as asks:
        until(lambda: source_of(probe, asks) == new)
        server.listen()
        client.connect(server.getsockname())
        taken, seen = server.accept()
        assert seen[0] == new
        with taken:
            taken.settimeout(PATIENCE * SLOW)
            for sender, receiver in ((client, taken), (taken, client)):
                thread = Thread(target=sender.sendall, args=(DATA,), daemon=True)
                thread.start()
                got = b""
                while len(got) < len(DATA):
                    chunk = receiver.recv(1 << 20)
                    assert chunk
                    got += chunk
                assert got == DATA
    assert stage.here.counted("sent_trains")
    assert stage.here.counted("received_trains")
    for end in (stage.here, stage.there):
        assert "TcpInCsumErrors 0" in " ".join(counted_by_kernel(end))


def counted_by_kernel(end: End) -> list[str]:
    """The errors of checksums that the kernel of a namespace has counted."""
    with end.namespace:
        lines = Path("/proc/thread-self/net/snmp").read_text("ascii").splitlines()
    names, values = (line.split() for line in lines if line.startswith("Tcp:"))
    return ["TcpInCsumErrors", dict(zip(names, values, strict=True))["InCsumErrors"]]


def test_the_next_data_plane_goes_on(stage: Stage) -> None:
    """It finds what is wanted."""
    old, new, peer = FAMILIES[0]
    stage.translate((old, new))
    with stage.socket(stage.there, peer) as server, stage.socket(stage.here, old) as client:
        until(lambda: source_of(server, client) == new)
        stage.here.stop()
        stage.here.start()
        until(lambda: source_of(server, client) == new)


@pytest.mark.parametrize(("old", "new", "peer"), FAMILIES)
def test_what_waits_in_the_device_is_translated(
    stage: Stage, old: str, new: str, peer: str
) -> None:
    """The first packet of a connection, sent before the wish came: it need not be sent again."""
    server = stage.socket(stage.there, peer, socket.SOCK_STREAM)
    client = stage.socket(stage.here, old, socket.SOCK_STREAM)
    with server, client:
        server.listen()
        client.setblocking(False)
        with stopped(stage.here.pid):
            client.connect_ex(server.getsockname())
            stage.translate((old, new))
        taken, seen = server.accept()
        taken.close()
        assert seen[0] == new


def test_nothing_comes_in_unasked(stage: Stage) -> None:
    """What a program here has asked for does."""
    old, _, peer = FAMILIES[0]
    stage.translate(deny=True)
    with stage.socket(stage.there, peer) as server, stage.socket(stage.here, old) as client:

        def denied() -> bool:
            server.sendto(b"unasked", client.getsockname())
            return stage.here.counted("dropped_unasked") > 0

        until(denied)
        until(lambda: source_of(server, client) == old)
