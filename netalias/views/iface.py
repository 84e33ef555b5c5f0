"""The addresses of a device: the text of `netalias iface DEV show`, its JSON, and its changes."""

from __future__ import annotations

from netalias.families.fields import address_fields
from netalias.model import AF_INET, AF_INET6, IFA_F_DADFAILED, IFA_F_TENTATIVE, address_text
from netalias.model.names import printable
from netalias.model.renames import RenameLink
from netalias.model.steps import AddAddress, DelAddress, SetLink
from netalias.plan.iface import ALIAS, KEPT, ORIGINS
from netalias.views import FLAGS, SCOPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netalias.model import Device
    from netalias.model.steps import Step
    from netalias.plan.iface import Entry, Table

NO_PEER = "255.255.255.255"
"""The text for "no peer" of an IPv4 address, as in user-ppp."""
KIND = "address"
STATES = ((IFA_F_TENTATIVE, "tentative"), (IFA_F_DADFAILED, "dadfailed"))


def text(table: Table) -> str:
    """The list as lines: the device, then one line for each address."""
    device, count = table.device, len(table.entries)
    flags = ",".join(_flags(device))
    lines = [
        f"{device.name} (idx {device.index}) <{flags}> mtu {device.mtu} has {count} "
        f"address{'' if count == 1 else 'es'}:"
    ]
    lines += [f"  {' '.join(_words(entry))}" for entry in table.entries]
    if device.ifalias:
        lines.append(f"  description: {device.ifalias}")
    return "".join(f"{printable(line)}\n" for line in lines)


def fields(table: Table) -> dict[str, object]:
    """The list as a JSON object, with the names of ip(8) where it has them."""
    device = table.device
    found: dict[str, object] = {
        "ifindex": device.index,
        "ifname": device.name,
        "flags": _flags(device),
        "mtu": device.mtu,
    }
    if device.ifalias:
        found["ifalias"] = device.ifalias
    found["addr_info"] = [_fields(entry) for entry in table.entries]
    return found


def changes(steps: Iterable[Step]) -> Iterator[dict[str, object]]:
    """The JSON objects of the changes that *steps* make, in their order."""
    for step in steps:
        if isinstance(step, (AddAddress, DelAddress)):
            entry = step.address
            word = "add" if isinstance(step, AddAddress) else "remove"
            identity = address_fields(entry.family, entry.local, entry.prefixlen, peer=entry.peer)
            yield {"change": word, "ifname": step.device, **identity, "kind": KIND}
        elif isinstance(step, RenameLink):
            values = {"before": {"ifname": step.device}, "after": {"ifname": step.name}}
            yield {"change": "set", "ifname": step.device, **values}
        elif isinstance(step, SetLink) and step.ifalias is not None and step.before is not None:
            old = step.before.ifalias
            values = {"before": {"ifalias": old or ""}, "after": {"ifalias": step.ifalias}}
            yield {"change": "set", "ifname": step.device, **values}


def killing(dead: Iterable[bytes]) -> Iterator[str]:
    """The commands of ss(8) that end the sockets of packed addresses, as lines."""
    for local in dead:
        yield f"ss -K src {address_text(AF_INET if len(local) == 4 else AF_INET6, local)}\n"


def _flags(device: Device) -> list[str]:
    return [word for bit, word in FLAGS if device.flags & bit]


def _words(entry: Entry) -> list[str]:
    address = entry.address
    inet = address.family == AF_INET
    words = ["inet" if inet else "inet6"]
    words.append(f"{address_text(address.family, address.local)}/{address.prefixlen}")
    peer = _peer(entry)
    if inet or peer:
        words += ["-->", address_text(address.family, peer) if peer else NO_PEER]
    if address.scope:
        words += ["scope", SCOPES.get(address.scope, str(address.scope))]
    words += _states(entry)
    words.append(entry.alias or ORIGINS[entry.origin])
    return words


def _peer(entry: Entry) -> bytes:
    """The peer of an address; that of a kept one only tells it from the address of its owner."""
    return b"" if entry.origin == KEPT else entry.address.peer


def _states(entry: Entry) -> list[str]:
    """The states of an IPv6 address that keep it from being used, or from being chosen."""
    address = entry.address
    if address.family == AF_INET:
        return []
    found = [word for bit, word in STATES if address.flags & bit]
    return [*found, "deprecated"] if address.deprecated else found


def _fields(entry: Entry) -> dict[str, object]:
    address = entry.address
    found = address_fields(address.family, address.local, address.prefixlen, peer=_peer(entry))
    found["scope"] = SCOPES.get(address.scope, str(address.scope))
    found["origin"] = ORIGINS[entry.origin]
    if entry.origin == ALIAS:
        found["altname"] = entry.alias
    if address.protocol:
        found["protocol"] = address.protocol
    return found
