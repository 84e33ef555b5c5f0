"""procfs.publish: real files replaced as a whole, unchanged ones left alone."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import procfs
from procfs.publish import publish
from procfs.seqfile import TextFile
from procfs.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(procfs.__file__).parents[1]
NOBODY = 65534
SECONDS = 30  # a bound for what takes milliseconds


def text(content: bytes) -> TextFile:
    return TextFile(lambda: [content])


def temporary(pid: int) -> str:
    return f".procfs-{pid}-0123456789abcdef"


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def publisher(directory: Path, before_rename: str) -> subprocess.Popen[bytes]:
    """Start a process that publishes b"child" as `aliases`, with a statement before its rename."""
    code = (
        "import os, sys\n"
        "from procfs.publish import publish\n"
        "from procfs.seqfile import TextFile\n"
        "rename = os.replace\n"
        "def replace(*args, **options):\n"
        f"    {before_rename}\n"
        "    rename(*args, **options)\n"
        "os.replace = replace\n"
        "publish(sys.argv[1], {'aliases': TextFile(lambda: [b'child'])})\n"
    )
    return subprocess.Popen(
        [sys.executable, "-B", "-c", code, str(directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.fixture
def dead_pid() -> int:
    """The id of a process that is no more."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "proc"


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o077)
    yield
    os.umask(old)


@pytest.fixture
def forbidden(directory: Path) -> Iterator[Path]:
    """A directory without write permission; root would pass every check, so it acts as nobody."""
    directory.mkdir(0o555)
    if os.geteuid() != 0:
        yield directory
        return
    try:
        os.seteuid(NOBODY)
    except OSError as problem:
        pytest.skip(f"there is no other user in this user namespace: {problem.strerror}")
    yield directory
    os.seteuid(0)


# what is written


def test_texts_become_files_and_their_names_are_returned(directory: Path) -> None:
    changed = publish(directory, {"b": text(b"B\n"), "a": text(b"A\n"), "empty": text(b"")})
    assert changed == ["b", "a", "empty"]
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == {
        "a": b"A\n",
        "b": b"B\n",
        "empty": b"",
    }


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5))
def test_the_last_published_text_is_the_file(contents: list[bytes]) -> None:
    """A path is reported as changed exactly when its bytes differ."""
    with tempfile.TemporaryDirectory() as directory:
        previous = None
        for content in contents:
            changed = publish(directory, {"aliases": text(content)})
            assert changed == ([] if content == previous else ["aliases"])
            assert Path(directory, "aliases").read_bytes() == content
            previous = content
        assert os.listdir(directory) == ["aliases"]


def test_a_tree_becomes_directories_and_paths_are_returned(directory: Path) -> None:
    tree = Tree({"net": {"aliases": text(b"A"), "types": text(b"T")}, "version": text(b"V")})
    assert publish(directory, tree) == ["net/aliases", "net/types", "version"]
    assert (directory / "net" / "aliases").read_bytes() == b"A"
    assert publish(directory, tree) == []


@pytest.mark.usefixtures("umask")
def test_modes_are_0755_and_0444_whatever_the_umask(directory: Path) -> None:
    publish(directory, {"net": {"aliases": text(b"A")}})
    assert permissions(directory) == permissions(directory / "net") == 0o755
    assert permissions(directory / "net" / "aliases") == 0o444


def test_the_mode_of_an_existing_directory_stays(directory: Path) -> None:
    directory.mkdir(0o700)
    publish(directory, {"aliases": text(b"A")})
    assert permissions(directory) == 0o700


def test_other_files_are_not_touched(directory: Path) -> None:
    publish(directory, {"old": text(b"O"), "aliases": text(b"A")})
    assert publish(directory, {"aliases": text(b"B")}) == ["aliases"]
    assert (directory / "old").read_bytes() == b"O"


