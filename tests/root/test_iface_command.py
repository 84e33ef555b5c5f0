"""`netalias iface` over the kernel: no gap in addresses and routes, and what others did is seen."""

from __future__ import annotations

import errno
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from command import Command, ip_json
from support import Namespace, until

PEER, PEER6 = "10.9.9.9", "2001:db8::9"


@pytest.fixture
def link(cli: Command) -> Command:
    """eth9 with a negotiated address, its peer, and the default route by the peer."""
    cli.namespace.ip(f"addr add 10.0.0.1 peer {PEER} dev eth9")
    cli.namespace.ip(f"route add default via {PEER} dev eth9")
    return cli


def lines(cli: Command) -> list[str]:
    """The IPv4 addresses as they are listed."""
    found = cli("iface", "eth9").splitlines()[1:]
    return [line.strip() for line in found if line.startswith("  inet ")]


def source(namespace: Namespace, target: str = "192.0.2.1") -> str:
    """The source that a new connection gets."""
    (found,) = ip_json(namespace, f"route get {target}")
    return str(found["prefsrc"])


def routes(namespace: Namespace) -> list[str]:
    """The routes of the table main: destination and source."""
    found = ip_json(namespace, "-4 route show")
    return sorted(f"{one['dst']} {one.get('prefsrc', one.get('gateway'))}" for one in found)


def test_a_route_is_never_gone(link: Command) -> None:
    """A-4: three changes and a return to the first address; after each the default route is there
    and new connections use the newest address, and in between it was never announced to be gone."""
    namespace = link.namespace
    monitor = namespace.start(["ip", "-o", "monitor", "route", "address"], stdout=-1)
    assert monitor.stdout is not None
    until(lambda: _subscribed(namespace))
    for number, last in enumerate((2, 3, 4, 1)):
        verb = "add!" if last == 1 else "add"
        link.silent("iface", "eth9", verb, f"10.0.0.{last}", PEER)
        assert routes(namespace) == [f"{PEER} 10.0.0.{last}", f"default {PEER}"], number
        assert source(namespace) == f"10.0.0.{last}"
    assert sorted(line.split()[1:4] for line in lines(link)) == [
        ["10.0.0.1/32", "-->", PEER],
        *(["10.0.0.%d/32" % last, "-->", "255.255.255.255"] for last in (2, 3, 4)),
    ]
    monitor.terminate()
    heard = monitor.stdout.read()
    monitor.wait()
    assert "10.0.0.4" in heard
    assert "Deleted default" not in heard
    promote = namespace.run(["sysctl", "-n", "net.ipv4.conf.eth9.promote_secondaries"]).stdout
    assert promote == "0\n"


def _subscribed(namespace: Namespace) -> bool:
    """Whether a process listens to announcements of rtnetlink (RTNLGRP_IPV4_ROUTE)."""
    with namespace, open("/proc/thread-self/net/netlink") as file:
        rows = [line.split() for line in file][1:]
    return any(row[1] == "0" and int(row[3], 16) & 1 << 6 for row in rows)


def test_bound_sockets_stay_and_new_ones_use_the_new_address(link: Command) -> None:
    """A-4: the older address still receives; it is not chosen any more."""
    namespace = link.namespace
    with namespace:
        bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        bound.bind(("10.0.0.1", 0))
        bound.settimeout(10)
        caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with bound, caller:
        namespace.raise_lo()
        link.silent("iface", "eth9", "add", "10.0.0.2", PEER)
        caller.sendto(b"x", bound.getsockname())
        assert bound.recv(1) == b"x"
    assert source(namespace) == "10.0.0.2"
    assert lines(link) == [
        "inet 10.0.0.1/32 --> 255.255.255.255 scope host negotiated",
        f"inet 10.0.0.2/32 --> {PEER} manual",
    ]


def test_limited_broadcast_is_not_routed_there(link: Command) -> None:
    """A-1: the peer 255.255.255.255 never reaches the kernel."""
    link.silent("iface", "eth9", "add", "10.0.0.3", "255.255.255.255")
    link.silent("iface", "eth9", "add!", "10.0.0.3", "255.255.255.0", "255.255.255.255")
    assert "255.255.255.255" not in link.namespace.ip("route show table all")
    assert "peer 255" not in link.namespace.ip("addr show eth9")


def test_the_kernel_would_take_it_again(link: Command) -> None:
    """A-3: it does from ip(8), and add! leaves one."""
    namespace = link.namespace
    assert "10.0.0.1: eth9 has it already" in link.fails(2, "iface", "eth9", "add", "10.0.0.1/24")
    namespace.ip("addr add 10.0.0.1/24 dev eth9")
    namespace.ip("addr add 10.0.0.1/32 dev eth9")
    assert len(lines(link)) == 3
    link.silent("iface", "eth9", "add!", "10.0.0.1", PEER)
    assert lines(link) == [f"inet 10.0.0.1/32 --> {PEER} negotiated"]
    assert routes(namespace) == [f"{PEER} 10.0.0.1", f"default {PEER}"]


@pytest.mark.parametrize(
    ("before", "after"),
    [(["10.0.0.1/24"], ["10.0.0.1/24", "10.0.0.77"]), (["10.0.0.1/24", "10.0.0.77"], ["10.0.0.1"])],
)
def test_overwritten_where_the_kernel_calls_both_the_same(
    cli: Command, before: list[str], after: list[str]
) -> None:
    """A-3: the only address of a device, with a default route that stays."""
    namespace = cli.namespace
    cli.silent("iface", "eth9", "add", *before)
    namespace.ip("route add default dev eth9")
    cli.silent("iface", "eth9", "add!", *after)
    assert len(lines(cli)) == 1
    assert namespace.ip("route show default").startswith("default dev eth9")
    cli.silent("iface", "eth9", "add!", *after)


