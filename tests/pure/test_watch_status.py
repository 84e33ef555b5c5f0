"""What a watcher says of the files that it has read."""

from __future__ import annotations

import pytest

from netalias.watch.status import Status


@pytest.mark.parametrize(
    ("aliases", "tasks", "text"),
    [
        (2, 0, "read again: 2 aliases declared"),
        (0, 3, "read again: 0 aliases declared; 3 lines beside them"),
    ],
)
def test_files_that_were_read_again(aliases: int, tasks: int, text: str) -> None:
    """A file that has nothing but lines of a cluster is not told as an empty one."""
    status = Status(None, None, 0.0)  # type: ignore[arg-type]
    status.tasks = tasks
    assert status.read_again(aliases) == text
