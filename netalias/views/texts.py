"""The texts of /proc/net as a tree of virtual files, made from observed state."""

from __future__ import annotations

from netalias.families import installed
from netalias.observed import ordered
from netalias.views import proc
from procfs import TextFile, Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from netalias.model import Alias
    from netalias.model.neighbours import Proxy
    from netalias.observed import Observed

NAMES = ("aliases", "alias_types")
"""Files of texts()."""
WORDS = (*NAMES, "json")
"""Words that answer() takes."""


def texts(observed: Callable[[], Observed]) -> Tree:
    """The tree with ``aliases`` and ``alias_types``; each opening calls *observed* once."""
    return Tree(
        {
            "aliases": TextFile(lambda: _aliases(observed())),
            "alias_types": TextFile(lambda: _alias_types(observed())),
        }
    )


def answer(word: str, observed: Observed, proxies: Callable[[], Iterable[Proxy]]) -> bytes:
    """The answer of the socket to one of WORDS: a text, or the output of ``netalias -j show``."""
    if word in NAMES:
        return texts(lambda: observed).open(word).read()
    from netalias.views import json
    from netalias.views import proxies as published
    from netalias.views.fields import fields

    objects = [
        fields(one, observed.registry) for one in ordered(observed.aliases, observed.snapshot)
    ]
    others = published.select(proxies(), observed.snapshot, (), 0)
    objects += [published.fields(one) for one in others]
    return json.render(objects, pretty=False).encode("ascii")


def _aliases(observed: Observed) -> Iterable[bytes]:
    registry = observed.registry
    aliases = [alias for alias in ordered(observed.aliases, observed.snapshot) if alias.family]
    return proc.aliases(
        (_device(alias), alias.family, registry.get(alias.family).alias_print(alias))
        for alias in aliases
    )


def _device(alias: Alias) -> str:
    """The name for the first column.

    An alias name over 16 bytes gives way to the primary name of its device, for an IPv6 label of
    its main device.
    """
    name = str(alias.name)
    if len(name.encode("utf-8", "surrogateescape")) > proc.NAME_WIDTH and alias.carrier is not None:
        return alias.carrier.name
    return name


def _alias_types(observed: Observed) -> Iterable[bytes]:
    registry = installed()
    registry.recount(observed.aliases)
    rows = [(one.family, one.name, registry.n_attach(one)) for one in registry.types()]
    return proc.alias_types(rows)
