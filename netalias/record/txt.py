"""A service record as the data of a DNS-SD service: the strings of its TXT record (RFC 6763). Pure.

::

    txtvers=1 ifname=tap0 proto=0800,0806,86dd nettype=4 rate=1250000 avail=255
    ipv4=10.7.0.0/24,10.8.0.0/16 ipv6=2001:db8:7::/64

What is not known, and a family without subnets, has no string. Subnets that do not fit into one
string go on in ``ipv4.2``, ``ipv4.3`` and so on; ``more`` is the number of those that had no room.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netalias.record import Record

VERSION = "1"
STRING = 255
"""Bytes of a string at most (RFC 1035)."""
MOST = 1300
"""Bytes of all strings at most, with their lengths: so the answer fits into one packet (RFC 6763,
6.2)."""
RESERVED = len("\0more=999999999")


def strings(record: Record) -> list[bytes]:
    """The strings, ``key=value`` each."""
    values = {
        "txtvers": VERSION,
        "ifname": record.name,
        "proto": ",".join(f"{one:04x}" for one in record.protocols),
        "nettype": str(record.net_type),
        "rate": str(record.rate or ""),
        "avail": str(record.availability),
    }
    found = [f"{key}={value}".encode() for key, value in values.items() if value]
    room = MOST - RESERVED - sum(len(one) + 1 for one in found)
    left = 0
    for key, subnets in (("ipv4", record.ipv4), ("ipv6", record.ipv6)):
        for string, count in _split(key, subnets):
            if len(string) < room:
                room -= len(string) + 1
                found.append(string)
            else:
                left += count
    return [*found, f"more={left}".encode()] if left else found


def _split(key: str, subnets: Sequence[str]) -> Iterator[tuple[bytes, int]]:
    """The strings of the subnets of one family, and how many each has."""
    number, words, length = 1, list[str](), 0
    for subnet in subnets:
        name = key if number == 1 else f"{key}.{number}"
        if words and len(name) + 1 + length + len(subnet) > STRING:
            yield f"{name}={','.join(words)}".encode(), len(words)
            number, words, length = number + 1, [], 0
        words.append(subnet)
        length += len(subnet) + 1
    if words:
        name = key if number == 1 else f"{key}.{number}"
        yield f"{name}={','.join(words)}".encode(), len(words)


def text(record: Record) -> bytes:
    """The strings, one a line."""
    return b"".join(one + b"\n" for one in strings(record))


def packed(record: Record) -> bytes:
    """The data of the TXT record: each string behind its length."""
    return b"".join(bytes((len(one),)) + one for one in strings(record))
