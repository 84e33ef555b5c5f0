"""Named texts in directories, in the manner of fs/proc/generic.c.

A path is names joined by "/", from the top of the tree with or without a leading slash; "" and
"/" are the top itself.  "." and ".." are no entries.  A trailing slash asks for a directory.
"""

from __future__ import annotations

import errno
import os
import stat

from procfs.seqfile import TextFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import ItemsView, Mapping
    from typing import TypeAlias

    from procfs.seqfile import TextHandle

    Entries: TypeAlias = "Mapping[str, TextFile | Tree | Entries]"

_FILE = stat.S_IFREG | TextFile.mode
_DIRECTORY = stat.S_IFDIR | 0o555


class Tree:
    """A directory of texts and further directories, fixed when it is made.

    `entries` maps a name to a TextFile, or to a mapping or Tree for a directory.  ValueError:
    a name that no path can reach.
    """

    __slots__ = ("_nodes",)

    def __init__(self, entries: Entries) -> None:
        self._nodes: dict[str, TextFile | Tree] = {}
        for name, entry in entries.items():
            _check_name(name)
            self._nodes[name] = entry if isinstance(entry, (TextFile, Tree)) else Tree(entry)

    def items(self) -> ItemsView[str, TextFile | Tree]:
        """Return the (name, TextFile or Tree) pairs of this directory in their given order."""
        return self._nodes.items()

    def open(self, path: str, mode: str = "r") -> TextHandle:
        """Return a handle on a snapshot of the text at `path`; see TextFile.open for `mode`.

        FileNotFoundError, NotADirectoryError: no way to `path`.  IsADirectoryError: it is a
        directory.  PermissionError: a mode that could write.
        """
        node = self._find(path)
        if isinstance(node, Tree):
            raise _error(errno.EISDIR, path)
        return node.open(mode)

    def listdir(self, path: str = "") -> list[str]:
        """Return the names in the directory at `path` in their given order.

        FileNotFoundError, NotADirectoryError: no way to `path`, or a text stands there.
        """
        node = self._find(path)
        if isinstance(node, TextFile):
            raise _error(errno.ENOTDIR, path)
        return list(node._nodes)

    def stat(self, path: str = "") -> os.stat_result:
        """Return a status as in /proc: st_mode 0o100444 or 0o40555, all else 0 but st_nlink.

        The size is 0 as well: it is known only when the text is opened.  FileNotFoundError,
        NotADirectoryError: no way to `path`.
        """
        node = self._find(path)
        if isinstance(node, TextFile):
            return _status(_FILE, links=1)
        below = sum(isinstance(entry, Tree) for entry in node._nodes.values())
        return _status(_DIRECTORY, links=2 + below)

    def _find(self, path: str) -> TextFile | Tree:
        node: TextFile | Tree = self
        for name in path.split("/"):
            if isinstance(node, TextFile):
                raise _error(errno.ENOTDIR, path)
            if not name:
                continue  # a leading, doubled or trailing slash: still this directory
            if name not in node._nodes:
                raise _error(errno.ENOENT, path)
            node = node._nodes[name]
        return node


def _check_name(name: str) -> None:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"not a file name: {name!r}")


def _status(mode: int, links: int) -> os.stat_result:
    inode = device = owner = group = size = moment = 0
    return os.stat_result((mode, inode, device, links, owner, group, size, moment, moment, moment))


def _error(code: int, path: str) -> OSError:
    # OSError picks its own subclass by the code
    return OSError(code, os.strerror(code), path)
