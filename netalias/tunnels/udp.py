"""Packets in UDP datagrams, which pass address translation and most clouds.

A connected socket hears its peer alone. A passive one is a socket of both families that waits for
its first datagram: a packet of IP, or one of ours.

Source: udp(7), ip(7), ipv6(7), linux/udp.h, linux/in.h, linux/errqueue.h.
"""

from __future__ import annotations

import os
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    MSG_DONTWAIT,
    SO_DOMAIN,
    SO_RCVBUF,
    SO_REUSEPORT,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOL_SOCKET,
    inet_pton,
    socket,
)
from errno import EADDRINUSE, ENOTCONN
from itertools import takewhile
from sys import byteorder

from netalias import errors
from netalias.model.names import number
from netalias.tunnels import counters, errqueue, frames, hello
from netalias.tunnels.carriage import AT_ONCE, FULL, NOBODY, Carriage, slots
from netalias.tunnels.congestion import CE, NOT_ECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.tunnels.carriage import Datagrams, Packets, Source

PORT = 7777
"""The port if the line names none."""
BUFFER = 4 << 20
"""Bytes of the receive buffer."""
SEND_BUFFER = 1 << 20
LARGEST = 65535
MAPPED = "::ffff:"

IP_TOS, IPV6_TCLASS = 1, 67
IP_RECVTOS, IPV6_RECVTCLASS = 13, 66
IP_MTU_DISCOVER, IPV6_MTU_DISCOVER = 10, 23
PMTUDISC_DONT, PMTUDISC_DO = 0, 2
IP_MTU, IPV6_MTU = 14, 24
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
ROOM = 1280 - 48
"""Bytes of a datagram that every path takes, more or less: the minimum of IPv6."""
CONTROL = 64
"""Bytes of control data: a size of UDP_GRO takes 24, and so does a TOS or a traffic class."""
TOLD = (IPPROTO_IP, IP_TOS), (IPPROTO_IPV6, IPV6_TCLASS)
"""Level and type of control data with a TOS or a traffic class."""
KEEPS_MARKS = (6, 9)
"""Linux that puts only datagrams with one TOS together (udp_gro_receive_segment() of
net/ipv4/udp_offload.c). One before it would tell the mark of the first for all of them."""


