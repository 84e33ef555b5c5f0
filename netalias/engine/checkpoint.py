"""The guard of ``reconcile --confirm SECONDS``: what was there before comes back by itself.

A process of its own, started before the first change, waits for ``netalias confirm``. It outlives
the command, the terminal and the session; only SIGKILL ends it. In the folder of the lock stand::

    pending     a change waits: who guards it, until when, digest of the configuration
    rejected    it was not confirmed: the same, and what became of the restoration

Both are lines of a word and its value. One rename(2) turns ``pending`` into ``rejected``, one
unlink(2) confirms it: whichever comes first wins, and the other one finds nothing. Who takes
``pending`` away by hand has confirmed.

Times are seconds of CLOCK_BOOTTIME (clock_gettime(2)): suspended time counts, a clock that is set
does not.
"""

from __future__ import annotations

import os
from time import CLOCK_BOOTTIME, clock_gettime, sleep, strftime

from netalias import errors
from netalias.runtime import read_file, remove_file, replace_file
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The public module imports enum; its C half has the same functions.
    import signal as _signal
    from collections.abc import Callable, Iterable
else:
    import _signal

PENDING = "pending"
REJECTED = "rejected"
READY = b"ready"
NOW = "%Y-%m-%d %H:%M:%S"
SLICE = 5.0
"""Seconds after which the remaining time is worked out anew: a timed wait stands still while the
machine is suspended."""
TRIES = 4
PAUSE = 1.0
"""Seconds between two tries of a restoration."""
WAKE = _signal.SIGUSR1


class Pending:
    """A change that waits for its confirmation.

    ``deadline`` in seconds of CLOCK_BOOTTIME; ``since`` is the local time of day, for people.
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
        """The guard is there: this pid, and not another process that got its number."""
        return started(self.pid) == self.start != ""

    def words(self) -> dict[str, str]:
        """As it is written; _parse() is the inverse."""
        return {
            "pid": str(self.pid),
            "start": self.start,
            "deadline": repr(self.deadline),
            "digest": self.digest,
            "since": self.since,
        }


def pending(folder: str) -> Pending | None:
    """What waits for a confirmation; None too when its guard is dead. Raises StateError."""
    found = _parse(_read(f"{folder}/{PENDING}"))
    return found if found is not None and found.alive else None


def rejected(folder: str) -> str:
    """Digest of the configuration that was not confirmed, or empty. Raises StateError."""
    return _read(f"{folder}/{REJECTED}").get("digest", "")


def forget(folder: str) -> None:
    """That a configuration was not confirmed counts no more. Raises StateError."""
    _remove(f"{folder}/{REJECTED}")


def arm(
    folder: str,
    seconds: float,
    digest: str,
    restore: Callable[[Callable[[], bool]], str | None],
    keep: Iterable[int] = (),
) -> None:
    """Start the guard; it is ready when this returns. Called under the lock.

    Raises StateError when a change waits already, or when no guard could be started.

    In the guard *restore* is called after *seconds* without a confirmation. It takes the lock,
    asks ``still()`` once, gives None when that says no, and else restores, verifies and gives a
    verdict of one line. It raises when it failed: then it is called again, three times at most.
    Of the command's descriptors the guard has *keep* only, the others are /dev/null: no lock, no
    pipe, no terminal.
    """
    _refuse_second(folder)
    guard = _Guard(folder, clock_gettime(CLOCK_BOOTTIME) + seconds, digest, restore, keep)
    before = _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        try:
            guard.launch()
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)
    except BaseException:
        # An interruption that came meanwhile: nothing is changed yet.
        disarm(folder)
        raise


def confirm(folder: str) -> str:
    """What was changed stays; gives the digest of its configuration. Called under the lock.

    Raises StateError when nothing waits, or when it was too late.
    """
    found = pending(folder)
    if found is not None and _release(folder, found):
        forget(folder)
        return found.digest
    if _read(f"{folder}/{PENDING}"):
        hint = "its guard was killed: what was changed stays"
        raise errors.StateError("nothing waits for a confirmation", hint)
    words = _read(f"{folder}/{REJECTED}")
    restoring = _restoring(words)
    if words and not restoring:
        words = _read(f"{folder}/{REJECTED}")  # its guard may have told, and left, in between
    if words:
        raise errors.StateError(_outcome(words, restoring))
    raise errors.StateError("nothing waits for a confirmation")


def disarm(folder: str) -> None:
    """Nothing was changed, so nothing is guarded; silent when nothing waits. Raises StateError."""
    found = pending(folder)
    if found is not None:
        _release(folder, found)


class _Guard:
    """The guard; launch() runs in the command, everything else in the new process."""

    __slots__ = ("_claimed", "_deadline", "_digest", "_folder", "_keep", "_restore", "_words")

    def __init__(
        self,
        folder: str,
        deadline: float,
        digest: str,
        restore: Callable[[Callable[[], bool]], str | None],
        keep: Iterable[int],
    ) -> None:
        self._folder = folder
        self._deadline = deadline
        self._digest = digest
        self._restore = restore
        self._keep = keep
        self._claimed = False
        self._words: dict[str, str] = {}

    def launch(self) -> None:
        """All signals are blocked, or one could leave a guard that nobody knows of."""
        end, pipe = os.pipe()
        try:
            child = os.fork()
        except OSError as error:
            os.close(end)
            os.close(pipe)
            raise errors.StateError(f"no guard could be started: {error.strerror}") from None
        if not child:
            self._be(end, pipe)
        os.close(pipe)
        try:
            os.waitpid(child, 0)
        except ChildProcessError:
            pass  # whoever ignores SIGCHLD has no children to wait for
        answer = _drain(end)
        if answer != READY:
            reason = answer.decode("utf-8", "replace") or "it died"
            raise errors.StateError(f"no guard could be started: {reason}")

    def _be(self, end: int, pipe: int) -> None:
        """Never returns: nothing of the command is unwound or flushed here.

        Signals stay blocked as arm() did it: nobody confirms, or stops, by one.
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
        """False in the process between, and when there is nothing to guard."""
        try:
            os.setsid()
            # Not the leader of its session: it can never get a terminal again.
            if os.fork():
                return False
            _let_go({pipe, *self._keep})
            os.chdir("/")
            self._write_pending()
        except (OSError, errors.StateError) as error:
            _tell(pipe, str(error).encode("utf-8", "replace"))
            return False
        if _tell(pipe, READY):
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
        """Wait. False when somebody confirmed."""
        while self._waits():
            left = self._deadline - clock_gettime(CLOCK_BOOTTIME)
            if left <= 0:
                return True
            _signal.sigtimedwait((WAKE,), min(left, SLICE))
        return False

    def _waits(self) -> bool:
        try:
            return self._mine(PENDING)
        except errors.StateError:
            return True  # what cannot be read is not confirmed

    def _mine(self, name: str) -> bool:
        words = _read(self._path(name))
        return all(words.get(word) == self._words[word] for word in ("pid", "start"))

    def _still(self) -> bool:
        """Nobody has confirmed, and from now on nobody can."""
        if self._mine(PENDING):
            try:
                os.rename(self._path(PENDING), self._path(REJECTED))
                self._claimed = True
            except FileNotFoundError:
                pass  # a confirmation came between
        return self._claimed

    def _finish(self) -> None:
        outcome = self._try()
        for _ in range(TRIES - 1):
            if outcome[0] != "error":
                break
            sleep(PAUSE)
            outcome = self._try()
        word, text = outcome
        if word and self._still() and self._mine(REJECTED):
            one_line = " ".join(text.split())
            _write(self._path(REJECTED), {**self._words, "at": strftime(NOW), word: one_line})

    def _try(self) -> tuple[str, str]:
        """``verdict`` or ``error`` and its text; both empty when somebody confirmed."""
        try:
            verdict = self._restore(self._still)
        except errors.NetaliasError as error:
            return "error", error.line()
        except Exception as error:  # nobody else is there to tell what it was
            return "error", f"{type(error).__name__}: {error}"
        return ("", "") if verdict is None else ("verdict", verdict)


