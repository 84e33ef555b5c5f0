"""Filters of links as table rows and JSON."""

from __future__ import annotations

from netalias.views import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    class Served(Protocol):
        """The record of a network device (runtime/links.py)."""

        name: str
        links: list[dict[str, str]]


HEADINGS = ["NAME", "WANTED", "ANSWER", "FILTER", "GROUPS", "DROPPED"]
DROPPED = (("GROUPS",), ("ANSWER",))
"""Columns to leave out where a terminal is too narrow, the first ones first."""
ALL = "all"
LISTS = ("types", "groups")


def of_link(served: Served, dropped: int) -> dict[str, object]:
    """The JSON object of a link: ``wanted`` is what this end has asked for, ``result`` what the
    peer has answered, null for nothing; ``filter`` is what the peer wants to get, and ``dropped``
    counts the frames that were not sent for that, or since the queue of the device was full."""
    (link,) = served.links
    return {
        "ifname": served.name,
        "link": True,
        "wanted": {name: _ranges(link.get(f"wanted_{name}", "")) for name in LISTS},
        "result": {name: link.get(f"{name}_result") or None for name in LISTS},
        "filter": {name: _ranges(link.get(f"filter_{name}", "")) for name in LISTS},
        "dropped": dropped,
    }


def of_device(name: str, wanted: Mapping[str, str]) -> dict[str, object]:
    """The JSON object of a device that is no link: what it would ask for, words by list."""
    return {
        "ifname": name,
        "link": False,
        "wanted": {one: _ranges(wanted[one]) for one in LISTS},
    }


def messages(
    name: str, wanted: Mapping[str, str], packets: Sequence[bytes]
) -> list[dict[str, object]]:
    """The JSON objects of the messages that ask for *wanted*, one for each list."""
    return [
        {"ifname": name, "list": one, "ranges": _ranges(wanted[one]), "message": packet.hex()}
        for one, packet in zip(LISTS, packets, strict=True)
    ]


def rows(found: Iterable[Mapping[str, object]]) -> list[tuple[str, ...]]:
    """The objects of of_link() and of_device() as rows under HEADINGS."""
    return [
        (
            str(one["ifname"]),
            _words(one["wanted"], "types"),
            _answer(one.get("result")),
            _words(one["filter"], "types") if one["link"] else NOTHING,
            _words(one["filter"], "groups") if one["link"] else NOTHING,
            str(one.get("dropped", NOTHING)),
        )
        for one in found
    ]


def _ranges(text: str) -> list[dict[str, str]]:
    found = [one.partition("-") for one in text.split(",") if one]
    return [{"first": first, "last": last or first} for first, _, last in found]


def _words(lists: object, name: str) -> str:
    """The ranges of one list; ``all`` for none."""
    assert isinstance(lists, dict)
    found = [(one["first"], one["last"]) for one in lists[name]]
    return ",".join(f if f == last else f"{f}-{last}" for f, last in found) or ALL


def _answer(results: object) -> str:
    """The answers of the peer to types and groups, once where they are the same."""
    if not isinstance(results, dict):
        return NOTHING
    return ", ".join(dict.fromkeys(str(one) for one in results.values() if one)) or NOTHING
