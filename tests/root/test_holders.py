"""The owner of an address among many: found by a short list of all, and a look at one device."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from socket import inet_aton

import pytest
from command import Command
from support import Namespace
from test_near_netlink import DUMP, Metered

from netalias.engine import Engine, Setup
from netalias.kernel.netlink import codec, holders
from netalias.observed.query import lookup

MOST = 80 << 10
"""Bytes that may be read from the kernel over its socket: two beginnings of lists."""
COUNT = 1500
MACVLANS = "eth9:0-99 10.1.0.0/32+ kind macvlan\neth9:100-119 2001:db8::0/128+ kind macvlan\n"
SHARDS = "eth9:9000-9299 10.4.0.0/32+ kind shard\n"
LABELS = f"eth9:200-{199 + COUNT} 10.2.0.0/32+ kind label\n"
ADDRESSES = (
    "10.1.0.0", "10.1.0.99", "10.2.0.0", "10.2.0.200", "10.2.5.219", "10.4.0.0", "10.4.1.43",
    "2001:db8::3", "10.9.0.1", "10.9.0.2", "10.7.0.1", "127.0.0.1", "2001:db8::ff", "10.99.0.1",
)  # fmt: skip


@pytest.fixture(params=[MACVLANS, MACVLANS + SHARDS, LABELS, MACVLANS + LABELS])
def engine(request: pytest.FixtureRequest, veth: Namespace, cli: Command) -> Iterator[Engine]:
    """An engine among many aliases, with addresses of others beside them."""
    veth.ip("addr add 10.9.0.1/24 dev eth9")
    cli.run("reconcile", "-", input=request.param)
    # The device, the alias and the owner that a label speaks of are not those of the address.
    veth.ip("addr add 10.9.0.2/24 dev eth9 label other:5")
    veth.ip("addr add 10.7.0.1/32 dev eth9 label eth9:5")
    with veth, Engine(Setup(Metered())) as engine:
        yield engine


def owners(engine: Engine) -> list[object]:
    """The owner of each of ADDRESSES, as it is among all aliases."""
    found = [engine.owner(one) for one in ADDRESSES]
    seen = engine.observe()
    for one, alias in zip(ADDRESSES, found, strict=True):
        there = lookup(seen, one)
        assert (alias and (alias.name, alias.kind)) == (there and (there.name, there.kind)), one
    return [alias and alias.name for alias in found]


def test_the_same_owner(engine: Engine, veth: Namespace) -> None:
    """Whatever was read, it is the one by all devices; also where an address is there twice, or a
    main device got another name, with which the kernel cuts labels."""
    assert sum(map(bool, owners(engine))) >= 3
    veth.ip("addr add 10.1.0.0/24 dev p9", check=False)
    veth.ip("addr add 10.2.0.200/24 dev eth9")
    veth.ip("addr add 10.1.0.99/32 dev lo")
    owners(engine)
    for words in ("down", "name enx0011223344", "up"):
        veth.ip(f"link set {'eth9' if words != 'up' else 'enx0011223344'} {words}")
    owners(engine)


def test_little_is_read(engine: Engine) -> None:
    """Among many devices the addresses of all are not listed over the socket, and those of one up
    to the one that is looked for."""
    kernel = engine.kernel
    assert isinstance(kernel, Metered)
    many = len(engine.observe().snapshot.devices) > 60
    for address in ("10.1.0.7", "10.2.0.7", "10.4.0.7"):
        kernel.count = 0
        kernel.sent.clear()
        if engine.owner(address) is None or not many:
            continue
        assert kernel.count <= MOST, address
        lists = [one for one in kernel.sent if codec.HEADER.unpack_from(one)[1:3] == (22, DUMP)]
        assert all(codec.IFADDR.unpack_from(one, 16)[4] for one in lists), address
    assert kernel.sent


def test_a_list_of_labels() -> None:
    """An entry holds the label up to its NUL; the bytes of an address may stand anywhere else."""
    local = inet_aton("10.0.2.0")
    entries = [(b"eth0:1", "10.0.2.0"), (b"a\n\0\2\0", "10.0.0.1"), (b"e" * 15, "10.0.2.0")]
    data = bytearray().join(
        (name.ljust(16, b"\0") + b"\2\0\n\0" + inet_aton(address)).ljust(holders.ENTRY, b"\0")
        for name, address in entries
    )
    assert holders.found(data, len(data), local) == ["eth0:1", "e" * 15]
    assert holders.found(data, len(data) - 1, local) == ["eth0:1", "e" * 15]
    assert holders.found(data, holders.ENTRY, local) == ["eth0:1"]
    assert holders.found(data, len(data), inet_aton("10.0.0.2")) == []


def test_without_the_list(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv4 sockets, and one that changes between two questions: all addresses of
    the family are read."""

    def refused(*_: object) -> None:
        raise OSError

    for answer in (None, [], ["eth9"], ["eth9", "nosuch:5"]):
        with monkeypatch.context() as patched:
            patched.setattr(holders, "listed", lambda local, answer=answer: answer)
            owners(engine)
    monkeypatch.setattr(fcntl, "ioctl", refused)
    owners(engine)
