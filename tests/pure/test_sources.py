"""Files of declarations: which are read, in which order, and which are not trusted."""

from __future__ import annotations

import io
import os
import pwd
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import errors, sources, trust


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders of the default files."""
    for folder in ("/etc", *sources.FOLDERS):
        (tmp_path / folder[1:]).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def superuser(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are read as user 0; the user who runs the test owns them."""
    monkeypatch.setattr(trust, "geteuid", lambda: 0)
    monkeypatch.setenv("SUDO_UID", str(os.getuid()))


def named(root: Path) -> list[str]:
    """The default files below *root*, without it."""
    return [name.removeprefix(str(root)) for name in sources.default_files(str(root))]


def refused(path: Path | str) -> errors.NetaliasError:
    with pytest.raises(errors.StateError) as caught:
        sources.read([str(path)])
    assert str(caught.value).startswith(f"{path}: ")
    return caught.value


def test_nothing_is_there(tmp_path: Path) -> None:
    """Neither the file nor the folders must exist."""
    assert named(tmp_path) == []


def test_order(root: Path) -> None:
    """The one file first, then those of all folders in the order of their names."""
    for name in (
        "etc/netalias.conf", "usr/lib/netalias.d/10-a.conf", "etc/netalias.d/20-b.conf",
        "run/netalias.d/15-c.conf", "etc/netalias.d/9-d.conf",
    ):  # fmt: skip
        (root / name).touch()
    assert named(root) == [
        "/etc/netalias.conf", "/usr/lib/netalias.d/10-a.conf", "/run/netalias.d/15-c.conf",
        "/etc/netalias.d/20-b.conf", "/etc/netalias.d/9-d.conf",
    ]  # fmt: skip


@pytest.mark.parametrize("behind", sources.FOLDERS[1:])
def test_same_name_masks(root: Path, behind: str) -> None:
    """Of two files with one name that of the earlier folder is read."""
    earlier = sources.FOLDERS[sources.FOLDERS.index(behind) - 1]
    for folder in (behind, earlier):
        (root / folder[1:] / "a.conf").touch()
    assert named(root) == [f"{earlier}/a.conf"]


@pytest.mark.parametrize("target", ["/dev/null", "link"])
def test_null_masks(root: Path, target: str) -> None:
    """A link to /dev/null, over another link or not, masks and is not read; an empty file is."""
    (root / "usr/lib/netalias.d/a.conf").touch()
    (root / "etc/netalias.d/link").symlink_to("/dev/null")
    (root / "etc/netalias.d/a.conf").symlink_to(target)
    (root / "usr/lib/netalias.d/b.conf").touch()
    (root / "etc/netalias.d/b.conf").touch()
    (root / "etc/netalias.conf").symlink_to("/dev/null")
    assert named(root) == ["/etc/netalias.d/b.conf"]


def test_other_files_are_not_read(root: Path) -> None:
    """Leftovers of editors and package managers have another ending, or are hidden."""
    for name in ("a.conf~", "a.conf.dpkg-old", ".a.conf", "a", "conf"):
        (root / "etc/netalias.d" / name).touch()
    assert named(root) == []


def test_folder_that_is_a_file(root: Path) -> None:
    """A folder that cannot be read is an error, not an empty folder."""
    (root / "etc/netalias.d").rmdir()
    (root / "etc/netalias.d").touch()
    with pytest.raises(errors.StateError, match=r"/etc/netalias\.d: Not a directory"):
        sources.default_files(str(root))


def test_broken_link_is_an_error(root: Path) -> None:
    """A file that is meant to be there and is not must not be taken for "no aliases"."""
    (root / "etc/netalias.conf").symlink_to("nowhere")
    (name,) = sources.default_files(str(root))
    assert "No such file" in str(refused(name))


def test_read(tmp_path: Path) -> None:
    """The files in the order in which they are named, byte by byte."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"\xff\0\r\n")
    two.write_bytes(b"")
    assert sources.read([str(two), str(one), str(two)]) == [
        (str(two), b""), (str(one), b"\xff\0\r\n"), (str(two), b""),
    ]  # fmt: skip


def test_default_files_are_read_without_names(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No names: the default files."""
    path = root / "etc/netalias.conf"
    path.write_bytes(b"x")
    monkeypatch.setattr(sources, "default_files", lambda: [str(path)])
    assert sources.read([]) == [(str(path), b"x")]


