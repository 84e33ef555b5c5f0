"""The way to the peer as its data plane sees it: numbers and a sentence behind the counters.

They stand in the memory of the counters (counters.py), so they cost no protocol, and are read from
another process without asking. A data plane of an older release leaves them 0, which says nothing.
"""

from __future__ import annotations

import os
from stat import S_ISREG
from time import monotonic

from netalias.tunnels.counters import AGREED, FORGED, NAMES, RECEIVED_PACKETS, SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.tunnels.counters import Counters

ASKED, ASKED_AT, AGREED_ONCE, KEYS, ROOM, SAID_AT, LENGTH, FORGED_AT = range(256, 264)
"""Places of the numbers: the time in milliseconds of CLOCK_MONOTONIC since which the peer has not
answered, 0 while it does, or before it is known; the packets that had come from a peer which had
answered before, at that time; whether the peer has ever answered; one of the keys below; bytes of
the largest packet that the path takes, 0 for unknown; the packets that had come when the network
said the sentence; the bytes of the sentence, 0 for none; the forged datagrams that had come when
the peer was asked first."""
NO_KEY, NO_KEYS_AGREED, KEYS_AGREED = range(3)
TEXT, MOST = 264 * 8, 1024
"""Place of the sentence in the memory, and its longest length in bytes."""
_WORDS = 264
"""Numbers before the sentence."""


def begin(values: memoryview) -> None:
    """Note that a data plane begins: what was known is of the one before, perhaps of another peer
    or key."""
    values[ASKED] = values[LENGTH] = 0


def asks(values: memoryview) -> None:
    """Note that the peer is asked, and has not answered yet."""
    if not values[ASKED]:
        values[FORGED_AT] = values[FORGED]
        values[ASKED_AT] = values[RECEIVED_PACKETS] if values[AGREED_ONCE] else 0
        values[ASKED] = int(monotonic() * 1000)


def answered(values: memoryview) -> None:
    """Note that the peer has answered: what the network said before is of the past."""
    values[ASKED] = values[LENGTH] = 0
    values[AGREED_ONCE] = 1


def say(count: Counters, text: str) -> None:
    """Note the last sentence of the network about what was sent."""
    values = count.values
    data = text.encode("utf-8", "replace")[:MOST]
    values[LENGTH] = 0  # a reader between two lines sees none
    count.write(TEXT, data)
    values[SAID_AT] = values[RECEIVED_PACKETS]
    values[LENGTH] = len(data)


class Status:
    """The way to the peer as it was read, with the ``counters`` by name, but that of no count.

    ``unanswered`` is for how many seconds the peer has not answered, 0.0 where it does or is not
    asked; ``keys`` is NO_KEY, NO_KEYS_AGREED or KEYS_AGREED; ``room`` bytes of the largest packet
    for the path, 0 for unknown; ``said`` the last sentence of the network, empty where something
    has come since; ``forged`` are the datagrams of no holder of the key that have come since the
    peer was asked first.
    """

    def __init__(self, data: bytes, now: float) -> None:
        values = memoryview(data[: len(data) // 8 * 8]).cast("Q")
        named = zip(NAMES, values, strict=False)
        self.counters = {name: value for name, value in named if name != NAMES[AGREED]}
        whole = len(values) >= SIZE // 8
        words = values[:_WORDS] if whole else memoryview(bytes(_WORDS * 8)).cast("Q")
        received = words[RECEIVED_PACKETS]
        silent = words[ASKED] and received <= words[ASKED_AT]
        self.unanswered = max(now - words[ASKED] / 1000, 0.001) if silent else 0.0
        self.forged = words[FORGED] - words[FORGED_AT] if words[ASKED] else 0
        self.keys = words[KEYS]
        self.room = words[ROOM]
        self.said = ""
        if received <= words[SAID_AT]:
            self.said = data[TEXT : TEXT + min(words[LENGTH], MOST)].decode("utf-8", "replace")


def read(pid: int, fileno: int) -> Status | None:
    """The status behind a descriptor of another process; None where it cannot be read, or is no
    memory of counters.

    A process of others could hold any file by O_PATH, without a right to it. So the file is looked
    at before it is opened: some devices do something when they are.
    """
    if fileno < 0:
        return None
    try:
        found = os.open(f"/proc/{pid}/fd/{fileno}", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = os.fstat(found)
        if not S_ISREG(status.st_mode) or status.st_nlink or status.st_size != SIZE:
            return None
        return _read(f"/proc/self/fd/{found}")
    except OSError:
        return None
    finally:
        os.close(found)


def _read(path: str) -> Status:
    """The status in a file. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return Status(os.pread(file, SIZE, 0), monotonic())
    finally:
        os.close(file)
