"""The words for devices, after user-ppp: ``host:port``, ``host:port/udp``, ``/dev/ttyS1``,
``!command``; and two of today: ``link:eth0`` and ``fd:0``. Pure.
"""

from __future__ import annotations

from netalias import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TCP, UDP, TTY, EXEC, LINK, GENERIC = "tcp", "udp", "tty", "exec", "link", "generic"
KINDS = (TCP, UDP, TTY, EXEC, LINK, GENERIC)
"""The kinds of devices; the number of one is its place, from 1 on: 0 would look like none."""

STREAMS = (TCP, TTY, EXEC, GENERIC)
"""Kinds that carry a stream of bytes, in which frames are marked; the others carry datagrams."""

ANYWHERE = ("*", "0.0.0.0", "::")
"""Hosts that mean any: such a device waits for its peer."""

DIGITS = 9
"""Digits of the number of a descriptor at most: it is an int of C."""
MAPPED = "::ffff:"
"""In front of an address of IPv4 at a socket of IPv6."""

PORT_MAX = 65535
NAME_MAX = 15
"""Characters of the name of a network device (IFNAMSIZ of linux/if.h, less the NUL)."""


class Device:
    """The meaning of one word.

    ``place`` is a host, a path, a command, the name of a network device, or a descriptor as a
    number; ``port`` a number or the name of a service, of tcp and udp only.
    """

    __slots__ = ("kind", "place", "port", "word")

    def __init__(self, word: str, kind: str, place: str, port: str = "") -> None:
        self.word = word
        self.kind = kind
        self.place = place
        self.port = port

    @property
    def number(self) -> int:
        """The number of the kind, from 1 on."""
        return KINDS.index(self.kind) + 1

    @property
    def passive(self) -> bool:
        """Whether it waits for its peer."""
        return self.kind in (TCP, UDP) and self.place in ANYWHERE

    @property
    def stream(self) -> bool:
        """Whether it carries a stream of bytes."""
        return self.kind in STREAMS

    @property
    def inherited(self) -> bool:
        """Whether it is a descriptor that the process was started with, of a kind to be found."""
        return self.kind == GENERIC


def parse(word: str) -> Device:
    """The device that *word* means. Raises UsageError."""
    for claim in HANDLERS:
        found = claim(word)
        if found is not None:
            return found
    if ":" in word:
        raise errors.UsageError(
            f"{word}: neither HOST:PORT, HOST:PORT/tcp nor HOST:PORT/udp",
            "an IPv6 address stands in brackets: [::1]:6669/udp",
        )
    raise errors.UsageError(f"{word}: a device must begin with '/', '!' or contain ':'")


def _path(word: str) -> Device | None:
    return Device(word, TTY, word) if word.startswith("/") else None


def _command(word: str) -> Device | None:
    if not word.startswith("!"):
        return None
    if not word[1:].strip():
        raise errors.UsageError(f"{word}: a command follows the '!'")
    return Device(word, EXEC, word[1:])


def _interface(word: str) -> Device | None:
    """``link:eth0``. With a suffix it is a host of this name."""
    head, _, name = word.partition(":")
    if head != LINK or "/" in name:
        return None
    if not name or len(name) > NAME_MAX or name != "".join(name.split()) or ":" in name:
        raise errors.UsageError(f"{word}: {name or 'nothing'}: not the name of a network device")
    return Device(word, LINK, name)


def _descriptor(word: str) -> Device | None:
    """``fd:3``."""
    head, _, number = word.partition(":")
    if head != "fd" or "/" in number:
        return None
    if not (number.isascii() and number.isdecimal() and len(number) <= DIGITS):
        raise errors.UsageError(f"{word}: the number of a descriptor is needed")
    return Device(word, GENERIC, str(int(number)))


def _transport(word: str) -> Device | None:
    """``HOST:PORT``, with ``/tcp`` or ``/udp`` in any case; another suffix is of nobody."""
    address, _, suffix = word.partition("/")
    kind = suffix.lower() if "/" in word else TCP
    host, port = _split(address)
    if kind not in (TCP, UDP) or not host or not port:
        return None
    if port.isdecimal() and not (port.isascii() and 0 < int(port) <= PORT_MAX):
        raise errors.UsageError(f"{word}: a port is a number from 1 to {PORT_MAX}")
    return Device(word, kind, host, port)


def _split(address: str) -> tuple[str, str]:
    """Host and port; both empty unless there is exactly one colon outside of brackets."""
    if address.startswith("["):
        host, closed, port = address[1:].partition("]:")
        return (host, port) if closed and ":" not in port else ("", "")
    host, _, port = address.partition(":")
    return (host, port) if address.count(":") == 1 else ("", "")


HANDLERS: tuple[Callable[[str], Device | None], ...] = (
    _path,
    _command,
    _interface,
    _descriptor,
    _transport,
)
"""Asked in this order: each gives the device of a word that is its own, else None. One that is its
own and wrong raises UsageError: no other is asked then."""


def socket_name(kind: str, host: str, port: int) -> str:
    """``192.0.2.1:6669/udp``; an IPv6 address stands in brackets, unless it is one of IPv4."""
    host = host.removeprefix(MAPPED) if "." in host else host
    place = f"[{host}]" if ":" in host else host
    return f"{place}:{port}/{kind}"
