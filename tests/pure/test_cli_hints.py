"""What a command at a terminal says of a watcher that takes its change back."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias.engine import Engine
from netalias.runtime import instance
from netalias.runtime.instance import Instance
from netalias.runtime.private import PrivateDirectory

FILE = "eth0:0-1 10.0.0.1+ kind macvlan\neth0:2 10.0.0.9 kind label heal off\n"


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command over an empty kernel, with a watcher of FILE (this process)."""
    file = tmp_path / "aliases"
    file.write_text(FILE)
    monkeypatch.setattr(Engine, "runtime", PrivateDirectory(str(tmp_path)))
    made = Command(capsys)
    made.watcher = Instance(str(tmp_path), [str(file)])  # type: ignore[attr-defined]
    return made


def hint(name: str) -> str:
    return (
        f"netalias: {name}: declared, so netalias watch (pid {os.getpid()}) makes it so again:"
        " change its file to keep this\n"
    )


def test_a_declared_alias(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deleted or changed; not one that it does not declare, or leaves alone."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for slot in range(4):
        run.memory.set_device("eth0", up=True)
        run.run([f"eth0:{slot}", f"10.0.0.{slot + 40}", "kind", "label"], 0)
    for words in ("eth0:0 mtu 1400 kind macvlan", "eth0:0-"):
        assert run.run(words.split(), 0) == ("", hint("eth0:0"))
    assert run.run(["eth0:2-"], 0) == run.run(["eth0:3-"], 0) == ("", "")
    assert run.run(["-q", "eth0:1-"], 0) == ("", "")
    run.run(["eth0:0-1", "10.0.0.60+", "kind", "label"], 0)
    assert run.run(["eth0:0-1-"], 0) == ("", hint("eth0:0 and 1 more"))


def test_elsewhere_nobody_is_advised(run: Command) -> None:
    """What succeeds prints nothing into a file or a pipe."""
    run.split("eth0:0 10.0.0.40 kind macvlan")
    run.split("eth0:0-")


def test_without_a_watcher(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said, nor where its file cannot be read."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    run.run(["eth0:0", "10.0.0.40", "kind", "label"], 0)
    found = instance.running(run.watcher._folder)  # type: ignore[attr-defined]
    assert found is not None
    Path(found.files[0]).write_text("eth0:0 nosuch\n")
    assert run.run(["eth0:0", "down"], 2)[0] == ""
    os.unlink(found.files[0])
    assert run.run(["eth0:0-"], 0) == ("", "")
    run.watcher.close()  # type: ignore[attr-defined]
    assert run.run(["eth0:0", "10.0.0.40", "kind", "label"], 0) == ("", "")
