"""-j of every verb that changes something: the list of changes, over a kernel in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.cli.changes import CHANGING
from netalias.cli.flags import SPECIAL
from netalias.model import PROTOCOL

USAGE, REFUSED = errors.STATUS_USAGE, errors.STATUS_KERNEL
FIRST = {"family": "inet", "local": "10.0.0.1", "prefixlen": 32}
SECOND = {"family": "inet", "local": "10.0.0.2", "prefixlen": 24}
MADE = {"change": "add", "altname": "eth0:0", **FIRST, "kind": "label"}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over an empty kernel."""
    return Command(capsys)


def changes(run: Command, text: str, status: int = 0, error: str = "") -> list[dict[str, Any]]:
    """The objects that *text* prints, which succeeds in silence or ends with *error*."""
    out, err = run.run(["-j", *text.split()], status)
    assert (error in err) if error else not err, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_one_alias(run: Command) -> None:
    """It comes, changes and goes; what is as asked for is no change."""
    assert changes(run, "eth0:0 10.0.0.1 kind label") == [MADE]
    assert changes(run, "eth0:0 10.0.0.1 kind label") == []
    assert changes(run, "eth0:0 10.0.0.2/24") == [
        {"change": "change", "altname": "eth0:0", "before": FIRST, "after": SECOND},
        {
            "change": "set", "ifname": "eth0", "before": {"promote_secondaries": 0},
            "after": {"promote_secondaries": 1},
        },
    ]  # fmt: skip
    assert changes(run, "eth0:0-") == [{**MADE, **SECOND, "change": "remove"}]


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [
        ("down", {"state": "up"}, {"state": "down"}),
        ("hw ether 02:00:00:00:00:07", {"mac": "02:00:00:00:00:05"}, {"mac": "02:00:00:00:00:07"}),
        ("mtu 1400", {"mtu": 1500}, {"mtu": 1400}),
        ("lease 600", {"lease": None}, {"lease": 600}),
        ("kind label", {"kind": "macvlan"}, {"kind": "label"}),
        ("10.0.0.1 pointopoint 10.0.0.9", {"address_peer": None}, {"address_peer": "10.0.0.9"}),
        ("2001:db8::1", FIRST, {"family": "inet6", "local": "2001:db8::1", "prefixlen": 128}),
    ],
)
def test_in_place(
    run: Command, words: str, before: dict[str, object], after: dict[str, object]
) -> None:
    """What a line of check calls by a word stands under that word, numbers as numbers."""
    run.split("eth0:0 10.0.0.1/32 kind macvlan hw ether 02:00:00:00:00:05")
    found = next(one for one in changes(run, f"eth0:0 {words}") if one["change"] == "change")
    assert {key: found["before"][key] for key in before} == before
    assert {key: found["after"][key] for key in after} == after


def test_a_rehearsal_tells_the_same(run: Command) -> None:
    """--dry-run prints what would be changed, and -v prints no commands among the JSON."""
    assert changes(run, "--dry-run eth0:0 10.0.0.1 kind label") == [MADE]
    assert changes(run, "-v eth0:0 10.0.0.1 kind label") == [MADE]
    (gone,) = changes(run, "--dry-run -v eth0:0-")
    assert gone["change"] == "remove"
    assert run.split("lookup 10.0.0.1") == "eth0:0\n"


def test_a_refusal(run: Command) -> None:
    """The error stands on standard error, and nothing has changed."""
    assert changes(run, "eth2:0 10.0.0.1", REFUSED, "eth2 is down") == []
    assert changes(run, "eth0:5-", REFUSED, "eth0:5: there is no such alias") == []
    assert changes(run, "--absent-ok eth0:5-") == []
    assert changes(run, "eth0:0 nosuch", USAGE, "nosuch") == []


def test_a_name_alone_is_shown(run: Command) -> None:
    """As before: the object of show."""
    run.split("eth0:0 10.0.0.1 kind label")
    assert changes(run, "eth0:0") == changes(run, "show eth0:0")
    assert changes(run, "eth0:0-1") == changes(run, "show")


def test_ranges(run: Command) -> None:
    found = changes(run, "eth0:0-2 10.0.0.1-3/32 kind label")
    assert [(one["altname"], one["local"]) for one in found] == [
        (f"eth0:{n}", f"10.0.0.{n + 1}") for n in range(3)
    ]
    found = changes(run, "eth0:0- eth0:2- eth0:7-", REFUSED, "eth0:7: there is no such alias")
    assert [one["altname"] for one in found] == ["eth0:0", "eth0:2"]


