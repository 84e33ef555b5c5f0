"""The process of the agent, as a watcher starts it, with a real etcd."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from select import POLLIN, poll
from time import monotonic

import pytest
from etcd_members import Members
from support import PATIENCE, Namespace, reaped, until

from netalias.cluster.orders import Check, Checked, Extend, Gone, Message, Release, Take, parse
from netalias.system.lines import pair
from netalias.watch.agent import spawn

FLOAT = "float web eth0:0-1 10.0.0.10-11/24"
KEYS = {("web", "10.0.0.10"), ("web", "10.0.0.11")}
PREFIX = b"/netalias/"


class Agent:
    """A process, and the watcher's end of its link, by which every order is carried out at once."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.link, theirs = pair()
        self.pid = spawn(theirs.fileno(), str(folder))
        theirs.close()
        self.count = 0
        self.held: set[tuple[str, str]] = set()
        self.orders: list[Message] = []
        self.status: int | None = None
        self.write(*lines, "")

    def write(self, *lines: str) -> None:
        for line in lines:
            self.link.put(line)
        self.link.write()

    def turn(self) -> bool:
        """Serve it for a moment; whether it is still there."""
        state = poll()
        state.register(self.link.fileno(), POLLIN)
        if not state.poll(100):
            return True
        try:
            for line in self.link.read():
                self.obey(parse(line))
        except ConnectionResetError:
            return False
        return True

    def obey(self, order: Message) -> None:
        self.count += 1
        self.orders.append(order)
        if isinstance(order, Check):
            self.write(Checked(order.keys).line())
        elif isinstance(order, Take):
            self.held |= {*order.keys}
        elif isinstance(order, Release):
            self.held -= {*order.keys}
            self.write(Gone(self.count, order.keys).line())

    def until_held(self, keys: set[tuple[str, str]]) -> None:
        end = monotonic() + PATIENCE
        while self.held != keys:
            assert self.turn(), "the agent has ended"
            assert monotonic() < end, self.orders

    def wait(self) -> int:
        """Its exit status, once it has ended by itself."""
        until(lambda: not self.turn())
        status = reaped(self.pid)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Members]:
    namespace = Namespace()
    found = None
    try:
        found = Members(namespace, tmp_path)
        with namespace:
            yield found
    finally:
        if found is not None:
            found.close()
        namespace.close()


def keys(etcd: Members) -> int:
    """The hosts that are registered."""
    from base64 import b64encode

    first, end = (b64encode(one).decode() for one in (PREFIX + b"v1/hosts/", PREFIX + b"v1/hosts0"))
    found = etcd.post("/v3/kv/range", {"key": first, "range_end": end})
    return len(found.get("kvs", []))


def test_killed_and_ended(etcd: Members, tmp_path: Path) -> None:
    """An agent that is killed is followed by one that holds the same addresses before anybody else
    could have them; one without lines gives them up, and leaves nothing in the store."""
    line = f"cluster etcd {etcd.urls[0]} node a ttl 60"
    first = Agent(tmp_path, line, FLOAT)
    first.until_held(KEYS)
    first.kill()
    second = Agent(tmp_path, line, FLOAT)
    try:
        second.write("stands " + " ".join(map("/".join, sorted(KEYS))))
        second.until_held(KEYS)
        # Neither the lease of the first nor the lifetimes that it gave have run out: PATIENCE is
        # shorter than both, and nobody on the link had to be asked.
        assert not any(isinstance(one, Check) for one in second.orders)
        second.write("")
        assert second.wait() == 0
        assert second.held == set()
        assert keys(etcd) == 0
    finally:
        second.kill()


def test_etcd_away_and_back(etcd: Members, tmp_path: Path) -> None:
    """While it is away nothing is ordered; when it is back, what is held is prolonged."""
    agent = Agent(tmp_path, f"cluster etcd {etcd.urls[0]} node a ttl 9", FLOAT)
    try:
        agent.until_held(KEYS)
        etcd.signal(0, signal.SIGKILL)
        agent.orders.clear()
        for _ in range(10):
            assert agent.turn()
        assert len(agent.orders) <= 1  # one may have been on its way
        etcd.start(0)
        etcd.ready()
        agent.orders.clear()
        until(lambda: agent.turn() and any(isinstance(one, Extend) for one in agent.orders))
        assert agent.held == KEYS
    finally:
        agent.kill()


def test_the_watcher_ends(tmp_path: Path) -> None:
    """The process ends too, though it cannot reach its store; it tells no secret of the line."""
    agent = Agent(tmp_path, "cluster etcd http://127.0.0.1:1 node a", FLOAT)
    agent.turn()
    words = Path(f"/proc/{agent.pid}/cmdline").read_bytes()
    assert b"127.0.0.1" not in words
    agent.link.close()
    assert reaped(agent.pid) == 0
