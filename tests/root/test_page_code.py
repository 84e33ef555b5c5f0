"""The Python of the pages runs as it is written there, and prints what its comments say."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from command import Command

REPO = Path(__file__).parents[2]
PAGES = ("README.md", "docs/api.md")


def blocks(page: str) -> list[str]:
    """The blocks of Python in a page."""
    text = (REPO / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES)
def test_the_python_of_a_page(bare: Command, page: str) -> None:
    """On a host with eth0. What it has made is gone afterwards."""
    bare.namespace.ip("link add eth0 type veth peer name p0")
    bare.namespace.ip("link set eth0 up")
    found = blocks(page)
    assert found
    for block in found:
        done = bare.namespace.run([sys.executable, "-W", "error", "-c", block], check=False)
        assert (done.returncode, done.stderr) == (0, "")
        printed = [line.split(" #", 1) for line in block.splitlines() if "print(" in line]
        assert len(done.stdout.splitlines()) == len(printed) > 0
        for line, (_, *comment) in zip(done.stdout.splitlines(), printed, strict=True):
            assert not comment or comment[0].strip().startswith(line)
    assert bare.names() == []


def test_other_pages_have_no_python() -> None:
    """One with a block belongs to PAGES."""
    pages = [str(path.relative_to(REPO)) for path in (REPO / "docs").glob("*.md")]
    assert {page for page in ("README.md", *pages) if blocks(page)} == set(PAGES)
