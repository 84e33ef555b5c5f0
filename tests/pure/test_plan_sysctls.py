"""The planner on mains and among neighbours that other kernels have: what was seen there, held."""

from __future__ import annotations

from errno import EACCES, EOPNOTSUPP

import pytest
from test_plan import Stage

from netalias import errors
from netalias.families import Registry, load
from netalias.kernel.memory import Memory
from netalias.kernel.refusing import refused
from netalias.model import AF_INET6, GROUP, Address, names
from netalias.model.commands import command
from netalias.model.steps import REMOVE, AddAddress, DelAddress
from netalias.views import state


def test_ipvlan_takes_an_address_once() -> None:
    """An ipvlan port has one address only once, whatever its length: the old one goes first."""
    stage = Stage(Memory(kinds=("ipvlan",)))
    stage("eth0:0 200.1.1.1/24")
    steps = stage.plan("eth0:0 200.1.1.1/28").steps
    assert [(type(step), step.phase == REMOVE) for step in steps] == [
        (DelAddress, True),
        (AddAddress, False),
    ]


def test_foreign_mode_of_ipvlan() -> None:
    """S30: the mode of ipvlan is one for all on a device, so a foreign one in l3 is left alone."""
    kernel = Memory(kinds=("ipvlan",))
    stage = Stage(kernel)
    kernel.add_device("theirs", "ipvlan", link="eth0", mode=1)
    message = stage.refused("eth0:0 200.1.1.1 kind ipvlan", errors.KindError, EOPNOTSUPP)
    assert "theirs has put all ipvlan devices beside it into mode l3" in message


@pytest.mark.parametrize(("rival", "kind"), [("macvtap", "ipvlan"), ("ipvtap", "macvlan")])
def test_taps_count_as_rivals(rival: str, kind: str) -> None:
    """A macvtap or ipvtap takes the port of its family, as macvlan and ipvlan do."""
    kernel = Memory(kinds=("macvlan", "macvtap", "ipvlan", "ipvtap"))
    stage = Stage(kernel)
    kernel.add_device("tap", rival, link="eth0", mode={"macvtap": 4, "ipvtap": 0}[rival])
    stage.refused(f"eth0:0 200.1.1.1 kind {kind}", errors.KindError, EOPNOTSUPP)


def test_passthru() -> None:
    """A device in passthru belongs to one macvlan alone; auto makes a label."""
    kernel = Memory(kinds=("macvlan",))
    stage = Stage(kernel)
    kernel.add_device("alone", "macvlan", link="eth0", mode=8)
    message = stage.refused("eth0:0 200.1.1.1 kind macvlan", errors.KindError, EOPNOTSUPP)
    assert "belongs to alone alone (passthru)" in message


def test_vrf() -> None:
    """S89: a vrf carries no device; auto makes a label."""
    kernel = Memory(kinds=("macvlan", "vrf"))
    stage = Stage(kernel)
    kernel.add_device("red", "vrf", up=True)
    stage.refused("red:0 200.1.1.1 kind macvlan", errors.KindError, EOPNOTSUPP)
    stage("red:0 200.1.1.1")
    assert stage.engine.get("red:0").kind == "label"


@pytest.mark.parametrize("kind", ["macvlan", "dummy"])
def test_member_of_a_vrf(kind: str) -> None:
    """The device of an alias is born a member of the VRF that its main device is in."""
    kernel = Memory(kinds=("macvlan", "dummy", "vrf"))
    stage = Stage(kernel)
    kernel.add_device("red", "vrf", up=True)
    kernel.set_device("eth0", master="red")
    made = stage(f"eth0:0 200.1.1.1 kind {kind}").steps[0]
    assert "master red" in command(made)
    assert stage.device("eth0_0").master == stage.device("red").index


