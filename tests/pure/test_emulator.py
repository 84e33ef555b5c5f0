"""The emulator against the statements on NET_ALIAS of Linux 1.3.47 to 2.0.40.

Every docstring begins with the numbers of the statements that the test holds.
"""

from __future__ import annotations

import errno
import io
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netalias import errors, model
from netalias.emulator import Emulator, main
from netalias.families import AliasType, Registry
from netalias.families.inet import Inet
from netalias.families.inet6 import Inet6

VARIANTS = ("0.43", "0.50")


def quad(text: str) -> bytes:
    return bytes(map(int, text.split(".")))


A = quad("200.1.1.1")
B = quad("200.1.1.2")
C = quad("10.0.0.5")
V6 = bytes.fromhex("20010db8000000000000000000000005")


def machine(variant: str = "0.43", **options) -> Emulator:
    """Lo and eth0 up, eth1 down."""
    privileged = options.pop("privileged", True)
    emulator = Emulator(variant, **options)
    emulator.add_device("lo", model.IFF_LOOPBACK, model.ARPHRD_LOOPBACK)
    emulator.add_device("eth0", mac=bytes.fromhex("020000000001"), mtu=1400, metric=3)
    emulator.add_device("eth1")
    emulator.set_address("eth0", quad("200.1.1.10"))
    emulator.up("lo")
    emulator.up("eth0")
    emulator.privileged = privileged
    return emulator


def chain(emulator: Emulator) -> str:
    return " ".join(emulator.chain)


def refused(emulator: Emulator, name: str, address: bytes = A, family: int = 2) -> int:
    """The errno of SIOCSIFADDR; nothing may have changed."""
    before = state(emulator)
    with pytest.raises(errors.NetaliasError) as caught:
        emulator.set_address(name, address, family)
    assert state(emulator) == before
    return caught.value.errno


def state(emulator: Emulator) -> list[object]:
    texts = [emulator.texts.open(name).read() for name in emulator.texts.listdir()]
    blocks = [device.block and device.block.count for device in emulator]
    return [list(emulator.chain), texts, blocks, [device.flags for device in emulator]]


def add(emulator: Emulator, *pairs: tuple[str, bytes]) -> None:
    for name, address in pairs:
        emulator.set_address(name, address)
        emulator.up(name)


def count(emulator: Emulator, family: int = 2) -> int:
    return emulator.registry.n_attach(emulator.registry.get(family))


class Recorder(AliasType):
    """A type that remembers which hooks were called."""

    size = 4

    def __init__(self, family: int, name: str, fail: bool = False) -> None:
        self.family = family
        self.name = name
        self.fail = fail
        self.calls: list[str] = []

    def alias_init(self, alias: model.Alias) -> None:
        if self.fail:
            raise errors.KindError(f"{self.name} does not want {alias.name}")
        self.calls.append(f"init {alias.name}")

    def alias_done(self, alias: model.Alias) -> None:
        self.calls.append(f"done {alias.name}")


def recorded(*types: AliasType, variant: str = "0.43") -> Emulator:
    registry = Registry()
    for one in types:
        registry.register(one)
    return machine(variant, registry=registry)


WRONG_NAMES = [
    "eth0:", "eth0:x", "eth0:0x1", "eth0:1a", "eth0: 1", "eth0:+1", "eth0:-5", "eth0:1--",
    "eth0:0:1", "nodev:0", ":0", "", "nodev", "eth0:1-x", "eth0:-", "eth0:\u0661",
]  # fmt: skip

WRONG_LINES = [
    "nonsense", "hash", "hash 1.1.1.x", "rx 1.1.1.1", "eth0:0 1.1.1.1 2.2.2.2",
    "cat passwd", "eth0:0 netmask", "eth0:0 1.1.1.1 netmask 255.0.255.0", "max many",
    "type twist ip", "eth0:0 ipv6", "eth0:0 1.1.1.1 prefixlen 129", "route 1.1.1.1",
    "eth0:0 wat",
]  # fmt: skip

both = pytest.mark.parametrize("variant", VARIANTS)


