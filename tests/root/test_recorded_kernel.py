"""Fingerprinted on the real kernel: a reading is recognised while nothing was changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from socket import AF_INET, SOCK_DGRAM, inet_aton, socket

import pytest
from command import Command, set_sysctl, sysctl
from support import Namespace, until

from netalias.kernel.netlink import Netlink
from netalias.kernel.netlink.fingerprint import Fingerprinted
from netalias.model import PROTOCOL, Address, Snapshot
from netalias.model.leases import MarkAddress
from netalias.model.steps import AddAddress, AddAltname, CreateLink, DelAddress, SetLink
from netalias.recognition import recognised

SALT = b"salt"
MACVLAN_MODE_BRIDGE = 4


@pytest.fixture
def stage(veth: Namespace) -> Namespace:
    """eth9 with addresses and what stands on it; nothing goes on by itself any more."""
    for words in (
        "link set lo up",
        "addr add 10.9.0.1/24 dev eth9 label eth9:0",
        "addr add 10.9.0.2/24 dev eth9",
        "addr add 10.9.0.3/24 dev eth9",
        "addr add 2001:db8::1/64 dev eth9 nodad",
        "link add m0 link eth9 type macvlan mode bridge",
        "link add m1 link eth9 type macvlan mode bridge",
        "link add br9 type bridge",
        "link property add dev m0 altname eth9:7",
        "link set m0 alias before",
    ):
        veth.ip(words)
    settled(veth)
    return veth


def settled(namespace: Namespace) -> bytes:
    """The digest once two readings after another have the same (the carrier is followed later)."""
    return until(lambda: (one := fresh(namespace)) == fresh(namespace) and one)


def opened(namespace: Namespace) -> Fingerprinted:
    """A socket inside."""
    with namespace:
        return Fingerprinted()


def fresh(namespace: Namespace) -> bytes:
    """The digest of what somebody new reads ahead."""
    with opened(namespace) as kernel:
        kernel.listen()
        return kernel.digest(SALT)


def known(namespace: Namespace, before: bytes) -> bool:
    """Whether a reading that decodes nothing recognises *before*."""
    with namespace:
        return recognised(before, SALT)


def same(one: Snapshot, other: Snapshot) -> bool:
    """Whether two readings hold the same."""
    return (one.devices, one.addresses) == (other.devices, other.addresses)


def test_nothing_changed(stage: Namespace) -> None:
    """Every reading has the digest of every other: ahead, afterwards, and of somebody new."""
    with opened(stage) as kernel:
        found = []
        for _ in range(2):
            kernel.listen()
            found.append(kernel.digest(SALT))
            kernel.snapshot()
            found.append(kernel.digest(SALT))
            kernel.snapshot()
            found.append(kernel.digest(SALT))
        assert kernel.recognises(SALT, found[0])
    assert set(found) == {fresh(stage)} - {b""}


def test_another_process_finds_the_same(stage: Namespace) -> None:
    """Nothing of the process is in the digest."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "from netalias.kernel.netlink.fingerprint import Fingerprinted\n"
        "kernel = Fingerprinted()\n"
        "kernel.listen()\n"
        f"print(kernel.digest({SALT!r}).hex())\n"
    )
    told = stage.run([sys.executable, "-B", "-c", program]).stdout.strip()
    assert bytes.fromhex(told) == fresh(stage) != b""


def test_reading_ahead_is_a_reading(stage: Namespace) -> None:
    """The snapshot of what was heard is that of any other socket."""
    with opened(stage) as kernel, stage, Netlink() as other:

        def alike() -> bool:
            kernel.listen()
            return same(kernel.snapshot(), other.snapshot())

        until(alike)  # the kernel may note a change of carrier between two readings
        assert kernel.snapshot().device("eth9:7") is not None