def _refuse_second(folder: str) -> None:
    found = pending(folder)
    if found is not None:
        raise errors.StateError(
            f"a change waits for its confirmation since {found.since}", "netalias confirm"
        )
    words = _read(f"{folder}/{REJECTED}")
    if _restoring(words):
        raise errors.StateError(_outcome(words, restoring=True))


def _restoring(words: dict[str, str]) -> bool:
    guard = _parse(words)
    return guard is not None and "at" not in words and guard.alive


def _outcome(words: dict[str, str], restoring: bool) -> str:
    """What a ``rejected`` tells."""
    late = "not confirmed in time"
    if "verdict" in words:
        when = words.get("at", "")
        return f"{late}: what was there before was restored at {when}; {words['verdict']}"
    if "error" in words:
        return f"{late}, and what was there before could not be restored: {words['error']}"
    if restoring:
        return f"{late}: what was there before is being restored"
    return f"{late}, and the guard died before it told whether what was there before is restored"


def _release(folder: str, found: Pending) -> bool:
    """Take ``pending`` away and let its guard leave; False when the guard was faster."""
    if not _remove(f"{folder}/{PENDING}"):
        return False
    try:
        process = os.pidfd_open(found.pid)
    except OSError:
        return True
    try:
        if found.alive:
            _signal.pidfd_send_signal(process, WAKE)
    except OSError:
        pass  # it has left already
    finally:
        os.close(process)
    return True


def _let_go(keep: set[int]) -> None:
    """/dev/null in the place of every other descriptor.

    Closed ones would be numbered anew, and an object of the command that dies late would close a
    file of the guard.
    """
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    inherited = {int(number) for number in os.listdir("/proc/self/fd")}
    for number in (inherited | {0, 1, 2}) - keep - {null}:
        os.dup2(null, number)


def _tell(pipe: int, answer: bytes) -> bool:
    """False when there is no command any more that could read it."""
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
    """None for nothing, and for what is no such file."""
    try:
        pid, deadline = int(words["pid"]), float(words["deadline"])
        return Pending(pid, words["start"], deadline, words["digest"], words["since"])
    except (KeyError, ValueError):
        return None


def _read(path: str) -> dict[str, str]:
    """Word: value; empty when there is no such file. Raises StateError."""
    try:
        text = read_file(path).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise _refused(path, error) from None
    lines = (line.partition(" ") for line in text.split("\n") if line)
    return {word: value for word, _, value in lines}


def _write(path: str, words: dict[str, str]) -> None:
    """The file is whole or not there. Raises StateError."""
    text = "".join(f"{word} {value}\n" for word, value in words.items())
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise _refused(path, error) from None


def _remove(path: str) -> bool:
    """False when it was not there. Raises StateError."""
    try:
        return remove_file(path)
    except OSError as error:
        raise _refused(path, error) from None


def _refused(path: str, error: OSError) -> errors.StateError:
    return errors.StateError(f"{path}: {error.strerror}")