def test_standard_input(tmp_path: Path) -> None:
    """``-`` is standard input between the files, and can be read once."""
    path = tmp_path / "one"
    path.write_bytes(b"1")
    assert sources.read(["-", str(path)], io.BytesIO(b"0")) == [
        ("<stdin>", b"0"), (str(path), b"1"),
    ]  # fmt: skip
    with pytest.raises(errors.UsageError, match="only once"):
        sources.read(["-", "-"], io.BytesIO(b"0"))


def test_pipe() -> None:
    """The pipe of a shell's ``<()`` is read until its writer is done, however it cuts its text."""
    end, pipe = os.pipe()

    def write() -> None:
        with open(pipe, "wb", buffering=0) as file:
            for _ in range(300):
                file.write(b"x" * 1000)

    writer = threading.Thread(target=write)
    writer.start()
    found = sources.read([f"/dev/fd/{end}"])
    writer.join()
    os.close(end)
    assert found == [(f"/dev/fd/{end}", b"x" * 300_000)]


def test_what_may_never_end(tmp_path: Path) -> None:
    """A FIFO that nobody writes to and a device are refused at once; /dev/null is an empty file."""
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    for file in (path, "/dev/zero"):
        assert "not a regular file" in str(refused(file))
    assert sources.read(["/dev/null"]) == [("/dev/null", b"")]


def test_unreadable(tmp_path: Path) -> None:
    """The error for an unreadable file has the words of the system."""
    assert "No such file or directory" in str(refused(tmp_path / "none"))
    assert "Is a directory" in str(refused(tmp_path))
    assert "null" in str(refused("a\0b"))


