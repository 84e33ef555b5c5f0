"""Files that are followed: every way in which what stands under a name can change."""

from __future__ import annotations

import os
import select
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors
from netalias.system import inotify
from netalias.system.backoff import MOST, OPEN, SETTLE, Debounce
from netalias.system.inotify import Followed


@pytest.fixture
def followed() -> Iterator[Followed]:
    with Followed() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """``place/netalias.conf``, which is there."""
    path = tmp_path / "place" / "netalias.conf"
    path.parent.mkdir()
    path.write_text("eth0:0 192.0.2.1\n")
    return path


def replace(path: Path, text: str = "new\n") -> None:
    """As editors and configuration management do it: a new file is renamed over the old one."""
    draft = path.with_name("draft~")
    draft.write_text(text)
    draft.rename(path)


def rewrite(path: Path) -> None:
    path.write_text("rewritten\n")


def append_and_stay(path: Path) -> None:
    """Written to by somebody who keeps it open."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(handle, b"more\n")


def truncate(path: Path) -> None:
    os.truncate(path, 0)


def remove(path: Path) -> None:
    path.unlink()


def move_away(path: Path) -> None:
    path.rename(path.with_name("old"))


def forbid(path: Path) -> None:
    path.chmod(0o666)


def by_another_link(path: Path) -> None:
    """A hard link elsewhere, or the file under a mount: the same file, another name."""
    other = path.parent.parent / "other"
    os.link(path, other)
    rewrite(other)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("gone"))


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def exchange_folder(path: Path) -> None:
    """Another folder takes the place of the folder."""
    new = path.parent.with_name("new")
    new.mkdir()
    (new / path.name).write_text("new\n")
    path.parent.rename(path.parent.with_name("gone"))
    new.rename(path.parent)


CHANGES = (
    rewrite, append_and_stay, truncate, replace, remove, move_away, forbid, by_another_link,
    move_folder, remove_folder, exchange_folder,
)  # fmt: skip


def again(followed: Followed, path: Path) -> None:
    """Follow it, and notice a further change."""
    assert followed.follow([str(path)]) == []
    followed.read()
    assert not followed.read()
    path.parent.mkdir(exist_ok=True)
    replace(path, "again\n")
    assert followed.read()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_is_seen(followed: Followed, file: Path, change: Callable[[Path], None]) -> None:
    """Once, and whatever comes after it once it is followed again."""
    assert followed.follow([str(file)]) == []
    assert not followed.read()
    change(file)
    assert select.select([followed], [], [], 5)[0]
    assert followed.read()
    assert not followed.read()
    again(followed, file)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_in_a_folder_is_seen(
    followed: Followed, file: Path, change: Callable[[Path], None]
) -> None:
    """The folder is followed, and so is each file in it."""
    assert followed.follow([str(file.parent)]) == []
    change(file)
    assert followed.read()


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_behind_links_is_seen(
    followed: Followed, file: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    """A link to a link in another folder: what happens to the file at the end."""
    (tmp_path / "second").symlink_to("place")
    (tmp_path / "first").symlink_to(tmp_path / "second" / ".." / "second" / file.name)
    assert followed.follow([str(tmp_path / "first")]) == []
    change(file)
    assert followed.read()


def test_reading_is_no_change(followed: Followed, file: Path) -> None:
    """Nor is what happens beside the file, or in folders beside."""
    followed.follow([str(file)])
    file.read_text()
    os.listdir(file.parent)
    (file.parent / "other.conf").write_text("x")
    (file.parent.parent / "beside").mkdir()
    assert select.select([followed], [], [], 0)[0]  # it did wake us
    assert not followed.read()


def test_a_file_that_comes(followed: Followed, tmp_path: Path) -> None:
    """Neither the file nor its folders were there: each step on the way is seen."""
    path = tmp_path / "a" / "b" / "netalias.conf"
    for step in (path.parent.parent, path.parent):
        assert followed.follow([str(path)]) == []
        step.mkdir()
        assert followed.read()
    followed.follow([str(path)])
    path.touch()
    assert followed.read()


def test_a_tree_that_comes_at_once(followed: Followed, tmp_path: Path) -> None:
    """A file made between two looks is there when it is read after following."""
    path = tmp_path / "a" / "b" / "netalias.conf"
    followed.follow([str(path)])
    path.parent.mkdir(parents=True)
    path.touch()
    assert followed.read()
    again(followed, path)


def test_a_file_that_comes_into_a_folder(followed: Followed, tmp_path: Path) -> None:
    """Any name in it, also by rename or as a link."""
    folder = tmp_path / "netalias.d"
    for change in (
        folder.mkdir,
        lambda: (folder / "1.conf").touch(),
        lambda: replace(folder / "2.conf"),
        lambda: (folder / "3.conf").symlink_to("/dev/null"),
        lambda: (folder / "3.conf").unlink(),
    ):
        assert followed.follow([str(folder)]) == []
        followed.read()
        change()
        assert followed.read()


def test_data_of_a_mounted_map(followed: Followed, tmp_path: Path) -> None:
    """Kubernetes exchanges the link ..data, through which the links of all files go."""
    for version in ("1", "2"):
        (tmp_path / f"..{version}").mkdir()
        (tmp_path / f"..{version}" / "netalias.conf").write_text(version)
    (tmp_path / "..data").symlink_to("..1")
    path = tmp_path / "netalias.conf"
    path.symlink_to("..data/netalias.conf")
    followed.follow([str(path)])
    assert not followed.read()
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert followed.read()
    assert path.read_text() == "2"
    followed.follow([str(path)])
    followed.read()
    rewrite(tmp_path / "..1" / "netalias.conf")
    assert not followed.read()  # the old one is of no concern any more
    (tmp_path / "..2" / "other.conf").touch()
    assert not followed.read()  # nor is what stands beside
    rewrite(tmp_path / "..2" / "netalias.conf")
    assert followed.read()


def test_a_link_to_a_link_that_is_broken(followed: Followed, tmp_path: Path) -> None:
    """Its target is awaited where it would be."""
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    followed.follow([str(tmp_path / "link")])
    (tmp_path / "far" / "file").touch()
    assert followed.read()


def test_links_in_a_circle(followed: Followed, tmp_path: Path) -> None:
    """They end nowhere, and that they are mended is seen."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert followed.follow([str(tmp_path / "a")]) == []
    (tmp_path / "b").unlink()
    assert followed.read()


