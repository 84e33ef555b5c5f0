"""The addresses of one device as a list that has an owner: `netalias iface`. Pure.

The list is that of user-ppp (1998): negotiated addresses, which others have set, stand first, and
manual ones last, in the order in which they were added. An address is in it once, whatever its mask
and peer are; the kernel would take it again with another mask or peer.

Rules:
- "no peer" is an address without one, and never the literal peer 255.255.255.255: the kernel would
  route limited broadcast (RFC 919) to it;
- a peer belongs to one address. Others that have it become host addresses without a peer, which new
  connections do not use as their source: scope host, for IPv6 deprecated;
- what comes is added before what it replaces goes. An IPv6 address can be on a device once only, so
  it is away for an instant;
- aliases of netalias are in the list, and are not changed here.
"""

from __future__ import annotations

from errno import EADDRNOTAVAIL

from netalias import errors
from netalias.model import (
    AF_INET,
    AF_INET6,
    FOREVER,
    HIDDEN,
    IFA_F_NODAD,
    IFA_F_PERMANENT,
    IFA_F_TENTATIVE,
    PROTOCOL,
    RT_SCOPE_HOST,
    RT_SCOPE_UNIVERSE,
    SCRATCH,
    Address,
    Snapshot,
    Value,
    address_text,
    names,
    prefix,
)
from netalias.model.iface import MANUAL, form
from netalias.model.steps import (
    ADDRESS,
    REMOVE,
    REMOVE_PRIMARY,
    RETIRE,
    RETIRE_PRIMARY,
    AddAddress,
    DelAddress,
)
from netalias.observed.labels import labels
from netalias.observed.orphans import Nameless
from netalias.plan import Plan
from netalias.plan.keeping import is_copy
from netalias.plan.last_address import keep_prefixes
from netalias.plan.special import LOOPBACK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.model import Device
    from netalias.model.steps import Step

ORIGINS = ("negotiated", "kept", "alias", "manual")
"""The origins of addresses, in the order of the list: set by others; a negotiated one that was
replaced, and is kept alive by netalias; of an alias of netalias; added by `iface`."""
NEGOTIATED, KEPT, ALIAS, ADDED = range(len(ORIGINS))


class Entry(Value):
    """One address of the list: ``origin`` is an index into ORIGINS, ``alias`` the name of the alias
    that has it, or empty."""

    __slots__ = ("address", "alias", "origin")

    def __init__(self, address: Address, origin: int, alias: str = "") -> None:
        self.address = address
        self.origin = origin
        self.alias = alias