CHANGES = {
    "address added": "addr add 10.9.0.9/24 dev eth9",
    "IPv6 address added": "addr add 2001:db8::9/64 dev eth9 nodad",
    "address removed": "addr del 10.9.0.2/24 dev eth9",
    "IPv6 address removed": "addr del 2001:db8::1/64 dev eth9",
    "address of other lifetimes": "addr change 10.9.0.2/24 dev eth9 valid_lft 900 preferred_lft 9",
    "address of another metric": "addr change 10.9.0.2/24 dev eth9 metric 5",
    "address on another device": "addr add 10.9.0.9/24 dev m0",
    "device added": "link add m2 link eth9 type macvlan mode bridge",
    "device removed": "link del m1",
    "device renamed": "link set m0 name n0",
    "altname added": "link property add dev m0 altname x",
    "altname removed": "link property del dev m0 altname eth9:7",
    "MTU": "link set m0 mtu 1400",
    "MAC": "link set m0 address 02:00:00:00:00:99",
    "up": "link set m0 up",
    "down": "link set eth9 down",
    "group": "link set m0 group 7",
    "ifalias": "link set m0 alias behind",
    "ifalias of the same length": "link set m0 alias befork",
    "no ifalias": "link set m0 alias ''",
    "master": "link set eth9 nomaster",
    "mode": "link set m0 type macvlan mode private",
    "flags": "link set m0 multicast off",
}
SYSCTLS = ("arp_announce", "arp_ignore", "promote_secondaries")
"""Sysctls of main devices that aliases need."""


@pytest.mark.parametrize("name", CHANGES)
def test_a_change(stage: Namespace, name: str) -> None:
    """Whatever a comparison could see is seen."""
    if name == "master":
        stage.ip("link del m0")
        stage.ip("link del m1")
        stage.ip("link set eth9 master br9")
    before = settled(stage)
    assert known(stage, before)
    stage.run(["sh", "-c", f"ip {CHANGES[name]}"])
    assert fresh(stage) != before
    assert not known(stage, before)


@pytest.mark.parametrize("key", SYSCTLS)
def test_a_sysctl_of_a_main_device(stage: Namespace, key: str) -> None:
    """The kernel announces no change of it, so only a reading can tell."""
    before = settled(stage)
    value = int(sysctl(stage, f"ipv4/conf/eth9/{key}"))
    set_sysctl(stage, f"ipv4/conf/eth9/{key}", 1 - value)
    assert fresh(stage) != before
    assert not known(stage, before)
    set_sysctl(stage, f"ipv4/conf/eth9/{key}", value)
    assert fresh(stage) == before
    assert known(stage, before)


def both(stage: Namespace, *commands: str) -> tuple[bytes, bytes]:
    """The digest before and after commands of ip(8)."""
    before = settled(stage)
    for words in commands:
        stage.ip(words)
    return before, fresh(stage)


def test_an_address_that_was_added_again(stage: Namespace) -> None:
    """It stands behind the others then, which the next comparison may look at."""
    before, after = both(stage, "addr del 10.9.0.2/24 dev eth9", "addr add 10.9.0.2/24 dev eth9")
    assert after != before


def test_another_label(stage: Namespace) -> None:
    """Of an address that is removed and added under another label of the same length."""
    before, after = both(
        stage,
        "addr del 10.9.0.3/24 dev eth9",
        "addr add 10.9.0.3/24 dev eth9 label eth9:3",
    )
    assert after != before


def test_another_altname_of_the_same_length(stage: Namespace) -> None:
    """An altname that is replaced."""
    before, after = both(
        stage,
        "link property del dev m0 altname eth9:7",
        "link property add dev m0 altname eth9:8",
    )
    assert after != before


def test_another_kind_of_the_same_name(stage: Namespace) -> None:
    """A device that is replaced by one of another kind."""
    before, after = both(stage, "link del m1", "link add m1 type bridge")
    assert after != before


def test_the_protocol_of_an_address(stage: Namespace) -> None:
    """Our mark on an address that stays is a change, and taking it off is another one."""
    before = settled(stage)
    found = [before]
    with opened(stage) as kernel:
        snapshot = kernel.snapshot()
        eth9 = snapshot.device("eth9")
        assert eth9 is not None
        entry = next(one for one in snapshot.on(eth9.index) if one.label == "eth9:0")
        for protocol in (PROTOCOL, 5):
            step = MarkAddress("eth9", eth9.index, entry.copy(protocol=protocol))
            assert kernel.send([step]) == [None]
            kernel.snapshot()
            found.append(kernel.digest(SALT))
    assert len({*found, b""}) == 4


