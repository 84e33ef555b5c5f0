"""The floor: the messages that netalias sends, recorded once, sent again and nothing else.

``floor.py record FILE WORDS...`` runs the command within this process and keeps what it sends to
change things; ``floor.py replay FILE`` sends that again, each send when the acknowledgement of the
one before it is in. In a fresh namespace the indexes of devices repeat, so the same bytes do the
same. floor.c does the replay without the start of a Python.

A recording is a row of sends, each behind its length (32 bits, host byte order).
"""

from __future__ import annotations

import _socket
import sys
from struct import Struct

LENGTH = Struct("=I")
HEADER = Struct("=IHHII")
ERRNO = Struct("=i")

NLMSG_ERROR = 2
NLM_F_ACK = 4
GET = 2
"""rtnetlink numbers its messages in fours: new, delete, get, set."""
SOL_NETLINK = 270
NETLINK_CAP_ACK = 10
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
BUFFER = 64 << 20


def main(words: list[str]) -> int:
    """``record FILE WORDS...`` or ``replay FILE``."""
    if words[0] == "replay":
        return replay(words[1])
    return record(words[1], words[2:])


def record(file: str, words: list[str]) -> int:
    """Run netalias with *words*; its exit status. Only changes are recorded."""
    sent: list[bytes] = []

    class Recorder(_socket.socket):
        def send(self, data: bytes, flags: int = 0) -> int:
            sent.append(bytes(data))
            return super().send(data, flags)

    _socket.socket = Recorder  # type: ignore[misc]
    from netalias.cli import main as command

    status = command(words)
    with open(file, "wb") as output:
        for data in filter(_changes, sent):
            output.write(LENGTH.pack(len(data)) + data)
    return status or 0


def _changes(data: bytes) -> bool:
    """Whether it is a send of changes: neither a dump nor a question that cannot succeed."""
    from netalias.kernel.netlink import codec

    questions = (codec.probe_permission(0), codec.probe_kind(0, "macvlan"))
    kind = HEADER.unpack_from(data)[1]
    return kind % 4 != GET and data[:8] + data[12:] not in [
        question[:8] + question[12:] for question in questions
    ]


def replay(file: str) -> int:
    """Send it all again; 1 when the kernel refuses something."""
    with open(file, "rb") as source:
        recording = source.read()
    kernel = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, 0)
    kernel.bind((0, 0))
    kernel.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
    for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        kernel.setsockopt(_socket.SOL_SOCKET, option, BUFFER)
    offset = 0
    while offset < len(recording):
        (length,) = LENGTH.unpack_from(recording, offset)
        offset += LENGTH.size
        data = recording[offset : offset + length]
        offset += length
        kernel.send(data)
        code = _answer(kernel, _last(data))
        if code:
            print(f"errno {code}", file=sys.stderr)
            return 1
    return 0


def _last(data: bytes) -> int:
    """The sequence of the last message of a send."""
    offset = sequence = 0
    while offset < len(data):
        length, _, _, sequence, _ = HEADER.unpack_from(data, offset)
        offset += (length + 3) & ~3
    return sequence


def _answer(kernel: _socket.socket, last: int) -> int:
    """The first errno that comes, or 0 with the acknowledgement of *last*."""
    while True:
        data = kernel.recv(32768)
        _, kind, _, sequence, _ = HEADER.unpack_from(data)
        (code,) = ERRNO.unpack_from(data, HEADER.size)
        if kind == NLMSG_ERROR and (code or sequence == last):
            return -int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
