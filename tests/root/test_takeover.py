"""A new watcher takes over from the running one: nobody misses an event, an answer or the lock; and
a takeover that fails at whatever point is as if it had not been tried."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path

import pytest
from command import COMMAND, Command
from support import PATIENCE, SLOW, Namespace, until
from watcher import Watch, successor, watching

import netalias
from netalias.kernel.netlink.monitor import Monitor
from netalias.links import handover
from netalias.links.handover import Refused, Taken
from netalias.model.events import ADDRESS
from netalias.system.journal import Journal
from netalias.watch import handing
from netalias.watch.takeover import connected

LONG = PATIENCE * SLOW
MINE = handover.version(netalias.__version__)


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file of two aliases."""
    file = tmp_path / "netalias.conf"
    lines = (f"eth9:{slot} 10.0.0.{slot}/32 kind label announce off\n" for slot in (1, 2))
    file.write_text("".join(lines))
    file.chmod(0o644)
    return file


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """Where the texts go."""
    return tmp_path / "net"


def health(watch: Watch) -> dict[str, object]:
    found: dict[str, object] = json.loads(watch.ask("health"))
    return found


def folder_of(namespace: Namespace) -> Path:
    """The runtime directory, in which the running watcher has its files."""
    return Path("/run/netalias") / str(namespace.inode)


def opened(watch: Watch) -> int:
    """The number of descriptors of a watcher."""
    return len(os.listdir(f"/proc/{watch.process.pid}/fd"))


def removed(namespace: Namespace, slot: int) -> None:
    """Somebody deletes the address of an alias."""
    namespace.ip(f"addr del 10.0.0.{slot}/32 dev eth9")


@contextmanager
def offered(namespace: Namespace) -> Iterator[handover.descriptors.Message]:
    """The offer that the watcher makes to somebody who asks."""
    through = connected(str(folder_of(namespace)))
    assert through is not None
    with handover.ask(through, MINE, patience=LONG) as message:
        through.close()
        yield message


@contextmanager
def handed(namespace: Namespace) -> Iterator[Taken]:
    """What the watcher has handed to this process, which has not acknowledged it yet."""
    with offered(namespace) as message, handover.take(message, MINE, patience=LONG) as taken:
        yield taken


# A takeover


def test_a_new_one_goes_on(cli: Command, conf: Path, texts: Path) -> None:
    """It is a continuation, not a start: since when, and how much was put right. The file names the
    new process, and what is removed afterwards comes back."""
    with watching(cli.namespace, texts, str(conf)) as first:
        removed(cli.namespace, 1)
        first.says("eth9:1 was removed")
        until(lambda: health(first)["status"] == "ok")
        before = health(first)
        assert before["healed"] == 1
        with successor(first, str(conf)) as second:
            after = health(second)
            assert after == before | {"pid": second.process.pid}
            about = (folder_of(cli.namespace) / "watch").read_text()
            assert about.startswith(f"pid {second.process.pid}\n")
            removed(cli.namespace, 2)
            second.says("eth9:2 was removed")
            until(lambda: sorted(second.aliases()) == ["eth9:1", "eth9:2"])
            assert second.end() == 0
    assert not (folder_of(cli.namespace) / "takeover").exists()
    assert not Path(f"{texts}.sock").exists()


def lockable(path: Path) -> bool:
    """Whether nobody holds the lock."""
    with path.open("rb") as file:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            return False
    return True


def more(found: Sized) -> None:
    """Wait until some work has been done some times more."""
    before = len(found)
    until(lambda: len(found) > before + 3)


class Unceasing:
    """Work that is done over and over beside the block, until end(); ``failed`` is what it has
    raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.failed: list[Exception] = []
        self._work = work
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._over.wait(0.002) and not self.failed:
            try:
                self._work()
            except Exception as error:
                self.failed.append(error)

    def __enter__(self) -> Unceasing:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Let it end, without an error so far."""
        self._over.set()
        self._thread.join()
        assert not self.failed


