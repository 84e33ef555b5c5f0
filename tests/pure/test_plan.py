"""The planner: what the engine does to a kernel in memory, command by command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from errno import (
    EADDRINUSE,
    EAFNOSUPPORT,
    EBUSY,
    EEXIST,
    EINVAL,
    EIO,
    ENODEV,
    EOPNOTSUPP,
    EPERM,
    errorcode,
)

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias import desired, errors
from netalias.engine import Engine, Setup
from netalias.families import AliasType, Registry, lazy
from netalias.kernel.memory import Memory
from netalias.model import (
    ARPHRD_ETHER,
    GROUP,
    IFA_F_NOPREFIXROUTE,
    IFA_F_SECONDARY,
    PROTOCOL,
    RT_SCOPE_LINK,
    Address,
    Device,
    Snapshot,
    address_text,
)
from netalias.model.commands import command, title
from netalias.model.steps import AddAltname, CreateLink, DelLink, SetLink, Step
from netalias.plan import Plan
from netalias.runtime.private import PrivateDirectory
from netalias.views import state as state_of

NO_ROUTE = "noprefixroute"
TUN = 65534
PPP = 512


class Stage:
    """An engine over a kernel in memory: lo, eth0 and eth1 are up, eth2 is down."""

    def __init__(self, kernel: Memory | None = None, registry: Registry | None = None) -> None:
        self.kernel = kernel or Memory()
        self.engine = Engine(Setup(self.kernel, registry))
        self.kernel.set_device("lo", up=True)
        for name in ("eth0", "eth1", "eth2"):
            self.kernel.add_device(name, up=name != "eth2")

    def wish(self, text: str) -> desired.Wish:
        return desired.parse(text.split(), self.engine.registry)

    def __call__(self, text: str, *, force: bool = False) -> Plan:
        """Do one command."""
        return self.engine.realise(self.wish(text), force=force)

    def plan(self, text: str, *, force: bool = False) -> Plan:
        """Only plan it."""
        return self.engine.plan(self.wish(text), force=force)

    def refused(self, text: str, kind: type[errors.NetaliasError], errno: int) -> str:
        """The message of a command that must be refused, and change nothing."""
        before = everything(self.kernel)
        with pytest.raises(kind) as caught:
            self(text)
        assert errorcode[caught.value.errno] == errorcode[errno]
        assert everything(self.kernel) == before
        return str(caught.value)

    def names(self) -> list[str]:
        """The aliases in chain order."""
        return [str(alias.name) for alias in self.engine.show()]

    def device(self, name: str) -> Device:
        found = self.kernel.snapshot().device(name)
        assert found is not None, name
        return found

    def has(self, name: str) -> bool:
        return self.kernel.snapshot().device(name) is not None

    def on(self, name: str) -> list[str]:
        """The addresses on a device as texts, without those that the kernel made by itself."""
        return [
            text_of(entry)
            for entry in self.kernel.snapshot().on(self.device(name).index)
            if entry.scope != RT_SCOPE_LINK
        ]


def text_of(entry: Address) -> str:
    """``10.0.0.1/24 label=lo:0 noprefixroute``."""
    words = [f"{address_text(entry.family, entry.local)}/{entry.prefixlen}"]
    if ":" in entry.label:
        words.append(f"label={entry.label}")
    if entry.flags & IFA_F_NOPREFIXROUTE:
        words.append(NO_ROUTE)
    if entry.flags & IFA_F_SECONDARY:
        words.append("secondary")
    return " ".join(words)


def everything(kernel: Memory, only: Callable[[Device], bool] | None = None) -> object:
    """All that can be read; indexes and MACs of devices of the kernel's choice excepted."""
    snapshot = kernel.snapshot()
    return {
        device.name: (values(device, snapshot), entries_of(device, snapshot))
        for device in snapshot.devices.values()
        if only is None or only(device)
    }


def values(device: Device, snapshot: Snapshot) -> dict[str, object]:
    found = {key: getattr(device, key) for key in Device.__slots__}
    for key in ("index", "mac", "stats"):
        del found[key]
    below = snapshot.devices.get(device.link)
    found["link"] = below.name if below is not None else device.link
    return found


def entries_of(device: Device, snapshot: Snapshot) -> list[dict[str, object]]:
    return [
        {key: getattr(entry, key) for key in Address.__slots__ if key != "index"}
        for entry in snapshot.on(device.index)
        if entry.scope != RT_SCOPE_LINK
    ]


@pytest.fixture
def stage() -> Stage:
    return Stage()


# Creating and looking -----------------------------------------------------------------------


def test_create(stage: Stage) -> None:
    """S1: a device that is called eth0:0 exists, is up, and has the address."""
    stage("eth0:0 200.1.1.1/24")
    device = stage.device("eth0:0")
    assert device.name == "eth0_0"
    assert device.altnames == ("eth0:0",)
    assert (device.group, device.ifalias, device.up) == (GROUP, "netalias eth0:0", True)
    assert device.link == stage.device("eth0").index
    assert stage.on("eth0_0") == ["200.1.1.1/24"]
    (entry,) = stage.kernel.snapshot().on(device.index)
    assert (entry.protocol, entry.broadcast) == (PROTOCOL, b"\xc8\1\1\xff")


def test_create_by_altname_of_main(stage: Stage) -> None:
    """S1: the main device may be called by any of its names; the alias has the primary one."""
    stage.kernel.send([AddAltname("eth0", stage.device("eth0").index, "uplink")])
    stage("uplink:0 200.1.1.1")
    assert stage.names() == ["eth0:0"]
    assert not stage("eth0:0 200.1.1.1").steps
    stage("uplink:0-")
    assert stage.names() == []


def test_readdress(stage: Stage) -> None:
    """S2: an address on a name that is there re-addresses it; no second device appears."""
    stage("eth0:0 200.1.1.1")
    index = stage.device("eth0:0").index
    stage("eth0:0 200.1.1.2/24")
    assert stage.names() == ["eth0:0"]
    assert stage.device("eth0:0").index == index
    assert stage.on("eth0_0") == ["200.1.1.2/24"]


def test_readdress_within_the_network(stage: Stage) -> None:
    """S2: the new address does not go with the old one, whose secondary it would be."""
    for name, kind in (("eth0:0", "macvlan"), ("eth1:0", "label"), ("lo:0", "label")):
        for last in (1, 2, 3):
            stage(f"{name} 200.1.1.{last}/24 kind {kind}")
            carrier = "eth0_0" if kind == "macvlan" else name[:-2]
            found = [text.split()[0] for text in stage.on(carrier) if text.startswith("200.")]
            assert found == [f"200.1.1.{last}/24"]
        stage(f"{name}-")


