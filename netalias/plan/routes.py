"""Connected routes: exactly one address brings that of a network, the others have
IFA_F_NOPREFIXROUTE."""

from __future__ import annotations

from netalias import kinds
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_NOPREFIXROUTE,
    IFA_F_PERMANENT,
    IFF_BROADCAST,
    PROTOCOL,
    prefix,
)
from netalias.model.steps import RETIRE, AddAddress, DelAddress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.kinds import Goal
    from netalias.model import Address, Alias, Device
    from netalias.model.steps import Step
    from netalias.observed import Observed
    from netalias.observed.planned import Planned


def inside(
    entry: Address,
    main: Device,
    observed: Observed,
    alias: Alias | None,
    *,
    kind: str = "",
    up: bool = True,
    source: bool = False,
) -> bool:
    """Whether the network of *entry* has a connected route, or a wider one, without this alias.

    If so, the alias brings none: it is a host in a network of its main device or of another alias,
    including one that takes the route over from this alias. *kind* and *up*: what the alias is to
    be; *source*: it keeps a network that it had before its main device.
    """
    own = alias.entry if alias is not None else None
    leaving = _surplus(alias, observed)
    around = (
        other
        for other in observed.around(main, entry)
        if not _is(own, other) and not (leaving and id(other) in leaving)
    )
    if alias is not None and own is not None and kind == alias.kind and _same(own, entry):
        silent = bool(own.flags & IFA_F_NOPREFIXROUTE)
        keeps = alias.device is not None or _stays(own, entry)
        if not up or (own.secondary and keeps and not observed.deserted(own)):
            return silent  # it has no route while it is down or secondary
        if alias.up and not silent and (keeps or not own.secondary):
            # Inside the wider network of another alias it goes on bringing its route; inside one of
            # the main device the host would use it as the source.
            serving = (
                one
                for one in around
                if (_is_own(one, main) and not source)
                or (one.prefixlen == own.prefixlen and not own.secondary and not _is_own(one, main))
            )
            if any(covers(other, own) for other in serving):
                return True
            return not keeps and _inherited(own, entry, observed)
    if any(covers(other, entry) for other in around) or _inherited(own, entry, observed):
        return True
    return observed.hands_over and any(
        covers(successor, entry) for _, _, successor in _successors(alias, entry, observed)
    )


def _is_own(entry: Address, main: Device) -> bool:
    """Whether an address is one that others gave to a main device."""
    return entry.index == main.index and entry.protocol != PROTOCOL


def _surplus(alias: Alias | None, observed: Observed) -> set[int]:
    """id() of the addresses that an interrupted change has left on the device of the alias."""
    if alias is None or alias.whole or alias.device is None:
        return set()
    return set(map(id, kinds.surplus(alias.entry, observed.snapshot.on(alias.device.index))))


def _is(own: Address | None, other: Address) -> bool:
    """Whether *other* is the address of the alias, as it is or as an heir (observed/heirs.py)."""
    return other is own or (own is not None and other.index == own.index and _same(own, other))


def _stays(own: Address, entry: Address) -> bool:
    """Whether a label with the same address need not be deleted to become *entry*."""
    return own.broadcast == entry.broadcast and own.peer == entry.peer


def _inherited(own: Address | None, entry: Address, observed: Observed) -> bool:
    """Whether the heir of *own* brings a route for *entry* once the alias has left its network."""
    heir = observed.heir(own) if own is not None and own.networked else None
    return heir is not None and covers(heir, entry)


def _same(own: Address, entry: Address) -> bool:
    """Whether both are the same address in the same network."""
    return own.local == entry.local and own.prefixlen == entry.prefixlen


def covers(other: Address, entry: Address) -> bool:
    """Whether *other* brings a connected route that contains the network of *entry*, or will once
    the alias that it is secondary to has left the network (model.Address.routed)."""
    if other.family != entry.family or other.prefixlen > entry.prefixlen or not other.routed:
        return False
    return prefix.contains(other.local, other.prefixlen, entry.local)


def take_over(gone: Alias, goal: Goal | None, observed: Observed) -> list[Step]:
    """The steps by which other aliases take over the connected route that *gone* brought."""
    wanted = goal.entry if goal is not None and goal.up else None
    return [step for successor in _successors(gone, wanted, observed) for step in _swap(*successor)]


def without_route(planned: Planned) -> Iterator[tuple[Alias, list[Step]]]:
    """Each alias whose network loses its connected route by the planned changes, with the steps
    that make the alias bring it."""
    for alias in planned.aliases:
        entry, device, main = alias.entry, alias.carrier, alias.main
        if entry is None or device is None or main is None or not _can_take_over(alias, entry):
            continue
        successor = _with_route(alias, entry)
        if not any(covers(other, successor) for other in planned.around(main, successor)):
            planned.bring(device.index, successor)
            yield alias, _swap(device, entry, successor)


def _can_take_over(alias: Alias, entry: Address) -> bool:
    """Whether an alias could bring the connected route of its network, and does not."""
    silent = entry.flags & IFA_F_NOPREFIXROUTE or (alias.ours and entry.noted)
    return bool(silent) and alias.up and kinds.get(alias.kind).routed


def _with_route(alias: Alias, entry: Address) -> Address:
    """A copy of *entry*, the address of *alias*, that brings its connected route."""
    flags = entry.flags & ~(IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT)
    made = entry.renewed().copy(flags=flags)
    if entry.noted:
        made.prefixlen = entry.noted
        made.metric = kinds.MAGIC | alias.name.slot if entry.family == AF_INET6 else 0
        if alias.main is not None and alias.main.flags & IFF_BROADCAST and entry.family == AF_INET:
            made.broadcast = prefix.broadcast(entry.local, made.prefixlen)
    return made


def _swap(device: Device, entry: Address, successor: Address) -> list[Step]:
    """The steps that replace *entry* by *successor* in one send, since the kernel cannot clear
    IFA_F_NOPREFIXROUTE in place, nor change a prefix length.

    One IPv4 address may be there with two prefix lengths, so then it is there all the time. An IPv6
    address is not checked again.
    """
    added = AddAddress(device.name, device.index, successor, RETIRE)
    steps: list[Step] = [DelAddress(device.name, device.index, entry), added]
    if not kinds.clashes(entry, successor):
        return steps[::-1]
    from netalias.plan.undetected import again

    return [*steps, *again(entry, added)]


def _successors(
    gone: Alias | None, wanted: Address | None, observed: Observed
) -> list[tuple[Device, Address, Address]]:
    """The addresses that take the connected route over when *gone* gets *wanted* in place of its
    address: device, old address, new address."""
    if gone is None or gone.entry is None or not gone.entry.networked:
        return []
    coming = [one for one in (wanted, observed.heir(gone.entry)) if one is not None]
    successors: list[tuple[Device, Address, Address]] = []
    for alias in observed.aliases:
        entry, device = alias.entry, alias.carrier
        if entry is None or device is None or alias.main is None or alias is gone:
            continue
        if not _can_take_over(alias, entry) or not covers(gone.entry, entry):
            continue
        successor = _with_route(alias, entry)
        # New routes first: of many aliases in one network only the first takes over.
        if any(covers(other, successor) for other in coming):
            continue
        around = observed.around(alias.main, successor)
        left = (other for other in around if other is not gone.entry)
        if any(covers(other, successor) for other in left):
            continue
        coming.append(successor)
        successors.append((device, entry, successor))
    return successors
