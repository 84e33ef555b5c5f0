"""systemd itself runs the watcher by the unit of tools/contrib, in namespaces and a control group
of its own; files that it writes are in memory."""

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
cp {units}/* run/units
mkdir run/units/netalias-watch.service.d
mv run/units/*.conf run/units/netalias-watch.service.d
mv run/units/lines run/lines
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

    def ctl(self, *words: str) -> None:
        """systemctl about the watcher; it returns when that has been done."""
        self.run("systemctl", *words, "netalias-watch.service")

    def property(self, name: str) -> str:
        """A property of the watcher."""
        words = ("show", "--value", "-p", name, "netalias-watch.service")
        return self.run("systemctl", *words).strip()

    def index(self) -> str:
        """The index of vif0; empty without it."""
        found = [one for one in self.run("ip", "-o", "link").splitlines() if ": vif0: " in one]
        return found[0].partition(":")[0] if found else ""


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    """One with the unit, which is not started yet."""
    above = next((one for one in HIERARCHIES if (one / "cgroup.procs").exists()), None)
    if not SYSTEMD.exists() or not shutil.which("systemctl") or above is None:
        pytest.skip("there is no systemd, or no unified hierarchy of control groups")
    units, folder = tmp_path / "units", tmp_path / "root"
    units.mkdir()
    folder.mkdir()
    shutil.copy(CONTRIB / "netalias-watch.service", units)
    shutil.copy(CONTRIB / "tunnel.conf", units)
    (units / "zz-test.conf").write_text(TEST + "IPAddressAllow=any\n")
    (units / "lines").write_text(LINE)
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
