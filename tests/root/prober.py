"""A peer that asks every address every 10 ms whether it is there, while aliases move.

``prober.py ADDRESS...`` in the peer's namespace: a line when every address has
answered, then rounds of ICMP echo requests until standard input ends, and on until each address has
answered ROUNDS times running, or for PATIENCE seconds. Then JSON: see Probed.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

PERIOD = 0.01
"""Seconds between two rounds, where the processor is fast enough."""
ROUNDS = 5
PATIENCE = 15.0
BUFFER = 8 << 20
ECHO_REPLY, ECHO_REQUEST = 0, 8
ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY = 128, 129
SOL_RAW, ICMP_FILTER = 255, 1  # linux/icmp.h
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h


@dataclass
class Probed:
    """What a peer has found.

    ``gaps``: address -> the longest time, in ms, from a request without an answer to the next one
    with an answer. ``silent``: addresses that do not answer in the end. ``round``: the
    median time of a round in ms.
    """

    gaps: dict[str, float] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    round: float = 0.0

    @property
    def worst(self) -> float:
        """The longest gap of all addresses, in ms."""
        return max(self.gaps.values())


class Prober:
    """Both sockets, and when which address has answered."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._sockets = {
            False: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
            True: socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
        }
        self._sockets[False].setsockopt(
            SOL_RAW, ICMP_FILTER, struct.pack("=I", ~(1 << ECHO_REPLY) & 0xFFFFFFFF)
        )
        for one in self._sockets.values():
            one.setblocking(False)
            for option in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
                with suppress(PermissionError):  # in a user namespace
                    one.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        self._targets = [(self._sockets[":" in one], ":" in one, one) for one in addresses]
        self._id = os.getpid() & 0xFFFF
        self._sent: list[float] = []
        self.last = dict.fromkeys(addresses, -1)
        """Address -> the last round in which it has answered."""
        self.gaps = dict.fromkeys(addresses, 0.0)
        self.running = dict.fromkeys(addresses, 0)
        """Address -> rounds running in which it has answered."""

    def round(self) -> None:
        """Ask all, and hear until the next round is due."""
        begin = time.monotonic()
        self._sent.append(begin)
        number = len(self._sent) - 1
        questions = {six: self._question(six, number) for six in (False, True)}
        for through, six, address in self._targets:
            try:
                through.sendto(questions[six], (address, 0))
            except OSError:
                pass  # no answer then
        while True:
            self._hear()
            rest = begin + PERIOD - time.monotonic()
            if rest <= 0:
                return
            select.select([*self._sockets.values()], [], [], rest)

    def _question(self, six: bool, number: int) -> bytes:
        kind = ICMP6_ECHO_REQUEST if six else ECHO_REQUEST
        head = struct.pack("!BBHHH", kind, 0, 0, self._id, number & 0xFFFF)
        total = sum(struct.unpack("!4H", head))  # RFC 1071; the kernel does it for ICMPv6
        total = (total & 0xFFFF) + (total >> 16)
        return head[:2] + struct.pack("!H", ~total & 0xFFFF) + head[4:]

    def _hear(self) -> None:
        for six, through in self._sockets.items():
            while True:
                try:
                    data, (address, *_) = through.recvfrom(256)
                except BlockingIOError:
                    break
                body = data if six else data[(data[0] & 15) * 4 :]
                kind, _, _, who, low = struct.unpack_from("!BBHHH", body)
                if kind == (ICMP6_ECHO_REPLY if six else ECHO_REPLY) and who == self._id:
                    self._answered(address, low)

    def _answered(self, address: str, low: int) -> None:
        newest = len(self._sent) - 1
        number = newest - ((newest - low) & 0xFFFF)
        before = self.last[address]
        if number <= before:
            return
        if before >= 0:
            self.gaps[address] = max(
                self.gaps[address], self._sent[number] - self._sent[before + 1]
            )
        self.running[address] = self.running[address] + 1 if number == before + 1 else 1
        self.last[address] = number

    def found(self) -> Probed:
        """What there is to tell."""
        took = sorted(b - a for a, b in zip(self._sent, self._sent[1:], strict=False))
        return Probed(
            {one: round(1000 * gap, 1) for one, gap in self.gaps.items()},
            [one for one, rounds in self.running.items() if rounds < ROUNDS],
            round(1000 * took[len(took) // 2], 1),
        )


def main(addresses: Sequence[str]) -> int:
    """See above."""
    prober = Prober(addresses)
    while min(prober.last.values()) < 0:
        prober.round()
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        prober.round()
    prober.running = dict.fromkeys(addresses, 0)
    end = time.monotonic() + PATIENCE
    while min(prober.running.values()) < ROUNDS and time.monotonic() < end:
        prober.round()
    print(json.dumps(vars(prober.found())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
