"""Declared lines that are no aliases: read, told apart from aliases, and waiting for a watcher."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from test_cli_memory import Command
from test_desired_declarations import parse, wrong

from netalias import errors
from netalias.desired.keeping import KEEP, MAX, Keeping
from netalias.desired.tasks import unwatched, waiting
from netalias.runtime import instance
from netalias.runtime import tasks as record


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("eth0 iface-alias kernel", f"eth0 iface-alias kernel keep {KEEP} max {MAX}"),
        ("eth0 iface-alias kernel keep 60", f"eth0 iface-alias kernel keep 60 max {MAX}"),
        ("wwan0\tiface-alias kernel max 2 keep 1 # re-attached by night",
         "wwan0 iface-alias kernel keep 1 max 2"),
        ("ppp0 iface-alias off", "ppp0 iface-alias off"),
        ("wwan0 iface-alias kernel via vif0 keep 9",
         f"wwan0 iface-alias kernel keep 9 max {MAX} via vif0"),
        ("defaults iface-alias", ""),
    ],
)  # fmt: skip
def test_a_line_says_the_same_as_its_whole_text(line: str, text: str) -> None:
    """What is left open is filled; the whole text is a line that says the same."""
    found = parse(f"eth0:0 10.0.0.1\n{line}\neth0:1 10.0.0.2")
    if not text:
        assert found.errors == [
            "f:2:10: defaults: iface-alias: not a word for defaults (one of: acd announce"
            " broadcast -broadcast conflict deprecated down gateway heal kind lease linklocal"
            " metric mtu netmask on-down optimistic prefixlen source up)"
        ]
        return
    assert not found.errors
    (task,) = found.tasks
    assert (task.text, task.place, task.main) == (text, "f:2", text.split()[0])
    assert [str(wish.name) for wish, _ in found] == ["eth0:0", "eth0:1"]
    assert len(found) == 2
    (again,) = parse(text).tasks
    assert again.fields() == task.fields()


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("eth0 iface-alias", "f:1:6: eth0 iface-alias: kernel, user or off is missing"),
        ("eth0 iface-alias on", "f:1:18: eth0 iface-alias on: kernel, user or off is needed"),
        ("eth0 iface-alias kernel deny-incoming",
         "f:1:25: eth0 iface-alias kernel: deny-incoming: only user decides about what comes in"),
        ("eth0 iface-alias user deny-incoming deny-incoming",
         "f:1:37: eth0 iface-alias: deny-incoming: said twice"),
        ("eth0 iface-alias user mtu 9", "f:1:23: eth0 iface-alias: mtu: not a word of this line"
         " (keep, max, deny-incoming)"),
        ("eth0 iface-alias user via vif0",
         "f:1:23: eth0 iface-alias user: via: only kernel leads into a tunnel"),
        ("eth0 iface-alias kernel via",
         "f:1:25: eth0 iface-alias: via: a tunnel, vif0 to vif255, needed"),
        ("eth0 iface-alias kernel via eth1",
         "f:1:25: eth0 iface-alias: via eth1: a tunnel, vif0 to vif255, needed"),
        ("eth0 iface-alias kernel via vif0 via vif1",
         "f:1:34: eth0 iface-alias: via: said twice"),
        ("eth0 iface-alias kernel keep",
         "f:1:25: eth0 iface-alias: keep: seconds from 1 to 2147483647 needed"),
        ("eth0 iface-alias kernel keep 0",
         "f:1:25: eth0 iface-alias: keep 0: seconds from 1 to 2147483647 needed"),
        ("eth0 iface-alias kernel max 65537",
         "f:1:25: eth0 iface-alias: max 65537: a number from 1 to 65536 needed"),
        ("eth0 iface-alias kernel max 1 max 2",
         "f:1:31: eth0 iface-alias: max: said twice"),
        ("eth0 iface-alias kernel mtu 9", "f:1:25: eth0 iface-alias: mtu: not a word of this line"
         " (keep, max, via)"),
        ("et/h0 iface-alias off", "f:1:1: et/h0: 'et/h0' cannot be the name of a device"),
        ("eth0 10.0.0.1", "f:1:1: eth0: not an alias name (a file declares aliases: eth0:0"
         " 200.1.1.1/24; verbs belong to batch)"),
        ("eth0 ifacealias kernel", "f:1:1: eth0: not an alias name (did you mean iface-alias?)"),
        ("poll web 10.0.1.2", "f:1:1: poll: not an alias name (did you mean pool?)"),
        ("vif 10.0.0.1", "f:1:1: vif: not an alias name (a file declares aliases: eth0:0"
         " 200.1.1.1/24; verbs belong to batch)"),
    ],
)  # fmt: skip
def test_a_wrong_line_is_told_with_its_word(line: str, error: str) -> None:
    """Each error names the line and the column of the word; what comes later says so."""
    assert wrong(line) == [error]


def test_a_device_has_one_line() -> None:
    """In whatever file; the two may differ."""
    assert wrong("eth0 iface-alias off\neth1 iface-alias off", "\neth0 iface-alias kernel") == [
        "g:2:1: eth0 iface-alias is already declared at f:1"
    ]


def test_only_those_of_a_device() -> None:
    """As with aliases."""
    found = parse("eth0 iface-alias off\neth1 iface-alias off\neth1:0 10.0.0.1").only("eth1")
    assert [one.text for one in found.tasks] == ["eth1 iface-alias off"]


def test_aliases_alone_load_no_module_of_tasks() -> None:
    """Files without such a line cost nothing."""
    for name in ("netalias.desired.tasks", "netalias.desired.keeping"):
        sys.modules.pop(name, None)
    assert not parse("\n".join(f"eth0:{n} 10.0.0.{n}" for n in range(1, 50))).tasks
    assert "netalias.desired.tasks" not in sys.modules


def test_what_waits_is_one_sentence() -> None:
    """The first line by name and place, the others by number."""
    lines = [Keeping(f"eth{n}", "kernel") for n in range(3)]
    for number, one in enumerate(lines, 1):
        one.source, one.line = "f", number
    lines.append(Keeping("eth9", "off"))
    assert unwatched(lines, lambda: [lines[1].text]) == [lines[0], lines[2]]
    assert unwatched(lines, lambda: [], "eth2") == [lines[2]]
    assert waiting([]) == ""
    assert waiting(lines[:1]) == "eth0 iface-alias (f:1) waits for a watcher (netalias watch)"
    assert waiting(lines[:2]) == (
        "eth0 iface-alias (f:1) and 1 more line wait for a watcher (netalias watch)"
    )


def test_a_line_that_lacks_another_one_waits_for_that() -> None:
    """A watcher would not help."""
    text = "float web eth0:100-101 10.0.0.100-101/24"
    assert waiting(parse(text).tasks) == (
        "float web (f:1) waits for a line cluster, which names the store"
        " (cluster etcd https://a:2379,https://b:2379)"
    )
    assert waiting(parse(f"{text}\ncluster etcd http://a").tasks) == (
        "float web (f:1) and 1 more line wait for a watcher (netalias watch)"
    )


def test_what_was_asked_for_by_hand_is_named_as_the_reason() -> None:
    """A watcher runs then, and to start one would not help; the command in the hint does. What
    still waits for a watcher is told first, also where the same was asked for by hand."""
    lines = [Keeping(f"eth{n}", "kernel") for n in range(2)]
    for number, one in enumerate(lines, 1):
        one.source, one.line = "f", number
    off = {"eth0": "eth0 iface-alias off"}
    said = (
        "eth0 iface-alias (f:1) gives way to what was asked for by hand"
        " (netalias iface eth0 keep kernel keep 3600 max 8)"
    )
    assert waiting(lines[:1], off) == said
    assert waiting(lines, off) == "eth1 iface-alias (f:2) waits for a watcher (netalias watch)"
    assert waiting(lines[:1], {"eth0": lines[0].text}) == (
        "eth0 iface-alias (f:1) waits for a watcher (netalias watch)"
    )


def test_the_record_is_that_of_a_running_watcher(tmp_path: Path) -> None:
    """What a killed one has left counts for nothing."""
    folder = str(tmp_path)
    record.write(folder, ["eth0 iface-alias kernel keep 1 max 1"])
    assert record.carried_out(folder) == record.carried_out("") == []
    with instance.Instance(folder):
        assert record.carried_out(folder) == ["eth0 iface-alias kernel keep 1 max 1"]
        record.write(folder, [])
        assert record.carried_out(folder) == []
        (tmp_path / "tasks").mkdir()
        with pytest.raises(errors.StateError, match="not a regular file"):
            record.carried_out(folder)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a kernel in memory."""
    return Command(capsys)