# What is no change


def raw(kernel: Fingerprinted) -> bytes:
    """The bytes of a reading."""
    kernel.listen()
    return b"".join(kernel._datagrams)


def undisturbed(stage: Namespace, work: Callable[[], object]) -> None:
    """What *work* does changes the bytes, and not the digest."""
    before = settled(stage)
    with opened(stage) as kernel:
        bytes_before = raw(kernel)
        work()
        assert raw(kernel) != bytes_before
        assert kernel.digest(SALT) == before
        assert kernel.recognises(SALT, before)
    assert known(stage, before)


def test_traffic(stage: Namespace) -> None:
    """Counters of packets and bytes."""

    def talk() -> None:
        with stage, socket(AF_INET, SOCK_DGRAM) as here, socket(AF_INET, SOCK_DGRAM) as there:
            there.bind(("127.0.0.1", 0))
            here.sendto(b"hello", there.getsockname())
            assert there.recv(10) == b"hello"

    undisturbed(stage, talk)


def test_reachable_time(stage: Namespace) -> None:
    """IFLA_INET6_CACHEINFO: drawn anew every few minutes, and when the setting is written."""

    def write() -> None:
        with stage:
            path = Path("/proc/sys/net/ipv6/neigh/eth9/base_reachable_time_ms")
            path.write_text("30000\n")

    undisturbed(stage, write)


def test_lifetimes_of_others(stage: Namespace) -> None:
    """An address that somebody gave lifetimes counts down, and that is no change."""
    stage.ip("addr add 10.9.3.1/24 dev eth9 valid_lft 9000 preferred_lft 8000")
    with opened(stage) as kernel:
        kernel.listen()
        before = kernel.digest(SALT)
        bytes_before = raw(kernel)
        until(lambda: raw(kernel) != bytes_before)
        assert kernel.recognises(SALT, before)
    assert known(stage, before)
    stage.ip("addr change 10.9.3.1/24 dev eth9 valid_lft forever preferred_lft forever")
    assert not known(stage, before)
    with opened(stage) as kernel:
        kernel.listen()
        assert not kernel.recognises(SALT, before)


def routed(stage: Namespace) -> bytes:
    """The digest of a reading with the connected routes."""
    with opened(stage) as kernel:
        kernel.snapshot()
        kernel.connected()
        return kernel.digest(SALT)


@pytest.mark.parametrize(
    "words",
    [
        "route del 10.9.0.0/24 dev eth9",
        "-6 route del 2001:db8::/64 dev eth9",
        "route add 10.9.7.0/24 dev eth9 proto kernel",
        "link set m0 mtu 1400",
    ],
)
def test_connected_routes(stage: Namespace, words: str) -> None:
    """They count where they were read, and only there."""
    plain, before = settled(stage), routed(stage)
    assert known(stage, before)
    stage.ip(words)
    assert not known(stage, before)
    assert routed(stage) not in (b"", before)
    assert known(stage, plain) == ("route" in words)


def test_a_route_that_runs_out(stage: Namespace) -> None:
    """What is left of its time, and its uses, are no change."""
    stage.ip("-6 route add 2001:db8:7::/64 dev eth9 proto kernel expires 9000")
    before = routed(stage)
    assert before
    until(lambda: "expires 9000sec" not in stage.run(["ip", "-6", "route"]).stdout)
    assert known(stage, before)


