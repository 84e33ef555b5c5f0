"""The way to a peer as its data plane notes it, and the faults that follow from that."""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic

import pytest

from netalias.desired.tunnels import tunnel_of
from netalias.observed.tunnels import PATIENCE, faults
from netalias.runtime.tunnels import Carried
from netalias.tunnels import counters, status
from netalias.tunnels.counters import Counters

LINE = "vif0 198.51.100.7/24 to 203.0.113.9 carriage udp:7777 key /etc/vif0.key"


def found(count: Counters) -> list[str]:
    """The checks that find a fault, once the patience with a silent peer has ended."""
    tunnel = tunnel_of(LINE)
    assert tunnel is not None
    data = bytes(count.values)
    read = status.Status(data, monotonic() + PATIENCE + 1)
    return [one.check for one in faults(tunnel, Carried("vif0", LINE), read)]


def test_forged_datagrams_of_former_times_are_no_sign_of_another_key() -> None:
    """Somebody has sent some, once; then the peer falls silent, and its keys lapse."""
    count = Counters.create()
    count.values[counters.FORGED] = 3
    count.values[status.KEYS] = status.NO_KEYS_AGREED
    status.asks(count.values)
    assert found(count) == ["tunnel-unanswered"]
    count.values[counters.FORGED] += 1
    assert found(count) == ["tunnel-key"]


def test_a_data_plane_that_begins_knows_nothing_of_its_peer() -> None:
    """The one before may have had another."""
    count = Counters.create()
    status.asks(count.values)
    status.say(count, "203.0.113.8 has nothing that listens there for UDP")
    assert found(count) == ["tunnel-refused"]
    status.begin(count.values)
    assert found(count) == []


def test_another_process_reads_it() -> None:
    """By the number of the descriptor."""
    count = Counters.create()
    count.values[counters.FORGED] = 3
    read = status.read(os.getpid(), count.fileno())
    assert read is not None
    assert read.counters["dropped_forged"] == 3


@pytest.mark.parametrize("kind", ["device", "file", "FIFO", "short"])
def test_what_is_no_memory_of_counters_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A process that is believed to carry a tunnel may hold any file by O_PATH, without a right to
    it, and some devices do something when root opens them."""
    path, real, opened = tmp_path / "file", os.open, []
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "short":
        fd = os.memfd_create("x")
        path = Path(f"/proc/self/fd/{fd}")
    else:
        path.write_bytes(bytes(counters.SIZE))
    held = os.open("/dev/null" if kind == "device" else path, os.O_PATH)

    def spy(path: str, flags: int) -> int:
        opened.append(flags & os.O_PATH)
        return real(path, flags)

    monkeypatch.setattr(os, "open", spy)
    assert status.read(os.getpid(), held) is None
    assert opened == [os.O_PATH]
    os.close(held)
