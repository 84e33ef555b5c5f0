"""Packets in a stream of bytes: frames of RFC 1662, with the frame check sequence of 32 bits. Pure.

Flags (0x7e) part the frames, and whatever could be mistaken is escaped (0x7d, then the byte xor
0x20). A length before each packet would cost less, but a serial line loses and damages bytes, and
the programs behind ``!command`` may write a word of their own first: after one wrong length nothing
would ever be read again. Here the next flag is a new beginning. FCS-32 is the CRC-32 of zlib, which
is computed in C: a frame of 1500 bytes costs some microseconds in all.

Address and control are left out, as RFC 1661 (6.6) has it where both sides agree.
"""

from __future__ import annotations

from zlib import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Buffer = bytes | bytearray | memoryview

FLAG, ESCAPE, INVERT = b"~", b"}", 0x20
CHECK = 4
"""Bytes of the frame check sequence, the lowest first."""
LONGEST = 65535 + 64
"""Bytes of the longest packet, with headers of ours."""
MOST = 2 * (LONGEST + CHECK)
"""Bytes of the longest frame, if each of them is escaped."""
FLOW_CONTROL = b"\x11\x13"
"""XON and XOFF: a line may swallow them, or insert them (RFC 1662, 4.2)."""


def _escaped(sign: bytes) -> bytes:
    return ESCAPE + bytes([sign[0] ^ INVERT])


ALWAYS = ((ESCAPE, _escaped(ESCAPE)), (FLAG, _escaped(FLAG)))
"""The escape itself comes first."""
CONTROLS = tuple((bytes([one]), _escaped(bytes([one]))) for one in FLOW_CONTROL)


def encode(packets: Iterable[Buffer], *, controls: bool = False) -> bytes:
    """The frames of *packets*, each with a flag behind it; *controls*: XON and XOFF are escaped.

    A flag in front of the first one belongs there if the line was idle, since noise may have come
    before it.
    """
    table = ALWAYS + CONTROLS if controls else ALWAYS
    frames = []
    for packet in packets:
        frame = bytes(packet)
        frame += crc32(frame).to_bytes(CHECK, "little")
        for sign, escape in table:
            frame = frame.replace(sign, escape)
        frames.append(frame)
    frames.append(b"")
    return FLAG.join(frames)


class Decoder:
    """Takes the packets out of a stream of bytes, which may come in any pieces.

    ``damaged`` counts frames that were not sent so: bad checks, bad escapes, too long or too short.
    ``rest`` is the beginning of a frame whose end has not come. ``skipping``: it was too long, and
    what follows is dropped up to the next flag.
    """

    __slots__ = ("controls", "damaged", "rest", "skipping")

    def __init__(self, rest: bytes = b"", *, controls: bool = False) -> None:
        self.rest = rest
        self.controls = controls
        self.damaged = 0
        self.skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are complete with *data*."""
        if self.controls:
            data = data.translate(None, FLOW_CONTROL)
        *frames, rest = data.split(FLAG)
        if not frames:
            self._keep(self.rest + rest)
            return []
        frames[0] = b"" if self.skipping else self.rest + frames[0]
        self.skipping = False
        self._keep(rest)
        return [packet for frame in frames if frame and (packet := self._packet(frame))]

    def _keep(self, rest: bytes) -> None:
        if self.skipping:
            return
        if len(rest) > MOST:
            self.damaged += 1
            self.skipping, rest = True, b""
        self.rest = rest

    def _packet(self, frame: bytes) -> bytes:
        """The packet of a frame; empty if it is damaged."""
        body = unescaped(frame) if ESCAPE in frame else frame
        packet = body[:-CHECK]
        good = 0 < len(packet) <= LONGEST
        if good and crc32(packet) == int.from_bytes(body[-CHECK:], "little"):
            return packet
        self.damaged += 1
        return b""


def unescaped(frame: bytes) -> bytes:
    """*frame* as it was before it was escaped; empty if an escape is followed by nothing, by which
    a sender gives the frame up (RFC 1662, 4.3)."""
    head, *pieces = frame.split(ESCAPE)
    if not all(pieces):
        return b""
    return head + b"".join([bytes([piece[0] ^ INVERT]) + piece[1:] for piece in pieces])
