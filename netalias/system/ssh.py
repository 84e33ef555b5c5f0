"""The SSH session of a command: its local address must not be removed."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton
from os import environ, getpid

VARIABLE = "SSH_CONNECTION"
"""Set by sshd(8): address and port of the client, address and port of the server."""
ANCESTORS = 64
"""Processes between a session and a command at most."""
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
    except OSError:
        return b""
    return packed[12:] if packed.startswith(MAPPED) else packed


def _parent(pid: int) -> int:
    """The parent of a process, 0 if unknown: field 4 of /proc/PID/stat (proc_pid_stat(5)).

    Field 2 may hold blanks and parentheses.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _variable(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            found = file.read().split(b"\0")
    except OSError:
        return ""
    head = VARIABLE.encode() + b"="
    value = next((one[len(head) :] for one in found if one.startswith(head)), b"")
    return value.decode("ascii", "replace")
