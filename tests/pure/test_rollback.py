"""What the guard of a confirmation restores, in memory."""

from __future__ import annotations

import pytest
from refusing import Refusing
from test_drift import declared, done
from test_plan import Stage

from netalias import errors
from netalias.engine import checkpoint
from netalias.engine.rollback import _restore, arm


def test_every_attempt_counts() -> None:
    """What an attempt did that failed elsewhere is told with what the next one did."""
    stage = Stage(Refusing())
    former = declared(stage, "eth0:1-3 10.0.0.7-9 kind macvlan")
    changed: list[object] = []
    with pytest.raises(errors.StateError, match="1 alias could not be restored, eth0:3 among them"):
        _restore(stage.engine, former, changed)
    stage.kernel.bad = "192.0.2.1"
    text = _restore(stage.engine, former, changed)
    changes = 3 + 1  # the sysctls of eth0 are one
    assert text == f"{changes} changes taken back, and verified by a second reading"
    assert done(stage, "eth0:1-3 10.0.0.7-9 kind macvlan").diff.items == []


def test_a_file_that_cannot_come_back_keeps_no_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its disk is full, or a link stands in its place: the aliases are restored all the same, and
    the error tells of both."""
    stage = Stage()
    done(stage, "eth0:1 10.0.0.7 kind label")
    guards = []
    monkeypatch.setattr(checkpoint, "arm", lambda *words: guards.append(words[3]))

    def files() -> list[str]:
        raise errors.StateError("/etc/f: No space left on device")

    arm(stage.engine, stage.engine, "", 1, "", files)
    done(stage, "eth0:1 10.0.0.8 kind label")
    (restore,) = guards
    for _ in range(2):
        with pytest.raises(errors.StateError, match=r"/etc/f: No space.*; but for that: 1 change"):
            restore(lambda: True)
    assert done(stage, "eth0:1 10.0.0.7 kind label").diff.items == []
