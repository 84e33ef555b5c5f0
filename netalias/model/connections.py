"""Established connections of TCP, as they are told to another host that takes over an address."""

from __future__ import annotations

from netalias.model import AF_INET, AF_INET6, Value


class Connection(Value):
    """One connection: a packed *address* of this host and its *port*, and those of its *peer*."""

    __slots__ = ("address", "peer", "peer_port", "port")

    def __init__(self, address: bytes, port: int, peer: bytes, peer_port: int) -> None:
        self.address = address
        self.port = port
        self.peer = peer
        self.peer_port = peer_port

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""
        return AF_INET if len(self.address) == 4 else AF_INET6
