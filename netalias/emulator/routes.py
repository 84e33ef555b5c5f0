"""A minimal routing table, for the selection of an alias by the source address."""

from __future__ import annotations

from netalias.model import prefix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Table = dict[tuple[int, int, bytes], str]


class Routes:
    """A table (family, network, prefix length) -> name of a device, by longest prefix match."""

    __slots__ = ("_devices",)

    def __init__(self) -> None:
        self._devices: Table = {}

    def __iter__(self) -> Iterator[tuple[int, bytes, int, str]]:
        for (family, length, network), device in self._devices.items():
            yield family, network, length, device

    def add(self, family: int, network: bytes, length: int, device: str) -> None:
        """Set the route for a network; a second one for the same network replaces the first."""
        self._devices[family, length, prefix.network(network, length)] = device

    def find(self, family: int, address: bytes) -> str | None:
        """The device of the route to *address*, or None."""
        for length in range(len(address) * 8, -1, -1):
            device = self._devices.get((family, length, prefix.network(address, length)))
            if device is not None:
                return device
        return None

    def flush(self, device: str) -> Table:
        """Remove all routes through *device*; the removed routes, for restore()."""
        lost = {key: name for key, name in self._devices.items() if name == device}
        for key in lost:
            del self._devices[key]
        return lost

    def restore(self, lost: Table) -> None:
        """Add routes again that flush() removed."""
        self._devices.update(lost)
