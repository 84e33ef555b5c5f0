"""A stand-in for the service manager: it hears sd_notify(3), and keeps descriptors over restarts.

It follows systemd.service(5) for Type=notify, NotifyAccess=main and FileDescriptorStoreMax=.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from support import Namespace, until
from watcher import Watch, watching

from netalias import errors
from netalias.system import descriptors

LAUNCHER = """
import os, sys
sock, names, filenos, *words = sys.argv[1:]
given = [int(one) for one in filenos.split()]
for place, one in enumerate(given):
    os.dup2(one, 3 + place)
    os.close(one)
variables = {"NOTIFY_SOCKET": sock}
if given:
    variables |= {
        "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": names,
    }
os.execve(words[0], words, {**os.environ, **variables})
"""
"""Gives descriptors to a program, from 3 on, with their names: sd_listen_fds(3)."""
BEHIND = 512
"""A number behind all descriptors that a program gets."""


class Manager:
    """The manager of one service, at the socket *path*.

    ``heard`` are the lines of its messages, ``kept`` the descriptors by name. The service is
    stopped (SIGSTOP) while ``look`` is called, as soon as it has said that it is ready.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[list[str]] = []
        self.kept: dict[str, list[int]] = {}
        self.main = 0
        self.look: Callable[[], object] = lambda: None
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._channel.bind(str(path))
        self._channel.settimeout(0.05)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                with descriptors.receive(self._channel) as message:
                    self._hear(message)
            except (TimeoutError, errors.StateError):
                pass

    def _hear(self, message: descriptors.Message) -> None:
        lines = message.content.decode().split("\n")
        words = dict(line.partition("=")[::2] for line in lines)
        if message.pid != self.main and self.main:
            return  # NotifyAccess=main
        self.main = int(words.get("MAINPID", message.pid))
        name = words.get("FDNAME", "stored")
        if "FDSTOREREMOVE" in words:
            descriptors.close(self.kept.pop(name, []))
        elif "FDSTORE" in words:
            self.kept.setdefault(name, []).extend(message.take())
        if "READY" in words:
            os.kill(message.pid, signal.SIGSTOP)
            self.look()
            os.kill(message.pid, signal.SIGCONT)
        self.heard.append(lines)

    def told(self, line: str) -> None:
        """Wait until it has heard a line."""
        until(lambda: any(line in lines for lines in [*self.heard]))

    def keeps(self, *names: str) -> None:
        """Wait until it keeps one descriptor under each of these names, and no other."""
        until(
            lambda: {name: len(kept) for name, kept in self.kept.items()} == dict.fromkeys(names, 1)
        )

    @contextmanager
    def runs(self, namespace: Namespace, texts: Path, *words: str) -> Iterator[Watch]:
        """The service, started with what is kept, once it watches."""
        self.main = 0
        self.heard = []
        kept = [(name, one) for name, every in self.kept.items() for one in every]
        moved = [_behind(one) for _, one in kept]
        names, filenos = ":".join(name for name, _ in kept), " ".join(map(str, moved))
        through = [sys.executable, "-c", LAUNCHER, str(self.path), names, filenos]
        with watching(namespace, texts, *words, through=through, given=moved) as watch:
            descriptors.close(moved)
            yield watch

    def stopped(self) -> None:
        """The service has been stopped: nothing is kept any more."""
        descriptors.close([one for every in self.kept.values() for one in every])
        self.kept = {}

    def close(self) -> None:
        """Hear nothing any more."""
        self._over.set()
        self._thread.join()
        self._channel.close()
        self.stopped()


def _behind(descriptor: int) -> int:
    from fcntl import F_DUPFD, fcntl

    return fcntl(descriptor, F_DUPFD, BEHIND)
