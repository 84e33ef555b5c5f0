"""The layouts of what changes hands, as declarations of the library construct.

Hand-overs are rare, so here the specification is the codec as well. Numbers are in network order.

A link has a fixed order and a fixed length (LINK_SIZE, known without a link): its datalink, its
name, its physical half, two rings of samples of its throughput, and what its type of device needs,
padded to the largest type. Whatever was read of a frame follows, with its length. Every parcel has
a head, which says what each of the descriptors is.

``fingerprint`` changes whenever any layout does: so no release can forget to say that it speaks
another one.
"""

from __future__ import annotations

from _blake2 import blake2b
from typing import Any

from construct import (  # type: ignore[import-untyped]
    Array,
    Check,
    Construct,
    ConstructError,
    Enum,
    Flag,
    Float64b,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32sb,
    Int32ub,
    Int64ub,
    Padded,
    PaddedString,
    PascalString,
    Pass,
    Prefixed,
    PrefixedArray,
    SizeofError,
    Struct,
    Switch,
    Terminated,
    this,
)

NAME = 64
"""Bytes of a name, of the interface or of the link; the kernel's own have 15."""
SAMPLES = 8
"""Seconds of throughput in a ring."""
TIMERS = ("carrier", "redial", "idle", "heartbeat")
"""Timers of a link, in the order in which they are sent."""

DEVICES = {
    "tcp": Struct("inherited" / Flag),
    "udp": Struct("inherited" / Flag, "pinned" / Flag),
    "tty": Struct("speed" / Int32ub, "session_owner" / Int32ub, "carrier" / Flag),
    "exec": Struct("pid" / Int32ub),
    "link": Struct("ifindex" / Int32ub, "carrier" / Flag),
}
"""Types of devices, numbered from 1 in this order: a 0 in the place of a type is an error."""


def link_layout(devices: dict[str, Construct]) -> Construct:
    """The layout of a link whose device is one of *devices*."""
    numbers = dict(enumerate(devices.values(), 1))
    room = max(one.sizeof() for one in numbers.values())
    timer = Struct("running" / Flag, "left" / Float64b)  # seconds
    ring = Struct("place" / Int8ub, Check(this.place < SAMPLES), "octets" / Array(SAMPLES, Int64ub))
    return Struct(
        "datalink" / Struct("state" / Int8ub, "timers" / Array(len(TIMERS), timer)),
        "name" / PaddedString(NAME, "utf8"),
        "physical"
        / Struct(
            "type" / Int8ub,
            Check(this.type > 0),
            "carrier" / Struct("seconds" / Int32sb, "required" / Flag),
            "octets" / Array(2, Int64ub),
        ),
        "rings" / Array(2, ring),
        "device" / Padded(room, Switch(this.physical.type, numbers, default=Pass)),
    )


LINK = link_layout(DEVICES)
LINK_SIZE: int = LINK.sizeof()
LINK_PARCEL = Struct("link" / LINK, "unread" / Prefixed(Int32ub, GreedyBytes), Terminated)

TEXT = PascalString(Int16ub, "utf8")
BYTES = Prefixed(Int16ub, GreedyBytes)
WATCHER = Struct(
    "since" / Float64b,  # of the epoch
    "healed" / Int32ub,
    "leases" / Float64b,  # CLOCK_MONOTONIC, as the next
    "announced" / Float64b,
    "tunnels"
    / PrefixedArray(
        Int16ub, Struct("name" / TEXT, "line" / TEXT, "mtu" / Int32ub, "plane" / Int32ub)
    ),
    # Variables by which the service manager is told (sd_notify(3)).
    "service" / PrefixedArray(Int16ub, Struct("name" / BYTES, "value" / BYTES)),
    Terminated,
)
HEAD = Struct(
    "kind" / Enum(Int8ub, link=1, watcher=2, tunnel=3),
    "roles" / PrefixedArray(Int16ub, TEXT),
    "body" / Prefixed(Int32ub, GreedyBytes),
    Terminated,
)
LAYOUTS = {"head": HEAD, "link": LINK_PARCEL, "watcher": WATCHER}

BYTES = Prefixed(Int32ub, GreedyBytes)
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
    "unread" / BYTES,
    "unsent" / BYTES,
    "lcp" / Float64b,  # seconds, as the next
    "carrier" / Float64b,
    "child" / Struct("pid" / Int32ub, "start" / TEXT),
    "modes" / Array(MODES, Int32ub),
    "signs" / BYTES,
    "counters" / PrefixedArray(Int8ub, Int64ub),
    "in_samples" / PrefixedArray(Int8ub, Int64ub),
    "out_samples" / PrefixedArray(Int8ub, Int64ub),
)
DEVICE = Struct("mtu" / Int32ub, "links" / PrefixedArray(Int8ub, STATE), Terminated)
"""A network device that is served, and the link that is open, if one is."""
LAYOUTS["device"] = DEVICE

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
