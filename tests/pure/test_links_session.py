"""The life of a link: its phases, its peer, and what is done when it is lost."""

from __future__ import annotations

from select import POLLIN

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linked import End, MemoryLink, Wire, pair, served
from scapy.layers.ppp import PPP, PPP_LCP_Configure, PPP_LCP_Echo

from netalias.links import carrier, lcp, phases, protocols
from netalias.links.session import Terms

IP = protocols.framed(b"\x45" + bytes(20), tap=False)
ALL = [
    "closed -> opening", "opening -> dial", "dial -> carrier", "carrier -> login",
    "login -> ready", "ready -> lcp", "lcp -> open",
]  # fmt: skip
END = ["open -> logout", "logout -> hangup", "hangup -> closed"]


def ends(content: int = lcp.TUN, other: int = lcp.TUN) -> tuple[End, End]:
    """Two, with numbers of their own."""
    return End("host:1", content=content, magic=7), End("host:2", content=other, magic=8)


def opened_ends() -> tuple[End, End, MemoryLink, MemoryLink]:
    """Two whose link is open."""
    ours, its = ends()
    one, two = pair(ours, its)
    served((ours, its), 0.0)
    assert ours.session.open
    assert its.session.open
    return ours, its, one, two


def test_the_phases_in_their_order() -> None:
    """B-15: each change is logged, and the carrier comes after dial and before login; then packets
    pass, both ways."""
    ours, its, one, _ = opened_ends()
    assert ours.phases == its.phases == ALL
    assert ours.session.send([IP, IP]) == 2
    its.serve(1.0)
    assert its.delivered == [IP, IP]
    ours.session.close(1.0)
    its.serve(1.0)
    assert ours.phases[7:] == END
    assert its.phases[7:] == ["the peer has ended the link", *END]
    assert one.closed
    assert ours.session.due(9.0) is None


def test_nothing_passes_before() -> None:
    """Neither out nor in: what comes too early is counted."""
    ours, its = ends()
    one, _ = pair(ours, its)
    ours.serve(0.0)
    assert ours.session.send([IP]) == 0
    one.wire.to[0].append(IP)
    ours.serve(0.0)
    assert ours.delivered == []
    assert one.state.counters["in_dropped"] == 1


def test_the_carrier_is_awaited() -> None:
    """B-15 and B-16: required, and not there: the link is given up, and tried again later."""
    ours = End("link:eth0")
    link = MemoryLink(Wire(), 0, "link")
    link.level = False
    ours.links["link:eth0"] = lambda: link
    for now in range(6):
        ours.serve(float(now))
    assert ours.session.phase == phases.CARRIER
    ours.serve(6.0)
    assert ours.lines[-3:] == [
        "warning: l0: Required CD not detected",
        "phase: l0: carrier -> hangup",
        "phase: l0: hangup -> closed",
    ]
    assert ours.session.due(6.0) == 1.0
    link.level = True
    served([ours], 7.0)
    assert ours.session.phase == phases.LCP
    assert link.state.counters["opened"] == 2


def test_the_carrier_is_lost() -> None:
    """B-17: the link goes down at once."""
    ours, its = End("link:eth0", magic=7), End("link:eth1", magic=8)
    one, two = pair(ours, its, "link")
    one.level = two.level = True
    served((ours, its), 0.0)
    assert ours.session.open
    one.level = False
    ours.serve(1.0)
    assert ours.lines[-4] == "warning: l0: Carrier lost"
    assert ours.phases[-3:] == END
    assert "debug: l0: Carrier detected" in ours.lines


def test_a_terminal_without_a_carrier_goes_on() -> None:
    """B-16: not required and none within a second: it is said, and the link goes on."""
    ours = End("/dev/ttyS1")
    link = MemoryLink(Wire(), 0, "tty")
    link.level = False
    ours.links["/dev/ttyS1"] = lambda: link
    ours.serve(0.0)
    assert ours.session.phase == phases.CARRIER
    ours.serve(1.0)
    assert ours.session.phase == phases.LCP
    assert "warning: l0: doesn't support CD" in ours.lines