def test_a_bridge_that_runs(stage: Namespace) -> None:
    """The timers of a bridge and of its ports run, and that is no change."""
    for words in (
        "link add v0 type veth peer name v1",
        "link set v0 addrgenmode none",
        "link set v1 addrgenmode none",
        "link set v0 master br9",
        "link set v0 up",
        "link set v1 up",
        "link set br9 up",
    ):
        stage.ip(words)
    until(lambda: "state forwarding" in stage.run(["ip", "-d", "link", "show", "v0"]).stdout, 40)
    before = settled(stage)
    with opened(stage) as kernel:
        kernel.listen()
        bytes_before = raw(kernel)
        until(lambda: raw(kernel) != bytes_before)
        assert kernel.recognises(SALT, before)
    stage.ip("link set v0 nomaster")
    assert fresh(stage) != before


# Two at the same time, and changes


def test_a_second_one_at_the_same_time(stage: Namespace) -> None:
    """It recognises nothing, and works; the first one is not disturbed."""
    with opened(stage) as first, opened(stage) as second:
        first.listen()
        second.listen()
        assert second.digest(SALT) == b""
        assert not known(stage, first.digest(SALT))
        assert not second.recognises(SALT, first.digest(SALT))
        eth9 = second.snapshot().device("eth9")
        assert eth9 is not None
        assert second.digest(SALT) == b""
        entry = Address(0, AF_INET, inet_aton("10.9.4.1"), 32)
        for step in (AddAddress("eth9", eth9.index, entry), DelAddress("eth9", eth9.index, entry)):
            assert second.send([step]) == [None]
        until(lambda: same(first.snapshot(), second.snapshot()))  # linkwatch may be late
        digest = first.digest(SALT)
    assert digest == fresh(stage)


def test_a_namespace_has_its_own_port_ids(stage: Namespace) -> None:
    """One in each of two namespaces: both have digests, of different machines."""
    assert stage.peer is not None
    with opened(stage) as here, opened(stage.peer) as there:
        here.listen()
        there.listen()
        assert here.digest(SALT) != there.digest(SALT)
        assert there.digest(SALT)
        before = here.digest(SALT)
    assert known(stage, before)
    assert not known(stage.peer, before)


def test_after_changes_of_ones_own(stage: Namespace) -> None:
    """What is read behind one's own changes is recognised by the next process."""
    with opened(stage) as kernel:
        kernel.listen()
        before = kernel.digest(SALT)
        eth9 = kernel.snapshot().device("eth9")
        assert eth9 is not None
        steps: list[CreateLink | AddAltname | SetLink | AddAddress] = []
        for slot in range(60):
            name = f"eth9_{slot}"
            steps += [
                CreateLink(name, "macvlan", group=7, mode=MACVLAN_MODE_BRIDGE, link=eth9.index),
                AddAltname(name, 0, f"eth9:{slot + 100}"),
                SetLink(name, 0, ifalias=f"netalias eth9:{slot + 100}"),
                AddAddress(name, 0, Address(0, AF_INET, bytes([10, 9, 5, slot]), 32)),
            ]
        assert kernel.apply(steps) == []
        assert kernel.digest(SALT) == b""
        kernel.snapshot()
        after = kernel.digest(SALT)
    assert after not in (b"", before)
    assert fresh(stage) == after


# What the command makes of it


@pytest.fixture
def declared(tmp_path: Path, cli: Command) -> str:
    """A file that wishes for two labels, which are there."""
    path = tmp_path / "declared"
    path.write_text("eth9:1-2 10.9.8.1-2/32 kind label\n")
    cli("reconcile", str(path))
    return str(path)


def test_what_was_made_and_taken_away_is_made_again(cli: Command, declared: str) -> None:
    """The state before a change is not the one that is remembered as right."""
    for _ in range(3):
        cli.namespace.ip("addr del 10.9.8.2/32 dev eth9")
        assert cli("reconcile", declared) == "+ eth9:2 10.9.8.2/32 label\n"
        assert cli.names() == ["eth9:1", "eth9:2"]
    cli.namespace.ip("addr del 10.9.8.2/32 dev eth9")
    assert cli.run("check", declared).returncode == 3


def test_what_is_as_it_should_be_stays_so(cli: Command, declared: str) -> None:
    """Again and again, recognised or compared, nothing is said and nothing done."""
    for _ in range(3):
        cli.silent("reconcile", declared)
        cli.silent("check", declared)