@pytest.mark.parametrize("promote", [0, 1])
def test_readdress_whatever_is_promoted(stage: Stage, promote: int) -> None:
    """S2: the same when somebody changed promote_secondaries of the alias."""
    stage("eth0:0 200.1.1.1/24")
    index = stage.device("eth0_0").index
    stage.kernel.send([SetLink("eth0_0", index, conf={"promote_secondaries": promote})])
    stage("eth0:0 200.1.1.2/24")
    assert stage.on("eth0_0") == ["200.1.1.2/24"]


def test_same_again(stage: Stage) -> None:
    """S3: the same address again plans nothing."""
    for words in (
        "eth0:0 200.1.1.1",
        "eth0:1 200.1.1.2/24 metric 7 broadcast 200.1.1.9 mtu 1400 kind ipvlan",
        "eth0:2 2001:db8::1/64",
        "eth0:3 10.9.9.1 pointopoint 10.9.9.2/30 down",
        "eth1:0 10.1.0.1/16 hw ether 02:00:00:00:07:01",
        "lo:0 10.2.0.1/16",
        "lo:1 2001:db8:1::1/64",
        "eth1:1 10.3.0.1 kind dummy",
    ):
        assert stage(words).steps, words
        assert not stage(words).steps, words


@pytest.mark.parametrize("words", ["up", "down", "mtu 1400", "netmask 255.0.0.0", "metric 0",
                                   "-broadcast", "kind auto"])  # fmt: skip
def test_missing_is_not_created(stage: Stage, words: str) -> None:
    """S4: what only changes or looks does not create: ENODEV."""
    assert "there is no such alias" in stage.refused(f"eth0:5 {words}", errors.NoSuchDevice, ENODEV)
    with pytest.raises(errors.NoSuchDevice):
        stage.engine.get("eth0:5")
    assert stage.names() == []


def test_no_such_main(stage: Stage) -> None:
    """S8: ENODEV."""
    message = stage.refused("nodev:0 200.1.1.1", errors.NoSuchDevice, ENODEV)
    assert message == "nodev:0: there is no device nodev"
    stage.refused("nodev:0-", errors.NoSuchDevice, ENODEV)


def test_alias_of_alias(stage: Stage) -> None:
    """S22: by its primary name neither."""
    stage("eth0:0 200.1.1.1")
    message = stage.refused("eth0_0:1 200.1.1.2", errors.BadName, ENODEV)
    assert "cannot have aliases" in message


def test_not_permitted() -> None:
    """S15: without privilege EPERM comes before any other error, and before doing nothing."""
    stage = Stage()
    stage("eth0:0 200.1.1.1")
    stage.kernel.privileged = False
    for words in ("eth0:0 200.1.1.1", "eth0:1 200.1.1.2", "eth2:0 200.1.1.3", "nodev:0 1.2.3.4",
                  "eth0:7-", "eth0:0-"):  # fmt: skip
        stage.refused(words, errors.NotPermitted, EPERM)
    assert stage.plan("eth0:1 200.1.1.2").steps


@pytest.mark.parametrize("words", ["kind label", "down", "hw ether 02:00:00:00:00:05", "lease 5"])
def test_a_refusal_for_lack_of_rights_claims_no_damage(stage: Stage, words: str) -> None:
    """Nothing was removed, so nothing is gone, and nothing is left behind."""
    stage("eth0:0 200.1.1.1 kind macvlan")
    stage.kernel.privileged = False
    message = stage.refused(f"eth0:0 {words}", errors.NotPermitted, EPERM)
    assert "gone" not in message
    assert "left behind" not in message


def test_failure_leaves_nothing(stage: Stage) -> None:
    """S20: whatever is refused, no alias has appeared."""
    for words, kind, errno in (
        ("eth0:0 200.1.1.1 mtu 1501 kind macvlan", errors.LimitError, EINVAL),
        ("eth0:0 200.1.1.1 mtu 60", errors.KernelError, EINVAL),
        ("eth0:0 200.1.1.1 kind ipvlan hw ether 02:00:00:00:00:01", errors.KindError, EOPNOTSUPP),
        ("lo:0 200.1.1.1 mtu 1400", errors.KindError, EOPNOTSUPP),
        ("lo:0 200.1.1.1 down", errors.KindError, EOPNOTSUPP),
        ("eth0:0 ::1", errors.KernelError, 99),
    ):
        stage.refused(words, kind, errno)
        assert stage.names() == []


def test_nothing_is_made_without_the_main(stage: Stage) -> None:
    """S12: an unknown type is refused before the main device is looked at."""
    with pytest.raises(errors.UsageError, match="'ddp' is not a word") as caught:
        stage("eth2:0 ddp 1000.12")
    assert caught.value.errno == EINVAL


# The main device ----------------------------------------------------------------------------


def test_main_down(stage: Stage) -> None:
    """S11, S45: EIO, and no device; --force makes it all the same."""
    message = stage.refused("eth2:0 200.1.1.1", errors.MainDown, EIO)
    assert message == "eth2:0: main device eth2 is down"
    stage("eth2:0 200.1.1.1", force=True)
    assert stage.names() == ["eth2:0"]
    (alias,) = stage.engine.show()
    assert state_of(alias) == "no-carrier"


def test_main_down_with_an_alias(stage: Stage) -> None:
    """S45: on a main that went down an alias can be taken down and deleted, but not raised."""
    stage("eth0:0 200.1.1.1")
    stage.kernel.set_device("eth0", up=False)
    stage.refused("eth0:0 200.1.1.2", errors.MainDown, EIO)
    stage("eth0:0 down")
    stage.refused("eth0:0 up", errors.MainDown, EIO)
    stage("eth0:0-")
    assert stage.names() == []


