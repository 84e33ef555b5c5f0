"""RenewAddress on every Kernel: the lifetimes of an address that is there, and never a new one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRNOTAVAIL, ENODEV
from socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW, inet_pton, socket
from time import monotonic

import pytest
from stage import address_values, done, index, inet, refused, state
from support import Namespace

from netalias import errors
from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.kernel.netlink import codec, messages
from netalias.model import (
    AF_INET6,
    FOREVER,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    PROTOCOL,
    Address,
)
from netalias.model.leases import RenewAddress
from netalias.model.steps import AddAddress, DelAddress

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100

V6 = IFA_F_PERMANENT | IFA_F_NODAD
ENTRIES = {
    "label": inet("10.9.0.1/24", label="eth9:0", broadcast=bytes([10, 9, 0, 255])),
    "plain": inet("10.9.0.1/32"),
    "metric": inet("10.9.0.1/24", metric=7),
    "peer": inet("10.9.0.1/30", peer=bytes([10, 9, 0, 2])),
    "noroute": inet("10.9.0.1/24", flags=IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE),
    "inet6": inet("2001:db8::1/64", flags=V6),
    "inet6-host": inet("2001:db8::1/128", flags=V6, metric=28257 << 16 | 5),
    "inet6-noroute": inet("2001:db8::1/64", flags=V6 | IFA_F_NOPREFIXROUTE),
    "inet6-peer": inet(
        "2001:db8::1/128",
        flags=V6 | IFA_F_NOPREFIXROUTE,
        peer=inet_pton(AF_INET6, "2001:db8::9"),
    ),
}


TRIES, PROMPT = 5, 0.5
"""Readings at most, and seconds that one of them may take."""


def found(kernel: Kernel, local: bytes) -> Address:
    """The address as eth9 has it. The age of a lifetime is counted when it is decoded, so a reading
    that was held up is repeated."""
    for _ in range(TRIES):
        before = monotonic()
        entries = kernel.snapshot().on(index(kernel, "eth9"))
        if monotonic() - before < PROMPT:
            break
    (entry,) = [one for one in entries if one.local == local]
    return entry


def placed(kernel: Kernel, name: str, seconds: int) -> Address:
    """Put an address there for so many seconds, 0 for ever; it as it is read."""
    entry = ENTRIES[name].lasting(seconds).copy(protocol=PROTOCOL)
    done(kernel, AddAddress("eth9", index(kernel, "eth9"), entry))
    return found(kernel, entry.local)


def renewal(kernel: Kernel, entry: Address, seconds: int) -> RenewAddress:
    """The step, and the way back."""
    eth9 = index(kernel, "eth9")
    before = RenewAddress("eth9", eth9, entry.renewed())
    return RenewAddress("eth9", eth9, entry.lasting(seconds), before)


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize(("first", "then"), [(300, 300), (300, 5000), (0, 300), (300, 0)])
def test_nothing_but_the_lifetimes_changes(
    kernel: Kernel, name: str, first: int, then: int
) -> None:
    """Label, broadcast, peer, scope, metric, protocol, flags and place stay as they are."""
    entry = placed(kernel, name, first)
    before = address_values(kernel.snapshot(), "eth9")
    done(kernel, renewal(kernel, entry, then))
    assert found(kernel, entry.local).lease == then
    after = address_values(kernel.snapshot(), "eth9")
    for one in (*before, *after):
        assert isinstance(one["flags"], int)
        one["flags"] &= ~IFA_F_PERMANENT
        del one["valid"], one["preferred"]
    assert after == before


@pytest.mark.parametrize("seconds", [1, 30, FOREVER - 1])
@pytest.mark.parametrize("name", ["plain", "inet6"])
def test_a_lease_is_read_back(kernel: Kernel, name: str, seconds: int) -> None:
    """From what is left of it, and when it was set; valid and preferred are the same."""
    entry = placed(kernel, name, seconds)
    assert entry.lease == seconds
    assert entry.valid == entry.preferred
    assert 0 <= entry.age < 100
    assert not entry.flags & IFA_F_PERMANENT


@pytest.mark.parametrize("name", ["plain", "inet6"])
def test_for_ever_is_no_lease(kernel: Kernel, name: str) -> None:
    """Neither a length nor an age."""
    entry = placed(kernel, name, 0)
    assert (entry.lease, entry.age, entry.valid) == (0, 0, FOREVER)


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_not_there_is_not_added(kernel: Kernel, name: str) -> None:
    """The kernel adds what RTM_NEWADDR does not find, whatever NLM_F_CREATE says; not this one."""
    entry = placed(kernel, name, 300)
    eth9 = index(kernel, "eth9")
    done(kernel, DelAddress("eth9", eth9, entry))
    before = state(kernel)
    error = refused(kernel, renewal(kernel, entry, 300))
    assert error.errno == EADDRNOTAVAIL
    assert "it is not there" in str(error)
    assert state(kernel) == before


@pytest.mark.parametrize("text", ["10.9.0.2/24", "10.9.0.1/25", "2001:db8::2/64"])
def test_a_neighbour_is_not_renewed(kernel: Kernel, text: str) -> None:
    """Another address of the network, and of IPv4 another length, is another one."""
    for name in ("metric", "inet6"):
        placed(kernel, name, 300)
    error = refused(kernel, RenewAddress("eth9", index(kernel, "eth9"), inet(text).lasting(60)))
    assert error.errno == EADDRNOTAVAIL
    assert [one.lease for one in kernel.snapshot().on(index(kernel, "eth9"))] == [300, 300]


@pytest.mark.parametrize("text", ["10.9.0.1/24", "2001:db8::1/64"])
def test_a_device_that_has_gone(kernel: Kernel, text: str) -> None:
    """ENODEV, in the words of the kernel."""
    error = refused(kernel, RenewAddress("eth9", 9999, inet(text).lasting(60)))
    assert error.errno == ENODEV


@pytest.mark.parametrize("name", ["label", "inet6"])
@pytest.mark.parametrize("first", [0, 300])
def test_an_undoing_sets_the_former_lifetime(kernel: Kernel, name: str, first: int) -> None:
    """S20: when another step of the owner is refused."""
    entry = placed(kernel, name, first)
    refusal = DelAddress("eth9", index(kernel, "eth9"), inet("10.6.0.1/32"))
    (failure,) = kernel.apply([renewal(kernel, entry, 60), refusal])
    assert failure.step is refusal
    assert failure.left == []
    assert found(kernel, entry.local).lease == first


@pytest.mark.parametrize("name", ["label", "inet6"])
def test_an_address_comes_back_for_its_whole_lease(kernel: Kernel, name: str) -> None:
    """What was deleted and is undone had less left than it is given again."""
    entry = placed(kernel, name, 300)
    entry.valid, entry.preferred, entry.age = 20, 20, 28000
    eth9 = index(kernel, "eth9")
    steps = [DelAddress("eth9", eth9, entry), DelAddress("eth9", eth9, inet("10.6.0.1/32"))]
    (failure,) = kernel.apply(steps)
    assert failure.left == []
    assert found(kernel, entry.local).lease == 300


def test_a_refused_renewal_hinders_no_other(kernel: Kernel) -> None:
    """Each has an owner of its own."""
    entry = placed(kernel, "plain", 300)
    gone = RenewAddress("eth9", index(kernel, "eth9"), inet("10.9.0.2/32").lasting(60))
    step = renewal(kernel, entry, 60)
    step.owner = 1
    (failure,) = kernel.apply([gone, step])
    assert failure.step is gone
    assert found(kernel, entry.local).lease == 60


# Time


def test_lifetimes_run_down_in_memory() -> None:
    """What is left gets less, the length stays; at the end the address goes."""
    kernel = Memory()
    for text in ("10.9.0.1/32", "2001:db8::1/64", "10.9.0.2/32"):
        seconds = 0 if text == "10.9.0.2/32" else 30
        done(kernel, AddAddress("lo", 1, inet(text, flags=0).lasting(seconds)))
    kernel.pass_time(29)
    assert sorted((one.valid, one.lease) for one in kernel.snapshot().on(1)) == [
        (1, 30), (1, 30), (FOREVER, 0),
    ]  # fmt: skip
    kernel.pass_time(1)
    assert [one.lease for one in kernel.snapshot().on(1)] == [0]


def test_a_renewal_in_memory_starts_anew() -> None:
    """Time passes from the renewal on."""
    kernel = Memory()
    entry = inet("10.9.0.1/32", flags=0).lasting(30)
    done(kernel, AddAddress("lo", 1, entry))
    kernel.pass_time(20)
    done(kernel, RenewAddress("lo", 1, entry))
    kernel.pass_time(20)
    (left,) = kernel.snapshot().on(1)
    assert (left.valid, left.lease) == (10, 30)


def test_an_expired_primary_takes_its_secondaries_along_in_memory() -> None:
    """As when it is deleted (check_lifetime calls inet_del_ifa)."""
    kernel = Memory()
    for text in ("10.9.0.1/24", "10.9.0.2/24"):
        done(kernel, AddAddress("lo", 1, inet(text, flags=0).lasting(30)))
    kernel.pass_time(30)
    assert kernel.snapshot().on(1) == []


def test_not_permitted_in_memory() -> None:
    """S15: without privilege nothing is renewed."""
    kernel = Memory()
    entry = inet("10.9.0.1/32", flags=0).lasting(30)
    done(kernel, AddAddress("lo", 1, entry))
    kernel.pass_time(20)
    kernel.privileged = False
    assert isinstance(refused(kernel, RenewAddress("lo", 1, entry)), errors.NotPermitted)
    assert kernel.snapshot().on(1)[0].valid == 10


# What the kernel announces


@contextmanager
def listening(namespace: Namespace) -> Iterator[socket]:
    """A socket that hears of every change of an address."""
    with namespace, socket(AF_NETLINK, SOCK_RAW, 0) as heard:
        heard.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        yield heard


def announced(heard: socket, local: bytes) -> list[int]:
    """The types of all messages about an address: the kernel queues them before it answers."""
    types = []
    while True:
        try:
            data = heard.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            return types
        for kind, _, _, start, end in messages(data):
            if codec.read_address(data, start, end).local == local:
                types.append(kind)


@pytest.mark.root
@pytest.mark.parametrize("kernel", ["netlink", "iproute"], indirect=True)
@pytest.mark.parametrize("name", ENTRIES)
def test_no_address_goes(veth: Namespace, kernel: Kernel, name: str) -> None:
    """Who watches hears of no deletion: connections over it live on."""
    entry = placed(kernel, name, 300)
    with listening(veth) as heard:
        done(kernel, renewal(kernel, entry, 300))
        assert set(announced(heard, entry.local)) == {codec.RTM_NEWADDR}
        done(kernel, DelAddress("eth9", index(kernel, "eth9"), entry))
        assert codec.RTM_DELADDR in announced(heard, entry.local)
