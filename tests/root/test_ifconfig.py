"""netalias-ifconfig beside the real ifconfig(8) of net-tools."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from command import SCRIPT, Command, ip_json
from support import another_user

OWN = SCRIPT.with_name("netalias-ifconfig")
OTHER = shutil.which("ifconfig", path="/usr/sbin:/sbin:/usr/bin:/bin") or ""
pytestmark = [
    pytest.mark.skipif(not OTHER, reason="ifconfig is not installed"),
    pytest.mark.skipif(not OWN.exists(), reason="netalias is not installed"),
]


class Ifconfig:
    """The command in one namespace."""

    def __init__(self, cli: Command) -> None:
        self.namespace = cli.namespace
        self.program = str(OWN)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.namespace.run([self.program, *words], check=False)

    def __call__(self, *words: str) -> str:
        done = self.run(*words)
        assert (done.returncode, done.stderr) == (0, ""), done
        return done.stdout


@pytest.fixture
def ifconfig(cli: Command) -> Ifconfig:
    return Ifconfig(cli)


def addresses(cli: Command) -> list[tuple[str, str]]:
    return [(one["altname"], f"{one['local']}/{one['prefixlen']}") for one in cli.json()]


def test_habits(cli: Command, ifconfig: Ifconfig) -> None:
    """What people type makes, changes and deletes real devices."""
    ifconfig("eth9:0", "200.1.1.1")
    ifconfig("eth9:1", "10.0.0.5", "netmask", "255.255.255.0", "up")
    assert addresses(cli) == [("eth9:0", "200.1.1.1/24"), ("eth9:1", "10.0.0.5/24")]
    ifconfig("eth9:1", "10.0.0.6", "netmask", "255.255.255.0", "mtu", "1400")
    (device,) = ip_json(cli.namespace, "link show dev eth9_1")
    assert device["mtu"] == 1400
    ifconfig("eth9:0", "down")
    ifconfig("eth9:1", "0")
    assert addresses(cli) == []


@pytest.mark.skipif(not another_user(), reason="SIOCSIFTXQLEN is not for a user namespace")
def test_words_for_the_alias_device(cli: Command, ifconfig: Ifconfig) -> None:
    """What netalias has no word for is told to the real one, of the device."""
    ifconfig("eth9:1", "10.0.0.6", "mtu", "1400", "txqueuelen", "77")
    (device,) = ip_json(cli.namespace, "link show dev eth9_1")
    assert (device["mtu"], device["txqlen"]) == (1400, 77)


def test_add_takes_the_next_free_slot(cli: Command, ifconfig: Ifconfig) -> None:
    """Free of devices too, with the mask of the main device, as the real one does; del finds it."""
    ifconfig("eth9", "10.9.0.1", "netmask", "255.255.255.0")
    cli.silent("eth9:1", "10.7.0.1/24", "kind", "macvlan")
    ifconfig("eth9", "add", "10.9.0.5")
    ifconfig("eth9", "add", "10.9.0.6")
    expected = [("eth9:0", "10.9.0.5/24"), ("eth9:1", "10.7.0.1/24"), ("eth9:2", "10.9.0.6/24")]
    assert sorted(addresses(cli)) == expected
    ifconfig("eth9", "del", "10.9.0.5")
    ifconfig("eth9", "del", "10.7.0.1")
    assert addresses(cli) == expected[2:]
    ifconfig("eth9", "add", "2001:db8::5/64")
    assert addresses(cli) == expected[2:]
    assert "2001:db8::5/64" in cli.namespace.ip("-6 addr show dev eth9")


def test_a_host(cli: Command, ifconfig: Ifconfig) -> None:
    """The real one asks for the address of a name."""
    done = ifconfig.run("lo:3", "localhost", "netmask", "255.255.255.255")
    assert "lo:3: 127.0.0.1 is an address of lo already" in done.stderr
    assert "nor the name of a host" in ifconfig.run("lo:3", "no such host").stderr


def test_what_it_shows(cli: Command, ifconfig: Ifconfig) -> None:
    """The output of the real one, with the alias under its name."""
    cli.silent("eth9:7", "10.7.0.1/24")
    real = cli.namespace.run([OTHER, "eth9_7"]).stdout
    assert ifconfig("eth9:7") == real.replace("eth9_7:", "eth9:7:")
    assert "eth9:7: flags=" in ifconfig("-a")
    assert "eth9_7" not in ifconfig("-a") + ifconfig("-s") + ifconfig()
    assert ifconfig("eth9_7").startswith("eth9:7: flags=")
    done = ifconfig.run("eth9:8")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no such alias" in done.stderr


def test_all_else_is_the_other_one(cli: Command, ifconfig: Ifconfig) -> None:
    """With its words and its status."""
    ifconfig("eth9", "10.9.0.1", "netmask", "255.255.255.0")
    (device,) = ip_json(cli.namespace, "-4 addr show dev eth9")
    assert ("10.9.0.1", 24) in [(one["local"], one["prefixlen"]) for one in device["addr_info"]]
    for words in (("nosuch",), ("nosuch", "up"), ("--nosuch",)):
        real = cli.namespace.run([OTHER, *words], check=False)
        done = ifconfig.run(*words)
        assert (done.returncode, done.stdout) == (real.returncode, real.stdout), words
        assert done.stderr == real.stderr, words


def test_under_the_name_of_the_other_one(
    cli: Command, ifconfig: Ifconfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not find itself in PATH."""
    (tmp_path / "ifconfig").symlink_to(OWN)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ifconfig.program = str(tmp_path / "ifconfig")
    ifconfig("eth9:0", "10.0.0.5", "netmask", "255.255.255.0")
    assert ifconfig("eth9:0").startswith("eth9:0: flags=")
    assert ifconfig("eth9") == cli.namespace.run([OTHER, "eth9"]).stdout


def test_a_label(cli: Command, ifconfig: Ifconfig) -> None:
    """It is shown as ever, and has no device for other words."""
    cli.silent("eth9:3", "10.3.0.1/24", "kind", "label")
    assert ifconfig("eth9:3") == cli.namespace.run([OTHER, "eth9:3"]).stdout
    done = ifconfig.run("eth9:3", "promisc")
    assert "a label has no device of its own: promisc" in done.stderr
    ifconfig("eth9:3", "down")
    assert addresses(cli) == []


def test_del_needs_the_right_address(cli: Command, ifconfig: Ifconfig) -> None:
    cli.silent("eth9:4", "2001:db8::4/64")
    assert "it has 2001:db8::4" in ifconfig.run("eth9:4", "inet6", "del", "2001:db8::5/64").stderr
    ifconfig("eth9:4", "inet6", "del", "2001:db8::4/64")
    assert addresses(cli) == []
