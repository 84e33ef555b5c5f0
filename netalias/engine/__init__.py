"""The engine: read, plan, execute. It is handed a Kernel and never makes one.

Every plan is carried out by execute(), in this order: save former sysctl values, send all changes
at once, restore aliases whose replacement was refused (undo.py), wait for the kernel's verdicts on
IPv6 addresses, restore sysctls that nothing needs any more, announce.
"""

from __future__ import annotations

from _thread import RLock  # threading would import much more

from netalias import errors
from netalias.families import lazy
from netalias.model import AF_INET, AF_INET6, GROUP, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, TypeVar

    from netalias.claim import Context, Policy
    from netalias.claim.session import ClaimSession
    from netalias.desired import Wish
    from netalias.engine.macs import Identity, Macs
    from netalias.engine.program import AliasView
    from netalias.engine.undo import Undoing
    from netalias.families import Registry
    from netalias.kernel import Kernel
    from netalias.model import Alias, Device, Snapshot
    from netalias.model.names import AliasName
    from netalias.model.steps import Step
    from netalias.observed import Former, Observed
    from netalias.observed import Macs as ChooseMac
    from netalias.observed.outlets import Outlets
    from netalias.plan import Difference, Plan
    from netalias.plan.sysctls import SysctlTerms
    from netalias.runtime import RuntimeDirectory
    from netalias.runtime.former import FormerDevices
    from netalias.runtime.private import PrivateDirectory
    from netalias.runtime.sysctls import SavedSysctls

    T = TypeVar("T")
    Call = Callable[[Callable[[], Any]], Any]
    Directory = RuntimeDirectory | PrivateDirectory


MOVED = "devices or addresses changed all the time: what came or went meanwhile may be missing here"


def call(work: Callable[[], T]) -> T:
    """The result of *work*, called directly: the default for Setup's ``within``."""
    return work()


def identity() -> Identity:
    """The result of macs.identity(), whose module is loaded for a new device only."""
    from netalias.engine.macs import identity

    return identity()


class Setup:
    """The configuration of an engine; it does not change afterwards.

    ``group`` is IFLA_GROUP of alias devices. ``namespace`` is the inode of the network namespace,
    0 for one that no other process uses, ``cookie`` its SO_NETNS_COOKIE, 0 if the kernel is to be
    asked; ``wait`` is the time in seconds that a transaction waits for the lock; ``runtime`` is the
    runtime directory, None for the default one. ``within`` calls a function inside the namespace.
    ``claims``: probe for addresses and announce them; ``aside``: the process is about to end and
    leaves slow work to a child; ``progress`` and ``claimant`` are those of a claim.Context;
    ``policy`` holds the defaults for wishes, None for the built-in ones. ``hands_off``: do not
    touch sysctls of main devices. ``session`` tells the packed address of the SSH session that a
    single wish must not take away, None for no such guard.
    ``changed`` gets the JSON objects (views/changes.py) of what is changed, None for none.
    ``outer`` gives the functions of check, reconcile and doctor, which import this module.
    ``texts``: refresh existing texts after each change; ``warn`` is called with the reason if that
    fails. ``identity`` tells the host and the namespace apart from others, for the MACs of new
    devices (macs.py); None leaves these to the kernel.
    """

    __slots__ = (
        "aside", "changed", "claimant", "claims", "cookie", "group", "hands_off", "identity",
        "kernel", "namespace", "outer", "policy", "progress", "registry", "runtime", "session",
        "texts", "wait", "warn", "within",
    )  # fmt: skip

    def __init__(
        self,
        kernel: Kernel,
        registry: Registry | None = None,
        *,
        group: int = GROUP,
        namespace: int = 0,
        cookie: int = 0,
        wait: float = 10.0,
        runtime: Directory | None = None,
        within: Call | None = None,
        claims: bool = False,
        aside: bool = False,
        policy: Policy | None = None,
        progress: Callable[[int], None] | None = None,
        claimant: Callable[..., ClaimSession] | None = None,
        hands_off: bool = False,
        session: Callable[[], bytes] | None = None,
        texts: bool = True,
        warn: Callable[[str], None] | None = None,
        identity: Callable[[], Identity] | None = None,
        changed: list[dict[str, object]] | None = None,
        outer: Callable[[str], Callable[..., Any]] | None = None,
    ) -> None:
        self.kernel = kernel
        self.registry = registry
        self.group = group
        self.namespace = namespace
        self.cookie = cookie
        self.wait = wait
        self.runtime = runtime
        self.within = within or call
        self.claims = claims
        self.aside = aside
        self.policy = policy
        self.progress = progress
        self.claimant = claimant
        self.hands_off = hands_off
        self.session = session
        self.texts = texts
        self.warn = warn
        self.identity = identity
        self.changed = changed
        self.outer = outer


