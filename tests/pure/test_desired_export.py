"""Export: lines written from existing aliases plan nothing when they are read back."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias import desired, errors
from netalias.desired import declarations, export
from netalias.engine import Engine, Setup
from netalias.families import AliasType, Registry, lazy
from netalias.kernel.memory import Memory
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFF_BROADCAST,
    IFF_UP,
    PROTOCOL,
    Address,
    Alias,
    Device,
)
from netalias.model.commands import command
from netalias.model.names import AliasName


class Stage:
    """An engine over a kernel in memory: lo, eth0 and eth1 are up."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.kernel = Memory()
        self.engine = Engine(Setup(self.kernel, registry))
        self.kernel.set_device("lo", up=True)
        self.kernel.add_device("eth0", up=True)
        self.kernel.add_device("eth1", up=True)
        # The lines of the other families have to be understood when nothing else has loaded them.
        self.registry = registry or lazy()

    def __call__(self, *commands: str) -> None:
        for text in commands:
            self.engine.realise(desired.parse(text.split(), self.engine.registry))

    def lines(self, *, mac: bool = False) -> list[str]:
        return export.lines(self.engine.show(), self.engine.registry, mac=mac)

    def words(self) -> list[str]:
        """The lines without their alignment."""
        return [" ".join(text.split()) for text in self.lines()]

    def planned(self, lines: Iterable[str]) -> list[str]:
        """The commands for these lines, planned one wish after the other."""
        read = declarations.parse([("f", "\n".join(lines))], self.registry)
        assert read.errors == []
        return [
            f"{wish.name}: {command(step)}"
            for wish, _ in read
            for step in self.engine.plan(wish).steps
        ]


@pytest.fixture
def stage() -> Stage:
    return Stage()


class Made:
    """Aliases as values, for tests that only count and export them."""

    def __init__(self) -> None:
        self.main = Device(2, "eth0", IFF_UP | IFF_BROADCAST)
        self.registry = lazy()

    def label(self, slot: int, text: str, prefixlen: int = 32, **fields: object) -> Alias:
        family = AF_INET6 if ":" in text else AF_INET
        packed, _ = self.registry.get(family).parse(text)
        entry = Address(2, family, packed, prefixlen, protocol=PROTOCOL, **fields)  # type: ignore[arg-type]
        return Alias(
            AliasName("eth0", slot), "label", family=family, address=packed,
            prefixlen=prefixlen, main=self.main, entry=entry,
        )  # fmt: skip

    def folded(self, *aliases: Alias) -> list[str]:
        lines = export.lines(aliases, self.registry)
        return [text.replace("kind label", "").strip() for text in lines]


