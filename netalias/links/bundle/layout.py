"""The layout of a bundle that changes hands: what plain() of Bundle, Reorder and Member gives, as
declarations of the library construct.

Times are CLOCK_MONOTONIC, which is one for all processes of a host.
"""

from __future__ import annotations

from typing import Any

from construct import (  # type: ignore[import-untyped]
    ExprAdapter,
    Flag,
    Float64b,
    GreedyBytes,
    Int8ub,
    Int32ub,
    Int64sb,
    PascalString,
    Prefixed,
    PrefixedArray,
    Sequence,
    Struct,
)

from netalias.links.bundle.reorder import COUNTERS


def maybe(part: Any) -> Any:
    """The layout of a value that may be None: an array of none or one."""
    return ExprAdapter(
        PrefixedArray(Int8ub, part),
        lambda found, _: found[0] if found else None,
        lambda value, _: [] if value is None else [value],
    )


def many(part: Any) -> Any:
    """The layout of a list."""
    return PrefixedArray(Int32ub, part)


NUMBER = Int64sb
"""A counter, or a sequence number without modulus."""
SECONDS = Float64b
TIME = maybe(SECONDS)
LONG = Prefixed(Int32ub, GreedyBytes)

_FLAGS = ("open", "alive", "up", "hears", "starting")
_NUMBERS = (
    "deaths", "sent", "sent_octets", "lost", "received", "received_octets", "marked", "last",
    "window", "frames", "lost_before",
)  # fmt: skip
_SECONDS = ("patience", "touched", "arrived", "believed", "queue")
_TIMES = ("heard", "since", "beaten", "pending", "rate", "rtt", "rtt_min", "probed")
MEMBER = Struct(
    "name" / PascalString(Int32ub, "utf8"),
    "limit" / Int32ub,
    **dict.fromkeys(_FLAGS, Flag),
    **dict.fromkeys(_NUMBERS, NUMBER),
    **dict.fromkeys(_SECONDS, SECONDS),
    **dict.fromkeys(_TIMES, TIME),
    echo=maybe(Sequence(Int32ub, SECONDS)),
    received_before=Sequence(NUMBER, NUMBER),
    rates=many(SECONDS),
    away=many(Sequence(NUMBER, Int32ub, SECONDS)),
)
RECEIVED = Struct(
    **dict.fromkeys(COUNTERS, NUMBER),
    expected=NUMBER,
    passed=many(Sequence(Int8ub, NUMBER)),
    slack=SECONDS,
    slack_until=SECONDS,
    whole=Flag,
    held=many(Sequence(NUMBER, Int8ub, LONG, SECONDS)),
    parts=many(LONG),
)
BUNDLE = Struct(
    **dict.fromkeys(("instance", "peer"), Int32ub),
    **dict.fromkeys(("version", "sequence", "offset", "foreign", "looped", "dropped"), NUMBER),
    former=many(Int32ub),
    last_data=SECONDS,
    waiting=many(LONG),
    received=RECEIVED,
    members=many(MEMBER),
)
