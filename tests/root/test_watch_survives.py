"""Nothing but a signal, or another watcher, ends ``netalias watch``."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from command import COMMAND, SECONDS, Command, command, lock_file
from support import until
from watcher import watching

import netalias
from netalias import errors, sources
from netalias.system.inotify import Followed
from netalias.watch import watcher as watcher_module
from netalias.watch.files import PASSING
from netalias.watch.settings import Settings
from netalias.watch.watcher import Watcher

LINES = "eth9:0 10.0.0.1/32 kind label\n"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A file with one alias."""
    path = tmp_path / "netalias.conf"
    path.write_text(LINES)
    return path


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder for the texts."""
    return tmp_path / "net"


@pytest.fixture
def log() -> StringIO:
    """What the watcher of this process says."""
    return StringIO()


@pytest.fixture
def made(cli: Command, conf: Path, log: StringIO) -> Iterator[Watcher]:
    """A watcher in this process that does not run."""
    before = signal.getsignal(signal.SIGCHLD)  # run() leaves it ignored
    with cli.namespace:
        watcher = Watcher(Settings([str(conf)], private_texts=True), netalias.open())
        watcher.journal._stream = log
        yield watcher
        watcher.monitor.close()
    signal.signal(signal.SIGCHLD, before)


# Tasks


@pytest.mark.parametrize(
    "error", [IndexError("nothing there"), MemoryError(), OSError(errno.EMFILE, "no descriptor")]
)
def test_every_task_may_raise(
    made: Watcher,
    monkeypatch: pytest.MonkeyPatch,
    log: StringIO,
    error: Exception,
) -> None:
    """Each part that the loop serves, in each of its methods: it is told, and the loop goes on."""
    served: list[str] = []

    class Loop:
        """In the place of the loop: every method of every part, with the work in it broken."""

        def __init__(self, parts: list[Any], clock: Callable[[], float]) -> None:
            self.parts = parts

        def run(self) -> None:
            def fail(*_: object) -> None:
                raise error

            for part in self.parts:
                for method, words in (("wanted", (0.0,)), ("due", (0.0,)), ("tick", (0.0,)),
                                      ("ready", (3, 1, 0.0))):  # fmt: skip
                    part.part = Broken(fail)
                    part._until = 0.0
                    getattr(part, method)(*words)
                    assert part.due(0.0) > 0
                    served.append(method)

        def end(self) -> None:
            """Nothing."""

    monkeypatch.setattr(watcher_module, "Loop", Loop)
    assert made.run() == 0
    assert len(served) >= 4 * 8
    said = log.getvalue()
    words = "not enough memory" if isinstance(error, MemoryError) else "a bug in netalias"
    assert said.count(words) == len(served)


class Broken:
    """A part that can do nothing."""

    def __init__(self, fail: Callable[..., None]) -> None:
        self.wanted = self.due = self.tick = self.ready = fail


def test_the_end_comes_also_where_the_release_fails(
    made: Watcher, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    """SIGTERM is obeyed, and the status tells of the bug."""
    ended: list[bool] = []

    class Loop:
        def end(self) -> None:
            ended.append(True)

    def fail(*_: object) -> None:
        raise IndexError

    made._loop = Loop()  # type: ignore[assignment]
    made._settings.release = True
    monkeypatch.setattr("netalias.watch.release.remove", fail)
    made._signalled({signal.SIGTERM})
    assert ended == [True]
    assert made.status == errors.STATUS_BUG
    assert "a bug in netalias" in log.getvalue()


# Reloads


class Refusing:
    """sources.read() that fails so many times with an error."""

    def __init__(self, error: Exception, count: int) -> None:
        self.error = error
        self.count = count
        self.read = sources.read

    def __call__(self, *words: Any, **more: Any) -> list[tuple[str, bytes]]:
        if self.count:
            self.count -= 1
            raise self.error
        return self.read(*words, **more)


@pytest.mark.parametrize("code", [*sorted(PASSING), 0])
def test_a_reload_that_fails_for_a_while(
    made: Watcher,
    conf: Path,
    monkeypatch: pytest.MonkeyPatch,
    log: StringIO,
    code: int,
) -> None:
    """It is tried again without another edit, later and later, and told once; 0 stands for a lack
    of memory in Python."""
    error = errors.StateError(f"{conf}: {os.strerror(code)}", errno=code) if code else MemoryError()
    monkeypatch.setattr(sources, "read", Refusing(error, 3))
    monkeypatch.setattr(made, "_act", lambda: None)
    conf.write_text(LINES + "eth9:1 10.0.0.2/32 kind label\n")
    now = [1000.0]
    monkeypatch.setattr(made.reloading, "_clock", lambda: now[0])
    with Followed() as made.reloading._followed:
        made._reload()
        waits = []
        while made.reloading.due(now[0]) is not None:
            waits.append(made.reloading.due(now[0]))
            now[0] += waits[-1] or 0.0
            made.reloading.settled(now[0])
    assert [round(wait or 0) for wait in waits] == [1, 2, 4]
    assert len(made.reloading.declared) == len(made.controller.wished) == 2
    said = log.getvalue()
    assert said.count("the previous declarations stay in force") == 1
    assert "read again: 2 aliases declared" in said


def test_declarations_that_could_not_be_taken_over(
    made: Watcher, conf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They count as not read, whatever failed, so that the next try takes them over."""
    load, fails = made.controller.load, [MemoryError()]

    def loading(*words: Any) -> None:
        if fails:
            raise fails.pop()
        load(*words)

    monkeypatch.setattr(made.controller, "load", loading)
    monkeypatch.setattr(made, "_act", lambda: None)
    conf.write_text(LINES + "eth9:1 10.0.0.2/32 kind label\n")
    with Followed() as made.reloading._followed:
        made._reload()
        made.reloading.settled(made.reloading._burst.due or 0.0)
    assert len(made.controller.wished) == 2


