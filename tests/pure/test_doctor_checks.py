"""The checks of the doctor over invented facts: those that no namespace of a test can have."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from netalias import desired, doctor
from netalias.cli import doctor as cli_doctor
from netalias.desired import declarations
from netalias.doctor import foreign, intended, programs
from netalias.doctor.checks.aliases import mac_filter
from netalias.doctor.checks.firewall import firewall
from netalias.doctor.checks.sources import source_address
from netalias.doctor.checks.sysctls import arp_ignore, neighbours
from netalias.doctor.facts import ALL, FAR, Facts
from netalias.doctor.finding import ERROR, HINT, WARNING, Finding, listed, sysctl
from netalias.doctor.foreign import XTABLES, device_names
from netalias.doctor.grouping import NAME, template
from netalias.families import lazy
from netalias.kernel.pyroute.survey import Way
from netalias.model import (
    AF_INET,
    AF_INET6,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    IFF_LOWER_UP,
    IFF_NOARP,
    IFF_UP,
    PROTOCOL,
    Address,
    Alias,
    Device,
    Snapshot,
    Stats,
)
from netalias.model.events import Route
from netalias.model.hidden import group_of
from netalias.model.names import AliasName, primary
from netalias.model.shell import quoted, sysctls
from netalias.observed import Observed
from netalias.runtime import condition

RUNNING = IFF_UP | IFF_LOWER_UP
MAIN = bytes((10, 0, 0, 1))
ALIAS = bytes((10, 0, 0, 5))


def device(index: int, name: str, flags: int = RUNNING, **words: object) -> Device:
    """A device that is up and has a carrier."""
    mac = bytes((2, 0, 0, 0, 0, index))
    return Device(index, name, flags, **{"mac": mac, **words})  # type: ignore[arg-type]


def alias(slot: int = 0, kind: str = "macvlan", **words: object) -> Device:
    """The device of an alias on eth0, which has the index 2."""
    name = f"eth0:{slot}"
    plain: dict[str, object] = {
        "kind": kind,
        "link": 0 if kind == "dummy" else 2,
        "group": GROUP,
        "altnames": [name],
        "ifalias": f"netalias {name}",
    }
    called = str(words.pop("name", f"eth0_{slot}"))
    return device(10 + slot, called, **{**plain, **words})


def address(index: int, local: bytes, prefixlen: int = 32, *, ours: bool = True) -> Address:
    """An IPv4 address, with our mark."""
    return Address(index, AF_INET, local, prefixlen, protocol=PROTOCOL if ours else 0)


def facts(devices: Sequence[Device], addresses: Sequence[Address], root: str = "") -> Facts:
    """All is as it should be: routes of the networks, local routes, ARP of the main device."""
    observed = Observed(Snapshot(devices, addresses), lazy())
    found = Facts(observed, root=root)
    for one in addresses:
        found.routes.append(Route(AF_INET, one.local, 32, (one.index,), type=2, table=255))
    found.routes.append(Route(AF_INET, bytes((10, 0, 0, 0)), 24, (2,)))
    found.sysctls = {
        (AF_INET, "eth0", "arp_ignore"): 1,
        (AF_INET, "eth0", "arp_announce"): 2,
    }
    return found


def staged(kind: str = "macvlan", root: str = "", **main: object) -> Facts:
    """eth0 with 10.0.0.1/24, and eth0:0 with 10.0.0.5."""
    return facts(
        [device(2, "eth0", **main), alias(kind=kind)],
        [address(2, MAIN, 24, ours=False), address(10, ALIAS)],
        root,
    )


def only(found: Facts, check: str) -> Finding:
    """The only finding."""
    (finding,) = doctor.examine(found)
    assert finding.check == check
    return finding


def test_the_stage_is_healthy() -> None:
    """Without a fault there is no finding, for each kind of device."""
    for kind in ("macvlan", "ipvlan"):
        assert doctor.examine(staged(kind)) == []


def test_a_main_device_in_a_vrf() -> None:
    """The device of an alias does not follow its main device into a VRF by itself."""
    red = device(3, "red", kind="vrf")
    addresses = [address(2, MAIN, 24, ours=False), address(10, ALIAS)]
    found = facts([device(2, "eth0", master=3), red, alias()], addresses)
    finding = only(found, "main-vrf")
    assert finding.lines() == [
        "eth0:0: programs in the VRF red do not see its packets",
        "eth0 is in red and eth0_0 is not",
        "ip link set eth0_0 master red",
    ]
    found = facts([device(2, "eth0", master=3), red, alias(master=3)], addresses)
    assert doctor.examine(found) == []


def test_a_dummy_needs_its_main_device_to_answer() -> None:
    """arp_ignore of the main device keeps it from answering for a dummy."""
    found = staged("dummy")
    finding = only(found, "arp-ignore")
    assert finding.lines() == [
        "eth0:0: hosts cannot learn the MAC of 10.0.0.5",
        "arp_ignore of eth0 is 1, and the address is not one of eth0",
        "sysctl -w net.ipv4.conf.eth0.arp_ignore=0",
    ]
    found.sysctls[AF_INET, ALL, "arp_ignore"] = 2
    finding = only(found, "arp-ignore")
    assert finding.why == ("arp_ignore of all devices is 2, and the address is not one of eth0")
    assert finding.command == (
        "sysctl -w net.ipv4.conf.all.arp_ignore=0 net.ipv4.conf.eth0.arp_ignore=0"
    )
    found.sysctls.clear()
    assert doctor.examine(found) == []


def test_a_dummy_beside_macvlans_becomes_a_label() -> None:
    """The command for a dummy leaves the sysctls that macvlans need."""
    other = bytes((10, 0, 0, 6))
    found = facts(
        [device(2, "eth0"), alias(), alias(1, "dummy")],
        [address(2, MAIN, 24, ours=False), address(10, ALIAS), address(11, other)],
    )
    assert only(found, "arp-ignore").command == "netalias eth0:1 kind label"


def with_shards(count: int, *others: Device) -> Facts:
    """eth0 with so many shards and a macvlan, and an arp_ignore that keeps it silent."""
    held = device(9, "eth0_s0", kind="dummy", group=group_of(GROUP), ifalias="netalias eth0 shard")
    shards = [
        Address(9, AF_INET, bytes((10, 0, 1, slot)), 32, label=f"eth0:{slot}", protocol=PROTOCOL)
        for slot in range(1, count + 1)
    ]
    return facts(
        [device(2, "eth0"), held, alias(), *others],
        [address(2, MAIN, 16, ours=False), address(10, ALIAS), *shards],
    )


def test_shards_need_arp_ignore_0() -> None:
    """One finding for all of them, and the command that serves them, whatever macvlans need."""
    finding = only(with_shards(150), "arp-ignore")
    assert finding.lines() == [
        "eth0:1: hosts cannot learn the MAC of 10.0.1.1 (the same: eth0:2, eth0:3 and 147 more)",
        "arp_ignore of eth0 is 1, and the address is not one of eth0",
        "sysctl -w net.ipv4.conf.eth0.arp_ignore=0",
    ]
    assert len(finding.aliases) == 150


def test_the_aliases_are_walked_a_few_times() -> None:
    """Not once for each shard: 5000 of them took a minute."""

    class Counted(list[Alias]):
        def __iter__(self) -> Iterator[Alias]:
            walks.append(1)
            return super().__iter__()

    walks: list[int] = []
    found = with_shards(150)
    found.aliases = Counted(found.aliases)
    assert len(list(arp_ignore(found))) == 150
    assert len(walks) <= 3


@pytest.mark.parametrize("asked", ["eth0:0", ""])
def test_a_macvlan_beside_shards_is_a_hint(asked: str) -> None:
    """No command that would silence the shards, also if the macvlan alone is asked for."""
    found = with_shards(3)
    found.sysctls[AF_INET, "eth0", "arp_ignore"] = 0
    found.aliases = [one for one in found.aliases if asked in ("", one.name)]
    finding = only(found, "arp-flux")
    assert (finding.level, finding.lines()) == (
        HINT,
        [
            "eth0: it answers ARP for eth0:0 too",
            "arp_ignore of eth0 is 0, so peers may learn its MAC instead of the alias's own;"
            " the shard eth0:1 needs arp_ignore 0 on eth0",
        ],
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("eth0:1 eth0:11 xeth0:1 eth0:1", "@ eth0:11 xeth0:1 @"),
        ("eth0:1: (eth0:1)", "@: (@)"),
        ("_eth0:1 eth0:1_ eth0:1-", "_eth0:1 eth0:1_ @-"),
        ("", ""),
    ],
)
def test_templates_replace_whole_words(text: str, said: str) -> None:
    """A name that begins or ends another one stays."""
    one = Finding(ERROR, "", "", alias="eth0:1")
    assert template(text, one).replace(NAME, "@") == said


def test_a_dummy_without_its_main_device() -> None:
    """A dummy outlives its main device, and no device answers for it."""
    finding = only(facts([alias(kind="dummy")], [address(10, ALIAS)]), "main-gone")
    assert finding.lines() == [
        "eth0:0: hosts cannot learn the MAC of 10.0.0.5",
        "there is no device eth0 any more",
        "netalias eth0:0-",
    ]


def test_a_declared_alias_whose_main_device_is_missing() -> None:
    """One finding for all of a device; where some aliases are asked for, others are no matter."""
    found = staged()
    declared = declarations.parse([("f", "eth7:0-3 10.9.0.1-4\n")], lazy())
    found.wishes.update({wish.name: wish for wish, _ in declared})
    finding = only(found, "main-missing")
    assert finding.level == WARNING
    assert finding.lines() == [
        "eth7: eth7:0, eth7:1 and 2 more are declared and not there",
        "there is no device eth7; watch and reconcile make its aliases when it comes",
    ]
    assert finding.aliases == ["eth7:0", "eth7:1", "eth7:2", "eth7:3"]
    found.aliases.clear()
    assert doctor.examine(found) == []


def test_a_line_whose_main_device_is_missing() -> None:
    """Another device answers for it; the device that it is about may come and go."""
    found = staged()
    found.watched = True
    lines = "ppp0 proxyall on eth7\nppp1 proxy on eth0\n"
    found.tasks = [*declarations.parse([("f", lines)], lazy()).tasks]
    assert only(found, "main-missing").lines() == [
        "ppp0 proxyall (f:1) waits for eth7, which is to answer",
        "there is no device eth7; watch goes on when it comes",
    ]


def test_a_line_that_waits_for_a_watcher() -> None:
    """Not one that says that nothing is to be done, nor where a watcher runs."""
    found = staged()
    text = "eth0 iface-alias kernel\neth1 iface-alias off\n"
    found.tasks = [*declarations.parse([("f", text)], lazy()).tasks]
    assert only(found, "unwatched").lines() == [
        "eth0 iface-alias is declared, and nobody carries it out",
        "f:1 waits for netalias watch, which is not running",
    ]
    found.watched = True
    assert doctor.examine(found) == []


def test_an_address_that_floats_and_stands_for_ever() -> None:
    """Somebody has made it by hand; one with a lifetime is held."""
    found = staged()
    found.watched = True
    lines = "cluster etcd http://127.0.0.1\nfloat web eth0:3-4 10.0.0.5-6/24\n"
    found.tasks = [*declarations.parse([("f", lines)], lazy()).tasks]
    finding = only(found, "lasting")
    assert finding.lines() == [
        "eth0:0: its address belongs to float web, and never ends",
        "another host may have it by f:2, and both would answer",
        "netalias eth0:0-",
    ]
    assert (finding.level, finding.address) == (ERROR, "10.0.0.5")
    found.aliases[0].lease = 10
    assert doctor.examine(found) == []


def test_what_floats_without_a_store() -> None:
    """No host has it."""
    found = staged()
    found.watched = True
    found.tasks = [*declarations.parse([("f", "float web eth0:3 10.0.9.5/24")], lazy()).tasks]
    assert only(found, "undecided").lines() == [
        "float web is declared, and no host has its addresses",
        "f:1 waits for a line cluster, which names the store",
    ]


@pytest.mark.parametrize(("left", "held"), [(7.0, "what is held stands for 7 s at most"),
                                            (-1.0, "nothing is held")])  # fmt: skip
def test_a_store_that_decides_nothing(
    monkeypatch: pytest.MonkeyPatch, left: float, held: str
) -> None:
    """Why, and what it means for the addresses that stand."""
    monkeypatch.setattr(condition, "now", lambda: 100.0)
    found = staged()
    found.watched = True
    text = "cluster etcd http://a\nfloat web eth0:3 10.0.9.5/24"
    found.tasks = [*declarations.parse([("f", text)], lazy()).tasks]
    found.store = condition.Condition(100.0 + left, "http://a:2379: Connection refused")
    assert only(found, "storeless").lines() == [
        "float web: nobody decides whether its addresses stand here",
        "the store of the cluster: http://a:2379: Connection refused;"
        f" {held}, and nothing is taken",
        "netalias cluster",
    ]
    found.tasks = []
    assert doctor.examine(found) == []


def test_a_network_that_is_routed_into_a_tunnel() -> None:
    """C-4: by the address of a tunnel itself where somebody else has set it, or by another one. An
    address that brings no route is fine, and so is any on a device of others."""
    found = staged()
    devices = found.observed.snapshot.devices
    devices[70] = Device(70, "vif0", IFF_UP, kind="tun")
    devices[71] = Device(71, "vpn0", IFF_UP, kind="tun")
    entries = found.observed.snapshot.addresses
    entries[70] = [address(70, bytes((10, 8, 0, 1)), 24, ours=False)]
    entries[71] = [address(71, bytes((10, 7, 0, 1)), 24, ours=False)]
    finding = only(found, "tunnel-route")
    assert finding.lines() == [
        "hosts of 10.8.0.0/24 are cut off: vif0 has the route to them",
        "an address that others gave it has brought the connected route",
        "ip route del 10.8.0.0/24 dev vif0",
    ]
    assert finding.device == "vif0"
    entries[70] = [entries[70][0].copy(flags=IFA_F_PERMANENT | IFA_F_NOPREFIXROUTE)]
    assert "tunnel-route" not in {one.check for one in doctor.examine(found)}


def test_what_cannot_be_read_is_not_believed() -> None:
    """Without /proc/sys no setting counts as wrong."""
    found = staged()
    found.sysctls[AF_INET, "eth0", "arp_ignore"] = 0
    assert only(found, "arp-flux").level == WARNING
    found.sysctls.clear()
    assert doctor.examine(found) == []


def test_a_name_too_long_for_a_label() -> None:
    """No command is recommended that cannot work."""
    name = "enp0s31f6u1u2"
    slots = {2: f"{name}:9", 3: f"{name}:10"}
    commands = []
    for slot in slots.values():
        stats = Stats(rx_packets=0, tx_packets=3)
        called = primary(AliasName(name, int(slot.partition(":")[2])))
        device_of = alias(name=called, altnames=[slot], ifalias=f"netalias {slot}", stats=stats)
        observed = Observed(Snapshot([device(2, name), device_of], [address(10, ALIAS)]), lazy())
        found = Facts(observed)
        assert list(mac_filter(found)) == []
        found.unanswered[device_of.index] = "10.0.0.9"
        commands += [one.command for one in mac_filter(found)]
    assert commands == [f"netalias {name}:9 kind label", ""]


def test_commands_for_another_namespace() -> None:
    """Commands run in the namespace, through a shell if they need one."""
    assert cli_doctor.inside("blue", "ip link set eth0 up") == (
        "ip netns exec blue ip link set eth0 up"
    )
    assert (
        cli_doctor.inside("/proc/1/ns/net", "a && b")
        == "nsenter --net=/proc/1/ns/net sh -c 'a && b'"
    )
    assert cli_doctor.inside("blue", "") == ""


def test_what_has_no_arp_by_its_nature() -> None:
    """An ipvlan in mode l3, and a device other than Ethernet, give no finding for missing ARP."""
    addresses = [address(2, MAIN, 24, ours=False), address(10, ALIAS)]
    l3 = alias(kind="ipvlan", mode=1, flags=RUNNING | IFF_NOARP)
    assert doctor.examine(facts([device(2, "eth0"), l3], addresses)) == []
    l2 = alias(kind="ipvlan", mode=0, flags=RUNNING | IFF_NOARP)
    assert only(facts([device(2, "eth0"), l2], addresses), "noarp").command == (
        "ip link set eth0_0 arp on"
    )


@pytest.mark.parametrize(
    ("words", "others", "why", "command"),
    [
        ({"link": 3}, [device(3, "eth1", 0)], "eth1, which it depends on, is down", "eth1"),
        ({"kind": "bridge"}, [], "the bridge has no port", ""),
        ({"kind": "bond"}, [device(3, "eth1", 0, master=2)], "its port eth1 is down", "eth1"),
        (
            {"kind": "bond"},
            [device(3, "eth1", IFF_UP, master=2)],
            "none of its ports has one",
            "",
        ),
        ({"kind": "tun"}, [], "no program has it open", ""),
        ({"link": 3, "remote": True}, [], "check the cable and its other end", ""),
    ],
)  # fmt: skip
def test_why_a_main_device_has_no_carrier(
    words: dict[str, object], others: list[Device], why: str, command: str
) -> None:
    """A VLAN without its device, a bridge or bond without a port, a tun without a program."""
    found = facts(
        [device(2, "eth0", IFF_UP, **words), *others, alias()],
        [address(2, MAIN, 24, ours=False), address(10, ALIAS)],
    )
    finding = only(found, "main-carrier")
    assert finding.why == f"eth0 has no carrier: {why}"
    assert finding.command == (f"ip link set {command} up" if command else "")


def test_a_main_device_that_asks_for_its_ipvlans() -> None:
    """The answer goes to the ipvlan, and the main device never learns it."""
    found = staged("ipvlan")
    found.sysctls[AF_INET, "eth0", "arp_announce"] = 0
    found.sysctls[AF_INET, "eth0", "arp_ignore"] = 0
    assert only(found, "arp-announce").lines() == [
        "eth0: it sends ARP requests in the name of eth0:0",
        "arp_announce of eth0 is 0, so the answers go to the alias",
        "sysctl -w net.ipv4.conf.eth0.arp_announce=2",
    ]


def test_a_full_table_of_neighbours() -> None:
    """New neighbours are not found any more when it reaches gc_thresh3."""
    found = staged()
    found.neighbours = {AF_INET: (1000, 1024), AF_INET6: (10, 1024)}
    finding = only(found, "neighbours")
    assert finding.lines() == [
        "the IPv4 neighbour table is full: 1000 of 1024",
        "gc_thresh3 is 1024 for all devices together",
        "sysctl -w net.ipv4.neigh.default.gc_thresh3=4096",
    ]
    found.neighbours = {AF_INET: (1000, 4096)}
    assert list(neighbours(found)) == []


def many(count: int, **words: object) -> Facts:
    """eth0 with so many aliases, which are down or have an MTU of their own by *words*."""
    devices = [alias(slot, **words) for slot in range(count)]
    addresses = [address(10 + slot, bytes((10, 0, 0, 5 + slot))) for slot in range(count)]
    return facts([device(2, "eth0"), *devices], [address(2, MAIN, 24, ours=False), *addresses])


def declaring(found: Facts, line: str) -> Facts:
    """The same with a line of a file."""
    declared = declarations.parse([("a", line)], lazy())
    assert not declared.errors
    found.wishes = {wish.name: wish for wish, _ in declared}
    return found


def test_findings_of_one_kind_are_one() -> None:
    """However many aliases: the first speaks for all, and one command mends all."""
    finding = only(many(5, flags=0), "down")
    assert finding.lines() == [
        "eth0:0: it is down (the same: eth0:1, eth0:2 and 2 more)",
        "eth0_0 is not up, which may be intended",
        "for n in 0 1 2 3 4; do netalias eth0:$n up; done",
    ]
    assert finding.to_dict()["aliases"] == [f"eth0:{slot}" for slot in range(5)]
    assert (finding.alias, finding.device, finding.main) == ("", "", "eth0")
    finding = only(many(2, flags=RUNNING | IFF_NOARP), "noarp")
    assert finding.text == "eth0:0: hosts cannot learn the MAC of 10.0.0.5 (the same: eth0:1)"
    assert finding.command == "for n in 0 1; do ip link set eth0_$n arp on; done"


def test_commands_that_differ_stand_line_by_line() -> None:
    """Where the command has the address, no loop would do."""
    found = many(2)
    found.routes = [route for route in found.routes if route.type != 2]
    finding = only(found, "local-route")
    assert finding.lines()[2:] == [
        f"ip route add local 10.0.0.{5 + slot} dev eth0_{slot} table local proto kernel scope host"
        f" src 10.0.0.{5 + slot}"
        for slot in range(2)
    ]
    assert cli_doctor.block(finding).startswith("error: eth0:0: packets to 10.0.0.5 are not")
    assert cli_doctor.inside("blue", finding.command).startswith("ip netns exec blue sh -c 'ip ")


def test_what_differs_in_more_is_told_apart() -> None:
    """Two MTUs are two findings, and so are two levels."""
    found = many(3, mtu=1400)
    assert found.aliases[2].device is not None
    found.aliases[2].device.mtu = 1300
    findings = doctor.examine(found)
    assert [one.aliases for one in findings] == [["eth0:0", "eth0:1"], ["eth0:2"]]
    assert findings[0].command == "for n in 0 1; do netalias eth0:$n mtu 1500; done"


@pytest.mark.parametrize(
    ("words", "line", "other"),
    [
        ({"flags": 0}, "eth0:0 10.0.0.5 down", "eth0:0 10.0.0.5"),
        ({"mtu": 1400}, "eth0:0 10.0.0.5 mtu 1400", "eth0:0 10.0.0.5 mtu 1300"),
    ],
)
def test_what_is_declared_is_no_fault(words: dict[str, object], line: str, other: str) -> None:
    """A file declares this alias down, or its MTU."""
    assert only(many(1, **words), "down" if "flags" in words else "mtu").level == HINT
    assert doctor.examine(declaring(many(1, **words), line)) == []
    assert len(doctor.examine(declaring(many(1, **words), other))) == 1


@pytest.mark.parametrize(
    ("file", "text", "declared"),
    [
        ("etc/sysctl.d/10.conf", "net.ipv4.conf.eth0.arp_ignore = 0\n", True),
        ("etc/sysctl.d/10.conf", "-net/ipv4/conf/eth0/arp_ignore=0\n", True),
        ("usr/lib/sysctl.d/10.conf", "net.ipv4.conf.*.arp_ignore=0\n", True),
        ("etc/sysctl.conf", "# x\n\nnet.ipv4.conf.eth0.arp_ignore=0\n", True),
        ("etc/sysctl.conf", "#net.ipv4.conf.eth0.arp_ignore=0\n", False),
        ("etc/sysctl.conf", "net.ipv4.conf.eth0.arp_ignore=1\n", False),
        ("etc/sysctl.conf", "net.ipv4.conf.eth1.arp_ignore=0\n", False),
        ("etc/sysctl.conf", "net.ipv4.conf.eth0.arp_ignore=0\n"
         "net.ipv4.conf.eth0.arp_ignore=1\n", False),
        ("etc/sysctl.d/10.txt", "net.ipv4.conf.eth0.arp_ignore=0\n", False),
        ("etc/sysctl.conf", "net.ipv4.conf.eth0.arp_ignore=x\narp_ignore=0\n=\n", False),
    ],
)  # fmt: skip
def test_a_declared_sysctl_is_no_fault(
    tmp_path: Path, file: str, text: str, declared: bool
) -> None:
    """The main device answers for its aliases because the administrator says so (sysctl.d(5))."""
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    found = staged()
    found.sysctls[AF_INET, "eth0", "arp_ignore"] = 0
    found.declares = intended.Sysctls(str(tmp_path)).file
    assert len(doctor.examine(found)) == (not declared)


def test_a_declared_sysctl_that_drops_packets(tmp_path: Path) -> None:
    """It stays an error, and the reason names the file."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/sysctl.conf").write_text("net.ipv4.conf.all.rp_filter=1\n")
    found = staged()
    found.sysctls[AF_INET, ALL, "rp_filter"] = 1
    found.declares = intended.Sysctls(str(tmp_path)).file
    finding = only(found, "rp-filter")
    assert finding.why.startswith(
        f"rp_filter of all devices is 1 (declared in {tmp_path}/etc/sysctl.conf) and the way back"
    )


