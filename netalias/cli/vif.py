"""The verb vif: tunnels made by hand, ended, and shown."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import narrow, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from netalias.cli import Options
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.runtime.tunnels import Carried
    from netalias.views.tunnels import Standing

SECONDS = 10.0
"""Seconds that a watcher, or the process of a tunnel, has to do what it is asked for."""
KEYWORDS = ("vif", "relay")
"""The names of devices of tunnels, without their numbers."""
TUNNELS = "tunnels"
"""The word of show for all tunnels."""


def vif(options: Options, words: list[str]) -> int:
    """Execute ``[NAME | NAME- | NAME ADDRESS WORD...]``; the exit status."""
    if not words or (len(words) == 1 and words[0][-1:] != "-"):
        return show(options, words)
    from netalias.desired.tunnels import read, unit_of

    name = words[0].removesuffix("-")
    if name != words[0]:
        if unit_of(name) < 0 or words[1:]:
            raise errors.UsageError(f"{' '.join(words)}: a name such as vif0- ends one tunnel")
        return end(options, name)
    return carry(options, read(words))


def carry(
    options: Options, task: Tunnel, alone: Callable[[Options, Tunnel], int] | None = None
) -> int:
    """Have the running watcher carry a tunnel, or do it in this process, with --detach in one that
    stays behind; the exit status. *alone* carries it in this process, where that takes more.
    Raises StateError, NotPermitted, KernelError, LockBusy."""
    if options.exit_when_down:
        from netalias.cli.until import check

        check(options)
    with options.engine() as engine:
        engine.kernel.permitted()
        with engine.transaction(dry=options.dry_run) as transaction:
            from netalias.runtime import asked
            from netalias.runtime.instance import running

            folder, watcher = transaction.path, running(transaction.path)
            if watcher is not None and options.until:
                raise errors.StateError(
                    f"{task.title}: the watcher (pid {watcher.pid}) carries it, whatever goes down"
                )
            _check_apart(folder, task)
            if options.changes is not None:
                options.changes.append({"change": "carry", **task.fields()})
            elif options.dry_run or options.verbose:
                write(f"{task.text}\n")
            if options.dry_run:
                return errors.STATUS_OK
            cookie = engine.kernel.cookie()
            before = asked.read(folder, cookie).get(task.subject, "")
            if watcher is not None:
                asked.write(folder, cookie, task.subject, task.text)
        if watcher is not None:
            _await(engine, folder, task, before)
            return errors.STATUS_OK
    from netalias.cli.foreground import carry as foreground

    return (alone or foreground)(options, task)


def _check_apart(folder: str, task: Tunnel) -> None:
    """Check that no other tunnel that is carried has its address, or its packets. Raises
    AlreadyExists."""
    from netalias.engine.carried import task_of
    from netalias.runtime.tunnels import carried

    found = [one for one in map(task_of, carried(folder)) if one is not None]
    task.apart_from([one for one in found if one.key != task.key])


def _await(engine: Engine, folder: str, task: Tunnel, before: str) -> None:
    """Wait until the watcher has done what it was asked for. Raises StateError with its reason; it
    is asked for the line *before* again then, empty for none."""
    from netalias.engine.carried import wait
    from netalias.runtime import asked, tunnels

    def read() -> Carried | None:
        return next((one for one in tunnels.carried(folder) if one.line == task.text), None)

    def done() -> bool:
        found = read()
        return found is not None and bool(found.plane or found.fault)

    made = wait(done, SECONDS)
    found = read()
    if made and found is not None and not found.fault:
        return
    with engine.transaction():
        if before and before != task.text:
            asked.write(folder, engine.kernel.cookie(), task.subject, before)
        else:
            asked.forget(folder, engine.kernel.cookie(), task.subject)
    fault = found.fault if made and found is not None else ""
    raise errors.StateError(fault or f"{task.title}: the watcher has not made it in {SECONDS:g} s")


def _check_alone(options: Options) -> None:
    """Raises UsageError for an option of a tunnel that is made."""
    if options.until or options.exit_when_down:
        raise errors.UsageError("--exit-when-down belongs to a tunnel or relay that is made")


def end(options: Options, name: str) -> int:
    """End a tunnel that was made by hand; the exit status. Raises NoSuchDevice without one, and
    StateError for one of a file."""
    _check_alone(options)
    from netalias.engine import carried, tunnels
    from netalias.runtime import asked
    from netalias.runtime import tunnels as record
    from netalias.runtime.instance import running

    with options.engine() as engine:
        engine.kernel.permitted()
        with engine.transaction(dry=options.dry_run) as transaction:
            folder, cookie = transaction.path, engine.kernel.cookie()
            found, watcher = record.read(folder, name), running(folder)
            key = name if found is None else asked.key_of(found.line)
            by_hand = key in asked.read(folder, cookie)
            held = found is not None and watcher is not None and found.pid == watcher.pid
            if found is None and not by_hand:
                if not options.dry_run:
                    tunnels.undo(engine, [])  # what a killed process has left
                if options.absent_ok:
                    return errors.STATUS_OK
                raise errors.NoSuchDevice(f"{name}: no such tunnel", "netalias show tunnels")
            if held and not by_hand:
                raise errors.StateError(
                    f"{name}: a file declares it", "take its line out, and watch ends it"
                )
            if options.changes is not None:
                options.changes.append({"change": "end", "ifname": name})
            elif options.dry_run or options.verbose:
                write(f"{name}-\n")
            if options.dry_run:
                return errors.STATUS_OK
            asked.forget(folder, cookie, key)
        if found is not None and held:
            line = found.line
            if not carried.wait(lambda: _changed(folder, name, line), SECONDS):
                raise errors.StateError(f"{name}: the watcher has not ended it in {SECONDS:g} s")
        elif found is not None:
            carried.end(found, folder, SECONDS)
        if found is not None:
            with engine.transaction():  # the lock is held until what it has made is undone
                if not held:
                    tunnels.undo(engine, [])  # unless it was killed meanwhile
    return errors.STATUS_OK


def _changed(folder: str, name: str, line: str) -> bool:
    """Whether a tunnel is carried no longer, or as another line says."""
    from netalias.runtime import tunnels

    found = tunnels.read(folder, name)
    return found is None or found.line != line


def show(options: Options, words: Sequence[str]) -> int:
    """Print all tunnels, or one in detail; the exit status. Raises NoSuchDevice for one that is
    not there."""
    _check_alone(options)
    from netalias.engine.carried import standing

    with options.engine() as engine:
        found = standing(engine)
    if words:
        found = [one for one in found if one.record.name == words[0]]
        if not found:
            raise errors.NoSuchDevice(f"{words[0]}: no such tunnel", "netalias show tunnels")
    print_(options, found, detailed=bool(words) or options.details)
    return errors.STATUS_OK


def shown(options: Options, words: Sequence[str]) -> bool:
    """Print what ``show tunnels`` or ``show vif0`` asks for; False where the words are about a
    device that is no tunnel."""
    if words[0].startswith(TUNNELS[:-1]):
        show(options, words[1:])
        return True
    from netalias.engine.carried import standing

    if not is_name(words[0]) or words[1:]:
        return False
    with options.engine() as engine:
        found = [one for one in standing(engine) if one.record.name == words[0]]
    if found:
        print_(options, found, detailed=True)
    return bool(found)


def is_name(word: str) -> bool:
    """Whether a word is the name of the device of a tunnel, or that and a hyphen: vif0, relay1-."""
    letters = word.rstrip("-0123456789")
    return letters in KEYWORDS and letters != word


def print_(options: Options, found: Sequence[Standing], *, detailed: bool) -> None:
    """Print tunnels as JSON, in detail, or as a table."""
    from netalias.views import tunnels

    if options.json:
        from netalias.views import json

        write(json.render([tunnels.fields(one) for one in found], pretty=options.pretty))
    elif detailed:
        between = "\\  " if options.oneline else "\n    "
        write("".join(between.join(tunnels.detail(one)) + "\n" for one in found))
    elif found:
        headings, rows = [*tunnels.COLUMNS], tunnels.rows(found)
        narrow(headings, rows, "netalias -d show tunnels", tunnels.LEFT_OUT)
