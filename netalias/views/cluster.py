"""Hosts and addresses of a cluster as table rows and JSON."""

from __future__ import annotations

from netalias.cluster.records import DRAINS, HOSTS, OWNERS, PINS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netalias.cluster.orders import Key
    from netalias.cluster.records import Keys, Owner
    from netalias.cluster.store import Event
    from netalias.cluster.view import View

HOST = {
    "NODE": "node", "STATE": "state", "WEIGHT": "weight", "HELD": "held", "POOLS": "pools",
    "RELEASE": "release",
}  # fmt: skip
OWNER = {"POOL": "pool", "ADDRESS": "local", "NODE": "node", "STATE": "state", "PINNED": "pinned"}
"""Heading of each column: the key of the JSON object."""
DROPPED = (("RELEASE",), ("POOLS",), ("WEIGHT", "PINNED"))
"""Columns to leave out where a terminal has no room for them, the first ones first."""
HELD, FREE, LOST, UNREADABLE = "held", "free", "lost", "unreadable"


def hosts(view: View) -> list[dict[str, object]]:
    """The JSON objects of the hosts that are alive, by name."""
    found: list[dict[str, object]] = []
    for node in sorted(view.hosts):
        host = view.hosts[node].host
        state = "draining" if node in view.drains else "up"
        one: dict[str, object] = {"node": node, "state": state if host else UNREADABLE}
        if host is not None:
            one |= {"weight": host.weight, "pools": sorted(host.pools)}
            one |= {"release": host.release or None}
        found.append(one | {"held": len(view.held_by(node))})
    return found


def state(owner: Owner | None, view: View) -> str:
    """The state of an address: ``lost`` is one whose holder is not there any more."""
    if owner is None:
        return UNREADABLE
    return FREE if not owner.held else HELD if view.alive(owner) else LOST


def owners(view: View, declared: Iterable[Key]) -> list[dict[str, object]]:
    """The JSON objects of all addresses that are *declared*, or that somebody has."""
    keys = sorted({*declared, *view.owners}, key=_order)
    return [_owner(key, view) for key in keys]


def _order(key: Key) -> tuple[str, int, str]:
    """By pool, and by length before text, which puts most addresses into their order."""
    return key[0], len(key[1]), key[1]


def _owner(key: Key, view: View) -> dict[str, object]:
    seen = view.owners.get(key)
    owner = seen.owner if seen is not None else None
    found: dict[str, object] = {"pool": key[0], "local": key[1]}
    found["node"] = owner.node if owner is not None and owner.held else None
    found["state"] = FREE if seen is None else state(owner, view)
    if owner is not None and owner.since:
        found["since"] = owner.since
    return found | {"pinned": view.pins.get(key) or None}


def status(view: View, declared: Iterable[Key]) -> dict[str, object]:
    """The JSON object of a whole cluster, but for what names it."""
    found = owners(view, declared)
    counts = {one: sum(owner["state"] == one for owner in found) for one in (HELD, FREE, LOST)}
    names: dict[str, object] = {"revision": view.revision, "hosts": len(view.hosts)}
    names["draining"] = len(view.drains & view.hosts.keys())
    return names | {"addresses": len(found), **counts, "pinned": len(view.pins)}


def sentence(found: Mapping[str, object]) -> str:
    """A status() as two lines for people."""
    draining = f", {found['draining']} of them draining" if found["draining"] else ""
    pinned = f"; {found['pinned']} pinned" if found["pinned"] else ""
    return (
        f"hosts: {found['hosts']}{draining}\n"
        f"addresses: {found['addresses']}: {found[HELD]} held, {found[FREE]} free,"
        f" {found[LOST]} lost{pinned}\n"
    )


def events(found: Iterable[Event], keys: Keys, view: View) -> Iterator[dict[str, object]]:
    """The JSON objects of events, which *view* does not know yet."""
    for event in found:
        kind, *names = keys.split(event.key) or [""]
        one: dict[str, object] = {"revision": event.revision}
        there = event.entry is not None
        if kind == HOSTS:
            # A key that is written again tells of another weight, or other pools.
            known = view.hosts.get(names[0])
            fresh = there and (known is None or event.entry.created != known.created)  # type: ignore[union-attr]
            change = "joined" if fresh else "changed" if there else "left"
            yield one | {"change": change, "node": names[0]}
        elif kind == DRAINS:
            yield one | {"change": "drained" if there else "undrained", "node": names[0]}
        elif kind in (OWNERS, PINS):
            yield one | _about(event, kind, (names[0], names[1]))


def _about(event: Event, kind: str, key: Key) -> dict[str, object]:
    from netalias.cluster.records import read_node, read_owner

    value = event.entry.value if event.entry is not None else b""
    if kind == PINS:
        node, change = read_node(value), "pinned" if value else "unpinned"
    else:
        owner = read_owner(value)
        node = owner.node if owner is not None else ""
        change = "taken" if owner is not None and owner.held else "freed"
    return {"change": change, "node": node or None, "pool": key[0], "local": key[1]}


def line(event: Mapping[str, object]) -> str:
    """An event for people: ``web 10.0.0.1 taken n2``."""
    words = [event.get("pool"), event.get("local"), event["change"], event.get("node")]
    if "pool" not in event:
        words = [event["node"], event["change"]]
    return " ".join(str(one) for one in words if one)
