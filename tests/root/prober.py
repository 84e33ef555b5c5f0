"""A peer that asks every address every 10 ms whether it is there, while aliases move.

``prober.py ADDRESS...`` in the peer's namespace: a line when every address has answered, then
rounds of ICMP echo requests until standard input ends, and on until each address has answered
ROUNDS times running, or for PATIENCE seconds. Then JSON: see Probed.

A round is two calls: sendmmsg(2) of the same eight bytes to all addresses of a family, and
recvmmsg(2). The kernel of the peer finds routes and neighbours as for every other program.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import EAGAIN
from itertools import pairwise
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))

from mmsghdr import AT_ONCE, LIBC, Iovec, Mmsghdr

PERIOD = 0.01
"""Seconds between two rounds."""
ROUNDS = 5
PATIENCE = 15.0
BUFFER = 8 << 20
ECHO_REPLY, ECHO_REQUEST = 0, 8
ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY = 128, 129
SOL_RAW, ICMP_FILTER = 255, 1  # linux/icmp.h
ICMP6_FILTER = 1  # linux/icmpv6.h, at level IPPROTO_ICMPV6
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h

ROOM = 64
"""Bytes for an answer: IPv4 has its header of twenty bytes in front."""
ANSWER = {
    False: struct.Struct(f"!12x4s4xBxxxHH{ROOM - 28}x"),
    True: struct.Struct(f"!BxxxHH{ROOM - 8}x"),
}
"""The source (IPv4), the type, the identifier and the number, by whether it is IPv6."""
NAME = {False: struct.Struct("=H2x4s8x"), True: struct.Struct("=H6x16s4x")}
"""struct sockaddr_in and sockaddr_in6: the family and the address, with port and scope 0."""


@dataclass
class Probed:
    """What a peer has found.

    ``gaps``: address -> the longest time, in ms, from a request without an answer to the next one
    with an answer. ``begins``: address -> when that gap began, in ms since all had answered.
    ``missed``: address -> the largest number of requests running without an answer.
    ``silent``: addresses that do not answer in the end. ``round`` and ``slowest``: the median and
    the longest time from one round to the next, in ms.
    """

    gaps: dict[str, float] = field(default_factory=dict)
    begins: dict[str, float] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    round: float = 0.0
    slowest: float = 0.0

    @property
    def worst(self) -> float:
        """The longest gap of all addresses, in ms."""
        return max(self.gaps.values())


class Family:
    """A raw socket, and the requests to all addresses of one family, prepared once."""

    def __init__(self, addresses: Sequence[bytes], *, six: bool) -> None:
        self._six = six
        self._id = os.getpid() & 0xFFFF
        self._socket = _socket(six)
        count = len(addresses)
        self._question = ctypes.create_string_buffer(8)
        name, family = NAME[six], socket.AF_INET6 if six else socket.AF_INET
        self._to = ctypes.create_string_buffer(
            b"".join(name.pack(family, one) for one in addresses)
        )
        self._out = (Mmsghdr * count)()
        self._asked = Iovec(ctypes.addressof(self._question), 8)
        for number, message in enumerate(self._out):
            message.name = ctypes.addressof(self._to) + number * name.size
            message.namelen = name.size
            message.iov = ctypes.addressof(self._asked)
            message.iovlen = 1
        self._answers = ctypes.create_string_buffer(AT_ONCE * ROOM)
        self._from = ctypes.create_string_buffer(AT_ONCE * name.size)
        self._in = (Mmsghdr * AT_ONCE)()
        self._into = (Iovec * AT_ONCE)()
        for number, message in enumerate(self._in):
            self._into[number] = (ctypes.addressof(self._answers) + number * ROOM, ROOM)
            message.name = ctypes.addressof(self._from) + number * name.size
            message.namelen = name.size  # the kernel writes it back unchanged
            message.iov = ctypes.addressof(self._into[number])
            message.iovlen = 1

    def ask(self, number: int) -> None:
        """Send the request with this number to all. One that the kernel refuses has no answer."""
        kind = ICMP6_ECHO_REQUEST if self._six else ECHO_REQUEST
        head = struct.pack("!BBHHH", kind, 0, 0, self._id, number & 0xFFFF)
        total = sum(struct.unpack("!4H", head))  # RFC 1071; the kernel does it for ICMPv6
        total = (total & 0xFFFF) + (total >> 16)
        self._question[:] = head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:]
        at, file, size = 0, self._socket.fileno(), ctypes.sizeof(Mmsghdr)
        while at < len(self._out):
            place = ctypes.c_void_p(ctypes.addressof(self._out) + at * size)
            count = min(AT_ONCE, len(self._out) - at)
            at += max(1, LIBC.sendmmsg(file, place, count, socket.MSG_DONTWAIT))

    def hear(self) -> Iterator[tuple[bytes, int]]:
        """The answers that are there: the packed address, and the number modulo 65 536."""
        count = AT_ONCE
        name, answer = NAME[self._six], ANSWER[self._six]
        while count == AT_ONCE:
            count = LIBC.recvmmsg(
                self._socket.fileno(), self._in, AT_ONCE, socket.MSG_DONTWAIT, None
            )
            if count < 0:
                if ctypes.get_errno() != EAGAIN:
                    raise OSError(ctypes.get_errno(), "recvmmsg")
                return
            heads = answer.iter_unpack(memoryview(self._answers)[: count * ROOM])
            if self._six:
                names = name.iter_unpack(memoryview(self._from)[: count * name.size])
                for (kind, who, low), (_, source) in zip(heads, names, strict=True):
                    if who == self._id and kind == ICMP6_ECHO_REPLY:
                        yield source, low
            else:
                for source, kind, who, low in heads:
                    if who == self._id and kind == ECHO_REPLY:
                        yield source, low


def _socket(six: bool) -> socket.socket:
    """A raw socket that hears nothing but answers."""
    if six:
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
        blocked = [0xFFFFFFFF] * 8
        blocked[ICMP6_ECHO_REPLY >> 5] &= ~(1 << (ICMP6_ECHO_REPLY & 31))
        made.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *blocked))
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        made.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("=I", ~(1 << ECHO_REPLY) & 0xFFFFFFFF))
    for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
        with suppress(PermissionError):  # in a user namespace
            made.setsockopt(socket.SOL_SOCKET, option, BUFFER)
    return made


class Prober:
    """Both families, and when which address has answered."""

    def __init__(self, addresses: Sequence[str]) -> None:
        packed = {
            socket.inet_pton(socket.AF_INET6 if ":" in one else socket.AF_INET, one): one
            for one in addresses
        }
        self._names = packed
        self._families = [
            Family(some, six=six)
            for six in (False, True)
            if (some := [one for one in packed if (len(one) == 16) is six])
        ]
        self._sent: list[float] = []
        self._due = time.monotonic()
        self.ready = sys.maxsize
        """The round from which on gaps count."""
        self.last = dict.fromkeys(packed, -1)
        """Address -> the last round in which it has answered."""
        self._gaps = dict.fromkeys(packed, (0.0, 0.0))
        self._missed = dict.fromkeys(packed, 0)
        self.running = dict.fromkeys(packed, 0)
        """Address -> rounds running in which it has answered."""

    def round(self) -> None:
        """Ask all, and hear until the next round is due."""
        self._sent.append(time.monotonic())
        for family in self._families:
            family.ask(len(self._sent) - 1)
        self._hear()
        now = time.monotonic()
        self._due = max(self._due + PERIOD, now)
        time.sleep(self._due - now)
        self._hear()

    def _hear(self) -> None:
        newest = len(self._sent) - 1
        for family in self._families:
            for address, low in family.hear():
                self._answered(address, newest - ((newest - low) & 0xFFFF))

    def _answered(self, address: bytes, number: int) -> None:
        before = self.last.get(address, number)
        if number <= before:
            return
        if number == before + 1:
            self.running[address] += 1
        else:
            self.running[address] = 1
            if before >= self.ready:
                begin = self._sent[before + 1]
                gap = self._sent[number] - begin, begin
                self._gaps[address] = max(self._gaps[address], gap)
                self._missed[address] = max(self._missed[address], number - before - 1)
        self.last[address] = number

    def found(self) -> Probed:
        """What there is to tell."""
        sent = self._sent[self.ready :]
        took = sorted(b - a for a, b in pairwise(sent))
        gaps = {self._names[one]: gap for one, gap in self._gaps.items()}
        return Probed(
            {one: round(1000 * gap, 1) for one, (gap, _) in gaps.items()},
            {one: round(1000 * (at - sent[0]), 1) for one, (gap, at) in gaps.items() if gap},
            {self._names[one]: count for one, count in self._missed.items()},
            [self._names[one] for one, rounds in self.running.items() if rounds < ROUNDS],
            round(1000 * took[len(took) // 2], 1),
            round(1000 * took[-1], 1),
        )


def main(addresses: Sequence[str]) -> int:
    """See above."""
    gc.disable()
    with suppress(PermissionError):
        os.nice(-20)
    prober = Prober(addresses)
    while min(prober.last.values()) < 0:
        prober.round()
    prober.ready = max(prober.last.values())
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        prober.round()
    prober.running = dict.fromkeys(prober.running, 0)
    end = time.monotonic() + PATIENCE
    while min(prober.running.values()) < ROUNDS and time.monotonic() < end:
        prober.round()
    print(json.dumps(vars(prober.found())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
