"""The traffic of aliases between two readings, and the verb top over a kernel in memory."""

from __future__ import annotations

import io
import json
import sys

import pytest
import schemas

from netalias import cli, errors
from netalias.cli import top
from netalias.engine import Engine, Setup
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Alias, Device, Stats
from netalias.model.names import AliasName
from netalias.views.columns import narrower
from netalias.views.traffic import (
    DROPPED,
    HEADINGS,
    ORDERS,
    Reading,
    objects,
    ordered,
    rows,
    scaled,
    summary,
    texts,
)  # fmt: skip


def alias(slot: int, rx: int | None, tx: int = 0, index: int = 0) -> Alias:
    """``eth0:SLOT`` that has received and sent so many packets of 100 bytes; None for a label."""
    device = None
    if rx is not None:
        stats = Stats(rx, tx, rx * 100, tx * 100)
        device = Device(index or slot + 10, f"eth0_{slot}", stats=stats)
    name, kind = AliasName("eth0", slot), "label" if rx is None else "macvlan"
    packed = bytes([10, 0, 0, slot + 1])
    return Alias(name, kind, family=AF_INET, address=packed, prefixlen=32, device=device)


def rates(before: list[Alias], now: list[Alias]) -> list[tuple[float, float] | None]:
    """Packets in a second of each alias, received and sent, after two seconds."""
    found = rows(Reading(10.0, before), Reading(12.0, now))
    return [
        None if row.rates is None else (row.rates["rx_packets"], row.rates["tx_packets"])
        for row in found
    ]


CASES = (
    # before, now, rates
    ([alias(0, 10, 4)], [alias(0, 30, 5)], [(10.0, 0.5)]),
    ([alias(0, 10)], [alias(0, 10)], [(0.0, 0.0)]),
    ([alias(0, None)], [alias(0, None)], [None]),
    # it came meanwhile
    ([], [alias(0, 6)], [(3.0, 0.0)]),
    ([alias(0, None)], [alias(0, 6)], [(3.0, 0.0)]),
    # its device was made again: with another index, or with the same one
    ([alias(0, 100, index=5)], [alias(0, 104, index=6)], [(52.0, 0.0)]),
    ([alias(0, 100)], [alias(0, 4)], [(2.0, 0.0)]),
    ([alias(0, 4, 100)], [alias(0, 6, 2)], [(3.0, 1.0)]),
    # it went
    ([alias(0, 10), alias(1, 10)], [alias(1, 12)], [(1.0, 0.0)]),
)


@pytest.mark.parametrize(("before", "now", "wanted"), CASES)
def test_rates(
    before: list[Alias], now: list[Alias], wanted: list[tuple[float, float] | None]
) -> None:
    """The growth of the counters by the time; counters that went back began anew."""
    assert rates(before, now) == wanted


def test_the_first_reading_has_totals_only() -> None:
    """Rates are not known, and shown as "-"."""
    (row,) = rows(None, Reading(1.0, [alias(0, 1500)]))
    assert row.rates is None
    assert texts(row, lazy()) == (
        "eth0:0", "10.0.0.1/32", "-", "-", "-", "-", "150k", "0",
    )  # fmt: skip


def test_a_label_has_no_numbers() -> None:
    """Its traffic is that of its main device."""
    (row,) = rows(Reading(1.0, []), Reading(2.0, [alias(0, None)]))
    assert texts(row, lazy())[2:] == ("-",) * 6


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.4, "0"), (999, "999"), (999.6, "1.00k"), (1000, "1.00k"), (9994, "9.99k"),
     (9996, "10.0k"), (99960, "100k"), (999499, "999k"), (999500, "1.00M"), (2**64, "18.4E"),
     (1e30, "1000000000Z")],
)  # fmt: skip
def test_a_number_has_three_digits(number: float, text: str) -> None:
    """With the units of ip -s -h; the largest unit takes all."""
    assert scaled(number) == text


def test_orders() -> None:
    """The busiest first; what is equal in chain order; labels last."""
    before = [alias(slot, 0) for slot in range(4)]
    now = [alias(0, 1, 9), alias(1, 5, 1), alias(2, 0, 0), alias(3, 5, 1), alias(4, None)]
    found = rows(Reading(0.0, before), Reading(1.0, now))

    def slots(order: str, *, reverse: bool = False) -> list[int]:
        return [row.alias.name.slot for row in ordered(found, order, reverse=reverse)]

    assert slots("b") == [0, 1, 3, 2, 4]
    assert slots("r") == [1, 3, 0, 2, 4]
    assert slots("t") == [0, 1, 3, 2, 4]
    assert slots("n") == [0, 1, 2, 3, 4]
    assert slots("n", reverse=True) == [4, 3, 2, 1, 0]
    assert slots("c") == slots("p") == [0, 1, 3, 2, 4]
    assert summary(found) == "5 aliases, 3 with traffic: RX 1.10k/s TX 1.10k/s"


def test_columns_that_can_be_left_out() -> None:
    """Packets first, then the addresses, then the totals."""
    tables = [list(headings) for headings, _ in narrower(HEADINGS, [], DROPPED)]
    assert tables[0] == list(HEADINGS)
    assert tables[-1] == ["ALIAS", "RX/s", "TX/s"]


def test_the_help_line_names_every_order() -> None:
    """And nothing else sorts."""
    assert {word.split()[0] for word in top.HELP.split(", ")} == {*ORDERS, "R", "q"}


