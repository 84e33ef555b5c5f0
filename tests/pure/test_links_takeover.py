"""A served network device that changes hands: its layout, and parcels that are none."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path
from select import POLLIN
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.links import handover, lcp, spec, takeover
from netalias.links.beside import Beside
from netalias.links.devices import KINDS
from netalias.links.election import Client, elect, rendezvous
from netalias.links.state import COUNTERS, LinkState
from netalias.system import descriptors
from netalias.system.sdnotify import Service
from netalias.tunnels import tun

NUMBERS = st.integers(0, 2**32 - 1)
TEXTS = st.text("abc:/.19é", max_size=9)
TERMS = {"mtu": 1450, "beside": Beside()}
REST = {"filters": Beside().packed(), "bundle": None, "service": []}
SERVICE = Service({"NOTIFY_SOCKET": "/run/a"})
MODES = [1280, 5, 1215, 35387, 15, 15, [bytes([n]) for n in range(19)] + [b"\0"] * 13]


def state(word: str = "h:1/udp", kind: str = "udp") -> LinkState:
    """One with something in every field."""
    found = LinkState(word, kind, "192.0.2.1:1/udp")
    found.peer, found.passive, found.cd, found.magic = ("192.0.2.1", 1), True, "6!", 7
    found.heard, found.mru, found.unread, found.unsent = 8, 1500, b"~a", b"b~"
    found.timers = {"lcp": 2.5, "carrier": 0.5}
    found.phase, found.framed = "closed", False
    found.counters = dict(zip(COUNTERS, range(1, 9), strict=True))
    found.in_samples, found.out_samples = [1, 2, 3], [4, 5, 6]
    return found


def carried(one: LinkState) -> LinkState:
    """The same, after its way through the layout."""
    return takeover.unpacked(spec.DEVICE.parse(body(one)).links[0])


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_comes_as_it_was(kind: str) -> None:
    """B-10 and B-11: of every kind of device, with the program or the modes of the terminal."""
    one = state(kind=kind)
    assert carried(one).plain() == one.plain()
    one.child, one.modes, one.peer = (12, "345"), MODES, ()
    assert carried(one).plain() == one.plain()
    one.modes = [*MODES[:6], [1, 0, *MODES[6][2:]]]  # VMIN and VTIME of a raw one
    assert carried(one).modes == [*MODES[:6], [b"\1", b"\0", *MODES[6][2:]]]


@given(TEXTS, NUMBERS, st.binary(max_size=40), st.lists(NUMBERS, max_size=6))
def test_any_state(text: str, number: int, rest: bytes, samples: list[int]) -> None:
    """B-10: nothing is cut."""
    one = state()
    one.word = one.name = text
    one.magic = one.heard = one.mru = number
    one.unread = one.unsent = rest
    one.in_samples = samples
    assert carried(one).plain() == one.plain()


class Parcel:
    """A parcel that has come, with one new descriptor for each role."""

    def __init__(self, body: bytes, *roles: str, kind: str = "link") -> None:
        self.kind = kind
        self.body = body
        self.roles = [*roles]
        self.given: list[int] = []

    def take(self, role: str) -> int:
        """A descriptor that is not what its role says."""
        self.roles.remove(role)
        self.given.append(os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC))
        return self.given[-1]


def body(*states: LinkState) -> bytes:
    """The body of a parcel."""
    links = list(map(takeover.packed, states))
    found: bytes = spec.DEVICE.build({**REST, "mtu": 1500, "links": links})
    return found


@pytest.mark.parametrize(
    "parcel",
    [
        Parcel(body()),
        Parcel(body(), "tun", "link"),
        Parcel(body(state()), "tun"),
        Parcel(body(state()), "tun", "link", "more"),
        Parcel(body(state(), state()), "tun", "link"),
        Parcel(body(), "tun", kind="watcher"),
        Parcel(body(), "tun"),
        Parcel(body(state()), "tun", "link"),
    ],
    ids=lambda one: f"{one.kind} {' '.join(one.roles)}",
)
def test_a_parcel_that_is_none(parcel: Any) -> None:
    """B-10: a descriptor too many or too few, or one that is no network device: nothing is taken,
    and all that was taken out is closed."""
    with pytest.raises(errors.StateError):
        takeover._received(parcel, lcp.TUN)
    for one in parcel.given:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(one)


@given(st.binary(max_size=200))
def test_any_body(content: bytes) -> None:
    """It is malformed, or a state; never something else."""
    try:
        found = spec.DEVICE.parse(content)
        states = [takeover.unpacked(one) for one in found.links]
    except (spec.FailedLayout, errors.StateError, UnicodeError):
        return
    assert all(one.kind in KINDS for one in states)


def test_an_unknown_kind() -> None:
    """B-11: it is named; one of 0 is malformed."""
    known = {**takeover.packed(state()), "kind": len(KINDS) + 1}
    content = spec.DEVICE.build({**REST, "mtu": 1, "links": [known]})
    with pytest.raises(errors.StateError, match=f"unknown link type {len(KINDS) + 1}"):
        takeover.unpacked(spec.DEVICE.parse(content).links[0])
    with pytest.raises(spec.FailedLayout):
        spec.DEVICE.build({"mtu": 1, "links": [{**known, "kind": 0}]})


@pytest.mark.parametrize("kind", ["tcp", "udp", "exec", "generic", "tty"])
def test_a_link_is_built_by_its_kind(kind: str) -> None:
    """B-10: streams with frames, datagrams without; what was read in part comes first."""
    sort = socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM
    one, other = socket.socketpair(socket.AF_UNIX, sort)
    with other:
        link = takeover.adopted(one.detach(), state(kind=kind))
        assert link.state.framed == (kind != "udp")
        assert link.carrier() is None
        assert link.idle() == (kind == "udp")
        link.close()


def test_the_one_that_gives() -> None:
    """B-6: descriptor 0 is the link, where one is open; the device follows."""
    link, device = SimpleNamespace(fileno=lambda: 5), SimpleNamespace(fileno=lambda: 6)
    session: Any = SimpleNamespace(pack=lambda now: state(), link=link)
    runner: Any = SimpleNamespace(tun=device, packed=lambda now: None, **TERMS)
    parcel = takeover.Giver(None, b"", runner, [session], SERVICE)._parcel(0.0)  # type: ignore[arg-type]
    assert (parcel.descriptors, parcel.roles) == ([5, 6], ["link", "tun"])
    session.pack = lambda now: None
    parcel = takeover.Giver(None, b"", runner, [session], SERVICE)._parcel(0.0)  # type: ignore[arg-type]
    assert (parcel.descriptors, parcel.roles) == ([6], ["tun"])
    head = spec.DEVICE.parse(parcel.body)
    assert not head.links
    assert [(one.name, one.value) for one in head.service] == [(b"NOTIFY_SOCKET", b"/run/a")]


def test_a_device_that_is_not_taken_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that serves it goes on: with superpackets, which a TAP of its own must not have, its
    link would lose all of TCP."""
    requests = []

    def ioctl(fd: int, request: int, argument: object) -> bytes:
        requests.append(request)
        flags = tun.IFF_TAP | tun.IFF_NO_PI | tun.IFF_VNET_HDR
        return struct.pack("16sH22x", b"link0", flags)

    monkeypatch.setattr(tun, "ioctl", ioctl)
    parcel: Any = Parcel(body(), "tun")
    with pytest.raises(errors.StateError, match=r"it carries Ethernet frames \(--tap\)"):
        takeover._received(parcel, lcp.TUN)
    assert requests == [tun.TUNGETIFF]


def test_a_state_that_cannot_be_given_is_kept(tmp_path: Path) -> None:
    """The layout has no room for bytes that are no text: the link goes on, and that is logged."""
    lines: list[str] = []
    session: Any = SimpleNamespace(
        pack=lambda now: state("!cat \udcff", "exec"),
        link=SimpleNamespace(fileno=lambda: 5),
        log=SimpleNamespace(warning=lines.append),
    )
    device = SimpleNamespace(fileno=lambda: 6)
    runner: Any = SimpleNamespace(tun=device, packed=lambda now: None, **TERMS)
    server = takeover.served(str(tmp_path), "link0")
    giver = takeover.Giver(server, b"netalias 1 a", runner, [session], SERVICE)
    through = elect(str(tmp_path), rendezvous("link0"))
    assert isinstance(through, Client)
    near, far = descriptors.packets()
    descriptors.send(through.channel, handover.ASK + b"netalias 1 a\0", [far.fileno()])
    giver.ready(server.fileno(), POLLIN, 0.0)
    assert not giver.given
    assert len(lines) == 1
    for one in (near, far, through, giver):
        one.close()
