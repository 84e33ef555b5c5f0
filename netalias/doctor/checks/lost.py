"""Checks of what refers to a device that is gone, or was made again: a declaration, an index, a
detached rule."""

from __future__ import annotations

from netalias.doctor.checks.firewall import escaped
from netalias.doctor.finding import WARNING, Finding, finding, listed
from netalias.model import AF_INET6
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts


def main_missing(facts: Facts) -> Iterator[Finding]:
    """Aliases are declared for a device that is not there, or a line by which it would answer; a
    dummy that outlived it has its own finding."""
    present = facts.observed.snapshot.device
    waiting: dict[str, list[str]] = {}
    for name in facts.wishes if facts.everywhere else ():
        if present(name.main) is None:
            waiting.setdefault(name.main, []).append(str(name))
    for main, names in waiting.items():
        yield Finding(
            WARNING,
            f"{main}: {listed(names)} {'is' if len(names) == 1 else 'are'} declared and not there",
            f"there is no device {main}; watch and reconcile make its aliases when it comes",
            main=main,
            aliases=names,
        )
    for task in facts.tasks if facts.everywhere else ():
        if task.on and present(task.on) is None:
            yield Finding(
                WARNING,
                f"{task.title} ({task.place}) waits for {task.on}, which is to answer",
                f"there is no device {task.on}; watch goes on when it comes",
                main=task.on,
            )


def lost_index(facts: Facts) -> Iterator[Finding]:
    """A socket or a firewall rule has an index that no device has any more."""
    present = facts.observed.snapshot.devices
    for what, index in sorted(facts.held) if facts.aliases or facts.wishes else ():
        if index not in present:
            again = "restart the program" if "socket" in what else "load the rules again"
            yield Finding(
                WARNING,
                f"{what} is for the device {index}, which is gone",
                f"a device that was made again may have another index: {again}",
            )


def detached_rule(facts: Facts) -> Iterator[Finding]:
    """A rule of the policy names an alias by its alternative name, and has lost it.

    The kernel compares only the primary name of a device that comes (attach_rules of
    net/core/fib_rules.c).
    """
    aliases = {str(alias.name): alias for alias in facts.aliases}
    for rule in facts.detached:
        alias = aliases.get(rule.name)
        if alias is None or alias.device is None:
            continue
        ip = "ip -6" if rule.family == AF_INET6 else "ip -4"
        old, new = escaped(rule.name), escaped(alias.device.name)
        edits = f"s/^[^:]*://; s/ \\[detached\\]//; s/ {old} / {new} /"
        place = f"pref {rule.priority}"
        yield finding(
            alias,
            WARNING,
            f"a rule of the policy that names it never matches: {rule.word} {rule.name}",
            "the kernel finds a device that was made again by its primary name only",
            f"{ip} rule list {place} | sed {quoted(edits)} | while read -r rule; do"
            f" {ip} rule add {place} $rule; done &&"
            f" {ip} rule del {place} {rule.word} {quoted(rule.name)}",
        )
