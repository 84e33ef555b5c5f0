"""The kernel in memory against the real one: random steps, each with the same outcome.

Statement by statement this is covered elsewhere; here nobody chose the order.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import errorcode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage import BRIDGE, MAC, OTHER_MAC, index, inet, memory, netlink, same_words
from support import Namespace, veth_pair

from netalias.kernel import Kernel
from netalias.model import GROUP, IFA_F_TENTATIVE, RT_SCOPE_LINK, Address, Device, Snapshot
from netalias.model.commands import command
from netalias.model.neighbours import AddProxy, DelProxy, Proxy
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)

Maker = Callable[[Kernel], Step]
NAMES = ("eth9", "a", "b", "c", "lo")
ALTNAMES = ("eth9:0", "eth9:1", "a", "b", "c")
ADDRESSES = (
    "10.9.0.1/24", "10.9.0.2/24", "10.9.0.3/24", "10.9.0.1/25", "10.9.1.1/24",
    "2001:db8::1/64", "2001:db8::2/64",
)  # fmt: skip

PUBLISHED = ("10.9.0.9/32", "2001:db8::9/128")

name = st.sampled_from(NAMES)
mac = st.sampled_from((b"", MAC, OTHER_MAC, b"\1" + bytes(5)))
address = st.sampled_from(ADDRESSES)


def create(device: str, below: str, mac: bytes, mtu: int) -> Maker:
    """A macvlan on another device."""
    return lambda kernel: CreateLink(
        device, "macvlan", group=GROUP, mode=BRIDGE, link=index(kernel, below), mac=mac, mtu=mtu
    )


def on(cls: type[Step], *arguments: str) -> st.SearchStrategy[Maker]:
    """A step about one device, with one of *arguments*."""
    return st.builds(
        lambda device, word: lambda kernel: cls(device, index(kernel, device), word),  # type: ignore[call-arg]
        name,
        st.sampled_from(arguments),
    )


def about(cls: type[Step]) -> st.SearchStrategy[Maker]:
    """A step about one device and one address."""
    return st.builds(
        lambda device, text: lambda kernel: cls(device, index(kernel, device), inet(text)),  # type: ignore[call-arg]
        name,
        address,
    )


def proxy(cls: type[Step]) -> st.SearchStrategy[Maker]:
    """A step about one device and one published address."""

    def make(device: str, text: str, protocol: int) -> Maker:
        entry = inet(text)
        return lambda kernel: cls(  # type: ignore[call-arg]
            device, number := index(kernel, device),
            Proxy(number, entry.family, entry.local, protocol),
        )  # fmt: skip

    return st.builds(make, name, st.sampled_from(PUBLISHED), st.sampled_from((0, 97)))


def change(
    devices: tuple[str, ...] = NAMES, **words: st.SearchStrategy[object]
) -> st.SearchStrategy[Maker]:
    """A SetLink."""
    return st.builds(
        lambda device, fields: lambda kernel: SetLink(device, index(kernel, device), **fields),
        st.sampled_from(devices),
        st.fixed_dictionaries(words),
    )


STEPS = st.one_of(
    st.builds(create, name, name, mac, st.sampled_from((0, 1400, 1500, 1501))),
    st.builds(lambda device: lambda kernel: DelLink(device, index(kernel, device), 0), name),
    on(AddAltname, *ALTNAMES),
    on(DelAltname, *ALTNAMES),
    about(AddAddress),
    about(DelAddress),
    proxy(AddProxy),
    proxy(AddProxy),
    proxy(DelProxy),
    change(up=st.booleans(), ifalias=st.sampled_from(("", "x")), mtu=st.just(None)),
    change(mtu=st.sampled_from((1300, 1400, 1500, 1501)), mac=st.sampled_from((None, MAC))),
    # Not lo: with a small MTU it loses one address family after the other, in a way of its own.
    change(("eth9",), mtu=st.sampled_from((60, 1200))),
    change(conf=st.fixed_dictionaries({"promote_secondaries": st.sampled_from((0, 1))})),
)


def picture(snapshot: Snapshot) -> dict[str, object]:
    """All but indexes, made-up MACs, counters, carrier events and what the kernel adds later."""
    return {
        device.name: (
            [getattr(device, key) for key in Device.__slots__ if key not in LEFT_OUT],
            [_entry(entry) for entry in snapshot.on(device.index) if entry.scope != RT_SCOPE_LINK],
        )
        for device in snapshot.devices.values()
    }


def published(kernel: Kernel) -> list[tuple[str, str, int]]:
    """The proxy entries, by the names of their devices."""
    devices = kernel.snapshot().devices
    found = ((devices[one.index].name, one.text, one.protocol) for one in kernel.proxies())
    return sorted(found)


LEFT_OUT = ("index", "stats", "mac", "link", "flags", "operstate")


def _entry(entry: Address) -> list[object]:
    values = [getattr(entry, key) for key in Address.__slots__ if key not in ("index", "flags")]
    return [*values, entry.flags & ~IFA_F_TENTATIVE]


@pytest.mark.root
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=5, max_size=30))
def test_same_answers_and_states(makers: list[Maker]) -> None:
    """Errno, extended-ack text, devices and addresses are the same after every step."""
    here, there = Namespace(), Namespace()
    try:
        veth_pair(here, there)
        with here:
            real = netlink()
        with real:
            _compare(memory(), real, makers)
    finally:
        here.close()
        there.close()


def _answer(kernel: Kernel, maker: Maker) -> tuple[str, str]:
    (error,) = kernel.send([maker(kernel)])
    return (errorcode[error.errno], getattr(error, "text", "")) if error else ("", "")


def _compare(model: Kernel, real: Kernel, makers: list[Maker]) -> None:
    for maker in makers:
        step = maker(real)
        expected, found = _answer(model, maker), _answer(real, maker)
        assert found[0] == expected[0], command(step)
        assert same_words(found[1], expected[1]), command(step)
        assert picture(model.snapshot()) == picture(real.snapshot()), command(step)
        assert published(model) == published(real), command(step)
