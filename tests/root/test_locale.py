"""Names beyond ASCII, under locales that Python takes for another encoding than UTF-8."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command import command, forget, wait_for_state, without_dad
from shortened import quarter
from support import Namespace, until, veth_pair

MAIN = "é9"
LOCALES = {
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX": {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}
UTF8 = {"LC_ALL": "C.UTF-8"}

READING = (
    "show", f"show {MAIN}", "-br show", "-o show", "-d show", "-j show", "--tree show",
    f"{MAIN}:0", f"{MAIN}:1", f"-j {MAIN}:0", "cat aliases", "cat alias_types", "types",
    "lookup 10.0.0.5", f"-j lookup {MAIN}", "save", f"-j save {MAIN}", "doctor",
    f"-j doctor {MAIN}",
    "check {conf}", "-j check {conf}", "--dry-run reconcile {conf}", "import {interfaces}",
    f"--dry-run announce {MAIN}:0", "--dry-run adopt all", f"--dry-run renew {MAIN}:0",
    f"--dry-run publish 10.0.0.9 dev {MAIN}", f"--dry-run {MAIN}:7 10.0.0.7",
    f"--dry-run {MAIN}:0-", "--dry-run batch {conf}", "emulate {script}", "check {wrong}",
    f"{MAIN}:5 10.0.0.999", f"no{MAIN}:0 10.0.0.5", f"help {MAIN}:0", f"help no{MAIN}", f"no{MAIN}",
    "check /no/{name}.conf", f"-n no{MAIN} show", f"show no{MAIN}", "unpublish 10.0.0.9",
    "adopt {name}:0", "confirm", "rollback",
)  # fmt: skip
"""Commands that change nothing, among them some that fail over such a name."""

CHANGING = (
    f"-v {MAIN}:3 10.0.0.13 kind macvlan", f"-v {MAIN}:4 10.0.0.14 kind label",
    f"{MAIN}:5 2001:db8::5 kind macvlan", f"-v {MAIN}:3 mtu 1400", f"-v {MAIN}:3-",
    f"-q -v publish 10.0.0.9 dev {MAIN}", "-v unpublish 10.0.0.9", f"-v {MAIN}:4-", f"{MAIN}:5-",
    "reconcile {conf}", "reconcile {conf}", "-v batch {conf}", f"announce {MAIN}:0",
)  # fmt: skip


@pytest.fixture
def stage(netns: Namespace) -> Iterator[Namespace]:
    """A main device with such a name, and two aliases."""
    netns.peer = Namespace()
    veth_pair(netns, netns.peer)
    netns.ip("link set eth9 down")
    netns.ip(f"link set eth9 name {MAIN}")
    netns.ip(f"link set {MAIN} up")
    netns.raise_lo()
    without_dad(netns)
    wait_for_state(netns, MAIN, "UP")
    forget(netns)
    for line in (f"{MAIN}:0 10.0.0.5/24 kind macvlan", f"{MAIN}:1 10.0.1.6/24 kind label"):
        assert run(netns, UTF8, line).returncode == 0
    yield netns
    forget(netns)
    netns.peer.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Files with such names in them, and called so."""
    texts = {
        "conf": f"{MAIN}:0 10.0.0.5/24 kind macvlan\n{MAIN}:1 10.0.1.6/24 kind label\n",
        "interfaces": f"auto {MAIN}:0\niface {MAIN}:0 inet static\n address 10.9.0.1/24\n",
        "script": f"device {MAIN} 10.0.0.1/24\n{MAIN}:0 10.0.0.5\nshow\nno{MAIN}\n",
        "wrong": f"{MAIN}:0 10.0.0.999\nno{MAIN}\n",
    }
    folder = tmp_path / MAIN
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {"name": MAIN, **{name: str(folder / name) for name in texts}}


def run(
    namespace: Namespace, locale: dict[str, str], line: str
) -> subprocess.CompletedProcess[bytes]:
    """A command with the environment of a locale, its output as bytes."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith("LC_")}
    with namespace:
        return subprocess.run(
            command(*line.split()), capture_output=True, env={**plain, **locale}, check=False
        )


def outcome(
    namespace: Namespace, locale: dict[str, str], line: str
) -> tuple[int, list[bytes], list[bytes]]:
    """Exit status and lines. Probes take another time in each run."""
    done = run(namespace, locale, line)
    return done.returncode, done.stdout.split(b"\n"), done.stderr.split(b"\n")


@pytest.mark.parametrize("name", quarter(LOCALES))
def test_every_verb_says_the_same(stage: Namespace, files: dict[str, str], name: str) -> None:
    """Statuses and bytes are those of a UTF-8 locale, and nothing is a bug."""
    differing = {}
    for line in READING:
        line = line.format(**files)
        wanted, found = outcome(stage, UTF8, line), outcome(stage, LOCALES[name], line)
        assert 70 not in (wanted[0], found[0]), (line, found)
        if wanted != found:
            differing[line] = wanted, found
    assert differing == {}


def test_every_change_is_made(stage: Namespace, files: dict[str, str]) -> None:
    """Devices are found by the words of the command line, and sysctls by their paths."""
    for line in CHANGING:
        status, _, errors = outcome(stage, LOCALES["C"], line.format(**files))
        assert (status, errors) == (0, [b""]), line
    shown = run(stage, UTF8, "-br show").stdout.decode()
    assert [line.split()[0] for line in shown.splitlines()] == [f"{MAIN}:0", f"{MAIN}:1"]


@pytest.mark.parametrize("verb", ["monitor", "watch {conf}"])
def test_verbs_that_stay(stage: Namespace, files: dict[str, str], verb: str) -> None:
    """They print such a name as an event comes, and end by a signal."""
    words = command(*verb.format(**files).split())
    with stage:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, **LOCALES["C"]},
        )  # fmt: skip
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said = b""

    def heard() -> bool:
        nonlocal said
        said += process.stdout.read() or b""  # type: ignore[union-attr]
        return said.count(f"{MAIN}:0".encode()) > 0

    try:
        if verb != "monitor":
            until(lambda: heard() or b"watching" in said)
            stage.ip(f"link del {MAIN}_0")
        until(heard)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
    assert b"bug" not in said
