"""The verbs that only read: show, lookup, cat, types; and emulate."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli.output import harmless, narrow, width, write
from netalias.model import Snapshot
from netalias.model.names import printable, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.engine.kept import KeptAddress
    from netalias.model import Alias
    from netalias.observed import Observed
    from netalias.views.proxies import Published

SUBJECTS = {"physical": "cli.link.physical", "bundle": "cli.bundle.show"}
"""First word after show: the module and the function in it. A main device that is called so is
shown by ``show dev physical``."""


TUNNELS = ("tunnels", "tunnel")
"""Words in the place of a name that stand for all tunnels."""


def detail(options: Options, engine: Engine, name: str) -> int:
    """Print the details of one alias (``netalias eth0:0``); the exit status."""
    from netalias.model.names import parse
    from netalias.observed.query import select

    observed = engine.observe_one(parse(name)[0])
    aliases = select(observed, [name])
    if options.json or options.brief:
        return _list(options, observed, aliases)
    from netalias.views import detail as plain

    between = "\\  " if options.oneline else "\n    "
    write(between.join(map(printable, plain.detail(aliases[0], observed.registry))) + "\n")
    return errors.STATUS_OK


def show(options: Options, words: list[str]) -> int:
    """Print all aliases in chain order, or those that *words* select; the exit status."""
    if words and words[0] in SUBJECTS:
        module, _, function = SUBJECTS[words[0]].rpartition(".")
        home = __import__(f"netalias.{module}", fromlist=[function])
        return int(getattr(home, function)(options, words[1:]))
    words = named(words)
    if words and (words[0] in TUNNELS or words[0].startswith(("vif", "relay"))):
        from netalias.cli.vif import shown

        if shown(options, words):
            return errors.STATUS_OK
    with options.engine() as engine:
        observed = _observed(engine, options, words)
        proxies = engine.kernel.proxies()
    aliases = _selected(observed, words)
    if options.family:
        aliases = [alias for alias in aliases if alias.family == options.family]
    found: Sequence[Published] = ()
    if proxies:
        from netalias.views import proxies as published

        found = published.select(proxies, observed.snapshot, words, options.family)
    if options.details:
        old = engine.saved(observed).values
        return _details(options, observed, aliases, old, found, _kept(engine, options, words))
    return _list(options, observed, aliases, found)


def _observed(engine: Engine, options: Options, words: list[str]) -> Observed:
    """The observed state; that of one alias is enough for a line about it."""
    name = split(words[0]) if len(words) == 1 and not (options.details or options.tree) else None
    return engine.observe_one(name) if name is not None else engine.observe()


def named(words: list[str]) -> list[str]:
    """The names in the words of a verb, without the ``dev`` of ip(8) before them."""
    return words[1:] if words[:1] == ["dev"] and words[1:] else words


def _selected(observed: Observed, words: list[str]) -> list[Alias]:
    """The aliases that *words* select, and the labels of others that no alias can be called, in
    chain order. Raises BadName, NoSuchDevice."""
    from netalias.observed import ordered

    if not (words or observed.labelled):
        return ordered(observed.aliases, observed.snapshot)
    from netalias.observed.query import select

    if not observed.labelled:
        return select(observed, words)
    from netalias.observed.unnamed import unnamed

    others = unnamed(observed, words)
    labels = {str(alias.name) for alias in others}
    rest = [word for word in words if word not in labels]
    aliases = select(observed, rest) if rest or not words else []
    return ordered(aliases + others, observed.snapshot)


def _kept(engine: Engine, options: Options, words: list[str]) -> list[KeptAddress]:
    """The former addresses that are kept, of all devices or of those that *words* name."""
    from os.path import exists

    if not exists(f"{engine.runtime.path}/kept"):
        return []
    from netalias.engine.kept import kept

    with options.engine() as another:
        found = kept(another)
    return [
        one
        for one in found
        if (not words or one.device in words) and options.family in (0, one.family)
    ]


def _details(
    options: Options,
    observed: Observed,
    aliases: list[Alias],
    old: Mapping[int, Mapping[str, int]],
    others: Sequence[Published],
    former: Sequence[KeptAddress],
) -> int:
    """Print the details of aliases, the sysctls that were set on their main devices, and former
    addresses that are kept."""
    from netalias.views import detail as plain

    if options.json or options.brief or options.tree:
        return _list(options, observed, aliases, others, former)
    between = "\\  " if options.oneline else "\n    "
    blocks = [plain.detail(alias, observed.registry) for alias in aliases]
    if others:
        from netalias.views import proxies as published

        blocks += [published.detail(one) for one in others]
    mains = {alias.main.index: alias.main for alias in aliases if alias.main is not None}
    blocks += [plain.sysctls(main, old[index]) for index, main in mains.items() if index in old]
    if former:
        from time import monotonic, time

        from netalias.views import kept as kept_views

        blocks += kept_views.details(former, monotonic(), time())
    write("".join(between.join(map(printable, block)) + "\n" for block in blocks))
    return errors.STATUS_OK


def _list(
    options: Options,
    observed: Observed,
    aliases: list[Alias],
    others: Sequence[Published] = (),
    former: Sequence[KeptAddress] = (),
) -> int:
    """Print aliases and then the published addresses *others*, in a tree below their device; as
    JSON *former* addresses too."""
    from netalias import views as rows

    if others:
        from netalias.views import proxies as published
    registry = observed.registry
    if options.json:
        from netalias.views import json
        from netalias.views.fields import fields

        objects = [fields(alias, registry) for alias in aliases]
        objects += [published.fields(one) for one in others]
        if former:
            from time import monotonic, time

            from netalias.views import kept

            now, wall = monotonic(), time()
            objects += [kept.fields(one, now, wall) for one in former]
        write(json.render(objects, pretty=options.pretty))
    elif options.tree:
        from netalias.views import tree

        encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
        more = published.branches(others) if others else {}
        drawn = tree.render(
            aliases, observed.snapshot, registry, unicode=encoding == "utf8", more=more
        )
        write("".join(printable(line[:-1]) + "\n" for line in drawn))
    elif options.oneline:
        from netalias.views import detail as plain

        lines = ["\\  ".join(plain.detail(alias, registry)) for alias in aliases]
        lines += ["\\  ".join(published.detail(one)) for one in others]
        write("".join(printable(line) + "\n" for line in lines))
    else:
        columns = rows.BRIEF if options.brief else rows.COLUMNS
        headings = [heading for heading, _ in columns]
        work = rows.rows
        if any(alias.hidden for alias in aliases):
            from netalias.views.folded import folded as work
        texts = work(aliases, registry, columns)
        texts += [published.row(one, headings) for one in others]
        _table(options, headings, texts)
    return errors.STATUS_OK


ROWS_DRAWN = 1000
"""Number of rows up to which a table is drawn: more would take seconds."""
DETAILS = "netalias -d show"
"""The command that tells what a narrow table has no room for."""


def _table(options: Options, headings: list[str], rows: Sequence[Sequence[str]]) -> None:
    if not rows and not options.brief:
        return
    from netalias.views import aligned

    rows = harmless(rows)
    if options.brief:
        if rows and options.color == "always":
            from netalias.views.columns import painted

            write(painted(rows))
            return
        write(aligned(rows[0], rows[1:]) if rows else "")
        return
    if len(rows) <= ROWS_DRAWN and draws(options):
        from netalias.views.table import render

        drawn = render(
            headings, rows, sys.stdout, color=colors(options), width=width(), where=DETAILS
        )
        if drawn:
            write(drawn)
            return
    narrow(headings, rows, DETAILS)


def draws(options: Options) -> bool:
    """Whether standard output is a terminal that can show a drawn table."""
    from os import environ

    if sys.stdout is None:
        return False
    if options.color == "always":
        return True
    return environ.get("TERM", "dumb") != "dumb" and sys.stdout.isatty()


def colors(options: Options) -> bool:
    """Whether to use colors: not if NO_COLOR is set and not empty (no-color.org), unless with
    --color=always."""
    from os import environ

    if options.color == "auto":
        return not environ.get("NO_COLOR")
    return options.color == "always"


def lookup(options: Options, words: list[str]) -> int:
    """Print the alias that owns an address; the exit status, STATUS_NONE without one."""
    if not 1 <= len(words) <= 2:
        raise errors.UsageError("lookup needs one address")
    if len(words) > 1:
        from netalias.desired import guess_type

        if guess_type(words[0]):
            raise errors.UsageError(
                f"lookup takes one address, and {words[1]} is a second one",
                f"netalias lookup {words[0]}",
            )
    with options.engine() as engine:
        try:
            alias = engine.owner(words[-1], words[0] if len(words) > 1 else "")
        except errors.BadAddress:
            if len(words) > 1:
                raise
            from netalias.cli.hints import no_address

            raise no_address(words[0], engine.observe()) from None
        nothing = engine.recognise(Snapshot())
    if options.json:
        _list(options, nothing, [] if alias is None else [alias])
    if alias is None:
        return errors.STATUS_NONE
    if options.json:
        return errors.STATUS_OK
    if not options.quiet:
        write(f"{printable(str(alias.name))}\n")
    return errors.STATUS_OK


def cat(options: Options, words: list[str]) -> int:
    """Print one of the texts that Linux 2.0 had in /proc/net; the exit status."""
    if len(words) != 1:
        raise errors.UsageError("cat needs one name: aliases or alias_types")
    from netalias.views.texts import texts

    with options.engine() as engine:
        tree = texts(engine.observe)
        if words[0] not in tree.listdir():
            raise errors.UsageError(
                f"cat {words[0]}: there is no such text", "aliases or alias_types"
            )
        with tree.open(words[0]) as handle:
            text = handle.read().decode("utf-8", "surrogateescape")
        if sys.stdout is not None and sys.stdout.isatty():  # elsewhere every byte counts
            text = "".join(printable(line) + "\n" for line in text.split("\n")[:-1])
        write(text)
    return errors.STATUS_OK


def types(options: Options, words: list[str]) -> int:
    """Print the alias types with the numbers of their aliases; the exit status."""
    _none_more("types", words)
    from netalias.families import installed

    options.registry = installed()
    with options.engine() as engine:
        observed = engine.observe()
    registry = observed.registry
    registry.recount(observed.aliases)
    found = [(one.family, one.name, registry.n_attach(one)) for one in registry.types()]
    if options.json:
        from netalias.views import json

        keys = ("family", "name", "n_attach")
        objects = [dict(zip(keys, row, strict=True)) for row in found]
        write(json.render(objects, pretty=options.pretty))
    else:
        rows = [(str(family), name, str(count)) for family, name, count in found]
        _table(options, ["FAMILY", "NAME", "N_ATTACH"], rows)
    return errors.STATUS_OK


def emulate(options: Options, words: list[str]) -> int:
    """Execute a script on the engine of Linux 2.0 in memory; the exit status."""
    from netalias import emulator

    if sys.stdin is None or sys.stdout is None:
        raise errors.StateError("standard input or output is closed")
    return emulator.main(words, sys.stdin, sys.stdout, sys.stderr)


def _none_more(verb: str, words: list[str]) -> None:
    if words:
        raise errors.UsageError(f"{verb} takes no words: {words[0]}")
