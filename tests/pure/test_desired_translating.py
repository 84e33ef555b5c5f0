"""The line ``alias``: what it refuses, and why."""

from __future__ import annotations

import pytest
from test_desired_declarations import parse


def test_nothing_is_kept_without_translation() -> None:
    """A-10: a line that keeps addresses is refused with the reason, wherever both stand; what
    keeps nothing is right, and so is a line that says what is anyway."""
    said = (
        "f:1: eth0 iface-alias kernel: no address is kept without translation: alias disable ({})"
        " (alias enable, or no such line)"
    )
    for texts in (
        ["eth0 iface-alias kernel\nalias disable"],
        ["eth0 iface-alias kernel", "\nalias disable"],
    ):
        (error,) = parse(*texts).errors
        place = "f:2" if len(texts) == 1 else "g:2"
        assert str(error).replace("f:1:1:", "f:1:") == said.format(place)
    for text in ("eth0 iface-alias off\nalias disable", "eth0 iface-alias user\nalias enable"):
        found = parse(text)
        assert found.errors == []
        assert [one.text for one in found.tasks][1] == text.splitlines()[1]
        assert found.tasks[1].fields() == {"alias": text.rpartition(" ")[2]}
        assert not found.tasks[1].watched


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("alias", "1: alias: either enable or disable is needed"),
        ("alias on", "7: alias on: either enable or disable is needed"),
        ("alias enable yes", "14: alias enable yes: either enable or disable is needed"),
        ("alias enable\nalias disable", "1: alias is already declared at f:1"),
    ],
)
def test_what_is_wrong(line: str, error: str) -> None:
    """Another word, and a second line."""
    (found,) = parse(line).errors
    assert str(found).partition(":")[2].partition(":")[2].startswith(error)
