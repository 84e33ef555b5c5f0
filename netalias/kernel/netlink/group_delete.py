"""Deletion of many devices as a set, and the encoders of rare steps: none for a short command."""

from __future__ import annotations

from netalias.kernel.netlink import codec, neighbours, routes, rules
from netalias.model import AF_INET6, IFA_F_MCAUTOJOIN, SCRATCH
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.renames import RenameLink
from netalias.model.steps import DelLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from netalias import errors
    from netalias.model.steps import Step


class Move(DelLink):
    """First half of the deletion of a set: RTM_SETLINK of the scratch mark."""

    __slots__ = ()


class DelGroup(DelLink):
    """Second half: RTM_DELLINK of all devices with the scratch mark; the index is ignored."""

    __slots__ = ()

    def __init__(self, group: int) -> None:
        super().__init__(f"the devices of group {group | SCRATCH}", -1, group)


def set_group(sequence: int, index: int, step: Move) -> bytes:
    """RTM_SETLINK of the scratch mark."""
    body = codec.ifinfo(index) + codec.attr_u32(codec.IFLA_GROUP, step.group | SCRATCH)
    return codec.message(codec.RTM_SETLINK, 0, sequence, body)


def del_group(sequence: int, index: int, step: DelGroup) -> bytes:
    """RTM_DELLINK of all devices with this mark (rtnl_group_dellink in net/core/rtnetlink.c)."""
    body = codec.ifinfo() + codec.attr_u32(codec.IFLA_GROUP, step.group | SCRATCH)
    return codec.message(codec.RTM_DELLINK, 0, sequence, body)


def rename_link(sequence: int, index: int, step: RenameLink) -> bytes:
    """RTM_SETLINK of the primary name."""
    body = codec.ifinfo(index) + codec.attr_text(codec.IFLA_IFNAME, step.name)
    return codec.message(codec.RTM_SETLINK, 0, sequence, body)


def mark_address(sequence: int, index: int, step: MarkAddress) -> bytes:
    """RTM_NEWADDR that sets lifetimes, metric and protocol of an address that is there."""
    return codec.new_address(codec.NLM_F_REPLACE, sequence, index, step.address)


def renew_address(sequence: int, index: int, step: RenewAddress) -> bytes:
    """RTM_NEWADDR that sets the lifetimes of an address that is there.

    The kernel refuses it (EINVAL) where the address is missing, and adds nothing. Without a trick
    it would add the address, whatever NLM_F_CREATE says; so a field that is checked only when an
    address is added has an impossible value: IPv4 a multicast group to join (inet_rtm_newaddr in
    net/ipv4/devinet.c), IPv6 the prefix length (inet6_addr_add in net/ipv6/addrconf.c).
    """
    entry = step.address
    if entry.family == AF_INET6:
        asked = entry.copy(prefixlen=129)
    else:
        asked = entry.copy(flags=entry.flags | IFA_F_MCAUTOJOIN)
    return codec.new_address(codec.NLM_F_REPLACE, sequence, index, asked)


ENCODERS: dict[type[Step], Callable[[int, int, Any], bytes]] = {
    Move: set_group,
    DelGroup: del_group,
    MarkAddress: mark_address,
    RenewAddress: renew_address,
    RenameLink: rename_link,
    **neighbours.ENCODERS,
    **routes.ENCODERS,
    **rules.ENCODERS,
}
"""Class of step: its encoder, as in codec.ENCODERS."""


def send_with_set(
    send: Callable[..., list[errors.NetaliasError | None]],
    leaving: Mapping[int, int],
    steps: Sequence[Step],
    deletions: Sequence[DelLink],
) -> list[errors.NetaliasError | None]:
    """The answers to *steps*, of which *deletions* are sent as one set for each mark.

    Steps behind the last deletion are sent after the sets. *send* is Netlink's way to send packs,
    *leaving* has index and mark of the devices with a scratch mark.
    """
    answers: dict[int, errors.NetaliasError | None] = {}
    end = max(place for place, step in enumerate(steps) if isinstance(step, DelLink))
    first = [step for step in steps[:end] if not isinstance(step, DelLink)]
    for step, answer in zip(first, send(first), strict=True):
        answers[id(step)] = answer
    for group in {step.group | SCRATCH for step in deletions}:  # remnants of an earlier run too
        marked = [step for step in deletions if step.group | SCRATCH == group]
        if not _only(group, marked, leaving):
            for step, answer in zip(marked, send(marked, whole=True), strict=True):
                answers[id(step)] = answer
            continue
        moves = [Move(step.device, step.index, step.group) for step in marked]
        *moved, deleted = send([*moves, DelGroup(group)], whole=True)
        for step, answer in zip(marked, moved, strict=True):
            answers[id(step)] = answer or deleted
    last = steps[end + 1 :]
    return [*(answers[id(step)] for step in steps[: end + 1]), *send(last)]


def _only(group: int, deletions: Sequence[DelLink], leaving: Mapping[int, int]) -> bool:
    """Whether only devices of *deletions* have the scratch mark: others would be deleted too."""
    ours = {step.index for step in deletions}
    return all(index in ours for index, found in leaving.items() if found == group)
