"""import beside the real ifup(8): what it makes from a file is what the lines declare."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command import Command
from interfaces import ifup, why_no_ifup
from support import LINUX

pytestmark = [pytest.mark.programs, pytest.mark.skipif(bool(why_no_ifup()), reason=why_no_ifup())]

FILE = """\
auto eth9 eth9:1 eth9:2 eth9:3 eth9:4 eth9:5 lo:1
iface eth9 inet static
    address 10.20.0.1/24
    up ip addr add 10.21.0.9/24 dev $IFACE label $IFACE:9
    up ip addr add 10.21.1.9/24 brd + dev $IFACE label ${IFACE}:10 || true
iface eth9:1 inet static   # a host
    address 10.20.1.3/32
iface eth9:2 inet static
    address 10.20.1.4/31
iface eth9:3 inet static
    address 10.20.2.5/24 # and a remark
    broadcast -
iface eth9:4 inet static
    no-scripts
    address 10.20.3.6
    netmask 32
iface eth9:5 inet static
    address 10.20.4.1
    pointopoint 10.20.4.2
iface lo:1 inet static
    address 10.20.5.1/24
"""
BY_IFCONFIG = """\
auto eth9:11
iface eth9:11 inet manual
    up ifconfig eth9:11 10.22.0.5 netmask 255.255.255.255
    up ifconfig eth9:12 10.22.1.6/25
    up ifconfig eth9:13 10.23.0.7
    up ifconfig eth9:14 10.22.3.8 netmask 255.255.255.0 broadcast 10.22.3.99 up
"""
OTHERS = """\
auto eth9:web eth9:7
iface eth9:web inet static
    address 10.24.0.1/24
iface eth9:7 inet static
    address 10.24.1.1/24
iface eth9:7 inet static
    address 10.24.2.1/24
"""


@pytest.fixture
def raised(cli: Command, tmp_path: Path) -> tuple[Command, Path]:
    """A file, and the machine on which ifup has brought it up."""
    path = tmp_path / "interfaces"
    path.write_text(FILE + (BY_IFCONFIG if shutil.which("ifconfig") else "") + OTHERS)
    words = [ifup(), "-a", "--no-scripts", f"--state-dir={tmp_path}", "-i", str(path)]
    cli.namespace.run(words)
    return cli, path


def lines(text: str) -> set[str]:
    """Lines without their comments, each with single blanks."""
    return {" ".join(line.partition("   #")[0].split()) for line in text.splitlines()}


def test_the_lines_are_what_ifup_has_made(raised: tuple[Command, Path]) -> None:
    """Address, length, peer and broadcast address of every label are those in the kernel."""
    cli, path = raised
    imported = lines(cli.run("-v", "import", str(path)).stdout)
    there = lines(cli.run("-v", "import", "--from", "kernel").stdout)
    assert len(imported) >= 11
    renamed = {line for line in imported if " 10.24." in line}
    assert renamed == {
        "eth9:0 10.24.0.1/24 kind label",  # it is eth9:web there
        "eth9:7 10.24.1.1/24 kind label",
        "eth9:6 10.24.2.1/24 kind label",  # a second eth9:7
    }
    assert imported - renamed == {line for line in there if " 10.24." not in line}


@pytest.mark.skipif(LINUX < (6, 12), reason="this kernel does not change the mark of an address")
def test_after_adopt_it_is_in_sync(raised: tuple[Command, Path], tmp_path: Path) -> None:
    """The labels that have kept their names are ours, and nothing differs."""
    cli, path = raised
    declared = tmp_path / "declared"
    kept = [
        line
        for line in cli.run("-v", "import", str(path)).stdout.splitlines()
        if " 10.24." not in line
    ]
    declared.write_text("\n".join(kept) + "\n")
    cli.silent("adopt", *(line.split()[0] for line in kept))
    cli.silent("--hands-off", "check", str(declared))
