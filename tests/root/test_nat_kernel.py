"""Addresses that are translated by the real kernel: a bound socket lives through every change."""

from __future__ import annotations

import json
import os
import shutil
import socket
import struct
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from select import select
from typing import Any

import pytest
from support import Namespace, until

from netalias import errors
from netalias.model import AF_INET, AF_INET6
from netalias.nat import Table, Translation, conntrack, entries, messages
from netalias.nat.conntrack import Conntrack
from netalias.nat.kernel import KernelNat

PORT = 4009
SERVERS = {AF_INET: "192.0.2.1", AF_INET6: "2001:db8:2::1"}
KINDS = {AF_INET: socket.AF_INET, AF_INET6: socket.AF_INET6}
FAMILIES = pytest.mark.parametrize("family", [AF_INET, AF_INET6], ids=["inet", "inet6"])


def ours(family: int, last: int) -> str:
    """One of the addresses that our device gets."""
    return f"10.0.0.{last}" if family == AF_INET else f"2001:db8:1::{last}"


def packed(family: int, last: int) -> bytes:
    """The same as bytes."""
    return ip_address(ours(family, last)).packed


class Stage:
    """Our host with eth9, and a server behind it that routes only the newest address."""

    def __init__(self, host: Namespace, server: Namespace, sockets: ExitStack) -> None:
        self.host, self.server, self.sockets = host, server, sockets
        self.listening: dict[int, socket.socket] = {}
        host.ip("addr add fe80::9/64 dev eth9 nodad")
        server.ip("addr add fe80::a/64 dev p9 nodad")
        server.raise_lo()
        for family, address in SERVERS.items():
            length = 32 if family == AF_INET else 128
            nodad = "" if family == AF_INET else " nodad"
            server.ip(f"addr add {address}/{length} dev lo{nodad}")
            server.ip(f"addr add {ours(family, 254)}/{length} dev p9{nodad}")
            host.ip(f"addr add {ours(family, 1)}/{length} dev eth9{nodad}")
            host.ip(f"route add {ours(family, 254)} dev eth9")
            host.ip(f"route add {address} via {ours(family, 254)} dev eth9")
            with server:
                one = sockets.enter_context(socket.socket(KINDS[family], socket.SOCK_DGRAM))
                one.bind((address, PORT))
                one.settimeout(30)
            self.listening[family] = one
            self.routed(family, 1)

    def routed(self, family: int, last: int) -> None:
        """The server knows the way to this address of ours and to no other one."""
        words = "-4" if family == AF_INET else "-6"
        for old in range(1, 5):
            self.server.ip(f"{words} route del {ours(family, old)} dev p9", check=False)
        self.server.ip(f"{words} route add {ours(family, last)} dev p9")

    def arrived(self, family: int, last: int) -> None:
        """Our device gets one more address."""
        length, nodad = (32, "") if family == AF_INET else (128, " nodad")
        self.host.ip(f"addr replace {ours(family, last)}/{length} dev eth9{nodad}")
        self.routed(family, last)

    def bound(self, family: int, last: int = 1) -> socket.socket:
        """A UDP socket of ours that is bound to one address."""
        with self.host:
            one = self.sockets.enter_context(socket.socket(KINDS[family], socket.SOCK_DGRAM))
            one.bind((ours(family, last), 0))
            one.settimeout(30)
            return one

    def source(self, mine: socket.socket, family: int) -> str:
        """From where the server sees the next packet of a socket."""
        mine.sendto(b"there", (SERVERS[family], PORT))
        data, sender = self.listening[family].recvfrom(100)
        assert data == b"there"
        return str(sender[0])

    def echoed(self, mine: socket.socket, family: int) -> str:
        """The same, and the answer comes back to the socket."""
        mine.sendto(b"there", (SERVERS[family], PORT))
        data, sender = self.listening[family].recvfrom(100)
        self.listening[family].sendto(b"back", sender)
        assert (data, mine.recvfrom(100)[0]) == (b"there", b"back")
        return str(sender[0])

    def ruleset(self) -> str:
        """What nft tells of all tables."""
        if shutil.which("nft") is None:
            pytest.skip("nft is not installed")
        return self.host.run(["nft", "list", "ruleset"]).stdout

    def nft(self, *lines: str) -> None:
        """Changes by nft, in one transaction."""
        if shutil.which("nft") is None:
            pytest.skip("nft is not installed")
        self.host.run(["nft", "-f", "-"], input="\n".join(lines) + "\n")


