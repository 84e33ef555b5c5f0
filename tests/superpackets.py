"""Superpackets made by hand, and cut by hand as the kernel cuts them: the judge of the tunnels."""

from __future__ import annotations

import socket
import struct

from netalias.tunnels.tun import GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_HDR

Packet = tuple[bytes, bytes]
"""Header of virtio and packet."""

ADDRESSES = {4: (b"\x0a\x08\0\1", b"\x0a\x08\0\2"), 6: (b"\xfd" + bytes(15), b"\xfd" + b"\1" * 15)}
PROTOCOL = {"tcp": 6, "udp": 17}


def folded(data: bytes) -> int:
    """The sum of RFC 1071, not complemented."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def pseudo(version: int, protocol: int, length: int, addresses: bytes) -> bytes:
    """The pseudo-header."""
    shape = "!HH" if version == 4 else "!II"
    return addresses + struct.pack(
        shape, *((protocol, length) if version == 4 else (length, protocol))
    )


def made(
    version: int, kind: str, payload: bytes, size: int, flags: int = 0x10, options: bytes = b""
) -> Packet:
    """A superpacket of *payload*, whose segments carry *size* bytes; a single packet if it fits."""
    protocol = PROTOCOL[kind]
    if kind == "tcp":
        doff = (20 + len(options)) // 4
        head = struct.pack("!HHIIBBHHH", 1000, 2000, 0xFFFFFF00, 77, doff << 4, flags, 500, 0, 0)
        head += options
    else:
        head = struct.pack("!HHHH", 1000, 2000, 8 + len(payload), 0)
    length = len(head) + len(payload)
    source, target = ADDRESSES[version]
    csum = 16 if kind == "tcp" else 6
    partial = folded(pseudo(version, protocol, length, source + target))
    head = head[:csum] + struct.pack("!H", partial) + head[csum + 2 :]
    if version == 4:
        ip = struct.pack("!BBHHHBBH", 0x45, 3, 20 + length, 0xFFFE, 0x4000, 64, protocol, 0)
        ip += source + target
        ip = ip[:10] + struct.pack("!H", ~folded(ip) & 0xFFFF) + ip[12:]
    else:
        ip = struct.pack("!IHBB", 0x60300000, length, protocol, 64) + source + target
    gso = GSO_UDP_L4 if kind == "udp" else GSO_TCPV4 if version == 4 else GSO_TCPV6
    if len(payload) <= size:
        gso = GSO_NONE
    vnet = VNET_HDR.pack(1, gso, len(ip) + len(head), size if gso else 0, len(ip), csum)
    return vnet, ip + head + payload


def cut(packet: Packet) -> list[bytes]:
    """The packets on the wire, with full checksums."""
    flags, gso, _, size, start, csum = VNET_HDR.unpack(packet[0])
    data = packet[1]
    if not flags:
        return [data]
    header = start + (8 if csum == 6 else data[start + 12] >> 4 << 2)
    payload = data[header:]
    size = size if gso else max(len(payload), 1)
    parts = [payload[one : one + size] for one in range(0, len(payload), size)] or [b""]
    found = []
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        found.append(_segment(data[:header], start, csum, number, number * size, part, last))
    return found


def _segment(
    head: bytes, start: int, csum: int, number: int, offset: int, part: bytes, last: bool
) -> bytes:
    ip, transport = bytearray(head[:start]), bytearray(head[start:])
    length = len(transport) + len(part)
    if csum == 6:
        struct.pack_into("!H", transport, 4, length)
    else:
        (sequence,) = struct.unpack_from("!I", transport, 4)
        struct.pack_into("!I", transport, 4, (sequence + offset) & 0xFFFFFFFF)
        transport[13] &= ~((0 if last else 0x09) | (0x80 if number else 0)) & 0xFF
    struct.pack_into("!H", transport, csum, 0)
    version = ip[0] >> 4
    if version == 4:
        (identification,) = struct.unpack_from("!H", ip, 4)
        struct.pack_into("!HH", ip, 2, start + length, (identification + number) & 0xFFFF)
        struct.pack_into("!H", ip, 10, 0)
        struct.pack_into("!H", ip, 10, ~folded(bytes(ip)) & 0xFFFF)
        protocol, addresses = ip[9], bytes(ip[12:20])
    else:
        struct.pack_into("!H", ip, 4, start - 40 + length)
        protocol, addresses = ip[6], bytes(ip[8:40])
    body = bytes(transport) + part
    whole = folded(pseudo(version, protocol, length, addresses) + body)
    struct.pack_into("!H", transport, csum, ~whole & 0xFFFF or 0xFFFF)
    return bytes(ip) + bytes(transport) + part


def sums_are_right(packet: bytes) -> bool:
    """Whether both checksums of a packet on the wire are right."""
    version = packet[0] >> 4
    start = (packet[0] & 15) * 4 if version == 4 else 40
    protocol = packet[9] if version == 4 else packet[6]
    addresses = packet[12:20] if version == 4 else packet[8:40]
    if version == 4 and folded(packet[:start]) != 0xFFFF:
        return False
    header = pseudo(version, protocol, len(packet) - start, addresses)
    return folded(header + packet[start:]) == 0xFFFF


def text(packet: bytes) -> str:
    """Addresses of a packet, for messages of tests."""
    family = socket.AF_INET if packet[0] >> 4 == 4 else socket.AF_INET6
    place = slice(12, 20) if packet[0] >> 4 == 4 else slice(8, 40)
    pair = packet[place]
    half = len(pair) // 2
    return " -> ".join(socket.inet_ntop(family, one) for one in (pair[:half], pair[half:]))
