"""Descriptors over sockets: what arrives whole is whole, and what does not leaves nothing open."""

from __future__ import annotations

import os
import resource
import socket
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from netalias import errors
from netalias.system import descriptors

Ends = tuple[socket.socket, socket.socket]


def opened() -> set[str]:
    """The descriptors of this process. That of the listing itself is closed again."""
    return {one for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")}


@pytest.fixture(params=["stream", "packets"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Both ends of a connection; nothing but them may be open at the end."""
    before = opened()
    pair = descriptors.pair() if request.param == "stream" else descriptors.packets()
    yield pair  # type: ignore[misc]
    for one in pair:
        one.close()
    assert opened() == before


def test_a_descriptor_arrives(ends: Ends) -> None:
    """It is the same open file, with one offset for both, and no program that is started gets
    it."""
    with open("/etc/passwd", "rb") as file:
        descriptors.send(ends[0], b"here", [file.fileno()])
        with descriptors.receive(ends[1]) as message:
            (mine,) = message.descriptors
            assert message.content == b"here"
            assert os.path.samestat(os.fstat(mine), os.fstat(file.fileno()))
            os.lseek(mine, 7, os.SEEK_SET)
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 7
            assert not os.get_inheritable(mine)


def test_what_is_taken_stays_open(ends: Ends) -> None:
    """And what is not is closed with the message, each once."""
    descriptors.send(ends[0], b"x", [0, 1])
    with descriptors.receive(ends[1]) as message:
        mine = message.take()
    for one in mine:
        os.fstat(one)
    descriptors.close(mine)
    descriptors.close(mine)  # a second time is no error


def test_the_kernel_says_who_it_was(ends: Ends) -> None:
    """Not the sender; a child has its own pid."""
    child = os.fork()
    if not child:
        descriptors.send(ends[0], b"pid 1")
        os._exit(0)
    with descriptors.receive(ends[1]) as message:
        assert message.pid == child
        assert message.uid == os.getuid()
        assert message.trusted
    os.waitpid(child, 0)


def test_who_is_not_told_is_not_trusted() -> None:
    """Without credentials, or with those of another user."""
    assert not descriptors.Message(b"x", []).trusted
    assert not descriptors.Message(b"x", [], 7, os.geteuid() + 1).trusted
    assert not descriptors.Message(b"x", [], 0, os.geteuid()).trusted  # of another pid namespace


def test_as_many_as_the_kernel_takes(ends: Ends) -> None:
    """253 arrive; one more is refused by us, with the number."""
    descriptors.send(ends[0], b"x", [0] * descriptors.MOST)
    with descriptors.receive(ends[1]) as message:
        assert len(message.descriptors) == 253
    with pytest.raises(errors.LimitError, match="254 descriptors"):
        descriptors.send(ends[0], b"x", [0] * 254)


def test_a_process_without_room_takes_nothing(ends: Ends) -> None:
    """The kernel would give some of the descriptors, and only MSG_CTRUNC tells it."""
    descriptors.send(ends[0], b"x", [0] * 20)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    before = opened()
    room = [number for number in range(1000) if str(number) not in before][5]
    resource.setrlimit(resource.RLIMIT_NOFILE, (room, limits[1]))
    try:
        with pytest.raises(errors.StateError, match="has lost descriptors"):
            descriptors.receive(ends[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert opened() == before


def test_a_message_that_is_cut_is_none() -> None:
    """Its descriptors are closed too."""
    before = opened()
    one, other = descriptors.packets()
    with closing(one), closing(other):
        descriptors.send(one, b"long", [0])
        with pytest.raises(errors.StateError, match="has lost bytes"):
            descriptors.receive(other, 3)
    assert opened() == before


def test_the_end_of_the_other_side(ends: Ends) -> None:
    """An empty message; sending raises, and no signal ends the process."""
    ends[0].close()
    with descriptors.receive(ends[1]) as message:
        assert (message.content, message.descriptors) == (b"", [])
    with pytest.raises(OSError):  # noqa: PT011 # EPIPE
        descriptors.send(ends[1], b"x", [0])


def test_a_rendezvous(tmp_path: Path) -> None:
    """Datagrams of whoever may write to the file, which is this user and root."""
    path = str(tmp_path / "rendezvous")
    with (
        closing(descriptors.rendezvous(path)) as server,
        closing(descriptors.connected(path)) as client,
    ):
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o600
        descriptors.send(client, b"x", [0])
        with descriptors.receive(server) as message:
            assert message.trusted
            assert len(message.descriptors) == 1
        with pytest.raises(OSError, match="in use"):
            descriptors.rendezvous(path)
        with pytest.raises(BlockingIOError):
            descriptors.receive(server)
    with pytest.raises(ConnectionRefusedError):
        descriptors.connected(path)
    os.unlink(path)
    with pytest.raises(FileNotFoundError):
        descriptors.connected(path)


def test_what_is_no_socket_is_closed() -> None:
    """Whatever was sent as the channel."""
    before = opened()
    with pytest.raises(OSError):  # noqa: PT011 # ENOTSOCK
        descriptors.adopted(os.open("/", os.O_RDONLY))
    with pytest.raises(OSError, match="not a socket of AF_UNIX"):
        descriptors.adopted(socket.socket(socket.AF_INET).detach())
    one, other = descriptors.pair()
    descriptors.adopted(one.detach()).close()
    other.close()
    assert opened() == before
