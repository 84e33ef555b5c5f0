"""Whether what a command has made will last: a watcher, a cron job, a timer or the rollback of a
change that nobody has confirmed yet may take it away.

One line on the terminal says so, after the change. Nothing of it is an error: what cannot be read
is passed over.
"""

from __future__ import annotations

import os
from itertools import pairwise

from netalias import errors, sources
from netalias.cli.output import complain
from netalias.desired import declarations, ranges
from netalias.desired.index import Index
from netalias.disclosure import withheld
from netalias.engine.batch import parse_command
from netalias.engine.checkpoint import pending
from netalias.engine.floating import pools
from netalias.engine.reconcile import Rules, look
from netalias.model.names import AliasName
from netalias.plan.diff import REMOVED
from netalias.runtime import instance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.engine import Engine
    from netalias.model import Snapshot

CRONTABS = ("/etc/crontab",)
CRON_FOLDERS = ("/etc/cron.d", "/var/spool/cron/crontabs", "/var/spool/cron")
TIMERS = (
    "/etc/systemd/system/timers.target.wants/netalias.timer",
    "/run/systemd/system/timers.target.wants/netalias.timer",
)
SIZE = 1 << 16
"""Bytes of a crontab that are looked at."""
NAME = "netalias"
VERB = "reconcile"
NETNS = ("-n", "--netns")
WORDS = ("address", "prefixlen", "up", "mtu", "mac", "metric", "peer", "gateway", "lease")
"""Attributes of a Wish in which a command may contradict the line of its alias."""
UNSAID = (None, b"", "", 0)


class Keeper:
    """Something that makes the aliases what *files* declare, by default those of the host; a
    *resident* one leaves aside what is declared with ``heal off``."""

    __slots__ = ("files", "resident", "title")

    def __init__(self, title: str, files: Sequence[str] = (), *, resident: bool = False) -> None:
        self.title = title
        self.files = tuple(files)
        self.resident = resident


def warn(options: Options, words: Sequence[str]) -> None:
    """Write the line for a command that has changed aliases."""
    if options.quiet or options.dry_run:
        return
    try:
        text = sentence(options, words)
    except (errors.NetaliasError, OSError):
        return
    if text:
        complain(text, "warning: ")


def sentence(options: Options, words: Sequence[str], root: str = "") -> str:
    """The line about aliases of a command that will not last, empty if all do. *root* is put before
    the paths of crontabs and timers. Raises NetaliasError, OSError."""
    deleted = words[0][-1] == "-"
    with options.engine() as engine:
        if (folder := engine.runtime.path) and pending(folder) is not None:
            return (
                "a change waits for its confirmation: without one this is taken back too"
                " (netalias confirm)"
            )
        keeper = found(engine, options.netns, root)
        if keeper is None:
            return ""
        declared = _declared(engine, keeper)
        mine = _named(words if deleted else words[:1], engine.snapshot())
        mains = {name.main for name in mine}
        known = {block.wish.name.main for block in declared.blocks}
        only = "".join(mains) if len(mains) == 1 and mains <= known else ""
        rules = Rules(only=only, force=True)
        items = look(engine, declared, rules).items
        wishes = {
            name: one.wish
            for one in parse_command(list(words), engine.registry)
            if one.wish is not None
            for name in mine
            if name.slot == one.wish.name.slot
        }
    ends = deleted or any(one.up is False for one in wishes.values())
    floats = _returning(keeper, declared, mine) if ends else _floating(declared, wishes)
    if floats:
        return floats
    found_by = {item.name: item.sign for item in items if item.sysctl_change is None}
    index = Index(declared)
    lost = [name for name in sorted(mine) if name in found_by]
    if keeper.resident:  # it may have undone the change by now
        lost = [
            name
            for name in sorted(mine)
            if (found_by.get(name) == REMOVED if name not in index else index.heals(name))
            and (deleted or name not in index or _contradicts(wishes[name], index.wish(name)))
        ]
    if not lost:
        return ""
    some = str(lost[0]) + (f" and {len(lost) - 1} more" if lost[1:] else "")
    them = "them" if lost[1:] else "it"
    if deleted:
        return f"the files declare {some}: {keeper.title} will make {them} again (--save)"
    if all(found_by.get(name) == REMOVED for name in lost):
        return (
            f"no file declares {some}: {keeper.title} will remove {them} (--save declares {them})"
        )
    return f"the files declare {some} otherwise: {keeper.title} will undo this (--save)"


