"""The guard of ``reconcile --confirm``: real processes, a folder, and no network at all."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import NOBODY, given_away, until

from netalias import errors
from netalias.engine import checkpoint
from netalias.runtime import guard as proof
from netalias.system import process

PR_SET_CHILD_SUBREAPER = 36
LONG = 60.0
"""Seconds; no test waits for them."""
SHORT = 0.02
EVENTS = "anon_inode:inotify"
"""The descriptor by which a guard hears of its file, once it is ready."""

Still = Callable[[], bool]
Restore = Callable[[Still], "str | None"]


class Stage:
    """A folder, what was done to its guards, and the guards themselves.

    The process of the tests adopts orphans, so it sees how each guard ends.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.journal = folder / "journal"
        self.guards: list[int] = []

    def arm(
        self, seconds: float = LONG, restore: Restore | None = None, keep: tuple[int, ...] = ()
    ) -> int:
        """The pid of the guard; the time may be over when this returns."""
        checkpoint.arm(self.folder, seconds, "c0ffee", restore or self.restore, keep)
        return self.watch()

    def watch(self) -> int:
        """The guard that was started last, by whomever."""
        words = checkpoint._read(f"{self.folder}/{checkpoint.PENDING}")
        words = words or checkpoint._read(f"{self.folder}/{checkpoint.REJECTED}")
        self.guards.append(int(words["pid"]))
        return self.guards[-1]

    def note(self, word: str) -> None:
        with self.journal.open("a") as file:
            file.write(f"{word}\n")

    @property
    def notes(self) -> list[str]:
        return self.journal.read_text().split() if self.journal.exists() else []

    def restore(self, still: Still) -> str | None:
        """As the command's one, without a kernel."""
        with self.lock():
            if not still():
                return None
            self.note("restored")
            return "2 aliases, as before"

    def lock(self) -> Lock:
        return Lock(f"{self.folder}/lock")

    def ended(self, pid: int) -> int:
        """Wait for the end of a guard; its exit status, negative for a signal."""
        self.guards.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def orphan(self) -> int:
        """Wait for the end of a guard that nobody knows by its pid; its exit status."""
        return os.waitstatus_to_exitcode(os.waitpid(-1, 0)[1])

    def files(self) -> set[str]:
        return set(os.listdir(self.folder)) - {"journal", "lock", proof.LOCK}

    def close(self) -> None:
        for pid in self.guards:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        with pytest.raises(ChildProcessError):  # no process that the test does not know of
            os.waitpid(-1, os.WNOHANG)


class Lock:
    """flock(2), as netalias.runtime takes it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __enter__(self) -> None:
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self.file)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    libc = ctypes.CDLL(None)
    assert not libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    found = Stage(tmp_path)
    # A command that was run in this process has left its own handler.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield found
        found.close()
    finally:
        signal.signal(signal.SIGINT, before)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def command(stage: Stage, body: str, **options: object) -> subprocess.Popen[str]:
    """A command of its own: *body* finds ``arm(seconds)``, which takes the folder of *stage*."""
    text = f"""
import fcntl, os, signal, sys, termios
from netalias.engine import checkpoint as guard

def restore(still):
    if not still():
        return None
    with open({str(stage.journal)!r}, "a") as file:
        file.write("restored\\n")
    return "as before"

def arm(seconds, keep=()):
    guard.arm({stage.folder!r}, seconds, "c0ffee", restore, keep)