class TestNamesAndErrors:
    @both
    def test_create(self, variant):
        """S1: an address set on eth0:0 makes a device of that name with that address."""
        emulator = machine(variant)
        device = emulator.set_address("eth0:0", A)
        assert device is emulator.get("eth0:0")
        assert device.name == "eth0:0"
        assert device.address == A
        assert device.alias.address == A

    @both
    def test_address_again(self, variant):
        """S2: another address re-addresses the alias; there is no second device."""
        emulator = machine(variant)
        first = emulator.set_address("eth0:0", A)
        assert emulator.set_address("eth0:0", B) is first
        assert first.address == B
        assert chain(emulator) == "lo eth0 eth0:0 eth1"

    def test_same_address(self):
        """S3: the same address again neither flushes nor moves anything."""
        emulator = machine()
        add(emulator, ("eth0:0", A), ("eth0:1", A))
        emulator.routes.add(2, C, 32, "eth0:0")
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(event))
        emulator.set_address("eth0:0", A)
        assert seen == []
        assert list(emulator.routes) == [(2, C, 32, "eth0:0")]
        assert emulator.dev_chk(emulator.get("eth0"), A).name == "eth0:1"

    def test_missing_is_not_created(self):
        """S4: querying or raising a missing alias is ENODEV and creates nothing."""
        emulator = machine()
        for ask in (emulator.get, emulator.up, emulator.down, lambda n: emulator.set_mtu(n, 9)):
            with pytest.raises(errors.NoSuchDevice) as caught:
                ask("eth0:5")
            assert caught.value.errno == errno.ENODEV
        assert chain(emulator) == "lo eth0 eth1"

    @both
    @pytest.mark.parametrize("name", WRONG_NAMES)
    def test_names(self, variant, name):
        """S5, S6, S7, S8, S17, S26: what is not MAIN:SLOT is ENODEV, "eth0:-" too."""
        assert refused(machine(variant), name) == errno.ENODEV

    @pytest.mark.parametrize(("variant", "code"), [("0.43", "ENODEV"), ("0.50", "EINVAL")])
    @pytest.mark.parametrize("slot", ["256", "999", "65536", "4294967295", "9999999999"])
    def test_large_slots(self, variant, code, slot):
        """S9, S18: a slot over the maximum is ENODEV in 0.43 and EINVAL in 0.50; no overflow."""
        assert errno.errorcode[refused(machine(variant), f"eth0:{slot}")] == code

    @both
    def test_slot_255(self, variant):
        """S10: the last slot under the default maximum."""
        emulator = machine(variant)
        assert emulator.set_address("eth0:255", A).name == "eth0:255"

    @both
    def test_main_down(self, variant):
        """S11: EIO on a main device that is down."""
        assert refused(machine(variant), "eth1:0") == errno.EIO

    @both
    def test_family_before_down(self, variant):
        """S12: no type for the family of the main device wins over the main being down."""
        emulator = machine(variant, registry=Registry())
        assert refused(emulator, "eth1:0") == errno.EINVAL

    @pytest.mark.parametrize(("variant", "code"), [("0.43", "ENODEV"), ("0.50", "EINVAL")])
    def test_slot_before_down(self, variant, code):
        """S13: a slot too large wins over the main being down."""
        assert errno.errorcode[refused(machine(variant), "eth1:256")] == code

    def test_order_of_slot_and_family(self):
        """S9, S12: 0.43 looks at the slot before the family."""
        emulator = machine("0.43", registry=Registry())
        assert refused(emulator, "eth0:256") == errno.ENODEV

    def test_loader(self):
        """S14: the loader is asked once for a family without a type; then EINVAL."""
        asked = []
        emulator = machine(registry=Registry(lambda key: asked.append(key)))
        assert refused(emulator, "eth0:0") == errno.EINVAL
        assert refused(emulator, "eth0:0") == errno.EINVAL
        assert asked == [2]

    def test_loader_brings_the_type(self):
        """S14: a type that the loader brings is used."""
        emulator = machine(registry=Registry(lambda key: Inet() if key == 2 else None))
        emulator.set_address("eth0:0", A)
        assert count(emulator) == 1

    @pytest.mark.parametrize("name", ["eth0:0", "eth0:x", "nodev:0", "eth0:300-", "eth1:0", "eth0"])
    def test_privilege(self, name):
        """S15: EPERM before any other error."""
        assert refused(machine(privileged=False), name) == errno.EPERM

    def test_privilege_of_the_other_ioctls(self):
        """S15: flags, masks and the maximum as well; looking is free."""
        emulator = machine("0.50", privileged=False)
        for ask in (emulator.up, emulator.down, lambda n: emulator.set_prefixlen(n, 8)):
            with pytest.raises(errors.NotPermitted):
                ask("eth0:x")
        with pytest.raises(errors.NotPermitted):
            emulator.maximum = -1
        assert emulator.get("eth0").up

    @both
    def test_leading_zeros(self, variant):
        """S16: eth0:00 is eth0:0, there is no twin."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        emulator.set_address("eth0:00", B)
        emulator.set_address("eth0:007", C)
        assert chain(emulator) == "lo eth0 eth0:0 eth0:7 eth1"
        assert emulator.get("eth0:000").address == B

    def test_long_names(self):
        """S19: a name over 15 bytes is an error, never cut."""
        emulator = machine()
        emulator.add_device("abcdefghijklm")
        emulator.up("abcdefghijklm")
        assert emulator.set_address("abcdefghijklm:9", A).name == "abcdefghijklm:9"
        assert refused(emulator, "abcdefghijklm:10") == errno.ENAMETOOLONG

    @both
    @pytest.mark.parametrize(
        ("family", "address", "code"),
        [(0, A, "EOPNOTSUPP"), (4, A, "EINVAL"), (2, b"abc", "EINVAL"), (10, A, "EINVAL")],
    )
    def test_no_leftovers(self, variant, family, address, code):
        """S20: a request that fails, by its family or its address, creates nothing."""
        assert refused(machine(variant), "eth0:0", address, family) == getattr(errno, code)

    @both
    def test_loopback(self, variant):
        """S21: an alias on lo carries the loopback flag."""
        emulator = machine(variant)
        device = emulator.set_address("lo:0", quad("127.0.0.2"))
        assert device.flags & model.IFF_LOOPBACK
        assert device.type == model.ARPHRD_LOOPBACK

    def test_alias_of_alias(self):
        """S22: an alias has no aliases of its own."""
        emulator = machine()
        device = emulator.set_address("eth0:0", A)
        assert refused(emulator, "eth0:0:0") == errno.ENODEV
        assert device.block is None
        assert emulator.aliases_of(device) == []
        assert emulator.rcv_sel(device, C, B) is device

    def test_zero_address(self):
        """S1: 0.0.0.0 is an address like any other to the engine."""
        emulator = machine()
        assert emulator.set_address("eth0:0", bytes(4)).address == bytes(4)


class TestDeletion:
    @both
    def test_delete(self, variant):
        """S23: eth0:0- deletes, whatever the address."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        assert emulator.set_address("eth0:0-", b"any", 77) is None
        assert chain(emulator) == "lo eth0 eth1"
        with pytest.raises(errors.NoSuchDevice):
            emulator.get("eth0:0")

    @both
    def test_delete_missing(self, variant):
        """S24: ENODEV for a missing alias, with and without others on the main device."""
        emulator = machine(variant)
        assert refused(emulator, "eth0:7-") == errno.ENODEV
        add(emulator, ("eth0:0", A))
        assert refused(emulator, "eth0:7-") == errno.ENODEV

    @both
    @pytest.mark.parametrize("name", ["eth0:300-", "eth0:4294967295-"])
    def test_delete_large_slot(self, variant, name):
        """S25: ENODEV, never a range error."""
        assert refused(machine(variant), name) == errno.ENODEV

    def test_routes_go_first(self):
        """S27: routes through the alias are released before it vanishes."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        emulator.routes.add(2, C, 8, "eth0:0")
        emulator.routes.add(2, B, 8, "eth0")
        seen = []
        emulator.notifier.append(
            lambda event, device: seen.append((event, device.name, len(list(emulator.routes))))
        )
        emulator.set_address("eth0:0-", b"")
        assert seen == [("down", "eth0:0", 1), ("free", "eth0:0", 1)]

    def test_last_alias(self):
        """S28: with the last alias the state of the main goes; the next captures anew."""
        emulator = machine("0.50")
        emulator.maximum = 10
        add(emulator, ("eth0:0", A))
        emulator.maximum = 5
        emulator.set_address("eth0:9", B)
        emulator.set_address("eth0:9-", B)
        emulator.set_address("eth0:0-", A)
        assert emulator.get("eth0").block is None
        assert refused(emulator, "eth0:9") == errno.EINVAL

    def test_order_after_deleting(self):
        """S29: 0, 2, 1 without 2 is 0, 1, and a new alias comes last."""
        emulator = machine()
        add(emulator, ("eth0:0", A), ("eth0:2", B), ("eth0:1", C))
        emulator.set_address("eth0:2-", b"")
        assert chain(emulator) == "lo eth0 eth0:0 eth0:1 eth1"
        add(emulator, ("eth0:2", B))
        assert chain(emulator) == "lo eth0 eth0:0 eth0:1 eth0:2 eth1"

    def test_main_is_untouched(self):
        """S30: deleting an alias leaves the main device as it is."""
        emulator = machine()
        eth0 = emulator.get("eth0")
        before = (eth0.address, eth0.prefixlen, eth0.flags)
        add(emulator, ("eth0:0", eth0.address))
        emulator.set_address("eth0:0-", b"")
        assert (eth0.address, eth0.prefixlen, eth0.flags) == before


class TestChain:
    def test_order(self):
        """S32: every main device followed by its aliases."""
        emulator = machine()
        add(emulator, ("eth0:0", A), ("eth0:2", B))
        assert chain(emulator) == "lo eth0 eth0:0 eth0:2 eth1"

    def test_creation_order(self):
        """S33: creation order rules, not the slot."""
        emulator = machine()
        add(emulator, ("eth0:0", A), ("eth0:5", B), ("eth0:3", C))
        emulator.set_address("eth0:0-", b"")
        add(emulator, ("eth0:0", A))
        assert chain(emulator) == "lo eth0 eth0:5 eth0:3 eth0:0 eth1"

    def test_unregister(self):
        """S34, S39: the device goes, its aliases after it; the others stay."""
        emulator = machine()
        add(emulator, ("eth0:1", A), ("eth0:0", B), ("lo:0", C))
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(f"{event} {device.name}"))
        emulator.remove_device("eth0")
        assert chain(emulator) == "lo lo:0 eth1"
        assert seen == [
            "down eth0", "down eth0:1", "free eth0:1", "down eth0:0", "free eth0:0", "free eth0",
        ]  # fmt: skip
        assert count(emulator) == 1

    def test_an_alias_cannot_be_unregistered(self):
        """S34: unregistering is for main devices."""
        emulator = machine()
        add(emulator, ("eth0:1", A))
        with pytest.raises(errors.StateError):
            emulator.remove_device("eth0:1")
        assert "eth0:1" in emulator.chain

    @both
    def test_born_down(self, variant):
        """S35: an alias is born down and raised by a second request."""
        emulator = machine(variant)
        device = emulator.set_address("eth0:0", A)
        assert not device.up
        assert device not in emulator.configured()
        emulator.up("eth0:0")
        assert device.up
        assert [one.name for one in emulator.configured()] == ["lo", "eth0", "eth0:0"]

    def test_down_stays(self):
        """S36, S81: an alias that is down keeps slot and address, and is listed."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        text = emulator.texts.open("aliases").read()
        emulator.down("eth0:0")
        assert emulator.get("eth0:0").address == A
        assert emulator.texts.open("aliases").read() == text

    @both
    def test_down_does_not_receive(self, variant):
        """S37: nothing is received for an alias that is down."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        device = emulator.set_address("eth0:0", A)
        assert emulator.rcv_sel(eth0, b"", A) is eth0
        emulator.up("eth0:0")
        assert emulator.rcv_sel(eth0, b"", A) is device

    def test_colon_in_the_name_of_a_main(self):
        """S8: a main device has no colon in its name, and one name once."""
        emulator = machine()
        with pytest.raises(errors.BadName):
            emulator.add_device("eth0:4")
        with pytest.raises(errors.AlreadyExists):
            emulator.add_device("eth0")


class TestMainDevice:
    def test_down(self):
        """S38, S39: the main device goes down first, then its aliases in chain order."""
        emulator = machine()
        add(emulator, ("lo:0", C), ("eth0:1", A), ("eth0:0", B))
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(f"{event} {device.name}"))
        emulator.down("eth0")
        assert seen == [
            "down eth0", "down eth0:1", "free eth0:1", "down eth0:0", "free eth0:0",
        ]  # fmt: skip
        assert chain(emulator) == "lo lo:0 eth0 eth1"
        assert count(emulator) == 1
        assert emulator.get("eth0").block is None

    def test_block_is_cut_at_once(self):
        """S38: when the first alias is closed, none is in the chain any more."""
        emulator = machine()
        add(emulator, ("eth0:1", A), ("eth0:0", B))
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(chain(emulator)))
        emulator.down("eth0")
        assert set(seen) == {"lo eth0 eth1"}

    def test_up_again(self):
        """S40: aliases do not come back with the main device."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        emulator.down("eth0")
        emulator.up("eth0")
        assert chain(emulator) == "lo eth0 eth1"

    @both
    def test_main_address(self, variant):
        """S41, S42: aliases survive a new address of their main device, up or not."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        emulator.set_address("eth0", C)
        assert emulator.get("eth0").address == C
        assert chain(emulator) == "lo eth0 eth0:0 eth1"
        assert emulator.get("eth0:0").up

    def test_drift(self):
        """S43: what was copied does not follow the main device; the difference is reported."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        eth0 = emulator.get("eth0")
        assert emulator.drift(eth0) == []
        emulator.set_mtu("eth0", 900)
        emulator.set_address("eth0", bytes(6), model.AF_UNSPEC)
        assert emulator.get("eth0:0").mtu == 1400
        alias = emulator.get("eth0:0").alias
        assert emulator.drift(eth0) == [(alias, "mac"), (alias, "mtu")]

    def test_failing_done_hook(self):
        """S38: a done hook that fails does not keep the rest of the block alive."""

        class Bad(Recorder):
            def alias_done(self, alias):
                raise errors.KindError("no")

        emulator = recorded(Bad(2, "bad"))
        add(emulator, ("eth0:0", A), ("eth0:1", B))
        with pytest.raises(errors.KindError):
            emulator.down("eth0")
        assert chain(emulator) == "lo eth0 eth1"
        assert emulator.get("eth0").block is None
        assert count(emulator) == 0

    @pytest.mark.parametrize(
        ("variant", "kept"),
        [("0.43", "BROADCAST RUNNING NOARP POINTOPOINT"), ("0.50", "NOARP POINTOPOINT")],
    )
    def test_copies(self, variant, kept):
        """S35: type, MAC, MTU, metric and the flags of the variant are copied, never IFF_UP."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        names = ("BROADCAST", "RUNNING", "NOARP", "POINTOPOINT", "MULTICAST")
        for name in names:
            eth0.flags |= getattr(model, f"IFF_{name}")
        device = emulator.set_address("eth0:0", A)
        flags = [name for name in names if device.flags & getattr(model, f"IFF_{name}")]
        assert " ".join(flags) == kept
        assert (device.type, device.mac, device.mtu, device.metric, device.header_len) == (
            eth0.type, eth0.mac, eth0.mtu, eth0.metric, eth0.header_len,
        )  # fmt: skip

    @pytest.mark.parametrize(("variant", "kept"), [("0.43", 0), ("0.50", 0x2000)])
    def test_softheaders(self, variant, kept):
        """S35: SOFTHEADERS is 0x2000, 0.50 passes it on; no ioctl sets or clears it."""
        emulator = machine(variant)
        emulator.get("eth0").flags |= 0x2000 | 0x8000
        device = emulator.set_address("eth0:0", A)
        assert device.flags & 0xA000 == kept
        emulator.set_flags("eth0:0", 0xA000)
        assert device.flags == kept
        emulator.set_flags("eth0:0", 0)
        assert device.flags == kept

    @both
    def test_flags_of_an_ioctl(self, variant):
        """S36: SIOCSIFFLAGS stores twelve flags beside UP, and none that it does not know."""
        emulator = machine(variant)
        device = emulator.set_address("eth0:0", A)
        emulator.set_flags("eth0:0", 0xDFFE)
        assert device.flags == 0x1FFE
        emulator.set_flags("eth0:0", 0)
        assert device.flags == 0

    @both
    def test_mtu(self, variant):
        """S4, S43: an MTU below 68 is EINVAL, after privilege and name."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        for name in ("eth0", "eth0:0"):
            for mtu in (67, 0, -1):
                with pytest.raises(errors.LimitError) as caught:
                    emulator.set_mtu(name, mtu)
                assert caught.value.errno == errno.EINVAL
            assert emulator.get(name).mtu == 1400
            emulator.set_mtu(name, 68)
            assert emulator.get(name).mtu == 68
        with pytest.raises(errors.NoSuchDevice):
            emulator.set_mtu("eth0:1", 67)

    @pytest.mark.parametrize(
        ("address", "length"),
        [("10.0.0.1", 8), ("130.1.1.1", 16), ("200.1.1.1", 24), ("255.255.255.255", 0)],
    )
    def test_classful_mask(self, address, length):
        """S1: the mask is that of the class, until one is set."""
        emulator = machine()
        assert emulator.set_address("eth0:0", quad(address)).prefixlen == length

    def test_mask_in_another_family(self):
        """S2: the mask stays in another family; without one the number decides, not the family."""
        emulator = machine()
        emulator.registry.register(Recorder(4, "four"))
        emulator.set_address("eth0:0", A)
        emulator.set_prefixlen("eth0:0", 30)
        assert emulator.set_address("eth0:0", C, 4).prefixlen == 30
        assert emulator.set_address("eth0:0", A).prefixlen == 30
        assert emulator.set_address("eth0:1", C, 4).prefixlen == 8
        # Before the first address too, on a main device.
        emulator.set_prefixlen("eth1", 20)
        assert emulator.set_address("eth1", C, 4).prefixlen == 20
        assert emulator.set_address("eth1", V6, 10).prefixlen == 128

    @both
    def test_zero_for_a_main_without_an_address(self, variant):
        """S3: a device that never had an address has 0.0.0.0: to set it changes nothing."""
        emulator = machine(variant)
        emulator.up("eth1")
        emulator.routes.add(2, C, 8, "eth1")
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(event))
        emulator.set_address("eth1", bytes(4))
        assert (seen, len(list(emulator.routes))) == ([], 1)
        emulator.set_address("eth1", bytes(4), 4)
        assert (seen, len(list(emulator.routes))) == (["down", "up"], 0)

    def test_first_address_decides(self):
        """S2: a new address keeps the mask."""
        emulator = machine()
        emulator.set_address("eth0:0", A)
        emulator.set_address("eth0:0", C)
        assert emulator.get("eth0:0").alias.prefixlen == 24
        emulator.set_prefixlen("eth0:0", 30)
        assert emulator.get("eth0:0").alias.prefixlen == 30
        emulator.set_address("eth0:0", V6, 10)
        assert emulator.get("eth0:0").prefixlen == 128


