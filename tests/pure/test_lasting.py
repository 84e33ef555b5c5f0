"""Whether what a command has made will last, over a kernel in memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from netalias import cli, errors, sources
from netalias.cli import lasting
from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.runtime.instance import Running


class Host:
    """A kernel in memory with eth0, one file of declarations, and folders of cron and systemd."""

    def __init__(self, root: Path) -> None:
        self.memory = Memory()
        self.memory.add_device("eth0", up=True)
        self.root = root
        self.declared = root / "netalias.conf"
        self.declared.write_text("eth0:0-1 10.0.0.1-2/32 kind macvlan\n")
        for folder in ("etc/cron.d", "etc/systemd/system/timers.target.wants"):
            (root / folder).mkdir(parents=True)

    def options(self) -> cli.Options:
        """Options whose engine is that of the kernel in memory."""
        return cli.Options(lambda options: Engine(Setup(self.memory, options.registry)))

    def run(self, text: str) -> None:
        """Execute a command."""
        assert cli.run(text.split(), self.options()) == 0

    def sentence(self, text: str, **options: str) -> str:
        """What is said of a command, after it."""
        found = self.options()
        for name, value in options.items():
            setattr(found, name, value)
        return lasting.sentence(found, text.split(), str(self.root))

    def cron(self, line: str) -> None:
        """Give cron this job."""
        (self.root / "etc/cron.d/netalias").write_text(f"# comment\n{line}\n")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with two declared aliases, which are there."""
    monkeypatch.setattr(sources, "DEFAULT", str(tmp_path / "netalias.conf"))
    monkeypatch.setattr(sources, "FOLDERS", ())
    monkeypatch.setattr("netalias.trust.careful", lambda: False)
    found = Host(tmp_path)
    found.run("eth0:0-1 10.0.0.1-2/32 kind macvlan")
    return found


JOB = "*/5 * * * * root netalias --wait 60 reconcile"


def test_nobody_takes_it_away(host: Host) -> None:
    """Without a watcher, a job or a timer nothing is said."""
    host.run("eth0:5 10.0.0.5")
    assert host.sentence("eth0:5 10.0.0.5") == ""
    host.cron(f"#{JOB}\n*/5 * * * * root netalias check")
    assert host.sentence("eth0:5 10.0.0.5") == ""


def test_a_cron_job_takes_it_away(host: Host) -> None:
    """The line names the alias, and where the job stands."""
    host.cron(JOB)
    host.run("eth0:5 10.0.0.5")
    assert host.sentence("eth0:5 10.0.0.5") == (
        f"no file declares eth0:5: the cron job in {host.root}/etc/cron.d/netalias"
        " will remove it (--save declares it)"
    )
    host.run("eth0:6-9 10.0.0.6-9")
    assert host.sentence("eth0:6-9 10.0.0.6-9").startswith("no file declares eth0:6 and 3 more: ")


def test_what_is_declared_otherwise_is_undone(host: Host) -> None:
    """A declared alias that a command has changed; what agrees again lasts."""
    host.cron(JOB)
    host.run("eth0:1 down")
    assert host.sentence("eth0:1 down") == (
        f"the files declare eth0:1 otherwise: the cron job in {host.root}/etc/cron.d/netalias"
        " will undo this (--save)"
    )
    host.run("eth0:1 up")
    assert host.sentence("eth0:1 up") == ""


def test_what_is_declared_and_deleted_comes_back(host: Host) -> None:
    """One, and several at once; not what nobody declares."""
    host.cron(JOB)
    host.run("eth0:0-")
    assert host.sentence("eth0:0-") == (
        f"the files declare eth0:0: the cron job in {host.root}/etc/cron.d/netalias"
        " will make it again (--save)"
    )
    host.run("eth0:5 10.0.0.5")
    host.run("eth0:1- eth0:5-")
    assert host.sentence("eth0:1- eth0:5-").startswith("the files declare eth0:1: ")
    assert host.sentence("eth0:0-1-").startswith("the files declare eth0:0 and 1 more: ")
    assert host.sentence("eth0:5-") == ""


