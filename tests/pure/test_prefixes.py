"""Aliases of kind prefix: words, plans, drift, removal and views, in memory."""

from __future__ import annotations

from socket import inet_pton

import pytest
from test_drift import declared, done, drift
from test_plan import Stage

from netalias import errors
from netalias.desired import export
from netalias.doctor.checks.prefixes import snooped, unserved
from netalias.doctor.facts import Facts
from netalias.engine.reconcile import Rules, look
from netalias.kernel.memory import Memory
from netalias.model import AF_INET
from netalias.model.commands import command
from netalias.model.gateways import Gateways, Routing
from netalias.model.local_routes import LocalRoute
from netalias.observed.query import lookup
from netalias.views.detail import detail
from netalias.views.fields import fields

SILENT = "only a running netalias watch answers ARP for"
NETWORK, NETWORK6 = "10.9.0.0/16", "2001:db8:9::/64"


class Sourced(Memory):
    """A kernel with routes that have a source."""

    routes: tuple[tuple[str, str], ...] = ()
    asked = 0

    def routing(self) -> Routing:
        return Asked(self)


class Asked(Routing):
    """The answers of Sourced."""

    def __init__(self, kernel: Sourced) -> None:
        self._kernel = kernel
        self._usual = Memory.routing(kernel)

    def read(self) -> Gateways:
        return self._usual.read()

    def default(self, index: int, family: int) -> bytes:
        return self._usual.default(index, family)

    def sources(self, family: int) -> list[tuple[bytes, str]]:
        self._kernel.asked += 1
        return [(inet_pton(AF_INET, one), text) for one, text in self._kernel.routes]

    def routers(self, family: int) -> list[tuple[bytes, str]]:
        return self._usual.routers(family) + self.sources(family)


@pytest.fixture
def stage() -> Stage:
    """eth0 has a network of each family."""
    made = Stage(Sourced())
    made.kernel.add_address("eth0", "10.0.0.1/24")
    made.kernel.add_address("eth0", "2001:db8::1/64")
    return made


def texts(stage: Stage) -> list[str]:
    """The local routes of ours: slot and network."""
    return sorted(f"{one.slot} {one.text}" for one in stage.kernel.snapshot().local_routes)


def notes(stage: Stage, words: str) -> str:
    """The notes of a plan, as one text."""
    return "\n".join(stage.plan(words).notes)


def test_a_network_is_one_local_route(stage: Stage) -> None:
    """A command makes it, repeats it without a step, changes it in place, and deletes it."""
    assert [command(one) for one in stage.plan(f"eth0:5 {NETWORK} kind prefix").steps] == [
        "ip route add local 10.9.0.0/16 dev eth0 table local proto 97 metric 1851850757"
    ]
    stage(f"eth0:5 {NETWORK} kind prefix")
    stage(f"eth0:6 {NETWORK6} kind prefix")
    assert texts(stage) == ["5 10.9.0.0/16", "6 2001:db8:9::/64"]
    assert not stage.plan(f"eth0:5 {NETWORK}").all_steps
    stage("eth0:5 10.8.0.0/15")
    assert texts(stage) == ["5 10.8.0.0/15", "6 2001:db8:9::/64"]
    stage("eth0:5-")
    assert texts(stage) == ["6 2001:db8:9::/64"]
    found = stage.engine.observe()
    assert [str(one.name) for one in found.aliases] == ["eth0:6"]


