"""HTTP/1.1 (RFC 9112) as a client speaks it: a request as bytes, and a reader of answers. Pure.

Any bytes are survived: what is no answer raises Malformed, and what is held is bounded.
"""

from __future__ import annotations

HEAD_MAX = 64 << 10
"""Bytes of a status line and headers, of trailers, or of the line before a chunk."""
BODY_MAX = 64 << 20
"""Bytes of a body that nobody has taken yet."""
LINE_END = b"\r\n"
HEAD_END = b"\r\n\r\n"
NO_BODY = (204, 304)


class Malformed(Exception):
    """Bytes that are no answer; the message is for people."""


def request(host: str, path: str, body: bytes, token: str = "") -> bytes:
    """A POST of JSON. *token* is the Authorization header, empty for none."""
    authorization = f"Authorization: {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
        f"{authorization}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1", "replace") + body


class Reader:
    """One answer. ``status`` is 0 until its head is there; ``done`` at its end, and ``lasting``
    tells whether the connection can be used for another request then."""

    __slots__ = ("_body", "_data", "_left", "_step", "done", "lasting", "status")

    def __init__(self) -> None:
        self._data = bytearray()
        self._body = bytearray()
        self._left = 0
        self._step = self._head
        self.status = 0
        self.done = False
        self.lasting = True

    def feed(self, data: bytes) -> None:
        """Take what was received. Raises Malformed, also for bytes after the end."""
        self._data += data
        while not self.done and self._step():
            pass
        if self.done and self._data:
            raise Malformed("bytes after an answer")
        if len(self._body) > BODY_MAX:
            raise Malformed(f"an answer of more than {BODY_MAX} bytes")

    def end(self) -> None:
        """The connection has ended, which ends a body without a length as well. Raises Malformed
        in the middle of an answer."""
        if not self.done and self._step != self._rest:
            raise Malformed("the connection ended before an answer")
        self.done = True
        self.lasting = False

    def take(self) -> bytes:
        """The part of the body that has come since the last call."""
        found = bytes(self._body)
        self._body.clear()
        return found

    def _until(self, mark: bytes) -> bytes | None:
        """The bytes before *mark*, which go with it; None while it is not there."""
        place = self._data.find(mark, 0, HEAD_MAX + len(mark))
        if place < 0:
            if len(self._data) > HEAD_MAX:
                raise Malformed(f"a head of more than {HEAD_MAX} bytes")
            return None
        found = bytes(self._data[:place])
        del self._data[: place + len(mark)]
        return found

    def _head(self) -> bool:
        head = self._until(HEAD_END)
        if head is None:
            return False
        first, *lines = head.split(LINE_END)
        self.status = _status(first)
        headers = _headers(lines)
        if headers.get(b"connection", b"").lower() == b"close" or first.startswith(b"HTTP/1.0"):
            self.lasting = False
        if 100 <= self.status < 200:
            self.status = 0  # an interim answer: the real one follows
        elif self.status in NO_BODY:
            self.done = True
        elif headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            self._step = self._chunk
        elif b"content-length" in headers:
            self._left = _number(headers[b"content-length"], 10)
            self._step = self._sized
            self.done = not self._left
        else:
            self._step = self._rest
        return True

    def _sized(self) -> bool:
        """A body of a known length."""
        self._move()
        self.done = not self._left
        return False

    def _rest(self) -> bool:
        """A body up to the end of the connection."""
        self._left = len(self._data)
        self._move()
        return False

    def _chunk(self) -> bool:
        """The line before a chunk: its length in hexadecimal digits, and extensions."""
        line = self._until(LINE_END)
        if line is None:
            return False
        self._left = _number(line.partition(b";")[0].strip(), 16)
        self._step = self._content if self._left else self._trailers
        return True

    def _content(self) -> bool:
        self._move()
        if self._left or len(self._data) < len(LINE_END):
            return False
        if not self._data.startswith(LINE_END):
            raise Malformed("a chunk that is longer than its length")
        del self._data[: len(LINE_END)]
        self._step = self._chunk
        return True

    def _trailers(self) -> bool:
        """Lines up to an empty one."""
        line = self._until(LINE_END)
        self.done = line == b""
        return line is not None

    def _move(self) -> None:
        part = self._data[: self._left]
        del self._data[: self._left]
        self._left -= len(part)
        self._body += part


def _status(line: bytes) -> int:
    """The status of ``HTTP/1.1 200 OK``."""
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or len(words[1]) != 3:
        raise Malformed("no HTTP")
    return _number(words[1], 10)


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    """The headers by their names in lower case."""
    found = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Malformed("a header without a colon")
        found[name.strip().lower()] = value.strip()
    return found


def _number(digits: bytes, base: int) -> int:
    allowed = b"0123456789abcdefABCDEF"[: 10 if base == 10 else None]
    if not 0 < len(digits) <= 16 or digits.strip(allowed):
        raise Malformed("a length that is no number")
    return int(digits, base)
