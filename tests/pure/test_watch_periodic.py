"""Published addresses over the kernel in memory, which forgets them as Linux does."""

from __future__ import annotations

import pytest
from watched import state_of

from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL
from netalias.model.events import State, difference
from netalias.model.neighbours import DelProxy, Proxy
from netalias.watch.periodic import Republisher


class Observed:
    """eth0 and eth1 are up; eth0 answers for 10.7.0.1, and for somebody else's 10.7.0.9."""

    def __init__(self) -> None:
        self.kernel = Memory()
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.state = State()
        self.republisher = Republisher(Engine(Setup(self.kernel)), self.state)
        self.publish("eth0", 1, PROTOCOL)
        self.publish("eth0", 9, 0)
        self.read_events()
        self.learn()

    def publish(self, name: str, last: int, protocol: int) -> None:
        index = self.kernel.device(name).index
        local = bytes((10, 7, 0, last))
        self.kernel.add_proxy(name, Proxy(index, AF_INET, local, protocol))

    def read_events(self) -> None:
        list(difference(self.state, state_of(self.kernel.snapshot())))

    def learn(self) -> None:
        self.republisher.learn(self.republisher.read())

    def there(self) -> list[int]:
        return sorted(proxy.local[3] for proxy in self.kernel.proxies())


@pytest.fixture
def observed() -> Observed:
    return Observed()


def test_nothing_is_missing(observed: Observed) -> None:
    assert observed.republisher.missing() == []
    assert observed.republisher.restore() == (0, [])


def test_after_a_flap(observed: Observed) -> None:
    """Ours come back, those of others do not."""
    observed.kernel.set_device("eth0", up=False)
    observed.read_events()
    assert observed.there() == []
    assert observed.republisher.restore() == (0, [])
    observed.kernel.set_device("eth0", up=True)
    observed.read_events()
    assert observed.republisher.restore() == (1, [])
    assert observed.there() == [1]


def test_what_is_read_while_it_is_down(observed: Observed) -> None:
    """It is not forgotten by that; what another device has is known."""
    observed.kernel.set_device("eth0", up=False)
    observed.publish("eth1", 2, PROTOCOL)
    observed.read_events()
    observed.learn()
    for name in ("eth0", "eth1"):
        observed.kernel.set_device(name, up=False)
        observed.kernel.set_device(name, up=True)
    observed.read_events()
    assert observed.republisher.restore() == (2, [])
    assert observed.there() == [1, 2]


def test_what_was_taken_back(observed: Observed) -> None:
    """Is not published again."""
    proxy = next(one for one in observed.kernel.proxies() if one.local[3] == 1)
    observed.kernel.apply([DelProxy("eth0", proxy.index, proxy)])
    observed.learn()
    observed.kernel.set_device("eth0", up=False)
    observed.kernel.set_device("eth0", up=True)
    observed.read_events()
    assert observed.republisher.restore() == (0, [])


def test_a_device_that_is_made_again(observed: Observed) -> None:
    """By its name, with another index."""
    observed.kernel.remove_device("eth0")
    observed.read_events()
    observed.learn()
    observed.kernel.add_device("eth2", up=True)
    observed.kernel.add_device("eth0", up=True)
    observed.read_events()
    assert observed.republisher.restore() == (1, [])
    assert observed.there() == [1]


def test_refused(observed: Observed) -> None:
    """It is reported, and counts for nothing."""
    observed.kernel.set_device("eth0", up=False)
    observed.kernel.set_device("eth0", up=True)
    observed.read_events()
    observed.kernel.privileged = False
    done, failures = observed.republisher.restore()
    assert (done, len(failures)) == (0, 1)
