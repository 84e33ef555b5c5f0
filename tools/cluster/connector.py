"""Connections over TCP to addresses that float: the end that asks, and the end that answers.

``connector.py serve NAME`` on every host tells the name of the host to everybody who connects.
``connector.py ask FILE PERIOD ADDRESS...`` connects to each address in every period, by the caches
of its kernel as any program does, and writes FILE when standard input ends: what ``read`` reads.
A connection that has no name after PATIENCE seconds is given up; none is tried twice.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import struct
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from asker import Trace
from judge import Answer

PORT = 7
PATIENCE = 0.5
RESET = struct.pack("=2i", 1, 0)
"""struct linger: close() sends a reset, so that no connection waits and no port is used up."""


def serve(name: str) -> int:
    """Tell the name until killed."""
    inet6 = socket.AF_INET6
    with socket.create_server(
        ("::", PORT), family=inet6, backlog=512, dualstack_ipv6=True
    ) as server:
        print("ready", flush=True)
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(name.encode())


class Connector:
    """The connections of all rounds, and who answered."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._poll = select.epoll()
        self._open: dict[int, tuple[socket.socket, str, int, float]] = {}
        self.rounds: list[float] = []
        self.answers: list[tuple[float, str, str, int]] = []

    def round(self) -> None:
        """One connection to each address."""
        now = time.time()
        self.rounds.append(now)
        for address in self._addresses:
            made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            made.connect_ex((address, PORT))  # what fails is told by the poll, or given up
            self._open[made.fileno()] = made, address, len(self.rounds) - 1, now
            self._poll.register(made, select.EPOLLIN)

    def hear(self, seconds: float) -> None:
        """The answers of the next *seconds*."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            for file, _ in self._poll.poll(left):
                made, address, number, _ = self._open.pop(file)
                with made, suppress(OSError):
                    name = made.recv(64).decode()
                    if name:
                        self.answers.append((time.time(), address, name, number))
            if not left:
                break
        late = time.time() - PATIENCE
        for file in [file for file, one in self._open.items() if one[3] < late]:
            self._open.pop(file)[0].close()


def ask(path: str, period: str, *addresses: str) -> int:
    """See above."""
    gc.disable()
    connector = Connector(addresses)
    due = time.monotonic()
    while not select.select([sys.stdin], [], [], 0)[0]:
        connector.round()
        due = max(due + float(period), time.monotonic())
        connector.hear(due - time.monotonic())
        if len(connector.rounds) == 1:
            print("ready", flush=True)
    connector.hear(PATIENCE)
    Path(path).write_text(json.dumps([connector.rounds, connector.answers]), encoding="ascii")
    return 0


def read(path: Path) -> Trace:
    """A file of ask(); hosts have their names in the place of MACs."""
    rounds, answers = json.loads(path.read_text(encoding="ascii"))
    return Trace(rounds, [Answer(*one) for one in answers], [], 0)


if __name__ == "__main__":
    sys.exit(serve(sys.argv[2]) if sys.argv[1] == "serve" else ask(*sys.argv[2:]))
