"""Stanzas in files of other programs: move tells of them before it begins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from command import Command, command

INTERFACES = """\
auto eth9 eth9:0 eth9:1
iface eth9 inet static
    address 192.0.2.1/24
    up ip addr add 10.7.0.3/32 dev eth9 label eth9:2
iface eth9:0 inet static
    address 10.7.0.1/32
iface eth9:1 inet static
    address 10.7.0.2/32
iface eth9:web inet static
    address 10.99.0.1/32
"""
WARNING = (
    "netalias: warning: /etc/network/interfaces: {} there too: ifup -a fails where they are"
    " there already, and adds them to the main device where they are not; take out {}\n"
)


class Etc:
    """Commands for which /etc is a copy, with INTERFACES in it."""

    def __init__(self, cli: Command, folder: Path) -> None:
        self.cli = cli
        self.etc = folder / "etc"
        subprocess.run(["cp", "-a", "/etc", str(self.etc)], check=False)
        (self.etc / "network").mkdir(exist_ok=True)
        (self.etc / "network/interfaces").write_text(INTERFACES)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        mounts = f'mount --bind {self.etc} /etc && exec "$@"'
        shell = ["unshare", "--mount", "sh", "-c", mounts, "sh"]
        return self.cli.namespace.run([*shell, *command(*words)], check=False)


@pytest.fixture
def etc(cli: Command, tmp_path: Path) -> Etc:
    """Skips where no mount namespace can be had."""
    if cli.namespace.run(["unshare", "--mount", "true"], check=False).returncode:
        pytest.skip("no mount namespace can be made here")
    return Etc(cli, tmp_path)


@pytest.mark.long
def test_stanzas_are_told_before_the_move(etc: Etc, tmp_path: Path) -> None:
    """Those of the aliases that move, as stanzas and as commands, whether a file of netalias
    declares them or not; in both directions, in a dry run as well, and not with -q."""
    cli = etc.cli
    file = tmp_path / "netalias.conf"
    file.write_text("eth9:0 10.7.0.1/32 kind label\neth9:2 10.7.0.3/32 kind label\n")
    cli("reconcile", str(file))
    place = "/etc/network/interfaces"
    many = WARNING.format(
        "eth9:2 and eth9:0 stand", f"the stanza at {place}:5 and the command at {place}:4"
    )
    move = ("move", "--kind", "macvlan", str(file))
    assert etc.run("--dry-run", *move).stderr == many
    assert etc.run("-q", "--dry-run", *move).stderr == ""
    assert etc.run(*move).stderr == many
    assert etc.run(*move).stderr == ""
    assert etc.run("move", "--kind", "label", str(file)).stderr == many
    cli("eth9:0-")
    cli("eth9:2-")
    cli("eth9:1", "10.7.0.2/32", "kind", "label")
    told = etc.run("move", "--kind", "macvlan", "eth9").stderr
    assert told.startswith(WARNING.format("eth9:1 stands", f"the stanza at {place}:7"))
