"""ARP and neighbour discovery, asked by hand: who answers for an address, and with which MAC."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from support import PATIENCE, SLOW, Namespace

ETH_P_ARP = 0x0806
ETH_P_IPV6 = 0x86DD
BROADCAST = b"\xff" * 6
LIMIT = PATIENCE * SLOW
"""Seconds within which those answer who must."""


def packed(mac: str) -> bytes:
    """The six bytes of a MAC."""
    return bytes.fromhex(mac.replace(":", ""))


class Asker:
    """A station on the wire that asks: *device* in *namespace*, its MAC and an address of it."""

    def __init__(
        self, namespace: Namespace, device: str, mac: str, address: str, plain: str = ""
    ) -> None:
        self.mac, self.address, self.plain = packed(mac), address, plain or address
        self.inet6 = ":" in address
        self.protocol = ETH_P_IPV6 if self.inet6 else ETH_P_ARP
        self.socket = listener(namespace, device, self.protocol)

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def answers(self, target: str, known: dict[str, str], late: Ear | None = None) -> list[str]:
        """The MACs that answer for *target*, each as often as it answers.

        *known* are addresses with the MACs that surely answer for them when ``plain`` asks. They
        are asked for after *target*; whoever answers for it has done so when those answers are
        there, since a device handles what it is asked in order. *late* listens on a device that
        is handed a broadcast later than others: they are asked for when it has heard the question.
        Raises AssertionError when one of the answers does not come, or *late* hears nothing.
        """
        found: list[str] = []
        awaited = dict(known)
        deadline = time.monotonic() + LIMIT
        with one_processor():
            question = self.question(target, self.address)
            self.socket.send(question)
            if late is not None:
                late.hear(question, deadline)
            for address in known:
                self.socket.send(self.question(address, self.plain))
        while awaited:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                answer = self.read(self.socket.recv(2048))
            except TimeoutError:
                raise AssertionError(f"nobody answered for {awaited}") from None
            if answer is None:
                continue
            address, mac = answer
            if address == target:
                found.append(mac)
            elif awaited.get(address) == mac:
                del awaited[address]
        return found

    def question(self, target: str, sender: str) -> bytes:
        """The frame by which *sender* asks for *target*."""
        ask = self._solicitation if self.inet6 else self._request
        return ask(target, sender)

    def _request(self, target: str, sender: str) -> bytes:
        """RFC 826."""
        head = BROADCAST + self.mac + struct.pack("!HHHBBH", ETH_P_ARP, 1, 0x0800, 6, 4, 1)
        return head + self.mac + socket.inet_aton(sender) + bytes(6) + socket.inet_aton(target)

    def _solicitation(self, target: str, sender: str) -> bytes:
        """RFC 4861 section 4.3, to the solicited-node address of RFC 4291 section 2.7.1."""
        from echo import checksum

        source = socket.inet_pton(socket.AF_INET6, sender)
        wanted = socket.inet_pton(socket.AF_INET6, target)
        group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + wanted[13:]
        body = struct.pack("!BBHI", 135, 0, 0, 0) + wanted + b"\x01\x01" + self.mac
        pseudo = source + group + struct.pack("!II", len(body), 58)
        body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
        head = b"\x33\x33" + group[12:] + self.mac + struct.pack("!H", ETH_P_IPV6)
        return head + struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + group + body

    def read(self, frame: bytes) -> tuple[str, str] | None:
        """(address, MAC) of an answer to us; None for everything else on the wire."""
        if frame[:6] != self.mac:
            return None
        if self.inet6:
            if frame[20] != 58 or frame[54] != 136:
                return None
            return socket.inet_ntop(socket.AF_INET6, frame[62:78]), frame[80:86].hex(":")
        if frame[20:22] != b"\x00\x02":
            return None
        return socket.inet_ntoa(frame[28:32]), frame[22:28].hex(":")


class Ear:
    """Listens on a device for what it is asked.

    An ipvlan is handed broadcasts by a work item of the processor that received them
    (ipvlan_process_multicast in drivers/net/ipvlan/ipvlan_core.c), its main device at once.
    """

    def __init__(self, namespace: Namespace, device: str, protocol: int) -> None:
        self.socket = listener(namespace, device, protocol)

    def __enter__(self) -> Ear:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def hear(self, frame: bytes, deadline: float) -> None:
        """Wait for *frame* until *deadline* (time.monotonic). Raises AssertionError."""
        while True:
            self.socket.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                if self.socket.recv(2048).startswith(frame):
                    return
            except TimeoutError:
                raise AssertionError("the device was not handed the question") from None


def listener(namespace: Namespace, device: str, protocol: int) -> socket.socket:
    """A packet socket (packet(7)) on a device inside, for one protocol of Ethernet."""
    with namespace:
        found = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol))
    found.bind((device, protocol))
    return found


@contextmanager
def one_processor() -> Iterator[None]:
    """What this thread sends is received in order: each processor has a queue of its own."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
