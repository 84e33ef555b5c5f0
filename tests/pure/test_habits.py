"""What newcomers type, with the habits of ifconfig(8) and ip(8): each gets the words to say."""

from __future__ import annotations

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.desired import WORDS
from netalias.desired.hints import MEANT as WORD_MEANT

USAGE, REFUSED = errors.STATUS_USAGE, errors.STATUS_KERNEL


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """With one alias."""
    found = Command(capsys)
    found.split("eth0:0 10.0.0.1 kind macvlan")
    return found


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("up eth0:0", "did you mean netalias NAME up?"),
        ("down eth0:0", "did you mean netalias NAME down?"),
        ("remove eth0:0", "did you mean netalias NAME-?"),
        ("reload", "did you mean reconcile?"),
        ("stop", "did you mean netalias reconcile --allow-empty /dev/null?"),
        ("addr show", "did you mean netalias NAME ADDRESS, or show?"),
        ("version", "did you mean netalias --version?"),
        ("-a", "netalias show"),
        ("--permanent eth0:0 down", "did you mean --save?"),
        ("eth0:0 del", "(netalias eth0:0-)"),
        ("eth0:0 add 10.0.0.2", "(netalias eth0:0 ADDRESS)"),
        ("eth0:0 promisc", "(ip link set eth0_0 promisc on)"),
        ("eth0:0 -promisc", "(ip link set eth0_0 promisc off)"),
        ("eth0:0 txqueuelen 100", "(ip link set eth0_0 txqueuelen N)"),
        ("eth0:0 -n blue", "options stand before the name"),
        ("eth0:0 10.0.0.1 255.255.255.0", "(netmask 255.255.255.0)"),
        ("eth0:0 10.0.0.1 10.0.0.2", "(use another slot)"),
        ("eth0:0 10.0.0.1 255.0.255.0", "(use another slot)"),
        ("eth0:0 10.0.0.1 brd 10.0.0.255", "(broadcast ADDRESS)"),
        ("eth0:0 netmsk 255.255.255.0", "(did you mean netmask?)"),
        ("eth0:1,3 10.0.0.1-2", "(a range is eth0:1-50)"),
        ("eth0:* down", "(a range is eth0:1-50)"),
    ],
)
def test_words_of_others(run: Command, text: str, hint: str) -> None:
    """Nothing is changed."""
    before = run.split("-j show")
    assert hint in run.refused(text, USAGE)
    assert run.split("-j show") == before


def test_no_hint_hides_a_word() -> None:
    """A word of the grammar needs none."""
    assert not set(WORD_MEANT) & set(WORDS)


def test_an_address_in_place_of_a_device(run: Command) -> None:
    """lookup finds its alias."""
    assert "(netalias lookup 10.0.0.1)" in run.refused("show 10.0.0.1", REFUSED)
    assert run.refused("show eth0.100", REFUSED).endswith("there is no such device")


def test_missing_aliases_in_a_row_are_one_line(run: Command) -> None:
    """And no more lines than can be read; the others are counted."""
    run.split("eth0:5 10.0.0.5 kind label")
    out, err = run.run(["eth0:1-9-"], REFUSED)
    assert (out, err.splitlines()) == (
        "",
        [
            "netalias: eth0:1-4: there are no such aliases",
            "netalias: eth0:6-9: there are no such aliases",
        ],
    )
    out, err = run.run(["eth0:1000-4999", "down"], REFUSED)
    assert err.splitlines() == [
        "netalias: eth0:1000-1099: there are no such aliases (an address creates it)",
        "netalias: and 3900 more errors",
    ]
    out, err = run.run(["eth0:1-", "eth1:2-", "eth0:2-"], REFUSED)
    assert len(err.splitlines()) == 3
