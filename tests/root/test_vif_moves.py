"""The host of a tunnel gets another address: the tunnel goes on from there, and so do its flows."""

from __future__ import annotations

import socket
from pathlib import Path

from command import Command
from support import PATIENCE, SLOW, Namespace, until
from watcher import watching

OWN, FAR = "198.51.100.7", "192.0.2.1"
PEER = "10.9.0.2"


def received(peer: socket.socket, payload: bytes) -> str:
    """The outer source of the datagram that carries a packet with this payload."""
    while True:
        data, source = peer.recvfrom(2048)
        if data.endswith(payload):
            return str(source[0])


def test_it_goes_on_from_the_new_address(cli: Command, peer: Namespace, tmp_path: Path) -> None:
    """Its device stays, and the socket that is bound to its address; without any address it waits
    for one. The peer here is no netalias: it hears whole packets."""
    here = cli.namespace
    here.ip("addr add 10.9.0.1/24 dev eth9")
    peer.ip(f"addr add {PEER}/24 dev p9")
    file = tmp_path / "file"
    file.write_text(f"vif0 {OWN} to {PEER} carriage udp:7777\n")
    with peer:
        relay = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with relay, watching(here, tmp_path / "net", str(file)) as watch:
        relay.bind((PEER, 7777))
        relay.settimeout(PATIENCE * SLOW)
        until(lambda: "vif0" in here.names())
        index = here.ip("-o link show vif0").split(":")[0]
        with here:
            program = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with program:
            program.bind((OWN, 0))
            program.connect((FAR, 9))
            program.send(b"first")
            assert received(relay, b"first") == "10.9.0.1"
            here.ip("addr del 10.9.0.1/24 dev eth9")
            watch.says("vif0: no address leads to its peer")
            here.ip("addr add 10.9.0.3/24 dev eth9")
            watch.says("vif0: goes on from 10.9.0.3")
            program.send(b"second")
            assert received(relay, b"second") == "10.9.0.3"
            here.ip("addr add 10.9.0.4/24 dev eth9")
            here.ip("addr add 10.9.0.5/32 dev lo")  # neither concerns it
            program.send(b"third")
            assert received(relay, b"third") == "10.9.0.3"
        assert here.ip("-o link show vif0").split(":")[0] == index
