"""A line, or a key, that changes while a tunnel is carried: what need not begin anew stays."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

import pytest
from command import Command
from support import PATIENCE, SLOW, until
from test_tunnel_keyed import written
from test_vif import FAR, OWN, Vif, echo, planes_of
from tunnelled import OUTER, OUTER6
from watcher import Watch

KEY = bytes(range(32))
NEXT = bytes(range(1, 33))


class Stage(Vif):
    """Two watchers, and a connection through the tunnel."""

    def begin(self, stack: ExitStack) -> None:
        """Watch at both ends, and connect."""
        self.watches = self.watch(stack)
        self.client, far = self.connected()
        stack.enter_context(closing(self.client))
        Thread(target=echo, args=[far], daemon=True).start()
        self.lives()
        self.device = self.indexes()[0]
        (self.plane,) = planes_of(self.watches[0])

    def lives(self) -> None:
        """The connection goes on: a byte makes its way, and back."""
        self.client.settimeout(PATIENCE * SLOW)
        self.client.sendall(b"?")
        assert self.client.recv(1) == b"?"

    def rewrite(self, old: str, new: str, end: int = 0) -> None:
        """Another line at one end, which is read."""
        file = self.lines[end]
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def goes_on(self, said: str) -> None:
        """It is told, and the connection and the device stay; the process is another one."""
        here: Watch = self.watches[0]
        here.says(said)
        until(lambda: planes_of(here) not in ([], [self.plane]))
        (self.plane,) = planes_of(here)
        assert self.indexes()[0] == self.device
        self.lives()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is closed at the end."""
    with ExitStack() as found:
        yield found


@pytest.fixture
def stage(cli: Command, tmp_path: Path, stack: ExitStack) -> Stage:
    """A tunnel that carries a connection."""
    made = Stage(cli, tmp_path)
    made.begin(stack)
    return made


def test_another_mtu(stage: Stage) -> None:
    """The device gets it, the process has it for the MSS that it clamps."""
    stage.rewrite("udp:7777", "udp:7777 mtu 1300")
    stage.goes_on("vif0: mtu changed: device and socket stay, and so do connections")
    until(lambda: "mtu 1300 " in stage.here.ip("link show vif0"))
    (shown,) = stage_json(stage)
    assert (shown["mtu"], shown["state"]) == (1300, "up")


def stage_json(stage: Stage) -> list[dict[str, object]]:
    """What is shown of the tunnels here."""
    return [dict(one) for one in Command(stage.here).json("tunnels")]


def test_another_peer_and_port(stage: Stage) -> None:
    """The socket is another one. Each end changes for itself, and in between nothing is lost that
    TCP does not send again."""
    for end in (1, 0):
        stage.rewrite("7777", "7778", end)
    stage.goes_on("vif0: carriage changed: the device stays, and so do connections")
    stage.rewrite("to passive", f"to {OUTER6[0]}", 1)
    stage.rewrite(f"to {OUTER[1]}", f"to {OUTER6[1]}")
    stage.goes_on("vif0: to changed: the device stays")


def test_another_address(stage: Stage) -> None:
    """The device stays, with the other address alone, the rule for it and the route; a connection
    from the other one goes through it."""
    stage.rewrite(f"{OWN[4]} ", "198.51.100.17/24 ")
    stage.watches[0].says("vif0: address changed: device and socket stay")
    until(lambda: "198.51.100.17/24" in stage.here.ip("addr show vif0"))
    until(lambda: planes_of(stage.watches[0]) not in ([], [stage.plane]))
    assert OWN[4] not in stage.here.ip("addr show vif0")
    until(lambda: stage.here.ip("rule show pref 32700").count("from") == 1)
    assert "from 198.51.100.17" in stage.here.ip("rule show pref 32700")
    assert stage.indexes()[0] == stage.device
    stage.there.ip(f"route replace 198.51.100.17 dev vif0 src {FAR[4]}")
    stage.own = "198.51.100.17"
    client, far = stage.connected()
    with client, far:
        client.sendall(b"up")
        assert far.recv(2) == b"up"


def test_another_family_begins_anew(stage: Stage) -> None:
    """IPv6 was switched off on the device of an address of IPv4."""
    stage.rewrite(OWN[4], OWN[6])
    stage.watches[0].says("vif0: begins anew with another address")
    until(lambda: OWN[6] in stage.here.ip("addr show vif0", check=False))
    assert stage.indexes()[0] != stage.device


def test_another_key(cli: Command, tmp_path: Path, stack: ExitStack) -> None:
    """First in the file, at both ends; then by another file. One that others may read, or that
    holds no key, is told of, and changes nothing."""
    stage = Stage(cli, tmp_path)
    files = [Path(written(tmp_path / name, KEY)) for name in ("here.key", "there.key")]
    for end, file in enumerate(files):
        stage.rewrite("udp:7777", f"udp:7777 key {file}", end)
    stage.begin(stack)
    for file in files:
        new = Path(written(tmp_path / "new.key", NEXT))
        os.rename(new, file)
    stage.goes_on("vif0: its key file changed: device and socket stay, and so do connections")
    files[0].write_text("none\n")
    assert "the former key stays in use" in stage.watches[0].says("no key of 32 bytes")
    stage.lives()
    files[0].chmod(0o644)
    assert "the former key stays in use" in stage.watches[0].says("others may read it")
    other = written(tmp_path / "other.key", NEXT)
    stage.rewrite(str(files[0]), other)
    stage.goes_on("vif0: key changed: device and socket stay, and so do connections")


def test_a_key_that_comes_and_goes(cli: Command, tmp_path: Path, stack: ExitStack) -> None:
    """The socket is of another kind then."""
    stage = Stage(cli, tmp_path)
    stage.begin(stack)
    key = written(tmp_path / "vif0.key", KEY)
    for old, new in (("udp:7777", f"udp:7777 key {key}"), (f" key {key}", "")):
        for end in (1, 0):
            stage.rewrite(old, new, end)
        stage.goes_on("the device stays, and so do connections")


def test_a_port_that_is_taken(stage: Stage) -> None:
    """The device waits for it with its connections."""
    with stage.here:
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with taken:
        taken.bind(("", 7778))
        for end in (1, 0):
            stage.rewrite("7777", "7778", end)
        stage.watches[0].says("udp port 7778: Address already in use")
        assert stage.indexes()[0] == stage.device
    stage.goes_on("all is well again")
