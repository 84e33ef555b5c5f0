"""The verb announce, and what is announced again and again."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime

from netalias import errors
from netalias.arrival import Arrival, Policy
from netalias.model import (
    AF_INET,
    AF_INET6,
    IFA_F_DADFAILED,
    IFA_F_OPTIMISTIC,
    IFA_F_TENTATIVE,
    IFF_LOOPBACK,
    IFF_NOARP,
)
from netalias.output import complain, write
from netalias.query import select
from netalias.telling import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.declarations import Declarations
    from netalias.engine import Engine
    from netalias.model import Alias
    from netalias.wishes import Wish

ALL = "all"
FILE = "/announced"


def announce(options: Options, words: list[str]) -> int:
    """Announce the addresses of aliases, once, N times, or every S seconds until interrupted."""
    if not words:
        raise errors.UsageError("announce needs the name of an alias or a main device, or all")
    wanted = [word for word in words if word != ALL]
    with options.engine() as engine:
        status = _round(options, engine, wanted)
        policy = engine.policy or Policy()
        while policy.every and not options.dry_run:
            from time import sleep

            sleep(policy.every)
            status = _round(options, engine, wanted)
    return status


def _round(options: Options, engine: Engine, wanted: list[str]) -> int:
    world = engine.world()
    policy = engine.policy or Policy()
    aliases = [alias for alias in select(world, wanted) if alias.ours]
    told: list[Arrival] = []
    for alias in aliases:
        reason = _mute(alias)
        if reason and wanted and not options.quiet:
            complain(f"{alias.name}: not announced: {reason}", "warning: ")
        elif not reason:
            told.append(_standing(alias, policy))
    if options.dry_run or options.verbose:
        write("".join(_line(one) for one in told))
    if options.dry_run or not told or engine.segment is None:
        return errors.STATUS_OK
    refused = send(engine.segment(), engine.kernel, told, policy)
    for text in refused:
        complain(text)
    return errors.STATUS_KERNEL if refused else errors.STATUS_OK


def _mute(alias: Alias) -> str:
    """Why nobody can be told of an address, or empty."""
    entry, main, device = alias.entry, alias.main, alias.carrier
    if main is None or device is None or entry is None or alias.family not in (AF_INET, AF_INET6):
        return "it has no address that a neighbour could know"
    if not (main.up and device.up):
        return f"{(device if main.up else main).name} is down"
    if main.flags & (IFF_LOOPBACK | IFF_NOARP):
        return f"{main.name} has no neighbours"
    if entry.flags & IFA_F_DADFAILED:
        return "another host has it (dadfailed)"
    if entry.flags & IFA_F_TENTATIVE and not entry.flags & IFA_F_OPTIMISTIC:
        return "it is still being checked (tentative)"
    return ""


def _standing(alias: Alias, policy: Policy) -> Arrival:
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


def again(engine: Engine, folder: str, declared: Declarations) -> list[str]:
    """Announce what is due; what could not be, as sentences.

    When it was done last stands beside the lock, in seconds since the boot.
    """
    policy = engine.policy or Policy()
    now, last = int(clock_gettime(CLOCK_BOOTTIME)), _last(folder)
    periods = {every(block.wish, policy) for block in declared.blocks} - {0}
    due = {period for period in periods if now - last.get(period, -period) >= period}
    if not due or engine.segment is None:
        return []
    places = {
        (block.wish.name.main, address)
        for block in declared.blocks
        if every(block.wish, policy) in due
        for address in block.addresses
    }
    told = [
        _standing(alias, policy)
        for alias in engine.world().aliases
        if alias.ours and (alias.name.main, alias.address) in places and not _mute(alias)
    ]
    _note(folder, last | dict.fromkeys(due, now))
    return send(engine.segment(), engine.kernel, told, policy) if told else []


def _last(folder: str) -> dict[int, int]:
    try:
        with open(folder + FILE, encoding="ascii") as file:
            lines = [line.split() for line in file]
        return {int(period): int(when) for period, when in lines}
    except (OSError, ValueError):
        return {}


def _note(folder: str, times: dict[int, int]) -> None:
    with open(folder + FILE, "w", encoding="ascii") as file:
        file.writelines(f"{period} {when}\n" for period, when in times.items())
