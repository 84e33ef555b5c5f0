"""netalias.vif: the errors of the driver, one by one, and its counters."""

from __future__ import annotations

import sys
from errno import EAFNOSUPPORT, EINVAL, ENOBUFS, ENXIO, errorcode
from typing import Any

import pytest

import netalias
from netalias import errors
from netalias.model import AF_INET, AF_INET6
from netalias.tunnels import vif
from netalias.tunnels.carriage import Carriage

OWN, FAR = "198.51.100.7", "192.0.2.1"
PACKET = b"\x45" + bytes(19)


class Road(Carriage):
    """A carriage that keeps what it takes, *room* packets of it; without memory for ``hungry``."""

    def __init__(self, room: int = 1000) -> None:
        self.taken: list[bytes] = []
        self.room = room
        self.hungry = False

    def send(self, packets: Any, tos: int = 0, df: Any = False) -> int:
        """One packet at a time."""
        if self.hungry:
            raise MemoryError
        if len(self.taken) >= self.room:
            return 0
        self.taken += packets
        return len(packets)


def refused(errno: int, work: Any, *words: Any) -> None:
    """A call raises KernelError with this errno."""
    with pytest.raises(errors.KernelError) as caught:
        work(*words)
    assert errorcode[caught.value.errno] == errorcode[errno]


@pytest.fixture
def driver() -> vif.Driver:
    """``vif4``."""
    return vif.Driver(4, carriage=Road())


def test_they_attach_at_the_first_open(driver: vif.Driver) -> None:
    """C-1: all of them, whichever is opened; later opens do nothing."""
    assert driver.interfaces == []
    second = driver.open(2)
    assert [one.name for one in driver.interfaces] == ["vif0", "vif1", "vif2", "vif3"]
    second.ioctl(vif.SIOCSIFADDR, OWN)
    assert driver.open(2) is second
    assert second.addresses == [OWN]


@pytest.mark.parametrize("unit", [-1, 4, 1 << 40])
def test_a_number_that_is_none(driver: vif.Driver, unit: int) -> None:
    """C-1: ENXIO of open and ioctl, also before anything is attached; close is always fine."""
    refused(ENXIO, driver.open, unit)
    refused(ENXIO, driver.ioctl, unit)
    assert driver.interfaces == []
    driver.close(unit)


def test_the_control_node_does_nothing_else(driver: vif.Driver) -> None:
    """C-1: EINVAL of any ioctl, ENXIO of read, write and select."""
    for unit in (0, 3):
        for request in (0, vif.SIOCSIFADDR, 0x8913):
            refused(EINVAL, driver.ioctl, unit, request)
    for work in (driver.read, driver.write, driver.select):
        for unit in (-1, 0, 3, 4):
            refused(ENXIO, work, unit)


def test_an_interface(driver: vif.Driver) -> None:
    """C-2: MTU and flags; an address raises it, and no other ioctl is known."""
    one = driver.open(0)
    assert (one.mtu, one.flags) == (1536, 0x88)
    for request in (0, 0x8914, 0x8915, 0x8921):
        refused(EINVAL, one.ioctl, request, OWN)
    with pytest.raises(errors.BadAddress, match="not an IPv4 address"):
        one.ioctl(vif.SIOCSIFADDR, "2001:db8::1")
    assert one.flags == 0x88
    one.ioctl(vif.SIOCSIFADDR, OWN)
    assert one.flags == 0x89


def test_a_packet_for_its_own_address(driver: vif.Driver) -> None:
    """C-3: it comes into the queue of IP, with the name of the interface; the queue has 50."""
    one = driver.open(1)
    one.ioctl(vif.SIOCSIFADDR, OWN)
    one.ioctl(vif.SIOCSIFADDR, "198.51.100.8")
    for _ in range(50):
        one.output(PACKET, OWN)
    refused(ENOBUFS, one.output, PACKET, OWN)
    assert driver.queue == [("vif1", PACKET)] * 50
    assert (one.counters["input"], one.counters["queue_full"]) == (50, 1)
    driver.queue.pop(0)
    one.output(PACKET, OWN)
    assert len(driver.queue) == 50
    one.output(PACKET, "198.51.100.8")  # the first address alone is its own
    assert one.counters["sent"] == 1


def test_a_packet_for_anybody_else(driver: vif.Driver) -> None:
    """C-3: it is carried, as it is; what the carriage does not take is ENOBUFS."""
    one = driver.open(0)
    assert isinstance(driver.carriage, Road)
    driver.carriage.room = 2
    for _ in range(2):
        one.output(PACKET, FAR)
    assert driver.carriage.taken == [PACKET, PACKET]
    refused(ENOBUFS, one.output, PACKET, FAR)
    driver.carriage.hungry = True
    refused(ENOBUFS, one.output, PACKET, FAR)
    assert {name: count for name, count in one.counters.items() if count} == {
        "sent": 2, "unsent": 1, "no_buffer": 1
    }  # fmt: skip


def test_without_a_carriage_it_comes_to_nothing() -> None:
    """C-3: as in the code that was published."""
    one = vif.Driver().open(0)
    one.output(PACKET, FAR)
    assert one.counters["no_carriage"] == 1


@pytest.mark.parametrize("family", [AF_INET6, 0, 16])
def test_another_family(family: int) -> None:
    """C-3: EAFNOSUPPORT, and a line for the log."""
    said: list[str] = []
    one = vif.Driver(1, say=said.append).open(0)
    refused(EAFNOSUPPORT, one.output, PACKET, FAR, family)
    assert (said, one.counters["family"]) == ([f"vif0: can't handle af{family}"], 1)
    one.output(PACKET, FAR, AF_INET)


def test_it_is_handed_on_when_it_is_asked_for() -> None:
    """By the package, which loads nothing of it before."""
    assert netalias.vif is vif
    assert netalias.vif is sys.modules["netalias.tunnels.vif"]
