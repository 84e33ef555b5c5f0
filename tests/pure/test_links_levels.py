"""Levels of the log."""

from __future__ import annotations

import pytest

from netalias import errors
from netalias.links.levels import LEVELS, USUAL, Log, parse


@pytest.mark.parametrize(
    ("words", "levels"),
    [
        ("", "phase"),
        ("+debug", "phase debug"),
        ("+debug,+sync", "phase debug sync"),
        ("-phase", ""),
        ("+physical -phase", "physical"),
        ("debug", "debug"),
        ("Debug sync", "debug sync"),
        ("debug -debug +phase", "phase"),
    ],
)
def test_signs_add_and_take_away(words: str, levels: str) -> None:
    """B-18: a word without a sign replaces all."""
    assert parse(words) == set(levels.split())


@pytest.mark.parametrize("word", ["-warning", "+error", "alert", "-Warning"])
def test_warnings_are_no_level(word: str) -> None:
    """B-18: they cannot be turned off."""
    with pytest.raises(errors.UsageError, match="cannot be turned off"):
        parse(word)


def test_unknown_levels() -> None:
    """B-18: the levels are named."""
    with pytest.raises(errors.UsageError, match=r"--log \+lcp: there is no such level") as error:
        parse("+lcp")
    assert all(level in error.value.hint for level in LEVELS)


def test_lines_and_dumps() -> None:
    """B-18: hex for bytes, sixteen a line; a level that is off costs nothing; a warning comes."""
    lines: list[tuple[str, str]] = []
    log = Log(lambda *line: lines.append(line), "l0", USUAL | {"sync"})
    log.dump("sync", "write", bytes(range(17)))
    log.dump("physical", "write", b"x")
    log.note("debug", "no")
    log.note("phase", "closed -> opening")
    log.warning("so")
    assert lines == [
        ("sync", "l0: write, 17 bytes"),
        ("sync", "l0:  00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"),
        ("sync", "l0:  10"),
        ("phase", "l0: closed -> opening"),
        ("warning", "l0: so"),
    ]


def test_a_link_of_a_bundle_names_its_device_once() -> None:
    """A message of the device begins with its name already, as each line of the link does."""
    lines: list[tuple[str, str]] = []
    for name in ("l0: h:1", "l0"):
        Log(lambda *line: lines.append(line), name).warning("h:1: Connection refused")
    assert lines == [("warning", "l0: h:1: Connection refused")] * 2