@pytest.fixture
def stage(veth: Namespace) -> Iterator[Stage]:
    """The stage, and the test inside of our namespace."""
    assert veth.peer is not None
    with ExitStack() as sockets:
        made = Stage(veth, veth.peer, sockets)
        with veth:
            yield made


@pytest.fixture
def nat(stage: Stage) -> Iterator[KernelNat]:
    """That of the namespace."""
    made = KernelNat()
    yield made
    made.close()


@pytest.fixture(params=["text", "netlink"])
def either(
    stage: Stage, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KernelNat]:
    """The same where the kernel tells its entries as text, and where only netlink has them."""
    if request.param == "netlink":
        monkeypatch.setattr(conntrack, "TEXT", "/nonexistent")
    made = KernelNat()
    yield made
    made.close()


def translation(family: int, new: int | None, *old: int, device: str = "eth9") -> Translation:
    """By the last numbers of the addresses."""
    value = None if new is None else packed(family, new)
    return Translation(device, family, value, [packed(family, one) for one in old])


def told(tables: dict[int, Table]) -> list[Translation]:
    """The translations of all tables, nothing of which is odd."""
    assert not [table.odd for table in tables.values() if table.odd]
    return [one for table in tables.values() for one in table.translations()]


@FAMILIES
def test_a_bound_socket_through_three_changes_and_back(
    stage: Stage, either: KernelNat, family: int
) -> None:
    """The server sees the newest address each time, and its answer reaches the program."""
    mine = stage.bound(family)
    assert stage.echoed(mine, family) == ours(family, 1)
    for new, old in ((2, [1]), (3, [1, 2]), (1, [2, 3]), (4, [1, 2, 3])):
        stage.arrived(family, new)
        assert either.apply([translation(family, new, *old)])
        assert told(either.read()) == [translation(family, new, *old)]
        for _ in range(2):
            assert stage.echoed(mine, family) == ours(family, new)
        assert mine.getsockname()[0] == ours(family, 1)
        assert either.flows(family, mine_of(family)) == {packed(family, 1): 1}


def mine_of(family: int) -> list[bytes]:
    """All addresses that our device may have."""
    return [packed(family, last) for last in range(1, 5)]


@FAMILIES
@pytest.mark.parametrize("way", ["text", "dump"])
def test_both_readings_of_the_entries_tell_the_same(
    stage: Stage, nat: KernelNat, monkeypatch: pytest.MonkeyPatch, family: int, way: str
) -> None:
    """The text of the kernel, and netlink where there is none; what either tells can be deleted."""
    nat.apply([translation(family, 2, 1)])
    stage.arrived(family, 2)
    mine = stage.bound(family)
    stage.echoed(mine, family)
    if way == "dump":
        monkeypatch.setattr(conntrack, "TEXT", "/nonexistent")
    reader = Conntrack()
    try:
        (found,) = reader.entries(family, packed(family, 1).__eq__)
        assert found.leaves == packed(family, 2)
        reader.sift(translation(family, 3, 1))
        assert reader.flows(family, mine_of(family)) == {}
        if way == "text" and os.path.exists(conntrack.TEXT):
            assert found.found.keys() == {entries.CTA_TUPLE_ORIG}
    finally:
        reader.close()


@FAMILIES
def test_flows_of_every_old_address_follow(stage: Stage, either: KernelNat, family: int) -> None:
    """With a few of them and with many, for which the kernel finds their entries differently."""
    others = [ip_address(ours(family, 1)).packed[:-2] + bytes((9, n)) for n in range(200)]
    first = stage.bound(family)
    stage.echoed(first, family)
    for new, old, more in ((2, [1], []), (3, [1, 2], []), (4, [1, 2, 3], others)):
        stage.arrived(family, new)
        wanted = translation(family, new, *old)
        either.apply([Translation(wanted.device, family, wanted.new, [*wanted.old, *more])])
        socks = [first, *(stage.bound(family, last) for last in old[1:])]
        for one in socks:
            assert stage.echoed(one, family) == ours(family, new)
    stage.arrived(family, 1)
    either.apply([Translation("eth9", family, packed(family, 1), [*mine_of(family)[1:], *others])])
    for one in socks:
        assert stage.echoed(one, family) == ours(family, 1)


def test_a_flow_that_has_never_been_answered(stage: Stage, nat: KernelNat) -> None:
    """Its next packet is translated as well, though connection tracking was there before."""
    stage.nft("add table ip x", "add chain ip x y { type nat hook postrouting priority 0; }")
    mine = stage.bound(AF_INET)
    assert stage.source(mine, AF_INET) == ours(AF_INET, 1)
    stage.arrived(AF_INET, 2)
    nat.apply([translation(AF_INET, 2, 1)])
    assert stage.source(mine, AF_INET) == ours(AF_INET, 2)


