"""Published addresses with real packets: every condition broken, told, and mended as told.

A router stands between an asker (p9, in front of eth9) and a host (p8, behind eth8).
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator

import pytest
from asking import Asker
from command import Command, command, ip_json, set_sysctl, wait_for_local_route, without_dad
from support import Namespace, until, veth_pair

INET, INET6 = "10.1.0.50", "2001:db8:1::50"
"""What is published: addresses of the network in front that live behind."""
ROUTER, ROUTER6 = "10.1.0.1", "2001:db8:1::1"
ASKER, ASKER6 = "10.1.0.2", "2001:db8:1::2"
LATE = 100000
"""A proxy_delay of a thousand seconds: no answer comes while anybody waits."""

SETTINGS = {
    "ipv4/conf/eth9/forwarding": 1,
    "ipv4/conf/eth8/forwarding": 1,
    "ipv4/neigh/eth9/proxy_delay": 0,
    "ipv6/conf/all/forwarding": 1,
    "ipv6/conf/eth9/proxy_ndp": 1,
    "ipv6/neigh/eth9/proxy_delay": 0,
}
"""With these an entry is of use."""


class Router:
    """The command on the router, the asker in front, and the host behind."""

    def __init__(self, cli: Command, front: Namespace, behind: Namespace) -> None:
        self.cli = cli
        self.here = cli.namespace
        self.front = front
        self.behind = behind
        self.asker = Asker(front, "p9", (ASKER, ASKER6))

    def hears(self, address: str, control: str = "") -> bool:
        """Whether somebody answers for *address* in front; the control is of the other family,
        which the same switches do not silence."""
        return self.asker.hears(address, control or (ROUTER if ":" in address else ROUTER6))

    def reaches(self, address: str) -> bool:
        """Whether a datagram gets there from the asker, and its answer back.

        Both ways are done when the control, one that is sent to the router itself after it, is.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.behind:
            server = socket.socket(family, socket.SOCK_DGRAM)
        with self.front:
            caller = socket.socket(family, socket.SOCK_DGRAM)
            # The question for the MAC of the address is answered, or not, before anything is lost.
            self.front.ip("neigh flush dev p9")
        with server, caller:
            server.bind((address, 0))
            server.settimeout(0.5)
            caller.settimeout(0.5)
            for _ in range(3):  # nothing but the wire of a veth pair: one of three gets through
                try:
                    caller.sendto(b"ping", (address, server.getsockname()[1]))
                    _, peer = server.recvfrom(16)
                    server.sendto(b"pong", peer)
                    return caller.recv(16) == b"pong"
                except OSError:
                    continue
        return False

    def publish(self, address: str, *more: str) -> list[str]:
        """The warnings."""
        done = self.cli.run("publish", address, "dev", "eth9", *more)
        assert (done.returncode, done.stdout) == (0, ""), done
        begin = "netalias: warning: "
        assert all(line.startswith(begin) for line in done.stderr.splitlines())
        return [line.removeprefix(begin) for line in done.stderr.splitlines()]

    def mend(self, warning: str) -> None:
        """Do what a warning says."""
        found = re.search(r" \(([^()]*)\)$", warning)
        assert found, warning
        words = found[1].replace("DEVICE", "eth8").split()
        if words[0] == "netalias":
            self.cli.run(*words[1:])
        else:
            self.here.run(words)

    def proxies(self) -> str:
        """All entries, as ip(8) shows them."""
        return self.here.ip("neigh show proxy")


