"""One engine in several threads: they take turns; and values that are no texts."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from threading import Thread, get_ident

import pytest

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import Snapshot
from netalias.model.names import AliasName
from netalias.model.steps import Step

THREADS = 8


class OneSocket(Memory):
    """A kernel that notices when two threads use it at once: a socket would mix their answers."""

    user = 0
    mixed = False

    def _enter(self) -> None:
        self.mixed |= self.user not in (0, get_ident())
        self.user = get_ident()

    def snapshot(self) -> Snapshot:
        self._enter()
        found = super().snapshot()
        self.user = 0
        return found

    def send(self, steps: Sequence[Step]) -> list[errors.NetaliasError | None]:
        self._enter()
        found = super().send(steps)
        self.user = 0
        return found


@pytest.fixture
def engine() -> Iterator[Engine]:
    """Over a kernel in memory; threads change often."""
    kernel = OneSocket()
    kernel.add_device("eth0", up=True)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield Engine(Setup(kernel))
    sys.setswitchinterval(before)


def test_threads_take_turns(engine: Engine) -> None:
    """Everything is done that each of them asked for, and no answer is another one's."""
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for last in range(1, 4):
                made = engine.create(f"eth0:{number}", f"10.4.{number}.{last}")
                assert made.address == bytes((10, 4, number, last))
                assert engine.lookup(f"10.4.{number}.{last}") is not None
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(engine.show()) == THREADS
    assert isinstance(engine.kernel, OneSocket)
    assert not engine.kernel.mixed


def test_a_thread_that_takes_too_long(engine: Engine) -> None:
    """The others are told, after the time that they wait for the lock."""
    waiting = engine.derived(wait=0.01)
    found: list[str] = []

    def other() -> None:
        with pytest.raises(errors.LockBusy) as caught:
            waiting.create("eth0:0", "10.0.0.1")
        found.append(str(caught.value))

    with engine.transaction():
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert found == ["another thread is at work (waited 0.01 s)"]
    waiting.create("eth0:0", "10.0.0.1")


def test_values_that_are_no_texts(engine: Engine) -> None:
    """Numbers, names and addresses are taken as they come."""
    name = AliasName("eth0", 7)
    alias = engine.create(name, ip_address("10.0.0.7"), "prefixlen", 24, "mtu", 1400)
    assert alias.device is not None
    assert (alias.prefixlen, alias.device.mtu) == (24, 1400)
    assert engine.get(name) == alias
    assert engine.show(name) == [alias]
    assert engine.lookup(ip_address("10.0.0.7")) == alias
    engine.delete(name)
    assert engine.show() == []
    with pytest.raises(errors.UsageError):
        engine.create(name, None)


def test_one_of_several_threads_loads_a_type() -> None:
    """The others wait for it, and find it."""
    registry = lazy()
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(registry.find("ip"))) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == THREADS
    assert None not in found
