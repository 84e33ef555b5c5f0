"""Names of hosts, asked for as programs of the host do (nsswitch.conf(5))."""

from __future__ import annotations

from _socket import gethostbyname


def inet_address(name: str) -> str:
    """The IPv4 address of a host; *name* itself where there is none."""
    try:
        return gethostbyname(name)
    except (OSError, UnicodeError):
        return name