def test_json() -> None:
    """The fields of show, the time between the readings, and rates; null for a label."""
    found = rows(
        Reading(0.0, [alias(0, 0), alias(1, None)]), Reading(3.0, [alias(0, 1), alias(1, None)])
    )
    first, second = objects(found, lazy(), 3.0)
    assert (first["altname"], first["local"], first["seconds"]) == ("eth0:0", "10.0.0.1", 3.0)
    assert first["rates"] == {
        "rx": {"bytes": 33.333, "packets": 0.333}, "tx": {"bytes": 0.0, "packets": 0.0},
    }  # fmt: skip
    assert second["rates"] is None
    schemas.hold("top", [first, second])
    assert "stats64" not in second


class Clock:
    """A clock that only sleep() moves on; each time the device has received 50 packets more."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.slept.append(seconds)
        self.now += seconds
        for node in self.memory._links.nodes.values():
            if node.name == "eth0_0" and node.stats is not None:
                node.stats = Stats(node.stats.rx_packets + 50, 0, node.stats.rx_bytes + 5000, 0)


@pytest.fixture
def memory() -> Memory:
    """eth0 with two aliases, and a label."""
    memory = Memory()
    memory.add_device("eth0", up=True)
    for text in (
        "eth0:0 10.0.0.1 kind macvlan", "eth0:1 10.0.0.2 kind macvlan",
        "eth0:2 10.0.0.3 kind label",
    ):  # fmt: skip
        assert run(memory, text) == 0
    return memory


def run(memory: Memory, text: str) -> int:
    """The exit status of a command."""
    return cli.main(text.split(), lambda options: Engine(Setup(memory, options.registry)))


@pytest.fixture
def clock(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the verb."""
    found = Clock(memory)
    monkeypatch.setattr(top, "sleep", found.sleep)
    monkeypatch.setattr(top, "monotonic", lambda: found.now)
    return found


def test_one_interval_as_text(
    memory: Memory, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """--once: the busiest first, labels with "-"."""
    assert run(memory, "top --once --interval 0.5 eth0") == 0
    out = capsys.readouterr().out.splitlines()
    assert clock.slept == [0.5]
    assert out[0].split() == list(HEADINGS)
    assert [line.split()[0] for line in out[1:]] == ["eth0:0", "eth0:1", "eth0:2"]
    assert out[3].split()[2:] == ["-"] * 6
    assert "\x1b" not in "".join(out)


def test_one_interval_on_a_narrow_terminal(
    memory: Memory,
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Columns go before a line wraps, and are named."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert run(memory, "eth0:9 2001:db8:1234:5678:9abc:def0:1234:5678 kind label") == 0
    capsys.readouterr()
    assert run(memory, "top --once") == 0
    out = capsys.readouterr().out.splitlines()
    assert max(map(len, out)) <= 60
    assert out[0].split() == ["ALIAS", "RX/s", "TX/s", "RX", "TX"]
    assert out[-1] == "not shown: ADDRESS, RXP/s, TXP/s (netalias -j top)"


def test_a_run_of_shards_is_one_row(
    memory: Memory, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """As show has it; an array has them all, and prefixes too, as its schema says."""
    memory.add_device("eth1", up=True)
    assert run(memory, "eth1:10-409 10.9.0.0/32+ kind shard") == 0
    capsys.readouterr()
    assert run(memory, "top --once") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == ["eth0:0", "eth0:1", "eth0:2", "eth1:10-409"]
    assert rows[3][1:] == ["10.9.0.0-10.9.1.143/32", *["-"] * 6]
    assert run(memory, "eth1:410 10.20.0.0/16 kind prefix") == 0
    assert run(memory, "-j top --once") == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 404
    schemas.hold("top", found)


def test_intervals_in_a_pipe(
    memory: Memory, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """--count: blocks with an empty line between; -j: an array a line."""
    assert run(memory, "top --count 3 eth0:0") == 0
    assert clock.slept == [2.0] * 3
    assert capsys.readouterr().out.count("\n\nALIAS") == 2
    assert run(memory, "-j top --count 2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [len(json.loads(line)) for line in lines] == [3, 3]
    assert json.loads(lines[0])[0]["seconds"] == 2.0


def test_a_name_may_come_and_go(
    memory: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It must be there in the beginning only."""
    assert run(memory, "top --once eth0:9") == errors.STATUS_KERNEL
    capsys.readouterr()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        run(memory, "eth0:1-")

    monkeypatch.setattr(top, "sleep", sleep)
    assert run(memory, "top --once eth0:1") == 0
    assert capsys.readouterr().out.split() == list(HEADINGS)


def test_a_reader_that_goes_ends_it(
    memory: Memory, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed pipe is no error."""

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(top, "abandon", lambda: None)
    assert run(memory, "top") == 0
    assert clock.slept == [2.0]


@pytest.mark.parametrize(
    "words", ["--interval 0.05", "--interval x", "--interval nan", "--count 0"]
)
def test_bad_numbers(memory: Memory, words: str) -> None:
    """Told as usage errors before anything is read."""
    assert run(memory, f"top {words}") == errors.STATUS_USAGE


def test_types_keeps_its_abbreviation() -> None:
    """t was unique before top came."""
    assert cli.find_verb("t") == "types"
    assert cli.find_verb("to") == "top"
