"""The relays of a host: their routes and their publication, made, kept and undone.

All of it is made again as often as is asked for: what stands stays. What relays have published is
noted before it is made (runtime/published.py), so that it is taken back after a kill too.
"""

from __future__ import annotations

from os import getpid

from netalias import errors
from netalias.engine.proxies import cases, key_of, publish, recorded, take_back
from netalias.engine.tunnels import disable_ipv6, sent
from netalias.model import AF_INET6, PROTOCOL
from netalias.model.neighbours import AddProxy, Proxy
from netalias.nat.forwarding import closed
from netalias.plan import proxies, relays
from netalias.runtime.published import RELAYED
from netalias.runtime.tunnels import carried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.desired.relays import Relay
    from netalias.engine import Engine
    from netalias.engine.proxies import Key, Publication
    from netalias.model import Device, Snapshot
    from netalias.nat.forwarding import Chain


class Place:
    """A relay whose devices are there: ``main`` answers, ``tunnel`` is that of the tunnel."""

    __slots__ = ("main", "relay", "tunnel")

    def __init__(self, relay: Relay, main: Device, tunnel: Device) -> None:
        self.relay = relay
        self.main = main
        self.tunnel = tunnel


class Kept:
    """The result of keep(): ``warnings`` say what keeps packets from their way, ``refused`` is what
    the kernel refused."""

    def __init__(self) -> None:
        self.warnings: list[str] = []
        self.refused: list[errors.NetaliasError] = []


def check_main(engine: Engine, relay: Relay) -> None:
    """Check that a device is there that can answer for a relay. Raises NoSuchDevice, KindError."""
    main = engine.snapshot().device(relay.main)
    if main is None:
        raise errors.NoSuchDevice(f"{relay.title}: there is no device {relay.main}")
    for family in {one.family for one in relay.prefixes}:
        proxies.check(main, family)


def settle(engine: Engine, relay: Relay, mtu: int) -> tuple[list[errors.NetaliasError], list[str]]:
    """Bring the device of a tunnel into the state that a relay needs: the refusals, and nothing to
    tell. The rest is done by keep() when the device is up. Raises KernelError."""
    device = engine.kernel.snapshot().device(relay.name)
    if device is None:
        return [errors.NoSuchDevice(f"{relay.name}: the device is gone")], []
    if not device.up and not any(one.family == AF_INET6 for one in relay.prefixes):
        disable_ipv6(engine, device.name)
    return sent(engine, relays.raised(device, mtu, relay.outer)), []


def undo(engine: Engine, wanted: Iterable[Relay]) -> list[errors.NetaliasError]:
    """Take back what relays have published, but for those *wanted* and those that other processes
    carry; no refusals. The routes have gone with the devices. The caller is in a transaction.
    Raises KernelError, StateError."""
    _take_back(engine, engine.snapshot(), wanted)
    return []


def keep(
    engine: Engine, wanted: Sequence[Relay], closed: Callable[[str], list[Chain]] = closed
) -> Kept:
    """Have the relays *wanted* their routes and their publication, as far as their devices are
    there, and take back what others have published that no process carries. *closed* tells, inside
    the namespace, which chains of a firewall keep the packets of a device back.

    The caller is in a transaction. Raises KernelError, NotPermitted, StateError if the record
    cannot be written.
    """
    result, places = Kept(), list[Place]()
    snapshot = engine.snapshot()
    for relay in wanted:
        main, tunnel = snapshot.device(relay.main), snapshot.device(relay.name)
        if main is not None and tunnel is not None and tunnel.up:
            places.append(Place(relay, main, tunnel))
    ways = engine.kernel.routing().read().ways if places else ()
    for place in places:
        result.refused += sent(engine, relays.routes(place.relay.prefixes, place.tunnel, ways))
    _take_back(engine, snapshot, wanted)
    heard = [place for place in places if place.main.up]  # a card that is down is its owner's doing
    for place in heard:
        done = _publish(engine, snapshot, place)
        result.warnings += done.notes
        result.refused += _announce(engine, place, done)
    for place in heard:
        result.warnings += _faults(engine, snapshot, place)
        result.warnings += _firewall(engine, place, closed)
    result.warnings = _first(result.warnings)
    return result


def _take_back(engine: Engine, snapshot: Snapshot, wanted: Iterable[Relay]) -> None:
    """Withdraw what relays have published, but for what those *wanted* publish, and those that
    other processes carry."""
    stays = {key for relay in wanted for key in _keys(snapshot, relay)}
    noted = recorded(engine, snapshot, RELAYED)
    gone = {key_of(one) for one in noted} - stays
    if gone:
        gone -= {key for relay in of_others(engine) for key in _keys(snapshot, relay)}
    if not gone:
        return
    take_back(engine, snapshot, gone, RELAYED)


def of_others(engine: Engine) -> list[Relay]:
    """The relays that other processes carry, with their names."""
    from netalias.desired.relays import Relay
    from netalias.engine.carried import task_of

    others = [one for one in carried(engine.runtime.path) if one.pid != getpid()]
    return [relay for relay in map(task_of, others) if isinstance(relay, Relay)]


def _publish(engine: Engine, snapshot: Snapshot, place: Place) -> Publication:
    """Publish the single addresses of a relay."""
    wanted = relays.singles(place.relay.prefixes)
    return publish(engine, snapshot, wanted, place.main, RELAYED)


def _announce(engine: Engine, place: Place, done: Publication) -> list[errors.NetaliasError]:
    """Announce what is newly published, if packets to it arrive: neighbours may know the MAC of the
    host that has had it. The refusals."""
    fresh = [step.proxy.local for step in done.steps if isinstance(step, AddProxy)]
    silent = not engine.setup.claims or (engine.policy is not None and not engine.policy.announce)
    if silent or done.notes or not fresh:
        return []
    from netalias.packets import single

    def send() -> None:
        for local in fresh:
            single(place.main.name, place.main.mac, local)

    try:
        engine.within(send)
    except errors.MainDown:
        return []  # it went down meanwhile, and is published again then
    except errors.NetaliasError as error:
        return [error]
    return []


def _keys(snapshot: Snapshot, relay: Relay) -> list[Key]:
    """The keys of what a relay publishes; its device may be known by another name."""
    main = snapshot.device(relay.main)
    names = {relay.main, relay.main if main is None else main.name}
    return [(name, *one) for name in names for one in relays.singles(relay.prefixes)]


def _faults(engine: Engine, snapshot: Snapshot, place: Place) -> list[str]:
    prefixes, main, tunnel = place.relay.prefixes, place.main, place.tunnel
    entries = [Proxy(main.index, one.family, one.network, PROTOCOL) for one in prefixes]
    by_entry = dict(zip(entries, prefixes, strict=True))
    singles, networks = [], []
    for case in cases(engine, entries, main, snapshot):
        one = by_entry[case.proxy]
        if not one.single:
            networks.append((case, one))
        elif not proxies.needless(case):
            singles.append(case)
    return proxies.faults(singles) + relays.faults(networks, tunnel)


def _firewall(engine: Engine, place: Place, closed: Callable[[str], list[Chain]]) -> list[str]:
    name = place.tunnel.name
    families = {one.family for one in place.relay.prefixes}
    chains = engine.within(lambda: closed(name))
    return [one.fault(name) for one in chains if one.concerns(families)]


def _first(warnings: Iterable[str]) -> list[str]:
    """The *warnings*, but of those with the same remedy at their end only the first."""
    found: dict[str, str] = {}
    for one in warnings:
        found.setdefault(one.rpartition(" (")[2] if one.endswith(")") else one, one)
    return [*found.values()]
