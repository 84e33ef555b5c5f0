"""Planning: (wish, observed state) -> steps. Pure: nothing is read or changed here.

The rules of Linux 2.0 hold: a main device that is down refuses an alias (EIO), an alias is
re-addressed in place, and only an address creates an alias.
"""

from __future__ import annotations

from netalias import errors, kinds
from netalias.kinds import DEVICELESS, PORT_MASTERS, PREFIX, SIBLINGS, UNLINKED, VRF, Goal
from netalias.model import (
    AF_INET,
    AF_INET6,
    ARPHRD_ETHER,
    IFA_F_NOPREFIXROUTE,
    IFA_F_OPTIMISTIC,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_NOARP,
    IFF_UP,
    MTU_INET6,
    PROTOCOL,
    RANDOM_MAC,
    RT_SCOPE_HOST,
    RT_SCOPE_UNIVERSE,
    Address,
    Snapshot,
    names,
)
from netalias.model.steps import LAST, RETIRE, AddAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.desired import Wish
    from netalias.families import AliasType
    from netalias.kinds import Kind
    from netalias.model import Alias, Device
    from netalias.model.names import AliasName
    from netalias.model.steps import Step, SysctlChange
    from netalias.observed import Observed


NO_NEIGHBOURS = IFF_LOOPBACK | IFF_NOARP
"""Flags of a main device without neighbours that resolve addresses."""


class Plan:
    """The steps that change one alias.

    ``alias`` is the present alias, None if there is none; ``goal`` the future one, None for a
    deletion, and ``kind`` its kind. ``fallback`` are the steps that restore an alias whose
    replacement was refused. ``notes`` are sentences for people; ``sysctls`` are the differences in
    sysctls of main devices that the plan requires or makes possible. ``switched`` is the main
    device that has promote_secondaries 1 during a deletion only (plan/order.py).
    """

    __slots__ = ("alias", "fallback", "goal", "kind", "notes", "steps", "switched", "sysctls")

    def __init__(self, alias: Alias | None = None) -> None:
        self.alias = alias
        self.goal: Goal | None = None
        self.kind = ""
        self.steps: list[Step] = []
        self.fallback: Sequence[Step] = ()
        self.notes: list[str] = []
        self.switched: Device | None = None
        self.sysctls: Sequence[Difference] = ()

    @property
    def all_steps(self) -> list[Step]:
        """The steps, including those of ``sysctls``, in the order of execution."""
        before = self.goal.before if self.goal is not None and self.steps else ()
        if not (self.sysctls or before):
            return self.steps
        steps = [*before, *self.steps]
        steps += (step for one in self.sysctls for step in one.plan.steps)
        return sorted(steps, key=lambda step: step.phase)

    @property
    def arrival(self) -> tuple[bool, bool]:
        """Whether the address of the goal is new on its link, and whether to announce it.

        An address is new if it is added, but not again to come last, or if its device is set up; it
        is announced if it is new, or if the MAC changes. Those of a prefix are never announced.
        """
        goal = self.goal
        if goal is None or not goal.up or goal.main.flags & NO_NEIGHBOURS:
            return False, False
        if goal.entry is None:
            return self.kind == PREFIX and bool(self.steps), False
        new = changed = False
        for step in self.steps:
            if isinstance(step, AddAddress):
                new = new or (step.address.local == goal.address and step.phase != LAST)
            elif isinstance(step, SetLink):
                new = new or bool(step.up and step.index != goal.main.index)
                changed = changed or bool(step.mac)
        return new, new or changed

    @property
    def carrier(self) -> str:
        """The primary name of the device that has the address of the goal afterwards; empty without
        one."""
        old, goal = self.alias, self.goal
        if goal is None or self.kind in DEVICELESS:
            return goal.main.name if goal is not None else ""
        if old is not None and old.device is not None and old.kind == self.kind:
            return old.device.name  # it may have been made when the main had another name
        return goal.device

    def is_simple(self, wish: Wish) -> bool:
        """Whether the address of *wish* is not probed for, and announced once at most, where no
        policy says otherwise."""
        if wish.acd not in ("", "off"):
            return False
        return wish.announce == 0 or (wish.announce is None and self.single_announcement)

    @property
    def single_announcement(self) -> bool:
        """Whether the plan needs one announcement of an IPv4 address, as packets.single() makes
        it on a device with an ASCII name."""
        goal = self.goal
        if goal is None or goal.type.family != AF_INET or not goal.main.flags & IFF_UP:
            return False
        return goal.main.name.isascii() and self.arrival[1]


