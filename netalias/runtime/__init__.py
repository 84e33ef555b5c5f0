"""The runtime directory of a network namespace: a lock that serialises changes, and small files.

The directory is ``/run/netalias/<inode of the namespace>``. A user who has no right to write there
has one under $XDG_RUNTIME_DIR, or in a folder under /tmp; then only runs of that user exclude each
other. If /run/netalias belongs to a service that runs as an ordinary user, root and the service
share the lock. $NETALIAS_RUNTIME names another parent, which is then the only one.

Whoever owns a directory could put links, FIFOs and foreign files in the place of ours. So files are
opened without following links and without waiting, and what is no regular file with a single name
is refused; drafts are made anew (O_EXCL).
"""

from __future__ import annotations

import os
from errno import EACCES, EAGAIN, EINVAL, ELOOP, EMFILE, ENFILE, ENOTDIR, ENXIO, EPERM, EROFS

from netalias import errors

NOFOLLOW = os.O_CLOEXEC | os.O_NOFOLLOW
"""Flags for open(2): a service that owns the directory could redirect root by a link."""
VARIABLE = "NETALIAS_RUNTIME"
"""The variable of the environment that names another parent than SYSTEM."""
SYSTEM = "/run/netalias"
TEXTS = f"{SYSTEM}/net"
"""The folder of texts that every change refreshes if it exists (engine/texts.py)."""
POLL = 0.01
"""Seconds between two attempts to take the lock."""
COOKIE = "/namespace"
FINGERPRINT = "/fingerprint"
SYSCTLS = "/settings"
"""The file of former sysctls (sysctls.py)."""
BEGUN = "/settings.begun"
"""The same while a change is under way, or if a run was killed during one."""
SPARE = 8
"""Folders under /tmp that a user tries: others may have made the first ones."""
SIZE_MAX = 1 << 20
"""Bytes that are read of a small file at most."""
LACKING = (EMFILE, ENFILE)
"""Errors against which no other place helps."""
S_IFMT, S_IFREG = 0o170000, 0o100000
"""File types: linux/stat.h, inode(7)."""


