"""What the tests share: private network namespaces held by descriptor, and waiting by state."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, LOCK_UN, flock
from pathlib import Path
from typing import TypeVar

from cables import cable, raised

T = TypeVar("T")

NOBODY = 65534
CLONE_NEWNET = 0x40000000
THREAD_NET = "/proc/thread-self/ns/net"
FIRST_NET = "/proc/1/ns/net"

FALLBACK = {
    "erspan0", "gre0", "gretap0", "ip6_vti0", "ip6gre0", "ip6tnl0", "ip_vti0", "sit0", "tunl0"
}  # fmt: skip
"""The kernel puts these into every new namespace once their modules are loaded."""

LINUX = tuple(int(word) for word in os.uname().release.split("-")[0].split(".")[:2])
"""The kernel that the tests are run on, as (6, 1)."""

SLOW = float(os.environ.get("NETALIAS_SLOW", "1"))
"""How much longer than usual is waited for everything; an emulator sets it (tools/kernels)."""

ONE_IN = int(os.environ.get("NETALIAS_ONE_IN", "1"))
"""Property tests draw one of so many examples, the first ones: ``make test`` is the short form of
``make test-long``, which draws all."""
LEAST = 20
"""Examples that are drawn in any case."""

PATIENCE = 30.0
"""Seconds, times SLOW, within which comes true what takes milliseconds: a machine that has other
work too may let a process wait for long, and only a test that fails waits to the end."""
LONGEST = 150.0
"""Seconds, times SLOW, for which a process is waited for: one that takes longer has no end. That is
told by the test itself, before pytest ends its worker (faulthandler_timeout of setup.cfg)."""

RTM_GETLINK, IFLA_OPERSTATE = 18, 16
OPERSTATES = (
    "UNKNOWN", "NOTPRESENT", "DOWN", "LOWERLAYERDOWN", "TESTING", "DORMANT", "UP"
)  # fmt: skip
"""By the numbers of linux/if.h."""

_libc = ctypes.CDLL(None, use_errno=True)


def another_user() -> bool:
    """Whether a process may become another user: not in a user namespace of one user."""
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "true"]
    try:
        return subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def given_away(path: Path) -> Path:
    """*path*, which is a file of another user now; where that cannot be, the test is skipped."""
    try:
        os.lchown(path, NOBODY, NOBODY)
    except OSError:
        import pytest  # not at the top: tools use this module too

        pytest.skip("this user cannot give anything to another one")
    return path


class Process(subprocess.Popen[str]):
    """A process that nobody waits for without a limit."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status, within LONGEST if nothing else is said."""
        return super().wait(LONGEST * SLOW if timeout is None else timeout)

    def communicate(
        self, input: str | None = None, timeout: float | None = None
    ) -> tuple[str, str]:
        """Its output up to the end, within LONGEST if nothing else is said."""
        return super().communicate(input, LONGEST * SLOW if timeout is None else timeout)

    def line(self) -> str:
        """The next line of its standard output; one that comes to nothing within PATIENCE ends the
        process, and is empty."""
        assert self.stdout is not None
        late = threading.Timer(PATIENCE * SLOW, self.kill)
        late.start()
        try:
            return self.stdout.readline()
        finally:
            late.cancel()