def test_main_is_readdressed(stage: Stage) -> None:
    """S41: aliases survive."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage("eth0:0 10.0.0.2/24")
    stage.kernel.add_address("eth0", "10.0.5.1/24")
    stage.kernel.remove_address("eth0", "10.0.0.1/24")
    assert stage.names() == ["eth0:0"]
    assert stage.on("eth0_0") == [f"10.0.0.2/24 {NO_ROUTE}"]
    stage("eth0:0 10.0.0.2/24")
    assert stage.on("eth0_0") == ["10.0.0.2/24"]


def test_main_is_renamed(stage: Stage) -> None:
    """S44: shown as renamed; the next command gives it the new name; never two for one slot."""
    stage("eth0:0 200.1.1.1")
    stage.kernel.set_device("eth0", name="lan0")
    (alias,) = stage.engine.show()
    assert (str(alias.name), state_of(alias)) == ("lan0:0", "up,renamed")
    done = stage("lan0:0 200.1.1.1")
    assert [command(step) for step in done.steps] == [
        "ip link property del dev eth0_0 altname eth0:0",
        "ip link property add dev eth0_0 altname lan0:0",
        "ip link set dev eth0_0 alias 'netalias lan0:0'\n"
        "sysctl -qw net.ipv4.conf.eth0_0.rp_filter=2 net.ipv4.conf.eth0_0.arp_filter=0"
        " net.ipv4.conf.eth0_0.medium_id=-1 net.ipv4.conf.eth0_0.arp_announce=2"
        " net.ipv4.conf.eth0_0.arp_ignore=1 net.ipv4.conf.eth0_0.promote_secondaries=1",
    ]
    assert stage.device("lan0:0").altnames == ("lan0:0",)
    assert stage.names() == ["lan0:0"]
    assert not stage("lan0:0 200.1.1.1").steps


def test_new_main_with_an_old_name(stage: Stage) -> None:
    """S44, S83: an alias that goes by the old name gives way to that of the new main device; only
    what others made is in the way: EEXIST, and what it is."""
    stage("eth0:0 200.1.1.1")
    stage.kernel.set_device("eth0", name="lan0")
    stage.kernel.add_device("eth0", up=True)
    stage("eth0:0 200.1.1.2")
    assert stage.names() == ["lan0:0", "eth0:0"]
    stage.kernel.add_device("other", altnames=["eth0:1"])
    message = stage.refused("eth0:1 200.1.1.3", errors.AlreadyExists, EEXIST)
    assert message == "eth0:1: eth0:1 names the device other, which netalias did not make"


def test_renamed_label(stage: Stage) -> None:
    """S44: a label of ours on a renamed main is found under the new name, and gets it."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage("eth0:7 200.1.1.1 kind label")
    stage.kernel.set_device("eth0", name="lan0")
    assert stage.names() == ["lan0:7"]
    stage("lan0:7-")
    assert stage.on("lan0") == ["10.0.0.1/24"]


def test_main_is_gone(stage: Stage) -> None:
    """S34: macvlans go with their main device, aliases of others remain."""
    stage("eth0:0 200.1.1.1")
    stage("eth1:0 200.1.1.2")
    stage("eth0:1 200.1.1.3 kind dummy")
    stage.kernel.remove_device("eth0")
    assert stage.names() == ["eth1:0", "eth0:1"]
    stage("eth0:1-")
    assert stage.names() == ["eth1:0"]


# Deleting -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["", "0", "0.0.0.0", "9.9.9.9 netmask nonsense"])
def test_delete(stage: Stage, words: str) -> None:
    """S23, S88: eth0:0- deletes, whatever follows; S31: the alias, not the main device."""
    before = everything(stage.kernel)
    stage("eth0:0 200.1.1.1")
    stage(f"eth0:0- {words}")
    assert everything(stage.kernel) == before


@pytest.mark.parametrize("name", ["eth0:7-", "eth0:300-", "eth1:0-", "eth2:0-", "lo:0-"])
def test_delete_missing(stage: Stage, name: str) -> None:
    """S24, S25: ENODEV, whether the main device has aliases or not."""
    stage("eth0:0 200.1.1.1")
    stage.refused(name, errors.NoSuchDevice, ENODEV)


def test_last_alias(stage: Stage) -> None:
    """S28: with the last alias everything that was made for aliases has gone."""
    before = everything(stage.kernel)
    for slot in range(3):
        stage(f"eth0:{slot} 200.1.{slot}.1/24")
    for slot in (1, 0, 2):
        stage(f"eth0:{slot}-")
    assert everything(stage.kernel) == before


def test_order(stage: Stage) -> None:
    """S29, S33: creation order, not slot order; who comes back goes last."""
    for slot in (0, 2, 1):
        stage(f"eth0:{slot} 200.1.1.{slot + 1}")
    stage("eth0:2-")
    assert stage.names() == ["eth0:0", "eth0:1"]
    stage("eth0:2 200.1.1.3")
    stage("lo:0 200.1.1.9")
    stage("eth1:0 200.1.1.10")
    assert stage.names() == ["lo:0", "eth0:0", "eth0:1", "eth0:2", "eth1:0"]


