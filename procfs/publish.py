"""Texts as real files, each replaced as a whole: rename(2) over the target.

A reader finds the old text or the new one, never a part, and keeps what it has open.  A text is
first written beside its target under a name `.procfs-PID-HEX`; a publisher that was killed leaves
such a file behind, and the next one removes it once that process is gone.

Nothing is synced to a disk: the folder is a volatile one (/run), and after a crash of the machine
there is nothing in it to tell.
"""

from __future__ import annotations

import os
import stat

from procfs.seqfile import TextFile
from procfs.tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from procfs.tree import Entries

    Rendered = dict[str, "bytes | Rendered"]

_PREFIX = ".procfs-"
_TOKEN_BYTES = 8
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# a foreign FIFO in the place of a text must not block us
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def publish(directory: str | os.PathLike[str], texts: Tree | Entries) -> list[str]:
    """Write every text of `texts` below `directory`; return the paths that changed, in order.

    Files get mode 0444.  A text that is already there is left alone, inode and times included;
    other files are not touched.  `directory` and those of the tree are made with mode 0755 when
    missing, but not the parents of `directory`.  All texts are rendered before the first is
    written, so an exception in a `show` changes nothing.

    OSError: as the kernel reports it; texts before the failing one are in place, the temporary
    file is gone.  ValueError: a name of the form kept for temporary files.
    """
    rendered = _render(texts if isinstance(texts, Tree) else Tree(texts))
    with _Folder(os.fspath(directory)) as folder:
        return _publish(folder, rendered)


def _render(tree: Tree) -> Rendered:
    rendered: Rendered = {}
    for name, node in tree.items():
        if _owner(name) is not None:
            raise ValueError(f"the name is kept for temporary files: {name!r}")
        rendered[name] = node.render() if isinstance(node, TextFile) else _render(node)
    return rendered


def _publish(folder: _Folder, rendered: Rendered) -> list[str]:
    folder.remove_leftovers()
    changed = []
    for name, text in rendered.items():
        if isinstance(text, dict):
            with _Folder(name, folder.fd) as below:
                changed += [f"{name}/{path}" for path in _publish(below, text)]
        elif not folder.holds(name, text):
            folder.replace(name, text)
            changed.append(name)
    return changed


class _Folder:
    """A directory held open: all work stays in it even if its path is moved meanwhile."""

    def __init__(self, path: str, parent: int | None = None) -> None:
        made = _make_directory(path, parent)
        # the caller may name a symbolic link; below it only directories count
        follow = 0 if parent is None else os.O_NOFOLLOW
        self.fd = os.open(path, os.O_DIRECTORY | os.O_CLOEXEC | follow, dir_fd=parent)
        if made:
            self._share()

    def __enter__(self) -> _Folder:
        return self

    def __exit__(self, *_exception: object) -> None:
        os.close(self.fd)

    def holds(self, name: str, text: bytes) -> bool:
        """Tell whether `name` is a regular file with exactly this text."""
        try:
            status = os.stat(name, dir_fd=self.fd, follow_symlinks=False)
            if not stat.S_ISREG(status.st_mode) or status.st_size != len(text):
                return False
            with open(os.open(name, _READ, dir_fd=self.fd), "rb", buffering=0) as file:
                return file.read() == text
        except FileNotFoundError:
            return False

    def replace(self, name: str, text: bytes) -> None:
        """Put `text` in the place of `name` in one step."""
        temporary = f"{_PREFIX}{os.getpid()}-{os.urandom(_TOKEN_BYTES).hex()}"
        fd = os.open(temporary, _CREATE, 0o444, dir_fd=self.fd)
        try:
            _fill(fd, text)
            os.replace(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:
            self._unlink(temporary)
            raise

    def remove_leftovers(self) -> None:
        """Remove the temporary files of publishers that no longer run."""
        with os.scandir(self.fd) as entries:
            for entry in entries:
                owner = _owner(entry.name)
                if owner is None or not entry.is_file(follow_symlinks=False):
                    continue
                if not _alive(owner):
                    self._unlink(entry.name)

    def _share(self) -> None:
        try:
            os.fchmod(self.fd, 0o755)  # whatever the umask
        except OSError:
            os.close(self.fd)
            raise

    def _unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass  # another publisher was faster


def _make_directory(path: str, parent: int | None) -> bool:
    try:
        os.mkdir(path, 0o755, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _fill(fd: int, text: bytes) -> None:
    """Write the whole text and close; a write may take less than it is given."""
    try:
        os.fchmod(fd, 0o444)  # whatever the umask
        rest = memoryview(text)
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def _owner(name: str) -> int | None:
    """Return the process id in a temporary name, None for any other name."""
    if not name.startswith(_PREFIX):
        return None
    pid, _, token = name[len(_PREFIX) :].partition("-")
    digits = pid.isascii() and pid.isdecimal() and len(pid) <= len(str(2**22))
    if not digits or pid.startswith("0"):
        return None
    return int(pid) if len(token) == 2 * _TOKEN_BYTES and _is_hex(token) else None


def _is_hex(token: str) -> bool:
    return set(token) <= set("0123456789abcdef")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # it lives, under another user
    return True
