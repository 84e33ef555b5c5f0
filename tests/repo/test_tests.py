"""The tests themselves."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

REPO = Path(__file__).parents[2]


def test_every_file_has_a_name_of_its_own() -> None:
    """The folders are no packages: of two modules of one name the second is not found."""
    found = Counter(path.name for path in Path(__file__).parents[1].glob("*/*.py"))
    del found["conftest.py"]
    assert not [name for name, count in found.items() if count > 1]


def test_what_make_test_leaves_out_has_a_target_that_is_always_run() -> None:
    """Each marker that it excludes is that of a target, which .ci/run calls before it, and which
    the README names."""
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    (chosen,) = re.findall(r'-m "(not [a-z ]+)"', makefile)
    run = (REPO / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    targets = [f"test-{word}" for word in chosen.removeprefix("not ").split(" and not ")]
    assert targets
    for target in targets:
        assert f"\n{target}: " in makefile
        assert f"    make {target} " in readme
    calls = [line for line in run if line.startswith("make test")]
    assert sorted(calls) == sorted(["make test", *(f"make {target}" for target in targets)])
    assert run[-1] == "make test"
