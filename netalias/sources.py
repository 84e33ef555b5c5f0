"""Files of declarations: finding them, checking whether they can be trusted, reading them.

The folders follow the convention of systemd (see its environment.d(5), "CONFIGURATION DIRECTORIES
AND PRECEDENCE"): files of the administrator win over volatile files, and those over files of the
vendor.
"""

from __future__ import annotations

from os import (
    O_CLOEXEC,
    O_NOCTTY,
    O_NONBLOCK,
    O_RDONLY,
    close,
    environ,
    fstat,
    geteuid,
    listdir,
    path,
    set_blocking,
    strerror,
)
from os import open as os_open
from os import read as os_read

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from os import stat_result
    from typing import BinaryIO

DEFAULT = "/etc/netalias.conf"
FOLDERS = ("/etc/netalias.d", "/run/netalias.d", "/usr/lib/netalias.d")
"""Folders in order of precedence: a file masks files of the same name in later folders."""
SUFFIX = ".conf"
MASK = "/dev/null"
"""Target of a link that masks a name; the link itself is not read."""
STDIN = "-"
STDIN_NAME = "<stdin>"
SIZE_MAX = 64 << 20
"""Largest size of all files that are read together, in bytes."""
CHUNK = 1 << 20
"""Bytes of one read."""

# File types: linux/stat.h, inode(7).
S_IFMT = 0o170000
S_IFCHR = 0o020000
S_IFDIR = 0o040000
S_IFREG = 0o100000

DESCRIPTORS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")
"""Beginnings of paths that lead to descriptors of this process."""


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
    try:
        names = listdir(folder)
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
    try:
        # O_NONBLOCK: a FIFO without a writer is not waited for.
        descriptor = os_open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise _failed(file, error) from None
    try:
        status = fstat(descriptor)
        _check_type(file, status.st_mode & S_IFMT)
        if geteuid() == 0 or _capable():
            _check_trust(file, status)
        set_blocking(descriptor, True)
        return file, _limited(file, _reader(descriptor), room)
    finally:
        close(descriptor)


def _check_type(file: str, mode: int) -> None:
    """Refuse a FIFO, a socket and a device, which may never end. Raises StateError.

    /dev/null passes, and so do descriptors of this process, such as the pipe of a shell's ``<()``.
    """
    if mode in (S_IFREG, S_IFDIR) or file.startswith(DESCRIPTORS) or path.realpath(file) == MASK:
        return
    raise errors.StateError(f"{file}: not a regular file", "- reads standard input")


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


def _capable() -> bool:
    """Whether this process has any capability (proc_pid_status(5)).

    A service of an ordinary user may have one, and a file written by others would then use it.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            found = file.read().partition(b"\nCapEff:")[2].split(None, 1)
    except OSError:
        return True
    return int(found[0], 16) != 0


def _check_trust(file: str, status: stat_result) -> None:
    """Check that no other user could have written the file. Raises StateError.

    Character devices pass: /dev/null is writable by all, and its content comes from the driver.
    Folders pass too: read(2) refuses them, and the advice to change their mode would do harm.
    """
    mode = status.st_mode
    if mode & S_IFMT in (S_IFCHR, S_IFDIR):
        return
    if mode & 0o002 or (mode & 0o020 and status.st_gid != 0):
        raise errors.StateError(
            f"{file}: writable by others, so it is not trusted", f"chmod go-w {file}"
        )
    if str(status.st_uid) not in ("0", str(geteuid()), environ.get("SUDO_UID")):
        raise errors.StateError(
            f"{file}: owned by another user, so it is not trusted", f"chown root {file}"
        )


def _failed(file: str, error: OSError | ValueError) -> errors.StateError:
    if isinstance(error, OSError) and error.errno:
        return errors.StateError(f"{file}: {strerror(error.errno)}", errno=error.errno)
    return errors.StateError(f"{file}: {error}")  # a NUL in the name


def configuration(found: list[tuple[str, bytes]]) -> str:
    """The digest of a configuration, 32 hexadecimal digits: BLAKE2b over the contents of its files.

    Names of files do not count, so a configuration may move.
    """
    from _blake2 import blake2b

    return blake2b(b"\0".join(content for _, content in found), digest_size=16).hexdigest()
