"""The program of filters, run by a machine for classic BPF that knows nothing of how it is made."""

from __future__ import annotations

import struct
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from netalias.filters import Filters, Judge, merged
from netalias.filters.bnep import MOST
from netalias.filters.program import BPF_MAXINSNS, program

WIDTHS = {0x20: 4, 0x28: 2, 0x30: 1}


def run(code: bytes, frame: bytes) -> int:
    """What sk_filter() keeps of a frame: the machine of linux/filter.h, of which a load beyond the
    end drops the frame. It checks what the kernel does: every jump stays within the program."""
    steps = list(struct.iter_unpack("=HBBI", code))
    register = at = 0
    for _ in range(len(steps)):
        operation, true, false, operand = steps[at]
        at += 1
        if operation in WIDTHS:
            part = frame[operand : operand + WIDTHS[operation]]
            if len(part) < WIDTHS[operation]:
                return 0
            register = int.from_bytes(part, "big")
        elif operation == 0x06:
            return operand
        elif operation == 0x05:
            at += operand
        else:
            holds = {
                0x15: register == operand,
                0x25: register > operand,
                0x35: register >= operand,
                0x45: bool(register & operand),
            }[operation]
            at += true if holds else false
        assert at < len(steps)
    raise AssertionError("it does not end")


# Values near each other, so that the limits of ranges are met.
kinds = st.sampled_from([0, 0x5DC, 0x5DD, 0x0800, 0x0801, 0x0806, 0x8100, 0x88A8, 0x86DD, 0xFFFF])
kinds |= st.integers(0x07FE, 0x0808)
macs = st.integers(0, 0xFFFFFFFFFFFF) | st.tuples(
    st.sampled_from([0, 0x0100, 0x3333, 0x3334, 0xFFFF]),
    st.sampled_from([0, 1, 2, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]),
).map(lambda parts: parts[0] << 32 | parts[1])
tags = st.lists(st.sampled_from([0x8100, 0x88A8]), max_size=3)


def between(numbers: st.SearchStrategy[int]) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Some ranges, each with its first number first."""
    pair = st.tuples(numbers, numbers).map(lambda two: (min(two), max(two)))
    return st.lists(pair, max_size=8)


def framed(destination: int, kind: int, tagged: list[int], payload: bytes) -> bytes:
    """A frame with tags."""
    head = destination.to_bytes(6, "big") + bytes(6)
    return (
        head
        + b"".join(struct.pack(">HH", one, 7) for one in tagged)
        + struct.pack(">H", kind)
        + payload
    )


def wanted(filters: Filters, destination: int, kind: int) -> bool:
    """The rule of BNEP in words of its own."""
    of_type = not filters.types or any(low <= kind <= high for low, high in filters.types)
    is_group = bool(destination >> 40 & 1)
    in_groups = any(low <= destination <= high for low, high in filters.groups)
    return of_type and (not is_group or not filters.groups or in_groups)


@given(between(kinds), between(macs), st.lists(st.tuples(macs, kinds, tags), max_size=10))
def test_the_program_is_the_rule(
    types: list[tuple[int, int]],
    groups: list[tuple[int, int]],
    frames: list[tuple[int, int, list[int]]],
) -> None:
    """D-3: a frame passes whole that is within the ranges of both lists, by the type behind its
    tags; unicast passes those of groups; an empty list is no filter. The process judges as the
    kernel."""
    filters = Filters(types, groups)
    code, judge = program(filters), Judge(filters)
    for destination, kind, tagged in frames:
        frame = framed(destination, kind, tagged, bytes(50))
        inner = [*tagged, kind][:3][-1]
        if len(tagged) < 2 and kind in (0x8100, 0x88A8):
            inner = 0  # what is behind a tag that has no type of its own: the payload
            frame = framed(destination, kind, tagged, bytes(50))
        expected = wanted(filters, destination, inner)
        assert judge.passes(frame) == expected
        assert (run(code, frame) == 0xFFFFFFFF) == expected if code else expected


@given(between(kinds), st.binary(min_size=14, max_size=24))
def test_frames_that_end_early(types: list[tuple[int, int]], frame: bytes) -> None:
    """A frame whose type is not in it is dropped where types are filtered, by both alike."""
    filters = Filters(types)
    code = program(filters)
    assert Judge(filters).passes(frame) == (not code or run(code, frame) > 0)


def test_as_many_ranges_as_are_taken_fit_into_the_kernel() -> None:
    """MOST ranges of both lists that have nothing to do with each other."""
    types = [(number * 3, number * 3 + 1) for number in range(MOST)]
    groups = [((1 << 40) + number * 3, (1 << 40) + number * 3 + 1) for number in range(MOST)]
    code = program(Filters(types, groups))
    assert len(code) // 8 <= BPF_MAXINSNS
    assert run(code, framed(groups[-1][1], types[-1][1], [], b""))
    assert not run(code, framed(groups[-1][1] + 1, types[-1][1], [], b""))
    assert not run(code, framed(groups[-1][1], types[-1][1] + 1, [], b""))


@given(between(st.integers(0, 40)))
def test_ranges_are_merged(ranges: list[tuple[int, int]]) -> None:
    """The same numbers, in ascending ranges that do not touch."""
    found = merged(ranges)
    numbers = {one for low, high in ranges for one in range(low, high + 1)}
    assert {one for low, high in found for one in range(low, high + 1)} == numbers
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))


def test_nothing_to_filter_needs_no_program() -> None:
    """D-3: an empty list is no filter."""
    assert program(Filters()) == b""
    assert not Filters()
