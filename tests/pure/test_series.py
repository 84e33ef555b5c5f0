"""Plans of a series are those that each alias would get by itself."""

from __future__ import annotations

from typing import Any

import pytest
from test_plan_compare import Declared

from netalias.desired import Wish
from netalias.kernel.memory import Memory
from netalias.model.names import AliasName
from netalias.model.steps import AddAltname
from netalias.plan import Difference, Plan, compare
from netalias.plan.diff import Diff, wishes

LINES = "\n".join(f"eth0:{slot} 10.1.0.{slot}/32 kind KIND" for slot in range(20)) + "\n"
CASES = {
    "labels": LINES.replace("KIND", "label"),
    "macvlans": LINES.replace("KIND", "macvlan"),
    "dummies": LINES.replace("KIND", "dummy"),
    "ipvlans": LINES.replace("KIND", "ipvlan"),
    "of any kind": LINES.replace("KIND", "auto"),
    "shards": "eth0:190-430 10.10.0.0/16+ kind shard\n",
    "shards of two networks": "eth0:0-20 10.10.0.250/24+ kind shard\n",
    "with words": "eth0:0-40 10.2.0.0/32+ kind macvlan mtu 1400 acd fast announce 3\n",
    "with random MACs": "eth0:0-9 10.2.0.0/32+ kind macvlan hw ether random\n",
    "with leases": "eth0:0-40 10.2.0.0/32+ kind label lease 3600\n",
    "over the edge of a byte": "eth0:0-99 10.2.0.200/32+ kind label\n",
    "of the host itself": "eth0:0-9 126.255.255.250/32+ kind label\n",
    "in a network": "eth0:0-99 10.9.0.0/32+ kind label\neth1:7 10.9.0.115/26 kind label\n",
    "some there": "eth0:0-9 10.2.0.0/32+ kind label\neth1:0-9 10.2.0.10/32+ kind label\n",
    "one twice, by another name": LINES.replace("KIND", "label") + "uplink:7 10.1.0.70\n",
    "by another name": "uplink:0-30 10.2.0.0/32+ kind macvlan\n",
    "taken names": "eth0:0-30 10.7.0.0/32+ kind macvlan\n",
    "in IPv6": "eth0:0-30 2001:db8::/128+ kind label\n",
    "two kinds": LINES.replace("KIND", "label") + "eth0:30-50 10.3.0.0/32+ kind macvlan\n",
    "too long for a label": "verylongname:9990-10010 10.3.0.0/32+ kind label\n",
    "three lines": (
        "eth0:0 10.4.0.1/32 kind macvlan\neth0:7 10.4.0.9/32 kind macvlan\n"
        "eth0:4 10.4.0.3/32 kind macvlan\n"
    ),
    "lines of two devices": (
        "eth0:0 10.4.0.1/32 kind macvlan\neth1:0 10.4.0.2/32 kind macvlan\n"
        "eth0:1 10.4.0.3/32 kind macvlan\neth1:1 10.4.0.4/32 kind macvlan\n"
    ),
    "long for a device": "verylongname:9990-10010 10.3.0.0/32+ kind macvlan\n",
}


def stage() -> Declared:
    """A machine with some aliases, an alternative name, and a device that has the name of one."""
    found = Declared(Memory(kinds=("macvlan", "dummy", "ifb")))
    found.kernel.add_device("verylongname", up=True)
    found.kernel.send([AddAltname("eth0", found.kernel.device("eth0").index, "uplink")])
    found.kernel.add_device("eth0_11", up=True)
    found("eth0:3 10.2.0.15 kind label")
    found("eth1:12 10.2.0.21 kind label")
    found("eth1:13 10.2.1.21/24 kind label")
    return found


def values(value: Any) -> Any:
    """The slots of an object of ours, and of those in it; of a difference its own wish, not the
    model of it."""
    if isinstance(value, (list, tuple)):
        return [values(one) for one in value]
    slots = [name for kind in type(value).__mro__ for name in getattr(kind, "__slots__", ())]
    if isinstance(value, str) or not slots:
        return value if type(value).__module__ == "builtins" else type(value)
    if isinstance(value, Difference):
        slots[slots.index("model")] = "plan"
        return [
            [values(one) for _, one in wishes([value])],
            {name: values(getattr(value, name)) for name in slots},
        ]
    return type(value).__name__, {name: values(getattr(value, name, None)) for name in slots}


def compared(text: str) -> tuple[Any, list[str]]:
    machine = stage()
    found: Diff = machine.check(text)
    return found, [one.line() for one in found.skipped]


@pytest.mark.parametrize("name", CASES)
def test_a_series_is_planned_as_each_alias_alone(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All values of the differences are the same, and so are the refusals."""
    monkeypatch.setattr("netalias.engine.macs._chance", lambda: b"\2\0\0\0\0\1")
    found = compared(CASES[name])
    monkeypatch.setattr(compare, "MANY", 10**9)
    alone = compared(CASES[name])
    assert found[1] == alone[1]
    assert list(map(values, found[0].items)) == list(map(values, alone[0].items))


def test_most_aliases_of_a_run_are_planned_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the first of each 200 shards, and those that are no usual hosts."""
    alone: list[AliasName] = []
    whole = compare.plan

    def plan(wish: Wish, *args: Any, **named: Any) -> Plan:
        alone.append(wish.name)
        return whole(wish, *args, **named)

    monkeypatch.setattr(compare, "plan", plan)
    for text in (CASES["labels"], CASES["macvlans"], CASES["shards"], CASES["three lines"]):
        compared(text)
    assert len(alone) < 20
    alone.clear()
    compared(CASES["three lines"])
    assert alone == ["eth0:0"]
