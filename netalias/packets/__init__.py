"""ARP and neighbour discovery on the wire: a library without any notion of aliases.

::

    __init__.py     frames from byte templates, a sending socket, one announcement
    spec.py         the layouts as constructs; loaded by tests and tools only
    parse.py        decoder: a frame -> a Message, or PacketError
    bpf.py          socket filters, and their assembler
    socket.py       a receiving packet socket on one device
    pacing.py       frames over many devices at a rate, over one socket
    acd.py          address conflict detection (RFC 5227) as a state machine: no socket, no clock
    probe.py        acd.py over sockets: the IPv4 addresses that are in use
    dad.py          the same for IPv6 (RFC 4862): the kernel probes, its verdict is awaited
    announce.py     thousands of announcements
    ip.py           IPv4, IPv6, ICMP errors and checksums of packets that tunnels carry
    respond.py      answers for whole networks: the filter, the frames, the socket
    tickle.py       segments of TCP to peers of an address that has moved

Layouts: RFC 826 over Ethernet II, RFC 4861 4.4 and 4.6.1. Frames have no padding: drivers add it.
Numbers are those of linux/if_ether.h, linux/if_arp.h and RFC 4861; addresses and MACs are packed
bytes in network order (6 bytes a MAC, 4 an IPv4 address, 16 an IPv6 address), devices are indexes,
times seconds.

The last close of a packet socket waits for a grace period of RCU (synchronize_net in
packet_release, net/packet/af_packet.c): 12 ms and more, each. So sockets are few, and a process
that is about to end leaves the close to a child (``leave``).
"""

from __future__ import annotations

from _socket import AF_PACKET, SOCK_CLOEXEC, SOCK_RAW, htons, if_indextoname, if_nametoindex
from _socket import socket as _Socket  # netalias.packets.socket is a module of ours
from errno import EACCES, ENETDOWN, ENODEV, ENXIO, EPERM
from posix import _exit, closerange, fork

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


# Ethernet types (linux/if_ether.h), ARP operations (linux/if_arp.h), ICMPv6 types (RFC 4861, 4).
ETH_P_ALL = 0x0003
ETH_P_ARP = 0x0806
ETH_P_8021Q = 0x8100
ETH_P_IPV6 = 0x86DD

ARPOP_REQUEST = 1
ARPOP_REPLY = 2

NEIGHBOR_SOLICITATION = 135
NEIGHBOR_ADVERTISEMENT = 136

# Parts of frames, in network order.
_EVERYBODY = b"\xff\xff\xff\xff\xff\xff"
_ARP = b"\x08\x06\x00\x01\x08\x00\x06\x04\x00"
"""ETH_P_ARP, ARPHRD_ETHER, ETH_P_IP, both lengths, and the upper byte of the operation."""
_REQUEST = _ARP + b"\x01"
_REPLY = _ARP + b"\x02"
_NOBODY = b"\0\0\0\0\0\0"
_ANY = b"\0\0\0\0"
_ALL_NODES_MAC = b"\x33\x33\x00\x00\x00\x01"
_IPV6 = b"\x86\xdd\x60\x00\x00\x00\x00\x20\x3a\xff"
"""ETH_P_IPV6, version 6, 32 bytes of payload, ICMPv6, hop limit 255."""
_ADVERTISEMENT = b"\xff\x02" + b"\0" * 13 + b"\x01\x88\x00"
"""ff02::1, type and code."""
_OVERRIDE = b"\x20\x00\x00\x00"
_LINK_LAYER = b"\x02\x01"
"""Option target link-layer address, of eight bytes."""
_SUM = 32 + 58 + 0xFF02 + 0x0001 + 0x8800 + 0x2000 + 0x0201
"""Sum of the constant words of an advertisement and its pseudo header."""

NEAR = 64
"""Macvlans of a main device up to which each announces itself over its own device
(announce.py)."""

_DESCRIPTORS = 1 << 20
"""Upper limit of the descriptors of a process (NR_OPEN of linux/fs.h)."""


def arp_probe(mac: bytes, address: bytes) -> bytes:
    """An ARP probe (RFC 5227, 2.1.1): a request from *mac* with an empty sender address."""
    return _EVERYBODY + mac + _REQUEST + mac + _ANY + _NOBODY + address


