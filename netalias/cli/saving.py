"""The option --save: what a command does is written into the files of declarations too.

The files are replaced before the kernel is changed, and brought back if it refuses: a watcher that
sees both finds them in agreement, whatever comes first. A file that somebody else changes meanwhile
is left alone.
"""

from __future__ import annotations

from netalias import cli, errors, sources
from netalias.cli.batch import carry_out
from netalias.cli.floating import check
from netalias.cli.output import complain, held, write
from netalias.desired import export, only_filed
from netalias.desired.amend import Present, amend, declare
from netalias.desired.spelling import Entry, items
from netalias.disclosure import withheld
from netalias.engine.batch import parse_command
from netalias.families import lazy
from netalias.model import names
from netalias.runtime.private import PrivateDirectory
from netalias.system.replacement import Replacements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.desired.amend import Amended
    from netalias.engine import Engine
    from netalias.engine.batch import Command
    from netalias.model.names import AliasName
    from netalias.observed import Observed

BOM = b"\xef\xbb\xbf"


def save(options: Options, words: list[str]) -> int:
    """Execute a command for aliases and write it into the files; the exit status.

    Raises StateError, DeclarationError and NotPermitted before anything is changed.
    """
    options.registry = lazy()
    commands = parse_command(words, options.registry, filed=True)
    wishes = [one.wish for one in commands if one.wish is not None]
    options.save = False
    if options.announce.startswith("every"):
        raise errors.UsageError(
            "--announce every is not written into a file", "the words announce every SECONDS are"
        )
    if wishes[0].empty:
        return cli.execute(options, "", words)

    def amended(engine: Engine, observed: Observed, read: list[tuple[str, bytes]]) -> Amended:
        check(options, engine, wishes)
        return amend(
            sources.decode(read),
            engine.registry,
            wishes,
            words,
            present(observed, engine),
            target=sources.DEFAULT,
            check=sources.replaceable,
            withheld=withheld,
        )

    def executed(observed: Observed, found: Amended) -> int:
        if _forgets(wishes, observed, found):
            options.absent_ok = True
        if differs(commands, observed, found):
            return carry_out(options, commands)
        return cli.execute(options, "", words)

    return _written(options, words, amended, executed, lambda engine: _gone(wishes, engine))


def adopt(options: Options, words: list[str]) -> int:
    """Take over labels of others, and declare those that are not; the exit status. Raises the same
    as save()."""
    from netalias.cli.adopting import floating, names_only
    from netalias.engine.adopt import select

    names_only(words)
    options.registry = lazy()
    options.save = False

    def amended(engine: Engine, observed: Observed, read: list[tuple[str, bytes]]) -> Amended:
        chosen = select(observed, words, [])
        floating(options, engine, [(one.name, one.address) for one in chosen])
        return declare(
            sources.decode(read),
            engine.registry,
            [alias.name for alias in chosen],
            present(observed, engine, foreign=True),
            target=sources.DEFAULT,
            check=sources.replaceable,
            withheld=withheld,
        )

    def executed(*_: object) -> int:
        return cli.execute(options, "adopt", ["adopt", *words])

    return _written(options, words, amended, executed, lambda engine: False)


def _written(
    options: Options,
    words: list[str],
    amending: Callable[[Engine, Observed, list[tuple[str, bytes]]], Amended],
    executing: Callable[[Observed, Amended], int],
    gone: Callable[[Engine], bool],
) -> int:
    """Write the files that *amending* gives for those that were read, and execute a command of
    these *words*; the exit status. The files stay written if that is 0, or if *gone* says so.
    """
    opener, dry = options.opener, options.dry_run
    with opener(options) as engine, held(), engine.transaction(dry=dry) as transaction:
        path = "" if dry else transaction.path
        if not dry:
            engine.kernel.permitted()
        read = sources.read(())
        observed = engine.observe()
        amended = amending(engine, observed, read)
        if (dry or options.verbose) and options.changes is None:
            tell(amended)
        files = Files([] if dry else contents(amended, dict(read)))
        options.opener = lambda _: engine.lent(runtime=PrivateDirectory(path))
        try:
            with files:
                status = executing(observed, amended)
                files.done = status == errors.STATUS_OK or gone(engine)
        finally:
            options.opener = opener
            for file in files.changed:
                complain(f"{file} was changed meanwhile: {places(words)} to be looked at")
        restored = [file for file in amended.texts if file not in files.changed]
        if not files.done and restored:
            complain(f"not saved: {', '.join(restored)}")
    return status


