"""The main job on the real kernel: create, use, change, show and delete aliases of veth eth9."""

from __future__ import annotations

import fcntl
import re
import shutil
import socket
import subprocess

import pytest
from command import (
    SECONDS,
    Command,
    Monitor,
    client,
    command,
    ip_json,
    listening,
    lock_file,
    one_line,
    picture,
    rename,
    set_sysctl,
    sysctl,
    talk,
    wait_for_local_route,
    wait_for_state,
)
from support import Namespace, until

V4 = "200.1.1.1"
V6 = "2001:db8::5"
PEER4 = "200.1.1.200"
PEER6 = "2001:db8::200"
GROUP = 28257
PROTOCOL = 97

QUIET_WINDOW_END = "netalias-test"
"""A device name: its event ends a window in which the kernel should say nothing else."""


def link(namespace: Namespace, name: str) -> dict[str, object]:
    """``ip -details link show`` of one device, by any of its names."""
    (found,) = ip_json(namespace, f"-d link show dev {name}")
    return found


def addresses(namespace: Namespace, name: str) -> list[dict[str, object]]:
    """Its addresses."""
    found = ip_json(namespace, f"addr show dev {name}")
    return list(found[0]["addr_info"]) if found else []


def routes(namespace: Namespace, network: str, options: str = "") -> list[str]:
    """The devices of all routes for *network* in the main table."""
    return [route["dev"] for route in ip_json(namespace, f"{options} route show exact {network}")]


@pytest.fixture
def reached(cli: Command, peer: Namespace) -> Command:
    """eth9 and p9 in one network of each family."""
    cli.namespace.ip("addr add 200.1.1.254/24 dev eth9")
    peer.ip(f"addr add {PEER4}/24 dev p9")
    for namespace, device, host in ((cli.namespace, "eth9", "254"), (peer, "p9", "200")):
        for network in ("fe80::", "2001:db8::"):
            namespace.ip(f"addr add {network}{host}/64 dev {device} nodad")
    return cli


# Creating


def test_an_address_makes_a_device(cli: Command) -> None:
    """S1: eth9:0 exists and has the address; the command is silent, the device is a macvlan with
    our marks, and ip(8) knows it by the name of the alias."""
    cli.silent("eth9:0", V4)
    device = link(cli.namespace, "eth9:0")
    assert device["ifname"] == "eth9_0"
    assert device["link"] == "eth9"
    assert device["altnames"] == ["eth9:0"]
    assert device["linkinfo"]["info_kind"] == "macvlan"  # type: ignore[index]
    assert device["linkinfo"]["info_data"]["mode"] == "bridge"  # type: ignore[index]
    assert device["group"] == str(GROUP)
    assert device["ifalias"] == "netalias eth9:0"
    assert "UP" in device["flags"]  # type: ignore[operator]
    (entry,) = addresses(cli.namespace, "eth9:0")
    assert (entry["local"], entry["prefixlen"], entry["scope"]) == (V4, 32, "global")


def test_the_address_label_has_no_colon(cli: Command) -> None:
    """S85: by default the label equals the primary name, so getifaddrs(3) names a real device."""
    cli.silent("eth9:0", V4)
    (entry,) = addresses(cli.namespace, "eth9_0")
    assert entry["label"] == "eth9_0"
    with cli.namespace:
        assert (V4, "eth9_0") in _getifaddrs()


def _getifaddrs() -> list[tuple[str, str]]:
    """(address, interface) as ``ip addr`` in the current namespace tells labels."""
    found = subprocess.run(["ip", "-4", "-o", "addr"], capture_output=True, text=True, check=True)
    return re.findall(r"inet ([0-9.]+)/\d+ .* (\S+)\\", found.stdout)


def test_the_address_carries_our_protocol(cli: Command) -> None:
    """The mark on an address is IFA_PROTO 97."""
    cli.silent("eth9:0", V4)
    cli.silent("eth9:1", f"{V6}/64")
    for name in ("eth9:0", "eth9:1"):
        assert cli.one(name)["protocol"] == PROTOCOL
        assert cli.one(name)["owned"] is True


def test_settings_of_the_device(cli: Command) -> None:
    """The IPv4 settings that let several devices live in one network."""
    cli.silent("eth9:0", V4)
    wanted = {"rp_filter": "2", "arp_ignore": "1", "arp_announce": "2", "promote_secondaries": "1"}
    found = {key: sysctl(cli.namespace, f"ipv4/conf/eth9_0/{key}") for key in wanted}
    assert found == wanted


def test_no_link_local_on_an_ipv4_alias(cli: Command) -> None:
    """An alias has one address: the kernel adds no fe80:: to one of IPv4."""
    cli.silent("eth9:0", f"{V4}/24")
    assert [entry["family"] for entry in addresses(cli.namespace, "eth9_0")] == ["inet"]


def test_ipv6(cli: Command) -> None:
    """S1 for IPv6: the address is there, passes DAD, and ifalias records it."""
    if sysctl(cli.namespace, "ipv6/conf/default/accept_dad") != "1":
        set_sysctl(cli.namespace, "ipv6/conf/default/accept_dad", 1)
    cli.silent("eth9:0", f"{V6}/64")
    found = cli.settled("eth9:0")
    assert (found["local"], found["prefixlen"], found["family"]) == (V6, 64, "inet6")
    assert link(cli.namespace, "eth9:0")["ifalias"] == f"netalias eth9:0 ipv6 {V6}/64"


def test_ipv6_that_somebody_has(cli: Command, peer: Namespace) -> None:
    """An address that a station on the wire has fails its DAD, and the state says so."""
    if sysctl(cli.namespace, "ipv6/conf/default/accept_dad") != "1":
        set_sysctl(cli.namespace, "ipv6/conf/default/accept_dad", 1)
    peer.ip("addr add fe80::200/64 dev p9 nodad")
    peer.ip(f"addr add {V6}/64 dev p9 nodad")
    wait_for_local_route(peer, V6)
    cli.silent("eth9:0", f"{V6}/64")
    until(lambda: "tentative" not in cli.one("eth9:0")["state"])
    assert cli.one("eth9:0")["state"] == "up,dadfailed"
    cli.silent("eth9:0-")


