"""Checkpoints for ``reconcile --confirm SECONDS``: without a confirmation, a guard rolls back.

The guard is a process of its own. It is started before the first change, waits for ``netalias
confirm``, and outlives the command, the terminal and the session; only SIGKILL ends it. The runtime
directory holds two files::

    pending     a change awaits confirmation: its guard, deadline, digest of the configuration
    rejected    it was not confirmed: the same, and the outcome of the rollback

Each line is a word and its value. A rename(2) turns ``pending`` into ``rejected``, an unlink(2)
confirms: the first one wins, and the other finds no file. So removing ``pending`` by hand is a
confirmation. The files are believed if root or this user has written them, and while a guard proves
to be behind them (runtime/guard.py).

Times are seconds of CLOCK_BOOTTIME (clock_gettime(2)), which counts suspended time and ignores
changes of the system clock.
"""

from __future__ import annotations

import os
from time import CLOCK_BOOTTIME, clock_gettime, sleep, strftime

from netalias import errors
from netalias.runtime import remove_file, rename_file, replace_file, trusted
from netalias.runtime import words as record
from netalias.runtime.guard import hold, is_guard
from netalias.system.process import await_end, readable, resume, started

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The public module imports enum; its C half has the same functions.
    import signal as _signal
    from collections.abc import Callable, Iterable

    from netalias.system.inotify import Followed
else:
    import _signal

PENDING = "pending"
REJECTED = "rejected"
READY = b"ready"
AT_ONCE = 0.0
"""Deadline of a change that is to be undone without waiting for a confirmation."""
NOW = "%Y-%m-%d %H:%M:%S"
SLICE = 0.2
"""Seconds between two looks of the guard at its file, which an event of the file brings forward. No
signal is needed, so nobody who can write to the directory can have one sent to another process."""
TRIES = 4
"""Attempts to roll back."""
PAUSE = 1.0
"""Seconds between two attempts."""


class Pending:
    """A change that awaits confirmation.

    ``pid`` is the guard's and ``start`` its start time (system.process.started); ``deadline`` is in
    seconds of CLOCK_BOOTTIME; ``since`` is the local time, for people.
    """

    __slots__ = ("deadline", "digest", "pid", "since", "start")

    def __init__(self, pid: int, start: str, deadline: float, digest: str, since: str) -> None:
        self.pid = pid
        self.start = start
        self.deadline = deadline
        self.digest = digest
        self.since = since

    @property
    def alive(self) -> bool:
        """Whether the guard runs, and its pid was not reused."""
        return started(self.pid) == self.start != ""

    def words(self) -> dict[str, str]:
        """The words and values of the file; _parse() is the inverse."""
        return {
            "pid": str(self.pid),
            "start": self.start,
            "deadline": repr(self.deadline),
            "digest": self.digest,
            "since": self.since,
        }


def pending(folder: str) -> Pending | None:
    """The change that awaits confirmation; None if no guard is behind it. Raises StateError."""
    return _guarded(folder, _read(f"{folder}/{PENDING}"))


def unguarded(folder: str) -> str:
    """The sentence on a ``pending`` that counts for nothing: its guard was killed, or the file is a
    forgery; empty for none. Raises StateError."""
    path = f"{folder}/{PENDING}"
    words, owner = _found(path)
    if words and not trusted(owner):
        return f"{path}: user {owner} has written it: it counts for nothing"
    if not words or _guarded(folder, words) is not None:
        return ""
    return f"{path}: no guard is behind it: what is there stays"


def clear(folder: str) -> None:
    """Remove a ``pending`` without a guard, but for that of another user, who may have one. The
    caller holds the lock. Raises StateError."""
    if _read(f"{folder}/{PENDING}"):
        _remove(f"{folder}/{PENDING}")


def rejected(folder: str) -> str:
    """The digest of the configuration that was not confirmed; empty for none. Raises StateError."""
    return _read(f"{folder}/{REJECTED}").get("digest", "")


