"""The option --save of batch: what its lines do is written into the files of declarations too.

Commands whose order does not matter are one group: its files are replaced before the kernel is
changed, as for one command. If one is refused, the files have what was done before it.
"""

from __future__ import annotations

from netalias import cli, errors, sources
from netalias.cli.batch import executed, read, report
from netalias.cli.floating import mark
from netalias.cli.output import complain, explain, held
from netalias.cli.saving import Files, contents, differs, present, present_names, primary, tell
from netalias.cli.zeros import refuse
from netalias.desired.amend import amend_all
from netalias.disclosure import withheld
from netalias.engine.batch import Command, parse_commands
from netalias.families import lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.desired.amend import Amended
    from netalias.engine import Engine
    from netalias.engine.batch import Batch
    from netalias.model.names import AliasName
    from netalias.observed import Observed

    Read = list[tuple[str, bytes]]
    Asked = list[tuple[int, list[str], Wish]]
    """Line, words and wish of commands."""

SAVED = ("adopt",)
"""Verbs of lines that have --save."""


def batch(options: Options, words: list[str]) -> int:
    """Execute the commands of a file, and declare what they make; the exit status, that of the
    first error. Raises UsageError, StateError, DeclarationError, NotPermitted."""
    if options.force:
        raise errors.UsageError(
            "--save and --force exclude each other in a batch", "--save ends at the first error"
        )
    options.save = False
    options.registry = lazy()
    name, text, most = read(options, words)
    works: list[Batch] = []
    left = 0
    with options.engine() as first:
        parsed = parse_commands(text, first.registry, name, most=most, filed=True)
        refuse(first, parsed)
        mark(options, first, parsed)
        with held(), first.transaction(dry=options.dry_run) as transaction:
            run = _Run(options, first, transaction.path, name)
            for group in _groups(parsed):
                if works and works[-1].failed:
                    left += len(group)
                else:
                    works.append(run.group(group))
            if options.dry_run:
                works = [executed(options, first, "", name, run.rehearsed)]
    return report(options, name, works, left)


def _groups(parsed: Sequence[Command]) -> Iterator[list[Command]]:
    """The commands in groups: no alias twice, no deletions among others; a verb stands alone, and
    so does a command that is refused."""
    group: list[Command] = []
    names: set[str] = set()
    for one in parsed:
        wish = one.wish
        joins = (
            bool(group)
            and wish is not None
            and group[-1].wish is not None
            and one.error is None
            and group[-1].error is None
            and str(wish.name) not in names
            and wish.delete == group[-1].deletes
        )
        if group and not joins:
            yield group
            group, names = [], set()
        group.append(one)
        if wish is not None:
            names.add(str(wish.name))
    if group:
        yield group


class _Run:
    """The execution of groups, under the lock of the runtime directory *path*; *name* is the file
    of commands. A dry run tells the lines of files only; ``rehearsed`` are the commands that are
    left to it."""

    def __init__(self, options: Options, engine: Engine, path: str, name: str) -> None:
        self._options = options
        self._engine = engine
        self._path = path
        self._name = name
        self._texts: dict[str, str] = {}
        self.rehearsed: list[Command] = []

    def group(self, group: list[Command]) -> Batch:
        """Execute a group, and write the files before; the run of its commands."""
        asked = [(one.line, one.words, one.wish) for one in group if one.wish is not None]
        if not asked or group[0].error is not None:
            return self._verb(group)
        observed = self._engine.observe()
        found = sources.read(())
        amended = self._amended(observed, found, asked)
        there = present_names(observed)
        some = [one for one in group if not _forgotten(one, observed, there, amended)]
        differs(some, observed, amended)
        options = self._options
        if (options.dry_run or options.verbose) and options.changes is None:
            tell(amended)
        if options.dry_run:
            self._texts |= amended.texts
            self.rehearsed += some
            return self._executed([])
        self._engine.kernel.permitted()
        files = Files(contents(amended, dict(found)))
        with files:
            work = self._executed(some)
            files.done = not work.failed
        for file in files.changed:
            complain(f"{file} was changed meanwhile: its lines of this batch are to be looked at")
        if work.failed:
            failing = some[len(some) - work.skipped - 1]
            self._declare(observed, found, asked[: group.index(failing)])
        return work

    def _declare(self, observed: Observed, found: Read, done: Asked) -> None:
        """Write the files for the commands that were *done* of a group."""
        try:
            files = Files(contents(self._amended(observed, found, done), dict(found)))
            with files:
                files.done = True
        except errors.NetaliasError as error:
            explain(error, "not saved: ")

    def _amended(self, observed: Observed, found: Read, asked: Asked) -> Amended:
        lines: dict[int, tuple[list[Wish], list[str]]] = {}
        for line, words, wish in asked:
            lines.setdefault(line, ([], words))[0].append(wish)
        texts = dict(sources.decode(found)) | self._texts
        return amend_all(
            list(texts.items()),
            self._engine.registry,
            lines.values(),
            present(observed, self._engine),
            target=sources.DEFAULT,
            check=sources.replaceable,
            withheld=withheld,
        )

    def _verb(self, group: list[Command]) -> Batch:
        """Execute a line of a verb, which may save for itself."""
        if self._options.dry_run:
            self.rehearsed += group
            return self._executed([])
        (one,) = group
        if one.error is None and _saves(one.words):
            one.words = ["--save", *one.words]
        return self._executed(group)

    def _executed(self, group: list[Command]) -> Batch:
        return executed(self._options, self._engine, self._path, self._name, group)


def _saves(words: list[str]) -> bool:
    """Whether the words of a line, with options, are a command that has --save."""
    options = cli.Options(lambda _: _unopened())
    rest = cli.parse_options(words, options)
    if not rest or options.save or options.help:
        return False
    if ":" in rest[0]:
        return len(rest) > 1 or rest[0].endswith("-")
    return cli.find_verb(rest[0]) in SAVED


def _unopened() -> Engine:
    raise errors.StateError("options are read without a kernel")


def _forgotten(one: Command, observed: Observed, there: set[AliasName], amended: Amended) -> bool:
    """Whether a command deletes an alias that is declared and missing: its line goes, and the
    kernel has nothing to do."""
    if one.wish is None or not one.wish.delete:
        return False
    name = primary(one.wish, observed)
    return name not in there and name in amended.declared
