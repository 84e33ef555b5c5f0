"""What a child announces after its command has ended."""

from __future__ import annotations

import socket

from command import Command, ip_json

ETH_P_ARP = 0x0806
COUNT = 1500
FEW = 100
RATE = 200
"""Two frames for each address: announcing them takes 15 seconds, in which they have to go."""


def listening(cli: Command) -> socket.socket:
    """A socket that hears every ARP frame at the peer, with room for all."""
    assert cli.namespace.peer is not None
    with cli.namespace.peer:
        heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ARP))
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    heard.bind(("p9", ETH_P_ARP))
    return heard


def test_what_has_gone_is_not_announced_any_more(cli: Command) -> None:
    """At a rate that lasts longer than the addresses, the child stops telling of them."""
    with listening(cli) as heard:
        heard.settimeout(20)
        declared = f"eth9:0-{COUNT - 1} 10.0.0.0/32+ kind label\n"
        done = cli.run("--rate", str(RATE), "reconcile", "-", input=declared)
        assert (done.returncode, done.stderr) == (0, "")
        heard.recv(64)
        cli("reconcile", "--allow-empty", "/dev/null")
        told = 1
        heard.settimeout(1)
        try:
            while heard.recv(64):
                told += 1
        except TimeoutError:
            pass
        assert told < 2 * COUNT


def test_a_later_command_has_the_last_word(cli: Command) -> None:
    """An address that moves while a child still announces it is known by its new MAC."""
    macs: dict[bytes, str] = {}
    with listening(cli) as heard:
        heard.settimeout(2)
        for kind, rate in (("macvlan", 50), ("label", 0)):
            declared = f"eth9:0-{FEW - 1} 10.0.0.1/24+ kind {kind}\n"
            done = cli.run("--rate", str(rate), "reconcile", "-", input=declared)
            assert (done.returncode, done.stderr) == (0, "")
        try:
            while frame := heard.recv(64):
                if frame[28:32] == frame[38:42]:  # a gratuitous one
                    macs[frame[28:32]] = frame[6:12].hex(":")
        except TimeoutError:
            pass
    assert len(macs) == FEW
    assert set(macs.values()) == {ip_json(cli.namespace, "link show dev eth9")[0]["address"]}
