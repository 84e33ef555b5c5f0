"""A service record as JSON and as text."""

from __future__ import annotations

from netalias.model import mac_text
from netalias.model.events import FLAGS
from netalias.record import ETHERNET, FAST_ETHERNET, OTHER
from netalias.views import NOTHING
from netalias.views.events import PORTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.record import Record

MEDIA = {ETHERNET: "ethernet-10", FAST_ETHERNET: "ethernet-100", OTHER: "other"}
"""Words for the NetAccessType of the PAN profile."""


def fields(record: Record) -> dict[str, object]:
    """The JSON object: ``ifname``, ``address`` and ``flags`` as ``ip -json`` has them. ``speed`` is
    in Mbit/s, ``rate`` in octets per second; what is not known is left out."""
    found: dict[str, object] = {
        "ifname": record.name,
        "address": mac_text(record.mac),
        "flags": [word for bit, word in FLAGS if record.flags & bit],
        "protocols": [f"{one:#06x}" for one in record.protocols],
        "ipv4": list(record.ipv4),
        "ipv6": list(record.ipv6),
        "media": MEDIA[record.net_type],
        "net_access_type": record.net_type,
    }
    if record.speed >= 0:
        found |= {"speed": record.speed, "rate": record.rate}
    if record.port >= 0:
        found["port"] = PORTS.get(record.port, str(record.port))
    found |= {"clients": record.clients, "limit": record.limit}
    return found | {"availability": record.availability}


def away(name: str) -> dict[str, object]:
    """The JSON object in the place of a record while there is no such device."""
    return {"ifname": name, "absent": True}


def text(record: Record) -> str:
    """The record as lines, each with a newline."""
    values = fields(record)
    found = {
        "address": values["address"],
        "flags": f"<{_listed(values['flags'], ',')}>",
        "protocols": _listed(values["protocols"]),
        "ipv4": _listed(values["ipv4"]),
        "ipv6": _listed(values["ipv6"]),
        "media": f"{values['media']} ({record.net_type:#06x})",
        "rate": f"{record.rate} octets/s" if record.rate else NOTHING,
        "availability": f"{record.availability} ({record.clients} of {record.limit} clients)",
    }
    lines = [f"{record.name}: service record\n"]
    return "".join(lines + [f"    {key:<13} {value}\n" for key, value in found.items()])


def _listed(words: object, between: str = " ") -> str:
    assert isinstance(words, list)
    return between.join(words) or NOTHING
