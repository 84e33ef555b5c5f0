"""What a terminal gets, and what a pipe gets."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator

import pytest
from command import COMMAND, SECONDS, Command, environment, forget, without_dad
from shortened import quarter
from support import Namespace, veth_pair

LONG = "enx001122334455"
NAMES = ["lo:0", "eth9:0", "eth9:1", f"{LONG}:0", f"{LONG}:65535"]
"""In no special order."""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOR = re.compile(r"\x1b\[[0-9;]*\d*[34]\d(;\d+)*m")
"""SGR with a colour: 30 to 49 (ECMA-48)."""
LINES = "─━"
"""What the rule below the headings may be drawn with."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Command]:
    """Aliases with short and long names, of both families, up and down."""
    here, there = Namespace(), Namespace()
    veth_pair(here, there)
    veth_pair(here, there, LONG, "q9")
    without_dad(here)
    here.raise_lo()
    cli = Command(here)
    cli.silent("lo:0", "127.0.0.2")
    cli.silent("eth9:0", "200.1.1.1/24")
    cli.silent("eth9:1", "200.1.1.2", "down")
    cli.silent("-q", f"{LONG}:0", "2001:db8:1111:2222:3333:4444:5555:6666/64")
    cli.silent("-q", f"{LONG}:65535", "10.9.9.9")
    yield cli
    forget(here)
    here.close()
    there.close()


