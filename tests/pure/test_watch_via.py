"""Former addresses that leave through a tunnel: their rules over the kernel in memory."""

from __future__ import annotations

from pathlib import Path

import pytest
from kept import Kept

from netalias.model import AF_INET6, address_text
from netalias.model.gateways import FROM_PRIORITY, AddRule, Rule, tunnel_table
from netalias.plan.tunnels import leftovers

LINE = "eth0 iface-alias kernel keep 100 max 2 via vif3"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """eth0 has an address of either family, the tunnel is there."""
    found = Kept(str(tmp_path), LINE)
    found.kernel.add_device("vif3", up=True)
    found.add("10.0.0.1/24")
    found.add("2001:db8::1/64")
    found.rest()
    return found


def led(kept: Kept, unit: int = 3) -> list[str]:
    """The sources of the rules that lead into a tunnel."""
    found = kept.kernel.routing().read().rules
    assert all(one.priority > FROM_PRIORITY for one in found)
    return sorted(address_text(one.family, one.source) for one in found
                  if one.table == tunnel_table(unit))  # fmt: skip


def said(kept: Kept) -> int:
    """The number of warnings about the tunnel."""
    return kept.journal.getvalue().count("warning: vif3 is not up: former addresses leave")


def test_each_former_address_has_a_rule_for_as_long_as_it_is_kept(kept: Kept) -> None:
    """Of both families; of more than are kept the oldest goes, and one that is back has none."""
    assert led(kept) == []
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.negotiate("2001:db8::1/64", "2001:db8::2/64")
    assert led(kept) == ["10.0.0.1", "2001:db8::1"]
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    kept.negotiate("10.0.0.3/24", "10.0.0.4/24")
    assert led(kept) == ["10.0.0.2", "10.0.0.3", "2001:db8::1"]
    kept.negotiate("10.0.0.4/24", "10.0.0.2/24")
    assert led(kept) == ["10.0.0.3", "10.0.0.4", "2001:db8::1"]
    kept.pass_time(100)
    assert led(kept) == []


def test_the_rule_is_there_before_the_copy(kept: Kept) -> None:
    """No packet from the address leaves otherwise in between: connection tracking would keep to
    what it has decided for it."""
    sent: list[str] = []
    before = kept.kernel.send

    def send(steps):  # type: ignore[no-untyped-def]
        sent.extend(type(one).__name__ for one in steps)
        return before(steps)

    kept.kernel.send = send  # type: ignore[method-assign]
    kept.remove("10.0.0.1/24")
    kept.rest()
    assert sent.index("AddRule") < sent.index("AddAddress")


def test_only_while_the_tunnel_is_up(kept: Kept) -> None:
    """Without it the addresses leave translated, which is told once; with it they have rules."""
    kept.kernel.set_device("vif3", up=False)
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    assert (led(kept), said(kept)) == ([], 1)
    assert kept.translated == ["eth0: 10.0.0.1 -> 10.0.0.2"]
    kept.kernel.set_device("vif3", up=True)
    kept.rest()
    assert (led(kept), said(kept)) == (["10.0.0.1"], 1)
    kept.kernel.remove_device("vif3")
    kept.rest()
    assert (led(kept), said(kept)) == ([], 2)


@pytest.mark.parametrize(
    "line", ["", "eth0 iface-alias kernel keep 100 max 2", "eth0 iface-alias off"]
)
@pytest.mark.parametrize("killed", [False, True])
def test_a_line_without_the_tunnel_takes_the_rules_away(
    kept: Kept, line: str, killed: bool
) -> None:
    """Also those of a watcher that was killed."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    assert led(kept) == ["10.0.0.1"]
    if killed:
        kept.text = line
        kept.begin()
    else:
        kept.load(line)
    assert led(kept) == []


def test_another_tunnel(kept: Kept) -> None:
    """The line names another one: the rules follow."""
    kept.kernel.add_device("vif4", up=True)
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    kept.load(LINE.replace("vif3", "vif4"))
    assert (led(kept, 3), led(kept, 4)) == ([], ["10.0.0.1"])


def test_the_rules_of_tunnels_are_others(kept: Kept) -> None:
    """A tunnel that is undone leaves those of former addresses alone."""
    kept.negotiate("10.0.0.1/24", "10.0.0.2/24")
    own = Rule("", AF_INET6, tunnel_table(3), FROM_PRIORITY, bytes(15) + b"\2")
    assert not kept.kernel.apply([AddRule(own)])
    found = kept.kernel.routing().read()
    (step,) = leftovers([], found)
    assert step.rule == own  # type: ignore[attr-defined]
    kept.negotiate("10.0.0.2/24", "10.0.0.3/24")
    assert own in kept.kernel.routing().read().rules
