"""The crontab line and the units of systemd: they are well-formed, tight, and name what exists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from netalias import cli

CONTRIB = Path(__file__).parents[2] / "tools" / "contrib"
CRON = CONTRIB / "netalias.cron"
SERVICE = CONTRIB / "netalias.service"
TIMER = CONTRIB / "netalias.timer"

EXPOSURE = 20
"""Tenths, as ``systemd-analyze security`` counts; 16 with systemd 252. A bare unit has 96."""
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")

FIELD = re.compile(r"(?:\*|\d+(?:-\d+)?)(?:/\d+)?(?:,\d+)*")
VARIABLE = re.compile(r"[A-Z]+=\S+")


def jobs() -> list[list[str]]:
    """The lines of the crontab that are neither comments nor variables, as seven fields."""
    lines = [line for line in CRON.read_text(encoding="ascii").splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("#")]
    return [line.split(None, 6) for line in lines if not VARIABLE.fullmatch(line)]


def settings(path: Path) -> dict[str, list[str]]:
    """``Section.Name`` -> all its values."""
    section = ""
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(f"{section}.{name}", []).append(value)
    return found


def in_comments() -> list[str]:
    """The commands that the comment about a drop-in shows."""
    text = SERVICE.read_text(encoding="ascii").replace("\\\n#", " ")
    return re.findall(r"^#\s+ExecStart=(.+)$", text, re.MULTILINE)


def commands() -> list[list[str]]:
    """Every call of netalias in the folder, without the program."""
    lines = [job[6] for job in jobs()] + settings(SERVICE)["Service.ExecStart"] + in_comments()
    assert len(lines) >= 3
    words = [shlex.split(line) for line in lines]
    assert {Path(line[0]).name for line in words} == {"netalias"}
    return [line[1:] for line in words]


def copy(folder: Path) -> Path:
    """The units in *folder*, with a program and a page that exist everywhere; the service."""
    for unit in (SERVICE, TIMER):
        text = unit.read_text(encoding="ascii").replace("=/usr/local/bin/netalias", "=/bin/true")
        text = re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE)
        (folder / unit.name).write_text(text, encoding="ascii")
    return folder / SERVICE.name


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """``systemd-analyze`` with these words."""
    return subprocess.run(
        [str(ANALYZE), *words], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_command_knows_every_word(words: list[str]) -> None:
    """Each option exists, has its argument and stands in front of the verb, which exists."""
    options = cli.Options(lambda _: pytest.fail("nothing is opened here"))
    assert cli.parse_options(words, options) == ["reconcile"]
    assert "reconcile" in cli.VERBS


@pytest.mark.parametrize("path", [CRON, SERVICE, TIMER], ids=lambda path: path.name)
def test_a_file_ends_with_a_newline(path: Path) -> None:
    """cron(8) passes over a last line without one."""
    text = path.read_bytes()
    assert text.endswith(b"\n")
    assert b"\r" not in text


def test_the_crontab_has_one_job_that_root_runs_every_five_minutes() -> None:
    """Five fields of time, a user, a command: crontab(5) for files of /etc/cron.d."""
    (job,) = jobs()
    assert len(job) == 7
    assert all(FIELD.fullmatch(field) for field in job[:5]), job
    assert job[:6] == ["*/5", "*", "*", "*", "*", "root"]


def test_the_command_of_the_crontab_reaches_the_shell_whole() -> None:
    """A % begins the standard input, unless a backslash stands in front: crontab(5)."""
    (job,) = jobs()
    assert not re.search(r"(?<!\\)%", job[6])


def test_the_crontab_says_where_commands_are() -> None:
    """The PATH of cron itself is /usr/bin:/bin: pip's folder is not in it."""
    text = CRON.read_text(encoding="ascii")
    (path,) = re.findall(r"^PATH=(.*)$", text, re.MULTILINE)
    assert {"/usr/local/bin", "/usr/bin"} <= set(path.split(":"))
    assert text.index("PATH=") < text.index("\n*/5")


@pytest.mark.parametrize("words", commands()[:2], ids=" ".join)
def test_runs_never_pile_up(words: list[str]) -> None:
    """Who waits for the lock gives up long before the next one comes."""
    options = cli.Options(lambda _: pytest.fail("nothing is opened here"))
    cli.parse_options(words, options)
    assert 0 < int(options.wait) < 5 * 60


def test_the_timer_can_start_the_service_again() -> None:
    """A service that stays active is not started by a timer: systemd.timer(5)."""
    service, timer = settings(SERVICE), settings(TIMER)
    assert service["Service.Type"] == ["oneshot"]
    assert service["Service.RemainAfterExit"] == ["no"]
    assert timer["Timer.OnUnitActiveSec"] == ["5min"]
    assert "Timer.Unit" not in timer
    assert TIMER.stem == SERVICE.stem


def test_the_service_comes_between_the_network_and_who_waits_for_it() -> None:
    """It pulls nothing in: network-online.target is its consumers', systemd.special(7)."""
    unit = settings(SERVICE)
    assert unit["Unit.Before"] == ["network-online.target"]
    assert "network.target" in " ".join(unit["Unit.After"]).split()
    assert not {"Unit.Wants", "Unit.Requires"} & set(unit)


def test_the_locks_stay_when_the_service_ends() -> None:
    """systemd removes a RuntimeDirectory= with the service, and with it the lock of others."""
    unit = settings(SERVICE)
    assert unit["Service.RuntimeDirectory"] == ["netalias"]
    assert unit["Service.RuntimeDirectoryPreserve"] == ["yes"]


def test_the_service_may_do_no_more_than_it_needs() -> None:
    """Two capabilities, three families of sockets, a file system to look at."""
    unit = settings(SERVICE)
    assert unit["Service.CapabilityBoundingSet"] == ["CAP_NET_ADMIN CAP_NET_RAW"]
    assert unit["Service.RestrictAddressFamilies"] == ["AF_NETLINK AF_PACKET AF_UNIX"]
    assert unit["Service.ProtectSystem"] == ["strict"]
    assert unit["Service.NoNewPrivileges"] == ["yes"]


def test_what_is_left_to_a_child_outlives_the_service() -> None:
    """Announcements at a rate, and of IPv6 addresses."""
    assert settings(SERVICE)["Service.KillMode"] == ["process"]


@needs_systemd
def test_systemd_takes_the_units_without_a_word(tmp_path: Path) -> None:
    """``systemd-analyze verify``: no unknown setting, no value that is not understood."""
    service = copy(tmp_path)
    done = analyze("verify", str(service), str(tmp_path / TIMER.name))
    said = [line for line in done.stderr.splitlines() if SERVICE.stem in line]
    assert (done.returncode, said) == (0, [])


@needs_systemd
def test_systemd_finds_the_service_well_protected(tmp_path: Path) -> None:
    """``systemd-analyze security``, without a running systemd."""
    service = copy(tmp_path)
    done = analyze(
        "security", "--offline=yes", f"--threshold={EXPOSURE}", "--no-pager", str(service)
    )
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a file")
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
