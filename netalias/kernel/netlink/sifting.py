"""A reading without the bare aliases that are as they are declared (model/bare.py).

Both dumps are cut into columns, and no object is made of what is left out: labels in runs.py,
devices and their addresses in device_runs.py.
"""

from __future__ import annotations

from netalias.kernel.netlink import codec
from netalias.kernel.netlink.runs import HEADER, complete, sequence_of, sift
from netalias.model import Snapshot
from netalias.model.bare import Sifted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Protocol, TypeVar

    from netalias.kernel.netlink.device_runs import Devices
    from netalias.kernel.netlink.interrupted import Body
    from netalias.model import Device
    from netalias.model.bare import Bare, Left
    from netalias.model.local_routes import LocalRoute

    T = TypeVar("T")

    class Asked(Protocol):
        """The Fingerprinted, which imports this file."""

        def decoded(
            self, bodies: list[Body], wanted: int, read: Callable[[bytes, int, int], T]
        ) -> list[T]: ...
        def taken(self, request: bytes, operation: str = ...) -> list[bytes] | None: ...
        def messages(
            self, datagrams: Iterable[bytes]
        ) -> Iterator[tuple[int, int, bytes, int, int]]: ...
        def local_routes(self) -> Sequence[LocalRoute]: ...


LINKS, ADDRESSES = codec.RTM_NEWLINK, codec.RTM_NEWADDR


def sifted(kernel: Asked, bare: Bare) -> Sifted | None:
    """Kernel.snapshot_without() by three dumps; None where one is not whole or not consistent.
    Raises KernelError."""
    devices = None
    dump = kernel.taken(codec.ALL_LINKS, "list of devices") or []
    if bare.devices:
        from netalias.kernel.netlink.device_runs import Devices

        devices = Devices(bare, sequence_of(dump))
        for data in dump:
            devices.take(data)
    left = devices.bodies if devices is not None else bodies_of(kernel, dump)
    others = complete(left, sequence_of(dump), LINKS)
    if others is None:
        return None
    links = kernel.decoded(others, LINKS, codec.read_link)
    datagrams = kernel.taken(codec.ALL_ADDRESSES) or []
    read = _addresses(bare, devices, links, datagrams)
    if read is None:
        return None
    entries, labels, ahead = read
    routes = kernel.local_routes()

    def whole() -> Snapshot:
        return Snapshot(
            kernel.decoded(bodies_of(kernel, dump, LINKS), LINKS, codec.read_link),
            kernel.decoded(bodies_of(kernel, datagrams, ADDRESSES), ADDRESSES, codec.read_address),
            routes,
        )

    if devices is not None:
        links += kernel.decoded(devices.remaining(), LINKS, codec.read_link)
    found = kernel.decoded(entries, ADDRESSES, codec.read_address)
    gone = devices.gone() if devices is not None else {}
    return Sifted(Snapshot(links, found, routes), labels, ahead, gone, whole)


def _addresses(
    bare: Bare, devices: Devices | None, links: Sequence[Device], datagrams: list[bytes]
) -> tuple[list[Body], Left, dict[str, int]] | None:
    """The addresses without those of labels and *devices* that are as they should be, the labels
    that were left out, and how many addresses come before these (bare.Sifted); None where the dump
    is not whole or not consistent."""
    sequence = sequence_of(datagrams)
    labels: Left = {}
    ahead: dict[str, int] = {}
    if devices is None or bare.labels:
        read = sift(links, datagrams, bare.labels)
        if read is None or devices is None:
            return read
        bodies, labels, ahead = read
        datagrams = [b"".join(data[start - HEADER : end + 3 & ~3] for data, start, end in bodies)]
    devices.match(links)
    others: list[Body] | None = devices.sift(datagrams, sequence)
    if not bare.labels:
        others = complete(others or (), sequence, ADDRESSES)
    return (others, labels, ahead) if others is not None else None


def bodies_of(kernel: Asked, datagrams: Iterable[bytes], wanted: int = 0) -> list[Body]:
    """The bodies of the messages in *datagrams*: of the type *wanted*, 0 for all."""
    return [
        (data, start, end)
        for kind, _, data, start, end in kernel.messages(datagrams)
        if wanted in (0, kind)
    ]
