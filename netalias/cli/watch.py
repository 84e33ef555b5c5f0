"""The verb watch."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options

TAKEOVER = ("--takeover", "--detach")


def watch(options: Options, words: list[str]) -> int:
    """Maintain the declarations of the files *words* until a signal; the exit status."""
    if options.detach:
        from netalias.system.detached import detached

        return detached(lambda ready: _watch(options, words, ready))
    return _watch(options, words, lambda: None)


def _said(options: Options, words: list[str]) -> list[str]:
    """The words of the command line, without those of a takeover.

    A takeover without any others goes on with those of the running watcher, if that is of this
    user: *options* are set by them, and *words* are its files. Raises StateError."""
    import os
    import sys

    said = [word for word in sys.argv[1:] if word not in TAKEOVER]
    if said != ["watch"] or not options.takeover:
        return said
    from netalias import errors
    from netalias.cli import parse_options
    from netalias.runtime.instance import running

    with options.engine() as engine, engine.transaction() as transaction:
        found = running(transaction.path)
    # Who may write the file may not choose the words of another user.
    if found is None or not found.words or found.owner != os.geteuid():
        return said
    try:
        os.chdir(found.cwd)
    except OSError as error:
        raise errors.StateError(f"{error.filename}: {error.strerror}") from None
    words[:] = parse_options(found.words, options)[1:]
    return [*found.words]


def _watch(options: Options, words: list[str], ready: Callable[[], None]) -> int:
    import gc

    from netalias import __version__, errors
    from netalias.cli import number
    from netalias.cli.metrics import limit_of
    from netalias.cli.until import Until
    from netalias.desired import ON_DOWN, choice
    from netalias.desired.declarations import MOST
    from netalias.desired.index import FREE
    from netalias.system.netns import held
    from netalias.watch.settings import LOCKED, Settings
    from netalias.watch.watcher import Watcher

    gc.enable()  # the launcher disables it for short commands
    said = _said(options, words)
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
        takeover=options.takeover,
        program=__version__,
        ready=ready,
        words=said,
    )
    options.wait = "0"  # the watcher polls for the lock, and handles events meanwhile
    options.netns = options.netns and held(options.netns)
    with options.engine() as engine:
        until = engine.within(lambda: Until(options))
        if until.over:
            return errors.STATUS_OK
        settings.beside = until.parts
        return Watcher(settings, engine).run()
