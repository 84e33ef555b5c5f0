"""The line ``defaults`` of a file: what the lines below it have unless they say otherwise. Pure."""

from __future__ import annotations

from _socket import AF_INET

from netalias import desired, errors
from netalias.desired.lines import DEFAULTS, at_word
from netalias.kinds import DEVICELESS, PREFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.desired import Wish
    from netalias.families import Registry

DEFAULT_WORDS = (
    "acd", "announce", "broadcast", "-broadcast", "conflict", "deprecated", "down", "gateway",
    "heal", "kind", "lease", "linklocal", "metric", "mtu", "netmask", "on-down", "optimistic",
    "prefixlen", "source", "up",
)  # fmt: skip
"""Words that may follow ``defaults``: all but those that belong to a single alias."""
PICKY = (PREFIX, "shard")
"""Kinds that cannot have each of them (unfit.py)."""


def read(words: list[str], registry: Registry) -> Wish | None:
    """The wish that a ``defaults`` line makes; None where it has no words. Raises UsageError."""
    index = 1
    while index < len(words):
        if words[index] not in DEFAULT_WORDS:
            raise at_word(
                index,
                errors.UsageError(
                    f"{DEFAULTS}: {words[index]}: not a word for defaults",
                    f"one of: {' '.join(DEFAULT_WORDS)}",
                ),
            )
        index += 1 + desired.arguments(words[index], "".join(words[index + 1 : index + 2]))
    name = f"{DEFAULTS}:0"
    try:
        return desired.parse([name, *words[1:]], registry) if words[1:] else None
    except errors.UsageError as error:
        text = str(error).replace(name, DEFAULTS, 1)
        raise at_word(error.word, errors.UsageError(text, error.hint)) from None


def fill(wish: Wish, usual: Wish) -> None:
    """Fill the gaps of *wish* with the defaults that its family and kind can have."""
    assert wish.type is not None
    inet = wish.type.family == AF_INET
    kind = wish.kind or usual.kind
    if kind in PICKY:
        from netalias.desired.unfit import fitting

        usual = fitting(usual, kind, wish.type.family)
    if wish.prefixlen is None and (inet or not usual.netmask):
        wish.prefixlen, wish.netmask = usual.prefixlen, usual.netmask
    if wish.broadcast is None and inet:
        wish.broadcast = usual.broadcast
    if wish.metric is None:
        wish.metric = usual.metric
    if wish.up is None:
        wish.up = usual.up
    wish.kind = wish.kind or usual.kind
    wish.acd = wish.acd or usual.acd
    wish.conflict = wish.conflict or usual.conflict
    wish.heal = wish.heal or usual.heal
    wish.on_down = wish.on_down or usual.on_down
    if wish.announce is None:
        wish.announce, wish.every = usual.announce, usual.every
    if wish.lease is None and wish.type.bits in (32, 128):
        wish.lease = usual.lease
    if usual.led and not wish.gateway:
        from netalias.desired.gateways import Usual, leads

        if leads(usual.gateway, wish.type):
            wish.gateway = Usual(usual.gateway)
    if usual.linklocal and not wish.linklocal:
        from netalias.desired.gateways import Usual

        wish.linklocal = Usual(usual.linklocal)
    if not inet:
        wish.optimistic = wish.optimistic or usual.optimistic
        wish.deprecated = wish.deprecated or (usual.deprecated and not wish.source)
    if not wish.deprecated:
        wish.source = wish.source or usual.source
    if usual.mtu and not wish.mtu and wish.kind not in DEVICELESS:
        wish.mtu, wish.lenient = usual.mtu, True
