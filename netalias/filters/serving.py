"""The filters of both ends of a link, in the loop of the process that serves it.

What the peer wants is put on the TAP, so frames that it does not want never leave the kernel. Those
that were in the queue of the TAP by then are dropped when they are read.
"""

from __future__ import annotations

from errno import EINVAL, ENOMEM
from time import monotonic

from netalias import errors
from netalias.filters import Filters, Judge, spec, texts, wants
from netalias.filters.exchange import Exchange
from netalias.filters.program import program
from netalias.kernel.netlink import heard
from netalias.links.beside import Beside
from netalias.links.protocols import of_vendor, vendor
from netalias.tunnels import filter as device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netalias.links.runner import LinkRunner
    from netalias.links.session import Session
    from netalias.model.events import Event

TOO_LONG = (EINVAL, ENOMEM)
"""Errors of the kernel about a program that it would take if it were shorter."""


class Held:
    """State with which another process goes on: the filters of the peer, the frames that were
    dropped when they were read, those that the kernel had dropped before its first filter, and
    whether the peer was told filters of this end."""

    __slots__ = ("before", "dropped", "filters", "told")

    def __init__(
        self,
        filters: Filters | None = None,
        dropped: int = 0,
        before: int | None = None,
        *,
        told: bool = False,
    ) -> None:
        self.told = told
        self.filters = filters or Filters()
        self.dropped = dropped
        self.before = before


def unpacked(found: Any) -> Held:
    """The state that Filtering.packed() gave."""
    lists = ([(one.first, one.last) for one in found[name]] for name in ("types", "groups"))
    before = None if found.before < 0 else found.before
    return Held(Filters(*lists), found.dropped, before, told=found.told)


