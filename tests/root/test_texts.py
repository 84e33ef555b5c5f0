"""Commands keep the texts below /run/netalias/net true, where that folder is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command, command
from support import Namespace, until

from netalias.engine.texts import CLAIM, Texts

HOLD = "mount -t tmpfs tmpfs /run && mkdir -p /run/netalias/net && echo && exec cat"


class Place:
    """A /run of its own with the folder of texts; ``netalias`` runs with it in a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        words = ["unshare", "-m", "sh", "-c", HOLD]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.holder = namespace.start(words, **pipes)
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == "\n", "no tmpfs can be mounted here"
        self.enter = ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt"]
        self.folder = Path(f"/proc/{self.holder.pid}/root/run/netalias/net")

    def close(self) -> None:
        """Let the kernel take it away."""
        self.holder.communicate()

    def run(
        self, *words: str, namespace: Namespace | None = None, input: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run netalias, however it ends."""
        where = namespace or self.namespace
        return where.run([*self.enter, *command(*words)], check=False, input=input)

    def __call__(self, *words: str, input: str | None = None) -> list[str]:
        """It succeeds without a word on standard error; gives the aliases in the text then."""
        done = self.run(*words, input=input)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)
        return self.names

    @property
    def text(self) -> str:
        return (self.folder / "aliases").read_text()

    @property
    def names(self) -> list[str]:
        """The first column of ``aliases``."""
        return [line.split()[0] for line in self.text.splitlines()[1:]]

    def is_true(self) -> bool:
        """Whether both texts are what the command reads from the kernel."""
        return all(
            self.run("cat", name).stdout == (self.folder / name).read_text()
            for name in ("aliases", "alias_types")
        )


@pytest.fixture
def place(cli: Command) -> Iterator[Place]:
    """In the namespace with eth9."""
    made = Place(cli.namespace)
    yield made
    made.close()


def test_every_change_refreshes(place: Place, tmp_path: Path):
    """Create, re-address, batch, reconcile, adopt, delete; the claim names the namespace."""
    assert place("eth9:0", "192.0.2.1/32") == ["eth9:0"]
    with place.namespace:
        table = os.stat("/proc/thread-self/net/dev").st_ino
    assert (place.folder / CLAIM).read_text() == f"{place.namespace.inode} {table}\n"
    place("eth9:0", "192.0.2.7/32")
    assert "192.0.2.7" in place.text
    lines = "eth9:1 192.0.2.2/32\neth9:2 2001:db8::2/128\neth9:0-\n"
    assert place("batch", "-", input=lines) == ["eth9:1", "eth9:2"]
    declared = tmp_path / "declared"
    declared.write_text("eth9:3-4 192.0.2.3-4/32\n")
    assert place("-q", "reconcile", str(declared)) == ["eth9:3", "eth9:4"]
    assert place.is_true()
    place.namespace.ip("addr add 192.0.2.9/32 dev eth9 label eth9:9")
    assert "eth9:9" not in place.names
    assert "eth9:9" in place("adopt", "eth9:9")
    assert place.is_true()
    for name in place.names:
        assert name not in place(f"{name}-")
    assert place.is_true()
    assert len(place.text.splitlines()) == 1


def test_what_comes_back_by_itself(place: Place, tmp_path: Path):
    """The guard of --confirm refreshes what it has restored."""
    place("eth9:0", "192.0.2.1/32")
    declared = tmp_path / "declared"
    declared.write_text("eth9:1 192.0.2.2/32\n")
    done = place.run("reconcile", "--confirm", "1", str(declared))
    assert done.returncode == 0
    until(lambda: place.names == ["eth9:0"])
    assert place.is_true()


@pytest.mark.parametrize(
    "words",
    [
        ["--dry-run", "eth9:1", "192.0.2.2/32"],
        ["--dry-run", "batch", "-"],
        ["--dry-run", "reconcile", "-"],
        ["check", "-"],
        ["show"],
        ["cat", "aliases"],
        ["eth9:0", "192.0.2.1/32"],
    ],
)
def test_what_changes_nothing_writes_nothing(place: Place, words: list[str]):
    """Neither who looks, nor a rehearsal, nor who finds it done."""
    place("eth9:0", "192.0.2.1/32")
    for name in ("aliases", "alias_types", CLAIM):
        (place.folder / name).unlink()
    place.run(*words, input="eth9:0 192.0.2.1/32\neth9:1 192.0.2.2/32\n")
    assert not list(place.folder.iterdir())


def test_nobody_makes_the_folder(place: Place):
    """Who wants the texts makes it."""
    place.folder.rmdir()
    assert place.run("eth9:0", "192.0.2.1/32").returncode == 0
    assert not place.folder.exists()


def test_the_folder_is_one_namespace_s(place: Place):
    """Whoever changes another namespace leaves it, from within and by name; and in turn."""
    other = Namespace()
    other.ip("link add eth8 type veth peer name p8")
    other.ip("link set eth8 up")
    place("eth9:0", "192.0.2.1/32")
    text = place.text
    assert place.run("eth8:0", "192.0.2.2/32", namespace=other).returncode == 0
    assert place.run("--netns", other.path, "eth8:1", "192.0.2.3/32").returncode == 0
    assert place.text == text
    mine = ["--netns", place.namespace.path, "eth9:1", "192.0.2.4/32"]
    assert place.run(*mine, namespace=other).returncode == 0
    assert place.names == ["eth9:0", "eth9:1"]
    other.close()


@pytest.mark.alone  # a namespace that another test makes may get the inode of the one that is gone
def test_the_folder_of_a_namespace_that_is_gone(place: Place) -> None:
    """The next one that is changed takes it over, whichever processes hide their namespaces."""
    other = Namespace()
    other.raise_lo()
    assert place.run("lo:0", "192.0.2.9/32", namespace=other).returncode == 0
    assert place.names == ["lo:0"]
    place("eth9:0", "192.0.2.1/32")
    assert place.names == ["lo:0"]
    other.close()
    place("eth9:1", "192.0.2.4/32")
    assert place.names == ["eth9:0", "eth9:1"]


def test_a_resident_writes_alone(place: Place):
    """While it lives, commands leave the texts to it."""
    resident = Texts(str(place.folder), place.namespace.inode)
    resident.claim()
    done = place.run("eth9:0", "192.0.2.1/32")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (place.folder / "aliases").exists()
    resident.close()
    assert place("eth9:1", "192.0.2.2/32") == ["eth9:0", "eth9:1"]


def test_what_cannot_be_written_is_a_warning(place: Place):
    """The change is done: the exit status is that of the change. --quiet does not say it."""
    place("eth9:0", "192.0.2.1/32")
    (place.folder / "aliases").unlink()
    (place.folder / "aliases").mkdir()
    done = place.run("eth9:1", "192.0.2.2/32")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "netalias: warning: /run/netalias/net: the texts are out of date: Is a directory\n"
    )
    done = place.run("--quiet", "eth9:1-")
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_refused_is_not_in_the_texts(place: Place):
    """After an error they tell what is there too."""
    place("eth9:0", "192.0.2.1/32")
    lines = "eth9:1 192.0.2.2/32\nnosuch:0 192.0.2.3/32\n"
    assert place.run("batch", "-", input=lines).returncode == 2
    assert place.is_true()