@pytest.mark.parametrize(
    ("slots", "level", "text"),
    [
        ((12,), HINT, "enp0s20f0u1u4:12: programs that bind to it use enp0s20f0u1u4"),
        ((1, 12), WARNING, "enp0s20f0u1u4:12: programs that bind to it use enp0s20f0u1u4:1"),
    ],
)
def test_a_name_that_programs_cut(slots: tuple[int, ...], level: str, text: str) -> None:
    """Over 15 bytes; worse where what is left names another alias."""
    main = "enp0s20f0u1u4"
    devices = [
        alias(
            slot,
            name=primary(AliasName(main, slot)),
            altnames=[f"{main}:{slot}"],
            ifalias=f"netalias {main}:{slot}",
        )
        for slot in slots
    ]
    addresses = [address(10 + slot, bytes((10, 0, 0, 5 + slot))) for slot in slots]
    finding = only(facts([device(2, main), *devices], addresses), "long-name")
    assert (finding.level, finding.text, finding.command) == (level, text, "")
    assert finding.why.endswith(f"its primary name, {finding.device}, is short enough")


@pytest.mark.parametrize(
    ("file", "text", "kind", "why"),
    [
        ("etc/dnsmasq.conf", "interface=eth0:0\n", "macvlan",
         "it finds no device of that name, and answers nobody there: it needs eth0_0"),
        ("etc/dnsmasq.d/a", "# eth0:0\ninterface=eth0:0 # eth0:0\n", "macvlan", "it needs eth0_0"),
        ("etc/dnsmasq.conf", "interface=eth0:0\n", "label", ""),
        ("etc/dnsmasq.conf", "interface=eth0_0\n# eth0:0\nx=eth0:01,veth0:0,eth0:0:1\n", "macvlan",
         ""),
        ("etc/haproxy/haproxy.cfg", "bind :80 interface eth0:0\n", "macvlan", ""),
        ("etc/haproxy/haproxy.cfg", "bind :80 interface eth0:0\n", "label",
         "it cannot bind to a label, and listens on all addresses: it needs bind 10.0.0.5:PORT"),
        ("etc/keepalived/keepalived.conf", "interface eth0:0\n", "macvlan", "it needs eth0_0"),
        ("etc/keepalived/keepalived.conf", "dev eth0:0\n", "label",
         "it needs dev eth0 label eth0:0"),
        ("etc/keepalived/keepalived.conf", "10.0.0.5/24 dev eth0 label eth0:0\n", "label", ""),
        ("etc/keepalived/keepalived.conf", "10.0.0.5/24 dev eth0 label eth0:0\n", "macvlan", ""),
        ("etc/chrony/chrony.conf", "binddevice eth0:0\n", "macvlan", ""),
        ("etc/chrony/chrony.conf", "binddevice eth0:0\n", "label",
         "it cannot bind to a label, and listens nowhere: it needs bindaddress 10.0.0.5"),
        ("etc/unbound/unbound.conf", "interface: eth0:0@53\n", "macvlan", "it needs eth0_0"),
        ("etc/unbound/unbound.conf.d/a.conf", "interface: eth0:0\n", "label", ""),
        ("etc/openvpn/server/a.conf", "bind-dev eth0:0\n", "label", "it needs local 10.0.0.5"),
        ("etc/ssh/ssh_config", "BindInterface eth0:0\n", "macvlan", "it needs eth0_0"),
        ("etc/systemd/network/a.network", "Name=eth0:0\n", "macvlan",
         "[Match] matches nothing: it needs eth0_0"),
        ("etc/systemd/network/a.network", "Name=eth0:0\n", "label", "it needs Name=eth0"),
        ("etc/systemd/network/a.network", "[Address]\nLabel=eth0:0\n", "macvlan", ""),
        ("etc/systemd/system/a.service", "ExecStart=/usr/sbin/tcpdump -i eth0:0\n", "macvlan",
         "programs such as tcpdump and dhclient take eth0: it needs eth0_0"),
        ("etc/systemd/system/a.service", "ExecStart=ip addr add 10.0.0.9 dev eth0 label eth0:0\n",
         "macvlan", ""),
    ],
)  # fmt: skip
def test_a_program_is_given_the_name_with_the_colon(
    tmp_path: Path, file: str, text: str, kind: str, why: str
) -> None:
    """The files of programs that take that name for something else; the command corrects them."""
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    found = label() if kind == "label" else staged()
    found.mentions = programs.read(["eth0:0"], str(tmp_path))
    if not why:
        assert doctor.examine(found) == []
        return
    finding = only(found, "program")
    assert why in finding.why
    assert f"needs another name for it ({tmp_path}/{file}:" in finding.text
    assert bool(finding.command) == (kind != "label")
    if finding.command:
        subprocess.run(["sh", "-ec", finding.command], check=True)
        found.mentions = programs.read(["eth0:0"], str(tmp_path))
        assert doctor.examine(found) == []


