"""Random changes around ``netalias watch``: a short while of what ``make soak`` does for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from soaking import WARM, Soak

SEED = 40
"""Other ones are for ``make soak``."""
FEW, MANY = WARM + 2, WARM + 16
"""Quiet moments."""


@pytest.mark.early
@pytest.mark.parametrize("moments", [FEW, pytest.param(MANY, marks=pytest.mark.long)])
def test_soak(cli: Command, tmp_path: Path, moments: int) -> None:
    """At every quiet moment the aliases are those that are declared, everybody who is asked says
    so, and nothing that the watcher holds has grown. What does not hold is told with the seed."""
    soak = Soak(cli.namespace, tmp_path, SEED)
    try:
        while soak.moments < moments:
            soak.round()
        assert soak.memory
    finally:
        soak.close()