class Difference:
    """One difference between the desired and the observed state, and the plan that removes it.

    ``sign`` is one of those in plan/diff.py or sysctls.SET. ``place`` is ``file:line`` of the wish,
    empty for a removal; ``rank`` the number of its line; ``error`` is set if the plan was refused.
    ``sysctl_change`` is set if sysctls of a main device differ; ``model``: see diff.wishes().
    """

    __slots__ = ("error", "model", "name", "place", "plan", "rank", "sign", "sysctl_change")

    def __init__(self, sign: str, name: AliasName, plan: Plan, model: Wish | None = None) -> None:
        self.sign = sign
        self.name = name
        self.plan = plan
        self.model = model
        self.place = ""
        self.rank = -1
        self.error: errors.NetaliasError | None = None
        self.sysctl_change: SysctlChange | None = None


def plan(wish: Wish, observed: Observed, *, force: bool = False, cut: bool | None = None) -> Plan:
    """The plan that makes *wish* true, without steps if it is. *force*: on a main device that is
    down too; *cut*: a prefix may cut off hosts, usually as *force*. Raises StateError, UsageError.
    """
    if wish.delete:
        return _delete(wish, observed)
    main = observed.main(wish.name)
    name = wish.name
    if name.main != main.name:  # an altname
        name = names.AliasName(main.name, name.slot)
    alias = observed.find(name)
    primary, short = names.primary(name), names.cut(name)
    result = Plan(alias if alias is not None and alias.ours else None)
    if result.alias is None:
        before = _check_new(wish, name, primary, alias, observed)
        if alias is not None:
            from netalias.plan.notes import same_name

            result.notes.append(same_name(name, alias, observed.registry))
    if not (main.flags & IFF_UP or force) and not (
        result.alias and wish.up is False and not wish.address
    ):
        from netalias.plan.refusals import main_down

        raise main_down(name, main)
    kind = _kind(wish, name, main, observed, result.alias)
    goal = _goal(wish, name, primary, kind, main, observed, result.alias)
    if result.alias is not None and result.alias.kind != kind:
        from netalias.plan.replacing import inherit

        inherit(goal, result.alias, kind)
    realisation = kinds.get(kind)
    goal = realisation.fit(goal)
    moves = result.alias is None or result.alias.address != goal.address
    special = moves and goal.type.family == AF_INET and _is_special(goal, observed)
    if kind not in DEVICELESS and (result.alias is None or result.alias.kind != kind):
        settle_device(goal, observed, realisation)
    elif goal.mac == RANDOM_MAC:
        goal.mac = b""  # it has one
    result.goal, result.kind = goal, kind
    if kind == "shard":
        from netalias.plan.shards import place

        new = result.alias is None or result.alias.kind != kind
        noted = place(wish, goal, observed, new=new)
        result.notes += noted if result.alias is None else []
    linked = wish.linklocal or (result.alias is not None and result.alias.linklocal)
    if linked:
        from netalias.plan import linklocal

        result.notes += linklocal.choose(wish, goal, kind, result.alias)
    led = (wish.gateway and wish.led) or (result.alias is not None and bool(result.alias.gateway))
    if led:
        from netalias.plan import gateways

        result.notes += gateways.choose(wish, goal, kind, result.alias, observed)
    if kind == PREFIX:
        from netalias.plan.prefixes import examine

        result.notes += examine(wish, goal, result.alias, observed, force if cut is None else cut)
    elif moves:
        copies = [*observed.addresses(goal.address)]
        if copies:
            from netalias.plan.copies import check

            result.notes += check(copies, goal, kind, observed)
        if special:
            from netalias.plan.special import note

            result.notes += note(goal, observed)
    if short and kind not in DEVICELESS and (result.alias is None or result.alias.device is None):
        from netalias.plan.notes import long_name

        result.notes += long_name(goal, short, observed)
    if kind == "label" and wish.metric:
        from netalias.plan.notes import unused_metric

        result.notes += unused_metric(goal, wish.metric)
    if result.alias is None:
        result.steps = [*before, *realisation.make(goal)]
    elif result.alias.kind == kind:
        result.steps = realisation.change(result.alias, goal, observed.snapshot)
        if id(result.alias.entry) in observed.lost:
            from netalias.plan.connected import restore

            result.steps += restore(result.alias, goal, result.steps)
    else:
        from netalias.plan.replacing import replaced

        result.steps, result.fallback = replaced(result.alias, kind, goal, observed)
    if result.steps and observed.hands_over:
        _hand_over(result, goal, observed)
    if linked:
        result.steps += linklocal.equip(goal, kind, result.alias, result.steps, observed)
    if led:
        result.steps += gateways.equip(goal, kind, result.alias, result.steps, observed)
    if goal.type.recorded and result.alias is not None and result.alias.up and not goal.up:
        from netalias.plan.notes import lost_when_down

        result.notes += lost_when_down(result.alias)
    return finished(result, observed)


