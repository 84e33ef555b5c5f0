"""The comparison of declared aliases with the observed ones: differences, with their plans. Pure.

Removals of undeclared aliases come first, then changes and additions in the order of the files. A
wish that cannot be planned is skipped, with its reason, and does not stop the others.
"""

from __future__ import annotations

from netalias import errors, kinds
from netalias.model import HIDDEN, SCRATCH, Alias, prefix
from netalias.model.leases import RenewAddress, renewals
from netalias.model.names import AliasName
from netalias.observed.orphans import orphans
from netalias.observed.remnants import remnants
from netalias.plan import Difference, plan
from netalias.plan.diff import ADDED, CHANGED, Diff, Skipped, removal
from netalias.plan.unchanged import Unchanged, usual_mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Protocol

    from netalias.desired import Wish
    from netalias.desired.blocks import Block, Run
    from netalias.kinds import Goal
    from netalias.model import Device
    from netalias.model.steps import Step
    from netalias.observed import Observed
    from netalias.observed.planned import Planned
    from netalias.plan import Plan
    from netalias.plan.series import Series

    _Pair = tuple[int, AliasName, bytes, Alias | None]
    """Place in the item, name, packed address, and the alias that is there."""
    Conflicts = Mapping[tuple[int, bytes], errors.NetaliasError]

    class Lent(Protocol):
        """The aliases that stand for loans of pools (engine/lent.py)."""

        def pool(self, alias: Alias) -> str: ...
        def stays(self, alias: Alias) -> bool: ...


def compare(
    items: Sequence[Block | Run],
    observed: Observed,
    *,
    only: str = "",
    force: bool = False,
    protected: bytes = b"",
    conflicts: Conflicts | None = None,
    removing: bool = True,
    lent: Callable[[], Lent] | None = None,
) -> Diff:
    """The differences between declared aliases, given as *items* in the order of the files, and
    ours in *observed*, without sysctls.

    With *only*, other main devices are left out. *force*: go on if a main device is down. Without
    *removing*, undeclared aliases stay. The alias with the *protected* packed address keeps it.
    *conflicts* are the reasons why addresses cannot be added, by ifindex of the main device and
    packed address. *lent* is asked for what stands for loans of pools if there are leases: such
    aliases stay while their pool is declared, and are not renewed.
    """
    comparison = _Comparison(observed, force, protected, conflicts or {}, lent)
    return comparison.run(items, only, removing)


MANY = 3
"""Wishes from which on a series of plans (plan/series.py) is worth while."""


