"""Packets right behind an outer header of IP: protocol 94, and IP in IP (RFC 2003, RFC 2473).

``ipip94`` has both families behind protocol 94, as KA9Q and the first mobile hosts had them, with
no header between the two. ``ipip`` has IPv4 behind protocol 4 and IPv6 behind 41, as the kernel's
own devices have. The kernel makes the outer header and fragments the outer packet, which it never
does with a header that is made by hand (IP_HDRINCL). What comes has been put together again.

Source: raw(7), ip(7), ipv6(7), linux/in.h.
"""

from __future__ import annotations

import os
from _socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    MSG_DONTWAIT,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_CLOEXEC,
    SOCK_RAW,
    SOL_SOCKET,
    inet_pton,
    socket,
)
from errno import ECONNREFUSED, EMSGSIZE, ENOTCONN
from fcntl import ioctl
from sys import byteorder

from netalias import errors
from netalias.packets.ip import IPPROTO_IPIP, IPV4_HEADER, IPV6_HEADER, IPV6_MIN_MTU
from netalias.packets.ip import IPPROTO_IPV6 as PROTOCOL_IPV6
from netalias.system.netns import entered
from netalias.tunnels import counters, errqueue
from netalias.tunnels.carriage import AT_ONCE, NOBODY, Carriage, slots
from netalias.tunnels.congestion import survives
from netalias.tunnels.udp import (
    BUFFER,
    IP_MTU_DISCOVER,
    IP_TOS,
    IPV6_MTU_DISCOVER,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    PMTUDISC_DO,
    PMTUDISC_DONT,
    SEND_BUFFER,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.packets.ip import Buffer
    from netalias.tunnels.carriage import Datagrams, Packets, Source

    Found = list[tuple[memoryview, Source]]

IPPROTO_94 = 94
"""Named IPIP by IANA, after KA9Q; linux/in.h has no name for it."""
IP_MTU, IPV6_MTU = 14, 24
PORT = 1
"""A raw socket has no port; but one that is connected to port 0 has no peer for getpeername(2)."""
SO_NETNS_COOKIE = 71
SIOCGSKNS = 0x894C
"""Gives a descriptor of the network namespace of a socket (linux/sockios.h)."""
CONTROL = 32
"""Bytes of control data: a traffic class takes 24."""


class _Outer:
    """A raw socket of one protocol, with the TOS and DF of what it sends now.

    ``versions`` are those of the packets that it carries.
    """

    def __init__(self, sock: socket, versions: tuple[int, ...]) -> None:
        self.socket = sock
        self.versions = versions
        self.is_ipv6 = sock.family == AF_INET6
        self.send = sock.send
        self._tos: int | None = None
        self._df: bool | None = None
        if self.is_ipv6:
            sock.setsockopt(IPPROTO_IPV6, IPV6_RECVTCLASS, 1)

    def mark(self, tos: int, df: bool) -> None:
        """Send with these from now on."""
        level = IPPROTO_IPV6 if self.is_ipv6 else IPPROTO_IP
        if tos != self._tos:
            self.socket.setsockopt(level, IPV6_TCLASS if self.is_ipv6 else IP_TOS, tos)
            self._tos = tos
        if df != self._df:
            option = IPV6_MTU_DISCOVER if self.is_ipv6 else IP_MTU_DISCOVER
            self.socket.setsockopt(level, option, PMTUDISC_DO if df else PMTUDISC_DONT)
            self._df = df


class Raw(Carriage):
    """One raw socket, or one for each family; see Carriage.

    A raw socket hears every packet of its protocol. So nobody else has to be told of a second one,
    which each process opens for itself.
    """

    protocols: dict[int, int]
    """Version of a packet -> the protocol that carries it."""

    def __init__(self, sock: socket) -> None:
        self._first = sock
        versions: dict[int, list[int]] = {}
        for version, protocol in self.protocols.items():
            versions.setdefault(protocol, []).append(version)
        self._outers = []
        for protocol, carried in versions.items():
            is_first = protocol == sock.getsockopt(SOL_SOCKET, SO_PROTOCOL)
            one = sock if is_first else _beside(sock, protocol)
            self._outers.append(_Outer(one, tuple(carried)))
        self._by_version = {one: outer for outer in self._outers for one in outer.versions}
        self._is_ipv6 = sock.family == AF_INET6
        self.overhead = IPV6_HEADER if self._is_ipv6 else IPV4_HEADER
        self._slots = slots(AT_ONCE)
        self._is_settled = False
        self._know()

    @classmethod
    def open(cls, argument: str, peer: str = "", local: str = "") -> Raw:
        """Sockets of the family of the peer; a passive end without an address hears IPv4."""
        if argument:
            raise errors.UsageError(f"{cls.word}:{argument}: {cls.word} takes nothing after it")
        sock = _open(_family(peer or local), cls.protocols[4])
        try:
            if local:
                sock.bind((local, 0))
            if peer:
                sock.connect((peer, PORT))
        except OSError as error:
            sock.close()
            raise errors.kernel_error(f"{cls.word} to {peer}", error.errno or 0) from None
        return cls(sock)

    @classmethod
    def adopt(cls, fd: int, argument: str) -> Raw:
        """The socket behind a descriptor; a second one is opened."""
        try:
            sock = socket(fileno=fd)
            kind = [sock.getsockopt(SOL_SOCKET, one) for one in (SO_TYPE, SO_PROTOCOL)]
        except OSError:
            kind = []
        if kind != [SOCK_RAW, cls.protocols[4]]:
            raise errors.StateError(f"descriptor {fd} is no raw socket of {cls.word}")
        os.set_inheritable(fd, False)
        return cls(sock)

    def fileno(self) -> int:
        """The descriptor of the first socket, which others may hand over."""
        return self._first.fileno()

    def filenos(self) -> list[int]:
        """Both."""
        return [one.socket.fileno() for one in self._outers]

    def connect(self, peer: Source) -> None:
        """Hear this peer alone from now on."""
        try:
            self._first.connect((peer[0], PORT))
        except OSError as error:
            raise errors.kernel_error(f"{self.word} to {peer[0]}", error.errno or 0) from None
        self._know()

    def _know(self) -> None:
        """Take over the ends of the first socket, once it is connected."""
        try:
            peer, local = self._first.getpeername(), self._first.getsockname()
        except OSError as error:
            if error.errno != ENOTCONN:
                raise
            return
        self.peer, self.local = (peer[0], 0), local[0]
        for outer in self._outers:
            if outer.socket is not self._first:
                outer.socket.bind((local[0], 0))
                outer.socket.connect((peer[0], PORT))
            errqueue.switch_on(outer.socket, self._is_ipv6)

    # Out -----------------------------------------------------------------------------------------

    def send(self, packets: Packets, tos: int = 0, df: bool | int = False) -> int:
        """One outer packet each. A full buffer is waited for, so that the device's queue fills."""
        if self.peer is None:
            return 0
        sent = 0
        for packet in packets:
            outer = self._by_version.get(packet[0] >> 4)
            if outer is None:
                continue
            outer.mark(tos, bool(df))
            try:
                outer.send(packet)
            except OSError as error:
                if not self._again(outer, packet, tos, error.errno or 0):
                    continue
            sent += 1
        return sent

    def prepare(self, version: int, tos: int, df: bool) -> Callable[[Datagrams], object] | None:
        """The send of the socket for this version."""
        outer = self._by_version.get(version)
        if outer is None or self.peer is None:
            return None
        outer.mark(tos, df)
        return outer.send

    def _again(self, outer: _Outer, packet: Buffer, tos: int, errno: int) -> bool:
        """Send once more: it may be what the network said of an earlier one, and is gone now.

        A packet of IPv6 that every link takes is fragmented outside, where the path does not take
        it with our header (RFC 2473, 7.1).
        """
        if errno == EMSGSIZE:
            if packet[0] >> 4 != 6 or len(packet) > IPV6_MIN_MTU:
                return self._refuse(packet, errno)
            outer.mark(tos, False)
        try:
            outer.send(packet)
        except OSError as error:
            return self._refuse(packet, error.errno or 0)
        return True

    def _refuse(self, packet: Buffer, errno: int) -> bool:
        self.errno = errno
        if self.refused is not None:
            self.refused(packet, errno)
        return False

    def room(self) -> int:
        """By the path MTU that the kernel knows; of none before the peer is known."""
        level, option = (IPPROTO_IPV6, IPV6_MTU) if self._is_ipv6 else (IPPROTO_IP, IP_MTU)
        try:
            return self._first.getsockopt(level, option) - self.overhead
        except OSError:
            return 0

    # In ------------------------------------------------------------------------------------------

    def receive(self) -> list[tuple[memoryview, Source]]:
        """Packets of all sockets, which take turns to be the first. The first packet of all pins
        its sender."""
        found: Found = []
        self._outers.reverse()
        for outer in self._outers:
            take = self._take_slowly
            if self._is_settled and not self._is_ipv6:
                take = self._take
            try:
                take(outer, found)
            except BlockingIOError:
                # From now on the kernel has nothing but packets of the peer.
                self._is_settled = self.peer is not None
            except OSError:
                pass  # failures() tells of it
        return found

    def _take(self, outer: _Outer, found: Found) -> None:
        """Packets behind headers of IPv4, which raw sockets are given too. Raises OSError."""
        receive, versions, peer = outer.socket.recv_into, outer.versions, self.peer or NOBODY
        for slot in self._slots[len(found) :]:
            length = receive(slot, 0, MSG_DONTWAIT)
            packet = slot[(slot[0] & 15) * 4 : length]
            tos = slot[1]
            is_usual = packet and packet[0] >> 4 in versions and not tos & 3
            if is_usual or self._is_fit(outer, packet, tos):
                found.append((packet, peer))

    def _take_slowly(self, outer: _Outer, found: Found) -> None:
        """Packets whose sender the kernel tells, and the traffic class of IPv6. Raises OSError."""
        for slot in self._slots[len(found) :]:
            length, control, _, address = outer.socket.recvmsg_into((slot,), CONTROL, MSG_DONTWAIT)
            tos, start = slot[1], (slot[0] & 15) * 4
            if self._is_ipv6:
                told = (data for _, kind, data in control if kind == IPV6_TCLASS)
                tos = int.from_bytes(next(told, b""), byteorder)
                start = 0
            packet = slot[start:length]
            if not self._is_fit(outer, packet, tos):
                continue
            if self.peer is None:
                try:
                    self.connect((address[0], 0))
                except errors.NetaliasError:
                    pass  # no way leads back: its source is made up
            if self.peer is None or address[0] != self.peer[0]:
                self._drop(counters.STRANGER)
                continue
            found.append((packet, self.peer))

    def _is_fit(self, outer: _Outer, packet: memoryview, tos: int) -> bool:
        if not packet or packet[0] >> 4 not in outer.versions:
            return self._drop(counters.MALFORMED)
        if tos & 3 and not survives(packet, tos & 3):
            return self._drop(counters.CONGESTED)
        return True

    def _drop(self, counter: int) -> bool:
        if self.dropped is not None:
            self.dropped(counter)
        return False

    def failures(self) -> list[str]:
        """The sentences of both error queues.

        Protocols have no ports: that one is unreachable is the answer of the kernel's own tunnels
        at the far end (tunnel4_rcv()), which have no device for the packet. A raw socket has it.
        """
        found = []
        for outer in self._outers:
            protocol = f"protocol {outer.socket.getsockopt(SOL_SOCKET, SO_PROTOCOL)}"
            found += errqueue.sentences(
                outer.socket, self.peer, protocol, self.refused, (ECONNREFUSED,)
            )
        return found

    def close(self) -> None:
        """Close the sockets."""
        for outer in self._outers:
            outer.socket.close()


class Ipip94(Raw):
    """Protocol 94 for both families."""

    word = "ipip94"
    protocols = {4: IPPROTO_94, 6: IPPROTO_94}


class Ipip(Raw):
    """RFC 2003 and RFC 4213; over IPv6 RFC 2473."""

    word = "ipip"
    merges = True
    protocols = {4: IPPROTO_IPIP, 6: PROTOCOL_IPV6}


def _open(family: int, protocol: int) -> socket:
    try:
        sock = socket(family, SOCK_RAW | SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise errors.kernel_error(
            f"a raw socket of protocol {protocol}", error.errno or 0
        ) from None
    for option, size in ((SO_RCVBUF, BUFFER), (SO_SNDBUF, SEND_BUFFER)):
        sock.setsockopt(SOL_SOCKET, option, size)
    return sock


def _beside(first: socket, protocol: int) -> socket:
    """A raw socket of another protocol in the network namespace of *first*, wherever this process
    is. Raises NotPermitted, KernelError."""
    sock = _open(first.family, protocol)
    cookies = [one.getsockopt(SOL_SOCKET, SO_NETNS_COOKIE, 8) for one in (first, sock)]
    if cookies[0] == cookies[1]:
        return sock
    sock.close()
    try:
        namespace = ioctl(first.fileno(), SIOCGSKNS)
    except OSError as error:
        raise errors.kernel_error("the namespace of a socket", error.errno or 0) from None
    try:
        with entered(f"/proc/self/fd/{namespace}"):
            return _open(first.family, protocol)
    finally:
        os.close(namespace)


def _family(address: str) -> int:
    """That of a packed address; AF_INET of none. Raises BadAddress."""
    for family in (AF_INET, AF_INET6):
        try:
            inet_pton(family, address or "0.0.0.0")
        except (OSError, ValueError):
            continue
        return family
    raise errors.BadAddress(f"{address!r} is not an address")
