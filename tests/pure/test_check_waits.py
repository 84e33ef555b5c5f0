"""Reports of `check` and `reconcile` beside a watcher, and while others are at work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import cli
from netalias.engine import Engine, Setup
from netalias.engine.program import declared
from netalias.kernel.memory import Memory
from netalias.model import Snapshot
from netalias.runtime import instance, tasks
from netalias.runtime.private import PrivateDirectory

LINE = "eth0:0 10.0.0.1/24 kind macvlan\n"


class Beside(Command):
    """The command, with *folder* as the runtime directory."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        super().__init__(capsys)
        self.folder = str(folder)

    def _open(self, options: cli.Options) -> Engine:
        directory = PrivateDirectory(self.folder)
        return Engine(
            Setup(self.memory, options.registry, changed=options.changes, runtime=directory)
        )


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("eth1 proxyall on eth7", "eth1 proxyall"),
        ("eth1 proxy on eth7", "eth1 proxy"),
        ("relay 192.0.2.7 on eth7 to 10.0.0.9 carriage udp:7777", "relay 192.0.2.7"),
    ],
)
def test_a_line_whose_main_device_is_not_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, line: str, title: str
) -> None:
    """It is told as a main device that is missing is, with the same status; a watcher that carries
    the line out does not help. Without one that is told, once."""
    run, file = Beside(capsys, tmp_path), tmp_path / "f"
    file.write_text(f"{line}\neth0:0 10.0.0.1/24\n")
    said = f"netalias: {title} ({file}:1) waits for a watcher (netalias watch)\n"
    assert run.run(["reconcile", str(file)], 2)[1] == said
    tasks.write(run.folder, [line], tasks.FOLLOWING)
    with instance.Instance(run.folder):
        why = f"{title}: there is no device eth7"
        said = f"netalias: {file}:1: {why}\n"
        assert run.run(["check", str(file)], 3) == ("", said)
        assert run.run(["reconcile", str(file)], 2) == ("", said)
        assert run.run(["reconcile", "--dry-run", str(file)], 2) == ("", said)
        (found,) = json.loads(run.run(["-j", "check", str(file)], 3)[0])
        assert (found["change"], found["error"], found["place"]) == ("failing", why, f"{file}:1")
        engine = run._open(cli.Options(run._open))
        for work in (
            lambda: declared.check(engine, [file], None, ""),
            lambda: declared.reconcile(engine, [file], None, {}),
        ):
            assert work().notes == [why]
        assert run("--only", "eth0", "check", str(file)) == ""
        run.memory.add_device("eth7", up=True)
        assert run("check", str(file)) == run("reconcile", str(file)) == ""


class Shaken(Memory):
    """A kernel with eth0, in which something happens before its *number*th reading."""

    def __init__(self, number: int, happens: Callable[[Memory], object]) -> None:
        super().__init__()
        self.number, self.happens = number, happens
        self.add_device("eth0", up=True)

    def snapshot(self, family: int = 0) -> Snapshot:
        self.number -= 1
        if self.number == 0:
            self.happens(self)
        return super().snapshot(family)


def make(kernel: Memory) -> object:
    """Another process makes the alias."""
    return declared.reconcile(Engine(Setup(kernel)), [], LINE, {})


@pytest.mark.parametrize("words", [["check"], ["reconcile", "--dry-run"]])
def test_what_others_change_meanwhile_is_no_refusal(
    run: Command, tmp_path: Path, words: list[str]
) -> None:
    """Between the comparison and its rehearsal an alias comes that is declared. The rehearsal
    refuses to make it, which is not told: nothing is to be done any more."""
    file = tmp_path / "f"
    file.write_text(LINE)
    run.memory = Shaken(2, make)
    assert run(*words, str(file)) == ""


def test_what_is_refused_twice_is_told(run: Command, tmp_path: Path) -> None:
    """Somebody else has taken the name of its device meanwhile, and keeps it."""
    file = tmp_path / "f"
    file.write_text(LINE)
    run.memory = Shaken(2, lambda kernel: kernel.add_device("eth0_0"))
    err = run.run(["check", str(file)], 3)[1]
    assert err.startswith(f"netalias: {file}:1: ")
    assert err.count("\n") == 1


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a kernel in memory."""
    return Command(capsys)
