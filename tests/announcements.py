"""What somebody knows who sees nothing but events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netalias.model import Device
from netalias.model.events import (
    ADDRESS,
    ADDRESS_FIELDS,
    CARRIER,
    FLAG,
    FLAGS,
    LINK,
    LINK_FIELDS,
    MEDIA,
    Entry,
    Event,
    State,
    address_flags,
)

Picture = dict[tuple[Any, ...], dict[str, Any]]
"""Objects by key, each as its attributes."""


def picture(state: State) -> Picture:
    """Everything in *state* that events tell of."""
    return {key: seen(key, value) for parts in state.parts.values() for key, value in parts.items()}


def seen(key: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """One object as its attributes."""
    if isinstance(value, Device):
        found = {name: bool(value.flags & bit) for bit, name in FLAGS}
        found |= {name: getattr(value, name) for name in LINK_FIELDS}
        return found | {"altname": set(value.altnames), "kind": value.kind}
    if isinstance(value, Entry):
        address = value.address
        found = {name: bool(address.flags & bit) for bit, name in address_flags(address.family)}
        found |= {name: getattr(address, name) for name in ADDRESS_FIELDS}
        return found | {"lifetime": (address.valid, address.preferred)}
    return dict(value) if key[0] == MEDIA else {"": value}


def replay(known: Picture, events: Iterable[Event]) -> None:
    """Do to *known* what the events say; every old value must be what was known."""
    for event in events:
        key = event.key
        if event.field:
            assert event.what in (ADDRESS, MEDIA, FLAG, CARRIER, "altname", *LINK_FIELDS)
            _changed(known[key], event)
        elif event.new is None:
            del known[key]
            if key[0] == LINK:
                known.pop((MEDIA, key[1]), None)
        elif key[0] == MEDIA:
            known.setdefault(key, {}).update(event.new)  # type: ignore[call-overload]
        else:
            assert key not in known, f"{event} comes twice"
            known[key] = seen(key, event.new)


def _changed(known: dict[str, Any], event: Event) -> None:
    if event.field == "altname":
        if event.old is not None:
            known["altname"].remove(event.old)
        if event.new is not None:
            assert event.new not in known["altname"]
            known["altname"].add(event.new)
        return
    if event.field != "lifetime":  # it runs meanwhile
        assert known[event.field] == event.old, event
    known[event.field] = event.new
