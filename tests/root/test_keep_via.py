"""An established TCP connection outlives its address: it goes on through a tunnel to a relay."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from command import Command, forget, without_dad
from relaying import at_once, declared
from support import PATIENCE, SLOW, Namespace, until, veth_pair

SERVER = "192.0.2.1"
HOME = "203.0.113.1"
"""The relay's end of the tunnel, which is reached by another device than the one that changes."""
ADDRESSES = ["10.0.0.1", "10.0.1.1", "10.0.2.1", "10.0.3.1"]


class Host:
    """A client with eth9, whose address changes, and eth7, whose does not; the relay behind both is
    the router of the server, and routes to eth9 only its newest address."""

    def __init__(self, client: Namespace, relay: Namespace, server: Namespace) -> None:
        self.client, self.relay, self.server = client, relay, server
        veth_pair(client, relay, "eth7", "p7")
        veth_pair(relay, server, "eth6", "p6")
        for namespace, words in (
            (server, "link set lo up"),
            (client, "addr add 203.0.113.9/24 dev eth7"),
            (relay, f"addr add {HOME}/24 dev p7"),
            (relay, "addr add 10.255.0.1/32 dev p9"),
            (relay, "addr add 192.0.2.254/24 dev eth6"),
            (server, f"addr add {SERVER}/24 dev p6"),
            (server, "route add default via 192.0.2.254"),
        ):
            namespace.ip(words)
        relay.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        at_once(relay, "ipv4/neigh/eth6/proxy_delay")
        self.now = ""

    def change(self, address: str) -> None:
        """Another address of eth9, as a DHCP client would do it."""
        if self.now:
            self.client.ip(f"addr del {self.now}/32 dev eth9")
            self.relay.ip(f"route del {self.now} dev p9", check=False)
        self.client.ip(f"addr add {address}/32 dev eth9")
        self.client.ip("route replace 10.255.0.1 dev eth9")
        self.client.ip("route replace default via 10.255.0.1 dev eth9")
        self.relay.ip(f"route add {address} dev p9")
        self.now = address


@pytest.fixture
def host(cli: Command, peer: Namespace) -> Iterator[Host]:
    """All of them, with the first address."""
    server = Namespace()
    for one in (peer, server):
        forget(one)
        without_dad(one)
    peer.raise_lo()
    made = Host(cli.namespace, peer, server)
    made.change(ADDRESSES[0])
    yield made
    forget(peer)
    server.close()


def says(one: socket.socket, other: socket.socket, text: bytes) -> None:
    """A text gets there, and back."""
    for sender, receiver in ((one, other), (other, one)):
        sender.sendall(text)
        assert receiver.recv(len(text), socket.MSG_WAITALL) == text


def test_established_tcp_survives_three_changes(host: Host, tmp_path: Path) -> None:
    """Beyond A-13: the peer goes on sending to the former address, and the relay has it. The
    connection keeps both its names, and when the line goes its rules go."""
    lines = ["eth9 iface-alias kernel via vif0", f"vif0 10.9.9.9 to {HOME} carriage udp:7777"]
    with ExitStack() as stack:
        enter = stack.enter_context
        watch = enter(declared(host.client, tmp_path / "client", *lines))
        until(lambda: "vif0" in host.client.names())
        with host.server:
            listening = enter(socket.create_server((SERVER, 0)))
        with host.client:
            connection = enter(socket.socket())
        for one in (listening, connection):
            one.settimeout(PATIENCE * SLOW)
        connection.connect(listening.getsockname())
        peer, source = listening.accept()
        enter(peer).settimeout(PATIENCE * SLOW)
        assert source[0] == ADDRESSES[0]
        says(connection, peer, b"at home")
        for number, address in enumerate(ADDRESSES[1:]):
            host.change(address)
            if not number:  # now that it has left, the relay takes what comes for it
                line = f"relay {ADDRESSES[0]} on eth6 to 203.0.113.9 carriage udp:7777"
                enter(declared(host.relay, tmp_path / "relay", line))
            watch.says(f"{number + 1} former address")
            says(connection, peer, address.encode())
        assert (connection.getsockname()[0], peer.getpeername()) == (ADDRESSES[0], source)
        rules = host.client.ip("rule show")
        assert [rules.count(f"from {one} ") for one in ADDRESSES] == [1, 1, 1, 0]
        (tmp_path / "client" / "file").write_text(f"{lines[1]}\n")
        watch.says("read again")
        until(lambda: f"from {ADDRESSES[0]} " not in host.client.ip("rule show"))
        assert "from 10.9.9.9 " in host.client.ip("rule show")
