"""Lines between two processes: in parts, in bounds, and without waiting."""

from __future__ import annotations

from select import POLLIN, POLLOUT

import pytest

from netalias.errors import PacketError
from netalias.system import lines
from netalias.system.lines import Link, pair


def test_lines_come_as_they_were_put() -> None:
    """Any bytes of names, in whatever parts they arrive."""
    ours, theirs = pair()
    other = Link(theirs)
    assert (ours.events, other.read()) == (POLLIN, [])
    for line in ("one two", "", "\udcff"):
        ours.put(line)
    assert ours.events == POLLIN | POLLOUT
    ours.write()
    assert ours.events == POLLIN
    assert other.read() == ["one two", "", "\udcff"]
    theirs.send(b"ha")
    assert ours.read() == []
    theirs.send(b"lf\nrest")
    assert ours.read() == ["half"]
    ours.close()
    with pytest.raises(ConnectionResetError):
        other.read()
    other.close()


def test_what_is_not_read_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a bound: then the other end counts as dead."""
    monkeypatch.setattr(lines, "HELD", 1 << 20)
    ours, theirs = pair()
    other = Link(theirs)

    def fill() -> None:
        for _ in range(100):
            ours.put("x" * 99_999)
            ours.write()

    with pytest.raises(PacketError, match="does not read"):
        fill()
    assert set(other.read()) <= {"x" * 99_999}
    ours.close()
    other.close()


def test_a_line_without_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no more memory than a line may have."""
    monkeypatch.setattr(lines, "LINE_MAX", 10)
    ours, theirs = pair()
    theirs.send(b"0123456789")
    assert ours.read() == []
    theirs.send(b"0")
    with pytest.raises(PacketError, match="without an end"):
        ours.read()
    ours.close()
    theirs.close()
