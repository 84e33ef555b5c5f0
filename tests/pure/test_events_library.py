"""netalias.events(): the bus for programs with asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from test_monitor_bus import Bussed, bus  # noqa: F401

import netalias
from netalias import errors

Events = AsyncIterator[dict[str, Any]]


def run(work: Awaitable[Any], served: Callable[[], Bussed]) -> Any:
    """The result of a coroutine, while a bus is served in the same loop."""

    async def serve() -> None:
        while True:
            served().turn()
            await asyncio.sleep(0.001)

    async def both() -> Any:
        server = asyncio.create_task(serve())
        try:
            return await asyncio.wait_for(work, 30)  # type: ignore[arg-type]
        finally:
            server.cancel()

    return asyncio.run(both())


async def until(found: Events, what: str) -> list[dict[str, Any]]:
    """The events up to one of a kind."""
    events = []
    async for event in found:
        events.append(event)
        if event["event"] == what:
            break
    return events


def test_a_state_and_then_changes(bus: Bussed) -> None:  # noqa: F811
    """Objects as the lines have them."""

    async def work() -> list[dict[str, Any]]:
        found = netalias.events(path=bus.path)
        events = await until(found, "synced")
        bus.device(2, "eth0", flags=0)
        return events + await until(found, "flag")

    events = run(work(), lambda: bus)
    assert [one["event"] for one in events] == [
        "reset", "arrival", "arrival", "address", "synced", "flag",
    ]  # fmt: skip
    assert events[-1]["ifname"] == "eth0"


def test_kinds_and_device(bus: Bussed) -> None:  # noqa: F811
    """They are the words of the request."""

    async def work() -> list[dict[str, Any]]:
        found = netalias.events("flag,mtu", "eth0", path=bus.path)
        await until(found, "synced")
        bus.device(1, "lo", flags=0)
        bus.device(2, "eth0", flags=1, mtu=9000)
        return await until(found, "mtu")

    assert [one["event"] for one in run(work(), lambda: bus)] == ["mtu"]


def test_another_watcher_begins_anew(bus: Bussed, tmp_path: Path) -> None:  # noqa: F811
    """The connection ends, and the next one begins with a state: reset says so."""
    now = [bus]

    async def work() -> list[dict[str, Any]]:
        found = netalias.events(path=bus.path)
        await until(found, "synced")
        bus.close()
        now[0] = Bussed(tmp_path / "net.sock")
        now[0].device(3, "eth1")
        return await until(found, "synced")

    events = run(work(), lambda: now[0])
    now[0].close()
    assert [one["event"] for one in events] == ["reset", "arrival", "synced"]
    assert events[1]["ifname"] == "eth1"


@pytest.mark.parametrize(
    ("kinds", "device", "error", "reason"),
    [
        ("nosuch,mtu", "", errors.StateError, "nosuch: none of all"),
        ("adress", "", errors.StateError, "adress: none of all"),
        ("rout", "", errors.StateError, "rout: none of all"),
        ("all", "a/b", errors.StateError, "a/b"),
        ("address eth0", "", errors.UsageError, "one word"),
        ("all", "eth0\njson", errors.UsageError, "one word"),
    ],
)
def test_wrong_words(bus: Bussed, kinds: str, device: str, error: type, reason: str) -> None:  # noqa: F811
    """What the watcher says about them, as an error."""
    with pytest.raises(error, match=reason):
        run(until(netalias.events(kinds, device, path=bus.path), ""), lambda: bus)


def test_no_watcher(bus: Bussed, tmp_path: Path) -> None:  # noqa: F811
    """None is waited for longer than that."""
    found = netalias.events(path=str(tmp_path / "none.sock"), wait=0.0)
    with pytest.raises(errors.StateError, match="No such file") as raised:
        run(until(found, ""), lambda: bus)
    assert "netalias watch" in raised.value.hint
