"""Repetitions: proxy entries after their device came up, announcements and leases by the clock.

The kernel drops the proxy entries of a device that goes down or loses its last IPv4 address
(pneigh_ifdown), and announces neither that nor new ones. So they are read whenever another process
has released the lock of the namespace, since it may have published some.
"""

from __future__ import annotations

from netalias import claim, errors
from netalias.claim import Claim, Policy
from netalias.desired.declarations import counted
from netalias.engine import announce
from netalias.kernel import GONE
from netalias.model import AF_INET6, PROTOCOL, Snapshot
from netalias.model.leases import PARTS, renewals, running
from netalias.model.neighbours import AddProxy, Proxy
from netalias.runtime import published

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netalias.claim import Context, Found
    from netalias.desired.index import Index
    from netalias.engine import Engine
    from netalias.kernel import Failure, Kernel
    from netalias.model import Alias
    from netalias.model.events import State
    from netalias.model.names import AliasName
    from netalias.runtime.published import Published
    from netalias.system.journal import Journal
    from netalias.watch.announcer import Announcer
    from netalias.watch.claims import Claims
    from netalias.watch.controller import Controller

    Key = tuple[str, int, bytes]
    """The name of a device, family and address."""


BACK = "the carrier is back"


class Republisher:
    """The published addresses of a namespace, and their restoration.

    *directory* is the runtime directory, with the record of what was ordered. Entries that are not
    in it, since it could not be written, are known once they have been seen in the kernel.
    """

    def __init__(self, engine: Engine, state: State, directory: str) -> None:
        self._engine = engine
        self._state = state
        self._directory = directory
        self._recorded: dict[Key, Proxy] = {}
        self._known: dict[Key, Proxy] = {}

    def seen(self) -> list[Proxy]:
        """Our proxy entries in the kernel. Raises KernelError."""
        return [one for one in self._engine.kernel.proxies() if one.protocol == PROTOCOL]

    def learn(self, seen: Iterable[Proxy] | None) -> None:
        """Read the record, and remember the entries *seen* in the kernel, None to keep those of
        before. What a device that is down had, and the record did not, stays too."""
        devices = list(self._state.devices())
        recorded = published.read(self._directory, self._engine.kernel.cookie())
        before, self._recorded = self._recorded, _keyed(published.located(recorded, devices))
        names = {device.index: device.name for device in devices}
        up = {device.name for device in devices if device.up and seen is not None}
        kept = {
            key: one
            for key, one in self._known.items()
            if key[0] not in up and (key in self._recorded or key not in before)
        }
        found = _keyed((names[one.index], one) for one in seen or () if one.index in names)
        self._known = kept | self._recorded | found

    def missing(self) -> list[AddProxy]:
        """The steps that restore the entries of devices that are up."""
        steps = []
        present = {(one.index, one.family, one.local) for one in self._engine.kernel.proxies()}
        known = ((name, one) for (name, _, _), one in self._known.items())
        for name, one in published.located(known, self._state.devices()):
            device = self._state.device(one.index)
            if device is None or device.name != name or not device.up:
                continue
            if (one.index, one.family, one.local) not in present:
                steps.append(AddProxy(name, one.index, one))
        return steps

    def restore(self) -> tuple[int, list[Failure]]:
        """Restore missing entries; the number of those restored, and the refusals.

        Raises KernelError.
        """
        if not self._known:
            return 0, []
        steps = self.missing()
        for number, step in enumerate(steps):
            step.owner = number
        failures = self._engine.kernel.apply(steps, seen=Snapshot()) if steps else []
        return len(steps) - len(failures), failures

    def look(self, controller: Controller, journal: Journal) -> None:
        """Learn what is published, and restore what the kernel has dropped meanwhile."""
        seen = self.seen()
        controller.read_events()
        # A device that came up after an unread event has lost entries that only the kernel had.
        self.learn(None if controller.republish else seen)
        self.put_back(journal)

    def put_back(self, journal: Journal) -> None:
        """Restore missing entries, and log what has become of them."""
        done, failures = self.restore()
        for failure in failures:
            journal.error(failure.error.line())
        if done:
            journal.info(f"{counted(done, 'address')} published again")


def _keyed(entries: Iterable[Published]) -> dict[Key, Proxy]:
    return {(device, one.family, one.local): one for device, one in entries}


