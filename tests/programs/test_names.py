"""docs/programs.md, as far as the programs are here: which device a program takes for which name.

The stage has eth9:0, a macvlan called eth9_0, and eth9:1, a label; eth9:7 does not exist.
"""

from __future__ import annotations

import ctypes
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command import Command
from reached import (
    ALIAS,
    DEVICE,
    LABEL,
    MAIN,
    MISSING,
    NOBODY,
    ends,
    listening,
    name_of,
    packet_sockets,
    running,
)
from support import Namespace, until, veth_pair

# The ways to turn a name into a device -----------------------------------------------------------


def by_ioctl(cli: Command, name: str) -> str:
    """if_nametoindex(3), which is SIOCGIFINDEX: libpcap, %scope, dhclient."""
    libc = ctypes.CDLL(None, use_errno=True)
    with cli.namespace:
        return name_of(cli, libc.if_nametoindex(name.encode()))


def by_binding(cli: Command, name: str) -> str:
    """SO_BINDTODEVICE: haproxy, curl, socat, chrony, iperf3."""
    with cli.namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name.encode())
        except OSError:
            return NOBODY
        found = made.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
        return found.rstrip(b"\0").decode()


def by_list(cli: Command, name: str) -> str:
    """The names of getifaddrs(3), where a label is one: dnsmasq, unbound, ssh."""
    listed = {DEVICE, MAIN, LABEL, "lo"}
    shown = cli.namespace.ip("-o addr show")
    assert all(one in shown for one in (DEVICE, LABEL))
    return name if name in listed else NOBODY


def by_ip(cli: Command, name: str) -> str:
    """``ip link set``, which falls back to if_nametoindex(3) for a name that netlink has not."""
    done = cli.namespace.run(["ip", "link", "set", name, "alias", "probed"], check=False)
    assert done.returncode == 0
    found = [
        one for one in (MAIN, DEVICE) if "alias probed" in cli.namespace.ip(f"link show {one}")
    ]
    for one in found:
        old = "netalias eth9:0" if one == DEVICE else ""
        cli.namespace.run(["ip", "link", "set", one, "alias", old])
    return found[0]


WAYS: dict[Callable[[Command, str], str], tuple[str, str, str, str]] = {
    by_ioctl: (MAIN, DEVICE, MAIN, MAIN),
    by_binding: (DEVICE, DEVICE, NOBODY, NOBODY),
    by_list: (NOBODY, DEVICE, LABEL, NOBODY),
    by_ip: (DEVICE, DEVICE, MAIN, MAIN),
}
"""Way: the devices that the names of the alias, of its device, of the label and of nothing mean."""


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_which_device_a_name_means(stage: Command, way: Callable[[Command, str], str]) -> None:
    """The primary name means the device in every way; eth9:0 in some of them the main device."""
    assert tuple(way(stage, name) for name in (ALIAS, DEVICE, LABEL, MISSING)) == WAYS[way]


@pytest.fixture
def long_named(stage: Command) -> Iterator[Command]:
    """A main device of 13 bytes with the slots 1 and 12."""
    with_peer = Namespace()
    veth_pair(stage.namespace, with_peer, "enp0s20f0u1u4", "q9")
    stage.silent("-q", "enp0s20f0u1u4:1", "10.1.0.1", "kind", "macvlan")
    stage.silent("-q", "enp0s20f0u1u4:12", "10.1.0.12", "kind", "macvlan")
    yield stage
    stage.namespace.ip("link del enp0s20f0u1u4")
    with_peer.close()


def test_a_name_that_is_cut(long_named: Command) -> None:
    """At 15 bytes: enp0s20f0u1u4:12 binds the alias 1. The primary name binds its own device."""
    shown = json.loads(long_named("-j", "show", "enp0s20f0u1u4"))
    device = {one["slot"]: one["ifname"] for one in shown}
    assert by_binding(long_named, "enp0s20f0u1u4:12") == device[1]
    assert by_binding(long_named, device[12]) == device[12]


# Programs ----------------------------------------------------------------------------------------


def test_ping(stage: Command) -> None:
    """iputils looks for the name of an address, not for a device, and refuses the colon."""
    status, said = ends(stage, "ping", "-c1", "-W1", "-I", ALIAS, "10.0.0.2")
    assert (status, "invalid source address" in said or "unknown iface" in said) == (2, True), said
    assert ends(stage, "ping", "-c1", "-W2", "-I", DEVICE, "10.0.0.2")[0] == 0


def test_busybox_ping(stage: Command) -> None:
    """It binds to the device."""
    for name in (ALIAS, DEVICE):
        assert ends(stage, "busybox", "ping", "-c1", "-W2", "-I", name, "10.0.0.2")[0] == 0


def test_ifconfig(stage: Command) -> None:
    """It cuts at the colon: the MTU of the main device changes, and its aliases follow."""
    assert ends(stage, "ifconfig", ALIAS, "mtu", "1400")[0] == 0
    assert "mtu 1400" in stage.namespace.ip(f"link show {MAIN}")
    assert ends(stage, "ifconfig", MAIN, "mtu", "1500")[0] == 0
    assert ends(stage, "ifconfig", DEVICE, "mtu", "1450")[0] == 0
    assert "mtu 1500" in stage.namespace.ip(f"link show {MAIN}")
    assert "mtu 1450" in stage.namespace.ip(f"link show {DEVICE}")
    stage.namespace.ip(f"link set {DEVICE} mtu 1500")


