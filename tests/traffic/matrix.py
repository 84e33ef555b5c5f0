"""Every row of the matrix in one column: what came of it, and why."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from errno import ENETUNREACH
from typing import NamedTuple

import echo
import sentences
from echo import Call, Lost
from places import COLUMNS, HERE, KINDS, MAIN, PLACES, Place
from wiring import Stage, lacking

OK, WARNED, REFUSED, NO_KIND, NO_DEVICE, NO_ROUTE, FAILED = (
    "ok", "warned", "refused", "no kind", "no device", "no route", "FAILED"
)  # fmt: skip

NO_DEVICE_WHY = {
    "label": "a label is no device",
    "shard": "a shard is no device",
    "dummy": "a dummy is no way out: what is sent through it ends there",
}

NO_ROUTE_WHY = (
    "IPv6 wants a route over the device itself, and a host address brings none:"
    " ip route add 2001:db8::/64 dev eth9_3 metric 1024"
)
"""Its metric is larger than that of the main device's route, so nothing else goes that way."""


class Row(NamedTuple):
    """One line of the table."""

    kind: str
    place: Place
    way: str


class Cell(NamedTuple):
    """What came of a row in one column; *why* for everything but ``ok``."""

    text: str
    why: str = ""


OWN = {place.family: place for place in PLACES if place.network == "own"}
ROWS = [Row(kind, place, way) for kind in KINDS for place in PLACES for way in place.ways]


def to(stage: Stage, place: Place) -> str:
    """A peer that knows nothing calls the alias."""
    stage.called(place.alias, place.peer).try_all()
    return stage.misled(place, must=place.network != "routed")


def away(stage: Stage, place: Place) -> str:
    """Bound to the alias: to a neighbour, and to one in the other network; then it is called."""
    stage.call(place.peer, place.alias).try_all()
    problem = stage.misled(place, must=place.network != "routed")
    stage.call(OWN[place.family].peer, place.alias).try_all()
    stage.called(place.alias, place.peer).try_all()
    return problem or stage.misled(place, must=place.network != "routed")


def device(stage: Stage, place: Place) -> str:
    """Bound to the device, too, so that the kernel may not choose."""
    if place.family == "IPv6" and place.network == "own":
        _without_route(stage, place)
    stage.call(place.peer, place.alias, place.device).try_all()
    return stage.misled(place, must=True)


def beyond(stage: Stage, place: Place) -> str:
    """By the gateway of the alias: a host behind it calls a server that is bound to the device, and
    is called from there."""
    stage.cli(place.name, "gateway", place.peer)
    Call(stage.far, stage.here, place.alias, at=place.device).try_all()
    Call(stage.here, stage.far, place.far, place.alias, place.device).try_all()
    stage.cli(place.name, "gateway", "none")
    return stage.misled(place, must=False)


def asked(stage: Stage, place: Place) -> str:
    """Exactly one answers, with the right MAC, whichever address of the peer asks.

    An ipvlan and its main device may both answer: they are one station.
    """
    wanted = stage.macs[place.alias]
    for sender in dict.fromkeys((place.peer, OWN[place.family].peer)):
        answers = stage.ask(place.alias, stage.known(place.family), sender)
        if answers == [wanted] or (stage.kind == "ipvlan" and set(answers) == {wanted}):
            continue
        named = ["the main device" if mac == stage.mac(HERE) else "the alias" for mac in answers]
        return f"{sender} asked for {place.alias}: {' and '.join(named) or 'nobody'} answered"
    return ""


def router(stage: Stage, place: Place) -> str:
    """A host behind the peer, which routes."""
    Call(stage.far, stage.here, place.alias).try_all()
    Call(stage.here, stage.far, place.far, place.alias).try_all()
    return stage.misled(place, must=False)


def _without_route(stage: Stage, place: Place) -> None:
    """Refused by the kernel at once, which netalias cannot know; then with the route."""
    try:
        echo.udp(stage.call(place.peer, place.alias, place.device))
    except OSError as error:
        if error.errno != ENETUNREACH:
            raise
    else:
        raise Lost(f"{place.device} needs no route to {place.peer} any more")
    stage.here.ip(f"route add 2001:db8::/64 dev {place.device} metric 1024")


TRIES: dict[str, Callable[[Stage, Place], str]] = {
    "to": to, "from": away, "device": device, "beyond": beyond, "asked": asked, "router": router
}  # fmt: skip


@functools.cache
def column(kind: str, rp_filter: int, arp_ignore: int) -> dict[Row, Cell]:
    """All rows of *kind* under these settings; each is made once for all who ask."""
    rows = [row for row in ROWS if row.kind == kind]
    reason = lacking(kind)
    if reason:
        return dict.fromkeys(rows, Cell(NO_KIND, reason))
    with Stage(kind, rp_filter, arp_ignore) as stage:
        cells = {row: _cell(stage, row, arp_ignore) for row in rows}
        problem = _main(stage)
    if problem:
        return dict.fromkeys(rows, Cell(FAILED, problem))
    return cells


def _cell(stage: Stage, row: Row, arp_ignore: int) -> Cell:
    said, wanted = stage.said[row.place], sentences.expected(row.kind, row.place, arp_ignore)
    if said != wanted:
        return Cell(FAILED, f"netalias said {said or 'nothing'}, not {wanted or 'nothing'}")
    told = "; ".join(said)
    if row.place in stage.refused:
        return Cell(REFUSED, told)
    if row.way in ("device", "beyond") and row.kind in NO_DEVICE_WHY:
        return Cell(NO_DEVICE, NO_DEVICE_WHY[row.kind])
    stage.forget_neighbours()
    if said:
        problem = _really(stage, row, said)
        return Cell(FAILED, problem) if problem else Cell(WARNED, told)
    try:
        problem = TRIES[row.way](stage, row.place)
    except (Lost, OSError, AssertionError) as lost:
        problem = str(lost)
    if problem:
        return Cell(FAILED, problem)
    if row.way == "device" and row.place.family == "IPv6" and row.place.network == "own":
        return Cell(NO_ROUTE, NO_ROUTE_WHY)
    return Cell(OK)


def _really(stage: Stage, row: Row, said: list[str]) -> str:
    """What a warning tells is so, as far as that can be seen without waiting; empty if it is."""
    place = row.place
    if row.way == "asked" and said[0].startswith((sentences.ARP, sentences.NDP)):
        answers = stage.ask(place.alias, stage.known(place.family), place.peer)
        return f"it warned needlessly: {said[0]}" if answers else ""
    if row.way == "from" and said[-1].startswith(sentences.ROUTE):
        try:
            echo.udp(stage.call(place.peer, place.alias))
        except OSError as error:
            return "" if error.errno == ENETUNREACH else str(error)
        return f"it warned needlessly: {said[-1]}"
    return ""


def _main(stage: Stage) -> str:
    """What the aliases must leave as it was: the main device's own addresses; empty if they do."""
    for family, address in MAIN.items():
        known = stage.known(family)
        mac = known.pop(address)
        answers = stage.ask(address, known) if known else [mac]
        if answers != [mac]:
            return f"asked for {address} of {HERE}: {answers}"
        try:
            stage.called(address).try_all()
            stage.call(OWN[family].peer, address).try_all()
        except Lost as lost:
            return f"{HERE} itself: {lost}"
    return ""


def whole(kinds: Sequence[str] = KINDS) -> dict[Row, list[Cell]]:
    """The matrix: for each row the cells of all columns."""
    return {
        row: [column(row.kind, *settings)[row] for settings in COLUMNS]
        for row in ROWS
        if row.kind in kinds
    }
