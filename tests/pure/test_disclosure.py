"""What messages repeat of a file: nothing that the user behind sudo could not read himself."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from netalias import disclosure, emulator, errors, importers, sources, trust
from netalias.desired import declarations
from netalias.families import lazy

SECRET = "hunter2"
LINES = (
    f"{SECRET} {SECRET}",
    f"eth0:{SECRET} 10.0.0.1",
    f"eth0:1 10.0.0.{SECRET}",
    f"eth0:1 10.0.0.1 {SECRET}",
    f"eth0:1 {SECRET} 10.0.0.1",
    f"{SECRET}:1 10.0.0.1 kind {SECRET}",
    f"{SECRET}:1 10.0.0.5\n{SECRET}:1 10.0.0.6",
    f"{SECRET}:1 10.0.0.5\n{SECRET}:2 10.0.0.5",
    f"defaults {SECRET}",
)
"""Each makes an error, and most errors repeat a word."""


@pytest.fixture
def sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    """User 1000 has called sudo; a child of the test plays him, and cannot open FILE."""
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1000")
    monkeypatch.setattr(disclosure, "capable", lambda: False)

    def become(user: int) -> None:
        assert user == 1000
        opened = os.open

        def deny(path: str, flags: int) -> int:
            if path.endswith("secret"):
                raise PermissionError
            return opened(path, flags)

        os.open = deny  # type: ignore[assignment]  # in the child alone

    monkeypatch.setattr(disclosure, "_become", become)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "secret"


def read(path: Path) -> tuple[str, str]:
    """Name and text of a file."""
    path.chmod(0o600)
    ((name, text),) = sources.decode(sources.read([str(path)]))
    return name, text


def complaints(path: Path) -> list[str]:
    return declarations.parse([read(path)], lazy(), disclosure.withheld).errors


@pytest.mark.usefixtures("sudo")
@pytest.mark.parametrize("text", LINES, ids=range(len(LINES)))
def test_declarations(secret: Path, text: str) -> None:
    """File, line and kind of the error; the column would tell the length of a word."""
    secret.write_text(f"# {SECRET}\n{text}\n")
    found = complaints(secret)
    assert found
    for one in found:
        assert SECRET not in one
        assert one.startswith((f"{secret}:2: ", f"{secret}:3: "))
        assert one.endswith("(not shown, since user 1000 cannot read this file)")
    other = secret.with_name("open")
    other.write_text(secret.read_text())
    for one in complaints(other):
        assert SECRET in one
        assert one.startswith((f"{other}:2:", f"{other}:3:"))


def test_a_look_that_does_not_end(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user can stop the process that looks as him, and so the command of root."""
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setattr(disclosure, "SECONDS", 0.05)
    monkeypatch.setattr(disclosure, "_become", lambda user: os.kill(os.getpid(), signal.SIGSTOP))
    secret.write_text(f"{SECRET}\n")
    (found,) = complaints(secret)
    assert SECRET not in found


@pytest.mark.parametrize("opener", [disclosure.Reading().opener, trust.readable])
def test_no_file_without_a_size_is_read(opener: Callable[[str, int], int]) -> None:
    """As in test_sources.py, by importers, emulate, doctor and record."""
    with open("/proc/sys/kernel/ostype", "rb", opener=opener) as file:
        assert file.read() == b""


def test_kinds() -> None:
    """The kind of an error says what is wrong, by the class or by the system."""
    told = {
        errors.UsageError("x"): "wrong words",
        errors.BadName("x"): "not an alias name",
        errors.BadAddress("x"): "not an address",
        errors.AlreadyExists("x"): "a name or an address that is taken",
        errors.KernelError("x", 1, "y"): "Operation not permitted",
    }
    for error, kind in told.items():
        assert error.kind() == kind