def test_whoever_asks_gets_an_answer(cli: Command, conf: Path, texts: Path) -> None:
    """The listening socket goes along, with those who wait: nobody is refused, and every text is
    whole and true, from the files as well. So does the lock: no third watcher begins in between."""
    answers: list[str] = []
    path = folder_of(cli.namespace) / "watch.lock"

    def ask() -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(LONG)
            client.connect(f"{texts}.sock")
            client.sendall(b"aliases\n")
            answers.append(b"".join(iter(lambda: client.recv(65536), b"")).decode())
        assert answers[-1] == (texts / "aliases").read_text()
        assert not lockable(path)

    with watching(cli.namespace, texts, str(conf)) as first, Unceasing(ask) as work:
        more(answers)
        with successor(first, str(conf)) as second:
            more(answers)
            assert f"pid {second.process.pid}, " in cli.fails(2, "watch", str(conf))
            work.end()
            second.shows("eth9:1", "eth9:2")
            assert set(answers) == {(texts / "aliases").read_text()}


def test_addresses_that_go_meanwhile_come_back(cli: Command, conf: Path, texts: Path) -> None:
    """Somebody deletes one after the other, through two takeovers: each time it comes back."""
    gone: list[int] = []

    def undo() -> None:
        slot = 1 + len(gone) % 2
        removed(cli.namespace, slot)
        gone.append(slot)
        until(lambda: f"10.0.0.{slot}/" in cli.namespace.ip("addr show dev eth9"))

    with (
        watching(cli.namespace, texts, str(conf)) as first,
        Unceasing(undo) as work,
        successor(first, str(conf)) as second,
        successor(second, str(conf)) as third,
    ):
        more(gone)
        work.end()
        until(lambda: sorted(third.aliases()) == ["eth9:1", "eth9:2"])


def test_events_go_along(cli: Command, conf: Path, texts: Path) -> None:
    """What happens when the old watcher has stopped reading, and the new one has not begun, is in
    the socket: also a change that was undone by then, which no reading of the kernel would tell."""
    with watching(cli.namespace, texts, str(conf)), handed(cli.namespace) as taken:
        removed(cli.namespace, 1)
        cli.namespace.ip("addr add 10.0.0.77/32 dev eth9")
        cli.namespace.ip("addr del 10.0.0.77/32 dev eth9")
        with cli.namespace:
            monitor = Monitor(media=False, connected=True, adopted=taken.take("events"))
        there = {one.subject.address.local for one in monitor.start() if one.what == ADDRESS}
        assert bytes([10, 0, 0, 2]) in there
        assert bytes([10, 0, 0, 1]) not in there
        seen = [one.subject.address.local for one in monitor.read() if one.what == ADDRESS]
        assert bytes([10, 0, 0, 77]) in seen
        monitor.close()


# A takeover that fails


def nothing(namespace: Namespace) -> None:
    """Somebody asks and ends."""
    through = connected(str(folder_of(namespace)))
    assert through is not None
    ends = handover.descriptors.packets()
    handover.descriptors.send(through, handover.ASK + MINE + b"\0", [ends[1].fileno()])
    for one in (through, *ends):
        one.close()


def the_offer(namespace: Namespace) -> None:
    """Somebody gets the descriptors, and ends."""
    with offered(namespace):
        pass


def the_state(namespace: Namespace) -> None:
    """Somebody has got all of it, has read the events, and ends without a word."""
    with handed(namespace) as taken, namespace:
        removed(namespace, 1)
        monitor = Monitor(media=False, connected=True, adopted=taken.take("events"))
        for _ in (*monitor.start(), *monitor.read()):
            pass
        monitor.close()


def another_version(namespace: Namespace) -> None:
    """A program whose layouts are others."""
    through = connected(str(folder_of(namespace)))
    assert through is not None
    with pytest.raises(Refused, match="the other one is netalias 9 f"):
        handover.ask(through, b"netalias 9 f", patience=LONG)
    through.close()


def refused(namespace: Namespace) -> None:
    """It says why not."""
    with handed(namespace) as taken:
        taken.refuse("no room")


