"""Any single change of the world is seen alike, whether what is as declared is left out or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from socket import inet_aton

import pytest
from support import Namespace

import netalias
from netalias.desired import declarations
from netalias.engine import Engine
from netalias.engine.reconcile import Rules, look, reconcile
from netalias.kernel.netlink.fingerprint import Fingerprinted
from netalias.model import (
    AF_INET,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    PROTOCOL,
    RT_SCOPE_LINK,
    Address,
)
from netalias.model.steps import QUIET, AddAddress, DelAddress, Step
from netalias.plan import settled
from netalias.plan.diff import Diff

MACVLANS = "eth9:0-19 10.9.4.1-20 kind macvlan\n"
LABELS = "eth9:100-119 10.9.5.1-20 kind label\n"


@pytest.fixture
def world(veth: Namespace, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Namespace, Engine]]:
    """eth9 with macvlans and labels as they are declared, and a device of somebody else's; few
    aliases are enough to be left out."""
    monkeypatch.setattr(settled, "MANY", 1)
    veth.ip("link add d9 type veth peer name q9")
    with veth, netalias.open(kernel=Fingerprinted()) as engine:
        outcome = reconcile(engine, parsed(engine), Rules())
        assert len(outcome.done) >= 40
        yield veth, engine


def parsed(engine: Engine, more: str = "") -> declarations.Declarations:
    found = declarations.parse([("t.conf", MACVLANS + LABELS + more)], engine.registry)
    assert found.errors == []
    return found


def contents(diff: Diff) -> object:
    """All that a comparison says."""
    items = [
        (item.sign, str(item.name), [*map(repr, item.plan.steps)], item.plan.notes)
        for item in diff.items
    ]
    skipped = [(one.line(), one.count) for one in diff.skipped]
    return items, skipped, diff.present, diff.wished, diff.removed, repr(diff.renewals)


def differing(world: tuple[Namespace, Engine], more: str = "") -> list[str]:
    """The aliases and main devices that differ, by two comparisons that say the same; *more* is
    declared, too."""
    _, engine = world
    quick = look(engine, parsed(engine, more), Rules())
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(settled, "MANY", 10**9)
        slow = look(engine, parsed(engine, more), Rules())
    assert not slow.settled
    assert contents(quick) == contents(slow)
    return [*(str(one.name) for one in slow.items), *(str(one.name) for one in slow.skipped)]


def test_without_a_change_most_is_left_out(world: tuple[Namespace, Engine]) -> None:
    """Else the rest of this file would say nothing."""
    _, engine = world
    found = look(engine, parsed(engine), Rules())
    assert found.same
    assert len(found.devices) >= 8
    assert found.settled >= len(found.devices) + 8


def test_one_more_is_made_without_the_others(world: tuple[Namespace, Engine]) -> None:
    """The macvlans beside it are no objects, neither in the plan nor in its verification."""
    _, engine = world
    more = "eth9:500 10.9.6.1 kind macvlan\n"
    assert differing(world, more) == ["eth9:500"]
    with engine.transaction():
        outcome = reconcile(engine, parsed(engine, more), Rules())
    assert (len(outcome.done), outcome.status) == (1, 0)
    assert len(outcome.diff.devices) >= 8
    assert differing(world, more) == []


SLOT = 18
"""The alias that is changed: one difference is enough for all to be compared as objects."""


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        ("link del eth9_{}", True),
        ("link set eth9_{} down", True),
        ("link set eth9_{} mtu 1400", True),
        ("link set eth9_{0} address 02:00:00:00:77:{0}", False),
        ("link set eth9_{0} alias netalias-eth9:{0}", True),
        ("link set eth9_{} alias foreign", True),
        ("link set eth9_{} group 0", True),
        ("link set eth9_{0} name other{0}", True),
        ("link set eth9_{} arp off", False),
        ("link set eth9_{} promisc on", False),
        ("link set eth9_{} type macvlan mode private", False),
        ("link property add dev eth9_{0} altname other{0}", False),
        ("link property del dev eth9_{0} altname eth9:{0}", True),
        ("link set eth9_{} master br9", False),
        ("link set eth9_{} netns {peer}", True),
        ("link set eth9_{} addrgenmode eui64", False),
        ("addr change 10.9.4.{o}/32 dev eth9_{} metric 7", True),
        ("addr change 10.9.4.{o}/32 dev eth9_{} valid_lft 600 preferred_lft 600", True),
        ("addr change 10.9.4.{o}/32 dev eth9_{} preferred_lft 0", False),
        ("addr add 10.9.6.{o}/32 dev eth9_{}", False),
        ("addr add 2001:db8::{0}/128 dev eth9_{0}", False),
        ("addr add 10.9.4.{o}/32 dev d9", False),
        ("link add x{} link eth9 type macvlan", False),
        ("route add 10.77.{0}.0/24 dev eth9_{0}", False),
    ],
)
def test_a_change_of_devices_is_seen_with_and_without_what_is_left_out(
    world: tuple[Namespace, Engine], words: str, differs: bool
) -> None:
    """Equal steps, counts and reasons; and whether there is a difference at all."""
    here, _ = world
    assert here.peer is not None
    here.ip("link add br9 type bridge")
    here.ip(words.format(SLOT, o=SLOT + 1, peer=here.peer.path))
    assert differing(world) == ([f"eth9:{SLOT}"] if differs else [])


def test_an_own_host_behind_the_labels_is_seen(world: tuple[Namespace, Engine]) -> None:
    """The labels are to come behind it; in which order they are is not seen in what is left out."""
    here, _ = world
    here.ip(f"addr add 10.9.4.{SLOT + 1}/32 dev eth9")
    assert differing(world) == [f"eth9:{slot}" for slot in range(100, 120)]


def marked(address: bytes, length: int = 32, **values: object) -> Address:
    return Address(0, AF_INET, address, length, protocol=PROTOCOL, **values)  # type: ignore[arg-type]


DEVICE, BOTH, LABEL, NONE = ("macvlan",), ("macvlan", "label"), ("label",), ()
"""Kinds of aliases for which a change is a difference."""


@pytest.mark.parametrize(
    ("made", "differs"),
    [
        (lambda address, label: marked(address, label=label), NONE),
        (lambda address, label: marked(address, 24, label=label), BOTH),
        (lambda address, label: marked(address, label=label, scope=RT_SCOPE_LINK), NONE),
        (lambda address, label: marked(address, label=f"{label}:x"), BOTH),
        (lambda address, label: marked(address, label=label, broadcast=address), BOTH),
        (lambda address, label: marked(address, label=label, peer=inet_aton("10.9.9.9")), BOTH),
        (lambda address, label: marked(address, label=label, metric=7), DEVICE),
        (lambda address, label: marked(address, label=label, valid=600, preferred=600), BOTH),
        (lambda address, label: marked(address, label=label, flags=IFA_F_NOPREFIXROUTE), BOTH),
        (lambda address, label: Address(0, AF_INET, address, 32, label=label), LABEL),
        (lambda address, label: marked(bytes([10, 9, 8, address[3]]), label=label), BOTH),
    ],
)
@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_a_change_of_addresses_is_seen_with_and_without_what_is_left_out(
    world: tuple[Namespace, Engine],
    made: Callable[[bytes, str], Address],
    differs: tuple[str, ...],
    kind: str,
) -> None:
    """It is there in place of the one that is declared."""
    _, engine = world
    snapshot = engine.kernel.snapshot()
    names = {"macvlan": (f"eth9_{SLOT}",) * 2, "label": ("eth9", f"eth9:{100 + SLOT}")}
    name, label = names[kind]
    address = bytes([10, 9, 4 + (kind == "label"), SLOT + 1])
    device = snapshot.device(name)
    assert device is not None
    (former,) = (one for one in snapshot.on(device.index) if one.local == address)
    steps: list[Step] = [DelAddress(name, device.index, former, QUIET)]
    steps.append(AddAddress(name, device.index, made(address, label)))
    assert engine.kernel.apply(steps) == []
    assert bool(differing(world)) is (kind in differs)


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (f"link add x link eth9 group {GROUP} type macvlan", ""),
        ("addr add 10.9.6.9/32 dev eth9 label eth9:108", ""),
        ("addr add 10.9.4.9/32 dev eth9_7", ""),
        ("link set eth9 down", ""),
        ("link set eth9 mtu 1400", ""),
        ("link set eth9 address 02:00:00:00:00:78", ""),
        ("link set eth9 down; link set eth9 name lan9", "eth9:0"),
        ("link property add dev eth9 altname uplink", ""),
        ("link set eth9 group 7", ""),
        ("link set eth9 netns {peer}", "eth9:0"),
    ],
)
def test_a_change_beside_is_seen_with_and_without_what_is_left_out(
    world: tuple[Namespace, Engine], words: str, differs: str
) -> None:
    """Of the main device, and what bears the name or the address of an alias."""
    here, _ = world
    assert here.peer is not None
    for command in words.format(peer=here.peer.path).split("; "):
        here.ip(command)
    assert differing(world) == ([differs] if differs else [])


@pytest.mark.parametrize("device", ["eth9", "eth9_8"])
@pytest.mark.parametrize("name", ["arp_announce", "arp_ignore", "promote_secondaries", "rp_filter"])
def test_a_sysctl_is_seen_with_and_without_what_is_left_out(
    world: tuple[Namespace, Engine], device: str, name: str
) -> None:
    """What an alias needs of its main device is a difference."""
    here, _ = world
    here.run(["sysctl", "-qw", f"net.ipv4.conf.{device}.{name}=0"])
    found = differing(world)
    assert found == (["eth9"] if device == "eth9" and name.startswith("arp") else [])


def test_a_carrier_is_no_difference(world: tuple[Namespace, Engine]) -> None:
    """Nor is the operstate that goes with it."""
    here, _ = world
    assert here.peer is not None
    here.peer.ip("link set p9 down")
    assert differing(world) == []


def test_two_addresses_that_have_changed_places_are_two_differences(
    world: tuple[Namespace, Engine],
) -> None:
    """Each is one that is declared, on a device that is as declared."""
    here, _ = world
    for slot, other in ((8, 9), (9, 8)):
        here.ip(f"addr del 10.9.4.{slot + 1}/32 dev eth9_{slot}")
        here.ip(f"addr add 10.9.4.{other + 1}/32 dev eth9_{slot}")
    assert differing(world) == ["eth9:8", "eth9:9"]