def test_it_gives_way_to_another_kind_and_back(stage: Stage) -> None:
    """A label in its slot replaces it, a device too."""
    for words, kind in (
        ("eth0:5 10.0.0.7/32 kind label", "label"),
        (f"eth0:5 {NETWORK} kind prefix", "prefix"),
        ("eth0:5 10.0.0.8/32 kind macvlan", "macvlan"),
        (f"eth0:5 {NETWORK} kind prefix", "prefix"),
    ):
        stage(words)
        assert [one.kind for one in stage.engine.observe().aliases] == [kind]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("10.9.1.0/16", "bits behind its prefix length"),
        ("10.9.1.2", "one address, and a prefix a network"),
        ("10.9.0.0/16 down", "cannot be down"),
        ("10.9.0.0/16 mtu 1400", "no MTU or MAC"),
        ("10.9.0.0/16 lease 60", "lease: a prefix is a route"),
        ("10.9.0.0/16 broadcast 10.9.255.255", "broadcast: a prefix is a route"),
        ("2001:db8:9::/64 deprecated", "deprecated: a prefix is a route"),
        ("10.9.0.0/16 gateway 10.0.0.254", "gateway 10.0.0.254: a prefix has no device"),
        ("10.0.0.0/24", "the network 10.0.0.0/24 of eth0, which would be cut off"),
        ("10.0.0.0/8", "the network 10.0.0.0/24 of eth0, which would be cut off"),
        ("2001:db8::/32", "the network 2001:db8::/64 of eth0, which would be cut off"),
        ("192.0.2.0/24", "the router 192.0.2.9 of eth0, which would be cut off"),
        ("239.0.0.0/8", "a multicast address"),
        ("127.9.0.0/16", "a loopback address"),
        ("ff00::/8", "a multicast address"),
        ("fe80::/10", "a link-local address"),
    ],
)
def test_what_cannot_be_a_prefix_is_refused(stage: Stage, words: str, said: str) -> None:
    """With the reason, and before anything is changed."""
    stage.kernel.add_default("eth0", "192.0.2.9")
    with pytest.raises(errors.NetaliasError, match=said):
        stage.plan(f"eth0:5 {words} kind prefix")


def test_a_network_inside_that_of_the_main_device_is_one(stage: Stage) -> None:
    """A part of the network on the link may belong to this host, if somebody says so."""
    stage("eth0:5 10.0.0.128/25 kind prefix", force=True)
    assert texts(stage) == ["5 10.0.0.128/25"]


@pytest.mark.parametrize("force", [False, True])
def test_no_route_loses_its_router(stage: Stage, force: bool) -> None:
    """Also one of another route than the default one, on whatever device."""
    assert isinstance(stage.kernel, Sourced)
    stage.kernel.routes = (("192.0.2.9", "10.20.0.0/16 via 192.0.2.9"),)
    stage.kernel.add_default("eth1", "198.51.100.9")
    said = "has the router of the route 10.20.0.0/16 via 192.0.2.9, which would be cut off"
    with pytest.raises(errors.StateError, match=said):
        stage.plan("eth0:5 192.0.2.0/24 kind prefix", force=force)
    with pytest.raises(errors.StateError, match=r"route default via 198\.51\.100\.9, which"):
        stage.plan("eth0:5 198.51.100.0/24 kind prefix", force=force)


def test_a_network_belongs_to_one_alias(stage: Stage) -> None:
    """Two aliases cannot have the same; one inside the other they can."""
    stage(f"eth0:5 {NETWORK} kind prefix")
    with pytest.raises(errors.AlreadyExists, match="belongs to eth0:5 already"):
        stage.plan(f"eth0:7 {NETWORK} kind prefix")
    stage("eth0:7 10.9.4.0/24 kind prefix")
    assert texts(stage) == ["5 10.9.0.0/16", "7 10.9.4.0/24"]


def test_lookup_finds_the_longest_prefix(stage: Stage) -> None:
    """A host in it comes before a network, and a smaller network before a larger one."""
    for words in (f"eth0:5 {NETWORK} kind prefix", "eth0:7 10.9.4.0/24 kind prefix"):
        stage(words)
    stage("eth0:8 10.9.4.9/32 kind label")
    stage(f"eth0:6 {NETWORK6} kind prefix")
    for address, name in (
        ("10.9.1.2", "eth0:5"),
        ("10.9.0.0", "eth0:5"),
        ("10.9.255.255", "eth0:5"),
        ("10.9.4.5", "eth0:7"),
        ("10.9.4.9", "eth0:8"),
        ("2001:db8:9::dead", "eth0:6"),
    ):
        found = lookup(stage.engine.observe(), address)
        assert found is not None
        assert str(found.name) == name
    assert lookup(stage.engine.observe(), "10.10.0.1") is None


