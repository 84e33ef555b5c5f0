"""systemd itself runs the watcher and a link by the units of tools/contrib, in namespaces and a
control group of its own; files that it writes are in memory."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from command import SCRIPT
from support import PATIENCE, SLOW, until

CONTRIB = Path(__file__).parents[2] / "tools" / "contrib"
SYSTEMD = Path("/lib/systemd/systemd")
HIERARCHIES = [Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup")]
GROUP = "netalias-test-systemd"
WATCH, LINK = "netalias-watch.service", "netalias-link@link0.service"
DEVICES = """LINK="10.9.0.2:6669/udp '!exec cat' --cd off"\n"""
LINE = "vif0 198.51.100.7 to 10.9.0.2 carriage udp:7777\n"

BOOT = """
echo $$ >{group}/cgroup.procs
exec unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child=KILL sh -ec '
mount --make-rprivate /
mount -t tmpfs tmpfs {folder}
cd {folder}
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,ro,bind proc/sys
mount -t tmpfs tmpfs dev -o mode=755
mkdir dev/net dev/pts dev/shm
for one in null zero full random urandom tty net/tun; do
    touch dev/$one
    mount --bind /dev/$one dev/$one
done
mount -t sysfs sysfs sys -o ro
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs tmpfs run
mkdir run/units
cp -r {units}/* run/units
mv run/units/lines run/units/link0 run
pivot_root . mnt
umount -l mnt
ip link set lo up
ip link add eth9 type veth peer name p9
ip link set p9 up
ip link set eth9 up
ip addr add 10.9.0.1/24 dev eth9
exec env -i container=netalias PATH="$PATH" SYSTEMD_UNIT_PATH=/run/units \
    SYSTEMD_LOG_TARGET=console {systemd} --system --show-status=no
'
"""
TEST = f"""[Service]
User=root
ProtectHome=no
PrivateTmp=no
ExecStart=
ExecStart={SCRIPT} watch /run/lines
ExecReload=
ExecReload={SCRIPT} watch --takeover --detach
StandardError=append:/run/log
"""
TEST_LINK = f"""[Service]
User=root
ProtectHome=no
PrivateTmp=no
EnvironmentFile=
EnvironmentFile=/run/%i
ExecStart=
ExecStart={SCRIPT} link run %i $LINK
ExecReload=
ExecReload={SCRIPT} link takeover --detach %i $LINK
StandardError=append:/run/log
"""
"""The changes for a test: the program and its Python may be in any home, and there is no user."""


class Systemd:
    """A running systemd. *pid* is that of its PID 1."""

    def __init__(self, pid: int) -> None:
        self._within = ("nsenter", "-t", str(pid), "-m", "-p", "-n", "-i", "-u", "-C")

    def run(self, *words: str) -> str:
        """The output of a command inside, which succeeds."""
        done = self.tried(*words)
        assert done.returncode == 0, f"{words}: {done.stderr}{self.tried('cat', '/run/log').stdout}"
        return done.stdout

    def tried(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command inside, which may fail."""
        words = (*self._within, *words)
        limit = PATIENCE * SLOW
        return subprocess.run(words, capture_output=True, text=True, check=False, timeout=limit)

    def ctl(self, *words: str, unit: str = WATCH) -> None:
        """systemctl about a service; it returns when that has been done."""
        self.run("systemctl", *words, unit)

    def property(self, name: str, unit: str = WATCH) -> str:
        """A property of a service."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def index(self, device: str = "vif0") -> str:
        """The index of a device; empty without it."""
        found = [one for one in self.run("ip", "-o", "link").splitlines() if f": {device}: " in one]
        return found[0].partition(":")[0] if found else ""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """One with the units, which are not started yet."""
    above = next((one for one in HIERARCHIES if (one / "cgroup.procs").exists()), None)
    if not SYSTEMD.exists() or not shutil.which("systemctl") or above is None:
        pytest.skip("there is no systemd, or no unified hierarchy of control groups")
    units, folder = tmp_path / "units", tmp_path / "root"
    units.mkdir()
    folder.mkdir()
    template = LINK.replace("link0", "")
    for name, changes in ((WATCH, TEST + "IPAddressAllow=any\n"), (template, TEST_LINK)):
        shutil.copy(CONTRIB / name, units)
        (units / f"{name}.d").mkdir()
        (units / f"{name}.d" / "zz-test.conf").write_text(changes)
    shutil.copy(CONTRIB / "tunnel.conf", units / f"{WATCH}.d")
    (units / "lines").write_text(LINE)
    (units / "link0").write_text(DEVICES)
    for name in ("sysinit", "basic", "shutdown", "default"):
        (units / f"{name}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    group = above / f"{GROUP}-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"{above}: {error.strerror}")
    script = BOOT.format(group=group, folder=folder, units=units, systemd=SYSTEMD)
    log = (tmp_path / "log").open("wb")
    outer = subprocess.Popen(
        ["sh", "-ec", script], stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    try:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children")
        pid = until(lambda: int((children.read_text() if children.exists() else "") or 0))
        found = Systemd(pid)

        def ready() -> bool:
            if outer.poll() is not None:
                pytest.skip(f"systemd cannot run here: {(tmp_path / 'log').read_text()}")
            done = found.tried("systemctl", "is-system-running")
            return done.stdout.strip() in ("running", "degraded")

        until(ready)
        yield found
    finally:
        with suppress(ProcessLookupError):
            os.kill(outer.pid, signal.SIGKILL)
        outer.wait()
        log.close()
        remove = [*sorted(group.rglob("*/"), reverse=True), group]
        until(lambda: _removed(remove))