def test_a_socket_of_an_alias_that_is_gone() -> None:
    """Where an alias is declared it may have been its device, though none is there now; on a host
    that has nothing to do with aliases it is not looked for."""
    found = facts([device(2, "eth0")], [address(2, MAIN, 24, ours=False)])
    found.held = {("the socket udp 0.0.0.0:53", 7)}
    assert doctor.examine(found) == []
    finding = only(declaring(found, "eth0:0 10.0.0.5"), "lost-index")
    assert finding.text == "the socket udp 0.0.0.0:53 is for the device 7, which is gone"


def test_what_only_looks_like_the_name_is_not_corrected(tmp_path: Path) -> None:
    """The name of a label, and that of another device, stay as they are."""
    file = tmp_path / "etc/keepalived/keepalived.conf"
    file.parent.mkdir(parents=True)
    kept = "10.0.0.5/24 dev eth0 label eth0:0\ninterface veth0:0\ninterface eth0:01\n"
    file.write_text(f"interface eth0:0\n{kept}track eth0:0,eth0:0\n")
    found = staged()
    found.mentions = programs.read(["eth0:0"], str(tmp_path))
    subprocess.run(["sh", "-ec", only(found, "program").command], check=True)
    assert file.read_text() == f"interface eth0_0\n{kept}track eth0_0,eth0_0\n"


