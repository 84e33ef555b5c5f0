"""Firewall rules that name the main device, with the real programs: who is told, what mends them.

nft is the installed one; iptables comes from packages of Debian that are unpacked in the folder
NETALIAS_PROGRAMS, one beside the other, since installing them would change the host.
"""

from __future__ import annotations

import errno
import os
import pty
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from command import Command, command, environment, until
from shortened import later
from support import SLOW, Namespace
from unpacked import iptables_in

REFUSED, DRIFT = 2, 3

needs_nft = pytest.mark.skipif(not shutil.which("nft"), reason="nft is not installed")

NFT = """\
table inet filter {
    chain input {
        type filter hook input priority 0
        iifname "eth9" tcp dport 3306 drop
        iifname "eth9" udp dport 3306 drop
        tcp dport 22 accept
    }
}
"""


class Host:
    """A namespace with labels that are declared in a file, and a peer that calls them."""

    def __init__(self, cli: Command, folder: Path) -> None:
        self.cli = cli
        self.path = folder / "netalias.conf"
        self.path.write_text("eth9:0-1 10.7.0.1-2/24 kind label\n")
        assert cli.namespace.peer is not None
        self.peer: Namespace = cli.namespace.peer
        self.peer.ip("addr add 10.7.0.250/24 dev p9")
        cli("reconcile", str(self.path))

    def run(self, text: str) -> str:
        """Run a shell command inside; what it prints."""
        return self.cli.namespace.run(["sh", "-c", text]).stdout

    def move(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.cli.run("move", "--kind", "macvlan", *words, str(self.path))

    def closed(self, port: int = 3306) -> bool:
        """Whether a call to the first address is dropped; where it is not, nobody listens there and
        the answer is a refusal at once."""
        with self.peer:
            caller = socket.socket()
        with caller:
            caller.settimeout(0.4)
            error = caller.connect_ex(("10.7.0.1", port))
        assert error, "somebody listens there"
        return error != errno.ECONNREFUSED


@pytest.fixture
def host(cli: Command, tmp_path: Path) -> Host:
    """With labels at 10.7.0.1 and 10.7.0.2."""
    return Host(cli, tmp_path)


def commands(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The commands in parentheses at the ends of the lines about rules."""
    lines = [line for line in done.stderr.splitlines() if "a firewall rule for" in line]
    return [line.partition(" (")[2][:-1] for line in lines if line.endswith(")")]


@needs_nft
def test_a_move_waits_for_the_rules_of_nft(host: Host) -> None:
    """Refused with both rules and what mends them; after these commands the port is closed, and the
    move goes through."""
    host.cli.namespace.run(["nft", "-f", "-"], input=NFT)
    assert host.closed()
    for words in ((), ("--dry-run",)):
        done = host.move(*words)
        assert done.returncode == REFUSED
        assert "2 firewall rules would not follow the move; nothing was changed" in done.stderr
    assert host.path.read_text() == "eth9:0-1 10.7.0.1-2/24 kind label\n"
    mending = commands(done)
    assert len(mending) == 2
    for one in mending:
        host.run(one)
    done = host.move()
    assert (done.returncode, done.stderr) == (0, "")
    assert host.closed()
    assert not host.closed(22)


SETS = """\
table inet filter {
    set wan { type ifname; elements = { "eth9", "lo" } }
    set pair { type ifname . inet_service; elements = { "eth9" . 3306, "eth9" . 1, "lo" . 6 } }
    map zones { type ifname : verdict; elements = { "eth9" : jump shut, "lo" : accept } }
    map mixed {
        type inet_service . ifname : verdict
        elements = { 3306 . "eth9" : jump shut, 6 . "lo" : drop }
    }
    chain shut {
        tcp dport 3306 drop
    }
    chain input {
        type filter hook input priority 0
        %s
    }
}
"""


@needs_nft
@pytest.mark.parametrize(
    "rule",
    [
        "iifname @wan tcp dport 3306 drop",
        "iifname . tcp dport @pair counter drop",
        'iifname . tcp dport vmap { "eth9" . 3306 : jump shut, "lo" . 6 : drop }',
        'iifname . ip saddr . tcp dport { "eth9" . 10.0.0.0/8 . 3300-3310 } drop comment "a . b"',
        "iifname != @wan tcp dport 22 drop",
        *later([
            'iifname . tcp dport { "eth9" . 3306, "lo" . 6, "eth9" . 7 } drop',
            'ct state new tcp dport . iifname { 6 . "lo", 3306 . "eth9" } drop',
            "tcp dport . iifname vmap @mixed",
            'iifname vmap { "eth9" : jump shut, "lo" : accept }',
            "iifname vmap @zones",
            "iifname != { eth9, lo } tcp dport 22 drop",
        ]),
    ],
)  # fmt: skip
def test_sets_maps_and_concatenations(host: Host, rule: str) -> None:
    """nft takes the command, after which the move goes through, and the alias is treated as the
    main device was."""
    host.cli.namespace.run(["nft", "-f", "-"], input=SETS % rule)
    before = host.closed(), host.closed(22)
    assert before == ("!=" not in rule, False)
    done = host.move("--dry-run")
    assert done.returncode == REFUSED
    (mending,) = commands(done)
    host.run(mending)
    done = host.move()
    assert (done.returncode, done.stderr) == (0, "")
    assert (host.closed(), host.closed(22)) == before


@needs_nft
def test_in_another_namespace(host: Host, netns: Namespace) -> None:
    """The rules of that namespace count, and the command works from outside."""
    host.cli.namespace.run(["nft", "-f", "-"], input=NFT)
    words = command("-n", netns.path, "move", "--kind", "macvlan", str(host.path))
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == REFUSED
    mending = commands(done)
    assert len(mending) == 2
    for one in mending:
        subprocess.run(["sh", "-c", one], check=True)
    assert host.move().returncode == 0


@needs_nft
def test_what_stays_open_is_told_by_the_doctor(host: Host) -> None:
    """With --force the port is open, as was said; doctor says so until it is mended."""
    host.cli.namespace.run(["nft", "-f", "-"], input=NFT)
    done = host.move("--force")
    assert done.returncode == 0
    assert done.stderr.count("netalias: warning: a firewall rule for eth9 does not see") == 2
    assert not host.closed()
    found = [one for one in doctor(host) if one["check"] == "uncovered"]
    assert [one["level"] for one in found] == ["warning", "warning"]
    for one in found:
        host.run(one["command"])
    assert host.closed()
    assert not [one for one in doctor(host) if one["check"] == "uncovered"]


def doctor(host: Host) -> list[dict[str, str]]:
    """The findings."""
    import json

    found: list[dict[str, str]] = json.loads(host.cli.run("-j", "doctor").stdout)
    return found


@needs_nft
def test_the_first_device_on_a_terminal(host: Host) -> None:
    """One line for each rule; none for the second device, none without a terminal, none with -q."""
    host.cli.namespace.run(["nft", "-f", "-"], input=NFT)
    host.cli.silent("eth9:7", "10.8.0.7", "kind", "macvlan")
    host.cli.silent("eth9:7-")
    said = on_terminal(host.cli, "eth9:5", "10.8.0.5", "kind", "macvlan")
    assert said.count("warning: a firewall rule for eth9 does not see eth9:5: inet filter") == 2
    assert on_terminal(host.cli, "eth9:6", "10.8.0.6", "kind", "macvlan") == ""
    assert on_terminal(host.cli, "eth9:8-9", "10.8.0.8-9", "kind", "macvlan") == ""
    host.cli.silent("eth9:5-6-", "eth9:8-9-")
    assert on_terminal(host.cli, "-q", "eth9:5", "10.8.0.5", "kind", "macvlan") == ""


@pytest.mark.long
@needs_nft
def test_many_first_devices_on_a_terminal(host: Host, tmp_path: Path) -> None:
    """A range, a batch and a reconciliation tell as one command does: once for all of them, behind
    what they print, and not for a main device that has such devices already."""
    host.cli.namespace.run(["nft", "-f", "-"], input=NFT)
    file = tmp_path / "other.conf"
    file.write_text("eth9:0-1 10.7.0.1-2/24 kind label\neth9:5-6 10.8.0.5-6 kind macvlan\n")
    commands = tmp_path / "commands"
    commands.write_text("eth9:5 10.8.0.5 kind macvlan\neth9:6 10.8.0.6 kind macvlan\n")
    line = "warning: a firewall rule for eth9 does not see eth9:5 and eth9:6: inet filter input"
    for words in (
        ("eth9:5-6", "10.8.0.5-6", "kind", "macvlan"),
        ("batch", str(commands)),
        ("reconcile", str(file)),
    ):
        assert on_terminal(host.cli, "-q", *words).count("firewall") == 0
        host.cli.silent("eth9:5-6-")
        status = DRIFT if words[0] == "reconcile" else 0
        assert on_terminal(host.cli, "--dry-run", *words, status=status).count("firewall") == 0
        said = on_terminal(host.cli, *words)
        assert said.count(line) == said.count("firewall") == 2, words
        host.cli.silent("eth9:6-")
        assert on_terminal(host.cli, *words).count("firewall") == 0
        host.cli.silent("eth9:5-6-")


UNIDENTIFIED = (
    "unshare",
    "--mount",
    "sh",
    "-c",
    'mount --bind /dev/null /etc/machine-id; exec "$@"',
    "-",
)
"""A command without a machine ID."""


def test_a_mac_of_chance_on_a_terminal(cli: Command, tmp_path: Path) -> None:
    """One line for a command that makes alias devices whose MAC follows from nothing: not for a
    declared one, a word ``random``, a label, a standing device, nor with a machine ID or -q."""
    conf, batch = tmp_path / "netalias.conf", tmp_path / "batch"
    cli.namespace.ip("link add eth8 up type veth peer name p8")
    conf.write_text("eth9:20-29 10.9.0.1+ kind macvlan\n")
    batch.write_text("eth9:30 10.9.0.30 kind macvlan\neth9:31 10.9.0.31 kind macvlan\n")
    alias = ("10.8.0.1", "kind")
    for count, words in (
        (1, ("eth9:1", *alias, "macvlan")),
        (1, ("eth9:3-5", "10.8.0.3-5", "kind", "macvlan")),
        (1, ("reconcile", str(conf))),
        (1, ("batch", str(batch))),
        (0, ("eth9:20", "mtu", "1400")),
        (0, ("eth9:6", "10.8.0.6", "kind", "label")),
        (0, ("eth8:8", "10.8.0.8", "kind", "macvlan", "hw", "ether", "02:00:00:00:00:08")),
        (0, ("eth8:9", "10.8.0.9", "kind", "macvlan", "hw", "ether", "random")),
        (0, ("-q", "eth8:10", "10.8.0.10", "kind", "macvlan")),
    ):
        assert on_terminal(cli, *words, before=UNIDENTIFIED).count("machine-id") == 2 * count
    assert "machine-id" not in on_terminal(cli, "eth8:11", "10.8.0.11", "kind", "macvlan")


def on_terminal(cli: Command, *words: str, status: int = 0, before: tuple[str, ...] = ()) -> str:
    """The words of a command on a terminal; *before* are those of a program that runs it."""
    main, other = pty.openpty()
    process = cli.namespace.start(
        [*before, *command(*words)],
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment(TERM="dumb"),
    )
    os.close(other)
    said = b""
    try:
        while chunk := os.read(main, 65536):
            said += chunk
    except OSError:  # EIO: the other end is closed
        pass
    os.close(main)
    assert process.wait(20 * SLOW) == status
    return said.decode().replace("\r\n", "\n").replace("\n", " ").strip()


@pytest.fixture
def iptables(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """The programs of the unpacked packages stand in PATH. Skips where one is missing."""
    iptables_in(tmp_path, monkeypatch)
    return host


@pytest.mark.parametrize("form", ["nft", "legacy"])
def test_rules_of_iptables(iptables: Host, form: str) -> None:
    """Mended by iptables itself, never by nft -f: the table is as readable as before, and the port
    is closed after the move."""
    host, program = iptables, f"iptables-{form}"
    rule = "-p tcp --dport 3306 -m comment --comment 'of eth9' -j DROP"
    add = ["sh", "-c", f"{program} -A INPUT -i lo -j ACCEPT && {program} -A INPUT -i eth9 {rule}"]
    done = host.cli.namespace.run(add, check=False)
    if done.returncode:
        pytest.skip(f"{program} does not work here: {done.stderr.strip()[:80]}")
    assert host.closed()
    done = host.move()
    assert done.returncode == REFUSED
    (mending,) = commands(done)
    assert mending.startswith(f"{program} -I INPUT 3 -i eth9_+ ")
    assert "nft" not in mending.replace("iptables-nft", "")
    host.run(mending)
    assert host.move().returncode == 0
    assert host.closed()
    saved = host.run(f"{program}-save")
    assert saved.count(" -j DROP") == 2
    host.run(f"{program}-save | {program}-restore")
    assert until(lambda: host.run(f"{program} -S INPUT").count("3306")) == 2


@pytest.mark.parametrize("form", ["nft", "legacy"])
def test_a_rule_of_iptables_for_all_other_devices(iptables: Host, form: str) -> None:
    """It moves into a chain that spares the alias; another rule behind it keeps its place."""
    host, program = iptables, f"iptables-{form}"
    rules = (
        f"{program} -A INPUT ! -i eth9 -p tcp --dport 22 -j REJECT --reject-with tcp-reset",
        f"{program} -A INPUT -i eth9 -p tcp --dport 3306 -j DROP",
        f"{program} -A INPUT ! -i eth9 -p tcp -j DROP",
    )
    done = host.cli.namespace.run(["sh", "-c", " && ".join(rules)], check=False)
    if done.returncode:
        pytest.skip(f"{program} does not work here: {done.stderr.strip()[:80]}")
    assert (host.closed(), host.closed(22)) == (True, False)
    done = host.move()
    assert done.returncode == REFUSED
    for mending in commands(done):
        host.run(mending)
    done = host.move()
    assert (done.returncode, done.stderr) == (0, "")
    assert (host.closed(), host.closed(22)) == (True, False)
    assert "-A INPUT-1-not-eth9_ -p tcp" in host.run(f"{program}-save")


def test_a_name_with_a_colon_in_a_table_of_iptables(iptables: Host) -> None:
    """The rule that never matches is put right by iptables too."""
    host = iptables
    add = "iptables-nft -A INPUT -i eth9:0 -p tcp --dport 3306 -j DROP"
    done = host.cli.namespace.run(["sh", "-c", add], check=False)
    if done.returncode:
        pytest.skip(f"iptables-nft does not take it: {done.stderr.strip()[:80]}")
    host.move("--force")
    (found,) = [one for one in doctor(host) if one["check"] == "firewall"]
    assert "nft -f" not in found["command"]
    assert found["command"].startswith("iptables-save | sed ")
