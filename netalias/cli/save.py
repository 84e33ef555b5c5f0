"""The verb save, which prints aliases as lines of a file."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli.output import complain, write
from netalias.cli.show import named
from netalias.desired import export
from netalias.desired.lines import COMMENT
from netalias.model import AF_INET, PROTOCOL
from netalias.model.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.families import Registry
    from netalias.model import Alias, Snapshot
    from netalias.model.names import AliasName
    from netalias.observed import Observed


def save(options: Options, words: list[str]) -> int:
    """Print the aliases of the kernel as lines of a file; the exit status."""
    from netalias.observed.query import only, select

    with options.engine() as engine:
        observed = engine.observe()
        aliases = _own(engine, _by_slot(select(observed, named(words))))
    if options.only:
        main = only(observed, options.only)
        aliases = [alias for alias in aliases if alias.main is main]
    early = _early(options, engine, observed, aliases)
    _find_sources(aliases, observed.snapshot)
    tasks = _tasks(engine.runtime.path, named(words), options.only)
    if options.json:
        from netalias.views import json

        objects = export.objects(aliases, observed.registry, mac=options.mac)
        objects += [one.fields() for one in tasks]
        write(json.render(objects, pretty=options.pretty))
    else:
        lines = [*export.lines(aliases, observed.registry, mac=options.mac)]
        lines += [one.text for one in tasks]
        lines += [_comment(alias) for alias in early if not alias.sheltered]
        shown = printable if sys.stdout is not None and sys.stdout.isatty() else str
        write("".join(f"{shown(line)}\n" for line in lines))
    lost = _lost([alias for alias in aliases if alias.ours], observed.registry)
    for name, reason in lost:
        complain(f"{name}: a file cannot declare it: {reason}")
    return errors.STATUS_KERNEL if lost else errors.STATUS_OK


def _own(engine: Engine, aliases: list[Alias]) -> list[Alias]:
    """Those of *aliases* that stand for no loan: a file would bring one back after its end."""
    if not any(alias.lease for alias in aliases):
        return aliases
    from netalias.engine.lent import Lent

    lent = Lent(engine)
    return [alias for alias in aliases if not lent.pool(alias)]


def _tasks(folder: str, words: list[str], only: str) -> list[Task]:
    """The tasks that a watcher carries out, and tunnels that were made by hand, of all devices or
    of those that are named."""
    from os import listdir
    from os.path import exists

    files = listdir(folder) if folder and exists(folder) else []
    if not any(
        name in ("floats", "following", "records", "tasks", "tunnels") or name.endswith(".tunnel")
        for name in files
    ):
        return []
    from netalias.desired.tasks import read
    from netalias.runtime.tasks import carried_out
    from netalias.runtime.tunnels import carried

    by_hand = [one.line for one in carried(folder)]
    found = [read(line.split()) for line in dict.fromkeys([*carried_out(folder), *by_hand])]
    wanted = [*words, *([only] if only else ())]
    return [one for one in found if not wanted or one.main in wanted]


def _lost(aliases: list[Alias], registry: Registry) -> list[tuple[AliasName, str]]:
    """The names of those of *aliases* that a file cannot declare, and why."""
    found = []
    for alias, reason in zip(aliases, export.repeated(aliases, registry), strict=True):
        if alias.name.main.startswith("#"):
            found.append((alias.name, "its name would begin a comment"))
        elif reason:
            found.append((alias.name, reason))
    return found


def _early(
    options: Options, engine: Engine, observed: Observed, aliases: list[Alias]
) -> list[Alias]:
    """The IPv4 labels that come before own addresses of their main device, though no file declares
    it (source on): who came first is no wish, so they are as if they came behind."""
    found = [one for one in aliases if one.family == AF_INET and one.sheltered and one.ours]
    if not found:
        return []
    declared = _declared(options, engine, observed)
    early = [one for one in found if one.name not in declared or declared[one.name].source != "on"]
    for alias in early:
        alias.sheltered = False
    return early


def _declared(options: Options, engine: Engine, observed: Observed) -> dict[AliasName, Wish]:
    """The aliases that the files of the watcher declare, or those of the host, as far as they can
    be read."""
    from netalias.doctor.intended import wishes
    from netalias.runtime.instance import running
    from netalias.sources import default_files

    watcher = running(engine.runtime.path) if engine.runtime.path else None
    if watcher is None and options.netns:
        return {}
    files = watcher.files if watcher is not None else ()
    try:
        return wishes(files or default_files(), observed, [])[0]
    except errors.NetaliasError:
        return {}


def _comment(alias: Alias) -> str:
    return (
        f"{COMMENT} {alias.name}: it came before the own addresses of {alias.name.main}, where no"
        " file declares it; source on would keep it there"
    )


def _find_sources(aliases: list[Alias], snapshot: Snapshot) -> None:
    """Note which IPv4 aliases keep a network that their main device has itself (source on), as is
    known already of labels that are declared to come before its own addresses."""
    from netalias.plan.routes import covers

    for alias in aliases:
        entry, main = alias.entry, alias.main
        if entry is not None and main is not None and entry.family == AF_INET and entry.routed:
            own = (one for one in snapshot.on(main.index) if one.protocol != PROTOCOL)
            alias.sheltered |= any(covers(one, entry) for one in own if one is not entry)


def _by_slot(aliases: list[Alias]) -> list[Alias]:
    """The aliases by main device in chain order, then by slot, for readability."""
    mains = {
        name: place
        for place, name in enumerate(dict.fromkeys(alias.name.main for alias in aliases))
    }
    return sorted(aliases, key=lambda alias: (mains[alias.name.main], alias.name.slot))
