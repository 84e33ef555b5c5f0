"""Addresses that go and come while somebody looks, in a kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from command import ip_json
from support import Namespace

from netalias.kernel.netlink.moved import Moved

FIRST, SECOND = (socket.inet_aton(one) for one in ("10.0.0.1", "10.0.0.2"))
SIX = socket.inet_pton(socket.AF_INET6, "2001:db8::1")


@pytest.fixture
def moved(veth: Namespace) -> Iterator[Moved]:
    """Begins when the addresses are there."""
    veth.raise_lo()
    veth.ip("addr add 10.0.0.1/24 dev eth9")
    veth.ip("addr add 10.0.0.2/24 dev eth9")
    veth.ip("addr add 2001:db8::1/64 dev eth9 nodad")
    with veth:
        made = Moved()
    yield made
    made.close()


def index(namespace: Namespace, device: str) -> int:
    """That of a device."""
    found: int = ip_json(namespace, f"link show dev {device}")[0]["ifindex"]
    return found


def has_moved(moved: Moved, eth9: int) -> list[bytes]:
    """The addresses that were on eth9 alone."""
    moved.read()
    return [one for one in (FIRST, SECOND, SIX) if moved.moved(one, eth9)]


def test_left_and_back(veth: Namespace, moved: Moved) -> None:
    """What comes back to its device is where it was."""
    eth9 = index(veth, "eth9")
    assert has_moved(moved, eth9) == []
    veth.ip("addr del 10.0.0.2/24 dev eth9")
    veth.ip("addr del 2001:db8::1/64 dev eth9")
    assert has_moved(moved, eth9) == [SECOND, SIX]
    veth.ip("addr add 10.0.0.2/24 dev eth9")
    veth.ip("addr change 10.0.0.1/24 dev eth9 valid_lft 1000 preferred_lft 1000")
    assert has_moved(moved, eth9) == [SIX]


def test_on_another_device(veth: Namespace, moved: Moved) -> None:
    """An address has moved when the other one gets it, and not any more once that has lost it."""
    eth9, lo = index(veth, "eth9"), index(veth, "lo")
    veth.ip("addr add 10.0.0.2/32 dev lo")
    assert has_moved(moved, eth9) == [SECOND]
    assert not moved.moved(SECOND, lo)
    veth.ip("addr del 10.0.0.2/32 dev lo")
    assert has_moved(moved, eth9) == []
    assert moved.moved(SECOND, lo)


def test_after_a_loss(veth: Namespace, moved: Moved) -> None:
    """What is there is read anew where the kernel could not tell of all changes."""
    eth9, lo = index(veth, "eth9"), index(veth, "lo")
    with veth:
        small = Moved(buffer=4096)
    veth.ip("addr del 2001:db8::1/64 dev eth9")
    flood = "".join(f"addr add 10.1.0.{n}/32 dev lo\n" for n in range(1, 100))
    veth.run(["ip", "-batch", "-"], input=f"{flood}addr del 10.0.0.2/24 dev eth9\n")
    assert has_moved(small, eth9) == has_moved(moved, eth9) == [SECOND, SIX]
    assert small._present is not None
    assert moved._present is None
    veth.ip("addr add 10.0.0.1/32 dev lo")
    assert has_moved(small, eth9) == [FIRST, SECOND, SIX]
    assert not small.moved(FIRST, lo)
    small.close()
