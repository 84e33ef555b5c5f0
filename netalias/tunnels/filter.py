"""A program of classic BPF on a TAP: frames that it drops never come to who reads the device.

The kernel puts it on all queues that the device has at that time. A queue that is opened later has
none, and one that is opened without IFF_NO_PI while a program is there cannot be read (EBADFD): so
a program is attached again after every open. It stays when another process has the descriptor.

Source: linux/if_tun.h, linux/filter.h, tun_attach() in drivers/net/tun.c.
"""

from __future__ import annotations

from _struct import Struct
from array import array
from fcntl import ioctl

TUNATTACHFILTER, TUNDETACHFILTER = 0x54D5, 0x54D6
"""Without the direction and the size of struct sock_fprog, which depends on the machine."""
_FPROG = Struct("@HP")
"""struct sock_fprog: the instructions and where they are."""
_WRITES = 1 << 30
"""_IOC_WRITE of asm-generic/ioctl.h."""
INSTRUCTION = 8
STATISTICS = "/proc/self/net/dev"
TX_DROPPED = 11
"""The column of STATISTICS, behind the name."""


def attach(fileno: int, program: bytes) -> None:
    """Let *program*, an array of struct sock_filter, decide from now on; an empty one lets all
    frames pass. Raises OSError: EINVAL for a program that is none or too long, and for a device
    that is no TAP; ENOMEM for what the memory of a socket does not take (net.core.optmem_max)."""
    held = array("B", program or bytes(INSTRUCTION))
    argument = _FPROG.pack(len(program) // INSTRUCTION, held.buffer_info()[0])
    number = TUNATTACHFILTER if program else TUNDETACHFILTER
    ioctl(fileno, _WRITES | _FPROG.size << 16 | number, argument)


def dropped(name: str) -> int:
    """The frames that the kernel did not hand over, of the device *name* of this namespace, since
    it is there: those that a program has dropped, and those for which its queue had no room.
    Raises OSError."""
    with open(STATISTICS, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            found, _, words = line.strip().rpartition(": ")
            if found == name:
                return int(words.split()[TX_DROPPED])
    return 0
