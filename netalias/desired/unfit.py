"""Words that a kind cannot have: refused where they are written for an alias, and ignored where
they come from ``defaults``. Pure."""

from __future__ import annotations

from netalias import desired, errors
from netalias.kinds import PREFIX
from netalias.model import AF_INET6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.model.names import AliasName

SHARD = "shard"
_ROUTE = "a prefix is a route, and has none"
_ASKED = "the kernel asks for addresses of a device only, and netalias for those of IPv4"
_ANNOUNCED = "the addresses of a prefix are not announced"
_HOST = "a shard is a host that brings no route, and has none"

UNFIT = {
    PREFIX: {
        "broadcast": ("broadcast", _ROUTE),
        "peer": ("pointopoint", _ROUTE),
        "metric": ("metric", _ROUTE),
        "lease": ("lease", _ROUTE),
        "deprecated": ("deprecated", _ROUTE),
        "optimistic": ("optimistic", _ROUTE),
        "source": ("source", _ROUTE),
        "every": ("announce", _ANNOUNCED),
        "announce": ("announce", _ANNOUNCED),
    },
    SHARD: {
        "broadcast": ("broadcast", _HOST),
        "metric": ("metric", _HOST),
        "source": ("source", "an IPv4 address is always a source"),
    },
}
"""Kind: attribute of a Wish that means nothing to it, its word, and the reason."""
UNASKED = {"acd": ("acd", _ASKED), "conflict": ("conflict", _ASKED)}
"""The same for prefixes of IPv6 only."""
KEPT = ("heal", "kind", "netmask", "on_down", "prefixlen")
"""Attributes of defaults that hold for prefixes too."""


def refuse(wish: Wish, name: AliasName, kind: str, family: int) -> None:
    """Raises KindError for a word that this kind cannot have with that family; ``off`` is what it
    has anyway."""
    unasked = UNASKED if (kind, family) == (PREFIX, AF_INET6) else {}
    for attribute, (word, reason) in {**UNFIT[kind], **unasked}.items():
        if getattr(wish, attribute) not in (None, 0, "", b"", "off", "auto"):
            raise errors.KindError(f"{name}: {word}: {reason}")


def fitting(usual: Wish, kind: str, family: int) -> Wish:
    """The defaults that an alias of this kind and family can have."""
    if kind == SHARD:
        found = usual.copy(usual.name, usual.address)
        found.broadcast = found.metric = None
        found.source = ""
        return found
    found = desired.Wish(usual.name)
    for attribute in KEPT if family == AF_INET6 else (*KEPT, *UNASKED):
        setattr(found, attribute, getattr(usual, attribute))
    return found