class TestTypes:
    def test_none(self):
        """S46: nothing cannot be registered, nor unregistered."""
        for method in (Registry().register, Registry().unregister):
            with pytest.raises(errors.FamilyError) as caught:
                method(None)
            assert caught.value.errno == errno.EINVAL

    def test_register_resets(self):
        """S47, S82: a type is registered with n_attach 0, and listed so."""
        emulator = machine()
        one = Recorder(4, "ipx")
        emulator.registry.register(one)
        assert emulator.registry.n_attach(one) == 0
        assert b"4       ipx             0      \n" in emulator.texts.open("alias_types").read()

    def test_unregister_in_use(self):
        """S48: EINVAL while aliases are bound, and the type stays usable."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        with pytest.raises(errors.FamilyError) as caught:
            emulator.registry.unregister(emulator.registry.get(2))
        assert caught.value.errno == errno.EINVAL
        add(emulator, ("eth0:1", B))
        assert count(emulator) == 2

    def test_unregister_unknown(self):
        """S49: EINVAL for a type that is not registered."""
        with pytest.raises(errors.FamilyError) as caught:
            machine().registry.unregister(Recorder(2, "ip"))
        assert caught.value.errno == errno.EINVAL

    def test_register_twice(self):
        """S50: EEXIST for a second type of one family."""
        with pytest.raises(errors.FamilyError) as caught:
            machine().registry.register(Recorder(2, "other"))
        assert caught.value.errno == errno.EEXIST

    @both
    def test_n_attach(self, variant):
        """S51, S82: n_attach is the number of aliases, after every kind of change."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A), ("eth0:1", B), ("lo:0", C))
        assert count(emulator) == 3
        emulator.set_address("eth0:0", C)
        assert count(emulator) == 3
        emulator.set_address("eth0:0-", b"")
        assert count(emulator) == 2
        emulator.down("eth0")
        assert count(emulator) == 1
        assert b"2       ip              1      \n" in emulator.texts.open("alias_types").read()

    def test_family_change(self):
        """S52: done hook and count of the old type, init hook and count of the new one."""
        one, two = Recorder(2, "one"), Recorder(4, "two")
        emulator = recorded(one, two)
        add(emulator, ("eth0:0", A))
        emulator.set_address("eth0:0", B, 4)
        assert (count(emulator, 2), count(emulator, 4)) == (0, 1)
        assert one.calls == ["init eth0:0", "done eth0:0"]
        assert two.calls == ["init eth0:0"]
        assert emulator.get("eth0:0").up
        emulator.set_address("eth0:0-", b"")
        assert count(emulator, 4) == 0
        assert two.calls == ["init eth0:0", "done eth0:0"]
        emulator.registry.unregister(two)

    def test_family_change_shows(self):
        """S52: after the change of the family the new type prints and looks up."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        emulator.set_address("eth0:0", V6, 10)
        assert b"eth0:0           10     2001:db8::5 " in emulator.texts.open("aliases").read()
        eth0 = emulator.get("eth0")
        assert emulator.dev_chk(eth0, V6, 10).name == "eth0:0"
        assert emulator.dev_chk(eth0, A) is None

    def test_unknown_target_family(self):
        """S53: a family without a type is refused; the alias keeps its address."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        assert refused(emulator, "eth0:0", B, 4) == errno.EINVAL
        assert refused(emulator, "eth0:0", B, model.AF_UNSPEC) == errno.EOPNOTSUPP
        assert emulator.owner(A).name == "eth0:0"

    @both
    def test_failing_init_hook(self, variant):
        """S54: an init hook that fails leaves no alias and no count."""
        emulator = recorded(Recorder(2, "picky", fail=True), variant=variant)
        assert refused(emulator, "eth0:0") == errno.EOPNOTSUPP
        assert emulator.get("eth0").block is None
        assert count(emulator) == 0

    def test_failing_init_hook_of_the_new_type(self):
        """S54, S20: the old binding comes back; a new alias does not stay."""
        one, two = Recorder(2, "one"), Recorder(4, "two", fail=True)
        emulator = recorded(one, two)
        add(emulator, ("eth0:0", A))
        assert refused(emulator, "eth0:0", B, 4) == errno.EOPNOTSUPP
        assert refused(emulator, "eth0:1", B, 4) == errno.EOPNOTSUPP
        assert emulator.get("eth0:0").alias.prefixlen == 24
        assert emulator.owner(A).name == "eth0:0"
        assert (count(emulator, 2), count(emulator, 4)) == (1, 0)

    def watched(self, *families: int) -> tuple[Emulator, list[str]]:
        """An emulator with eth0:0, and what its types and devices see from now on."""
        seen: list[str] = []

        class Watcher(Recorder):
            def note(self, hook: str, alias: model.Alias) -> None:
                place = "chained" if str(alias.name) in emulator.chain else "unchained"
                found = "known" if emulator.find(str(alias.name)) else "unknown"
                number = emulator.registry.n_attach(self)
                seen.append(f"{hook} {self.name} {alias.address[3]} {number} {place} {found}")

            def alias_init(self, alias: model.Alias) -> None:
                self.note("init", alias)
                super().alias_init(alias)

            def alias_done(self, alias: model.Alias) -> None:
                self.note("done", alias)
                super().alias_done(alias)

        watchers = [Watcher(family, f"f{family}") for family in families]
        emulator = recorded(*watchers)
        emulator.notifier.append(
            lambda event, device: seen.append(f"{event} {device.name} {chain(emulator)}")
        )
        add(emulator, ("eth0:0", A))
        seen.clear()
        return emulator, seen

    def test_order_of_deleting(self):
        """S27, S51: the done hook, the count, the chain; then the device is closed and freed."""
        emulator, seen = self.watched(2)
        emulator.set_address("eth0:0-", b"")
        assert seen == [
            "done f2 1 1 chained known", "down eth0:0 lo eth0 eth1", "free eth0:0 lo eth0 eth1",
        ]  # fmt: skip
        assert count(emulator) == 0

    def test_order_of_a_main_going_down(self):
        """S38, S39: the block is cut; then each alias sees its type go, and is closed and freed."""
        emulator, seen = self.watched(2)
        add(emulator, ("eth0:1", B))
        seen.clear()
        emulator.down("eth0")
        assert [line.removesuffix(" lo eth0 eth1") for line in seen] == [
            "down eth0",
            "done f2 1 2 unchained unknown", "down eth0:0", "free eth0:0",
            "done f2 2 1 unchained unknown", "down eth0:1", "free eth0:1",
        ]  # fmt: skip

    def test_order_of_a_change_of_family(self):
        """S52: down, the hooks and counts of both types with the old address, the new one, up."""
        emulator, seen = self.watched(2, 4)
        emulator.notifier.append(lambda event, device: seen.append(f"{device.address[3]}"))
        emulator.set_address("eth0:0", B, 4)
        assert seen == [
            "down eth0:0 lo eth0 eth0:0 eth1", "1",
            "done f2 1 1 chained known", "init f4 1 0 chained known",
            "up eth0:0 lo eth0 eth0:0 eth1", "2",
        ]  # fmt: skip

    def test_failing_init_hook_brings_routes_back(self):
        """S54: an init hook that fails while the alias is up costs no route."""
        emulator = recorded(Recorder(2, "one"), Recorder(4, "two", fail=True))
        add(emulator, ("eth0:0", A))
        emulator.routes.add(2, C, 8, "eth0:0")
        seen = []
        emulator.notifier.append(lambda event, device: seen.append(event))
        assert refused(emulator, "eth0:0", B, 4) == errno.EOPNOTSUPP
        assert (seen, len(list(emulator.routes))) == (["down", "up"], 1)
        emulator.set_address("eth0:0", B)
        assert list(emulator.routes) == []

    def test_failing_done_hook(self):
        """S51: a done hook that fails does not keep an alias that is deleted."""

        class Bad(Recorder):
            def alias_done(self, alias: model.Alias) -> None:
                raise errors.KindError("no")

        emulator = recorded(Bad(2, "bad"))
        add(emulator, ("eth0:0", A))
        with pytest.raises(errors.KindError):
            emulator.set_address("eth0:0-", b"")
        assert chain(emulator) == "lo eth0 eth1"
        assert emulator.find("eth0:0") is None
        assert emulator.get("eth0").block is None
        assert count(emulator) == 0

    def test_missing_hooks(self):
        """S55, S77: the defaults of the hooks: four bytes, equality, no selection, "-"."""
        emulator = recorded(Recorder(2, "plain"))
        add(emulator, ("eth0:0", A))
        eth0 = emulator.get("eth0")
        assert emulator.dev_chk(eth0, A).name == "eth0:0"
        assert emulator.dev_chk(eth0, B) is None
        emulator.routes.add(2, C, 32, "eth0:0")
        assert emulator.rcv_sel(eth0, C, B) is eth0
        row = emulator.texts.open("aliases").read()[64:]
        assert row == b"%-63b\n" % b"eth0:0           2      -"

    def test_uses_of_the_module(self):
        """S56: every alias holds one use of its type, from its init hook to its done hook."""
        one = Recorder(2, "ip")
        emulator = recorded(one)
        add(emulator, ("eth0:0", A), ("eth0:1", B))
        emulator.set_address("eth0:1", C)
        assert one.calls == ["init eth0:0", "init eth0:1"]
        emulator.down("eth0")
        assert one.calls[2:] == ["done eth0:0", "done eth0:1"]