def test_a_directory_may_be_named_by_a_symbolic_link(tmp_path: Path, directory: Path) -> None:
    directory.mkdir()
    link = tmp_path / "link"
    link.symlink_to(directory)
    publish(link, {"aliases": text(b"A")})
    assert (directory / "aliases").read_bytes() == b"A"


def test_short_writes_are_continued(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:7]))
    content = bytes(range(256))
    publish(directory, {"aliases": text(content)})
    assert (directory / "aliases").read_bytes() == content


# what is left alone


def test_an_unchanged_text_keeps_inode_and_times(directory: Path) -> None:
    publish(directory, {"aliases": text(b"A"), "types": text(b"T")})
    os.utime(directory / "aliases", ns=(1, 2))
    before = (directory / "aliases").stat()
    assert publish(directory, {"aliases": text(b"A"), "types": text(b"U")}) == ["types"]
    after = (directory / "aliases").stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        2,
        before.st_ctime_ns,
    )


@pytest.mark.parametrize("content", [b"B", b"AA", b""])
def test_a_changed_text_gets_a_new_inode(directory: Path, content: bytes) -> None:
    publish(directory, {"aliases": text(b"A")})
    with (directory / "aliases").open("rb", buffering=0) as held:
        assert publish(directory, {"aliases": text(content)}) == ["aliases"]
        assert os.fstat(held.fileno()).st_ino != (directory / "aliases").stat().st_ino


# atomic for readers


def test_a_reader_keeps_the_file_it_has_open(directory: Path) -> None:
    publish(directory, {"aliases": text(b"old text\n")})
    with (directory / "aliases").open("rb", buffering=0) as reader:
        assert reader.read(4) == b"old "
        publish(directory, {"aliases": text(b"new\n")})
        assert reader.read() == b"text\n"
    assert (directory / "aliases").read_bytes() == b"new\n"