def networkd(root: Path, index: int, name: str, state: str = "configured") -> None:
    """Write the state file of systemd-networkd for a link."""
    folder = root / "run/systemd/netif/links"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/network").mkdir(parents=True, exist_ok=True)
    (root / "etc/systemd/network" / name).write_text("[Match]\nName=eth*\n")
    (folder / str(index)).write_text(
        f"# This is private data. Do not parse.\nADMIN_STATE={state}\n"
        f"OPER_STATE=routable\nNETWORK_FILE=/etc/systemd/network/{name}\n"
    )


def network_manager(root: Path, index: int, managed: str) -> None:
    """Write the state file of NetworkManager for a device."""
    folder = root / "run/NetworkManager/devices"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "etc/NetworkManager/conf.d").mkdir(parents=True, exist_ok=True)
    (folder / str(index)).write_text(f"[device]\nmanaged={managed}\nnm-owned=false\n")


def run(tmp_path: Path, command: str, program: str) -> str:
    """Run a command of the doctor with *program* in the way; how that was called."""
    folder = tmp_path / "bin"
    folder.mkdir(exist_ok=True)
    stub = folder / program
    stub.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\n')
    stub.chmod(0o755)
    path = f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin"
    subprocess.run(["sh", "-ec", command], check=True, env={"PATH": path})
    return (tmp_path / "called").read_text().strip()


