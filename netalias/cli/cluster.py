"""The verb cluster: the hosts of a cluster, and who has which of its addresses."""

from __future__ import annotations

import os
from time import monotonic

from netalias import errors
from netalias.cli.output import complain, narrow, write
from netalias.cluster.store import Read, StoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options
    from netalias.cluster.orders import Key
    from netalias.cluster.records import Keys
    from netalias.cluster.store import Answer, Engine
    from netalias.cluster.view import View
    from netalias.desired.cluster import Cluster

AUTO = "auto"
PULSE = 3.0
"""Seconds between two requests to a store that is followed, and the most that one may take."""
AWAY = "what is held stands until its lifetime is over, nothing is taken"
ENGINE = "etcd"
"""The second word of a line of the files."""
ACTIONS = {"status": 0, "hosts": 0, "owners": 0, "drain": 1, "undrain": 1, "move": 2, "events": 0}
"""Word: the most words after it."""


class Asked:
    """A cluster that is asked: its declared *line*, the *engine* of its store, and what stands in
    there. Raises StoreError."""

    def __init__(self, line: Cluster, engine: Engine) -> None:
        from netalias.cluster.asking import ask
        from netalias.cluster.records import Keys
        from netalias.cluster.store import Snapshot
        from netalias.cluster.view import View

        self.line = line
        self.engine = engine
        self.keys: Keys = Keys(line.prefix)
        self.view: View = View(self.keys)
        found = ask(engine, Read(self.keys.all), monotonic)
        assert isinstance(found, Snapshot)
        self.view.load(found, monotonic())

    @property
    def node(self) -> str:
        """The name of this host."""
        return self.line.named(os.uname().nodename)

    def declared(self) -> list[Key]:
        """The addresses that its hosts have declared."""
        from netalias.cluster.declared import Declared

        declared = Declared()
        declared.update(self.view)
        return [(one.name, address) for one in declared.pools for address in one.addresses]

    def change(self, *operations: object) -> None:
        """Have these operations done. Raises StoreError."""
        from netalias.cluster.asking import ask
        from netalias.cluster.store import Change

        ask(self.engine, Change((), operations), monotonic)  # type: ignore[arg-type]


def cluster(options: Options, words: list[str]) -> int:
    """Execute ``cluster [status | hosts | owners | drain [HOST] | undrain [HOST] | move ADDRESS
    HOST | events]``; the exit status. Raises UsageError, StateError, StoreError."""
    action, rest = "".join(words[:1]) or "status", words[1:]
    if action not in ACTIONS:
        from netalias.desired import nearest

        near = nearest(action, [*ACTIONS])
        hint = f"did you mean {near}?" if near else f"one of: {' '.join(ACTIONS)}"
        if action == ENGINE:
            hint = "it is a line of the files: man netalias.conf, netalias help cluster"
        raise errors.UsageError(f"cluster {action}: {action}: unknown", hint)
    if len(rest) > ACTIONS[action] or (action == "move" and len(rest) < 2):
        wrong = "an address and a host are needed" if action == "move" else "one word too many"
        raise errors.UsageError(f"cluster {' '.join(words)}: {wrong}", "netalias help cluster")
    if not options.netns:
        return _execute(options, action, rest)
    from netalias.system.netns import entered

    with entered(options.netns):
        return _execute(options, action, rest)


def _execute(options: Options, action: str, rest: list[str]) -> int:
    """Ask the store of the files, by the network of this thread; the exit status."""
    line = _line(options)
    engine = connect(line)
    try:
        return WORK[action](options, Asked(line, engine), rest)
    finally:
        engine.close()


def connect(line: Cluster) -> Engine:
    """The store of a line. Raises StateError."""
    from netalias.cluster.etcd.engine import EtcdEngine
    from netalias.cluster.etcd.settings import Settings

    return EtcdEngine(Settings(line.endpoints, **line.files), patience=False)


def _line(options: Options) -> Cluster:
    """The line of the store in the files. Raises StateError without one, and the errors of it."""
    from netalias import sources
    from netalias.desired.cluster import EXAMPLE, found
    from netalias.disclosure import withheld

    files = [options.source] if options.source else []
    line = found(sources.decode(sources.read(files)), withheld)
    if line is None:
        raise errors.StateError("no line of the files declares a cluster", EXAMPLE)
    return line


def _print(
    options: Options, action: str, objects: list[dict[str, object]], keys: dict[str, str]
) -> int:
    """Print what *action* shows, as JSON or as a table."""
    from netalias.views import NOTHING, cluster, json

    if options.json:
        write(json.render(objects, pretty=options.pretty))
        return errors.STATUS_OK

    def text(value: object) -> str:
        if isinstance(value, list):
            return ",".join(map(str, value)) or NOTHING
        return NOTHING if value is None else str(value)

    if objects:
        rows = [[text(one.get(key)) for key in keys.values()] for one in objects]
        narrow([*keys], rows, f"netalias -j cluster {action}", cluster.DROPPED)
    return errors.STATUS_OK


def _status(options: Options, asked: Asked, words: list[str]) -> int:
    from netalias.views import cluster as views
    from netalias.views import json

    line = asked.line
    found = views.status(asked.view, asked.declared())
    if options.json:
        names: dict[str, object] = {"endpoints": [*line.endpoints], "prefix": line.prefix}
        write(json.render([names | found], pretty=options.pretty))
    else:
        write(f"{line.title}: {','.join(line.endpoints)}{line.prefix}, {asked.node} here\n")
        write(views.sentence(found))
    return errors.STATUS_OK


def _hosts(options: Options, asked: Asked, words: list[str]) -> int:
    from netalias.views import cluster as views

    return _print(options, "hosts", views.hosts(asked.view), views.HOST)