class Engine:
    """The aliases of one network namespace, configured by a Setup.

    Several threads may use it: they take turns, since its kernel is one socket. Leaving it as a
    context manager closes its kernel.
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.kernel = setup.kernel
        self.registry = setup.registry or lazy()
        self.group = setup.group
        self.policy = setup.policy
        self._runtime = setup.runtime
        self._owns_kernel = True
        self.turn = RLock()
        self._changing = False
        self._path = ""
        self._saved: SavedSysctls | None = None
        self._macs: Macs | None = None
        self._former: FormerDevices | None = None
        self._seen: bool | None = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kernel, and let go of its namespace."""
        if self._owns_kernel:
            self.kernel.close()
            if hasattr(self.setup.within, "close"):
                self.setup.within.close()

    def derived(self, **changes: object) -> Engine:
        """An engine with the same registry and these *changes* to its Setup."""
        choices = {name: getattr(self.setup, name) for name in Setup.__slots__}
        choices |= {"registry": self.registry} | changes
        other = Engine(Setup(choices.pop("kernel"), **choices))
        other._saved, other._macs, other._former = self._saved, self._macs, self._former
        other.turn = self.turn if other.kernel is self.kernel else other.turn
        return other

    def within(self, work: Callable[[], T]) -> T:
        """The result of *work*, called inside the namespace."""
        found: T = self.setup.within(work)
        return found

    def rehearsal(self, kernel: Kernel) -> Engine:
        """An engine for a dry run on *kernel*, a copy in memory: no lock, no file, no packet."""
        from netalias.runtime.private import PrivateDirectory

        saved = self.saved(self.observe())
        other = self.derived(kernel=kernel, runtime=PrivateDirectory(), claims=False, texts=False)
        other._saved, other._former = saved.in_memory(), self.former_devices.in_memory()
        return other

    def lent(self, **changes: object) -> Engine:
        """An engine as by derived(), for use inside a transaction: closing it closes nothing."""
        if not self.runtime.path:
            self.saved(self.observe())  # so that both share the saved sysctls
        other = self.derived(texts=False, **changes)
        other._owns_kernel = False
        return other

    @property
    def runtime(self) -> Directory:
        """The runtime directory of the namespace."""
        if self._runtime is None:
            setup = self.setup
            if setup.namespace:
                from netalias.runtime import RuntimeDirectory

                self._runtime = RuntimeDirectory(setup.namespace, setup.wait)
            else:
                from netalias.runtime.private import PrivateDirectory

                self._runtime = PrivateDirectory()
        return self._runtime

    def transaction(self, *, dry: bool = False) -> Transaction:
        """A transaction of this engine, to be used in a ``with`` statement; *dry* for a dry run."""
        return Transaction(self, dry)

    def began(self, path: str, *, dry: bool = False) -> bool:
        """Note the begin of a transaction; *path* is the runtime directory, empty for none. Whether
        a killed run may have left sysctls, and they are to be restored, not so in a *dry* run."""
        self._changing = not dry
        self._path = path
        if path:
            self._saved = None
        if path and self._former is not None and not self._former.kept:
            self._former = None  # it was asked before there was a directory
        left = self.runtime.unsettled or (self._saved is not None and not self._saved.settled)
        return left and not (dry or self.setup.hands_off)

    def ended(self) -> None:
        """Note the end of a transaction."""
        self._changing = False

    def permitted_first(self, work: Callable[[], T]) -> T:
        """The result of *work*, which plans a change.

        Raises NotPermitted in place of any other error if the caller may not change the namespace;
        else the error of *work*.
        """
        try:
            return work()
        except errors.NetaliasError:
            self.kernel.permitted()
            raise

    # Reading

    def snapshot(self, read: Callable[[], Snapshot] | None = None) -> Snapshot:
        """A snapshot of the kernel, made by *read* if that is given. Raises KernelError."""
        with self.turn:
            found = (read or self.kernel.snapshot)()
        if self.kernel.inconsistent and self.setup.warn and not self._changing:
            self.setup.warn(MOVED)
            self.kernel.inconsistent = False
        return found

    def observe(self) -> Observed:
        """The observed state: a new snapshot and the aliases found in it. Raises KernelError."""
        return self.recognise(self.snapshot())

    def observe_one(self, name: AliasName) -> Observed:
        """The observed state, in which other aliases than *name* may be missing."""
        with self.turn:
            beside = self.within(lambda: self.kernel.near(name, self.group, b""))
            if beside is not None:
                from netalias.engine.near import shown

                found = shown(self, beside[0], name)
                if found is not None:
                    return found
            return self.observe()

    def owner(self, address: str, type_name: str = "") -> Alias | None:
        """The alias that owns *address*, as by observed.lookup(). Raises BadAddress, FamilyError,
        KernelError."""
        from netalias.observed.query import lookup

        alias_type = self.registry.get(type_name or ("ipv6" if ":" in address else "ip"))
        packed, _ = alias_type.parse(address)
        with self.turn:
            there = None
            if alias_type.family in (AF_INET, AF_INET6):
                there = self.within(lambda: self.kernel.owners(packed))
            if there is not None:
                from netalias.engine.near import owned

                found = owned(self, there, address, type_name)
                if found is not None:
                    return found
            return lookup(self.observe(), address, type_name)

    def recognise(self, snapshot: Snapshot) -> Observed:
        """The observed state: *snapshot* and the aliases found in it."""
        from netalias.observed import Observed

        return Observed(
            snapshot, self.registry, self.group, self.able, self.macs, self.former, self.outlets,
            self.raised,
        )  # fmt: skip

    def able(self, kind: str) -> bool:
        """Whether the kernel supports *kind*. Asking needs CAP_NET_ADMIN. Without it the answer is
        yes, but for ipvlan, which auto prefers: whether there is one."""
        try:
            return self.kernel.able(kind)
        except errors.NotPermitted:
            if kind != "ipvlan":
                return True
        if self._seen is None:
            devices = self.kernel.snapshot().devices.values()
            self._seen = any(device.kind == kind for device in devices)
        return self._seen

    def outlets(self) -> Outlets:
        """The answers of the kernel about gateways, asked for once each."""
        from netalias.observed.outlets import Outlets

        return Outlets(self.kernel.routing(), self.within, self.kernel.common)

    def macs(self) -> ChooseMac | None:
        """The choice of MACs for new devices; None where it is left to the kernel."""
        if self.setup.identity is None:
            return None
        if self._macs is None:
            known = self.within(self.setup.identity)
            from netalias.engine.macs import Macs

            self._macs = Macs(known)
        return self._macs.choose

    # Former devices

    @property
    def former_devices(self) -> FormerDevices:
        """The former devices of the aliases, as this process and earlier runs have noted them."""
        if self._former is None:
            path = self._path if self._changing else self.runtime.path
            cookie = self._cookie() if path else 0
            from netalias.runtime.former import FormerDevices

            self._former = FormerDevices(path, cookie)
        return self._former

    def former(self) -> Former:
        """The ifindex and MAC of the device that an alias had, by its name."""
        return self.former_devices.find

    def _cookie(self) -> int:
        """The cookie of the namespace, by which the lock was taken if it was; 0 if unknown."""
        return self.runtime.cookie or self.setup.cookie or self.kernel.cookie()

    # Sysctls of main devices

    def saved(self, observed: Observed | None = None) -> SavedSysctls:
        """The former values of sysctls that netalias has set on the devices of *observed*, which
        holds all devices; by default as they were asked for last."""
        path = self._path if self._changing else self.runtime.path
        # An engine that was lent may have changed the file.
        if self._saved is None or (path and observed is not None):
            cookie = self._cookie() if path else 0
            from netalias.plan.sysctls import RAISED
            from netalias.runtime.sysctls import SavedSysctls

            self._saved = SavedSysctls(RAISED, path, cookie)
        if observed is not None and self._saved.values:
            from netalias.plan.sysctls import proven

            known = proven(observed)
            self._saved.prune(observed.snapshot.devices, known, write=self._changing)
        return self._saved

    def raised(self, main: Device) -> dict[str, int]:
        """The values before netalias raised sysctls of a main device, by name; none if it leaves
        these alone."""
        if self.setup.hands_off:
            return {}
        if self.runtime.path and not self._changing:
            self._saved = None  # another run may have changed the record
        return self.saved().raised(main)

    def common(self) -> dict[str, int]:
        """The sysctls of net.ipv4.conf.all that matter: COMMON of kernel."""
        from netalias.kernel import COMMON

        return self.within(lambda: {key: self.kernel.common(key) for key in COMMON})

    def terms(self, observed: Observed) -> SysctlTerms:
        """The inputs for sysctl changes that *observed* does not contain."""
        saved, common, off = self.saved(observed), self.common(), self.setup.hands_off
        from netalias.plan.sysctls import SysctlTerms

        return SysctlTerms(saved.values, common, hands_off=off, keeping=saved.keeping)

    def sysctls(self, observed: Observed, plans: Sequence[Plan]) -> list[Difference]:
        """The sysctl changes on main devices that *plans* require or make possible."""
        terms = self.terms(observed)
        from netalias.plan.sysctls import differences

        return differences(observed, plans, terms)

    # One wish

    def plan(self, wish: Wish, *, force: bool = False) -> Plan:
        """The plan that makes *wish* true; nothing is changed. Raises StateError, KernelError.

        Without CAP_NET_ADMIN the supported kinds are guessed, see able().
        """
        with self.turn:
            return self._read_and_plan(wish, force, self.able)[1]

    def _read_and_plan(
        self, wish: Wish, force: bool, able: Callable[[str], bool], *, near: bool = True
    ) -> tuple[Observed, Plan]:
        """The observed state, and the plan that makes *wish* true in it; with *near* the state may
        be that of the alias alone (near.py)."""
        beside = None
        if near and self.policy is None:
            local = wish.address
            beside = self.within(lambda: self.kernel.near(wish.name, self.group, local))
        if beside is not None:
            from netalias.engine.near import planned

            found = planned(self, *beside, wish, force, able)
            if found is not None:
                return found
        snapshot = self.kernel.snapshot()
        from netalias.observed import Observed

        observed = Observed(
            snapshot, self.registry, self.group, able, self.macs, outlets=self.outlets,
            raised=self.raised,
        )  # fmt: skip
        result = self.plan_in(observed, wish, force)
        assert result is not None
        return observed, result

    def plan_in(self, observed: Observed, wish: Wish, force: bool) -> Plan | None:
        """The plan that makes *wish* true in *observed*; None where that is partial and sysctls may
        have to change, or prefixes to be kept. Raises StateError, KernelError."""
        main = None if wish.delete else observed.snapshot.device(wish.name.main)
        name = wish.name
        if main is not None and main.name != name.main:  # an altname
            name = names.AliasName(main.name, name.slot)
        present = observed.by_name.get(name, ()) if main is not None else ()
        networked = [one for one in present if one.entry is not None and one.entry.networked]
        if networked:
            from netalias.engine.connected import examine

            examine(self.kernel, observed, networked)
        # Imported here: a command that only reads does not need these modules.
        from netalias.plan import concerns_sysctls, plan, protect

        result = plan(wish, observed, force=force)
        if self.setup.session is not None and not force:
            protect(result, self.setup.session, observed)
        alias = result.alias
        if alias is not None and alias.kind == "label" and result.steps:
            from netalias.plan.order import keep_secondaries

            keep_secondaries([result], observed.snapshot)
            if observed.snapshot.local_routes or result.kind == "prefix":
                from netalias.plan.last_address import keep_prefixes

                if keep_prefixes([result], observed.snapshot) and observed.partial:
                    return None  # the main device may have other addresses
        if alias is not None and alias.hidden is not None and result.steps:
            from netalias.plan.deserted import shrink

            shrink([result], observed.snapshot)
        if alias is not None and alias.family == AF_INET6 and result.steps and not wish.delete:
            from netalias.plan.transfer import keep_unique

            keep_unique([result])
        if concerns_sysctls(result, observed):
            if observed.partial:
                return None
            result.sysctls = self.sysctls(observed, [result])
        return result

    def realise(self, wish: Wish, *, force: bool = False) -> Plan:
        """Make *wish* true, or leave everything as it was; the plan that was carried out.

        Raises StateError, KernelError or LockBusy; NotPermitted takes precedence.
        """
        with self.transaction():
            return self._realise(wish, force, near=True)

    def _realise(self, wish: Wish, force: bool, *, near: bool) -> Plan:
        """realise() in a transaction; with *near* first on what the alias depends on."""
        kernel = self.kernel
        observed, result = self.permitted_first(
            lambda: self._read_and_plan(wish, force, kernel.able, near=near)
        )
        if not result.all_steps:
            kernel.permitted()
            return result
        from netalias.plan import Difference

        items = [Difference("", wish.name, result, wish), *result.sysctls]
        simple = self.policy is None and result.is_simple(wish)
        session = None if simple else self.claiming(observed, items)
        if session is not None and session.unprobed():
            from netalias.engine.probing import probed

            observed, items, session = probed(
                self.claiming,
                (observed, items),
                lambda: self._read_and_plan(wish, force, kernel.able, near=False),
                wish,
            )
            result = items[0].plan
        if result.all_steps:
            fresh = session is None
            result.notes += execute(self, observed, items, session, atomic=True, fresh=fresh)
        for item in items:
            if item.error is not None:
                if observed.partial:  # something else may be in the way
                    return self._realise(wish, force, near=False)
                raise item.error
        if simple and wish.announce is None:
            result.notes += self._announce_one(result, observed)
        return result

    def _announce_one(self, result: Plan, observed: Observed) -> list[str]:
        """Announce one IPv4 address without importing claim; a note if that fails."""
        setup, goal = self.setup, result.goal
        if not setup.claims:
            return []
        assert goal is not None
        device, mac, macvlans = goal.main.name, goal.main.mac, 0
        if result.kind == "macvlan":
            device, mac = result.carrier, b""
            macvlans = observed.snapshot.count(goal.main.index, "macvlan")
        from netalias.packets import NEAR, single

        crowded = result.kind == "macvlan" and (observed.partial or macvlans > NEAR)
        over = goal.main.name if crowded else ""
        try:
            self.within(lambda: single(device, mac, goal.address, over=over, aside=setup.aside))
        except errors.NetaliasError as error:
            return [f"{goal.name}: not announced: {error.line()}"]
        return []

    # Claims

    @property
    def context(self) -> Context | None:
        """The context of claims; None if addresses are neither probed for nor announced."""
        if not self.setup.claims:
            return None
        from netalias.claim import Context

        setup = self.setup
        return Context(
            self.within, aside=setup.aside, progress=setup.progress, claimant=setup.claimant
        )

    def claiming(
        self, observed: Observed, differences: Iterable[Difference]
    ) -> ClaimSession | None:
        """The session that claims the addresses added by *differences*; None without any."""
        changes = [one for one in differences if one.plan.steps]
        coming = [one for one in changes if one.plan.goal is not None and one.plan.goal.up]
        pairs = [(one.model, one.plan) for one in coming]
        context = self.context if coming else None
        if context is None:
            return None
        from netalias.claim.session import opened

        return opened(context, self.kernel, observed.snapshot, pairs, self.policy)

    # Calls of a program (program/)

    def create(self, name: object, address: object, *words: object, **named: Any) -> AliasView:
        """The alias made by ``create("eth0:0", "200.1.1.1/24", mtu=1400)``.

        An existing alias is re-addressed in place. The words of the grammar are keywords: ``kind``,
        ``prefixlen``, ``netmask``, ``mtu``, ``metric``, ``mac`` (or "random"), ``up``,
        ``broadcast`` (None for none), ``pointopoint``, ``lease`` (seconds, or None),
        ``gateway``, ``linklocal``, ``deprecated``, ``source``, ``optimistic``, ``acd``,
        ``conflict``, ``announce``; or texts, as in a command. ``force=True``: also on a main
        device that is down. Names and addresses of other types, as ipaddress has them, are taken
        as their texts. Raises the errors of realise() and desired.parse().
        """
        from netalias.engine.program import create

        return create(self, name, address, words, named)

    def delete(self, name: object) -> None:
        """Delete the alias or label *name*. Raises NoSuchDevice, NotOurs, KernelError."""
        from netalias.engine.program import delete

        delete(self, name)

    def get(self, name: object) -> AliasView:
        """The alias called *name*. Raises BadName, NoSuchDevice."""
        from netalias.engine.program import get

        return get(self, name)

    def show(self, *wanted: object) -> list[AliasView]:
        """All aliases in chain order, or those that the names of main devices or aliases in
        *wanted* select. Raises BadName, NoSuchDevice."""
        from netalias.engine.program import show

        return show(self, wanted)

    def lookup(self, address: object, type_name: str = "") -> AliasView | None:
        """The alias that owns *address*; None without one. Raises BadAddress."""
        from netalias.engine.program import owner

        return owner(self, address, type_name)

    def check(self, *files: object, text: str | None = None, only: str = "") -> Any:
        """A Comparison: what differs from *files*, by default the usual ones, or from a *text*.

        With *only*, on one main device. Nothing is changed. Raises DeclarationError, StateError,
        KernelError.
        """
        return self._outer("check")(self, files, text, only)

    def reconcile(self, *files: object, text: str | None = None, **limits: Any) -> Any:
        """Make the kernel agree with the declarations of check(); a Comparison of what was done.

        What is refused has an ``error`` in ``changes``. The *limits* are ``only``, ``force``,
        ``allow_empty``, ``allow_shrink`` (see the options) and ``protected``, a packed address
        that no change may take away. Raises DeclarationError, StateError, KernelError, LockBusy.
        """
        return self._outer("reconcile")(self, files, text, limits)

    def save(self, *wanted: object, mac: bool = False) -> str:
        """The aliases that netalias made as lines of a file, or those in *wanted*, as in show();
        *mac*: with the MAC of each device. Raises BadName, NoSuchDevice."""
        from netalias.engine.program import save

        return save(self, wanted, mac=mac)

    def doctor(self, *wanted: object) -> Any:
        """The list of Findings about all, or about main devices and
        aliases in *wanted*. Raises NoSuchDevice; StateError for a kernel in memory."""
        return self._outer("doctor")(self, [str(one) for one in wanted])

    def _outer(self, name: str) -> Callable[..., Any]:
        """The function of a module that imports this one. Raises StateError."""
        if self.setup.outer is None:
            raise errors.StateError(f"{name} needs an engine that netalias.open() has made")
        return self.setup.outer(name)


