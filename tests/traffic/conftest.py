"""The traffic tests use the command as the tests in tests/root do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "root"))

from wiring import Wires


@pytest.fixture
def wires() -> Iterator[Wires]:
    """Three namespaces with cables and addresses, every setting neutral, no alias yet."""
    with Wires() as found:
        yield found
