"""A command about one alias among many: as little is read as it depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from sys import byteorder
from typing import Any

import pytest
from command import Command
from support import Namespace

from netalias import desired, errors
from netalias.engine import Engine, Setup
from netalias.kernel.netlink import Netlink
from netalias.kernel.netlink.codec import BRIEF, HEADER, NLM_F_DUMP_INTR, RTM_GETLINK
from netalias.model import Snapshot
from netalias.model.commands import command
from netalias.model.names import AliasName

MOST = 64 << 10
"""Bytes that may be read from the kernel, however many devices there are."""
DUMP = 0x301
"""NLM_F_REQUEST | NLM_F_DUMP."""
MACVLANS = "eth9:0-99 10.1.0.0/32+ kind macvlan\neth9:100-119 2001:db8::0/128+ kind macvlan\n"
LABELS = "eth9:200-699 10.2.0.0/32+ kind label\neth9:700-899 2001:db8:2::0/128+ kind label\n"
WISHES = (
    "eth9:5 10.3.0.1",
    "eth9:5 10.1.0.6",
    "eth9:5 down",
    "eth9:5-",
    "eth9:110 2001:db8::9",
    "eth9:110-",
    "eth9:150 10.3.0.1",
    "eth9:150 10.1.0.6",
    "eth9:150 10.3.0.1 kind label",
    "eth9:150 10.2.0.7 kind label",
    "eth9:150 2001:db8::7",
    "eth9:150 10.9.0.2/24",
    "eth9:150 10.9.0.255",
    "eth9:150 10.3.0.1 mtu 1400",
    "eth9:300 10.3.0.1",
    "eth9:300 10.2.0.6",
    "eth9:300-",
    "eth9:150 2001:db8::7 kind label",
    "eth9:750 2001:db8:2::32",
    "eth8:0 10.1.0.5",
)


class Metered(Netlink):
    """A kernel that counts the bytes that it is told, and keeps the requests."""

    count = 0

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []

    def _send(self, operation: str, data: bytes) -> None:
        if not self._ahead:
            self.sent.append(data)
        super()._send(operation, data)

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        data = super()._receive(operation, flags)
        self.count += len(data or b"")
        return data


@pytest.fixture
def crowded(veth: Namespace, cli: Command) -> Iterator[Engine]:
    """An engine in a namespace with 120 macvlans on eth9."""
    veth.ip("addr add 10.9.0.1/24 dev eth9")
    veth.ip("link add eth8 type bridge")
    veth.ip("link set eth8 up")
    cli.run("reconcile", "-", input=MACVLANS)
    with veth, Engine(Setup(Metered())) as engine:
        yield engine


@pytest.fixture
def labelled(crowded: Engine, cli: Command) -> Engine:
    """And 500 labels."""
    cli.run("reconcile", "-", input=MACVLANS + LABELS)
    return crowded


def planned(engine: Engine, text: str, *, near: bool) -> tuple[bool, list[str], list[str]]:
    """Whether that was planned on a part, the steps and the notes; or why it is refused."""
    wish = desired.parse(text.split(), engine.registry)
    able = engine.kernel.able
    try:
        observed, result = engine._read_and_plan(wish, False, able, near=near)
    except errors.NetaliasError as error:
        return False, [], [error.line()]
    return observed.partial, [command(step) for step in result.all_steps], result.notes


@pytest.mark.long
def test_the_same_plan(veth: Namespace, labelled: Engine) -> None:
    """Whatever was read, the steps and the notes are those of a reading of everything: also where
    hosts of others decide which labels the host sends from."""
    for others in ((), ("2001:db8:4::4/128", "10.4.0.4/32"), ("10.9.0.1/24",)):
        for other in others:
            verb = "del" if other == "10.9.0.1/24" else "add"
            veth.ip(f"addr {verb} {other} dev eth9")
        ways = [planned(labelled, text, near=True) for text in WISHES]
        for text, way in zip(WISHES, ways, strict=True):
            assert way[1:] == planned(labelled, text, near=False)[1:], text
        assert sum(way[0] for way in ways) > 5


def test_little_is_read(crowded: Engine) -> None:
    """The bytes do not grow with the devices."""
    kernel = crowded.kernel
    assert isinstance(kernel, Metered)
    for text in (*WISHES[:4], "eth9:110-", "eth9:150 10.3.0.1", "eth9:150 10.3.0.1 kind label"):
        kernel.count = 0
        partial = planned(crowded, text, near=True)[0]
        assert partial, text
        assert kernel.count <= MOST, text


def test_no_request_lets_the_kernel_look_at_all_devices(crowded: Engine) -> None:
    """With IFLA_EXT_MASK it measures every one of them before a list begins (rtnl_calcit of
    net/core/rtnetlink.c)."""
    kernel = crowded.kernel
    assert isinstance(kernel, Metered)
    for text in (*WISHES[:4], "eth9:150 10.3.0.1", "eth9:150 10.3.0.1 kind label"):
        planned(crowded, text, near=True)
    crowded.owner("10.1.0.6")
    lists = [one for one in kernel.sent if HEADER.unpack_from(one)[1:3] == (RTM_GETLINK, DUMP)]
    assert len(lists) >= 7
    assert not [one for one in lists if BRIEF in one]


def test_few_devices_are_read_once(veth: Namespace) -> None:
    """Where there are few, what near() has read is the snapshot."""
    counts = []
    for near in (True, False):
        with veth, Engine(Setup(Metered())) as engine:
            planned(engine, "eth9:0 10.9.0.1", near=near)
            assert isinstance(engine.kernel, Metered)
            counts.append(len(engine.kernel.sent))
    assert counts[0] == counts[1] > 0


class Interrupted(Netlink):
    """A kernel whose first datagram says that the list has changed meanwhile."""

    once = True

    def _receive(self, operation: str, flags: int = 0) -> bytes | None:
        data = super()._receive(operation, flags)
        if data and self.once:
            self.once = False
            marked = int.from_bytes(data[6:8], byteorder) | NLM_F_DUMP_INTR
            data = data[:6] + marked.to_bytes(2, byteorder) + data[8:]
        return data


@pytest.mark.parametrize("number", [0, 300])
def test_an_interrupted_list_is_read_again(veth: Namespace, cli: Command, number: int) -> None:
    """Of few devices, with few addresses or many: nothing that stands still is missing."""
    text = f"eth9:0-{number - 1} 10.2.0.0/32+ kind label\n" if number else ""
    cli.run("reconcile", "-", input=f"{text}eth9:900 10.3.0.1 kind macvlan\n")
    name = AliasName("eth9", 900)
    with veth:
        for ask in (
            lambda engine: engine.observe_one(name).find(name),
            lambda engine: engine.owner("10.3.0.1"),
            lambda engine: engine.plan(desired.parse(["eth9:900-"], engine.registry)).alias,
        ):
            with Engine(Setup(Interrupted())) as engine:
                alias = ask(engine)
                assert alias is not None
                assert alias.name == name


def test_a_proof_among_many_labels(labelled: Engine, veth: Namespace) -> None:
    """It reads the address that is to go, whoever has it by now, and makes no objects of others;
    that of another program stays."""
    kernel = labelled.kernel
    assert isinstance(kernel, Metered)
    read = kernel.reread
    read_again: list[int] = []

    def reread(names: Collection[str], **how: Any) -> Snapshot:
        veth.ip("addr del 10.2.0.100/32 dev eth9")
        veth.ip("addr add 10.2.0.100/32 dev eth9 label eth9:999")
        found = read(names, **how)
        read_again.append(sum(map(len, found.addresses.values())))
        return found

    wish = desired.parse(["eth9:300", "10.3.0.1", "kind", "label"], labelled.registry)
    kernel.reread = reread  # type: ignore[method-assign]
    labelled.realise(wish)
    there = veth.ip("-o addr show dev eth9")
    assert "10.2.0.100/32 scope global eth9:999" in there
    assert "10.3.0.1/32 scope global eth9:300" in there
    assert read_again
    assert read_again[0] < 20


def test_hosts_of_one_peer_stay(labelled: Engine, cli: Command) -> None:
    """The network of a point-to-point label is that of its peer, which others may have too."""
    cli.run("eth9:9001", "10.7.0.1", "pointopoint", "10.9.9.9", "kind", "label")
    cli.run("eth9:9002", "10.7.0.2", "pointopoint", "10.9.9.9", "kind", "label")
    cli.namespace.ip("addr add 10.7.0.3 peer 10.9.9.9/32 dev eth9")
    cli.run("eth9:9001-")
    left = cli.namespace.ip("-o addr show dev eth9")
    assert "10.7.0.1 " not in left
    assert "10.7.0.2 " in left
    assert "10.7.0.3 " in left


def test_labels_of_a_former_name_count(labelled: Engine, cli: Command) -> None:
    """The kernel renames labels with their device, and cuts them: the slot is what is left."""
    cli.namespace.ip("link set eth9 down")
    cli.namespace.ip("link set eth9 name enx0011223344")
    cli.namespace.ip("link set enx0011223344 up")
    for slot in (300, 301):
        done = cli.run(f"enx0011223344:{slot}", "10.9.9.9")
        assert done.returncode == 2
        assert "an address label has 15 bytes at most" in done.stderr


def test_the_command(labelled: Engine, cli: Command) -> None:
    """What users see: created, changed, shown, found and deleted, with a copy told of."""
    told = cli.warns("eth9:150", "10.1.0.6")
    assert told == "netalias: warning: eth9:150: 10.1.0.6 is an address of eth9_6 too"
    assert cli("lookup", "10.1.0.6") == "eth9:150\n"  # of several up, the newest
    cli.silent("eth9:150", "10.3.0.1")
    assert cli("-br", "show", "eth9:150", "eth9:300").split() == [
        *("eth9:150", "up", "10.3.0.1/32", "eth9:300", "up", "10.2.0.100/32")
    ]
    cli.silent("eth9:150", "down")
    assert cli("lookup", "10.3.0.1") == "eth9:150\n"
    assert cli("lookup", "10.2.0.7") == "eth9:207\n"
    assert cli("lookup", "2001:db8::3") == "eth9:103\n"
    assert cli.run("lookup", "10.9.0.1").returncode == 3
    cli.silent("eth9:150-")
    cli.silent("eth9:300-")
    assert cli.run("show", "eth9:150").returncode == 2
    assert "eth9:150" not in cli.names()


def test_a_mac_that_is_taken(crowded: Engine, cli: Command) -> None:
    """The MAC of the alias stands on another device: the command takes the next one."""
    cli.silent("eth9:150", "10.3.0.1")
    cli.namespace.ip("link set eth9_150 name moved")
    cli.namespace.ip("link property del dev moved altname eth9:150")
    cli.silent("eth9:150", "10.3.0.2")
    assert cli("lookup", "10.3.0.2") == "eth9:150\n"
