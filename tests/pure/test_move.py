"""move: labels become devices and the files follow, over the kernel in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from refusing import Refusing
from test_cli_memory import Command

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.model import Snapshot

TEXT = """\
# The shop
eth0:0     10.7.0.1/24                  kind label   # front
eth0:1-3   10.8.0.1-3/32                kind label

defaults   kind label metric 7
eth1:0     10.9.0.1/24
eth0:9     10.9.9.9/32                  kind macvlan # a device already
lo:0       192.0.2.1                    kind label
"""


class Moving(Command):
    """The command, and a file that declares what is there."""

    path: str

    def declare(self, text: str) -> None:
        """Write the file, and make what it says."""
        Path(self.path).write_text(text)
        self.run(["--hands-off", "reconcile", self.path], 0)

    @property
    def text(self) -> str:
        return Path(self.path).read_text()

    def kinds(self) -> dict[str, str]:
        """The kind of each alias of ours."""
        engine = Engine(Setup(self.memory))
        return {str(alias.name): alias.kind for alias in engine.show() if alias.ours}

    def moves(self, text: str, status: int = 0) -> tuple[str, str]:
        """move with these words and the file: output and errors."""
        return self.run(["move", *text.split(), self.path], status)


def entries(snapshot: Snapshot) -> set[tuple[object, ...]]:
    """All addresses, with their devices and labels."""
    found = [entry for some in snapshot.addresses.values() for entry in some]
    return {(one.index, one.local, one.prefixlen, one.label, one.metric) for one in found}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Moving:
    """With TEXT declared and made."""
    command = Moving(capsys)
    command.path = str(tmp_path / "netalias.conf")
    command.declare(TEXT)
    return command


def test_to_devices_and_back(run: Moving) -> None:
    """The words of the file are changed, and nothing else of it; a check finds nothing to do."""
    before = run.kinds()
    moved = {
        "eth0:0": "macvlan", "eth0:1": "macvlan", "eth0:2": "macvlan", "eth0:3": "macvlan",
        "eth0:9": "macvlan", "eth1:0": "macvlan", "lo:0": "label",
    }  # fmt: skip
    out, err = run.moves("--kind macvlan")
    assert err == (
        "netalias: warning: lo is left alone: kind macvlan cannot serve:"
        " lo is not an Ethernet device\n"
    )
    assert run.kinds() == moved
    assert run.text == (
        TEXT.replace("kind label   # front", "kind macvlan   # front")
        .replace(
            "10.8.0.1-3/32                kind label", "10.8.0.1-3/32                kind macvlan"
        )
        .replace("defaults   kind label", "defaults   kind macvlan")
    )
    assert "-eth0:0     10.7.0.1/24                  kind label   # front\n" in out
    assert "+defaults   kind macvlan metric 7\n" in out
    assert "~ eth0:2 10.8.0.2/32 kind label -> macvlan\n" in out
    assert run("--hands-off", "check", run.path) == ""
    assert run("--hands-off", "-q", "move", "--kind", "macvlan", run.path) == ""
    run.moves("--kind label --hands-off")
    assert run.kinds() == before | {"eth0:9": "label"}
    assert "defaults   kind label metric 7\n" in run.text
    assert run("--hands-off", "check", run.path) == ""


def test_one_main_device(run: Moving) -> None:
    """Those of others stay, in the kernel and in the file."""
    run.moves("eth1 --kind macvlan")
    assert {name for name, kind in run.kinds().items() if kind == "macvlan"} == {"eth1:0", "eth0:9"}
    assert run.text == TEXT.replace("defaults   kind label", "defaults   kind macvlan")


def test_a_default_that_all_lines_have(run: Moving) -> None:
    """It is the one word that changes."""
    text = "defaults kind label # all\neth0:0 10.7.0.1/24\neth1:0-8 10.8.0.1-9\n"
    run.declare(text)
    run.moves("--kind macvlan")
    assert run.text == text.replace("label", "macvlan")
    assert set(run.kinds().values()) == {"macvlan"}


def test_without_a_kind_that_of_auto(run: Moving) -> None:
    """Which is the one that a new alias would have; a device that can have labels only is no
    matter, unless it is named."""
    run.declare("eth0:0 10.7.0.1 kind label\nlo:0 192.0.2.1 kind label\n")
    assert run.moves("")[1] == ""
    assert run.kinds() == {"eth0:0": "ipvlan", "lo:0": "label"}
    assert run.refused(f"move lo {run.path}", errors.STATUS_KERNEL) == (
        "lo: kind label cannot serve: its aliases can be labels only"
    )


def test_aliases_without_a_kind_in_their_line(run: Moving) -> None:
    """A line that leaves the kind open gets one, since the alias is a label."""
    run.declare("eth0:0 10.7.0.1 kind label\n")
    Path(run.path).write_text("eth0:0 10.7.0.1 # open\neth0:1 10.7.0.2 # not there\n")
    run.moves("--kind macvlan")
    assert run.text == "eth0:0 10.7.0.1 kind macvlan # open\neth0:1 10.7.0.2 # not there\n"
    assert run.kinds() == {"eth0:0": "macvlan"}


def test_a_line_that_says_the_new_kind_already(run: Moving) -> None:
    """As after a run that was killed between the file and the kernel: the aliases follow."""
    Path(run.path).write_text(TEXT.replace("/32                kind label", "/32   kind macvlan"))
    run.moves("eth0 --kind macvlan")
    assert run.kinds()["eth0:2"] == "macvlan"


def test_undeclared_aliases_move_too(run: Moving) -> None:
    """And it is told that they stand in no file; labels of others stay."""
    run.split("eth1:5 10.6.0.5/24 kind label")
    run.split("eth1:6 2001:db8::6/64 kind label")
    run.memory.add_address("eth1", "10.5.0.1/24", label="eth1:7")
    _, err = run.moves("eth1 --kind macvlan")
    assert err == (
        "netalias: warning: eth1: 1 label of others stay as they are (netalias adopt eth1)\n"
        "netalias: warning: 2 aliases, eth1:5 among them, stand in no file, and moved as well\n"
    )
    assert [run.kinds()[name] for name in ("eth1:0", "eth1:5", "eth1:6")] == ["macvlan"] * 3
    assert "eth1:5" not in run.text


def test_a_dry_run(run: Moving) -> None:
    """Says the same as the move, and does nothing."""
    before = run.memory.snapshot()
    said = run.moves("--dry-run eth0 --kind macvlan")
    assert run.text == TEXT
    after = run.memory.snapshot()
    assert (before.devices.keys(), before.addresses) == (after.devices.keys(), after.addresses)
    assert run.moves("eth0 --kind macvlan") == said


def test_json(run: Moving) -> None:
    """The files first, with their differences; then the aliases."""
    out, _ = run.moves("-j eth1 --kind macvlan")
    file, *others = json.loads(out)
    assert (file["change"], file["file"]) == ("rewrite", run.path)
    assert file["diff"].startswith(f"--- {run.path}\n+++ {run.path} (moved)\n@@ ")
    assert (others[0]["change"], others[0]["altname"]) == ("change", "eth1:0")
    assert run("-j", "move", "eth1", "--kind", "macvlan", run.path) == "[]\n"


# What is refused -----------------------------------------------------------------------------


def unchanged(run: Moving) -> None:
    """Neither the file nor an alias was changed."""
    assert run.text == TEXT
    assert set(run.kinds().values()) == {"label", "macvlan"}
    assert run.kinds()["eth0:0"] == run.kinds()["eth1:0"] == "label"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("eth7", errors.STATUS_KERNEL, "eth7: there is no such device"),
        ("eth0_9", errors.STATUS_USAGE, "eth0_9: this is an alias, a main device is needed"),
        ("eth0 eth1", errors.STATUS_USAGE, "move takes one main device, and files with a /"),
        ("-", errors.STATUS_USAGE, "move takes one main device, and files with a /"),
        ("--kind dummy", errors.STATUS_USAGE, "--kind dummy: aliases do not move there"),
        ("--confirm x", errors.STATUS_USAGE, "--confirm x: a number from 1"),
        ("--kind ipvlan eth2", errors.STATUS_KERNEL, "eth2: kind ipvlan cannot serve: "),
    ],
)
def test_wrong_words(run: Moving, words: str, status: int, text: str) -> None:
    """One line, and nothing is changed."""
    if "eth2" in words:
        run.memory.add_device("br0", "bridge")
        run.memory.set_device("eth2", master="br0")
    assert run.refused(f"move {words} {run.path}", status).startswith(text)
    unchanged(run)


@pytest.mark.parametrize(
    ("line", "kind", "text"),
    [
        ("eth0:9 10.9.9.9/32 kind macvlan mtu 1400", "label", "mtu"),
        ("eth0:9 10.9.9.9/32 kind macvlan hw ether 02:00:00:00:00:01", "label", "no MTU or MAC"),
        ("eth0:9 10.9.9.9/32 kind macvlan hw ether 02:00:00:00:00:01", "ipvlan", "shares the MAC"),
    ],
)
@pytest.mark.parametrize("dry", ["", "--dry-run"])
def test_words_that_the_new_kind_does_not_have(
    run: Moving, line: str, kind: str, text: str, dry: str
) -> None:
    """The line is named, and nothing of the file is changed."""
    run.declare(f"{line}\neth0:1 10.8.0.1 kind {'macvlan' if kind == 'label' else 'label'}\n")
    before, was = run.text, run.kinds()
    _, err = run.moves(f"{dry} eth0 --kind {kind}", errors.STATUS_KERNEL)
    assert text in err
    assert err.splitlines()[-1].endswith("nothing was changed") or dry
    assert (run.text, run.kinds()) == (before, was)


def test_labels_of_others_come_first(run: Moving) -> None:
    """A declared label of others is to be adopted: no second copy, and no half of a move."""
    run.memory.add_address("eth0", "10.8.0.50/32", label="eth0:50")
    text = f"{TEXT}eth0:50 10.8.0.50 kind label\n"
    Path(run.path).write_text(text)
    out, err = run.moves("--kind macvlan eth0", errors.STATUS_KERNEL)
    assert out == ""
    assert err.splitlines() == [
        f"{run.path}:9: eth0:50: others have made this label (netalias adopt eth0)",
        "netalias: 1 alias cannot move; nothing was changed",
    ]
    assert run.text == text
    assert run.kinds()["eth0:0"] == "label"


def test_what_the_kernel_refuses_leaves_all_as_it_was(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The other aliases, and the file, come back."""
    run = Moving(capsys)
    run.memory = Refusing()
    run.memory.set_device("lo", up=True)
    for name in ("eth0", "eth1"):
        run.memory.add_device(name, up=True)
    run.path = str(tmp_path / "netalias.conf")
    run.declare(TEXT)
    before, was = run.memory.snapshot(), run.kinds()
    run.memory.bad = "10.8.0.2"
    out, err = run.moves("eth0 --kind macvlan", errors.STATUS_KERNEL)
    assert out == ""
    assert err.startswith("netalias: eth0:2: ")
    assert err.count("\n") == 1
    assert (run.text, run.kinds()) == (TEXT, was)
    after = run.memory.snapshot()
    assert before.devices.keys() == after.devices.keys()
    assert entries(before) == entries(after)