def test_icmp_too(stage: Stage, nat: KernelNat) -> None:
    """An echo request of a raw socket, with the identifier of the one before."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as mine:
        mine.bind((ours(AF_INET, 1), 0))
        mine.settimeout(30)
        request = struct.pack(">BBHHH", 8, 0, 0xFFFF - 0x0800 - 7, 7, 0)
        for new, old in ((1, ()), (2, (1,)), (3, (1, 2))):
            stage.arrived(AF_INET, new)
            nat.apply([translation(AF_INET, new, *old)])
            mine.sendto(request, (SERVERS[AF_INET], 0))
            assert mine.recv(100)[20] == 0, "an echo reply came back"


def test_an_established_connection_ends_with_a_reset(stage: Stage, nat: KernelNat) -> None:
    """Its next segment has another source, which the server does not know."""
    with stage.server:
        listener = stage.sockets.enter_context(socket.create_server((SERVERS[AF_INET], PORT)))
    with stage.host:
        mine = stage.sockets.enter_context(socket.socket())
        mine.bind((ours(AF_INET, 1), 0))
        mine.connect((SERVERS[AF_INET], PORT))
    stage.sockets.enter_context(listener.accept()[0])
    mine.settimeout(30)
    stage.arrived(AF_INET, 2)
    nat.apply([translation(AF_INET, 2, 1)])
    mine.send(b"x")
    with pytest.raises(ConnectionResetError):
        mine.recv(1)
    with stage.host:
        again = stage.sockets.enter_context(socket.socket())
        again.bind((ours(AF_INET, 1), 0))
        again.connect((SERVERS[AF_INET], PORT))
    assert listener.accept()[1][0] == ours(AF_INET, 2)


def test_only_what_leaves_through_the_device(stage: Stage, nat: KernelNat) -> None:
    """By its name, so that a device that vanished and returned is served again."""
    nat.apply([translation(AF_INET, 2, 1, device="eth8")])
    mine = stage.bound(AF_INET)
    assert stage.echoed(mine, AF_INET) == ours(AF_INET, 1)
    stage.host.ip("link set eth9 down")
    stage.host.ip("link set eth9 name eth8")
    stage.host.ip("link set eth8 up")
    stage.host.ip(f"route add {ours(AF_INET, 254)} dev eth8")
    stage.host.ip(f"route add {SERVERS[AF_INET]} via {ours(AF_INET, 254)} dev eth8")
    stage.host.ip(f"addr replace {ours(AF_INET, 2)}/32 dev eth8")
    stage.routed(AF_INET, 2)
    other = stage.bound(AF_INET)
    assert stage.echoed(other, AF_INET) == ours(AF_INET, 2)


FOREIGN = (
    "table ip other { set old { type ipv4_addr; elements = { 10.0.0.1 } }; chain postrouting {"
    " type nat hook postrouting priority srcnat; ip daddr 203.0.113.9 masquerade; }; }",
    "table inet netalias { chain postrouting { type filter hook postrouting priority 0; }; }",
    "table ip netalias2 { chain postrouting { type nat hook postrouting priority 0; }; }",
)


def test_foreign_tables_stay_as_they_are(stage: Stage, nat: KernelNat) -> None:
    """Also such as have a name of ours in another family, or nearly so."""
    stage.nft(*FOREIGN)
    before = stage.ruleset()
    nat.apply([translation(AF_INET, 2, 1), translation(AF_INET6, 2, 1)])
    assert before in stage.ruleset()
    nat.apply([])
    assert stage.ruleset() == before


@FAMILIES
def test_a_table_of_our_name_that_is_not_ours(stage: Stage, nat: KernelNat, family: int) -> None:
    """It is left alone, and the reason is told; nothing is done in the other family either."""
    word = "ip" if family == AF_INET else "ip6"
    stage.nft(f"table {word} netalias {{ chain x {{ type nat hook postrouting priority 0; }}; }}")
    before = stage.ruleset()
    for call in (nat.read, lambda: nat.apply([translation(AF_INET, 2, 1)])):
        with pytest.raises(errors.NotOurs, match=f"^the table {word} netalias of nftables is not"):
            call()
    assert stage.ruleset() == before


EDITS = {
    "another rule": ["add rule ip netalias postrouting counter"],
    "no rule": ["flush chain ip netalias postrouting"],
    "another chain": ["add chain ip netalias x"],
    "another set": ["add set ip netalias x { type ipv4_addr; }"],
    "another rule in its place": [
        "flush chain ip netalias postrouting",
        "add rule ip netalias postrouting oifname . ip saddr @old masquerade",
    ],
    "a policy": [
        "flush chain ip netalias postrouting",
        "delete chain ip netalias postrouting",
        "add chain ip netalias postrouting"
        " { type nat hook postrouting priority 100; policy drop; }",
        "add rule ip netalias postrouting oifname . ip saddr @old snat to oifname map @new",
    ],
    "an element": ['add element ip netalias old { "eth9" . 10.0.0.9 }'],
    "no element": ['delete element ip netalias old { "eth9" . 10.0.0.1 }'],
    "another address": [
        'delete element ip netalias new { "eth9" : 10.0.0.2 }',
        'add element ip netalias new { "eth9" : 10.0.0.9 }',
    ],
    "the table": ["delete table ip netalias"],
    "everything": ["flush ruleset"],
}


@pytest.mark.parametrize("name", EDITS)
def test_what_others_edit_is_told_and_mended(stage: Stage, nat: KernelNat, name: str) -> None:
    """read() sees it, and the next apply() makes all of it as it is wanted, also without read()."""
    wanted = [translation(AF_INET, 2, 1)]
    nat.apply(wanted)
    whole = stage.ruleset()
    stage.nft(*EDITS[name])
    assert stage.ruleset() != whole
    found = nat.read()
    assert [one for table in found.values() for one in table.translations()] != wanted or any(
        table.odd for table in found.values()
    )
    stage.arrived(AF_INET, 2)
    for _ in range(2):
        assert nat.apply(wanted)
        assert stage.ruleset() == whole
        assert told(nat.read()) == wanted
        stage.nft(*EDITS[name])
    assert nat.apply(wanted)
    assert nat.apply(wanted) == []


def test_flows_that_a_lost_table_has_translated(stage: Stage, nat: KernelNat) -> None:
    """Somebody flushes all rules while a flow is translated: it follows the next change anyway."""
    mine = stage.bound(AF_INET)
    stage.arrived(AF_INET, 2)
    nat.apply([translation(AF_INET, 2, 1)])
    assert stage.echoed(mine, AF_INET) == ours(AF_INET, 2)
    stage.nft("flush ruleset")
    stage.arrived(AF_INET, 3)
    nat.read()
    nat.apply([translation(AF_INET, 3, 1)])
    assert stage.echoed(mine, AF_INET) == ours(AF_INET, 3)


def test_a_change_of_others_between_two_of_ours(stage: Stage, nat: KernelNat) -> None:
    """The generation is another one: all is read again, and the change is made."""
    nat.apply([translation(AF_INET, 2, 1)])
    stage.nft("add table ip other")
    assert nat.apply([translation(AF_INET, 3, 1, 2)])
    assert told(nat.read()) == [translation(AF_INET, 3, 1, 2)]
    stage.nft('add element ip netalias old { "eth9" . 10.0.0.4 }')
    assert nat.apply([translation(AF_INET, 4, 1)])
    assert told(nat.read()) == [translation(AF_INET, 4, 1)]


def test_a_table_that_goes_while_it_is_read(
    stage: Stage, nat: KernelNat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its parts are there no more when they are asked for: all is read again."""
    nat.apply([translation(AF_INET, 2, 1)])
    asked = messages.get_elements

    def gone(family: int, name: str) -> bytes:
        monkeypatch.undo()
        stage.nft("delete table ip netalias")
        return asked(family, name)

    monkeypatch.setattr(messages, "get_elements", gone)
    assert nat.read() == {}


