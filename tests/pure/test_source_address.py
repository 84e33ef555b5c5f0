"""The address that a host speaks with: never that of an alias where its main device has its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_plan_compare import Declared
from watched import Watched

from netalias import errors
from netalias.desired.export import lines
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.model import FOREVER, PROTOCOL
from netalias.model.events import ROUTE, Event
from netalias.model.leases import RenewAddress
from netalias.model.routes import AddRoute, Connected, DelRoute
from netalias.model.steps import SetLink
from netalias.runtime.private import PrivateDirectory


@pytest.fixture
def stage(tmp_path: Path) -> Declared:
    """eth0 and eth1 are up, without addresses; old sysctls are kept in a folder."""
    found = Declared(Memory(kinds=("macvlan", "ipvlan", "dummy")))
    found.engine = Engine(Setup(found.kernel, runtime=PrivateDirectory(str(tmp_path))))
    return found


# The main device gets its network after the alias ------------------------------------------------


@pytest.mark.parametrize(
    ("words", "own", "difference", "after"),
    [
        ("10.0.0.9/24 kind label", "10.0.0.1/24", "10.0.0.9/24 -> 10.0.0.9/32",
         ["10.0.0.1/24", "10.0.0.9/32 label=eth0:0"]),
        ("10.0.0.9/24 kind label", "10.0.0.1/16", "10.0.0.9/24 -> 10.0.0.9/32",
         ["10.0.0.1/16", "10.0.0.9/32 label=eth0:0"]),
        ("2001:db8::9/64 kind label", "2001:db8::1/64", "2001:db8::9/64 -> 2001:db8::9/128",
         ["2001:db8::9/128", "2001:db8::1/64"]),
        ("10.0.0.9/24 kind macvlan", "10.0.0.1/24", "10.0.0.9/24 route connected -> none",
         ["10.0.0.1/24"]),
        ("10.0.0.9/24 kind macvlan", "10.0.0.1/16", "10.0.0.9/24 route connected -> none",
         ["10.0.0.1/16"]),
        ("2001:db8::9/64 kind ipvlan", "2001:db8::1/64",
         "2001:db8::9/64 route connected -> none", ["2001:db8::1/64"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("promote", [0, 1])
def test_own_address_comes_later(
    stage: Declared, words: str, own: str, difference: str, after: list[str], promote: int
) -> None:
    """The alias gives the network up, and the address of the main device is there all the time."""
    main = stage.device("eth0").index
    stage.kernel.send([SetLink("eth0", main, conf={"promote_secondaries": promote})])
    stage.reconcile(f"eth0:0 {words}\n")
    stage.kernel.add_address("eth0", own)
    found = stage.lines(f"eth0:0 {words}\n")
    assert found[0].removeprefix("~ eth0:0 ").partition(",")[0] == difference
    assert stage.reconcile(f"eth0:0 {words}\n").status == 0
    assert sorted(stage.on("eth0")) == sorted(after)
    assert stage.lines(f"eth0:0 {words}\n") == []
    assert stage.device("eth0").promote == promote


def test_same_command_gives_the_network_up(stage: Declared) -> None:
    """One command is enough, and the next one has nothing to do."""
    stage("eth0:0 10.0.0.9/24 kind label")
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    assert stage("eth0:0 10.0.0.9/24").steps
    assert sorted(stage.on("eth0")) == ["10.0.0.1/24", "10.0.0.9/32 label=eth0:0"]
    assert not stage("eth0:0 10.0.0.9/24").steps


def test_others_of_the_network_rely_on_the_own_address(stage: Declared) -> None:
    """Nobody takes the route over from the label: the main device has it."""
    text = "eth0:0 10.0.0.9/24 kind label\neth0:1 10.0.0.8/24 kind label\neth0:2 10.0.0.7/24\n"
    stage.reconcile(text)
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage.reconcile(text)
    assert stage.on("eth0_2") == ["10.0.0.7/24 noprefixroute"]
    assert sorted(stage.on("eth0")) == [
        "10.0.0.1/24", "10.0.0.8/32 label=eth0:1", "10.0.0.9/32 label=eth0:0",
    ]  # fmt: skip
    assert stage.lines(text) == []


def test_own_address_goes_again(stage: Declared) -> None:
    """The alias brings the network that only it is in."""
    text = "eth0:0 10.0.0.9/24 kind label\neth1:0 10.1.0.9/24\n"
    stage.reconcile(text)
    for main, own in (("eth0", "10.0.0.1/24"), ("eth1", "10.1.0.1/24")):
        stage.kernel.add_address(main, own)
        stage.reconcile(text)
        stage.kernel.remove_address(main, own)
    stage.reconcile(text)
    assert stage.on("eth0") == ["10.0.0.9/24 label=eth0:0"]
    assert stage.on("eth1_0") == ["10.1.0.9/24"]


# A label that goes by itself ---------------------------------------------------------------------


@pytest.mark.parametrize("words", ["lease 3", ""])
def test_own_address_outlives_the_label(stage: Declared, words: str) -> None:
    """The main device promotes secondaries as long as a label may be primary there."""
    stage(f"eth0:0 10.0.0.9/24 kind label {words}")
    assert stage.device("eth0").promote
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    if words:
        stage.kernel.pass_time(4)
    else:
        stage.kernel.remove_address("eth0", "10.0.0.9/24")
    assert stage.on("eth0") == ["10.0.0.1/24"]
    stage.reconcile("")
    assert not stage.device("eth0").promote


@pytest.mark.parametrize(
    "words", ["10.0.0.9 kind label", "2001:db8::9/64 kind label", "10.0.0.9/24 kind macvlan"]
)
def test_only_networks_of_labels_need_promotion(stage: Declared, words: str) -> None:
    """Host addresses, IPv6 and devices have no secondaries on the main device."""
    stage(f"eth0:0 {words}")
    assert not stage.device("eth0").promote


def test_promotion_is_given_back(stage: Declared) -> None:
    """Also when another label keeps the network for a while, and one moves between networks."""
    stage("eth0:0 10.0.0.9/24 kind label")
    stage("eth0:1 10.1.0.9/24 kind label")
    stage.kernel.add_address("eth0", "10.1.0.7/24")
    stage("eth0:1 10.2.0.9/24")
    assert stage.device("eth0").promote
    stage("eth0:0-")
    assert stage.device("eth0").promote
    stage("eth0:1-")
    assert not stage.device("eth0").promote
    assert stage.on("eth0") == ["10.1.0.7/24"]


# Watching ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["label", "macvlan"])
@pytest.mark.parametrize(
    ("address", "own"), [("10.0.0.9/24", "10.0.0.1/24"), ("2001:db8::9/64", "2001:db8::1/64")]
)
def test_watch_follows_the_own_address(kind: str, address: str, own: str) -> None:
    """It comes and goes: each time the one that should bring the network does so at once."""
    watched = Watched(f"eth0:0 {address} kind {kind}\n")

    def brings() -> bool:
        alias = watched.engine.get("eth0:0")
        return alias.entry is not None and alias.entry.routed

    for _ in range(2):
        assert brings()
        watched.kernel.add_address("eth0", own)
        watched.quiet()
        assert not brings()
        watched.kernel.remove_address("eth0", own)
        watched.quiet()
    assert brings()


def test_watch_over_a_main_device_that_is_taken_down_and_configured_again() -> None:
    """Aliases come with the device, the address by DHCP later: it has its network all the same."""
    watched = Watched("eth0:0 10.0.0.9/24 kind label\neth0:1 10.0.0.8/24 kind macvlan\n")
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    watched.kernel.set_device("eth0", up=True)
    watched.quiet()
    watched.kernel.add_address("eth0", "10.0.0.1/24")
    watched.quiet()
    entries = [one.entry for one in watched.engine.show()]
    assert [entry.routed for entry in entries if entry is not None] == [False, False]


# Heirs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second", "after"),
    [
        ("10.6.0.3/24", "10.6.0.4/24", ["10.6.0.4/24 label=eth0:4"]),
        ("10.6.0.3/24", "10.6.0.4/25", ["10.6.0.4/25 label=eth0:4"]),
        ("2001:db8:6::3/64", "2001:db8:6::4/64", ["2001:db8:6::4/64"]),
    ],
)
@pytest.mark.parametrize("how", ["eth0:3-", "eth0:3 10.99.0.1/24", "batch"])
def test_heir_of_a_label(
    stage: Declared, first: str, second: str, after: list[str], how: str
) -> None:
    """It takes prefix and route over, and was known with what was asked for all the time."""
    stage(f"eth0:3 {first} kind label")
    stage(f"eth0:4 {second} kind label")
    saved = lines(stage.engine.show("eth0:4"), stage.engine.registry)
    assert saved == [f"eth0:4  {second}  kind label"]
    if how == "batch":
        Batch(stage.engine, len, print).run(parse_commands("eth0:3-", stage.engine.registry))
    else:
        stage(how)
    assert [text for text in stage.on("eth0") if "10.99" not in text] == after
    assert lines(stage.engine.show("eth0:4"), stage.engine.registry) == saved
    assert not stage(f"eth0:4 {second}").steps
    assert stage.engine.get("eth0:4").whole


def test_a_label_inside_a_network_keeps_what_was_asked_for(stage: Declared) -> None:
    """Through changes without an address, and in a file that only renews its lease."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage("eth0:4 10.0.0.4/24 kind label")
    stage("eth0:4 lease 60")
    assert stage.engine.get("eth0:4").asked == 24
    stage("eth0:4 lease off")
    assert stage.engine.get("eth0:4").asked == 24
    assert stage.lines("eth0:4 10.0.0.4/24 kind label\n") == []
    assert stage.lines("eth0:4 10.0.0.4/32 kind label\n") == ["~ eth0:4 10.0.0.4/24 -> 10.0.0.4/32"]
    stage.reconcile("eth0:4 10.0.0.4/32 kind label\n")
    assert stage.lines("eth0:4 10.0.0.4/32 kind label\n") == []


