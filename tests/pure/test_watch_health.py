"""The health of a watcher over a kernel in memory, and its file for Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from watched import Watched

from netalias import cli, errors
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.system.journal import Journal
from netalias.watch.health import PERIOD, Health, MetricsFile

DECLARED = "eth0:0-1 10.0.0.1-2/32 kind macvlan"


def field(health: Health, *names: str) -> tuple[object, ...]:
    """Some fields of the answer."""
    found = json.loads(health.answer())
    return tuple(found[name] for name in names)


def test_the_answer_tells_what_is_there() -> None:
    """A JSON object in a line."""
    watched = Watched(DECLARED)
    health = Health(watched.controller, 12.5)
    assert health.answer().endswith(b"}\n")
    assert field(health, "status", "since", "declared", "present", "healed", "reason") == (
        "ok", 12.5, 2, 2, 0, "",
    )  # fmt: skip
    watched.kernel.set_device("eth0", up=False)
    watched.quiet()
    assert field(health, "status", "declared", "present") == ("incomplete", 2, 0)


def test_a_pause_is_told() -> None:
    """While a change waits for its confirmation nothing is put right."""
    watched = Watched(DECLARED)
    health = Health(watched.controller, 0.0)
    watched.reason = "a change waits"
    watched.kernel.set_device("eth0", up=False)
    watched.controller.read_events()
    watched.controller.act()
    assert field(health, "status", "reason") == ("paused", "a change waits")


def file_of(watched: Watched, path: Path, most: int = 0) -> MetricsFile:
    """The file of a watcher."""
    journal = Journal(stream=watched.journal, environ={}, now=str)
    health = Health(watched.controller, 1.0)
    return MetricsFile(health, watched.engine, journal, str(path), most, lambda: 99.0)


def test_the_file_is_written_in_time(tmp_path: Path) -> None:
    """At once, then every PERIOD seconds; at the end it says so."""
    path = tmp_path / "netalias.prom"
    found = file_of(Watched(DECLARED), path)
    assert found.due(1000.0) == 0.0
    found.write(1000.0)
    assert found.due(1001.0) == PERIOD - 1.0
    assert "netalias_watch_up 1\n" in path.read_text()
    assert "netalias_watch_present 2\n" in path.read_text()
    assert "netalias_alias_" not in path.read_text()
    found.close()
    assert "netalias_watch_up 0\n" in path.read_text()


def test_the_counters_are_asked_for(tmp_path: Path) -> None:
    """For as many aliases as were named."""
    path = tmp_path / "netalias.prom"
    file_of(Watched(DECLARED), path, 1).write(0.0)
    text = path.read_text()
    assert 'netalias_alias_receive_bytes_total{alias="eth0:0",device="eth0_0"} ' in text
    assert "netalias_alias_counters_omitted 1\n" in text


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """The watcher goes on, and tries again."""
    watched = Watched(DECLARED)
    folder = tmp_path / "later"
    found = file_of(watched, folder / "netalias.prom")
    watched.said()
    found.write(0.0)
    found.write(20.0)
    (line,) = watched.said()
    assert "no metrics: " in line
    folder.mkdir()
    found.write(40.0)
    assert (folder / "netalias.prom").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("reconcile --metrics-aliases 5 -", "--metrics-aliases needs --metrics FILE"),
        ("reconcile --metrics m --metrics-aliases 0 -", "a number from 1 to"),
        ("check --metrics m", "--metrics belongs to reconcile, watch"),
    ],
)
def test_wrong_words(words: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """They are refused before anything is read."""
    found = cli.main(words.split(), lambda options: Engine(Setup(Memory(), options.registry)))
    assert found == errors.STATUS_USAGE
    assert said in capsys.readouterr().err


def test_a_run_writes_the_counters_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of the aliases that are there after it."""
    memory = Memory()
    memory.add_device("eth0", up=True)
    declared, path = tmp_path / "a.conf", tmp_path / "netalias.prom"
    declared.write_text(DECLARED)
    for more, lines in (([], 0), (["--metrics-aliases", "1"], 4)):
        words = ["reconcile", "--metrics", str(path), *more, str(declared)]
        assert cli.main(words, lambda options: Engine(Setup(memory, options.registry))) == 0
        text = path.read_text()
        assert text.count("\nnetalias_alias_") - (lines > 0) == lines
    capsys.readouterr()
