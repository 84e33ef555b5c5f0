"""A host that asks who has an address, frame by frame, and hears who answers."""

from __future__ import annotations

import socket
import struct
from types import TracebackType

from support import Namespace

ETH_P_ALL = 3
ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD
ARP_REPLY = 2
NEIGHBOUR_SOLICITATION = 135
NEIGHBOUR_ADVERTISEMENT = 136
BROADCAST = b"\xff" * 6
SOLICITED = bytes.fromhex("ff0200000000000000000001ff")
"""RFC 4291, section 2.7.1: the first 13 bytes of a solicited-node address."""
PATIENCE = 30.0
"""Seconds until an answer that must come is missed."""


class Asker:
    """Asks on one device. A question for a control address goes out behind each other one.

    A veth delivers in order, and the kernel answers at once what it does not delay: so when the
    answer for the control address is there and none for the other one, there will be none.
    """

    def __init__(self, namespace: Namespace, device: str, sources: tuple[str, str]) -> None:
        with namespace:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.bind((device, 0))
        self._socket.settimeout(PATIENCE)
        self._mac: bytes = self._socket.getsockname()[4]
        self._sources = dict(zip((4, 16), map(_packed, sources), strict=True))

    def __enter__(self) -> Asker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()

    def hears(self, address: str, control: str) -> bool:
        """Whether *address* is answered for; *control* is one that must be."""
        self._drain()
        for text in (address, control):
            self._socket.send(self._question(_packed(text)))
        heard = set()
        while _packed(control) not in heard:
            heard.add(_answered(self._socket.recv(2048)))
        return _packed(address) in heard

    def _drain(self) -> None:
        """What came before was not asked for now."""
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(2048)
        except BlockingIOError:
            self._socket.settimeout(PATIENCE)

    def _question(self, target: bytes) -> bytes:
        source = self._sources[len(target)]
        if len(target) == 4:
            head = BROADCAST + self._mac + struct.pack("!H", ETH_P_ARP)
            body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + self._mac + source
            return head + body + bytes(6) + target
        group = SOLICITED + target[13:]
        body = struct.pack("!BBHI", NEIGHBOUR_SOLICITATION, 0, 0, 0) + target
        body += b"\1\1" + self._mac
        pseudo = source + group + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
        body = body[:2] + _checksum(pseudo + body) + body[4:]
        outer = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255)
        head = b"\x33\x33" + group[12:] + self._mac + struct.pack("!H", ETH_P_IPV6)
        return head + outer + source + group + body


def _packed(text: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def _checksum(data: bytes) -> bytes:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def _answered(frame: bytes) -> bytes:
    """The address that a frame is an answer for, or nothing."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == ETH_P_ARP and frame[21] == ARP_REPLY:
        return frame[28:32]
    if kind == ETH_P_IPV6 and frame[20] == socket.IPPROTO_ICMPV6:
        return frame[62:78] if frame[54] == NEIGHBOUR_ADVERTISEMENT else b""
    return b""
