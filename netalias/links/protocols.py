"""The protocol field of PPP in front of every packet: two bytes (RFC 1661, 2). Pure.

It is put on once and taken off once, by whoever made or wants the packet: links carry the whole.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Buffer = bytes | bytearray | memoryview

IPV4, IPV6, BRIDGED, MULTILINK, LCP = 0x0021, 0x0057, 0x0031, 0x003D, 0xC021
VENDOR = 0x405B
NAMES = {
    IPV4: "IPv4", IPV6: "IPv6", BRIDGED: "Ethernet", MULTILINK: "multilink", LCP: "LCP",
    VENDOR: "vendor",
}  # fmt: skip
FIELD = 2
"""Bytes of the field."""
MAC_HEADER = b"\x00\x01"
"""Before a frame of Ethernet: no flags, no padding, MAC type 1 (RFC 3518, 4.2)."""
OUI = b"\x02na"
"""The vendor in packets of VENDOR: one that nobody has, since its bit for local use is set."""

_V4, _V6 = (one.to_bytes(FIELD, "big") for one in (IPV4, IPV6))
_BRIDGED = BRIDGED.to_bytes(FIELD, "big") + MAC_HEADER


def framed(packet: Buffer, *, tap: bool) -> bytes:
    """A packet of a TUN device, or a frame of a TAP device, with its protocol; empty for one that
    is neither."""
    if tap:
        return _BRIDGED + packet
    version = packet[0] >> 4 if packet else 0
    if version == 4:
        return _V4 + packet
    return _V6 + packet if version == 6 else b""


def unframed(packet: bytes, *, tap: bool) -> bytes:
    """The opposite; empty for a packet of another protocol."""
    if tap:
        return packet[len(_BRIDGED) :] if packet[: len(_BRIDGED)] == _BRIDGED else b""
    field, version = packet[:FIELD], packet[FIELD] >> 4 if len(packet) > FIELD else 0
    if (field == _V4 and version == 4) or (field == _V6 and version == 6):
        return packet[FIELD:]
    return b""


def vendor(magic: int, content: bytes) -> bytes:
    """A packet of ours that is none of the device (RFC 3772, 4), from the end with this number."""
    return VENDOR.to_bytes(FIELD, "big") + magic.to_bytes(4, "big") + OUI + b"\0" + content


def of_vendor(packet: bytes) -> tuple[int, bytes]:
    """The number and the content that vendor() had; no content for any other packet."""
    fits = packet[:FIELD] == VENDOR.to_bytes(FIELD, "big") and packet[6:9] == OUI
    return (int.from_bytes(packet[2:6], "big"), packet[10:]) if fits else (0, b"")


def protocol(packet: bytes) -> int:
    """The number of the protocol; 0 for a packet that has none."""
    return int.from_bytes(packet[:FIELD], "big") if len(packet) >= FIELD else 0


def named(number: int) -> str:
    """``IPv4``, or the number in hex."""
    return NAMES.get(number) or f"0x{number:04x}"