class Transaction:
    """A context manager that holds the lock of the namespace, and refreshes the texts at the end.

    ``path`` is the runtime directory, empty for none; ``restored`` are the differences in sysctls
    that a killed run had left, and that were removed at the begin.
    """

    def __init__(self, engine: Engine, dry: bool) -> None:
        self._engine = engine
        self._dry = dry
        self.path = ""
        self.restored: list[Difference] = []

    def __enter__(self) -> Transaction:
        """Take the lock, after the turn among threads. Raises LockBusy after Setup.wait seconds,
        StateError if no directory is writable, and the errors of settle()."""
        engine = self._engine
        if not engine.turn.acquire(timeout=engine.setup.wait):
            raise errors.LockBusy(f"another thread is at work (waited {engine.setup.wait:g} s)")
        try:
            runtime = engine.runtime  # made by the first thread that needs it
            runtime.acquire(engine.setup.cookie or engine.kernel.cookie())
        except BaseException:
            engine.turn.release()
            raise
        self.path = runtime.path
        try:
            if engine.began(self.path, dry=self._dry):
                from netalias.engine.settling import settle

                self.restored = settle(engine)
                _record(engine, self.restored)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._refresh()
        finally:
            self._engine.ended()
            self._engine.runtime.release()
            self._engine.turn.release()

    def _refresh(self) -> None:
        """Rewrite the texts if they exist and the kernel was changed."""
        engine = self._engine
        namespace = engine.runtime.namespace
        if not (namespace and engine.setup.texts and engine.kernel.changed):
            return
        from os.path import exists

        from netalias.runtime import TEXTS

        if not exists(TEXTS):
            return
        from netalias.engine.texts import refresh

        problem = refresh(TEXTS, namespace, engine.observe, engine.within)
        if problem and engine.setup.warn is not None:
            engine.setup.warn(problem)


