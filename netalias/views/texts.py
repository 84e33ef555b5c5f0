"""The texts of /proc/net as a tree of virtual files, made from a reading of the kernel."""

from __future__ import annotations

from netalias.families import installed
from netalias.observed import ordered
from netalias.views import fields, proc
from procfs import TextFile, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.model import Alias
    from netalias.model.neighbours import Proxy
    from netalias.observed import World

NAMES = ("aliases", "alias_types")
"""What texts() holds."""
WORDS = (*NAMES, "json")
"""What answer() answers."""


def texts(world: Callable[[], World]) -> Tree:
    """``aliases`` and ``alias_types``; *world* is asked once for each opening."""
    return Tree(
        {
            "aliases": TextFile(lambda: _aliases(world())),
            "alias_types": TextFile(lambda: _alias_types(world())),
        }
    )


def answer(word: str, world: World, proxies: Callable[[], Iterable[Proxy]]) -> bytes:
    """What the socket answers to one of WORDS: a text, or what ``netalias -j show`` prints."""
    if word in NAMES:
        return texts(lambda: world).open(word).read()
    from netalias.views import json
    from netalias.views import proxies as published

    objects = [fields(one, world.registry) for one in ordered(world.aliases, world.snapshot)]
    others = published.select(proxies(), world.snapshot, (), 0)
    objects += [published.fields(one) for one in others]
    return json.render(objects, pretty=False).encode("ascii")


def _aliases(world: World) -> Iterable[bytes]:
    registry = world.registry
    aliases = [alias for alias in ordered(world.aliases, world.snapshot) if alias.family]
    return proc.aliases(
        (_device(alias), alias.family, registry.get(alias.family).alias_print(alias))
        for alias in aliases
    )


def _device(alias: Alias) -> str:
    """The column is 16 wide: a longer alias is shown by the primary name of its device, one that
    has none, an IPv6 label, by that of the main device."""
    name = str(alias.name)
    if len(name.encode("utf-8", "surrogateescape")) > proc.NAME_WIDTH and alias.carrier is not None:
        return alias.carrier.name
    return name


def _alias_types(world: World) -> Iterable[bytes]:
    registry = installed()
    registry.recount(world.aliases)
    return proc.alias_types(
        (one.family, one.name, registry.n_attach(one)) for one in registry.types()
    )
