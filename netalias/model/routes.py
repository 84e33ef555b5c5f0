"""Connected routes, which the kernel adds and removes with an address, and the steps for those that
it does not: a deleted one is added again, one that an IPv6 address left behind is deleted."""

from __future__ import annotations

from errno import EEXIST, ESRCH

from netalias.model import AF_INET, AF_INET6, Value, prefix
from netalias.model.steps import RETIRE, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.model import Address

    Place = tuple[int, int, bytes, int]

METRIC_INET6 = 256
"""Metric of a connected IPv6 route without a given one (IP6_RT_PRIO_ADDRCONF)."""


class Connected(Value):
    """The connected route of ``network``/``prefixlen`` through the device ``index``.

    ``network`` and ``source``, which is empty for IPv6, are packed.
    """

    __slots__ = ("family", "index", "metric", "network", "prefixlen", "source")

    def __init__(
        self,
        family: int,
        index: int,
        network: bytes,
        prefixlen: int,
        *,
        metric: int = 0,
        source: bytes = b"",
    ) -> None:
        self.family = family
        self.index = index
        self.network = network
        self.prefixlen = prefixlen
        self.metric = metric
        self.source = source

    @property
    def place(self) -> Place:
        """Device and network, whatever metric and source are."""
        return self.family, self.index, self.network, self.prefixlen


def connected(entry: Address, index: int) -> Connected:
    """The route that the kernel adds with an address that has a network, on the device *index*."""
    inet6 = entry.family == AF_INET6
    return Connected(
        entry.family,
        index,
        prefix.network(entry.local, entry.prefixlen),
        entry.prefixlen,
        metric=entry.metric or (METRIC_INET6 if inet6 else 0),
        source=b"" if inet6 else entry.local,
    )


def unrouted(entry: Address) -> bool:
    """Whether the kernel adds no connected route since the IPv4 network begins with 0
    (fib_add_ifaddr of net/ipv4/fib_frontend.c)."""
    return entry.family == AF_INET and prefix.network(entry.local, entry.prefixlen)[0] == 0


class AddRoute(Step):
    """RTM_NEWROUTE of a connected route; one that is there stays. One that is ``lasting`` belongs
    to an address of others, and is never undone."""

    __slots__ = ("lasting", "route")

    tolerate = (EEXIST,)

    def __init__(self, device: str, index: int, route: Connected, *, lasting: bool = False) -> None:
        super().__init__(device, index, RETIRE)
        self.route = route
        self.lasting = lasting

    def inverse(self) -> Step | None:
        return None if self.lasting else DelRoute(self.device, self.index, self.route)


class DelRoute(Step):
    """RTM_DELROUTE of a connected route; it may be gone. The address that comes back brings it."""

    __slots__ = ("route",)

    tolerate = (ESRCH,)

    def __init__(self, device: str, index: int, route: Connected) -> None:
        super().__init__(device, index, RETIRE)
        self.route = route