def forget(folder: str) -> None:
    """Forget that a configuration was not confirmed. Raises StateError."""
    _remove(f"{folder}/{REJECTED}")


def arm(
    folder: str,
    seconds: float,
    digest: str,
    restore: Callable[[Callable[[], bool]], str | None],
    keep: Iterable[int] = (),
    changes: Callable[[], str] = str,
) -> None:
    """Start the guard; it is ready when this returns. The caller holds the lock.

    Raises StateError if another change awaits confirmation, or if no guard can be started.

    After *seconds* without a confirmation the guard calls ``restore(still)``. This takes the lock
    and returns None if ``still()`` is false; else it restores, verifies and returns a verdict of
    one line. If it raises, it is called again, TRIES times in all. ``changes()`` tells what it has
    changed, as a line of JSON, which changed() gives to others. Of the command's descriptors the
    guard keeps only *keep*; the others become /dev/null: no lock, no pipe, no terminal.
    """
    _check_none_pending(folder)
    deadline = clock_gettime(CLOCK_BOOTTIME) + seconds
    guard = _Guard(folder, deadline, digest, restore, keep, changes)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        try:
            guard.launch()
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    except BaseException:
        # An interruption in between: nothing has been changed yet.
        disarm(folder)
        raise


def confirm(folder: str) -> str:
    """Confirm the change; the digest of its configuration. The caller holds the lock.

    Raises StateError if no change awaits confirmation, or if it is too late.
    """
    found = pending(folder)
    if found is not None and _remove(f"{folder}/{PENDING}"):
        forget(folder)
        return found.digest
    raise _nothing_waits(folder)


def hurry(folder: str) -> Pending:
    """Have the guard restore the former state at once, as soon as it gets the lock, which the
    caller holds; also one that somebody has stopped. Raises StateError as confirm() does."""
    found = pending(folder)
    if found is None:
        raise _nothing_waits(folder)
    _write(f"{folder}/{PENDING}", {**found.words(), "deadline": repr(AT_ONCE)})
    resume(found.pid, found.start)
    return found


def outcome(folder: str, guard: Pending) -> str:
    """The verdict of *guard* after hurry(), whose work is waited for. Raises StateError if the
    former state could not be restored, or was confirmed meanwhile."""
    await_end(guard.pid, guard.start)
    words = _read(f"{folder}/{REJECTED}")
    if words.get("pid") != str(guard.pid):
        raise errors.StateError("the change was confirmed meanwhile")
    if "verdict" not in words:
        raise errors.StateError(_outcome(words, restoring=False))
    return words["verdict"]


def changed(folder: str, guard: Pending) -> str:
    """The changes that *guard* has made, as a line of JSON; an empty list before it is done. Raises
    StateError."""
    words = _read(f"{folder}/{REJECTED}")
    return (words.get("pid") == str(guard.pid) and words.get("changes")) or "[]"


def _nothing_waits(folder: str) -> errors.StateError:
    """The error where no change awaits confirmation; it tells what became of the last one."""
    hint = unguarded(folder)
    if hint:
        clear(folder)  # told once
        return errors.StateError("nothing waits for a confirmation", hint)
    words = _read(f"{folder}/{REJECTED}")
    restoring = _restoring(folder, words)
    if words and not restoring:
        words = _read(f"{folder}/{REJECTED}")  # its guard may have finished in between
    return errors.StateError(
        _outcome(words, restoring) if words else "nothing waits for a confirmation"
    )


def disarm(folder: str) -> None:
    """End the guard, if there is one, since nothing was changed. Raises StateError."""
    found = pending(folder)
    if found is not None:
        _remove(f"{folder}/{PENDING}")


