"""The verb watch."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def watch(options: Options, words: list[str]) -> int:
    """Maintain the declarations of the files *words* until a signal; the exit status."""
    import gc

    from netalias.cli import number
    from netalias.cli.metrics import limit_of
    from netalias.desired import ON_DOWN, choice
    from netalias.desired.declarations import MOST
    from netalias.desired.index import FREE
    from netalias.system.netns import held
    from netalias.watch.settings import LOCKED, Settings
    from netalias.watch.watcher import Watcher

    gc.enable()  # the launcher disables it for short commands
    settings = Settings(
        words,
        wait=number("--wait", options.wait, LOCKED, 0),
        on_down=choice("--on-down", options.on_down or FREE, ON_DOWN),
        texts=options.texts,
        metrics=options.metrics,
        metrics_aliases=limit_of(options),
        private_texts=bool(options.netns),
        release=options.release,
        most=number("--max-aliases", options.max_aliases, MOST, 1),
        allow_empty=options.allow_empty,
        allow_shrink=options.allow_shrink,
        quiet=options.quiet,
        verbose=options.verbose,
    )
    options.wait = "0"  # the watcher polls for the lock, and handles events meanwhile
    options.netns = options.netns and held(options.netns)
    with options.engine() as engine:
        return Watcher(settings, engine).run()
