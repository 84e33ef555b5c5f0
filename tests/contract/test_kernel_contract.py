"""One suite over every Kernel: in memory, on our own netlink socket, and through pyroute2.

Each is given the same stage: ``lo``, and ``eth9``, one end of a veth pair, up, without addresses.
What a test expects is written once; indexes and MAC addresses are left out of comparisons.
"""

from __future__ import annotations

from errno import (
    EADDRINUSE,
    EADDRNOTAVAIL,
    EEXIST,
    EINVAL,
)
from socket import inet_pton

import pytest
from stage import (
    BRIDGE,
    MAC,
    address_values,
    alias,
    device_values,
    done,
    index,
    inet,
    refused,
    settled,
    state,
    texts,
)
from support import until

from netalias.kernel import Kernel
from netalias.model import (
    AF_INET,
    AF_INET6,
    GROUP,
    IFA_F_NODAD,
    IFA_F_PERMANENT,
    IFF_LOWER_UP,
    PROTOCOL,
    RT_SCOPE_LINK,
    Address,
)
from netalias.model.renames import RenameLink
from netalias.model.steps import (
    RAISE,
    SET,
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelLink,
    SetLink,
)


def test_snapshot_of_the_stage(kernel: Kernel) -> None:
    """A fresh lo is down, a veth with a peer elsewhere is remote, and neither has addresses."""
    snapshot = settled(kernel)
    common = {
        "altnames": (), "group": 0, "ifalias": "", "inet6": True, "link": "", "master": "",
        "mode": -1, "promote": False, "arp_announce": 0, "arp_ignore": 0,
    }  # fmt: skip
    assert device_values(snapshot, "lo") == common | {
        "name": "lo", "flags": 0x8, "type": 772, "mtu": 65536, "kind": "", "remote": False,
        "operstate": 2,
    }  # fmt: skip
    assert device_values(snapshot, "eth9") == common | {
        "name": "eth9", "flags": 0x11043, "type": 1, "mtu": 1500, "kind": "veth", "remote": True,
        "operstate": 6,
    }  # fmt: skip
    lo = snapshot.device("lo")
    assert lo is not None
    assert (lo.index, lo.mac) == (1, bytes(6))
    assert not snapshot.addresses


def test_snapshot_of_one_family(kernel: Kernel) -> None:
    """Only addresses of the family that was asked for; devices always."""
    eth9 = index(kernel, "eth9")
    done(kernel, AddAddress("eth9", eth9, inet("10.9.0.1/24")))
    done(kernel, AddAddress("eth9", eth9, inet("2001:db8::1/64")))
    for family in (AF_INET, AF_INET6):
        snapshot = kernel.snapshot(family)
        assert [entry.family for entry in snapshot.on(eth9)] == [family]
        assert snapshot.device("lo") is not None
    assert len(kernel.snapshot().on(eth9)) == 2


def test_snapshot_is_of_its_moment(kernel: Kernel) -> None:
    """Later changes do not show in a snapshot."""
    before = kernel.snapshot()
    done(kernel, SetLink("eth9", index(kernel, "eth9"), mtu=1400))
    assert device_values(before, "eth9")["mtu"] == 1500


def test_able(kernel: Kernel) -> None:
    """A kind is probed without leaving a device behind, and the answer stays the same."""
    before = state(kernel)
    for _ in range(2):
        assert kernel.able("macvlan") is True
        assert kernel.able("nosuch") is False
    assert state(kernel) == before


def test_a_device_is_renamed(kernel: Kernel) -> None:
    """An alias device, while it is down or, as the kernel allows it, up; and back."""
    below = index(kernel, "eth9")
    made = CreateLink("x", "macvlan", group=0, mode=4, link=below, below="eth9")
    assert kernel.apply([made]) == []
    number = index(kernel, "x")
    renamed = RenameLink("x", number, "y")
    for step, name in ((renamed, "y"), (renamed.inverse(), "x")):
        assert kernel.apply([step]) == []
        assert index(kernel, name) == number


def test_permitted(kernel: Kernel) -> None:
    """Who may change something is told so by silence, and nothing is changed by asking."""
    before = state(kernel)
    kernel.permitted()
    assert state(kernel) == before


# An alias, made and unmade --------------------------------------------------------------------