def execute(
    engine: Engine,
    observed: Observed,
    items: list[Difference],
    session: ClaimSession | None = None,
    *,
    ordered: bool = False,
    atomic: bool = False,
    fresh: bool = False,
    silent: bool = False,
) -> list[str]:
    """Carry out differences; a refused one is undone and gets its ``error``.

    *session* claims the addresses that they add. With *ordered*, all differences after the first
    refused one are undone too; with *atomic*, all of them. Sysctls that only refused aliases needed
    are restored, and those differences are added to *items*. *fresh*: nothing but planning was done
    since *observed* was read; else another reading proves it (kernel/proof.py). *silent*: the
    caller records the changes itself. Returns notes on addresses that could not be announced.
    Raises StateError if the saved sysctls cannot be written, KernelError if the kernel's verdicts
    cannot be followed.
    """
    engine.runtime.forget()
    if session is None:
        _change(engine, items, None, observed.snapshot, ordered, atomic, fresh)
        if not silent:
            _record(engine, items)
        return []
    with session:
        session.follow()
        _change(engine, items, session, observed.snapshot, ordered, atomic, fresh=False)
        _record(engine, items)
        return session.announce([item.plan for item in items if item.error is not None])


def _record(engine: Engine, items: Iterable[Difference]) -> None:
    if engine.setup.changed is not None:
        from netalias.views.changes import record

        record(engine.setup, items, engine.registry)