class RuntimeDirectory:
    """The runtime directory of the namespace with inode *namespace*; acquire() waits *wait* seconds
    at most. Whoever follows the lock file hears of a release (IN_CLOSE_WRITE of inotify(7)), of one
    that is not *heard* does not.

    ``unsettled``: when the lock was taken there was a record of sysctls that a killed run may have
    left raised.
    """

    unsettled = False
    cookie = 0
    """That of the last acquire()."""

    def __init__(self, namespace: int, wait: float, *, heard: bool = True) -> None:
        self.namespace = namespace
        self.wait = wait
        self._access = os.O_RDWR if heard else os.O_RDONLY
        self._path = ""
        self._file = -1

    @property
    def path(self) -> str:
        """The path of the directory; empty if the lock of this namespace was never taken."""
        if not self._path:
            self._path = self._found()
        return self._path

    def _found(self) -> str:
        for base in _bases():
            path = f"{base}/{self.namespace}"
            if os.path.exists(f"{path}/lock") and _trusted(base):
                return path
        return ""

    def acquire(self, cookie: int = 0) -> None:
        """Take the lock by flock(2); the kernel releases it when the process dies.

        Creates the directory if necessary. An inode may be that of a former namespace, but a
        *cookie* (SO_NETNS_COOKIE) is not used again before the next boot: files of another one are
        removed; 0 for unknown. Raises LockBusy after the waiting time, StateError if no directory
        is writable.
        """
        self.cookie = cookie
        self._file, self._path = _open(self.namespace, self._access)
        if not self._try():
            self._await()
        if cookie:
            try:
                _own_files(self._path, cookie)
            except OSError as error:
                self.release()
                raise errors.StateError(f"{self._path}{COOKIE}: {error.strerror}") from None
        self.unsettled = unsettled(self._path)

    def forget(self) -> None:
        """Forget the fingerprint, before a change: it does not cover all that a killed run may
        leave. If that fails, the next run may take that for the former state."""
        try:
            if self._path:
                remove_file(self._path + FINGERPRINT)
        except OSError:
            pass

    def release(self) -> None:
        """Release the lock."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _try(self) -> bool:
        # Loaded here: a run that finds nothing changed takes no lock.
        from fcntl import LOCK_EX, LOCK_NB, flock

        try:
            flock(self._file, LOCK_EX | LOCK_NB)
        except OSError as error:
            if error.errno in (EAGAIN, EACCES):
                return False
            raise errors.StateError(f"cannot lock: {error.strerror}") from None
        return True

    def _await(self) -> None:
        # flock has no timeout, and an alarm signal would disturb a program that uses the library;
        # so poll.
        from time import monotonic, sleep

        end = monotonic() + self.wait
        while not self._try():
            if monotonic() >= end:
                self.release()
                raise errors.LockBusy(
                    f"another netalias is at work (waited {self.wait:g} s for {self._path}/lock)"
                )
            sleep(POLL)


def _own_files(directory: str, cookie: int) -> None:
    """Remove the files that a former namespace has left in a directory. Raises OSError.

    Without COOKIE they are of a version that did not write it, and stay. Something else in its
    place is nobody's mark, and whoever put it there could have changed the other files as well; an
    empty one is what a power cut leaves, on a disk.
    """
    try:
        found = read_file(directory + COOKIE)
    except OSError as error:
        if error.errno not in (EINVAL, ELOOP, ENXIO):  # ENXIO: a socket
            raise
        found = b"none"
    # Elsewhere than in SYSTEM files may outlast the boot, after which the cookies begin anew.
    lasting = not directory.startswith(f"{SYSTEM}/")
    mark = b"%d\n" % cookie + (_boot() if lasting else b"")
    if found == mark:
        return
    lost = not found and lasting and os.path.exists(directory + COOKIE)
    if lost or (found and not _is_mark(found, cookie)):
        _empty(directory)
    replace_file(directory + COOKIE, mark)


def _is_mark(found: bytes, cookie: int) -> bool:
    """Whether COOKIE says that the files are of this namespace. It has the boot or not, wherever it
    is: a version did not write that, and the folder may be SYSTEM by another name (a link)."""
    mark = b"%d\n" % cookie
    return found == mark or found == mark + _boot()


def _boot() -> bytes:
    """The line that tells this boot from others (random(4)); empty without procfs."""
    try:
        file = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(file, 64)
    finally:
        os.close(file)


def _empty(directory: str) -> None:
    """Remove the files of a directory, but for locks. Raises OSError.

    By descriptor: a service that owns the parent could put a link in the place of the directory.
    """
    home = opened_folder(directory)
    try:
        for name in os.listdir(home):
            if not name.endswith("lock"):
                try:
                    os.unlink(name, dir_fd=home)
                except IsADirectoryError:
                    pass  # not ours
    finally:
        os.close(home)


def opened_folder(folder: str) -> int:
    """The descriptor of a directory, for openat(2). Raises OSError, also for a link to one, by
    which a service that owns the parent could redirect root."""
    return os.open(folder, os.O_DIRECTORY | NOFOLLOW)


def opened_file(folder: str, name: str) -> int:
    """The descriptor of a file in a directory, to read it. Raises OSError, also for a link to
    one."""
    home = opened_folder(folder)
    try:
        return os.open(name, os.O_RDONLY | os.O_NONBLOCK | NOFOLLOW, dir_fd=home)
    finally:
        os.close(home)


def read_file(path: str) -> bytes:
    """The content of a small file, at most SIZE_MAX bytes; empty without one. Raises OSError."""
    return read_with_owner(path)[0]


def read_trusted(path: str) -> bytes:
    """The same of a file that root or this user has written; of others' nothing. Raises OSError.

    A service that owns the directory could have root act by what it writes there.
    """
    content, owner = read_with_owner(path)
    return content if trusted(owner) else b""


def trusted(user: int) -> bool:
    """Whether *user* is root or the one of this process."""
    return user in (0, os.geteuid())


def read_with_owner(path: str) -> tuple[bytes, int]:
    """The content as of read_file(), and the user who owns the file, -1 without one. Raises
    OSError."""
    folder, _, name = path.rpartition("/")
    try:
        file = opened_file(folder, name)
    except FileNotFoundError:
        return b"", -1
    try:
        check_regular(file, path)
        return os.read(file, SIZE_MAX), os.fstat(file).st_uid
    finally:
        os.close(file)


def check_regular(file: int, path: str) -> None:
    """Check that an open file is a regular one with a single name. Raises OSError."""
    status = os.fstat(file)
    if status.st_mode & S_IFMT != S_IFREG or status.st_nlink > 1:
        raise OSError(EINVAL, "not a regular file with a single name", path)


def replace_file(path: str, content: bytes) -> None:
    """Write *content* to a small file atomically, by rename(2), for everybody to read. Raises
    OSError."""
    folder, _, name = path.rpartition("/")
    home = opened_folder(folder)
    try:
        _replace(home, name, content)
    finally:
        os.close(home)


def _replace(home: int, name: str, content: bytes) -> None:
    draft = f"{name}.new"
    try:
        os.unlink(draft, dir_fd=home)  # of a run that was killed
    except FileNotFoundError:
        pass
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW, 0o644, dir_fd=home)
    try:
        try:
            os.fchmod(file, 0o644)  # whatever the umask is
            while content:  # a full file system takes a part first, and then raises ENOSPC
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
        os.rename(draft, name, src_dir_fd=home, dst_dir_fd=home)
    except BaseException:
        os.unlink(draft, dir_fd=home)
        raise


def first_line(cookie: int) -> str:
    """The first line of a record: a directory may have belonged to a former namespace."""
    return f"namespace {cookie}"


def remove_file(path: str) -> bool:
    """Remove a small file; False if there was none. Raises OSError."""
    folder, _, name = path.rpartition("/")
    try:
        home = opened_folder(folder)
        try:
            os.unlink(name, dir_fd=home)
        finally:
            os.close(home)
    except FileNotFoundError:
        return False
    return True


def rename_file(path: str, name: str) -> None:
    """Give a small file another name in its directory. Raises OSError."""
    folder, _, former = path.rpartition("/")
    home = opened_folder(folder)
    try:
        os.rename(former, name, src_dir_fd=home, dst_dir_fd=home)
    finally:
        os.close(home)


def owned(directory: str, cookie: int) -> str:
    """*directory*, for a reader without the lock; empty if its files are those of a former
    namespace, not of the one with this *cookie*, 0 for unknown."""
    try:
        found = read_file(directory + COOKIE) if directory and cookie else b""
    except OSError:
        return ""
    return directory if not found or _is_mark(found, cookie) else ""


def recall(directory: str) -> bytes:
    """The fingerprint of the last state that was as declared, by root or this user; empty for
    none."""
    try:
        return read_trusted(directory + FINGERPRINT)
    except OSError:
        return b""


def remember(directory: str, fingerprint: bytes) -> None:
    """Save a fingerprint for recall(). If that fails, the next run compares in full."""
    try:
        replace_file(directory + FINGERPRINT, fingerprint)
    except OSError:
        pass


def unsettled(directory: str) -> bool:
    """Whether a run was killed while it changed sysctls of main devices."""
    try:
        return os.lstat(directory + BEGUN).st_mode & S_IFMT == S_IFREG
    except OSError:
        return False


def _open(namespace: int, access: int) -> tuple[int, str]:
    """The descriptor of the lock file, opened for *access*, and its directory. Raises StateError.

    Only a user without the right to write to SYSTEM goes elsewhere. If it is full or read-only, or
    if something stands in the place of the lock, another run may still hold the lock there.
    """
    places = _bases()
    for base in places:
        path = f"{base}/{namespace}"
        try:
            if base == SYSTEM and os.path.exists(f"{path}/lock"):
                return _open_lock(path, access), path
            make_folders(base)
            if _trusted(base):
                return _made(base, path, access), path
        except OSError as error:
            if len(places) == 1 or (base == SYSTEM and not _denied(base, error)):
                at = os.path.join(path, error.filename) if error.filename else path
                hint = "" if error.errno in LACKING else f"{VARIABLE}=FOLDER names another place"
                raise errors.StateError(f"{at}: {error.strerror}", hint) from None
    if len(places) == 1:
        raise errors.StateError(f"{places[0]}: it belongs to another user", f"{VARIABLE} names it")
    raise errors.StateError(
        "there is no runtime directory that this user may write to", f"{VARIABLE}=FOLDER names one"
    )


def make_folders(path: str) -> None:
    """Make a folder and its parents, for everybody to read whatever the umask is. Raises
    OSError."""
    missing = []
    while path and not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for one in reversed(missing):
        try:
            make_folder(one)
        except FileExistsError:
            pass


def make_folder(path: str) -> None:
    """Make a folder, for everybody to read whatever the umask is. Raises OSError.

    By descriptor: a service that owns the parent could put a link in its place, and root would
    change the mode of what that leads to.
    """
    os.mkdir(path)
    home = opened_folder(path)
    try:
        os.fchmod(home, 0o755)
    finally:
        os.close(home)


def _denied(path: str, error: OSError) -> bool:
    """Whether *error* says that this user has no right to write to *path*. The kernel finds a file
    system read-only before it looks at rights (sb_permission in fs/namei.c)."""
    if error.errno != EROFS:
        return error.errno in (EACCES, EPERM)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return not _own(path)


def _made(base: str, folder: str, access: int) -> int:
    """The descriptor of the lock file; its folder is created if necessary.

    If root creates them for a service that owns *base*, both become the service's, which could not
    take the lock otherwise.
    """
    owner = os.lstat(base).st_uid
    make_folders(folder)
    return _open_lock(folder, access, owner if owner != os.geteuid() == 0 else -1)


def _open_lock(folder: str, access: int, owner: int = -1) -> int:
    """The descriptor of the lock file; file and folder get *owner*, -1 for no change.

    A link as the folder is refused, since a service that owns the parent could redirect root by
    it. Raises StateError, OSError.
    """
    try:
        home = opened_folder(folder)
    except OSError as error:
        if error.errno in (ELOOP, ENOTDIR):
            raise errors.StateError(f"{folder}: it is not a folder") from None
        raise
    try:
        if owner >= 0:
            os.fchown(home, owner, -1)
        flags = access | os.O_CREAT | os.O_NONBLOCK | NOFOLLOW
        file = os.open("lock", flags, 0o600, dir_fd=home)
        try:
            check_regular(file, f"{folder}/lock")
            if owner >= 0:
                os.fchown(file, owner, -1)
        except BaseException:
            os.close(file)
            raise
    finally:
        os.close(home)
    return file


def _own(folder: str) -> bool:
    return os.lstat(folder).st_uid == os.geteuid()


def _trusted(base: str) -> bool:
    """Whether files below a parent can be used: root decides on the owner of SYSTEM; any other may
    be a folder that another user has made."""
    return base == SYSTEM or _own(base)


def _bases() -> list[str]:
    """The possible parents of the directory. Those under /tmp have the inode of the user namespace
    in their names, since different users may have uid 0 in theirs. Raises StateError."""
    named = os.environ.get(VARIABLE, "")
    if named:
        if not named.startswith("/"):
            raise errors.StateError(f"{VARIABLE}={named}: it has to be an absolute path")
        # One name of each place: /var/run/netalias is SYSTEM.
        return [os.path.realpath(named).rstrip("/") or "/."]
    user = os.environ.get("XDG_RUNTIME_DIR", "")
    private = f"/tmp/netalias-{os.geteuid()}-{os.stat('/proc/self/ns/user').st_ino}"
    spare = [private, *(f"{private}-{number}" for number in range(1, SPARE))]
    return [SYSTEM, *([f"{user}/netalias"] if user.startswith("/") else []), *spare]