class _Comparison:
    """The work of compare(): a first pass matches wishes with aliases, a second one plans.

    ``kept`` and ``gone`` hold id() of declared and of leaving aliases, ``remnants`` that of aliases
    whose removal was allowed before, ``moving`` that of addresses about to change; ``left`` are
    labels that turned out to change in the second pass, ``noted`` those of former rounds; ``down``
    holds id() of main devices that are down, unless that does not matter; ``refused`` are the
    wishes whose plans failed in the second pass. ``series`` plans new aliases like the last one;
    ``like`` is the id() of the model of its block, and the ifindex of its main device, as in
    ``test``, the last quick test.
    """

    def __init__(
        self,
        observed: Observed,
        force: bool,
        protected: bytes,
        conflicts: Conflicts,
        lent: Callable[[], Lent] | None,
    ) -> None:
        self.conflicts = conflicts
        self._read_lent = lent
        self._lent: Lent | None = None
        self.observed = observed
        self.force = force
        self.protected = protected
        self.diff = Diff(observed)
        self.kept: set[int] = set()
        self.gone: set[int] = set()
        self.moving: set[int] = set()
        self.left: set[int] = set()
        self.noted: set[int] = set()
        self.refused: dict[AliasName, tuple[str, AliasName, errors.NetaliasError]] = {}
        self.pairs: list[tuple[Block | Run, Device, list[_Pair]]] = []
        self.claimed: dict[int, set[int]] = {}
        self.reasons: dict[tuple[str, str], Skipped] = {}
        self.mains: dict[str, Device] = {}
        self.down: set[int] = set()
        self.recorded: dict[str, list[Alias]] | None = None
        self.labels: dict[tuple[int, bytes], list[Alias]] = {}
        self.planned: Planned | None = None
        self.series: Series | None = None
        self.like = 0, 0
        self.test: tuple[tuple[int, int], Unchanged] | None = None
        self.rank = 0
        self.orphans = orphans(observed)
        observed.aliases += self.orphans.values()
        self.remnants = set(map(id, remnants(observed)))
        for alias in observed.aliases:
            if not alias.whole and alias.device is not None:
                entries = observed.snapshot.on(alias.device.index)
                self.moving.update(map(id, kinds.surplus(alias.entry, entries)))

    def run(self, items: Sequence[Block | Run], only: str, removing: bool) -> Diff:
        """Compare, and return all differences."""
        main = self.observed.snapshot.device(only) if only else None
        for block in items:
            if not only or _is_of(block.wish.name.main, only, main, self.observed):
                self._match(block)
        present = [
            alias
            for alias in self.observed.aliases
            if alias.ours and (not only or alias.name.main in (only, main.name if main else only))
        ]
        expired = [id(alias) for alias in present if alias.lease and alias.expired]
        known = self.remnants.union(expired)  # nothing is left of an expired one
        self.diff.present = sum(id(alias) not in known for alias in present)
        leaving = [alias for alias in present if removing and id(alias) not in self.kept]
        leaving = [alias for alias in leaving if _is_known(alias) and not self._spared(alias)]
        self.gone.update(map(id, leaving))
        self.diff.removed = sum(id(alias) not in known for alias in leaving)
        removals = [removal(alias, self.observed) for alias in leaving]
        while True:
            self.diff.items = removals.copy()
            self._plan_all()
            if not self._correct():
                break
        for refusal in self.refused.values():
            self._skip(*refusal)
        if any(isinstance(error, errors.NotAdopted) for _, _, error in self.refused.values()):
            from netalias.plan.adoption import hint

            hint(self.refused, self.diff.skipped, self.observed)
        leased = [alias for alias in present if alias.lease and id(alias) not in self.gone]
        if leased and (lent := self._loans()) is not None:
            leased = [alias for alias in leased if not lent.pool(alias)]
        if leased:
            self.diff.renewals = renewals(leased, self._lengths())
        # Where nothing is removed, the snapshot may be a part (watch/snapshots.py).
        if self.diff.items:
            from netalias.plan.order import arrange

            arrange(self.diff.items, self.observed.snapshot, shrinking=removing)
        for device in self.observed.snapshot.devices.values() if removing else ():
            if device.group & (SCRATCH - 1) ^ HIDDEN == self.observed.group:
                self._remove_empty(only, main)
                break
        return self.diff

    def _remove_empty(self, only: str, main: Device | None) -> None:
        """Let hidden devices go that have no addresses."""
        from netalias.plan.deserted import empty

        called = (only, main.name) if main is not None else (only,) if only else ()
        self.diff.items += empty(self.observed, self.diff.items, called)

    # First pass

    def _match(self, block: Block | Run) -> None:
        self.diff.wished += len(block.slots)
        wish = block.wish
        device = self.mains.get(wish.name.main)
        if device is None:
            try:
                device = self.mains[wish.name.main] = self.observed.main(wish.name)
                if not (self.force or device.up):
                    self.down.add(id(device))
            except errors.NetaliasError as error:
                self._skip(block.place_of(0), wish.name, error, len(block.slots))
                self._keep_of(block)
                return
        main, kind = device.name, wish.kind
        claimed = self.claimed.setdefault(device.index, set())
        pairs: list[_Pair] = []
        for at, (slot, address) in enumerate(zip(block.slots, block.addresses, strict=True)):
            name = wish.name if wish.name == f"{main}:{slot}" else AliasName(main, slot)
            if slot in claimed:
                again = errors.UsageError(f"{wish.name.main}:{slot}: {name} is declared already")
                self._skip(block.place_of(at), name, again)
                continue
            there = self.observed.by_name.get(name, ())
            if len(there) > 1:
                self.observed.choose(name, address, _width(wish))
            alias = there[0] if there and there[0].ours else None
            if alias is None and self.orphans:
                alias = self._orphan(name, kind, device, address)
            if alias is not None:
                self.kept.add(id(alias))
                if (
                    self.protected
                    and self._is_protected(alias)
                    and self._loses(alias, wish, address)
                ):
                    self._skip_protected(block.place_of(at), name)
                    continue
                if kind not in ("", kinds.AUTO, alias.kind):
                    self.gone.add(id(alias))
                elif self._moves(wish, device, alias, address):
                    self.moving.add(id(_place(alias)))
            pairs.append((at, name, address, alias))
        claimed.update(block.slots)
        self.pairs.append((block, device, pairs))

    def _orphan(self, name: AliasName, kind: str, main: Device, address: bytes) -> Alias | None:
        """The orphan with that address, which gets *name* now; None without one."""
        orphan = self.orphans.get((main.index, address))
        if orphan is None or kind not in ("", kinds.AUTO, orphan.kind):
            return None
        orphan.name = name
        self.observed.by_name.setdefault(name, []).append(orphan)
        return orphan

    def _keep_of(self, block: Block | Run) -> None:
        """Keep aliases that *block* declares by a former name of their main device."""
        if self.recorded is None:
            self.recorded = {}
            for alias in self.observed.aliases:
                for text in _recorded(alias):
                    self.recorded.setdefault(text, []).append(alias)
                if alias.device is None:
                    # Renaming a device renames its labels, up to the colon (inetdev_changename).
                    place = alias.name.slot, alias.address
                    self.labels.setdefault(place, []).append(alias)
        main = block.wish.name.main
        for slot, address in zip(block.slots, block.addresses, strict=True):
            self.kept.update(map(id, self.recorded.get(f"{main}:{slot}", ())))
            self.kept.update(map(id, self.labels.get((slot, address), ())))
        if self.orphans:
            wanted = set(block.addresses)
            nameless = (alias for (_, address), alias in self.orphans.items() if address in wanted)
            self.kept.update(map(id, nameless))

    def _moves(self, wish: Wish, main: Device, alias: Alias, address: bytes) -> bool:
        """Whether an alias leaves its network, so that others there cannot rely on its route."""
        entry, width = alias.entry, _width(wish)
        if alias.kind == kinds.PREFIX:
            moves = (alias.address, alias.prefixlen) != (address, width)
        elif entry is None:
            moves = False
        else:
            same = entry.local == address and entry.prefixlen == width
            moves = (not same or wish.up is False) and entry.networked
        return moves and (self.force or main.up)

    def _spared(self, alias: Alias) -> bool:
        """Whether an undeclared alias stays: it has the protected address, or stands for a loan."""
        if alias.lease and (lent := self._loans()) is not None and lent.stays(alias):
            return True
        if not self._is_protected(alias):
            return False
        self._skip_protected("", alias.name)
        return True

    def _loans(self) -> Lent | None:
        """The aliases that stand for loans, asked for once; None where none does."""
        if self._lent is None and self._read_lent is not None:
            self._lent = self._read_lent()
        return self._lent

    def _is_protected(self, alias: Alias) -> bool:
        """Whether *alias* has the protected address, which this SSH session uses."""
        if not self.protected:
            return False
        from netalias.plan.refusals import has

        return has(alias, self.protected, self.observed)

    def _loses(self, alias: Alias, wish: Wish, address: bytes) -> bool:
        """Whether *wish* would remove the protected address of *alias*, if only for a moment."""
        other_kind = wish.kind not in ("", kinds.AUTO, alias.kind)
        if alias.kind == kinds.PREFIX and not other_kind:
            return not prefix.contains(address, _width(wish), self.protected)
        return address != self.protected or other_kind or wish.up is False

    # Second pass

    def _plan_all(self) -> None:
        """Plan every wish, wide networks first: an alias planned before the wider network that
        contains it would have to be planned again. Those of main devices that are down come last:
        they can only stay, in networks that others may have entered."""
        self.refused.clear()
        self.planned = self.series = None
        for rank in sorted(range(len(self.pairs)), key=self._precedence):
            self.rank = rank
            self._block(*self.pairs[rank])
        self.diff.items.sort(key=lambda item: item.rank)
        if self.planned is not None and self.planned.withdrawn:
            self._plan_without_route()

    def _precedence(self, rank: int) -> tuple[bool, int]:
        block, device, _ = self.pairs[rank]
        return id(device) in self.down, _width(block.wish)

    def _lengths(self) -> dict[AliasName, int]:
        """The declared leases in seconds."""
        return {
            name: block.wish.lease
            for block, _, pairs in self.pairs
            if block.wish.lease
            for _, name, _, _ in pairs
        }

    def _correct(self) -> bool:
        """Take refused aliases out of ``gone`` and ``moving``, since they stay as they are, and add
        the labels in ``left`` to ``moving``; whether all has to be planned again."""
        found = bool(self.left - self.moving - self.noted)
        self.moving |= self.left - self.noted
        self.noted |= self.left
        self.left.clear()
        for name in self.refused:
            alias = self.observed.find(name)
            if alias is None:
                continue
            place = id(_place(alias))
            if not (id(alias) in self.gone or place in self.moving):
                continue
            self.gone.discard(id(alias))
            self.moving.discard(place)
            found = True
        return found

    def _block(self, block: Block | Run, device: Device, pairs: list[_Pair]) -> None:
        unchanged: Unchanged | None = None
        for at, name, address, alias in pairs:
            if alias is None:
                done = self._follows(block, at, name, address, device)
            else:
                unchanged = unchanged or self._unchanged(block, device)
                done = unchanged.holds(alias, name.slot, address)
            if not done:
                self._wish(block, at, name, address, device, alias)

    def _unchanged(self, block: Block | Run, device: Device) -> Unchanged:
        """The quick test for the aliases of a block, which is that of the block before if both are
        alike."""
        like = id(block.model), device.index
        if self.test is None or self.test[0] != like:
            self.test = like, Unchanged(block.wish, device)
        return self.test[1]

    def _follows(
        self, block: Block | Run, at: int, name: AliasName, address: bytes, device: Device
    ) -> bool:
        """Whether a new alias is planned like the one before it."""
        if self.series is None or self.like != (id(block.model), device.index):
            return False
        result = self.series.plan(name, address)
        if result is not None:
            self._add(name, block.wish, result, block.place_of(at))
        return result is not None

    def _add(self, name: AliasName, model: Wish, result: Plan, place: str) -> None:
        item = Difference(ADDED if result.alias is None else CHANGED, name, result, model)
        item.place, item.rank = place, self.rank
        self.diff.items.append(item)

    def _wish(
        self,
        block: Block | Run,
        at: int,
        name: AliasName,
        address: bytes,
        device: Device,
        alias: Alias | None,
    ) -> None:
        self.series = None
        place = block.place_of(at)
        try:
            wish = block.wish.copy(name, address)
            result = self._plan(wish, device, alias, place)
            if result is not None and self.diff.wished >= MANY and not self.conflicts:
                from netalias.plan.series import begun

                assert self.planned is not None
                self.series = begun(wish, result, self.planned)
                self.like = id(block.model), device.index
        except errors.NetaliasError as error:
            self.refused[name] = place, name, error

    def _plan(self, wish: Wish, main: Device, alias: Alias | None, place: str) -> Plan | None:
        """Plan one wish by itself, for which *alias* is there; None where nothing differs."""
        if self.planned is None:
            from netalias.observed.planned import Planned

            self.planned = Planned(self.observed, self.gone, self.moving)
        if alias is not None and not wish.mtu:
            kind = alias.kind if wish.kind in ("", kinds.AUTO) else wish.kind
            wish.mtu, wish.lenient = usual_mtu(alias, kind, main), True
        # An alias without differences is no error on a main device that is down.
        result = plan(wish, self.planned, force=True, cut=self.force)
        if all(map(_renews, result.steps)):
            return None
        if id(main) in self.down:
            from netalias.plan.refusals import main_down

            raise main_down(wish.name, main)
        reason = self.conflicts.get((main.index, wish.address))
        if reason is not None:
            raise reason
        alias = result.alias
        self.planned.take(alias, result.goal, result.kind)
        if alias is not None and id(alias) not in self.gone and _leaves(alias, result.goal):
            self.left.add(id(alias.entry))
        self._add(wish.name, wish, result, place)
        return result

    def _plan_without_route(self) -> None:
        """Plan unchanged aliases again whose network lost its connected route by a later plan."""
        planned = {item.name for item in self.diff.items}.union(self.refused)
        for rank, (block, device, pairs) in enumerate(self.pairs):
            self.rank = rank
            if Unchanged(block.wish, device).plain:
                continue
            for at, _, address, alias in pairs:
                if alias is not None and alias.name not in planned:
                    self._wish(block, at, alias.name, address, device, alias)

    def _skip_protected(self, place: str, name: AliasName) -> None:
        from netalias.plan.refusals import session_lost

        self.diff.skipped.append(Skipped(place, name, session_lost(name)))

    def _skip(
        self, place: str, name: AliasName, error: errors.NetaliasError, count: int = 1
    ) -> None:
        """Record a skipped wish: one entry for all of a main device with the same reason."""
        key = name.main, str(error).removeprefix(f"{name}: ")
        known = self.reasons.get(key)
        if known is not None:
            known.count += count
            return
        self.reasons[key] = Skipped(place, name, error, count)
        self.diff.skipped.append(self.reasons[key])