class Udp(Carriage):
    """One socket; see Carriage."""

    word = "udp"
    trains = True
    _v6 = False
    _is_settled = False

    def __init__(self, sock: socket, port: int) -> None:
        self._socket = sock
        self.port = port
        self._view = memoryview(bytearray(LARGEST + FULL))
        self._slots: list[memoryview] | None = None
        self.ends: list[int] = []
        self._segment = 0
        self._sends_marks = self._tells_marks = False
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
        self._tos: int | None = None
        self._df: bool | int | None = None
        self.overhead = 28
        try:
            self._know(sock.getpeername())
        except OSError as error:
            if error.errno != ENOTCONN:
                raise

    @classmethod
    def open(cls, argument: str, peer: str = "", local: str = "") -> Udp:
        """A socket bound to the port of the line, which is that of the peer too."""
        port = _port(argument)
        family = _family(peer or local) if peer or local else AF_INET6
        sock = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0)
        try:
            if family == AF_INET6:
                sock.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1 if peer or local else 0)
            _enlarge(sock, SO_RCVBUFFORCE, SO_RCVBUF, BUFFER)
            _enlarge(sock, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER)
            if peer:  # beside tunnels to others: sockets of one user that are connected
                sock.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
            sock.bind((local, port))
            if peer:
                sock.connect((peer, port))
            return cls(sock, port)
        except OSError as error:
            sock.close()
            told = errors.kernel_error(f"udp port {port}", error.errno or 0)
            if error.errno == EADDRINUSE:
                told.hint = f"who has it: ss -lunp 'sport = :{port}'"
            raise told from None

    @classmethod
    def adopt(cls, fd: int, argument: str) -> Udp:
        """The socket behind a descriptor."""
        try:
            sock = socket(fileno=fd)
            kind = sock.getsockopt(SOL_SOCKET, SO_TYPE), sock.getsockopt(SOL_SOCKET, SO_DOMAIN)
        except OSError:
            kind = 0, 0
        if kind not in ((SOCK_DGRAM, AF_INET), (SOCK_DGRAM, AF_INET6)):
            raise errors.StateError(f"descriptor {fd} is no socket of UDP")
        os.set_inheritable(fd, False)
        return cls(sock, _port(argument))

    def fileno(self) -> int:
        """The descriptor."""
        return self._socket.fileno()

    def connect(self, peer: Source) -> None:
        """Hear this peer alone from now on."""
        try:
            self._socket.connect(peer)
        except OSError as error:
            raise errors.kernel_error(f"udp to {peer[0]}", error.errno or 0) from None
        self._know(peer)

    def _hears(self, datagram: memoryview, source: Source) -> bool:
        """Whether a datagram is the peer's. The first one that a tunnel sends, and to whose source
        a way leads, makes that the peer."""
        if self.peer is not None:
            counter = counters.STRANGER
        elif frames.is_whole(datagram) or _is_ours(datagram):
            counter = counters.STRANGER
            try:
                self.connect(source)
            except errors.NetaliasError:
                pass  # no way leads back: it is made up
        else:
            counter = counters.MALFORMED
        if self.peer == source[:2]:
            return True
        if self.dropped is not None:
            self.dropped(counter)
        return False

    def _know(self, peer: Source) -> None:
        """Note the peer and switch the error queue of its family on."""
        self.peer = peer[:2]
        self.local = self._socket.getsockname()[0]
        self._v6 = ":" in peer[0] and not peer[0].startswith(MAPPED)
        self.overhead = 48 if self._v6 else 28
        self._tos = self._df = None
        errqueue.switch_on(self._socket, self._v6)

    def send(self, packets: Packets, tos: int = 0, df: bool = False) -> int:
        """One datagram a packet. A full buffer is waited for, so that the device's queue fills."""
        if self.peer is None:
            return 0
        sent = 0
        for packet in packets:
            if self.send_train(packet, len(packet), tos, df):
                sent += 1
            elif self.refused is not None:
                self.refused(packet, self.errno)
        return sent

    def send_train(self, train: Datagrams, size: int, tos: int = 0, df: bool | int = False) -> bool:
        """One send. A full buffer is waited for, so that the device's queue fills."""
        if self.peer is None:
            return False
        if tos != self._tos or df != self._df:
            self._mark(tos, df)
        try:
            if size != self._segment and len(train) > min(size, self._segment or LARGEST):
                self._segment = size if len(train) > size else 0
                self._socket.setsockopt(SOL_UDP, UDP_SEGMENT, self._segment)
            self._socket.send(train)
        except OSError:
            return self._again(train)
        return True

    def _again(self, train: Datagrams) -> bool:
        """Send once more: it may be what the network said of an earlier one, and is gone now."""
        try:
            self._socket.send(train)
        except OSError as error:
            self.errno = error.errno or 0
            return False
        return True

    def room(self) -> int:
        """By the path MTU that the kernel knows."""
        level, option = (IPPROTO_IPV6, IPV6_MTU) if self._v6 else (IPPROTO_IP, IP_MTU)
        try:
            return min(self._socket.getsockopt(level, option) - self.overhead, LARGEST - 28)
        except OSError:
            return ROOM

    def _mark(self, tos: int, df: bool | int) -> None:
        """Set TOS and DF of what is sent from now on, where they are others.

        Unless the other end hands marks on, the outer packet is not capable of ECN: so a router
        that is congested drops, which the sender notices (RFC 6040, 4.1 and 4.3: normal mode, and
        compatibility mode).
        """
        level = IPPROTO_IPV6 if self._v6 else IPPROTO_IP
        if tos != self._tos:
            octet = tos if self._sends_marks else tos & ~CE
            self._socket.setsockopt(level, IPV6_TCLASS if self._v6 else IP_TOS, octet)
            self._tos = tos
        if df != self._df:
            option = IPV6_MTU_DISCOVER if self._v6 else IP_MTU_DISCOVER
            self._socket.setsockopt(level, option, PMTUDISC_DO if df else PMTUDISC_DONT)
            self._df = df

    def receive(self) -> list[tuple[memoryview, Source]]:
        """All datagrams that are there, AT_ONCE readings at most; some may have come together."""
        found: list[tuple[memoryview, Source]] = []
        if self._slots is None:
            self._slots = slots(AT_ONCE)
        try:
            for slot in self._slots:
                if self._is_settled:
                    length = self._socket.recv_into(slot, 0, MSG_DONTWAIT)
                else:
                    length, address = self._socket.recvfrom_into(slot, 0, MSG_DONTWAIT)
                    if not self._hears(slot[:length], address):
                        continue
                found.append((slot[:length], self.peer or NOBODY))
        except BlockingIOError:
            self._settle()
        except OSError:
            pass  # nothing more is there, or an error that failures() tells
        return found

    def receive_train(self) -> tuple[memoryview, int, int, Source] | None:
        """Datagrams that came together, or one by one, where no device put them together.

        The call that tells the size makes the text of an address too, which costs more than the
        rest of it.
        """
        if self.sized or self.peer is None or not self._is_settled:
            return self._receive_sized()
        if self._tells_marks:
            return self._receive_marked()
        take, view, self.ends = self._socket.recv_into, self._view, []
        length = 0
        try:
            for _ in range(AT_ONCE):
                length += take(view[length:], LARGEST, MSG_DONTWAIT)
                self.ends.append(length)
                if length >= FULL:
                    break
        except OSError:
            pass  # nothing more is there, or an error that failures() tells
        return (view, length, 0, self.peer or NOBODY) if self.ends else None

    def _receive_sized(self) -> tuple[memoryview, int, int, Source] | None:
        """The same with the size, and its sender."""
        try:
            length, control, _, source = self._socket.recvmsg_into(
                (self._view,), CONTROL, MSG_DONTWAIT
            )
        except BlockingIOError:
            self._settle()
            return None
        except OSError:
            return None  # an error that failures() tells
        if not self._hears(self._view[:length], source):
            return None
        size = length
        for level, kind, data in control:
            if level == SOL_UDP and kind == UDP_GRO:
                size = int.from_bytes(data, byteorder)
        if self._tells_marks:
            self.marks = ((length, _mark_of(control)),)
        return self._view, length, size or 1, source

    def _receive_marked(self) -> tuple[memoryview, int, int, Source] | None:
        """The same with marks, of a socket that has datagrams of the peer alone."""
        take, view, self.ends = self._socket.recvmsg_into, self._view, []
        marks: list[tuple[int, int]] = []
        length = 0
        try:
            for _ in range(AT_ONCE):
                size, control, _, _ = take((view[length:],), CONTROL, MSG_DONTWAIT)
                length += size
                self.ends.append(length)
                mark = _mark_of(control)
                if marks and marks[-1][1] == mark:
                    del marks[-1]
                marks.append((length, mark))
                if length >= FULL:
                    break
        except OSError:
            pass  # nothing more is there, or an error that failures() tells
        self.marks = marks
        return (view, length, 0, self.peer or NOBODY) if marks else None

    def tell_marks(self) -> bool:
        """Tell those of IPv4 and, where the socket has it, of IPv6; False on kernels that tell one
        mark for datagrams of several."""
        if _linux() < KEEPS_MARKS:
            return False
        self._socket.setsockopt(IPPROTO_IP, IP_RECVTOS, 1)
        if self._socket.getsockopt(SOL_SOCKET, SO_DOMAIN) == AF_INET6:
            self._socket.setsockopt(IPPROTO_IPV6, IPV6_RECVTCLASS, 1)
        self._tells_marks = True
        return True

    def send_marks(self, heeded: bool) -> None:
        """By TOS or traffic class."""
        if heeded != self._sends_marks:
            self._sends_marks, self._tos = heeded, None

    def _settle(self) -> None:
        """Nothing is there: from now on the kernel has nothing but datagrams of the peer. What came
        before the socket was connected may be anybody's."""
        self._is_settled = self.peer is not None

    def failures(self) -> list[str]:
        """The sentences of the error queue."""
        return errqueue.sentences(self._socket, self.peer, "UDP", self.refused)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def _mark_of(control: Iterable[tuple[int, int, bytes]]) -> int:
    """The mark of congestion that control data tells."""
    for level, kind, data in control:
        if (level, kind) in TOLD:
            return int.from_bytes(data, byteorder) & CE
    return NOT_ECT


