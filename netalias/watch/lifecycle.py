"""Aliases of main devices that go down, go away, or get another name; of leases that expired, and
of addresses that other hosts have taken."""

from __future__ import annotations

from netalias.desired.declarations import counted, parse
from netalias.desired.export import lines
from netalias.engine.reconcile import mend, remove
from netalias.model import AF_INET6, Alias
from netalias.model.leases import leftovers
from netalias.model.names import AliasName
from netalias.model.steps import DelAddress
from netalias.observed import Observed, ordered, recognise_one
from netalias.plan.compare import compare
from netalias.plan.diff import REMOVED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netalias.desired.index import Index
    from netalias.engine import Engine
    from netalias.engine.reconcile import Outcome
    from netalias.model import Device
    from netalias.plan.diff import Diff
    from netalias.watch.impact import Affected
    from netalias.watch.report import Report


class Lifecycle:
    """Changes that follow from main devices.

    The methods are called under the lock and take what they have done out of *affected*. They tell
    whether something failed, and raise NotPermitted, StateError, KernelError.
    """

    def __init__(self, engine: Engine, report: Report) -> None:
        self._engine = engine
        self._report = report
        self._left: list[tuple[set[int], dict[str, None]]] = []
        self._former: dict[int, tuple[str, dict[tuple[int, bytes], int]]] = {}

    def retry(self, affected: Affected) -> None:
        """Have the main devices freed again whose aliases could not be removed."""
        for down, gone in self._left:
            affected.down |= down
            affected.gone |= gone
        self._left.clear()

    def free(self, affected: Affected, wished: Index) -> bool:
        """Remove the aliases of main devices that went down or away, in chain order."""
        if not (affected.down or affected.gone):
            return False
        observed = self._engine.observe()
        leaving = [
            alias
            for alias in ordered(observed.aliases, observed.snapshot)
            if alias.ours and _goes(alias, affected, wished)
        ]
        leaving += _stranded(affected.stranded, observed)
        former = self._engine.former_devices
        former.note_all(leaving)
        former.save()
        # A main device that is gone took its aliases along, but not their rules.
        work = leaving or (affected.gone and self._engine.kernel.ruled())
        outcome = remove(self._engine, observed, leaving) if work else None
        self._report_freed(affected, {alias.name for alias in leaving}, outcome)
        failed = outcome is not None and self._report.failures(outcome)
        if failed:
            self._left.append((affected.down, affected.gone))
        affected.down, affected.gone, affected.stranded = set(), {}, set()
        return failed

    def _report_freed(
        self, affected: Affected, leaving: set[AliasName], outcome: Outcome | None
    ) -> None:
        """Log how many of the aliases in *leaving* were freed. The rules that are deleted too are
        none, and most aliases of a device that is gone were deleted by the kernel."""
        for main in affected.gone:
            self._report.journal.notice(f"{main} is gone, and its aliases with it")
        freed: dict[str, int] = {}
        for item in outcome.done if outcome is not None else ():
            if item.sign == REMOVED and item.name in leaving:
                freed[item.name.main] = freed.get(item.name.main, 0) + 1
        for main, count in freed.items():
            if main not in affected.gone:
                self._report.journal.notice(f"{main} is down: {counted(count, 'alias')} freed")

    def rename(self, affected: Affected, wished: Index) -> bool:
        """Rename undeclared aliases after their main devices. Declared ones stay as they are until
        there is another device of the declared name, and go then: that one gets them."""
        if not (affected.renamed or self._former):
            return False
        failed = False
        observed = self._engine.observe()
        for index, old in affected.renamed.items():
            main = observed.snapshot.devices.get(index)
            if main is None or main.name == old:
                continue
            if old in wished.mains:
                says = f"the aliases declared for {old} stay as they are"
                self._report.journal.warning(f"{old} is called {main.name} now: {says}")
                self._former[index] = old, dict(affected.relabelled)
            else:
                found = list(_aliases(main, observed, affected.relabelled))
                failed |= self._rename(main, old, found, wished)
        affected.renamed.clear()
        affected.relabelled.clear()
        return failed | self._replace(observed, wished)

    def _replace(self, observed: Observed, wished: Index) -> bool:
        """Remove the aliases that stayed on renamed devices, and that other devices get now."""
        failed = False
        for index, (old, relabelled) in list(self._former.items()):
            main, other = observed.snapshot.devices.get(index), observed.snapshot.device(old)
            if main is None or other is main:
                del self._former[index]
            if main is None or other is None or other is main or not other.up:
                continue
            del self._former[index]
            called = (main.name, *main.altnames)
            leaving = [
                alias
                for alias in _aliases(main, observed, relabelled)
                if AliasName(old, alias.name.slot) in wished
                and not any(AliasName(name, alias.name.slot) in wished for name in called)
            ]
            if leaving:
                outcome = remove(self._engine, observed, leaving)
                count = counted(sum(item.sign == REMOVED for item in outcome.done), "alias")
                says = f"{count} declared for it removed from {main.name}"
                self._report.journal.notice(f"{old} is another device now: {says}")
                failed |= self._report.failures(outcome)
        return failed

    def _rename(self, main: Device, old: str, found: list[Alias], wished: Index) -> bool:
        engine = self._engine
        found = [one for one in found if AliasName(main.name, one.name.slot) not in wished]
        if any(one.lease for one in found):
            from netalias.engine.lent import settled

            found = settled(engine, found)
        text = "\n".join(lines(found, engine.registry, mac=True))
        blocks = parse([(f"aliases of {old}", text)], engine.registry).blocks

        def look() -> Diff:
            return compare(blocks, engine.observe(), removing=False, force=True)

        diff = look()
        if not diff.items:
            return False
        outcome = mend(engine, diff, look)
        count = counted(len(outcome.done), "alias")
        self._report.journal.notice(f"{old} is called {main.name} now: {count} renamed")
        return self._report.failures(outcome)

    def remove_expired(self, affected: Affected, wished: Index) -> bool:
        """Remove the remains of undeclared aliases whose leases have expired."""
        if not affected.expired:
            return False
        observed = self._engine.observe()
        left = [alias for alias in leftovers(observed.aliases) if wished.of(alias) is None]
        affected.expired = False
        if not left:
            return False
        outcome = remove(self._engine, observed, left)
        self._report.ended([item.name for item in outcome.done if item.sign == REMOVED])
        return self._report.failures(outcome)

    def give_up(self, affected: Affected) -> bool:
        """Remove the aliases whose addresses other hosts have, or may have; of those of IPv6 only
        the address: it comes back by the kernel's own check (RFC 4862)."""
        if not affected.doubtful:
            return False
        engine, wanted = self._engine, affected.doubtful
        observed = engine.observe()
        found = [one for one in observed.aliases if one.ours and _has(one, wanted.get(one.name))]
        left = [alias for alias in found if alias.family != AF_INET6]
        outcome = remove(engine, observed, left) if left else None
        steps = [_withdrawal(alias) for alias in found if alias not in left]
        for number, step in enumerate(steps):
            step.owner = number  # one that has gone meanwhile keeps no other back
        failures = engine.kernel.apply(steps, seen=observed.snapshot)
        affected.doubtful = {}
        for failure in failures:
            self._report.journal.error(failure.error.line())
        return bool(failures) or (outcome is not None and self._report.failures(outcome))