def test_words(cli: Command) -> None:
    """hw ether, mtu, netmask, broadcast and metric arrive in the kernel."""
    words = "netmask 255.255.255.0 broadcast 10.5.0.200 metric 77 mtu 1400"
    cli.silent("eth9:0", "10.5.0.1", *words.split(), "hw", "ether", "02:00:00:00:00:09")
    device = link(cli.namespace, "eth9:0")
    assert (device["address"], device["mtu"]) == ("02:00:00:00:00:09", 1400)
    (entry,) = addresses(cli.namespace, "eth9:0")
    assert (entry["prefixlen"], entry["broadcast"], entry["metric"]) == (24, "10.5.0.200", 77)
    (route,) = ip_json(cli.namespace, "route show exact 10.5.0.0/24")
    assert (route["dev"], route["metric"]) == ("eth9_0", 77)


def test_usual_broadcast_and_none(cli: Command) -> None:
    """The last address of the network is the broadcast address; -broadcast takes it away."""
    cli.silent("eth9:0", "10.5.0.1/24")
    assert addresses(cli.namespace, "eth9:0")[0]["broadcast"] == "10.5.0.255"
    cli.silent("eth9:0", "-broadcast")
    assert "broadcast" not in addresses(cli.namespace, "eth9:0")[0]


def test_pointopoint(cli: Command) -> None:
    """The other end gets the route."""
    cli.silent("eth9:0", "10.6.0.1", "pointopoint", "10.6.0.2")
    (entry,) = addresses(cli.namespace, "eth9:0")
    assert (entry["local"], entry["address"]) == ("10.6.0.1", "10.6.0.2")
    assert routes(cli.namespace, "10.6.0.2") == ["eth9_0"]


def test_made_down(cli: Command) -> None:
    """S35: with the word down the alias is there, has its address, and is not up."""
    cli.silent("eth9:0", V4, "down")
    assert cli.one("eth9:0")["state"] == "down"
    assert cli.one("eth9:0")["local"] == V4
    cli.silent("eth9:0", "up")
    assert cli.one("eth9:0")["state"] == "up"


def test_leading_zeros_are_the_same_slot(cli: Command) -> None:
    """S16: eth9:00 is eth9:0, not its twin."""
    cli.silent("eth9:0", V4)
    cli.silent("eth9:00", "200.1.1.2")
    assert [(one["altname"], one["local"]) for one in cli.json()] == [("eth9:0", "200.1.1.2")]


def test_largest_slot(cli: Command) -> None:
    """S10, S71: the limit bounds the number, not the count; 65535 is the last one."""
    cli.silent("eth9:65535", V4)
    assert cli.names() == ["eth9:65535"]
    cli.fails(1, "eth9:65536", "200.1.1.2")


def test_long_name_of_a_main(cli: Command) -> None:
    """S19: no name is cut. The altname is whole, the primary name is a digest of at most 15 bytes,
    and the alias of another slot has another one."""
    rename(cli.namespace, "eth9", "enx001122334455")
    for slot in (0, 1, 65535):
        name = f"enx001122334455:{slot}"
        warning = cli.warns(name, f"10.9.{slot % 256}.1")
        device = link(cli.namespace, name)
        assert f"{name}: give programs the name {device['ifname']}: many cut this one" in warning
        assert device["altnames"] == [name]
        assert len(str(device["ifname"])) <= 15
        assert str(device["ifname"]).startswith("enx")
    assert cli.names() == [f"enx001122334455:{slot}" for slot in (0, 1, 65535)]
    assert "enx001122334455:65535" in cli("show")
    cli.silent("enx001122334455:1-")
    assert cli.names() == ["enx001122334455:0", "enx001122334455:65535"]


@pytest.mark.skipif(not shutil.which("ifconfig"), reason="there is no ifconfig here")
def test_ifconfig_sees_the_main_device(cli: Command) -> None:
    """The colon trap: every ioctl cuts the name at its colon, so ifconfig(8) shows the MAC of the
    main device under the name of the alias; netalias shows that of the alias."""
    cli.silent("eth9:0", V4)
    shown = cli.namespace.run(["ifconfig", "eth9:0"], check=False).stdout
    main = str(link(cli.namespace, "eth9")["address"])
    assert main in shown
    assert cli.one("eth9:0")["address"] != main
    assert V4 not in shown
    # S88: what ifconfig does not do with its silent success, netalias does.
    done = cli.namespace.run(["ifconfig", "eth9:0-", "0"], check=False)
    assert done.returncode == 0
    assert cli.names() == ["eth9:0"]
    cli.silent("eth9:0-", "0")
    assert cli.names() == []


# Traffic


def test_the_peer_finds_a_route(reached: Command, peer: Namespace) -> None:
    """The alias is a host in the network of its main device: no route has to be added anywhere."""
    reached.silent("eth9:0", V4)
    (route,) = ip_json(peer, f"route get {V4}")
    assert (route["dev"], route.get("gateway")) == ("p9", None)
    (back,) = ip_json(reached.namespace, f"route get {PEER4} from {V4}")
    assert back["dev"] in ("eth9", "eth9_0")


@pytest.mark.parametrize("address", [V4, f"{V4}/24", f"{V6}/64", V6])
def test_tcp_and_udp_to_the_alias(reached: Command, peer: Namespace, address: str) -> None:
    """TCP and UDP reach the alias, and the answers come from its address."""
    reached.silent("eth9:0", address)
    reached.settled("eth9:0")
    bare = address.partition("/")[0]
    far = PEER6 if ":" in bare else PEER4
    assert talk(peer, reached.namespace, bare) == (far, far)


@pytest.mark.parametrize("address", [f"{V4}/24", f"{V6}/64"])
def test_tcp_and_udp_from_the_alias(reached: Command, peer: Namespace, address: str) -> None:
    """A program bound to the alias's address is seen under this address."""
    reached.silent("eth9:0", address)
    reached.settled("eth9:0")
    bare = address.partition("/")[0]
    far = PEER6 if ":" in bare else PEER4
    assert talk(reached.namespace, peer, far, source=bare) == (bare, bare)


def test_alias_in_a_network_of_its_own(cli: Command, peer: Namespace) -> None:
    """An alias whose network the main device has not: it brings the route, and is reached by it."""
    peer.ip("addr add 10.5.0.200/24 dev p9")
    cli.silent("eth9:0", "10.5.0.1/24")
    assert routes(cli.namespace, "10.5.0.0/24") == ["eth9_0"]
    assert talk(peer, cli.namespace, "10.5.0.1") == ("10.5.0.200", "10.5.0.200")
    found = talk(cli.namespace, peer, "10.5.0.200")
    assert found == ("10.5.0.1", "10.5.0.1")