def label() -> Facts:
    """eth0 with a label of ours."""
    entry = Address(2, AF_INET, ALIAS, 32, label="eth0:0", protocol=PROTOCOL)
    found = facts([device(2, "eth0")], [address(2, MAIN, 24, ours=False), entry])
    return found


def managed(found: Facts, root: Path) -> Facts:
    """The same with the managers that are found under *root*."""
    found.root = str(root)
    found.managers = foreign.read(found.root, list(found.observed.snapshot.devices), found.unseen)
    return found


def test_networkd_manages_the_device_of_an_alias(tmp_path: Path) -> None:
    """A .network file that matches it takes its address away; one of its own leaves it alone."""
    networkd(tmp_path, 10, "10-eth.network")
    finding = only(managed(staged(), tmp_path), "managed-alias")
    file = tmp_path / "etc/systemd/network/05-netalias-eth0_0.network"
    assert finding.lines() == [
        "eth0:0: systemd-networkd manages eth0_0 by 10-eth.network",
        "it removes addresses that it has not configured",
        r"printf '[Match]\nName=%s\n[Link]\nUnmanaged=yes\n' eth0_0"
        f" > {file} && networkctl reload",
    ]
    assert run(tmp_path, finding.command, "networkctl") == "reload"
    assert file.read_text() == "[Match]\nName=eth0_0\n[Link]\nUnmanaged=yes\n"
    networkd(tmp_path, 10, "05-netalias-eth0_0.network", "unmanaged")
    assert doctor.examine(managed(staged(), tmp_path)) == []


