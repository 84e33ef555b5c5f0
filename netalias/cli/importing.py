"""The verb import: files of other programs, and labels of others, as lines of a file."""

from __future__ import annotations

from netalias import errors, sources
from netalias.cli.adopting import taken
from netalias.cli.output import complain, write
from netalias.desired import export, parse
from netalias.desired.declarations import counted
from netalias.families import lazy
from netalias.model import address_text, names
from netalias.model.listing import first
from netalias.observed import ordered
from netalias.sources import STDIN, STDIN_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.importers import Imported
    from netalias.importers.slots import Found
    from netalias.model import Alias
    from netalias.observed import Observed

KERNEL = "kernel"
"""The format of labels that stand in no file, and their place."""


def import_(options: Options, words: list[str]) -> int:
    """Print aliases of other formats, and labels of others, as lines of a file; the exit status."""
    from netalias.importers import read

    _check(options, words)
    mapping = _mapping(options.mapping)
    with options.engine() as engine:
        observed = engine.observe()
    labels = options.source == KERNEL or not (words or options.source)
    given = dict(sources.read([STDIN])) if STDIN in words else {}
    found = read(
        [STDIN_NAME if word == STDIN else word for word in words],
        options.source,
        every=options.every,
        kind=options.kind,
        mapping=mapping,
        more=_labels(observed) if labels else [],
        given=given,
        taken=taken(observed),
    )
    if options.json:
        from netalias.views import json

        write(json.render(found.objects, pretty=options.pretty))
    else:
        lines = found.lines if options.verbose else found.folded
        write("".join(f"{names.printable(line)}\n" for line in lines))
    if not options.quiet:
        for note in first([*found.unused, *found.notes], "warning"):
            complain(note, "warning: ")
        complain(_summary(found))
    if options.adopt:
        _adopt(options, found)
    return errors.STATUS_OK


def _adopt(options: Options, found: Imported) -> None:
    """Adopt what the printed lines declare and others have made. Raises StateError, KernelError,
    OSError where the lines could not be written: an adopted label that no file declares is removed
    by the next reconciliation."""
    from sys import stdout

    from netalias.cli.adopting import adopt_wishes

    stdout.flush()
    registry = lazy()
    rows = [row for row in found.rows if not row.found.asleep]
    wishes = [parse([str(row.name), *row.found.words], registry) for row in rows]
    with options.engine() as engine, engine.transaction():
        done = adopt_wishes(engine, wishes)
    if not options.quiet:
        for note in first(done.notes, "warning"):
            complain(note, "warning: ")
        complain(f"{counted(done.count, 'label')} adopted")


def _check(options: Options, words: list[str]) -> None:
    """Raises UsageError, KindError."""
    from netalias.importers import FORMATS

    formats = (KERNEL, *FORMATS)
    if options.source and options.source not in formats:
        from netalias.desired import nearest

        near = nearest(options.source, formats)
        hint = f"did you mean {near}?" if near else f"one of {', '.join(formats)}"
        raise errors.UsageError(f"--from {options.source}: there is no such format", hint)
    if options.source == KERNEL and words:
        raise errors.UsageError(f"--from {KERNEL} reads no file: {words[0]}")
    if options.kind:
        try:
            parse(["lo:0", "kind", options.kind], lazy())
        except errors.NetaliasError as error:
            text = str(error).removeprefix(f"lo:0: kind {options.kind}: ")
            raise errors.UsageError(f"--kind {options.kind}: {text}", error.hint) from None


def _mapping(text: str) -> dict[str, str]:
    """The names of ``em0=eth0,em1=eth1``. Raises UsageError, BadName."""
    found = {}
    for pair in filter(None, text.split(",")):
        old, equals, new = pair.partition("=")
        if not (old and equals):
            raise errors.UsageError(f"--map {pair}: OLD=DEVICE is needed")
        names.check_device(new)
        found[old] = new
    return found


def _labels(observed: Observed) -> list[Found]:
    """The labels in the kernel that netalias did not make."""
    from netalias.observed.unnamed import unnamed

    foreign = [one for one in ordered(observed.aliases, observed.snapshot) if not one.ours]
    return [_found(one, observed) for one in (*foreign, *unnamed(observed))]


def _found(alias: Alias, observed: Observed) -> Found:
    from netalias.importers.slots import Found

    address = f"{address_text(alias.family, alias.address)}/{alias.prefixlen}"
    words = export.words(alias, observed.registry) or []
    return Found(str(alias.name), alias.address, [address, *words], KERNEL)


def _summary(found: Imported) -> str:
    """``281 aliases of 5 files (interfaces), 2 notes``."""
    asleep = sum(bool(row.found.asleep) for row in found.rows)
    parts = [counted(len(found.rows) - asleep, "alias")]
    if found.files:
        parts[0] += f" of {counted(found.files, 'file')} ({', '.join(found.formats)})"
    if asleep:
        parts.append(f"{asleep} more as comments")
    if found.notes:
        parts.append(counted(len(found.notes), "note"))
    return ", ".join(parts)
