"""Local routes of whole networks: the kernel takes every address in one of them for its own.

The mark is the protocol of the route (rtm_protocol); the slot stands in its metric, like that of an
IPv6 label (kinds/label.py). The steps that add and delete one stand here too.
"""

from __future__ import annotations

from errno import EEXIST, ESRCH

from netalias.model import AF_INET6, GROUP, PROTOCOL, Value, address_text
from netalias.model.shell import quoted
from netalias.model.steps import ADDRESS, RETIRE, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class LocalRoute(Value):
    """The local route of ``network``/``prefixlen`` (packed) through the device ``index``, by which
    the alias ``slot`` of that device has every address in it."""

    __slots__ = ("family", "index", "network", "prefixlen", "slot")

    def __init__(self, index: int, family: int, network: bytes, prefixlen: int, slot: int) -> None:
        self.index = index
        self.family = family
        self.network = network
        self.prefixlen = prefixlen
        self.slot = slot

    @property
    def metric(self) -> int:
        """The metric: our mark in the upper half, the slot in the lower one."""
        return GROUP << 16 | self.slot

    @property
    def text(self) -> str:
        """As in ip-route(8): ``10.9.0.0/16``."""
        return f"{address_text(self.family, self.network)}/{self.prefixlen}"


def slot_of(metric: int) -> int:
    """The slot that a metric holds; -1 for the metric of another route."""
    return metric & 0xFFFF if metric >> 16 == GROUP else -1


class AddLocal(Step):
    """RTM_NEWROUTE with NLM_F_CREATE and NLM_F_EXCL, in the table local; the index in ``route`` is
    ignored. IPv6 refuses it on a device that is down. With *kept* it was there before the run, and
    may be still: it is added again where the kernel has deleted it, and stays when that is undone.
    """

    __slots__ = ("kept", "route")

    def __init__(
        self,
        device: str,
        index: int,
        route: LocalRoute,
        phase: int = ADDRESS,
        *,
        kept: bool = False,
    ) -> None:
        super().__init__(device, index, phase)
        self.route = route
        self.kept = kept

    @property
    def tolerate(self) -> tuple[int, ...]:
        """The errnos that count as done."""
        return (EEXIST,) if self.kept else ()

    def inverse(self) -> Step | None:
        return None if self.kept else DelLocal(self.device, self.index, self.route)


class DelLocal(Step):
    """RTM_DELROUTE of exactly this route; one that has gone counts as deleted."""

    __slots__ = ("route",)
    tolerate = (ESRCH,)

    def __init__(self, device: str, index: int, route: LocalRoute, phase: int = RETIRE) -> None:
        super().__init__(device, index, phase)
        self.route = route

    def inverse(self) -> Step:
        return AddLocal(self.device, self.index, self.route)


def _words(verb: str) -> Callable[[AddLocal | DelLocal], str]:
    def words(step: AddLocal | DelLocal) -> str:
        route = step.route
        return (
            f"ip{' -6' * (route.family == AF_INET6)} route {verb} local {route.text}"
            f" dev {quoted(step.device)} table local proto {PROTOCOL} metric {route.metric}"
        )

    return words


WORDS: dict[type[Step], tuple[Callable[[Any], str], Callable[[Any], str]]] = {
    AddLocal: (
        _words("add"),
        lambda step: f"add the local route {step.route.text} to {step.device}",
    ),
    DelLocal: (
        _words("del"),
        lambda step: f"delete the local route {step.route.text} from {step.device}",
    ),
}
"""Class of step: its words, as in commands.WORDS."""
