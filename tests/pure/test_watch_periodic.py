"""Published addresses over the kernel in memory, which forgets them as Linux does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from watched import state_of

from netalias.engine import Engine, Setup
from netalias.engine.proxies import Publication, carry_out, planned, withdrawn
from netalias.errors import NoSuchDevice, NotPermitted
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL
from netalias.model.events import State, difference
from netalias.model.neighbours import DelProxy, Proxy
from netalias.runtime import published
from netalias.runtime.private import PrivateDirectory
from netalias.watch.periodic import Republisher


class Observed:
    """eth0 and eth1 are up; eth0 answers for 10.7.0.1, and for somebody else's 10.7.0.9."""

    def __init__(self, folder: str) -> None:
        self.kernel = Memory()
        for name in ("eth0", "eth1"):
            self.kernel.add_device(name, up=True)
        self.state = State()
        self.engine = Engine(Setup(self.kernel, runtime=PrivateDirectory(folder)))
        self.republisher = Republisher(self.engine, self.state, folder)
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
        self.republisher.learn(self.republisher.seen())

    def order(self, plan: Callable[..., Publication], name: str) -> None:
        """``netalias publish`` or ``unpublish`` of 10.7.0.5."""
        wanted = [(AF_INET, bytes((10, 7, 0, 5)))]
        carry_out(self.engine, lambda: plan(self.engine, wanted, name))

    def there(self) -> list[int]:
        return sorted(proxy.local[3] for proxy in self.kernel.proxies())


@pytest.fixture
def observed(tmp_path: Path) -> Observed:
    return Observed(str(tmp_path))


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


def test_published_and_dropped_before_anybody_looked(observed: Observed) -> None:
    """The record has it, so it comes back though the watcher never saw it."""
    observed.order(planned, "eth0")
    for up in (False, True):
        observed.kernel.set_device("eth0", up=up)
    observed.learn()
    assert observed.republisher.restore() == (1, [])
    assert observed.there() == [5]


def test_withdrawn_while_it_is_down(observed: Observed) -> None:
    """The kernel has nothing to remove, and nothing comes back."""
    observed.order(planned, "eth0")
    observed.learn()
    observed.kernel.set_device("eth0", up=False)
    observed.read_events()
    observed.order(withdrawn, "eth0")
    observed.learn()
    observed.kernel.set_device("eth0", up=True)
    observed.read_events()
    assert observed.republisher.restore() == (1, [])
    assert observed.there() == [1]
    with pytest.raises(NoSuchDevice, match="not published on eth0"):
        observed.order(withdrawn, "eth0")


def test_a_device_that_is_renamed_while_it_is_down(observed: Observed) -> None:
    """Nobody releases a lock meanwhile, so nothing is read again."""
    observed.kernel.set_device("eth0", up=False)
    observed.read_events()
    observed.kernel.set_device("eth0", name="wan0")
    observed.kernel.set_device("wan0", up=True)
    observed.read_events()
    assert observed.republisher.restore() == (1, [])
    assert observed.there() == [1]


@pytest.mark.parametrize("name", ["wan0", "eth0"])
def test_the_record_follows_its_device(observed: Observed, name: str) -> None:
    """A device that was renamed, or made again, has what was published on it."""
    observed.order(planned, "eth0")
    if name == "wan0":
        observed.kernel.set_device("eth0", up=False, name=name)
    else:
        observed.kernel.remove_device(name)
        observed.kernel.add_device("eth2")
        observed.kernel.add_device(name)
    observed.kernel.set_device(name, up=True)
    observed.read_events()
    observed.learn()
    observed.republisher.restore()
    assert 5 in observed.there()
    observed.order(withdrawn, name)
    assert 5 not in observed.there()


def test_a_refused_order_leaves_the_record(observed: Observed, tmp_path: Path) -> None:
    """Nothing is restored that was never published."""
    observed.order(planned, "eth0")
    before = published.read(str(tmp_path), observed.kernel.cookie())
    observed.kernel.privileged = False
    for plan in (planned, withdrawn):
        with pytest.raises(NotPermitted):
            observed.order(plan, "eth1" if plan is planned else "eth0")
    assert published.read(str(tmp_path), observed.kernel.cookie()) == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"namespace 7\n6 eth0 10.7.0.5\n",
        b"namespace 0\n6 eth0\nx eth0 10.7.0.5\n6 eth0 x\n\xff",
    ],
)
def test_a_record_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    """Of another namespace, or malformed: nothing is published by a guess."""
    (tmp_path / "published").write_bytes(content)
    assert published.read(str(tmp_path), 0) == []
