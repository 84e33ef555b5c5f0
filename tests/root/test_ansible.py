"""The module of Ansible, run by the real ansible-playbook on this host, in a namespace."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from command import COMMAND, Command

ANSIBLE = Path(__file__).parents[2] / "tools" / "contrib" / "ansible"
PLAYBOOK = shutil.which(os.environ.get("NETALIAS_ANSIBLE", "ansible-playbook")) or ""

pytestmark = pytest.mark.skipif(
    not PLAYBOOK, reason="ansible-playbook is not installed (make test-ansible installs it)"
)

ONE = {"name": "eth9:0", "address": "10.0.0.5/32"}


class Playbook:
    """Playbooks of one task of ours."""

    def __init__(self, cli: Command, folder: Path) -> None:
        self.cli = cli
        self.folder = folder
        self.file = folder / "etc" / "declared"
        self.file.parent.mkdir()
        self.result = folder / "result"
        program = folder / "netalias"
        program.write_text(f'#!/bin/sh\nexec {COMMAND[0]} "$@"\n')
        program.chmod(0o755)

    def run(self, *options: str, **parameters: object) -> dict[str, Any]:
        """The result of the task, run with these options of ansible-playbook."""
        parameters = {"path": str(self.file), "executable": str(self.folder / "netalias"),
                      **parameters}  # fmt: skip
        tasks = [
            {"netalias": parameters, "register": "done", "ignore_errors": True},
            {"copy": {"content": "{{ done | to_json }}", "dest": str(self.result)},
             "check_mode": False, "diff": False},
        ]  # fmt: skip
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
        (self.folder / "play.yml").write_text(json.dumps([play]))
        words = ["env", f"ANSIBLE_LIBRARY={ANSIBLE / 'library'}", f"HOME={self.folder / 'home'}",
                 "LC_ALL=C.UTF-8", PLAYBOOK, *options, str(self.folder / "play.yml")]  # fmt: skip
        done = self.cli.namespace.run(words, check=False)
        assert done.returncode == 0, done
        found: dict[str, Any] = json.loads(self.result.read_text())
        return found


@pytest.fixture
def playbook(cli: Command, tmp_path: Path) -> Playbook:
    """A host without aliases, on which nothing is declared."""
    return Playbook(cli, tmp_path)


def test_changed_and_then_ok(cli: Command, playbook: Playbook) -> None:
    """Declared and made at once; the same again changes nothing."""
    done = playbook.run(**ONE)
    assert done["changed"], done
    assert done["differences"][0].split()[:3] == ["+", "eth9:0", "10.0.0.5/32"]
    assert cli.names() == ["eth9:0"]
    assert playbook.file.stat().st_mode & 0o777 == 0o644
    done = playbook.run(facts=True, **ONE)
    assert (done["changed"], done["differences"]) == (False, [])
    assert [one["altname"] for one in done["ansible_facts"]["netalias"]] == ["eth9:0"]

    cli.namespace.ip("link del eth9_0")
    assert playbook.run()["changed"]
    assert cli.names() == ["eth9:0"]


def test_check_mode_changes_nothing_and_tells_all(cli: Command, playbook: Playbook) -> None:
    """The difference of the file, and those of the kernel."""
    done = playbook.run("--check", "--diff", **ONE)
    assert done["changed"]
    assert (done["diff"]["before"], done["diff"]["after"]) == ("", "eth9:0 10.0.0.5/32\n")
    assert done["differences"][0].split()[:3] == ["+", "eth9:0", "10.0.0.5/32"]
    assert not playbook.file.exists()
    assert cli.names() == []
    assert list(playbook.file.parent.iterdir()) == []


def test_absent(cli: Command, playbook: Playbook) -> None:
    """The last one goes only where that is said."""
    playbook.run(**ONE)
    done = playbook.run(name="eth9:0", state="absent")
    assert done["failed"]
    assert "allow-empty" in done["msg"]
    done = playbook.run(name="eth9:0", state="absent", allow_empty=True)
    assert done["changed"]
    assert cli.names() == []
    assert playbook.file.read_text() == ""


def test_wrong_words_are_written_nowhere(cli: Command, playbook: Playbook) -> None:
    """netalias itself reads the line before the file is replaced."""
    playbook.file.write_text("# mine\n")
    done = playbook.run(name="eth9:0", address="10.0.0.5.6")
    assert done["failed"]
    assert f"{playbook.file}:2:8: eth9:0: 10.0.0.5.6: not an IPv4 address" in done["msg"]
    assert playbook.file.read_text() == "# mine\n"


def test_the_example_is_a_playbook(cli: Command, tmp_path: Path) -> None:
    """It finds the module in the folder beside it."""
    example = str(ANSIBLE / "playbook.yml")
    words = ["env", f"HOME={tmp_path}", "LC_ALL=C.UTF-8", PLAYBOOK, "-i", "localhost,", example]
    done = cli.namespace.run([*words, "--syntax-check"], check=False)
    assert done.returncode == 0, done