def _owners(options: Options, asked: Asked, words: list[str]) -> int:
    from netalias.views import cluster as views

    return _print(options, "owners", views.owners(asked.view, asked.declared()), views.OWNER)


def _drain(options: Options, asked: Asked, words: list[str]) -> int:
    from netalias.cluster.store import Put

    node = _known(asked, words[0] if words else asked.node)
    asked.change(Put(asked.keys.drain(node), b"{}"))
    if node not in asked.view.drains:
        _changed(options, "drained", node)
    return errors.STATUS_OK


def _undrain(options: Options, asked: Asked, words: list[str]) -> int:
    from netalias.cluster.store import Delete

    node = words[0] if words else asked.node
    if node not in asked.view.drains:
        raise errors.StateError(f"{node}: this host is not drained", "netalias cluster hosts")
    asked.change(Delete(asked.keys.drain(node)))
    _changed(options, "undrained", node)
    return errors.STATUS_OK


def _changed(options: Options, change: str, node: str, key: Key | tuple[()] = ()) -> None:
    """Note what was changed of a host, or of the address *key* there, for -j."""
    if options.changes is not None:
        about = dict(zip(("pool", "local"), key, strict=False))
        options.changes.append({"change": change, "node": node, **about})


def _known(asked: Asked, node: str) -> str:
    """The name of a host that is in the cluster. Raises StateError."""
    if node not in asked.view.hosts:
        raise errors.StateError(f"{node}: no such host is in the cluster", "netalias cluster hosts")
    return node


def _move(options: Options, asked: Asked, words: list[str]) -> int:
    """Pin an address to a host, or with ``auto`` to none."""
    from netalias.cluster.records import node_value
    from netalias.cluster.store import Delete, Put

    key = _address(asked, words[0])
    pinned = asked.view.pins.get(key) or ""
    if words[1] == AUTO:
        asked.change(Delete(asked.keys.pin(key)))
        if pinned:
            _changed(options, "unpinned", pinned, key)
        return errors.STATUS_OK
    node = _known(asked, words[1])
    host = asked.view.hosts[node].host
    if host is None or key[0] not in host.pools:
        raise errors.StateError(f"{node}: this host does not declare {key[0]}")
    asked.change(Put(asked.keys.pin(key), node_value(node)))
    if node != pinned:
        _changed(options, "pinned", node, key)
    return errors.STATUS_OK


def _address(asked: Asked, text: str) -> Key:
    """The pool and the usual text of an address. Raises BadAddress, StateError."""
    from netalias.families import lazy
    from netalias.model.names import split

    if split(text) is not None:
        text = f"{text}: the name of an alias; its address is needed"
        raise errors.BadAddress(text, "netalias cluster owners")
    alias_type = lazy().get("ipv6" if ":" in text else "ip")
    packed, length = alias_type.parse(text)
    if length is not None:
        raise errors.BadAddress(f"{text}: an address without a prefix length is needed")
    usual = alias_type.format(packed)
    found = [key for key in {*asked.declared(), *asked.view.owners} if key[1] == usual]
    if not found:
        raise errors.StateError(f"{usual}: no host has declared it", "netalias cluster owners")
    return min(found)


def _events(options: Options, asked: Asked, words: list[str]) -> int:
    """Print what changes from now on, until it is interrupted; and, on standard error, that the
    store does not answer, and that it does again. Raises StoreError."""
    import sys

    from netalias.cli.output import interrupted
    from netalias.cluster.asking import turn
    from netalias.cluster.store import Events, Follow
    from netalias.views import cluster as views
    from netalias.views import json

    follow = Follow(asked.keys.all, asked.view.revision + 1)
    number = asked.engine.send(follow, monotonic(), 0.0)
    pulse = Pulse(asked, quiet=options.quiet)
    try:
        while True:
            for answer in asked.engine.answers():
                if answer.number != number:
                    pulse.take(answer)
                elif isinstance(answer.result, StoreError):
                    raise answer.result
                elif isinstance(answer.result, Events):
                    for one in views.events(answer.result.events, asked.keys, asked.view):
                        # Not by write(): without a reader there is nothing to go on for.
                        sys.stdout.write(json.line(one) if options.json else f"{views.line(one)}\n")
                    asked.view.note(answer.result.events, monotonic())
                    sys.stdout.flush()
            turn(asked.engine, monotonic, pulse.beat(monotonic()))
    except KeyboardInterrupt as error:
        return interrupted(error)


class Pulse:
    """Requests to a store that is followed, one after the other: nothing comes of one that is away
    either."""

    def __init__(self, asked: Asked, *, quiet: bool) -> None:
        self._asked = asked
        self._quiet = quiet
        self._number = 0
        self._next = 0.0
        self._lost = ""

    def beat(self, now: float) -> float:
        """Ask, if that is due; the seconds until it is."""
        if not self._number and now >= self._next:
            self._next = now + PULSE
            read = Read(self._asked.keys.host(self._asked.node))
            self._number = self._asked.engine.send(read, now, PULSE)
        return PULSE if self._number else max(0.0, self._next - now)

    def take(self, answer: Answer) -> None:
        """Tell of an answer that says something else than the one before."""
        if answer.number != self._number:
            return
        self._number = 0
        lost = answer.result.line() if isinstance(answer.result, StoreError) else ""
        if bool(lost) != bool(self._lost) and not self._quiet:
            complain(f"{lost}; {AWAY}" if lost else "the store of the cluster answers", "warning: ")
        self._lost = lost


WORK: dict[str, Callable[[Options, Asked, list[str]], int]] = {
    "status": _status,
    "hosts": _hosts,
    "owners": _owners,
    "drain": _drain,
    "undrain": _undrain,
    "move": _move,
    "events": _events,
}
