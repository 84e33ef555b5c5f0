"""The verb watch: the declared wishes are kept true by event, one watcher a network namespace.

loop.py       waits for descriptors and times
stacking.py   events -> what follows from them; pure
wished.py focus.py patience.py    wishes by name; as much of the world as few of them need; pure
keeping.py    what is done about it
culprit.py    who has asked the kernel for a change
publishing.py published addresses after a flap
watcher.py    the parts together
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def watch(options: Options, words: list[str]) -> int:
    """Keep what the files declare true, until a signal ends it."""
    import gc

    from netalias.watch.watcher import Watcher

    gc.enable()  # the launcher switches it off, for commands that live for milliseconds
    with options.engine() as engine:
        return Watcher(options, engine, words).run()
