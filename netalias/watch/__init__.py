"""The verb watch: the declared wishes are kept true by event, one watcher a network namespace.

loop.py       waits for descriptors and times
stacking.py   events -> what follows from them; pure
wished.py focus.py patience.py    wishes by name; as much of the world as few of them need; pure
keeping.py    what is done about it, and when
devices.py    of main devices that go down, go away, or get another name
healing.py    of aliases that are not as they are wished
report.py     what is told of it
culprit.py    who has asked the kernel for a change
publishing.py greeting.py leasing.py    published addresses, announcements and leases, again
showing.py answers.py    the texts and the socket
election.py service.py journal.py    one a namespace; its manager, its log
signals.py inotify.py    signals and files as descriptors
watcher.py    the parts together
"""

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
