"""Random changes around ``netalias watch``: a short while of what ``make soak`` does for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from command import Command
from soaking import WARM, Soak

SEED = 40
"""Other ones are for ``make soak``."""
MOMENTS = WARM + 16


@pytest.mark.early
def test_soak(cli: Command, tmp_path: Path) -> None:
    """At every quiet moment the aliases are those that are declared, everybody who is asked says
    so, and nothing that the watcher holds has grown. What does not hold is told with the seed."""
    soak = Soak(cli.namespace, tmp_path, SEED)
    try:
        while soak.moments < MOMENTS:
            soak.round()
        assert soak.memory
    finally:
        soak.close()