def test_the_running_one_goes_on(cli: Command, conf: Path, texts: Path) -> None:
    """Whatever the other process does: the aliases are kept, the texts true, no descriptor is left,
    and another one can take over."""
    with watching(cli.namespace, texts, str(conf)) as first:
        first.ask("aliases")
        before = opened(first)
        for failing in (nothing, the_offer, the_state, another_version, refused):
            failing(cli.namespace)
            if failing is not another_version:
                first.says("not handed over: ")
            until(lambda: opened(first) == before)
            removed(cli.namespace, 2)
            for slot in (1, 2):
                address = f"10.0.0.{slot}/"
                until(lambda: address in cli.namespace.ip("addr show dev eth9"))  # noqa: B023
            until(lambda: sorted(first.aliases()) == ["eth9:1", "eth9:2"])
            assert health(first)["pid"] == first.process.pid
            about = (folder_of(cli.namespace) / "watch").read_text()
            assert about.startswith(f"pid {first.process.pid}\n")
        with successor(first, str(conf)) as second:
            until(lambda: sorted(second.aliases()) == ["eth9:1", "eth9:2"])


def test_one_that_ends_before_it_watches(cli: Command, conf: Path, tmp_path: Path) -> None:
    """A new program that cannot begin, here since the place of its texts is no folder, leaves the
    running one as it was, with its socket."""
    texts = tmp_path / "net"
    (tmp_path / "file").write_text("")
    with watching(cli.namespace, texts, str(conf)) as first:
        cli.fails(2, "watch", "--takeover", "--texts", str(tmp_path / "file"), str(conf))
        first.says("not handed over: the other process has ended")
        assert "eth9:1" in first.ask("aliases")
        assert health(first)["pid"] == first.process.pid


def test_a_signal_meanwhile(cli: Command, conf: Path, texts: Path) -> None:
    """The watcher is asked to end while it hands over: it ends, and the other one learns that it
    was too late."""
    with watching(cli.namespace, texts, str(conf)) as first, handed(cli.namespace) as taken:
        assert first.end() == 0
        with pytest.raises(Refused, match="or has ended"):
            taken.accept()


def test_without_a_watcher(cli: Command, conf: Path, texts: Path) -> None:
    """It begins; so a service can always be started so. The rendezvous of a watcher that was killed
    leads nowhere."""
    words = ("--takeover", str(conf))
    for _ in range(2):
        with watching(cli.namespace, texts, *words) as watch:
            watch.shows("eth9:1", "eth9:2")
            assert "no watcher runs that could be taken over" in "".join(watch.said)
            rendezvous = folder_of(cli.namespace) / "takeover"
            assert rendezvous.stat().st_mode & 0o777 == 0o600  # for root and this user


