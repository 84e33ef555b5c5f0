"""The crontab that is shipped, run by the cron(8) of Debian: it heals, and else it is silent.

cron runs in namespaces of its own: of mounts, where /etc/cron.d, /etc/crontab, the spool, /run and
/usr/sbin are the test's, so that no other crontab is run, no other cron is disturbed and no mail
leaves; and of processes, so that no job outlives the test.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from command import COMMAND, Command
from support import until

SHIPPED = Path(__file__).parents[2] / "tools" / "contrib" / "netalias.cron"
CRON = shutil.which("cron", path="/usr/sbin:/sbin")
PRIVATE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")

MINUTE = 90.0
"""Seconds: cron wakes at the next full minute, and the machine may be slow."""
LIFE = 150
"""Seconds after which cron is gone, even if the test was killed."""

PAM = "".join(f"{what} required pam_permit.so\n" for what in ("auth", "account", "session"))

START = f"""\
set -eu
mount --bind cron.d /etc/cron.d
mount --bind crontab /etc/crontab
mount --bind pam /etc/pam.d/cron
mount --bind spool /var/spool/cron/crontabs
mount --bind run /run
mount --bind sbin /usr/sbin
exec timeout -s KILL {LIFE} /usr/sbin/cron -f
"""

MAILER = """\
#!/bin/sh
cat >{stage}/mail.$$ && mv {stage}/mail.$$ {stage}/mails/$$
"""
"""In the place of sendmail(8): a mail is a file."""

AGAIN = """\
until ls {stage}/mails/* >/dev/null 2>&1; do sleep 0.1; done
netalias --wait 60 reconcile {file} >{stage}/said 2>&1
echo $? >{stage}/status.new && mv {stage}/status.new {stage}/status
"""
"""The same command once the first one is over and has been mailed."""


def why_no_cron() -> str:
    """Why cron cannot be run here; empty when it can."""
    if not CRON:
        return "the cron of Debian is not installed"
    setgroups = Path("/proc/self/setgroups")
    if setgroups.exists() and setgroups.read_text().strip() == "deny":
        return "cron sets the groups of its jobs, and this user namespace denies it"
    done = subprocess.run([*PRIVATE, "true"], capture_output=True, text=True, check=False)
    return f"no private mounts can be had here: {done.stderr.strip()}" if done.returncode else ""


class Stage:
    """The folders that cron sees, and what it has done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bin", "cron.d", "mails", "run", "sbin", "spool"):
            (folder / name).mkdir(mode=0o755)
        self.file("crontab", "")
        self.file("pam", PAM)
        self.file("start", START)
        self.program("sbin/sendmail", MAILER.format(stage=shlex.quote(str(folder))))
        shutil.copy(str(CRON), folder / "sbin" / "cron")
        # cron hands nothing of its own environment on.
        path = shlex.quote(os.environ.get("PYTHONPATH", ""))
        words = shlex.join(COMMAND)
        self.program("bin/netalias", f'#!/bin/sh\nPYTHONPATH={path} exec {words} "$@"\n')

    def file(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file that cron trusts."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def program(self, name: str, text: str) -> None:
        """A file that can be executed."""
        self.file(name, text, 0o755)

    def install(self, declared: Path, *, boot: bool = False) -> None:
        """The shipped crontab, for one file, and what looks on after it: for every minute, or for
        the first start of cron since the *boot* alone."""
        file = shlex.quote(str(declared))
        text = SHIPPED.read_text()
        often = "@yearly " if boot else "* * * * * "
        text, minutes = re.subn(r"^\*/5 \* \* \* \* ", often, text, flags=re.MULTILINE)
        text, paths = re.subn(r"^PATH=", f"PATH={self.folder}/bin:", text, flags=re.MULTILINE)
        text, verbs = re.subn(r" reconcile$", f" reconcile {file}", text, flags=re.MULTILINE)
        assert (minutes, paths, verbs) == (1, 1, 2)
        stage = shlex.quote(str(self.folder))
        again = self.file("again", AGAIN.format(stage=stage, file=file))
        when = "@reboot" if boot else "* * * * *"
        self.file("cron.d/netalias", f"{text}{when} root sh {shlex.quote(str(again))}\n")
        if not boot:
            self.file("run/crond.reboot", "")  # by which cron knows that it was started before

    def mails(self) -> list[str]:
        """What was mailed: the text below each head."""
        return [path.read_text().partition("\n\n")[2] for path in (self.folder / "mails").iterdir()]

    def said(self) -> tuple[str, str]:
        """The exit status of the second run and what it said, once it is over."""
        return (self.folder / "status").read_text(), (self.folder / "said").read_text()


@contextmanager
def cron(cli: Command, stage: Stage) -> Iterator[subprocess.Popen[str]]:
    """cron in the foreground, in the namespace of *cli*, until the block ends."""
    with (stage.folder / "log").open("w") as log:
        process = cli.namespace.start(
            [*PRIVATE, "sh", "start"], cwd=stage.folder, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()  # --kill-child: cron and its jobs go with it
        process.wait()


def over(process: subprocess.Popen[str], stage: Stage) -> bool:
    """Whether both runs are over; cron itself must be at work."""
    log = (stage.folder / "log").read_text()
    assert process.poll() is None, f"cron has ended: {log}"
    return (stage.folder / "status").exists()


@pytest.mark.early
@pytest.mark.programs
@pytest.mark.parametrize("boot", [False, True], ids=["every-minute", "at-boot"])
def test_cron_heals_what_has_drifted_and_says_nothing_else(
    cli: Command, tmp_path: Path, boot: bool
) -> None:
    """One alias vanished: root gets one mail with that line. The run after it writes nothing."""
    if why_no_cron():
        pytest.skip(why_no_cron())
    stage = Stage(tmp_path)
    declared = stage.file("declared", "eth9:0-2 192.0.2.10-12/32 kind macvlan\n")
    cli("reconcile", str(declared))
    cli.namespace.ip("link del eth9_1")
    assert sorted(cli.names()) == ["eth9:0", "eth9:2"]
    stage.install(declared, boot=boot)

    with cron(cli, stage) as process:
        until(lambda: over(process, stage), MINUTE)

    assert sorted(cli.names()) == ["eth9:0", "eth9:1", "eth9:2"]
    (mail,) = stage.mails()
    (line,) = mail.splitlines()
    assert line.split()[:3] == ["+", "eth9:1", "192.0.2.11/32"]
    assert stage.said() == ("0\n", "")
