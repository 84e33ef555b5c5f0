"""The option --save for aliases that are declared and missing, for words that only a file can
carry, and for adopt; and what a command without it says of a declared alias."""

from __future__ import annotations

import json

import pytest
from test_saving import Host, host  # noqa: F401  the fixture

from netalias import errors

LINE = "defaults mtu 1400\neth0:1-3  10.0.0.1-3/24  kind macvlan metric 7 acd off  # web\n"


@pytest.mark.parametrize(
    ("command", "declared"),
    [
        ("eth0:2 up", "eth0:2 10.0.0.2/24 kind macvlan metric 7 acd off # web"),
        ("eth0:2 down", "eth0:2 10.0.0.2/24 kind macvlan metric 7 acd off down # web"),
        ("eth0:2 10.0.0.9", "eth0:2 10.0.0.9 kind macvlan acd off # web"),
        ("eth0:2 10.0.0.9/24 metric 3", "metric 3 acd off # web"),
        ("eth0:2 kind label", "eth0:2 10.0.0.2/24 kind label metric 7 acd off # web"),
        ("eth0:2 mtu 1300", "mtu 1300"),
        ("eth0:2 heal off", "heal off"),
        ("eth0:1-3 down", "eth0:1-3 10.0.0.1-3/24 kind macvlan metric 7 acd off down # web"),
    ],
)
def test_the_line_of_a_missing_alias_is_its_default(
    host: Host,  # noqa: F811
    command: str,
    declared: str,
) -> None:
    """It is made as if it were there, as declared, and the command followed."""
    host.main.write_text(LINE)
    host(f"--save {command}")
    assert declared in " ".join(host.main.read_text().split())
    rest = 0 if command.startswith("eth0:1-3") else errors.STATUS_NONE
    assert " eth0:2 " not in host("check --hands-off", status=rest)
    assert "eth0:2" in host("show")


def test_only_the_missing_ones_are_made_of_their_line(host: Host) -> None:  # noqa: F811
    """One that is there keeps what it has; the files agree in the end."""
    host.main.write_text(LINE)
    host("eth0:1 10.0.0.1/24 kind label")
    host("--save eth0:1-2 metric 5")
    made = {one["altname"]: one["kind"] for one in json.loads(host("-j show"))}
    assert made == {"eth0:1": "label", "eth0:2": "macvlan"}


def test_a_label_of_others_is_not_made_of_its_line(host: Host) -> None:  # noqa: F811
    """It is refused as ever, and the file stays."""
    host.main.write_text(LINE)
    host.memory.add_address("eth0", "10.0.0.2/24", label="eth0:2")
    said = host("--save eth0:2 down", status=errors.STATUS_KERNEL)
    assert "a label that netalias did not make" in said
    assert host.main.read_text() == LINE


@pytest.mark.parametrize("words", ["heal off", "on-down keep", "announce every 300"])
def test_words_for_files_are_written(host: Host, words: str) -> None:  # noqa: F811
    """The kernel has no place for them; without --save they are refused, with the way."""
    host("eth0:0 10.0.0.1")
    assert "--save writes it" in host(f"eth0:0 {words}", status=errors.STATUS_USAGE)
    host(f"--save eth0:0 {words}")
    assert host.main.read_text().rstrip().endswith(words)
    assert host("check --hands-off") == ""
    host(f"--save eth0:1-2 10.0.0.2-3 {words}")
    assert host.main.read_text().rstrip().endswith(words)
    assert host("check --hands-off") == ""


def test_words_for_files_need_an_alias(host: Host) -> None:  # noqa: F811
    """Neither there nor declared: nothing is written."""
    assert "no such alias" in host("--save eth0:0 heal off", status=errors.STATUS_KERNEL)
    assert host.left == ["netalias.d"]


def test_the_option_announce_every_is_no_word(host: Host) -> None:  # noqa: F811
    """It would be lost."""
    words = ["--announce", "every 5", "--save", "eth0:0", "10.0.0.1"]
    from netalias import cli

    assert cli.main(words, host.engine) == errors.STATUS_USAGE
    assert "announce every SECONDS" in host.capsys.readouterr().err
    assert host("show") == ""


def test_adopted_labels_are_declared(host: Host) -> None:  # noqa: F811
    """Those that no line declares, in ranges behind the lines of their main device."""
    host.main.write_text("defaults metric 4\neth0:1  10.0.0.1/24  metric 7 # mine\n")
    for slot in (1, 5, 6, 9):
        host.memory.add_address("eth0", f"10.0.0.{slot}/24", label=f"eth0:{slot}")
    rehearsed = host("--dry-run --save adopt eth0")
    assert f"{host.main}: + eth0:5-6 10.0.0.5-6/24" in rehearsed
    assert "eth0:9" not in host.main.read_text()
    assert host("--save adopt eth0") == ""
    first, kept, *new = host.main.read_text().splitlines()
    assert (first, kept) == ("defaults metric 4", "eth0:1  10.0.0.1/24  metric 7 # mine")
    assert [line.split()[0] for line in new] == ["eth0:5-6", "eth0:9"]
    left = host("check --hands-off", status=errors.STATUS_NONE).splitlines()
    assert [line.split()[1] for line in left] == ["eth0:1"]


def test_what_cannot_be_adopted_is_not_declared(host: Host) -> None:  # noqa: F811
    """Nothing is written."""
    assert "no such alias" in host("--save adopt eth0:1", status=errors.STATUS_KERNEL)
    assert host.left == ["netalias.d"]


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("eth0:2", "2 declares it: netalias reconcile makes it"),
        ("eth0:2 up", "2 declares it: netalias reconcile makes it"),
        ("eth0:2-", "2 declares it: --save takes it out"),
        ("eth0:4 up", "(an address creates it)"),
        ("eth1:2 up", "(an address creates it)"),
    ],
)
def test_a_missing_alias_that_is_declared_is_told(
    host: Host,  # noqa: F811
    command: str,
    hint: str,
) -> None:
    """With its place, and the command that makes it."""
    host.main.write_text(LINE)
    assert hint in host(command, status=errors.STATUS_KERNEL)


def test_files_with_an_error_give_no_hint(host: Host) -> None:  # noqa: F811
    """Nor do files that cannot be read; the error is the same."""
    host.main.mkdir()
    assert "an address creates it" in host("eth0:2 up", status=errors.STATUS_KERNEL)


def test_the_name_of_a_device_tells_that_of_its_alias(host: Host) -> None:  # noqa: F811
    """A device that is none, and a word like one, do not."""
    host("eth0:1 10.0.0.1 kind macvlan")
    for words in ("eth0_1 down", "eth0_1", "eth0_1-"):
        said = host(words, status=errors.STATUS_USAGE)
        assert "eth0_1 is the device of eth0:1: say eth0:1" in said
    assert "neither a verb nor the name" in host("eth0_2 down", status=errors.STATUS_USAGE)