class Reannouncer:
    """Announcements of aliases: periodic, after a carrier has come back, and of another MAC.

    *folder* is the runtime directory; ``last`` is when the aliases were announced last, by the
    loop's clock; *checks* and *announcer* probe and announce from the loop.
    """

    def __init__(
        self,
        controller: Controller,
        journal: Journal,
        folder: str,
        last: float,
        checks: Claims,
        announcer: Announcer,
    ) -> None:
        self._controller = controller
        self._engine = controller.engine
        self._journal = journal
        self._folder = folder
        self._checks = checks
        self._announcer = announcer
        self._policy = self._engine.policy or Policy()
        self.last = last
        self._wished: Index | None = None
        self._period = 0

    def after_carrier(self, indexes: set[int]) -> None:
        """Announce the aliases of these main devices, which have got a carrier.

        Another host may have an address by now (RFC 5227, 2.1), so that is asked first where the
        alias is checked for conflicts: for IPv4 by probes, for IPv6 by the kernel, which checks an
        address only when it comes.
        """
        observed = self._controller.observe()
        concerned = [one for one in observed.aliases if one.main and one.main.index in indexes]
        claims = self._claims(concerned)
        if not self._engine.setup.claims:
            return
        asked = [one for one in claims if one.acd != claim.OFF]
        anew = [one for one in asked if one.family == AF_INET6]
        if anew:
            count = counted(len(anew), "IPv6 address")
            self._journal.info(f"the carrier is back: {count} checked again")
            self._controller.give_up(anew)
        self._announce([one for one in claims if one.acd == claim.OFF], BACK)
        self._checks.ask(asked, self._answered)

    def _answered(self, asked: Sequence[Claim], found: Found) -> None:
        """Announce the addresses that no other host has taken meanwhile, and give up the others."""
        for _, error in found:
            self._journal.error(error.line())
        self._controller.give_up(one for one, error in found if isinstance(error, errors.Conflict))
        unsafe = {one.name for one, _ in found}
        self._announce([one for one in asked if one.name not in unsafe], BACK)

    def after_mac(self, indexes: set[int]) -> None:
        """Announce the aliases that are reached by the MACs of these devices, which have got other
        ones."""
        observed = self._controller.observe()
        claims = self._claims(one for one in observed.aliases if _station(one) in indexes)
        devices = (observed.snapshot.devices.get(index) for index in sorted(indexes))
        names = ", ".join(device.name for device in devices if device is not None)
        self._announce(claims, f"{names}: another MAC")

    def _claims(self, aliases: Iterable[Alias]) -> list[Claim]:
        """The claims that announce those of *aliases* that can be announced, as they are wished."""
        found = []
        for alias in aliases:
            if not claim.reason_not_to_announce(alias):
                one = claim.reannouncement(alias, self._policy)
                wish = self._controller.wish(alias)
                if wish is not None:
                    one.apply(wish)
                found.append(one)
        return found

    def _announce(self, claims: Iterable[Claim], why: str) -> None:
        claims = [one for one in claims if one.rounds]
        if claims and self._engine.setup.claims:
            self._announcer.add(claims)
            self._journal.info(f"{why}: {counted(len(claims), 'address')} announced")

    def due(self, now: float) -> float | None:
        """Seconds until announce_due(); None where nothing is announced periodically."""
        if self._wished is not self._controller.wished:
            self._wished = self._controller.wished
            blocks = self._wished.declared.blocks
            periods = {announce.every(block.wish, self._policy) for block in blocks} - {0}
            self._period = min(periods, default=0)
        return max(0.0, self.last + self._period - now) if self._period else None

    def announce_due(self, now: float) -> None:
        """Announce the aliases whose period is over. Raises StateError."""
        self.last = now
        declared = self._controller.wished.declared
        announce.again(self._engine, self._folder, declared, "", (), self._add)

    def _add(
        self, context: Context, kernel: Kernel, claims: Sequence[Claim], policy: Policy
    ) -> list[errors.NetaliasError]:
        self._announcer.add(claims)
        return []


def _station(alias: Alias) -> int:
    """The index of the device whose MAC neighbours know for an alias, 0 for none."""
    device = alias.device if alias.kind == "macvlan" else alias.main
    return device.index if device is not None else 0


class LeaseRenewer:
    """Renewals of declared leases; ``last`` is the time of the last ones by the loop's clock."""

    def __init__(self, controller: Controller, last: float) -> None:
        self._controller = controller
        self.last = last
        self._wished: Index | None = None
        self._shortest = 0

    def due(self, now: float) -> float | None:
        """Seconds until renew(); None without a declared lease."""
        if self._wished is not self._controller.wished:
            self._wished = self._controller.wished
            leases = [block.wish.lease for block in self._wished.declared.blocks]
            self._shortest = min((lease for lease in leases if lease), default=0)
        return max(0.0, self.last + self._shortest / PARTS - now) if self._shortest else None

    def renew(self, now: float) -> list[Failure]:
        """Renew the leases that have used up their share of time, in one batch; the refusals.

        An address that has gone meanwhile is no refusal. Raises KernelError.
        """
        self.last = now
        controller = self._controller
        lengths: dict[AliasName, int] = {}
        aging = []
        observed = controller.engine.observe()
        for alias in observed.aliases:
            wish = controller.wish(alias)
            if wish is not None and wish.lease and running(alias):
                assert alias.entry is not None
                lengths[alias.name] = wish.lease
                if alias.entry.valid <= wish.lease * (PARTS - 1) / PARTS + 1:
                    aging.append(alias)
        steps = renewals(aging, lengths)
        failures = controller.engine.kernel.apply(steps, seen=observed.snapshot)
        return [one for one in failures if one.error.errno not in GONE]