@pytest.mark.parametrize("user", [None, "0"])
def test_without_sudo(
    secret: Path, monkeypatch: pytest.MonkeyPatch, user: str | None, sudo: None
) -> None:
    """Root itself is told everything."""
    if user is None:
        monkeypatch.delenv("SUDO_UID")
    else:
        monkeypatch.setenv("SUDO_UID", user)
    secret.write_text(LINES[0])
    assert SECRET in complaints(secret)[0]


@pytest.mark.usefixtures("sudo")
def test_another_file_in_its_place(secret: Path) -> None:
    """He who names a secret file by a link, and puts his own file there, is told nothing."""
    link = secret.with_name("link")
    secret.write_text(LINES[0])
    link.symlink_to(secret)
    name, text = read(link)
    link.unlink()
    link.write_text("mine")
    (one,) = declarations.parse([(name, text)], lazy(), disclosure.withheld).errors
    assert SECRET not in one


@pytest.mark.usefixtures("sudo")
def test_one_child_for_a_file(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many errors it has."""
    forks: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    secret.write_text("x\n" * 50)
    assert len(complaints(secret)) == 50
    assert len(forks) == 1


@pytest.mark.usefixtures("sudo")
def test_where_the_kernel_reaps(secret: Path) -> None:
    """The watcher ignores SIGCHLD."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        other = secret.with_name("open")
        for path, quoted in ((secret, False), (other, True)):
            path.write_text(LINES[0])
            assert (SECRET in complaints(path)[0]) == quoted
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_user_who_cannot_be_played(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In doubt nothing is told."""
    monkeypatch.setenv("SUDO_UID", str(2**32 - 2))
    monkeypatch.setenv("SUDO_GID", "x")
    secret.write_text(LINES[0])
    assert SECRET not in complaints(secret)[0]


@pytest.mark.usefixtures("sudo")
def test_emulate(secret: Path) -> None:
    """The script of an emulation, played or compared."""
    secret.write_text(f"device eth0\n> {SECRET}\n{SECRET} x\n! {SECRET}\neth0:{SECRET} 10.0.0.1\n")
    for words in ([], ["--check"]):
        out, err = io.StringIO(), io.StringIO()
        assert emulator.main([*words, str(secret)], io.StringIO(), out, err)
        assert SECRET not in out.getvalue() + err.getvalue()
        assert f"{secret}:3: " in err.getvalue()
        assert f"{secret}:5: " in err.getvalue()


def test_emulate_waits_for_nothing(tmp_path: Path) -> None:
    """A FIFO in the place of a script is refused at once."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    err = io.StringIO()
    assert emulator.main([str(path)], io.StringIO(), io.StringIO(), err) == 1
    assert err.getvalue() == f"netalias: {path}: not a regular file\n"


INTERFACES = f"""\
auto eth0:1
iface eth0:1 inet static
    address 10.0.0.1/24
    wpa-psk {SECRET}
    {SECRET} x
    up echo {SECRET}
auto eth0:{SECRET}
iface eth0:{SECRET} inet static
    address 10.0.0.2/24
source $({SECRET})
{SECRET}
"""


@pytest.mark.usefixtures("sudo")
def test_import(secret: Path) -> None:
    """Notes on interfaces(5), for each file by itself: one that all can read is quoted."""
    secret.write_text(INTERFACES)
    outer = secret.with_name("interfaces")
    outer.write_text(f"source {secret}\nvisible\n")
    notes = importers.read([str(outer)]).notes
    inner = [note for note in notes if note.startswith(f"{secret}:")]
    assert len(inner) > 3
    assert not any(SECRET in note for note in notes)
    assert any("visible" in note for note in notes)
    assert all(
        note.endswith("(not shown, since user 1000 cannot read this file)") for note in inner
    )


def test_import_waits_for_nothing(tmp_path: Path) -> None:
    """A FIFO is refused at once, as the file itself and as an included one."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(errors.StateError, match="fifo: not a regular file"):
        importers.read([str(path)])
    outer = tmp_path / "interfaces"
    outer.write_text(f"source {path}\n")
    assert importers.read([str(outer)]).notes == [f"{outer}:1: {path}: not a regular file"]