def test_bound_to_the_device_by_the_name_of_the_alias(cli: Command, peer: Namespace) -> None:
    """SO_BINDTODEVICE takes eth9:0 and means the alias device, and traffic flows through it."""
    peer.ip("addr add 10.5.0.200/24 dev p9")
    cli.silent("eth9:0", "10.5.0.1/24")
    with client(cli.namespace, socket.AF_INET, socket.SOCK_DGRAM, device="eth9:0") as caller:
        bound = caller.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        assert bound.rstrip(b"\0") == b"eth9_0"
    found = talk(cli.namespace, peer, "10.5.0.200", device="eth9:0")
    assert found == ("10.5.0.1", "10.5.0.1")


def test_counters_are_those_of_the_alias(cli: Command, peer: Namespace) -> None:
    """S90: rx and tx of the alias grow with its traffic, and those of its neighbour do not."""
    peer.ip("addr add 10.5.0.200/24 dev p9")
    # The main device answers ARP for every address of the machine, and may be the faster one.
    set_sysctl(cli.namespace, "ipv4/conf/eth9/arp_ignore", 1)
    cli.silent("eth9:0", "10.5.0.1/24")
    cli.silent("eth9:1", "10.7.0.1/24")
    before = cli.one("eth9:0")["stats64"]
    other = cli.one("eth9:1")["stats64"]["rx"]["bytes"]
    talk(peer, cli.namespace, "10.5.0.1")
    after = cli.one("eth9:0")["stats64"]
    for direction in ("rx", "tx"):
        assert after[direction]["packets"] >= before[direction]["packets"] + 4
        assert after[direction]["bytes"] > before[direction]["bytes"]
    grown = cli.one("eth9:1")["stats64"]["rx"]["bytes"] - other
    assert grown < after["rx"]["bytes"] - before["rx"]["bytes"]


def test_the_alias_answers_arp_with_its_own_mac(reached: Command, peer: Namespace) -> None:
    """The alias is a station of its own: the peer learns its MAC, not that of the main device,
    which by default answers for every address of the machine and is told not to."""
    set_sysctl(reached.namespace, "ipv4/conf/eth9/arp_ignore", 1)
    reached.silent("eth9:0", V4)
    with listening(reached.namespace, socket.AF_INET, socket.SOCK_DGRAM, V4) as server:
        with client(peer, socket.AF_INET, socket.SOCK_DGRAM) as caller:
            caller.sendto(b"x", (V4, server.getsockname()[1]))
        assert server.recv(1) == b"x"
    (neighbour,) = ip_json(peer, f"neigh show {V4}")
    assert neighbour["lladdr"] == reached.one("eth9:0")["address"]
    assert neighbour["lladdr"] != link(reached.namespace, "eth9")["address"]


# Changing


def test_readdressed_in_place(cli: Command) -> None:
    """S2: the same device has the new address, and only that."""
    cli.silent("eth9:0", f"{V4}/24")
    before = cli.one("eth9:0")
    cli.silent("eth9:0", "200.1.1.9/24")
    after = cli.one("eth9:0")
    assert (after["ifindex"], after["address"]) == (before["ifindex"], before["address"])
    assert [entry["local"] for entry in addresses(cli.namespace, "eth9:0")] == ["200.1.1.9"]
    assert routes(cli.namespace, "200.1.1.0/24") == ["eth9_0"]


@pytest.mark.parametrize("address", ["2001:db8::6/64", "2001:db8:1::6/128", "10.5.0.1/24"])
def test_ipv6_readdressed_in_place(cli: Command, address: str) -> None:
    """S2, S52: an IPv6 alias gets another address, of another family too, on the same device."""
    cli.silent("eth9:0", f"{V6}/64")
    index = cli.one("eth9:0")["ifindex"]
    cli.silent("eth9:0", address)
    after = cli.settled("eth9:0")
    assert after["ifindex"] == index
    assert f"{after['local']}/{after['prefixlen']}" == address
    held = [
        f"{entry['local']}/{entry['prefixlen']}"
        for entry in addresses(cli.namespace, "eth9:0")
        if entry["scope"] == "global"
    ]
    assert held == [address]
    if "." in address:
        assert [entry["family"] for entry in addresses(cli.namespace, "eth9:0")] == ["inet"]
        assert str(link(cli.namespace, "eth9:0")["ifalias"]) == "netalias eth9:0"
    else:
        assert str(link(cli.namespace, "eth9:0")["ifalias"]).endswith(address)


def test_from_ipv4_to_ipv6(cli: Command) -> None:
    """S52: the other way round; the IPv6 of the device works, link-local address and all."""
    cli.silent("eth9:0", V4)
    index = cli.one("eth9:0")["ifindex"]
    cli.silent("eth9:0", f"{V6}/64")
    assert cli.settled("eth9:0")["ifindex"] == index
    scopes = {(entry["family"], entry["scope"]) for entry in addresses(cli.namespace, "eth9:0")}
    assert scopes == {("inet6", "global"), ("inet6", "link")}


@pytest.mark.parametrize("address", [V4, f"{V4}/24", f"{V6}/64"])
def test_the_same_again_changes_nothing(cli: Command, address: str) -> None:
    """S3: the kernel is asked for no change at all, so nobody hears of one."""
    cli.silent("eth9:0", address)
    cli.settled("eth9:0")
    before = picture(cli.namespace)
    with Monitor(cli.namespace) as monitor:
        cli.silent("eth9:0", address)
        cli.silent("eth9:0", "up")
        assert cli("--dry-run", "eth9:0", address) == ""
        cli.namespace.ip(f"link add {QUIET_WINDOW_END} type bridge")
        kinds = monitor.kinds()
    new_links = [kind for kind in kinds if kind == 16]
    assert new_links, "the end of the window was not heard"
    assert 20 not in kinds, "an address was announced"
    assert 21 not in kinds, "an address was taken away"
    cli.namespace.ip(f"link del {QUIET_WINDOW_END}")
    assert picture(cli.namespace) == before


@pytest.mark.parametrize("address", [f"{V4}/24", f"{V6}/64", "10.5.0.1"])
def test_down_stays_listed(cli: Command, address: str) -> None:
    """S36: an alias that is down keeps its slot and its address, also in IPv6, where the kernel
    forgets it; up brings it back."""
    cli.silent("eth9:3", address)
    cli.settled("eth9:3")
    wanted = (address.partition("/")[0], cli.one("eth9:3")["ifindex"], 3)
    cli.silent("eth9:3", "down")
    down = cli.one("eth9:3")
    assert down["state"] == "down"
    assert (down["local"], down["ifindex"], down["slot"]) == wanted
    assert "eth9:3" in cli("cat", "aliases")
    cli.silent("eth9:3", "up")
    up = cli.settled("eth9:3")
    assert (up["local"], up["ifindex"], up["slot"]) == wanted
    assert [
        entry["local"] for entry in addresses(cli.namespace, "eth9:3") if entry["scope"] == "global"
    ] == [wanted[0]]


