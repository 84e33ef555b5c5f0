"""The command keep of the verb iface: former addresses of a device are kept, or no longer."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options


def keep(options: Options, device: str, words: list[str]) -> int:
    """Ask the running watcher to keep the former addresses of a device (``kernel``, ``user``), or
    to end those that are kept (``off``), whatever a file says; the exit status.

    Raises UsageError, NoSuchDevice, NotOurs for the device of an alias, and StateError where
    nobody would do it, or nobody can translate.
    """
    from netalias.desired.keeping import OFF, read
    from netalias.desired.translating import DISABLE, KEYWORD, refusal
    from netalias.engine.iface import read as table_of
    from netalias.plan.iface import check_owner
    from netalias.runtime.tasks import carried_out

    task = read([device, "iface-alias", *words[1:]])
    with options.engine() as engine:
        table = table_of(engine, device)
        engine.kernel.permitted()
        if task.mode != OFF:
            check_owner(table)  # its address is declared, and never a former one
            from netalias.engine.keeping import check_translates

            check_translates(engine, task)
            if f"{KEYWORD} {DISABLE}" in carried_out(engine.runtime.path):
                raise refusal(f"{device} iface-alias {task.mode}")
        with engine.transaction(dry=options.dry_run) as transaction:
            from netalias.runtime import asked
            from netalias.runtime.instance import running

            if running(transaction.path) is None:
                raise errors.StateError(
                    f"{device}: a watcher keeps addresses, and none is running", "netalias watch"
                )
            if options.changes is not None:
                options.changes.append({"change": "keep", **task.fields()})
            elif options.dry_run or options.verbose:
                write(f"{task.text}\n")
            if not options.dry_run:
                asked.write(transaction.path, engine.kernel.cookie(), device, task.text)
    return errors.STATUS_OK
