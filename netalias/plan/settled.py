"""Declared aliases that are as they are declared: known by their bytes, before any alias is found.

On a bare label (model/bare.py) no other alias depends: it is a host address, so it has
no network, no secondary addresses and no route. So the comparison may leave it out on both sides.
A new alias depends on the MACs, indexes and number of present devices, which are noted
(Snapshot.absent); its name and address are its own in all that is declared, as what was left out
is. So bare devices may be left out where that finds no difference, or nothing but macvlans that
come or go (stands()).
One of each main device stays: the presence of aliases says that the main device is still the one
whose sysctls were changed, and that these are needed (plan/sysctls.py).
"""

from __future__ import annotations

from netalias import kinds
from netalias.desired.declarations import Declarations
from netalias.model import AF_INET, RANDOM_MAC
from netalias.model.bare import KIND, Bare
from netalias.model.names import NAME_MAX
from netalias.observed.labels import Own
from netalias.observed.remnants import is_marked
from netalias.plan.diff import ADDED, REMOVED
from netalias.plan.unchanged import is_plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from netalias.desired import Wish
    from netalias.desired.blocks import Block, Run
    from netalias.model import Alias, Snapshot
    from netalias.model.bare import Left, Names, Sifted
    from netalias.observed import Observed
    from netalias.plan import Difference
    from netalias.plan.diff import Diff

MANY = 64
"""Aliases from which on it is worth while."""
LEAST = 8
"""Aliases of one line or run, from which on it is."""
LONGEST = NAME_MAX - 6
"""Bytes of the name of a main device up to which names.primary() abbreviates that of no alias."""
LABEL = "label"


def wanted(declared: Declarations, group: int) -> Bare | None:
    """The aliases that may be left out, if they are as declared; None if they are few. *group* is
    the mark of devices."""
    labels, devices = _names(declared, LABEL), _names(declared, KIND)
    return Bare(labels, devices, group) if labels or devices else None


def _names(declared: Declarations, kind: str) -> Names:
    """The names of the aliases of one kind by main device and address; none if they are few."""
    found: dict[str, dict[bytes, bytes]] = {}
    for item in declared.items:
        main = item.wish.name.main
        raw = main.encode("utf-8", "surrogateescape")
        if len(item.slots) < LEAST or not _may_be_bare(item.wish, kind):
            continue
        if kind == KIND and len(raw) > LONGEST:
            continue
        # All names are formatted at once, which takes half as long as one by one.
        form = main.replace("%", "%%") + ":%d"
        together = "\0".join([form] * len(item.slots)) % (*item.slots,)
        names = together.encode("utf-8", "surrogateescape").split(b"\0")
        pairs = zip(item.addresses, names, strict=True)
        if main not in found:
            next(pairs)
        found.setdefault(main, {}).update(pairs)
    return found if sum(map(len, found.values())) >= MANY else {}


def _may_be_bare(wish: Wish, kind: str) -> bool:
    """Whether a bare alias of this kind can be all that a line asks for."""
    assert wish.type is not None
    suits = _suits_label if kind == LABEL else _suits_device
    return (
        is_plain(wish)
        and wish.type.family == AF_INET
        and wish.kind in ("", kinds.AUTO, kind)
        and not wish.lease
        and suits(wish)
    )


def _suits_label(wish: Wish) -> bool:
    return not (wish.mac or (wish.mtu and not wish.lenient))


def _suits_device(wish: Wish) -> bool:
    assert wish.type is not None
    random = wish.mac in (b"", RANDOM_MAC)
    return random and not (wish.mtu or wish.deprecated or wish.type.recorded)


