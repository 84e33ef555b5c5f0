"""The cost of placing floating addresses: all of them at first, and when a host goes or comes."""

from __future__ import annotations

import statistics
import textwrap
import time
from collections.abc import Callable

from page import duration, table, verdict
from stage import Run

from netalias.cluster.placement import Host, Key, Pool, place

ADDRESSES, HOSTS = 10_000, 100
ROUNDS, QUICK = 20, 3
FIRST, CHANGED = 1000.0, 50.0
"""Limits in milliseconds: the first placement; one after a host went or came."""


def section(run: Run) -> str:
    """The figures as Markdown. Raises Failed."""
    return f"{textwrap.fill(_placing_text(run), 100)}\n\n{_placing(run)}"


def _placing_text(run: Run) -> str:
    rounds = QUICK if run.quick else ROUNDS
    return (
        f"Placement of {ADDRESSES} addresses of one pool over {HOSTS} hosts, by one process;"
        f" medians of {rounds} rounds, of the first placement of {QUICK}. Moved are the addresses"
        " that leave a host that is alive, and the least that an even spread costs."
    )


def _placing(run: Run) -> str:
    rounds = QUICK if run.quick else ROUNDS
    pool = Pool("web", [f"10.0.{at >> 8}.{at & 255}" for at in range(ADDRESSES)])
    hosts = [Host(f"host{number}") for number in range(HOSTS)]
    found = place([pool], hosts, {})

    def moved(after: dict[Key, str], gone: str = "") -> str:
        return str(sum(after[key] != node != gone for key, node in found.items()))

    gone, come = hosts[0].name, [*hosts, Host("another")]
    without = place([pool], hosts[1:], found)
    rows = [
        _row("first placement", QUICK, lambda: place([pool], hosts, {}), FIRST, "", ""),
        _row("nothing has changed", rounds, lambda: place([pool], hosts, found), CHANGED, "0", "0"),
        _row("a host has gone", rounds, lambda: place([pool], hosts[1:], found), CHANGED,
             moved(without, gone), "0"),
        _row("a host has come", rounds, lambda: place([pool], come, found), CHANGED,
             moved(place([pool], come, found)), str(ADDRESSES // (HOSTS + 1))),
    ]  # fmt: skip
    return table(["", "time", "limit", "", "moved", "at least"], rows)


def _row(
    name: str, rounds: int, work: Callable[[], object], limit: float, moved: str, least: str
) -> list[str]:
    times = [_timed(work) for _ in range(rounds)]
    median = statistics.median(times)
    return [name, duration(median), f"<= {limit:.0f} ms", verdict(median, limit), moved, least]


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return (time.perf_counter() - begin) * 1000