class _Guard:
    """The guard; launch() runs in the command, everything else in the new process."""

    __slots__ = (
        "_changes", "_claimed", "_deadline", "_digest", "_folder", "_keep", "_restore", "_words",
    )  # fmt: skip

    def __init__(
        self,
        folder: str,
        deadline: float,
        digest: str,
        restore: Callable[[Callable[[], bool]], str | None],
        keep: Iterable[int],
        changes: Callable[[], str],
    ) -> None:
        self._folder = folder
        self._deadline = deadline
        self._digest = digest
        self._restore = restore
        self._keep = keep
        self._changes = changes
        self._claimed = False
        self._words: dict[str, str] = {}

    def launch(self) -> None:
        """Start the process and wait until it is ready. All signals are blocked, or one could leave
        a guard behind that nobody knows of. Raises StateError."""
        end, pipe = os.pipe()
        try:
            child = os.fork()
        except OSError as error:
            os.close(end)
            os.close(pipe)
            raise errors.StateError(f"no guard could be started: {error.strerror}") from None
        if not child:
            self._run(end, pipe)
        os.close(pipe)
        try:
            os.waitpid(child, 0)
        except ChildProcessError:
            pass  # with SIGCHLD ignored there is no child to wait for
        answer = _drain(end)
        if answer != READY:
            reason = answer.decode("utf-8", "replace") or "it died"
            raise errors.StateError(f"no guard could be started: {reason}")

    def _run(self, end: int, pipe: int) -> None:
        """Run the guard and exit, so that nothing of the command is unwound or flushed here.

        Signals stay blocked as in arm(): none of them confirms or stops.
        """
        status = 1
        try:
            os.close(end)
            if self._ready(pipe) and self._timed_out():
                self._finish()
            status = 0
        finally:
            os._exit(status)

    def _ready(self, pipe: int) -> bool:
        """Become a daemon and report to the command; False in the intermediate process, and if
        there is nothing to guard."""
        from netalias.system.detached import redirect

        try:
            os.setsid()
            # The child is not a session leader, so it can never acquire a terminal.
            if os.fork():
                return False
            redirect({pipe, *self._keep})
            os.chdir("/")
            hold(self._folder)
            self._write_pending()
        except (OSError, errors.StateError) as error:
            _report(pipe, str(error).encode("utf-8", "replace"))
            return False
        if _report(pipe, READY):
            return True
        _remove(self._path(PENDING))  # the command died before its first change
        return False

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"

    def _write_pending(self) -> None:
        pid = os.getpid()
        me = Pending(pid, started(pid), self._deadline, self._digest, strftime(NOW))
        self._words = me.words()
        _write(self._path(PENDING), self._words)

    def _timed_out(self) -> bool:
        """Wait until the deadline, which hurry() may bring forward; False on a confirmation."""
        changes = _followed(self._path(PENDING))
        while self._unconfirmed():
            left = self._until() - clock_gettime(CLOCK_BOOTTIME)
            if left <= 0:
                return True
            # The rest is computed again: a timed wait stops while the machine is suspended.
            if changes is None:
                sleep(min(left, SLICE))
            elif readable(changes.fileno(), min(left, SLICE)):
                changes.read()
        return False

    def _until(self) -> float:
        try:
            found = _parse(_read(self._path(PENDING)))
        except errors.StateError:
            found = None
        if found is not None and found.deadline < self._deadline:
            self._deadline = found.deadline
            self._words["deadline"] = repr(found.deadline)
        return self._deadline

    def _unconfirmed(self) -> bool:
        try:
            return self._mine(PENDING)
        except errors.StateError:
            return True  # a file that cannot be read is still there

    def _mine(self, name: str) -> bool:
        """Whether the file *name* was written by this guard."""
        words = _read(self._path(name))
        return all(words.get(word) == self._words[word] for word in ("pid", "start"))

    def _still(self) -> bool:
        """Whether the change is unconfirmed; if so, from now on nobody can confirm it."""
        if self._mine(PENDING):
            try:
                rename_file(self._path(PENDING), REJECTED)
                self._claimed = True
            except FileNotFoundError:
                pass  # a confirmation came in between
        return self._claimed

    def _finish(self) -> None:
        verdict = self._try()
        for _ in range(TRIES - 1):
            if verdict[0] != "error":
                break
            sleep(PAUSE)
            verdict = self._try()
        word, text = verdict
        if word and self._still() and self._mine(REJECTED):
            one_line = " ".join(text.split())
            outcome = {"at": strftime(NOW), word: one_line, "changes": self._changes()}
            _write(self._path(REJECTED), {**self._words, **outcome})

    def _try(self) -> tuple[str, str]:
        """Roll back; ``verdict`` or ``error`` and its text, both empty after a confirmation."""
        try:
            verdict = self._restore(self._still)
        except errors.NetaliasError as error:
            return "error", error.line()
        except Exception as error:  # no caller is left to report it
            return "error", f"{type(error).__name__}: {error}"
        return ("", "") if verdict is None else ("verdict", verdict)


