"""The settings with which a watcher begins."""

from __future__ import annotations

from netalias.desired.declarations import MOST
from netalias.desired.index import FREE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.system.loop import Pollable

LOCKED = 10
"""Seconds that the start waits for the lock of the namespace."""


class Settings:
    """Settings of a watcher.

    ``files`` are the declarations, the usual ones without any; ``wait`` is how many seconds the
    start waits for the lock. ``on_down`` is FREE or KEEP, for aliases that do not say it. ``texts``
    is the folder of the texts, empty for the usual one, which with ``private_texts`` is below the
    runtime directory of the namespace. ``metrics`` is the file for Prometheus, empty for none, with
    the counters of ``metrics_aliases`` aliases. ``release`` removes the declared aliases at the
    end, and ``most`` is how many the files may declare. ``takeover`` takes over from the watcher
    that runs; ``program`` is the release of this program. ``ready`` is called when the watcher has
    begun to watch; ``words`` are those of its command line, ``beside`` are further parts of its
    loop. The others are those of a reconciliation and of a Journal.
    """

    __slots__ = (
        "allow_empty", "allow_shrink", "beside", "files", "metrics", "metrics_aliases", "most",
        "on_down", "private_texts", "program", "quiet", "ready", "release", "takeover", "texts",
        "verbose", "wait", "words",
    )  # fmt: skip

    def __init__(
        self,
        files: Sequence[str] = (),
        *,
        wait: float = LOCKED,
        on_down: str = FREE,
        texts: str = "",
        private_texts: bool = False,
        metrics: str = "",
        metrics_aliases: int = 0,
        release: bool = False,
        most: int = MOST,
        allow_empty: bool = False,
        allow_shrink: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        takeover: bool = False,
        program: str = "",
        ready: Callable[[], object] = lambda: None,
        words: Sequence[str] = (),
        beside: Sequence[Pollable] = (),
    ) -> None:
        self.files = files
        self.wait = wait
        self.on_down = on_down
        self.texts = texts
        self.private_texts = private_texts
        self.metrics = metrics
        self.metrics_aliases = metrics_aliases
        self.release = release
        self.most = most
        self.allow_empty = allow_empty
        self.allow_shrink = allow_shrink
        self.quiet = quiet
        self.verbose = verbose
        self.takeover = takeover
        self.program = program
        self.ready = ready
        self.words = words
        self.beside = beside
