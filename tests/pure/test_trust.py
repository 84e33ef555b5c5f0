"""The way to a file: folders and links that others could change, and what may never end."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import ENODATA
from pathlib import Path

import pytest

from netalias import errors, sources, trust

Look = Callable[..., None]


@pytest.fixture(autouse=True)
def superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as user 0, without sudo; the user who runs the test counts as 0."""
    monkeypatch.setattr(trust, "geteuid", lambda: 0)
    for variable in (*trust.INVOKERS, "DOAS_USER"):
        monkeypatch.delenv(variable, raising=False)


class Status:
    """A status with some changes; the user who runs the test is 0 in it."""

    def __init__(self, status: os.stat_result, **changed: int) -> None:
        for name in ("st_dev", "st_ino", "st_mode", "st_nlink", "st_uid", "st_gid", "st_size"):
            setattr(self, name, getattr(status, name))
        if status.st_uid == os.getuid():
            self.st_uid = self.st_gid = 0
        for name, value in changed.items():
            setattr(self, name, value)


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Look:
    """A function that lets a path have another owner, group or number of names."""
    changes: dict[str, dict[str, int]] = {}

    def lstat(path: str) -> Status:
        return Status(os.lstat(path), **changes.get(path, {}))

    monkeypatch.setattr(trust, "lstat", lstat)
    monkeypatch.setattr(sources, "fstat", lambda opened: Status(os.fstat(opened)))

    def change(path: Path, **changed: int) -> None:
        changes[str(path)] = changed

    return change


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file two folders deep."""
    path = tmp_path / "one" / "two" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    return path


def refused(path: Path, *, hint: str) -> str:
    """The refusal to read a file."""
    with pytest.raises(errors.StateError) as caught:
        sources.read([str(path)])
    assert caught.value.hint == hint
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def read(path: Path | str) -> bytes:
    """The content of a file that is trusted."""
    ((_, content),) = sources.read([str(path)])
    return content


@pytest.mark.parametrize("mode", [0o757, 0o777, 0o703])
@pytest.mark.parametrize("above", ["", ".."])
def test_folder_that_others_may_write_to(file: Path, look: Look, mode: int, above: str) -> None:
    """They could put another file in the place, whether the folder is the last one or not."""
    folder = (file.parent / above).resolve()
    folder.chmod(mode)
    text = refused(file, hint=f"chmod go-w {folder}")
    assert text == f"the folder {folder} is writable by others, so the file is not trusted"
    folder.chmod(0o755)
    assert read(file) == b"x"


def test_folder_on_a_read_only_mount(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a ConfigMap is mounted: it is refused as well, since it may be written by another mount,
    and no chmod is advised, which would fail."""
    file.parent.chmod(0o777)
    values = list(os.statvfs(file.parent))
    values[8] |= os.ST_RDONLY
    monkeypatch.setattr(trust, "statvfs", lambda folder: os.statvfs_result(values))
    assert "is writable by others" in refused(file, hint=trust.MOUNTED)


def test_folder_of_a_group(file: Path, look: Look) -> None:
    """The right of a group to write is one of others, unless the group is that of root."""
    file.parent.chmod(0o775)
    look(file.parent, st_gid=1000)
    assert "writable by others" in refused(file, hint=f"chmod go-w {file.parent}")
    look(file.parent, st_gid=0)
    assert read(file) == b"x"


