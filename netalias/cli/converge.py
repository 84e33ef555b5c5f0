"""The verbs check, reconcile, confirm and rollback: the work around a comparison.

It parses the files, arms the guard of --confirm, prints the differences, writes metrics for
Prometheus, and lets an interruption end the work between two sends.
"""

from __future__ import annotations

import sys
from os import path

from netalias import errors, sources
from netalias.cli import ENDING, number
from netalias.cli.output import complain, write
from netalias.desired import declarations
from netalias.engine import reconcile as converging
from netalias.runtime import remember
from netalias.sources import configuration

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The public module imports enum; its C half has the same functions.
    import signal as _signal
    from collections.abc import Callable, Iterable, Sequence

    from netalias.cli import Options
    from netalias.desired.declarations import Declarations
    from netalias.desired.tasks import Task
    from netalias.engine import Engine
    from netalias.model.names import AliasName
    from netalias.plan import Difference
    from netalias.plan.diff import Diff
else:
    import _signal

GUARD_FILES = ("pending", "rejected")
LOOKS = 3
"""Comparisons with a rehearsal each, until one refuses nothing that the one before has not."""


class Run:
    """One command.

    ``folder`` is the runtime directory, empty for none; ``salt`` that of the fingerprint
    (cli/reconcile.py); ``named`` are the files of the configuration. ``files`` restores the files
    that the command rewrites, if it does (engine/rollback.py).
    """

    def __init__(self, options: Options, engine: Engine, salt: bytes, folder: str = "") -> None:
        self.options = options
        self.engine = engine
        self.salt = salt
        self.folder = folder
        self.armed = False
        self.named: list[tuple[str, bytes]] = []
        self.files: Callable[[], list[str]] | None = None
        self.done: list[Difference] = []
        self.status = errors.STATUS_OK
        self._ended_by = 0
        self._parsed: Declarations | None = None

    @property
    def name(self) -> str:
        """The digest of the configuration, which few runs need: where a guard is, or is to be."""
        return configuration(self.named)

    def check(self, found: list[tuple[str, bytes]], *, dry: bool) -> int:
        """Compare and print, with what would be refused; the exit status, STATUS_DRIFT if there are
        differences, with *dry* that of a refusal."""
        declared, rules = self._declared(found, changing=dry), self._rules()
        if dry:
            self.named = found
            self._check_confirmation()
        unknown = self._unknown(declared)
        diff, refusal = self._compare(declared, rules)
        if unknown and not dry:
            from netalias.engine.floating import leave_sysctls

            leave_sysctls(diff, declared)
        outcome = converging.Outcome(converging.Prepared(diff))
        failing: Sequence[tuple[Task, str]] = ()
        if declared.tasks:
            from netalias.engine.carried import failing as failing_tunnels

            self._note_waiting(declared, outcome)
            failing = failing_tunnels(self.engine, declared.tasks, self.options.only)
            failing = [*failing, *outcome.lacking]
        self._print(diff.items, diff, outcome.unwatched, failing)
        self._complain_of(outcome.failed)
        if refusal is not None:
            complain(refusal.line())
        status = refusal.status if refusal is not None else outcome.status
        if dry and status:
            return status
        if not diff.same or outcome.unwatched or failing:
            return errors.STATUS_DRIFT
        return errors.STATUS_KERNEL if unknown else errors.STATUS_OK

    def _unknown(self, declared: Declarations) -> bool:
        """Tell of a store that does not say which addresses should stand here; whether it is so."""
        if not any(one.keyword == "float" for one in declared.tasks):
            return False
        from netalias.runtime import condition

        found = condition.found(self.engine.runtime.path)
        if found is not None:
            complain(found.sentence())
        return found is not None

    def _compare(
        self, declared: Declarations, rules: converging.Rules
    ) -> tuple[Diff, errors.NetaliasError | None]:
        """The differences, with what would be refused, and the refusal of a guard rail.

        The rehearsal reads once more, and others are at work too: what it refuses is told if it
        refuses that twice.
        """
        before: set[tuple[AliasName, str]] = set()
        for _ in range(LOOKS):
            diff = converging.look(self.engine, declared, rules)
            refusal = self._foretell(diff, rules) if diff.items else None
            refused = {(one.name, one.error.line()) for one in diff.items if one.error is not None}
            if refused <= before:
                break
            before = refused
        return diff, refusal

    def _foretell(self, diff: Diff, rules: converging.Rules) -> errors.NetaliasError | None:
        """Rehearse the changes; the refusal of a guard rail."""
        from netalias.cli.rehearsal import rehearsal

        return converging.foretell(rehearsal(self.engine), diff, rules)

    def reconcile(self, found: list[tuple[str, bytes]], restored: Sequence[Difference]) -> int:
        """Compare, change, verify and print; the exit status. *restored* was done before."""
        if self.options.metrics:
            from netalias.cli.metrics import limit_of, measured

            status = measured(
                self.options.metrics,
                self.engine,
                lambda: self._reconcile(found, restored),
                limit_of(self.options),
            )
        else:
            self._reconcile(found, restored)
            status = self.status
        interrupted = status == errors.STATUS_INTERRUPTED
        return errors.SIGNALLED + self._ended_by if interrupted else status

    def _reconcile(
        self, found: list[tuple[str, bytes]], restored: Sequence[Difference]
    ) -> converging.Outcome:
        declared = self._declared(found)
        self.named = found
        self._check_confirmation()
        rules = self._rules()
        prepared = converging.prepare(self.engine, declared, rules)
        if prepared.diff.items:
            self._begin(prepared.diff)
        if self.armed:  # that took its time
            prepared = converging.prepare(self.engine, declared, rules, prepared.probes)
        outcome = converging.carry_out(self.engine, prepared)
        converging.verify(self.engine, declared, rules, outcome)
        if declared.tasks:
            self._note_waiting(declared, outcome)
        if self.armed and not outcome.done:
            self._disarm()
        self.done = outcome.done
        outcome.diff.items[:0] = restored
        done = outcome.done
        self._print(done, outcome.diff, outcome.unwatched, outcome.lacking)
        if prepared.renewed and self.options.verbose and self.options.changes is None:
            write(f"renewed {declarations.counted(prepared.renewed, 'lease')}\n")
        self._complain(outcome, done)
        lasting = not any(one.watched for one in declared.tasks)  # a watcher may end
        if self._announce_due(declared, outcome) and lasting and self.status == errors.STATUS_OK:
            self._remember()
        return outcome

    def _note_waiting(self, declared: Declarations, outcome: converging.Outcome) -> None:
        """Note the declared tasks that wait for a watcher, and those that wait for a device."""
        from netalias.desired.tasks import unwatched
        from netalias.engine.carried import lacking
        from netalias.runtime.tasks import carried_out

        tasks, only = declared.tasks, self.options.only
        outcome.unwatched = unwatched(tasks, lambda: carried_out(self.folder), only)
        watched = [one for one in tasks if one not in outcome.unwatched]
        outcome.lacking = lacking(outcome.diff.observed.snapshot, watched, only)

    def _announce_due(self, declared: Declarations, outcome: converging.Outcome) -> bool:
        """Make the periodic announcements that are due; whether the next run may skip the
        comparison, since nothing is announced or renewed periodically."""
        # The fingerprint knows nothing of rules, nor of the routes of other tables.
        wishes = declared.wishes
        leased = any(one.lease or (one.gateway and one.led) for one in wishes)
        policy = self.engine.policy
        periodic = any(one.every for one in wishes) or (policy is not None and policy.every)
        if not (self.folder and periodic):
            return not leased
        from netalias.claim import Policy
        from netalias.engine.announce import again, repeats

        if not repeats(declared, policy or Policy()):
            return not leased
        if not outcome.stopped:
            done = {*outcome.announced}
            notes = again(self.engine, self.folder, declared, self.options.only, done)
            if not self.options.quiet:
                _tell(notes, "warning", "warning: ")
        return False

    def tell_of_rules(self) -> None:
        """Tell on a terminal which firewall rules do not see the first alias devices of a main
        device. The lock is released by now."""
        terminal = sys.stderr is not None and sys.stderr.isatty()
        if self.done and terminal and not self.options.quiet:
            from netalias.cli.firewall import FirstDevices

            made = FirstDevices(self.options)
            made.take(self.done)
            made.tell(self.engine)

    def parse(self, found: list[tuple[str, bytes]]) -> None:
        """Parse the declarations ahead of reconcile(), which needs the lock. Raises
        DeclarationError."""
        self._parsed = self._declared(found)

    def _declared(self, found: list[tuple[str, bytes]], *, changing: bool = True) -> Declarations:
        if self._parsed is not None:
            return self._parsed
        texts, registry = sources.decode(found), self.engine.registry
        most = number("--max-aliases", self.options.max_aliases, declarations.MOST, 1)
        declared = declarations.parse(texts, registry, _withheld, most=most)
        declarations.check(declared, changing=changing)
        return declared

    def _rules(self) -> converging.Rules:
        from netalias.system.ssh import address

        options = self.options
        # JSON has an object of each alias; a dry run, and a change that may go back, are rare.
        objects = options.json or options.changes is not None
        rare = objects, options.confirm, options.dry_run
        return converging.Rules(
            only=options.only,
            force=options.force,
            allow_empty=options.allow_empty,
            allow_shrink=options.allow_shrink,
            protected=address(),
            bulk=not any(rare),
        )

    # Confirmation

    def _check_confirmation(self) -> None:
        """Raises StateError if another change awaits confirmation, or if this configuration was not
        confirmed."""
        if not self.folder or not any(path.exists(f"{self.folder}/{one}") for one in GUARD_FILES):
            return
        from netalias.engine import checkpoint

        waiting = checkpoint.pending(self.folder)
        if waiting is None:
            self._clear_unguarded()
        if waiting is not None and (self.options.confirm or waiting.digest != self.name):
            raise errors.StateError(
                f"a change waits for its confirmation since {waiting.since}", "netalias confirm"
            )
        if waiting is not None:  # this one, which may have been rejected before
            return
        if self.options.confirm or checkpoint.rejected(self.folder) != self.name:
            return
        if self.options.dry_run and self.options.force:
            return
        if not self.options.force:
            raise errors.StateError(
                "this configuration was not confirmed when it was tried",
                "--confirm SECONDS tries it again, --force takes it as it is",
            )
        checkpoint.forget(self.folder)

    def _clear_unguarded(self) -> None:
        """Tell of a change that waits for nobody, and remove its file unless this is a dry run."""
        from netalias.engine import checkpoint

        text = checkpoint.unguarded(self.folder)
        if text and not self.options.quiet:
            complain(text, "warning: ")
        if text and not self.options.dry_run:
            checkpoint.clear(self.folder)

    def _begin(self, diff: Diff) -> None:
        """Prepare the first change: arm the guard, handle interruptions, show the progress."""
        if self.options.confirm:
            self._arm(number("--confirm", self.options.confirm, 0, 1))
        self._handle_interruptions()
        if not self.options.quiet and sys.stderr is not None and sys.stderr.isatty():
            from netalias.views.progress import Progress

            steps = sum(len(item.plan.steps) for item in diff.items)
            self.engine.kernel.progress = Progress(steps, sys.stderr).advance

    def _arm(self, seconds: int) -> None:
        if not self.folder:
            raise errors.StateError("--confirm needs a runtime directory, and there is none")
        from netalias.engine import rollback

        self.options.wait = str(rollback.WAIT)
        self.options.acd = ""  # the rollback restores addresses without probing
        with self.options.engine() as second:
            rollback.arm(self.engine, second, self.folder, seconds, self.name, self.files)
        self.armed = True
        complain(
            f"the former state is restored in {seconds} s, unless the change is confirmed"
            " (netalias confirm)",
            at_once=True,
        )

    def _disarm(self) -> None:
        from netalias.engine.checkpoint import disarm

        disarm(self.folder)

    def _handle_interruptions(self) -> None:
        """Let the first SIGINT, SIGTERM or SIGHUP end the work between two sends, the second one at
        once. One that is ignored stays ignored."""
        numbers = (_signal.SIGINT, *ENDING)
        before = {one: _signal.getsignal(one) for one in numbers}

        def stop(signum: int, frame: object) -> None:
            self.engine.kernel.stopping = True
            self._ended_by = signum
            for one, handler in before.items():
                _signal.signal(one, handler)

        for one, handler in before.items():
            if handler not in (_signal.SIG_IGN, None):
                _signal.signal(one, stop)

    # Output

    def _print(
        self,
        items: Iterable[Difference],
        diff: Diff,
        unwatched: Sequence[Task] = (),
        failing: Sequence[tuple[Task, str]] = (),
    ) -> None:
        if self.options.json or self.options.changes is not None:
            from netalias.views import changes

            registry = self.engine.registry
            objects = [changes.fields(item, registry) for item in diff.items]
            objects += [changes.skipped(one) for one in diff.skipped]
            if unwatched:
                from netalias.desired.tasks import objects as fields

                objects += [{"change": "unwatched", **one} for one in fields(unwatched)]
            for task, why in failing:
                place = {"place": task.place, "error": why}
                objects.append({"change": "failing", **task.fields(), **place})
            self._give(objects)
        else:
            write(self._text(items))
        if unwatched:
            from netalias.desired.tasks import waiting
            from netalias.runtime import asked

            by_hand = asked.read(self.folder, self.engine.kernel.cookie())
            complain(waiting(unwatched, by_hand))
        for task, why in failing:
            complain(f"{task.place}: {why}")
        _tell([one.line() for one in diff.skipped], "skipped alias")

    def _give(self, objects: list[dict[str, object]]) -> None:
        """Print the objects of check, or hand on those of reconcile, which has recorded what is
        done: these tell of what was refused as well."""
        if self.options.changes is not None:
            self.options.changes[:] = objects
            return
        from netalias.views import json

        write(json.render(objects, pretty=self.options.pretty))

    def _text(self, items: Iterable[Difference]) -> str:
        """The lines of *items*, with ``-v`` each with its commands."""
        shown = [*items]
        if not shown:
            return ""
        from netalias.views.diff import lines

        found = lines(shown, self.engine.registry)
        if self.options.verbose:
            from netalias.model.commands import command

            for place, item in enumerate(shown):
                commands = [text for one in item.plan.steps for text in command(one).split("\n")]
                found[place] = "\n    ".join([found[place], *commands])
        found.append("")  # thousands of lines are not copied to end each
        return "\n".join(found)

    def _complain(
        self, outcome: converging.Outcome, done: Sequence[Difference] | None = None
    ) -> None:
        """Tell of warnings, and of what was not done, and note the status; *done* is what was, by
        default as the outcome has it."""
        done = outcome.done if done is None else done
        self.status, failed = outcome.status, outcome.failed
        if not self.options.quiet:
            notes = [note for item in done for note in item.plan.notes]
            _tell([*dict.fromkeys([*notes, *outcome.notes])], "warning", "warning: ")
        if outcome.stopped:
            all_items = len(outcome.diff.items)
            complain(f"interrupted: {len(done)} of {all_items} changes are done, the others undone")
            return
        self._complain_of(failed)
        if outcome.wrong or outcome.lost:
            from netalias.views.diff import lines

            wrong = lines(outcome.wrong, self.engine.registry)
            wrong += [one.line() for one in outcome.lost]
            _tell(wrong, "difference", "still different: ")

    def _complain_of(self, failed: Sequence[Difference]) -> None:
        """Tell why differences were refused, or would be."""
        _tell([_refusal(item) for item in failed])

    def _remember(self) -> None:
        """Save the fingerprint of the last reading, which is as declared."""
        digest = self.engine.kernel.digest(self.salt)
        if digest and self.folder:
            remember(self.folder, digest)


