"""The messages of filters: those of BNEP, byte by byte, and any bytes at all."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.filters import Filters, Judge, bnep, spec
from netalias.filters.bnep import MOST, Refused, control, filter_message, filtered, messages, ranges

UNICAST = bytes.fromhex("02000a0b0c0d")
GROUP = bytes.fromhex("333300000001")
ALL_GROUPS = (1 << 40, (1 << 48) - 1)

numbers = st.integers(0, 0xFFFF)
type_ranges = st.lists(st.tuples(numbers, numbers).map(sorted).map(tuple), max_size=MOST)
group_numbers = st.integers(0, 0xFFFFFFFFFFFF).map(lambda number: number | 1 << 40)
group_ranges = st.lists(
    st.tuples(group_numbers, group_numbers).map(sorted).map(tuple), max_size=MOST
)


def test_as_the_specification_prints_it() -> None:
    """D-3: IPv4 and ARP; all groups; the two responses; a message that is not understood."""
    assert filter_message(3, [(0x0800, 0x0800), (0x0806, 0x0806)]) == bytes.fromhex(
        "01 03 0008 0800 0800 0806 0806"
    )
    assert filter_message(5, [ALL_GROUPS]) == bytes.fromhex("01 05 000c 010000000000 ffffffffffff")
    assert filter_message(3, []) == bytes.fromhex("01 03 0000")
    assert control(4, 2) == bytes.fromhex("01 04 0002")
    assert control(6, 0) == bytes.fromhex("01 06 0000")
    assert control(0, 9) == bytes.fromhex("01 00 09")


@given(type_ranges, group_ranges)
def test_there_and_back(types: list[tuple[int, int]], groups: list[tuple[int, int]]) -> None:
    """What one end sends the other one reads."""
    for command, wanted in ((spec.SET_TYPES, types), (spec.SET_GROUPS, groups)):
        ((found, content),) = messages(filter_message(command, wanted))
        assert found == command
        assert isinstance(content, bytes)
        assert ranges(command, content) == tuple(wanted)


@pytest.mark.parametrize(
    ("command", "content", "result"),
    [
        (3, "0801 0800", spec.INVALID_RANGE),
        (3, "0800 0800 ffff 0000", spec.INVALID_RANGE),
        (3, "0800 08", spec.INVALID_RANGE),
        (5, "333300000002 333300000001", spec.INVALID_RANGE),
        (5, "020000000001 333300000001", spec.INVALID_RANGE),
        (5, "010000000000 ff", spec.INVALID_RANGE),
        (3, "0800 0800" * (MOST + 1), spec.TOO_MANY),
        (5, "333300000001 333300000001" * (MOST + 1), spec.TOO_MANY),
    ],
)
def test_what_is_refused(command: int, content: str, result: int) -> None:
    """D-3: a range that ends before it starts, an address that is no group, half a range, and more
    ranges than fit have the results of BNEP."""
    with pytest.raises(Refused) as refused:
        ranges(command, bytes.fromhex(content))
    assert refused.value.result == result


def test_messages_in_extension_headers() -> None:
    """D-3: a peer that had to drop the frame around them sends a header of type 0, no payload."""
    header = bytes.fromhex("80 ffffffffffff 02000a0b0c0d 0000")
    first = bytes.fromhex("80 07 03 0004 0800 0800")
    second = bytes.fromhex("00 07 03 0004 86dd 86dd")
    unknown = bytes.fromhex("85 03 aabbcc")
    found = messages(header + first + unknown + second)
    assert found == [(3, bytes.fromhex("08000800")), (3, bytes.fromhex("86dd86dd"))]
    assert messages(bytes.fromhex("81 04 0000") + second) == [
        (4, 0), (3, bytes.fromhex("86dd86dd"))
    ]  # fmt: skip


def packet(kind: int, protocol: int, payload: bytes = b"data", extensions: bytes = b"") -> bytes:
    """A packet of BNEP with all addresses that its type has."""
    destination = GROUP if kind in (spec.GENERAL, spec.DESTINATION_ONLY) else b""
    source = UNICAST if kind in (spec.GENERAL, spec.SOURCE_ONLY) else b""
    head = bytes([kind | (0x80 if extensions else 0)])
    return head + destination + source + protocol.to_bytes(2, "big") + extensions + payload


@pytest.mark.parametrize(
    "kind", [spec.GENERAL, spec.COMPRESSED, spec.SOURCE_ONLY, spec.DESTINATION_ONLY]
)
def test_a_filtered_packet_keeps_its_extension_headers(kind: int) -> None:
    """D-3: it is sent as type 0 without a payload; one without such headers is not sent at all."""
    only_ipv4 = Filters([(0x0800, 0x0800)])
    extensions = bytes.fromhex("80 02 00aa 00 01 bb")
    assert filtered(packet(kind, 0x86DD), only_ipv4) == b""
    assert filtered(packet(kind, 0x86DD, extensions=extensions), only_ipv4) == packet(
        kind, 0, b"", extensions
    )
    whole = packet(kind, 0x0800, extensions=extensions)
    assert filtered(whole, only_ipv4) == whole
    tagged = packet(kind, 0x8100, bytes.fromhex("0007 86dd 60"))
    assert filtered(tagged, only_ipv4) == b""
    assert filtered(tagged, Filters([(0x86DD, 0x86DD)])) == tagged


def test_addresses_that_are_left_out_are_no_groups() -> None:
    """D-3: a compressed packet goes to the peer, so no filter of groups holds it back."""
    nothing = Filters(groups=[ALL_GROUPS[1:] * 2])
    for kind in (spec.COMPRESSED, spec.SOURCE_ONLY):
        assert filtered(packet(kind, 0x86DD), nothing) == packet(kind, 0x86DD)
    for kind in (spec.GENERAL, spec.DESTINATION_ONLY):
        assert filtered(packet(kind, 0x86DD), nothing) == b""
    response = control(4, 0)
    assert filtered(response, nothing) == response


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: b"\x81\x03" + tail))
def test_any_bytes(content: bytes) -> None:
    """No message, or one whose ranges are read or refused."""
    for command, found in messages(content):
        if isinstance(found, bytes) and command in bnep.SETS:
            with suppress(Refused):
                assert len(ranges(command, found)) <= MOST


@pytest.mark.parametrize("first", ["81 03 0000", "82 0800"])
def test_as_many_extension_headers_as_fit(first: str) -> None:
    """A packet that consists of headers is none: it would take seconds to look at them all."""
    last = bytes.fromhex("00 03 03 0000")

    def found(number: int) -> int:
        return len(messages(bytes.fromhex(first) + b"\x85\0" * number + last))

    assert found(0) == found(spec.EXTENSIONS - 1) > 0
    assert found(spec.EXTENSIONS) == found(30_000) == 0


def test_tags_that_never_end() -> None:
    """Behind two tags a frame is judged by what it says there."""
    frame = bytes(12) + bytes.fromhex("8100 0001 88a8 0002 8100 0003 0800")
    assert Judge(Filters([(0x8100, 0x8100)])).passes(frame)
    assert not Judge(Filters([(0x0800, 0x0800)])).passes(frame)
