"""MarkAddress on every Kernel: an address that stays where it is gets another protocol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EADDRNOTAVAIL, EINVAL, ENODEV, EPERM
from socket import AF_NETLINK, MSG_DONTWAIT, SOCK_RAW, inet_pton, socket

import pytest
from stage import address_values, alias, done, index, inet, refused, same_words, state, texts
from support import LINUX, Namespace

from netalias.kernel import Kernel
from netalias.kernel.memory import Memory
from netalias.kernel.netlink import codec, messages
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_NODAD,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    PROTOCOL,
    Address,
)
from netalias.model.leases import MarkAddress
from netalias.model.steps import AddAddress, AddAltname, DelAddress

RTMGRP_IPV4_IFADDR = 0x10
RTMGRP_IPV6_IFADDR = 0x100

ENTRIES = {
    "label": inet("10.9.0.1/24", label="eth9:0", broadcast=bytes([10, 9, 0, 255])),
    "plain": inet("10.9.0.1/32"),
    "metric": inet("10.9.0.1/24", metric=7),
    "peer": inet("10.9.0.1/30", peer=bytes([10, 9, 0, 2])),
    "link": inet("10.9.0.1/24", scope=253),
    "noroute": inet("10.9.0.1/24", flags=IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE),
    "inet6": inet("2001:db8::1/64", flags=IFA_F_PERMANENT | IFA_F_NODAD),
    "inet6-metric": inet("2001:db8::1/64", flags=IFA_F_PERMANENT | IFA_F_NODAD, metric=9),
    "inet6-peer": inet(
        "2001:db8::1/128",
        flags=IFA_F_PERMANENT | IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
        peer=inet_pton(AF_INET6, "2001:db8::9"),
    ),
}


def mark(kernel: Kernel, entry: Address, protocol: int = PROTOCOL) -> MarkAddress:
    """The step as a reading gives it: everything of the address, and the way back."""
    eth9 = index(kernel, "eth9")
    (found,) = [one for one in kernel.snapshot().on(eth9) if one.local == entry.local]
    before = MarkAddress("eth9", eth9, found)
    return MarkAddress("eth9", eth9, found.copy(protocol=protocol), before)


def needs_marks(kernel: Kernel) -> None:
    """inet_rtm_newaddr of 6.1 takes everything of a message but the protocol."""
    if not isinstance(kernel, Memory) and LINUX < (6, 12):
        pytest.skip("this kernel does not change the protocol of an IPv4 address")


def placed(kernel: Kernel, entry: Address, protocol: int = 0) -> Address:
    """Put *entry* on eth9, between two others."""
    eth9 = index(kernel, "eth9")
    entry = entry.copy(protocol=protocol)
    inet4 = entry.family == AF_INET
    first, last = ("10.7.0.1/24", "10.8.0.1/24") if inet4 else ("2001:db8::7/64", "2001:db8::8/64")
    flags = IFA_F_PERMANENT | (0 if inet4 else IFA_F_NODAD)
    for one in (inet(first, flags=flags), entry, inet(last, flags=flags)):
        done(kernel, AddAddress("eth9", eth9, one))
    return entry


@pytest.mark.parametrize("name", ENTRIES)
def test_only_the_protocol_changes(kernel: Kernel, name: str) -> None:
    """Label, broadcast, peer, scope, metric, flags, lifetimes and place stay as they are."""
    if ENTRIES[name].family == AF_INET:
        needs_marks(kernel)
    entry = placed(kernel, ENTRIES[name])
    before = address_values(kernel.snapshot(), "eth9")
    assert kernel.apply([mark(kernel, entry)]) == []
    for one in before:
        if one["local"] == entry.local:
            one["protocol"] = PROTOCOL
    assert address_values(kernel.snapshot(), "eth9") == before


@pytest.mark.parametrize("name", ENTRIES)
@pytest.mark.parametrize("former", [0, 3])
def test_an_undoing_puts_the_former_protocol_back(kernel: Kernel, name: str, former: int) -> None:
    """S20: when another step of the owner is refused, the address is as it was."""
    entry = placed(kernel, ENTRIES[name], former)
    before = state(kernel)
    step = mark(kernel, entry)
    (failure,) = kernel.apply([step, DelAddress("eth9", step.index, inet("10.6.0.1/32"))])
    assert failure.error.errno == EADDRNOTAVAIL
    assert failure.left == []
    assert state(kernel) == before


def test_a_refused_neighbour_keeps_its_mark(kernel: Kernel) -> None:
    """Only the owner whose step is refused is undone."""
    needs_marks(kernel)
    eth9 = index(kernel, "eth9")
    for text in ("10.9.0.1/32", "10.9.0.2/32"):
        done(kernel, AddAddress("eth9", eth9, inet(text)))
    steps = [mark(kernel, inet("10.9.0.1/32")), mark(kernel, inet("10.9.0.2/32"))]
    refusal = DelAddress("eth9", eth9, inet("10.6.0.1/32"))
    steps[1].owner = refusal.owner = 1
    (failure,) = kernel.apply([*steps, refusal])
    assert failure.step is refusal
    found = [entry.protocol for entry in kernel.snapshot().on(eth9)]
    assert found == [PROTOCOL, 0]


def test_a_secondary_stays_one(kernel: Kernel) -> None:
    """Marking a primary or a secondary address moves neither."""
    eth9 = index(kernel, "eth9")
    for text in ("10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24"):
        done(kernel, AddAddress("eth9", eth9, inet(text)))
    order = ["10.9.0.1/24", "10.9.0.2/24*", "10.9.0.3/24*"]
    for text in ("10.9.0.2/24", "10.9.0.1/24"):
        done(kernel, mark(kernel, inet(text)))
        assert texts(kernel, "eth9") == order


def test_lifetimes_metric_and_protocol_are_what_is_set(kernel: Kernel) -> None:
    """inet_rtm_newaddr: label, broadcast, scope and flags of the message are passed over."""
    needs_marks(kernel)
    eth9 = index(kernel, "eth9")
    there = inet("10.9.0.1/24", label="eth9:0", broadcast=bytes([10, 9, 0, 255]), metric=7)
    done(kernel, AddAddress("eth9", eth9, there))
    other = inet(
        "10.9.0.1/24", label="eth9:1", broadcast=bytes([10, 9, 0, 7]), metric=8, scope=253,
        flags=IFA_F_NOPREFIXROUTE, protocol=5, valid=5000, preferred=0,
    )  # fmt: skip
    done(kernel, MarkAddress("eth9", eth9, other))
    (found,) = kernel.snapshot().on(eth9)
    assert 4990 <= found.valid <= 5000
    found.valid, found.index = 5000, 0
    assert found == inet(
        "10.9.0.1/24", label="eth9:0", broadcast=bytes([10, 9, 0, 255]), metric=8, scope=0,
        flags=0x20, protocol=5, valid=5000, preferred=0,
    )  # fmt: skip


def test_what_is_set_of_inet6(kernel: Kernel) -> None:
    """inet6_addr_modify: flags, peer, lifetimes, protocol; no metric leaves the one there is, and
    the prefix length is not looked at."""
    eth9 = index(kernel, "eth9")
    there = inet("2001:db8::1/64", metric=7, flags=IFA_F_PERMANENT | IFA_F_NODAD)
    done(kernel, AddAddress("eth9", eth9, there))
    peer = inet_pton(AF_INET6, "2001:db8::9")
    other = inet(
        "2001:db8::1/80", flags=IFA_F_NOPREFIXROUTE, protocol=5, valid=5000, preferred=0, peer=peer
    )
    done(kernel, MarkAddress("eth9", eth9, other))
    (found,) = kernel.snapshot().on(eth9)
    assert 4990 <= found.valid <= 5000
    found.valid, found.index = 5000, 0
    assert found == inet(
        "2001:db8::1/64", flags=IFA_F_NOPREFIXROUTE | 0x20, protocol=5, valid=5000, preferred=0,
        peer=peer, metric=7,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["10.9.0.1/32", "10.9.0.2/24", "2001:db8::1/64"])
def test_an_address_that_is_not_there_is_made(kernel: Kernel, text: str) -> None:
    """The kernel does not ask for NLM_F_CREATE: whoever marks must have seen the address."""
    eth9 = index(kernel, "eth9")
    done(kernel, AddAddress("eth9", eth9, inet("10.9.0.1/24")))
    missing = inet(text, protocol=PROTOCOL)
    done(kernel, MarkAddress("eth9", eth9, missing))
    found = [(one.local, one.prefixlen, one.protocol) for one in kernel.snapshot().on(eth9)]
    assert len(found) == 2
    assert (missing.local, missing.prefixlen, PROTOCOL) in found


REFUSALS = [
    ("10.9.0.1/24", {}, 9999, ENODEV, "ipv4: Device not found"),
    ("2001:db8::1/64", {}, 9999, ENODEV, "ipv6: Unable to find the interface"),
    ("10.9.0.1/24", {"valid": 0, "preferred": 0}, 0, EINVAL, "ipv4: address lifetime invalid"),
    ("2001:db8::1/64", {"valid": 0, "preferred": 0}, 0, EINVAL, "ipv6: address lifetime invalid"),
    ("10.9.0.1/33", {}, 0, EINVAL, "ipv4: Invalid prefix length"),
    ("2001:db8::7/129", {}, 0, EINVAL, "ipv6: Invalid prefix length"),
]


@pytest.mark.parametrize(("text", "fields", "number", "errno", "words"), REFUSALS)
def test_refusals(
    kernel: Kernel, text: str, fields: dict[str, object], number: int, errno: int, words: str
) -> None:
    """S20: the errno and the words of the kernel, and nothing changed."""
    eth9 = index(kernel, "eth9")
    for there in ("10.9.0.1/24", "2001:db8::1/64"):
        done(kernel, AddAddress("eth9", eth9, inet(there)))
    before = state(kernel)
    error = refused(kernel, MarkAddress("eth9", number or eth9, inet(text, **fields)))
    assert error.errno == errno
    assert same_words(getattr(error, "text", ""), words)
    assert state(kernel) == before


def test_a_device_made_in_the_same_plan(kernel: Kernel) -> None:
    """Without an index the device is known by its name."""
    needs_marks(kernel)
    steps = alias(kernel, 0, "10.9.0.1/24")
    again = MarkAddress("eth9_0", 0, inet("10.9.0.1/24", protocol=5, label="eth9_0"))
    again.phase = steps[-1].phase
    assert kernel.apply([*steps, again]) == []
    (found,) = kernel.snapshot(AF_INET).on(index(kernel, "eth9_0"))
    assert found.protocol == 5


def test_a_kernel_that_keeps_no_protocol() -> None:
    """Before 5.18 the mark is accepted and forgotten; nothing else changes."""
    kernel = Memory(has_protocol=False)
    done(kernel, AddAddress("lo", 1, inet("10.9.0.1/32", label="lo:0", protocol=3)))
    before = state(kernel)
    done(kernel, MarkAddress("lo", 1, inet("10.9.0.1/32", label="lo:0", protocol=PROTOCOL)))
    assert state(kernel) == before


def test_not_permitted_in_memory() -> None:
    """S15: without privilege nothing is marked."""
    kernel = Memory()
    done(kernel, AddAddress("lo", 1, inet("10.9.0.1/32")))
    kernel.privileged = False
    error = refused(kernel, MarkAddress("lo", 1, inet("10.9.0.1/32", protocol=PROTOCOL)))
    assert error.errno == EPERM
    assert kernel.snapshot().on(1)[0].protocol == 0


# What the kernel announces


@contextmanager
def monitor(namespace: Namespace) -> Iterator[socket]:
    """A socket that hears of every change of an address."""
    with namespace, socket(AF_NETLINK, SOCK_RAW, 0) as listening:
        listening.bind((0, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR))
        yield listening


def announced(listening: socket, local: bytes) -> list[int]:
    """The types of all messages about an address: the kernel queues them before it answers."""
    found = []
    while True:
        try:
            data = listening.recv(65536, MSG_DONTWAIT)
        except BlockingIOError:
            return found
        for kind, _, _, start, end in messages(data):
            if codec.read_address(data, start, end).local == local:
                found.append(kind)


@pytest.mark.root
@pytest.mark.parametrize("kernel", ["netlink", "iproute"], indirect=True)
@pytest.mark.parametrize("name", ["label", "peer", "inet6", "inet6-metric"])
def test_no_address_goes(veth: Namespace, kernel: Kernel, name: str) -> None:
    """Who watches hears of no deletion, forth and back: connections over it live on."""
    entry = placed(kernel, ENTRIES[name])
    step = mark(kernel, entry)
    with monitor(veth) as listening:
        done(kernel, step)
        assert set(announced(listening, entry.local)) == {codec.RTM_NEWADDR}
        (failure,) = kernel.apply([step, AddAltname("zz", 9999, "b")])
        assert failure.error.errno == ENODEV
        assert set(announced(listening, entry.local)) == {codec.RTM_NEWADDR}
        done(kernel, DelAddress("eth9", step.index, step.address))
        assert codec.RTM_DELADDR in announced(listening, entry.local)
