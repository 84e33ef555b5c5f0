"""IPv4 sysctls of main devices that aliases need, and their restoration. Pure.

A macvlan has a MAC of its own and answers ARP itself. Its main device must not answer for it as
well, nor use its address as the sender of ARP requests: either teaches the neighbours the wrong
MAC, and under strict rp_filter packets that then arrive on the main device are lost. An ipvlan
receives every ARP reply to its address, so a main device that uses it in requests learns nothing.
With a dummy it is the reverse: the main device has to answer for it.
A label that brings its network may become the primary address of a network that the main device
gets later: then the kernel must not delete the address of the main device with the label.

A sysctl is raised if it is too low. The former value is saved until the last alias that needs the
change has gone, and restored unless another program has changed it meanwhile. net.ipv4.conf.all is
never touched, and neither is rp_filter: aliases have 2, and the kernel uses the larger one of
all and the device.
"""

from __future__ import annotations

from netalias.kinds import PREFIX, RECORD, UNLINKED
from netalias.model import (
    AF_INET,
    HIDDEN,
    IFF_LOOPBACK,
    RT_SCOPE_HOST,
    SCRATCH,
    address_text,
)
from netalias.model.names import main_name
from netalias.model.steps import SysctlChange
from netalias.plan import Difference, Plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from netalias.kinds import Goal
    from netalias.model import Address, Alias, Device
    from netalias.model.names import AliasName
    from netalias.observed import Observed

ASKS = {"arp_announce": 2}
ANSWERS = {"arp_ignore": 1}
NEEDED = {"ipvlan": ASKS, "macvlan": {**ASKS, **ANSWERS}}
"""Kind: the least values on its main device (Documentation/networking/ip-sysctl.rst).
arp_announce 2: send from the best address of the device; arp_ignore 1: answer only for addresses of
the device itself."""
LABEL = "label"
SHARD = "shard"
PROMOTE = "promote_secondaries"
KEEPS = {PROMOTE: 1}
"""The value on the main device of a label that brings its network (inet_del_ifa)."""
RAISED = {**ASKS, **ANSWERS, **KEEPS}
"""The values that netalias sets."""

SET = "="
"""Sign of a Difference in the sysctls of a main device."""