def test_alias_is_made(kernel: Kernel) -> None:
    """S85: the address label equals the primary name; the altname is the alias name itself."""
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []
    snapshot = settled(kernel)
    assert device_values(snapshot, "eth9_0") == {
        "altnames": ("eth9:0",), "flags": 0x11043, "group": GROUP, "ifalias": "netalias eth9:0",
        "inet6": True, "kind": "macvlan", "link": "eth9", "master": "", "mode": BRIDGE,
        "mtu": 1500, "name": "eth9_0", "operstate": 6, "promote": True, "remote": False, "type": 1,
        "arp_announce": 2, "arp_ignore": 1,
    }  # fmt: skip
    assert address_values(snapshot, "eth9_0") == [
        {
            "family": AF_INET, "local": bytes([10, 9, 0, 1]), "prefixlen": 24, "peer": b"",
            "flags": IFA_F_PERMANENT, "scope": 0, "broadcast": b"", "label": "eth9_0",
            "metric": 0, "protocol": PROTOCOL, "valid": 0xFFFFFFFF, "preferred": 0xFFFFFFFF,
        }
    ]  # fmt: skip
    assert snapshot.device("eth9:0") is snapshot.device("eth9_0")


def test_alias_of_inet6(kernel: Kernel) -> None:
    """An IPv6 alias has its address and a link-local one, which the kernel made."""
    assert kernel.apply(alias(kernel, 6, "2001:db8::6/64")) == []
    found = until(lambda: [one for one in [kernel.snapshot(AF_INET6).on(index(kernel, "eth9_6"))]
                           if len(one) == 2])[0]  # fmt: skip
    assert found[0].local == inet_pton(AF_INET6, "2001:db8::6")
    assert found[0].protocol == PROTOCOL
    assert found[1].scope == RT_SCOPE_LINK


def test_alias_is_quiet(kernel: Kernel) -> None:
    """An IPv4 alias that is up has no IPv6 address: no DAD and no MLD reports for it."""
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24", mac=MAC)) == []
    done(kernel, AddAddress("eth9", index(kernel, "eth9"), inet("2001:db8::1/64")))
    snapshot = kernel.snapshot(AF_INET6)
    assert snapshot.on(index(kernel, "eth9_0")) == []
    device = snapshot.device("eth9_0")
    assert device is not None
    assert device.flags & IFF_LOWER_UP
    assert device.mac == MAC


def test_alias_is_deleted(kernel: Kernel) -> None:
    """S30 S31: its own device goes with its address; the main device is as it was."""
    before = state(kernel)
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []
    assert kernel.apply([DelLink("eth9_0", index(kernel, "eth9:0"), GROUP)]) == []
    assert state(kernel) == before


def test_born_inside_a_master(port: Kernel) -> None:
    """A new device has its master at once; one that is not there is refused."""
    master = index(port, "br9")
    done(port, CreateLink("x", "bridge", group=GROUP))
    refusal = refused(port, CreateLink("y", "macvlan", group=GROUP, link=index(port, "x"),
                                       mode=BRIDGE, master=9999))  # fmt: skip
    assert refusal.errno == EINVAL
    assert port.snapshot().device("y") is None
    done(port, CreateLink("y", "macvlan", group=GROUP, link=index(port, "x"), mode=BRIDGE,
                          master=master))  # fmt: skip
    assert device_values(port.snapshot(), "y")["master"] == "br9"


def test_altname_taken(kernel: Kernel) -> None:
    """S20 S83: with the altname in use, creation fails with EEXIST and leaves nothing."""
    done(kernel, AddAltname("lo", 1, "eth9:0"))
    before = state(kernel)
    (failure,) = kernel.apply(alias(kernel, 0, "10.9.0.1/24"))
    assert isinstance(failure.step, AddAltname)
    assert failure.error.errno == EEXIST
    assert failure.left == []
    assert state(kernel) == before


def test_name_taken(kernel: Kernel) -> None:
    """S83: a device that has the primary name already is left untouched."""
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []
    before = state(kernel)
    (failure,) = kernel.apply(alias(kernel, 0, "10.9.0.2/24"))
    assert isinstance(failure.step, CreateLink)
    assert failure.error.errno == EEXIST
    assert state(kernel) == before


