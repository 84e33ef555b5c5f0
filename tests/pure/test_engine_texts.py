"""Texts that are always true: when they are written, whose folder it is, and who may be fooled."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import given_away

import netalias
from netalias import cli, errors
from netalias.engine import Engine
from netalias.engine import texts as live
from netalias.engine.texts import Folder, Texts, refresh
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, PROTOCOL
from netalias.model.neighbours import AddProxy, Proxy
from netalias.system.backoff import LATEST, PACE, RETRY, Pace
from netalias.views.proc import ALIASES_HEADER
from netalias.views.texts import NAMES, answer

HERE, THERE = 4026531840, 4026532001
"""Inodes of two network namespaces."""
TABLE = 4026532200
"""The inode of the table of devices of either namespace."""


class Clock:
    """Time stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stage:
    """An engine over a kernel in memory, and the folder of its texts."""

    def __init__(self, folder: Path) -> None:
        memory = Memory()
        memory.add_device("eth0", up=True)
        self.engine: Engine = netalias.open(kernel=memory)
        self.folder = folder
        self.path = str(folder)

    def refresh(self, namespace: int = HERE) -> str:
        return refresh(self.path, namespace, self.engine.observe, lambda work: TABLE)

    def texts(self, namespace: int = HERE) -> Texts:
        made = Texts(self.path, namespace)
        made.claim(0)
        return made

    @property
    def lines(self) -> list[str]:
        """The first column of ``aliases``."""
        text = (self.folder / "aliases").read_text()
        return [line.split()[0] for line in text.splitlines()[1:]]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """With one alias, and without a folder."""
    made = Stage(tmp_path / "net")
    made.engine.create("eth0:0", "192.0.2.1/32")
    return made


# When


def test_nothing_changed_nothing_due():
    """Idle costs nothing: there is no time at which anything is due."""
    pace = Pace()
    assert pace.due(0.0) is None
    pace.changed()
    assert pace.due(0.0) == 0.0
    pace.begun()
    pace.written(0.0, 0.001)
    assert pace.due(100.0) is None


def test_the_first_change_after_a_pause_is_due_at_once():
    """And the next one PACE after the beginning of that writing."""
    pace = Pace()
    pace.changed()
    pace.begun()
    pace.written(5.0, 5.001)
    pace.changed()
    assert pace.due(5.001) == pytest.approx(PACE - 0.001)
    assert pace.due(5.0 + PACE) == 0.0
    assert pace.due(9.0) == 0.0


def test_what_changes_during_a_writing_is_written_later():
    """begun() is what makes the texts true, not written()."""
    pace = Pace()
    pace.changed()
    pace.begun()
    pace.changed()
    pace.written(0.0, 0.001)
    assert pace.due(0.0) == PACE


def test_what_failed_is_due_again():
    """Not at once: a full disk would take all the time."""
    pace = Pace()
    pace.changed()
    pace.begun()
    pace.failed(3.0)
    assert pace.due(3.0) == RETRY


@given(
    cost=st.floats(0.0, 0.2),
    gaps=st.lists(st.floats(0.0, 0.05), min_size=1, max_size=60),
)
def test_a_storm(cost: float, gaps: list[float]):
    """Never two writings within PACE, never more than half of the time spent on it, and every
    change written within LATEST where a writing takes a third of that at most."""
    pace = Pace()
    times = [sum(gaps[: count + 1]) for count in range(len(gaps))]
    waiting, begins, lateness = list(times), [], 0.0
    now = 0.0
    while waiting:
        heard = [one for one in waiting if one <= now]
        if heard:
            pace.changed()
        due = pace.due(now)
        if due is None:
            now = waiting[0]
        elif due > 0:
            now += max(due, 1e-9)
        else:
            pace.begun()
            begins.append(now)
            end = now + cost
            pace.written(now, end)
            lateness = max(lateness, end - heard[0])
            waiting = [one for one in waiting if one > now]
            now = end
    for sooner, later in pairwise(begins):
        assert later - sooner > max(PACE, 2 * cost) - 1e-6
    if cost <= LATEST / 3:
        assert lateness <= LATEST + 1e-6


# Whose


def test_a_command_makes_no_folder(stage: Stage):
    """Who wants the texts makes the folder; without it nothing is done, and nothing said."""
    assert stage.refresh() == ""
    assert not stage.folder.exists()