def test_networkd_may_remove_labels(tmp_path: Path) -> None:
    """A drop-in with KeepConfiguration= keeps them; devices on the main device stay anyhow."""
    networkd(tmp_path, 2, "10-eth.network")
    assert doctor.examine(managed(staged(), tmp_path)) == []
    finding = only(managed(label(), tmp_path), "managed-main")
    assert finding.lines()[:2] == [
        "eth0: systemd-networkd may remove eth0:0",
        "it manages eth0 and removes addresses that it has not configured",
    ]
    assert run(tmp_path, finding.command, "networkctl") == "reload"
    dropin = tmp_path / "etc/systemd/network/10-eth.network.d/netalias.conf"
    assert dropin.read_text() == "[Network]\nKeepConfiguration=yes\n"
    assert doctor.examine(managed(label(), tmp_path)) == []


def test_networkmanager_manages_the_device_of_an_alias(tmp_path: Path) -> None:
    """The command makes NetworkManager ignore the device."""
    network_manager(tmp_path, 10, "true")
    finding = only(managed(staged(), tmp_path), "managed-alias")
    file = tmp_path / "etc/NetworkManager/conf.d/90-netalias-eth0_0.conf"
    assert finding.text == "eth0:0: NetworkManager manages eth0_0"
    assert run(tmp_path, finding.command, "nmcli") == "general reload conf"
    assert file.read_text() == "[keyfile]\nunmanaged-devices+=interface-name:eth0_0\n"
    network_manager(tmp_path, 10, "false")
    assert doctor.examine(managed(staged(), tmp_path)) == []


