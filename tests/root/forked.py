"""Commands without the start of an interpreter each: children of forkserver.py.

They are processes as others are, with streams, arguments, environment, folder and namespace of
their own. What is spared is what the interpreter does before it reads the first word, and that is
seen by the tests that start the script itself (``COMMAND``), and by tests/repo/test_startup.py.
"""

from __future__ import annotations

import io
import marshal
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from support import Namespace

SERVER = Path(__file__).with_name("forkserver.py")
MOST = 1 << 17
"""Bytes of words and environment; the message has to fit into the buffer of a socket."""
STARTING = ("PYTHON", "LANG", "LC_", "TZ")
"""Variables that the interpreter reads before it runs anything."""


class Forks:
    """A fork server of this process, which is started when it is wanted, and loads these modules of
    netalias beside the usual ones."""

    def __init__(self, script: Path, *modules: str) -> None:
        self.script = script
        self.modules = modules
        self._socket: socket.socket | None = None
        self._born: dict[str, str] = {}
        self._lock = threading.Lock()

    def run(
        self, namespace: Namespace, words: Sequence[str], input: str | None, seconds: float
    ) -> subprocess.CompletedProcess[str] | None:
        """The script with *words*, over within *seconds*; None where it has to be started itself.

        That is: while another thread runs one, with an environment in which another interpreter
        would begin, with words that are too long or that execve(2) refuses.
        """
        raw = [os.fsencode(word) for word in (str(self.script), *words)]
        environment = dict(os.environ)
        large = sum(map(len, raw)) + sum(map(len, environment.values())) > MOST
        if large or any(b"\0" in word for word in raw) or not self._lock.acquire(blocking=False):
            return None
        try:
            starting = {
                name: environment[name] for name in environment if name.startswith(STARTING)
            }
            if self._socket is None:
                self._start()
                self._born = starting
            if starting != self._born:
                return None
            return self._run(namespace, raw, environment, input, seconds)
        finally:
            self._lock.release()

    def _start(self) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with other:
            words = [sys.executable, str(SERVER), *self.modules]
            subprocess.run(words, stdin=other, check=True)

    def _run(
        self,
        namespace: Namespace,
        words: list[bytes],
        environment: dict[str, str],
        input: str | None,
        seconds: float,
    ) -> subprocess.CompletedProcess[str]:
        assert self._socket is not None
        mask = os.umask(0)
        os.umask(mask)
        with ExitStack() as theirs:
            folder = os.open(".", os.O_PATH | os.O_CLOEXEC)
            theirs.callback(os.close, folder)
            streams, ours = [0], []
            for _ in range(2):
                reading, writing = os.pipe()
                ours.append(io.FileIO(reading))
                theirs.callback(os.close, writing)
                streams.append(writing)
            feed = None
            if input is not None:
                streams[0], writing = os.pipe()
                theirs.callback(os.close, streams[0])
                feed = io.FileIO(writing, "w")
            message = marshal.dumps((words, environment, mask))
            socket.send_fds(self._socket, [message], [*streams, namespace.fd, folder])
            pid = self._answer(time.monotonic() + seconds)
        end = time.monotonic() + seconds
        try:
            out, err = talked(ours, feed, (input or "").encode(errors="surrogateescape"), end)
            status = self._answer(end)
        except BaseException as error:
            self._forget()
            with suppress(ProcessLookupError):  # it may have ended just now
                os.kill(pid, signal.SIGKILL)
            if isinstance(error, TimeoutError):
                raise AssertionError(f"{words} is not over within {seconds} s") from None
            raise
        return subprocess.CompletedProcess(words, os.waitstatus_to_exitcode(status), out, err)

    def _answer(self, end: float) -> int:
        """The next number that the server says. Raises TimeoutError after *end*."""
        assert self._socket is not None
        self._socket.settimeout(max(0.001, end - time.monotonic()))
        try:
            said = self._socket.recv(4)
        except BaseException:
            self._forget()
            raise
        assert said, "the fork server is gone"
        return int.from_bytes(said, "little")

    def _forget(self) -> None:
        """Let go of the server: what it says of this command shall not be taken for an answer to
        the next one, which has another server."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def talked(
    files: Sequence[io.FileIO], feed: io.FileIO | None, input: bytes, end: float
) -> list[str]:
    """Write *input* into *feed*, read *files* to their end, and close all: the texts that were
    read. Raises TimeoutError when it is later than *end* (time.monotonic)."""
    found = {file: bytearray() for file in files}
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for file in files:
            stack.enter_context(file)
            selector.register(file, selectors.EVENT_READ)
        if feed is not None:
            stack.enter_context(feed)
            os.set_blocking(feed.fileno(), False)
            selector.register(feed, selectors.EVENT_WRITE)
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if not ready and time.monotonic() > end:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is feed:
                    try:
                        input = input[feed.write(input) or 0 :] if input else b""
                    except BrokenPipeError:  # who does not read it all has its reasons
                        input = b""
                    if not input:
                        selector.unregister(feed)
                        feed.close()
                elif data := key.fileobj.read(1 << 16):
                    found[key.fileobj] += data
                else:
                    selector.unregister(key.fileobj)
    return [
        io.TextIOWrapper(io.BytesIO(data), errors="surrogateescape").read()
        for data in found.values()
    ]
