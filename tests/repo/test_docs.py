"""The documents agree with the tables in the code."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import netalias
from netalias import cli, desired, doctor, errors, kinds, sources
from netalias.cli import help
from netalias.cli.flags import FLAGS, SPECIAL, TAKING
from netalias.desired.defaults import DEFAULT_WORDS
from netalias.importers import FORMATS

REPO = Path(__file__).parents[2]
MAN = REPO / "docs" / "netalias.8"
PAGES = (MAN, REPO / "docs" / "netalias.conf.5", REPO / "docs" / "netalias.7")
INTERRUPTED = 130

OPTIONS = sorted({*FLAGS, *TAKING, "-c"})
WORDS = sorted(desired.WORDS)
VERBS = sorted(cli.VERBS)
STATUSES = sorted(
    {value for name, value in vars(errors).items() if name.startswith("STATUS_")} | {INTERRUPTED}
)


def mentions(text: str, word: str) -> bool:
    """Whether *word* stands in *text* for itself, not as part of a longer one."""
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


def man(page: Path = MAN) -> str:
    """The text of a manual page without its markup."""
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"\\f(?:\[\w*\]|\(\w\w|.)", "", text)
    return text.replace("\\-", "-").replace("\\(hy", "-").replace("\\(bu", "").replace("\\&", "")


def rendered(page: Path = MAN) -> list[str]:
    """The command that renders a page and complains, or none."""
    if shutil.which("man"):
        return ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", str(page)]
    if shutil.which("groff"):
        return ["groff", "-man", "-ww", "-Tutf8", "-Z", str(page)]
    return []


@pytest.mark.parametrize("option", OPTIONS)
def test_help_lists_every_option(option: str) -> None:
    """No option is secret."""
    assert mentions(help.MAIN, option)


@pytest.mark.parametrize("word", WORDS)
def test_help_lists_every_word(word: str) -> None:
    """No word of a wish is secret."""
    assert mentions(help.MAIN, word)


@pytest.mark.parametrize("kind", [kinds.AUTO, *kinds.KINDS])
def test_help_lists_every_kind(kind: str) -> None:
    """No kind is secret."""
    assert mentions(help.MAIN, kind)


@pytest.mark.parametrize("verb", VERBS)
def test_help_lists_every_verb(verb: str) -> None:
    """Every verb stands in the text, and has one of its own."""
    assert mentions(help.MAIN, verb)
    assert mentions(help.text(verb), verb)


@pytest.mark.parametrize("status", STATUSES)
def test_help_lists_every_exit_status(status: int) -> None:
    """Every number that the command can end with stands under "Exit status"."""
    listed = help.MAIN.partition("Exit status")[2]
    assert re.search(rf"^  {status} ", listed, re.MULTILINE)


TWINS = {
    "--brief": "-br", "--details": "-d", "--json": "-j", "--oneline": "-o", "--pretty": "-p",
    "--timestamps": "-t",
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb_lists_the_options_that_it_takes(verb: str) -> None:
    """Those that do not belong to every verb are refused unless they are listed."""
    text = re.sub(r'"[a-z].*?"', "", help.text(verb))  # without commands that are quoted
    listed = {option for option in SPECIAL if mentions(text, TWINS.get(option, option))}
    assert listed == {option for option, verbs in SPECIAL.items() if verb in verbs}


def test_help_lists_nothing_that_is_not_there() -> None:
    """Every option in the text exists."""
    listed = help.MAIN.partition("Options,")[2].partition("Exit status")[0]
    named = re.findall(r"(?<![\w-])--?[a-zA-Z46][\w-]*", listed)
    assert set(named) <= {*OPTIONS, "--color"}


def test_help_names_the_usual_mark() -> None:
    """The default of --group is the number in the code."""
    from netalias.model import GROUP

    assert f"(default {GROUP})" in help.MAIN


def test_help_names_every_kind() -> None:
    """In the line of the word."""
    line = help.MAIN.partition("  kind KIND ")[2].partition("acd off")[0]
    assert re.findall(r"[\w-]+", line.replace("(default)", "")) == [kinds.AUTO, *kinds.KINDS]


def test_help_fits_a_terminal() -> None:
    """No line of a help text is over 100 columns, and none ends in a blank."""
    for text in (help.MAIN, *help.VERBS.values()):
        for line in text.splitlines():
            assert len(line) <= 100
            assert line == line.rstrip()


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_function(verb: str) -> None:
    """The table of verbs names functions that exist."""
    module, _, name = cli.VERBS[verb].rpartition(".")
    assert callable(getattr(importlib.import_module(f"netalias.{module}"), name))


@pytest.mark.parametrize("word", [*OPTIONS, *WORDS, *VERBS, *kinds.KINDS])
def test_the_manual_mentions_every_word(word: str) -> None:
    """Options, words, verbs and kinds are all in netalias(8)."""
    assert mentions(man(), word)


@pytest.mark.parametrize("name", FORMATS)
def test_the_formats_of_import_are_listed(name: str) -> None:
    """In the help of the verb, and in the manual."""
    assert re.search(rf"^  (\S+, )*{re.escape(name)}[ ,\n]", help.text("import"), re.MULTILINE)
    assert mentions(man().partition(".SH IMPORT")[2].partition(".SH ")[0], name)


@pytest.mark.parametrize("check", doctor.CHECKS)
def test_the_manual_lists_every_check(check: str) -> None:
    """netalias(8) lists every check of the doctor with its level."""
    assert re.search(rf"^\.BR {check} \" \(\" (error|warning|hint) \)$", man(), re.MULTILINE)


@pytest.mark.parametrize("word", [*DEFAULT_WORDS, "each", *sources.FOLDERS])
def test_the_file_manual_mentions_every_word(word: str) -> None:
    """netalias.conf(5) has every word of a file, and every folder."""
    assert mentions(man(PAGES[1]), word)


@pytest.mark.parametrize("status", STATUSES)
def test_the_manual_lists_every_exit_status(status: int) -> None:
    """Every number stands under EXIT STATUS."""
    listed = re.split(r"^\.SH ", man().partition("EXIT STATUS")[2], flags=re.MULTILINE)[0]
    assert mentions(listed, str(status))


def test_every_schema_is_named() -> None:
    """Where the forms of JSON are described, and no other."""
    text = (REPO / "docs" / "formats.md").read_text().partition("share/netalias/schema`:")[2]
    named = set(re.findall(r"`(\w+)`", text.partition("\n\n")[0]))
    assert named == {path.stem for path in (REPO / "netalias" / "schema").glob("*.json")}


@pytest.mark.skipif(not rendered(), reason="neither man nor groff is installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_the_manual_renders_without_warnings(page: Path) -> None:
    """roff finds nothing to complain about."""
    page.read_text(encoding="utf-8")
    done = subprocess.run(rendered(page), capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stderr == ""


def test_targets_in_the_readme_exist() -> None:
    """Every ``make TARGET`` of the README stands in the Makefile."""
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    # In code only: prose may make something else.
    code = "\n".join(re.findall(r"```.*?```|`[^`\n]+`|^    .+$", readme, re.DOTALL | re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", code)) <= targets


def test_every_target_is_explained() -> None:
    """The comment at the top of the Makefile has a line for each target that people call."""
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE)
    assert phony
    explained = set(re.findall(r"^# make ([\w-]+)", makefile, re.MULTILINE))
    assert explained <= set(phony[1].split())
    assert set(phony[1].split()) - explained <= {"test-pythons"}


def test_the_changes_begin_with_this_version() -> None:
    """The newest heading with a date in CHANGES.md is the version of the package: one without is
    not out yet."""
    changes = (REPO / "CHANGES.md").read_text(encoding="utf-8")
    found = re.search(r"^#+ .*?(\d+\.\d+\.\d+) \(\d+-\d+-\d+\)", changes, re.MULTILINE)
    assert found
    assert found[1] == netalias.__version__


def test_the_package_of_debian_is_of_this_version() -> None:
    """Its newest entry is for the version in the code."""
    changelog = (REPO / "tools" / "debian" / "changelog").read_text(encoding="utf-8")
    assert changelog.startswith(f"netalias ({netalias.__version__}-")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_of_this_version(page: Path) -> None:
    """Its last line names the version that it describes."""
    heading = page.read_text(encoding="utf-8").partition("\n")[0]
    assert f'"netalias {netalias.__version__}"' in heading


@pytest.mark.parametrize("page", sorted((REPO / "docs").glob("*.md")), ids=lambda page: page.name)
def test_no_build_of_a_machine_is_named(page: Path) -> None:
    """Kernels have the version that everybody has, not the one of whoever built them here."""
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"Linux [\d.]+-\S+", text) == []
