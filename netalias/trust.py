"""Whether a path can be trusted: who else could have written the file, or put another in its place.

Root does not follow a path that other users lead, as cron(8) and the StrictModes of sshd(8) do not;
nor does a process with a capability, which they could use that way. Trusted are root, the user of
the process, and the one who has called sudo(8).
"""

from __future__ import annotations

from errno import EINVAL, ELOOP, ENODATA, ENOTSUP
from os import (
    O_CLOEXEC,
    O_NOCTTY,
    O_NONBLOCK,
    O_RDONLY,
    ST_RDONLY,
    close,
    environ,
    fstat,
    getcwd,
    geteuid,
    getxattr,
    lstat,
    path,
    readlink,
    set_blocking,
    stat,
    statvfs,
    strerror,
)
from os import open as os_open
from os import read as os_read

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from os import stat_result

INVOKERS = ("SUDO_UID", "PKEXEC_UID")
"""Variables of the environment with the uid of the user who has called sudo(8) or pkexec(1)."""
SERVICE = "netalias"
"""The user of netalias-watch.service."""
NULL = "/dev/null"
DESCRIPTORS = ("/dev/fd/", "/proc/self/fd/")
"""Folders of the descriptors of this process, by their numbers."""
DESCRIPTOR_0 = "/dev/stdin"
LINKS = 40
"""Symbolic links on a path at most: MAXSYMLINKS of linux/namei.h."""
ACL = "system.posix_acl_access"
"""The extended attribute of an ACL (acl(5)); the bits of the group are its mask then."""
MOUNTED = (
    "this mount is read-only, and another one may not be: mount the file alone, or give it as"
    " standard input"
)
"""The remedy for a folder whose mode cannot be changed here. A ConfigMap of Kubernetes is such a
mount, with mode 0777, and ``subPath`` mounts one file of it. That others cannot write by this mount
says nothing about others: a bind mount may be read-only, and its source not."""
NOT_REGULAR = "not a regular file"

SECRET_MAX = 4096
"""Longest file of a secret in bytes; a longer one is cut."""
OTHERS = 0o077
"""Rights of the group and of others."""

# File types: linux/stat.h, inode(7).
S_IFMT = 0o170000
S_IFCHR = 0o020000
S_IFDIR = 0o040000
S_IFREG = 0o100000
S_IFLNK = 0o120000
S_ISVTX = 0o001000


def careful() -> bool:
    """Whether this process has rights that others could use by a file or a path."""
    return geteuid() == 0 or capable()


def capable() -> bool:
    """Whether this process has any capability (proc_pid_status(5)).

    A service of an ordinary user may have one, and a file written by others would then use it.
    """
    try:
        with open("/proc/self/status", "rb") as file:
            found = file.read().partition(b"\nCapEff:")[2].split(None, 1)
    except OSError:
        return True
    return int(found[0], 16) != 0


def invoker() -> int | None:
    """The uid of the user who has called sudo(8), pkexec(1) or doas(1); None without one."""
    for variable in INVOKERS:
        text = environ.get(variable, "")
        if text.isascii() and text.isdigit():
            return int(text)
    name = environ.get("DOAS_USER", "")
    if name:
        from pwd import getpwnam

        try:
            return getpwnam(name).pw_uid
        except KeyError:
            pass
    return None


def absolute(file: str) -> str:
    """The absolute path of a file, with the links and ".." that it has. Raises StateError where the
    working directory has been removed."""
    if file.startswith("/"):
        return file
    try:
        return path.join(getcwd(), file)
    except OSError:
        raise errors.StateError(
            f"{file}: the working directory does not exist any more", "name an absolute path"
        ) from None


def resolved(file: str) -> str:
    """The path of *file* without symbolic links, after a look at each folder and link on its way.

    Others can change nothing on that way, so it leads to the same file until one of the trusted
    users changes it. Raises StateError where they can, OSError, and ValueError for a NUL.
    """
    trusted = _trusted()
    here, links = "", 0
    shared = _folder(file, "/", lstat("/"), trusted)
    rest = _parts(absolute(file))
    while rest:
        here = f"{here}/{rest.pop()}"
        status = lstat(here)
        if status.st_mode & S_IFMT == S_IFLNK:
            _link(file, here, status, trusted)
            if status.st_size:
                links += 1
                if links > LINKS:
                    raise OSError(ELOOP, strerror(ELOOP), file)
                target = readlink(here)
                here = "" if target.startswith("/") else here.rpartition("/")[0]
                rest += _parts(target)
                continue
            status = stat(here)  # in procfs: the text of a link need not be where it leads to
        if status.st_mode & S_IFMT == S_IFDIR:
            shared = _folder(file, here, status, trusted)
        elif shared and status.st_nlink > 1:
            raise errors.StateError(
                f"{file}: others may have given it this name, so it is not trusted",
                "a copy of the file has one name",
            )
    return here or "/"


def _parts(way: str) -> list[str]:
    """The components of a path, the last one first. ".." stays: what it means is told by the
    folder before it, which has no links any more."""
    return [part for part in reversed(way.split("/")) if part not in ("", ".")]


def _trusted() -> set[int]:
    """The uids of trusted users. The owner of / can change everything; in a user namespace that is
    root outside of it, who has no uid in there."""
    return {0, geteuid(), lstat("/").st_uid, *_invokers()}


def _invokers() -> tuple[int, ...]:
    found = invoker()
    return () if found is None else (found,)


def _link(file: str, link: str, status: stat_result, trusted: set[int]) -> None:
    """Check a symbolic link on the way to *file*. Raises StateError."""
    if status.st_uid not in trusted:
        raise errors.StateError(
            f"{file}: the symbolic link {link} belongs to another user, so it is not followed",
            "name the file that it leads to",
        )


