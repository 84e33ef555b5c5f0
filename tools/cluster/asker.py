"""A host on the segment that asks for every address every 10 ms, by ARP or by neighbour
solicitations, and hears all frames that tell who has one.

``asker.py FILE DEVICE PERIOD OWN ADDRESS...`` in its namespace, where it has the addresses OWN, one
of each family, with a comma: prints ``ready`` after the first round, and asks until standard input
ends. FILE is then what ``read`` reads: the rounds, the answers, and frames that nobody asked for.

The asker has one of SENDERS MACs in turn, which differ in their last bits: an answer goes back to
the MAC that asked, and so tells its round. (With an IP address for each round every device that
answers would get a neighbour for it, and all namespaces share the kernel's table of a thousand.)
Frames are stamped by the kernel and kept in a ring that it shares (packet_mmap of the kernel's
documentation): a process that waits for the processor loses none, and delays no stamp.
"""

from __future__ import annotations

import ctypes
import gc
import mmap
import os
import select
import socket
import struct
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

sys.path.append(str(Path(__file__).parents[2] / "tests"))

from discovery import question, said
from judge import Answer, Claim
from mmsghdr import AT_ONCE, LIBC, Iovec, Mmsghdr

ETH_P_ALL = 0x0003  # linux/if_ether.h
SOL_PACKET = 263
PACKET_RX_RING, PACKET_STATISTICS, PACKET_VERSION, PACKET_IGNORE_OUTGOING = 5, 6, 10, 23
"""linux/if_packet.h"""
TPACKET_V3 = 2
TP_STATUS_USER = 1
REQ3 = struct.Struct("=7I")
"""struct tpacket_req3: block size and number, frame size and number, time-out in ms, 0, 0."""
BLOCK, BLOCKS, FRAME, RETIRE = 1 << 20, 48, 2048, 60
BLOCK_HEAD = struct.Struct("=8x3I4xQ4I")
"""struct tpacket_block_desc: status, frames, offset of the first, its number, times."""
FRAME_HEAD = struct.Struct("=5I4xH")
"""struct tpacket3_hdr: next, seconds, nanoseconds, bytes kept, bytes in all; the frame's place."""

SENDERS = 16
LOW = SENDERS - 1
"""The bits of the last byte of a MAC in which those of the asker differ."""

HEAD = struct.Struct("!II6s2x")
"""Of a file: rounds, lost frames, a MAC of the asker."""
TIME = struct.Struct("!d")
"""Of each round; they follow HEAD, and RECORDs follow them."""
RECORD = struct.Struct("!dB3x16s6s6s")
"""A frame: the time, the length of the address, the address, and the MAC that has it; the MAC that
it answers, zeros for none."""


class Questions:
    """The questions of one round for all addresses, sent by a few calls. *senders* are the packed
    addresses of the asker."""

    def __init__(
        self, device: str, mac: bytes, addresses: Sequence[bytes], senders: Sequence[bytes]
    ) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.bind((device, 0))
        self._rounds = []
        sender = {len(one): one for one in senders}
        for number in range(SENDERS):
            own = mac[:5] + bytes([mac[5] & ~LOW | number])
            self._rounds.append(_messages([question(own, sender[len(a)], a) for a in addresses]))

    def ask(self, number: int) -> None:
        """Send this round."""
        messages = self._rounds[number % SENDERS][0]
        at, size = 0, ctypes.sizeof(Mmsghdr)
        while at < len(messages):
            place = ctypes.c_void_p(ctypes.addressof(messages) + at * size)
            count = min(AT_ONCE, len(messages) - at)
            sent = LIBC.sendmmsg(self._socket.fileno(), place, count, 0)
            if sent < 0:
                raise OSError(ctypes.get_errno(), "sendmmsg")
            at += sent


def _messages(frames: Sequence[bytes]) -> tuple[ctypes.Array[Mmsghdr], list[object]]:
    """An array of struct mmsghdr, and the memory that it points to."""
    buffers = [ctypes.create_string_buffer(frame, len(frame)) for frame in frames]
    parts = [Iovec(ctypes.addressof(one), len(one)) for one in buffers]
    messages = (Mmsghdr * len(frames))()
    for message, part in zip(messages, parts, strict=True):
        message.iov = ctypes.addressof(part)
        message.iovlen = 1
    return messages, [buffers, parts]