def test_the_old_text_stands_until_the_new_one_is_whole(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(directory, {"aliases": text(b"old")})
    seen = []
    write = os.write

    def watched(fd: int, data: memoryview) -> int:
        seen.append((directory / "aliases").read_bytes())
        return write(fd, data[:1])

    monkeypatch.setattr(os, "write", watched)
    publish(directory, {"aliases": text(b"newer")})
    assert seen == [b"old"] * 5
    assert (directory / "aliases").read_bytes() == b"newer"


def test_a_concurrent_reader_sees_whole_texts_only(directory: Path) -> None:
    versions = [b"a" * 50_000, b"b" * 70_000]
    publish(directory, {"aliases": text(versions[1])})
    seen: list[bytes] = []
    begun, done = threading.Event(), threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.append((directory / "aliases").read_bytes())
            begun.set()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        assert begun.wait(SECONDS)
        for turn in range(200):
            assert publish(directory, {"aliases": text(versions[turn % 2])}) == ["aliases"]
    finally:
        done.set()
        reader.join(SECONDS)
    assert not reader.is_alive()
    assert set(seen) <= set(versions)


def test_concurrent_publishers_leave_one_whole_text_and_no_rest(directory: Path) -> None:
    versions = [bytes([byte]) * 10_000 for byte in b"abcd"]
    start = threading.Barrier(len(versions))
    failures: list[OSError] = []

    def work(version: bytes) -> None:
        start.wait(SECONDS)
        try:
            for _ in range(30):
                publish(directory, {"aliases": text(version)})
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    assert failures == []
    assert os.listdir(directory) == ["aliases"]
    assert (directory / "aliases").read_bytes() in versions


# failures


@pytest.mark.parametrize("call", ["write", "fchmod", "replace"])
def test_a_failure_keeps_the_old_text_and_leaves_no_temporary(
    directory: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    publish(directory, {"aliases": text(b"old")})

    def fail(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.raises(OSError, match="full") as caught:
            publish(directory, {"aliases": text(b"new")})
    assert caught.value.errno == errno.ENOSPC
    assert os.listdir(directory) == ["aliases"]
    assert (directory / "aliases").read_bytes() == b"old"


def test_an_interrupt_leaves_no_temporary(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_fd: int, _data: memoryview) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            publish(directory, {"aliases": text(b"new")})
    assert os.listdir(directory) == []


def test_a_file_size_limit_is_an_error_and_leaves_no_part(directory: Path) -> None:
    """The kernel takes 10 bytes of the write and refuses the rest."""
    directory.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            publish(directory, {"aliases": text(b"x" * 100)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert os.listdir(directory) == []


def test_no_descriptor_is_left_open(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.listdir("/proc/self/fd")
    publish(directory, {"net": {"aliases": text(b"A")}})
    publish(directory, {"net": {"aliases": text(b"A")}})

    def fail(*_args: object) -> None:
        raise OSError(errno.EPERM, "refused")

    monkeypatch.setattr(os, "fchmod", fail)
    for texts in ({"net": {"aliases": text(b"B")}}, {"other": {"aliases": text(b"A")}}):
        with pytest.raises(PermissionError):
            publish(directory, texts)
    assert os.listdir("/proc/self/fd") == before


def test_what_show_raises_leaves_every_file_as_it_was(directory: Path) -> None:
    def show() -> list[bytes]:
        raise LookupError("no kernel")

    publish(directory, {"aliases": text(b"old")})
    with pytest.raises(LookupError, match="no kernel"):
        publish(directory, {"aliases": text(b"new"), "types": TextFile(show)})
    assert os.listdir(directory) == ["aliases"]
    assert (directory / "aliases").read_bytes() == b"old"


def test_texts_before_the_failing_one_are_in_place(directory: Path) -> None:
    (directory / "types").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        publish(directory, {"aliases": text(b"A"), "types": text(b"T"), "zone": text(b"Z")})
    assert sorted(os.listdir(directory)) == ["aliases", "types"]


def test_a_missing_parent_is_enoent(directory: Path) -> None:
    with pytest.raises(FileNotFoundError):
        publish(directory / "below", {"aliases": text(b"A")})
    assert not directory.exists()


def test_a_file_in_the_place_of_a_directory_is_enotdir(directory: Path) -> None:
    directory.write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        publish(directory, {"aliases": text(b"A")})


@pytest.mark.parametrize("path", ["", "below"])
def test_without_the_right_to_write_a_permission_error_comes_out(
    forbidden: Path, path: str
) -> None:
    with pytest.raises(PermissionError) as caught:
        publish(forbidden / path, {"aliases": text(b"A")})
    assert caught.value.errno == errno.EACCES


# strange things in the place of a text


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path, directory: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"A")
    directory.mkdir()
    (directory / "aliases").symlink_to(target)
    assert publish(directory, {"aliases": text(b"A")}) == ["aliases"]
    assert not (directory / "aliases").is_symlink()
    assert publish(directory, {"aliases": text(b"B")}) == ["aliases"]
    assert target.read_bytes() == b"A"


def test_a_symbolic_link_in_the_place_of_a_directory_is_refused(
    tmp_path: Path, directory: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    directory.mkdir()
    (directory / "net").symlink_to(elsewhere)
    with pytest.raises(NotADirectoryError):
        publish(directory, {"net": {"aliases": text(b"A")}})
    assert os.listdir(elsewhere) == []


def test_a_fifo_is_replaced_without_waiting_for_a_writer(directory: Path) -> None:
    directory.mkdir()
    os.mkfifo(directory / "aliases")
    assert publish(directory, {"aliases": text(b"")}) == ["aliases"]
    assert (directory / "aliases").is_file()


# leftovers of others


def test_the_leftover_of_a_killed_publisher_goes_with_the_next_publish(directory: Path) -> None:
    directory.mkdir()
    with publisher(directory, f"os.kill(os.getpid(), {int(signal.SIGKILL)})") as child:
        assert child.wait(SECONDS) == -signal.SIGKILL
    (leftover,) = os.listdir(directory)
    assert leftover.startswith(f".procfs-{child.pid}-")
    assert publish(directory, {"types": text(b"T")}) == ["types"]
    assert os.listdir(directory) == ["types"]


def test_the_temporary_of_a_living_publisher_stays(directory: Path) -> None:
    directory.mkdir()
    wait = "print(flush=True); sys.stdin.read()"
    with publisher(directory, wait) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"
        publish(directory, {"aliases": text(b"ours")})
        assert len(os.listdir(directory)) == 2
        child.communicate(timeout=SECONDS)
    assert child.returncode == 0
    assert os.listdir(directory) == ["aliases"]
    assert (directory / "aliases").read_bytes() == b"child"


def test_a_leftover_below_the_top_goes_too(directory: Path, dead_pid: int) -> None:
    (directory / "net").mkdir(parents=True)
    (directory / "net" / temporary(dead_pid)).write_bytes(b"")
    publish(directory, {"net": {"aliases": text(b"A")}})
    assert os.listdir(directory / "net") == ["aliases"]


def test_a_leftover_goes_even_if_no_text_changed(directory: Path, dead_pid: int) -> None:
    publish(directory, {"aliases": text(b"A")})
    (directory / temporary(dead_pid)).write_bytes(b"")
    assert publish(directory, {"aliases": text(b"A")}) == []
    assert os.listdir(directory) == ["aliases"]


def test_a_leftover_that_another_publisher_removes_first_is_no_error(
    directory: Path, dead_pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory.mkdir()
    leftover = directory / temporary(dead_pid)
    leftover.write_bytes(b"")

    def gone(_pid: int, _signal: int) -> None:
        leftover.unlink()
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    assert publish(directory, {"aliases": text(b"A")}) == ["aliases"]


def test_the_temporary_of_another_users_process_stays(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_pid: int, _signal: int) -> None:
        raise PermissionError

    directory.mkdir()
    (directory / temporary(4711)).write_bytes(b"")
    monkeypatch.setattr(os, "kill", refused)
    publish(directory, {})
    assert os.listdir(directory) == [temporary(4711)]


@pytest.mark.parametrize(
    "form",
    [
        ".procfs-{pid}",
        ".procfs-{pid}-",
        ".procfs-{pid}-0123456789abcde",
        ".procfs-{pid}-0123456789abcdef0",
        ".procfs-{pid}-0123456789ABCDEF",
        ".procfs-{pid}-0123456789abcdeg",
        ".procfs-0{pid}-0123456789abcdef",
        ".procfs-+{pid}-0123456789abcdef",
        ".procfs-{pid}0000000-0123456789abcdef",
        ".procfs--0123456789abcdef",
        ".procfs-{arabic}-0123456789abcdef",
        "procfs-{pid}-0123456789abcdef",
        ".other-{pid}-0123456789abcdef",
    ],
)
def test_a_file_of_another_form_of_name_is_not_ours(
    directory: Path, dead_pid: int, form: str
) -> None:
    arabic = "".join(chr(0x660 + int(digit)) for digit in str(dead_pid))
    name = form.format(pid=dead_pid, arabic=arabic)
    directory.mkdir()
    (directory / name).write_bytes(b"")
    publish(directory, {})
    assert os.listdir(directory) == [name]


def test_a_directory_or_link_with_a_temporary_name_is_not_ours(
    directory: Path, dead_pid: int
) -> None:
    directory.mkdir()
    (directory / temporary(dead_pid)).mkdir()
    (directory / f".procfs-{dead_pid}-{'0' * 16}").symlink_to("aliases")
    publish(directory, {"aliases": text(b"A")})
    assert len(os.listdir(directory)) == 3


def test_a_text_with_a_temporary_name_is_refused_before_anything_is_written(
    directory: Path,
) -> None:
    with pytest.raises(ValueError, match="kept for temporary files"):
        publish(directory, {"aliases": text(b"A"), temporary(1): text(b"B")})
    assert not directory.exists()
