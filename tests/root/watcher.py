"""A running ``netalias watch``, and what can be known of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from select import select

from command import COMMAND, SECONDS
from support import PATIENCE, SLOW, Namespace, until

from netalias.kernel.netlink.monitor import Monitor
from netalias.model.events import Event

HEADER = "device           family address".ljust(63) + "\n"


class Watch:
    """``netalias watch`` in a namespace, with texts in *folder*, and its log. *through* are the
    words of a program that executes the rest, and inherits the descriptors *given*."""

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        *words: str,
        through: Sequence[str] = (),
        given: Sequence[int] = (),
    ) -> None:
        self.namespace = namespace
        self.folder = folder
        self.said: list[str] = []
        self.process = namespace.start(
            [*through, *COMMAND, "watch", "--texts", str(folder), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=given,
        )
        assert self.process.stderr is not None
        self._err = self.process.stderr.fileno()
        self._text = b""

    def line(self) -> str:
        """The next line on standard error."""
        while b"\n" not in self._text:
            data = self._read()
            assert data, f"it ended with {self.process.wait()}: {self.said}"
            self._text += data
        line, _, self._text = self._text.partition(b"\n")
        self.said.append(line.decode())
        return self.said[-1]

    def _read(self) -> bytes:
        """What comes next on standard error; nothing at its end."""
        assert select([self._err], [], [], PATIENCE * SLOW)[0], f"nothing after {self.said}"
        return os.read(self._err, 65536)

    def says(self, part: str) -> str:
        """The next line that has *part* in it."""
        while part not in self.line():
            pass
        return self.said[-1]

    def rest(self) -> list[str]:
        """All lines that it has ever written, once it has ended."""
        data = b"".join(iter(self._read, b""))
        text, self._text = self._text + data, b""
        self.said += text.decode().splitlines()
        return self.said

    def aliases(self) -> list[str]:
        """The names in the text of the folder."""
        text = (self.folder / "aliases").read_text()
        assert text.startswith(HEADER)
        return [line.split()[0] for line in text.splitlines()[1:]]

    def shows(self, *names: str) -> None:
        """The text comes to hold just these names, in this order."""
        until(lambda: self.aliases() == list(names))

    def ask(self, word: str) -> str:
        """The answer of its socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(SECONDS)
            client.connect(f"{self.folder}.sock")
            client.sendall(f"{word}\n".encode())
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


@contextmanager
def watching(
    namespace: Namespace,
    folder: Path,
    *words: str,
    ready: bool = True,
    through: Sequence[str] = (),
    given: Sequence[int] = (),
) -> Iterator[Watch]:
    """A watcher that watches."""
    watch = Watch(namespace, folder, *words, through=through, given=given)
    try:
        if ready:
            watch.says("watching: ")
        yield watch
    finally:
        watch.process.kill()
        watch.process.wait()
        assert watch.process.stderr is not None
        watch.process.stderr.close()


@contextmanager
def successor(watch: Watch, *words: str) -> Iterator[Watch]:
    """A watcher that takes over from *watch*, which has ended."""
    with watching(watch.namespace, watch.folder, "--takeover", *words) as found:
        watch.says(f"pid {found.process.pid} watches from now on")
        assert watch.process.wait(PATIENCE * SLOW) == 0
        yield found


class Events:
    """The events of a namespace from now on."""

    def __init__(self, namespace: Namespace) -> None:
        with namespace:
            self._monitor = Monitor(media=False)
        for _ in self._monitor.start():
            pass
        self.all: list[Event] = []

    def until(self, found: Callable[[Sequence[Event]], object]) -> list[Event]:
        """All events up to now, once *found* says yes to them."""
        while not found(self.all):
            ready = select(self._monitor.filenos(), [], [], PATIENCE * SLOW)[0]
            assert ready, f"nothing more happens after {self.all}"
            self.all += self._monitor.read()
        return self.all

    def close(self) -> None:
        """Close the monitor."""
        self._monitor.close()
