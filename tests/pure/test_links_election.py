"""Who serves a name: one process, however many start, and whatever an earlier one has left."""

from __future__ import annotations

import os
import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support import PATIENCE, SLOW

from netalias import errors
from netalias.links import election
from netalias.links.election import Client, Server, elect, rendezvous
from netalias.system import descriptors

NAME = rendezvous("peer", "mac", bytes.fromhex("02005e000001"))
STORMS = int(os.environ.get("NETALIAS_STORMS", "5"))
"""Storms of ten starters; two hundred before a release."""


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder with a short name: that of a socket in it has 107 bytes at most (unix(7))."""
    with TemporaryDirectory() as name:
        yield Path(name)


def listening(folder: Path) -> Server:
    found = elect(str(folder), NAME)
    assert isinstance(found, Server)
    return found


def sending(folder: Path) -> Client:
    found = elect(str(folder), NAME)
    assert isinstance(found, Client)
    return found


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


# The name


def test_a_name_says_whose_bundle_it_is() -> None:
    """B-1: user, class and discriminator, as multilink PPP tells bundles apart."""
    assert NAME == "link-peer-03-02005e000001"
    assert rendezvous("peer") == "link-peer-00-"
    assert rendezvous("peer", "label", b"x" * 20) == f"link-peer-01-{'78' * 20}"


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("null", b"x", "has 0 bytes, not 1"),
        ("ip", b"x" * 6, "has 4 bytes, not 6"),
        ("mac", b"", "has 6 bytes, not 0"),
        ("magic", b"x" * 21, "has 4 to 20 bytes, not 21"),
        ("psn", b"", "has 1 to 15 bytes, not 0"),
        ("other", b"", "one of null, label, ip, mac, magic, psn"),
    ],
)
def test_what_is_no_discriminator_is_refused(kind: str, content: bytes, words: str) -> None:
    """B-1: each of the classes of RFC 1990 has its own length."""
    with pytest.raises(errors.UsageError, match=words):
        rendezvous("peer", kind, content)


def test_no_two_names_share_a_file() -> None:
    """B-1: a long name is not cut, one with a slash leads nowhere else."""
    names = [
        "a" * 300 + "1",
        "a" * 300 + "2",
        "../x",
        "..",
        "",
        "\N{SNOWMAN}",
        "x\udcff",
        "a b",
        "a",
    ]
    found = {rendezvous(name, "magic", b"m" * 20) for name in names}
    assert len(found) == len(names)
    for one in found:
        assert "/" not in one
        assert len(f"{one}.lock".encode()) <= 255


# One server


def test_the_first_serves_and_the_others_send(tmp_path: Path) -> None:
    """B-2: the file is for this user and root alone."""
    before = opened()
    with closing(listening(tmp_path)) as server, closing(sending(tmp_path)) as client:
        assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
        assert server.receive() is None
        descriptors.send(client.channel, b"link", [0])
        message = server.receive()
        assert message is not None
        with message:
            assert (message.content, message.pid) == (b"link", os.getpid())
    assert opened() == before


def test_a_killed_server_is_replaced(tmp_path: Path) -> None:
    """B-2: nobody is behind its file (ECONNREFUSED), and the next one to start serves."""
    child = forked(lambda: listening(tmp_path))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert (tmp_path / NAME).exists()
    listening(tmp_path).close()
    assert not (tmp_path / NAME).exists()


def test_neither_is_an_error(tmp_path: Path) -> None:
    """B-2: something else stands there, or there is no folder; nothing is removed for that."""
    before = opened()
    (tmp_path / NAME).write_text("theirs")
    with pytest.raises(errors.StateError) as caught:
        elect(str(tmp_path / "none"), NAME)
    assert str(caught.value) == f"{tmp_path}/none/{NAME}: No such file or directory"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as other:
        (tmp_path / NAME).unlink()
        other.bind(str(tmp_path / NAME))
        other.listen()
        with pytest.raises(errors.StateError, match="wrong type"):
            elect(str(tmp_path), NAME)
    assert (tmp_path / NAME).exists()
    assert opened() == before


def test_a_long_folder(tmp_path: Path) -> None:
    """The path of a socket has 107 bytes at most, that of a file has not."""
    folder = tmp_path / ("x" * 200)
    folder.mkdir()
    with closing(listening(folder)), closing(sending(folder)):
        pass


def test_a_start_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    """One that was stopped in the middle."""
    lock = election.opened_lock(str(tmp_path), f"{NAME}.lock")
    assert election.locked(lock, "")
    with pytest.raises(errors.StateError, match="another start does not end"):
        elect(str(tmp_path), NAME, patience=0.0)
    os.close(lock)
    listening(tmp_path).close()


def test_the_end_of_a_server(tmp_path: Path) -> None:
    """B-4: it unlinks first, so the next starter serves; what was sent meanwhile is not lost but
    given to whoever ends it."""
    before = opened()
    server, client = listening(tmp_path), sending(tmp_path)
    descriptors.send(client.channel, b"late", [0])
    (message,) = server.close()
    with message:
        assert message.content == b"late"
    assert not server.close()
    with pytest.raises(ConnectionRefusedError):
        descriptors.send(client.channel, b"x")
    client.close()
    listening(tmp_path).close()
    assert opened() == before


def test_an_end_leaves_a_successor_alone(tmp_path: Path) -> None:
    """B-4: another server has bound the name after somebody removed the file."""
    first = listening(tmp_path)
    (tmp_path / NAME).unlink()
    second = listening(tmp_path)
    first.close()
    assert (tmp_path / NAME).exists()
    sending(tmp_path).close()
    second.close()


def test_a_server_that_ends_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B-4: its file stood when the starter tried to bind, and was gone when it connected."""
    first = listening(tmp_path)

    def connected(path: str, real: Callable[[str], object] = descriptors.connected) -> object:
        first.close()
        return real(path)

    monkeypatch.setattr(descriptors, "connected", connected)
    listening(tmp_path).close()


