"""docs/programs.md: servers, watchers of frames and clients that are seldom installed."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from command import Command
from dhcp import dhclient, server, udhcpc
from interfaces import ifup, why_no_ifup
from reached import (
    ALIAS,
    DEVICE,
    LABEL,
    MAIN,
    MISSING,
    NOBODY,
    ends,
    listening,
    mac,
    packet_sockets,
    running,
)
from support import until
from unpacked import daemon

NAMES = (ALIAS, DEVICE, LABEL)
PORT = "5353"

# Servers: NAME stands for the name, FILE for the file ---------------------------------------------

UNBOUND = """\
server:
  interface: NAME
  port: 5353
  do-daemonize: no
  chroot: ""
  username: ""
  use-syslog: no
  pidfile: ""
  directory: "/"
  module-config: "iterator"
remote-control:
  control-enable: no
"""
CHRONY = "binddevice NAME\nport 5353\nallow\ncmdport 0\npidfile FILE.pid\n"
SERVERS = {
    "unbound -d -c FILE": (UNBOUND, (NOBODY, "10.0.0.5", "10.0.0.6")),
    "chronyd -d -x -u root -f FILE": (CHRONY, (f"%{DEVICE}", f"%{DEVICE}", NOBODY)),
    f"iperf3 -s -p {PORT} --bind-dev NAME": ("", (f"%{DEVICE}", f"%{DEVICE}", NOBODY)),
}
"""Words -> a file, and where the server listens: an address, or %DEVICE."""
DEAF = ("Could not open NTP socket",)
"""What a server says that stays without listening."""


@pytest.mark.early
@pytest.mark.parametrize("words", SERVERS, ids=lambda words: words.split()[0])
def test_where_a_server_listens(stage: Command, tmp_path: Path, words: str) -> None:
    """On the address or on the device of the name; where it is refused nowhere at all."""
    text, places = SERVERS[words]
    for name, place in zip(NAMES, places, strict=True):
        file = tmp_path / name
        file.write_text(text.replace("NAME", name).replace("FILE", str(file)))
        command = words.replace("NAME", name).replace("FILE", str(file)).split()
        if place:
            with running(stage, *command):
                until(lambda: f"{place}:{PORT} " in listening(stage))  # noqa: B023 over by then
        else:
            status, said = ends(stage, *command)
            assert status == 1 or any(one in said for one in DEAF), (name, said)
        until(lambda: f":{PORT} " not in listening(stage))


# Programs that see frames -----------------------------------------------------------------------

HOSTAPD = "interface=NAME\ndriver=wired\nieee8021x=1\neapol_version=2\neap_server=1\n"
UCARP = "ucarp -i NAME -s 10.0.0.5 -v 1 -p x -a 10.0.0.77 -u /bin/true -d /bin/true"
FRAMES = {
    "hostapd FILE": (HOSTAPD, (MAIN, DEVICE, NOBODY)),
    UCARP: ("", (MAIN, DEVICE, MAIN)),
}
"""Words -> a file, and the device that a packet socket is bound to."""


@pytest.mark.parametrize("words", FRAMES, ids=lambda words: words.split()[0])
def test_which_device_a_packet_socket_has(stage: Command, tmp_path: Path, words: str) -> None:
    """The index is asked for by ioctl: eth9:0 means the main device."""
    text, devices = FRAMES[words]
    for name, device in zip(NAMES, devices, strict=True):
        file = tmp_path / name
        file.write_text(text.replace("NAME", name))
        command = words.replace("NAME", name).replace("FILE", str(file)).split()
        if device:
            with running(stage, *command):
                until(lambda: packet_sockets(stage) == [device])  # noqa: B023 over by then
        else:
            assert ends(stage, *command)[0] == 1
        until(lambda: not packet_sockets(stage))


def test_arp_scan(stage: Command) -> None:
    """eth9:0 is the main device, without the address of anybody."""
    for name, device in zip(NAMES, (MAIN, DEVICE, MAIN), strict=True):
        assert f"MAC: {mac(stage, device)}," in ends(stage, "arp-scan", "-I", name, "10.0.0.2")[1]


# Clients ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    ["fping -c1 -I NAME 10.0.0.2", "traceroute.db -n -q1 -m1 -i NAME 10.0.0.2"],
    ids=lambda words: words.split()[0],
)
def test_clients_that_bind_to_the_device(stage: Command, words: str) -> None:
    """Both names mean the device; a label is none."""
    for name, status in zip(NAMES, (0, 0, 1), strict=True):
        assert ends(stage, *words.replace("NAME", name).split())[0] == status, name


def test_ssh(stage: Command) -> None:
    """It takes the address of the name from a list, and is bound to no device."""
    assert stage.namespace.peer is not None
    words = ("ssh", "-F", "none", "-o", "BatchMode=yes", "-p", "2222", "-o")
    with stage.namespace.peer, socket.create_server(("10.0.0.2", 2222)) as server:
        server.settimeout(5)
        for name, source in ((DEVICE, "10.0.0.5"), (LABEL, "10.0.0.6")):
            with running(stage, *words, f"BindInterface={name}", "10.0.0.2"):
                connection, (address, _) = server.accept()
                connection.close()
            assert address == source
    status, said = ends(stage, *words, f"BindInterface={ALIAS}", "10.0.0.2")
    assert (status, "no suitable addresses" in said) == (255, True)


def test_ethtool(stage: Command) -> None:
    """-i asks by ioctl: the driver is that of the main device."""
    for name, driver in zip(NAMES, ("veth", "macvlan", "veth"), strict=True):
        assert f"driver: {driver}\n" in ends(stage, "ethtool", "-i", name)[1]


def test_busybox_arping(spare: Command) -> None:
    """It asks with the address of the alias and the MAC of the main device, and neighbours believe
    it; with the primary name it asks as the alias."""
    peer = spare.namespace.peer
    assert peer is not None
    for name, device in ((ALIAS, MAIN), (DEVICE, DEVICE)):
        assert ends(spare, "busybox", "arping", "-c1", "-I", name, "10.0.0.2")[0] == 0
        told = f"lladdr {mac(spare, device)} "
        until(lambda: told in peer.ip("neigh show 10.0.0.5 dev p9"))  # noqa: B023 over by then


# DHCP clients -----------------------------------------------------------------------------------

LEASE = "10.0.0.100"
DHCP = [
    (dhclient, ALIAS, MAIN, DEVICE),
    (dhclient, DEVICE, DEVICE, DEVICE),
    (dhclient, MISSING, MAIN, MAIN),
    (udhcpc, ALIAS, MAIN, MAIN),
    (udhcpc, DEVICE, DEVICE, DEVICE),
    (udhcpc, LABEL, MAIN, MAIN),
]
"""Client, name, the device whose MAC asks, the device that gets the address."""


@pytest.mark.parametrize(("client", "name", "asks", "gets"), DHCP)
def test_dhcp_clients(
    spare: Command,
    tmp_path: Path,
    client: Callable[[Path, str], str],
    name: str,
    asks: str,
    gets: str,
) -> None:
    """With eth9:0 dhclient works on both devices at once; udhcpc takes the addresses of eth9."""
    here, peer = spare.namespace, spare.namespace.peer
    assert peer is not None
    script = client(tmp_path, name)
    with server(peer, tmp_path, LEASE), daemon(here, script, tmp_path / "log"):
        until(lambda: LEASE in here.ip(f"-4 addr show dev {gets}"), 20)
        assert mac(spare, asks) in (tmp_path / LEASE).read_text()
    own = client is udhcpc and asks == MAIN
    assert ("10.0.0.1/24" in here.ip(f"-4 addr show dev {MAIN}")) != own


def test_ifup(spare: Command, tmp_path: Path) -> None:
    """It adds the address of an alias to its device once more, which check and doctor find."""
    if why_no_ifup():
        pytest.skip(why_no_ifup())
    declared, file = tmp_path / "declared", tmp_path / "interfaces"
    declared.write_text("eth9:0 10.0.0.5 kind macvlan\neth9:1 10.0.0.6 kind label\n")
    spare.silent("check", str(declared))
    file.write_text("iface eth9:0 inet static\n    address 10.0.0.5/24\n")
    words = ["--no-scripts", f"--state-dir={tmp_path}", "-i", str(file), ALIAS]
    spare.namespace.run([ifup(), *words])
    assert spare.namespace.ip(f"-4 addr show dev {DEVICE}").count(" 10.0.0.5/") == 2
    assert spare.run("check", str(declared)).returncode == 3
    assert spare.run("reconcile", str(declared)).returncode == 0
    assert spare.namespace.ip(f"-4 addr show dev {DEVICE}").count(" 10.0.0.5/") == 1
    spare.silent("check", str(declared))
