"""Labels and own addresses of a main device that come and go in any order, and the address that the
host sends from. The same over the kernel in memory and over the real one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Network, ip_address, ip_interface
from random import Random

from hypothesis import note

from netalias import errors
from netalias.desired import declarations
from netalias.engine import Engine
from netalias.engine.reconcile import Rules, look, reconcile
from netalias.views.diff import line

LABELS = {
    "eth0:0": "10.9.0.1", "eth0:1": "10.9.0.2", "eth0:2": "10.9.0.3", "eth0:3": "10.8.0.1/24",
    "eth0:4": "2001:db8:9::1", "eth0:5": "2001:db8:9::2", "eth0:6": "fd00:9::1",
    "eth0:7": "2001:db8:1::9/64",
}  # fmt: skip
"""Name: the address of a label."""
OWN = (
    "10.1.0.1/32", "10.2.0.1/32", "10.3.0.1/24", "10.9.0.7/24", "10.8.0.7/24",
    "2001:db8:1::1/64", "2001:db8:2::1/128", "fd00:1::1/64", "2002:c000:201::1/64",
)  # fmt: skip
"""Addresses that others give to the main device, and take away again."""
ROUTER = "172.31.1.1"
"""A router in none of their networks."""
HOSTS = (
    "203.0.113.1", "198.51.100.1", "2001:db8:f::1", "2001:db8:9::f", "fd00:f::1", "fd00:9::f",
)  # fmt: skip
"""Hosts that a route of the main device leads to: the first by the router, the others by none."""
REALMS = IPv6Network("fc00::/7"), IPv6Network("2002::/16")
"""Networks whose addresses are not for all hosts (RFC 6724, section 2.1)."""


class World:
    """A namespace with a main device eth0, as a test changes and asks it."""

    engine: Engine

    def add(self, own: str) -> None:
        """Somebody gives the address to eth0."""
        raise NotImplementedError

    def remove(self, own: str) -> None:
        """Somebody takes it away."""
        raise NotImplementedError

    def deprecate(self, own: str) -> None:
        """Somebody sets the preferred lifetime of an IPv6 address to 0."""
        raise NotImplementedError

    def source(self, host: str) -> str:
        """The address that a packet to *host* is sent from; empty for none."""
        raise NotImplementedError


def hold(world: World, random: Random) -> None:
    """Let labels, declared without a word about sources, and own addresses come in any order, and
    reconcile: the host sends from an own address wherever it can, and else from a label. A second
    run has nothing to do."""
    lines = dict(random.sample(list(LABELS.items()), random.randrange(1, len(LABELS) + 1)))
    text = "".join(f"{name} {address} kind label\n" for name, address in lines.items())
    present: dict[str, bool] = {}
    for _ in range(random.randrange(2, 9)):
        present = happen(world, random, present, text)
    run(world, text)
    note(f"{present}\n{text}")
    for host in HOSTS:
        assert world.source(host) in expected(host, present, lines), host


def happen(world: World, random: Random, present: dict[str, bool], text: str) -> dict[str, bool]:
    """Do something; the own addresses after it, and whether each may be a source."""
    own, dice = random.choice(OWN), random.random()
    note(f"{own} {dice}")
    if dice < 0.3:
        run(world, text)
    elif own not in present:
        world.add(own)
        return {**present, own: True}
    elif dice < 0.5 and ":" in own:
        world.deprecate(own)
        return {**present, own: False}
    else:
        world.remove(own)
        return {one: usable for one, usable in present.items() if one != own}
    return present


def run(world: World, text: str) -> None:
    """Reconcile; what is said afterwards."""
    found = declarations.parse([("t.conf", text)], world.engine.registry)
    assert found.errors == []
    outcome = reconcile(world.engine, found, Rules(allow_empty=True))
    assert (outcome.wrong, outcome.status) == ([], errors.STATUS_OK)
    again = look(world.engine, found, Rules(allow_empty=True))
    assert [line(item, world.engine.registry) for item in again.items] == []


def expected(host: str, present: Mapping[str, bool], lines: Mapping[str, str]) -> Sequence[str]:
    """The addresses that the host may send from to *host*: its own ones, if any is of use there.

    A label of IPv6 with a network of its own may always be the source.
    """
    wanted = ip_address(host)
    own = [one for one in present if ip_interface(one).version == wanted.version]
    labels = [one for one in lines.values() if ip_interface(one).version == wanted.version]
    speaking = [one for one in own if wanted.version == 4 or _serves(one, present, host)]
    if not speaking:
        speaking = [*own, *labels]
    elif wanted.version == 6:
        speaking += [one for one in labels if "/" in one and not _covered(one, own)]
    return [one.partition("/")[0] for one in speaking] or [""]


def _serves(own: str, present: Mapping[str, bool], host: str) -> bool:
    """Whether an own IPv6 address is as good a source for *host* as that of any label."""
    usable = [one for one in present if present[one] and ":" in one]
    if any(_realm(one) is None for one in usable):
        return own in usable
    return own in usable and _realm(own) == _realm(host) is not None


def _realm(text: str) -> IPv6Network | None:
    return next((one for one in REALMS if ip_interface(text) in one), None)


def _covered(label: str, own: Sequence[str]) -> bool:
    return any(ip_interface(label) in ip_interface(one).network for one in own)
