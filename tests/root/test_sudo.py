"""A user who may run netalias as root by a rule of sudo(8): what he is told of files, and what is
trusted of his."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, command

pytestmark = pytest.mark.long

NOBODY = 65534
SUDO = ["env", f"SUDO_UID={NOBODY}", f"SUDO_GID={NOBODY}"]
USAGE, REFUSED = 1, 2
SECRET = "hunter2"
TEXT = f"root:{SECRET}:1:0:99999:7:::\n{SECRET} x\neth9:1 10.0.0.{SECRET}\n"
NEEDED = "not shown, since user 65534 cannot read this file"

VERBS = (
    ("check", "FILE"), ("reconcile", "FILE"), ("reconcile", "--dry-run", "FILE"),
    ("batch", "FILE"), ("batch", "--force", "FILE"), ("--dry-run", "batch", "--force", "FILE"),
    ("import", "--from", "interfaces", "FILE"), ("emulate", "FILE"), ("emulate", "--check", "FILE"),
    ("watch", "FILE"),
)  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that all may read, unlike tmp_path."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        try:
            os.chown(name, NOBODY, -1)
        except OSError:
            pytest.skip("this user cannot give anything to another one")
        os.chown(name, 0, -1)
        yield Path(name)


def by_sudo(cli: Command, *words: str) -> subprocess.CompletedProcess[str]:
    """A command as sudo starts it for user 65534."""
    return cli.namespace.run([*SUDO, *command(*words)], check=False)


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
@pytest.mark.parametrize("how", ["file", "folder", "link"])
def test_text_that_the_user_cannot_read(
    bare: Command, folder: Path, words: tuple[str, ...], how: str
) -> None:
    """No verb tells more than the line and the kind of an error, whatever keeps him from it."""
    path = folder / "inner" / "secret"
    path.parent.mkdir()
    path.write_text(TEXT)
    if how == "folder":
        path.parent.chmod(0o700)
    else:
        path.chmod(0o600)
    if how == "link":
        path = path.rename(folder / "target")
        link = folder / "link"
        link.symlink_to(path)
        os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
        path = link
    done = by_sudo(bare, *(str(path) if word == "FILE" else word for word in words))
    assert SECRET not in done.stdout + done.stderr
    if words[0] != "import":
        assert done.returncode == USAGE
    assert f"{path}:1: " in done.stderr
    assert NEEDED in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_text_that_the_user_can_read(bare: Command, folder: Path, words: tuple[str, ...]) -> None:
    """He is told what is wrong."""
    path = folder / "open"
    path.write_text(TEXT)
    path.chmod(0o644)
    done = by_sudo(bare, *(str(path) if word == "FILE" else word for word in words))
    assert SECRET in done.stderr
    assert NEEDED not in done.stderr


def test_standard_input_is_his_own(bare: Command) -> None:
    """He has opened it himself."""
    done = bare.namespace.run([*SUDO, *command("check", "-")], check=False, input=TEXT)
    assert SECRET in done.stderr


def test_whose_folders_are_trusted(bare: Command, folder: Path) -> None:
    """Those of root and of the user who calls sudo; not those of others, nor their links."""
    path = folder / "home" / "netalias.conf"
    path.parent.mkdir()
    path.write_text("")
    path.chmod(0o644)
    os.chown(path.parent, NOBODY, NOBODY)
    check = ("check", str(path))
    assert by_sudo(bare, *check).returncode == 0
    assert f"the folder {path.parent} belongs to another user" in bare.fails(REFUSED, *check)
    link = folder / "link"
    link.symlink_to(folder / "plain")
    (folder / "plain").write_text("")
    bare.silent("check", str(link))
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    assert "the symbolic link" in bare.fails(REFUSED, "check", str(link))
    assert by_sudo(bare, "check", str(link)).returncode == 0


def test_pipe_of_the_shell(bare: Command) -> None:
    """Process substitution works, and so does a redirected file."""
    for words in ("netalias check <(echo eth9:x)", "netalias check /dev/stdin < <(echo eth9:x)"):
        shell = words.replace("netalias", " ".join(command()))
        done = bare.namespace.run(["bash", "-c", shell], check=False)
        assert done.returncode == USAGE
        assert "eth9:x" in done.stderr
