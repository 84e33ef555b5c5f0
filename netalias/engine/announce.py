"""The verb announce, and what is announced again and again."""

from __future__ import annotations

import os
from time import CLOCK_BOOTTIME, clock_gettime

from netalias import errors
from netalias.claim import Claim, Policy, mute, standing
from netalias.claim.announce import send

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from netalias.claim.session import Segment
    from netalias.desired import Wish
    from netalias.desired.declarations import Declarations
    from netalias.engine import Engine
    from netalias.kernel import Kernel
    from netalias.model.names import AliasName

    Turn = tuple[str, int]
    """A main device, and a period in seconds."""

FILE = "/announced"
FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


def every(wish: Wish, policy: Policy) -> int:
    """After how many seconds an alias is announced again, or 0."""
    return policy.every if wish.announce is None else wish.every


def again(
    engine: Engine,
    folder: str,
    declared: Declarations,
    only: str,
    told: Container[AliasName],
    how: Callable[[Segment, Kernel, Sequence[Claim], Policy], list[errors.NetaliasError]] = send,
) -> list[str]:
    """Announce what is due but *told*, which is announced already; what could not be, as sentences.

    When it was done last stands beside the lock, in seconds since the boot. With *only* a main
    device, the others are not looked at.
    """
    policy = engine.policy or Policy()
    observed = engine.observe()
    now, known = int(clock_gettime(CLOCK_BOOTTIME)), _last(folder)
    due: dict[Turn, int] = {}
    places: set[tuple[str, bytes]] = set()
    for block in declared.blocks:
        period, main = every(block.wish, policy), observed.snapshot.device(block.wish.name.main)
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
        for alias in observed.aliases
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
