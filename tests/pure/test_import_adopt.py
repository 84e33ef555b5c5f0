"""import --adopt: the labels that are there as the printed lines have them become ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_cli_memory import Command

from netalias import errors
from netalias.engine import Engine, Setup

INTERFACES = """\
auto eth0:0 eth0:1 eth0:2 eth0:7
iface eth0:0 inet static
    address 10.7.0.1/24
iface eth0:1 inet static
    address 10.7.0.2/24
iface eth0:2 inet static
    address 10.8.0.1/32
iface eth0:7 inet static
    address 10.8.0.7/32
"""
BROADCAST = bytes((10, 7, 0, 255))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    """The command over a kernel with labels of others; eth0:7 is not there."""
    command = Command(capsys)
    for label, address, broadcast in (
        ("eth0:0", "10.7.0.1/24", BROADCAST),
        ("eth0:1", "10.7.0.2/24", BROADCAST),
        ("eth0:2", "10.8.0.1/32", bytes((10, 8, 0, 1))),
        ("eth0", "10.9.0.1/24", b""),
    ):
        command.memory.add_address("eth0", address, label=label, broadcast=broadcast)
    return command


def ours(run: Command) -> list[str]:
    """The names of the labels that are ours."""
    engine = Engine(Setup(run.memory))
    return sorted(str(alias.name) for alias in engine.show() if alias.ours)


def written(folder: Path, text: str = INTERFACES) -> str:
    """The path of a file of ifupdown with *text*."""
    path = folder / "interfaces"
    path.write_text(text)
    return str(path)


def test_only_with_the_option(run: Command, tmp_path: Path) -> None:
    """import alone changes nothing."""
    run.run(["import", written(tmp_path)], 0)
    assert ours(run) == []


def test_what_is_there_is_taken_over(run: Command, tmp_path: Path) -> None:
    """The same is printed as without the option; what is printed is in sync but for the one that is
    not there."""
    path = written(tmp_path)
    plain, _ = run.run(["import", path], 0)
    out, err = run.run(["import", "--adopt", path], 0)
    assert out == plain
    assert err.splitlines()[-1] == "netalias: 3 labels adopted"
    assert ours(run) == ["eth0:0", "eth0:1", "eth0:2"]
    declared = tmp_path / "netalias.conf"
    declared.write_text(out)
    found, _ = run.run(["check", str(declared)], errors.STATUS_DRIFT)
    assert [line.split()[:2] for line in found.splitlines() if line[0] != "="] == [["+", "eth0:7"]]
    assert run("-q", "import", "--adopt", path) == out


@pytest.mark.parametrize("there", ["10.8.0.2/32", "10.8.0.1/24"])
def test_another_address_is_left_alone(run: Command, tmp_path: Path, there: str) -> None:
    """A label with the name of a line, and not its address or length."""
    run.memory.remove_address("eth0", "10.8.0.1/32")
    run.memory.add_address("eth0", there, label="eth0:2")
    _, err = run.run(["import", "--adopt", written(tmp_path)], 0)
    assert f"netalias: warning: eth0:2: not adopted: it is there as {there}\n" in err
    assert err.endswith("netalias: 2 labels adopted\n")
    assert ours(run) == ["eth0:0", "eth0:1"]


def test_labels_that_stand_in_no_file(run: Command) -> None:
    """They are lines too, and so they are adopted."""
    run.run(["import", "--from", "kernel", "--adopt"], 0)
    assert ours(run) == ["eth0:0", "eth0:1", "eth0:2"]


def test_a_comment_adopts_nothing(run: Command, tmp_path: Path) -> None:
    """A stanza that nobody brings up is printed as a comment."""
    text = "".join(INTERFACES.splitlines(keepends=True)[1:])
    out, _ = run.run(["import", "--from", "interfaces", "--adopt", written(tmp_path, text)], 0)
    assert all(line.startswith("#") for line in out.splitlines())
    assert ours(run) == []


def test_a_file_is_all_that_is_printed(run: Command, tmp_path: Path) -> None:
    """Labels of the kernel that stand in no file are printed without one, or by --from kernel."""
    out, _ = run.run(["import", written(tmp_path, INTERFACES.partition("iface eth0:1")[0])], 0)
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["eth0:0"]
    out, _ = run.run(["import", "--from", "kernel"], 0)
    found = {line.split()[0] for line in out.splitlines()[1:]}
    assert found == {"eth0:0", "eth0:1", "eth0:2"}


def test_names_of_this_host_are_not_free(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those in the kernel, ours or not, and those that are declared. With the address that one of
    them has, a label gets its name, so that a second import says the same."""
    declared = tmp_path / "netalias.conf"
    declared.write_text("eth0:3-4 10.6.0.3-4\neth0:6 10.6.0.6\n")
    monkeypatch.setattr("netalias.sources.DEFAULT", str(declared))
    run("eth0:5", "10.6.0.5", "kind", "label")
    web = "auto eth0:web eth0:old eth0:us\n" + "".join(
        f"iface eth0:{name} inet static\n address {address}/32\n"
        for name, address in (("web", "10.6.1.1"), ("old", "10.6.0.4"), ("us", "10.6.0.5"))
    )
    out, _ = run.run(["import", written(tmp_path, web)], 0)
    names = {line.split()[1]: line.split()[0] for line in out.splitlines()[1:]}
    assert names == {
        "10.6.1.1/32": "eth0:7", "10.6.0.4/32": "eth0:4", "10.6.0.5/32": "eth0:5",
    }  # fmt: skip
    declared.write_text(out)
    assert run.run(["import", written(tmp_path, web)], 0)[0] == out
    declared.write_bytes(b"\0 no line\n")
    out, _ = run.run(["import", written(tmp_path, web)], 0)
    assert "eth0:3  10.6.1.1/32" in out


def test_what_no_name_selects_is_adopted_too(run: Command, tmp_path: Path) -> None:
    """A label that is no number, under its new name, and IPv6 addresses: the printed lines are true
    then."""
    run.memory.add_address("eth0", "10.6.0.1/32", label="eth0:web", broadcast=bytes((10, 6, 0, 1)))
    run.memory.add_address("eth0", "2001:db8:5::1/64")
    text = f"{INTERFACES}auto eth0:web eth0:40\niface eth0:web inet static\n address 10.6.0.1/32\n"
    text += "iface eth0:40 inet6 static\n address 2001:db8:5::1/64\n"
    out, err = run.run(["import", "--adopt", written(tmp_path, text)], 0)
    assert err.endswith("netalias: 5 labels adopted\n")
    assert ours(run) == ["eth0:0", "eth0:1", "eth0:2", "eth0:3", "eth0:40"]
    declared = tmp_path / "netalias.conf"
    declared.write_text(out)
    found, _ = run.run(["check", str(declared)], errors.STATUS_DRIFT)
    lines = [line.split()[:2] for line in found.splitlines() if line[0] != "="]
    assert lines == [["+", "eth0:7"]]
