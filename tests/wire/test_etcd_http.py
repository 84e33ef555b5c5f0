"""The reader of HTTP answers: the forms that servers use, in any pieces, and any other bytes."""

from __future__ import annotations

import http.client
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.cluster.etcd.http import BODY_MAX, HEAD_MAX, Malformed, Reader, request

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\nTrailer: T\r\n\r\n"
    b"3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\nT: application/grpc\r\n\r\n"
)
UNSIZED = b"HTTP/1.1 500 Oh\r\n\r\nhello"
EARLY = b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED


def read(data: bytes, cuts: list[int], *, end: bool = False) -> Reader:
    """A reader that got the data in pieces."""
    reader = Reader()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    for first, last in pairwise(places):
        reader.feed(data[first:last])
    if end:
        reader.end()
    return reader


@given(st.lists(st.integers(0, 500)), st.sampled_from([SIZED, CHUNKED, EARLY]))
def test_in_any_pieces(cuts: list[int], data: bytes) -> None:
    """The same body, and the connection lasts."""
    reader = read(data, cuts)
    assert (reader.take(), reader.done, reader.lasting) == (b"hello", True, True)
    assert reader.status == (404 if data is CHUNKED else 200)


@given(st.lists(st.integers(0, 500)))
def test_a_body_up_to_the_end(cuts: list[int]) -> None:
    """One without a length ends with the connection."""
    reader = read(UNSIZED, cuts)
    assert not reader.done
    reader.end()
    assert (reader.take(), reader.done, reader.lasting) == (b"hello", True, False)


def test_the_body_as_it_comes() -> None:
    """A stream is read before its end."""
    reader = Reader()
    reader.feed(CHUNKED[: CHUNKED.index(b"lo") + 2])
    first = reader.take()
    assert (first, reader.done) == (b"hello", False)
    assert reader.take() == b""


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    ],
)
def test_no_body(data: bytes) -> None:
    """The answer ends with its head."""
    assert read(data, []).done


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nConnection: Close\r\n", b"HTTP/1.0 200 OK\r\n"]
)
def test_a_last_answer(head: bytes) -> None:
    """The server says that it ends the connection, or is too old to keep it."""
    assert not read(head + b"Content-Length: 0\r\n\r\n", []).lasting


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * (HEAD_MAX + 9),
        SIZED + b"more",
        b"x" * (HEAD_MAX + 9),
    ],
)
def test_no_answer(data: bytes) -> None:
    """Bytes that are none are told, at the latest when too many have come."""
    with pytest.raises(Malformed):
        read(data, [], end=True)


@pytest.mark.parametrize("data", [b"", SIZED[:-1], CHUNKED[:-2], b"HTTP/1.1 200"])
def test_the_end_in_the_middle(data: bytes) -> None:
    """A connection that ends too early is told."""
    with pytest.raises(Malformed):
        read(data, [], end=True)


def test_a_body_that_nobody_takes() -> None:
    """It is bounded."""
    reader = read(b"HTTP/1.1 200 OK\r\n\r\n", [])
    reader.feed(bytes(BODY_MAX))
    with pytest.raises(Malformed):
        reader.feed(b"x")


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    """They are read, or are no answer."""
    for begin in (b"", SIZED[:30], CHUNKED[:70]):
        try:
            read(begin + data, cuts, end=True)
        except Malformed:
            pass


class _Socket(io.BytesIO):
    def makefile(self, mode: str) -> io.BytesIO:
        return self


@given(st.binary(max_size=50), st.lists(st.binary(min_size=1, max_size=20)))
def test_against_the_library(sized: bytes, chunks: list[bytes]) -> None:
    """Python's own client reads the same."""
    parts = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks)
    for head, body in (
        (b"Content-Length: %d" % len(sized), sized),
        (b"Transfer-Encoding: chunked", parts + b"0\r\n\r\n"),
    ):
        data = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
        theirs = http.client.HTTPResponse(_Socket(data))  # type: ignore[arg-type]
        theirs.begin()
        ours = read(data, [7, 40, 45])
        assert (ours.status, ours.take()) == (theirs.status, theirs.read())
        assert ours.done


def test_a_request() -> None:
    """Its head has all that a server needs, and the token only if there is one."""
    assert request("[::1]:2379", "/v3/kv/range", b"{}", "secret") == (
        b"POST /v3/kv/range HTTP/1.1\r\nHost: [::1]:2379\r\nContent-Type: application/json\r\n"
        b"Authorization: secret\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert b"Authorization" not in request("a", "/", b"")
