"""One announcement, by a process that lives for milliseconds: two modules, one socket, two frames.

The last close of the socket waits for a grace period of RCU, also when the process exits: so it is
left to a child (``leave``) where the process should not live longer than its work.
"""

from __future__ import annotations

from _socket import AF_PACKET, SOCK_CLOEXEC, SOCK_RAW, socket
from errno import EACCES, ENETDOWN, ENODEV, ENXIO, EPERM
from posix import _exit, closerange, fork

from netalias import errors
from netalias.packets import frames

_DESCRIPTORS = 1 << 20
"""More than any process has (NR_OPEN of linux/fs.h)."""


def single(name: str, mac: bytes, address: bytes, *, aside: bool = False) -> None:
    """Announce *address* of *mac* over the device *name* (its primary name), once.

    Both packed; without a *mac* it is that of the device. ``aside``: a child takes the socket along
    and is not waited for; for a process of one thread that is about to end. Raises NotPermitted,
    MainDown, NoSuchDevice, KernelError.
    """
    try:
        sender = opened()
        try:
            bind(sender, name, 0)  # protocol 0: it hears nothing
            for frame in frames.announcements(mac or sender.getsockname()[4], address):
                sender.send(frame)
            if aside:
                leave(sender.fileno())
        finally:
            sender.close()
    except OSError as error:
        raise refused(name, error) from None


def bind(to: socket, name: str, protocol: int) -> None:
    """Bind a packet socket to the device of this name. Raises OSError."""
    try:
        to.bind((name, protocol))
    except UnicodeEncodeError:
        from netalias.packets import octets

        octets.bind(to.fileno(), name, protocol)


def opened() -> socket:
    """A packet socket that sends, and hears nothing until it is bound. Raises OSError."""
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)


def refused(name: str, error: OSError) -> errors.NetaliasError:
    """The error that names the device."""
    code = error.errno or 0
    if code in (EPERM, EACCES):
        hint = "CAP_NET_RAW is needed in this network namespace: try sudo"
        return errors.NotPermitted(f"frames over {name}", code, hint=hint)
    if code == ENETDOWN:
        return errors.MainDown(f"{name} is down")
    if code in (ENXIO, ENODEV):
        return errors.NoSuchDevice(f"{name} has vanished")
    return errors.KernelError(f"frames over {name}", code)


def leave(*files: int) -> None:
    """A child keeps these descriptors, and nothing else, until they are closed here; then it ends.

    What is closed here is not the last reference any more, so nobody waits. The child is a zombie
    until this process ends.
    """
    try:
        if fork():
            return
    except OSError:
        return  # no room for a child: closing takes its time
    begin = 0
    for file in sorted(files):
        closerange(begin, file)
        begin = file + 1
    closerange(begin, _DESCRIPTORS)
    _exit(0)
