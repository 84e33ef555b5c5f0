"""Ranges and several names in one command, over a kernel in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import errors

USAGE, REFUSED = errors.STATUS_USAGE, errors.STATUS_KERNEL


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel."""
    return Command(capsys)


def there(run: Command, *words: str) -> list[str]:
    return [f"{one['altname']} {one['local']}" for one in json.loads(run("-j", "show", *words))]


def test_a_range_is_made_changed_and_deleted(run: Command) -> None:
    """Each slot has its address, as in a line of a file."""
    run.split("eth0:10-13 10.30.0.1-4/32 kind macvlan")
    assert there(run) == [f"eth0:{9 + n} 10.30.0.{n}" for n in range(1, 5)]
    run.split("eth0:11-12 down")
    found = json.loads(run.split("-j show"))
    assert ["up" in one["state"] for one in found] == [True, False, False, True]
    run.split("eth0:10-12-")
    assert there(run) == ["eth0:13 10.30.0.4"]


def test_counting_up(run: Command) -> None:
    run.split("eth0:0-2 2001:db8::9/128+ kind label")
    assert sorted(there(run)) == [
        "eth0:0 2001:db8::9", "eth0:1 2001:db8::a", "eth0:2 2001:db8::b",
    ]  # fmt: skip


def test_every_name_is_deleted(run: Command) -> None:
    """Other words after a deletion mean nothing, as ever."""
    run.split("eth0:0-4 10.0.0.1+ kind label")
    run.split("eth0:1- eth0:3-")
    assert there(run) == ["eth0:0 10.0.0.1", "eth0:2 10.0.0.3", "eth0:4 10.0.0.5"]
    run.split("eth0:0- 0")
    assert there(run) == ["eth0:2 10.0.0.3", "eth0:4 10.0.0.5"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("eth0:3-1 10.0.0.1+", "eth0:3-1: the range ends before it begins"),
        ("eth0:1-3 10.0.0.1-2/32", "3 slots and 2 addresses do not pair up"),
        ("eth0:1-3 10.0.0.1", "3 slots and 1 address do not pair up"),
        ("eth0:1-x up", "slot must be a decimal number"),
        ("eth0:1-3 nosuch", "'nosuch' is not a word that netalias knows"),
        ("eth0:1-3 10.0.0.1+ hw ether 02:00:00:00:00:01", "a MAC belongs to one alias"),
        ("eth0:1-3 10.0.0.1+ heal off", "heal is for files only"),
        ("eth0:3-1-", "eth0:3-1: the range ends before it begins"),
        ("eth0:3- eth0:2", "eth0:2: not a deletion (eth0:3- is one)"),
        ("eth0:3- eth0:2_", "eth0:2_: not a deletion"),
        ("eth0:3- -n blue", "-n: options stand before the name"),
        ("eth0:3-4- eth0:5- -n blue", "-n: options stand before the name"),
    ],
)
def test_wrong_words(run: Command, text: str, message: str) -> None:
    """Nothing is changed."""
    assert message in run.refused(text, USAGE)
    assert there(run) == []


def test_what_is_missing_keeps_nothing_else(run: Command) -> None:
    """Those of the names that are there are deleted; --absent-ok says nothing of the others."""
    run.split("eth0:1 10.0.0.9 kind label")
    out, err = run.run(["eth0:0-2-"], REFUSED)
    assert (out, err.splitlines()) == (
        "",
        [f"netalias: eth0:{slot}: there is no such alias" for slot in (0, 2)],
    )
    assert there(run) == []
    for text in ("eth0:0-2-", "eth0:1-", "nosuch:1- eth0:1-"):
        assert run.split(f"--absent-ok {text}") == ""
    assert "no such alias" in run.refused("--absent-ok eth0:1 up", REFUSED)


