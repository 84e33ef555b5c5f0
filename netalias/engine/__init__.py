"""The verbs: read, plan, apply. The engine is handed a Kernel and never makes one."""

from __future__ import annotations

from netalias import errors
from netalias.families import lazy
from netalias.model import AF_INET, GROUP, IFF_LOOPBACK, IFF_NOARP, names
from netalias.model.steps import AddAddress, SetLink
from netalias.observed import Observed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from netalias.claim import Policy
    from netalias.claim.session import ClaimSession, Segment
    from netalias.desired import Wish
    from netalias.families import Registry
    from netalias.kernel import Kernel
    from netalias.kinds import Goal
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.steps import Step
    from netalias.plan import Plan
    from netalias.plan.sysctls import SysctlTerms
    from netalias.runtime import Lock, Unlocked
    from netalias.runtime.sysctls import SavedSysctls, Settling

    T = TypeVar("T")


class Engine:
    """Aliases of one network namespace.

    ``lock`` makes the context manager that a change is done under; ``group`` is the mark on
    devices; with ``hands_off`` settings of main devices are left alone; ``within`` calls a function
    inside the namespace. ``segment`` makes what looks for addresses and announces them, None for
    not at all; ``aside``: this process is about to end, and leaves to a child what takes time;
    ``policy`` is what holds where a wish does not say it. With ``texts`` every change refreshes
    those that are there (live.py), and ``warn`` is told what keeps it from doing so. As a context
    manager the engine closes its kernel.
    """

    def __init__(
        self,
        kernel: Kernel,
        registry: Registry | None = None,
        *,
        group: int = GROUP,
        lock: Callable[[], Lock] | None = None,
        hands_off: bool = False,
        within: Callable[[Callable[[], Any]], Any] | None = None,
    ) -> None:
        self.kernel = kernel
        self.registry = registry or lazy()
        self.group = group
        self.hands_off = hands_off
        self.segment: Callable[[], Segment] | None = None
        self.aside = False
        self.policy: Policy | None = None
        self.texts = True
        self.warn: Callable[[str], None] | None = None
        self._within = within
        self._lock = lock
        self._kept: SavedSysctls | None = None
        self._seen: dict[str, bool] = {}

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kernel."""
        self.kernel.close()

    def locked(self) -> Lock | Unlocked:
        """The lock of the namespace, for a ``with``."""
        if self._lock is not None:
            lock = self._lock()
            lock.leaving = self._refresh
            return lock
        from netalias.runtime import Unlocked

        return Unlocked()

    def _refresh(self, folder: str, namespace: int) -> None:
        """Let the texts in *folder* tell what was changed."""
        if not self.texts or not self.kernel.changed:
            return
        from netalias.engine.texts import refresh

        problem = refresh(folder, namespace, self.observe)
        if problem and self.warn is not None:
            self.warn(problem)

    def snapshot(self) -> Snapshot:
        """One reading of the kernel."""
        return self.kernel.snapshot()

    def able(self, kind: str) -> bool:
        """Whether the kernel has a kind; without the right to ask, whether one is to be seen."""
        try:
            return self.kernel.able(kind)
        except errors.NotPermitted:
            if kind not in self._seen:
                devices = self.kernel.snapshot().devices.values()
                there = any(device.kind == kind for device in devices)
                self._seen[kind] = kind == "macvlan" or there
            return self._seen[kind]

    def observe(self) -> Observed:
        """One reading of the kernel with the aliases found in it."""
        return Observed(self.kernel.snapshot(), self.registry, self.group)

    def plan(self, wish: Wish, *, force: bool = False) -> Plan:
        """What would be done to make *wish* true; nothing is. Raises StateError, KernelError.

        Without the right to ask for kinds, macvlan counts, and what is there to be seen.
        """
        return self._plan(wish, self.able, force)[1]

    def _plan(
        self, wish: Wish, able: Callable[[str], bool], force: bool
    ) -> tuple[Observed, Plan, Settling | None]:
        # Who only looks does not load what it takes to change.
        from netalias.plan import plan

        observed = self.observe()
        result = plan(wish, observed, able, force=force)
        if not _concerns_main(result, observed):
            return observed, result, None
        settling = self.settling(observed, [result])
        result.steps += [setting.step() for setting in settling.settings]
        result.steps.sort(key=lambda step: step.phase)
        return observed, result, settling

    def settling(self, observed: Observed, plans: Sequence[Plan]) -> Settling:
        """What *plans* need of their main devices, or do not need any more."""
        from netalias.plan.sysctls import settle
        from netalias.runtime.sysctls import Settling

        kept = self.kept(observed)
        return Settling(settle(observed, plans, self.terms(kept)), kept)

    def within(self, work: Callable[[], T]) -> T:
        """Call *work* inside the namespace."""
        if self._within is None:
            return work()
        found: T = self._within(work)
        return found

    def terms(self, kept: SavedSysctls) -> SysctlTerms:
        """What there is to know of the settings of main devices, beside a Observed."""
        from netalias.plan.sysctls import COMMON, SysctlTerms

        common = self.within(lambda: {key: self.kernel.common(key) for key in COMMON})
        return SysctlTerms(kept.values, common, hands_off=self.hands_off)

    def kept(self, observed: Observed) -> SavedSysctls:
        """Settings of the devices of *observed* as they were before netalias changed them."""
        from netalias.runtime.sysctls import SavedSysctls

        folder = self.locked().place()
        kept = SavedSysctls(folder, self.kernel.cookie()) if folder else self.remembered()
        kept.only(observed.snapshot.devices)
        return kept

    def remembered(self) -> SavedSysctls:
        """What there is no folder for."""
        if self._kept is None:
            from netalias.runtime.sysctls import SavedSysctls

            self._kept = SavedSysctls("")
        return self._kept

    def rehearse(self, kernel: Kernel) -> None:
        """From now on work on *kernel*, a copy in memory: no lock, no file, no packet."""
        from netalias.runtime.sysctls import SavedSysctls

        values = self.kept(self.observe()).values
        self._kept = SavedSysctls("")
        self._kept.values = values
        self.kernel, self._lock, self.segment, self.texts = kernel, None, None, False

    def realise(self, wish: Wish, *, force: bool = False) -> Plan:
        """Make *wish* true, or leave everything as it was.

        Raises StateError, KernelError or LockBusy; NotPermitted comes before any other.
        """
        with self.locked():
            return self._realise(wish, force)

    def _realise(self, wish: Wish, force: bool) -> Plan:
        try:
            observed, result, settling = self._plan(wish, self.kernel.able, force)
        except errors.NetaliasError:
            self.kernel.permitted()
            raise
        if not result.steps:
            self.kernel.permitted()
        usual = self.policy is None and wish.acd in ("", "off")
        single = usual and wish.announce is None and _greets(result)
        quiet = usual and wish.announce == 0
        arriving = None if single or quiet else self.arriving(observed, [(wish, result)])
        if arriving is None:
            self._carry_out(wish, result, settling)
        else:
            self._bring(wish, result, settling, arriving)
        if settling is not None:
            settling.end()
        if single and self.segment is not None:
            result.notes += self._greet(result)
        return result

    def _bring(
        self, wish: Wish, result: Plan, settling: Settling | None, arriving: ClaimSession
    ) -> None:
        """Carry it out where nobody else has the address, and announce it."""
        with arriving:
            for _, error in arriving.look():
                raise error
            arriving.follow()
            self._carry_out(wish, result, settling)
            try:
                for _, error in arriving.verdicts():
                    raise error
            except BaseException:
                self.withdraw(result)
                if settling is not None:
                    settling.undone()
                raise
            result.notes += arriving.announce()

    def _carry_out(self, wish: Wish, result: Plan, settling: Settling | None) -> None:
        if settling is not None:
            settling.begin()
        try:
            failures = self.kernel.apply(result.steps)
        except BaseException:
            # Where the old alias still stands, nothing can be made beside it.
            self.kernel.apply(result.fallback)
            raise
        if failures:
            lost = self.kernel.apply(result.fallback)
            if settling is not None:
                settling.undone()
            raise failures[0].explained(wish.name, lost)

    def _greet(self, result: Plan) -> list[str]:
        """Announce one IPv4 address, without loading what can do more; what could not be, as
        sentences."""
        from netalias.packets import single

        goal = result.goal
        assert goal is not None
        device, mac = goal.main.name, goal.main.mac
        if result.kind == "macvlan":
            device, mac = names.primary(goal.name), b""
            old = result.alias
            if old is not None and old.device is not None and old.kind == result.kind:
                device = old.device.name  # it may have been made when the main had another name
        try:
            self.within(lambda: single(device, mac, goal.address, aside=self.aside))
        except errors.NetaliasError as error:
            return [f"{goal.name}: not announced: {error.line()}"]
        return []

    def withdraw(self, done: Plan) -> None:
        """Undo a plan that was carried out, since another host has its address, or may have it."""
        self.kernel.undo(done.steps)
        self.kernel.apply(done.fallback, stoppable=False)

    def arriving(
        self, observed: Observed, pairs: Iterable[tuple[Wish | None, Plan]]
    ) -> ClaimSession | None:
        """What these plans bring to the segments of their main devices; None for nothing."""
        coming = [pair for pair in pairs if pair[1].steps and pair[1].goal and pair[1].goal.up]
        if self.segment is None or not coming:
            return None
        from netalias.claim import Policy, arrivals

        policy = self.policy or Policy()
        found = list(arrivals(coming, policy))
        if not found:
            return None
        return self.segment().arriving(self.kernel, observed.snapshot, found, policy)

    # What a program calls

    def create(self, name: str, address: str, *words: str, force: bool = False) -> Alias:
        """``create("eth0:0", "200.1.1.1/24", "mtu", "1400")`` -> the alias as it stands now.

        An alias of that name is re-addressed in place. Raises as realise() and wishes.parse() do.
        """
        from netalias import desired

        self.realise(desired.parse([name, address, *words], self.registry), force=force)
        return self.get(name)

    def delete(self, name: str) -> None:
        """``delete("eth0:0")``. Raises NoSuchDevice, NotOurs, KernelError."""
        from netalias import desired

        self.realise(desired.parse([name.removesuffix("-") + "-"], self.registry))

    def get(self, name: str) -> Alias:
        """The alias called *name*. Raises BadName, NoSuchDevice."""
        from netalias.observed import find

        return find(self.observe(), names.parse(name)[0])

    def show(self, *wanted: str) -> list[Alias]:
        """All aliases in chain order, or those of some main devices or names."""
        from netalias.observed import select

        return select(self.observe(), wanted)

    def lookup(self, address: str, type_name: str = "") -> Alias | None:
        """The alias that owns *address*, a text; None when there is none. Raises BadAddress."""
        from netalias.observed import lookup

        return lookup(self.observe(), address, type_name)


def _concerns_main(result: Plan, observed: Observed) -> bool:
    """Whether settings of main devices may have to change (see mains.py), at a glance."""
    goal, alias = result.goal, result.alias
    if goal is not None and _asks(goal, result.kind):
        return True
    if alias is None or alias.main is None or alias.family != AF_INET:
        return False
    if goal is not None and result.kind == alias.kind and goal.type.family == AF_INET:
        return False
    return _leaves(alias, alias.main, observed)


def _greets(result: Plan) -> bool:
    """Whether it is nothing but one IPv4 address that comes, or has changed (see arrival.py)."""
    goal = result.goal
    if goal is None or goal.entry is None or not (goal.up and result.steps and goal.main.up):
        return False
    main = goal.main
    deaf = main.flags & (IFF_LOOPBACK | IFF_NOARP)
    if goal.type.family != AF_INET or deaf or not main.name.isascii():
        return False
    return any(_comes(step, goal) for step in result.steps)


def _comes(step: Step, goal: Goal) -> bool:
    """Whether it adds the address of *goal*, raises its device, or gives that another MAC."""
    if isinstance(step, AddAddress):
        return step.address.local == goal.address
    if not isinstance(step, SetLink) or step.index == goal.main.index:
        return False
    return bool(step.up or step.mac)


def _asks(goal: Goal, kind: str) -> bool:
    """Whether an alias of this kind may need something, or stand in the way."""
    if kind == "dummy":
        return True
    if goal.type.family != AF_INET:
        return False
    if kind == "label":
        return bool(goal.main.flags & IFF_LOOPBACK)
    return goal.main.arp_announce < 2 or (kind == "macvlan" and not goal.main.arp_ignore)


def _leaves(alias: Alias, main: Device, observed: Observed) -> bool:
    """Whether nothing may need the settings any more, or nothing stands in their way."""
    if alias.kind in ("label", "dummy"):
        return alias.kind == "dummy" or bool(main.flags & IFF_LOOPBACK)
    return main.arp_announce + main.arp_ignore > 0 and not any(
        other is not alias
        and other.main is main
        and other.kind == alias.kind
        and other.family == AF_INET
        for other in observed.aliases
    )
