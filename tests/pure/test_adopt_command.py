"""The words of adopt, over a kernel in memory: addresses, labels that are no names, files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.engine import Engine, Setup
from netalias.model import PROTOCOL


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Over a kernel with addresses of others."""
    monkeypatch.setattr("netalias.sources.DEFAULT", str(tmp_path / "netalias.conf"))
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    command = Command(capsys)
    for address, label in (
        ("10.7.0.1/24", "eth0:0"), ("10.6.0.1/32", "eth0:web"), ("10.6.0.2/32", "eth0:007"),
        ("10.6.0.3/32", "eth0"), ("2001:db8:5::1/64", ""), ("2001:db8:5::2/64", ""),
    ):  # fmt: skip
        command.memory.add_address("eth0", address, label=label)
    return command


def ours(run: Command) -> dict[str, str]:
    """Name and address of the labels that are ours."""
    found = Engine(Setup(run.memory)).show()
    return {
        str(alias.name): f"{alias.to_dict()['local']}/{alias.asked}"
        for alias in found
        if alias.ours
    }


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("eth0:5 2001:db8:5::1", {"eth0:5": "2001:db8:5::1/64"}),
        ("eth0:5 2001:db8:5::1/64 eth0:0", {"eth0:0": "10.7.0.1/24", "eth0:5": "2001:db8:5::1/64"}),
        ("eth0:5 10.6.0.3 eth0:6 10.6.0.1",
         {"eth0:5": "10.6.0.3/32", "eth0:6": "10.6.0.1/32"}),
        ("eth0:web", {"eth0:1": "10.6.0.1/32"}),
        ("eth0:web eth0:007", {"eth0:1": "10.6.0.1/32", "eth0:2": "10.6.0.2/32"}),
    ],
)  # fmt: skip
def test_by_address_and_by_odd_label(run: Command, words: str, found: dict[str, str]) -> None:
    """An address gets the name before it; a label that is no name the lowest free slot. Once more,
    nothing is to be done."""
    assert run.split(f"adopt {words}") == ""
    assert ours(run) == found
    if "web" not in words:
        assert run.split(f"-v adopt {words}") == ""
    assert {"label" in line for line in run.split("save").splitlines()} == {True}


def test_an_odd_label_gets_the_declared_name(run: Command, tmp_path: Path) -> None:
    """That of the file of this host with its address; another one there is not free."""
    (tmp_path / "netalias.conf").write_text("eth0:9 10.6.0.1\neth0:1 10.5.0.1\n")
    run.split("adopt eth0:web eth0:007")
    assert ours(run) == {"eth0:2": "10.6.0.2/32", "eth0:9": "10.6.0.1/32"}


def test_by_a_file(run: Command, tmp_path: Path) -> None:
    """All that it declares and others have made, however that is called; another prefix length is
    left alone, with a note. Then the file is true, but for what was not there."""
    file = tmp_path / "netalias.conf"
    file.write_text(
        "defaults kind label -broadcast\neth0:0 10.7.0.1/24\neth0:8 10.6.0.1\n"
        "eth0:9 10.6.0.2/24\neth0:20 2001:db8:5::1/64 deprecated\neth0:30 10.5.0.1\nlo:0 10.4.0.1\n"
    )
    _, err = run.run(["adopt", str(file)], 0)
    assert err == "netalias: warning: eth0:9: not adopted: it is there as 10.6.0.2/32\n"
    assert set(ours(run)) == {"eth0:0", "eth0:8", "eth0:20"}
    out, _ = run.run(["check", str(file)], errors.STATUS_DRIFT)
    assert {line.split()[1] for line in out.splitlines() if line[0] in "+-"} <= {
        "eth0:30", "lo:0", "eth0:9",
    }  # fmt: skip


def test_json_lists_what_was_adopted(run: Command) -> None:
    """Each once, by whatever words."""
    out = run.split("-j adopt eth0:0 eth0:web eth0:5 2001:db8:5::1")
    adopted = [one for one in json.loads(out) if "altname" in one]
    assert sorted(one["altname"] for one in adopted) == ["eth0:0", "eth0:1", "eth0:5"]
    assert {one["after"]["mark"] for one in adopted} == {PROTOCOL}
    assert {one["before"]["mark"] for one in adopted} == {None}


def test_an_address_that_is_ours_has_its_name(run: Command) -> None:
    """Another one is refused."""
    run.split("adopt eth0:5 2001:db8:5::1 eth0:6 10.6.0.3")
    for word, owner in (("2001:db8:5::1", "eth0:5"), ("10.6.0.3", "eth0:6")):
        said = run.refused(f"adopt eth0:8 {word}", errors.STATUS_KERNEL)
        assert said.startswith(f"eth0:8: {word} belongs to {owner} already")
        run.split(f"adopt {owner} {word}")


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        ("eth0:5 2001:db8::9", errors.STATUS_KERNEL, "eth0:5: eth0 has no address 2001:db8::9"),
        ("eth0:5 10.6.0.1/24", errors.STATUS_KERNEL, "eth0:5: eth0 has no address 10.6.0.1/24"),
        ("eth0:0 10.6.0.1", errors.STATUS_KERNEL, "eth0:0: an alias has that name already"),
        ("eth0:5- 10.6.0.1", errors.STATUS_USAGE, "eth0:5-: a name is needed"),
        ("eth7:5 10.6.0.1", errors.STATUS_KERNEL, "eth7"),
        ("eth0:5 10.6.0", errors.STATUS_USAGE, "10.6.0"),
        ("eth0:web eth0:7", errors.STATUS_KERNEL, "eth0:7: there is no such alias"),
        ("./nosuch", errors.STATUS_KERNEL, "./nosuch: No such file"),
    ],
)
def test_what_is_not_there(run: Command, words: str, status: int, text: str) -> None:
    """Nothing is adopted."""
    assert text in run.refused(f"adopt {words}", status)
    assert ours(run) == {}


def test_addresses_of_ipv6_are_made_again_one_by_one(run: Command) -> None:
    """Each comes right behind its removal, unchecked, and gets its usual flags at the end: none
    waits for others, nor for the kernel to look for duplicates."""
    words = "-v adopt eth0:5 2001:db8:5::1 eth0:6 2001:db8:5::2"
    commands = [line.split() for line in run.split(words).splitlines()]
    said = [
        (words[2], words[3].partition("/")[0], "nodad" in words)
        for words in commands
        if words[1] == "addr"
    ]
    one, two = "2001:db8:5::1", "2001:db8:5::2"
    assert said == [
        ("del", one, False), ("add", one, True), ("del", two, False), ("add", two, True),
        ("change", one, False), ("change", two, False),
    ]  # fmt: skip
