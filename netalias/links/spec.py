"""The layouts of what changes hands, as declarations of the library construct.

Hand-overs are rare, so here the specification is the codec as well. Numbers are in network order.

Every parcel has a head, which says what each of the descriptors is. The state of a link is one
layout for all kinds of device, in a fixed order; kinds are numbered from 1.

``fingerprint`` changes whenever any layout does: so no release can forget to say that it speaks
another one.
"""

from __future__ import annotations

from _blake2 import blake2b
from typing import Any

from construct import (  # type: ignore[import-untyped]
    Array,
    BytesInteger,
    Check,
    Construct,
    ConstructError,
    Enum,
    ExprAdapter,
    Flag,
    Float64b,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Int64sb,
    Int64ub,
    PascalString,
    Prefixed,
    PrefixedArray,
    Sequence,
    SizeofError,
    Struct,
    Terminated,
    this,
)

from netalias.links.bundle.reorder import COUNTERS

TEXT = PascalString(Int16ub, "utf8")
BYTES = Prefixed(Int16ub, GreedyBytes)
SERVICE = PrefixedArray(Int16ub, Struct("name" / BYTES, "value" / BYTES))
"""Variables by which the service manager is told (sd_notify(3))."""
WATCHER = Struct(
    "since" / Float64b,  # of the epoch
    "healed" / Int32ub,
    "leases" / Float64b,  # CLOCK_MONOTONIC, as the next
    "announced" / Float64b,
    "tunnels"
    / PrefixedArray(
        Int16ub, Struct("name" / TEXT, "line" / TEXT, "mtu" / Int32ub, "plane" / Int32ub)
    ),
    "service" / SERVICE,
    Terminated,
)
HEAD = Struct(
    "kind" / Enum(Int8ub, link=1, watcher=2),
    "roles" / PrefixedArray(Int16ub, TEXT),
    "body" / Prefixed(Int32ub, GreedyBytes),
    Terminated,
)
LONG = Prefixed(Int32ub, GreedyBytes)
MODES = 6
"""Numbers in the modes of a terminal (termios(3)), before its control characters."""
STATE = Struct(
    "word" / TEXT,
    "kind" / Int8ub,
    Check(this.kind > 0),
    "name" / TEXT,
    "peer" / Struct("host" / TEXT, "port" / Int32ub),
    "passive" / Flag,
    "cd" / TEXT,
    "magic" / Int32ub,
    "heard" / Int32ub,
    "mru" / Int32ub,
    "unread" / LONG,
    "unsent" / LONG,
    "lcp" / Float64b,  # seconds, as the next
    "carrier" / Float64b,
    "child" / Struct("pid" / Int32ub, "start" / TEXT),
    "modes" / Array(MODES, Int32ub),
    "signs" / LONG,
    "counters" / PrefixedArray(Int8ub, Int64ub),
    "in_samples" / PrefixedArray(Int8ub, Int64ub),
    "out_samples" / PrefixedArray(Int8ub, Int64ub),
)
MAC = BytesInteger(6)
FILTERS = Struct(
    "types" / PrefixedArray(Int16ub, Struct("first" / Int16ub, "last" / Int16ub)),
    "groups" / PrefixedArray(Int16ub, Struct("first" / MAC, "last" / MAC)),
    "dropped" / Int64ub,
    "before" / Int64sb,
    "told" / Flag,
)
"""The filters of the peer that are in force (filters/serving.py)."""


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
"""A bundle, as plain() of Bundle, Reorder and Member gives it. Times are CLOCK_MONOTONIC, which is
one for all processes of a host."""
DEVICE = Struct(
    "mtu" / Int32ub,
    "links" / PrefixedArray(Int8ub, STATE),
    "filters" / FILTERS,
    "bundle" / maybe(BUNDLE),
    "service" / SERVICE,
    Terminated,
)
"""A network device that is served, with the link that is open, if one is, or a bundle with those of
its members that are, in their order."""
LAYOUTS = {"head": HEAD, "watcher": WATCHER, "device": DEVICE}

FailedLayout = ConstructError
"""The error of any bytes that do not fit."""


def outline(part: Any) -> str:
    """Words that are the same for the same layout, and others for any other."""
    own = vars(part)
    inner = [own[name] for name in ("subcon", "lengthfield", "countfield") if name in own]
    if "subcon" not in own:
        inner += own.get("subcons", ())
        inner += [key / one for key, one in sorted(own.get("cases", {}).items())]
    try:
        size = str(part.sizeof())
    except (SizeofError, KeyError):
        size = "?"
    values = [f"{name}={int(value)}" for name, value in own.get("encmapping", {}).items()]
    words = [type(part).__name__, own.get("name") or "", own.get("fmtstr", ""), size, *values]
    return f"{' '.join(map(str, words))}({', '.join(map(outline, inner))})"


def fingerprint(layouts: dict[str, Construct]) -> str:
    """The hash of some layouts."""
    text = "\n".join(f"{name} {outline(one)}" for name, one in layouts.items())
    return blake2b(text.encode(), digest_size=8).hexdigest()
