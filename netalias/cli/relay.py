"""The verb relay: prefixes that are relayed by hand, and the end of that."""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.desired.tunnels import Tunnel


def relay(options: Options, words: list[str]) -> int:
    """Execute ``[NAME | NAME- | PREFIX[,PREFIX] on DEVICE WORD...]``; the exit status."""
    from netalias.cli import vif

    if not words or vif.is_name(words[0]):
        if not words or words == [words[0].removesuffix("-")]:
            return vif.show(options, words)
        if words[1:]:
            raise errors.UsageError(f"{' '.join(words)}: a name such as relay0- ends one relay")
        return vif.end(options, words[0].removesuffix("-"))
    from netalias.desired.relays import read
    from netalias.engine.relays import check_main

    task = read(["relay", *words])
    with options.engine() as engine:
        check_main(engine, task)
    return vif.carry(options, task, _alone)


def _alone(options: Options, task: Tunnel) -> int:
    """Carry a relay in this process, with all that a watcher would do for it."""
    from netalias.cli.foreground import carry
    from netalias.desired.relays import KEYWORD, Relay
    from netalias.engine.carried import standing
    from netalias.system.journal import Journal
    from netalias.watch.relaying import Beside

    assert isinstance(task, Relay)
    with options.engine() as engine:
        taken = {one.record.name for one in standing(engine)}
        taken |= {one.name for one in engine.snapshot().devices.values()}
        task.unit = next(n for n in range(len(taken) + 1) if f"{KEYWORD}{n}" not in taken)
        journal = Journal(quiet=options.quiet, verbose=options.verbose)
        return carry(options, task, lambda: Beside(engine, task, journal))
