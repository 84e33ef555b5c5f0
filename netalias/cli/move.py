"""The verb move: labels become devices, or labels again, in the kernel and in the files."""

from __future__ import annotations

from netalias import errors, sources
from netalias.cli import number
from netalias.cli.converge import Run
from netalias.cli.output import complain, explain, held, write
from netalias.desired import declarations, export, rewrite
from netalias.desired.declarations import Declarations, counted
from netalias.disclosure import withheld
from netalias.engine import reconcile as converging
from netalias.model.listing import first
from netalias.model.names import printable
from netalias.plan.moving import MOVED, Moves, moves
from netalias.sources import STDIN
from netalias.system.replacement import Replacements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.desired.blocks import Block
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome, Prepared
    from netalias.plan import Difference
    from netalias.plan.diff import Diff

SOURCE = "the kernel"
"""Name in place of a file, for aliases that no file declares."""
Files = list[tuple[str, bytes]]


def move(options: Options, words: list[str]) -> int:
    """Move aliases to another kind in place; the exit status."""
    mains = [word for word in words if "/" not in word]
    if len(mains) > 1 or STDIN in words:
        raise errors.UsageError("move takes one main device, and files with a / in their paths")
    if options.kind and options.kind not in MOVED:
        raise errors.UsageError(
            f"--kind {options.kind}: aliases do not move there", f"one of {', '.join(MOVED)}"
        )
    number("--confirm", options.confirm, 0, 1)
    found = sources.read([word for word in words if "/" in word])
    main = "".join(mains)
    with options.engine() as engine:
        if options.dry_run:
            return Move(options, engine, found, main).rehearse()
        with held(), engine.transaction() as transaction:
            return Move(options, engine, found, main, transaction.path).carry_out()


