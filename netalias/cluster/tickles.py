"""Connections that hosts tell one another: whom to tickle when an address moves. Pure.

Each host that tickles puts the connections of the addresses that it holds into one value of the
store, at most every INTERVAL seconds and only if they have changed. It hangs on no lease, since it
is read when the host is dead. It stands beside the keys that everybody follows: only a host that
takes addresses over reads it.

::

    {"connections": {"10.0.0.1:80": ["192.0.2.9:4711"], "[2001:db8::1]:80": []}, "more": 0}

``more`` counts the connections that did not fit.
"""

from __future__ import annotations

import json
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

from netalias.model.connections import Connection

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

INTERVAL = 10.0
"""Seconds between two values of a host at least."""
CONNECTIONS = 1000
"""Connections of a value at most: those of IPv6 fit into VALUE_MAX, too."""
VALUE_MAX = 1 << 17
"""Bytes of a value that is read."""
TIMES, APART = 2, 1.0
"""A tickle is sent so many times, so many seconds apart: either may be lost, and a peer answers
such segments of a connection twice in a second at most (tcp_invalid_ratelimit)."""


def key(prefix: str, node: str) -> str:
    """The key of the connections of a host, which nobody follows."""
    return f"{prefix}/v1-connections/{node}"


def encode(connections: Iterable[Connection]) -> bytes:
    """The value for these connections: of each of our ends as many as of any other one, if not all
    fit."""
    ends: dict[tuple[bytes, int], list[Connection]] = {}
    for one in sorted(set(connections), key=_order):
        ends.setdefault((one.address, one.port), []).append(one)
    chosen: dict[str, list[str]] = {}
    count, room = sum(map(len, ends.values())), CONNECTIONS
    for place, ((address, port), found) in enumerate(
        sorted(ends.items(), key=lambda item: len(item[1]))
    ):
        fair = room // (len(ends) - place)
        room -= len(found[:fair])
        texts = [_text(one.peer, one.peer_port) for one in found[:fair]]
        if texts:
            chosen[_text(address, port)] = texts
    more = count - (CONNECTIONS - room)
    return json.dumps({"connections": chosen, "more": more}, separators=(",", ":")).encode()


def decode(value: bytes, addresses: Collection[bytes]) -> list[Connection]:
    """The connections of these packed *addresses* in a value; anybody may have written it, and what
    is unreadable is left out."""
    try:
        found = json.loads(value) if len(value) <= VALUE_MAX else None
    except (ValueError, RecursionError):
        found = None
    ends = found.get("connections") if isinstance(found, dict) else None
    known: list[Connection] = []
    for text, peers in ends.items() if isinstance(ends, dict) else ():
        end = _parse(text)
        if end is None or end[0] not in addresses or not isinstance(peers, list):
            continue
        others = [one for one in map(_parse, peers) if one is not None]
        known += [Connection(*end, *one) for one in others if len(one[0]) == len(end[0])]
        if len(known) > CONNECTIONS:
            break
    return known[:CONNECTIONS]


class Published:
    """The value that was put last, and when the next one is due. Times are seconds of one clock."""

    __slots__ = ("_at", "_value")

    def __init__(self) -> None:
        self._at = float("-inf")
        self._value = b""

    def due(self, now: float) -> float:
        """Seconds until connections are to be collected again; 0 for now."""
        return max(0.0, self._at + INTERVAL - now)

    def collected(self, now: float, connections: Iterable[Connection]) -> bytes:
        """The value to put; empty if it is the same as before."""
        self._at = now
        value = encode(connections)
        if value == self._value:
            return b""
        self._value = value
        return value

    def failed(self) -> None:
        """The last value may not have been put: the next one is put in any case."""
        self._value = b""


def _order(one: Connection) -> tuple[bytes, int, bytes, int]:
    return one.address, one.port, one.peer, one.peer_port


def _text(address: bytes, port: int) -> str:
    if len(address) == 4:
        return f"{inet_ntop(AF_INET, address)}:{port}"
    return f"[{inet_ntop(AF_INET6, address)}]:{port}"


def _parse(text: object) -> tuple[bytes, int] | None:
    """A packed address and a port; None for anything else."""
    if not isinstance(text, str) or not text.isascii():
        return None
    address, _, port = text.rpartition(":")
    six = address.startswith("[") and address.endswith("]")
    if not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 1 << 16):
        return None
    try:
        packed = inet_pton(AF_INET6 if six else AF_INET, address[1:-1] if six else address)
    except (OSError, ValueError):
        return None
    return packed, int(port)