def protect(result: Plan, session: Callable[[], bytes], observed: Observed) -> None:
    """Raises StateError if *result* would take the address that *session* tells from its alias, if
    only for a moment: this SSH session uses it. Most plans take none, and do not ask."""
    alias, goal = result.alias, result.goal
    if alias is None or not result.steps:
        return
    if (
        goal is not None
        and goal.up
        and goal.address == alias.address
        and result.kind == alias.kind
        and (alias.kind != PREFIX or goal.prefixlen == alias.prefixlen)
    ):
        return
    packed = session()
    if packed:
        from netalias.plan.refusals import has, session_lost

        if has(alias, packed, observed):
            raise session_lost(alias.name)


def _hand_over(result: Plan, goal: Goal | None, observed: Observed) -> None:
    """Hand the connected route that the alias brought over to another alias of its network."""
    alias = result.alias
    if alias is not None and alias.entry is not None and alias.entry.networked:
        from netalias.plan.routes import take_over

        result.steps += take_over(alias, goal, observed)


def settle_device(goal: Goal, observed: Observed, kind: Kind) -> None:
    """Choose the index of a new device, and the MAC unless the wish or the former kind gives it."""
    goal.former, mac = observed.former(goal.name)
    random = goal.mac == RANDOM_MAC
    if random or (kind.own_mac and not goal.mac):
        goal.chosen = not (random or mac)
        goal.mac = mac or observed.new_mac(goal.name, goal.main, random=random)


def _check_new(
    wish: Wish, name: AliasName, primary: str, alias: Alias | None, observed: Observed
) -> list[Step]:
    """The steps before a new alias: they let an alias of a main device that was renamed give way.

    *primary* is the name that its device would get; *alias* is a foreign label of that name.
    Raises NoSuchDevice or NotOurs without an address, AlreadyExists if a device has the name.
    """
    if not wish.address:
        if alias is not None:
            hint = "only deleting it by name is possible"
            raise errors.NotOurs(f"{name}: a label that netalias did not make", hint)
        from netalias.observed.misnamed import absent

        raise absent(name, observed)
    if observed.snapshot.device(name) or observed.snapshot.device(primary):
        from netalias.plan.taken import cleared

        return cleared(name, primary, observed)
    return []


def _kind(
    wish: Wish,
    name: AliasName,
    main: Device,
    observed: Observed,
    alias: Alias | None,
) -> str:
    """The kind to use. Raises KindError if a wished kind cannot be used on *main*."""
    wished = wish.kind if wish.kind != kinds.AUTO else ""
    if alias is not None and wished in ("", alias.kind):
        return alias.kind
    snapshot = observed.snapshot
    if alias is not None:
        from netalias.plan.replacing import without

        snapshot = without(alias, snapshot, main)
    if wished:
        kind, reason = wished, kinds.get(wished).refuse(main, snapshot)
        if not reason and wished not in DEVICELESS:
            there = snapshot.carries(main, SIBLINGS.get(wished, ())) or observed.able(wished)
            reason = "" if there else "this kernel does not have it"
    else:
        kind, reason = auto_kind(main, snapshot, observed.able, mac=bool(wish.mac))
    if reason:
        raise errors.KindError(f"{name}: kind {kind} cannot serve: {reason}")
    return kind


def auto_kind(
    main: Device, snapshot: Snapshot, able: Callable[[str], bool], *, mac: bool
) -> tuple[str, str]:
    """The kind that ``auto`` means on *main*, and the reason why it cannot serve, or empty; *mac*:
    the wish has a MAC."""
    port = snapshot.master(main, PORT_MASTERS) is not None
    if port or main.flags & IFF_LOOPBACK or main.type != ARPHRD_ETHER:
        return "label", ""
    ipvlan = snapshot.carries(main, SIBLINGS["ipvlan"])
    if mac or snapshot.carries(main, SIBLINGS["macvlan"]):
        return "macvlan", kinds.get("macvlan").refuse(main, snapshot)
    if (ipvlan or able("ipvlan")) and not kinds.get("ipvlan").refuse(main, snapshot):
        return "ipvlan", ""
    if able("macvlan") and not kinds.get("macvlan").refuse(main, snapshot):
        return "macvlan", ""
    return "label", ""


