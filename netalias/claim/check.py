"""The hosts that have an address already, by probing (IPv4) or by the kernel's probes (IPv6)."""

from __future__ import annotations

from netalias import errors
from netalias.claim import patience
from netalias.model import AF_INET, address_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.claim import Claim, Context, Found
    from netalias.kernel import Kernel
    from netalias.model import Snapshot
    from netalias.packets.dad import DadMonitor

CARRIER = 5.0
"""Seconds that a carrier is waited for."""


def conflicts(context: Context, snapshot: Snapshot, claims: Sequence[Claim]) -> Found:
    """Look for others that have the IPv4 addresses among *claims*.

    Each that is in use with a Conflict, each that could not be looked for with its StateError.
    What stands on the same context already, and is ours, only moves. Raises NotPermitted,
    KernelError.
    """
    found: Found = []
    here = _Here(snapshot)
    wanted = [one for one in claims if one.family == AF_INET and not here.has(one)]
    for acd in dict.fromkeys(one.acd for one in wanted):
        found += _look(context, snapshot, [one for one in wanted if one.acd == acd], acd)
    return found


def _look(context: Context, snapshot: Snapshot, asked: Sequence[Claim], acd: str) -> Found:
    from netalias.packets import acd as timings
    from netalias.packets.probe import flooded, verdicts

    timing = timings.FAST if acd == "fast" else timings.RFC
    pairs = [(one.main.index, one.address) for one in asked]
    macs, aside = _macs(snapshot), context.aside
    try:
        taken, unheard = context.within(lambda: verdicts(pairs, macs, timing, CARRIER, aside=aside))
    except errors.StateError as error:
        mains = dict.fromkeys(one.main.index for one in asked)
        if len(mains) == 1:
            return [(one, _of(one, error)) for one in asked]
        # One main device that cannot be asked on must not keep the others from being served.
        groups = ([one for one in asked if one.main.index == main] for main in mains)
        return [pair for group in groups for pair in _look(context, snapshot, group, acd)]
    texts = {(one.index, one.address): str(one) for one in taken}
    undecided = set(unheard)
    found: Found = []
    for one in asked:
        place = one.main.index, one.address
        if place in texts:
            found.append((one, errors.Conflict(f"{one.name}: {texts[place]}")))
        elif place in undecided:
            found.append((one, errors.StateError(f"{one.name}: {flooded(one.main.name)}")))
    return found


class Verdicts:
    """The kernel's verdict on the IPv6 addresses *asked*, from now on; they are not there yet.

    Raises NotPermitted, KernelError.
    """

    def __init__(self, context: Context, snapshot: Snapshot, asked: Sequence[Claim]) -> None:
        from netalias.packets.dad import DadMonitor

        self._context = context
        self._asked = asked
        mains, macs = {one.main.index for one in asked}, _macs(snapshot)
        self._watch: DadMonitor = context.within(lambda: DadMonitor(mains, macs))

    def close(self) -> None:
        """Let go of the sockets."""
        self._watch.close(aside=self._context.aside)

    def wait(self, kernel: Kernel) -> Found:
        """Those that somebody else has, or that could not be decided on, each with its error."""
        snapshot = kernel.part({one.device for one in self._asked})
        places: dict[tuple[int, bytes], Claim] = {}
        for one in self._asked:
            device = snapshot.device(one.device)
            if device is not None:
                places[device.index, one.address] = one
        limit = patience(len(places))
        taken, late = self._context.within(
            lambda: self._watch.verdicts(places, limit, usable=False)
        )
        standing: set[bytes] = set()
        if not all(conflict.mac for conflict in taken):
            snapshot = kernel.part({one.device for one in self._asked})
            entries = (entry for index in snapshot.devices for entry in snapshot.on(index))
            standing = {entry.local for entry in entries}
        found: Found = []
        for conflict in taken:
            one = places[conflict.index, conflict.address]
            conflict.device = one.main.name  # that of the alias is about to go
            known = conflict.mac or conflict.address in standing or _mortal(one)
            error = errors.Conflict(f"{one.name}: {conflict}") if known else _dropped(one)
            found.append((one, error))
        return found + [(places[place], _undecided(places[place], limit)) for place in late]


def _undecided(one: Claim, limit: float) -> errors.StateError:
    return errors.StateError(
        f"{one.name}: the kernel is still checking {address_text(one.family, one.address)}"
        f" after {limit:g} s",
        "a device without a carrier does not check",
    )


def _mortal(one: Claim) -> bool:
    """Whether it is a lease: the kernel removes one that is in use (addrconf_dad_stop)."""
    goal = one.plan.goal if one.plan is not None else None
    return goal is not None and goal.entry is not None and goal.entry.lease > 0


def _dropped(one: Claim) -> errors.StateError:
    """One for ever that is in use stays, marked as such (IFA_F_DADFAILED); short of memory for its
    route the kernel drops it when the device goes up (addrconf_permanent_addr of
    net/ipv6/addrconf.c)."""
    text = address_text(one.family, one.address)
    return errors.StateError(f"{one.name}: {text} is gone: the kernel or somebody has removed it")


class _Here:
    """The addresses that are in use here already, by main device."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[int, set[bytes]] = {}

    def has(self, one: Claim) -> bool:
        """Whether an address stands on the main device, or on one that stands on that."""
        main = one.main
        if main.index not in self._known:
            around = [main, *self._snapshot.uppers(main.index)]
            up = (device for device in around if device.up)
            entries = (entry for device in up for entry in self._snapshot.on(device.index))
            self._known[main.index] = {entry.local for entry in entries}
        return one.address in self._known[main.index]


def _macs(snapshot: Snapshot) -> set[bytes]:
    return {device.mac for device in snapshot.devices.values()}


def _of(one: Claim, error: errors.StateError) -> errors.StateError:
    """The same error for one of several that it is true of."""
    return errors.StateError(f"{one.name}: {error}", error.hint)