def test_delete_keeps_what_is_not_ours(stage: Stage) -> None:
    """S30: addresses and labels of the main device, and what others put on the alias's network."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage.kernel.add_address("eth0", "10.0.0.9/24", label="eth0:9")
    stage.kernel.add_device("veth7", group=5)
    before = everything(stage.kernel)
    stage("eth0:0 10.0.0.2/24")
    stage("eth0:1 10.0.0.3/24 kind label")
    stage("eth0:0-")
    stage("eth0:1-")
    assert everything(stage.kernel) == before


@pytest.mark.parametrize("promote", [0, 1])
def test_label_keeps_foreign_secondaries(stage: Stage, promote: int) -> None:
    """S30: a label that goes does not take the secondaries of others along."""
    index = stage.device("eth0").index
    stage.kernel.send([SetLink("eth0", index, conf={"promote_secondaries": promote})])
    stage("eth0:0 10.0.0.1/24 kind label")
    stage.kernel.add_address("eth0", "10.0.0.7/24")
    stage.kernel.add_address("eth0", "10.0.0.8/24")
    stage("eth0:0-")
    assert stage.on("eth0") == ["10.0.0.7/24", "10.0.0.8/24 secondary"]
    assert stage.kernel.setting("eth0", "promote_secondaries") == promote


def test_foreign_device(stage: Stage) -> None:
    """S30: a device that only looks like an alias is neither changed nor deleted."""
    stage.kernel.add_device("eth0_0", "macvlan", link="eth0", altnames=["eth0:0"])
    stage.refused("eth0:0-", errors.NotOurs, EPERM)
    stage.refused("eth0:0 200.1.1.1", errors.AlreadyExists, EEXIST)
    stage.refused("eth0:0 up", errors.NoSuchDevice, ENODEV)
    assert stage.names() == []


# Up and down --------------------------------------------------------------------------------


def test_born_down(stage: Stage) -> None:
    """S35: the device is made down, and raised by the last step of all."""
    steps = stage("eth0:0 200.1.1.1/24").steps
    raising = [isinstance(step, SetLink) and step.up is True for step in steps]
    assert raising == [False] * (len(steps) - 1) + [True]
    assert isinstance(steps[0], CreateLink)
    stage("eth0:1 200.1.1.2 down")
    assert not stage.device("eth0:1").up
    stage("eth0:1 mtu 1400")
    assert not stage.device("eth0:1").up
    stage("eth0:1 up")
    assert stage.device("eth0:1").up


@pytest.mark.parametrize("address", ["200.1.1.1/24", "2001:db8::1/64"])
@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy"])
def test_down_and_up(stage: Stage, kind: str, address: str) -> None:
    """S36: a down alias keeps slot and address, IPv6 ones too; up brings them back in force."""
    stage(f"eth0:0 {address} kind {kind}")
    stage("eth0:0 down")
    (alias,) = stage.engine.show()
    assert (str(alias.name), alias.up) == ("eth0:0", False)
    text = address_text(alias.family, alias.address)
    assert f"{text}/{alias.prefixlen}" == address
    assert not stage("eth0:0 down").steps
    stage("eth0:0 up")
    # A dummy brings no route for a network: nobody is behind it.
    noted = " noprefixroute" * (kind == "dummy")
    assert stage.on("eth0_0") == [address + noted]
    assert not stage(f"eth0:0 {address}").steps


@pytest.mark.parametrize("words", ["up", "down"])
def test_readdress_while_down(stage: Stage, words: str) -> None:
    """S36: an IPv6 alias that is down takes another address, and has it when it is raised."""
    stage(f"eth0:0 2001:db8::9/64 {words}")
    for text in ("2001:db8::2/64", "2001:db8::3/64"):
        stage(f"eth0:0 {text} down")
        (alias,) = stage.engine.show()
        assert f"{address_text(alias.family, alias.address)}/{alias.prefixlen}" == text
    stage("eth0:0 up")
    assert stage.on("eth0_0") == ["2001:db8::3/64"]


# Families -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy", "label"])
def test_family_changes(stage: Stage, kind: str) -> None:
    """S52: one address at any time, and no link-local address on an alias of IPv4."""
    stage(f"eth0:0 200.1.1.1/24 kind {kind}")
    carrier = stage.engine.get("eth0:0").carrier
    assert carrier is not None
    for text in ("2001:db8::1/64", "200.1.1.2/24", "2001:db8::2/64", "200.1.1.1/24"):
        stage(f"eth0:0 {text}")
        alias = stage.engine.get("eth0:0")
        assert f"{address_text(alias.family, alias.address)}/{alias.prefixlen}" == text
        assert [one.split()[0] for one in stage.on(carrier.name)] == [text]
        registry = lazy()
        registry.recount(stage.engine.show())
        assert sum(registry.n_attach(one) for one in registry.types()) == 1
        if kind != "label":
            entries = stage.kernel.snapshot().on(carrier.index)
            found = [entry for entry in entries if entry.scope == RT_SCOPE_LINK]
            assert bool(found) == (":" in text)


@pytest.mark.parametrize("words", ["10.0.0.1/24 mtu 67", "10.0.0.1 hw ether 02:00:00:00:00:77"])
def test_family_change_is_refused(stage: Stage, words: str) -> None:
    """S20: the IPv6 address, which goes when the device is lowered for the change, is back."""
    stage("eth0:1 10.7.0.1 hw ether 02:00:00:00:00:77")
    stage("eth0:0 2001:db8::1/64 kind macvlan")
    before = everything(stage.kernel)
    with pytest.raises(errors.KernelError):
        stage(f"eth0:0 {words}")
    assert everything(stage.kernel) == before


class Odd(AliasType):
    """A family that the kernel keeps no addresses of."""

    family, name, size = 99, "odd", 1

    def parse(self, text: str) -> tuple[bytes, int | None]:
        number, slash, length = text.partition("/")
        if not number.isdigit():
            raise errors.BadAddress(f"{text}: odd")
        return bytes([int(number)]), int(length) if slash else None

    def format(self, address: bytes) -> str:
        return str(address[0])


def with_odd(key: int | str) -> AliasType | None:
    from netalias.families import load

    return Odd() if key in (99, "odd") else load(key)


def test_family_is_unregistered() -> None:
    """S53: re-addressing to a family without a type fails, and the old address stays."""
    stage = Stage(registry=Registry(with_odd))
    stage("eth0:0 200.1.1.1")
    without = Stage.__new__(Stage)
    without.kernel, without.engine = stage.kernel, Engine(Setup(stage.kernel))
    before = everything(stage.kernel)
    with pytest.raises(errors.UsageError):
        without("eth0:0 odd 7")
    assert everything(stage.kernel) == before
    stage("eth0:0 odd 7")
    assert stage.device("eth0:0").ifalias == "netalias eth0:0 odd 7/8"
    assert stage.on("eth0_0") == []
    # Without the type the alias has no address that could be told, and can be deleted.
    assert without.engine.get("eth0:0").family == 0
    with pytest.raises(errors.StateError, match="no address"):
        without("eth0:0 up")
    without("eth0:0-")
    assert stage.names() == []


@pytest.mark.parametrize(
    "note", ["netalias eth0:0 odd x", "netalias eth0:0 ip 1.2.3", "netalias eth0:0 ipv6 /",
             "netalias eth0:0 odd", "netalias", "", "something else entirely"],
)  # fmt: skip
def test_spoilt_record(note: str) -> None:
    """An ifalias text that others changed is no address, and stops nobody from reading."""
    stage = Stage(registry=Registry(with_odd))
    stage("eth0:0 odd 7")
    stage.kernel.send([SetLink("eth0_0", stage.device("eth0_0").index, ifalias=note)])
    assert stage.engine.get("eth0:0").family == 0
    stage("eth0:0 odd 7")
    assert stage.engine.get("eth0:0").address == b"\7"


def test_no_ipv6_in_the_kernel(stage: Stage) -> None:
    """EAFNOSUPPORT of a device without IPv6 is tolerated where IPv6 is only switched off."""
    stage.kernel.set_device("eth0", mtu=1200)
    assert not stage.device("eth0").inet6
    stage("eth0:0 200.1.1.1")
    stage("eth1:0 200.1.1.2 mtu 1200 kind macvlan")
    assert stage.names() == ["eth0:0", "eth1:0"]
    with pytest.raises(errors.KernelError) as caught:
        stage("eth0:1 2001:db8::1")
    assert caught.value.errno in (EINVAL, EAFNOSUPPORT)


# Coexistence --------------------------------------------------------------------------------


def test_altname_is_taken(stage: Stage) -> None:
    """S83: EEXIST, and no half-made link."""
    stage.kernel.add_device("other", altnames=["eth0:0"])
    stage.kernel.add_device("eth0_1")
    for name, taken, by in (("eth0:0", "eth0:0", "other"), ("eth0:1", "eth0_1", "eth0_1")):
        message = stage.refused(f"{name} 200.1.1.1", errors.AlreadyExists, EEXIST)
        assert message == (f"{name}: {taken} names the device {by}, which netalias did not make")


class Blind(Memory):
    """A kernel whose devices ``hidden`` came after the reading."""

    hidden = ""

    def snapshot(self, family: int = 0) -> Snapshot:
        found = super().snapshot(family)
        return Snapshot(
            [device for device in found.devices.values() if device.name != self.hidden],
            [entry for entries in found.addresses.values() for entry in entries],
        )


@pytest.mark.parametrize("kind", ["macvlan", "dummy"])
def test_altname_is_taken_meanwhile(kind: str) -> None:
    """S83: the same when the kernel says it: the link that was made is taken back."""
    kernel = Blind()
    stage = Stage(kernel)
    kernel.add_device("other", altnames=["eth0:0"])
    kernel.hidden = "other"
    message = stage.refused(f"eth0:0 200.1.1.1 kind {kind}", errors.KernelError, EEXIST)
    assert message.startswith("eth0:0: cannot give eth0_0 the altname eth0:0")
    assert "left behind" not in message


def test_label_of_that_name(stage: Stage) -> None:
    """S84: a label of others on the main device is warned of, and stays as it is."""
    stage.kernel.add_address("eth0", "10.0.0.5/24", label="eth0:0")
    (note,) = stage("eth0:0 200.1.1.1").notes
    assert "carries a label of that name already, 10.0.0.5/24, made by others" in note
    assert stage.on("eth0") == ["10.0.0.5/24 label=eth0:0"]
    assert stage.engine.get("eth0:0").address == b"\xc8\1\1\1"
    assert stage.names() == ["eth0:0", "eth0:0"]
    assert stage("eth0:0 200.1.1.1").notes == []
    stage("eth0:0-")
    assert stage.on("eth0") == ["10.0.0.5/24 label=eth0:0"]


def test_label_of_others_is_not_changed(stage: Stage) -> None:
    """S30: up, down and the like are refused on a label that netalias did not make."""
    stage.kernel.add_address("eth0", "10.0.0.5/24", label="eth0:0")
    for words in ("up", "down", "metric 5", "netmask 255.0.0.0"):
        stage.refused(f"eth0:0 {words}", errors.NotOurs, EPERM)


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy"])
def test_label_of_the_address(stage: Stage, kind: str) -> None:
    """S85: it is the primary name, without a colon."""
    stage(f"eth0:0 200.1.1.1 kind {kind}")
    (entry,) = stage.kernel.snapshot().on(stage.device("eth0:0").index)
    assert entry.label == "eth0_0"


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
@pytest.mark.parametrize("address", ["200.1.1.1/24", "2001:db8::1/64"])
@pytest.mark.parametrize("main", ["eth0", "enx001122334455"])
def test_half_made_is_completed(stage: Stage, kind: str, address: str, main: str) -> None:
    """S86: of a killed run there are group and primary name; the same command completes it."""
    if main != "eth0":
        stage.kernel.set_device("eth0", name=main)
    text = f"{main}:0 {address} kind {kind}"
    stage(text)
    whole = everything(stage.kernel)
    stage(f"{main}:0-")
    (created, *_) = stage.plan(text).steps
    stage.kernel.send([created])
    (alias,) = stage.engine.show()
    assert (str(alias.name), state_of(alias)) == (f"{main}:0", "down,half-made")
    with pytest.raises(errors.StateError, match="no address"):
        stage(f"{main}:0 up")
    stage(text)
    assert everything(stage.kernel) == whole
    assert not stage(text).steps


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "dummy"])
def test_half_made_is_deleted(stage: Stage, kind: str) -> None:
    """S86: or eth0:0- removes it."""
    before = everything(stage.kernel)
    stage.kernel.send(stage.plan(f"eth0:0 200.1.1.1 kind {kind}").steps[:1])
    stage("eth0:0-")
    assert everything(stage.kernel) == before


@pytest.mark.parametrize("count", range(1, 5))
def test_killed_anywhere(stage: Stage, count: int) -> None:
    """S86: after any number of steps the same command leads to the same end."""
    text = "eth0:0 200.1.1.1/24 kind macvlan"
    stage(text)
    whole = everything(stage.kernel)
    stage("eth0:0-")
    stage.kernel.send(stage.plan(text).steps[:count])
    stage(text)
    assert everything(stage.kernel) == whole


def test_one_mac_for_two(stage: Stage) -> None:
    """S87: the second up is refused, reported with a hint, and rolled back."""
    stage("eth0:0 200.1.1.1 hw ether 02:00:00:00:00:77")
    before = everything(stage.kernel)
    with pytest.raises(errors.KernelError) as caught:
        stage("eth0:1 200.1.1.2 hw ether 02:00:00:00:00:77")
    assert caught.value.errno == EADDRINUSE
    assert str(caught.value).startswith("eth0:1: cannot set eth0_1 up")
    assert "MAC" in caught.value.hint
    assert everything(stage.kernel) == before
    stage("eth0:1 200.1.1.2 mtu 1400 kind macvlan")
    before = everything(stage.kernel)
    with pytest.raises(errors.KernelError):
        stage("eth0:1 200.1.1.3 mtu 1300 hw ether 02:00:00:00:00:77")
    assert everything(stage.kernel) == before


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan"])
def test_main_that_cannot_carry(stage: Stage, kind: str) -> None:
    """S89: lo, a tun device and the port of a bridge are refused with a sentence."""
    stage.kernel.add_device("tun0", type=TUN, up=True)
    stage.kernel.add_device("br0", "bridge", up=True)
    stage.kernel.add_device("port", up=True, master="br0")
    for main, why in (
        ("lo", "lo is not an Ethernet device"),
        ("tun0", "tun0 is not an Ethernet device"),
        ("port", "port is a port of br0"),
    ):
        message = stage.refused(f"{main}:0 200.1.1.1 kind {kind}", errors.KindError, EOPNOTSUPP)
        assert message == f"{main}:0: kind {kind} cannot serve: {why}"


def test_kernel_without_the_kind() -> None:
    """S89: a kind that the kernel has not is refused when it is wished for."""
    stage = Stage(Memory(kinds=("dummy",)))
    message = stage.refused("eth0:0 200.1.1.1 kind macvlan", errors.KindError, EOPNOTSUPP)
    assert "this kernel does not have it" in message
    stage("eth0:0 200.1.1.1")
    assert stage.engine.get("eth0:0").kind == "label"
    stage("eth0:1 200.1.1.2 kind dummy")


def test_duplicate_address(stage: Stage) -> None:
    """S62: the same address elsewhere is a note, not an error; re-addressing notes it again."""
    stage.kernel.add_address("eth1", "10.0.0.1/24")
    assert stage("eth0:0 10.0.0.1").notes == ["eth0:0: 10.0.0.1 is an address of eth1 too"]
    assert stage("eth0:0 10.0.0.1").notes == []
    assert stage("eth0:0 10.0.0.2").notes == []
    assert stage("eth0:1 10.0.0.2").notes == ["eth0:1: 10.0.0.2 is an address of eth0_0 too"]
    # The one that came last is found.
    found = stage.engine.lookup("10.0.0.2")
    assert found is not None
    assert str(found.name) == "eth0:1"


# Kinds --------------------------------------------------------------------------------------

OTHERS = ("dummy", "veth", "bridge")
KINDS = [
    ("lo", {}, "", "label"),
    ("tun0", {"type": TUN}, "", "label"),
    ("ppp0", {"type": PPP}, "", "label"),
    ("port", {"master": "br0"}, "", "label"),
    ("br0", {}, "", "ipvlan"),
    ("plain", {}, "", "ipvlan"),
    ("plain", {}, "hw ether 02:00:00:00:00:01", "macvlan"),
    ("mac0", {"upper": "macvlan"}, "", "macvlan"),
    ("ip0", {"upper": "ipvlan", "mode": 0}, "", "ipvlan"),
    ("ip0", {"upper": "ipvlan", "mode": 1}, "", "label"),
    ("plain", {"kinds": ("macvlan", *OTHERS)}, "", "macvlan"),
    ("plain", {"kinds": ("ipvlan", *OTHERS)}, "", "ipvlan"),
    ("plain", {}, "kind auto", "ipvlan"),
]


@pytest.mark.parametrize(("main", "setting", "words", "kind"), KINDS)
def test_auto(main: str, setting: dict[str, object], words: str, kind: str) -> None:
    """S21, S89: the kind that is taken when none is wished for; what is there decides first."""
    kernel = Memory(setting.get("kinds", ("macvlan", "ipvlan", *OTHERS)))  # type: ignore[arg-type]
    stage = Stage(kernel)
    kernel.add_device("br0", "bridge", up=True)
    if main not in ("lo", "br0"):
        master = setting.get("master", 0)
        number = setting.get("type", ARPHRD_ETHER)
        kernel.add_device(main, up=True, type=number, master=master)  # type: ignore[arg-type]
    if "upper" in setting:
        mode = setting.get("mode", -1)
        kernel.add_device("upper", str(setting["upper"]), link=main, mode=mode)  # type: ignore[arg-type]
    stage(f"{main}:0 200.1.1.1 {words}")
    assert stage.engine.get(f"{main}:0").kind == kind
    assert not stage(f"{main}:0 200.1.1.1 {words}").steps


def test_loopback(stage: Stage) -> None:
    """S21: lo:0 is a label on lo, which is the loopback device."""
    stage("lo:0 10.5.0.1")
    assert stage.on("lo") == ["127.0.0.1/8", "10.5.0.1/32 label=lo:0", "::1/128"]
    alias = stage.engine.get("lo:0")
    assert alias.carrier is not None
    assert alias.carrier.name == "lo"


def test_auto_is_said_to_be_impossible(stage: Stage) -> None:
    """S89: a MAC of its own beside ipvlans of others: the sentence, not the kernel's EBUSY."""
    stage.kernel.add_device("upper", "ipvlan", link="eth0")
    words = "eth0:0 200.1.1.1 hw ether 02:00:00:00:00:01"
    message = stage.refused(words, errors.KindError, EOPNOTSUPP)
    assert "kind macvlan cannot serve: eth0 carries ipvlan devices" in message