def test_networkmanager_may_remove_labels(tmp_path: Path) -> None:
    """NetworkManager cannot keep labels, so the command makes them devices."""
    network_manager(tmp_path, 2, "true")
    finding = only(managed(label(), tmp_path), "managed-main")
    assert finding.text == "eth0: NetworkManager may remove eth0:0"
    assert finding.command == "netalias eth0:0 kind macvlan"
    assert doctor.examine(managed(staged(), tmp_path)) == []


def test_a_manager_that_hides_its_files_is_said(tmp_path: Path) -> None:
    """An unreadable state file is listed in unseen, and is no finding."""
    (tmp_path / "run/systemd/netif/links/2").mkdir(parents=True)
    found = managed(staged(), tmp_path)
    assert doctor.examine(found) == []
    assert found.unseen == [f"{tmp_path}/run/systemd/netif/links/2: Is a directory"]


SAVED = """\
# Generated by iptables-save v1.8.9 on Sat Nov 21 12:00:00 2026
*filter
:INPUT ACCEPT [0:0]
-A INPUT -i eth0:0 -p tcp -j ACCEPT
-A INPUT -i eth0 -j ACCEPT
-A OUTPUT -o eth0:0 -j DROP
COMMIT
*nat
-A POSTROUTING -o eth0:9 -j MASQUERADE
COMMIT
"""


def test_the_old_iptables() -> None:
    """Device names follow -i and -o; the output of iptables-nft is ignored."""
    assert device_names(SAVED) == {(XTABLES, "filter", "eth0:0"), (XTABLES, "nat", "eth0:9")}
    assert device_names(SAVED.replace("v1.8.9", "v1.8.9 (nf_tables)")) == set()