def test_a_watcher_leaves_some_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is declared with heal off stays as somebody has changed it, until a reconciliation."""
    host.declared.write_text("eth0:0-1 10.0.0.1-2/32 kind macvlan heal off\n")
    host.cron(JOB)
    host.run("eth0:0-")
    assert "will make it again" in host.sentence("eth0:0-")
    watcher = Running(7, "1", "today", [str(host.declared)])
    monkeypatch.setattr(lasting.instance, "running", lambda folder: watcher)
    monkeypatch.setattr(Engine, "runtime", Folder)
    assert host.sentence("eth0:0-") == ""


def test_a_watcher_may_have_been_quicker(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it has undone already is told all the same; what agrees with the line is not."""
    watcher = Running(7, "1", "today", [str(host.declared)])
    monkeypatch.setattr(lasting.instance, "running", lambda folder: watcher)
    monkeypatch.setattr(Engine, "runtime", Folder)
    for text in ("eth0:0 10.0.0.9", "eth0:0 down", "eth0:1 mtu 1400", "eth0:0 10.0.0.1/24"):
        assert "declare eth0:" in host.sentence(text), text
    assert "will make it again" in host.sentence("eth0:0-")
    for text in ("eth0:0 10.0.0.1", "eth0:1 up", "eth0:0 10.0.0.1/32 up"):
        assert host.sentence(text) == "", text


@pytest.mark.parametrize("alias", ["eth0:100", "eth0:5"])
def test_another_host_may_have_it(host: Host, alias: str) -> None:
    """An address that floats, under its own name or another one; that another program removes it
    some time is less than that two hosts answer until then."""
    host.cron(JOB)
    host.declared.write_text("float web eth0:100-101 10.0.0.100-101/24\n")
    host.run(f"--force {alias} 10.0.0.100/24")
    assert host.sentence(f"{alias} 10.0.0.100/24") == (
        f"{alias}: 10.0.0.100 belongs to float web ({host.declared}:1): another host may have it,"
        f" and both would answer (netalias {alias}-)"
    )
    assert "belongs" not in host.sentence(f"{alias}-")
    assert "belongs" not in host.sentence("eth0:6 10.0.0.6")


def test_what_floats_comes_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a watcher runs: the cluster has it here, whoever deletes it or sets it down."""
    host.declared.write_text("float web eth0:100-101 10.0.0.100-101/24\n")
    for text in ("eth0:100-", "eth0:100 down"):
        assert host.sentence(text) == "", text
    watcher = Running(7, "1", "today", [str(host.declared)])
    monkeypatch.setattr(lasting.instance, "running", lambda folder: watcher)
    monkeypatch.setattr(Engine, "runtime", Folder)
    for text in ("eth0:100-", "eth0:101- eth0:100-", "eth0:100 down", "eth0:99-100 down"):
        assert host.sentence(text) == (
            f"eth0:100 belongs to float web ({host.declared}:1): netalias watch (pid 7) makes it"
            " again for as long as the cluster has it here (netalias cluster drain)"
        ), text
    assert "belongs" not in host.sentence("eth0:102-")


def test_a_timer_takes_it_away(host: Host) -> None:
    """That of contrib, if it is enabled; it is not one for other namespaces."""
    link = host.root / "etc/systemd/system/timers.target.wants/netalias.timer"
    link.symlink_to("/nowhere/netalias.timer")
    host.run("eth0:5 10.0.0.5")
    assert ": netalias.timer will remove it" in host.sentence("eth0:5 10.0.0.5")
    assert host.sentence("eth0:5 10.0.0.5", netns="red") == ""


def test_a_change_that_waits_takes_it_along(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback brings back all that was there before the change, whoever keeps it else."""
    host.cron(JOB)
    monkeypatch.setattr(Engine, "runtime", Folder)
    monkeypatch.setattr(lasting, "pending", lambda folder: folder or None)
    for text in ("eth0:5 10.0.0.5", "eth0:5-", "eth0:0 10.0.0.1"):
        assert host.sentence(text) == (
            "a change waits for its confirmation: without one this is taken back too"
            " (netalias confirm)"
        )
    monkeypatch.setattr(lasting, "pending", lambda folder: None)
    assert host.sentence("eth0:0 10.0.0.1") == ""