@pytest.mark.parametrize("old", ["macvlan", "ipvlan", "dummy", "label"])
@pytest.mark.parametrize("new", ["macvlan", "ipvlan", "dummy", "label"])
@pytest.mark.parametrize("address", ["200.1.1.1/24", "2001:db8::1/64"])
def test_kind_changes(stage: Stage, old: str, new: str, address: str) -> None:
    """Another kind replaces the alias, with its address; nothing of the old one is left."""
    stage(f"eth0:0 {address} kind {new}")
    wanted = everything(stage.kernel)
    stage("eth0:0-")
    stage(f"eth0:0 {address} kind {old}")
    done = stage(f"eth0:0 kind {new}")
    assert bool(done.steps) == (old != new)
    assert stage.engine.get("eth0:0").kind == new
    assert everything(stage.kernel) == wanted


@pytest.mark.parametrize("old", ["ipvlan", "dummy", "label"])
def test_kind_change_is_refused(old: str) -> None:
    """S20: the kernel refuses the new kind: the alias is back as it was."""

    class Busy(Blind):
        hidden = "in-the-way"

    stage = Stage(Busy())
    stage(f"eth0:0 200.1.1.1/24 kind {old}")
    if old == "ipvlan":
        stage("eth0:1 200.1.1.2 kind ipvlan")
        stage.kernel.hidden = "eth0_1"  # type: ignore[attr-defined]
    else:
        stage.kernel.add_device("in-the-way", "ipvlan", link="eth0")
    stage.refused("eth0:0 kind macvlan", errors.KernelError, EBUSY)
    assert stage.engine.get("eth0:0").kind == old