def test_terms_that_a_socket_does_not_grant() -> None:
    """B-14: tcp forces async framing, and neither tcp nor udp has a carrier: both are said."""
    ours = End("host:1")
    link = MemoryLink(Wire(), 0)
    link.state.framed = True
    ours.links["host:1"] = lambda: link
    ours.session.terms = Terms(cd=carrier.parse("3!"), sync=True)
    ours.serve(0.0)
    assert [one for one in ours.lines if one.startswith("warning")] == [
        "warning: l0: tcp carries a stream: async framing is used",
        "warning: l0: Carrier settings ignored",
    ]
    assert ours.session.phase == phases.LCP


def test_devices_are_tried_in_order() -> None:
    """B-12: until one opens; after the last there is a pause, which grows; the same words are said
    once."""
    ours = End("a:1", "b:1", "c:1")
    for now in (0.0, 0.5, 1.0, 2.0, 3.0):
        served([ours], now)
    assert "".join(word[0] for word in ours.tried) == "abc" * 3
    assert sum(one.startswith("warning") for one in ours.lines) == 3
    ours.links["b:1"] = lambda: MemoryLink(Wire(), 0)
    served([ours], 7.0)
    assert "".join(word[0] for word in ours.tried) == "abc" * 3 + "ab"
    assert ours.session.phase == phases.LCP


def test_nobody_answers_the_call() -> None:
    """It is given up, and the next device is tried."""
    ours = End("a:1", "b:1")
    ours.links["a:1"] = lambda: None
    ours.links["b:1"] = lambda: MemoryLink(Wire(), 0)
    ours.session.tick(0.0)
    assert ours.session.phase == phases.DIAL
    assert ours.session.due(0.0) == 10.0
    served([ours], 10.0)
    assert ours.session.phase == phases.LCP
    assert "warning: l0: a:1: no answer within 10 s" in ours.lines


def test_lost_messages() -> None:
    """Both ask again, until both have acknowledged."""
    ours, its = ends()
    one, _ = pair(ours, its)
    one.wire.cut = True
    served((ours, its), 0.0)
    one.wire.cut = False
    assert ours.session.phase == phases.LCP
    served((ours, its), 1.0)
    assert ours.session.open
    assert its.session.open


def test_a_peer_that_does_not_answer() -> None:
    """The link is given up after ten times, and opened again."""
    ours, its = ends()
    one, _ = pair(ours, its)
    one.wire.cut = True
    for now in range(11):
        ours.serve(float(now))
    assert "warning: l0: the peer does not answer" in ours.lines
    assert one.closed


def test_a_peer_that_falls_silent() -> None:
    """It is asked for a sign of life, and given up after ten seconds; then the first device is
    tried again."""
    ours, its, one, _ = opened_ends()
    for now in range(1, 60):
        served((ours, its), float(now))
    assert ours.session.open
    assert not one.state.counters["in_dropped"]
    one.wire.cut = True
    for now in range(60, 75):
        served((ours, its), float(now))
    assert "warning: l0: nothing was heard of the peer for 10 s" in ours.lines
    assert not ours.session.open
    one.wire.cut = False
    for now in range(75, 90):
        served((ours, its), float(now))
    assert ours.session.open
    assert its.session.open


def test_a_peer_that_begins_anew() -> None:
    """Another number: both negotiate again, without opening the device again."""
    ours, _, one, two = opened_ends()
    new = End("host:2", magic=9)
    one.wire.to[0].clear()
    one.wire.to[1].clear()
    new.links["host:2"] = lambda: two
    served((ours, new), 1.0)
    assert ours.session.open
    assert new.session.open
    assert ours.phases[7:] == ["open -> lcp", "lcp -> open"]
    assert one.state.counters["opened"] == 1


def test_an_end_that_hears_itself() -> None:
    """A loop is told by the number."""
    ours, its = End("host:1", magic=7), End("host:2", magic=7)
    pair(ours, its)
    served((ours, its), 0.0)
    assert "warning: l0: the link is looped back: this end hears itself" in ours.lines
    assert not ours.session.open


def test_ends_that_do_not_match() -> None:
    """Each says what the other one sends."""
    ours, its = ends(lcp.TUN, lcp.TAP)
    pair(ours, its)
    served((ours, its), 0.0)
    said = "warning: l0: the peer sends {}, and this end {}"
    both = ("Ethernet frames (--tap)", "IP packets")
    assert said.format(*both) in ours.lines
    assert said.format(*reversed(both)) in its.lines