@pytest.mark.parametrize("of", ["sibling", "main"])
def test_mac_taken(kernel: Kernel, of: str) -> None:
    """S87: with the MAC of a sibling or of the main device, going up fails; it is rolled back."""
    main = kernel.snapshot().device("eth9")
    assert main is not None
    mac = MAC if of == "sibling" else main.mac
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24", mac=MAC)) == []
    before = state(kernel)
    (failure,) = kernel.apply(alias(kernel, 1, "10.9.0.2/24", mac=mac))
    assert isinstance(failure.step, SetLink)
    assert failure.error.errno == EADDRINUSE
    assert failure.left == []
    assert state(kernel) == before


def test_a_former_index(kernel: Kernel) -> None:
    """A new device gets the index that its step names if that is free, else another one: one of
    lo, of the main device, or of a device of the same send."""
    lo, main = kernel.snapshot().device("lo"), kernel.snapshot().device("eth9")
    assert lo is not None
    assert main is not None
    plans = [
        alias(kernel, slot, f"10.9.0.{slot + 1}/24", owner=slot, former=former)
        for slot, former in enumerate([4000, lo.index, main.index, 4000])
    ]
    assert kernel.apply([step for steps in plans for step in steps]) == []
    found = [kernel.snapshot().device(f"eth9_{slot}") for slot in range(4)]
    indexes = [device.index for device in found if device is not None]
    assert indexes[0] == 4000
    assert len({*indexes, lo.index, main.index}) == 6
    entries = [kernel.snapshot().on(index) for index in indexes]
    assert [[entry.local[3] for entry in one] for one in entries] == [[1], [2], [3], [4]]


def test_a_name_that_is_taken_with_a_former_index(kernel: Kernel) -> None:
    """The refusal is that of the name."""
    done(kernel, AddAltname("lo", 1, "eth9_1"))
    before = state(kernel)
    (failure,) = kernel.apply(alias(kernel, 1, "10.9.0.2/24", former=4000))
    assert failure.error.errno == EEXIST
    assert state(kernel) == before


def test_owners_are_independent(kernel: Kernel) -> None:
    """Of two wishes in one apply, the one that fails takes nothing of the other with it."""
    done(kernel, AddAltname("lo", 1, "eth9:1"))
    steps = [
        *alias(kernel, 0, "10.9.0.1/24", owner=1),
        *alias(kernel, 1, "10.9.0.2/24", owner=2),
        *alias(kernel, 2, "10.9.0.3/24", owner=3),
    ]
    (failure,) = kernel.apply(steps)
    assert failure.step.owner == 2
    snapshot = kernel.snapshot()
    assert sorted(device.name for device in snapshot.devices.values()) == [
        "eth9", "eth9_0", "eth9_2", "lo",
    ]  # fmt: skip
    assert texts(kernel, "eth9_0") + texts(kernel, "eth9_2") == ["10.9.0.1/24", "10.9.0.3/24"]


@pytest.mark.early
@pytest.mark.parametrize(
    "kernel",
    [
        "memory",
        pytest.param("netlink", marks=pytest.mark.root),
        # A process of ip(8) for each step.
        pytest.param("iproute", marks=[pytest.mark.root, pytest.mark.long]),
    ],
    indirect=True,
)
def test_many(kernel: Kernel) -> None:
    """300 aliases in one apply, whole; and all gone in another."""
    before = state(kernel)
    main = kernel.snapshot().device("eth9")
    steps = []
    for slot in range(300):
        steps += alias(kernel, slot, f"10.9.{slot >> 8}.{slot & 255}/16", owner=slot)
    assert kernel.apply(steps) == []
    snapshot = kernel.snapshot()
    made = [device for device in snapshot.devices.values() if device.group == GROUP]
    assert [device.altnames for device in made] == [(f"eth9:{slot}",) for slot in range(300)]
    assert all(device.up and main and device.link == main.index for device in made)
    assert len({device.mac for device in made}) == 300
    assert [len(snapshot.on(device.index)) for device in made] == [1] * 300
    assert kernel.apply(DelLink(one.name, one.index, GROUP) for one in made) == []
    assert state(kernel) == before


# Addresses --------------------------------------------------------------------------------------


