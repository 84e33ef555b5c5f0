"""What a program calls, over a kernel in memory."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface, ip_address, ip_interface
from pathlib import Path

import pytest
import schemas
from test_cli_memory import kernel

import netalias
from netalias import errors
from netalias.desired import WORDS
from netalias.engine import Engine
from netalias.engine.program import words

CONF = "eth0:0 10.0.0.1/24 kind macvlan\neth0:1 2001:db8::1/64 kind macvlan\n"


@pytest.fixture
def engine() -> Engine:
    """An engine without aliases."""
    return netalias.open(kernel=kernel())


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"mtu": 1400, "kind": "macvlan"}, "mtu 1400 kind macvlan"),
        ({"up": True, "deprecated": True, "optimistic": False}, "up deprecated"),
        ({"up": False}, "down"),
        ({"up": None}, ""),
        ({"mac": "random"}, "hw ether random"),
        ({"broadcast": None}, "-broadcast"),
        ({"broadcast": ip_address("10.0.0.255")}, "broadcast 10.0.0.255"),
        ({"lease": None}, "lease off"),
        ({"lease": 600, "announce": 0}, "lease 600 announce off"),
        ({"linklocal": True, "source": False}, "linklocal on source auto"),
        ({"gateway": None, "acd": "fast", "metric": 0}, "gateway none acd fast metric 0"),
    ],
)
def test_keywords_are_words(named: dict[str, object], expected: str) -> None:
    """As in a command; None, True and False where they have a meaning."""
    assert words(named) == expected.split()


def test_create(engine: Engine) -> None:
    """Keywords and texts mean the same; addresses come out as those of ipaddress."""
    alias = engine.create("eth0:0", ip_interface("200.1.1.1/24"), mtu=1400, kind="macvlan")
    assert alias.interface == IPv4Interface("200.1.1.1/24")
    assert alias.ip == IPv4Address("200.1.1.1")
    assert alias.broadcast == IPv4Address("200.1.1.255")
    assert (alias.peer, alias.router) == (None, None)
    assert alias.device is not None
    assert alias.device.mtu == 1400
    assert engine.create("eth0:0", "200.1.1.1/24", "mtu", 1300).device != alias.device
    assert engine.create("eth0:1", "2001:db8::1/64").interface == IPv6Interface("2001:db8::1/64")
    assert engine.lookup(alias.ip) == engine.get("eth0:0")
    down = engine.create("eth2:0", "10.2.0.1", pointopoint="10.2.0.9", kind="macvlan", force=True)
    assert down.peer == IPv4Address("10.2.0.9")


@pytest.mark.parametrize("named", [{"nosuch": 1}, {"mtu": None}, {"kind": "nosuch"}])
def test_wrong_keywords(engine: Engine, named: dict[str, object]) -> None:
    """They are wrong words, and nothing is made."""
    with pytest.raises(errors.UsageError):
        engine.create("eth0:0", "10.0.0.1", **named)
    assert engine.show() == []


def test_to_dict(engine: Engine) -> None:
    """The object of show -j; it can be written as JSON."""
    alias = engine.create("eth0:0", "10.0.0.1/24", kind="label")
    found = alias.to_dict()
    schemas.hold("show", [json.loads(json.dumps(found))])
    assert (found["altname"], found["local"], found["prefixlen"]) == ("eth0:0", "10.0.0.1", 24)
    assert "registry" not in repr(alias)


def test_check_and_reconcile(engine: Engine, tmp_path: Path) -> None:
    """From a text or files; what differs, and what was done about it."""
    file = tmp_path / "conf"
    file.write_text(CONF)
    found = engine.check(file)
    schemas.hold("changes", found.changes)
    assert (found.same, found.status, len(found.changes)) == (False, errors.STATUS_DRIFT, 3)
    assert found.lines[0] == "+ eth0:0 10.0.0.1/24 macvlan"
    done = engine.reconcile(text=CONF)
    assert [one["change"] for one in done.changes] == ["add", "add", "set"]
    assert done.to_dict() == {"status": 0, "changes": done.changes, "notes": []}
    again = engine.check(text=CONF)
    assert (again.same, again.status, engine.reconcile(text=CONF).changes) == (True, 0, [])
    assert engine.check(text=CONF, only="eth1").same
    with pytest.raises(errors.UsageError):
        engine.check(file, text="")


def test_what_is_refused(engine: Engine) -> None:
    """A guard rail raises; what one alias is refused stands with it, and the others are made."""
    done = engine.reconcile(text=f"{CONF}no9:0 10.9.0.1\n")
    assert done.status == errors.STATUS_KERNEL
    assert "no9" in str(done.changes[-1]["error"])
    assert len(engine.show()) == 2
    with pytest.raises(errors.StateError):
        engine.reconcile(text="")
    engine.reconcile(text="", allow_empty=True)
    assert engine.show() == []
    with pytest.raises(errors.NetaliasError):
        engine.reconcile(text="eth0:0 10.0.0\n")


def test_save_is_the_way_back(engine: Engine) -> None:
    """Its text declares what is there."""
    engine.reconcile(text=CONF)
    text = engine.save()
    assert [line.split()[0] for line in text.splitlines()] == ["eth0:0", "eth0:1"]
    assert engine.check(text=text).same
    assert engine.save("eth0:1").count("\n") == 1
    assert "hw ether" in engine.save(mac=True)


def test_changes_are_recorded() -> None:
    """In the list that open() was given."""
    found: list[dict[str, object]] = []
    engine = netalias.open(kernel=kernel(), changed=found)
    engine.create("eth0:0", "10.0.0.1", kind="label")
    engine.delete("eth0:0")
    assert [one["change"] for one in found] == ["add", "remove"]
    schemas.hold("changes", found)


def test_a_kernel_in_memory_is_not_examined(engine: Engine) -> None:
    with pytest.raises(errors.StateError, match="real kernel"):
        engine.doctor()


def test_every_word_is_a_keyword() -> None:
    """Only words with a hyphen need another spelling; those of files are for files."""
    plain = {word for word in WORDS if "-" not in word} - {"hw", "down"}
    page = Engine.create.__doc__ or ""
    assert not [word for word in plain - {"heal"} if f"``{word}``" not in page]
