"""``netalias link run`` between two namespaces, and ``show physical``."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from select import select

import pytest
from command import COMMAND, SECONDS, Command
from shortened import later, quarter
from support import PATIENCE, SLOW, Namespace, until
from tunnelled import OUTER, cable, transfer

DATA = random.Random(1).randbytes(300_000)
INNER = ("10.8.0.1", "10.8.0.2")


class Running:
    """A ``netalias link run`` in a namespace, and its log."""

    def __init__(
        self, namespace: Namespace, *words: str, action: str = "run", **options: object
    ) -> None:
        self.namespace = namespace
        self.said = b""
        self.process = namespace.start(
            [*COMMAND, "--log", "+debug", "link", action, *words],
            stderr=subprocess.PIPE,
            **options,
        )

    def says(self, part: str) -> None:
        """Wait until its log has *part*."""
        assert self.process.stderr is not None
        fileno = self.process.stderr.fileno()
        end = time.monotonic() + PATIENCE * SLOW
        while part.encode() not in self.said:
            left = max(0.0, end - time.monotonic())
            assert select([fileno], [], [], left)[0], self.said.decode()
            data = os.read(fileno, 65536)
            assert data, f"it ended: {self.said.decode()}"
            self.said += data

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@pytest.fixture
def started(cli: Command, peer: Namespace) -> Iterator[ExitStack]:
    """What is entered here ends with the test."""
    cable(cli.namespace, peer)
    with ExitStack() as stack:
        yield stack


def run(stack: ExitStack, namespace: Namespace, *words: str, **options: object) -> Running:
    """A running link that ends with the test."""
    found = Running(namespace, *words, **options)
    stack.callback(found.process.wait)
    stack.callback(found.process.kill)
    return found


def joined(here: Namespace, there: Namespace, *links: Running) -> None:
    """Both are open; addresses on both, and bytes that arrive, both ways."""
    for link in links:
        link.says("lcp -> open")
    for namespace, name, address in ((here, "link0", INNER[0]), (there, "link1", INNER[1])):
        namespace.ip(f"addr add {address}/24 dev {name}")
    assert transfer(here, there, INNER[1], DATA)
    assert transfer(there, here, INNER[0], DATA)


def physical(cli: Command, *words: str) -> list[dict[str, object]]:
    """The objects of show physical."""
    found: list[dict[str, object]] = json.loads(cli("-j", "show", "physical", *words))
    return found


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("udp", "tun"), ("tcp", "tap"), *later([("udp", "tap"), ("tcp", "tun")])],
)
def test_sockets(
    cli: Command, peer: Namespace, started: ExitStack, suffix: str, content: str
) -> None:
    """B-12: a TCP connection through the link arrives whole, both ways."""
    tap = ["--tap"] * (content == "tap")
    its = run(started, peer, "link1", f"*:7777/{suffix}", *tap)
    its.says("-> ready" if suffix == "udp" else "opening -> dial")
    ours = run(started, cli.namespace, "link0", f"{OUTER[1]}:7777/{suffix}", *tap)
    joined(cli.namespace, peer, ours, its)
    (found,) = physical(cli)
    assert (found["ifname"], found["device"]) == ("link0", f"{OUTER[1]}:7777/{suffix}")
    assert (found["kind"], found["phase"], found["carrier"]) == (suffix, "open", None)
    assert found["content"] == content
    until(lambda: min(int(str(physical(cli)[0][f"{one}_bytes"])) for one in ("in", "out"))
          > len(DATA))  # fmt: skip
    assert ours.end() == 0
    its.says("the peer has ended the link")
    assert "link0" not in cli.namespace.names()
    assert physical(cli) == []


def test_the_devices_in_order(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """B-12: what does not open is said, and the next one is tried; a lost one is opened again, and
    the network device has a carrier meanwhile or not."""
    its = run(started, peer, "link1", "*:7777/tcp")
    its.says("opening -> dial")
    ours = run(
        started, cli.namespace, "link0", "/dev/null", f"{OUTER[1]}:1/tcp", f"{OUTER[1]}:7777"
    )
    joined(cli.namespace, peer, ours, its)
    ours.says("warning: link0: /dev/null: it is no terminal")
    ours.says(f"warning: link0: {OUTER[1]}:1/tcp: Connection refused")
    cli.namespace.ip("link set dev link0 txqueuelen 1000")
    assert "NO-CARRIER" not in cli.namespace.ip("link show link0")
    assert its.end(signal.SIGKILL)
    ours.says("closed by the other side")
    until(lambda: "NO-CARRIER" in cli.namespace.ip("link show link0"))
    its = run(started, peer, "link1", "*:7777/tcp")
    its.says("lcp -> open")
    until(lambda: "NO-CARRIER" not in cli.namespace.ip("link show link0"))
    (found,) = physical(cli, "link0")
    assert (found["link"], found["phase"]) == (f"{OUTER[1]}:7777", "open")


def test_network_devices_as_a_link(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """B-16: frames of Ethernet over eth9; its carrier is required, and lost with the cable; a
    connection through the link outlives that."""
    ours = run(started, cli.namespace, "link0", "link:eth9")
    its = run(started, peer, "link1", "link:p9")
    joined(cli.namespace, peer, ours, its)
    (found,) = physical(cli)
    assert (found["carrier"], found["cd"]) == ("on", "6!")
    with peer:
        server = started.enter_context(socket.create_server((INNER[1], 0)))
    with cli.namespace:
        client = started.enter_context(socket.create_connection(server.getsockname()))
    served = started.enter_context(server.accept()[0])
    peer.ip("link set p9 down")
    ours.says("warning: link0: Carrier lost")
    its.says("warning: link1: Carrier lost")
    its.said = b""
    peer.ip("link set p9 up")
    its.says("lcp -> open")
    until(lambda: physical(cli)[0]["phase"] == "open")
    for one, other in ((client, served), (served, client)):
        one.sendall(b"still here")
        other.settimeout(PATIENCE * SLOW)
        assert other.recv(99) == b"still here"


def test_a_program_and_an_inherited_descriptor(
    cli: Command, peer: Namespace, started: ExitStack
) -> None:
    """B-12 and B-13: the program behind the one is the other, on its standard input."""
    command = " ".join(COMMAND)
    word = f"!exec nsenter --net={peer.path} {command} link run link1 fd:0"
    ours = run(started, cli.namespace, "link0", word)
    ours.says("lcp -> open")
    until(lambda: "link1" in peer.names())
    until(lambda: "NO-CARRIER" not in peer.ip("link show link1"))
    joined(cli.namespace, peer, ours)
    assert ours.end() == 0
    until(lambda: "link1" not in peer.names())


def test_terminals(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """B-17: a pseudo-terminal has no carrier: it counts as on, with a warning if one was asked
    for."""
    master, slave = pty.openpty()
    ours = run(started, cli.namespace, "--cd", "5!", "link0", os.ttyname(slave))
    its = run(started, peer, "link1", f"fd:{master}", pass_fds=[master])
    os.close(master)
    joined(cli.namespace, peer, ours, its)
    ours.says("warning: link0: the device has no carrier to look at")
    assert its.end() == 0
    ours.says("hangup -> closed")
    os.close(slave)


def test_levels_of_the_log(cli: Command, peer: Namespace, started: ExitStack) -> None:
    """B-18: bytes at the descriptor and packets in hex, where that is asked for."""
    its = run(started, peer, "link1", "*:7777/tcp")
    its.says("opening -> dial")
    ours = run(started, cli.namespace, "--log", "physical,sync", "link0", f"{OUTER[1]}:7777/tcp")
    ours.says("link0: read, ")
    ours.says("c0 21 02")
    ours.says("link0:  7e c0 21 01")
    assert b"-> open" not in ours.said


def test_words(cli: Command) -> None:
    """Wrong ones say which are right; nothing is made."""
    for words, why in (
        (["link"], "netalias: link: there is only link run and link takeover"),
        (["link", "stop"], "there is only link run and link takeover"),
        (["link", "run", "link0"], "link run needs a name and a device"),
        (["link", "takeover"], "link takeover needs a name and a device"),
        (["link", "run", "link0", "eth9"], "must begin with '/', '!' or contain ':'"),
        (["link", "run", "link0", "h:1", "--cd", "on"], "--cd on: off, or seconds"),
        (["link", "run", "link0", "h:1", "--log", "-warning"], "cannot be turned off"),
        (["link", "run", "link0", "h:1", "--mtu", "67"], "a number from 68 to"),
        (["show", "--tap"], "--tap belongs to link"),
    ):
        done = cli.run(*words)
        assert (done.returncode, done.stdout) == (1, ""), words
        assert why in done.stderr, done.stderr
    done = cli.run("link", "run", "eth9", "h:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "netalias: eth9: a device of another kind has this name\n"
    done = cli.run("show", "physical", "link0")
    assert done.stderr.startswith("netalias: link0: no link has this name")
    assert done.returncode == 2
    assert cli("show", "physical") == ""


@pytest.mark.parametrize("suffix", quarter(["udp", "tcp"]))
def test_another_process_takes_over(
    cli: Command, peer: Namespace, started: ExitStack, suffix: str
) -> None:
    """B-10: device, link, counters and what is under way: nothing is lost of what was sent all the
    while, and the peer hears nothing of it."""
    quiet = ("--log", "phase")  # nobody reads a line for each packet
    its = run(started, peer, *quiet, "link1", f"*:7777/{suffix}")
    its.says("-> ready" if suffix == "udp" else "opening -> dial")
    device = f"{OUTER[1]}:7777/{suffix}"
    ours = run(started, cli.namespace, *quiet, "link0", device)
    joined(cli.namespace, peer, ours, its)
    done = cli.run("link", "run", "link0", device)
    assert (done.returncode, done.stdout) == (2, "")
    assert "link0: another process serves it (netalias link takeover link0" in done.stderr
    before = physical(cli)[0]
    with peer:
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sink.setblocking(False)
        sink.bind((INNER[1], 9))
    started.enter_context(sink)
    heir = Running(cli.namespace, *quiet, "link0", device, action="takeover")
    started.callback(heir.process.wait)
    started.callback(heir.process.kill)
    with cli.namespace:
        source = started.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    # The kernel drops what exceeds the queue of the device, however slow this machine is just now.
    cli.namespace.ip("link set link0 txqueuelen 10000")
    number, end = 0, time.monotonic() + SECONDS
    got: list[int] = []
    while ours.process.poll() is None and time.monotonic() < end:
        source.sendto(b"%d" % number, (INNER[1], 9))
        number += 1
        time.sleep(0.002)
        got += numbers(sink)
    assert ours.process.wait(SECONDS) == 0
    source.sendto(b"%d" % number, (INNER[1], 9))
    until(lambda: got.extend(numbers(sink)) or number in got)
    assert got == list(range(number + 1))
    (found,) = physical(cli)
    assert (found["phase"], found["device"], found["opened"]) == ("open", device, 1)
    assert found["pid"] == heir.process.pid != before["pid"]
    assert int(str(found["out_bytes"])) >= int(str(before["out_bytes"]))
    assert transfer(peer, cli.namespace, INNER[0], DATA)
    assert b"-> closed" not in its.said
    assert heir.end() == 0
    its.says("the peer has ended the link")


def numbers(sink: socket.socket) -> list[int]:
    """Those that have come."""
    found = []
    try:
        while True:
            found.append(int(sink.recv(99)))
    except BlockingIOError:
        return found


def test_nothing_to_take_over(cli: Command) -> None:
    """It is said, and nothing is made."""
    done = cli.run("link", "takeover", "link0", "h:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("netalias: link0: no process serves it")
    assert "link0" not in cli.namespace.names()