def edited(command: str) -> str:
    """SAVED behind the sed of a command."""
    script = command.partition("| ")[2].partition(" |")[0]
    assert script.startswith("sed ")
    done = subprocess.run(
        ["sh", "-c", script], input=SAVED, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.skipif(shutil.which("sed") is None, reason="sed is not installed")
def test_the_command_for_the_old_iptables() -> None:
    """The rules get the primary name; for a label its main device and its address."""
    found = staged()
    found.firewall = device_names(SAVED)
    (finding,) = firewall(found)
    assert finding.text == (
        "eth0:0: a rule in the table iptables filter that names it never matches"
    )
    text = edited(finding.command)
    assert text == SAVED.replace("eth0:0", "eth0_0")
    found = label()
    found.firewall = device_names(SAVED)
    (finding,) = firewall(found)
    text = edited(finding.command)
    assert "-A INPUT -i eth0 -d 10.0.0.5 -p tcp -j ACCEPT\n" in text
    assert "-A OUTPUT -o eth0 -s 10.0.0.5 -j DROP\n" in text


def test_settings_of_odd_names() -> None:
    """A dot asks for slashes, and a shell gets nothing to interpret."""
    assert sysctl("eth0", "rp_filter", 2) == "sysctl -w net.ipv4.conf.eth0.rp_filter=2"
    assert sysctl("eth0.5", "rp_filter", 2) == "sysctl -w net/ipv4/conf/eth0.5/rp_filter=2"
    assert sysctl("a;b", "rp_filter", 2) == "sysctl -w 'net.ipv4.conf.a;b.rp_filter=2'"
    assert sysctl("a=b.c", "rp_filter", 2) == "echo 2 > /proc/sys/net/ipv4/conf/a=b.c/rp_filter"
    six = sysctl("eth0", "disable_ipv6", 0, AF_INET6)
    assert six == "sysctl -w net.ipv6.conf.eth0.disable_ipv6=0"
    both = sysctls([("ipv4", "all", "arp_ignore", 1), ("ipv4", "a=b", "arp_ignore", 1)])
    assert both.startswith("sysctl -w net.ipv4.conf.all.arp_ignore=1 && echo 1 > /proc/sys/")


@pytest.mark.parametrize("word", ["eth0", "", "a b", "-x", "it's", "'", "$(a)", "`", "é", "a\nb"])
def test_a_word_of_a_shell(word: str) -> None:
    """It is one word again, whatever is in it."""
    assert shlex.split(quoted(word)) == [word]


def test_lists_stay_short() -> None:
    """Thousands of aliases are not all named."""
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a and b"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b and 3 more"


def test_a_peer_is_somebody_else() -> None:
    """Neither the alias, nor the network and its broadcast address, nor another address of ours."""
    cases = (
        (bytes((10, 0, 0, 5)), 24, bytes((10, 0, 0, 2))),
        (bytes((10, 0, 0, 5)), 31, bytes((10, 0, 0, 4))),
        (bytes((10, 0, 0, 5)), 32, b""),
        (bytes((10, 0, 0, 2)), 30, b""),
    )
    for local, length, peer in cases:
        found = facts(
            [device(2, "eth0"), alias()],
            [address(2, MAIN, 24, ours=False), address(10, local, length)],
        )
        assert found.peer(found.aliases[0]) == peer


def test_the_text_of_a_finding_cannot_move_the_cursor() -> None:
    """A name with a control character is printed as an escape."""
    finding = Finding(HINT, "eth\x1b0: text", "why", "command\r")
    assert cli_doctor.block(finding) == "hint: eth\\x1b0: text\n    why\n    command\\r\n"


def test_without_a_machine_id() -> None:
    """MACs are random, if any alias has one of its own."""
    found = staged()
    found.identified = False
    assert only(found, "random-mac").level == HINT
    found = staged("ipvlan")
    found.identified = False
    assert doctor.examine(found) == []


def test_every_check_has_a_word_of_its_own() -> None:
    """Names of checks are lower case words, and the fields of a finding those of the manual."""
    assert all(name == name.lower() and " " not in name for name in doctor.CHECKS)
    fields = Finding(ERROR, "text", "why", check="mtu").to_dict()
    assert list(fields) == [
        "check", "level", "main", "alias", "aliases", "device", "text", "why", "command"
    ]  # fmt: skip
    assert WARNING not in fields.values()


# Sources ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("to", "words", "found"),
    [
        (bytes((10, 0, 0, 2)), "", True),
        (bytes((10, 0, 0, 2)), "source on", False),
        (FAR[AF_INET], "", True),
        (bytes((10, 9, 0, 2)), "", False),
    ],
)
def test_the_source_of_what_the_host_sends(to: bytes, words: str, found: bool) -> None:
    """An alias where the main device has its own address, unless a file declares that."""
    label = Address(2, AF_INET, ALIAS, 32, label="eth0:5", protocol=PROTOCOL)
    one = facts([device(2, "eth0")], [address(2, MAIN, 24, ours=False), label])
    one.ways[to] = Way(2, source=ALIAS)
    if words:
        wish = desired.parse(f"eth0:5 10.0.0.5 {words}".split(), lazy())
        one.wishes[wish.name] = wish
    texts = [finding.text for finding in source_address(one)]
    where = "other networks" if to == FAR[AF_INET] else "10.0.0.0/24"
    wanted = f"eth0:5: the host sends to {where} from 10.0.0.5, not from 10.0.0.1"
    assert texts == [wanted] * found


def test_the_own_address_of_the_network_is_named() -> None:
    """Where the main device has several networks, the address that should be the source."""
    label = Address(2, AF_INET, ALIAS, 24, label="eth0:5", protocol=PROTOCOL)
    other, own = bytes((172, 16, 0, 1)), address(2, MAIN, 24, ours=False)
    one = facts([device(2, "eth0")], [address(2, other, 24, ours=False), label, own])
    one.ways[bytes((10, 0, 0, 2))] = Way(2, source=ALIAS)
    (found,) = source_address(one)
    assert found.text == "eth0:5: the host sends to 10.0.0.0/24 from 10.0.0.5, not from 10.0.0.1"
