"""The process of the agent: lines in, orders out, and the store between. Both ends are real, the
clocks are not."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import reaped

from netalias import errors
from netalias.cluster.memory import MemoryEngine, MemoryStore
from netalias.cluster.orders import Gone, Release, Stands, Take, parse
from netalias.cluster.process import ALIVE, RETRY, Carrier, noting, spread
from netalias.cluster.records import Host as HostRecord
from netalias.cluster.records import Keys, read_host
from netalias.cluster.store import Change, Delete, Put
from netalias.cluster.tokens import FILE, KEPT, Tokens
from netalias.desired import floats
from netalias.desired.cluster import Cluster
from netalias.runtime import condition
from netalias.system.journal import Journal
from netalias.system.lines import Link, pair
from netalias.watch.agent import spawn

CLUSTER = "cluster etcd http://etcd node a ttl 5"
FLOAT = "float web eth0:0-1 10.0.0.10-11/24"
KEYS = {("web", "10.0.0.10"), ("web", "10.0.0.11")}


class Stage:
    """A carrier with a store in memory, and the watcher's end of its link."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.asleep = 0.0
        """Seconds of suspension, for which only the clock of the boot went on."""
        self.store = MemoryStore(lambda: self.now)
        self.engines: list[MemoryEngine] = []
        self.fault = ""
        self.there = 0.0
        """Seconds of a request on its way to the store."""
        self.ordered = 0
        self.ended = False
        self.said = io.StringIO()
        self.told: list[tuple[float, str]] = []
        self.folder = folder
        self.watcher, theirs = pair()
        journal = Journal(stream=self.said, environ={}, now=lambda: "")
        self.carrier = Carrier(
            Link(theirs), self.connect, Tokens(str(folder)), journal,
            lambda: self.now, lambda: self.now - self.asleep, self.end,
            tell=lambda *words: self.told.append(words), release="1.2.3",
        )  # fmt: skip

    def connect(self, line: Cluster) -> MemoryEngine:
        if self.fault:
            raise errors.StateError(self.fault)
        self.engines.append(self.store.session())
        self.engines[-1].there = self.there
        return self.engines[-1]

    def end(self) -> None:
        self.ended = True

    def write(self, *lines: str) -> None:
        """The watcher writes lines."""
        for line in lines:
            self.watcher.put(line)
        self.watcher.write()
        self.serve()

    def serve(self) -> None:
        """One turn of the loop."""
        for fileno, events in self.carrier.wanted(self.now).items():
            if not self.ended:
                self.carrier.ready(fileno, events, self.now)
        due = self.carrier.due(self.now)
        if due is not None and due <= 0 and not self.ended:
            self.carrier.tick(self.now)

    def orders(self, seconds: float = 0.0) -> list[object]:
        """The orders within some time; each Release is carried out at once."""
        found = []
        for _ in range(int(seconds * 10) + 1):
            if not self.ended:
                self.write(ALIVE)
            for _ in range(3):
                if not self.ended:
                    self.serve()
            try:
                lines = self.watcher.read()
            except ConnectionResetError:
                break
            for line in lines:
                found.append(parse(line))
                self.ordered += 1
                if isinstance(found[-1], Release):
                    self.write(Gone(self.ordered, found[-1].keys).line())
            self.now += 0.1
        return found


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.carrier.close()
    stage.watcher.close()


def taken(orders: list[object]) -> set[tuple[str, str]]:
    """The addresses in orders to take some."""
    return {key for one in orders if isinstance(one, Take) for key in one.keys}


def owners(stage: Stage) -> int:
    """The owners that stand in the store."""
    return sum("/owners/" in key for key in stage.store.entries)


def test_declared_and_taken(stage: Stage) -> None:
    """With its lines the agent registers its host, checks the addresses and takes them."""
    stage.write(CLUSTER, FLOAT)
    assert not stage.engines
    stage.write("")
    orders = stage.orders(5)
    for one in orders:
        if type(one).__name__ == "Check":
            stage.write("checked " + " ".join(map("/".join, one.keys)))
    orders += stage.orders(5)
    assert taken(orders) == KEYS
    entry = stage.store.entries[Keys("/netalias").host("a")]
    host = read_host(entry.value)
    assert host is not None
    assert host.release == "1.2.3"
    assert owners(stage) == 2
    assert "a is in the cluster" in stage.said.getvalue()


def held(stage: Stage) -> None:
    """Bring it to where both addresses are held."""
    test_declared_and_taken(stage)


def test_no_line_any_more(stage: Stage) -> None:
    """It gives up everything, leaves the cluster, and ends."""
    held(stage)
    stage.write("")
    orders = stage.orders(5)
    assert {key for one in orders if isinstance(one, Release) for key in one.keys} == KEYS
    assert stage.ended
    assert Keys("/netalias").host("a") not in stage.store.entries