def test_kind_change_without_return(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the old alias cannot be brought back either, the message says so."""
    stage("eth0:0 200.1.1.1/24 kind ipvlan")
    work = stage.kernel.send

    def send(steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        answers = work([step for step in steps if not isinstance(step, CreateLink)])
        return [
            errors.kernel_error(title(step), EBUSY)
            if isinstance(step, CreateLink)
            else answers.pop(0)
            for step in steps
        ]

    monkeypatch.setattr(stage.kernel, "send", send)
    with pytest.raises(errors.KernelError) as caught:
        stage("eth0:0 kind dummy")
    assert "cannot create dummy eth0_0" in str(caught.value)
    assert "eth0:0 is gone: cannot create ipvlan eth0_0" in str(caught.value)
    assert stage.names() == []


# Settings -----------------------------------------------------------------------------------


def test_settings_are_kept(stage: Stage) -> None:
    """What a command does not mention stays: mask, metric, broadcast, peer, MTU."""
    stage("eth0:0 10.7.0.1/24 broadcast 10.7.0.99 metric 5 mtu 1400")
    for words in ("up", "mtu 1300", "metric 5", "broadcast 10.7.0.99"):
        stage(f"eth0:0 {words}")
        (entry,) = stage.kernel.snapshot().on(stage.device("eth0:0").index)
        assert (entry.prefixlen, entry.metric, entry.broadcast) == (24, 5, b"\x0a\7\0\x63")
    assert stage.device("eth0:0").mtu == 1300
    stage("eth0:0 -broadcast")
    stage("eth0:0 metric 0")
    (entry,) = stage.kernel.snapshot().on(stage.device("eth0:0").index)
    assert (entry.metric, entry.broadcast) == (0, b"")
    stage("eth0:0 netmask 255.255.0.0")
    (entry,) = stage.kernel.snapshot().on(stage.device("eth0:0").index)
    assert (entry.prefixlen, entry.broadcast) == (16, b"\x0a\7\xff\xff")


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("200.1.1.1", "prefixlen 33"),
        ("200.1.1.1", "prefixlen 100"),
        ("2001:db8::1", "broadcast 10.0.0.255"),
        ("2001:db8::1", "mtu 1279"),
    ],
)
def test_words_that_do_not_fit_the_alias(stage: Stage, address: str, words: str) -> None:
    """What cannot be said of the address that is there is a UsageError."""
    stage(f"eth0:0 {address}")
    stage.refused(f"eth0:0 {words}", errors.UsageError, EINVAL)


@pytest.mark.parametrize(
    ("text", "broadcast"),
    [("10.0.0.1/24", "10.0.0.255"), ("10.0.0.1/30", "10.0.0.3"), ("10.0.0.1/31", ""),
     ("10.0.0.1/32", ""), ("10.0.0.1", ""), ("10.0.0.1/0", "255.255.255.255"),
     ("10.0.0.1 pointopoint 10.0.0.2/30", "")],
)  # fmt: skip
def test_broadcast(stage: Stage, text: str, broadcast: str) -> None:
    """The usual broadcast address is the last of the network, for networks that have one."""
    stage(f"eth0:0 {text}")
    (entry,) = stage.kernel.snapshot().on(stage.device("eth0:0").index)
    found = address_text(entry.family, entry.broadcast) if entry.broadcast else ""
    assert found == broadcast


def test_mac(stage: Stage) -> None:
    """A MAC that is wished for is set at birth and later."""
    stage("eth0:0 10.0.0.1 hw ether 02:00:00:00:00:01")
    assert stage.device("eth0:0").mac == bytes.fromhex("020000000001")
    stage("eth0:0 hw ether 02:00:00:00:00:02")
    assert stage.device("eth0:0").mac == bytes.fromhex("020000000002")


# Routes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "asked", "expected"),
    [
        ("10.0.0.1/24", "10.0.0.2/24", f"10.0.0.2/24 {NO_ROUTE}"),
        ("10.0.0.1/16", "10.0.0.2/24", f"10.0.0.2/24 {NO_ROUTE}"),
        ("10.0.0.1/24", "10.0.0.2/16", "10.0.0.2/16"),
        ("10.0.0.1/24", "10.0.1.2/24", "10.0.1.2/24"),
        ("10.0.0.1/24", "10.0.0.2/32", "10.0.0.2/32"),
        ("10.0.0.1/32", "10.0.0.2/24", "10.0.0.2/24"),
        ("2001:db8::1/64", "2001:db8::2/64", f"2001:db8::2/64 {NO_ROUTE}"),
        ("2001:db8::1/64", "2001:db8:1::2/64", "2001:db8:1::2/64"),
        ("10.0.0.1/24", "2001:db8::2/64", "2001:db8::2/64"),
    ],
)
def test_network_of_the_main_device(stage: Stage, there: str, asked: str, expected: str) -> None:
    """No second connected route for a network that is there, nor for a part of it."""
    stage.kernel.add_address("eth0", there)
    stage(f"eth0:0 {asked}")
    assert stage.on("eth0_0") == [expected]


def test_label_within_the_network(stage: Stage) -> None:
    """A label in a network that is there is a host: nobody's secondary."""
    stage.kernel.add_address("eth0", "10.0.0.1/24")
    stage("eth0:0 10.0.0.2/24 kind label")
    assert stage.on("eth0") == ["10.0.0.1/24", "10.0.0.2/32 label=eth0:0"]
    stage.kernel.remove_address("eth0", "10.0.0.1/24")
    assert stage.on("eth0") == ["10.0.0.2/32 label=eth0:0"]


def test_network_of_another_alias(stage: Stage) -> None:
    """One alias brings the route of their network, on whatever main device it stands."""
    stage("eth0:0 10.0.0.1/24")
    stage("eth0:1 10.0.0.2/24")
    stage("eth1:0 10.0.0.3/24")
    found = [stage.on(name) for name in ("eth0_0", "eth0_1", "eth1_0")]
    assert found == [["10.0.0.1/24"], [f"10.0.0.2/24 {NO_ROUTE}"], [f"10.0.0.3/24 {NO_ROUTE}"]]


@pytest.mark.parametrize("words", ["eth0:0-", "eth0:0 10.9.0.1/24", "eth0:0 2001:db8::1/64"])
def test_heir(stage: Stage, words: str) -> None:
    """The alias that brought the route goes: exactly one of the others brings it from then on."""
    for slot in range(3):
        stage(f"eth0:{slot} 10.0.0.{slot + 1}/24")
    stage(words)
    assert stage.on("eth0_1") == ["10.0.0.2/24"]
    assert stage.on("eth0_2") == [f"10.0.0.3/24 {NO_ROUTE}"]
    for slot in (1, 2):
        assert not stage(f"eth0:{slot} 10.0.0.{slot + 1}/24").steps


@pytest.mark.parametrize("kind", ["ipvlan", "label"])
def test_heir_of_a_wider_network(stage: Stage, kind: str) -> None:
    """Who leaves a network for a part of it is inside the network that the heir brings now."""
    stage(f"eth0:0 10.0.0.3/16 kind {kind}")
    stage("eth0:1 10.0.0.4/16")
    stage("eth0:0 10.0.0.1/24")
    assert stage.on("eth0_1") == ["10.0.0.4/16"]
    if kind == "label":
        assert stage.on("eth0") == ["10.0.0.1/32 label=eth0:0"]
    else:
        assert stage.on("eth0_0") == [f"10.0.0.1/24 {NO_ROUTE}"]
    assert not stage("eth0:0 10.0.0.1/24").steps


def test_no_heir_is_needed(stage: Stage) -> None:
    """The main device has the network too, or the alias goes to another address of it."""
    stage("eth0:0 10.0.0.1/24")
    stage("eth0:1 10.0.0.2/24")
    stage("eth0:0 10.0.0.3/24")
    assert stage.on("eth0_1") == [f"10.0.0.2/24 {NO_ROUTE}"]
    stage.kernel.add_address("eth0", "10.0.0.9/24")
    stage("eth0:0-")
    assert stage.on("eth0_1") == [f"10.0.0.2/24 {NO_ROUTE}"]


# Any sequence of commands -------------------------------------------------------------------

ADDRESSES = ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/16", "10.0.0.3", "10.1.0.1/24",
             "10.0.0.1/24 broadcast 10.0.0.9", "10.0.0.1/24 metric 5",
             "10.2.0.1 pointopoint 10.2.0.2/30", "2001:db8::1/64", "2001:db8::2/64",
             "2001:db8::2", "192.0.2.1/24", "192.0.2.9/25"]  # fmt: skip
