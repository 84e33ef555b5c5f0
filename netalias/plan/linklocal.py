"""Link-local addresses of alias devices (RFC 4291, section 2.5.6): loaded only where they are asked
for. Pure.

The kernel makes the address when the device comes up with a carrier (addrconf_dev_config in
net/ipv6/addrconf.c), since the device is told to derive it from its MAC. Where somebody has deleted
it, or the device is up already, it is added.
"""

from __future__ import annotations

from netalias import errors
from netalias.desired.gateways import Usual
from netalias.kinds.device import ADDRGEN_EUI64, ADDRGEN_NONE, NO_INET6
from netalias.model import (
    AF_INET6,
    IFA_F_PERMANENT,
    IFF_LOWER_UP,
    MTU_INET6,
    PROTOCOL,
    RT_SCOPE_LINK,
    Address,
)
from netalias.model.steps import QUIET, RAISE, AddAddress, DelAddress, SetLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.desired import Wish
    from netalias.kinds import Goal
    from netalias.model import Alias, Device
    from netalias.model.steps import Step
    from netalias.observed import Observed

ON = "on"
SHARED_MAC = "ipvlan"
"""Kind whose devices have the MAC of their main device."""
REFUSALS = {
    "label": "a label has no device; its main device has a link-local address",
    "prefix": "a prefix has no device; its main device has a link-local address",
    "dummy": "a dummy has no link",
    "shard": "a shard has no device of its own",
}
"""Kind: the reason why its aliases can have no link-local address."""

_PREFIX = b"\xfe\x80" + bytes(6)
_LENGTH = 64
_UNIVERSAL = 2
"""The bit of the first byte of a MAC that is inverted (RFC 4291, appendix A)."""


def choose(wish: Wish, goal: Goal, kind: str, alias: Alias | None) -> list[str]:
    """Set ``goal.linklocal``, to that of the alias where *wish* says nothing; a note where there is
    no IPv6. Raises KindError if the kind can have no such address."""
    word = wish.linklocal
    kept = alias is not None and alias.linklocal and not wish.address
    reason = REFUSALS.get(kind, "")
    if reason and word == ON and not isinstance(word, Usual):
        raise errors.KindError(f"{goal.name}: linklocal on: {reason}", "kind macvlan")
    goal.linklocal = not reason and (word == ON or (not word and kept))
    device = _device(kind, alias) or goal.main
    if not goal.linklocal or (device.inet6 and not 0 < goal.mtu < MTU_INET6):
        return []
    return [
        f"{goal.name}: linklocal on has no effect: there is no IPv6 below an MTU of {MTU_INET6}"
    ]


def equip(
    goal: Goal, kind: str, alias: Alias | None, before: Sequence[Step], observed: Observed
) -> list[Step]:
    """The steps for the link-local address of a device that stays, or for its removal, behind those
    *before* of the same plan; a new device gets it by kinds.device."""
    device = _device(kind, alias)
    if device is None or alias is None:
        return []
    place = device.name, device.index
    there = {entry.local: entry for entry in observed.snapshot.on(device.index) if _is_own(entry)}
    inet6 = goal.type.family == AF_INET6
    if not goal.linklocal:
        if inet6 or not alias.linklocal:
            return []  # as the kernel has it
        back = SetLink(*place, QUIET, addrgen=ADDRGEN_EUI64, tolerate=NO_INET6)
        quiet = SetLink(*place, QUIET, addrgen=ADDRGEN_NONE, before=back, tolerate=NO_INET6)
        gone = () if _raised(before) or not goal.up else there.values()
        return [quiet, *(DelAddress(*place, entry) for entry in gone)]
    wanted = _derived(goal.mac or device.mac, goal.name.slot if kind == SHARED_MAC else None)
    missing = not there if kind == SHARED_MAC else wanted not in there
    steps: list[Step] = []
    if missing or not (alias.linklocal and alias.whole):
        steps.append(SetLink(*place, QUIET, addrgen=ADDRGEN_EUI64, tolerate=NO_INET6))
    if missing and goal.address != wanted and _takes(device, goal) and not _raised(before):
        entry = Address(device.index, AF_INET6, wanted, _LENGTH, IFA_F_PERMANENT, RT_SCOPE_LINK)
        steps.append(AddAddress(*place, entry, RAISE))
        former = there.get(_derived(device.mac, None))
        steps += [DelAddress(*place, former)] if former is not None else []
    return steps if len(steps) > 1 or not alias.linklocal or not alias.whole else []


def _device(kind: str, alias: Alias | None) -> Device | None:
    """The device of an alias that keeps it."""
    return alias.device if alias is not None and alias.kind == kind else None


def _raised(steps: Sequence[Step]) -> bool:
    """Whether a device comes up by these steps, by which the kernel gives it the address."""
    return any(isinstance(step, SetLink) and step.up for step in steps)


def _is_own(entry: Address) -> bool:
    """Whether an address is a link-local one, and not that of the alias."""
    return (
        entry.family == AF_INET6
        and entry.scope == RT_SCOPE_LINK
        and entry.protocol != PROTOCOL
        and entry.local.startswith(_PREFIX)
    )


def _takes(device: Device, goal: Goal) -> bool:
    """Whether a device has link-local addresses now, and loses none by coming up."""
    ready = device.up and bool(device.flags & IFF_LOWER_UP)
    return goal.up and ready and device.inet6 and device.mtu >= MTU_INET6


def _derived(mac: bytes, slot: int | None) -> bytes:
    """The link-local address with the modified EUI-64 of a MAC (RFC 4291, appendix A).

    Devices that share a MAC have their *slot* in the place of the bytes FF FE; the kernel puts a
    number there that depends on the order in which they were made (addrconf_ifid_eui48).
    """
    middle = b"\xff\xfe" if slot is None else slot.to_bytes(2, "big")
    return _PREFIX + bytes((mac[0] ^ _UNIVERSAL,)) + mac[1:3] + middle + mac[3:]