def _removed(groups: list[Path]) -> bool:
    """Whether control groups are gone; each is empty once its processes have ended."""
    for one in groups:
        with suppress(OSError):
            one.rmdir()
    return not groups[-1].exists()


def test_the_tunnel_stays_until_a_stop(systemd: Systemd) -> None:
    """Over a restart, a reload and a crash systemd has its descriptors, and a stop closes them: the
    watcher ends by itself, also as the one that a reload has started, and leaves no rule."""
    systemd.ctl("start")
    before = systemd.index()
    assert before
    until(lambda: systemd.property("NFileDescriptorStore") == "4")
    mains = {systemd.property("MainPID")}
    for work in (("restart",), ("reload",), ("kill", "--signal=KILL", "--kill-who=main")):
        systemd.ctl(*work)
        main = until(lambda: (found := systemd.property("MainPID")) not in {"0", *mains} and found)
        mains.add(main)
        until(lambda: systemd.property("ActiveState") == "active")
        assert systemd.index() == before, work
        assert systemd.property("NFileDescriptorStore") == "4"
    systemd.ctl("reload")
    systemd.ctl("stop")
    assert systemd.property("ActiveState") == "inactive"
    assert systemd.property("Result") == "success"
    assert not systemd.index()
    assert not systemd.run("ip", "rule", "show", "pref", "32700")


def test_a_link_goes_on_over_a_reload(systemd: Systemd) -> None:
    """Its device and address stay, by another process; over a restart, and over a crash, there is
    a new device. A stop ends it, also as the one that a reload has started."""
    systemd.ctl("start", unit=LINK)
    first = systemd.index("link0")
    systemd.run("ip", "addr", "add", "10.8.0.1/24", "dev", "link0")
    main = systemd.property("MainPID", LINK)
    for _ in range(2):
        systemd.ctl("reload", unit=LINK)
        former, main = main, until(
            lambda main=main: (found := systemd.property("MainPID", LINK)) not in {"0", main}  # type: ignore[misc]
            and found
        )  # fmt: skip
        assert former != main
        assert systemd.property("ActiveState", LINK) == "active"
        assert systemd.index("link0") == first
        assert "10.8.0.1/24" in systemd.run("ip", "addr", "show", "link0")
    for work in (("restart",), ("kill", "--signal=KILL", "--kill-who=main")):
        before = systemd.index("link0")
        systemd.ctl(*work, unit=LINK)
        until(lambda before=before: systemd.index("link0") not in {"", before})  # type: ignore[misc]
        until(lambda: systemd.property("ActiveState", LINK) == "active")
    systemd.ctl("reload", unit=LINK)
    systemd.ctl("stop", unit=LINK)
    assert systemd.property("Result", LINK) == "success"
    assert not systemd.index("link0")
