"""Links that carry one packet a datagram: udp, and frames of Ethernet.

The kernel checks and parts datagrams; none is sent twice. The first source that greets is the only
one that is heard from then on: an unconnected socket would let any later sender be the peer.
"""

from __future__ import annotations

import socket
from _struct import Struct
from errno import EAGAIN, ECONNREFUSED, EINVAL, EIO, EMSGSIZE, ENETDOWN, ENOBUFS, ENODEV, ENXIO
from select import POLLIN
from sys import byteorder

from netalias.links import answering
from netalias.links.devices import UDP, socket_name
from netalias.links.framing import LONGEST
from netalias.links.link import PASSING, Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from netalias.links.state import LinkState

    Buffer = bytes | bytearray | memoryview

AT_ONCE = 64
"""Datagrams of one reading, so that no link keeps others waiting."""
FULL = (EAGAIN, ENOBUFS)
"""The device takes no more now."""
GONE = (ENODEV, ENXIO)
SOL_UDP, UDP_SEGMENT, UDP_GRO = 17, 103, 104
"""linux/udp.h"""
TRAIN, SEGMENTS = 65493, 64
"""Bytes and datagrams of one train, which the kernel carries in one piece where it can."""
UNCUT = (EMSGSIZE, EINVAL, EIO)
CONTROL = 64
_U16 = Struct("=H")
HINTS = {ECONNREFUSED: "nobody listens there", EMSGSIZE: "a packet is too long for the path"}


