"""Faults of tunnels that are carried, or were to be: what keeps their packets from arriving. Pure.

Who carries a tunnel records why it could not be made, and its data plane what it hears of the peer
(tunnels/status.py). Here are the conclusions.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    class Outer(Protocol):
        """desired.tunnels.Outer."""

        peer: str
        carriage: str
        key: str
        port: int

    class Tunnel(Protocol):
        """desired.tunnels.Tunnel."""

        @property
        def name(self) -> str:
            """The name of its device."""

        @property
        def outer(self) -> Outer:
            """The outside of it."""

    class Record(Protocol):
        """runtime.tunnels.Carried."""

        mtu: int
        fault: str

    class Status(Protocol):
        """tunnels.status.Status."""

        @property
        def counters(self) -> Mapping[str, int]:
            """Numbers by name."""

        unanswered: float
        forged: int
        keys: int
        room: int
        said: str


PATIENCE = 5.0
"""Seconds that a peer has to answer: it is asked four times in them, and more often for keys."""
NO_KEYS_AGREED = 1
"""The value of tunnels/status.py."""


class Fault:
    """One fault. ``check`` is the name of the check that finds it, ``text`` states it, with the
    name of the tunnel, ``why`` is its cause; with ``maybe`` it may be intended."""

    __slots__ = ("check", "maybe", "text", "why")

    def __init__(self, check: str, text: str, why: str, *, maybe: bool = False) -> None:
        self.check = check
        self.text = text
        self.why = why
        self.maybe = maybe

    @property
    def line(self) -> str:
        """The fault and its cause."""
        return f"{self.text}: {self.why}"


def faults(tunnel: Tunnel, record: Record, status: Status | None) -> list[Fault]:
    """The faults of one tunnel, causes before consequences; *status* is None where it cannot be
    read."""
    if record.fault:
        why = record.fault.removeprefix(f"{tunnel.name}: ")
        return [Fault("tunnel-failed", f"{tunnel.name} is not carried as its line says", why)]
    if status is None:
        return []
    found = (one(tunnel, record, status) for one in CHECKS)
    return [one for one in found if one is not None]


def _silent(tunnel: Tunnel, record: Record, status: Status) -> Fault | None:
    """The reason why nothing comes, the most certain one first."""
    return next((found for one in SILENT if (found := one(tunnel, status)) is not None), None)


def _other_key(tunnel: Tunnel, status: Status) -> Fault | None:
    if status.keys != NO_KEYS_AGREED or not status.forged:
        return None
    return Fault(
        "tunnel-key",
        f"{tunnel.name}: its peer has another key",
        f"datagrams come, and {tunnel.outer.key} has made none of them ({status.forged} so far)",
    )


def _refused(tunnel: Tunnel, status: Status) -> Fault | None:
    if not status.said:
        return None
    return Fault("tunnel-refused", f"{tunnel.name}: the network refuses what is sent", status.said)


def _unanswered(tunnel: Tunnel, status: Status) -> Fault | None:
    if status.unanswered < PATIENCE:
        return None
    outer = tunnel.outer
    why = f"nothing has come for {status.unanswered:.0f} s: it is down, or a firewall drops "
    why += f"{outer.carriage} port {outer.port}"
    if status.keys == NO_KEYS_AGREED:
        why += ", or it has another key"
    return Fault("tunnel-unanswered", f"{tunnel.name}: {outer.peer or 'its peer'} is silent", why)


def _one_way(tunnel: Tunnel, status: Status) -> Fault | None:
    """A carriage that cannot ask."""
    sent, received = (status.counters.get(f"{way}_packets", 0) for way in ("sent", "received"))
    if tunnel.outer.port or not sent or received:
        return None
    return Fault(
        "tunnel-unanswered",
        f"{tunnel.name}: {tunnel.outer.peer or 'its peer'} has sent nothing yet",
        f"{sent} packets have left by {tunnel.outer.carriage}, and none has come",
        maybe=True,
    )


def _mtu(tunnel: Tunnel, record: Record, status: Status) -> Fault | None:
    """A carriage whose outer packets are not meant to be fragmented (VIF's were)."""
    if not tunnel.outer.port or not 0 < status.room < record.mtu:
        return None
    return Fault(
        "tunnel-mtu",
        f"{tunnel.name}: mtu {record.mtu} is too large",
        f"the path to {tunnel.outer.peer or 'its peer'} takes packets of {status.room} bytes: "
        "longer ones are fragmented, or refused where they must not be",
    )


SILENT: tuple[Callable[[Tunnel, Status], Fault | None], ...] = (
    _other_key, _refused, _unanswered, _one_way,
)  # fmt: skip
CHECKS: tuple[Callable[[Tunnel, Record, Status], Fault | None], ...] = (_silent, _mtu)
