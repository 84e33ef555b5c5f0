"""The filter that a conflict check puts on its port, run by a small machine for classic BPF."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import packets
from netalias.packets.bpf import RANGES, about

MAC = bytes.fromhex("02000a0b0c0d")
LOADS = {0x30: 1, 0x28: 2, 0x20: 4}
TESTS: dict[int, Callable[[int, int], bool]] = {
    0x15: int.__eq__, 0x25: int.__gt__, 0x35: int.__ge__,
}  # fmt: skip
ANCILLARY = 0xFFFFF000

addresses = st.integers(0, 0xFFFFFFFF).map(lambda number: number.to_bytes(4, "big"))
near = st.integers(0, 600).map(lambda number: (0x0A000000 + number).to_bytes(4, "big"))


def passes(program: bytes, frame: bytes) -> bool:
    """What the kernel does with it: an untagged frame that comes in (linux/filter.h)."""
    code = [
        (int.from_bytes(program[at : at + 2], "little"), *program[at + 2 : at + 4],
         int.from_bytes(program[at + 4 : at + 8], "little"))
        for at in range(0, len(program), 8)
    ]  # fmt: skip
    register = place = 0
    while True:
        operation, true, false, operand = code[place]
        place += 1
        if operation == 0x06:
            return bool(operand)
        if operation == 0x54:
            register &= operand
        elif operation in LOADS:
            size = LOADS[operation]
            found = frame[operand : operand + size]
            assert operand >= ANCILLARY or len(found) == size
            register = int.from_bytes(found, "big") if operand < ANCILLARY else 0
        else:
            place += true if TESTS[operation](register, operand) else false


@given(st.sets(near | addresses, max_size=150), near | addresses)
def test_what_is_asked_for_passes(asked: set[bytes], other: bytes) -> None:
    """All of it; and nothing else, unless there are more runs of addresses than fit."""
    program = about(asked)
    for address in [*asked, other]:
        for frame in (packets.arp_request(MAC, address), packets.arp_probe(MAC, address)):
            if address in asked or len(asked) <= RANGES:
                assert passes(program, frame) == (address in asked), (address, frame)


@given(st.sets(near, min_size=1, max_size=50))
def test_what_somebody_else_asks_for_does_not_pass(asked: set[bytes]) -> None:
    """A question of one who has an address, and other protocols."""
    program = about(asked)
    for address in asked:
        question = packets.arp_request(MAC, bytes([192, 0, 2, 1]))[:38] + address
        assert not passes(program, question)
    assert not passes(program, packets.advertisement(MAC, bytes(16)))


@pytest.mark.long
def test_thousands_of_runs_become_a_hundred() -> None:
    """The widest gaps stay shut, the narrow ones are open."""
    asked = [(number * 3).to_bytes(4, "big") for number in range(1000, 9000)]
    far = [(1 << 30).to_bytes(4, "big"), (3 << 30).to_bytes(4, "big")]
    program = about([*asked, *far])
    assert len(program) // 8 < 256
    assert all(passes(program, packets.arp_reply(MAC, address)) for address in [*asked, *far])
    assert passes(program, packets.arp_reply(MAC, (26_000).to_bytes(4, "big")))
    assert not passes(program, packets.arp_reply(MAC, (2 << 30).to_bytes(4, "big")))