@pytest.fixture
def router(cli: Command, peer: Namespace) -> Iterator[Router]:
    """The street with everything in order, but nothing published."""
    behind = Namespace()
    here = cli.namespace
    for namespace in (peer, behind):
        without_dad(namespace)
    veth_pair(here, behind, "eth8", "p8")
    for namespace, words in (
        (behind, "link set lo up"),
        (here, f"addr add {ROUTER}/24 dev eth9"),
        (here, f"addr add {ROUTER6}/64 dev eth9 nodad"),
        (here, "addr add fe80::1/64 dev eth9 nodad"),
        (here, "addr add fe80::1/64 dev eth8 nodad"),
        (here, "addr add 10.2.0.1/24 dev eth8"),
        (here, "addr add 2001:db8:2::1/64 dev eth8 nodad"),
        (peer, f"addr add {ASKER}/24 dev p9"),
        (peer, f"addr add {ASKER6}/64 dev p9 nodad"),
        (peer, "addr add fe80::2/64 dev p9 nodad"),
        (behind, "addr add fe80::2/64 dev p8 nodad"),
        (behind, "addr add 10.2.0.2/24 dev p8"),
        (behind, "addr add 2001:db8:2::2/64 dev p8 nodad"),
        (behind, f"addr add {INET}/32 dev lo"),
        (behind, f"addr add {INET6}/128 dev lo nodad"),
        (behind, "route add default via 10.2.0.1"),
        (behind, "route add default via 2001:db8:2::1"),
        (here, f"route add {INET} via 10.2.0.2"),
        (here, f"route add {INET6} via 2001:db8:2::2"),
    ):
        namespace.ip(words)
    for namespace, address in ((here, ROUTER6), (peer, ASKER6), (behind, INET6)):
        wait_for_local_route(namespace, address)
    for key, value in SETTINGS.items():
        set_sysctl(here, key, value)
    street = Router(cli, peer, behind)
    with street.asker:
        yield street
    behind.close()


@pytest.mark.parametrize("address", [INET, INET6])
def test_published_and_no_more(router: Router, address: str) -> None:
    """Who is published is answered for, with the MAC of the router, and reached."""
    assert not router.hears(address)
    router.cli.silent("publish", address, "dev", "eth9")
    assert router.hears(address)
    assert router.reaches(address)
    mac = ip_json(router.here, "link show dev eth9")[0]["address"]
    assert ip_json(router.front, f"neigh show to {address}")[0]["lladdr"] == mac
    router.cli.silent("unpublish", address)
    assert not router.hears(address)


# Conditions


FORWARDING = "eth9 answers for nobody while it does not forward"
SILENT = [
    (
        INET,
        "ipv4/conf/eth9/forwarding",
        0,
        f"{FORWARDING} (sysctl -w net.ipv4.conf.eth9.forwarding=1)",
    ),
    (
        INET,
        "ipv4/neigh/eth9/proxy_delay",
        LATE,
        "eth9 answers up to 1000 s late (sysctl -w net.ipv4.neigh.eth9.proxy_delay=0)",
    ),
    (
        INET6,
        "ipv6/conf/eth9/forwarding",
        0,
        f"{FORWARDING} IPv6 (sysctl -w net.ipv6.conf.eth9.forwarding=1)",
    ),
    (
        INET6,
        "ipv6/conf/all/forwarding",
        0,
        f"{FORWARDING} IPv6 (sysctl -w net.ipv6.conf.all.forwarding=1)",
    ),
    (
        INET6,
        "ipv6/conf/eth9/proxy_ndp",
        0,
        "eth9 answers for nobody while its proxy_ndp is 0"
        " (sysctl -w net.ipv6.conf.eth9.proxy_ndp=1)",
    ),
    (
        INET6,
        "ipv6/neigh/eth9/proxy_delay",
        LATE,
        "eth9 answers up to 1000 s late (sysctl -w net.ipv6.neigh.eth9.proxy_delay=0)",
    ),
]


@pytest.mark.parametrize(
    ("address", "key", "value", "warning"), SILENT, ids=[one[1] for one in SILENT]
)
def test_a_setting_that_silences(
    router: Router, address: str, key: str, value: int, warning: str
) -> None:
    """With it there is no answer; the warning tells, and what it says mends it."""
    set_sysctl(router.here, key, value)
    assert router.publish(address) == [warning]
    assert not router.hears(address)
    router.mend(warning)
    assert router.hears(address)
    assert router.reaches(address)


@pytest.mark.parametrize("place", ["all", "eth9"])
def test_either_proxy_ndp_will_do(router: Router, place: str) -> None:
    """That of the device, or that of all."""
    set_sysctl(router.here, "ipv6/conf/eth9/proxy_ndp", 0)
    set_sysctl(router.here, f"ipv6/conf/{place}/proxy_ndp", 1)
    assert router.publish(INET6) == []
    assert router.hears(INET6)


LOST = [
    (
        INET,
        "ipv4/conf/eth8/forwarding",
        f"what {INET} answers is lost while eth8 does not forward"
        " (sysctl -w net.ipv4.conf.eth8.forwarding=1)",
    ),
    (
        INET6,
        "ipv6/conf/all/forwarding",
        f"what comes for {INET6} is dropped while IPv6 is not forwarded everywhere"
        " (sysctl -w net.ipv6.conf.all.forwarding=1)",
    ),
]


