"""The option --save, over a kernel in memory and files in a folder of the test."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from signal import SIGTERM

import pytest

from netalias import cli, errors, sources
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.system import replacement


class Host:
    """A kernel in memory with eth0 and eth1, and the files of a host."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.memory = Memory()
        for name in ("lo", "eth0", "eth1"):
            if name != "lo":
                self.memory.add_device(name, up=True)
        self.capsys = capsys
        self.main = folder / "netalias.conf"
        self.folder = folder / "netalias.d"
        self.folder.mkdir()

    def __call__(self, text: str, status: int = 0) -> str:
        """Standard output and standard error of a command."""
        found = cli.main(text.split(), self.engine)
        out, err = self.capsys.readouterr()
        assert found == status, out + err
        return out + err

    def engine(self, options: cli.Options) -> Engine:
        """The engine of a command."""
        return Engine(Setup(self.memory, options.registry, changed=options.changes))

    @property
    def left(self) -> list[str]:
        """The names in the folder of the main file."""
        return sorted(os.listdir(self.main.parent))


@pytest.fixture
def host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Host:
    """A host without files."""
    monkeypatch.setattr(sources, "DEFAULT", str(tmp_path / "netalias.conf"))
    volatile = str(tmp_path / "run")
    monkeypatch.setattr(sources, "FOLDERS", (str(tmp_path / "netalias.d"), volatile))
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    return Host(tmp_path, capsys)


COMMANDS = (
    "eth0:0 10.0.0.1/24 kind macvlan", "eth0:0 down", "eth0:0 up", "eth0:0 mtu 1400",
    "eth0:0 10.0.0.2",
    "eth0:0 hw ether 02:00:00:00:00:05", "eth0:0 prefixlen 24", "eth0:0 kind label",
    "eth0:1-4 10.0.1.1-4/32 kind macvlan", "eth0:2 down", "eth0:3-", "eth0:1-2 mtu 1300",
    "eth1:5 2001:db8::5/64", "eth1:5 metric 7", "eth0:2- eth0:4-", "eth0:7 10.7.0.1 lease 600",
    "eth0:7 lease off", "eth0:1 broadcast 10.0.1.255", "eth0:1 10.0.1.1/24 -broadcast",
)  # fmt: skip


@pytest.mark.parametrize("before", ["", "defaults mtu 1450 down prefixlen 30 kind label\n"])
def test_what_was_done_is_declared(host: Host, before: str) -> None:
    """After each command with --save a check finds no difference."""
    host.main.write_text(before)
    for command in COMMANDS:
        host(f"--save {command}")
        assert host("check --hands-off") == "", (command, host.main.read_text())
    assert host.main.read_text().startswith(before)


def test_json_is_one_list(host: Host) -> None:
    """Of the changes, once, with nothing beside it; of a dry run too."""
    rehearsed = json.loads(host("-j --dry-run --save eth0:0-1 10.0.0.1-2 kind macvlan"))
    done = json.loads(host("-j --save eth0:0-1 10.0.0.1-2 kind macvlan"))
    assert [one.get("altname") for one in done] == [None, "eth0:0", "eth0:1"]
    assert rehearsed == done
    (change,) = json.loads(host("-j --save eth0:0 down"))
    assert change["after"] == {"state": "down"}
    assert json.loads(host("-j --save eth0:1-"))[0]["change"] == "remove"


def test_a_file_keeps_its_mode_and_what_it_links_to(host: Host) -> None:
    """A link stays a link; the file behind it is replaced, with its mode."""
    real = host.folder / "real"
    real.write_text("# mine\n")
    real.chmod(0o640)
    host.main.symlink_to(real)
    host("--save eth0:0 10.0.0.1")
    assert host.main.is_symlink()
    assert real.read_text() == "# mine\neth0:0        10.0.0.1\n"
    assert real.stat().st_mode & 0o7777 == 0o640
    assert os.listdir(host.folder) == ["real"]


def test_a_new_file_can_be_read_by_all(host: Host) -> None:
    """Without a main file there is one afterwards."""
    host("--save eth0:0 10.0.0.1")
    assert host.main.stat().st_mode & 0o7777 == 0o644
    assert host.left == ["netalias.conf", "netalias.d"]


