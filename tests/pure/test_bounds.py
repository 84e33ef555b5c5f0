"""Bounds of what is read and told: lists of errors, aliases of a run, bytes of all files."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netalias import cli, desired, errors, sources
from netalias.desired import declarations, ranges
from netalias.desired.lines import PIECE, numbered
from netalias.emulator import script
from netalias.engine import Engine, Setup
from netalias.engine.batch import Batch, parse_commands
from netalias.engine.probing import abort_error
from netalias.families import lazy
from netalias.kernel.memory import Memory
from netalias.model.listing import FIRST, first, rest
from netalias.system.journal import Journal
from netalias.watch.watcher import Watcher

MANY = 1000
"""Wrong lines: some hundred more than are told."""


def memory() -> Memory:
    """lo and eth0, which are up."""
    kernel = Memory()
    kernel.set_device("lo", up=True)
    kernel.add_device("eth0", up=True)
    return kernel


def run(*words: str, kernel: Memory | None = None) -> int:
    """The status of a command over a kernel in memory."""
    kernel = kernel or memory()
    return cli.main(list(words), lambda options: Engine(Setup(kernel, options.registry)))


# Lists of errors ------------------------------------------------------------------------------


def test_the_first_of_a_list() -> None:
    """All of a short list, and one line for the others of a long one."""
    lines = [f"line {number}" for number in range(FIRST)]
    assert list(first(lines)) == lines
    assert list(first([*lines, "a"])) == [*lines, "and 1 more error"]
    assert list(first([*lines, "a", "b"], "alias")) == [*lines, "and 2 more aliases"]
    assert list(first([])) == rest(FIRST) == []


def test_wrong_lines_of_files() -> None:
    """They are counted to the end, and the first are kept."""
    found = declarations.parse([("f", "eth0:0\n" * MANY)], lazy())
    assert (len(found.errors), found.wrong) == (FIRST, MANY)
    with pytest.raises(declarations.DeclarationError) as caught:
        declarations.check(found)
    assert str(caught.value) == f"{MANY} errors; nothing was changed"
    assert caught.value.details == [*found.errors, f"and {MANY - FIRST} more errors"]
    assert found.only("eth0").wrong == MANY


def told(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The lines on standard error."""
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("verb", ["check", "reconcile", "reconcile --dry-run"])
def test_verbs_with_files(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A hundred errors, the number of the others, and the number of all."""
    file = tmp_path / "wrong"
    file.write_text("eth0:x 10.0.0.1\n" * MANY)
    assert run(*verb.split(), str(file)) == errors.STATUS_USAGE
    lines = told(capsys)
    assert len(lines) == FIRST + 2
    assert lines[0].startswith(f"{file}:1:1: eth0:x")
    changing = "; nothing was changed" if verb != "check" else ""
    last = f"netalias: {MANY} errors{changing}"
    assert lines[-2:] == [f"and {MANY - FIRST} more errors", last]


@pytest.mark.parametrize("line", ["eth0:x 10.0.0.1", "no0:0 10.0.0.1", "nosuchverb"])
def test_a_batch_that_goes_on(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors in words, in plans and in verbs; the status is that of the first."""
    file = tmp_path / "batch"
    file.write_text(f"{line}\n" * 300 + "eth0:1 10.0.0.1 kind label\n")
    kernel = memory()
    status = run("--force", "batch", str(file), kernel=kernel)
    assert status in (errors.STATUS_USAGE, errors.STATUS_KERNEL)
    lines = told(capsys)
    assert len(lines) == FIRST + 1
    assert lines[0].startswith(f"netalias: {file}:1: ")
    assert lines[-1] == f"netalias: {file}: and {300 - FIRST} more errors"
    assert [alias.name for alias in Engine(Setup(kernel)).show()] == ["eth0:1"]


def test_warnings_of_a_batch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each alias has an address that another one has already."""
    file = tmp_path / "batch"
    file.write_text("".join(f"eth0:{n} 10.0.0.1 kind macvlan\n" for n in range(151)))
    assert run("batch", str(file)) == 0
    lines = told(capsys)
    assert len(lines) == FIRST + 1
    assert lines[0].startswith(f"netalias: warning: {file}:2: ")
    assert lines[-1] == f"netalias: warning: {file}: and 50 more warnings"
    assert run("-q", "batch", str(file)) == 0
    assert told(capsys) == []


def test_refusals_of_a_reconciliation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Aliases of a main device that is missing."""
    file = tmp_path / "conf"
    file.write_text("".join(f"no0:{n} 10.0.{n // 200}.{n % 200 + 1}\n" for n in range(300)))
    assert run("reconcile", str(file)) == errors.STATUS_KERNEL
    lines = told(capsys)
    assert (len(lines), lines[-1]) == (1, lines[0])
    file.write_text("".join(f"no{n}:0 10.0.{n // 200}.{n % 200 + 1}\n" for n in range(300)))
    assert run("reconcile", str(file)) == errors.STATUS_KERNEL
    lines = told(capsys)
    assert (len(lines), lines[-1]) == (FIRST + 1, "netalias: and 200 more skipped aliases")


def test_notes_of_an_import(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options that are not carried over."""
    file = tmp_path / "interfaces"
    head = "auto eth0:0\niface eth0:0 inet static\n address 10.0.0.1/24\n"
    file.write_text(head + "".join(f" word{number} x\n" for number in range(MANY)))
    assert run("import", str(file)) == 0
    lines = told(capsys)
    assert len(lines) == FIRST + 2
    assert lines[-2] == f"netalias: warning: and {MANY - FIRST} more warnings"
    assert lines[-1] == f"netalias: 1 alias of 1 file (interfaces), {MANY} notes"


@pytest.mark.parametrize("words", [[], ["--check"]])
def test_errors_of_the_emulator(words: list[str]) -> None:
    """A script of wrong lines, executed and compared."""
    err = io.StringIO()
    out = io.StringIO()
    status = script.main([*words, "-"], io.StringIO("nosuch\n" * MANY), out, err)
    assert status == errors.STATUS_USAGE
    lines = err.getvalue().splitlines()
    assert len(lines) == FIRST + 1
    assert lines[-1].startswith(f"<stdin>: and {MANY - FIRST} more ")


def test_a_reload_of_watch(capsys: pytest.CaptureFixture[str]) -> None:
    """The journal gets as few lines."""
    watcher = Watcher.__new__(Watcher)
    watcher.journal = Journal(quiet=False, verbose=False)
    with pytest.raises(declarations.DeclarationError) as caught:
        declarations.check(declarations.parse([("f", "eth0:0\n" * MANY)], lazy()))
    watcher._failed(caught.value)
    assert len(told(capsys)) == FIRST + 2


def test_conflicts_that_abort_a_run() -> None:
    """The addresses of thousands of aliases may be in use."""
    found = [errors.Conflict(f"eth0:{number} is in use") for number in range(MANY)]
    assert len(abort_error(found).details) == FIRST + 1


# Aliases of a run -----------------------------------------------------------------------------


def parse(text: str, most: int) -> declarations.Declarations:
    """The declarations of a file called f."""
    return declarations.parse([("f", text)], lazy(), most=most)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("eth0:0-9 10.0.0.1-10\neth0:10 10.0.0.11\neth0:11 10.0.0.12\n", "f:2:1"),
        ("eth0:0 10.0.0.1\n" + "".join(f"eth0:{n} 10.0.1.{n}\n" for n in range(1, 20)), "f:11:1"),
        ("# a comment\n\neth0:0-10 10.0.0.1-11\nwrong\n", "f:3:1"),
        ("eth0:0 10.0.0.0/24 each\n", "f:1:1"),
    ],
)
def test_too_many_aliases(text: str, place: str) -> None:
    """The line with which the bound is passed is the last that is read, and the only error."""
    found = parse(text, 10)
    assert found.errors == [f"{place}: more than 10 aliases (--max-aliases NUMBER permits more)"]
    assert len(found) <= 10


def test_just_as_many_as_are_permitted() -> None:
    """The last one may be declared in any way, and what follows need not be an alias."""
    plain = "".join(f"eth0:{number} 10.0.0.{number}\n" for number in range(1, 11))
    for text in (plain, plain + "# end\n\ndefaults\n", "eth0:0-9 10.0.0.1-10\n"):
        found = parse(text, 10)
        assert (len(found), found.errors) == (10, [])


def test_it_is_refused_before_it_takes_memory() -> None:
    """A million aliases in a few lines."""
    text = "".join(
        f"m{number}:0-65535 10.{number}.0.0-10.{number}.255.255\n" for number in range(1, 20)
    )
    tracemalloc.start()
    try:
        found = parse(text, 70_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.errors[0].startswith("f:2:1: more than 70000 aliases")
    assert peak < 40 << 20


def test_wrong_lines_count_too() -> None:
    """Ten thousand lines that are expanded in vain would take hours."""
    found = parse("eth0:0 10.0.0.0/16 each\n" * 10_000, declarations.MOST)
    assert found.wrong == 4
    again = parse("eth0:0-65535 10.0.0.0/16+\n" * 10_000, declarations.MOST)
    assert again.wrong <= 8


def test_a_list_is_counted_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of ranges that are too long are refused by their number alone."""
    monkeypatch.delattr(ranges, "_packed")
    word = ",".join(f"10.{number}.0.1-10.{number}.250.250" for number in range(200))
    with pytest.raises(errors.BadAddress, match="more than 65536 addresses"):
        ranges.addresses(word, lazy().get("inet"), 1)


@pytest.mark.parametrize("verb", ["check", "reconcile", "batch"])
def test_the_option(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It permits more and less; nothing is done where there are too many."""
    file = tmp_path / "conf"
    file.write_text("".join(f"eth0:{n} 10.0.0.{n} kind label\n" for n in range(1, 6)))
    kernel = memory()
    assert run(verb, str(file), "--max-aliases", "4", kernel=kernel) != 0
    lines = told(capsys)
    assert f"{file}:5:" in lines[0]
    assert "more than 4 aliases (--max-aliases NUMBER permits more)" in lines[0]
    assert Engine(Setup(kernel)).show() == []
    run(verb, str(file), "--max-aliases=5", kernel=kernel)
    assert told(capsys) == []
    assert run(verb, str(file), "--max-aliases", "0") == errors.STATUS_USAGE
    assert "--max-aliases 0: a number from 1 to" in told(capsys)[0]


def test_verbs_of_a_batch_are_no_aliases() -> None:
    """Only commands for aliases count."""
    text = "show\n" * 20 + "eth0:1\n" * 20 + "eth0:0 10.0.0.1\n" * 3
    assert len(parse_commands(text, lazy(), most=3)) == 43
    with pytest.raises(errors.LimitError, match="f:43: more than 2 aliases"):
        parse_commands(text, lazy(), "f", most=2)


# Bytes ----------------------------------------------------------------------------------------


def test_bytes_of_all_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left by the files before is the bound of the next, and standard input counts."""
    monkeypatch.setattr(sources, "SIZE_MAX", 1 << 20)
    names = []
    for number in range(3):
        names.append(str(tmp_path / f"{number}.conf"))
        Path(names[-1]).write_bytes(b"#" * (400 << 10))
    assert len(sources.read(names[:2])) == 2
    with pytest.raises(errors.StateError, match=r"2\.conf: larger than 1 MiB together with the"):
        sources.read(names)
    with pytest.raises(errors.StateError, match="<stdin>: larger than 1 MiB together with the"):
        sources.read([*names[:2], "-"], io.BytesIO(b"#" * (400 << 10)))
    with pytest.raises(errors.StateError, match=r"<stdin>: larger than 1 MiB$"):
        sources.read(["-"], io.BytesIO(b"#" * (2 << 20)))


class Endless(io.TextIOBase):
    """A script of one line without an end, as /dev/zero is."""

    def readline(self, size: int = -1) -> str:  # type: ignore[override]
        """As much as is wanted; all of it would be all memory."""
        assert 0 <= size <= script.SIZE_MAX + 1
        return "\0" * size

    def __next__(self) -> str:
        raise AssertionError("a whole line is asked for")


@pytest.mark.parametrize("words", [[], ["--check"]])
def test_a_script_without_an_end(words: list[str]) -> None:
    """It is refused after some MiB."""
    err = io.StringIO()
    assert script.main([*words, "-"], Endless(), io.StringIO(), err) == errors.STATUS_USAGE
    assert err.getvalue().endswith("netalias: <stdin>: longer than 16 MiB\n")


# Before the lock ------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["batch", "reconcile"])
def test_words_are_parsed_before_the_lock(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has many lines: others do not wait for a parser."""
    file = tmp_path / "conf"
    lines = ["eth0:1 10.0.0.1 kind label", "eth0:2 10.0.0.2 kind label"]
    file.write_text("\n".join([*lines, *["# a comment that makes it long"] * 10_000]))
    held: list[bool] = []
    engines: list[Engine] = []
    real = desired.parse

    def parsed(*words: object) -> object:
        held.append(engines[-1]._changing)
        return real(*words)  # type: ignore[arg-type]

    def opener(options: cli.Options) -> Engine:
        engines.append(Engine(Setup(kernel, options.registry)))
        return engines[-1]

    kernel = memory()
    monkeypatch.setattr(desired, "parse", parsed)
    assert cli.main([verb, str(file)], opener) == 0
    assert held
    assert not any(held)
    assert len(Engine(Setup(kernel)).show()) == 2


lines = st.text(alphabet="\n\n\n #ab\t\x0b\x1c\x85", max_size=60)


@given(
    st.lists(lines | st.integers(PIECE - 3, PIECE + 3).map(lambda size: "\n" * size), max_size=4)
)
def test_lines_have_their_numbers(parts: list[str]) -> None:
    """Those that have a word, as if the text was split at once."""
    text = "".join(parts)
    whole = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.split()]
    assert list(numbered(text)) == whole


def test_newlines_by_the_megabyte() -> None:
    """They take no memory of their own: one line among them has its number."""
    text = "\n" * (8 << 20) + "a\n" + "\n" * (8 << 20)
    tracemalloc.start()
    try:
        found = list(numbered(text))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == [((8 << 20) + 1, "a")]
    assert peak < 4 << 20


def test_an_error_behind_an_error_is_not_parsed() -> None:
    """Without --force the first error ends a batch: a million lines behind it are only counted."""
    text = "eth0:x 10.0.0.1\n" + "eth0:y 10.0.0.1\n" * 5
    found: Iterable[object] = [one.error for one in parse_commands(text, lazy())]
    assert [error is not None for error in found] == [True] + [False] * 5
    forced = parse_commands(text, lazy(), force=True)
    assert all(one.error is not None for one in forced)


def test_the_session_is_looked_for_once() -> None:
    """A batch that deletes thousands of aliases does not read /proc for each."""
    asked: list[int] = []

    def session() -> bytes:
        asked.append(1)
        return b"\xc0\0\2\1"

    engine = Engine(Setup(memory(), session=session))
    text = "".join(f"eth0:{number} 10.0.0.{number} kind label\n" for number in range(1, 50))
    text += "".join(f"eth0:{number}-\n" for number in range(1, 50))
    batch = Batch(engine, len, print)
    batch.run(parse_commands(text, engine.registry))
    assert (batch.failed, engine.show(), len(asked)) == ([], [], 1)
