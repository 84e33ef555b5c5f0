"""A TAP device that lives as long as its descriptor, and its media."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support import Namespace

TUN = "/dev/net/tun"
TUNSETIFF = 0x400454CA
IFF_TAP_NO_PI = 0x1002
SIOCETHTOOL = 0x8946
ETHTOOL_GSET = 1
ETHTOOL_SSET = 2


@contextmanager
def tap(namespace: Namespace, name: str) -> Iterator[None]:
    """A device of this name; the test is skipped where none may be made."""
    if not os.access(TUN, os.R_OK | os.W_OK):
        pytest.skip("no tap device may be made here")
    with namespace:  # the device is made in that of the opening
        file = os.open(TUN, os.O_RDWR)
    try:
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP_NO_PI))
        yield
    finally:
        os.close(file)


def set_media(namespace: Namespace, name: str, speed: int, duplex: int = 1) -> None:
    """SIOCETHTOOL with struct ethtool_cmd: Mbit/s, and 1 for full duplex."""
    settings = ctypes.create_string_buffer(44)
    request = struct.pack("16sQ16x", name.encode(), ctypes.addressof(settings))
    with namespace, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        struct.pack_into("=I", settings, 0, ETHTOOL_GSET)
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)
        struct.pack_into("=I", settings, 0, ETHTOOL_SSET)
        struct.pack_into("=HB", settings, 12, speed, duplex)
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)
