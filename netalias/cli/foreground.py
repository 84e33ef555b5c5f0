"""A tunnel in the foreground: this process is its data plane, until it is ended."""

from __future__ import annotations

import os

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options
    from netalias.cli.until import Until
    from netalias.desired.tunnels import Tunnel
    from netalias.engine import Engine
    from netalias.engine.tunnels import Held
    from netalias.watch.relaying import Beside


def carry(options: Options, task: Tunnel, beside: Callable[[], Beside] | None = None) -> int:
    """Carry a tunnel until SIGTERM, SIGINT or SIGHUP; with --detach in a child, which goes on when
    this function returns. *beside* makes what else is done in the loop of the data plane. The exit
    status. Raises AlreadyExists, StateError, NotPermitted, KernelError."""
    ready = -1
    if options.detach:
        status, ready = _detached()
        if status >= 0:
            return status
    from netalias.cli.until import Until
    from netalias.engine import tunnels

    with options.engine() as engine:
        until = engine.within(lambda: Until(options))
        if until.over:
            return errors.STATUS_OK
        held = tunnels.hold(engine, task)
        try:
            _carry(options, engine, task, held, ready, beside, until)
        finally:
            _end(engine, task, held)
    return errors.STATUS_OK


def _carry(
    options: Options,
    engine: Engine,
    task: Tunnel,
    held: Held,
    ready: int,
    beside: Callable[[], Beside] | None,
    until: Until,
) -> None:
    """Make a device as its line says, and relay."""
    import gc

    from netalias.cli.output import complain
    from netalias.engine.tunnels import carriage_of, mtu_of, words_of
    from netalias.runtime import tunnels as record
    from netalias.tunnels import plane
    from netalias.watch.carrying import kind

    gc.enable()  # the launcher disables it for short commands
    mtu = mtu_of(task, held.carriage)
    with engine.transaction() as transaction:
        refused, notes = kind(task.keyword).settle(engine, task, mtu)
        if refused:
            raise refused[0]
        count = held.count.fileno()
        found = record.Carried(task.name, task.text, counters=count, mtu=mtu, plane=os.getpid())
        record.write(transaction.path, found)
        folder, cookie = transaction.path, engine.kernel.cookie()
    for note in () if options.quiet else notes:
        complain(note, "warning: ")
    if ready >= 0:
        _leave(ready)
    words = [*words_of(task, mtu), "folder", folder, "cookie", str(cookie)]
    pairs = dict(zip(words[::2], words[1::2], strict=True))
    carriage = os.dup(held.carriage.fileno())
    made = plane.relay(held.device, carriage_of(task), carriage, held.count, pairs)
    made.parts += until.parts
    more = beside() if beside is not None else None
    if more is not None:
        made.parts += more.parts
    try:
        plane.run(made)
    finally:
        if more is not None:
            more.close()


def _end(engine: Engine, task: Tunnel, held: Held) -> None:
    """Let the device go, and delete what would stay behind."""
    from netalias.runtime import tunnels as record
    from netalias.watch.carrying import kind

    held.close()
    with engine.transaction() as transaction:
        record.remove(transaction.path, task.name)
        kind(task.keyword).undo(engine, [])


def _detached() -> tuple[int, int]:
    """Go on in a child: there, -1 and the descriptor of a pipe that tells the parent; here, the
    exit status of the command once the child is ready, or has ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        os.setsid()
        return -1, writing
    os.close(writing)
    if os.read(reading, 1):
        return errors.STATUS_OK, -1
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), -1


def _leave(ready: int) -> None:
    """Tell the parent that the tunnel stands, and let go of its terminal and directory."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(null, number)
    os.close(null)
    os.chdir("/")
    os.write(ready, b"1")
    os.close(ready)
