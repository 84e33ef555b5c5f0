"""The verbs check and reconcile up to the quick test whether anything has changed.

The runtime directory holds a fingerprint of the last declarations and kernel's answer that agreed
(recognition.py). If it matches, nothing is parsed or compared, no engine is made and no lock is
taken: the fingerprint is removed before a change. Otherwise converge.py does the work.
"""

from __future__ import annotations

from _blake2 import blake2b
from os import stat

from netalias import __version__, errors, sources
from netalias.cli import number
from netalias.recognition import common, recognised
from netalias.runtime import RuntimeDirectory, owned, recall, unsettled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.engine import Engine

LARGE = 256 << 10
"""Bytes of declarations from which on they are parsed without the lock, for which others wait: some
thousand lines, or a twentieth of a second. The kernel is read once more after that."""


def check(options: Options, words: list[str], *, dry: bool = False) -> int:
    """Print the differences from the declarations; the exit status, STATUS_DRIFT for any.

    *dry*: for a dry run of reconcile, which ends with the status of a refusal.
    """
    number("--max-aliases", options.max_aliases, 1, 1)
    if options.syntax:
        return _syntax(words, options)
    found = sources.read(words)
    salt = salted(found, options)
    whole = options.json or options.metrics
    if not whole and _unchanged(options, salt):
        return errors.STATUS_OK
    options.recorded = True
    with options.engine() as engine:
        folder = owned(engine.runtime.path, engine.kernel.cookie())
        if not whole and _known(engine, folder, salt):
            return errors.STATUS_OK
        from netalias.cli.converge import Run

        return Run(options, engine, salt, folder).check(found, dry=dry)


def _syntax(words: list[str], options: Options) -> int:
    """Check the words of files and ask the kernel nothing, with ``-j`` print what they declare; the
    exit status. Raises UsageError, DeclarationError."""
    from netalias.desired import declarations
    from netalias.disclosure import withheld
    from netalias.families import lazy

    try:
        found = sources.read(words)
    except errors.StateError as error:  # a file is all that was asked about
        raise errors.UsageError(str(error), error.hint) from None
    registry = lazy()
    declared = declarations.parse(sources.decode(found), registry, withheld)
    declarations.check(declared, changing=False)
    if options.json:
        from netalias.cli.output import write
        from netalias.desired.fields import objects
        from netalias.views import json

        shown = objects(declared, registry)
        if declared.tasks:
            from netalias.desired import tasks

            shown += tasks.objects(declared.tasks)
        write(json.render(shown, pretty=options.pretty))
    return errors.STATUS_OK


def reconcile(options: Options, words: list[str]) -> int:
    """Make the kernel agree with the declarations, and print the changes; the exit status."""
    number("--confirm", options.confirm, 0, 1)  # refuse a bad number even if nothing has changed
    if options.metrics_aliases:
        from netalias.cli.metrics import limit_of

        limit_of(options)
    if options.dry_run:
        return check(options, words, dry=True)
    number("--max-aliases", options.max_aliases, 1, 1)
    found = sources.read(words)
    salt = salted(found, options)
    whole = options.json or options.metrics or options.confirm
    if not whole and _unchanged(options, salt):
        return errors.STATUS_OK
    options.recorded = True
    from netalias.cli.output import held

    with options.engine() as engine:
        with held(), engine.transaction() as transaction:
            restored = transaction.restored
            large = sum(len(content) for _, content in found) >= LARGE
            if not (whole or restored) and _known(engine, transaction.path, salt):
                return errors.STATUS_OK
            from netalias.cli.converge import Run

            run = Run(options, engine, salt, transaction.path)
            if options.metrics or not large:
                status = run.reconcile(found, restored)
        if large and not options.metrics:
            run.parse(found)
            with held(), engine.transaction() as transaction:
                restored += transaction.restored
                if not (whole or restored) and _known(engine, transaction.path, salt):
                    return errors.STATUS_OK  # another run was faster
                status = run.reconcile(found, restored)
        run.tell_of_rules()
        return status


def salted(found: list[tuple[str, bytes]], options: Options) -> bytes:
    """The salt of the fingerprint: everything beside the dumps that the outcome depends on."""
    heads = [f"{name}\n{len(content)}\n" for name, content in found]
    sysctls = common()
    if options.netns:
        from netalias.system.netns import inside

        sysctls = inside(options.netns)(common)
    hands = "off" if options.hands_off else ""
    said = [options.group, options.only, hands, options.announce, options.max_aliases]
    head = "\n".join([__version__, *said, *heads])
    salt = blake2b(head.encode("utf-8", "surrogateescape"))
    salt.update(sysctls)
    for _, content in found:
        salt.update(content)
    return salt.digest()


def _unchanged(options: Options, salt: bytes) -> bool:
    """Whether declarations and kernel are as they were when they last agreed; False where an engine
    has to tell. Raises UsageError."""
    if not options.usual:
        return False
    number("--wait", options.wait, 10, 0)
    folder = RuntimeDirectory(stat("/proc/thread-self/ns/net").st_ino, 0).path
    before = recall(folder) if folder else b""
    return bool(before) and not unsettled(folder) and recognised(before, salt)


def _known(engine: Engine, folder: str, salt: bytes) -> bool:
    """As _unchanged(), by what the comparison would read."""
    before = recall(folder) if folder else b""
    if not before or unsettled(folder):
        return False
    engine.kernel.listen()
    return engine.kernel.recognises(salt, before)