class Move(Run):
    """One command: what moves, and the files with their new contents.

    *found* are the files as sources.read() gives them, *main* is the one main device, or empty.
    Raises DeclarationError, StateError, KernelError.
    """

    def __init__(
        self, options: Options, engine: Engine, found: Files, main: str, folder: str = ""
    ) -> None:
        super().__init__(options, engine, b"", folder)
        self.found = found
        self.observed = engine.observe()
        declared = self._declared(found)
        self.moves = moves(declared, self.observed, main, options.kind)
        if any(alias.lease for alias in self.moves.undeclared):
            from netalias.engine.lent import settled

            self.moves.undeclared = settled(engine, self.moves.undeclared, declared)
        if self.moves.undeclared and not options.force:
            from netalias.cli.floating import refuse

            alone = [(str(one.name), one.address) for one in self.moves.undeclared]
            refuse(options, engine, alone, "netalias watch makes it, where the cluster says")
        self.after = [(name, self._rewritten(name, content)) for name, content in found]
        pairs = zip(found, self.after, strict=True)
        self.contents = [
            (sources.replaceable(name), before, after)
            for (name, before), (_, after) in pairs
            if before != after
        ]
        self.named = self.after
        self.wanted = Declarations([*self._blocks(), *self._undeclared(self.moves)], [])
        self.rules = self._rules()
        self.rules.removing = False

    def _rewritten(self, name: str, content: bytes) -> bytes:
        """The new content of a file; bytes that are no UTF-8 stay as they are."""
        lines = self.moves.lines.get(name)
        if not lines:
            return content
        text = content.decode("utf-8", "surrogateescape")
        return rewrite.with_kinds(text, lines).encode("utf-8", "surrogateescape")

    def _blocks(self) -> list[Block]:
        """The lines that move, with their new kinds. Raises StateError if such a file would be
        wrong: a word may be nothing for the new kind."""
        texts = sources.decode(self.after)
        most = number("--max-aliases", self.options.max_aliases, declarations.MOST, 1)
        declared = declarations.parse(texts, self.engine.registry, withheld, most=most)
        _check(declared, "with the new kinds")
        return self.moves.blocks(declared)

    def _undeclared(self, found: Moves) -> list[Block]:
        """Aliases that no file declares, as if there were lines. Raises StateError."""
        lines = []
        for alias in found.undeclared:
            words = export.words(alias, self.engine.registry)
            assert alias.main is not None
            assert words is not None
            alias_type = self.engine.registry.get(alias.family)
            address = f"{alias_type.name} {alias_type.format(alias.address)}/{alias.asked}"
            line = f"{alias.name} {address} {' '.join(words)}"
            lines.append(rewrite.with_kind(line, found.kinds[alias.main.index]))
        most = max(len(lines), 1)
        declared = declarations.parse([(SOURCE, "\n".join(lines))], self.engine.registry, most=most)
        _check(declared, "as another kind")
        return declared.blocks

    # The work

    def rehearse(self) -> int:
        """Print what would be done; the exit status, that of a refusal."""
        self._check_confirmation()
        diff = converging.look(self.engine, self.wanted, self.rules)
        refusal = self._foretell_all(diff) or self._firewall(diff)
        self._tell_concerned(diff)
        self._show(diff.items)
        self._note()
        if refusal is None:
            return errors.STATUS_OK
        explain(refusal)
        return refusal.status

    def _foretell_all(self, diff: Diff) -> errors.NetaliasError | None:
        """Rehearse the changes; the refusal of them all."""
        from netalias.cli.rehearsal import rehearsal

        if diff.skipped:
            return _skipped(diff)
        refusal = converging.foretell(rehearsal(self.engine), diff, self.rules, atomic=True)
        return refusal or next((item.error for item in diff.items if item.error), None)

    def carry_out(self) -> int:
        """Move all of it, or nothing; the exit status. Raises StateError, KernelError."""
        self._check_confirmation()
        prepared = converging.prepare(self.engine, self.wanted, self.rules)
        if prepared.diff.skipped:
            raise _skipped(prepared.diff)
        refusal = self._firewall(prepared.diff)
        if refusal is not None:
            raise refusal
        self._tell_concerned(prepared.diff)
        rewritten = Replacements(self.contents)
        try:
            outcome = self._carry_out(prepared, rewritten)
        finally:
            rewritten.close()
        if outcome.failed:
            error = outcome.failed[0].error
            assert error is not None
            explain(error)
            return outcome.status
        converging.verify(self.engine, self.wanted, self.rules, outcome)
        self._show(outcome.done)
        self._note()
        self._complain(outcome)
        return outcome.status

    def _carry_out(self, prepared: Prepared, rewritten: Replacements) -> Outcome:
        """Replace the files and change the kernel; after a failure both are as before."""
        if prepared.diff.items or self.contents:
            self.engine.kernel.permitted()
            self.files = rewritten.restore
            self._begin(prepared.diff)
        if self.armed:  # that took its time
            prepared = converging.prepare(self.engine, self.wanted, self.rules, prepared.probes)
        rewritten.put()
        try:
            outcome = converging.carry_out(self.engine, prepared, atomic=True)
        except BaseException:  # the aliases come back after an interruption, and so do the files
            _take_back(rewritten)
            raise
        if outcome.failed:
            _take_back(rewritten)
            if self.armed:
                self._disarm()
        return outcome

    def _firewall(self, diff: Diff) -> errors.NetaliasError | None:
        """The refusal of a move that rules of the firewall would not follow; with --force, these
        are noted."""
        from netalias.cli.firewall import unseen_by_rules

        failed: list[str] = []
        plans = [item.plan for item in diff.items]
        found = unseen_by_rules(self.engine, plans, failed, self.options.netns)
        self.moves.notes += [f"not looked at: {one}" for one in failed]
        lines = [one.line() for one in found]
        if self.options.force:
            self.moves.notes += lines
        if not found or self.options.force:
            return None
        count = counted(len(found), "firewall rule")
        error = errors.StateError(
            f"{count} would not follow the move; nothing was changed", "mend them, or --force"
        )
        error.details = list(first(lines))
        return error

    def _tell_concerned(self, diff: Diff) -> None:
        """Tell of the programs and files of others that the move concerns, before it begins."""
        from netalias.cli.concerned import concerned, elsewhere

        if self.options.quiet:
            return
        failed: list[str] = []
        plans = [item.plan for item in diff.items]
        found = concerned(self.engine, plans, failed)
        if not self.options.netns:  # whose files are not those of this machine
            found = [*elsewhere(self.engine, plans, failed), *found]
        for text in first([*found, *(f"not looked at: {one}" for one in failed)], "warning"):
            complain(text, "warning: ")

    # Output

    def _show(self, items: list[Difference]) -> None:
        """Print the differences of the files and of the addresses."""
        if self.options.json:
            from netalias.views import changes as view

            objects: list[dict[str, object]] = [
                {"change": "rewrite", "file": name, "diff": text}
                for name, text in self._file_diffs()
            ]
            objects += [view.fields(item, self.engine.registry) for item in items]
            self._give(objects)
            return
        texts = [text for _, text in self._file_diffs()]
        write("".join([*texts, self._text(items)]))

    def _file_diffs(self) -> list[tuple[str, str]]:
        """Each file that is rewritten, and its unified diff, or why that is not shown."""
        from difflib import unified_diff

        found = []
        for (name, before), (_, after) in zip(self.found, self.after, strict=True):
            if before == after:
                continue
            shown = printable(name)
            reason = withheld(name)
            if reason:
                found.append((name, f"{shown}: {reason}\n"))
                continue
            old, new = _lines_of(before), _lines_of(after)
            lines = unified_diff(old, new, shown, f"{shown} (moved)", n=0, lineterm="")
            found.append((name, "".join(f"{line}\n" for line in lines)))
        return found

    def _note(self) -> None:
        """Tell what is left alone, and what no file declares."""
        notes = list(self.moves.notes)
        alone = self.moves.undeclared
        if alone:
            what = f"{counted(len(alone), 'alias')}, {alone[0].name} among them, stand in no file"
            notes.append(what if len(alone) > 1 else f"{alone[0].name} stands in no file")
            notes[-1] += ", and moved as well" if not self.options.dry_run else ", and move as well"
        for note in first(notes, "warning") if not self.options.quiet else ():
            complain(note, "warning: ")


def _take_back(rewritten: Replacements) -> None:
    """Bring back the files; tell of those that somebody else has changed."""
    for path in rewritten.take_back():
        complain(f"{printable(path)}: it stays as somebody has changed it since")


def _lines_of(content: bytes) -> list[str]:
    """The lines of a file as a terminal may show them."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return [printable(line.removesuffix("\r")) for line in lines]


def _check(declared: Declarations, what: str) -> None:
    """Raises StateError where lines have errors."""
    if declared.errors:
        found = counted(declared.wrong, "line")
        error = errors.StateError(f"{found} would be wrong {what}; nothing was changed")
        error.details = declared.errors
        raise error


def _skipped(diff: Diff) -> errors.StateError:
    """The error for aliases that cannot be moved."""
    number = sum(one.count for one in diff.skipped)
    error = errors.StateError(f"{counted(number, 'alias')} cannot move; nothing was changed")
    error.details = list(first(one.line() for one in diff.skipped))
    return error