def _goal(
    wish: Wish,
    name: AliasName,
    primary: str,
    kind: str,
    main: Device,
    observed: Observed,
    alias: Alias | None,
) -> Goal:
    """The goal of *wish*, completed from the alias or by defaults. Raises StateError,
    UsageError."""
    if wish.address:
        assert wish.type is not None
        alias_type, address = wish.type, wish.address
        prefixlen = alias_type.bits if wish.prefixlen is None else wish.prefixlen
    else:
        assert alias is not None
        if not alias.family:
            raise errors.StateError(f"{name}: the alias has no address", "give it one")
        alias_type, address = observed.registry.get(alias.family), alias.address
        wish.check(alias_type)
        prefixlen = alias.asked if wish.prefixlen is None else wish.prefixlen
    up = wish.up
    if up is None:
        up = True if alias is None or wish.address else alias.up
    lease = wish.lease
    if lease is None:
        lease = 0 if alias is None or wish.address else alias.lease
    entry = None
    if kind != PREFIX:
        entry = _entry(wish, alias_type, address, prefixlen, main, alias)
    if entry is not None and lease:
        entry.valid = entry.preferred = lease
    last = kind == "label" and observed.may_reorder(main, alias)
    if entry is not None and (entry.family == AF_INET6 or last):
        from netalias.plan.sources import give_way

        last = give_way(wish, kind, entry, main, observed, alias)
    if entry is not None and entry.networked:
        from netalias.plan.routes import inside

        if inside(entry, main, observed, alias, kind=kind, up=up, source=wish.source == "on"):
            entry.flags |= IFA_F_NOPREFIXROUTE
    return Goal(
        name,
        main,
        alias_type,
        address,
        prefixlen,
        device=primary,
        entry=entry,
        up=up,
        mtu=wish.mtu,
        mac=wish.mac,
        lenient=wish.lenient,
        group=observed.group,
        vrf=observed.snapshot.master(main, VRF),
        lease=lease,
        renew=bool(wish.lease),
        last=last,
    )


def _entry(
    wish: Wish,
    alias_type: AliasType,
    address: bytes,
    prefixlen: int,
    main: Device,
    alias: Alias | None,
) -> Address | None:
    """The address to be set; None for a family without addresses in the kernel. Raises KindError,
    UsageError."""
    if alias_type.family not in (AF_INET, AF_INET6):
        if wish.broadcast or wish.peer or wish.metric or wish.lease:
            raise errors.KindError(
                f"{wish.name}: the kernel keeps no addresses of type {alias_type.name}:"
                " there is no broadcast, pointopoint, metric or lease"
            )
        return None
    if alias_type.family == AF_INET6 and 0 < wish.mtu < MTU_INET6:
        raise errors.UsageError(f"{wish.name}: mtu {wish.mtu}: IPv6 needs {MTU_INET6} bytes")
    old = alias.entry if alias is not None and not wish.address else None
    loopback = alias_type.family == AF_INET and address[0] == 127
    peer = wish.peer or (old.peer if old else b"")
    if wish.broadcast is not None:
        broadcast = wish.broadcast
    elif old is not None and old.prefixlen == prefixlen:
        broadcast = old.broadcast
    elif _has_broadcast(alias_type, prefixlen, main) and peer in (b"", address):
        from netalias.model import prefix

        broadcast = prefix.broadcast(address, prefixlen)
    else:
        broadcast = b""
    return Address(
        0,
        alias_type.family,
        address,
        prefixlen,
        IFA_F_OPTIMISTIC if wish.optimistic else 0,
        RT_SCOPE_HOST if loopback else RT_SCOPE_UNIVERSE,
        peer=b"" if peer == address else peer,  # the kernel then has none
        broadcast=broadcast,
        metric=wish.metric if wish.metric is not None else old.own_metric if old else 0,
        protocol=PROTOCOL,
    )


def _has_broadcast(alias_type: AliasType, prefixlen: int, main: Device) -> bool:
    """Whether a network has a broadcast address; a /31 has none (RFC 3021)."""
    inet = alias_type.family == AF_INET and prefixlen < alias_type.bits - 1
    return inet and bool(main.flags & IFF_BROADCAST)