def _folder(file: str, folder: str, status: stat_result, trusted: set[int]) -> bool:
    """Check a folder on the way to *file*. Raises StateError.

    Whether others may add names to it. That is allowed with the sticky bit alone, which leaves to
    them only names of their own.
    """
    if status.st_uid not in trusted:
        raise errors.StateError(
            f"{file}: the folder {folder} belongs to another user, so the file is not trusted",
            f"chown root {folder}",
        )
    remedy = _open_to_others(folder, status)
    if remedy and not status.st_mode & S_ISVTX:
        raise errors.StateError(
            f"{file}: the folder {folder} is writable by others, so the file is not trusted",
            MOUNTED if _is_read_only(folder) else f"{remedy} {folder}",
        )
    return bool(remedy)


def _is_read_only(folder: str) -> bool:
    """Whether a folder is on a read-only mount, where its mode cannot be changed."""
    try:
        return bool(statvfs(folder).f_flag & ST_RDONLY)
    except OSError:
        return False


def _open_to_others(file: str | int, status: stat_result) -> str:
    """The command that takes from others the right to write to a file or folder, but for the file's
    name; empty where they have none. Members of the group of root are trusted."""
    mode = status.st_mode
    if mode & 0o002 or (mode & 0o020 and status.st_gid != 0):
        return "chmod go-w"
    return "setfacl -b" if mode & 0o020 and _has_acl(file) else ""


def _has_acl(file: str | int) -> bool:
    try:
        return bool(getxattr(file, ACL))
    except OSError as error:
        return error.errno not in (ENODATA, ENOTSUP)


def check_file(file: str, status: stat_result, opened: int | str) -> None:
    """Check that no other user could have written the file; *opened* is its descriptor or path.
    Raises StateError.

    Character devices pass: /dev/null is writable by all, and its content comes from the driver.
    Folders pass too: read(2) refuses them, and the advice to change their mode would do harm.
    """
    if status.st_mode & S_IFMT in (S_IFCHR, S_IFDIR):
        return
    remedy = _open_to_others(opened, status)
    if remedy:
        raise errors.StateError(
            f"{file}: writable by others, so it is not trusted", f"{remedy} {file}"
        )
    if status.st_uid not in (0, geteuid(), *_invokers()):
        raise errors.StateError(
            f"{file}: owned by another user, so it is not trusted", f"chown root {file}"
        )


def regular(file: str, flags: int) -> int:
    """An opener for open(): the descriptor of a regular file, opened without waiting.

    A FIFO, a socket and a device, which may never end, are not even opened; but for /dev/null and
    for descriptors of this process, such as the pipe of a shell's ``<()``. Raises OSError.
    """
    _check_type(file, stat(file))
    descriptor = os_open(file, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    try:
        _check_type(file, fstat(descriptor))
        set_blocking(descriptor, True)
    except BaseException:
        close(descriptor)
        raise
    return descriptor


def readable(file: str, flags: int) -> int:
    """An opener as regular(), by which a file that is_empty() is not read. Raises OSError."""
    descriptor = regular(file, flags)
    if is_empty(fstat(descriptor)):
        close(descriptor)
        return os_open(NULL, flags | O_CLOEXEC)
    return descriptor


def secret(file: str, what: str, hint: str = "") -> bytes:
    """The content of a file that its owner alone may read, SECRET_MAX + 1 bytes at most. *what* is
    the secret in it, and *hint* the way to make one that is not there. Raises StateError."""
    try:
        descriptor = regular(resolved(file), O_RDONLY)
    except FileNotFoundError as error:
        raise errors.StateError(f"{file}: {error.strerror}", hint, error.errno or 0) from None
    except OSError as error:
        raise errors.StateError(f"{file}: {error.strerror}", errno=error.errno or 0) from None
    except ValueError as error:  # a NUL in the name
        raise errors.StateError(f"{file}: {error}") from None
    try:
        status = fstat(descriptor)
        if not _is_of_service(status.st_uid):  # whose secrets root, who asks for it, may use too
            check_file(file, status, descriptor)
        if status.st_mode & OTHERS:
            raise errors.StateError(
                f"{file}: others may read it, so {what} is no secret", f"chmod 600 {file}"
            )
        return b"" if is_empty(status) else os_read(descriptor, SECRET_MAX + 1)
    except OSError as error:
        raise errors.StateError(f"{file}: {error.strerror}", errno=error.errno or 0) from None
    finally:
        close(descriptor)


def _is_of_service(uid: int) -> bool:
    """Whether this is the uid of the user of netalias-watch.service."""
    if uid in (0, geteuid()):
        return False
    from pwd import getpwnam

    try:
        return getpwnam(SERVICE).pw_uid == uid
    except KeyError:
        return False


def _check_type(file: str, status: stat_result) -> None:
    """Raises OSError."""
    if status.st_mode & S_IFMT in (S_IFREG, S_IFDIR) or is_descriptor(file):
        return
    if path.realpath(file) != NULL:
        raise OSError(EINVAL, NOT_REGULAR, file)


def is_empty(status: stat_result) -> bool:
    """Whether a file is a regular one without a size: it needs no reading.

    Files of procfs tell no size either, and reading one of them may wait, or take from others what
    they are to read, as /proc/kmsg does (proc_kmsg(5)).
    """
    return status.st_mode & S_IFMT == S_IFREG and status.st_size == 0


def is_descriptor(file: str) -> bool:
    """Whether a path is a descriptor of this process, which its parent has opened."""
    folder, _, number = file.rpartition("/")
    return file == DESCRIPTOR_0 or (f"{folder}/" in DESCRIPTORS and number.isdigit())