{body}
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [sys.executable, "-c", text],
        env=environment,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def stat(pid: int) -> list[str]:
    """The fields of proc_pid_stat(5) from the third one, which has index 0."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def descriptors(pid: int) -> dict[int, str]:
    """The open files of another process; one that is open for a moment may be among them."""
    found: dict[int, str] = {}
    folder = f"/proc/{pid}/fd"
    for fd in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):
            found[int(fd)] = os.readlink(f"{folder}/{fd}")
    return found


def eof(fd: int) -> bool:
    """Everything that still comes is read, and then the end."""
    while select.select([fd], [], [], 5)[0]:
        if not read(fd):
            return True
    return False


def read(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError as error:
        if error.errno == errno.EIO:  # so a terminal ends
            return b""
        raise


# --- in time, and not in time ---


def test_confirmed_in_time(stage: Stage) -> None:
    """confirm() ends the guard at once, nothing is restored, and the digest comes back."""
    pid = stage.arm()
    assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0
    assert (stage.notes, stage.files()) == ([], set())
    assert checkpoint.rejected(stage.folder) == ""


def test_not_confirmed(stage: Stage) -> None:
    """The restoration runs once, in the guard, and its verdict is there to be read."""
    assert stage.ended(stage.arm(SHORT)) == 0
    assert stage.notes == ["restored"]
    assert checkpoint.pending(stage.folder) is None
    assert checkpoint.rejected(stage.folder) == "c0ffee"
    with pytest.raises(errors.StateError) as caught:
        checkpoint.confirm(stage.folder)
    day = time.strftime("%Y-")
    assert str(caught.value).startswith(
        f"not confirmed in time: the former state was restored at {day}"
    )
    assert str(caught.value).endswith("; 2 aliases, as before")


def test_rolled_back_at_once(stage: Stage) -> None:
    """hurry() brings the deadline forward; the guard waits for the lock, then tells its verdict."""
    pid = stage.arm()
    with stage.lock():
        guard = checkpoint.hurry(stage.folder)
        assert (guard.pid, guard.alive, stage.notes) == (pid, True, [])
    assert checkpoint.outcome(stage.folder, guard) == "2 aliases, as before"
    assert stage.ended(pid) == 0
    assert stage.notes == ["restored"]
    assert checkpoint.rejected(stage.folder) == "c0ffee"
    with pytest.raises(errors.StateError, match=r"^the change was rolled back already: the former"):
        checkpoint.hurry(stage.folder)


def test_a_guard_that_was_stopped_is_rolled_back(stage: Stage) -> None:
    """The rollback waits for its verdict, so it lets the guard go on."""
    pid = stage.arm()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: process.is_stopped(pid))
    guard = checkpoint.hurry(stage.folder)
    assert checkpoint.outcome(stage.folder, guard) == "2 aliases, as before"
    assert stage.ended(pid) == 0


def test_nobody_waits_for_the_next_look(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard hears of what becomes of its file, and the command of the end of the guard."""
    monkeypatch.setattr(checkpoint, "SLICE", LONG)
    monkeypatch.setattr(process, "POLL", LONG)
    begin = time.monotonic()
    pid = stage.arm(2 * LONG)
    guard = checkpoint.hurry(stage.folder)
    assert checkpoint.outcome(stage.folder, guard) == "2 aliases, as before"
    assert stage.ended(pid) == 0
    pid = stage.arm(2 * LONG)
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0
    assert time.monotonic() - begin < LONG


