"""mend() and remove() of reconcile.py: what a watcher does to a few aliases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from test_plan_compare import Declared

from netalias import errors
from netalias.claim import Claim
from netalias.engine.reconcile import Outcome, Rules, mend, reconcile, remove
from netalias.kernel.memory import Memory
from netalias.plan.compare import compare
from netalias.plan.diff import REMOVED, Diff

LINES = "eth0:0 10.0.0.1 kind macvlan\neth0:1 10.0.0.2 kind macvlan\neth1:0 10.0.0.3 kind label\n"


def asking(conflict: str) -> str:
    """The same lines, but others are looked for who have the addresses."""
    return LINES.replace("\n", f" acd fast conflict {conflict}\n")


@pytest.fixture
def taken(stage: Declared, monkeypatch: pytest.MonkeyPatch) -> Declared:
    """The stage, where another host has 10.0.0.2."""

    def conflicts(context: object, snapshot: object, claims: Sequence[Claim]) -> list[Any]:
        found = [one for one in claims if one.address == bytes((10, 0, 0, 2))]
        return [(one, errors.Conflict(f"{one.name}: in use")) for one in found]

    monkeypatch.setattr("netalias.claim.check.conflicts", conflicts)
    monkeypatch.setattr("netalias.claim.session.announce", lambda *_: [])
    stage.engine = stage.engine.derived(claims=True)
    return stage


@pytest.fixture
def stage() -> Declared:
    return Declared(Memory(kinds=("macvlan", "dummy")))


def mended(stage: Declared, text: str = LINES) -> Outcome:
    """What mend() does for these lines."""

    def look() -> Diff:
        return compare(stage.parsed(text).blocks, stage.engine.observe(), removing=False)

    return mend(stage.engine, look(), look)


def test_what_is_missing_comes(stage: Declared) -> None:
    """Of what is not in these lines nothing is touched."""
    stage("eth0:7 10.0.0.7")
    stage("eth0:0 10.0.0.1 kind macvlan")
    outcome = mended(stage)
    assert [str(item.name) for item in outcome.done] == ["eth0:1", "eth1:0"]
    assert stage.names() == ["eth0:7", "eth0:0", "eth0:1", "eth1:0"]
    assert mended(stage).diff.items == []


def test_who_is_refused_is_refused_alone(stage: Declared) -> None:
    """It has an error, and the others are done."""
    mac = stage.device("eth0").mac.hex(":")
    outcome = mended(stage, LINES + f"eth0:5 10.0.0.5 kind macvlan hw ether {mac}\n")
    assert [str(item.name) for item in outcome.failed] == ["eth0:5"]
    assert stage.names() == ["eth0:0", "eth0:1", "eth1:0"]


@pytest.mark.parametrize("conflict", ["skip", "abort"])
def test_a_conflict_concerns_nobody_else(taken: Declared, conflict: str) -> None:
    """There is no run that it could end: the others have been there all the time."""
    stage = taken
    outcome = mended(stage, asking(conflict))
    assert [str(item.name) for item in outcome.diff.items] == ["eth0:0", "eth0:1", "eth1:0"]
    assert [str(item.name) for item in outcome.failed] == ["eth0:1"]
    assert outcome.status == errors.STATUS_CONFLICT
    assert stage.names() == ["eth0:0", "eth1:0"]


def test_a_conflict_ends_a_run_only_where_it_may(taken: Declared) -> None:
    """The rules of a reconciliation say it; those of a watcher do not."""
    stage = taken
    with pytest.raises(errors.Conflict):
        reconcile(stage.engine, stage.parsed(asking("abort")), Rules())
    assert stage.names() == []
    reconcile(stage.engine, stage.parsed(asking("abort")), Rules(abort=False))
    assert stage.names() == ["eth0:0", "eth1:0"]


def test_removing(stage: Declared) -> None:
    """In the order that is given; the last one that needs a setting gives it back."""
    mended(stage)
    reconcile(stage.engine, stage.parsed(LINES), Rules())
    assert stage.device("eth0").arp_announce == 2
    observed = stage.engine.observe()
    found = [alias for alias in observed.aliases if alias.name.main == "eth0"]
    outcome = remove(stage.engine, observed, found[:1])
    assert [item.sign for item in outcome.done] == [REMOVED]
    assert stage.device("eth0").arp_announce == 2
    observed = stage.engine.observe()
    found = [alias for alias in observed.aliases if alias.name.main == "eth0"]
    outcome = remove(stage.engine, observed, found)
    assert [item.sign for item in outcome.done] == [REMOVED, "="]
    assert stage.device("eth0").arp_announce == 0
    assert stage.names() == ["eth1:0"]


def test_removing_nothing(stage: Declared) -> None:
    assert remove(stage.engine, stage.engine.observe(), []).diff.items == []
    assert mended(stage, "").diff.items == []