def test_creation_tells_what_programs_need(stage: Stage) -> None:
    """Of a repetition it tells nothing."""
    said = notes(stage, f"eth0:6 {NETWORK6} kind prefix")
    assert "IPV6_FREEBIND" in said
    assert "only a running netalias watch answers neighbour solicitations" in said
    assert "IP_PKTINFO" in said
    assert "FREEBIND" not in notes(stage, f"eth0:5 {NETWORK} kind prefix")
    stage(f"eth0:6 {NETWORK6} kind prefix")
    assert notes(stage, f"eth0:6 {NETWORK6}") == ""


def test_arp_ignore_silences_a_prefix(stage: Stage) -> None:
    """Both ways round it is told: a macvlan is there before, and it comes later."""
    engine = stage.engine
    first = engine.realise(stage.wish(f"eth0:5 {NETWORK} kind prefix"))
    assert "answers ARP" not in "\n".join(first.notes)
    said = engine.realise(stage.wish("eth0:0 10.0.0.5/32 kind macvlan")).notes
    assert f"eth0:5: {SILENT} {NETWORK}: arp_ignore of eth0 is 1" in said
    said = engine.realise(stage.wish("eth0:7 10.10.0.0/16 kind prefix")).notes
    assert f"eth0:7: {SILENT} 10.10.0.0/16: arp_ignore of eth0 is 1" in said


def test_routes_that_die_with_it_are_told(stage: Stage) -> None:
    """Those with a source that nothing else has; of a change and of a deletion, not of a
    repetition."""
    stage(f"eth0:5 {NETWORK} kind prefix")
    stage("eth0:8 10.9.4.9/32 kind label")
    assert isinstance(stage.kernel, Sourced)
    stage.kernel.routes = (
        ("10.9.1.2", "10.20.0.0/16 via 10.0.0.9"),
        ("10.9.4.9", "10.21.0.0/16 via 10.0.0.9"),
        ("10.0.0.1", "default via 10.0.0.9"),
    )
    for words in ("eth0:5-", "eth0:5 10.10.0.0/16", "eth0:5 10.0.0.7/32 kind label"):
        (said,) = (one for one in stage.plan(words).notes if "source" in one)
        assert said.endswith("are of no use without it: 10.20.0.0/16 via 10.0.0.9")
    assert not stage.plan(f"eth0:5 {NETWORK}").notes


def test_routes_are_listed_once_for_all_prefixes(stage: Stage) -> None:
    """A host may have a million of them, and a thousand prefixes to remove."""
    assert isinstance(stage.kernel, Sourced)
    done(stage, "".join(f"eth0:{n} 10.{n}.0.0/16 kind prefix\n" for n in range(20, 40)))
    stage.kernel.routes = (("10.25.1.2", "default via 10.0.0.9"),)
    stage.kernel.asked = 0
    diff = look(stage.engine, declared(stage, "eth0:20 10.20.0.0/16 kind prefix"), Rules())
    assert len(diff.items) == 19
    assert stage.kernel.asked == 1


def test_drift_is_found_and_put_right(stage: Stage) -> None:
    """Declared prefixes are compared, made, changed and removed like every other alias."""
    wanted = f"eth0:5 {NETWORK} kind prefix\neth0:6 {NETWORK6} kind prefix\n"
    assert drift(stage, wanted) == [
        "+ eth0:5 10.9.0.0/16 prefix",
        "+ eth0:6 2001:db8:9::/64 prefix",
    ]
    done(stage, wanted)
    assert drift(stage, wanted) == []
    stage.kernel.set_device("eth0", up=False)
    stage.kernel.set_device("eth0", up=True)
    assert texts(stage) == ["5 10.9.0.0/16"]  # as in the kernel
    assert drift(stage, wanted) == ["+ eth0:6 2001:db8:9::/64 prefix"]
    done(stage, wanted)
    other = f"eth0:5 10.8.0.0/16 kind prefix\neth0:6 {NETWORK6} kind prefix\n"
    assert drift(stage, other) == ["~ eth0:5 10.9.0.0/16 -> 10.8.0.0/16"]
    done(stage, other)
    less = "eth0:5 10.8.0.0/16 kind prefix\n"
    assert drift(stage, less) == ["- eth0:6 2001:db8:9::/64 prefix"]
    done(stage, less)
    assert texts(stage) == ["5 10.8.0.0/16"]


