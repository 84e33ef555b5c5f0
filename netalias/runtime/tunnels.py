"""The tunnels that are carried now: a file for each device, written by the process that holds it.

The file has lines of a word and its value: ``pid`` and ``start`` of the process, ``counters``, its
descriptor of them (tunnels/counters.py), ``since``, the local time, ``mtu``, and ``line``, as a
declaration has it; ``fault`` in their place where the tunnel could not be made. What a killed
process has left counts for nothing.
"""

from __future__ import annotations

import os
from time import strftime

from netalias import errors
from netalias.model.names import number
from netalias.runtime import files, replace_file, words
from netalias.runtime.instance import NOW
from netalias.system.process import owner, started

SUFFIX = ".tunnel"


class Carried:
    """A tunnel as its process has recorded it. ``name`` is that of its device, ``plane`` the pid of
    its data plane, 0 for none; ``fault`` tells why there is none."""

    __slots__ = ("counters", "fault", "line", "mtu", "name", "pid", "plane", "since", "start")

    def __init__(
        self,
        name: str,
        line: str,
        *,
        counters: int = -1,
        mtu: int = 0,
        plane: int = 0,
        fault: str = "",
    ) -> None:
        self.name = name
        self.line = line
        self.counters = counters
        self.mtu = mtu
        self.plane = plane
        self.fault = fault
        self.pid = os.getpid()
        self.start = ""
        self.since = ""

    @property
    def alive(self) -> bool:
        """Whether its process still runs, and the pid was not reused."""
        return started(self.pid) == self.start != ""

    def written_by(self, user: int) -> bool:
        """Whether a *user*, root or that of the process itself, may tell of the process: a service
        could have root end any other one."""
        return user == 0 or owner(self.pid) == user


def write(folder: str, found: Carried) -> None:
    """Record a tunnel of this process. Raises StateError."""
    pid = os.getpid()
    values = {
        "pid": pid, "start": started(pid), "plane": found.plane, "counters": found.counters,
        "since": found.since or strftime(NOW), "mtu": found.mtu, "line": found.line,
        "fault": found.fault.replace("\n", " "),
    }  # fmt: skip
    text = "".join(f"{word} {value}\n" for word, value in values.items())
    path = f"{folder}/{found.name}{SUFFIX}"
    try:
        replace_file(path, text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise errors.StateError(f"{path}: {error.strerror}") from None


def read(folder: str, name: str) -> Carried | None:
    """The record of a tunnel; None without one of a process that runs."""
    try:
        pairs, user = words.read(f"{folder}/{name}{SUFFIX}")
    except OSError:
        return None
    said = dict(pairs)
    numbers = {key: number(said.get(key, "")) for key in ("pid", "counters", "mtu", "plane")}
    found = Carried(
        name, said.get("line", ""), counters=numbers["counters"], mtu=max(numbers["mtu"], 0),
        plane=max(numbers["plane"], 0), fault=said.get("fault", ""),
    )  # fmt: skip
    found.pid = numbers["pid"]
    found.start, found.since = said.get("start", ""), said.get("since", "")
    if found.pid <= 0 or not found.line or not found.alive:
        return None
    return found if found.written_by(user) else None


def remove(folder: str, name: str) -> None:
    """Forget a tunnel. Raises StateError."""
    files.remove(f"{folder}/{name}{SUFFIX}")


def carried(folder: str) -> list[Carried]:
    """All tunnels of the runtime directory *folder*, empty for none, that a process carries."""
    found = [read(folder, name) for name in files.names(folder, SUFFIX)]
    return [one for one in found if one is not None]
