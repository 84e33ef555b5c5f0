"""What a watcher tells and asks by itself: after a loss of carrier, and of another MAC."""

from __future__ import annotations

import pytest
from test_claim import STRANGER, Wire, packed, text
from watched import Watched

from netalias.kernel.memory import Memory
from netalias.model.steps import AddAddress, DelAddress
from netalias.system.journal import Journal
from netalias.watch.periodic import Reannouncer

OTHER = bytes.fromhex("020000000077")
SOMEBODY = 5
"""The netlink port of another process."""


ROUNDS = 10.0
"""Seconds in which all announcements are made."""


class Segment:
    """A watcher of what *lines* declare, and its segment."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lines: str) -> None:
        kernel = Memory()
        self.wire = Wire(kernel, monkeypatch)
        self.watched = Watched(lines, kernel, claims=True)
        journal = Journal(stream=self.watched.journal, environ={}, now=str)
        watched = self.watched
        self.reannouncer = Reannouncer(
            watched.controller, journal, "", 0.0, watched.claims, watched.announcer
        )
        self.wire.asked.clear()
        self.heard(ROUNDS)
        self.watched.said()

    def carrier(self) -> None:
        """The cable was out and is in again."""
        for on in (False, True):
            self.watched.kernel.set_device("eth0", carrier=on)
            self.watched.controller.read_events()
        self.reannouncer.after_carrier(self.watched.controller.linked)
        self.watched.quiet()

    def mac(self, name: str, mac: bytes = OTHER, port_id: int = SOMEBODY) -> None:
        """Somebody gives a device another MAC."""
        self.watched.kernel.set_device(name, mac=mac)
        self.watched.monitor.port_id = port_id
        self.watched.controller.read_events()
        readdressed = self.watched.controller.readdressed
        if readdressed:
            self.reannouncer.after_mac(readdressed)
        self.watched.quiet()

    def heard(self, seconds: float = 0.0) -> list[tuple[str, bytes, str]]:
        """Sender, MAC and address of each announcement, also of the next *seconds*, in the order of
        the addresses."""
        self.watched.pass_time(seconds)
        found, self.watched.sender.told = self.watched.sender.told, []
        return sorted(((*one, text(address)) for *one, address in found), key=lambda one: one[2])


ALL_KINDS = (
    "eth0:0 10.0.0.1 kind macvlan\neth0:1 10.0.0.2 kind label\neth0:2 2001:db8::3 kind label\n"
    "eth0:3 2001:db8::4 kind macvlan\neth1:0 10.0.0.5 kind label\n"
)


@pytest.mark.parametrize(
    ("device", "heard"),
    [("eth0", ["10.0.0.2", "2001:db8::3"]), ("eth0_0", ["10.0.0.1"]), ("eth0_3", ["2001:db8::4"])],
)
def test_another_mac_is_announced(
    monkeypatch: pytest.MonkeyPatch, device: str, heard: list[str]
) -> None:
    """For the addresses that are reached by it, and no others."""
    segment = Segment(monkeypatch, ALL_KINDS)
    segment.mac(device)
    assert segment.heard() == [(device, OTHER, address) for address in heard]
    count = "1 address" if len(heard) == 1 else "2 addresses"
    assert segment.watched.said() == [f"netalias: {device}: another MAC: {count} announced"]


@pytest.mark.parametrize(("kind", "sender"), [("ipvlan", "eth0"), ("dummy", "eth0")])
def test_a_device_that_is_reached_by_its_main_device(
    monkeypatch: pytest.MonkeyPatch, kind: str, sender: str
) -> None:
    """The MAC of the main device is the one that neighbours know."""
    segment = Segment(monkeypatch, f"eth0:0 10.0.0.1 kind {kind}\n")
    segment.mac("eth0")
    assert segment.heard() == [(sender, OTHER, "10.0.0.1")]


def test_nobody_is_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A declared MAC is put back, which is announced; a change of our own is announced where it
    is made."""
    segment = Segment(monkeypatch, "eth0:0 10.0.0.1 kind macvlan hw ether 02:00:00:00:00:05\n")
    segment.mac("eth0_0", port_id=0)
    assert [address for *_, address in segment.heard()] == ["10.0.0.1"]


