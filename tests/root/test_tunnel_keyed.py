"""A tunnel with a key between two namespaces: real devices, real datagrams, real processes."""

from __future__ import annotations

import os
import random
import signal
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import Namespace
from tunnelled import INNER, INNER6, OUTER, End, cable, transfer, wait_for

from netalias import errors
from netalias.desired.tasks import read
from netalias.desired.tunnels import Tunnel
from netalias.engine import Engine, Setup
from netalias.engine import tunnels as engine
from netalias.kernel.memory import Memory
from netalias.tunnels import plane

DATA = random.Random(16).randbytes(1 << 20)
KEY = bytes(range(32))
PORT = 7777


@pytest.fixture
def pair(veth: Namespace) -> tuple[Namespace, Namespace]:
    """Two namespaces with addresses on one cable."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    return veth, veth.peer


@pytest.fixture
def key(tmp_path: Path) -> str:
    """A key file."""
    return written(tmp_path / "vif0.key", KEY)


def written(file: Path, key: bytes) -> str:
    """A file with this key."""
    file.touch(0o600)
    file.write_bytes(b64encode(key) + b"\n")
    return str(file)


def keyed(namespace: Namespace, number: int, key: str, known: bool = True) -> End:
    """One end, which knows its peer or waits for it. Its socket has no connection."""
    peer = OUTER[1 - number] if known else "passive"
    return End(namespace, number, passive=True, words=["key", key, "to", peer])


@pytest.fixture
def ends(pair: tuple[Namespace, Namespace], key: str) -> Iterator[tuple[End, End]]:
    """A tunnel that is up; the second end has learned its peer."""
    with ExitStack() as stack:
        made = keyed(pair[0], 0, key), keyed(pair[1], 1, key, known=False)
        for one in made:
            stack.callback(one.close)
            one.start()
        for one in made:
            one.wait()
        yield made


@pytest.mark.parametrize("address", [INNER[1], INNER6[1]])
def test_sealed_superpackets_are_trains(ends: tuple[End, End], address: str) -> None:
    """One TCP flow of each family: most of it goes in trains, and comes in trains."""
    here, there = ends
    assert transfer(here.namespace, there.namespace, address, DATA)
    sent = here.counted("sent_trains")
    assert sent > 10
    assert here.counted("sent_bytes") > 2000 * sent
    assert there.counted("received_trains") > sent // 2


def test_nothing_of_a_packet_can_be_read_on_the_cable(
    ends: tuple[End, End], pair: tuple[Namespace, Namespace]
) -> None:
    """What is captured has neither the bytes that were sent nor the addresses inside."""
    here, there = pair
    word = b"the quick brown fox" * 100
    with there:
        tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        tap.bind(("p9", 0))
        tap.setblocking(False)
    with tap:
        assert transfer(here, there, INNER[1], word)
        seen = b"".join(captured(tap))
    assert OUTER_BYTES in seen
    assert b"quick brown" not in seen
    assert INNER_BYTES not in seen


OUTER_BYTES = socket.inet_aton(OUTER[0]) + socket.inet_aton(OUTER[1])
INNER_BYTES = socket.inet_aton(INNER[0]) + socket.inet_aton(INNER[1])


def captured(tap: socket.socket) -> Iterator[bytes]:
    """The frames that a packet socket has."""
    try:
        while True:
            yield tap.recv(1 << 17)
    except BlockingIOError:
        pass


def test_another_key_carries_nothing(
    pair: tuple[Namespace, Namespace], key: str, tmp_path: Path
) -> None:
    """Neither end believes the other one, and both count it."""
    other = written(tmp_path / "other.key", bytes(reversed(KEY)))
    with ExitStack() as stack:
        ends = keyed(pair[0], 0, key), keyed(pair[1], 1, other)
        for one in ends:
            stack.callback(one.close)
            one.start()
        for one in ends:
            wait_for(one, "dropped_forged", 2)
            assert one.counted("agreed") == 0
            assert one.counted("received_packets") == 0


def test_a_datagram_without_a_key_is_nothing(ends: tuple[End, End]) -> None:
    """Neither a packet, nor what a peer without a key would say."""
    here, there = ends
    with here.namespace:
        outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    before = there.counted("received_packets")
    with outside:
        outside.connect((OUTER[1], PORT))
        packet = b"\x45" + bytes(7) + b"\x40\x11" + bytes(2) + INNER_BYTES + bytes(20)
        for _ in range(20):
            outside.send(packet)
            outside.send(b"\x91\x01" + bytes(22))
            outside.send(b"\xe3" + bytes(100))
            outside.send(b"\xe1" + bytes(56))
    wait_for(there, "dropped_malformed", 40)
    wait_for(there, "dropped_stranger", 20)
    wait_for(there, "dropped_forged", 20)
    assert there.counted("received_packets") == before
    assert transfer(here.namespace, there.namespace, INNER[1], DATA)


@pytest.mark.parametrize("which", [0, 1])
def test_a_data_plane_that_is_killed_agrees_on_new_keys(ends: tuple[End, End], which: int) -> None:
    """Also the one that had only learned where its peer is: it is in no file."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, INNER[1], DATA)
    assert ends[which].stop(signal.SIGKILL) == signal.SIGKILL
    ends[which].start()
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER[0], DATA)