def test_save_and_back(stage: Stage) -> None:
    """What is saved plans nothing when it is read back."""
    stage(f"eth0:5 {NETWORK} kind prefix")
    stage(f"eth0:6 {NETWORK6} kind prefix")
    found = stage.engine.observe()
    lines = export.lines(found.aliases, found.registry)
    assert [line.split() for line in lines] == [
        ["eth0:5", NETWORK, "kind", "prefix"],
        ["eth0:6", NETWORK6, "kind", "prefix"],
    ]
    assert drift(stage, "\n".join(lines)) == []


def test_views(stage: Stage) -> None:
    """The number of addresses is told, as far as JSON readers take it."""
    stage(f"eth0:5 {NETWORK} kind prefix")
    stage(f"eth0:6 {NETWORK6} kind prefix")
    found = stage.engine.observe()
    one, two = sorted(found.aliases, key=lambda alias: alias.name.slot)
    assert "ip 10.9.0.0/16 local (65 536 addresses) proto 97" in detail(one, found.registry)
    assert "ipv6 2001:db8:9::/64 local (2^64 addresses) proto 97" in detail(two, found.registry)
    assert fields(one, found.registry)["addresses"] == 65536
    assert "addresses" not in fields(two, found.registry)
    assert fields(two, found.registry)["protocol"] == 97


def test_a_renamed_main_device_keeps_its_prefixes(stage: Stage) -> None:
    """They bear its new name at once: the slot stands in the route."""
    stage(f"eth0:5 {NETWORK} kind prefix")
    stage.kernel.set_device("eth0", name="lan")
    assert [str(one.name) for one in stage.engine.observe().aliases] == ["lan:5"]


def test_routes_of_others_are_not_ours() -> None:
    """A route on a device that is not there, or is an alias, is no prefix."""
    stage = Stage()
    route = LocalRoute(99, AF_INET, b"\x0a\x09\0\0", 16, 5)
    snapshot = stage.kernel.snapshot()
    snapshot.local_routes = [route]
    assert stage.engine.recognise(snapshot).aliases == []


def test_defaults_that_a_route_does_not_have_are_ignored(stage: Stage) -> None:
    """They hold for the other lines of the file; the prefix length does for this one too."""
    text = (
        "defaults metric 5 lease 60 mtu 1400 broadcast 10.9.255.255 gateway auto linklocal on"
        " source on prefixlen 16\neth0:5 10.9.0.0 kind prefix\n"
    )
    assert drift(stage, text) == ["+ eth0:5 10.9.0.0/16 prefix"]
    assert done(stage, text).status == 0
    assert drift(stage, text) == []


@pytest.mark.parametrize("network", [NETWORK, NETWORK6])
def test_lo_has_no_neighbours(stage: Stage, network: str) -> None:
    """Nobody asks there, so nobody has to answer: a route of others has to lead to it."""
    words = f"lo:6 {network} kind prefix"
    route = (
        f"lo:6: lo has no neighbours: other hosts need a route to {network} that leads to this host"
    )
    assert stage.plan(words).notes == [route]
    stage(words)
    found = Facts(stage.engine.observe())
    assert [one.text for one in unserved(found)] == []
    assert not any("solicitations" in one.why for one in snooped(found))


@pytest.mark.parametrize("address", ["2001:db8:7::5", "10.7.0.5/32"])
def test_a_kind_that_has_an_address(stage: Stage, address: str) -> None:
    """That a prefix had none is no change by itself."""
    stage(f"eth0:5 {NETWORK6 if ':' in address else NETWORK} kind prefix")
    (text,) = [one for one in drift(stage, f"eth0:5 {address} kind macvlan\n") if one[0] == "~"]
    assert text.endswith(", kind prefix -> macvlan")