def test_no_conntrack_for_a_family_without_old_addresses(stage: Stage, nat: KernelNat) -> None:
    """A table of IPv4 makes the kernel track no connection of IPv6."""
    nat.apply([translation(AF_INET, 2, 1)])
    for family in (AF_INET, AF_INET6):
        stage.arrived(family, 2)
        stage.echoed(stage.bound(family, 2), family)
    assert nat.flows(AF_INET, mine_of(AF_INET)) == {packed(AF_INET, 2): 1}
    assert nat.flows(AF_INET6, mine_of(AF_INET6)) == {}


def test_nft_tells_it_in_words(stage: Stage, nat: KernelNat) -> None:
    """As JSON and as text, devices with odd names as well; nft can load what it has listed."""
    many = [translation(AF_INET6, 2, 1), translation(AF_INET, 2, 1)]
    many += [translation(AF_INET, 3, 4, 1, device=name) for name in ("a-b.5", "0.x", "w@n")]
    nat.apply(many)
    text = stage.ruleset()
    assert '"eth9" : 10.0.0.2' in text
    assert 'elements = { "eth9" . 2001:db8:1::1 }' in text
    assert '"0.x" . 10.0.0.4' in text
    assert "oifname . ip saddr @old snat to oifname map @new" in text
    assert 'comment "kept by netalias"' in text
    tables = [one["table"]["family"] for one in listed(stage, "tables") if "table" in one]
    assert tables == ["ip", "ip6"]
    stage.nft("flush ruleset", *text.splitlines())
    assert sorted(map(str, told(nat.read()))) == sorted(map(str, many))