def test_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the largest size is read, one byte more is refused."""
    monkeypatch.setattr(sources, "SIZE_MAX", 3 << 20)
    path = tmp_path / "large"
    path.write_bytes(bytes(3 << 20))
    assert len(sources.read([str(path)])[0][1]) == 3 << 20
    path.write_bytes(bytes((3 << 20) + 1))
    assert "larger than 3 MiB" in str(refused(path))
    with pytest.raises(errors.StateError, match="<stdin>: larger"):
        sources.read(["-"], io.BytesIO(bytes((3 << 20) + 1)))


@pytest.mark.usefixtures("superuser")
@pytest.mark.parametrize(
    ("mode", "group", "trusted"),
    [
        (0o600, 0, True),
        (0o644, 1000, True),
        (0o664, 0, True),
        (0o664, 1000, False),
        (0o602, 0, False),
        (0o666, 0, False),
    ],
)
def test_writable_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, group: int, trusted: bool
) -> None:
    """Root reads no file that others could have written; the hint says how to mend it."""
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(mode)
    fstat(monkeypatch, st_gid=group)
    if trusted:
        assert sources.read([str(path)]) == [(str(path), b"x")]
        return
    error = refused(path)
    assert "writable by others" in str(error)
    assert error.hint == f"chmod go-w {path}"


def fstat(monkeypatch: pytest.MonkeyPatch, module: object = sources, **changed: int) -> None:
    """Let a descriptor have another owner or group than it has."""

    class Status:
        def __init__(self, descriptor: int) -> None:
            status = os.fstat(descriptor)
            for name in ("st_dev", "st_ino", "st_mode", "st_uid", "st_gid", "st_size"):
                setattr(self, name, getattr(status, name))
            for name, value in changed.items():
                setattr(self, name, value)

    monkeypatch.setattr(module, "fstat", Status)


@pytest.mark.usefixtures("superuser")
@pytest.mark.parametrize(
    ("owner", "sudo", "trusted"),
    [(0, None, True), (1000, "1000", True), (1000, "1001", False), (1000, None, False),
     (1000, "", False)],
)  # fmt: skip
def test_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, sudo: str | None, trusted: bool
) -> None:
    """Root trusts its own files and those of the person who called sudo."""
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(0o600)
    fstat(monkeypatch, st_uid=owner)
    monkeypatch.delenv("SUDO_UID")
    if sudo is not None:
        monkeypatch.setenv("SUDO_UID", sudo)
    if trusted:
        assert sources.read([str(path)]) == [(str(path), b"x")]
    else:
        assert "owned by another user" in str(refused(path))


@pytest.mark.parametrize(("name", "trusted"), [("netalias", True), ("somebody", False)])
def test_a_secret_of_the_service_serves_root_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool
) -> None:
    """The watcher has to read it as the user of its unit, and commands of root use the same."""
    found = pwd.struct_passwd((name, "x", 990, 990, "", "/", "/bin/false"))
    monkeypatch.setattr(pwd, "getpwnam", lambda asked: {name: found}[asked])
    monkeypatch.setattr(trust, "geteuid", lambda: 0)
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(0o600)
    fstat(monkeypatch, trust, st_uid=990)
    if not trusted:
        with pytest.raises(errors.StateError, match="owned by another user"):
            trust.secret(str(path), "this key")
        return
    assert trust.secret(str(path), "this key") == b"x"
    path.chmod(0o640)
    fstat(monkeypatch, trust, st_uid=990)
    with pytest.raises(errors.StateError, match="others may read it"):
        trust.secret(str(path), "this key")


@pytest.mark.usefixtures("superuser")
def test_the_opened_file_is_looked_at(tmp_path: Path) -> None:
    """A link is as good as the file that it leads to."""
    path, link = tmp_path / "one", tmp_path / "link"
    path.write_bytes(b"x")
    link.symlink_to(path)
    path.chmod(0o666)
    assert "writable by others" in str(refused(link))
    path.chmod(0o644)
    assert sources.read([str(link)]) == [(str(link), b"x")]


@pytest.mark.usefixtures("superuser")
def test_a_device_has_no_writers() -> None:
    """/dev/null is writable by all and holds nothing of theirs."""
    assert sources.read(["/dev/null"]) == [("/dev/null", b"")]


def test_who_is_not_root_reads_what_he_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without rights trusts any file: it can do no more than the user may."""
    monkeypatch.setattr(trust, "geteuid", lambda: 1000)
    monkeypatch.setattr(trust, "capable", lambda: False)
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(0o666)
    assert sources.read([str(path)]) == [(str(path), b"x")]


@pytest.mark.parametrize(("owner", "trusted"), [(0, True), (1000, True), (1001, False)])
def test_a_service_with_capabilities_is_as_careful_as_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int, trusted: bool
) -> None:
    """A user with capabilities trusts only files of root and its own."""
    monkeypatch.setattr(trust, "geteuid", lambda: 1000)
    monkeypatch.setattr(trust, "capable", lambda: True)
    monkeypatch.delenv("SUDO_UID", raising=False)
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(0o644)
    fstat(monkeypatch, st_uid=owner)
    if trusted:
        assert sources.read([str(path)]) == [(str(path), b"x")]
    else:
        assert "owned by another user" in str(refused(path))
    path.chmod(0o666)
    assert "writable by others" in str(refused(path))


def test_capabilities_are_those_of_this_process() -> None:
    """As the kernel shows them."""
    words = Path("/proc/self/status").read_text().split()
    assert trust.capable() == (int(words[words.index("CapEff:") + 1], 16) != 0)


@given(st.binary())
def test_decode(content: bytes) -> None:
    """Any bytes are a text, and come back from it but for one byte order mark."""
    ((name, text),) = sources.decode([("f", content)])
    assert name == "f"
    assert text.encode("utf-8", "surrogateescape") == content.removeprefix(b"\xef\xbb\xbf")


def test_byte_order_mark() -> None:
    """A byte order mark is not part of the first word."""
    assert sources.decode([("f", b"\xef\xbb\xbfeth0:0")]) == [("f", "eth0:0")]


def test_a_file_without_a_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of procfs tell none; reading /proc/kmsg waits, and takes from others what they read."""
    file = "/proc/self/status"
    monkeypatch.setattr(sources, "_reader", lambda descriptor: pytest.fail("it is read"))
    assert sources.read([file]) == [(file, b"")]