def test_no_line_at_all(stage: Stage) -> None:
    """It ends at once."""
    stage.write("")
    assert stage.ended
    assert not stage.engines


def test_another_store(stage: Stage) -> None:
    """It ends, and leaves everything as it is for the next one."""
    held(stage)
    stage.write("cluster etcd http://other", FLOAT, "")
    assert stage.ended
    assert owners(stage) == 2
    assert stage.orders() == []


def test_other_pools(stage: Stage) -> None:
    """A pool that goes is given up by the same agent."""
    held(stage)
    stage.write(CLUSTER, "float web eth0:0 10.0.0.10/24", "")
    orders = stage.orders(5)
    assert {key for one in orders if isinstance(one, Release) for key in one.keys} == {
        ("web", "10.0.0.11")
    }
    assert len(stage.engines) == 1
    assert not stage.ended


def is_there(stage: Stage) -> bool:
    """Whether the host is in the cluster."""
    return Keys("/netalias").host("a") in stage.store.entries


def test_the_watcher_ends(stage: Stage) -> None:
    """The end of the link is the end of the process, and of the registration: others wait for what
    stands to run out from now on, and not from the end of the lease."""
    held(stage)
    stage.watcher.close()
    for _ in range(5):
        if not stage.ended:
            stage.serve()
    assert stage.ended
    assert not is_there(stage)
    assert owners(stage) == 2


def test_a_watcher_that_has_ended_is_followed_though_the_store_is_away(stage: Stage) -> None:
    """The process does not wait for an answer for long."""
    held(stage)
    stage.engines[0].cut = True
    stage.watcher.close()
    for _ in range(60):
        if not stage.ended:
            stage.serve()
        stage.now += 0.1
    assert stage.ended


def test_a_watcher_that_is_stopped(stage: Stage) -> None:
    """After a whole lifetime without a sign of it, all of its addresses are gone, and others are to
    have them: the host leaves the cluster."""
    held(stage)
    stage.write(ALIVE)
    for _ in range(49):
        stage.now += 0.1
        stage.serve()
    assert is_there(stage)
    for _ in range(5):
        stage.now += 0.1
        if not stage.ended:
            stage.serve()
    assert not is_there(stage)
    assert stage.ended
    assert "the watcher does not answer: this host leaves the cluster" in stage.said.getvalue()


def test_files_that_cannot_be_used(stage: Stage) -> None:
    """It says so once, and looks at them again."""
    stage.fault = "/etc/key: others may read it"
    stage.write(CLUSTER, FLOAT, "")
    stage.orders(3 * RETRY)
    assert stage.said.getvalue() == "netalias: cluster etcd: /etc/key: others may read it\n"
    stage.fault = ""
    stage.orders(RETRY)
    assert len(stage.engines) == 1


def test_another_store_than_before(stage: Stage) -> None:
    """The agent ends, for one that knows nothing of before; nothing more is asked of the store."""
    held(stage)
    stage.engines[0].other = True
    sent = stage.engines[0].sent
    stage.write("alive")
    assert stage.ended
    assert stage.carrier.replaced
    assert stage.engines[0].sent == sent
    assert "begins anew" in stage.said.getvalue()


def test_nothing_is_known_before_the_store_has_answered(stage: Stage) -> None:
    """Neither that all is well; then the host is not in the cluster yet, and then all is."""
    stage.there = 1.0
    stage.write(CLUSTER, FLOAT, "", Stands(sorted(KEYS)).line())
    stage.orders(0.5)
    assert stage.told[-1] == (stage.told[-1][0], condition.UNKNOWN)
    assert 0 < stage.told[-1][0] - 1000.0 <= 5.0
    stage.orders(10)
    reasons = [reason for _, reason in stage.told]
    assert [*dict.fromkeys(reasons)] == [condition.UNKNOWN, condition.OUTSIDE, ""]
    assert stage.told[-1] == (0.0, "")


def test_who_leaves_tells_nothing_any_more(stage: Stage) -> None:
    """The agent of the next line tells of another store by then."""
    held(stage)
    stage.told.clear()
    stage.write("")
    stage.orders(5)
    assert stage.ended
    assert stage.told == []


def test_a_store_that_refuses_and_goes_on(stage: Stage) -> None:
    """What is wrong is told once, with the time at which the addresses have gone; then its end."""
    held(stage)
    assert stage.told[-1] == (0.0, "")
    stage.told.clear()
    stage.engines[-1].refused = "permission denied"
    stage.orders(5)
    proof = stage.carrier._agent.membership.proof  # type: ignore[union-attr]
    assert stage.told == [(proof + 5.0, "permission denied")]
    assert 1000.0 < proof < stage.now
    stage.engines[-1].refused = ""
    stage.orders(5)
    reasons = [reason for _, reason in stage.told]
    assert reasons == ["permission denied", condition.OUTSIDE, ""]