def arp_request(mac: bytes, address: bytes) -> bytes:
    """An ARP announcement (RFC 5227, 2.3): a request with equal sender and target."""
    return _EVERYBODY + mac + _REQUEST + mac + address + _NOBODY + address


def arp_reply(mac: bytes, address: bytes) -> bytes:
    """A gratuitous ARP reply to the broadcast address, for devices that ignore the request.

    The target's MAC is the sender's (RFC 5944, 4.6): Linux accepts no other as gratuitous
    (arp_is_garp in net/ipv4/arp.c).
    """
    return _EVERYBODY + mac + _REPLY + mac + address + mac + address


def advertisement(mac: bytes, address: bytes) -> bytes:
    """An unsolicited neighbour advertisement to all nodes (RFC 4861, 7.2.6), override set.

    The router flag is clear: hosts drop a default router that clears it, which concerns only the
    link-local address by which a router is known.
    """
    # Modulo 0xFFFF a number is congruent to the sum of its 16-bit words, so the checksum of
    # RFC 1071 is a remainder.
    total = _SUM + 2 * int.from_bytes(address, "big") + int.from_bytes(mac, "big")
    checksum = (-total % 0xFFFF).to_bytes(2, "big")
    head = _ALL_NODES_MAC + mac + _IPV6 + address + _ADVERTISEMENT
    return head + checksum + _OVERRIDE + address + _LINK_LAYER + mac


def arp_probes(mac: bytes, addresses: Iterable[bytes]) -> list[bytes]:
    """The ARP probes from *mac* for *addresses*."""
    head = arp_probe(mac, b"")
    return [head + address for address in addresses]


def announcements(mac: bytes, address: bytes) -> tuple[bytes, ...]:
    """The frames that announce an address: two for IPv4, one for IPv6."""
    if len(address) == 16:
        return (advertisement(mac, address),)
    return arp_request(mac, address), arp_reply(mac, address)


def single(name: str, mac: bytes, address: bytes, *, over: str = "", aside: bool = False) -> None:
    """Announce the packed *address* once, over the device with the primary name *name*.

    An empty *mac* stands for that of the device. The device *over* sends, if it is given. With
    *aside* a child closes the socket (``leave``), for a process of one thread that is about to end.
    Raises NotPermitted, MainDown, NoSuchDevice, KernelError.
    """
    try:
        sender = opened()
        try:
            bind(sender, name, 0)  # protocol 0: it receives nothing
            frames = announcements(mac or sender.getsockname()[4], address)
            if over:
                bind(sender, over, 0)
            for frame in frames:
                sender.send(frame)
            if aside:
                leave(sender.fileno())
        finally:
            sender.close()
    except OSError as error:
        raise refused(name, error) from None


def bind(to: _Socket, name: str, protocol: int) -> None:
    """Bind a packet socket to the device with this name. Raises OSError."""
    try:
        to.bind((name, protocol))
    except UnicodeEncodeError:
        _bind_by_index(to.fileno(), name, protocol)


def _bind_by_index(file: int, name: str, protocol: int) -> None:
    """bind(2) with struct sockaddr_ll of linux/if_packet.h, for a name that is not UTF-8.

    Python takes only names in UTF-8. Raises OSError.
    """
    import ctypes
    from _struct import pack

    place = pack("=HHiHBB8x", AF_PACKET, htons(protocol), if_nametoindex(name), 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.bind(file, place, len(place)):
        code = ctypes.get_errno()
        raise OSError(code, "bind")


def name(index: int) -> str:
    """The primary name of the device *index*. Raises NoSuchDevice."""
    try:
        return if_indextoname(index)
    except OSError as error:
        if error.errno in (ENXIO, ENODEV):
            raise errors.NoSuchDevice(f"the device of index {index} has vanished") from None
        raise refused(f"index {index}", error) from None


def opened() -> _Socket:
    """A packet socket for sending, which receives nothing until it is bound. Raises OSError."""
    return _Socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)


def refused(name: str, error: OSError) -> errors.NetaliasError:
    """The error for *error* with the name of the device."""
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
    """Fork a child that inherits these descriptors, so that this process closes them without delay.

    The child closes all others and ends: the grace period of the last close is its own. It is a
    zombie until this process ends.
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