# One alias ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("eth0:0 200.1.1.1", "eth0:0 200.1.1.1/32 kind macvlan"),
        ("eth0:0 200.1.1.1/24", "eth0:0 200.1.1.1/24 kind macvlan"),
        ("eth0:0 200.1.1.1/24 broadcast 200.1.1.255", "eth0:0 200.1.1.1/24 kind macvlan"),
        ("eth0:0 200.1.1.1/24 -broadcast", "eth0:0 200.1.1.1/24 kind macvlan -broadcast"),
        ("eth0:0 200.1.1.1/24 broadcast 200.1.1.9",
         "eth0:0 200.1.1.1/24 kind macvlan broadcast 200.1.1.9"),
        ("eth0:0 200.1.1.1/31", "eth0:0 200.1.1.1/31 kind macvlan"),
        ("eth0:0 200.1.1.1/32 broadcast 200.1.1.1",
         "eth0:0 200.1.1.1/32 kind macvlan broadcast 200.1.1.1"),
        ("lo:0 200.1.1.1/24", "lo:0 200.1.1.1/24 kind label"),
        ("lo:0 200.1.1.1/24 broadcast 200.1.1.255",
         "lo:0 200.1.1.1/24 kind label broadcast 200.1.1.255"),
        ("eth0:0 10.0.0.1 pointopoint 10.0.0.2/30",
         "eth0:0 10.0.0.1/30 kind macvlan pointopoint 10.0.0.2"),
        ("eth0:0 2001:db8::1 pointopoint 2001:db8::2",
         "eth0:0 2001:db8::1/128 kind macvlan pointopoint 2001:db8::2"),
        ("eth0:0 200.1.1.1 metric 7", "eth0:0 200.1.1.1/32 kind macvlan metric 7"),
        ("eth0:0 200.1.1.1 metric 7 kind label", "eth0:0 200.1.1.1/32 kind label metric 7"),
        ("eth0:9 2001:db8::1/64 kind label", "eth0:9 2001:db8::1/64 kind label"),
        ("eth0:0 2001:db8::1/64 metric 7", "eth0:0 2001:db8::1/64 kind macvlan metric 7"),
        ("eth0:0 200.1.1.1 mtu 1400", "eth0:0 200.1.1.1/32 kind macvlan mtu 1400"),
        ("eth0:0 200.1.1.1 mtu 1500", "eth0:0 200.1.1.1/32 kind macvlan"),
        ("eth0:0 200.1.1.1 down", "eth0:0 200.1.1.1/32 kind macvlan down"),
        ("eth0:0 2001:db8::1/64 down", "eth0:0 2001:db8::1/64 kind macvlan down"),
        ("eth0:0 200.1.1.1 hw ether 02:00:00:00:00:01", "eth0:0 200.1.1.1/32 kind macvlan"),
        ("eth0:0 200.1.1.1 hw ether 00:16:3e:00:00:01",
         "eth0:0 200.1.1.1/32 kind macvlan hw ether 00:16:3e:00:00:01"),
        ("eth0:0 200.1.1.1 kind dummy hw ether 00:16:3e:00:00:01",
         "eth0:0 200.1.1.1/32 kind dummy hw ether 00:16:3e:00:00:01"),
        ("eth0:0 200.1.1.1 kind ipvlan", "eth0:0 200.1.1.1/32 kind ipvlan"),
    ],
)  # fmt: skip
def test_one(stage: Stage, command: str, line: str) -> None:
    """A line has the kind, and other words only if they differ from defaults; it plans nothing."""
    if not any(word in command for word in ("kind", "lo:")):
        command += " kind macvlan"
    stage(command)
    assert stage.words() == [line]
    assert stage.planned(stage.lines()) == []