def _change(
    engine: Engine,
    items: list[Difference],
    session: ClaimSession | None,
    seen: Snapshot,
    ordered: bool,
    atomic: bool,
    fresh: bool,
) -> None:
    """Carry out *items* in two sends: everything else first, then the sysctls to be restored."""
    if not any(item.sysctl_change or item.plan.switched for item in items):
        _run(engine.kernel, items, session, seen, ordered, atomic, fresh=fresh)
        return
    from netalias.plan.sysctls import former, restored

    saved, failed = engine.saved(), True
    before = saved.settled
    saved.begin(former(items))
    try:
        returns = [one for one in items if one.sysctl_change and one.sysctl_change.restores]
        # A verdict of the kernel takes seconds, in which somebody may change them.
        later = returns if session is not None or not atomic else []
        now = [one for one in items if one not in later]
        _run(engine.kernel, now, session, seen, ordered, atomic, fresh=fresh)
        if later or (not atomic and any(item.error is not None for item in items)):
            from netalias.engine.settling import due

            # A request to stop leaves no sysctl behind that nothing needs any more.
            back, seen = due(engine, items, later)
            _run(engine.kernel, back, None, seen, False, False, stoppable=False, fresh=True)
        failed = any(item.error is not None for item in items)
    finally:
        if failed:
            from netalias.engine.settling import recover

            recover(engine)
        else:
            saved.end(restored(items), settled=before)


