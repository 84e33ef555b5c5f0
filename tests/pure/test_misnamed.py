"""The device of an alias that somebody has renamed by hand: told, and left alone."""

from __future__ import annotations

import pytest
from test_drift import declared
from test_plan import Stage, everything

from netalias import errors
from netalias.doctor import examine
from netalias.doctor.facts import Facts
from netalias.engine.adopt import adopt
from netalias.engine.reconcile import Rules, reconcile
from netalias.model import GROUP

TEXT = "eth0:0 200.1.1.1/24 kind macvlan"
BACK = "ip link set foo0 down && ip link set foo0 name eth0_0 && netalias eth0:0 up"


@pytest.fixture
def renamed() -> Stage:
    """The only alias on eth0, whose device is called foo0."""
    stage = Stage()
    stage(TEXT)
    stage.kernel.set_device("eth0_0", name="foo0")
    return stage


@pytest.mark.parametrize("words", ["eth0:0-", "eth0:0 200.1.1.9", TEXT])
def test_commands(renamed: Stage, words: str) -> None:
    """They say what has happened and what brings it back, and change nothing."""
    before = everything(renamed.kernel)
    with pytest.raises(errors.NotOurs) as caught:
        renamed(words)
    assert caught.value.line() == (
        f"eth0:0: somebody has renamed its device to foo0, so it is left alone ({BACK})"
    )
    assert everything(renamed.kernel) == before


@pytest.mark.parametrize("words", ["eth0:0 down", "eth0:0 mtu 1400"])
def test_commands_for_an_alias_that_is_there(renamed: Stage, words: str) -> None:
    """Nor do they say that there is none, which an address would create."""
    with pytest.raises(errors.NoSuchDevice) as caught:
        renamed(words)
    assert caught.value.line().endswith(f"renamed its device to foo0, so it is left alone ({BACK})")


def test_questions(renamed: Stage) -> None:
    """show, announce and adopt give the same advice; another name is still none."""
    for ask in (renamed.engine.show, lambda name: adopt(renamed.engine, [name])):
        with pytest.raises(errors.NoSuchDevice) as caught:
            ask("eth0:0")
        assert caught.value.line().endswith(f"so it is left alone ({BACK})")
    with pytest.raises(errors.NoSuchDevice, match="eth0:1: there is no such alias") as caught:
        renamed.engine.show("eth0:1")
    assert caught.value.hint == "an address creates it"


def test_a_file(renamed: Stage) -> None:
    """It is skipped with the same words; undeclared, it stays, with the sysctls that it needs."""
    outcome = reconcile(renamed.engine, declared(renamed, TEXT), Rules())
    (skipped,) = outcome.diff.skipped
    assert "somebody has renamed its device to foo0" in skipped.line()
    reconcile(renamed.engine, declared(renamed, "eth1:0 10.0.0.1"), Rules())
    assert renamed.kernel.snapshot().device("foo0")
    assert renamed.device("eth0").arp_ignore == 1


def test_the_doctor(renamed: Stage) -> None:
    """It knows the command, after which all is as before."""
    (found,) = [one for one in examine(Facts(renamed.engine.observe())) if one.check == "misnamed"]
    assert found.command == BACK
    renamed.kernel.set_device("foo0", up=False)
    (found,) = [one for one in examine(Facts(renamed.engine.observe())) if one.check == "misnamed"]
    assert found.command == "ip link set foo0 name eth0_0"
    renamed.kernel.set_device("foo0", name="eth0_0")
    renamed("eth0:0 up")
    assert not renamed.plan(TEXT).steps


@pytest.mark.parametrize(
    "fields",
    [
        {"altnames": ["eth0:1"]},
        {"ifalias": "netalias eth0:1"},
        {"altnames": ["eth0:1"], "ifalias": "netalias eth0:2"},
        {"altnames": ["eth1:1"], "ifalias": "netalias eth1:1"},
        {"altnames": ["eth0:1"], "ifalias": "uplink of a customer"},
    ],
    ids=str,
)
def test_others_are_not_meant(fields: dict[str, object]) -> None:
    """Altname, record and main device must say the same."""
    stage = Stage()
    stage.kernel.add_device("foo0", "macvlan", link="eth0", group=GROUP, **fields)
    assert not [one for one in examine(Facts(stage.engine.observe())) if one.check == "misnamed"]
