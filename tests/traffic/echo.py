"""Packets there and back: UDP, TCP, and echo requests that the kernel answers."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable

from command import client, listening
from support import SLOW, Namespace

LIMIT = 5.0 * SLOW
"""Seconds after which a packet is lost. On these cables it takes microseconds."""

PAYLOAD = b"netalias"
ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (58, 128, 129)}
"""Protocol, type of the request, type of the answer (RFC 792, RFC 4443)."""


class Lost(Exception):
    """What did not come, or came from elsewhere."""


class Call:
    """Who calls whom: *address* in *there* from *here*, bound to *source* and *device* if given;
    the server is bound to the device *at*."""

    def __init__(
        self,
        here: Namespace,
        there: Namespace,
        address: str,
        source: str = "",
        device: str = "",
        *,
        at: str = "",
    ) -> None:
        self.here, self.there, self.address, self.at = here, there, address, at
        self.bound = {"source": source, "device": device}
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def __str__(self) -> str:
        source = self.bound["source"] or "the peer"
        return f"{source} -> {self.address}"

    def try_all(self) -> None:
        """Each protocol in turn. Raises Lost."""
        for name, protocol in PROTOCOLS.items():
            try:
                protocol(self)
            except TimeoutError:
                raise Lost(f"{name} {self}: no answer") from None
            except OSError as error:
                raise Lost(f"{name} {self}: {error.strerror}") from error

    def seen_as(self, peer: str) -> None:
        """The other side sees the address that the caller has bound to."""
        source = self.bound["source"]
        if source and peer != source:
            raise Lost(f"{self}: it came from {peer}")


def udp(call: Call, size: int = len(PAYLOAD)) -> None:
    """A datagram and its answer, which comes from the address that was called."""
    payload = (PAYLOAD * (size // len(PAYLOAD) + 1))[:size]
    with (
        listening(call.there, call.family, socket.SOCK_DGRAM, call.address, call.at) as server,
        client(call.here, call.family, socket.SOCK_DGRAM, **call.bound) as caller,
    ):
        server.settimeout(LIMIT)
        caller.settimeout(LIMIT)
        caller.sendto(payload, (call.address, server.getsockname()[1]))
        data, peer = server.recvfrom(65536)
        call.seen_as(peer[0])
        server.sendto(data, peer)
        answer, answerer = caller.recvfrom(65536)
        if (answer, answerer[0]) != (payload, call.address):
            raise Lost(f"{call}: another answer, from {answerer[0]}")


def tcp(call: Call) -> None:
    """A connection, some bytes and their answer."""
    with (
        listening(call.there, call.family, socket.SOCK_STREAM, call.address, call.at) as server,
        client(call.here, call.family, socket.SOCK_STREAM, **call.bound) as caller,
    ):
        server.settimeout(LIMIT)
        caller.settimeout(LIMIT)
        caller.connect((call.address, server.getsockname()[1]))
        accepted, peer = server.accept()
        with accepted:
            call.seen_as(peer[0])
            accepted.settimeout(LIMIT)
            for one, other in ((caller, accepted), (accepted, caller)):
                one.sendall(PAYLOAD)
                if other.recv(64) != PAYLOAD:
                    raise Lost(f"{call}: other bytes")


def icmp(call: Call) -> None:
    """An echo request over a raw socket; the kernel of the other side answers."""
    protocol, request, reply = ECHO[call.family]
    with call.here:
        caller = socket.socket(call.family, socket.SOCK_RAW, protocol)
    with caller:
        with call.here:
            if call.bound["device"]:
                device = call.bound["device"].encode()
                caller.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
            if call.bound["source"]:
                caller.bind((call.bound["source"], 0))
        caller.settimeout(LIMIT)
        word = os.urandom(8)
        packet = struct.pack("!BBHHH", request, 0, 0, 0, 1) + word
        if call.family == socket.AF_INET:  # of ICMPv6 the kernel makes the checksum
            packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
        caller.sendto(packet, (call.address, 0))
        while True:
            data, peer = caller.recvfrom(2048)
            body = data[(data[0] & 15) * 4 :] if call.family == socket.AF_INET else data
            if body[0] == reply and body[8:] == word:
                break
        if peer[0] != call.address:
            raise Lost(f"{call}: the echo came from {peer[0]}")


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


PROTOCOLS: dict[str, Callable[[Call], None]] = {"udp": udp, "tcp": tcp, "icmp": icmp}
