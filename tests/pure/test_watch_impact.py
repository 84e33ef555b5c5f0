"""Events and their effects: a small machine, one change, the affected aliases and devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from socket import inet_aton
from typing import Any

import pytest
from watched import state_of

from netalias.desired import declarations, parse
from netalias.desired.index import Index
from netalias.engine import Engine, Setup
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.kinds import MAGIC
from netalias.model import (
    AF_INET,
    AF_INET6,
    GROUP,
    IFA_F_TENTATIVE,
    IFF_UP,
    PROTOCOL,
    SCRATCH,
    Address,
    Device,
)
from netalias.model.events import (
    LINK,
    Entry,
    Route,
    State,
    address_key,
    apply,
    difference,
    route_key,
)
from netalias.model.steps import AddAltname, DelAltname
from netalias.watch.impact import Impact

TEXT = """\
eth0:0 10.0.0.1 kind macvlan
eth0:1 10.0.0.2 kind label
lan:2 10.0.0.3 kind dummy
eth0:3 2001:db8::3 kind label
eth7:0 10.0.0.7
"""


class Observed:
    """eth0, called lan too, with the aliases of TEXT; eth1 with none; the impact of its events."""

    def __init__(self) -> None:
        self.kernel = Memory()
        self.engine = Engine(Setup(self.kernel))
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.kernel.apply([AddAltname("eth0", self.index("eth0"), "lan")])
        for line in TEXT.splitlines()[:4]:
            self.engine.realise(parse(line.split(), lazy()))
        self.state = State()
        wished = Index(declarations.parse([("t.conf", TEXT)], lazy()))
        self.impact = Impact(self.state, wished)
        self.affected()
        self.impact.affected = type(self.impact.affected)()

    def index(self, name: str) -> int:
        return self.kernel.device(name).index

    def affected(self, port_id: int = 0) -> dict[str, object]:
        """The effects, without empty fields."""
        for event in difference(self.state, state_of(self.kernel.snapshot())):
            self.impact.add(event, port_id)
        affected = self.impact.affected
        found = {key: getattr(affected, key) for key in affected.__slots__}
        found["dirty"] = {str(name): one for name, one in affected.dirty.items()}
        return {key: value for key, value in found.items() if value}


@pytest.fixture
def observed() -> Observed:
    return Observed()


CASES: list[tuple[str, Callable[[Observed], object], dict[str, object]]] = [
    ("nothing", lambda observed: None, {}),
    (
        "a device alias is deleted",
        lambda observed: observed.kernel.remove_device("eth0:0"),
        {"dirty": {"eth0:0": 7}, "touched": True},
    ),
    (
        "a device alias is taken down",
        lambda observed: observed.kernel.set_device("eth0:0", up=False),
        {"dirty": {"eth0:0": 7}, "touched": True},
    ),
    (
        "it loses its name",
        lambda observed: observed.kernel.apply(
            [DelAltname("eth0_0", observed.index("eth0_0"), "eth0:0")]
        ),
        {"dirty": {"eth0:0": 7}, "touched": True},
    ),
    (
        "it loses our mark",
        lambda observed: observed.kernel.set_device("eth0:0", group=0),
        {"dirty": {"eth0:0": 7}, "touched": True},
    ),
    (
        "one that is declared by an altname",
        lambda observed: observed.kernel.set_device("eth0:2", up=False),
        {"dirty": {"lan:2": 7}, "touched": True},
    ),
    (
        "a label is deleted",
        lambda observed: observed.kernel.remove_address("eth0", "10.0.0.2/32"),
        {"dirty": {"eth0:1": 7}, "touched": True},
    ),
    (
        "an IPv6 label is deleted",
        lambda observed: observed.kernel.remove_address("eth0", "2001:db8::3/128"),
        {"dirty": {"eth0:3": 7}, "touched": True},
    ),
    (
        "somebody else has the address of an alias",
        lambda observed: observed.kernel.add_address("eth1", "10.0.0.1/24"),
        {"dirty": {"eth0:0": 7}, "republish": True},
    ),
    (
        "an alias that nobody declared",
        lambda observed: observed.engine.create("eth1:5", "10.0.0.9", "kind", "macvlan"),
        {"touched": True, "republish": True},
    ),
    (
        "an address that is no matter of ours",
        lambda observed: observed.kernel.add_address("eth1", "192.0.2.1/24"),
        {"republish": True},
    ),
    (
        "an IPv6 address that is no matter of ours",
        lambda observed: observed.kernel.add_address("eth1", "2001:db8::1/64"),
        {},
    ),
    (
        "a main device with aliases goes down",
        lambda observed: observed.kernel.set_device("eth0", up=False),
        {"down": {2}, "dirty": {"eth0:0": 7, "eth0:3": 7}, "touched": True},
    ),
    (
        "one without aliases goes down",
        lambda observed: observed.kernel.set_device("eth1", up=False),
        {},
    ),
    (
        "it is deleted",
        lambda observed: observed.kernel.remove_device("eth1"),
        {},
    ),
    (
        "a main device that is awaited comes",
        lambda observed: observed.kernel.add_device("eth7", up=True),
        {"risen": {"eth7"}, "whole": True, "republish": True, "touched": True},
    ),
    (
        "it comes, and is down",
        lambda observed: observed.kernel.add_device("eth7"),
        {"down": {6}, "whole": True, "republish": True, "touched": True},
    ),
    (
        "another one comes",
        lambda observed: observed.kernel.add_device("eth8", up=True),
        {"republish": True},
    ),
    (
        "a device gets the name of one that is awaited",
        lambda observed: observed.kernel.set_device("eth1", name="eth7"),
        {"risen": {"eth7"}, "whole": True, "republish": True, "touched": True},
    ),
    (
        "another MTU",
        lambda observed: observed.kernel.set_device("eth0", mtu=1600),
        {"whole": True},
    ),
    (
        "another MTU of one that is no matter of ours",
        lambda observed: observed.kernel.set_device("eth1", mtu=1600),
        {},
    ),
]


@pytest.mark.parametrize(
    ("change", "affected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_affected(
    observed: Observed, change: Callable[[Observed], object], affected: dict[str, object]
) -> None:
    """The request came from the port ID 7."""
    change(observed)
    assert observed.affected(7) == affected


def test_a_main_device_is_deleted(observed: Observed) -> None:
    """It is gone by the name that its aliases were declared for; macvlans and labels go with it."""
    observed.kernel.remove_device("eth0")
    affected = observed.affected()
    assert affected["gone"] == {"eth0": None}
    assert "down" not in affected
    assert {"eth0:0", "eth0:1", "eth0:3"} <= set(affected["dirty"])  # type: ignore[call-overload]


def test_down_and_up_is_up(observed: Observed) -> None:
    """A device that is up again before the controller acts frees nothing."""
    observed.kernel.set_device("eth0", up=False)
    assert observed.affected()["down"] == {2}
    observed.kernel.set_device("eth0", up=True)
    affected = observed.affected()
    assert "down" not in affected
    assert affected["risen"] == {"eth0", "lan"}
    observed.kernel.set_device("eth0", up=False)
    affected = observed.affected()
    assert affected["down"] == {2}
    assert "risen" not in affected


def test_what_is_down_at_the_beginning(observed: Observed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A main device has fallen. The devices of its aliases are not looked at for aliases of their
    own: thousands that a killed run left down would cost the square of their number."""
    asked = []
    carries = Impact._has_aliases
    monkeypatch.setattr(
        Impact, "_has_aliases", lambda self, main: asked.append(main.name) or carries(self, main)
    )
    observed.kernel.set_device("eth0:0", up=False)
    observed.kernel.add_device("eth2")
    for name in ("eth0", "eth1"):
        observed.kernel.set_device(name, up=False)
    observed.affected()
    observed.impact.affected = type(observed.impact.affected)()
    asked.clear()
    observed.impact.add_down()
    assert observed.impact.affected.down == {observed.index("eth0")}
    assert asked == ["lo", "eth1", "eth2"]