def test_without_a_watcher_such_a_line_is_a_difference(run: Command, tmp_path: Path) -> None:
    """One line tells of it; check ends with 3, reconcile and its dry run with 2. The aliases beside
    it are made all the same, and the next run says it again."""
    file = tmp_path / "f"
    file.write_text("eth0:0 10.0.0.1/24\neth0 iface-alias kernel\neth1 iface-alias off\n")
    said = f"netalias: eth0 iface-alias ({file}:2) waits for a watcher (netalias watch)\n"
    assert run.run(["check", str(file)], 3)[1] == said
    assert run.run(["reconcile", "--dry-run", str(file)], 2)[1] == said
    for _ in range(2):
        assert run.run(["reconcile", str(file)], 2)[1] == said
    out, err = run.run(["-j", "check", str(file)], 3)
    assert err == said
    assert json.loads(out) == [
        {"change": "unwatched", "ifname": "eth0", "iface_alias": "kernel", "keep": 3600, "max": 8,
         "place": f"{file}:2"}
    ]  # fmt: skip
    assert run("--only", "eth1", "check", str(file)) == ""
    file.write_text("eth0:0 10.0.0.1/24\neth1 iface-alias off\n")
    assert run("check", str(file)) == ""


def test_the_words_of_such_lines_as_json(run: Command, tmp_path: Path) -> None:
    """After the aliases, with nothing left open."""
    file = tmp_path / "f"
    file.write_text("eth0 iface-alias kernel max 3\neth0:0 10.0.0.1/24\n")
    alias, task = json.loads(run("-j", "check", "--syntax", str(file)))
    assert alias["altname"] == "eth0:0"
    assert task == {
        "ifname": "eth0", "iface_alias": "kernel", "keep": 3600, "max": 3, "place": f"{file}:1",
    }  # fmt: skip
