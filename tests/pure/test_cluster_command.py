"""The verb cluster over a store in memory: what it shows, and what it asks for."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import schemas
from test_cli_memory import KERNEL, USAGE, Command

from netalias import errors
from netalias.cli import Options
from netalias.cli import cluster as verb
from netalias.cluster.asking import ask
from netalias.cluster.memory import MemoryEngine, MemoryStore
from netalias.cluster.records import Host, Keys, Owner, Spread, node_value
from netalias.cluster.store import (
    Change,
    Delete,
    Entry,
    Follow,
    Grant,
    Granted,
    Put,
    Read,
    Snapshot,
)
from netalias.cluster.view import View
from netalias.desired.cluster import Cluster
from netalias.views import cluster as views

KEYS = Keys("/netalias")
WEB = Spread((("10.0.0.1", "10.0.0.4"),))
SIX = Spread((("2001:db8::1", "2001:db8::1"),))


class Store:
    """Two hosts and five addresses: n1 holds two, n2 has freed one, a host that is gone had one."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.memory = MemoryStore(lambda: self.now)
        self.engines: list[MemoryEngine] = []
        for number, pools in enumerate(({"web": WEB, "six": SIX}, {"web": WEB}), 1):
            host = Host(f"i{number}", weight=100 * number, pools=pools, release="9.9")
            self.put(KEYS.host(f"n{number}"), host.value(), lease=self.lease())
        created = {key: one.created for key, one in self.entries().items()}
        first = created[KEYS.host("n1")]
        for last, node, registration, held in (
            (1, "n1", first, True),
            (2, "n1", first, True),
            (3, "n2", 1, False),
            (4, "n3", 1, True),
        ):
            owner = Owner(node, registration, ttl=10, held=held, since=1700000000)
            self.put(KEYS.owner(("web", f"10.0.0.{last}")), owner.value())

    def connect(self, line: Cluster) -> MemoryEngine:
        self.engines.append(self.memory.session())
        return self.engines[-1]

    def lease(self) -> int:
        found = ask(self.memory.session(), Grant(60), lambda: self.now)
        assert isinstance(found, Granted)
        return found.lease

    def put(self, key: str, value: bytes, lease: int = 0) -> None:
        ask(self.memory.session(), Change((), [Put(key, value, lease)]), lambda: self.now)

    def entries(self) -> dict[str, Entry]:
        found = ask(self.memory.session(), Read(KEYS.all), lambda: self.now)
        assert isinstance(found, Snapshot)
        return found.entries

    def value(self, key: str) -> bytes | None:
        one = self.entries().get(key)
        return None if one is None else one.value


class Asking:
    """The command with a file that declares the store."""

    def __init__(self, command: Command, file: Path, store: Store) -> None:
        self.command = command
        self.file = file
        self.store = store

    def __call__(self, text: str) -> str:
        return self.command(*self.words(text))

    def refused(self, text: str, status: int) -> str:
        out, err = self.command.run(self.words(text), status)
        assert out == ""
        return err[len("netalias: ") : -1]

    def words(self, text: str) -> list[str]:
        return ["cluster", "--from", str(self.file), *text.split()]


