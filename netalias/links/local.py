"""Devices of this host: terminals, programs, network devices, inherited descriptors."""

from __future__ import annotations

import os
import signal
import socket
import termios
from errno import ENOTSOCK
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock, ioctl

from netalias import errors
from netalias.links.datagram import EthernetLink, UdpLink
from netalias.links.devices import GENERIC, TCP, TTY, UDP, Device, socket_name
from netalias.links.netdev import has_carrier
from netalias.links.state import LinkState
from netalias.links.stream import StreamLink, prepare_tcp
from netalias.system.process import started

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netalias.links.link import Link

    Greets = Callable[[bytes], bool]

ETHERTYPE = 0x88B5
"""The first of the two for local experiments (IEEE 802)."""
ARPHRD_ETHER = 1
TIOCM_CAR = 0x40
"""The line DCD of a modem: asm-generic/termios.h."""
PTMX = os.makedev(5, 2)
"""The one file of all masters of pseudo-terminals: a lock of it would be a lock of all of them."""
SHELL = "/bin/sh"
IFLAG, OFLAG, CFLAG, LFLAG, _ISPEED, _OSPEED, CC = range(7)
"""The indexes in what tcgetattr() gives."""


def open_tty(device: Device, _: Greets) -> Link:
    """A terminal in raw mode, at the speed that it has; it is locked by flock(2), which the
    descriptor takes with it. Raises OSError, StateError."""
    fd = os.open(device.place, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return _terminal(fd, LinkState(device.word, TTY))
    except BaseException:
        os.close(fd)
        raise


def _terminal(fd: int, state: LinkState) -> Link:
    if not os.isatty(fd):
        raise errors.StateError(f"{state.word}: it is no terminal")
    try:
        if os.fstat(fd).st_rdev != PTMX:
            flock(fd, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        raise errors.StateError(f"{state.word}: another process has locked it") from None
    os.set_blocking(fd, False)
    state.modes = termios.tcgetattr(fd)
    termios.tcsetattr(fd, termios.TCSANOW, _raw(termios.tcgetattr(fd)))
    termios.tcflush(fd, termios.TCIFLUSH)
    return StreamLink(fd, state, carrier=lambda: modem_carrier(fd), ending=leave_terminal)


def _raw(modes: list[Any]) -> list[Any]:
    """*modes* without any processing, with the modem's lines ignored: we look at them ourselves."""
    modes[IFLAG] = termios.IGNBRK | termios.IGNPAR
    modes[OFLAG] = 0
    modes[LFLAG] = 0
    cleared = termios.CSIZE | termios.PARENB
    modes[CFLAG] = modes[CFLAG] & ~cleared | termios.CS8 | termios.CREAD | termios.CLOCAL
    modes[CC][termios.VMIN], modes[CC][termios.VTIME] = 1, 0
    return modes


def leave_terminal(fd: int, state: LinkState) -> None:
    """Give a terminal the modes of before, and unlock it."""
    try:
        if state.modes:
            termios.tcsetattr(fd, termios.TCSANOW, state.modes)
        flock(fd, LOCK_UN)  # whoever handed us the descriptor may keep it
    except (OSError, termios.error):
        pass  # the terminal has gone


def modem_carrier(fd: int) -> bool | None:
    """The line DCD; None for a terminal without such lines, as a pseudo-terminal is."""
    try:
        lines = ioctl(fd, termios.TIOCMGET, bytes(4))
    except OSError:
        return None
    return bool(int.from_bytes(lines, "little") & TIOCM_CAR)


def open_command(device: Device, _: Greets) -> Link:
    """A program of the shell on one socket as standard input and output. What it says on standard
    error goes where ours goes. Raises OSError."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        pid = os.posix_spawn(
            SHELL,
            [SHELL, "-c", device.place],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, its.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, its.fileno(), 1),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGINT, signal.SIGCHLD],
            setsigmask=[],
        )
    except BaseException:
        ours.close()
        raise
    finally:
        its.close()
    ours.setblocking(False)
    state = LinkState(device.word, device.kind)
    state.child = (pid, started(pid))
    return StreamLink(ours.detach(), state, ending=end_program)


def end_program(fd: int, state: LinkState) -> None:
    """Hang up: the program and those that it has started get SIGHUP."""
    pid, start = state.child or (0, "")
    if pid and started(pid) == start != "":
        try:
            os.killpg(pid, signal.SIGHUP)
        except ProcessLookupError:
            pass
    try:
        os.waitpid(pid, os.WNOHANG)
    except (ChildProcessError, ProcessLookupError):
        pass  # another process has started it


def open_ethernet(device: Device, greets: Greets) -> Link:
    """Frames of ETHERTYPE on one network device. Raises OSError, StateError."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 0)
    try:
        made.bind((device.place, ETHERTYPE))
        if made.getsockname()[3] != ARPHRD_ETHER:
            raise errors.StateError(f"{device.word}: {device.place} is no Ethernet")
    except BaseException:
        made.close()
        raise
    state = LinkState(device.word, device.kind)
    name = device.place
    return EthernetLink(made, state, carrier=lambda: has_carrier(name), greets=greets)


def open_inherited(device: Device, greets: Greets) -> Link:
    """The descriptor that the process was started with, whatever is behind it: a socket has the
    name of its peer. Raises OSError, StateError."""
    try:
        fd = os.dup(int(device.place))
    except OSError as error:
        raise errors.StateError(f"{device.word}: {error.strerror}") from None
    try:
        made = socket.socket(fileno=fd)
    except OSError as error:
        if error.errno == ENOTSOCK:
            return _no_socket(fd, device)
        os.close(fd)
        raise errors.StateError(f"{device.word}: {error.strerror}") from None
    made.setblocking(False)
    return _of_socket(made, device, greets)


def _no_socket(fd: int, device: Device) -> Link:
    """The same about a descriptor of ours, which is closed if it cannot be used."""
    try:
        if os.isatty(fd):
            return _terminal(fd, LinkState(device.word, TTY, os.ttyname(fd)))
        os.set_blocking(fd, False)
        return StreamLink(fd, LinkState(device.word, GENERIC))
    except BaseException:
        os.close(fd)
        raise


def _of_socket(made: socket.socket, device: Device, greets: Greets) -> Link:
    internet = made.family in (socket.AF_INET, socket.AF_INET6)
    try:
        peer = made.getpeername()
    except OSError:
        peer = ()
    if made.type == socket.SOCK_STREAM:
        if internet and not peer:
            made.close()
            raise errors.StateError(f"{device.word}: the socket is not connected")
        if internet:
            prepare_tcp(made)
        name = socket_name(TCP, *peer[:2]) if internet else ""
        state = LinkState(device.word, TCP if internet else GENERIC, name)
        return StreamLink(made.detach(), state)
    if made.type != socket.SOCK_DGRAM or not internet:
        made.close()
        raise errors.StateError(f"{device.word}: neither a stream nor a UDP socket")
    state = LinkState(device.word, UDP, socket_name(UDP, *peer[:2]) if peer else "")
    state.peer = tuple(peer[:2])
    state.passive = not peer
    return UdpLink(made, state, greets=greets)
