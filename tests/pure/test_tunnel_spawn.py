"""The start of a data plane: which files its interpreter takes."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from netalias.tunnels import plane
from netalias.tunnels.counters import Counters


def test_it_takes_nothing_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Modules of the same names there, or where PYTHONPATH leads, are not those of this process."""
    for name in ("netalias", "signal", "struct", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from elsewhere')\n")
    commands: list[list[str]] = []

    def record(path: str, words: list[str], *_: object, **__: object) -> int:
        commands.append(words)
        return 1

    monkeypatch.setattr(os, "posix_spawn", record)
    count = Counters.create()
    try:
        assert plane.spawn(count, count, count, ["carriage", "udp:7777"]) == 1
    finally:
        count.close()
    environ = os.environ | {"PYTHONPATH": str(tmp_path), "PYTHONHOME": ""}
    done = subprocess.run(
        commands[0], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.endswith("is no TUN device\n")
    assert "Traceback" not in done.stderr
