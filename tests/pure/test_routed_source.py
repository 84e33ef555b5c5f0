"""The address that a host sends from by a route: never that of a label where its main device has
one that serves as well."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speaking import REALMS, ROUTER, World, hold
from test_plan_compare import Declared
from watched import Watched

from netalias import errors
from netalias.desired.export import lines
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import (
    AF_INET,
    FOREVER,
    IFA_F_DADFAILED,
    PROTOCOL,
    RT_SCOPE_LINK,
    RT_SCOPE_UNIVERSE,
    Address,
    address_text,
    prefix,
)
from netalias.model.leases import RenewAddress
from netalias.model.steps import SetLink
from netalias.runtime.private import PrivateDirectory

V6 = "2001:db8:7::41"
V4 = "203.0.113.9"


@pytest.fixture
def stage(tmp_path: Path) -> Declared:
    """eth0 and eth1 are up, without addresses; old sysctls are kept in a folder."""
    found = Declared(Memory(kinds=("macvlan", "ipvlan", "dummy")))
    found.engine = Engine(Setup(found.kernel, runtime=PrivateDirectory(str(tmp_path))))
    return found


def entry_of(stage: Declared | Watched, name: str = "eth0:1") -> Address:
    entry = stage.engine.get(name).entry
    assert entry is not None
    return entry


def locals_of(kernel: Memory) -> list[str]:
    """The IPv4 addresses of eth0, in the order of the kernel."""
    snapshot = kernel.snapshot()
    device = snapshot.device("eth0")
    assert device is not None
    found = (entry for entry in snapshot.on(device.index) if entry.family == AF_INET)
    return [address_text(AF_INET, entry.local) for entry in found]


# IPv6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "words", "expected"),
    [
        ("2001:db8:8::1/64", f"{V6} kind label", True),
        ("2001:db8:8::1/128", f"{V6} kind label lease 60", True),
        ("2001:db8:8::1/64", "fd00:1::9 kind label", True),
        ("fd00::1/64", "fd00:1::9 kind label", True),
        ("fd00::1/64", f"{V6} kind label", False),
        ("2002:c000:201::1/64", f"{V6} kind label", False),
        ("2002:c000:201::1/64", "2002:c000:201:1::9 kind label", True),
        ("2001:0:c000:201::1/64", f"{V6} kind label", False),
        ("fe80::1/64", f"{V6} kind label", False),
        ("2001:db8:8::1/64", f"{V6} kind label source on", False),
        ("2001:db8:8::1/64", f"{V6} kind label pointopoint 2001:db8:7::42", False),
        ("2001:db8:8::1/64", f"{V6}/64 kind label", False),
        ("2001:db8:8::1/64", f"{V6} kind macvlan", False),
    ],
)
def test_a_label_without_a_network(stage: Declared, own: str, words: str, expected: bool) -> None:
    """It is deprecated where the main device has an address to send from to the same hosts (RFC
    6724, rules 2, 3 and 6), by command, by the file, and by what save writes."""
    stage.kernel.add_address("eth0", own)
    stage(f"eth0:1 {words}")
    assert entry_of(stage).deprecated is expected
    assert stage.lines(f"eth0:1 {words}\n") == []
    (saved,) = lines(stage.engine.show(), stage.engine.registry)
    assert "deprecated" not in saved
    assert stage.lines(f"{saved}\n") == []
    stage("eth0:1-")
    stage.reconcile(f"{saved}\n")
    assert entry_of(stage).deprecated is expected


@pytest.mark.parametrize("fault", ["deprecated", "dadfailed"])
def test_an_address_that_is_no_source(stage: Declared, fault: str) -> None:
    """It does not speak in place of the label."""
    own = stage.kernel.add_address("eth0", "2001:db8:8::1/64")
    own = own.copy(index=stage.device("eth0").index)
    stage.reconcile(f"eth0:1 {V6} kind label\n")
    assert entry_of(stage).deprecated
    if fault == "deprecated":
        stage.kernel.apply([RenewAddress("eth0", own.index, own.copy(preferred=0))])
    else:
        stage.kernel.remove_address("eth0", "2001:db8:8::1/64")
        stage.kernel.add_address("eth0", "2001:db8:8::1/64")
        for node in stage.kernel._links.nodes.values():
            for entry in node.entries:
                entry.flags |= IFA_F_DADFAILED * (entry.local == own.local)
    assert stage.lines(f"eth0:1 {V6} kind label\n") == [
        f"~ eth0:1 {V6}/128 source deprecated -> preferred"
    ]
    stage.reconcile(f"eth0:1 {V6} kind label\n")
    assert not entry_of(stage).deprecated


def test_watch_follows_an_address_of_another_network() -> None:
    """It comes, may no longer be a source, may be one again, and goes; the label follows at
    once."""
    watched = Watched(f"eth0:1 {V6} kind label\n")
    device = watched.kernel.snapshot().device("eth0")
    assert device is not None
    assert not entry_of(watched).deprecated
    own = watched.kernel.add_address("eth0", "2001:db8:8::1/64").copy(index=device.index)
    watched.quiet()
    assert entry_of(watched).deprecated
    for preferred in (0, FOREVER):
        changed = own.copy(preferred=preferred)
        watched.kernel.apply([RenewAddress("eth0", device.index, changed)])
        watched.quiet()
        assert entry_of(watched).deprecated is bool(preferred)
    watched.kernel.remove_address("eth0", "2001:db8:8::1/64")
    watched.quiet()
    assert not entry_of(watched).deprecated


# IPv4 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [V4, f"{V4}/28", f"{V4} lease 60"])
@pytest.mark.parametrize("own", ["10.1.0.1/32", "10.1.0.1 10.2.0.1/32", "10.1.0.1/24"])
def test_own_hosts_come_before_the_label(stage: Declared, words: str, own: str) -> None:
    """The first address of the device is the source towards routers in none of its networks."""
    line = f"eth0:1 {words} kind label"
    stage(line)
    for one in own.split():
        stage.kernel.add_address("eth0", one)
    entry = entry_of(stage)
    (found,) = stage.lines(f"{line}\n")
    text = f"{V4}/{entry.prefixlen}"
    assert found == f"~ eth0:1 {text} source first -> last"
    (saved,) = lines(stage.engine.show(), stage.engine.registry)
    assert stage.lines(f"{saved}\n") == []
    assert saved.endswith(" source on")
    stage.reconcile(f"{line}\n")
    assert locals_of(stage.kernel)[-1] == V4
    assert stage.lines(f"{line}\n") == []
    now = entry_of(stage)
    assert now == entry
    assert not lines(stage.engine.show(), stage.engine.registry)[0].endswith("source on")


ADOPTED = ("10.3.0.1/24", "10.3.0.2/24", "10.3.0.3/24")


@pytest.mark.parametrize("promote", [0, 1])
@pytest.mark.parametrize("how", ["reconcile", "command"])
def test_a_label_with_secondary_addresses(stage: Declared, promote: int, how: str) -> None:
    """As an adopted one has them: one of them is primary then, behind the own address too; none is
    lost, whatever promote_secondaries says, and a secondary one needs nothing."""
    text = "".join(f"eth0:{slot} {one} kind label\n" for slot, one in enumerate(ADOPTED))
    main = stage.device("eth0")
    conf = {"promote_secondaries": promote}
    assert stage.kernel.apply([SetLink("eth0", main.index, conf=conf)]) == []
    for slot, one in enumerate(ADOPTED):
        fields = {"broadcast": bytes((10, 3, 0, 255)), "protocol": PROTOCOL}
        stage.kernel.add_address("eth0", one, label=f"eth0:{slot}", **fields)
    stage.kernel.add_address("eth0", "10.1.0.1/24")
    if how == "command":
        stage(f"eth0:0 {ADOPTED[0]}")
        assert locals_of(stage.kernel) == ["10.1.0.1", "10.3.0.2", "10.3.0.3", "10.3.0.1"]
    else:
        assert "~ eth0:0 10.3.0.1/24 source first -> last" in stage.lines(text)
    assert stage.reconcile(text).status == errors.STATUS_OK
    first, *others = locals_of(stage.kernel)
    assert (first, sorted(others)) == ("10.1.0.1", ["10.3.0.1", "10.3.0.2", "10.3.0.3"])
    assert stage.lines(text) == []


def test_the_command_puts_a_label_behind(stage: Declared) -> None:
    """As it was given, or with source auto; a change of something else leaves it."""
    for words in (V4, "source auto"):
        stage(f"eth0:1 {V4} kind label")
        stage.kernel.add_address("eth0", "10.1.0.1/32")
        stage("eth0:1 lease 60")
        stage(f"eth0:1 {V4} source on")
        assert locals_of(stage.kernel) == [V4, "10.1.0.1"]
        assert stage(f"eth0:1 {words}").steps
        assert locals_of(stage.kernel) == ["10.1.0.1", V4]
        assert not stage(f"eth0:1 {words}").steps
        stage("eth0:1-")
        stage.kernel.remove_address("eth0", "10.1.0.1/32")


@pytest.mark.parametrize(
    ("own", "fields"),
    [
        ("169.254.0.1/32", {"scope": RT_SCOPE_LINK}),
        ("10.1.0.1/32", {"label": "eth0:7"}),
    ],
)
def test_where_a_label_stays_before(stage: Declared, own: str, fields: dict[str, object]) -> None:
    """Beside an address that is no source, or another label."""
    stage(f"eth0:1 {V4} kind label")
    stage.kernel.add_address("eth0", own, **fields)
    assert stage.lines(f"eth0:1 {V4} kind label\n") == []
    assert not stage(f"eth0:1 {V4}").steps


def test_declared_as_the_source(stage: Declared) -> None:
    stage.reconcile(f"eth0:1 {V4} kind label source on\n")
    stage.kernel.add_address("eth0", "10.1.0.1/32")
    assert stage.lines(f"eth0:1 {V4} kind label source on\n") == []
    assert stage.lines(f"eth0:1 {V4} kind label source auto\n")


@pytest.mark.parametrize("own", ["10.1.0.1/32", "10.1.0.1/24"])
def test_many_labels(stage: Declared, own: str) -> None:
    """They come behind in their order, also when the kernel's bare labels are left out of the
    reading, as they are from then on."""
    text = f"eth0:0-99 {V4}+ kind label\n"
    stage.reconcile(text)
    before = locals_of(stage.kernel)
    stage.kernel.add_address("eth0", own)
    assert len(stage.lines(text)) == len(before)
    stage.reconcile(text)
    assert locals_of(stage.kernel) == ["10.1.0.1", *before]
    assert stage.lines(text) == []
    assert stage.check(text).settled == len(before) - 1  # one stays


def test_watch_puts_a_label_behind() -> None:
    """Whenever an own address comes, be it that of a host or one with a network."""
    watched = Watched(f"eth0:1 {V4} kind label\n")
    for _ in range(2):
        watched.kernel.add_address("eth0", "10.1.0.1/32")
        watched.quiet()
        assert locals_of(watched.kernel) == ["10.1.0.1", V4]
        watched.kernel.remove_address("eth0", "10.1.0.1/32")
        watched.quiet()
    watched.kernel.add_address("eth0", "10.0.0.1/24")
    watched.quiet()
    assert locals_of(watched.kernel) == ["10.0.0.1", V4]


# Both --------------------------------------------------------------------------------------------


class InMemory(World):
    """eth0 of a kernel in memory; the source is chosen as by the kernel."""

    def __init__(self) -> None:
        self.stage = Declared(Memory(kinds=("macvlan", "dummy")))
        self.engine = self.stage.engine

    def add(self, own: str) -> None:
        self.stage.kernel.add_address("eth0", own)

    def remove(self, own: str) -> None:
        self.stage.kernel.remove_address("eth0", own)

    def deprecate(self, own: str) -> None:
        device = self.stage.device("eth0")
        local = parsed(own).local
        (entry,) = (one for one in self.entries() if one.local == local)
        self.stage.kernel.apply([RenewAddress("eth0", device.index, entry.copy(preferred=0))])

    def source(self, host: str) -> str:
        wanted = parsed(host)
        entries = [one for one in self.entries() if one.family == wanted.family]
        if wanted.family == AF_INET:
            router = parsed(ROUTER).local if host == "203.0.113.1" else b""
            found = inet_source(entries, router)
        else:
            found = inet6_source(entries, wanted.local)
        return address_text(found.family, found.local) if found is not None else ""

    def entries(self) -> list[Address]:
        return self.stage.kernel.snapshot().on(self.stage.device("eth0").index)


def parsed(text: str) -> Address:
    from netalias.kernel.memory.addresses import parse

    return parse(text)


def inet_source(entries: list[Address], router: bytes) -> Address | None:
    """inet_select_addr of net/ipv4/devinet.c, without other devices."""
    scope = RT_SCOPE_UNIVERSE if router else RT_SCOPE_LINK
    found = [one for one in entries if not one.secondary and one.scope <= scope]
    near = (one for one in found if prefix.contains(one.local, one.prefixlen, router or b"\0"))
    return next(near, next(iter(found), None))


def inet6_source(entries: list[Address], host: bytes) -> Address | None:
    """ipv6_get_saddr_eval of net/ipv6/addrconf.c: rules 3, 6 and 8 of RFC 6724 for global
    addresses, of which the kernel lists the newest first."""

    def realm(address: bytes) -> int:
        places = [(one.network_address.packed, one.prefixlen) for one in REALMS]
        found = [place for place, one in enumerate(places) if prefix.contains(*one, address)]
        return found[0] if found else -1

    def rank(one: Address) -> tuple[bool, bool, int]:
        difference = int.from_bytes(one.local, "big") ^ int.from_bytes(host, "big")
        common = min(128 - difference.bit_length(), one.prefixlen)
        return not one.deprecated, realm(one.local) == realm(host), common

    usable = [one for one in entries if one.scope == RT_SCOPE_UNIVERSE]
    return max(usable, key=rank, default=None)


@given(st.randoms(use_true_random=True))
@settings(max_examples=150)
def test_own_addresses_speak(random: Random) -> None:
    """Whatever comes and goes, in any order."""
    hold(InMemory(), random)
