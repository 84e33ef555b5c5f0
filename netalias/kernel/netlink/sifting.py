"""A reading without the bare aliases that are as they are declared (model/bare.py).

Thousands of bare devices differ in some values of known layouts only (layouts.py): these are
compared as bytes, and no object is made. Labels: runs.py.
"""

from __future__ import annotations

from sys import byteorder

from netalias.kernel.netlink import codec
from netalias.model import AF_INET, FOREVER, IFA_F_PERMANENT, IFF_UP, PROTOCOL, Snapshot
from netalias.model.bare import BITS, KIND, Sifted, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Protocol, TypeVar

    from netalias.kernel.netlink.interrupted import Body
    from netalias.kernel.netlink.layouts import Reader
    from netalias.model import Device
    from netalias.model.bare import Bare, Gone, Left
    from netalias.model.local_routes import LocalRoute

    T = TypeVar("T")

    class Asked(Protocol):
        """The Fingerprinted, which imports this file."""

        def attempt(
            self, operation: str, request: bytes, wanted: int
        ) -> tuple[list[Body] | None, bool]: ...
        def decoded(
            self, bodies: list[Body], wanted: int, read: Callable[[bytes, int, int], T]
        ) -> list[T]: ...
        def by_layout(self, wanted: int) -> Reader: ...
        def taken(self, request: bytes) -> list[bytes] | None: ...
        def messages(
            self, datagrams: Iterable[bytes]
        ) -> Iterator[tuple[int, int, bytes, int, int]]: ...
        def local_routes(self) -> Sequence[LocalRoute]: ...

    Row = tuple[Any, ...]
    """The values of a message, in the order of the tables of layouts.py."""

LINKS, ADDRESSES = codec.RTM_NEWLINK, codec.RTM_NEWADDR
ENDLESS = FOREVER.to_bytes(4, byteorder) * 2
"""Beginning of the lifetimes of an address that has it for ever."""
INDEX, GROUP = 1, 8
"""Places of the ifindex and of IFLA_GROUP in a row of a device."""
USUAL = AF_INET, BITS, IFA_F_PERMANENT, 0, b"", PROTOCOL, b""
"""Of a bare address: family, prefix length, flags, scope, no broadcast address, protocol, and no
metric."""


def sifted(kernel: Asked, bare: Bare) -> Sifted | None:
    """Kernel.snapshot_without() by three dumps; None where one is not whole or not consistent.
    Raises KernelError."""
    every, consistent = kernel.attempt("list of devices", codec.ALL_LINKS, LINKS)
    if every is None or not consistent:
        return None
    devices = _Devices(bare, kernel) if bare.devices else None
    links = devices.split(every) if devices else kernel.decoded(every, LINKS, codec.read_link)
    read = _addresses(kernel, bare, links)
    if read is None:
        return None
    entries, found, left = read
    others = devices.sift(links, found) if devices else found
    routes = kernel.local_routes()

    def whole() -> Snapshot:
        return Snapshot(
            kernel.decoded(every, LINKS, codec.read_link),
            kernel.decoded(entries(), ADDRESSES, codec.read_address),
            routes,
        )

    links += devices.remaining() if devices else []
    snapshot = Snapshot(links, kernel.decoded(others, ADDRESSES, codec.read_address), routes)
    return Sifted(snapshot, left, devices.gone if devices else {}, whole)


def _addresses(
    kernel: Asked, bare: Bare, links: Sequence[Device]
) -> tuple[Callable[[], list[Body]], list[Body], Left] | None:
    """The addresses, all of them and those without labels, and the labels that were left out; None
    where the dump is not whole or not consistent."""
    if not bare.labels:
        every, consistent = kernel.attempt("list of addresses", codec.ALL_ADDRESSES, ADDRESSES)
        return (lambda: every, every, {}) if every is not None and consistent else None
    from netalias.kernel.netlink.runs import sift

    datagrams = kernel.taken(codec.ALL_ADDRESSES) or []
    found = sift(links, datagrams, bare.labels)

    def entries() -> list[Body]:
        messages = kernel.messages(datagrams)
        return [(data, start, end) for kind, _, data, start, end in messages if kind == ADDRESSES]

    return (entries, *found) if found is not None else None