def _check_none_pending(folder: str) -> None:
    """Raises StateError if a change awaits confirmation, or is being rolled back."""
    found = pending(folder)
    if found is not None:
        raise errors.StateError(
            f"a change waits for its confirmation since {found.since}", "netalias confirm"
        )
    words = _read(f"{folder}/{REJECTED}")
    if _restoring(folder, words):
        raise errors.StateError(_outcome(words, restoring=True))


def _guarded(folder: str, words: dict[str, str]) -> Pending | None:
    """The change that the words of a file describe; None if no guard proves to be behind it."""
    found = _parse(words)
    alive = found is not None and found.alive and is_guard(folder, found.pid)
    return found if alive else None


def _restoring(folder: str, words: dict[str, str]) -> bool:
    """Whether the guard of a ``rejected`` with these words is still at work."""
    return "at" not in words and _guarded(folder, words) is not None


def _outcome(words: dict[str, str], restoring: bool) -> str:
    """The sentence for a ``rejected`` with these words."""
    asked = words.get("deadline") == repr(AT_ONCE)
    late = "the change was rolled back already" if asked else "not confirmed in time"
    if "verdict" in words:
        when = words.get("at", "")
        return f"{late}: the former state was restored at {when}; {words['verdict']}"
    if "error" in words:
        return f"{late}, and the former state could not be restored: {words['error']}"
    if restoring:
        return f"{late}: the former state is being restored"
    return f"{late}, and the guard died before it reported the outcome of the restoration"


def _followed(path: str) -> Followed | None:
    """The changes of a file; None where the kernel does not tell of them."""
    from netalias.system.inotify import Followed

    try:
        found = Followed()
    except errors.StateError:
        return None
    found.follow([path])
    return found


def _report(pipe: int, answer: bytes) -> bool:
    """Send *answer* to the command and close the pipe; False if the command has ended."""
    try:
        os.write(pipe, answer)
    except BrokenPipeError:
        return False
    finally:
        os.close(pipe)
    return True


def _drain(end: int) -> bytes:
    with open(end, "rb") as file:
        return file.read()


def _parse(words: dict[str, str]) -> Pending | None:
    """The change that the words of a file describe; None for any other content."""
    try:
        pid, deadline = int(words["pid"]), float(words["deadline"])
        return Pending(pid, words["start"], deadline, words["digest"], words["since"])
    except (KeyError, ValueError):
        return None


def _read(path: str) -> dict[str, str]:
    """The words with their values in a file of root or this user; empty without one. Raises
    StateError."""
    words, owner = _found(path)
    return words if trusted(owner) else {}


def _found(path: str) -> tuple[dict[str, str], int]:
    """The same of any file, and the user who owns it. Raises StateError."""
    try:
        pairs, owner = record.read(path)
    except OSError as error:
        raise _refused(path, error) from None
    return dict(pairs), owner


def _write(path: str, words: dict[str, str]) -> None:
    """Write a file atomically. Raises StateError."""
    text = "".join(f"{word} {value}\n" for word, value in words.items())
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise _refused(path, error) from None


def _remove(path: str) -> bool:
    """Remove a file; False if there was none. Raises StateError."""
    try:
        return remove_file(path)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{path}: {error.strerror}")
