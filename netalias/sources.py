"""Files of declarations: finding them, checking whether they can be trusted, reading them.

The folders follow the convention of systemd (see its environment.d(5), "CONFIGURATION DIRECTORIES
AND PRECEDENCE"): files of the administrator win over volatile files, and those over files of the
vendor.
"""

from __future__ import annotations

from errno import EINVAL
from os import O_RDONLY, close, fstat, listdir, path, strerror
from os import read as os_read

from netalias import errors, trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import stat_result
    from typing import BinaryIO

DEFAULT = "/etc/netalias.conf"
FOLDERS = ("/etc/netalias.d", "/run/netalias.d", "/usr/lib/netalias.d")
"""Folders in order of precedence: a file masks files of the same name in later folders."""
SUFFIX = ".conf"
MASK = trust.NULL
"""Target of a link that masks a name; the link itself is not read."""
STDIN = "-"
STDIN_NAME = "<stdin>"
SIZE_MAX = 64 << 20
"""Largest size of all files that are read together, in bytes."""
CHUNK = 1 << 20
"""Bytes of one read."""


class FileName(str):
    """The name of a file that was read, with the identity of the file: ``file`` is its device and
    inode number. ``withheld`` is noted by disclosure.py."""

    __slots__ = ("file", "withheld")

    file: tuple[int, int]
    withheld: str | None

    def __new__(cls, name: str, status: stat_result) -> FileName:
        """*status* is that of the opened file."""
        self = super().__new__(cls, name)
        self.file = status.st_dev, status.st_ino
        self.withheld = None
        return self


def default_files(root: str = "") -> list[str]:
    """Paths of the declaration files that exist, in reading order. Raises StateError.

    *root* is put before every path.
    """
    found: dict[str, str] = {}
    for folder in FOLDERS:
        for name in _names(root + folder):
            found.setdefault(name, f"{root}{folder}/{name}")
    files = [found[name] for name in sorted(found)]
    if path.lexists(root + DEFAULT):
        files.insert(0, root + DEFAULT)
    return [file for file in files if path.realpath(file) != MASK]


def _names(folder: str) -> list[str]:
    """The names of files in a folder, none without it. Raises StateError, also where others could
    remove one."""
    try:
        names = listdir(folder)
        if trust.careful():
            trust.resolved(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _failed(folder, error) from None
    return [name for name in names if name.endswith(SUFFIX) and not name.startswith(".")]


def read(paths: Sequence[str], stdin: BinaryIO | None = None) -> list[tuple[str, bytes]]:
    """Name and content of each file, or of the default files when *paths* is empty.

    ``-`` is standard input (*stdin*, or descriptor 0), named ``<stdin>``. Raises StateError, also
    for more than SIZE_MAX bytes in all, and UsageError when ``-`` is given twice.
    """
    if list(paths).count(STDIN) > 1:
        raise errors.UsageError("-: standard input can be read only once")
    found: list[tuple[str, bytes]] = []
    room = SIZE_MAX
    for file in paths or default_files():
        found.append(_read_one(file, stdin, room))
        room -= len(found[-1][1])
    return found


def read_named(paths: Sequence[str]) -> list[tuple[str, bytes]]:
    """As read(), of files that another process has named: its standard input and its descriptors
    are none of this one. Raises StateError for these too."""
    for file in paths:
        if not file.startswith("/") or trust.is_descriptor(file):
            raise errors.StateError(f"{file}: another process was given this, and it alone has it")
    return read(paths)


def replaceable(file: str) -> str:
    """The path without links of a file of declarations that may be replaced, which need not exist;
    *file* may be a name that read() gave. Raises StateError for standard input, for a file that
    others could change, and for one that is not the administrator's.
    """
    if trust.is_descriptor(file) or (file == STDIN_NAME and not isinstance(file, FileName)):
        raise errors.StateError(f"{file}: it cannot be rewritten", "name a file")
    resolved = trust.resolved if trust.careful() else path.realpath
    try:
        if path.lexists(file):
            way = resolved(file)
        else:
            folder, _, name = file.rpartition("/")
            way = f"{resolved(folder)}/{name}"
    except (OSError, ValueError) as error:
        raise _failed(file, error) from None
    others = tuple(f"{folder}/" for folder in FOLDERS[1:])
    if file.startswith(others) or way.startswith(others):
        raise errors.StateError(
            f"{file}: this is not a file of the administrator",
            f"a copy in {FOLDERS[0]} takes its place",
        )
    if way == MASK:
        raise errors.StateError(f"{file}: masked by a link to {MASK}", f"rm {file}")
    if path.lexists(way) and not path.isfile(way):
        raise errors.StateError(f"{file}: {trust.NOT_REGULAR}")
    return way


def decode(found: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Name and text of each file: UTF-8 without a byte order mark, other bytes as surrogates."""
    return [
        (name, content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
        for name, content in found
    ]


def _read_one(file: str, stdin: BinaryIO | None, room: int) -> tuple[str, bytes]:
    if file == STDIN:
        take = stdin.read if stdin is not None else _reader(0)
        return STDIN_NAME, _limited(STDIN_NAME, take, room)
    careful = trust.careful()
    try:
        way = trust.resolved(file) if careful and not trust.is_descriptor(file) else file
        descriptor = trust.regular(way, O_RDONLY)
    except (OSError, ValueError) as error:
        raise _failed(file, error) from None
    try:
        status = fstat(descriptor)
        if careful:
            trust.check_file(file, status, descriptor)
        content = b"" if trust.is_empty(status) else _limited(file, _reader(descriptor), room)
        return FileName(file, status), content
    finally:
        close(descriptor)


def _reader(descriptor: int) -> Callable[[int], bytes]:
    return lambda size: os_read(descriptor, size)


def _limited(name: str, take: Callable[[int], bytes], room: int) -> bytes:
    """The whole content. Raises StateError for more than *room* bytes, what is left of SIZE_MAX."""
    chunks: list[bytes] = []
    size = 0
    while True:
        try:
            chunk = take(CHUNK)
        except OSError as error:
            raise _failed(name, error) from None
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
        size += len(chunk)
        if size > room:
            before = " together with the files before it" if room < SIZE_MAX else ""
            raise errors.StateError(f"{name}: larger than {SIZE_MAX >> 20} MiB{before}")


def _failed(file: str, error: OSError | ValueError) -> errors.StateError:
    if isinstance(error, OSError) and error.strerror == trust.NOT_REGULAR:
        return errors.StateError(f"{file}: {error.strerror}", "- reads standard input", EINVAL)
    if isinstance(error, OSError) and error.errno:
        return errors.StateError(f"{file}: {strerror(error.errno)}", errno=error.errno)
    return errors.StateError(f"{file}: {error}")  # a NUL in the name


def configuration(found: list[tuple[str, bytes]]) -> str:
    """The digest of a configuration, 32 hexadecimal digits: BLAKE2b over the contents of its files.

    Names of files do not count, so a configuration may move.
    """
    from _blake2 import blake2b

    return blake2b(b"\0".join(content for _, content in found), digest_size=16).hexdigest()