class Namespace:
    """A new network namespace, held by a file descriptor and nothing else.

    ``with namespace:`` moves the current thread in, and back when the block ends, however it ends.
    ``peer`` is the namespace at the other end of the cable, where there is one.
    Raises OSError where the process may not make one.
    """

    def __init__(self) -> None:
        self.fd = _in_thread(_unshared)
        self._homes: list[int] = []
        self.peer: Namespace | None = None
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def _check(self) -> None:
        """Nothing is changed before it is certain that this is not the machine's namespace."""
        for path in (THREAD_NET, FIRST_NET):
            assert self.inode != _inode(path), f"not a new network namespace: it is {path}"
        names = set(self.names())
        assert "lo" in names
        assert not names - FALLBACK - {"lo"}, f"a new namespace holds {names}"

    @property
    def inode(self) -> int:
        """The number by which the kernel tells namespaces apart."""
        return os.fstat(self.fd).st_ino

    @property
    def path(self) -> str:
        """What ``ip link set ... netns PATH`` takes while this process lives."""
        return f"/proc/{os.getpid()}/fd/{self.fd}"

    def names(self) -> list[str]:
        """The primary names of the devices."""
        with self:
            return [name for _, name in socket.if_nameindex()]

    @contextmanager
    def enter(self) -> Iterator[Namespace]:
        """The same as ``with namespace:``."""
        with self:
            yield self

    def __enter__(self) -> Namespace:
        home = os.open(THREAD_NET, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(self.fd)
        except BaseException:
            os.close(home)
            raise
        self._homes.append(home)
        return self

    def __exit__(self, *_: object) -> None:
        home = self._homes.pop()
        try:
            _setns(home)
        finally:
            os.close(home)

    def run(
        self, words: Sequence[str], *, check: bool = True, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside, within LONGEST; its output is kept as text."""
        with self:
            try:
                done = subprocess.run(
                    list(words),
                    capture_output=True,
                    text=True,
                    input=input,
                    check=False,
                    errors="surrogateescape",
                    timeout=LONGEST * SLOW,
                )
            except subprocess.TimeoutExpired as late:
                said = f"{late.stdout!r}, {late.stderr!r}"
                raise AssertionError(f"{' '.join(words)}: it does not end: {said}") from None
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: {done.returncode}: {done.stderr.strip()}")
        return done

    def start(self, words: Sequence[str], **options: object) -> Process:
        """Start a command inside and do not wait for it."""
        with self:
            return Process(list(words), text=True, **options)  # type: ignore[call-overload, no-any-return]

    def ip(self, words: str, *, check: bool = True) -> str:
        """``ip`` with these words; its output."""
        return self.run(["ip", *words.split()], check=check).stdout

    def raise_lo(self) -> None:
        """``ip link set lo up``, without a process."""
        with self:
            raised("lo")

    def close(self) -> None:
        """Let the kernel take the namespace and all devices in it away."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Turns:
    """Turns of processes that are many at once, or one alone (flock(2) of two files).

    Whoever wants to be alone holds the gate while it waits for the others to end, so that none
    begins anew.
    """

    def __init__(self, gate: Path, room: Path) -> None:
        flags = os.O_RDONLY | os.O_CLOEXEC
        self._gate, self._room = os.open(gate, flags), os.open(room, flags)

    @contextmanager
    def taken(self, *, alone: bool) -> Iterator[None]:
        """A turn, as long as the block."""
        flock(self._gate, LOCK_EX)
        try:
            flock(self._room, LOCK_EX if alone else LOCK_SH)
        finally:
            flock(self._gate, LOCK_UN)
        try:
            yield
        finally:
            # Not by closing: children that are left would keep it.
            flock(self._room, LOCK_UN)


def veth_pair(here: Namespace, there: Namespace, name: str = "eth9", peer: str = "p9") -> None:
    """A veth pair between two namespaces; both ends up and with carrier, without addresses."""
    cable(here, there, name, peer)
    for namespace, device in ((there, peer), (here, name)):
        until(lambda: operstate(namespace, device) == "UP")  # noqa: B023 it is over by then


def operstate(namespace: Namespace, device: str) -> str:
    """The state of a device that ip(8) shows after ``state``, without a process.

    Raises OSError where there is no such device.
    """
    with namespace:
        index = socket.if_nametoindex(device)
        asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    with asking:
        asking.send(struct.pack("=IHHII BxHiII", 32, RTM_GETLINK, 1, 0, 0, 0, 0, index, 0, 0))
        data = asking.recv(65536)
    at = 32
    while at < len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        if kind == IFLA_OPERSTATE:
            return OPERSTATES[data[at + 4]]
        at += (length + 3) & ~3
    raise OSError(f"the kernel says nothing of the state of {device}")


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process that does nothing meanwhile; what it waited for is looked at again afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def until(predicate: Callable[[], T], seconds: float = PATIENCE) -> T:
    """Look until *predicate* gives something true, and give that; else AssertionError."""
    begun = time.monotonic()
    while True:
        looking = time.monotonic()
        found = predicate()
        if found:
            return found
        now = time.monotonic()
        waited = now - begun
        if waited > seconds * SLOW:
            raise AssertionError(f"did not come true within {seconds} s: {predicate}")
        # The interval between two looks, not a guess at how long it takes: where that is seconds,
        # or a look starts processes, one every 5 ms would keep a processor busy that others need.
        time.sleep(min(max(0.005, waited / 20, now - looking), 0.05))


def reaped(pid: int) -> int:
    """The status of a child, as waitpid(2) gives it, once it has ended."""

    def ended() -> list[int]:
        found, status = os.waitpid(pid, os.WNOHANG)
        return [status] if found else []

    return until(ended)[0]


def why_no_namespace() -> str:
    """Why this process cannot make a network namespace; empty when it can."""
    try:
        Namespace().close()
    except OSError as error:
        return f"no network namespace can be made here: {error.strerror}"
    return ""


def _unshared() -> int:
    if _libc.unshare(CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return os.open(THREAD_NET, os.O_RDONLY | os.O_CLOEXEC)


def _setns(fd: int) -> None:
    if _libc.setns(fd, CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _inode(path: str) -> int:
    """0 where the path may not be followed: PID 1 of a foreign user namespace."""
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _in_thread(work: Callable[[], int]) -> int:
    """Run *work* in a thread of its own, whose namespace may change without consequence."""
    results: list[int] = []
    problems: list[BaseException] = []

    def body() -> None:
        try:
            results.append(work())
        except BaseException as problem:  # whatever it is, the caller shall see it
            problems.append(problem)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if problems:
        raise problems[0]
    return results[0]
