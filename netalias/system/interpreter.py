"""Processes beside this one that run a module of ours: isolated interpreters with the same folders
of modules, which begin with main() of that module and inherit no more than they are given.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

START = f"""\
import sys
sys.path[:] = sys.argv[1].split({os.pathsep!r})
sys.exit(__import__(sys.argv[2], fromlist=["main"]).main(sys.argv[3:]))"""
"""The program of the interpreter. "-m" would look into the current folder first."""
NONE = -1
"""In place of a descriptor that is not given."""


def start(module: str, given: Sequence[int], words: Sequence[str]) -> int:
    """Call main() of a module in a process of its own, in the namespace of the calling thread; the
    pid. Its arguments are the numbers that the descriptors *given* have there, NONE for NONE, and
    *words*. Raises OSError."""
    above = max(given) + 1  # so that none is taken before it is copied
    copies = {one: above + place for place, one in enumerate(given) if one != NONE}
    actions = [(os.POSIX_SPAWN_DUP2, *pair) for pair in copies.items()]
    folders = os.pathsep.join(filter(None, sys.path))
    flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else [])]
    numbers = [str(copies.get(one, NONE)) for one in given]
    command = [sys.executable, *flags, "-c", START, folders, module, *numbers, *words]
    return os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