class _Devices:
    """The bare devices of a reading. ``gone`` are those that are as they should be."""

    def __init__(self, bare: Bare, kernel: Asked) -> None:
        self.gone: dict[str, dict[bytes, Gone]] = {}
        self._bare = bare
        self._links = kernel.by_layout(LINKS)
        self._addresses = kernel.by_layout(ADDRESSES)
        self._bodies: dict[int, Body] = {}
        """The devices that may be bare, by ifindex."""
        self._rows: list[Row] = []

    def split(self, bodies: Iterable[Body]) -> list[Device]:
        """The devices that cannot be bare."""
        found: list[Device] = []
        for body in bodies:
            layout = self._links.layout(*body)
            if layout is not None and layout.like.kind == KIND and not layout.like.remote:  # type: ignore[union-attr]
                row = layout.pick(layout.unpack(body[0], body[1]))
                if row[GROUP] == self._bare.group:
                    self._rows.append(row)
                    self._bodies[row[INDEX]] = body
                    continue
            found.append(self._links(*body))  # type: ignore[arg-type]
        return found

    def sift(self, links: Iterable[Device], bodies: list[Body]) -> list[Body]:
        """The *bodies* of addresses that are not those of bare devices, whose main devices are
        among *links*."""
        mains = {one.index: one for one in links if one.name in self._bare.devices}
        if not mains:
            return bodies
        wanted = self._wanted(mains)
        mine: dict[int, list[Body]] = {}
        others: list[Body] = []
        for body in bodies:
            data, start, _ = body
            index = int.from_bytes(data[start + 4 : start + 8], byteorder)
            if index in wanted:
                mine.setdefault(index, []).append(body)
            else:
                others.append(body)
        for index, some in mine.items():
            main, address, gone, name = wanted[index]
            if len(some) == 1 and self._is_bare(some[0], address, name):
                self.gone.setdefault(main, {})[address] = gone
                del self._bodies[index]
            else:
                others += some
        return others

    def _wanted(self, mains: dict[int, Device]) -> dict[int, tuple[str, bytes, Gone, bytes]]:
        """By ifindex the devices that are as they should be, up to their addresses: the name of
        the main device, the address, what is to be known, and the primary name."""
        names = self._bare.devices
        addresses = {
            index: {name: address for address, name in names[main.name].items()}
            for index, main in mains.items()
        }
        found: dict[int, tuple[str, bytes, Gone, bytes]] = {}
        for row in self._rows:
            _, index, flags, name, mtu, mac, link, master, _, ifalias, _, _, altname, _ = row
            main = mains.get(link)
            alias = altname.rstrip(b"\0")
            address = addresses[link].get(alias) if main is not None else None
            if main is None or address is None or mtu != main.mtu or master or not flags & IFF_UP:
                continue
            own = name.rstrip(b"\0")
            if (own, ifalias.rstrip(b"\0")) == record(alias):
                found[index] = main.name, address, (codec.text_of(alias), index, mac), own
        return found

    def _is_bare(self, body: Body, address: bytes, name: bytes) -> bool:
        layout = self._addresses.layout(*body)
        if layout is None:
            self._addresses(*body)  # the next ones of its length are known by this
            return False
        row = layout.pick(layout.unpack(body[0], body[1]))
        family, length, flags, scope, _, outer, local, broadcast, label, mark, more, *rest = row
        metric, lifetimes = rest
        usual = family, length, more, scope, broadcast, mark, metric
        return (
            usual == USUAL
            and flags == IFA_F_PERMANENT
            and outer == local == address
            and label.rstrip(b"\0") == name
            and lifetimes[:8] == ENDLESS
        )

    def remaining(self) -> list[Device]:
        """The devices that might have been bare, and are not."""
        return [self._links(*body) for body in self._bodies.values()]  # type: ignore[misc]
