"""Declarations of the administrator: a state that is declared is no fault.

Aliases are declared in the files of netalias, sysctls in those of sysctl.d(5).
"""

from __future__ import annotations

from fnmatch import fnmatch
from os import listdir

from netalias import errors, sources
from netalias.desired import declarations
from netalias.doctor.facts import ALL, SYSCTLS
from netalias.model import AF_INET
from netalias.model.names import AliasName
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.desired import Wish
    from netalias.desired.tasks import Task
    from netalias.observed import Observed

SYSCTL_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
"""In order of precedence: a file masks files of the same name in later folders."""
SYSCTL_CONF = "/etc/sysctl.conf"
"""Read last by sysctl(8)."""
HEAD = ["net", "ipv4", "conf"]


def wishes(
    files: Sequence[str], observed: Observed, unseen: list[str]
) -> tuple[dict[AliasName, Wish], list[Task]]:
    """The declared aliases by name, and the lines beside them; what cannot be read is added to
    *unseen*."""
    try:
        texts = sources.decode(sources.read_named(files)) if files else []
    except errors.NetaliasError as error:
        unseen.append(str(error))
        return {}, []
    found = {}
    declared = declarations.parse(texts, observed.registry)
    for wish, _ in declared:
        main = observed.snapshot.device(wish.name.main)
        found[AliasName(main.name, wish.name.slot) if main is not None else wish.name] = wish
    return found, [*declared.tasks]


class Sysctls:
    """The IPv4 sysctls of devices that files below *root* declare."""

    def __init__(self, root: str = "") -> None:
        self._found: list[tuple[str, str, int, str]] = []
        for file in _files(root):
            self._found += _declared(file)

    def file(self, device: str, key: str, value: int) -> str:
        """The file that declares this *value* for a device or ALL; empty for none."""
        found = ("", 0)
        for pattern, name, declared, file in self._found:
            if name == key and (pattern == device or (device != ALL and fnmatch(device, pattern))):
                found = file, declared
        return found[0] if found[1] == value else ""


def _files(root: str) -> list[str]:
    found: dict[str, str] = {}
    for folder in SYSCTL_FOLDERS:
        try:
            names = listdir(root + folder)
        except OSError:
            continue
        for name in names:
            if name.endswith(".conf"):
                found.setdefault(name, f"{root}{folder}/{name}")
    return [*(found[name] for name in sorted(found)), root + SYSCTL_CONF]


def _declared(file: str) -> Iterator[tuple[str, str, int, str]]:
    """Device (or a pattern), key and value of each line about a device, and the file."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", opener=readable) as opened:
            lines = opened.read().split("\n")
    except OSError:
        return
    for line in lines:
        name, equals, value = line.strip().removeprefix("-").partition("=")
        if not equals or line.strip()[:1] in ("#", ";"):
            continue
        *head, device, key = _parts(name.strip())
        if head == HEAD and key in SYSCTLS[AF_INET] and value.strip().isdigit():
            yield device, key, int(value), file


def _parts(name: str) -> list[str]:
    """The parts of a sysctl; the first separator tells which one it is (sysctl.d(5))."""
    slash, dot = name.find("/"), name.find(".")
    if slash >= 0 and (dot < 0 or slash < dot):
        found = name.split("/")
    else:
        found = [part.replace("/", ".") for part in name.split(".")]
    return found if len(found) > 1 else ["", ""]
