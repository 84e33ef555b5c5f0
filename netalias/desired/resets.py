"""The words of an alias that a command brings back to their defaults without naming them. Pure.

It tells of words by their subject, the word that stands for all that exclude each other, and goes
by what the plan makes of the alias in the kernel (plan._goal, plan.replacing).
"""

from __future__ import annotations

from netalias.kinds import AUTO, DEVICELESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from netalias.desired import Wish
    from netalias.desired.spelling import Entry, Item

SUBJECTS = {"-broadcast": "broadcast", "down": "up", "netmask": "prefixlen", "source": "deprecated"}
"""Word: its subject, where that is another one."""
WITH_ADDRESS = {
    "broadcast", "deprecated", "gateway", "lease", "linklocal", "metric", "pointopoint",
    "prefixlen", "up",
}  # fmt: skip
"""Subjects that a new address resets."""
OF_FAMILY = {"optimistic"}
"""Subjects that an address of another family cannot have."""
WITHOUT = {"gateway", "hw", "linklocal", "mtu"}
OF_DEVICE = {"label": WITHOUT, "shard": WITHOUT, "prefix": WITHOUT, "ipvlan": {"hw"}}
"""Kind: subjects that an alias of it cannot have."""
ATTRIBUTES = {"deprecated": ("deprecated", "source"), "pointopoint": ()}
"""Subject: the attributes of a Wish that it sets, where they have other names."""


def subject(item: Item) -> str:
    """The subject of a word with its arguments."""
    return SUBJECTS.get(item[0], item[0])


def attributes(subjects: Iterable[str]) -> set[str]:
    """The attributes of a Wish that these subjects set."""
    return {one for word in subjects for one in ATTRIBUTES.get(word, (word,))}


def resets(wish: Wish, declared: Entry | None, there: Entry | None) -> set[str]:
    """The subjects that *wish* resets in an alias; *declared* is the alias in its line, *there* in
    the kernel."""
    found: set[str] = set()
    if wish.address:
        found |= WITH_ADDRESS
        if declared is not None and declared.type is not wish.type:
            found |= OF_FAMILY
    if there is not None:
        found |= _changed(wish, there)
    return found


def _changed(wish: Wish, there: Entry) -> set[str]:
    """The subjects that a new kind and a new length reset. Whether an IPv6 address is deprecated
    follows both, unless the kernel shows that it was said."""
    found: set[str] = set()
    other_kind = wish.kind not in ("", AUTO) and ("kind", wish.kind) not in there.items
    other_length = wish.prefixlen is not None and str(wish.prefixlen) != there.length
    for kind in DEVICELESS:
        if other_kind and ("kind", kind) in there.items:
            found |= OF_DEVICE[kind]
    if other_length:
        found.add("broadcast")
    if (other_kind or other_length) and there.type.size == 16:
        found.add("deprecated")
    return found - ({"deprecated"} & set(map(subject, there.items)))
