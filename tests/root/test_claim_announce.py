"""What a child announces after its command has ended."""

from __future__ import annotations

import socket

from command import Command

ETH_P_ARP = 0x0806
COUNT = 1500
RATE = 200
"""Two frames for each address: announcing them takes 15 seconds, in which they have to go."""


def test_what_has_gone_is_not_announced_any_more(cli: Command) -> None:
    """At a rate that lasts longer than the addresses, the child stops telling of them."""
    peer = cli.namespace.peer
    assert peer is not None
    with peer:
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    with heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        heard.bind(("p9", ETH_P_ARP))
        heard.settimeout(20)
        declared = f"eth9:0-{COUNT - 1} 10.0.0.0/32+ kind label\n"
        done = cli.run("--rate", str(RATE), "reconcile", "-", input=declared)
        assert (done.returncode, done.stderr) == (0, "")
        heard.recv(64)
        cli("reconcile", "--allow-empty", "/dev/null")
        told = 1
        heard.settimeout(4)  # the child looks every second
        try:
            while heard.recv(64):
                told += 1
        except TimeoutError:
            pass
        assert told < 2 * COUNT