def on_terminal(
    cli: Command, *words: str, columns: int = 160, **changes: str | None
) -> tuple[int, str]:
    """Run it on a pseudo-terminal of that width -> exit status, all that came to the screen."""
    ours, theirs = os.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        variables: dict[str, str | None] = {
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": None,
            "LINES": None,
            "NO_COLOR": None,
            "FORCE_COLOR": None,
            "COLORTERM": None,
            "TTY_COMPATIBLE": None,
        }
        process = cli.namespace.start(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            env=environment(**{**variables, **changes}),
        )
        os.close(theirs)
        theirs = -1
        shown = _read(ours)
        return process.wait(timeout=SECONDS), shown.replace("\r\n", "\n")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def _read(terminal: int) -> str:
    """Everything until the last writer has gone, which a terminal reports as EIO."""
    pieces = []
    deadline = time.monotonic() + SECONDS
    while select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            piece = os.read(terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            break
        if not piece:
            break
        pieces.append(piece)
    else:
        raise AssertionError("the command did not end")
    return b"".join(pieces).decode()


def plain(text: str) -> str:
    """Without colours and the like."""
    return ESCAPE.sub("", text)


def is_drawn(text: str) -> bool:
    """Whether it is a table with a rule below its headings."""
    return any(line.strip() and not line.strip(LINES + " ") for line in plain(text).splitlines())


def assert_whole(text: str) -> None:
    """Every name and every address is there, uncut."""
    shown = plain(text).split()
    assert [word for word in NAMES if word not in shown] == []
    assert "2001:db8:1111:2222:3333:4444:5555:6666/64" in shown
    assert "…" not in text


def steady(text: str) -> str:
    """Without the counters, which go on: IPv6 has always something to say."""
    text = re.sub(r"(bytes|packets)(\W+)\d+", r"\1\2N", text)
    return re.sub(r" +(\d+|-|RX) +(\d+|-|TX)$", "", text, flags=re.MULTILINE)


def test_a_terminal_gets_a_drawn_table_in_colours(stage: Command) -> None:
    """A rule below bold headings, states in colours, nothing cut, no line over the width."""
    status, shown = on_terminal(stage)
    assert status == 0
    assert is_drawn(shown)
    assert COLOR.search(shown)
    assert "\x1b[1m" in shown
    assert_whole(shown)
    assert max(map(len, plain(shown).splitlines())) <= 160
    assert "ALIAS" in plain(shown)


def test_no_color(stage: Command) -> None:
    """NO_COLOR: the table is drawn without any escape; an empty NO_COLOR says nothing."""
    _, shown = on_terminal(stage, NO_COLOR="1")
    assert is_drawn(shown)
    assert "\x1b" not in shown
    assert_whole(shown)
    _, shown = on_terminal(stage, NO_COLOR="")
    assert COLOR.search(shown)


@pytest.mark.parametrize("words", [("--color=never",), ("-c=never", "show")])
def test_color_never(stage: Command, words: tuple[str, ...]) -> None:
    """--color=never is NO_COLOR."""
    _, shown = on_terminal(stage, *words)
    assert is_drawn(shown)
    assert "\x1b" not in shown
    assert_whole(shown)


def test_color_always_overrides_no_color(stage: Command) -> None:
    """The option is nearer than the environment."""
    for word in ("--color=always", "--color", "-c"):
        _, shown = on_terminal(stage, word, NO_COLOR="1")
        assert COLOR.search(shown)


@pytest.mark.parametrize("term", ["dumb", None])
def test_dumb_terminal(stage: Command, term: str | None) -> None:
    """A terminal that can do nothing gets the text that a pipe gets."""
    status, shown = on_terminal(stage, TERM=term)
    assert status == 0
    assert "\x1b" not in shown
    assert steady(shown) == steady(stage())


@pytest.mark.parametrize("way", ["COLUMNS", "window"])
def test_narrow_terminal(stage: Command, way: str) -> None:
    """Too narrow for any table: plain text of the columns that matter, since nothing is cut."""
    if way == "COLUMNS":
        status, shown = on_terminal(stage, COLUMNS="40")
    else:
        status, shown = on_terminal(stage, columns=40)
    assert status == 0
    assert not is_drawn(shown)
    assert "\x1b" not in shown
    assert shown.split("\n")[0].split() == ["ALIAS", "ADDRESS", "STATE"]
    assert "not shown: DEVICE, KIND, MAC, RX, TX (netalias -d show)\n" in shown
    assert_whole(shown)


@pytest.mark.parametrize("columns", quarter(range(60, 140, 7)))
def test_no_width_cuts(stage: Command, columns: int) -> None:
    """At every width: drawn or plain, and whole."""
    _, shown = on_terminal(stage, columns=columns)
    assert_whole(shown)
    if is_drawn(shown):
        assert max(map(len, plain(shown).splitlines())) <= columns


GONE = ("MAC", "RX", "TX", "KIND", "DEVICE")
"""Columns in the order in which they go."""
WIDTHS = ((160, 0), (114, 1), (100, 3), (89, 4), (74, 5))
"""Width, and how many columns are gone; the names and addresses here are long."""


@pytest.mark.parametrize(("columns", "gone"), WIDTHS)
@pytest.mark.parametrize("term", ["xterm", "dumb"])
@pytest.mark.parametrize("way", ["COLUMNS", "window"])
def test_columns_are_dropped_before_a_line_wraps(
    stage: Command, columns: int, gone: int, term: str, way: str
) -> None:
    """The MAC first, then the counters; a line names them, and -d tells them."""
    if way == "COLUMNS":
        status, shown = on_terminal(stage, TERM=term, COLUMNS=str(columns))
    else:
        status, shown = on_terminal(stage, TERM=term, columns=columns)
    assert status == 0
    assert max(map(len, plain(shown).splitlines())) <= columns
    names = ["ALIAS", "DEVICE", "KIND", "ADDRESS", "STATE", "MAC", "RX", "TX"]
    head = next(line for line in plain(shown).splitlines() if line.strip())
    assert head.split() == [name for name in names if name not in GONE[:gone]]
    told = ", ".join(name for name in names if name in GONE[:gone])
    assert (f"not shown: {told} (netalias -d show)\n" in shown) == bool(gone)
    assert_whole(shown)


def test_eighty_columns(usual: Command) -> None:
    """The usual terminal shows names, addresses, states and counters of usual aliases."""
    for shown in (on_terminal(usual, columns=80)[1], on_terminal(usual, COLUMNS="80")[1]):
        assert is_drawn(shown)
        assert max(map(len, plain(shown).splitlines())) <= 80
        assert plain(shown).split()[:5] == ["ALIAS", "DEVICE", "KIND", "ADDRESS", "STATE"]
        assert "dum9:10" in shown
        assert "192.168.100.100/24" in shown


@pytest.fixture
def usual(bare: Command) -> Command:
    """Two aliases as many hosts have them."""
    bare.namespace.ip("link add dum9 type veth peer name q9")
    bare.namespace.ip("link set dum9 up")
    bare.silent("dum9:10", "192.168.100.100/24", "kind", "macvlan")
    bare.silent("dum9:11", "192.168.100.101", "kind", "label")
    return bare


def test_brief_rows_in_colours_on_demand(stage: Command) -> None:
    """-br has colours with --color=always only, in a pipe too, and the same text."""
    words = ("-br", "-c=always")
    piped = stage.namespace.run(["env", "NO_COLOR=1", *COMMAND, *words]).stdout
    assert "\x1b[32mup\x1b[0m" in piped
    assert "\x1b[31mdown\x1b[0m" in piped
    assert plain(piped) == stage("-br")
    assert on_terminal(stage, *words)[1] == piped
    assert "\x1b" not in on_terminal(stage, "-br")[1]


def test_other_views_on_a_terminal(stage: Command) -> None:
    """JSON, brief, one-line and tree views are the same on a terminal as in a pipe."""
    for words in (("-j",), ("-br",), ("-o",), ("--tree",), ("eth9:0",), ("lookup", "200.1.1.1")):
        status, shown = on_terminal(stage, *words)
        piped = stage.namespace.run(["env", "LC_ALL=C.UTF-8", *COMMAND, *words]).stdout
        assert (status, steady(shown)) == (0, steady(piped))


def test_types_on_a_terminal(stage: Command) -> None:
    """The table of types is drawn too."""
    _, shown = on_terminal(stage, "types")
    assert is_drawn(shown)
    assert "ipv6" in plain(shown)


def test_nothing_to_show(bare: Command) -> None:
    """Without aliases there is no table, on a terminal neither."""
    assert on_terminal(bare) == (0, "")
    assert bare() == ""


def test_an_error_on_a_terminal(stage: Command) -> None:
    """One line, without colours."""
    assert on_terminal(stage, "eth9:5")[1].startswith("netalias: eth9:5: ")
    assert on_terminal(stage, "eth9:5")[1].count("\n") == 1


def test_a_probe_shows_that_it_goes_on(stage: Command) -> None:
    """On a terminal, in one line that is removed at the end; nothing with -q, nothing in a pipe."""
    words = ("eth9:5", "10.0.0.55", "acd", "fast")
    status, text = on_terminal(stage, *words)
    stage.silent("eth9:5-")
    assert status == 0
    assert text.startswith("\rnetalias: probing for 1 address: 0 s\x1b[K")
    assert text.endswith("\r\x1b[K")
    assert on_terminal(stage, "-q", *words) == (0, "")
    stage.silent("eth9:5-")
    stage.silent(*words)
    stage.silent("eth9:5-")


def test_help_on_a_terminal(stage: Command) -> None:
    """The help is the same everywhere, and is not drawn."""
    status, shown = on_terminal(stage, "help", columns=80)
    assert (status, shown) == (0, stage("help"))


# A pipe


def test_a_pipe_gets_aligned_columns(stage: Command) -> None:
    """Every column begins at the same place in every line, no blanks end a line, no colours."""
    text = stage()
    assert "\x1b" not in text
    assert_whole(text)
    head, *rows = text.splitlines()
    assert len(rows) == len(NAMES)
    places = [match.start() for match in re.finditer(r"\S+", head)]
    for row in rows:
        assert [match.start() for match in re.finditer(r"\S+", row)] == places
        assert row == row.rstrip()
    assert head.split() == ["ALIAS", "DEVICE", "KIND", "ADDRESS", "STATE", "MAC", "RX", "TX"]


def test_a_pipe_with_colours_on_demand(stage: Command) -> None:
    """--color=always draws into a pipe as well, when there is room."""
    done = stage.namespace.run(
        ["env", "TERM=xterm-256color", "COLUMNS=160", *COMMAND, "--color=always"]
    )
    assert COLOR.search(done.stdout)
    assert_whole(done.stdout)


def test_a_pipe_is_not_told_about_the_terminal(stage: Command) -> None:
    """Neither width nor kind of the terminal matter to a pipe."""
    done = stage.namespace.run(["env", "TERM=xterm-256color", "COLUMNS=20", *COMMAND])
    assert steady(done.stdout) == steady(stage())


# Many


@pytest.fixture
def crowded(bare: Command) -> Command:
    """1001 labels on lo, made by ip(8) in one batch."""
    lines = (
        f"addr add 127.1.{number >> 8}.{number & 255}/32 dev lo label lo:{number}\n"
        for number in range(1001)
    )
    bare.namespace.run(["ip", "-batch", "-"], input="".join(lines))
    return bare


def test_many_rows_are_plain_on_a_terminal(crowded: Command) -> None:
    """More than a thousand rows are not drawn, and all are there."""
    status, shown = on_terminal(crowded)
    assert status == 0
    assert "\x1b" not in shown
    assert shown == crowded()
    rows = shown.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [f"lo:{number}" for number in range(1001)]
    crowded.namespace.ip("addr del 127.1.0.7/32 dev lo")
    assert is_drawn(on_terminal(crowded)[1])