def listed(stage: Stage, what: str) -> Iterable[dict[str, Any]]:
    """``nft -j list``."""
    found: list[dict[str, Any]] = json.loads(stage.host.run(["nft", "-j", "list", what]).stdout)[
        "nftables"
    ]
    return found


@FAMILIES
def test_flows_of_other_addresses_keep_their_entries(
    stage: Stage, either: KernelNat, family: int
) -> None:
    """What leaves with an address that no change concerns is not looked at."""
    stage.arrived(family, 4)
    either.apply([translation(family, 2, 1)])
    other = stage.bound(family, 4)
    stage.echoed(other, family)
    assert either.flows(family, mine_of(family)) == {packed(family, 4): 1}
    identity = identities(family)
    for wanted in (translation(family, 3, 1, 2), translation(family, 1, 2, 3)):
        either.apply([wanted])
        assert identities(family) == identity


def identities(family: int) -> set[bytes]:
    """The identities of all entries."""
    reader = Conntrack()
    try:
        return {one.found[entries.CTA_ID] for one in reader.dumped(family, bool)}
    finally:
        reader.close()


@FAMILIES
def test_nothing_leaves_with_a_former_address(stage: Stage, either: KernelNat, family: int) -> None:
    """Thirty flows send all the time: what is sent after a change has the newest address."""
    flows = [stage.bound(family) for _ in range(30)]
    server = stage.listening[family]
    sent, over = 0, False
    heard: list[tuple[int, str]] = []

    def hear() -> None:
        data, sender = server.recvfrom(100)
        heard.append((int.from_bytes(data, "big"), sender[0]))

    def send() -> None:
        nonlocal sent
        while not over:
            for one in flows:
                sent += 1
                one.sendto(sent.to_bytes(4, "big"), (SERVERS[family], PORT))
            time.sleep(0.0005)
            while select([server], [], [], 0)[0]:
                hear()

    thread = threading.Thread(target=send)
    thread.start()
    changed: list[tuple[int, int]] = []
    try:
        for new, old in ((2, [1]), (3, [1, 2]), (4, [1, 2, 3]), (2, [1, 3, 4])):
            stage.arrived(family, new)
            either.apply([translation(family, new, *old)])
            changed.append((sent + 1, new))  # the next but one: one may be on its way
            until(lambda: sent > changed[-1][0] + 100)
    finally:
        over = True
        thread.join()
    while heard[-1][0] < sent:
        hear()
    for seen, sender in heard:
        since = [new for first, new in changed if seen > first]
        until_next = [new for first, new in changed if seen <= first][:1]
        allowed = {ours(family, new) for new in (since[-1:] or [1]) + until_next}
        assert sender in allowed, seen


def test_ten_thousand_old_addresses(stage: Stage, nat: KernelNat) -> None:
    """They are put there at once, read, and one more comes without the others."""
    many = [bytes((10, 1, number >> 8, number & 255)) for number in range(10_000)]
    mine = stage.bound(AF_INET)
    stage.arrived(AF_INET, 2)
    nat.apply([Translation("eth9", AF_INET, packed(AF_INET, 2), [packed(AF_INET, 1), *many])])
    assert stage.echoed(mine, AF_INET) == ours(AF_INET, 2)
    (table,) = nat.read().values()
    assert len(table.old["eth9"]) == 10_001
    stage.arrived(AF_INET, 3)
    (change,) = nat.apply(
        [Translation("eth9", AF_INET, packed(AF_INET, 3), [*mine_of(AF_INET)[:2], *many])]
    )
    assert (len(change.new), len(change.old), len(change.gone_old)) == (1, 1, 0)
    assert stage.echoed(mine, AF_INET) == ours(AF_INET, 3)