def test_a_peer_that_is_said_to_be_gone() -> None:
    """Its host says that nobody listens: it is asked at once, and lost a second later if it says
    nothing. One that lives answers, so a message that somebody made up ends nothing."""
    ours, its, one, _ = opened_ends()
    for now in (1.0, 1.5, 4.0):
        one.refused = True
        ours.session.ready(one.fileno(), POLLIN, now)
        assert ours.session.due(now) == 0
        ours.serve(now)
        assert lcp.parse(one.wire.to[1][-1]).code == lcp.ECHO_REQUEST  # type: ignore[union-attr]
        served((ours, its), now + 0.25)
        assert ours.session.due(now + 0.75) != 0
        served((ours, its), now + 1.5)
    assert ours.session.open
    one.refused = True
    ours.session.ready(one.fileno(), POLLIN, 6.0)
    ours.serve(6.0)
    ours.serve(6.9)
    assert ours.session.open
    ours.serve(7.0)
    assert not ours.session.open
    assert f"warning: l0: {lcp.DOUBTED}" in ours.lines


def test_another_process_goes_on_with_the_link() -> None:
    """B-10: timers that run go on, and the peer notices nothing."""
    ours, its, one, _ = opened_ends()
    served((ours, its), 1.0)
    state = ours.session.pack(1.0)
    assert state is not None
    assert state.timers == {"lcp": 2.0}
    heir = End("host:1", magic=99)
    heir.session.adopt(one, 1.5)
    assert heir.session.open
    for now in range(2, 40):
        served((heir, its), float(now))
    heir.session.send([IP])
    its.serve(40.0)
    assert its.delivered == [IP]
    assert its.phases == ALL


@given(st.lists(st.binary(max_size=40)), st.booleans())
def test_any_packets(packets: list[bytes], within: bool) -> None:
    """Nothing that a peer sends raises; what is no message is not answered."""
    ours, _, one, _ = opened_ends()
    one.wire.to[1].clear()
    one.wire.to[0].extend(protocols.LCP.to_bytes(2, "big") * within + one for one in packets)
    ours.serve(0.5)
    assert len(one.wire.to[1]) <= len(packets) + 2


def test_messages_are_those_of_rfc_1661() -> None:
    """scapy reads the same in them."""
    asked = PPP(lcp.Control(0x01020304, lcp.TUN, 1500, 0.0).tick(0.0)[0])
    message = asked[PPP_LCP_Configure]
    assert (message.code, message.len) == (1, 17)
    values = [getattr(one, "max_recv_unit", getattr(one, "magic_number", None))
              for one in message.options]  # fmt: skip
    assert values[:2] == [1500, 0x01020304]
    control = lcp.Control(5, lcp.TUN, 1500, 0.0)
    control.resume(6, 1500, 0.0)
    echo = PPP(control.tick(3.0)[0])[PPP_LCP_Echo]
    assert (echo.code, echo.magic_number) == (9, 5)


def test_the_protocol_field_is_taken_off_once() -> None:
    """B-19: whatever follows it, even what looks like another one."""
    inner = protocols.MULTILINK.to_bytes(2, "big") + b"x"
    frame = protocols.framed(inner, tap=True)
    assert protocols.protocol(frame) == protocols.BRIDGED
    assert protocols.unframed(frame, tap=True) == inner
    v6 = protocols.framed(b"\x60abc", tap=False)
    assert (v6, protocols.unframed(v6, tap=False)) == (b"\x00\x57\x60abc", b"\x60abc")
    assert protocols.framed(b"\x10abc", tap=False) == protocols.framed(b"", tap=False) == b""
    for packet in (b"", b"\x00", b"\x00\x21", b"\x00\x21\x60", b"\x00\x57\x45", inner):
        assert protocols.unframed(packet, tap=False) == b""


def test_only_steps_that_are_drawn() -> None:
    """B-15: no phase follows but those in the table."""
    with pytest.raises(AssertionError):
        phases.changed(phases.CLOSED, phases.OPEN)
    assert set(phases.FOLLOWING) == set(phases.PHASES)
