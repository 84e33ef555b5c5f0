"""Packets in a stream of bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.links import framing
from netalias.links.framing import FLAG, LONGEST, Decoder, encode, unescaped

AWKWARD = st.lists(st.sampled_from([b"~", b"}", b"^", b"]", b"\x11", b"\x13", b"1", b"3", b"a"]))
PACKETS = st.lists(st.one_of(st.binary(min_size=1), AWKWARD.map(b"".join).filter(bool)))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The pieces of a stream that is cut at these places."""
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[begin:end] for begin, end in pairwise(ends)]


@given(PACKETS, st.lists(st.integers(0, 9999)), st.booleans())
def test_packets_come_out_whatever_the_pieces(
    packets: list[bytes], places: list[int], controls: bool
) -> None:
    """All of them, in order, and nothing is counted as damaged."""
    decoder = Decoder(controls=controls)
    stream = encode(packets, controls=controls)
    found = [one for piece in cut(stream, places) for one in decoder.feed(piece)]
    assert found == packets
    assert (decoder.rest, decoder.damaged) == (b"", 0)


@given(PACKETS, st.integers(0, 9999))
def test_another_process_goes_on_in_the_midst(packets: list[bytes], place: int) -> None:
    """B-10: what was read in part is read on by whoever has the rest."""
    stream = encode(packets)
    place %= len(stream) + 1
    first = Decoder()
    found = first.feed(stream[:place])
    assert found + Decoder(first.rest).feed(stream[place:]) == packets


@given(st.binary(min_size=1), st.integers(0, 9999), st.integers(1, 255))
def test_damage_costs_one_packet(packet: bytes, place: int, change: int) -> None:
    """A byte that is changed costs the packets that it touches; the next one comes."""
    good = encode([b"after"])
    frame = bytearray(encode([packet]))
    frame[place % len(frame)] ^= change
    decoder = Decoder()
    found = decoder.feed(bytes(frame) + FLAG + good)
    assert found[-1] == b"after"
    assert packet not in found[:-1] or place % len(frame) == len(frame) - 1


@given(st.lists(st.binary()))
def test_any_bytes(pieces: list[bytes]) -> None:
    """Noise is counted, and what is kept of it is bounded."""
    decoder = Decoder()
    for piece in pieces:
        decoder.feed(piece)
        assert len(decoder.rest) <= framing.MOST


def test_a_frame_without_an_end() -> None:
    """It is dropped as soon as no frame can be so long; the next one comes."""
    decoder = Decoder()
    for _ in range(2 * framing.MOST // 1000):
        assert decoder.feed(b"x" * 1000) == []
        assert len(decoder.rest) <= framing.MOST
    assert decoder.feed(b"x" + encode([b"lost", b"found"])) == [b"found"]
    assert decoder.damaged == 1


def test_the_longest_packet() -> None:
    """It passes, even if each of its bytes is escaped; a longer one does not."""
    longest = b"~" * LONGEST
    decoder = Decoder()
    assert decoder.feed(encode([longest])) == [longest]
    assert decoder.feed(encode([longest + b"~"])) == []
    assert decoder.damaged == 1


@pytest.mark.parametrize("frame", [b"}", b"ab}", b"}}", b"a}}b"])
def test_a_frame_that_was_given_up(frame: bytes) -> None:
    """RFC 1662: an escape before a flag ends a frame that is not to be read."""
    assert unescaped(frame) == b"" or frame == b"a}}b"
    decoder = Decoder()
    assert decoder.feed(frame + FLAG) == []
    assert decoder.damaged == 1


def test_any_byte_may_be_escaped() -> None:
    """RFC 1662, 4.2: a peer may escape more than it has to."""
    assert unescaped(bytes([0x7D, 0x41 ^ 0x20, 0x42])) == b"AB"


def test_flow_control_is_no_data() -> None:
    """XON and XOFF are never sent as they are on a terminal, and do not count where they come."""
    sent = encode([b"a\x11b\x13"], controls=True)
    assert not set(b"\x11\x13") & set(sent)
    assert Decoder(controls=True).feed(b"\x13" + sent[:3] + b"\x11" + sent[3:]) == [b"a\x11b\x13"]


def test_the_check_is_that_of_rfc_1662() -> None:
    """FCS-32 over a frame and its check gives 0xdebb20e3 before the complement (appendix C.3)."""
    from zlib import crc32

    frame = unescaped(encode([b"123456789"])[:-1])
    assert frame[-4:] == (0xCBF43926).to_bytes(4, "little")
    assert crc32(frame) ^ 0xFFFFFFFF == 0xDEBB20E3