def _withheld(name: str) -> str:
    """The reason not to show the text of a file (disclosure.py), asked for with an error only."""
    from netalias.disclosure import withheld

    return withheld(name)


def _tell(texts: Sequence[str], what: str = "error", prefix: str = "") -> None:
    """Complain of the first of *texts*, each behind *prefix*; *what* is the word for one."""
    if texts:
        from netalias.model.listing import first

        for text in first(texts, what):
            complain(text, prefix)


def _refusal(item: Difference) -> str:
    """The reason why a difference was refused, or would be, with its place."""
    assert item.error is not None
    return f"{item.place}: {item.error.line()}" if item.place else item.error.line()


def confirm(options: Options, words: list[str]) -> int:
    """Confirm the change of ``reconcile --confirm``; the exit status."""
    if words:
        raise errors.UsageError(f"confirm takes no words: {words[0]}")
    from netalias.engine import checkpoint

    with options.engine() as engine:
        engine.kernel.permitted()  # an ordinary user has another runtime directory
        with engine.transaction() as transaction:
            checkpoint.confirm(transaction.path)
    return errors.STATUS_OK


def rollback(options: Options, words: list[str]) -> int:
    """Undo the change of ``reconcile --confirm`` at once; the exit status."""
    if words:
        raise errors.UsageError(f"rollback takes no words: {words[0]}")
    from netalias.engine import checkpoint

    with options.engine() as engine:
        engine.kernel.permitted()
        with engine.transaction() as transaction:
            folder = transaction.path
            guard = checkpoint.hurry(folder)
        try:
            verdict = checkpoint.outcome(folder, guard)
        finally:
            if options.changes is not None:
                from netalias.views import json

                options.changes += json.parsed(checkpoint.changed(folder, guard))
    if not options.quiet and options.changes is None:
        write(f"the former state is restored: {verdict}\n")
    return errors.STATUS_OK
