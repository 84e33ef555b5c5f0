"""The texts of a watcher and their socket: where they may stand."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path
from select import POLLIN
from time import monotonic

import pytest
from watched import Watched

from netalias import errors
from netalias.system.journal import Journal
from netalias.watch.texts import TextService


def service(
    place: Path, *, wanted: bool, first: float | None = None, watched: Watched | None = None
) -> tuple[TextService, list[str]]:
    """The service, and its warnings; so many seconds until something comes *first*."""
    watched = watched or Watched("")
    watched.said()
    journal = Journal(stream=watched.journal, environ={}, now=str)
    made = TextService(
        watched.controller,
        journal,
        lambda: watched.now,
        place=str(place),
        namespace=1,
        wanted=wanted,
        first=lambda now: first,
    )
    return made, watched.said()


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that everybody can write to."""
    folder = tmp_path / "open"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


def test_a_folder_that_others_can_write_to(open_folder: Path) -> None:
    """Somebody else could put a socket of his own in the place of ours."""
    with pytest.raises(errors.StateError, match="others can write to it"):
        service(open_folder / "net", wanted=True)
    assert not (open_folder / "net.sock").exists()


def test_the_usual_place_is_done_without(open_folder: Path) -> None:
    """The texts are written all the same."""
    made, warnings = service(open_folder / "net", wanted=False)
    (warning,) = warnings
    assert warning.startswith(f"netalias: warning: no socket: {open_folder}: others can write")
    made.write(0.0)
    assert (open_folder / "net" / "aliases").exists()
    made.close()


@pytest.mark.parametrize(("first", "due"), [(None, 0.0), (0.0, 0.0), (0.005, 0.005), (0.2, 0.0)])
def test_an_announcement_comes_before_a_text(
    tmp_path: Path, first: float | None, due: float
) -> None:
    """One that is due in a moment: neighbours wait for it. But not for ever."""
    watched = Watched("")
    watched.now = begin = monotonic()
    made, _ = service(tmp_path / "net", wanted=True, first=first, watched=watched)
    text = made.parts()[0]
    assert text.due(begin + 0.05) == pytest.approx(due)
    assert text.due(begin + 0.2) == 0.0
    made.close()


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """It is made, with those above it."""
    made, warnings = service(tmp_path / "new" / "net", wanted=True)
    assert warnings == []
    assert (tmp_path / "new" / "net.sock").exists()
    made.close()
    assert not (tmp_path / "new" / "net.sock").exists()


def test_what_is_removed_is_made_again(tmp_path: Path) -> None:
    """The folder with its texts, and a socket that answers; one that stands is left alone."""
    made, _ = service(tmp_path / "run" / "net", wanted=True)
    (part,) = [part for part in made.parts() if part.wanted(0.0)]
    (before,) = part.wanted(0.0)
    made.restore()
    assert [*part.wanted(0.0)] == [before]
    shutil.rmtree(tmp_path / "run")
    made.restore()
    made.write(0.0)
    assert (tmp_path / "run" / "net" / "aliases").exists()
    (fileno,) = part.wanted(0.0)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "run" / "net.sock"))
        client.sendall(b"aliases\n")
        part.ready(fileno, POLLIN, 0.0)
        (connection,) = part.wanted(0.0).keys() - {fileno}
        part.ready(connection, POLLIN, 0.0)
        client.settimeout(10)
        assert client.recv(64).startswith(b"device ")
    made.close()
    assert not (tmp_path / "run" / "net.sock").exists()
