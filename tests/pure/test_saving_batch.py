"""The option --save of batch, over a kernel in memory and files in a folder of the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_saving import Host, host  # noqa: F401  the fixture

from netalias import errors


@pytest.fixture
def run(host: Host, tmp_path: Path) -> Batch:  # noqa: F811
    """The command over a file of lines."""
    return Batch(host, tmp_path / "batch")


class Batch:
    """``netalias --save batch`` with some lines."""

    def __init__(self, host: Host, file: Path) -> None:  # noqa: F811
        self.host = host
        self.file = file

    def __call__(self, *lines: str, options: str = "", status: int = 0) -> str:
        self.file.write_text("".join(f"{line}\n" for line in lines))
        return self.host(f"{options} --save batch {self.file}", status)

    @property
    def declared(self) -> list[str]:
        """The lines of the main file, without runs of blanks."""
        text = self.host.main.read_text() if self.host.main.exists() else ""
        return [" ".join(line.split()) for line in text.splitlines()]


def test_each_line_is_declared(run: Batch) -> None:
    """Words of their own, ranges, changes and deletions; what differs between two lines is seen."""
    run.host.main.write_text("eth1:7 10.0.7.7 # stays\n")
    assert (
        run(
            "eth0:0 10.0.0.1/24 kind macvlan",
            "eth0:1-3 10.0.1.1-3 kind macvlan mtu 1400",
            "eth0:9 2001:db8::9 heal off",
            "eth0:2 down",
            "eth0:3-",
            "eth0:3 10.0.0.3 kind label",
        )
        == ""
    )
    assert run.declared == [
        "eth1:7 10.0.7.7 # stays",
        "eth0:0 10.0.0.1/24 kind macvlan",
        "eth0:1 10.0.1.1 kind macvlan mtu 1400",
        "eth0:2 10.0.1.2 kind macvlan mtu 1400 down",
        "eth0:9 2001:db8::9 heal off",
        "eth0:3 10.0.0.3 kind label",
    ]
    run.host("eth1:7 10.0.7.7")
    assert run.host("check --hands-off") == ""


def test_what_was_done_before_an_error_is_declared(run: Batch) -> None:
    """And nothing of the line or of those after it."""
    run.host("eth0:7 10.0.0.7 kind label")
    said = run(
        "eth0:1 10.0.0.1 kind label",
        "eth0:2 10.0.0.2 kind label",
        "eth0:3 10.0.0.7 kind label",
        "eth0:4 10.0.0.4 kind label",
        "eth0:1 10.0.0.9",
        status=errors.STATUS_KERNEL,
    )
    assert ":3: " in said
    assert "not done after that: 2 commands" in said
    assert run.declared == ["eth0:1-2 10.0.0.1-2 kind label"]
    run.host("eth0:7-")
    assert run.host("check --hands-off") == ""


def test_a_bad_line_leaves_those_before_it(run: Batch) -> None:
    """A wrong word is one, too."""
    said = run("eth0:1 10.0.0.1", "eth0:2 10.0.0.2 foo", status=errors.STATUS_USAGE)
    assert "'foo'" in said
    assert run.declared == ["eth0:1 10.0.0.1"]


def test_missing_aliases_count_as_declared(run: Batch) -> None:
    """They are made of their lines, and those that go are forgotten."""
    run.host.main.write_text("eth0:1-4 10.0.0.1-4/24 kind macvlan\n")
    assert run("eth0:2 down", "eth0:3-") == ""
    assert run.declared == [
        "eth0:1 10.0.0.1/24 kind macvlan",
        "eth0:2 10.0.0.2/24 kind macvlan down",
        "eth0:4 10.0.0.4/24 kind macvlan",
    ]
    (there,) = json.loads(run.host("-j show"))
    assert (there["altname"], there["state"]) == ("eth0:2", "down")
    assert run("eth0:1 up", "eth0:4 10.0.0.300", status=errors.STATUS_USAGE)
    assert run.declared[0] == "eth0:1 10.0.0.1/24 kind macvlan"


def test_lines_with_options_and_verbs(run: Batch) -> None:
    """adopt and options of an alias save too; other verbs are as ever."""
    run.host.memory.add_address("eth0", "10.0.0.5/32", label="eth0:5")
    assert "eth0:6" in run(
        "eth0:6 10.0.0.6 kind label", "adopt eth0:5", "--absent-ok eth0:8-", "show"
    )
    assert sorted(run.declared) == [
        "eth0:5 10.0.0.5/32 kind label",
        "eth0:6 10.0.0.6 kind label",
    ]


def test_a_dry_run_writes_nothing(run: Batch) -> None:
    """The lines are told, each on top of those before it."""
    said = run("eth0:1 10.0.0.1 kind label", "eth0:1 10.0.0.2", options="--dry-run")
    assert f"{run.host.main}: + eth0:1" in said
    assert f"{run.host.main}: - eth0:1" in said
    assert run.declared == []
    assert run.host("show") == ""


def test_json_and_force(run: Batch) -> None:
    """One list of changes; --force would go on after an error."""
    found = json.loads(run("eth0:1 10.0.0.1 kind label", "eth0:1-", options="-j"))
    assert [one["change"] for one in found if "altname" in one] == ["add", "remove"]
    assert "exclude each other" in run("eth0:1-", options="--force", status=errors.STATUS_USAGE)


def test_many_lines(run: Batch) -> None:
    """A thousand are one group: the files are written once."""
    run.host.main.write_text("".join(f"eth0:{n} 10.0.{n >> 8}.{n & 255}\n" for n in range(1, 900)))
    lines = [f"eth0:{n} 10.1.{n >> 8}.{n & 255} kind label" for n in range(1, 1001)]
    assert run(*lines) == ""
    assert len(run.declared) == 900
    assert run.host("check --hands-off") == ""
