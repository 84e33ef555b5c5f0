"""The service record of a network access point of Bluetooth, in its binary form.

Data elements are those of the Service Discovery Protocol (Bluetooth Core, volume 3, part B, 3.3),
the attributes those of the PAN profile 1.0, 8; numbers are in network order. The whole record is
one sequence of identifiers, in their order, each followed by its value.
"""

from __future__ import annotations

from construct import (  # type: ignore[import-untyped]
    Bytes,
    Error,
    FocusedSeq,
    GreedyBytes,
    GreedyRange,
    Int8ub,
    Int16ub,
    Int32ub,
    LazyBound,
    Prefixed,
    Struct,
    Switch,
    Terminated,
    this,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from netalias.record import Record

# The first byte of an element: its type in the upper five bits, its size in the others.
UINT8, UINT16, UINT32 = 0x08, 0x09, 0x0A
UUID16, UUID32, UUID128 = 0x19, 0x1A, 0x1C
TEXT8, TEXT16 = 0x25, 0x26
SEQUENCE8, SEQUENCE16, SEQUENCE32 = 0x35, 0x36, 0x37

ELEMENT = Struct(
    "head" / Int8ub,
    "value"
    / Switch(
        this.head,
        {
            UINT8: Int8ub,
            UINT16: Int16ub,
            UINT32: Int32ub,
            UUID16: Int16ub,
            UUID32: Int32ub,
            UUID128: Bytes(16),
            TEXT8: Prefixed(Int8ub, GreedyBytes),
            TEXT16: Prefixed(Int16ub, GreedyBytes),
            SEQUENCE8: Prefixed(Int8ub, LazyBound(lambda: ELEMENTS)),
            SEQUENCE16: Prefixed(Int16ub, LazyBound(lambda: ELEMENTS)),
            SEQUENCE32: Prefixed(Int32ub, LazyBound(lambda: ELEMENTS)),
        },
        default=Error,
    ),
)
"""One data element; other types and sizes than these are an error."""
ELEMENTS: Any = FocusedSeq("all", "all" / GreedyRange(ELEMENT), Terminated)
"""Elements up to the end."""

# Identifiers of attributes.
SERVICE_RECORD_HANDLE = 0x0000
SERVICE_CLASS_ID_LIST = 0x0001
PROTOCOL_DESCRIPTOR_LIST = 0x0004
BROWSE_GROUP_LIST = 0x0005
LANGUAGE_BASE_ATTRIBUTE_ID_LIST = 0x0006
SERVICE_AVAILABILITY = 0x0008
BLUETOOTH_PROFILE_DESCRIPTOR_LIST = 0x0009
SERVICE_NAME = 0x0100
SERVICE_DESCRIPTION = 0x0101
SECURITY_DESCRIPTION = 0x030A
NET_ACCESS_TYPE = 0x030B
MAX_NET_ACCESS_RATE = 0x030C
IPV4_SUBNET = 0x030D
IPV6_SUBNET = 0x030E

# UUIDs of protocols, and of classes of services.
L2CAP, BNEP = 0x0100, 0x000F
NAP, PUBLIC_BROWSE_ROOT = 0x1116, 0x1002

PSM = 0x000F
"""The channel of L2CAP that BNEP has."""
VERSION = 0x0100
"""1.0, of BNEP and of the profile."""
ENGLISH, UTF8 = 0x656E, 106
"""ISO 639 "en", and the number of the character set at IANA."""
LARGEST = 0xFFFFFFFF
LONGEST = 0xFFFF
"""Bytes of a text at most."""
NAME = "Network Access Point"


def _uint8(value: int) -> dict[str, Any]:
    return {"head": UINT8, "value": value}


def _uint16(value: int) -> dict[str, Any]:
    return {"head": UINT16, "value": value}


def _uint32(value: int) -> dict[str, Any]:
    return {"head": UINT32, "value": min(value, LARGEST)}


def _uuid(value: int) -> dict[str, Any]:
    return {"head": UUID16, "value": value}


def _text(text: str) -> dict[str, Any]:
    value = text.encode("utf-8", "replace")
    return {"head": TEXT8 if len(value) < 0x100 else TEXT16, "value": value}


def _subnets(subnets: Sequence[str]) -> dict[str, Any]:
    """The prefixes of one family that fit into a text, the first ones."""
    text = ",".join(subnets)
    return _text(text if len(text) <= LONGEST else text[: text.rindex(",", 0, LONGEST + 1)])


def _sequence(*elements: dict[str, Any]) -> dict[str, Any]:
    size = len(ELEMENTS.build(elements))
    head = SEQUENCE8 if size < 0x100 else SEQUENCE16 if size < 0x10000 else SEQUENCE32
    return {"head": head, "value": elements}


def sdp(record: Record) -> bytes:
    """The service record. Several subnets of a family are separated by commas, those that fit into
    64 KiB; a rate that is not known is 0, and one beyond 32 bits the largest number."""
    attributes: dict[int, dict[str, Any]] = {
        SERVICE_RECORD_HANDLE: _uint32(0),
        SERVICE_CLASS_ID_LIST: _sequence(_uuid(NAP)),
        PROTOCOL_DESCRIPTOR_LIST: _sequence(
            _sequence(_uuid(L2CAP), _uint16(PSM)),
            _sequence(
                _uuid(BNEP),
                _uint16(VERSION),
                _sequence(*(_uint16(one) for one in record.protocols)),
            ),
        ),
        BROWSE_GROUP_LIST: _sequence(_uuid(PUBLIC_BROWSE_ROOT)),
        LANGUAGE_BASE_ATTRIBUTE_ID_LIST: _sequence(
            _uint16(ENGLISH), _uint16(UTF8), _uint16(SERVICE_NAME)
        ),
        SERVICE_AVAILABILITY: _uint8(record.availability),
        BLUETOOTH_PROFILE_DESCRIPTOR_LIST: _sequence(_sequence(_uuid(NAP), _uint16(VERSION))),
        SERVICE_NAME: _text(NAME),
        SERVICE_DESCRIPTION: _text(f"The network of {record.name}"),
        SECURITY_DESCRIPTION: _uint16(0),
        NET_ACCESS_TYPE: _uint16(record.net_type),
        MAX_NET_ACCESS_RATE: _uint32(record.rate),
    }
    if record.ipv4:
        attributes[IPV4_SUBNET] = _subnets(record.ipv4)
    if record.ipv6:
        attributes[IPV6_SUBNET] = _subnets(record.ipv6)
    pairs = (one for number, value in attributes.items() for one in (_uint16(number), value))
    found: bytes = ELEMENT.build(_sequence(*pairs))
    return found