def test_what_is_written_to_dev_null_is_no_change(followed: Followed, tmp_path: Path) -> None:
    """A file that is masked by a link to it."""
    (tmp_path / "masked.conf").symlink_to("/dev/null")
    assert followed.follow([str(tmp_path), "/dev/null"]) == []
    with open("/dev/null", "w") as null:
        null.write("x")
    assert not followed.read()


def test_a_name_in_the_working_folder(
    followed: Followed, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative name, as people give it."""
    monkeypatch.chdir(file.parent.parent)
    assert followed.follow(["./place/../place/netalias.conf"]) == []
    rewrite(file)
    assert followed.read()


def test_names_that_are_not_utf_8(followed: Followed, tmp_path: Path) -> None:
    """Any bytes but a slash."""
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.conf")
    followed.follow([name])
    Path(name).touch()
    assert followed.read()


def test_a_file_and_a_folder_that_comes(followed: Followed, file: Path) -> None:
    """As those that reconcile reads when it is given no names."""
    folder = file.parent / "netalias.d"
    followed.follow([str(file), str(folder)])
    replace(file)
    assert followed.read()
    folder.mkdir()
    assert followed.read()


def test_what_is_not_followed_any_more(followed: Followed, file: Path) -> None:
    """Other names take the place of those before; the watches of these are gone."""
    followed.follow([str(file)])
    watches = len(followed._wanted)
    for _ in range(3):
        followed.follow([str(file.parent.parent / "other")])
        rewrite(file)
        assert not followed.read()
        followed.follow([str(file)])
        assert len(followed._wanted) == watches


def test_a_change_just_before_following_again_is_not_lost(followed: Followed, file: Path) -> None:
    """It is an event still, or is there for a reader after following."""
    followed.follow([str(file)])
    rewrite(file)
    followed.follow([str(file)])
    assert followed.read()


@pytest.mark.long
def test_an_overflow_is_a_change(followed: Followed, file: Path) -> None:
    """More events than the kernel keeps: something may have been among them."""
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    followed.follow([str(file)])
    for number in range(limit // 2 + 10):
        (file.parent / str(number)).touch()  # IN_CREATE and IN_ATTRIB
    rewrite(file)
    assert followed.read()
    again(followed, file)


def test_the_overflow_of_the_kernel(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its watch is -1."""
    answers = [struct.pack("=iIII", -1, inotify.IN_Q_OVERFLOW, 0, 0)]

    def read(*_: object) -> bytes:
        if not answers:
            raise BlockingIOError
        return answers.pop()

    monkeypatch.setattr(inotify.os, "read", read)
    assert followed.read()


def test_events_without_end(
    followed: Followed, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others may change names in a folder that is followed faster than they are read: the loop goes
    on all the same, and the rest is read next time."""
    followed.follow([str(file)])
    other = struct.pack("=iIII", 1, inotify.IN_CREATE, 0, 16) + b"other".ljust(16, b"\0")
    reads = iter([other * 2048] * 1000)
    monkeypatch.setattr(inotify.os, "read", lambda *_: next(reads))
    assert not followed.read()
    assert len(list(reads)) == 1000 - inotify.CHUNKS


def test_what_may_not_be_watched_is_told(followed: Followed, file: Path) -> None:
    """A folder that may be gone through, but not be listed; and the file below it still is."""
    if os.geteuid() == 0:
        pytest.skip("root may watch everything")
    file.parent.chmod(0o311)
    try:
        (said,) = followed.follow([str(file)])
        assert said == f"{file.parent}: changes cannot be seen: Permission denied"
        rewrite(file)
        assert followed.read()
    finally:
        file.parent.chmod(0o755)


def test_a_file_that_is_taken_for_a_folder(followed: Followed, file: Path) -> None:
    """A name below a file: awaited as well as can be."""
    (said,) = followed.follow([f"{file}/below"])
    assert said == f"{file}: changes cannot be seen: Not a directory"
    remove(file)
    assert followed.read()


def test_no_more_watches(followed: Followed, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal of the kernel is reported, and ends nothing."""

    class Refusing:
        def inotify_add_watch(self, *_: object) -> int:
            inotify.ctypes.set_errno(28)
            return -1

        def inotify_rm_watch(self, *_: object) -> int:
            return 0

    monkeypatch.setattr(followed, "_libc", Refusing())
    said = followed.follow([str(file)])
    assert f"{file}: changes cannot be seen: No space left on device" in said


def test_no_inotify_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of instances of this user."""

    class Refusing:
        def inotify_init1(self, _: int) -> int:
            inotify.ctypes.set_errno(24)
            return -1

    monkeypatch.setattr(inotify.ctypes, "CDLL", lambda *_, **__: Refusing())
    with pytest.raises(errors.StateError, match="files cannot be watched: Too many open files"):
        Followed()


def test_no_descriptor_stays_open(file: Path) -> None:
    """Closed once and once more."""
    before = set(os.listdir("/proc/self/fd"))
    followed = Followed()
    followed.follow([str(file)])
    followed.close()
    followed.close()
    assert set(os.listdir("/proc/self/fd")) == before


def test_a_file_that_is_being_written(followed: Followed, file: Path) -> None:
    """It is unfinished until it is closed, or another one takes its place."""
    followed.follow([str(file)])
    for end in (lambda handle: handle.close(), lambda handle: replace(file)):
        with file.open("w") as handle:
            handle.write("eth0:0 192.0.2.1")
            handle.flush()
            assert followed.read()
            assert followed.unfinished
            end(handle)
            assert followed.read()
            followed.follow([str(file)])
            assert not followed.unfinished


def test_a_pause_while_a_file_is_written() -> None:
    """Half of it is not acted on, unless it stays open for ever."""
    pause = Debounce()
    pause.changed(100.0, unfinished=True)
    pause.changed(100.0 + 2 * MOST, unfinished=True)
    assert not pause.over(100.0 + 3 * MOST)
    assert pause.due == 100.0 + OPEN
    pause.changed(100.0 + 4 * MOST)
    assert pause.over(100.0 + 4 * MOST)


def test_a_pause_after_one_change() -> None:
    """Nothing is due before something changed; then after a short while, once."""
    pause = Debounce()
    assert pause.due is None
    assert not pause.over(1e9)
    pause.changed(10.0)
    assert pause.due == 10.0 + SETTLE
    assert not pause.over(10.0)
    assert pause.over(10.0 + SETTLE)
    assert pause.due is None
    assert not pause.over(11.0)


@given(st.lists(st.floats(0.0, SETTLE * 0.99), min_size=1, max_size=200))
def test_a_pause_in_a_storm(steps: list[float]) -> None:
    """Each change puts it off, but never beyond the longest delay."""
    pause = Debounce()
    now = 0.0
    pause.changed(now)
    for step in steps:
        now += step
        if pause.over(now):
            assert now >= MOST
            return
        pause.changed(now)
        assert pause.due is not None
        assert pause.due <= MOST
    assert now < MOST