def test_ip_link_del_of_what_is_not_there(stage: Command) -> None:
    """It deletes the main device."""
    there = Namespace()
    veth_pair(stage.namespace, there, "eth8", "p8")
    stage.namespace.ip("link del eth8:0")
    assert "eth8" not in stage.namespace.names()
    there.close()


def test_tc(stage: Command) -> None:
    """Through netlink it reaches the alias, and without one the main device."""
    for name, device in ((ALIAS, DEVICE), (MISSING, MAIN)):
        assert ends(stage, "tc", "qdisc", "add", "dev", name, "root", "pfifo", "limit", "7")[0] == 0
        shown = stage.namespace.run(["tc", "qdisc", "show", "dev", device]).stdout
        assert "pfifo" in shown
        assert "limit 7p" in shown
        stage.namespace.run(["tc", "qdisc", "del", "dev", device, "root"])


def test_nft(stage: Command) -> None:
    """iifname takes any text, which then matches nothing; iif looks for the device."""
    rule = "add table ip t; add chain ip t c; add rule ip t c {} counter"
    for words, status in (
        (f'iifname "{ALIAS}"', 0), (f'iif "{ALIAS}"', 1), (f"iif {DEVICE}", 0),
    ):  # fmt: skip
        assert ends(stage, "nft", rule.format(words))[0] == status
    ends(stage, "nft", "delete table ip t")


def test_curl(stage: Command) -> None:
    """It binds to the device of either name."""
    assert stage.namespace.peer is not None
    with stage.namespace.peer, socket.create_server(("10.0.0.2", 8080)) as server:
        server.settimeout(5)
        for name in (ALIAS, DEVICE):
            with running(stage, "curl", "-s", "--interface", name, "http://10.0.0.2:8080/"):
                connection, (address, _) = server.accept()
                connection.close()
            assert address == "10.0.0.5"


@pytest.mark.parametrize(("name", "device"), [(ALIAS, MAIN), (DEVICE, DEVICE), (MISSING, MAIN)])
def test_tcpdump(stage: Command, name: str, device: str) -> None:
    """libpcap asks by ioctl: silently the main device."""
    with running(stage, "tcpdump", "-n", "-Z", "root", "-i", name, "-w", "/dev/null"):
        until(lambda: packet_sockets(stage) == [device])


@pytest.mark.parametrize(("name", "status"), [(ALIAS, 2), (LABEL, None), (DEVICE, None)])
def test_dnsmasq(stage: Command, name: str, status: int | None) -> None:
    """It looks in the list of getifaddrs(3): a label by its name, a device by its primary name."""
    words = (f"--interface={name}", "--bind-interfaces", "--no-daemon", "--conf-file=/dev/null")
    if status is not None:
        found, said = ends(stage, "dnsmasq", *words, "--port=5353")
        assert (found, f"unknown interface {name}" in said) == (status, True)
        return
    with running(stage, "dnsmasq", *words, "--port=5353", "--user=root", "--pid-file="):
        address = {DEVICE: "10.0.0.5", LABEL: "10.0.0.6"}[name]
        until(lambda: f"{address}:5353" in listening(stage))


@pytest.mark.parametrize(("name", "bound"), [(ALIAS, DEVICE), (DEVICE, DEVICE), (LABEL, "")])
def test_haproxy(stage: Command, tmp_path: Path, name: str, bound: str) -> None:
    """It binds to the device; to a label it cannot, and listens everywhere with a warning."""
    file = tmp_path / "haproxy.cfg"
    file.write_text(
        "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        f"frontend f\n bind :8088 interface {name}\n http-request deny\n"
    )
    with running(stage, "haproxy", "-db", "-f", str(file)):
        line = until(lambda: [one for one in listening(stage).splitlines() if ":8088" in one])[0]
    assert (f"%{bound}:8088" in line) == bool(bound)


@pytest.mark.parametrize(("name", "bound"), [(ALIAS, DEVICE), (DEVICE, DEVICE), (LABEL, "")])
def test_socat(stage: Command, name: str, bound: str) -> None:
    """It binds to the device; for a label it ends."""
    words = ("socat", f"TCP-LISTEN:8089,so-bindtodevice={name}", "-")
    if not bound:
        assert ends(stage, *words)[0] == 1
        return
    with running(stage, *words):
        until(lambda: f"%{bound}:8089" in listening(stage))


@pytest.mark.parametrize(("name", "status"), [(ALIAS, 5), (DEVICE, 0)])
def test_keepalived(stage: Command, tmp_path: Path, name: str, status: int) -> None:
    """It refuses a configuration with a device that it does not find in its list."""
    file = tmp_path / "keepalived.conf"
    file.write_text(
        f"vrrp_instance V {{\n interface {name}\n virtual_router_id 7\n priority 100\n"
        f" virtual_ipaddress {{\n 10.0.0.77/24\n }}\n}}\n"
    )
    assert ends(stage, "keepalived", "-t", "-f", str(file))[0] == status
