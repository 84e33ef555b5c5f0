"""A real DHCP client whose lease changes, under a watcher that keeps its former address."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Command
from dhcp import dhclient, server, udhcpc
from support import PATIENCE, SLOW, Namespace, until
from unpacked import daemon
from watcher import watching

PEER, PORT = "10.20.0.2", 7008
LEASES = ("10.20.0.100", "10.20.0.101", "10.20.0.102")
CLIENTS = {dhclient: 0, udhcpc: signal.SIGUSR1}
"""Client -> the signal at which it renews its lease; 0 for one that obeys the server's times."""


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_a_bound_socket_lives_through_leases(
    cli: Command, tmp_path: Path, client: Callable[[Path, str], str]
) -> None:
    """Two other leases: what is bound to the first one reaches the peer as each (A-11)."""
    peer = cli.namespace.peer
    assert peer is not None
    conf = tmp_path / "netalias.conf"
    conf.write_text("eth9 iface-alias kernel\n")
    script = client(tmp_path, "eth9")
    with ExitStack() as stack, ExitStack() as servers:
        watch = stack.enter_context(watching(cli.namespace, tmp_path / "net", str(conf)))
        servers.enter_context(server(peer, tmp_path, LEASES[0]))
        running = stack.enter_context(daemon(cli.namespace, script, tmp_path / "client.log"))
        until(lambda: _own(cli.namespace) == [LEASES[0]], 20)
        with peer:
            echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stack.enter_context(echo)
            echo.bind((PEER, PORT))
        with cli.namespace:
            program = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        program.bind((LEASES[0], 0))
        for lease in LEASES[1:]:
            servers.close()
            servers.enter_context(server(peer, tmp_path, lease))
            running.send_signal(CLIENTS[client])
            watch.says(f"as {lease}")
            assert _own(cli.namespace) == [lease]
            assert _source(program, echo) == lease


def _own(namespace: Namespace) -> list[str]:
    """The addresses that eth9 has from its server."""
    lines = namespace.ip("-4 -o addr show dev eth9 scope global").splitlines()
    return [line.split()[3].partition("/")[0] for line in lines]


def _source(program: socket.socket, echo: socket.socket) -> str:
    """From where the peer hears the program, whom its answer reaches."""
    program.settimeout(PATIENCE * SLOW)
    echo.settimeout(PATIENCE * SLOW)
    program.sendto(b"as whom?", (PEER, PORT))
    data, source = echo.recvfrom(100)
    echo.sendto(data, source)
    assert program.recv(100) == b"as whom?"
    return str(source[0])
