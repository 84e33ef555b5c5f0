"""``doctor``: each fault is made, found in exactly these words, and mended by its command."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import (
    COMMAND,
    Command,
    Json,
    forget,
    ip_json,
    listening,
    picture,
    rename,
    set_sysctl,
    sysctl,
    wait_for_state,
    without_dad,
)
from support import Namespace, until, veth_pair

FOUND = 3

MANUAL = (Path(__file__).parents[2] / "docs" / "netalias.8").read_text(encoding="utf-8")
LEVELS = {
    name.replace("\\", ""): level
    for name, level in re.findall(r'^\.BR (\S+) " \(" (\w+) \)$', MANUAL, re.MULTILINE)
}
"""The level of each check, as the manual has it."""

MAIN_ADDRESS = "10.0.0.1/24"
ALIASES = (
    "eth9:0 10.0.0.5 kind macvlan",
    "eth9:1 10.20.0.5/24 kind macvlan",
    "eth9:2 10.0.0.7 kind label",
    "eth9:3 2001:db8::5/64 kind macvlan",
)
MAIN_SETTINGS = {"arp_ignore": 1, "arp_announce": 2}
"""Sysctls that IPv4 macvlans need on their main device."""

needs_nft = pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")


class Doctor(Command):
    """The command, and a shell for the commands in its findings."""

    def findings(self, *words: str) -> list[Json]:
        """The objects of ``-j doctor``; the exit status is 3 for any but hints."""
        done = self.run("-j", "doctor", *words)
        found: list[Json] = json.loads(done.stdout)
        faults = [one for one in found if one["level"] != "hint"]
        assert (done.returncode, done.stderr) == (FOUND if faults else 0, ""), done
        return found

    def content(self) -> None:
        """There is nothing to be found."""
        self.silent("doctor")

    def sh(self, script: str) -> None:
        """Run a line of a shell that knows ``netalias``."""
        words = " ".join(map(shlex.quote, COMMAND))
        path = f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
        self.namespace.run(["sh", "-c", f'{path}; netalias() {{ {words} "$@"; }}\n{script}'])


def staged(here: Namespace) -> Doctor:
    """eth9 with an address, and the aliases: all is well."""
    without_dad(here)
    here.raise_lo()
    wait_for_state(here, "eth9", "UP")
    here.ip(f"addr add {MAIN_ADDRESS} dev eth9")
    cli = Doctor(here)
    done = cli.run("batch", "-", input="".join(f"{line}\n" for line in ALIASES))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for key, value in MAIN_SETTINGS.items():
        set_sysctl(here, f"ipv4/conf/eth9/{key}", value)
    cli.settled("eth9:3")
    return cli


@pytest.fixture
def cli(veth: Namespace) -> Iterator[Doctor]:
    """The stage, with the other end of eth9 in another namespace."""
    yield staged(veth)
    forget(veth)


@pytest.fixture
def local(netns: Namespace) -> Iterator[Doctor]:
    """The stage, with the other end of eth9, p9, in the same namespace."""
    veth_pair(netns, netns)
    yield staged(netns)
    forget(netns)


FAULTS = [
    (
        "main-down",
        "ip link set eth9 down",
        "eth9: no alias on it can be reached",
        "eth9 is down",
        "ip link set eth9 up",
    ),
    (
        "noarp",
        "ip link set eth9_0 arp off",
        "eth9:0: hosts cannot learn the MAC of 10.0.0.5",
        "ARP is switched off on eth9_0 (NOARP)",
        "ip link set eth9_0 arp on",
    ),
    (
        "noarp",
        "ip link set eth9 arp off",
        "eth9:2: hosts cannot learn the MAC of 10.0.0.7",
        "ARP is switched off on eth9 (NOARP)",
        "ip link set eth9 arp on",
    ),
    (
        "rp-filter",
        "sysctl -w net.ipv4.conf.eth9_0.rp_filter=1",
        "eth9:0: packets from 10.0.0.0/24 to 10.0.0.5 are dropped",
        "rp_filter of eth9_0 is 1 and the way back to 10.0.0.0/24 is eth9",
        "sysctl -w net.ipv4.conf.eth9_0.rp_filter=2",
    ),
    (
        "rp-filter",
        "sysctl -w net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth9_0.rp_filter=0",
        "eth9:0: packets from 10.0.0.0/24 to 10.0.0.5 are dropped",
        "rp_filter of all devices is 1 and the way back to 10.0.0.0/24 is eth9",
        "sysctl -w net.ipv4.conf.eth9_0.rp_filter=2",
    ),
    (
        "rp-filter",
        "netalias eth9:4 10.20.0.6 kind label && sysctl -w net.ipv4.conf.eth9.rp_filter=1",
        "eth9:4: packets from 10.20.0.0/24 to 10.20.0.6 are dropped",
        "rp_filter of eth9 is 1 and the way back to 10.20.0.0/24 is eth9_1",
        "sysctl -w net.ipv4.conf.eth9.rp_filter=2",
    ),
    (
        "arp-filter",
        "netalias eth9:1- && sysctl -w net.ipv4.conf.eth9_0.arp_filter=1",
        "eth9:0: hosts in 10.0.0.0/24 cannot learn the MAC of 10.0.0.5",
        "arp_filter of eth9_0 is 1 and the way back to 10.0.0.0/24 is eth9",
        "sysctl -w net.ipv4.conf.eth9_0.arp_filter=0",
    ),
    (
        "arp-ignore",
        "sysctl -w net.ipv4.conf.eth9_0.arp_ignore=2",
        "eth9:0: hosts cannot learn the MAC of 10.0.0.5",
        "arp_ignore of eth9_0 is 2",
        "sysctl -w net.ipv4.conf.eth9_0.arp_ignore=1",
    ),
    (
        "arp-ignore",
        "netalias eth9:0- && netalias eth9:1- &&"
        " sysctl -w net.ipv4.conf.all.arp_ignore=8 net.ipv4.conf.eth9.arp_ignore=8",
        "eth9:2: hosts cannot learn the MAC of 10.0.0.7",
        "arp_ignore of eth9 is 8",
        "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.eth9.arp_ignore=1",
    ),
    (
        "arp-flux",
        "sysctl -w net.ipv4.conf.eth9.arp_ignore=0",
        "eth9: it answers ARP for eth9:0 and eth9:1 too",
        "arp_ignore of eth9 is 0, so peers may learn its MAC instead of the alias's own",
        "sysctl -w net.ipv4.conf.eth9.arp_ignore=1",
    ),
    (
        "arp-announce",
        "sysctl -w net.ipv4.conf.eth9.arp_announce=1",
        "eth9: it sends ARP requests in the name of eth9:0 and eth9:1",
        "arp_announce of eth9 is 1, so peers may learn its MAC instead of the alias's own",
        "sysctl -w net.ipv4.conf.eth9.arp_announce=2",
    ),
    (
        "promote-secondaries",
        "ip addr add 10.0.0.9/24 dev eth9 label eth9:4"
        " && sysctl -w net.ipv4.conf.eth9.promote_secondaries=0",
        "eth9:4: 10.0.0.9 goes when 10.0.0.1 is deleted",
        "it is a secondary address of eth9, and promote_secondaries of eth9 is 0",
        "sysctl -w net.ipv4.conf.eth9.promote_secondaries=1",
    ),
    (
        "down",
        "netalias eth9:0 down",
        "eth9:0: it is down",
        "eth9_0 is not up, which may be intended",
        "netalias eth9:0 up",
    ),
    (
        "no-address",
        "ip addr del 10.0.0.5/32 dev eth9_0",
        "eth9:0: it has no address",
        "somebody removed its address, and there is no record of it",
        "netalias eth9:0-",
    ),
    (
        "no-address",
        "ip addr del 2001:db8::5/64 dev eth9_3",
        "eth9:3: it has no address",
        "somebody removed its address",
        "netalias eth9:3 2001:db8::5/64",
    ),
    (
        "half-made",
        "ip link property del dev eth9_0 altname eth9:0",
        "eth9:0: it is half-made",
        "an interrupted run left it so, or somebody removed one of its names",
        "netalias eth9:0 up",
    ),
    (
        "remnant",
        "ip link set eth9_0 group 93793",
        "eth9:0: it should be gone",
        "an interrupted run was about to delete it; netalias eth9:0 up keeps it",
        "netalias eth9:0-",
    ),
    (
        "mtu",
        "ip link set eth9_0 mtu 1400",
        "eth9:0: packets of more than 1400 bytes are cut or dropped",
        "the MTU of eth9_0 is 1400, that of eth9 1500",
        "netalias eth9:0 mtu 1500",
    ),
    (
        "disable-ipv6",
        "sysctl -w net.ipv6.conf.eth9_3.disable_ipv6=1",
        "eth9:3: 2001:db8::5 is not in force",
        "disable_ipv6 of eth9_3 is 1",
        "sysctl -w net.ipv6.conf.eth9_3.disable_ipv6=0 && netalias eth9:3 2001:db8::5/64",
    ),
    (
        "mtu-ipv6",
        "ip link set eth9_3 mtu 1200",
        "eth9:3: 2001:db8::5 is not in force",
        "the MTU of eth9_3 is 1200, and IPv6 needs 1280",
        "netalias eth9:3 2001:db8::5/64 mtu 1500",
    ),
    (
        "duplicate",
        "ip link add eth8 type bridge && ip addr add 10.0.0.5/32 dev eth8",
        "eth9:0: 10.0.0.5 exists twice",
        "it is also on eth8, and packets go to only one of them",
        "netalias eth9:0-",
    ),
    (
        "duplicate",
        "ip addr add 10.0.0.5/24 dev eth9_0 label eth9:0",
        "eth9:0: its device has 10.0.0.5 twice",
        "another program, as ifup does, has added 10.0.0.5/24 to eth9_0",
        "ip addr del 10.0.0.5/24 dev eth9_0",
    ),
    (
        "local-route",
        "ip route del local 10.0.0.5 dev eth9_0 table local",
        "eth9:0: packets to 10.0.0.5 are not accepted",
        "its local route is gone",
        "ip route add local 10.0.0.5 dev eth9_0 table local proto kernel scope host src 10.0.0.5",
    ),
    (
        "local-route",
        "ip -6 route del local 2001:db8::5 dev eth9_3 table local",
        "eth9:3: packets to 2001:db8::5 are not accepted",
        "its local route is gone",
        "ip -6 route add local 2001:db8::5 dev eth9_3 table local proto kernel metric 0",
    ),
    (
        "network-route",
        "ip route del 10.20.0.0/24 dev eth9_1",
        "eth9:1: answers do not arrive in 10.20.0.0/24",
        "there is no route to it",
        "ip route prepend 10.20.0.0/24 dev eth9_1 proto kernel scope link src 10.20.0.5",
    ),
    (
        "network-route",
        "ip route add default via 10.0.0.2 && ip route del 10.20.0.0/24 dev eth9_1",
        "eth9:1: answers do not arrive in 10.20.0.0/24",
        "the route to it goes to a router on eth9",
        "ip route prepend 10.20.0.0/24 dev eth9_1 proto kernel scope link src 10.20.0.5",
    ),
    (
        "network-route",
        "ip link add eth8 type veth peer name p8 && ip link set eth8 up && ip link set p8 up &&"
        " ip route prepend 10.20.0.0/24 dev eth8",
        "eth9:1: answers do not arrive in 10.20.0.0/24",
        "the route to it is that of eth8",
        "ip route del 10.20.0.0/24 dev eth9_1 &&"
        " ip route prepend 10.20.0.0/24 dev eth9_1 proto kernel scope link src 10.20.0.5",
    ),
    (
        "network-route",
        "ip -6 route del 2001:db8::/64 dev eth9_3",
        "eth9:3: answers do not arrive in 2001:db8::/64",
        "there is no route to it",
        "ip -6 route add 2001:db8::/64 dev eth9_3 proto kernel metric 256",
    ),
]
"""Check, the command that makes the fault, and the expected text."""


def test_the_stage_is_healthy(cli: Doctor) -> None:
    """Whatever is found on it is due to its test."""
    cli.content()


@pytest.mark.parametrize(
    ("check", "fault", "text", "why", "command"),
    FAULTS,
    ids=[f"{number}-{one[0]}" for number, one in enumerate(FAULTS)],
)
def test_a_fault_is_found_and_mended(
    cli: Doctor, check: str, fault: str, text: str, why: str, command: str
) -> None:
    """A fault is the only finding, in these words; after its command there is none."""
    cli.sh(fault)
    held(cli, check, text, why, command)


def held(cli: Doctor, check: str, text: str, why: str, command: str) -> None:
    """The one finding says this, as JSON and as text; its command mends it."""
    found = until(cli.findings)
    assert [(one["check"], one["text"], one["why"], one["command"]) for one in found] == [
        (check, text, why, command)
    ]
    level = LEVELS[check]
    assert found[0]["level"] == level
    done = cli.run("doctor")
    assert (done.returncode, done.stderr) == (0 if level == "hint" else FOUND, "")
    assert done.stdout == f"{level}: {text}\n    {why}\n    {command}\n"
    cli.sh(command)
    until(lambda: not cli.findings())
    cli.content()


def test_looking_changes_nothing(cli: Doctor) -> None:
    """Devices, addresses, routes and neighbours are as before, fault or not."""
    cli.namespace.ip("link set eth9_0 mtu 1400")
    before = picture(cli.namespace)
    assert len(cli.findings()) == 1
    assert picture(cli.namespace) == before


def test_all_kinds_and_families_are_healthy(cli: Doctor) -> None:
    """Fresh aliases give no finding, not even under a strict reverse path everywhere."""
    set_sysctl(cli.namespace, "ipv4/conf/all/rp_filter", 1)
    cli.silent("eth9:4", "10.30.0.1/24", "kind", "label")
    cli.silent("eth9:5", "2001:db8:1::1/64", "kind", "label")
    cli.silent("eth9:6", "10.0.0.6/24")
    for line in ("lo:0 192.0.2.1/24", "lo:1 192.0.3.1", "lo:2 2001:db8:2::1/64"):
        cli.silent(*line.split())
    cli.settled("eth9:5")
    cli.content()


def test_a_fault_of_another_device_is_none_of_this(cli: Doctor) -> None:
    """With words only these aliases and main devices are examined."""
    cli.namespace.ip("link add eth8 type bridge")
    cli.namespace.ip("link set eth9_0 mtu 1400")
    assert [one["alias"] for one in cli.findings("eth9")] == ["eth9:0"]
    assert [one["alias"] for one in cli.findings("eth9:0")] == ["eth9:0"]
    assert cli.findings("eth9:1") == []
    assert [one["check"] for one in cli.findings("eth8")] == ["main-down"]


def test_what_is_not_there_is_an_error(cli: Doctor) -> None:
    """As show says it."""
    for word in ("eth7", "eth9:99", "a/b"):
        assert cli.fails(2 if "/" not in word else 1, "doctor", word) == cli.fails(
            2 if "/" not in word else 1, "show", word
        )


def test_the_cable(local: Doctor) -> None:
    """The other end of a veth pair is down: the main device has no carrier."""
    local.silent("eth9:3-")
    local.content()
    local.sh("ip link set p9 down")
    wait_for_state(local.namespace, "eth9", "LOWERLAYERDOWN")
    held(
        local,
        "main-carrier",
        "eth9: no alias on it can be reached",
        "eth9 has no carrier: p9, which it depends on, is down",
        "ip link set p9 up",
    )


def test_a_cable_that_is_elsewhere(cli: Doctor) -> None:
    """A finding has no command if none can help; one on a tentative address names the carrier."""
    assert cli.namespace.peer is not None
    cli.namespace.peer.ip("link set p9 down")
    wait_for_state(cli.namespace, "eth9", "DOWN")
    set_sysctl(cli.namespace, "ipv6/conf/default/accept_dad", 1)
    cli.run("--force", "eth9:4", "2001:db8:4::1/64", "kind", "macvlan")
    found = {one["check"]: one for one in cli.findings()}
    assert set(found) == {"main-carrier", "tentative"}
    assert found["main-carrier"]["command"] == ""
    assert found["main-carrier"]["why"] == "eth9 has no carrier: check the cable and its other end"
    assert found["tentative"]["text"] == "eth9:4: 2001:db8:4::1 is not in force"
    assert found["tentative"]["why"] == "it is tentative until eth9_4 has a carrier"
    cli.namespace.peer.ip("link set p9 up")
    until(lambda: not cli.findings())


def test_a_port(cli: Doctor) -> None:
    """A label on a device that became a port of a bridge moves to the bridge."""
    for name in ("eth9:0-", "eth9:1-", "eth9:3-"):
        cli.silent(name)
    cli.sh("ip link add br0 type bridge && ip link set br0 up && ip link set eth9 master br0")
    for key, value in MAIN_SETTINGS.items():
        set_sysctl(cli.namespace, f"ipv4/conf/br0/{key}", value)
    wait_for_state(cli.namespace, "br0", "UP")
    held(
        cli,
        "main-port",
        "eth9:2: nothing that is sent to 10.0.0.7 arrives at eth9",
        "eth9 is a port of the bridge br0, which takes its frames",
        "netalias eth9:2- && netalias br0:2 10.0.0.7/32",
    )


def test_a_dummy_that_nobody_answers_for(cli: Doctor) -> None:
    """A dummy becomes a label if the main device answers for its own addresses only."""
    if cli.run("eth9:4", "10.0.0.8", "kind", "dummy").returncode:
        pytest.skip("the kernel has no dummy")
    held(
        cli,
        "arp-ignore",
        "eth9:4: hosts cannot learn the MAC of 10.0.0.8",
        "arp_ignore of eth9 is 1, and the address is not one of eth9",
        "netalias eth9:4 kind label",
    )


def test_the_same_mac_twice(cli: Doctor) -> None:
    """Of two devices with one MAC the second cannot be raised; it gets another one."""
    mac = cli.json("eth9:0")[0]["address"]
    cli.sh(f"ip link set eth9_0 down && netalias eth9:1 down && ip link set eth9_1 address {mac}")
    cli.silent("eth9:0", "up")
    found = {one["check"]: one for one in cli.findings()}
    assert set(found) == {"down", "same-mac"}
    twin = found["same-mac"]
    assert twin["text"] == "eth9:1: it cannot be raised"
    assert twin["why"] == f"eth9_1 and eth9_0 have the same MAC, {mac}"
    begin, _, end = twin["command"].partition("address ")
    assert begin == "ip link set eth9_1 "
    assert end.endswith(" && netalias eth9:1 up")
    cli.sh(twin["command"])
    cli.content()


def test_asked_and_never_heard(cli: Doctor) -> None:
    """A macvlan without any answer may be filtered by its MAC."""
    cli.silent("eth9:1-")
    cli.silent("eth9:3-")
    set_sysctl(cli.namespace, "ipv4/neigh/eth9_0/mcast_solicit", 1)
    with cli.namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth9_0")
        sender.sendto(b"hello", ("10.0.0.99", 9))
    held(
        cli,
        "mac-filter",
        "eth9:0: it has asked for the MAC of 10.0.0.99 and received nothing for its own MAC",
        "wireless and many virtual networks drop frames of MACs other than that of eth9",
        "netalias eth9:0 kind label",
    )


def test_somebody_else_has_the_address(cli: Doctor) -> None:
    """An IPv6 address that the peer has is not in force."""
    assert cli.namespace.peer is not None
    cli.silent("eth9:3-")
    set_sysctl(cli.namespace, "ipv6/conf/default/accept_dad", 1)
    cli.namespace.peer.ip("addr add 2001:db8::5/64 dev p9 nodad")
    cli.run("eth9:3", "2001:db8::5/64", "kind", "macvlan")
    until(lambda: "dadfailed" in cli("show"))
    held(
        cli,
        "dadfailed",
        "eth9:3: 2001:db8::5 is not in force",
        "another host on this network has it (dadfailed)",
        "netalias eth9:3-",
    )


def test_a_label_of_others_with_the_name_of_an_alias(cli: Doctor) -> None:
    """A name exists twice; the finding mentions ifconfig if it is installed."""
    cli.sh("ip addr add 10.9.9.9/32 dev eth9 label eth9:0")
    also = "; ifconfig eth9:0 shows and changes that" if shutil.which("ifconfig") else ""
    held(
        cli,
        "label-twin",
        "eth9:0: its name exists twice",
        f"somebody has given 10.9.9.9/32 on eth9 the label eth9:0{also}",
        "netalias eth9:0- && netalias eth9:4 10.0.0.5/32 kind macvlan",
    )
    assert "10.9.9.9/32" in cli.namespace.ip("addr show dev eth9")


@pytest.mark.skipif(shutil.which("ifconfig") is None, reason="ifconfig is not installed")
def test_a_name_that_ifconfig_cuts(netns: Namespace) -> None:
    """On a main device with a name of 15 bytes ifconfig would hit the main device."""
    netns.ip("link add enx001122334455 type veth peer name p9")
    netns.ip("link set enx001122334455 up")
    netns.ip("link set p9 up")
    cli = Doctor(netns)
    without_dad(netns)
    set_sysctl(netns, "ipv4/conf/all/arp_ignore", 1)
    set_sysctl(netns, "ipv4/conf/all/arp_announce", 2)
    cli.silent("-q", "enx001122334455:0", "10.0.0.5", "kind", "macvlan")
    device = cli.json()[0]["ifname"]
    found = until(lambda: [one for one in cli.findings() if one["check"] == "ifconfig"])
    assert found[0]["text"] == (
        "enx001122334455:0: ifconfig enx001122334455:0 ADDRESS replaces the address of"
        " enx001122334455 itself"
    )
    assert found[0]["why"] == f"ifconfig cuts names at 15 bytes; ifconfig {device} is the alias"
    assert (found[0]["level"], found[0]["command"]) == ("hint", "")
    rename(netns, "enx001122334455", "eth9")
    cli.sh("netalias eth9:0 up")
    cli.content()
    forget(netns)


def test_a_renamed_main_device(cli: Doctor) -> None:
    """The commands rename the aliases after their main device."""
    rename(cli.namespace, "eth9", "wan")
    found = cli.findings()
    assert [(one["check"], one["text"], one["why"]) for one in found] == [
        (
            "renamed",
            "wan:0: it still has a former name (the same: wan:1 and wan:3)",
            "its main device is now called wan",
        )
    ]
    # Their devices still have the former name, so no loop over slots names them.
    assert found[0]["command"].split("\n") == [f"netalias wan:{slot} up" for slot in (0, 1, 3)]
    cli.sh(found[0]["command"])
    cli.content()


def test_an_address_that_has_lost_its_slot(veth: Namespace) -> None:
    """The first label of a device that is renamed becomes the bare name; it gets a free slot."""
    cli = Doctor(veth)
    cli.silent("eth9:2", "10.0.0.7", "kind", "label")
    cli.silent("eth9:0", "10.0.0.8", "kind", "label")
    rename(veth, "eth9", "wan")
    cli.sh("netalias wan:0 up")
    held(
        cli,
        "stray",
        "wan: 10.0.0.7/32 belongs to no alias",
        "its label had a slot until wan was renamed, or somebody changed it",
        "ip addr del 10.0.0.7/32 dev wan && netalias wan:1 10.0.0.7/32 kind label",
    )
    forget(veth)


def test_the_only_alias_has_lost_its_slot(veth: Namespace) -> None:
    """Its main device is looked at, though no alias is left on it."""
    cli = Doctor(veth)
    cli.silent("eth9:2", "10.20.0.7/24", "kind", "label")
    rename(veth, "eth9", "wan")
    (found,) = cli.findings()
    assert found["check"] == "stray"
    assert cli.findings("wan") == [found]
    cli.sh(found["command"])
    cli.content()
    forget(veth)


def test_a_lost_address_that_others_hang_on(veth: Namespace) -> None:
    """The kernel would delete them with it."""
    cli = Doctor(veth)
    cli.silent("eth9:2", "10.0.0.7/24", "kind", "label")
    set_sysctl(veth, "ipv4/conf/eth9/promote_secondaries", 0)
    veth.ip("addr add 10.0.0.99/24 dev eth9")
    rename(veth, "eth9", "wan")
    (found,) = [one for one in cli.findings() if one["check"] == "stray"]
    assert found["command"].startswith("sysctl -w net.ipv4.conf.wan.promote_secondaries=1 && ")
    cli.sh(found["command"])
    assert "10.0.0.99/24" in veth.ip("addr show dev wan")
    assert sysctl(veth, "ipv4/conf/wan/promote_secondaries") == "0"
    assert not [one for one in cli.findings() if one["check"] == "stray"]
    forget(veth)


@needs_nft
def test_a_firewall_that_names_an_alias_by_its_colon(cli: Doctor) -> None:
    """Names in rules and in sets of nftables are found; the table is replaced as a whole."""
    rules = """
        table inet filter {
            set trusted { type ifname; elements = { "eth9:1" } }
            chain input {
                type filter hook input priority 0; policy accept;
                iifname "eth9:0" tcp dport 22 accept
                iifname "eth9:2" accept
                iifname . ip saddr { "eth9:3" . 192.0.2.1 } accept
                iifname "eth9:0*" iifname @trusted accept
            }
        }"""
    cli.namespace.run([shutil.which("nft") or "", "-f", "-"], input=rules)
    found = cli.findings()
    assert {one["check"] for one in found} == {"firewall"}
    assert [one["aliases"] for one in found] == [["eth9:0", "eth9:1", "eth9:3"], ["eth9:2"]]
    assert found[0]["text"] == (
        "eth9:0: a rule in the table inet filter that names it never matches"
        " (the same: eth9:1 and eth9:3)"
    )
    assert found[0]["why"] == "firewalls know primary names only: they see eth9_0"
    assert len(found[0]["command"].split("\n")) == 3
    assert found[0]["command"].split("\n")[0] == (
        "(echo delete table inet filter; nft list table inet filter |"
        """ sed 's/"eth9:0"/"eth9_0"/g') | nft -f -"""
    )
    for one in found:
        cli.sh(one["command"])
    cli.content()
    text = cli.namespace.run([shutil.which("nft") or "", "list", "ruleset"]).stdout
    assert 'iifname "eth9_0" tcp dport 22 accept' in text
    assert 'iifname "eth9" ip daddr 10.0.0.7 accept' in text
    assert 'iifname . ip saddr { "eth9_3" . 192.0.2.1 } accept' in text
    assert 'elements = { "eth9_1" }' in text


def test_what_holds_a_device_that_is_gone(cli: Doctor) -> None:
    """Sockets of both families and protocols that wait for others, rules and sets of nftables;
    what holds a device that is there is fine."""
    cli.silent("eth9:4", "10.0.0.9", "kind", "macvlan")
    index = ip_json(cli.namespace, "link show dev eth9_4")[0]["ifindex"]
    held = []
    if shutil.which("nft"):
        rules = (
            "table inet filter { chain input { iif eth9_4 accept\n oif { eth9_4, lo } drop\n"
            " iif eth9_0 accept\n meta mark 77777 accept\n}\n}\n"
        )
        cli.namespace.run([shutil.which("nft") or "", "-f", "-"], input=rules)
        held.append("a rule in the table inet filter")
    with cli.namespace, ExitStack() as open_:
        for family, place in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "[::]")):
            for kind, word in ((socket.SOCK_STREAM, "tcp"), (socket.SOCK_DGRAM, "udp")):
                for device, port in ((b"eth9_4", 7001), (b"eth9_0", 7002)):
                    made = open_.enter_context(socket.socket(family, kind))
                    if family == socket.AF_INET6:
                        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device)
                    made.bind(("", port))
                    if word == "tcp":
                        made.listen()
                held.append(f"the socket {word} {place}:7001")
        assert not cli.findings()
        cli.namespace.ip("link del eth9_4")
        found = cli.findings()
    assert {one["check"] for one in found} == {"lost-index"}
    texts = [one["text"] for one in found]
    assert texts == [f"{what} is for the device {index}, which is gone" for what in sorted(held)]


def test_a_rule_that_has_lost_its_alias(cli: Doctor) -> None:
    """By the alternative name, in both families; its command replaces the name."""
    cli.namespace.ip("rule add pref 100 from 10.0.0.5 iif eth9:0 lookup 200")
    cli.namespace.ip("-6 rule add pref 101 oif eth9:0 lookup main")
    cli.namespace.ip("rule add pref 102 iif eth9_0 lookup 200")
    cli.namespace.ip("link del eth9_0")
    cli.silent("eth9:0", "10.0.0.5", "kind", "macvlan")
    found = [one for one in cli.findings() if one["check"] == "detached-rule"]
    assert [one["text"] for one in found] == [
        "eth9:0: a rule of the policy that names it never matches: iif eth9:0",
        "eth9:0: a rule of the policy that names it never matches: oif eth9:0",
    ]
    for one in found:
        cli.sh(one["command"])
    cli.content()
    rules = cli.namespace.ip("rule") + cli.namespace.ip("-6 rule")
    assert "100:\tfrom 10.0.0.5 iif eth9_0 lookup 200\n" in rules
    assert "101:\tfrom all oif eth9_0 lookup main\n" in rules
    assert "eth9:0" not in rules


def test_a_name_with_a_dot(netns: Namespace) -> None:
    """sysctl takes slashes where the name of a device has a dot."""
    veth_pair(netns, netns, name="eth9.5")
    cli = Doctor(netns)
    cli.silent("eth9.5:0", "10.0.0.5", "kind", "macvlan")
    cli.sh("sysctl -w net/ipv4/conf/eth9.5/arp_ignore=0 net/ipv4/conf/eth9.5/arp_announce=2")
    held(
        cli,
        "arp-flux",
        "eth9.5: it answers ARP for eth9.5:0 too",
        "arp_ignore of eth9.5 is 0, so peers may learn its MAC instead of the alias's own",
        "sysctl -w net/ipv4/conf/eth9.5/arp_ignore=1",
    )
    forget(netns)


def test_a_gateway_that_is_gone(cli: Doctor) -> None:
    """The rule and the route of a gateway can be deleted by anybody."""
    for slot, router, family in ((0, "10.0.0.254", "-4"), (3, "2001:db8::fe", "-6")):
        cli.silent(f"eth9:{slot}", "gateway", router)
        cli.content()
        said = (
            f"eth9:{slot}: sockets that are bound to eth9_{slot} reach nothing beyond its segment"
        )
        command = f"netalias eth9:{slot} gateway {router}"
        cli.namespace.ip(f"{family} rule del oif eth9_{slot}")
        held(cli, "gateway", said, f"the rule for eth9_{slot} is gone", command)
        cli.namespace.ip(f"{family} route flush table all proto 97")
        held(cli, "gateway", said, f"the default route of eth9_{slot} is gone", command)
        cli.silent(f"eth9:{slot}", "gateway", "none")


@pytest.mark.parametrize("word", ["unreachable", "blackhole", "prohibit"])
def test_a_default_route_that_refuses_before_a_gateway(cli: Doctor, word: str) -> None:
    """It ends the lookup of a bound socket, whatever its metric; that of IPv6 does not."""
    cli.silent("eth9:0", "gateway", "10.0.0.254")
    cli.silent("eth9:3", "gateway", "2001:db8::fe")
    cli.namespace.ip("route add default via 10.0.0.254")
    cli.namespace.ip("-6 route add default via 2001:db8::fe")
    cli.namespace.ip("route add throw default metric 99")
    cli.content()
    cli.namespace.ip(f"route add {word} default metric 9999")
    cli.namespace.ip(f"-6 route add {word} default metric 9999")
    held(
        cli,
        "barred-gateway",
        "eth9:0: sockets that are bound to eth9_0 reach nothing beyond its segment, though"
        " 10.0.0.5 has a gateway",
        f"the route '{word} default' of the table main ends the search before it",
        f"ip route del {word} default",
    )


@pytest.mark.parametrize(("ip", "family"), [("ip", "IPv4"), ("ip -6", "IPv6")])
def test_a_default_route_that_refuses_what_the_host_sends(
    cli: Doctor, ip: str, family: str
) -> None:
    """It says why no address is the source towards other networks."""
    cli.silent("eth9:3-")  # in whose network the address is that the doctor asks a route for
    cli.namespace.ip("addr add 2001:db8:9::1/64 dev eth9 nodad")
    cli.sh(f"{ip} route add unreachable default")
    held(
        cli,
        "barred",
        f"what the host sends to other networks over {family} is refused",
        "its default route is 'unreachable default'",
        f"{ip} route del unreachable default",
    )


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.255/24", "it is the broadcast address of the network 10.0.0.0/24"),
        ("10.0.0.0/24", "it is the address of the network 10.0.0.0/24"),
        ("127.0.0.9", "it is a loopback address"),
    ],
)
@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_an_address_that_no_host_can_have(cli: Doctor, address: str, why: str, kind: str) -> None:
    """The command that made it warned; whoever looks later is told."""
    cli.run("eth9:7", address, "kind", kind)
    text = address.partition("/")[0]
    held(cli, "special", f"eth9:7: other hosts do not reach {text}", why, "netalias eth9:7-")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_bound_socket_without_a_gateway(cli: Doctor, kind: socket.SocketKind) -> None:
    """Hosts beyond the router do not reach a server that is bound to the device."""
    with listening(cli.namespace, socket.AF_INET, kind, device="eth9_0"):
        cli.content()  # nothing is beyond
        cli.namespace.ip("route add default via 10.0.0.254")
        held(
            cli,
            "no-gateway",
            "eth9:0: a socket is bound to eth9_0, and reaches nothing beyond its segment",
            "the default route leads through eth9, and the alias has no gateway",
            "netalias eth9:0 gateway auto",
        )
    cli.silent("eth9:0", "gateway", "none")
    cli.content()


def test_a_rule_that_is_left(cli: Doctor) -> None:
    """The kernel keeps a rule whose device somebody else has deleted."""
    cli.silent("eth9:0", "gateway", "10.0.0.254")
    (rule,) = ip_json(cli.namespace, "rule show pref 32768")
    cli.namespace.ip("link del eth9_0")
    held(
        cli,
        "leftover-rule",
        "a rule for eth9_0 is left, which would hold for the next device so called",
        "there is no device eth9_0 any more",
        f"ip rule del pref 32768 oif eth9_0 lookup {rule['table']} protocol 97",
    )


def test_what_hands_off_leaves_undone(cli: Doctor) -> None:
    """Effects of --hands-off are found, and the commands mend them."""
    for slot in range(4):
        cli.silent(f"eth9:{slot}-")
    for key in MAIN_SETTINGS:
        set_sysctl(cli.namespace, f"ipv4/conf/eth9/{key}", 0)
    cli.run("-q", "--hands-off", "eth9:0", "10.0.0.5", "kind", "macvlan")
    found = cli.findings()
    assert [one["check"] for one in found] == ["arp-flux", "arp-announce"]
    for one in found:
        cli.sh(one["command"])
    cli.content()


def test_another_namespace(cli: Doctor) -> None:
    """-n looks there, at its settings and its routes too."""
    cli.sh("sysctl -w net.ipv4.conf.eth9_0.rp_filter=1")
    elsewhere = Namespace()
    outside = Doctor(elsewhere)
    outside.content()
    done = outside.run("-n", cli.namespace.path, "-p", "-j", "doctor")
    assert done.returncode == FOUND
    assert done.stdout.startswith("[\n    {\n")
    (finding,) = json.loads(done.stdout)
    assert finding["check"] == "rp-filter"
    assert finding["command"] == (
        f"nsenter --net={cli.namespace.path} sysctl -w net.ipv4.conf.eth9_0.rp_filter=2"
    )
    outside.sh(finding["command"])
    cli.content()
    forget(elsewhere)
    elsewhere.close()


def test_what_an_ordinary_user_may_not_see(cli: Doctor) -> None:
    """Unread facts are one line, which -q leaves out, and no finding."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed")
    words = [setpriv, "--bounding-set=-all", "--inh-caps=-all", *COMMAND]
    done = cli.namespace.run([*words, "doctor"], check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "netalias: not looked at: firewall tables: Operation not permitted\n"
    done = cli.namespace.run([*words, "-q", "doctor"], check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
