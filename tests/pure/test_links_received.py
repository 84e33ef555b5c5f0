"""A link as bytes, and back; what its receiver makes of it."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import pytest
from construct import Bytes, Struct  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from support import until

from netalias import errors
from netalias.links import spec
from netalias.links.received import DATAGRAM, STREAM, Link, Session, read, unique
from netalias.system import descriptors

FIELDS = {
    "tcp": {"inherited": True},
    "udp": {"inherited": False, "pinned": True},
    "tty": {"speed": 115200, "session_owner": 7, "carrier": True},
    "exec": {"pid": 8},
    "link": {"ifindex": 9, "carrier": False},
}
TYPE = sum(part.sizeof() for part in spec.LINK.subcons[:2])
"""The place of the type, behind datalink and name."""


def link(type: str = "udp", name: str = "lte") -> Link:
    found = Link(name, type)
    found.device = FIELDS[type]
    return found


@pytest.mark.parametrize("type", spec.DEVICES)
def test_all_of_it_arrives(type: str) -> None:
    """B-10, B-11: each type of device with its own fields, whatever the link has seen."""
    one = link(type)
    one.state = 9
    one.timers = {"carrier": 2.5, "heartbeat": 0.0}
    one.carrier = (6, True)
    one.octets = (1 << 40, 5)
    one.rings = [(3, [*range(8)]), (0, [0] * 8)]
    one.unread = b"\x7e\xff\x03half a fr"
    two = read(one.packed(), ())
    assert vars(two) == vars(one)


def test_only_timers_that_ran_go_on() -> None:
    """B-10: with the time that was left; one that was stopped stays so."""
    one = link()
    one.timers = {"redial": 12.25}
    assert read(one.packed(), ()).timers == {"redial": 12.25}
    one.timers = {}
    assert read(one.packed(), ()).timers == {}


def test_bytes_that_were_read_come_first() -> None:
    """B-10: the beginning of a frame is with the one process, its rest still in the socket."""
    mine, theirs = descriptors.pair()
    with closing(mine), closing(theirs):
        theirs.sendall(b"beginning and rest")
        one = link("tcp")
        one.unread = mine.recv(9)
        there = read(one.packed(), ())
        assert there.unread + mine.recv(99) == b"beginning and rest"


def test_a_name_that_is_taken() -> None:
    """B-10: it gets the next number, and that is logged."""
    said: list[str] = []
    found = read(link(name="lte").packed(), {"lte", "lte-1"}, said.append)
    assert found.name == "lte-2"
    assert said == ["lte is called lte-2 here"]
    assert read(link(name="dsl").packed(), {"lte"}, said.append).name == "dsl"
    assert len(said) == 1
    assert unique("x", {"x-1"}) == "x"


def test_layers_by_type() -> None:
    """B-10: the receiver builds them again, in the order of the type."""
    assert {type: link(type).layer for type in spec.DEVICES} == {
        "tcp": STREAM, "udp": DATAGRAM, "tty": STREAM, "exec": STREAM, "link": DATAGRAM,
    }  # fmt: skip


def test_an_unknown_type_is_adopted() -> None:
    """B-10: it is logged, and the link is a stream of bytes without anything of its own."""
    one = bytearray(link("tcp").packed())
    assert one[TYPE] == 1
    one[TYPE] = 99
    said: list[str] = []
    found = read(bytes(one), (), said.append)
    assert (found.name, found.type, found.layer, found.device) == ("lte", "", STREAM, {})
    assert said == ["lte: unknown link type 99"]


def test_no_type_is_an_error() -> None:
    """B-11: types are numbered from 1, so a link that was never filled in is none."""
    one = bytearray(link().packed())
    one[TYPE] = 0
    with pytest.raises(errors.StateError, match="the link is malformed"):
        read(bytes(one), ())


def test_every_link_has_one_length() -> None:
    """B-11: it is known without a link, and is that of the largest device for all of them."""
    lengths = {len(link(type).packed()) for type in spec.DEVICES}
    assert lengths == {spec.LINK_SIZE + 4}
    larger = spec.link_layout({**spec.DEVICES, "modem": Struct("name" / Bytes(300))})
    room = max(one.sizeof() for one in spec.DEVICES.values())
    assert larger.sizeof() == spec.LINK_SIZE - room + 300


def test_the_order_is_fixed() -> None:
    """B-11: datalink, name, physical, two rings, device; the receiver takes its true size of the
    last."""
    names = [part.name for part in spec.LINK.subcons]
    assert names == ["datalink", "name", "physical", "rings", "device"]
    one = link("exec").packed()
    room = max(part.sizeof() for part in spec.DEVICES.values())
    at = spec.LINK_SIZE - room
    assert one[at : at + 4] == (8).to_bytes(4, "big")
    assert one[at + 4 : spec.LINK_SIZE] == bytes(room - 4)
    assert read(one, ()).device == {"pid": 8}


@given(st.binary(max_size=2 * spec.LINK_SIZE), st.booleans())
def test_any_bytes_are_a_link_or_an_error(content: bytes, behind: bool) -> None:
    """B-11: cut, too long, or of nobody."""
    try:
        read(link().packed() + content if behind else content, ())
    except errors.StateError:
        pass
    else:
        assert not (behind and content)


def test_cut_at_every_place() -> None:
    """B-11: no part of a link is a link."""
    one = link().packed()
    for end in range(len(one)):
        with pytest.raises(errors.StateError):
            read(one[:end], ())


def test_a_name_is_never_cut() -> None:
    """B-11: it has a fixed place, and one that does not fit is refused."""
    assert read(link(name="x" * 63).packed(), ()).name == "x" * 63
    with pytest.raises(errors.LimitError, match="63 bytes at most"):
        link(name="\N{SNOWMAN}" * 22).packed()


def test_the_parcel_of_a_link() -> None:
    """B-6: the link first, its lock file and whatever belongs to it after."""
    found = link().parcel([5, 6, 7], lock=8)
    assert found.roles == ["link", "lock", "auxiliary 1", "auxiliary 2"]
    assert found.descriptors == [5, 8, 6, 7]
    assert link().parcel([5]).descriptors == [5]


def test_the_owner_of_a_session_stays() -> None:
    """B-9: one that was given a terminal by getty lives on under another name until the receiver
    hangs it up, even if that was before it began to wait."""
    end, begin = os.pipe()
    child = os.fork()
    if not child:
        session = Session()
        os.write(begin, b"x")
        session.stay()
        os._exit(7)
    os.close(begin)
    assert os.read(end, 1) == b"x"
    os.close(end)
    with open(f"/proc/{child}/comm", encoding="ascii") as file:
        until(lambda: file.seek(0) == 0 and file.read() == "session owner\n")
    os.kill(child, signal.SIGHUP)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_one_that_keeps_its_link_stays_nothing() -> None:
    """B-9: a failed hand-over leaves the process as it was: it can be hung up."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    Session().close()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
