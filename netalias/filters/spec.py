"""Packets of BNEP 1.0 as declarations of the library construct, which is the codec as well: such
messages are rare. Numbers are in network order; MACs of a filter are numbers.

``LIST`` has the octets of the ranges; NET_TYPES and GROUPS take them apart, once their number is
known to be one that is taken.
"""

from __future__ import annotations

from typing import Any

from construct import (  # type: ignore[import-untyped]
    BitsInteger,
    BitStruct,
    Bytes,
    BytesInteger,
    ConstructError,
    Flag,
    GreedyBytes,
    GreedyRange,
    If,
    Int8ub,
    Int16ub,
    Prefixed,
    RepeatUntil,
    Struct,
    Switch,
    Terminated,
    this,
)

GENERAL, CONTROL, COMPRESSED, SOURCE_ONLY, DESTINATION_ONLY = range(5)
"""Types of packets: the addresses that are those of the connection are left out of a compressed
one."""
NOT_UNDERSTOOD, SETUP_REQUEST, SETUP_RESPONSE = range(3)
SET_TYPES, TYPES_RESPONSE, SET_GROUPS, GROUPS_RESPONSE = range(3, 7)
SUCCESS, UNSUPPORTED, INVALID_RANGE, TOO_MANY, SECURITY = range(5)
"""Results in a response; INVALID_RANGE also of an address that is none of a group."""
EXTENSIONS = 16
"""Extension headers of one packet at most. BNEP has no limit, but 60 000 of them fit into the
longest packet of a link, and each takes as long as a message."""
MAC = Bytes(6)
MAC_NUMBER = BytesInteger(6)

LIST = Prefixed(Int16ub, GreedyBytes)
MESSAGE = Struct(
    "command" / Int8ub,
    "content"
    / Switch(
        this.command,
        {
            NOT_UNDERSTOOD: Int8ub,  # the command
            SET_TYPES: LIST,
            TYPES_RESPONSE: Int16ub,
            SET_GROUPS: LIST,
            GROUPS_RESPONSE: Int16ub,
        },
        default=GreedyBytes,
    ),
)
EXTENSION = Struct(
    "head" / BitStruct("more" / Flag, "type" / BitsInteger(7)),  # type 0: a MESSAGE
    "content" / Prefixed(Int8ub, GreedyBytes),
)


def _is_last(one: Any, found: Any, _: Any) -> bool:
    """Whether an extension header is the last one. Raises ConstructError."""
    if one.head.more and len(found) >= EXTENSIONS:
        raise ConstructError(f"more than {EXTENSIONS} extension headers")
    return not one.head.more


PACKET = Struct(
    "head" / BitStruct("extended" / Flag, "type" / BitsInteger(7)),
    "message" / If(this.head.type == CONTROL, MESSAGE),
    "destination" / If(lambda one: one.head.type in (GENERAL, DESTINATION_ONLY), MAC),
    "source" / If(lambda one: one.head.type in (GENERAL, SOURCE_ONLY), MAC),
    "protocol" / If(this.head.type != CONTROL, Int16ub),
    "extensions" / If(this.head.extended, RepeatUntil(_is_last, EXTENSION)),
    "payload" / GreedyBytes,
)


def _ranges(number: Any) -> Any:
    return Struct("ranges" / GreedyRange(Struct("first" / number, "last" / number)), Terminated)


NET_TYPES = _ranges(Int16ub)
GROUPS = _ranges(MAC_NUMBER)

FailedLayout = ConstructError
"""The error of any bytes that do not fit."""
