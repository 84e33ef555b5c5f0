"""Rules of the older iptables that change while they are read."""

from __future__ import annotations

import pytest

from netalias.kernel import xtables
from netalias.kernel.xtables import Table
from netalias.nat import legacy


@pytest.mark.parametrize("policy", [0, 8, 200, 4096])
def test_rules_of_the_same_size_with_the_policy_elsewhere(
    monkeypatch: pytest.MonkeyPatch, policy: int
) -> None:
    """The place of the policy is an answer of its own, and may be of rules before."""
    monkeypatch.setattr(xtables, "read", lambda family: Table(b"\xfe" * 200, policy))
    assert legacy.closed("vif0") == []
