"""The comparison of declared aliases with the observed ones: differences, with their plans. Pure.

Order: what is not declared any more goes first, then declared aliases are changed or added in the
order of the files. What cannot be planned is skipped, with its reason, and stops nothing else.
"""

from __future__ import annotations

from netalias import errors, kinds
from netalias.model import Alias
from netalias.model.leases import RenewAddress, renewals
from netalias.model.names import AliasName
from netalias.observed import recognise_one
from netalias.observed.orphans import orphans
from netalias.observed.planned import Planned
from netalias.plan import Difference, main_down, plan
from netalias.plan.diff import ADDED, CHANGED, Diff, Skipped, removal
from netalias.plan.order import untangle
from netalias.plan.unchanged import Unchanged, usual_mtu

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netalias.desired import Wish
    from netalias.desired.declarations import Block, Declarations
    from netalias.model import Device
    from netalias.model.steps import Step
    from netalias.observed import Observed

    _Pair = tuple[int, bytes, Alias | None]
    Conflicts = Mapping[tuple[int, bytes], errors.NetaliasError]


def compare(
    declared: Declarations,
    observed: Observed,
    *,
    only: str = "",
    force: bool = False,
    protected: bytes = b"",
    conflicts: Conflicts | None = None,
    removing: bool = True,
) -> Diff:
    """The differences between the declared aliases and ours in *observed*; sysctls are left out.

    With *only* a main device, the rest is not looked at. *force* goes on where a main device is
    down; without *removing*, aliases that are not declared stay. The alias with the *protected*
    address keeps it. *conflicts* are addresses that cannot come to a main device, by its ifindex
    and the packed address, each with the reason.
    """
    comparison = _Comparison(observed, force, protected, conflicts or {})
    return comparison.run(declared, only, removing)


