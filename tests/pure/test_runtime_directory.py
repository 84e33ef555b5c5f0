"""The runtime directory: where it is, what is refused in it, and whose files are in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from errno import EACCES, EINVAL, EMFILE, ENOSPC, EROFS
from pathlib import Path

import pytest
from support import given_away

from netalias import errors, runtime
from netalias.engine.texts import made
from netalias.runtime import (
    RuntimeDirectory,
    asked,
    make_folders,
    owned,
    read_file,
    replace_file,
)

INODE = 4026599999


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parent that the environment names."""
    monkeypatch.setenv(runtime.VARIABLE, f"{tmp_path}/run/")
    return tmp_path / "run"


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual parent, which root or a service owns."""
    monkeypatch.delenv(runtime.VARIABLE, raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(runtime, "SYSTEM", str(tmp_path / "netalias"))
    return tmp_path / "netalias"


def taken(cookie: int = 0) -> Path:
    """The directory, whose lock was taken and released."""
    found = RuntimeDirectory(INODE, 0)
    found.acquire(cookie)
    found.release()
    return Path(found.path)


def failing(monkeypatch: pytest.MonkeyPatch, errno: int) -> None:
    """Nothing can be made in the usual parent."""
    make = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        if str(path).startswith(runtime.SYSTEM):
            raise OSError(errno, os.strerror(errno), path)
        make(path, mode)

    monkeypatch.setattr(os, "mkdir", mkdir)


# Where it is


@pytest.mark.parametrize("work", [make_folders, lambda path: made(path).close()])
def test_a_link_in_the_place_of_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: Callable[[str], None]
) -> None:
    """The owner of the parent could be fast enough: the mode of what it leads to stays."""
    victim = tmp_path / "victim"
    victim.touch(0o600)
    make = os.mkdir

    def mkdir(path: str, mode: int = 0o777) -> None:
        make(path, mode)
        os.rmdir(path)
        os.symlink(victim, path)

    monkeypatch.setattr(os, "mkdir", mkdir)
    with pytest.raises((OSError, errors.StateError)):
        work(f"{tmp_path}/netalias")
    assert stat.S_IMODE(victim.stat().st_mode) == 0o600


def test_the_environment_names_the_parent(base: Path) -> None:
    """It is made, for everybody to read whatever the umask is."""
    before = os.umask(0o077)
    try:
        assert taken() == base / str(INODE)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (base, base / str(INODE))] == [0o755] * 2
    assert RuntimeDirectory(INODE, 0).path == str(base / str(INODE))


def test_small_files_are_for_everybody(base: Path) -> None:
    """Whatever the umask is: anybody may ask who watches, or whether a change waits."""
    path = taken() / "watch"
    before = os.umask(0o077)
    try:
        runtime.replace_file(str(path), b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_parent_that_cannot_be_made(base: Path) -> None:
    """No other one is taken in its place."""
    base.write_text("")
    with pytest.raises(errors.StateError, match="Not a directory"):
        taken()


def test_the_usual_folder_by_another_name(
    system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is the same one, as /var/run/netalias is: nothing in it is taken for another namespace's,
    in turn."""
    place = taken(cookie=7)
    (place / "settings").write_text("x")
    (tmp_path / "link").symlink_to(system.parent)
    monkeypatch.setenv(runtime.VARIABLE, f"{tmp_path}/link//netalias")
    assert taken(cookie=7) == place
    monkeypatch.delenv(runtime.VARIABLE)
    assert taken(cookie=7) == place
    assert (place / "settings").exists()


