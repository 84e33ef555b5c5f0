"""The first process of a guest: run the suites, tell on the second serial line, and end.

It stands alone, as /init, whose first line names the Python of the machine. What it reads is
/suites, lines of JSON: first the folder and the Python in which netalias is installed, then each
suite with its name, the modules it does without, and the words for pytest.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import termios
import tty

MOUNTS = (
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("devpts", "/dev/pts"),
)
LINKS = {"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0"}
"""Nobody else makes them; bash needs the first one for ``<(...)``."""
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
    "NETALIAS_SLOW": "10",
}
REPORT = "/dev/ttyS1"
POWER_OFF = 0x4321FEDC
"""LINUX_REBOOT_CMD_POWER_OFF of <linux/reboot.h>."""


def main() -> None:
    """Every suite in turn, each between a line that names it and one with its exit status."""
    libc = ctypes.CDLL(None, use_errno=True)
    for kind, place in MOUNTS:
        os.makedirs(place, exist_ok=True)
        if libc.mount(kind.encode(), place.encode(), kind.encode(), 0, None):
            raise OSError(ctypes.get_errno(), f"mount {place}")
    for name, target in LINKS.items():
        os.symlink(target, name)
    os.environ.clear()
    os.environ.update(ENVIRONMENT)
    report = os.open(REPORT, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(report)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for module in ("tun", "ppp_generic"):  # nobody else makes their files in /dev
        subprocess.run(["modprobe", module], check=module == "tun")
    with open("/suites", encoding="utf-8") as lines:
        place = json.loads(next(lines))
        os.chdir(place["folder"])
        for line in lines:
            name, hidden, words = json.loads(line)
            with open("/etc/modprobe.d/hidden.conf", "w", encoding="ascii") as conf:
                conf.writelines(f"blacklist {module}\n" for module in hidden)
            os.write(report, b"## suite %s\n" % name.encode())
            # An emulated processor may work on one test for minutes.
            pytest = ["-m", "pytest", "-o", "faulthandler_timeout=0"]
            status = run([place["python"], *pytest, *words], report)
            os.write(report, b"## status %d\n" % status)
    os.write(report, b"## end\n")
    termios.tcdrain(report)
    libc.reboot(POWER_OFF)


def run(words: list[str], report: int) -> int:
    """Run a command -> its exit status. Orphans end here meanwhile, as they do with any init."""
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=report, stderr=report, start_new_session=True
    )
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == process.pid:
            return os.waitstatus_to_exitcode(status)


main()
