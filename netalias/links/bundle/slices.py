"""Packets of a bundle, as a network device gives and takes them.

Superpackets of a TUN travel as the slices of tunnels.frames, each of which is a packet of the
bundle: so no checksum is computed, and no packet is made that the kernel would join again. The
device is read by the Outward of tunnels, whose carriage is a list here.
"""

from __future__ import annotations

from itertools import accumulate
from os import writev

from netalias.tunnels.carriage import Carriage
from netalias.tunnels.counters import NAMES
from netalias.tunnels.joiner import Joiner
from netalias.tunnels.outward import Outward
from netalias.tunnels.tun import PLAIN, VNET_HDR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.tunnels.carriage import Datagrams
    from netalias.tunnels.tun import Tun


class _Slices(Carriage):
    """The slices of the last read; *most* octets has the largest."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.made: list[memoryview] = []

    def room(self) -> int:
        return self.most

    def send_train(self, train: Datagrams, size: int, tos: int = 0, df: bool | int = False) -> bool:
        view = memoryview(train)
        self.made += [view[begin : begin + size] for begin in range(0, len(view), size)]
        return True


class Slicer:
    """The network device of a bundle, whose packets have *most* octets.

    ``dropped`` counts those that it would not take, or that are none.
    """

    def __init__(self, tun: Tun, most: int) -> None:
        self._fd = tun.fileno()
        self._slices = _Slices(most)
        self._values = memoryview(bytearray(8 * len(NAMES))).cast("Q")
        self._outward = Outward(tun, self._slices, self._values, [])
        self._joiner = Joiner()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Packets and slices."""
        return self._dropped + self._joiner.malformed

    def read(self) -> list[memoryview]:
        """The slices of the next packet or superpacket; none when there is none now."""
        made = self._slices.made = []
        while not made and self._outward.once():
            pass
        return made

    def write(self, packets: list[memoryview | bytes | bytearray]) -> None:
        """Give the device slices that are in order."""
        data = memoryview(bytearray().join(packets))
        ends = list(accumulate(map(len, packets)))
        for parts in self._joiner.join(data, len(data), ends):
            try:
                writev(self._fd, parts)
            except OSError:  # malformed, or the device is down
                self._dropped += 1
        self._joiner.messages.clear()


class Framer:
    """The same for a TAP: each packet of the bundle is a frame of Ethernet."""

    def __init__(self, tun: Tun) -> None:
        self._tun = tun
        self.dropped = 0

    def read(self) -> list[memoryview]:
        """The next frame; none when there is none now. Raises StateError."""
        found = self._tun.read()
        return [memoryview(found)[VNET_HDR.size :]] if found else []

    def write(self, packets: list[memoryview | bytes | bytearray]) -> None:
        """Give the device frames that are in order."""
        for packet in packets:
            try:
                writev(self._tun.fileno(), [PLAIN, packet])
            except OSError:  # malformed, or the device is down
                self.dropped += 1
