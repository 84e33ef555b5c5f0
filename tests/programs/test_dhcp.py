"""Beside real DHCP clients whose lease changes: the aliases stay, and the host speaks as itself."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Command
from dhcp import dhclient, server, udhcpc
from managed import KEEPERS, MAIN, Managed
from support import until
from unpacked import daemon

PEER = "10.20.0.2"
LEASES = ("10.20.0.100", "10.20.0.101")
CLIENTS = {dhclient: 0, udhcpc: signal.SIGUSR1}
"""Client -> the signal at which it renews its lease; 0 for one that obeys the server's times."""


@pytest.mark.parametrize("keeper", KEEPERS)
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_another_lease(
    cli: Command, tmp_path: Path, client: Callable[[Path, str], str], keeper: str
) -> None:
    """One lease, and another one when it is to be renewed."""
    host = Managed(cli, tmp_path, keeper)
    peer = cli.namespace.peer
    assert peer is not None
    script = client(tmp_path, MAIN)
    first, second = LEASES
    with host.kept(), ExitStack() as servers:
        servers.enter_context(server(peer, tmp_path, first))
        with daemon(cli.namespace, script, tmp_path / "client.log") as running:
            until(lambda: host.own() == [first], 20)
            host.comes_well({PEER: first})
            servers.close()
            servers.enter_context(server(peer, tmp_path, second))
            running.send_signal(CLIENTS[client])
            until(lambda: host.own() == [second], 20)
            host.comes_well({PEER: second})
