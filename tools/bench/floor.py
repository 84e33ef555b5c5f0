"""The floor: the messages of netalias, recorded once and replayed without any other work.

``floor.py record FILE WORDS...`` runs the command in this process and records the sends that make
changes, or, where nothing is changed, the dumps that it reads. ``floor.py replay FILE`` repeats
them, each after the answer to the one before. In
a fresh namespace ifindexes repeat, so the same bytes have the same effect. floor.c replays without
the start of a Python.

A recording is a sequence of sends, each after its length (32 bits, host byte order).
"""

from __future__ import annotations

import _socket
import sys
from struct import Struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

LENGTH = Struct("=I")
HEADER = Struct("=IHHII")
ERRNO = Struct("=i")

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_DUMP = 0x300
GET = 2
"""rtnetlink numbers its message types in groups of four: new, delete, get, set."""
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
NETLINK_GET_STRICT_CHK = 12
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20


def main(words: list[str]) -> int:
    """Execute ``record FILE WORDS...`` or ``replay FILE``; the exit status."""
    if words[0] == "replay":
        return replay(words[1])
    return record(words[1], words[2:])


def record(file: str, words: list[str]) -> int:
    """Run netalias with *words*, and record its changes in *file*; its exit status."""
    sent: list[bytes] = []

    class Recorder(_socket.socket):
        def send(self, data: Buffer, flags: int = 0, /) -> int:
            sent.append(bytes(data))
            return super().send(data, flags)

    _socket.socket = Recorder  # type: ignore[misc]
    from netalias.cli import main as command

    status = command(words)
    with open(file, "wb") as output:
        for data in [*filter(_changes, sent)] or dict.fromkeys(filter(_dumps, sent)):
            output.write(LENGTH.pack(len(data)) + data)
    return status or 0


def _changes(data: bytes) -> bool:
    """Whether a send makes changes: it is no dump, and no probe that cannot succeed."""
    from netalias.kernel.netlink import codec

    kinds = ("macvlan", "dummy", "ifb")
    questions = (codec.PERMISSION, *(codec.probe_kind(0, one) for one in kinds))
    kind = HEADER.unpack_from(data)[1]
    return kind % 4 != GET and data[:8] + data[12:] not in [
        question[:8] + question[12:] for question in questions
    ]


def _dumps(data: bytes) -> bool:
    """Whether a send asks for a dump."""
    _, kind, flags, _, _ = HEADER.unpack_from(data)
    return bool(kind % 4 == GET and flags & NLM_F_DUMP == NLM_F_DUMP)


def replay(file: str) -> int:
    """Replay *file*; the exit status, 1 if the kernel refuses a message."""
    with open(file, "rb") as source:
        recording = source.read()
    kernel = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0)
    kernel.bind((0, 0))
    for option in (NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK):
        kernel.setsockopt(SOL_NETLINK, option, 1)
    for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        kernel.setsockopt(_socket.SOL_SOCKET, option, BUFFER)
    offset = 0
    while offset < len(recording):
        (length,) = LENGTH.unpack_from(recording, offset)
        offset += LENGTH.size
        data = recording[offset : offset + length]
        offset += length
        kernel.send(data)
        code = _dumped(kernel) if _dumps(data) else _answer(kernel, _last(data))
        if code:
            print(f"errno {code}", file=sys.stderr)
            return 1
    return 0


def _last(data: bytes) -> int:
    """The sequence number of the last message of a send."""
    offset = sequence = 0
    while offset < len(data):
        length, _, _, sequence, _ = HEADER.unpack_from(data, offset)
        offset += (length + 3) & ~3
    return sequence


def _answer(kernel: _socket.socket, last: int) -> int:
    """The first errno received, or 0 at the acknowledgement of *last*."""
    while True:
        data = kernel.recv(32768)
        _, kind, _, sequence, _ = HEADER.unpack_from(data)
        (code,) = ERRNO.unpack_from(data, HEADER.size)
        if kind == NLMSG_ERROR and (code or sequence == last):
            return -int(code)


def _dumped(kernel: _socket.socket) -> int:
    """0 at the end of a dump, NLMSG_DONE at the end of a datagram, or an errno."""
    buffer = bytearray(65536)
    while True:
        size = kernel.recv_into(buffer)
        kind, sequence = HEADER.unpack_from(buffer)[1:4:2]
        if kind == NLMSG_ERROR:
            return -int(ERRNO.unpack_from(buffer, HEADER.size)[0])
        last = HEADER.unpack_from(buffer, size - HEADER.size - ERRNO.size)
        if last[1:4:2] == (NLMSG_DONE, sequence):
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
