"""What somebody may not expect of a command: a watcher takes it back, or it wants another word."""

from __future__ import annotations

import sys

from netalias import errors, sources
from netalias.cli.output import complain
from netalias.desired import declarations
from netalias.desired.index import Index
from netalias.model.names import AliasName, split

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.observed import Observed
    from netalias.runtime.instance import Running

MOST = 1 << 20
"""Bytes of declarations that are read for a hint: a fifth of a second."""


def advise(options: Options, engine: Engine, changed: Iterable[AliasName]) -> None:
    """At a terminal tell which watcher puts the aliases *changed* back as they are declared;
    nothing without one, or if its files cannot be read."""
    from netalias.runtime.instance import running

    if options.quiet or options.dry_run or sys.stderr is None or not sys.stderr.isatty():
        return
    try:
        folder = engine.runtime.path
        found = running(folder) if folder else None
        if found is None:
            return
        text = _text(found, engine, list(changed))
    except errors.NetaliasError:
        return
    if text:
        complain(text)


def _text(found: Running, engine: Engine, changed: list[AliasName]) -> str:
    """One line about aliases that the watcher *found* declares; empty without any."""
    files = sources.read(found.files)
    if sum(len(content) for _, content in files) > MOST:
        return ""
    index = Index(declarations.parse(sources.decode(files), engine.registry))
    mains = engine.kernel.snapshot()
    again = []
    for name in changed:
        main = mains.device(name.main)
        known = (AliasName(one, name.slot) for one in (name.main, *(main.altnames if main else ())))
        again += [name for one in known if one in index and index.heals(one)][:1]
    if not again:
        return ""
    others = f" and {len(again) - 1} more" if again[1:] else ""
    return (
        f"{again[0]}{others}: declared, so netalias watch (pid {found.pid}) makes it so again:"
        " change its file to keep this"
    )


def no_address(word: str, observed: Observed) -> errors.BadAddress:
    """The error for a word that is no address of a type that is told by its form."""
    named = observed.snapshot.device(word) or split(word) in observed.by_name
    hint = f"netalias show {word}" if named else ""
    return errors.BadAddress(f"{word}: neither an IPv4 nor an IPv6 address", hint)