def test_a_label_of_an_older_version_is_noted_in_place(stage: Declared) -> None:
    """The address is not touched otherwise."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage.kernel.add_address("eth0", "10.0.0.4/32", label="eth0:4", protocol=PROTOCOL)
    found = stage.check("eth0:4 10.0.0.4/24 kind label\n")
    assert [type(step) for item in found.items for step in item.plan.steps] == [RenewAddress]
    stage.reconcile("eth0:4 10.0.0.4/24 kind label\n")
    assert stage.engine.get("eth0:4").asked == 24


# IPv6: deprecated --------------------------------------------------------------------------------

V6 = "2001:db8:7::41"


def deprecated(stage: Declared, name: str = "eth0:1") -> bool:
    entry = stage.engine.get(name).entry
    assert entry is not None
    return entry.deprecated


@pytest.mark.parametrize(
    ("own", "words", "expected"),
    [
        ("2001:db8:7::1/64", f"{V6}/64 kind label", True),
        ("2001:db8:7::1/64", f"{V6} kind label", True),
        ("2001:db8:7::1/128", f"{V6}/64 kind label", True),
        ("2001:db8:7::1/128", f"{V6} kind label", True),
        ("2001:db8:8::1/64", f"{V6}/64 kind label", False),
        ("fe80::1/64", "fe80::41/64 kind label", True),
        ("2001:db8:7::1/64", f"{V6}/64 kind label source on", False),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan", False),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan deprecated", True),
        ("2001:db8:8::1/64", f"{V6}/64 kind label deprecated", True),
        ("2001:db8:7::1/64", f"{V6}/64 kind label lease 60", True),
    ],
)
def test_ipv6_in_a_network_of_the_main_device(
    stage: Declared, own: str, words: str, expected: bool
) -> None:
    """A label is deprecated there unless it is said; a device is not the source in any case."""
    stage.kernel.add_address("eth0", own)
    stage(f"eth0:1 {words}")
    assert deprecated(stage) is expected
    again = stage(f"eth0:1 {words}").steps
    assert all(isinstance(step, RenewAddress) and step.before is None for step in again)
    assert stage.lines(f"eth0:1 {words}\n") == []
    (saved,) = lines(stage.engine.show(), stage.engine.registry)
    assert stage.lines(f"{saved}\n") == []
    assert stage.reconcile(f"{saved}\n").status == 0


def test_source_of_a_label_is_changed_in_place(stage: Declared) -> None:
    """By the file, in one step, in both directions; the lease stays."""
    stage.kernel.add_address("eth0", "2001:db8:7::1/64")
    stage(f"eth0:1 {V6}/64 kind label lease 60")
    text = f"eth0:1 {V6}/64 lease 60"
    found = stage.check(f"{text} source on\n")
    assert [type(step) for item in found.items for step in item.plan.steps] == [RenewAddress]
    assert stage.lines(f"{text} source on\n") == [
        f"~ eth0:1 {V6}/64 source deprecated -> preferred"
    ]
    for words, expected in (("source on", False), ("source auto", True), ("deprecated", True)):
        stage.reconcile(f"{text} {words}\n")
        assert deprecated(stage) is expected
        assert stage.engine.get("eth0:1").lease == 60


def test_a_change_of_something_else_leaves_it(stage: Declared) -> None:
    stage.kernel.add_address("eth0", "2001:db8:7::1/64")
    stage(f"eth0:1 {V6}/64 kind label source on")
    stage("eth0:1 lease 60")
    assert not deprecated(stage)
    stage("eth0:1 deprecated")
    stage("eth0:1 lease off")
    assert deprecated(stage)
    stage("eth0:1 source auto")
    assert deprecated(stage)
    stage("eth0:1 source on")
    assert not deprecated(stage)


@pytest.mark.parametrize(
    ("own", "words", "change", "expected"),
    [
        ("2001:db8:7::1/64", f"{V6}/64 kind label", "kind macvlan", False),
        ("2001:db8:7::1/64", f"{V6}/64 kind label source on", "kind macvlan", False),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan", "kind label", True),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan", "kind ipvlan", False),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan deprecated", "kind label", True),
        ("2001:db8:7::1/64", f"{V6}/64 kind macvlan deprecated", "kind ipvlan", True),
        ("2001:db8:8::1/64", f"{V6}/64 kind label deprecated", "kind macvlan", True),
        ("2001:db8:8::1/64", f"{V6}/64 kind macvlan", "kind label", False),
        ("2001:db8:7::1/128", f"{V6}/128 kind label", "prefixlen 64", True),
        ("2001:db8:7::1/128", f"{V6}/64 kind label", "prefixlen 128", True),
        ("2001:db8:8::1/64", f"{V6} kind label", "prefixlen 64", False),
        ("2001:db8:8::1/64", f"{V6}/64 kind label", "prefixlen 128", True),
    ],
)
def test_what_is_usual_follows_kind_and_length(
    stage: Declared, own: str, words: str, change: str, expected: bool
) -> None:
    """A command makes of the alias what a file with its new words would make."""
    stage.kernel.add_address("eth0", own)
    stage(f"eth0:1 {words}")
    stage(f"eth0:1 {change}")
    assert deprecated(stage) is expected
    key, value = change.split()
    there = words.removesuffix(" source on")
    address, *rest = there.split()
    if key == "prefixlen":
        address = f"{V6}/{value}"
    else:
        rest[1] = value
    assert stage.lines(f"eth0:1 {' '.join([address, *rest])}\n") == []


@pytest.mark.parametrize("preferred", [0, FOREVER])
def test_an_ipv6_label_changed_by_hand_stays_ours(stage: Declared, preferred: int) -> None:
    """ip-address(8) drops the mark of an address that it changes: that is put right in place."""
    stage.kernel.add_address("eth0", "2001:db8:7::1/64")
    stage(f"eth0:1 {V6}/64 kind label")
    entry = stage.engine.get("eth0:1").entry
    assert entry is not None
    changed = entry.copy(protocol=0, preferred=preferred)
    stage.kernel.apply([RenewAddress("eth0", entry.index, changed)])
    alias = stage.engine.get("eth0:1")
    assert alias.ours
    text = f"eth0:1 {V6}/64 kind label\n"
    assert len(stage.lines(text)) == 1
    assert stage.lines("eth0:2 10.0.0.1\n")[0] == f"- eth0:1 {V6}/64 label"
    assert stage.reconcile(text).status == 0
    now = stage.engine.get("eth0:1").entry
    assert now is not None
    assert (now.protocol, now.deprecated) == (PROTOCOL, True)
    assert stage.lines(text) == []


def test_watch_deprecates(stage: Declared) -> None:
    """The network of the main device comes and goes; somebody takes the state away."""
    watched = Watched(f"eth0:1 {V6} kind label\n")

    def is_deprecated() -> bool:
        entry = watched.engine.get("eth0:1").entry
        assert entry is not None
        return entry.deprecated

    assert not is_deprecated()
    watched.kernel.add_address("eth0", "2001:db8:7::1/64")
    watched.quiet()
    assert is_deprecated()
    entry = watched.engine.get("eth0:1").entry
    assert entry is not None
    changed = entry.copy(protocol=0, preferred=FOREVER)
    watched.kernel.apply([RenewAddress("eth0", entry.index, changed)])
    watched.quiet()
    assert is_deprecated()
    watched.kernel.remove_address("eth0", "2001:db8:7::1/64")
    watched.quiet()
    assert not is_deprecated()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("10.0.0.1 deprecated", "only an IPv6 address can be deprecated"),
        ("2001:db8::1 deprecated source on", "deprecated contradicts source on"),
        ("2001:db8::1 source off", "source off: one of on, auto is needed"),
    ],
)
def test_words_that_do_not_fit(stage: Declared, words: str, message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        stage.wish(f"eth0:1 {words}")


@pytest.mark.parametrize("kind", ["label", "macvlan"])
def test_source_on_keeps_a_network(stage: Declared, kind: str) -> None:
    """What the alias had before its main device stays its network where that is declared."""
    text = f"eth0:0 10.0.0.9/24 kind {kind} source on\n"
    stage.reconcile(text)
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    assert stage.lines(text) == []
    assert stage.lines(text.replace("source on", "source auto"))


# Connected routes --------------------------------------------------------------------------------

ROUTED = {
    "eth0:0": "10.5.0.5/24 kind macvlan",
    "eth0:1": "2001:db8:5::5/64 kind macvlan",
    "eth0:2": "10.6.0.5/24 kind label",
    "eth0:3": "2001:db8:6::5/64 kind label",
}


def lose(kernel: Kernel) -> set[Connected]:
    """Somebody deletes all routes of aliases; they are these."""
    found = {one for one in kernel.connected() if one.network[:2] != b"\xfe\x80"}
    for route in found:
        assert kernel.apply([DelRoute("", route.index, route)]) == []
    return found


def test_a_deleted_route_is_a_difference(stage: Declared) -> None:
    """A reconciliation adds it again, and touches no address."""
    text = "".join(f"{name} {words}\n" for name, words in ROUTED.items())
    stage.reconcile(text)
    routes = lose(stage.kernel)
    assert len(routes) == len(ROUTED)
    assert stage.lines(text) == [
        f"~ {name} {words.split()[0]} route deleted -> connected" for name, words in ROUTED.items()
    ]
    steps = [step for item in stage.check(text).items for step in item.plan.steps]
    assert {type(step) for step in steps} == {AddRoute}
    stage.reconcile(text)
    assert routes <= set(stage.kernel.connected())
    assert stage.lines(text) == []


@pytest.mark.parametrize(("name", "words"), ROUTED.items())
def test_the_same_command_adds_a_deleted_route(stage: Declared, name: str, words: str) -> None:
    """Or the address comes anew, and the route with it."""
    stage(f"{name} {words}")
    (route,) = lose(stage.kernel)
    assert [type(step) for step in stage(f"{name} {words}").steps] == [AddRoute]
    assert route in stage.kernel.connected()
    assert not stage(f"{name} {words}").steps
    lose(stage.kernel)
    stage(f"{name} {words} metric 7" if "label" not in words or ":db8" not in words else f"{name}-")
    assert lose(stage.kernel) or not stage.engine.show()


def test_a_route_that_is_not_missed(stage: Declared) -> None:
    """None is expected through a device that is down or has no carrier, nor inside a network."""
    text = "eth0:0 10.5.0.5/24 kind macvlan\neth0:1 10.5.0.6/24 kind macvlan\nlo:0 10.7.0.5/24\n"
    stage.reconcile(text)
    assert stage.lines(text) == []
    stage.kernel.set_device("eth0", carrier=False)
    lose(stage.kernel)
    assert stage.lines(text) == []


@pytest.mark.parametrize("words", ["", "2001:db8:6::42/64 kind label", "2001:db8:7::1/64"])
def test_the_route_of_an_ipv6_label_goes_with_it(stage: Declared, words: str) -> None:
    """Also when another address of the device has its network: deleted, made a host, moved."""
    stage("eth0:3 2001:db8:6::42/64 kind label")
    (route,) = [one for one in stage.kernel.connected() if one.network[:2] != b"\xfe\x80"]
    stage.kernel.add_address("eth0", "2001:db8:6::1/64")
    stage(f"eth0:3 {words}" if words else "eth0:3-")
    assert route not in stage.kernel.connected()
    stage.kernel.remove_address("eth0", "2001:db8:6::1/64")
    left = {one.network for one in stage.kernel.connected() if one.network[:2] != b"\xfe\x80"}
    assert route.network not in left


def test_watch_hears_of_a_deleted_route() -> None:
    """The alias with the network on that device is looked at, and no other."""
    watched = Watched("".join(f"{name} {words}\n" for name, words in ROUTED.items()))
    impact = watched.controller._impact
    for route in watched.kernel.connected():
        device = watched.monitor.state.device(route.index)
        key = ROUTE, route.index, route
        impact.add(Event(ROUTE, key, "", route, None, device=device, subject=route))
    assert sorted(map(str, impact.affected.dirty)) == list(ROUTED)
    lose(watched.kernel)
    watched.controller.act()
    assert len(lose(watched.kernel)) == len(ROUTED)


@pytest.mark.parametrize("others", ["", "eth0:5 10.9.0.5 kind macvlan\n"])
def test_a_label_that_takes_a_network_over(stage: Declared, others: str) -> None:
    """The main device promotes secondaries from then on, also after a single command."""
    for line in ("eth0:2 10.20.0.3/24 kind macvlan", "eth0:0 10.20.0.1/24 kind label"):
        stage(line)
    for line in others.splitlines():
        stage(line)
    assert not stage.device("eth0").promote
    stage("eth0:2-")
    assert stage.device("eth0").promote
    assert stage.lines(f"{others}eth0:0 10.20.0.1/24 kind label\n") == []
