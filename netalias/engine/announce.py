"""Periodic announcements: each run announces the addresses whose period has passed."""

from __future__ import annotations

from time import CLOCK_BOOTTIME, clock_gettime

from netalias import errors
from netalias.claim import Claim, Policy, mark_crowded, reannouncement, reason_not_to_announce
from netalias.claim.announce import send
from netalias.runtime import read_file, replace_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from netalias.claim import Context
    from netalias.desired import Wish
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.kernel import Kernel
    from netalias.model.names import AliasName

    Turn = tuple[str, int]
    """The name of a main device and a period in seconds."""

FILE = "/announced"


def every(wish: Wish, policy: Policy) -> int:
    """The period in seconds after which an alias is announced again; 0 for never."""
    return policy.every if wish.announce is None else wish.every


def repeats(declared: Declarations, policy: Policy) -> bool:
    """Whether any of the aliases is announced periodically."""
    return any(every(wish, policy) for wish in declared.wishes)


def again(
    engine: Engine,
    folder: str,
    declared: Declarations,
    only: str,
    announced: Container[AliasName],
    how: Callable[[Context, Kernel, Sequence[Claim], Policy], list[errors.NetaliasError]] = send,
) -> list[str]:
    """Announce the addresses that are due, except those in *announced*; failures as sentences.

    The runtime directory *folder* holds the time of the last round in seconds since boot
    (CLOCK_BOOTTIME). With *only*, other main devices are left out. Raises StateError, KernelError.
    """
    policy = engine.policy or Policy()
    observed = engine.observe()
    now, known = int(clock_gettime(CLOCK_BOOTTIME)), _last(folder)
    due: dict[Turn, int] = {}
    places: dict[tuple[str, bytes], Wish] = {}
    for block in declared.blocks:
        period, main = every(block.wish, policy), observed.snapshot.device(block.wish.name.main)
        if not period or main is None or only not in ("", main.name, *main.altnames):
            continue
        # A time in the future was written before the last boot.
        if not 0 <= now - known.get((main.name, period), -period) < period:
            due[main.name, period] = now
            places.update(((main.name, address), block.wish) for address in block.addresses)
    context = engine.context if due else None
    if context is None:
        return []
    claims = []
    for alias in observed.aliases:
        wish = places.get((alias.name.main, alias.address))
        if wish is None or alias.name in announced or reason_not_to_announce(alias):
            continue
        claims.append(reannouncement(alias, policy))
        claims[-1].apply(wish)
    mark_crowded(claims, observed.snapshot)
    _note(folder, known | due)
    failures = how(context, engine.kernel, claims, policy) if claims else []
    return [f"not announced: {error.line()}" for error in failures]


def _last(directory: str) -> dict[Turn, int]:
    """The time of the last announcement of each turn; empty if the file cannot be read."""
    try:
        text = read_file(directory + FILE).decode("utf-8", "surrogateescape")
        lines = [line.split() for line in text.split("\n") if line]
        return {(main, int(period)): int(when) for main, period, when in lines}
    except (OSError, ValueError):
        return {}


def _note(directory: str, times: dict[Turn, int]) -> None:
    lines = [f"{main} {period} {when}\n" for (main, period), when in times.items()]
    try:
        replace_file(directory + FILE, "".join(lines).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise errors.StateError(
            f"cannot record announcements in {directory}{FILE}: {error.strerror}"
        ) from None