class Ring:
    """All frames that come to a device."""

    def __init__(self, device: str) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        request = REQ3.pack(BLOCK, BLOCKS, FRAME, BLOCK // FRAME * BLOCKS, RETIRE, 0, 0)
        self._socket.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
        self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self._memory = mmap.mmap(self._socket.fileno(), BLOCK * BLOCKS)
        self._socket.bind((device, ETH_P_ALL))
        self._next = 0
        self.lost = 0

    def blocks(self) -> Iterator[bytes]:
        """The blocks that the kernel has handed over, each given back to it."""
        while True:
            at = self._next * BLOCK
            status = BLOCK_HEAD.unpack_from(self._memory, at)[0]
            if not status & TP_STATUS_USER:
                return
            yield self._memory[at : at + BLOCK]
            struct.pack_into("=I", self._memory, at + 8, 0)
            self._next = (self._next + 1) % BLOCKS

    def count(self) -> int:
        """The frames that were lost so far: the ring was full."""
        found = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 12)
        self.lost += struct.unpack("=3I", found)[1]
        return self.lost


def frames(block: bytes) -> Iterator[tuple[float, bytes]]:
    """The frames of a block, each with its time."""
    _, count, at, *_ = BLOCK_HEAD.unpack_from(block)
    for _ in range(count):
        beyond, seconds, nanoseconds, kept, _, place = FRAME_HEAD.unpack_from(block, at)
        yield seconds + nanoseconds / 1e9, block[at + place : at + place + kept]
        at += beyond


def record(when: float, frame: bytes) -> bytes:
    """The part of a frame that is kept; nothing where it claims no address."""
    found = said(frame)
    if found is None:
        return b""
    return RECORD.pack(when, len(found.address), *found)


class Trace(NamedTuple):
    """Rounds, answers, claims, and the number of lost frames: the arguments of judge()."""

    rounds: list[float]
    answers: list[Answer]
    claims: list[Claim]
    lost: int


def read(data: bytes) -> Trace:
    """A file of this program."""
    count, lost, own = HEAD.unpack_from(data)
    at = HEAD.size + 8 * count
    rounds = list(struct.unpack_from(f"!{count}d", data, HEAD.size))
    answers, claims = [], []
    names: dict[bytes, str] = {}
    for when, length, known, mac, to in RECORD.iter_unpack(data[at:]):
        address = names.get(known) or names.setdefault(known, text(known[:length]))
        holder = names.get(mac) or names.setdefault(mac, mac.hex(":"))
        if to[:5] == own[:5] and not (to[5] ^ own[5]) & ~LOW:
            answers.append(Answer(when, address, holder, _round(rounds, when, to[5] & LOW)))
        else:
            claims.append(Claim(when, address, holder))
    return Trace(rounds, answers, claims, lost)


def packed(address: str) -> bytes:
    """The packed form of an address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def text(address: bytes) -> str:
    """The text of a packed address."""
    return socket.inet_ntop(socket.AF_INET6 if len(address) == 16 else socket.AF_INET, address)


def _round(rounds: Sequence[float], when: float, number: int) -> int:
    """The last round before *when* with this number."""
    last = max(0, bisect_right(rounds, when) - 1)
    return max(0, last - (last - number) % SENDERS)


class Asker:
    """Rounds, and what was heard, in a file."""

    def __init__(self, file: BinaryIO, device: str, own: str, addresses: Sequence[str]) -> None:
        self._file = file
        mac = _own(device)
        self._mac = mac
        self._ring = Ring(device)
        self._questions = Questions(
            device, mac, [*map(packed, addresses)], [*map(packed, own.split(","))]
        )
        self._records: list[bytes] = []
        self.rounds: list[float] = []

    def round(self) -> None:
        """Ask all."""
        self.rounds.append(time.time())
        self._questions.ask(len(self.rounds) - 1)

    def drain(self) -> None:
        """Keep what was heard so far."""
        for block in self._ring.blocks():
            self._records += [record(*one) for one in frames(block)]

    def close(self) -> None:
        """Write the file. The kernel hands a block over at RETIRE ms after its first frame."""
        time.sleep(4 * RETIRE / 1000)
        self.drain()
        count = len(self.rounds)
        self._file.write(HEAD.pack(count, self._ring.count(), self._mac))
        self._file.write(struct.pack(f"!{count}d", *self.rounds))
        self._file.write(b"".join(self._records))
        self._file.close()


def _own(device: str) -> bytes:
    """The MAC of a device, as a packet socket tells it: /sys may be another namespace's."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as asked:
        asked.bind((device, 0))
        mac: bytes = asked.getsockname()[4]
        return mac


def main(path: str, device: str, period: str, own: str, *addresses: str) -> int:
    """See above."""
    gc.disable()
    with suppress(PermissionError):
        os.nice(-10)
    with open(path, "wb") as file:
        asker = Asker(file, device, own, addresses)
        due = time.monotonic()
        while not select.select([sys.stdin], [], [], 0)[0]:
            asker.round()
            asker.drain()
            if len(asker.rounds) == 1:
                print("ready", flush=True)
            now = time.monotonic()
            due = max(due + float(period), now)
            time.sleep(due - now)
        asker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