def test_readdressed_while_down(cli: Command) -> None:
    """An address raises an alias unless the word down stands beside it; then it stays down."""
    for address, other in ((V4, "200.1.1.2"), (f"{V6}/64", "2001:db8::7/64")):
        cli.silent("eth9:0", address, "down")
        cli.silent("eth9:0", other, "down")
        found = cli.one("eth9:0")
        assert (found["state"], found["local"]) == ("down", other.partition("/")[0])
        cli.silent("eth9:0", "up")
        assert cli.settled("eth9:0")["local"] == other.partition("/")[0]
        cli.silent("eth9:0-")


def test_mtu_and_mac_of_an_alias_that_is_there(cli: Command) -> None:
    """Words without an address change what they name, and leave the address alone."""
    cli.silent("eth9:0", f"{V4}/24")
    cli.silent("eth9:0", "mtu", "1300", "hw", "ether", "02:00:00:00:00:0a")
    device = link(cli.namespace, "eth9:0")
    assert (device["mtu"], device["address"]) == (1300, "02:00:00:00:00:0a")
    cli.silent("eth9:0", "netmask", "255.255.0.0")
    assert cli.one("eth9:0")["prefixlen"] == 16
    cli.silent("eth9:0", "metric", "5")
    assert addresses(cli.namespace, "eth9:0")[0]["metric"] == 5


def test_another_kind_and_back(cli: Command) -> None:
    """kind label turns the device into an address of the main device, kind macvlan turns it back;
    name and address stay."""
    cli.silent("eth9:0", V4)
    cli.silent("eth9:0", "kind", "label")
    assert "eth9_0" not in cli.namespace.names()
    found = cli.one("eth9:0")
    assert (found["kind"], found["ifname"], found["label"]) == ("label", "eth9", "eth9:0")
    assert found["local"] == V4
    cli.silent("eth9:0", "kind", "macvlan")
    found = cli.one("eth9:0")
    assert (found["kind"], found["ifname"], found["local"]) == ("macvlan", "eth9_0", V4)
    assert addresses(cli.namespace, "eth9") == []


def test_another_kind_that_cannot_be(cli: Command) -> None:
    """When the new kind cannot serve, the alias stays as it was."""
    cli.silent("eth9:0", V4)
    before = picture(cli.namespace)
    cli.fails(2, "eth9:0", "kind", "label", "mtu", "1400")
    assert picture(cli.namespace) == before


ROLLBACKS = {
    "a label that cannot become a device": (
        "eth9:0 10.2.2.2/24 kind label",
        "eth9:0 kind macvlan hw ether 02:00:00:00:00:09",
    ),
    "a label and an MTU that no device has": (
        "eth9:0 10.2.2.2/24 kind label",
        "eth9:0 kind macvlan mtu 67",
    ),
    "an address and an MTU": ("eth9:0 10.2.2.2/24", "eth9:0 10.2.2.3/24 mtu 67"),
    "an address and a MAC": (
        "eth9:0 10.2.2.2/24",
        "eth9:0 10.3.3.3/24 hw ether 02:00:00:00:00:09",
    ),
    "down and an MTU": ("eth9:0 10.2.2.2/24", "eth9:0 down mtu 67"),
    "IPv6 and a MAC": (f"eth9:0 {V6}/64", "eth9:0 2001:db8::6/64 hw ether 02:00:00:00:00:09"),
    "from IPv4 to IPv6": ("eth9:0 10.2.2.2/24", f"eth9:0 {V6}/64 hw ether 02:00:00:00:00:09"),
    "from IPv6 to IPv4": (f"eth9:0 {V6}/64", "eth9:0 10.2.2.2 mtu 67"),
}


@pytest.mark.parametrize("case", ROLLBACKS)
def test_refused_halfway(cli: Command, case: str) -> None:
    """S20, S87: when the kernel refuses a later step, the earlier ones are undone: the alias is
    what it was."""
    first, second = (words.split() for words in ROLLBACKS[case])
    cli.silent("eth9:1", "10.1.1.1", "hw", "ether", "02:00:00:00:00:09")
    cli.silent(*first)
    cli.settled("eth9:0")
    before = picture(cli.namespace)
    cli.fails(2, *second)
    until(lambda: picture(cli.namespace) == before)


# Deleting


@pytest.mark.parametrize("words", [(), ("0",), ("0.0.0.0",), ("1.2.3.4", "what", "ever")])
def test_deleted(cli: Command, words: tuple[str, ...]) -> None:
    """S23, S88: eth9:0- deletes, whatever follows; nothing is left in the kernel."""
    before = picture(cli.namespace)
    cli.silent("eth9:0", f"{V4}/24")
    cli.silent("eth9:0-", *words)
    assert picture(cli.namespace) == before
    assert cli() == ""


@pytest.mark.parametrize("name", ["eth9:7-", "eth9:300-", "eth9:0-"])
def test_deleting_what_is_not_there(cli: Command, name: str) -> None:
    """S24, S25: ENODEV, and nothing else."""
    cli.fails(2, name)


def test_routes_and_neighbours_go_along(cli: Command) -> None:
    """S27: routes and neighbours through the alias are released with it."""
    cli.silent("eth9:0", "10.5.0.1/24")
    cli.namespace.ip("route add 10.8.0.0/16 via 10.5.0.9 dev eth9:0")
    cli.namespace.ip("neigh add 10.5.0.9 lladdr 02:00:00:00:00:99 dev eth9:0")
    cli.silent("eth9:0-")
    assert "10.5.0" not in cli.namespace.ip("route show table all")
    assert "10.8.0.0" not in cli.namespace.ip("route show table all")
    assert cli.namespace.ip("neigh show nud all").count("10.5.0.9") == 0


def test_deletion_leaves_the_main_device_alone(cli: Command) -> None:
    """S30: addresses and labels of the main device stay, those in the same network too."""
    cli.namespace.ip("addr add 200.1.1.254/24 dev eth9")
    cli.namespace.ip("addr add 200.1.1.253/24 dev eth9 label eth9:web")
    cli.namespace.ip("addr add 2001:db8::254/64 dev eth9 nodad")
    wait_for_local_route(cli.namespace, "2001:db8::254")
    before = picture(cli.namespace)
    for kind in ("macvlan", "label"):
        cli.silent("eth9:0", f"{V4}/24", "kind", kind)
        cli.silent("eth9:1", f"{V6}/64", "kind", kind)
        cli.silent("eth9:0-")
        cli.silent("eth9:1-")
        assert picture(cli.namespace) == before


