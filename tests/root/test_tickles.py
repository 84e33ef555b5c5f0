"""An address moves to another host: its peers are told that their connections are gone."""

from __future__ import annotations

import select
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import Namespace, until

from netalias.cluster import process
from netalias.cluster.agent import Agent
from netalias.cluster.holdings import HELD, State
from netalias.cluster.membership import Settings
from netalias.cluster.store import Change, Put
from netalias.cluster.tickles import decode, encode
from netalias.cluster.tokens import Tokens
from netalias.kernel.netlink.connections import established
from netalias.model.connections import Connection
from netalias.nat.connections import tracked
from netalias.packets.tickle import Tickler

OURS = {socket.AF_INET: "10.9.0.1", socket.AF_INET6: "2001:db8:9::1"}
CLIENT = {socket.AF_INET: "10.9.0.9", socket.AF_INET6: "2001:db8:9::9"}
LENGTH = {socket.AF_INET: 24, socket.AF_INET6: 64}
WAIT = 30.0
FAMILIES = pytest.mark.parametrize(
    "family", [socket.AF_INET, socket.AF_INET6], ids=["inet", "inet6"]
)


@pytest.fixture
def hosts() -> Iterator[tuple[Namespace, Namespace, Namespace]]:
    """A client whose bridge joins two hosts, each with eth9; nobody has an address but the client,
    and ``lo`` is up everywhere."""
    with ExitStack() as stack:
        client, *servers = (Namespace() for _ in range(3))
        for one in (client, *servers):
            stack.callback(one.close)
            one.raise_lo()
        client.ip("link add br0 type bridge")
        for number, server in enumerate(servers):
            client.ip(f"link add port{number} type veth peer name eth9 netns {server.path}")
            client.ip(f"link set port{number} master br0 up")
            server.ip("link set eth9 up")
        client.ip("link set br0 up")
        for family, address in CLIENT.items():
            nodad = " nodad" if family == socket.AF_INET6 else ""
            client.ip(f"addr add {address}/{LENGTH[family]} dev br0{nodad}")
        yield client, servers[0], servers[1]


def give(host: Namespace, family: socket.AddressFamily) -> None:
    """The host gets our address."""
    nodad = " nodad" if family == socket.AF_INET6 else ""
    host.ip(f"addr add {OURS[family]}/{LENGTH[family]} dev eth9{nodad}")


def connected(
    stack: ExitStack, client: Namespace, host: Namespace, family: socket.AddressFamily
) -> tuple[socket.socket, Connection]:
    """The client's end of a connection to our address, and the connection as the host has it."""
    with host:
        listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
        listener.bind((OURS[family], 0))
        listener.listen()
    with client:
        one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
    one.settimeout(WAIT)
    one.connect(listener.getsockname())
    other, _ = listener.accept()
    stack.enter_context(other)
    own, peer = (
        socket.inet_pton(family, name[0]) for name in (other.getsockname(), other.getpeername())
    )
    return one, Connection(own, other.getsockname()[1], peer, other.getpeername()[1])


@FAMILIES
def test_a_peer_that_waits_learns_of_it(
    hosts: tuple[Namespace, Namespace, Namespace], family: socket.AddressFamily
) -> None:
    """The host that takes the address sends tickles for what the dead one had put into the store:
    a peer that only reads is reset at once; without a tickle it would wait for ever."""
    client, dead, taker = hosts
    with ExitStack() as stack:
        give(dead, family)
        one, known = connected(stack, client, dead, family)
        with dead:
            found = established({known.address})
        assert found == [known]
        value = encode(found)
        dead.ip("link set eth9 down")
        give(taker, family)
        client.ip("neigh flush dev br0")
        tickler = Tickler()
        stack.callback(tickler.close)
        poll = select.poll()
        poll.register(one, select.POLLIN)
        wanted = decode(value, {known.address})

        def told() -> bool:
            with taker:
                assert tickler.send(wanted) == 1
            return bool(poll.poll(200))

        assert not poll.poll(0)
        until(told, WAIT)
        with pytest.raises(ConnectionResetError):
            one.recv(1)


@FAMILIES
def test_no_harm_to_a_connection_that_is_there(
    hosts: tuple[Namespace, Namespace, Namespace], family: socket.AddressFamily
) -> None:
    """A tickle for a connection that did not end changes nothing."""
    client, host, _ = hosts
    with ExitStack() as stack:
        give(host, family)
        one, known = connected(stack, client, host, family)
        with host:
            tickler = Tickler()
            stack.callback(tickler.close)
            assert tickler.send([known]) == 1
            assert established({known.address}) == [known]
            assert established({b"\1\2\3\4"}) == []
        one.send(b"still here")
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


@FAMILIES
def test_tracked(
    hosts: tuple[Namespace, Namespace, Namespace], family: socket.AddressFamily
) -> None:
    """Connection tracking knows the same connection, where it is in use."""
    client, host, _ = hosts
    table = "ip" if family == socket.AF_INET else "ip6"
    hook = "type filter hook input priority 0"
    rules = f"table {table} watch {{\n chain in {{\n {hook};\n ct state new accept\n }}\n }}\n"
    if not shutil.which("nft"):
        pytest.skip("nft is not installed")
    host.run(["nft", "-f", "-"], input=rules)
    with ExitStack() as stack:
        give(host, family)
        one, known = connected(stack, client, host, family)
        one.send(b"x")
        with host:
            until(lambda: tracked({known.address}) == [known], WAIT)
            assert tracked({b"\1\2\3\4"}) == []


@FAMILIES
def test_an_agent_publishes_them(
    hosts: tuple[Namespace, Namespace, Namespace], family: socket.AddressFamily, tmp_path: Path
) -> None:
    """What the process of an agent collects in its namespace goes to the store."""
    client, host, _ = hosts
    agent = Agent(Settings("a", 100, 5), "/netalias", Tokens(str(tmp_path)), lambda: 0.0)
    tickling = process._tickling(agent, "/netalias", "a")
    agent.holdings.states["web", OURS[family]] = State(HELD, 0.0)
    with ExitStack() as stack:
        give(host, family)
        _, known = connected(stack, client, host, family)
        with host:
            tickling.tick(0.0)
    (asked,) = agent.outbox.requests
    assert isinstance(asked.request, Change)
    (put,) = asked.request.operations
    assert isinstance(put, Put)
    assert decode(put.value, {known.address}) == [known]


def test_refused(hosts: tuple[Namespace, Namespace, Namespace]) -> None:
    """A peer to whom there is no route is passed over."""
    with hosts[1]:
        tickler = Tickler()
        own = socket.inet_pton(socket.AF_INET, OURS[socket.AF_INET])
        assert tickler.send([Connection(own, 80, b"\xc0\0\2\1", 5)] * 3) == 3
        tickler.close()
