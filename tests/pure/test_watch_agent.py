"""The agent of a watcher: what it is told, what it orders, and what becomes of it when it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from select import POLLIN, POLLOUT, select
from socket import socket

import pytest
from test_desired_declarations import parse
from watched import Watched

from netalias.runtime import condition, tasks
from netalias.system import lines
from netalias.system.journal import Journal
from netalias.system.lines import LINE_MAX
from netalias.watch import agent
from netalias.watch.agent import ALIVE, Agent
from netalias.watch.mains import BACK
from netalias.watch.pools import KEYWORDS, Pools

STORE = "cluster etcd http://127.0.0.1:2379 prefix /netalias weight 100 ttl 10"
WEB = "float web eth0:100-101 10.0.0.100-101/24 kind label"


class Scripted:
    """A watcher whose agent is this test: ``processes`` are those that were started, ``link`` is
    the end of the last one."""

    def __init__(self, folder: str) -> None:
        self.watched = Watched("")
        self.folder = folder
        self.processes: list[int] = []
        self.link = socket()
        self.fails = False
        self.alive = 0
        journal = Journal(stream=self.watched.journal, environ={}, now=str)
        self.agent = Agent(
            self.watched.controller,
            self.watched.claims,
            journal,
            lambda: self.watched.now,
            folder,
            self.start,
        )
        self.watched.controller.hear = self.agent.floats.hear

    def start(self, fileno: int, folder: str) -> int:
        """In the place of a process: something that can be killed."""
        assert folder == self.folder
        if self.fails:
            raise OSError(12, "Cannot allocate memory")
        self.link.close()
        self.link = socket(fileno=os.dup(fileno))
        self.link.setblocking(False)
        sleep = ["sleep", "60"]
        self.processes.append(os.posix_spawnp("sleep", sleep, os.environ))
        return self.processes[-1]

    def declare(self, *lines: str) -> None:
        """Other files."""
        found = parse("\n".join(lines))
        assert not found.errors
        self.agent.load(found.tasks)

    def turn(self) -> list[str]:
        """Some turns of the loop; the lines that the agent got."""
        for _ in range(5):
            now = self.watched.now
            if self.agent.due(now) == 0.0:
                self.agent.tick(now)
            for fileno, events in self.agent.wanted(now).items():
                self.agent.ready(fileno, events & POLLOUT, now)
                if fileno in self.agent.wanted(now):
                    self.agent.ready(fileno, POLLIN, now)
        try:
            lines = self.link.recv(1 << 16).decode().split("\n")[:-1]
            self.alive += lines.count("alive")
            return [line for line in lines if line != "alive"]
        except OSError:
            return []  # nothing yet, or nobody is there

    def die(self) -> None:
        """The agent ends. A process that is being started closes its copy of the link only then."""
        self.link.close()
        (ours,) = self.agent.wanted(self.watched.now)
        assert select([ours], [], [], 30)[0]

    def end(self) -> None:
        """Reap all."""
        self.agent.close(wait=False)
        self.link.close()
        for pid in self.processes:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture
def scripted(tmp_path: Path) -> object:
    """One that is ended after the test."""
    made = Scripted(str(tmp_path))
    yield made
    made.end()


def test_nothing_is_known_of_a_store_that_nobody_has_asked_yet(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even all is well: that stands there before the lines are told to be carried out. Without
    them a note counts no more, and goes."""
    monkeypatch.setattr(condition, "running", lambda folder: object())
    assert condition.found(scripted.folder) is None
    scripted.declare(STORE, WEB)
    found = condition.found(scripted.folder)
    assert found is not None
    assert found.reason == condition.UNKNOWN
    assert "nothing is held, and nothing is taken" in found.sentence()
    scripted.turn()
    scripted.declare()
    assert condition.found(scripted.folder) is None
    scripted.turn()
    scripted.die()
    scripted.turn()
    condition.note(scripted.folder, condition.Condition(0.0, "no answer"))
    scripted.declare(WEB)
    assert condition.found(scripted.folder) is None
    scripted.declare(STORE, WEB)
    found = condition.found(scripted.folder)
    assert found is not None
    assert found.reason == condition.UNKNOWN


