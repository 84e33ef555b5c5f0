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
    return [*every[:few], *later(every[few:])]


def later(values: Iterable[object]) -> list[ParameterSet]:
    """For parametrize: *values* marked ``long``; a tuple is a value for each of several
    arguments."""
    cases = [value if isinstance(value, tuple) else (value,) for value in values]
    return [pytest.param(*case, marks=pytest.mark.long) for case in cases]