@pytest.mark.parametrize("words", ["down", "mtu 1400", "metric 7", "announce off down"])
def test_what_is_missing_keeps_nothing_from_a_change(run: Command, words: str) -> None:
    """The others are changed, each missing one is told, and the status is that of a refusal."""
    for slot in (1, 3):
        run.split(f"eth0:{slot} 10.0.0.{slot} kind macvlan")
    before = json.loads(run.split("-j show"))
    out, err = run.run(["eth0:0-4", *words.split()], REFUSED)
    assert out == ""
    assert err.splitlines() == [
        f"netalias: eth0:{slot}: there is no such alias (an address creates it)"
        for slot in (0, 2, 4)
    ]
    after = json.loads(run.split("-j show"))
    assert len(after) == len(before)
    assert all(old != new for old, new in zip(before, after, strict=True))


def test_the_first_error_ends_it(run: Command) -> None:
    """What comes after it is not done, and that is told."""
    run.memory.add_address("eth0", "10.0.0.2/32")
    out, err = run.run(["eth0:0-2", "10.0.0.1+", "kind", "label"], REFUSED)
    assert out == ""
    assert err.splitlines()[0].startswith("netalias: eth0:1: 10.0.0.2 ")
    assert err.splitlines()[1] == "netalias: not done because of that: 1 alias"


def test_a_line_of_a_batch(run: Command, tmp_path: Path) -> None:
    """It is for many aliases too; an error has the number of its line."""
    file = tmp_path / "commands"
    file.write_text("eth0:0-3 10.0.0.1+ kind label\n\neth0:1-2 metric 7\neth0:0- eth0:2-3-\n")
    assert run("batch", str(file)) == ""
    assert there(run) == ["eth0:1 10.0.0.2"]
    file.write_text("eth0:1-\neth0:7-9-\neth0:0 10.0.0.1 kind label\n")
    _, err = run.run(["--force", "batch", str(file)], REFUSED)
    assert err.splitlines() == [
        f"netalias: {file}:2: eth0:{slot}: there is no such alias" for slot in (7, 8, 9)
    ]
    assert there(run) == ["eth0:0 10.0.0.1"]


def test_a_rehearsal(run: Command) -> None:
    """The steps, and nothing is done."""
    said = run.split("--dry-run eth0:0-1 10.0.0.1+ kind label")
    assert said.count("ip addr add 10.0.0.") == 2
    assert there(run) == []


def test_ranges_and_patterns_are_shown(run: Command) -> None:
    """Those that are there; none is an error."""
    run.split("eth0:8-12 10.0.0.1+ kind label")
    assert len(there(run, "eth0:0-9")) == 2
    assert len(there(run, "eth0:1*")) == 3
    assert len(there(run, "dev", "eth0")) == 5
    assert run.split("-br eth0:9-10").count("\n") == 2
    assert "eth0:20-30: there are no such aliases" in run.refused("show eth0:20-30", REFUSED)
    assert "eth0:9-3" in run.refused("show eth0:9-3", USAGE)


def test_options_as_ip_writes_them(run: Command) -> None:
    """One hyphen or two."""
    run.split("eth0:1 10.0.0.1 kind label")
    assert run.split("-json show") == run.split("--json show")
    assert run.split("-brief show") == run.split("show -br")
    assert run.split("show -oneline") == run.split("-o show")
    assert "\x1b[" in run.split("-color=always show")
    assert "there is no such option" in run.refused("-jason show", USAGE)


def test_the_answer_no_is_no_usage_error(run: Command) -> None:
    """lookup of nothing: 3, and in JSON an empty list."""
    assert run.split("lookup 10.0.0.1", status=errors.STATUS_NONE) == ""
    assert run.split("-j lookup 10.0.0.1", status=errors.STATUS_NONE) == "[]\n"
    assert errors.STATUS_NONE not in (errors.STATUS_OK, USAGE)


def test_the_syntax_of_files(run: Command, tmp_path: Path) -> None:
    """Nothing is asked of the kernel: no device is needed."""
    file = tmp_path / "x"
    file.write_text("nosuch:0-9 10.0.0.1+\n")
    assert run("check", "--syntax", str(file)) == ""
    file.write_text("nosuch:0 10.0.0.1/33\n")
    _, err = run.run(["check", "--syntax", str(file)], USAGE)
    assert err.splitlines()[-1] == "netalias: 1 error"