def test_a_command_claims_and_writes(stage: Stage):
    """A folder that nobody has claimed becomes that of the first namespace."""
    stage.folder.mkdir(0o755)
    assert stage.refresh() == ""
    assert stage.lines == ["eth0:0"]
    assert (stage.folder / live.CLAIM).read_text() == f"{HERE} {TABLE}\n"
    assert (stage.folder / "alias_types").read_bytes().startswith(b"type    name            n_att")
    stage.engine.delete("eth0:0")
    assert stage.refresh() == ""
    assert (stage.folder / "aliases").read_bytes() == ALIASES_HEADER


def test_a_command_leaves_the_folder_of_another_namespace(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a word nor a byte, as long as somebody is there."""
    monkeypatch.setattr(live, "abandoned", lambda inode, table: False)
    stage.folder.mkdir(0o755)
    assert stage.refresh(THERE) == ""
    before = (stage.folder / "aliases").stat()
    stage.engine.create("eth0:1", "192.0.2.2/32")
    assert stage.refresh(HERE) == ""
    assert (stage.folder / "aliases").stat() == before


def test_a_command_takes_over_what_a_gone_namespace_had(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its texts are void: nobody would see them go out of date."""
    stage.folder.mkdir(0o755)
    assert stage.refresh(THERE) == ""
    monkeypatch.setattr(live, "abandoned", lambda inode, table: inode == THERE)
    stage.engine.create("eth0:1", "192.0.2.2/32")
    assert stage.refresh(HERE) == ""
    assert "eth0:1" in stage.lines
    with Folder(stage.path) as folder:
        assert folder.owner() == (HERE, TABLE)


@pytest.mark.parametrize(
    ("text", "owner"),
    [
        (f"{THERE}\n", (THERE, 0)),  # as up to version 0.4
        (f"{THERE} 4026532100\n", (THERE, 4026532100)),
        (f"{THERE} 1 2\n", (0, 0)),
        (f"{THERE} -1\n", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_what_a_claim_says(stage: Stage, text: str, owner: tuple[int, int]) -> None:
    """The inode of the namespace, and that of its table of devices if it is known; the next writer
    of that namespace adds it."""
    stage.folder.mkdir(0o755)
    claim = stage.folder / live.CLAIM
    claim.write_text(text)
    with Folder(stage.path) as folder:
        assert folder.owner() == owner
    namespace = owner[0] or HERE
    assert stage.refresh(namespace) == ""
    assert claim.read_text() == f"{namespace} {TABLE}\n"


def test_a_command_leaves_the_texts_to_a_resident(stage: Stage):
    """As long as it lives; from then on the commands keep them."""
    resident = stage.texts()
    assert stage.refresh() == ""
    assert not (stage.folder / "aliases").exists()
    assert resident.write(stage.engine.observe) == ""
    stage.engine.create("eth0:1", "192.0.2.2/32")
    assert stage.refresh() == ""
    assert stage.lines == ["eth0:0"]
    resident.close()
    assert stage.lines == ["eth0:0"]
    assert stage.refresh() == ""
    assert stage.lines == ["eth0:0", "eth0:1"]


def test_a_resident_makes_the_folder(stage: Stage):
    """Everybody can read it, whatever the umask, and nobody else write."""
    before = os.umask(0o077)
    try:
        stage.texts().write(stage.engine.observe)
    finally:
        os.umask(before)
    assert stage.folder.stat().st_mode & 0o777 == 0o755
    assert (stage.folder / "aliases").stat().st_mode & 0o777 == 0o444
    assert (stage.folder / live.CLAIM).stat().st_mode & 0o777 == 0o600
    assert stage.lines == ["eth0:0"]


def test_folders_above_it_are_for_everybody(tmp_path: Path):
    """Whatever the umask: who may not search a folder above cannot read the texts."""
    before = os.umask(0o077)
    try:
        live.made(str(tmp_path / "one" / "two" / "net")).close()
    finally:
        os.umask(before)
    for folder in ("one", "one/two", "one/two/net"):
        assert (tmp_path / folder).stat().st_mode & 0o777 == 0o755


def test_a_link_above_it(tmp_path: Path):
    """One of this user is followed; one of another user, who owns the folder that it is in, could
    have root write anywhere."""
    (tmp_path / "target").mkdir()
    link = tmp_path / "link"
    link.symlink_to("target")
    live.made(f"{link}/net").close()
    (tmp_path / "target/net").rmdir()
    given_away(link)
    with pytest.raises(OSError, match="a symbolic link of another user"):
        live.made(f"{link}/net")
    assert os.listdir(tmp_path / "target") == []


def test_a_resident_takes_over_what_nobody_holds(stage: Stage):
    """The claim of another namespace counts for commands; for residents its holder counts."""
    other = stage.texts(THERE)
    other.write(stage.engine.observe)
    with pytest.raises(errors.StateError, match="another netalias watch"):
        stage.texts(HERE)
    other.close()
    assert stage.texts(HERE).write(stage.engine.observe) == ""
    assert (stage.folder / live.CLAIM).read_text() == f"{HERE}\n"


def test_a_killed_resident_holds_nothing(stage: Stage):
    """The kernel lets go of what a dead process held."""
    program = (
        "import sys, time; from netalias.engine.texts import Texts\n"
        "texts = Texts(sys.argv[1], int(sys.argv[2])); texts.claim(); print(flush=True)\n"
        "time.sleep(60)"
    )
    words = [sys.executable, "-c", program, stage.path, str(THERE)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        with pytest.raises(errors.StateError, match="another netalias watch"):
            stage.texts(HERE)
        process.kill()
    stage.texts(HERE)


def test_a_resident_waits_for_a_command(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """It is over in a moment."""
    stage.folder.mkdir(0o755)
    command = Folder(stage.path)
    assert command.lock()
    monkeypatch.setattr(live, "sleep", lambda _: command.close())
    Texts(stage.path, HERE).claim()


def test_files_of_others_stay(stage: Stage):
    """/etc/aliases is no text of ours: a folder that has such a file, and no claim, is refused."""
    stage.folder.mkdir(0o755)
    (stage.folder / "aliases").write_text("postmaster: root\n")
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match="netalias did not write it"):
        stage.texts()
    assert (stage.folder / "aliases").read_text() == "postmaster: root\n"


# Where others can write


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1777])
def test_a_folder_that_others_can_write_to(stage: Stage, mode: int):
    """It is left alone; a resident says why."""
    stage.folder.mkdir()
    stage.folder.chmod(mode)
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match="others can write to it"):
        stage.texts()
    assert os.listdir(stage.folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user(stage: Stage):
    """Root does not write where a user may put what root then follows."""
    stage.folder.mkdir(0o755)
    try:
        os.chown(stage.folder, 12345, 12345)
    except OSError as error:
        pytest.skip(f"there is no other user here: {error.strerror}")
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match="others can write to it"):
        stage.texts()
    assert os.listdir(stage.folder) == []


def test_nobody_is_told_to_close_tmp(stage: Stage):
    """A folder that is for everybody stays so; every other one can be made root's."""
    stage.folder.mkdir()
    for mode, part in ((0o1777, "a folder below it"), (0o777, "chmod 755")):
        stage.folder.chmod(mode)
        with pytest.raises(errors.StateError) as caught:
            stage.texts()
        assert part in str(caught.value.hint)


def test_symbolic_links(stage: Stage, tmp_path: Path):
    """Nothing is written through one: neither the folder, nor the claim, nor a text."""
    target = tmp_path / "target"
    target.mkdir()
    stage.folder.symlink_to(target)
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match="it is not a folder"):
        stage.texts()
    stage.folder.unlink()
    stage.folder.mkdir(0o755)
    victim = tmp_path / "victim"
    victim.write_text(f"{HERE}\n")
    (stage.folder / live.CLAIM).symlink_to(victim)
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match=os.strerror(errno.ELOOP)):
        stage.texts()
    (stage.folder / live.CLAIM).unlink()
    assert stage.refresh() == ""
    (stage.folder / "aliases").unlink()
    (stage.folder / "aliases").symlink_to(victim)
    assert stage.refresh() == ""
    assert stage.lines == ["eth0:0"]
    assert not (stage.folder / "aliases").is_symlink()
    assert victim.read_text() == f"{HERE}\n"
    assert os.listdir(target) == []