@pytest.mark.parametrize(
    ("words", "count"),
    [("", 1), (" announce 3", 3), (" announce off", 0), (" announce every 9", 1)],
)
@pytest.mark.parametrize("cause", ["carrier", "mac", "lost"])
def test_the_number_of_announcements_is_the_declared_one(
    monkeypatch: pytest.MonkeyPatch, words: str, count: int, cause: str
) -> None:
    """Whatever they are for."""
    segment = Segment(monkeypatch, f"eth0:0 10.0.0.1 kind macvlan{words}\n")
    if cause == "carrier":
        segment.carrier()
    elif cause == "mac":
        segment.mac("eth0_0")
    else:
        segment.watched.kernel.remove_device("eth0_0")
        segment.watched.quiet()
    assert [address for *_, address in segment.heard(ROUNDS)] == ["10.0.0.1"] * count


CHECKED = "eth0:0 10.0.0.1 kind {0} acd fast\neth0:1 10.0.0.2 kind {0}\n"


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "label"])
def test_after_a_loss_of_carrier_it_is_asked_first(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Where the alias is checked for conflicts; then all is announced."""
    segment = Segment(monkeypatch, CHECKED.format(kind))
    segment.carrier()
    assert segment.wire.asked == [packed("10.0.0.1")]
    assert [address for *_, address in segment.heard()] == ["10.0.0.1", "10.0.0.2"]
    assert segment.watched.said() == ["netalias: the carrier is back: 1 address announced"] * 2


@pytest.mark.parametrize("kind", ["macvlan", "ipvlan", "label"])
def test_an_address_that_another_host_took_meanwhile(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """It is left to that host, and taken back some time after that has gone."""
    segment = Segment(monkeypatch, CHECKED.format(kind))
    segment.wire.taken = {packed("10.0.0.1")}
    segment.carrier()
    says = f"eth0:0: 10.0.0.1 is in use on eth0 by {STRANGER.hex(':')}"
    assert segment.watched.said() == [
        "netalias: the carrier is back: 1 address announced",
        f"netalias: {says}",
        f"netalias: warning: t.conf:1: {says}",
    ]
    assert segment.watched.names() == ["eth0:1"]
    assert [address for *_, address in segment.heard()] == ["10.0.0.2"]
    for _ in range(3):
        segment.watched.wait()
        assert segment.watched.names() == ["eth0:1"]
    assert segment.watched.said() == []
    segment.wire.taken.clear()
    segment.watched.wait()
    assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]
    assert [address for *_, address in segment.heard()] == ["10.0.0.1"]


@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_the_kernel_checks_ipv6_addresses_again(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """They come anew, since it checks an address only then; the device stays. Its verdict is an
    event, so nothing waits for it, and an address in use is treated like any duplicate."""
    segment = Segment(monkeypatch, f"eth0:0 2001:db8::1 kind {kind} acd fast\n")
    kernel = segment.watched.kernel
    before, sent = kernel.snapshot().device("eth0_0"), []
    send = kernel.send
    monkeypatch.setattr(kernel, "send", lambda steps: (sent.extend(steps), send(steps))[1])
    segment.carrier()
    assert [type(step) for step in sent] == [DelAddress, AddAddress]
    assert kernel.snapshot().device("eth0_0") == before
    assert [address for *_, address in segment.heard()] == ["2001:db8::1"]
    assert segment.watched.said()[0] == (
        "netalias: the carrier is back: 1 IPv6 address checked again"
    )


def test_what_cannot_be_asked_is_not_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays, and nobody is told of it."""
    segment = Segment(monkeypatch, CHECKED.format("macvlan"))
    segment.wire.late = {packed("10.0.0.1")}
    segment.carrier()
    assert sorted(segment.watched.names()) == ["eth0:0", "eth0:1"]
    assert [address for *_, address in segment.heard()] == ["10.0.0.2"]
