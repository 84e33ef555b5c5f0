"""The end of a tunnel by its name: what the command has waited for when it returns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from netalias.cli import vif
from netalias.engine import carried
from netalias.engine import tunnels as work
from netalias.runtime import asked, instance, tunnels


@pytest.mark.parametrize("watched", [False, True], ids=["a process", "a watcher"])
def test_all_is_undone_when_it_returns(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The record goes before the rule, and the publications: they go under the same lock."""
    seen: list[str] = []

    @contextmanager
    def transaction(dry: bool = False) -> Iterator[SimpleNamespace]:
        seen.append("locked")
        yield SimpleNamespace(path="")
        seen.append("unlocked")

    @contextmanager
    def engine() -> Iterator[SimpleNamespace]:
        kernel = SimpleNamespace(permitted=lambda: None, cookie=lambda: "")
        yield SimpleNamespace(kernel=kernel, transaction=transaction)

    found = SimpleNamespace(pid=7, line="vif0 198.51.100.7/32 to 10.0.0.77 carriage udp:7777")
    monkeypatch.setattr(tunnels, "read", lambda *_: found)
    monkeypatch.setattr(asked, "key_of", lambda line: "vif0")
    monkeypatch.setattr(asked, "read", lambda *_: {"vif0": found.line})
    monkeypatch.setattr(asked, "forget", lambda *_: None)
    monkeypatch.setattr(
        instance, "running", lambda folder: SimpleNamespace(pid=7) if watched else None
    )
    monkeypatch.setattr(carried, "end", lambda *_: seen.append("gone"))
    monkeypatch.setattr(work, "undo", lambda *_: seen.append("undone"))
    monkeypatch.setattr(carried, "wait", lambda *_: seen.append("gone") is None)  # type: ignore[func-returns-value]
    options = SimpleNamespace(
        engine=engine,
        dry_run=False,
        absent_ok=False,
        changes=None,
        verbose=False,
        until="",
        exit_when_down=False,
        if_up=False,
    )
    assert vif.end(options, "vif0") == 0  # type: ignore[arg-type]
    undone = [] if watched else ["undone"]
    assert seen == ["locked", "unlocked", "gone", "locked", *undone, "unlocked"]