# Many at once


def forked(work: Callable[[], object]) -> int:
    """A child that has done it, and waits."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        kept = work()
        os.write(begin, b"x")
        time.sleep(PATIENCE * SLOW)
        os._exit(kept is None)
    os.close(begin)
    assert os.read(end, 1) == b"x"
    os.close(end)
    return child


def storm(folder: Path, starters: int) -> list[bytes]:
    """So many processes that start at once: a letter for each. All live until the last has
    started."""
    (go, going), (end, begin), (stay, staying) = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(starters):
        child = os.fork()
        if not child:
            try:
                for one in (going, staying, end):
                    os.close(one)
                os.read(go, 1)
                kept = elect(str(folder), NAME, patience=PATIENCE * SLOW)
                os.write(begin, b"S" if isinstance(kept, Server) else b"c")
                os.read(stay, 1)
            except BaseException:
                os.write(begin, b"!")
            os._exit(0)
        children.append(child)
    for one in (go, stay, begin):
        os.close(one)
    os.close(going)
    found = b""
    while len(found) < starters and (letters := os.read(end, starters)):
        found += letters
    os.close(staying)
    os.close(end)
    for child in children:
        os.waitpid(child, 0)
    return sorted(found[at : at + 1] for at in range(len(found)))


@pytest.mark.parametrize("storms", [1, pytest.param(STORMS, marks=pytest.mark.long)])
@pytest.mark.parametrize("left", ["nothing", "a file"])
def test_storm(tmp_path: Path, left: str, storms: int) -> None:
    """B-3: ten that start at once, again and again: one serves, nine send, none fails. The file of
    a server that was killed makes no difference."""
    for number in range(storms):
        folder = tmp_path / str(number)
        folder.mkdir()
        if left == "a file":
            descriptors.rendezvous(str(folder / NAME)).close()
        assert storm(folder, 10) == [b"S"] + [b"c"] * 9


def test_a_gap_after_bind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-3: bind(2) makes the file before the socket; who comes in between waits, and takes it for
    no dead server."""

    def slow(path: str, real: Callable[[str], object] = descriptors.rendezvous) -> object:
        if not os.path.exists(path):
            os.mknod(path, stat.S_IFSOCK | 0o600)
            time.sleep(0.01)
            os.unlink(path)
        return real(path)

    monkeypatch.setattr(descriptors, "rendezvous", slow)
    assert storm(tmp_path, 10) == [b"S"] + [b"c"] * 9


def test_two_takers_of_a_dead_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """B-3: both find a file without a process. The second one looks again, after the first one
    has bound the name, and unlinks nothing."""
    descriptors.rendezvous(str(tmp_path / NAME)).close()

    def slow(path: str, real: Callable[[str], object] = os.unlink) -> None:
        time.sleep(0.01)
        real(path)

    monkeypatch.setattr(os, "unlink", slow)
    assert storm(tmp_path, 10) == [b"S"] + [b"c"] * 9