def _is_special(goal: Goal, observed: Observed) -> bool:
    """Whether an IPv4 address may not be that of a host in its network, or in one of its main
    device; plan/special.py tells why."""
    if goal.address[0] in (127, 255):
        return True
    value = int.from_bytes(goal.address, "big")
    if value & 3 in (1, 2):
        return False  # neither the first nor the last address of any network
    for length in (goal.prefixlen, *observed.lengths(goal.main)):
        host = (1 << 32 - length) - 1
        if length < 31 and value & host in (0, host):
            return True
    return False


def _delete(wish: Wish, observed: Observed) -> Plan:
    main = observed.snapshot.device(wish.name.main)
    name = names.AliasName(main.name, wish.name.slot) if main is not None else wish.name
    alias = observed.find(name)
    if alias is None:
        from netalias.plan.renamed import missing

        raise missing(name, main, observed)
    result = Plan(alias)
    if not alias.ours:
        from netalias.plan.notes import foreign

        result.notes.append(foreign(name, alias, observed.registry))
    result.steps = unmade(alias, observed)
    if observed.hands_over:
        _hand_over(result, None, observed)
    return finished(result, observed)


def unmade(alias: Alias, observed: Observed) -> list[Step]:
    """The steps that remove an alias, and the rules of its gateway."""
    steps = kinds.get(alias.kind).unmake(alias, observed.snapshot)
    if alias.gateway:
        from netalias.plan.gateways import unequip

        steps = [*unequip(alias, observed), *steps]
    return steps


def finished(result: Plan, observed: Observed) -> Plan:
    """The plan with its steps in the order of execution, so that the printed commands can be
    executed as they are."""
    if result.alias is not None and result.alias.kind == PREFIX:
        from netalias.plan.prefixes import dead_sources

        result.notes += dead_sources(result.alias, result.steps, observed)
    result.steps.sort(key=lambda step: step.phase)
    return result


def concerns_sysctls(result: Plan, observed: Observed) -> bool:
    """Whether sysctls of main devices, or their record, may have to change; a quick test."""
    goal, alias = result.goal, result.alias
    if goal is not None and _needs_sysctls(goal, result.kind, observed):
        return True
    if alias is None or alias.main is None or alias.family != AF_INET:
        return False
    if any(isinstance(step, AddAddress) and step.phase == RETIRE for step in result.steps):
        return True  # a label may take the network over
    if goal is not None and result.kind == alias.kind and goal.type.family == AF_INET:
        return alias.kind == "label" and alias.entry is not None and alias.entry.networked
    if alias.kind in ("dummy", "label", PREFIX):
        return alias.kind == "dummy" or _is_concerned(alias.main, alias.entry)
    return not _accompanied(alias.main, alias.kind, observed, alias)


def _needs_sysctls(goal: Goal, kind: str, observed: Observed) -> bool:
    """Whether a new alias may need sysctls, or be affected by one that is set."""
    if kind in UNLINKED or goal.type.family != AF_INET:
        if kind == "shard":
            return bool(goal.main.arp_ignore) or not _accompanied(goal.main, kind, observed)
        return kind == "dummy"
    if kind == PREFIX:
        return True
    if kind == "label":
        return _is_concerned(goal.main, goal.entry)
    if goal.main.arp_announce < 2 or (kind == "macvlan" and not goal.main.arp_ignore):
        return True
    # The values may be due to the aliases of a device that had this index before.
    return not _accompanied(goal.main, kind, observed)


def _is_concerned(main: Device, entry: Address | None) -> bool:
    """Whether a label with this address concerns the sysctls of *main*, or of others (lo)."""
    return (entry is not None and entry.networked) or bool(main.flags & IFF_LOOPBACK)


def _accompanied(main: Device, kind: str, observed: Observed, alias: Alias | None = None) -> bool:
    """Whether another IPv4 alias than *alias* on *main* is of this kind."""
    return any(
        one is not alias and one.main is main and one.kind == kind and one.family == AF_INET
        for one in observed.aliases
    )


def steps_of(items: Sequence[Difference]) -> list[Step]:
    """The steps of all *items*, those that several share once."""
    goals = [item.plan.goal for item in items if item.plan.goal is not None]
    shared = {id(step): step for goal in goals for step in goal.before}
    return [*shared.values(), *(step for item in items for step in item.plan.steps)]