def test_altname_deletes_the_alias_and_not_the_main(cli: Command) -> None:
    """S31: also when ip(8) deletes by the altname."""
    cli.silent("eth9:0", V4)
    cli.namespace.ip("link del eth9:0")
    assert "eth9" in cli.namespace.names()
    assert cli.names() == []


def test_order_of_creation(cli: Command) -> None:
    """S29, S33: creation order rules within a block, and who comes again goes last."""
    for slot in (0, 2, 1):
        cli.silent(f"eth9:{slot}", f"10.0.0.{slot + 1}")
    assert cli.names() == ["eth9:0", "eth9:2", "eth9:1"]
    cli.silent("eth9:2-")
    assert cli.names() == ["eth9:0", "eth9:1"]
    cli.silent("eth9:2", "10.0.0.9")
    assert cli.names() == ["eth9:0", "eth9:1", "eth9:2"]


def test_blocks_in_order(cli: Command) -> None:
    """S32: every main device is followed by its aliases."""
    cli.namespace.ip("link add eth8 type bridge")
    cli.namespace.ip("link set eth8 up")
    cli.silent("eth8:0", "10.0.0.1")
    cli.silent("eth9:0", "10.0.0.2")
    cli.silent("lo:0", "127.0.0.2")
    cli.silent("eth8:1", "10.0.0.3")
    mains = [name for name in cli.namespace.names() if name in ("lo", "eth8", "eth9")]
    by_main = {"lo": ["lo:0"], "eth8": ["eth8:0", "eth8:1"], "eth9": ["eth9:0"]}
    assert cli.names() == [alias for main in mains for alias in by_main[main]]


# The main device


def test_main_deleted(cli: Command) -> None:
    """S34: its aliases are gone, those of others remain."""
    cli.silent("eth9:0", V4)
    cli.silent("eth9:1", f"{V6}/64")
    cli.silent("lo:0", "127.0.0.2")
    cli.namespace.ip("link del eth9")
    assert cli.names() == ["lo:0"]


def test_main_down_refuses(cli: Command) -> None:
    """S11, S45: EIO although the kernel would do it, and --force does it all the same."""
    cli.namespace.ip("link set eth9 down")
    wait_for_state(cli.namespace, "eth9", "DOWN")
    before = picture(cli.namespace)
    line = cli.fails(2, "eth9:0", V4)
    assert "eth9 is down" in line
    assert picture(cli.namespace) == before
    cli.silent("--force", "eth9:0", V4)
    assert cli.one("eth9:0")["state"] in ("no-carrier", "up")
    cli.silent("eth9:0-")


def test_main_down_and_up_again(cli: Command) -> None:
    """S40, S41: what the kernel keeps is shown as it is: without carrier, and up again."""
    cli.silent("eth9:0", V4)
    cli.namespace.ip("link set eth9 down")
    until(lambda: cli.one("eth9:0")["state"] == "no-carrier")
    cli.namespace.ip("link set eth9 up")
    until(lambda: cli.one("eth9:0")["state"] == "up")


def test_main_readdressed(cli: Command) -> None:
    """S41: another address of the main device leaves the alias as it is."""
    cli.namespace.ip("addr add 200.1.1.254/24 dev eth9")
    cli.silent("eth9:0", V4)
    wait_for_state(cli.namespace, "eth9_0", "UP")
    before = cli.one("eth9:0")
    cli.namespace.ip("addr del 200.1.1.254/24 dev eth9")
    cli.namespace.ip("addr add 200.1.1.253/24 dev eth9")
    after = cli.one("eth9:0")
    assert {**after, "stats64": 0} == {**before, "stats64": 0}


def test_main_renamed(cli: Command) -> None:
    """S44: the alias is known by the new name and shown as renamed; the next command to it gives
    it the new altname, and the old one is free again."""
    cli.silent("eth9:0", V4)
    rename(cli.namespace, "eth9", "wan9")
    until(lambda: cli.json()[0]["state"] == "up,renamed")
    assert cli.names() == ["wan9:0"]
    cli.silent("wan9:0", V4)
    assert link(cli.namespace, "wan9:0")["altnames"] == ["wan9:0"]
    assert link(cli.namespace, "wan9:0")["ifalias"] == "netalias wan9:0"
    assert cli.one("wan9:0")["state"] == "up"
    cli.fails(2, "eth9:0")
    cli.silent("wan9:0-")
    assert cli.names() == []


def test_main_by_its_altname(cli: Command) -> None:
    """A main device may be called by an alternative name; the alias has its primary name."""
    cli.namespace.ip("link property add dev eth9 altname enp9s0")
    cli.silent("enp9s0:0", V4)
    assert cli.names() == ["eth9:0"]
    assert cli.one("enp9s0:0")["altname"] == "eth9:0"
    cli.silent("enp9s0:0-")
    assert cli.names() == []


def test_no_alias_of_an_alias(cli: Command) -> None:
    """S22: neither by the name of the alias nor by that of its device."""
    cli.silent("eth9:0", V4)
    cli.fails(1, "eth9:0:1", "200.1.1.2")
    cli.fails(1, "eth9_0:1", "200.1.1.2")
    assert cli.names() == ["eth9:0"]


# Foreign objects


def test_label_of_others_is_told(cli: Command) -> None:
    """S84: a label eth9:0 on the main device, made by others, does not hinder slot 0, and is told
    in one warning; -q keeps it quiet. The label survives the life of the alias."""
    cli.namespace.ip("addr add 200.1.1.77/24 dev eth9 label eth9:0")
    line = cli.warns("eth9:0", V4)
    assert "eth9:0" in line
    assert "200.1.1.77/24" in line
    states = {(one["kind"], one["owned"]) for one in cli.json("eth9:0")}
    assert states == {("macvlan", True), ("label", False)}
    cli.silent("eth9:0-")
    assert [(one["local"], one["state"]) for one in cli.json()] == [("200.1.1.77", "up,foreign")]
    cli.silent("-q", "eth9:0", V4)
    cli.silent("eth9:0-")
    assert addresses(cli.namespace, "eth9")[0]["local"] == "200.1.1.77"


