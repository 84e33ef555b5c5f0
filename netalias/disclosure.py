"""Limits on messages about a file: none shows its text to a user who cannot read it.

With a rule of sudo(8) for one verb a user has files read by root, and an error that repeats a word
of a line would show him any file. He is told the place and the kind of the error then.
"""

from __future__ import annotations

import os

from netalias.model.names import printable
from netalias.sources import FileName
from netalias.trust import NULL, absolute, capable, invoker, is_empty, regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.errors import NetaliasError

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
SECONDS = 5.0
"""Longest time that a look at a file as another user may take."""
NOTE = "something is not carried over as it stands"


def withheld(name: str) -> str:
    """The reason not to show the text of a file that was read; empty if it may be shown.

    Without sudo(8) and its like any text may; so may that of standard input (a name that is no
    FileName), which the user has opened himself.
    """
    user = invoker()
    if user in (None, 0) or not isinstance(name, FileName):
        return ""
    assert user is not None
    if name.withheld is None:
        readable = _readable(name, user)
        name.withheld = "" if readable else f"not shown, since user {user} cannot read this file"
    return name.withheld


def shown(name: str, error: NetaliasError) -> str:
    """The line of an error in the text of the file *name*, or its kind where the text is
    withheld."""
    reason = withheld(name)
    return f"{error.kind()} ({reason})" if reason else error.line()


class Reading:
    """The files that an importer reads; ``opener`` is that of open(), for regular files."""

    def __init__(self) -> None:
        self._names: dict[str, FileName] = {}

    def opener(self, path: str, flags: int) -> int:
        """The descriptor of a file, which is noted. Raises OSError."""
        descriptor = regular(path, flags)
        status = os.fstat(descriptor)
        self._names[f"{printable(path)}:"] = FileName(path, status)
        if is_empty(status):
            os.close(descriptor)
            return os.open(NULL, FLAGS)
        return descriptor

    def shown(self, note: str) -> str:
        """A note that begins with ``file:line:``, without its text where that is withheld."""
        for begin, name in self._names.items():
            number, _, _ = note.removeprefix(begin).partition(":")
            if note.startswith(begin) and number.isdigit() and withheld(name):
                return f"{begin}{number}: {NOTE} ({withheld(name)})"
        return note


def _readable(name: FileName, user: int) -> bool:
    """Whether a user can open the file that was read, by its path.

    A child tries it, with his groups. It has to be the same file: he could have named one that he
    cannot read, and put another one in its place since.
    """
    answer, end = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if not pid:
        try:
            _become(user)
            status = os.fstat(os.open(absolute(name), FLAGS))
            if (status.st_dev, status.st_ino) == name.file and not capable():
                os.write(end, b"1")
        finally:
            os._exit(0)
    os.close(end)
    try:
        if not _has_answered(answer):
            from signal import SIGKILL

            os.kill(pid, SIGKILL)  # it is alive, since it has the other end of the pipe
            return False
        return bool(os.read(answer, 1))
    finally:
        os.close(answer)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            pass  # the kernel reaps it where SIGCHLD is ignored


def _has_answered(answer: int) -> bool:
    """Whether the child has written or ended within SECONDS. The user can stop it, or have it open
    a file of FUSE that never opens."""
    from select import POLLIN, poll

    waiting = poll()
    waiting.register(answer, POLLIN)
    return bool(waiting.poll(1000 * SECONDS))


def _become(user: int) -> None:
    """Give up all rights but those of a user. Raises OSError."""
    from pwd import getpwuid

    group = int(os.environ.get("SUDO_GID", "") or -1)
    try:
        entry = getpwuid(user)
        group = entry.pw_gid if group < 0 else group
        groups = os.getgrouplist(entry.pw_name, group)
    except KeyError:  # a user without an entry has the group that sudo tells
        groups = [group]
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
