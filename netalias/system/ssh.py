"""The SSH session of a command: its local address must not be removed."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton
from os import O_RDONLY, close, environ, getpid, open, read

VARIABLE = "SSH_CONNECTION"
"""Set by sshd(8): address and port of the client, address and port of the server."""
ANCESTORS = 64
"""Processes between a session and a command at most."""
SIZE_MAX = 1 << 17
"""Bytes of an environment that are looked at."""
MAPPED = b"\0" * 10 + b"\xff\xff"
"""RFC 4291, section 2.5.5.2: an IPv4 address in an IPv6 socket."""


def address() -> bytes:
    """The local address of the session, packed; empty without a session.

    sudo(8) removes the variable, so the processes above are searched too.
    """
    value = environ.get(VARIABLE, "")
    pid = getpid()
    for _ in range(ANCESTORS):
        if value or pid <= 1:
            break
        pid = _parent(pid)
        value = _variable(pid)
    words = value.split()
    return _packed(words[2]) if len(words) == 4 else b""


def _packed(text: str) -> bytes:
    text = text.partition("%")[0]
    try:
        packed = inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return b""
    return packed[12:] if packed.startswith(MAPPED) else packed


def _parent(pid: int) -> int:
    """The parent of a process, 0 if unknown: field 4 of /proc/PID/stat (proc_pid_stat(5)).

    Field 2 may hold blanks and parentheses.
    """
    try:
        return int(_content(f"/proc/{pid}/stat").rpartition(b")")[2].split(None, 2)[1])
    except (ValueError, IndexError):
        return 0


def _variable(pid: int) -> str:
    head = b"\0" + VARIABLE.encode() + b"="
    value = (b"\0" + _content(f"/proc/{pid}/environ")).partition(head)[2].partition(b"\0")[0]
    return value.decode("ascii", "replace")


def _content(file: str) -> bytes:
    """The content of a file below /proc, SIZE_MAX bytes at most; empty without one. A file object
    would cost several times as much."""
    try:
        descriptor = open(file, O_RDONLY)
    except OSError:
        return b""
    try:
        return read(descriptor, SIZE_MAX)
    except OSError:
        return b""
    finally:
        close(descriptor)