class Table:
    """The list of one device: ``entries`` in order, and ``manual``, the manual addresses as they
    are to be recorded. ``snapshot`` is the reading of the device that it was made of.

    *recorded* are the manual addresses of the record, of this and other devices; *group* is the
    mark of alias devices.
    """

    def __init__(
        self, device: Device, snapshot: Snapshot, recorded: Iterable[Address], group: int
    ) -> None:
        self.device = device
        self.snapshot = snapshot
        places = {form(one): at for at, one in enumerate(recorded) if one.index == device.index}
        self.owner = _owner(device, group)
        addresses = snapshot.on(device.index)
        own = Snapshot([device], addresses)
        known = {
            id(one.entry): str(one.name) for one in labels(own, group) if one.ours and one.entry
        }
        # Since Linux 5.18 the kernel says whose an address is.
        marks = any(entry.protocol for some in snapshot.addresses.values() for entry in some)
        unmarked: Iterable[object] = () if marks else places
        found = [Entry(one, *self._origin(one, known, unmarked)) for one in addresses]
        ranks: dict[bytes, int] = {}
        for entry in found:
            local = entry.address.local
            ranks[local] = min(ranks.get(local, ADDED), entry.origin)
        first: dict[bytes, int] = {}
        for at, entry in enumerate(found):
            last = len(places) + at
            place = places.get(form(entry.address), last) if entry.origin == ADDED else at
            local = entry.address.local
            first[local] = min(first.get(local, place), place)

        def place_of(entry: Entry) -> tuple[int, int, int]:
            local = entry.address.local
            return ranks[local], first[local], entry.origin

        self.entries = sorted(found, key=place_of)
        self.manual = [one.address for one in self.entries if one.origin == ADDED]

    def _origin(
        self, entry: Address, known: dict[int, str], unmarked: Iterable[object]
    ) -> tuple[int, str]:
        alias = known.get(id(entry), "")
        if alias or (self.owner and entry.protocol == PROTOCOL):
            return ALIAS, alias or self.owner
        if entry.protocol == MANUAL or (not entry.protocol and form(entry) in unmarked):
            return ADDED, ""
        if entry.protocol != PROTOCOL:
            return NEGOTIATED, ""
        # A label whose device was renamed may have lost its slot.
        return (KEPT, "") if is_copy(entry, self.device) else (ALIAS, Nameless(self.device.name))

    def having(self, local: bytes) -> list[Entry]:
        """The entries with the packed address *local*."""
        return [one for one in self.entries if one.address.local == local]

    def is_active(self, entry: Entry) -> bool:
        """Whether an entry is the negotiated address that its family uses: the first one, while the
        device is up."""
        family = entry.address.family
        return self.device.up and entry is next(
            (
                one
                for one in self.entries
                if one.origin == NEGOTIATED and one.address.family == family
            ),
            None,
        )


class Rewriting:
    """An older address that loses its peer: ``before`` and ``after``, and the ``steps``. If these
    are refused, ``drop`` removes the address."""

    __slots__ = ("after", "before", "drop", "steps")

    def __init__(self, before: Address, after: Address, steps: list[Step], drop: Step) -> None:
        self.before = before
        self.after = after
        self.steps = steps
        self.drop = drop


class Change:
    """A planned change of a Table: first ``steps``, all or none, then ``rewritten``, and
    ``removed``, each by itself. ``manual`` are the manual addresses before and after, in order:
    those that the kernel has afterwards are to be recorded. ``leaving`` are packed addresses that
    the device has no more, or had no more before."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.steps: list[Step] = []
        self.rewritten: list[Rewriting] = []
        self.removed: list[list[Step]] = []
        self.manual = list(table.manual)
        self.leaving: list[bytes] = []

    @property
    def all_steps(self) -> list[Step]:
        """All steps, in the order of their execution."""
        found = [*self.steps, *(step for one in self.rewritten for step in one.steps)]
        return [*found, *(step for some in self.removed for step in some)]


def _owner(device: Device, group: int) -> str:
    """The alias that a device is made for; the name of the device itself if it is hidden; empty for
    a device of others."""
    mark = device.group & SCRATCH - 1
    if mark not in (group, group ^ HIDDEN):
        return ""
    alias = names.told(device.name, device.altnames, device.ifalias)[1]
    return str(alias or device.name)


def check_owner(table: Table) -> None:
    """Raises NotOurs for the device of an alias, whose address is changed by the alias's name."""
    if table.owner:
        raise errors.NotOurs(
            f"{table.device.name}: it is the device of an alias",
            f"netalias {table.owner} changes that",
        )


# Changes


def add(table: Table, wanted: Address, *, replace: bool = False) -> Change:
    """Add *wanted*, of which family, local address, prefix length and peer matter; with *replace*
    set mask and peer of the entry that has the address already.

    Raises AlreadyExists, StateError.
    """
    check_owner(table)
    same = table.having(wanted.local)
    alias = next((one.alias for one in same if one.origin == ALIAS), "")
    text = address_text(wanted.family, wanted.local)
    if alias:
        raise errors.AlreadyExists(f"{text}: the alias {alias} has it", _removal(alias))
    if same and not replace:
        raise errors.AlreadyExists(
            f"{text}: {table.device.name} has it already", "add! sets its mask and peer"
        )
    found = Change(table)
    if len(same) == 1 and form(same[0].address) == form(wanted):
        return found
    new = _wanted(table, wanted, same)
    found.steps = _exchange(table, new, [one.address for one in same])
    if new.protocol == MANUAL:
        _succeed(found, [one.address for one in same], new)
    if new.peer:
        _take_peer(found, new)
    return found


