"""An alias as the fields of a JSON object."""

from __future__ import annotations

from netalias.families.fields import address_fields
from netalias.kinds import PREFIX
from netalias.model import ARPHRD_ETHER, PROTOCOL, address_text
from netalias.views import FLAGS, SCOPES, mac, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.families import Registry
    from netalias.model import Alias

OPERSTATES = (
    "UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP",
)  # fmt: skip
"""IF_OPER_* of linux/if.h."""

LINK_TYPES = {
    1: "ether", 32: "infiniband", 280: "can", 512: "ppp", 768: "ipip", 769: "tunnel6",
    772: "loopback", 776: "sit", 778: "gre", 823: "gre6", 65534: "none",
}  # fmt: skip
"""ARPHRD_* of linux/if_arp.h: its name in ``ip``, which prints others as a number in brackets."""


EXACT = 53
"""Bits of the largest number that every reader of JSON takes as it is (RFC 8259, section 6); of a
larger network only the prefix length tells how many addresses it has."""


def fields(alias: Alias, registry: Registry) -> dict[str, object]:
    """The JSON object of an alias: the field names of ``ip -json``, and our own.

    Ours are altname, slot, kind, owned, state, addresses, lease, remaining and link_type_name;
    link_type is "ether" or a number.
    """
    slot = alias.name.slot if alias.name.slot >= 0 else None
    result: dict[str, object] = {"altname": str(alias.name), "slot": slot, "kind": alias.kind}
    result["owned"] = alias.ours
    result["state"] = state(alias)
    if alias.main is not None:
        result["link"] = alias.main.name
    device = alias.carrier
    if device is not None:
        result |= {
            "ifindex": device.index,
            "ifname": device.name,
            "flags": [word for bit, word in FLAGS if device.flags & bit],
            "mtu": device.mtu,
            "operstate": OPERSTATES[device.operstate] if device.operstate < 7 else "UNKNOWN",
            "group": device.group,
            "link_type": "ether" if device.type == ARPHRD_ETHER else str(device.type),
            "link_type_name": LINK_TYPES.get(device.type, f"[{device.type}]"),
            "address": mac(alias),
        }
    if alias.family:
        peer = alias.entry.peer if alias.entry is not None else b""
        result |= address_fields(alias.family, alias.address, alias.prefixlen, registry, peer)
    if alias.kind == PREFIX:
        result["protocol"] = PROTOCOL
        bits = len(alias.address) * 8 - alias.prefixlen
        if bits <= EXACT:
            result["addresses"] = 1 << bits
    if alias.entry is not None:
        entry = alias.entry
        if entry.broadcast:
            result["broadcast"] = address_text(entry.family, entry.broadcast)
        result["scope"] = SCOPES.get(entry.scope, str(entry.scope))
        if entry.label:
            result["label"] = entry.label
        if entry.own_metric:
            result["metric"] = entry.own_metric
        result["protocol"] = entry.protocol
        result["valid_life_time"] = entry.valid
        result["preferred_life_time"] = entry.preferred
        if entry.deprecated:
            result["deprecated"] = True
    if alias.lease:
        result["lease"] = alias.lease
        result["remaining"] = alias.entry.valid if alias.entry is not None else 0
    if alias.gateway:
        result["gateway"] = address_text(alias.family, alias.gateway)
    if alias.linklocal:
        result["linklocal"] = "on"
    if alias.device is not None and alias.device.stats is not None:
        stats = alias.device.stats
        result["stats64"] = {
            "rx": {"bytes": stats.rx_bytes, "packets": stats.rx_packets},
            "tx": {"bytes": stats.tx_bytes, "packets": stats.tx_packets},
        }
    return result
