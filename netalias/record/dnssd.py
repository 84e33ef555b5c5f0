"""A service record that is announced to the network of its device, by DNS-SD over multicast DNS.

The service is called after the device and the host, ``tap0 on host._netalias._udp.local``, and the
host after both; so what else answers for this host, avahi for example, has names of its own. The
port is 0: the offer is the network itself.

The library zeroconf answers and announces in a thread of its own, which begins in the namespace of
the device.
"""

from __future__ import annotations

from os import O_CLOEXEC, O_RDONLY, devnull, open, uname

from zeroconf import Error, IPVersion, ServiceInfo, Zeroconf

from netalias import errors
from netalias.record.txt import packed
from netalias.system import descriptors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.record import Record

TYPE = "_netalias._udp.local."
LABEL = 63
"""Bytes of a label at most (RFC 1035)."""
IPV4 = 4
"""Bytes of an address of IPv4; one of IPv6 has more."""
NEEDED = 4
"""Descriptors that the library opens beside one for each interface: one listens, and its thread has
three."""
VERSIONS = {
    (True, True): IPVersion.All,
    (True, False): IPVersion.V4Only,
    (False, True): IPVersion.V6Only,
}
"""Whether there are addresses of IPv4, and of IPv6: the versions to speak."""


class Announced:
    """The output of watch/records.py that is the network. *within* calls a function inside the
    namespace; *host* is the name of the host."""

    def __init__(
        self, within: Callable[[Callable[[], Zeroconf]], Zeroconf], host: str = ""
    ) -> None:
        self._within = within
        self._host = host or uname().nodename.partition(".")[0]
        self._zeroconf: Zeroconf | None = None
        self._place: tuple[object, ...] = ()
        self._name = ""

    def stands(self) -> bool:
        """Always: others cannot change it."""
        return True

    def files(self) -> list[str]:
        """None."""
        return []

    def put(self, record: Record | None) -> None:
        """Announce a record, or take it back. Raises StateError."""
        place = () if record is None else _place(record)
        try:
            if place != self._place:
                self._close()
            if record is not None and place:
                self._announce(record, place)
        except (Error, OSError, RuntimeError) as error:
            try:
                self._close()
            except (Error, OSError, RuntimeError):
                pass  # for the same reason, which is told
            name = "" if record is None else f"{record.name}: "
            why = getattr(error, "strerror", "") or str(error) or type(error).__name__
            raise errors.StateError(f"{name}DNS-SD: {why}") from None

    def _announce(self, record: Record, place: tuple[object, ...]) -> None:
        """Raises what the library does."""
        info = self._info(record)
        if self._zeroconf is not None:
            info.name = self._name
            self._zeroconf.update_service(info)
            return
        four, index = place
        interfaces = [one for one in (four, index) if one]
        version = VERSIONS[bool(four), bool(index)]
        _check_room(NEEDED + len(interfaces))
        self._zeroconf = self._within(
            lambda: Zeroconf(interfaces=interfaces, ip_version=version)  # type: ignore[arg-type]
        )
        self._place = place
        self._zeroconf.register_service(info, allow_name_change=True)
        self._name = info.name

    def _info(self, record: Record) -> ServiceInfo:
        device, host = _label(record.name), _label(self._host)
        return ServiceInfo(
            TYPE,
            f"{f'{device} on {host}'[:LABEL]}.{TYPE}",
            port=0,
            properties=packed(record),
            server=f"{f'{host}-{device}'[:LABEL]}.local.",
            addresses=list(record.addresses),
        )

    def _close(self) -> None:
        """Take the service back, and close the sockets."""
        zeroconf, self._zeroconf, self._place = self._zeroconf, None, ()
        if zeroconf is not None:
            zeroconf.close()


def _place(record: Record) -> tuple[object, ...]:
    """The first address of IPv4, and the index where there is one of IPv6: the interface as the
    library takes it. Empty without addresses."""
    four = next((one for one in record.addresses if len(one) == IPV4), b"")
    six = any(len(one) > IPV4 for one in record.addresses)
    text = "%d.%d.%d.%d" % (*four,) if four else ""
    return (text, record.index if six else 0) if record.addresses else ()


def _check_room(count: int) -> None:
    """Raises OSError where this process may not open so many descriptors. The library waits for its
    thread to begin, for ever if that cannot."""
    held: list[int] = []
    try:
        for _ in range(count):
            held.append(open(devnull, O_RDONLY | O_CLOEXEC))
    finally:
        descriptors.close(held)


def _label(text: str) -> str:
    """A name without what separates labels."""
    return "".join(one if one.isalnum() and one.isascii() else "-" for one in text)
