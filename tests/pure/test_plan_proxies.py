"""publish and unpublish over a kernel in memory: words, sentences, views."""

from __future__ import annotations

import json
from socket import inet_pton

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.families import Registry
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, AF_INET6, IFF_NOARP, PROTOCOL, Device, Snapshot
from netalias.model.neighbours import Proxy, Surroundings
from netalias.plan import proxies
from netalias.plan.proxies import Case, faults, needless

KERNEL, USAGE, PERMISSION = errors.STATUS_KERNEL, errors.STATUS_USAGE, errors.STATUS_PERMISSION
GOOD = {
    "forwarding": True, "everywhere": True, "answering": True, "delay": 0, "out": 3, "back": True,
}  # fmt: skip


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """lo, eth0 and eth1 are up, eth2 is down."""
    return Command(capsys)


def registry() -> Registry:
    """The two families."""
    made = Registry()
    for one in (Inet(), Inet6()):
        made.register(one)
    return made


def held(kernel: Memory) -> list[tuple[int, str, int]]:
    """Index, address and protocol of all entries."""
    return [(one.index, one.text, one.protocol) for one in kernel.proxies()]


# Words


WORDS = {
    "10.0.0.5 dev eth0": (["10.0.0.5"], "eth0"),
    "dev eth0 10.0.0.5": (["10.0.0.5"], "eth0"),
    "10.0.0.5 dev eth0 2001:db8::5": (["10.0.0.5", "2001:db8::5"], "eth0"),
    "10.0.0.5/32 2001:db8:0::5/128 dev eth0": (["10.0.0.5", "2001:db8::5"], "eth0"),
    "10.0.0.5 10.0.0.5 dev dev": (["10.0.0.5"], "dev"),
    "10.0.0.5": (["10.0.0.5"], ""),
    "": ([], ""),
}


@pytest.mark.parametrize("text", WORDS)
def test_words(text: str) -> None:
    """Addresses and the device in any order, as in ip(8); an address counts once."""
    addresses, name = WORDS[text]
    families = [AF_INET6 if ":" in one else AF_INET for one in addresses]
    wanted = [(family, inet_pton(family, one)) for family, one in zip(families, addresses)]  # noqa: B905
    assert proxies.parse(text.split(), registry()) == (wanted, name)


@pytest.mark.parametrize(
    ("text", "status", "message"),
    [
        ("publish", USAGE,
         "publish needs an address and a device (netalias publish 10.0.0.5 dev eth0)"),
        ("publish dev eth0", USAGE, "publish needs an address and a device"),
        ("publish 10.0.0.5", USAGE, "publish needs an address and a device"),
        ("unpublish", USAGE, "unpublish needs an address (netalias unpublish 10.0.0.5 dev eth0)"),
        ("unpublish dev eth0", USAGE, "unpublish needs an address"),
        ("publish 10.0.0.5 dev", USAGE, "dev takes the name of one device"),
        ("publish 10.0.0.5 dev eth0 dev eth1", USAGE, "dev takes the name of one device"),
        ("publish 10.0.0 dev eth0", USAGE, "10.0.0: not an IPv4 address"),
        ("publish eth0 10.0.0.5", USAGE, "eth0: not an address (for the device: dev eth0)"),
        ("publish 10.0.0.5/24 dev eth0", USAGE,
         "10.0.0.5/24: one address is published, not a network"),
        ("publish 2001:db8::/64 dev eth0", USAGE, "one address is published, not a network"),
        ("publish 127.0.0.5 dev eth0", USAGE, "127.0.0.5: this address is not resolved"),
        ("publish 0.0.0.0 dev eth0", USAGE, "0.0.0.0: this address is not resolved"),
        ("publish 255.255.255.255 dev eth0", USAGE, "this address is not resolved"),
        ("publish fe80::5 dev eth0", USAGE, "fe80::5: this address is not resolved"),
        ("publish ::1 dev eth0", USAGE, "::1: this address is not resolved"),
        ("publish 224.0.0.1 dev eth0", USAGE, "multicast"),
        ("publish 10.0.0.5 dev nodev", KERNEL, "nodev: there is no such device"),
        ("publish 10.0.0.5 dev eth0:7", KERNEL, "eth0:7: there is no such device"),
        ("publish 10.0.0.5 dev lo", KERNEL,
         "lo: nobody can ask there: the device has no neighbours"),
        ("unpublish 10.0.0.5 dev nodev", KERNEL, "nodev: there is no such device"),
        ("unpublish 10.0.0.5", KERNEL, "10.0.0.5: it is not published"),
        ("unpublish 10.0.0.5 dev eth0", KERNEL, "10.0.0.5: it is not published on eth0"),
        ("--only eth0 publish 10.0.0.5 dev eth0", USAGE, "--only belongs to"),
    ],
)  # fmt: skip
def test_errors(run: Command, text: str, status: int, message: str) -> None:
    """One line, the status, and nothing changed."""
    assert message in run.refused(text, status)
    assert run.memory.proxies() == []


