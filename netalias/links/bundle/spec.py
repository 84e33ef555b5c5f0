"""The datagrams of a bundle as an executable specification.

The layouts that wire.py packs and unpacks stand here once more, as declarations of the library
construct. It is slow, so only tests and tools import it. A datagram is a Container: ``kind`` is
"fragment" or "beat", ``body`` has the fields that wire.py describes. What is malformed raises
construct's ConstructError.

Source of the fragment: RFC 1990, section 3; sequence numbers have 32 bits instead of 24.
"""

from __future__ import annotations

from construct import (  # type: ignore[import-untyped]
    BitsInteger,
    BitStruct,
    Const,
    Enum,
    Flag,
    GreedyBytes,
    If,
    Int8ub,
    Int16ub,
    Int32ub,
    Struct,
    Switch,
    this,
)

FIRST = BitStruct(
    "mark" / Const(0b1011, BitsInteger(4)),
    "begin" / Flag,
    "end" / Flag,
    "kind" / Enum(BitsInteger(2), fragment=0, beat=1),
)
"""The first octet: its upper half is the version of no IP packet."""

FRAGMENT = Struct("session" / Int16ub, "sequence" / Int32ub, "payload" / GreedyBytes)

BEAT = Struct(
    "version" / Int8ub,
    "interval" / Int8ub,
    "flags" / BitStruct("unused" / BitsInteger(7), "hears" / Flag),
    "instance" / Int32ub,
    "peer" / Int32ub,
    "next" / Int32ub,
    "stamp" / Int32ub,
    "echo" / Int32ub,
    "held" / Int32ub,
    "last" / Int32ub,
    "frames" / Int32ub,
    "octets" / Int32ub,
    "arrived" / Int32ub,
)

DATAGRAM = Struct(
    "first" / FIRST,
    "body" / Switch(lambda one: str(one.first.kind), {"fragment": FRAGMENT, "beat": BEAT}),
    "rest" / If(this.first.kind == "beat", GreedyBytes),
)
"""Octets behind a beat are of a later version, and ignored."""