def test_readdressed_label_keeps_foreign_secondaries(stage: Stage) -> None:
    """S30: a label that was the primary of a network goes to another one alone."""
    stage("eth0:0 10.0.0.1/24 kind label")
    stage.kernel.add_address("eth0", "10.0.0.7/24")
    stage("eth0:0 10.5.0.1/24")
    assert sorted(stage.on("eth0")) == ["10.0.0.7/24", "10.5.0.1/24 label=eth0:0"]


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_route_of_an_alias_that_goes_down(stage: Stage) -> None:
    """A network keeps its one route when the alias that brought it goes down, and up again."""
    stage("eth0:0 10.9.0.1/24")
    stage("eth0:1 10.9.0.2/24")
    stage("eth0:0 down")
    assert stage.on("eth0_1") == ["10.9.0.2/24"]
    stage("eth0:0 up")
    assert stage.on("eth0_0") == ["10.9.0.1/24 noprefixroute"]
    assert stage.on("eth0_1") == ["10.9.0.2/24"]


def test_down_aliases_do_not_inherit(stage: Stage) -> None:
    """The route goes to an alias that is up."""
    for slot in range(3):
        stage(f"eth0:{slot} 10.9.0.{slot + 1}/24")
    stage("eth0:1 down")
    stage("eth0:0-")
    assert stage.on("eth0_1") == ["10.9.0.2/24 noprefixroute"]
    assert stage.on("eth0_2") == ["10.9.0.3/24"]


def test_dummy_brings_no_route(stage: Stage) -> None:
    """Nobody is behind a dummy, so it brings no route for a network, and inherits none."""
    stage("eth0:0 10.9.0.1/24 kind macvlan")
    stage("eth0:1 10.9.0.2/24 kind dummy")
    stage("eth0:0-")
    assert stage.on("eth0_1") == ["10.9.0.2/24 noprefixroute"]


def test_half_made_dummy_of_a_long_name(stage: Stage) -> None:
    """S86: it is known by the digest in its primary name alone, completed, and removable."""
    main = "enx001122334455"
    stage.kernel.add_device(main, up=True)
    primary = names.primary(names.AliasName(main, 0))
    stage.kernel.add_device(primary, "dummy", group=GROUP)
    assert state(stage.engine.get(f"{main}:0")) == "down,half-made"
    stage(f"{main}:0 200.1.1.1 kind dummy")
    assert state(stage.engine.get(f"{main}:0")) == "up"
    stage(f"{main}:0-")
    assert not stage.has(primary)


def test_a_broken_type_in_use_stops_nobody() -> None:
    """An alias whose type cannot be loaded is shown without its address; the others work."""

    def loader(key: int | str) -> object:
        if key == "ddp":
            raise errors.FamilyError("ddp: the alias type cannot be loaded")
        return load(key)

    stage = Stage(registry=Registry(loader))  # type: ignore[arg-type]
    stage("eth0:0 200.1.1.1")
    stage.kernel.add_device(
        "eth0_1",
        "ipvlan",
        link="eth0",
        mode=0,
        group=GROUP,
        ifalias="netalias eth0:1 ddp 1000.12/24",
        altnames=("eth0:1",),
    )
    stage("eth0:0 200.1.1.2")
    assert state(stage.engine.get("eth0:1")) == "down,no-address"


def test_address_that_others_took_away(stage: Stage) -> None:
    """An alias that is up without its address says so; the same command brings it back."""
    stage("eth0:0 2001:db8::5/64")
    stage.kernel.set_device("eth0_0", up=False)
    stage.kernel.set_device("eth0_0", up=True)
    assert state(stage.engine.get("eth0:0")) == "up,no-address"
    stage("eth0:0 up")
    assert stage.on("eth0_0") == ["2001:db8::5/64"]


def test_ipv6_switched_off_is_no_matter_of_privilege() -> None:
    """EACCES for an IPv6 address means that IPv6 is disabled, and sudo would not help."""
    address = Address(0, AF_INET6, bytes(15) + b"\5", 128)
    error = refused(AddAddress("eth0_0", 7, address), EACCES)
    assert (type(error), error.status) == (errors.KernelError, errors.STATUS_KERNEL)
    assert "IPv6 is disabled" in str(error)
    assert error.hint == "sysctl -w net.ipv6.conf.eth0_0.disable_ipv6=0"
    new = refused(AddAddress("eth0_0", 0, address), EACCES)
    assert new.hint == "sysctl -w net.ipv6.conf.default.disable_ipv6=0"
    dotted = refused(AddAddress("eth0.7", 7, address), EACCES)
    assert dotted.hint == "sysctl -w net/ipv6/conf/eth0.7/disable_ipv6=0"
