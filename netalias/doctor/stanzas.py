"""Stanzas in files of other programs for addresses that netalias declares too.

The importers read them, so that they are found in every format that can be imported.
"""

from __future__ import annotations

from os.path import exists

from netalias import errors
from netalias.importers import get
from netalias.importers.formats import automatic, existing
from netalias.model import Value
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netalias.model.names import AliasName

KEEPALIVED = "keepalived"
"""A format that is not imported unless it is named; its addresses are given by election."""
STANZAS = ("interfaces", "ifupdown2", "proxmox", "ifupdown-ng", "busybox")
"""Formats of stanzas, with commands in them."""

REMOVERS = (
    ("ifupdown2", "/usr/share/ifupdown2", "/etc/network/interfaces"),
    ("network-scripts", "/etc/sysconfig/network-scripts/ifup-aliases",
     "/etc/sysconfig/network-scripts/ifcfg-{}"),
)  # fmt: skip
"""Programs that remove addresses which their files do not have: name, a path that tells that it is
installed, and the file with a main device."""


class Stanza(Value):
    """The declared alias ``name``, which stands in ``place`` (``file:line``) too, of a ``format``.
    ``alone``: that is the first line of a stanza of its own, ``iface eth0:0``, and not a command of
    another one, ``up ip addr add ...``."""

    __slots__ = ("alone", "format", "name", "place")

    def __init__(self, name: AliasName, format: str, place: str, *, alone: bool = True) -> None:
        self.name = name
        self.format = format
        self.place = place
        self.alone = alone

    @property
    def file(self) -> str:
        """The path of the file."""
        return self.place.rpartition(":")[0]


class _Lines:
    """The lines of files, each of which is read once."""

    def __init__(self) -> None:
        self._files: dict[str, list[str]] = {}

    def begins(self, place: str, word: str) -> bool:
        """Whether the line at ``file:line`` begins with *word*."""
        path, _, number = place.rpartition(":")
        lines = self._files.get(path)
        if lines is None:
            lines = self._files[path] = _text(path).split("\n")
        at = int(number) - 1 if number.isdecimal() else len(lines)
        return at < len(lines) and lines[at].split()[:1] == [word]


def removers(mains: Iterable[str], root: str) -> set[tuple[str, str]]:
    """Main devices, and the programs of REMOVERS that configure them."""
    found = set()
    for program, sign, pattern in REMOVERS:
        for main in mains if exists(root + sign) else ():
            path = root + pattern.format(main)
            named = "{}" in pattern or main in _text(path).split()
            if named and exists(path):
                found.add((main, program))
    return found


def _text(path: str) -> str:
    """The text of a file; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace", opener=readable) as opened:
            return opened.read()
    except OSError:
        return ""


def read(owners: Mapping[bytes, AliasName], root: str, unseen: list[str]) -> list[Stanza]:
    """The stanzas for packed addresses, each with its alias, in the usual files below *root*, in
    their order; files that cannot be read are added to *unseen*."""
    if not owners:
        return []
    files = automatic(root)
    files[KEEPALIVED] = existing(KEEPALIVED, root)
    lines = _Lines()
    found = []
    for format, paths in files.items():
        try:
            addresses, _ = get(format, readable).read(paths) if paths else ([], [])
        except errors.NetaliasError as error:
            unseen.append(error.line())
            continue
        for one in addresses:
            if one.words and not one.asleep and one.packed in owners:
                alone = format not in STANZAS or lines.begins(one.place, "iface")
                found.append(Stanza(owners[one.packed], format, one.place, alone=alone))
    return found