def _removal(alias: str) -> str:
    """The command that removes an alias; empty for one that has lost its slot."""
    return "" if names.split(alias) is None else f"netalias {alias}-"


def delete(table: Table, local: bytes, *, absent_ok: bool = False) -> Change:
    """Remove the packed address *local*; with *absent_ok* there need be none.

    Raises StateError.
    """
    check_owner(table)
    found = Change(table)
    same = table.having(local)
    device = table.device.name
    text = address_text(AF_INET if len(local) == 4 else AF_INET6, local)
    if not same and not absent_ok:
        raise errors.StateError(f"{text}: {device} does not have it", errno=EADDRNOTAVAIL)
    for one in same:
        if one.origin == ALIAS:
            raise errors.NotOurs(f"{text}: the alias {one.alias} has it", _removal(one.alias))
        if table.is_active(one):
            raise errors.StateError(
                f"{text}: it is the negotiated address of {device}, which is up",
                "whoever set it removes it",
            )
    found.steps = _kept_prefixes(table, [_gone(table, one.address) for one in same])
    found.leaving = [local]
    return found


def clear(table: Table, family: int = 0) -> Change:
    """Remove all addresses of *family*, 0 for every one, but for those of aliases and, while the
    device is up, negotiated ones."""
    check_owner(table)
    found = Change(table)
    staying = (ALIAS, NEGOTIATED) if table.device.up else (ALIAS,)
    going = [
        one.address
        for one in table.entries
        if one.origin not in staying and family in (0, one.address.family)
    ]
    steps = _kept_prefixes(table, [_gone(table, one) for one in going])
    for step in sorted(steps, key=lambda step: step.phase):
        if isinstance(step, DelAddress):
            found.removed.append([step])
        else:
            found.removed[-1].append(step)
    ids = set(map(id, going))
    left = {one.address.local for one in table.entries if id(one.address) not in ids}
    found.leaving = list(dict.fromkeys(one.local for one in going if one.local not in left))
    return found


# Parts of a change


def _wanted(table: Table, wanted: Address, same: Sequence[Entry]) -> Address:
    """The address to be added. One that is negotiated stays so, with its lifetime."""
    device = table.device
    found = wanted.copy(index=device.index, flags=IFA_F_PERMANENT, protocol=MANUAL)
    found.label = device.name if wanted.family == AF_INET else ""
    found.scope = _scope(table, wanted) if wanted.family == AF_INET else RT_SCOPE_UNIVERSE
    if same and same[0].origin == NEGOTIATED:
        old = same[0].address
        found.protocol, found.metric, found.valid = old.protocol, old.metric, old.valid
        found.preferred = old.preferred
    if same and wanted.family == AF_INET6 and not same[0].address.flags & IFA_F_TENTATIVE:
        found.flags |= IFA_F_NODAD
    return found


def _scope(table: Table, wanted: Address) -> int:
    """The scope of a new IPv4 address: the kernel asks for that of the others in its network."""
    for entry in table.snapshot.on(table.device.index):
        if entry.local != wanted.local and _clash(entry, wanted):
            return entry.scope
    return RT_SCOPE_HOST if wanted.local[0] == LOOPBACK else RT_SCOPE_UNIVERSE


def _clash(one: Address, other: Address) -> bool:
    """Whether two IPv4 addresses have the same network and mask, by which the kernel tells those
    with one local address apart (inet_ifa_match)."""
    if one.family != other.family or one.prefixlen != other.prefixlen:
        return False
    return prefix.contains(one.peer or one.local, one.prefixlen, other.peer or other.local)


