"""The datagrams between two ends as an executable specification.

Every layout of frames.py and hello.py once more, as declarations of the library construct. It is
slow, so only tests and tools that decode traces import it.
"""

from __future__ import annotations

from typing import Any

from construct import (  # type: ignore[import-untyped]
    Bytes,
    Const,
    Enum,
    FlagsEnum,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int64ub,
    Padding,
    Struct,
    Switch,
    Terminated,
    this,
)

Kind: Any = Enum(Int8ub, TCP=0x81, UDP=0x82, UNSUMMED=0x83, HELLO=0x91, ANSWER=0x92, BYE=0x93)

Slice: Any = Struct(
    "index" / Int8ub,
    "start" / Int8ub,
    "end" / Int8ub,
    "size" / Int16ub,
    "train" / Int16ub,
    "header" / Bytes(this.end),
    "payload" / GreedyBytes,
)
"""``header`` is that of the superpacket, in which the one of TCP or UDP begins at ``start``."""

Unsummed: Any = Struct(
    Padding(1),
    "start" / Int8ub,
    "offset" / Int8ub,
    Padding(4),
    "packet" / GreedyBytes,
)
"""The checksum of TCP or UDP stands ``offset`` bytes behind ``start``."""

Abilities: Any = FlagsEnum(Int16ub, TRAINS=0x01, UDP_TRAINS=0x02, MARKS=0x04)

Hello: Any = Struct(
    "version" / Const(1, Int8ub),
    "abilities" / Abilities,
    "instance" / Int64ub,
    "echo" / Int64ub,
    "room" / Int16ub,
    "largest" / Int16ub,
    Terminated,
)

Datagram: Any = Struct(
    "kind" / Kind,
    "body"
    / Switch(
        this.kind,
        {
            "TCP": Slice,
            "UDP": Slice,
            "UNSUMMED": Unsummed,
            "HELLO": Hello,
            "ANSWER": Hello,
            "BYE": Hello,
        },
    ),
)
"""A datagram of ours; one whose first four bits are 4 or 6 is a whole IP packet instead."""
