"""move on the real kernel: addresses and files, and both come back without a confirmation."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from command import Command, command, ip_json
from declaring import figures, settled
from support import until
from test_confirm import guarded, rejected, state

REFUSED, DRIFT = 2, 3

__all__ = ["guarded"]

TEXT = """\
# The shop
eth9:0     10.7.0.1/24      kind label  # front
eth9:1-40  10.8.0.1-40/32   kind label
eth9:50    10.7.0.50/24     kind label
eth9:60    2001:db8::60/64  kind label
"""
MOVED = TEXT.replace("label", "macvlan")


class Host:
    """A namespace with aliases, and the file that declares them."""

    def __init__(self, cli: Command, folder: Path) -> None:
        self.cli = cli
        self.path = folder / "netalias.conf"
        self.path.write_text(TEXT)
        self.cli.run("reconcile", str(self.path))
        self.before = figures(cli, "label")
        self.sysctls = self.promote()

    def promote(self) -> str:
        keys = [f"net.ipv4.conf.eth9.{key}" for key in ("promote_secondaries", "arp_ignore")]
        return self.cli.namespace.run(["sysctl", "-n", *keys]).stdout

    def move(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.cli.run("move", "--kind", "macvlan", *words, str(self.path))

    def moved(self) -> bool:
        """Whether the file and all aliases are moved."""
        kinds = {one["kind"] for one in self.cli.json()}
        return (self.path.read_text(), kinds) == (MOVED, {"macvlan"})

    def as_before(self) -> bool:
        """Whether the file, all aliases and the sysctls are as they were."""
        now = self.path.read_text(), figures(self.cli, "label"), self.promote()
        return now == (TEXT, self.before, self.sysctls)


@pytest.fixture
def host(guarded: Command, tmp_path: Path) -> Host:
    """The aliases of TEXT, made."""
    return Host(guarded, tmp_path)


def test_labels_become_devices_and_labels_again(host: Host) -> None:
    """Each address is there afterwards; check is content both times."""
    done = host.move()
    assert (done.returncode, done.stderr) == (0, "")
    assert "-eth9:1-40  10.8.0.1-40/32   kind label\n" in done.stdout
    assert "~ eth9:17 10.8.0.17/32 kind label -> macvlan\n" in done.stdout
    assert host.moved()
    host.cli.silent("check", str(host.path))
    host.cli("move", "--kind", "label", str(host.path))
    assert host.as_before()
    host.cli.silent("check", str(host.path))


@pytest.mark.parametrize("by", ["time", "rollback"])
def test_without_a_confirmation_both_come_back(host: Host, by: str) -> None:
    """The file is as it was, to the letter; the same move needs another trial then."""
    done = host.move("--confirm", "1" if by == "time" else "600")
    assert done.returncode == 0
    assert "the former state is restored in " in done.stderr
    if by == "rollback":
        assert host.moved()
        host.cli("rollback")
    assert "verified by a second reading" in rejected(host.cli)["verdict"]
    assert host.as_before()
    host.cli.silent("reconcile", str(host.path))
    assert "was not confirmed when it was tried" in host.move().stderr
    assert host.as_before()
    assert host.move("--force").returncode == 0
    assert host.moved()


def test_a_confirmation_keeps_both(host: Host) -> None:
    """What cron runs meanwhile, and afterwards, leaves them alone."""
    host.move("--confirm", "600")
    host.cli.silent("reconcile", str(host.path))
    host.cli.silent("confirm")
    host.cli.silent("reconcile", str(host.path))
    assert host.moved()


def test_a_file_that_was_changed_meanwhile_stays(host: Host) -> None:
    """The aliases come back; the verdict names the file, which is its editor's."""
    host.move("--confirm", "600")
    text = f"{MOVED}# edited\n"
    host.path.write_text(text)
    assert "; " in host.cli("rollback")
    assert f"{host.path} stays as somebody has changed it since" in rejected(host.cli)["verdict"]
    assert host.path.read_text() == text
    assert figures(host.cli, "label") == host.before


def test_the_guard_is_killed(host: Host) -> None:
    """As with reconcile --confirm the change stays, both halves of it; nothing waits any more."""
    host.move("--confirm", "600")
    pid = int(state(host.cli, "pending")["pid"])
    os.kill(pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{pid}").exists() or _zombie(pid))
    line = host.cli.fails(REFUSED, "rollback")
    assert "/pending: no guard is behind it: what is there stays" in line
    assert host.moved()
    host.cli.silent("reconcile", str(host.path))


def _zombie(pid: int) -> bool:
    return " Z " in Path(f"/proc/{pid}/stat").read_text()


def test_the_command_is_killed(host: Host) -> None:
    """Wherever it was: with its guard all comes back; then it can be done again."""
    for milliseconds in (150, 250, 350, 500):
        words = command("move", "--kind", "macvlan", "--confirm", "2", "--force", str(host.path))
        words[1:1] = ["-s", "KILL"]
        words[5] = str(milliseconds / 1000)
        host.cli.namespace.run(words, check=False)
        until(lambda: not state(host.cli, "pending"), 15)
        if state(host.cli, "rejected"):
            rejected(host.cli)
        assert host.as_before()


def test_an_ordinary_user_and_a_failure_change_nothing(host: Host) -> None:
    """The file comes back when the kernel refuses; here for want of a right."""
    before = settled(host.cli.namespace)
    words = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command("move", str(host.path))]
    done = host.cli.namespace.run(words, check=False)
    if "setpriv" in done.stderr:
        pytest.skip(f"not possible here: {done.stderr.strip()[:80]}")
    assert done.returncode in (4, 5, REFUSED), done
    assert settled(host.cli.namespace) == before
    assert host.path.read_text() == TEXT


def test_a_dry_run_is_the_truth(host: Host) -> None:
    """The same words, and nothing happens."""
    before = settled(host.cli.namespace)
    said = host.move("--dry-run")
    assert settled(host.cli.namespace) == before
    assert host.path.read_text() == TEXT
    done = host.move()
    assert (said.returncode, said.stdout) == (done.returncode, done.stdout)


def test_the_peers_learn_the_new_place(host: Host) -> None:
    """An address is answered for by the MAC of its device at once: it is announced."""
    peer = host.cli.namespace.peer
    assert peer is not None
    peer.ip("addr add 10.7.0.250/24 dev p9")
    peer.run(["ping", "-c", "1", "-W", "2", "10.7.0.50"])
    host.move()
    (link,) = ip_json(host.cli.namespace, "link show dev eth9_50")
    known = ip_json(peer, "neigh show 10.7.0.50")
    assert known[0]["lladdr"] == link["address"]