@pytest.mark.parametrize("which", ["file", "folder"])
def test_acl(file: Path, look: Look, monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    """With an ACL the bits of the group are its mask, so somebody may have the right to write."""
    path = file if which == "file" else file.parent
    path.chmod(path.stat().st_mode | 0o020)
    assert read(file) == b"x"
    inode = path.stat().st_ino

    def getxattr(of: str | int, name: str) -> bytes:
        if name != "system.posix_acl_access" or os.stat(of).st_ino != inode:
            raise OSError(ENODATA, "none")
        return b"\2\0\0\0"

    monkeypatch.setattr(trust, "getxattr", getxattr)
    assert "writable by others" in refused(file, hint=f"setfacl -b {path}")
    path.chmod(path.stat().st_mode & ~0o020)
    assert read(file) == b"x"


def test_real_acl(file: Path, look: Look) -> None:
    """The kernel's own: user 1000 may write, which no bit but that of the mask tells."""
    user, mask = b"\2\0\6\0\xe8\3\0\0", b"\x10\0\6\0\xff\xff\xff\xff"
    others = [b"\1\0\6\0\xff\xff\xff\xff", user, b"\4\0\4\0\xff\xff\xff\xff", mask]
    acl = b"\2\0\0\0" + b"".join(others) + b"\x20\0\4\0\xff\xff\xff\xff"
    try:
        os.setxattr(file, trust.ACL, acl)
    except OSError as error:
        pytest.skip(f"no ACL here: {error.strerror}")
    assert file.stat().st_mode & 0o777 == 0o664
    assert "writable by others" in refused(file, hint=f"setfacl -b {file}")


def test_folder_of_another_user(file: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its owner can write to it whenever he wants; he who has called sudo is trusted."""
    look(file.parent.parent, st_uid=1000)
    text = refused(file, hint=f"chown root {file.parent.parent}")
    assert "belongs to another user" in text
    for name, user, good in (("SUDO_UID", "1000", True), ("PKEXEC_UID", "1000", True),
                             ("SUDO_UID", "1001", False), ("SUDO_UID", "", False)):  # fmt: skip
        monkeypatch.setenv(name, user)
        if good:
            assert read(file) == b"x"
        else:
            refused(file, hint=f"chown root {file.parent.parent}")
        monkeypatch.delenv(name)


def test_sticky_folder(file: Path, look: Look) -> None:
    """In a folder like /tmp others can neither remove nor replace what is not theirs."""
    file.parent.chmod(0o1777)
    assert read(file) == b"x"
    look(file.parent, st_uid=1000)
    assert "belongs to another user" in refused(file, hint=f"chown root {file.parent}")


def test_second_name_in_a_sticky_folder(file: Path, look: Look) -> None:
    """There others could have given a name to any file of root; elsewhere they could not."""
    os.link(file, file.parent / "other")
    assert read(file) == b"x"
    file.parent.chmod(0o1777)
    assert "others may have given it this name" in refused(
        file, hint="a copy of the file has one name"
    )


def test_usual_folders(tmp_path: Path, look: Look) -> None:
    """Where others may remove files, no file, or only a mask, is as little to be trusted."""
    folder = tmp_path / sources.FOLDERS[0][1:]
    folder.mkdir(parents=True)
    (folder / "a.conf").symlink_to("/dev/null")
    assert sources.default_files(str(tmp_path)) == []
    folder.chmod(0o777)
    with pytest.raises(errors.StateError, match="writable by others"):
        sources.default_files(str(tmp_path))


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("of", ["file", "folder"])
def test_links(file: Path, look: Look, tmp_path: Path, absolute: bool, of: str) -> None:
    """A link of root is followed, and the way behind it looked at; one of others is not."""
    target = file if of == "file" else file.parent
    link = tmp_path / "link"
    link.symlink_to(target if absolute else os.path.relpath(target, tmp_path))
    path = link if of == "file" else link / "file"
    assert read(path) == b"x"
    assert trust.resolved(str(path)) == str(file)
    file.parent.chmod(0o777)
    assert f"the folder {file.parent} is writable" in refused(
        path, hint=f"chmod go-w {file.parent}"
    )
    file.parent.chmod(0o755)
    look(link, st_uid=1000)
    text = refused(path, hint="name the file that it leads to")
    assert text == f"the symbolic link {link} belongs to another user, so it is not followed"


def test_ways(file: Path, look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths, "..", double slashes: "..", behind a link, is above the link's target."""
    above = file.parent.parent
    (above / "link").symlink_to("two/three")
    (above / "two" / "three").mkdir()
    (above / "file").write_bytes(b"y")
    assert read(f"{above}//./link/../file") == b"x"
    monkeypatch.chdir(above)
    assert read("two/file") == b"x"
    assert read("./link/../../file") == b"y"


def test_endless_links(file: Path, look: Look) -> None:
    """The error is that of the kernel."""
    file.unlink()
    file.symlink_to("file")
    assert "Too many levels of symbolic links" in refused(file, hint="")


def test_link_of_procfs(look: Look) -> None:
    """The text of some links there is not where they lead to; the kernel follows them."""
    assert trust.resolved("/proc/self/root/proc/version") == "/proc/self/root/proc/version"


def test_missing_parts(file: Path, look: Look) -> None:
    """The errors are those of the kernel."""
    assert "No such file" in refused(file.parent / "none", hint="")
    assert "No such file" in refused(file.parent / "none" / "file", hint="")
    assert "Not a directory" in refused(file / "below", hint="")


def test_who_has_no_rights_follows_any_way(
    file: Path, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    """He can do no more than he may."""
    monkeypatch.setattr(trust, "geteuid", lambda: 1000)
    monkeypatch.setattr(trust, "capable", lambda: False)
    file.parent.chmod(0o777)
    assert read(file) == b"x"


def test_the_owner_of_everything(file: Path, look: Look) -> None:
    """In a user namespace root outside of it, who owns most folders, has no uid of its own."""
    look(Path("/"), st_uid=65534)
    look(file.parent.parent, st_uid=65534)
    assert read(file) == b"x"
    look(file.parent.parent, st_uid=1000)
    refused(file, hint=f"chown root {file.parent.parent}")


def test_removed_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path leads nowhere then, and the error says so."""
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    with pytest.raises(errors.StateError, match="file: the working directory does not exist"):
        sources.read(["file"])
    monkeypatch.chdir(tmp_path)


def test_nothing_irregular_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To open a device, as /dev/watchdog, may do something by itself."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    opened: list[object] = []
    monkeypatch.setattr(trust, "os_open", lambda *words: opened.append(words))
    for name in (str(path), "/dev/zero"):
        with pytest.raises(OSError, match="not a regular file"):
            trust.regular(name, os.O_RDONLY)
    assert not opened


def test_fifo_that_comes_in_between(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for, even where it has taken the place of a file at the last moment."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    plain = tmp_path / "plain"
    plain.touch()
    monkeypatch.setattr(trust, "stat", lambda of: os.stat(plain))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="not a regular file"):
        trust.regular(str(path), os.O_RDONLY)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("path", "said"),
    [("/dev/stdin", True), ("/dev/fd/63", True), ("/proc/self/fd/0", True), ("/dev/fd/", False),
     ("/dev/fd/../zero", False), ("/dev/zero", False), ("63", False), ("/proc/1/fd/0", False)],
)  # fmt: skip
def test_descriptors(path: str, said: bool) -> None:
    """Only a number below the folders of descriptors is one."""
    assert trust.is_descriptor(path) == said