def _linux() -> tuple[int, int]:
    """The version of the kernel, its first two numbers."""
    major, minor, *_ = f"{os.uname().release}..".split(".")
    return number(major, 4), number("".join(takewhile(str.isdigit, minor)), 4)


def _is_ours(datagram: memoryview) -> bool:
    """Whether it is a message, or a part of a train."""
    if len(datagram) < hello.MESSAGE.size:
        return False
    return datagram[0] in (*hello.KINDS, *frames.SLICES, frames.UNSUMMED)


def _enlarge(sock: socket, forced: int, option: int, size: int) -> None:
    """Set a buffer, beyond the limit of the machine where the process may do that.

    A train that no device put together again is many small datagrams: each of them takes more room
    in the buffer than its bytes.
    """
    try:
        sock.setsockopt(SOL_SOCKET, forced, size)
    except OSError:
        sock.setsockopt(SOL_SOCKET, option, size)


def _family(address: str) -> int:
    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, address)
        except (OSError, ValueError):
            continue
        return family
    raise errors.BadAddress(f"{address!r} is not an address")


def _port(argument: str) -> int:
    if not argument:
        return PORT
    if not argument.isdecimal() or not 0 < int(argument) < 65536:
        raise errors.UsageError(f"{argument!r} is not a port")
    return int(argument)
