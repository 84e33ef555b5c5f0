"""What is done about events: aliases go with their main device, and come back as they are wished.

Few wishes for host addresses are compared with what the events have told, so that one alias of
thousands comes back without a reading of the others; everything else is a reconciliation. Whether
it worked, the next events tell.
"""

from __future__ import annotations

from netalias import errors
from netalias import reconcile as engine_room
from netalias.agenda import ADDED, CHANGED, REMOVED, compare
from netalias.chain import ordered
from netalias.declarations import Declarations, counted, parse
from netalias.fold import lines
from netalias.kernel import GONE
from netalias.kinds import World
from netalias.leases import leftovers
from netalias.model import Alias
from netalias.names import AliasName
from netalias.views.difference import line
from netalias.watch.culprit import port_of, who
from netalias.watch.focus import focused, snapshot
from netalias.watch.patience import Patience
from netalias.watch.stacking import Stacking
from netalias.watch.wished import FREE, Wished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from netalias.agenda import Agenda, Item
    from netalias.engine import Engine
    from netalias.kernel.events import Stream
    from netalias.reconcile import Outcome
    from netalias.watch.journal import Journal
    from netalias.watch.stacking import News
    from netalias.wishes import Wish

BUSY = 0.02
"""Seconds after which the lock is asked for again."""
AGAIN = 1.0
"""Seconds after which what was refused is tried again, at first; and whether a pause is over."""
FEW = 8
"""So many aliases are named one by one."""
WHOLE = "everything"

DID = {ADDED: "removed", CHANGED: "changed"}
"""Sign of a difference: what others have done to the alias."""


