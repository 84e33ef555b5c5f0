"""Frames that tell who has an address: ARP (RFC 826) and neighbour discovery (RFC 4861). Pure."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import NamedTuple

ETHERNET = struct.Struct("!6s6sH")
ETH_P_ARP, ETH_P_IPV6 = 0x0806, 0x86DD  # linux/if_ether.h
EVERYBODY = b"\xff" * 6

ARP = struct.Struct("!HHBBH6s4s6s4s")
"""Over Ethernet and IPv4."""
PREFIX = 1, 0x0800, 6, 4
REQUEST, REPLY = 1, 2

IPV6 = struct.Struct("!IHBB16s16s")
"""RFC 8200: version, length, next header, hop limit, source and destination."""
VERSION, HOPS = 6 << 28, 255
ND = struct.Struct("!BBHI16s")
"""A solicitation or an advertisement: type, code, checksum, flags and target; options follow."""
SOLICITATION, ADVERTISEMENT = 135, 136
SOURCE, TARGET = 1, 2
"""Options that tell a link-layer address."""
LINK_LAYER = struct.Struct("!BB6s")
"""An option: its type, its length in units of eight bytes, and a MAC."""
NODES = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13]
"""The solicited-node multicast addresses, without the last three bytes of the target."""


class Said(NamedTuple):
    """A frame says that *mac* has the packed *address*. ``to`` is the MAC that it answers; empty
    where it says so to everybody, or asks something itself."""

    address: bytes
    mac: bytes
    to: bytes


def question(own: bytes, sender: bytes, target: bytes) -> bytes:
    """The frame by which *own*, with the packed address *sender*, asks everybody for *target*."""
    ask = _solicitation if len(target) == 16 else _request
    return ask(own, sender, target)


def said(frame: bytes) -> Said | None:
    """The claim of a frame to an address; None where it claims none, as a probe."""
    if len(frame) < ETHERNET.size:
        return None
    to, source, protocol = ETHERNET.unpack_from(frame)
    if protocol == ETH_P_ARP:
        return _arp(frame)
    return _discovery(frame, to, source) if protocol == ETH_P_IPV6 else None


def _request(own: bytes, sender: bytes, target: bytes) -> bytes:
    arp = ARP.pack(*PREFIX, REQUEST, own, sender, bytes(6), target)
    return ETHERNET.pack(EVERYBODY, own, ETH_P_ARP) + arp


def _arp(frame: bytes) -> Said | None:
    if len(frame) < ETHERNET.size + ARP.size:
        return None
    *prefix, operation, mac, address, to, _ = ARP.unpack_from(frame, ETHERNET.size)
    if tuple(prefix) != PREFIX or not any(address):
        return None
    return Said(address, mac, to if operation == REPLY else b"")


def _solicitation(own: bytes, sender: bytes, target: bytes) -> bytes:
    group = NODES + target[13:]
    options = LINK_LAYER.pack(SOURCE, 1, own)
    size = ND.size + len(options)
    sums = sender, group, struct.pack("!II", size, socket.IPPROTO_ICMPV6)
    check = checksum([*sums, ND.pack(SOLICITATION, 0, 0, 0, target), options])
    return b"".join((
        ETHERNET.pack(b"\x33\x33" + group[12:], own, ETH_P_IPV6),
        IPV6.pack(VERSION, size, socket.IPPROTO_ICMPV6, HOPS, sender, group),
        ND.pack(SOLICITATION, 0, check, 0, target),
        options,
    ))  # fmt: skip


def _discovery(frame: bytes, to: bytes, source: bytes) -> Said | None:
    at = ETHERNET.size + IPV6.size
    if len(frame) < at + ND.size:
        return None
    _, size, following, hops, sender, _ = IPV6.unpack_from(frame, ETHERNET.size)
    kind, code, _, _, target = ND.unpack_from(frame, at)
    if (following, hops, code) != (socket.IPPROTO_ICMPV6, HOPS, 0):
        return None
    options = frame[at + ND.size : at + size]
    if kind == ADVERTISEMENT:
        everybody = to[0] & 1
        return Said(target, _option(options, TARGET) or source, b"" if everybody else to)
    if kind == SOLICITATION and any(sender):
        return Said(sender, _option(options, SOURCE) or source, b"")
    return None


def _option(options: bytes, kind: int) -> bytes:
    """The MAC of an option of a kind; empty without one."""
    while len(options) >= LINK_LAYER.size and options[1]:
        found, units, mac = LINK_LAYER.unpack_from(options)
        if found == kind:
            return bytes(mac)
        options = options[8 * units :]
    return b""


def checksum(parts: Sequence[bytes]) -> int:
    """The Internet checksum (RFC 1071) of parts of even lengths."""
    data = b"".join(parts)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