class DatagramLink(Link):
    """A link over the datagram socket *open_socket*, which does not wait."""

    def __init__(
        self,
        open_socket: socket.socket,
        state: LinkState,
        *,
        carrier: Callable[[], bool | None] = lambda: None,
        greets: Callable[[bytes], bool] = bool,
    ) -> None:
        super().__init__(state, carrier=carrier, greets=greets)
        self.socket = open_socket
        state.framed = False
        self._begin()

    def _begin(self) -> None:
        """Prepare the socket, and what is kept of it."""

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self.socket.fileno()

    def events(self) -> int:
        """POLLIN always: what cannot be sent at once is dropped."""
        return POLLIN

    def send(self, packets: Iterable[Buffer], *, urgent: bool = False) -> int:
        """Send each packet as a datagram."""
        sent = size = dropped = 0
        for train in self._trains(packets):
            if self._sent(train):
                sent += len(train)
                size += sum(map(len, train))
            else:
                dropped += len(train)
        self._count("out", sent, size)
        self.state.counters["out_dropped"] += dropped
        return sent

    def _trains(self, packets: Iterable[Buffer]) -> Iterable[list[Buffer]]:
        """The packets that one call can send together."""
        return [[packet] for packet in packets]

    def _sent(self, train: list[Buffer]) -> bool:
        for _ in range(2):  # the first call may report what became of an earlier datagram
            try:
                self._put(train)
            except OSError as error:
                self._refused(error)
                if error.errno != ECONNREFUSED:
                    return False
            else:
                if self.trace is not None:
                    for packet in train:
                        self.trace("write", packet)
                return True
        return False

    def receive(self) -> list[bytes]:
        """The packets of the datagrams that have come in, AT_ONCE at most."""
        found: list[bytes] = []
        for _ in range(AT_ONCE):
            try:
                packets, source = self._take()
            except OSError as error:
                if error.errno in PASSING:
                    break
                self._refused(error)
                if self.ended:
                    break
                continue
            for packet in packets:
                if self.trace is not None:
                    self.trace("read", packet)
                if packet and self._of_peer(packet, source):
                    found.append(packet)
                else:
                    self.state.counters["in_dropped"] += 1
        self._count("in", len(found), sum(map(len, found)))
        return found

    def _of_peer(self, packet: bytes, source: tuple[str, int]) -> bool:
        """Whether a packet is that of the peer, which the first one that greets becomes."""
        if self.state.peer:
            return source == self.state.peer
        if not (self._greets(packet) and self._found(source)):
            return False
        self.state.peer = source
        return True

    def _put(self, train: list[Buffer]) -> None:
        """Send a train to the peer. Raises OSError."""
        raise NotImplementedError

    def _take(self) -> tuple[list[bytes], tuple[str, int]]:
        """The next packets of one source, empty ones for something else. Raises OSError."""
        raise NotImplementedError

    def _found(self, source: tuple[str, int]) -> bool:
        """Whether this can be the peer from now on."""
        return True

    def _refused(self, error: OSError) -> None:
        self.refused = self.refused or error.errno == ECONNREFUSED
        if error.errno in GONE:
            self._end(f"{self.state.name}: {error.strerror}")
        elif error.errno not in FULL:
            hint = HINTS.get(error.errno or 0, "")
            text = f"{self.state.name}: {error.strerror}"
            self._fail(f"{text} ({hint})" if hint else text)

    def release(self) -> None:
        """Close our copy of the descriptor."""
        self.socket.close()

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class UdpLink(DatagramLink):
    """A link over a UDP socket, connected or, of a passive one, not yet."""

    def _begin(self) -> None:
        self._room = memoryview(bytearray(LONGEST))
        self._source: Any = ()
        """The last sender, with the scope of an IPv6 address (ipv6(7))."""
        self._called = ("", 0)
        if not self.state.peer:
            answering.ask(self.socket)
        self._segments = self._together()

    def _together(self) -> bool:
        """Whether the kernel takes and gives trains: since Linux 5.0."""
        try:
            self.socket.setsockopt(SOL_UDP, UDP_GRO, 1)
        except OSError:
            return False
        return True

    def _trains(self, packets: Iterable[Buffer]) -> Iterable[list[Buffer]]:
        """Runs of packets of one length; the last of each may be shorter."""
        if not self._segments:
            return super()._trains(packets)
        trains: list[list[Buffer]] = []
        length = room = 0
        for packet in packets:
            if not 0 < len(packet) <= min(length, room):
                trains.append([])
                length, room = len(packet), TRAIN
            trains[-1].append(packet)
            room -= len(packet)
            if len(packet) < length or len(trains[-1]) == SEGMENTS:
                length = 0
        return trains

    def _put(self, train: list[Buffer]) -> None:
        if not self.state.peer:
            raise BlockingIOError(EAGAIN, "there is no peer yet")
        if len(train) == 1:
            self.socket.send(train[0])
            return
        try:
            self.socket.sendmsg(train, [(SOL_UDP, UDP_SEGMENT, _U16.pack(len(train[0])))])
        except OSError as error:
            if error.errno not in UNCUT:
                raise
            # The path has got narrower, or the device cannot: each by itself may be cut by IP.
            for packet in train:
                self.socket.send(packet)

    def _take(self) -> tuple[list[bytes], tuple[str, int]]:
        size, control, _, self._source = self.socket.recvmsg_into([self._room], CONTROL)
        step, source = size, (self._source[0], self._source[1])
        for level, kind, data in control:
            if (level, kind) == (SOL_UDP, UDP_GRO):
                step = int.from_bytes(data, byteorder)
        if not self.state.peer:
            self._called = answering.called(control)
        room = self._room
        return [bytes(room[at : min(at + step, size)]) for at in range(0, size, step or 1)], source

    def _found(self, source: tuple[str, int]) -> bool:
        try:
            answering.connect(self.socket, self._source, self._called)
        except OSError:
            return False  # no way leads there: the source is made up
        self._together()
        self.state.name = socket_name(UDP, *source)
        return True


LENGTH = 2
"""Bytes before a packet on Ethernet: its length, since a short frame is padded."""
OUTGOING = 4
"""PACKET_OUTGOING of linux/if_packet.h."""
BROADCAST = b"\xff" * 6


class EthernetLink(DatagramLink):
    """A link over a packet socket that is bound to one device and to ETHERTYPE; it sends to all
    until a peer has greeted."""

    def _begin(self) -> None:
        self._device, self._protocol = self.socket.getsockname()[:2]

    def _put(self, train: list[Buffer]) -> None:
        (packet,) = train
        peer = bytes.fromhex(self.state.peer[0]) if self.state.peer else BROADCAST
        frame = len(packet).to_bytes(LENGTH, "big") + packet
        self.socket.sendto(frame, (self._device, self._protocol, 0, 0, peer))

    def _take(self) -> tuple[list[bytes], tuple[str, int]]:
        frame, (_, _, kind, _, mac) = self.socket.recvfrom(LONGEST)
        source = (mac.hex(), 0)
        length = int.from_bytes(frame[:LENGTH], "big")
        packet = frame[LENGTH : LENGTH + length]
        if kind == OUTGOING or len(packet) != length:
            return [b""], source
        return [packet], source

    def _refused(self, error: OSError) -> None:
        if error.errno != ENETDOWN:  # its carrier tells that
            super()._refused(error)
