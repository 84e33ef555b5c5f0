"""The declarations of a file as fields of JSON objects: those of ``save -j``, and words that only a
file has. Words that were not given are left out."""

from __future__ import annotations

from netalias.families.fields import address_fields
from netalias.model import RANDOM_MAC, address_text, mac_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from netalias.desired import Wish
    from netalias.families import Registry


def _plain(value: object) -> object:
    return value


def _mac(packed: bytes) -> str:
    return "random" if packed == RANDOM_MAC else mac_text(packed)


GIVEN: dict[str, tuple[str, tuple[object, ...], Callable[[Any], object]]] = {
    "kind": ("kind", ("",), _plain),
    "metric": ("metric", (None,), _plain),
    "mtu": ("mtu", (0,), _plain),
    "mac": ("address", (b"",), _mac),
    "up": ("up", (None,), _plain),
    "lease": ("lease", (None,), _plain),
    "gateway": ("gateway", ("",), str),
    "linklocal": ("linklocal", ("",), str),
    "deprecated": ("deprecated", (False,), _plain),
    "source": ("source", ("",), _plain),
    "heal": ("heal", ("",), _plain),
    "on_down": ("on_down", ("",), _plain),
    "acd": ("acd", ("",), _plain),
    "conflict": ("conflict", ("",), _plain),
    "announce": ("announce", (None,), _plain),
    "every": ("announce_every", (0,), _plain),
    "optimistic": ("optimistic", (False,), _plain),
}
"""Attribute of a Wish: the key, the values that stand for a word that was not given, the value."""


def objects(declared: Iterable[tuple[Wish, str]], registry: Registry) -> list[dict[str, object]]:
    """The object of each alias, which is given with its place."""
    return [_fields(wish, place, registry) for wish, place in declared]


def _fields(wish: Wish, place: str, registry: Registry) -> dict[str, object]:
    found: dict[str, object] = {"altname": str(wish.name)}
    if wish.type is not None and wish.address:
        length = wish.type.bits if wish.prefixlen is None else wish.prefixlen
        found |= address_fields(wish.type.family, wish.address, length, registry, wish.peer)
        if wish.broadcast is not None:
            text = address_text(wish.type.family, wish.broadcast) if wish.broadcast else None
            found["broadcast"] = text
    for name, (key, absent, shown) in GIVEN.items():
        value = getattr(wish, name)
        if value not in absent:
            found[key] = shown(value)
    return found | {"place": place}