TAILS = ["up", "down", "mtu 1400", "mtu 1300", "mtu 9999", "hw ether 02:00:00:00:00:01",
         "kind macvlan", "kind ipvlan", "kind dummy", "kind label", "netmask 255.255.0.0",
         "metric 7", "-broadcast", "kind auto", "prefixlen 64"]  # fmt: skip
NAMES = [f"{main}:{slot}" for main in ("eth0", "eth1", "lo", "eth2") for slot in (0, 1)]

COMMANDS = st.builds(
    " ".join,
    st.tuples(st.sampled_from(NAMES[:5]), st.sampled_from(ADDRESSES), st.sampled_from(TAILS))
    | st.tuples(st.sampled_from(NAMES), st.sampled_from(ADDRESSES + TAILS))
    | st.tuples(st.sampled_from([f"{name}-" for name in NAMES])),
)  # fmt: skip


def foreign_stage() -> Stage:
    """With addresses, labels and devices of others."""
    stage = Stage()
    stage.kernel.add_address("eth0", "192.0.2.1/24")
    stage.kernel.add_address("eth0", "192.0.2.3/24", label="eth0:x")
    stage.kernel.add_address("eth1", "10.0.0.3/16", label="eth1:5")
    stage.kernel.add_address("eth1", "2001:db8:7::1/64")
    stage.kernel.add_device("own0", "macvlan", link="eth1", up=True, altnames=["eth1:9"])
    stage.kernel.add_device("own1", "dummy", up=True)
    stage.kernel.add_address("own1", "10.0.0.1/24")
    return stage


