"""Members of a real etcd, on the loopback device of one namespace."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support import Namespace, until
from unpacked import program

CLIENTS, PEERS = 2379, 2380
QUICK = ("--heartbeat-interval=50", "--election-timeout=300", "--unsafe-no-fsync")
"""A leader is found within a second, and the shortest lease is one second."""


class Members:
    """*count* members, each at 127.0.0.N; their logs and data are in *folder*.

    *tls* are the files of ca, certificate and key of the members for their clients, *client* those
    of certificate and key with which they are asked here.
    """

    def __init__(
        self,
        namespace: Namespace,
        folder: Path,
        count: int = 1,
        tls: tuple[str, str, str] | None = None,
        client: tuple[str, str] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        self.namespace = namespace
        self.folder = folder
        self.words = program("etcd")
        self.tls = tls
        self.client = client
        self.options = options
        namespace.raise_lo()
        self.hosts = [f"127.0.0.{number + 1}" for number in range(count)]
        scheme = "https" if tls else "http"
        self.urls = [f"{scheme}://{host}:{CLIENTS}" for host in self.hosts]
        self.processes: list[subprocess.Popen[str] | None] = [None] * count
        for number in range(count):
            self.start(number)
        self.ready()

    def start(self, number: int) -> None:
        """Start one member, with its data of before."""
        host, url = self.hosts[number], self.urls[number]
        peers = [f"http://{one}:{PEERS}" for one in self.hosts]
        cluster = ",".join(f"m{index}={peer}" for index, peer in enumerate(peers))
        words = [
            *self.words, *QUICK, *self.options, f"--name=m{number}",
            f"--data-dir={self.folder}/m{number}", f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}", f"--listen-peer-urls=http://{host}:{PEERS}",
            f"--initial-advertise-peer-urls=http://{host}:{PEERS}",
            f"--initial-cluster={cluster}", "--logger=zap", "--log-level=error",
        ]  # fmt: skip
        if self.tls is not None:
            ca, cert, key = self.tls
            words += [f"--trusted-ca-file={ca}", f"--cert-file={cert}", f"--key-file={key}"]
            words += ["--client-cert-auth"]
        with open(self.folder / f"m{number}.log", "a", encoding="utf-8") as log:
            self.processes[number] = self.namespace.start(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, "ETCDCTL_API": "3"},
            )  # fmt: skip

    def ready(self, *numbers: int) -> None:
        """Wait until these members, or all, answer what needs a leader."""
        for number in numbers or range(len(self.hosts)):
            until(lambda number=number: self.answers(number))  # type: ignore[misc]

    def answers(self, number: int) -> bool:
        """Whether a member answers a linearizable read."""
        try:
            return "header" in self.post("/v3/kv/range", {"key": "AA=="}, number, seconds=1.0)
        except (OSError, ValueError):
            return False

    def post(
        self, path: str, fields: dict[str, object], number: int = 0, seconds: float = 10.0,
        token: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """The answer of a member, also one that is an error. Raises OSError."""
        url = self.urls[number] + path
        headers = {"Authorization": token} if token else {}
        asked = urllib.request.Request(url, json.dumps(fields).encode(), headers)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context())
        )
        with self.namespace:
            try:
                with opener.open(asked, timeout=seconds) as answer:
                    return dict(json.loads(answer.read()))
            except urllib.error.HTTPError as error:
                return dict(json.loads(error.read()))

    def _context(self) -> Any:
        if self.tls is None:
            return None
        import ssl

        context = ssl.create_default_context(cafile=self.tls[0])
        if self.client is not None:
            context.load_cert_chain(*self.client)
        return context

    def compact(self, revision: int, number: int = 0) -> None:
        """Forget the events up to a revision."""
        self.post("/v3/kv/compaction", {"revision": revision, "physical": True}, number)

    def leader(self) -> int:
        """The number of the member that leads."""
        for number in range(len(self.hosts)):
            found = self.post("/v3/maintenance/status", {}, number)
            if found["leader"] == found["header"]["member_id"]:
                return number
        raise AssertionError("no leader")

    def signal(self, number: int, what: signal.Signals) -> None:
        """Send a signal to a member, and wait until it has ended, or stopped.

        A thread that takes SIGSTOP stops the others, but only when it gets a processor; until then
        they go on to answer.
        """
        process = self.processes[number]
        assert process is not None
        process.send_signal(what)
        if what == signal.SIGSTOP:
            until(lambda: _stopped(process.pid))
        elif what in (signal.SIGKILL, signal.SIGTERM):
            process.wait(30)
            self.processes[number] = None

    def close(self) -> None:
        """Kill all members."""
        for process in self.processes:
            if process is not None:
                process.kill()
        for process in self.processes:
            if process is not None:
                process.wait()


def _stopped(pid: int) -> bool:
    """Whether all threads of a process are stopped (proc_pid_stat(5))."""
    stats = [one.read_text() for one in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(one.rpartition(")")[2].split()[0] == "T" for one in stats)