def test_what_does_not_pass_is_not_tried_again(made: Watcher, conf: Path, log: StringIO) -> None:
    """A wrong line stays wrong until the file changes, which is an event; each is told."""
    with Followed() as made.reloading._followed:
        for word in ("nonsense", "rubbish"):
            conf.write_text(f"eth9:0 {word}\n")
            made._reload()
            assert made.reloading.due(monotonic()) is None
            assert word in log.getvalue()
    assert log.getvalue().count("stay in force") == 2


def test_changes_that_cannot_be_seen_are_looked_for(
    made: Watcher, conf: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    """Where inotify has no watch left the files are read again from time to time."""
    problem = f"{conf}: changes cannot be seen: No space left on device"
    now = [1000.0]
    monkeypatch.setattr(made.reloading, "_clock", lambda: now[0])
    monkeypatch.setattr(made, "_act", lambda: None)
    with Followed() as files:
        monkeypatch.setattr(files, "follow", lambda paths: [problem])
        made.reloading._followed = files
        made.reloading._follow()
        waits = []
        for _ in range(4):
            waits.append(made.reloading.due(now[0]) or 0.0)
            now[0] += waits[-1]
            made.reloading.settled(now[0])
        assert [round(wait) for wait in waits] == [1, 2, 4, 8]
        assert log.getvalue().count(problem) == 1
        monkeypatch.setattr(files, "follow", lambda paths: [])
        now[0] += made.reloading.due(now[0]) or 0.0
        made.reloading.settled(now[0])
        assert made.reloading.due(now[0]) is None


@pytest.mark.parametrize("how", ["<(cat FILE)", "/dev/stdin < <(cat FILE)"])
def test_a_pipe_cannot_be_read_again(cli: Command, conf: Path, how: str) -> None:
    """It is refused at the start, like standard input."""
    shell = f"{' '.join(command('watch'))} {how.replace('FILE', str(conf))}"
    done = cli.namespace.run(["bash", "-c", shell], check=False)
    assert done.returncode == 1
    assert "a pipe cannot be read again" in done.stderr


def test_a_working_directory_that_is_gone(cli: Command, tmp_path: Path) -> None:
    """A relative name leads nowhere, and the error says so; an absolute one is not affected."""
    folder = tmp_path / "gone"
    for words, said in (
        ("watch a.conf", "netalias: a.conf: the working directory does not exist any more"),
        ("check a.conf", "netalias: a.conf: the working directory does not exist any more"),
        ("monitor --on-up ./x lo", "./x: the working directory does not exist any more"),
    ):
        folder.mkdir()
        shell = f"cd {folder} && rmdir {folder} && exec {' '.join(COMMAND)} {words}"
        done = cli.namespace.run(["sh", "-c", shell], check=False)
        assert done.returncode == 2
        assert said in done.stderr


# The runtime directory


def test_the_runtime_directory_is_removed(cli: Command, conf: Path, texts: Path) -> None:
    """It is made again with all that was in it; nobody can begin beside the watcher."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        home = lock_file(cli.namespace).parent
        shutil.rmtree(home, ignore_errors=True)  # it may be made again before all of it is gone
        watch.says("was removed: it is made again")
        second = cli.namespace.run([*COMMAND, "watch", str(conf)], check=False)
        assert second.returncode == 2
        assert f"runs already in this network namespace: pid {watch.process.pid}" in second.stderr
        cli.namespace.ip("addr del 10.0.0.1/32 dev eth9")
        watch.says("eth9:0")
        until(lambda: cli.names() == ["eth9:0"])
        conf.write_text(LINES + "eth9:1 10.0.0.2/32 kind label\n")
        watch.shows("eth9:0", "eth9:1")
        assert watch.end() == 0


def test_another_watcher_was_faster(cli: Command, conf: Path, texts: Path) -> None:
    """While the first one is stopped its directory goes, and a second one begins: one remains."""
    with watching(cli.namespace, texts, str(conf)) as watch:
        home = lock_file(cli.namespace).parent
        watch.process.send_signal(signal.SIGSTOP)
        shutil.rmtree(home)
        with watching(cli.namespace, texts.with_name("other"), str(conf)) as other:
            watch.process.send_signal(signal.SIGCONT)
            assert watch.process.wait(SECONDS) == 2
            watch.says(f"runs already in this network namespace: pid {other.process.pid}")
            cli.namespace.ip("addr del 10.0.0.1/32 dev eth9")
            other.says("eth9:0")
            until(lambda: cli.names() == ["eth9:0"])
