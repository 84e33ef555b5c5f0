"""Packets of BNEP: the messages of filters in them, and what is sent in place of a filtered one."""

from __future__ import annotations

from netalias.filters import TAGS, TAGS_MOST, Judge, spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.filters import Buffer, Filters, Range

SETS = {
    spec.SET_TYPES: (spec.NET_TYPES, spec.TYPES_RESPONSE, 4),
    spec.SET_GROUPS: (spec.GROUPS, spec.GROUPS_RESPONSE, 12),
}
"""Command that sets a filter: its ranges, the command of the response, the octets of a range."""
RESPONSES = {response: command for command, (_, response, _) in SETS.items()}
"""Command of a response: that which it answers."""
MOST = 256
"""Ranges of one list that are taken: the program of so many in both lists is not longer than the
kernel takes."""
RESULTS = {
    spec.SUCCESS: "success",
    spec.UNSUPPORTED: "unsupported",
    spec.INVALID_RANGE: "invalid range",
    spec.TOO_MANY: "too many filters",
    spec.SECURITY: "refused for security",
}
GROUP = 1 << 40
"""The bit of a group in a MAC as a number."""
CONTROL_EXTENSION = 0


class Refused(Exception):
    """A filter that is not applied; ``result`` is one of RESULTS."""

    def __init__(self, result: int) -> None:
        super().__init__(RESULTS[result])
        self.result = result


def messages(packet: Buffer) -> list[tuple[int, int | bytes]]:
    """The command and content of each message of a packet: of its own, and of those in its
    extension headers, whatever type it has. Empty for what is no packet of BNEP."""
    try:
        found = spec.PACKET.parse(packet)
        parts = [found.message] if found.message is not None else []
        for one in found.extensions or ():
            if one.head.type == CONTROL_EXTENSION:
                parts.append(spec.MESSAGE.parse(one.content))
    except spec.FailedLayout:
        return []
    return [(one.command, one.content) for one in parts]


def ranges(command: int, content: bytes) -> tuple[Range, ...]:
    """The ranges of a message that sets a filter. Raises Refused."""
    layout, _, size = SETS[command]
    if len(content) > MOST * size:
        raise Refused(spec.TOO_MANY)
    try:
        found = [(one.first, one.last) for one in layout.parse(content).ranges]
    except spec.FailedLayout:
        raise Refused(spec.INVALID_RANGE) from None
    for first, last in found:
        if first > last or (command == spec.SET_GROUPS and not first & last & GROUP):
            raise Refused(spec.INVALID_RANGE)
    return tuple(found)


def filter_message(command: int, wanted: Iterable[Range]) -> bytes:
    """The packet that sets a filter."""
    pairs = [{"first": first, "last": last} for first, last in wanted]
    return control(command, SETS[command][0].build({"ranges": pairs}))


def control(command: int, content: int | bytes) -> bytes:
    """The packet of one message."""
    message = spec.MESSAGE.build({"command": command, "content": content})
    return bytes([spec.CONTROL]) + bytes(message)


def both(filters: Filters) -> Iterator[bytes]:
    """The packets that set both filters of one end."""
    yield filter_message(spec.SET_TYPES, filters.types)
    yield filter_message(spec.SET_GROUPS, filters.groups)


def filtered(packet: bytes, filters: Filters) -> bytes:
    """The packet that is sent to a peer with these filters in place of *packet*: the same if it
    passes, or is one of control; else an empty one, or, if it has extension headers, these behind a
    header of type 0, without the payload. For programs that have connections of BNEP. Raises
    ConstructError."""
    found = spec.PACKET.parse(packet)
    if found.head.type == spec.CONTROL:
        return packet
    kind, payload = found.protocol, found.payload
    for _ in range(TAGS_MOST):
        if kind in TAGS:
            kind, payload = int.from_bytes(payload[2:4], "big"), payload[4:]
    # An address that is left out is that of the peer, which is no group.
    if Judge(filters).wants(kind, found.destination or bytes(6)):
        return packet
    if not found.head.extended:
        return b""
    found.protocol, found.payload = 0, b""
    return bytes(spec.PACKET.build(found))
