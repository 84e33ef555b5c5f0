"""Chains of the real kernel that forward nothing: found, unless a rule names the device."""

from __future__ import annotations

import shutil

import pytest
from support import Namespace

from netalias.nat.forwarding import Closed, closed

pytestmark = pytest.mark.skipif(shutil.which("nft") is None, reason="nft is not installed")

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


def test_those_that_drop_what_no_rule_accepts(netns: Namespace) -> None:
    """Of IPv4, of IPv6 and of both, at the hook forward, with the policy drop; no other ones."""
    assert texts(netns) == []
    nft(netns, RULES)
    assert texts(netns) == ["ip filter FORWARD", "inet fire far"]


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