class _Comparison:
    """The work of compare(): first every wish finds its alias, then what differs is planned."""

    def __init__(
        self,
        observed: Observed,
        force: bool,
        protected: bytes,
        conflicts: Conflicts,
    ) -> None:
        self.conflicts = conflicts
        self.observed = observed
        self.force = force
        self.protected = protected
        self.agenda = Diff(observed)
        self.kept: set[int] = set()
        self.gone: set[int] = set()
        self.moving: set[int] = set()
        self.refused: dict[AliasName, tuple[str, AliasName, errors.NetaliasError]] = {}
        self.pairs: list[tuple[Block, Device, list[_Pair]]] = []
        self.claimed: dict[int, set[int]] = {}
        self.reasons: dict[tuple[str, str], Skipped] = {}
        self.noted: dict[str, list[Alias]] | None = None
        self.labels: dict[tuple[int, bytes], list[Alias]] = {}
        self.ahead: Planned | None = None
        self.rank = 0
        self.orphans = orphans(observed)
        observed.aliases += self.orphans.values()
        for alias in observed.aliases:
            if not alias.whole and alias.device is not None:
                entries = observed.snapshot.on(alias.device.index)
                self.moving.update(map(id, kinds.surplus(alias.entry, entries)))

    def run(self, declared: Declarations, only: str, removing: bool) -> Diff:
        """The whole comparison."""
        main = self.observed.snapshot.device(only) if only else None
        for block in declared.blocks:
            if not only or _is_of(block.wish.name.main, only, main, self.observed):
                self._match(block)
        present = [
            alias
            for alias in self.observed.aliases
            if alias.ours and (not only or alias.name.main in (only, main.name if main else only))
        ]
        self.agenda.present = len(present)
        leaving = [alias for alias in present if removing and id(alias) not in self.kept]
        leaving = [alias for alias in leaving if not self._holds(alias)]
        self.gone.update(map(id, leaving))
        self.agenda.removed = len(leaving)
        remnants = [_remnant(device, self.observed) for device in self.observed.remnants]
        removals = [removal(alias, self.observed) for alias in remnants * removing + leaving]
        while True:
            self.agenda.items = removals.copy()
            self._wishes()
            if not self._staying():
                break
        for refusal in self.refused.values():
            self._skip(*refusal)
        leased = [alias for alias in present if alias.lease and id(alias) not in self.gone]
        if leased:
            self.agenda.renewals = renewals(leased, self._lengths())
        untangle(self.agenda.items)
        return self.agenda

    # First pass

    def _match(self, block: Block) -> None:
        self.agenda.wished += len(block)
        wish = block.wish
        try:
            device = self.observed.main(wish.name)
        except errors.NetaliasError as error:
            self._skip(block.place, wish.name, error, len(block))
            self._keep_of(block)
            return
        main, kind = device.name, wish.kind
        claimed = self.claimed.setdefault(device.index, set())
        pairs: list[_Pair] = []
        for slot, address in zip(block.slots, block.addresses, strict=True):
            name = AliasName(main, slot)
            if slot in claimed:
                again = errors.UsageError(f"{wish.name.main}:{slot}: {name} is declared already")
                self._skip(block.place, name, again)
                continue
            aliases = self.observed.by_name.get(name, ())
            alias = next((alias for alias in aliases if alias.ours), None)
            if alias is None and self.orphans:
                alias = self._named(name, kind, device, address)
            if alias is not None:
                self.kept.add(id(alias))
                if self._has(alias) and self._loses(alias, wish, address):
                    self._spare(block.place, name)
                    continue
                if kind not in ("", kinds.AUTO, alias.kind):
                    self.gone.add(id(alias))
                elif self._moves(wish, device, alias, address):
                    self.moving.add(id(alias.entry))
            pairs.append((slot, address, alias))
        claimed.update(block.slots)
        self.pairs.append((block, device, pairs))

    def _named(self, name: AliasName, kind: str, main: Device, address: bytes) -> Alias | None:
        """The label that has lost its slot, and is this one by its address."""
        orphan = self.orphans.get((main.index, address))
        if orphan is None or kind not in ("", kinds.AUTO, orphan.kind):
            return None
        orphan.name = name
        self.observed.by_name.setdefault(name, []).append(orphan)
        return orphan

    def _keep_of(self, block: Block) -> None:
        """An alias whose main device was renamed is kept by the wish for its former name."""
        if self.noted is None:
            self.noted = {}
            for alias in self.observed.aliases:
                for text in _noted(alias):
                    self.noted.setdefault(text, []).append(alias)
                if alias.device is None:
                    # Renaming a device renames its labels, up to the colon (inetdev_changename).
                    place = alias.name.slot, alias.address
                    self.labels.setdefault(place, []).append(alias)
        main = block.wish.name.main
        for slot, address in zip(block.slots, block.addresses, strict=True):
            self.kept.update(map(id, self.noted.get(f"{main}:{slot}", ())))
            self.kept.update(map(id, self.labels.get((slot, address), ())))
        if self.orphans:
            wanted = set(block.addresses)
            nameless = (alias for (_, address), alias in self.orphans.items() if address in wanted)
            self.kept.update(map(id, nameless))

    def _moves(self, wish: Wish, main: Device, alias: Alias, address: bytes) -> bool:
        """Whether an alias leaves its network, so that others there must not count on its route."""
        entry = alias.entry
        if entry is None or not entry.networked or not (main.up or self.force):
            return False
        same = entry.local == address and entry.prefixlen == _width(wish)
        return not same or wish.up is False

    def _holds(self, alias: Alias) -> bool:
        """Whether an alias that is not declared stays, since this session comes in over it."""
        if not self._has(alias):
            return False
        self._spare("", alias.name)
        return True

    def _has(self, alias: Alias) -> bool:
        """Whether this session comes in over an address of *alias*."""
        if not self.protected:
            return False
        if alias.whole or alias.device is None:
            return alias.address == self.protected
        entries = self.observed.snapshot.on(alias.device.index)
        return any(entry.local == self.protected for entry in entries)

    def _loses(self, alias: Alias, wish: Wish, address: bytes) -> bool:
        """Whether it would not be there any more, or not all the time."""
        other_kind = wish.kind not in ("", kinds.AUTO, alias.kind)
        return address != self.protected or other_kind or wish.up is False

    # Second pass

    def _wishes(self) -> None:
        """Wide networks first: what lies in one that is planned later would be planned again."""
        self.refused.clear()
        self.ahead = None
        ranks = sorted(range(len(self.pairs)), key=lambda rank: _width(self.pairs[rank][0].wish))
        for rank in ranks:
            self.rank = rank
            self._block(*self.pairs[rank])
        self.agenda.items.sort(key=lambda item: item.rank)
        if self.ahead is not None and self.ahead.withdrawn:
            self._bereft()

    def _lengths(self) -> dict[AliasName, int]:
        """The leases that are wished for."""
        return {
            AliasName(device.name, slot): block.wish.lease
            for block, device, pairs in self.pairs
            if block.wish.lease
            for slot, _, _ in pairs
        }

    def _staying(self) -> bool:
        """Whether an alias that was thought to make room cannot be changed, and so stays."""
        found = False
        for name in self.refused:
            alias = self.observed.find(name)
            if alias is None or not (id(alias) in self.gone or id(alias.entry) in self.moving):
                continue
            self.gone.discard(id(alias))
            self.moving.discard(id(alias.entry))
            found = True
        return found

    def _block(self, block: Block, device: Device, pairs: list[_Pair]) -> None:
        like = Unchanged(block.wish, device)
        for slot, address, alias in pairs:
            if alias is None or not like.holds(alias, slot, address):
                self._wish(block, AliasName(device.name, slot), address, device)

    def _wish(self, block: Block, name: AliasName, address: bytes, device: Device) -> None:
        try:
            self._plan(block.wish.copy(name, address), device, block.place)
        except errors.NetaliasError as error:
            self.refused[name] = block.place, name, error

    def _plan(self, wish: Wish, main: Device, place: str) -> None:
        if self.ahead is None:
            self.ahead = Planned(self.observed, self.gone, self.moving)
        alias = self.observed.find(wish.name)
        if alias is not None and alias.ours and not wish.mtu:
            kind = alias.kind if wish.kind in ("", kinds.AUTO) else wish.kind
            wish.mtu, wish.lenient = usual_mtu(alias, kind, main), True
        # What is as it should be stays so on a main device that is down.
        result = plan(wish, self.ahead, force=True)
        if all(map(_renews, result.steps)):
            return
        if not main.up and not self.force:
            raise main_down(wish.name, main)
        reason = self.conflicts.get((main.index, wish.address))
        if reason is not None:
            raise reason
        alias = result.alias
        self.ahead.take(alias, result.goal, result.kind)
        item = Difference(CHANGED if alias is not None else ADDED, wish.name, result, wish)
        item.place, item.rank = place, self.rank
        self.agenda.items.append(item)

    def _bereft(self) -> None:
        """Who lost the route of its network by a change after it was looked at brings it now."""
        planned = {item.name for item in self.agenda.items}.union(self.refused)
        for rank, (block, device, pairs) in enumerate(self.pairs):
            self.rank = rank
            if Unchanged(block.wish, device).plain:
                continue
            for _, address, alias in pairs:
                if alias is not None and alias.name not in planned:
                    self._wish(block, alias.name, address, device)

    def _spare(self, place: str, name: AliasName) -> None:
        error = errors.StateError(
            f"{name}: this SSH session comes in over its address", "--force changes it all the same"
        )
        self.agenda.skipped.append(Skipped(place, name, error))

    def _skip(
        self, place: str, name: AliasName, error: errors.NetaliasError, count: int = 1
    ) -> None:
        """One entry for all wishes of a main device that have the same reason."""
        key = name.main, str(error).removeprefix(f"{name}: ")
        known = self.reasons.get(key)
        if known is not None:
            known.count += count
            return
        self.reasons[key] = Skipped(place, name, error, count)
        self.agenda.skipped.append(self.reasons[key])


def _renews(step: Step) -> bool:
    """Whether a step changes nothing but the time that is left of a lease."""
    return isinstance(step, RenewAddress) and step.before is None


def _width(wish: Wish) -> int:
    """The prefix length; a host address is in nobody's way."""
    assert wish.type is not None
    return wish.type.bits if wish.prefixlen is None else wish.prefixlen


def _remnant(device: Device, observed: Observed) -> Alias:
    """What an interrupted run was about to delete; by its primary name when it has no other."""
    found = recognise_one(device, observed.snapshot, observed.registry)
    return found or Alias(AliasName(device.name, 0), device.kind, device=device)


def _is_of(name: str, only: str, main: Device | None, observed: Observed) -> bool:
    """Whether a wish for *name* is one for the main device *only*, by any name of it."""
    return name == only or (main is not None and observed.snapshot.device(name) is main)


def _noted(alias: Alias) -> Iterator[str]:
    """The names that an alias carries in the kernel."""
    if alias.device is not None:
        yield from alias.device.altnames
    elif alias.entry is not None:
        yield alias.entry.label
