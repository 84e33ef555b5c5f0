"""The verb watch."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def watch(options: Options, words: list[str]) -> int:
    """Keep what the files declare true, until a signal ends it."""
    import gc

    from netalias.cli import number
    from netalias.system.netns import held
    from netalias.watch.watcher import LOCKED, Watcher

    gc.enable()  # the launcher switches it off, for commands that live for milliseconds
    wait = number("--wait", options.wait, LOCKED, 0)
    options.wait = "0"  # who is asked for the lock again and again can do something else meanwhile
    options.netns = options.netns and held(options.netns)
    with options.engine() as engine:
        return Watcher(options, engine, words, wait).run()
