"""Scenes whose command is killed: a few of what ``make soak SOAK="--kills 500"`` does for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from killing import SCENES, Kills
from shortened import quarter

SEED = 12
"""Other ones are for tools/kills.py."""


@pytest.mark.parametrize(("before", "words"), quarter([SCENES[3], SCENES[9], SCENES[15]]))
def test_before_its_changes(cli: Command, tmp_path: Path, before: str, words: str) -> None:
    """A range, a label that gives its network up, a batch: the next run finishes or undoes it."""
    kills = Kills(cli, tmp_path, SEED)
    kills.scene(before, words, most=4)
    assert kills.points


@pytest.mark.long
def test_at_random_instants(cli: Command, tmp_path: Path) -> None:
    """By SIGKILL, which may come too late."""
    kills = Kills(cli, tmp_path, SEED)
    for _ in range(4):
        kills.instant()
