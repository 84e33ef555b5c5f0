"""``netalias emulate`` as users start it: no kernel, no privilege, no namespace is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command import Command, command, picture

SCRIPT = """\
device eth0 192.168.1.1 up
eth0:0 200.1.1.1 up     # a comment
eth0:2 200.1.1.2
cat aliases
"""
ANSWER = [
    "device           family address",
    "eth0:0           2      200.1.1.1",
    "eth0:2           2      200.1.1.2",
]

UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


@pytest.mark.parametrize("words", [(), ("-",), ("--variant", "0.50"), ("--variant=0.43", "-")])
def test_from_standard_input(bare: Command, words: tuple[str, ...]) -> None:
    """Without a file, and with "-", the script comes from standard input."""
    done = bare.run("emulate", *words, input=SCRIPT)
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(done.stdout) == ANSWER


def test_from_a_file(bare: Command, tmp_path: Path) -> None:
    """A script in a file; the kernel hears nothing of it."""
    path = tmp_path / "script"
    path.write_text(SCRIPT)
    before = picture(bare.namespace)
    assert lines(bare("emulate", str(path))) == ANSWER
    assert picture(bare.namespace) == before


def test_without_privilege(bare: Command) -> None:
    """Nothing is asked of the kernel, so nobody has to be anybody."""
    if bare.namespace.run([*UNPRIVILEGED, "true"], check=False).returncode:
        pytest.skip("privileges cannot be dropped here by setpriv(1)")
    done = bare.namespace.run([*UNPRIVILEGED, *command("emulate")], input=SCRIPT)
    assert lines(done.stdout) == ANSWER


def test_errors_stand_beside_their_line(bare: Command) -> None:
    """An error names the line and the errno of history, and the script goes on."""
    script = "device eth0 192.168.1.1 up\neth0:7-\neth0:0 200.1.1.1\nlookup 200.1.1.1\nwhat\n"
    done = bare.run("emulate", input=script)
    assert done.returncode == 1
    first, second = done.stderr.splitlines()
    assert first.startswith("<stdin>:2: ")
    assert first.endswith("[ENODEV]")
    assert second.startswith("<stdin>:5: ")


def test_check(bare: Command, tmp_path: Path) -> None:
    """--check compares with the answers that the script states: 0 when all are right, else 1."""
    path = tmp_path / "script"
    path.write_text(
        "device eth0 1.1.1.1 up\neth0:7-\n! ENODEV\nhash 200.1.1.1\n> 200.1.1.1 bucket 7 of 16\n"
    )
    done = bare.run("emulate", "--check", str(path))
    assert (done.returncode, done.stderr) == (0, "")
    path.write_text(path.read_text().replace("bucket 7", "bucket 8"))
    done = bare.run("emulate", "--check", str(path))
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:4: ")


@pytest.mark.parametrize(
    "words", [("--what",), ("--variant", "0.60"), ("--variant",), ("a", "b"), ("/nowhere/at/all",)]
)
def test_wrong_words(bare: Command, words: tuple[str, ...]) -> None:
    """One line, status 1."""
    bare.fails(1, "emulate", *words)


def test_bytes_that_are_no_text(bare: Command) -> None:
    """A byte that is not UTF-8 is an error of its line, no traceback."""
    done = bare.namespace.run(
        ["sh", "-c", 'printf "device eth0 up\\neth0:0 \\377\\n" | "$@"', "sh", *command("emulate")],
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("<stdin>:2: ")
    assert done.stderr.count("\n") == 1


def test_closed_standard_input(bare: Command) -> None:
    """Without any input there is one line that says so."""
    done = subprocess.run(
        ["sh", "-c", '"$@" <&-', "sh", *command("emulate")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "netalias: standard input or output is closed\n"