def test_a_watcher_comes_first(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own files count."""
    host.cron(JOB)
    other = host.root / "other.conf"
    other.write_text("eth0:5 10.0.0.5 kind macvlan\n")
    watcher = Running(7, "1", "today", [str(other)])
    monkeypatch.setattr(lasting.instance, "running", lambda folder: watcher)
    monkeypatch.setattr(Engine, "runtime", Folder)
    host.run("eth0:5 10.0.0.5")
    assert host.sentence("eth0:5 10.0.0.5") == ""
    assert ": netalias watch (pid 7) will remove it" in host.sentence("eth0:0 up")


class Folder:
    """A runtime directory by name."""

    path = "/nonexistent"
    namespace = cookie = 0
    unsettled = False

    @staticmethod
    def acquire(cookie: int = 0) -> None:
        """Nothing is held."""

    @staticmethod
    def release() -> None:
        """Nothing is held."""

    @staticmethod
    def forget() -> None:
        """Nothing is known."""


JOBS = (
    (JOB, "", []),
    ("@reboot root /usr/bin/netalias reconcile /etc/a.conf /etc/b.conf >/dev/null 2>&1", "",
     ["/etc/a.conf", "/etc/b.conf"]),
    ("@reboot root netalias -n red reconcile", "red", []),
    ("@reboot root netalias -n red reconcile", "", None),
    (JOB, "red", None),
    ("#" + JOB, "", None),
    ("@daily root echo reconcile", "", None),
    ("", "", None),
)  # fmt: skip


@pytest.mark.parametrize(("line", "netns", "wanted"), JOBS)
def test_jobs_of_cron(line: str, netns: str, wanted: list[str] | None) -> None:
    """The files of a reconciliation for this namespace; None for all else."""
    assert lasting.job(line, netns) == wanted


@pytest.mark.parametrize(
    ("line", "asked"),
    [("eth0:5 10.0.0.5", True), ("eth0:1 down", True), ("eth0:0", False), ("eth0:0-", True),
     ("eth0:0-1-", True), ("-q eth0:5 10.0.0.5", False), ("--dry-run eth0:5 10.0.0.5", False),
     ("show", False)],
)  # fmt: skip
@pytest.mark.parametrize("terminal", [True, False])
def test_only_a_terminal_is_told(
    host: Host, monkeypatch: pytest.MonkeyPatch, line: str, asked: bool, terminal: bool
) -> None:
    """After commands that change something, and only if standard error is a terminal."""
    called: list[str] = []

    def sentence(options: cli.Options, words: list[str]) -> str:
        called.append(" ".join(words))
        return ""

    monkeypatch.setattr(lasting, "sentence", sentence)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    host.run(line)
    assert bool(called) == (asked and terminal)


def test_a_failure_to_find_out_is_no_error(host: Host, capsys: pytest.CaptureFixture[str]) -> None:
    """Files with an error are left to the job itself."""
    host.cron(JOB)
    host.declared.write_text("nonsense\n")
    lasting.warn(host.options(), ["eth0:0", "up"])
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("file", ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "x.conf"])
def test_what_only_the_watcher_has_is_not_read(
    host: Host, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Its standard input is not that of this command, which would wait for its user."""
    monkeypatch.setattr(sources, "_reader", lambda descriptor: pytest.fail("it is read"))
    monkeypatch.setattr(
        lasting.instance, "running", lambda folder: Running(7, "1", "today", [file])
    )
    monkeypatch.setattr(Engine, "runtime", Folder)
    with pytest.raises(errors.StateError, match="another process was given this"):
        host.sentence("eth0:0-")
