"""The verbs check and reconcile, as far as it takes to find that nothing has changed.

What was found as it should be is remembered as a fingerprint of the declarations and of the
kernel's answer (kernel/netlink/fingerprint.py), beside the lock. Where it fits, nothing is parsed
and nothing is compared; where it does not, converge.py does all of it.
"""

from __future__ import annotations

from netalias import __version__, errors, sources
from netalias.cli import number
from netalias.runtime import recall

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.engine import Engine


def check(options: Options, words: list[str]) -> int:
    """Print what differs from the declarations; STATUS_DRIFT when something does."""
    found = sources.read(words)
    salt = salted(found, options)
    options.recorded = True
    with options.engine() as engine:
        if not (options.json or options.metrics) and _known(engine, engine.locked().place(), salt):
            return errors.STATUS_OK
        from netalias.cli.converge import Run

        return Run(options, engine, salt).check(found)


def reconcile(options: Options, words: list[str]) -> int:
    """Make the kernel agree with the declarations, and print what was changed."""
    number("--confirm", options.confirm, 0, 1)  # wrong words are wrong in sync too
    if options.dry_run:
        return check(options, words)
    found = sources.read(words)
    salt = salted(found, options)
    options.recorded = True
    with options.engine() as engine, engine.locked() as lock:
        whole = options.json or options.metrics or options.confirm
        if not whole and _known(engine, lock.folder, salt):
            return errors.STATUS_OK
        from netalias.cli.converge import Run

        return Run(options, engine, salt, lock.folder).reconcile(found)


def salted(found: list[tuple[str, bytes]], options: Options) -> bytes:
    """All that the outcome depends on, beside the kernel."""
    heads = [f"{name}\n{len(content)}\n" for name, content in found]
    hands = "off" if options.hands_off else ""
    head = "\n".join([__version__, options.group, options.only, hands, options.announce, *heads])
    contents = [content for _, content in found]
    return b"\0".join([head.encode("utf-8", "surrogateescape"), *contents])


def _known(engine: Engine, folder: str, salt: bytes) -> bool:
    """Whether the same declarations were true of the same kernel before."""
    before = recall(folder) if folder else b""
    if not before:
        return False
    engine.kernel.listen()
    return engine.kernel.recognises(salt, before)