GOLDEN = (
    ("200.1.1.1", 201, 7), ("200.1.1.2", 202, 4), ("255.255.255.255", 0, 2), ("10.0.0.5", 15, 13),
    ("127.0.0.2", 125, 8), ("127.0.0.3", 124, 9), ("7.7.7.8", 15, 13), ("1.1.1.1", 0, 2),
    ("1.1.1.2", 3, 1),
)  # fmt: skip


class TestHash:
    @pytest.mark.parametrize(("address", "large", "small"), GOLDEN)
    def test_golden(self, address, large, small):
        """S57: the bucket numbers seen on the running kernels."""
        assert machine("0.50").bucket(quad(address)) == large
        assert machine("0.43").bucket(quad(address)) == small

    def test_zero(self):
        """S58: 0.0.0.0 is in bucket 0 in 0.50 and 2 in 0.43."""
        assert machine("0.50").bucket(bytes(4)) == 0
        assert machine("0.43").bucket(bytes(4)) == 2

    @pytest.mark.parametrize(
        ("variant", "maximum", "size"),
        [("0.43", 256, 16), ("0.50", 255, 16), ("0.50", 256, 256), ("0.50", 9999, 256)],
    )
    def test_size(self, variant, maximum, size):
        """S59: 256 buckets from a captured maximum of 256 on, else 16; always 16 in 0.43."""
        emulator = machine(variant)
        if maximum != 256:
            emulator.maximum = maximum
        add(emulator, ("eth0:0", A))
        block = emulator.get("eth0").block
        assert len(block.rows) == size
        assert emulator.get("eth0:0").alias in block.rows[emulator.bucket(A)]

    @both
    @pytest.mark.parametrize(
        ("on", "off", "found"),
        [
            (model.IFF_UP, 0, True),
            (model.IFF_UP | model.IFF_NOARP, 0, True),
            (model.IFF_NOARP, 0, False),
            (0, 0, False),
            (model.IFF_UP, model.IFF_NOARP, True),
            (model.IFF_UP, model.IFF_UP, False),
        ],
    )
    def test_flags(self, variant, on, off, found):
        """S60: any of the on-flags, none of the off-flags; no on-flags match nothing."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        eth0 = emulator.get("eth0")
        number = int.from_bytes(A, "big")
        assert (emulator.dev_chk(eth0, A, 2, on, off) is not None) is found
        assert (emulator.dev_chk32(eth0, 2, number, on, off) is not None) is found

    def test_other_family(self):
        """S61: nothing for another family, an unknown one, or a main without aliases."""
        emulator = machine()
        number = int.from_bytes(A, "big")
        assert emulator.dev_chk(emulator.get("eth0"), A) is None
        assert emulator.dev_chk32(emulator.get("eth0"), 2, number) is None
        add(emulator, ("eth0:0", A))
        for family in (10, 77):
            assert emulator.dev_chk(emulator.get("eth0"), A, family) is None
            assert emulator.dev_chk32(emulator.get("eth0"), family, number) is None
        assert emulator.dev_chk(emulator.get("lo"), A) is None

    def test_lookup_loads_nothing(self):
        """S61: a look-up does not ask the loader."""
        asked = []
        registry = Registry(lambda key: asked.append(key) or (Inet() if key == 2 else None))
        emulator = machine(registry=registry)
        add(emulator, ("eth0:0", A))
        assert emulator.dev_chk(emulator.get("eth0"), V6, 10) is None
        assert asked == [2]

    @both
    def test_duplicates(self, variant):
        """S62: of two aliases with one address the one addressed last is found."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A), ("eth0:1", A), ("eth0:2", B))
        assert emulator.owner(A).name == "eth0:1"
        emulator.set_address("eth0:2", A)
        assert emulator.owner(A).name == "eth0:2"
        emulator.set_address("eth0:2-", b"")
        assert emulator.owner(A).name == "eth0:1"

    def test_same_bucket_keeps_order(self):
        """S67: in the same bucket an alias keeps its place; in another it comes first."""
        emulator = machine()
        same = quad("1.1.200.1")
        add(emulator, ("eth0:0", same), ("eth0:1", A), ("eth0:2", B))
        row = emulator.get("eth0").block.rows[emulator.bucket(A)]
        assert [str(alias.name) for alias in row] == ["eth0:1", "eth0:0"]
        emulator.set_address("eth0:0", A)
        assert [str(alias.name) for alias in row] == ["eth0:1", "eth0:0"]
        emulator.set_address("eth0:0", B)
        emulator.set_address("eth0:0", A)
        assert [str(alias.name) for alias in row] == ["eth0:0", "eth0:1"]

    def test_readdress_of_an_alias_that_is_up(self):
        """S2: routes through it are flushed, and down and up announced."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        emulator.routes.add(2, C, 32, "eth0:0")
        seen = []
        emulator.notifier.append(lambda event, device: seen.append((event, device.address)))
        emulator.set_address("eth0:0", B)
        assert seen == [("down", A), ("up", B)]
        assert list(emulator.routes) == []


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["address", "delete", "flags", "maximum"]),
        st.integers(0, 5),
        st.sampled_from([quad(f"10.0.{a}.{b}") for a in range(3) for b in range(3)] + [V6]),
    ),
    max_size=40,
)


@both
@settings(max_examples=150, deadline=None)
@given(OPERATIONS)
def test_lookup_is_a_linear_scan(variant, operations):
    """S68, S62, S67, S51: the buckets find what a scan by time of hashing finds."""
    emulator = machine(variant)
    eth0 = emulator.get("eth0")
    hashed: dict[str, int] = {}
    for now, (what, slot, address) in enumerate(operations):
        name = f"eth0:{slot}"
        alias = name in emulator.chain
        if what == "address":
            before = emulator.get(name).alias if alias else None
            old = (before.bucket, before.type) if before else None
            new = emulator.set_address(name, address, 10 if address == V6 else 2).alias
            if old != (new.bucket, new.type):
                hashed[name] = now
        elif what == "delete" and alias:
            emulator.set_address(f"{name}-", b"")
        elif what == "flags" and alias:
            (emulator.down if emulator.get(name).up else emulator.up)(name)
        elif what == "maximum" and emulator.variant.settable:
            emulator.maximum = (16, 256)[slot & 1]
    aliases = [device for device in emulator if device.alias]
    for _, _, address in operations:
        family = 10 if address == V6 else 2
        owners = [
            one for one in aliases if one.up and (one.family, one.address) == (family, address)
        ]
        newest = max(owners, key=lambda one: hashed[one.name], default=None)
        assert emulator.dev_chk(eth0, address, family) is newest
    for family in (2, 10):
        assert count(emulator, family) == sum(one.family == family for one in aliases)
    assert (eth0.block.count if eth0.block else 0) == len(aliases)


class TestSelection:
    @both
    def test_main_wins(self, variant):
        """S63: the main device wins over an alias with its address."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        add(emulator, ("eth0:0", eth0.address))
        assert emulator.rcv_sel(eth0, C, eth0.address) is eth0
        number = int.from_bytes(eth0.address, "big")
        assert emulator.rcv_sel32(eth0, 2, 0, number) is eth0

    @both
    def test_main_without_an_address(self, variant):
        """S63: the number of a main device that never had an address is 0."""
        emulator = machine(variant)
        eth1 = emulator.get("eth1")
        emulator.up("eth1")
        add(emulator, ("eth1:0", A), ("eth1:1", bytes(4)))
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth1:0")
        assert emulator.rcv_sel(eth1, C, bytes(4)) is eth1
        assert emulator.rcv_sel32(eth1, 2, int.from_bytes(C, "big"), 0) is eth1
        assert emulator.rcv_sel(eth1, C, B).name == "eth1:0"
        assert emulator.owner(bytes(4)).name == "eth1:1"

    @both
    def test_no_alias_by_the_number_0(self, variant):
        """S63, S64: the form by numbers looks no alias up for destination 0."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        add(emulator, ("eth0:0", bytes(4)), ("eth0:1", A))
        assert emulator.rcv_sel32(eth0, 2, 0, 0) is eth0
        assert emulator.rcv_sel(eth0, b"", bytes(4)).name == "eth0:0"
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth0:1")
        assert emulator.rcv_sel32(eth0, 2, int.from_bytes(C, "big"), 0).name == "eth0:1"

    @both
    def test_a_main_of_another_family(self, variant):
        """S63: a main device wins by its number, whatever its family."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        add(emulator, ("eth0:0", A))
        emulator.set_address("eth0", A, 4)
        number = int.from_bytes(A, "big")
        assert emulator.rcv_sel(eth0, b"", A) is eth0
        assert emulator.rcv_sel32(eth0, 2, 0, number) is eth0
        assert emulator.owner(A).name == "eth0:0"
        emulator.set_address("eth0", A + bytes(12), 10)
        assert emulator.rcv_sel(eth0, b"", A).name == "eth0:0"
        assert emulator.rcv_sel32(eth0, 2, 0, number).name == "eth0:0"

    @both
    def test_by_source(self, variant):
        """S64: the alias of this main that the route to the source leads through."""
        emulator = machine(variant)
        eth0 = emulator.get("eth0")
        add(emulator, ("eth0:0", A), ("lo:0", B))
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth0:0")
        emulator.routes.add(2, quad("10.1.0.0"), 16, "lo:0")
        emulator.routes.add(2, quad("10.2.0.0"), 16, "lo")
        unknown = quad("9.9.9.9")
        expected = {"10.0.0.5": "eth0:0", "10.1.0.5": "eth0", "10.2.0.5": "eth0", "7.7.7.7": "eth0"}
        for source, name in expected.items():
            assert emulator.rcv_sel(eth0, quad(source), unknown).name == name
            numbers = [int.from_bytes(one, "big") for one in (quad(source), unknown)]
            assert emulator.rcv_sel32(eth0, 2, *numbers).name == name

    def test_by_source_takes_one_that_is_down(self):
        """S64: the selection by source does not ask for IFF_UP."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        emulator.down("eth0:0")
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth0:0")
        assert emulator.rcv_sel(emulator.get("eth0"), C, quad("9.9.9.9")).name == "eth0:0"

    def test_hook_of_a_type(self):
        """S64: the hook of a type is asked, and believed only for an alias of this main."""
        one = Recorder(2, "own")
        emulator = recorded(one)
        add(emulator, ("eth0:0", A), ("lo:0", B))
        eth0 = emulator.get("eth0")
        for answer, chosen in (("eth0:0", "eth0:0"), ("lo:0", "eth0"), ("eth0", "eth0")):
            one.dev_select = lambda main, source, answer=answer: emulator.get(answer)
            assert emulator.rcv_sel(eth0, C, quad("9.9.9.9")).name == chosen
        one.dev_select = lambda main, source: None
        assert emulator.rcv_sel(eth0, C, quad("9.9.9.9")) is eth0

    @given(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
    def test_never_nothing(self, source, target):
        """S65: there is always a device for a main device, and none for none."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        for name in ("lo", "eth0", "eth1", "eth0:0"):
            assert emulator.rcv_sel(emulator.get(name), source, target) is not None
        for family in (0, 10, 77):
            assert emulator.rcv_sel(emulator.get("eth0"), source, target, family).name == "eth0"
            assert emulator.rcv_sel32(emulator.get("eth0"), family, 1, 2).name == "eth0"
        assert emulator.rcv_sel(None, source, target) is None
        assert emulator.rcv_sel32(None, 2, 1, 2) is None

    @both
    def test_no_sel(self, variant):
        """S66: with no_sel an unknown destination is always for the main device."""
        emulator = machine(variant, no_sel=True)
        add(emulator, ("eth0:0", A))
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth0:0")
        eth0 = emulator.get("eth0")
        assert emulator.rcv_sel(eth0, C, quad("9.9.9.9")) is eth0
        assert emulator.rcv_sel(eth0, C, A).name == "eth0:0"

    def test_ipv6(self):
        """S64: aliases of other families are received and selected alike."""
        emulator = machine()
        emulator.set_address("eth0:0", V6, 10)
        emulator.up("eth0:0")
        emulator.routes.add(10, V6, 64, "eth0:0")
        eth0 = emulator.get("eth0")
        assert emulator.rcv_sel(eth0, b"", V6, 10).name == "eth0:0"
        assert emulator.rcv_sel(eth0, V6[:15] + b"\x09", bytes(15) + b"\x01", 10).name == "eth0:0"

    def test_32_bits(self):
        """S63, S64: the form by numbers finds the alias that owns the destination."""
        emulator = machine()
        add(emulator, ("eth0:0", A))
        eth0 = emulator.get("eth0")
        assert emulator.rcv_sel32(eth0, 2, 0, int.from_bytes(A, "big")).name == "eth0:0"

    @pytest.mark.parametrize(("variant", "counted"), [("0.43", (0, 0)), ("0.50", (2, 1))])
    def test_counters(self, variant, counted):
        """S90: 0.50 counts look-ups, 0.43 does not."""
        emulator = machine(variant)
        add(emulator, ("eth0:0", A))
        eth0, alias = emulator.get("eth0"), emulator.get("eth0:0")
        emulator.routes.add(2, quad("10.0.0.0"), 8, "eth0:0")
        emulator.rcv_sel(eth0, b"", A)
        emulator.rcv_sel(eth0, C, quad("9.9.9.9"))
        emulator.rcv_sel(eth0, B, quad("9.9.9.9"))
        assert emulator.dev_tx(alias) is eth0
        assert emulator.dev_tx(eth0) is eth0
        assert (alias.alias.rx_lookups, alias.alias.tx_lookups) == counted


