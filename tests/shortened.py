"""Cases of which ``make test`` takes some, and ``make test-long`` all others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

T = TypeVar("T")


def quarter(values: Iterable[T]) -> list[T | ParameterSet]:
    """For parametrize: the first quarter of *values*, one at least, as they are, and the others
    marked ``long``."""
    every = [*values]
    few = max(1, len(every) // 4)
    return [*every[:few], *(_long(one) for one in every[few:])]


def _long(value: object) -> ParameterSet:
    """A tuple is a value for each of several arguments."""
    values = value if isinstance(value, tuple) else (value,)
    return pytest.param(*values, marks=pytest.mark.long)