def test_a_name_that_another_host_has(stage: Stage) -> None:
    """It is told for as long as that is so."""
    key = Keys("/netalias").host("a")
    stage.store.execute(Change((), [Put(key, HostRecord("other").value())]))
    stage.write(CLUSTER, FLOAT, "")
    stage.orders(5)
    assert [reason for _, reason in stage.told] == ["another host is in the cluster as a"]
    stage.store.execute(Change((), [Delete(key)]))
    stage.orders(5)
    assert stage.told[-1][1] == ""


def test_files_that_cannot_be_used_are_told_too(stage: Stage) -> None:
    """Nothing is held yet."""
    stage.fault = "/etc/netalias/host.key: no key"
    stage.write(CLUSTER, FLOAT, "")
    assert [*stage.told] == [(0.0, f"cluster etcd: {stage.fault}")]


def test_a_condition_that_cannot_be_noted(tmp_path: Path) -> None:
    """A failure costs the note, and not the agent: a host without one gives up its addresses."""
    (tmp_path / "store").mkdir()
    link, theirs = pair()
    with theirs:
        pid = spawn(theirs.fileno(), str(tmp_path))
    link.close()
    assert os.waitstatus_to_exitcode(reaped(pid)) == errors.STATUS_OK
    said = io.StringIO()
    note = noting(str(tmp_path), Journal(stream=said, environ={}, now=lambda: ""))
    note(1.5, "no answer")
    note(0.0, "")
    told = f"{tmp_path}/store: Is a directory: check and doctor do not tell how the store is"
    assert said.getvalue().count(told) == 2
    (tmp_path / "store").rmdir()
    note(1.5, "no answer")
    assert (tmp_path / "store").read_text() == "1.500 no answer\n"


def test_suspended(stage: Stage) -> None:
    """After a suspension everything is given up before anything else."""
    held(stage)
    stage.now += 100.0
    stage.asleep += 100.0
    orders = stage.orders()
    assert isinstance(orders[0], Release)
    assert set(orders[0].keys) == KEYS
    assert "suspended" in stage.said.getvalue()


def test_words_that_nobody_understands(stage: Stage) -> None:
    """The watcher is of another version: the process ends with an error."""
    stage.write(CLUSTER, FLOAT, "")
    with pytest.raises(errors.PacketError):
        stage.write("stand web/10.0.0.10")


def test_after_an_agent_that_was_killed(stage: Stage, tmp_path: Path) -> None:
    """The next one knows the registration for its own: it does not wait for the lease to end, and
    takes what stands there before it has run out."""
    held(stage)
    stage.carrier.close()
    later = Stage(tmp_path)
    later.now, later.store = stage.now, stage.store
    later.store._clock = lambda: later.now
    standing = Stands(sorted(KEYS)).line()
    later.write(CLUSTER, FLOAT, "", standing)
    assert taken(later.orders(3)) == KEYS
    assert "another host" not in later.said.getvalue()


def test_tokens(tmp_path: Path) -> None:
    """Each is written before it is used, the last ones are known to the next agent, and no other
    text in the file is taken for one."""
    tokens = Tokens(str(tmp_path))
    assert tokens.former == []
    made = [tokens() for _ in range(KEPT + 4)]
    assert len(set(made)) == len(made)
    with open(tmp_path / FILE, "ab") as file:
        file.write(b"\x00\xff <no token>\npid 1\nstart 7\nword --metrics=/etc/passwd\n")
    again = Tokens(str(tmp_path))
    assert again.former == made[-KEPT:]
    again()
    assert b"pid" not in (tmp_path / FILE).read_bytes()


def test_registrations(tmp_path: Path) -> None:
    """Each stands with its token, and the next agent knows both."""
    tokens = Tokens(str(tmp_path))
    tokens()
    made = tokens()
    tokens.register(17)
    assert (tmp_path / FILE).read_text().splitlines()[1] == f"{made} 17"
    tokens()
    tokens.register(23)
    assert (tokens.registrations, Tokens(str(tmp_path)).registrations) == ([], [17, 23])


def test_spans(stage: Stage) -> None:
    """A pool is told as the first and last addresses of what hangs together."""
    for words, spans in {
        "10.0.0.10-10.0.0.12/24": (("10.0.0.10", "10.0.0.12"),),
        "2001:db8::ff-101/64": (("2001:db8::ff", "2001:db8::101"),),
    }.items():
        pool = floats.read(["float", "web", "eth0:0-2", words, "prefer", "b", "hold-down", "7"])
        found = spread(pool)
        assert (found.spans, found.prefers, found.hold_down) == (spans, "b", 7)