@pytest.mark.parametrize(("address", "key", "warning"), LOST, ids=[one[1] for one in LOST])
def test_a_setting_that_loses(router: Router, address: str, key: str, warning: str) -> None:
    """There is an answer for the address, and packets are lost all the same."""
    set_sysctl(router.here, key, 0)
    set_sysctl(router.here, "ipv6/conf/eth9/forwarding", 1)
    assert router.publish(address) == [warning]
    assert router.hears(address)
    assert not router.reaches(address)
    router.mend(warning)
    assert router.reaches(address)


ONLY = "eth9 answers only for what is routed through another device"
WAYS = [
    (INET, f"{ONLY}: {INET}: the route to it leads through eth9 itself"),
    (INET6, f"what comes for {INET6} goes nowhere: the route to it leads through eth9 itself"),
    ("10.3.0.5", f"{ONLY}: 10.3.0.5: no route leads to it"),
    ("2001:db8:3::5", "what comes for 2001:db8:3::5 goes nowhere: no route leads to it"),
]


@pytest.mark.parametrize(("address", "says"), WAYS, ids=[one[0] for one in WAYS])
def test_no_way_to_the_address(router: Router, address: str, says: str) -> None:
    """IPv4 is not answered for then; IPv6 is, and what comes is lost."""
    warning = f"{says} (ip route add {address} dev DEVICE)"
    router.behind.ip(f"addr add {address}/{128 if ':' in address else 32} dev p8", check=False)
    for family in ("-4", "-6"):
        router.here.ip(f"{family} route del {address}", check=False)
    assert router.publish(address) == [warning]
    assert router.hears(address) == (":" in address)
    router.mend(warning)
    assert router.hears(address)


def test_a_device_without_arp(router: Router) -> None:
    """IPv4 is not answered for; IPv6 does not mind."""
    warning = "eth9 answers for nobody while its ARP is off (ip link set dev eth9 arp on)"
    router.here.ip("link set dev eth9 arp off")
    assert router.publish(INET) == [warning]
    assert router.publish(INET6) == []
    assert not router.hears(INET)
    assert router.hears(INET6, control=ROUTER6)
    router.mend(warning)
    assert router.hears(INET)


def test_a_device_that_is_down(router: Router) -> None:
    """An entry is made all the same, and is of use once the device is up."""
    warning = "eth9 answers for nobody while it is down (ip link set dev eth9 up)"
    router.here.ip("link set dev eth9 down")
    assert router.publish(INET) == [warning]
    router.mend(warning)
    until(lambda: "LOWER_UP" in router.here.ip("link show dev eth9"))
    assert router.hears(INET, control=ROUTER)


def test_a_port_of_a_bridge(router: Router) -> None:
    """The bridge takes what comes: there the address is to be published."""
    says = "eth9 answers for nobody: br9 takes what comes to its port"
    warning = f"{says} (netalias publish {INET} dev br9)"
    for words in (
        "link add br9 type bridge", "link set eth9 master br9", "link set br9 up",
        "addr add 10.1.0.9/24 dev br9",
    ):  # fmt: skip
        router.here.ip(words)
    set_sysctl(router.here, "ipv4/conf/br9/forwarding", 1)
    set_sysctl(router.here, "ipv4/neigh/br9/proxy_delay", 0)
    until(lambda: "state UP" in router.here.ip("link show dev br9"))
    assert router.publish(INET) == [warning]
    assert not router.hears(INET, control="10.1.0.9")
    router.mend(warning)
    assert router.hears(INET, control="10.1.0.9")


def test_arp_ignore_is_nothing_to_an_entry(router: Router) -> None:
    """It is about addresses of the host; so is arp_filter."""
    set_sysctl(router.here, "ipv4/conf/eth9/arp_filter", 1)
    assert router.publish(INET) == []
    for value in range(9):
        set_sysctl(router.here, "ipv4/conf/eth9/arp_ignore", value)
        assert router.hears(INET), value


# Addresses of this host


def test_an_ipv4_address_of_this_host(router: Router) -> None:
    """It answers by itself, on every device: nothing is made."""
    router.here.ip("addr add 10.1.0.60/32 dev eth8")
    assert router.publish("10.1.0.60") == [
        "10.1.0.60 is an address of this host (eth8): it answers by itself,"
        " as far as arp_ignore allows"
    ]
    assert router.proxies() == ""
    assert router.hears("10.1.0.60")