@pytest.mark.parametrize("second", [False, True])
def test_a_claim_that_is_no_file_of_ours(stage: Stage, tmp_path: Path, second: bool):
    """A FIFO, which is not waited for under the lock; a file that has another name too, which is
    not written to."""
    stage.folder.mkdir(0o755)
    victim = tmp_path / "victim"
    victim.write_text("mine\n")
    claim = stage.folder / live.CLAIM
    os.link(victim, claim) if second else os.mkfifo(claim)
    assert stage.refresh() == ""
    with pytest.raises(errors.StateError, match="not a regular file"):
        stage.texts()
    assert victim.read_text() == "mine\n"


# What readers and writers meet


def test_a_reader_keeps_its_snapshot(stage: Stage):
    """What was opened is the text of that moment, however often it is replaced."""
    resident = stage.texts()
    resident.write(stage.engine.observe)
    with open(stage.folder / "aliases", "rb") as reader:
        stage.engine.delete("eth0:0")
        resident.write(stage.engine.observe)
        assert b"eth0:0" in reader.read()
    assert (stage.folder / "aliases").read_bytes() == ALIASES_HEADER


def test_a_name_longer_than_the_column(stage: Stage):
    """An IPv6 label has no device of its own: it is shown by that of its main device."""
    kernel = stage.engine.kernel
    assert isinstance(kernel, Memory)
    kernel.add_device("enp0s31f6abcde", up=True)
    stage.engine.create("enp0s31f6abcde:10", "2001:db8::1", "kind", "label")
    stage.texts().write(stage.engine.observe)
    assert stage.lines == ["eth0:0", "enp0s31f6abcde"]


