"""Configuration files of other programs that name an alias, as ``eth0:0``.

A program turns a name into a device in one of several ways, and they disagree about ``eth0:0``
(docs/programs.md). The primary name, ``eth0_0``, means the alias device in all of them.
"""

from __future__ import annotations

from glob import glob

from netalias.model import Value
from netalias.trust import readable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMMENTS = ("#", ";", "//")
LABEL = r"[Ll]abel[ =]"
"""The word before the name of an address, which is no device: ``dev eth0 label eth0:0`` of
keepalived and ip(8), ``Label=eth0:0`` of systemd-networkd. For sed(1) too."""


class Program(Value):
    """A program, the patterns of its ``files``, and what it does with ``eth0:0``: by the kind of
    the alias, a ``device`` or a ``label``; empty where the name means the alias. A label that it
    cannot be given by name is given by ``instead``."""

    __slots__ = ("device", "files", "instead", "label", "name")

    def __init__(
        self,
        name: str,
        files: Iterable[str],
        *,
        device: str = "",
        label: str = "",
        instead: str = "",
    ) -> None:
        self.name = name
        self.files = tuple(files)
        self.device = device
        self.label = label
        self.instead = instead


PROGRAMS = (
    Program(
        "dnsmasq",
        ("/etc/dnsmasq.conf", "/etc/dnsmasq.d/*"),
        device="it finds no device of that name, and answers nobody there",
    ),
    Program(
        "haproxy",
        ("/etc/haproxy/*.cfg",),
        label="it cannot bind to a label, and listens on all addresses",
        instead="bind ADDRESS:PORT",
    ),
    Program(
        "keepalived",
        ("/etc/keepalived/*.conf",),
        device="it finds no device of that name, and ends",
        label="it finds no device of that name, and ends",
        instead="dev MAIN label NAME",
    ),
    Program(
        "chrony",
        ("/etc/chrony/chrony.conf", "/etc/chrony/conf.d/*.conf", "/etc/chrony.conf"),
        label="it cannot bind to a label, and listens nowhere",
        instead="bindaddress ADDRESS",
    ),
    Program(
        "unbound",
        ("/etc/unbound/unbound.conf", "/etc/unbound/unbound.conf.d/*.conf"),
        device="it cannot parse that interface, and ends",
    ),
    Program(
        "openvpn",
        ("/etc/openvpn/*.conf", "/etc/openvpn/*/*.conf"),
        label="it cannot bind to a label, and listens on all addresses",
        instead="local ADDRESS",
    ),
    Program(
        "ssh",
        ("/etc/ssh/ssh_config", "/etc/ssh/ssh_config.d/*.conf"),
        device="BindInterface finds no address on a device of that name",
    ),
    Program(
        "systemd-networkd",
        (
            "/etc/systemd/network/*.network",
            "/etc/systemd/network/*.link",
            "/etc/systemd/network/*.d/*.conf",
        ),
        device="[Match] matches nothing",
        label="[Match] matches nothing",
        instead="Name=MAIN",
    ),
    Program(
        "systemd",
        (
            "/etc/systemd/system/*.service",
            "/etc/systemd/system/*.socket",
            "/etc/systemd/system/*.d/*.conf",
        ),
        device="programs such as tcpdump and dhclient take MAIN",
    ),
)


class Mention(Value):
    """A line of a file in which *program* is given the name of an alias."""

    __slots__ = ("file", "line", "name", "program")

    def __init__(self, program: Program, file: str, line: int, name: str) -> None:
        self.program = program
        self.file = file
        self.line = line
        self.name = name


def read(names: Iterable[str], root: str = "") -> list[Mention]:
    """The first line of each file below *root* that gives a program one of *names*."""
    import re

    wanted = "|".join(map(re.escape, names))
    if not wanted:
        return []
    pattern = re.compile(rf"(?<!{LABEL})(?<![\w:.-])(?:{wanted})(?![\w:])")
    found: dict[tuple[str, str], Mention] = {}
    for program in PROGRAMS:
        for file in sorted(one for part in program.files for one in glob(root + part)):
            for number, line in _lines(file):
                for name in pattern.findall(line):
                    found.setdefault((file, name), Mention(program, file, number, name))
    return list(found.values())


def _lines(file: str) -> Iterator[tuple[int, str]]:
    """The lines of a file without comments, numbered from 1."""
    try:
        with open(file, encoding="utf-8", errors="surrogateescape", opener=readable) as opened:
            lines = opened.read().split("\n")
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        if not line.lstrip().startswith(COMMENTS):
            yield number, line.partition(" #")[0]