def test_what_the_kernel_refuses_is_not_saved(host: Host) -> None:
    """The files are as before, to the inode."""
    host.main.write_text("eth0:0 10.0.0.1\n")
    before = host.main.stat()
    host("--save nosuch:0 10.0.0.2", status=errors.STATUS_KERNEL)
    after = host.main.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_nlink) == (
        before.st_ino, before.st_mtime_ns, 1,
    )  # fmt: skip
    assert host.left == ["netalias.conf", "netalias.d"]


def test_a_part_that_was_refused_is_told(host: Host) -> None:
    """The others were made, and the file is as before."""
    host("eth0:5 10.0.0.5 kind label")
    said = host("--save eth0:0-1 10.0.0.4-5 kind label", status=errors.STATUS_KERNEL)
    assert f"not saved: {host.main}" in said
    assert host.left == ["netalias.d"]


def test_a_new_file_goes_where_the_kernel_refuses(host: Host) -> None:
    """There was none before."""
    host("--save nosuch:0 10.0.0.2", status=errors.STATUS_KERNEL)
    assert host.left == ["netalias.d"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [("eth0:0 10.0.0.300\n", "1 error"), ("eth0:0 10.0.0.2\n", "1 error")],
)
def test_nothing_is_changed_where_it_cannot_be_declared(host: Host, text: str, reason: str) -> None:
    """Files with an error, and an address that is declared already."""
    host.main.write_text(text)
    assert reason in host("--save eth0:5 10.0.0.2", status=errors.STATUS_USAGE)
    assert host("show") == ""
    assert host.main.read_text() == text


