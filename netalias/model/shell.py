"""Commands of ip(8) and sysctl(8) as a shell takes them, whatever a device is called."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_")
"""Characters that mean nothing to a shell."""


def quoted(word: str) -> str:
    """*word* as one word of a shell (shlex.quote, without what that imports)."""
    if word and PLAIN.issuperset(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"


def link(device: str) -> str:
    """The words that name a device where ip-link(8) would take ``-x`` for an option, and ``up`` for
    a word of its own."""
    return f"dev {quoted(device)}" if device[:1] == "-" or device.isalpha() else quoted(device)


def sysctls(settings: Iterable[tuple[str, str, str, int]], flags: str = "-w") -> str:
    """The commands that set sysctls, joined by ``&&``: family, device, key and value of each.

    Slashes separate the words for sysctl(8) when the name of the device has a dot. One with an
    equals sign cannot be named to it, and is written to its file.
    """
    words, files = [], []
    for family, device, key, value in settings:
        path = ["net", family, "conf", device, key]
        if "=" in device:
            files.append(f"echo {value} > {quoted('/proc/sys/' + '/'.join(path))}")
        else:
            words.append(quoted(f"{('/' if '.' in device else '.').join(path)}={value}"))
    return " && ".join(([f"sysctl {flags} {' '.join(words)}"] if words else []) + files)