class SysctlTerms:
    """The inputs of differences() beside the observed state.

    ``old`` are the values before netalias changed them, by ifindex and sysctl name; ``common``
    those of net.ipv4.conf.all by the names in kernel.COMMON, 0 if missing. With ``hands_off`` no
    sysctl is changed. ``keeping`` gives the names of the devices whose former addresses are kept
    (keeping.py); it is asked where that may matter, None for no such devices.
    """

    __slots__ = ("common", "hands_off", "keeping", "old")

    def __init__(
        self,
        old: Mapping[int, Mapping[str, int]],
        common: Mapping[str, int],
        *,
        hands_off: bool = False,
        keeping: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self.old = old
        self.common = common
        self.hands_off = hands_off
        self.keeping = keeping


def proven(observed: Observed) -> set[int]:
    """The ifindexes of main devices that were not made again since our last change: they have
    aliases of ours that would have gone with them."""
    return {
        alias.main.index
        for alias in observed.aliases
        if alias.ours and alias.main is not None and alias.kind not in UNLINKED
    }


def differences(observed: Observed, plans: Sequence[Plan], terms: SysctlTerms) -> list[Difference]:
    """The sysctls to raise for *plans*, and those to restore once they are carried out.

    Adds notes to plans whose aliases will not work as they should.
    """
    return [difference_of(one) for one in _Settlement(observed, plans, terms).settle()]


def withheld(observed: Observed, main: Device, arp_filter: int) -> str:
    """The reason why arp_ignore of *main* has to stay 0, as a clause; empty for none. *arp_filter*
    is that of net.ipv4.conf.all."""
    return _Settlement(observed, [], SysctlTerms({}, {"arp_filter": arp_filter}))._withheld(main)


def difference_of(change: SysctlChange) -> Difference:
    """The difference in the sysctls of a main device that *change* removes."""
    item = Difference(SET, main_name(change.main.name), Plan())
    item.plan.steps.append(change.step)
    item.sysctl_change = change
    return item


def former(items: Iterable[Difference]) -> list[tuple[Device, Mapping[str, int]]]:
    """The main devices on which *items* raise sysctls, for a deletion only or for longer, each with
    its present values."""
    found: list[tuple[Device, Mapping[str, int]]] = []
    for item in items:
        change, main = item.sysctl_change, item.plan.switched
        if change is not None and not change.restores:
            found.append((change.main, change.before))
        if main is not None:
            found.append((main, {PROMOTE: main.promote_secondaries}))
    return found


def restored(items: Sequence[Difference]) -> list[tuple[int, Iterable[str]]]:
    """The ifindexes and sysctls that have their former values after *items*."""
    changes = [item.sysctl_change for item in items if item.sysctl_change is not None]
    raised = {one.main.index for one in changes if PROMOTE in one.after and not one.restores}
    found: list[tuple[int, Iterable[str]]] = [
        (change.main.index, change.after) for change in changes if change.restores
    ]
    for item in items:
        main = item.plan.switched
        if main is not None and main.index not in raised:
            found.append((main.index, [PROMOTE]))
    return found


class _Settlement:
    """The work of differences()."""

    def __init__(self, observed: Observed, plans: Sequence[Plan], terms: SysctlTerms) -> None:
        self.observed = observed
        self.plans = plans
        self.terms = terms
        self.common = terms.common
        self.devices = observed.snapshot.devices
        self.gone = {id(plan.alias) for plan in plans}
        self.going = {id(plan.alias.entry) for plan in plans if plan.alias is not None}
        self.reasons: dict[int, str] = {}
        self.told: set[int] = set()
        self.changes: dict[int, dict[str, int]] = {}

    def settle(self) -> list[SysctlChange]:
        """The changes; the notes are added to the plans."""
        wanted = self.wanted()
        found: list[SysctlChange] = []
        if not self.terms.hands_off:
            for index, values in wanted.items():
                main = self.devices[index]
                lower = {key: value for key, value in values.items() if getattr(main, key) < value}
                if lower:
                    found.append(SysctlChange(main, lower))
            found += self.returns(wanted)
        for change in found:
            self.changes.setdefault(change.main.index, {}).update(change.after)
            if change.after.get(PROMOTE):
                from netalias.plan.promotion import stay

                stay(change.main, self.plans)
        for plan in self.plans:
            if plan.goal is not None and plan.steps:
                plan.notes += self._notes(plan.goal, plan.kind)
        return found

    def wanted(self) -> dict[int, dict[str, int]]:
        """The least values of sysctls by ifindex of main devices."""
        found: dict[int, dict[str, int]] = {}
        for kind, main in self._carrying():
            for device in self._carriers(main):
                values = found.setdefault(device.index, {})
                values |= NEEDED[kind]
                if "arp_ignore" in values and self._withheld(device):
                    del values["arp_ignore"]
        labels = [one for one in self._staying() if one.kind == LABEL]
        if labels or any(plan.kind == LABEL for plan in self.plans):
            from netalias.plan.promotion import promoting

            for main in promoting(labels, self.plans):
                found.setdefault(main.index, {}).update(KEEPS)
        if self.terms.keeping is not None and self.terms.old:
            self._keep(found)
        return found

    def _keep(self, wanted: dict[int, dict[str, int]]) -> None:
        """Add the main devices whose former addresses are kept, where that raised the sysctl."""
        raised = [index for index, old in self.terms.old.items() if PROMOTE in old]
        names = self.terms.keeping() if raised and self.terms.keeping is not None else ()
        for index in raised:
            main = self.devices.get(index)
            if main is not None and any(one in names for one in (main.name, *main.altnames)):
                wanted.setdefault(index, {}).update(KEEPS)

    def _carrying(self) -> Iterator[tuple[str, Device]]:
        """The kinds and main devices of the future IPv4 aliases that need sysctls."""
        found: dict[tuple[str, int], Device] = {}
        for alias in self._staying():
            if alias.kind in NEEDED and alias.main is not None:
                found[alias.kind, alias.main.index] = alias.main
        for plan in self.plans:
            goal = plan.goal
            if goal is not None and plan.kind in NEEDED and goal.type.family == AF_INET:
                found[plan.kind, goal.main.index] = goal.main
        for device, main in self._others():
            found[device.kind, main.index] = main
        return ((kind, main) for (kind, _), main in found.items())

    def _others(self) -> Iterator[tuple[Device, Device]]:
        """Aliases with another mark (Setup.group), or that somebody has renamed, on main devices
        with saved values, and these."""
        own = {one.device.index for one in self.observed.aliases if one.device is not None}
        for index in self.terms.old:
            for device in self.observed.snapshot.uppers(index):
                if device.kind in NEEDED and device.index not in own:
                    entries = self.observed.snapshot.on(device.index)
                    if device.ifalias.startswith(f"{RECORD} ") and any(
                        entry.family == AF_INET for entry in entries
                    ):
                        yield device, self.devices[index]

    def _staying(self) -> Iterator[Alias]:
        """Our IPv4 aliases that no plan changes."""
        for alias in self.observed.aliases:
            if alias.ours and alias.family == AF_INET and id(alias) not in self.gone:
                yield alias

    def _carriers(self, main: Device) -> Iterator[Device]:
        """The devices that may use the address in ARP: *main*, and if that is a macvlan, its lower
        device, on which the kernel puts a macvlan on it."""
        if main.index in self.devices:
            yield main
        if main.kind == "macvlan" and not main.remote and main.link in self.devices:
            yield self.devices[main.link]

    def returns(self, wanted: Mapping[int, Mapping[str, int]]) -> Iterator[SysctlChange]:
        """The sysctls that nothing needs any more and that still have the value that was set."""
        for index, old in self.terms.old.items():
            main = self.devices.get(index)
            if main is None:
                continue
            still = wanted.get(index, {})
            after = {
                key: value
                for key, value in old.items()
                if key not in still and getattr(main, key) == RAISED.get(key)
            }
            if after:
                yield SysctlChange(main, after, restores=True)

    def _withheld(self, main: Device) -> str:
        """The reason why *main* must go on answering for other devices; empty for none."""
        if main.index not in self.reasons:
            self.reasons[main.index] = self._reason(main)
        return self.reasons[main.index]

    def _reason(self, main: Device) -> str:
        if self.common.get("arp_filter"):
            return "arp_filter of all is 1"
        for alias in self._staying():
            if alias.kind == SHARD and alias.main is main:
                return f"the shard {alias.name} needs arp_ignore 0 on {main.name}"
        for plan in self.plans:
            if plan.kind == SHARD and plan.goal is not None and plan.goal.main is main:
                return f"the shard {plan.goal.name} needs arp_ignore 0 on {main.name}"
        silent = list(self._silent())
        if not silent:
            return ""
        from netalias.model import prefix

        networks = list(self._networks(main))
        for device, entry in silent:
            if any(prefix.contains(one.local, one.prefixlen, entry.local) for one in networks):
                address = "%d.%d.%d.%d" % (*entry.local,)
                return f"{address} of {device.name} needs arp_ignore 0 on {main.name}"
        return ""

    def _networks(self, main: Device) -> Iterator[Address]:
        """The future IPv4 addresses whose networks are on the link of *main*."""
        snapshot = self.observed.snapshot
        uppers = [upper for upper in snapshot.uppers(main.index) if upper.kind in NEEDED]
        for device in [main, *uppers]:
            for entry in snapshot.on(device.index):
                if entry.family == AF_INET and entry.networked and not self._leaves(entry):
                    yield entry
        for plan in self.plans:
            goal = plan.goal
            if goal is None or goal.entry is None or plan.kind in UNLINKED:
                continue  # a dummy has no link
            if goal.main is main and goal.type.family == AF_INET and goal.entry.networked:
                yield goal.entry

    def _silent(self) -> Iterator[tuple[Device, Address]]:
        """The future IPv4 addresses that only another device can answer for: on lo and dummies."""
        for index, entries in self.observed.snapshot.addresses.items():
            device = self.devices.get(index)
            if device is None or device.group & SCRATCH - 1 == self.observed.group ^ HIDDEN:
                continue  # what a hidden device has is answered for by its main device alone
            if device.flags & IFF_LOOPBACK or device.kind == "dummy":
                for entry in entries:
                    if entry.family == AF_INET and not self._leaves(entry):
                        yield device, entry
        for plan in self.plans:
            goal = plan.goal
            if goal is None or goal.entry is None or goal.type.family != AF_INET:
                continue
            if plan.kind == "dummy" or goal.main.flags & IFF_LOOPBACK:
                yield goal.main, goal.entry

    def _leaves(self, entry: Address) -> bool:
        """Whether an address is not used by neighbours, or about to be removed."""
        return entry.scope >= RT_SCOPE_HOST or id(entry) in self.going

    # Notes

    def _now(self, main: Device, key: str) -> int:
        """The value of a sysctl that the kernel will use once all changes are made."""
        own: int = self.changes.get(main.index, {}).get(key, getattr(main, key))
        return max(own, self.common.get(key, 0))

    def _notes(self, goal: Goal, kind: str) -> Iterator[str]:
        """Notes on a new alias that will not work as it should."""
        if goal.type.family == AF_INET and (kind == PREFIX or self.observed.snapshot.local_routes):
            from netalias.plan.prefixes import silent

            raised = "arp_ignore" in self.changes.get(goal.main.index, ())
            others = self._staying() if raised else ()
            yield from silent(goal, kind, self._now(goal.main, "arp_ignore"), others)
        if kind in NEEDED and goal.type.family == AF_INET:
            yield from self._flux(goal, kind)
        elif kind == "dummy":
            yield from self._dummy(goal)
        elif kind == SHARD and goal.main.index not in self.told:
            self.told.add(goal.main.index)
            yield from self._unanswered(goal, goal.main)
            yield from self._answered_twice(goal.main)
        elif kind == "label" and goal.main.flags & IFF_LOOPBACK and goal.entry is not None:
            for main in self._around(goal.entry):
                yield from self._unanswered(goal, main)

    def _flux(self, goal: Goal, kind: str) -> Iterator[str]:
        main = goal.main
        if kind == "macvlan" and not self._now(main, "arp_ignore"):
            yield self._twice(goal.name, goal.type.format(goal.address), main)
        announce = self._now(main, "arp_announce")
        if announce < ASKS["arp_announce"]:
            how = f"its arp_announce is {announce}"
            address = goal.type.format(goal.address)
            yield f"{goal.name}: {main.name} asks ARP with {address}: {how}"

    def _twice(self, name: AliasName, address: str, main: Device) -> str:
        why = self._withheld(main) or f"its arp_ignore is {main.arp_ignore}"
        too = ", not the alias" if self.common.get("arp_filter") else " too"
        return f"{name}: {main.name} answers ARP for {address}{too}: {why}"

    def _answered_twice(self, main: Device) -> Iterator[str]:
        """Notes on the macvlans of a main device whose arp_ignore goes back for its first shard."""
        if self.changes.get(main.index, {}).get("arp_ignore") == 0:
            for alias in self._staying():
                if alias.kind == "macvlan" and alias.main is main:
                    yield self._twice(alias.name, address_text(AF_INET, alias.address), main)

    def _dummy(self, goal: Goal) -> Iterator[str]:
        from netalias.model import prefix

        main, address = goal.main, goal.type.format(goal.address)
        inside = goal.entry is not None and self._routed(goal)
        if goal.entry is None or not (goal.entry.networked or inside):
            return  # a host without a network is reached by a route, not by ARP
        if goal.type.family != AF_INET:
            yield (
                f"{goal.name}: nobody answers NDP for {address}: a dummy is reached only by routes"
            )
            return
        yield from self._unanswered(goal, main)
        if not inside:
            first = goal.type.format(prefix.network(goal.address, goal.prefixlen))
            network = f"{first}/{goal.prefixlen}"
            yield (
                f"{goal.name}: no route leads to {network}: a dummy brings none"
                f" (ip route add {network} dev {main.name} src {address})"
            )

    def _unanswered(self, goal: Goal, main: Device) -> Iterator[str]:
        ignore = self._now(main, "arp_ignore")
        if ignore:
            address = goal.type.format(goal.address)
            yield (
                f"{goal.name}: nobody answers ARP for {address}:"
                f" arp_ignore of {main.name} is {ignore}"
            )

    def _routed(self, goal: Goal) -> bool:
        from netalias.plan.routes import covers

        assert goal.entry is not None
        return any(covers(one, goal.entry) for one in self.observed.snapshot.on(goal.main.index))

    def _around(self, entry: Address) -> Iterator[Device]:
        """The devices, other than aliases, in whose networks an address lies."""
        from netalias.plan.routes import covers

        for index, entries in self.observed.snapshot.addresses.items():
            device = self.devices[index]
            if device.group != self.observed.group and any(covers(one, entry) for one in entries):
                yield device
