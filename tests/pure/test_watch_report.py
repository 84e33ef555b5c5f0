"""The words of the journal for repairs of aliases that are still there."""

from __future__ import annotations

import pytest

from netalias.model import AF_INET, Address
from netalias.model.gateways import AddRule, AddWay, DelRule, DelWay, Rule, Way
from netalias.model.leases import MarkAddress
from netalias.model.renames import RenameLink
from netalias.model.steps import (
    AddAddress,
    AddAltname,
    CreateLink,
    DelAddress,
    DelAltname,
    DelLink,
    SetLink,
    Step,
)
from netalias.watch.report import repair

ONE = Address(7, AF_INET, bytes((10, 0, 0, 1)), 32)
TWO = Address(7, AF_INET, bytes((10, 0, 0, 2)), 32)
RULE = Rule("eth0_0", AF_INET, 1)
WAY = Way(7, AF_INET, 1)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([AddAddress("eth0_0", 7, ONE)], "address put back"),
        ([DelAddress("eth0_0", 7, TWO), AddAddress("eth0_0", 7, ONE)], "address changed back"),
        (
            [
                DelAddress("eth0_0", 7, ONE),
                AddAddress("eth0_0", 7, ONE),
                MarkAddress("eth0_0", 7, ONE),
            ],
            "address changed back",
        ),
        ([MarkAddress("eth0_0", 7, ONE)], "protocol of its address put back"),
        ([DelAddress("eth0_0", 7, TWO)], "other address removed"),
        ([AddAltname("eth0_0", 7, "eth0:0")], "altname put back"),
        ([DelAltname("eth0_0", 7, "x"), AddAltname("eth0_0", 7, "eth0:0")], "altname put back"),
        ([SetLink("eth0_0", 7, up=True)], "set up"),
        ([SetLink("eth0_0", 7, up=False)], "set down"),
        ([SetLink("eth0_0", 7, mtu=1500), SetLink("eth0_0", 7, up=True)], "mtu put back, set up"),
        ([SetLink("eth0_0", 7, ifalias="x", conf={"arp_notify": 1})], "ifalias put back"),
        ([SetLink("eth0_0", 7, conf={"arp_notify": 1})], "settings put back"),
        ([RenameLink("x", 7, "eth0_0")], "name put back"),
        ([AddRule(RULE)], "gateway put back"),
        ([AddWay("eth0_0", 7, WAY)], "gateway put back"),
        ([DelRule(RULE), AddRule(RULE), AddWay("eth0_0", 7, WAY)], "gateway put back"),
        ([DelRule(RULE), DelWay("eth0_0", 7, WAY)], "other gateway removed"),
        ([SetLink("eth0_0", 7, up=True), AddWay("eth0_0", 7, WAY)], "gateway put back, set up"),
        ([DelLink("eth0_0", 7, 0), CreateLink("eth0_0", "dummy", group=1)], "made again"),
    ],
)
def test_a_repair(steps: list[Step], words: str) -> None:
    """The repair itself, in the words of ip(8)."""
    assert repair(steps) == words
