"""Dumps that the kernel marks as interrupted (NLM_F_DUMP_INTR), repeated and put together.

One change of any address in the namespace interrupts every dump of addresses (inet_base_seq of
net/ipv4/devinet.c), so where they change all the time no dump of thousands is ever consistent.

What an interrupted dump has is true of the moment at which that was read. It lacks an object that
stands still only where the kernel goes on by counting: it remembers a place in the list of one
device (on Linux before 6.10 in one of 256 lists of devices), and finds another object there once
one before it has gone. It has one twice where one came before it. So:

- a dump is repeated after a pause, and each pause is longer than the last one;
- if none is consistent, the result is what the last two have, each object as the last one has it:
  what was passed over once is in the other;
- the addresses of a device about which the two differ are read by themselves, if these are few.
  Such a dump is not interrupted by changes elsewhere, and is one reading if it is one datagram.

What is left: an object that was passed over twice, at the same place, is missing; one that went
between the two dumps counts as there, as one does that goes right after any reading.
"""

from __future__ import annotations

from errno import EINTR
from time import sleep

from netalias import errors
from netalias.kernel.netlink import codec
from netalias.model import Address, Device

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    Body = tuple[bytes, int, int]
    """The body of a message: its datagram, start and end in it."""

PAUSES = (0.002, 0.008)
"""Seconds before each further attempt."""
INCOMPLETE = 10
"""Attempts until one has all its parts; then it is an error."""
REST = (0.02,) * (INCOMPLETE - len(PAUSES) - 1)
"""Seconds before the attempts after these."""
FEW = 16
"""Devices whose addresses are read by themselves."""
HEADER = 16
"""Size of struct nlmsghdr, behind which the family is."""


class Repeated:
    """A dump whose first attempt was interrupted.

    *attempt* makes an attempt with a request: the bodies, None where a part was lost, and whether
    it is consistent. *decoded* makes the objects of bodies; *wanted* is the type of the messages.
    ``inconsistent``: found() is put together.
    """

    def __init__(
        self,
        attempt: Callable[[bytes], tuple[list[Body] | None, bool]],
        decoded: Callable[[list[Body]], list[Any]],
        request: bytes,
        wanted: int,
    ) -> None:
        self.inconsistent = False
        self._attempt = attempt
        self._decoded = decoded
        self._request = request
        self._wanted = wanted

    def found(self, operation: str, first: list[Body] | None) -> list[Any]:
        """The objects, by as many attempts as are needed after the *first* one, None for one that
        was incomplete. Raises KernelError, which names the *operation*."""
        whole = [] if first is None else [first]
        for pause in (*PAUSES, *REST):
            if whole and pause == REST[0]:
                break
            sleep(pause)
            bodies, consistent = self._attempt(self._request)
            if bodies is not None and consistent:
                return self._decoded(bodies)
            whole += [] if bodies is None else [bodies]
        if not whole:
            raise errors.KernelError(
                operation, EINTR, f"parts of it were lost in each of {INCOMPLETE} readings"
            )
        self.inconsistent = True
        before, last = (self._decoded(bodies) for bodies in (whole[-2:] * 2)[-2:])
        found = merged(before, last)
        if self._wanted == codec.RTM_NEWADDR:
            differ: set[Any] = {*map(identity, before)} ^ {*map(identity, last)}
            found = self._alone(found, {index for index, *_ in differ})
        return found

    def _alone(self, found: list[Address], indexes: set[int]) -> list[Address]:
        """The addresses, those of the devices with these *indexes* as each is read by itself."""
        if len(indexes) > FEW:
            return found
        for index in sorted(indexes):
            request = codec.get_addresses(0, self._request[HEADER], index)
            bodies, _ = self._attempt(request)
            alone = self._decoded(bodies or [])
            if bodies is None or any(one.index != index for one in alone):
                continue  # lost, or a kernel without strict checks, which lists all devices
            here = [one for one in found if one.index == index]
            if len({id(data) for data, _, _ in bodies}) > 1:
                alone = merged(here, alone)  # it may have passed over some as well
            found = _replaced(found, index, alone)
        return found


def merged(before: Sequence[Any], last: Sequence[Any]) -> list[Any]:
    """*last*, and behind its predecessor each object of *before* that is not in it; once each."""
    known = {identity(one): one for one in last}
    place: Hashable = None
    behind: dict[Hashable, list[Any]] = {}
    for one in before:
        key = identity(one)
        if key in known:
            place = key
        else:
            behind.setdefault(place, []).append(one)
    found = behind.get(None, [])
    for key, one in known.items():
        found.append(one)
        found += behind.get(key, ())
    return list({identity(one): one for one in found}.values()) if behind else found


def _replaced(found: list[Address], index: int, alone: list[Address]) -> list[Address]:
    """The addresses with those of one device replaced, at their place in the list."""
    at = next((place for place, one in enumerate(found) if one.index == index), len(found))
    rest = [one for one in found[at:] if one.index != index]
    return [*found[:at], *alone, *rest]


def identity(one: object) -> Hashable:
    """The key by which two of them are the same object, whatever else they have: that of an address
    or a device. Others are the same if they are equal."""
    if isinstance(one, Address):
        return one.index, one.family, one.local, one.prefixlen, one.peer
    return one.index if isinstance(one, Device) else repr(one)