def test_a_new_name(observed: Observed) -> None:
    """The former name is remembered, the first one of several, and slots that labels have lost."""
    observed.kernel.set_device("eth0", name="wan0")
    observed.affected()
    observed.kernel.set_device("wan0", name="wan1")
    affected = observed.affected()
    assert affected["renamed"] == {2: "eth0"}
    assert affected["relabelled"] == {(2, bytes((10, 0, 0, 2))): 1}


def test_carrier(observed: Observed) -> None:
    """The index of a main device that has aliases is noted."""
    for name in ("eth0", "eth1"):
        observed.kernel.set_device(name, carrier=False)
    observed.affected()
    observed.impact.affected = type(observed.impact.affected)()
    for name in ("eth0", "eth1"):
        observed.kernel.set_device(name, carrier=True)
    affected = observed.affected()
    assert affected["linked"] == {2}
    assert affected["republish"]


def test_who_did_it_is_remembered(observed: Observed) -> None:
    """Further events without a port ID do not hide it."""
    observed.kernel.set_device("eth0:0", up=False)
    observed.affected(7)
    observed.kernel.remove_device("eth0:0")
    assert observed.affected(0)["dirty"] == {"eth0:0": 7}


def test_devices_that_come_and_go_leave_nothing(observed: Observed) -> None:
    """As those of containers do all day."""
    for _ in range(50):
        observed.kernel.add_device("veth1", up=True)
        observed.affected()
        observed.kernel.set_device("veth1", name="veth2")
        observed.affected()
        observed.kernel.remove_device("veth2")
        observed.affected()
    assert observed.affected() == {"republish": True}


