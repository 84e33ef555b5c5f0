"""A TUN or TAP device: one descriptor, with the header of virtio before every packet.

The header lets the kernel hand over whole superpackets: up to 64 KiB of one flow, which is cut into
segments later, and whose checksum is not computed yet. ``set_offload()`` asks for them.

Source: linux/if_tun.h, struct virtio_net_hdr of linux/virtio_net.h.
"""

from __future__ import annotations

import os
from _socket import if_nametoindex
from _struct import Struct
from errno import EACCES, EBADFD, EBUSY, EINVAL
from fcntl import ioctl

from netalias import errors

DEVICE = "/dev/net/tun"
CLOSED = f"its mode keeps this user out; the usual one is 0666: chmod 0666 {DEVICE}"
IFNAMSIZ = 16

TUNSETIFF = 0x400454CA
TUNSETOWNER = 0x400454CC
TUNSETOFFLOAD = 0x400454D0
TUNGETIFF = 0x800454D2
TUNSETVNETHDRSZ = 0x400454D8
TUNSETVNETLE = 0x400454DC

IFF_TUN = 0x0001
IFF_TAP = 0x0002
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000

TUN_F_CSUM = 0x01
TUN_F_TSO4 = 0x02
TUN_F_TSO6 = 0x04
TUN_F_USO4 = 0x20
TUN_F_USO6 = 0x40
TCP = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6
UDP = TUN_F_USO4 | TUN_F_USO6
ALL = TCP | UDP
"""Linux has USO since 6.2, for both families or none."""

VNET_HDR = Struct("<BBHHHH")
"""flags, gso_type, hdr_len, gso_size, csum_start, csum_offset."""
NEEDS_CSUM = 1
GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 = 0, 1, 4, 5
PLAIN = VNET_HDR.pack(0, GSO_NONE, 0, 0, 0, 0)
"""The header of a packet that is complete."""
LARGEST = VNET_HDR.size + 65535
"""The longest read in bytes: an IP packet and its header of virtio."""

TAKEN = {
    EBUSY: "another process has this device",
    EINVAL: "a device of another kind has this name",
}
"""The errors of TUNSETIFF for a name that is taken; EINVAL also for a TUN in place of a TAP."""

_IFREQ = Struct("16sH22x")
_INT = Struct("i")


class Tun:
    """A device by its descriptor.

    ``name`` is that of the device, ``tap`` whether it carries Ethernet frames, ``offload`` the
    flags TUN_F_* in force.
    """

    def __init__(self, fd: int, name: str, tap: bool) -> None:
        self._fd = fd
        self.name = name
        self.tap = tap
        self.offload = 0

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def set_offload(self, wanted: int) -> int:
        """Hand over superpackets of these kinds from now on. The flags that the kernel grants."""
        for flags in (wanted, wanted & TCP, 0):
            try:
                ioctl(self._fd, TUNSETOFFLOAD, flags)
            except OSError as error:
                if error.errno != EINVAL or not flags:
                    raise errors.kernel_error(f"{self.name}: offload", error.errno or 0) from None
            else:
                self.offload = flags
                break
        return self.offload

    def read(self) -> bytes:
        """The next packet behind its header of virtio; empty when there is none now. Raises
        StateError when the device is gone."""
        try:
            return os.read(self._fd, LARGEST)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self.gone(error) from None

    def gone(self, error: OSError) -> Exception:
        """The error to raise for one of reading: under load a device is deleted while it is being
        read, more often than while poll(2) waits for it."""
        if error.errno != EBADFD:
            return error
        return errors.StateError(f"{self.name}: the device is gone", errno=EBADFD)

    def write(self, packet: bytes | bytearray | memoryview, header: bytes = PLAIN) -> None:
        """Give the kernel a packet. Raises OSError."""
        os.writev(self._fd, (header, packet))

    def close(self) -> None:
        """Close the descriptor; the last one takes the device with it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def create(name: str, tap: bool = False, offload: bool = True) -> Tun:
    """A new device, which lives as long as a descriptor of it.

    Root owns it: a device without an owner that was made persistent is open to every user.
    Raises LimitError, BadName, AlreadyExists, NotPermitted, KernelError.
    """
    _check(name)
    try:
        fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == EACCES:
            raise errors.NotPermitted(DEVICE, EACCES, hint=CLOSED) from None
        raise errors.kernel_error(DEVICE, error.errno or 0) from None
    flags = (IFF_TAP if tap else IFF_TUN) | IFF_NO_PI | IFF_VNET_HDR
    try:
        ioctl(fd, TUNSETIFF, _IFREQ.pack(name.encode(), flags))
        ioctl(fd, TUNSETOWNER, 0)
        return _ready(Tun(fd, name, tap), offload)
    except OSError as error:
        os.close(fd)
        if error.errno in TAKEN:
            raise errors.AlreadyExists(f"{name}: {TAKEN[error.errno]}") from None
        raise errors.kernel_error(name, error.errno or 0) from None
    except BaseException:
        os.close(fd)
        raise


def adopt(fd: int, offload: bool = True) -> Tun:
    """The device behind a descriptor that another process opened. Raises StateError."""
    name, flags = _asked(fd)
    if not flags & IFF_VNET_HDR or not flags & IFF_NO_PI:
        raise errors.StateError(f"descriptor {fd} was opened in another way", errno=EBADFD)
    os.set_blocking(fd, False)
    return _ready(Tun(fd, name.rstrip(b"\0").decode(), bool(flags & IFF_TAP)), offload)


def is_tap(fd: int) -> bool:
    """Whether the device behind a descriptor carries frames of Ethernet. Nothing of it is changed,
    which others may use. Raises StateError."""
    return bool(_asked(fd)[1] & IFF_TAP)


def index(fd: int) -> int:
    """The index of the device behind a descriptor, in the namespace of this thread; 0 for none."""
    if fd < 0:
        return 0
    try:
        return if_nametoindex(_asked(fd)[0].rstrip(b"\0").decode())
    except (OSError, errors.StateError):
        return 0


def _asked(fd: int) -> tuple[bytes, int]:
    """Name and flags of a device. Raises StateError for any other descriptor."""
    try:
        name, flags = _IFREQ.unpack(ioctl(fd, TUNGETIFF, bytes(_IFREQ.size)))
    except OSError:
        raise errors.StateError(f"descriptor {fd} is no TUN device", errno=EBADFD) from None
    return name, flags


def _ready(tun: Tun, offload: bool) -> Tun:
    ioctl(tun.fileno(), TUNSETVNETHDRSZ, _INT.pack(VNET_HDR.size))
    ioctl(tun.fileno(), TUNSETVNETLE, _INT.pack(1))
    tun.set_offload(ALL if offload else 0)
    return tun


def _check(name: str) -> None:
    """Refuse what the kernel would cut or take for a pattern, and the names of aliases."""
    if len(name.encode()) >= IFNAMSIZ:
        raise errors.LimitError(f"{name}: longer than {IFNAMSIZ - 1} characters")
    if not name or name in (".", "..") or any(one in name for one in ":/% \t\n"):
        raise errors.BadName(f"{name!r} is not a name for a device")
