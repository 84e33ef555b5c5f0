"""Processor time of the responder of ``netalias watch``: beside solicitations, and at rest.

A packet socket at the far end of the veth asks for a thousand addresses of a /64, at an even pace;
the frames that come back are counted by the kernel. A rate that was not reached is told as it was.
"""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

from installs import Installs
from page import MISSED, REACHED, verdict
from residents import RUN, Resident, watcher
from stage import Stage

NETWORK = "2001:db8:9::"
RATE = 10_000
"""Solicitations a second."""
LASTS, WARM, REST = 4.0, 0.5, 3.0
"""Seconds of the questions, of those before that are not counted, and of the time without any."""
BACKLOG = 1.0
"""Seconds in which what still waits in its socket is answered."""
TURN = 0.005
"""Seconds from one handful of questions to the next."""
LIMIT = 25.0
"""Percent of one core."""
ENOUGH = 0.98
"""The part of RATE from which on it counts as reached."""


def rows(installs: Installs) -> list[list[str]]:
    """The rows of a table: text, figure, limit and verdict. Raises Failed."""
    stage = Stage()
    try:
        RUN.mkdir(exist_ok=True)
        resident = watcher(installs, f"eth9:6 {NETWORK}/64 kind prefix\n", 1)
        try:
            return [*_asked(resident), _rested(resident)]
        finally:
            resident.close()
    finally:
        stage.close()


def _asked(resident: Resident) -> list[list[str]]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as asker:
        asker.bind(("peth9", 0))
        frames = [solicitation(asker.getsockname()[4], number) for number in range(1, 1001)]
        _ask(asker, frames, WARM)
        before, used, begin = _received(), resident.used(), time.monotonic()
        sent = _ask(asker, frames, LASTS)
        taken = time.monotonic() - begin
        share = (resident.used() - used) / taken / 10
        rate, answers = sent / taken, (_received() - before) / taken
    reached = rate >= ENOUGH * RATE and answers >= ENOUGH * rate
    load = verdict(share, LIMIT) if reached else f"{MISSED} (asked {rate:.0f} a second)"
    return [
        ["solicitations answered", f"{answers:.0f} of {rate:.0f} a second", f">= {RATE}",
         REACHED if reached else MISSED],
        ["the responder meanwhile, of one core", f"{share:.1f} %", f"<= {LIMIT:g} %", load],
    ]  # fmt: skip


def _rested(resident: Resident) -> list[str]:
    time.sleep(BACKLOG)
    before = resident.used()
    time.sleep(REST)
    used = resident.used() - before
    return [f"the responder in {REST:g} s without any", f"{used:.1f} ms", "0 ms",
            REACHED if not used else MISSED]  # fmt: skip


def _ask(asker: socket.socket, frames: list[bytes], seconds: float) -> int:
    """Send *frames* in turn for some *seconds*, RATE of them a second; how many were sent."""
    begin, sent, size = time.monotonic(), 0, len(frames)
    while (now := time.monotonic() - begin) < seconds:
        for number in range(sent, int(now * RATE)):
            asker.send(frames[number % size])
        sent = int(now * RATE)
        time.sleep(TURN)
    return sent


def _received() -> int:
    """The frames that the far end has received (/proc/net/dev, proc(5))."""
    lines = Path("/proc/thread-self/net/dev").read_text().splitlines()
    return next(int(line.split()[2]) for line in lines if line.split()[0] == "peth9:")


def solicitation(mac: bytes, number: int) -> bytes:
    """The frame of a host that asks for an address of NETWORK (RFC 4861, 4.3)."""
    target = socket.inet_pton(socket.AF_INET6, f"{NETWORK}{number:x}")
    source = socket.inet_pton(socket.AF_INET6, "fe80::1")
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    body = b"\x87" + bytes(7) + target + b"\1\1" + mac
    pseudo = source + group + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    total = int.from_bytes(pseudo + body, "big") % 0xFFFF
    body = body[:2] + struct.pack("!H", 0xFFFF - total) + body[4:]
    head = b"\x33\x33" + group[12:] + mac + b"\x86\xdd"
    outer = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255)
    return head + outer + source + group + body