class Filtering(Beside):
    """A part of the loop of *runner*, whose device is a TAP. The peer is obeyed in any case, and
    told what this end wants only if that is *asked*; *link_local* as in wants.filters(). *held* is
    what another process has handed over. Raises KernelError."""

    def __init__(
        self,
        runner: LinkRunner,
        session: Session,
        *,
        asked: bool = False,
        link_local: bool = False,
        held: Held | None = None,
    ) -> None:
        self._runner = runner
        self._session = session
        self._link_local = link_local
        self._peer = self._connection()
        self.held = held or Held()
        self.exchange = Exchange(self._apply, self.held.filters, told=self.held.told)
        self.wanted_now = Filters()
        self._judge = Judge(self.held.filters)
        self._monitor = heard.monitor(media=False) if asked else None
        self._heard = heard.Heard(self._monitor, self._hear) if self._monitor else None
        self._index = 0
        self._sources: frozenset[int] = frozenset()
        self._stale = False
        """Whether an event of one of these devices came since it was derived."""
        self._refusal: int | None = None
        """The last error of the kernel about a filter, which is told once."""
        runner.beside = self
        if self.held.filters:
            # The program stands on the device; a copy of ours outlives a kernel that lost it.
            self._apply(self.held.filters)
        if self._monitor is not None:
            for _ in self._monitor.start():
                pass
            self._want(monotonic())
        elif self.held.told:
            self.exchange.want(self.wanted_now, monotonic())  # nothing is filtered from now on

    def wanted(self, now: float) -> dict[int, int]:
        """Announcements of the kernel."""
        return {} if self._heard is None else self._heard.wanted(now)

    def ready(self, fileno: int, events: int, now: float) -> None:
        """Derive anew what this end wants, after an event that may change it."""
        if self._heard is None:
            return
        try:
            self._heard.tick(now)
        except errors.NetaliasError as error:  # it is read again with the next announcement
            self._session.log.warning(error.line())
            return
        if self._stale:
            self._want(now)

    def _hear(self, event: Event) -> None:
        self._stale |= wants.concerns(event, self._sources)

    def due(self, now: float) -> float | None:
        """At once when the link opens or is lost; then when a message is due, or announcements were
        lost."""
        if self._connection() != self._peer:
            return 0.0
        times = [self.exchange.due(now) if self._peer else None]
        times += [] if self._heard is None else [self._heard.due(now)]
        return min((one for one in times if one is not None), default=None)

    def tick(self, now: float) -> None:
        """Begin with another peer, or send what is due."""
        if self._heard is not None and self._heard.due(now) == 0:
            self.ready(-1, 0, now)
        if self._connection() != self._peer:
            self._peer = self._connection()
            self._begin(now)
        if self._peer:
            self._send(self.exchange.tick(now))

    def receive(self, packet: bytes) -> bool:
        """Take a packet of the peer; whether it is one of ours."""
        state = self._session.state
        number, content = of_vendor(packet)
        if not content or state is None or number == state.magic:
            return False
        self._send(self.exchange.receive(content, monotonic()))
        return True

    def words(self) -> dict[str, str]:
        """The words of a record about the link."""
        found: dict[str, str] = {}
        for word, filters in (("filter", self.exchange.theirs), ("wanted", self.wanted_now)):
            found |= {f"{word}_{name}": text for name, text in texts.lists(filters).items()}
        found |= zip(("types_result", "groups_result"), self.exchange.results, strict=True)
        found["filtered"] = str(self.held.dropped)
        if self.held.before is not None:
            found["dropped_before"] = str(self.held.before)
        return found

    def packed(self) -> dict[str, object]:
        """The state for another process, as links.spec.FILTERS has it."""
        found: dict[str, object] = {
            name: [
                {"first": first, "last": last} for first, last in getattr(self.held.filters, name)
            ]
            for name in Filters.__slots__
        }
        before = -1 if self.held.before is None else self.held.before
        return {
            **found,
            "dropped": self.held.dropped,
            "before": before,
            "told": self.exchange.told,
        }

    def _begin(self, now: float) -> None:
        """Nothing is known of this peer yet; and none of what another one wanted holds."""
        if self.exchange.theirs:
            self._apply(Filters())
        self.exchange = Exchange(self._apply)
        self.exchange.want(self.wanted_now, now)

    def _connection(self) -> tuple[int, ...]:
        """Another one for each peer that the link comes to; empty while it is not open."""
        state = self._session.state
        if not self._session.open or state is None:
            return ()
        return state.heard, state.counters["opened"]

    def _want(self, now: float) -> None:
        assert self._monitor is not None
        state = self._monitor.state
        if not self._index:  # its name may change later
            name = self._runner.tun.name
            self._index = next((one.index for one in state.devices() if one.name == name), 0)
        self.wanted_now = wants.filters(state, self._index, link_local=self._link_local)
        self._sources, self._stale = wants.sources(state, self._index), False
        self.exchange.want(self.wanted_now, now)

    def _send(self, messages: list[bytes]) -> None:
        state = self._session.state
        if messages and state is not None:
            self._session.send([vendor(state.magic, one) for one in messages], urgent=True)

    def _apply(self, filters: Filters) -> int:
        """Put filters on the device; the result for the peer."""
        tun = self._runner.tun
        try:
            if self.held.before is None:
                self.held.before = device.dropped(tun.name)
            device.attach(tun.fileno(), program(filters))
        except OSError as error:
            if error.errno != self._refusal:
                self._refusal = error.errno
                self._session.log.warning(f"the filter of the peer is refused: {error.strerror}")
            return spec.TOO_MANY if error.errno in TOO_LONG else spec.UNSUPPORTED
        self.held.filters = filters
        self._judge = Judge(filters)
        hooks = self._runner.outgoing
        if self._drops in hooks:
            hooks.remove(self._drops)
        if filters:
            hooks.append(self._drops)
        return spec.SUCCESS

    def _drops(self, frame: memoryview, *_: object) -> int:
        """Whether the peer does not want a frame."""
        if self._judge.passes(frame):
            return 0
        self.held.dropped += 1
        return 1
