"""``netalias watch`` that looks for other hosts, on the real kernel and a real segment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from command import Command
from support import Namespace, until
from watcher import Watch, watching

from netalias.packets import NEAR
from netalias.packets.bpf import ARP
from netalias.packets.parse import parse
from netalias.packets.socket import PacketSocket

LINES = "eth9:0-4 10.0.0.1/32+ kind macvlan\neth9:20 10.0.1.1 kind macvlan acd rfc\n"


def names(namespace: Namespace) -> set[str]:
    """The devices of aliases that are there."""
    words = namespace.ip("-o link show").split()
    return {word.partition("@")[0] for word in words if word.startswith("eth9_")}


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """One alias is probed for, five are not."""
    file = tmp_path / "netalias.conf"
    file.write_text(LINES)
    file.chmod(0o644)
    return file


@pytest.fixture
def watch(cli: Command, conf: Path, tmp_path: Path) -> Iterator[Watch]:
    """All six are there."""
    with watching(cli.namespace, tmp_path / "net", str(conf)) as found:
        found.says("1 alias made (eth9:20)")
        yield found


def test_everything_else_goes_on_meanwhile(cli: Command, watch: Watch) -> None:
    """Others are put right, a command has the lock, and a signal would end it: all of it is said
    before the check of four seconds and more is over."""
    cli.namespace.ip("link del eth9_20")
    for slot in (0, 1):
        cli.namespace.ip(f"link del eth9_{slot}")
        assert "eth9:20" not in watch.says(f"eth9:{slot} was removed")
    cli.run("eth9:30", "10.0.2.1", "kind", "macvlan").check_returncode()
    assert names(cli.namespace) == {f"eth9_{slot}" for slot in (0, 1, 2, 3, 4, 30)}
    watch.says("eth9:20 was removed: put right")
    assert "eth9_20" in names(cli.namespace)


def test_another_host_that_came_meanwhile(cli: Command, watch: Watch, peer: Namespace) -> None:
    """It keeps its address, and is named; the alias comes back when it has gone."""
    cli.namespace.ip("link del eth9_20")
    peer.ip("addr add 10.0.1.1/32 dev p9")
    watch.says("eth9:20: 10.0.1.1 is in use on eth9 by")
    assert "eth9_20" not in names(cli.namespace)
    peer.ip("addr del 10.0.1.1/32 dev p9")
    until(lambda: "eth9_20" in names(cli.namespace), seconds=30)


def test_it_is_announced_when_it_is_back(cli: Command, watch: Watch, peer: Namespace) -> None:
    """To whoever is on the segment, also by the main device of many."""
    index = next(
        int(line.split(":")[0]) for line in peer.ip("-o link").splitlines() if "p9" in line
    )
    with peer:
        port = PacketSocket(index, ARP)
    for slot in (1, 2):
        if slot == 2:  # among many
            lines = [f"eth9:{100 + n} 10.0.3.{n} kind macvlan" for n in range(1, NEAR + 1)]
            cli.run("batch", "-", input="\n".join(lines)).check_returncode()
        port.receive()
        cli.namespace.ip(f"link del eth9_{slot}")
        heard: list[bytes] = []
        wanted = bytes((10, 0, 0, slot + 1))

        def told() -> bool:
            heard.extend(parse(frame).sender for frame in port.receive())  # noqa: B023
            return wanted in heard  # noqa: B023

        until(told)
    port.close()
