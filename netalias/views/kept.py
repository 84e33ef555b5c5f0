"""Former addresses that are kept, as lines and as JSON."""

from __future__ import annotations

from time import localtime, strftime

from netalias.families.fields import address_fields
from netalias.model import AF_INET, address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class Kept(Protocol):
        """KeptAddress of engine/kept.py."""

        device: str
        family: int
        local: bytes
        since: int
        until: int
        new: bytes | None
        flows: int | None


KIND = "former"
WHEN = "%Y-%m-%d %H:%M:%S"


def details(found: Iterable[Kept], now: float, wall: float) -> list[list[str]]:
    """The lines of each device. *now* is the time of CLOCK_MONOTONIC, *wall* that of day."""
    blocks: dict[str, list[str]] = {}
    for one in found:
        block = blocks.setdefault(one.device, [f"{one.device}: former addresses are kept"])
        block.append(_line(one, now, wall))
    return list(blocks.values())


def _line(one: Kept, now: float, wall: float) -> str:
    name = "ip" if one.family == AF_INET else "ipv6"
    since = strftime(WHEN, localtime(wall - (now - one.since)))
    words = (
        f"{name} {address_text(one.family, one.local)} since {since} remaining {_left(one, now)}"
    )
    if one.new is not None:
        words += f" leaves as {address_text(one.family, one.new)}" if one.new else " not translated"
    return words if one.flows is None else f"{words} flows {one.flows}"


def _left(one: Kept, now: float) -> int:
    return max(int(one.until - now), 0)


def fields(one: Kept, now: float, wall: float) -> dict[str, object]:
    """The JSON object of a former address; ``since`` in seconds since 1970."""
    found: dict[str, object] = {
        "kind": KIND,
        "ifname": one.device,
        **address_fields(one.family, one.local, 8 * len(one.local)),
        "since": int(wall - (now - one.since)),
        "remaining": _left(one, now),
    }
    if one.new is not None:
        found["leaves_as"] = address_text(one.family, one.new) if one.new else None
    if one.flows is not None:
        found["flows"] = one.flows
    return found
