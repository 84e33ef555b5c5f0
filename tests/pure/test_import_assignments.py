"""Files of sh(1) that assign texts to variables: literals are read, and nothing else is guessed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias.importers.assignments import variables


def read(text: str) -> tuple[dict[str, list[str]], list[str]]:
    """The texts of all variables, and the notes."""
    notes: list[str] = []
    found = variables(text, "f", lambda place, what: notes.append(f"{place}: {what}"), bool)
    return {name: one.items for name, one in found.items()}, notes


LITERALS = [
    ("A=x", ["x"]),
    ("A=", [""]),
    ("A='x y' # z", ["x y"]),
    ('A="x\\\n y"', ["x y"]),
    ('A="x\ny"', ["x\ny"]),
    ("A=x\"y\"'z'\\ w", ["xyz w"]),
    ('A="5 \\$ \\n"', ["5 $ \\n"]),
    ("A=x#y", ["x#y"]),
    ("A=x; B=y", ["x"]),
    ("B=1 A=x", ["x"]),
    ("export A=x", ["x"]),
    ("A=x\nexport A", ["x"]),
    ("A=x\nA=y", ["y"]),
    ("A=(x 'y z' # w\n\"v\")", ["x", "y z", "v"]),
    ("A=()", []),
    ("A='$x'", ["$x"]),
    ("A=*", ["*"]),
    ("  A=x\r\n", ["x"]),
]
"""Files, and the elements of A."""


@pytest.mark.parametrize(("text", "items"), LITERALS)
def test_literals(text: str, items: list[str]) -> None:
    """Quotes are taken off as sh(1) does it."""
    found, notes = read(text)
    assert (found["A"], notes) == (items, [])


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(("text", "items"), LITERALS)
def test_literals_are_those_of_bash(text: str, items: list[str], tmp_path: Path) -> None:
    """A real shell, which knows the same."""
    path = tmp_path / "file"
    path.write_text(text.replace("\r", ""))
    script = '. "$1" && printf "%s\\0" "${A[@]}"'
    done = subprocess.run(
        ["bash", "-c", script, "bash", path], capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\0")[:-1] == (items or [""])


@pytest.mark.parametrize(
    "value",
    [
        "$x",
        '"$x"',
        "`x`",
        '"`x`"',
        "$(x)",
        "$(x\n y\n)",
        '"${x:-y}"',
        "~/x",
        "($x)",
        "(*)",
        "({a,b})",
    ],
)
def test_what_only_a_shell_knows(value: str) -> None:
    """It is a note, and what was known before is no longer."""
    found, notes = read(f"A=x\nA={value}\nB=y\n")
    assert found == {"B": ["y"]}
    assert notes == ["f:2: A: only a shell knows its value"]


def test_addition() -> None:
    """What it is added to stays."""
    found, notes = read("A=x\nA+=y\n")
    assert found == {"A": ["x"]}
    assert notes == ["f:2: A: += is not read: only a shell knows what it adds to"]


@pytest.mark.parametrize(
    "text",
    [
        ". /etc/rc.subr",
        "if true; then A=x; fi",
        "if true\nthen\n  A=x\nfi",
        "f() {\n  A=x\n}",
        "function f {\n  A=x\n}",
        "f() { A=x; }",
        "case $1 in\n a) A=x ;;\n (b) A=y ;;\nesac",
        "for i in 1 2; do\n if x; then A=$i; fi\ndone",
        "(\nA=x\n)",
        "true && A=x",
        "A=(x)y",
        "A=x true",
        "unset A",
    ],
)
def test_commands(text: str) -> None:
    """They are one note, and so is all that stands in a compound command."""
    found, notes = read(f"{text}\nB=y\n")
    assert found == {"B": ["y"]}
    (note,) = notes
    assert note.startswith("f:1: ")
    assert note.endswith("only a shell knows what it does; it is not read")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("A='x\nB=y", "a quote that is not closed"),
        ('A="x', "a quote that is not closed"),
        ("export A='x", "a quote that is not closed"),
        ("cat <<END\nA=x\nEND\n", "a here document"),
        ("A=(x\nB=y", "an array that is not closed"),
        (";A=x", "a ; without a command"),
        ("B=x;;A=x", "a ;; outside case"),
    ],
)
def test_nothing_below_is_read(text: str, what: str) -> None:
    """A shell would stop there, or only it knows where to go on."""
    assert read(f"C=z\n{text}") == ({"C": ["z"]}, [f"f:2: {what}: nothing below is read"])


def test_places_and_order() -> None:
    """The first place gives the order, the last one the text; indices belong to the name."""
    notes: list[str] = []
    text = "A[1]='x\ny'\nB=1\n#\nA[1]=z\nOTHER=$x\n"
    found = variables(text, "f", lambda *words: notes.append(str(words)), "AB".__contains__)
    assert [(name, one.text, one.place) for name, one in found.items()] == [
        ("A[1]", "z", "f:5"),
        ("B", "1", "f:3"),
    ]
    assert notes == []


@given(st.text(alphabet="A=x'\"\\$`(){}[]#;&|<> \n", max_size=60))
def test_any_text(text: str) -> None:
    """It is read to the end."""
    read(text)
