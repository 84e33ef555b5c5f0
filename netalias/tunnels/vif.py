"""VIF as its driver was: interfaces by number, their ioctls, and output() with its errors.

``netalias.vif`` is this module. It makes no device: packets for the own address of an interface
come into a queue, and all others go to a carriage, of protocol 94 as a rule.

    driver = netalias.vif.Driver(4, carriage=netalias.vif.ipip94("203.0.113.9"))
    vif0 = driver.open(0)
    vif0.ioctl(netalias.vif.SIOCSIFADDR, "198.51.100.7")
    vif0.output(packet, "192.0.2.1")

Source: if_vif.c of VIF 1.11; its history in docs/history.md.
"""

from __future__ import annotations

from errno import EAFNOSUPPORT, EINVAL, ENOBUFS, ENXIO

from netalias import errors
from netalias.model import AF_INET, IFF_LOOPBACK, IFF_NOARP, IFF_UP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from netalias.tunnels.carriage import Carriage

MTU = 1024 + 512
"""Bytes (VIFMTU)."""
QUEUE = 50
"""Packets of an input queue (ifqmaxlen of BSD)."""
SIOCSIFADDR = 0x8916
"""linux/sockios.h: assign an address."""
COUNTERS = ("sent", "input", "queue_full", "unsent", "family", "no_buffer", "no_carriage")
"""Packets sent by the carriage and put into the queue, and those that came to nothing:
``queue_full``, ``unsent`` and ``no_buffer`` with ENOBUFS, ``family`` with EAFNOSUPPORT, and
``no_carriage`` without an error, as in the code that was published."""


class Driver:
    """The control node of *units* interfaces, which attach when it is opened first.

    ``queue`` has the names of interfaces and the packets that came in for them, the oldest first.
    *say* is called with each line for the log. All calls raise KernelError with the errno of the
    driver.
    """

    def __init__(
        self,
        units: int = 1,
        *,
        carriage: Carriage | None = None,
        say: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.units = units
        self.carriage = carriage
        self.queue: list[tuple[str, bytes]] = []
        self.interfaces: list[Interface] = []
        self._say = say

    def open(self, unit: int) -> Interface:
        """The interface with this number; ENXIO below 0, and from ``units`` on."""
        self._check(unit, "open")
        if not self.interfaces:
            self.interfaces += [Interface(self, number) for number in range(self.units)]
        return self.interfaces[unit]

    def ioctl(self, unit: int, request: int = 0) -> NoReturn:
        """No request is known: EINVAL, after ENXIO for the number as in open()."""
        self._check(unit, "ioctl")
        raise errors.kernel_error(f"vif{unit}: ioctl {request:#x}", EINVAL)

    def read(self, unit: int) -> NoReturn:
        """ENXIO, always; so do write() and select()."""
        raise errors.kernel_error(f"vif{unit}: read", ENXIO)

    def write(self, unit: int, data: bytes = b"") -> NoReturn:
        """ENXIO."""
        raise errors.kernel_error(f"vif{unit}: write", ENXIO)

    def select(self, unit: int) -> NoReturn:
        """ENXIO."""
        raise errors.kernel_error(f"vif{unit}: select", ENXIO)

    def close(self, unit: int) -> None:
        """Nothing, and no error for any number."""

    def say(self, text: str) -> None:
        """One line for the log."""
        self._say(text)

    def _check(self, unit: int, operation: str) -> None:
        if not 0 <= unit < self.units:
            raise errors.kernel_error(f"vif{unit}: {operation}", ENXIO)


class Interface:
    """One interface: ``name``, ``mtu`` in bytes, ``flags`` (IFF_* of linux/if.h), ``addresses`` as
    texts, and ``counters`` by name (COUNTERS)."""

    def __init__(self, driver: Driver, unit: int) -> None:
        self._driver = driver
        self.name = f"vif{unit}"
        self.mtu = MTU
        self.flags = IFF_LOOPBACK | IFF_NOARP
        self.addresses: list[str] = []
        self.counters = dict.fromkeys(COUNTERS, 0)

    def ioctl(self, request: int, address: str = "") -> None:
        """SIOCSIFADDR assigns an IPv4 address, by which the interface goes up. EINVAL for any other
        request. Raises BadAddress, KernelError."""
        if request != SIOCSIFADDR:
            raise errors.kernel_error(f"{self.name}: ioctl {request:#x}", EINVAL)
        self.addresses.append(_checked(address))
        self.flags |= IFF_UP

    def output(self, packet: bytes, to: str, family: int = AF_INET) -> None:
        """Send an IP packet towards the address *to*.

        One for the first address of the interface goes into the driver's input queue, behind the
        name of the interface: ENOBUFS where that is full, or where there is no memory. Any other
        one goes to the carriage: ENOBUFS where that does not take it. Without a carriage it comes
        to nothing. EAFNOSUPPORT, with a line for the log, for any family but AF_INET.
        """
        if family != AF_INET:
            self._driver.say(f"{self.name}: can't handle af{family}")
            self._refuse("family", EAFNOSUPPORT)
        try:
            if self.addresses[:1] == [to]:
                self._input(packet)
            else:
                self._carry(packet)
        except MemoryError:
            self._refuse("no_buffer", ENOBUFS)

    def _input(self, packet: bytes) -> None:
        queue = self._driver.queue
        if len(queue) >= QUEUE:
            self._refuse("queue_full", ENOBUFS)
        queue.append((self.name, bytes(packet)))
        self.counters["input"] += 1

    def _carry(self, packet: bytes) -> None:
        carriage = self._driver.carriage
        if carriage is None:
            self.counters["no_carriage"] += 1
        elif carriage.send((packet,)):
            self.counters["sent"] += 1
        else:
            self._refuse("unsent", ENOBUFS)

    def _refuse(self, counter: str, errno: int) -> NoReturn:
        self.counters[counter] += 1
        raise errors.kernel_error(f"{self.name}: output", errno)


def ipip94(peer: str) -> Carriage:
    """The carriage of VIF: IP in IP with protocol 94, to the address of a machine that understands
    it. Raises BadAddress, NotPermitted, KernelError."""
    from netalias.tunnels.carriage import open_carriage

    return open_carriage("ipip94", peer)


def _checked(address: str) -> str:
    from _socket import inet_ntop, inet_pton

    try:
        return inet_ntop(AF_INET, inet_pton(AF_INET, address))
    except (OSError, ValueError):
        raise errors.BadAddress(f"{address}: not an IPv4 address") from None