def test_a_guard_without_events_looks(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gives no inotify instance, and no descriptor of a process."""
    monkeypatch.setattr(checkpoint, "_followed", lambda _: None)
    pid = stage.arm()
    guard = checkpoint.hurry(stage.folder)
    refused = OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    def refuse(pid: int) -> int:
        raise refused

    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert checkpoint.outcome(stage.folder, guard) == "2 aliases, as before"
    assert stage.ended(pid) == 0


def test_confirmed_before_it_is_rolled_back(stage: Stage) -> None:
    """Whichever comes first wins, and the other one is told."""
    pid = stage.arm()
    with stage.lock():
        guard = checkpoint.hurry(stage.folder)
        assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0
    with pytest.raises(errors.StateError, match=r"^the change was confirmed meanwhile$"):
        checkpoint.outcome(stage.folder, guard)
    assert stage.notes == []


def test_what_was_not_confirmed_is_forgotten(stage: Stage) -> None:
    """forget() takes the refusal away, and may come twice."""
    stage.ended(stage.arm(SHORT))
    checkpoint.forget(stage.folder)
    checkpoint.forget(stage.folder)
    assert checkpoint.rejected(stage.folder) == ""
    with pytest.raises(errors.StateError, match=r"^nothing waits for a confirmation$"):
        checkpoint.confirm(stage.folder)


def test_a_confirmation_ends_an_older_refusal(stage: Stage) -> None:
    """What was refused stays refused while the next change waits, and not after its success."""
    stage.ended(stage.arm(SHORT))
    pid = stage.arm()
    assert checkpoint.rejected(stage.folder) == "c0ffee"
    checkpoint.confirm(stage.folder)
    assert checkpoint.rejected(stage.folder) == ""
    assert stage.ended(pid) == 0


def test_nothing_was_changed(stage: Stage) -> None:
    """disarm() ends the guard, and is silent when there is none."""
    pid = stage.arm()
    checkpoint.disarm(stage.folder)
    assert stage.ended(pid) == 0
    checkpoint.disarm(stage.folder)
    assert (stage.notes, stage.files()) == ([], set())


def test_nothing_waits(stage: Stage) -> None:
    """An empty folder, and one that is not there, hold nothing."""
    for folder in (stage.folder, f"{stage.folder}/none"):
        assert checkpoint.pending(folder) is None
        assert checkpoint.rejected(folder) == ""
        for verb in (checkpoint.confirm, checkpoint.hurry):
            with pytest.raises(errors.StateError, match=r"^nothing waits for a confirmation$"):
                verb(folder)


def test_what_is_pending(stage: Stage) -> None:
    """Pid, digest and a deadline on CLOCK_BOOTTIME, in a file that a service of another user can
    read too."""
    first = time.clock_gettime(time.CLOCK_BOOTTIME)
    pid = stage.arm()
    last = time.clock_gettime(time.CLOCK_BOOTTIME)
    found = checkpoint.pending(stage.folder)
    assert found is not None
    assert (found.pid, found.digest, found.alive) == (pid, "c0ffee", True)
    assert first + LONG <= found.deadline <= last + LONG
    assert Path(stage.folder, checkpoint.PENDING).stat().st_mode & 0o777 == 0o644
    assert stage.files() == {checkpoint.PENDING}


def test_second_change_is_refused(stage: Stage) -> None:
    """One change waits at a time; the first one goes on waiting."""
    pid = stage.arm()
    with pytest.raises(errors.StateError, match="waits for its confirmation since") as caught:
        checkpoint.arm(stage.folder, LONG, "beef", stage.restore)
    assert caught.value.hint == "netalias confirm"
    assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0


# --- what becomes of the guard ---


def test_signals(stage: Stage) -> None:
    """No signal but SIGKILL ends, stops or hurries a guard."""
    pid = stage.arm()
    spared = {signal.SIGKILL, signal.SIGSTOP}
    faults = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}
    for number in signal.valid_signals() - spared - faults:
        os.kill(pid, number)
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0
    assert stage.notes == []


def test_killed_guard_counts_as_nothing(stage: Stage) -> None:
    """What it left is no obstacle, and confirm() says that nobody restores anything."""
    pid = stage.arm()
    os.kill(pid, signal.SIGKILL)
    assert stage.ended(pid) == -signal.SIGKILL
    assert stage.files() == {checkpoint.PENDING}
    assert checkpoint.pending(stage.folder) is None
    with pytest.raises(errors.StateError, match=r"^nothing waits") as caught:
        checkpoint.confirm(stage.folder)
    assert caught.value.hint == unguarded(stage)
    assert stage.files() == set()
    second = stage.arm()
    assert second != pid
    checkpoint.confirm(stage.folder)
    assert stage.ended(second) == 0


def test_unburied_guard_counts_as_nothing(stage: Stage) -> None:
    """A zombie has its pid and its start time still."""
    pid = stage.arm()
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert stat(pid)[0] == "Z"
    assert checkpoint.pending(stage.folder) is None


def unguarded(stage: Stage) -> str:
    """The sentence on a file that no guard is behind."""
    return f"{stage.folder}/{checkpoint.PENDING}: no guard is behind it: what is there stays"


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is no guard, and goes on whatever is said of it."""
    found = subprocess.Popen(["sleep", str(LONG)])
    yield found
    found.terminate()
    assert found.wait() == -signal.SIGTERM


def forge(stage: Stage, process: subprocess.Popen[bytes], name: str = checkpoint.PENDING) -> None:
    """Write a file that names *process* as the guard, as whoever owns the directory can."""
    start = checkpoint.started(process.pid)
    words = checkpoint.Pending(process.pid, start, LONG, "beef", "").words()
    checkpoint._write(f"{stage.folder}/{name}", words)


@pytest.mark.parametrize("verb", [checkpoint.confirm, checkpoint.hurry])
def test_a_process_that_is_no_guard_is_not_believed(
    stage: Stage, bystander: subprocess.Popen[bytes], verb: Callable[[str], object]
) -> None:
    """Nothing waits for it; its file is told once, by its path, and is gone."""
    forge(stage, bystander)
    assert checkpoint.pending(stage.folder) is None
    assert checkpoint.unguarded(stage.folder) == unguarded(stage)
    with pytest.raises(errors.StateError, match=r"^nothing waits for a confirmation$") as caught:
        verb(stage.folder)
    assert caught.value.hint == unguarded(stage)
    assert (stage.files(), checkpoint.unguarded(stage.folder)) == (set(), "")


@pytest.mark.parametrize("name", [checkpoint.PENDING, checkpoint.REJECTED])
def test_a_process_that_is_no_guard_is_no_obstacle(
    stage: Stage, bystander: subprocess.Popen[bytes], name: str
) -> None:
    """The next change has a guard of its own, whether that one is said to wait or to restore."""
    forge(stage, bystander, name)
    pid = stage.arm()
    assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0


def test_a_guard_of_a_former_version(stage: Stage) -> None:
    """0.4 took no lock: the words of its command tell which process is one."""
    words = [sys.executable, "-c", "import time; time.sleep(60)", "--confirm=60", "reconcile"]
    former = subprocess.Popen(words)
    try:
        told = Path(f"/proc/{former.pid}/cmdline")
        until(lambda: b"reconcile" in told.read_bytes())  # Popen() returns a little earlier
        forge(stage, former)
        assert checkpoint.unguarded(stage.folder) == ""
        assert checkpoint.confirm(stage.folder) == "beef"
    finally:
        former.kill()
        former.wait()


def test_readers_do_not_take_each_other_for_a_guard(
    stage: Stage, bystander: subprocess.Popen[bytes]
) -> None:
    """Nor does the next guard find the lock taken, since none looks for long."""
    path = Path(stage.folder, proof.LOCK)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        forge(stage, bystander)
        assert checkpoint.pending(stage.folder) is None
    pid = stage.arm()
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0


def test_somebody_else_has_the_lock(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """No guard is started that could not prove itself, and the lock is named."""
    monkeypatch.setattr(proof, "WAIT", SHORT)
    path = Path(stage.folder, proof.LOCK)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(errors.StateError, match=f"{path}: another process holds it$"):
            stage.arm()
    assert (stage.orphan(), stage.files()) == (0, set())


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("journal", path)])
def test_what_is_no_lock_proves_nothing(
    stage: Stage, bystander: subprocess.Popen[bytes], make: Callable[[str], object]
) -> None:
    """A folder, a FIFO, a link; no guard is started without a lock."""
    path = f"{stage.folder}/{proof.LOCK}"
    make(path)
    forge(stage, bystander)
    assert checkpoint.pending(stage.folder) is None
    with pytest.raises(errors.StateError, match=f"no guard could be started: {path}: "):
        stage.arm()
    assert stage.orphan() == 0


