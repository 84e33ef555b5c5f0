"""Files that are replaced together: what belongs to a file stays, and what others write."""

from __future__ import annotations

import os
import subprocess
from errno import ENOTSUP, EPERM
from pathlib import Path

import pytest

from netalias import errors, sources
from netalias.sources import FileName, replaceable
from netalias.system import replacement
from netalias.system.replacement import Replacement, Replacements


@pytest.fixture(autouse=True)
def _careless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders of the test may be anybody's."""
    monkeypatch.setattr("netalias.trust.careful", lambda: False)


def pair(folder: Path) -> Replacements:
    """Two files, a and b, that get another content."""
    for name in "ab":
        (folder / name).write_bytes(b"old\n")
    return Replacements([(str(folder / name), b"old\n", b"new\n") for name in "ab"])


def replace(path: Path, before: bytes, content: bytes) -> None:
    """Replace one file."""
    file = Replacement(str(path), before, content)
    try:
        file.put()
    finally:
        file.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_or_none(tmp_path: Path) -> None:
    """A file that somebody changes meanwhile stays, and one that was replaced before comes back."""
    files = pair(tmp_path)
    (tmp_path / "b").write_bytes(b"another\n")
    with pytest.raises(errors.StateError, match="b: somebody has changed it meanwhile"):
        files.put()
    files.close()
    assert contents(tmp_path) == {"a": b"old\n", "b": b"another\n"}


def test_what_was_not_put_is_not_told(tmp_path: Path) -> None:
    """take_back() tells of what this process has put; restore() of all files."""
    files = pair(tmp_path)
    (tmp_path / "b").write_bytes(b"another\n")
    assert files.take_back() == []
    assert files.restore() == [str(tmp_path / "b")]


def test_what_a_killed_process_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes with the next replacement, but not what is young: its process may be elsewhere."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    mine, left = f".a.{os.getppid()}.new~", [f".a.{gone.pid}.new~", f".a.{gone.pid}.old~"]
    others = [".a.x.new~", f".a.{gone.pid}.conf", f".b.{gone.pid}.new~", f"a.{gone.pid}.new~"]
    for name in ("a", mine, *left, *others):
        (tmp_path / name).write_bytes(b"old\n")
    replace(tmp_path / "a", b"old\n", b"new\n")
    assert set(os.listdir(tmp_path)) == {"a", mine, *left, *others}
    monkeypatch.setattr(replacement, "LEFT", -1.0)
    replace(tmp_path / "a", b"new\n", b"newer\n")
    assert set(os.listdir(tmp_path)) == {"a", mine, *others}


@pytest.mark.parametrize("way", ["take_back", "restore"])
def test_one_that_cannot_come_back_keeps_no_other(tmp_path: Path, way: str) -> None:
    """A link stands in its place: the error comes when the others are back."""
    files = pair(tmp_path)
    files.put()
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("elsewhere")
    with pytest.raises(errors.StateError, match="a: Too many levels of symbolic links"):
        getattr(files, way)()
    assert (tmp_path / "b").read_bytes() == b"old\n"
    files.close()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_the_file_itself_comes_back(tmp_path: Path) -> None:
    """With its time and inode, while its former name is there."""
    files = pair(tmp_path)
    before = (tmp_path / "a").stat()
    files.put()
    assert contents(tmp_path)["a"] == b"new\n"
    assert files.take_back() == []
    files.close()
    after = (tmp_path / "a").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert contents(tmp_path) == {"a": b"old\n", "b": b"old\n"}


