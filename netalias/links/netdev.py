"""A network device by its name: its flags, MTU and carrier, by ioctl(2), in the namespace of the
calling thread (netdevice(7)).
"""

from __future__ import annotations

import socket
from _struct import Struct
from fcntl import ioctl

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netalias.tunnels.tun import Tun

SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU = 0x8913, 0x8914, 0x8922
"""linux/sockios.h"""
IFF_UP, IFF_RUNNING = 0x1, 0x40
TUNSETCARRIER = 0x400454E2
"""linux/if_tun.h, since Linux 5.0."""
_FLAGS, _MTU, _INT = Struct("16sH22x"), Struct("16si20x"), Struct("i")


def has_carrier(name: str) -> bool:
    """Whether a device is there, up, and has a carrier."""
    try:
        flags = _flags(name)
    except OSError:
        return False
    return flags & (IFF_UP | IFF_RUNNING) == IFF_UP | IFF_RUNNING


def raise_device(name: str, mtu: int) -> None:
    """Set the MTU of a device, and take it up. Raises KernelError."""
    try:
        set_mtu(name, mtu)
        _asked(SIOCSIFFLAGS, _FLAGS.pack(_bytes(name), _flags(name) | IFF_UP))
    except OSError as error:
        raise errors.kernel_error(name, error.errno or 0) from None


def set_mtu(name: str, mtu: int) -> None:
    """Set the MTU of a device. Raises OSError."""
    _asked(SIOCSIFMTU, _MTU.pack(_bytes(name), mtu))


def set_carrier(tun: Tun, present: bool) -> None:
    """Give a TUN device a carrier, or take it away; before Linux 5.0 it always has one."""
    try:
        ioctl(tun.fileno(), TUNSETCARRIER, _INT.pack(present))
    except OSError:
        pass


def _flags(name: str) -> int:
    flags: int = _FLAGS.unpack(_asked(SIOCGIFFLAGS, _FLAGS.pack(_bytes(name), 0)))[1]
    return flags


def _asked(request: int, ifreq: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        return ioctl(asking, request, ifreq)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
