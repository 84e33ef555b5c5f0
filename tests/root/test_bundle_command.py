"""``netalias link run --bundle`` between two namespaces with two cables, and ``show bundle``."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from threading import Event, Thread
from typing import Any

import pytest
from command import SECONDS, Command
from shortened import quarter
from support import PATIENCE, SLOW, Namespace, until, veth_pair
from test_link_command import Running, run
from tunnelled import transfer

CABLES = (("eth9", "p9"), ("eth8", "p8"))
INNER = ("10.8.0.1", "10.8.0.2")
INNER6 = ("fd08::1", "fd08::2")
DATA = random.Random(1).randbytes(400_000)
SHAPE = "root tbf rate 30mbit burst 16kb latency 50ms"


@pytest.fixture
def cables(cli: Command, peer: Namespace) -> Iterator[ExitStack]:
    """Two cables with addresses; what is entered here ends with the test."""
    veth_pair(cli.namespace, peer, *CABLES[1])
    for number, (here, there) in enumerate(CABLES, 1):
        for namespace, device, host in ((cli.namespace, here, 1), (peer, there, 2)):
            namespace.ip(f"addr add 10.9.{number}.{host}/24 dev {device}")
            namespace.ip(f"link set {device} up")
    for namespace in (cli.namespace, peer):
        namespace.raise_lo()
    with ExitStack() as stack:
        yield stack


QUIETLY = ("--bundle", "--log", "phase")
"""Nobody reads the log while packets pass."""


def joined(
    cli: Command, peer: Namespace, stack: ExitStack, suffix: str = "udp", *words: str
) -> tuple[Running, Running]:
    """A bundle over both cables, with addresses; both links are up at both ends."""
    its = run(stack, peer, "link1", *QUIETLY, *words,
              *(f"*:700{number}/{suffix}" for number in (1, 2)))  # fmt: skip
    for _ in CABLES:
        its.says("opening -> dial")
    ours = run(stack, cli.namespace, "link0", *QUIETLY, *words,
               *(f"10.9.{number}.2:700{number}/{suffix}" for number in (1, 2)))  # fmt: skip
    for end in (ours, its):
        for number in (1, 2):
            end.says(f":700{number}/{suffix}: up")
    for namespace, name, own in ((cli.namespace, "link0", 0), (peer, "link1", 1)):
        namespace.ip(f"addr add {INNER[own]}/24 dev {name}")
        namespace.ip(f"addr add {INNER6[own]}/64 dev {name} nodad")
    return ours, its


def bundle(cli: Command) -> dict[str, Any]:
    """The one object of show bundle."""
    (found,) = json.loads(cli("-j", "show", "bundle"))
    assert isinstance(found, dict)
    return found


def states(cli: Command) -> list[str]:
    """The state of each link."""
    return [one["state"] for one in bundle(cli)["links"]]


@pytest.mark.parametrize("suffix", quarter(["udp", "tcp"]))
def test_two_links(cli: Command, peer: Namespace, cables: ExitStack, suffix: str) -> None:
    """TCP of both families arrives whole, both ways, and show bundle tells of it; datagrams too,
    which are cut where they are longer than a link takes."""
    ours, _ = joined(cli, peer, cables, suffix, "--mtu", "4000")
    here, there = cli.namespace, peer
    for to_there, to_here in (INNER[::-1], INNER6[::-1]):
        assert transfer(here, there, to_there, DATA)
        assert transfer(there, here, to_here, DATA)
    least = 2 * len(DATA) // 4000
    until(lambda: sum(one["fragments_sent"] for one in bundle(cli)["links"]) > least)
    found = bundle(cli)
    assert found["ifname"] == "link0"
    assert [one["state"] for one in found["links"]] == ["up", "up"]
    assert found["delivered"] > 0
    assert (found["late"], found["foreign"], found["looped"], found["dropped"]) == (0, 0, 0, 0)
    table = cli("show", "bundle")
    assert "WEIGHT" in table
    assert table.count(f"/{suffix}") == 2
    assert [one["content"] for one in json.loads(cli("-j", "show", "physical"))] == ["bundle"] * 2
    said = cli.fails(2, "link", "takeover", "link0", "h:1")
    assert said == "netalias: link0: not taken over: it carries a bundle (--bundle)"
    assert ours.end() == 0
    assert cli("-j", "show", "bundle") == "[]\n"
    assert "link0" not in here.names()


class Stream:
    """One TCP connection that goes on until it is told to end, and what came out of it."""

    def __init__(self, source: Namespace, target: Namespace, address: str) -> None:
        with target:
            self._server = socket.create_server((address, 0))
        with source:
            self._client = socket.socket()
        self._client.settimeout(PATIENCE * SLOW)
        self._client.connect(self._server.getsockname())
        self._end = Event()
        self.sent = self.came = 0
        self._into, self._out = sha256(), sha256()
        self._threads = [Thread(target=one, daemon=True) for one in (self._send, self._take)]
        for thread in self._threads:
            thread.start()

    def _send(self) -> None:
        dice = random.Random(2)
        with self._client:
            while not self._end.is_set():
                block = dice.randbytes(50_000)
                self._client.sendall(block)
                self._into.update(block)
                self.sent += len(block)
            self._client.shutdown(socket.SHUT_WR)
            self._client.recv(1)

    def _take(self) -> None:
        peer, _ = self._server.accept()
        peer.settimeout(PATIENCE * SLOW)
        with peer, self._server:
            while block := peer.recv(1 << 18):
                self._out.update(block)
                self.came += len(block)
            peer.send(b"!")

    def goes_on(self) -> None:
        """More comes out of it."""
        before = self.came
        until(lambda: self.came > before + 200_000)

    def end(self) -> bool:
        """Whether all that went in came out."""
        self._end.set()
        for thread in self._threads:
            thread.join(PATIENCE * SLOW)
            assert not thread.is_alive()
        return self._into.digest() == self._out.digest() and self.sent == self.came


def test_either_link_may_be_taken_away(cli: Command, peer: Namespace, cables: ExitStack) -> None:
    """One TCP connection over two shaped links goes on while first the one, then the other is cut
    and comes back; both ends notice, and nothing of it is lost."""
    for namespace, own in ((cli.namespace, 0), (peer, 1)):
        for cable in CABLES:
            namespace.run(["tc", "qdisc", "add", "dev", cable[own], *SHAPE.split()])
    joined(cli, peer, cables)
    stream = Stream(cli.namespace, peer, INNER[1])
    stream.goes_on()
    for cut in (0, 1):
        until(lambda: states(cli) == ["up", "up"])
        peer.ip(f"link set {CABLES[cut][1]} down")
        until(lambda cut=cut: states(cli)[cut] != "up")  # type: ignore[misc]
        assert states(cli)[1 - cut] == "up"
        stream.goes_on()
        peer.ip(f"link set {CABLES[cut][1]} up")
    until(lambda: states(cli) == ["up", "up"])
    stream.goes_on()
    before = [one["fragments_sent"] for one in bundle(cli)["links"]]
    until(lambda: all(
        one["fragments_sent"] > old + 20
        for one, old in zip(bundle(cli)["links"], before, strict=True)
    ))  # fmt: skip
    assert stream.end()
    assert [one["deaths"] for one in bundle(cli)["links"]] >= [1, 1]


@pytest.mark.parametrize("suffix", quarter(["udp", "tcp"]))
def test_another_process_takes_over(
    cli: Command, peer: Namespace, cables: ExitStack, suffix: str
) -> None:
    """B-10: first the end that has called, then the one that has waited, in the midst of a TCP
    connection: nothing of it is lost, no link dies, and the peer hears nothing of it."""
    ours, its = joined(cli, peer, cables, suffix)
    stream = Stream(cli.namespace, peer, INNER[1])
    stream.goes_on()
    before = bundle(cli)
    calls = [f"10.9.{number}.2:700{number}/{suffix}" for number in (1, 2)]
    heirs = []
    for namespace, name, former, words in (
        (cli.namespace, "link0", ours, calls[::-1]),  # in any order
        (peer, "link1", its, [f"*:700{number}/{suffix}" for number in (1, 2)]),
    ):
        heir = Running(namespace, *QUIETLY, name, *words, action="takeover")
        cables.callback(heir.process.wait)
        cables.callback(heir.process.kill)
        heirs.append(heir)
        former.says(f"process {heir.process.pid} goes on")
        assert former.process.wait(SECONDS) == 0
        stream.goes_on()
    until(lambda: bundle(cli)["pid"] == heirs[0].process.pid)
    found = bundle(cli)
    assert [one["link"] for one in found["links"]] == calls[::-1]
    assert [(one["state"], one["deaths"]) for one in found["links"]] == [("up", 0)] * 2
    assert [found[name] for name in ("lost", "foreign", "dropped")] == [0, 0, 0]
    assert found["delivered"] >= before["delivered"]
    assert sum(one["fragments_sent"] for one in found["links"]) > sum(
        one["fragments_sent"] for one in before["links"]
    )
    assert stream.end()
    assert b"begun anew" not in its.said
    assert heirs[0].end() == 0
    for number in (1, 2):
        heirs[1].says(f"*:700{number}/{suffix}: the peer has ended the link")


@pytest.mark.long
def test_another_process_with_other_devices(
    cli: Command, peer: Namespace, cables: ExitStack
) -> None:
    """A link whose device it does not name is ended, and the connection goes on."""
    ours, its = joined(cli, peer, cables, "tcp")
    stream = Stream(cli.namespace, peer, INNER[1])
    stream.goes_on()
    heir = Running(cli.namespace, *QUIETLY, "link0", "10.9.2.2:7002/tcp", action="takeover")
    cables.callback(heir.process.wait)
    cables.callback(heir.process.kill)
    assert ours.process.wait(SECONDS) == 0
    its.says("*:7001/tcp: the peer has ended the link")
    stream.goes_on()
    assert states(cli) == ["up"]
    assert stream.end()


@pytest.mark.parametrize("suffix", quarter(["udp", "tcp"]))
def test_frames_of_ethernet(cli: Command, peer: Namespace, cables: ExitStack, suffix: str) -> None:
    """With --tap the network devices are TAPs, and TCP of both families arrives whole over both
    links, both ways, in another process too; it is not taken for a bundle of IP packets."""
    ours, _ = joined(cli, peer, cables, suffix, "--tap")
    here, there = cli.namespace, peer
    assert "link/ether" in here.ip("link show link0")
    mtu = 1500 if suffix == "tcp" else 1500 - 48 - 2 - 7 - 14
    assert f"mtu {mtu} " in here.ip("link show link0")
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER6[0], DATA)
    devices = [f"10.9.{number}.2:700{number}/{suffix}" for number in (1, 2)]
    said = cli.fails(2, "link", "takeover", "link0", "--bundle", *devices)
    assert said.endswith("it carries a bundle of Ethernet frames (--bundle --tap)")
    heir = Running(here, *QUIETLY, "--tap", "link0", *devices, action="takeover")
    cables.callback(heir.process.wait)
    cables.callback(heir.process.kill)
    assert ours.process.wait(SECONDS) == 0
    assert transfer(here, there, INNER[1], DATA)
    until(lambda: all(one["fragments_sent"] > 20 for one in bundle(cli)["links"]))
    assert [one["deaths"] for one in bundle(cli)["links"]] == [0, 0]


@pytest.mark.parametrize("suffix", quarter(["udp", "tcp"]))
def test_an_end_that_is_killed(
    cli: Command, peer: Namespace, cables: ExitStack, suffix: str
) -> None:
    """kill -9 and a new start: both links come up again, with what still runs. Over UDP the host
    of the killed one has said that nobody listens: so nobody waits for ten seconds of silence."""
    ours, its = joined(cli, peer, cables, suffix)
    ours.end(9)
    for number in (1, 2) if suffix == "udp" else ():
        its.says(f"*:700{number}/udp: nobody listens at the peer any more")
    again = run(cables, cli.namespace, "link0", *QUIETLY,
                *(f"10.9.{number}.2:700{number}/{suffix}" for number in (1, 2)))  # fmt: skip
    for number in (1, 2):
        again.says(f":700{number}/{suffix}: up")
    cli.namespace.ip(f"addr add {INNER[0]}/24 dev link0")
    assert transfer(cli.namespace, peer, INNER[1], DATA)
    assert transfer(peer, cli.namespace, INNER[0], DATA)
    assert its.process.poll() is None


def test_words_that_do_not_fit(cli: Command, peer: Namespace, cables: ExitStack) -> None:
    """No filter; a name that is no bundle; a peer that is none."""
    said = cli.fails(1, "link", "run", "link0", "--bundle", "--tap", "--filter", "h:1", "h:2")
    assert said == "netalias: --filter --bundle: a bundle carries all frames"
    assert "no link has this name" in cli.fails(2, "show", "bundle", "link7")
    its = run(cables, peer, "link1", "*:7001/udp")
    ours = run(cables, cli.namespace, "link0", "--bundle", "10.9.1.2:7001/udp")
    ours.says("a bundle (--bundle)")
    its.says("a bundle (--bundle)")
    assert "it is no bundle" in cli.fails(2, "-n", peer.path, "show", "bundle", "link1")
