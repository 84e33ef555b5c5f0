"""Chains of the real kernel that forward nothing: found, unless a rule names the device."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import Namespace
from unpacked import iptables_in

from netalias.kernel.xtables import LISTS
from netalias.nat import legacy as forwarding_legacy
from netalias.nat.forwarding import Closed, closed

needs_nft = pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")

RULES = """\
table ip filter {
	chain FORWARD { type filter hook forward priority filter; policy drop; }
	chain INPUT { type filter hook input priority filter; policy drop; }
	chain plain { }
}
table inet fire {
	chain far { type filter hook forward priority 10; policy drop; ct state established accept; }
}
table ip6 open {
	chain FORWARD { type filter hook forward priority filter; policy accept; }
}
"""


def nft(namespace: Namespace, rules: str) -> None:
    """Have nft(8) read these rules."""
    namespace.run([shutil.which("nft") or "", "-f", "-"], input=rules)


def texts(namespace: Namespace, device: str = "relay0") -> list[str]:
    """The closed chains for a device."""
    with namespace:
        return [one.text for one in closed(device)]


@needs_nft
def test_those_that_drop_what_no_rule_accepts(netns: Namespace) -> None:
    """Of IPv4, of IPv6 and of both, at the hook forward, with the policy drop; no other ones."""
    assert texts(netns) == []
    nft(netns, RULES)
    assert texts(netns) == ["ip filter FORWARD", "inet fire far"]


@needs_nft
def test_the_command_that_is_told_opens_it(netns: Namespace) -> None:
    """After it nothing is told any more, of this device."""
    nft(netns, RULES)
    with netns:
        faults = [one.fault("relay0") for one in closed("relay0")]
    for one in faults:
        for command in one.rpartition(" (")[2].rstrip(")").split(" && "):
            netns.run(command.split())
    assert texts(netns) == []
    assert texts(netns, "relay1") == ["ip filter FORWARD", "inet fire far"]
    assert texts(netns, "relay") == ["ip filter FORWARD", "inet fire far"]


def test_families() -> None:
    """A chain of inet concerns both families, any other one its own."""
    assert Closed(1, "t", "c").concerns([2])
    assert Closed(1, "t", "c").concerns([10])
    assert Closed(10, "t", "c").concerns([2, 10])
    assert not Closed(10, "t", "c").concerns([2])


@pytest.fixture
def legacy(netns: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """A namespace in which iptables-legacy works."""
    iptables_in(tmp_path, monkeypatch)
    done = netns.run(["iptables-legacy", "-S", "FORWARD"], check=False)
    if done.returncode:
        pytest.skip(f"iptables-legacy does not work here: {done.stderr.strip()[:80]}")
    return netns


def legacy_texts(namespace: Namespace, device: str = "relay0") -> list[str]:
    """The chains of iptables-legacy that are closed for a device."""
    with namespace:
        return [one.text for one in forwarding_legacy.closed(device)]


@pytest.mark.parametrize("program", ["iptables-legacy", "ip6tables-legacy"])
def test_those_of_the_older_iptables(legacy: Namespace, program: str) -> None:
    """The policy of FORWARD, with rules in the table too; the command that is told opens it for
    this device and no other one. A name that is only the beginning of a rule's is another one, and
    one with a + names all that begin so."""
    assert legacy_texts(legacy) == []
    for words in ("-A INPUT -i lo -p tcp --dport 22 -j ACCEPT", "-P FORWARD DROP", "-N own"):
        legacy.run([program, *words.split()])
    legacy.run([program, "-A", "FORWARD", "-m", "state", "--state", "RELATED", "-j", "own"])
    assert legacy_texts(legacy) == [f"{program} FORWARD"]
    with legacy:
        (found,) = [one.fault("relay0") for one in closed("relay0")]
    for command in found.rpartition(" (")[2].rstrip(")").split(" && "):
        legacy.run(command.split())
    assert legacy_texts(legacy) == []
    assert legacy_texts(legacy, "relay") == [f"{program} FORWARD"]
    assert legacy_texts(legacy, "relay01") == [f"{program} FORWARD"]
    legacy.run([program, "-A", "FORWARD", "-o", "vif+", "-j", "ACCEPT"])
    assert legacy_texts(legacy, "vif7") == []


def test_to_ask_makes_no_table(netns: Namespace) -> None:
    """The kernel would make one with the first question: hooks for every packet."""
    assert legacy_texts(netns) == []
    with netns:
        for family, file in LISTS.items():
            if os.path.exists(file):
                with open(file, encoding="ascii") as lines:
                    assert lines.read() == "", family