def test_an_entry_does_not_help_against_arp_ignore(router: Router) -> None:
    """With arp_ignore it is silent, with an entry too; what the warning says helps."""
    router.here.ip("addr add 10.1.0.60/32 dev eth8")
    set_sysctl(router.here, "ipv4/conf/eth9/arp_ignore", 1)
    (warning,) = router.publish("10.1.0.60")
    assert warning == (
        "10.1.0.60 is an address of this host (eth8): arp_ignore of eth9 keeps it silent, and a"
        " proxy entry does not help (sysctl -w net.ipv4.conf.eth9.arp_ignore=0)"
    )
    router.here.ip("neigh add proxy 10.1.0.60 dev eth9")
    assert not router.hears("10.1.0.60")
    router.mend(warning)
    assert router.hears("10.1.0.60")


@pytest.mark.parametrize("address", [ROUTER, ROUTER6])
def test_an_address_of_the_device_itself(router: Router, address: str) -> None:
    """Of either family it is needless."""
    (warning,) = router.publish(address)
    assert warning.startswith(f"{address} is an address of this host (eth9): it answers by itself")
    assert router.proxies() == ""


def test_an_ipv6_address_of_another_device(router: Router) -> None:
    """It is answered for only where it is, so there an entry is of use; nothing is forwarded."""
    address = "2001:db8:1::60"
    router.here.ip(f"addr add {address}/128 dev eth8 nodad")
    wait_for_local_route(router.here, address)
    set_sysctl(router.here, "ipv6/conf/all/forwarding", 0)
    assert not router.hears(address)
    (warning,) = router.publish(address)
    assert warning == f"{FORWARDING} IPv6 (sysctl -w net.ipv6.conf.eth9.forwarding=1)"
    router.mend(warning)
    assert router.hears(address)


def test_a_network_that_is_local(router: Router) -> None:
    """Every host of it is an address of this host, though none is listed."""
    router.here.ip("addr add 10.5.0.1/16 dev lo")
    (warning,) = router.publish("10.5.1.2")
    assert warning.startswith("10.5.1.2 is an address of this host (lo): it answers by itself")


# What the kernel forgets


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ("link set dev eth9 down", []),
        (f"addr del {ROUTER}/24 dev eth9", [INET6]),
        (f"addr del {ROUTER6}/64 dev eth9", [INET, INET6]),
    ],
)
def test_what_takes_entries_along(router: Router, words: str, left: list[str]) -> None:
    """A device that goes down, and the last IPv4 address: so it is written in the manual."""
    router.cli.silent("publish", INET, INET6, "dev", "eth9")
    router.here.ip(words)
    assert [one["local"] for one in router.cli.json()] == left


def test_a_loss_of_carrier_takes_nothing_along(router: Router) -> None:
    """Entries are made permanent."""
    release = re.match(r"(\d+)\.(\d+)", os.uname().release)
    assert release
    if tuple(map(int, release.groups())) < (6, 17):
        pytest.skip("proxy entries can be permanent since Linux 6.17")
    router.cli.silent("publish", INET, INET6, "dev", "eth9")
    router.front.ip("link set p9 down")
    until(lambda: "NO-CARRIER" in router.here.ip("link show dev eth9"))
    until(lambda: router.cli.json()[0]["state"] == "no-carrier")
    assert [one["local"] for one in router.cli.json()] == [INET, INET6]


# The command


def test_publishing_again_is_silent(router: Router) -> None:
    """Nothing is said and nothing changes, whatever keeps the entry from being of use."""
    set_sysctl(router.here, "ipv4/conf/eth9/forwarding", 0)
    assert len(router.publish(INET)) == 1
    before = router.proxies()
    router.cli.silent("publish", INET, "dev", "eth9")
    assert router.proxies() == before


