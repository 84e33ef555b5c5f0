"""The ways out of sockets that are bound to alias devices, asked only by a plan that needs them: a
command without a gateway reads neither rules nor routes."""

from __future__ import annotations

from netalias.model import AF_INET, AF_INET6
from netalias.model.gateways import Gateways, ours

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.model.gateways import Routing, Rule, Way


class Outlets:
    """The answers of *routing*, each asked for once; without it there is nothing.

    *common* gives a sysctl of net.ipv4.conf.all when *within* calls it.
    """

    def __init__(
        self,
        routing: Routing | None = None,
        within: Callable[[Callable[[], int]], int] | None = None,
        common: Callable[[str], int] | None = None,
    ) -> None:
        self._routing = routing
        self._within = within
        self._common = common
        self._filtering: int | None = None
        self._defaults: dict[tuple[int, int], bytes] = {}
        self._routers: dict[int, list[tuple[bytes, str]]] = {}
        self._sources: dict[int, list[tuple[bytes, str]]] = {}
        self._rules: dict[str, list[Rule]] | None = None
        self._ways: dict[int, list[Way]] = {}

    @property
    def rules(self) -> dict[str, list[Rule]]:
        """The rules of ours by the primary name of their device."""
        if self._rules is None:
            self._rules = {}
            found = self._routing.read() if self._routing is not None else Gateways()
            for rule in filter(ours, found.rules):
                self._rules.setdefault(rule.device, []).append(rule)
            for way in filter(ours, found.ways):
                self._ways.setdefault(way.index, []).append(way)
        return self._rules

    def ways(self, index: int) -> list[Way]:
        """The routes of ours through the device with this index."""
        return self._ways.get(index, []) if self.rules is not None else []

    def default(self, index: int, family: int) -> bytes:
        """The gateway, packed, of the default route through a main device, or empty."""
        key = index, family
        if key not in self._defaults:
            found = self._routing.default(*key) if self._routing is not None else b""
            self._defaults[key] = found
        return self._defaults[key]

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        """The source, packed, and the words of each route of a family that has one."""
        if family not in self._sources:
            found = self._routing.sources(family) if self._routing is not None else []
            self._sources[family] = found
        return self._sources[family]

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        """The gateway, packed, and the words of each route of a family that has one."""
        if family not in self._routers:
            found = self._routing.routers(family) if self._routing is not None else []
            self._routers[family] = found
        return self._routers[family]

    @property
    def filtering(self) -> int:
        """The sysctl rp_filter of net.ipv4.conf.all."""
        common = self._common
        if self._filtering is None and self._within is not None and common is not None:
            self._filtering = self._within(lambda: common("rp_filter"))
        return self._filtering or 0


def packed(text: str) -> bytes:
    """An address, packed; empty for anything else, since anybody can change ifalias."""
    from _socket import inet_pton

    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return b""