def _place(alias: Alias) -> object:
    """The object that stands for the place of an alias in ``moving``: its address, or, of a prefix,
    the alias itself."""
    return alias if alias.kind == kinds.PREFIX else alias.entry


def _leaves(alias: Alias, goal: Goal | None) -> bool:
    """Whether a label that stays one gives up the network that it shares with other addresses."""
    entry = alias.entry
    if alias.device is not None or entry is None or not entry.networked:
        return False
    return goal is None or goal.entry is None or goal.entry.prefixlen != entry.prefixlen


def _renews(step: Step) -> bool:
    """Whether a step only renews a lease."""
    return isinstance(step, RenewAddress) and step.before is None


def _width(wish: Wish) -> int:
    """The prefix length of *wish*, by default that of a host address."""
    assert wish.type is not None
    return wish.type.bits if wish.prefixlen is None else wish.prefixlen


def _is_known(alias: Alias) -> bool:
    """Whether more than the protocol, which others may use, says that an alias is ours: of an
    orphan, a slot in its metric."""
    return alias.name.slot >= 0 or (alias.entry is not None and bool(alias.entry.noted))


def _is_of(name: str, only: str, main: Device | None, observed: Observed) -> bool:
    """Whether *name* is any name of the main device *only*."""
    return name == only or (main is not None and observed.snapshot.device(name) is main)


def _recorded(alias: Alias) -> Iterator[str]:
    """The alias names that the kernel holds for *alias*: altnames, or the label."""
    if alias.device is not None:
        yield from alias.device.altnames
    elif alias.entry is not None:
        yield alias.entry.label
