"""The declarations of a watcher, followed in their files: read again once a writer has finished."""

from __future__ import annotations

from netalias import errors
from netalias.desired.declarations import counted
from netalias.engine.floating import addresses
from netalias.engine.reconcile import SHRINK_LEAST
from netalias.sources import configuration
from netalias.system.backoff import Backoff, Debounce
from netalias.system.loop import Reader, Timer
from netalias.watch.files import PLACES, passes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.desired.declarations import Declarations
    from netalias.engine.reconcile import Rules
    from netalias.system.inotify import Followed
    from netalias.system.journal import Journal
    from netalias.system.loop import Pollable
    from netalias.watch.files import Files

HOLD = 1.0
"""Seconds that repairs wait at most for files that were changed a moment ago to be read."""


class Reloading:
    """``declared`` are the declarations in force, and ``digest`` is that of their configuration.

    *changed* reads them again, by reload(), and acts on them; *failed* logs an exception. *clock*
    is CLOCK_MONOTONIC.
    """

    declared: Declarations
    digest: str

    def __init__(
        self,
        files: Files,
        journal: Journal,
        clock: Callable[[], float],
        changed: Callable[[], object],
        failed: Callable[[Exception], object],
    ) -> None:
        self._files = files
        self._journal = journal
        self._clock = clock
        self._changed = changed
        self._failed = failed
        self._followed: Followed | None = None
        self._served = False
        self._burst = Debounce()
        self.hold = 0.0
        """The time until which repairs wait, 0 for no wait."""
        self._patience = Backoff()
        self._unseen: list[str] = []
        self._complaint = ""

    @property
    def names(self) -> list[str]:
        """The names of the files, none for the usual ones."""
        return self._files.names

    def read(self) -> None:
        """Read them for the first time. Raises UsageError, StateError."""
        found = self._files.content()
        self.digest = configuration(found)
        self.declared = self._files.parsed(found)

    def begin(self, followed: Followed) -> None:
        """Follow them, and read them: they may have changed before. Raises as read() does."""
        self._followed = followed
        self._follow()
        self.read()

    def parts(self) -> list[Pollable]:
        """The parts of the loop by which changes are seen."""
        assert self._followed is not None
        self._served = True
        return [Reader([self._followed.fileno()], self._note), Timer(self.due, self.settled)]

    # Changes

    def _note(self) -> None:
        """Note a change; a writer may not have finished yet."""
        assert self._followed is not None
        if self._followed.read():
            now = self._clock()
            self._burst.changed(now, unfinished=self._followed.unfinished)
            self.hold = self.hold or now + HOLD

    def held(self) -> bool:
        """Whether files were changed a moment ago: what differs may be what they say now."""
        if self.hold:
            if self._clock() < self.hold:
                return True
            self.hold = 0.0
        elif self._served:
            try:
                self._note()
            except Exception as error:
                self._failed(error)
        return bool(self.hold)

    def due(self, now: float) -> float | None:
        """Seconds until settled(); None without a change."""
        due = self._burst.due
        return None if due is None else max(0.0, due - now)

    def settled(self, now: float) -> None:
        """Have them read again, if nobody has changed them for a moment."""
        if self._burst.over(now):
            self.hold = 0.0
            self._changed()

    def _follow(self) -> None:
        """Follow the files. Changes that cannot be seen are looked for later."""
        assert self._followed is not None
        problems = self._followed.follow(self.names or PLACES)
        for problem in problems:
            if problem not in self._unseen:
                self._journal.warning(problem)
        self._unseen = problems
        if problems:
            self._read_later()

    def _read_later(self) -> None:
        self._burst.changed(self._clock() + self._patience.next())

    def reload(self, take: Callable[[Declarations, str], object], *, forced: bool = False) -> None:
        """Read the files again, and have what they declare taken over by *take*; with an error in
        them, or of *take*, the declarations of before stay. A file that cannot be read for a reason
        that may pass is read again later. With *forced* nothing waits for changes so far."""
        try:
            self._follow()
            if forced and self._followed is not None:
                self._followed.read()
                self._burst.end()
                self.hold = 0.0
            found = self._files.content()
            digest = configuration(found)
            if forced or digest != self.digest:
                declared = self._files.parsed(found)
                take(declared, digest)
                self.declared, self.digest = declared, digest
            self._complaint = ""
            if not self._unseen:
                self._patience.reset()
        except Exception as error:  # of the files, or a bug: neither may end the watcher
            passing = passes(error)
            before, self._complaint = self._complaint, str(error) or "memory" if passing else ""
            if forced or not passing or self._complaint != before:
                self._failed(error)
                self._journal.error("the previous declarations stay in force")
            if passing:
                self._read_later()


def check_reload(before: Declarations, after: Declarations, rules: Rules) -> None:
    """The guard rails for files that are read again, as reconcile.check_rails() has them for a
    comparison. What floats from now on is no loss. Raises StateError."""
    if rules.allow_empty:
        return
    had, floating = len(before), addresses(after)
    gone = had - len(after) - floating
    if (had or addresses(before)) and not len(after) and not floating:
        raise errors.StateError("nothing is declared any more", "--allow-empty, if that is meant")
    if had >= SHRINK_LEAST and gone * 2 > had and not rules.allow_shrink:
        raise errors.StateError(
            f"{gone} of {counted(had, 'alias')} are declared no more",
            "--allow-shrink, if that is meant",
        )
