"""Words that say what is there, and as it was declared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import errors, sources
from netalias.engine import Engine, Setup
from netalias.model import AF_INET, address_text
from netalias.watch.settings import Settings
from netalias.watch.watcher import Watcher

USAGE, REFUSED = errors.STATUS_USAGE, errors.STATUS_KERNEL


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel whose eth0 has a network."""
    made = Command(capsys)
    made.memory.add_address("eth0", "10.0.0.1/24")
    return made


def written(folder: Path, text: str) -> str:
    file = folder / "aliases"
    file.write_text(text)
    return str(file)


def test_a_label_is_shown_as_it_is_declared(run: Command, tmp_path: Path) -> None:
    """It is a host to the kernel where its main device has the network."""
    file = written(tmp_path, "eth0:1 10.0.0.6/24 kind label\n")
    assert run("check", file, status=3) == "+ eth0:1 10.0.0.6/24 label\n"
    assert run("reconcile", file) == "+ eth0:1 10.0.0.6/24 label\n"
    file = written(tmp_path, "eth0:1 10.0.0.7/24 kind label\n")
    assert run("check", file, status=3) == "~ eth0:1 10.0.0.6/24 -> 10.0.0.7/24\n"
    file = written(tmp_path, "eth0:1 10.0.0.6 kind label\n")
    assert run("check", file, status=3) == "~ eth0:1 10.0.0.6/24 -> 10.0.0.6/32\n"
    file = written(tmp_path, "eth0:2 10.9.0.1 kind label\n")
    assert "- eth0:1 10.0.0.6/24 label\n" in run("check", file, status=3)


@pytest.mark.parametrize("kind", ["macvlan", "label"])
def test_a_saved_source(run: Command, tmp_path: Path, kind: str) -> None:
    """An IPv4 alias that keeps a network which its main device has got too says so, and its line
    makes the same of it."""
    run.split(f"eth1:0 10.7.0.5/24 kind {kind} source on")
    run.split("eth1:1 10.8.0.5/24 kind macvlan")
    saved = run("save")
    assert "source on" not in saved
    run.memory.add_address("eth1", "10.7.0.1/24")
    saved = run("save")
    assert saved.splitlines()[0].split() == ["eth1:0", "10.7.0.5/24", "kind", kind, "source", "on"]
    assert saved.count("source on") == 1
    assert run("check", written(tmp_path, saved)) == ""
    assert run("check", written(tmp_path, saved.replace("source on", "")), status=3)
    (first, _) = json.loads(run("-j", "save"))
    assert first["source"] == "on"


@pytest.mark.parametrize("declared", ["source on", "", "unreadable"])
def test_a_label_that_came_first(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: str
) -> None:
    """Its place before own addresses is saved where a file declares it. Else it is a fault,
    which is told and not made to last: the saved line puts it right."""
    run.split("eth1:0 10.7.0.5/24 kind label")
    run.split("eth1:1 10.8.0.5/24 kind label")
    file = written(tmp_path, f"eth1:1 10.8.0.5/24 kind label {declared}\n")
    monkeypatch.setattr(sources, "default_files", lambda root="": [file])
    run.memory.add_address("eth1", "10.9.0.1/24")
    saved = run("save")
    kept = declared == "source on"
    lines, comments = saved.splitlines()[:2], saved.splitlines()[2:]
    assert [line.endswith("source on") for line in lines] == [False, kept]
    assert [line.split()[1] for line in comments] == ["eth1:0:", "eth1:1:"][: 1 if kept else 2]
    fields = json.loads(run("-j", "save"))
    assert ["source" in one for one in fields] == [False, kept]
    again = str(tmp_path / "saved")
    Path(again).write_text(saved)
    assert run("check", again, status=3).count("source first -> last") == 2 - kept
    run("reconcile", again)
    main = run.memory.snapshot().device("eth1")
    assert main is not None
    entries = run.memory.snapshot().on(main.index)
    order = [address_text(AF_INET, one.local) for one in entries if one.family == AF_INET]
    assert order == (
        ["10.8.0.5", "10.9.0.1", "10.7.0.5"] if kept else ["10.9.0.1", "10.7.0.5", "10.8.0.5"]
    )
    assert run("check", again) == ""
    assert "came before" not in run("save")


def test_an_address_of_another_label(run: Command) -> None:
    """The alias that has it is named."""
    run.split("eth0:1 10.0.0.6 kind label")
    said = run.refused("eth0:2 10.0.0.6 kind label", REFUSED)
    assert said == "eth0:2: 10.0.0.6 belongs to eth0:1 already"
    run.split("eth0:1 10.0.0.6 kind label")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("foo", ""),
        ("1.2.3", ""),
        ("eth7:1", ""),
        ("eth0", " (netalias show eth0)"),
        ("eth0:1", " (netalias show eth0:1)"),
    ],
)
def test_lookup_of_no_address(run: Command, word: str, hint: str) -> None:
    """Nothing tells which family was meant."""
    run.split("eth0:1 10.0.0.6 kind label")
    said = run.refused(f"lookup {word}", USAGE)
    assert said == f"{word}: neither an IPv4 nor an IPv6 address{hint}"
    assert run.refused(f"lookup ip {word}", USAGE).endswith("not an IPv4 address")


@pytest.mark.parametrize(
    ("word", "what"),
    [
        ("10.0.0.1-", "the range has no end"),
        ("10.0.0.1,,10.0.0.3", "an address is missing beside a comma"),
        ("2001:db8::1-", "the range has no end"),
    ],
)
def test_half_a_range(run: Command, word: str, what: str, tmp_path: Path) -> None:
    """Part of an address is not shown as if somebody had written it."""
    file = written(tmp_path, f"eth0:1-3 {word} kind label\n")
    _, err = run.run(["check", file], USAGE)
    assert f"{word}: {what}\n" in err


def test_only_the_syntax(run: Command, tmp_path: Path) -> None:
    """0 or 1, and nobody speaks of changes."""
    assert run.refused(f"check --syntax {tmp_path}/none", USAGE).endswith(
        "No such file or directory"
    )
    for words in (["check", "--syntax"], ["check"]):
        _, err = run.run([*words, written(tmp_path, "eth0:x 10.0.0.1\n")], USAGE)
        assert err.splitlines()[-1] == "netalias: 1 error"
    _, err = run.run(["reconcile", written(tmp_path, "eth0:x 10.0.0.1\n")], USAGE)
    assert err.splitlines()[-1] == "netalias: 1 error; nothing was changed"


def test_a_watcher_of_no_file(run: Command, tmp_path: Path) -> None:
    """Standard input is no way out for it."""
    os.mkfifo(tmp_path / "f")
    with pytest.raises(errors.StateError) as caught:
        Watcher(Settings([str(tmp_path / "f")]), Engine(Setup(run.memory)))
    assert caught.value.hint == "watch needs files, which it reads again"
