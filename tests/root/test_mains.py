"""Every kind of main device: what auto makes of an alias, what is refused, what becomes of it."""

from __future__ import annotations

import pytest
from command import Command, ip_json, talk
from making import has, made
from support import Namespace, until

MAIN4, PEER4 = "200.1.1.254", "200.1.1.200"
FIRST, SECOND = "200.1.1.1", "200.1.1.7"
DEVICE = "a device"
"""The kind that auto makes: ipvlan where the kernel has it, else macvlan."""


class Main:
    """A main device: how it is made here and at the other end, and what auto makes on it.

    ``refusal`` is what is said of a device on it; ``far`` the device that carries the network at
    the other end, empty where no packet can come from there; ``vrf`` what it is a member of.
    """

    def __init__(
        self, name: str, *words: str, there: tuple[str, ...] = (), far: str = "",
        auto: str = DEVICE, refusal: str = "", carrier: bool = True, vrf: str = "",
    ) -> None:  # fmt: skip
        self.name = name
        self.words = words
        self.there = there
        self.far = far
        self.auto = auto
        self.refusal = refusal
        self.carrier = carrier
        self.vrf = vrf


MAINS = {
    "macvlan of another namespace": Main(
        "mv9",
        there=("link add mv9 link p9 type macvlan mode bridge", "link set mv9 netns {netns}"),
    ),
    "veth": Main("eth9", far="p9"),
    "vlan": Main(
        "eth9.7",
        "link add link eth9 name eth9.7 type vlan id 7",
        there=("link add link p9 name p9.7 type vlan id 7", "link set p9.7 up"),
        far="p9.7",
    ),
    "bond": Main(
        "bond9",
        "link add bond9 type bond mode active-backup miimon 10",
        "link set eth9 down",
        "link set eth9 master bond9",
        far="p9",
    ),
    "port of a bond": Main(
        "eth9",
        "link add bond9 type bond mode active-backup miimon 10",
        "link set eth9 down",
        "link set eth9 master bond9",
        "link set bond9 up",
        auto="label",
        refusal="eth9 is a port of bond9",
    ),
    "bridge": Main("br9", "link add br9 type bridge", "link set eth9 master br9", far="p9"),
    "port of a bridge": Main(
        "eth9",
        "link add br9 type bridge",
        "link set br9 up",
        "link set eth9 master br9",
        auto="label",
        refusal="eth9 is a port of br9",
    ),
    "member of a vrf": Main(
        "eth9",
        "link add red9 type vrf table 9",
        "link set red9 up",
        "link set eth9 master red9",
        far="p9",
        vrf="red9",
    ),
    "vrf": Main(
        "red9", "link add red9 type vrf table 9", auto="label", refusal="red9 is a vrf"
    ),
    "dummy": Main("dum9", "link add dum9 type dummy"),
    "tun": Main(
        "tun9", "tuntap add tun9 mode tun", auto="label",
        refusal="tun9 is not an Ethernet device", carrier=False,
    ),
    "tap": Main("tap9", "tuntap add tap9 mode tap", carrier=False),
    "lo": Main("lo", auto="label", refusal="lo is not an Ethernet device"),
}  # fmt: skip


class Stage:
    """A command beside a main device of some kind, which is up."""

    def __init__(self, cli: Command, peer: Namespace, main: Main) -> None:
        self.cli = cli
        self.peer = peer
        self.main = main
        self.alias = f"{main.name}:0"
        for namespace, lines in ((cli.namespace, main.words), (peer, main.there)):
            for words in lines:
                made(namespace, words.replace("{netns}", cli.namespace.path))
        cli.namespace.ip(f"link set {main.name} up")
        if main.far:
            cli.namespace.ip(f"addr add {MAIN4}/24 dev {main.name}")
            peer.ip(f"addr add {PEER4}/24 dev {main.far}")
        until(lambda: not main.carrier or "LOWER_UP" in self._flags())

    def _flags(self) -> str:
        return self.cli.namespace.ip(f"link show dev {self.main.name}")

    @property
    def auto(self) -> str:
        """The kind that auto makes on this kernel."""
        if self.main.auto != DEVICE:
            return self.main.auto
        return "ipvlan" if has(self.cli.namespace, "ipvlan") else "macvlan"

    def answers(self, address: str) -> None:
        """TCP and UDP reach *address*, from the other end, or in the namespace itself."""
        if self.main.far:
            found = talk(self.peer, self.cli.namespace, address, vrf=self.main.vrf)
            assert found == (PEER4, PEER4)
        elif self.auto == "label" and self.main.name == "lo":
            talk(self.cli.namespace, self.cli.namespace, address)


