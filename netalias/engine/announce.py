"""The verb announce, and what is announced again and again."""

from __future__ import annotations

import os
from time import CLOCK_BOOTTIME, clock_gettime

from netalias import errors
from netalias.claim import Arrival, Policy
from netalias.claim.announce import send
from netalias.cli.output import complain, write
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    IFF_NOARP,
)
from netalias.observed.query import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from netalias.claim.session import Segment
    from netalias.cli import Options
    from netalias.desired import Wish
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.kernel import Kernel
    from netalias.model import Alias
    from netalias.model.names import AliasName

    Turn = tuple[str, int]
    """A main device, and a period in seconds."""

ALL = "all"
FILE = "/announced"
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


def announce(options: Options, words: list[str]) -> int:
    """Announce the addresses of aliases, once, N times, or every S seconds until interrupted."""
    if not words:
        raise errors.UsageError("announce needs the name of an alias or a main device, or all")
    wanted = [] if ALL in words else words
    with options.engine() as engine:
        policy = engine.policy or Policy()
        if not policy.announce:
            raise errors.UsageError("--announce off: announce announces")
        if policy.every:
            engine.aside = False  # this process is not about to end
        status = _round(options, engine, wanted)
        while policy.every and not options.dry_run:
            from time import sleep

            sleep(policy.every)
            status = _round(options, engine, wanted)
    return status


def _round(options: Options, engine: Engine, wanted: list[str]) -> int:
    world = engine.world()
    policy = engine.policy or Policy()
    named = {id(one) for word in wanted if ":" in word for one in select(world, [word])}
    told: list[Arrival] = []
    for alias in select(world, wanted):
        reason = mute(alias)
        if reason and id(alias) in named and not options.quiet:
            complain(f"{alias.name}: not announced: {reason}", "warning: ")
        elif not reason:
            told.append(standing(alias, policy))
    if options.dry_run or options.verbose:
        write("".join(_line(one) for one in told))
    if options.dry_run or not told or engine.segment is None:
        return errors.STATUS_OK
    refused = send(engine.segment(), engine.kernel, told, policy)
    for error in refused:
        complain(f"not announced: {error.line()}")
    return refused[0].status if refused else errors.STATUS_OK


def mute(alias: Alias) -> str:
    """Why nobody can be told of an address, or empty."""
    entry, main, device = alias.entry, alias.main, alias.carrier
    if not alias.ours:
        return "netalias did not make it"
    if main is None or device is None or entry is None or alias.family not in (AF_INET, AF_INET6):
        return "it has no address that a neighbour could know"
    if not (main.up and device.up):
        return f"{(device if main.up else main).name} is down"
    if main.flags & (IFF_LOOPBACK | IFF_NOARP):
        return f"{main.name} has no neighbours"
    if entry.flags & IFA_F_DADFAILED:
        return "another host has it (dadfailed)"
    if entry.flags & IFA_F_TENTATIVE:  # RFC 4429, 3.3: not even where it is optimistic
        return "it is still being checked (tentative)"
    return ""


def standing(alias: Alias, policy: Policy) -> Arrival:
    """An alias that is there, to be announced as if it had just come; mute() has nothing to say."""
    assert alias.main is not None
    one = Arrival(alias.name, alias.main, alias.kind, alias.family, alias.address, policy)
    assert alias.carrier is not None
    one.device = alias.carrier.name
    return one


def _line(one: Arrival) -> str:
    from netalias.model import address_text

    return f"announce {address_text(one.family, one.address)} of {one.name} on {one.main.name}\n"


def every(wish: Wish, policy: Policy) -> int:
    """After how many seconds an alias is announced again, or 0."""
    return policy.every if wish.announce is None else wish.every


def again(
    engine: Engine,
    folder: str,
    declared: Declarations,
    only: str,
    told: Container[AliasName],
    how: Callable[[Segment, Kernel, Sequence[Arrival], Policy], list[errors.NetaliasError]] = send,
) -> list[str]:
    """Announce what is due but *told*, which is announced already; what could not be, as sentences.

    When it was done last stands beside the lock, in seconds since the boot. With *only* a main
    device, the others are not looked at.
    """
    policy = engine.policy or Policy()
    world = engine.world()
    now, known = int(clock_gettime(CLOCK_BOOTTIME)), _last(folder)
    due: dict[Turn, int] = {}
    places: set[tuple[str, bytes]] = set()
    for block in declared.blocks:
        period, main = every(block.wish, policy), world.snapshot.device(block.wish.name.main)
        if not period or main is None or only not in ("", main.name, *main.altnames):
            continue
        # A clock that was behind the last time is that of another boot.
        if not 0 <= now - known.get((main.name, period), -period) < period:
            due[main.name, period] = now
            places.update((main.name, address) for address in block.addresses)
    if not due or engine.segment is None:
        return []
    arrivals = [
        standing(alias, policy)
        for alias in world.aliases
        if (alias.name.main, alias.address) in places and alias.name not in told
        if not mute(alias)
    ]
    _note(folder, known | due)
    refused = how(engine.segment(), engine.kernel, arrivals, policy) if arrivals else []
    return [f"not announced: {error.line()}" for error in refused]


def _last(folder: str) -> dict[Turn, int]:
    """A file that cannot be read is none: what it tells is announced once more."""
    try:
        descriptor = os.open(folder + FILE, os.O_RDONLY | os.O_NONBLOCK | FLAGS)
        with open(descriptor, encoding="utf-8", errors="surrogateescape") as file:
            lines = [line.split() for line in file]
        return {(main, int(period)): int(when) for main, period, when in lines}
    except (OSError, ValueError):
        return {}


def _note(folder: str, times: dict[Turn, int]) -> None:
    draft = f"{folder}{FILE}.new"  # what another user has left is replaced, not written to
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o644)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.writelines(f"{main} {period} {when}\n" for (main, period), when in times.items())
        os.replace(draft, folder + FILE)
    except OSError as error:
        raise errors.StateError(
            f"cannot note in {folder}{FILE} what was announced: {error.strerror}"
        ) from None