def foreign(kernel: Memory) -> object:
    """Devices without our group, and addresses on them without our mark; what aliases need of
    their main devices is set (tests/pure/test_settlement.py)."""
    snapshot = kernel.snapshot()
    return [
        (
            values(device, snapshot) | {"arp_announce": 0, "arp_ignore": 0, "promote": False},
            [one for one in entries_of(device, snapshot) if one["protocol"] != PROTOCOL],
        )
        for device in snapshot.devices.values()
        if device.group != GROUP
    ]


def played(stage: Stage, commands: Sequence[str]) -> Iterator[tuple[str, Plan | None]]:
    """Do the commands; each with its plan, or None where it was refused."""
    for text in commands:
        try:
            yield text, stage(text)
        except errors.NetaliasError:
            yield text, None


@given(st.lists(COMMANDS, max_size=12))
@settings(max_examples=150)
def test_second_time_nothing(commands: list[str]) -> None:
    """S3: after every command that was done, the same command has no steps."""
    stage = foreign_stage()
    for text, plan in played(stage, commands):
        if plan is not None and "-" not in text.split()[0]:
            again = stage.plan(text)
            assert [command(step) for step in again.steps] == [], text


@given(st.lists(COMMANDS, max_size=12))
@settings(max_examples=150)
def test_refused_changes_nothing(commands: list[str]) -> None:
    """S20, S30: a refused command leaves everything as it was; foreign things always stay."""
    stage = foreign_stage()
    theirs, before = foreign(stage.kernel), everything(stage.kernel)
    for text, plan in played(stage, commands):
        after = everything(stage.kernel)
        if plan is None:
            assert after == before, text
        assert foreign(stage.kernel) == theirs, text
        before = after


@given(st.lists(COMMANDS, max_size=8), COMMANDS)
@settings(max_examples=100)
def test_dry_run_is_the_run(commands: list[str], last: str) -> None:
    """The plan of a dry run is the plan of the run, or both are refused in the same words."""
    stage = foreign_stage()
    for _ in played(stage, commands):
        pass
    before = everything(stage.kernel)
    texts: list[list[str]] = []
    for work in (stage.plan, stage):
        try:
            texts.append([command(step) for step in work(last).steps])
        except errors.KernelError:
            break  # what the kernel refuses no plan can know
        except errors.NetaliasError as error:
            texts.append([error.line()])
        if work == stage.plan:
            assert everything(stage.kernel) == before
    assert texts[0] == texts[-1]


@given(st.lists(COMMANDS, max_size=12))
@settings(max_examples=100)
def test_everything_can_be_deleted(commands: list[str]) -> None:
    """S28, S51: whatever was done, deleting what is shown as ours brings the beginning back."""
    stage = foreign_stage()
    before = everything(stage.kernel)
    for _ in played(stage, commands):
        aliases = [alias for alias in stage.engine.show() if alias.ours]
        assert len({alias.name for alias in aliases}) == len(aliases)
    for alias in stage.engine.show():
        if alias.ours:
            stage(f"{alias.name}-")
    assert everything(stage.kernel) == before


# What a program calls -----------------------------------------------------------------------


def test_library(stage: Stage) -> None:
    """create, get, show, lookup and delete by texts."""
    made = stage.engine.create("eth0:0", "200.1.1.1/24", "mtu", "1400")
    assert made.device is not None
    assert (str(made.name), made.device.mtu) == ("eth0:0", 1400)
    stage.engine.create("eth1:0", "200.1.2.1")
    assert [str(one.name) for one in stage.engine.show("eth0")] == ["eth0:0"]
    assert [str(one.name) for one in stage.engine.show("eth1:0", "eth0", "eth0:0")] == [
        "eth0:0", "eth1:0",
    ]  # fmt: skip
    assert stage.engine.lookup("200.1.1.1") == stage.engine.get("eth0:0")
    assert stage.engine.lookup("200.1.1.7") is None
    with pytest.raises(errors.NoSuchDevice):
        stage.engine.show("nodev")
    stage.engine.delete("eth0:0")
    stage.engine.delete("eth1:0-")
    assert stage.engine.show() == []
    with pytest.raises(errors.NoSuchDevice):
        stage.engine.get("eth0:0")


def test_lock(stage: Stage) -> None:
    """A change is done under the lock of the engine; a plan is not."""
    seen: list[str] = []

    class Watched(PrivateDirectory):
        def acquire(self, cookie: int = 0) -> None:
            seen.append("in")

        def release(self) -> None:
            seen.append("out")

    engine = Engine(Setup(stage.kernel, runtime=Watched()))
    wish = desired.parse(["eth0:0", "200.1.1.1"], engine.registry)
    engine.plan(wish)
    assert seen == []
    engine.realise(wish)
    assert seen == ["in", "out"]


def test_group(stage: Stage) -> None:
    """Engines with different marks do not see each other's aliases."""
    other = Engine(Setup(stage.kernel, group=77))
    stage("eth0:0 200.1.1.1")
    assert other.show() == []
    with pytest.raises(errors.AlreadyExists):
        other.create("eth0:0", "200.1.1.2")
    other.create("eth0:1", "200.1.1.3")
    assert stage.names() == ["eth0:0"]
    assert stage.device("eth0:1").group == 77
    (step,) = stage("eth0:0-").steps
    assert isinstance(step, DelLink)
    assert [str(alias.name) for alias in other.show()] == ["eth0:1"]