def differs(commands: Sequence[Command], observed: Observed, amended: Amended) -> bool:
    """Whether the kernel is to get something else than the words of a command, which *commands*
    then hold. An alias that is declared and missing counts as one that is there as declared: it is
    made so, and the words that only a file can carry stay there."""
    differs = False
    for one in commands:
        wish = one.wish
        if wish is None or wish.delete:
            continue
        there = observed.find(wish.name)
        declared = amended.declared.get(primary(wish, observed))
        if declared is not None and (there is None or (there.ours and not there.family)):
            one.wish = declared.copy(wish.name, declared.address)
            differs = True
        elif only_filed(wish):
            wish.heal = wish.on_down = ""
            wish.every = 0
            differs = True
    return differs


def places(words: Sequence[str]) -> str:
    """``its line of eth0:2 is``: what a command has written into a file."""
    deleted = [word.removesuffix("-") for word in words if ":" in word and word.endswith("-")]
    found = deleted or [words[0]]
    one = len(found) == 1 and "-" not in found[0].rpartition(":")[2]
    return f"its {'line' if one else 'lines'} of {', '.join(found)} {'is' if one else 'are'}"


def tell(amended: Amended) -> None:
    """Print the lines that go and come."""
    shown = [(file, line) for file, line in amended.lines if not withheld(file)]
    write("".join(f"{file}: {names.printable(line)}\n" for file, line in shown))


def contents(amended: Amended, before: dict[str, bytes]) -> list[tuple[str, bytes | None, bytes]]:
    """Name, content before and new content of the files that differ; None for no file."""
    found = []
    for file, text in amended.texts.items():
        old = before.get(file)
        mark = BOM if (old or b"").startswith(BOM) else b""
        found.append((file, old, mark + text.encode("utf-8", "surrogateescape")))
    return found


def _forgets(wishes: Sequence[Wish], observed: Observed, amended: Amended) -> bool:
    """Whether each alias to delete is there or declared: it is enough that its line goes."""
    if not wishes[0].delete:
        return False
    there = present_names(observed)
    known = there | amended.declared.keys()
    return all(primary(wish, observed) in known for wish in wishes)


def _gone(wishes: Sequence[Wish], engine: Engine) -> bool:
    """Whether the command deletes, and none of its aliases is there any more."""
    if not wishes[0].delete:
        return False
    observed = engine.observe()
    there = present_names(observed)
    return not any(primary(wish, observed) in there for wish in wishes)


def present_names(observed: Observed) -> set[AliasName]:
    """The names of the aliases of ours that are there."""
    return {alias.name for alias in observed.aliases if alias.ours}


def primary(wish: Wish, observed: Observed) -> AliasName:
    """The name of *wish* with the primary name of the main device."""
    device = observed.snapshot.device(wish.name.main)
    return wish.name if device is None else names.AliasName(device.name, wish.name.slot)


class Files:
    """The files while the command is executed: they are brought back unless it is ``done``, but for
    those that somebody else has ``changed``. *contents* are those of contents()."""

    def __init__(self, contents: Sequence[tuple[str, bytes | None, bytes]]) -> None:
        self.done = False
        self.changed: list[str] = []
        found = [(sources.replaceable(file), before, new) for file, before, new in contents]
        self._names = {way: file for (way, *_), (file, *_) in zip(found, contents, strict=True)}
        self._files = Replacements(found)

    def __enter__(self) -> None:
        try:
            self._files.put()
        except BaseException:  # an interruption too
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        try:
            if not self.done:
                self.changed = [self._names[way] for way in self._files.take_back()]
        finally:
            self._files.close()


def present(observed: Observed, engine: Engine, *, foreign: bool = False) -> Present:
    """The facts about the kernel that amend() needs; *foreign*: labels of others are aliases."""

    def main(name: str) -> str:
        device = observed.snapshot.device(name)
        return device.name if device is not None else name

    def alias(name: AliasName) -> Entry | None:
        found = observed.find(name)
        mine = found is not None and (found.ours or foreign)
        words = export.words(found, engine.registry) if found is not None and mine else None
        if found is None or words is None:
            return None
        length = str(found.asked)
        registry = engine.registry
        return Entry(name.slot, registry.get(found.family), found.address, length, items(words))

    def mtu(name: AliasName) -> int:
        device, found = observed.snapshot.device(name.main), observed.find(name)
        if found is not None and found.device is not None:
            return found.device.mtu
        return device.mtu if device is not None else 0

    return Present(main, alias, mtu)
