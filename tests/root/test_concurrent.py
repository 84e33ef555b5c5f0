"""Many runs at once: one result, no twins, and nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from command import COMMAND, SECONDS, Command

RUNS = 50
PIPE = -1


def together(cli: Command, commands: list[list[str]]) -> list[tuple[int, str, str]]:
    """Start all, then wait for all: status and output of each."""
    started = [
        cli.namespace.start([*COMMAND, *words], stdout=PIPE, stderr=PIPE) for words in commands
    ]
    results = []
    for process in started:
        out, err = process.communicate(timeout=6 * SECONDS)
        results.append((process.returncode, out, err))
    return results


def addresses(cli: Command) -> Counter[str]:
    """How often each alias is there."""
    return Counter(alias["altname"] for alias in cli.json())


@pytest.mark.long
def test_fifty_reconciliations(cli: Command, tmp_path: Path) -> None:
    """One does the work and says so, the others find it done."""
    file = tmp_path / "declared"
    file.write_text(
        "eth9:0-19 10.0.0.0/32+ kind macvlan\neth9:20-39 10.1.0.0/32+ kind label\n"
        "eth9:40-44 2001:db8::1/128+ kind macvlan\n",
        encoding="utf-8",
    )
    words = ["--wait", "100", "reconcile", str(file)]
    results = together(cli, [words] * RUNS)
    assert [(status, err) for status, _, err in results] == [(0, "")] * RUNS
    assert sorted(len(out.splitlines()) for _, out, _ in results) == [0] * (RUNS - 1) + [46]
    assert addresses(cli) == Counter([f"eth9:{slot}" for slot in range(45)])


@pytest.mark.long
def test_two_files_in_turn(cli: Command, tmp_path: Path) -> None:
    """Whatever the order: at the end there is one of the two, whole, and nothing of the other."""
    lines = ("eth9:0-9 10.0.0.0/32+ kind macvlan\n", "eth9:5-14 10.1.0.0/32+ kind label\n")
    files = [tmp_path / name for name in ("one", "other")]
    for file, text in zip(files, lines, strict=True):
        file.write_text(text, encoding="utf-8")
    commands = [
        ["--wait", "100", "--allow-empty", "reconcile", str(files[at % 2])] for at in range(20)
    ]
    results = together(cli, commands)
    assert {status for status, _, _ in results} == {0}
    assert sorted(cli.run("check", str(file)).returncode for file in files) == [0, 3]
    assert set(addresses(cli).values()) == {1}
    assert len(addresses(cli)) == 10


def test_twenty_creations_of_one_name(cli: Command) -> None:
    """The last one wins; there is one alias with one address."""
    commands = [["eth9:0", f"10.0.0.{last}", "kind", "macvlan"] for last in range(1, 21)]
    results = together(cli, [["--wait", "100", *words] for words in commands])
    assert {status for status, _, _ in results} == {0}
    assert addresses(cli) == Counter(["eth9:0"])
    assert cli.namespace.ip("-o -4 addr show dev eth9_0").count("inet ") == 1


def test_who_does_not_want_to_wait(cli: Command, tmp_path: Path) -> None:
    """--wait 0: what cannot be done at once is told by 75, and what is done is done right."""
    file = tmp_path / "declared"
    file.write_text("eth9:0-99 10.0.0.0/32+ kind macvlan\n", encoding="utf-8")
    results = together(cli, [["--wait", "0", "reconcile", str(file)]] * 10)
    assert {status for status, _, _ in results} <= {0, 75}
    assert 0 in {status for status, _, _ in results}
    assert cli.run("check", str(file)).returncode == 0