def is_sure(declared: Declarations, observed: Observed, bare: Bare, found: Sifted) -> bool:
    """Whether leaving out what *found* is without leaves all else as it is: every name of a main
    device is its primary one, none of them is an alias, no other alias has a name that is left
    out, none is left out twice, no label comes before an own address of its main device, and where
    macvlans are left out, one of them stays."""
    snapshot = observed.snapshot
    mains = {wish.name.main: snapshot.device(wish.name.main) for wish in declared.wishes}
    if any(device is not None and device.name != name for name, device in mains.items()):
        return False
    if any(_may_precede(snapshot, name, ahead) for name, ahead in found.ahead.items()):
        return False
    left = found.labels.keys() | found.devices.keys()
    if any(is_marked(snapshot.device(name).group, observed.group) for name in left):  # type: ignore[union-attr]
        return False
    names = {alias.name.encode("utf-8", "surrogateescape") for alias in observed.aliases}
    for main in left:
        labels, devices = bare.labels.get(main, {}), bare.devices.get(main, {})
        # Most often no name of what stays is declared; only if one is, those left out are gathered.
        stays = names.intersection(labels.values()) or names.intersection(devices.values())
        if not stays and not (found.labels.get(main) and found.devices.get(main)):
            continue
        gone = [*map(labels.get, found.labels.get(main, ()))]
        gone += map(devices.get, found.devices.get(main, ()))
        if not names.isdisjoint(gone) or len({*gone}) < len(gone):
            return False
    staying = {alias.name.main for alias in observed.aliases if _carries(alias)}
    return all(name in staying for name, some in found.devices.items() if some)


def _may_precede(snapshot: Snapshot, name: str, ahead: int) -> bool:
    """Whether labels that come behind that many other IPv4 addresses of a main device may come
    before an own one of it."""
    device = snapshot.device(name)
    assert device is not None
    entries = [one for one in snapshot.on(device.index) if one.family == AF_INET]
    own = Own(entries)
    return bool(own.heirs) or (own.first is not None and own.first not in entries[:ahead])


def _carries(alias: Alias) -> bool:
    """Whether the main device of a macvlan has to be set up for it, as for those left out."""
    return alias.ours and alias.kind == KIND and alias.family == AF_INET and alias.main is not None


def stands(diff: Diff, mains: Collection[str]) -> bool:
    """Whether *diff* would be the same with the macvlans that were left out on these main devices:
    nothing differs, or nothing but that macvlans go, which need to know no other one, or come, with
    a name and an address that are declared once only; and of each main device one stays."""
    coming = [item for item in diff.items if item.sign == ADDED]
    going = [item for item in diff.items if item.sign != ADDED]
    if diff.skipped or diff.renewals or not all(map(_only_goes, going)):
        return False
    if not all(map(_only_comes, coming)):
        return False
    gone = {id(item.plan.alias) for item in going}
    aliases = diff.observed.aliases if diff.items else ()
    staying = {one.name.main for one in aliases if id(one) not in gone and _carries(one)}
    return not diff.items or staying.issuperset(mains)


def _only_goes(item: Difference) -> bool:
    """Whether a macvlan with a host address is removed."""
    alias = item.plan.alias
    if item.sign != REMOVED or alias is None or not _carries(alias):
        return False
    return alias.entry is not None and not alias.entry.networked


def _only_comes(item: Difference) -> bool:
    """Whether a macvlan with an IPv4 host address is added, of which nothing is to be noted."""
    goal, wish = item.plan.goal, item.model
    if item.plan.kind != KIND or goal is None or goal.type.family != AF_INET or wish is None:
        return False
    return is_plain(wish) and not (item.plan.notes or goal.before)


def rest(declared: Declarations, found: Sifted) -> Declarations:
    """The declarations without those of the aliases that *found* is without."""
    devices = {main: set(some) for main, some in found.devices.items()}
    items = [*declared.items]
    for kind, left in ((LABEL, found.labels), (KIND, devices)):
        items = [one for item in items for one in _rest(item, kind, left)]
    return Declarations(items, [])


def _rest(item: Block | Run, kind: str, left: Left) -> Iterable[Block | Run]:
    """The part of *item* that is not left out."""
    gone = left.get(item.wish.name.main, ())
    if not gone or not _may_be_bare(item.wish, kind) or gone.isdisjoint(item.addresses):
        return (item,)
    if gone.issuperset(item.addresses):
        return ()
    kept = (at for at, address in enumerate(item.addresses) if address not in gone)
    return map(item.block, kept)
