"""Filters as a program of classic BPF (linux/filter.h) for the frames that a TAP is about to hand
over. Pure.

A tag that the kernel holds beside a frame is not in its data: the type there is the inner one
already. Every range has its own few instructions, so that no jump is longer than a byte can tell.
"""

from __future__ import annotations

from _struct import Struct

from netalias.filters import TAGS, TAGS_MOST, TYPE, merged

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.filters import Filters, Range

    Code = list[tuple[int, int, int, int]]
    """Operation, instructions to skip when it holds and when not, operand."""

BPF_MAXINSNS = 4096
"""linux/bpf_common.h: the longest program that the kernel takes, in instructions."""
INSTRUCTION = Struct("=HBBI")
"""struct sock_filter."""
# BPF_LD | BPF_ABS with BPF_W, BPF_H, BPF_B; BPF_JMP with BPF_JA, BPF_JEQ, BPF_JGT, BPF_JGE,
# BPF_JSET; BPF_RET, all with BPF_K.
WORD, HALF, BYTE = 0x20, 0x28, 0x30
ALWAYS, EQUAL, GREATER, AT_LEAST, HAS = 0x05, 0x15, 0x25, 0x35, 0x45
RETURN = 0x06
WHOLE = 0xFFFFFFFF
"""The octets that are kept of a frame that passes; 0 drops it."""
_NEXT = -1
"""A jump behind the instructions of a range, before their number is known."""


def program(filters: Filters) -> bytes:
    """The program as an array of struct sock_filter; empty for filters that let everything pass. It
    may be longer than the kernel takes: BPF_MAXINSNS instructions of eight octets."""
    code: Code = []
    if filters.types:
        code += _inner_type()
        for first, last in merged(filters.types):
            code += [(AT_LEAST, 0, 2, first), (GREATER, 1, 0, last), (ALWAYS, 0, 0, _NEXT)]
        code.append((RETURN, 0, 0, 0))
        code = _joined(code)
    if filters.groups:
        groups: Code = [(BYTE, 0, 0, 0), (HAS, 1, 0, 1), (ALWAYS, 0, 0, _NEXT)]
        for one in merged(filters.groups):
            groups += _group(one)
        groups.append((RETURN, 0, 0, 0))
        code += _joined(groups)
    if code:
        code.append((RETURN, 0, 0, WHOLE))
    return b"".join(INSTRUCTION.pack(*one) for one in code)


def _inner_type() -> Code:
    """Load the type of the frame, or that behind its tags."""
    code: Code = []
    for number in range(TAGS_MOST):
        behind = 3 * (TAGS_MOST - number) - 2  # up to the end of all of these instructions
        code += [
            (HALF, 0, 0, TYPE + 4 * number),
            (EQUAL, 1, 0, TAGS[0]),
            (EQUAL, 0, behind, TAGS[1]),
        ]
    return [*code, (HALF, 0, 0, TYPE + 4 * TAGS_MOST)]


def _group(limits: Range) -> Code:
    """Jump out if the destination is in a range, else go on behind these instructions."""
    (high, low), (high_last, low_last) = (divmod(one, 1 << 32) for one in limits)
    return [
        (HALF, 0, 0, 0),
        (GREATER, 3, 0, high),
        (EQUAL, 0, 8, high),
        (WORD, 0, 0, 2),
        (AT_LEAST, 0, 6, low),
        (HALF, 0, 0, 0),
        (GREATER, 4, 0, high_last),
        (EQUAL, 0, 2, high_last),
        (WORD, 0, 0, 2),
        (GREATER, 1, 0, low_last),
        (ALWAYS, 0, 0, _NEXT),
    ]


def _joined(code: Code) -> Code:
    """Let the jumps out of some instructions lead behind them all."""
    size = len(code)
    return [
        (operation, yes, no, size - place - 1 if operand == _NEXT else operand)
        for place, (operation, yes, no, operand) in enumerate(code)
    ]