@pytest.mark.parametrize(
    ("own", "text", "expected"),
    [
        ("10.1.0.1/24", "eth0:5 10.1.0.5/24\n", True),
        ("10.9.0.1/16", "eth0:5 10.1.0.5/24\n", True),
        ("10.1.0.1/24", TEXT, True),
        ("10.1.0.1/24", "eth0:0 10.0.0.1\n", False),
        ("2001:db8:1::1/64", "eth0:5 10.1.0.5/24\n", False),
        ("2001:db8:1::1/64", "lan:5 2001:db8:1::5/64\n", True),
        ("fe80::1/64", "lan:5 2001:db8:1::5/64\n", False),
        ("2001:db8:1::1/64", TEXT, True),
        ("2001:db8:1::1/64", "lan:3 2001:db8::3\n", True),
        ("2001:db8:1::1/64", "eth0:1 10.0.0.2\n", False),
    ],
)
def test_own_address_of_a_main_device(own: str, text: str, expected: bool) -> None:
    """It comes or goes: an event for aliases with networks of its family, and for labels that are
    hosts."""
    observed = Observed()
    observed.impact.load(Index(declarations.parse([("t.conf", text)], lazy())))
    for _ in range(2):
        for change in (observed.kernel.add_address, observed.kernel.remove_address):
            change("eth0", own)
            observed.affected()
            assert observed.impact.affected.whole is expected
            observed.impact.affected = type(observed.impact.affected)()


