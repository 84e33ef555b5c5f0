"""Filters in the loop of a link, without a device of the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EINVAL, ENOMEM, EPERM
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linked import End, pair, served
from test_links_runner import Stage

from netalias.filters import Filters, bnep, serving, spec
from netalias.filters.program import program
from netalias.filters.serving import Filtering, Held
from netalias.links import lcp
from netalias.links import spec as layouts
from netalias.links.protocols import framed, of_vendor, vendor
from netalias.tunnels.tun import PLAIN

IPV4 = bnep.filter_message(spec.SET_TYPES, [(0x0800, 0x0800)])
FRAMES = {kind: bytes(12) + kind.to_bytes(2, "big") + bytes(46) for kind in (0x0800, 0x86DD)}


class Served:
    """A runner over a stage, one end of a link with its filters, and the other end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, held: Held | None = None) -> None:
        self.attached: list[bytes] = []
        self.error = 0
        self.counter = 5
        monkeypatch.setattr(serving.device, "attach", self._attach)
        monkeypatch.setattr(serving.device, "dropped", lambda name: self.counter)
        self.stage = Stage(tap=True)
        self.runner = self.stage.runner
        self.ours, self.its = (End("h:1", content=lcp.TAP, magic=magic) for magic in (7, 8))
        self.session = self.ours.session
        self.session._deliver = self.runner.deliver
        self.runner._session = self.session
        self.links = pair(self.ours, self.its)
        served((self.ours, self.its), 0.0)
        assert self.session.open
        self.filtering = Filtering(self.runner, self.session, held=held)

    def _attach(self, fileno: int, code: bytes) -> None:
        if self.error:
            raise OSError(self.error, os.strerror(self.error))
        self.attached.append(code)

    def receive(self, content: bytes, magic: int = 8) -> bool:
        """Take a message of the peer; whether it was taken."""
        return self.filtering.receive(vendor(magic, content))

    def answers(self) -> list[bytes]:
        """The messages that the peer gets."""
        served((self.its,), 0.0)
        found = [of_vendor(packet) for packet in self.its.delivered]
        self.its.delivered.clear()
        assert {number for number, _ in found} <= {7}
        return [content for _, content in found]

    def passing(self, *kinds: int) -> list[bytes]:
        """Those of frames that were in the queue of the device that are sent."""
        self.stage.reads += [PLAIN + FRAMES[kind] for kind in kinds]
        self.runner.pump(self.stage.session)
        sent = list(self.stage.sent)
        self.stage.sent.clear()
        return sent


