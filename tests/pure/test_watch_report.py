"""The words of the journal for repairs of aliases that are still there."""

from __future__ import annotations

from io import StringIO

import pytest

from netalias.engine import Engine, Setup
from netalias.kernel.memory import Memory
from netalias.model import AF_INET, Address
from netalias.model.gateways import AddRule, AddWay, DelRule, DelWay, Rule, Way
from netalias.model.leases import MarkAddress
from netalias.model.names import AliasName
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
from netalias.system.journal import Journal
from netalias.watch.report import FEW, Report, repair

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


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 10_000])
def test_many_that_end_at_once_are_few_lines(count: int) -> None:
    """The first ones by name, and what became of each of them."""
    log = StringIO()
    names = [AliasName("eth0", slot) for slot in range(count)]
    journal = Journal(stream=log, environ={}, now=str)
    Report(journal, Engine(Setup(Memory())), names[:1]).ended(names)
    lines = [line.partition("netalias: ")[2] for line in log.getvalue().splitlines()]
    assert lines[0] == "eth0:0: another host has its address, and it is removed"
    assert lines[1:FEW] == [
        f"{name}: its lease has expired, and it is removed" for name in names[1:FEW]
    ]
    more = {
        FEW + 1: ["1 alias more removed likewise"],
        10_000: ["9992 aliases more removed likewise"],
    }
    assert lines[FEW:] == more.get(count, [])
