"""The frames as an executable specification: Ethernet II, ARP, IPv6 and neighbour discovery.

The layouts of the frames that netalias.packets builds and parse.py decodes stand here once more,
as declarations of the library construct. It is slow, so only tests and tools import it.

Sources: RFC 894 and IEEE 802.1Q (Ethernet II, one tag when reading), RFC 826 (ARP, for IPv4 over
Ethernet), RFC 8200 3 and 8.1 (IPv6, pseudo header), RFC 1071 (checksum), RFC 4861 4.3, 4.4 and
4.6.1 (neighbour solicitation and advertisement, link-layer address options). All numbers are in
the order of the network; addresses and MACs are bytes.

A frame is a Container::

    destination=b"..." source=b"..." tag=None type="ARP"
    payload=Container(operation="request", sender_mac=b"...", sender=b"...", ...)

Lengths and checksums are filled in when building and checked when parsing, and so is what an IPv6
header of neighbour discovery must be. What is malformed raises construct's ConstructError.
"""

from __future__ import annotations

from typing import Any

from construct import (  # type: ignore[import-untyped]
    Adapter,
    BitsInteger,
    BitStruct,
    Bytes,
    Check,
    Const,
    Container,
    Default,
    Enum,
    Flag,
    GreedyBytes,
    GreedyRange,
    If,
    Int8ub,
    Int16ub,
    Padding,
    Peek,
    Rebuild,
    Struct,
    Switch,
    Terminated,
    this,
)

MAC = Bytes(6)
IPV4_ADDRESS = Bytes(4)
IPV6_ADDRESS = Bytes(16)

TYPES = {"ARP": 0x0806, "IPV6": 0x86DD}
"""Ethernet types: linux/if_ether.h ETH_P_*."""
TAGGED = 0x8100
ICMPV6 = 58
UNSPECIFIED = bytes(16)
SOLICITED_NODE = b"\xff\x02" + bytes(9) + b"\x01\xff"

# ARP ------------------------------------------------------------------------------------------

ARP = Struct(
    "hardware" / Const(1, Int16ub),
    "protocol" / Const(0x0800, Int16ub),
    "hardware_size" / Const(6, Int8ub),
    "protocol_size" / Const(4, Int8ub),
    "operation" / Enum(Int16ub, request=1, reply=2),
    Check(lambda context: str(context.operation) in ("request", "reply")),
    "sender_mac" / MAC,
    "sender" / IPV4_ADDRESS,
    "target_mac" / Default(MAC, bytes(6)),
    "target" / IPV4_ADDRESS,
)

# Neighbour discovery --------------------------------------------------------------------------

LINK_LAYER = ("source_link_layer", "target_link_layer", 1, 2)

OPTION = Struct(
    "type" / Enum(Int8ub, source_link_layer=1, target_link_layer=2),
    "length" / Rebuild(Int8ub, lambda context: (len(context.value) + 2) // 8),
    "value" / Bytes(this.length * 8 - 2),
    Check(lambda context: context.type not in LINK_LAYER or context.length == 1),
)
"""RFC 4861, 4.6; ``length`` counts eights of bytes."""

FLAGS = BitStruct(
    "router" / Default(Flag, False),
    "solicited" / Default(Flag, False),
    "override" / Default(Flag, False),
    Padding(29),
)
"""Of an advertisement; in a solicitation all are reserved."""

MESSAGE = Struct(
    "type" / Enum(Int8ub, solicitation=135, advertisement=136),
    Check(lambda context: str(context.type) in ("solicitation", "advertisement")),
    "code" / Const(0, Int8ub),
    "checksum" / Default(Int16ub, 0),
    "flags" / FLAGS,
    "target" / IPV6_ADDRESS,
    Check(lambda context: context.target[0] != 0xFF),
    "options" / GreedyRange(OPTION),
    Terminated,
)


def checksum(data: bytes) -> int:
    """The checksum of RFC 1071: ones' complement of the ones' complement sum of 16-bit words."""
    total = 0
    padded = data + bytes(len(data) % 2)
    for at in range(0, len(padded), 2):
        total += padded[at] << 8 | padded[at + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo_header(source: bytes, destination: bytes, length: int) -> bytes:
    """The pseudo header of RFC 8200, 8.1."""
    return source + destination + length.to_bytes(4, "big") + bytes(3) + bytes([ICMPV6])


class _Checksummed(Adapter):  # type: ignore[misc]
    """A message as bytes, its checksum filled in or checked; the IPv6 header is around it."""

    def _encode(self, message: Any, context: Any, path: str) -> bytes:
        blank: bytes = MESSAGE.build({**message, "checksum": 0})
        head = pseudo_header(context.source, context.destination, len(blank))
        return blank[:2] + checksum(head + blank).to_bytes(2, "big") + blank[4:]

    def _decode(self, data: bytes, context: Any, path: str) -> Any:
        head = pseudo_header(context.source, context.destination, len(data))
        message = MESSAGE.parse(data)
        message.right = checksum(head + data) == 0
        return message


def _length(context: Any) -> int:
    return len(MESSAGE.build({**context.message, "checksum": 0}))


def _valid(context: Any) -> bool:
    """Whether a message is valid by RFC 4861, 7.1.1 and 7.1.2."""
    message = context.message
    if str(message.type) == "advertisement":
        return not (context.destination[0] == 0xFF and message.flags.solicited)
    named = any(option.type == "source_link_layer" for option in message.options)
    probe = context.source == UNSPECIFIED
    return not probe or (context.destination.startswith(SOLICITED_NODE) and not named)


IPV6 = Struct(
    "first"
    / Default(
        BitStruct(
            "version" / Const(6, BitsInteger(4)),
            "traffic_class" / Default(BitsInteger(8), 0),
            "flow_label" / Default(BitsInteger(20), 0),
        ),
        Container(),
    ),
    "length" / Rebuild(Int16ub, _length),
    "next_header" / Const(ICMPV6, Int8ub),
    "hop_limit" / Const(255, Int8ub),
    "source" / IPV6_ADDRESS,
    "destination" / IPV6_ADDRESS,
    "message" / _Checksummed(Bytes(this.length)),
    If(this._parsing, Check(lambda context: context.message.right and _valid(context))),
)

# Ethernet -------------------------------------------------------------------------------------

TAG = Struct(
    Const(TAGGED, Int16ub),
    "control" / BitStruct("priority" / BitsInteger(3), "drop" / Flag, "vlan" / BitsInteger(12)),
)

FRAME = Struct(
    "destination" / MAC,
    "source" / MAC,
    "_next" / If(this._parsing, Peek(Int16ub)),
    "tag" / Default(If(lambda context: context._parsing and context._next == TAGGED, TAG), None),
    "type" / Enum(Int16ub, **TYPES),
    Check(lambda context: str(context.type) in TYPES),
    "payload" / Switch(lambda context: str(context.type), {"ARP": ARP, "IPV6": IPV6}),
    "padding" / Default(GreedyBytes, b""),
)
"""A frame without its checksum. A tag is read, never written."""