def test_nothing_is_changed_where_the_file_cannot_be_replaced(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is written before the kernel is changed: the file system may be full."""
    host.main.write_text("")

    def full(file: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(replacement.os, "fsync", full)
    said = host("--save eth0:0 10.0.0.1", status=errors.STATUS_KERNEL)
    assert said == f"netalias: {host.main}: it cannot be replaced: No space left on device\n"
    assert host("show") == ""
    assert host.left == ["netalias.conf", "netalias.d"]


def test_a_volatile_file_is_not_changed(host: Host) -> None:
    """A line in a folder of programs or of the vendor is refused, with the way out."""
    volatile = host.main.parent / "run"
    volatile.mkdir()
    (volatile / "1.conf").write_text("eth0:0 10.0.0.1\n")
    said = host("--save eth0:0 10.0.0.2", status=errors.STATUS_KERNEL)
    assert "not a file of the administrator" in said
    assert str(host.folder) in said
    assert host("show") == ""


def test_what_is_declared_but_not_there_can_be_deleted(host: Host) -> None:
    """Its line goes. Without a line there is nothing to delete."""
    host.main.write_text("eth0:0-2 10.0.0.1-3\n")
    host("eth0:2 10.0.0.3")
    assert host("--save eth0:1-") == ""
    assert host("--save eth0:2- eth0:0-") == ""
    assert host.main.read_text() == ""
    assert "no such alias" in host("--save eth0:0-", status=errors.STATUS_KERNEL)


def test_a_dry_run_tells_the_lines(host: Host) -> None:
    """Nothing is written."""
    host.main.write_text("eth0:0 10.0.0.1 # one\n")
    host("eth0:0 10.0.0.1")
    said = host("--dry-run --save eth0:0 down")
    assert said.startswith(
        f"{host.main}: - eth0:0 10.0.0.1 # one\n{host.main}: + eth0:0 10.0.0.1 down # one\n"
    )
    assert host.main.read_text() == "eth0:0 10.0.0.1 # one\n"
    assert host.left == ["netalias.conf", "netalias.d"]


def test_bytes_that_are_no_text_stay(host: Host) -> None:
    """A byte order mark, and a comment in another encoding."""
    host.main.write_bytes(b"\xef\xbb\xbf# \xe4\r\neth0:1 10.0.0.1\r\n")
    host("--save eth0:2 10.0.0.2")
    assert host.main.read_bytes() == (
        b"\xef\xbb\xbf# \xe4\r\neth0:1 10.0.0.1\r\neth0:2 10.0.0.2\r\n"
    )


V6 = "2001:db8::1/64"
"""In the network of the main device."""


@pytest.mark.parametrize(
    ("text", "commands"),
    [
        # a new length gives the usual broadcast address back
        ("eth0:1 10.0.0.1/24 broadcast 10.0.0.200\n", ["netmask 255.255.0.0"]),
        ("eth0:1 10.0.0.1/24 -broadcast\n", ["netmask 255.255.0.0"]),
        ("eth0:1 10.0.0.1/24 -broadcast\n", ["prefixlen 24", "prefixlen 16 -broadcast"]),
        ("eth0:1 10.0.0.1 prefixlen 24 broadcast 10.0.0.9\n", ["prefixlen 24", "prefixlen 31"]),
        ("defaults -broadcast\neth0:1 10.0.0.1/24\n", ["prefixlen 24", "prefixlen 16"]),
        ("defaults -broadcast\neth0:1 10.0.0.1/24 pointopoint 10.1.0.2\n", ["prefixlen 16"]),
        (f"defaults -broadcast\neth0:1 {V6}\n", ["prefixlen 80"]),
        # what a label could not have
        ("defaults mtu 1400\neth0:1 10.0.0.1 kind label\n", ["kind macvlan", "kind ipvlan"]),
        ("defaults mtu 1400\neth0:1 10.0.0.1 kind macvlan\n", ["kind ipvlan", "kind label"]),
        ("defaults mtu 1400 kind label\neth0:1 10.0.0.1\n", ["kind auto", "kind macvlan"]),
        ("defaults linklocal on\neth0:1 10.0.0.1 kind label\n", ["kind macvlan"]),
        ("defaults gateway auto\neth0:1 10.0.0.1/24 kind label\n", ["kind macvlan"]),
        # IPv6 sources
        (f"eth0:1 {V6} kind label\n", ["kind macvlan", "kind label"]),
        (f"eth0:1 {V6} kind label deprecated\n", ["kind label", "kind macvlan"]),
        (f"eth0:1 {V6} kind label deprecated\n", ["prefixlen 128"]),
        (f"eth0:1 {V6} kind label source on\n", ["kind macvlan", "kind label"]),
        (f"eth0:1 {V6} kind macvlan deprecated\n", ["kind ipvlan", "kind label"]),
        (f"eth0:1 {V6} kind macvlan source on\n", ["prefixlen 80", "kind label"]),
        (f"defaults source on\neth0:1 {V6} kind macvlan\n", ["kind label", "kind ipvlan"]),
        (f"defaults deprecated\neth0:1 {V6} kind label\n", ["kind macvlan", "kind label"]),
        (
            "defaults source on\neth0:1 2001:db8::1 kind label deprecated\n",
            ["2001:db8::4/64 kind label"],
        ),
        (f"defaults source on\neth0:1 {V6} kind label\n", ["10.0.0.4/24", "2001:db8::4/64"]),
        (f"defaults deprecated\neth0:1 {V6} kind macvlan\n", ["2001:db8::4/64"]),
    ],
)
def test_what_a_command_resets_is_declared_so(host: Host, text: str, commands: list[str]) -> None:
    """Also where the command does not name it, and defaults would say otherwise."""
    host.memory.add_address("eth0", "2001:db8::fa/64")
    host.main.write_text(text)
    host("reconcile")
    for command in commands:
        assert host("check --hands-off") == "", host.main.read_text()
        host(f"--save eth0:1 {command}")
    assert host("check --hands-off") == "", host.main.read_text()


# Somebody else edits meanwhile -------------------------------------------------------------------

OTHER = "eth1:7 10.0.7.7\n"


def append(host: Host) -> None:
    """Write a line to the end of the main file, as ``echo >>`` does."""
    with host.main.open("a") as file:
        file.write(OTHER)


def during(
    host: Host, monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], ends: BaseException
) -> None:
    """Let *act* happen while the kernel is asked to change something, which *ends* the command."""

    acts = [act]

    def send(steps: object) -> list[None]:
        while acts:
            acts.pop()()
        raise ends

    monkeypatch.setattr(host.memory, "send", send)


STOPPED = KeyboardInterrupt(SIGTERM)
REFUSED = errors.StateError("no")


@pytest.mark.parametrize("before", ["eth0:2 10.0.0.5\n", None])
@pytest.mark.parametrize(
    ("ends", "status"), [(STOPPED, 128 + SIGTERM), (REFUSED, errors.STATUS_KERNEL)]
)
def test_what_somebody_writes_meanwhile_stays(
    host: Host,
    monkeypatch: pytest.MonkeyPatch,
    before: str | None,
    ends: BaseException,
    status: int,
) -> None:
    """Where the command is stopped or refused: the line of the command stays too, and is told.
    Without such a writer the file is as it was."""
    if before is not None:
        host.main.write_text(before)
    during(host, monkeypatch, lambda: append(host), ends)
    said = host("--save eth0:2 10.0.0.77/32", status=status)
    told = f"{host.main} was changed meanwhile: its line of eth0:2 is to be looked at"
    assert f"netalias: {told}\n" in said
    assert "not saved" not in said
    assert [line.split() for line in host.main.read_text().splitlines()] == [
        ["eth0:2", "10.0.0.77/32"], ["eth1:7", "10.0.7.7"],
    ]  # fmt: skip
    assert host.left == ["netalias.conf", "netalias.d"]
    host.main.unlink()
    if before is not None:
        host.main.write_text(before)
    during(host, monkeypatch, lambda: None, ends)
    assert "meanwhile" not in host("--save eth0:2 10.0.0.77/32", status=status)
    assert (host.main.read_text() if host.main.exists() else None) == before


def test_lines_to_be_looked_at_are_named(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """All names of the command; a file that has gone is one that was changed."""
    host.main.write_text("eth0:2-4 10.0.0.2-4\n")
    host("eth0:2-4 10.0.0.2-4")
    during(host, monkeypatch, lambda: append(host), REFUSED)
    said = host("--save eth0:2-3 down", status=errors.STATUS_KERNEL)
    assert "its lines of eth0:2-3 are to be looked at" in said
    host.main.write_text("eth0:2-4 10.0.0.2-4\n")
    during(host, monkeypatch, host.main.unlink, REFUSED)
    said = host("--save eth0:2- eth0:4-", status=errors.STATUS_KERNEL)
    assert "its lines of eth0:2, eth0:4 are to be looked at" in said
    assert not host.main.exists()


@pytest.mark.parametrize("before", ["eth0:2 10.0.0.5\n", None])
@pytest.mark.parametrize("moment", ["_write", "put"])
def test_an_edit_between_reading_and_putting_is_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch, before: str | None, moment: str
) -> None:
    """The command is refused before anything is changed."""
    if before is not None:
        host.main.write_text(before)
    real = getattr(replacement.Replacement, moment)

    def edited(self: replacement.Replacement, *args: object) -> None:
        append(host)
        real(self, *args)

    monkeypatch.setattr(replacement.Replacement, moment, edited)
    said = host("--save eth0:2 10.0.0.77/32", status=errors.STATUS_KERNEL)
    assert said == f"netalias: {host.main}: somebody has changed it meanwhile\n"
    assert host.main.read_text() == (before or "") + OTHER
    assert host("show") == ""
    assert host.left == ["netalias.conf", "netalias.d"]


def test_a_file_made_right_before_putting_is_not_lost(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file takes its name only where there is none."""
    monkeypatch.setattr(replacement, "_now", lambda path, most: None)
    real = replacement.Replacement.put

    def edited(self: replacement.Replacement) -> None:
        append(host)
        real(self)

    monkeypatch.setattr(replacement.Replacement, "put", edited)
    said = host("--save eth0:2 10.0.0.77/32", status=errors.STATUS_KERNEL)
    assert said == f"netalias: {host.main}: File exists\n"
    assert host.main.read_text() == OTHER
