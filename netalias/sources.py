"""Files of declarations: which there are, whether they can be trusted, what they hold.

The folders follow the convention of systemd (see its environment.d(5), "CONFIGURATION DIRECTORIES
AND PRECEDENCE"): what the administrator has wins over what is volatile, and that over what the
vendor has.
"""

from __future__ import annotations

from os import (
    O_CLOEXEC,
    O_NOCTTY,
    O_RDONLY,
    close,
    environ,
    fstat,
    geteuid,
    listdir,
    path,
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
"""A file masks those of the same name in the folders behind."""
SUFFIX = ".conf"
MASK = "/dev/null"
"""A file that is a link to it masks, and is not read."""
STDIN = "-"
STDIN_NAME = "<stdin>"
SIZE_MAX = 64 << 20
"""Bytes of one file."""
CHUNK = 1 << 20

S_IFMT = 0o170000
S_IFCHR = 0o020000
S_IFDIR = 0o040000
"""linux/stat.h; stat(7)."""


def default_files(root: str = "") -> list[str]:
    """The files that there are, in the order in which they are read. Raises StateError.

    *root* stands in front of every name.
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
    """The name for messages and the content of each; of the default files when *paths* is empty.

    ``-`` is standard input (*stdin*, or descriptor 0). Raises StateError, and UsageError when
    standard input is asked for twice.
    """
    if list(paths).count(STDIN) > 1:
        raise errors.UsageError("-: standard input can be read only once")
    return [_read_one(file, stdin) for file in paths or default_files()]


def decode(found: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Texts from UTF-8, without the byte order mark; what is not UTF-8 becomes surrogates."""
    return [
        (name, content.decode("utf-8", "surrogateescape").removeprefix("\ufeff"))
        for name, content in found
    ]


def _read_one(file: str, stdin: BinaryIO | None) -> tuple[str, bytes]:
    if file == STDIN:
        take = stdin.read if stdin is not None else _reader(0)
        return STDIN_NAME, _limited(STDIN_NAME, take)
    try:
        descriptor = os_open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    except (OSError, ValueError) as error:
        raise _failed(file, error) from None
    try:
        if geteuid() == 0 or _capable():
            _check_trust(file, fstat(descriptor))
        return file, _limited(file, _reader(descriptor))
    finally:
        close(descriptor)


def _reader(descriptor: int) -> Callable[[int], bytes]:
    return lambda size: os_read(descriptor, size)


def _limited(name: str, take: Callable[[int], bytes]) -> bytes:
    """All that can be read, but no more than SIZE_MAX."""
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
        if size > SIZE_MAX:
            raise errors.StateError(f"{name}: larger than {SIZE_MAX >> 20} MiB")


def _capable() -> bool:
    """Whether this process has a capability (proc_pid_status(5)), as a service of an ordinary user
    may: others could use it by what they write."""
    try:
        with open("/proc/self/status", "rb") as file:
            found = file.read().partition(b"\nCapEff:")[2].split(None, 1)
    except OSError:
        return True
    return int(found[0], 16) != 0


def _check_trust(file: str, status: stat_result) -> None:
    """Raises StateError for a file that somebody else could have written.

    A character device gives what its driver has: /dev/null is writable by all. A folder is refused
    by read(2), and the advice to change its mode would harm.
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
    """What a configuration is known by: its text, wherever it stands, and whatever is left out."""
    from _blake2 import blake2b

    return blake2b(b"\0".join(content for _, content in found), digest_size=16).hexdigest()
