"""Key files: what is accepted, what is told, and that no word of a key is."""

from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netalias import errors, trust
from netalias.tunnels import keys

KEY = bytes(range(1, 33))


@pytest.fixture(autouse=True)
def way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the tests is trusted, whatever its mode."""
    monkeypatch.setattr(trust, "resolved", lambda file: file)


def written(folder: Path, content: bytes, mode: int = 0o600) -> str:
    """A file with this content."""
    file = folder / "vif0.key"
    file.write_bytes(content)
    file.chmod(mode)
    return str(file)


@pytest.mark.parametrize("end", [b"\n", b"", b"\r\n", b" \n\n"])
def test_a_key_is_32_bytes_in_base64(tmp_path: Path, end: bytes) -> None:
    """With or without the end of a line."""
    assert keys.read(written(tmp_path, b64encode(KEY) + end)) == KEY


def test_the_command_that_the_error_names_makes_a_key(tmp_path: Path) -> None:
    """A file that is not there is made by it, with the right mode."""
    file = str(tmp_path / "new.key")
    with pytest.raises(errors.StateError) as told:
        keys.read(file)
    assert str(told.value) == f"{file}: No such file or directory"
    command = told.value.hint.removeprefix("make one: ")
    subprocess.run(["sh", "-c", command], check=True)
    assert len(keys.read(file)) == keys.SIZE
    assert os.stat(file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o601])
def test_a_file_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    """Members of its group too. The remedy is named."""
    file = written(tmp_path, b64encode(KEY), mode)
    with pytest.raises(errors.StateError) as told:
        keys.read(file)
    assert told.value.line() == (
        f"{file}: others may read it, so its key is no secret (chmod 600 {file})"
    )


def test_a_file_that_others_may_write_is_refused_like_a_declaration(tmp_path: Path) -> None:
    """By the same words."""
    file = written(tmp_path, b64encode(KEY), 0o602)
    with pytest.raises(errors.StateError, match="writable by others, so it is not trusted"):
        keys.read(file)


def test_the_way_to_the_file_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which others may exchange it is told of."""
    monkeypatch.undo()
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    file = written(folder, b64encode(KEY))
    with pytest.raises(errors.StateError, match="so the file is not trusted"):
        keys.read(file)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b64encode(KEY[:31]),
        b64encode(KEY + b"x"),
        b64encode(bytes(32)),
        KEY.hex().encode(),
        b64encode(KEY)[:-1],
        b64encode(KEY).replace(b"=", b"$"),
        b64encode(KEY) + b"\n" + b64encode(KEY),
        KEY,
        b"PrivateKey = " + b64encode(KEY),
        b"A" * 100_000,
    ],
)
def test_other_contents_are_no_key(tmp_path: Path, content: bytes) -> None:
    """Nothing is guessed. The message tells the command, and nothing of the content."""
    file = written(tmp_path, content)
    with pytest.raises(errors.StateError) as told:
        keys.read(file)
    assert str(told.value) == f"{file}: no key of 32 bytes in base64"
    assert told.value.hint == f"make one: (umask 077; head -c32 /dev/urandom | base64 >{file})"


@given(content=st.binary(max_size=100))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30
)
def test_any_content_is_a_key_or_an_error(tmp_path: Path, content: bytes) -> None:
    """Never another exception."""
    file = written(tmp_path, content)
    try:
        key = keys.read(file)
    except errors.StateError as error:
        told = str(error)
    else:
        told = f"{file}: no key of 32 bytes in base64"
        assert b64encode(key) == content.strip()
    assert told == f"{file}: no key of 32 bytes in base64"


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A FIFO would be waited for, a folder has no content."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo, 0o600)
    for path in (fifo, tmp_path, Path("/dev/zero")):
        with pytest.raises(errors.StateError):
            keys.read(str(path))
    with pytest.raises(errors.StateError):
        keys.read("/etc/\0")