def test_label_of_others_is_deleted_only_by_name(cli: Command) -> None:
    """A foreign label is listed, is not changed, and goes when its very name is deleted."""
    cli.namespace.ip("addr add 10.3.0.1/32 dev eth9 label eth9:5")
    cli.namespace.ip("addr add 10.3.0.2/32 dev eth9 label eth9:6")
    before = picture(cli.namespace)
    cli.fails(2, "eth9:5", "metric", "5")
    assert picture(cli.namespace) == before
    assert "others made this label (10.3.0.1/32)" in cli.warns("eth9:5-")
    assert cli.names() == ["eth9:6"]
    assert [entry["local"] for entry in addresses(cli.namespace, "eth9")] == ["10.3.0.2"]


def test_altname_taken(cli: Command) -> None:
    """S83: the altname eth9:0 belongs to another device: EEXIST, and no half-made link is left."""
    cli.namespace.ip("link add br9 type bridge")
    cli.namespace.ip("link property add dev br9 altname eth9:0")
    before = picture(cli.namespace)
    assert "br9" in cli.fails(2, "eth9:0", V4)
    assert picture(cli.namespace) == before
    cli.fails(2, "eth9:0-")
    assert picture(cli.namespace) == before


def test_primary_name_taken(cli: Command) -> None:
    """S83 for the primary name: a device of others called eth9_0 stays what it is."""
    cli.namespace.ip("link add eth9_0 type bridge")
    before = picture(cli.namespace)
    assert "eth9_0" in cli.fails(2, "eth9:0", V4)
    cli.fails(2, "eth9:0-")
    assert picture(cli.namespace) == before


def test_two_aliases_with_one_mac(cli: Command) -> None:
    """S87: the second one cannot be raised; that is told, and nothing of it is left."""
    mac = ("hw", "ether", "02:00:00:00:00:09")
    cli.silent("eth9:0", V4, *mac)
    before = picture(cli.namespace)
    line = cli.fails(2, "eth9:1", "200.1.1.2", *mac)
    assert "MAC" in line
    assert picture(cli.namespace) == before


def test_shared_address_is_told(cli: Command) -> None:
    """S62: two aliases with one address are possible, and one warning tells it."""
    cli.silent("eth9:0", V4)
    assert V4 in cli.warns("eth9:1", V4)
    assert cli("lookup", V4) == "eth9:1\n"


# Half-made devices


HALVES = {
    "nothing but a name": [],
    "an altname": ["link property add dev eth9_0 altname eth9:0"],
    "a record": ["link set eth9_0 alias netalias\\ eth9:0"],
}


@pytest.fixture(params=HALVES)
def half(request: pytest.FixtureRequest, cli: Command) -> Command:
    """What a run leaves that was killed after its first steps."""
    cli.namespace.ip("link add eth9_0 link eth9 group 28257 type macvlan mode bridge")
    for words in HALVES[request.param]:
        cli.namespace.run(["ip", *(word.replace("\\ ", " ") for word in _split(words))])
    return cli


def _split(words: str) -> list[str]:
    return re.split(r"(?<!\\) ", words)


def test_half_made_is_shown(half: Command) -> None:
    """S86: it is listed, without an address, as half-made."""
    (found,) = half.json()
    assert found["altname"] == "eth9:0"
    assert found["state"] == "down,half-made"
    assert "local" not in found


def test_half_made_is_completed(half: Command) -> None:
    """S86: the command that was interrupted completes it, and the device is the same."""
    index = half.one("eth9:0")["ifindex"]
    half.silent("eth9:0", V4)
    found = half.one("eth9:0")
    assert (found["ifindex"], found["state"], found["local"]) == (index, "up", V4)
    device = link(half.namespace, "eth9_0")
    assert device["altnames"] == ["eth9:0"]
    assert device["ifalias"] == "netalias eth9:0"
    assert sysctl(half.namespace, "ipv4/conf/eth9_0/arp_ignore") == "1"
    assert [one["family"] for one in addresses(half.namespace, "eth9_0")] == ["inet"]


def test_half_made_is_removed(half: Command) -> None:
    """S86: deleting it by the name of its alias takes it away."""
    half.silent("eth9:0-")
    assert "eth9_0" not in half.namespace.names()


def test_half_made_without_an_address_cannot_be_raised(half: Command) -> None:
    """It has no address that could be raised: an error says so."""
    half.fails(2, "eth9:0", "up")


# Main devices that cannot carry macvlan


def test_loopback(bare: Command) -> None:
    """S21, S89: an alias on lo is a label, IPv4 and IPv6; kind macvlan is a clear error."""
    bare.silent("lo:0", "127.0.0.2")
    bare.silent("lo:2", "10.1.0.1/24")
    bare.silent("lo:1", "2001:db8::77")
    assert bare.names() == ["lo:0", "lo:2", "lo:1"]
    assert {one["kind"] for one in bare.json()} == {"label"}
    assert {"LOOPBACK" in one["flags"] for one in bare.json()} == {True}
    assert bare.one("lo:0")["local"] == "127.0.0.2"
    assert bare.one("lo:1")["local"] == "2001:db8::77"
    before = picture(bare.namespace)
    assert "lo" in bare.fails(2, "lo:3", "127.0.0.3", "kind", "macvlan")
    assert "label" in bare.fails(2, "lo:0", "down")
    assert picture(bare.namespace) == before
    bare.silent("lo:1", "2001:db8::78")
    bare.silent("lo:0", "127.0.0.9")
    held = {(one["altname"], one["local"]) for one in bare.json()}
    assert held == {("lo:0", "127.0.0.9"), ("lo:1", "2001:db8::78"), ("lo:2", "10.1.0.1")}
    for name in ("lo:0", "lo:1", "lo:2"):
        bare.silent(f"{name}-")
    assert [entry["local"] for entry in addresses(bare.namespace, "lo")] == ["127.0.0.1", "::1"]


def test_loopback_carries_traffic(bare: Command) -> None:
    """A program listens on the alias of lo, and is reached."""
    bare.silent("lo:0", "127.0.0.2")
    bare.silent("lo:1", "2001:db8::77")
    assert talk(bare.namespace, bare.namespace, "127.0.0.2")[0].startswith("127.")
    assert talk(bare.namespace, bare.namespace, "2001:db8::77")[0] == "2001:db8::77"