def _floating(declared: declarations.Declarations, wishes: Mapping[AliasName, Wish]) -> str:
    """The line about the first of *wishes* with an address that floats; empty without one."""
    for pool in pools(declared):
        for name, wish in sorted(wishes.items()):
            if wish.address and wish.address in pool.places:
                return (
                    f"{name}: {pool.spelled(wish.address)} belongs to {pool.title} ({pool.place}):"
                    f" another host may have it, and both would answer (netalias {name}-)"
                )
    return ""


def _returning(
    keeper: Keeper, declared: declarations.Declarations, mine: Iterable[AliasName]
) -> str:
    """The line about the first of these aliases that floats, which a watcher makes again; empty
    without one."""
    for pool in pools(declared) if keeper.resident else ():
        for name in sorted(mine):
            if name.main == pool.main and name.slot in pool.slots:
                return (
                    f"{name} belongs to {pool.title} ({pool.place}): {keeper.title} makes it again"
                    " for as long as the cluster has it here (netalias cluster drain)"
                )
    return ""


def _contradicts(wish: Wish, declared: Wish) -> bool:
    """Whether a word of a command says something else than the line of the alias."""
    return any(
        said != _value(declared, key)
        for key in WORDS
        if (said := _value(wish, key)) is False or said not in UNSAID
    )


def _value(wish: Wish, key: str) -> object:
    """The value that the words of a wish give *key*; without a word a line is up, and a host."""
    found: object = getattr(wish, key)
    if key == "up" and found is None and wish.address:
        return True
    if key == "prefixlen" and found is None and wish.type is not None:
        return wish.type.bits
    return found


def _named(words: Sequence[str], snapshot: Snapshot) -> set[AliasName]:
    """The aliases that the names at the beginning of a command stand for."""
    found = set()
    for word in words:
        main, slots = ranges.slots(word.removesuffix("-"))
        device = snapshot.device(main)
        found |= {AliasName(device.name if device else main, slot) for slot in slots}
    return found


def _declared(engine: Engine, keeper: Keeper) -> declarations.Declarations:
    """The declarations in the files of *keeper*. Raises StateError, DeclarationError."""
    texts = sources.decode(sources.read_named(keeper.files))
    declared = declarations.parse(texts, engine.registry, withheld)
    declarations.check(declared)
    return declared


def found(engine: Engine, netns: str, root: str = "") -> Keeper | None:
    """The keeper of the aliases of the namespace, None without one. Cron jobs count for the
    namespace *netns* that they name, and the timer for that of the host."""
    folder = engine.runtime.path
    watcher = instance.running(folder) if folder else None
    if watcher is not None:
        return Keeper(f"netalias watch (pid {watcher.pid})", watcher.files, resident=True)
    for file in _crontabs(root):
        for line in _lines(file):
            files = job(line, netns)
            if files is not None:
                return Keeper(f"the cron job in {file}", files)
    for file in TIMERS if not netns else ():
        if os.path.lexists(root + file):
            return Keeper("netalias.timer")
    return None


def job(line: str, netns: str) -> list[str] | None:
    """The files of ``netalias reconcile [FILE]...`` in a line of a crontab, for the namespace
    *netns*; None if the line does something else."""
    words = line.partition("#")[0].split()
    at = next((n for n, word in enumerate(words) if word.rpartition("/")[2] == NAME), -1)
    if at < 0 or VERB not in words[at:]:
        return None
    verb = words.index(VERB, at)
    options = words[at + 1 : verb]
    pairs = pairwise(options)
    if "".join(word for option, word in pairs if option in NETNS) != netns:
        return None
    files = []
    for word in words[verb + 1 :]:
        if word[0] in ";&|<>12":
            break
        if word.startswith("/"):
            files.append(word)
    return files


def _crontabs(root: str) -> Iterator[str]:
    yield from (root + file for file in CRONTABS)
    for folder in CRON_FOLDERS:
        try:
            entries = sorted(os.listdir(root + folder))
        except OSError:
            continue
        yield from (f"{root}{folder}/{name}" for name in entries if "." not in name)


def _lines(file: str) -> list[str]:
    """The lines of a crontab; none if it cannot be read."""
    try:
        opened = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(opened, SIZE).decode("utf-8", "surrogateescape").split("\n")
    except OSError:
        return []  # a folder
    finally:
        os.close(opened)
