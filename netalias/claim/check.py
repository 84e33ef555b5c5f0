"""The check whether another host has an address: by probes (IPv4) or by the kernel (IPv6)."""

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
    from netalias.packets.probe import InUse

CARRIER = 5.0
"""Seconds to wait for a carrier."""


def conflicts(context: Context, snapshot: Snapshot, claims: Sequence[Claim]) -> Found:
    """Probe for the IPv4 addresses among *claims*.

    Returns a Conflict for each that is in use, a StateError for each that could not be probed for.
    An address that this host has on the same link only moves, and is not probed for. Raises
    NotPermitted, KernelError.
    """
    return questions(context, snapshot, foreign(snapshot, claims))


def foreign(snapshot: Snapshot, claims: Sequence[Claim]) -> list[Claim]:
    """The claims of addresses that this host does not have on the same link."""
    local = _Local(snapshot)
    return [one for one in claims if not local.has(one)]


def questions(context: Context, snapshot: Snapshot, claims: Sequence[Claim]) -> Found:
    """The same as conflicts(), also for addresses that this host has on the link: after a loss of
    its carrier another host may have them too (RFC 5227, 2.1)."""
    found: Found = []
    wanted = [one for one in claims if one.family == AF_INET]
    for acd in dict.fromkeys(one.acd for one in wanted):
        found += _probe(context, snapshot, [one for one in wanted if one.acd == acd], acd)
    return found


def _probe(context: Context, snapshot: Snapshot, probed: Sequence[Claim], acd: str) -> Found:
    """The claims of *probed* that fail, with their errors; all have the timing *acd*."""
    from netalias.packets import acd as timings
    from netalias.packets.probe import verdicts

    timing = timings.FAST if acd == "fast" else timings.RFC
    pairs = [place for one in probed for place in one.questions]
    macs, aside, progress = _macs(snapshot), context.aside, context.progress
    told = None if progress is None else lambda: progress(len(pairs))
    try:
        taken, unheard = context.within(
            lambda: verdicts(pairs, macs, timing, CARRIER, aside=aside, told=told)
        )
    except errors.StateError as error:
        mains = dict.fromkeys(one.main.index for one in probed)
        if len(mains) == 1:
            return failed(probed, error)
        # One main device that cannot send must not fail the claims on others.
        groups = ([one for one in probed if one.main.index == main] for main in mains)
        return [pair for group in groups for pair in _probe(context, snapshot, group, acd)]
    finally:
        if progress is not None:
            progress(0)
    return problems(probed, taken, unheard)


def failed(probed: Sequence[Claim], error: errors.NetaliasError) -> Found:
    """The claims of one main device, none of which could be probed for."""
    if not isinstance(error, errors.StateError):
        return [(one, error) for one in probed]
    return [(one, _of(one, error)) for one in probed]


def problems(
    probed: Sequence[Claim], taken: Sequence[InUse], unheard: Sequence[tuple[int, bytes]]
) -> Found:
    """The claims of addresses that are in use, or about which nothing was found out."""
    from netalias.packets.probe import flooded

    texts = {(one.index, one.address): str(one) for one in taken}
    undecided = set(unheard)
    found: Found = []
    for one in probed:
        places = one.questions
        taken_first = next(filter(texts.__contains__, places), None)
        if taken_first is not None:
            found.append((one, errors.Conflict(f"{one.name}: {texts[taken_first]}")))
        elif not undecided.isdisjoint(places):
            found.append((one, errors.StateError(f"{one.name}: {flooded(one.main.name)}")))
    return found


class Verdicts:
    """The kernel's verdicts on IPv6 addresses, followed from before they are added.

    Raises NotPermitted, KernelError.
    """

    def __init__(self, context: Context, snapshot: Snapshot, followed: Sequence[Claim]) -> None:
        from netalias.packets.dad import DadMonitor

        self._context = context
        self._followed = followed
        mains, macs = {one.main.index for one in followed}, _macs(snapshot)
        self._watch: DadMonitor = context.within(lambda: DadMonitor(mains, macs))

    def close(self) -> None:
        """Close the sockets."""
        self._watch.close(aside=self._context.aside)

    def wait(self, kernel: Kernel) -> Found:
        """Wait for the verdicts; the claims that fail or stay undecided, with their errors."""
        snapshot = kernel.part({one.device for one in self._followed})
        places: dict[tuple[int, bytes], Claim] = {}
        for one in self._followed:
            device = snapshot.device(one.device)
            if device is not None:
                places[device.index, one.address] = one
        limit = patience(len(places))
        taken, late = self._context.within(
            lambda: self._watch.verdicts(places, limit, usable=False)
        )
        present: set[bytes] = set()
        if not all(conflict.mac for conflict in taken):
            snapshot = kernel.part({one.device for one in self._followed})
            entries = (entry for index in snapshot.devices for entry in snapshot.on(index))
            present = {entry.local for entry in entries}
        found: Found = []
        for conflict in taken:
            one = places[conflict.index, conflict.address]
            conflict.device = one.main.name  # the device of the alias is about to be deleted
            known = conflict.mac or conflict.address in present or _is_lease(one)
            error = errors.Conflict(f"{one.name}: {conflict}") if known else _dropped(one)
            found.append((one, error))
        return found + [(places[place], _undecided(places[place], limit)) for place in late]


def _undecided(one: Claim, limit: float) -> errors.StateError:
    return errors.StateError(
        f"{one.name}: the kernel is still checking {address_text(one.family, one.address)}"
        f" after {limit:g} s",
        "a device without a carrier does not check",
    )


def _is_lease(one: Claim) -> bool:
    """Whether the address has a lifetime: then the kernel removes a duplicate
    (addrconf_dad_stop of net/ipv6/addrconf.c)."""
    goal = one.plan.goal if one.plan is not None else None
    return goal is not None and goal.entry is not None and goal.entry.lease > 0


def _dropped(one: Claim) -> errors.StateError:
    """The error for a permanent address that is gone without a conflict.

    A permanent duplicate stays, with IFA_F_DADFAILED. But the kernel drops an address when its
    device goes up and there is no memory for its route (addrconf_permanent_addr of
    net/ipv6/addrconf.c).
    """
    text = address_text(one.family, one.address)
    return errors.StateError(
        f"{one.name}: {text} is gone: the kernel or another program has removed it"
    )


class _Local:
    """The addresses of this host, by main device."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._known: dict[int, set[bytes]] = {}

    def has(self, one: Claim) -> bool:
        """Whether the main device of a claim, or an upper device of that, has the address and is
        up."""
        main = one.main
        if main.index not in self._known:
            around = [main, *self._snapshot.uppers(main.index)]
            up = (device for device in around if device.up)
            entries = (entry for device in up for entry in self._snapshot.on(device.index))
            self._known[main.index] = {entry.local for entry in entries}
        return one.address in self._known[main.index]


def _macs(snapshot: Snapshot) -> set[bytes]:
    absent = {mac for some in snapshot.absent.values() for _, _, mac in some}
    return absent.union(device.mac for device in snapshot.devices.values())


def _of(one: Claim, error: errors.StateError) -> errors.StateError:
    """*error*, which concerns several claims, for one of them."""
    return errors.StateError(f"{one.name}: {error}", error.hint)