def test_the_mark_is_ours(router: Router) -> None:
    """ip(8) shows it; what others made has none, is left as it is, and is told."""
    router.cli.silent("publish", INET, "dev", "eth9")
    router.here.ip("neigh add proxy 10.2.0.2 dev eth9")
    assert router.publish("10.2.0.2") == [
        "10.2.0.2: eth9 answers for it already, and not by netalias: left as it is"
    ]
    lines = sorted(line.split() for line in router.proxies().splitlines())
    assert lines == [
        [INET, "dev", "eth9", "proxy", "proto", "97"],
        ["10.2.0.2", "dev", "eth9", "proxy"],
    ]
    assert router.cli.fails(2, "unpublish", "10.2.0.2") == (
        "netalias: 10.2.0.2: netalias did not publish it on eth9"
        " (ip neigh del proxy 10.2.0.2 dev eth9)"
    )


def test_what_is_printed_is_what_is_done(router: Router) -> None:
    """--dry-run prints commands of ip(8) that do the same, and does nothing; -v prints them too."""
    lines = router.cli("--dry-run", "publish", INET, INET6, "dev", "eth9")
    assert router.proxies() == ""
    for line in lines.splitlines():
        router.here.run(line.split())
    by_hand = router.proxies()
    removed = router.cli("-v", "unpublish", INET, INET6)
    assert router.proxies() == ""
    assert removed.splitlines() == [
        f"ip neigh del proxy {address} dev eth9" for address in (INET, INET6)
    ]
    assert router.cli("-v", "publish", INET, INET6, "dev", "eth9") == lines
    assert router.proxies() == by_hand


def test_quiet(router: Router) -> None:
    """-q says nothing of conditions."""
    set_sysctl(router.here, "ipv4/conf/eth9/forwarding", 0)
    router.cli.silent("-q", "publish", INET, "dev", "eth9")
    assert INET in router.proxies()


def test_an_altname(router: Router) -> None:
    """Any name of the device will do, an alias among them."""
    router.here.ip("link property add dev eth9 altname uplink")
    assert router.cli("-v", "publish", INET, "dev", "uplink") == (
        f"ip neigh add proxy {INET} dev eth9 protocol 97\n"
    )
    router.cli.silent("publish", INET, "dev", "eth9")
    assert len(router.cli.json("uplink")) == 1


def test_another_namespace(router: Router) -> None:
    """-n: the entry is made there, and what surrounds it is asked there."""
    path = router.here.path
    done = router.front.run(
        [*command(), "-n", path, "publish", INET, "10.3.0.5", "dev", "eth9"], check=False
    )
    assert done.returncode == 0, done
    assert "10.3.0.5: no route leads to it" in done.stderr
    assert done.stderr.count("\n") == 1
    assert INET in router.proxies()


def test_an_ordinary_user(router: Router) -> None:
    """Exit status 4, whatever else is wrong with the words; looking is free."""
    router.cli.silent("publish", INET, "dev", "eth9")
    for words in (
        ["publish", INET6, "dev", "eth9"],
        ["publish", INET, "dev", "eth9"],
        ["unpublish", INET],
        ["unpublish", "10.9.9.9"],
    ):
        done = router.here.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command(), *words], check=False
        )
        assert (done.returncode, done.stdout) == (4, ""), done
        assert "CAP_NET_ADMIN is needed" in done.stderr
    assert INET in router.proxies()


def test_a_batch(router: Router) -> None:
    """Lines of a batch see what those before did; a rehearsal prints the same and does nothing."""
    text = f"publish {INET} {INET6} dev eth9\nunpublish {INET}\n"
    plan = router.cli.run("--dry-run", "batch", "-", input=text)
    assert router.proxies() == ""
    done = router.cli.run("-v", "batch", "-", input=text)
    assert (plan.returncode, done.returncode) == (0, 0), (plan, done)
    assert plan.stdout == done.stdout
    assert plan.stdout.splitlines() == [
        f"ip neigh add proxy {INET} dev eth9 protocol 97",
        f"ip neigh add proxy {INET6} dev eth9 protocol 97",
        f"ip neigh del proxy {INET} dev eth9",
    ]
    assert [one["local"] for one in router.cli.json()] == [INET6]


def test_files_do_not_mind(router: Router) -> None:
    """What is published is no alias: save, check and reconcile pass it over."""
    router.cli.silent("publish", INET, "dev", "eth9")
    router.cli.silent("eth9:0", "10.1.0.70")
    saved = router.cli("save")
    assert saved.startswith("eth9:0 ")
    assert "10.1.0.50" not in saved
    for verb in ("check", "reconcile"):
        done = router.cli.run(verb, "-", input=saved)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert INET in router.proxies()
