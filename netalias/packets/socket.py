"""A packet socket on one device: receives the frames that pass a filter, and sends frames.

Rules:
- the filter is attached before the socket is bound, so that no other frame ever comes in;
- the socket taps all protocols, since such a tap gets a frame before a bridge or a macvlan takes it
  (__netif_receive_skb_core in net/core/dev.c);
- the kernel removes the tag of a VLAN before the filter runs: the filter loads it separately
  (SKF_AD_VLAN_TAG of linux/filter.h), and only number 0 passes;
- own frames do not come in (PACKET_IGNORE_OUTGOING of linux/if_packet.h);
- ``only`` narrows the filter to some addresses, so that a flood about others takes no room.
"""

from __future__ import annotations

from _socket import MSG_DONTWAIT, SO_RCVBUF, SOL_SOCKET, if_indextoname
from _struct import Struct, pack
from array import array
from errno import EAGAIN, EINTR, ENETDOWN, ENODEV

from netalias import errors
from netalias.kernel.netlink import SO_RCVBUFFORCE
from netalias.model import ARPHRD_ETHER
from netalias.packets import (
    ETH_P_ALL,
    bind,
    name,
    opened,
    refused,
)
from netalias.packets.bpf import _INSTRUCTION, LONGEST, SO_ATTACH_FILTER, about

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.packets.pacing import Attempt

# Options of packet sockets: linux/if_packet.h.
SOL_PACKET = 263
PACKET_STATISTICS = 6
PACKET_IGNORE_OUTGOING = 23

RECEIVE_BUFFER = 16 << 20
"""Receive buffer in bytes: some 20 000 short frames, which take 768 bytes each at least."""
AT_ONCE = 1024
"""Frames of one reading, so that a flood does not delay everything else."""


_STATISTICS = Struct("=II")
"""struct tpacket_stats of linux/if_packet.h."""


class PacketSocket:
    """A packet socket on the device *index*, with the filter *program*.

    ``name`` and ``mac`` are those of the device, ``ethernet`` tells whether it is Ethernet.

    Raises NotPermitted, NoSuchDevice, MainDown, KernelError, each with the name of the device.
    """

    def __init__(self, index: int, program: bytes) -> None:
        self.index = index
        self.name = name(index)
        try:
            self._socket = opened()
        except OSError as error:
            raise refused(self.name, error) from None
        try:
            self._options(program)
            bind(self._socket, self.name, ETH_P_ALL)
            _, _, _, kind, self.mac = self._socket.getsockname()
        except OSError as error:
            self._socket.close()
            raise refused(self.name, error) from None
        self.ethernet = kind == ARPHRD_ETHER

    def only(self, addresses: Iterable[bytes]) -> None:
        """Receive only ARP about these addresses from now on. Raises KernelError."""
        try:
            self._attach(about(addresses))
        except OSError as error:
            raise refused(self.name, error) from None

    def _attach(self, program: bytes) -> None:
        code = array("B", program)
        filters = pack("@HP", len(program) // _INSTRUCTION.size, code.buffer_info()[0])
        self._socket.setsockopt(SOL_SOCKET, SO_ATTACH_FILTER, filters)

    def _options(self, program: bytes) -> None:
        self._attach(program)
        try:
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        except OSError:  # CAP_NET_RAW without CAP_NET_ADMIN
            self._socket.setsockopt(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER)
        try:
            self._socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        except OSError:
            return  # before Linux 4.20; the filter drops them too

    def fileno(self) -> int:
        """The descriptor of the socket."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket, in 12 ms unless a child holds it too (``packets.leave``)."""
        self._socket.close()

    def push(self, frames: Attempt) -> None:
        """Send of *frames* what the device takes now. Raises StateError."""
        frames.push(self.name, self._socket.send)

    def receive(self) -> list[bytes]:
        """The frames that have come in, AT_ONCE at most."""
        found: list[bytes] = []
        take = self._socket.recv
        try:
            while len(found) < AT_ONCE:
                found.append(take(LONGEST, MSG_DONTWAIT))
        except OSError as error:
            if error.errno not in (EAGAIN, EINTR):
                raise self._gone(error) from None
        return found

    def _gone(self, error: OSError) -> errors.NetaliasError:
        """The error for *error*, which is ENETDOWN also for a vanished device (packet_notifier)."""
        if error.errno == ENETDOWN:
            try:
                if_indextoname(self.index)
            except OSError:
                return refused(self.name, OSError(ENODEV, ""))
        return refused(self.name, error)

    def lost(self) -> int:
        """The number of frames dropped for want of room since the last call."""
        counts = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, _STATISTICS.size)
        _, drops = _STATISTICS.unpack(counts)
        return int(drops)
