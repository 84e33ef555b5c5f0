"""The interface for programs: the methods of Engine that take and give Python's own types.

declared.py has those that take declarations. Only programs load this, so that the command need not
pay for it.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

from netalias import desired
from netalias.desired import export
from netalias.families import FAMILIES
from netalias.model import Alias, names
from netalias.observed import ordered
from netalias.observed.query import find, select
from netalias.views.fields import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
    from typing import Any

    from netalias.families import Registry

    Engine = Any
    """The Engine, which imports this file."""

SWITCHES: dict[str, tuple[str, str]] = {
    "up": ("up", "down"),
    "optimistic": ("optimistic", ""),
    "deprecated": ("deprecated", ""),
}
"""Keyword of one word: the words for true and for false."""
VALUES: dict[tuple[str, object], str] = {
    ("linklocal", True): "on", ("linklocal", False): "auto", ("source", True): "on",
    ("source", False): "auto", ("gateway", None): "none", ("lease", None): "off",
    ("lease", 0): "off", ("announce", None): "off", ("announce", 0): "off", ("acd", None): "off",
}  # fmt: skip
"""Keyword and value of Python: the word of the grammar."""


def words(named: Mapping[str, object]) -> list[str]:
    """The words of the grammar for keyword arguments: ``mtu=1400, up=False, mac="random"``."""
    found: list[str] = []
    for key, value in named.items():
        if key in SWITCHES:
            found += [] if value is None else filter(None, [SWITCHES[key][not value]])
        elif key == "broadcast" and value is None:
            found.append("-broadcast")
        elif key == "mac":
            found += ["hw", "ether", str(value)]
        else:
            plain = value is None or isinstance(value, int)
            found += [key, VALUES.get((key, value), str(value)) if plain else str(value)]
    return found


class AliasView(Alias):
    """An alias as a program gets it: all that an Alias has, and its addresses by ipaddress."""

    __slots__ = ("registry",)

    def __init__(self, alias: Alias, registry: Registry) -> None:
        for name in Alias.__slots__:
            setattr(self, name, getattr(alias, name))
        self.registry = registry

    def _key(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in Alias.__slots__)

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in Alias.__slots__)
        return f"AliasView({values})"

    @property
    def interface(self) -> IPv4Interface | IPv6Interface | None:
        """The address with its prefix length; None without one, and in families of packages."""
        if self.family not in FAMILIES:
            return None
        return ip_interface((self.address, self.prefixlen))

    @property
    def ip(self) -> IPv4Address | IPv6Address | None:
        """The address alone, as ``interface``."""
        return _ip(self.address) if self.family in FAMILIES else None

    @property
    def peer(self) -> IPv4Address | IPv6Address | None:
        """The address at the other end; None without one."""
        return _ip(self.entry.peer) if self.entry is not None else None

    @property
    def broadcast(self) -> IPv4Address | IPv6Address | None:
        """The broadcast address; None without one."""
        return _ip(self.entry.broadcast) if self.entry is not None else None

    @property
    def router(self) -> IPv4Address | IPv6Address | None:
        """The gateway of the alias, which ``gateway`` has packed; None without one."""
        return _ip(self.gateway)

    def to_dict(self) -> dict[str, object]:
        """The object that ``netalias -j show`` prints (share/netalias/schema/show.json)."""
        return fields(self, self.registry)


def _ip(packed: bytes) -> IPv4Address | IPv6Address | None:
    return ip_address(packed) if packed else None


def create(
    engine: Engine, name: object, address: object, more: Iterable[object], named: Mapping[str, Any]
) -> AliasView:
    """Engine.create."""
    named = dict(named)
    force = bool(named.pop("force", False))
    said = [str(one) for one in (name, address, *more)]
    wish = desired.parse([*said, *words(named)], engine.registry)
    desired.check_command(wish)
    engine.realise(wish, force=force)
    return get(engine, name)


def delete(engine: Engine, name: object) -> None:
    """Engine.delete."""
    engine.realise(desired.parse([str(name).removesuffix("-") + "-"], engine.registry))


def get(engine: Engine, name: object) -> AliasView:
    """Engine.get."""
    wanted = names.parse(str(name))[0]
    return AliasView(find(engine.observe_one(wanted), wanted), engine.registry)


def show(engine: Engine, wanted: Iterable[object]) -> list[AliasView]:
    """Engine.show."""
    found = select(engine.observe(), [str(one) for one in wanted])
    return [AliasView(one, engine.registry) for one in found]


def owner(engine: Engine, address: object, type_name: str) -> AliasView | None:
    """Engine.lookup."""
    found = engine.owner(str(address), type_name)
    return None if found is None else AliasView(found, engine.registry)


def save(engine: Engine, wanted: Iterable[object], *, mac: bool) -> str:
    """Engine.save."""
    observed = engine.observe()
    aliases = ordered(select(observed, [str(one) for one in wanted]), observed.snapshot)
    found = export.lines(aliases, engine.registry, mac=mac)
    return "".join(f"{text}\n" for text in found)