class TestLimits:
    def test_captured(self):
        """S69: lowering the maximum is not seen before the last alias is gone."""
        emulator = machine("0.50")
        add(emulator, ("eth0:0", A))
        emulator.maximum = 10
        add(emulator, ("eth0:99", B))
        emulator.set_address("eth0:99-", b"")
        emulator.set_address("eth0:0-", b"")
        assert refused(emulator, "eth0:99") == errno.EINVAL
        add(emulator, ("eth0:9", A))

    def test_zero(self):
        """S70: 0 blocks main devices without aliases only."""
        emulator = machine("0.50")
        add(emulator, ("eth0:0", A))
        emulator.maximum = 0
        add(emulator, ("eth0:1", B))
        assert refused(emulator, "lo:0") == errno.EINVAL

    def test_slots_not_count(self):
        """S71: the maximum bounds slot numbers."""
        emulator = machine("0.50")
        emulator.maximum = 3
        assert refused(emulator, "eth0:3") == errno.EINVAL
        add(emulator, ("eth0:2", A), ("eth0:0", B), ("eth0:1", C))
        assert len(emulator.aliases_of(emulator.get("eth0"))) == 3

    def test_raising(self):
        """S72: raising the maximum holds at once; the table grows and loses nothing."""
        emulator = machine("0.50")
        emulator.maximum = 10
        add(emulator, ("eth0:0", A), ("eth0:1", A), ("eth0:2", B))
        emulator.maximum = 1000
        add(emulator, ("eth0:999", C))
        assert len(emulator.get("eth0").block.rows) == 256
        owners = [emulator.owner(one).name for one in (A, B, C)]
        assert owners == ["eth0:1", "eth0:2", "eth0:999"]
        emulator.set_address("eth0:1-", b"")
        assert emulator.owner(A).name == "eth0:0"

    def test_no_maximum_in_043(self):
        """S69: there is nothing to set in 0.43."""
        emulator = machine("0.43")
        with pytest.raises(errors.StateError) as caught:
            emulator.maximum = 10
        assert caught.value.errno == errno.ENOENT
        assert emulator.maximum == 256

    def test_below_zero(self):
        """S70: a maximum below 0 is taken, and blocks main devices without aliases only."""
        emulator = machine("0.50")
        add(emulator, ("eth0:0", A))
        emulator.maximum = -5
        assert emulator.maximum == -5
        assert refused(emulator, "lo:0") == errno.EINVAL
        with pytest.raises(errors.LimitError, match="lo:0: the maximum is -5"):
            emulator.set_address("lo:0", A)
        add(emulator, ("eth0:255", B))
        assert refused(emulator, "lo:0-") == errno.ENODEV