def test_trouble_is_told_once(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """And tried again after a while; when it works again, the next trouble is told again."""
    clock = Clock()
    resident = Texts(stage.path, HERE, clock)
    assert resident.due(clock()) == 0.0
    resident.claim(0)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(live, "publish", full)
        assert "No space left" in resident.write(stage.engine.observe)
        assert resident.due(clock()) == RETRY
        assert resident.write(stage.engine.observe) == ""
        assert resident.due(clock()) == RETRY
    assert resident.write(stage.engine.observe) == ""
    assert resident.due(clock()) is None
    resident.changed()
    assert resident.due(clock()) == pytest.approx(PACE)
    monkeypatch.setattr(live, "publish", full)
    assert "No space left" in resident.write(stage.engine.observe)


def test_a_command_tells_what_it_could_not_write(stage: Stage, monkeypatch: pytest.MonkeyPatch):
    """The texts are this namespace's, and they are not true any more."""
    stage.folder.mkdir(0o755)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(live, "publish", full)
    told = stage.refresh()
    assert told.startswith(stage.path)
    assert "No space left" in told


@pytest.mark.parametrize("whole", [True, False])
def test_a_resident_whose_folder_was_taken_away(stage: Stage, whole: bool):
    """It makes and claims it again: in a removed folder it would write for nobody."""
    resident = stage.texts()
    resident.write(stage.engine.observe)
    for name in os.listdir(stage.folder) if whole else (live.CLAIM, "aliases", "alias_types"):
        (stage.folder / name).unlink()
    if whole:
        stage.folder.rmdir()
    assert resident.write(stage.engine.observe) == ""
    assert stage.lines == ["eth0:0"]
    assert stage.refresh() == ""  # it is held again
    with pytest.raises(errors.StateError, match="another netalias watch"):
        stage.texts()


def test_answers_are_what_the_command_prints(stage: Stage, capsys: pytest.CaptureFixture[str]):
    """``aliases`` and ``alias_types`` as cat has them, ``json`` as show has it."""
    engine = stage.engine
    engine.create("eth0:1", "2001:db8::1/128", "kind", "label")
    engine.kernel.apply([AddProxy("eth0", 2, Proxy(2, AF_INET, b"\xc0\0\2\7", PROTOCOL))])
    for word, words in (*((name, ["cat", name]) for name in NAMES), ("json", ["-j", "show"])):
        assert cli.main(words, lambda options: engine) == 0
        found = answer(word, engine.observe(), engine.kernel.proxies)
        assert found.decode() == capsys.readouterr().out
    assert b"published" in found