def test_permission_comes_first(run: Command) -> None:
    """Who may not change anything is told that, whatever else is wrong with the world."""
    run.memory.privileged = False
    for text in (
        "publish 10.0.0.5 dev eth0", "publish 10.0.0.5 dev nodev", "unpublish 10.0.0.5",
    ):  # fmt: skip
        assert "Operation not permitted" in run.refused(text, PERMISSION)
    assert run.split("--dry-run publish 10.0.0.5 dev eth0") != ""


# What is done


def test_silent_and_again(run: Command) -> None:
    """It is silent, and again it does nothing."""
    for _ in range(2):
        assert run.split("publish 10.0.0.5 2001:db8::5 dev eth0") == ""
        assert held(run.memory) == [(2, "10.0.0.5", PROTOCOL), (2, "2001:db8::5", PROTOCOL)]
    assert run.split("-v publish 10.0.0.5 10.0.0.6 dev eth0") == (
        "ip neigh add proxy 10.0.0.6 dev eth0 protocol 97\n"
    )
    assert run.split("unpublish 10.0.0.5 2001:db8::5") == ""
    assert held(run.memory) == [(2, "10.0.0.6", PROTOCOL)]


def test_on_several_devices(run: Command) -> None:
    """Without a device it is taken from all, with one only from that."""
    for device in ("eth0", "eth1", "eth2"):
        run.split(f"publish 10.0.0.5 dev {device}")
    run.split("unpublish 10.0.0.5 dev eth1")
    assert [one[0] for one in held(run.memory)] == [2, 4]
    assert run.split("-v unpublish 10.0.0.5") == (
        "ip neigh del proxy 10.0.0.5 dev eth0\nip neigh del proxy 10.0.0.5 dev eth2\n"
    )
    assert run.memory.proxies() == []


def test_what_others_made(run: Command) -> None:
    """It is left alone: publishing says so, unpublishing is refused; ours beside it goes."""
    run.memory.add_proxy("eth0", Proxy(0, AF_INET, bytes([10, 0, 0, 5])))
    out, err = run.run(["publish", "10.0.0.5", "10.0.0.6", "dev", "eth0"], 0)
    assert (out, err) == (
        "",
        "netalias: warning: 10.0.0.5: eth0 answers for it already, and not by netalias:"
        " left as it is\n",
    )
    assert run.refused("unpublish 10.0.0.6 10.0.0.5", KERNEL) == (
        "10.0.0.5: netalias did not publish it on eth0 (ip neigh del proxy 10.0.0.5 dev eth0)"
    )
    assert held(run.memory) == [(2, "10.0.0.5", 0), (2, "10.0.0.6", PROTOCOL)]
    run.split("publish 10.0.0.5 dev eth1")
    run.split("unpublish 10.0.0.5")
    assert held(run.memory) == [(2, "10.0.0.5", 0), (2, "10.0.0.6", PROTOCOL)]


