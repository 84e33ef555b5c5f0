"""The shipped hook of ifup(8), run by the real ifup: a device that comes up has its aliases."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from command import COMMAND, Command
from interfaces import ifup, why_no_ifup

SHIPPED = Path(__file__).parents[2] / "tools" / "contrib" / "netalias.if-up"

INTERFACES = """\
auto eth9 eth9:7
iface eth9 inet static
    address 10.20.0.1/24
iface eth9:7 inet static
    address 10.20.7.1/24
"""

STAGE = """\
set -eu
cd "$1"
shift
mount -t tmpfs tmpfs etc
mkdir -p etc/upper/network/if-pre-up.d etc/upper/network/if-up.d etc/work
cp netalias.conf etc/upper
mount -t overlay overlay -o lowerdir=/etc,upperdir=etc/upper,workdir=etc/work /etc
mount --bind if-up.d /etc/network/if-up.d
mount --bind bin /usr/local/sbin
exec "$@"
"""
"""In mounts of its own: the declarations in /etc, the hook and no other one, and the command in the
first folder of ifup's own PATH."""

LABEL = "eth9:7"
"""What ifup makes of the second stanza."""
DECLARED = "eth9:0-1 10.20.1.1-2/32\n"


class Host:
    """A host whose ifup has the hook, and no other one."""

    def __init__(self, cli: Command, folder: Path) -> None:
        self.cli = cli
        self.folder = folder
        for name in ("bin", "etc", "if-up.d", "state"):
            (folder / name).mkdir()
        (folder / "stage").write_text(STAGE)
        (folder / "interfaces").write_text(INTERFACES)
        shutil.copy(SHIPPED, folder / "if-up.d" / "netalias")
        script = folder / "bin" / "netalias"
        script.write_text(f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
        script.chmod(0o755)

    def run(self, *words: str, declared: str = "") -> subprocess.CompletedProcess[str]:
        """A command where this is declared."""
        (self.folder / "netalias.conf").write_text(declared)
        stage = ["unshare", "--mount", "sh", str(self.folder / "stage"), str(self.folder)]
        return self.cli.namespace.run([*stage, *words], check=False)

    def ifup(self, declared: str) -> subprocess.CompletedProcess[str]:
        """``ifup -a``, which succeeds whatever the hook does."""
        done = self.run(
            ifup(), "--interfaces=interfaces", "--state-dir=state", "-a", declared=declared
        )
        assert done.returncode == 0, done
        return done


@pytest.fixture
def host(cli: Command, tmp_path: Path) -> Host:
    """A host that can be had here."""
    if why_no_ifup():
        pytest.skip(why_no_ifup())
    host = Host(cli, tmp_path)
    done = host.run("true")
    if done.returncode:
        pytest.skip(f"no private mounts can be had here: {done.stderr.strip()}")
    return host


def test_a_device_that_comes_up_has_its_aliases(cli: Command, host: Host) -> None:
    """Those of the file, once; a label of ifup's own stays its own."""
    done = host.ifup(DECLARED)
    assert sorted(cli.names()) == ["eth9:0", "eth9:1", LABEL]
    assert [
        line.split()[:2] for line in done.stdout.splitlines() if line[:1] in ("+", "-", "~")
    ] == [
        ["+", "eth9:0"],
        ["+", "eth9:1"],
    ]


@pytest.mark.parametrize("declared", ["", "# nothing\n", "eth8:0 10.20.1.1\n"])
def test_nothing_is_said_of_other_devices(cli: Command, host: Host, declared: str) -> None:
    """Neither where nothing is declared, nor for a main device that is not there yet."""
    done = host.ifup(declared)
    assert "netalias" not in done.stdout + done.stderr
    assert cli.names() == [LABEL]


def test_ifup_succeeds_where_the_aliases_cannot_be_made(cli: Command, host: Host) -> None:
    """The reason is told, and the device counts as up."""
    done = host.ifup("eth9:0 10.20.1.1.1\n")
    assert "/etc/netalias.conf:1:8: eth9:0: 10.20.1.1.1: not an IPv4 address\n" in done.stderr
    assert "eth9=eth9" in (host.folder / "state" / "ifstate").read_text().split()