@pytest.fixture(params=MAINS)
def stage(request: pytest.FixtureRequest, cli: Command, peer: Namespace) -> Stage:
    """Each kind of main device that this kernel has."""
    return Stage(cli, peer, MAINS[request.param])


def test_made_readdressed_and_deleted(stage: Stage) -> None:
    """auto makes the kind that the main device can carry; it answers on its first address and on
    its second, is shown, and leaves nothing."""
    cli = stage.cli
    before = cli.namespace.names()
    cli.silent(stage.alias, FIRST)
    assert cli.one(stage.alias)["kind"] == stage.auto
    stage.answers(FIRST)
    cli.silent(stage.alias, SECOND)
    stage.answers(SECOND)
    device = stage.alias.replace(":", "_") if stage.auto != "label" else stage.main.name
    assert f"{stage.alias} {device} {stage.auto} {SECOND}/32" in " ".join(cli("show").split())
    cli.silent(f"{stage.alias}-")
    assert cli.names() == []
    assert cli.namespace.names() == before
    assert SECOND not in cli.namespace.ip("addr show")


def test_down_and_up(stage: Stage) -> None:
    """A device goes down and up with its address; a label cannot, and says so."""
    cli = stage.cli
    cli.silent(stage.alias, FIRST)
    if stage.auto == "label":
        assert "a label cannot be down" in cli.fails(2, stage.alias, "down")
        return
    cli.silent(stage.alias, "down")
    assert cli.one(stage.alias)["state"] == "down"
    cli.silent(stage.alias, "up")
    assert cli.one(stage.alias)["state"] in ("up", "no-carrier")
    stage.answers(FIRST)


def test_refused(stage: Stage) -> None:
    """A device that the main device cannot carry is refused with the reason; nothing changes."""
    if not stage.main.refusal:
        pytest.skip("it carries every kind")
    before = held(stage.cli.namespace)
    for kind in ("macvlan", "ipvlan"):
        line = stage.cli.fails(2, stage.alias, FIRST, "kind", kind)
        assert f"kind {kind} cannot serve: {stage.main.refusal}" in line
    assert held(stage.cli.namespace) == before


def held(namespace: Namespace) -> tuple[list[str], str]:
    """The devices and the IPv4 addresses, without states, which may come late."""
    return namespace.names(), namespace.ip("-4 -o addr show")


def test_main_down(stage: Stage) -> None:
    """Nothing is made; what is there shows it, and comes back with the main device."""
    cli, main = stage.cli, stage.main.name
    cli.silent(stage.alias, FIRST)
    cli.namespace.ip(f"link set {main} down")
    wanted = "down" if stage.auto == "label" else "no-carrier"
    until(lambda: cli.one(stage.alias)["state"] == wanted)
    assert f"main device {main} is down" in cli.fails(2, f"{main}:1", SECOND)
    cli.namespace.ip(f"link set {main} up")
    until(lambda: cli.one(stage.alias)["state"] != wanted or not stage.main.carrier)


def test_main_deleted(stage: Stage) -> None:
    """The alias goes with it."""
    if stage.main.name == "lo":
        pytest.skip("lo cannot be deleted")
    stage.cli.silent(stage.alias, FIRST)
    stage.cli.namespace.ip(f"link del {stage.main.name}")
    assert stage.cli.names() == []


def test_alias_of_a_member_is_one_too(cli: Command, peer: Namespace) -> None:
    """An alias of a vrf's member is in the vrf: so its answers take the routes of the vrf."""
    stage = Stage(cli, peer, MAINS["member of a vrf"])
    for kind, address in (("macvlan", FIRST), ("dummy", SECOND)):
        cli.silent("-q", stage.alias, address, "kind", kind)
        (device,) = ip_json(cli.namespace, "link show dev eth9_0")
        assert device["master"] == "red9"
        assert f"local {address} dev eth9_0 table 9" in " ".join(
            cli.namespace.ip("route show table all").split()
        )
        stage.answers(address)
        cli.silent(f"{stage.alias}-")
