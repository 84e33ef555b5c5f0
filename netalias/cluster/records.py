"""Keys and values of a cluster in its store. Pure.

::

    PREFIX/v1/hosts/NODE            a host that is alive: hangs on its lease
    PREFIX/v1/owners/POOL/ADDRESS   who has an address, or had it last
    PREFIX/v1/drains/NODE           a host that is to hold nothing, for as long as this is there
    PREFIX/v1/pins/POOL/ADDRESS     the node to which an address was moved by hand

Values are JSON objects of at most VALUE_MAX bytes. Fields that are not known are left alone, and a
value that cannot be read is None: anybody may have written it.

A *registration* of a host is the revision of the store at which its key was created. A host that
lost its key comes back as another registration, and the proofs of the former are worth nothing.
"""

from __future__ import annotations

import json
from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from netalias.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from netalias.cluster.orders import Key

VERSION = "v1"
HOSTS, OWNERS, DRAINS, PINS = "hosts", "owners", "drains", "pins"
VALUE_MAX = 1 << 16
REST_MAX = 1024
"""Bytes of the value of a host without its pools, at most."""
NAME_MAX = 64
SIGNS = "._-"
SPANS_MAX = 10_000
WEIGHT = 100
WEIGHT_MAX = 10_000
NUMBER_MAX = 1 << 63
TTL_MAX = 3600


class Keys:
    """The keys below *prefix*, which begins with a slash."""

    def __init__(self, prefix: str) -> None:
        self.all = f"{prefix}/{VERSION}/"

    def host(self, node: str) -> str:
        """The key of a host."""
        return f"{self.all}{HOSTS}/{node}"

    def owner(self, key: Key) -> str:
        """The key of the owner of an address."""
        return f"{self.all}{OWNERS}/{key[0]}/{key[1]}"

    def drain(self, node: str) -> str:
        """The key that drains a host."""
        return f"{self.all}{DRAINS}/{node}"

    def pin(self, key: Key) -> str:
        """The key that pins an address to a host."""
        return f"{self.all}{PINS}/{key[0]}/{key[1]}"

    def split(self, key: str) -> list[str]:
        """The parts of a key below the prefix: its kind, and one or two names. Empty for a key that
        is none of a cluster: names go into lines that others read, and anybody may have written
        it."""
        kind, *names = key.removeprefix(self.all).split("/")
        kinds = _NAMES.get(kind, ())
        if not key.startswith(self.all) or len(names) != len(kinds) or not names:
            return []
        fine = all(fits(name) for fits, name in zip(kinds, names, strict=True))
        return [kind, *names] if fine else []


class Spread(Value):
    """A pool as a host has declared it: the texts of the first and the last address of each of its
    *spans*, the node that it *prefers*, empty for none, and the seconds of its *hold_down*."""

    __slots__ = ("hold_down", "prefers", "spans")

    def __init__(
        self, spans: tuple[tuple[str, str], ...], prefers: str = "", hold_down: int = 0
    ) -> None:
        self.spans = spans
        self.prefers = prefers
        self.hold_down = hold_down


class Host(Value):
    """A host that is alive: its *instance*, a text by which it knows its own key again, its
    *weight*, the *pools* that it serves and the *release* of its netalias."""

    __slots__ = ("instance", "pools", "release", "weight")

    def __init__(
        self,
        instance: str,
        weight: int = WEIGHT,
        pools: Mapping[str, Spread] | None = None,
        release: str = "",
    ) -> None:
        self.instance = instance
        self.weight = weight
        self.pools = dict(pools or {})
        self.release = release

    def value(self) -> bytes:
        """The value in the store."""
        fields = {
            "instance": self.instance,
            "weight": self.weight,
            "release": self.release,
            "pools": {name: _pool_fields(one) for name, one in self.pools.items()},
        }
        return _value(fields)


class Owner(Value):
    """The host that has an address: *node* and its *registration*. One that is not *held* is free:
    the node had it last. *ttl*: the seconds for which it may stand there after a proof. *since*
    counts seconds of the epoch, for people."""

    __slots__ = ("held", "node", "registration", "since", "ttl")

    def __init__(
        self, node: str, registration: int, *, ttl: int, held: bool, since: int = 0
    ) -> None:
        self.ttl = ttl
        self.node = node
        self.registration = registration
        self.held = held
        self.since = since

    def value(self) -> bytes:
        """The value in the store."""
        fields = {"node": self.node, "registration": self.registration, "held": self.held}
        return _value(fields | {"ttl": self.ttl, "since": self.since})


