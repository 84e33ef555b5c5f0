"""Link-local addresses of alias devices: the word, the address, drift, removal, in memory."""

from __future__ import annotations

import pytest
from test_drift import declared, done, drift
from test_plan import Stage

from netalias import errors
from netalias.desired import export
from netalias.engine.reconcile import Rules, look
from netalias.model import RT_SCOPE_LINK, address_text
from netalias.model.commands import command
from netalias.views.detail import detail
from netalias.views.fields import fields

MAC = "02:00:00:00:00:07"
DERIVED = "fe80::ff:fe00:7"
FILE = (
    f"eth0:0 10.0.0.5 kind macvlan hw ether {MAC} linklocal on\n"
    "eth0:1 2001:db8::5/64 kind macvlan hw ether 02:00:00:00:00:08 linklocal on\n"
)


@pytest.fixture
def stage() -> Stage:
    """eth0 has a network of each family."""
    made = Stage()
    made.kernel.add_address("eth0", "10.0.0.1/24")
    made.kernel.add_address("eth0", "2001:db8::1/64")
    return made


def link_local(stage: Stage, device: str = "eth0_0") -> list[str]:
    """The link-local addresses of a device."""
    entries = stage.kernel.snapshot().on(stage.device(device).index)
    return [address_text(one.family, one.local) for one in entries if one.scope == RT_SCOPE_LINK]


def says(stage: Stage, name: str = "eth0:0") -> bool:
    """Whether the kernel's record of an alias has the word."""
    return stage.engine.get(name).linklocal


@pytest.mark.parametrize("address", ["10.0.0.5", "10.0.0.5/24", "2001:db8::5", "2001:db8::5/64"])
def test_made(stage: Stage, address: str) -> None:
    """It is derived from the MAC (RFC 4291, appendix A), and is no address of the alias."""
    stage(f"eth0:0 {address} kind macvlan hw ether {MAC} linklocal on")
    assert link_local(stage) == [DERIVED]
    alias = stage.engine.get("eth0:0")
    assert f"{address_text(alias.family, alias.address)}" == address.partition("/")[0]
    assert stage.plan("eth0:0 linklocal on").steps == []
    stage("eth0:0-")
    assert not stage.has("eth0_0")


def test_by_default(stage: Stage) -> None:
    """Without the word an IPv4 alias has none, and an IPv6 one what the kernel gives it."""
    stage("eth0:0 10.0.0.5 kind macvlan")
    assert link_local(stage) == []
    stage("eth0:1 2001:db8::5 kind macvlan")
    assert len(link_local(stage, "eth0_1")) == 1
    assert not says(stage)
    assert not says(stage, "eth0:1")


def test_switched(stage: Stage) -> None:
    """On a device that is up it comes and goes at once, without lowering the device; other words
    leave it as it is, and an address without the word ends it."""
    stage(f"eth0:0 10.0.0.5 kind macvlan hw ether {MAC}")
    plan = stage("eth0:0 linklocal on")
    assert [command(step) for step in plan.steps] == [
        "ip link set dev eth0_0 addrgenmode eui64",
        "ip link set dev eth0_0 alias 'netalias eth0:0 linklocal on'",
        f"ip addr add {DERIVED}/64 dev eth0_0",
    ]
    stage("eth0:0 mtu 1400")
    assert says(stage)
    assert link_local(stage) == [DERIVED]
    stage("eth0:0 linklocal auto")
    assert not says(stage)
    assert link_local(stage) == []
    stage("eth0:0 linklocal on")
    stage("eth0:0 10.0.0.5")
    assert not says(stage)
    assert link_local(stage) == []


def test_down_and_up(stage: Stage) -> None:
    """The kernel makes it again when the device comes up."""
    stage(f"eth0:0 10.0.0.5 kind macvlan hw ether {MAC} linklocal on")
    stage("eth0:0 down")
    assert says(stage)
    assert link_local(stage) == []
    stage("eth0:0 up")
    assert link_local(stage) == [DERIVED]


def test_another_mac(stage: Stage) -> None:
    """It follows the MAC."""
    stage("eth0:0 10.0.0.5 kind macvlan hw ether 02:00:00:00:00:09 linklocal on")
    stage(f"eth0:0 hw ether {MAC}")
    assert link_local(stage) == [DERIVED]