def test_tun(bare: Command) -> None:
    """S89: a tun device has no Ethernet below it: a label, or an error for kind macvlan."""
    made = bare.namespace.run(["ip", "tuntap", "add", "tun9", "mode", "tun"], check=False)
    if made.returncode:
        pytest.skip(f"no tun device can be made here: {made.stderr.strip()}")
    bare.namespace.ip("link set tun9 up")
    bare.silent("tun9:0", "10.1.0.1")
    assert bare.one("tun9:0")["kind"] == "label"
    wait_for_state(bare.namespace, "tun9", "DOWN")  # nobody has it open
    before = picture(bare.namespace)
    assert "not an Ethernet device" in bare.fails(2, "tun9:1", "10.1.0.2", "kind", "macvlan")
    assert picture(bare.namespace) == before


def test_bridge_port(cli: Command) -> None:
    """S89: nothing can stand on a port of a bridge: a label, or an error that names the bridge."""
    cli.namespace.ip("link add br9 type bridge")
    cli.namespace.ip("link set eth9 master br9")
    cli.silent("eth9:0", V4)
    assert cli.one("eth9:0")["kind"] == "label"
    before = picture(cli.namespace)
    assert "port of br9" in cli.fails(2, "eth9:1", "200.1.1.2", "kind", "macvlan")
    assert picture(cli.namespace) == before


def test_bridge_itself(bare: Command) -> None:
    """A bridge carries macvlans."""
    bare.namespace.ip("link add br9 type bridge")
    bare.namespace.ip("link set br9 up")
    bare.silent("br9:0", V4)
    assert bare.one("br9:0")["kind"] == "macvlan"


def test_kind_that_the_kernel_has_not(cli: Command) -> None:
    """A kind is tried in the kernel; what is missing is said, and nothing is left."""
    for kind, below in (("ipvlan", ["link", "eth9"]), ("dummy", [])):
        words = ["ip", "link", "add", "t9", *below, "type", kind]
        if not cli.namespace.run(words, check=False).returncode:
            cli.namespace.ip("link del t9")
            continue
        before = picture(cli.namespace)
        assert kind in cli.fails(2, "eth9:0", V4, "kind", kind)
        assert picture(cli.namespace) == before


# Labels


def test_label_is_an_address_of_the_main(cli: Command) -> None:
    """kind label: a colon label for ifconfig and the like, with our mark, and no device."""
    cli.silent("eth9:0", "10.1.0.1/24", "kind", "label")
    (entry,) = addresses(cli.namespace, "eth9")
    assert (entry["local"], entry["label"]) == ("10.1.0.1", "eth9:0")
    assert cli.one("eth9:0")["protocol"] == PROTOCOL
    cli.silent("eth9:0-")
    assert addresses(cli.namespace, "eth9") == []


def test_label_too_long(cli: Command) -> None:
    """S19: a label over 15 bytes is an error, never cut."""
    rename(cli.namespace, "eth9", "enx001122334455")
    before = picture(cli.namespace)
    assert "15" in cli.fails(2, "enx001122334455:0", V4, "kind", "label")
    assert picture(cli.namespace) == before


@pytest.mark.parametrize("promote", [0, 1])
def test_label_does_not_take_secondaries_along(cli: Command, promote: int) -> None:
    """S30: the kernel deletes the secondaries of an address unless promote_secondaries is set; an
    address of others that came after our label outlives it, and the setting is as it was."""
    path = "ipv4/conf/eth9/promote_secondaries"
    set_sysctl(cli.namespace, path, promote)
    set_sysctl(cli.namespace, "ipv4/conf/all/promote_secondaries", 0)
    cli.silent("eth9:0", "10.1.0.1/24", "kind", "label")
    cli.namespace.ip("addr add 10.1.0.7/24 dev eth9")
    cli.namespace.ip("addr add 10.1.0.8/24 dev eth9")
    cli.silent("eth9:0-")
    assert [entry["local"] for entry in addresses(cli.namespace, "eth9")] == [
        "10.1.0.7",
        "10.1.0.8",
    ]
    assert routes(cli.namespace, "10.1.0.0/24") == ["eth9"]
    assert sysctl(cli.namespace, path) == str(promote)


def test_label_after_a_rename(cli: Command) -> None:
    """S44: behind an address of the main device the kernel renames the label too; slot and
    address stay."""
    cli.namespace.ip("addr add 10.2.0.1/32 dev eth9")
    cli.silent("eth9:4", "10.1.0.1", "kind", "label")
    rename(cli.namespace, "eth9", "wan9")
    (found,) = cli.json()
    assert (found["altname"], found["local"], found["owned"]) == ("wan9:4", "10.1.0.1", True)
    cli.silent("wan9:4-")
    assert [entry["local"] for entry in addresses(cli.namespace, "wan9")] == ["10.2.0.1"]


# Networks and their routes


def test_network_of_the_main(cli: Command) -> None:
    """An alias inside a network of its main device brings no second route for it."""
    cli.namespace.ip("addr add 10.5.0.254/24 dev eth9")
    cli.silent("eth9:0", "10.5.0.1/24")
    cli.silent("eth9:1", "10.5.0.2/25")
    assert routes(cli.namespace, "10.5.0.0/24") == ["eth9"]
    assert routes(cli.namespace, "10.5.0.0/25") == []


@pytest.mark.parametrize(
    ("first", "second", "third", "network"),
    [
        ("10.5.0.1/24", "10.5.0.2/24", "10.5.0.3/24", "10.5.0.0/24"),
        ("2001:db8:5::1/64", "2001:db8:5::2/64", "2001:db8:5::3/64", "2001:db8:5::/64"),
    ],
)
def test_network_of_another_alias_and_its_heir(
    cli: Command, first: str, second: str, third: str, network: str
) -> None:
    """Of several aliases in one network one brings the route; when it goes, another takes it
    over, until the last one takes the route along."""
    options = "-6" if ":" in network else ""
    for slot, address in enumerate((first, second, third)):
        cli.silent(f"eth9:{slot}", address)
        cli.settled(f"eth9:{slot}")
    assert routes(cli.namespace, network, options) == ["eth9_0"]
    for slot, heirs in ((0, {"eth9_1", "eth9_2"}), (2, {"eth9_1"})):
        cli.silent(f"eth9:{slot}-")
        (device,) = routes(cli.namespace, network, options)
        assert device in heirs
        for name in cli.names():
            assert cli.settled(name)["owned"]
    cli.silent("eth9:1-")
    assert routes(cli.namespace, network, options) == []