def test_inside_a_network(stage: Stage) -> None:
    """A label inside a network of its main device is written as it was asked for."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage("eth0:0 10.0.0.2/24 kind label", "eth0:1 10.0.0.3/24 kind macvlan")
    assert stage.words() == ["eth0:1 10.0.0.3/24 kind macvlan", "eth0:0 10.0.0.2/24 kind label"]
    assert stage.planned(stage.lines()) == []


def test_every_mac(stage: Stage) -> None:
    """On demand the MAC of each device that has its own; an ipvlan and a label have none."""
    stage("eth0:0 10.0.0.1 kind macvlan", "eth1:0 10.0.0.2 kind ipvlan",
          "eth1:1 10.0.0.3 kind dummy", "eth1:2 10.0.0.4 kind label")  # fmt: skip
    lines = stage.lines(mac=True)
    assert ["hw ether" in text for text in lines] == [True, False, True, False]
    assert stage.planned(lines) == []


@pytest.mark.parametrize("mac", ["", "00:00:00:00:00:00", "01:00:5e:00:00:01", "00:16:3e:01"])
def test_no_station(mac: str) -> None:
    """A MAC that no wish can give is not written: none, zero, of a group, of IPoIB."""
    made = Made()
    packed = bytes.fromhex(mac.replace(":", ""))
    alias = made.label(0, "10.0.0.1")
    alias.kind, alias.device = "dummy", Device(9, "eth0_0", IFF_UP, mac=packed)
    assert export.words(alias, made.registry, mac=True) == ["kind", "dummy"]


def test_main_is_gone(stage: Stage) -> None:
    """Nobody knows the usual broadcast and MTU then: they are said."""
    stage("eth0:0 10.0.0.1/24 kind dummy", "eth0:1 10.1.0.1/24 kind dummy -broadcast")
    stage.kernel.remove_device("eth0")
    assert stage.words() == [
        "eth0:0 10.0.0.1/24 kind dummy broadcast 10.0.0.255 mtu 1500",
        "eth0:1 10.1.0.1/24 kind dummy -broadcast mtu 1500",
    ]


def test_small_mtu(stage: Stage) -> None:
    """Below 1280 bytes there is no IPv6: such a wish would be refused, so it is not written."""
    stage("eth0:0 2001:db8::1/64 kind macvlan down")
    stage.kernel.set_device("eth0_0", mtu=1000)
    assert stage.words() == ["eth0:0 2001:db8::1/64 kind macvlan down"]
    assert stage.planned(stage.lines()) == []


def test_without_address(stage: Stage) -> None:
    """Half-made, or robbed of its address: a comment, which declares nothing."""
    stage("eth0:0 10.0.0.1 kind macvlan", "eth0:1 10.0.0.2 kind macvlan")
    stage.kernel.remove_address("eth0_0", "10.0.0.1/32")
    stage.kernel.add_device("eth0_2", "macvlan", link="eth0", group=28257)
    assert stage.words() == [
        "# eth0:0: without an address",
        "eth0:1 10.0.0.2/32 kind macvlan",
        "# eth0:2: half-made, without an address",
    ]
    (alias, *_) = stage.engine.show()
    assert export.words(alias, stage.engine.registry) is None


def test_an_address_on_two_devices(stage: Stage) -> None:
    """The kernel has it twice, a file cannot: the second alias is a comment, and no run goes on."""
    stage("eth0:12 10.77.0.1 kind label", "eth0:13 10.77.0.2 kind label")
    stage("eth0:14 10.77.0.1 kind macvlan", "eth0:15 10.77.0.2 kind macvlan")
    ordered = sorted(stage.engine.show(), key=lambda alias: alias.name.slot)
    lines = export.lines(ordered, stage.engine.registry)
    assert lines == [
        "eth0:12-13  10.77.0.1-2/32  kind label",
        "# eth0:14: 10.77.0.1 is the address of eth0:12",
        "# eth0:15: 10.77.0.2 is the address of eth0:13",
    ]
    assert stage.planned(lines) == []


# Other families -----------------------------------------------------------------------------


class Ddp(AliasType):
    """A family that the kernel keeps no addresses of: ``NETWORK.NODE``."""

    family = 5
    name = "ddp"
    size = 3

    def parse(self, text: str) -> tuple[bytes, int | None]:
        address, slash, length = text.partition("/")
        network, _, node = address.partition(".")
        packed = int(network).to_bytes(2, "big") + int(node).to_bytes(1, "big")
        return packed, int(length) if slash else None

    def format(self, address: bytes) -> str:
        return f"{int.from_bytes(address[:2], 'big')}.{address[2]}"


def test_other_family() -> None:
    """The word of the type stands before the address; nothing is folded."""
    registry = lazy()
    registry.register(Ddp())
    stage = Stage(registry)
    stage(*(f"eth0:{slot} ddp 1.{slot}{length} kind macvlan"
            for slot, length in ((1, ""), (2, ""), (3, "/16"))))  # fmt: skip
    assert stage.words() == [
        "eth0:1 ddp 1.1 kind macvlan",
        "eth0:2 ddp 1.2 kind macvlan",
        "eth0:3 ddp 1.3/16 kind macvlan",
    ]
    assert stage.planned(stage.lines()) == []


# Many ---------------------------------------------------------------------------------------


def test_alignment(stage: Stage) -> None:
    """Names and addresses stand in columns, folded or not."""
    stage(*(f"eth0:{slot} 10.0.0.{slot} kind label" for slot in range(1, 51)),
          "eth1:0 2001:db8::1/64 kind label")  # fmt: skip
    assert stage.lines() == [
        "eth0:1-50  10.0.0.1-50/32  kind label",
        "eth1:0     2001:db8::1/64  kind label",
    ]
    assert export.lines([], stage.registry) == []


def test_folding_ipv4() -> None:
    """In the last number as a range, beyond it by counting."""
    made = Made()
    run = [made.label(slot, f"10.0.0.{slot}") for slot in range(250, 256)]
    assert made.folded(*run) == ["eth0:250-255  10.0.0.250-255/32"]
    assert made.folded(*run, made.label(256, "10.0.1.0")) == ["eth0:250-256  10.0.0.250/32+"]
    assert made.folded(*run[:2]) == ["eth0:250-251  10.0.0.250-251/32"]
    assert made.folded(*run[:1]) == ["eth0:250  10.0.0.250/32"]


def test_folding_ipv6() -> None:
    """Always by counting."""
    made = Made()
    run = [made.label(slot, f"2001:db8::{slot:x}", 64) for slot in range(9, 20)]
    assert made.folded(*run) == ["eth0:9-19  2001:db8::9/64+"]


@pytest.mark.parametrize(
    "second",
    [
        (3, "10.0.0.2", 32), (2, "10.0.0.3", 32), (2, "10.0.0.2", 31), (1, "10.0.0.2", 32),
        (2, "10.0.0.1", 32), (0, "10.0.0.2", 32), (2, "::a00:2", 32),
    ],
)  # fmt: skip
def test_not_folded(second: tuple[int, str, int]) -> None:
    """Slots and addresses both count by one, and family and prefix length are the same."""
    made = Made()
    assert len(made.folded(made.label(1, "10.0.0.1"), made.label(*second))) == 2


def test_words_part_runs() -> None:
    """Words of a single alias end a range."""
    made = Made()
    metrics = (0, 0, 5, 5, 0)
    run = [made.label(slot, f"10.0.0.{slot}", metric=metric)
           for slot, metric in enumerate(metrics, 1)]  # fmt: skip
    assert [text.split()[0] for text in made.folded(*run)] == ["eth0:1-2", "eth0:3-4", "eth0:5"]


def test_mains_part_runs(stage: Stage) -> None:
    """A range is of one main device."""
    stage("eth0:0 10.0.0.1 kind label", "eth1:1 10.0.0.2 kind label")
    assert [text.split()[0] for text in stage.lines()] == ["eth0:0", "eth1:1"]


def test_labels_that_count_down(stage: Stage) -> None:
    """The kernel lists the IPv6 addresses of a device newest first; a line counts up."""
    made = Made()
    run = [made.label(slot, f"2001:db8::{slot:x}", 64) for slot in range(9, 2, -1)]
    assert made.folded(*run) == ["eth0:3-9  2001:db8::3/64+"]
    assert len(made.folded(*run[:3], run[1])) == 2


def test_devices_that_count_down(stage: Stage) -> None:
    """The order of devices is the order in which they were made, and stays as it is."""
    stage(*(f"eth0:{slot} 10.0.0.{slot} kind macvlan" for slot in (3, 2, 1)))
    assert [text.split()[0] for text in stage.lines()] == ["eth0:3", "eth0:2", "eth0:1"]


# Others -------------------------------------------------------------------------------------


def test_foreign(stage: Stage) -> None:
    """The labels of others in lines of their own, none of ours; and the other way round."""
    for last in (1, 2):
        stage.kernel.add_address("eth0", f"10.0.{last}.1/24", label=f"eth0:{last}")
    stage("eth0:3 10.0.3.1/24 kind label")
    aliases = stage.engine.show()
    assert export.foreign(aliases, stage.registry) == [
        "eth0:1  10.0.1.1/24  kind label -broadcast",
        "eth0:2  10.0.2.1/24  kind label -broadcast",
    ]
    assert stage.words() == ["eth0:3 10.0.3.1/24 kind label"]
    assert [one["altname"] for one in export.objects(aliases, stage.registry)] == ["eth0:3"]


# JSON ---------------------------------------------------------------------------------------


def test_objects(stage: Stage) -> None:
    """Objects have the field names of ``-j``, without defaults."""
    stage(
        "eth0:0 200.1.1.1/24 kind macvlan",
        "eth0:1 2001:db8::1/64 kind macvlan mtu 1400 hw ether 00:16:3e:00:00:01 down",
        "eth1:0 10.0.0.1/24 metric 7 -broadcast kind label",
        "eth1:1 10.0.1.1 pointopoint 10.0.1.2 broadcast 10.0.1.9 kind label",
    )
    stage.kernel.add_device("eth0_2", "macvlan", link="eth0", group=28257)
    assert export.objects(stage.engine.show(), stage.engine.registry) == [
        {"altname": "eth0:0", "kind": "macvlan", "family": "inet", "local": "200.1.1.1",
         "prefixlen": 24},
        {"altname": "eth0:1", "kind": "macvlan", "family": "inet6", "local": "2001:db8::1",
         "prefixlen": 64, "mtu": 1400, "address": "00:16:3e:00:00:01", "up": False},
        {"altname": "eth0:2", "kind": "macvlan", "up": False},
        {"altname": "eth1:0", "kind": "label", "family": "inet", "local": "10.0.0.1",
         "prefixlen": 24, "broadcast": None, "metric": 7},
        {"altname": "eth1:1", "kind": "label", "family": "inet", "local": "10.0.1.1",
         "prefixlen": 32, "address_peer": "10.0.1.2", "broadcast": "10.0.1.9"},
    ]  # fmt: skip


# Any aliases --------------------------------------------------------------------------------

# Every network has one length. An alias that keeps its route while a wider network comes later
# is a state that no wish describes: the planner takes the route away when it sees the alias again.
ADDRESSES = st.sampled_from(
    [f"{network}{last}{length}"
     for network, length in (("10.0.0.", "/24"), ("10.1.0.", "/16"), ("10.3.0.", "/31"),
                             ("2001:db8:1::", "/48"), ("2001:db8:2::", "/64"))
     for last in (1, 2, 3, 4)
     for length in (length, "")]
)  # fmt: skip
TAILS = st.lists(
    st.sampled_from(
        ["down", "mtu 1400", "mtu 1300", "metric 7", "-broadcast", "broadcast 10.0.0.9",
         "hw ether 00:16:3e:00:00:01", "hw ether 02:00:00:00:00:01", "up"]
    ), max_size=3, unique_by=lambda word: word.split()[0],
)  # fmt: skip
KINDS = st.sampled_from(["macvlan", "ipvlan", "dummy", "label"])
MAINS = st.sampled_from(["eth0", "eth0", "eth1", "lo"])
CREATED = st.builds(
    lambda main, slot, address, kind, tail: f"{main}:{slot} {address} kind {kind} {' '.join(tail)}",
    MAINS, st.integers(0, 5), ADDRESSES, KINDS, TAILS,
)  # fmt: skip
PEERS = st.builds(
    "eth0:{} 10.2.0.1 pointopoint 10.2.0.2/{}".format, st.integers(0, 5), st.integers(0, 32)
)
CHANGED = st.builds(
    "{}:{}{}".format, MAINS, st.integers(0, 5), st.sampled_from(["-", " down", " up"])
)
RUNS = st.builds(
    lambda main, slot, kind, version, count: [
        f"{main}:{slot + at} {'10.7.0.' if version == 4 else '2001:db8:7::'}{1 + at} kind {kind}"
        for at in range(count)
    ],
    MAINS, st.integers(6, 9), KINDS, st.sampled_from([4, 6]), st.integers(2, 6),
)  # fmt: skip
COMMANDS = st.lists(
    (CREATED | PEERS | CHANGED).map(lambda text: [text]) | RUNS, max_size=10
).map(lambda parts: [text for part in parts for text in part])  # fmt: skip


@given(COMMANDS, st.booleans())
@settings(max_examples=300)
def test_what_is_written_plans_nothing(commands: list[str], mac: bool) -> None:
    """Whatever was done: the lines declare each alias once, and nothing is to be done for them."""
    stage = Stage()
    stage.kernel.add_address("eth0", "10.0.0.200/24")
    stage.kernel.add_address("eth1", "10.9.0.1/24", label="eth1:9")
    used: set[str] = set()
    for text in commands:
        # A file has an address once.
        address = text.partition(" ")[2].partition("/")[0].partition(" ")[0]
        if address in used:
            continue
        try:
            stage(text)
        except errors.NetaliasError:
            continue
        if address[:1].isdigit():
            used.add(address)
    ours = [alias for alias in stage.engine.show() if alias.ours]
    lines = export.lines(ours, stage.engine.registry, mac=mac)
    read = declarations.parse([("f", "\n".join(lines))], stage.registry)
    assert {str(wish.name) for wish, _ in read} == {str(alias.name) for alias in ours}
    assert len(read) == len(ours)
    assert stage.planned(lines) == []


def test_a_device_that_is_called_as_a_comment_begins(stage: Stage) -> None:
    """No line can name it, which is said, not left to whoever reads the file back."""
    stage.kernel.add_device("#x", up=True)
    stage("#x:0 10.0.0.1/32 kind label", "eth0:0 10.0.0.2/32 kind label")
    assert stage.words() == [
        "eth0:0 10.0.0.2/32 kind label",
        "# #x:0: a line that begins with # is a comment",
    ]