@pytest.mark.parametrize(
    ("gone", "left"),
    [("eth0", ["veth5:9"]), ("veth5", ["eth0:3"]), ("eth1", ["eth0:3", "veth5:9"])],
)
def test_an_address_that_goes_with_its_device_is_no_duplicate(gone: str, left: list[str]) -> None:
    """Though it went before the kernel had found it unique, as one does that another host has: of
    devices with ever new names nothing is remembered."""
    state, impact = State(), Impact(State(), Index(declarations.parse([("t.conf", TEXT)], lazy())))
    impact.state = state
    for index, name in enumerate(("eth0", "veth5", "eth1"), 2):
        apply(state, (LINK, index), Device(index, name, IFF_UP, mac=bytes((2, 0, 0, 0, 0, index))))
    for index, slot in ((2, 3), (3, 9)):
        entry = Address(
            index, AF_INET6, bytes((32, 1, *bytes(13), slot)), 128, IFA_F_TENTATIVE,
            protocol=PROTOCOL, metric=MAGIC | slot, valid=60, preferred=60,
        )  # fmt: skip
        apply(state, address_key(entry), Entry(entry))
        for event in apply(state, address_key(entry), None):
            impact.add(event)
    assert sorted(map(str, impact.duplicates)) == ["eth0:3", "veth5:9"]
    index = {"eth0": 2, "veth5": 3, "eth1": 4}[gone]
    for event in apply(state, (LINK, index), None):
        impact.add(event)
    assert sorted(map(str, impact.duplicates)) == left


class Counted(dict[int, dict[Any, Any]]):
    """The objects of all devices, with the number of devices that were looked at."""

    seen = 0

    def __iter__(self) -> Iterator[int]:
        for index in super().__iter__():
            self.seen += 1
            yield index


@pytest.mark.parametrize("group", [GROUP, GROUP | SCRATCH])
def test_a_text_written_before_the_device_goes_is_written_again(group: int) -> None:
    """Devices of a set get another group first, and are aliases until they go."""
    state = State()
    impact = Impact(state, Index(declarations.parse([("t.conf", TEXT)], lazy())))
    apply(state, (LINK, 1), Device(1, "eth0", flags=IFF_UP))
    for one in (GROUP, group):
        device = Device(2, "eth0_9", link=1, kind="macvlan", group=one, altnames=["eth0:9"])
        for event in apply(state, (LINK, 2), device):
            impact.add(event)
    impact.affected.touched = False
    for event in apply(state, (LINK, 2), None):
        impact.add(event)
    assert impact.affected.touched


@pytest.mark.parametrize("group", [GROUP, GROUP | SCRATCH])
def test_devices_of_aliases_that_go_cost_the_same_whatever_is_left(group: int) -> None:
    """Nobody looks at all others for aliases on each of them: they have the group of aliases, or
    that of a set that is deleted at once."""
    state, count = State(), 300
    impact = Impact(state, Index(declarations.parse([("t.conf", TEXT)], lazy())))
    apply(state, (LINK, 1), Device(1, "eth0", flags=IFF_UP))
    for index in range(2, count + 2):
        name = f"eth0_{index + 100}"
        apply(state, (LINK, index), Device(index, name, link=1, kind="macvlan", group=group))
    state.parts = parts = Counted(state.parts)
    for index in range(2, count + 2):
        for event in apply(state, (LINK, index), None):
            impact.add(event)
    assert parts.seen <= 5 * count


def test_a_device_without_declared_labels_is_not_looked_at_whole(
    observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have thousands of addresses, of which one comes or goes: those that a watcher keeps
    for bound sockets. A main device with labels is, by any name of it."""
    asked: list[int] = []
    of = State.of

    def noted(state: State, index: int, what: str) -> list[tuple[Any, Any]]:
        asked.append(index)
        return of(state, index, what)

    for name in ("eth0", "eth1"):
        index = observed.index(name)
        entry = Entry(Address(index, AF_INET, inet_aton("10.7.0.1"), 24))
        route = Route(AF_INET, inet_aton("10.7.0.0"), 24, (index,))
        asked.clear()
        with monkeypatch.context() as patched:
            patched.setattr(State, "of", noted)
            for key, new in (
                (address_key(entry.address), entry), (route_key(route), route),
                (address_key(entry.address), None), (route_key(route), None),
            ):  # fmt: skip
                for event in apply(observed.state, key, new):
                    observed.impact.add(event)
        assert bool(asked) == (name == "eth0")
