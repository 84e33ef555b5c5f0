"""Roots of Debian in which the package is installed, and commands in them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
FOLDER = REPO / ".packages"
TOOLS = REPO / "tools"

NEEDS = (
    "python3", "systemd", "procps", "iproute2", "nftables",
    "python3-pyroute2", "python3-rich", "python3-yaml", "python3-construct",
)  # fmt: skip
"""What a root has: the libraries are those of the distribution."""

CANNOT = 3
"""Exit status of the tools where no root can be made."""

LOOP = """\
import json, subprocess, sys
for line in sys.stdin:
    done = subprocess.run(["sh", "-c", json.loads(line)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    print(json.dumps([done.returncode, done.stdout, done.stderr]), flush=True)
"""

ADMIN = """\
#!/bin/sh
echo "$(basename "$0") $*" >>/var/asked
"""
"""In the place of programs that speak to systemd."""


def made(*words: str) -> str:
    """The output of one of our tools. The test is skipped where it says that it cannot work."""
    done = subprocess.run(
        [str(TOOLS / words[0]), *words[1:]], capture_output=True, text=True, check=False
    )
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


class Root:
    """A root of Debian with a network of its own, in which eth9 is up. What is written there is
    gone with it."""

    def __init__(self, suite: str, package: Path) -> None:
        made("debian-root", str(FOLDER / suite), suite, *NEEDS)
        self.package = f"/here/{package.name}"
        words = [str(TOOLS / "in-debian"), str(FOLDER / suite), str(package.parent)]
        self._process = subprocess.Popen(
            [*words, "python3", "-c", LOOP],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self("ip link add eth9 type veth peer name p9 && ip link set eth9 up && ip link set p9 up")
        self("ip addr add 10.0.0.1/24 dev eth9 && systemd-machine-id-setup 2>/dev/null")

    def run(self, command: str) -> tuple[int, str, str]:
        """Exit status, output and errors of a command of the shell."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        status, out, err = json.loads(self._process.stdout.readline())
        return status, out, err

    def __call__(self, command: str) -> str:
        """What a command prints that succeeds."""
        status, out, err = self.run(command)
        assert status == 0, (command, out, err)
        return out

    def silent(self, command: str) -> None:
        """It succeeds, and prints nothing at all."""
        assert self.run(command) == (0, "", ""), command

    def close(self) -> None:
        """End it, and all that runs in it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def install(self, package: str = "") -> None:
        """Install or upgrade; files of the administrator stay as they are, and nobody is asked."""
        self(f"dpkg -i --force-confold {package or self.package}")

    def systemd(self) -> None:
        """Let maintainer scripts believe that systemd runs, and write down what they ask of it."""
        self("mkdir -p /run/systemd/system")
        for program in ("/usr/bin/deb-systemd-invoke", "/bin/systemctl"):
            self(f"cat >{program} <<'END'\n{ADMIN}END\nchmod 755 {program}")

    def asked(self) -> list[str]:
        """What was asked of systemd since the last call."""
        return self("cat /var/asked 2>/dev/null; rm -f /var/asked").splitlines()
