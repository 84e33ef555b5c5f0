"""The verb iface: the addresses of one device, and its name and description."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import complain, explain, tell, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from netalias.cli import Options
    from netalias.engine import Engine
    from netalias.engine.iface import Done, Planner

SHOW = "show"
COMMANDS = {
    SHOW: "cli.iface.show",
    "add": "cli.iface.add",
    "add!": "cli.iface.add",
    "delete": "cli.iface.delete",
    "delete!": "cli.iface.delete",
    "rm": "cli.iface.delete",
    "rm!": "cli.iface.delete",
    "clear": "cli.iface.clear",
    "keep": "cli.keep.keep",
    "name": "cli.iface.name",
    "description": "cli.iface.description",
    "help": "cli.help_iface.usage",
}
"""Sub-command: the module and the function in it. It is called with the options, the name of the
device, and the words from the sub-command on."""
MEANT = {
    "change": "add!", "del": "delete", "flush": "clear", "ls": SHOW, "list": SHOW,
    "remove": "delete", "rename": "name", "replace": "add!", "set": "add!",
}  # fmt: skip
"""Words of other programs: the equivalent here."""
READING = (SHOW, "help")
"""Those that change nothing."""
FAMILIES = {"inet": 2, "inet6": 10}
"""Word of clear: the number of the family."""


def changes(words: list[str]) -> bool:
    """Whether the words after the verb change something."""
    from netalias.cli.show import named

    return named(words)[1:2] not in ([], *([word] for word in READING))


def iface(options: Options, words: list[str]) -> int:
    """Execute ``DEV [COMMAND [WORD]...]``, show without a command; the exit status."""
    from netalias.cli.show import named

    words = named(words)
    if not words:
        raise errors.UsageError("iface needs a device", "netalias iface eth0")
    device, *rest = words
    rest = rest or [SHOW]
    if rest[0] not in COMMANDS:
        raise _unknown(device, rest[0])
    module, _, function = COMMANDS[rest[0]].rpartition(".")
    home = __import__(f"netalias.{module}", fromlist=[function])
    return int(getattr(home, function)(options, device, rest))


def _unknown(device: str, word: str) -> errors.UsageError:
    """The error for a word that is no sub-command."""
    from netalias.desired import nearest

    if device in COMMANDS:
        return _no_device(device, word)
    near = MEANT.get(word) or nearest(word, list(COMMANDS))
    hint = f"did you mean {near}?" if near else f"one of {', '.join(COMMANDS)}"
    return errors.UsageError(f"iface {device} {word}: there is no such command", hint)


def _no_device(command: str, word: str = "") -> errors.UsageError:
    """The error for a sub-command that stands where the device belongs, before another word."""
    words = [word, command]
    if not word or word in FAMILIES or not word[0].isalpha() or ":" in word:
        words = ["eth0", command, *([word] if word else [])]
    hint = " ".join(["netalias iface", *words])
    return errors.UsageError(f"iface {command}: the device comes first", hint)


def show(options: Options, device: str, words: list[str]) -> int:
    """Print the addresses of a device, read from the kernel now."""
    _no_words(words)
    from netalias.engine.iface import read
    from netalias.views import iface as views

    with options.engine() as engine:
        try:
            table = read(engine, device)
        except errors.NoSuchDevice:
            if device in COMMANDS:
                raise _no_device(device) from None
            raise
    if options.json:
        from netalias.views import json

        write(json.render([views.fields(table)], pretty=options.pretty))
    else:
        write(views.text(table))
    return errors.STATUS_OK


def add(options: Options, device: str, words: list[str]) -> int:
    """Add an address; ``add!`` also sets mask and peer of one that is there."""
    from netalias.desired.iface import wanted
    from netalias.plan import iface as plan

    address = wanted(words[1:], words[0])
    if not options.force:
        from netalias.cli.floating import refuse

        with options.engine() as engine:
            refuse(options, engine, [(f"iface {device}", address.local)])
    replace = words[0].endswith("!")
    return _change(options, device, lambda table: plan.add(table, address, replace=replace))


def delete(options: Options, device: str, words: list[str]) -> int:
    """Remove an address; ``delete!`` and ``rm!`` do not mind if it is not there."""
    from netalias.desired.iface import local_of
    from netalias.plan import iface as plan

    local = local_of(words[1:], words[0])
    absent_ok = words[0].endswith("!")
    return _change(options, device, lambda table: plan.delete(table, local, absent_ok=absent_ok))


def clear(options: Options, device: str, words: list[str]) -> int:
    """Remove the addresses that are neither negotiated nor those of aliases."""
    from netalias.plan import iface as plan

    if len(words) > 2 or not set(words[1:]) <= set(FAMILIES):
        raise errors.UsageError(
            f"{' '.join(words)}: clear takes inet or inet6, or nothing",
            f"netalias iface {device} clear",
        )
    family = FAMILIES[words[1]] if words[1:] else 0
    return _change(options, device, lambda table: plan.clear(table, family))


def name(options: Options, device: str, words: list[str]) -> int:
    """Give the device another name."""
    if len(words) != 2:
        raise errors.UsageError("name needs the new name", f"netalias iface {device} name wan0")
    from netalias.engine.iface import rename

    return _execute(options, lambda engine: rename(engine, device, words[1]))


def description(options: Options, device: str, words: list[str]) -> int:
    """Give the device a description; an empty one removes it."""
    if len(words) < 2:
        raise errors.UsageError(
            "description needs a text, '' for none", f"netalias iface {device} description uplink"
        )
    from netalias.engine.iface import describe

    return _execute(options, lambda engine: describe(engine, device, " ".join(words[1:])))


def _no_words(words: list[str]) -> None:
    if len(words) > 1:
        raise errors.UsageError(f"{' '.join(words)}: {words[0]} takes no words")


def _change(options: Options, device: str, plan: Planner) -> int:
    from netalias.engine.iface import carry_out

    force, kill = options.force, options.kill_sockets
    return _execute(options, lambda engine: carry_out(engine, device, plan, force=force, kill=kill))


def _execute(options: Options, work: Callable[[Engine], Done]) -> int:
    """Do *work* in a transaction, and tell of it; the exit status."""
    with options.engine() as engine, engine.transaction(dry=options.dry_run):
        if options.dry_run:
            from netalias.cli.rehearsal import rehearsal

            engine = rehearsal(engine)
        done = work(engine)
        if options.changes is not None:
            from netalias.views.iface import changes

            options.changes.extend(changes(done.steps))
    for note in () if options.quiet else done.notes:
        complain(note, "warning: ")
    tell(options, done.steps)
    if (options.dry_run or options.verbose) and options.changes is None:
        from netalias.views.iface import killing

        write("".join(killing(done.dead)))
    for error in done.left:
        explain(error)
    return done.left[0].status if done.left else errors.STATUS_OK