@pytest.mark.parametrize("verb", [checkpoint.confirm, checkpoint.hurry])
def test_a_guard_of_another_user_is_none_of_ours(
    stage: Stage, bystander: subprocess.Popen[bytes], verb: Callable[[str], object]
) -> None:
    """The owner of the directory can hold the lock of the guard by a process of his own. His file
    is told, and stays: he may have a guard that waits for it to go."""
    path = Path(stage.folder, checkpoint.PENDING)
    with Path(stage.folder, proof.LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        forge(stage, bystander)
        assert checkpoint.pending(stage.folder) is not None
        given_away(path)
        assert checkpoint.pending(stage.folder) is None
        told = f"{path}: user {NOBODY} has written it: it counts for nothing"
        assert checkpoint.unguarded(stage.folder) == told
        with pytest.raises(errors.StateError, match=r"^nothing waits") as caught:
            verb(stage.folder)
        assert caught.value.hint == told
    assert path.exists()


def test_a_rejection_by_another_user_is_none(
    stage: Stage, bystander: subprocess.Popen[bytes]
) -> None:
    """He could have every configuration refused."""
    forge(stage, bystander, checkpoint.REJECTED)
    assert checkpoint.rejected(stage.folder) == "beef"
    given_away(Path(stage.folder, checkpoint.REJECTED))
    assert checkpoint.rejected(stage.folder) == ""


def test_another_record_of_ours_is_none_of_a_guard(
    stage: Stage, bystander: subprocess.Popen[bytes]
) -> None:
    """The owner of the directory can rename a file of root that has lines of his."""
    forge(stage, bystander)
    path = Path(stage.folder, checkpoint.PENDING)
    path.write_text(f"namespace 7\n{path.read_text()}")
    with Path(stage.folder, proof.LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert checkpoint.pending(stage.folder) is None


def test_pid_was_used_again(stage: Stage, bystander: subprocess.Popen[bytes]) -> None:
    """A process that got the number of a dead guard is no guard."""
    start = checkpoint.started(bystander.pid)
    words = checkpoint.Pending(bystander.pid, f"{int(start) - 1}", LONG, "beef", "").words()
    checkpoint._write(f"{stage.folder}/{checkpoint.PENDING}", words)
    assert checkpoint.pending(stage.folder) is None
    with pytest.raises(errors.StateError, match=r"^nothing waits"):
        checkpoint.confirm(stage.folder)
    checkpoint.disarm(stage.folder)
    pid = stage.arm()
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0


@pytest.mark.parametrize("content", [b"", b"\0\xff\n", b"pid x\n", b"pid 1\nstart 1\n", b"pid\n"])
def test_garbage(stage: Stage, content: bytes) -> None:
    """A file that is none of ours is nothing, and is replaced."""
    Path(stage.folder, checkpoint.PENDING).write_bytes(content)
    assert checkpoint.pending(stage.folder) is None
    pid = stage.arm()
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0


def test_symbolic_link_is_not_followed(stage: Stage) -> None:
    """Nobody makes root write elsewhere."""
    target = Path(stage.folder, "journal")
    target.write_text("mine\n")
    Path(stage.folder, f"{checkpoint.PENDING}.new").symlink_to(target)
    pid = stage.arm()
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0
    assert stage.notes == ["mine"]


def test_detached(stage: Stage) -> None:
    """A session without terminal that it does not lead, /, and no descriptor of the command."""
    end, pipe = os.pipe()
    pid = stage.arm(keep=(pipe,))
    session, terminal = stat(pid)[3:5]
    assert (int(session) not in (pid, os.getsid(0)), terminal) == (True, "0")
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    kept = os.readlink(f"/proc/self/fd/{pipe}")
    rest = {"/dev/null", f"{stage.folder}/{proof.LOCK}"}
    until(lambda: set(descriptors(pid).values()) - {EVENTS} == {kept, *rest})
    found = descriptors(pid)
    assert found[pipe] == kept
    assert {0, 1, 2} <= set(found)
    os.close(end)
    os.close(pipe)


def test_lock_is_not_inherited(stage: Stage) -> None:
    """The command's lock is free when the command lets go of it, whatever the guard does."""
    with stage.lock():
        stage.arm()
    file = os.open(f"{stage.folder}/lock", os.O_RDWR)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError if the guard held it
    os.close(file)


def test_kept_descriptor_serves_the_restoration(stage: Stage) -> None:
    """What is opened before the change can be used after the command has closed it."""
    end, pipe = os.pipe()

    def restore(still: Still) -> str | None:
        os.write(pipe, b"restored" if still() else b"late")
        return "as before"

    pid = stage.arm(SHORT, restore, (pipe,))
    os.close(pipe)
    assert os.read(end, 99) == b"restored"
    assert stage.ended(pid) == 0
    os.close(end)


def test_command_without_standard_descriptors(stage: Stage) -> None:
    """Numbers 0 to 2 may be anything, and a kept one stays what it is."""
    done = command(
        stage,
        """
os.closerange(0, 3)
assert os.open("/proc/self/stat", os.O_RDONLY) == 0
arm(60, (0,))
""",
    )
    assert done.wait() == 0
    pid = stage.watch()
    kept = descriptors(pid)[0]
    assert kept.endswith("/stat")
    rest = {"/dev/null", f"{stage.folder}/{proof.LOCK}"}
    until(lambda: set(descriptors(pid).values()) - {EVENTS} == {kept, *rest})
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0


def test_command_is_killed(stage: Stage) -> None:
    """Its pipes end with it, and the guard does its work."""
    parent = command(
        stage,
        "arm(60); print('armed', flush=True); signal.pause()",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "armed\n"
    pid = stage.watch()
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    assert eof(parent.stdout.fileno())
    parent.stdout.close()
    assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0


@pytest.mark.parametrize("blow", ["kill", "hangup"])
def test_terminal_goes(stage: Stage, blow: str) -> None:
    """The session leader is killed, or its terminal closed: the former state comes back."""
    master, slave = pty.openpty()
    parent = command(
        stage,
        """
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
arm(0.5)
print("armed", flush=True)
while True:
    signal.pause()
""",
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    assert b"armed" in os.read(master, 4096)
    pid = stage.watch()
    if blow == "kill":
        parent.kill()
        assert parent.wait() == -signal.SIGKILL
        assert eof(master)  # at once: the guard does not hold the terminal
        os.close(master)
    else:
        os.close(master)
        assert parent.wait() == -signal.SIGHUP
    assert stage.ended(pid) == 0
    assert stage.notes == ["restored"]


def test_command_is_killed_before_it_knows(stage: Stage) -> None:
    """A guard whose command died in arm() guards nothing and leaves nothing."""
    gate = Path(stage.folder, "lock")
    os.mkfifo(gate)
    parent = command(
        stage,
        f"""
import netalias.engine.checkpoint
chdir, pid = os.chdir, os.getpid()
def slow(path):
    open({str(gate)!r}, "w").close()  # tells that the guard is there
    open({str(gate)!r}).close()       # waits until the command is not
    chdir(path)
os.chdir = slow
wait = os.waitpid
def told(child, options):
    wait(child, options)
    print("waiting", flush=True)
os.waitpid = told
arm(60)
""",
        stdout=subprocess.PIPE,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "waiting\n"
    gate.read_bytes()
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    parent.stdout.close()
    gate.write_bytes(b"")
    assert stage.orphan() == 0
    assert (stage.notes, stage.files()) == ([], set())


def test_command_goes_on_alone(stage: Stage) -> None:
    """Buffers are flushed once, and only the command runs its finally blocks and exit handlers."""
    parent = command(
        stage,
        """
import atexit
atexit.register(print, "exit")
print("before")
try:
    arm(60)
finally:
    print("finally")
""",
        stdout=subprocess.PIPE,
    )
    output, _ = parent.communicate()
    pid = stage.watch()
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0
    assert output.split() == ["before", "finally", "exit"]


def test_signals_of_the_command(stage: Stage) -> None:
    """The command hears signals after arm() as before."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    stage.arm()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_interrupted_while_arming(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """^C in arm() is heard, and no guard is left behind."""
    fork, remove = os.fork, checkpoint._remove
    command = os.getpid()

    def interrupted() -> int:
        if os.getpid() == command:
            # To this thread: one that others have left would let it through.
            signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        return fork()

    def removed(path: str) -> bool:
        stage.watch()
        return remove(path)

    monkeypatch.setattr(os, "fork", interrupted)
    monkeypatch.setattr(checkpoint, "_remove", removed)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.arm(stage.folder, LONG, "beef", stage.restore)
    (pid,) = stage.guards
    assert stage.ended(pid) == 0
    assert (stage.notes, stage.files()) == ([], set())


def test_no_process_can_be_made(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """EAGAIN in the command and in the process between are told, and leave nothing."""
    fork = os.fork
    command = os.getpid()

    def refuse(here: bool) -> Callable[[], int]:
        def refused() -> int:
            if (os.getpid() == command) == here:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            return fork()

        return refused

    before = len(os.listdir("/proc/self/fd")), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    for here in (True, False):
        monkeypatch.setattr(os, "fork", refuse(here))
        with pytest.raises(errors.StateError, match=r"no guard could be started.*unavailable"):
            checkpoint.arm(stage.folder, LONG, "beef", stage.restore)
    after = len(os.listdir("/proc/self/fd")), signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert (after, stage.files()) == (before, set())


def test_no_folder(stage: Stage) -> None:
    """A guard that cannot write says why and is gone."""
    with pytest.raises(errors.StateError, match=r"no guard could be started: .*No such file"):
        checkpoint.arm(f"{stage.folder}/none", LONG, "beef", stage.restore)
    assert stage.orphan() == 0


# --- time ---


def test_unreadable_is_not_confirmed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that cannot read its file for a while goes on waiting."""
    monkeypatch.setattr(checkpoint, "SLICE", SHORT)
    pid = stage.arm()
    path = f"{stage.folder}/{checkpoint.PENDING}"
    words = checkpoint._read(path)
    os.symlink("nowhere", f"{path}.new")
    os.rename(f"{path}.new", path)
    with pytest.raises(errors.StateError, match="pending: "):
        checkpoint.pending(stage.folder)
    time.sleep(3 * checkpoint.SLICE)  # it looks at its file meanwhile, which leaves no trace
    checkpoint._write(path, words)
    checkpoint.confirm(stage.folder)
    assert stage.ended(pid) == 0


def test_machine_was_suspended(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remaining time is worked out anew: a clock that leaps ahead ends the waiting."""
    leap = Path(stage.folder, "lock")

    def clock(_: int) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME) + (2 * LONG if leap.exists() else 0)

    monkeypatch.setattr(checkpoint, "clock_gettime", clock)
    monkeypatch.setattr(checkpoint, "SLICE", SHORT)
    pid = stage.arm(LONG, lambda still: "as before" if still() else None)
    leap.touch()
    assert stage.ended(pid) == 0
    assert checkpoint.rejected(stage.folder) == "c0ffee"


# --- the restoration ---


def test_restoration_fails_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again, the claim holds, and the verdict is that of the last try."""
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)

    def restore(still: Still) -> str | None:
        assert still()
        stage.note("tried")
        if len(stage.notes) < 3:
            raise errors.kernel_error("netlink", errno.ENOBUFS)
        return "3 aliases,\nas before"

    assert stage.ended(stage.arm(SHORT, restore)) == 0
    assert stage.notes == ["tried"] * 3
    with pytest.raises(errors.StateError, match=r"was restored at .*; 3 aliases, as before$"):
        checkpoint.confirm(stage.folder)


@pytest.mark.parametrize("asked", [True, False])
def test_restoration_fails(stage: Stage, monkeypatch: pytest.MonkeyPatch, asked: bool) -> None:
    """After four tries the error is the verdict, and nobody is told of a restoration."""
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)

    def restore(still: Still) -> str | None:
        stage.note("tried")
        if asked:
            assert still()
            raise ValueError("what\nis that")
        raise errors.LockBusy("another netalias is at work", "wait")

    assert stage.ended(stage.arm(SHORT, restore)) == 0
    assert stage.notes == ["tried"] * 4
    error = "ValueError: what is that" if asked else "another netalias is at work (wait)"
    with pytest.raises(errors.StateError) as caught:
        checkpoint.confirm(stage.folder)
    assert str(caught.value) == (
        f"not confirmed in time, and the former state could not be restored: {error}"
    )
    assert checkpoint.rejected(stage.folder) == "c0ffee"


def test_confirmed_between_two_tries(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy lock restores nothing, so a confirmation may still come, and ends it."""
    monkeypatch.setattr(checkpoint, "PAUSE", 0.0)

    def restore(still: Still) -> str | None:
        with stage.lock():
            stage.note("tried")
            if len(stage.notes) == 1:
                checkpoint.confirm(stage.folder)
                raise errors.LockBusy("another netalias is at work")
            return "restored" if still() else None

    with stage.lock():
        pid = stage.arm(SHORT, restore)
    assert stage.ended(pid) == 0
    assert stage.notes == ["tried"] * 2
    assert stage.files() == set()


def in_restoration(stage: Stage) -> tuple[int, int]:
    """A guard that stands in the middle of its restoration, and the pipe that lets it go on."""
    end, pipe = os.pipe()

    def restore(still: Still) -> str | None:
        assert still()
        os.read(end, 1)
        return "as before"

    pid = stage.arm(SHORT, restore, (end,))
    os.close(end)
    until(lambda: checkpoint.rejected(stage.folder))
    return pid, pipe


def test_while_it_is_restored(stage: Stage) -> None:
    """Too late to confirm and too early for the next change; then the verdict is there."""
    pid, pipe = in_restoration(stage)
    sentence = "^not confirmed in time: the former state is being restored$"
    with pytest.raises(errors.StateError, match=sentence):
        checkpoint.confirm(stage.folder)
    with pytest.raises(errors.StateError, match=sentence):
        checkpoint.arm(stage.folder, LONG, "beef", stage.restore)
    os.write(pipe, b".")
    assert stage.ended(pid) == 0
    with pytest.raises(errors.StateError, match=r"was restored at .*; as before$"):
        checkpoint.confirm(stage.folder)
    os.close(pipe)


def test_killed_while_it_restored(stage: Stage) -> None:
    """It is not said that anything was restored, and the next change is welcome."""
    pid, pipe = in_restoration(stage)
    os.kill(pid, signal.SIGKILL)
    stage.ended(pid)
    with pytest.raises(errors.StateError, match="the guard died before it reported"):
        checkpoint.confirm(stage.folder)
    assert checkpoint.rejected(stage.folder) == "c0ffee"
    second = stage.arm()
    checkpoint.confirm(stage.folder)
    assert stage.ended(second) == 0
    os.close(pipe)


def test_it_tells_and_leaves_while_it_is_looked_at(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard that was not done when its file was read, and is gone when it is looked for, has
    told in between."""
    pid, pipe = in_restoration(stage)
    parse = checkpoint._parse

    def slowly(words: dict[str, str]) -> checkpoint.Pending | None:
        if pid in stage.guards and "start" in words:
            os.write(pipe, b".")
            assert stage.ended(pid) == 0
        return parse(words)

    monkeypatch.setattr(checkpoint, "_parse", slowly)
    with pytest.raises(errors.StateError, match=r"was restored at .*; as before$"):
        checkpoint.confirm(stage.folder)
    os.close(pipe)


def test_forgotten_while_it_is_restored(stage: Stage) -> None:
    """What the user has forgotten does not come back with the verdict."""
    pid, pipe = in_restoration(stage)
    checkpoint.forget(stage.folder)
    os.write(pipe, b".")
    assert stage.ended(pid) == 0
    assert stage.files() == set()
    os.close(pipe)


# --- both at the same moment ---


def test_confirmation_holds_the_lock_first(stage: Stage) -> None:
    """The deadline is over, the guard waits for the lock: the confirmation wins."""
    end, pipe = os.pipe()

    def restore(still: Still) -> str | None:
        os.write(pipe, b".")  # the deadline is over
        return stage.restore(still)

    with stage.lock():
        pid = stage.arm(SHORT, restore, (pipe,))
        os.read(end, 1)
        assert checkpoint.confirm(stage.folder) == "c0ffee"
    assert stage.ended(pid) == 0
    assert (stage.notes, stage.files()) == ([], set())
    os.close(end)
    os.close(pipe)


@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.long)])
@pytest.mark.parametrize("under_lock", [True, False])
def test_race(stage: Stage, under_lock: bool, step: int) -> None:
    """Exactly one of the two wins, at whatever instant they meet, with the lock or without."""

    def restore(still: Still) -> str | None:
        if not still():
            return None
        stage.note("restored")
        return "as before"

    for offset in range(-20, 40, step):
        stage.journal.write_text("")
        chosen = stage.restore if under_lock else restore
        deadline = time.clock_gettime(time.CLOCK_BOOTTIME) + SHORT
        pid = stage.arm(SHORT, chosen)
        while time.clock_gettime(time.CLOCK_BOOTTIME) < deadline + offset * 0.0001:
            pass
        confirmed = raced(stage, under_lock)
        assert stage.ended(pid) == 0
        assert confirmed != (stage.notes == ["restored"]), f"{offset}: {confirmed} {stage.notes}"
        assert bool(checkpoint.rejected(stage.folder)) != confirmed
        checkpoint.forget(stage.folder)


def raced(stage: Stage, under_lock: bool) -> bool:
    """Whether the confirmation was accepted."""
    sentence = ""
    try:
        if under_lock:
            with stage.lock():
                checkpoint.confirm(stage.folder)
        else:
            checkpoint.confirm(stage.folder)
    except errors.StateError as error:
        sentence = str(error)
    assert not sentence or sentence.startswith("not confirmed in time: the former state ")
    return not sentence


def test_loads_little() -> None:
    """Start-up is a feature: beside the engine it loads the errors and C modules."""
    text = """
import sys
import netalias.engine
before = set(sys.modules)
from netalias.engine import checkpoint as guard
print(*set(sys.modules) - before)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", text], env=environment, capture_output=True, text=True, check=True
    )
    allowed = {"__future__", "_signal", "errno", "fcntl", "netalias", "netalias.errors", "time"}
    assert set(done.stdout.split()) - allowed == {
        "netalias.engine.checkpoint",
        "netalias.runtime",
        "netalias.runtime.guard",
        "netalias.runtime.words",
        "netalias.system",
        "netalias.system.process",
    }