def test_the_peer_may_change_its_address(ends: tuple[End, End]) -> None:
    """The other end follows, and can send there at once."""
    here, there = (one.namespace for one in ends)
    assert transfer(here, there, INNER[1], DATA)
    before = ends[1].counted("received_packets")
    here.ip(f"addr del {OUTER[0]}/24 dev eth9")
    here.ip("addr add 10.9.0.77/24 dev eth9")
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER[0], DATA)
    assert ends[1].counted("received_packets") > before


def test_lines_with_a_key_make_a_tunnel(pair: tuple[Namespace, Namespace], key: str) -> None:
    """As a watcher makes it: sockets without a connection, an MTU with room for the seal."""
    lines = (
        f"vif0 {INNER[0]}/24 to {OUTER[1]} carriage udp:{PORT} key {key}",
        f"vif0 {INNER[1]}/24 to passive carriage udp:{PORT} key {key}",
    )
    with ExitStack() as stack:
        for namespace, line, address in zip(pair, lines, INNER, strict=True):
            task = read(line.split())
            assert isinstance(task, Tunnel)
            with namespace:
                held = engine.hold(Engine(Setup(Memory(), claims=False)), task)
                mtu = engine.mtu_of(task, held.carriage)
            stack.callback(held.close)
            assert mtu == (1500 - 28 - 29 - 8 if "passive" not in line else 1500 - 48 - 29 - 8)
            namespace.ip(f"link set vif0 mtu {mtu} up")
            namespace.ip(f"addr add {address}/24 dev vif0")
            words = engine.words_of(task, mtu)
            with namespace:
                pid = plane.spawn(held.device, held.carriage, held.count, words)
            stack.callback(ended, pid)
        assert transfer(*pair, INNER[1], DATA)
        assert transfer(*pair[::-1], INNER[0], DATA)


def ended(pid: int) -> None:
    """End a data plane."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_key_that_cannot_be_used_is_told_before_anything_is_made(
    key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that others can read, and no library."""
    task = read(f"vif0 {INNER[0]} to {OUTER[1]} carriage udp key {key}".split())
    assert isinstance(task, Tunnel)
    kernel = Engine(Setup(Memory(), claims=False))
    os.chmod(key, 0o640)
    with pytest.raises(errors.StateError, match="others may read it"):
        engine.hold(kernel, task)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.StateError) as told:
        engine.hold(kernel, task)
    assert told.value.line() == (
        "the library cryptography is needed for key FILE"
        " (apt-get install python3-cryptography, or pip install 'netalias[key]')"
    )


def test_no_word_of_the_key_is_in_the_command_line(ends: tuple[End, End], key: str) -> None:
    """The path of its file is; the environment has not even that."""
    text = b64encode(KEY)
    for end in ends:
        command = Path(f"/proc/{end.pid}/cmdline").read_bytes()
        assert key.encode() in command
        assert text not in command
        assert text not in Path(f"/proc/{end.pid}/environ").read_bytes()


def test_a_key_file_that_others_can_read_ends_the_data_plane(
    pair: tuple[Namespace, Namespace], key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """With one sentence, without the key."""
    os.chmod(key, 0o644)
    end = keyed(pair[0], 0, key)
    try:
        end.start()
        _, status = os.waitpid(end.pid, 0)
        end.pid = 0
    finally:
        end.close()
    assert os.waitstatus_to_exitcode(status) != 0
    told = capfd.readouterr().err
    assert (
        told == f"netalias: {key}: others may read it, so its key is no secret (chmod 600 {key})\n"
    )
