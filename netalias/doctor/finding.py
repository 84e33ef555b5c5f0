"""Findings of the doctor as text and as JSON, and the commands that mend them."""

from __future__ import annotations

import os

from netalias.doctor.facts import FOLDERS, text_of
from netalias.model import AF_INET, Value
from netalias.model.names import NAME_MAX
from netalias.model.shell import quoted, sysctls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from netalias.model import Alias
    from netalias.model.names import AliasName

ERROR = "error"
"""Packets do not arrive, or an address does not stay."""
WARNING = "warning"
"""An alias works by luck, or only for some hosts."""
HINT = "hint"
"""The state may be intended."""


class Finding(Value):
    """One fault.

    ``check`` is the name of the check and ``level`` ERROR, WARNING or HINT. ``text`` states the
    fault, ``why`` its reason; ``command`` is for a shell and mends it, or is empty. ``main``,
    ``alias`` and ``device`` are names, empty when none or several are concerned; ``aliases`` are
    all that are concerned, ``address`` is the text of the address of ``alias``.
    """

    __slots__ = (
        "address", "alias", "aliases", "check", "command", "device", "level", "main", "text", "why",
    )  # fmt: skip

    def __init__(
        self,
        level: str,
        text: str,
        why: str,
        command: str = "",
        *,
        main: str = "",
        alias: str = "",
        device: str = "",
        address: str = "",
        aliases: Sequence[str] = (),
        check: str = "",
    ) -> None:
        self.level = level
        self.text = text
        self.why = why
        self.command = command
        self.main = main
        self.alias = alias
        self.device = device
        self.address = address
        self.aliases = list(aliases or ([alias] if alias else []))
        self.check = check

    def lines(self) -> list[str]:
        """The fault, its reason, and the lines of the command if there is one."""
        return [self.text, self.why, *(self.command.split("\n") if self.command else [])]

    def to_dict(self) -> dict[str, object]:
        """The JSON object of the finding."""
        keys = ("check", "level", "main", "alias", "aliases", "device", "text", "why", "command")
        return {key: getattr(self, key) for key in keys}


def listed(words: Sequence[str]) -> str:
    """Words as an enumeration: ``eth0:0 and eth0:1``, ``eth0:0, eth0:1 and 7 more``."""
    if len(words) > 3:
        return f"{words[0]}, {words[1]} and {len(words) - 2} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def finding(alias: Alias, level: str, text: str, why: str, command: str = "") -> Finding:
    """A finding about an alias; its name is put before the text."""
    device = alias.carrier
    return Finding(
        level,
        f"{alias.name}: {text}",
        why,
        command,
        main=alias.name.main,
        alias=str(alias.name),
        device=device.name if device is not None else "",
        address=text_of(alias) if alias.family in FOLDERS else "",
    )


def sysctl(device: str, key: str, value: int, family: int = AF_INET) -> str:
    """The command that sets a sysctl of a device."""
    return sysctls([(FOLDERS[family], device, key, value)])


def netalias(name: AliasName, words: str) -> str:
    """The command ``netalias eth0:0 WORDS``; ``-`` as *words* deletes the alias."""
    option = "-- " if name.startswith("-") else ""
    if words == "-":
        return f"netalias {option}{quoted(f'{name}-')}"
    return f"netalias {option}{quoted(name)} {words}"


def relabelled(alias: Alias) -> str:
    """The command that makes the alias a label; empty when its name is too long for one."""
    return netalias(alias.name, "kind label") if fits(alias.name) else ""


def fits(name: AliasName) -> bool:
    """Whether *name* fits a label."""
    return len(os.fsencode(str(name))) <= NAME_MAX