def test_ipv6(cli: Command) -> None:
    """A-1 to A-8 with IPv6: peer, the deprecated older one, overwriting, removing."""
    namespace = cli.namespace
    cli.silent("iface", "eth9", "add", "2001:db8::1", PEER6)
    cli.silent("iface", "eth9", "add", "2001:db8::2", PEER6)
    assert "already" in cli.fails(2, "iface", "eth9", "add", "2001:db8::2/64")
    until(lambda: "tentative" not in namespace.ip("-6 addr show dev eth9"))
    assert source(namespace, PEER6) == "2001:db8::2"
    assert [line.split()[1:] for line in cli("iface", "eth9").splitlines()[1:]] == [
        ["2001:db8::1/128", "deprecated", "manual"],
        ["2001:db8::2/128", "-->", PEER6, "manual"],
    ]
    cli.silent("iface", "eth9", "add!", "2001:db8::2/64")
    cli.silent("iface", "eth9", "rm", "2001:db8::1")
    assert namespace.ip("-6 -o addr show dev eth9").count("2001:db8::2/64") == 1
    cli.silent("iface", "eth9", "clear", "inet6")
    assert namespace.ip("-6 addr show dev eth9") == ""


def test_refused_by_the_kernel(link: Command) -> None:
    """A-5: nothing is left of an address that is refused; the addresses are as they were."""
    namespace = link.namespace
    namespace.run(["sysctl", "-qw", "net.ipv6.conf.eth9.disable_ipv6=1"])
    before = namespace.ip("addr show eth9")
    assert "IPv6 is disabled" in link.fails(2, "iface", "eth9", "add", "2001:db8::1", PEER6)
    assert namespace.ip("addr show eth9") == before


def test_clear_and_secondaries(link: Command) -> None:
    """A-8: manual ones go, primaries and secondaries mixed; those of others and aliases stay."""
    namespace = link.namespace
    for last in (5, 6):
        link.silent("iface", "eth9", "add", f"10.5.0.{last}/24")
    namespace.ip("addr add 10.5.0.7/24 dev eth9")
    link.silent("eth9:0", "10.5.0.8/24", "kind", "label")
    link.silent("eth9:1", "10.5.0.9", "kind", "macvlan")
    link.silent("iface", "eth9", "clear")
    assert [line.split()[1] for line in lines(link)] == [
        "10.0.0.1/32",
        "10.5.0.7/24",
        "10.5.0.8/32",
    ]
    assert sorted(link.names()) == ["eth9:0", "eth9:1"]
    namespace.ip("link set eth9 down")
    link.silent("iface", "eth9", "clear")
    assert [line.split()[1] for line in lines(link)] == ["10.5.0.8/32"]


def test_many_at_once(cli: Command) -> None:
    """A-3: of many processes that add one address, with different masks, one succeeds."""
    lengths = range(17, 25)

    def add(length: int) -> int:
        words = ["iface", "eth9", "add", f"10.0.0.3/{length}", "--wait", "60"]
        return cli.run(*words).returncode

    with ThreadPoolExecutor(len(lengths)) as pool:
        assert sorted(pool.map(add, lengths)) == [0] + [2] * (len(lengths) - 1)
    assert len(lines(cli)) == 1


def test_renamed_and_described(cli: Command) -> None:
    """A-9: the kernel has both; the record goes with the device."""
    for last in (4, 3):
        cli.silent("iface", "eth9", "add", f"10.0.0.{last}")
    cli.silent("iface", "eth9", "description", "the", "uplink")
    cli.namespace.ip("link set eth9 down")  # before Linux 6.2 only then
    cli.silent("iface", "eth9", "name", "wan0")
    shown = cli("iface", "wan0").splitlines()
    assert [line.split()[1] for line in shown[1:3]] == ["10.0.0.4/32", "10.0.0.3/32"]
    assert shown[-1] == "  description: the uplink"
    assert ip_json(cli.namespace, "link show wan0")[0]["ifalias"] == "the uplink"
    cli.silent("iface", "wan0", "description", "")
    assert "ifalias" not in ip_json(cli.namespace, "link show wan0")[0]
    assert "there is no such device" in cli.fails(2, "iface", "eth9")


def test_sockets_are_ended(link: Command) -> None:
    """A connection from the address fails at once; a dry run and a batch of one end nothing,
    and sockets of an address that another device has go on."""
    namespace = link.namespace
    namespace.raise_lo()
    for last in (3, 4):
        link.silent("iface", "eth9", "add", f"10.0.0.{last}")
    namespace.ip("addr add 10.0.0.4/32 dev lo")
    with namespace:
        server = socket.create_server(("127.0.0.1", 0))
        clients = [
            socket.create_connection(server.getsockname(), 10, (f"10.0.0.{last}", 0))
            for last in (3, 4)
        ]
    one, other = clients
    with server, one, other:
        words = ("iface", "eth9", "rm!", "10.0.0.3", "--kill-sockets")
        assert link(*words, "--dry-run").splitlines()[-1] == "ss -K src 10.0.0.3"
        link.run("batch", "--dry-run", "-", input=f"{' '.join(words)}\n")
        assert failure(one) == 0
        link.silent("iface", "eth9", "rm", "10.0.0.3")
        assert failure(one) == 0
        link.silent(*words)
        assert failure(one) == errno.ECONNABORTED
        link.silent("iface", "eth9", "clear", "--kill-sockets")
        assert "10.0.0.4" not in namespace.ip("addr show eth9")
        assert failure(other) == 0


def failure(one: socket.socket) -> int:
    """SO_ERROR."""
    return one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