def test_batch(run: Command, tmp_path: Path) -> None:
    """Up to the first error; a reconciliation in it is one change after the other as well."""
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_text("eth0:1 10.0.0.2/24 kind macvlan\n")
    first.write_text(
        f"eth0:0 10.0.0.1 kind label\n-q reconcile --only eth1 {second}\n"
        "publish 10.0.0.9 dev eth1\neth0:0-\neth0:9-\neth0:0 10.0.0.1\n"
    )
    found = changes(run, f"batch {first}", REFUSED, "eth0:9: there is no such alias")
    assert found == [
        MADE,
        {
            "change": "add", "ifname": "eth1", "kind": "published", "family": "inet",
            "local": "10.0.0.9", "prefixlen": 32,
        },
        {**MADE, "change": "remove"},
    ]  # fmt: skip
    first.write_text(f"reconcile --only eth0 {second}\nreconcile --dry-run {first}\n")
    found = changes(run, f"batch {first}", USAGE, f"{first}:2")
    assert [one["altname"] for one in found if "altname" in one] == ["eth0:1"]
    assert changes(run, f"batch --dry-run {second}") == []


@pytest.mark.parametrize("line", ["show", "-j eth0:0-", "eth0:0", "--version", "eth0:0 --help"])
def test_batch_with_other_output(run: Command, tmp_path: Path, line: str) -> None:
    """The output is one JSON text: what prints something of its own is refused."""
    file = tmp_path / "batch"
    file.write_text(f"eth0:0 10.0.0.1 kind label\n{line}\n")
    assert changes(run, f"batch {file}", USAGE, f"{file}:2: ") == [MADE]


def test_reconcile(run: Command, tmp_path: Path) -> None:
    """As check says it, with its place; what is refused has an error."""
    file = tmp_path / "conf"
    file.write_text("eth0:0 10.0.0.1 kind label\nno9:0 10.0.0.2\n")
    found = changes(run, f"--dry-run reconcile {file}", REFUSED, "no device no9")
    assert changes(run, f"reconcile {file}", REFUSED, "no device no9") == found
    assert found[0] == {**MADE, "place": f"{file}:1"}
    assert (found[1]["change"], "no9" in found[1]["error"]) == ("skip", True)
    file.write_text("eth0:0 10.0.0.1 kind label\n")
    assert changes(run, f"reconcile {file}") == []
    file.write_text("")
    assert changes(run, f"reconcile {file}", REFUSED, "--allow-empty") == []


def test_adopt(run: Command) -> None:
    run.memory.add_address("eth0", "10.0.0.1/32", label="eth0:0")
    marked = {
        "change": "change", "altname": "eth0:0", "before": {"mark": None},
        "after": {"mark": PROTOCOL},
    }  # fmt: skip
    assert changes(run, "--dry-run adopt eth0:0") == [marked]
    assert changes(run, "adopt eth0") == [marked]
    assert changes(run, "adopt eth0:0") == []


def test_adopt_where_the_kernel_replaces(run: Command) -> None:
    """On Linux 6.1 it takes two attempts, which are one change."""
    run.memory.changes_protocol = False
    run.memory.add_address("eth0", "10.0.0.1/32", label="eth0:0")
    assert [one["after"] for one in changes(run, "adopt eth0:0")] == [{"mark": PROTOCOL}]


def test_publish(run: Command) -> None:
    """An address comes and goes; -v and --dry-run as everywhere."""
    entry = {"ifname": "eth0", "kind": "published", **FIRST, "local": "10.0.0.5"}
    assert changes(run, "--dry-run publish 10.0.0.5 dev eth0") == [{"change": "add", **entry}]
    assert changes(run, "-v publish 10.0.0.5 dev eth0") == [{"change": "add", **entry}]
    assert changes(run, "publish 10.0.0.5 dev eth0") == []
    assert changes(run, "unpublish 10.0.0.5") == [{"change": "remove", **entry}]
    assert changes(run, "unpublish 10.0.0.5", REFUSED, "it is not published") == []


def test_renew(run: Command) -> None:
    """A lease is renewed by its length."""
    run.split("eth0:0 10.0.0.1 kind macvlan lease 600")
    renewed = {"change": "renew", "altname": "eth0:0", **FIRST, "lease": 600}
    assert changes(run, "--dry-run renew") == [renewed]
    assert changes(run, "renew eth0:0") == [renewed]


def test_nothing_waits(run: Command) -> None:
    """confirm changes nothing, and neither does a rollback of nothing."""
    for verb in ("confirm", "rollback"):
        assert changes(run, verb, REFUSED, "nothing waits") == []


def test_which_verbs(run: Command) -> None:
    """Every verb with --dry-run prints changes, and those that need none; all of them take -j."""
    rehearsed = set(SPECIAL["--dry-run"]) - {"check", "announce"}
    assert set(CHANGING) == rehearsed | {"cluster", "confirm", "rollback"}
    assert set(CHANGING) <= set(SPECIAL["-j"])
