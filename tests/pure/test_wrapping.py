"""The help at 80 columns."""

from __future__ import annotations

import re

import pytest

from netalias.cli import help
from netalias.cli.wrapping import WIDTH, wrapped
from netalias.desired.tunnels import CARRIAGES


@pytest.mark.parametrize("verb", ["", *help.VERBS])
def test_a_help_text_is_eighty_columns_wide(verb: str) -> None:
    """No line is longer, and no word is lost."""
    text = help.text(verb)
    assert max(map(len, text.split("\n"))) <= WIDTH
    assert text.split() == (help.VERBS[verb] if verb else help.MAIN).split()
    assert text.endswith("\n")


@pytest.mark.parametrize("verb", ["", *help.VERBS])
def test_each_usage_and_each_exit_status_begins_a_line(verb: str) -> None:
    """None of them is filled into the paragraph of the one before."""
    source = help.VERBS[verb] if verb else help.MAIN
    first = r"^(netalias \[OPTION\]\.\.\.|  \d+ |  NAME )"
    assert re.findall(first, help.text(verb), re.M) == re.findall(first, source, re.M)


def test_a_description_goes_on_in_its_column() -> None:
    """A term, and its description behind two blanks or more; terms without one are paragraphs."""
    text = (
        "Words\n  --all   one two three four\n          five\n  --b     one\n  --c, --d, --e, --f\n"
    )
    assert wrapped(text, 18) == (
        "Words\n  --all   one two\n          three\n          four\n          five\n  --b     one\n"
        "  --c, --d, --e,\n  --f\n"
    )


def test_a_paragraph_is_filled_and_a_blank_line_stays() -> None:
    """Lines of another indentation are no part of it."""
    text = "one two three four\nfive\n\n# six\n  seven\n"
    assert wrapped(text, 12) == "one two\nthree four\nfive\n\n# six\n  seven\n"


def test_what_fits_stays_as_it_is() -> None:
    """Lines are not joined without need."""
    text = "one\ntwo\n  a  b\n"
    assert wrapped(text, 12) == text


def test_a_word_that_is_too_long_stands_alone() -> None:
    """It is not cut."""
    assert wrapped("a bbbbbbbbbb c\n", 5) == "a\nbbbbbbbbbb\nc\n"


@pytest.mark.parametrize("verb", ["vif", "relay"])
def test_the_help_names_every_carriage(verb: str) -> None:
    """All that a line may have."""
    for carriage in CARRIAGES:
        assert re.search(rf"\b{carriage}\b", help.text(verb)), carriage