def fitting(pools: Mapping[str, Spread]) -> dict[str, Spread]:
    """The pools, by name, for which the value of a host has room."""
    room = VALUE_MAX - REST_MAX
    found = {}
    for name in sorted(pools):
        room -= len(_value({name: _pool_fields(pools[name])}))
        if room < 0:
            break
        found[name] = pools[name]
    return found


def node_value(node: str) -> bytes:
    """The value of a pin: the node."""
    return _value({"node": node})


def read_host(value: bytes) -> Host | None:
    """The host of a value; None if it is unreadable."""
    found = _fields(value)
    instance, weight = found.get("instance", ""), found.get("weight", WEIGHT)
    pools, release = found.get("pools", {}), found.get("release", "")
    if not (_is_text(instance) and _within(weight, WEIGHT_MAX) and isinstance(pools, dict)):
        return None
    spreads = {name: _spread(one) for name, one in pools.items() if is_name(name)}
    known = {name: one for name, one in spreads.items() if one is not None}
    return Host(instance, weight, known, release if _is_text(release) else "")


def read_owner(value: bytes) -> Owner | None:
    """The owner of a value; None if it is unreadable."""
    found = _fields(value)
    node, registration, held = found.get("node"), found.get("registration"), found.get("held")
    ttl, since = found.get("ttl"), found.get("since", 0)
    if not (is_name(node) and _within(registration, NUMBER_MAX) and isinstance(held, bool)):
        return None
    if not _within(ttl, TTL_MAX):
        return None
    said = since if _within(since, NUMBER_MAX) else 0
    return Owner(str(node), registration or 0, ttl=ttl or 0, held=held, since=said)


def read_node(value: bytes) -> str:
    """The node of a pin; empty if it is unreadable."""
    node: str = _fields(value).get("node", "")
    return node if is_name(node) else ""


def is_name(text: object) -> bool:
    """Whether it is a name of a node or a pool: ASCII letters, digits and SIGNS."""
    if not isinstance(text, str) or not 0 < len(text) <= NAME_MAX or text[0] in SIGNS:
        return False
    return text.isascii() and text.translate(_NO_SIGNS).isalnum()


def _is_address(text: str) -> bool:
    """Whether it is the usual text of an address."""
    family = AF_INET6 if ":" in text else AF_INET
    try:
        return inet_ntop(family, inet_pton(family, text)) == text
    except (OSError, ValueError):
        return False


_NAMES: dict[str, tuple[Callable[[str], bool], ...]] = {
    HOSTS: (is_name,),
    OWNERS: (is_name, _is_address),
    DRAINS: (is_name,),
    PINS: (is_name, _is_address),
}
"""Kind of key: what the names after it have to be."""
_NO_SIGNS = dict.fromkeys(map(ord, SIGNS))


def _pool_fields(one: Spread) -> dict[str, object]:
    return {"spans": one.spans, "prefers": one.prefers, "hold_down": one.hold_down}


def _spread(fields: Any) -> Spread | None:
    if not isinstance(fields, dict):
        return None
    spans, prefers = fields.get("spans"), fields.get("prefers", "")
    hold_down = fields.get("hold_down", 0)
    if not isinstance(spans, list) or len(spans) > SPANS_MAX or not _within(hold_down, 1 << 31):
        return None
    pairs = tuple(tuple(one) for one in spans if isinstance(one, list) and len(one) == 2)
    if len(pairs) != len(spans) or not all(_is_text(one) for pair in pairs for one in pair):
        return None
    return Spread(pairs, prefers if is_name(prefers) else "", hold_down)


def _is_text(one: object) -> bool:
    return isinstance(one, str) and 0 < len(one) <= NAME_MAX and one.isascii() and one.isprintable()


def _within(one: object, most: int) -> bool:
    """Whether it is a number, and no truth value, from 0 on."""
    return type(one) is int and 0 <= one <= most


def _value(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode()


def _fields(value: bytes) -> dict[str, Any]:
    """The JSON object of a value; empty if it is none."""
    if len(value) > VALUE_MAX:
        return {}
    try:
        found = json.loads(value.decode())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