def test_another_process_brings_back(tmp_path: Path) -> None:
    """The guard of --confirm is a child that knows nothing of put(), long after close(). The mode
    is that of now; what somebody changes then is left, also where the file has gone."""
    files = pair(tmp_path)
    there, here = os.pipe()
    child = os.fork()
    if not child:
        os.close(here)
        os.read(there, 1)
        left = files.restore()
        os._exit(len(left) if files.restore() == left else 99)
    os.close(there)
    files.put()
    files.close()
    (tmp_path / "a").chmod(0o600)
    (tmp_path / "b").write_bytes(b"of somebody\n")
    os.close(here)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert contents(tmp_path) == {"a": b"old\n", "b": b"of somebody\n"}
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o600
    (tmp_path / "b").unlink()
    assert files.restore() == [str(tmp_path / "b")]
    assert sorted(contents(tmp_path)) == ["a"]


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old content is written anew."""

    def link(*args: object, **words: object) -> None:
        raise OSError(EPERM, os.strerror(EPERM))

    monkeypatch.setattr(os, "link", link)
    files = pair(tmp_path)
    files.put()
    assert files.restore() == []
    files.close()
    assert contents(tmp_path) == {"a": b"old\n", "b": b"old\n"}


def test_extended_attributes_and_mode_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel sets by itself is not set again. A file system may have none; another error
    leaves the old file, since an ACL would be lost."""
    path = tmp_path / "a"
    path.write_bytes(b"old\n")
    path.chmod(0o640)
    there = {"security.selinux": b"context", "user.note": b"mine"}
    given: dict[str, bytes] = {}

    def get(file: int, attribute: str) -> bytes:
        if os.readlink(f"/proc/self/fd/{file}").endswith("a"):
            return there[attribute]
        if attribute == "security.selinux":
            return b"context"
        raise OSError(replacement.ENODATA, "")

    monkeypatch.setattr(os, "listxattr", lambda file: list(there))
    monkeypatch.setattr(os, "getxattr", get)
    monkeypatch.setattr(os, "setxattr", lambda file, name, value: given.update({name: value}))
    replace(path, b"old\n", b"new\n")
    assert given == {"user.note": b"mine"}
    assert path.stat().st_mode & 0o7777 == 0o640

    def refuse(file: int, name: str, value: bytes) -> None:
        raise OSError(number, os.strerror(number))

    number = EPERM
    monkeypatch.setattr(os, "setxattr", refuse)
    with pytest.raises(errors.StateError, match="cannot be replaced: Operation not permitted"):
        Replacement(str(path), b"new\n", b"newer\n")
    assert contents(tmp_path) == {"a": b"new\n"}
    number = ENOTSUP
    replace(path, b"new\n", b"newer\n")
    assert contents(tmp_path) == {"a": b"newer\n"}


def test_a_file_that_others_may_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused when it is replaced, though it was not when it was read."""
    path = tmp_path / "a"
    path.write_bytes(b"old\n")
    file = Replacement(str(path), b"old\n", b"new\n")
    path.chmod(0o666)
    monkeypatch.setattr("netalias.trust.careful", lambda: True)
    with pytest.raises(errors.StateError, match="writable by others"):
        file.put()
    with pytest.raises(errors.StateError, match="writable by others"):
        Replacement(str(path), b"old\n", b"new\n")
    file.close()
    assert contents(tmp_path) == {"a": b"old\n"}


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """The path was resolved before; a link that stands there now was put there since."""
    path = tmp_path / "a"
    path.symlink_to("b")
    (tmp_path / "b").write_bytes(b"old\n")
    with pytest.raises(errors.StateError, match="it cannot be replaced"):
        Replacement(str(path), b"old\n", b"new\n")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_what_may_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the administrator, by the path that links lead to; neither standard input, nor
    what programs and packages bring, also where a link leads there."""
    monkeypatch.setattr(sources, "FOLDERS", (str(tmp_path), f"{tmp_path}/run", f"{tmp_path}/usr"))
    for name in ("run", "usr"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.conf").write_bytes(b"")
    real, link = tmp_path / "real", tmp_path / "1.conf"
    real.write_bytes(b"")
    link.symlink_to("real")
    assert replaceable(str(link)) == str(real)
    assert replaceable(f"{tmp_path}/none") == f"{tmp_path}/none"
    odd = tmp_path / "<stdin>"
    odd.write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    assert replaceable(FileName("<stdin>", odd.stat())) == str(odd)
    for name in ("<stdin>", "/dev/stdin", "/dev/fd/3"):
        with pytest.raises(errors.StateError, match="it cannot be rewritten"):
            replaceable(name)
    link.unlink()
    link.symlink_to("usr/1.conf")
    for name in (f"{tmp_path}/run/1.conf", f"{tmp_path}/usr/1.conf", str(link)):
        with pytest.raises(errors.StateError, match="not a file of the administrator") as caught:
            replaceable(name)
        assert str(tmp_path) in caught.value.hint