def test_heir_of_a_readdressed_alias(cli: Command) -> None:
    """The bringer moves to another network: the other alias takes the route over, once."""
    cli.silent("eth9:0", "10.5.0.1/24")
    cli.silent("eth9:1", "10.5.0.2/24")
    cli.silent("eth9:0", "10.6.0.1/24")
    assert routes(cli.namespace, "10.5.0.0/24") == ["eth9_1"]
    assert routes(cli.namespace, "10.6.0.0/24") == ["eth9_0"]
    cli.silent("eth9:0", "10.5.0.9/24")
    assert routes(cli.namespace, "10.5.0.0/24") == ["eth9_1"]
    assert routes(cli.namespace, "10.6.0.0/24") == []


def test_bringer_readdressed_within_its_network(cli: Command) -> None:
    """The bringer stays the bringer: one route before, one after."""
    cli.silent("eth9:0", "10.5.0.1/24")
    cli.silent("eth9:1", "10.5.0.2/24")
    cli.silent("eth9:0", "10.5.0.7/24")
    assert routes(cli.namespace, "10.5.0.0/24") == ["eth9_0"]


# Many, and at once


def test_forty_in_a_row(cli: Command) -> None:
    """Forty aliases, of both families, all there, in order, and all gone again."""
    before = picture(cli.namespace)
    for slot in range(40):
        address = f"10.5.0.{slot + 1}/24" if slot % 2 else f"2001:db8:5::{slot + 1:x}/64"
        cli.silent(f"eth9:{slot}", address)
    assert cli.names() == [f"eth9:{slot}" for slot in range(40)]
    assert len(routes(cli.namespace, "10.5.0.0/24")) == 1
    for slot in range(40):
        cli.silent(f"eth9:{slot}-")
    assert picture(cli.namespace) == before


def test_twenty_at_once(cli: Command) -> None:
    """Twenty processes make the same alias: there is one device of the name afterwards, each of
    them ends well or with a clean error, and nothing is left half-made."""
    running = [
        cli.namespace.start(
            command("eth9:0", f"10.0.0.{number + 1}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for number in range(20)
    ]
    ends = [(*one.communicate(timeout=2 * SECONDS), one.returncode) for one in running]
    for out, error, status in ends:
        assert out == ""
        if status:
            assert status in (2, 75)
            one_line(error, "netalias: ")
        else:
            assert error == ""
    assert any(status == 0 for *_, status in ends)
    (found,) = cli.json()
    assert (found["altname"], found["state"]) == ("eth9:0", "up")
    assert [name for name in cli.namespace.names() if "_" in name] == ["eth9_0"]
    assert [entry["local"] for entry in addresses(cli.namespace, "eth9_0")] == [found["local"]]


def test_twenty_slots_at_once(cli: Command) -> None:
    """Twenty processes make twenty aliases of one network: all are there, and one route."""
    running = [
        cli.namespace.start(command(f"eth9:{number}", f"10.5.0.{number + 1}/24"))
        for number in range(20)
    ]
    assert [one.wait(timeout=2 * SECONDS) for one in running] == [0] * 20
    assert sorted(cli.names()) == sorted(f"eth9:{number}" for number in range(20))
    assert len(routes(cli.namespace, "10.5.0.0/24")) == 1


def test_lock_busy(cli: Command) -> None:
    """While another run holds the lock a change waits, and gives up with status 75; who only
    looks does not wait."""
    cli.silent("eth9:0", V4)
    before = picture(cli.namespace)
    with lock_file(cli.namespace).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        line = cli.fails(75, "--wait", "0", "eth9:1", "200.1.1.2")
        assert "another netalias" in line
        cli.fails(75, "--wait=0", "eth9:0-")
        assert cli.names() == ["eth9:0"]
        assert cli("--dry-run", "eth9:0-").startswith("ip link del eth9_0\n")
        waiting = cli.namespace.start(command("eth9:1", "200.1.1.2"))
        assert picture(cli.namespace) == before
    assert waiting.wait(timeout=SECONDS) == 0
    assert cli.names() == ["eth9:0", "eth9:1"]


# What is shown


def test_lookup(cli: Command) -> None:
    """The owner of an address, or status 1 and no text."""
    cli.silent("eth9:0", f"{V4}/24")
    cli.silent("eth9:1", f"{V6}/64")
    assert cli("lookup", V4) == "eth9:0\n"
    assert cli("lookup", "2001:DB8:0::5") == "eth9:1\n"
    assert cli("lookup", "inet", V4) == "eth9:0\n"
    none = cli.run("lookup", "9.9.9.9")
    assert (none.returncode, none.stdout, none.stderr) == (3, "", "")


def test_texts_of_proc(cli: Command) -> None:
    """S73 to S75, S82: the text of /proc/net/aliases, and the number of aliases of each type."""
    cli.silent("eth9:0", V4)
    cli.silent("eth9:2", f"{V6}/64")
    lines = cli("cat", "aliases").splitlines(keepends=True)
    assert [len(line) for line in lines] == [64, 64, 64]
    assert lines[1].split() == ["eth9:0", "2", V4]
    assert lines[2].split() == ["eth9:2", "10", V6]
    assert re.search(r"^2 +ip +1 *$", cli("cat", "alias_types"), re.MULTILINE)
    assert re.search(r"^10 +ipv6 +1 *$", cli("cat", "alias_types"), re.MULTILINE)


def test_the_detail_of_one_alias(cli: Command) -> None:
    """netalias eth9:0 shows everything there is to say; of a missing one it is ENODEV (S4), and it
    is not made by being looked at or raised."""
    cli.silent("eth9:0", f"{V4}/24")
    text = cli("eth9:0")
    for word in ("eth9:0", "macvlan", "eth9_0", f"{V4}/24", "group 28257", "proto 97"):
        assert word in text
    before = picture(cli.namespace)
    for words in (["eth9:5"], ["eth9:5", "up"], ["eth9:5", "netmask", "255.255.255.0"]):
        cli.fails(2, *words)
    assert picture(cli.namespace) == before


def test_verbose_prints_what_was_done(cli: Command) -> None:
    """-v prints the steps of the dry run, and does them."""
    planned = cli("--dry-run", "eth9:0", V4)
    assert cli("-v", "eth9:0", V4) == planned
    assert planned.count("\n") > 3
    assert cli("-v", "eth9:0", V4) == ""


def test_group_is_the_mark(cli: Command) -> None:
    """--group separates: aliases of another mark are seen with that mark only."""
    cli.silent("--group", "777", "eth9:0", V4)
    assert cli.names() == []
    assert cli("--group=777", "-br", "show").split()[0] == "eth9:0"
    cli.fails(2, "eth9:0-")
    cli.fails(2, "eth9:0", "200.1.1.2")
    cli.silent("--group", "777", "eth9:0-")
    assert "eth9_0" not in cli.namespace.names()
