"""The verbs that take aliases from one place to another: save, import, adopt, batch."""

from __future__ import annotations

import sys

from netalias import errors
from netalias.cli.output import complain, explain, write
from netalias.desired import export
from netalias.engine import Engine
from netalias.model import names
from netalias.model.names import printable
from netalias.observed.chain import ordered
from netalias.runtime.unlocked import Unlocked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.cli import Options
    from netalias.model import Alias
    from netalias.model.steps import Step


def save(options: Options, words: list[str]) -> int:
    """What the kernel has, as lines of a file."""
    from netalias.observed import query

    with options.engine() as engine:
        world = engine.world()
    aliases = _by_slot(query.select(world, words))
    if options.only:
        main = query.only(world, options.only)
        aliases = [alias for alias in aliases if alias.main is main]
    if options.json:
        from netalias.views import json

        objects = export.objects(aliases, world.registry, mac=options.mac)
        write(json.render(objects, pretty=options.pretty))
    else:
        lines = export.lines(aliases, world.registry, mac=options.mac)
        shown = printable if sys.stdout is not None and sys.stdout.isatty() else str
        write("".join(f"{shown(line)}\n" for line in lines))
    lost = [alias for alias in aliases if alias.ours and alias.name.main.startswith("#")]
    for alias in lost:
        complain(f"{alias.name}: a file cannot say it: the name begins a comment")
    return errors.STATUS_KERNEL if lost else errors.STATUS_OK


def _by_slot(aliases: list[Alias]) -> list[Alias]:
    """In a file the order of the slots says more than that in which they were made."""
    mains = {
        name: place
        for place, name in enumerate(dict.fromkeys(alias.name.main for alias in aliases))
    }
    return sorted(aliases, key=lambda alias: (mains[alias.name.main], alias.name.slot))


def import_(options: Options, words: list[str]) -> int:
    """Lines of a file out of interfaces(5), and of labels that others made."""
    if len(words) > 1:
        raise errors.UsageError(f"import takes one file: {words[1]}")
    lines, notes = _interfaces(words)
    with options.engine() as engine:
        world = engine.world()
    said = {line.split()[0] for line in lines}
    others = [
        alias
        for alias in ordered(world.aliases, world.snapshot)
        if not alias.ours and str(alias.name) not in said
    ]
    lines += export.foreign(others, world.registry)
    write("".join(f"{printable(line)}\n" for line in lines))
    for note in notes if not options.quiet else ():
        complain(note, "warning: ")
    return errors.STATUS_OK


def _interfaces(words: list[str]) -> tuple[list[str], list[str]]:
    """Lines and notes out of the file that is named; the usual one may be missing."""
    from os.path import exists

    from netalias.importers import ifupdown

    if not words and not exists(ifupdown.DEFAULT):
        return [], []
    found = ifupdown.read(*words)
    return found.lines, found.notes


def adopt_(options: Options, words: list[str]) -> int:
    """Put our mark on labels that others made."""
    if not words:
        raise errors.UsageError("adopt needs the name of a label: netalias adopt eth0:0")
    from netalias.engine import adopt

    wanted = [names.parse(word)[0] for word in words]
    with options.engine() as engine, engine.locked():
        work = adopt.plan if options.dry_run else adopt.adopt
        steps = work(engine, wanted)
    if options.dry_run or options.verbose:
        write("".join(f"{step.describe()}\n" for step in steps))
    return errors.STATUS_OK


class Borrowed(Engine):
    """The engine of a batch for one of its commands, which neither locks nor closes it.

    *folder* is that of the lock that is held.
    """

    def __init__(self, engine: Engine, folder: str) -> None:
        super().__init__(
            engine.kernel,
            engine.registry,
            group=engine.group,
            hands_off=engine.hands_off,
            within=engine.within,
        )
        self._folder = folder
        self._kept = engine.remembered()
        self.segment = engine.segment
        self.aside = engine.aside
        self.policy = engine.policy

    def locked(self) -> Unlocked:
        """It is locked already."""
        held = Unlocked()
        held.folder = self._folder
        return held

    def close(self) -> None:
        """It is used further."""


def batch(options: Options, words: list[str]) -> int:
    """Many commands in one process."""
    if len(words) != 1:
        raise errors.UsageError("batch needs one file, or - for standard input")
    from netalias import sources
    from netalias.desired.declarations import counted
    from netalias.engine.batch import Batch

    ((name, text),) = sources.decode(sources.read(words))
    with options.engine() as engine, engine.locked() as lock:
        if options.dry_run:
            _rehearse(engine)
        work = Batch(
            engine,
            _runner(engine, lock.folder, options),
            _warner(options, name),
            force=options.force,
        )
        if options.dry_run or options.verbose:
            work.tell = _tell
        work.run(text.split("\n"))
    for number, error in work.failed:
        explain(error, f"{name}:{number}: ")
    if work.skipped:
        complain(f"{name}: not done after that: {counted(work.skipped, 'command')}")
    return work.failed[0][1].status if work.failed else errors.STATUS_OK


def _rehearse(engine: Engine) -> None:
    """Put a copy in memory in the place of the kernel: each command sees what those before did."""
    from netalias.kernel.memory import KINDS, Memory

    kernel = engine.kernel
    kinds = [kind for kind in KINDS if engine.able(kind)]
    engine.rehearse(Memory.holding(kernel.snapshot(), kinds, kernel.proxies()))
    kernel.close()


def _tell(steps: Iterable[Step]) -> None:
    write("".join(f"{step.describe()}\n" for step in steps))


def _runner(engine: Engine, folder: str, batch: Options) -> Callable[[list[str]], int]:
    """A function that executes the words of one line; a rehearsal leaves no file behind.

    *batch* are the options of the batch itself: what prints the steps, prints those of each line.
    """
    from netalias import cli

    rehearsal = batch.dry_run
    verbose = batch.dry_run or batch.verbose

    def opener(options: Options) -> Engine:
        if options.netns or options.group or options.wait:
            raise errors.UsageError("--netns, --group and --wait stand before batch")
        if options.confirm:
            raise errors.UsageError("--confirm has no place in a batch")
        if rehearsal:
            options.metrics = ""
        borrowed = Borrowed(engine, "" if rehearsal else folder)
        borrowed.hands_off = engine.hands_off or options.hands_off
        cli.set_policy(borrowed, options)
        return borrowed

    def run(words: list[str]) -> int:
        if words[0] == "batch":
            raise errors.UsageError("batch: a batch in a batch")
        if rehearsal and words[0] == "confirm":
            return errors.STATUS_OK
        options = cli.Options(opener)
        options.verbose = verbose
        return cli.run(words, options)

    return run


def _warner(options: Options, name: str) -> Callable[[str], None]:
    def warn(text: str) -> None:
        if not options.quiet:
            complain(f"{name}:{text}", "warning: ")

    return warn