def _has(alias: Alias, address: bytes | None) -> bool:
    """Whether the kernel has *address* for an alias."""
    return alias.entry is not None and alias.address == address


def _withdrawal(alias: Alias) -> DelAddress:
    """The step that deletes the address of an alias, and nothing else."""
    assert alias.carrier is not None
    assert alias.entry is not None
    return DelAddress(alias.carrier.name, alias.carrier.index, alias.entry)


def _stranded(indexes: Iterable[int], observed: Observed) -> Iterator[Alias]:
    """The aliases of main devices that went to another namespace. Their devices look like some
    that were given to this one, and are nobody's for whoever has not seen the departure."""
    for index in indexes:
        device = observed.snapshot.devices.get(index)
        if device is not None and device.remote and device.group == observed.group:
            alias = recognise_one(device, observed.snapshot, observed.registry, stranded=True)
            if alias is not None and alias.main is None:
                yield alias


def _goes(alias: Alias, affected: Affected, wished: Index) -> bool:
    """Whether an alias goes with its main device."""
    main = alias.main
    if main is None:
        return alias.name.main in affected.gone
    return main.index in affected.down and not main.up and wished.freed(alias)


def _aliases(
    main: Device, observed: Observed, relabelled: Mapping[tuple[int, bytes], int]
) -> Iterator[Alias]:
    """Our aliases on a renamed device, with the labels that lost their slots by the renaming."""
    yield from (alias for alias in observed.aliases if alias.ours and alias.main is main)
    for entry in observed.snapshot.on(main.index):
        slot = relabelled.get((main.index, entry.local))
        if slot is not None and ":" not in entry.label:
            alias = Alias(AliasName(main.name, slot), "label", main=main, entry=entry)
            alias.family, alias.address = entry.family, entry.local
            alias.prefixlen = entry.prefixlen
            yield alias
