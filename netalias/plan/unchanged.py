"""A quick test whether an alias already is as a line of a file declares it."""

from __future__ import annotations

from netalias import kinds
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    IFA_F_NOPREFIXROUTE,
    IFF_UP,
    PROTOCOL,
    RANDOM_MAC,
)
from netalias.model.leases import same

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.model import Alias, Device


def is_plain(wish: Wish) -> bool:
    """Whether a line asks for host addresses without a word that needs a closer look."""
    assert wish.type is not None
    return (
        (wish.prefixlen in (None, wish.type.bits) or wish.kind == "shard")
        and (wish.source != "on" or wish.kind != "shard")
        and not wish.peer
        and not wish.broadcast
        and not wish.metric
        and wish.up is not False
        and not wish.gateway
        and wish.linklocal != "on"
    )


class Unchanged:
    """A quick test whether aliases already are as one line declares them, for host addresses.

    It is sufficient, not necessary: holds() is true only if plan() would have no steps. ``plain``
    tells whether the line is simple enough for the test.
    """

    __slots__ = ("bits", "family", "lease", "main", "noted", "plain", "recorded", "type", "wish")

    def __init__(self, wish: Wish, main: Device) -> None:
        assert wish.type is not None
        self.wish = wish
        self.main = main
        self.type = wish.type
        self.family = wish.type.family
        self.bits = wish.type.bits
        self.recorded = wish.type.recorded
        self.lease = wish.lease or 0
        self.noted = 0 if wish.prefixlen in (None, self.bits) else wish.prefixlen
        self.plain = is_plain(wish)

    def holds(self, alias: Alias, slot: int, address: bytes) -> bool:
        """Whether *alias*, which is ours, already is the alias of *slot* with *address*.

        It is asked of thousands: a property of the address is read only where it may matter.
        """
        entry, wish = alias.entry, self.wish
        deprecated = wish.deprecated or (alias.sheltered and wish.source != "on")  # as in plan()
        if (
            not self.plain
            or not alias.whole
            or alias.gateway
            or alias.linklocal
            or wish.kind not in ("", kinds.AUTO, alias.kind)
            or entry is None
            or entry.local != address
            or entry.family != self.family
            or entry.prefixlen != self.bits
            or (entry.noted if entry.metric else 0) != self.noted
            or entry.peer
            or entry.broadcast
            or entry.flags & IFA_F_NOPREFIXROUTE
            or (entry.family == AF_INET6 and entry.failed)
            or ((self.lease or entry.valid != FOREVER) and not same(entry, self.lease))
            or bool(entry.preferred) is deprecated
        ):
            return False
        device = alias.device
        if device is None:
            raised = alias.hidden is None or alias.hidden.up
            return raised and entry.protocol == PROTOCOL and self._label(entry.label, slot)
        return (
            not entry.metric
            and ":" not in entry.label
            and device.mtu == (wish.mtu or usual_mtu(alias, alias.kind, self.main))
            and wish.mac in (b"", RANDOM_MAC, device.mac)
            and device.ifalias == self._record(slot, address)
            and bool(device.flags & IFF_UP)
        )

    def _label(self, label: str, slot: int) -> bool:
        """Whether a label is right; an IPv6 one was recognised by its metric, so it is."""
        if self.wish.mac or (self.wish.mtu and not self.wish.lenient):
            return False
        return self.family != AF_INET or label == f"{self.main.name}:{slot}"

    def _record(self, slot: int, address: bytes) -> str:
        """The ifalias that records the alias on its device (kinds.RECORD)."""
        text = f"{kinds.RECORD} {self.main.name}:{slot}"
        if self.recorded:
            text += f" {self.type.name} {self.type.format(address)}/{self.bits}"
        return f"{text} {kinds.LEASE} {self.lease}" if self.lease else text


def usual_mtu(alias: Alias, kind: str, main: Device) -> int:
    """The MTU in bytes of an alias for which none is declared: that of its lower device.

    The kernel lowers it with the MTU of the main device, and does not raise it again. For a kind
    without a lower device, the present MTU; 0 for a label and for a change to such a kind.
    """
    if kind in kinds.SIBLINGS:
        return main.mtu
    return alias.device.mtu if alias.device is not None and alias.kind == kind else 0
