"""The error queue of a socket: the words of the network about packets sent, as sentences.

Source: ip(7) IP_RECVERR, struct sock_extended_err of linux/errqueue.h.
"""

from __future__ import annotations

from _socket import IPPROTO_IP, IPPROTO_IPV6, MSG_DONTWAIT, MSG_ERRQUEUE
from _struct import Struct
from errno import ECONNREFUSED, EHOSTUNREACH, EMSGSIZE, ENETUNREACH, ENOPROTOOPT
from os import strerror
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Container, Iterable

    from netalias.tunnels.carriage import Source

IP_RECVERR, IPV6_RECVERR = 11, 25
EXTENDED_ERR = Struct("@IBBBxII")
"""ee_errno, ee_origin, ee_type, ee_code, ee_info, ee_data."""
ICMP_ORIGINS = (2, 3)
"""SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6."""
ROOM = 512
"""Bytes of control data, and of the payload that is read with an error."""
AT_ONCE = 64
AGAIN = 60.0
"""Seconds until the same sentence is told once more."""

SENTENCES = {
    ECONNREFUSED: "{peer} has nothing that listens there for {protocol}",
    ENOPROTOOPT: "{peer} does not understand {protocol}: try carriage udp",
    EHOSTUNREACH: "no way to {peer}: the host cannot be reached",
    ENETUNREACH: "no way to {peer}: the network cannot be reached",
}


def switch_on(sock: socket, v6: bool) -> None:
    """Keep errors of this family in the queue from now on."""
    if v6:
        sock.setsockopt(IPPROTO_IPV6, IPV6_RECVERR, 1)
    else:
        sock.setsockopt(IPPROTO_IP, IP_RECVERR, 1)


def entries(sock: socket) -> list[tuple[int, bytes]]:
    """The queued errors, AT_ONCE at most: errno, and the head of the packet that a message of ICMP
    is about. It is empty for an error of this host, which the send has told already."""
    found: list[tuple[int, bytes]] = []
    try:
        while len(found) < AT_ONCE:
            quoted, control, _, _ = sock.recvmsg(ROOM, ROOM, MSG_ERRQUEUE | MSG_DONTWAIT)
            for _, kind, data in control:
                if kind in (IP_RECVERR, IPV6_RECVERR) and len(data) >= EXTENDED_ERR.size:
                    errno, origin, _, _, _, _ = EXTENDED_ERR.unpack_from(data)
                    found.append((errno, quoted if origin in ICMP_ORIGINS else b""))
    except OSError:
        pass  # the queue is empty
    return found


def sentences(
    sock: socket,
    peer: Source | None,
    protocol: str,
    refused: Callable[[bytes, int], object] | None = None,
    ignored: Container[int] = (),
) -> list[str]:
    """The queued errors as sentences, each once, but those of *ignored*. *refused* is called with
    every packet that was sent and refused, as far as it was quoted, and the errno.

    Packets that are too big belong to the search for the MTU of a path: their senders are told.
    """
    found: dict[str, None] = {}
    for errno, quoted in entries(sock):
        if errno in ignored:
            continue
        if quoted and refused is not None:
            refused(quoted, errno)
        if errno != EMSGSIZE:
            text = SENTENCES.get(errno, "{peer}: " + strerror(errno))
            found[text.format(peer=peer[0] if peer else "", protocol=protocol)] = None
    return list(found)


class Told:
    """Sentences for a log that were told lately, and are not told again so soon."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def fresh(self, texts: Iterable[str]) -> list[str]:
        """Those of *texts* that nobody was told within AGAIN seconds."""
        now = self._clock()
        self._until = {text: end for text, end in self._until.items() if end > now}
        found = [text for text in texts if text not in self._until]
        self._until.update(dict.fromkeys(found, now + AGAIN))
        return found