@pytest.fixture
def asking(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Asking:
    """The command, and the store of the line in its file."""
    store = Store()
    monkeypatch.setattr(verb, "connect", store.connect)
    file = tmp_path / "netalias.conf"
    file.write_text("eth0:0 10.9.9.9\ncluster etcd http://127.0.0.1:2379 node n1\n")
    return Asking(Command(capsys), file, store)


def test_how_the_cluster_is(asking: Asking) -> None:
    """In two lines, or as one object."""
    assert (
        asking("")
        == asking("status")
        == (
            "cluster etcd: http://127.0.0.1:2379/netalias, n1 here\n"
            "hosts: 2\n"
            "addresses: 5: 2 held, 2 free, 1 lost\n"
        )
    )
    asking("drain n2")
    asking("move 10.0.0.2 n2")
    assert "hosts: 2, 1 of them draining\n" in asking("status")
    assert asking("status").endswith("1 lost; 1 pinned\n")
    (found,) = json.loads(asking("-j status"))
    assert (found["endpoints"], found["prefix"]) == (["http://127.0.0.1:2379"], "/netalias")
    assert (found["hosts"], found["draining"], found["addresses"], found["held"]) == (2, 1, 5, 2)


def test_the_hosts(asking: Asking) -> None:
    """Those that are alive, with what they have."""
    asking("drain")
    asking.store.put(KEYS.host("n4"), b"of another version")
    assert asking("hosts").splitlines() == [
        "NODE  STATE       WEIGHT  HELD  POOLS    RELEASE",
        "n1    draining    100     2     six,web  9.9",
        "n2    up          200     0     web      9.9",
        "n4    unreadable  -       0     -        -",
    ]
    assert json.loads(asking("-j hosts"))[0]["pools"] == ["six", "web"]


def test_the_owners(asking: Asking) -> None:
    """Of all addresses that anybody has declared; the holder of a lost one is gone."""
    asking("move 10.0.0.2 n2")
    assert asking("owners").splitlines() == [
        "POOL  ADDRESS      NODE  STATE  PINNED",
        "six   2001:db8::1  -     free   -",
        "web   10.0.0.1     n1    held   -",
        "web   10.0.0.2     n1    held   n2",
        "web   10.0.0.3     -     free   -",
        "web   10.0.0.4     n3    lost   -",
    ]
    found = json.loads(asking("-j owners"))
    assert (found[1]["node"], found[1]["since"]) == ("n1", 1700000000)
    assert found[0]["node"] is None


def test_draining(asking: Asking) -> None:
    """This host, or one that is named; only of hosts that are there."""
    assert asking("drain") == ""
    assert asking.store.value(KEYS.drain("n1")) is not None
    assert asking("drain n2") == ""
    assert asking("undrain") == ""
    assert asking.store.value(KEYS.drain("n1")) is None
    assert asking.store.value(KEYS.drain("n2")) is not None
    assert asking.refused("undrain", KERNEL) == (
        "n1: this host is not drained (netalias cluster hosts)"
    )
    assert asking.refused("drain n7", KERNEL).startswith("n7: no such host is in the cluster")


def test_moving(asking: Asking) -> None:
    """An address stands on a host for as long as that is there, or until auto."""
    assert asking("move 10.0.0.1 n2") == ""
    assert asking.store.value(KEYS.pin(("web", "10.0.0.1"))) == node_value("n2")
    assert asking("move 10.0.0.1 auto") == ""
    assert asking.store.value(KEYS.pin(("web", "10.0.0.1"))) is None
    assert asking("move 2001:DB8:0::1 n1") == ""
    assert asking.store.value(KEYS.pin(("six", "2001:db8::1"))) == node_value("n1")
    for text, error in (
        ("10.0.0.9 n1", "10.0.0.9: no host has declared it (netalias cluster owners)"),
        ("10.0.0.1 n9", "n9: no such host is in the cluster (netalias cluster hosts)"),
        ("2001:db8::1 n2", "n2: this host does not declare six"),
    ):
        assert asking.refused(f"move {text}", KERNEL) == error


def test_changes_as_objects(asking: Asking) -> None:
    """A list of the changes, empty where there was none; verbs that only show print none."""

    def changed(text: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads(asking.command("-j", *asking.words(text)))
        return found

    address = {"pool": "web", "local": "10.0.0.1"}
    assert changed("drain n2") == [{"change": "drained", "node": "n2"}]
    assert changed("drain n2") == []
    assert changed("undrain n2") == [{"change": "undrained", "node": "n2"}]
    assert changed("move 10.0.0.1 n2") == [{"change": "pinned", "node": "n2", **address}]
    assert changed("move 10.0.0.1 n2") == []
    assert changed("move 10.0.0.1 auto") == [{"change": "unpinned", "node": "n2", **address}]
    assert changed("move 10.0.0.1 auto") == []
    assert len(changed("hosts")) == 2


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("drian", "cluster drian: drian: unknown (did you mean drain?)"),
        ("xyz", "cluster xyz: xyz: unknown"
         " (one of: status hosts owners drain undrain move events)"),
        ("move 10.0.0.1", "cluster move 10.0.0.1: an address and a host are needed"
         " (netalias help cluster)"),
        ("hosts n1", "cluster hosts n1: one word too many (netalias help cluster)"),
        ("etcd http://a", "cluster etcd: etcd: unknown"
         " (it is a line of the files: man netalias.conf, netalias help cluster)"),
        ("move eth0:109 n1", "eth0:109: the name of an alias; its address is needed"
         " (netalias cluster owners)"),
        ("move 10.0.0.1/24 n1", "10.0.0.1/24: an address without a prefix length is needed"),
    ],
)  # fmt: skip
def test_wrong_words(asking: Asking, text: str, error: str) -> None:
    """Nothing is asked of the store for those that are wrong by themselves."""
    assert asking.refused(text, USAGE) == error