def _run(
    kernel: Kernel,
    items: Sequence[Difference],
    session: ClaimSession | None,
    seen: Snapshot,
    ordered: bool,
    atomic: bool,
    *,
    stoppable: bool = True,
    fresh: bool = False,
) -> None:
    """Execute all items in one send. An item gets its ``error`` if the kernel refuses it or
    *session* finds its address in use."""
    if not items:
        return
    # The owner of a step is the number of its item, so that each item is undone by itself.
    shared: dict[int, Step] = {}  # those that make hidden devices
    for number, item in enumerate(items):
        plan = item.plan
        before = plan.goal.before if plan.goal is not None else ()
        for step in (*before, *plan.steps, *plan.fallback):
            step.owner = 0 if atomic else number
        if before:
            shared |= {id(step): step for step in before}
    steps = [*shared.values(), *(step for item in items for step in item.plan.steps)]
    settled = session.hand_over if session is not None else None
    try:
        failures = kernel.apply(
            steps, ordered=ordered, stoppable=stoppable, seen=seen, fresh=fresh, settled=settled
        )
    except BaseException:
        _undoing(kernel, items, seen, atomic).bring_back(range(len(items)))
        raise
    if failures:
        found = {failure.step.owner: failure for failure in failures}
        _undoing(kernel, items, seen, atomic).settle(found)
    if session is not None:
        _apply_verdicts(kernel, items, session, seen, atomic)


def _apply_verdicts(
    kernel: Kernel,
    items: Sequence[Difference],
    session: ClaimSession,
    seen: Snapshot,
    atomic: bool,
) -> None:
    """Undo the items whose address another host has, according to the kernel (RFC 4862).

    On an interruption the items without a verdict are undone.
    """
    try:
        verdicts = session.verdicts()
    except BaseException:
        _undoing(kernel, items, seen, atomic).stop(session.awaited)
        raise
    found = [(one.plan, error) for one, error in verdicts if one.plan is not None]
    if found:
        _undoing(kernel, items, seen, atomic).take_back(found)


def _undoing(kernel: Kernel, items: Sequence[Difference], seen: Snapshot, atomic: bool) -> Undoing:
    """The undoing of *items*; its module is imported only after a refusal."""
    from netalias.engine.undo import Undoing

    return Undoing(kernel, items, seen, atomic)
