"""Routes and publications that follow the addresses of a device. Pure.

What a line asks for is made of the present addresses, and compared with what stands: an address
that goes takes its routes with it (fib_sync_down_addr of net/ipv4/fib_semantics.c), one that comes
makes others of them.
"""

from __future__ import annotations

from _socket import inet_pton

from netalias.desired.following import DEFAULT, OWN, PEER
from netalias.model import AF_INET, AF_INET6, RT_SCOPE_LINK, Value
from netalias.model.gateways import AddWay, DelWay, Way, ours, unit_of_table
from netalias.plan.keeping import is_copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netalias.desired.following import Route
    from netalias.model import Address, Device
    from netalias.model.steps import Step
    from netalias.plan.proxies import Wanted

MOST = 256
"""Peers that are published for one device; user-ppp's proxyall ended there, too."""


class Ends(Value):
    """Both ends of a device in one family, packed: its own address, and that of the peer; each is
    empty without one."""

    __slots__ = ("own", "peer")

    def __init__(self, own: bytes = b"", peer: bytes = b"") -> None:
        self.own = own
        self.peer = peer


def ends(chosen: Mapping[int, Address], entries: Iterable[Address]) -> dict[int, Ends]:
    """The ends of a device with these addresses, by family, of which those *chosen* are its own.

    In IPv6 the peer may be known by a link-local address alone (RFC 5072).
    """
    found = {family: Ends(one.local, one.peer) for family, one in chosen.items()}
    six = found.get(AF_INET6, Ends())
    if not six.peer:
        peer = next((one.peer for one in entries if _is_linked(one)), b"")
        found[AF_INET6] = Ends(six.own, peer)
    return found


def _is_linked(entry: Address) -> bool:
    return entry.family == AF_INET6 and entry.scope == RT_SCOPE_LINK and bool(entry.peer)


def way(route: Route, index: int, known: Mapping[int, Ends]) -> Way | str:
    """The route of a line through the device with this *index*, or the word that has no meaning
    yet."""
    here = known.get(route.family, Ends())
    values = dict.fromkeys(OWN, here.own) | dict.fromkeys(PEER, here.peer)
    missing = [word for word in (route.to, route.via, route.src) if values.get(word) == b""]
    if missing:
        return missing[0]
    network, length = values.get(route.to, b""), 8 * (4 if route.family == AF_INET else 16)
    if route.to == DEFAULT:
        length = 0
    elif not network:
        text, _, bits = route.to.partition("/")
        network, length = inet_pton(route.family, text), int(bits)
    gateway = values.get(route.via) or (inet_pton(route.family, route.via) if route.via else b"")
    source = values.get(route.src, b"")
    place = index, route.family, route.table, network, length
    return Way(*place, gateway, source=source, metric=route.metric)


def difference(
    device: Device, wanted: Sequence[Way], standing: Iterable[Way], made: Iterable[Way] = ()
) -> tuple[list[Step], list[Step]]:
    """The steps that add routes through a device, and those that delete what no line makes.

    *made* are routes of before, whether they are listed or not: IPv6 joins one to the route of
    others with its metric, and lists both with the protocol of the first (rt6_fill_node of
    net/ipv6/route.c).
    """
    place = device.name, device.index
    before = [one for one in standing if one.index == device.index and is_one(one)]
    add: list[Step] = [AddWay(*place, one) for one in wanted if one not in before]
    before += [one for one in made if one.family == AF_INET6 and one not in before]
    return add, [DelWay(*place, one) for one in before if one not in wanted]


def is_one(found: Way) -> bool:
    """Whether a route with our mark is of no alias and no tunnel: those have their own tables."""
    return not ours(found) and unit_of_table(found.table) < 0


def peers(
    device: Device, entries: Iterable[Address], known: Mapping[int, Ends], *, every: bool
) -> list[Wanted]:
    """The peers of a device to be published, the first MOST of them: those of its own addresses, or
    of *every* one that is there. Peers of link-local addresses are nobody's on another link."""
    if not every:
        pairs = [(family, one.peer) for family, one in known.items()]
    else:
        pairs = [(one.family, one.peer) for one in entries if not is_copy(one, device)]
    there = dict.fromkeys((family, peer) for family, peer in pairs if _is_routed(peer))
    return [*there][:MOST]


def _is_routed(peer: bytes) -> bool:
    return bool(peer) and not (len(peer) == 16 and peer[0] == 0xFE and peer[1] >> 6 == 2)


def reason(route: Route, word: str, device: Device) -> str:
    """The sentence for a route that waits for the meaning of a *word*."""
    what = "no peer" if word in PEER else "no address of its own"
    family = "IPv6" if route.family == AF_INET6 else "IPv4"
    return f"{route.title} waits: {device.name} has {what} of {family}"
