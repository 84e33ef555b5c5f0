"""Random datagrams of rtnetlink: what the kernel sends, damaged, for every reader."""

from __future__ import annotations

import contextlib
import struct
from random import Random

from test_readers_end import HEADS, READERS
from test_wire_garbage import WHOLE, check_datagram

from netalias.errors import PacketError, WireError
from netalias.packets import parse

MESSAGES = list(WHOLE.values())
LENGTHS = (0, 1, 3, 4, 5, 8, 16, 0x7FFF, 0xFFFF)


def drawn_datagram(dice: Random) -> bytes:
    """One or two messages with some bytes, lengths or ends that are wrong, or no message at all."""
    if dice.random() < 0.1:
        return dice.choice(HEADS) + dice.randbytes(dice.randrange(120))
    data = bytearray(b"".join(dice.choice(MESSAGES) for _ in range(dice.randint(1, 2))))
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(data))
        if dice.random() < 0.4 and at < len(data) - 4:
            struct.pack_into("=H", data, at & ~3, dice.choice(LENGTHS))
        elif dice.random() < 0.2:
            del data[at : at + dice.choice((1, 4, 8, 64))]
        else:
            data[at] ^= 1 << dice.randrange(8)
        if not data:
            break
    if len(data) >= 16 and dice.random() < 0.5:
        struct.pack_into("=I", data, 0, len(data))
    return bytes(data)


def check(data: bytes) -> None:
    """A value or the reader's own error comes of it, as a datagram, as a body and as a frame."""
    check_datagram(data)
    for reader in READERS.values():
        with contextlib.suppress(WireError):
            reader(data, min(16, len(data)), len(data))
    with contextlib.suppress(PacketError):
        parse.parse(data)