class Keeping:
    """One namespace. ``wake`` is when there is something to do again, None for never.

    ``touched``: there may be other aliases than before; ``raised``: some device came, or came up;
    ``linked``: indexes of main devices that got a carrier; these belong to whoever resets them.
    ``healed`` counts aliases. *paused* says why nothing may be changed at present, or nothing.
    """

    def __init__(
        self,
        engine: Engine,
        stream: Stream,
        journal: Journal,
        clock: Callable[[], float],
        *,
        on_down: str = FREE,
        allow_empty: bool = False,
        allow_shrink: bool = False,
        paused: Callable[[], str] = str,
    ) -> None:
        self.engine = engine
        self.wake: float | None = None
        self.touched = True
        self.raised = False
        self.linked: set[int] = set()
        self.healed = 0
        self._stream = stream
        self._journal = journal
        self._clock = clock
        self._paused = paused
        self._rules = engine_room.Rules(allow_empty=allow_empty, allow_shrink=allow_shrink)
        self._fresh = False
        self._stacking = Stacking(stream.state, Wished(Declarations([], []), on_down), engine.group)
        self._patience = Patience()
        self._late: dict[AliasName, float] = {}
        self._waited: set[AliasName] = set()
        self._whole_at: float | None = None
        self._said: set[str] = set()
        self._own = port_of(engine.kernel.fileno())

    @property
    def wished(self) -> Wished:
        """What is kept true."""
        return self._stacking.wished

    def world(self) -> World:
        """The aliases, as the events have told of them."""
        return World(snapshot(self._stream.state), self.engine.registry, self.engine.group)

    # What is wished

    def wish(self, alias: Alias) -> Wish | None:
        """What is declared for it, by any name of its main device; the wish of its line."""
        names = (name for name in self._called(alias) if name in self.wished)
        return next((self.wished.wish(name) for name in names), None)

    @staticmethod
    def _called(alias: Alias) -> Iterable[AliasName]:
        main = alias.main
        mains = (alias.name.main,) if main is None else (main.name, *main.altnames)
        return (AliasName(one, alias.name.slot) for one in mains)

    def load(self, declared: Declarations) -> None:
        """From now on these are the wishes; act() lets go what is not among them, as a
        reconciliation does. Without any, and without allow_empty, nothing goes."""
        self._stacking.wished = Wished(declared, self.wished.on_down)
        self._patience = Patience()
        self._late.clear()
        self._waited.clear()
        self._said.clear()
        news = self._stacking.news
        news.whole = True
        news.risen |= self.wished.mains
        self._fresh = bool(declared.blocks) or self._rules.allow_empty

    def settle(self) -> None:
        """A main device that is down when the watching begins has no aliases either."""
        for device in list(self._stream.state.devices()):
            if not device.up:
                self._stacking.fell(device)

    # What happens

    def hear(self) -> None:
        """Take in what the kernel has announced. Raises WireError, KernelError."""
        add, stream = self._stacking.add, self._stream
        for event in stream.read():
            add(event, stream.port if stream.port != self._own else 0)
        news = self._stacking.news
        self.touched |= news.touched
        self.raised |= news.raised
        self.linked |= news.linked
        news.touched = news.raised = False
        news.linked = set()

    def act(self) -> None:
        """Do what is to be done now. Raises NetaliasError; what was not done is tried again."""
        now = self._clock()
        news = self._stacking.news
        self._due(news, now)
        retry = None
        try:
            if news.pressing:
                retry = self._act(news, now)
                if news.pressing and retry is None:
                    retry = now  # it was heard of while the rest was done
        except errors.LockBusy:
            retry = now + BUSY
        except errors.NetaliasError:
            self._later(now)
            raise
        finally:
            times = [*self._late.values(), self._whole_at, retry]
            self.wake = min((when for when in times if when is not None), default=None)

    def _due(self, news: News, now: float) -> None:
        for name in [name for name, when in self._late.items() if when <= now]:
            del self._late[name]
            self._waited.add(name)
            news.dirty.setdefault(name, 0)
        if self._whole_at is not None and self._whole_at <= now:
            self._whole_at = None
            news.whole = True

    def _later(self, now: float) -> None:
        """Everything is compared again in a while."""
        self._whole_at = max(now + AGAIN, self._patience.undone(WHOLE, now))

    def _act(self, news: News, now: float) -> float | None:
        reason = self._paused()
        if reason:
            self._once(reason)
            return now + AGAIN
        self._rest(news, now)
        if not news.pressing:
            return None
        if news.few and all(map(self.wished.simple, news.dirty)):
            self._heal(news, now)
            return None
        with self.engine.locked():
            self.hear()
            self._free(news)
            self._follow(news)
            self._sweep(news)
            if self._fresh:
                self._fresh = False  # a guard rail that refuses it refuses it once
                self._reconcile(self.wished.declared, self._rules, {}, now)
                news.whole = False
                news.dirty.clear()
            else:
                self._heal_all(news, now)
        return None

    def _rest(self, news: News, now: float) -> None:
        """Who quarrels about an alias waits his time."""
        for name in list(news.dirty):
            when = self._patience.until(name)
            if when > now:
                del news.dirty[name]
                self._late[name] = when

    # Few aliases

    def _heal(self, news: News, now: float) -> None:
        """Put right what is not as it is wished, by what the events have told."""
        found = {name: port for name, port in news.dirty.items() if self.wished.heals(name)}
        _, agenda = self._compared(found)
        if agenda.items:
            with self.engine.locked():
                self.hear()
                world, agenda = self._compared(found)
                agenda.items = self._patiently(agenda.items, found, now)
                if agenda.items:
                    outcome = engine_room.mend(self.engine, world, agenda)
                    for item in filter(_is_late, outcome.failed):
                        self._patience.forgive(self._declared(item))
                    self._tell_healed(outcome.done, found)
                    self._tell_trouble(outcome, now)
        for one in agenda.skipped:
            self._once(one.line())
        for name in [*found, *(name for name in news.dirty if not self.wished.heals(name))]:
            news.dirty.pop(name, None)

    def _compared(self, found: Iterable[AliasName]) -> tuple[World, Agenda]:
        wanted = self.wished.some(found)
        seen = focused(self._stream.state, wanted, self.engine.group)
        world = World(seen, self.engine.registry, self.engine.group)
        return world, compare(wanted, world, self.engine.able, removing=False)

    def _patiently(
        self, items: Iterable[Item], found: dict[AliasName, int], now: float
    ) -> list[Item]:
        """Those that may be put right now; the others have their time."""
        ready = []
        for item in items:
            name = self._declared(item)
            when = now if name in self._waited else self._patience.undone(name, now)
            self._waited.discard(name)
            if when <= now:
                ready.append(item)
                continue
            self._late[name] = when
            by = who(found.get(name, 0)) or "somebody"
            self._journal.warning(f"{name}: {by} keeps undoing it: next try in {when - now:.0f} s")
        return ready

    def _declared(self, item: Item) -> AliasName:
        """The name by which an alias is declared; its main device may have several."""
        if item.name in self.wished:
            return item.name
        for device in self._stream.state.devices():
            if device.name == item.name.main:
                for altname in device.altnames:
                    name = AliasName(altname, item.name.slot)
                    if name in self.wished:
                        return name
        return item.name

    # All of them

    def _heal_all(self, news: News, now: float) -> None:
        """Compare everything with what is wished, but remove nothing."""
        if news.whole or news.dirty:
            healing = self.wished.healing(news.risen)
            rules = engine_room.Rules(removing=False)
            self._reconcile(healing, rules, dict(news.dirty), now)
        news.whole = False
        news.risen.clear()
        news.dirty.clear()

    def _reconcile(
        self,
        declared: Declarations,
        rules: engine_room.Rules,
        touched: dict[AliasName, int],
        now: float,
    ) -> None:
        outcome = engine_room.reconcile(self.engine, declared, rules)
        done = outcome.done
        undone = [item for item in done if self._declared(item) in touched]
        for item in undone:
            self._patience.undone(self._declared(item), now)
        self._tell_healed(undone, touched)
        self._tell_done([item for item in done if item not in undone])
        for one in [*outcome.agenda.skipped, *outcome.lost]:
            self._once(one.line())
        self._tell_trouble(outcome, now)

    def _free(self, news: News) -> None:
        """Aliases go with a main device that went down, or away: it first, they in chain order."""
        if not (news.down or news.gone):
            return
        world = self.engine.world()
        leaving = [
            alias
            for alias in ordered(world.aliases, world.snapshot)
            if alias.ours and self._goes(alias, news)
        ]
        if leaving:
            outcome = engine_room.remove(self.engine, world, leaving)
            for main in dict.fromkeys(alias.name.main for alias in leaving):
                mine = [item for item in outcome.done if item.name.main == main]
                freed = sum(item.sign == REMOVED for item in mine)
                why = "is gone" if main in news.gone else "is down"
                self._journal.notice(f"{main} {why}: {counted(freed, 'alias')} freed")
            self._tell_trouble(outcome, self._clock())
        news.down.clear()
        news.gone.clear()

    def _sweep(self, news: News) -> None:
        """What is left of leases that nobody has renewed, nor declared."""
        if not news.expired:
            return
        news.expired = False
        world = self.engine.world()
        left = [alias for alias in leftovers(world.aliases) if self.wish(alias) is None]
        if left:
            outcome = engine_room.remove(self.engine, world, left)
            for item in outcome.done:
                if item.sign == REMOVED:
                    self._journal.notice(f"{item.name}: its lease has expired, and it is removed")
            self._tell_trouble(outcome, self._clock())

    def _goes(self, alias: Alias, news: News) -> bool:
        main = alias.main
        if main is None:
            return alias.name.main in news.gone
        if main.index not in news.down or main.up:
            return False
        return self.wished.freed(self._called(alias))

    def _follow(self, news: News) -> None:
        """Aliases that nobody has declared are called as their main device is called now."""
        renamed, relabelled = dict(news.renamed), dict(news.relabelled)
        news.renamed.clear()
        news.relabelled.clear()
        if not renamed:
            return
        world = self.engine.world()
        for index, old in renamed.items():
            main = world.snapshot.devices.get(index)
            if main is None or main.name == old:
                continue
            if old in self.wished.mains:
                says = f"the aliases declared for {old} stay as they are"
                self._journal.warning(f"{old} is called {main.name} now: {says}")
                continue
            found = [alias for alias in world.aliases if alias.ours and alias.main is main]
            for entry in world.snapshot.on(index):
                slot = relabelled.get((index, entry.local))
                if slot is not None and ":" not in entry.label:
                    alias = Alias(AliasName(main.name, slot), "label", main=main, entry=entry)
                    alias.family, alias.address = entry.family, entry.local
                    alias.prefixlen = entry.prefixlen
                    found.append(alias)
            text = "\n".join(lines(found, self.engine.registry, mac=True))
            wanted = parse([(f"aliases of {old}", text)], self.engine.registry)
            named = [one for one in wanted.blocks if one.wish.name not in self.wished]
            agenda = compare(
                Declarations(named, []), world, self.engine.able, removing=False, force=True
            )
            if agenda.items:
                outcome = engine_room.mend(self.engine, world, agenda)
                self._journal.notice(
                    f"{old} is called {main.name} now:"
                    f" {counted(len(outcome.done), 'alias')} renamed"
                )
                self._tell_trouble(outcome, self._clock())

    # What is said

    def _once(self, text: str) -> None:
        """A lasting trouble is told once, until other wishes count."""
        if text not in self._said:
            self._said.add(text)
            self._journal.warning(text)

    def _tell_done(self, items: Sequence[Item]) -> None:
        for item in items:
            self._journal.debug(line(item, self.engine.registry))
        if items:
            self._journal.info(counted(len(items), "change"))

    def _tell_healed(self, items: Sequence[Item], ports: dict[AliasName, int]) -> None:
        """Who has done what to an alias, and that it is as it was."""
        self.healed += len(items)
        for item in items[:FEW]:
            by = who(ports.get(self._declared(item), 0))
            did = DID.get(item.sign, "changed") + (f" by {by}" if by else "")
            self._journal.info(f"{item.name} was {did}: put right")
        if len(items) > FEW:
            self._journal.info(f"{counted(len(items) - FEW, 'alias')} more put right")
        for item in items:
            self._journal.debug(line(item, self.engine.registry))

    def _tell_trouble(self, outcome: Outcome, now: float) -> None:
        for note in outcome.notes:
            self._journal.warning(note)
        failed = [item for item in outcome.failed if not _is_late(item)]
        for item in failed:
            assert item.error is not None
            self._once(f"{f'{item.place}: ' if item.place else ''}{item.error.line()}")
        for item in outcome.wrong:
            self._once(f"still different: {line(item, self.engine.registry)}")
        if failed or outcome.wrong:
            self._later(now)


def _is_late(item: Item) -> bool:
    """Whether what it was about had gone by then: the kernel takes a device down before it deletes
    it, and the next event tells."""
    return item.error is not None and item.error.errno in GONE
