"""The verb doctor."""

from __future__ import annotations

from netalias import errors
from netalias.cli.output import complain, write
from netalias.cli.show import named
from netalias.doctor import examine
from netalias.doctor.finding import HINT
from netalias.doctor.read import read
from netalias.engine.macs import identity
from netalias.model.names import printable
from netalias.model.shell import quoted
from netalias.runtime import condition
from netalias.runtime.instance import running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.cli import Options
    from netalias.doctor.finding import Finding


def doctor(options: Options, words: list[str]) -> int:
    """Print the findings; the exit status, STATUS_DRIFT if there are any but hints."""
    words = named(words)
    with options.engine() as engine:
        observed = engine.observe()
        folder = engine.runtime.path
        watcher = running(folder) if folder else None
        store = condition.found(folder) if watcher is not None else None
    files = watcher.files if watcher is not None else ()
    identified = bool(identity()[0])
    told = {"files": files, "identified": identified, "watched": watcher is not None}
    told |= {"folder": folder, "store": store}
    facts = read(observed, words, netns=options.netns, **told)  # type: ignore[arg-type]
    findings = examine(facts)
    if options.netns:
        for finding in findings:
            finding.command = inside(options.netns, finding.command)
    if not options.quiet:
        for what in facts.unseen:
            complain(f"not looked at: {what}")
    if options.json:
        from netalias.views import json

        objects = [finding.to_dict() for finding in findings]
        write(json.render(objects, pretty=options.pretty))
    else:
        write("".join(map(block, findings)))
    faults = [finding for finding in findings if finding.level != HINT]
    return errors.STATUS_DRIFT if faults else errors.STATUS_OK


def inside(netns: str, command: str) -> str:
    """The command that runs *command* in the network namespace *netns*."""
    if not command:
        return ""
    words = f"sh -c {quoted(command)}" if set(command) & set("&|;<>'\"\n") else command
    if "/" in netns:
        return f"nsenter --net={quoted(netns)} {words}"
    return f"ip netns exec {quoted(netns)} {words}"


def block(finding: Finding) -> str:
    """A finding as text: its level and the fault, then indented the reason and the command."""
    first, *rest = map(printable, finding.lines())
    return "\n    ".join([f"{finding.level}: {first}", *rest]) + "\n"
