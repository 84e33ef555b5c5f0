"""Tunnels whose packets do not arrive: ``doctor`` finds each, ``check`` names it with its cause."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Command, Json
from support import SLOW, until
from test_vif import FAR, OWN
from tunnelled import OUTER, cable
from watcher import watching

from netalias.errors import STATUS_DRIFT
from netalias.observed.tunnels import PATIENCE

PORT = 7777
ACCEPTED = PATIENCE * 3 * SLOW
"""Seconds until a silent peer is a fault."""


class Stage:
    """vif0 of ``here``, carried by a watcher once begin() is called; nobody is at the other end."""

    def __init__(self, cli: Command, folder: Path, stack: ExitStack) -> None:
        assert cli.namespace.peer is not None
        self.cli, self.folder, self.stack = cli, folder, stack
        self.here, self.there = cli.namespace, cli.namespace.peer
        self.file = folder / "here"
        cable(self.here, self.there)

    def begin(self, words: str = f"carriage udp:{PORT}") -> None:
        """Watch a line with these words."""
        self.file.write_text(f"vif0 {OWN[4]} to {OUTER[1]} {words}\n")
        self.stack.enter_context(watching(self.here, self.folder / "here.net", str(self.file)))

    def far_end(self, words: str = f"carriage udp:{PORT}") -> None:
        """Watch the other end."""
        file = self.folder / "there"
        file.write_text(f"vif0 {OWN[4][:-1]}9 to {OUTER[0]} {words}\n")
        self.stack.enter_context(watching(self.there, self.folder / "there.net", str(file)))

    def socket(self, there: bool) -> socket.socket:
        """A socket of UDP at one end, on the port of the tunnel."""
        with self.there if there else self.here:
            made = self.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.bind((OUTER[1] if there else "", PORT))
        return made

    def send(self) -> None:
        """A packet from the address of vif0 to a far host."""
        with self.here, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((OWN[4], 0))
            sock.sendto(b"anybody?", (FAR[4], 9))

    def objects(self, *words: str) -> list[Json]:
        """The JSON objects of a command, whatever its exit status is."""
        found: list[Json] = json.loads(self.cli.run("-j", *words).stdout)
        return found

    def findings(self) -> dict[str, tuple[str, str]]:
        """Fault and cause of each finding about tunnels, by its check."""
        found = self.objects("doctor")
        return {one["check"]: (one["text"], one["why"]) for one in found if one["device"] == "vif0"}

    def finds(self, check: str) -> tuple[str, str]:
        """What doctor finds, once that is there."""
        until(lambda: check in self.findings(), seconds=ACCEPTED)
        return self.findings()[check]

    def agree(self, check: str, fault: str, cause: str) -> None:
        """The doctor, check and show tell the same fault and cause."""
        text, why = self.finds(check)
        assert fault in text
        assert cause in why
        told = self.cli.fails(STATUS_DRIFT, "check", str(self.file))
        assert f"{self.file}:1: {text}: " in told
        assert cause in told
        (changed,) = self.objects("check", str(self.file))
        assert changed["change"] == "failing"
        assert (changed["ifname"], changed["place"]) == ("vif0", f"{self.file}:1")
        assert cause in changed["error"]
        (shown,) = self.cli.json("tunnels")
        assert cause in shown["error"]
        assert shown["state"] == ("failed" if check == "tunnel-failed" else "up")

    def well(self) -> None:
        """Nothing is wrong any more."""
        until(lambda: self.cli.run("check", str(self.file)).returncode == 0)
        assert self.findings() == {}
        (shown,) = self.cli.json("tunnels")
        assert "error" not in shown
        assert shown["state"] == "up"


@pytest.fixture
def stage(cli: Command, tmp_path: Path) -> Iterator[Stage]:
    """Nothing is carried yet."""
    with ExitStack() as stack:
        yield Stage(cli, tmp_path, stack)


def key(folder: Path, name: str, first: int) -> Path:
    """A key file."""
    file = folder / name
    file.touch(0o600)
    file.write_bytes(b64encode(bytes(range(first, first + 32))) + b"\n")
    return file


@pytest.mark.early
def test_nobody_answers(stage: Stage) -> None:
    """Somebody has the port, and says nothing; then the other end begins, and all is well."""
    with stage.socket(there=True):
        stage.begin()
        stage.agree("tunnel-unanswered", f"{OUTER[1]} is silent", f"drops udp port {PORT}")
    stage.far_end()
    stage.well()


def test_nothing_listens(stage: Stage) -> None:
    """The network says it before the patience with a silent peer ends."""
    stage.begin()
    stage.agree("tunnel-refused", "refuses what is sent", "nothing that listens there for UDP")
    stage.far_end()
    stage.well()


@pytest.mark.long
def test_another_peer_is_not_told_what_the_one_before_was(stage: Stage) -> None:
    """The network has refused what was sent to the one; the other is silent."""
    stage.begin()
    stage.finds("tunnel-refused")
    with stage.there:
        silent = stage.stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent.bind((OUTER[1], PORT + 1))
    stage.file.write_text(stage.file.read_text().replace(f"udp:{PORT}", f"udp:{PORT + 1}"))
    until(lambda: "tunnel-refused" not in stage.findings())
    stage.agree("tunnel-unanswered", f"{OUTER[1]} is silent", f"drops udp port {PORT + 1}")


def test_a_protocol_that_the_peer_does_not_know(stage: Stage) -> None:
    """By the first packet, since such a carriage asks for nothing."""
    stage.begin("carriage ipip94")
    assert stage.findings() == {}
    stage.send()
    stage.agree("tunnel-refused", "refuses what is sent", "does not understand protocol 94")


def test_a_peer_with_another_key(stage: Stage) -> None:
    """Both ends find it. No word of a key is told."""
    stage.begin(f"carriage udp:{PORT} key {key(stage.folder, 'a.key', 0)}")
    stage.far_end(f"carriage udp:{PORT} key {key(stage.folder, 'b.key', 1)}")
    stage.agree("tunnel-key", "its peer has another key", "a.key has made none of them")


@pytest.mark.long
def test_no_handshake(stage: Stage) -> None:
    """A peer that answers nothing may be one with another key as well."""
    stage.socket(there=True)
    stage.begin(f"carriage udp:{PORT} key {key(stage.folder, 'a.key', 0)}")
    stage.agree("tunnel-unanswered", f"{OUTER[1]} is silent", "or it has another key")


def test_a_port_that_is_taken(stage: Stage) -> None:
    """The remedy finds whose it is; the watcher goes on by itself once it is free."""
    with stage.socket(there=False):
        stage.begin()
        stage.agree("tunnel-failed", "not carried as its line says", f"sport = :{PORT}")
    stage.far_end()
    stage.well()


def test_an_mtu_that_the_path_does_not_take(stage: Stage) -> None:
    """1500 bytes and the headers of UDP over a cable of 1500."""
    stage.begin(f"carriage udp:{PORT} mtu 1500")
    stage.far_end()
    stage.agree("tunnel-mtu", "mtu 1500 is too large", "takes packets of 1472 bytes")


def test_packets_that_leave_and_none_that_come(stage: Stage) -> None:
    """A carriage that cannot ask: that may be intended, so it is a hint, and no matter of check."""
    with stage.there:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, 94)
    with sock:
        stage.begin("carriage ipip94")
        stage.send()
        text, why = stage.finds("tunnel-unanswered")
    assert "has sent nothing yet" in text
    assert "1 packets have left by ipip94" in why
    assert stage.cli.run("check", str(stage.file)).returncode == 0