def test_label(kernel: Kernel) -> None:
    """S21: lo:0 is an address label on lo; it goes when it is asked for by its own label only."""
    entry = inet("10.9.0.1/32", label="lo:0", protocol=PROTOCOL)
    assert kernel.apply([AddAddress("lo", 1, entry)]) == []
    (found,) = kernel.snapshot().on(1)
    assert (found.label, found.protocol) == ("lo:0", PROTOCOL)
    wrong = inet("10.9.0.1/32", label="lo:1")
    assert refused(kernel, DelAddress("lo", 1, wrong)).errno == EADDRNOTAVAIL
    assert kernel.apply([DelAddress("lo", 1, entry)]) == []
    assert kernel.snapshot().addresses == {}


@pytest.mark.parametrize("promote", [0, 1])
def test_secondaries(kernel: Kernel, promote: int) -> None:
    """Deleting a primary address takes its secondaries along, unless they are promoted."""
    eth9 = index(kernel, "eth9")
    done(kernel, SetLink("eth9", eth9, SET, conf={"promote_secondaries": promote}))
    for text in ("10.9.0.1/24", "10.9.0.2/24", "10.9.1.1/24", "10.9.0.3/24", "10.9.0.4/25"):
        done(kernel, AddAddress("eth9", eth9, inet(text)))
    assert texts(kernel, "eth9") == [
        "10.9.0.1/24", "10.9.1.1/24", "10.9.0.4/25", "10.9.0.2/24*", "10.9.0.3/24*",
    ]  # fmt: skip
    done(kernel, DelAddress("eth9", eth9, inet("10.9.0.1/24")))
    rest = ["10.9.1.1/24", "10.9.0.4/25"]
    assert texts(kernel, "eth9") == rest + (["10.9.0.2/24", "10.9.0.3/24*"] if promote else [])


def test_same_address_twice(kernel: Kernel) -> None:
    """EEXIST with the same prefix length on one device; another length or device is fine."""
    for text in ("10.9.0.1/24", "10.9.0.1/32"):
        done(kernel, AddAddress("lo", 1, inet(text)))
    done(kernel, AddAddress("eth9", index(kernel, "eth9"), inet("10.9.0.1/24")))
    error = refused(kernel, AddAddress("lo", 1, inet("10.9.0.1/24")))
    assert error.errno == EEXIST


def test_address_keeps_everything(kernel: Kernel) -> None:
    """Peer, broadcast, metric, mark, lifetimes and flags come back as they were given."""
    eth9 = index(kernel, "eth9")
    entries = [
        inet("10.9.0.1/30", peer=bytes([10, 9, 0, 2]), protocol=PROTOCOL, metric=7),
        inet("10.9.1.1/24", broadcast=bytes([10, 9, 1, 255]), label="eth9:x"),
        inet("2001:db8::1/64", protocol=PROTOCOL, metric=9, flags=IFA_F_PERMANENT | IFA_F_NODAD),
    ]
    for entry in entries:
        done(kernel, AddAddress("eth9", eth9, entry))
        entry.label = entry.label or ("eth9" if entry.family == AF_INET else "")
    expected = [{k: getattr(entry, k) for k in Address.__slots__ if k not in ("index", "age")}
                for entry in entries]  # fmt: skip
    assert address_values(kernel.snapshot(), "eth9") == expected


def test_down_forgets_inet6(kernel: Kernel) -> None:
    """A device that goes down keeps its IPv4 addresses and loses those of IPv6."""
    eth9 = index(kernel, "eth9")
    for text in ("10.9.0.1/24", "2001:db8::1/64"):
        done(kernel, AddAddress("eth9", eth9, inet(text)))
    done(kernel, SetLink("eth9", eth9, RAISE, up=False))
    assert [entry.family for entry in kernel.snapshot().on(eth9)] == [AF_INET]


def test_main_down(kernel: Kernel) -> None:
    """S45: the kernel lets an alias be made on a main device that is down; it has no carrier."""
    done(kernel, SetLink("eth9", index(kernel, "eth9"), up=False))
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []
    values = device_values(settled(kernel), "eth9_0")
    assert (values["flags"], values["operstate"]) == (0x1003, 3)


def test_mtu_follows_down_only(kernel: Kernel) -> None:
    """Lowering the main device lowers the alias; raising it does not raise the alias."""
    assert kernel.apply(alias(kernel, 0, "10.9.0.1/24")) == []
    for mtu in (1400, 1500):
        done(kernel, SetLink("eth9", index(kernel, "eth9"), mtu=mtu))
        assert device_values(kernel.snapshot(), "eth9_0")["mtu"] == 1400
