"""The clock of the day jumps under a data plane: heartbeats, keys and timers know nothing of it.

By libfaketime, which leaves CLOCK_MONOTONIC alone here as a step of the real clock does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import Namespace
from test_tunnel_keyed import KEY, keyed, written
from tunnelled import INNER, End, cable, transfer
from unpacked import PROGRAMS

pytestmark = pytest.mark.programs

DATA = random.Random(16).randbytes(1 << 18)
STEPS = ("+3650d", "-3650d", "+0")


@pytest.fixture
def clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the step that processes started from now on see, at once."""
    library = next(Path(PROGRAMS or "/usr/lib").rglob("libfaketime.so.1"), None)
    if library is None:
        pytest.skip("libfaketime is neither installed nor unpacked in NETALIAS_PROGRAMS")
    file = tmp_path / "clock"
    file.write_text("+0\n")
    settings = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return file


@pytest.fixture(params=["plain", "keyed"])
def ends(
    veth: Namespace, tmp_path: Path, clock: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[End, End]]:
    """A tunnel that is up, without a key and with one."""
    assert veth.peer is not None
    cable(veth, veth.peer)
    key = written(tmp_path / "vif0.key", KEY)
    with ExitStack() as stack:
        both = (veth, veth.peer)
        if request.param == "keyed":
            made = [keyed(one, number, key) for number, one in enumerate(both)]
        else:
            made = [End(one, number) for number, one in enumerate(both)]
        for one in made:
            stack.callback(one.close)
            one.start()
        for one in made:
            one.wait()
        yield made[0], made[1]


def test_a_step_of_ten_years_is_not_noticed(ends: tuple[End, End], clock: Path) -> None:
    """Ahead, back and home again: what was agreed holds, no session and no answer is out of time,
    and nothing is dropped."""
    for one in ends:
        assert b"libfaketime" in Path(f"/proc/{one.pid}/maps").read_bytes()
    here, there = (one.namespace for one in ends)
    before = [drops(one) for one in ends]
    for step in STEPS:
        clock.write_text(f"{step}\n")
        assert transfer(here, there, INNER[1], DATA)
        assert transfer(there, here, INNER[0], DATA)
    assert all(one.counted("agreed") for one in ends)
    assert [drops(one) for one in ends] == before


def drops(end: End) -> dict[str, int]:
    """The counters of packets that came to nothing."""
    return {name: value for name, value in end.count.by_name().items() if "dropped" in name}
