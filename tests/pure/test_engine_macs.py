"""The MACs of new alias devices, on a kernel in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from netalias import cli, desired, errors
from netalias.engine import Engine, Setup, macs
from netalias.kernel.memory import Memory
from netalias.model import mac_text
from netalias.runtime.private import PrivateDirectory

Identity = tuple[bytes, bool]

MACHINE = bytes.fromhex("00112233445566778899aabbccddeeff")
HOST = MACHINE, True
CONTAINER = MACHINE, False
OTHER_HOST = bytes.fromhex("10112233445566778899aabbccddeeff"), True
NOBODY = b"", True

CARD = "02:00:00:00:00:01"
OTHER_CARD = "02:00:00:00:00:99"
OWN = ["d6:02:6e:e2:ef:67", "22:f9:4e:ec:ba:86", "3a:6a:ee:07:1d:ee"]
"""The MACs of eth0:0 on HOST, in the order of preference."""


class Host:
    """An engine over a kernel in memory, on a host with this identity; eth0 and eth1 are up."""

    def __init__(self, identity: Identity = HOST, card: str = CARD) -> None:
        self.identity = identity
        self.kernel = Memory()
        self.engine = self.opened()
        self.add("eth0", card)
        for name in ("eth1", "e\udcff"):
            self.kernel.add_device(name, up=True)

    def opened(self, *_: object) -> Engine:
        """A new engine, as every command has one."""
        return Engine(
            Setup(
                self.kernel,
                runtime=PrivateDirectory(),
                identity=lambda: self.identity,
            )
        )

    def add(self, name: str, mac: str) -> None:
        """``ip link add NAME address MAC``."""
        self.kernel.add_device(name, up=True, mac=bytes.fromhex(mac.replace(":", "")))

    def __call__(self, text: str) -> str:
        """Do one command; the MAC of its alias."""
        wish = desired.parse(text.split(), self.engine.registry)
        self.engine.realise(wish)
        return self.mac(str(wish.name))

    def mac(self, name: str) -> str:
        device = self.engine.get(name).device
        return mac_text(device.mac) if device is not None else ""

    def file(self, verb: str, path: Path) -> int:
        """The status of ``netalias VERB FILE``."""
        return cli.main([*verb.split(), str(path)], self.opened)


@pytest.mark.parametrize(
    ("identity", "card", "words", "mac"),
    [
        (HOST, CARD, "eth0:0 10.0.0.1", OWN[0]),
        (HOST, CARD, "eth0:0 2001:db8::1", OWN[0]),
        (HOST, CARD, "eth0:0 10.0.0.1 kind dummy", OWN[0]),
        (HOST, OTHER_CARD, "eth0:0 10.0.0.1", OWN[0]),
        (HOST, CARD, "eth0:1 10.0.0.1", "36:1e:4b:72:0b:9c"),
        (HOST, CARD, "eth1:0 10.0.0.1", "8e:33:60:5d:07:96"),
        (OTHER_HOST, CARD, "eth0:0 10.0.0.1", "92:21:ea:02:25:a7"),
        (CONTAINER, CARD, "eth0:0 10.0.0.1", "fe:10:92:7b:08:50"),
        (CONTAINER, OTHER_CARD, "eth0:0 10.0.0.1", "da:06:34:8e:bf:b9"),
        (HOST, CARD, "e\udcff:0 10.0.0.1", "7e:12:99:ab:d2:69"),
        (HOST, CARD, "eth0:0 10.0.0.1 hw ether 02:00:00:00:00:05", "02:00:00:00:00:05"),
        (HOST, CARD, "eth0:0 10.0.0.1 kind ipvlan", CARD),
    ],
)
def test_host_main_device_and_slot_decide(
    identity: Identity, card: str, words: str, mac: str
) -> None:
    """In a container the MAC of the main device counts too. No release may change these values:
    aliases would get other MACs."""
    host = Host(identity, card)
    words = words if "kind" in words or "hw" in words else f"{words} kind macvlan"
    assert host(words) == mac
    host.engine.delete(words.split()[0])
    assert host(words) == mac


def test_every_mac_is_local_and_of_one_station(tmp_path: Path) -> None:
    """The aliases of one run have as many MACs, none universal, none of a group."""
    host = Host()
    path = tmp_path / "netalias.conf"
    path.write_text("eth0:0-299 10.0.0.1/32+ kind macvlan\n", encoding="utf-8")
    assert host.file("reconcile", path) == 0
    found = [alias.device.mac for alias in host.engine.show() if alias.device is not None]
    assert len(set(found)) == len(found) == 300
    assert {mac[0] & 3 for mac in found} == {2}


@pytest.mark.parametrize("taken", [1, 2])
def test_a_mac_that_another_device_has_is_not_taken(taken: int) -> None:
    """The next one is: neighbours could not tell the two apart, and the kernel refuses it."""
    host = Host(card=OWN[0])
    if taken == 2:
        host.add("eth2", OWN[1])
    assert host("eth0:0 10.0.0.1 kind macvlan") == OWN[taken]


def test_a_standing_alias_keeps_its_mac(tmp_path: Path) -> None:
    """Whatever the kernel or a former release has chosen for it; it is no difference."""
    host = Host()
    host.engine = Engine(Setup(host.kernel))
    old = host("eth0:0 10.0.0.1 kind macvlan")
    host.engine = host.opened()
    path = tmp_path / "netalias.conf"
    for words in ("", " hw ether random"):
        path.write_text(f"eth0:0 10.0.0.1/32 kind macvlan{words}\n", encoding="utf-8")
        assert host.file("check", path) == 0
        assert host.file("reconcile", path) == 0
        assert host(f"eth0:0 10.0.0.2{words}") == old
        assert host(f"eth0:0 10.0.0.1{words}") == old
    assert old != OWN[0]


@pytest.mark.parametrize(
    ("before", "after", "mac"),
    [("macvlan", "dummy", OWN[1]), ("label", "macvlan", OWN[0]), ("ipvlan", "macvlan", OWN[0])],
)
def test_another_kind(before: str, after: str, mac: str) -> None:
    """A MAC of its own goes along; a kind without one gets it now."""
    host = Host()
    host.add("eth2", OWN[0])
    host(f"eth0:0 10.0.0.1 kind {before}")
    host.kernel.remove_device("eth2")
    assert host(f"eth0:0 10.0.0.1 kind {after}") == mac


def test_a_mac_of_chance(tmp_path: Path) -> None:
    """``hw ether random``: another one each time that the device is made, for each of a range."""
    host = Host()
    words = "eth0:0 10.0.0.1 hw ether random"
    first = host(words)
    host.engine.delete("eth0:0")
    path = tmp_path / "netalias.conf"
    path.write_text("eth0:0-1 10.0.0.1-2/32 hw ether random\n", encoding="utf-8")
    assert host.file("reconcile", path) == 0
    found = {first, host.mac("eth0:0"), host.mac("eth0:1")}
    assert len(found) == 3
    assert {int(mac[:2], 16) & 3 for mac in found} == {2}


@pytest.mark.parametrize("kind", ["label", "ipvlan"])
def test_a_mac_of_chance_is_a_mac_of_its_own(kind: str) -> None:
    """It is refused like any other where the alias has none."""
    with pytest.raises(errors.KindError):
        Host()(f"eth0:0 10.0.0.1 kind {kind} hw ether random")


def test_without_a_machine_id_macs_are_random() -> None:
    """A copied MAC would be worse than another one each time."""
    host, other = Host(NOBODY), Host(NOBODY)
    found = {one("eth0:0 10.0.0.1 kind macvlan") for one in (host, other)}
    found.add(host("eth0:1 10.0.0.2 kind macvlan"))
    assert len(found) == 3


def test_a_dry_run_prints_the_mac(capsys: pytest.CaptureFixture[str]) -> None:
    """In the command that makes the device."""
    words = "--dry-run eth0:0 10.0.0.1 kind macvlan"
    assert cli.main(words.split(), Host().opened) == 0
    first = capsys.readouterr().out.partition("\n")[0]
    assert first == (
        f"ip link add eth0_0 link eth0 address {OWN[0]} group 28257 type macvlan mode bridge"
    )


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"00112233445566778899aabbccddeeff\n", MACHINE),
        (b"00112233445566778899AABBCCDDEEFF", MACHINE),
        (b"", b""),
        (b"uninitialized\n", b""),
        (b"0011\n", b""),
        (b"0" * 32, b""),
        (b"\xff" * 32, b""),
        (None, b""),
    ],
)
def test_the_machine_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, key: bytes
) -> None:
    """A file that holds anything but 32 hexadecimal digits is no machine ID."""
    path = tmp_path / "machine-id"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(macs, "MACHINE_ID", str(path))
    assert macs.identity()[0] == key


@pytest.mark.parametrize("initial", [True, False])
def test_the_initial_namespace_has_sysctls_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initial: bool
) -> None:
    """Whoever cannot see them is in another one, or cannot tell."""
    path = tmp_path / "netdev_budget"
    if initial:
        path.touch()
    monkeypatch.setattr(macs, "INITIAL_ONLY", str(path))
    assert macs.identity()[1] is initial
