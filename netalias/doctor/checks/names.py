"""Checks of names: programs that are given ``eth0:0``, and names that programs cut."""

from __future__ import annotations

from netalias.doctor.checks.firewall import escaped
from netalias.doctor.facts import text_of
from netalias.doctor.finding import ERROR, HINT, WARNING, Finding, finding
from netalias.doctor.programs import LABEL
from netalias.model import names
from netalias.model.shell import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from netalias.doctor.facts import Facts
    from netalias.doctor.programs import Mention
    from netalias.model import Alias


def long_name(facts: Facts) -> Iterator[Finding]:
    """The name has over 15 bytes, at which SO_BINDTODEVICE and ioctls cut it."""
    taken = {str(alias.name) for alias in facts.observed.aliases}
    for alias in facts.aliases:
        short = names.cut(alias.name) if alias.device is not None else ""
        if not short:
            continue
        other = short in taken
        yield finding(
            alias,
            WARNING if other else HINT,
            f"programs that bind to it use {short if other else alias.name.main}",
            f"they cut its name at {names.NAME_MAX} bytes; its primary name,"
            f" {alias.carrier.name if alias.carrier else ''}, is short enough",
        )


def program(facts: Facts) -> Iterator[Finding]:
    """A program is given a name that does not mean the alias to it."""
    aliases = {str(alias.name): alias for alias in facts.aliases if alias.carrier is not None}
    for mention in facts.mentions:
        alias = aliases.get(mention.name)
        reason = _reason(alias, mention) if alias is not None else ""
        if alias is None or not reason:
            continue
        yield finding(
            alias,
            ERROR,
            f"{mention.program.name} needs another name for it ({mention.file}:{mention.line})",
            f"{reason}: it needs {_needed(alias, mention)}",
            _corrected(alias, mention) if alias.device is not None else "",
        )


def _reason(alias: Alias, mention: Mention) -> str:
    """A clause about the program, which misses the alias by this name; empty where it does not."""
    kind = "label" if alias.device is None else "device"
    said: str = getattr(mention.program, kind)
    if not said and alias.device is not None and names.cut(alias.name):
        said = f"it cuts the name at {names.NAME_MAX} bytes, to {names.cut(alias.name)}"
    return said.replace("MAIN", alias.name.main)


def _needed(alias: Alias, mention: Mention) -> str:
    if alias.device is not None:
        return alias.device.name
    text = mention.program.instead
    for word, value in (
        ("ADDRESS", text_of(alias)), ("MAIN", alias.name.main), ("NAME", str(alias.name)),
    ):  # fmt: skip
        text = text.replace(word, value)
    return text


def _corrected(alias: Alias, mention: Mention) -> str:
    """The command that puts the primary name in place of the other one, but in lines that name a
    label."""
    assert alias.device is not None
    name, device = escaped(str(alias.name)), escaped(alias.device.name)
    edit = rf"/{LABEL}{name}/!s/\(^\|[^[:alnum:]_:.-]\){name}\b/\1{device}/g"
    return f"sed -i {quoted(edit)} {quoted(mention.file)}"
