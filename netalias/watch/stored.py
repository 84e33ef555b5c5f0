"""The state of a tunnel that the service manager keeps, in a file in memory beside its descriptors.

The file has lines of a word and its value: ``line``, as a declaration has it, and ``mtu``.
"""

from __future__ import annotations

import os

from netalias.desired.tunnels import tunnel_of
from netalias.model.names import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STATE = "state"
"""The role of the file, behind the name of the tunnel."""
LONGEST = 65536
"""Bytes of a state that are read."""


class State:
    """A tunnel that was kept; ``plane`` is the pid of its data plane: there is none any more."""

    plane = 0

    def __init__(self, name: str, line: str, mtu: int) -> None:
        self.name = name
        self.line = line
        self.mtu = mtu


def states(kept: Mapping[str, int]) -> list[State]:
    """The tunnels among the descriptors *kept*; one without the state of a tunnel that
    has its name is none."""
    found = []
    for role, descriptor in kept.items():
        name, _, part = role.rpartition(" ")
        if part != STATE:
            continue
        try:
            text = os.pread(descriptor, LONGEST, 0).decode("utf-8", "surrogateescape")
        except OSError:
            continue  # another thing under our name
        words = dict(line.partition(" ")[::2] for line in text.splitlines())
        mtu = number(words.get("mtu", ""))
        if mtu > 0 and tunnel_of(words.get("line", ""), name) is not None:
            found.append(State(name, words["line"], mtu))
    return found


def make(line: str, mtu: int) -> int:
    """A file in memory with the state of a tunnel. Raises OSError."""
    file = os.memfd_create("netalias-tunnel", os.MFD_CLOEXEC)
    text = f"line {line}\nmtu {mtu}\n"
    os.pwrite(file, text.encode("utf-8", "surrogateescape"), 0)
    return file