@pytest.fixture
def link(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A link that is open."""
    found = Served(monkeypatch)
    yield found
    found.stage.close()


def test_a_filter_of_the_peer(link: Served) -> None:
    """D-3: it becomes a program of the kernel, and frames that were queued before are dropped when
    they are read; both are counted, and an empty list ends it."""
    assert len(link.passing(0x86DD, 0x0800)) == 2
    assert link.receive(IPV4)
    assert link.answers() == [bnep.control(spec.TYPES_RESPONSE, spec.SUCCESS)]
    assert link.attached == [program(Filters([(0x0800, 0x0800)]))]
    assert link.passing(0x86DD, 0x0800, 0x86DD) == [framed(FRAMES[0x0800], tap=True)]
    words = link.filtering.words()
    assert (words["filter_types"], words["filtered"], words["dropped_before"]) == (
        "0x0800",
        "2",
        "5",
    )
    assert link.receive(bnep.filter_message(spec.SET_TYPES, []))
    assert link.attached[-1] == b""
    assert len(link.passing(0x86DD, 0x0800)) == 2


@pytest.mark.parametrize(
    ("error", "result"),
    [(EINVAL, spec.TOO_MANY), (ENOMEM, spec.TOO_MANY), (EPERM, spec.UNSUPPORTED)],
)
def test_what_the_kernel_refuses(link: Served, error: int, result: int) -> None:
    """D-3: the peer is told, a line of the log too, and what was in force stays."""
    assert link.receive(IPV4)
    link.answers()
    link.error = error
    assert link.receive(bnep.filter_message(spec.SET_TYPES, [(1, 2), (5, 6)]))
    assert link.answers() == [bnep.control(spec.TYPES_RESPONSE, result)]
    assert link.filtering.words()["filter_types"] == "0x0800"
    assert link.receive(bnep.filter_message(spec.SET_TYPES, [(1, 2), (5, 7)]))
    told = [line for line in link.ours.lines if "the filter of the peer is refused" in line]
    assert len(told) == 1
    assert len(link.passing(0x86DD)) == 0


def test_another_peer_begins_without(link: Served) -> None:
    """D-3: a link that is lost takes the filter along, and the next peer is told what this end
    wants; so it is where the same link comes to another process within one turn of the loop."""
    filtering = link.filtering
    filtering.wanted_now = Filters([(0x0800, 0x0800)])
    assert link.receive(IPV4)
    link.answers()
    assert link.session.state is not None
    link.session.state.heard = 9  # the peer has begun anew
    assert filtering.due(0.0) == 0
    filtering.tick(0.0)
    assert link.attached[-1] == b""
    assert not filtering.exchange.theirs
    assert link.answers() == [IPV4]
    link.links[0]._end("lost")
    link.session._check(0.0)
    assert filtering.due(0.0) == 0
    filtering.tick(0.0)
    assert filtering.due(0.0) is None


def test_another_process_goes_on(monkeypatch: pytest.MonkeyPatch, link: Served) -> None:
    """D-3: the filters and counters go through the layout of a hand-over, and stand at once."""
    groups = ((1 << 40, 3 << 40), ((1 << 48) - 1, (1 << 48) - 1))
    assert link.receive(IPV4)
    assert link.receive(bnep.filter_message(spec.SET_GROUPS, groups))
    link.passing(0x86DD)
    packed = layouts.FILTERS.build(link.filtering.packed())
    heir = Served(monkeypatch, serving.unpacked(layouts.FILTERS.parse(packed)))
    assert heir.filtering.exchange.theirs == Filters([(0x0800, 0x0800)], groups)
    assert heir.attached == [program(heir.filtering.exchange.theirs)]
    heir.counter = 99
    words, before = heir.filtering.words(), link.filtering.words()
    names = ("filter_types", "filter_groups", "filtered", "dropped_before")
    assert [words[name] for name in names] == [before[name] for name in names]
    assert len(heir.passing(0x86DD, 0x0800)) == 1
    heir.stage.close()


def test_a_process_that_does_not_ask_takes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """D-3: without --filter it would not follow the addresses, so the peer is told to send all."""
    link = Served(monkeypatch, Held(told=True))
    link.filtering.tick(link.filtering.exchange._asked[spec.SET_TYPES]._next or 0.0)
    assert link.answers() == [bnep.filter_message(command, []) for command in bnep.SETS]
    assert link.filtering.packed()["told"]
    for response in bnep.RESPONSES:
        assert link.receive(bnep.control(response, spec.SUCCESS))
    assert not link.filtering.packed()["told"]
    assert link.filtering.due(0.0) is None
    link.stage.close()


def test_packets_that_are_none(link: Served) -> None:
    """Of another vendor, of this end itself on a looped link, and cut ones: dropped and counted by
    the runner, and nothing is answered."""
    whole = vendor(8, IPV4)
    state = link.session.state
    assert state is not None
    packets = [
        whole[:6] + b"\0\0\1" + whole[9:], vendor(7, IPV4), whole[:10], whole[:5], b"", b"\x40\x5b"
    ]  # fmt: skip
    before = state.counters["in_dropped"]
    link.runner.deliver(packets)
    assert state.counters["in_dropped"] - before == len(packets)
    link.runner.deliver([whole, framed(FRAMES[0x0800], tap=True)])
    assert state.counters["in_dropped"] - before == len(packets)
    assert link.answers() == [bnep.control(spec.TYPES_RESPONSE, spec.SUCCESS)]
    assert link.stage.written() == [PLAIN + FRAMES[0x0800]]


@given(st.lists(st.binary(max_size=60) | st.binary(max_size=40).map(lambda tail: b"\1\3" + tail)))
def test_any_bytes(contents: list[bytes]) -> None:
    """Whatever comes from the peer, the link goes on, and each packet is taken or counted."""
    with pytest.MonkeyPatch.context() as patch:
        link = Served(patch)
        state: Any = link.session.state
        before = state.counters["in_dropped"]
        link.runner.deliver([vendor(8, one) for one in contents])
        assert state.counters["in_dropped"] - before == contents.count(b"")
        assert link.session.open
        link.stage.close()
