"""A TCP connection, with TLS or without, that waits for nothing.

A peer that is gone without a word is found by the kernel within IDLE + PROBES * INTERVAL seconds.
One that has ended the connection, and never said anything, may expect TLS, or none: etcd answers
neither a request where it expects TLS nor a handshake where it does not.
"""

from __future__ import annotations

from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SO_KEEPALIVE,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_NODELAY,
    TCP_USER_TIMEOUT,
    socket,
)
from errno import EALREADY, ECONNRESET, EINPROGRESS, EISCONN
from os import strerror
from select import POLLIN, POLLOUT

from netalias.cluster.etcd.reasons import explained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ssl import MemoryBIO, SSLContext, SSLObject

PIECE = 64 << 10
"""Bytes that are received at once."""
TURNS = 64
"""Pieces at one event: others come in between."""

# Keepalive of tcp(7), in seconds and probes; TCP_USER_TIMEOUT bounds what is sent likewise.
IDLE = 4
INTERVAL = 2
PROBES = 3


class Lost(Exception):
    """The connection has failed or ended; the message is for people, empty for an orderly end."""


class Connection:
    """A connection to an address and port, which is being made.

    ``open`` tells that requests are on their way: before it, nothing that was sent has left.
    *tls* is the context for TLS, and *name* the host that its certificate has to name.
    """

    def __init__(self, address: str, port: int, tls: SSLContext | None, name: str) -> None:
        family = AF_INET6 if ":" in address else AF_INET
        self._socket = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC)
        self._waiting = bytearray()
        self._outgoing = bytearray()
        self._connected = self._heard = False
        self._tls: _Tls | None = None
        self.open = False
        try:
            for level, option, value in _OPTIONS:
                self._socket.setsockopt(level, option, value)
            if tls is not None:
                self._tls = _Tls(tls, name)
            self._address = address, port
            error = self._socket.connect_ex(self._address)
        except OSError as failure:
            self._socket.close()
            raise Lost(str(failure.strerror or failure)) from None
        if error not in (0, EINPROGRESS):
            self._socket.close()
            raise Lost(strerror(error))

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close it, at once."""
        self._socket.close()

    def wanted(self) -> int:
        """The events for poll(2)."""
        if not self._connected:
            return POLLOUT
        return POLLIN | (POLLOUT if self._outgoing else 0)

    def send(self, data: bytes) -> None:
        """Send it as soon as that can be."""
        self._waiting += data
        if self._connected:
            self._push()

    def ready(self) -> bytes:
        """Go on; what has been received. Raises Lost."""
        if not self._connected:
            self._connect()
            return b""
        found = bytearray()
        for _ in range(TURNS):
            try:
                data = self._receive()
            except Lost:
                if not found:
                    raise
                break  # what came before the end is read first; the end stays
            if data is None:
                break
            found += data
        self._push()
        return bytes(found)

    def _connect(self) -> None:
        """Look whether it is connected: the event may have been that of another connection, which
        had the same descriptor. Raises Lost."""
        error = self._socket.connect_ex(self._address)
        if error in (0, EISCONN):
            self._connected = True
            self._push()
        elif error not in (EALREADY, EINPROGRESS):
            raise Lost(strerror(error))

    def _receive(self) -> bytes | None:
        """A piece, which TLS may still hold back; None where nothing is there. Raises Lost."""
        try:
            data = self._socket.recv(PIECE)
        except BlockingIOError:
            return None
        except ConnectionResetError:
            raise Lost(self._unheard() or strerror(ECONNRESET)) from None
        except OSError as error:
            raise Lost(str(error.strerror or error)) from None
        if not data:
            raise Lost(self._unheard())
        self._heard = True
        return self._tls.received(data) if self._tls is not None else data

    def _unheard(self) -> str:
        """The words for an end of a peer that has never said anything; empty for another one."""
        before = "an answer" if self._tls is None else "TLS began"
        return "" if self._heard else explained(f"the connection ended before {before}")

    def _push(self) -> None:
        """Send what is waiting, as far as the kernel takes it. Raises Lost."""
        if self._tls is None:
            self.open = True
            self._outgoing += self._waiting
            self._waiting.clear()
        else:
            if self._tls.established() and self._waiting:
                self.open = True
                self._tls.send(bytes(self._waiting))
                self._waiting.clear()
            self._outgoing += self._tls.outgoing()
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            return
        except OSError as error:
            raise Lost(str(error.strerror or error)) from None


_OPTIONS = (
    (IPPROTO_TCP, TCP_NODELAY, 1),
    (SOL_SOCKET, SO_KEEPALIVE, 1),
    (IPPROTO_TCP, TCP_KEEPIDLE, IDLE),
    (IPPROTO_TCP, TCP_KEEPINTVL, INTERVAL),
    (IPPROTO_TCP, TCP_KEEPCNT, PROBES),
    (IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * (IDLE + INTERVAL * PROBES)),
)


class _Tls:
    """TLS between two buffers."""

    def __init__(self, context: SSLContext, name: str) -> None:
        import ssl

        self._ssl = ssl
        self._in: MemoryBIO = ssl.MemoryBIO()
        self._out: MemoryBIO = ssl.MemoryBIO()
        self._object: SSLObject = context.wrap_bio(self._in, self._out, server_hostname=name)
        self._established = False

    def established(self) -> bool:
        """Whether the handshake is over; it goes on as far as it can. Raises Lost."""
        if not self._established:
            try:
                self._object.do_handshake()
                self._established = True
            except self._ssl.SSLWantReadError:
                pass
            except self._ssl.SSLError as error:
                raise Lost(_words(error)) from None
        return self._established

    def received(self, data: bytes) -> bytes:
        """The plain bytes of sealed ones. Raises Lost."""
        self._in.write(data)
        found = bytearray()
        try:
            while self.established():
                piece = self._object.read(PIECE)
                if not piece:
                    break
                found += piece
        except self._ssl.SSLWantReadError:
            pass
        except self._ssl.SSLZeroReturnError:
            if not found:
                raise Lost("") from None
        except self._ssl.SSLError as error:
            raise Lost(_words(error)) from None
        return bytes(found)

    def send(self, data: bytes) -> None:
        """Seal bytes. Raises Lost."""
        try:
            self._object.write(data)
        except self._ssl.SSLError as error:
            raise Lost(_words(error)) from None

    def outgoing(self) -> bytes:
        """The sealed bytes to send."""
        return self._out.read()


def _words(error: OSError) -> str:
    """OpenSSL's own words, without its numbers, and what they are about."""
    verified = getattr(error, "verify_message", "")
    reason = str(getattr(error, "reason", "") or error).replace("_", " ").lower()
    return explained(f"TLS: {reason}: {verified}" if verified else f"TLS: {reason}")