def test_the_usual_folder_is_a_link(
    system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The link and the folder behind it are one runtime directory, by either name."""
    (tmp_path / "elsewhere").mkdir()
    system.symlink_to("elsewhere")
    (taken(cookie=7) / "settings").write_text("x")
    for named in (str(tmp_path / "elsewhere"), "", str(system)):
        monkeypatch.setenv(runtime.VARIABLE, named)
        place = taken(cookie=7)
        assert (place / "settings").exists()
        assert owned(str(place), 7) == str(place)


@pytest.mark.parametrize("named", ["run", "./run", "~/run", " "])
def test_the_environment_names_no_absolute_path(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """It is refused: whoever names another folder does not mean the usual one."""
    monkeypatch.setenv(runtime.VARIABLE, named)
    for look in (taken, lambda: RuntimeDirectory(INODE, 0).path):
        with pytest.raises(errors.StateError, match="absolute path"):
            look()


@pytest.mark.parametrize("named", ["/", "//", "/../"])
def test_the_environment_names_the_root(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """A folder like any other."""
    monkeypatch.setenv(runtime.VARIABLE, named)
    (base,) = runtime._bases()
    make_folders(base)
    assert runtime._trusted(base) == (os.stat("/").st_uid == os.geteuid())


@pytest.mark.parametrize("named", ["/dev/null", "/dev/null/x", "/proc/x", "/" + "x" * 300])
def test_the_environment_names_no_folder(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    """The path is told."""
    monkeypatch.setenv(runtime.VARIABLE, named)
    with pytest.raises(errors.StateError, match=f"^{named}"):
        taken()


def test_the_folder_of_the_environment_is_another_user_s(base: Path) -> None:
    """He could put in it what this user believes."""
    base.mkdir()
    given_away(base)
    with pytest.raises(errors.StateError, match=f"^{base}: it belongs to another user"):
        taken()


@pytest.mark.parametrize("errno", [ENOSPC, EROFS])
def test_full_or_read_only(system: Path, monkeypatch: pytest.MonkeyPatch, errno: int) -> None:
    """The change is refused: two runs under two locks would not see each other."""
    failing(monkeypatch, errno)
    with pytest.raises(errors.StateError, match=os.strerror(errno)) as caught:
        taken()
    assert runtime.VARIABLE in caught.value.hint


def test_no_descriptor_is_left(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other place has one."""
    failing(monkeypatch, EMFILE)
    with pytest.raises(errors.StateError, match=os.strerror(EMFILE)) as caught:
        taken()
    assert not caught.value.hint


@pytest.fixture
def private(system: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The parents of a user who has no right to the usual one, in a folder of the test."""
    failing(monkeypatch, EACCES)
    names = [str(tmp_path / f"own-{number}") for number in range(3)]
    monkeypatch.setattr(runtime, "_bases", lambda: [str(system), *names])
    return names


def test_a_user_without_the_right_has_his_own(private: list[str]) -> None:
    """As before."""
    assert taken() == Path(private[0], str(INODE))


@pytest.mark.parametrize("thing", ["link", "file", "folder of another user"])
def test_a_parent_made_beforehand_by_others(
    private: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, thing: str
) -> None:
    """It is avoided, and the next one is taken, also for looking."""
    first = Path(private[0])
    if thing == "link":
        (tmp_path / "elsewhere").mkdir()
        first.symlink_to(tmp_path / "elsewhere")
    elif thing == "file":
        first.write_text("")
    else:
        first.mkdir()
    own = runtime._own
    monkeypatch.setattr(runtime, "_own", lambda path: path != private[0] and own(path))
    assert taken() == Path(private[1], str(INODE))
    assert RuntimeDirectory(INODE, 0).path == f"{private[1]}/{INODE}"


# What is in it


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


def second_name(path: Path) -> None:
    path.with_name("other").write_text("text")
    os.link(path.with_name("other"), path)


def folder(path: Path) -> None:
    path.mkdir()


THINGS = (fifo, link, second_name, folder)


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_file_of_ours_is_not_read(tmp_path: Path, thing: Callable[[Path], None]) -> None:
    """At once: a FIFO that nobody writes to is not waited for."""
    thing(tmp_path / "settings")
    with pytest.raises(OSError, match="settings"):
        read_file(str(tmp_path / "settings"))


@pytest.mark.parametrize("thing", [fifo, link, second_name])
def test_drafts_are_made_anew(tmp_path: Path, thing: Callable[[Path], None]) -> None:
    """What stands in their place is removed, neither written to nor waited for."""
    path = tmp_path / "settings"
    thing(tmp_path / "settings.new")
    replace_file(str(path), b"text\n")
    assert read_file(str(path)) == b"text\n"
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".new")]


@pytest.mark.parametrize("thing", THINGS)
def test_what_is_no_lock_is_refused(base: Path, thing: Callable[[Path], None]) -> None:
    """Another lock would exclude nobody. The error names the thing that is in the way."""
    lock = base / str(INODE) / "lock"
    lock.parent.mkdir(parents=True)
    thing(lock)
    with pytest.raises(errors.StateError, match=f"^{lock}: "):
        taken()


def test_error_number_of_a_fifo(tmp_path: Path) -> None:
    """Its text says why."""
    fifo(tmp_path / "pending")
    with pytest.raises(OSError, match="regular file") as caught:
        read_file(str(tmp_path / "pending"))
    assert caught.value.errno == EINVAL


# Whose files they are


def test_files_of_a_former_namespace_go(base: Path) -> None:
    """The inode was used again: nothing that is left is about this namespace; locks stay."""
    place = taken(cookie=7)
    for name in ("rejected", "announced", "settings", "watch.lock"):
        (place / name).write_text("x")
    (place / "folder").mkdir()
    assert taken(cookie=7) == place
    assert (place / "rejected").exists()
    taken(cookie=8)
    assert sorted(os.listdir(place)) == ["folder", "lock", "namespace", "watch.lock"]
    assert (place / "namespace").read_text().startswith("8\n")


@pytest.mark.parametrize("left", ["", "7\nanother-boot\n"])
def test_files_of_a_former_boot_go(base: Path, left: str) -> None:
    """A folder elsewhere than in /run outlasts the boot, after which cookies are given again; an
    empty file is what a power cut leaves."""
    place = taken(cookie=7)
    assert owned(str(place), 7) == str(place)
    (place / "settings").write_text("x")
    (place / "namespace").write_text(left)
    assert owned(str(place), 7) == ("" if left else str(place))
    taken(cookie=7)
    assert not (place / "settings").exists()
    assert owned(str(place), 7) == str(place)


def test_files_of_a_version_without_the_boot_stay(base: Path) -> None:
    """An update loses nothing."""
    place = taken(cookie=7)
    mark = (place / "namespace").read_text()
    (place / "settings").write_text("x")
    (place / "namespace").write_text("7\n")
    assert owned(str(place), 7) == str(place)
    taken(cookie=7)
    assert ((place / "settings").exists(), (place / "namespace").read_text()) == (True, mark)


def test_the_usual_folder_goes_with_the_boot(system: Path) -> None:
    """/run is in memory, so the cookie is enough there, and no power cut empties a file."""
    place = taken(cookie=7)
    assert (place / "namespace").read_text() == "7\n"
    (place / "settings").write_text("x")
    (place / "namespace").write_text("")
    taken(cookie=7)
    assert (place / "settings").exists()


@pytest.mark.parametrize("what", ["fifo", "link", "second name"])
def test_something_else_in_the_place_of_the_cookie(base: Path, tmp_path: Path, what: str) -> None:
    """It goes, with all that may have been changed as well: nobody is kept from changes by it."""
    home = taken(cookie=7)
    (home / "settings").write_text("x")
    (home / "namespace").unlink()
    other = tmp_path / "other"
    other.write_text("7\n")
    if what == "fifo":
        os.mkfifo(home / "namespace")
    elif what == "link":
        (home / "namespace").symlink_to(other)
    else:
        (home / "namespace").hardlink_to(other)
    assert taken(cookie=7) == home
    assert sorted(path.name for path in home.iterdir()) == ["lock", "namespace"]
    assert (home / "namespace").read_text().startswith("7\n")
    assert other.read_text() == "7\n"


def test_files_of_a_version_without_a_cookie_stay(base: Path) -> None:
    """An update loses nothing."""
    place = taken()
    (place / "settings").write_text("x")
    taken(cookie=7)
    taken(cookie=7)
    assert (place / "settings").exists()


@pytest.mark.parametrize("work", ["read", "replace", "remove"])
def test_a_link_in_the_place_of_the_directory(base: Path, work: str) -> None:
    """Who owns the parent could lead root elsewhere: nothing is read, written or removed there."""
    path = taken()
    elsewhere = base.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "settings").write_text("theirs")
    path.rename(base / "aside")
    path.symlink_to(elsewhere)
    works = {
        "read": lambda: runtime.read_file(f"{path}/settings"),
        "replace": lambda: runtime.replace_file(f"{path}/settings", b"x"),
        "remove": lambda: runtime.remove_file(f"{path}/settings"),
    }
    with pytest.raises(OSError, match="Not a directory"):
        works[work]()
    assert [file.name for file in elsewhere.iterdir()] == ["settings"]
    assert (elsewhere / "settings").read_text() == "theirs"


def test_a_name_is_changed_in_its_directory(tmp_path: Path) -> None:
    """A link that its owner puts in the place of the directory leads nowhere."""
    home, other = tmp_path / "home", tmp_path / "other"
    home.mkdir()
    (home / "one").write_text("text")
    runtime.rename_file(f"{home}/one", "two")
    assert (home / "two").read_text() == "text"
    home.rename(other)
    home.symlink_to(other)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        runtime.rename_file(f"{home}/two", "three")
    assert os.listdir(other) == ["two"]


def test_a_fingerprint_of_others_is_none(tmp_path: Path) -> None:
    """The owner of the directory could have every difference passed over by one."""
    runtime.remember(str(tmp_path), b"as declared")
    assert runtime.recall(str(tmp_path)) == b"as declared"
    given_away(tmp_path / "fingerprint")
    assert runtime.recall(str(tmp_path)) == b""
    runtime.remember(str(tmp_path), b"as declared")
    assert runtime.recall(str(tmp_path)) == b"as declared"


def test_what_others_ask_for_is_not_done_for_them(tmp_path: Path) -> None:
    """Nor is it written down anew, as if root had asked for it."""
    folder = str(tmp_path)
    asked.write(folder, 7, "vif0", "vif0 198.51.100.7 to 203.0.113.9")
    assert list(asked.read(folder, 7)) == ["vif0"]
    given_away(tmp_path / "asked")
    assert asked.read(folder, 7) == {}
    asked.write(folder, 7, "vif1", "vif1 198.51.100.8 to 203.0.113.9")
    assert list(asked.read(folder, 7)) == ["vif1"]
