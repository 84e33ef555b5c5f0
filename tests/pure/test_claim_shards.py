"""Shards are announced by their main device, although their addresses are on hidden devices."""

from __future__ import annotations

import pytest
from test_claim import Wire, declared, on

from netalias.claim import Policy, reannouncement
from netalias.claim.announce import send
from netalias.engine import Engine
from netalias.kernel.memory import Memory


@pytest.fixture
def memory() -> Memory:
    """eth0 is up."""
    found = Memory()
    found.add_device("eth0", up=True)
    return found


@pytest.fixture
def wire(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> Wire:
    """Its link."""
    return Wire(memory, monkeypatch)


def by_the_main_device(memory: Memory, *addresses: str) -> list[tuple[str, bytes, str]]:
    """The frames on the wire: the device that sends, its MAC, the address."""
    mac = memory.device("eth0").mac
    return [("eth0", mac, address) for address in addresses]


def test_they_are_announced_when_a_file_declares_them(memory: Memory, wire: Wire) -> None:
    """New ones, and one that was a macvlan, whose MAC neighbours know."""
    engine = on(memory)
    declared(engine, "eth0:0 10.0.0.1 kind macvlan")
    wire.told.clear()
    declared(engine, "eth0:0-1 10.0.0.1-2/32 kind shard")
    assert sorted(wire.told) == by_the_main_device(memory, "10.0.0.1", "10.0.0.2")


def test_they_are_announced_again(memory: Memory, wire: Wire) -> None:
    """By the verb, and by a watcher when the main device has got another MAC."""
    engine: Engine = on(memory)
    declared(engine, "eth0:0 10.0.0.1 kind shard")
    wire.told.clear()
    memory.set_device("eth0", mac=bytes.fromhex("020000000077"))
    (alias,) = engine.show()
    again = reannouncement(alias, Policy())
    assert again.device == "eth0_s0"
    assert send(engine.context, memory, [again], Policy()) == []
    assert wire.told == by_the_main_device(memory, "10.0.0.1")