def _exchange(table: Table, new: Address, old: Sequence[Address]) -> list[Step]:
    """The steps that add *new*, and remove *old*, addresses with the same local one."""
    device = table.device
    place = (device.name, device.index)
    coming = AddAddress(*place, new)
    if new.family == AF_INET6:  # in one send, one behind the other
        return [*(DelAddress(*place, one, ADDRESS) for one in old), coming]
    there = any(form(one) == form(new) for one in old)
    going = [one for one in old if form(one) != form(new)]
    first = [one for one in going if not there and _clash(one, new)]
    steps: list[Step] = [_gone(table, one) for one in going if one not in first]
    if not there:
        steps.insert(0, coming)
    if not first:
        return steps
    # The kernel takes the new one only when the old one has gone: meanwhile a host address keeps
    # the sockets that are bound to it, and the routes of the device, alive.
    bridge = _host(new)
    before: list[Step] = [_early(table, one) for one in first]
    if not any(form(one) == form(bridge) for one in old):
        before.insert(0, AddAddress(*place, bridge, REMOVE))
        steps.append(DelAddress(*place, bridge, RETIRE_PRIMARY))
    return [*before, *steps]


def _gone(table: Table, entry: Address) -> DelAddress:
    """The step that removes an address when what comes is there; secondaries go first."""
    phase = RETIRE if entry.secondary else RETIRE_PRIMARY
    return DelAddress(table.device.name, table.device.index, entry, phase)


def _early(table: Table, entry: Address) -> DelAddress:
    phase = REMOVE if entry.secondary else REMOVE_PRIMARY
    return DelAddress(table.device.name, table.device.index, entry, phase)


def _host(entry: Address) -> Address:
    """The address as a host without a peer, which new connections do not use as their source."""
    found = entry.copy(prefixlen=8 * len(entry.local))
    found.peer = found.broadcast = b""
    if entry.family == AF_INET:
        found.flags, found.scope = IFA_F_PERMANENT, RT_SCOPE_HOST
    else:
        found.preferred, found.flags = 0, IFA_F_PERMANENT | IFA_F_NODAD
    if entry.valid != FOREVER:
        found.flags &= ~IFA_F_PERMANENT
    return found


def _take_peer(change: Change, new: Address) -> None:
    """Plan that no other address has the peer of *new*. Raises StateError for an alias."""
    table = change.table
    place = (table.device.name, table.device.index)
    for one in table.entries:
        old = one.address
        if old.peer != new.peer or old.local == new.local:
            continue
        if one.origin == ALIAS:
            peer = address_text(old.family, old.peer)
            raise errors.StateError(f"{peer}: it is the peer of the alias {one.alias}")
        after = _host(old)
        there = any(form(entry.address) == form(after) for entry in table.having(old.local))
        drop = _gone(table, old)
        steps: list[Step] = [drop] if there else [AddAddress(*place, after), drop]
        if old.family == AF_INET6:
            steps = [DelAddress(*place, old, ADDRESS), AddAddress(*place, after)]
        change.rewritten.append(Rewriting(old, after, steps, drop))
        if one.origin == ADDED:
            _succeed(change, [old], after)


def _succeed(change: Change, old: Sequence[Address], new: Address) -> None:
    """Put *new* behind the last one of *old* among the manual addresses, else at the end, unless
    it is one of them."""
    if any(form(one) == form(new) for one in change.manual):
        return
    forms = {form(one) for one in old}
    places = [at for at, one in enumerate(change.manual) if form(one) in forms]
    at = places[-1] + 1 if places else len(change.manual)
    change.manual.insert(at, new)


def _kept_prefixes(table: Table, steps: Sequence[Step]) -> list[Step]:
    """*steps*, and those by which aliases that are whole networks outlive the last IPv4 address."""
    plan = Plan()
    plan.steps = list(steps)
    keep_prefixes([plan], table.snapshot)
    return plan.steps