def test_all_or_nothing(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """S20: a refusal takes back what was made before it, and is told with its device."""
    kernel_put = Memory.send

    def send(self: Memory, steps: list[object]) -> list[object]:
        if len(steps) == 2:
            self.remove_device("eth1")
        return kernel_put(self, steps)  # type: ignore[arg-type, return-value]

    monkeypatch.setattr(Memory, "send", send)
    line = run.refused("publish 10.0.0.5 10.0.0.6 dev eth1", KERNEL)
    assert line == "eth1: cannot publish 10.0.0.5: No such device"
    assert run.memory.proxies() == []


def test_an_mtu_without_ipv6(run: Command) -> None:
    """IPv6 cannot be published there; nothing else of the command is done either."""
    run.memory.set_device("eth0", mtu=1000)
    assert run.refused("publish 10.0.0.5 2001:db8::5 dev eth0", KERNEL) == (
        "eth0: this device has no IPv6 (its MTU is 1000)"
    )
    assert run.memory.proxies() == []


def test_dry_run_and_quiet(run: Command) -> None:
    """--dry-run prints and does nothing; -q keeps warnings back."""
    run.memory.around = Surroundings(**{**GOOD, "delay": 800})
    warning = "warning: eth0 answers up to 0.8 s late (sysctl -w net.ipv4.neigh.eth0.proxy_delay=0)"
    out, err = run.run(["--dry-run", "publish", "10.0.0.5", "10.0.0.6", "dev", "eth0"], 0)
    assert out.splitlines() == [
        f"ip neigh add proxy 10.0.0.{host} dev eth0 protocol 97" for host in (5, 6)
    ]
    assert err == f"netalias: {warning}\n"
    assert run.memory.proxies() == []
    assert run.split("-q publish 10.0.0.5 dev eth0") == ""
    out, err = run.run(["--dry-run", "unpublish", "10.0.0.5"], 0)
    assert (out, err) == ("ip neigh del proxy 10.0.0.5 dev eth0\n", "")
    assert len(run.memory.proxies()) == 1


def test_an_interruption_leaves_nothing(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is undone, and the interruption goes on upwards."""
    engine = Engine(Setup(run.memory))
    sent = Memory.send
    broken = [True]

    def send(self: Memory, steps: list[object]) -> list[object]:
        answers = sent(self, steps)  # type: ignore[arg-type]
        if broken.pop() if broken else False:
            raise KeyboardInterrupt
        return answers  # type: ignore[return-value]

    monkeypatch.setattr(Memory, "send", send)
    from netalias.engine import proxies

    wanted = [(AF_INET, bytes([10, 0, 0, 5]))]
    with pytest.raises(KeyboardInterrupt):
        proxies.carry_out(engine, lambda: proxies.planned(engine, wanted, "eth0"))
    assert run.memory.proxies() == []


# Views


@pytest.fixture
def filled(run: Command) -> Command:
    """Aliases on eth0 and eth1, and entries on eth0 and eth2, one of them of others."""
    run.split("eth0:0 10.0.0.70 kind macvlan hw ether 02:00:00:00:00:05")
    run.split("eth1:0 10.1.0.70 kind macvlan hw ether 02:00:00:00:00:06")
    for device, mac in (("eth0", 1), ("eth2", 2)):
        run.memory.set_device(device, mac=b"\2\0\0\0\0" + bytes([mac]))
    run.split("publish 10.0.0.6 10.0.0.5 2001:db8::5 dev eth0")
    run.memory.add_proxy("eth2", Proxy(0, AF_INET, bytes([10, 2, 0, 5]), 5))
    return run


def test_table(filled: Command) -> None:
    """They come after the aliases, by device, family and address."""
    assert filled("show").splitlines() == [
        "ALIAS   DEVICE  KIND       ADDRESS       STATE         MAC                RX  TX",
        "eth0:0  eth0_0  macvlan    10.0.0.70/32  up            02:00:00:00:00:05  0   0",
        "eth1:0  eth1_0  macvlan    10.1.0.70/32  up            02:00:00:00:00:06  0   0",
        "eth0    eth0    published  10.0.0.5      up            02:00:00:00:00:01  -   -",
        "eth0    eth0    published  10.0.0.6      up            02:00:00:00:00:01  -   -",
        "eth0    eth0    published  2001:db8::5   up            02:00:00:00:00:01  -   -",
        "eth2    eth2    published  10.2.0.5      down,foreign  02:00:00:00:00:02  -   -",
    ]


def test_brief(filled: Command) -> None:
    """Name of the device, state, address."""
    assert filled.split("-br show eth2") == "eth2  down,foreign  10.2.0.5\n"


def test_oneline(filled: Command) -> None:
    """All there is to say of an entry in one line."""
    lines = filled.split("-o show").splitlines()
    assert len(lines) == 6
    assert lines[4] == (
        "eth0: kind published state up\\  device eth0 index 2\\  lladdr 02:00:00:00:00:01\\  "
        "ipv6 2001:db8::5 proto 97"
    )


def test_tree(filled: Command) -> None:
    """Behind the aliases of their device, the last of them with the last mark."""
    assert filled.split("--tree show").splitlines() == [
        "lo up",
        "eth0 up",
        "├─ eth0:0 eth0_0 10.0.0.70/32 macvlan up",
        "├─ 10.0.0.5 published up",
        "├─ 10.0.0.6 published up",
        "└─ 2001:db8::5 published up",
        "eth1 up",
        "└─ eth1:0 eth1_0 10.1.0.70/32 macvlan up",
        "eth2 down",
        "└─ 10.2.0.5 published down,foreign",
    ]


def test_json(filled: Command) -> None:
    """Objects of a kind of their own, with the field names of ip(8)."""
    found = json.loads(filled.split("-j show eth0"))
    assert [one["kind"] for one in found] == ["macvlan"] + ["published"] * 3
    assert found[1] == {
        "kind": "published", "owned": True, "state": "up", "link": "eth0", "ifindex": 2,
        "ifname": "eth0", "address": "02:00:00:00:00:01", "family": "inet", "local": "10.0.0.5",
        "prefixlen": 32, "protocol": PROTOCOL,
    }  # fmt: skip
    (foreign,) = json.loads(filled.split("-j show eth2"))
    assert (foreign["owned"], foreign["protocol"]) == (False, 5)


@pytest.mark.parametrize(
    ("words", "published"),
    [
        ("", 4), ("eth0", 3), ("eth1", 0), ("eth2", 1), ("eth0:0", 0), ("eth0:0 eth2", 1),
        ("eth0_0", 0),
    ],
)  # fmt: skip
def test_selection(filled: Command, words: str, published: int) -> None:
    """Those of the main devices that are named; of an alias there are none."""
    found = json.loads(filled.split(f"-j show {words}"))
    assert sum(one["kind"] == "published" for one in found) == published


@pytest.mark.parametrize(("option", "count"), [("-4", 3), ("-6", 1)])
def test_families(filled: Command, option: str, count: int) -> None:
    """-4 and -6 count for them too."""
    found = json.loads(filled.split(f"-j {option} show"))
    assert sum(one["kind"] == "published" for one in found) == count


def test_no_carrier(filled: Command) -> None:
    """The state is that of the device."""
    filled.memory.set_device("eth0", carrier=False)
    states = {one["state"] for one in json.loads(filled.split("-j show eth0"))[1:]}
    assert states == {"no-carrier"}


def test_aliases_alone_are_shown_elsewhere(filled: Command) -> None:
    """lookup, save and the texts of /proc/net are about aliases."""
    assert filled.run(["lookup", "10.0.0.5"], errors.STATUS_NONE) == ("", "")
    assert "10.0.0.5" not in filled("save") + filled.split("cat aliases")


# Conditions


MAIN = Device(2, "eth0", 0x11043, mac=b"\2\0\0\0\0\1", operstate=6)
OUT = Device(3, "eth1", 0x11043, mac=b"\2\0\0\0\0\2", operstate=6)
VLAN = Device(2, "eth0.5", 0x11043, mac=b"\2\0\0\0\0\1", operstate=6)
ADDRESSES = {AF_INET: "10.0.0.5", AF_INET6: "2001:db8::5"}


def case(
    family: int = AF_INET,
    main: Device = MAIN,
    others: tuple[Device, ...] = (OUT,),
    **values: object,
) -> Case:
    """An entry in a world where everything is in order but *values*."""
    proxy = Proxy(main.index, family, inet_pton(family, ADDRESSES[family]), PROTOCOL)
    around = Surroundings(**{**GOOD, **values})  # type: ignore[arg-type]
    return Case(proxy, main, around, Snapshot([main, *others]))


def told(*cases: Case) -> list[str]:
    """The sentences without their commands."""
    return [text.rpartition(" (")[0] for text in faults(cases)]


@pytest.mark.parametrize("family", ADDRESSES)
def test_nothing_is_wrong(family: int) -> None:
    """With everything in order there is nothing to say."""
    assert faults([case(family)]) == []


@pytest.mark.parametrize(
    ("values", "only"),
    [
        ({"everywhere": False}, AF_INET6),
        ({"answering": False}, AF_INET6),
        ({"back": False}, AF_INET),
        ({"forwarding": False}, 0),
        ({"out": 0}, 0),
        ({"out": 2}, 0),
        ({"delay": 10}, 0),
    ],
)
def test_each_alone(values: dict[str, object], only: int) -> None:
    """One thing is wrong: there is one sentence, where the family minds."""
    for family in ADDRESSES:
        assert len(faults([case(family, **values)])) == (only in (0, family))


def test_each_sentence_once() -> None:
    """What is about the device is said once for all its addresses."""
    assert told(case(forwarding=False, out=0), case(forwarding=False, out=0)) == [
        "eth0 answers for nobody while it does not forward",
        "eth0 answers only for what is routed through another device: 10.0.0.5:"
        " no route leads to it",
    ]


def test_ipv6_forwarding_is_asked_for_once() -> None:
    """Where nothing forwards, the command for all does it for the device too."""
    assert faults([case(AF_INET6, forwarding=False, everywhere=False)]) == [
        "eth0 answers for nobody while it does not forward IPv6"
        " (sysctl -w net.ipv6.conf.all.forwarding=1)"
    ]


def test_a_dot_in_the_name_of_a_device() -> None:
    """sysctl(8) takes it only between slashes."""
    assert faults([case(main=VLAN, forwarding=False)]) == [
        "eth0.5 answers for nobody while it does not forward"
        " (sysctl -w net/ipv4/conf/eth0.5/forwarding=1)"
    ]


def test_routes_of_a_vrf_are_not_asked() -> None:
    """It has a table of its own, so nothing is said of the way."""
    main = Device(2, "eth0", 0x11043, mac=b"\2\0\0\0\0\1", operstate=6, master=9)
    vrf = Device(9, "red", 0x11043, kind="vrf")
    assert faults([case(main=main, others=(OUT, vrf), out=0, back=False)]) == []


def test_a_device_without_arp() -> None:
    """Only IPv4 minds."""
    main = Device(2, "eth0", 0x11043 | IFF_NOARP, mac=b"\2\0\0\0\0\1", operstate=6)
    assert told(case(main=main)) == ["eth0 answers for nobody while its ARP is off"]
    assert told(case(AF_INET6, main=main)) == []


def test_where_nothing_is_known_nothing_is_said() -> None:
    """A kernel in memory has no routes."""
    one = case()
    assert faults([Case(one.proxy, one.main, None, one.snapshot)]) == []


@pytest.mark.parametrize("family", ADDRESSES)
def test_what_stands_on_the_device_answers_by_itself(family: int) -> None:
    """An address of a macvlan on the device is heard there."""
    upper = Device(7, "eth0_0", 0x11043, kind="macvlan", link=2, mac=b"\2\0\0\0\0\7")
    memory = Memory.holding(Snapshot([MAIN, OUT, upper]))
    bits = {AF_INET: 32, AF_INET6: 128}[family]
    memory.add_address("eth0_0", f"{ADDRESSES[family]}/{bits}")
    snapshot = memory.snapshot()
    main = snapshot.devices[2]
    proxy = Proxy(2, family, inet_pton(family, ADDRESSES[family]), PROTOCOL)
    assert "(eth0_0): it answers by itself" in needless(Case(proxy, main, None, snapshot))


def test_one_that_hears_comes_before_others() -> None:
    """Of several devices with the address the one that answers is told."""
    memory = Memory.holding(Snapshot([OUT, MAIN]))
    for device in ("eth1", "eth0"):
        memory.add_address(device, "2001:db8::5/128")
    snapshot = memory.snapshot()
    proxy = Proxy(2, AF_INET6, inet_pton(AF_INET6, "2001:db8::5"), PROTOCOL)
    one = Case(proxy, snapshot.devices[2], None, snapshot)
    assert needless(one) == "2001:db8::5 is an address of this host (eth0): it answers by itself"
