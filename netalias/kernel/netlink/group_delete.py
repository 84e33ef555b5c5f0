"""Deletion of many devices as a set, and the encoders of rare steps: none for a short command."""

from __future__ import annotations

from errno import ENODEV
from os import urandom

from netalias import errors
from netalias.kernel import UNKNOWN
from netalias.kernel.netlink import codec, local_routes, neighbours, routes, rules
from netalias.kernel.proof import changed
from netalias.kernel.refusing import refused
from netalias.model import AF_INET6, IFA_F_MCAUTOJOIN, SCRATCH
from netalias.model.leases import MarkAddress, RenewAddress
from netalias.model.renames import RenameLink, SetGroup
from netalias.model.steps import CreateLink, DelLink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from netalias.model import Device
    from netalias.model.steps import Step


class Move(DelLink):
    """First half of the deletion of a set: RTM_SETLINK of the group ``scratch``."""

    __slots__ = ("scratch",)

    def __init__(self, step: DelLink, scratch: int) -> None:
        super().__init__(step.device, step.index, step.group)
        self.scratch = scratch


class DelGroup(DelLink):
    """Second half: RTM_DELLINK of all devices of the group ``scratch``; the index is ignored."""

    __slots__ = ("scratch",)

    def __init__(self, group: int, scratch: int) -> None:
        super().__init__(f"the devices of group {scratch}", -1, group)
        self.scratch = scratch


def set_group(sequence: int, index: int, step: Move | SetGroup) -> bytes:
    """RTM_SETLINK of the scratch group, or of the mark."""
    group = step.group if isinstance(step, SetGroup) else step.scratch
    body = codec.ifinfo(index) + codec.attr_u32(codec.IFLA_GROUP, group)
    return codec.message(codec.RTM_SETLINK, 0, sequence, body)


def del_group(sequence: int, index: int, step: DelGroup) -> bytes:
    """RTM_DELLINK of all devices of this group (rtnl_group_dellink in net/core/rtnetlink.c)."""
    body = codec.ifinfo() + codec.attr_u32(codec.IFLA_GROUP, step.scratch)
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
    SetGroup: set_group,
    **neighbours.ENCODERS,
    **routes.ENCODERS,
    **local_routes.ENCODERS,
    **rules.ENCODERS,
}
"""Class of step: its encoder, as in codec.ENCODERS."""


def drawn(mark: int) -> int:
    """A scratch group for devices with *mark*, out of 16383 (model.SCRATCH)."""
    chance = int.from_bytes(urandom(2), "big") % 0x3FFF + 1
    return mark & (SCRATCH - 1) | SCRATCH | chance << 17


def send_with_set(
    send: Callable[..., list[errors.NetaliasError | None]],
    links: Callable[[], list[Device]],
    steps: Sequence[Step],
    deletions: Sequence[DelLink],
) -> list[errors.NetaliasError | None]:
    """The answers to *steps*, of which *deletions* are sent as one set for each mark.

    Steps behind the last deletion are sent after the sets. *send* is Netlink's way to send packs,
    *links* reads all devices.
    """
    answers: dict[int, errors.NetaliasError | None] = {}
    end = max(place for place, step in enumerate(steps) if isinstance(step, DelLink))
    first = [step for step in steps[:end] if not isinstance(step, DelLink)]
    for step, answer in zip(first, send(first), strict=True):
        answers[id(step)] = answer
    # Remnants of an earlier run have another group, and the same mark.
    for mark in {step.group & (SCRATCH - 1) for step in deletions}:
        marked = [step for step in deletions if step.group & (SCRATCH - 1) == mark]
        for step, answer in zip(marked, _delete_set(send, links, marked, mark), strict=True):
            answers[id(step)] = answer
    last = steps[end + 1 :]
    return [*(answers[id(step)] for step in steps[: end + 1]), *send(last)]


def create_anyhow(
    send: Callable[..., list[errors.NetaliasError | None]],
    steps: Sequence[Step],
    results: list[errors.NetaliasError | None],
) -> None:
    """Create the devices again whose former index was taken, each with any index; *results* are the
    answers to *steps*, and *send* is that of send_with_set()."""
    again = {
        place: step.anyhow()
        for place, (step, error) in enumerate(zip(steps, results, strict=True))
        if error is not None and isinstance(step, CreateLink) and step.barred(error.errno)
    }
    if again:
        answers = send([*again.values()], whole=True)
        for place, answer in zip(again, answers, strict=True):
            results[place] = answer


def _is_member(step: DelLink, members: Mapping[str, int]) -> bool:
    """Whether the device of *step*, whose index may be unknown, is among *members* by name."""
    return step.device in members and step.index in (0, members[step.device])


def _delete_set(
    send: Callable[..., list[errors.NetaliasError | None]],
    links: Callable[[], list[Device]],
    marked: Sequence[DelLink],
    mark: int,
) -> list[errors.NetaliasError | None]:
    """The answers to deletions of devices with one mark.

    The group is deleted after a reading that finds these devices in it, and nothing else; where
    somebody has put another one there each device is deleted by its index. On an interruption those
    that are still there get their marks back: they would be nobody's.
    """
    scratch = drawn(mark)
    try:
        return _delete_group(send, links, marked, mark, scratch)
    except BaseException:  # ^C above all: it is raised again
        _put_back(send, links, marked, scratch)
        raise


def _put_back(
    send: Callable[..., object],
    links: Callable[[], list[Device]],
    marked: Sequence[DelLink],
    scratch: int,
) -> None:
    """Give the devices that are in the group *scratch* the groups that they had."""
    try:
        there = {device.name: device.index for device in links() if device.group == scratch}
        left = [step for step in marked if _is_member(step, there)]
        if left:
            send([Move(step, step.group) for step in left], whole=True)
    except errors.KernelError:
        pass  # the error that led here counts; another run finds them by their names


def _delete_group(
    send: Callable[..., list[errors.NetaliasError | None]],
    links: Callable[[], list[Device]],
    marked: Sequence[DelLink],
    mark: int,
    scratch: int,
) -> list[errors.NetaliasError | None]:
    """The work of _delete_set() with the group *scratch*."""
    answers = send([Move(step, scratch) for step in marked], whole=True)
    moved = [
        step
        for step, answer in zip(marked, answers, strict=True)
        if answer is None or answer.errno in UNKNOWN
    ]
    try:
        there = links() if moved else []
    except errors.KernelError as error:
        return [answer or error for answer in answers]
    members = {device.name: device.index for device in there if device.group == scratch}
    proven = [step for step in moved if _is_member(step, members)]
    if len(proven) == len(members) and len(proven) > 1:
        gone = send([DelGroup(mark, scratch)], whole=True) * len(proven)
    else:
        gone = send(proven, whole=True)
    found = {id(step): answer for step, answer in zip(proven, gone, strict=True)}
    known = {device.index for device in there}
    for place, step in enumerate(marked):
        if id(step) in found:
            answers[place] = found[id(step)]
        elif answers[place] is None:
            answers[place] = changed(step) if step.index in known else refused(step, ENODEV)
    return answers