class TestTexts:
    def test_aliases(self):
        """S73, S74, S75: byte for byte the text of the document."""
        emulator = machine()
        header = b"device           family address                                \n"
        assert emulator.texts.open("aliases").read() == header
        add(emulator, ("eth0:0", A), ("eth0:2", B))
        assert emulator.texts.open("aliases").read() == (
            header
            + b"eth0:0           2      200.1.1.1                              \n"
            + b"eth0:2           2      200.1.1.2                              \n"
        )

    def test_alias_types(self):
        """S78: by family modulo 16, in each the newest first."""
        registry = Registry()
        emulator = machine(registry=registry)
        header = b"type    name            n_attach\n"
        assert emulator.texts.open("alias_types").read() == header
        given = [(10, "ipv6"), (2, "ip"), (18, "eighteen"), (4, "four"), (17, "packet")]
        for family, name in given:
            registry.register(Recorder(family, name))
        rows = emulator.texts.open("alias_types").read()[len(header) :]
        assert [row.split()[1].decode() for row in rows.splitlines()] == [
            "packet", "eighteen", "ip", "four", "ipv6",
        ]  # fmt: skip
        assert {len(row) for row in rows.splitlines(True)} == {32}

    def test_chunks(self):
        """S79: reads of any size from any offset reassemble to the same bytes."""
        emulator = machine()
        add(emulator, *((f"eth0:{slot}", quad(f"10.0.0.{slot}")) for slot in range(100)))
        handle = emulator.texts.open("aliases")
        text = handle.read()
        assert len(text) == 64 * 101
        for size in (1, 63, 64, 65, 3072):
            pieces = [handle.pread(size, offset) for offset in range(0, len(text) + size, size)]
            assert b"".join(pieces) == text
        assert handle.pread(10, len(text) + 10) == b""

    def test_snapshot(self):
        """S80: an open text does not change; the next one does."""
        emulator = machine()
        add(emulator, ("eth0:0", A), ("eth0:1", B))
        handle = emulator.texts.open("aliases")
        emulator.set_address("eth0:0-", b"")
        assert len(handle.read()) == 3 * 64
        assert len(emulator.texts.open("aliases").read()) == 2 * 64

    def test_order_is_that_of_the_chain(self):
        """S33, S73: rows stand in chain order."""
        emulator = machine()
        add(emulator, ("eth0:3", A), ("lo:0", C), ("eth0:1", B))
        rows = emulator.texts.open("aliases").read().splitlines()[1:]
        assert [row.split()[0] for row in rows] == [b"lo:0", b"eth0:3", b"eth0:1"]