def test_nothing_is_known_of_a_store_whose_agent_has_died(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that dies again and again comes back after a minute, and nobody asks the store
    meanwhile."""
    monkeypatch.setattr(condition, "running", lambda folder: object())
    scripted.declare(STORE, WEB)
    scripted.turn()
    condition.note(scripted.folder, None)
    scripted.die()
    scripted.turn()
    found = condition.found(scripted.folder)
    assert found is not None
    assert found.reason == condition.UNKNOWN


def test_a_note_that_an_earlier_watcher_has_left_goes(scripted: Scripted) -> None:
    """One without floating addresses writes none."""
    condition.note(scripted.folder, condition.Condition(0.0, "no answer"))
    scripted.declare()
    assert not Path(scripted.folder + condition.FILE).exists()


def test_what_stands_may_do_so_for_a_lifetime(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A former watcher may have proved it a moment ago."""
    monkeypatch.setattr(condition, "running", lambda folder: object())
    monkeypatch.setattr(scripted.agent.floats, "standing", lambda: [("web", "10.0.0.100")])
    scripted.declare(STORE, WEB)
    found = condition.found(scripted.folder)
    assert found is not None
    assert "what is held stands for 10 s at most" in found.sentence()


def test_an_agent_is_told_the_lines_and_what_stands(scripted: Scripted) -> None:
    """Again whenever they change; an empty line ends them."""
    scripted.declare(STORE, WEB)
    assert scripted.turn() == [STORE, WEB, ""]
    assert tasks.left(scripted.folder, tasks.FLOATS) == [STORE, WEB]
    scripted.declare(STORE, WEB)
    assert scripted.turn() == []
    scripted.declare(STORE)
    assert scripted.turn() == [STORE, ""]
    assert len(scripted.processes) == 1


def test_orders_are_carried_out_and_answered(scripted: Scripted) -> None:
    """Whatever part of a line comes at once."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.link.send(b"take 1e9 web/10.0.0.100 web/10.0")
    assert scripted.turn() == []
    scripted.link.send(b".0.101\nrelease web/10.0.0.101\n")
    assert scripted.turn() == ["gone 2 web/10.0.0.101"]
    assert scripted.watched.names() == ["eth0:100"]


@pytest.mark.parametrize("bad", [b"take x web/1\n", b"hold\n", b"\n", b"gone 1 a/b\n", b"x" * 10])
def test_an_agent_that_cannot_be_understood_is_ended(scripted: Scripted, bad: bytes) -> None:
    """So is one whose line has no end. Another one goes on, and is told what stands."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.watched.engine.create("eth0:100", "10.0.0.100/24", kind="label", lease=10)
    scripted.watched.quiet()
    if bad[-1:] == b"\n":
        scripted.link.send(bad)
    else:
        scripted.agent._link._inbox = b"x" * (LINE_MAX + 1)  # type: ignore[union-attr]
        scripted.link.send(b"x")
    told = scripted.turn()
    assert "cannot be understood" in "".join(scripted.watched.said())
    assert told == [STORE, WEB, "", "stands web/10.0.0.100"]
    assert len(scripted.processes) == 2


def test_an_agent_that_keeps_dying_is_started_later_and_later(scripted: Scripted) -> None:
    """What was ours is nobody's: it is not healed any more."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    while scripted.agent.wanted(scripted.watched.now):
        scripted.die()
        scripted.turn()
    assert 3 < len(scripted.processes) < 10
    assert scripted.agent.floats.ours == {}
    before = len(scripted.processes)
    scripted.watched.now += 60
    assert scripted.turn()[0] == STORE
    assert len(scripted.processes) == before + 1


def test_an_agent_that_does_not_read_is_ended(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has stopped long ago, and would not order anything."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    monkeypatch.setattr(lines, "HELD", 10)
    scripted.link.send(b"release web/10.0.0.100\n")
    (ours,) = scripted.agent.wanted(scripted.watched.now)
    scripted.agent.ready(ours, POLLIN, scripted.watched.now)
    scripted.agent.tick(scripted.watched.now)
    monkeypatch.undo()
    assert STORE in scripted.turn()
    assert "the agent of the cluster does not read" in "".join(scripted.watched.said())
    assert len(scripted.processes) == 2


def test_an_agent_that_cannot_be_started_is_tried_again(scripted: Scripted) -> None:
    """Its error is told by the loop."""
    scripted.fails = True
    scripted.declare(STORE, WEB)
    with pytest.raises(OSError, match="memory"):
        scripted.turn()
    scripted.fails = False
    scripted.watched.now += 60
    assert scripted.turn()[0] == STORE


def test_lines_that_go_end_the_agent(scripted: Scripted) -> None:
    """It is told, orders what stands to go, so that others know it before, and ends by itself; the
    record, by which they were carried out, goes at once."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.link.send(b"take 1e9 web/10.0.0.100\n")
    scripted.turn()
    assert scripted.watched.names() == ["eth0:100"]
    scripted.declare()
    assert scripted.turn() == [""]
    assert scripted.watched.names() == ["eth0:100"]
    assert tasks.left(scripted.folder, tasks.FLOATS) == []
    scripted.link.send(b"release web/10.0.0.100\n")
    assert scripted.turn() == ["gone 2 web/10.0.0.100"]
    assert scripted.watched.names() == []
    scripted.die()
    scripted.turn()
    assert scripted.agent.wanted(0.0) == {}
    assert "has ended" not in "".join(scripted.watched.said())
    assert scripted.agent.due(scripted.watched.now) is None


def test_an_agent_that_dies_without_lines_leaves_nothing(scripted: Scripted) -> None:
    """Nobody else would order what stands to go."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.link.send(b"take 1e9 web/10.0.0.100 web/10.0.0.101\n")
    scripted.turn()
    scripted.declare()
    scripted.turn()
    assert scripted.watched.names() == ["eth0:100", "eth0:101"]
    scripted.die()
    scripted.turn()
    assert scripted.watched.names() == []
    assert scripted.agent.due(scripted.watched.now) is None


def test_the_end_waits_for_no_agent_that_is_silent(
    scripted: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Addresses that it has not ordered to go do so all the same, after a while."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.link.send(b"take 1e9 web/10.0.0.100\n")
    scripted.turn()
    monkeypatch.setattr(agent, "LEAVING", 0.0)
    scripted.agent.release()
    assert scripted.watched.names() == []


def test_another_store_begins_another_agent(scripted: Scripted) -> None:
    """What stands is told to it, and not ours before it says so."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    scripted.link.send(b"take 1e9 web/10.0.0.100\n")
    scripted.turn()
    other = STORE.replace("ttl 10", "ttl 20")
    scripted.declare(other, WEB)
    assert scripted.agent.floats.ours == {}
    assert scripted.turn() == [other, WEB, "", "stands web/10.0.0.100"]
    assert len(scripted.processes) == 2


def test_a_device_that_reaches_nobody_is_left_to_other_hosts(scripted: Scripted) -> None:
    """Its pools are not declared, until it has been back for a moment."""
    scripted.watched.controller.hear = scripted.agent.hear
    other = "float db eth1:1 10.0.1.1/24"
    scripted.declare(STORE, WEB, other, "float gone eth7:1 10.0.2.1/24")
    assert scripted.turn() == [STORE, WEB, other, ""]
    assert "there is no device eth7" in "".join(scripted.watched.said())
    kernel = scripted.watched.kernel
    kernel.set_device("eth0", up=False)
    scripted.watched.quiet()
    assert scripted.turn() == [STORE, other, ""]
    kernel.set_device("eth1", mtu=1400)
    kernel.set_device("eth0", up=True)
    scripted.watched.quiet()
    assert scripted.turn() == []
    kernel.set_device("eth0", up=False)
    scripted.watched.quiet()
    scripted.watched.now += BACK + 1
    assert scripted.turn() == []
    kernel.set_device("eth0", up=True)
    scripted.watched.quiet()
    scripted.turn()
    scripted.watched.now += BACK
    assert scripted.turn() == [STORE, WEB, other, ""]
    said = [line for line in scripted.watched.said() if "eth0" in line]
    assert said == [
        "netalias: warning: eth0 is down: what floats on it is left to other hosts",
        "netalias: eth0 is back: its share of what floats is taken",
    ]


def test_a_watcher_shows_that_it_is_alive(scripted: Scripted) -> None:
    """Once a second: an agent whose watcher is stopped leaves the cluster."""
    scripted.declare(STORE, WEB)
    scripted.turn()
    assert scripted.alive == 1
    for _ in range(3):
        scripted.watched.now += ALIVE
        scripted.turn()
    assert scripted.alive == 4


def test_without_a_store_nothing_is_held(scripted: Scripted) -> None:
    """That is told, and no agent is started; a watcher that was killed holds nothing either."""
    tasks.write(scripted.folder, [STORE, WEB], tasks.FLOATS)
    scripted.declare(WEB)
    scripted.turn()
    assert scripted.processes == []
    assert "float web (f:1): no line cluster says by which store" in "".join(
        scripted.watched.said()
    )
    assert tasks.left(scripted.folder, tasks.FLOATS) == []


def test_who_declares_nothing_of_it_loads_nothing_of_it(tmp_path: Path) -> None:
    """The record of a watcher that was killed goes."""
    tasks.write(str(tmp_path), [WEB], tasks.FLOATS)
    watched = Watched("")
    parts = watched.controller, watched.claims, Journal(), lambda: watched.now
    pools = Pools(*parts, str(tmp_path), "1.2.3")
    pools.load(parse("pool lab 10.0.0.1-9\neth0 iface-alias kernel").tasks)
    assert pools.agent is None
    assert (pools.due(0.0), pools.wanted(0.0)) == (None, {})
    assert not list(tmp_path.iterdir())
    assert {one.keyword for one in parse(f"{STORE}\n{WEB}").tasks} == {*KEYWORDS}


def test_the_end_waits_until_the_agent_has_left_the_cluster(tmp_path: Path) -> None:
    """It leaves when nobody has the other end of the link any more; who ends before would have it
    killed by a service manager."""
    made = Scripted(str(tmp_path))
    left = tmp_path / "left"

    def start(fileno: int, _: str) -> int:
        words = ["sh", "-c", f"cat >/dev/null; sleep 0.1; echo >{left}"]
        given = [(os.POSIX_SPAWN_DUP2, fileno, 0)]
        made.processes.append(os.posix_spawnp("sh", words, os.environ, file_actions=given))
        return made.processes[-1]

    made.agent._start = start
    made.declare(STORE, WEB)
    made.agent.tick(made.watched.now)
    made.agent.close()
    assert left.exists()
    os.waitpid(made.processes[0], 0)
