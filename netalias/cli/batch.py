"""The verb batch: many commands in one process."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli import number as number_of
from netalias.cli.changes import check_line
from netalias.cli.output import complain, explain, held, tell
from netalias.model.listing import rest
from netalias.plan import steps_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.cli import Options
    from netalias.cli.firewall import FirstDevices
    from netalias.engine import Engine
    from netalias.engine.batch import Batch, Command
    from netalias.engine.loans import Lender
    from netalias.plan import Difference


STAYING = ("monitor", "rollback", "top", "watch", "vif", "record", "relay")
"""Verbs that would wait while other runs wait for the lock."""


class Interrupted(KeyboardInterrupt):
    """A signal in the middle of the work; ``rest`` tells what is done (cli/output.py)."""

    def __init__(self, error: KeyboardInterrupt, rest: str) -> None:
        super().__init__(*error.args)
        self.rest = rest


def batch(options: Options, words: list[str]) -> int:
    """Execute the commands of a file; the exit status, that of the first error."""
    name, text, most = read(options, words)
    from netalias.cli.floating import mark
    from netalias.cli.zeros import refuse
    from netalias.engine.batch import parse_commands

    made = _devices(options)
    with options.engine() as first:
        parsed = parse_commands(text, first.registry, name, force=options.force, most=most)
        refuse(first, parsed)
        if not options.force:
            mark(options, first, parsed)
        with held(), first.transaction(dry=options.dry_run) as transaction:
            work = executed(options, first, transaction.path, name, parsed, made)
        if made is not None:
            made.tell(first)
    return report(options, name, [work])


def read(options: Options, words: list[str]) -> tuple[str, str, int]:
    """Name and text of the file of commands, and how many aliases it may have. Raises UsageError,
    StateError."""
    if len(words) != 1:
        raise errors.UsageError("batch needs one file, or - for standard input")
    from netalias import sources
    from netalias.desired.declarations import MOST

    most = number_of("--max-aliases", options.max_aliases, MOST, 1)
    ((name, text),) = sources.decode(sources.read(words))
    return name, text, most


def report(options: Options, name: str, works: Sequence[Batch], left: int = 0) -> int:
    """Tell what went wrong in the runs of one file, after which *left* commands were left out; the
    exit status, that of the first error."""
    from netalias.desired.declarations import counted
    from netalias.disclosure import shown, withheld

    failed = [one for work in works for one in work.failed]
    skipped = left + sum(work.skipped for work in works)
    warned = sum(work.warned for work in works)
    for line in rest(warned, "warning") if not options.quiet else ():
        complain(f"{name}: {line}", "warning: ")
    for number, error in failed:
        if withheld(name):
            complain(f"{name}:{number}: {shown(name, error)}")
        else:
            explain(error, f"{name}:{number}: ")
    for line in rest(sum(work.wrong for work in works)):
        complain(f"{name}: {line}")
    if skipped:
        complain(f"{name}: not done after that: {counted(skipped, 'command')}")
    return failed[0][1].status if failed else errors.STATUS_OK


def many(options: Options, words: list[str]) -> int:
    """Execute a command for a range of slots or for several names; the exit status."""
    from netalias.engine.batch import parse_command
    from netalias.families import lazy

    options.registry = lazy()
    return carry_out(options, parse_command(words, options.registry))


def carry_out(options: Options, parsed: list[Command]) -> int:
    """Execute the *parsed* commands of one command line; the exit status."""
    from netalias.desired.declarations import counted

    deleting, forced = parsed[0].deletes, options.force
    # What is missing keeps nothing else from being deleted or changed.
    options.force = options.force or all(one.wish and not one.wish.address for one in parsed)
    made = _devices(options)
    with options.engine() as first:
        if not forced:
            from netalias.cli.floating import mark

            mark(options, first, parsed)
        with held(), first.transaction(dry=options.dry_run) as transaction:
            work = executed(options, first, transaction.path, "", parsed, made)
        if made is not None:
            made.tell(first)
    failed = [error for _, error in work.failed if not (deleting and options.forgives(error))]
    for error in _folded(failed):
        explain(error)
    for line in rest(work.wrong) if failed and len(failed) == len(work.failed) else ():
        complain(line)
    if work.skipped:
        complain(f"not done because of that: {counted(work.skipped, 'alias')}")
    return failed[0].status if failed else errors.STATUS_OK


MISSING = "there is no such alias"
ABSENT = "there are no such aliases"


def _folded(failed: Sequence[errors.NetaliasError]) -> list[errors.NetaliasError]:
    """The errors, with one for aliases in a row that have the same one but for the name."""
    import re

    from netalias.model.names import AliasName, split

    found: list[errors.NetaliasError] = []
    first = last = None
    shape: list[str] = []
    for error in failed:
        start, _, text = str(error).partition(": ")
        name, former = split(start), shape
        spelled = re.compile(rf"{re.escape(start)}(?!\d)")
        shape = [spelled.sub("", words) for words in (text, error.hint, *error.details)]
        next_one = name is not None and last == AliasName(name.main, name.slot - 1)
        if name is None or not next_one or shape != former:
            first = name
            found.append(error)
        else:
            row = f"{first}-{name.slot}"
            text = ABSENT if text == MISSING else spelled.sub(row, text)
            found[-1] = errors.NetaliasError(f"{row}: {text}", spelled.sub(row, error.hint))
            found[-1].details = error.details
        last = name
    return found


def executed(
    options: Options,
    first: Engine,
    path: str,
    name: str,
    parsed: list[Command],
    made: FirstDevices | None = None,
) -> Batch:
    """The run of *parsed* commands on *first*, or on a rehearsal of it, under the lock of the
    runtime directory *path*; *name* is the file that they are of, or empty. *made* notes the alias
    devices."""
    from netalias.engine.batch import Batch

    engine, lender = first, _lender(first, path, options)
    if options.dry_run:
        from netalias.cli.rehearsal import rehearsal

        engine = rehearsal(first)
        path = ""
    work = Batch(
        engine, _runner(engine, path, options, lender), _warner(options, name), force=options.force
    )

    def done(items: list[Difference]) -> None:
        if made is not None:
            made.take(items)
        tell(options, steps_of(items))

    work.tell = done
    try:
        work.run(parsed)
    except KeyboardInterrupt as error:  # what was under way is undone
        rest = f": {work.done} of {len(parsed)} changes are done, the others undone"
        raise Interrupted(error, rest) from None
    return work


def _devices(options: Options) -> FirstDevices | None:
    """The alias devices to be made, where somebody would read about them."""
    if options.quiet or options.dry_run or sys.stderr is None or not sys.stderr.isatty():
        return None
    from netalias.cli.firewall import FirstDevices

    return FirstDevices(options)


def _lender(engine: Engine, path: str, batch: Options) -> Callable[[], Lender]:
    """A function that gives the loans of pools, the same ones to all lines of a batch."""
    found: list[Lender] = []

    def lender() -> Lender:
        if not found:
            from netalias.cli.pool import lender_of

            found.append(lender_of(engine, path, batch))
        return found[0]

    return lender


def _runner(
    engine: Engine, directory: str, batch: Options, lender: Callable[[], Lender]
) -> Callable[[list[str]], int]:
    """A function that executes the words of one line.

    *directory* is the runtime directory, whose lock is held; empty for a rehearsal, which writes no
    file. *batch* are the options of the batch itself, of which --force, --verbose and --dry-run
    apply to each line. *lender* gives the loans of pools.
    """
    from netalias import cli
    from netalias.runtime.private import PrivateDirectory

    rehearsal = batch.dry_run

    def opener(options: Options) -> Engine:
        if rehearsal:
            options.metrics = ""
            options.save = False
        return engine.lent(
            runtime=PrivateDirectory(directory),
            registry=options.registry or engine.registry,
            hands_off=engine.setup.hands_off or options.hands_off,
            policy=cli.policy(options, engine.policy),
            changed=options.changes,
        )

    def run(words: list[str]) -> int:
        asked = cli.Options(opener)
        rest = cli.parse_options(words, asked)
        verb = cli.find_verb(rest[0]) if rest and ":" not in rest[0] else ""
        _check_options(asked, verb)
        if verb == "batch":
            raise errors.UsageError("batch: a batch in a batch")
        if verb in STAYING:
            raise errors.UsageError(f"{verb} has no place in a batch, which holds the lock")
        if verb and "-" in rest[1:]:
            raise errors.UsageError(f"{verb} -: a batch, which holds the lock, waits for no input")
        if rehearsal and verb == "confirm":
            return errors.STATUS_OK
        options = cli.Options(opener)
        options.force = batch.force
        options.verbose = batch.dry_run or batch.verbose
        options.lender = lender
        if batch.changes is None:
            return cli.run(words, options)
        check_line(verb, rest, asked)
        options.changes = []
        try:
            return cli.run(words, options)
        finally:
            if rehearsal or not asked.dry_run:
                batch.changes += options.changes

    return run


def _check_options(options: Options, verb: str) -> None:
    """Raises UsageError for an option that belongs to the whole batch, or to none."""
    if options.netns or options.group or options.wait:
        raise errors.UsageError("--netns, --group and --wait stand before batch")
    if options.confirm:
        raise errors.UsageError("--confirm has no place in a batch")
    if options.source and verb == "pool":
        raise errors.UsageError("--from stands before batch")


def _warner(options: Options, name: str) -> Callable[[str], None]:
    """A function that warns of ``LINE: TEXT`` in the file *name*, which is empty for none."""
    from netalias.disclosure import withheld

    def warn(text: str) -> None:
        reason = withheld(name)
        if reason:
            text = f"{text.partition(':')[0]}: a warning ({reason})"
        if not options.quiet:
            complain(f"{name}:{text}" if name else text.partition(": ")[2], "warning: ")

    return warn