@pytest.mark.parametrize("before", ["", "linklocal on"])
@pytest.mark.parametrize("after", ["", "linklocal on"])
def test_another_family(stage: Stage, before: str, after: str) -> None:
    """An alias that changes its family has one where it is asked for."""
    stage(f"eth0:0 10.0.0.5 kind macvlan hw ether {MAC} {before}")
    stage(f"eth0:0 2001:db8::5/64 {after}")
    assert link_local(stage) == [DERIVED]
    stage(f"eth0:0 2001:db8::5/64 {before}")
    stage(f"eth0:0 10.0.0.6/24 {after}")
    assert link_local(stage) == [DERIVED] * bool(after)
    assert stage.plan(f"eth0:0 10.0.0.6/24 {after}").steps == []


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("label", "a label has no device; its main device has a link-local address"),
        ("dummy", "a dummy has no link"),
    ],
)
def test_refused(stage: Stage, kind: str, reason: str) -> None:
    """A kind that can have none says why; as a default of a file the word is ignored there."""
    with pytest.raises(errors.KindError, match=f"^eth0:0: linklocal on: {reason}$"):
        stage(f"eth0:0 10.0.0.5 kind {kind} linklocal on")
    text = f"defaults linklocal on\neth0:0 10.0.0.5 kind {kind}\neth0:1 10.0.0.6 kind macvlan"
    assert done(stage, text).status == 0
    assert not says(stage)
    assert says(stage, "eth0:1")
    assert drift(stage, text) == []


def test_to_another_kind(stage: Stage) -> None:
    """It goes with the device, and comes with one."""
    stage(f"eth0:0 10.0.0.5 kind macvlan hw ether {MAC} linklocal on")
    stage("eth0:0 kind label")
    assert not says(stage)
    stage(f"eth0:0 kind macvlan linklocal on hw ether {MAC}")
    assert link_local(stage) == [DERIVED]
    stage("eth0:0-")
    stage("eth0:0 10.0.0.5 kind ipvlan linklocal on")
    assert len(link_local(stage)) == 1


def test_drift(stage: Stage) -> None:
    """One that somebody deletes is a difference, which a run puts right."""
    done(stage, FILE)
    assert drift(stage, FILE) == []
    stage.kernel.remove_address("eth0_0", f"{DERIVED}/64")
    assert drift(stage, FILE) == ["~ eth0:0 10.0.0.5/32 linklocal missing -> present"]
    assert done(stage, FILE).status == 0
    assert link_local(stage) == [DERIVED]
    bare = FILE.replace(" linklocal on", "")
    assert drift(stage, bare) == [
        "~ eth0:0 10.0.0.5/32 linklocal on -> none",
        "~ eth0:1 2001:db8::5/64 linklocal on -> none",
    ]
    done(stage, bare)
    assert drift(stage, bare) == []
    assert link_local(stage) == []


def test_an_ipvlan_whose_address_was_deleted(stage: Stage) -> None:
    """Siblings have one MAC: the slot tells their addresses apart."""
    text = "eth0:3-4 10.0.0.5+ kind ipvlan linklocal on"
    done(stage, text)
    for device in ("eth0_3", "eth0_4"):
        (found,) = link_local(stage, device)
        stage.kernel.remove_address(device, f"{found}/64")
    assert len(drift(stage, text)) == 2
    assert done(stage, text).status == 0
    ends = [link_local(stage, device)[0].rpartition(":")[0][-3:] for device in ("eth0_3", "eth0_4")]
    assert ends[0] != ends[1]
    assert drift(stage, text) == []


def test_without_carrier(stage: Stage) -> None:
    """Nothing is missing while the kernel gives none."""
    done(stage, FILE)
    stage.kernel.set_device("eth0", up=False)
    assert drift(stage, FILE) == []


def test_shown_and_saved(stage: Stage) -> None:
    """show, its JSON, save and its JSON have the word; the saved file plans nothing."""
    done(stage, FILE)
    alias, registry = stage.engine.get("eth0:0"), stage.engine.registry
    assert "linklocal on" in detail(alias, registry)
    assert fields(alias, registry)["linklocal"] == "on"
    aliases = stage.engine.show()
    lines = export.lines(aliases, registry, mac=True)
    assert lines[0].endswith(f"kind macvlan hw ether {MAC} linklocal on")
    assert export.objects(aliases, registry)[0]["linklocal"] == "on"
    assert look(stage.engine, declared(stage, "\n".join(lines)), Rules()).same


def test_beside_gateway_and_lease(stage: Stage) -> None:
    """The record of the device holds all of them."""
    stage("eth0:0 10.0.0.5 kind macvlan linklocal on gateway 10.0.0.254 lease 300")
    alias = stage.engine.get("eth0:0")
    assert (alias.linklocal, alias.lease, alias.gateway) == (True, 300, bytes((10, 0, 0, 254)))
    stage("eth0:0 up")
    assert stage.engine.get("eth0:0").gateway


@pytest.mark.parametrize("words", ["10.0.0.5 kind macvlan mtu 1000 linklocal on", "linklocal on"])
def test_without_ipv6(stage: Stage, words: str) -> None:
    """A note says that there is none, and nothing is missing."""
    if words == "linklocal on":
        stage("eth0:0 10.0.0.5 kind macvlan mtu 1000")
    assert stage(f"eth0:0 {words}").notes == [
        "eth0:0: linklocal on has no effect: there is no IPv6 below an MTU of 1280"
    ]
    assert stage.plan("eth0:0 linklocal on").steps == []