def test_a_watcher_of_another_namespace_is_left_alone(
    cli: Command, conf: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rendezvous of another one, put in the place of ours by the owner of both, is refused."""
    with watching(cli.namespace, texts, str(conf)) as first:
        folder, release = str(folder_of(cli.namespace)), netalias.__version__
        found = handing.take(folder, release, Journal(), cookie=1)
        assert found.take("events") == -1
        found.close()
        assert "of another network namespace" in capsys.readouterr().err
        until(lambda: health(first)["status"] == "ok")
        with successor(first, str(conf)) as second:
            assert second.end() == 0


def test_any_bytes_are_dropped(cli: Command, conf: Path, texts: Path) -> None:
    """Whatever is sent to the rendezvous, with descriptors or without."""
    with watching(cli.namespace, texts, str(conf)) as first:
        before = opened(first)
        through = connected(str(folder_of(cli.namespace)))
        assert through is not None
        for words in (b"x", b"\xff" * 4000, handover.ASK, handover.ASK + MINE, MINE + b"\0"):
            handover.descriptors.send(through, words, [0])
            handover.descriptors.send(through, words)
        through.close()
        until(lambda: opened(first) == before)
        with successor(first, str(conf)):
            pass


# A service


class Manager:
    """A service manager: what it is told, and by whom."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.channel.bind(str(path))
        self.channel.settimeout(0.1)
        self.heard: list[tuple[int, list[str]]] = []
        self._told = 0

    def hear(self) -> None:
        """Read the next message."""
        try:
            with handover.descriptors.receive(self.channel) as message:
                self.heard.append((message.pid, message.content.decode().split("\n")))
        except TimeoutError:
            pass

    def told(self, word: str) -> int:
        """The pid of the process that says this next, among other things."""

        def found() -> int:
            for number, (pid, words) in enumerate(self.heard[self._told :], self._told + 1):
                if word in words:
                    self._told = number
                    return pid
            return 0

        return until(found)


def test_the_service_manager_follows(
    cli: Command, conf: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NotifyAccess=main only the old process may say which is the main one, and it does so
    before the new one, which was told of no manager, says that it is ready."""
    manager = Manager(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    with Unceasing(manager.hear), watching(cli.namespace, texts, str(conf)) as first:
        assert manager.told("READY=1") == first.process.pid
        monkeypatch.delenv("NOTIFY_SOCKET")
        monkeypatch.delenv("WATCHDOG_USEC")
        with successor(first, str(conf)) as second:
            assert manager.told(f"MAINPID={second.process.pid}") == first.process.pid
            assert manager.told("READY=1") == second.process.pid
            assert manager.told("WATCHDOG=1") == second.process.pid
    manager.channel.close()


def detached(cli: Command, texts: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """``watch --takeover --detach``, as a service manager runs it for a reload."""
    return cli.namespace.run(
        [*COMMAND, "watch", "--takeover", "--detach", "--texts", str(texts), *words], check=False
    )


def test_a_reload_is_over_when_the_new_one_watches(cli: Command, conf: Path, texts: Path) -> None:
    """The command that starts it ends then, and the watcher stays."""
    with watching(cli.namespace, texts, str(conf)) as first:
        # Its errors go where those of the command go, which is to be a file that it can keep.
        with (texts.parent / "log").open("w") as log, cli.namespace:
            words = [*COMMAND, "watch", "--takeover", "--detach", "--texts", str(texts), str(conf)]
            assert subprocess.run(words, stderr=log, check=False, timeout=LONG).returncode == 0
        new = int(str(health(first)["pid"]))
        try:
            assert new != first.process.pid
            assert first.process.wait(LONG) == 0
            assert os.getsid(new) == new
        finally:
            os.kill(new, 15)
            until(lambda: not (folder_of(cli.namespace) / "watch").exists())


def test_without_words_it_goes_on_with_those_of_before(
    cli: Command, conf: Path, texts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload by a unit whose command line a drop-in has changed: files, options, and the folder
    in which they were named."""
    monkeypatch.chdir(tmp_path)
    words = [*COMMAND, "watch", "--metrics", "m.prom", "--texts", "net", conf.name]
    first = cli.namespace.start(words, stderr=subprocess.DEVNULL)
    try:
        until(lambda: (folder_of(cli.namespace) / "watch").exists())
        until(lambda: (tmp_path / "net" / "aliases").exists())
        monkeypatch.chdir("/")
        second = cli.namespace.start([*COMMAND, "watch", "--takeover"], stderr=subprocess.PIPE)
        try:
            assert first.wait(LONG) == 0
            about = (folder_of(cli.namespace) / "watch").read_text()
            assert f"pid {second.pid}\n" in about
            assert f"file {conf}\n" in about
            assert about.endswith(f"word {conf.name}\ncwd {tmp_path}\n")
            (tmp_path / "m.prom").unlink()
        finally:
            second.terminate()
            assert "watching: 2 aliases" in second.communicate()[1]
        assert (tmp_path / "m.prom").exists()  # it is written at the end as well
    finally:
        first.kill()
        first.wait()


def test_a_reload_that_fails(cli: Command, conf: Path, texts: Path, tmp_path: Path) -> None:
    """Its status is that of the process that could not begin; the running one is not touched."""
    wrong = tmp_path / "wrong"
    wrong.write_text("eth9:x\n")
    with watching(cli.namespace, texts, str(conf)) as first:
        done = detached(cli, texts, str(wrong))
        assert done.returncode == 1
        assert "eth9:x" in done.stderr
        assert health(first)["pid"] == first.process.pid
