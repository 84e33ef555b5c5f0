"""The texts of /proc/net as a tree of virtual files, made from a reading of the kernel."""

from __future__ import annotations

from netalias.alias_type import installed
from netalias.chain import ordered
from netalias.views import proc
from procfs import TextFile, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.kinds import World
    from netalias.model import Alias


def texts(world: Callable[[], World]) -> Tree:
    """``aliases`` and ``alias_types``; *world* is asked once for each opening."""
    return Tree(
        {
            "aliases": TextFile(lambda: _aliases(world())),
            "alias_types": TextFile(lambda: _alias_types(world())),
        }
    )


def _aliases(world: World) -> Iterable[bytes]:
    registry = world.registry
    aliases = [alias for alias in ordered(world.aliases, world.snapshot) if alias.family]
    return proc.aliases(
        (_device(alias), alias.family, registry.get(alias.family).alias_print(alias))
        for alias in aliases
    )


def _device(alias: Alias) -> str:
    """The column is 16 wide: a longer alias is shown by the primary name of its device."""
    name = str(alias.name)
    if len(name.encode("utf-8", "surrogateescape")) > proc.NAME_WIDTH and alias.device is not None:
        return alias.device.name
    return name


def _alias_types(world: World) -> Iterable[bytes]:
    registry = installed()
    registry.recount(world.aliases)
    return proc.alias_types(
        (one.family, one.name, registry.n_attach(one)) for one in registry.types()
    )
