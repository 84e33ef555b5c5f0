"""Many changes of addresses at once: packed into few sends, with nothing in between."""

from __future__ import annotations

import socket

from netalias.kernel.netlink import codec
from netalias.model import AF_INET, Address
from netalias.model.steps import AddAddress, DelAddress

PACKED = 256
"""Messages of one send."""


class Storm:
    """Addresses of 10.200.0.0/14 that come and go on a device, as the calling thread's namespace
    has them."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._number = 0

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def blow(self, changes: int) -> None:
        """So many changes, an even number: each address goes again before the next one comes."""
        for begin in range(0, changes // 2, PACKED // 2):
            count = min(PACKED // 2, changes // 2 - begin)
            self._socket.send(b"".join(self._pair() for _ in range(count)))
            self._refusals()

    def _pair(self) -> bytes:
        self._number = (self._number + 1) & 0xFFFF
        local = bytes((10, 200, self._number >> 8, self._number & 255))
        entry = Address(self._index, AF_INET, local, 32)
        came, went = AddAddress("", self._index, entry), DelAddress("", self._index, entry)
        return codec.add_address(0, self._index, came) + codec.del_address(0, self._index, went)

    def _refusals(self) -> None:
        try:
            data = self._socket.recv(65536, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        raise AssertionError(f"the kernel refused a change: {data!r}")
