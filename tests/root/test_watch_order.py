"""What is known from announcements stands in the order of the kernel, as a new reading has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import pytest
from command import Command, set_sysctl
from shortened import quarter
from support import Namespace, until

from netalias.kernel.netlink import Netlink
from netalias.kernel.netlink.monitor import Monitor
from netalias.model import GROUP, Snapshot
from netalias.model.events import State
from netalias.observed.prefixes import prefixes
from netalias.watch.snapshots import snapshot

ROUNDS = 10
UNREAD = 0.3
"""The share of rounds that are read together with the next one."""
STRANGER = 1
"""A netlink port ID that is nobody's."""


class Followed:
    """A monitor as watch has it, and a kernel that is read anew."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        with namespace:
            self._monitor = Monitor(media=False, connected=True, latest=STRANGER)
            self._kernel = Netlink()
        for _ in self._monitor.start():
            pass

    def close(self) -> None:
        """Close the sockets."""
        self._monitor.close()
        self._kernel.close()

    def ip(self, lines: list[str]) -> None:
        """Changes by one process; what is refused is refused."""
        text = "".join(f"{line}\n" for line in lines)
        self._namespace.run(["ip", "-force", "-batch", "-"], check=False, input=text)

    def told(self) -> Snapshot:
        """By the announcements so far."""
        for _ in self._monitor.read():
            pass
        return snapshot(self._monitor.state)

    def read(self) -> Snapshot:
        """By a new reading."""
        return self._kernel.snapshot()

    def lose(self) -> None:
        """Everything is read again at the next reading."""
        self._monitor.lost = True
        self._monitor.state = State()

    def agree(self) -> None:
        """As soon as the kernel has announced everything, which for IPv6 a queue of work does."""
        until(lambda: labels(self.told()) == labels(self.read()))


@pytest.fixture
def follow() -> Iterator[Callable[[Namespace], Followed]]:
    opened: list[Followed] = []

    def one(namespace: Namespace) -> Followed:
        opened.append(Followed(namespace))
        return opened[-1]

    yield one
    for followed in opened:
        followed.close()


Follow = Callable[[Namespace], Followed]


def labels(found: Snapshot) -> list[tuple[str, list[tuple[bytes, int, str]]]]:
    """The addresses of each device that may be labels, in order."""
    return [
        (
            device.name,
            [
                (one.local, one.prefixlen, one.label)
                for one in found.on(device.index)
                if ":" in one.label or one.metric
            ],
        )
        for device in sorted(found.devices.values(), key=lambda device: device.index)
    ]


def change(dice: Random) -> list[str]:
    """Some lines about an address of eth9, or all of them."""
    number = dice.randint(1, 5)
    if dice.random() < 0.5:
        text, more = f"2001:db8::{number}/64", f"metric {number + 100}"
        more += dice.choice(("", " nodad"))
    else:
        text, more = f"10.{number % 2}.0.{number}/24", f"label eth9:{number}"
        more += dice.choice(("", "", " scope link", " scope host"))
    came, went = f"addr add {text} dev eth9 {more}", f"addr del {text} dev eth9"
    flap = ["link set eth9 down", "link set eth9 up"]
    return dice.choice(([came], [came], [went], [went, came], [went, came], [came, went], flap))


@pytest.mark.parametrize("seed", quarter(range(8)))
def test_any_changes(cli: Command, follow: Follow, seed: int) -> None:
    """However many are read at once: secondaries that are promoted, addresses that come again, are
    not checked, or are of a narrow scope."""
    dice = Random(seed)
    set_sysctl(cli.namespace, "ipv4/conf/eth9/promote_secondaries", seed % 2)
    followed = follow(cli.namespace)
    for number in range(ROUNDS):
        followed.ip([line for _ in range(dice.randint(1, 4)) for line in change(dice)])
        if number == ROUNDS // 2:
            followed.lose()
        if dice.random() >= UNREAD:
            followed.agree()
    followed.agree()


def test_prefixes_go_with_the_last_address(cli: Command, follow: Follow) -> None:
    """Though the address is there again before anybody has looked: the kernel drops the routes, and
    announces only the address."""
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    cli.warns("eth9:5", "10.9.0.0/24", "kind", "prefix")
    followed = follow(cli.namespace)
    assert len(followed.told().local_routes) == 1
    followed.ip(["addr del 10.0.0.1/24 dev eth9", "addr add 10.0.0.1/24 dev eth9"])
    until(lambda: labels(followed.told()) == labels(followed.read()))
    assert not followed.told().local_routes
    assert not followed.read().local_routes


def test_prefixes_by_slot(cli: Command, follow: Follow) -> None:
    """The kernel lists routes by address, and announces them as they come."""
    cli.namespace.ip("addr add 10.0.0.1/24 dev eth9")
    followed = follow(cli.namespace)
    for slot, network in ((7, "10.9.0.0/24"), (5, "10.8.0.0/24"), (6, "10.7.0.0/24")):
        cli.warns(f"eth9:{slot}", network, "kind", "prefix")
    for found in (followed.told(), followed.read()):
        assert [alias.name.slot for alias in prefixes(found, GROUP)] == [5, 6, 7]
