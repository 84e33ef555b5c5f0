"""The cost of kind shard, thousands of addresses over hidden devices, and of kind prefix.

Each round makes the same aliases in fresh namespaces. Plain labels of the larger number are not
made: one device with 64 000 addresses keeps the kernel busy for a minute and more, with any
program. Their time is that of the smaller number times the square of the ratio, since the kernel
walks through the list of a device for each new address.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import responder
from page import LAUNCHER, duration, table, verdict
from peers import LABEL, forget
from processes import captured, silent, used
from stage import Run, Stage, idle

SHARD = "shard"
FEW, MANY = 10_000, 64_000
QUICK = 500, 2000
ROUNDS = 3
RUN = Path("/run/spread")
COMMANDS = {
    "create": "-q eth9:65000 10.250.0.1 kind shard",
    "show NAME": "show eth9:5",
    "lookup": "lookup 10.250.0.1",
    "delete": "eth9:65000-",
}
"""Commands about one, in their order, by name."""
BARE, LIKE = "bare", "a label"
INTRODUCTION = """\
Medians of {rounds} rounds of whole processes, each in a fresh network namespace. The time of
{many} plain labels is extrapolated from {few}: it grows with the square. The floor is the
messages of netalias, sent by a program in C. One command among {many} is the processor time over
that of a bare Python. The responder answers for a /64 from `netalias watch`.
"""


class Times:
    """The milliseconds of all rounds, by name."""

    def __init__(self) -> None:
        self._found: dict[str, list[float]] = {}

    def add(self, name: str, taken: float) -> None:
        """Add one time."""
        self._found.setdefault(name, []).append(taken)

    def __getitem__(self, name: str) -> float:
        return statistics.median(self._found[name])


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    few, many = QUICK if run.quick else (FEW, MANY)
    rounds = 1 if run.quick else ROUNDS
    RUN.mkdir(exist_ok=True)
    times, player = Times(), str(run.installs.player())
    for count in (few, many):
        _record(SHARD, count)
    for _ in range(rounds):
        _round(times, LABEL, few)
        for count in (few, many):
            _round(times, SHARD, count)
        _replayed(times, player, many)
        _prefix(times)
    answers = responder.rows(run.installs)
    told = INTRODUCTION.format(rounds=rounds, few=few, many=many)
    return f"{told}\n{table(('', 'measured', 'limit', ''), _rows(times, few, many, answers))}"


def _declared(kind: str, count: int) -> list[str]:
    """The words that reconcile *count* aliases."""
    file = RUN / f"{kind}-{count}"
    file.write_text(f"eth9:0-{count - 1} 10.16.0.0+ kind {kind}\n", encoding="ascii")
    return [LAUNCHER, "reconcile", "-q", "--allow-empty", str(file)]


def _recording(count: int) -> str:
    return str(RUN / f"recording-{count}")


def _record(kind: str, count: int) -> None:
    """Record the messages that create the aliases."""
    stage, program = Stage(), str(Path(__file__).with_name("floor.py"))
    try:
        words = _declared(kind, count)[1:]
        captured([sys.executable, program, "record", _recording(count), *words])
    finally:
        stage.close()


def _round(times: Times, kind: str, count: int) -> None:
    """Create the aliases, find nothing to do, change one, remove all."""
    stage = Stage()
    try:
        words, name = _declared(kind, count), f"{kind} {count}"
        idle()
        times.add(f"{name} create", silent(words))
        captured(words)  # it leaves a fingerprint, where the one before could not
        times.add(f"{name} no-op", used(words))
        times.add(BARE, used([sys.executable, "-c", "pass"]))
        for command, line in COMMANDS.items():
            times.add(f"{name} one {command}", used([LAUNCHER, *line.split()]))
        forget()
        empty = RUN / "empty"
        empty.touch()
        idle()
        times.add(f"{name} remove", silent([*words[:-1], str(empty)]))
    finally:
        stage.close()


def _replayed(times: Times, player: str, count: int) -> None:
    """The floor of the creation."""
    stage = Stage()
    try:
        idle()
        times.add("floor", silent([player, _recording(count)]))
    finally:
        stage.close()


def _prefix(times: Times) -> None:
    """Create a prefix, and beside it one label."""
    stage = Stage()
    try:
        for words in ((LIKE, "eth9:6", "10.9.0.1", "kind", "label"),
                      ("a prefix", "eth9:5", "10.8.0.0/16", "kind", "prefix")):  # fmt: skip
            idle()
            times.add(words[0], silent([LAUNCHER, "-q", *words[1:]]))
    finally:
        stage.close()


def _rows(times: Times, few: int, many: int, answers: list[list[str]]) -> list[list[str]]:
    """Rows of what is measured: text, figure, limit and verdict; *answers* are those of the
    responder."""
    labels, small, large = f"{LABEL} {few}", f"{SHARD} {few}", f"{SHARD} {many}"
    plain = times[f"{labels} create"]
    extrapolated = plain * (many / few) ** 2
    made, gone = times[f"{large} create"], times[f"{large} remove"]
    floor = f"the floor alone {times['floor'] / extrapolated:.3f} x"
    return [
        _row(f"create {few}, to plain labels", times[f"{small} create"] / plain, 0.04),
        _row(f"create {many}, to plain labels, extrapolated", made / extrapolated, 0.01, floor),
        _row(f"create {many}, to the floor", made / times["floor"], 7.0),
        [f"remove {many}", duration(gone), "<= 500 ms", verdict(gone, 500.0)],
        _row(f"no-op, {few}, to plain labels", times[f"{small} no-op"] / times[f"{labels} no-op"],
             1.5),
        *(_row(f"{command} among {many}, to a bare Python",
               times[f"{large} one {command}"] / times[BARE], 3.0) for command in COMMANDS),
        _row("create a prefix, to a label", times["a prefix"] / times[LIKE], 1.5),
        *answers,
    ]  # fmt: skip


def _row(text: str, ratio: float, limit: float, reason: str = "") -> list[str]:
    return [text, f"{ratio:.3g} x", f"<= {limit:g} x", verdict(ratio, limit, reason)]
