"""Bare aliases that are as they should be are left out of a reading of this kernel."""

from __future__ import annotations

from socket import inet_aton

import pytest
from support import Namespace

from netalias.kernel.netlink.fingerprint import Fingerprinted
from netalias.model import AF_INET, GROUP, PROTOCOL, Address
from netalias.model.bare import Bare, Sifted, without
from netalias.model.steps import AddAddress, AddAltname, CreateLink, SetLink, Step

MAIN = "eth9"
SLOTS = range(12)
GROUP_OTHER = 5


def local(slot: int) -> bytes:
    return inet_aton(f"10.9.4.{slot + 1}")


def labelled(slot: int) -> bytes:
    return inet_aton(f"10.9.5.{slot}")


def marked(address: bytes, label: str) -> Address:
    return Address(0, AF_INET, address, 32, protocol=PROTOCOL, label=label)


@pytest.fixture
def stage(veth: Namespace) -> Namespace:
    """eth9 with macvlans as netalias makes them, and labels of the slots from 100 on."""
    veth.ip("link set eth9 up")
    with veth, Fingerprinted() as kernel:
        link = kernel.snapshot().device(MAIN)
        assert link is not None
        steps: list[Step] = []
        for slot in SLOTS:
            name, alias = f"{MAIN}_{slot}", f"{MAIN}:{slot}"
            steps += [
                CreateLink(name, "macvlan", group=GROUP, link=link.index),
                AddAltname(name, 0, alias),
                SetLink(name, 0, ifalias=f"netalias {alias}", addrgen=1),
                AddAddress(name, 0, marked(local(slot), name)),
                AddAddress(MAIN, link.index, marked(labelled(slot), f"{MAIN}:{slot + 100}")),
            ]
        assert kernel.apply(steps) == []
    for slot in SLOTS:
        veth.ip(f"link set {MAIN}_{slot} up")
    return veth


def read(stage: Namespace, *, labels: bool = False, group: int = GROUP) -> Sifted:
    """What is left of a reading, held against the same without bytes."""
    devices = {MAIN: {local(slot): b"%s:%d" % (MAIN.encode(), slot) for slot in SLOTS}}
    some = {labelled(slot): b"eth9:%d" % (slot + 100) for slot in SLOTS}
    bare = Bare({MAIN: some} if labels else {}, devices, group)
    with stage, Fingerprinted() as kernel:
        found = kernel.snapshot_without(bare)
        assert kernel.digest(b"salt")
    slow = without(found.whole(), bare)
    # By bytes only what follows another message of its length.
    for main, gone in found.devices.items():
        assert gone.items() <= slow.devices.get(main, {}).items()
    assert {one: some for one, some in found.labels.items() if some} == slow.labels
    for main, count in found.ahead.items():
        device = found.whole().device(main)
        assert device is not None
        locals_ = [one.local for one in found.whole().on(device.index)]
        assert count <= min(map(locals_.index, found.labels[main]))
    return found


@pytest.mark.parametrize("labels", [False, True])
def test_bare_devices_are_left_out(stage: Namespace, labels: bool) -> None:
    """All behind the first ones of a length, by which the layouts are known."""
    found = read(stage, labels=labels)
    assert {*map(local, range(4, 10))} <= {*found.devices[MAIN]}
    for alias, index, mac in found.devices[MAIN].values():
        assert index not in found.snapshot.devices
        assert found.whole().devices[index].mac == mac
        assert alias in found.whole().devices[index].altnames
    assert len(found.snapshot.devices) == len(found.whole().devices) - len(found.devices[MAIN])


@pytest.mark.parametrize(
    "words",
    [
        "link set eth9_8 down",
        "link set eth9_8 mtu 1400",
        "link set eth9_8 alias netalias",
        "link set eth9_8 group 5",
        "link property add dev eth9_8 altname other",
        "link property del dev eth9_8 altname eth9:8",
        "addr add 10.9.6.1/32 dev eth9_8",
        "addr add 2001:db8::8/128 dev eth9_8",
        "addr del 10.9.4.9/32 dev eth9_8",
        "addr change 10.9.4.9/32 dev eth9_8 valid_lft 600 preferred_lft 600",
    ],
)
def test_one_that_is_not_as_it_should_be_stays(stage: Namespace, words: str) -> None:
    """Whatever of it was changed; its neighbours are left out."""
    stage.ip(words)
    found = read(stage)
    assert local(8) not in found.devices[MAIN]
    assert local(9) in found.devices[MAIN]


def test_those_of_another_group_stay(stage: Namespace) -> None:
    """They are not ours."""
    assert not read(stage, group=GROUP_OTHER).devices.get(MAIN)