class TestProgram:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("max -x", "-x: not a number [EINVAL]"),
            ("max --1", "--1: not a number [EINVAL]"),
            ("eth0:0 mtu 67", "eth0:0: an MTU is 68 bytes at least, not 67 [EINVAL]"),
            ("eth0:0 flags UP,x", "x: no flag is called so (such as UP,NOARP or 0x81) [EINVAL]"),
            ("eth0:0 flags 0x", "0x: no flag is called so (such as UP,NOARP or 0x81) [EINVAL]"),
            ("rx32 eth0 - ::1", "::1: not an IPv4 address [EINVAL]"),
            ("rx32 - 1.1.1", "1.1.1: not an IPv4 address [EINVAL]"),
            ("eth0:0 224.1.1", "224.1.1: not an IPv4 address [EINVAL]"),
            ("type add ip 0", "ip: 0 is no address family [EINVAL]"),
            ("type add other 2", "family 2 is served by ip [EEXIST]"),
            ("type remove ip 2", "type remove: one NAME or FAMILY [EINVAL]"),
            ("device eth7 nonsense", "nonsense: not an IPv4 address [EINVAL]"),
        ],
    )
    def test_refusals(self, line, said):
        """A refusal names the words that are wrong, and nothing is made."""
        script = f"device eth0 up\neth0:0 1.1.1.1\n{line}\nchain\n"
        status, out, err = self.run(script, "--variant=0.50")
        assert (out, err) == ("eth0 eth0:0\n", f"<stdin>:3: {said}\n")
        assert status != 0

    def test_no_main_is_up(self):
        """The selection by numbers needs a main device that is up, or a name."""
        script = "device eth0 1.1.1.1\nrx32 - 1.1.1.1\nrx32 eth0 - 1.1.1.1\n"
        status, out, err = self.run(script)
        assert out == "eth0\n"
        assert err == "<stdin>:2: no main device is up [ENODEV]\n"
        assert status == errors.STATUS_KERNEL

    def run(self, text: str, *argv: str) -> tuple[int, str, str]:
        out, err = io.StringIO(), io.StringIO()
        return main(argv, io.StringIO(text), out, err), out.getvalue(), err.getvalue()

    def test_errors_are_reported_and_the_script_goes_on(self):
        """Each error names its line; the status is that of the last one."""
        script = "device eth0 up\neth0:x 1.1.1.1\neth1:0 1.1.1.1 # no such main\nchain\n"
        status, out, err = self.run(script)
        lines = err.splitlines()
        assert (status, out) == (errors.STATUS_KERNEL, "eth0\n")
        assert [line.split(":")[1] for line in lines] == ["2", "3"]
        assert all(line.startswith("<stdin>:") and line.endswith("[ENODEV]") for line in lines)

    @pytest.mark.parametrize("line", WRONG_LINES)
    def test_wrong_words(self, line):
        """Wrong words are usage errors, never a traceback."""
        status, out, err = self.run(f"device eth0 up\n{line}\n", "--variant=0.50")
        assert (status, out) == (errors.STATUS_USAGE, "")
        assert err.startswith("<stdin>:2: ")

    @pytest.mark.parametrize(
        "argv",
        [["--variant"], ["--variant", "2.2"], ["--nonsense"], ["a", "b"], ["/nonexistent/file"]],
    )
    def test_wrong_options(self, argv):
        """Wrong options say so."""
        status, out, err = self.run("", *argv)
        assert (status, out) == (errors.STATUS_USAGE, "")
        assert err.startswith("netalias: ")

    def test_check(self):
        """--check reports what differs, with its line, and only that."""
        script = "device eth0 up\nchain\n> eth1\nchain\n> eth0\neth0:0 up\nshow\n! EIO\n"
        status, out, err = self.run(script, "--check")
        assert (status, out) == (1, "")
        assert [line.split(":")[1] for line in err.splitlines()] == ["2", "6", "7"]

    def test_answer_to_nothing(self):
        """An answer before the first command is a usage error."""
        assert self.run("> eth0\n", "--check")[0] == errors.STATUS_USAGE

    def test_options(self):
        """--unprivileged and --no-sel reach the emulator."""
        script = "device eth0\neth0 up\n"
        assert "[EPERM]" in self.run("device eth0 up\n", "--unprivileged")[2]
        assert self.run(script)[0] == errors.STATUS_USAGE
        script = "device eth0 up\neth0:0 1.1.1.1\nroute 9.0.0.0/8 eth0:0\nrx 9.1.1.1 7.7.7.7\n"
        assert self.run(script)[1] == "eth0:0\n"
        assert self.run(script, "--no-sel")[1] == "eth0\n"

    def test_created_down(self):
        """A new alias is raised, unless it is to stay down."""
        script = "device eth0 up\neth0:0 1.1.1.1 down\neth0:1 1.1.1.2/30\nshow eth0\n"
        status, out, _ = self.run(script)
        assert (status, out) == (0, "eth0:0 ip 1.1.1.1/8 down\neth0:1 ip 1.1.1.2/30 up\n")

    def test_file(self, tmp_path):
        """A script may stand in a file."""
        path = tmp_path / "script"
        path.write_text("device eth0 up\nchain\nnonsense\n")
        status, out, err = self.run("", str(path))
        assert (status, out) == (errors.STATUS_USAGE, "eth0\n")
        assert err.startswith(f"{path}:3: ")


def test_light_imports():
    """The emulator loads none of the modules that make a start slow."""
    heavy = ("dataclasses", "enum", "typing", "re", "argparse", "logging", "json", "pyroute2")
    code = (
        "import sys; before = set(sys.modules); import netalias.emulator\n"
        f"print(sorted((set(sys.modules) - before) & set({heavy!r})))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout == "[]\n"


def test_many():
    """Ten thousand aliases are made, listed and torn down in one go."""
    emulator = machine("0.50")
    emulator.maximum = 10_000
    for slot in range(10_000):
        emulator.set_address(f"eth0:{slot}", (0x0A000000 + slot).to_bytes(4, "big"))
    assert len(emulator.texts.open("aliases").read()) == 64 * 10_001
    emulator.down("eth0")
    assert chain(emulator) == "lo eth0 eth1"


def test_builtin_types_are_not_shared():
    """Two emulators do not select by each other's routes."""
    one, two = machine(), machine()
    assert one.registry.get(2) is not two.registry.get(2)
    assert isinstance(one.registry.get(10), Inet6)