def test_a_store_that_does_not_answer(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its error is told, with status 2; so is a file without a line, or with two."""

    def connect(line: Cluster) -> MemoryEngine:
        engine = asking.store.connect(line)
        engine.refused = "permission denied"
        return engine

    monkeypatch.setattr(verb, "connect", connect)
    assert "permission denied" in asking.refused("hosts", KERNEL)
    asking.file.write_text("eth0:0 10.9.9.9\n")
    assert asking.refused("hosts", KERNEL).startswith("no line of the files declares a cluster")
    line = "cluster etcd http://127.0.0.1\n"
    asking.file.write_text(line + line)
    assert f"{asking.file}:2: cluster etcd is already declared at" in asking.refused("", KERNEL)


def test_events_as_lines_and_objects() -> None:
    """Whatever happens to a key is one event; what is of no cluster is none."""
    store = Store()
    view = View(KEYS)
    view.load(ask(store.memory.session(), Read(KEYS.all), lambda: store.now), store.now)  # type: ignore[arg-type]
    engine = store.memory.session()
    engine.send(Follow(KEYS.all, view.revision + 1), store.now, 0.0)
    host = Host("i3", pools={"web": WEB})
    changes = [
        Put(KEYS.host("n3"), host.value()),
        Put(KEYS.host("n3"), Host("i3", 5, {"web": WEB}).value()),
        Put(KEYS.drain("n3"), b"{}"),
        Put(KEYS.owner(("web", "10.0.0.3")), Owner("n3", 9, ttl=10, held=True).value()),
        Put(KEYS.owner(("web", "10.0.0.3")), Owner("n3", 9, ttl=10, held=False).value()),
        Put(KEYS.pin(("web", "10.0.0.3")), node_value("n1")),
        Delete(KEYS.pin(("web", "10.0.0.3"))),
        Put(f"{KEYS.all}other", b""),
        Delete(KEYS.drain("n3")),
        Delete(KEYS.host("n3")),
    ]
    for one in changes:
        ask(store.memory.session(), Change((), [one]), lambda: store.now)
    found = []
    for answer in engine.answers():
        for event in answer.result.events:  # type: ignore[union-attr]
            objects = [*views.events([event], KEYS, view)]
            found += objects
            view.note([event], store.now)
    assert [views.line(one) for one in found] == [
        "n3 joined", "n3 changed", "n3 drained", "web 10.0.0.3 taken n3", "web 10.0.0.3 freed n3",
        "web 10.0.0.3 pinned n1", "web 10.0.0.3 unpinned", "n3 undrained", "n3 left",
    ]  # fmt: skip
    schema = json.loads((schemas.FOLDER / "cluster.json").read_text())["$defs"]["event"]
    for one in found:
        assert set(one) <= set(schema["properties"])
        assert one["change"] in schema["properties"]["change"]["enum"]


def test_events_end_with_their_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in ``netalias cluster events | head -1``, also where nothing is buffered."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    store = Store()
    asked = verb.Asked(Cluster(["http://a:2379"], {}), store.memory.session())
    store.put(KEYS.drain("n2"), b"{}")
    monkeypatch.setattr("sys.stdout", Closed())
    with pytest.raises(BrokenPipeError):
        verb._events(Options(lambda options: None), asked, [])  # type: ignore[arg-type,return-value]


def test_in_another_namespace(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is asked from there; one that is not there is told."""
    where: list[str] = []

    class Entered:
        def __init__(self, name: str) -> None:
            if name == "gone":
                raise errors.NoSuchDevice(f"netns {name}: no such namespace")
            self.name = name

        def __enter__(self) -> None:
            where.append(self.name)

        def __exit__(self, *_: object) -> None:
            where.append("home")

    def connect(line: Cluster) -> MemoryEngine:
        where.append("connect")
        return asking.store.connect(line)

    monkeypatch.setattr("netalias.system.netns.entered", Entered)
    monkeypatch.setattr(verb, "connect", connect)
    assert "n1" in asking("-n red hosts")
    assert where == ["red", "connect", "home"]
    assert asking.refused("-n gone hosts", KERNEL) == "netns gone: no such namespace"


def test_events_tell_of_a_store_that_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    """Once, and once when it answers again; a watch by itself would say nothing."""
    store = Store()
    engine = store.memory.session()
    asked = verb.Asked(Cluster(["http://a:2379"], {"node": "n1"}), engine)
    pulse = verb.Pulse(asked, quiet=False)
    said = []
    for now, refused in ((0, ""), (3, "no rights"), (6, "no rights"), (9, ""), (12, "")):
        engine.refused = refused
        assert pulse.beat(now) == verb.PULSE
        assert pulse.beat(now + 1) == verb.PULSE
        (answer,) = engine.answers()
        pulse.take(answer)
        pulse.take(answer)
        assert pulse.beat(now + 1) == 2.0
        said.append(capsys.readouterr().err)
    assert said == [
        "", f"netalias: warning: no rights; {verb.AWAY}\n", "",
        "netalias: warning: the store of the cluster answers\n", "",
    ]  # fmt: skip
