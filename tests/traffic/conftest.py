"""The traffic tests use the command as the tests in tests/root do."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "root"))
