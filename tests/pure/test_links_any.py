"""Whatever comes from the network or stands in a file: counted, and never an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linked import End, pair, served

from netalias.links.datagram import LENGTH, EthernetLink
from netalias.links.runner import usual_mtu
from netalias.links.state import LinkState, restored
from netalias.runtime import links as records
from netalias.views import links as views

MAC = b"\x02\x00\x00\x00\x00\x09"
WORDS = st.text("abc 019\n", max_size=8)


class Frames:
    """A packet socket that has these frames, each with its type and source."""

    def __init__(self, frames: list[tuple[bytes, int, bytes]]) -> None:
        self.frames = frames

    def getsockname(self) -> tuple[str, int, int, int, bytes]:
        return ("eth9", 0x88B5, 0, 1, MAC)

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int, int, int, bytes]]:
        if not self.frames:
            raise BlockingIOError(11, "")
        data, kind, source = self.frames.pop(0)
        return data[:size], ("eth9", 0x88B5, kind, 1, source)


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=80), st.sampled_from([0, 1, 3, 4]), st.sampled_from([MAC, b""])
        ),
        max_size=20,
    )
)
def test_any_frames_of_ethernet(frames: list[tuple[bytes, int, bytes]]) -> None:
    """A frame that is shorter than it says is none; own ones are not heard; the first one that
    greets is the peer."""
    good = [
        (data[LENGTH:][: int.from_bytes(data[:LENGTH], "big")], source)
        for data, kind, source in frames
        if kind != 4 and 0 < int.from_bytes(data[:LENGTH], "big") <= len(data) - LENGTH
    ]
    count = len(frames)
    link = EthernetLink(Frames(frames), LinkState("link:eth9", "link"))  # type: ignore[arg-type]
    found = link.receive()
    assert found == [packet for packet, source in good if source == good[0][1]]
    assert link.state.counters["in_dropped"] == count - len(found)
    assert not link.failures()


@given(st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["drop", "twice", "swap", "pass"]))))
def test_any_losses(moves: list[tuple[int, str]]) -> None:
    """Messages are lost, come twice or in another order, and when that is over both ends are up."""
    ours, its = End("host:1", magic=7), End("host:2", magic=8)
    one, _ = pair(ours, its)
    now = 0.0
    for end, move in moves:
        queue = one.wire.to[end]
        if move == "drop":
            queue[:1] = []
        elif move == "twice":
            queue[:0] = queue[:1]
        elif move == "swap":
            queue.reverse()
        now += 0.25
        (ours, its)[end].serve(now)
    for _ in range(120):
        now += 0.25
        served((ours, its), now, 2)
        if ours.session.open and its.session.open:
            break
    assert ours.session.open
    assert its.session.open


@given(
    st.lists(st.tuples(st.sampled_from(["pid", "start", "link", "in_bytes", "phase", ""]), WORDS))
)
def test_any_record(pairs: list[tuple[str, str]]) -> None:
    """A record of another release, or of nobody, is shown as far as it can be read."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        served_by_us = records.Served("link0", "tun", ())
        text = f"pid {served_by_us.pid}\nstart {served_by_us.start}\nlink h:1\n"
        text += "".join(f"{word} {value}\n" for word, value in pairs)
        (Path(folder) / "link0.link").write_text(text)
        found = records.all_served(folder)
        assert len(views.rows(found)) == sum(len(one.links) for one in found)
        assert all(isinstance(one["in_bytes"], int) for one in views.physical(found))


def test_a_record_comes_back(tmp_path: Path) -> None:
    """With the lines of a command on one, and only while its process lives."""
    served_by_us = records.Served("link0", "tap", [{"link": "!a\nb", "phase": "open"}])
    records.write(str(tmp_path), served_by_us)
    (found,) = records.all_served(str(tmp_path))
    assert (found.name, found.content, found.since) == ("link0", "tap", served_by_us.since)
    assert found.links == [{"link": "!a b", "phase": "open"}]
    served_by_us.start = "1"
    records.write(str(tmp_path), served_by_us)
    assert records.all_served(str(tmp_path)) == []
    records.remove(str(tmp_path), "link0")
    assert not list(tmp_path.iterdir())
    assert records.all_served("") == records.all_served(str(tmp_path / "none")) == []


@pytest.mark.parametrize(
    ("words", "tap", "mtu"),
    [
        (["h:1"], False, 1500),
        (["h:1", "/dev/ttyS1"], True, 1500),
        (["h:1", "h:1/udp"], False, 1450),
        (["h:1/udp"], True, 1434),
        (["link:eth0"], False, 1496),
    ],
)
def test_packets_fit_into_those_of_ethernet(words: list[str], tap: bool, mtu: int) -> None:
    """What the devices add has room: IPv6, UDP and the protocol for one."""
    assert usual_mtu(words, tap=tap) == mtu


def test_the_state_is_plain() -> None:
    """B-10: nothing is lost on the way into texts and numbers, and back."""
    state = LinkState("h:1/udp", "udp", "192.0.2.1:1/udp")
    state.peer, state.unread, state.timers = ("192.0.2.1", 1), b"~", {"lcp": 2.0}
    for size in (0, 100, 300, 700, 1500, 3100, 6300):
        state.counters["in_bytes"] = size
        state.sample()
    assert (state.rate("in"), state.rate("out")) == (1240, 0)
    plain = state.plain()
    assert {type(one) for one in plain.values()} <= {str, int, bytes, bool, dict, list, tuple}
    assert restored(plain).plain() == plain
    assert restored(plain).device.port == "1"
