"""Which device a program has reached, on the stage of conftest.py.

It has eth9:0, a macvlan called eth9_0, and eth9:1, a label; eth9:7 does not exist.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from command import Command, ip_json
from unpacked import program

MAIN, DEVICE = "eth9", "eth9_0"
ALIAS, LABEL, MISSING = "eth9:0", "eth9:1", "eth9:7"
NOBODY = ""
"""The name is refused."""


def interfaces(cli: Command) -> list[tuple[int, str]]:
    with cli.namespace:
        return socket.if_nameindex()


def name_of(cli: Command, number: int) -> str:
    """The primary name of the device with this index; NOBODY for 0."""
    return dict(interfaces(cli)).get(number, NOBODY)


def ends(cli: Command, *words: str) -> tuple[int, str]:
    """The exit status of a program, and what it says."""
    done = cli.namespace.run(["timeout", "60", *program(words[0]), *words[1:]], check=False)
    return done.returncode, done.stdout + done.stderr


@contextmanager
def running(cli: Command, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A program that stays."""
    found = program(words[0])
    started = cli.namespace.start(
        [*found, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def packet_sockets(cli: Command) -> list[str]:
    """The devices that AF_PACKET sockets are bound to."""
    lines = cli.namespace.run(["cat", "/proc/thread-self/net/packet"]).stdout.splitlines()[1:]
    return [name_of(cli, int(line.split()[4])) for line in lines if line.split()[4] != "0"]


def listening(cli: Command) -> str:
    """The listening sockets, each with its device."""
    return cli.namespace.run(["ss", "-Hltun"]).stdout


def mac(cli: Command, device: str) -> str:
    """The MAC of a device."""
    (found,) = ip_json(cli.namespace, f"link show dev {device}")
    return str(found["address"])
