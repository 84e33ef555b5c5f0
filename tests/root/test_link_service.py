"""``netalias link`` as a service: left behind, told of to a service manager, upgraded in place."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import COMMAND, SECONDS, Command
from support import Namespace, until
from test_link_command import Running, physical, run
from test_takeover import Manager, Unceasing
from tunnelled import OUTER, cable

DEVICE = f"{OUTER[1]}:7777/udp"
BOTH = pytest.mark.parametrize("kind", [(), ("--bundle",)], ids=["link", "bundle"])


@pytest.fixture
def stack(cli: Command, peer: Namespace) -> Iterator[ExitStack]:
    """A cable to the peer; what is entered here ends with the test."""
    cable(cli.namespace, peer)
    with ExitStack() as found:
        yield found


def heir(stack: ExitStack, former: Running, *words: str) -> Running:
    """The process that has taken link0 over from *former*, which has ended."""
    found = Running(former.namespace, *words, "link0", DEVICE, action="takeover")
    stack.callback(found.process.wait)
    stack.callback(found.process.kill)
    assert former.process.wait(SECONDS) == 0
    return found


def mtu(namespace: Namespace) -> str:
    """The MTU of link0."""
    return namespace.ip("link show link0").partition(" mtu ")[2].split()[0]


@pytest.mark.parametrize(
    "kind", [("--bundle",), pytest.param((), marks=pytest.mark.long)], ids=["bundle", "link"]
)
def test_another_mtu_with_a_takeover(
    cli: Command, peer: Namespace, stack: ExitStack, kind: tuple[str, ...]
) -> None:
    """It is that of the device at once, and of the next process, which names none; one that names
    none changes nothing, whatever others have set."""
    its = run(stack, peer, *kind, "link1", "*:7777/udp")
    its.says("opening -> dial")
    serving = run(stack, cli.namespace, *kind, "--mtu", "1400", "link0", DEVICE)
    serving.says("lcp -> open")
    until(lambda: "LOWER_UP" in cli.namespace.ip("link show link0"))  # a bundle: after a heartbeat
    assert mtu(cli.namespace) == "1400"
    serving = heir(stack, serving, *kind, "--mtu", "1300")
    until(lambda: mtu(cli.namespace) == "1300")
    cli.namespace.ip("link set link0 mtu 1250")
    serving = heir(stack, serving, *kind)
    until(lambda: physical(cli)[0]["pid"] == serving.process.pid)
    assert mtu(cli.namespace) == "1250"
    its.end(signal.SIGKILL)
    run(stack, peer, *kind, "link1", "*:7777/udp").says("lcp -> open")
    until(lambda: mtu(cli.namespace) == "1300")


def test_another_mtu_while_the_link_is_not_open(cli: Command, stack: ExitStack) -> None:
    """It is that of the device all the same."""
    serving = run(stack, cli.namespace, "link0", DEVICE)
    until(lambda: physical(cli))
    heir(stack, serving, "--mtu", "1300")
    until(lambda: mtu(cli.namespace) == "1300")


@BOTH
def test_a_reload_is_over_when_the_next_one_serves(
    cli: Command, stack: ExitStack, tmp_path: Path, kind: tuple[str, ...]
) -> None:
    """With --detach the command ends then, with 0, and a process of its own session stays; one that
    cannot begin is told with its status."""
    # Their errors go where those of the command go, which is to be a file that they can keep.
    with (tmp_path / "log").open("w") as log, cli.namespace:
        for action in ("run", "takeover"):
            words = [*COMMAND, "link", action, "--detach", *kind, "link0", DEVICE]
            done = subprocess.run(words, stderr=log, check=False, timeout=SECONDS)
            assert done.returncode == 0
            found = int(str(physical(cli)[0]["pid"]))
            assert os.getsid(found) == found
    said = cli.fails(2, "link", "run", "--detach", *kind, "link0", DEVICE)
    assert said.startswith("netalias: link0: another process serves it")
    os.kill(found, signal.SIGTERM)
    until(lambda: "link0" not in cli.namespace.names())
    assert cli.fails(1, "link", "run", "--detach", "link0", "fd:0") == (
        "netalias: --detach: what is on a descriptor of a command ends with it"
    )


@BOTH
def test_the_service_manager_follows(
    cli: Command,
    stack: ExitStack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: tuple[str, ...],
) -> None:
    """With NotifyAccess=main only the former process may say which is the main one, and it does so
    before the next one, which was told of no manager, says that it is ready; it says of itself
    that it stops only where nobody goes on."""
    manager = Manager(tmp_path / "notify")
    stack.callback(manager.channel.close)
    with Unceasing(manager.hear):
        monkeypatch.setenv("NOTIFY_SOCKET", str(manager.path))
        first = run(stack, cli.namespace, *kind, "link0", DEVICE)
        assert manager.told("READY=1") == first.process.pid
        monkeypatch.delenv("NOTIFY_SOCKET")
        second = heir(stack, first, *kind)
        assert manager.told(f"MAINPID={second.process.pid}") == first.process.pid
        assert manager.told("READY=1") == second.process.pid
        assert second.end() == 0
        assert manager.told("STOPPING=1") == second.process.pid
    assert [pid for pid, words in manager.heard if "STOPPING=1" in words] == [second.process.pid]
