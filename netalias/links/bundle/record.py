"""A bundle in the record of its process (runtime/links.py): words and their values, as texts."""

from __future__ import annotations

from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.links.bundle import Bundle
    from netalias.links.bundle.member import Member

MICROSECONDS = 1_000_000


def about(bundle: Bundle, dropped: int) -> dict[str, str]:
    """All links together: counters, what waits for its order, and the slack for late fragments;
    times are microseconds."""
    received = bundle.received
    numbers = {
        "lost": received.lost,
        "late": received.late,
        "duplicate": received.duplicate,
        "incomplete": received.incomplete,
        "overflowed": received.overflowed,
        "delivered": received.delivered,
        "waiting": len(received.held),
        "waiting_bytes": received.octets,
        "slack_us": int(received.slack * MICROSECONDS),
        "foreign": bundle.foreign,
        "looped": bundle.looped,
        "dropped": dropped,
    }
    return {name: str(value) for name, value in numbers.items()}


def each(bundle: Bundle) -> list[dict[str, str]]:
    """Each link, in the order of the members. What is not known is left out."""
    total = sum(member.rate or 0.0 for member in bundle.members if member.up)
    return [_member(member, total) for member in bundle.members]


def _member(member: Member, total: float) -> dict[str, str]:
    now = monotonic()
    found = {
        "member": "up" if member.up else "dead" if member.open else "closed",
        "deaths": str(member.deaths),
        "fragments_sent": str(member.sent),
        "fragments_received": str(member.received),
        "fragments_lost": str(max(0, member.lost)),
        "in_flight_bytes": str(member.flight),
        "window_bytes": str(member.window),
    }
    if member.rate is not None and member.up:
        found["rate"] = str(int(member.rate))
        found["weight"] = str(round(100 * member.rate / total)) if total else "0"
    if member.rtt is not None and member.rtt_min is not None:
        found["rtt_us"] = str(int(member.rtt * MICROSECONDS))
        found["rtt_min_us"] = str(int(member.rtt_min * MICROSECONDS))
    if member.since is not None:
        found["since_s"] = str(int(now - member.since))
    return found
